/* What comes in: replies, answers to requests, starts. A message that cannot be understood gets a sentence
 * that says what is wrong with it; the texts quoted in it are cut and cleaned. */
#include "engine/bus/envelope.h"

#include <inttypes.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/bus/envelope_text.h"

enum { QUOTED_BYTES = 80 }; /* of a wrong text shown in a reason */

static struct str quote(struct arena *arena, struct str text)
{
    return envelope_clean(arena, text, QUOTED_BYTES);
}

/* Whether all of its headers are there: one that is missing may be the one that says no. */
static bool read_head(const struct bus_message *message, struct arena *arena, struct str *reason)
{
    if (message->garbled)
        *reason = STR("its headers cannot be read whole, and what counts may be among what is lost");
    else if (message->status != 0)
        *reason =
            arena_printf(arena, "its head bears the status %d, which is a NATS server's word and no answer",
                         message->status);
    return !message->garbled && message->status == 0;
}

static bool read_body(struct str body, struct arena *arena, const struct json **value, struct str *reason)
{
    *value = NULL;
    if (body.size == 0)
        return true;
    if (body.size > LIMITS_PAYLOAD_BYTES) {
        *reason =
            arena_printf(arena, "the body has %zu bytes, the limit is %d", body.size, LIMITS_PAYLOAD_BYTES);
        return false;
    }
    struct err_note note;
    if (json_parse(arena, body, LIMITS_PAYLOAD_BYTES, value, &note) == ERR_OK)
        return true;
    *value = NULL;
    *reason = arena_printf(arena, "the body is not JSON: %s", note.text);
    return false;
}

/* Case and blanks around it do not matter: what is meant is clear. */
static bool read_status(const struct bus_message *message, struct arena *arena, struct core_event *event,
                        struct str *reason)
{
    static const enum core_reply_status said[] = {CORE_REPLY_OK, CORE_REPLY_REJECTED, CORE_REPLY_RETRY,
                                                  CORE_REPLY_PENDING, CORE_REPLY_NO_OUTPUT};
    bool child = str_equal(event->participant, STR(PLAN_ENGINE)); /* the last of these is said by no other */
    struct str status = str_trim(bus_header(message, STR("Saga-Status")));
    event->status = CORE_REPLY_OK;
    for (size_t i = 0; i < sizeof said / sizeof *said - !child; i++)
        if (str_equal_nocase(status, core_reply_text(said[i]))) {
            event->status = said[i];
            return true;
        }
    if (status.size == 0)
        return true;
    *reason = arena_printf(arena, "Saga-Status \"%.*s\" is none of ok, rejected, retry, pending",
                           STR_ARG(quote(arena, status)));
    return false;
}

/* `text`, then `more` behind a semicolon. */
static struct str join(struct arena *arena, struct str text, struct str more)
{
    struct str joined =
        text.size == 0 ? more : arena_printf(arena, "%.*s; %.*s", STR_ARG(text), STR_ARG(more));
    return envelope_clean(arena, joined, LIMITS_ERROR_MESSAGE_BYTES);
}

/* A no whose code breaks the rule of codes is a no all the same. */
static void read_code(const struct bus_message *message, struct arena *arena, struct core_event *event)
{
    struct str code = str_trim(bus_header(message, STR("Saga-Error-Code")));
    event->error_message =
        envelope_clean(arena, bus_header(message, STR("Saga-Error-Message")), LIMITS_ERROR_MESSAGE_BYTES);
    event->error_code = code;
    if (core_is_code(code))
        return;
    struct str why =
        arena_printf(arena, "Saga-Error-Code \"%.*s\" is not a code of at most %d visible ASCII characters",
                     STR_ARG(quote(arena, code)), LIMITS_ERROR_CODE_BYTES);
    event->error_code = core_code_text(CORE_CODE_INVALID_CODE);
    event->error_message = join(arena, event->error_message, why);
}

/* When to try again is the engine's to choose where it cannot be read. */
static void read_retry_after(const struct bus_message *message, struct arena *arena, struct core_event *event)
{
    const int64_t most_ms = INT64_C(86400000) * LIMITS_DURATION_DAYS;
    struct str text = str_trim(bus_header(message, STR("Saga-Retry-After-Ms")));
    int64_t delay_ms = 0;
    if (text.size == 0)
        return;
    if (!str_to_i64(text, &delay_ms) || delay_ms < 0) {
        struct str why = arena_printf(arena, "Saga-Retry-After-Ms \"%.*s\" is not a number of milliseconds",
                                      STR_ARG(quote(arena, text)));
        event->error_message = join(arena, event->error_message, why);
        return;
    }
    event->retry_after_us = (delay_ms < most_ms ? delay_ms : most_ms) * 1000;
}

