/* The compiler: one function for each keyword, found by the table. */
#include "engine/definition/schema.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/problem.h"
#include "engine/definition/schema_parts.h"
#include "engine/definition/word.h"

struct compile {
    struct arena *arena;
    struct diag_list *diags;
    struct diag_place place; /* where the schema begins */
    const struct tree *tree; /* the schema itself when it is written in the definition, else NULL */
};
/* A keyword being compiled, and where it stands. */
struct spot {
    struct compile *compile;
    const struct schema_at *at;
};

static const struct schema *compile_schema(struct compile *compile, const struct json *source,
                                           const struct schema_at *at);

/* What the path names in the definition; NULL when the schema is in a file of its own. */
static const struct tree *tree_of(const struct compile *compile, const struct schema_at *at)
{
    if (!compile->tree || !at)
        return compile->tree;
    const struct tree *above = tree_of(compile, at->up);
    return above ? tree_get(above, at->key) : NULL;
}

static struct diag_place place_of_value(struct spot spot)
{
    const struct tree *tree = tree_of(spot.compile, spot.at);
    return tree ? tree->place : spot.compile->place;
}

static struct diag_place place_of_key(struct spot spot)
{
    const struct tree *tree = tree_of(spot.compile, spot.at);
    return tree ? tree->key_place : spot.compile->place;
}

static void refuse(struct spot spot, const char *what)
{
    const struct tree *tree = tree_of(spot.compile, spot.at);
    if (tree && tree->kind == TREE_BROKEN)
        return; /* reported when it was read */
    struct str pointer = schema_pointer(spot.compile->diags->arena, spot.at);
    problem_add(spot.compile->diags, place_of_value(spot), PROBLEM_SCHEMA_VALUE, STR(""),
                "schema at \"%.*s\": %s", STR_ARG(pointer), what);
}

static const struct schema *compile_below(struct spot spot, struct str key, const struct json *source)
{
    struct schema_at at = {.up = spot.at, .key = key};
    return compile_schema(spot.compile, source, &at);
}

/* ---- any value ---- */

static const struct {
    struct str name;
    enum schema_type type;
    const char *words;
} types[] = {
    {WORD("null"), SCHEMA_TYPE_NULL, "null"},
    {WORD("boolean"), SCHEMA_TYPE_BOOLEAN, "true or false"},
    {WORD("integer"), SCHEMA_TYPE_INTEGER, "an integer"},
    {WORD("number"), SCHEMA_TYPE_NUMBER, "a number"},
    {WORD("string"), SCHEMA_TYPE_STRING, "a string"},
    {WORD("array"), SCHEMA_TYPE_ARRAY, "an array"},
    {WORD("object"), SCHEMA_TYPE_OBJECT, "an object"},
};
enum { TYPES_COUNT = sizeof types / sizeof types[0] };

struct str schema_types_text(struct arena *arena, unsigned mask)
{
    struct buf text;
    buf_init(&text, arena);
    for (int i = 0; i < TYPES_COUNT; i++) {
        if (mask & types[i].type)
            buf_printf(&text, "%s%s", text.size ? " or " : "", types[i].words);
    }
    return buf_str(&text);
}

static unsigned type_of(struct spot spot, const struct json *name)
{
    for (int i = 0; i < TYPES_COUNT; i++) {
        if (name->kind == JSON_STRING && str_equal(name->text, types[i].name))
            return types[i].type;
    }
    refuse(spot, "a type is null, boolean, integer, number, string, array or object");
    return 0;
}

static void compile_type(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind != JSON_ARRAY) {
        schema->types = type_of(spot, value);
        return;
    }
    for (uint32_t i = 0; i < value->count; i++)
        schema->types |= type_of(spot, value->items[i]);
    if (value->count == 0)
        refuse(spot, "an empty list of types allows nothing");
}

static void compile_enum(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind != JSON_ARRAY || value->count == 0)
        refuse(spot, "`enum` takes a list of at least one value");
    schema->values = value;
}

static void compile_const(struct spot spot, struct schema *schema, const struct json *value)
{
    (void)spot;
    schema->constant = value;
}

/* ---- objects ---- */

static int compare_properties(const void *left, const void *right)
{
    const struct schema_property *a = left;
    const struct schema_property *b = right;
    return str_compare(a->key, b->key);
}

static void compile_properties(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind != JSON_OBJECT) {
        refuse(spot, "`properties` takes an object of schemas");
        return;
    }
    struct schema_property *properties = arena_array(spot.compile->arena, value->count, sizeof *properties);
    for (uint32_t i = 0; i < value->count; i++) {
        struct str key = value->members[i].key;
        properties[i] = (struct schema_property){key, compile_below(spot, key, value->members[i].value)};
    }
    qsort(properties, value->count, sizeof *properties, compare_properties);
    schema->properties = properties;
    schema->property_count = value->count;
}

static void compile_required(struct spot spot, struct schema *schema, const struct json *value)
{
    bool fine = value->kind == JSON_ARRAY;
    struct str *names = arena_array(spot.compile->arena, value->count, sizeof *names);
    for (uint32_t i = 0; fine && i < value->count; i++) {
        fine = value->items[i]->kind == JSON_STRING;
        names[i] = value->items[i]->text;
    }
    if (!fine) {
        refuse(spot, "`required` takes a list of names");
        return;
    }
    schema->required = names;
    schema->required_count = value->count;
}

