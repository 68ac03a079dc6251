/* The functions of the language: their names for the parser, their work for the evaluator. Immutable tables;
 * any thread.
 *
 * functions.def names each function's handler; handlers live by subject: expr_functions.c (of one value),
 * expr_items.c, expr_entries.c, expr_streams.c (several values), expr_apply.c (of values that are arguments),
 * expr_pattern.c, expr_number.c, expr_date.c, expr_format.c. */
#pragma once
#include "engine/expr/expr_node.h"
#include "engine/expr/expr_run.h"

enum expr_function {
#define X(id, name, arity, reads_input, how, handler, doc) EXPR_FUNCTION_##id,
#include "engine/expr/functions.def"
#undef X
    EXPR_FUNCTIONS_COUNT
};

/* Evaluates its arguments itself. Pushes what the function gives. */
typedef bool expr_function_call(struct expr_run *run, const struct expr_node *node, const struct json *input);
/* Gets one value of each argument, once for every combination of what they give. */
typedef bool expr_function_apply(struct expr_run *run, const struct expr_node *node, const struct json *input,
                                 const struct json *const *arguments);
struct expr_function_info {
    struct str name;
    uint32_t arity;
    bool reads_input; /* works on `.`; the others work on their first argument */
    expr_function_call *call;
    expr_function_apply *apply; /* one of the two is NULL */
    struct str doc;
};
extern const struct expr_function_info expr_functions[EXPR_FUNCTIONS_COUNT];

/* Evaluates a CALL node: pushes what the function gives for this input. */
bool expr_functions_run(struct expr_run *run, const struct expr_node *node, const struct json *input);
/* Whether a call gives exactly one value when its arguments do. */
bool expr_functions_single(enum expr_function function);
/* How many levels deeper than its input and its arguments' results the function's result may be. */
uint32_t expr_functions_deepens(enum expr_function function);

/* For the handlers. */

/* Pushes a value, unless it is NULL: the fault was told then. */
bool expr_functions_push(struct expr_run *run, const struct json *value);
bool expr_functions_push_text(struct expr_run *run, struct str text);
/* The fault "sort needs an array, not a string"; always false. */
bool expr_functions_needs(struct expr_run *run, const struct expr_node *node, const char *what,
                          const struct json *value);
/* Room for a text of at most this size that is written byte by byte; NULL with a fault. */
char *expr_functions_room(struct expr_run *run, const struct expr_node *node, size_t size);

/* The options of a pattern by its flags (null or a string of letters): REGEX_IGNORE_CASE, and *global for
 * "g", which is refused where global is NULL. False for anything else. */
bool expr_functions_flags(const struct json *flags, unsigned *options, bool *global);
/* The function takes a pattern as its first argument; with it, which argument are the flags (0: none) and the
 * options that it always has. */
bool expr_functions_pattern(enum expr_function function, uint32_t *flags, unsigned *options);
/* At least `least` (bounded by the caller) values of the node are on the stack above `mark`, or it gave
 * fewer: a fault that came behind them is forgotten, because they were not asked for. */
bool expr_functions_take(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         uint32_t least);

#define X_CALL(handler) expr_function_call expr_functions_##handler;
#define X_APPLY(handler) expr_function_apply expr_functions_##handler;
#define X(id, name, arity, reads_input, how, handler, doc) X_##how(handler)
#include "engine/expr/functions.def"
#undef X
#undef X_CALL
#undef X_APPLY
