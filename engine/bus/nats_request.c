/* Plain requests and their answers.
 *
 * Happy path: the request leaves with the reply subject <inbox>.q.<ticket>, and whatever comes there goes to
 * the owner with its ticket: nothing is kept here of what was asked, so that an answer is heard however late
 * it comes, also after the connection was lost and made again, and after this process was replaced by one of
 * the same name: the publisher's inbox bears no number of its own. One that finds no room at the owner's is
 * held and offered again with each tick. */
#include "engine/bus/nats_parts.h"

#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

enum { REPLY_BYTES = NATS_LINE_INBOX_BYTES + BUS_TICKET_BYTES + 8 };

enum err nats_request(struct bus *base, const struct bus_message *message, struct str ticket,
                      struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char reply[REPLY_BYTES];
    if (ticket.size == 0 || ticket.size > BUS_TICKET_BYTES)
        return err_note(note, ERR_LIMIT, "the ticket is empty or longer than %d bytes", BUS_TICKET_BYTES);
    snprintf(reply, sizeof reply, "%s.q.%.*s", nats_line_inbox(bus->publisher), STR_ARG(ticket));
    natsMsg *made = NULL;
    enum err err = nats_message_make(message, STR(""), reply, &made, note);
    if (err != ERR_OK)
        return err;
    nats_faults_tried(&bus->faults, message->subject);
    err = nats_line_send(bus->publisher, made, note);
    natsMsg_Destroy(made);
    return err;
}

static struct str ticket_of(const struct nats_bus *bus, natsMsg *message)
{
    struct str subject = str_from(natsMsg_GetSubject(message));
    return str_slice(subject, strlen(nats_line_inbox(bus->publisher)) + strlen(".q."), subject.size);
}

/* Takes the message unless there was no room: false. */
static bool offer(struct nats_bus *bus, natsMsg *message)
{
    struct bus_delivery delivery = {
        .source = BUS_SOURCE_ANSWER, .identity = ticket_of(bus, message), .delivery_count = 1};
    (void)nats_message_read(message, &delivery.message);
    if (nats_message_is_nobody(message, &delivery.message))
        delivery.error = ERR_UNAVAILABLE;
    if (!bus->callbacks.deliver(bus->callbacks.context, &delivery))
        return false;
    natsMsg_Destroy(message);
    return true;
}

/* Counted and said: it is as if the network had lost it. */
static void lose(const struct nats_bus *bus, natsMsg *message, const char *why)
{
    metrics_add(METRICS_ANSWERS_LOST, 1, METRICS_NO_LABEL, METRICS_NO_LABEL);
    struct str shown = str_slice(ticket_of(bus, message), 0, BUS_TICKET_SHOWN);
    log_warn("answer_lost", "request=%.*s why=%s", STR_ARG(shown), why);
    natsMsg_Destroy(message);
}

static size_t size_of(natsMsg *message)
{
    enum { HEAD_BYTES = 1024 }; /* subject and headers */
    return (size_t)natsMsg_GetDataLength(message) + HEAD_BYTES;
}

void nats_request_answered(struct nats_bus *bus, natsMsg *message)
{
    if (offer(bus, message))
        return;
    pthread_mutex_lock(&bus->held_mutex);
    bool room = bus->held_count < NATS_HELD_MAX && bus->held_bytes + size_of(message) <= NATS_HELD_BYTES;
    if (room) {
        bus->held_bytes += size_of(message);
        bus->held[bus->held_count++] =
            (struct nats_held){.message = message, .until_us = clock_monotonic_us() + NATS_HELD_US};
    }
    pthread_mutex_unlock(&bus->held_mutex);
    if (!room)
        lose(bus, message, "more answers wait for room than are held");
}

/* The line's thread alone takes out; others only append. */
void nats_request_tick(struct nats_bus *bus, int64_t now_us)
{
    pthread_mutex_lock(&bus->held_mutex);
    for (uint32_t i = 0; i < bus->held_count;) {
        struct nats_held held = bus->held[i];
        size_t size = size_of(held.message);
        pthread_mutex_unlock(&bus->held_mutex);
        bool took = offer(bus, held.message);
        if (!took && held.until_us <= now_us)
            lose(bus, held.message, "nobody had room for it in a minute");
        pthread_mutex_lock(&bus->held_mutex);
        if (took || held.until_us <= now_us) {
            bus->held[i] = bus->held[--bus->held_count];
            bus->held_bytes -= size;
        } else {
            i++;
        }
    }
    pthread_mutex_unlock(&bus->held_mutex);
}
