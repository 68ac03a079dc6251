/* The programs of a plan, and computing them without a saga. Part of the explorer; called by the data it
 * tries. Never takes a fault for a breach: whether one can happen is explored. */
#include "engine/model/explore_data.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"

struct list {
    struct explore_program *items;
    uint32_t count;
};

static void put(struct list *list, const struct expr *expr, uint16_t node, enum explore_use use)
{
    if (expr)
        list->items[list->count++] = (struct explore_program){expr, node, use};
}

static void put_node(struct list *list, const struct plan_node *node)
{
    if (node->step) {
        put(list, node->step->run.with, node->index, EXPLORE_USE_VALUE);
        if (node->step->has_undo)
            put(list, node->step->undo.with, node->index, EXPLORE_USE_VALUE);
        if (node->step->has_verify)
            put(list, node->step->verify.with, node->index, EXPLORE_USE_VALUE);
    }
    for (uint16_t i = 0; node->kind == PLAN_SWITCH && i < node->child_count; i++)
        put(list, node->choice->when[i], node->index, EXPLORE_USE_TRUTH);
    if (node->kind == PLAN_FOREACH)
        put(list, node->fan->in, node->index, EXPLORE_USE_ITEMS);
    if (node->kind == PLAN_WAIT)
        put(list, node->wait->until, node->index, EXPLORE_USE_VALUE);
    if (node->kind == PLAN_FAIL) {
        put(list, node->fail->when, node->index, EXPLORE_USE_TRUTH);
        put(list, node->fail->message, node->index, EXPLORE_USE_VALUE);
    }
}

struct explore_program *explore_programs(const struct plan *plan, struct arena *arena, uint32_t *count)
{
    size_t most = (size_t)plan->node_count * 3 + 2;
    for (uint16_t i = 0; i < plan->node_count; i++)
        most += plan->nodes[i].child_count;
    struct list list = {.items = arena_array(arena, most, sizeof *list.items)};
    for (uint16_t i = 0; i < plan->node_count; i++)
        put_node(&list, &plan->nodes[i]);
    put(&list, plan->output, 0, EXPLORE_USE_VALUE);
    *count = list.count;
    return list.items;
}

struct viewer {
    const struct plan *plan;
    const struct explore_data *data;
    uint16_t node;
    int32_t missing; /* the step without an output; -1: none */
    uint32_t item;   /* which one every foreach around is at */
    uint32_t depth;
};

static const struct json *compute(const struct viewer *viewer, const struct expr *expr, uint16_t node,
                                  struct arena *arena);

static const struct json *list_of(const struct viewer *viewer, uint16_t loop, struct arena *arena)
{
    const struct json *items = compute(viewer, viewer->plan->nodes[loop].fan->in, loop, arena);
    return items && items->kind == JSON_ARRAY ? items : NULL;
}

bool explore_is_around(const struct plan *plan, uint16_t loop, uint16_t node)
{
    for (uint16_t it = plan->nodes[node].loop; it != 0; it = plan->nodes[it].loop)
        if (it == loop)
            return true;
    return false;
}

static const struct json *output_of(const struct viewer *viewer, int32_t slot, struct arena *arena)
{
    uint16_t node = (uint16_t)slot, loop = viewer->plan->nodes[node].loop;
    const struct json *output = slot == viewer->missing ? &json_null : viewer->data->outputs[node];
    if (loop == 0 || explore_is_around(viewer->plan, loop, viewer->node))
        return output;
    const struct json *items = list_of(viewer, loop, arena);
    uint32_t count = items ? items->count : 0;
    const struct json **outputs = arena_array(arena, count, sizeof *outputs);
    for (uint32_t i = 0; i < count; i++)
        outputs[i] = output ? output : &json_null;
    return json_new_array(arena, outputs, count);
}

/* All of them or, with the one that is missing, none. */
static const struct json *came(const struct viewer *viewer, int32_t slot, struct arena *arena)
{
    const struct json *answer = json_new_bool(slot != viewer->missing);
    uint16_t loop = viewer->plan->nodes[slot].loop;
    if (loop == 0 || explore_is_around(viewer->plan, loop, viewer->node))
        return answer;
    const struct json *items = list_of(viewer, loop, arena);
    uint32_t count = items ? items->count : 0;
    const struct json **answers = arena_array(arena, count, sizeof *answers);
    for (uint32_t i = 0; i < count; i++)
        answers[i] = answer;
    return json_new_array(arena, answers, count);
}

static const struct json *words(struct arena *arena, const char *const keys[3], const char *const values[3])
{
    struct json_member *members = arena_array(arena, 3, sizeof *members);
    for (int i = 0; i < 3; i++)
        members[i] = (struct json_member){str_from(keys[i]), json_new_string(arena, str_from(values[i]))};
    return json_new_object(arena, members, 3);
}

