/* Messages out of decided things: commands, lifecycle events, commands to and answers of child sagas. Called
 * by sending.c and the tests. Pure; never puts a caller's text into a header without making it harmless. */
#include "engine/bus/envelope.h"

#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/bus/envelope_text.h"

enum {
    TEXT_BYTES = 200, /* of a correlation id or traceparent sent on: an id, not a document */
};

struct str envelope_command_id(struct arena *arena, struct id saga, struct str step, enum core_kind kind,
                               uint32_t attempt)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(saga, text);
    char room[STR_I64_SIZE];
    return arena_join(arena, (struct str){text, ID_TEXT_SIZE}, STR("/"), step, STR("/"), core_kind_text(kind),
                      STR("/"), str_of_u64(room, attempt));
}

/* Cuts the last part off, the slash with it. */
static struct str cut_last(struct str *text)
{
    size_t begin = text->size;
    while (begin > 0 && text->data[begin - 1] != '/')
        begin--;
    struct str last = str_slice(*text, begin, text->size);
    *text = str_slice(*text, 0, begin > 0 ? begin - 1 : 0);
    return last;
}

static bool parse_attempt(struct str text, uint32_t *attempt)
{
    int64_t value;
    if (text.size == 0 || text.data[0] < '1' || text.data[0] > '9' || !str_to_i64(text, &value) ||
        value > LIMITS_ATTEMPTS_MAX)
        return false;
    *attempt = (uint32_t)value;
    return true;
}

bool envelope_command_parse(struct str text, struct id *saga, struct str *step, enum core_kind *kind,
                            uint32_t *attempt)
{
    struct str rest = text;
    if (!parse_attempt(cut_last(&rest), attempt) || !core_kind_parse(cut_last(&rest), kind))
        return false;
    *step = str_slice(rest, ID_TEXT_SIZE + 1, rest.size);
    return step->size > 0 && rest.data[ID_TEXT_SIZE] == '/' && str_is_utf8(*step) &&
           id_parse(str_slice(rest, 0, ID_TEXT_SIZE), saga);
}

static void add_number(struct bus_message *message, struct arena *arena, struct str name, int64_t number)
{
    char room[STR_I64_SIZE];
    bus_header_add(message, name, arena_copy(arena, str_of_i64(room, number)));
}

static void add_text(struct bus_message *message, struct arena *arena, struct str name, struct str text)
{
    bus_header_add(message, name, envelope_clean(arena, text, TEXT_BYTES));
}

static struct str reply_subject(struct arena *arena, uint32_t shard, struct str participant)
{
    char room[STR_I64_SIZE];
    return arena_join(arena, STR("saga.reply."), str_of_u64(room, shard), STR("."), participant);
}

/* Where a child saga answers: its parent takes the engine for the participant. */
static struct str parent_subject(struct arena *arena, struct id parent)
{
    return reply_subject(arena, id_shard(parent), STR(PLAN_ENGINE));
}

void envelope_command(const struct envelope_command *command, struct arena *arena,
                      struct bus_message *message, struct str *id)
{
    const struct plan_action *action = command->action;
    bool request = action->via == PLAN_VIA_REQUEST;
    *id = envelope_command_id(arena, command->saga, command->step, command->kind, command->attempt);
    struct str saga = str_slice(*id, 0, ID_TEXT_SIZE);
    message->header_count = 0;
    message->garbled = false;
    message->status = 0;
    message->body = command->body;
    message->subject =
        request ? action->command
                : arena_join(arena, STR("saga.cmd."), action->participant, STR("."), action->action);
    bus_header_add(message, STR("Saga-Command"), *id);
    bus_header_add(message, STR("Saga-Key"), str_slice(*id, 0, ID_TEXT_SIZE + 1 + command->step.size));
    bus_header_add(message, STR("Saga-Kind"), core_kind_text(command->kind));
    add_number(message, arena, STR("Saga-Attempt"), command->attempt);
    if (!request)
        bus_header_add(message, STR("Saga-Reply-To"),
                       reply_subject(arena, command->shard, action->participant));
    add_number(message, arena, STR("Saga-Timeout-Ms"), (action->timeout_us + 999) / 1000);
    bus_header_add(message, STR("Saga-Definition"), command->definition);
    add_text(message, arena, STR("Saga-Correlation-Id"),
             command->correlation.size > 0 ? command->correlation : saga);
    add_text(message, arena, STR("traceparent"), command->traceparent);
}

void envelope_child(const struct envelope_child *child, struct arena *arena, struct bus_message *message,
                    struct str *id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(child->child, text);
    *id = envelope_command_id(arena, child->parent, child->step, child->kind, child->attempt);
    message->header_count = 0;
    message->garbled = false;
    message->status = 0;
    message->body = child->body;
    message->subject = arena_join(arena, STR("saga.child."), child->definition);
    bus_header_add(message, STR("Saga-Command"), *id);
    bus_header_add(message, STR("Saga-Key"), str_slice(*id, 0, ID_TEXT_SIZE + 1 + child->step.size));
    bus_header_add(message, STR("Saga-Kind"), core_kind_text(child->kind));
    add_number(message, arena, STR("Saga-Attempt"), child->attempt);
    bus_header_add(message, STR("Saga-Reply-To"), parent_subject(arena, child->parent));
    bus_header_add(message, STR("Saga-Child"), arena_copy(arena, str_from(text)));
    add_number(message, arena, STR("Saga-Depth"), child->depth);
    if (child->family > 0)
        add_number(message, arena, STR("Saga-Family"), child->family);
    if (child->version > 0)
        add_number(message, arena, STR("Saga-Version"), child->version);
    bus_header_add(message, STR("Saga-Definition"), child->parent_definition);
    add_text(message, arena, STR("Saga-Correlation-Id"),
             child->correlation.size > 0 ? child->correlation : str_slice(*id, 0, ID_TEXT_SIZE));
    add_text(message, arena, STR("traceparent"), child->traceparent);
}

