/* Whether a record, or one change of it, can follow the state that a saga has: for journals, which may be
 * damaged. Called by core_fold before it applies each change, and by state.c as a check. Never changes a
 * saga, and never stops the process: it says what is wrong. */
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/frames.h"
#include "engine/core/lost.h"
#include "engine/core/state.h"

/* Journals come from a disk: what core_step can only produce as a bug, core_fold must be able to refuse. */

/* What stands in an open sequence: it is the child at the cursor, and nothing stands there yet. */
static const char *place_follows(const struct core_saga *saga, uint16_t frame, uint16_t node)
{
    if (frame >= saga->frame_count || frames_node(saga, frame)->kind != PLAN_SEQUENCE)
        return "the step belongs to no open block";
    const struct core_frame *sequence = &saga->frames[frame];
    const struct plan_node *plan = frames_node(saga, frame);
    if (sequence->state != CORE_BLOCK_OPEN || sequence->cursor >= plan->child_count ||
        plan->children[sequence->cursor] != node)
        return "it is not what comes next in its block";
    if (sequence->at_step != CORE_NO_STEP || sequence->at_frame != CORE_NO_STEP)
        return "something else is under way in its block";
    return NULL;
}

static const char *open_follows(const struct core_saga *saga, const struct core_change *change)
{
    if (change->step != saga->step_count || saga->step_count >= LIMITS_INSTANCES)
        return "a step is opened out of order";
    if (change->node >= saga->plan->node_count)
        return "the definition has no such step";
    enum plan_kind kind = saga->plan->nodes[change->node].kind;
    if (kind == PLAN_SEQUENCE || kind == PLAN_PARALLEL || kind == PLAN_SCOPE)
        return "the definition has no such step";
    return place_follows(saga, change->frame, change->node);
}

static const char *items_follow(const struct plan_node *node, const struct core_change *change)
{
    if ((node->kind == PLAN_FOREACH) != (change->body != NULL))
        return "a foreach is entered without items, or something else with some";
    if (change->body == NULL)
        return NULL;
    if (change->body->kind != JSON_ARRAY || change->body->count > node->fan->items_max)
        return "a foreach is entered with items that it does not take";
    return NULL;
}

/* A branch, an item or a scope's body: its parent is a block. */
static const char *inner_follows(const struct core_saga *saga, const struct core_change *change)
{
    const struct core_frame *parent = &saga->frames[change->parent];
    const struct plan_node *block = frames_node(saga, change->parent);
    if (saga->plan->nodes[change->node].parent != parent->node || parent->state != CORE_BLOCK_OPEN)
        return "the block has no such part, or is not open";
    if (block->kind == PLAN_SCOPE)
        return parent->at_frame == CORE_NO_STEP && change->index == 0 ? NULL
                                                                      : "the scope was entered already";
    uint32_t most = block->kind == PLAN_FOREACH ? parent->items->count : block->child_count;
    if (change->index != parent->cursor || change->index >= most)
        return "a branch is entered out of order";
    if (block->kind == PLAN_PARALLEL && block->children[change->index] != change->node)
        return "a branch is entered out of order";
    return NULL;
}

static const char *frame_follows(const struct core_saga *saga, const struct core_change *change)
{
    if (change->frame != saga->frame_count || saga->frame_count >= CORE_NO_STEP / 2)
        return "a block is entered out of order";
    if (change->node >= saga->plan->node_count || change->parent >= saga->frame_count)
        return "the definition has no such block";
    const struct plan_node *node = &saga->plan->nodes[change->node];
    bool block = node->kind == PLAN_PARALLEL || node->kind == PLAN_FOREACH || node->kind == PLAN_SCOPE;
    if (!block && node->kind != PLAN_SEQUENCE)
        return "the definition has no such block";
    const char *wrong = items_follow(node, change);
    if (wrong)
        return wrong;
    if (block)
        return place_follows(saga, change->parent, change->node);
    if (frames_node(saga, change->parent)->kind != PLAN_SEQUENCE)
        return inner_follows(saga, change);
    return saga->plan->nodes[node->parent].kind == PLAN_SWITCH
               ? place_follows(saga, change->parent, node->parent)
               : "the definition has no such block";
}