/* Only the body of a success may become an output; nothing else can make an answer useless that says what it
 * means. */
static bool read_output(const struct bus_message *message, struct arena *arena, struct core_event *event,
                        struct str *reason)
{
    bool gives = event->status == CORE_REPLY_OK && event->command_kind != CORE_UNDO;
    struct str ignored;
    return read_body(message->body, arena, &event->body, gives ? reason : &ignored) || !gives;
}

/* An error of a NATS micro service: from 400 on it says no, from 500 on it failed, and may have acted before.
 */
static bool read_service_error(const struct bus_message *message, struct arena *arena,
                               struct core_event *event, struct str *reason)
{
    struct str code = str_trim(bus_header(message, STR("Nats-Service-Error-Code")));
    int64_t number = 0;
    if (!str_to_i64(code, &number) || number < 400 || number > 599) {
        *reason = arena_printf(arena, "Nats-Service-Error-Code \"%.*s\" is neither 4xx nor 5xx",
                               STR_ARG(quote(arena, code)));
        return false;
    }
    event->status = number < 500 ? CORE_REPLY_REJECTED : CORE_REPLY_UNCLEAR;
    read_code(message, arena, event);
    read_retry_after(message, arena, event);
    if (event->error_code.size == 0)
        event->error_code = code;
    if (event->error_message.size == 0)
        event->error_message =
            envelope_clean(arena, bus_header(message, STR("Nats-Service-Error")), LIMITS_ERROR_MESSAGE_BYTES);
    return read_output(message, arena, event, reason);
}

static bool is_service_error(const struct bus_message *message)
{
    return bus_header(message, STR("Saga-Status")).size == 0 &&
           (bus_header(message, STR("Nats-Service-Error-Code")).size > 0 ||
            bus_header(message, STR("Nats-Service-Error")).size > 0);
}

static bool read_said(const struct bus_message *message, struct arena *arena, struct core_event *event,
                      struct str *reason)
{
    if (!read_status(message, arena, event, reason))
        return false;
    if (event->status != CORE_REPLY_OK && event->status != CORE_REPLY_PENDING)
        read_code(message, arena, event);
    if (event->status == CORE_REPLY_RETRY)
        read_retry_after(message, arena, event);
    return read_output(message, arena, event, reason);
}

/* Whatever an answer says, the command it belongs to is told of it: also that it cannot be used, and why. */
static void read_outcome(const struct bus_message *message, struct arena *arena, struct core_event *event)
{
    struct str reason = STR("");
    bool fine = read_head(message, arena, &reason);
    if (fine)
        fine = is_service_error(message) ? read_service_error(message, arena, event, &reason)
                                         : read_said(message, arena, event, &reason);
    if (!fine)
        envelope_spoil(event, reason);
}

void envelope_spoil(struct core_event *event, struct str reason)
{
    event->status = CORE_REPLY_UNUSABLE;
    event->error_code = core_code_text(CORE_CODE_REPLY_UNUSABLE);
    event->error_message = reason;
    event->retry_after_us = 0;
    event->body = NULL;
}

static bool read_participant(struct str subject, struct arena *arena, struct str *participant,
                             struct str *reason)
{
    uint32_t shard;
    if (subject_reply(subject, &shard, participant))
        return true;
    *reason = arena_printf(arena, "the subject \"%.*s\" is not saga.reply.<shard>.<participant>",
                           STR_ARG(quote(arena, subject)));
    return false;
}

static bool read_command(const struct bus_message *message, struct arena *arena, struct core_event *event,
                         struct id *saga, bool *saga_known, struct str *reason)
{
    struct str command = bus_header(message, STR("Saga-Command"));
    if (command.size == 0) {
        *reason = STR("the reply has no Saga-Command header");
        return false;
    }
    *saga_known = command.size > ID_TEXT_SIZE && command.data[ID_TEXT_SIZE] == '/' &&
                  id_parse(str_slice(command, 0, ID_TEXT_SIZE), saga);
    if (envelope_command_parse(command, saga, &event->step, &event->command_kind, &event->attempt))
        return true;
    *reason = arena_printf(arena, "Saga-Command \"%.*s\" is not <saga>/<step>/<do|undo|verify>/<attempt>",
                           STR_ARG(quote(arena, command)));
    return false;
}

