/* Fields of inputs and replies that the newer version reads and the older one did not. Where a schema of the
 * older version describes the field, recorded inputs and replies have it or may leave it out as the author
 * knows; where nothing does, nobody has promised it. */
#include "engine/model/diff_parts.h"

#include "engine/definition/schema.h"

struct reads {
    struct diff_work *work;
    struct str *seen; /* "input.sku", "charge.receipt": said already */
    uint32_t count;
    uint32_t room;
};

/* Calls `each` for every program of a plan. */
static void visit_action(const struct plan_action *action, void *context, struct str place,
                         void (*each)(void *context, struct str place, const struct expr *program))
{
    if (action->with != NULL)
        each(context, place, action->with);
}

static void visit_node(const struct plan_node *node, void *context,
                       void (*each)(void *context, struct str place, const struct expr *program))
{
    const struct expr *single[] = {node->kind == PLAN_FOREACH ? node->fan->in : NULL,
                                   node->kind == PLAN_WAIT ? node->wait->until : NULL,
                                   node->kind == PLAN_FAIL ? node->fail->message : NULL,
                                   node->kind == PLAN_FAIL ? node->fail->when : NULL};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (single[i] != NULL)
            each(context, node->id, single[i]);
    for (uint16_t i = 0; node->kind == PLAN_SWITCH && i < node->child_count; i++)
        if (node->choice->when[i] != NULL)
            each(context, node->id, node->choice->when[i]);
    if (node->step == NULL)
        return;
    visit_action(&node->step->run, context, node->id, each);
    if (node->step->has_undo)
        visit_action(&node->step->undo, context, node->id, each);
}

static void visit(const struct plan *plan, void *context,
                  void (*each)(void *context, struct str place, const struct expr *program))
{
    for (uint16_t i = 0; i < plan->node_count; i++)
        visit_node(&plan->nodes[i], context, each);
    if (plan->key != NULL)
        each(context, STR("key"), plan->key);
    for (uint32_t i = 0; i < plan->search_count; i++)
        each(context, STR("search"), plan->search[i].value);
    if (plan->output != NULL)
        each(context, STR("output"), plan->output);
}

/* "input.sku", "charge.receipt"; "" when it is neither or the whole is read. The step's id is the older
 * version's. */
static struct str name_of(struct diff_work *work, const struct expr_ref *ref, bool newer)
{
    struct str whose = STR("input");
    if (ref->path.size == 0 || (ref->kind != EXPR_REF_INPUT && ref->kind != EXPR_REF_STEP_OUTPUT))
        return STR("");
    if (ref->kind == EXPR_REF_STEP_OUTPUT) {
        const struct plan_node *node = plan_find(newer ? work->newer : work->older, ref->name);
        if (node == NULL || (newer && work->older_of[node->index] == DIFF_NONE))
            return STR(""); /* a new step: all of its reply is new */
        whose = newer ? work->older->nodes[work->older_of[node->index]].id : ref->name;
    }
    return arena_printf(work->arena, "%.*s%.*s", STR_ARG(whose), STR_ARG(ref->path));
}

static bool is_seen(const struct reads *reads, struct str name)
{
    for (uint32_t i = 0; i < reads->count; i++)
        if (str_equal(reads->seen[i], name))
            return true;
    return false;
}

static void see(struct reads *reads, struct str name)
{
    if (name.size == 0 || is_seen(reads, name))
        return;
    if (reads->count == reads->room) {
        uint32_t room = reads->room == 0 ? 32 : reads->room * 2;
        reads->seen = arena_resize(reads->work->arena, reads->seen, reads->room * sizeof *reads->seen,
                                   room * sizeof *reads->seen);
        reads->room = room;
    }
    reads->seen[reads->count++] = name;
}

static void see_all(void *context, struct str place, const struct expr *program)
{
    struct reads *reads = context;
    uint32_t count = 0;
    const struct expr_ref *refs = expr_refs(program, &count);
    (void)place;
    for (uint32_t i = 0; i < count; i++)
        see(reads, name_of(reads->work, &refs[i], false));
}

/* The schema of the older version that would describe it, NULL: none. */
static const struct schema *promise_of(const struct diff_work *work, const struct expr_ref *ref)
{
    if (ref->kind == EXPR_REF_INPUT)
        return work->older->input_schema;
    const struct plan_node *node = plan_find(work->newer, ref->name);
    const struct plan_node *was = &work->older->nodes[work->older_of[node->index]];
    return was->kind == PLAN_STEP ? was->step->output_schema : NULL;
}

static void find_new(void *context, struct str place, const struct expr *program)
{
    struct reads *reads = context;
    struct diff_work *work = reads->work;
    uint32_t count = 0;
    const struct expr_ref *refs = expr_refs(program, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct str name = name_of(work, &refs[i], true);
        if (name.size == 0 || refs[i].null_allowed || is_seen(reads, name))
            continue;
        see(reads, name);
        const struct schema *promise = promise_of(work, &refs[i]);
        if (promise != NULL && schema_has_path(promise, refs[i].path))
            continue;
        bool input = refs[i].kind == EXPR_REF_INPUT;
        diff_add(work, input ? DIFF_INPUT_READ : DIFF_REPLY_READ, place,
                 arena_printf(work->arena, "reads %s%.*s%s%.*s, which was not read before",
                              input ? "$input" : "$steps.", STR_ARG(input ? STR("") : refs[i].name),
                              input ? "" : ".output", STR_ARG(refs[i].path)));
    }
}

void diff_reads(struct diff_work *work)
{
    struct reads reads = {.work = work};
    visit(work->older, &reads, see_all);
    visit(work->newer, &reads, find_new);
}
