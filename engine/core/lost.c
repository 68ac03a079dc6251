#include "engine/core/lost.h"
#include "engine/base/check.h"

bool lost_holds(const struct core_saga *saga)
{
    check((unsigned)saga->status <= CORE_TERMINATED);
    check(saga->step_count <= saga->step_room);
    return saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP &&
           str_equal(saga->park_code, core_code_text(CORE_CODE_HISTORY_LOST));
}

/* The journal does not say how it went: in the lost part it may have been sent, and have happened. */
static bool undecided(const struct work *work, uint16_t step)
{
    enum core_step_state state = work_step(work, step)->state;
    check((unsigned)state <= CORE_STEP_UNDO_WAIVED);
    return work_node(work, step)->step != NULL &&
           (state == CORE_STEP_WAITING || state == CORE_STEP_SENT || state == CORE_STEP_VERIFY_WAITING ||
            state == CORE_STEP_VERIFY_SENT || state == CORE_STEP_STUCK);
}

void lost_mark(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(saga->seq > 0);
    if (core_ended(saga) || lost_holds(saga)) {
        work_leave(work, CORE_REFUSED,
                   core_ended(saga) ? "the saga has ended" : "it waits for a human already");
        return;
    }
    work_take(work);
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (undecided(work, i))
            work_unknown(work, i, true);
    if (saga->deadline_us >
        0) /* a human has taken over: it must not go back by itself once it is let go on */
        work_deadline(work, 0);
    struct str message =
        STR("the database lost the newest part of its history: what it did there nobody knows");
    work_change(work,
                (struct core_change){.kind = CORE_CHANGE_PARK,
                                     .step = CORE_NO_STEP,
                                     .code = core_code_text(CORE_CODE_HISTORY_LOST),
                                     .message = work->event.reason.size > 0 ? work->event.reason : message});
    if (saga->status != CORE_PARKED)
        work_status(work, CORE_PARKED, saga->direction);
    check(lost_holds(saga));
}
