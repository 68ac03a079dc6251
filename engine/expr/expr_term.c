/* Terms: literals, strings, variables with their paths, brackets, objects, `if`. Part of expr_parse.h; called
 * by expr_parse.c and calling back for what stands in brackets, within LIMITS_EXPR_DEPTH. Never evaluates. */
#include "engine/expr/expr_parse.h"

#include "engine/base/check.h"
#include "engine/expr/expr_functions.h"

struct expr_node *expr_parse_input(struct expr_parse *parse, struct diag_place place)
{
    if (!parse->has_input)
        expr_parse_error(parse, place, "expression-no-input",
                         STR("there is no value at hand here, so \".\" means nothing"),
                         STR("name what you mean: $input.field, $steps.<id>.output.field"));
    return expr_parse_node(parse, EXPR_OP_INPUT, place, NULL, 0);
}

/* ---- strings ---- */

static void report_string(struct expr_parse *parse, const char *problem)
{
    uint32_t at = parse->lexer.next;
    expr_parse_error(parse, expr_parse_place(parse, at, at + 1), "expression-syntax", str_from(problem),
                     (struct str){0});
}

/* One `\( … )`: the lexer stands behind the parenthesis that opens it. */
static struct expr_node *parse_inserted(struct expr_parse *parse)
{
    expr_parse_advance(parse);
    struct expr_node *node = expr_parse_nested(parse, parse->has_input, true);
    if (node && !expr_parse_at_sign(parse, ")"))
        return expr_parse_expected(parse, "\")\"");
    return node;
}

/* value | @format */
static struct expr_node *format_part(struct expr_parse *parse, struct expr_node *value, uint32_t function)
{
    struct expr_node *call = expr_parse_node(parse, EXPR_OP_CALL, value->place, NULL, 0);
    if (!call)
        return NULL;
    call->index = function;
    call->single = expr_functions_single((enum expr_function)function);
    call->deepens = expr_functions_deepens((enum expr_function)function);
    return expr_parse_node(parse, EXPR_OP_PIPE, value->place, (struct expr_node *[]){value, call}, 2);
}

static struct expr_node *parse_string(struct expr_parse *parse, bool formatted, uint32_t function)
{
    enum { PARTS_MAX = 64 };
    struct diag_place place = expr_parse_here(parse);
    struct expr_node *parts[PARTS_MAX];
    uint32_t count = 0;
    struct str last = {0};
    bool inserted = false;
    for (;;) {
        struct buf text;
        const char *problem = NULL;
        struct expr_node *part = NULL;
        buf_init(&text, parse->arena);
        switch (expr_lexer_string(&parse->lexer, &text, &problem)) {
        case EXPR_STRING_TEXT:
            last = buf_str(&text);
            part = expr_node_constant(parse->arena, json_new_string(parse->arena, last), place);
            break;
        case EXPR_STRING_OPEN:
            part = parse_inserted(parse);
            part = part && formatted ? format_part(parse, part, function) : part;
            inserted = true;
            if (!part)
                return NULL;
            break;
        case EXPR_STRING_CLOSE:
            expr_parse_advance(parse);
            if (!inserted && count <= 1)
                return expr_node_constant(parse->arena, json_new_string(parse->arena, last), place);
            return expr_parse_node(parse, EXPR_OP_TEXT, place, parts, count);
        case EXPR_STRING_WRONG:
            report_string(parse, problem);
            return NULL;
        }
        if (count == PARTS_MAX) {
            report_string(parse, "too many parts in one string (64)");
            return NULL;
        }
        parts[count++] = part;
    }
}

struct expr_node *expr_parse_string(struct expr_parse *parse)
{
    return parse_string(parse, false, 0);
}

struct expr_node *expr_parse_formatted(struct expr_parse *parse, uint32_t function)
{
    return parse_string(parse, true, function);
}

/* ---- variables and the paths read from them ---- */

