/* The part of state.c about blocks: frames entered, cursors moved, blocks closed, failed or going back.
 * Called by state.c and follows.c for one change. Never decides: what does not follow is a bug of the caller.
 * */
#include "engine/core/state_block.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/frames.h"

enum { FIRST_FRAMES = 2, FIRST_SIGNALS = 4 };

static struct core_frame new_frame(const struct core_change *change)
{
    check(change->kind == CORE_CHANGE_FRAME);
    return (struct core_frame){.node = change->node,
                               .parent = change->parent,
                               .index = change->index,
                               .at_step = CORE_NO_STEP,
                               .at_frame = CORE_NO_STEP,
                               .cause_step = CORE_NO_STEP};
}

static void start_parent(struct core_saga *saga, const struct core_event *event)
{
    check(saga->seq == 0);
    saga->has_parent = event->has_parent;
    if (!event->has_parent)
        return;
    saga->parent = event->parent;
    saga->parent_step = arena_copy(saga->arena, event->parent_step);
    saga->parent_attempt = event->parent_attempt;
    saga->depth = event->depth;
    saga->undo_attempt = event->stillborn ? event->parent_attempt : 0;
}

void state_start(struct core_saga *saga, const struct core_event *event)
{
    check(saga->seq == 0);
    check(saga->plan->nodes[0].kind == PLAN_SEQUENCE);
    saga->seed = event->seed;
    saga->started_us = event->at_us;
    saga->key = arena_copy(saga->arena, event->key);
    saga->correlation = arena_copy(saga->arena, event->correlation);
    saga->traceparent = arena_copy(saga->arena, event->traceparent);
    saga->input = json_copy(saga->arena, event->input);
    saga->search = json_copy(saga->arena, event->search);
    saga->shards = event->shards > 0 ? event->shards : 1;
    saga->unbounded = event->unbounded;
    saga->family_left = (event->has_parent && event->family > 0 ? event->family : LIMITS_FAMILY) - 1;
    saga->rules = event->rules;
    check(saga->rules >= CORE_RULES_FIRST);
    check(saga->rules <= CORE_RULES_NEWEST);
    start_parent(saga, event);
    saga->frames = arena_array(saga->arena, FIRST_FRAMES, sizeof *saga->frames);
    saga->frame_room = FIRST_FRAMES;
    saga->frame_count = 1;
    saga->frames[FRAMES_ROOT] = new_frame(&(struct core_change){.kind = CORE_CHANGE_FRAME});
}

struct str state_path(struct core_saga *saga, uint16_t node, uint16_t frame)
{
    struct str id = saga->plan->nodes[node].id;
    check(id.size > 0);
    check(frame < saga->frame_count);
    if (saga->plan->nodes[node].loop == 0)
        return id;
    struct buf out;
    buf_init(&out, saga->arena);
    buf_put(&out, id);
    frames_put_items(&out, saga, frame);
    return buf_str(&out);
}

void state_enter(struct core_saga *saga, const struct core_change *change)
{
    check(change->frame == saga->frame_count);
    check(change->parent < saga->frame_count);
    if (saga->frame_count == saga->frame_room) {
        size_t size = sizeof *saga->frames;
        size_t room = (size_t)saga->frame_room * 2;
        check(room < CORE_NO_STEP);
        saga->frames = arena_resize(saga->arena, saga->frames, saga->frame_room * size, room * size);
        saga->frame_room = (uint16_t)room;
    }
    struct core_frame *frame = &saga->frames[saga->frame_count++];
    *frame = new_frame(change);
    if (change->body != NULL)
        frame->items = json_copy(saga->arena, change->body);
    struct core_frame *parent = &saga->frames[change->parent];
    if (frames_is_fan(saga, change->parent))
        parent->cursor++;
    else
        parent->at_frame = change->frame;
}

static void note_cause(struct core_saga *saga, struct core_frame *frame, const struct core_change *change)
{
    check(change->code.size > 0);
    if (frame->cause_code.size > 0)
        return;
    frame->cause_code = arena_copy(saga->arena, change->code);
    frame->cause_message = arena_copy(saga->arena, change->message);
    frame->cause_step = change->step;
}

void state_block(struct core_saga *saga, const struct core_change *change)
{
    struct core_frame *frame = &saga->frames[change->frame];
    check(change->frame < saga->frame_count);
    check(change->block != CORE_BLOCK_OPEN);
    frame->state = change->block;
    if (change->block == CORE_BLOCK_CLOSED)
        return;
    note_cause(saga, frame, change);
    if (change->block == CORE_BLOCK_BACK)
        frame->went_back = true;
    else
        note_cause(saga, &saga->frames[frame->parent], change);
}

void state_cursor(struct core_saga *saga, const struct core_change *change)
{
    struct core_frame *frame = &saga->frames[change->frame];
    check(change->frame < saga->frame_count);
    check(change->cursor == frame->cursor + 1);
    frame->cursor = change->cursor;
    frame->at_step = frame->at_frame = CORE_NO_STEP;
}

static void keep(struct core_saga *saga, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_SIGNAL);
    check(saga->signal_count < LIMITS_SIGNALS);
    if (saga->signal_count == saga->signal_room) {
        size_t size = sizeof *saga->signals;
        size_t room = saga->signal_room > 0 ? (size_t)saga->signal_room * 2 : FIRST_SIGNALS;
        saga->signals = arena_resize(saga->arena, saga->signals, saga->signal_room * size, room * size);
        saga->signal_room = (uint16_t)room;
    }
    saga->signals[saga->signal_count++] =
        (struct core_signal){.name = arena_copy(saga->arena, event->signal),
                             .id = arena_copy(saga->arena, event->signal_id),
                             .body = json_copy(saga->arena, event->body ? event->body : &json_null)};
    saga->signals_kept++;
}

static void take(struct core_saga *saga, struct core_step *step, const struct core_change *change)
{
    check(change->index < saga->signal_count);
    struct core_signal *signal = &saga->signals[change->index];
    check(core_signal_kept(signal) && !step->succeeded);
    signal->taken = true;
    saga->signals_kept--;
    step->output = signal->body;
    step->succeeded = true;
}

static void drop(struct core_saga *saga, const struct core_change *change)
{
    check(change->index < saga->signal_count);
    check(core_signal_kept(&saga->signals[change->index]));
    saga->signals[change->index].dropped = true;
    saga->signals_kept--;
}

void state_signal(struct core_saga *saga, struct core_step *step, const struct core_event *event,
                  const struct core_change *change)
{
    check(saga->signals_kept <= saga->signal_count);
    if (change->kind == CORE_CHANGE_KEEP)
        keep(saga, event);
    else if (change->kind == CORE_CHANGE_TAKE)
        take(saga, step, change);
    else
        drop(saga, change);
}
