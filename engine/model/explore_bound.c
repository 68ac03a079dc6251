/* What is known of a plan before it is explored: its budgets cut to two attempts, the codes that differ in
 * effect, which parts of $error anybody reads. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { ATTEMPTS = 2 };

static void cut(struct plan_retry *retry)
{
    if (retry->attempts_max > ATTEMPTS && retry->attempts_max < LIMITS_ATTEMPTS_MAX)
        retry->attempts_max = ATTEMPTS;
    retry->elapsed_max_us = 0;
    retry->jitter = PLAN_JITTER_NONE;
}

const struct plan *explore_bound(const struct plan *plan, struct arena *arena)
{
    struct plan *bound = arena_new(arena, struct plan);
    struct plan_node *nodes = arena_array(arena, plan->node_count, sizeof *nodes);
    *bound = *plan;
    bound->nodes = nodes;
    for (uint16_t i = 0; i < plan->node_count; i++) {
        nodes[i] = plan->nodes[i];
        if (nodes[i].step == NULL)
            continue;
        struct plan_step *step = arena_new(arena, struct plan_step);
        *step = *nodes[i].step;
        cut(&step->run.retry);
        cut(&step->undo.retry);
        cut(&step->verify.retry);
        nodes[i].step = step;
    }
    return bound;
}

static struct explore_codes codes_of(const struct plan_step *step, bool all, struct arena *arena)
{
    struct str *items = arena_array(arena, step->error_count + 1, sizeof *items);
    uint32_t count = 0;
    bool met[PLAN_ON_ERROR_CONTINUE + 1] = {false};
    const struct plan_error_rule *unnamed = plan_error_rule_for(step, STR(""));
    met[unnamed == NULL ? PLAN_ON_ERROR_FAIL : unnamed->then] = true;
    items[count++] = STR("");
    for (uint32_t i = 0; i < step->error_count; i++) {
        if (&step->errors[i] == unnamed)
            continue;
        if (met[step->errors[i].then] && !all)
            continue;
        met[step->errors[i].then] = true;
        items[count++] = step->errors[i].code;
    }
    return (struct explore_codes){items, count};
}

/* A child that was refused, or ended compensated, fails the step, if its rules say nothing else; one that was
 * terminated parks it. */
static struct explore_codes codes_of_child(const struct plan_step *step, bool all, struct arena *arena)
{
    struct explore_codes ruled = codes_of(step, all, arena);
    struct str *items = arena_array(arena, ruled.count + 1, sizeof *items);
    for (uint32_t i = 0; i < ruled.count; i++)
        items[i] = ruled.items[i];
    items[ruled.count] = core_code_text(CORE_CODE_CHILD_TERMINATED);
    return (struct explore_codes){items, ruled.count + 1};
}

/* True when it reads $error. */
static bool look_at(struct explore *explore, const struct expr *program)
{
    bool reads = false;
    uint32_t count = 0;
    struct expr_ref *refs = program ? expr_refs(program, &count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (refs[i].kind != EXPR_REF_ERROR)
            continue;
        reads = true;
        struct str path = refs[i].path;
        explore->code_matters |= !str_equal(path, STR(".message")) && !str_equal(path, STR(".step"));
        explore->message_matters |= !str_equal(path, STR(".code")) && !str_equal(path, STR(".step"));
        explore->step_matters |= !str_equal(path, STR(".code")) && !str_equal(path, STR(".message"));
    }
    return reads;
}

void explore_codes_make(struct explore *explore)
{
    const struct plan *plan = explore->plan;
    struct explore_codes *codes = arena_array(explore->arena, plan->node_count, sizeof *codes);
    explore->error_readers = arena_array(explore->arena, plan->node_count, sizeof *explore->error_readers);
    for (uint16_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].step == NULL)
            continue;
        (void)look_at(explore, plan->nodes[i].step->run.with); /* going forward there is no error yet */
        explore->error_readers[i] = look_at(explore, plan->nodes[i].step->undo.with);
    }
    for (uint16_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i].kind == PLAN_SAGA)
            codes[i] = codes_of_child(plan->nodes[i].step, explore->code_matters, explore->arena);
        else if (plan->nodes[i].step)
            codes[i] = codes_of(plan->nodes[i].step, explore->code_matters, explore->arena);
    explore->codes = codes;
}
