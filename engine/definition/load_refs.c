/* What a reference means where it stands. A step may read what has had its turn before it on every way; what
 * a way may have left out reads as null, so `//` must say what to take then. From outside a foreach the
 * outputs of its items are a list. A compensation may read its own step's output too, which is null when the
 * step is in doubt. */
#include "engine/definition/load.h"

#include "engine/base/check.h"
#include "engine/definition/schema_path.h"
#include "engine/definition/word.h"

static const struct str at_start_hint =
    WORD("`key` and `search` are computed at the start, from $input alone");

static void refuse_variable(struct load *load, const struct expr_ref *ref, struct str hint)
{
    problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_VARIABLE, hint, "there is no $%.*s here",
                STR_ARG(ref->name));
}

/* `path` leads from the value of `schema` to what is read. */
static bool is_missing(struct load *load, struct diag_place place, struct str path,
                       const struct schema *schema, const char *whose, bool surely_listed)
{
    struct schema_path_gap gap;
    if (!schema_path_find_gap(schema, path, load->diags->arena, &gap) || (gap.no_list && !surely_listed))
        return false;
    problem_add(load->diags, place, PROBLEM_UNKNOWN_FIELD, gap.hint, "the schema of %s has no field \"%.*s\"",
                whose, STR_ARG(gap.field));
    return true;
}

/* All that is read from the reference; `before` leads from the value of `schema` to the reference's. */
static void check_paths(struct load *load, const struct expr_ref *ref, struct str before,
                        const struct schema *schema, const char *whose)
{
    struct arena *arena = load->diags->arena;
    struct str path = arena_printf(arena, "%.*s%.*s", STR_ARG(before), STR_ARG(ref->path));
    if (!schema || (ref->path.size && is_missing(load, ref->place, path, schema, whose, true)))
        return;
    for (uint32_t i = 0; i < ref->read_count; i++) {
        path = arena_printf(arena, "%.*s%.*s", STR_ARG(before), STR_ARG(ref->reads[i].path));
        (void)is_missing(load, ref->reads[i].place, path, schema, whose, false);
    }
}

static void check_fields(struct load *load, const struct expr_ref *ref, const struct schema *schema,
                         const char *whose)
{
    check_paths(load, ref, (struct str){0}, schema, whose);
}

/* ---- outputs ---- */

static bool has_output(const struct plan_node *node)
{
    return node->kind == PLAN_STEP || node->kind == PLAN_AWAIT || node->kind == PLAN_SAGA;
}

static void report_unknown_step(struct load *load, const struct expr_ref *ref)
{
    struct problem_guess guess = problem_guess_for(ref->name);
    bool shown = load->diags->count < LIMITS_ERRORS_COUNT; /* else guessing is for nobody */
    for (uint16_t i = 1; shown && i < load->plan->node_count; i++) {
        if (has_output(&load->nodes[i]))
            problem_guess_try(&guess, load->nodes[i].id);
    }
    if (!load->is_incomplete)
        problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_STEP,
                    problem_guess_hint(&guess, load->diags->arena, STR("")),
                    "there is no step \"%.*s\" in this file", STR_ARG(ref->name));
}

static void report_no_output(struct load *load, const struct expr_ref *ref, const struct plan_node *node)
{
    problem_add(load->diags, ref->place, PROBLEM_NO_OUTPUT,
                STR("a step, an await and a child saga have one; name one of these within the block"),
                "\"%.*s\" is a %.*s: it has no output", STR_ARG(ref->name),
                STR_ARG(plan_kind_text(node->kind)));
}

/* What may leave the node without an output though it had its turn; NULL: nothing. */
static const char *null_by_itself(const struct plan_node *node)
{
    if (node->kind == PLAN_AWAIT)
        return node->await->on_timeout == PLAN_AWAIT_CONTINUE
                   ? "its event did not come (`on_timeout: continue`)"
                   : NULL;
    for (uint32_t i = 0; node->step != NULL && i < node->step->error_count; i++) {
        if (node->step->errors[i].then == PLAN_ON_ERROR_CONTINUE)
            return "one of its `errors` was let pass (`continue`)";
    }
    return NULL;
}

static const char *null_by_skip(struct load *load, uint16_t block)
{
    const struct plan_node *node = &load->nodes[block];
    if (node->kind == PLAN_SWITCH)
        return arena_printf(load->diags->arena, "the switch in line %u takes another case", node->place.line)
            .data;
    return arena_printf(load->diags->arena, "the scope \"%.*s\" was undone", STR_ARG(node->id)).data;
}