static void compile_additional(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->additional = compile_schema(spot.compile, value, spot.at);
}

/* ---- arrays and strings ---- */

static void compile_items(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_ARRAY)
        refuse(spot, "`items` takes one schema for all items here, not a list");
    else
        schema->items = compile_schema(spot.compile, value, spot.at);
}

/* A count from 0; 5.0 is one too. */
static int64_t compile_count(struct spot spot, const struct json *value)
{
    int64_t count = -1;
    if (value->kind == JSON_NUMBER && schema_is_integer(value->text)) {
        struct str text = value->text;
        text.size = str_find(text, '.');
        if (!str_to_i64(text, &count))
            count = -1;
    }
    if (count < 0)
        refuse(spot, "a count is an integer from 0");
    return count;
}

static void compile_min_items(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->min_items = compile_count(spot, value);
}

static void compile_max_items(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->max_items = compile_count(spot, value);
}

static void compile_unique_items(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind != JSON_BOOL)
        refuse(spot, "`uniqueItems` takes true or false");
    schema->unique_items = value->boolean;
}

static void compile_min_length(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->min_length = compile_count(spot, value);
}

static void compile_max_length(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->max_length = compile_count(spot, value);
}

/* ---- numbers ---- */

static struct str compile_number(struct spot spot, const struct json *value)
{
    if (value->kind == JSON_NUMBER)
        return value->text;
    refuse(spot, "a bound is a number");
    return STR("0");
}

static void compile_minimum(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->minimum = compile_number(spot, value);
}

static void compile_maximum(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->maximum = compile_number(spot, value);
}

static void compile_exclusive_minimum(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->exclusive_minimum = compile_number(spot, value);
}

static void compile_exclusive_maximum(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->exclusive_maximum = compile_number(spot, value);
}

/* ---- the table ---- */

struct row {
    struct str text;
    void (*compile)(struct spot spot, struct schema *schema, const struct json *value);
};
static const struct row rows[] = {
#define X(name, text, compile, check, meaning) {WORD(text), compile},
#include "engine/definition/keywords.def"
#undef X
};
static const struct str later[] = {
#define X(text) WORD(text),
#include "engine/definition/keywords_later.def"
#undef X
};

static void refuse_keyword(struct spot spot, struct str keyword)
{
    struct diag_list *diags = spot.compile->diags;
    struct str pointer = schema_pointer(diags->arena, spot.at);
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        if (!str_equal(keyword, later[i]))
            continue;
        problem_add(diags, place_of_key(spot), PROBLEM_SCHEMA_KEYWORD,
                    STR("the manual lists the keywords there are"),
                    "schema at \"%.*s\": `%.*s` is not supported yet", STR_ARG(pointer), STR_ARG(keyword));
        return;
    }
    struct problem_guess guess = problem_guess_for(keyword);
    for (int i = 0; i < SCHEMA_KEYWORD_COUNT; i++)
        problem_guess_try(&guess, rows[i].text);
    problem_add(diags, place_of_key(spot), PROBLEM_SCHEMA_KEYWORD,
                problem_guess_hint(&guess, diags->arena, STR("the manual lists the keywords there are")),
                "schema at \"%.*s\": unknown keyword \"%.*s\"", STR_ARG(pointer), STR_ARG(keyword));
}

static void compile_keyword(struct compile *compile, const struct json_member *member,
                            const struct schema_at *at, struct schema *schema)
{
    struct schema_at below = {.up = at, .key = member->key};
    struct spot spot = {.compile = compile, .at = &below};
    for (int i = 0; i < SCHEMA_KEYWORD_COUNT; i++) {
        if (!str_equal(member->key, rows[i].text))
            continue;
        schema->present |= UINT32_C(1) << i;
        if (rows[i].compile)
            rows[i].compile(spot, schema, member->value);
        return;
    }
    refuse_keyword(spot, member->key);
}

static const struct schema *compile_schema(struct compile *compile, const struct json *source,
                                           const struct schema_at *at)
{
    struct schema *schema = arena_new(compile->arena, struct schema);
    if (source->kind == JSON_BOOL) {
        schema->never = !source->boolean;
    } else if (source->kind != JSON_OBJECT) {
        refuse((struct spot){compile, at}, "a schema is an object, true or false");
    } else {
        for (uint32_t i = 0; i < source->count; i++)
            compile_keyword(compile, &source->members[i], at, schema);
    }
    return schema;
}

static const struct schema *compile_root(struct compile *compile, const struct json *source)
{
    size_t errors_before = compile->diags->error_count;
    check(SCHEMA_KEYWORD_COUNT <= 32); /* bits of schema->present */
    const struct schema *schema = compile_schema(compile, source, NULL);
    return compile->diags->error_count == errors_before ? schema : NULL;
}

const struct schema *schema_compile(struct arena *arena, const struct json *source, struct diag_place place,
                                    struct diag_list *diags)
{
    struct compile compile = {.arena = arena, .diags = diags, .place = place};
    return compile_root(&compile, source);
}

const struct schema *schema_compile_tree(struct arena *arena, const struct tree *tree,
                                         struct diag_list *diags)
{
    struct compile compile = {.arena = arena, .diags = diags, .place = tree->place, .tree = tree};
    return compile_root(&compile, tree_json(arena, tree));
}
