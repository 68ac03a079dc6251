/* Functions, turned round: what they must be given for what they are to give. Called by the solver
 * (expr_solve_parts.h); what the function cannot give is not wished for. */
#include "engine/expr/expr_solve_parts.h"

#include <time.h>

enum { LONG_MAX_ITEMS = 2000, TEXT_BYTES = 128 };

/* What a function works on: `.`, or, for any(g; c), what g gives. */
static const struct expr_alternatives *pass(struct expr_solver *solver, const struct expr_node *node,
                                            const struct expr_solve_scope *scope, struct expr_solve_want want)
{
    (void)node;
    return want.kind == EXPR_WANT_VALUE ? expr_solve_input(solver, scope, want.value)
                                        : expr_solve_none(solver);
}

static const struct expr_alternatives *negate(struct expr_solver *solver, const struct expr_node *node,
                                              const struct expr_solve_scope *scope,
                                              struct expr_solve_want want)
{
    static const struct expr_node input = {.op = EXPR_OP_INPUT};
    (void)node;
    if (!expr_solve_is_true(want) && !expr_solve_is_false(want))
        return expr_solve_none(solver);
    while (scope != NULL && scope->input == NULL)
        scope = scope->outer;
    const struct expr_node *of = scope != NULL && scope->items == 0 ? scope->input : &input;
    const struct expr_solve_scope *where = of == &input ? scope : scope->outer;
    struct expr_solve_want inverse = {expr_solve_is_true(want) ? EXPR_WANT_FALSE : EXPR_WANT_TRUE, NULL};
    return where == NULL ? expr_solve_none(solver) : expr_solve_node(solver, of, where, inverse);
}

static const struct expr_alternatives *length(struct expr_solver *solver, const struct expr_node *node,
                                              const struct expr_solve_scope *scope,
                                              struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    int64_t count;
    (void)node;
    if (want.kind != EXPR_WANT_VALUE || !json_to_i64(want.value, &count) || count < 0 ||
        count > LONG_MAX_ITEMS)
        return all;
    char *text = arena_alloc(solver->how->arena, (size_t)count + 1);
    for (int64_t i = 0; i < count; i++)
        text[i] = 'x';
    expr_solve_append(
        all, expr_solve_input(solver, scope, expr_solve_text(solver, (struct str){text, (size_t)count})));
    expr_solve_append(
        all, expr_solve_input(solver, scope, expr_solve_list(solver, &expr_solve_any, (uint32_t)count)));
    return all;
}

/* The argument, when it is known and a text. */
static bool text_argument(struct expr_solver *solver, const struct expr_node *node, struct str *text)
{
    const struct json *value = node->count > 0 ? expr_solve_constant(solver, node->children[0]) : NULL;
    if (value == NULL || value->kind != JSON_STRING)
        return false;
    *text = value->text;
    return true;
}

static const struct expr_alternatives *has(struct expr_solver *solver, const struct expr_node *node,
                                           const struct expr_solve_scope *scope, struct expr_solve_want want)
{
    const struct json *key = expr_solve_constant(solver, node->children[0]);
    const struct json *there = expr_solve_is_true(want) ? &expr_solve_any : &expr_solve_gone;
    int64_t index;
    if (key == NULL || (!expr_solve_is_true(want) && !expr_solve_is_false(want)))
        return expr_solve_none(solver);
    if (key->kind == JSON_STRING)
        return expr_solve_input(solver, scope, expr_solve_member(solver, key->text, there));
    if (!json_to_i64(key, &index) || index < 0 || index >= LONG_MAX_ITEMS)
        return expr_solve_none(solver);
    uint32_t count = expr_solve_is_true(want) ? (uint32_t)index + 1 : 0;
    return expr_solve_input(solver, scope, expr_solve_list(solver, &expr_solve_any, count));
}

