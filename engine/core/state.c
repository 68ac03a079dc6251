/* The only code that writes a saga: one function for a record's event, one for a change. Called by core_fold
 * with what was stored and by work.c with what was just decided, so that both give the same state. Never
 * decides: what does not follow is a bug of the caller and stops the process. */
#include "engine/core/state.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/frames.h"
#include "engine/core/state_block.h"

enum {
#define X(name, text, meaning) +1
    STATE_COUNT = 0
#include "engine/core/step.def"
#undef X
};
static const bool moves[STATE_COUNT][STATE_COUNT] = {
#define X(from, to) [CORE_STEP_##from][CORE_STEP_##to] = true,
#include "engine/core/moves.def"
#undef X
};
/* What each state is, where a switch over all of them would say the same six times. */
static const struct {
    bool active;
    bool settled; /* an outcome: its time is kept */
    enum core_kind kind;
} traits[STATE_COUNT] = {
    [CORE_STEP_WAITING] = {.active = true, .kind = CORE_DO},
    [CORE_STEP_SENT] = {.active = true, .kind = CORE_DO},
    [CORE_STEP_VERIFY_WAITING] = {.active = true, .kind = CORE_VERIFY},
    [CORE_STEP_VERIFY_SENT] = {.active = true, .kind = CORE_VERIFY},
    [CORE_STEP_UNDO_WAITING] = {.active = true, .kind = CORE_UNDO},
    [CORE_STEP_UNDO_SENT] = {.active = true, .kind = CORE_UNDO},
    [CORE_STEP_AWAITING] = {.active = true, .kind = CORE_DO},
    [CORE_STEP_SLEEPING] = {.active = true, .kind = CORE_DO},
    [CORE_STEP_DONE] = {.settled = true},
    [CORE_STEP_REJECTED] = {.settled = true},
    [CORE_STEP_WAIVED] = {.settled = true},
    [CORE_STEP_DOUBT] = {.settled = true},
    [CORE_STEP_UNDONE] = {.settled = true},
    [CORE_STEP_UNDO_WAIVED] = {.settled = true},
};
static const enum core_step_state waiting_states[CORE_KIND_COUNT] = {
    [CORE_DO] = CORE_STEP_WAITING,
    [CORE_VERIFY] = CORE_STEP_VERIFY_WAITING,
    [CORE_UNDO] = CORE_STEP_UNDO_WAITING,
};
static const enum core_step_state sent_states[CORE_KIND_COUNT] = {
    [CORE_DO] = CORE_STEP_SENT,
    [CORE_VERIFY] = CORE_STEP_VERIFY_SENT,
    [CORE_UNDO] = CORE_STEP_UNDO_SENT,
};
enum { FIRST_STEPS = 4, TEXT_ROOM_MIN = 32 };

bool state_move_allowed(enum core_step_state from, enum core_step_state to)
{
    check((unsigned)from < STATE_COUNT);
    check((unsigned)to < STATE_COUNT);
    return moves[from][to];
}

bool state_is_active(enum core_step_state state)
{
    check((unsigned)state < STATE_COUNT);
    return traits[state].active;
}

bool state_commands(enum core_step_state state)
{
    check((unsigned)state < STATE_COUNT);
    return traits[state].active && state != CORE_STEP_AWAITING && state != CORE_STEP_SLEEPING;
}

enum core_step_state state_waiting(enum core_kind kind)
{
    check((unsigned)kind < CORE_KIND_COUNT);
    return waiting_states[kind];
}

enum core_step_state state_sent(enum core_kind kind)
{
    check((unsigned)kind < CORE_KIND_COUNT);
    return sent_states[kind];
}

enum core_kind state_kind(enum core_step_state state)
{
    check(state_is_active(state));
    return traits[state].kind;
}

bool state_is_stuck(enum core_step_state state)
{
    check((unsigned)state < STATE_COUNT);
    return state == CORE_STEP_STUCK || state == CORE_STEP_UNDO_STUCK;
}

