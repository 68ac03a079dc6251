/* Comparisons, arithmetic and text around values, turned round. Numbers are worked out as doubles: what
 * rounding spoils is found out when the expression is computed. */
#include "engine/expr/expr_solve_parts.h"

#include <math.h>
#include <stdlib.h>
#include "engine/base/check.h"

enum { NEAR_MAX = 8, DATE_BYTES = 10, YEAR_BYTES = 4, SOME_DAY = 17 };

struct candidates {
    const struct json *items[NEAR_MAX];
    uint32_t count;
};

static double number_of(struct expr_solver *solver, const struct json *value)
{
    return strtod(arena_copy(solver->how->arena, value->text).data, NULL);
}

static bool is_order(uint32_t operator)
{
    return operator== EXPR_OPERATOR_LESS || operator== EXPR_OPERATOR_LESS_EQUAL || operator==
        EXPR_OPERATOR_GREATER ||
        operator== EXPR_OPERATOR_GREATER_EQUAL;
}

static bool is_comparison(uint32_t operator)
{
    return operator== EXPR_OPERATOR_EQUAL || operator== EXPR_OPERATOR_UNEQUAL || is_order(operator);
}

/* Whether the comparison holds, as far as that can be seen from here: what cannot is tried. */
static bool may_hold(uint32_t operator, const struct json * left, const struct json *right)
{
    int order;
    if (!is_order(operator))
        return json_equal(left, right) == (operator== EXPR_OPERATOR_EQUAL);
    if (left->kind != right->kind || (left->kind != JSON_NUMBER && left->kind != JSON_STRING))
        return true;
    order = left->kind == JSON_NUMBER ? json_number_compare(left->text, right->text)
                                      : str_compare(left->text, right->text);
    return (order < 0 && (operator== EXPR_OPERATOR_LESS || operator== EXPR_OPERATOR_LESS_EQUAL)) ||
           (order > 0 && (operator== EXPR_OPERATOR_GREATER || operator== EXPR_OPERATOR_GREATER_EQUAL)) ||
           (order == 0 && (operator== EXPR_OPERATOR_LESS_EQUAL || operator== EXPR_OPERATOR_GREATER_EQUAL));
}

static void put(struct candidates *list, const struct json *value)
{
    if (list->count < NEAR_MAX)
        list->items[list->count++] = value;
}

static bool is_dated(struct str text)
{
    return text.size >= DATE_BYTES && text.data[0] >= '1' && text.data[0] <= '8' && text.data[4] == '-' &&
           text.data[7] == '-';
}

/* Another day of the month, and the same day in years around, near ones first: a schema, or another
 * condition, may bound them. */
static void put_dates(struct expr_solver *solver, struct candidates *list, struct str text)
{
    static const int64_t years[] = {1, -1, 1000, -1000};
    int64_t year = 0;
    if (!str_to_i64(str_slice(text, 0, YEAR_BYTES), &year))
        return;
    put(list, expr_solve_text(solver, arena_printf(solver->how->arena, "%.*s%d%.*s",
                                                   STR_ARG(str_slice(text, 0, DATE_BYTES - 2)), SOME_DAY,
                                                   STR_ARG(str_slice(text, DATE_BYTES, text.size)))));
    for (size_t i = 0; i < sizeof years / sizeof *years; i++)
        put(list, expr_solve_text(solver, arena_printf(solver->how->arena, "%04d%.*s", (int)(year + years[i]),
                                                       STR_ARG(str_slice(text, YEAR_BYTES, text.size)))));
}

