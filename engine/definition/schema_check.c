/* The checker: one function for each keyword, found by the table; each looks only at values of its own type,
 * as JSON Schema has it. Recursion is bounded by the depth of JSON (LIMITS_JSON_DEPTH), since there is no
 * $ref. */
#include "engine/definition/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/definition/schema_parts.h"

struct walk {
    struct arena *arena;
    struct schema_problems *problems; /* NULL: the first one ends it */
    bool fine;
};
/* A value under check, and where it stands. */
struct spot {
    struct walk *walk;
    const struct schema_at *at;
};

static void check_value(const struct schema *schema, const struct json *value, struct walk *walk,
                        const struct schema_at *at);

__attribute__((format(printf, 2, 3))) static void complain(struct spot spot, const char *format, ...)
{
    struct schema_problems *problems = spot.walk->problems;
    spot.walk->fine = false;
    if (!problems || problems->count == SCHEMA_PROBLEMS_MAX)
        return;
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    check(size >= 0);
    struct str text = str_from(message);
    text.size = str_utf8_size(text); /* a cut may have split a character */
    problems->items[problems->count++] = (struct schema_problem){
        .pointer = schema_pointer(spot.walk->arena, spot.at), .message = arena_copy(spot.walk->arena, text)};
}

static bool is_done(const struct walk *walk)
{
    return !walk->fine && (!walk->problems || walk->problems->count == SCHEMA_PROBLEMS_MAX);
}

/* Enough of a value to recognise it in a message. */
static struct str excerpt(struct spot spot, const struct json *value)
{
    enum { SHOWN_BYTES = 40 };
    struct str text = json_text(spot.walk->arena, value);
    if (text.size <= SHOWN_BYTES)
        return text;
    text.size = SHOWN_BYTES;
    text.size = str_utf8_size(text);
    return arena_printf(spot.walk->arena, "%.*s…", STR_ARG(text));
}

/* ---- any value ---- */

static unsigned types_of(const struct json *value)
{
    switch (value->kind) {
    case JSON_NULL:
        return SCHEMA_TYPE_NULL;
    case JSON_BOOL:
        return SCHEMA_TYPE_BOOLEAN;
    case JSON_NUMBER:
        return schema_is_integer(value->text) ? SCHEMA_TYPE_INTEGER | SCHEMA_TYPE_NUMBER : SCHEMA_TYPE_NUMBER;
    case JSON_STRING:
        return SCHEMA_TYPE_STRING;
    case JSON_ARRAY:
        return SCHEMA_TYPE_ARRAY;
    case JSON_OBJECT:
        return SCHEMA_TYPE_OBJECT;
    }
    check_never("unknown JSON kind");
}

static void check_type(struct spot spot, const struct schema *schema, const struct json *value)
{
    unsigned types = types_of(value);
    if (schema->types & types)
        return;
    unsigned shown = types & SCHEMA_TYPE_INTEGER ? SCHEMA_TYPE_INTEGER : types;
    complain(spot, "must be %s, is %s", schema_types_text(spot.walk->arena, schema->types).data,
             schema_types_text(spot.walk->arena, shown).data);
}

static void check_enum(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; i < schema->values->count; i++) {
        if (json_equal(schema->values->items[i], value))
            return;
    }
    complain(spot, "must be one of %.*s", STR_ARG(json_text(spot.walk->arena, schema->values)));
}

static void check_const(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (!json_equal(schema->constant, value))
        complain(spot, "must be %.*s", STR_ARG(excerpt(spot, schema->constant)));
}

/* ---- objects ---- */

static void check_properties(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count; i++) {
        const struct json_member *member = &value->members[i];
        const struct schema_property *property = schema_find_property(schema, member->key);
        struct schema_at at = {.up = spot.at, .key = member->key};
        if (property && !is_done(spot.walk))
            check_value(property->schema, member->value, spot.walk, &at);
    }
}

static void check_required(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < schema->required_count; i++) {
        if (!json_get(value, schema->required[i]))
            complain(spot, "lacks the member \"%.*s\"", STR_ARG(schema->required[i]));
    }
}

static void check_additional(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count; i++) {
        const struct json_member *member = &value->members[i];
        struct schema_at at = {.up = spot.at, .key = member->key};
        if (!schema_find_property(schema, member->key) && !is_done(spot.walk))
            check_value(schema->additional, member->value, spot.walk, &at);
    }
}

/* ---- arrays ---- */

static void check_items(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; schema->items && value->kind == JSON_ARRAY && i < value->count; i++) {
        struct schema_at at = {.up = spot.at, .index = i, .is_index = true};
        if (!is_done(spot.walk))
            check_value(schema->items, value->items[i], spot.walk, &at);
    }
}

static void check_min_items(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_ARRAY && value->count < schema->min_items)
        complain(spot, "must have at least %lld items, has %u", (long long)schema->min_items, value->count);
}

static void check_max_items(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_ARRAY && value->count > schema->max_items)
        complain(spot, "must have at most %lld items, has %u", (long long)schema->max_items, value->count);
}

static void check_unique_items(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_ARRAY && schema->unique_items && !schema_items_unique(value, spot.walk->arena))
        complain(spot, "must not have an item twice");
}

/* ---- strings ---- */

static int64_t characters_of(struct str text)
{
    int64_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

static void check_min_length(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_STRING && characters_of(value->text) < schema->min_length)
        complain(spot, "must have at least %lld characters, has %lld", (long long)schema->min_length,
                 (long long)characters_of(value->text));
}

static void check_max_length(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_STRING && characters_of(value->text) > schema->max_length)
        complain(spot, "must have at most %lld characters, has %lld", (long long)schema->max_length,
                 (long long)characters_of(value->text));
}

/* ---- numbers ---- */

static void check_minimum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->minimum) < 0)
        complain(spot, "must be at least %.*s, is %.*s", STR_ARG(schema->minimum),
                 STR_ARG(excerpt(spot, value)));
}

static void check_maximum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->maximum) > 0)
        complain(spot, "must be at most %.*s, is %.*s", STR_ARG(schema->maximum),
                 STR_ARG(excerpt(spot, value)));
}

static void check_exclusive_minimum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->exclusive_minimum) <= 0)
        complain(spot, "must be more than %.*s, is %.*s", STR_ARG(schema->exclusive_minimum),
                 STR_ARG(excerpt(spot, value)));
}

static void check_exclusive_maximum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->exclusive_maximum) >= 0)
        complain(spot, "must be less than %.*s, is %.*s", STR_ARG(schema->exclusive_maximum),
                 STR_ARG(excerpt(spot, value)));
}

/* ---- the table ---- */

static void (*const checks[])(struct spot spot, const struct schema *schema, const struct json *value) = {
#define X(name, text, compile, check, meaning) check,
#include "engine/definition/keywords.def"
#undef X
};

static void check_value(const struct schema *schema, const struct json *value, struct walk *walk,
                        const struct schema_at *at)
{
    struct spot spot = {.walk = walk, .at = at};
    if (schema->never)
        complain(spot, at ? "is not allowed here" : "no value is allowed");
    for (int i = 0; i < SCHEMA_KEYWORD_COUNT && !is_done(walk); i++) {
        if (checks[i] && schema_has(schema, (enum schema_keyword)i))
            checks[i](spot, schema, value);
    }
}

bool schema_check(const struct schema *schema, const struct json *value, struct arena *arena,
                  struct schema_problems *problems)
{
    struct walk walk = {.arena = arena, .problems = problems, .fine = true};
    check(schema != NULL && value != NULL);
    check_value(schema, value, &walk, NULL);
    return walk.fine;
}
