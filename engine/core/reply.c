/* What participants say: whether the answer belongs to a command of theirs, whether it still counts, and what
 * it means. Called by core.c for a reply, by delivery.c for the rule of a code. Never decides by itself what
 * becomes of the step: forward.c, back.c and unclear.c do. */
#include "engine/core/reply.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/attempt.h"
#include "engine/core/back.h"
#include "engine/core/forward.h"
#include "engine/core/unclear.h"
#include "engine/core/words.h"

/* A do that is not decided yet: any success counts, and a rejection by its newest attempt. */
static bool undecided(enum core_step_state state)
{
    check((unsigned)state <= CORE_STEP_UNDO_WAIVED);
    return state == CORE_STEP_WAITING || state == CORE_STEP_SENT || state == CORE_STEP_VERIFY_WAITING ||
           state == CORE_STEP_VERIFY_SENT;
}

static bool undo_begun(enum core_step_state state)
{
    check((unsigned)state <= CORE_STEP_UNDO_WAIVED);
    return state == CORE_STEP_UNDO_WAITING || state == CORE_STEP_UNDO_SENT || state == CORE_STEP_UNDO_STUCK;
}

/* True when the answer belongs to a command that was sent; else it is left as dead. */
static bool belongs(struct work *work, uint16_t *step)
{
    const struct core_event *event = &work->event;
    check((unsigned)event->command_kind < CORE_KIND_COUNT);
    *step = core_find(work->saga, event->step);
    struct str kind = core_kind_text(event->command_kind);
    const char *past = work->saga->lost_seq > 0
                           ? " in the history that is left: its command was part of what the database lost"
                           : "";
    if (*step != CORE_NO_STEP && work_node(work, *step)->step == NULL)
        *step = CORE_NO_STEP;
    if (*step == CORE_NO_STEP) {
        work_leave(work, CORE_DEAD, "no step \"%.*s\" was commanded%s", WORDS(event->step), past);
        return false;
    }
    if (event->attempt == 0 || event->attempt > work_step(work, *step)->attempts[event->command_kind]) {
        work_leave(work, CORE_DEAD, "%.*s attempt %u of %.*s was never sent%s", WORDS(kind), event->attempt,
                   WORDS(event->step), past);
        return false;
    }
    struct str owner = work_action(work, *step, event->command_kind)->participant;
    if (event->participant.size > 0 && !str_equal(event->participant, owner)) {
        work_leave(work, CORE_DEAD, "%.*s answered a command to %.*s", WORDS(event->participant),
                   WORDS(owner));
        return false;
    }
    work->event.step = core_step_path(work->saga, *step);
    return true;
}

/* Of a success that comes when the saga has ended: what it tells of stays as it is. */
static void leave_behind(struct work *work, uint16_t step, const char *because)
{
    struct str kind = core_kind_text(work->event.command_kind);
    check(work->event.status == CORE_REPLY_OK);
    check(core_ended(work->saga));
    work_leave_witness(
        work, work_text(work, "%.*s attempt %u of %.*s succeeded after the saga had ended, and stays so: %s",
                        WORDS(kind), work->event.attempt, WORDS(core_step_path(work->saga, step)), because));
}

/* The success is the first one, and the step was given up already. */
static void late_success(struct work *work, uint16_t step)
{
    check(!work_step(work, step)->succeeded);
    check(work->event.status == CORE_REPLY_OK);
    if (work->event.command_kind == CORE_VERIFY && work_step(work, step)->attempts[CORE_UNDO] > 0) {
        work_leave(work, CORE_LATE, "the compensation was commanded since it was asked");
        return;
    }
    if (core_ended(work->saga) && !work_node(work, step)->step->has_undo) {
        leave_behind(work, step, "the step has no compensation");
        return;
    }
    work_take(work);
    back_late_success(work, step);
}

static void take_success(struct work *work, uint16_t step)
{
    const struct core_step *it = work_step(work, step);
    struct str why;
    check(work->event.status == CORE_REPLY_OK);
    if (it->succeeded) {
        work_leave(work, CORE_DUPLICATE, "a success of %.*s was taken already", WORDS(work->event.step));
        return;
    }
    if (!work_output_fits(work, step, &why)) {
        unclear_spoil(work, why);
        unclear_unusable(work, step);
        return;
    }
    if (!undecided(it->state) && it->state != CORE_STEP_STUCK) {
        late_success(work, step);
        return;
    }
    work_take(work);
    forward_done(work, step);
}

