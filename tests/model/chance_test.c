/* Random runs: the same seed gives the same text, every kind of fault strikes, and whatever strikes, what the
 * participants hold in the end is what the saga says. */
#include <criterion/criterion.h>

#include <string.h>
#include "engine/definition/definition.h"
#include "engine/model/chance.h"
#include "engine/sim/random_definition.h"

#define EXAMPLES SAGA_SOURCE_DIR "/definitions/examples/"
static const char *const examples[] = {"checkout",     "data-export", "invoicing", "loan",
                                       "onboarding",   "order",       "return",    "split-shipment",
                                       "subscription", "trip",        "wholesale", NULL};

static const struct plan *load(struct arena *arena, const char *name)
{
    struct diag_list diags;
    struct err_note note = {""};
    const struct plan *plan = NULL;
    const char *path = arena_printf(arena, EXAMPLES "%s.yaml", name).data;
    cr_assert(definition_load_file(arena, path, &diags, &plan, &note) == ERR_OK, "%s", note.text);
    cr_assert(plan != NULL, "%s", name);
    return plan;
}

static struct chance_rates rates(const char *text)
{
    struct chance_rates rates = chance_usual();
    struct err_note note = {""};
    cr_assert(chance_read(str_from(text), &rates, &note) == ERR_OK, "%s", note.text);
    return rates;
}

static struct chance_result run(const struct plan *plan, uint64_t seed, const char *faults,
                                struct arena *arena)
{
    struct chance_rates of = rates(faults);
    struct chance_result result;
    struct err_note note = {""};
    cr_assert(chance_run(plan, seed, &of, NULL, arena, &result, &note) == ERR_OK, "%s", note.text);
    return result;
}

Test(chance, nothing_wrong_nothing_undone)
{
    for (int i = 0; examples[i]; i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct chance_result result = run(load(&arena, examples[i]), 1, "none", &arena);
        cr_expect_str_eq(result.wrong.data, "", "%s: %s", examples[i], result.wrong.data);
        for (int fault = 0; fault < CHANCE_FAULT_COUNT; fault++)
            cr_expect_eq(result.faults[fault], 0);
        arena_fini(&arena);
    }
}

Test(chance, the_same_seed_gives_the_same_text)
{
    unsigned different = 0;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct arena arena;
        arena_init(&arena, 0);
        const struct plan *plan = load(&arena, "split-shipment");
        struct chance_result once = run(plan, seed, "all=0.1", &arena),
                             again = run(plan, seed, "all=0.1", &arena),
                             other = run(plan, seed + 1, "all=0.1", &arena);
        cr_expect_str_eq(once.timeline.data, again.timeline.data, "seed %u", (unsigned)seed);
        cr_expect_str_eq(once.effects.data, again.effects.data, "seed %u", (unsigned)seed);
        different += strcmp(once.timeline.data, other.timeline.data) != 0;
        arena_fini(&arena);
    }
    cr_expect(different > 15, "seeds hardly matter: %u", different);
}

/* The deadline of a saga that has long been parked is no part of its run. */
Test(chance, a_run_lasts_until_the_saga_rests)
{
    static const char text[] = "saga: lasts\nversion: 1\ntimeout: 2h\nsteps:\n"
                               "  - { id: one, command: p.one, pivot: true, timeout: 10s,\n"
                               "      retry: { max_attempts: 1 }, on_timeout: park }\n";
    struct arena arena;
    struct diag_list diags;
    arena_init(&arena, 0);
    diag_init(&diags, &arena, STR("lasts.yaml"), str_from(text));
    const struct plan *plan = definition_load(&arena, str_from(text), NULL, &diags);
    cr_assert(plan != NULL);
    struct chance_result result = run(plan, 1, "lost=1", &arena);
    cr_expect_eq(result.status, CORE_PARKED);
    cr_expect_lt(result.span_us, 60 * INT64_C(1000000), "%lld", (long long)result.span_us);
    arena_fini(&arena);
}

/* Whether each fault struck, and each way a saga can rest came. */
struct seen {
    unsigned faults[CHANCE_FAULT_COUNT];
    unsigned statuses[CORE_TERMINATED + 1];
    unsigned wrong;
};

static void look(struct seen *seen, const char *name, uint64_t seed, struct chance_result *result)
{
    for (int fault = 0; fault < CHANCE_FAULT_COUNT; fault++)
        seen->faults[fault] += result->faults[fault];
    seen->statuses[result->status]++;
    cr_expect_str_eq(result->wrong.data, "", "%s, seed %u: %s\n%s", name, (unsigned)seed, result->wrong.data,
                     result->timeline.data);
}

