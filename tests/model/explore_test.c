/* The explorer over random definitions: whatever an author writes, the engine keeps its promises. Definitions
 * whose expressions fault are refuted for that and for nothing else; those without faults are proved, as far
 * as the cap lets it see. SAGA_SEED=n explores one and prints it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include "engine/definition/definition.h"
#include "engine/model/explore.h"
#include "engine/sim/random_definition.h"

enum { SEEDS = 40, STATES = 8000, ALL_LEAVES = 9, FEW_LEAVES = 2, PAIRS = 100 };

static bool is_authors_fault(struct str property)
{
    return str_starts(property, STR("Every expression")) || str_starts(property, STR("Every switch"));
}

static const struct plan *load_random(uint64_t seed, uint32_t leaves, uint32_t faults, struct arena *arena,
                                      struct str *text)
{
    struct diag_list diags = {0};
    const struct str child = STR("child");
    struct random_definition wanted = {.seed = seed,
                                       .now_us = INT64_C(1767225600000000),
                                       .name = STR("random"),
                                       .leaves = leaves,
                                       .faults = faults,
                                       .children = &child,
                                       .child_count = (uint32_t)(seed % 2)};
    *text = random_definition_write(&wanted, arena);
    diag_init(&diags, arena, STR("random.yaml"), *text);
    const struct plan *plan = definition_load(arena, *text, NULL, &diags);
    cr_assert_not_null(plan, "seed %llu", (unsigned long long)seed);
    return plan;
}

static enum explore_verdict explore_one(uint64_t seed, uint32_t faults)
{
    struct arena arena;
    struct explore_result result;
    struct explore_options options = {.states_max = STATES};
    struct str text;
    arena_init(&arena, 0);
    explore_run(load_random(seed, 1 + (uint32_t)(seed % ALL_LEAVES), faults, &arena, &text), &options, &arena,
                &result);
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

static bool are_alike(const struct explore_result *a, const struct explore_result *b)
{
    if (a->verdict != b->verdict)
        return false;
    if (a->verdict == EXPLORE_REFUTED)
        return true; /* not all was seen */
    bool alike = a->outcome_count == b->outcome_count && a->unreached_count == b->unreached_count &&
                 a->in_flight_max == b->in_flight_max;
    for (uint32_t i = 0; alike && i < a->outcome_count; i++)
        alike = a->outcomes[i].status == b->outcomes[i].status &&
                str_equal(a->outcomes[i].code, b->outcomes[i].code) &&
                str_equal(a->outcomes[i].step, b->outcomes[i].step);
    for (uint32_t i = 0; alike && i < a->unreached_count; i++)
        alike = str_equal(a->unreached[i], b->unreached[i]);
    return alike;
}

static void tell(const char *which, const struct explore_result *result)
{
    fprintf(stderr, "%s: verdict %d, %llu states, %u in flight, %.*s: %.*s\n%.*s\n", which,
            (int)result->verdict, (unsigned long long)result->states, result->in_flight_max,
            STR_ARG(result->property), STR_ARG(result->detail), STR_ARG(result->timeline));
    for (uint32_t i = 0; i < result->outcome_count; i++)
        fprintf(stderr, "  %d %.*s %.*s\n", (int)result->outcomes[i].status,
                STR_ARG(result->outcomes[i].step), STR_ARG(result->outcomes[i].code));
    for (uint32_t i = 0; i < result->unreached_count; i++)
        fprintf(stderr, "  never %.*s\n", STR_ARG(result->unreached[i]));
}

/* Whether the definition's parts beside each other took fewer states than with everything in all of them. */
static bool is_less_for_the_same(uint64_t seed, uint32_t faults, uint64_t states_max)
{
    struct arena arena;
    struct explore_result whole, focused;
    struct explore_options options = {.states_max = states_max, .whole = true};
    struct str text;
    arena_init(&arena, 0);
    const struct plan *plan = load_random(seed, FEW_LEAVES + (uint32_t)(seed % 2), faults, &arena, &text);
    explore_run(plan, &options, &arena, &whole);
    options.whole = false;
    explore_run(plan, &options, &arena, &focused);
    bool alike = whole.verdict == EXPLORE_CAPPED || are_alike(&whole, &focused);
    if (!alike) {
        fprintf(stderr, "%.*s\n", STR_ARG(text));
        tell("whole", &whole);
        tell("focused", &focused);
    }
    cr_expect(alike, "seed %llu, %u faults", (unsigned long long)seed, faults);
    bool less = whole.verdict == EXPLORE_PROVED && focused.states < whole.states;
    arena_fini(&arena);
    return less;
}

/* What is left out beside the part in focus loses nothing: SAGA_SEEDS=n looks at more, SAGA_STATES=n at
 * larger ones. */
Test(explore, parts_in_focus_are_as_good_as_all, .timeout = 580)
{
    const char *many = getenv("SAGA_SEEDS"), *large = getenv("SAGA_STATES"), *one = getenv("SAGA_SEED");
    uint64_t seeds = many ? strtoull(many, NULL, 10) : PAIRS;
    uint64_t states = large ? strtoull(large, NULL, 10) : STATES;
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    unsigned less = 0;
    for (uint64_t seed = first; seed < first + (one ? 1 : seeds); seed++) {
        less += is_less_for_the_same(seed, 0, states);
        less += is_less_for_the_same(seed, 10, states);
    }
    cr_log_info("less in %u", less);
    cr_assert(one || less > seeds / 50, "less in only %u", less);
}
