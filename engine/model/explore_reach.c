/* A search in depth: the first condition that does not hold yet is met in each way that expr_solve knows, in
 * turn; what was met before must stay so. Bounded in trials; what is given up is told as never reached. */
#include "engine/model/explore_reach.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/expr/expr_solve.h"
#include "engine/model/values_parts.h"

enum { TRIALS = 100 };

/* ---- goals ---- */

static void demand(struct explore_goal *goal, const struct expr *expr, uint16_t node, enum explore_use use,
                   bool holds)
{
    if (expr == NULL || goal->count == EXPLORE_CONDITIONS_MAX)
        return;
    goal->items[goal->count++] = (struct explore_condition){{expr, node, use}, holds};
}

/* In reverse: what must be so for the block above to go on to its child. */
static void demand_child(const struct plan *plan, struct explore_goal *goal, const struct plan_node *block,
                         uint16_t child)
{
    if (block->kind == PLAN_SWITCH) {
        if (child < block->child_count)
            demand(goal, block->choice->when[child], block->index, EXPLORE_USE_TRUTH, true);
        for (uint16_t i = child; i > 0; i--)
            demand(goal, block->choice->when[i - 1], block->index, EXPLORE_USE_TRUTH, false);
    } else if (block->kind == PLAN_FOREACH) {
        demand(goal, block->fan->in, block->index, EXPLORE_USE_ITEMS, true);
    } else if (block->kind == PLAN_SEQUENCE) {
        for (uint16_t i = child; i > 0; i--) {
            const struct plan_node *before = &plan->nodes[block->children[i - 1]];
            if (before->kind == PLAN_FAIL)
                demand(goal, before->fail->when, before->index, EXPLORE_USE_TRUTH, false);
        }
    }
}

static void demand_way(const struct plan *plan, struct explore_goal *goal, uint16_t node)
{
    for (uint16_t at = node; at != 0; at = plan->nodes[at].parent)
        demand_child(plan, goal, &plan->nodes[plan->nodes[at].parent], plan->nodes[at].order);
}

static void turn_round(struct explore_goal *goal)
{
    for (uint32_t i = 0; i < goal->count / 2; i++) {
        struct explore_condition other = goal->items[i];
        goal->items[i] = goal->items[goal->count - 1 - i];
        goal->items[goal->count - 1 - i] = other;
    }
}

static void add_switch(const struct plan *plan, struct explore_goal *goals, uint32_t *count,
                       const struct plan_node *node)
{
    for (uint16_t child = 0; child <= node->child_count; child++) {
        struct explore_goal *goal = &goals[(*count)++];
        bool has_else = node->child_count > 0 && node->choice->when[node->child_count - 1] == NULL;
        if (child == node->child_count && has_else) {
            (*count)--;
            return;
        }
        demand_child(plan, goal, node, child);
        demand_way(plan, goal, node->index);
        turn_round(goal);
    }
}

const struct explore_goal *explore_goals(const struct plan *plan, struct arena *arena, uint32_t *count)
{
    size_t most = 1;
    for (uint16_t i = 0; i < plan->node_count; i++)
        most += plan->nodes[i].child_count + 1u;
    struct explore_goal *goals = arena_array(arena, most, sizeof *goals);
    *count = 0;
    for (uint16_t i = 1; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        if (node->kind == PLAN_SWITCH) {
            add_switch(plan, goals, count, node);
        } else if (node->kind == PLAN_FAIL && node->fail->when != NULL) {
            struct explore_goal *goal = &goals[(*count)++];
            demand(goal, node->fail->when, i, EXPLORE_USE_TRUTH, true);
            demand_way(plan, goal, i);
            turn_round(goal);
        }
    }
    return goals;
}

/* ---- what holds ---- */

static bool holds(const struct plan *plan, const struct explore_condition *condition,
                  const struct explore_data *data, struct arena *scratch)
{
    const struct json *value = explore_value_of(plan, &condition->program, data, scratch);
    if (value == NULL)
        return false;
    if (condition->program.use == EXPLORE_USE_ITEMS)
        return value->kind == JSON_ARRAY && value->count > 0;
    return expr_truth(value) == condition->holds;
}

/* The first condition that does not; their number when all do. */
static uint32_t first_unmet(const struct plan *plan, const struct explore_goal *goal,
                            const struct explore_data *data, struct arena *scratch)
{
    uint32_t i = 0;
    while (i < goal->count && holds(plan, &goal->items[i], data, scratch))
        i++;
    return i;
}

