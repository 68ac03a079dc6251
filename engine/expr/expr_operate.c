/* Arithmetic, comparison and the other operators, as jq means them. Called by the evaluator and by functions.
 * Never gives a rounded sum. */
#include "engine/expr/expr_operate.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/expr/decimal.h"
#include "engine/expr/expr_path.h"
#include "engine/expr/expr_value.h"

/* ---- numbers ---- */

static bool fail_range(struct expr_run *run, const struct expr_node *node)
{
    return expr_run_fail(run, node, EXPR_FAULT_VALUE, "a number has more than %d digits or is out of range",
                         DECIMAL_DIGITS);
}

static bool fail_zero(struct expr_run *run, const struct expr_node *node)
{
    return expr_run_fail(run, node, EXPR_FAULT_VALUE, "division by zero");
}

/* The integer result of an operation on two integers, when it is one of 64 bits. */
static bool whole_result(enum expr_operator operation, int64_t a, int64_t b, int64_t *result)
{
    switch (operation) {
    case EXPR_OPERATOR_ADD:
        return !__builtin_add_overflow(a, b, result);
    case EXPR_OPERATOR_SUBTRACT:
        return !__builtin_sub_overflow(a, b, result);
    case EXPR_OPERATOR_MULTIPLY:
        return !__builtin_mul_overflow(a, b, result);
    case EXPR_OPERATOR_DIVIDE:
        if (b == 0 || b == -1 || a % b != 0)
            return false;
        *result = a / b;
        return true;
    case EXPR_OPERATOR_REMAINDER:
    case EXPR_OPERATOR_EQUAL:
    case EXPR_OPERATOR_UNEQUAL:
    case EXPR_OPERATOR_LESS:
    case EXPR_OPERATOR_LESS_EQUAL:
    case EXPR_OPERATOR_GREATER:
    case EXPR_OPERATOR_GREATER_EQUAL:
        return false;
    }
    return false;
}

static enum err decimal_result(enum expr_operator operation, const struct decimal *a, const struct decimal *b,
                               struct decimal *result)
{
    struct decimal negated;
    switch (operation) {
    case EXPR_OPERATOR_ADD:
        return decimal_add(a, b, result);
    case EXPR_OPERATOR_SUBTRACT:
        negated = decimal_negate(b);
        return decimal_add(a, &negated, result);
    case EXPR_OPERATOR_MULTIPLY:
        return decimal_multiply(a, b, result);
    case EXPR_OPERATOR_DIVIDE:
        return decimal_divide(a, b, result);
    case EXPR_OPERATOR_REMAINDER:
    case EXPR_OPERATOR_EQUAL:
    case EXPR_OPERATOR_UNEQUAL:
    case EXPR_OPERATOR_LESS:
    case EXPR_OPERATOR_LESS_EQUAL:
    case EXPR_OPERATOR_GREATER:
    case EXPR_OPERATOR_GREATER_EQUAL:
        break;
    }
    check(false);
    return ERR_INVALID;
}

static const struct json *calculate(struct expr_run *run, const struct expr_node *node,
                                    enum expr_operator operation, const struct json *a, const struct json *b)
{
    int64_t left = 0;
    int64_t right = 0;
    int64_t whole = 0;
    struct decimal x, y, result;
    if (json_to_i64(a, &left) && json_to_i64(b, &right) && whole_result(operation, left, right, &whole))
        return expr_value_i64(run, whole);
    if (decimal_parse(a->text, &x) != ERR_OK || decimal_parse(b->text, &y) != ERR_OK) {
        fail_range(run, node);
        return NULL;
    }
    enum err err = decimal_result(operation, &x, &y, &result);
    if (err == ERR_OK)
        return json_new_number(run->arena, decimal_text(run->arena, &result));
    if (err == ERR_INVALID)
        fail_zero(run, node);
    else
        fail_range(run, node);
    return NULL;
}

/* Without its fraction, as jq's % takes its numbers. */
static bool truncate(const struct json *number, int64_t *whole)
{
    struct decimal decimal;
    if (json_to_i64(number, whole))
        return true;
    return decimal_parse(number->text, &decimal) == ERR_OK && decimal_truncate(&decimal, whole);
}

static const struct json *remainder_of(struct expr_run *run, const struct expr_node *node,
                                       const struct json *a, const struct json *b)
{
    int64_t left = 0;
    int64_t right = 0;
    if (!truncate(a, &left) || !truncate(b, &right)) {
        expr_run_fail(run, node, EXPR_FAULT_VALUE, "a number of %% does not fit in 64 bits");
        return NULL;
    }
    if (right == 0) {
        fail_zero(run, node);
        return NULL;
    }
    return expr_value_i64(run, right == -1 ? 0 : left % right); /* INT64_MIN % -1 would trap */
}

