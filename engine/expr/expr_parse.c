/* Recursive descent over operators and pipes; terms and calls are in expr_term.c and expr_call.c. Called by
 * expr.c once for each expression. Never goes deeper than LIMITS_EXPR_DEPTH. */
#include "engine/expr/expr_parse.h"

#include <stdio.h>

#include "engine/base/check.h"

void expr_parse_init(struct expr_parse *parse, struct arena *arena, struct str text, struct diag_place origin,
                     struct diag_list *diags)
{
    *parse = (struct expr_parse){.arena = arena, .diags = diags, .origin = origin};
    parse->lexer.text = text;
}

struct diag_place expr_parse_place(struct expr_parse *parse, uint32_t begin, uint32_t end)
{
    return expr_lexer_place(parse->lexer.text, parse->origin, begin, end);
}

struct diag_place expr_parse_here(struct expr_parse *parse)
{
    return expr_parse_place(parse, parse->token.begin, parse->token.end);
}

void expr_parse_error(struct expr_parse *parse, struct diag_place place, const char *code, struct str message,
                      struct str hint)
{
    diag_add(parse->diags, (struct diag){place, str_from(code), message, hint, false});
}

static struct str show_token(struct expr_parse *parse)
{
    struct str text = str_slice(parse->lexer.text, parse->token.begin, parse->token.end);
    if (parse->token.kind == EXPR_TOKEN_END)
        return STR("the end of the expression");
    if (parse->token.kind == EXPR_TOKEN_QUOTE)
        return STR("a string");
    return arena_printf(parse->arena, "\"%.*s\"", STR_ARG(text));
}

/* What people who know jq or another language would write here, and what to write instead. */
static const struct {
    const char *sign;
    const char *hint;
} sign_hints[] = {
    {"=", "to compare, write =="},
    {"|=", "values are never changed: build a new one, as in {…} + {…}"},
    {"+=", "values are never changed: build a new one with +"},
    {"-=", "values are never changed: build a new one with -"},
    {"*=", "values are never changed: build a new one with *"},
    {"/=", "values are never changed: build a new one with /"},
    {"%=", "values are never changed: build a new one with %"},
    {"//=", "values are never changed: build a new one with //"},
    {"?//", "patterns are not in this language: write `as $name`"},
    {"..", "there is no recursion: name the fields you mean"},
    {"@", "a format is written @base64, without a blank"},
    {",", "an expression gives one value: put several in [ ]"},
    {"&&", "write `and`"},
    {"||", "write `or`"},
    {"!", "write `| not`, or != to compare"},
    {"'", "strings stand in double quotes"},
    {";", "`;` stands between the arguments of a function only"},
};

static struct str hint_for_token(const struct expr_parse *parse)
{
    struct str text = str_slice(parse->lexer.text, parse->token.begin, parse->token.end);
    if (parse->takes_commas && str_equal(text, STR(",")))
        return (struct str){0};
    for (size_t i = 0; i < sizeof(sign_hints) / sizeof(sign_hints[0]); i++)
        if (str_equal(text, str_from(sign_hints[i].sign)))
            return str_from(sign_hints[i].hint);
    if (parse->token.kind == EXPR_TOKEN_WRONG && text.size > 1 && text.data[0] == '.')
        return STR("numbers are written as in JSON: 0.5; items are read as [0]");
    if (parse->token.kind == EXPR_TOKEN_WRONG && text.size > 0 && text.data[0] >= '0' && text.data[0] <= '9')
        return STR("numbers are written as in JSON: 0.5, 10, 1e3");
    return (struct str){0};
}

struct expr_node *expr_parse_expected(struct expr_parse *parse, const char *what)
{
    struct str message =
        arena_printf(parse->arena, "expected %s, found %.*s", what, STR_ARG(show_token(parse)));
    expr_parse_error(parse, expr_parse_here(parse), "expression-syntax", message, hint_for_token(parse));
    return NULL;
}

void expr_parse_advance(struct expr_parse *parse)
{
    parse->previous_end = parse->token.end;
    parse->token = expr_lexer_next(&parse->lexer);
}

bool expr_parse_at_sign(const struct expr_parse *parse, const char *sign)
{
    return parse->token.kind == EXPR_TOKEN_SIGN && str_equal(parse->token.text, str_from(sign));
}

