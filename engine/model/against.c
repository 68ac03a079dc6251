/* Recorded events through another version of the definition, side by side with what was decided then. Called
 * by `sagactl replay --against`. Reads only its arguments; an event that the new version has no place for is
 * told, never dropped in silence. */
#include "engine/model/against.h"

#include "engine/base/duration.h"
#include "engine/core/core.h"
#include "engine/core/record.h"
#include "engine/definition/definition.h"

enum {
    TIMERS_MAX = 10000
}; /* between two recorded events: attempts at the shortest time-out over a long silence */

struct against_work {
    struct arena *arena;
    struct against *result;
    const struct against_row *rows;
    uint32_t count;
    const struct plan *plan; /* the newer */
    struct core_saga then;
    struct core_saga now;
};

const char *against_text(enum against_outcome outcome)
{
    static const char *const texts[] = {
#define X(name, text, meaning) text,
        AGAINST_OUTCOMES(X)
#undef X
    };
    return texts[outcome];
}

const char *against_meaning(enum against_outcome outcome)
{
    static const char *const meanings[] = {
#define X(name, text, meaning) meaning,
        AGAINST_OUTCOMES(X)
#undef X
    };
    return meanings[outcome];
}

/* ---- what a record commands ---- */

/* One thing that a record brought about: `name` is what it is, `content` its body or time, `joint` the word
 * between them. */
struct deed {
    const struct core_change *change;
    struct str path;
    struct str name;
    const char *joint;
    struct str content;
};
struct deeds {
    struct deed *items;
    uint32_t count;
};

static struct str body_text(struct arena *arena, const struct json *body)
{
    return body == NULL ? STR("null") : json_text(arena, body);
}

static struct deed send_deed(struct arena *arena, const struct core_saga *saga,
                             const struct core_change *change)
{
    struct str path = core_step_path(saga, change->step);
    const struct plan_node *node = &saga->plan->nodes[saga->steps[change->step].node];
    struct str command =
        node->kind == PLAN_SAGA ? node->saga->name : core_action(node->step, change->command)->command;
    return (struct deed){.path = path,
                         .name = arena_printf(arena, "send %.*s %.*s/%u to %.*s", STR_ARG(path),
                                              STR_ARG(core_kind_text(change->command)), change->attempt,
                                              STR_ARG(command)),
                         .joint = "with",
                         .content = body_text(arena, change->body)};
}

/* A step that begins to wait, by itself or for an event. */
static struct deed step_deed(struct arena *arena, const struct core_saga *saga,
                             const struct core_change *change)
{
    struct str path = core_step_path(saga, change->step);
    if (change->state == CORE_STEP_AWAITING)
        return (struct deed){
            .path = path,
            .name = arena_printf(arena, "await %.*s at %.*s",
                                 STR_ARG(saga->plan->nodes[saga->steps[change->step].node].await->event),
                                 STR_ARG(path))};
    if (change->state != CORE_STEP_SLEEPING)
        return (struct deed){0};
    return (struct deed){.path = path,
                         .name = arena_printf(arena, "wait at %.*s", STR_ARG(path)),
                         .joint = "until",
                         .content = duration_time_text(arena, change->due_us)};
}

static struct deed reason_deed(struct arena *arena, const struct core_saga *saga,
                               const struct core_change *change, const char *word)
{
    struct str path = change->step == CORE_NO_STEP ? STR("") : core_step_path(saga, change->step);
    return (struct deed){.path = path,
                         .name = arena_printf(arena, "%s %.*s%s%.*s", word,
                                              STR_ARG(change->code.size > 0 ? change->code : STR("no more")),
                                              path.size > 0 ? " at " : "", STR_ARG(path))};
}

static struct deed deed_of(struct arena *arena, const struct core_saga *saga,
                           const struct core_change *change)
{
    switch (change->kind) {
    case CORE_CHANGE_SEND:
        return send_deed(arena, saga, change);
    case CORE_CHANGE_STEP:
        return step_deed(arena, saga, change);
    case CORE_CHANGE_STATUS:
        return (struct deed){.name = core_status_text(change->status)};
    case CORE_CHANGE_CAUSE:
        return reason_deed(arena, saga, change, "goes back for");
    case CORE_CHANGE_PARK:
        return reason_deed(arena, saga, change, "parked for");
    case CORE_CHANGE_RESULT:
        return (struct deed){.name = STR("output"), .joint = "is", .content = body_text(arena, change->body)};
    case CORE_CHANGE_OPEN:
    case CORE_CHANGE_FRAME:
    case CORE_CHANGE_BLOCK:
    case CORE_CHANGE_KEEP:
    case CORE_CHANGE_TAKE:
    case CORE_CHANGE_DROP:
    case CORE_CHANGE_MOVE:
    case CORE_CHANGE_EXTEND:
    case CORE_CHANGE_OUTPUT:
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_NOTE:
    case CORE_CHANGE_UNKNOWN:
    case CORE_CHANGE_BUDGET:
    case CORE_CHANGE_CURSOR:
    case CORE_CHANGE_DEADLINE:
    case CORE_CHANGE_PAUSE:
    case CORE_CHANGE_MORE:
        return (struct deed){0};
    }
    return (struct deed){0};
}

