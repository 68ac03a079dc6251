/* Functions on the members of an object: keys, entries, with_entries. Part of expr_functions.h; called by the
 * evaluator through functions.def. Never changes its input: results are new, under the budget. */
#include "engine/expr/expr_functions.h"

#include "engine/expr/expr_value.h"

static const struct json *entry_of(struct expr_run *run, const struct json *key, const struct json *value)
{
    struct json_member *members = arena_array(run->arena, 2, sizeof(*members));
    members[0] = (struct json_member){.key = STR("key"), .value = key};
    members[1] = (struct json_member){.key = STR("value"), .value = value};
    return json_new_object(run->arena, members, 2);
}

/* Pushes {key, value} for each member, {index, item} for each item. */
static bool push_entries(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_OBJECT && input->kind != JSON_ARRAY)
        return expr_functions_needs(run, node, "an object", input);
    for (uint32_t i = 0; i < input->count; i++) {
        bool object = input->kind == JSON_OBJECT;
        if (!expr_run_work(run, node, EXPR_RUN_STEP_WORK)) /* bounds the memory, too */
            return false;
        const struct json *key =
            object ? json_new_string(run->arena, input->members[i].key) : expr_value_i64(run, i);
        const struct json *value = object ? input->members[i].value : input->items[i];
        if (!expr_run_push(run, entry_of(run, key, value)))
            return false;
    }
    return true;
}

bool expr_functions_to_entries(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!push_entries(run, node, input))
        return false;
    const struct json *entries = expr_value_array(run, node, run->stack + mark, run->top - mark);
    run->top = mark;
    return expr_functions_push(run, entries);
}

/* The first of these members that is there and neither null nor false. */
static const struct json *member_of(const struct json *entry, const char *const *names, size_t count)
{
    const struct json *found = NULL;
    for (size_t i = 0; i < count && (found == NULL || !expr_truth(found)); i++)
        found = json_get(entry, str_from(names[i]));
    return found;
}

/* jq takes what other tools call key and value, too. */
static bool member_from(struct expr_run *run, const struct expr_node *node, const struct json *entry,
                        struct json_member *member)
{
    static const char *const keys[] = {"key", "k", "name", "Name", "K", "Key"};
    static const char *const values[] = {"value", "v", "Value", "V"};
    if (entry->kind != JSON_OBJECT)
        return expr_functions_needs(run, node, "objects with key and value", entry);
    if (!expr_run_work(run, node, entry->count)) /* looked through up to eleven times */
        return false;
    const struct json *key = member_of(entry, keys, sizeof(keys) / sizeof(keys[0]));
    const struct json *value = json_get(entry, STR("value"));
    if (!value)
        value = member_of(entry, values, sizeof(values) / sizeof(values[0]));
    if (!key || key->kind == JSON_NULL || key->kind == JSON_ARRAY || key->kind == JSON_OBJECT)
        return expr_functions_needs(run, node, "a string as key", key ? key : &json_null);
    *member = (struct json_member){.value = value ? value : &json_null};
    return expr_value_text(run, node, key, &member->key);
}

/* Takes the entries on the stack above `mark`. */
static bool push_object(struct expr_run *run, const struct expr_node *node, uint32_t mark)
{
    uint32_t count = run->top - mark;
    struct json_member *members = expr_run_alloc(run, node, count * sizeof(*members));
    if (!members || !expr_run_work(run, node, (uint64_t)count * EXPR_RUN_STEP_WORK))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!member_from(run, node, run->stack[mark + i], &members[i]))
            return false;
    run->top = mark;
    return expr_functions_push(run, expr_value_merge(run, node, members, count));
}

bool expr_functions_from_entries(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (input->kind != JSON_ARRAY && input->kind != JSON_OBJECT)
        return expr_functions_needs(run, node, "an array", input);
    for (uint32_t i = 0; i < input->count; i++)
        if (!expr_run_push(run, input->kind == JSON_ARRAY ? input->items[i] : input->members[i].value))
            return false;
    return push_object(run, node, mark);
}

bool expr_functions_with_entries(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    uint32_t mark = run->top;
    if (!push_entries(run, node, input))
        return false;
    uint32_t kept = run->top;
    for (uint32_t i = mark; i < kept; i++)
        if (!expr_run_node(run, node->children[0], run->stack[i]))
            return false;
    expr_run_slide(run, mark, kept);
    return push_object(run, node, mark);
}

/* Of each value the first that the argument gives; a value for which it gives nothing is left out. */
bool expr_functions_map_values(struct expr_run *run, const struct expr_node *node, const struct json *input)
{
    if (input->kind != JSON_ARRAY && input->kind != JSON_OBJECT)
        return expr_functions_needs(run, node, "an array or an object", input);
    bool object = input->kind == JSON_OBJECT;
    const struct json **items = expr_run_alloc(run, node, input->count * sizeof(*items));
    struct json_member *members = expr_run_alloc(run, node, input->count * sizeof(*members));
    uint32_t count = 0;
    if (!items || !members)
        return false;
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t mark = run->top;
        const struct json *value = object ? input->members[i].value : input->items[i];
        if (!expr_functions_take(run, node->children[0], value, 1))
            return false;
        if (run->top == mark)
            continue;
        items[count] = run->stack[mark];
        members[count] = (struct json_member){.value = items[count]};
        if (object)
            members[count].key = input->members[i].key;
        count++;
        run->top = mark;
    }
    return expr_functions_push(run, object ? json_new_object(run->arena, members, count)
                                           : json_new_array(run->arena, items, count));
}
