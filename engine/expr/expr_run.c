/* The evaluator: each node pushes its values on a stack, and a fault unwinds. Called by expr.c with a budget.
 * Never recurses deeper than the parser allowed, and never runs on when the budget is spent. */
#include "engine/expr/expr_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/expr/expr_functions.h"
#include "engine/expr/expr_operate.h"
#include "engine/expr/expr_path.h"
#include "engine/expr/expr_value.h"

/* ---- budget, faults, stack ---- */

bool expr_run_fail(struct expr_run *run, const struct expr_node *node, enum expr_fault fault,
                   const char *format, ...)
{
    va_list arguments;
    check(fault != EXPR_FAULT_NONE);
    run->fault = fault;
    run->error->fault = fault;
    run->error->place = node->place;
    va_start(arguments, format);
    vsnprintf(run->error->message, sizeof(run->error->message), format, arguments);
    va_end(arguments);
    return false;
}

bool expr_run_recover(struct expr_run *run)
{
    if (run->fault == EXPR_FAULT_BUDGET)
        return false;
    run->fault = EXPR_FAULT_NONE;
    return true;
}

static bool fail_bytes(struct expr_run *run, const struct expr_node *node)
{
    return expr_run_fail(run, node, EXPR_FAULT_BUDGET, "the expression needs more than %d bytes of memory",
                         LIMITS_EXPR_RESULT_BYTES);
}

static bool fail_steps(struct expr_run *run, const struct expr_node *node)
{
    if (run->work_begin < (uint64_t)LIMITS_EXPR_STEPS * EXPR_RUN_STEP_WORK)
        return expr_run_fail(run, node, EXPR_FAULT_BUDGET,
                             "the expressions evaluated at once take more steps than they may together");
    return expr_run_fail(run, node, EXPR_FAULT_BUDGET, "the expression takes more than %d steps",
                         LIMITS_EXPR_STEPS);
}

bool expr_run_looked_up(struct expr_run *run, const struct expr_node *node)
{
    const uint64_t *shared = run->env->work;
    return !shared || run->work_begin - run->work_left <= *shared || fail_steps(run, node);
}

bool expr_run_work(struct expr_run *run, const struct expr_node *node, uint64_t units)
{
    if (run->arena->used - run->bytes_begin > LIMITS_EXPR_RESULT_BYTES)
        return fail_bytes(run, node);
    if (units > run->work_left)
        return fail_steps(run, node);
    run->work_left -= units;
    return true;
}

void *expr_run_alloc(struct expr_run *run, const struct expr_node *node, size_t size)
{
    size_t used = run->arena->used - run->bytes_begin;
    if (size > LIMITS_EXPR_RESULT_BYTES || used + size > LIMITS_EXPR_RESULT_BYTES) {
        fail_bytes(run, node);
        return NULL;
    }
    return arena_alloc(run->arena, size);
}

static bool grow_stack(struct expr_run *run)
{
    static const struct expr_node nowhere = {0};
    uint32_t room = run->room * 2;
    const struct json **stack = expr_run_alloc(run, &nowhere, room * sizeof(*stack));
    if (!stack)
        return false;
    memcpy(stack, run->stack, run->top * sizeof(*stack));
    run->stack = stack;
    run->room = room;
    return true;
}

bool expr_run_push(struct expr_run *run, const struct json *value)
{
    check(value != NULL);
    if (run->top == run->room && !grow_stack(run))
        return false;
    run->stack[run->top++] = value;
    return true;
}

void expr_run_slide(struct expr_run *run, uint32_t mark, uint32_t kept)
{
    check(mark <= kept && kept <= run->top);
    memmove(run->stack + mark, run->stack + kept, (run->top - kept) * sizeof(*run->stack));
    run->top = mark + (run->top - kept);
}

/* ---- combinations of the children's values ---- */

enum { SMALL_PARTS = 4 };

/* All children are single: no lists needed. */
static bool combine_single(struct expr_run *run, const struct expr_node *node, const struct json *input,
                           bool (*emit)(struct expr_run *run, const struct expr_node *node,
                                        const struct json *input, const struct json *const *parts))
{
    const struct json *small[SMALL_PARTS];
    const struct json **parts = small;
    if (node->count > SMALL_PARTS)
        parts = expr_run_alloc(run, node, node->count * sizeof(*parts));
    if (!parts)
        return false;
    for (uint32_t i = 0; i < node->count; i++) {
        parts[i] = expr_run_one(run, node->children[i], input);
        if (!parts[i])
            return false;
    }
    return emit(run, node, input, parts);
}

