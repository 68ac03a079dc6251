/* Values as expressions need them: order, size, text, and building arrays, objects and strings under the
 * budget. Part of expr_run.h. */
#pragma once
#include "engine/expr/expr_run.h"

/* "null", "a boolean", "a number" … for messages. */
const char *expr_value_kind_name(const struct json *value);
/* At most `size` bytes of a text, cut at a character. */
struct str expr_value_excerpt(struct str text, size_t size);
/* Code points of UTF-8. */
size_t expr_value_characters(struct str text);

/* jq's total order: null < false < true < numbers < strings < arrays < objects; numbers exactly by value,
 * strings by code points, objects by their sorted keys and then by the values in that order. False with a
 * fault when it takes too long. */
bool expr_value_compare(struct expr_run *run, const struct expr_node *node, const struct json *a,
                        const struct json *b, int *order);
/* Sorts `values` by `keys`, both reordered, stably. */
bool expr_value_sort(struct expr_run *run, const struct expr_node *node, const struct json **keys,
                     const struct json **values, uint32_t count);
/* The members by key. NULL with a fault. */
const struct json_member **expr_value_members(struct expr_run *run, const struct expr_node *node,
                                              const struct json *object);
/* False with a fault when the value's JSON text would be too large or nested too deep. */
bool expr_value_measure(struct expr_run *run, const struct expr_node *node, const struct json *value);
/* A string as it is, other values as compact JSON; *text is set. */
bool expr_value_text(struct expr_run *run, const struct expr_node *node, const struct json *value,
                     struct str *text);
/* An array of a copy of these pointers; NULL with a fault. */
const struct json *expr_value_array(struct expr_run *run, const struct expr_node *node,
                                    const struct json *const *items, uint32_t count);
/* A number; never fails. */
const struct json *expr_value_i64(struct expr_run *run, int64_t number);

/* For expr_run_combine: key, value, key, value … as an object, a later key replacing an earlier one. */
bool expr_value_object(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *const *parts);
/* For expr_run_combine: an object of the node's keys and these values. */
bool expr_value_record(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *const *parts);
/* For expr_run_combine: all parts as one string. */
bool expr_value_join(struct expr_run *run, const struct expr_node *node, const struct json *input,
                     const struct json *const *parts);
/* The members as an object of its own, of members with the same key the last value in the first place. NULL
 * with a fault. Takes `members` over. */
const struct json *expr_value_merge(struct expr_run *run, const struct expr_node *node,
                                    struct json_member *members, uint32_t count);
