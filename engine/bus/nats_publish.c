/* The publisher: messages with acknowledgement.
 *
 * Happy path: a slot is taken, the message leaves with the reply subject <inbox>.p.<token>.<ticket>, and what
 * comes back there ends the slot. Otherwise the deadline ends it, or the loss of the connection does. Answers
 * to requests come on the same line: nats_request.c. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/clock.h"

enum { EXPIRE_AT_ONCE = 256, CAUSE_BYTES = 200 };

enum err nats_publish(struct bus *base, const struct bus_message *message, struct str id, uint64_t cookie,
                      struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    uint64_t ticket;
    if (!nats_slots_take(&bus->publishes, cookie, clock_monotonic_us() + NATS_PUBLISH_WAIT_US, &ticket))
        return err_note(note, ERR_FULL, "%d publishes are unanswered", BUS_IN_FLIGHT_MAX);
    char reply[NATS_LINE_INBOX_BYTES + NATS_TOKEN_SIZE + 32];
    snprintf(reply, sizeof reply, "%s.p.%s.%" PRIx64, nats_line_inbox(bus->publisher), bus->publish_token,
             ticket);
    natsMsg *made = NULL;
    enum err err = nats_message_make(message, id, reply, &made, note);
    if (err == ERR_OK) {
        err = nats_line_send(bus->publisher, made, note);
        natsMsg_Destroy(made);
    }
    /* When the slot is not ours any more, the loss of the connection has answered it already. */
    if (err != ERR_OK && !nats_slots_end(&bus->publishes, ticket, NULL))
        return ERR_OK;
    return err;
}

