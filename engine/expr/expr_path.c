/* Fields, indexes, slices and iteration of values. Called by the evaluator and by functions. Never faults
 * where jq gives null. */
#include "engine/expr/expr_path.h"

#include "engine/expr/decimal.h"
#include "engine/expr/expr_value.h"

enum { KEY_SHOWN = 60 }; /* characters of a key in a message */

const struct json *expr_path_get(struct expr_run *run, const struct expr_node *node, const struct json *value,
                                 struct str key)
{
    if (value->kind == JSON_OBJECT) {
        if (value->count >= EXPR_PATH_MEMBERS_A_UNIT &&
            !expr_run_work(run, node, value->count / EXPR_PATH_MEMBERS_A_UNIT))
            return NULL;
        const struct json *member = json_get(value, key);
        return member ? member : &json_null;
    }
    if (value->kind == JSON_NULL)
        return &json_null;
    struct str shown = expr_value_excerpt(key, KEY_SHOWN);
    expr_run_fail(run, node, EXPR_FAULT_TYPE, "cannot read the field \"%.*s\" of %s", STR_ARG(shown),
                  expr_value_kind_name(value));
    return NULL;
}

const struct json *expr_path_ref(struct expr_run *run, const struct expr_node *node)
{
    const struct json *value = run->env->get(run->env->context, &run->refs[node->index], run->arena);
    if (!expr_run_looked_up(run, node))
        return NULL;
    if (!value)
        value = &json_null;
    for (uint32_t i = 0; value && i < node->key_count; i++)
        value = expr_path_get(run, node, value, node->keys[i]);
    return value;
}

/* Whether a number has a fraction that is not zero. */
static bool has_fraction(const struct json *number)
{
    int64_t whole = 0;
    struct decimal decimal;
    if (json_to_i64(number, &whole))
        return false;
    return decimal_parse(number->text, &decimal) == ERR_OK && decimal.count > 0 && decimal.exponent < 0;
}

int64_t expr_path_position(const struct json *number)
{
    int64_t position = 0;
    struct decimal decimal;
    if (json_to_i64(number, &position))
        return position;
    if (decimal_parse(number->text, &decimal) == ERR_OK && decimal_truncate(&decimal, &position))
        return position;
    return INT64_MAX; /* as good as any position that is not there */
}

const struct json *expr_path_item(const struct json *array, int64_t position)
{
    if (position < 0 && position >= -(int64_t)array->count)
        position += array->count;
    if (position < 0 || position >= array->count)
        return &json_null;
    return array->items[position];
}

/* A fault that the `?` behind the node turns into no value. */
static bool give_or_skip(struct expr_run *run, const struct expr_node *node, const struct json *value)
{
    if (value)
        return expr_run_push(run, value);
    return node->optional && expr_run_recover(run);
}

bool expr_path_field(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts)
{
    (void)input;
    return give_or_skip(run, node, expr_path_get(run, node, parts[0], node->key));
}

static const struct json *read_index(struct expr_run *run, const struct expr_node *node,
                                     const struct json *base, const struct json *index)
{
    if (index->kind == JSON_STRING && (base->kind == JSON_OBJECT || base->kind == JSON_NULL))
        return expr_path_get(run, node, base, index->text); /* names the key, which may be data, of others */
    if (index->kind == JSON_NUMBER && base->kind == JSON_ARRAY)
        return has_fraction(index) ? &json_null : expr_path_item(base, expr_path_position(index));
    if (index->kind == JSON_NUMBER && base->kind == JSON_NULL)
        return &json_null;
    expr_run_fail(run, node, EXPR_FAULT_TYPE, "cannot index %s with %s", expr_value_kind_name(base),
                  expr_value_kind_name(index));
    return NULL;
}

bool expr_path_index(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts)
{
    (void)input;
    return give_or_skip(run, node, read_index(run, node, parts[0], parts[1]));
}

/* One end of a slice in 0 … length: null is `otherwise`, a negative number counts from the end. Fractions
 * widen the slice: down at its begin, up at its end, as jq does. */
static uint32_t slice_end(const struct json *bound, uint32_t length, uint32_t otherwise, bool up)
{
    if (bound->kind == JSON_NULL)
        return otherwise;
    bool negative = str_starts(bound->text, STR("-"));
    int64_t position = expr_path_position(bound);
    if (negative && position == INT64_MAX)
        return 0; /* too large to be a position, on the negative side */
    if (has_fraction(bound) && position != INT64_MAX && up != negative)
        position += up ? 1 : -1;
    if (negative)
        position += length;
    if (position < 0)
        return 0;
    return position > length ? length : (uint32_t)position;
}

/* The byte where character number `position` begins. */
static size_t character_begin(struct str text, uint32_t position)
{
    size_t at = 0;
    while (position > 0 && at < text.size) {
        at++;
        while (at < text.size && (text.data[at] & 0xc0) == 0x80)
            at++;
        position--;
    }
    return at;
}

bool expr_path_slice(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts)
{
    (void)input;
    const struct json *base = parts[0];
    bool bounds = (parts[1]->kind == JSON_NULL || parts[1]->kind == JSON_NUMBER) &&
                  (parts[2]->kind == JSON_NULL || parts[2]->kind == JSON_NUMBER);
    if (base->kind == JSON_NULL && bounds)
        return expr_run_push(run, &json_null);
    if (!bounds || (base->kind != JSON_ARRAY && base->kind != JSON_STRING)) {
        expr_run_fail(run, node, EXPR_FAULT_TYPE,
                      bounds ? "cannot take a slice of %s" : "a slice of %s needs numbers",
                      expr_value_kind_name(base));
        return give_or_skip(run, node, NULL);
    }
    bool array = base->kind == JSON_ARRAY;
    uint32_t length = array ? base->count : (uint32_t)expr_value_characters(base->text);
    uint32_t begin = slice_end(parts[1], length, 0, false);
    uint32_t end = slice_end(parts[2], length, length, true);
    end = end < begin ? begin : end;
    if (!expr_run_work(run, node, array ? end - begin : base->text.size / EXPR_RUN_STEP_WORK))
        return false;
    const struct json *const *items = array && begin < end ? base->items + begin : NULL;
    if (array)
        return give_or_skip(run, node, expr_value_array(run, node, items, end - begin));
    size_t first = character_begin(base->text, begin);
    struct str rest = str_slice(base->text, first, base->text.size);
    struct str part = str_slice(rest, 0, character_begin(rest, end - begin));
    return expr_run_push(run, json_new_string(run->arena, part));
}

bool expr_path_iterate(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *const *parts)
{
    (void)input;
    const struct json *base = parts[0];
    if (base->kind != JSON_ARRAY && base->kind != JSON_OBJECT) {
        expr_run_fail(run, node, EXPR_FAULT_TYPE, "cannot go through the items of %s",
                      expr_value_kind_name(base));
        return give_or_skip(run, node, NULL);
    }
    if (!expr_run_work(run, node, base->count))
        return false;
    for (uint32_t i = 0; i < base->count; i++)
        if (!expr_run_push(run, base->kind == JSON_ARRAY ? base->items[i] : base->members[i].value))
            return false;
    return true;
}
