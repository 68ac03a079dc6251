/* The expression language of definitions/EXPRESSIONS.md: a documented part of jq, compiled once with
 * positions, pure, total, bounded.
 *
 * Happy path: expr_compile_value() turns a YAML scalar ("${ … }" or text around "${ … }") into a program; the
 * loader walks its references (program->refs), checks that each means something there and sets ref->slot;
 * expr_eval() computes one value in the caller's arena. A program is immutable after loading and may be
 * evaluated by any number of threads at once. Failure modes: a compile error is a located diagnostic; an
 * evaluation ends in a typed error (enum expr_fault), never in a crash, an endless loop or unbounded memory.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/diag.h"
#include "engine/base/json.h"

/* What a variable at the root of a path names. Set by the parser. */
enum expr_ref_kind {
    EXPR_REF_INPUT,       /* $input */
    EXPR_REF_STEP_OUTPUT, /* $steps.<id>.output : name = id */
    EXPR_REF_SAGA,        /* $saga : object with id, key, started_at */
    EXPR_REF_ERROR,       /* $error : object with code, message, step */
    EXPR_REF_INDEX,       /* $index */
    EXPR_REF_EVENT,       /* $event */
    EXPR_REF_CAME,        /* $steps.<id>.came : name = id; true or false */
    EXPR_REF_NAMED,       /* any other free variable: name, for the `as` names of blocks */
};
/* A field read behind an index or a pipe. */
struct expr_read {
    struct str path; /* from the reference: ".lines..sku", where an empty field is an item of a list */
    struct diag_place place;
};
/* Any use of $steps other than $steps.<id>.output… and $steps.<id>.came is a compile error with a hint.
 * Variables bound by `as $x
 * |` are no refs. */
struct expr_ref {
    enum expr_ref_kind kind;
    struct str name;         /* without the $; the step id for EXPR_REF_STEP_OUTPUT, CAME */
    struct diag_place place; /* in the file the program came from */
    bool null_allowed; /* stands directly on the left of `//` (the value or path of it), so that an absent
                          value is fine */
    bool
        null_compared; /* the whole of it is compared with null, by == or !=, also as the left of `// null` */
    struct str path;   /* the fixed field path read from it, ".address.city", "" when none: for checks against
                          schemas. It ends before the first index, `?`, or key that is empty or holds a dot */
    struct expr_read *reads; /* fields further on, as far as it is certain that they are read from it */
    uint32_t read_count;
    int32_t slot; /* for the loader's use (a node's index); -1 from the parser */
};

/* A program without references is computed when it is compiled: it becomes a constant, or its fault a
 * diagnostic. */
struct expr;

/* The program's references, in order of place. The loader may write their slots; nobody else writes. */
struct expr_ref *expr_refs(const struct expr *program, uint32_t *count);
/* The reference that the program is, when it is one and nothing else and `path` is all it reads of it; else
 * NULL. */
const struct expr_ref *expr_as_ref(const struct expr *program);

/* Compiles one expression without braces ("$input.total > 10", as in `when`) or with them ("${ … }"). `place`
 * is where text begins in the file: positions in diagnostics count from there (one line; text of several
 * lines counts on). All errors go to `diags`; NULL then. Everything is in `arena`, which must live as long as
 * the program (the plan's). */
const struct expr *expr_compile(struct arena *arena, struct str text, struct diag_place place,
                                struct diag_list *diags);

/* Walks through a text of expr_compile_value that has been compiled: what is written from *at to the next
 * expression, which may be nothing; *at is then behind that expression. False at the text's end. */
bool expr_value_plain(struct arena *scratch, struct str text, size_t *at, struct str *plain);

/* Compiles a value as authors write it: exactly "${ … }" keeps its JSON type; inside longer text each ${ … }
 * is interpolated (strings as they are, other values as compact JSON); "$${" is a literal "${". A text
 * without "${" becomes a constant string. */
const struct expr *expr_compile_value(struct arena *arena, struct str text, struct diag_place place,
                                      struct diag_list *diags);
/* A program that is this constant, and programs that build an array or object from others (for `with:`
 * mappings). */
const struct expr *expr_constant(struct arena *arena, const struct json *value);
const struct expr *expr_array(struct arena *arena, const struct expr **items, uint32_t count);
const struct expr *expr_object(struct arena *arena, const struct str *keys, const struct expr **values,
                               uint32_t count);
/* True, and the value, when the program is a constant: for checks at load. */
bool expr_is_constant(const struct expr *program, const struct json **value);
/* The program as its author wrote it, for people and for comparing versions: a value whose texts hold the
 * expressions ("${ $input.sku }"; without braces where they were left out). */
const struct json *expr_source(const struct expr *program);

/* X(name, code shown as $error.code and in reasons, meaning) */
#define EXPR_FAULTS(X)                                                                                       \
    X(NONE, "", "a value was computed")                                                                      \
    X(TYPE, "EXPRESSION_TYPE", "a value has the wrong type for what is done with it")                        \
    X(VALUE, "EXPRESSION_VALUE", "division by zero, not a number, not JSON, a number out of range")          \
    X(NONE_OR_MANY, "EXPRESSION_RESULTS", "the expression gave no value, or more than one")                  \
    X(BUDGET, "EXPRESSION_BUDGET", "it took more steps or memory than the budget allows")
enum expr_fault {
#define X(name, code, meaning) EXPR_FAULT_##name,
    EXPR_FAULTS(X)
#undef X
};
struct str expr_fault_code(enum expr_fault fault);

struct expr_error {
    enum expr_fault fault;
    struct diag_place place;
    char message[256]; /* one sentence; names types, sizes and places, never a value, which may be a secret */
};

/* What references mean during one evaluation. `get` returns the value, or NULL for an absent one (a step that
 * has no output), which reads as null. */
struct expr_env {
    const void *context;
    const struct json *(*get)(const void *context, const struct expr_ref *ref, struct arena *arena);
    uint64_t *work; /* units left to this and other evaluations together, lowered; `get` may charge what it
                       did to it. NULL: this one has only its own */
};
/* Units of work that one step of an evaluation costs; comparing or copying a value costs one. */
enum { EXPR_STEP_WORK = 16 };

/* Computes the one value in `arena` under LIMITS_EXPR_STEPS, env->work and LIMITS_EXPR_RESULT_BYTES. Result
 * trees may share parts of what env gave. On a fault other than NONE, *value is untouched and *error is
 * filled. Deterministic. */
enum expr_fault expr_eval(const struct expr *program, const struct expr_env *env, struct arena *arena,
                          const struct json **value, struct expr_error *error)
    __attribute__((warn_unused_result));
/* As jq: false and null are false, all else true. */
bool expr_truth(const struct json *value);
