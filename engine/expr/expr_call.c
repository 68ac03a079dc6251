/* Calls of functions: finding them by name and arity, and saying what is wrong when they are not there. Part
 * of expr_parse.h. */
#include "engine/expr/expr_parse.h"

#include "engine/expr/expr_functions.h"

enum { ARGUMENTS_MAX = 4, SIMILAR_DISTANCE = 2 };

static const struct {
    struct str name;
    struct str hint;
} refused[] = {
#define X(name, hint, jq, ours) {{name, sizeof(name) - 1}, {hint, sizeof(hint) - 1}},
#include "engine/expr/refused.def"
#undef X
};

/* The function of this name and arity; with only the name right *near is one of them, else the most similar
 * name. */
static const struct expr_function_info *find(struct str name, uint32_t arity,
                                             const struct expr_function_info **near)
{
    size_t allowed = (name.size + 1) / 3; /* two letters of "lenght", one of a short name */
    size_t nearest = (allowed < SIMILAR_DISTANCE ? allowed : SIMILAR_DISTANCE) + 1;
    *near = NULL;
    for (size_t i = 0; i < EXPR_FUNCTIONS_COUNT; i++) {
        const struct expr_function_info *function = &expr_functions[i];
        size_t distance = str_distance(function->name, name, SIMILAR_DISTANCE);
        if (distance == 0 && function->arity == arity)
            return function;
        if (distance < nearest) {
            nearest = distance;
            *near = function;
        }
    }
    return NULL;
}

static bool report_refused(struct expr_parse *parse, struct str name, struct diag_place place)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (!str_equal(refused[i].name, name))
            continue;
        struct str message = arena_printf(parse->arena, "\"%.*s\" is not in this language", STR_ARG(name));
        expr_parse_error(parse, place, "expression-refused", message, refused[i].hint);
        return true;
    }
    return false;
}

static void report_unknown(struct expr_parse *parse, struct str name, uint32_t arity, struct diag_place place,
                           const struct expr_function_info *near)
{
    struct str hint = {0};
    struct str message = arena_printf(parse->arena, "unknown function \"%.*s\"", STR_ARG(name));
    if (near && str_equal(near->name, name)) {
        message = arena_printf(parse->arena, "\"%.*s\" takes %u argument%s, not %u", STR_ARG(name),
                               near->arity, near->arity == 1 ? "" : "s", arity);
        if (near->arity == 0)
            hint = arena_printf(parse->arena, "write `value | %.*s`", STR_ARG(name));
        else if (near->arity == 1)
            hint = arena_printf(parse->arena, "write `value | %.*s(…)`", STR_ARG(name));
    } else if (str_starts(name, STR("@"))) {
        hint = STR("the formats are @text @json @csv @tsv @html @uri @base64 @base64d");
    } else if (near) {
        hint = arena_printf(parse->arena, "did you mean \"%.*s\"?", STR_ARG(near->name));
    } else if (arity == 0) {
        hint = STR("a variable begins with $, a string stands in double quotes");
    }
    expr_parse_error(parse, place, "expression-unknown", message, hint);
}

/* The first argument of a function that does not read `.` is evaluated where the function stands; all others
 * see a value. */
static bool parse_arguments(struct expr_parse *parse, struct str name, struct expr_node *arguments[],
                            uint32_t *count)
{
    *count = 0;
    if (!expr_parse_at_sign(parse, "("))
        return true;
    bool outer_all =
        str_equal(name, STR("limit")) || str_equal(name, STR("nth")) || str_equal(name, STR("IN"));
    bool outer_first = outer_all || str_equal(name, STR("first")) || str_equal(name, STR("last")) ||
                       str_equal(name, STR("any")) || str_equal(name, STR("all"));
    do {
        expr_parse_advance(parse);
        if (*count == ARGUMENTS_MAX) {
            expr_parse_expected(parse, "no more arguments");
            return false;
        }
        /* Whether any(…) has one argument or two is known only behind it: one argument then sees each item.
         */
        bool has_input = parse->has_input || (*count > 0 ? !outer_all : !outer_first);
        arguments[*count] = expr_parse_nested(parse, has_input, true);
        if (!arguments[*count])
            return false;
        (*count)++;
    } while (expr_parse_at_sign(parse, ";"));
    return expr_parse_expect(parse, ")");
}

