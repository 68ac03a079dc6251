/* Each keyword by itself: a keyword that the newer schema adds or tightens narrows, one that it drops or
 * loosens widens. `$ref` is followed on both sides; a pair of schemas that is being compared already is not
 * entered again, so that schemas which lead back to themselves come to an end. */
#include "engine/definition/schema_compare.h"

#include <stddef.h>
#include "engine/base/limits.h"
#include "engine/definition/schema_parts.h"
#include "engine/definition/word.h"

struct pair {
    const struct schema *older, *newer;
    const struct pair *up;
};
struct compare {
    struct arena *arena;
    struct schema_changes *changes;
    uint32_t visits; /* left: pairs multiply where references meet */
};
/* The pair at hand and where it is. */
struct spot {
    struct compare *compare;
    const struct schema *older, *newer;
    const struct pair *pairs;
    struct str pointer;
};

static const struct schema anything = {0};

static void compare_pair(struct compare *compare, const struct schema *older, const struct schema *newer,
                         const struct pair *up, struct str pointer);

static void add(const struct spot *spot, enum schema_change_kind kind, struct str sentence)
{
    struct schema_changes *changes = spot->compare->changes;
    if (changes->count == changes->room) {
        uint32_t room = changes->room == 0 ? 16 : changes->room * 2;
        changes->items = arena_resize(spot->compare->arena, changes->items,
                                      changes->room * sizeof *changes->items, room * sizeof *changes->items);
        changes->room = room;
    }
    changes->items[changes->count++] = (struct schema_change){kind, spot->pointer, sentence};
}

static struct str below(const struct spot *spot, struct str key)
{
    struct schema_at at = {.key = key};
    return arena_printf(spot->compare->arena, "%.*s%.*s", STR_ARG(spot->pointer),
                        STR_ARG(schema_pointer(spot->compare->arena, &at)));
}

static void compare_below(const struct spot *spot, const struct schema *older, const struct schema *newer,
                          struct str key)
{
    compare_pair(spot->compare, older, newer, spot->pairs, below(spot, key));
}

/* Those that values are held against; the ones behind `else` name and describe. */
static const uint64_t constraints = (UINT64_C(2) << SCHEMA_KEYWORD_ELSE) - 1;

static bool is_any(const struct schema *schema)
{
    return !schema->never && (schema->present & constraints) == 0;
}

/* ---- types and values ---- */

/* Every integer is a number. */
static unsigned all_types(const struct schema *schema)
{
    unsigned all = schema_has(schema, SCHEMA_KEYWORD_TYPE) ? schema->types : ~0U;
    return all & SCHEMA_TYPE_NUMBER ? all | SCHEMA_TYPE_INTEGER : all;
}

static void compare_types(const struct spot *spot)
{
    struct arena *arena = spot->compare->arena;
    unsigned older = all_types(spot->older), newer = all_types(spot->newer);
    if (older & ~newer)
        add(spot, SCHEMA_NARROWER,
            older == ~0U ? arena_printf(arena, "must be %.*s now",
                                        STR_ARG(schema_types_text(arena, spot->newer->types)))
                         : arena_printf(arena, "must be %.*s now, and could be %.*s",
                                        STR_ARG(schema_types_text(arena, spot->newer->types)),
                                        STR_ARG(schema_types_text(arena, spot->older->types))));
    else if (newer & ~older)
        add(spot, SCHEMA_WIDER, STR("may be of more types"));
}

/* The values that `enum` and `const` leave; NULL: all. */
static const struct json *values_of(const struct spot *spot, const struct schema *schema)
{
    if (!schema_has(schema, SCHEMA_KEYWORD_CONST))
        return schema_has(schema, SCHEMA_KEYWORD_ENUM) ? schema->values : NULL;
    const struct json **only = arena_array(spot->compare->arena, 1, sizeof *only);
    only[0] = schema->constant;
    return json_new_array(spot->compare->arena, only, 1);
}

static bool holds(const struct json *values, const struct json *value)
{
    for (uint32_t i = 0; i < values->count; i++)
        if (json_equal(values->items[i], value))
            return true;
    return false;
}