bool explore_is_met(const struct plan *plan, const struct explore_goal *goal, const struct explore_data *data)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    bool met = first_unmet(plan, goal, data, &scratch) == goal->count;
    arena_fini(&scratch);
    return met;
}

/* ---- making it so ---- */

struct reach {
    const struct plan *plan;
    const struct explore_goal *goal;
    struct arena *arena;
    struct rng rng;
    uint32_t trials;
};

static struct str match(void *context, struct str pattern)
{
    struct reach *reach = context;
    return values_pattern(pattern, &reach->rng, reach->arena);
}

static const struct json *merged(const struct json *value, const struct json *part, struct arena *arena);

static const struct json *merged_members(const struct json *value, const struct json *part,
                                         struct arena *arena)
{
    uint32_t had = value != NULL && value->kind == JSON_OBJECT ? value->count : 0, count = 0;
    struct json_member *members = arena_array(arena, (size_t)had + part->count, sizeof *members);
    for (uint32_t i = 0; i < had; i++)
        if (json_get(part, value->members[i].key) == NULL)
            members[count++] = value->members[i];
    for (uint32_t i = 0; i < part->count; i++) {
        const struct json *before = had > 0 ? json_get(value, part->members[i].key) : NULL;
        if (part->members[i].value != &expr_solve_gone)
            members[count++] =
                (struct json_member){part->members[i].key, merged(before, part->members[i].value, arena)};
    }
    return json_new_object(arena, members, count);
}

/* An item that was not there is as the first one. */
static const struct json *merged_items(const struct json *value, const struct json *part, struct arena *arena)
{
    uint32_t had = value != NULL && value->kind == JSON_ARRAY ? value->count : 0;
    const struct json **items = arena_array(arena, part->count, sizeof *items);
    for (uint32_t i = 0; i < part->count; i++)
        items[i] = merged(had > 0 ? value->items[i < had ? i : 0] : NULL, part->items[i], arena);
    return json_new_array(arena, items, part->count);
}

/* `value` (NULL: nothing) with the part in it. */
static const struct json *merged(const struct json *value, const struct json *part, struct arena *arena)
{
    if (part == &expr_solve_any)
        return value != NULL ? value : json_new_string(arena, STR("x"));
    if (part == &expr_solve_gone)
        return &json_null;
    if (part->kind == JSON_OBJECT && part->count > 0)
        return merged_members(value, part, arena);
    if (part->kind == JSON_ARRAY)
        return merged_items(value, part, arena);
    return part;
}

static bool fits(const struct schema *schema, const struct json *value, struct arena *arena)
{
    return schema == NULL || schema_check(schema, value, arena, NULL);
}

static bool wish_input(const struct reach *reach, const struct json *part, struct explore_data *data)
{
    data->input = merged(data->input, part, reach->arena);
    return fits(reach->plan->input_schema, data->input, reach->arena);
}

/* From outside its foreach an output is a list of what each item had: all had the same. */
static bool wish_output(const struct reach *reach, uint16_t node, uint16_t reader, const struct json *part,
                        struct explore_data *data)
{
    const struct plan *plan = reach->plan;
    const struct json **outputs = arena_array(reach->arena, plan->node_count, sizeof *outputs);
    for (uint16_t i = 0; i < plan->node_count; i++)
        outputs[i] = data->outputs[i];
    if (plan->nodes[node].loop != 0 && !explore_is_around(plan, plan->nodes[node].loop, reader)) {
        if (part->kind != JSON_ARRAY || part->count == 0)
            return false;
        part = part->items[0];
    }
    outputs[node] = merged(outputs[node], part, reach->arena);
    data->outputs = outputs;
    return fits(explore_schema_of(plan, node), outputs[node], reach->arena);
}

static bool wish(struct reach *reach, const struct explore_program *program, const struct expr_wishes *wishes,
                 struct explore_data *data, uint32_t depth);

/* An item is one of its list. */
static bool wish_item(struct reach *reach, uint16_t loop, const struct json *part, struct explore_data *data,
                      uint32_t depth)
{
    const struct explore_program list = {reach->plan->nodes[loop].fan->in, loop, EXPLORE_USE_ITEMS};
    const struct expr_solve how = {reach->arena, reach, match};
    const struct json **items = arena_array(reach->arena, 1, sizeof *items);
    items[0] = part;
    const struct expr_alternatives *ways =
        expr_solve(&how, list.expr, EXPR_WANT_VALUE, json_new_array(reach->arena, items, 1));
    for (uint32_t i = 0; i < ways->count; i++) {
        struct explore_data changed = *data;
        if (!wish(reach, &list, &ways->items[i], &changed, depth + 1))
            continue;
        *data = changed;
        return true;
    }
    return false;
}

