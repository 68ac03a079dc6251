/* One event being worked on: make a change, apply it, record it, and count what it costs. Called by every
 * handler of the core. Never decides what happens; no other file appends to a record. */
#include "engine/core/work.h"
#include <stdarg.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/frames.h"
#include "engine/core/unclear.h"
#include "engine/core/words.h"

enum { FIRST_CHANGES = 6, SENTENCE_BYTES = 512 };
enum { SEEN_A_UNIT = 4 };  /* frames and steps passed over, several times, in about the time of one unit */
enum { SCHEMA_UNITS = 2 }; /* of work, for one step of a schema's check */
#define TOO_DEEP "the payload is nested deeper than %d levels"

/* Whole characters up to `most` bytes and no U+0000, which a journal could not hold: texts come from message
 * headers. */
static struct str clean(struct str text, size_t most)
{
    check(most > 0);
    if (text.size == 0)
        return STR("");
    struct str cut = str_slice(text, 0, most);
    cut = str_slice(cut, 0, str_find(cut, '\0'));
    return str_slice(cut, 0, str_utf8_size(cut));
}

static bool fits_journal(const struct json *value)
{
    return value == NULL || json_depth(value) <= LIMITS_PAYLOAD_DEPTH;
}

static void clean_texts(struct core_event *event)
{
    check((unsigned)event->kind <= CORE_EVENT_CLOCK);
    event->signal = clean(event->signal, LIMITS_REASON_BYTES); /* longer than any name */
    event->signal_id = clean(event->signal_id, LIMITS_KEY_BYTES);
    event->parent_step = clean(event->parent_step, LIMITS_REASON_BYTES);
    event->step =
        clean(event->step, LIMITS_REASON_BYTES); /* longer than any path, so none is cut to another */
    event->key = clean(event->key, LIMITS_KEY_BYTES);
    event->correlation = clean(event->correlation, LIMITS_KEY_BYTES);
    event->traceparent = clean(event->traceparent, LIMITS_KEY_BYTES);
    event->participant = clean(event->participant, LIMITS_NAME_BYTES);
    event->error_code = clean(event->error_code, LIMITS_ERROR_CODE_BYTES);
    event->error_message = clean(event->error_message, LIMITS_ERROR_MESSAGE_BYTES);
    event->actor = clean(event->actor, LIMITS_REASON_BYTES);
    event->reason = clean(event->reason, LIMITS_REASON_BYTES);
}

/* Never before the last record, never 0 (which means no time), never so late that adding a span could
 * overflow. */
static int64_t monotone(int64_t last_us, int64_t at_us)
{
    check(last_us >= 0);
    check(last_us <= INT64_MAX / 2);
    int64_t first = last_us > 0 ? last_us : 1;
    if (at_us < first)
        return first;
    return at_us < INT64_MAX / 2 ? at_us : INT64_MAX / 2;
}

/* A reply's body only matters where it becomes an output. */
static void spoil_deep(struct work *work)
{
    bool gives = work->event.status == CORE_REPLY_OK && work->event.command_kind != CORE_UNDO;
    check(work->event.kind == CORE_EVENT_REPLY);
    work->event.body = NULL;
    if (gives)
        unclear_spoil(work, work_text(work, TOO_DEEP, LIMITS_PAYLOAD_DEPTH));
}

bool work_begin(struct work *work, struct core_saga *saga, const struct core_event *event,
                struct arena *scratch, struct core_update *update)
{
    check(saga->seq >= 0);
    *work = (struct work){.saga = saga, .event = *event, .scratch = scratch, .update = update};
    work->event.at_us = monotone(event->kind == CORE_EVENT_CLOCK ? 1 : saga->updated_us, event->at_us);
    clean_texts(&work->event);
    if (event->kind == CORE_EVENT_START && event->rules == 0)
        work->event.rules = CORE_RULES_NEWEST;
    bool fits = fits_journal(event->body);
    if (!fits && event->kind == CORE_EVENT_REPLY)
        spoil_deep(work);
    else if (!fits || !fits_journal(event->input) || !fits_journal(event->search))
        work_leave(work, CORE_REFUSED, TOO_DEEP, LIMITS_PAYLOAD_DEPTH);
    return work->update->why.size == 0;
}

void work_take(struct work *work)
{
    check(work->count == 0);
    check(work->update->verdict == CORE_IDLE);
    work->update->verdict = CORE_USED;
    work->update->why = STR("it was used: the changes of the record say how");
    state_event(work->saga, work->saga->seq + 1, &work->event);
}

void work_leave(struct work *work, enum core_verdict verdict, const char *format, ...)
{
    check(verdict != CORE_USED);
    check(work->count == 0);
    va_list values;
    va_start(values, format);
    char *text = arena_alloc(work->scratch, SENTENCE_BYTES);
    int size = vsnprintf(text, SENTENCE_BYTES, format, values);
    va_end(values);
    check(size >= 0);
    work->update->verdict = verdict;
    work->update->why = clean((struct str){text, (size_t)size}, SENTENCE_BYTES - 1);
}