bool envelope_reply(const struct bus_message *message, struct arena *arena, struct core_event *event,
                    struct id *saga, bool *saga_known, struct str *reason)
{
    *event = (struct core_event){.kind = CORE_EVENT_REPLY};
    *saga_known = false;
    if (!read_command(message, arena, event, saga, saga_known, reason) ||
        !read_participant(message->subject, arena, &event->participant, reason))
        return false;
    read_outcome(message, arena, event);
    return true;
}

static bool echoes(const struct bus_message *message, const struct ticket *asked, struct arena *arena,
                   struct str *reason)
{
    struct str echo = bus_header(message, STR("Saga-Command"));
    struct str id = envelope_command_id(arena, asked->saga, asked->step, asked->kind, asked->attempt);
    if (echo.size == 0 || str_equal(echo, id))
        return true;
    *reason = arena_printf(arena, "the answer to %.*s bears Saga-Command \"%.*s\"", STR_ARG(id),
                           STR_ARG(quote(arena, echo)));
    return false;
}

static bool is_ack_member(struct str name)
{
    static const char *const members[] = {"stream", "seq",   "domain", "duplicate", "error",
                                          "type",   "batch", "count",  "val"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (str_equal(name, str_from(members[i])))
            return true;
    return false;
}

bool envelope_is_stream_ack(const struct bus_message *message)
{
    enum { ACK_BYTES = 1024 }; /* a name and a sentence fit well */
    const struct json *body = NULL;
    struct arena arena;
    int64_t sequence = 0;
    struct str text = message->body;
    if (message->header_count > 0 || message->garbled || message->status != 0 || text.size == 0 ||
        text.size > ACK_BYTES || text.data[0] != '{' ||
        memmem(text.data, text.size, "\"stream\"", 8) == NULL) /* as servers write it: nearly all end here */
        return false;
    arena_init(&arena, ACK_BYTES);
    bool is = json_parse(&arena, text, ACK_BYTES, &body, NULL) == ERR_OK && body->kind == JSON_OBJECT &&
              json_get_str(body, STR("stream")).size > 0 && json_get_i64(body, STR("seq"), &sequence);
    for (uint32_t i = 0; is && i < body->count; i++)
        is = is_ack_member(body->members[i].key);
    arena_fini(&arena);
    return is;
}

static void say_unsent(enum err error, const struct ticket *asked, struct arena *arena,
                       struct core_event *event)
{
    event->status = CORE_REPLY_UNSENT;
    if (error == ERR_UNAVAILABLE) {
        event->error_code = core_code_text(CORE_CODE_NO_RESPONDERS);
        event->error_message = arena_printf(arena, "no service listens to %.*s", STR_ARG(asked->command));
        return;
    }
    event->error_code = core_code_text(CORE_CODE_UNSENT);
    event->error_message = error == ERR_LIMIT ? STR("the request is larger than the NATS server takes")
                                              : STR("NATS could not be reached");
}

void envelope_answer(const struct bus_delivery *delivery, const struct ticket *asked, struct arena *arena,
                     struct core_event *event)
{
    struct str reason = STR("");
    *event = (struct core_event){.kind = CORE_EVENT_REPLY,
                                 .step = asked->step,
                                 .command_kind = asked->kind,
                                 .attempt = asked->attempt,
                                 .participant = ticket_participant(asked)};
    if (delivery->error != ERR_OK)
        say_unsent(delivery->error, asked, arena, event);
    else if (echoes(&delivery->message, asked, arena, &reason))
        read_outcome(&delivery->message, arena, event);
    else
        envelope_spoil(event, reason);
}

static bool read_version(const struct bus_message *message, struct arena *arena, int32_t *version,
                         struct str *reason)
{
    struct str text = bus_header(message, STR("Saga-Version"));
    int64_t number = 0;
    if (text.size > 0 && (!str_to_i64(text, &number) || number < 1 || number > INT32_MAX)) {
        *reason = arena_printf(arena, "Saga-Version \"%.*s\" is not a version", STR_ARG(quote(arena, text)));
        return false;
    }
    *version = (int32_t)number;
    return true;
}

static bool read_key(const struct bus_message *message, struct arena *arena, struct str *key,
                     struct str *reason)
{
    *key = bus_header(message, STR("Saga-Start-Key"));
    if (key->size > LIMITS_KEY_BYTES) {
        *reason =
            arena_printf(arena, "Saga-Start-Key has %zu bytes, the limit is %d", key->size, LIMITS_KEY_BYTES);
        return false;
    }
    if (!str_is_utf8(*key) || str_has_control(*key)) {
        *reason = STR("Saga-Start-Key is not UTF-8 without control characters");
        return false;
    }
    return true;
}

bool envelope_wish(const struct bus_message *message, struct arena *arena, enum subject_wish *wish,
                   struct str *reason)
{
    struct str name;
    *wish = subject_in(message->subject, &name);
    if (*wish != SUBJECT_NONE)
        return true;
    *reason =
        arena_printf(arena,
                     "the subject \"%.*s\" is none of saga.start.<definition>, saga.child.<definition>, "
                     "saga.signal.<event>",
                     STR_ARG(quote(arena, message->subject)));
    return false;
}

/* The name in the subject, which must be for this wish. */
static bool read_name(const struct bus_message *message, enum subject_wish wish, struct arena *arena,
                      struct str *name, struct str *reason)
{
    static const char *const shapes[] = {[SUBJECT_NONE] = "",
                                         [SUBJECT_START] = "saga.start.<definition>",
                                         [SUBJECT_CHILD] = "saga.child.<definition>",
                                         [SUBJECT_SIGNAL] = "saga.signal.<event>"};
    if (subject_in(message->subject, name) == wish)
        return true;
    *reason = arena_printf(arena, "the subject \"%.*s\" is not %s", STR_ARG(quote(arena, message->subject)),
                           shapes[wish]);
    return false;
}

/* An id or a trace context that is sent on as it came. */
static struct str sent_on(const struct bus_message *message, struct arena *arena, struct str header)
{
    return envelope_clean(arena, bus_header(message, header), LIMITS_KEY_BYTES);
}

bool envelope_start(const struct bus_message *message, struct arena *arena, struct envelope_start *start,
                    struct str *reason)
{
    *start = (struct envelope_start){.input = NULL};
    if (!read_head(message, arena, reason))
        return false;
    if (bus_header(message, STR("Saga-Child")).size > 0) {
        *reason =
            STR("Saga-Child: a saga's command to a child saga comes on saga.child.<definition>, from engines "
                "only; leave the header out to start a saga");
        return false;
    }
    if (!read_name(message, SUBJECT_START, arena, &start->definition, reason) ||
        !read_version(message, arena, &start->version, reason) ||
        !read_key(message, arena, &start->key, reason) ||
        !read_body(message->body, arena, &start->input, reason))
        return false;
    if (start->input == NULL)
        start->input = &json_null;
    start->correlation = sent_on(message, arena, STR("Saga-Correlation-Id"));
    start->traceparent = sent_on(message, arena, STR("traceparent"));
    return true;
}

static bool read_id(const struct bus_message *message, const char *header, struct arena *arena, struct id *id,
                    struct str *reason)
{
    struct str text = bus_header(message, str_from(header));
    if (id_parse(text, id))
        return true;
    *reason = arena_printf(arena, "%s \"%.*s\" is not the id of a saga", header, STR_ARG(quote(arena, text)));
    return false;
}

/* Saga-Command says it all; Saga-Kind stands beside it for people, and must not say something else. */
static bool read_child_command(const struct bus_message *message, struct arena *arena,
                               struct envelope_child *child, struct str *reason)
{
    struct str command = bus_header(message, STR("Saga-Command"));
    struct str kind = bus_header(message, STR("Saga-Kind"));
    if (!envelope_command_parse(command, &child->parent, &child->step, &child->kind, &child->attempt)) {
        *reason = arena_printf(arena, "Saga-Command \"%.*s\" is not <saga>/<step>/<do|undo>/<attempt>",
                               STR_ARG(quote(arena, command)));
        return false;
    }
    if (child->kind == CORE_VERIFY) {
        *reason = STR("a child saga is started or undone: Saga-Kind verify means nothing to it");
        return false;
    }
    if (str_equal(kind, core_kind_text(child->kind)))
        return true;
    *reason = arena_printf(arena, "Saga-Kind \"%.*s\" is not that of Saga-Command, %.*s",
                           STR_ARG(quote(arena, kind)), STR_ARG(core_kind_text(child->kind)));
    return false;
}

static bool read_depth(const struct bus_message *message, struct arena *arena, struct envelope_child *child,
                       struct str *reason)
{
    struct str text = bus_header(message, STR("Saga-Depth"));
    int64_t depth = 0;
    if (str_to_i64(text, &depth) && depth > 0 && depth <= LIMITS_ATTEMPTS_MAX) {
        child->depth = (uint32_t)depth;
        return true;
    }
    *reason = arena_printf(arena, "Saga-Depth \"%.*s\" is not the number of sagas above this one",
                           STR_ARG(quote(arena, text)));
    return false;
}

/* Absent is 0: engines that know no such header send none. */
static bool read_family(const struct bus_message *message, struct arena *arena, struct envelope_child *child,
                        struct str *reason)
{
    struct str text = bus_header(message, STR("Saga-Family"));
    int64_t family = 0;
    if (text.size == 0 || (str_to_i64(text, &family) && family > 0 && family <= LIMITS_FAMILY)) {
        child->family = (uint32_t)family;
        return true;
    }
    *reason = arena_printf(arena, "Saga-Family \"%.*s\" is not a number of sagas from 1 to %d",
                           STR_ARG(quote(arena, text)), LIMITS_FAMILY);
    return false;
}

bool envelope_child_read(const struct bus_message *message, struct arena *arena, struct envelope_child *child,
                         struct str *reason)
{
    *child = (struct envelope_child){.body = message->body};
    if (!read_head(message, arena, reason) ||
        !read_name(message, SUBJECT_CHILD, arena, &child->definition, reason) ||
        !read_child_command(message, arena, child, reason) ||
        !read_id(message, "Saga-Child", arena, &child->child, reason) ||
        !read_depth(message, arena, child, reason) || !read_family(message, arena, child, reason) ||
        !read_version(message, arena, &child->version, reason) ||
        !read_body(message->body, arena, &child->input, reason))
        return false;
    if (child->input == NULL)
        child->input = &json_null;
    child->correlation = sent_on(message, arena, STR("Saga-Correlation-Id"));
    child->traceparent = sent_on(message, arena, STR("traceparent"));
    return true;
}

/* Which saga is meant: exactly one way of naming it. */
static bool read_target(const struct bus_message *message, struct arena *arena,
                        struct envelope_signal *signal, struct str *reason)
{
    signal->has_saga = bus_header(message, STR("Saga-Id")).size > 0;
    signal->definition = bus_header(message, STR("Saga-Definition"));
    if (!read_key(message, arena, &signal->key, reason))
        return false;
    if (signal->has_saga && signal->key.size > 0) {
        *reason = STR("the signal names its saga twice, by Saga-Id and by Saga-Start-Key: leave one out");
        return false;
    }
    if (signal->has_saga)
        return read_id(message, "Saga-Id", arena, &signal->saga, reason);
    if (signal->key.size == 0) {
        *reason = STR("the signal names no saga: give Saga-Id, or Saga-Definition and Saga-Start-Key");
        return false;
    }
    if (signal->definition.size > 0 && signal->definition.size <= LIMITS_NAME_BYTES &&
        str_is_utf8(signal->definition))
        return true;
    *reason = signal->definition.size == 0
                  ? STR("the signal has Saga-Start-Key without Saga-Definition, which says whose key it is")
                  : arena_printf(arena, "Saga-Definition \"%.*s\" is not the name of a definition",
                                 STR_ARG(quote(arena, signal->definition)));
    return false;
}

static bool read_signal_id(const struct bus_delivery *delivery, struct arena *arena, struct str *id,
                           struct str *reason)
{
    static const char *const headers[] = {"Saga-Signal-Id", "Nats-Msg-Id"};
    *id = delivery->identity;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct str text = bus_header(&delivery->message, str_from(headers[i]));
        if (text.size == 0)
            continue;
        *id = text;
        if (text.size <= LIMITS_KEY_BYTES && str_is_utf8(text) && !str_has_control(text))
            return true;
        *reason = arena_printf(arena, "%s is not UTF-8 of at most %d bytes without control characters",
                               headers[i], LIMITS_KEY_BYTES);
        return false;
    }
    return true;
}

bool envelope_signal(const struct bus_delivery *delivery, struct arena *arena, struct envelope_signal *signal,
                     struct str *reason)
{
    const struct bus_message *message = &delivery->message;
    *signal = (struct envelope_signal){.body = NULL};
    if (!read_head(message, arena, reason) ||
        !read_name(message, SUBJECT_SIGNAL, arena, &signal->event, reason) ||
        !read_target(message, arena, signal, reason) ||
        !read_signal_id(delivery, arena, &signal->id, reason) ||
        !read_body(message->body, arena, &signal->body, reason))
        return false;
    return true;
}