/* Something that `not` would be written in front of in other languages. */
static bool at_operand(const struct expr_parse *parse)
{
    return parse->token.kind == EXPR_TOKEN_VARIABLE || parse->token.kind == EXPR_TOKEN_FIELD ||
           parse->token.kind == EXPR_TOKEN_QUOTE;
}

/* A constant pattern is compiled now, so that its mistakes are the author's and no test pays for it. */
static bool prepare_pattern(struct expr_parse *parse, struct expr_node *node)
{
    struct err_note note;
    uint32_t flags_at = 0;
    unsigned options = 0;
    bool global = false;
    if (!expr_functions_pattern((enum expr_function)node->index, &flags_at, &options))
        return true;
    const struct expr_node *pattern = node->children[0];
    const struct expr_node *flags = flags_at > 0 ? node->children[flags_at] : NULL;
    if (pattern->op != EXPR_OP_CONSTANT || pattern->value->kind != JSON_STRING)
        return true;
    if (flags && (flags->op != EXPR_OP_CONSTANT || !expr_functions_flags(flags->value, &options, &global)))
        return true; /* the evaluation says what is wrong with them */
    if (regex_compile(parse->arena, pattern->value->text, options, &node->regex, &note) == ERR_OK)
        return true;
    expr_parse_error(parse, pattern->place, "expression-pattern",
                     arena_printf(parse->arena, "the regular expression is wrong: %s", note.text),
                     (struct str){0});
    return false;
}

struct expr_node *expr_parse_call(struct expr_parse *parse)
{
    struct diag_place place = expr_parse_here(parse);
    struct str name = parse->token.text;
    struct expr_node *arguments[ARGUMENTS_MAX] = {NULL};
    uint32_t count = 0;
    if (report_refused(parse, name, place))
        return NULL;
    expr_parse_advance(parse);
    if (str_equal(name, STR("not")) && (!parse->has_input || at_operand(parse))) {
        expr_parse_error(parse, place, "expression-no-input", STR("\"not\" stands behind what it negates"),
                         STR("write `(…) | not`"));
        return NULL;
    }
    if (!parse_arguments(parse, name, arguments, &count))
        return NULL;
    const struct expr_function_info *near = NULL;
    const struct expr_function_info *function = find(name, count, &near);
    if (function && str_starts(name, STR("@")) && parse->token.kind == EXPR_TOKEN_QUOTE)
        return expr_parse_formatted(parse, (uint32_t)(function - expr_functions));
    if (!function) {
        report_unknown(parse, name, count, place, near);
        return expr_node_constant(parse->arena, &json_null, place);
    }
    if (function->reads_input && !parse->has_input)
        expr_parse_error(
            parse, place, "expression-no-input",
            arena_printf(parse->arena, "\"%.*s\" works on a value, and there is none at hand here",
                         STR_ARG(name)),
            arena_printf(parse->arena, "write `value | %.*s%s`", STR_ARG(name), count > 0 ? "(…)" : ""));
    struct expr_node *node = expr_parse_node(parse, EXPR_OP_CALL, place, arguments, count);
    if (!node)
        return NULL;
    node->index = (uint32_t)(function - expr_functions);
    node->single = expr_functions_single((enum expr_function)node->index);
    node->deepens += expr_functions_deepens((enum expr_function)node->index);
    for (uint32_t i = 0; i < count; i++)
        node->single = node->single && arguments[i]->single;
    return prepare_pattern(parse, node) ? node : NULL;
}
