/* A journal row back into a record, strictly: an unknown member, a missing one or a number out of range is an
 * error with its name. Called when sagas are loaded and replayed. Never guesses, and never looks whether the
 * record follows (follows.c). */
#include "engine/core/record.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/core/words.h"

/* What is being read: the state before the record, and the steps the record itself has opened so far. */
struct reader {
    const struct core_saga *saga;
    uint32_t count;    /* changes read so far */
    struct str *paths; /* of the steps it has opened */
    uint16_t opened;
    struct err_note *note;
};

static enum err wrong(struct reader *reader, const char *field)
{
    check(field != NULL);
    check(reader->note != NULL);
    return err_note(reader->note, ERR_INVALID, "change %u of a journal record: \"%s\" is missing or wrong",
                    reader->count + 1, field);
}

static bool read_u16(const struct json *from, struct str key, uint16_t *number)
{
    int64_t value = 0;
    check(key.size > 0);
    if (!json_get_i64(from, key, &value) || value < 0 || value >= CORE_NO_STEP)
        return false;
    *number = (uint16_t)value;
    return true;
}

static bool read_flag(const struct json *from, bool *flag)
{
    const struct json *value = json_get(from, STR("flag"));
    check(from != NULL);
    if (value == NULL || value->kind != JSON_BOOL)
        return false;
    *flag = value->boolean;
    return true;
}

static bool read_attempt(const struct json *from, uint32_t *attempt)
{
    int64_t number = 0;
    check(from != NULL);
    if (!json_get_i64(from, STR("attempt"), &number) || number < 1 || number > UINT32_MAX)
        return false;
    *attempt = (uint32_t)number;
    return true;
}

/* Absent is 0: no time. */
static bool read_due(const struct json *from, int64_t *due_us)
{
    check(from != NULL);
    *due_us = 0;
    const struct json *value = json_get(from, STR("due"));
    return value == NULL || (json_to_i64(value, due_us) && *due_us > 0);
}

/* Absent is 0. */
static bool read_u32(const struct json *from, struct str key, uint32_t *number)
{
    const struct json *value = json_get(from, key);
    int64_t wide = 0;
    check(key.size > 0);
    if (value != NULL && (!json_to_i64(value, &wide) || wide < 0 || wide > UINT32_MAX))
        return false;
    *number = (uint32_t)wide;
    return true;
}

/* Steps opened by this very record are not in the saga yet. */
static uint16_t find_step(const struct reader *reader, struct str path)
{
    const struct core_saga *saga = reader->saga;
    check(saga->step_count <= saga->step_room);
    for (uint16_t i = reader->opened; i > 0; i--)
        if (str_equal(reader->paths[i - 1], path))
            return (uint16_t)(saga->step_count + i - 1);
    return core_find(saga, path);
}

static enum err read_open(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_OPEN);
    if (!read_u16(from, STR("node"), &change->node) || change->node >= reader->saga->plan->node_count)
        return wrong(reader, "node");
    if (!read_u16(from, STR("frame"), &change->frame))
        return wrong(reader, "frame");
    if (reader->saga->step_count + reader->opened >= LIMITS_INSTANCES)
        return wrong(reader, "step");
    reader->paths[reader->opened] = json_get_str(from, STR("step"));
    change->step = (uint16_t)(reader->saga->step_count + reader->opened++);
    return ERR_OK;
}

static enum err read_frame(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_FRAME);
    if (!read_u16(from, STR("frame"), &change->frame))
        return wrong(reader, "frame");
    if (!read_u16(from, STR("node"), &change->node))
        return wrong(reader, "node");
    if (!read_u16(from, STR("parent"), &change->parent))
        return wrong(reader, "parent");
    if (!read_u16(from, STR("index"), &change->index))
        return wrong(reader, "index");
    change->body = json_get(from, STR("body"));
    return ERR_OK;
}

