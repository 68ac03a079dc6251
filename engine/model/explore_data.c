/* The data that come from outside. Every choice of data multiplies the states, so only those are explored
 * that can make a difference: many candidates are drawn (from the schemas, and from each such value by
 * leaving out, replacing, emptying), every expression is computed with each, and of those that agree in what
 * faults and in which way each `when` and `in` goes, one is explored.
 * Candidates that differ from the ordinary in several places (a condition on two fields asks for that) count
 * only when something is met with them for the first time.
 *
 * A branch that none of these gets to has data worked out for it from its conditions (explore_reach.c).
 *
 * Where there is no schema, the value is an object that has what expressions read from it, or null. */
#include "engine/model/explore_data.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/model/explore_reach.h"

enum {
    BASES = 4,          /* choices from which the way to such a branch is looked for */
    REACH_MAX = 32,     /* choices for branches that no other gets to */
    MIXED = 200,        /* candidates in which every source is drawn anew */
    PAIR_MOST = 12,     /* variants of a source that are tried with those of another */
    CANDIDATES = 20000, /* bounds the time: some microseconds each */
};

struct pool {
    struct explore_program *programs;
    uint32_t program_count;
    struct explore_source *sources;
    uint32_t source_count;
    const struct plan *plan;
    struct arena *arena;
    struct arena scratch;
    uint64_t *signatures; /* of those chosen */
    uint64_t *facets;     /* each: a program and an outcome of it that was met */
    uint32_t facet_count;
    uint32_t facet_room;
    struct explore_data *chosen;
    uint32_t chosen_count;
    uint32_t candidates;
    uint32_t left_out;  /* choices over EXPLORE_DATA_MAX: not explored */
    uint32_t *pick;     /* variant of each source */
    bool only_news;     /* candidates that only combine what was met are passed over */
    uint32_t items_max; /* of a foreach: EXPLORE_ITEMS, or more where all lists are longer */
};

static struct explore_data assemble(struct pool *pool, struct arena *arena)
{
    const struct json **outputs = arena_array(arena, pool->plan->node_count, sizeof(struct json *));
    struct explore_data data = {.input = NULL, .outputs = outputs};
    for (uint32_t i = 0; i < pool->source_count; i++) {
        const struct json *value = pool->sources[i].variants[pool->pick[i]];
        if (pool->sources[i].node == 0)
            data.input = value;
        else
            outputs[pool->sources[i].node] = value;
    }
    return data;
}

static bool note_facet(struct pool *pool, uint64_t facet)
{
    for (uint32_t i = 0; i < pool->facet_count; i++)
        if (pool->facets[i] == facet)
            return false;
    if (pool->facet_count == pool->facet_room) {
        uint32_t room = pool->facet_room ? pool->facet_room * 2 : 64;
        size_t size = sizeof *pool->facets;
        pool->facets = arena_resize(pool->arena, pool->facets, pool->facet_room * size, room * size);
        pool->facet_room = room;
    }
    pool->facets[pool->facet_count++] = facet;
    return true;
}

/* Whether it depends on the condition if the program is computed at all. */
static bool governs(const struct plan *plan, const struct explore_program *condition,
                    const struct explore_program *program)
{
    if (condition->use != EXPLORE_USE_TRUTH || condition == program)
        return false;
    if (plan->nodes[condition->node].kind == PLAN_FAIL)
        return condition->node != program->node;
    for (uint16_t at = program->node; at != 0; at = plan->nodes[at].parent)
        if (plan->nodes[at].parent == condition->node)
            return true;
    return false;
}

/* A fault, or a way to go, is one thing where a condition holds and another where it does not: there nobody
 * gets to it. */
static bool note_governed(struct pool *pool, const struct explore_data *data, const uint64_t *outcomes)
{
    bool news = false;
    for (uint32_t i = 0; i < pool->program_count; i++) {
        const struct explore_program *program = &pool->programs[i];
        if (program->use == EXPLORE_USE_VALUE && !explore_faults(pool->plan, program, data, &pool->scratch))
            continue;
        for (uint32_t k = 0; k < pool->program_count; k++)
            if (governs(pool->plan, &pool->programs[k], program))
                news = note_facet(pool, rng_mix(rng_mix(i, outcomes[i]),
                                                rng_mix(pool->program_count + k, outcomes[k]))) ||
                       news;
    }
    return news;
}

/* What is special about the candidate, program by program; true when one of the programs did something that
 * it did with no candidate before. */
static bool read_signature(struct pool *pool, const struct explore_data *data, uint64_t *signature)
{
    uint64_t *outcomes = arena_array(&pool->scratch, pool->program_count, sizeof *outcomes);
    bool news = false;
    *signature = 0;
    for (uint32_t i = 0; i < pool->program_count; i++) {
        outcomes[i] =
            explore_outcome_of(pool->plan, &pool->programs[i], data, pool->items_max, &pool->scratch);
        *signature = rng_mix(*signature, outcomes[i]);
        news = note_facet(pool, rng_mix(i, outcomes[i])) || news;
    }
    return note_governed(pool, data, outcomes) || news;
}

/* The longest list that a foreach goes through. */
static uint32_t longest(const struct pool *pool, const struct explore_data *data, struct arena *scratch)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < pool->program_count; i++) {
        if (pool->programs[i].use != EXPLORE_USE_ITEMS)
            continue;
        uint32_t items = explore_items_of(pool->plan, &pool->programs[i], data, pool->items_max, scratch);
        most = items > most ? items : most;
    }
    return most;
}

