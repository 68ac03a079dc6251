/* Two versions of a schema: whether what fitted the older one fits the newer one, place by place.
 *
 * Happy path: schema_compare() and a look at the changes. Decided are types, values, members, items and
 * bounds; what `anyOf`, `oneOf`, `not`, `if` and patterns allow is compared as written only, and a difference
 * there is SCHEMA_UNKNOWN. No failure modes. Any thread; everything is in the caller's arena. */
#pragma once
#include "engine/definition/schema.h"

enum schema_change_kind {
    SCHEMA_WIDER,    /* all that fitted fits, and more */
    SCHEMA_DECLARED, /* a member that could be anything before is described now, and may be left out */
    SCHEMA_NARROWER, /* something that fitted fits no more */
    SCHEMA_UNKNOWN,  /* cannot be told */
};
struct schema_change {
    enum schema_change_kind kind;
    struct str pointer;  /* in the value; "*" is any item or unlisted member; "" : the whole */
    struct str sentence; /* "is required now" */
};
struct schema_changes {
    struct schema_change *items;
    uint32_t count;
    uint32_t room;
};

/* NULL is a schema that anything fits. Appends to changes, which begins zeroed. */
void schema_compare(const struct schema *older, const struct schema *newer, struct arena *arena,
                    struct schema_changes *changes);
