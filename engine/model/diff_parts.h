/* Inside diff: what its parts share. */
#pragma once
#include "engine/base/json.h"
#include "engine/model/diff.h"

struct diff_work {
    struct arena *arena;
    struct diff *diff;
    const struct plan *older, *newer;
    uint16_t *older_of; /* by index in newer: the same node in older; DIFF_NONE: it is new */
    uint16_t *newer_of; /* the other way */
};
enum { DIFF_NONE = UINT16_MAX };

void diff_add(struct diff_work *work, enum diff_kind kind, struct str place, struct str detail);
/* Which node of one version is which of the other. */
void diff_match(struct diff_work *work);
/* Children that stand elsewhere. */
void diff_order(struct diff_work *work);
/* A pair of nodes that diff_match found. */
void diff_node(struct diff_work *work, const struct plan_node *older, const struct plan_node *newer);
/* What is read that was not. */
void diff_reads(struct diff_work *work);

/* Kinds for the fields of a value, as its author wrote it. */
struct diff_fields {
    enum diff_kind removed, retyped, changed, added, unknown;
};
/* programs: NULL is an empty object. what: "with", "compensation's with" */
void diff_value(struct diff_work *work, const struct diff_fields *kinds, struct str place, const char *what,
                const struct expr *older, const struct expr *newer);
struct diff_schemas {
    enum diff_kind wider, declared, narrower, unknown;
};
void diff_schema(struct diff_work *work, const struct diff_schemas *kinds, struct str place,
                 const struct schema *older, const struct schema *newer);
/* "1 is 2 now" */
struct str diff_became(struct diff_work *work, struct str was, struct str is);
/* As written; NULL: "". */
struct str diff_source(struct diff_work *work, const struct expr *program);
bool diff_same(const struct expr *a, const struct expr *b);
