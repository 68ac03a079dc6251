/* The publisher: messages with acknowledgement, plain requests.
 *
 * Happy path: a slot is taken, the message leaves with the reply subject <inbox>.p.<ticket> (publish) or
 * <inbox>.q.<ticket> (request), and what comes back there ends the slot. Otherwise the deadline ends it, or
 * the loss of the connection does. */
#include "engine/bus/nats_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/clock.h"

enum { EXPIRE_AT_ONCE = 256, CAUSE_BYTES = 200 };

static enum err send_with_slot(struct nats_bus *bus, struct nats_slots *slots, char kind, uint64_t ticket,
                               const struct bus_message *message, struct str id, struct err_note *note)
{
    char reply[NATS_LINE_INBOX_BYTES + 32];
    snprintf(reply, sizeof reply, "%s.%c.%" PRIx64, nats_line_inbox(bus->publisher), kind, ticket);
    natsMsg *made = NULL;
    enum err err = nats_message_make(message, id, reply, &made, note);
    if (err == ERR_OK) {
        err = nats_line_send(bus->publisher, made, note);
        natsMsg_Destroy(made);
    }
    /* When the slot is not ours any more, the loss of the connection has answered it already. */
    if (err != ERR_OK && !nats_slots_end(slots, ticket, NULL))
        return ERR_OK;
    return err;
}

enum err nats_publish(struct bus *base, const struct bus_message *message, struct str id, uint64_t cookie,
                      struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    uint64_t ticket;
    if (!nats_slots_take(&bus->publishes, cookie, clock_monotonic_us() + NATS_PUBLISH_WAIT_US, &ticket))
        return err_note(note, ERR_FULL, "%d publishes are unanswered", BUS_IN_FLIGHT_MAX);
    return send_with_slot(bus, &bus->publishes, 'p', ticket, message, id, note);
}

enum err nats_publish_request(struct bus *base, const struct bus_message *message, int64_t timeout_us,
                              uint64_t cookie, struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    pthread_mutex_lock(&bus->held_mutex);
    uint32_t held = bus->held_count;
    pthread_mutex_unlock(&bus->held_mutex);
    uint64_t ticket;
    if (held + nats_slots_count(&bus->requests) >= NATS_SLOTS_MAX ||
        !nats_slots_take(&bus->requests, cookie, clock_monotonic_us() + timeout_us, &ticket))
        return err_note(note, ERR_FULL, "%d requests are unanswered", NATS_SLOTS_MAX);
    nats_faults_tried(&bus->faults, message->subject);
    return send_with_slot(bus, &bus->requests, 'q', ticket, message, STR(""), note);
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

/* Takes held.message unless there was no room: false. */
static bool offer_answer(struct nats_bus *bus, struct nats_held held)
{
    struct bus_delivery delivery = {.source = BUS_SOURCE_ANSWER,
                                    .shard = (uint32_t)(held.cookie >> BUS_COOKIE_SHARD_BIT),
                                    .cookie = held.cookie,
                                    .error = held.error,
                                    .delivery_count = 1};
    if (held.message != NULL && nats_message_read(held.message, &delivery.message) == 503)
        delivery.error = ERR_UNAVAILABLE;
    if (!bus->callbacks.deliver(bus->callbacks.context, &delivery))
        return false;
    natsMsg_Destroy(held.message);
    return true;
}

static void answer_or_hold(struct nats_bus *bus, struct nats_held held)
{
    if (offer_answer(bus, held))
        return;
    held.until_us = clock_monotonic_us() + NATS_HELD_US;
    pthread_mutex_lock(&bus->held_mutex);
    bus->held[bus->held_count++] = held;
    pthread_mutex_unlock(&bus->held_mutex);
}

/* The line's thread alone takes out; others only append. An answer that nobody wants in the end belongs to a
 * shard that moved away: its new owner's deadlines handle it. */
static void offer_held(struct nats_bus *bus, int64_t now_us)
{
    pthread_mutex_lock(&bus->held_mutex);
    for (uint32_t i = 0; i < bus->held_count;) {
        struct nats_held held = bus->held[i];
        pthread_mutex_unlock(&bus->held_mutex);
        bool took = offer_answer(bus, held);
        if (!took && held.until_us <= now_us)
            natsMsg_Destroy(held.message);
        pthread_mutex_lock(&bus->held_mutex);
        if (took || held.until_us <= now_us)
            bus->held[i] = bus->held[--bus->held_count];
        else
            i++;
    }
    pthread_mutex_unlock(&bus->held_mutex);
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

static void expire_requests(struct nats_bus *bus, int64_t now_us, enum err error)
{
    uint64_t cookies[EXPIRE_AT_ONCE];
    uint32_t count;
    while ((count = nats_slots_expire(&bus->requests, now_us, cookies, EXPIRE_AT_ONCE)) > 0)
        for (uint32_t i = 0; i < count; i++)
            answer_or_hold(bus, (struct nats_held){.cookie = cookies[i], .error = error});
}

void nats_publish_fail_all(struct nats_bus *bus, enum err error)
{
    expire_publishes(bus, INT64_MAX, error);
    expire_requests(bus, INT64_MAX, error);
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
    /* A request may have reached its service: its outcome is unknown, which is what a time-out means. */
    expire_publishes(bus, INT64_MAX, ERR_UNAVAILABLE);
    expire_requests(bus, INT64_MAX, ERR_TIMEOUT);
    nats_call_expire(bus, INT64_MAX);
    nats_bus_state(bus, "publisher", &bus->publisher_up, false, why);
}

static void on_message(void *context, natsMsg *message)
{
    struct nats_bus *bus = context;
    const char *inbox = nats_line_inbox(bus->publisher);
    const char *subject = natsMsg_GetSubject(message);
    size_t size = strlen(inbox);
    bool known = strncmp(subject, inbox, size) == 0 && strlen(subject) > size + 3 && subject[size + 2] == '.';
    uint64_t ticket = known ? strtoull(subject + size + 3, NULL, 16) : 0;
    uint64_t cookie;
    if (known && subject[size + 1] == 'c')
        nats_call_answered(bus, subject + size + 3, message);
    else if (known && subject[size + 1] == 'p')
        on_publish_answer(bus, ticket, message);
    else if (known && subject[size + 1] == 's')
        nats_probe_answer(bus, subject + size + 3, message);
    else if (known && subject[size + 1] == 'q' && nats_slots_end(&bus->requests, ticket, &cookie))
        answer_or_hold(bus, (struct nats_held){.cookie = cookie, .message = message});
    else if (known && (subject[size + 1] == 'i' || subject[size + 1] == 'd'))
        nats_backlog_answer(bus, subject[size + 1], subject + size + 3, message);
    else
        natsMsg_Destroy(message); /* our beat, or an answer that came too late */
}

static void on_tick(void *context, int64_t now_us)
{
    struct nats_bus *bus = context;
    offer_held(bus, now_us);
    expire_publishes(bus, now_us, ERR_TIMEOUT);
    expire_requests(bus, now_us, ERR_TIMEOUT);
    nats_call_expire(bus, now_us);
}

static void on_complaint(void *context, enum nats_line_complaint complaint, const char *text)
{
    struct nats_bus *bus = context;
    nats_faults_add(&bus->faults, "publisher", complaint, text);
}

const struct nats_line_callbacks nats_publish_callbacks = {
    .up = on_up, .down = on_down, .message = on_message, .tick = on_tick, .complain = on_complaint};