uint16_t core_find(const struct core_saga *saga, struct str path)
{
    check(saga->step_count <= saga->step_room);
    for (uint16_t i = saga->step_count; i > 0; i--)
        if (str_equal(saga->steps[i - 1].path, path))
            return (uint16_t)(i - 1);
    return CORE_NO_STEP;
}

/* An answer is taken once: a redelivery of it must not count as a second one. */
static void mark_answered(struct core_saga *saga, const struct core_event *event)
{
    check((unsigned)event->command_kind < CORE_KIND_COUNT);
    uint16_t index = core_find(saga, event->step);
    check(index != CORE_NO_STEP);
    struct core_step *step = &saga->steps[index];
    bool answers = event->status != CORE_REPLY_PENDING && event->status != CORE_REPLY_UNUSABLE;
    if (answers && event->attempt == step->attempts[event->command_kind])
        step->answered[event->command_kind] = true;
    bool says = event->status == CORE_REPLY_RETRY || event->status == CORE_REPLY_REJECTED;
    if (says && event->command_kind == CORE_DO)
        step->put_off = event->status == CORE_REPLY_RETRY;
}

/* What a value costs to hold, whatever machine holds it: replaying must decide alike. */
static uint64_t weight(const struct json *value)
{
    enum { VALUE_BYTES = 64 };
    if (value == NULL)
        return 0;
    uint64_t bytes = VALUE_BYTES + value->text.size;
    for (uint32_t i = 0; i < value->count; i++)
        bytes += value->kind == JSON_ARRAY ? weight(value->items[i])
                                           : value->members[i].key.size + weight(value->members[i].value);
    return bytes;
}

/* What was tried in a time that has not come yet was tried now. */
static void begin_budgets(struct core_saga *saga, int64_t now_us)
{
    check(now_us > 0);
    for (uint16_t i = 0; i < saga->step_count; i++)
        for (int kind = 0; kind < CORE_KIND_COUNT; kind++)
            if (saga->steps[i].first_sent_us[kind] > now_us)
                saga->steps[i].first_sent_us[kind] = now_us;
}

void state_event(struct core_saga *saga, int64_t seq, const struct core_event *event)
{
    check(seq == saga->seq + 1);
    check(event->at_us >= saga->updated_us || event->kind == CORE_EVENT_CLOCK);
    if (event->kind == CORE_EVENT_START)
        state_start(saga, event);
    if (event->kind == CORE_EVENT_REPLY)
        mark_answered(saga, event);
    if (event->kind == CORE_EVENT_UNDO)
        saga->undo_attempt = event->attempt;
    bool stores = event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_FORCE ||
                  event->kind == CORE_EVENT_SIGNAL; /* the record of any other leaves a body out */
    saga->stored_bytes += weight(event->input) + weight(event->search) + weight(stores ? event->body : NULL);
    saga->unfinished = false;
    if (event->kind == CORE_EVENT_LOST)
        saga->lost_seq = seq;
    if (event->kind == CORE_EVENT_CLOCK)
        begin_budgets(saga, event->at_us);
    saga->seq = seq;
    saga->updated_us = event->at_us;
}

static void make_room(struct core_saga *saga)
{
    check(saga->step_count == saga->step_room);
    size_t room = saga->step_room ? (size_t)saga->step_room * 2 : FIRST_STEPS;
    check(room < CORE_NO_STEP);
    size_t size = sizeof *saga->steps;
    saga->steps = arena_resize(saga->arena, saga->steps, saga->step_room * size, room * size);
    saga->step_room = (uint16_t)room;
}

static void open_step(struct core_saga *saga, const struct core_change *change)
{
    check(change->step == saga->step_count);
    check(change->node < saga->plan->node_count);
    if (saga->step_count == saga->step_room)
        make_room(saga);
    saga->steps[saga->step_count++] =
        (struct core_step){.node = change->node,
                           .frame = change->frame,
                           .path = state_path(saga, change->node, change->frame),
                           .state = CORE_STEP_WAITING,
                           .due_us = saga->updated_us,
                           .due_set_us = saga->updated_us,
                           .opened_us = saga->updated_us};
    saga->frames[change->frame].at_step = change->step;
}

