/* One block: its keys become what the plan says of it; its branches are nodes already. Part of load.h; called
 * by load_steps.c. Never decides what a block does (core). */
#include "engine/definition/load.h"

#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/definition/schema_format.h"

static struct load_scope at_do(uint16_t node)
{
    return (struct load_scope){LOAD_AT_DO, node};
}

/* Its keys, when it has the form of a mapping. */
static bool read_keys(struct load *load, uint16_t node, enum keys_table table, struct keys_values *values)
{
    const struct tree *own = load->trees[node];
    *values = (struct keys_values){0};
    if (!own || own->kind != TREE_MAPPING)
        return false;
    keys_read(own, table, load->diags, values);
    return true;
}

static void report_empty(struct load *load, const struct tree *list, const char *what)
{
    if (list && list->count == 0)
        problem_add(load->diags, list->key_place, PROBLEM_NO_STEPS, STR(""), "%s", what);
}

static void report_crowd(struct load *load, const struct tree *list, const char *what)
{
    if (list && list->count > LIMITS_CASES)
        problem_add(load->diags, list->key_place, PROBLEM_OUT_OF_BOUNDS, STR(""),
                    "%s at most %d, this one has %u", what, LIMITS_CASES, list->count);
}

/* ---- switch ---- */

static const struct expr *read_else(struct load *load, const struct plan_node *block, uint16_t child)
{
    struct keys_values values;
    const struct tree *own = load->trees[child];
    keys_read(own, KEYS_TABLE_ELSE, load->diags, &values);
    if (load->nodes[child].order + 1 < block->child_count)
        problem_add(load->diags, own->first->key_place, PROBLEM_ELSE_LAST, STR("put it at the end"),
                    "no case behind `else` is ever tried");
    return NULL;
}

static const struct expr *read_case(struct load *load, uint16_t block, uint16_t child)
{
    const struct tree *own = load->trees[child];
    struct keys_values values;
    if (own->kind != TREE_MAPPING && own->kind != TREE_BROKEN) {
        problem_add(load->diags, own->place, PROBLEM_WRONG_TYPE, STR("such as `- when: $input.gift`"),
                    "a case is a mapping, not %s", tree_kind_text(own->kind));
        return NULL;
    }
    if (tree_get(own, keys_text(KEYS_ELSE_ELSE)))
        return read_else(load, &load->nodes[block], child);
    keys_read(own, KEYS_TABLE_CASE, load->diags, &values);
    const struct tree *when = values.of[KEYS_CASE_WHEN];
    return when ? load_condition(load, when, at_do(block)) : NULL;
}

static void load_switch(struct load *load, uint16_t node)
{
    struct plan_node *block = &load->nodes[node];
    const struct tree *own = load->trees[node];
    struct plan_switch *choice = arena_new(load->arena, struct plan_switch);
    const struct expr **when = arena_array(load->arena, block->child_count, sizeof(struct expr *));
    struct keys_values values;
    block->choice = choice;
    choice->when = when;
    const struct tree *cases = own;
    if (read_keys(load, node, KEYS_TABLE_SWITCH, &values))
        cases = values.of[KEYS_SWITCH_CASES];
    if (cases && cases->count == 0)
        problem_add(load->diags, cases->key_place, PROBLEM_NO_STEPS, STR("such as `- when: $input.gift`"),
                    "a switch has at least one case");
    report_crowd(load, cases, "the cases of a switch are");
    for (uint16_t i = 0; i < block->child_count; i++)
        when[i] = read_case(load, node, block->children[i]);
}

/* ---- parallel, foreach ---- */

static bool read_on_failure(struct load *load, const struct tree *tree, enum keys_key key)
{
    enum { WAIT, CANCEL };
    int index = WAIT;
    return tree && load_word(load, tree, key, &index) && index == CANCEL;
}

static uint32_t read_count(struct load *load, const struct tree *tree, uint32_t otherwise, uint32_t most)
{
    int64_t number = otherwise;
    if (tree && load_integer(load, tree, 1, most, &number))
        return (uint32_t)number;
    return otherwise;
}