static const char *text_follows(const struct core_change *change, bool may_be_empty)
{
    if (change->code.size > LIMITS_ERROR_CODE_BYTES || change->message.size > LIMITS_ERROR_MESSAGE_BYTES)
        return "a code or a message is too long";
    if (!may_be_empty && change->code.size == 0)
        return "a code is missing";
    return NULL;
}

static const char *block_follows(const struct core_saga *saga, const struct core_change *change)
{
    if (change->frame >= saga->frame_count || change->frame == FRAMES_ROOT)
        return "a block ends that was never entered";
    if (change->step != CORE_NO_STEP && change->step >= saga->step_count)
        return "the reason names a step that was never opened";
    const struct core_frame *frame = &saga->frames[change->frame];
    bool scope = frames_node(saga, change->frame)->kind == PLAN_SCOPE;
    bool may_end = frame->state == CORE_BLOCK_OPEN || (scope && frame->state == CORE_BLOCK_BACK);
    if (change->block == CORE_BLOCK_OPEN || !may_end || (change->block == CORE_BLOCK_BACK && !scope))
        return "a block may not move so";
    if (change->block == CORE_BLOCK_FAILED && !frames_is_fan(saga, frame->parent))
        return "a block may not move so";
    return change->block == CORE_BLOCK_CLOSED ? NULL : text_follows(change, false);
}

static const char *take_follows(const struct core_saga *saga, const struct core_change *change)
{
    if (change->index >= saga->signal_count || !core_signal_kept(&saga->signals[change->index]))
        return "an await takes a signal that is not there";
    const struct core_step *step = &saga->steps[change->step];
    if (saga->plan->nodes[step->node].kind != PLAN_AWAIT || step->succeeded)
        return "what takes a signal does not await one";
    return NULL;
}

static const char *send_follows(const struct core_saga *saga, const struct core_change *change)
{
    const struct core_step *step = &saga->steps[change->step];
    const struct plan_step *plan = saga->plan->nodes[step->node].step;
    if (plan == NULL || !core_action(plan, change->command))
        return "the step has no command of this kind";
    if (step->state != state_waiting(change->command))
        return "a command is sent that nothing waited for";
    if (change->attempt != step->attempts[change->command] + 1)
        return "the attempts have a gap";
    if (change->family > 0 && change->family != step->family &&
        (step->family > 0 || change->family > saga->family_left))
        return "a child saga is given more than is left";
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
    const struct plan_node *node = &saga->plan->nodes[saga->steps[change->step].node];
    if ((change->state == CORE_STEP_AWAITING) > (node->kind == PLAN_AWAIT) ||
        (change->state == CORE_STEP_SLEEPING) > (node->kind == PLAN_WAIT))
        return "the step does not wait so";
    if (!state_commands(change->state) || change->state == CORE_STEP_WAITING)
        return NULL;
    if (node->step == NULL || !core_action(node->step, state_kind(change->state)))
        return "the step has no command of this kind";
    return NULL;
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
    const struct plan_node *node = frames_node(saga, change->frame);
    if (node->kind != PLAN_SEQUENCE || frame->state != CORE_BLOCK_OPEN)
        return "a block moves on that is not open";
    if (change->cursor != frame->cursor + 1 || change->cursor > node->child_count)
        return "a block moves on out of order";
    return NULL;
}

