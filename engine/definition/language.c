/* The language as a JSON Schema for editors, from the tables by which files are read. Called by `sagactl`
 * alone. Never knows a key that the tables do not have. */
#include "engine/definition/language.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/definition/keys.h"
#include "engine/definition/schema_parts.h"

#define OPTIONAL false
#define REQUIRED true
struct key {
    enum keys_table table;
    const char *text;
    bool required;
    enum keys_form form;
    enum keys_table of;
    const char *meaning;
};
static const struct key keys[] = {
#define X(table, name, text, need, form, of, meaning)                                                        \
    {KEYS_TABLE_##table, text, need, KEYS_FORM_##form, KEYS_TABLE_##of, meaning},
#include "engine/definition/keys.def"
#undef X
};
struct table {
    const char *name;
    const char *meaning;
};
static const struct table tables[] = {
#define X(name, words) {#name, words},
#include "engine/definition/tables.def"
#undef X
};
struct word {
    enum keys_key key;
    const char *text;
    const char *meaning;
};
static const struct word words[] = {
#define X(table, key, text, meaning) {KEYS_##table##_##key, text, meaning},
#include "engine/definition/words.def"
#undef X
};
static const bool form_is_mapping[] = {
#define FORM(kind) (TREE_##kind == TREE_MAPPING)
#define X(name, words, kinds) kinds,
#include "engine/definition/forms.def"
#undef X
#undef FORM
};
struct shape {
    const char *name;
    const char *text;
    int bound;
};
static const struct shape shapes[] = {
#define X(name, text, bound) {name, text, bound},
#include "engine/definition/language_shapes.def"
#undef X
};
static const char *const shape_of_key[KEYS_COUNT] = {
#define X(table, name, shape) [KEYS_##table##_##name] = shape,
#include "engine/definition/key_shapes.def"
#undef X
};
/* Beside words of its own and a mapping; a form without one may have nothing else. */
static const char *const shape_of_form[KEYS_FORM_COUNT] = {
    [KEYS_FORM_NAME] = "name",
    [KEYS_FORM_TEXT] = "text",
    [KEYS_FORM_ATTEMPTS] = "attempts",
    [KEYS_FORM_FLAG] = "flag",
    [KEYS_FORM_DURATION] = "duration",
    [KEYS_FORM_COMMAND] = "command",
    [KEYS_FORM_COMMAND_OR_MAPPING] = "command",
    [KEYS_FORM_COMPENSATE] = "command",
    [KEYS_FORM_EXPRESSION] = "expression",
    [KEYS_FORM_CONDITION] = "condition",
    [KEYS_FORM_QUERY] = "text",
    [KEYS_FORM_EVENT] = "event",
    [KEYS_FORM_VALUE] = "value",
    [KEYS_FORM_SCHEMA] = "schema",
    [KEYS_FORM_SWITCH] = "cases",
};
/* Of the items of a list. */
static const char *const shape_of_list[KEYS_TABLE_COUNT] = {
    [KEYS_TABLE_ENTRY] = "steps",
    [KEYS_TABLE_CASE] = "cases",
};
/* What the keys of one mapping mean for each other, or how many of the author's own there are. */
static const char *const conditions[KEYS_TABLE_COUNT] = {
#define X(table, text) [KEYS_TABLE_##table] = text,
#include "engine/definition/language_conditions.def"
#undef X
};
struct keyword {
    const char *text;
    const char *meaning;
};
static const struct keyword keywords[] = {
#define X(name, text, compile, check, meaning) {text, meaning},
#include "engine/definition/keywords.def"
#undef X
};
static const char *const shape_of_keyword[SCHEMA_KEYWORD_COUNT] = {
#define X(name, shape) [SCHEMA_KEYWORD_##name] = shape,
#include "engine/definition/keyword_shapes.def"
#undef X
};
static const char *const formats[] = {
#define X(name, text, function, meaning) text,
#include "engine/definition/schema_formats.def"
#undef X
};

/* ---- writing ---- */

/* JSON written with ' for ". */
static void put(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_char(out, *text == '\'' ? '"' : *text);
}

static void put_string(struct buf *out, const char *text)
{
    json_write_string(out, str_from(text));
}

static const char *lower(struct arena *arena, const char *name)
{
    struct buf out;
    buf_init(&out, arena);
    for (; *name; name++)
        buf_char(&out, (char)tolower((unsigned char)*name));
    return buf_str(&out).data;
}

/* Begins `"name": `, behind a comma where one is due. */
static void put_member(struct buf *out, const char *name)
{
    char last = buf_str(out).data[out->size - 1];
    buf_puts(out, last == '{' ? "" : ", ");
    put_string(out, name);
    buf_puts(out, ": ");
}

static void put_reference(struct buf *out, const char *name)
{
    put(out, "'$ref': ");
    put_string(out, arena_printf(out->arena, "#/$defs/%s", name).data);
}

/* ---- one key ---- */

/* {a} or {a, b, …} of the words of a key and its shape: what it takes when it takes no mapping. */
static void put_scalar(struct buf *out, enum keys_key key, const char *shape)
{
    int count = shape != NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        count += words[i].key == key;
    check(count > 0);
    if (count == 1 && shape) {
        put_reference(out, shape);
        return;
    }
    const char *comma = "";
    put(out, "'anyOf': [");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].key != key)
            continue;
        put(out, comma);
        put(out, "{'const': ");
        put_string(out, words[i].text);
        put(out, ", 'description': ");
        put_string(out, words[i].meaning);
        put(out, "}");
        comma = ", ";
    }
    if (shape) {
        put(out, comma);
        put(out, "{");
        put_reference(out, shape);
        put(out, "}");
    }
    put(out, "]");
}