static void load_parallel(struct load *load, uint16_t node)
{
    struct plan_node *block = &load->nodes[node];
    struct plan_fan *fan = arena_new(load->arena, struct plan_fan);
    struct keys_values values;
    block->fan = fan;
    if (!read_keys(load, node, KEYS_TABLE_PARALLEL, &values))
        return;
    const struct tree *branches = values.of[KEYS_PARALLEL_BRANCHES];
    report_empty(load, branches, "a parallel has at least one branch");
    report_crowd(load, branches, "the branches of a parallel are");
    for (const struct tree *entry = branches ? branches->first : NULL; entry; entry = entry->next) {
        (void)load_name(load, entry->key, entry->key_place, '_', "name of a branch");
        if (entry->kind == TREE_SEQUENCE)
            report_empty(load, entry, "a branch has at least one step");
        else if (entry->kind != TREE_BROKEN)
            problem_add(load->diags, entry->kind == TREE_NULL ? entry->key_place : entry->place,
                        PROBLEM_WRONG_TYPE, STR(""), "a branch is a list of steps, not %s",
                        tree_kind_text(entry->kind));
    }
    fan->concurrency_max =
        read_count(load, values.of[KEYS_PARALLEL_MAX_CONCURRENCY], block->child_count, LIMITS_CASES);
    fan->cancels = read_on_failure(load, values.of[KEYS_PARALLEL_ON_FAILURE], KEYS_PARALLEL_ON_FAILURE);
}

static void read_in(struct load *load, uint16_t node, const struct tree *tree, struct plan_fan *fan)
{
    const struct json *list;
    fan->in = load_condition(load, tree, at_do(node));
    if (!expr_is_constant(fan->in, &list) || list->kind == JSON_NULL) /* null: reported */
        return;
    if (list->kind != JSON_ARRAY)
        problem_add(load->diags, tree->place, PROBLEM_WRONG_TYPE, STR("such as $input.lines"),
                    "`in` is a list, and this is none");
}

/* A name that is no variable yet, so that each has one meaning wherever it is read. */
static void read_as(struct load *load, uint16_t node, const struct tree *tree, struct plan_fan *fan)
{
    static const char *const own[] = {"input", "steps", "saga", "error", "index", "event"};
    if (!load_name(load, tree->text, tree->place, '_', "name of an item"))
        return;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (str_equal(tree->text, str_from(own[i])))
            problem_add(load->diags, tree->place, PROBLEM_TAKEN_NAME, STR("choose another name"),
                        "$%s means something of its own", own[i]);
    }
    for (uint16_t loop = load->nodes[node].loop; loop; loop = load->nodes[loop].loop) {
        if (str_equal(load->nodes[loop].fan->as, tree->text))
            problem_add(load->diags, tree->place, PROBLEM_TAKEN_NAME, STR("choose another name"),
                        "$%.*s is the item of the foreach \"%.*s\" around this one", STR_ARG(tree->text),
                        STR_ARG(load->nodes[loop].id));
    }
    fan->as = tree->text;
}

static void load_foreach(struct load *load, uint16_t node)
{
    struct plan_node *block = &load->nodes[node];
    struct plan_fan *fan = arena_new(load->arena, struct plan_fan);
    struct keys_values values;
    *fan = (struct plan_fan){.in = expr_constant(load->arena, &json_null), .concurrency_max = 1};
    block->fan = fan;
    if (!read_keys(load, node, KEYS_TABLE_FOREACH, &values))
        return;
    const struct tree *const *of = values.of;
    report_empty(load, of[KEYS_FOREACH_STEPS], "a foreach has at least one step");
    fan->items_max = read_count(load, of[KEYS_FOREACH_MAX_ITEMS], 1, LIMITS_ITEMS);
    fan->concurrency_max = read_count(load, of[KEYS_FOREACH_MAX_CONCURRENCY], 1, LIMITS_ITEMS);
    fan->cancels = read_on_failure(load, of[KEYS_FOREACH_ON_FAILURE], KEYS_FOREACH_ON_FAILURE);
    if (of[KEYS_FOREACH_IN])
        read_in(load, node, of[KEYS_FOREACH_IN], fan);
    if (of[KEYS_FOREACH_AS])
        read_as(load, node, of[KEYS_FOREACH_AS], fan);
}

/* ---- await, wait ---- */

/* Words with points between them, as the subject saga.signal.<event> can hold them. */
static bool is_event(struct str text)
{
    if (text.size > LIMITS_EVENT_BYTES)
        return false;
    for (size_t begin = 0; begin <= text.size;) {
        struct str rest = str_slice(text, begin, text.size);
        struct str word = str_slice(rest, 0, str_find(rest, '.'));
        if (!load_is_command_token(word))
            return false;
        begin += word.size + 1;
    }
    return true;
}