static void compare_values(const struct spot *spot)
{
    const struct json *older = values_of(spot, spot->older), *newer = values_of(spot, spot->newer);
    struct arena *arena = spot->compare->arena;
    bool more = older != NULL && newer == NULL;
    for (uint32_t i = 0; older != NULL && newer != NULL && i < newer->count; i++)
        more = more || !holds(older, newer->items[i]);
    if (more)
        add(spot, SCHEMA_WIDER, STR("may have more values"));
    if (newer == NULL)
        return;
    if (older == NULL) {
        add(spot, SCHEMA_NARROWER, STR("may have listed values only now"));
        return;
    }
    for (uint32_t i = 0; i < older->count; i++)
        if (!holds(newer, older->items[i]))
            add(spot, SCHEMA_NARROWER,
                arena_printf(arena, "may not be %.*s any more", STR_ARG(json_text(arena, older->items[i]))));
}

/* ---- bounds ---- */

struct bound {
    enum schema_keyword keyword;
    bool least; /* a larger one narrows */
    bool text;  /* the text of a number, else an int64_t */
    size_t offset;
    struct str words;
};
#define COUNTED(keyword, least, field, words)                                                                \
    {                                                                                                        \
        SCHEMA_KEYWORD_##keyword, least, false, offsetof(struct schema, field), WORD(words)                  \
    }
#define NUMBER(keyword, least, field, words)                                                                 \
    {                                                                                                        \
        SCHEMA_KEYWORD_##keyword, least, true, offsetof(struct schema, field), WORD(words)                   \
    }
static const struct bound bounds[] = {
    COUNTED(MIN_PROPERTIES, true, min_properties, "minProperties"),
    COUNTED(MAX_PROPERTIES, false, max_properties, "maxProperties"),
    COUNTED(MAX_CONTAINS, false, max_contains, "maxContains"),
    COUNTED(MIN_ITEMS, true, min_items, "minItems"),
    COUNTED(MAX_ITEMS, false, max_items, "maxItems"),
    COUNTED(MIN_LENGTH, true, min_length, "minLength"),
    COUNTED(MAX_LENGTH, false, max_length, "maxLength"),
    NUMBER(MINIMUM, true, minimum, "minimum"),
    NUMBER(MAXIMUM, false, maximum, "maximum"),
    NUMBER(EXCLUSIVE_MINIMUM, true, exclusive_minimum, "exclusiveMinimum"),
    NUMBER(EXCLUSIVE_MAXIMUM, false, exclusive_maximum, "exclusiveMaximum"),
};

static int order_of(const struct bound *bound, const struct schema *older, const struct schema *newer)
{
    const char *a = (const char *)older + bound->offset, *b = (const char *)newer + bound->offset;
    if (bound->text)
        return json_number_compare(*(const struct str *)(const void *)a,
                                   *(const struct str *)(const void *)b);
    int64_t left = *(const int64_t *)(const void *)a, right = *(const int64_t *)(const void *)b;
    return (left > right) - (left < right);
}

static void compare_bound(const struct spot *spot, const struct bound *bound)
{
    bool was = schema_has(spot->older, bound->keyword), is = schema_has(spot->newer, bound->keyword);
    int order = was && is ? order_of(bound, spot->older, spot->newer) : 0;
    bool tighter = (is && !was) || (bound->least ? order < 0 : order > 0);
    bool looser = (was && !is) || (bound->least ? order > 0 : order < 0);
    if (tighter)
        add(spot, SCHEMA_NARROWER,
            arena_printf(spot->compare->arena, "has a tighter `%.*s`", STR_ARG(bound->words)));
    else if (looser)
        add(spot, SCHEMA_WIDER,
            arena_printf(spot->compare->arena, "has a looser `%.*s`", STR_ARG(bound->words)));
}

/* Where it is not said, one item. */
static int64_t least_contained(const struct schema *schema)
{
    return schema_has(schema, SCHEMA_KEYWORD_MIN_CONTAINS) ? schema->min_contains : 1;
}

static void compare_least_contained(const struct spot *spot)
{
    int64_t was = least_contained(spot->older), is = least_contained(spot->newer);
    if (is > was)
        add(spot, SCHEMA_NARROWER, STR("has a tighter `minContains`"));
    else if (is < was)
        add(spot, SCHEMA_WIDER, STR("has a looser `minContains`"));
}

/* ---- members ---- */

static const struct schema *additional_of(const struct schema *schema)
{
    return schema->additional ? schema->additional : &anything;
}

static bool requires(const struct schema *schema, struct str key)
{
    for (uint32_t i = 0; i < schema->required_count; i++)
        if (str_equal(schema->required[i], key))
            return true;
    return false;
}

