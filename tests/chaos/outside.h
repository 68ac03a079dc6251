/* Who speaks to the sagas while all goes on: somebody with events, and an operator with timers. Whatever is
 * not answered is tried again; what was answered is said once more now and then. One thread. */
#pragma once
#include "tests/chaos/courses.h"

struct outside_signal {
    struct courses_signal to;
    struct str id;
    bool settled; /* kept, or refused for good */
};
struct outside {
    struct world *world; /* borrowed */
    struct rng *rng;     /* borrowed */
    struct outside_signal *signals;
    uint32_t signal_count, signal_room;
    int64_t fire_at_us;                       /* time limits, not before */
    uint32_t said, moved, cancelled, skipped; /* what the engines have taken */
};

void outside_init(struct outside *outside, struct world *world, struct rng *rng);
/* The events that a saga waits for. */
void outside_expect(struct outside *outside, const struct courses_plan *plan);
/* A word or two to the engine: an event, by HTTP or by NATS, a timer moved, a saga cancelled. */
void outside_speak(struct outside *outside, uint32_t engine);
/* Nothing dies any more: says all that has not been said, and ends what would take long. Once; some of it has
 * to be done again. */
void outside_settle(struct outside *outside, uint32_t engine);
