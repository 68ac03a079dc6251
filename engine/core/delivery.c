#include "engine/core/delivery.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/back.h"
#include "engine/core/forward.h"
#include "engine/core/reply.h"
#include "engine/core/words.h"

/* The outstanding command that the event is about; else it is left. */
static bool is_out(struct work *work, uint16_t *step)
{
    const struct core_event *event = &work->event;
    check((unsigned)event->command_kind < CORE_KIND_COUNT);
    *step = core_find(work->saga, event->step);
    if (*step != CORE_NO_STEP && core_outstanding(work->saga, *step, event->command_kind, event->attempt)) {
        work->event.step = core_step_path(work->saga, *step);
        return true;
    }
    work_leave(work, CORE_LATE, "attempt %u of %.*s is not waited for any more", event->attempt,
               WORDS(event->step.size > 0 ? event->step : STR("no step")));
    return false;
}

void delivery_late(struct work *work)
{
    uint16_t step;
    check(work->event.kind == CORE_EVENT_DELIVERED);
    if (!is_out(work, &step))
        return;
    int64_t due_us = work_after(work, work_action(work, step, work->event.command_kind)->timeout_us);
    if (work->event.due_us > 0 && work->event.due_us < due_us)
        due_us = work->event.due_us;
    if (due_us <= work_step(work, step)->due_us) {
        work_leave(work, CORE_IDLE, "its time ends no earlier");
        return;
    }
    work->event.due_us = due_us;
    work_take(work);
    work_due(work, step, due_us);
}

static void do_undelivered(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(work_step(work, step)->state == CORE_STEP_SENT);
    if (work_halted(work, step)) {
        work_fault(work, step, code, message);
        back_settle(work, step);
        return;
    }
    switch (reply_rule(work, step)) {
    case PLAN_ON_ERROR_RETRY:
        attempt_again(work, step, 0, code, message);
        return;
    case PLAN_ON_ERROR_PARK:
        forward_stuck(work, step, code, message);
        return;
    case PLAN_ON_ERROR_CONTINUE:
        work_fault(work, step, code, message);
        forward_waived(work, step);
        return;
    case PLAN_ON_ERROR_FAIL:
        if (work_step(work, step)->unknown) {
            work_fault(work, step, code, message);
            forward_exhausted(work, step, code, message);
        } else {
            forward_rejected(work, step, code, message);
        }
        return;
    }
    check_never("a rule of no kind");
}

void delivery_none(struct work *work)
{
    uint16_t step;
    check(work->event.kind == CORE_EVENT_UNDELIVERED);
    if (!is_out(work, &step))
        return;
    struct str code = work->event.error_code;
    struct str message = work->event.error_message;
    if (code.size == 0)
        code = work->event.error_code = core_code_text(CORE_CODE_UNDELIVERED);
    work_take(work);
    switch (work->event.command_kind) {
    case CORE_DO:
        do_undelivered(work, step, code, message);
        return;
    case CORE_VERIFY:
        work_fault(work, step, code, message);
        forward_in_doubt(work, step, code, message);
        return;
    case CORE_UNDO:
        back_stuck(work, step, code, message);
        return;
    }
    check_never("a command of no kind");
}