bool expr_parse_at_word(const struct expr_parse *parse, const char *word)
{
    return parse->token.kind == EXPR_TOKEN_WORD && str_equal(parse->token.text, str_from(word));
}

bool expr_parse_expect(struct expr_parse *parse, const char *sign)
{
    if (!expr_parse_at_sign(parse, sign)) {
        char what[16];
        snprintf(what, sizeof(what), "\"%s\"", sign);
        expr_parse_expected(parse, what);
        return false;
    }
    expr_parse_advance(parse);
    return true;
}

bool expr_parse_expect_word(struct expr_parse *parse, const char *word)
{
    if (!expr_parse_at_word(parse, word)) {
        char what[16];
        snprintf(what, sizeof(what), "\"%s\"", word);
        expr_parse_expected(parse, what);
        return false;
    }
    expr_parse_advance(parse);
    return true;
}

static void report_depth(struct expr_parse *parse, const char *what, int most)
{
    expr_parse_error(parse, expr_parse_here(parse), "expression-depth",
                     arena_printf(parse->arena, "%s nested deeper than %d", what, most),
                     STR("let an earlier step compute a part of it"));
}

bool expr_parse_enter(struct expr_parse *parse)
{
    parse->depth++;
    if (parse->depth <= LIMITS_EXPR_DEPTH)
        return true;
    report_depth(parse, "the expression is", LIMITS_EXPR_DEPTH);
    return false;
}

void expr_parse_leave(struct expr_parse *parse)
{
    check(parse->depth > 0);
    parse->depth--;
}

struct expr_node *expr_parse_node(struct expr_parse *parse, enum expr_op op, struct diag_place place,
                                  struct expr_node *const *children, uint32_t count)
{
    struct expr_node *node = expr_node_new(parse->arena, op, place, children, count);
    if (node->height > LIMITS_EXPR_DEPTH)
        report_depth(parse, "the expression is", LIMITS_EXPR_DEPTH);
    else if (node->deepens > LIMITS_JSON_DEPTH)
        report_depth(parse, "the expression may build a value", LIMITS_JSON_DEPTH);
    else
        return node;
    return NULL;
}

/* The operations between two terms. */
static const struct binary {
    const char *text;
    enum expr_op op;
    enum expr_operator operation;
    unsigned level; /* binds tighter when higher */
    bool word;
} binaries[] = {
    {"//", EXPR_OP_ALTERNATIVE, 0, 1, false},
    {"or", EXPR_OP_OR, 0, 2, true},
    {"and", EXPR_OP_AND, 0, 3, true},
    {"==", EXPR_OP_BINARY, EXPR_OPERATOR_EQUAL, 4, false},
    {"!=", EXPR_OP_BINARY, EXPR_OPERATOR_UNEQUAL, 4, false},
    {"<", EXPR_OP_BINARY, EXPR_OPERATOR_LESS, 4, false},
    {"<=", EXPR_OP_BINARY, EXPR_OPERATOR_LESS_EQUAL, 4, false},
    {">", EXPR_OP_BINARY, EXPR_OPERATOR_GREATER, 4, false},
    {">=", EXPR_OP_BINARY, EXPR_OPERATOR_GREATER_EQUAL, 4, false},
    {"+", EXPR_OP_BINARY, EXPR_OPERATOR_ADD, 5, false},
    {"-", EXPR_OP_BINARY, EXPR_OPERATOR_SUBTRACT, 5, false},
    {"*", EXPR_OP_BINARY, EXPR_OPERATOR_MULTIPLY, 6, false},
    {"/", EXPR_OP_BINARY, EXPR_OPERATOR_DIVIDE, 6, false},
    {"%", EXPR_OP_BINARY, EXPR_OPERATOR_REMAINDER, 6, false},
};
enum { LEVEL_ALTERNATIVE = 1, LEVEL_COMPARISON = 4 };

static const struct binary *binary_here(const struct expr_parse *parse)
{
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
        const struct binary *binary = &binaries[i];
        if (binary->word ? expr_parse_at_word(parse, binary->text) : expr_parse_at_sign(parse, binary->text))
            return binary;
    }
    return NULL;
}

