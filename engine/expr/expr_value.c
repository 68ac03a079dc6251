/* Values: order, equality, size, text, and building new ones. Called by all of the evaluator. Everything that
 * grows is charged to the budget first. */
#include "engine/expr/expr_value.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"

const char *expr_value_kind_name(const struct json *value)
{
    switch (value->kind) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "a boolean";
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        return "an object";
    }
    check(false);
    return NULL;
}

struct str expr_value_excerpt(struct str text, size_t size)
{
    while (text.size > size || (size > 0 && text.size == size && (text.data[size - 1] & 0xc0) == 0xc0))
        text.size = text.size > size ? size : text.size - 1;
    while (text.size == size && text.size > 0 && (text.data[text.size - 1] & 0xc0) == 0x80)
        text.size--;
    return text;
}

size_t expr_value_characters(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

/* ---- order ---- */

static int rank(const struct json *value)
{
    switch (value->kind) {
    case JSON_NULL:
        return 0;
    case JSON_BOOL:
        return value->boolean ? 2 : 1;
    case JSON_NUMBER:
        return 3;
    case JSON_STRING:
        return 4;
    case JSON_ARRAY:
        return 5;
    case JSON_OBJECT:
        return 6;
    }
    check(false);
    return 0;
}

static int compare_numbers(const struct json *a, const struct json *b)
{
    int64_t left = 0;
    int64_t right = 0;
    if (json_to_i64(a, &left) && json_to_i64(b, &right))
        return (left > right) - (left < right);
    return json_number_compare(a->text, b->text);
}

static int compare_keys(const void *left, const void *right)
{
    const struct json_member *a = *(const struct json_member *const *)left;
    const struct json_member *b = *(const struct json_member *const *)right;
    return str_compare(a->key, b->key);
}

const struct json_member **expr_value_members(struct expr_run *run, const struct expr_node *node,
                                              const struct json *object)
{
    const struct json_member **members = expr_run_alloc(run, node, object->count * sizeof(*members));
    if (!members || !expr_run_work(run, node, object->count * 4U))
        return NULL;
    for (uint32_t i = 0; i < object->count; i++)
        members[i] = &object->members[i];
    qsort(members, object->count, sizeof(*members), compare_keys);
    return members;
}

static bool compare_arrays(struct expr_run *run, const struct expr_node *node, const struct json *a,
                           const struct json *b, int *order)
{
    *order = 0;
    for (uint32_t i = 0; i < a->count && i < b->count && *order == 0; i++)
        if (!expr_value_compare(run, node, a->items[i], b->items[i], order))
            return false;
    if (*order == 0)
        *order = (a->count > b->count) - (a->count < b->count);
    return true;
}

static bool compare_objects(struct expr_run *run, const struct expr_node *node, const struct json *a,
                            const struct json *b, int *order)
{
    const struct json_member **left = expr_value_members(run, node, a);
    const struct json_member **right = left ? expr_value_members(run, node, b) : NULL;
    if (!left || !right)
        return false;
    *order = 0;
    for (uint32_t i = 0; i < a->count && i < b->count && *order == 0; i++)
        *order = str_compare(left[i]->key, right[i]->key);
    if (*order == 0)
        *order = (a->count > b->count) - (a->count < b->count);
    for (uint32_t i = 0; i < a->count && *order == 0; i++)
        if (!expr_value_compare(run, node, left[i]->value, right[i]->value, order))
            return false;
    return true;
}

bool expr_value_compare(struct expr_run *run, const struct expr_node *node, const struct json *a,
                        const struct json *b, int *order)
{
    enum { BYTES_PER_UNIT = 32 }; /* memcmp is that much faster than a step */
    *order = a == b ? 0 : rank(a) - rank(b);
    if (!expr_run_work(run, node,
                       1 + (a->text.size < b->text.size ? a->text.size : b->text.size) / BYTES_PER_UNIT))
        return false;
    if (*order != 0 || a == b)
        return true;
    switch (a->kind) {
    case JSON_NULL:
    case JSON_BOOL:
        return true;
    case JSON_NUMBER:
        *order = compare_numbers(a, b);
        return true;
    case JSON_STRING:
        *order = str_compare(a->text, b->text);
        return true;
    case JSON_ARRAY:
        return compare_arrays(run, node, a, b, order);
    case JSON_OBJECT:
        return compare_objects(run, node, a, b, order);
    }
    check(false);
    return false;
}

/* Merges the sorted runs [begin, middle) and [middle, end) of `from` into `to`. */
static bool merge_runs(struct expr_run *run, const struct expr_node *node, const struct json *(*from)[2],
                       const struct json *(*to)[2], uint32_t begin, uint32_t middle, uint32_t end)
{
    uint32_t left = begin;
    uint32_t right = middle;
    for (uint32_t i = begin; i < end; i++) {
        int order = left < middle ? -1 : 1;
        if (left < middle && right < end &&
            !expr_value_compare(run, node, from[left][0], from[right][0], &order))
            return false;
        uint32_t taken = order <= 0 ? left++ : right++;
        to[i][0] = from[taken][0];
        to[i][1] = from[taken][1];
    }
    return true;
}

/* Bottom-up merge sort: stable, and its comparisons may fail. */
bool expr_value_sort(struct expr_run *run, const struct expr_node *node, const struct json **keys,
                     const struct json **values, uint32_t count)
{
    const struct json *(*from)[2] = expr_run_alloc(run, node, count * sizeof(*from));
    const struct json *(*to)[2] = from ? expr_run_alloc(run, node, count * sizeof(*to)) : NULL;
    if (!from || !to)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        from[i][0] = keys[i];
        from[i][1] = values[i];
    }
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t begin = 0; begin < count; begin += 2 * width) {
            uint32_t middle = begin + width < count ? begin + width : count;
            uint32_t end = begin + 2 * width < count ? begin + 2 * width : count;
            if (!merge_runs(run, node, from, to, begin, middle, end))
                return false;
        }
        const struct json *(*swap)[2] = from;
        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = from[i][0];
        values[i] = from[i][1];
    }
    return true;
}