static void take_undone(struct work *work, uint16_t step)
{
    const struct core_step *it = work_step(work, step);
    check(work->event.status == CORE_REPLY_OK);
    if (work->event.attempt <= it->undo_floor || it->state == CORE_STEP_UNDONE) {
        work_leave(work, CORE_DUPLICATE, "%.*s was undone already, or is undone anew",
                   WORDS(work->event.step));
        return;
    }
    if (!undo_begun(it->state)) {
        work_leave_witness(
            work,
            work_text(work, "an operator has let the compensation of %.*s go, which was done all the same",
                      WORDS(work->event.step)));
        return;
    }
    work_take(work);
    back_undone(work, step);
}

static void take_pending(struct work *work, uint16_t step)
{
    check(work->event.status == CORE_REPLY_PENDING);
    if (!unclear_is_outstanding(work, step))
        return;
    if (work_step(work, step)->pending_count >= LIMITS_PENDING_COUNT) {
        work_leave(work, CORE_LATE, "the attempt was extended %d times already", LIMITS_PENDING_COUNT);
        return;
    }
    int64_t timeout_us = work_action(work, step, work->event.command_kind)->timeout_us;
    check(timeout_us > 0);
    work_take(work);
    work_change(work, (struct core_change){
                          .kind = CORE_CHANGE_EXTEND, .step = step, .due_us = work_after(work, timeout_us)});
}

static void take_retry(struct work *work, uint16_t step)
{
    const struct core_event *event = &work->event;
    check(event->status != CORE_REPLY_OK);
    check(event->status != CORE_REPLY_PENDING);
    if (!unclear_is_outstanding(work, step))
        return;
    work_take(work);
    check(work_step(work, step)->state == state_sent(event->command_kind));
    if (event->command_kind == CORE_DO && work_halted(work, step))
        back_settle(work, step);
    else
        attempt_again(work, step, event->retry_after_us, event->error_code, event->error_message);
}

static struct str code_of(const struct work *work)
{
    check(work->event.status == CORE_REPLY_REJECTED);
    return work->event.error_code.size > 0 ? work->event.error_code : core_code_text(CORE_CODE_REJECTED);
}

enum plan_on_error reply_rule(const struct work *work, uint16_t step)
{
    const struct plan_error_rule *rule =
        plan_error_rule_for(work_node(work, step)->step, work->event.error_code);
    return rule == NULL ? PLAN_ON_ERROR_FAIL : rule->then;
}

/* A rule for any code is about what did not happen: it does not hold for a child that has done everything. */
static enum plan_on_error rule_without_output(const struct work *work, uint16_t step)
{
    const struct plan_error_rule *rule =
        plan_error_rule_for(work_node(work, step)->step, work->event.error_code);
    bool is_named = rule != NULL && !str_equal(rule->code, STR(PLAN_ANY_CODE));
    return is_named ? rule->then : PLAN_ON_ERROR_PARK;
}

/* A child that was stopped without being undone, or that an operator's retry could not begin anew: nobody but
 * a human can say what is to be done. */
static bool asks_human(const struct work *work, uint16_t step)
{
    struct str code = work->event.error_code;
    check(work->event.status == CORE_REPLY_REJECTED);
    if (work_node(work, step)->kind != PLAN_SAGA || work_halted(work, step))
        return false;
    bool retried = work_step(work, step)->budget_base[CORE_DO] > 0;
    return str_equal(code, core_code_text(CORE_CODE_CHILD_TERMINATED)) ||
           (retried && str_equal(code, core_code_text(CORE_CODE_CHILD_REFUSED)));
}

/* Going back, whatever the rule says, a rejection is good news: there is nothing to undo. */
static void do_rejected(struct work *work, uint16_t step)
{
    struct str code = code_of(work);
    struct str message = work->event.error_message;
    check(work->event.command_kind == CORE_DO);
    enum plan_on_error rule = work_halted(work, step) ? PLAN_ON_ERROR_FAIL : reply_rule(work, step);
    check(code.size > 0);
    if (rule == PLAN_ON_ERROR_RETRY) {
        take_retry(work, step);
        return;
    }
    work_take(work);
    if (asks_human(work, step)) {
        forward_stuck(work, step, code, message);
        return;
    }
    if (rule == PLAN_ON_ERROR_FAIL) {
        forward_rejected(work, step, code, message);
        return;
    }
    work_unknown(work, step, false);
    if (rule == PLAN_ON_ERROR_PARK) {
        forward_stuck(work, step, code, message);
        return;
    }
    check(rule == PLAN_ON_ERROR_CONTINUE);
    work_fault(work, step, code, message);
    forward_waived(work, step);
}

static bool may_reject(const struct work *work, uint16_t step)
{
    enum core_step_state state = work_step(work, step)->state;
    switch (work->event.command_kind) {
    case CORE_DO:
        return undecided(state);
    case CORE_VERIFY:
        return state == CORE_STEP_VERIFY_SENT || state == CORE_STEP_VERIFY_WAITING;
    case CORE_UNDO:
        return state == CORE_STEP_UNDO_SENT || state == CORE_STEP_UNDO_WAITING;
    }
    check_never("a command of no kind");
}