static enum err read_block(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_BLOCK);
    if (!read_u16(from, STR("frame"), &change->frame))
        return wrong(reader, "frame");
    if (!core_block_parse(json_get_str(from, STR("state")), &change->block))
        return wrong(reader, "state");
    change->code = json_get_str(from, STR("code"));
    change->message = json_get_str(from, STR("message"));
    return ERR_OK;
}

static enum err read_note(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_NOTE);
    if (!core_kind_parse(json_get_str(from, STR("kind")), &change->command))
        return wrong(reader, "kind");
    if (!read_attempt(from, &change->attempt))
        return wrong(reader, "attempt");
    change->code = json_get_str(from, STR("code"));
    change->message = json_get_str(from, STR("message"));
    return ERR_OK;
}

static enum err read_send(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_SEND);
    if (!core_kind_parse(json_get_str(from, STR("kind")), &change->command))
        return wrong(reader, "kind");
    if (!read_attempt(from, &change->attempt))
        return wrong(reader, "attempt");
    if (!read_u32(from, STR("family"), &change->family) || change->family > LIMITS_FAMILY)
        return wrong(reader, "family");
    change->body = json_get(from, STR("body"));
    if (change->body == NULL)
        return wrong(reader, "body");
    return ERR_OK;
}

static enum err read_cursor(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_CURSOR);
    if (!read_u16(from, STR("frame"), &change->frame))
        return wrong(reader, "frame");
    if (!read_u16(from, STR("cursor"), &change->cursor))
        return wrong(reader, "cursor");
    return ERR_OK;
}

static enum err read_move(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_STEP);
    if (!core_step_state_parse(json_get_str(from, STR("from")), &change->from))
        return wrong(reader, "from");
    if (!core_step_state_parse(json_get_str(from, STR("state")), &change->state))
        return wrong(reader, "state");
    return ERR_OK;
}

static enum err read_status(struct reader *reader, const struct json *from, struct core_change *change)
{
    check(change->kind == CORE_CHANGE_STATUS);
    if (!core_status_parse(json_get_str(from, STR("status")), &change->status))
        return wrong(reader, "status");
    if (!core_direction_parse(json_get_str(from, STR("direction")), &change->direction))
        return wrong(reader, "direction");
    return ERR_OK;
}

static enum err read_fields(struct reader *reader, const struct json *from, struct core_change *change)
{
    switch (change->kind) {
    case CORE_CHANGE_OPEN:
        return read_open(reader, from, change);
    case CORE_CHANGE_FRAME:
        return read_frame(reader, from, change);
    case CORE_CHANGE_BLOCK:
        return read_block(reader, from, change);
    case CORE_CHANGE_TAKE:
    case CORE_CHANGE_DROP:
        return read_u16(from, STR("index"), &change->index) ? ERR_OK : wrong(reader, "index");
    case CORE_CHANGE_NOTE:
        return read_note(reader, from, change);
    case CORE_CHANGE_SEND:
        return read_send(reader, from, change);
    case CORE_CHANGE_STEP:
        return read_move(reader, from, change);
    case CORE_CHANGE_UNKNOWN:
    case CORE_CHANGE_PAUSE:
        if (json_get(from, STR("due")) != NULL &&
            (!json_get_i64(from, STR("due"), &change->due_us) || change->due_us <= 0))
            return wrong(reader, "due");
        return read_flag(from, &change->flag) ? ERR_OK : wrong(reader, "flag");
    case CORE_CHANGE_BUDGET:
        return core_kind_parse(json_get_str(from, STR("kind")), &change->command) ? ERR_OK
                                                                                  : wrong(reader, "kind");
    case CORE_CHANGE_CURSOR:
        return read_cursor(reader, from, change);
    case CORE_CHANGE_STATUS:
        return read_status(reader, from, change);
    case CORE_CHANGE_RESULT:
        change->body = json_get(from, STR("body"));
        return change->body ? ERR_OK : wrong(reader, "body");
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_CAUSE:
    case CORE_CHANGE_PARK:
        change->code = json_get_str(from, STR("code"));
        change->message = json_get_str(from, STR("message"));
        return ERR_OK;
    case CORE_CHANGE_KEEP:
    case CORE_CHANGE_MOVE:
    case CORE_CHANGE_EXTEND:
    case CORE_CHANGE_OUTPUT:
    case CORE_CHANGE_DEADLINE:
    case CORE_CHANGE_MORE:
        return ERR_OK;
    }
    check_never("a change of no kind");
}

