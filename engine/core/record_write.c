/* A record as the bytes of a journal row. Called for each record that is stored, and by replay, which
 * compares bytes: so the same record gives the same text for ever, and a member's name or order is never
 * changed. */
#include "engine/core/record.h"
#include <string.h>
#include "engine/base/check.h"

/* Written straight into the buf: this runs for every transition. */

/* `"name":`, with the comma that the place needs. */
static void name(struct buf *out, struct str text)
{
    check(out->size > 0);
    check(text.size > 0);
    char *to = buf_reserve(out, text.size + sizeof ",\"\":");
    char *begin = to;
    if (to[-1] != '{')
        *to++ = ',';
    *to++ = '"';
    memcpy(to, text.data, text.size);
    to += text.size;
    *to++ = '"';
    *to++ = ':';
    out->size += (size_t)(to - begin);
}

static void put_text(struct buf *out, struct str key, struct str text)
{
    if (text.size == 0)
        return;
    name(out, key);
    json_write_string(out, text);
}

static void put_number(struct buf *out, struct str key, int64_t number)
{
    name(out, key);
    buf_i64(out, number);
}

static void put_json(struct buf *out, struct str key, const struct json *value)
{
    if (value == NULL)
        return;
    name(out, key);
    json_write(out, value);
}

static void put_flag(struct buf *out, bool flag)
{
    name(out, STR("flag"));
    buf_put(out, flag ? STR("true") : STR("false"));
}

static void write_parent(struct buf *out, const struct core_event *event)
{
    char id[ID_TEXT_SIZE + 1];
    id_format(event->parent, id);
    check(event->parent_step.size > 0);
    put_text(out, STR("parent"), str_from(id));
    put_text(out, STR("parent_step"), event->parent_step);
    put_number(out, STR("parent_attempt"), event->parent_attempt);
    put_number(out, STR("depth"), event->depth);
    if (event->family > 0)
        put_number(out, STR("family"), event->family);
    if (event->stillborn) {
        name(out, STR("stillborn"));
        buf_put(out, STR("true"));
    }
}

static void write_start(struct buf *out, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_START);
    put_json(out, STR("input"), event->input);
    put_json(out, STR("search"), event->search);
    put_text(out, STR("key"), event->key);
    name(out, STR("seed"));
    buf_char(out, '"');
    buf_u64(out, event->seed);
    buf_char(out, '"');
    put_text(out, STR("correlation"), event->correlation);
    put_text(out, STR("traceparent"), event->traceparent);
    if (event->shards > 1)
        put_number(out, STR("shards"), event->shards);
    if (event->rules > CORE_RULES_FIRST)
        put_number(out, STR("rules"), event->rules);
    if (event->has_parent)
        write_parent(out, event);
    if (!event->unbounded) {
        name(out, STR("bounded"));
        buf_put(out, STR("true"));
    }
}

static void write_reply(struct buf *out, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_REPLY);
    put_text(out, STR("kind"), core_kind_text(event->command_kind));
    put_text(out, STR("participant"), event->participant);
    put_text(out, STR("status"), core_reply_text(event->status));
    put_text(out, STR("code"), event->error_code);
    put_text(out, STR("message"), event->error_message);
    if (event->retry_after_us > 0)
        put_number(out, STR("retry_after_us"), event->retry_after_us);
    put_json(out, STR("body"), event->body);
}

static void write_verb(struct buf *out, const struct core_event *event)
{
    check(event->kind >= CORE_EVENT_CANCEL);
    put_text(out, STR("actor"), event->actor);
    put_text(out, STR("reason"), event->reason);
    if (event->deadline) {
        name(out, STR("deadline"));
        buf_put(out, STR("true"));
    }
    if (event->kind == CORE_EVENT_MOVE)
        put_number(out, STR("due"), event->due_us);
    if (event->kind != CORE_EVENT_FORCE)
        return;
    put_text(out, STR("status"), core_reply_text(event->status));
    put_text(out, STR("code"), event->error_code);
    put_text(out, STR("message"), event->error_message);
    put_json(out, STR("body"), event->body);
}

