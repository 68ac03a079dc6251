/* The functions of the language: their names for the parser, their work for the evaluator. Immutable tables;
 * any thread. */
#pragma once
#include "engine/expr/expr_run.h"
#include "engine/expr/expr_node.h"

enum expr_function {
#define X(id, name, arity, reads_input, doc) EXPR_FUNCTION_##id,
#include "engine/expr/functions.def"
#undef X
    EXPR_FUNCTIONS_COUNT
};

struct expr_function_info {
    struct str name;
    uint32_t arity;
    bool reads_input; /* works on `.`; the others work on their first argument */
    struct str doc;
};
extern const struct expr_function_info expr_functions[EXPR_FUNCTIONS_COUNT];

/* Evaluates a CALL node: pushes what the function gives for this input. */
bool expr_functions_call(struct expr_run *run, const struct expr_node *node, const struct json *input);
/* For expr_run_combine: functions of which all arguments are values. */
bool expr_functions_apply(struct expr_run *run, const struct expr_node *node, const struct json *input,
                          const struct json *const *arguments);
/* The flags of test: null, "" or "i"; false for anything else. */
bool expr_functions_flags(const struct json *flags, bool *ignore_case);