/* The reference that a chain of fields and indexes begins with, or NULL. */
static const struct expr_node *reference_below(const struct expr_node *node)
{
    while (node->op == EXPR_OP_FIELD || node->op == EXPR_OP_INDEX || node->op == EXPR_OP_SLICE ||
           node->op == EXPR_OP_ITERATE || node->op == EXPR_OP_TRY)
        node = node->children[0];
    return node->op == EXPR_OP_REF ? node : NULL;
}

static bool is_null(const struct expr_node *node)
{
    return node->op == EXPR_OP_CONSTANT && node->value->kind == JSON_NULL;
}

/* `$event == null`, `($event // null) != null`: what is whole on one side, with null on the other. */
static void note_comparison(struct expr_parse *parse, const struct expr_node *side,
                            const struct expr_node *other)
{
    if (side->op == EXPR_OP_ALTERNATIVE && is_null(side->children[1]))
        side = side->children[0];
    if (side->op == EXPR_OP_REF && side->key_count == 0 && is_null(other))
        parse->refs[side->index].null_compared = true;
}

static struct expr_node *make_binary(struct expr_parse *parse, const struct binary *binary,
                                     struct diag_place place, struct expr_node *left, struct expr_node *right)
{
    struct expr_node *node =
        expr_parse_node(parse, binary->op, place, (struct expr_node *[]){left, right}, 2);
    if (node)
        node->index = binary->operation;
    const struct expr_node *reference = reference_below(left);
    if (binary->op == EXPR_OP_ALTERNATIVE && reference)
        parse->refs[reference->index].null_allowed = true;
    bool compares = binary->op == EXPR_OP_BINARY &&
                    (binary->operation == EXPR_OPERATOR_EQUAL || binary->operation == EXPR_OPERATOR_UNEQUAL);
    if (compares) {
        note_comparison(parse, left, right);
        note_comparison(parse, right, left);
    }
    return node;
}

/* $term as $name | body. At the word `as`; the body reaches as far as it can. */
static struct expr_node *parse_as(struct expr_parse *parse, struct expr_node *source)
{
    struct diag_place place = expr_parse_here(parse);
    expr_parse_advance(parse);
    if (parse->token.kind != EXPR_TOKEN_VARIABLE)
        return expr_parse_expected(parse,
                                   "a variable as in `as $name |` (patterns are not in this language)");
    if (parse->local_count == LIMITS_EXPR_LOCALS) {
        expr_parse_error(parse, place, "expression-depth", STR("too many variables bound at once"),
                         arena_printf(parse->arena, "at most %d", LIMITS_EXPR_LOCALS));
        return NULL;
    }
    uint32_t slot = parse->local_count;
    struct str name = parse->token.text;
    expr_parse_advance(parse);
    if (!expr_parse_expect(parse, "|"))
        return NULL;
    parse->locals[parse->local_count++] = name;
    struct expr_node *body = expr_parse_nested(parse, parse->has_input, parse->takes_commas);
    parse->local_count--;
    if (!body)
        return NULL;
    struct expr_node *node =
        expr_parse_node(parse, EXPR_OP_AS, place, (struct expr_node *[]){source, body}, 2);
    if (node)
        node->index = slot;
    return node;
}

static bool accept_optional(struct expr_parse *parse)
{
    if (!expr_parse_at_sign(parse, "?"))
        return false;
    expr_parse_advance(parse);
    return true;
}

/* base[from:to] behind the colon; from may be NULL. */
static struct expr_node *parse_slice(struct expr_parse *parse, struct diag_place place,
                                     struct expr_node *base, struct expr_node *from)
{
    struct expr_node *to = NULL;
    if (!from || !expr_parse_at_sign(parse, "]")) {
        to = expr_parse_nested(parse, parse->has_input, true);
        if (!to)
            return NULL;
    }
    struct expr_node *absent = expr_node_constant(parse->arena, &json_null, place);
    struct expr_node *parts[] = {base, from ? from : absent, to ? to : absent};
    if (!expr_parse_expect(parse, "]"))
        return NULL;
    return expr_parse_node(parse, EXPR_OP_SLICE, place, parts, 3);
}