static void compare_required(const struct spot *spot)
{
    for (uint32_t i = 0; i < spot->newer->required_count; i++) {
        struct spot member = *spot;
        member.pointer = below(spot, spot->newer->required[i]);
        if (!requires(spot->older, spot->newer->required[i]))
            add(&member, SCHEMA_NARROWER, STR("is required now"));
    }
    for (uint32_t i = 0; i < spot->older->required_count; i++) {
        struct spot member = *spot;
        member.pointer = below(spot, spot->older->required[i]);
        if (!requires(spot->newer, spot->older->required[i]))
            add(&member, SCHEMA_WIDER, STR("may be left out now"));
    }
}

static void compare_new_member(const struct spot *spot, const struct schema_property *property)
{
    struct spot member = *spot;
    member.pointer = below(spot, property->key);
    const struct schema *before = additional_of(spot->older);
    if (before->never && !requires(spot->newer, property->key))
        add(&member, SCHEMA_WIDER, STR("is a new field"));
    else if ((is_any(before) || before->never) && requires(spot->newer, property->key) &&
             !requires(spot->older, property->key))
        return; /* said with the member's being required */
    else if (is_any(before) && !requires(spot->older, property->key))
        add(&member, SCHEMA_DECLARED, STR("is a new field, described now; it could be anything before"));
    else
        compare_below(spot, before, property->schema, property->key);
}

static void compare_gone_member(const struct spot *spot, const struct schema_property *property)
{
    struct spot member = *spot;
    member.pointer = below(spot, property->key);
    const struct schema *after = additional_of(spot->newer);
    if (after->never)
        add(&member, SCHEMA_NARROWER, STR("was removed and is refused now"));
    else if (is_any(after))
        add(&member, SCHEMA_WIDER, STR("was removed and may be anything now"));
    else
        compare_below(spot, property->schema, after, property->key);
}

static void compare_members(const struct spot *spot)
{
    const struct schema *older = spot->older, *newer = spot->newer;
    for (uint32_t i = 0; i < newer->property_count; i++) {
        const struct schema_property *was = schema_find_property(older, newer->properties[i].key);
        if (was)
            compare_below(spot, was->schema, newer->properties[i].schema, was->key);
        else
            compare_new_member(spot, &newer->properties[i]);
    }
    for (uint32_t i = 0; i < older->property_count; i++)
        if (!schema_find_property(newer, older->properties[i].key))
            compare_gone_member(spot, &older->properties[i]);
    compare_required(spot);
    if (!additional_of(older)->never && additional_of(newer)->never)
        add(spot, SCHEMA_NARROWER, STR("refuses fields that are not listed"));
    else if (older->additional || newer->additional)
        compare_below(spot, additional_of(older), additional_of(newer), STR("*"));
}

static void compare_items(const struct spot *spot)
{
    uint32_t most = spot->older->prefix_items.count > spot->newer->prefix_items.count
                        ? spot->older->prefix_items.count
                        : spot->newer->prefix_items.count;
    const struct schema *older = spot->older->items ? spot->older->items : &anything;
    const struct schema *newer = spot->newer->items ? spot->newer->items : &anything;
    for (uint32_t i = 0; i < most; i++)
        compare_below(spot, i < spot->older->prefix_items.count ? spot->older->prefix_items.items[i] : older,
                      i < spot->newer->prefix_items.count ? spot->newer->prefix_items.items[i] : newer,
                      arena_printf(spot->compare->arena, "%u", i));
    compare_below(spot, older, newer, STR("*"));
    if (!spot->older->unique_items && spot->newer->unique_items)
        add(spot, SCHEMA_NARROWER, STR("may not hold an item twice now"));
    else if (spot->older->unique_items && !spot->newer->unique_items)
        add(spot, SCHEMA_WIDER, STR("may hold an item twice now"));
}

/* ---- what is compared as written ---- */

/* A keyword that is there on one side only narrows or widens; one that differs cannot be told. */
static const struct str as_written[] = {
    WORD("patternProperties"),
    WORD("dependentRequired"),
    WORD("propertyNames"),
    WORD("contains"),
    WORD("pattern"),
    WORD("format"),
    WORD("multipleOf"),
    WORD("allOf"),
    WORD("anyOf"),
    WORD("oneOf"),
    WORD("dependentSchemas"),
    WORD("not"),
    WORD("if"),
    WORD("then"),
    WORD("else"),
};