static const char *shape_of(enum keys_key key)
{
    if (shape_of_key[key])
        return shape_of_key[key];
    if (keys[key].form == KEYS_FORM_LIST)
        return shape_of_list[keys[key].of];
    return shape_of_form[keys[key].form];
}

static void put_key(struct buf *out, enum keys_key key)
{
    const char *shape = shape_of(key);
    bool mapping = form_is_mapping[keys[key].form] && keys[key].of != KEYS_TABLE_NONE;
    const char *table = lower(out->arena, tables[keys[key].of].name);
    put(out, "{'description': ");
    put_string(out, keys[key].meaning);
    put(out, ", ");
    if (mapping && shape) {
        put(out, "'if': {'type': 'object'}, 'then': {");
        put_reference(out, table);
        put(out, "}, 'else': {");
        put_scalar(out, key, shape);
        put(out, "}");
    } else if (mapping) {
        put_reference(out, table);
    } else {
        put_scalar(out, key, shape);
    }
    put(out, "}");
}

/* ---- definitions ---- */

static void put_shapes(struct buf *out)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        put_member(out, shapes[i].name);
        struct buf text;
        buf_init(&text, out->arena);
        buf_printf(&text, shapes[i].text, shapes[i].bound);
        put(out, buf_str(&text).data);
    }
}

static void put_required(struct buf *out, enum keys_table table)
{
    const char *comma = ", 'required': [";
    for (int i = 0; i < KEYS_COUNT; i++) {
        if (keys[i].table != table || !keys[i].required)
            continue;
        put(out, comma);
        put_string(out, keys[i].text);
        comma = ", ";
    }
    put(out, comma[2] ? "" : "]");
}

static bool is_any(int key)
{
    return strcmp(keys[key].text, "*") == 0;
}

static void put_table(struct buf *out, enum keys_table table)
{
    put_member(out, lower(out->arena, tables[table].name));
    put(out, "{'title': ");
    put_string(out, tables[table].meaning);
    put(out, ", 'type': 'object'");
    put_required(out, table);
    put(out, ", 'additionalProperties': ");
    bool open = false;
    for (int i = 0; i < KEYS_COUNT; i++) {
        if (keys[i].table != table || !is_any(i))
            continue;
        put_key(out, (enum keys_key)i);
        open = true;
    }
    put(out, open ? ", 'properties': {" : "false, 'properties': {");
    for (int i = 0; i < KEYS_COUNT; i++) {
        if (keys[i].table != table || is_any(i))
            continue;
        put_member(out, keys[i].text);
        put_key(out, (enum keys_key)i);
    }
    put(out, "}");
    put(out, conditions[table] ? ", " : "");
    put(out, conditions[table] ? conditions[table] : "");
    put(out, "}");
}

