/* The schemas of one file and the references between them. Inside engine/definition only.
 *
 * Filled while a file is compiled, then asked once; lives in the caller's arena and goes with it. One thread.
 */
#pragma once
#include "engine/definition/schema_parts.h"

/* A compiled schema and where it stands. `slot` (where the source holds it) tells one place from another,
 * even when equal values share their memory. */
struct schema_part {
    struct schema *schema;
    const struct json *const *slot;
    const struct schema_at *at;
    struct schema_part *next;
};
struct schema_ref {
    struct schema *schema; /* the one that has the `$ref` */
    struct str target;
    const struct schema_at *at;
    struct schema_ref *next;
};
struct schema_refs {
    struct arena *arena; /* borrowed */
    struct schema_part *parts;
    struct schema_part **sorted; /* by slot, once schema_refs_find was called */
    struct schema_ref *refs;
    uint32_t count; /* of parts */
};

/* Adds one; its number is the count before. */
void schema_refs_add_part(struct schema_refs *refs, struct schema *schema, const struct json *const *slot,
                          const struct schema_at *at);
void schema_refs_add(struct schema_refs *refs, struct schema *schema, struct str target,
                     const struct schema_at *at);
/* The schema at "#" or "#/a/b" below `root`; NULL when the text is no such pointer or no schema stands there.
 * All parts must have been added. */
const struct schema *schema_refs_find(struct schema_refs *refs, const struct json *const *root,
                                      struct str target);

/* A schema whose checking leads to itself for one and the same value, or passes more than
 * LIMITS_SCHEMA_CHAIN schemas for it; NULL when there is none. All references must be resolved. */
const struct schema_part *schema_refs_find_loop(struct schema_refs *refs, bool *is_loop);
