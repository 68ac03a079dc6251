#include "engine/core/forward.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/back.h"
#include "engine/core/evaluate.h"

enum { ROOT = 0 };

static const struct plan_node *block_of(const struct work *work)
{
    check(work->saga->frame_count == 1); /* other blocks than the root come later */
    const struct plan_node *block = &work->saga->plan->nodes[work->saga->frames[ROOT].node];
    check(block->kind == PLAN_SEQUENCE);
    return block;
}

/* All is done even when the output cannot be computed: the effects are there. The reason says what is wrong.
 */
static void complete(struct work *work)
{
    check(work->saga->direction == CORE_FORWARD);
    check(work->saga->status == CORE_RUNNING);
    if (work->saga->plan->output) {
        struct str code, message;
        const struct json *output =
            evaluate(work->saga, work->saga->plan->output, work->scratch, &code, &message);
        work_change(work, (struct core_change){.kind = CORE_CHANGE_RESULT,
                                               .step = CORE_NO_STEP,
                                               .body = output ? output : &json_null});
        if (!output)
            work_cause(work, CORE_NO_STEP, code, message);
    }
    work_status(work, CORE_COMPLETED, CORE_FORWARD);
}

void forward_next(struct work *work)
{
    const struct plan_node *block = block_of(work);
    const struct core_saga *saga = work->saga;
    check(saga->direction == CORE_FORWARD);
    check(saga->frames[ROOT].cursor <= block->child_count);
    if (saga->frames[ROOT].cursor == block->child_count) {
        complete(work);
        return;
    }
    uint16_t step = saga->step_count;
    work_change(work, (struct core_change){.kind = CORE_CHANGE_OPEN,
                                           .step = step,
                                           .node = block->children[saga->frames[ROOT].cursor],
                                           .frame = ROOT});
    attempt_go(work, step);
}

void forward_resume(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(saga->direction == CORE_FORWARD);
    check(saga->status == CORE_RUNNING);
    if (saga->frames[ROOT].cursor ==
        saga->step_count) /* in a sequence each step before the cursor was opened once */
        forward_next(work);
    else
        attempt_go_if_due(work, (uint16_t)(saga->step_count - 1));
}

/* The block behind the step moves on, unless the saga is parked for a reason of its own. */
static void move_on(struct work *work, uint16_t step)
{
    struct core_saga *saga = work->saga;
    uint16_t frame = work_step(work, step)->frame;
    check(saga->direction == CORE_FORWARD);
    check(frame < saga->frame_count);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_CURSOR,
                                           .step = CORE_NO_STEP,
                                           .frame = frame,
                                           .cursor = (uint16_t)(saga->frames[frame].cursor + 1)});
    if (saga->status == CORE_PARKED && saga->park_step == step) {
        work_unpark(work);
        work_status(work, CORE_RUNNING, CORE_FORWARD);
    }
    if (saga->status == CORE_RUNNING)
        forward_next(work);
}

static void settled(struct work *work, uint16_t step)
{
    check(!state_is_active(work_step(work, step)->state));
    check(!core_ended(work->saga));
    if (work->saga->direction == CORE_BACK)
        back_next(work);
    else
        move_on(work, step);
}

void forward_done(struct work *work, uint16_t step)
{
    check(work->event.kind == CORE_EVENT_REPLY || work->event.kind == CORE_EVENT_FORCE);
    work_output(work, step);
    work_move(work, step, CORE_STEP_DONE, 0);
    check(work_step(work, step)->succeeded);
    settled(work, step);
}

void forward_waived(struct work *work, uint16_t step)
{
    check(work->saga->direction == CORE_FORWARD);
    check(!work_step(work, step)->succeeded);
    work_move(work, step, CORE_STEP_WAIVED, 0);
    settled(work, step);
}

void forward_rejected(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(code.size > 0);
    check(!work_step(work, step)->succeeded);
    work_unknown(work, step, false);
    if (work->saga->direction == CORE_FORWARD && work_node(work, step)->after_pivot) {
        forward_stuck(work, step, code, message);
        return;
    }
    work_fault(work, step, code, message);
    work_move(work, step, CORE_STEP_REJECTED, 0);
    if (work->saga->direction == CORE_FORWARD)
        back_begin(work, step, code, message);
    else
        back_next(work);
}

void forward_stuck(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(work->saga->direction == CORE_FORWARD);
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
    check(work->saga->direction == CORE_FORWARD);
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
    if (work->saga->direction == CORE_BACK) {
        work_move(work, step, CORE_STEP_DOUBT, 0);
        back_next(work);
        return;
    }
    check(work_step(work, step)->state != CORE_STEP_STUCK);
    if (node->after_pivot || node->step->pivot) {
        forward_stuck(work, step, core_code_text(CORE_CODE_IN_DOUBT), message);
        return;
    }
    work_move(work, step, CORE_STEP_DOUBT, 0);
    back_begin(work, step, core_code_text(CORE_CODE_TIMEOUT), message);
}