static void report_null(struct load *load, const struct expr_ref *ref, const char *instead, const char *when)
{
    struct str text = ref->kind == EXPR_REF_EVENT
                          ? arena_printf(load->diags->arena, "$event%.*s", STR_ARG(ref->path))
                          : arena_printf(load->diags->arena, "$steps.%.*s.output%.*s", STR_ARG(ref->name),
                                         STR_ARG(ref->path));
    struct str hint =
        arena_printf(load->diags->arena, "say what to take then: %.*s // %s", STR_ARG(text), instead);
    const struct plan_node *node = &load->nodes[ref->slot];
    problem_add(load->diags, ref->place, PROBLEM_NULL_OUTPUT, hint, "the output of \"%.*s\" is null when %s",
                STR_ARG(node->id), when);
}

/* Whether it had its turn when the value is needed; its own output counts in its compensation. */
static bool has_run(struct load *load, const struct expr_ref *ref, const struct plan_node *node,
                    struct load_scope scope, const struct load_path *path)
{
    switch (path->order) {
    case LOAD_ORDER_BEFORE:
        return true;
    case LOAD_ORDER_SELF:
        if (scope.where == LOAD_AT_UNDO)
            return true;
        problem_add(load->diags, ref->place, PROBLEM_OWN_OUTPUT,
                    STR("only the step's compensation can read it"),
                    "the step \"%.*s\" reads its own output before it has one", STR_ARG(ref->name));
        return false;
    case LOAD_ORDER_LATER:
        problem_add(load->diags, ref->place, PROBLEM_LATER_STEP, STR(""),
                    "the step \"%.*s\" (line %u) has not run when this is needed", STR_ARG(ref->name),
                    node->place.line);
        return false;
    case LOAD_ORDER_BESIDE:
        problem_add(load->diags, ref->place, PROBLEM_BESIDE_STEP,
                    STR("what needs it stands behind it in the same branch, or behind the `parallel`"),
                    "the step \"%.*s\" (line %u) runs beside this one, in another branch", STR_ARG(ref->name),
                    node->place.line);
        return false;
    case LOAD_ORDER_OTHER_CASE:
        problem_add(
            load->diags, ref->place, PROBLEM_OTHER_CASE, STR(""),
            "the step \"%.*s\" (line %u) stands in another case of the switch: when this runs, it has not",
            STR_ARG(ref->name), node->place.line);
        return false;
    }
    check_never("unknown order");
}

static void check_list(struct load *load, const struct expr_ref *ref, const struct load_path *path,
                       const struct schema *schema)
{
    struct str loop = load->nodes[path->loop].id;
    for (uint32_t i = 0; i < ref->read_count && path->loops == 1 && schema; i++) {
        struct str of_item = str_slice(ref->reads[i].path, 1, ref->reads[i].path.size);
        if (str_starts(of_item, STR("."))) /* behind the index or `map` that leads to one output */
            (void)is_missing(load, ref->reads[i].place, of_item, schema,
                             arena_printf(load->diags->arena, "\"%.*s\"", STR_ARG(ref->name)).data, false);
    }
    if (path->loops > 1)
        problem_add(load->diags, ref->place, PROBLEM_LIST_OF_LISTS,
                    STR("read it within the outer foreach, where it is one list"),
                    "\"%.*s\" stands in a foreach within a foreach: its outputs are no single list here",
                    STR_ARG(ref->name));
    else if (ref->path.size)
        problem_add(
            load->diags, ref->place, PROBLEM_UNKNOWN_FIELD,
            arena_printf(load->diags->arena, "such as $steps.%.*s.output | map(%.*s)", STR_ARG(ref->name),
                         STR_ARG(ref->path)),
            "outside of \"%.*s\" the output of \"%.*s\" is a list, with one item for each of its items",
            STR_ARG(loop), STR_ARG(ref->name));
}

static const struct schema *schema_of(const struct plan_node *node)
{
    if (node->kind == PLAN_AWAIT)
        return node->await->schema;
    return node->kind == PLAN_STEP ? node->step->output_schema : NULL;
}