static void consider(struct pool *pool)
{
    uint64_t signature;
    if (pool->candidates++ > CANDIDATES)
        return;
    arena_reset(&pool->scratch);
    struct explore_data data = assemble(pool, &pool->scratch);
    if (longest(pool, &data, &pool->scratch) > pool->items_max)
        return;
    bool news = read_signature(pool, &data, &signature);
    if (pool->only_news && !news)
        return;
    for (uint32_t i = 0; i < pool->chosen_count; i++)
        if (pool->signatures[i] == signature)
            return;
    if (pool->chosen_count == EXPLORE_DATA_MAX || (!news && pool->chosen_count >= EXPLORE_DATA_MAX / 2)) {
        pool->left_out++;
        return;
    }
    pool->signatures[pool->chosen_count] = signature;
    pool->chosen[pool->chosen_count++] = assemble(pool, pool->arena);
}

static void one_by_one(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->source_count; i++) {
        for (uint32_t k = 0; k < pool->sources[i].count; k++) {
            pool->pick[i] = k;
            consider(pool);
        }
        pool->pick[i] = 0;
    }
}

static void in_pairs(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->source_count; i++)
        for (uint32_t k = i + 1; k < pool->source_count; k++)
            for (uint32_t a = 1; a < pool->sources[i].count && a < PAIR_MOST; a++)
                for (uint32_t b = 1; b < pool->sources[k].count && b < PAIR_MOST; b++) {
                    pool->pick[i] = a;
                    pool->pick[k] = b;
                    consider(pool);
                    pool->pick[i] = pool->pick[k] = 0;
                }
}

static void mixed(struct pool *pool)
{
    struct rng rng;
    rng_init(&rng, 1);
    for (uint32_t turn = 0; turn < MIXED; turn++) {
        for (uint32_t i = 0; i < pool->source_count; i++)
            pool->pick[i] = (uint32_t)rng_below(&rng, pool->sources[i].count);
        consider(pool);
    }
}

/* Conditions on several fields at once. */
static void scattered(struct pool *pool)
{
    pool->only_news = true;
    for (uint32_t i = 0; i < pool->source_count; i++) {
        for (uint32_t k = pool->sources[i].count; k < pool->sources[i].all_count; k++) {
            pool->pick[i] = k;
            consider(pool);
        }
        pool->pick[i] = 0;
    }
}

/* ---- branches that none gets to ---- */

static bool is_met(const struct pool *pool, const struct explore_goal *goal)
{
    for (uint32_t i = 0; i < pool->chosen_count; i++)
        if (explore_is_met(pool->plan, goal, &pool->chosen[i]))
            return true;
    return false;
}

/* From the data that others were chosen for, too: those may be half the way. */
static void reach(struct pool *pool, const struct explore_goal *goal)
{
    for (uint32_t i = 0; i < pool->chosen_count && i < BASES; i++) {
        struct explore_data data = pool->chosen[i];
        arena_reset(&pool->scratch);
        if (!explore_reach(pool->plan, goal, &data, pool->arena) ||
            longest(pool, &data, &pool->scratch) > pool->items_max)
            continue;
        pool->chosen[pool->chosen_count++] = data;
        return;
    }
}

static void reach_branches(struct pool *pool)
{
    uint32_t count;
    const struct explore_goal *goals = explore_goals(pool->plan, pool->arena, &count);
    for (uint32_t i = 0; i < count && pool->chosen_count < EXPLORE_DATA_MAX + REACH_MAX; i++)
        if (!is_met(pool, &goals[i]))
            reach(pool, &goals[i]);
}

/* Where a schema asks for long lists, the ordinary data have them. */
static uint32_t items_max_of(struct pool *pool)
{
    struct explore_data ordinary = assemble(pool, &pool->scratch);
    pool->items_max = LIMITS_ITEMS;
    uint32_t most = longest(pool, &ordinary, &pool->scratch);
    return most > EXPLORE_ITEMS ? most : EXPLORE_ITEMS;
}

const struct explore_data *explore_data_make(const struct plan *plan, struct arena *arena, uint32_t *count,
                                             uint32_t *left_out)
{
    struct pool pool = {.plan = plan, .arena = arena};
    arena_init(&pool.scratch, 0);
    pool.programs = explore_programs(plan, arena, &pool.program_count);
    pool.sources = explore_sources(plan, pool.programs, pool.program_count, arena, &pool.source_count);
    pool.signatures = arena_array(arena, EXPLORE_DATA_MAX, sizeof *pool.signatures);
    pool.chosen = arena_array(arena, EXPLORE_DATA_MAX + REACH_MAX, sizeof *pool.chosen);
    pool.pick = arena_array(arena, pool.source_count, sizeof *pool.pick);
    check(pool.source_count > 0);
    pool.items_max = items_max_of(&pool);
    one_by_one(&pool);
    in_pairs(&pool);
    mixed(&pool);
    scattered(&pool);
    check(pool.chosen_count > 0); /* the first candidate is the ordinary one */
    reach_branches(&pool);
    arena_fini(&pool.scratch);
    *count = pool.chosen_count;
    *left_out = pool.left_out;
    return pool.chosen;
}
