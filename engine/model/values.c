/* Values drawn to fit a schema, then held against it. Called by check, simulate, the simulator and tests.
 * Never gives one that does not fit: it says that it found none. */
#include "engine/model/values.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/model/values_parts.h"

/* Below this many levels optional members and items are left out, so that a schema that contains itself ends.
 */
enum { DEEP = 4, MORE_ITEMS = 3, MOST_ITEMS = 1000, MOST_MEMBERS = 64 };

struct draw {
    struct rng *rng;
    struct arena *arena;
};

static const struct json *draw_value(struct draw *draw, const struct values_layers *given, unsigned depth);

static bool coin(struct draw *draw)
{
    return rng_below(draw->rng, 2) == 0;
}

static void add_layer(struct values_layers *layers, const struct schema *schema)
{
    if (schema && layers->count < VALUES_LAYERS_MAX)
        layers->items[layers->count++] = schema;
}

static void add_one_of(struct draw *draw, struct values_layers *layers, const struct schema_list *list)
{
    if (list->count > 0)
        add_layer(layers, list->items[rng_below(draw->rng, list->count)]);
}

/* What follows from each layer is put behind it, until nothing does. */
static void spread(struct draw *draw, const struct values_layers *given, struct values_layers *layers)
{
    *layers = *given;
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema *schema = layers->items[i];
        add_layer(layers, schema->ref);
        for (uint32_t k = 0; k < schema->all_of.count; k++)
            add_layer(layers, schema->all_of.items[k]);
        add_one_of(draw, layers, &schema->any_of);
        add_one_of(draw, layers, &schema->one_of);
        if (schema->condition && coin(draw)) {
            add_layer(layers, schema->condition);
            add_layer(layers, schema->then);
        } else if (schema->condition) {
            add_layer(layers, schema->otherwise);
        }
        for (uint32_t k = 0; k < schema->dependent_schema_count; k++)
            add_layer(layers, schema->dependent_schemas[k].schema);
    }
}

/* ---- objects ---- */

static const struct schema *pattern_for(const struct schema *schema, struct str key)
{
    for (uint32_t i = 0; i < schema->pattern_count; i++) {
        uint64_t work = LIMITS_SCHEMA_WORK;
        bool matches = false;
        if (regex_test(schema->patterns[i].regex, key, &work, &matches) == ERR_OK && matches)
            return schema->patterns[i].schema;
    }
    return NULL;
}

static void layers_of_member(const struct values_layers *layers, struct str key, struct values_layers *member)
{
    *member = (struct values_layers){0};
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema_property *property = schema_find_property(layers->items[i], key);
        const struct schema *named = pattern_for(layers->items[i], key);
        add_layer(member, property ? property->schema : NULL);
        add_layer(member, named);
        if (!property && !named)
            add_layer(member, layers->items[i]->additional);
    }
}

struct members {
    struct json_member items[MOST_MEMBERS];
    uint32_t count;
};

static void add_member(struct draw *draw, struct members *members, const struct values_layers *layers,
                       struct str key, unsigned depth)
{
    struct values_layers member;
    for (uint32_t i = 0; i < members->count; i++) {
        if (str_equal(members->items[i].key, key))
            return;
    }
    if (members->count == MOST_MEMBERS)
        return;
    layers_of_member(layers, key, &member);
    members->items[members->count++] = (struct json_member){key, draw_value(draw, &member, depth + 1)};
}

static void add_required(struct draw *draw, struct members *members, const struct values_layers *layers,
                         const struct schema *schema, unsigned depth)
{
    for (uint32_t i = 0; i < schema->required_count; i++)
        add_member(draw, members, layers, schema->required[i], depth);
}

static void add_optional(struct draw *draw, struct members *members, const struct values_layers *layers,
                         const struct schema *schema, unsigned depth)
{
    bool few = (int64_t)members->count < schema->min_properties;
    for (uint32_t i = 0; i < schema->property_count; i++) {
        if (few || (depth < DEEP && coin(draw)))
            add_member(draw, members, layers, schema->properties[i].key, depth);
    }
}

static void add_dependent(struct draw *draw, struct members *members, const struct values_layers *layers,
                          const struct schema *schema, unsigned depth)
{
    for (uint32_t i = 0; i < members->count; i++) {
        for (uint32_t k = 0; k < schema->dependent_count; k++) {
            const struct schema_dependent *dependent = &schema->dependent[k];
            for (uint32_t n = 0; str_equal(dependent->key, members->items[i].key) && n < dependent->count;
                 n++)
                add_member(draw, members, layers, dependent->required[n], depth);
        }
    }
}

static const struct json *draw_object(struct draw *draw, const struct values_layers *layers, unsigned depth)
{
    struct members *members = arena_new(draw->arena, struct members);
    for (uint32_t i = 0; i < layers->count; i++)
        add_required(draw, members, layers, layers->items[i], depth);
    for (uint32_t i = 0; i < layers->count; i++)
        add_optional(draw, members, layers, layers->items[i], depth);
    for (uint32_t i = 0; i < layers->count; i++)
        add_dependent(draw, members, layers, layers->items[i], depth);
    return json_new_object(draw->arena, members->items, members->count);
}

