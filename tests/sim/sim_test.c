/* The simulator in every run: as many seeds as fit into twenty seconds, new ones each day, so that time is
 * not spent on the same ones for ever; and seeds that once found something. `tests/run --deep sim` runs more,
 * and the bug bank. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <inttypes.h>
#include <stdio.h>
#include "engine/base/clock.h"
#include "engine/ops/log.h"
#include "engine/sim/sim.h"

enum { SEEDS_LEAST = 20 }; /* however slow the machine is: what M1 and M2 say needs so many */
static const int64_t budget_us = 20000000;

Test(sim, no_seed_breaks_a_promise)
{
    struct sim_result result;
    uint64_t faults[SIM_FAULT_COUNT] = {0}, sagas = 0, ended = 0, seeds = 0, replayed = 0, definitions = 0,
             children = 0, late = 0, undelivered = 0;
    int64_t until_us = clock_monotonic_us() + budget_us;
    uint64_t first = (uint64_t)(clock_real_us() / 86400000000) * 1000000;
    log_set_level(LOG_LEVEL_ERROR);
    for (; seeds < SEEDS_LEAST || clock_monotonic_us() < until_us; seeds++) {
        sim_run(&(struct sim_options){.seed = first + seeds}, &result);
        cr_assert(result.good, "seed %" PRIu64 ": %s", first + seeds, result.why);
        sagas += result.sagas;
        ended += result.completed + result.compensated;
        definitions += result.definitions;
        replayed += result.replayed;
        children += result.children;
        late += result.late_deliveries;
        undelivered += result.undelivered;
        for (int i = 0; i < SIM_FAULT_COUNT; i++)
            faults[i] += result.faults[i];
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " sagas over %" PRIu64 " random definitions, %" PRIu64
           " replayed the same, %" PRIu64 " children\n",
           seeds, sagas, definitions, replayed, children);
    cr_assert(eq(u64, replayed, sagas), "S25");
    cr_assert(gt(u64, children, 0), "M1: no saga had a child");
    cr_assert(gt(u64, late, 0), "M1: no attempt's time began anew");
    cr_assert(gt(u64, undelivered, 0), "M1: no command was taken back before anybody had it");
    cr_assert(gt(u64, ended * 2, sagas), "M2: most sagas come to an end of their own");
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        cr_assert(gt(u64, faults[i], 0), "M1: %s was never injected", sim_fault_words((enum sim_fault)i));
}

/* An unusable reply beside one that the database refuses (S16); a command of an earlier owner that nobody can
 * take back, the same after the streams were made anew, and one that was wiped and sent again (S22). */
Test(sim, what_was_found_once_is_not_found_again)
{
    static const uint64_t seeds[] = {20788000121, 311, 30597, 34127};
    struct sim_result result;
    log_set_level(LOG_LEVEL_ERROR);
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        sim_run(&(struct sim_options){.seed = seeds[i]}, &result);
        cr_assert(result.good, "seed %" PRIu64 ": %s", seeds[i], result.why);
    }
}

Test(sim, the_same_seed_gives_the_same_trace)
{
    struct sim_result once, twice, other;
    log_set_level(LOG_LEVEL_ERROR);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        sim_run(&(struct sim_options){.seed = seed}, &once);
        sim_run(&(struct sim_options){.seed = seed}, &twice);
        sim_run(&(struct sim_options){.seed = seed + 1}, &other);
        cr_assert(eq(u64, once.hash, twice.hash), "seed %" PRIu64, seed);
        cr_assert(ne(u64, once.hash, other.hash));
    }
}
