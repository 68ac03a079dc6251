/* The checker: one function for each keyword, found by the table; each looks only at values of its own type,
 * as JSON Schema has it. Recursion is bounded by the depth of JSON times LIMITS_SCHEMA_CHAIN, which the
 * compiler has made sure of; work by LIMITS_SCHEMA_WORK, since `anyOf` within `anyOf` multiplies. The verdict
 * depends on schema and value alone, so it is the same when a history is played again. */
#include "engine/definition/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/schema_parts.h"

struct walk {
    struct arena *arena;
    struct schema_problems *problems; /* NULL: the first one ends it */
    bool fine;
    bool tired;     /* the work is used up: the value is refused, whatever else is found */
    uint64_t *work; /* left */
};
/* A value under check, and where it stands. */
struct spot {
    struct walk *walk;
    const struct schema_at *at;
};

/* What a step of LIMITS_SCHEMA_WORK pays for, each some ten nanoseconds. */
enum { COUNTED_A_STEP = 4, SEARCHED_A_STEP = 4, BYTES_A_STEP = 16, HASHED_STEPS = 16 };

static void check_value(const struct schema *schema, const struct json *value, struct walk *walk,
                        const struct schema_at *at);

/* Nobody reads what would be said: it need not be made. */
static bool is_silent(const struct walk *walk)
{
    return !walk->problems || walk->problems->count == SCHEMA_PROBLEMS_MAX;
}

__attribute__((format(printf, 2, 3))) static void complain(struct spot spot, const char *format, ...)
{
    struct schema_problems *problems = spot.walk->problems;
    spot.walk->fine = false;
    if (spot.walk->tired || is_silent(spot.walk))
        return; /* a walk that is cut short judges nothing */
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
    return walk->tired || (!walk->fine && is_silent(walk));
}

static void spend(struct walk *walk, uint64_t work)
{
    walk->tired |= work > *walk->work;
    *walk->work -= walk->tired ? *walk->work : work;
}

/* Whether the value matches, without a word about it. */
static bool matches(struct spot spot, const struct schema *schema, const struct json *value,
                    const struct schema_at *at)
{
    struct walk trial = {.arena = spot.walk->arena, .fine = true, .work = spot.walk->work};
    check_value(schema, value, &trial, at);
    spot.walk->tired |= trial.tired;
    return trial.fine;
}

/* Enough of the schema's own value to recognise it in a message. Of the value under check nothing is told but
 * type, count and place: it may be a card's number, and the message goes into logs and events. */
static struct str excerpt(struct spot spot, const struct json *value)
{
    enum { SHOWN_BYTES = 40 };
    if (is_silent(spot.walk))
        return STR("");
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

static const char *types_text(struct spot spot, unsigned types)
{
    return is_silent(spot.walk) ? "" : schema_types_text(spot.walk->arena, types).data;
}

static void check_type(struct spot spot, const struct schema *schema, const struct json *value)
{
    unsigned types = types_of(value);
    if (schema->types & types)
        return;
    unsigned shown = types & SCHEMA_TYPE_INTEGER ? SCHEMA_TYPE_INTEGER : types;
    complain(spot, "must be %s, is %s", types_text(spot, schema->types), types_text(spot, shown));
}

static void check_ref(struct spot spot, const struct schema *schema, const struct json *value)
{
    check_value(schema->ref, value, spot.walk, spot.at);
}

static void check_enum(struct spot spot, const struct schema *schema, const struct json *value)
{
    spend(spot.walk, schema->values->count);
    for (uint32_t i = 0; i < schema->values->count; i++) {
        if (json_equal(schema->values->items[i], value))
            return;
    }
    if (is_silent(spot.walk))
        spot.walk->fine = false;
    else
        complain(spot, "must be one of %.*s", STR_ARG(json_text(spot.walk->arena, schema->values)));
}

static void check_const(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (!json_equal(schema->constant, value))
        complain(spot, "must be %.*s", STR_ARG(excerpt(spot, schema->constant)));
}

/* Whether a pattern matches somewhere in the text. */
static bool fits(struct walk *walk, const struct regex *regex, struct str text)
{
    bool fine = false;
    if (!walk->tired && regex_test(regex, text, walk->work, &fine) != ERR_OK)
        walk->tired = true;
    return fine;
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

static void check_pattern_properties(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count; i++) {
        const struct json_member *member = &value->members[i];
        struct schema_at at = {.up = spot.at, .key = member->key};
        for (uint32_t j = 0; j < schema->pattern_count && !is_done(spot.walk); j++) {
            if (fits(spot.walk, schema->patterns[j].regex, member->key))
                check_value(schema->patterns[j].schema, member->value, spot.walk, &at);
        }
    }
}

/* `because`: the member that asks for these; NULL when they are always asked for. */
static void demand(struct spot spot, const struct json *value, const struct str *names, uint32_t count,
                   const struct str *because)
{
    for (uint32_t i = 0; i < count && !is_done(spot.walk); i++) {
        spend(spot.walk, 1 + value->count / SEARCHED_A_STEP);
        if (json_get(value, names[i]))
            continue;
        if (because)
            complain(spot, "lacks the member \"%.*s\", which goes with \"%.*s\"", STR_ARG(names[i]),
                     STR_ARG(*because));
        else
            complain(spot, "lacks the member \"%.*s\"", STR_ARG(names[i]));
    }
}

static void check_required(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_OBJECT)
        demand(spot, value, schema->required, schema->required_count, NULL);
}