static void take_rejected(struct work *work, uint16_t step)
{
    enum core_kind kind = work->event.command_kind;
    check(work->event.status == CORE_REPLY_REJECTED);
    if (!may_reject(work, step)) {
        work_leave(work, CORE_LATE, "%.*s is decided already", WORDS(work->event.step));
        return;
    }
    if (kind == CORE_DO) {
        do_rejected(work, step);
        return;
    }
    work_take(work);
    if (kind == CORE_UNDO)
        back_stuck(work, step, code_of(work), work->event.error_message);
    else
        forward_verified(work, step);
}

/* The child's effects are there: whatever becomes of the step, they are undone when it goes back. */
static void lacks_output(struct work *work, uint16_t step)
{
    struct str code = work->event.error_code;
    struct str message = work->event.error_message;
    enum plan_on_error rule = rule_without_output(work, step);
    check(code.size > 0);
    work_unknown(work, step, true);
    if (work_halted(work, step)) {
        work_fault(work, step, code, message);
        back_settle(work, step);
        return;
    }
    switch (rule) {
    case PLAN_ON_ERROR_CONTINUE:
        work_fault(work, step, code, message);
        forward_waived(work, step);
        return;
    case PLAN_ON_ERROR_FAIL:
        forward_kept(work, step, code, message);
        return;
    case PLAN_ON_ERROR_RETRY: /* not of a child */
    case PLAN_ON_ERROR_PARK:
        forward_stuck(work, step, code, message);
        return;
    }
    check_never("a rule of no kind");
}

/* What becomes of the child later, its output given or itself undone, is told by another answer. */
static void take_no_output(struct work *work, uint16_t step)
{
    check(work->event.status == CORE_REPLY_NO_OUTPUT);
    if (work_node(work, step)->kind != PLAN_SAGA || work->event.command_kind != CORE_DO) {
        work_leave(work, CORE_DEAD, "only a child saga that was started ends without an output");
        return;
    }
    if (!undecided(work_step(work, step)->state)) {
        work_leave(work, CORE_LATE, "%.*s is decided already", WORDS(work->event.step));
        return;
    }
    if (work->event.error_code.size == 0)
        work->event.error_code = core_code_text(CORE_CODE_OUTPUT_FAILED);
    work_take(work);
    lacks_output(work, step);
}

/* Whoever found that it cannot be used has said why, and not more. */
static void take_unusable(struct work *work, uint16_t step)
{
    check(work->event.status == CORE_REPLY_UNUSABLE);
    unclear_spoil(work, work->event.error_message);
    unclear_unusable(work, step);
}

/* The saga stays as it is. What the journal does not know must not vanish all the same: a step that was done,
 * though it was skipped or left, or was undone, though its saga was left. A child is its own record. */
static void after_end(struct work *work, uint16_t step)
{
    const struct core_step *it = work_step(work, step);
    bool undoes = work->event.command_kind == CORE_UNDO;
    bool known = undoes ? it->state == CORE_STEP_UNDONE : it->succeeded;
    bool terminated = work->saga->status == CORE_TERMINATED;
    check(core_ended(work->saga));
    if (work->event.status != CORE_REPLY_OK || known || work_node(work, step)->kind == PLAN_SAGA)
        work_leave(work, CORE_LATE, "the saga has ended");
    else
        leave_behind(work, step, terminated ? "it was terminated" : "it has completed without it");
}

void reply_take(struct work *work)
{
    uint16_t step;
    if (!belongs(work, &step))
        return;
    enum core_status status = work->saga->status;
    check(step < work->saga->step_count);
    if (status == CORE_TERMINATED || (status == CORE_COMPLETED && !core_going_back(work->saga, step))) {
        after_end(work, step);
        return;
    }
    if (work->event.status == CORE_REPLY_OK && work->event.command_kind == CORE_UNDO)
        take_undone(work, step);
    else if (work->event.status == CORE_REPLY_OK)
        take_success(work, step);
    else if (work->event.status == CORE_REPLY_UNUSABLE)
        take_unusable(work, step);
    else if (work->event.status == CORE_REPLY_UNCLEAR)
        unclear_failed(work, step);
    else if (!unclear_is_news(work, step))
        return;
    else if (work->event.status == CORE_REPLY_NO_OUTPUT)
        take_no_output(work, step);
    else if (work->event.status == CORE_REPLY_PENDING)
        take_pending(work, step);
    else if (work->event.status == CORE_REPLY_RETRY || work->event.status == CORE_REPLY_UNSENT)
        take_retry(work, step);
    else
        take_rejected(work, step);
}
