/* A compiled schema, as the compiler writes it and the checker reads it. Inside engine/definition only. */
#pragma once
#include "engine/definition/schema.h"
#include "engine/definition/schema_format.h"
#include "engine/definition/tree.h"
#include "engine/expr/regex.h"

enum schema_keyword {
#define X(name, text, compile, check, meaning) SCHEMA_KEYWORD_##name,
#include "engine/definition/keywords.def"
#undef X
    SCHEMA_KEYWORD_COUNT
};
enum schema_type {
    SCHEMA_TYPE_NULL = 1,
    SCHEMA_TYPE_BOOLEAN = 2,
    SCHEMA_TYPE_INTEGER = 4,
    SCHEMA_TYPE_NUMBER = 8, /* integers are numbers too */
    SCHEMA_TYPE_STRING = 16,
    SCHEMA_TYPE_ARRAY = 32,
    SCHEMA_TYPE_OBJECT = 64,
};

struct schema_property {
    struct str key;
    const struct schema *schema;
};
struct schema_pattern {
    const struct regex *regex;
    const struct schema *schema;
};
struct schema_dependent {
    struct str key;
    const struct str *required;
    uint32_t count;
};
struct schema_list {
    const struct schema **items;
    uint32_t count;
};
/* digits × ten to the exponent, the last digit not 0. */
struct schema_divisor {
    uint64_t digits;
    int64_t exponent;
    struct str text;
};
struct schema {
    bool never; /* `false`: no value matches */
    bool unique_items;
    enum schema_format format;
    unsigned types;            /* enum schema_type */
    uint32_t number;           /* in the order of compilation */
    uint64_t present;          /* a bit for each enum schema_keyword it has */
    const struct json *source; /* as written; NULL: `true` that stands for schemas beyond a bound */
    const struct json *values;
    const struct json *constant;
    const struct schema *ref;
    const struct schema_property *properties; /* in order of their keys */
    const struct schema_pattern *patterns;
    const struct str *required;
    const struct schema_dependent *dependent;
    uint32_t property_count, pattern_count, required_count, dependent_count;
    const struct schema *additional;
    const struct schema *property_names;
    const struct schema_property *dependent_schemas;
    uint32_t dependent_schema_count;
    struct schema_list prefix_items;
    const struct schema *items;
    const struct schema *contains;
    int64_t min_contains, max_contains, min_items, max_items, min_length, max_length, min_properties,
        max_properties;
    const struct regex *pattern;
    struct str pattern_text;
    struct str minimum, maximum, exclusive_minimum, exclusive_maximum; /* text of numbers */
    const struct schema_divisor *multiple_of;
    struct schema_list all_of, any_of, one_of;
    const struct schema *not_this;
    const struct schema *condition, *then, *otherwise;
};

/* Where in a value or a schema: a way back to its root. */
struct schema_at {
    const struct schema_at *up; /* NULL: the root */
    struct str key;
    uint32_t index;
    bool is_index;
};
/* schema_compile of a schema written in the definition: mistakes are shown where they stand. */
const struct schema *schema_compile_tree(struct arena *arena, const struct tree *tree,
                                         struct diag_list *diags);
/* As a JSON Pointer (RFC 6901). */
struct str schema_pointer(struct arena *arena, const struct schema_at *at);

bool schema_has(const struct schema *schema, enum schema_keyword keyword);
const struct schema_property *schema_find_property(const struct schema *schema, struct str key);
/* "a string or null" */
struct str schema_types_text(struct arena *arena, unsigned types);
/* A number without a fraction by value: 5, 5.0, 50e-1. */
bool schema_is_integer(struct str number);
/* False when it is not above 0, or has more than 18 digits. */
bool schema_read_divisor(struct str number, struct schema_divisor *divisor);
/* Exact at any size and in time linear to the text. */
bool schema_is_multiple(struct str number, const struct schema_divisor *divisor);
/* The same for equal numbers: 1, 1.0, 10e-1. */
uint64_t schema_number_hash(struct str number);
uint64_t schema_hash_mix(uint64_t hash, uint64_t value);
/* True when no two items are equal. n log n, so that a large input cannot cost n². *work counts values
 * visited. */
bool schema_items_unique(const struct json *array, struct arena *arena, uint64_t *work);
/* A pattern with the meaning that JSON Schema gives it: \s and `.` as ECMA 262 has them. ERR_INVALID: it is
 * none, or asks for what this subset has not; ERR_LIMIT: it is too large. */
enum err schema_compile_pattern(struct arena *arena, struct str pattern, const struct regex **regex,
                                struct err_note *note) __attribute__((warn_unused_result));
