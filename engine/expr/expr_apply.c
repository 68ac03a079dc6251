/* Functions whose arguments are values: each is computed for every combination of what the arguments give.
 * Part of expr_functions.h. */
#include "engine/expr/expr_functions.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/expr/expr_operate.h"
#include "engine/expr/expr_path.h"
#include "engine/expr/expr_value.h"

static struct str name_of(const struct expr_node *node)
{
    return expr_functions[node->index].name;
}

/* Both must be strings. */
static bool two_strings(struct expr_run *run, const struct expr_node *node, const struct json *input,
                        const struct json *argument)
{
    const struct json *wrong = input->kind != JSON_STRING ? input : argument;
    if (wrong->kind == JSON_STRING)
        return true;
    return expr_run_fail(run, node, EXPR_FAULT_TYPE, "%.*s needs strings, not %s", STR_ARG(name_of(node)),
                         expr_value_kind_name(wrong));
}

bool expr_functions_has(struct expr_run *run, const struct expr_node *node, const struct json *input,
                        const struct json *const *arguments)
{
    bool swapped = node->index == EXPR_FUNCTION_IN_OBJECT;
    const struct json *key = swapped ? input : arguments[0];
    input = swapped ? arguments[0] : input;
    if (input->kind == JSON_NULL)
        return expr_functions_push(run, json_new_bool(false));
    if (input->kind == JSON_OBJECT && key->kind == JSON_STRING)
        return expr_run_work(run, node, input->count / EXPR_PATH_MEMBERS_A_UNIT) &&
               expr_functions_push(run, json_new_bool(json_get(input, key->text) != NULL));
    if (input->kind == JSON_ARRAY && key->kind == JSON_NUMBER) {
        int64_t position = expr_path_position(key);
        return expr_functions_push(
            run, json_new_bool(position >= 0 && position < input->count && !str_starts(key->text, STR("-"))));
    }
    return expr_run_fail(run, node, EXPR_FAULT_TYPE, "%.*s cannot look for %s in %s", STR_ARG(name_of(node)),
                         expr_value_kind_name(key), expr_value_kind_name(input));
}

/* The text of one item in a join: jq takes null as empty and refuses arrays and objects. */
static bool item_text(struct expr_run *run, const struct expr_node *node, const struct json *item,
                      const struct json **text)
{
    if (item->kind == JSON_ARRAY || item->kind == JSON_OBJECT)
        return expr_run_fail(run, node, EXPR_FAULT_TYPE, "join needs strings, not %s",
                             expr_value_kind_name(item));
    struct str plain = {0};
    if (item->kind != JSON_NULL && !expr_value_text(run, node, item, &plain))
        return false;
    *text = item->kind == JSON_STRING ? item : json_new_string(run->arena, plain);
    return true;
}

bool expr_functions_join(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *arguments)
{
    const struct json *separator = arguments[0];
    uint32_t mark = run->top;
    static const struct json empty = {.kind = JSON_STRING, .text = {"", 0}};
    if (!expr_path_iterate(run, node, &json_null, &input))
        return false;
    uint32_t end = run->top;
    if (end - mark > 1 && separator->kind != JSON_STRING && separator->kind != JSON_NULL)
        return expr_run_fail(run, node, EXPR_FAULT_TYPE, "join needs a string, not %s",
                             expr_value_kind_name(separator));
    for (uint32_t i = mark; i < end; i++) {
        const struct json *text = NULL;
        if (!item_text(run, node, run->stack[i], &text))
            return false;
        if (i > mark && separator->kind == JSON_STRING && !expr_run_push(run, separator))
            return false;
        if (!expr_run_push(run, text))
            return false;
    }
    const struct json *joined = &empty;
    if (run->top > end)
        joined = expr_operate_sum(run, node, run->stack + end, run->top - end);
    run->top = mark;
    return expr_functions_push(run, joined);
}

