/* Operators about what is stuck: retry, skip, force; which step is meant, and a refusal that names what is
 * possible. Called by operator.c. Never touches a step that no human is asked about, but for a retry that
 * lets a waiting one go at once. */
#include "engine/core/resolve.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/back.h"
#include "engine/core/forward.h"
#include "engine/core/frames.h"
#include "engine/core/lost.h"
#include "engine/core/words.h"

enum { MOST_NAMES_BYTES = 300 }; /* of a sentence */

static bool is_waiting(enum core_step_state state)
{
    return state_commands(state) && state == state_waiting(state_kind(state));
}

static bool is_meant(const struct core_step *step, bool waiting)
{
    check(step->opened_us > 0);
    return waiting ? is_waiting(step->state) : state_is_stuck(step->state);
}

/* The only step that is stuck or, with `waiting`, between two attempts; CORE_NO_STEP when there is none.
 * False when there are several: the event is left, and they are named. */
static bool only_one(struct work *work, bool waiting, uint16_t *step)
{
    const struct core_saga *saga = work->saga;
    struct buf names;
    uint32_t count = 0;
    check(saga->step_count <= saga->step_room);
    *step = CORE_NO_STEP;
    buf_init(&names, work->scratch);
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (!is_meant(&saga->steps[i], waiting) || names.size > MOST_NAMES_BYTES)
            continue;
        *step = i;
        buf_puts(&names, count++ > 0 ? ", " : "");
        buf_put(&names, core_step_path(saga, i));
    }
    if (count < 2)
        return true;
    work_leave(work, CORE_REFUSED, "name the step: %.*s", WORDS(buf_str(&names)));
    return false;
}

/* For the journal row: the attempt that the verb is about. */
static uint32_t newest_attempt(const struct core_step *step)
{
    check((unsigned)step->state <= CORE_STEP_UNDO_WAIVED);
    if (state_is_active(step->state))
        return step->attempts[state_kind(step->state)];
    return step->attempts[step->state == CORE_STEP_UNDO_STUCK ? CORE_UNDO : CORE_DO];
}

/* Finds the step that the verb is about; false when it was named and is not there. */
static bool find(struct work *work, bool waiting, uint16_t *step)
{
    check(work->count == 0);
    if (work->event.step.size == 0) {
        if (!only_one(work, false, step))
            return false;
        if (*step == CORE_NO_STEP && waiting && !only_one(work, true, step))
            return false;
    } else {
        *step = core_find(work->saga, work->event.step);
        if (*step == CORE_NO_STEP) {
            work_leave(work, CORE_REFUSED, "no step of this name was opened");
            return false;
        }
    }
    if (*step != CORE_NO_STEP) {
        work->event.step = core_step_path(work->saga, *step);
        work->event.attempt = newest_attempt(work_step(work, *step));
    }
    return true;
}

/* What is computed from what is known gives the same again. */
static bool would_differ(const struct work *work, uint16_t step)
{
    enum plan_kind kind = work_node(work, step)->kind;
    check(kind != PLAN_SEQUENCE);
    return kind == PLAN_STEP || kind == PLAN_SAGA || kind == PLAN_AWAIT;
}

struct str resolve_possible(const struct work *work)
{
    const struct core_saga *saga = work->saga;
    bool lacks = core_lacks_output(saga);
    bool may_cancel =
        saga->direction == CORE_FORWARD && !saga->pivot_commanded && (!frames_at_end(saga) || lacks);
    struct buf out;
    check(!core_ended(saga));
    buf_init(&out, work->scratch);
    if (lost_holds(saga)) {
        buf_puts(&out, may_cancel ? "retry without a step, cancel, " : "retry without a step, ");
    } else if (lacks) {
        buf_puts(&out, may_cancel ? "force with the output, cancel, " : "force with the output, ");
    } else if (saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP) {
        buf_puts(&out, "retry without a step, ");
    } else if (saga->status == CORE_PARKED) {
        buf_puts(&out, "for ");
        buf_put(&out, core_step_path(saga, saga->park_step));
        buf_puts(&out, would_differ(work, saga->park_step) ? " retry, skip, force; " : " skip, force; ");
        buf_puts(&out, may_cancel ? "cancel, " : "");
    } else {
        buf_puts(&out, saga->paused ? "resume, " : "pause, ");
        buf_puts(&out, may_cancel ? "cancel, " : "");
    }
    buf_puts(&out, "terminate");
    return buf_str(&out);
}

static void leave_not_stuck(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(!core_ended(saga));
    const char *why = lost_holds(saga)                  ? "its history was lost"
                      : saga->status != CORE_PARKED     ? "it is not parked"
                      : core_lacks_output(saga)         ? "it has done everything and lacks its output"
                      : saga->park_step == CORE_NO_STEP ? "it is parked by its deadline"
                                                        : "the step is not stuck";
    work_leave(work, CORE_REFUSED, "%s; possible: %.*s", why, WORDS(resolve_possible(work)));
}

/* True when the verb is about a stuck step; else it is left. */
static bool find_stuck(struct work *work, uint16_t *step)
{
    if (!find(work, false, step))
        return false;
    if (*step != CORE_NO_STEP && state_is_stuck(work_step(work, *step)->state)) {
        check(work->saga->status == CORE_PARKED);
        return true;
    }
    leave_not_stuck(work);
    return false;
}

