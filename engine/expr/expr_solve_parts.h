/* What the parts of expr_solve.h share. Inside engine/expr only. */
#pragma once
#include "engine/expr/expr_functions.h"
#include "engine/expr/expr_solve.h"

/* What `.` and the variables are where a node stands. */
struct expr_solve_scope {
    const struct expr_node *input;        /* gives `.`; NULL: there is none */
    const struct expr_solve_scope *outer; /* where `input` stands */
    uint32_t items;     /* `.` is each of so many items of what `input` gives; 0: all of it */
    uint32_t refs_from; /* of the program that the node belongs to */
    uint32_t local;     /* bound here to `bound`, which stands in `outer` */
    const struct expr_node *bound;
};
struct expr_solve_want {
    enum expr_want kind;
    const struct json *value;
};
struct expr_solver {
    const struct expr_solve *how;
    uint32_t work; /* nodes looked at */
    uint32_t depth;
};
typedef const struct expr_alternatives *expr_solve_call(struct expr_solver *solver,
                                                        const struct expr_node *node,
                                                        const struct expr_solve_scope *scope,
                                                        struct expr_solve_want want);

/* Any node. Never NULL. */
expr_solve_call expr_solve_node;
/* A CALL, a BINARY. */
expr_solve_call expr_solve_function;
expr_solve_call expr_solve_binary;

struct expr_alternatives *expr_solve_none(struct expr_solver *solver);
/* Puts what `more` has behind `all`. */
void expr_solve_append(struct expr_alternatives *all, const struct expr_alternatives *more);
/* Each of `left` together with each of `right`. */
const struct expr_alternatives *expr_solve_both(struct expr_solver *solver,
                                                const struct expr_alternatives *left,
                                                const struct expr_alternatives *right);
/* The node gives the value. */
const struct expr_alternatives *expr_solve_value(struct expr_solver *solver, const struct expr_node *node,
                                                 const struct expr_solve_scope *scope,
                                                 const struct json *value);
/* `.` is the value. */
const struct expr_alternatives *
expr_solve_input(struct expr_solver *solver, const struct expr_solve_scope *scope, const struct json *value);
struct expr_solve_scope *expr_solve_within(struct expr_solver *solver, const struct expr_solve_scope *scope);
/* What the node gives when it reads nothing; else NULL. */
const struct json *expr_solve_constant(struct expr_solver *solver, const struct expr_node *node);
bool expr_solve_is_true(struct expr_solve_want want);
bool expr_solve_is_false(struct expr_solve_want want);
const struct json *expr_solve_number(struct expr_solver *solver, double number);
const struct json *expr_solve_list(struct expr_solver *solver, const struct json *item, uint32_t count);
const struct json *expr_solve_member(struct expr_solver *solver, struct str key, const struct json *value);
const struct json *expr_solve_text(struct expr_solver *solver, struct str text);