bool expr_operate_negate(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *parts)
{
    (void)input;
    if (parts[0]->kind != JSON_NUMBER)
        return expr_run_fail(run, node, EXPR_FAULT_TYPE, "cannot negate %s", expr_value_kind_name(parts[0]));
    struct str text = parts[0]->text;
    if (json_number_compare(text, STR("0")) == 0)
        text = STR("0");
    else if (str_starts(text, STR("-")))
        text = str_slice(text, 1, text.size);
    else
        text = arena_printf(run->arena, "-%.*s", STR_ARG(text));
    return expr_run_push(run, json_new_number(run->arena, text));
}

/* ---- strings, arrays, objects ---- */

static size_t length_of(const struct json *value)
{
    return value->kind == JSON_STRING ? value->text.size : value->count;
}

static const struct json *join_strings(struct expr_run *run, const struct expr_node *node,
                                       const struct json *const *items, uint32_t count, size_t size)
{
    char *joined = expr_run_alloc(run, node, size);
    if (!joined)
        return NULL;
    char *next = joined;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i]->text.size > 0)
            memcpy(next, items[i]->text.data, items[i]->text.size);
        next += items[i]->text.size;
    }
    return json_new_string(run->arena, (struct str){joined, size});
}

static const struct json *join_arrays(struct expr_run *run, const struct expr_node *node,
                                      const struct json *const *items, uint32_t count, size_t size)
{
    const struct json **joined = expr_run_alloc(run, node, size * sizeof(*joined));
    if (!joined)
        return NULL;
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < items[i]->count; j++)
            joined[at++] = items[i]->items[j];
    return json_new_array(run->arena, joined, (uint32_t)size);
}

static const struct json *join_objects(struct expr_run *run, const struct expr_node *node,
                                       const struct json *const *items, uint32_t count, size_t size)
{
    struct json_member *members = expr_run_alloc(run, node, size * sizeof(*members));
    if (!members)
        return NULL;
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < items[i]->count; j++)
            members[at++] = items[i]->members[j];
    return expr_value_merge(run, node, members, (uint32_t)size);
}

/* All items are of the same kind, one of the three. */
static const struct json *join_same(struct expr_run *run, const struct expr_node *node,
                                    const struct json *const *items, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += length_of(items[i]);
    enum json_kind kind = items[0]->kind;
    if (!expr_run_work(run, node, kind == JSON_STRING ? size / EXPR_RUN_STEP_WORK : size))
        return NULL;
    if (kind == JSON_STRING)
        return join_strings(run, node, items, count, size);
    if (kind == JSON_ARRAY)
        return join_arrays(run, node, items, count, size);
    check(kind == JSON_OBJECT);
    return join_objects(run, node, items, count, size);
}

static const struct json *fail_kinds(struct expr_run *run, const struct expr_node *node, const char *what,
                                     const struct json *a, const struct json *b)
{
    expr_run_fail(run, node, EXPR_FAULT_TYPE, "%s and %s cannot be %s", expr_value_kind_name(a),
                  expr_value_kind_name(b), what);
    return NULL;
}

const struct json *expr_operate_add(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                    const struct json *b)
{
    if (a->kind == JSON_NULL)
        return b;
    if (b->kind == JSON_NULL)
        return a;
    if (a->kind != b->kind || a->kind == JSON_BOOL)
        return fail_kinds(run, node, "added", a, b);
    if (a->kind == JSON_NUMBER)
        return calculate(run, node, EXPR_OPERATOR_ADD, a, b);
    return join_same(run, node, (const struct json *[]){a, b}, 2);
}

/* Numbers added without a value for each sum on the way: in 64 bits as far as that goes. */
static const struct json *sum_numbers(struct expr_run *run, const struct expr_node *node,
                                      const struct json *const *items, uint32_t count)
{
    int64_t whole = 0;
    int64_t item = 0;
    uint32_t i = 0;
    while (i < count && json_to_i64(items[i], &item) && !__builtin_add_overflow(whole, item, &item)) {
        whole = item;
        i++;
    }
    if (i == count)
        return expr_value_i64(run, whole);
    struct decimal sum = decimal_from_i64(whole);
    for (; i < count; i++) {
        struct decimal next, more;
        if (decimal_parse(items[i]->text, &more) != ERR_OK || decimal_add(&sum, &more, &next) != ERR_OK) {
            fail_range(run, node);
            return NULL;
        }
        sum = next;
    }
    return json_new_number(run->arena, decimal_text(run->arena, &sum));
}

