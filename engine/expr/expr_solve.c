/* Ways into a value: fields, indexes, pipes, `and`, `or`, `if`. Comparisons and arithmetic are in
 * expr_solve_binary.c, functions in expr_solve_function.c. */
#include "engine/expr/expr_solve.h"

#include <math.h>
#include "engine/base/check.h"
#include "engine/expr/expr_solve_parts.h"

enum { WORK_MAX = 1000, DEPTH_MAX = 64, INDEX_MAX = 100 };

const struct json expr_solve_any = {.kind = JSON_NULL}, expr_solve_gone = {.kind = JSON_NULL};
static const struct expr_node the_input = {.op = EXPR_OP_INPUT};

/* ---- alternatives ---- */

struct expr_alternatives *expr_solve_none(struct expr_solver *solver)
{
    return arena_new(solver->how->arena, struct expr_alternatives);
}

static const struct expr_alternatives *anyway(struct expr_solver *solver)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    all->count = 1;
    return all;
}

void expr_solve_append(struct expr_alternatives *all, const struct expr_alternatives *more)
{
    for (uint32_t i = 0; i < more->count && all->count < EXPR_ALTERNATIVES_MAX; i++)
        all->items[all->count++] = more->items[i];
}

static void put_both(struct expr_alternatives *all, const struct expr_wishes *left,
                     const struct expr_wishes *right)
{
    if (all->count == EXPR_ALTERNATIVES_MAX || left->count + right->count > EXPR_WISHES_MAX)
        return;
    struct expr_wishes *both = &all->items[all->count++];
    *both = *left;
    for (uint32_t i = 0; i < right->count; i++)
        both->items[both->count++] = right->items[i];
}

const struct expr_alternatives *expr_solve_both(struct expr_solver *solver,
                                                const struct expr_alternatives *left,
                                                const struct expr_alternatives *right)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    for (uint32_t i = 0; i < left->count; i++)
        for (uint32_t k = 0; k < right->count; k++)
            put_both(all, &left->items[i], &right->items[k]);
    return all;
}

/* ---- values ---- */

bool expr_solve_is_true(struct expr_solve_want want)
{
    return want.kind == EXPR_WANT_TRUE ||
           (want.kind == EXPR_WANT_VALUE && want.value->kind == JSON_BOOL && want.value->boolean);
}

bool expr_solve_is_false(struct expr_solve_want want)
{
    return want.kind == EXPR_WANT_FALSE ||
           (want.kind == EXPR_WANT_VALUE && want.value->kind == JSON_BOOL && !want.value->boolean);
}

const struct json *expr_solve_number(struct expr_solver *solver, double number)
{
    struct arena *arena = solver->how->arena;
    bool whole = fabs(number) < 1e15 && !(fabs(number - floor(number)) > 0);
    return json_new_number(arena, arena_printf(arena, whole ? "%.0f" : "%.10g", number));
}

const struct json *expr_solve_text(struct expr_solver *solver, struct str text)
{
    return json_new_string(solver->how->arena, text);
}

