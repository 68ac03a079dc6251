#include "engine/core/clock.h"
#include "engine/base/check.h"

/* A moment that the definition names is not a span. */
static bool is_moment(const struct work *work, uint16_t step)
{
    const struct plan_node *node = work_node(work, step);
    check(work_step(work, step)->due_us > 0);
    return work_step(work, step)->state == CORE_STEP_SLEEPING && node->wait->until != NULL;
}

/* Anew from now on; what was due at once still is. */
static int64_t anew(const struct work *work, int64_t due_us, int64_t set_us)
{
    check(due_us > 0);
    return work_after(work, due_us > set_us ? due_us - set_us : 0);
}

void clock_back(struct work *work)
{
    const struct core_saga *saga = work->saga;
    int64_t now_us = work->event.at_us;
    if (core_ended(saga) || saga->updated_us <= now_us) {
        work_leave(work, CORE_IDLE,
                   core_ended(saga) ? "the saga has ended" : "its last record is not after it");
        return;
    }
    work_take(work);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *step = &saga->steps[i];
        if (state_is_active(step->state) && step->due_set_us > now_us && !is_moment(work, i))
            work_due(work, i, anew(work, step->due_us, step->due_set_us));
    }
    if (saga->held_us > now_us)
        work_change(work,
                    (struct core_change){
                        .kind = CORE_CHANGE_PAUSE, .step = CORE_NO_STEP, .flag = true, .due_us = now_us});
    if (saga->deadline_us > 0 && saga->deadline_set_us > now_us)
        work_deadline(work, anew(work, saga->deadline_us, saga->deadline_set_us));
    check(saga->updated_us == now_us);
}
