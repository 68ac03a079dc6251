/* One evaluation: a walk over the tree in which every node pushes the values it gives on a stack.
 *
 * Happy path: expr_run_node(run, node, input) pushes none, one or many values above what was there; the
 * caller takes them and cuts the stack back. Single-valued nodes, nearly all, are taken by expr_run_one
 * without lists. A fault unwinds everything by `false`; `?` and first(…) catch it, except BUDGET.
 * Everything is in the caller's arena and counted against the budget. One thread; inside engine/expr only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/limits.h"
#include "engine/expr/expr_node.h"

enum {
    EXPR_RUN_SMALL_STACK = 32,
    EXPR_RUN_STEP_WORK = EXPR_STEP_WORK,
};

struct expr_run {
    const struct expr_env *env;
    const struct expr_ref *refs; /* of the program being walked */
    struct arena *arena;
    size_t bytes_begin; /* arena->used when the evaluation began */
    uint64_t work_begin;
    uint64_t work_left;
    const struct json **stack;
    uint32_t top;
    uint32_t room;
    enum expr_fault fault;
    struct expr_error *error;
    const struct json *locals[LIMITS_EXPR_LOCALS];
    const struct json *small_stack[EXPR_RUN_SMALL_STACK];
};

/* Pushes what the node gives. False: run->fault is set; what stands above the old top are values given before
 * the fault. */
bool expr_run_node(struct expr_run *run, const struct expr_node *node, const struct json *input);
/* The one value of the node, or NULL with run->fault set (none or many values are a fault). */
const struct json *expr_run_one(struct expr_run *run, const struct expr_node *node, const struct json *input);
bool expr_run_push(struct expr_run *run, const struct json *value);
/* Keeps the values from `kept` up, moved down to `mark`; forgets those between. */
void expr_run_slide(struct expr_run *run, uint32_t mark, uint32_t kept);
/* Charges units of work; false when the budget is used up. */
bool expr_run_work(struct expr_run *run, const struct expr_node *node, uint64_t units);
/* After env->get, which may have charged the work shared with others; false when that is used up. */
bool expr_run_looked_up(struct expr_run *run, const struct expr_node *node);
/* Memory for a result; NULL when the budget does not allow it. */
void *expr_run_alloc(struct expr_run *run, const struct expr_node *node, size_t size);
/* Sets the fault and its sentence; always false. */
bool expr_run_fail(struct expr_run *run, const struct expr_node *node, enum expr_fault fault,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* After a false: forgets the fault when it may be caught. */
bool expr_run_recover(struct expr_run *run);

/* Calls `emit` for each combination of one value of each child; it pushes none, one or many. first_outer: the
 * first child changes slowest, else the last. */
bool expr_run_combine(struct expr_run *run, const struct expr_node *node, const struct json *input,
                      bool first_outer,
                      bool (*emit)(struct expr_run *run, const struct expr_node *node,
                                   const struct json *input, const struct json *const *parts));
