/* Steps a saga and folds its records into a twin; both must be alike, and wait for something (L2). */
#include "tests/core/twin.h"
#include <stdio.h>
#include <stdlib.h>
#include "engine/core/record.h"

const int64_t twin_epoch_us = INT64_C(1767225600000000);

static void fail(const struct twin *twin, const char *what)
{
    fprintf(stderr, "after record %lld: %s\n", (long long)twin->live.seq, what);
    abort();
}

void twin_init(struct twin *twin, const struct plan *plan)
{
    struct id id = {{0x01, 0x9b, 0x77, 0x4c, 0x90, 0x00, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}};
    *twin = (struct twin){.plan = plan};
    arena_init(&twin->live_arena, 0);
    arena_init(&twin->twin_arena, 0);
    arena_init(&twin->batch, 0);
    core_init(&twin->live, plan, id, &twin->live_arena);
    core_init(&twin->twin, plan, id, &twin->twin_arena);
}

void twin_fini(struct twin *twin)
{
    arena_fini(&twin->live_arena);
    arena_fini(&twin->twin_arena);
    arena_fini(&twin->batch);
}

static void copy_saga(struct core_saga *to, const struct core_saga *from, struct arena *arena)
{
    *to = *from;
    to->arena = arena;
    to->steps = arena_array(arena, from->step_room, sizeof *to->steps);
    to->frames = arena_array(arena, from->frame_room, sizeof *to->frames);
    for (uint16_t i = 0; i < from->step_count; i++) {
        struct core_step *step = &to->steps[i];
        *step = from->steps[i];
        step->error_code = arena_copy(arena, step->error_code);
        step->error_message = arena_copy(arena, step->error_message);
        step->error_code_room = (uint16_t)step->error_code.size;
        step->error_message_room = (uint16_t)step->error_message.size;
    }
    for (uint16_t i = 0; i < from->frame_count; i++)
        to->frames[i] = from->frames[i];
}

void twin_copy(struct twin *to, const struct twin *from)
{
    arena_reset(&to->live_arena);
    arena_reset(&to->twin_arena);
    arena_reset(&to->batch);
    to->plan = from->plan;
    copy_saga(&to->live, &from->live, &to->live_arena);
    copy_saga(&to->twin, &from->twin, &to->twin_arena);
}

void twin_clear(struct twin *twin)
{
    arena_reset(&twin->batch);
}

static bool same_json(const struct json *a, const struct json *b)
{
    struct arena arena;
    arena_init(&arena, 0);
    bool same =
        (a == NULL) == (b == NULL) && (a == NULL || str_equal(json_text(&arena, a), json_text(&arena, b)));
    arena_fini(&arena);
    return same;
}

static const char *step_difference(const struct core_step *a, const struct core_step *b)
{
    for (int kind = 0; kind < CORE_KIND_COUNT; kind++) {
        if (a->attempts[kind] != b->attempts[kind])
            return "attempts";
        if (a->budget_base[kind] != b->budget_base[kind])
            return "budget_base";
        if (a->first_sent_us[kind] != b->first_sent_us[kind])
            return "first_sent_us";
        if (a->answered[kind] != b->answered[kind])
            return "answered";
        if (a->noted[kind] != b->noted[kind])
            return "noted";
    }
    if (a->node != b->node || a->frame != b->frame || a->state != b->state || !str_equal(a->path, b->path))
        return "node, frame, state or path of a step";
    if (a->put_off != b->put_off)
        return "put_off";
    if (a->unknown != b->unknown || a->succeeded != b->succeeded || a->waived != b->waived)
        return "unknown, succeeded or waived";
    if (a->undo_floor != b->undo_floor || a->pending_count != b->pending_count)
        return "undo_floor or pending_count";
    if (a->due_us != b->due_us || a->opened_us != b->opened_us || a->sent_us != b->sent_us ||
        a->ended_us != b->ended_us)
        return "a time of a step";
    if (!str_equal(a->error_code, b->error_code) || !str_equal(a->error_message, b->error_message))
        return "a step's error";
    return same_json(a->output, b->output) ? NULL : "a step's output";
}

