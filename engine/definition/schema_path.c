#include "engine/definition/schema_path.h"

#include "engine/definition/problem.h"
#include "engine/definition/schema_parts.h"

static struct str hint_for(const struct schema *schema, struct str field, struct arena *arena)
{
    if (schema_has(schema, SCHEMA_KEYWORD_TYPE) && !(schema->types & SCHEMA_TYPE_OBJECT))
        return arena_printf(arena, "the value is %s", schema_types_text(arena, schema->types).data);
    struct problem_guess guess = problem_guess_for(field);
    for (uint32_t i = 0; i < schema->property_count; i++)
        problem_guess_try(&guess, schema->properties[i].key);
    return problem_guess_hint(&guess, arena,
                              STR("declare it in `properties`, or allow others with `additionalProperties`"));
}

/* The schema of a member; NULL when nothing is known about it. *missing when there can be no such member. */
static const struct schema *schema_of_member(const struct schema *schema, struct str field, bool *missing)
{
    const struct schema_property *property = schema_find_property(schema, field);
    bool no_object = schema_has(schema, SCHEMA_KEYWORD_TYPE) && !(schema->types & SCHEMA_TYPE_OBJECT);
    *missing = schema->never || no_object;
    if (*missing || property)
        return *missing ? NULL : property->schema;
    if (!schema->additional)
        *missing = schema_has(schema, SCHEMA_KEYWORD_PROPERTIES);
    else
        *missing = schema->additional->never;
    return *missing ? NULL : schema->additional;
}

bool schema_path_find_gap(const struct schema *schema, struct str path, struct arena *arena,
                          struct schema_path_gap *gap)
{
    size_t begin = 1; /* behind the first point */
    while (schema && begin < path.size) {
        struct str rest = str_slice(path, begin, path.size);
        struct str field = str_slice(rest, 0, str_find(rest, '.'));
        bool missing;
        const struct schema *below = schema_of_member(schema, field, &missing);
        if (missing) {
            *gap = (struct schema_path_gap){.field = field, .hint = hint_for(schema, field, arena)};
            return true;
        }
        schema = below;
        begin += field.size + 1;
    }
    return false;
}

bool schema_has_path(const struct schema *schema, struct str path)
{
    struct arena arena;
    struct schema_path_gap gap;
    arena_init(&arena, 0);
    bool missing = schema_path_find_gap(schema, path, &arena, &gap);
    arena_fini(&arena);
    return !missing;
}