static void write_signal(struct buf *out, const struct core_event *event)
{
    check(event->kind == CORE_EVENT_SIGNAL);
    put_text(out, STR("signal"), event->signal);
    put_text(out, STR("id"), event->signal_id);
    put_json(out, STR("body"), event->body);
}

static void write_delivery(struct buf *out, const struct core_event *event)
{
    check(event->step.size > 0);
    put_text(out, STR("kind"), core_kind_text(event->command_kind));
    put_text(out, STR("code"), event->error_code);
    put_text(out, STR("message"), event->error_message);
    if (event->kind == CORE_EVENT_DELIVERED)
        put_number(out, STR("due"), event->due_us);
}

static void write_event(struct buf *out, const struct core_event *event)
{
    buf_char(out, '{');
    switch (event->kind) {
    case CORE_EVENT_START:
        write_start(out, event);
        break;
    case CORE_EVENT_REPLY:
        write_reply(out, event);
        break;
    case CORE_EVENT_TIMER:
        if (event->deadline) {
            name(out, STR("deadline"));
            buf_put(out, STR("true"));
        }
        break;
    case CORE_EVENT_DELIVERED:
    case CORE_EVENT_UNDELIVERED:
        write_delivery(out, event);
        break;
    case CORE_EVENT_CANCEL:
    case CORE_EVENT_TERMINATE:
    case CORE_EVENT_PAUSE:
    case CORE_EVENT_RESUME:
    case CORE_EVENT_RETRY:
    case CORE_EVENT_SKIP:
    case CORE_EVENT_FORCE:
    case CORE_EVENT_MOVE:
    case CORE_EVENT_UNDO:
    case CORE_EVENT_LOST:
    case CORE_EVENT_CLOCK:
        write_verb(out, event);
        break;
    case CORE_EVENT_SIGNAL:
        write_signal(out, event);
        break;
    }
    buf_char(out, '}');
}

static void put_step(struct buf *out, const struct core_saga *saga, uint16_t step)
{
    if (step == CORE_NO_STEP)
        return;
    check(step < saga->step_count);
    name(out, STR("step"));
    buf_char(out, '"');
    buf_put(out, core_step_path(saga, step)); /* an identifier: nothing in it needs an escape */
    buf_char(out, '"');
}

static void put_due(struct buf *out, int64_t due_us)
{
    if (due_us > 0)
        put_number(out, STR("due"), due_us);
}

static void write_flag(struct buf *out, const struct core_change *change)
{
    check(change->kind == CORE_CHANGE_UNKNOWN || change->kind == CORE_CHANGE_PAUSE);
    put_flag(out, change->flag);
    put_due(out, change->due_us);
}

static void write_send(struct buf *out, const struct core_saga *saga, const struct core_change *change)
{
    const struct plan_step *plan = saga->plan->nodes[saga->steps[change->step].node].step;
    const struct plan_action *action = core_action(plan, change->command);
    check(action != NULL);
    put_text(out, STR("kind"), core_kind_text(change->command));
    put_number(out, STR("attempt"), change->attempt);
    put_due(out, change->due_us);
    if (change->family > 0)
        put_number(out, STR("family"), change->family);
    put_text(out, STR("to"), action->command);
    put_json(out, STR("body"), change->body);
}

static void write_reason(struct buf *out, const struct core_change *change)
{
    check(change->kind != CORE_CHANGE_STATUS);
    put_text(out, STR("code"), change->code);
    put_text(out, STR("message"), change->message);
}

