/* Thousands of random definitions: each loads without an error, takes the inputs made for it, and is loaded
 * again from its bundle with the same hash. With bytes changed, lines dropped, doubled or swapped they load
 * or are refused with diagnostics, and nothing else happens. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/rng.h"
#include "engine/definition/definition.h"
#include "engine/sim/random_definition.h"

enum { SEEDS = 3000, MUTATIONS = 4 };

static struct random_definition wishes(uint64_t seed)
{
    static const struct str children[] = {{"child-a", 7}, {"child-b", 7}};
    return (struct random_definition){.seed = seed,
                                      .now_us = INT64_C(1767225600000000),
                                      .name = STR("random"),
                                      .leaves = 1 + (uint32_t)(seed % RANDOM_DEFINITION_LEAVES),
                                      .faults = seed % 3 == 0 ? 10 : 0,
                                      .keyed = seed % 5 == 0,
                                      .sequential = seed % 10 == 0,
                                      .children = children,
                                      .child_count = 2};
}

static const struct plan *load(struct arena *arena, struct str text, struct diag_list *diags)
{
    diag_init(diags, arena, STR("random.yaml"), text);
    return definition_load(arena, text, NULL, diags);
}

static void must_load(struct arena *arena, uint64_t seed, uint32_t seen[PLAN_FAIL + 1])
{
    struct random_definition wanted = wishes(seed);
    struct str text = random_definition_write(&wanted, arena);
    struct diag_list diags;
    const struct plan *plan = load(arena, text, &diags);
    struct buf out;
    buf_init(&out, arena);
    diag_render(&diags, &out);
    cr_assert(plan != NULL && diags.error_count == 0, "seed %llu:\n%.*s\n%.*s", (unsigned long long)seed,
              STR_ARG(buf_str(&out)), STR_ARG(text));
    for (uint16_t i = 0; i < plan->node_count; i++)
        seen[plan->nodes[i].kind]++;
    struct rng rng;
    rng_init(&rng, seed);
    for (int64_t n = 0; n < 3; n++) {
        struct definition_start start;
        const struct json *input = random_definition_input(plan, n, INT64_C(1767225600000000), &rng, arena);
        cr_assert(definition_start(plan, input, STR(""), arena, &start), "seed %llu: %.*s",
                  (unsigned long long)seed, STR_ARG(json_text(arena, input)));
    }
    diag_init(&diags, arena, STR("bundle"), plan->bundle);
    const struct plan *again = definition_load_bundle(arena, plan->bundle, &diags);
    cr_assert(again != NULL && strcmp(again->hash, plan->hash) == 0, "seed %llu", (unsigned long long)seed);
}

Test(random_definition, each_one_loads)
{
    struct arena arena;
    uint32_t seen[PLAN_FAIL + 1] = {0};
    const char *one = getenv("SAGA_SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1, last = one ? first : SEEDS;
    for (uint64_t seed = first; seed <= last; seed++) {
        arena_init(&arena, 0);
        must_load(&arena, seed, seen);
        arena_fini(&arena);
    }
    for (int kind = 0; kind <= PLAN_FAIL && !one; kind++)
        cr_assert(gt(u32, seen[kind], SEEDS / 10), "kind %d is rare", kind);
}

/* Where line number `at` begins, or the end. */
static size_t line_at(struct str text, uint64_t at)
{
    size_t begin = 0;
    for (; at > 0 && begin < text.size; at--)
        begin += str_find(str_slice(text, begin, text.size), '\n') + 1;
    return begin < text.size ? begin : text.size;
}

static struct str mutate(struct str text, struct rng *rng, struct arena *arena)
{
    static const char bytes[] = "0:-{}[]'\"$#,.| \nax&*!%9_";
    size_t at = (size_t)rng_below(rng, text.size);
    uint64_t lines = 0;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    size_t from = line_at(text, rng_below(rng, lines)), to = line_at(text, rng_below(rng, lines));
    size_t next = from + str_find(str_slice(text, from, text.size), '\n') + 1;
    struct str head = str_slice(text, 0, from), line = str_slice(text, from, next),
               tail = str_slice(text, next, text.size);
    char byte = bytes[rng_below(rng, sizeof bytes - 1)];
    switch (rng_below(rng, 5)) {
    case 0: /* one byte is another */
        return arena_printf(arena, "%.*s%c%.*s", (int)at, text.data, byte,
                            STR_ARG(str_slice(text, at + 1, text.size)));
    case 1: /* one more */
        return arena_printf(arena, "%.*s%c%.*s", (int)at, text.data, byte,
                            STR_ARG(str_slice(text, at, text.size)));
    case 2: /* a line less */
        return arena_printf(arena, "%.*s%.*s", STR_ARG(head), STR_ARG(tail));
    case 3: /* a line twice */
        return arena_printf(arena, "%.*s%.*s%.*s%.*s", STR_ARG(head), STR_ARG(line), STR_ARG(line),
                            STR_ARG(tail));
    default: /* a line elsewhere too */
        return arena_printf(arena, "%.*s%.*s%.*s", STR_ARG(str_slice(text, 0, to)), STR_ARG(line),
                            STR_ARG(str_slice(text, to, text.size)));
    }
}

Test(random_definition, a_changed_one_is_loaded_or_refused)
{
    struct arena arena;
    uint32_t refused = 0, all = 0;
    for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
        struct rng rng;
        arena_init(&arena, 0);
        rng_init(&rng, seed);
        struct random_definition wanted = wishes(seed);
        struct str text = random_definition_write(&wanted, &arena);
        for (int i = 0; i < MUTATIONS && text.size > 0 && text.data[text.size - 1] == '\n'; i++, all++) {
            struct diag_list diags;
            text = mutate(text, &rng, &arena);
            const struct plan *plan = load(&arena, text, &diags);
            bool refuses = diags.error_count > 0;
            cr_assert(refuses == (plan == NULL), "seed %llu:\n%.*s", (unsigned long long)seed, STR_ARG(text));
            refused += plan == NULL;
        }
        arena_fini(&arena);
    }
    cr_assert(gt(u32, refused, all / 3));
    cr_assert(lt(u32, refused, all));
}

Test(random_definition, the_same_wishes_give_the_same_text)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct random_definition wanted = wishes(seed);
        cr_assert(
            str_equal(random_definition_write(&wanted, &arena), random_definition_write(&wanted, &arena)));
    }
    arena_fini(&arena);
}
