/* Trees of JSON: building, finding, comparing. Called everywhere. A tree that was made is never changed, and
 * a number is never turned into a double. */
#include "engine/base/json.h"
#include <stdlib.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

const struct json json_null = {.kind = JSON_NULL};
const struct json json_true = {.kind = JSON_BOOL, .boolean = true};
const struct json json_false = {.kind = JSON_BOOL};

const struct json *json_get(const struct json *object, struct str key)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    for (uint32_t i = 0; i < object->count; i++) {
        if (str_equal(object->members[i].key, key))
            return object->members[i].value;
    }
    return NULL;
}

struct str json_get_str(const struct json *object, struct str key)
{
    const struct json *value = json_get(object, key);
    return value && value->kind == JSON_STRING ? value->text : (struct str){0};
}

bool json_to_i64(const struct json *value, int64_t *number)
{
    return value && value->kind == JSON_NUMBER && str_to_i64(value->text, number);
}

bool json_get_i64(const struct json *object, struct str key, int64_t *number)
{
    return json_to_i64(json_get(object, key), number);
}

static int compare_members(const void *left, const void *right)
{
    const struct json_member *a = *(const struct json_member *const *)left;
    const struct json_member *b = *(const struct json_member *const *)right;
    return str_compare(a->key, b->key);
}

/* The members in the order of their keys; the caller frees the array. */
static const struct json_member **sorted_members(const struct json *object)
{
    const struct json_member **sorted = memory_new(object->count, sizeof *sorted);
    for (uint32_t i = 0; i < object->count; i++)
        sorted[i] = &object->members[i];
    qsort(sorted, object->count, sizeof *sorted, compare_members);
    return sorted;
}

static bool equal(const struct json *a, const struct json *b, unsigned depth);

static bool equal_large_objects(const struct json *a, const struct json *b, unsigned depth)
{
    const struct json_member **as = sorted_members(a);
    const struct json_member **bs = sorted_members(b);
    bool same = true;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = str_equal(as[i]->key, bs[i]->key) && equal(as[i]->value, bs[i]->value, depth);
    memory_free(as);
    memory_free(bs);
    return same;
}

static bool equal_objects(const struct json *a, const struct json *b, unsigned depth)
{
    if (a->count != b->count)
        return false;
    if (a->count > LIMITS_JSON_PAIRS)
        return equal_large_objects(a, b, depth);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct json *other = json_get(b, a->members[i].key);
        if (!other || !equal(a->members[i].value, other, depth))
            return false;
    }
    return true;
}

static bool equal_arrays(const struct json *a, const struct json *b, unsigned depth)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!equal(a->items[i], b->items[i], depth))
            return false;
    }
    return true;
}

static bool equal(const struct json *a, const struct json *b, unsigned depth)
{
    check(depth < LIMITS_JSON_BUILT_DEPTH);
    if (a == b)
        return true;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return a->boolean == b->boolean;
    case JSON_NUMBER:
        return str_equal(a->text, b->text) || json_number_compare(a->text, b->text) == 0;
    case JSON_STRING:
        return str_equal(a->text, b->text);
    case JSON_ARRAY:
        return equal_arrays(a, b, depth + 1);
    case JSON_OBJECT:
        return equal_objects(a, b, depth + 1);
    }
    check_never("a JSON value of no kind");
}

bool json_equal(const struct json *a, const struct json *b)
{
    return equal(a, b, 0);
}

static const struct json *copy(struct arena *arena, const struct json *value, unsigned depth)
{
    check(depth < LIMITS_JSON_BUILT_DEPTH);
    if (value->kind == JSON_NULL)
        return &json_null;
    if (value->kind == JSON_BOOL)
        return json_new_bool(value->boolean);
    struct json *made = arena_new(arena, struct json);
    *made = (struct json){.kind = value->kind, .count = value->count};
    if (value->kind == JSON_ARRAY) {
        const struct json **items = arena_array(arena, value->count, sizeof *items);
        for (uint32_t i = 0; i < value->count; i++)
            items[i] = copy(arena, value->items[i], depth + 1);
        made->items = items;
    } else if (value->kind == JSON_OBJECT) {
        made->members = arena_array(arena, value->count, sizeof *made->members);
        for (uint32_t i = 0; i < value->count; i++) {
            made->members[i].key = arena_copy(arena, value->members[i].key);
            made->members[i].value = copy(arena, value->members[i].value, depth + 1);
        }
    } else {
        made->text = arena_copy(arena, value->text);
    }
    return made;
}

const struct json *json_copy(struct arena *arena, const struct json *value)
{
    return value ? copy(arena, value, 0) : NULL;
}

static unsigned depth_of(const struct json *value, unsigned above)
{
    check(above < LIMITS_JSON_BUILT_DEPTH);
    if (value->kind != JSON_ARRAY && value->kind != JSON_OBJECT)
        return 0;
    unsigned deepest = 0;
    for (uint32_t i = 0; i < value->count; i++) {
        const struct json *part = value->kind == JSON_ARRAY ? value->items[i] : value->members[i].value;
        unsigned depth = depth_of(part, above + 1);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

unsigned json_depth(const struct json *value)
{
    return depth_of(value, 0);
}

void json_write_pointer(struct buf *out, struct str key)
{
    buf_char(out, '/');
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] == '~')
            buf_puts(out, "~0");
        else if (key.data[i] == '/')
            buf_puts(out, "~1");
        else
            buf_char(out, key.data[i]);
    }
}

/* The first part that is `depth` deep; appends where it is. */
static const struct json *find_deep(struct buf *out, const struct json *value, unsigned depth)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const struct json *part = value->kind == JSON_ARRAY ? value->items[i] : value->members[i].value;
        if (json_depth(part) < depth)
            continue;
        if (value->kind == JSON_ARRAY)
            buf_printf(out, "/%u", i);
        else
            json_write_pointer(out, value->members[i].key);
        return part;
    }
    check_never("a deep value without a deep part");
}

bool json_deeper(struct arena *arena, const struct json *value, unsigned most, struct str *place)
{
    struct buf out;
    if (json_depth(value) <= most)
        return false;
    buf_init(&out, arena);
    for (unsigned depth = most; depth > 0; depth--)
        value = find_deep(&out, value, depth);
    *place = buf_str(&out);
    return true;
}

static const struct json *new_text(struct arena *arena, enum json_kind kind, struct str text)
{
    struct json *made = arena_new(arena, struct json);
    made->kind = kind;
    made->text = text;
    return made;
}

const struct json *json_new_string(struct arena *arena, struct str text)
{
    return new_text(arena, JSON_STRING, text);
}

const struct json *json_new_number(struct arena *arena, struct str text)
{
    return new_text(arena, JSON_NUMBER, text);
}

const struct json *json_new_i64(struct arena *arena, int64_t number)
{
    struct buf text;
    buf_init(&text, arena);
    buf_i64(&text, number);
    return new_text(arena, JSON_NUMBER, buf_str(&text));
}

const struct json *json_new_bool(bool value)
{
    return value ? &json_true : &json_false;
}

const struct json *json_new_array(struct arena *arena, const struct json **items, uint32_t count)
{
    struct json *made = arena_new(arena, struct json);
    made->kind = JSON_ARRAY;
    made->count = count;
    made->items = items;
    return made;
}

const struct json *json_new_object(struct arena *arena, struct json_member *members, uint32_t count)
{
    struct json *made = arena_new(arena, struct json);
    made->kind = JSON_OBJECT;
    made->count = count;
    made->members = members;
    return made;
}
