/* What is due next, and what it means when it is: sends that waited, time-outs, ends of awaits and waits, the
 * deadline; and operators' moves of a timer. Called by core.c and operator.c. Never fires before its time,
 * and never reads a clock: time comes with the event. */
#include "engine/core/timer.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/core/attempt.h"
#include "engine/core/back.h"
#include "engine/core/forward.h"
#include "engine/core/frames.h"
#include "engine/core/lost.h"
#include "engine/core/unclear.h"
#include "engine/core/words.h"

enum { MOST_NAMES_BYTES = 300 }; /* of a sentence */

static bool is_held(const struct core_saga *saga, const struct core_step *step)
{
    check(state_is_active(step->state));
    check(step->due_us > 0);
    if (step->state == CORE_STEP_AWAITING)
        return saga->held_us > 0;
    return state_commands(step->state) && work_held(saga) &&
           step->state == state_waiting(state_kind(step->state));
}

int64_t timer_next(const struct core_saga *saga, bool (*holds)(const void *context, uint16_t step),
                   const void *context, uint16_t *step)
{
    check(saga->step_count <= saga->step_room);
    *step = CORE_NO_STEP;
    if (core_ended(saga) || lost_holds(saga))
        return INT64_MAX;
    if (saga->unfinished)
        return saga->updated_us;
    int64_t due_us = saga->deadline_us > 0 && saga->held_us == 0 ? saga->deadline_us : INT64_MAX;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *it = &saga->steps[i];
        if (!state_is_active(it->state) || is_held(saga, it) || it->due_us > due_us)
            continue;
        if (holds != NULL && it->state == state_sent(state_kind(it->state)) && holds(context, i))
            continue;
        due_us = it->due_us;
        *step = i;
    }
    check(due_us > 0);
    return due_us;
}

/* Before the pivot there is a way back; behind it the saga waits for a human, who may let it go on. What has
 * done everything kept its time: only what a scope left is still being undone. */
static void deadline(struct work *work)
{
    check(work->saga->direction == CORE_FORWARD);
    check(work->saga->deadline_us <= work->event.at_us);
    const struct core_saga *saga = work->saga; /* started in a time yet to come: the clock went back since */
    int64_t from_us = saga->started_us < saga->deadline_set_us ? saga->started_us : saga->deadline_set_us;
    struct str limit = duration_text(work->scratch, saga->deadline_us - from_us);
    struct str message = work_text(work, "it was not done within %.*s", WORDS(limit));
    bool at_end = frames_at_end(work->saga);
    if (!work->saga->pivot_commanded && !at_end) {
        back_begin(work, CORE_NO_STEP, core_code_text(CORE_CODE_DEADLINE), message);
        return;
    }
    work_deadline(work, 0);
    if (!at_end && work->saga->status != CORE_PARKED)
        work_park(work, CORE_NO_STEP, core_code_text(CORE_CODE_DEADLINE), message);
}

static void timed_out(struct work *work, uint16_t step)
{
    enum core_kind kind = state_kind(work_step(work, step)->state);
    check(work_step(work, step)->due_us <= work->event.at_us);
    check(work_step(work, step)->attempts[kind] > 0);
    if (work_node(work, step)->kind == PLAN_SAGA) {
        attempt_poke(work, step);
        return;
    }
    struct str code = core_code_text(CORE_CODE_TIMEOUT);
    struct str name = core_kind_text(kind);
    struct str message = work_text(work, "%.*s attempt %u was not answered in time", WORDS(name),
                                   work_step(work, step)->attempts[kind]);
    if (unclear_was_answered(work, step, kind)) { /* the cause is the step's error already */
        code = core_code_text(CORE_CODE_REPLY_UNUSABLE);
        message = arena_copy(work->scratch, work_step(work, step)->error_message);
    }
    if (kind == CORE_DO)
        work_unknown(work, step, true);
    if (kind == CORE_DO && work_halted(work, step)) {
        work_fault(work, step, code, message);
        back_settle(work, step);
        return;
    }
    attempt_again(work, step, 0, code, message);
}

/* What nobody sent in time. */
static void not_signalled(struct work *work, uint16_t step)
{
    const struct plan_await *await = work_node(work, step)->await;
    struct str message = work_text(work, "\"%.*s\" did not come in time", WORDS(await->event));
    struct str code = core_code_text(CORE_CODE_TIMEOUT);
    check(work_step(work, step)->state == CORE_STEP_AWAITING);
    switch (await->on_timeout) {
    case PLAN_AWAIT_CONTINUE:
        work_fault(work, step, code, message);
        forward_waived(work, step);
        return;
    case PLAN_AWAIT_FAIL:
        forward_rejected(work, step, code, message);
        return;
    case PLAN_AWAIT_PARK:
        forward_stuck(work, step, code, message);
        return;
    }
    check_never("an on_timeout of no kind");
}