static void set_due(const struct core_saga *saga, struct core_step *step, const struct core_change *change)
{
    check(change->due_us >= 0);
    step->due_us = change->due_us;
    step->due_set_us = saga->updated_us;
}

static void count_send(struct core_saga *saga, struct core_step *step, const struct core_change *change)
{
    check(step->state == state_waiting(change->command));
    check(change->attempt == step->attempts[change->command] + 1);
    if (change->family > 0 && step->family == 0) {
        check(change->family <= saga->family_left);
        saga->family_left -= change->family;
        step->family = change->family;
    }
    step->state = state_sent(change->command);
    set_due(saga, step, change);
    step->sent_us = saga->updated_us;
    step->attempts[change->command] = change->attempt;
    step->answered[change->command] = false;
    step->pending_count = 0;
    if (step->first_sent_us[change->command] == 0)
        step->first_sent_us[change->command] = saga->updated_us;
    if (saga->plan->nodes[step->node].step->pivot && change->command == CORE_DO)
        saga->pivot_commanded = true;
}

static void grant(struct core_step *step, enum core_kind kind)
{
    check((unsigned)kind < CORE_KIND_COUNT);
    check(step->budget_base[kind] <= step->attempts[kind]);
    step->budget_base[kind] = step->attempts[kind];
    step->first_sent_us[kind] = 0;
}

/* A step whose compensation was commanded before its first success came is undone anew: answers to the
 * earlier one do not count any more. */
static void forget_undo(struct core_step *step)
{
    check(step->undo_floor <= step->attempts[CORE_UNDO]);
    step->undo_floor = step->attempts[CORE_UNDO];
    grant(step, CORE_UNDO);
}

static void move(struct core_saga *saga, struct core_step *step, const struct core_change *change)
{
    check(step->state == change->from);
    check(state_move_allowed(step->state, change->state));
    const struct plan_step *plan = saga->plan->nodes[step->node].step;
    bool pivot = plan != NULL && plan->pivot;
    if (change->state == CORE_STEP_DONE)
        forget_undo(step);
    if (pivot && change->state == CORE_STEP_DONE)
        saga->pivot_commanded = saga->pivot_done = true;
    if (pivot && change->state == CORE_STEP_REJECTED)
        saga->pivot_commanded = false;
    if (change->state == CORE_STEP_WAIVED)
        step->waived = true;
    step->state = change->state;
    set_due(saga, step, change);
    if (traits[change->state].settled)
        step->ended_us = saga->updated_us;
}

/* Over the old text when that is large enough; see the rooms in core.h. */
static void keep_text(struct arena *arena, struct str *kept, uint16_t *room, struct str text)
{
    check(text.size <= LIMITS_ERROR_MESSAGE_BYTES);
    check(kept->size <= *room);
    char *data = (char *)(uintptr_t)kept->data;
    if (text.size > *room) {
        size_t wanted = TEXT_ROOM_MIN;
        while (wanted < text.size)
            wanted *= 2;
        data = arena_alloc(arena, wanted);
        *room = (uint16_t)wanted;
    }
    if (text.size > 0)
        memcpy(data, text.data, text.size);
    *kept = (struct str){data, text.size};
}

static void note_fault(struct core_saga *saga, struct core_step *step, const struct core_change *change)
{
    check(change->code.size <= LIMITS_ERROR_CODE_BYTES);
    check(change->code.size > 0);
    if (change->kind == CORE_CHANGE_NOTE) /* the answer itself is a dead letter: what remains here is why */
        step->noted[change->command] = change->attempt;
    keep_text(saga->arena, &step->error_code, &step->error_code_room, change->code);
    keep_text(saga->arena, &step->error_message, &step->error_message_room, change->message);
}

static void set_status(struct core_saga *saga, const struct core_change *change)
{
    check((unsigned)change->status <= CORE_TERMINATED);
    check((unsigned)change->direction <= CORE_BACK);
    saga->status = change->status;
    saga->direction = change->direction;
    if (change->direction == CORE_BACK)
        saga->deadline_us = 0; /* going back has no deadline: it ends, or a human is called */
    saga->ended_us = core_ended(saga) ? saga->updated_us : 0;
}

