/* The compiler of JSON Schema: one function for each keyword, found by the table. Called by the loader for
 * inputs and outputs. Never takes a keyword that it does not check: it is refused by name. */
#include "engine/definition/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/problem.h"
#include "engine/definition/schema_parts.h"
#include "engine/definition/schema_refs.h"
#include "engine/definition/word.h"

struct compile {
    struct arena *arena;
    struct diag_list *diags;
    struct diag_place place; /* where the schema begins */
    const struct tree *tree; /* the schema itself when it is written in the definition, else NULL */
    struct schema_refs refs;
    size_t pattern_bytes; /* taken by the patterns so far */
};
/* What is being compiled, where it stands, and where the source holds it. */
struct spot {
    struct compile *compile;
    const struct schema_at *at;
    const struct json *const *slot;
};

static const struct schema *compile_schema(struct spot spot);

static const struct tree *tree_item(const struct tree *list, uint32_t index)
{
    const struct tree *item = list->kind == TREE_SEQUENCE ? list->first : NULL;
    for (uint32_t i = 0; item && i < index; i++)
        item = item->next;
    return item;
}

/* What the path names in the definition; NULL when the schema is in a file of its own. */
static const struct tree *tree_of(const struct compile *compile, const struct schema_at *at)
{
    if (!compile->tree || !at)
        return compile->tree;
    const struct tree *above = tree_of(compile, at->up);
    if (!above)
        return NULL;
    return at->is_index ? tree_item(above, at->index) : tree_get(above, at->key);
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

/* Not made for a mistake that is only counted: a long key above many mistakes would cost its size each time.
 */
static struct str pointer_of(struct spot spot)
{
    struct diag_list *diags = spot.compile->diags;
    return diags->count < LIMITS_ERRORS_COUNT ? schema_pointer(diags->arena, spot.at) : STR("");
}

__attribute__((format(printf, 4, 5))) static void refuse_as(struct spot spot, enum problem problem,
                                                            struct str hint, const char *format, ...)
{
    enum { WHAT_BYTES = 400 };
    char what[WHAT_BYTES];
    va_list arguments;
    const struct tree *tree = tree_of(spot.compile, spot.at);
    if (tree && tree->kind == TREE_BROKEN)
        return; /* reported when it was read */
    va_start(arguments, format);
    int size = vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    check(size >= 0);
    struct str pointer = pointer_of(spot);
    problem_add(spot.compile->diags, place_of_value(spot), problem, hint, "schema at \"%.*s\": %s",
                STR_ARG(pointer), what);
}

static void refuse(struct spot spot, const char *what)
{
    refuse_as(spot, PROBLEM_SCHEMA_VALUE, STR(""), "%s", what);
}

static struct spot spot_of_member(struct spot spot, uint32_t index)
{
    const struct json_member *member = &(*spot.slot)->members[index];
    struct schema_at *at = arena_new(spot.compile->arena, struct schema_at);
    *at = (struct schema_at){.up = spot.at, .key = member->key};
    return (struct spot){spot.compile, at, &member->value};
}

static struct spot spot_of_item(struct spot spot, uint32_t index)
{
    struct schema_at *at = arena_new(spot.compile->arena, struct schema_at);
    *at = (struct schema_at){.up = spot.at, .index = index, .is_index = true};
    return (struct spot){spot.compile, at, &(*spot.slot)->items[index]};
}

static bool is_object(struct spot spot, const char *otherwise)
{
    bool fine = (*spot.slot)->kind == JSON_OBJECT;
    if (!fine)
        refuse(spot, otherwise);
    return fine;
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

static struct schema_property *compile_by_name(struct spot spot)
{
    const struct json *value = *spot.slot;
    struct schema_property *named = arena_array(spot.compile->arena, value->count, sizeof *named);
    for (uint32_t i = 0; i < value->count; i++)
        named[i] = (struct schema_property){value->members[i].key, compile_schema(spot_of_member(spot, i))};
    return named;
}

static void compile_properties(struct spot spot, struct schema *schema, const struct json *value)
{
    if (!is_object(spot, "`properties` takes an object of schemas"))
        return;
    struct schema_property *properties = compile_by_name(spot);
    qsort(properties, value->count, sizeof *properties, compare_properties);
    schema->properties = properties;
    schema->property_count = value->count;
}

static void compile_dependent_schemas(struct spot spot, struct schema *schema, const struct json *value)
{
    if (!is_object(spot, "`dependentSchemas` takes an object of schemas"))
        return;
    schema->dependent_schemas = compile_by_name(spot);
    schema->dependent_schema_count = value->count;
}

/* True when this pattern was the one too many; those behind it are not compiled, nor reported again. */
static bool count_pattern(struct spot spot, size_t bytes)
{
    struct compile *compile = spot.compile;
    compile->pattern_bytes += bytes;
    if (compile->pattern_bytes <= LIMITS_SCHEMA_PATTERN_BYTES)
        return false;
    problem_add(compile->diags, compile->place, PROBLEM_TOO_LARGE,
                STR("`$ref` lets one pattern serve in many places; {m,n} makes a pattern longer"),
                "the patterns of a schema take more than %d bytes when compiled",
                LIMITS_SCHEMA_PATTERN_BYTES);
    return true;
}

static const struct regex *compile_regex(struct spot spot, struct str pattern)
{
    struct err_note note;
    const struct regex *regex = NULL;
    struct arena *arena = spot.compile->arena;
    size_t used = arena->used;
    if (spot.compile->pattern_bytes > LIMITS_SCHEMA_PATTERN_BYTES)
        return NULL;
    if (schema_compile_pattern(arena, pattern, &regex, &note) != ERR_OK)
        refuse_as(spot, PROBLEM_SCHEMA_VALUE,
                  STR("patterns are matched in linear time: the manual lists what there is"),
                  "not a pattern: %s", note.text);
    return count_pattern(spot, arena->used - used) ? NULL : regex;
}

static void compile_pattern_properties(struct spot spot, struct schema *schema, const struct json *value)
{
    if (!is_object(spot, "`patternProperties` takes an object of schemas"))
        return;
    struct schema_pattern *patterns = arena_array(spot.compile->arena, value->count, sizeof *patterns);
    for (uint32_t i = 0; i < value->count; i++) {
        struct spot below = spot_of_member(spot, i);
        patterns[i] =
            (struct schema_pattern){compile_regex(below, value->members[i].key), compile_schema(below)};
    }
    schema->patterns = patterns;
    schema->pattern_count = value->count;
}

static const struct str *compile_names(struct spot spot, const char *otherwise)
{
    const struct json *value = *spot.slot;
    bool fine = value->kind == JSON_ARRAY;
    struct str *names = arena_array(spot.compile->arena, fine ? value->count : 0, sizeof *names);
    for (uint32_t i = 0; fine && i < value->count; i++) {
        fine = value->items[i]->kind == JSON_STRING;
        names[i] = value->items[i]->text;
    }
    if (!fine)
        refuse(spot, otherwise);
    return fine ? names : NULL;
}

static void compile_required(struct spot spot, struct schema *schema, const struct json *value)
{
    schema->required = compile_names(spot, "`required` takes a list of names");
    schema->required_count = schema->required ? value->count : 0;
}

static void compile_dependent(struct spot spot, struct schema *schema, const struct json *value)
{
    if (!is_object(spot, "`dependentRequired` takes an object of lists of names"))
        return;
    struct schema_dependent *dependent = arena_array(spot.compile->arena, value->count, sizeof *dependent);
    for (uint32_t i = 0; i < value->count; i++) {
        const struct str *names =
            compile_names(spot_of_member(spot, i), "`dependentRequired` takes lists of names");
        dependent[i] = (struct schema_dependent){value->members[i].key, names,
                                                 names ? value->members[i].value->count : 0};
    }
    schema->dependent = dependent;
    schema->dependent_count = value->count;
}

static void compile_defs(struct spot spot, struct schema *schema, const struct json *value)
{
    (void)schema;
    if (!is_object(spot, "`$defs` takes an object of schemas"))
        return;
    for (uint32_t i = 0; i < value->count; i++)
        (void)compile_schema(spot_of_member(spot, i)); /* kept among the parts, for `$ref` */
}

/* ---- arrays and strings ---- */

static struct schema_list compile_list(struct spot spot)
{
    const struct json *value = *spot.slot;
    if (value->kind != JSON_ARRAY || value->count == 0) {
        refuse_as(spot, PROBLEM_SCHEMA_VALUE, STR(""), "`%.*s` takes a list of at least one schema",
                  STR_ARG(spot.at->key));
        return (struct schema_list){0};
    }
    const struct schema **items = arena_array(spot.compile->arena, value->count, sizeof(struct schema *));
    for (uint32_t i = 0; i < value->count; i++)
        items[i] = compile_schema(spot_of_item(spot, i));
    return (struct schema_list){items, value->count};
}

static void compile_items(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_ARRAY)
        refuse_as(spot, PROBLEM_SCHEMA_VALUE, STR("a schema for each of the first items is `prefixItems`"),
                  "`items` takes one schema for all items here, not a list");
    else
        schema->items = compile_schema(spot);
}

/* A count from 0; 5.0 is one too. */
static int64_t compile_count(struct spot spot)
{
    const struct json *value = *spot.slot;
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

static void compile_unique_items(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind != JSON_BOOL)
        refuse(spot, "`uniqueItems` takes true or false");
    schema->unique_items = value->boolean;
}

static void compile_pattern(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind != JSON_STRING) {
        refuse(spot, "`pattern` takes a regular expression");
        return;
    }
    schema->pattern = compile_regex(spot, value->text);
    schema->pattern_text = value->text;
}

