/* Runs seeds of the simulator.
 *
 *     sim [--seeds N] [--first SEED] [--seconds S] [--trace] [--stop]
 *
 * Prints what was injected and how sagas ended; each failing seed with the rule it broke, the first of them
 * once more with its timeline. Each seed whose number ends in 0 is run twice and must give the same trace
 * hash. Exit status 1 when a seed failed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/ops/log.h"
#include "engine/sim/sim.h"

struct total {
    uint64_t seeds, failed, sagas, completed, compensated, parked, children, stillborn, replayed, definitions;
    uint64_t faults[SIM_FAULT_COUNT];
};

static void print_line(int64_t at_us, const char *line)
{
    printf("%10.3f  %s\n", (double)at_us / 1e6, line);
}

static uint64_t number(const char *text)
{
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void add(struct total *total, const struct sim_result *result)
{
    total->seeds++;
    total->sagas += result->sagas;
    total->completed += result->completed;
    total->compensated += result->compensated;
    total->parked += result->parked;
    total->children += result->children;
    total->stillborn += result->stillborn;
    total->definitions += result->definitions;
    total->replayed += result->replayed;
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        total->faults[i] += result->faults[i];
}

static bool run_seed(uint64_t seed, bool trace, struct total *total)
{
    struct sim_options options = {.seed = seed, .trace = trace ? print_line : NULL};
    struct sim_result result, again;
    sim_run(&options, &result);
    add(total, &result);
    if (result.good && seed % 10 == 0) {
        sim_run(&options, &again);
        if (again.hash != result.hash) {
            result.good = false;
            snprintf(result.why, sizeof result.why, "M4: the same seed gave another trace");
        }
    }
    if (result.good)
        return true;
    printf("seed %" PRIu64 " failed: %s\n", seed, result.why);
    if (total->failed++ == 0 && !trace) {
        options.trace = print_line;
        sim_run(&options, &again);
    }
    return false;
}

static void report(const struct total *total)
{
    printf("%" PRIu64 " seeds, %" PRIu64 " sagas: %" PRIu64 " completed, %" PRIu64 " compensated, %" PRIu64
           " parked; %" PRIu64 " children of sagas that ended, %" PRIu64 " undone before they began\n",
           total->seeds, total->sagas, total->completed, total->compensated, total->parked, total->children,
           total->stillborn);
    printf("%" PRIu64 " of %" PRIu64 " sagas over %" PRIu64 " random definitions replayed the same\n",
           total->replayed, total->sagas, total->definitions);
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        printf("%8" PRIu64 "  %s\n", total->faults[i], sim_fault_words((enum sim_fault)i));
}

int main(int count, char **arguments)
{
    uint64_t seeds = 100, first = 1, seconds = 0;
    bool trace = false, stop = false;
    struct total total = {0};
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : NULL;
        trace = trace || strcmp(arguments[i], "--trace") == 0;
        stop = stop || strcmp(arguments[i], "--stop") == 0;
        if (strcmp(arguments[i], "--seeds") == 0)
            seeds = number(value);
        if (strcmp(arguments[i], "--first") == 0)
            first = number(value);
        if (strcmp(arguments[i], "--seconds") == 0)
            seconds = number(value);
    }
    log_set_level(trace ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    int64_t until_us = clock_monotonic_us() + (int64_t)seconds * 1000000;
    for (uint64_t seed = first; seed < first + seeds && (seconds == 0 || clock_monotonic_us() < until_us);
         seed++)
        if (!run_seed(seed, trace, &total) && stop)
            break;
    report(&total);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", total.seeds - total.failed, total.failed);
    return total.failed == 0 ? 0 : 1;
}
