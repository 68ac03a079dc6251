/* Whether a field that an expression reads can be in a value of a schema, and if not, which one is missing.
 * Inside engine/definition only. */
#pragma once
#include "engine/definition/schema.h"

struct schema_path_gap {
    struct str field; /* borrowed from the path */
    struct str hint;
    bool
        no_list; /* an item was meant where there is no list: a caller who is not sure of that lets it pass */
};
/* True when there is a gap. A schema that lists its properties has no others, unless it says
 * `additionalProperties`: a field nobody declared is a slip far more often than a wish. An empty field, as in
 * ".lines..sku", is each item of a list. */
bool schema_path_find_gap(const struct schema *schema, struct str path, struct arena *arena,
                          struct schema_path_gap *gap);