static void check_dependent(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < schema->dependent_count; i++) {
        const struct schema_dependent *dependent = &schema->dependent[i];
        spend(spot.walk, 1 + value->count / SEARCHED_A_STEP);
        if (!is_done(spot.walk) && json_get(value, dependent->key))
            demand(spot, value, dependent->required, dependent->count, &dependent->key);
    }
}

static bool is_additional(struct walk *walk, const struct schema *schema, struct str key)
{
    bool known = schema_find_property(schema, key) != NULL;
    for (uint32_t i = 0; i < schema->pattern_count && !known && !is_done(walk); i++)
        known = fits(walk, schema->patterns[i].regex, key);
    return !known;
}

static void check_additional(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count && !is_done(spot.walk); i++) {
        const struct json_member *member = &value->members[i];
        struct schema_at at = {.up = spot.at, .key = member->key};
        if (is_additional(spot.walk, schema, member->key) && !is_done(spot.walk))
            check_value(schema->additional, member->value, spot.walk, &at);
    }
}

static void check_property_names(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < value->count && !is_done(spot.walk); i++) {
        struct str key = value->members[i].key;
        struct json name = {.kind = JSON_STRING, .text = key};
        struct schema_at at = {.up = spot.at, .key = key};
        if (!matches(spot, schema->property_names, &name, &at))
            complain((struct spot){spot.walk, &at}, "is not a name that `propertyNames` allows");
    }
}

static void check_min_properties(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_OBJECT && value->count < schema->min_properties)
        complain(spot, "must have at least %lld members, has %u", (long long)schema->min_properties,
                 value->count);
}

static void check_max_properties(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_OBJECT && value->count > schema->max_properties)
        complain(spot, "must have at most %lld members, has %u", (long long)schema->max_properties,
                 value->count);
}

/* ---- arrays ---- */

static void check_item(struct spot spot, const struct schema *schema, const struct json *value,
                       uint32_t index)
{
    struct schema_at at = {.up = spot.at, .index = index, .is_index = true};
    if (!is_done(spot.walk))
        check_value(schema, value->items[index], spot.walk, &at);
}

static void check_prefix_items(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_ARRAY && i < value->count && i < schema->prefix_items.count; i++)
        check_item(spot, schema->prefix_items.items[i], value, i);
}

static void check_items(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = schema->prefix_items.count; value->kind == JSON_ARRAY && i < value->count; i++)
        check_item(spot, schema->items, value, i);
}

static void check_contains(struct spot spot, const struct schema *schema, const struct json *value)
{
    int64_t min = schema_has(schema, SCHEMA_KEYWORD_MIN_CONTAINS) ? schema->min_contains : 1;
    int64_t max = schema_has(schema, SCHEMA_KEYWORD_MAX_CONTAINS) ? schema->max_contains : UINT32_MAX;
    int64_t count = 0;
    for (uint32_t i = 0; value->kind == JSON_ARRAY && i < value->count && !is_done(spot.walk); i++) {
        struct schema_at at = {.up = spot.at, .index = i, .is_index = true};
        count += matches(spot, schema->contains, value->items[i], &at);
    }
    if (value->kind == JSON_ARRAY && count < min)
        complain(spot, "must have at least %lld items that match `contains`, has %lld", (long long)min,
                 (long long)count);
    if (value->kind == JSON_ARRAY && count > max)
        complain(spot, "must have at most %lld items that match `contains`, has %lld", (long long)max,
                 (long long)count);
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
    uint64_t work = 0;
    if (value->kind != JSON_ARRAY || !schema->unique_items)
        return;
    if (!schema_items_unique(value, spot.walk->arena, &work))
        complain(spot, "must not have an item twice");
    spend(spot.walk, work * HASHED_STEPS);
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

static void check_pattern(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_STRING && !fits(spot.walk, schema->pattern, value->text))
        complain(spot, "must match the pattern %.*s", STR_ARG(schema->pattern_text));
}