/* ---- arrays ---- */

static void layers_of_item(const struct values_layers *layers, uint32_t index, struct values_layers *item)
{
    *item = (struct values_layers){0};
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema *schema = layers->items[i];
        if (index < schema->prefix_items.count)
            add_layer(item, schema->prefix_items.items[index]);
        else
            add_layer(item, schema->items);
        if (index < (uint32_t)(schema_has(schema, SCHEMA_KEYWORD_MIN_CONTAINS) ? schema->min_contains : 1))
            add_layer(item, schema->contains);
    }
}

static uint32_t item_count(struct draw *draw, const struct values_layers *layers, unsigned depth)
{
    struct values_span span = {0, INT64_MAX};
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema *schema = layers->items[i];
        if (schema_has(schema, SCHEMA_KEYWORD_MIN_ITEMS) && schema->min_items > span.least)
            span.least = schema->min_items;
        if (schema->contains && span.least < 1)
            span.least = 1;
        if (schema_has(schema, SCHEMA_KEYWORD_MAX_ITEMS) && schema->max_items < span.most)
            span.most = schema->max_items;
    }
    int64_t more = depth < DEEP ? (int64_t)rng_below(draw->rng, MORE_ITEMS + 1) : 0;
    int64_t count = span.least + more < span.most ? span.least + more : span.most;
    return (uint32_t)(count < MOST_ITEMS ? count : MOST_ITEMS);
}

static const struct json *draw_array(struct draw *draw, const struct values_layers *layers, unsigned depth)
{
    uint32_t count = item_count(draw, layers, depth);
    const struct json **items = arena_array(draw->arena, count, sizeof(struct json *));
    for (uint32_t i = 0; i < count; i++) {
        struct values_layers item;
        layers_of_item(layers, i, &item);
        items[i] = draw_value(draw, &item, depth + 1);
    }
    return json_new_array(draw->arena, items, count);
}

/* ---- any value ---- */

/* One of the types that all layers allow; what their other keywords speak of when no layer says. */
static unsigned draw_type(struct draw *draw, const struct values_layers *layers)
{
    unsigned allowed = 0, hinted = 0;
    for (uint32_t i = 0; i < layers->count; i++) {
        const struct schema *schema = layers->items[i];
        unsigned types =
            schema->types & SCHEMA_TYPE_NUMBER ? schema->types | SCHEMA_TYPE_INTEGER : schema->types;
        if (types)
            allowed = allowed ? allowed & types : types;
        if (schema->property_count || schema->required_count)
            hinted = SCHEMA_TYPE_OBJECT;
        else if (schema->items || schema->prefix_items.count || schema->contains)
            hinted = SCHEMA_TYPE_ARRAY;
        else if (schema->minimum.size || schema->maximum.size || schema->multiple_of)
            hinted = SCHEMA_TYPE_NUMBER;
    }
    if (allowed == 0)
        return hinted ? hinted : SCHEMA_TYPE_STRING;
    unsigned type;
    do {
        type = 1U << rng_below(draw->rng, 7);
    } while (!(allowed & type));
    return type;
}

static const struct json *draw_of_type(struct draw *draw, const struct values_layers *layers, unsigned type,
                                       unsigned depth)
{
    switch ((enum schema_type)type) {
    case SCHEMA_TYPE_NULL:
        return &json_null;
    case SCHEMA_TYPE_BOOLEAN:
        return json_new_bool(coin(draw));
    case SCHEMA_TYPE_INTEGER:
        return json_new_number(draw->arena, values_number(layers, true, draw->rng, draw->arena));
    case SCHEMA_TYPE_NUMBER:
        return json_new_number(draw->arena, values_number(layers, false, draw->rng, draw->arena));
    case SCHEMA_TYPE_STRING:
        return json_new_string(draw->arena, values_text(layers, draw->rng, draw->arena));
    case SCHEMA_TYPE_ARRAY:
        return draw_array(draw, layers, depth);
    case SCHEMA_TYPE_OBJECT:
        return draw_object(draw, layers, depth);
    }
    check_never("unknown type of a schema");
}

static const struct json *draw_value(struct draw *draw, const struct values_layers *given, unsigned depth)
{
    struct values_layers layers;
    if (depth > LIMITS_PAYLOAD_DEPTH)
        return &json_null;
    spread(draw, given, &layers);
    for (uint32_t i = 0; i < layers.count; i++) {
        const struct json *values = layers.items[i]->values;
        if (layers.items[i]->constant)
            return layers.items[i]->constant;
        if (values && values->count > 0)
            return values->items[rng_below(draw->rng, values->count)];
    }
    return draw_of_type(draw, &layers, draw_type(draw, &layers), depth);
}

const struct json *values_make(const struct schema *schema, struct rng *rng, struct arena *arena)
{
    struct draw draw = {rng, arena};
    struct values_layers layers = {.items = {schema}, .count = 1};
    check(rng != NULL && arena != NULL);
    if (!schema)
        return json_new_object(arena, NULL, 0);
    for (int i = 0; i < VALUES_TRIES; i++) {
        const struct json *value = draw_value(&draw, &layers, 0);
        if (schema_check(schema, value, arena, NULL))
            return value;
    }
    return NULL;
}
