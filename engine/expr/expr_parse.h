/* From text to a tree: recursive descent, one token ahead, everything checked that can be known without the
 * saga.
 *
 * Happy path: expr_parse_init(), then expr_parse_whole() or expr_parse_braced(). Failure modes: a mistake is
 * a located diagnostic; after a syntax error functions return NULL and the caller returns too; other mistakes
 * are reported and parsing goes on, so that one run finds them all. Depth is bounded by LIMITS_EXPR_DEPTH.
 * Inside engine/expr only.
 *
 * Grammar, weakest first (as jq's):
 *
 *   a | b
 *   a, b
 *   a // b                     to the right
 *   a or b
 *   a and b
 *   ==  !=  <  <=  >  >=       they do not chain
 *   a + b   a - b
 *   a * b   a / b   a % b
 *   -a
 *   term as $x | body
 *   term.field   term[index]   term[]   term? */
#pragma once
#include "engine/base/limits.h"
#include "engine/expr/expr_lexer.h"
#include "engine/expr/expr_node.h"

struct expr_parse {
    struct arena *arena;
    struct diag_list *diags;
    struct diag_place origin; /* where the text begins in the file */
    struct expr_lexer lexer;
    struct expr_token token; /* the one looked at; the lexer stands behind it */
    uint32_t previous_end;   /* where the token before it ended */
    uint32_t depth;
    bool has_input;    /* there is a `.` here: after a pipe, inside map(…) … */
    bool takes_commas; /* `,` makes several values here; false at the top level and in values of { } */
    struct str locals[LIMITS_EXPR_LOCALS];
    uint32_t local_count;
    struct expr_ref *refs;
    uint32_t ref_count;
    uint32_t ref_room;
};

void expr_parse_init(struct expr_parse *parse, struct arena *arena, struct str text, struct diag_place origin,
                     struct diag_list *diags);
/* All of the text from `begin` is one expression. NULL when it is not. */
struct expr_node *expr_parse_whole(struct expr_parse *parse, uint32_t begin);
/* One expression from `begin` (behind the "${") up to its "}"; *end is behind that. NULL when it is not. */
struct expr_node *expr_parse_braced(struct expr_parse *parse, uint32_t begin, uint32_t *end);

/* For the parts of the parser. */

struct diag_place expr_parse_place(struct expr_parse *parse, uint32_t begin, uint32_t end);
struct diag_place expr_parse_here(struct expr_parse *parse);
void expr_parse_error(struct expr_parse *parse, struct diag_place place, const char *code, struct str message,
                      struct str hint);
/* "expected …, found …" at the token; gives NULL, so that `return expr_parse_expected(…)` reads well. */
struct expr_node *expr_parse_expected(struct expr_parse *parse, const char *what);
void expr_parse_advance(struct expr_parse *parse);
bool expr_parse_at_sign(const struct expr_parse *parse, const char *sign);
bool expr_parse_at_word(const struct expr_parse *parse, const char *word);
/* Takes the sign, or reports that it is missing. */
bool expr_parse_expect(struct expr_parse *parse, const char *sign);
bool expr_parse_expect_word(struct expr_parse *parse, const char *word);
/* A whole `a | b` inside brackets or an argument, with the given meaning of `.` and `,`. */
struct expr_node *expr_parse_nested(struct expr_parse *parse, bool has_input, bool takes_commas);
/* expr_node_new with the bound of depth: NULL, reported, when it is passed. */
struct expr_node *expr_parse_node(struct expr_parse *parse, enum expr_op op, struct diag_place place,
                                  struct expr_node *const *children, uint32_t count);
bool expr_parse_enter(struct expr_parse *parse);
void expr_parse_leave(struct expr_parse *parse);

/* In expr_term.c: what stands between operators, without postfixes. */
struct expr_node *expr_parse_primary(struct expr_parse *parse);
/* At a QUOTE token: a constant or a TEXT node. */
struct expr_node *expr_parse_string(struct expr_parse *parse);
/* The same behind a format (`@uri "…\(x)…"`): the values put in go through that function. */
struct expr_node *expr_parse_formatted(struct expr_parse *parse, uint32_t function);
/* base.key: into the path of a reference where it can be. */
struct expr_node *expr_parse_field(struct expr_parse *parse, struct expr_node *base, struct str key,
                                   struct diag_place place, bool optional);
/* `.` itself; reported when there is none here. */
struct expr_node *expr_parse_input(struct expr_parse *parse, struct diag_place place);
/* In expr_call.c: at a WORD that is no keyword. */
struct expr_node *expr_parse_call(struct expr_parse *parse);
