#include "engine/expr/expr_functions.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/expr/expr_operate.h"
#include "engine/expr/expr_path.h"
#include "engine/expr/expr_value.h"

static bool push(struct expr_run *run, const struct json *value)
{
    return value && expr_run_push(run, value);
}

static bool push_text(struct expr_run *run, struct str text)
{
    return expr_run_push(run, json_new_string(run->arena, text));
}

static bool needs(struct expr_run *run, const struct expr_node *node, const char *what,
                  const struct json *value)
{
    return expr_run_fail(run, node, EXPR_FAULT_TYPE, "%.*s needs %s, not %s",
                         STR_ARG(expr_functions[node->index].name), what, expr_value_kind_name(value));
}

/* ---- of one value ---- */

static bool call_length(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    switch (input->kind) {
    case JSON_NULL:
        return push(run, expr_value_i64(run, 0));
    case JSON_BOOL:
        return needs(run, node, "something with a length", input);
    case JSON_NUMBER:
        if (!str_starts(input->text, STR("-")))
            return expr_run_push(run, input);
        return push(run, json_new_number(run->arena, str_slice(input->text, 1, input->text.size)));
    case JSON_STRING:
        if (!expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK))
            return false;
        return push(run, expr_value_i64(run, (int64_t)expr_value_characters(input->text)));
    case JSON_ARRAY:
    case JSON_OBJECT:
        return push(run, expr_value_i64(run, input->count));
    }
    check(false);
    return false;
}

static bool call_keys(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_ARRAY && input->kind != JSON_OBJECT)
        return needs(run, node, "an object or an array", input);
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
    return push(run, json_new_array(run->arena, keys, input->count));
}

static bool call_tonumber(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind == JSON_NUMBER)
        return expr_run_push(run, input);
    if (input->kind != JSON_STRING)
        return needs(run, node, "a number or a string", input);
    const struct json *number = NULL;
    if (json_parse(run->arena, input->text, LIMITS_PAYLOAD_BYTES, &number, NULL) == ERR_OK &&
        number->kind == JSON_NUMBER)
        return expr_run_push(run, number);
    return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the string, of %zu bytes, is not a number",
                         input->text.size);
}

static bool call_fromjson(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    const struct json *value = NULL;
    struct err_note note;
    if (input->kind != JSON_STRING)
        return needs(run, node, "a string", input);
    if (!expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK))
        return false;
    if (json_parse(run->arena, input->text, LIMITS_PAYLOAD_BYTES, &value, &note) != ERR_OK)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "the string, of %zu bytes, is not JSON at %.*s",
                             input->text.size, STR_ARG(json_place(note.text)));
    return expr_run_push(run, value);
}

/* tostring keeps a string, tojson quotes it. */
static bool call_text(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    struct str text;
    if (node->index == EXPR_FUNCTION_TOSTRING && input->kind == JSON_STRING)
        return expr_run_push(run, input);
    if (input->kind == JSON_STRING)
        return expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK) &&
               push_text(run, json_text(run->arena, input));
    return expr_value_text(run, node, input, &text) && push_text(run, text);
}

static bool call_type(struct expr_run *run, const struct json *input)
{
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    return push_text(run, str_from(names[input->kind]));
}

static bool call_change_case(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    char first = node->index == EXPR_FUNCTION_ASCII_DOWNCASE ? 'A' : 'a';
    if (input->kind != JSON_STRING)
        return needs(run, node, "a string", input);
    char *text = expr_run_alloc(run, node, input->text.size);
    if (!text || !expr_run_work(run, node, input->text.size / EXPR_RUN_STEP_WORK))
        return false;
    for (size_t i = 0; i < input->text.size; i++) {
        char c = input->text.data[i];
        text[i] = c >= first && c < first + 26 ? (char)(c ^ 0x20) : c;
    }
    return push_text(run, (struct str){text, input->text.size});
}

/* ---- of the items ---- */

static bool call_add(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_path_iterate(run, node, &json_null, &input))
        return false;
    /* The stack may grow while adding: the items are read from where they are now, which stays in the arena.
     */
    const struct json *sum = expr_operate_sum(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return push(run, sum);
}

