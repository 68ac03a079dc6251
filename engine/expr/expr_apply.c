/* Functions whose arguments are values: each is computed for every combination of what the arguments give.
 * Part of expr_functions.h. */
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

static bool apply_has(struct expr_run *run, const struct expr_node *node, const struct json *input,
                      const struct json *key)
{
    if (input->kind == JSON_NULL)
        return push(run, json_new_bool(false));
    if (input->kind == JSON_OBJECT && key->kind == JSON_STRING)
        return expr_run_work(run, node, input->count / EXPR_PATH_MEMBERS_A_UNIT) &&
               push(run, json_new_bool(json_get(input, key->text) != NULL));
    if (input->kind == JSON_ARRAY && key->kind == JSON_NUMBER) {
        int64_t position = expr_path_position(key);
        return push(
            run, json_new_bool(position >= 0 && position < input->count && !str_starts(key->text, STR("-"))));
    }
    return expr_run_fail(run, node, EXPR_FAULT_TYPE, "has cannot look for %s in %s",
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

static bool apply_join(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *separator)
{
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
    return push(run, joined);
}

static bool apply_ends(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *part)
{
    if (!two_strings(run, node, input, part))
        return false;
    bool found = node->index == EXPR_FUNCTION_STARTSWITH ? str_starts(input->text, part->text)
                                                         : str_ends(input->text, part->text);
    return push(run, json_new_bool(found));
}

/* ---- test ---- */

bool expr_functions_flags(const struct json *flags, bool *ignore_case)
{
    bool text = flags->kind == JSON_STRING;
    *ignore_case = text && str_equal(flags->text, STR("i"));
    return *ignore_case || flags->kind == JSON_NULL || (text && flags->text.size == 0);
}

enum { REPEAT_UNITS = LIMITS_REGEX_STATES * 4 }; /* emitting the largest machine, about 100 µs */

static const struct regex *pattern_of(struct expr_run *run, const struct expr_node *node,
                                      const struct json *const *arguments)
{
    const struct regex *regex = NULL;
    struct err_note note;
    bool ignore_case = false;
    if (node->regex)
        return node->regex;
    if (node->count == 2 && !expr_functions_flags(arguments[1], &ignore_case)) {
        expr_run_fail(run, node, EXPR_FAULT_VALUE, "test knows no flags but \"i\"");
        return NULL;
    }
    bool repeats =
        str_find(arguments[0]->text, '{') < arguments[0]->text.size; /* may be far larger compiled */
    if (!expr_run_work(run, node,
                       arguments[0]->text.size * EXPR_RUN_STEP_WORK + (repeats ? REPEAT_UNITS : 0)))
        return NULL;
    if (regex_compile(run->arena, arguments[0]->text, ignore_case, &regex, &note) == ERR_OK)
        return regex;
    expr_run_fail(run, node, EXPR_FAULT_VALUE, "the regular expression is wrong: %s", note.text);
    return NULL;
}

static bool apply_test(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json *const *arguments)
{
    enum { STATES_PER_UNIT = 4 }; /* a state of the machine is that much cheaper than comparing two values */
    bool matches = false;
    if (!two_strings(run, node, input, arguments[0]))
        return false;
    const struct regex *regex = pattern_of(run, node, arguments);
    if (!regex)
        return false;
    uint64_t begin = run->work_left * STATES_PER_UNIT;
    uint64_t work = begin;
    if (regex_test(regex, input->text, &work, &matches) != ERR_OK)
        work = 0; /* used up: charging all of it and a unit more is the fault */
    uint64_t units = (begin - work) / STATES_PER_UNIT;
    return expr_run_work(run, node, work == 0 ? run->work_left + 1 : units) &&
           push(run, json_new_bool(matches));
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

static bool apply_contains(struct expr_run *run, const struct expr_node *node, const struct json *input,
                           const struct json *part)
{
    bool result = false;
    bool same = input->kind == part->kind && (input->kind != JSON_BOOL || input->boolean == part->boolean);
    if (!same)
        return expr_run_fail(run, node, EXPR_FAULT_TYPE, "%s cannot contain %s", expr_value_kind_name(input),
                             expr_value_kind_name(part));
    return holds(run, node, input, part, &result) && push(run, json_new_bool(result));
}

/* ---- index ---- */

static bool index_in_string(struct expr_run *run, const struct expr_node *node, struct str text,
                            struct str part)
{
    if (part.size == 0)
        return expr_run_push(run, &json_null);
    if (!expr_run_work(run, node, text.size / EXPR_RUN_STEP_WORK))
        return false;
    const char *found = text.size > 0 ? memmem(text.data, text.size, part.data, part.size) : NULL;
    if (!found)
        return expr_run_push(run, &json_null);
    size_t before = expr_value_characters(str_slice(text, 0, (size_t)(found - text.data)));
    return push(run, expr_value_i64(run, (int64_t)before));
}

/* Where `part`, the items of an array, first stands in `array`. */
static bool index_in_array(struct expr_run *run, const struct expr_node *node, const struct json *array,
                           const struct json *const *part, uint32_t count)
{
    for (uint32_t i = 0; count > 0 && i + count <= array->count; i++) {
        int order = 0;
        for (uint32_t j = 0; order == 0 && j < count; j++)
            if (!expr_value_compare(run, node, array->items[i + j], part[j], &order))
                return false;
        if (order == 0)
            return push(run, expr_value_i64(run, i));
    }
    return expr_run_push(run, &json_null);
}

static bool apply_index(struct expr_run *run, const struct expr_node *node, const struct json *input,
                        const struct json *part)
{
    if (input->kind == JSON_NULL)
        return expr_run_push(run, &json_null);
    if (input->kind == JSON_STRING && part->kind == JSON_STRING)
        return index_in_string(run, node, input->text, part->text);
    if (input->kind == JSON_ARRAY && part->kind == JSON_ARRAY)
        return index_in_array(run, node, input, part->items, part->count);
    if (input->kind == JSON_ARRAY)
        return index_in_array(run, node, input, &part, 1);
    return expr_run_fail(run, node, EXPR_FAULT_TYPE, "index cannot look for %s in %s",
                         expr_value_kind_name(part), expr_value_kind_name(input));
}

static bool apply_split(struct expr_run *run, const struct expr_node *node, const struct json *input,
                        const struct json *separator)
{
    return two_strings(run, node, input, separator) &&
           push(run, expr_operate_split(run, node, input->text, separator->text));
}

bool expr_functions_apply(struct expr_run *run, const struct expr_node *node, const struct json *input,
                          const struct json *const *arguments)
{
    switch (node->index) {
    case EXPR_FUNCTION_HAS:
        return apply_has(run, node, input, arguments[0]);
    case EXPR_FUNCTION_JOIN:
        return apply_join(run, node, input, arguments[0]);
    case EXPR_FUNCTION_SPLIT:
        return apply_split(run, node, input, arguments[0]);
    case EXPR_FUNCTION_TEST:
    case EXPR_FUNCTION_TEST_FLAGS:
        return apply_test(run, node, input, arguments);
    case EXPR_FUNCTION_STARTSWITH:
    case EXPR_FUNCTION_ENDSWITH:
        return apply_ends(run, node, input, arguments[0]);
    case EXPR_FUNCTION_CONTAINS:
        return apply_contains(run, node, input, arguments[0]);
    case EXPR_FUNCTION_INDEX:
        return apply_index(run, node, input, arguments[0]);
    }
    check(false);
    return false;
}