const struct json *expr_solve_list(struct expr_solver *solver, const struct json *item, uint32_t count)
{
    const struct json **items = arena_array(solver->how->arena, count, sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = item;
    return json_new_array(solver->how->arena, items, count);
}

const struct json *expr_solve_member(struct expr_solver *solver, struct str key, const struct json *value)
{
    struct json_member *member = arena_array(solver->how->arena, 1, sizeof *member);
    *member = (struct json_member){key, value};
    return json_new_object(solver->how->arena, member, 1);
}

/* `.` is read in the pipe that gives it, if at all. */
static bool is_closed(const struct expr_node *node, bool has_input)
{
    if (node->op == EXPR_OP_REF || node->op == EXPR_OP_LOCAL || node->op == EXPR_OP_PROGRAM)
        return false;
    if (!has_input &&
        (node->op == EXPR_OP_INPUT || (node->op == EXPR_OP_CALL && expr_functions[node->index].reads_input)))
        return false;
    for (uint32_t i = 0; i < node->count; i++)
        if (!is_closed(node->children[i], has_input || (node->op == EXPR_OP_PIPE && i > 0)))
            return false;
    return true;
}

const struct json *expr_solve_constant(struct expr_solver *solver, const struct expr_node *node)
{
    static const struct expr_env nothing = {0};
    struct expr_error error;
    const struct json *value = NULL;
    const struct expr program = {.root = node};
    if (node->op == EXPR_OP_CONSTANT)
        return node->value;
    if (!is_closed(node, false) ||
        expr_eval(&program, &nothing, solver->how->arena, &value, &error) != EXPR_FAULT_NONE)
        return NULL;
    return value;
}

/* ---- where a value comes from ---- */

struct expr_solve_scope *expr_solve_within(struct expr_solver *solver, const struct expr_solve_scope *scope)
{
    struct expr_solve_scope *inner = arena_new(solver->how->arena, struct expr_solve_scope);
    *inner = (struct expr_solve_scope){
        .input = &the_input, .outer = scope, .refs_from = scope->refs_from, .local = LIMITS_EXPR_LOCALS};
    return inner;
}

const struct expr_alternatives *expr_solve_value(struct expr_solver *solver, const struct expr_node *node,
                                                 const struct expr_solve_scope *scope,
                                                 const struct json *value)
{
    return expr_solve_node(solver, node, scope, (struct expr_solve_want){EXPR_WANT_VALUE, value});
}

const struct expr_alternatives *
expr_solve_input(struct expr_solver *solver, const struct expr_solve_scope *scope, const struct json *value)
{
    return expr_solve_value(solver, &the_input, scope, value);
}

/* What is read is not made here: a truth is one of the values that are true. */
static const struct expr_alternatives *as_value(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope, bool truth)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    const struct json *trues[] = {&json_true, expr_solve_text(solver, STR("x")),
                                  expr_solve_number(solver, 1)};
    const struct json *falses[] = {&json_false, &json_null, &expr_solve_gone};
    for (size_t i = 0; i < sizeof trues / sizeof *trues; i++)
        expr_solve_append(all, expr_solve_value(solver, node, scope, truth ? trues[i] : falses[i]));
    return all;
}

static const struct expr_alternatives *of_ref(struct expr_solver *solver, const struct expr_node *node,
                                              const struct expr_solve_scope *scope, const struct json *value)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    for (uint32_t i = node->key_count; i > 0; i--)
        value = expr_solve_member(solver, node->keys[i - 1], value);
    all->items[0] = (struct expr_wishes){{{scope->refs_from + node->index, value}}, 1};
    all->count = 1;
    return all;
}

static const struct expr_alternatives *
of_input(struct expr_solver *solver, const struct expr_solve_scope *scope, const struct json *value)
{
    while (scope != NULL && scope->input == NULL)
        scope = scope->outer; /* a variable was bound there, no more */
    if (scope == NULL)
        return expr_solve_none(solver);
    if (scope->items > 0)
        value = expr_solve_list(solver, value, scope->items);
    return expr_solve_value(solver, scope->input, scope->outer, value);
}

static const struct expr_alternatives *of_local(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope,
                                                const struct json *value)
{
    for (; scope != NULL; scope = scope->outer)
        if (scope->bound != NULL && scope->local == node->index)
            return expr_solve_value(solver, scope->bound, scope->outer, value);
    return expr_solve_none(solver);
}

