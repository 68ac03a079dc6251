/* The tree a program is: made by the parser, walked by the evaluator, immutable once a program is compiled.
 *
 * Everything lives in the arena of expr_compile. Inside engine/expr only: others know programs by expr.h. */
#pragma once
#include "engine/expr/expr.h"
#include "engine/expr/regex.h"

enum expr_op {
    EXPR_OP_CONSTANT,    /* value */
    EXPR_OP_INPUT,       /* . */
    EXPR_OP_REF,         /* refs[index], then its fixed fields keys[0 … key_count-1] */
    EXPR_OP_LOCAL,       /* the variable bound by `as` in locals[index] */
    EXPR_OP_FIELD,       /* children[0].key */
    EXPR_OP_INDEX,       /* children[0][children[1]] */
    EXPR_OP_SLICE,       /* children[0][children[1]:children[2]] */
    EXPR_OP_ITERATE,     /* children[0][] */
    EXPR_OP_TRY,         /* children[0]? */
    EXPR_OP_PIPE,        /* children[0] | children[1] | … */
    EXPR_OP_COMMA,       /* children[0], children[1], … */
    EXPR_OP_AS,          /* children[0] as locals[index] | children[1] */
    EXPR_OP_BINARY,      /* children[0] (enum expr_operator)index children[1] */
    EXPR_OP_NEGATE,      /* - children[0] */
    EXPR_OP_AND,         /* children[0] and children[1] */
    EXPR_OP_OR,          /* children[0] or children[1] */
    EXPR_OP_ALTERNATIVE, /* children[0] // children[1] */
    EXPR_OP_IF,          /* if children[0] then children[1] else children[2] end */
    EXPR_OP_ARRAY,       /* [children[0]]; no child: [] */
    EXPR_OP_OBJECT,      /* keys and values in turn */
    EXPR_OP_RECORD,      /* an object of keys[i]: children[i]; its keys differ */
    EXPR_OP_TEXT,        /* children joined as strings: interpolation */
    EXPR_OP_CALL,        /* (enum expr_function)index with children as arguments */
    EXPR_OP_PROGRAM,     /* children[0] of another program, whose refs begin at refs[index] here */
};

enum expr_operator {
    EXPR_OPERATOR_ADD,
    EXPR_OPERATOR_SUBTRACT,
    EXPR_OPERATOR_MULTIPLY,
    EXPR_OPERATOR_DIVIDE,
    EXPR_OPERATOR_REMAINDER,
    EXPR_OPERATOR_EQUAL,
    EXPR_OPERATOR_UNEQUAL,
    EXPR_OPERATOR_LESS,
    EXPR_OPERATOR_LESS_EQUAL,
    EXPR_OPERATOR_GREATER,
    EXPR_OPERATOR_GREATER_EQUAL,
};

struct expr_node {
    enum expr_op op;
    bool optional;   /* FIELD, INDEX, SLICE, ITERATE: written with `?`, so a value of the wrong type gives
                        nothing */
    bool single;     /* gives exactly one value or a fault, whatever its input: needs no lists */
    uint32_t height; /* nodes on the longest way down: bounds the evaluator's recursion */
    uint32_t
        deepens;    /* how many levels deeper than its inputs a result can be: bounds recursion over values */
    uint32_t index; /* what it counts depends on op, see there */
    uint32_t count; /* of children */
    uint32_t key_count;
    struct expr_node **children;
    struct str key;
    struct str *keys;
    const struct json *value;
    const struct regex *regex; /* CALL of test with a constant pattern */
    struct diag_place place;
};

struct expr {
    const struct expr_node *root;
    const struct json *source; /* as written */
    struct expr_ref *refs;
    uint32_t ref_count;
};

/* A node of these children, with height and deepens computed. Copies the pointers, not what they point to. */
struct expr_node *expr_node_new(struct arena *arena, enum expr_op op, struct diag_place place,
                                struct expr_node *const *children, uint32_t count);
struct expr_node *expr_node_constant(struct arena *arena, const struct json *value, struct diag_place place);
/* A key that reads unambiguously in ".a.b". */
bool expr_is_plain_key(struct str key);