struct part_list {
    uint32_t begin; /* on the stack */
    uint32_t count;
    uint32_t at;
};

/* The next combination; false after the last one. */
static bool next_combination(struct part_list *lists, uint32_t count, bool first_outer)
{
    for (uint32_t i = 0; i < count; i++) {
        struct part_list *list = &lists[first_outer ? count - 1 - i : i];
        list->at++;
        if (list->at < list->count)
            return true;
        list->at = 0;
    }
    return false;
}

bool expr_run_combine(struct expr_run *run, const struct expr_node *node, const struct json *input,
                      bool first_outer,
                      bool (*emit)(struct expr_run *run, const struct expr_node *node,
                                   const struct json *input, const struct json *const *parts))
{
    if (node->single || node->count == 0)
        return combine_single(run, node, input, emit);
    uint32_t mark = run->top;
    struct part_list *lists = expr_run_alloc(run, node, node->count * sizeof(*lists));
    const struct json **parts = expr_run_alloc(run, node, node->count * sizeof(*parts));
    if (!lists || !parts)
        return false;
    for (uint32_t i = 0; i < node->count; i++) {
        lists[i].begin = run->top;
        if (!expr_run_node(run, node->children[i], input))
            return false;
        lists[i].count = run->top - lists[i].begin;
        if (lists[i].count == 0) {
            run->top = mark;
            return true;
        }
    }
    uint32_t kept = run->top;
    do {
        for (uint32_t i = 0; i < node->count; i++)
            parts[i] = run->stack[lists[i].begin + lists[i].at];
        if (!expr_run_work(run, node, node->count + EXPR_RUN_STEP_WORK) || !emit(run, node, input, parts))
            return false;
    } while (next_combination(lists, node->count, first_outer));
    expr_run_slide(run, mark, kept);
    return true;
}

/* ---- control ---- */

/* Stages of a pipe from `stage` on. */
static bool run_pipe(struct expr_run *run, const struct expr_node *node, uint32_t stage,
                     const struct json *input)
{
    uint32_t mark = run->top;
    bool ok = expr_run_node(run, node->children[stage], input);
    if (!ok || stage + 1 == node->count)
        return ok;
    uint32_t kept = run->top;
    for (uint32_t i = mark; ok && i < kept; i++)
        ok = run_pipe(run, node, stage + 1, run->stack[i]);
    expr_run_slide(run, mark, kept);
    return ok;
}

static bool run_comma(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    for (uint32_t i = 0; i < node->count; i++)
        if (!expr_run_node(run, node->children[i], input))
            return false;
    return true;
}

static bool run_as(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    uint32_t kept = run->top;
    bool ok = true;
    for (uint32_t i = mark; ok && i < kept; i++) {
        run->locals[node->index] = run->stack[i];
        ok = expr_run_node(run, node->children[1], input);
    }
    expr_run_slide(run, mark, kept);
    return ok;
}

static bool run_if(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    uint32_t kept = run->top;
    bool ok = true;
    for (uint32_t i = mark; ok && i < kept; i++)
        ok = expr_run_node(run, node->children[expr_truth(run->stack[i]) ? 1 : 2], input);
    expr_run_slide(run, mark, kept);
    return ok;
}

/* `and`, `or`: the right side is asked only where the left one has not decided. */
static bool run_logic(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    bool decides = node->op == EXPR_OP_OR;
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    uint32_t kept = run->top;
    for (uint32_t i = mark; i < kept; i++) {
        if (expr_truth(run->stack[i]) == decides) {
            if (!expr_run_push(run, json_new_bool(decides)))
                return false;
            continue;
        }
        uint32_t right = run->top;
        if (!expr_run_node(run, node->children[1], input))
            return false;
        for (uint32_t j = right; j < run->top; j++)
            run->stack[j] = json_new_bool(expr_truth(run->stack[j]));
    }
    expr_run_slide(run, mark, kept);
    return true;
}

/* a // b: the true values of a; those of b when there are none. A fault in a is a fault, as in jq. */
static bool run_alternative(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    uint32_t kept = mark;
    for (uint32_t i = mark; i < run->top; i++)
        if (expr_truth(run->stack[i]))
            run->stack[kept++] = run->stack[i];
    run->top = kept;
    return kept > mark || expr_run_node(run, node->children[1], input);
}