static const struct expr_alternatives *of_index(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope,
                                                const struct json *value)
{
    const struct json *index = expr_solve_constant(solver, node->children[1]);
    int64_t at = 0;
    if (index == NULL)
        return expr_solve_none(solver);
    if (index->kind == JSON_STRING)
        return expr_solve_value(solver, node->children[0], scope,
                                expr_solve_member(solver, index->text, value));
    if (index->kind != JSON_NUMBER || !json_to_i64(index, &at) || at < -1 || at > INDEX_MAX)
        return expr_solve_none(solver);
    uint32_t count = at < 0 ? 1 : (uint32_t)at + 1;
    const struct json **items = arena_array(solver->how->arena, count, sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = &expr_solve_any;
    items[count - 1] = value;
    return expr_solve_value(solver, node->children[0], scope,
                            json_new_array(solver->how->arena, items, count));
}

/* ---- what is made of several ---- */

static const struct expr_alternatives *of_pipe(struct expr_solver *solver, const struct expr_node *node,
                                               const struct expr_solve_scope *scope,
                                               struct expr_solve_want want)
{
    for (uint32_t i = 1; i < node->count; i++) {
        struct expr_solve_scope *stage = expr_solve_within(solver, scope);
        stage->input = node->children[i - 1];
        scope = stage;
    }
    return expr_solve_node(solver, node->children[node->count - 1], scope, want);
}

static const struct expr_alternatives *of_as(struct expr_solver *solver, const struct expr_node *node,
                                             const struct expr_solve_scope *scope,
                                             struct expr_solve_want want)
{
    struct expr_solve_scope *inner = expr_solve_within(solver, scope);
    inner->input = NULL;
    inner->local = node->index;
    inner->bound = node->children[0];
    return expr_solve_node(solver, node->children[1], inner, want);
}

static const struct expr_alternatives *truth_of(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope, bool truth)
{
    return expr_solve_node(solver, node, scope,
                           (struct expr_solve_want){truth ? EXPR_WANT_TRUE : EXPR_WANT_FALSE, NULL});
}

/* `and` when it is to be true, `or` when it is to be false: both sides, or one. */
static const struct expr_alternatives *of_logic(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope,
                                                struct expr_solve_want want)
{
    bool truth = expr_solve_is_true(want);
    if (!truth && !expr_solve_is_false(want))
        return expr_solve_none(solver);
    const struct expr_alternatives *left = truth_of(solver, node->children[0], scope, truth);
    const struct expr_alternatives *right = truth_of(solver, node->children[1], scope, truth);
    if ((node->op == EXPR_OP_AND) == truth)
        return expr_solve_both(solver, left, right);
    struct expr_alternatives *all = expr_solve_none(solver);
    const struct expr_alternatives *not_left = truth_of(solver, node->children[0], scope, !truth);
    expr_solve_append(all, left);
    expr_solve_append(all, expr_solve_both(solver, not_left, right)); /* else it is not looked at */
    expr_solve_append(all, right);
    return all;
}

static const struct expr_alternatives *of_alternative(struct expr_solver *solver,
                                                      const struct expr_node *node,
                                                      const struct expr_solve_scope *scope,
                                                      struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    const struct expr_alternatives *left_out = truth_of(solver, node->children[0], scope, false);
    const struct expr_alternatives *right = expr_solve_node(solver, node->children[1], scope, want);
    if (want.kind != EXPR_WANT_FALSE)
        expr_solve_append(all, expr_solve_node(solver, node->children[0], scope, want));
    expr_solve_append(all, expr_solve_both(solver, left_out, right));
    return all;
}

static const struct expr_alternatives *of_if(struct expr_solver *solver, const struct expr_node *node,
                                             const struct expr_solve_scope *scope,
                                             struct expr_solve_want want)
{
    struct expr_alternatives *all = expr_solve_none(solver);
    for (uint32_t way = 1; way < node->count; way++)
        expr_solve_append(all, expr_solve_both(solver, truth_of(solver, node->children[0], scope, way == 1),
                                               expr_solve_node(solver, node->children[way], scope, want)));
    return all;
}

static const struct expr_alternatives *of_constant(struct expr_solver *solver, const struct json *value,
                                                   struct expr_solve_want want)
{
    bool fits = want.kind == EXPR_WANT_VALUE ? want.value == &expr_solve_any || json_equal(value, want.value)
                                             : expr_truth(value) == (want.kind == EXPR_WANT_TRUE);
    return fits ? anyway(solver) : expr_solve_none(solver);
}

static const struct expr_alternatives *of_program(struct expr_solver *solver, const struct expr_node *node,
                                                  const struct expr_solve_scope *scope,
                                                  struct expr_solve_want want)
{
    struct expr_solve_scope *inner = expr_solve_within(solver, scope);
    inner->input = NULL;
    inner->refs_from = scope->refs_from + node->index;
    return expr_solve_node(solver, node->children[0], inner, want);
}

/* A value that is read as it is. */
static const struct expr_alternatives *of_read(struct expr_solver *solver, const struct expr_node *node,
                                               const struct expr_solve_scope *scope,
                                               struct expr_solve_want want)
{
    if (want.kind != EXPR_WANT_VALUE)
        return as_value(solver, node, scope, want.kind == EXPR_WANT_TRUE);
    if (node->op == EXPR_OP_REF)
        return of_ref(solver, node, scope, want.value);
    if (node->op == EXPR_OP_INPUT)
        return of_input(solver, scope, want.value);
    if (node->op == EXPR_OP_LOCAL)
        return of_local(solver, node, scope, want.value);
    if (node->op == EXPR_OP_INDEX)
        return of_index(solver, node, scope, want.value);
    const struct json *whole = node->op == EXPR_OP_ITERATE ? expr_solve_list(solver, want.value, 1)
                                                           : expr_solve_member(solver, node->key, want.value);
    return expr_solve_value(solver, node->children[0], scope, whole);
}

static const struct expr_alternatives *dispatch(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope,
                                                struct expr_solve_want want)
{
    switch (node->op) {
    case EXPR_OP_CONSTANT:
        return of_constant(solver, node->value, want);
    case EXPR_OP_INPUT:
    case EXPR_OP_REF:
    case EXPR_OP_LOCAL:
    case EXPR_OP_FIELD:
    case EXPR_OP_INDEX:
    case EXPR_OP_ITERATE:
        return of_read(solver, node, scope, want);
    case EXPR_OP_TRY:
        return expr_solve_node(solver, node->children[0], scope, want);
    case EXPR_OP_PIPE:
        return of_pipe(solver, node, scope, want);
    case EXPR_OP_AS:
        return of_as(solver, node, scope, want);
    case EXPR_OP_AND:
    case EXPR_OP_OR:
        return of_logic(solver, node, scope, want);
    case EXPR_OP_ALTERNATIVE:
        return of_alternative(solver, node, scope, want);
    case EXPR_OP_IF:
        return of_if(solver, node, scope, want);
    case EXPR_OP_BINARY:
    case EXPR_OP_NEGATE:
    case EXPR_OP_TEXT:
        return expr_solve_binary(solver, node, scope, want);
    case EXPR_OP_CALL:
        return expr_solve_function(solver, node, scope, want);
    case EXPR_OP_PROGRAM:
        return of_program(solver, node, scope, want);
    case EXPR_OP_SLICE:
    case EXPR_OP_COMMA:
    case EXPR_OP_ARRAY:
    case EXPR_OP_OBJECT:
    case EXPR_OP_RECORD:
        return expr_solve_none(solver);
    }
    check_never("a node of no kind");
}

const struct expr_alternatives *expr_solve_node(struct expr_solver *solver, const struct expr_node *node,
                                                const struct expr_solve_scope *scope,
                                                struct expr_solve_want want)
{
    if (solver->work >= WORK_MAX || solver->depth >= DEPTH_MAX)
        return expr_solve_none(solver);
    solver->work++;
    solver->depth++;
    const struct expr_alternatives *all = dispatch(solver, node, scope, want);
    solver->depth--;
    return all;
}

const struct expr_alternatives *expr_solve(const struct expr_solve *how, const struct expr *program,
                                           enum expr_want want, const struct json *value)
{
    static const struct expr_solve_scope top = {.local = LIMITS_EXPR_LOCALS};
    struct expr_solver solver = {.how = how};
    check(how->arena != NULL && how->match != NULL);
    check((want == EXPR_WANT_VALUE) == (value != NULL));
    return expr_solve_node(&solver, program->root, &top, (struct expr_solve_want){want, value});
}