void envelope_child_reply(const struct envelope_child_reply *reply, struct arena *arena,
                          struct bus_message *message, struct str *id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(reply->child, text);
    struct str command = envelope_command_id(arena, reply->parent, reply->step, reply->kind, reply->attempt);
    *id = arena_join(arena, command, STR("/"), core_reply_text(reply->status));
    message->header_count = 0;
    message->garbled = false;
    message->status = 0;
    message->body = reply->body;
    message->subject = parent_subject(arena, reply->parent);
    bus_header_add(message, STR("Saga-Command"), command);
    bus_header_add(message, STR("Saga-Status"), core_reply_text(reply->status));
    bus_header_add(message, STR("Saga-Error-Code"),
                   envelope_clean(arena, reply->error_code, LIMITS_ERROR_CODE_BYTES));
    bus_header_add(message, STR("Saga-Error-Message"),
                   envelope_clean(arena, reply->error_message, LIMITS_ERROR_MESSAGE_BYTES));
    bus_header_add(message, STR("Saga-Child"), arena_copy(arena, str_from(text)));
}

static void put_reason(struct buf *out, const struct core_saga *saga)
{
    bool parked = saga->status == CORE_PARKED && saga->park_code.size > 0;
    struct str code = parked ? saga->park_code : saga->cause_code;
    if (code.size == 0 || saga->status == CORE_RUNNING) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{\"code\":");
    json_write_string(out, code);
    buf_puts(out, ",\"message\":");
    json_write_string(out, parked ? saga->park_message : saga->cause_message);
    buf_char(out, '}');
}

static struct str event_body(const struct core_saga *saga, struct str id, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    buf_puts(&out, "{\"id\":");
    json_write_string(&out, id);
    buf_puts(&out, ",\"definition\":");
    json_write_string(&out, saga->plan->name);
    buf_puts(&out, ",\"version\":");
    buf_i64(&out, saga->plan->version);
    buf_puts(&out, ",\"key\":");
    if (saga->key.size > 0)
        json_write_string(&out, saga->key);
    else
        buf_puts(&out, "null");
    buf_puts(&out, ",\"status\":");
    json_write_string(&out, core_status_text(saga->status));
    buf_puts(&out, ",\"reason\":");
    put_reason(&out, saga);
    buf_char(&out, '}');
    return buf_str(&out);
}

void envelope_event(const struct core_saga *saga, struct str what, struct arena *arena,
                    struct bus_message *message, struct str *id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(saga->id, text);
    struct str saga_id = arena_copy(arena, str_from(text));
    char room[STR_I64_SIZE];
    *id = arena_join(arena, saga_id, STR("/"), str_of_i64(room, saga->seq), STR("/"), what);
    message->header_count = 0;
    message->garbled = false;
    message->status = 0;
    message->subject = arena_join(arena, STR("saga.event."), saga->plan->name, STR("."), what);
    message->body = event_body(saga, saga_id, arena);
    bus_header_add(message, STR("ce-specversion"), STR("1.0"));
    bus_header_add(message, STR("ce-id"), *id);
    bus_header_add(message, STR("ce-source"),
                   arena_join(arena, STR("/sagad/definitions/"), saga->plan->name));
    bus_header_add(message, STR("ce-type"), arena_join(arena, STR("saga."), what));
    bus_header_add(message, STR("ce-time"), duration_time_text(arena, saga->updated_us));
    bus_header_add(message, STR("ce-subject"), saga_id);
    bus_header_add(message, STR("content-type"), STR("application/json"));
    add_text(message, arena, STR("Saga-Correlation-Id"),
             saga->correlation.size > 0 ? saga->correlation : saga_id);
    add_text(message, arena, STR("traceparent"), saga->traceparent);
}

/* The same name twice becomes a list: JSON knows no duplicate keys. Names are compared as they are shown. */
static struct str shown_name(const struct bus_message *message, uint32_t index, struct arena *arena)
{
    return envelope_clean(arena, message->headers[index].name, LIMITS_ERROR_MESSAGE_BYTES);
}

static bool seen_before(const struct bus_message *message, uint32_t index, struct str name,
                        struct arena *arena)
{
    for (uint32_t i = 0; i < index; i++)
        if (str_equal(shown_name(message, i, arena), name))
            return true;
    return false;
}

static void put_values(struct buf *out, const struct bus_message *message, uint32_t index, struct str name)
{
    struct buf values;
    uint32_t count = 0;
    buf_init(&values, out->arena);
    for (uint32_t i = index; i < message->header_count; i++) {
        if (!str_equal(shown_name(message, i, out->arena), name))
            continue;
        if (count++ > 0)
            buf_char(&values, ',');
        json_write_string(&values,
                          envelope_clean(out->arena, message->headers[i].value, LIMITS_ERROR_MESSAGE_BYTES));
    }
    buf_puts(out, count > 1 ? "[" : "");
    buf_put(out, buf_str(&values));
    buf_puts(out, count > 1 ? "]" : "");
}

struct str envelope_headers_json(const struct bus_message *message, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    buf_char(&out, '{');
    for (uint32_t i = 0; i < message->header_count; i++) {
        struct str name = shown_name(message, i, arena);
        if (seen_before(message, i, name, arena))
            continue;
        if (out.size > 1)
            buf_char(&out, ',');
        json_write_string(&out, name);
        buf_char(&out, ':');
        put_values(&out, message, i, name);
    }
    buf_char(&out, '}');
    return buf_str(&out);
}