/* A run of one kind, joined in one go where there are several. */
static const struct json *sum_same(struct expr_run *run, const struct expr_node *node,
                                   const struct json *const *items, uint32_t count)
{
    if (count == 1 || items[0]->kind == JSON_NULL)
        return items[0];
    if (items[0]->kind == JSON_BOOL)
        return fail_kinds(run, node, "added", items[0], items[1]);
    if (items[0]->kind == JSON_NUMBER)
        return sum_numbers(run, node, items, count);
    return join_same(run, node, items, count);
}

const struct json *expr_operate_sum(struct expr_run *run, const struct expr_node *node,
                                    const struct json *const *items, uint32_t count)
{
    const struct json *sum = &json_null;
    uint32_t i = 0;
    while (sum && i < count) {
        uint32_t same = 1;
        while (i + same < count && items[i + same]->kind == items[i]->kind)
            same++;
        const struct json *part =
            expr_run_work(run, node, same) ? sum_same(run, node, items + i, same) : NULL;
        sum = part ? expr_operate_add(run, node, sum, part) : NULL;
        i += same;
    }
    return sum;
}

/* The items of a that equal none of b. */
static const struct json *without(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                  const struct json *b)
{
    const struct json **kept = expr_run_alloc(run, node, a->count * sizeof(*kept));
    uint32_t count = 0;
    for (uint32_t i = 0; kept && i < a->count; i++) {
        int order = 1;
        for (uint32_t j = 0; order != 0 && j < b->count; j++)
            if (!expr_value_compare(run, node, a->items[i], b->items[j], &order))
                return NULL;
        if (order != 0)
            kept[count++] = a->items[i];
    }
    return kept ? json_new_array(run->arena, kept, count) : NULL;
}

static const struct json *subtract(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                   const struct json *b)
{
    if (a->kind == JSON_NUMBER && b->kind == JSON_NUMBER)
        return calculate(run, node, EXPR_OPERATOR_SUBTRACT, a, b);
    if (a->kind == JSON_ARRAY && b->kind == JSON_ARRAY)
        return without(run, node, a, b);
    return fail_kinds(run, node, "subtracted", a, b);
}

/* As jq: null for a count not above zero, else at least once. */
static const struct json *repeat(struct expr_run *run, const struct expr_node *node, struct str text,
                                 const struct json *times)
{
    if (json_number_compare(times->text, STR("0")) <= 0)
        return &json_null;
    int64_t count = expr_path_position(times);
    count = count < 1 ? 1 : count;
    if (text.size > 0 && (uint64_t)count > LIMITS_EXPR_RESULT_BYTES / text.size) {
        expr_run_fail(run, node, EXPR_FAULT_BUDGET, "the repeated string is larger than %d bytes",
                      LIMITS_EXPR_RESULT_BYTES);
        return NULL;
    }
    size_t size = text.size * (text.size > 0 ? (size_t)count : 0);
    char *data = expr_run_alloc(run, node, size);
    if (!data)
        return NULL;
    for (size_t at = 0; at < size; at += text.size)
        memcpy(data + at, text.data, text.size);
    return json_new_string(run->arena, (struct str){data, size});
}

/* a * b of objects: members of b go into a, objects into objects. */
static const struct json *deep_merge(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                     const struct json *b)
{
    size_t count = (size_t)a->count + b->count;
    struct json_member *members = expr_run_alloc(run, node, count * sizeof(*members));
    if (!members || !expr_run_work(run, node, count + (size_t)a->count * b->count / EXPR_RUN_STEP_WORK))
        return NULL;
    for (uint32_t i = 0; i < a->count; i++)
        members[i] = a->members[i];
    for (uint32_t i = 0; i < b->count; i++) {
        struct json_member *member = &members[a->count + i];
        *member = b->members[i];
        const struct json *old = json_get(a, member->key);
        if (old && old->kind == JSON_OBJECT && member->value->kind == JSON_OBJECT)
            member->value = deep_merge(run, node, old, member->value);
        if (!member->value)
            return NULL;
    }
    return expr_value_merge(run, node, members, (uint32_t)count);
}

static const struct json *multiply(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                   const struct json *b)
{
    if (a->kind == JSON_NUMBER && b->kind == JSON_NUMBER)
        return calculate(run, node, EXPR_OPERATOR_MULTIPLY, a, b);
    if (a->kind == JSON_STRING && b->kind == JSON_NUMBER)
        return repeat(run, node, a->text, b);
    if (a->kind == JSON_NUMBER && b->kind == JSON_STRING)
        return repeat(run, node, b->text, a);
    if (a->kind == JSON_OBJECT && b->kind == JSON_OBJECT)
        return deep_merge(run, node, a, b);
    return fail_kinds(run, node, "multiplied", a, b);
}