static const char *texts_difference(const struct core_saga *a, const struct core_saga *b)
{
    if (!str_equal(a->key, b->key) || !str_equal(a->correlation, b->correlation) ||
        !str_equal(a->traceparent, b->traceparent))
        return "key, correlation or traceparent";
    if (!str_equal(a->cause_code, b->cause_code) || !str_equal(a->cause_message, b->cause_message) ||
        a->cause_step != b->cause_step)
        return "cause";
    if (!str_equal(a->park_code, b->park_code) || !str_equal(a->park_message, b->park_message) ||
        a->park_step != b->park_step)
        return "park";
    return NULL;
}

static const char *frame_difference(const struct core_frame *a, const struct core_frame *b)
{
    if (a->node != b->node || a->parent != b->parent || a->index != b->index)
        return "node, parent or index of a frame";
    if (a->cursor != b->cursor || a->at_step != b->at_step || a->at_frame != b->at_frame)
        return "where a frame is";
    if (a->state != b->state || a->went_back != b->went_back || a->cause_step != b->cause_step ||
        !str_equal(a->cause_code, b->cause_code) || !str_equal(a->cause_message, b->cause_message))
        return "the fate of a frame";
    return same_json(a->items, b->items) ? NULL : "a frame's items";
}

static const char *outside_difference(const struct core_saga *a, const struct core_saga *b)
{
    if (a->shards != b->shards || a->rules != b->rules || a->has_parent != b->has_parent ||
        !id_equal(a->parent, b->parent) || !str_equal(a->parent_step, b->parent_step) ||
        a->parent_attempt != b->parent_attempt || a->depth != b->depth ||
        a->undo_attempt != b->undo_attempt || a->lost_seq != b->lost_seq ||
        a->deadline_set_us != b->deadline_set_us)
        return "shards or the parent";
    if (a->unbounded != b->unbounded || a->unfinished != b->unfinished ||
        a->stored_bytes != b->stored_bytes || a->family_left != b->family_left)
        return "the bounds";
    if (a->signal_count != b->signal_count || a->signals_kept != b->signals_kept)
        return "count of signals";
    for (uint16_t i = 0; i < a->signal_count; i++) {
        const struct core_signal *left = &a->signals[i], *right = &b->signals[i];
        if (!str_equal(left->name, right->name) || !str_equal(left->id, right->id) ||
            left->taken != right->taken || left->dropped != right->dropped ||
            !same_json(left->body, right->body))
            return "a signal";
    }
    return NULL;
}

const char *twin_difference(const struct core_saga *a, const struct core_saga *b)
{
    if (a->seq != b->seq || a->status != b->status || a->direction != b->direction || a->paused != b->paused)
        return "seq, status, direction or paused";
    if (a->pivot_commanded != b->pivot_commanded || a->pivot_done != b->pivot_done || a->seed != b->seed)
        return "pivot or seed";
    if (a->started_us != b->started_us || a->updated_us != b->updated_us || a->ended_us != b->ended_us ||
        a->deadline_us != b->deadline_us)
        return "a time of the saga";
    const char *texts = texts_difference(a, b);
    const char *outside = outside_difference(a, b);
    if (texts || outside)
        return texts ? texts : outside;
    if (!same_json(a->input, b->input) || !same_json(a->search, b->search) ||
        !same_json(a->output, b->output))
        return "input, search or output";
    if (a->step_count != b->step_count || a->frame_count != b->frame_count)
        return "count of steps or frames";
    for (uint16_t i = 0; i < a->frame_count; i++) {
        const char *frame = frame_difference(&a->frames[i], &b->frames[i]);
        if (frame)
            return frame;
    }
    for (uint16_t i = 0; i < a->step_count; i++) {
        const char *step = step_difference(&a->steps[i], &b->steps[i]);
        if (step)
            return step;
    }
    return NULL;
}

static bool is_sent(enum core_step_state state)
{
    return state == CORE_STEP_SENT || state == CORE_STEP_VERIFY_SENT || state == CORE_STEP_UNDO_SENT;
}

static bool is_waiting(enum core_step_state state)
{
    return state == CORE_STEP_WAITING || state == CORE_STEP_VERIFY_WAITING || state == CORE_STEP_UNDO_WAITING;
}