static bool wish_one(struct reach *reach, const struct explore_program *program, const struct expr_wish *it,
                     struct explore_data *data, uint32_t depth)
{
    uint32_t count;
    const struct expr_ref *ref = &expr_refs(program->expr, &count)[it->ref];
    check(it->ref < count);
    switch (ref->kind) {
    case EXPR_REF_INPUT:
        return wish_input(reach, it->value, data);
    case EXPR_REF_STEP_OUTPUT:
    case EXPR_REF_EVENT:
        return ref->slot > 0 && wish_output(reach, (uint16_t)ref->slot, program->node, it->value, data);
    case EXPR_REF_NAMED:
        return ref->slot > 0 && wish_item(reach, (uint16_t)ref->slot, it->value, data, depth);
    case EXPR_REF_CAME:
    case EXPR_REF_SAGA:
    case EXPR_REF_ERROR:
    case EXPR_REF_INDEX:
        return true; /* it is what it is: computing the condition tells */
    }
    check_never("a reference of no kind");
}

static bool wish(struct reach *reach, const struct explore_program *program, const struct expr_wishes *wishes,
                 struct explore_data *data, uint32_t depth)
{
    bool granted = depth < LIMITS_DEPTH;
    for (uint32_t i = 0; i < wishes->count && granted; i++)
        granted = wish_one(reach, program, &wishes->items[i], data, depth);
    return granted;
}

/* Of two wishes for one field the later one holds: each is to be it. False: there is one wish. */
static bool reverse(struct expr_wishes *wishes)
{
    for (uint32_t i = 0; i < wishes->count / 2; i++) {
        struct expr_wish other = wishes->items[i];
        wishes->items[i] = wishes->items[wishes->count - 1 - i];
        wishes->items[wishes->count - 1 - i] = other;
    }
    return wishes->count > 1;
}

static bool search(struct reach *reach, struct explore_data *data, uint32_t depth)
{
    const struct expr_solve how = {reach->arena, reach, match};
    uint32_t unmet = first_unmet(reach->plan, reach->goal, data, reach->arena);
    if (unmet == reach->goal->count)
        return true;
    if (depth > reach->goal->count)
        return false;
    const struct explore_condition *condition = &reach->goal->items[unmet];
    bool items = condition->program.use == EXPLORE_USE_ITEMS;
    const struct json **any = arena_array(reach->arena, 1, sizeof *any);
    any[0] = &expr_solve_any;
    const struct json *wanted = items ? json_new_array(reach->arena, any, 1) : NULL;
    enum expr_want want = items ? EXPR_WANT_VALUE : condition->holds ? EXPR_WANT_TRUE : EXPR_WANT_FALSE;
    const struct expr_alternatives *ways = expr_solve(&how, condition->program.expr, want, wanted);
    for (uint32_t i = 0; i < 2 * ways->count && reach->trials < TRIALS; i++) {
        struct explore_data changed = *data;
        struct expr_wishes wishes = ways->items[i / 2];
        if (i % 2 == 1 && !reverse(&wishes))
            continue;
        reach->trials++;
        if (!wish(reach, &condition->program, &wishes, &changed, 0) ||
            first_unmet(reach->plan, reach->goal, &changed, reach->arena) <= unmet ||
            !search(reach, &changed, depth + 1))
            continue;
        *data = changed;
        return true;
    }
    return false;
}

static struct explore_data copied(const struct plan *plan, const struct explore_data *data,
                                  struct arena *arena)
{
    const struct json **outputs = arena_array(arena, plan->node_count, sizeof *outputs);
    for (uint16_t i = 0; i < plan->node_count; i++)
        outputs[i] = data->outputs[i] ? json_copy(arena, data->outputs[i]) : NULL;
    return (struct explore_data){data->input ? json_copy(arena, data->input) : NULL, outputs};
}

bool explore_reach(const struct plan *plan, const struct explore_goal *goal, struct explore_data *data,
                   struct arena *arena)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    struct reach reach = {.plan = plan, .goal = goal, .arena = &scratch};
    struct explore_data changed = *data;
    rng_init(&reach.rng, 1);
    bool found = search(&reach, &changed, 0);
    if (found)
        *data = copied(plan, &changed, arena);
    arena_fini(&scratch);
    return found;
}