/* ---- size ---- */

static bool measure(struct expr_run *run, const struct expr_node *node, const struct json *value,
                    unsigned depth, size_t *bytes)
{
    bool nests = value->kind == JSON_ARRAY || value->kind == JSON_OBJECT;
    *bytes += value->text.size + 2;
    if (*bytes > LIMITS_EXPR_RESULT_BYTES)
        return expr_run_fail(run, node, EXPR_FAULT_BUDGET, "the value is larger than %d bytes",
                             LIMITS_EXPR_RESULT_BYTES);
    if (nests && depth >= LIMITS_JSON_DEPTH)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the value is nested deeper than %d",
                             LIMITS_JSON_DEPTH);
    for (uint32_t i = 0; i < value->count; i++) {
        if (value->kind == JSON_OBJECT)
            *bytes += value->members[i].key.size + 2;
        const struct json *part = value->kind == JSON_OBJECT ? value->members[i].value : value->items[i];
        if (!measure(run, node, part, depth + 1, bytes))
            return false;
    }
    return true;
}

bool expr_value_measure(struct expr_run *run, const struct expr_node *node, const struct json *value)
{
    size_t bytes = 0;
    return measure(run, node, value, 0, &bytes);
}

bool expr_value_text(struct expr_run *run, const struct expr_node *node, const struct json *value,
                     struct str *text)
{
    if (value->kind == JSON_STRING || value->kind == JSON_NUMBER) {
        *text = value->text;
        return true;
    }
    if (!expr_value_measure(run, node, value))
        return false;
    *text = json_text(run->arena, value);
    return expr_run_work(run, node, text->size / EXPR_RUN_STEP_WORK);
}

/* ---- building ---- */