/* jq: the first of the smallest, the last of the largest. */
static bool call_extreme(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_ARRAY)
        return needs(run, node, "an array", input);
    const struct json *best = input->count > 0 ? input->items[0] : &json_null;
    for (uint32_t i = 1; i < input->count; i++) {
        int order = 0;
        if (!expr_value_compare(run, node, input->items[i], best, &order))
            return false;
        if (node->index == EXPR_FUNCTION_MIN ? order < 0 : order >= 0)
            best = input->items[i];
    }
    return expr_run_push(run, best);
}

/* Pointers to the items, for sorting; NULL with a fault. */
static const struct json **copy_items(struct expr_run *run, const struct expr_node *node,
                                      const struct json *input)
{
    const struct json **items = expr_run_alloc(run, node, input->count * sizeof(*items));
    for (uint32_t i = 0; items && i < input->count; i++)
        items[i] = input->items[i];
    return items;
}

static bool call_sort(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_ARRAY)
        return needs(run, node, "an array", input);
    const struct json **items = copy_items(run, node, input);
    if (!items || !expr_value_sort(run, node, items, items, input->count))
        return false;
    return push(run, json_new_array(run->arena, items, input->count));
}

static bool call_unique(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_ARRAY)
        return needs(run, node, "an array", input);
    const struct json **items = copy_items(run, node, input);
    uint32_t count = 0;
    if (!items || !expr_value_sort(run, node, items, items, input->count))
        return false;
    for (uint32_t i = 0; i < input->count; i++) {
        int order = 1;
        if (count > 0 && !expr_value_compare(run, node, items[count - 1], items[i], &order))
            return false;
        if (order != 0)
            items[count++] = items[i];
    }
    return push(run, json_new_array(run->arena, items, count));
}

/* What the argument gives for each item, all its values as one array, as jq groups. */
static const struct json **group_keys(struct expr_run *run, const struct expr_node *node,
                                      const struct json *input)
{
    const struct json **keys = expr_run_alloc(run, node, input->count * sizeof(*keys));
    for (uint32_t i = 0; keys && i < input->count; i++) {
        uint32_t mark = run->top;
        if (!expr_run_node(run, node->children[0], input->items[i]))
            return NULL;
        keys[i] = expr_value_array(run, node, run->stack + mark, run->top - mark);
        run->top = mark;
        if (!keys[i])
            return NULL;
    }
    return keys;
}

static bool call_group_by(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_ARRAY)
        return needs(run, node, "an array", input);
    const struct json **keys = group_keys(run, node, input);
    const struct json **items = keys ? copy_items(run, node, input) : NULL;
    if (!items || !expr_value_sort(run, node, keys, items, input->count))
        return false;
    uint32_t mark = run->top;
    uint32_t begin = 0;
    for (uint32_t i = 1; i <= input->count; i++) {
        int order = 1;
        if (i < input->count && !expr_value_compare(run, node, keys[begin], keys[i], &order))
            return false;
        if (order == 0)
            continue;
        if (!push(run, expr_value_array(run, node, items + begin, i - begin)))
            return false;
        begin = i;
    }
    const struct json *groups = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return push(run, groups);
}

static bool call_map(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_path_iterate(run, node, &json_null, &input))
        return false;
    uint32_t kept = run->top;
    for (uint32_t i = mark; i < kept; i++)
        if (!expr_run_node(run, node->children[0], run->stack[i]))
            return false;
    const struct json *array = expr_value_array(run, node, run->stack + kept, run->top - kept);
    run->top = mark;
    return push(run, array);
}

static bool call_select(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    uint32_t kept = mark;
    for (uint32_t i = mark; i < run->top; i++)
        if (expr_truth(run->stack[i]))
            run->stack[kept++] = input;
    run->top = kept;
    return true;
}

/* Whether a value of stack[begin … end) is (any) or is not (all) true by `condition`; NULL: by itself. */
static bool find_truth(struct expr_run *run, const struct expr_node *condition, uint32_t begin, uint32_t end,
                       bool wanted, bool *found)
{
    for (uint32_t i = begin; !*found && i < end; i++) {
        uint32_t mark = run->top;
        if (!condition) {
            *found = expr_truth(run->stack[i]) == wanted;
            continue;
        }
        if (!expr_run_node(run, condition, run->stack[i]))
            return false;
        for (uint32_t j = mark; j < run->top; j++)
            *found = *found || expr_truth(run->stack[j]) == wanted;
        run->top = mark;
    }
    return true;
}

