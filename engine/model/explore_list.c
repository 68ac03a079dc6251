/* What can happen to a saga next: everything, or what is enough. Part of the explorer; called by explore.c at
 * each state. See explore.h for why it is enough; never leaves out what could be seen. */
#include "engine/model/explore_parts.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

static void add(struct explore_level *level, struct explore_action action)
{
    level->actions[level->action_count++] = action;
}

static void add_reply(struct explore_level *level, uint16_t step, enum core_kind command,
                      enum core_reply_status status, bool older, struct str code)
{
    add(level, (struct explore_action){.kind = EXPLORE_REPLY,
                                       .step = step,
                                       .command = command,
                                       .status = status,
                                       .older = older,
                                       .code = code});
}

/* Of a child saga. */
static void add_no_output(struct explore_level *level, uint16_t step)
{
    add_reply(level, step, CORE_DO, CORE_REPLY_NO_OUTPUT, false, core_code_text(CORE_CODE_OUTPUT_FAILED));
}

/* What a plain service does beside: it fails, having acted or not, and it is not there. Of the latter `retry`
 * is a twin, but for who is asked about it. */
static void list_service(struct explore_level *level, uint16_t step, enum core_kind kind)
{
    const struct plan_step *plan = explore_step(&level->saga, step);
    if (core_action(plan, kind)->via != PLAN_VIA_REQUEST)
        return;
    add_reply(level, step, kind, CORE_REPLY_UNCLEAR, false, STR("500"));
    if (kind == CORE_DO && plan->has_verify)
        add_reply(level, step, kind, CORE_REPLY_UNSENT, false, core_code_text(CORE_CODE_NO_RESPONDERS));
}

/* Answers to one kind of command. What the participant would not say is refused by explore_apply. A child
 * saga is answered for by the engine, which only knows ok, rejected and that there is no output. */
static void list_replies(const struct explore *explore, struct explore_level *level, uint16_t step,
                         enum core_kind kind)
{
    const struct core_step *it = &level->saga.steps[step];
    const struct explore_codes *codes = &explore->codes[it->node];
    bool all = kind == CORE_DO && !explore_is_halted(level, step);
    bool child = level->saga.plan->nodes[it->node].kind == PLAN_SAGA;
    add_reply(level, step, kind, CORE_REPLY_OK, false, STR(""));
    for (uint32_t i = 0; i < (all ? codes->count : 1); i++)
        add_reply(level, step, kind, CORE_REPLY_REJECTED, false, all ? codes->items[i] : STR(""));
    if (child && all)
        add_no_output(level, step);
    if (child || (kind == CORE_UNDO && level->world.facts[step].late))
        return;
    add_reply(level, step, kind, CORE_REPLY_RETRY, false, STR(""));
    add_reply(level, step, kind, CORE_REPLY_PENDING, false, STR(""));
    list_service(level, step, kind);
    if (it->attempts[kind] < 2)
        return;
    add_reply(level, step, kind, CORE_REPLY_OK, true, STR(""));
    add_reply(level, step, kind, CORE_REPLY_REJECTED, true, STR(""));
}

/* Nothing moves by itself. */
static bool is_at_rest(const struct explore_level *level)
{
    for (uint16_t i = 0; i < level->saga.step_count; i++)
        if (level->saga.steps[i].due_us > 0)
            return false;
    return true;
}

static void list_timer(struct explore_level *level, uint16_t step)
{
    add(level, (struct explore_action){.kind = EXPLORE_TIMER, .step = step});
}

static bool is_limited(const struct plan_action *action)
{
    return action->retry.attempts_max < LIMITS_ATTEMPTS_MAX;
}

/* By a deadline that has passed: what waits is not sent. */
static bool is_held(const struct core_saga *saga)
{
    return saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP;
}

/* Whether there is somebody who can tell in which way the step fails, or whom it can stop only so. */
static bool fails_in_many_ways(const struct explore *explore, const struct explore_level *level,
                               uint16_t step)
{
    const struct plan_step *plan = explore_step(&level->saga, step);
    bool child = level->saga.plan->nodes[level->saga.steps[step].node].kind == PLAN_SAGA;
    return !child && is_limited(&plan->run) && !is_held(&level->saga) &&
           (plan->on_timeout == PLAN_ON_TIMEOUT_PARK || explore_is_error_read_later(explore, level));
}

/* Of the present budget. */
static uint32_t attempts_used(const struct core_step *step)
{
    return step->attempts[CORE_DO] - step->budget_base[CORE_DO];
}