const struct json *expr_value_i64(struct expr_run *run, int64_t number)
{
    enum { DIGITS_MAX = 20 }; /* of 2^63, and a sign */
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    /* The text lies behind its value, in one piece: numbers are the most frequent results. */
    struct json *value = arena_alloc(run->arena, sizeof(*value) + sizeof(digits) - at);
    char *text = (char *)(value + 1);
    memcpy(text, digits + at, sizeof(digits) - at);
    value->kind = JSON_NUMBER;
    value->text = (struct str){text, sizeof(digits) - at};
    return value;
}

const struct json *expr_value_array(struct expr_run *run, const struct expr_node *node,
                                    const struct json *const *items, uint32_t count)
{
    const struct json **copy = expr_run_alloc(run, node, count * sizeof(*copy));
    if (!copy || !expr_run_work(run, node, count))
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        copy[i] = items[i];
    return json_new_array(run->arena, copy, count);
}

/* The place of each key's first member, and at which of several the value stands: sorted by key, then by
 * place. */
static int compare_places(const void *left, const void *right)
{
    const struct json_member *a = *(const struct json_member *const *)left;
    const struct json_member *b = *(const struct json_member *const *)right;
    int order = str_compare(a->key, b->key);
    return order != 0 ? order : (a > b) - (a < b);
}

/* Moves the last value of equal keys to the first of them and marks the others by a NULL value. */
static void fold_equal_keys(struct json_member **sorted, uint32_t count)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (!str_equal(sorted[i]->key, sorted[first]->key)) {
            first = i;
            continue;
        }
        sorted[first]->value = sorted[i]->value;
        sorted[i]->value = NULL;
    }
}

/* Few members are compared each with each. */
static uint32_t merge_few(struct json_member *members, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < kept && !str_equal(members[at].key, members[i].key))
            at++;
        if (at < kept)
            members[at].value = members[i].value;
        else
            members[kept++] = members[i];
    }
    return kept;
}

const struct json *expr_value_merge(struct expr_run *run, const struct expr_node *node,
                                    struct json_member *members, uint32_t count)
{
    if (count <= LIMITS_JSON_PAIRS)
        return json_new_object(run->arena, members, merge_few(members, count));
    struct json_member **sorted = expr_run_alloc(run, node, count * sizeof(*sorted));
    if (!sorted || !expr_run_work(run, node, count * 4U))
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &members[i];
    qsort(sorted, count, sizeof(*sorted), compare_places);
    fold_equal_keys(sorted, count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (members[i].value)
            members[kept++] = members[i];
    return json_new_object(run->arena, members, kept);
}

bool expr_value_object(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *const *parts)
{
    (void)input;
    uint32_t count = node->count / 2;
    struct json_member *members = expr_run_alloc(run, node, count * sizeof(*members));
    if (!members)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct json *key = parts[2 * i];
        if (key->kind != JSON_STRING)
            return expr_run_fail(run, node, EXPR_FAULT_TYPE, "the name of a member is %s, not a string",
                                 expr_value_kind_name(key));
        members[i] = (struct json_member){key->text, parts[2 * i + 1]};
    }
    const struct json *object = expr_value_merge(run, node, members, count);
    return object && expr_run_push(run, object);
}

bool expr_value_record(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *const *parts)
{
    (void)input;
    struct json_member *members = expr_run_alloc(run, node, node->count * sizeof(*members));
    if (!members)
        return false;
    for (uint32_t i = 0; i < node->count; i++)
        members[i] = (struct json_member){node->keys[i], parts[i]};
    return expr_run_push(run, json_new_object(run->arena, members, node->count));
}

bool expr_value_join(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts)
{
    (void)input;
    size_t size = 0;
    struct str *texts = expr_run_alloc(run, node, node->count * sizeof(*texts));
    if (!texts)
        return false;
    for (uint32_t i = 0; i < node->count; i++) {
        if (!expr_value_text(run, node, parts[i], &texts[i]))
            return false;
        size += texts[i].size;
    }
    char *joined = expr_run_alloc(run, node, size);
    if (!joined)
        return false;
    size = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        if (texts[i].size > 0)
            memcpy(joined + size, texts[i].data, texts[i].size);
        size += texts[i].size;
    }
    return expr_run_push(run, json_new_string(run->arena, (struct str){joined, size}));
}