bool expr_functions_ends(struct expr_run *run, const struct expr_node *node, const struct json *input,
                         const struct json *const *arguments)
{
    const struct json *part = arguments[0];
    if (!two_strings(run, node, input, part))
        return false;
    bool found = node->index == EXPR_FUNCTION_STARTSWITH ? str_starts(input->text, part->text)
                                                         : str_ends(input->text, part->text);
    return expr_functions_push(run, json_new_bool(found));
}

/* ---- contains ---- */

static bool holds(struct expr_run *run, const struct expr_node *node, const struct json *a,
                  const struct json *b, bool *result);

static bool has_part(struct str text, struct str part)
{
    if (part.size == 0 || text.size < part.size)
        return part.size == 0;
    return memmem(text.data, text.size, part.data, part.size) != NULL;
}

/* Every item of b is contained in some item of a. */
static bool array_holds(struct expr_run *run, const struct expr_node *node, const struct json *a,
                        const struct json *b, bool *result)
{
    *result = true;
    for (uint32_t i = 0; *result && i < b->count; i++) {
        bool found = false;
        for (uint32_t j = 0; !found && j < a->count; j++)
            if (!holds(run, node, a->items[j], b->items[i], &found))
                return false;
        *result = found;
    }
    return true;
}

static bool object_holds(struct expr_run *run, const struct expr_node *node, const struct json *a,
                         const struct json *b, bool *result)
{
    *result = true;
    if (!expr_run_work(run, node, (uint64_t)a->count * b->count / EXPR_RUN_STEP_WORK))
        return false;
    for (uint32_t i = 0; *result && i < b->count; i++) {
        const struct json *member = json_get(a, b->members[i].key);
        *result = member != NULL;
        if (member && !holds(run, node, member, b->members[i].value, result))
            return false;
    }
    return true;
}

static bool holds(struct expr_run *run, const struct expr_node *node, const struct json *a,
                  const struct json *b, bool *result)
{
    if (!expr_run_work(run, node, 1 + a->text.size / EXPR_RUN_STEP_WORK))
        return false;
    if (a->kind == JSON_STRING && b->kind == JSON_STRING) {
        *result = has_part(a->text, b->text);
        return true;
    }
    if (a->kind == JSON_ARRAY && b->kind == JSON_ARRAY)
        return array_holds(run, node, a, b, result);
    if (a->kind == JSON_OBJECT && b->kind == JSON_OBJECT)
        return object_holds(run, node, a, b, result);
    int order = 0;
    if (!expr_value_compare(run, node, a, b, &order))
        return false;
    *result = order == 0;
    return true;
}

bool expr_functions_contains(struct expr_run *run, const struct expr_node *node, const struct json *input,
                             const struct json *const *arguments)
{
    bool swapped = node->index == EXPR_FUNCTION_INSIDE;
    const struct json *part = swapped ? input : arguments[0];
    input = swapped ? arguments[0] : input;
    bool result = false;
    bool same = input->kind == part->kind && (input->kind != JSON_BOOL || input->boolean == part->boolean);
    if (!same)
        return expr_run_fail(run, node, EXPR_FAULT_TYPE, "%s cannot contain %s", expr_value_kind_name(input),
                             expr_value_kind_name(part));
    return holds(run, node, input, part, &result) && expr_functions_push(run, json_new_bool(result));
}

/* ---- places ---- */

/* Pushes each place where `part` stands in the text, in characters; `most` of them. */
static bool places_in_string(struct expr_run *run, const struct expr_node *node, struct str text,
                             struct str part, uint32_t most)
{
    int64_t characters = 0;
    size_t counted = 0;
    if (part.size == 0 || text.size == 0)
        return true;
    if (!expr_run_work(run, node, text.size / EXPR_RUN_STEP_WORK))
        return false;
    const char *end = text.data + text.size;
    for (const char *at = text.data; most > 0 && at < end; at++, most--) {
        at = memmem(at, (size_t)(end - at), part.data, part.size);
        if (!at)
            return true;
        size_t place = (size_t)(at - text.data);
        characters += (int64_t)expr_value_characters(str_slice(text, counted, place));
        counted = place;
        if (!expr_run_work(run, node, 1) || !expr_run_push(run, expr_value_i64(run, characters)))
            return false;
    }
    return true;
}