/* Texts with and without something. */
static const struct expr_alternatives *one_of_texts(struct expr_solver *solver,
                                                    const struct expr_solve_scope *scope,
                                                    struct expr_solve_want want, struct str with)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    if (expr_solve_is_true(want))
        return expr_solve_input(solver, scope, expr_solve_text(solver, with));
    if (!expr_solve_is_false(want))
        return all;
    expr_solve_append(all, expr_solve_input(solver, scope, expr_solve_text(solver, STR("x"))));
    expr_solve_append(all, expr_solve_input(solver, scope, expr_solve_text(solver, STR(""))));
    expr_solve_append(all, expr_solve_input(solver, scope, expr_solve_text(solver, STR("~ 0"))));
    return all;
}

static const struct expr_alternatives *test(struct expr_solver *solver, const struct expr_node *node,
                                            const struct expr_solve_scope *scope, struct expr_solve_want want)
{
    struct str pattern;
    if (!text_argument(solver, node, &pattern))
        return expr_solve_none(solver);
    return one_of_texts(solver, scope, want, solver->how->match(solver->how->context, pattern));
}

static const struct expr_alternatives *holds_text(struct expr_solver *solver, const struct expr_node *node,
                                                  const struct expr_solve_scope *scope,
                                                  struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    struct str part;
    const struct json *known = expr_solve_constant(solver, node->children[0]);
    if (text_argument(solver, node, &part))
        return one_of_texts(solver, scope, want, part);
    if (known == NULL || !expr_solve_is_true(want)) /* contains(["a"]), contains({…}) */
        return all;
    return expr_solve_input(solver, scope, known);
}

static const struct expr_alternatives *in(struct expr_solver *solver, const struct expr_node *node,
                                          const struct expr_solve_scope *scope, struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    const struct expr_node *list = node->children[0];
    if (expr_solve_is_false(want))
        return one_of_texts(solver, scope, want, STR(""));
    if (!expr_solve_is_true(want))
        return all;
    for (uint32_t i = 0; i < (list->op == EXPR_OP_COMMA ? list->count : 1); i++) {
        const struct json *value =
            expr_solve_constant(solver, list->op == EXPR_OP_COMMA ? list->children[i] : list);
        if (value != NULL)
            expr_solve_append(all, expr_solve_input(solver, scope, value));
    }
    return all;
}

/* ---- of items ---- */

static struct expr_solve_scope *of_items(struct expr_solver *solver, const struct expr_solve_scope *scope,
                                         uint32_t items)
{
    struct expr_solve_scope *inner = expr_solve_within(solver, scope);
    inner->items = items;
    return inner;
}

/* any, all, any(c), all(c), any(g; c), all(g; c): one item decides, or there is none. */
static const struct expr_alternatives *quantify(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope,
                                                struct expr_solve_want want)
{
    static const struct expr_node input = {.op = EXPR_OP_INPUT};
    struct expr_solve_scope *inner = of_items(solver, scope, 1);
    struct expr_solve_want each = {expr_solve_is_true(want) ? EXPR_WANT_TRUE : EXPR_WANT_FALSE, NULL};
    if (!expr_solve_is_true(want) && !expr_solve_is_false(want))
        return expr_solve_none(solver);
    if (node->count == 2) {
        inner->items = 0;
        inner->input = node->children[0];
    }
    struct expr_alternatives *all = expr_solve_none(solver);
    expr_solve_append(
        all,
        expr_solve_node(solver, node->count == 0 ? &input : node->children[node->count - 1], inner, each));
    if (node->count < 2)
        expr_solve_append(all, expr_solve_input(solver, scope, expr_solve_list(solver, &json_null, 0)));
    return all;
}

static const struct expr_alternatives *map(struct expr_solver *solver, const struct expr_node *node,
                                           const struct expr_solve_scope *scope, struct expr_solve_want want)
{
    if (want.kind != EXPR_WANT_VALUE || want.value->kind != JSON_ARRAY)
        return expr_solve_none(solver);
    if (want.value->count == 0)
        return expr_solve_input(solver, scope, want.value);
    return expr_solve_value(solver, node->children[0], of_items(solver, scope, want.value->count),
                            want.value->items[want.value->count - 1]);
}

