/* Random sagas over random definitions: see walk.h. SAGA_SEED=n walks one seed and tells its story,
 * SAGA_SEEDS=n takes that many, SAGA_FIRST=n begins there. */
#include "tests/core/walk.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/rng.h"
#include "engine/definition/definition.h"
#include "engine/sim/random_definition.h"
#include "tests/core/twin.h"

enum { SEEDS = 1200, WALKS_PER_DEFINITION = 3 };

/* Said when a breach ends the process. */
static uint64_t walking;
static void say_seed(int number)
{
    fprintf(stderr, "seed %" PRIu64 "\n", walking);
    signal(number, SIG_DFL);
}

static uint32_t choose(void *context, uint32_t bound)
{
    return (uint32_t)rng_below(context, bound);
}

static const struct plan *define(uint64_t seed, bool loud, struct arena *arena)
{
    static const struct str children[] = {{"child-a", 7}, {"child-b", 7}};
    struct random_definition wanted = {.seed = seed,
                                       .now_us = twin_epoch_us,
                                       .name = STR("random"),
                                       .leaves = 1 + (uint32_t)(seed % RANDOM_DEFINITION_LEAVES),
                                       .faults = seed % 4 == 0 ? 6 : 0,
                                       .sequential = seed % 16 == 1,
                                       .children = children,
                                       .child_count = 2};
    struct diag_list diags;
    struct str text = random_definition_write(&wanted, arena);
    diag_init(&diags, arena, STR("random.yaml"), text);
    if (loud)
        fprintf(stderr, "%.*s", STR_ARG(text));
    const struct plan *plan = definition_load(arena, text, NULL, &diags);
    cr_assert(plan != NULL, "seed %" PRIu64 ": its definition does not load", seed);
    return plan;
}

struct sum {
    uint64_t ends[CORE_TERMINATED + 1];
    uint64_t events, used, steps, scopes_undone, signals_taken;
};

static void live(uint64_t seed, bool loud, struct sum *sum)
{
    struct arena arena;
    struct rng rng;
    struct walk_result result;
    arena_init(&arena, 0);
    rng_init(&rng, seed);
    const struct plan *plan = define(seed / WALKS_PER_DEFINITION, loud, &arena);
    walk_run(plan, seed, 20 + (uint32_t)rng_below(&rng, 300), &(struct walk_choices){&rng, choose}, loud,
             &result);
    sum->ends[result.status]++;
    sum->events += result.events;
    sum->used += result.used;
    sum->steps += result.steps;
    sum->scopes_undone += result.scopes_undone;
    sum->signals_taken += result.signals_taken;
    arena_fini(&arena);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

Test(core, walks_over_random_definitions, .timeout = 7200)
{
    struct sum sum = {.events = 0};
    signal(SIGABRT, say_seed);
    walking = setting("SAGA_SEED", 0);
    if (walking > 0) {
        live(walking, true, &sum);
        return;
    }
    uint64_t first = setting("SAGA_FIRST", 1), seeds = setting("SAGA_SEEDS", SEEDS);
    for (walking = first; walking < first + seeds; walking++)
        live(walking, false, &sum);
    printf("%" PRIu64 " walks, %" PRIu64 " events, %" PRIu64 " of them used, %" PRIu64 " steps, %" PRIu64
           " scopes undone, %" PRIu64 " signals taken; completed %" PRIu64 ", compensated %" PRIu64
           ", terminated %" PRIu64 "\n",
           seeds, sum.events, sum.used, sum.steps, sum.scopes_undone, sum.signals_taken,
           sum.ends[CORE_COMPLETED], sum.ends[CORE_COMPENSATED], sum.ends[CORE_TERMINATED]);
    cr_assert(gt(u64, sum.ends[CORE_COMPLETED], seeds / 20), "M2: the world is too bad");
    cr_assert(gt(u64, sum.ends[CORE_COMPENSATED], seeds / 20), "M2: the world is too good");
    cr_assert(gt(u64, sum.scopes_undone, seeds / 50));
    cr_assert(gt(u64, sum.signals_taken, seeds / 50));
}