/* An event is looked at before anybody knows which await will take it. */
static void check_one_schema(struct load *load, uint16_t node)
{
    const struct plan_node *first = plan_find_await(load->plan, load->nodes[node].await->event);
    const struct tree *own = tree_get(load->trees[node], keys_text(KEYS_AWAIT_SCHEMA));
    const struct tree *other =
        first ? tree_get(load->trees[first->index], keys_text(KEYS_AWAIT_SCHEMA)) : NULL;
    if (!first || first->index == node || (!own && !other))
        return;
    bool same = own && other && own->depth <= LIMITS_JSON_DEPTH && other->depth <= LIMITS_JSON_DEPTH &&
                json_equal(tree_json(load->diags->arena, own), tree_json(load->diags->arena, other));
    if (!same)
        problem_add(load->diags, own ? own->place : load->nodes[node].place, PROBLEM_EVENT_SCHEMA,
                    STR("write the same `schema` at both, best as the path of one file"),
                    "the await \"%.*s\" (line %u) has another schema for the same event", STR_ARG(first->id),
                    first->place.line);
}

static void load_await(struct load *load, uint16_t node)
{
    struct plan_await *await = arena_new(load->arena, struct plan_await);
    struct keys_values values;
    int on_timeout = PLAN_AWAIT_FAIL;
    load->nodes[node].await = await;
    (void)read_keys(load, node, KEYS_TABLE_AWAIT, &values);
    const struct tree *const *of = values.of;
    const struct tree *event = of[KEYS_AWAIT_EVENT];
    if (event && is_event(event->text))
        await->event = event->text;
    else if (event)
        problem_add(load->diags, event->place, PROBLEM_BAD_NAME,
                    STR("words of lower-case letters, digits, - and _, with points between them, as in "
                        "delivery.signed; at most 200 bytes"),
                    "\"%.*s\" cannot be the name of an event", STR_ARG(event->text));
    if (of[KEYS_AWAIT_TIMEOUT])
        (void)load_duration(load, of[KEYS_AWAIT_TIMEOUT], &await->timeout_us);
    if (of[KEYS_AWAIT_ON_TIMEOUT])
        (void)load_word(load, of[KEYS_AWAIT_ON_TIMEOUT], KEYS_AWAIT_ON_TIMEOUT, &on_timeout);
    await->on_timeout = (enum plan_await_timeout)on_timeout;
    if (of[KEYS_AWAIT_SCHEMA])
        await->schema = load_schema(load, of[KEYS_AWAIT_SCHEMA]);
    if (await->event.size)
        check_one_schema(load, node);
}

static bool is_time(struct str text)
{
    return schema_format_matches(SCHEMA_FORMAT_DATE_TIME, text);
}

static void read_until(struct load *load, uint16_t node, const struct tree *tree, struct plan_wait *wait)
{
    const struct json *time;
    if (is_time(tree->text)) {
        problem_add(load->diags, tree->place, PROBLEM_WRONG_TYPE,
                    arena_printf(load->diags->arena, "as a text of the expression language: '\"%.*s\"'",
                                 STR_ARG(tree->text)),
                    "`until` takes an expression, not a bare time");
        return;
    }
    wait->until = load_condition(load, tree, at_do(node));
    if (!expr_is_constant(wait->until, &time) || time->kind == JSON_NULL) /* null: reported */
        return;
    if (time->kind != JSON_STRING || !is_time(time->text))
        problem_add(load->diags, tree->place, PROBLEM_WRONG_TYPE, STR("such as '\"2026-03-01T09:30:00Z\"'"),
                    "`until` is a time as RFC 3339 has it, and this is none");
}

static void load_wait(struct load *load, uint16_t node)
{
    struct plan_wait *wait = arena_new(load->arena, struct plan_wait);
    struct keys_values values;
    load->nodes[node].wait = wait;
    if (!read_keys(load, node, KEYS_TABLE_WAIT, &values))
        return;
    const struct tree *own = load->trees[node];
    bool has_for = tree_get(own, keys_text(KEYS_WAIT_FOR)) != NULL;
    bool has_until = tree_get(own, keys_text(KEYS_WAIT_UNTIL)) != NULL;
    if (has_for == has_until)
        problem_add(load->diags, load->nodes[node].place, PROBLEM_ONE_OF, STR(""),
                    "a wait has either `for` or `until`%s", has_for ? ", not both" : "");
    if (values.of[KEYS_WAIT_FOR])
        (void)load_duration(load, values.of[KEYS_WAIT_FOR], &wait->for_us);
    if (values.of[KEYS_WAIT_UNTIL])
        read_until(load, node, values.of[KEYS_WAIT_UNTIL], wait);
}