static void compile_format(struct spot spot, struct schema *schema, const struct json *value)
{
    struct arena *arena = spot.compile->diags->arena;
    if (value->kind != JSON_STRING) {
        refuse(spot, "`format` takes the name of a format");
        return;
    }
    struct problem_guess guess = problem_guess_for(value->text);
    for (int i = 0; i < SCHEMA_FORMAT_COUNT; i++) {
        struct str name = schema_format_name((enum schema_format)i);
        problem_guess_try(&guess, name);
        schema->format = str_equal(name, value->text) ? (enum schema_format)i : schema->format;
    }
    if (!str_equal(schema_format_name(schema->format), value->text))
        refuse_as(spot, PROBLEM_SCHEMA_VALUE,
                  problem_guess_hint(&guess, arena, STR("the manual lists the formats there are")),
                  "unknown format \"%.*s\"", STR_ARG(value->text));
}

/* ---- numbers ---- */

static struct str compile_number(struct spot spot)
{
    if ((*spot.slot)->kind == JSON_NUMBER)
        return (*spot.slot)->text;
    refuse(spot, "a bound is a number");
    return STR("0");
}

static void compile_multiple_of(struct spot spot, struct schema *schema, const struct json *value)
{
    struct schema_divisor *divisor = arena_new(spot.compile->arena, struct schema_divisor);
    if (value->kind != JSON_NUMBER || !schema_read_divisor(value->text, divisor))
        refuse(spot, "`multipleOf` takes a number above 0, of at most 18 digits");
    schema->multiple_of = divisor;
}