static const struct json *get(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    static const char *const saga_keys[] = {"id", "key", "started_at"};
    static const char *const saga[] = {"019b774c-9000-7000-8000-000000000000", "k", "2026-01-01T00:00:00Z"};
    static const char *const error_keys[] = {"code", "message", "step"};
    static const char *const error[] = {"REJECTED", "no", "step"};
    const struct viewer *viewer = context;
    switch (ref->kind) {
    case EXPR_REF_INPUT:
        return viewer->data->input;
    case EXPR_REF_STEP_OUTPUT:
    case EXPR_REF_EVENT:
        return ref->slot > 0 ? output_of(viewer, ref->slot, arena) : NULL;
    case EXPR_REF_CAME:
        return ref->slot > 0 ? came(viewer, ref->slot, arena) : NULL;
    case EXPR_REF_SAGA:
        return words(arena, saga_keys, saga);
    case EXPR_REF_ERROR:
        return words(arena, error_keys, error);
    case EXPR_REF_INDEX:
        return json_new_i64(arena, viewer->item);
    case EXPR_REF_NAMED: {
        const struct json *items = ref->slot > 0 ? list_of(viewer, (uint16_t)ref->slot, arena) : NULL;
        return items && viewer->item < items->count ? items->items[viewer->item] : NULL;
    }
    }
    check_never("a reference of no kind");
}

static const struct json *compute(const struct viewer *viewer, const struct expr *expr, uint16_t node,
                                  struct arena *arena)
{
    struct viewer inner = *viewer;
    struct expr_env env = {.context = &inner, .get = get};
    struct expr_error error;
    const struct json *value = NULL;
    inner.node = node;
    if (++inner.depth > LIMITS_DEPTH || expr_eval(expr, &env, arena, &value, &error) != EXPR_FAULT_NONE)
        return NULL;
    return value;
}

/* Items that the nearest list around has: without one there is nobody to ask. */
static uint32_t rounds(const struct viewer *viewer, const struct explore_program *program, uint32_t items_max,
                       struct arena *arena)
{
    uint16_t loop = viewer->plan->nodes[program->node].loop;
    if (loop == 0)
        return 1;
    const struct json *items = list_of(viewer, loop, arena);
    uint32_t count = items ? items->count : 0;
    return count < items_max ? count : items_max;
}

static uint64_t classify(const struct explore_program *program, const struct json *value)
{
    if (value == NULL)
        return 1;
    switch (program->use) {
    case EXPLORE_USE_VALUE:
        return 2;
    case EXPLORE_USE_TRUTH:
        return expr_truth(value) ? 3 : 4;
    case EXPLORE_USE_ITEMS:
        return value->kind == JSON_ARRAY ? 5 + (uint64_t)value->count : 1;
    }
    check_never("a use of no kind");
}

static uint64_t look(struct viewer *viewer, const struct explore_program *program, uint32_t items_max,
                     struct arena *scratch)
{
    uint64_t outcome = 0;
    uint32_t count = rounds(viewer, program, items_max, scratch);
    for (viewer->item = 0; viewer->item < count; viewer->item++)
        outcome = rng_mix(outcome, classify(program, compute(viewer, program->expr, program->node, scratch)));
    viewer->item = 0;
    return outcome;
}

uint64_t explore_outcome_of(const struct plan *plan, const struct explore_program *program,
                            const struct explore_data *data, uint32_t items_max, struct arena *scratch)
{
    struct viewer viewer = {.plan = plan, .data = data, .missing = -1};
    uint64_t outcome = look(&viewer, program, items_max, scratch);
    uint32_t count;
    const struct expr_ref *refs = expr_refs(program->expr, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (refs[i].kind != EXPR_REF_STEP_OUTPUT && refs[i].kind != EXPR_REF_EVENT &&
            refs[i].kind != EXPR_REF_CAME)
            continue;
        viewer.missing = refs[i].slot;
        outcome = rng_mix(outcome, look(&viewer, program, items_max, scratch));
    }
    return outcome;
}

uint32_t explore_items_of(const struct plan *plan, const struct explore_program *program,
                          const struct explore_data *data, uint32_t items_max, struct arena *scratch)
{
    struct viewer viewer = {.plan = plan, .data = data, .missing = -1};
    uint32_t most = 0, count = rounds(&viewer, program, items_max, scratch);
    for (; viewer.item < count; viewer.item++) {
        const struct json *value = compute(&viewer, program->expr, program->node, scratch);
        uint32_t items = value && value->kind == JSON_ARRAY ? value->count : 0;
        if (items > most && items <= plan->nodes[program->node].fan->items_max)
            most = items;
    }
    return most;
}

const struct json *explore_value_of(const struct plan *plan, const struct explore_program *program,
                                    const struct explore_data *data, struct arena *scratch)
{
    struct viewer viewer = {.plan = plan, .data = data, .missing = -1};
    if (rounds(&viewer, program, 1, scratch) == 0)
        return NULL;
    return compute(&viewer, program->expr, program->node, scratch);
}

bool explore_faults(const struct plan *plan, const struct explore_program *program,
                    const struct explore_data *data, struct arena *scratch)
{
    struct viewer viewer = {.plan = plan, .data = data, .missing = -1};
    bool faults = false;
    uint32_t count = rounds(&viewer, program, 1, scratch);
    for (; viewer.item < count; viewer.item++)
        faults = faults || compute(&viewer, program->expr, program->node, scratch) == NULL;
    return faults;
}
