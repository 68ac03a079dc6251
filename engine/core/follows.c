#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/state.h"

/* Journals come from a disk: what core_step can only produce as a bug, core_fold must be able to refuse. */

static const char *open_follows(const struct core_saga *saga, const struct core_change *change)
{
    if (change->step != saga->step_count || saga->step_count >= CORE_NO_STEP / 2)
        return "a step is opened out of order";
    if (change->node >= saga->plan->node_count || saga->plan->nodes[change->node].kind != PLAN_STEP)
        return "the definition has no such step";
    if (change->frame >= saga->frame_count)
        return "the step belongs to no open block";
    return NULL;
}

static const char *send_follows(const struct core_saga *saga, const struct core_change *change)
{
    const struct core_step *step = &saga->steps[change->step];
    if (!core_action(saga->plan->nodes[step->node].step, change->command))
        return "the step has no command of this kind";
    if (step->state != state_waiting(change->command))
        return "a command is sent that nothing waited for";
    if (change->attempt != step->attempts[change->command] + 1)
        return "the attempts have a gap";
    return change->due_us > 0 ? NULL : "a command is sent without a time to wait";
}

static const char *move_follows(const struct core_saga *saga, const struct core_change *change)
{
    enum core_step_state state = saga->steps[change->step].state;
    if (change->from != state)
        return "the step is in another state";
    if (!state_move_allowed(state, change->state))
        return "the step may not move so";
    if (state_is_active(change->state) != (change->due_us > 0))
        return "an active step has no timer, or another one has";
    const struct plan_step *plan = saga->plan->nodes[saga->steps[change->step].node].step;
    if (state_is_active(change->state) && !core_action(plan, state_kind(change->state)))
        return "the step has no command of this kind";
    return NULL;
}

static bool is_stuck(enum core_step_state state)
{
    return state == CORE_STEP_STUCK || state == CORE_STEP_UNDO_STUCK;
}

static const char *extend_follows(const struct core_saga *saga, const struct core_change *change)
{
    const struct core_step *step = &saga->steps[change->step];
    if (!state_is_active(step->state) || step->pending_count >= LIMITS_PENDING_COUNT)
        return "the attempt cannot be extended";
    return change->due_us > 0 ? NULL : "an attempt is extended without a time to wait";
}

static const char *cursor_follows(const struct core_saga *saga, const struct core_change *change)
{
    if (change->frame >= saga->frame_count)
        return "a block moves on that is not open";
    const struct core_frame *frame = &saga->frames[change->frame];
    if (change->cursor != frame->cursor + 1 || change->cursor > saga->plan->nodes[frame->node].child_count)
        return "a block moves on out of order";
    return NULL;
}

static const char *text_follows(const struct core_change *change, bool may_be_empty)
{
    if (change->code.size > LIMITS_ERROR_CODE_BYTES || change->message.size > LIMITS_ERROR_MESSAGE_BYTES)
        return "a code or a message is too long";
    if (!may_be_empty && change->code.size == 0)
        return "a code is missing";
    return NULL;
}

static const char *output_follows(const struct core_saga *saga, const struct core_event *event,
                                  const struct core_change *change)
{
    if (event->kind != CORE_EVENT_REPLY && event->kind != CORE_EVENT_FORCE)
        return "an output comes from no reply";
    return saga->steps[change->step].succeeded ? "the step has an output already" : NULL;
}

static const char *step_follows(const struct core_saga *saga, const struct core_event *event,
                                const struct core_change *change)
{
    if (change->step >= saga->step_count)
        return "the step was never opened";
    if (change->kind == CORE_CHANGE_SEND)
        return send_follows(saga, change);
    if (change->kind == CORE_CHANGE_STEP)
        return move_follows(saga, change);
    if (change->kind == CORE_CHANGE_EXTEND)
        return extend_follows(saga, change);
    if (change->kind == CORE_CHANGE_BUDGET)
        return is_stuck(saga->steps[change->step].state)
                   ? NULL
                   : "fresh attempts are granted to a step that is not stuck";
    if (change->kind == CORE_CHANGE_FAULT)
        return text_follows(change, false);
    if (change->kind == CORE_CHANGE_OUTPUT)
        return output_follows(saga, event, change);
    return NULL;
}

