/* Sagas of blocks for the chaos: children on any shard, events, waits, items, branches, scopes, cases; most
 * with time limits that no fault uses up, so that their end is known when they start. Drawn from a seed. */
#pragma once
#include "engine/base/rng.h"
#include "tests/integration/world.h"

enum { COURSES_SIGNALS = 8, COURSES_ITEMS = 3 };

/* An event guest.said that somebody waits for. */
struct courses_signal {
    const char *definition;
    struct str key;
};
struct courses_plan {
    const char *definition;
    struct str input;
    const char *end; /* the status it must come to rest with; "" : any */
    struct courses_signal signals[COURSES_SIGNALS];
    uint32_t signal_count;
};

/* `number`: of the saga, whose key is key-<number>. Texts are put into the arena. */
struct courses_plan courses_draw(struct rng *rng, struct arena *arena, uint32_t number);