void work_leave_witness(struct work *work, struct str why)
{
    check(work->event.kind == CORE_EVENT_REPLY);
    check(why.size > 0);
    work_leave(work, CORE_LATE, "%.*s", WORDS(why));
    work->witness = true;
}

int64_t work_after(const struct work *work, int64_t span_us)
{
    check(work->event.at_us >= 0);
    check(span_us >= 0);
    return span_us > INT64_MAX - 1 - work->event.at_us ? INT64_MAX - 1 : work->event.at_us + span_us;
}

int64_t work_until(int64_t due_us)
{
    check(due_us > 0);
    return due_us < INT64_MAX / 2 ? due_us : INT64_MAX / 2;
}

const struct core_step *work_step(const struct work *work, uint16_t step)
{
    check(step < work->saga->step_count);
    return &work->saga->steps[step];
}

const struct plan_node *work_node(const struct work *work, uint16_t step)
{
    const struct plan_node *node = &work->saga->plan->nodes[work_step(work, step)->node];
    check(node->kind != PLAN_SEQUENCE);
    check((node->step != NULL) == (node->kind == PLAN_STEP || node->kind == PLAN_SAGA));
    return node;
}

const struct plan_action *work_action(const struct work *work, uint16_t step, enum core_kind kind)
{
    const struct plan_action *action = core_action(work_node(work, step)->step, kind);
    check(action != NULL);
    check(action->timeout_us > 0);
    return action;
}

struct str work_text(struct work *work, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *text = arena_alloc(work->scratch, SENTENCE_BYTES);
    int size = vsnprintf(text, SENTENCE_BYTES, format, values);
    va_end(values);
    check(size >= 0);
    return clean((struct str){text, (size_t)size}, SENTENCE_BYTES - 1);
}

static const struct schema *schema_of(const struct plan_node *node)
{
    if (node->kind == PLAN_AWAIT)
        return node->await->schema;
    return node->step != NULL ? node->step->output_schema : NULL;
}

bool work_fits(struct work *work, const struct schema *schema, const struct json *body,
               struct schema_problems *problems)
{
    uint64_t most = work->saga->unbounded ? LIMITS_SCHEMA_WORK_FORMER : LIMITS_SCHEMA_WORK;
    uint64_t left = most;
    check(schema != NULL);
    bool fits = schema_check_within(schema, body, work->scratch, problems, &left);
    work_spend(work, (most - left) * SCHEMA_UNITS);
    return fits;
}

bool work_output_fits(struct work *work, uint16_t step, struct str *why)
{
    const struct schema *schema = schema_of(work_node(work, step));
    const struct json *body = work->event.body ? work->event.body : &json_null;
    struct schema_problems problems;
    problems.count = 0;
    check(work->count == 0);
    if (schema == NULL || work_fits(work, schema, body, &problems))
        return true;
    check(problems.count > 0);
    *why = work_text(work, "the output breaks its schema at \"%.*s\": %.*s",
                     WORDS(arena_copy(work->scratch, problems.items[0].pointer)),
                     WORDS(problems.items[0].message));
    return false;
}

void work_spend(struct work *work, uint64_t units)
{
    check(units <= UINT64_MAX - work->spent);
    work->spent += units;
}

bool work_is_full(const struct work *work)
{
    check(work->saga != NULL);
    return !work->saga->unbounded && (work->spent > (uint64_t)LIMITS_TRANSITION_STEPS * EXPR_STEP_WORK ||
                                      work->body_size > LIMITS_RECORD_BYTES);
}

bool work_is_heavy(struct work *work, struct str *code, struct str *message)
{
    check(code != NULL && message != NULL);
    if (work->saga->unbounded || work->saga->stored_bytes <= LIMITS_SAGA_BYTES)
        return false;
    *code = core_code_text(CORE_CODE_PAYLOAD_TOO_LARGE);
    *message = work_text(work, "the saga has stored more than %d bytes of bodies", LIMITS_SAGA_BYTES);
    return true;
}

bool work_held(const struct core_saga *saga)
{
    check(saga->step_count <= saga->step_room);
    return saga->paused || (saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP);
}

bool work_halted(const struct work *work, uint16_t step)
{
    check(step < work->saga->step_count);
    return frames_is_halted(work->saga, work->saga->steps[step].frame);
}

struct str work_clean_message(struct str text)
{
    return clean(text, LIMITS_ERROR_MESSAGE_BYTES);
}

