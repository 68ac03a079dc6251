#include "engine/core/operator.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/back.h"
#include "engine/core/frames.h"
#include "engine/core/resolve.h"
#include "engine/core/timer.h"
#include "engine/core/words.h"

static struct str reason_or(const struct work *work, struct str otherwise)
{
    check(otherwise.size > 0);
    return work->event.reason.size > 0 ? work->event.reason : otherwise;
}

static void cancel(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(!core_ended(saga));
    if (saga->direction == CORE_BACK) {
        work_leave(work, CORE_REFUSED, "it is compensating already; possible: %.*s",
                   WORDS(resolve_possible(work)));
        return;
    }
    if (saga->pivot_commanded) {
        work_leave(work, CORE_REFUSED, "the pivot was commanded: there is no way back; possible: %.*s",
                   WORDS(resolve_possible(work)));
        return;
    }
    if (frames_at_end(saga) && !core_lacks_output(saga)) {
        work_leave(work, CORE_REFUSED,
                   "it has done everything; only what a scope left is still being undone");
        return;
    }
    work_take(work);
    back_begin(work, CORE_NO_STEP, core_code_text(CORE_CODE_CANCELLED),
               reason_or(work, STR("an operator cancelled the saga")));
}

static void terminate(struct work *work)
{
    check(!core_ended(work->saga));
    if (work->event.reason.size == 0) {
        work_leave(work, CORE_REFUSED, "terminate needs a reason");
        return;
    }
    work_take(work);
    work_cause(work, CORE_NO_STEP, core_code_text(CORE_CODE_TERMINATED), work->event.reason);
    work_unpark(work);
    work_status(work, CORE_TERMINATED, work->saga->direction);
}

static void hold(struct work *work, bool held)
{
    check(!core_ended(work->saga));
    check(work->saga->seq > 0);
    bool more =
        held && work->event.deadline && work->saga->held_us == 0; /* of a pause that held only sends */
    if (work->saga->paused == held && !more) {
        work_leave(work, CORE_REFUSED, held ? "it is paused already" : "it is not paused");
        return;
    }
    work_take(work);
    if (held) {
        timer_hold(work, work->event.deadline ? work->event.at_us : 0);
        return;
    }
    timer_release(work);
    if (work_held(work->saga))
        return;
    for (uint16_t i = 0; i < work->saga->step_count; i++)
        attempt_go_if_due(work, i);
}

static void pause(struct work *work)
{
    hold(work, true);
}

static void resume(struct work *work)
{
    hold(work, false);
}

static void (*const verbs[])(struct work *work) = {
    [CORE_EVENT_CANCEL] = cancel,       [CORE_EVENT_TERMINATE] = terminate, [CORE_EVENT_PAUSE] = pause,
    [CORE_EVENT_RESUME] = resume,       [CORE_EVENT_RETRY] = resolve_retry, [CORE_EVENT_SKIP] = resolve_skip,
    [CORE_EVENT_FORCE] = resolve_force, [CORE_EVENT_MOVE] = timer_move,
};

void operator_verb(struct work *work)
{
    check(work->event.kind < sizeof verbs / sizeof *verbs);
    check(verbs[work->event.kind] != NULL);
    if (core_ended(work->saga))
        work_leave(work, CORE_REFUSED, "the saga has ended");
    else
        verbs[work->event.kind](work);
}