static void warn_of_null(struct load *load, const struct expr_ref *ref, const struct plan_node *node)
{
    if (!ref->null_compared || node->kind != PLAN_AWAIT || node->await->on_timeout != PLAN_AWAIT_CONTINUE)
        return;
    problem_add(
        load->diags, ref->place, PROBLEM_NULL_EVENT,
        arena_printf(load->diags->arena, "ask $steps.%.*s.came, which is true or false", STR_ARG(node->id)),
        "null does not tell whether the event of \"%.*s\" came: it may have brought null", STR_ARG(node->id));
}

static void check_step(struct load *load, struct expr_ref *ref, struct load_scope scope)
{
    const struct plan_node *node = map_get(&load->ids, ref->name);
    if (scope.where == LOAD_AT_START) {
        problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_VARIABLE, at_start_hint,
                    "no step has run yet when this is computed");
        return;
    }
    if (!node) {
        report_unknown_step(load, ref);
        return;
    }
    if (!has_output(node)) {
        report_no_output(load, ref, node);
        return;
    }
    ref->slot = node->index;
    struct load_path path = load_path_to(load, scope, node->index);
    if (!has_run(load, ref, node, scope, &path))
        return;
    const char *when = path.loops ? NULL : null_by_itself(node);
    if (path.order == LOAD_ORDER_SELF)
        when = "the step is in doubt";
    else if (path.skipped)
        when = null_by_skip(load, path.skipped);
    if (when && !ref->null_allowed)
        report_null(load, ref, path.loops ? "[]" : "null", when);
    if (path.loops == 0)
        warn_of_null(load, ref, node);
    if (path.loops)
        check_list(load, ref, &path, schema_of(node));
    else
        check_fields(load, ref, schema_of(node),
                     arena_printf(load->diags->arena, "\"%.*s\"", STR_ARG(ref->name)).data);
}

/* Never null: false where it has had no turn. From outside of a foreach it is a list, as outputs are. */
static void check_came(struct load *load, struct expr_ref *ref, struct load_scope scope)
{
    const struct plan_node *node = map_get(&load->ids, ref->name);
    if (scope.where == LOAD_AT_START) {
        problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_VARIABLE, at_start_hint,
                    "no step has run yet when this is computed");
        return;
    }
    if (!node) {
        report_unknown_step(load, ref);
        return;
    }
    if (node->kind != PLAN_AWAIT) {
        problem_add(load->diags, ref->place, PROBLEM_NOT_AWAIT, STR("only an await waits for an event"),
                    "\"%.*s\" is a %.*s: nothing comes to it", STR_ARG(ref->name),
                    STR_ARG(plan_kind_text(node->kind)));
        return;
    }
    ref->slot = node->index;
    struct load_path path = load_path_to(load, scope, node->index);
    if (!has_run(load, ref, node, scope, &path))
        return;
    if (path.loops > 0)
        check_list(load, ref, &path, NULL);
    else if (ref->path.size > 0)
        problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_FIELD,
                    STR("the event itself is $steps.<id>.output"),
                    "`came` is true or false: it has no field \"%.*s\"",
                    STR_ARG(str_slice(ref->path, 1, ref->path.size)));
}

/* ---- what blocks bring ---- */

static void check_event(struct load *load, struct expr_ref *ref, struct load_scope scope)
{
    struct load_event event = {0};
    if (scope.where != LOAD_AT_START)
        event = load_path_event(load, scope);
    if (event.within) {
        problem_add(load->diags, ref->place, PROBLEM_UNCLEAR_EVENT, STR("name the await: $steps.<id>.output"),
                    "which event $event is depends on the way through the %.*s in line %u",
                    STR_ARG(plan_kind_text(load->nodes[event.within].kind)),
                    load->nodes[event.within].place.line);
        return;
    }
    if (!event.await) {
        if (!load->is_incomplete)
            refuse_variable(load, ref, STR("$event exists behind an `await`"));
        return;
    }
    ref->slot = event.await;
    const char *when = null_by_itself(&load->nodes[event.await]);
    if (when && !ref->null_allowed)
        report_null(load, ref, "null", when);
    warn_of_null(load, ref, &load->nodes[event.await]);
    check_fields(load, ref, load->nodes[event.await].await->schema, "the event");
}

uint16_t load_refs_loop(const struct load *load, struct load_scope scope, struct str name)
{
    bool inside = scope.where == LOAD_AT_DO || scope.where == LOAD_AT_UNDO;
    uint16_t loop = inside ? load->nodes[scope.node].loop : 0;
    while (loop && name.size && !str_equal(load->nodes[loop].fan->as, name))
        loop = load->nodes[loop].loop;
    return loop;
}

