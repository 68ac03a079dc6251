/* The table of functions made from functions.def, and the handlers of one value. Called by the parser for
 * names and by the evaluator for work. Never takes more than the budget has. */
#include "engine/expr/expr_functions.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/expr/expr_value.h"
#include "engine/expr/regex_parse.h"

#define X_CALL(handler) expr_functions_##handler, NULL
#define X_APPLY(handler) NULL, expr_functions_##handler
const struct expr_function_info expr_functions[EXPR_FUNCTIONS_COUNT] = {
#define X(id, name, arity, reads_input, how, handler, doc)                                                   \
    {{name, sizeof(name) - 1}, arity, reads_input, X_##how(handler), {doc, sizeof(doc) - 1}},
#include "engine/expr/functions.def"
#undef X
};
#undef X_CALL
#undef X_APPLY

bool expr_functions_run(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    check(node->index < EXPR_FUNCTIONS_COUNT);
    const struct expr_function_info *info = &expr_functions[node->index];
    if (info->call)
        return info->call(run, node, input);
    return expr_run_combine(run, node, input, true, info->apply);
}

bool expr_functions_single(enum expr_function function)
{
    return function != EXPR_FUNCTION_SELECT && function != EXPR_FUNCTION_VALUES &&
           function != EXPR_FUNCTION_FIRST_OF && function != EXPR_FUNCTION_NTH_OF &&
           function != EXPR_FUNCTION_LIMIT && function != EXPR_FUNCTION_SPLITS &&
           function != EXPR_FUNCTION_SPLITS_FLAGS && function != EXPR_FUNCTION_CAPTURE &&
           function != EXPR_FUNCTION_CAPTURE_FLAGS && function != EXPR_FUNCTION_SCAN;
}

uint32_t expr_functions_deepens(enum expr_function function)
{
    return function == EXPR_FUNCTION_TO_ENTRIES || function == EXPR_FUNCTION_WITH_ENTRIES ? 2 : 1;
}

bool expr_functions_push(struct expr_run *run, const struct json *value)
{
    return value && expr_run_push(run, value);
}

bool expr_functions_push_text(struct expr_run *run, struct str text)
{
    return expr_run_push(run, json_new_string(run->arena, text));
}

bool expr_functions_needs(struct expr_run *run, const struct expr_node *node, const char *what,
                          const struct json *value)
{
    return expr_run_fail(run, node, EXPR_FAULT_TYPE, "%.*s needs %s, not %s",
                         STR_ARG(expr_functions[node->index].name), what, expr_value_kind_name(value));
}

char *expr_functions_room(struct expr_run *run, const struct expr_node *node, size_t size)
{
    return expr_run_work(run, node, size / EXPR_RUN_STEP_WORK) ? expr_run_alloc(run, node, size) : NULL;
}

bool expr_functions_not(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    (void)node;
    return expr_run_push(run, json_new_bool(!expr_truth(input)));
}

bool expr_functions_length(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    switch (input->kind) {
    case JSON_NULL:
        return expr_functions_push(run, expr_value_i64(run, 0));
    case JSON_BOOL:
        return expr_functions_needs(run, node, "something with a length", input);
    case JSON_NUMBER:
        if (!str_starts(input->text, STR("-")))
            return expr_run_push(run, input);
        return expr_functions_push(run,
                                   json_new_number(run->arena, str_slice(input->text, 1, input->text.size)));
    case JSON_STRING:
        if (!expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK))
            return false;
        return expr_functions_push(run, expr_value_i64(run, (int64_t)expr_value_characters(input->text)));
    case JSON_ARRAY:
    case JSON_OBJECT:
        return expr_functions_push(run, expr_value_i64(run, input->count));
    }
    check(false);
    return false;
}