static const struct {
    const char *name;
    enum expr_ref_kind kind;
    const char *fields[4]; /* the only ones there are; none listed: any */
} roots[] = {
    {"input", EXPR_REF_INPUT, {NULL}},
    {"steps", EXPR_REF_STEP_OUTPUT, {NULL}},
    {"saga", EXPR_REF_SAGA, {"id", "key", "started_at", NULL}},
    {"error", EXPR_REF_ERROR, {"code", "message", "step", NULL}},
    {"index", EXPR_REF_INDEX, {NULL}},
    {"event", EXPR_REF_EVENT, {NULL}},
};
enum { ROOTS_COUNT = sizeof(roots) / sizeof(roots[0]) };

static uint32_t add_ref(struct expr_parse *parse, struct expr_ref ref)
{
    if (parse->ref_count == parse->ref_room) {
        uint32_t room = parse->ref_room ? parse->ref_room * 2 : 4;
        struct expr_ref *refs = arena_array(parse->arena, room, sizeof(*refs));
        for (uint32_t i = 0; i < parse->ref_count; i++)
            refs[i] = parse->refs[i];
        parse->refs = refs;
        parse->ref_room = room;
    }
    ref.slot = -1;
    parse->refs[parse->ref_count] = ref;
    return parse->ref_count++;
}

static struct expr_node *ref_node(struct expr_parse *parse, struct expr_ref ref)
{
    struct expr_node *node = expr_parse_node(parse, EXPR_OP_REF, ref.place, NULL, 0);
    check(node != NULL);
    node->index = add_ref(parse, ref);
    return node;
}

static void check_root_field(struct expr_parse *parse, const struct expr_ref *ref, struct str key,
                             struct diag_place place)
{
    for (size_t i = 0; i < ROOTS_COUNT; i++) {
        if (roots[i].kind != ref->kind || !roots[i].fields[0])
            continue;
        const char *const *field = roots[i].fields;
        while (*field && !str_equal(str_from(*field), key))
            field++;
        if (!*field)
            expr_parse_error(
                parse, place, "expression-unknown",
                arena_printf(parse->arena, "$%s has no field \"%.*s\"", roots[i].name, STR_ARG(key)),
                arena_printf(parse->arena, "it has %s, %s and %s", roots[i].fields[0], roots[i].fields[1],
                             roots[i].fields[2]));
    }
}

static void extend_ref(struct expr_parse *parse, struct expr_node *node, struct str key,
                       struct diag_place place)
{
    struct str *keys = arena_array(parse->arena, node->key_count + 1, sizeof(*keys));
    for (uint32_t i = 0; i < node->key_count; i++)
        keys[i] = node->keys[i];
    keys[node->key_count] = key;
    node->keys = keys;
    node->key_count++;
    struct expr_ref *ref = &parse->refs[node->index];
    if (node->key_count == 1)
        check_root_field(parse, ref, key, place);
    struct buf path;
    buf_init(&path, parse->arena);
    for (uint32_t i = 0; i < node->key_count && expr_is_plain_key(keys[i]); i++) {
        buf_char(&path, '.');
        buf_put(&path, keys[i]);
    }
    ref->path = buf_str(&path);
    if (place.line == ref->place.line && place.column > ref->place.column)
        ref->place.size = place.column + place.size - ref->place.column;
}

struct expr_node *expr_parse_field(struct expr_parse *parse, struct expr_node *base, struct str key,
                                   struct diag_place place, bool optional)
{
    if (base->op == EXPR_OP_REF && !optional) {
        extend_ref(parse, base, key, place);
        return base;
    }
    struct expr_node *node = expr_parse_node(parse, EXPR_OP_FIELD, place, &base, 1);
    if (!node)
        return NULL;
    node->key = key;
    node->optional = optional;
    node->single = node->single && !optional;
    return node;
}

