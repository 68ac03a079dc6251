/* Tokens of an expression, cut on demand, so that the parser may switch to reading a string's parts and back.
 *
 * Borrows the text. One thread. A token that is none is EXPR_TOKEN_WRONG; the parser says what is wrong with
 * it. */
#pragma once
#include <stdint.h>
#include "engine/base/buf.h"
#include "engine/base/diag.h"
#include "engine/base/str.h"

enum expr_token_kind {
    EXPR_TOKEN_END,
    EXPR_TOKEN_NUMBER,
    EXPR_TOKEN_QUOTE,    /* the `"` that begins a string; its parts are read by expr_lexer_string */
    EXPR_TOKEN_WORD,     /* a function or keyword, or a format with its `@` */
    EXPR_TOKEN_FIELD,    /* `.name`; text is the name */
    EXPR_TOKEN_VARIABLE, /* `$name`; text is the name */
    EXPR_TOKEN_SIGN,     /* an operator or bracket */
    EXPR_TOKEN_WRONG,
};

struct expr_token {
    enum expr_token_kind kind;
    struct str text;
    uint32_t begin; /* bytes from the begin of the text */
    uint32_t end;
};

struct expr_lexer {
    struct str text;
    uint32_t next; /* where the next token is looked for */
};

struct expr_token expr_lexer_next(struct expr_lexer *lexer);

enum expr_string_part {
    EXPR_STRING_TEXT,  /* decoded bytes were put into `out`; the string goes on with the next call */
    EXPR_STRING_OPEN,  /* `\(`: an expression and `)` follow */
    EXPR_STRING_CLOSE, /* the closing `"` was read */
    EXPR_STRING_WRONG, /* lexer->next stands at what is wrong; *problem says what */
};
/* Reads on inside a string: plain text up to a `\(` or `"` first, then that. */
enum expr_string_part expr_lexer_string(struct expr_lexer *lexer, struct buf *out, const char **problem);

/* Where bytes begin … end of `text` are in the file, when `text` begins at `origin` there. */
struct diag_place expr_lexer_place(struct str text, struct diag_place origin, uint32_t begin, uint32_t end);
