/* The operators on values, as jq means them, with exact numbers. Part of expr_run.h; all push or give their
 * result. */
#pragma once
#include "engine/expr/expr_run.h"

/* a + b. NULL with a fault. */
const struct json *expr_operate_add(struct expr_run *run, const struct expr_node *node, const struct json *a,
                                    const struct json *b);
/* All of them added, one after the other; null for none. Runs of strings, arrays and objects are joined in
 * one go, so that the time is linear. NULL with a fault. */
const struct json *expr_operate_sum(struct expr_run *run, const struct expr_node *node,
                                    const struct json *const *items, uint32_t count);
/* The parts of a string between `separator`; its characters when that is empty. NULL with a fault. */
const struct json *expr_operate_split(struct expr_run *run, const struct expr_node *node, struct str text,
                                      struct str separator);

bool expr_operate_binary(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *parts);
bool expr_operate_negate(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *parts);