/* `.name` or `["name"]`; false, nothing reported, when something else stands here. */
static bool take_fixed_key(struct expr_parse *parse, struct str *key)
{
    if (parse->token.kind == EXPR_TOKEN_FIELD) {
        *key = parse->token.text;
        expr_parse_advance(parse);
        return true;
    }
    if (!expr_parse_at_sign(parse, "["))
        return false;
    expr_parse_advance(parse);
    if (parse->token.kind != EXPR_TOKEN_QUOTE)
        return false;
    struct expr_node *text = expr_parse_string(parse);
    if (!text || text->op != EXPR_OP_CONSTANT || !expr_parse_at_sign(parse, "]"))
        return false;
    *key = text->value->text;
    expr_parse_advance(parse);
    return true;
}

/* $steps.<id>.output or $steps.<id>.came, behind `$steps`. */
static struct expr_node *parse_step_output(struct expr_parse *parse, struct diag_place place, uint32_t begin)
{
    struct str id = {0};
    struct str word = {0};
    if (!take_fixed_key(parse, &id)) {
        expr_parse_error(parse, place, "expression-steps", STR("$steps is read one step's output at a time"),
                         STR("write $steps.<id>.output"));
        return NULL;
    }
    bool found = take_fixed_key(parse, &word);
    bool came = found && str_equal(word, STR("came"));
    if (!came && (!found || !str_equal(word, STR("output")))) {
        expr_parse_error(parse, place, "expression-steps",
                         STR("of a step only its output can be read, and of an await whether its event came"),
                         arena_printf(parse->arena, "write $steps.%.*s.output%s%.*s", STR_ARG(id),
                                      word.size ? "." : "", STR_ARG(word)));
        return NULL;
    }
    place = expr_parse_place(parse, begin, parse->previous_end);
    return ref_node(
        parse,
        (struct expr_ref){.kind = came ? EXPR_REF_CAME : EXPR_REF_STEP_OUTPUT, .name = id, .place = place});
}

static struct expr_node *parse_variable(struct expr_parse *parse)
{
    struct diag_place place = expr_parse_here(parse);
    struct str name = parse->token.text;
    uint32_t begin = parse->token.begin;
    expr_parse_advance(parse);
    for (uint32_t slot = parse->local_count; slot > 0; slot--) {
        if (!str_equal(parse->locals[slot - 1], name))
            continue;
        struct expr_node *node = expr_parse_node(parse, EXPR_OP_LOCAL, place, NULL, 0);
        node->index = slot - 1;
        return node;
    }
    if (str_equal(name, STR("ENV")) || str_equal(name, STR("__loc__")))
        expr_parse_error(parse, place, "expression-refused",
                         arena_printf(parse->arena, "$%.*s is not in this language", STR_ARG(name)),
                         STR("an expression sees only the saga: pass what it needs in the input"));
    for (size_t i = 0; i < ROOTS_COUNT; i++) {
        if (!str_equal(name, str_from(roots[i].name)))
            continue;
        if (roots[i].kind == EXPR_REF_STEP_OUTPUT)
            return parse_step_output(parse, place, begin);
        return ref_node(parse, (struct expr_ref){.kind = roots[i].kind, .name = name, .place = place});
    }
    return ref_node(parse, (struct expr_ref){.kind = EXPR_REF_NAMED, .name = name, .place = place});
}

/* ---- brackets, objects, if ---- */

static struct expr_node *parse_array(struct expr_parse *parse)
{
    struct diag_place place = expr_parse_here(parse);
    expr_parse_advance(parse);
    if (expr_parse_at_sign(parse, "]")) {
        expr_parse_advance(parse);
        return expr_parse_node(parse, EXPR_OP_ARRAY, place, NULL, 0);
    }
    struct expr_node *items = expr_parse_nested(parse, parse->has_input, true);
    if (!items || !expr_parse_expect(parse, "]"))
        return NULL;
    return expr_parse_node(parse, EXPR_OP_ARRAY, place, &items, 1);
}

