#include "engine/core/forward.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/flow.h"
#include "engine/core/frames.h"

void forward_done(struct work *work, uint16_t step)
{
    check(work->event.kind == CORE_EVENT_REPLY || work->event.kind == CORE_EVENT_FORCE);
    work_output(work, step);
    work_move(work, step, CORE_STEP_DONE, 0);
    check(work_step(work, step)->succeeded);
}

void forward_waived(struct work *work, uint16_t step)
{
    check(!work_halted(work, step));
    check(!work_step(work, step)->succeeded);
    work_move(work, step, CORE_STEP_WAIVED, 0);
}

void forward_rejected(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(code.size > 0);
    check(!work_step(work, step)->succeeded);
    work_unknown(work, step, false);
    bool halted = work_halted(work, step);
    if (!halted && work_node(work, step)->after_pivot) {
        forward_stuck(work, step, code, message);
        return;
    }
    work_fault(work, step, code, message);
    work_move(work, step, CORE_STEP_REJECTED, 0);
    if (!halted)
        flow_fail(work, work_step(work, step)->frame, step, code, message);
}

void forward_stuck(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(!work_halted(work, step));
    check(code.size > 0);
    work_fault(work, step, code, message);
    if (work_step(work, step)->state != CORE_STEP_STUCK)
        work_move(work, step, CORE_STEP_STUCK, 0);
    work_park(work, step, code, message);
}

static void ask(struct work *work, uint16_t step)
{
    check(work_node(work, step)->step->has_verify);
    check(work_step(work, step)->unknown);
    work_move(work, step, CORE_STEP_VERIFY_WAITING, work->event.at_us);
    attempt_go(work, step);
}

static void unanswered(struct work *work, uint16_t step, struct str message)
{
    const struct plan_step *plan = work_node(work, step)->step;
    check(work_step(work, step)->unknown);
    check(!work_halted(work, step));
    switch (plan->on_timeout) {
    case PLAN_ON_TIMEOUT_RETRY:
    case PLAN_ON_TIMEOUT_VERIFY:
        if (plan->has_verify)
            ask(work, step);
        else
            forward_in_doubt(work, step, message);
        return;
    case PLAN_ON_TIMEOUT_COMPENSATE:
        forward_in_doubt(work, step, message);
        return;
    case PLAN_ON_TIMEOUT_PARK:
        forward_stuck(work, step, core_code_text(CORE_CODE_TIMEOUT), message);
        return;
    }
    check_never("an on_timeout of no kind");
}

void forward_exhausted(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(state_kind(work_step(work, step)->state) == CORE_DO);
    check(code.size > 0);
    if (work_step(work, step)->unknown)
        unanswered(work, step, message);
    else
        forward_rejected(work, step, code, message);
}

void forward_in_doubt(struct work *work, uint16_t step, struct str message)
{
    const struct plan_node *node = work_node(work, step);
    check(work_step(work, step)->unknown);
    if (work_halted(work, step)) {
        work_move(work, step, CORE_STEP_DOUBT, 0);
        return;
    }
    check(work_step(work, step)->state != CORE_STEP_STUCK);
    if (node->after_pivot || node->step->pivot) {
        forward_stuck(work, step, core_code_text(CORE_CODE_IN_DOUBT), message);
        return;
    }
    work_move(work, step, CORE_STEP_DOUBT, 0);
    flow_fail(work, work_step(work, step)->frame, step, core_code_text(CORE_CODE_TIMEOUT), message);
}