static const char *reason_follows(const struct core_saga *saga, const struct core_change *change)
{
    if (change->step != CORE_NO_STEP && change->step >= saga->step_count)
        return "the reason names a step that was never opened";
    if (change->code.size == 0 && change->message.size > 0)
        return "a reason without a code";
    return text_follows(change, change->kind == CORE_CHANGE_PARK);
}

const char *state_follows(const struct core_saga *saga, const struct core_event *event,
                          const struct core_change *change)
{
    check(saga->frame_count > 0);
    switch (change->kind) {
    case CORE_CHANGE_OPEN:
        return open_follows(saga, change);
    case CORE_CHANGE_SEND:
    case CORE_CHANGE_STEP:
    case CORE_CHANGE_EXTEND:
    case CORE_CHANGE_OUTPUT:
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_UNKNOWN:
    case CORE_CHANGE_BUDGET:
        return step_follows(saga, event, change);
    case CORE_CHANGE_CURSOR:
        return cursor_follows(saga, change);
    case CORE_CHANGE_CAUSE:
    case CORE_CHANGE_PARK:
        return reason_follows(saga, change);
    case CORE_CHANGE_STATUS:
    case CORE_CHANGE_DEADLINE:
    case CORE_CHANGE_PAUSE:
    case CORE_CHANGE_RESULT:
        return NULL;
    }
    check_never("a change of no kind");
}

const char *state_event_follows(const struct core_saga *saga, int64_t seq, const struct core_event *event)
{
    check(saga->seq >= 0);
    if (seq != saga->seq + 1)
        return "the journal has a gap";
    if (event->at_us < saga->updated_us || event->at_us <= 0 || event->at_us > INT64_MAX / 2)
        return "the journal goes back in time, or out of it";
    if ((event->kind == CORE_EVENT_START) != (saga->seq == 0))
        return "a saga starts with its first record";
    if (event->kind == CORE_EVENT_REPLY && state_find(saga, event->step) == CORE_NO_STEP)
        return "a reply answers a step that was never opened";
    return NULL;
}

static const char *step_inconsistent(const struct core_saga *saga, uint16_t index)
{
    const struct core_step *step = &saga->steps[index];
    check(index < saga->step_count);
    if (step->state == CORE_STEP_DONE && !step->succeeded)
        return "a step is done without an output";
    if (state_is_active(step->state) && (saga->status == CORE_COMPLETED || saga->status == CORE_COMPENSATED))
        return "it has ended with a step under way";
    bool asked = saga->status == CORE_PARKED && saga->park_step == index;
    if (is_stuck(step->state) && !asked && saga->status != CORE_TERMINATED)
        return "nobody is asked about a step that is stuck";
    return NULL;
}

const char *state_inconsistent(const struct core_saga *saga)
{
    bool back = saga->status == CORE_COMPENSATING || saga->status == CORE_COMPENSATED;
    bool forward = saga->status == CORE_RUNNING || saga->status == CORE_COMPLETED;
    check(saga->seq > 0);
    check((unsigned)saga->status <= CORE_TERMINATED);
    if ((back && saga->direction != CORE_BACK) || (forward && saga->direction != CORE_FORWARD))
        return "the status does not fit the direction";
    if ((saga->status == CORE_PARKED) != (saga->park_code.size > 0))
        return "it is parked without a reason, or has one without being parked";
    if (saga->direction == CORE_BACK && saga->cause_code.size == 0)
        return "it goes back without a cause";
    if (saga->direction == CORE_BACK && saga->deadline_us != 0)
        return "it goes back with a deadline";
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const char *problem = step_inconsistent(saga, i);
        if (problem)
            return problem;
    }
    return NULL;
}
