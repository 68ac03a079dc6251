/* Functions on the items of an array: sums, order, groups. Part of expr_functions.h; called by the evaluator
 * through functions.def. Never changes its input: results are new, under the budget. */
#include "engine/expr/expr_functions.h"

#include <string.h>

#include "engine/expr/expr_operate.h"
#include "engine/expr/expr_path.h"
#include "engine/expr/expr_value.h"

/* ---- by what the argument gives ---- */

/* Pointers to the items, for sorting; NULL with a fault. */
static const struct json **copy_items(struct expr_run *run, const struct expr_node *node,
                                      const struct json *input)
{
    const struct json **items = expr_run_alloc(run, node, input->count * sizeof(*items));
    for (uint32_t i = 0; items && i < input->count; i++)
        items[i] = input->items[i];
    return items;
}

/* What the argument gives for each item, all its values as one array, as jq compares them. */
static const struct json **argument_keys(struct expr_run *run, const struct expr_node *node,
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

/* What the items are compared by: what the argument gives, or the items themselves. */
static const struct json **keys_of(struct expr_run *run, const struct expr_node *node,
                                   const struct json *input)
{
    return node->count > 0 ? argument_keys(run, node, input) : copy_items(run, node, input);
}

/* The items in the order of their keys, and the keys with them: false with a fault. */
static bool sort_items(struct expr_run *run, const struct expr_node *node, const struct json *input,
                       const struct json ***keys, const struct json ***items)
{
    if (input->kind != JSON_ARRAY)
        return expr_functions_needs(run, node, "an array", input);
    *keys = keys_of(run, node, input);
    *items = !*keys || node->count == 0 ? *keys : copy_items(run, node, input);
    return *items && expr_value_sort(run, node, *keys, *items, input->count);
}

bool expr_functions_sort(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    const struct json **keys, **items;
    return sort_items(run, node, input, &keys, &items) &&
           expr_functions_push(run, json_new_array(run->arena, items, input->count));
}

bool expr_functions_unique(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    const struct json **keys, **items;
    uint32_t count = 0;
    if (!sort_items(run, node, input, &keys, &items))
        return false;
    for (uint32_t i = 0; i < input->count; i++) {
        int order = 1;
        if (count > 0 && !expr_value_compare(run, node, keys[count - 1], keys[i], &order))
            return false;
        if (order == 0)
            continue;
        keys[count] = keys[i];
        items[count++] = items[i];
    }
    return expr_functions_push(run, json_new_array(run->arena, items, count));
}

bool expr_functions_group_by(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    const struct json **keys, **items;
    if (!sort_items(run, node, input, &keys, &items))
        return false;
    uint32_t mark = run->top;
    uint32_t begin = 0;
    for (uint32_t i = 1; i <= input->count; i++) {
        int order = 1;
        if (i < input->count && !expr_value_compare(run, node, keys[begin], keys[i], &order))
            return false;
        if (order == 0)
            continue;
        if (!expr_functions_push(run, expr_value_array(run, node, items + begin, i - begin)))
            return false;
        begin = i;
    }
    const struct json *groups = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return expr_functions_push(run, groups);
}

/* jq: the first of the smallest, the last of the largest. */
bool expr_functions_extreme(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    bool least = node->index == EXPR_FUNCTION_MIN || node->index == EXPR_FUNCTION_MIN_BY;
    if (input->kind != JSON_ARRAY)
        return expr_functions_needs(run, node, "an array", input);
    const struct json **keys = keys_of(run, node, input);
    if (!keys)
        return false;
    uint32_t best = 0;
    for (uint32_t i = 1; i < input->count; i++) {
        int order = 0;
        if (!expr_value_compare(run, node, keys[i], keys[best], &order))
            return false;
        if (least ? order < 0 : order >= 0)
            best = i;
    }
    return expr_run_push(run, input->count > 0 ? input->items[best] : &json_null);
}

/* ---- all of them ---- */

bool expr_functions_add(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!expr_path_iterate(run, node, &json_null, &input))
        return false;
    /* The stack may grow while adding: the items are read from where they are now, which stays in the arena.
     */
    const struct json *sum = expr_operate_sum(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return expr_functions_push(run, sum);
}

bool expr_functions_map(struct expr_run *run, const struct expr_node *node, const struct json *input)
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
    return expr_functions_push(run, array);
}

bool expr_functions_reverse(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind == JSON_STRING) {
        size_t size = input->text.size;
        char *text = expr_functions_room(run, node, size);
        if (!text)
            return false;
        for (size_t begin = 0, end = 0; begin < size; begin = end) {
            do
                end++;
            while (end < size && (input->text.data[end] & 0xc0) == 0x80);
            memcpy(text + size - end, input->text.data + begin, end - begin);
        }
        return expr_functions_push_text(run, (struct str){text, size});
    }
    if (input->kind != JSON_ARRAY && input->kind != JSON_NULL)
        return expr_functions_needs(run, node, "an array or a string", input);
    const struct json **items = copy_items(run, node, input);
    if (!items || !expr_run_work(run, node, input->count))
        return false;
    for (uint32_t i = 0; i < input->count; i++)
        items[i] = input->items[input->count - 1 - i];
    return expr_functions_push(run, json_new_array(run->arena, items, input->count));
}

/* Pushes what is in the array, down to so many levels below it. Values are nested at most
 * LIMITS_JSON_BUILT_DEPTH deep. */
static bool push_flat(struct expr_run *run, const struct expr_node *node, const struct json *array,
                      int64_t levels)
{
    if (!expr_run_work(run, node, 1 + array->count))
        return false;
    for (uint32_t i = 0; i < array->count; i++) {
        const struct json *item = array->kind == JSON_ARRAY ? array->items[i] : array->members[i].value;
        bool deeper = item->kind == JSON_ARRAY && levels > 0;
        if (!(deeper ? push_flat(run, node, item, levels - 1) : expr_run_push(run, item)))
            return false;
    }
    return true;
}

static bool flatten(struct expr_run *run, const struct expr_node *node, const struct json *input,
                    int64_t levels)
{
    uint32_t mark = run->top;
    if (input->kind != JSON_ARRAY && input->kind != JSON_OBJECT)
        return expr_functions_needs(run, node, "an array", input);
    if (!push_flat(run, node, input, levels))
        return false;
    const struct json *flat = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return expr_functions_push(run, flat);
}

bool expr_functions_flatten(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    return flatten(run, node, input, INT64_MAX);
}

bool expr_functions_flatten_to(struct expr_run *run, const struct expr_node *node, const struct json *input,
                               const struct json *const *arguments)
{
    int64_t levels = 0;
    if (arguments[0]->kind != JSON_NUMBER)
        return expr_functions_needs(run, node, "a number of levels", arguments[0]);
    if (!json_to_i64(arguments[0], &levels) || levels < 0)
        return expr_run_fail(run, node, EXPR_FAULT_VALUE, "flatten needs a whole number of levels, from 0");
    return flatten(run, node, input, levels);
}