static void set_cause(struct core_saga *saga, const struct core_change *change)
{
    check(change->code.size > 0);
    check(change->step == CORE_NO_STEP || change->step < saga->step_count);
    saga->cause_code = arena_copy(saga->arena, change->code);
    saga->cause_message = arena_copy(saga->arena, change->message);
    saga->cause_step = change->step;
}

static void set_park(struct core_saga *saga, const struct core_change *change)
{
    check(change->step == CORE_NO_STEP || change->step < saga->step_count);
    check(change->code.size > 0 || change->message.size == 0);
    saga->park_code = arena_copy(saga->arena, change->code);
    saga->park_message = arena_copy(saga->arena, change->message);
    saga->park_step = change->step;
}

static void extend(const struct core_saga *saga, struct core_step *step, const struct core_change *change)
{
    check(state_is_active(step->state));
    check(step->pending_count < LIMITS_PENDING_COUNT);
    set_due(saga, step, change);
    step->pending_count++;
}

static void take_output(struct core_saga *saga, struct core_step *step, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_FORCE);
    check(!step->succeeded);
    step->output = json_copy(saga->arena, event->body ? event->body : &json_null);
    step->succeeded = true;
}

static void set_mark(struct core_saga *saga, struct core_step *step, const struct core_change *change)
{
    check((step != NULL) == (change->kind == CORE_CHANGE_UNKNOWN));
    if (step != NULL)
        step->unknown = change->flag;
    else if (change->kind == CORE_CHANGE_MORE)
        saga->unfinished = true;
    else {
        saga->paused = change->flag;
        saga->held_us = change->due_us;
    }
}

void state_change(struct core_saga *saga, const struct core_event *event, const struct core_change *change)
{
    check(saga->seq > 0);
    check(state_follows(saga, event, change) == NULL);
    saga->stored_bytes += weight(change->body);
    struct core_step *step = change->step < saga->step_count ? &saga->steps[change->step] : NULL;
    switch (change->kind) {
    case CORE_CHANGE_OPEN:
        open_step(saga, change);
        return;
    case CORE_CHANGE_FRAME:
        state_enter(saga, change);
        return;
    case CORE_CHANGE_BLOCK:
        state_block(saga, change);
        return;
    case CORE_CHANGE_KEEP:
    case CORE_CHANGE_TAKE:
    case CORE_CHANGE_DROP:
        state_signal(saga, step, event, change);
        return;
    case CORE_CHANGE_MOVE:
        set_due(saga, step, change);
        return;
    case CORE_CHANGE_SEND:
        count_send(saga, step, change);
        return;
    case CORE_CHANGE_STEP:
        move(saga, step, change);
        return;
    case CORE_CHANGE_EXTEND:
        extend(saga, step, change);
        return;
    case CORE_CHANGE_OUTPUT:
        take_output(saga, step, event);
        return;
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_NOTE:
        note_fault(saga, step, change);
        return;
    case CORE_CHANGE_UNKNOWN:
    case CORE_CHANGE_PAUSE:
    case CORE_CHANGE_MORE:
        set_mark(saga, step, change);
        return;
    case CORE_CHANGE_BUDGET:
        grant(step, change->command);
        return;
    case CORE_CHANGE_CURSOR:
        state_cursor(saga, change);
        return;
    case CORE_CHANGE_STATUS:
        set_status(saga, change);
        return;
    case CORE_CHANGE_DEADLINE:
        saga->deadline_us = change->due_us;
        saga->deadline_set_us = saga->updated_us;
        return;
    case CORE_CHANGE_CAUSE:
        set_cause(saga, change);
        return;
    case CORE_CHANGE_PARK:
        set_park(saga, change);
        return;
    case CORE_CHANGE_RESULT:
        saga->output = json_copy(saga->arena, change->body);
        return;
    }
    check_never("a change of no kind");
}
