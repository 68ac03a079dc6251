/* Reading parts of values: references, fields, indexes, slices, iteration, as jq means them. Part of
 * expr_run.h; the emit functions push what they read. */
#pragma once
#include "engine/expr/expr_run.h"

enum { EXPR_PATH_MEMBERS_A_UNIT = 8 }; /* passed over in the time that comparing two values takes */

/* The value of a REF node and its fixed fields; NULL with a fault. */
const struct json *expr_path_ref(struct expr_run *run, const struct expr_node *node);
/* value.key: null for a member that is not there and for null; NULL with a fault for what has no fields. */
const struct json *expr_path_get(struct expr_run *run, const struct expr_node *node, const struct json *value,
                                 struct str key);
/* value[position], counted from the end when negative; null when there is none. */
const struct json *expr_path_item(const struct json *array, int64_t position);
/* A number without its fraction as jq indexes with it; a number too large is cut to the largest. */
int64_t expr_path_position(const struct json *number);

bool expr_path_field(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts);
bool expr_path_index(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts);
bool expr_path_slice(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts);
bool expr_path_iterate(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *const *parts);