/* saga: the state after the record. */
static struct deeds deeds_of(struct arena *arena, const struct core_saga *saga,
                             const struct core_record *record)
{
    struct deeds deeds = {.items = arena_array(arena, record->change_count, sizeof *deeds.items)};
    for (uint32_t i = 0; i < record->change_count; i++) {
        struct deed deed = deed_of(arena, saga, &record->changes[i]);
        deed.change = &record->changes[i];
        if (deed.name.size > 0)
            deeds.items[deeds.count++] = deed;
    }
    return deeds;
}

static const struct deed *find_deed(const struct deeds *deeds, struct str name)
{
    for (uint32_t i = 0; i < deeds->count; i++)
        if (str_equal(deeds->items[i].name, name))
            return &deeds->items[i];
    return NULL;
}

/* The first of `deeds` that `others` has not, or has with another content. */
static const struct deed *first_other(const struct deeds *deeds, const struct deeds *others)
{
    for (uint32_t i = 0; i < deeds->count; i++) {
        const struct deed *other = find_deed(others, deeds->items[i].name);
        if (other == NULL || !str_equal(other->content, deeds->items[i].content))
            return &deeds->items[i];
    }
    return NULL;
}

static struct str lines(struct arena *arena, const struct deeds *deeds)
{
    struct buf out;
    buf_init(&out, arena);
    for (uint32_t i = 0; i < deeds->count; i++) {
        const struct deed *deed = &deeds->items[i];
        buf_printf(&out, "%s%.*s", i > 0 ? "\n" : "", STR_ARG(deed->name));
        if (deed->content.size > 0)
            buf_printf(&out, " %s %.*s", deed->joint, STR_ARG(deed->content));
    }
    return buf_str(&out);
}

/* ---- what a difference is ---- */

/* "book[3]" and "book[4]" differ alike. */
static struct str general(struct arena *arena, struct str text)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.size; i++) {
        buf_char(&out, text.data[i]);
        bool number =
            text.data[i] == '[' && i + 1 < text.size && text.data[i + 1] >= '0' && text.data[i + 1] <= '9';
        if (number)
            i += str_find(str_slice(text, i, text.size), ']') - 1;
    }
    return buf_str(&out);
}

static void conclude(struct against_work *work, enum against_outcome outcome, int64_t seq, struct str what)
{
    work->result->outcome = outcome;
    work->result->seq = seq;
    work->result->what = general(work->arena, what);
}

static bool is_expression_fault(struct str code)
{
    return str_starts(code, STR("EXPRESSION_"));
}

/* The newer version's fault in an expression that the older one had not. */
static const struct core_change *find_fault(const struct core_record *record,
                                            const struct core_record *recorded)
{
    for (uint32_t i = 0; recorded != NULL && i < recorded->change_count; i++)
        if (is_expression_fault(recorded->changes[i].code))
            return NULL;
    for (uint32_t i = 0; i < record->change_count; i++)
        if (is_expression_fault(record->changes[i].code))
            return &record->changes[i];
    return NULL;
}

/* Whether the journal has an answer to this command of the step, whatever the attempt. */
static bool was_answered(const struct against_work *work, struct str path, enum core_kind kind)
{
    struct str wanted = core_kind_text(kind);
    for (uint32_t i = 0; i < work->count; i++) {
        const struct json *data = NULL;
        struct err_note note;
        if (!str_equal(work->rows[i].kind, core_event_text(CORE_EVENT_REPLY)) ||
            !str_equal(work->rows[i].step, path) ||
            json_parse(work->arena, work->rows[i].data, SIZE_MAX, &data, &note) != ERR_OK)
            continue;
        if (str_equal(json_get_str(json_get(data, STR("event")), STR("kind")), wanted))
            return true;
    }
    return false;
}

static bool had_signal(const struct against_work *work, struct str event)
{
    for (uint32_t i = 0; i < work->count; i++) {
        const struct json *data = NULL;
        struct err_note note;
        if (!str_equal(work->rows[i].kind, core_event_text(CORE_EVENT_SIGNAL)) ||
            json_parse(work->arena, work->rows[i].data, SIZE_MAX, &data, &note) != ERR_OK)
            continue;
        if (str_equal(json_get_str(json_get(data, STR("event")), STR("signal")), event))
            return true;
    }
    return false;
}