static struct expr_node *parse_parentheses(struct expr_parse *parse)
{
    expr_parse_advance(parse);
    struct expr_node *node = expr_parse_nested(parse, parse->has_input, true);
    if (!node || !expr_parse_expect(parse, ")"))
        return NULL;
    return node;
}

/* The value of a member written without one: {$x} is {x: $x}, {name} is {name: .name}. */
static struct expr_node *shorthand(struct expr_parse *parse, struct expr_node *key, struct diag_place place)
{
    struct expr_node *input = expr_parse_input(parse, place);
    if (!input)
        return NULL;
    if (key->op == EXPR_OP_CONSTANT)
        return expr_parse_field(parse, input, key->value->text, place, false);
    return expr_parse_node(parse, EXPR_OP_INDEX, place, (struct expr_node *[]){input, key}, 2);
}

/* pair[0] is the key, pair[1] the value. */
static bool parse_member(struct expr_parse *parse, struct expr_node *pair[2])
{
    struct diag_place place = expr_parse_here(parse);
    bool must_have_value = false;
    if (parse->token.kind == EXPR_TOKEN_VARIABLE) {
        const struct json *name = json_new_string(parse->arena, parse->token.text);
        pair[0] = expr_node_constant(parse->arena, name, place);
        pair[1] = parse_variable(parse);
        return pair[1] != NULL;
    }
    if (parse->token.kind == EXPR_TOKEN_WORD) {
        const struct json *name = json_new_string(parse->arena, parse->token.text);
        pair[0] = expr_node_constant(parse->arena, name, place);
        expr_parse_advance(parse);
    } else if (parse->token.kind == EXPR_TOKEN_QUOTE) {
        pair[0] = expr_parse_string(parse);
    } else if (expr_parse_at_sign(parse, "(")) {
        pair[0] = parse_parentheses(parse);
        must_have_value = true;
    } else {
        pair[0] = expr_parse_expected(
            parse, "a member's name: a word, a \"string\", a $variable or (an expression)");
    }
    if (!pair[0])
        return false;
    if (!must_have_value && !expr_parse_at_sign(parse, ":")) {
        pair[1] = shorthand(parse, pair[0], place);
        return pair[1] != NULL;
    }
    if (!expr_parse_expect(parse, ":"))
        return false;
    pair[1] = expr_parse_nested(parse, parse->has_input, false);
    return pair[1] != NULL;
}

static struct expr_node *parse_object(struct expr_parse *parse)
{
    enum { PARTS_MAX = 128 };
    struct diag_place place = expr_parse_here(parse);
    struct expr_node *parts[PARTS_MAX];
    uint32_t count = 0;
    expr_parse_advance(parse);
    while (!expr_parse_at_sign(parse, "}")) {
        if (count == PARTS_MAX) {
            expr_parse_error(parse, expr_parse_here(parse), "expression-depth",
                             STR("too many members in one { } (64)"), STR("add two objects with +"));
            return NULL;
        }
        if (!parse_member(parse, &parts[count]))
            return NULL;
        count += 2;
        if (expr_parse_at_sign(parse, "}"))
            break;
        if (!expr_parse_at_sign(parse, ","))
            return expr_parse_expected(parse, "\",\" or \"}\" after a member");
        expr_parse_advance(parse);
        if (expr_parse_at_sign(parse, "}"))
            return expr_parse_expected(parse, "a member after the \",\"");
    }
    expr_parse_advance(parse);
    return expr_parse_node(parse, EXPR_OP_OBJECT, place, parts, count);
}