bool expr_functions_keys(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_ARRAY && input->kind != JSON_OBJECT)
        return expr_functions_needs(run, node, "an object or an array", input);
    const struct json **keys = expr_run_alloc(run, node, input->count * sizeof(*keys));
    if (!keys || !expr_run_work(run, node, input->count))
        return false;
    const struct json_member **members = NULL;
    if (input->kind == JSON_OBJECT) {
        members = expr_value_members(run, node, input);
        if (!members)
            return false;
    }
    for (uint32_t i = 0; i < input->count; i++)
        keys[i] = members ? json_new_string(run->arena, members[i]->key) : expr_value_i64(run, i);
    return expr_functions_push(run, json_new_array(run->arena, keys, input->count));
}

bool expr_functions_tonumber(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind == JSON_NUMBER)
        return expr_run_push(run, input);
    if (input->kind != JSON_STRING)
        return expr_functions_needs(run, node, "a number or a string", input);
    const struct json *number = NULL;
    if (json_parse(run->arena, input->text, LIMITS_PAYLOAD_BYTES, &number, NULL) == ERR_OK &&
        number->kind == JSON_NUMBER)
        return expr_run_push(run, number);
    return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the string, of %zu bytes, is not a number",
                         input->text.size);
}

bool expr_functions_fromjson(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    const struct json *value = NULL;
    struct err_note note;
    if (input->kind != JSON_STRING)
        return expr_functions_needs(run, node, "a string", input);
    if (!expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK))
        return false;
    if (json_parse(run->arena, input->text, LIMITS_PAYLOAD_BYTES, &value, &note) != ERR_OK)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the string, of %zu bytes, is not JSON at %.*s",
                             input->text.size, STR_ARG(json_place(note.text)));
    return expr_run_push(run, value);
}

/* tostring keeps a string, tojson quotes it. */
bool expr_functions_text(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    struct str text;
    if (node->index == EXPR_FUNCTION_TOSTRING && input->kind == JSON_STRING)
        return expr_run_push(run, input);
    if (input->kind == JSON_STRING)
        return expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK) &&
               expr_functions_push_text(run, json_text(run->arena, input));
    return expr_value_text(run, node, input, &text) && expr_functions_push_text(run, text);
}

bool expr_functions_type(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    (void)node;
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    return expr_functions_push_text(run, str_from(names[input->kind]));
}

bool expr_functions_change_case(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    char first = node->index == EXPR_FUNCTION_ASCII_DOWNCASE ? 'A' : 'a';
    if (input->kind != JSON_STRING)
        return expr_functions_needs(run, node, "a string", input);
    char *text = expr_run_alloc(run, node, input->text.size);
    if (!text || !expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK))
        return false;
    for (size_t i = 0; i < input->text.size; i++) {
        char c = input->text.data[i];
        text[i] = c >= first && c < first + 26 ? (char)(c ^ 0x20) : c;
    }
    return expr_functions_push_text(run, (struct str){text, input->text.size});
}

bool expr_functions_ascii(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    int64_t code = 0;
    if (input->kind != JSON_NUMBER)
        return expr_functions_needs(run, node, "a number", input);
    if (!json_to_i64(input, &code) || code < 1 || code > 127)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "ascii needs a whole number from 1 to 127");
    char *text = expr_functions_room(run, node, 1);
    if (!text)
        return false;
    text[0] = (char)code;
    return expr_functions_push_text(run, (struct str){text, 1});
}

/* Unicode's white space, as jq trims it. */
static bool is_space(uint32_t c)
{
    return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

bool expr_functions_trim(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_STRING)
        return expr_functions_needs(run, node, "a string", input);
    struct str text = input->text;
    if (!expr_run_work(run, node, text.size / EXPR_RUN_STEP_WORK))
        return false;
    size_t begin = 0, end = 0; /* of what stays */
    bool begun = node->index == EXPR_FUNCTION_RTRIM;
    for (size_t at = 0; at < text.size;) {
        size_t from = at;
        bool space = is_space(regex_character(text, &at));
        if (!space && !begun)
            begin = from;
        begun = begun || !space;
        end = space ? end : at;
    }
    if (node->index == EXPR_FUNCTION_LTRIM)
        end = text.size;
    return expr_functions_push_text(run, str_slice(text, begun ? begin : end, end));
}