static bool may_be_tried(struct work *work, uint16_t step)
{
    check(state_is_stuck(work_step(work, step)->state));
    if (would_differ(work, step))
        return true;
    work_leave(work, CORE_REFUSED, "tried again, %.*s would fail the same way; possible: skip, terminate",
               WORDS(work->event.step));
    return false;
}

/* A child that has done everything but has no output: fresh attempts would begin another one. */
static bool asks_same_child(const struct work *work, uint16_t step)
{
    const struct core_step *it = work_step(work, step);
    check(state_is_stuck(it->state));
    return work_node(work, step)->kind == PLAN_SAGA && it->state == CORE_STEP_STUCK && it->unknown &&
           (str_equal(it->error_code, core_code_text(CORE_CODE_OUTPUT_FAILED)) ||
            str_equal(it->error_code, core_code_text(CORE_CODE_UNSENDABLE)));
}

static void unstick(struct work *work, uint16_t step)
{
    enum core_kind kind = work_step(work, step)->state == CORE_STEP_STUCK ? CORE_DO : CORE_UNDO;
    check(work->saga->status == CORE_PARKED);
    if (!asks_same_child(work, step))
        work_budget(work, step, kind);
    if (kind == CORE_DO && work_step(work, step)->attempts[CORE_VERIFY] > 0)
        work_budget(work, step, CORE_VERIFY);
    work_move(work, step, state_waiting(kind), work->event.at_us);
    work_review_park(work);
    attempt_go(work, step);
}

/* What parked the whole saga: its deadline, that its history was lost, or that it lacks its output. */
static void lift_park(struct work *work)
{
    check(work->saga->status == CORE_PARKED);
    check(work->saga->park_step == CORE_NO_STEP);
    enum core_direction direction = work->saga->direction;
    work_unpark(work);
    work_status(work, direction == CORE_BACK ? CORE_COMPENSATING : CORE_RUNNING, direction);
    for (uint16_t i = 0; i < work->saga->step_count; i++)
        attempt_go_if_due(work, i);
}

void resolve_retry(struct work *work)
{
    uint16_t step;
    bool whole = work->saga->status == CORE_PARKED && work->saga->park_step == CORE_NO_STEP;
    check(!core_ended(work->saga));
    if (whole && work->event.step.size == 0 && !core_lacks_output(work->saga)) {
        work_take(work);
        lift_park(work);
        return;
    }
    if (!find(work, true, &step))
        return;
    if (step != CORE_NO_STEP && state_is_stuck(work_step(work, step)->state)) {
        if (!may_be_tried(work, step))
            return;
        work_take(work);
        unstick(work, step);
        return;
    }
    if (step == CORE_NO_STEP || !is_waiting(work_step(work, step)->state) || whole) {
        leave_not_stuck(work);
        return;
    }
    if (work->saga->paused) {
        work_leave(work, CORE_REFUSED, "it is paused: resume sends it");
        return;
    }
    work_take(work);
    attempt_go(work, step);
}

void resolve_skip(struct work *work)
{
    uint16_t step;
    if (!find_stuck(work, &step))
        return;
    check(!core_ended(work->saga));
    work_take(work);
    if (work_step(work, step)->state == CORE_STEP_STUCK)
        forward_waived(work, step);
    else
        back_waived(work, step);
}

static void force_ok(struct work *work, uint16_t step)
{
    bool forward = work_step(work, step)->state == CORE_STEP_STUCK;
    struct str why;
    check(work->event.status == CORE_REPLY_OK);
    if (forward && !work_output_fits(work, step, &why)) {
        work_leave(work, CORE_REFUSED, "%.*s", WORDS(why));
        return;
    }
    work_take(work);
    check(forward != core_going_back(work->saga, step));
    if (forward)
        forward_done(work, step);
    else
        back_undone(work, step);
}

static void force_rejected(struct work *work, uint16_t step)
{
    struct str code = work->event.error_code;
    check(work->event.status == CORE_REPLY_REJECTED);
    if (code.size == 0)
        code = core_code_text(CORE_CODE_REJECTED);
    struct str message = work->event.error_message.size > 0 ? work->event.error_message : work->event.reason;
    work_take(work);
    check(work->saga->status == CORE_PARKED);
    if (work_step(work, step)->state == CORE_STEP_STUCK)
        forward_rejected(work, step, code, message);
    else
        back_stuck(work, step, code, message);
}

/* An operator gives what could not be computed. */
static void force_output(struct work *work)
{
    const struct core_saga *saga = work->saga;
    check(core_lacks_output(saga));
    if (work->event.status != CORE_REPLY_OK) {
        work_leave(work, CORE_REFUSED, "everything is done, only its output is missing; possible: %.*s",
                   WORDS(resolve_possible(work)));
        return;
    }
    work_take(work);
    work_change(work, (struct core_change){.kind = CORE_CHANGE_RESULT,
                                           .step = CORE_NO_STEP,
                                           .body = work->event.body ? work->event.body : &json_null});
    lift_park(work);
}

void resolve_force(struct work *work)
{
    uint16_t step;
    enum core_reply_status status = work->event.status;
    check(!core_ended(work->saga));
    if (status != CORE_REPLY_OK && status != CORE_REPLY_REJECTED) {
        work_leave(work, CORE_REFUSED, "only ok or rejected can be forced");
        return;
    }
    if (core_lacks_output(work->saga) && work->event.step.size == 0) {
        force_output(work);
        return;
    }
    if (!find_stuck(work, &step))
        return;
    check(state_is_stuck(work_step(work, step)->state));
    if (status == CORE_REPLY_OK)
        force_ok(work, step);
    else
        force_rejected(work, step);
}
