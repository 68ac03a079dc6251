/* A start request under a plan: its input against the schema, then key and search attributes from it. Called
 * by API, router and intake. Never stores or sends anything; all problems are told at once. */
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/definition.h"

static const struct json *get_input(const void *context, const struct expr_ref *ref, struct arena *arena)
{
    (void)arena;
    return ref->kind == EXPR_REF_INPUT ? context : NULL;
}

static void complain(struct definition_start *start, struct str message)
{
    struct schema_problems *problems = &start->problems;
    if (problems->count < SCHEMA_PROBLEMS_MAX)
        problems->items[problems->count++] = (struct schema_problem){.message = message};
}

/* NULL, with a problem, when it cannot be computed. */
static const struct json *compute(const struct expr *program, const struct json *input, const char *what,
                                  struct arena *arena, uint64_t *work, struct definition_start *start)
{
    struct expr_env env = {.context = input, .get = get_input, .work = work};
    struct expr_error error;
    const struct json *value;
    if (expr_eval(program, &env, arena, &value, &error) == EXPR_FAULT_NONE)
        return value;
    complain(start, arena_printf(arena, "%s cannot be computed: %s", what, error.message));
    return NULL;
}

/* Whatever it was computed or given as. */
static void check_key(struct arena *arena, struct definition_start *start)
{
    if (start->key.size > LIMITS_KEY_BYTES)
        complain(start, arena_printf(arena, "the key must have at most %d bytes", LIMITS_KEY_BYTES));
    else if (str_has_control(start->key))
        complain(start, STR("the key holds a control character, such as a line feed or a tab"));
}

/* A number is a key by its value, however it is written. */
static void compute_key(const struct plan *plan, const struct json *input, struct arena *arena,
                        uint64_t *work, struct definition_start *start)
{
    const struct json *value = compute(plan->key, input, "the key", arena, work, start);
    if (!value)
        return;
    if (value->kind == JSON_NUMBER)
        start->key = json_number_canonical(arena, value->text);
    else if (value->kind == JSON_STRING)
        start->key = value->text;
    else if (value->kind != JSON_NULL) {
        complain(start, arena_printf(arena, "the key must be a text or a number, not %s",
                                     value->kind == JSON_BOOL ? "true or false" : "a list or an object"));
        return;
    }
    if (start->key.size == 0)
        complain(start, value->kind == JSON_NUMBER
                            ? STR("the key is a number too large to be one")
                            : STR("the key is empty: the input lacks what it is made of"));
}

/* An attribute that is null is left out: a list can only be filtered by what is there. */
static void compute_search(const struct plan *plan, const struct json *input, struct arena *arena,
                           uint64_t *work, struct definition_start *start)
{
    struct json_member *members = arena_array(arena, plan->search_count, sizeof *members);
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->search_count; i++) {
        const struct plan_search *search = &plan->search[i];
        const char *what = arena_printf(arena, "the search attribute `%.*s`", STR_ARG(search->name)).data;
        const struct json *value = compute(search->value, input, what, arena, work, start);
        if (!value || value->kind == JSON_NULL)
            continue;
        if (value->kind == JSON_ARRAY || value->kind == JSON_OBJECT)
            complain(start, arena_printf(arena, "%s must be a text, a number, true or false", what));
        else if (value->text.size > LIMITS_KEY_BYTES)
            complain(start, arena_printf(arena, "%s must have at most %d bytes", what, LIMITS_KEY_BYTES));
        else
            members[count++] = (struct json_member){.key = search->name, .value = value};
    }
    start->search = json_new_object(arena, members, count);
}

static void find_key(const struct plan *plan, const struct json *input, struct str given_key,
                     struct arena *arena, uint64_t *work, struct definition_start *start)
{
    start->key = given_key;
    if (given_key.size == 0 && plan->key)
        compute_key(plan, input, arena, work, start);
    check_key(arena, start);
}

struct str definition_key(const struct plan *plan, const struct json *input, struct str given_key,
                          struct arena *arena)
{
    check(plan != NULL && arena != NULL);
    uint64_t work = (uint64_t)LIMITS_SWITCH_STEPS * EXPR_STEP_WORK;
    struct definition_start start = {.key = {0}};
    struct str place;
    if (!input)
        input = &json_null;
    if (json_deeper(arena, input, LIMITS_PAYLOAD_DEPTH, &place))
        return (struct str){0};
    find_key(plan, input, given_key, arena, &work, &start);
    return start.problems.count == 0 ? start.key : (struct str){0};
}

bool definition_start(const struct plan *plan, const struct json *input, struct str given_key,
                      struct arena *arena, struct definition_start *start)
{
    check(plan != NULL && arena != NULL);
    uint64_t work = (uint64_t)LIMITS_SWITCH_STEPS * EXPR_STEP_WORK;
    *start = (struct definition_start){.search = json_new_object(arena, NULL, 0)};
    if (!input)
        input = &json_null;
    struct schema_problem deep = {0};
    if (json_deeper(arena, input, LIMITS_PAYLOAD_DEPTH, &deep.pointer)) {
        deep.message = arena_printf(arena, "is nested deeper than %d levels", LIMITS_PAYLOAD_DEPTH);
        start->problems.items[start->problems.count++] = deep;
        return false;
    }
    if (plan->input_schema && !schema_check(plan->input_schema, input, arena, &start->problems))
        return false;
    find_key(plan, input, given_key, arena, &work, start);
    compute_search(plan, input, arena, &work, start);
    return start->problems.count == 0;
}