/* ---- split ---- */

/* The size of the piece at the begin of `text`: up to the separator, or one character when that is empty. */
static size_t piece_size(struct str text, struct str separator)
{
    if (separator.size > 0) {
        const char *found = memmem(text.data, text.size, separator.data, separator.size);
        return found ? (size_t)(found - text.data) : text.size;
    }
    size_t size = 1;
    while (size < text.size && (text.data[size] & 0xc0) == 0x80)
        size++;
    return size;
}

const struct json *expr_operate_split(struct expr_run *run, const struct expr_node *node, struct str text,
                                      struct str separator)
{
    uint32_t mark = run->top;
    if (!expr_run_work(run, node, text.size / EXPR_RUN_STEP_WORK))
        return NULL;
    bool more = text.size > 0;
    while (more) {
        size_t size = piece_size(text, separator);
        const struct json *piece = json_new_string(run->arena, str_slice(text, 0, size));
        if (!expr_run_work(run, node, 1) || !expr_run_push(run, piece))
            return NULL;
        /* a separator at the end is followed by an empty piece, the last character by nothing */
        bool separated = separator.size > 0 && size < text.size;
        text = str_slice(text, size + separator.size, text.size);
        more = separated || (separator.size == 0 && text.size > 0);
    }
    const struct json *array = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return array;
}

static const struct json *divide(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                 const struct json *b)
{
    if (a->kind == JSON_NUMBER && b->kind == JSON_NUMBER)
        return calculate(run, node, EXPR_OPERATOR_DIVIDE, a, b);
    if (a->kind == JSON_STRING && b->kind == JSON_STRING)
        return expr_operate_split(run, node, a->text, b->text);
    return fail_kinds(run, node, "divided", a, b);
}

/* ---- all of them ---- */

static const struct json *compare(struct expr_run *run, const struct expr_node *node,
                                  enum expr_operator operation, const struct json *a, const struct json *b)
{
    int order = 0;
    if (!expr_value_compare(run, node, a, b, &order))
        return NULL;
    switch (operation) {
    case EXPR_OPERATOR_EQUAL:
        return json_new_bool(order == 0);
    case EXPR_OPERATOR_UNEQUAL:
        return json_new_bool(order != 0);
    case EXPR_OPERATOR_LESS:
        return json_new_bool(order < 0);
    case EXPR_OPERATOR_LESS_EQUAL:
        return json_new_bool(order <= 0);
    case EXPR_OPERATOR_GREATER:
        return json_new_bool(order > 0);
    case EXPR_OPERATOR_GREATER_EQUAL:
        return json_new_bool(order >= 0);
    case EXPR_OPERATOR_ADD:
    case EXPR_OPERATOR_SUBTRACT:
    case EXPR_OPERATOR_MULTIPLY:
    case EXPR_OPERATOR_DIVIDE:
    case EXPR_OPERATOR_REMAINDER:
        break;
    }
    check(false);
    return NULL;
}

static const struct json *operate(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                  const struct json *b)
{
    enum expr_operator operation = (enum expr_operator)node->index;
    switch (operation) {
    case EXPR_OPERATOR_ADD:
        return expr_operate_add(run, node, a, b);
    case EXPR_OPERATOR_SUBTRACT:
        return subtract(run, node, a, b);
    case EXPR_OPERATOR_MULTIPLY:
        return multiply(run, node, a, b);
    case EXPR_OPERATOR_DIVIDE:
        return divide(run, node, a, b);
    case EXPR_OPERATOR_REMAINDER:
        if (a->kind == JSON_NUMBER && b->kind == JSON_NUMBER)
            return remainder_of(run, node, a, b);
        return fail_kinds(run, node, "divided with a remainder", a, b);
    case EXPR_OPERATOR_EQUAL:
    case EXPR_OPERATOR_UNEQUAL:
    case EXPR_OPERATOR_LESS:
    case EXPR_OPERATOR_LESS_EQUAL:
    case EXPR_OPERATOR_GREATER:
    case EXPR_OPERATOR_GREATER_EQUAL:
        return compare(run, node, operation, a, b);
    }
    check(false);
    return NULL;
}

bool expr_operate_binary(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *parts)
{
    (void)input;
    const struct json *value = operate(run, node, parts[0], parts[1]);
    return value && expr_run_push(run, value);
}
