/* Going back: what is let go when the saga or a scope turns, which compensation starts now, when all is
 * undone. Called by the handlers (reply, timer, operator, delivery) for one step, and by flow.c in its loop.
 * Never picks the order itself (back_order.c), and never ends the saga (flow.c). */
#include "engine/core/back.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/back_order.h"
#include "engine/core/forward.h"
#include "engine/core/frames.h"
#include "engine/core/lost.h"

/* Why the part of the saga that the step stands in goes back. */
static void cause_of(struct work *work, uint16_t step, struct str *code, struct str *message)
{
    const struct core_saga *saga = work->saga;
    uint16_t frame = work_step(work, step)->frame;
    *code = saga->cause_code;
    *message = saga->cause_message;
    for (; frame != FRAMES_ROOT && saga->direction == CORE_FORWARD; frame = saga->frames[frame].parent) {
        if (saga->frames[frame].cause_code.size == 0)
            continue;
        *code = saga->frames[frame].cause_code;
        *message = saga->frames[frame].cause_message;
        break;
    }
    check(code->size > 0);
    *code = arena_copy(work->scratch, *code);
    *message = arena_copy(work->scratch, *message);
}

/* A child that was started may run for days: it is not waited for but undone, whatever it has become. */
static void settle_child(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(work_node(work, step)->kind == PLAN_SAGA);
    if (work_step(work, step)->attempts[CORE_DO] == 0) {
        forward_rejected(work, step, code, message);
        return;
    }
    work_unknown(work, step, true);
    work_move(work, step, CORE_STEP_DOUBT, 0);
}

void back_settle(struct work *work, uint16_t step)
{
    const struct plan_node *node = work_node(work, step);
    const struct core_step *it = work_step(work, step);
    struct str code, message;
    check(work_halted(work, step));
    cause_of(work, step, &code, &message);
    if (node->kind == PLAN_SAGA) {
        settle_child(work, step, code, message);
        return;
    }
    if (!it->unknown) {
        forward_rejected(work, step, code, message);
        return;
    }
    bool asks = node->step->has_verify && node->step->on_timeout != PLAN_ON_TIMEOUT_COMPENSATE;
    if (!asks || it->state == CORE_STEP_STUCK) {
        forward_in_doubt(work, step, code, message);
        return;
    }
    work_move(work, step, CORE_STEP_VERIFY_WAITING, work->event.at_us);
    attempt_go(work, step);
}

static bool settles(const struct work *work, uint16_t step)
{
    enum core_step_state state = work_step(work, step)->state;
    check((unsigned)state <= CORE_STEP_UNDO_WAIVED);
    return state == CORE_STEP_WAITING || state == CORE_STEP_STUCK || state == CORE_STEP_AWAITING ||
           state == CORE_STEP_SLEEPING ||
           (state == CORE_STEP_SENT && work_node(work, step)->kind == PLAN_SAGA);
}

void back_settle_within(struct work *work, uint16_t frame)
{
    check(frames_is_halted(work->saga, frame));
    for (uint16_t i = 0; i < work->saga->step_count; i++)
        if (settles(work, i) && frames_is_within(work->saga, work_step(work, i)->frame, frame))
            back_settle(work, i);
    check(work->saga->frame_count > frame);
}

void back_begin(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(work->saga->direction == CORE_FORWARD);
    check(!core_ended(work->saga));
    bool held = lost_holds(work->saga) &&
                work->event.kind != CORE_EVENT_CANCEL; /* by a human, until a human says so */
    work_cause(work, step, code, message);
    if (!held)
        work_unpark(work);
    work_status(work, held ? CORE_PARKED : CORE_COMPENSATING, CORE_BACK);
    back_settle_within(work, FRAMES_ROOT);
}

bool back_go(struct work *work)
{
    bool moved = false;
    uint16_t step;
    check(work->saga->frame_count > 0);
    if (!back_order_any(work->saga))
        return false;
    /* Sending may decide a step at once (its body cannot be computed), so the order is read anew each time.
     */
    while (!work_is_full(work) && (step = back_order_next(work)) != CORE_NO_STEP) {
        work_move(work, step, CORE_STEP_UNDO_WAITING, work->event.at_us);
        attempt_go(work, step);
        moved = true;
    }
    uint16_t scope;
    while (!work_is_full(work) && (scope = back_order_undone_scope(work)) != CORE_NO_STEP) {
        work_change(work, (struct core_change){.kind = CORE_CHANGE_BLOCK,
                                               .step = CORE_NO_STEP,
                                               .frame = scope,
                                               .block = CORE_BLOCK_CLOSED});
        moved = true;
    }
    return moved;
}

bool back_is_over(const struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(saga->step_count <= saga->step_room);
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (back_order_in_the_way(saga, i))
            return false;
    return true;
}

void back_undone(struct work *work, uint16_t step)
{
    check(core_going_back(work->saga, step));
    check(work_step(work, step)->attempts[CORE_UNDO] > 0 || work->event.kind == CORE_EVENT_FORCE);
    work_move(work, step, CORE_STEP_UNDONE, 0);
}

void back_waived(struct work *work, uint16_t step)
{
    check(core_going_back(work->saga, step));
    check(work->event.kind == CORE_EVENT_SKIP);
    work_move(work, step, CORE_STEP_UNDO_WAIVED, 0);
}

void back_stuck(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(core_going_back(work->saga, step));
    check(code.size > 0);
    work_fault(work, step, code, message);
    if (work_step(work, step)->state != CORE_STEP_UNDO_STUCK)
        work_move(work, step, CORE_STEP_UNDO_STUCK, 0);
    work_park(work, step, code, message);
}

void back_late_success(struct work *work, uint16_t step)
{
    struct core_saga *saga = work->saga;
    check(work->event.kind == CORE_EVENT_REPLY);
    work_output(work, step);
    work_move(work, step, CORE_STEP_DONE, 0);
    check(work_step(work, step)->succeeded);
    if (saga->status == CORE_COMPENSATED)
        work_status(work, CORE_COMPENSATING, CORE_BACK);
    if (saga->status == CORE_COMPLETED) {
        if (saga->deadline_us > 0) /* it was kept: the saga had completed */
            work_deadline(work, 0);
        work_status(work, CORE_RUNNING, CORE_FORWARD);
    }
}

void back_undo(struct work *work)
{
    struct core_saga *saga = work->saga;
    check(work->event.kind == CORE_EVENT_UNDO);
    struct str code = core_code_text(CORE_CODE_CANCELLED);
    struct str message = STR("its parent saga is being undone");
    if (saga->status == CORE_TERMINATED || saga->pivot_commanded) {
        work_leave(work, CORE_REFUSED, "%s: it cannot be undone",
                   saga->pivot_commanded ? "its pivot was commanded" : "it was terminated");
        return;
    }
    if (saga->direction == CORE_BACK && saga->undo_attempt >= work->event.attempt) {
        work_leave(work, CORE_DUPLICATE, "it is being undone already, or is undone");
        return;
    }
    work_take(work);
    if (saga->direction == CORE_BACK)
        return;
    if (saga->status != CORE_COMPLETED) {
        back_begin(work, CORE_NO_STEP, code, message);
        return;
    }
    work_cause(work, CORE_NO_STEP, code, message);
    work_status(work, CORE_COMPENSATING, CORE_BACK);
}