/* base[…] behind the opening bracket. */
static struct expr_node *parse_bracket(struct expr_parse *parse, struct expr_node *base,
                                       struct diag_place place)
{
    if (expr_parse_at_sign(parse, "]")) {
        expr_parse_advance(parse);
        return expr_parse_node(parse, EXPR_OP_ITERATE, place, &base, 1);
    }
    if (expr_parse_at_sign(parse, ":")) {
        expr_parse_advance(parse);
        return parse_slice(parse, place, base, NULL);
    }
    struct expr_node *index = expr_parse_nested(parse, parse->has_input, true);
    if (!index)
        return NULL;
    if (expr_parse_at_sign(parse, ":")) {
        expr_parse_advance(parse);
        return parse_slice(parse, place, base, index);
    }
    if (!expr_parse_expect(parse, "]"))
        return NULL;
    if (index->op == EXPR_OP_CONSTANT && index->value->kind == JSON_STRING) {
        bool optional = accept_optional(parse);
        return expr_parse_field(parse, base, index->value->text, place, optional);
    }
    return expr_parse_node(parse, EXPR_OP_INDEX, place, (struct expr_node *[]){base, index}, 2);
}

/* Behind a term's `.`: ."key" or .[index]. */
static struct expr_node *parse_dotted(struct expr_parse *parse, struct expr_node *base,
                                      struct diag_place place)
{
    if (expr_parse_at_sign(parse, "[")) {
        expr_parse_advance(parse);
        return parse_bracket(parse, base, place);
    }
    if (parse->token.kind != EXPR_TOKEN_QUOTE)
        return expr_parse_expected(parse, "a field's name after the \".\"");
    struct expr_node *key = expr_parse_string(parse);
    if (!key)
        return NULL;
    if (key->op == EXPR_OP_CONSTANT) {
        bool optional = accept_optional(parse);
        return expr_parse_field(parse, base, key->value->text, place, optional);
    }
    return expr_parse_node(parse, EXPR_OP_INDEX, place, (struct expr_node *[]){base, key}, 2);
}

static struct expr_node *parse_question(struct expr_parse *parse, struct expr_node *base,
                                        struct diag_place place)
{
    bool lookup = base->op == EXPR_OP_INDEX || base->op == EXPR_OP_SLICE || base->op == EXPR_OP_ITERATE;
    if (lookup && !base->optional) {
        base->optional = true;
        base->single = false;
        return base;
    }
    return expr_parse_node(parse, EXPR_OP_TRY, place, &base, 1);
}

static bool at_postfix(const struct expr_parse *parse)
{
    return parse->token.kind == EXPR_TOKEN_FIELD || expr_parse_at_sign(parse, ".") ||
           expr_parse_at_sign(parse, "[") || expr_parse_at_sign(parse, "?");
}

static struct expr_node *parse_postfix(struct expr_parse *parse)
{
    struct expr_node *node = expr_parse_primary(parse);
    while (node && at_postfix(parse)) {
        struct diag_place place = expr_parse_here(parse);
        struct expr_token token = parse->token;
        expr_parse_advance(parse);
        if (token.kind == EXPR_TOKEN_FIELD) {
            bool optional = accept_optional(parse);
            node = expr_parse_field(parse, node, token.text, place, optional);
        } else if (str_equal(token.text, STR("."))) {
            node = parse_dotted(parse, node, place);
        } else if (str_equal(token.text, STR("["))) {
            node = parse_bracket(parse, node, place);
        } else {
            node = parse_question(parse, node, place);
        }
    }
    if (node && expr_parse_at_word(parse, "as"))
        return parse_as(parse, node);
    return node;
}

static struct expr_node *parse_unary(struct expr_parse *parse)
{
    if (!expr_parse_enter(parse))
        return NULL;
    struct expr_node *node = NULL;
    if (expr_parse_at_sign(parse, "-")) {
        struct diag_place place = expr_parse_here(parse);
        expr_parse_advance(parse);
        node = parse_unary(parse);
        if (node)
            node = expr_parse_node(parse, EXPR_OP_NEGATE, place, &node, 1);
    } else {
        node = parse_postfix(parse);
    }
    expr_parse_leave(parse);
    return node;
}

static struct expr_node *parse_binary(struct expr_parse *parse, unsigned level);

/* left, then one operation and its right side. */
static struct expr_node *parse_right(struct expr_parse *parse, const struct binary *binary,
                                     struct expr_node *left)
{
    struct diag_place place = expr_parse_here(parse);
    expr_parse_advance(parse);
    unsigned level = binary->level == LEVEL_ALTERNATIVE ? binary->level : binary->level + 1;
    struct expr_node *right = parse_binary(parse, level);
    if (!right)
        return NULL;
    const struct binary *next = binary_here(parse);
    if (binary->level == LEVEL_COMPARISON && next && next->level == LEVEL_COMPARISON) {
        expr_parse_error(parse, expr_parse_here(parse), "expression-syntax", STR("comparisons do not chain"),
                         STR("write `a < b and b < c`, or put one of them in parentheses"));
        return NULL;
    }
    return make_binary(parse, binary, place, left, right);
}