static enum err read_change(struct reader *reader, const struct json *from, struct core_change *change)
{
    struct str path = json_get_str(from, STR("step"));
    *change = (struct core_change){.step = CORE_NO_STEP};
    check(reader->saga->plan != NULL);
    if (!core_change_parse(json_get_str(from, STR("change")), &change->kind))
        return wrong(reader, "change");
    if (!read_due(from, &change->due_us))
        return wrong(reader, "due");
    if (path.size > 0 && change->kind != CORE_CHANGE_OPEN) {
        change->step = find_step(reader, path);
        if (change->step == CORE_NO_STEP)
            return wrong(reader, "step");
    }
    return read_fields(reader, from, change);
}

static enum err read_changes(struct reader *reader, const struct json *from, struct arena *arena,
                             struct core_record *record)
{
    if (from == NULL || from->kind != JSON_ARRAY || from->count > LIMITS_RECORD_CHANGES)
        return err_note(reader->note, ERR_INVALID, "a journal record has no list of changes, or too many");
    check(reader->count == 0);
    struct core_change *changes = arena_array(arena, from->count, sizeof *changes);
    reader->paths = arena_array(arena, from->count, sizeof *reader->paths);
    for (; reader->count < from->count; reader->count++) {
        enum err error = read_change(reader, from->items[reader->count], &changes[reader->count]);
        if (error != ERR_OK)
            return error;
    }
    record->changes = changes;
    record->change_count = from->count;
    return ERR_OK;
}

static bool read_seed(const struct json *from, uint64_t *seed)
{
    struct str text = json_get_str(from, STR("seed"));
    check(seed != NULL);
    *seed = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(*seed, 10, seed) ||
            __builtin_add_overflow(*seed, (uint64_t)(text.data[i] - '0'), seed))
            return false;
    }
    return text.size > 0;
}

static const char *read_parent(const struct json *from, struct core_event *event)
{
    check(event->kind == CORE_EVENT_START);
    if (json_get(from, STR("parent")) == NULL)
        return NULL;
    event->has_parent = true;
    event->parent_step = json_get_str(from, STR("parent_step"));
    if (!id_parse(json_get_str(from, STR("parent")), &event->parent))
        return "parent";
    if (event->parent_step.size == 0)
        return "parent_step";
    const struct json *stillborn = json_get(from, STR("stillborn"));
    event->stillborn = stillborn != NULL && stillborn->kind == JSON_BOOL && stillborn->boolean;
    if (!read_u32(from, STR("parent_attempt"), &event->parent_attempt))
        return "parent_attempt";
    if (!read_u32(from, STR("family"), &event->family) || event->family > LIMITS_FAMILY)
        return "family";
    return read_u32(from, STR("depth"), &event->depth) ? NULL : "depth";
}

static const char *read_start(const struct json *from, struct core_event *event)
{
    check(event->kind == CORE_EVENT_START);
    event->input = json_get(from, STR("input"));
    event->search = json_get(from, STR("search"));
    event->key = json_get_str(from, STR("key"));
    event->correlation = json_get_str(from, STR("correlation"));
    event->traceparent = json_get_str(from, STR("traceparent"));
    if (!read_u32(from, STR("shards"), &event->shards) || event->shards > LIMITS_SHARDS_MAX)
        return "shards";
    if (!read_u32(from, STR("rules"), &event->rules) || event->rules > CORE_RULES_NEWEST)
        return "rules";
    if (event->rules == 0) /* written before rules had numbers */
        event->rules = CORE_RULES_FIRST;
    const char *problem = read_parent(from, event);
    if (problem)
        return problem;
    const struct json *bounded = json_get(from, STR("bounded"));
    event->unbounded = bounded == NULL || bounded->kind != JSON_BOOL || !bounded->boolean;
    return read_seed(from, &event->seed) ? NULL : "seed";
}

