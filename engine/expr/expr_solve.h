/* Guesses for what an expression reads, with which it would give what is wanted: worked out backwards through
 * comparisons, arithmetic, `length`, `test`, dates and the like. Nothing is promised: whoever asks computes
 * the expression with them.
 *
 * Happy path: expr_solve() gives alternatives; each is a few wishes that hold together; a wish says what part
 * of a reference's value must be. Everything is in the caller's arena; one thread. What it cannot turn round
 * gives no alternative; both are bounded. */
#pragma once
#include "engine/expr/expr.h"

enum { EXPR_WISHES_MAX = 6, EXPR_ALTERNATIVES_MAX = 24 };

/* `value` is a part: an object is about the members it names, an array about all items; within it
 * &expr_solve_any is whatever is there, &expr_solve_gone a member that is not. */
struct expr_wish {
    uint32_t ref; /* of expr_refs; its path is in `value` already */
    const struct json *value;
};
struct expr_wishes {
    struct expr_wish items[EXPR_WISHES_MAX];
    uint32_t count;
};
struct expr_alternatives {
    struct expr_wishes items[EXPR_ALTERNATIVES_MAX];
    uint32_t count;
};
extern const struct json expr_solve_any, expr_solve_gone;

enum expr_want { EXPR_WANT_TRUE, EXPR_WANT_FALSE, EXPR_WANT_VALUE };
struct expr_solve {
    struct arena *arena;
    void *context;
    struct str (*match)(void *context, struct str pattern); /* a text for a regular expression */
};
/* `value`: for EXPR_WANT_VALUE; a part, as in a wish. */
const struct expr_alternatives *expr_solve(const struct expr_solve *how, const struct expr *program,
                                           enum expr_want want, const struct json *value);