static const char *step_problem(const struct core_saga *saga, const struct core_step *step)
{
    bool active = is_sent(step->state) || is_waiting(step->state) || step->state == CORE_STEP_AWAITING ||
                  step->state == CORE_STEP_SLEEPING;
    bool back = core_going_back(saga, (uint16_t)(step - saga->steps));
    bool stuck = step->state == CORE_STEP_STUCK || step->state == CORE_STEP_UNDO_STUCK;
    const struct plan_step *plan = saga->plan->nodes[step->node].step;
    if (active != (step->due_us > 0))
        return "an active step without a timer, or a timer without one";
    if (stuck && saga->status != CORE_PARKED && saga->status != CORE_TERMINATED)
        return "a stuck step in a saga that is not parked";
    if (active && (saga->status == CORE_COMPLETED || saga->status == CORE_COMPENSATED))
        return "an active step in an ended saga";
    if (saga->status == CORE_COMPLETED && !back && step->state != CORE_STEP_DONE &&
        step->state != CORE_STEP_WAIVED)
        return "completed, but a step is neither done nor waived";
    if ((saga->status == CORE_COMPENSATED || saga->status == CORE_COMPLETED) && back && plan &&
        plan->has_undo &&
        (step->state == CORE_STEP_DONE || step->state == CORE_STEP_DOUBT ||
         (step->state == CORE_STEP_WAIVED && step->unknown)))
        return "ended, but a step is not undone";
    return NULL;
}

const char *twin_problem(const struct core_saga *saga)
{
    bool sent = false;
    bool ended = saga->status > CORE_PARKED;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        const char *problem = step_problem(saga, &saga->steps[i]);
        if (problem)
            return problem;
        sent = sent || is_sent(saga->steps[i].state);
    }
    if ((saga->status == CORE_PARKED) != (saga->park_code.size > 0))
        return "parked without a reason, or a reason without a park";
    if (ended != (saga->ended_us > 0) || ended != core_ended(saga))
        return "ended without a time, or a time without an end";
    if (ended && core_wake(saga) != INT64_MAX)
        return "an ended saga with a timer";
    if (!ended && !sent && !saga->paused && saga->status != CORE_PARKED && core_wake(saga) == INT64_MAX)
        return "L2: it waits for nothing";
    if ((saga->status == CORE_RUNNING || saga->status == CORE_COMPLETED) && saga->direction != CORE_FORWARD)
        return "running or completed, but going back";
    if ((saga->status == CORE_COMPENSATING || saga->status == CORE_COMPENSATED) &&
        (saga->direction != CORE_BACK || saga->cause_code.size == 0))
        return "compensating without going back, or without a cause";
    return NULL;
}

/* The journal row out and in again, by the columns that the store keeps. */
static void read_back(struct twin *twin)
{
    struct buf text, again;
    struct err_note note = {""};
    const struct core_record *record = &twin->update.record;
    buf_init(&text, &twin->batch);
    buf_init(&again, &twin->batch);
    record_write(&text, &twin->live, record);
    enum err error = record_read(&twin->twin, record->seq, record->event.at_us,
                                 core_event_text(record->event.kind), record_step(&twin->live, record),
                                 record_attempt(record), buf_str(&text), &twin->batch, &twin->read, &note);
    if (error != ERR_OK)
        fail(twin, note.text);
    if (core_fold(&twin->twin, &twin->read, &note) != ERR_OK)
        fail(twin, note.text);
    record_write(&again, &twin->twin, &twin->read);
    if (!str_equal(buf_str(&text), buf_str(&again)))
        fail(twin, "the record written again has other bytes");
}

enum core_verdict twin_step(struct twin *twin, const struct core_event *event)
{
    core_step(&twin->live, event, &twin->batch, &twin->update);
    if (twin->update.why.size == 0)
        fail(twin, "a verdict without a sentence");
    if (twin->update.verdict == CORE_USED)
        read_back(twin);
    const char *difference = twin_difference(&twin->live, &twin->twin);
    if (difference) {
        fprintf(stderr, "stepped and folded differ in: %s\n", difference);
        fail(twin, "fold(journal) is not the state");
    }
    const char *problem = twin->live.seq > 0 ? twin_problem(&twin->live) : NULL;
    if (problem)
        fail(twin, problem);
    return twin->update.verdict;
}
