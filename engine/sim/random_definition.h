/* Random valid definitions: YAML text that must load without error, with every block of the language, and
 * inputs that fit. For tests and the simulator.
 *
 * Happy path: random_definition_write with a seed, definition_load, random_definition_input. The same wishes
 * give the same text. Bounded: at most RANDOM_DEFINITION_LEAVES steps and other leaves stand in a file, so
 * that with all items of its loops it opens at most some hundred instances and has at most 100 commands under
 * way. Everything is in the caller's arena; one thread. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/rng.h"
#include "engine/definition/plan.h"

enum { RANDOM_DEFINITION_LEAVES = 24, RANDOM_DEFINITION_PARTICIPANTS = 3 };
struct random_definition {
    uint64_t seed;
    int64_t now_us;  /* about when its sagas run: what they wait until is near */
    struct str name; /* of the saga */
    uint32_t leaves; /* about how many: 1 to RANDOM_DEFINITION_LEAVES */
    uint32_t faults; /* of a hundred expressions, how many fault when they are computed */
    bool keyed;      /* it computes a business key from the input's `n` */
    bool sequential; /* steps only, no blocks */
    /* Sagas that it may start as children; none: it starts none. */
    const struct str *children;
    uint32_t child_count;
};

/* The file. Participants are "p0" to "p2" with the actions do, undo and look; awaits wait for "e.n0" to
 * "e.n2"; codes of rejections that it may know: AGAIN (retry), HUMAN (park), SKIP (continue), NO (fail). */
struct str random_definition_write(const struct random_definition *wanted, struct arena *arena);
/* An input that the plan takes; `number` is its member "n", its times are near now_us. */
const struct json *random_definition_input(const struct plan *plan, int64_t number, int64_t now_us,
                                           struct rng *rng, struct arena *arena);
/* What a signal of this name may say, and what fits the schema of each await for it. */
const struct json *random_definition_signal(struct str event, struct rng *rng, struct arena *arena);
