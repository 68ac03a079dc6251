/* Functions on what an expression gives one after the other: which of it is kept, whether one of it is so.
 * Part of expr_functions.h. */
#include "engine/expr/expr_functions.h"

#include "engine/expr/expr_path.h"
#include "engine/expr/expr_value.h"

/* ---- which of it ---- */

bool expr_functions_select(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    uint32_t kept = mark;
    for (uint32_t i = mark; i < run->top; i++)
        if (expr_truth(run->stack[i]))
            run->stack[kept++] = input;
    run->top = kept;
    return true;
}

bool expr_functions_values(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    (void)node;
    return input->kind == JSON_NULL || expr_run_push(run, input);
}

bool expr_functions_take(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         uint32_t least)
{
    uint32_t mark = run->top;
    bool ok = expr_run_node(run, node, input);
    return ok || (run->top - mark >= least && expr_run_recover(run));
}

bool expr_functions_first_of(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_functions_take(run, node->children[0], input, 1))
        return false;
    run->top = run->top > mark ? mark + 1 : mark;
    return true;
}

bool expr_functions_last_of(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    const struct json *last = run->top > mark ? run->stack[run->top - 1] : &json_null;
    run->top = mark;
    return expr_run_push(run, last);
}

/* The number that the first argument gives: a count from 0. */
static bool count_of(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     uint32_t *count)
{
    int64_t number = 0;
    const struct json *value = expr_run_one(run, node->children[0], input);
    if (!value)
        return false;
    if (value->kind != JSON_NUMBER)
        return expr_functions_needs(run, node, "a number", value);
    if (!json_to_i64(value, &number) || number < 0)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "%.*s needs a whole number from 0",
                             STR_ARG(expr_functions[node->index].name));
    *count = number < LIMITS_EXPR_STEPS ? (uint32_t)number : LIMITS_EXPR_STEPS; /* more never come */
    return true;
}

bool expr_functions_limit(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top, count = 0;
    if (!count_of(run, node, input, &count))
        return false;
    if (count > 0 && !expr_functions_take(run, node->children[1], input, count))
        return false;
    run->top = run->top - mark > count ? mark + count : run->top;
    return true;
}

bool expr_functions_nth_of(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top, place = 0;
    if (!count_of(run, node, input, &place) || !expr_functions_take(run, node->children[1], input, place + 1))
        return false;
    if (run->top - mark <= place) {
        run->top = mark;
        return true;
    }
    run->stack[mark] = run->stack[mark + place];
    run->top = mark + 1;
    return true;
}

bool expr_functions_end(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind == JSON_NULL)
        return expr_run_push(run, &json_null);
    if (input->kind != JSON_ARRAY)
        return expr_functions_needs(run, node, "an array", input);
    return expr_run_push(run, expr_path_item(input, node->index == EXPR_FUNCTION_FIRST ? 0 : -1));
}

/* ---- whether one of it ---- */

/* Whether a value of stack[begin … end) is (any) or is not (all) true by `condition`; NULL: by itself. */
static bool find_truth(struct expr_run *run, const struct expr_node *condition, uint32_t begin, uint32_t end,
                       bool wanted, bool *found)
{
    for (uint32_t i = begin; !*found && i < end; i++) {
        uint32_t mark = run->top;
        if (!condition) {
            *found = expr_truth(run->stack[i]) == wanted;
            continue;
        }
        if (!expr_run_node(run, condition, run->stack[i]))
            return false;
        for (uint32_t j = mark; j < run->top; j++)
            *found = *found || expr_truth(run->stack[j]) == wanted;
        run->top = mark;
    }
    return true;
}

/* any and all in their three forms. */
static bool quantify(struct expr_run *run, const struct expr_node *node, const struct json *input, bool any)
{
    uint32_t mark = run->top;
    bool found = false;
    const struct expr_node *condition = node->count > 0 ? node->children[node->count - 1] : NULL;
    if (node->count == 2 ? !expr_run_node(run, node->children[0], input)
                         : !expr_path_iterate(run, node, &json_null, &input))
        return false;
    if (!find_truth(run, condition, mark, run->top, any, &found))
        return false;
    run->top = mark;
    return expr_run_push(run, json_new_bool(any ? found : !found));
}

bool expr_functions_any(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    return quantify(run, node, input, true);
}

bool expr_functions_all(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    return quantify(run, node, input, false);
}

/* IN(values): the input is one of them; IN(some; values): one of some is. */
bool expr_functions_in(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    bool found = false;
    if (!(node->count == 2 ? expr_run_node(run, node->children[0], input) : expr_run_push(run, input)))
        return false;
    uint32_t middle = run->top;
    if (!expr_run_node(run, node->children[node->count - 1], input))
        return false;
    for (uint32_t i = mark; !found && i < middle; i++)
        for (uint32_t j = middle; !found && j < run->top; j++) {
            int order = 0;
            if (!expr_value_compare(run, node, run->stack[i], run->stack[j], &order))
                return false;
            found = order == 0;
        }
    run->top = mark;
    return expr_run_push(run, json_new_bool(found));
}