/* Keywords whose value is read in one of four ways and kept as it is. */
#define KEEP(field, read)                                                                                    \
    static void compile_##field(struct spot spot, struct schema *schema, const struct json *value)           \
    {                                                                                                        \
        (void)value;                                                                                         \
        schema->field = read(spot);                                                                          \
    }
KEEP(min_items, compile_count)
KEEP(max_items, compile_count)
KEEP(min_contains, compile_count)
KEEP(max_contains, compile_count)
KEEP(min_properties, compile_count)
KEEP(max_properties, compile_count)
KEEP(min_length, compile_count)
KEEP(max_length, compile_count)
KEEP(minimum, compile_number)
KEEP(maximum, compile_number)
KEEP(exclusive_minimum, compile_number)
KEEP(exclusive_maximum, compile_number)
KEEP(additional, compile_schema)
KEEP(property_names, compile_schema)
KEEP(contains, compile_schema)
KEEP(not_this, compile_schema)
KEEP(condition, compile_schema)
KEEP(then, compile_schema)
KEEP(otherwise, compile_schema)
KEEP(prefix_items, compile_list)
KEEP(all_of, compile_list)
KEEP(any_of, compile_list)
KEEP(one_of, compile_list)
#undef KEEP

/* ---- references ---- */

static void compile_ref(struct spot spot, struct schema *schema, const struct json *value)
{
    if (value->kind == JSON_STRING)
        schema_refs_add(&spot.compile->refs, schema, value->text, spot.at);
    else
        refuse(spot, "`$ref` takes a text such as \"#/$defs/name\"");
}

/* Inside of a schema it would move what `#` means. */
static void compile_id(struct spot spot, struct schema *schema, const struct json *value)
{
    (void)schema;
    if (value->kind != JSON_STRING)
        refuse(spot, "`$id` takes a text");
    else if (spot.at->up)
        refuse(spot, "`$id` may stand at the root of a schema only");
}

/* Anything but a name is a member that was to stand below `properties`. */
static void compile_old_id(struct spot spot, struct schema *schema, const struct json *value)
{
    (void)schema;
    if (value->kind != JSON_STRING)
        refuse_as(spot, PROBLEM_SCHEMA_KEYWORD, STR("a member of this name stands below `properties`"),
                  "`id` is the name of a schema, in draft 4");
}