/* Itself, and what is near it on both sides. */
static struct candidates near(struct expr_solver *solver, const struct json *value)
{
    struct candidates list = {.count = 0};
    put(&list, value);
    if (value->kind == JSON_NUMBER) {
        put(&list, expr_solve_number(solver, number_of(solver, value) + 1));
        put(&list, expr_solve_number(solver, number_of(solver, value) - 1));
    } else if (value->kind == JSON_STRING && is_dated(value->text)) {
        put_dates(solver, &list, value->text);
    } else if (value->kind == JSON_STRING) {
        put(&list, expr_solve_text(solver, arena_printf(solver->how->arena, "%.*sz", STR_ARG(value->text))));
        put(&list, expr_solve_text(solver, STR("")));
    } else {
        put(&list, value->kind == JSON_BOOL ? json_new_bool(!value->boolean) : &json_true);
        put(&list, expr_solve_text(solver, STR("x")));
        put(&list, expr_solve_number(solver, 1));
    }
    return list;
}

/* Against something known. */
static const struct expr_alternatives *compare_known(struct expr_solver *solver, const struct expr_node *node,
                                                     uint32_t known, const struct json *value,
                                                     const struct expr_solve_scope *scope, bool truth)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    struct candidates list = near(solver, value);
    for (uint32_t i = 0; i < list.count; i++) {
        const struct json *left = known == 0 ? value : list.items[i];
        const struct json *right = known == 0 ? list.items[i] : value;
        if (may_hold(node->index, left, right) == truth ||
            (is_order(node->index) && left->kind != right->kind))
            expr_solve_append(all, expr_solve_value(solver, node->children[1 - known], scope, list.items[i]));
    }
    return all;
}

/* Both sides come from outside: pairs of values. */
static const struct expr_alternatives *compare_open(struct expr_solver *solver, const struct expr_node *node,
                                                    const struct expr_solve_scope *scope, bool truth)
{
    const struct json *values[] = {expr_solve_number(solver, 1),
                                   expr_solve_number(solver, 2),
                                   expr_solve_text(solver, STR("a")),
                                   expr_solve_text(solver, STR("b")),
                                   expr_solve_text(solver, STR("1999-01-01T00:00:00Z")),
                                   expr_solve_text(solver, STR("2999-01-01T00:00:00Z"))};
    enum { COUNT = sizeof values / sizeof *values };
    struct expr_alternatives *all = expr_solve_none(solver);
    for (uint32_t i = 0; i < COUNT; i++)
        for (uint32_t k = i & ~1u; k <= (i | 1u); k++)
            if (may_hold(node->index, values[i], values[k]) == truth)
                expr_solve_append(
                    all,
                    expr_solve_both(solver, expr_solve_value(solver, node->children[0], scope, values[i]),
                                    expr_solve_value(solver, node->children[1], scope, values[k])));
    return all;
}

static const struct expr_alternatives *compare(struct expr_solver *solver, const struct expr_node *node,
                                               const struct expr_solve_scope *scope,
                                               struct expr_solve_want want)
{
    bool truth = expr_solve_is_true(want);
    if (!truth && !expr_solve_is_false(want))
        return expr_solve_none(solver);
    for (uint32_t side = 0; side < 2; side++) {
        const struct json *known = expr_solve_constant(solver, node->children[side]);
        if (known != NULL)
            return compare_known(solver, node, side, known, scope, truth);
    }
    return compare_open(solver, node, scope, truth);
}

/* ---- arithmetic ---- */

/* What the other side must be, when side `known` is `given`, for the result. False: nothing. */
static bool turn(uint32_t operator, uint32_t known, double given, double result, double *other)
{
    switch ((enum expr_operator) operator) {
    case EXPR_OPERATOR_ADD:
        *other = result - given;
        return true;
    case EXPR_OPERATOR_SUBTRACT:
        *other = known == 0 ? given - result : result + given;
        return true;
    case EXPR_OPERATOR_MULTIPLY:
        *other = result / given;
        return fabs(given) > 0;
    case EXPR_OPERATOR_DIVIDE:
        *other = known == 0 ? given / result : result * given;
        return known == 1 || fabs(result) > 0;
    case EXPR_OPERATOR_REMAINDER:
        *other = known == 0 ? given - result : result;
        return true;
    case EXPR_OPERATOR_EQUAL:
    case EXPR_OPERATOR_UNEQUAL:
    case EXPR_OPERATOR_LESS:
    case EXPR_OPERATOR_LESS_EQUAL:
    case EXPR_OPERATOR_GREATER:
    case EXPR_OPERATOR_GREATER_EQUAL:
        return false;
    }
    check_never("an operator of no kind");
}