static bool holds(struct str text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* The server's sentence between the quotes behind "description". */
static struct str description(struct str body)
{
    static const char key[] = "\"description\":\"";
    if (!holds(body, key))
        return str_slice(body, 0, CAUSE_BYTES);
    const char *start = (const char *)memmem(body.data, body.size, key, sizeof key - 1) + sizeof key - 1;
    struct str rest = {start, body.size - (size_t)(start - body.data)};
    return str_slice(rest, 0, str_find(rest, '"'));
}

static uint64_t sequence_of(struct str body)
{
    static const char key[] = "\"seq\":";
    uint64_t sequence = 0;
    const char *at = memmem(body.data, body.size, key, sizeof key - 1);
    const char *end = body.data + body.size;
    for (at = at == NULL ? end : at + sizeof key - 1; at < end && (*at == ' '); at++)
        ;
    for (; at < end && *at >= '0' && *at <= '9' && sequence < UINT64_MAX / 10 - 1; at++)
        sequence = sequence * 10 + (uint64_t)(*at - '0');
    return sequence;
}

/* {"stream":"SAGA_CMD","seq":7,"duplicate":true} or {"error":{"code":503,"err_code":10077,"description":
 * "maximum messages exceeded"},…}; a status line when no stream takes the subject. */
static void judge_publish(int status, struct str body, struct bus_published *published)
{
    bool error = holds(body, "\"error\"");
    published->refused = status != 0 || error;
    if (status != 0) {
        published->error = status == 503 ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
        published->cause =
            status == 503 ? STR("no stream takes it") : STR("the server answered with a status");
    } else if (error) {
        bool full = holds(body, "maximum messages") || holds(body, "maximum bytes") ||
                    holds(body, "resource limits exceeded") || holds(body, "insufficient storage");
        bool large = holds(body, "message size exceeds");
        published->error = full ? ERR_FULL : large ? ERR_LIMIT : ERR_UNAVAILABLE;
        published->subject_full = holds(body, "maximum messages per subject");
        published->cause = description(body);
    } else {
        published->sequence = sequence_of(body);
        published->error = published->sequence > 0 ? ERR_OK : ERR_UNKNOWN_OUTCOME;
        published->cause = published->sequence > 0 ? STR("") : STR("the answer says nothing");
    }
}

static void on_publish_answer(struct nats_bus *bus, uint64_t ticket, natsMsg *message)
{
    struct bus_message read;
    struct bus_published published = {0};
    int status = nats_message_read(message, &read);
    judge_publish(status, read.body, &published);
    if (nats_slots_end(&bus->publishes, ticket, &published.cookie))
        bus->callbacks.published(bus->callbacks.context, &published);
    if (published.error == ERR_UNAVAILABLE || published.error == ERR_NOT_FOUND)
        nats_keeper_kick(bus); /* a stream may be gone */
    natsMsg_Destroy(message);
}

static void expire_publishes(struct nats_bus *bus, int64_t now_us, enum err error)
{
    struct bus_published published = {.error = error};
    published.cause = error == ERR_TIMEOUT       ? STR("the server did not answer in time")
                      : error == ERR_UNAVAILABLE ? STR("the connection was lost before the server answered")
                                                 : STR("the engine stops");
    uint64_t cookies[EXPIRE_AT_ONCE];
    uint32_t count;
    while ((count = nats_slots_expire(&bus->publishes, now_us, cookies, EXPIRE_AT_ONCE)) > 0)
        for (uint32_t i = 0; i < count; i++) {
            published.cookie = cookies[i];
            bus->callbacks.published(bus->callbacks.context, &published);
        }
}

void nats_publish_fail_all(struct nats_bus *bus, enum err error)
{
    expire_publishes(bus, INT64_MAX, error);
    nats_call_expire(bus, INT64_MAX);
}

static void on_up(void *context)
{
    struct nats_bus *bus = context;
    nats_bus_state(bus, "publisher", &bus->publisher_up, true, "");
}

static void on_down(void *context, const char *why)
{
    struct nats_bus *bus = context;
    atomic_fetch_add(&bus->publisher_life, 1);
    expire_publishes(bus, INT64_MAX, ERR_UNAVAILABLE);
    nats_call_expire(bus, INT64_MAX);
    nats_bus_state(bus, "publisher", &bus->publisher_up, false, why);
}

/* What stands behind "<inbox>.<kind>."; "" when it is of another kind. */
static struct str behind(const struct nats_bus *bus, struct str subject, char kind)
{
    struct str prefix = str_from(nats_line_inbox(bus->publisher));
    struct str rest = str_slice(subject, prefix.size, subject.size);
    bool fits = str_starts(subject, prefix) && rest.size > 3 && rest.data[0] == '.' && rest.data[1] == kind &&
                rest.data[2] == '.';
    return fits ? str_slice(rest, 3, rest.size) : STR("");
}

/* The same, behind the token too: the inbox is known to services and to the process that had our name before,
 * and what was meant for that one is not for us. */
static struct str behind_token(const struct nats_bus *bus, struct str subject, char kind)
{
    struct str rest = behind(bus, subject, kind);
    struct str token = {bus->publish_token, NATS_TOKEN_SIZE - 1};
    bool fits = str_starts(rest, token) && rest.size > token.size + 1 && rest.data[token.size] == '.';
    return fits ? str_slice(rest, token.size + 1, rest.size) : STR("");
}

static void on_message(void *context, natsMsg *message)
{
    struct nats_bus *bus = context;
    struct str subject = str_from(natsMsg_GetSubject(message));
    if (behind_token(bus, subject, 'p').size > 0)
        on_publish_answer(bus, strtoull(behind_token(bus, subject, 'p').data, NULL, 16), message);
    else if (behind(bus, subject, 'q').size > 0)
        nats_request_answered(bus, message);
    else if (behind_token(bus, subject, 's').size > 0)
        nats_probe_answer(bus, behind_token(bus, subject, 's').data, message);
    else if (behind_token(bus, subject, 'c').size > 0)
        nats_call_answered(bus, behind_token(bus, subject, 'c').data, message);
    else if (behind_token(bus, subject, 'i').size > 0)
        nats_backlog_answer(bus, 'i', behind_token(bus, subject, 'i').data, message);
    else if (behind_token(bus, subject, 'd').size > 0)
        nats_backlog_answer(bus, 'd', behind_token(bus, subject, 'd').data, message);
    else
        natsMsg_Destroy(message); /* our beat, or somebody's guess */
}

static void on_tick(void *context, int64_t now_us)
{
    struct nats_bus *bus = context;
    nats_request_tick(bus, now_us);
    expire_publishes(bus, now_us, ERR_TIMEOUT);
    nats_call_expire(bus, now_us);
}

static void on_complaint(void *context, enum nats_line_complaint complaint, const char *text)
{
    struct nats_bus *bus = context;
    nats_faults_add(&bus->faults, "publisher", complaint, text);
}

const struct nats_line_callbacks nats_publish_callbacks = {
    .up = on_up, .down = on_down, .message = on_message, .tick = on_tick, .complain = on_complaint};
