/* What has become of a step's do: done, rejected, waived, stuck, in doubt, or asked again by verify. Called
 * by whoever heard it: reply, timer, delivery, operators. Never opens the next step: flow.c does. */
#include "engine/core/forward.h"
#include "engine/base/check.h"
#include "engine/core/attempt.h"
#include "engine/core/flow.h"
#include "engine/core/frames.h"
#include "engine/core/words.h"

void forward_done(struct work *work, uint16_t step)
{
    check(work->event.kind == CORE_EVENT_REPLY || work->event.kind == CORE_EVENT_FORCE);
    work_output(work, step);
    work_move(work, step, CORE_STEP_DONE, 0);
    check(work_step(work, step)->succeeded);
}

void forward_waived(struct work *work, uint16_t step)
{
    check(!work_halted(work, step));
    check(!work_step(work, step)->succeeded);
    work_move(work, step, CORE_STEP_WAIVED, 0);
}

void forward_rejected(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(code.size > 0);
    check(!work_step(work, step)->succeeded);
    work_unknown(work, step, false);
    bool halted = work_halted(work, step);
    if (!halted && work_node(work, step)->after_pivot) {
        forward_stuck(work, step, code, message);
        return;
    }
    work_fault(work, step, code, message);
    work_move(work, step, CORE_STEP_REJECTED, 0);
    if (!halted)
        flow_fail(work, work_step(work, step)->frame, step, code, message);
}

void forward_stuck(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(!work_halted(work, step));
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

/* What leaves a step in doubt is that nobody answered in time, unless the last attempt was answered with what
 * tells nothing. */
static struct str doubt_code(const struct work *work, struct str code)
{
    bool unclear = work->event.kind == CORE_EVENT_REPLY && work->event.status == CORE_REPLY_UNCLEAR;
    bool noted =
        work->event.kind == CORE_EVENT_TIMER && str_equal(code, core_code_text(CORE_CODE_REPLY_UNUSABLE));
    check(code.size > 0);
    return unclear || noted ? code : core_code_text(CORE_CODE_TIMEOUT);
}

static void unanswered(struct work *work, uint16_t step, struct str code, struct str message)
{
    const struct plan_step *plan = work_node(work, step)->step;
    check(work_step(work, step)->unknown);
    check(!work_halted(work, step));
    switch (plan->on_timeout) {
    case PLAN_ON_TIMEOUT_RETRY:
    case PLAN_ON_TIMEOUT_VERIFY:
        if (plan->has_verify)
            ask(work, step);
        else
            forward_in_doubt(work, step, code, message);
        return;
    case PLAN_ON_TIMEOUT_COMPENSATE:
        forward_in_doubt(work, step, code, message);
        return;
    case PLAN_ON_TIMEOUT_PARK:
        forward_stuck(work, step, doubt_code(work, code), message);
        return;
    }
    check_never("an on_timeout of no kind");
}

/* Whether `verify` has something to say though no attempt went unanswered: who said `retry` may have done it
 * all the same. A rejection that is tried again says that it did not happen, and so does that nobody was
 * there. */
static bool is_asked_anyway(const struct work *work, uint16_t step)
{
    const struct plan_step *plan = work_node(work, step)->step;
    uint32_t rules = work->saga->rules;
    bool asks = plan->on_timeout == PLAN_ON_TIMEOUT_RETRY || plan->on_timeout == PLAN_ON_TIMEOUT_VERIFY;
    bool no = (work->event.kind == CORE_EVENT_REPLY && work->event.status == CORE_REPLY_REJECTED) ||
              work->event.kind == CORE_EVENT_UNDELIVERED;
    check(work_step(work, step)->attempts[CORE_DO] > 0);
    if (rules < CORE_RULES_PUT_OFF)
        return rules > CORE_RULES_FIRST && plan->has_verify && asks && !no;
    return plan->has_verify && asks && work_step(work, step)->put_off;
}

void forward_exhausted(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(state_kind(work_step(work, step)->state) == CORE_DO);
    check(code.size > 0);
    if (!work_step(work, step)->unknown && is_asked_anyway(work, step))
        work_unknown(work, step, true);
    if (work_step(work, step)->unknown)
        unanswered(work, step, code, message);
    else
        forward_rejected(work, step, code, message);
}

void forward_verified(struct work *work, uint16_t step)
{
    check(work->event.command_kind == CORE_VERIFY);
    check(work->event.status == CORE_REPLY_REJECTED);
    if (work->saga->rules > CORE_RULES_FIRST && work_step(work, step)->answered[CORE_DO])
        forward_rejected(work, step, core_code_text(CORE_CODE_RETRIES_EXHAUSTED),
                         STR("no attempt was answered with success; verified as not happened"));
    else
        forward_rejected(work, step, core_code_text(CORE_CODE_TIMEOUT),
                         STR("no attempt was answered in time; verified as not happened"));
}

/* The code that left it in doubt, where another takes its place. */
static struct str told(struct work *work, struct str code, struct str message)
{
    bool failed = work->event.kind == CORE_EVENT_REPLY && work->event.status == CORE_REPLY_UNCLEAR &&
                  !str_equal(code, core_code_text(CORE_CODE_REPLY_UNUSABLE));
    check(code.size > 0);
    if (!failed)
        return message;
    struct str text = work_text(work, "it was answered %.*s%s%.*s", WORDS(code), message.size > 0 ? ": " : "",
                                (int)message.size, message.size > 0 ? message.data : "");
    return work_clean_message(text);
}

void forward_kept(struct work *work, uint16_t step, struct str code, struct str message)
{
    check(work_step(work, step)->unknown);
    check(!work_halted(work, step));
    if (work_node(work, step)->after_pivot) {
        forward_stuck(work, step, code, message);
        return;
    }
    work_fault(work, step, code, message);
    work_move(work, step, CORE_STEP_DOUBT, 0);
    flow_fail(work, work_step(work, step)->frame, step, code, message);
}

void forward_in_doubt(struct work *work, uint16_t step, struct str code, struct str message)
{
    const struct plan_node *node = work_node(work, step);
    check(work_step(work, step)->unknown);
    if (work_halted(work, step)) {
        work_move(work, step, CORE_STEP_DOUBT, 0);
        return;
    }
    check(work_step(work, step)->state != CORE_STEP_STUCK);
    if (node->after_pivot || node->step->pivot) {
        forward_stuck(work, step, core_code_text(CORE_CODE_IN_DOUBT), told(work, code, message));
        return;
    }
    work_move(work, step, CORE_STEP_DOUBT, 0);
    flow_fail(work, work_step(work, step)->frame, step, doubt_code(work, code), message);
}