static const char *read_reply(const struct json *from, struct core_event *event)
{
    check(event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_FORCE);
    if (!core_reply_parse(json_get_str(from, STR("status")), &event->status))
        return "status";
    event->error_code = json_get_str(from, STR("code"));
    event->error_message = json_get_str(from, STR("message"));
    event->body = json_get(from, STR("body"));
    if (event->kind == CORE_EVENT_FORCE)
        return NULL;
    event->participant = json_get_str(from, STR("participant"));
    if (!core_kind_parse(json_get_str(from, STR("kind")), &event->command_kind))
        return "kind";
    const struct json *after = json_get(from, STR("retry_after_us"));
    return after == NULL || json_to_i64(after, &event->retry_after_us) ? NULL : "retry_after_us";
}

static const char *read_event(const struct json *from, struct core_event *event)
{
    if (from == NULL || from->kind != JSON_OBJECT)
        return "event";
    check((unsigned)event->kind <= CORE_EVENT_CLOCK);
    if (event->kind == CORE_EVENT_START)
        return read_start(from, event);
    if (event->kind == CORE_EVENT_SIGNAL) {
        event->signal = json_get_str(from, STR("signal"));
        event->signal_id = json_get_str(from, STR("id"));
        event->body = json_get(from, STR("body"));
        return event->signal.size > 0 ? NULL : "signal";
    }
    const struct json *deadline = json_get(from, STR("deadline"));
    bool may_say = event->kind == CORE_EVENT_TIMER || event->kind == CORE_EVENT_PAUSE;
    event->deadline = may_say && deadline != NULL && deadline->kind == JSON_BOOL && deadline->boolean;
    if (event->kind == CORE_EVENT_TIMER)
        return NULL;
    if (event->kind == CORE_EVENT_DELIVERED || event->kind == CORE_EVENT_UNDELIVERED) {
        event->error_code = json_get_str(from, STR("code"));
        event->error_message = json_get_str(from, STR("message"));
        if (event->kind == CORE_EVENT_DELIVERED && !json_get_i64(from, STR("due"), &event->due_us))
            return "due";
        return core_kind_parse(json_get_str(from, STR("kind")), &event->command_kind) ? NULL : "kind";
    }
    if (event->kind == CORE_EVENT_MOVE && !json_get_i64(from, STR("due"), &event->due_us))
        return "due";
    event->actor = json_get_str(from, STR("actor"));
    event->reason = json_get_str(from, STR("reason"));
    if (event->kind == CORE_EVENT_REPLY || event->kind == CORE_EVENT_FORCE)
        return read_reply(from, event);
    return NULL;
}

enum err record_read(const struct core_saga *saga, int64_t seq, int64_t at_us, struct str kind,
                     struct str step, uint32_t attempt, struct str data, struct arena *arena,
                     struct core_record *record, struct err_note *note)
{
    const struct json *root = NULL;
    check(saga->plan != NULL);
    check(arena != NULL);
    *record = (struct core_record){.seq = seq};
    if (!core_event_parse(kind, &record->event.kind))
        return err_note(note, ERR_INVALID, "a journal record of unknown kind \"%.*s\"",
                        WORDS(arena_copy(arena, kind)));
    enum err error = json_parse(arena, data, SIZE_MAX, &root, note);
    if (error != ERR_OK)
        return error;
    record->event.at_us = at_us;
    record->event.step = arena_copy(arena, step);
    record->event.attempt = attempt;
    const char *field = read_event(json_get(root, STR("event")), &record->event);
    if (field)
        return err_note(note, ERR_INVALID, "the event of a journal record: \"%s\" is missing or wrong",
                        field);
    struct err_note unused;
    struct reader reader = {.saga = saga, .note = note ? note : &unused};
    return read_changes(&reader, json_get(root, STR("changes")), arena, record);
}