/* Its attempts are used up by time-outs, or by replies that ask for another. */
static void list_simple_again(struct explore_level *level, uint16_t step)
{
    const struct core_step *it = &level->saga.steps[step];
    bool first = attempts_used(it) == 1;
    if (first || !it->unknown)
        add_reply(level, step, CORE_DO, CORE_REPLY_RETRY, false, STR(""));
    if (first || it->unknown)
        list_timer(level, step);
}

static void list_simple_do(const struct explore *explore, struct explore_level *level, uint16_t step)
{
    const struct explore_codes *codes = &explore->codes[level->saga.steps[step].node];
    add_reply(level, step, CORE_DO, CORE_REPLY_OK, false, STR(""));
    bool halted = explore_is_halted(level, step);
    if (halted && explore_step(&level->saga, step)->has_verify && explore_is_narrow(level, step))
        list_timer(level, step);
    if (halted || explore_has_failed_beside(level, step))
        return;
    for (uint32_t i = 0; i < codes->count; i++)
        add_reply(level, step, CORE_DO, CORE_REPLY_REJECTED, false, codes->items[i]);
    if (level->saga.plan->nodes[level->saga.steps[step].node].kind == PLAN_SAGA)
        add_no_output(level, step);
    if (fails_in_many_ways(explore, level, step))
        list_simple_again(level, step);
}

/* What a part beside the one in focus does: it goes on, fails, gets stuck and is helped, or is undone. */
static void list_simple(const struct explore *explore, struct explore_level *level, uint16_t step)
{
    enum core_step_state state = level->saga.steps[step].state;
    if (state == CORE_STEP_STUCK && !level->world.facts[step].retried)
        add(level, (struct explore_action){.kind = EXPLORE_RETRY, .step = step});
    if (state == CORE_STEP_SENT) {
        list_simple_do(explore, level, step);
    } else if (state == CORE_STEP_UNDO_SENT) {
        add_reply(level, step, CORE_UNDO, CORE_REPLY_OK, false, STR(""));
        if (explore_is_last_undone(level, step))
            add_reply(level, step, CORE_UNDO, CORE_REPLY_REJECTED, false, STR(""));
    } else if (level->saga.steps[step].due_us > 0) {
        list_timer(level, step);
    }
    if (state != CORE_STEP_VERIFY_SENT)
        return;
    add_reply(level, step, CORE_VERIFY, CORE_REPLY_OK, false, STR(""));
    add_reply(level, step, CORE_VERIFY, CORE_REPLY_REJECTED, false, STR(""));
}

/* On the way to fail by using up its attempts, where nobody has to see it: its next event, true when there
 * is one. */
static bool list_failing(struct explore *explore, struct explore_level *level, uint16_t step)
{
    const struct core_step *it = &level->saga.steps[step];
    const struct plan_step *plan = explore_step(&level->saga, step);
    bool begun = attempts_used(it) > 1 || (attempts_used(it) == 1 && it->state != CORE_STEP_SENT);
    if (plan == NULL || !begun || explore_is_free(explore, level, step) || explore_is_halted(level, step) ||
        is_held(&level->saga) || !is_limited(&plan->run) || it->due_us == 0)
        return false;
    bool verifies = it->state == CORE_STEP_VERIFY_WAITING || it->state == CORE_STEP_VERIFY_SENT;
    if (verifies && !is_limited(&plan->verify))
        return false;
    if (it->state == CORE_STEP_SENT)
        list_simple_again(level, step);
    else
        list_timer(level, step);
    if (it->state == CORE_STEP_VERIFY_SENT)
        add_reply(level, step, CORE_VERIFY, CORE_REPLY_REJECTED, false, STR(""));
    return true;
}

static void list_step(const struct explore *explore, struct explore_level *level, uint16_t step)
{
    const struct core_step *it = &level->saga.steps[step];
    const struct explore_fact *fact = &level->world.facts[step];
    if (!explore_is_free(explore, level, step)) {
        list_simple(explore, level, step);
        return;
    }
    bool late = fact->late && it->state == CORE_STEP_UNDO_SENT;
    if (it->due_us > 0 && !late)
        list_timer(level, step);
    if (it->attempts[CORE_DO] > 0 && !fact->known)
        list_replies(explore, level, step, CORE_DO);
    if (it->attempts[CORE_VERIFY] > 0 && !fact->known)
        list_replies(explore, level, step, CORE_VERIFY);
    if (it->attempts[CORE_UNDO] > 0 && !fact->undone)
        list_replies(explore, level, step, CORE_UNDO);
    bool stuck = it->state == CORE_STEP_STUCK || (it->state == CORE_STEP_UNDO_STUCK && is_at_rest(level));
    if (stuck && !fact->retried && !fact->late)
        add(level, (struct explore_action){.kind = EXPLORE_RETRY, .step = step});
}