Test(chance, whatever_strikes_the_saga_tells_what_is, .timeout = 300)
{
    enum { SEEDS = 60 };
    static const char *const worlds[] = {"all=0.05", "all=0.2", "lost=0.5,crash=0.3", "late=0.5,doubled=0.5"};
    struct seen seen = {0};
    for (int i = 0; examples[i]; i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct arena arena;
            arena_init(&arena, 0);
            struct chance_result result = run(load(&arena, examples[i]), seed,
                                              worlds[seed % (sizeof worlds / sizeof worlds[0])], &arena);
            look(&seen, examples[i], seed, &result);
            arena_fini(&arena);
        }
    }
    for (int fault = 0; fault < CHANCE_FAULT_COUNT; fault++)
        cr_expect(fault == CHANCE_NO_OUTPUT || seen.faults[fault] > 10, "%.*s struck %u times",
                  STR_ARG(chance_fault_text((enum chance_fault)fault)), seen.faults[fault]);
    cr_expect(seen.statuses[CORE_COMPLETED] > 20 && seen.statuses[CORE_COMPENSATED] > 20 &&
              seen.statuses[CORE_PARKED] > 5);
}

/* Definitions nobody wrote, with every block, in worlds that are mostly bad. */
Test(chance, random_definitions_too, .timeout = 300)
{
    enum { SEEDS = 400, LEAVES = 12 };
    static const struct str child[] = {{"another", 7}};
    struct seen seen = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct arena arena;
        struct diag_list diags;
        struct rng rng;
        struct chance_rates of = rates(seed % 2 ? "all=0.08" : "lost=0.3,late=0.2,no_output=0.5");
        struct chance_result result;
        struct err_note note = {""};
        arena_init(&arena, 0);
        rng_init(&rng, seed);
        struct random_definition wanted = {.seed = seed,
                                           .name = STR("any"),
                                           .leaves = LEAVES,
                                           .faults = 2,
                                           .children = child,
                                           .child_count = 1};
        struct str text = random_definition_write(&wanted, &arena);
        diag_init(&diags, &arena, STR("any.yaml"), text);
        const struct plan *plan = definition_load(&arena, text, NULL, &diags);
        cr_assert(plan != NULL, "seed %u", (unsigned)seed);
        const struct json *input = random_definition_input(plan, 7, play_epoch_us, &rng, &arena);
        cr_assert(chance_run(plan, seed, &of, input, &arena, &result, &note) == ERR_OK, "%s", note.text);
        look(&seen, "a random definition", seed, &result);
        arena_fini(&arena);
    }
    cr_expect(seen.statuses[CORE_COMPLETED] > 20 && seen.statuses[CORE_COMPENSATED] > 20 &&
              seen.statuses[CORE_PARKED] > 5);
    cr_expect(seen.faults[CHANCE_NO_OUTPUT] > 10, "%u children have no output", /* few examples reach one */
              seen.faults[CHANCE_NO_OUTPUT]);
}

Test(chance, refuses_rates_that_mean_nothing)
{
    static const char *const bad[] = {"lost",       "lost=",  "lost=2",
                                      "lost=-1",    "lost=a", "lots=0.1",
                                      "lost=0.1,,", "=1",     "lost=0.11111111111111111111"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct chance_rates of = chance_usual();
        struct err_note note = {""};
        cr_expect(chance_read(str_from(bad[i]), &of, &note) == ERR_INVALID, "%s", bad[i]);
        cr_expect_neq(note.text[0], '\0', "%s", bad[i]);
    }
    struct chance_rates of = rates("all=0.5,lost=0,crash=1");
    cr_expect_eq(of.of[CHANCE_LOST], 0);
    cr_expect_eq(of.of[CHANCE_CRASH], CHANCE_CERTAIN);
    cr_expect_eq(of.of[CHANCE_LATE], CHANCE_CERTAIN / 2);
}

Test(chance, says_why_it_cannot_start)
{
    struct arena arena;
    struct chance_rates of = chance_usual();
    struct chance_result result;
    struct err_note note = {""};
    arena_init(&arena, 0);
    cr_expect(chance_run(load(&arena, "order"), 1, &of, &json_true, &arena, &result, &note) == ERR_INVALID);
    cr_expect(strstr(note.text, "must be an object") != NULL, "%s", note.text);
    arena_fini(&arena);
}