/* The timer that the event names, or the first one. */
static int64_t named(struct work *work, uint16_t *step)
{
    const struct core_saga *saga = work->saga;
    check(work->event.kind == CORE_EVENT_TIMER);
    if (saga->unfinished) { /* what was begun goes on before anything else */
        work->event.deadline = false;
        work->event.step = (struct str){0};
        return timer_next(saga, NULL, NULL, step);
    }
    if (work->event.deadline) {
        *step = CORE_NO_STEP;
        bool runs = saga->deadline_us > 0 && saga->held_us == 0 && !core_ended(saga);
        return runs ? saga->deadline_us : INT64_MAX;
    }
    if (work->event.step.size == 0)
        return timer_next(saga, NULL, NULL, step);
    *step = core_find(saga, work->event.step);
    if (core_ended(saga) || *step == CORE_NO_STEP || !state_is_active(saga->steps[*step].state) ||
        is_held(saga, &saga->steps[*step]))
        return INT64_MAX;
    return saga->steps[*step].due_us;
}

void timer_fire(struct work *work)
{
    uint16_t step;
    int64_t due_us = named(work, &step);
    check(work->count == 0);
    if (due_us > work->event.at_us) {
        work_leave(work, CORE_IDLE, "nothing is due");
        return;
    }
    if (work->saga->unfinished) {
        work_take(work);
        return;
    }
    if (step == CORE_NO_STEP) {
        work_take(work);
        deadline(work);
        return;
    }
    enum core_step_state state = work_step(work, step)->state;
    check(state_is_active(state));
    work->event.step = core_step_path(work->saga, step);
    work->event.command_kind = state_kind(state);
    work->event.attempt = work_step(work, step)->attempts[state_kind(state)];
    work_take(work);
    if (state == CORE_STEP_AWAITING)
        not_signalled(work, step);
    else if (state == CORE_STEP_SLEEPING)
        work_move(work, step, CORE_STEP_DONE, 0);
    else if (state == state_waiting(state_kind(state)))
        attempt_go(work, step);
    else
        timed_out(work, step);
}

/* The only step's timer; when there are several, they are named. */
static bool find_only(struct work *work, uint16_t *step)
{
    const struct core_saga *saga = work->saga;
    uint32_t count = 0;
    struct buf names;
    check(work->event.only);
    buf_init(&names, work->scratch);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (!state_is_active(saga->steps[i].state))
            continue;
        *step = i;
        if (names.size < MOST_NAMES_BYTES) {
            buf_puts(&names, count > 0 ? ", " : "");
            buf_put(&names, core_step_path(saga, i));
        }
        count++;
    }
    if (count == 0)
        work_leave(work, CORE_REFUSED, "no step has a timer that runs%s",
                   saga->deadline_us > 0 ? "; the saga's deadline is moved only by saying so" : "");
    else if (count > 1)
        work_leave(work, CORE_REFUSED, "%u timers run, name the step: %.*s", count, WORDS(buf_str(&names)));
    else
        work->event.step = core_step_path(saga, *step);
    work->event.only = false;
    return count == 1;
}

static bool find_timer(struct work *work, uint16_t *step)
{
    const struct core_saga *saga = work->saga;
    check(work->event.kind == CORE_EVENT_MOVE);
    *step = CORE_NO_STEP;
    if (work->event.step.size == 0 && work->event.only)
        return find_only(work, step);
    if (work->event.step.size == 0) {
        if (saga->deadline_us > 0)
            return true;
        work_leave(work, CORE_REFUSED, "the saga has no deadline, or it has passed; name a step");
        return false;
    }
    *step = core_find(saga, work->event.step);
    if (*step != CORE_NO_STEP && state_is_active(work_step(work, *step)->state))
        return true;
    work_leave(work, CORE_REFUSED, "%.*s has no timer that runs", WORDS(work->event.step));
    return false;
}

void timer_move(struct work *work)
{
    uint16_t step;
    check(!core_ended(work->saga));
    if (!find_timer(work, &step))
        return;
    if (work->saga->held_us > 0 &&
        (step == CORE_NO_STEP || work_step(work, step)->state == CORE_STEP_AWAITING)) {
        work_leave(work, CORE_REFUSED,
                   "its deadline and awaits stand still while it is paused: resume it first");
        return;
    }
    int64_t at_us = work->event.at_us;
    int64_t due_us = work_until(work->event.due_us > at_us ? work->event.due_us : at_us);
    work->event.due_us = due_us;
    work_take(work);
    work_due(work, step, due_us);
}

void timer_hold(struct work *work, int64_t since_us)
{
    check(since_us >= 0);
    work_change(work, (struct core_change){
                          .kind = CORE_CHANGE_PAUSE, .step = CORE_NO_STEP, .flag = true, .due_us = since_us});
    check(work->saga->paused);
}

/* Later by as long as it stood still: since the pause, or since it was set, if that was during the pause. */
static int64_t later(const struct work *work, int64_t due_us, int64_t set_us, int64_t held_us)
{
    int64_t since_us = set_us > held_us ? set_us : held_us;
    check(due_us > 0);
    int64_t stood_us = work->event.at_us > since_us ? work->event.at_us - since_us : 0;
    return work_until(due_us + stood_us);
}

void timer_release(struct work *work)
{
    const struct core_saga *saga = work->saga;
    int64_t held_us = saga->held_us;
    check(saga->paused);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_PAUSE, .step = CORE_NO_STEP});
    if (held_us == 0)
        return;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const struct core_step *step = &saga->steps[i];
        if (step->state == CORE_STEP_AWAITING)
            work_due(work, i, later(work, step->due_us, step->due_set_us, held_us));
    }
    if (saga->deadline_us > 0)
        work_deadline(work, later(work, saga->deadline_us, saga->deadline_set_us, held_us));
}
