#include "engine/core/attempt.h"
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/core/back.h"
#include "engine/core/budget.h"
#include "engine/core/evaluate.h"
#include "engine/core/family.h"
#include "engine/core/forward.h"
#include "engine/core/signal.h"

static void exhausted(struct work *work, uint16_t step, enum core_kind kind, struct str code,
                      struct str message)
{
    check(state_is_active(work_step(work, step)->state));
    check(code.size > 0);
    switch (kind) {
    case CORE_DO:
        forward_exhausted(work, step, code, message);
        return;
    case CORE_VERIFY:
        forward_in_doubt(work, step, code, message);
        return;
    case CORE_UNDO:
        back_stuck(work, step, core_code_text(CORE_CODE_COMPENSATION_FAILED), message);
        return;
    }
    check_never("a command of no kind");
}

/* The body of a command cannot be computed. It will not be the next time either, so nothing is retried. */
static void faulted(struct work *work, uint16_t step, enum core_kind kind, struct str code,
                    struct str message)
{
    check(work_step(work, step)->state == state_waiting(kind));
    check(code.size > 0);
    if (kind == CORE_UNDO)
        back_stuck(work, step, code, message);
    else if (kind == CORE_DO && !work_step(work, step)->unknown)
        forward_rejected(work, step, code, message);
    else
        exhausted(work, step, kind, code, message);
}

static void send(struct work *work, uint16_t step, enum core_kind kind)
{
    const struct plan_action *action = work_action(work, step, kind);
    bool begins = kind == CORE_DO && !work->saga->unbounded && work_node(work, step)->kind == PLAN_SAGA;
    uint32_t family = begins ? family_share(work, step) : 0;
    struct str code = core_code_text(CORE_CODE_CHILD_QUOTA);
    struct str message = STR("the saga that began all this has brought about as many as one may");
    const struct json *body = NULL;
    check(!work_held(work->saga));
    if (begins && family == 0)
        body = NULL;
    else if (kind == CORE_UNDO)
        body = evaluate_undo(work, step, action->with, &code, &message);
    else if (kind == CORE_VERIFY || !work_is_heavy(work, &code, &message)) /* going back is always possible */
        body = evaluate(work, work_step(work, step)->frame, action->with, &code, &message);
    if (body == NULL) {
        faulted(work, step, kind, code, message);
        return;
    }
    work_change(work, (struct core_change){.kind = CORE_CHANGE_SEND,
                                           .step = step,
                                           .command = kind,
                                           .attempt = work_step(work, step)->attempts[kind] + 1,
                                           .family = family,
                                           .due_us = work_after(work, action->timeout_us),
                                           .body = body});
}

/* A time that has passed ends the wait at once; the cursor moves on all the same. */
static void sleep_until(struct work *work, uint16_t step)
{
    const struct plan_wait *wait = work_node(work, step)->wait;
    struct str code = expr_fault_code(EXPR_FAULT_VALUE);
    struct str message = STR("`until` gave no RFC 3339 time such as 2026-11-21T12:00:00Z");
    int64_t due_us = work_after(work, wait->for_us);
    check(work_step(work, step)->state == CORE_STEP_WAITING);
    if (wait->until != NULL) {
        const struct json *value = evaluate(work, work_step(work, step)->frame, wait->until, &code, &message);
        if (value == NULL || value->kind != JSON_STRING || !duration_time_parse(value->text, &due_us)) {
            forward_rejected(work, step, code, message);
            return;
        }
    }
    bool over = due_us <= work->event.at_us;
    work_move(work, step, CORE_STEP_SLEEPING, over ? work->event.at_us : work_until(due_us));
    if (over)
        work_move(work, step, CORE_STEP_DONE, 0);
}

void attempt_go(struct work *work, uint16_t step)
{
    enum core_kind kind = state_kind(work_step(work, step)->state);
    enum plan_kind node = work_node(work, step)->kind;
    check(work_step(work, step)->state == state_waiting(kind));
    if (node == PLAN_AWAIT || node == PLAN_WAIT) {
        if (node == PLAN_AWAIT)
            signal_await(work, step);
        else
            sleep_until(work, step);
        return;
    }
    if (work_held(work->saga) || work_is_full(work))
        return; /* it is due, and its timer sends it */
    struct budget budget = budget_of(work->saga, work_step(work, step), kind);
    if (budget_allows(&budget, work->event.at_us))
        send(work, step, kind);
    else
        exhausted(work, step, kind, core_code_text(CORE_CODE_RETRIES_EXHAUSTED),
                  STR("the time for attempts ran out while sends were held"));
}

void attempt_go_if_due(struct work *work, uint16_t step)
{
    const struct core_step *it = work_step(work, step);
    if (!state_commands(it->state) || it->state != state_waiting(state_kind(it->state)))
        return;
    check(it->due_us > 0);
    if (it->due_us <= work->event.at_us)
        attempt_go(work, step);
}

void attempt_poke(struct work *work, uint16_t step)
{
    enum core_kind kind = state_kind(work_step(work, step)->state);
    check(work_node(work, step)->kind == PLAN_SAGA);
    check(work_step(work, step)->state == state_sent(kind));
    struct budget budget = budget_of(work->saga, work_step(work, step), kind);
    work_move(work, step, state_waiting(kind), work_after(work, budget_pause(&budget, 0)));
}

void attempt_again(struct work *work, uint16_t step, int64_t retry_after_us, struct str code,
                   struct str message)
{
    enum core_kind kind = state_kind(work_step(work, step)->state);
    check(work_step(work, step)->state == state_sent(kind));
    check(retry_after_us <= 0 || work->event.kind == CORE_EVENT_REPLY);
    work_fault(work, step, code.size > 0 ? code : core_code_text(CORE_CODE_RETRY), message);
    struct budget budget = budget_of(work->saga, work_step(work, step), kind);
    int64_t due_us = work_after(work, budget_pause(&budget, retry_after_us));
    if (budget_allows(&budget, due_us))
        work_move(work, step, state_waiting(kind), due_us);
    else
        exhausted(work, step, kind, code.size > 0 ? code : core_code_text(CORE_CODE_RETRIES_EXHAUSTED),
                  message);
}
