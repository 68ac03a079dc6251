/* A compiled schema, as the compiler writes it and the checker reads it. Inside engine/definition only. */
#pragma once
#include "engine/definition/schema.h"
#include "engine/definition/tree.h"

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
struct schema {
    bool never;       /* `false`: no value matches */
    uint32_t present; /* a bit for each enum schema_keyword it has */
    unsigned types;   /* enum schema_type */
    const struct json *values;
    const struct json *constant;
    const struct schema_property *properties; /* in order of their keys */
    uint32_t property_count;
    const struct str *required;
    uint32_t required_count;
    const struct schema *additional;
    const struct schema *items;
    int64_t min_items, max_items, min_length, max_length;
    bool unique_items;
    struct str minimum, maximum, exclusive_minimum, exclusive_maximum; /* text of numbers */
};

/* Where in a value: a way back to its root, on the stack of the walk. */
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
/* The same for equal numbers: 1, 1.0, 10e-1. */
uint64_t schema_number_hash(struct str number);
uint64_t schema_hash_mix(uint64_t hash, uint64_t value);
/* True when no two items are equal. n log n, so that a large input cannot cost n². */
bool schema_items_unique(const struct json *array, struct arena *arena);