static const struct expr_alternatives *calculate(struct expr_solver *solver, const struct expr_node *node,
                                                 const struct expr_solve_scope *scope, double result)
{
    static const double tried[] = {1, 0, 2};
    struct expr_alternatives *all = expr_solve_none(solver);
    double other = 0;
    for (uint32_t side = 0; side < 2; side++) {
        const struct json *known = expr_solve_constant(solver, node->children[side]);
        if (known == NULL)
            continue;
        if (known->kind == JSON_NUMBER && turn(node->index, side, number_of(solver, known), result, &other))
            return expr_solve_value(solver, node->children[1 - side], scope,
                                    expr_solve_number(solver, other));
        return all;
    }
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++)
        if (turn(node->index, 1, tried[i], result, &other))
            expr_solve_append(all, expr_solve_both(solver,
                                                   expr_solve_value(solver, node->children[0], scope,
                                                                    expr_solve_number(solver, other)),
                                                   expr_solve_value(solver, node->children[1], scope,
                                                                    expr_solve_number(solver, tried[i]))));
    return all;
}

/* ---- texts ---- */

/* What stands between the known texts around one part that is not. Also as the number that it may be. */
static const struct expr_alternatives *between(struct expr_solver *solver, const struct expr_node *node,
                                               const struct expr_solve_scope *scope, struct str text)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    const struct expr_node *open = NULL;
    size_t begin = 0, end = text.size;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct json *known = expr_solve_constant(solver, node->children[i]);
        if ((known == NULL && open != NULL) || (known != NULL && known->kind != JSON_STRING))
            return all;
        struct str rest = str_slice(text, begin, end);
        if (known == NULL)
            open = node->children[i];
        else if (open == NULL && str_starts(rest, known->text))
            begin += known->text.size;
        else if (open != NULL && i + 1 == node->count && str_ends(rest, known->text))
            end -= known->text.size;
        else
            return all;
    }
    if (open == NULL)
        return all;
    const struct json *part = expr_solve_text(solver, str_slice(text, begin, end));
    int64_t number;
    expr_solve_append(all, expr_solve_value(solver, open, scope, part));
    if (str_to_i64(part->text, &number))
        expr_solve_append(all,
                          expr_solve_value(solver, open, scope, expr_solve_number(solver, (double)number)));
    return all;
}

const struct expr_alternatives *expr_solve_binary(struct expr_solver *solver, const struct expr_node *node,
                                                  const struct expr_solve_scope *scope,
                                                  struct expr_solve_want want)
{
    if (node->op == EXPR_OP_BINARY && is_comparison(node->index))
        return compare(solver, node, scope, want);
    if (want.kind != EXPR_WANT_VALUE)
        return expr_solve_none(solver);
    if (node->op == EXPR_OP_NEGATE)
        return want.value->kind == JSON_NUMBER
                   ? expr_solve_value(solver, node->children[0], scope,
                                      expr_solve_number(solver, -number_of(solver, want.value)))
                   : expr_solve_none(solver);
    if (want.value->kind == JSON_STRING)
        return node->op == EXPR_OP_TEXT || node->index == EXPR_OPERATOR_ADD
                   ? between(solver, node, scope, want.value->text)
                   : expr_solve_none(solver);
    if (node->op == EXPR_OP_BINARY && want.value->kind == JSON_NUMBER)
        return calculate(solver, node, scope, number_of(solver, want.value));
    return expr_solve_none(solver);
}
