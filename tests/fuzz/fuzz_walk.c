/* Walks: the first bytes choose a definition of fuzz.h or, by their seed, a random one; the others are the
 * choices of a walk through it (tests/core/walk.h), in which replies come in any order and any number, timers
 * are moved, signals sent, and operators and a parent interfere. When they are used up, a generator goes on
 * with what they have left, so that the world heals and the saga must end. */
#include "tests/fuzz/fuzz.h"
#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/definition/definition.h"
#include "engine/sim/random_definition.h"
#include "tests/core/twin.h"
#include "tests/core/walk.h"

enum { EVENTS = 120, KNOWN = 8 };

struct choices {
    struct str bytes;
    struct rng rng;
};

static uint32_t choose(void *context, uint32_t bound)
{
    struct choices *choices = context;
    if (choices->bytes.size == 0)
        return (uint32_t)rng_below(&choices->rng, bound);
    uint32_t number = fuzz_byte(&choices->bytes);
    if (bound > 256)
        number = number << 8 | fuzz_byte(&choices->bytes);
    return number % bound;
}

static const struct plan *random_plan(struct arena *arena, uint32_t seed)
{
    static const struct str children[] = {{"child-a", 7}};
    struct random_definition wanted = {.seed = seed,
                                       .now_us = twin_epoch_us,
                                       .name = STR("random"),
                                       .leaves = 1 + seed % 12,
                                       .faults = seed % 5 == 0 ? 8 : 0,
                                       .children = children,
                                       .child_count = 1};
    struct diag_list diags;
    struct str text = random_definition_write(&wanted, arena);
    diag_init(&diags, arena, STR("random.yaml"), text);
    const struct plan *plan = definition_load(arena, text, NULL, &diags);
    check(plan != NULL);
    return plan;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct choices choices = {.bytes = {(const char *)data, size}};
    struct walk_result result;
    struct arena arena;
    arena_init(&arena, 0);
    uint32_t which = fuzz_byte(&choices.bytes);
    uint32_t seed = (uint32_t)fuzz_byte(&choices.bytes) << 8 | fuzz_byte(&choices.bytes);
    const struct plan *plan = which < KNOWN ? fuzz_plan(which) : random_plan(&arena, seed);
    rng_init(&choices.rng, seed);
    walk_run(plan, seed, EVENTS, &(struct walk_choices){&choices, choose}, false, &result);
    check(result.used > 0);
    arena_fini(&arena);
    return 0;
}