/* Pushes each place where `part`, the items of an array, stands in `array`; `most` of them. */
static bool places_in_array(struct expr_run *run, const struct expr_node *node, const struct json *array,
                            const struct json *const *part, uint32_t count, uint32_t most)
{
    for (uint32_t i = 0; most > 0 && count > 0 && i + count <= array->count; i++) {
        int order = 0;
        for (uint32_t j = 0; order == 0 && j < count; j++)
            if (!expr_value_compare(run, node, array->items[i + j], part[j], &order))
                return false;
        if (order != 0)
            continue;
        most--;
        if (!expr_run_push(run, expr_value_i64(run, i)))
            return false;
    }
    return true;
}

static bool push_places(struct expr_run *run, const struct expr_node *node, const struct json *input,
                        const struct json *part, uint32_t most)
{
    if (input->kind == JSON_STRING && part->kind == JSON_STRING)
        return places_in_string(run, node, input->text, part->text, most);
    if (input->kind == JSON_ARRAY && part->kind == JSON_ARRAY)
        return places_in_array(run, node, input, part->items, part->count, most);
    if (input->kind == JSON_ARRAY)
        return places_in_array(run, node, input, &part, 1, most);
    return expr_run_fail(run, node, EXPR_FAULT_TYPE, "%.*s cannot look for %s in %s", STR_ARG(name_of(node)),
                         expr_value_kind_name(part), expr_value_kind_name(input));
}

/* index, rindex */
bool expr_functions_index(struct expr_run *run, const struct expr_node *node, const struct json *input,
                          const struct json *const *arguments)
{
    uint32_t mark = run->top;
    bool first = node->index == EXPR_FUNCTION_INDEX;
    if (input->kind != JSON_NULL && !push_places(run, node, input, arguments[0], first ? 1 : UINT32_MAX))
        return false;
    const struct json *place = run->top > mark ? run->stack[run->top - 1] : &json_null;
    run->top = mark;
    return expr_run_push(run, place);
}

bool expr_functions_indices(struct expr_run *run, const struct expr_node *node, const struct json *input,
                            const struct json *const *arguments)
{
    uint32_t mark = run->top;
    if (input->kind == JSON_NULL)
        return expr_run_push(run, &json_null);
    if (!push_places(run, node, input, arguments[0], UINT32_MAX))
        return false;
    const struct json *places = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return expr_functions_push(run, places);
}

bool expr_functions_nth(struct expr_run *run, const struct expr_node *node, const struct json *input,
                        const struct json *const *arguments)
{
    if (input->kind == JSON_NULL)
        return expr_run_push(run, &json_null);
    if (input->kind != JSON_ARRAY)
        return expr_functions_needs(run, node, "an array", input);
    if (arguments[0]->kind != JSON_NUMBER)
        return expr_functions_needs(run, node, "a number", arguments[0]);
    return expr_run_push(run, expr_path_item(input, expr_path_position(arguments[0])));
}

/* ltrimstr, rtrimstr: what is no string, or does not begin or end so, stays as it is. */
bool expr_functions_trimstr(struct expr_run *run, const struct expr_node *node, const struct json *input,
                            const struct json *const *arguments)
{
    struct str text = input->text, part = arguments[0]->text;
    bool left = node->index == EXPR_FUNCTION_LTRIMSTR;
    if (input->kind != JSON_STRING || arguments[0]->kind != JSON_STRING ||
        !(left ? str_starts(text, part) : str_ends(text, part)))
        return expr_run_push(run, input);
    return expr_functions_push_text(run, left ? str_slice(text, part.size, text.size)
                                              : str_slice(text, 0, text.size - part.size));
}

bool expr_functions_split(struct expr_run *run, const struct expr_node *node, const struct json *input,
                          const struct json *const *arguments)
{
    const struct json *separator = arguments[0];
    return two_strings(run, node, input, separator) &&
           expr_functions_push(run, expr_operate_split(run, node, input->text, separator->text));
}