/* At `if` or `elif`. */
static struct expr_node *parse_if(struct expr_parse *parse)
{
    struct diag_place place = expr_parse_here(parse);
    struct expr_node *parts[3] = {NULL};
    if (!expr_parse_enter(parse))
        return NULL;
    expr_parse_advance(parse);
    parts[0] = expr_parse_nested(parse, parse->has_input, true);
    if (!parts[0] || !expr_parse_expect_word(parse, "then"))
        return NULL;
    parts[1] = expr_parse_nested(parse, parse->has_input, true);
    if (!parts[1])
        return NULL;
    if (expr_parse_at_word(parse, "elif")) {
        parts[2] = parse_if(parse);
    } else if (expr_parse_at_word(parse, "else")) {
        expr_parse_advance(parse);
        parts[2] = expr_parse_nested(parse, parse->has_input, true);
        if (parts[2] && !expr_parse_expect_word(parse, "end"))
            return NULL;
    } else {
        return expr_parse_expected(parse, "\"elif\" or \"else\" (every `if` has an `else`)");
    }
    expr_parse_leave(parse);
    return parts[2] ? expr_parse_node(parse, EXPR_OP_IF, place, parts, 3) : NULL;
}

static struct expr_node *parse_literal(struct expr_parse *parse, const struct json *value)
{
    struct expr_node *node = expr_node_constant(parse->arena, value, expr_parse_here(parse));
    expr_parse_advance(parse);
    return node;
}

static struct expr_node *parse_word(struct expr_parse *parse)
{
    if (expr_parse_at_word(parse, "if"))
        return parse_if(parse);
    if (expr_parse_at_word(parse, "null"))
        return parse_literal(parse, &json_null);
    if (expr_parse_at_word(parse, "true"))
        return parse_literal(parse, &json_true);
    if (expr_parse_at_word(parse, "false"))
        return parse_literal(parse, &json_false);
    static const char *const keywords[] = {"then", "elif", "else", "end", "and", "or", "as"};
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (expr_parse_at_word(parse, keywords[i]))
            return expr_parse_expected(parse, "a value");
    return expr_parse_call(parse);
}

/* At `.` or `.name`: begins with the value at hand. */
static struct expr_node *parse_input_path(struct expr_parse *parse)
{
    struct expr_token token = parse->token;
    struct expr_node *input = expr_parse_input(parse, expr_parse_here(parse));
    if (token.kind == EXPR_TOKEN_FIELD || !input)
        return input; /* the field is a postfix of it */
    expr_parse_advance(parse);
    if (parse->token.kind != EXPR_TOKEN_QUOTE)
        return input;
    struct diag_place place = expr_parse_here(parse);
    struct expr_node *key = expr_parse_string(parse);
    if (!key)
        return NULL;
    if (key->op == EXPR_OP_CONSTANT)
        return expr_parse_field(parse, input, key->value->text, place, false);
    return expr_parse_node(parse, EXPR_OP_INDEX, place, (struct expr_node *[]){input, key}, 2);
}

struct expr_node *expr_parse_primary(struct expr_parse *parse)
{
    switch (parse->token.kind) {
    case EXPR_TOKEN_NUMBER:
        return parse_literal(parse,
                             json_new_number(parse->arena, arena_copy(parse->arena, parse->token.text)));
    case EXPR_TOKEN_QUOTE:
        return expr_parse_string(parse);
    case EXPR_TOKEN_WORD:
        return parse_word(parse);
    case EXPR_TOKEN_FIELD:
        return parse_input_path(parse);
    case EXPR_TOKEN_VARIABLE:
        return parse_variable(parse);
    case EXPR_TOKEN_SIGN:
        if (expr_parse_at_sign(parse, "."))
            return parse_input_path(parse);
        if (expr_parse_at_sign(parse, "("))
            return parse_parentheses(parse);
        if (expr_parse_at_sign(parse, "["))
            return parse_array(parse);
        if (expr_parse_at_sign(parse, "{"))
            return parse_object(parse);
        break;
    case EXPR_TOKEN_END:
    case EXPR_TOKEN_WRONG:
        break;
    }
    return expr_parse_expected(parse, "a value");
}