/* any and all in their three forms. */
static bool call_quantifier(struct expr_run *run, const struct expr_node *node, const struct json *input,
                            bool any)
{
    uint32_t mark = run->top;
    bool found = false;
    const struct expr_node *condition = node->count > 0 ? node->children[node->count - 1] : NULL;
    if (node->count == 2 ? !expr_run_node(run, node->children[0], input)
                         : !expr_path_iterate(run, node, &json_null, &input))
        return false;
    if (!find_truth(run, condition, mark, run->top, any, &found))
        return false;
    run->top = mark;
    return expr_run_push(run, json_new_bool(any ? found : !found));
}

/* first(…): what comes after the first value, faults included, is not asked for. */
static bool call_first_of(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    bool ok = expr_run_node(run, node->children[0], input);
    if (run->top == mark)
        return ok;
    run->top = mark + 1;
    return ok || expr_run_recover(run);
}

static bool call_last_of(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_run_node(run, node->children[0], input))
        return false;
    const struct json *last = run->top > mark ? run->stack[run->top - 1] : &json_null;
    run->top = mark;
    return expr_run_push(run, last);
}

static bool call_end(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind == JSON_NULL)
        return expr_run_push(run, &json_null);
    if (input->kind != JSON_ARRAY)
        return needs(run, node, "an array", input);
    return expr_run_push(run, expr_path_item(input, node->index == EXPR_FUNCTION_FIRST ? 0 : -1));
}

bool expr_functions_call(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    switch ((enum expr_function)node->index) {
    case EXPR_FUNCTION_LENGTH:
        return call_length(run, node, input);
    case EXPR_FUNCTION_NOT:
        return expr_run_push(run, json_new_bool(!expr_truth(input)));
    case EXPR_FUNCTION_KEYS:
        return call_keys(run, node, input);
    case EXPR_FUNCTION_MAP:
        return call_map(run, node, input);
    case EXPR_FUNCTION_SELECT:
        return call_select(run, node, input);
    case EXPR_FUNCTION_ANY:
    case EXPR_FUNCTION_ANY_OF:
    case EXPR_FUNCTION_ANY_IN:
        return call_quantifier(run, node, input, true);
    case EXPR_FUNCTION_ALL:
    case EXPR_FUNCTION_ALL_OF:
    case EXPR_FUNCTION_ALL_IN:
        return call_quantifier(run, node, input, false);
    case EXPR_FUNCTION_ADD:
        return call_add(run, node, input);
    case EXPR_FUNCTION_MIN:
    case EXPR_FUNCTION_MAX:
        return call_extreme(run, node, input);
    case EXPR_FUNCTION_UNIQUE:
        return call_unique(run, node, input);
    case EXPR_FUNCTION_SORT:
        return call_sort(run, node, input);
    case EXPR_FUNCTION_GROUP_BY:
        return call_group_by(run, node, input);
    case EXPR_FUNCTION_ASCII_DOWNCASE:
    case EXPR_FUNCTION_ASCII_UPCASE:
        return call_change_case(run, node, input);
    case EXPR_FUNCTION_TOSTRING:
    case EXPR_FUNCTION_TOJSON:
        return call_text(run, node, input);
    case EXPR_FUNCTION_TONUMBER:
        return call_tonumber(run, node, input);
    case EXPR_FUNCTION_FROMJSON:
        return call_fromjson(run, node, input);
    case EXPR_FUNCTION_TYPE:
        return call_type(run, input);
    case EXPR_FUNCTION_FIRST:
    case EXPR_FUNCTION_LAST:
        return call_end(run, node, input);
    case EXPR_FUNCTION_FIRST_OF:
        return call_first_of(run, node, input);
    case EXPR_FUNCTION_LAST_OF:
        return call_last_of(run, node, input);
    case EXPR_FUNCTION_HAS:
    case EXPR_FUNCTION_JOIN:
    case EXPR_FUNCTION_SPLIT:
    case EXPR_FUNCTION_TEST:
    case EXPR_FUNCTION_TEST_FLAGS:
    case EXPR_FUNCTION_STARTSWITH:
    case EXPR_FUNCTION_ENDSWITH:
    case EXPR_FUNCTION_CONTAINS:
    case EXPR_FUNCTION_INDEX:
        return expr_run_combine(run, node, input, true, expr_functions_apply);
    case EXPR_FUNCTIONS_COUNT:
        break;
    }
    check(false);
    return false;
}