static void check_format(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_STRING && !schema_format_matches(schema->format, value->text))
        complain(spot, "must be %s", schema_format_meaning(schema->format));
}

/* ---- numbers ---- */

static void check_minimum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->minimum) < 0)
        complain(spot, "must be at least %.*s, is less", STR_ARG(schema->minimum));
}

static void check_maximum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->maximum) > 0)
        complain(spot, "must be at most %.*s, is more", STR_ARG(schema->maximum));
}

static void check_exclusive_minimum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->exclusive_minimum) <= 0)
        complain(spot, "must be more than %.*s, is not", STR_ARG(schema->exclusive_minimum));
}

static void check_exclusive_maximum(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && json_number_compare(value->text, schema->exclusive_maximum) >= 0)
        complain(spot, "must be less than %.*s, is not", STR_ARG(schema->exclusive_maximum));
}

static void check_multiple_of(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_NUMBER && !schema_is_multiple(value->text, schema->multiple_of))
        complain(spot, "must be a multiple of %.*s, is not", STR_ARG(schema->multiple_of->text));
}

/* ---- schemas together ---- */

static void check_all_of(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; i < schema->all_of.count && !is_done(spot.walk); i++)
        check_value(schema->all_of.items[i], value, spot.walk, spot.at);
}

/* How many match; `enough` ends the count. */
static uint32_t count_matches(struct spot spot, struct schema_list list, const struct json *value,
                              uint32_t enough)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < list.count && count < enough && !spot.walk->tired; i++)
        count += matches(spot, list.items[i], value, spot.at);
    return count;
}

static void check_any_of(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (count_matches(spot, schema->any_of, value, 1) == 0)
        complain(spot, "matches none of the %u schemas of `anyOf`", schema->any_of.count);
}

static void check_one_of(struct spot spot, const struct schema *schema, const struct json *value)
{
    uint32_t count = count_matches(spot, schema->one_of, value, 2);
    if (count == 0)
        complain(spot, "matches none of the %u schemas of `oneOf`", schema->one_of.count);
    if (count > 1)
        complain(spot, "matches more than one of the %u schemas of `oneOf`", schema->one_of.count);
}

static void check_dependent_schemas(struct spot spot, const struct schema *schema, const struct json *value)
{
    for (uint32_t i = 0; value->kind == JSON_OBJECT && i < schema->dependent_schema_count; i++) {
        const struct schema_property *dependent = &schema->dependent_schemas[i];
        spend(spot.walk, 1 + value->count / SEARCHED_A_STEP);
        if (!is_done(spot.walk) && json_get(value, dependent->key))
            check_value(dependent->schema, value, spot.walk, spot.at);
    }
}

static void check_not(struct spot spot, const struct schema *schema, const struct json *value)
{
    if (matches(spot, schema->not_this, value, spot.at))
        complain(spot, "must not match the schema of `not`");
}

static void check_if(struct spot spot, const struct schema *schema, const struct json *value)
{
    const struct schema *next =
        matches(spot, schema->condition, value, spot.at) ? schema->then : schema->otherwise;
    if (next && !is_done(spot.walk))
        check_value(next, value, spot.walk, spot.at);
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
    for (uint64_t rest = schema->present; rest && !is_done(walk); rest &= rest - 1) {
        int keyword = __builtin_ctzll(rest);
        if (!checks[keyword])
            continue;
        spend(walk, 1 + value->count / COUNTED_A_STEP + value->text.size / BYTES_A_STEP);
        if (!walk->tired)
            checks[keyword](spot, schema, value);
    }
}

bool schema_check(const struct schema *schema, const struct json *value, struct arena *arena,
                  struct schema_problems *problems)
{
    uint64_t work = LIMITS_SCHEMA_WORK;
    return schema_check_within(schema, value, arena, problems, &work);
}

bool schema_check_within(const struct schema *schema, const struct json *value, struct arena *arena,
                         struct schema_problems *problems, uint64_t *work)
{
    struct walk walk = {.arena = arena, .problems = problems, .fine = true, .work = work};
    check(schema != NULL && value != NULL);
    check_value(schema, value, &walk, NULL);
    bool tired = walk.tired;
    walk.tired = false;
    if (tired)
        complain((struct spot){&walk, NULL}, "takes too much work to check against its schema");
    return walk.fine;
}
