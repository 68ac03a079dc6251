/* Which parts of a definition runs have been through: its steps, its compensations, its branches. An await
 * branches in two: its event came, or its time was over.
 *
 * Owner: borrows plan; its tables live in the arena. One thread. */
#pragma once
#include "engine/base/buf.h"
#include "engine/core/core.h"

struct coverage {
    const struct plan *plan;
    bool *entered; /* by node: commanded, opened, or a branch that was taken */
    bool *undone;  /* by node: its compensation was commanded */
    bool *came;    /* by node: an await's event */
    bool *late;    /* by node: an await's time was over */
};

void coverage_init(struct coverage *coverage, const struct plan *plan, struct arena *arena);
/* Adds what a saga has been through, at its end. */
void coverage_add(struct coverage *coverage, const struct core_saga *saga);
/* How many parts there are, and how many were covered. */
void coverage_count(const struct coverage *coverage, uint32_t *covered, uint32_t *all);
/* "steps 3 of 3, compensations 1 of 2, branches 2 of 2; not covered: the compensation of reserve (line 9)" */
void coverage_render(const struct coverage *coverage, struct buf *out);