static void write_fields(struct buf *out, const struct core_saga *saga, const struct core_change *change)
{
    switch (change->kind) {
    case CORE_CHANGE_OPEN:
        put_number(out, STR("node"), change->node);
        put_number(out, STR("frame"), change->frame);
        return;
    case CORE_CHANGE_SEND:
        write_send(out, saga, change);
        return;
    case CORE_CHANGE_STEP:
        put_text(out, STR("from"), core_step_state_text(change->from));
        put_text(out, STR("state"), core_step_state_text(change->state));
        put_due(out, change->due_us);
        return;
    case CORE_CHANGE_FRAME:
        put_number(out, STR("frame"), change->frame);
        put_number(out, STR("node"), change->node);
        put_number(out, STR("parent"), change->parent);
        put_number(out, STR("index"), change->index);
        put_json(out, STR("body"), change->body);
        return;
    case CORE_CHANGE_BLOCK:
        put_number(out, STR("frame"), change->frame);
        put_text(out, STR("state"), core_block_text(change->block));
        write_reason(out, change);
        return;
    case CORE_CHANGE_TAKE:
    case CORE_CHANGE_DROP:
        put_number(out, STR("index"), change->index);
        return;
    case CORE_CHANGE_MOVE:
    case CORE_CHANGE_EXTEND:
    case CORE_CHANGE_DEADLINE:
        put_due(out, change->due_us);
        return;
    case CORE_CHANGE_OUTPUT:
    case CORE_CHANGE_KEEP:
    case CORE_CHANGE_MORE:
        return;
    case CORE_CHANGE_FAULT:
    case CORE_CHANGE_CAUSE:
    case CORE_CHANGE_PARK:
        write_reason(out, change);
        return;
    case CORE_CHANGE_NOTE:
        put_text(out, STR("kind"), core_kind_text(change->command));
        put_number(out, STR("attempt"), change->attempt);
        write_reason(out, change);
        return;
    case CORE_CHANGE_UNKNOWN:
    case CORE_CHANGE_PAUSE:
        write_flag(out, change);
        return;
    case CORE_CHANGE_BUDGET:
        put_text(out, STR("kind"), core_kind_text(change->command));
        return;
    case CORE_CHANGE_CURSOR:
        put_number(out, STR("frame"), change->frame);
        put_number(out, STR("cursor"), change->cursor);
        return;
    case CORE_CHANGE_STATUS:
        put_text(out, STR("status"), core_status_text(change->status));
        put_text(out, STR("direction"), core_direction_text(change->direction));
        return;
    case CORE_CHANGE_RESULT:
        put_json(out, STR("body"), change->body);
        return;
    }
    check_never("a change of no kind");
}

void record_write(struct buf *out, const struct core_saga *saga, const struct core_record *record)
{
    check(record->seq > 0);
    check(record->changes != NULL || record->change_count == 0);
    buf_put(out, STR("{\"event\":"));
    write_event(out, &record->event);
    buf_put(out, STR(",\"changes\":["));
    for (uint32_t i = 0; i < record->change_count; i++) {
        const struct core_change *change = &record->changes[i];
        buf_put(out, i > 0 ? STR(",{") : STR("{"));
        put_text(out, STR("change"), core_change_text(change->kind));
        put_step(out, saga, change->step);
        write_fields(out, saga, change);
        buf_char(out, '}');
    }
    buf_put(out, STR("]}"));
}

struct str record_step(const struct core_saga *saga, const struct core_record *record)
{
    check(saga->plan != NULL);
    check(record->seq > 0);
    switch (record->event.kind) {
    case CORE_EVENT_REPLY:
    case CORE_EVENT_TIMER:
    case CORE_EVENT_RETRY:
    case CORE_EVENT_SKIP:
    case CORE_EVENT_FORCE:
    case CORE_EVENT_MOVE:
    case CORE_EVENT_DELIVERED:
    case CORE_EVENT_UNDELIVERED:
        return record->event.step;
    case CORE_EVENT_SIGNAL:
    case CORE_EVENT_UNDO:
    case CORE_EVENT_LOST:
    case CORE_EVENT_CLOCK:
    case CORE_EVENT_START:
    case CORE_EVENT_CANCEL:
    case CORE_EVENT_TERMINATE:
    case CORE_EVENT_PAUSE:
    case CORE_EVENT_RESUME:
        return (struct str){0};
    }
    check_never("an event of no kind");
}

uint32_t record_attempt(const struct core_record *record)
{
    check(record->seq > 0);
    enum core_event_kind kind = record->event.kind;
    check((unsigned)kind <= CORE_EVENT_CLOCK);
    bool has_attempt = kind == CORE_EVENT_REPLY || kind == CORE_EVENT_TIMER || kind == CORE_EVENT_RETRY ||
                       kind == CORE_EVENT_SKIP || kind == CORE_EVENT_FORCE || kind == CORE_EVENT_UNDO ||
                       kind == CORE_EVENT_DELIVERED || kind == CORE_EVENT_UNDELIVERED;
    return has_attempt ? record->event.attempt : 0;
}