/* A step, or a block by its key. The keys of blocks stand here too, so that an editor offers them. */
static void put_entry(struct buf *out)
{
    const char *comma = "";
    put_member(out, "entry");
    put(out, "{'title': 'a step or a block', 'type': 'object', 'properties': {");
    for (int i = 0; i < KEYS_COUNT; i++) {
        if (keys[i].table != KEYS_TABLE_BLOCK)
            continue;
        put_member(out, keys[i].text);
        put(out, "{'description': ");
        put_string(out, keys[i].meaning);
        put(out, "}");
    }
    put(out, "}, 'if': {'anyOf': [");
    for (int i = 0; i < KEYS_COUNT; i++) {
        if (keys[i].table != KEYS_TABLE_BLOCK)
            continue;
        put(out, comma);
        put(out, "{'required': [");
        put_string(out, keys[i].text);
        put(out, "]}");
        comma = ", ";
    }
    put(out, "]}, 'then': {'$ref': '#/$defs/block'}, 'else': {'$ref': '#/$defs/step'}}");
}

static void put_keyword(struct buf *out, enum schema_keyword keyword)
{
    put(out, "{'description': ");
    put_string(out, keywords[keyword].meaning);
    if (shape_of_keyword[keyword]) {
        put(out, ", ");
        put_reference(out, shape_of_keyword[keyword]);
    }
    put(out, "}");
}

/* Some validators take any member "$id" or "$ref" for the keyword, even where it is a property's name: those
 * stand as patterns. */
static void put_json_schema(struct buf *out)
{
    put_member(out, "json_format");
    put(out, "{'enum': [");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        put(out, i ? ", " : "");
        put_string(out, formats[i]);
    }
    put(out, "]}");
    put_member(out, "json_schema");
    put(out, "{'title': 'a JSON Schema', 'type': ['boolean', 'object'], 'additionalProperties': false, "
             "'properties': {");
    for (size_t i = 0; i < SCHEMA_KEYWORD_COUNT; i++) {
        if (keywords[i].text[0] == '$')
            continue;
        put_member(out, keywords[i].text);
        put_keyword(out, (enum schema_keyword)i);
    }
    put(out, "}, 'patternProperties': {");
    for (size_t i = 0; i < SCHEMA_KEYWORD_COUNT; i++) {
        if (keywords[i].text[0] != '$')
            continue;
        put_member(out, arena_printf(out->arena, "^[$]%s$", keywords[i].text + 1).data);
        put_keyword(out, (enum schema_keyword)i);
    }
    put_member(out, "^x-");
    put(out, "{'description': 'A note for other tools.'}");
    put(out, "}}");
}

struct str language_schema(struct arena *arena)
{
    struct buf out;
    const struct json *schema = NULL;
    struct err_note note = {.text = ""};
    buf_init(&out, arena);
    put(&out, "{'$schema': 'https://json-schema.org/draft/2020-12/schema', 'title': 'A saga of sagad', "
              "'description': 'One YAML file, one saga.', '$ref': '#/$defs/file', '$defs': {");
    for (int i = 0; i < KEYS_TABLE_COUNT; i++) {
        if (i != KEYS_TABLE_NONE && i != KEYS_TABLE_ENTRY)
            put_table(&out, (enum keys_table)i);
    }
    put_entry(&out);
    put_shapes(&out);
    put_json_schema(&out);
    put(&out, "}}");
    check(json_parse(arena, buf_str(&out), LIMITS_DEFINITION_BYTES, &schema, &note) == ERR_OK);
    buf_init(&out, arena);
    json_write_pretty(&out, schema, 0);
    buf_char(&out, '\n');
    return buf_str(&out);
}