/* The newer version asks for something: does the journal have the answer? */
static bool is_unanswerable(const struct against_work *work, const struct deed *deed)
{
    if (deed->change->kind == CORE_CHANGE_SEND)
        return !was_answered(work, deed->path, deed->change->command);
    if (deed->change->kind != CORE_CHANGE_STEP || deed->change->state != CORE_STEP_AWAITING)
        return false;
    const struct plan_node *node = &work->plan->nodes[work->now.steps[deed->change->step].node];
    return !had_signal(work, node->await->event);
}

/* Both or one of the two records; NULL: nothing happened on that side. */
static void compare(struct against_work *work, int64_t seq, const struct core_record *recorded,
                    const struct core_record *record)
{
    struct deeds none = {0};
    struct deeds then = recorded != NULL ? deeds_of(work->arena, &work->then, recorded) : none;
    struct deeds now = record != NULL ? deeds_of(work->arena, &work->now, record) : none;
    const struct deed *is = first_other(&now, &then), *was = first_other(&then, &now);
    const struct core_change *fault = record != NULL ? find_fault(record, recorded) : NULL;
    const struct deed *twin = is != NULL ? find_deed(&then, is->name) : NULL;
    if (is == NULL && was == NULL && fault == NULL)
        return;
    work->result->then = lines(work->arena, &then);
    work->result->now = lines(work->arena, &now);
    if (fault != NULL) {
        struct str place =
            fault->step == CORE_NO_STEP ? STR("saga") : core_step_path(&work->now, fault->step);
        conclude(work, AGAINST_FAULT, seq,
                 arena_printf(work->arena, "%.*s: %.*s: %.*s", STR_ARG(place), STR_ARG(fault->code),
                              STR_ARG(fault->message)));
    } else if (twin != NULL) {
        conclude(work, AGAINST_DIVERGES, seq,
                 arena_printf(work->arena, "%.*s: with other content", STR_ARG(is->name)));
    } else if (is != NULL && is_unanswerable(work, is)) {
        conclude(work, AGAINST_REPLY_MISSING, seq,
                 arena_printf(work->arena, "%.*s: no answer was recorded", STR_ARG(is->name)));
    } else if (is != NULL && was != NULL) {
        conclude(work, AGAINST_DIVERGES, seq,
                 arena_printf(work->arena, "%.*s, and not: %.*s", STR_ARG(is->name), STR_ARG(was->name)));
    } else {
        conclude(work, AGAINST_DIVERGES, seq,
                 is != NULL ? arena_printf(work->arena, "%.*s, which was not then", STR_ARG(is->name))
                            : arena_printf(work->arena, "not any more: %.*s", STR_ARG(was->name)));
    }
}

/* ---- schemas ---- */

static bool fits(struct against_work *work, int64_t seq, const char *what, struct str place,
                 const struct schema *schema, const struct json *value)
{
    struct schema_problems problems = {.count = 0};
    if (schema == NULL || schema_check(schema, value != NULL ? value : &json_null, work->arena, &problems))
        return true;
    struct str message = problems.count > 0 ? problems.items[0].message : STR("it does not fit");
    struct str pointer = problems.count > 0 ? problems.items[0].pointer : STR("");
    conclude(work, AGAINST_SCHEMA_ERROR, seq,
             arena_printf(work->arena, "%s%.*s%.*s: %.*s", what, STR_ARG(place), STR_ARG(pointer),
                          STR_ARG(message)));
    work->result->then = body_text(work->arena, value);
    work->result->now = STR("refused");
    return false;
}

/* The key that a plan computes from an input; "" when it has none, or its expression faults. */
static struct str key_of(struct against_work *work, const struct plan *plan, const struct json *input)
{
    struct definition_start start;
    return definition_start(plan, input, STR(""), work->arena, &start) ? start.key : STR("");
}

/* A start as the newer version would take it: input, search attributes, business key. A key that the caller
 * gave is the caller's affair. */
static bool start_fits(struct against_work *work, int64_t seq, const struct core_event *event)
{
    struct definition_start start;
    const struct json *input = event->input != NULL ? event->input : &json_null;
    bool own = event->key.size > 0 && str_equal(key_of(work, work->then.plan, input), event->key);
    struct str given = own ? STR("") : event->key;
    if (!definition_start(work->plan, input, given, work->arena, &start)) {
        const struct schema_problem *problem = &start.problems.items[0];
        conclude(work, AGAINST_SCHEMA_ERROR, seq,
                 arena_printf(work->arena, "input%.*s: %.*s", STR_ARG(problem->pointer),
                              STR_ARG(problem->message)));
        work->result->then = body_text(work->arena, event->input);
        work->result->now = STR("refused");
        return false;
    }
    bool unkeyed = event->key.size == 0 && work->then.plan->key != NULL; /* not by its own expression */
    if (unkeyed || str_equal(start.key, event->key))
        return true;
    conclude(work, AGAINST_DIVERGES, seq, STR("another business key"));
    work->result->then = arena_printf(work->arena, "key %.*s", STR_ARG(event->key));
    work->result->now = arena_printf(work->arena, "key %.*s", STR_ARG(start.key));
    return false;
}