static struct expr_node *parse_binary(struct expr_parse *parse, unsigned level)
{
    if (!expr_parse_enter(parse))
        return NULL;
    struct expr_node *node = parse_unary(parse);
    const struct binary *binary = binary_here(parse);
    while (node && binary && binary->level >= level) {
        node = parse_right(parse, binary, node);
        binary = binary_here(parse);
    }
    expr_parse_leave(parse);
    return node;
}

/* A chain `a SIGN b SIGN c` as one node of `op`, each part by `part`. */
struct chain {
    struct expr_node **parts;
    uint32_t count;
    uint32_t room;
};

static void chain_put(struct expr_parse *parse, struct chain *chain, struct expr_node *part)
{
    if (chain->count == chain->room) {
        uint32_t room = chain->room ? chain->room * 2 : 4;
        struct expr_node **parts = arena_array(parse->arena, room, sizeof(*parts));
        for (uint32_t i = 0; i < chain->count; i++)
            parts[i] = chain->parts[i];
        chain->parts = parts;
        chain->room = room;
    }
    chain->parts[chain->count++] = part;
}

static struct expr_node *chain_node(struct expr_parse *parse, const struct chain *chain, enum expr_op op)
{
    if (chain->count == 1)
        return chain->parts[0];
    return expr_parse_node(parse, op, chain->parts[0]->place, chain->parts, chain->count);
}

static struct expr_node *parse_comma(struct expr_parse *parse)
{
    struct chain chain = {0};
    for (;;) {
        struct expr_node *part = parse_binary(parse, LEVEL_ALTERNATIVE);
        if (!part)
            return NULL;
        chain_put(parse, &chain, part);
        if (!parse->takes_commas || !expr_parse_at_sign(parse, ","))
            return chain_node(parse, &chain, EXPR_OP_COMMA);
        expr_parse_advance(parse);
    }
}

static struct expr_node *parse_pipe(struct expr_parse *parse)
{
    struct chain chain = {0};
    for (;;) {
        struct expr_node *part = parse_comma(parse);
        if (!part)
            return NULL;
        chain_put(parse, &chain, part);
        if (chain.count > LIMITS_EXPR_DEPTH) {
            report_depth(parse, "the expression is", LIMITS_EXPR_DEPTH);
            return NULL;
        }
        if (!expr_parse_at_sign(parse, "|"))
            return chain_node(parse, &chain, EXPR_OP_PIPE);
        expr_parse_advance(parse);
        parse->has_input = true;
    }
}

struct expr_node *expr_parse_nested(struct expr_parse *parse, bool has_input, bool takes_commas)
{
    bool outer_input = parse->has_input;
    bool outer_commas = parse->takes_commas;
    parse->has_input = has_input;
    parse->takes_commas = takes_commas;
    struct expr_node *node = parse_pipe(parse);
    parse->has_input = outer_input;
    parse->takes_commas = outer_commas;
    return node;
}

static struct expr_node *parse_from(struct expr_parse *parse, uint32_t begin)
{
    parse->lexer.next = begin;
    parse->depth = 0;
    parse->local_count = 0;
    parse->token = (struct expr_token){.begin = begin, .end = begin};
    expr_parse_advance(parse);
    return expr_parse_nested(parse, false, false);
}

struct expr_node *expr_parse_whole(struct expr_parse *parse, uint32_t begin)
{
    struct expr_node *node = parse_from(parse, begin);
    if (node && parse->token.kind != EXPR_TOKEN_END)
        return expr_parse_expected(parse, "an operator or the end of the expression");
    return node;
}

struct expr_node *expr_parse_braced(struct expr_parse *parse, uint32_t begin, uint32_t *end)
{
    struct expr_node *node = parse_from(parse, begin);
    if (node && !expr_parse_at_sign(parse, "}"))
        return expr_parse_expected(parse, "an operator or the closing \"}\"");
    *end = parse->token.end;
    return node;
}