/* A dialect of somebody's own may give keywords another meaning, or none. */
static void compile_dialect(struct spot spot, struct schema *schema, const struct json *value)
{
    (void)schema;
    if (value->kind != JSON_STRING || (!str_starts(value->text, STR("https://json-schema.org/draft")) &&
                                       !str_starts(value->text, STR("http://json-schema.org/"))))
        refuse_as(spot, PROBLEM_SCHEMA_VALUE, STR("https://json-schema.org/draft/2020-12/schema"),
                  "`$schema` names a draft of json-schema.org");
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
static const struct str refused[] = {
#define X(text) WORD(text),
#include "engine/definition/keywords_refused.def"
#undef X
};

static void refuse_keyword(struct spot spot, struct str keyword)
{
    struct diag_list *diags = spot.compile->diags;
    struct str pointer = pointer_of(spot);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (!str_equal(keyword, refused[i]))
            continue;
        problem_add(diags, place_of_key(spot), PROBLEM_SCHEMA_KEYWORD,
                    STR("the manual lists the keywords there are"),
                    "schema at \"%.*s\": `%.*s` is not supported", STR_ARG(pointer), STR_ARG(keyword));
        return;
    }
    struct problem_guess guess = problem_guess_for(keyword);
    for (int i = 0; i < SCHEMA_KEYWORD_COUNT; i++)
        problem_guess_try(&guess, rows[i].text);
    problem_add(diags, place_of_key(spot), PROBLEM_SCHEMA_KEYWORD,
                problem_guess_hint(&guess, diags->arena, STR("the manual lists the keywords there are")),
                "schema at \"%.*s\": unknown keyword \"%.*s\"", STR_ARG(pointer), STR_ARG(keyword));
}

static void compile_keyword(struct spot spot, struct str keyword, struct schema *schema)
{
    for (int i = 0; i < SCHEMA_KEYWORD_COUNT; i++) {
        if (!str_equal(keyword, rows[i].text))
            continue;
        schema->present |= UINT64_C(1) << i;
        if (rows[i].compile)
            rows[i].compile(spot, schema, *spot.slot);
        return;
    }
    if (!str_starts(keyword, STR("x-"))) /* by custom a note for other tools */
        refuse_keyword(spot, keyword);
}

static void refuse_many(struct spot spot)
{
    problem_add(spot.compile->diags, spot.compile->place, PROBLEM_TOO_LARGE,
                STR("`$ref` lets one schema serve in many places"), "more than %d schemas in one",
                LIMITS_SCHEMA_PARTS);
}

static const struct schema *compile_schema(struct spot spot)
{
    static const struct schema any = {0};
    const struct json *source = *spot.slot;
    if (spot.compile->refs.count == LIMITS_SCHEMA_PARTS + 1)
        return &any; /* refused already */
    struct schema *schema = arena_new(spot.compile->arena, struct schema);
    schema->source = source;
    schema_refs_add_part(&spot.compile->refs, schema, spot.slot, spot.at);
    if (spot.compile->refs.count == LIMITS_SCHEMA_PARTS + 1) {
        refuse_many(spot);
    } else if (source->kind == JSON_BOOL) {
        schema->never = !source->boolean;
    } else if (source->kind != JSON_OBJECT) {
        refuse(spot, "a schema is an object, true or false");
    } else {
        for (uint32_t i = 0; i < source->count; i++)
            compile_keyword(spot_of_member(spot, i), source->members[i].key, schema);
    }
    return schema;
}

static void resolve_refs(struct spot root)
{
    struct schema_refs *refs = &root.compile->refs;
    for (const struct schema_ref *ref = refs->refs; ref; ref = ref->next) {
        ref->schema->ref = schema_refs_find(refs, root.slot, ref->target);
        if (!ref->schema->ref)
            refuse_as((struct spot){.compile = root.compile, .at = ref->at}, PROBLEM_SCHEMA_REF,
                      STR("`#`, `#/$defs/name` or another pointer to a schema of the same file"),
                      "there is no schema \"%.*s\" here", STR_ARG(ref->target));
    }
}

static void refuse_loops(struct compile *compile)
{
    bool is_loop;
    const struct schema_part *part = schema_refs_find_loop(&compile->refs, &is_loop);
    if (part && is_loop)
        refuse_as((struct spot){.compile = compile, .at = part->at}, PROBLEM_SCHEMA_REF,
                  STR("a schema may come back for a member or an item only"),
                  "checking a value with this schema leads back to it for the same value");
    else if (part)
        refuse_as((struct spot){.compile = compile, .at = part->at}, PROBLEM_TOO_LARGE, STR(""),
                  "more than %d schemas, one leading to the other, for the same value", LIMITS_SCHEMA_CHAIN);
}

static const struct schema *compile_root(struct compile *compile, const struct json *source)
{
    size_t errors_before = compile->diags->error_count;
    struct spot root = {.compile = compile, .slot = &source};
    check(SCHEMA_KEYWORD_COUNT <= 64); /* bits of schema->present */
    compile->refs.arena = compile->arena;
    const struct schema *schema = compile_schema(root);
    resolve_refs(root);
    refuse_loops(compile);
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
