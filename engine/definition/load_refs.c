/* What a reference means where it stands. A step may read what has surely run before it; a compensation also
 * its own step's output, which is null when the step is in doubt. */
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

static void check_fields(struct load *load, const struct expr_ref *ref, const struct schema *schema,
                         const char *whose)
{
    struct schema_path_gap gap;
    if (!schema || !ref->path.size || !schema_path_find_gap(schema, ref->path, load->diags->arena, &gap))
        return;
    problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_FIELD, gap.hint,
                "the schema of %s has no field \"%.*s\"", whose, STR_ARG(gap.field));
}

/* ---- steps ---- */

static void report_unknown_step(struct load *load, const struct expr_ref *ref)
{
    struct problem_guess guess = problem_guess_for(ref->name);
    for (uint16_t i = 1; i < load->plan->node_count; i++)
        problem_guess_try(&guess, load->nodes[i].id);
    if (!load->has_blocks)
        problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_STEP,
                    problem_guess_hint(&guess, load->diags->arena, STR("")),
                    "there is no step \"%.*s\" in this file", STR_ARG(ref->name));
}

static bool passes_errors(const struct plan_step *step)
{
    for (uint32_t i = 0; i < step->error_count; i++) {
        if (step->errors[i].then == PLAN_ON_ERROR_CONTINUE)
            return true;
    }
    return false;
}

static void report_null(struct load *load, const struct expr_ref *ref, const char *when)
{
    struct str hint =
        arena_printf(load->diags->arena, "say what to take then: $steps.%.*s.output%.*s // null",
                     STR_ARG(ref->name), STR_ARG(ref->path));
    problem_add(load->diags, ref->place, PROBLEM_NULL_OUTPUT, hint, "the output of \"%.*s\" is null when %s",
                STR_ARG(ref->name), when);
}

/* Whether the step has surely run when the value is needed; its own output counts in its compensation. */
static bool has_run(struct load *load, const struct expr_ref *ref, const struct plan_node *node,
                    struct load_scope scope)
{
    switch (scope.where) {
    case LOAD_AT_START: /* refused before any step is known */
        return false;
    case LOAD_AT_DO:
        if (node->index == scope.node) {
            problem_add(load->diags, ref->place, PROBLEM_OWN_OUTPUT,
                        STR("only the step's compensation can read it"),
                        "the step \"%.*s\" reads its own output before it has one", STR_ARG(ref->name));
            return false;
        }
        break;
    case LOAD_AT_UNDO:
        break;
    case LOAD_AT_OUTPUT:
        return true;
    }
    if (node->index <= scope.node)
        return true;
    problem_add(load->diags, ref->place, PROBLEM_LATER_STEP, STR(""),
                "the step \"%.*s\" (line %u) has not run when this is needed", STR_ARG(ref->name),
                node->place.line);
    return false;
}

static void check_step(struct load *load, struct expr_ref *ref, struct load_scope scope)
{
    const struct plan_node *node = plan_find(load->plan, ref->name);
    if (scope.where == LOAD_AT_START) {
        problem_add(load->diags, ref->place, PROBLEM_UNKNOWN_VARIABLE, at_start_hint,
                    "no step has run yet when this is computed");
        return;
    }
    if (!node) {
        report_unknown_step(load, ref);
        return;
    }
    ref->slot = node->index;
    if (!has_run(load, ref, node, scope))
        return;
    const struct plan_step *step = &load->steps[node->index];
    if (!ref->null_allowed && scope.where == LOAD_AT_UNDO && node->index == scope.node)
        report_null(load, ref, "the step is in doubt");
    else if (!ref->null_allowed && passes_errors(step))
        report_null(load, ref, "one of its `errors` was let pass (`continue`)");
    check_fields(load, ref, step->output_schema,
                 arena_printf(load->diags->arena, "\"%.*s\"", STR_ARG(ref->name)).data);
}

/* ---- the other variables ---- */

static void check_named(struct load *load, const struct expr_ref *ref)
{
    static const struct str known[] = {WORD("input"), WORD("steps"), WORD("saga"), WORD("error")};
    struct problem_guess guess = problem_guess_for(ref->name);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        problem_guess_try(&guess, known[i]);
    if (!load->has_blocks)
        refuse_variable(
            load, ref,
            guess.nearest.size
                ? arena_printf(load->diags->arena, "did you mean $%.*s?", STR_ARG(guess.nearest))
                : STR("there are $input, $steps.<id>.output, $saga and, in compensations, $error"));
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
    case EXPR_REF_SAGA:
        if (scope.where == LOAD_AT_START)
            refuse_variable(load, ref, at_start_hint);
        break;
    case EXPR_REF_ERROR:
        if (scope.where != LOAD_AT_UNDO)
            refuse_variable(load, ref, STR("only a compensation has an $error: why the saga goes back"));
        break;
    case EXPR_REF_INDEX:
    case EXPR_REF_EVENT:
        if (!load->has_blocks)
            refuse_variable(load, ref,
                            ref->kind == EXPR_REF_INDEX ? STR("$index exists within `foreach`")
                                                        : STR("$event exists behind an `await`"));
        break;
    case EXPR_REF_NAMED:
        check_named(load, ref);
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