/* ---- saga ---- */

/* A message to the engine itself may be lost like any other. It is sent again until it is answered: the child
 * decides how long it takes, not its parent. */
static struct plan_action poke(struct str name, struct arena *arena)
{
    return (struct plan_action){
        .participant = STR(PLAN_ENGINE),
        .action = name,
        .command = arena_printf(arena, PLAN_ENGINE ".%.*s", STR_ARG(name)),
        .timeout_us = 30 * DURATION_SECOND_US,
        .retry = {.attempts_max = LIMITS_ATTEMPTS_MAX,
                  .factor_milli = 2000,
                  .initial_us = 30 * DURATION_SECOND_US,
                  .interval_max_us = 600 * DURATION_SECOND_US,
                  .jitter = PLAN_JITTER_FULL},
    };
}

static void load_saga(struct load *load, uint16_t node)
{
    struct plan_saga *saga = arena_new(load->arena, struct plan_saga);
    struct plan_step *step = arena_new(load->arena, struct plan_step);
    struct keys_values values;
    int64_t version = 0;
    load->nodes[node].saga = saga;
    load->nodes[node].step = step;
    (void)read_keys(load, node, KEYS_TABLE_SAGA, &values);
    const struct tree *const *of = values.of;
    const struct tree *name = of[KEYS_SAGA_NAME];
    if (name && load_name(load, name->text, name->place, '-', "name of a saga"))
        saga->name = name->text;
    if (saga->name.size && str_equal(saga->name, load->plan->name))
        problem_add(load->diags, name->place, PROBLEM_OWN_CHILD,
                    STR("make sure that it ends: by a `switch` around it, or a list that gets shorter"),
                    "this saga runs itself as its child");
    if (of[KEYS_SAGA_VERSION] && load_integer(load, of[KEYS_SAGA_VERSION], 1, INT32_MAX, &version))
        saga->version = (int32_t)version;
    step->run = poke(saga->name, load->arena);
    if (of[KEYS_SAGA_WITH])
        step->run.with = load_program(load, of[KEYS_SAGA_WITH], at_do(node));
    if (of[KEYS_SAGA_ERRORS])
        load_errors(load, of[KEYS_SAGA_ERRORS], true, step);
    step->has_undo = !load->nodes[node].after_pivot;
    if (step->has_undo)
        step->undo = poke(saga->name, load->arena);
}

/* ---- scope, fail ---- */

static void load_scope_block(struct load *load, uint16_t node)
{
    struct keys_values values;
    int index;
    (void)read_keys(load, node, KEYS_TABLE_SCOPE, &values);
    report_empty(load, values.of[KEYS_SCOPE_STEPS], "a scope has at least one step");
    if (values.of[KEYS_SCOPE_ON_FAILURE])
        (void)load_word(load, values.of[KEYS_SCOPE_ON_FAILURE], KEYS_SCOPE_ON_FAILURE, &index);
}

static void load_fail(struct load *load, uint16_t node)
{
    struct plan_fail *fail = arena_new(load->arena, struct plan_fail);
    struct keys_values values;
    load->nodes[node].fail = fail;
    (void)read_keys(load, node, KEYS_TABLE_FAIL, &values);
    const struct tree *const *of = values.of;
    const struct tree *code = of[KEYS_FAIL_CODE];
    if (code && load_is_error_code(code->text))
        fail->code = code->text;
    else if (code)
        load_refuse_error_code(load, code->text, code->place);
    if (of[KEYS_FAIL_MESSAGE])
        fail->message = load_program(load, of[KEYS_FAIL_MESSAGE], at_do(node));
    if (of[KEYS_FAIL_WHEN])
        fail->when = load_condition(load, of[KEYS_FAIL_WHEN], at_do(node));
}

void load_block(struct load *load, uint16_t node)
{
    switch (load->nodes[node].kind) {
    case PLAN_SWITCH:
        load_switch(load, node);
        return;
    case PLAN_PARALLEL:
        load_parallel(load, node);
        return;
    case PLAN_FOREACH:
        load_foreach(load, node);
        return;
    case PLAN_AWAIT:
        load_await(load, node);
        return;
    case PLAN_WAIT:
        load_wait(load, node);
        return;
    case PLAN_SAGA:
        load_saga(load, node);
        return;
    case PLAN_SCOPE:
        load_scope_block(load, node);
        return;
    case PLAN_FAIL:
        load_fail(load, node);
        return;
    case PLAN_SEQUENCE:
    case PLAN_STEP:
        break;
    }
    check_never("not a block");
}
