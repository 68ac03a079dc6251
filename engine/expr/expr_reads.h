/* Which fields a program reads behind indexes and pipes: what a path written in one go (expr_ref's `path`)
 * does not tell. Follows `.` and variables through the tree; where it cannot say what a value is, it says
 * nothing, so what is found is certain. Inside engine/expr only. */
#pragma once
#include "engine/expr/expr_node.h"

/* Sets `reads` of the refs. The tree's height is bounded by LIMITS_EXPR_DEPTH. */
void expr_reads_find(struct arena *arena, const struct expr_node *root, struct expr_ref *refs);