static const struct expr_alternatives *only(struct expr_solver *solver, const struct expr_node *node,
                                            const struct expr_solve_scope *scope, struct expr_solve_want want)
{
    struct expr_solve_want truth = {EXPR_WANT_TRUE, NULL};
    if (want.kind != EXPR_WANT_VALUE)
        return expr_solve_none(solver);
    const struct expr_alternatives *chosen = expr_solve_node(solver, node->children[0], scope, truth);
    return want.value == &expr_solve_any
               ? chosen
               : expr_solve_both(solver, chosen, expr_solve_input(solver, scope, want.value));
}

/* add, min, max, first, last, join: of a list with one item it is that item. */
static const struct expr_alternatives *single(struct expr_solver *solver, const struct expr_node *node,
                                              const struct expr_solve_scope *scope,
                                              struct expr_solve_want want)
{
    (void)node;
    if (want.kind != EXPR_WANT_VALUE)
        return expr_solve_none(solver);
    return expr_solve_input(solver, scope, expr_solve_list(solver, want.value, 1));
}

/* ---- other forms of a value ---- */

static const struct expr_alternatives *as_text(struct expr_solver *solver, const struct expr_node *node,
                                               const struct expr_solve_scope *scope,
                                               struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    int64_t number;
    (void)node;
    if (want.kind != EXPR_WANT_VALUE || want.value->kind != JSON_STRING)
        return all;
    if (str_to_i64(want.value->text, &number))
        expr_solve_append(all, expr_solve_input(solver, scope, json_new_i64(solver->how->arena, number)));
    expr_solve_append(all, expr_solve_input(solver, scope, want.value));
    return all;
}

static const struct expr_alternatives *as_number(struct expr_solver *solver, const struct expr_node *node,
                                                 const struct expr_solve_scope *scope,
                                                 struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    (void)node;
    if (want.kind != EXPR_WANT_VALUE || want.value->kind != JSON_NUMBER)
        return all;
    expr_solve_append(all, expr_solve_input(solver, scope, expr_solve_text(solver, want.value->text)));
    expr_solve_append(all, expr_solve_input(solver, scope, want.value));
    return all;
}

static const struct expr_alternatives *type(struct expr_solver *solver, const struct expr_node *node,
                                            const struct expr_solve_scope *scope, struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    const struct {
        const char *word;
        const struct json *value;
    } kinds[] = {{"null", &json_null},
                 {"boolean", &json_true},
                 {"number", expr_solve_number(solver, 1)},
                 {"string", expr_solve_text(solver, STR("x"))},
                 {"array", json_new_array(solver->how->arena, NULL, 0)},
                 {"object", json_new_object(solver->how->arena, NULL, 0)}};
    (void)node;
    if (want.kind != EXPR_WANT_VALUE || want.value->kind != JSON_STRING)
        return all;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_equal(want.value->text, str_from(kinds[i].word)))
            expr_solve_append(all, expr_solve_input(solver, scope, kinds[i].value));
    return all;
}

/* Seconds since 1970 are wanted of a text; also as the parts that `strptime` gives, for which `mktime` asks.
 */
static const struct expr_alternatives *from_date(struct expr_solver *solver, const struct expr_node *node,
                                                 const struct expr_solve_scope *scope,
                                                 struct expr_solve_want want)
{
    struct str format = STR("%Y-%m-%dT%H:%M:%SZ");
    int64_t seconds;
    struct tm parts;
    char text[TEXT_BYTES];
    if (want.kind != EXPR_WANT_VALUE || !json_to_i64(want.value, &seconds) ||
        (node->count > 0 && !text_argument(solver, node, &format)))
        return expr_solve_none(solver);
    time_t time = (time_t)seconds;
    if (gmtime_r(&time, &parts) == NULL ||
        strftime(text, sizeof text, arena_copy(solver->how->arena, format).data, &parts) == 0)
        return expr_solve_none(solver);
    return expr_solve_input(solver, scope, expr_solve_text(solver, str_from(text)));
}