static bool mentions_ref(const struct json *value)
{
    if (json_get(value, STR("$ref")) != NULL)
        return true;
    for (uint32_t i = 0; i < value->count; i++)
        if ((value->kind == JSON_ARRAY && mentions_ref(value->items[i])) ||
            (value->kind == JSON_OBJECT && mentions_ref(value->members[i].value)))
            return true;
    return false;
}

/* Which members a pattern takes away from `additionalProperties` cannot be told. */
static void compare_patterns(const struct spot *spot)
{
    const struct json *was = json_get(spot->older->source, STR("patternProperties"));
    const struct json *is = json_get(spot->newer->source, STR("patternProperties"));
    bool same = was != NULL && is != NULL && json_equal(was, is) && !mentions_ref(is) &&
                spot->older->property_count == spot->newer->property_count;
    for (uint32_t i = 0; same && i < spot->newer->property_count; i++)
        same = str_equal(spot->older->properties[i].key, spot->newer->properties[i].key);
    if ((was != NULL || is != NULL) && !same)
        add(spot, SCHEMA_UNKNOWN, STR("has other `patternProperties`, or other members beside them"));
}

static void compare_written(const struct spot *spot, struct str keyword)
{
    struct arena *arena = spot->compare->arena;
    const struct json *was = json_get(spot->older->source, keyword);
    const struct json *is = json_get(spot->newer->source, keyword);
    if (was == NULL && is != NULL)
        add(spot, SCHEMA_NARROWER, arena_printf(arena, "must fit a new `%.*s`", STR_ARG(keyword)));
    else if (was != NULL && is == NULL)
        add(spot, SCHEMA_WIDER, arena_printf(arena, "has no `%.*s` any more", STR_ARG(keyword)));
    else if (was != NULL && !json_equal(was, is))
        add(spot, SCHEMA_UNKNOWN, arena_printf(arena, "has another `%.*s`", STR_ARG(keyword)));
    else if (was != NULL && mentions_ref(is))
        add(spot, SCHEMA_UNKNOWN,
            arena_printf(arena, "has a `%.*s` with references, which are not followed", STR_ARG(keyword)));
}

/* ---- the pair ---- */

static bool entered(const struct pair *pairs, const struct schema *older, const struct schema *newer)
{
    for (; pairs != NULL; pairs = pairs->up)
        if (pairs->older == older && pairs->newer == newer)
            return true;
    return false;
}

static void compare_keywords(const struct spot *spot)
{
    compare_types(spot);
    compare_values(spot);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        compare_bound(spot, &bounds[i]);
    compare_least_contained(spot);
    compare_members(spot);
    compare_items(spot);
    compare_patterns(spot);
    for (size_t i = 0; i < sizeof as_written / sizeof as_written[0]; i++)
        compare_written(spot, as_written[i]);
}

/* A reference with nothing beside it stands for what it leads to. The compiler has refused endless chains. */
static const struct schema *followed(const struct schema *schema)
{
    while (schema->ref && (schema->present & constraints) == UINT64_C(1) << SCHEMA_KEYWORD_REF)
        schema = schema->ref;
    return schema;
}

static void compare_pair(struct compare *compare, const struct schema *older, const struct schema *newer,
                         const struct pair *up, struct str pointer)
{
    older = followed(older);
    newer = followed(newer);
    struct pair pair = {older, newer, up};
    struct spot spot = {compare, older, newer, &pair, pointer};
    bool both_any = is_any(older) && is_any(newer);
    if (both_any || older == newer || older->never || entered(up, older, newer))
        return;
    compare->visits -= compare->visits > 0;
    if (compare->visits == 0)
        add(&spot, SCHEMA_UNKNOWN, STR("is not compared: the schemas are too large"));
    else if (newer->never)
        add(&spot, SCHEMA_NARROWER, STR("is refused now"));
    else if (is_any(newer))
        add(&spot, SCHEMA_WIDER, STR("may be anything now"));
    else if (older->ref || newer->ref)
        add(&spot, SCHEMA_UNKNOWN,
            STR("has a `$ref` with other keywords beside it, which is not looked into"));
    else
        compare_keywords(&spot);
}

void schema_compare(const struct schema *older, const struct schema *newer, struct arena *arena,
                    struct schema_changes *changes)
{
    struct compare compare = {arena, changes, LIMITS_SCHEMA_PARTS};
    older = older ? older : &anything;
    newer = newer ? newer : &anything;
    if (older->source != NULL && newer->source != NULL && json_equal(older->source, newer->source))
        return; /* the same text, references included */
    compare_pair(&compare, older, newer, NULL, STR(""));
}