static bool run_try(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    return expr_run_node(run, node->children[0], input) || expr_run_recover(run);
}

static bool run_array(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (node->count > 0 && !expr_run_node(run, node->children[0], input))
        return false;
    const struct json *array = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return array && expr_run_push(run, array);
}

/* A part compiled on its own: its refs are a stretch of ours, its locals begin anew. */
static bool run_program(struct expr_run *run, const struct expr_node *node)
{
    const struct expr_ref *outer = run->refs;
    run->refs = outer ? outer + node->index : NULL;
    const struct json *value = expr_run_one(run, node->children[0], &json_null);
    run->refs = outer;
    return value && expr_run_push(run, value);
}

static bool run_op(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    switch (node->op) {
    case EXPR_OP_CONSTANT:
        return expr_run_push(run, node->value);
    case EXPR_OP_INPUT:
        return expr_run_push(run, input);
    case EXPR_OP_LOCAL:
        return expr_run_push(run, run->locals[node->index]);
    case EXPR_OP_REF: {
        const struct json *value = expr_path_ref(run, node);
        return value && expr_run_push(run, value);
    }
    case EXPR_OP_FIELD:
        return expr_run_combine(run, node, input, false, expr_path_field);
    case EXPR_OP_INDEX:
        return expr_run_combine(run, node, input, false, expr_path_index);
    case EXPR_OP_SLICE:
        return expr_run_combine(run, node, input, false, expr_path_slice);
    case EXPR_OP_ITERATE:
        return expr_run_combine(run, node, input, false, expr_path_iterate);
    case EXPR_OP_TRY:
        return run_try(run, node, input);
    case EXPR_OP_PIPE:
        return run_pipe(run, node, 0, input);
    case EXPR_OP_COMMA:
        return run_comma(run, node, input);
    case EXPR_OP_AS:
        return run_as(run, node, input);
    case EXPR_OP_BINARY:
        return expr_run_combine(run, node, input, false, expr_operate_binary);
    case EXPR_OP_NEGATE:
        return expr_run_combine(run, node, input, false, expr_operate_negate);
    case EXPR_OP_AND:
    case EXPR_OP_OR:
        return run_logic(run, node, input);
    case EXPR_OP_ALTERNATIVE:
        return run_alternative(run, node, input);
    case EXPR_OP_IF:
        return run_if(run, node, input);
    case EXPR_OP_ARRAY:
        return run_array(run, node, input);
    case EXPR_OP_OBJECT:
        return expr_run_combine(run, node, input, true, expr_value_object);
    case EXPR_OP_RECORD:
        return expr_run_combine(run, node, input, true, expr_value_record);
    case EXPR_OP_TEXT:
        return expr_run_combine(run, node, input, false, expr_value_join);
    case EXPR_OP_CALL:
        return expr_functions_run(run, node, input);
    case EXPR_OP_PROGRAM:
        return run_program(run, node);
    }
    check(false);
    return false;
}

/* Whether what such a node has pushed before a fault are values it gave, not its own halves. */
static bool keeps_given(enum expr_op op)
{
    return op == EXPR_OP_PIPE || op == EXPR_OP_COMMA || op == EXPR_OP_AS || op == EXPR_OP_IF ||
           op == EXPR_OP_TRY;
}

bool expr_run_node(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_work(run, node, EXPR_RUN_STEP_WORK))
        return false;
    bool ok = run_op(run, node, input);
    check(ok == (run->fault == EXPR_FAULT_NONE));
    if (!ok && !keeps_given(node->op))
        run->top = mark;
    return ok;
}

const struct json *expr_run_one(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (node->op == EXPR_OP_CONSTANT)
        return node->value;
    if (node->op == EXPR_OP_REF)
        return expr_path_ref(run, node);
    uint32_t mark = run->top;
    if (!expr_run_node(run, node, input)) {
        run->top = mark;
        return NULL;
    }
    uint32_t count = run->top - mark;
    run->top = mark;
    if (count == 1)
        return run->stack[mark];
    expr_run_fail(run, node, EXPR_FAULT_NONE_OR_MANY, "the expression gave %s instead of one value",
                  count == 0 ? "no value" : "several values");
    return NULL;
}
