#include "engine/core/back.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/forward.h"

/* A step whose effect exists or may exist. One that was skipped while in doubt counts: skipping says "go on
 * without its output", not "it did not happen". */
static bool to_undo(const struct work *work, uint16_t step)
{
    const struct core_step *it = work_step(work, step);
    check(work->saga->direction == CORE_BACK);
    if (!work_node(work, step)->step->has_undo)
        return false;
    return it->state == CORE_STEP_DONE || it->state == CORE_STEP_DOUBT ||
           (it->state == CORE_STEP_WAIVED && it->unknown);
}

static bool in_the_way(const struct core_step *step)
{
    check(step->opened_us > 0);
    return state_is_active(step->state) || step->state == CORE_STEP_UNDO_STUCK;
}

void back_next(struct work *work)
{
    struct core_saga *saga = work->saga;
    check(saga->direction == CORE_BACK);
    check(saga->status == CORE_COMPENSATING || saga->status == CORE_PARKED ||
          saga->status == CORE_COMPENSATED);
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (in_the_way(work_step(work, i)))
            return;
    for (uint16_t i = saga->step_count; i > 0; i--) {
        uint16_t step = (uint16_t)(i - 1);
        if (!to_undo(work, step))
            continue;
        work_move(work, step, CORE_STEP_UNDO_WAITING, work->event.at_us);
        attempt_go(work, step);
        return;
    }
    if (saga->status != CORE_COMPENSATED)
        work_status(work, CORE_COMPENSATED, CORE_BACK);
}

void back_settle(struct work *work, uint16_t step)
{
    const struct plan_step *plan = work_node(work, step)->step;
    const struct core_step *it = work_step(work, step);
    check(work->saga->direction == CORE_BACK);
    check(it->state == CORE_STEP_WAITING || it->state == CORE_STEP_SENT || it->state == CORE_STEP_STUCK);
    struct str message = arena_copy(work->scratch, work->saga->cause_message);
    if (!it->unknown) {
        forward_rejected(work, step, arena_copy(work->scratch, work->saga->cause_code), message);
        return;
    }
    bool asks = plan->has_verify && plan->on_timeout != PLAN_ON_TIMEOUT_COMPENSATE;
    if (!asks || it->state == CORE_STEP_STUCK) {
        forward_in_doubt(work, step, message);
        return;
    }
    work_move(work, step, CORE_STEP_VERIFY_WAITING, work->event.at_us);
    attempt_go(work, step);
}

void back_begin(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(work->saga->direction == CORE_FORWARD);
    check(!core_ended(work->saga));
    work_cause(work, step, code, message);
    work_unpark(work);
    work_status(work, CORE_COMPENSATING, CORE_BACK);
    for (uint16_t i = 0; i < work->saga->step_count; i++) {
        enum core_step_state state = work_step(work, i)->state;
        if (state == CORE_STEP_WAITING || state == CORE_STEP_STUCK)
            back_settle(work, i);
    }
    back_next(work);
}

/* One compensation is over: a park it caused is lifted. */
static void over(struct work *work, uint16_t step)
{
    struct core_saga *saga = work->saga;
    check(saga->direction == CORE_BACK);
    check(!core_ended(saga));
    if (saga->status == CORE_PARKED) {
        check(saga->park_step == step); /* in a sequence nothing else is undone beside it */
        work_unpark(work);
        work_status(work, CORE_COMPENSATING, CORE_BACK);
    }
    back_next(work);
}

void back_undone(struct work *work, uint16_t step)
{
    check(work->saga->direction == CORE_BACK);
    check(work_step(work, step)->attempts[CORE_UNDO] > 0 || work->event.kind == CORE_EVENT_FORCE);
    work_move(work, step, CORE_STEP_UNDONE, 0);
    over(work, step);
}

void back_waived(struct work *work, uint16_t step)
{
    check(work->saga->direction == CORE_BACK);
    check(work->event.kind == CORE_EVENT_SKIP);
    work_move(work, step, CORE_STEP_UNDO_WAIVED, 0);
    over(work, step);
}

void back_stuck(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(work->saga->direction == CORE_BACK);
    check(code.size > 0);
    work_fault(work, step, code, message);
    if (work_step(work, step)->state != CORE_STEP_UNDO_STUCK)
        work_move(work, step, CORE_STEP_UNDO_STUCK, 0);
    work_park(work, step, code, message);
}

void back_late_success(struct work *work, uint16_t step)
{
    struct core_saga *saga = work->saga;
    bool stuck = work_step(work, step)->state == CORE_STEP_UNDO_STUCK;
    check(work->event.kind == CORE_EVENT_REPLY);
    work_output(work, step);
    work_move(work, step, CORE_STEP_DONE, 0);
    check(work_step(work, step)->succeeded);
    if (stuck)
        work_unpark(work);
    if (stuck || saga->status == CORE_COMPENSATED)
        work_status(work, CORE_COMPENSATING, CORE_BACK);
    if (saga->direction == CORE_BACK)
        back_next(work);
}