/* At most one event of a name is kept before its await: a second one is like the first, later. */
static void list_signals(struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    for (uint16_t i = 0; i < saga->plan->node_count; i++) {
        const struct plan_node *node = &saga->plan->nodes[i];
        if (node->kind != PLAN_AWAIT || plan_find_await(saga->plan, node->await->event) != node)
            continue;
        bool kept = false;
        for (uint16_t k = 0; k < saga->signal_count; k++)
            kept = kept || (core_signal_kept(&saga->signals[k]) &&
                            str_equal(saga->signals[k].name, node->await->event));
        if (!kept)
            add(level, (struct explore_action){.kind = EXPLORE_SIGNAL, .step = i});
    }
}

static size_t most_actions(const struct explore *explore, const struct core_saga *saga)
{
    size_t most = (size_t)saga->plan->node_count + 3;
    for (uint16_t i = 0; i < saga->step_count; i++)
        most += 24 + explore->codes[saga->steps[i].node].count;
    return most;
}

static bool is_undoing(enum core_step_state state)
{
    return state == CORE_STEP_UNDO_WAITING || state == CORE_STEP_UNDO_SENT;
}

/* Whether what can still happen to the step is about its compensation alone. */
static bool is_calm(const struct explore *explore, const struct explore_level *level, uint16_t step)
{
    const struct explore_fact *fact = &level->world.facts[step];
    enum core_step_state state = level->saga.steps[step].state;
    bool late = !fact->known && explore_may_exist(fact) && explore_is_free(explore, level, step);
    return state >= CORE_STEP_DONE && !late && !fact->late;
}

/* When everything goes back and nothing can come late, compensations under way are independent of each other:
 * what the next ones are depends on which are over, not on the order in which they ended. Then one of them is
 * enough: the others' turn comes when it is over (a persistent set of one step's events). Not one that is
 * tried without limit, which may never be over. A compensation between two attempts goes on first in any
 * case: nothing but its own answers can matter to it, and it to nothing. CORE_NO_STEP: all must be looked
 * at. */
static uint16_t persistent(const struct explore *explore, const struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    uint16_t chosen = CORE_NO_STEP;
    if (saga->direction != CORE_BACK || core_ended(saga))
        return CORE_NO_STEP;
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (saga->steps[i].state == CORE_STEP_UNDO_WAITING)
            return i;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (!is_calm(explore, level, i))
            return CORE_NO_STEP;
        bool limited =
            explore_step(saga, i) && explore_step(saga, i)->undo.retry.attempts_max < LIMITS_ATTEMPTS_MAX;
        if (chosen == CORE_NO_STEP && limited && is_undoing(saga->steps[i].state))
            chosen = i;
    }
    return chosen;
}

/* True when a part must be chosen before anything else. */
static bool list_parts(const struct explore *explore, struct explore_level *level)
{
    uint32_t parts = 0;
    uint16_t frame = explore_unfocused(explore, level, &parts);
    if (frame == 0)
        return false;
    level->actions = arena_array(&level->arena, parts, sizeof *level->actions);
    for (uint16_t i = 0; i < parts; i++)
        add(level, (struct explore_action){.kind = EXPLORE_FOCUS, .step = frame, .part = i});
    return true;
}

void explore_list(struct explore *explore, struct explore_level *level)
{
    const struct core_saga *saga = &level->saga;
    level->action_count = level->next = 0;
    if (saga->status == CORE_TERMINATED)
        return;
    if (list_parts(explore, level))
        return;
    level->actions = arena_array(&level->arena, most_actions(explore, saga), sizeof *level->actions);
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (list_failing(explore, level, i))
            return;
    uint16_t alone = persistent(explore, level);
    if (alone != CORE_NO_STEP) {
        list_step(explore, level, alone);
        return;
    }
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (explore_is_free(explore, level, i) || explore_is_turn(level, i))
            list_step(explore, level, i);
    if (core_ended(saga))
        return;
    if (saga->deadline_us > 0)
        add(level, (struct explore_action){.kind = EXPLORE_DEADLINE, .step = CORE_NO_STEP});
    if (saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP)
        add(level, (struct explore_action){.kind = EXPLORE_RETRY, .step = CORE_NO_STEP});
    if (saga->direction == CORE_BACK)
        return;
    list_signals(level);
    add(level, (struct explore_action){.kind = EXPLORE_CANCEL, .step = CORE_NO_STEP});
}