/* What comes in, against the newer version's schemas. */
static bool event_fits(struct against_work *work, int64_t seq, const struct core_event *event)
{
    bool good =
        event->kind == CORE_EVENT_REPLY && event->status == CORE_REPLY_OK && event->command_kind != CORE_UNDO;
    if (event->kind == CORE_EVENT_START)
        return event->stillborn ||
               (event->has_parent ? fits(work, seq, "input", STR(""), work->plan->input_schema, event->input)
                                  : start_fits(work, seq, event));
    if (event->kind == CORE_EVENT_SIGNAL) {
        const struct plan_node *node = plan_find_await(work->plan, event->signal);
        return node == NULL || fits(work, seq, "event of ", node->id, node->await->schema, event->body);
    }
    uint16_t step = good ? core_find(&work->now, event->step) : (uint16_t)CORE_NO_STEP;
    if (step == CORE_NO_STEP)
        return true;
    const struct plan_node *node = &work->plan->nodes[work->now.steps[step].node];
    return node->kind != PLAN_STEP ||
           fits(work, seq, "reply to ", node->id, node->step->output_schema, event->body);
}

/* ---- the run ---- */

static bool decided(const struct against_work *work)
{
    return work->result->outcome != AGAINST_SAME;
}

/* Timers that are due in the newer version before this event. One that the older version had, and that had
 * not fired by then because the engine was late, would not have fired in the newer one either, nor any later
 * one. */
static void fire_timers(struct against_work *work, int64_t seq, int64_t until_us)
{
    for (int i = 0; i < TIMERS_MAX && !decided(work); i++) {
        int64_t wake_us = core_wake(&work->now);
        int64_t late_us = core_wake(&work->then);
        if (wake_us >= until_us || (late_us < until_us && wake_us >= late_us))
            return;
        struct core_event event = {.kind = CORE_EVENT_TIMER, .at_us = wake_us};
        struct core_update update;
        core_step(&work->now, &event, work->arena, &update);
        if (update.verdict != CORE_USED)
            return;
        compare(work, seq, NULL, &update.record);
    }
}

/* False: nothing to go on with. */
static bool run_record(struct against_work *work, const struct against_row *row)
{
    struct core_record recorded;
    struct core_update update;
    struct err_note note = {""};
    if (record_read(&work->then, row->seq, row->at_us, row->kind, row->step, row->attempt, row->data,
                    work->arena, &recorded, &note) != ERR_OK) {
        conclude(work, AGAINST_UNREADABLE, row->seq, str_from(note.text));
        return false;
    }
    fire_timers(work, row->seq, row->at_us);
    if (decided(work) || !event_fits(work, row->seq, &recorded.event))
        return false;
    if (core_fold(&work->then, &recorded, &note) != ERR_OK) {
        conclude(work, AGAINST_UNREADABLE, row->seq, str_from(note.text));
        return false;
    }
    core_step(&work->now, &recorded.event, work->arena, &update);
    compare(work, row->seq, &recorded, update.verdict == CORE_USED ? &update.record : NULL);
    if (decided(work) && update.verdict != CORE_USED)
        work->result->now = arena_printf(work->arena, "nothing: %.*s", STR_ARG(update.why));
    return !decided(work);
}

static struct str kept(struct arena *arena, struct str text)
{
    return arena_copy(arena, text);
}

void against_run(const struct plan *older, const struct plan *newer, struct id id,
                 const struct against_row *rows, uint32_t count, struct arena *arena, struct against *result)
{
    struct arena scratch, then, now;
    arena_init(&scratch, 0);
    arena_init(&then, 0);
    arena_init(&now, 0);
    *result = (struct against){.outcome = AGAINST_SAME};
    struct against_work work = {
        .arena = &scratch, .result = result, .rows = rows, .count = count, .plan = newer};
    core_init(&work.then, older, id, &then);
    core_init(&work.now, newer, id, &now);
    for (uint32_t i = 0; i < count && run_record(&work, &rows[i]); i++)
        continue;
    result->what = kept(arena, result->what);
    result->then = kept(arena, result->then);
    result->now = kept(arena, result->now);
    arena_fini(&now);
    arena_fini(&then);
    arena_fini(&scratch);
}