/* The schema that describes the list a foreach goes through, and the way to it from `ref`, an item's field;
 * NULL when none does. A list taken from the item of a foreach around leads there first. */
static const struct schema *schema_of_item(const struct load *load, uint16_t loop, struct str *path)
{
    struct arena *arena = load->diags->arena;
    while (loop) {
        const struct expr_ref *list = expr_as_ref(load->nodes[loop].fan->in);
        struct str within = *path;
        if (!list)
            return NULL;
        *path = arena_printf(arena, "%.*s.%.*s", STR_ARG(list->path), STR_ARG(within));
        if (list->kind == EXPR_REF_INPUT)
            return load->plan->input_schema;
        if (list->slot < 0 || list->kind == EXPR_REF_INDEX)
            return NULL;
        const struct plan_node *node = &load->nodes[list->slot];
        struct load_path way = load_path_to(load, (struct load_scope){LOAD_AT_DO, loop}, node->index);
        if (list->kind != EXPR_REF_NAMED && way.loops) /* the outputs of items: each is one item here */
            *path = within;
        if (list->kind != EXPR_REF_NAMED)
            return schema_of(node);
        loop = node->index;
    }
    return NULL;
}

static void check_item(struct load *load, struct expr_ref *ref, uint16_t loop)
{
    struct str before = {0};
    ref->slot = loop;
    const struct schema *schema = schema_of_item(load, loop, &before);
    check_paths(load, ref, before, schema,
                arena_printf(load->diags->arena, "$%.*s", STR_ARG(ref->name)).data);
}

static void check_index(struct load *load, struct expr_ref *ref, struct load_scope scope)
{
    uint16_t loop = load_refs_loop(load, scope, STR(""));
    if (loop)
        ref->slot = loop;
    else if (!load->is_incomplete)
        refuse_variable(load, ref, STR("$index exists within `foreach`"));
}

/* ---- the other variables ---- */

static void check_named(struct load *load, struct expr_ref *ref, struct load_scope scope)
{
    static const struct str known[] = {WORD("input"), WORD("steps"), WORD("saga"), WORD("error")};
    struct problem_guess guess = problem_guess_for(ref->name);
    uint16_t loop = load_refs_loop(load, scope, ref->name);
    if (loop) {
        check_item(load, ref, loop);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        problem_guess_try(&guess, known[i]);
    for (loop = load_refs_loop(load, scope, STR("")); loop; loop = load->nodes[loop].loop)
        problem_guess_try(&guess, load->nodes[loop].fan->as);
    if (!load->is_incomplete)
        refuse_variable(load, ref,
                        guess.nearest.size
                            ? arena_printf(load->diags->arena, "did you mean $%.*s?", STR_ARG(guess.nearest))
                            : STR("there are $input, $steps.<id>.output, $steps.<id>.came, $saga and, in "
                                  "compensations, $error"));
}

static void check_ref(struct load *load, struct expr_ref *ref, struct load_scope scope)
{
    switch (ref->kind) {
    case EXPR_REF_INPUT:
        check_fields(load, ref, load->plan->input_schema, "the input");
        break;
    case EXPR_REF_STEP_OUTPUT:
        check_step(load, ref, scope);
        break;
    case EXPR_REF_CAME:
        check_came(load, ref, scope);
        break;
    case EXPR_REF_SAGA:
        if (scope.where == LOAD_AT_START)
            refuse_variable(load, ref, at_start_hint);
        break;
    case EXPR_REF_ERROR:
        if (scope.where != LOAD_AT_UNDO)
            refuse_variable(load, ref, STR("only a compensation has an $error: why the saga goes back"));
        break;
    case EXPR_REF_INDEX:
        check_index(load, ref, scope);
        break;
    case EXPR_REF_EVENT:
        check_event(load, ref, scope);
        break;
    case EXPR_REF_NAMED:
        check_named(load, ref, scope);
        break;
    }
}

void load_refs(struct load *load, const struct expr *program, struct load_scope scope)
{
    uint32_t count;
    struct expr_ref *refs = expr_refs(program, &count);
    for (uint32_t i = 0; i < count; i++)
        check_ref(load, &refs[i], scope);
}