void work_change(struct work *work, struct core_change change)
{
    check(work->update->verdict == CORE_USED);
    check(work->count < LIMITS_RECORD_CHANGES);
    if (work->count == work->room) {
        uint32_t room = work->room ? work->room * 2 : FIRST_CHANGES;
        size_t size = sizeof *work->changes;
        work->changes = arena_resize(work->scratch, work->changes, work->room * size, room * size);
        work->room = room;
    }
    work->changes[work->count++] = change;
    work->body_size += change.body != NULL ? work->value_size : 0;
    /* Whatever makes a change looks at the frames and steps around it. */
    work_spend(work,
               EXPR_STEP_WORK + (uint64_t)(work->saga->frame_count + work->saga->step_count) / SEEN_A_UNIT);
    state_change(work->saga, &work->event, &change);
}

void work_move(struct work *work, uint16_t step, enum core_step_state state, int64_t due_us)
{
    check(state_is_active(state) == (due_us > 0));
    work_change(work, (struct core_change){.kind = CORE_CHANGE_STEP,
                                           .step = step,
                                           .from = work_step(work, step)->state,
                                           .state = state,
                                           .due_us = due_us});
}

void work_fault(struct work *work, uint16_t step, struct str code, struct str message)
{
    const struct core_step *it = work_step(work, step);
    check(code.size > 0);
    if (!str_equal(it->error_code, code) || !str_equal(it->error_message, message))
        work_change(work, (struct core_change){
                              .kind = CORE_CHANGE_FAULT, .step = step, .code = code, .message = message});
}

void work_unknown(struct work *work, uint16_t step, bool unknown)
{
    if (work_step(work, step)->unknown != unknown)
        work_change(work, (struct core_change){.kind = CORE_CHANGE_UNKNOWN, .step = step, .flag = unknown});
}

void work_output(struct work *work, uint16_t step)
{
    work_change(work, (struct core_change){.kind = CORE_CHANGE_OUTPUT, .step = step});
}

void work_budget(struct work *work, uint16_t step, enum core_kind kind)
{
    work_change(work, (struct core_change){.kind = CORE_CHANGE_BUDGET, .step = step, .command = kind});
}

void work_status(struct work *work, enum core_status status, enum core_direction direction)
{
    work_change(work, (struct core_change){.kind = CORE_CHANGE_STATUS,
                                           .step = CORE_NO_STEP,
                                           .status = status,
                                           .direction = direction});
}

void work_deadline(struct work *work, int64_t due_us)
{
    work_change(work,
                (struct core_change){.kind = CORE_CHANGE_DEADLINE, .step = CORE_NO_STEP, .due_us = due_us});
}

void work_cause(struct work *work, uint16_t step, struct str code, struct str message)
{
    work_change(work, (struct core_change){
                          .kind = CORE_CHANGE_CAUSE, .step = step, .code = code, .message = message});
}

void work_park(struct work *work, uint16_t step, struct str code, struct str message)
{
    const struct core_saga *saga = work->saga;
    check(code.size > 0);
    bool late = saga->status == CORE_PARKED && saga->park_step == CORE_NO_STEP; /* holds until it is lifted */
    bool other = saga->status == CORE_PARKED && !late && saga->park_step != step &&
                 state_is_stuck(saga->steps[saga->park_step].state);
    if (late || other)
        return;
    work_change(
        work, (struct core_change){.kind = CORE_CHANGE_PARK, .step = step, .code = code, .message = message});
    if (work->saga->status != CORE_PARKED)
        work_status(work, CORE_PARKED, work->saga->direction);
}

static uint16_t first_stuck(const struct core_saga *saga)
{
    check(saga->step_count <= saga->step_room);
    for (uint16_t i = 0; i < saga->step_count; i++)
        if (state_is_stuck(saga->steps[i].state))
            return i;
    return CORE_NO_STEP;
}

void work_review_park(struct work *work)
{
    const struct core_saga *saga = work->saga;
    if (core_ended(saga))
        return;
    bool parked = saga->status == CORE_PARKED;
    if (parked && (saga->park_step == CORE_NO_STEP || state_is_stuck(saga->steps[saga->park_step].state)))
        return;
    uint16_t stuck = first_stuck(saga);
    if (stuck != CORE_NO_STEP) {
        struct str code = arena_copy(work->scratch, saga->steps[stuck].error_code);
        work_park(work, stuck, code, arena_copy(work->scratch, saga->steps[stuck].error_message));
    } else if (parked) {
        work_unpark(work);
        work_status(work, saga->direction == CORE_BACK ? CORE_COMPENSATING : CORE_RUNNING, saga->direction);
    }
    check(stuck == CORE_NO_STEP || saga->status == CORE_PARKED);
}

void work_due(struct work *work, uint16_t step, int64_t due_us)
{
    check(due_us > 0);
    if (step == CORE_NO_STEP)
        work_deadline(work, due_us);
    else
        work_change(work, (struct core_change){.kind = CORE_CHANGE_MOVE, .step = step, .due_us = due_us});
}

void work_unpark(struct work *work)
{
    if (work->saga->park_code.size > 0)
        work_change(work, (struct core_change){.kind = CORE_CHANGE_PARK, .step = CORE_NO_STEP});
}