static const struct expr_alternatives *split(struct expr_solver *solver, const struct expr_node *node,
                                             const struct expr_solve_scope *scope,
                                             struct expr_solve_want want)
{
    struct str separator;
    struct buf text;
    if (want.kind != EXPR_WANT_VALUE || want.value->kind != JSON_ARRAY ||
        !text_argument(solver, node, &separator))
        return expr_solve_none(solver);
    buf_init(&text, solver->how->arena);
    for (uint32_t i = 0; i < want.value->count; i++) {
        const struct json *part = want.value->items[i];
        buf_put(&text, i > 0 ? separator : STR(""));
        buf_put(&text, part->kind == JSON_STRING ? part->text : STR("x"));
    }
    return expr_solve_input(solver, scope, expr_solve_text(solver, buf_str(&text)));
}

static const struct {
    enum expr_function function;
    expr_solve_call *call;
} inverses[] = {
    {EXPR_FUNCTION_NOT, negate},
    {EXPR_FUNCTION_LENGTH, length},
    {EXPR_FUNCTION_HAS, has},
    {EXPR_FUNCTION_TEST, test},
    {EXPR_FUNCTION_TEST_FLAGS, test},
    {EXPR_FUNCTION_STARTSWITH, holds_text},
    {EXPR_FUNCTION_ENDSWITH, holds_text},
    {EXPR_FUNCTION_CONTAINS, holds_text},
    {EXPR_FUNCTION_IN, in},
    {EXPR_FUNCTION_ANY, quantify},
    {EXPR_FUNCTION_ANY_OF, quantify},
    {EXPR_FUNCTION_ANY_IN, quantify},
    {EXPR_FUNCTION_ALL, quantify},
    {EXPR_FUNCTION_ALL_OF, quantify},
    {EXPR_FUNCTION_ALL_IN, quantify},
    {EXPR_FUNCTION_MAP, map},
    {EXPR_FUNCTION_SELECT, only},
    {EXPR_FUNCTION_ADD, single},
    {EXPR_FUNCTION_MIN, single},
    {EXPR_FUNCTION_MAX, single},
    {EXPR_FUNCTION_MIN_BY, single},
    {EXPR_FUNCTION_MAX_BY, single},
    {EXPR_FUNCTION_FIRST, single},
    {EXPR_FUNCTION_LAST, single},
    {EXPR_FUNCTION_JOIN, single},
    {EXPR_FUNCTION_SORT, pass},
    {EXPR_FUNCTION_SORT_BY, pass},
    {EXPR_FUNCTION_REVERSE, pass},
    {EXPR_FUNCTION_UNIQUE, pass},
    {EXPR_FUNCTION_FLATTEN, pass},
    {EXPR_FUNCTION_VALUES, pass},
    {EXPR_FUNCTION_FLOOR, pass},
    {EXPR_FUNCTION_CEIL, pass},
    {EXPR_FUNCTION_ROUND, pass},
    {EXPR_FUNCTION_ABS, pass},
    {EXPR_FUNCTION_TRIM, pass},
    {EXPR_FUNCTION_LTRIM, pass},
    {EXPR_FUNCTION_RTRIM, pass},
    {EXPR_FUNCTION_LTRIMSTR, pass},
    {EXPR_FUNCTION_RTRIMSTR, pass},
    {EXPR_FUNCTION_ASCII_DOWNCASE, pass},
    {EXPR_FUNCTION_ASCII_UPCASE, pass},
    {EXPR_FUNCTION_TOSTRING, as_text},
    {EXPR_FUNCTION_TONUMBER, as_number},
    {EXPR_FUNCTION_TYPE, type},
    {EXPR_FUNCTION_FROMDATE, from_date},
    {EXPR_FUNCTION_FROMDATE_ISO, from_date},
    {EXPR_FUNCTION_STRPTIME, from_date},
    {EXPR_FUNCTION_MKTIME, pass},
    {EXPR_FUNCTION_SPLIT, split},
};

const struct expr_alternatives *expr_solve_function(struct expr_solver *solver, const struct expr_node *node,
                                                    const struct expr_solve_scope *scope,
                                                    struct expr_solve_want want)
{
    for (size_t i = 0; i < sizeof inverses / sizeof *inverses; i++)
        if (inverses[i].function == (enum expr_function)node->index)
            return inverses[i].call(solver, node, scope, want);
    return expr_solve_none(solver);
}