static const char *note_follows(const struct core_saga *saga, const struct core_event *event,
                                const struct core_change *change)
{
    const struct core_step *step = &saga->steps[change->step];
    if (event->kind != CORE_EVENT_REPLY)
        return "an answer is noted that did not come";
    if (change->attempt > step->attempts[change->command] || change->attempt <= step->noted[change->command])
        return "an answer is noted twice, or of an attempt that was never made";
    return text_follows(change, false);
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
    if (change->kind == CORE_CHANGE_TAKE)
        return take_follows(saga, change);
    if (change->kind == CORE_CHANGE_MOVE)
        return state_is_active(saga->steps[change->step].state) && change->due_us > 0
                   ? NULL
                   : "a timer is moved that does not run";
    if (change->kind == CORE_CHANGE_BUDGET)
        return state_is_stuck(saga->steps[change->step].state)
                   ? NULL
                   : "fresh attempts are granted to a step that is not stuck";
    if (change->kind == CORE_CHANGE_FAULT)
        return text_follows(change, false);
    if (change->kind == CORE_CHANGE_NOTE)
        return note_follows(saga, event, change);
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
    case CORE_CHANGE_FRAME:
        return frame_follows(saga, change);
    case CORE_CHANGE_BLOCK:
        return block_follows(saga, change);
    case CORE_CHANGE_KEEP:
        return event->kind == CORE_EVENT_SIGNAL && saga->signal_count < LIMITS_SIGNALS
                   ? NULL
                   : "a signal is kept that did not come";
    case CORE_CHANGE_DROP:
        return change->index < saga->signal_count && core_signal_kept(&saga->signals[change->index])
                   ? NULL
                   : "a signal is dropped that is not kept";
    case CORE_CHANGE_TAKE:
    case CORE_CHANGE_MOVE:
    case CORE_CHANGE_SEND:
    case CORE_CHANGE_STEP:
    case CORE_CHANGE_EXTEND:
    case CORE_CHANGE_OUTPUT:
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_NOTE:
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
    case CORE_CHANGE_MORE:
        return NULL;
    }
    check_never("a change of no kind");
}

const char *state_event_follows(const struct core_saga *saga, int64_t seq, const struct core_event *event)
{
    check(saga->seq >= 0);
    if (seq != saga->seq + 1)
        return "the journal has a gap";
    if ((event->at_us < saga->updated_us) != (event->kind == CORE_EVENT_CLOCK) || event->at_us <= 0 ||
        event->at_us > INT64_MAX / 2)
        return "the journal goes back in time, or out of it";
    if ((event->kind == CORE_EVENT_START) != (saga->seq == 0))
        return "a saga starts with its first record";
    if (event->kind == CORE_EVENT_START &&
        (event->rules < CORE_RULES_FIRST || event->rules > CORE_RULES_NEWEST))
        return "it began under rules that are not known here";
    bool about = event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_DELIVERED ||
                 event->kind == CORE_EVENT_UNDELIVERED;
    if (about && core_find(saga, event->step) == CORE_NO_STEP)
        return "a reply answers a step that was never opened";
    return NULL;
}

static const char *step_inconsistent(const struct core_saga *saga, uint16_t index)
{
    const struct core_step *step = &saga->steps[index];
    check(index < saga->step_count);
    bool gives = saga->plan->nodes[step->node].step != NULL;
    if (step->state == CORE_STEP_DONE && gives && !step->succeeded)
        return "a step is done without an output";
    if (state_is_active(step->state) && (saga->status == CORE_COMPLETED || saga->status == CORE_COMPENSATED))
        return "it has ended with a step under way";
    bool asked = saga->status == CORE_PARKED && (saga->park_step != CORE_NO_STEP ||
                                                 saga->plan->timeout_us > 0 || /* its deadline parked it */
                                                 lost_holds(saga));
    if (state_is_stuck(step->state) && !asked && saga->status != CORE_TERMINATED)
        return "nobody is asked about a step that is stuck";
    bool begins = step->state == CORE_STEP_WAITING || step->state == CORE_STEP_AWAITING ||
                  step->state == CORE_STEP_SLEEPING || step->state == CORE_STEP_STUCK;
    if (begins && !core_ended(saga) && frames_is_halted(saga, step->frame))
        return "a step waits to go on where nothing goes on";
    bool undoes = step->state == CORE_STEP_UNDO_WAITING || step->state == CORE_STEP_UNDO_SENT ||
                  step->state == CORE_STEP_UNDO_STUCK;
    if (undoes && !core_going_back(saga, index))
        return "a step is being undone where nothing goes back";
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
