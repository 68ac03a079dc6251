/* The explorer over random definitions: whatever an author writes, the engine keeps its promises. Definitions
 * whose expressions fault are refuted for that and for nothing else; those without faults are proved, as far
 * as the cap lets it see. SAGA_SEED=n explores one and prints it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include "engine/definition/definition.h"
#include "engine/model/explore.h"
#include "engine/sim/random_definition.h"

enum { SEEDS = 40, STATES = 8000, ALL_LEAVES = 9 };

static bool is_authors_fault(struct str property)
{
    return str_starts(property, STR("Every expression")) || str_starts(property, STR("Every switch"));
}

static enum explore_verdict explore_one(uint64_t seed, uint32_t faults)
{
    struct arena arena;
    struct explore_result result;
    struct explore_options options = {.states_max = STATES};
    struct diag_list diags = {0};
    const struct str child = STR("child");
    arena_init(&arena, 0);
    struct random_definition wanted = {.seed = seed,
                                       .now_us = INT64_C(1767225600000000),
                                       .name = STR("random"),
                                       .leaves = 1 + (uint32_t)(seed % ALL_LEAVES),
                                       .faults = faults,
                                       .children = &child,
                                       .child_count = (uint32_t)(seed % 2)};
    struct str text = random_definition_write(&wanted, &arena);
    diag_init(&diags, &arena, STR("random.yaml"), text);
    const struct plan *plan = definition_load(&arena, text, NULL, &diags);
    cr_assert_not_null(plan, "seed %llu", (unsigned long long)seed);
    explore_run(plan, &options, &arena, &result);
    bool fine = result.verdict != EXPLORE_REFUTED || is_authors_fault(result.property);
    if (!fine || getenv("SAGA_SEED"))
        fprintf(stderr, "%.*s\n%.*s: %.*s\n%.*s", STR_ARG(text), STR_ARG(result.property),
                STR_ARG(result.detail), STR_ARG(result.timeline));
    cr_expect(fine, "seed %llu: %.*s", (unsigned long long)seed, STR_ARG(result.property));
    arena_fini(&arena);
    return result.verdict;
}

Test(explore, random_definitions_keep_the_promises, .timeout = 580)
{
    unsigned verdicts[EXPLORE_CAPPED + 1] = {0};
    const char *one = getenv("SAGA_SEED");
    const char *many = getenv("SAGA_SEEDS");
    uint64_t seeds = many ? strtoull(many, NULL, 10) : SEEDS;
    if (one) {
        (void)explore_one(strtoull(one, NULL, 10), 0);
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++)
        verdicts[explore_one(seed, 0)]++;
    cr_log_info("proved %u, refuted %u, capped %u", verdicts[EXPLORE_PROVED], verdicts[EXPLORE_REFUTED],
                verdicts[EXPLORE_CAPPED]);
    cr_assert(verdicts[EXPLORE_PROVED] > seeds / 10, "too few are seen whole");
}

Test(explore, random_faults_are_found, .timeout = 580)
{
    unsigned refuted = 0;
    for (uint64_t seed = 1; seed <= SEEDS / 3; seed++)
        refuted += explore_one(seed, 60) == EXPLORE_REFUTED;
    cr_assert(refuted > SEEDS / 6, "only %u are refuted", refuted);
}
