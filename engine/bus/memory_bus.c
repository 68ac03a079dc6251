/* One engine's end of the broker in memory: the table of bus.c, and delivery on the caller's thread. Used by
 * tests and the simulator, never by the service. Nothing happens but in memory_bus_deliver. */
#include "engine/bus/memory_bus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/bus/memory_broker.h"

static struct memory_bus_broker *lock(struct bus *base)
{
    struct memory_bus_broker *broker = ((struct memory_bus *)base)->broker;
    pthread_mutex_lock(&broker->mutex);
    return broker;
}

static void unlock(struct memory_bus_broker *broker)
{
    pthread_mutex_unlock(&broker->mutex);
}

static enum err memory_participants(struct bus *base, const struct bus_participant *participants,
                                    uint32_t count, struct err_note *note)
{
    (void)base;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++)
        err = bus_check_participant(participants[i].name, note);
    return err;
}

static enum err memory_listen(struct bus *base, uint32_t shard, int64_t epoch, struct err_note *note)
{
    (void)epoch; /* in memory the last one who listens is the owner: there are no looks that could be late */
    if (shard >= LIMITS_SHARDS_MAX)
        return err_note(note, ERR_INVALID, "there is no shard %" PRIu32, shard);
    struct memory_bus_broker *broker = lock(base);
    broker->owners[shard] = (struct memory_bus *)base;
    memory_broker_take_back(broker, shard);
    unlock(broker);
    return ERR_OK;
}

static void memory_unlisten(struct bus *base, uint32_t shard)
{
    struct memory_bus_broker *broker = lock(base);
    if (shard < LIMITS_SHARDS_MAX && broker->owners[shard] == (struct memory_bus *)base)
        broker->owners[shard] = NULL;
    unlock(broker);
}

static enum err memory_listen_in(struct bus *base, struct err_note *note)
{
    (void)note;
    struct memory_bus_broker *broker = lock(base);
    ((struct memory_bus *)base)->listens_in = true;
    unlock(broker);
    return ERR_OK;
}

static void memory_unlisten_in(struct bus *base)
{
    struct memory_bus_broker *broker = lock(base);
    ((struct memory_bus *)base)->listens_in = false;
    unlock(broker);
}

static enum err check_message(struct bus *base, const struct bus_message *message, struct str id,
                              struct err_note *note)
{
    enum err err = bus_check(message, id, note);
    if (err == ERR_OK && message->body.size > ((struct memory_bus *)base)->broker->bytes_max)
        err = err_note(note, ERR_LIMIT, "the message is larger than the NATS server takes");
    return err;
}

static enum err memory_publish(struct bus *base, const struct bus_message *message, struct str id,
                               uint64_t cookie, struct err_note *note)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    enum err err = check_message(base, message, id, note);
    if (err != ERR_OK)
        return err;
    struct memory_bus_broker *broker = lock(base);
    if (bus->in_flight == BUS_IN_FLIGHT_MAX) {
        err = err_note(note, ERR_FULL, "%d publishes are unanswered", BUS_IN_FLIGHT_MAX);
    } else {
        struct notice notice = {.kind = NOTICE_PUBLISHED, .cookie = cookie};
        notice.error = !memory_broker_takes(message->subject)                ? ERR_NOT_FOUND
                       : memory_broker_is_full(broker, message->subject, id) ? ERR_FULL
                                                                             : ERR_OK;
        if (notice.error == ERR_OK)
            notice.sequence = memory_broker_store(broker, message, id);
        bus->in_flight++;
        memory_broker_notify(bus, notice, STR(""));
    }
    unlock(broker);
    return err;
}

static enum err memory_look(struct bus *base, struct str participant, uint64_t cookie)
{
    if (bus_check_participant(participant, NULL) != ERR_OK)
        return ERR_INVALID;
    struct memory_bus_broker *broker = lock(base);
    memory_broker_notify((struct memory_bus *)base,
                         (struct notice){.kind = NOTICE_SIGHT,
                                         .cookie = cookie,
                                         .participant = memory_broker_participant(broker, participant)},
                         STR(""));
    unlock(broker);
    return ERR_OK;
}

static enum err memory_take_back(struct bus *base, uint64_t sequence, uint64_t cookie)
{
    struct notice notice = {.kind = NOTICE_TAKEN_BACK, .cookie = cookie, .error = ERR_NOT_FOUND};
    struct memory_bus_broker *broker = lock(base);
    for (struct stored **place = &broker->first; *place != NULL; place = &(*place)->next)
        if ((*place)->sequence == sequence && str_starts((*place)->message.subject, STR("saga.cmd."))) {
            memory_broker_remove(broker, place);
            notice.error = ERR_OK;
            break;
        }
    memory_broker_notify((struct memory_bus *)base, notice, STR(""));
    unlock(broker);
    return ERR_OK;
}

static enum err memory_request(struct bus *base, const struct bus_message *message, struct str ticket,
                               struct err_note *note)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    enum { NUMBER_BYTES = 24 };
    enum err err = check_message(base, message, STR(""), note);
    if (err == ERR_OK && (ticket.size == 0 || ticket.size > BUS_TICKET_BYTES))
        err = err_note(note, ERR_LIMIT, "the ticket is empty or longer than %d bytes", BUS_TICKET_BYTES);
    if (err != ERR_OK)
        return err;
    char reply[NUMBER_BYTES + BUS_TICKET_BYTES];
    struct memory_bus_broker *broker = lock(base);
    int size = snprintf(reply, sizeof reply, "%" PRIu64 ".%.*s", bus->number, STR_ARG(ticket));
    if (broker->serves)
        memory_broker_ask(broker, message, (struct str){reply, (size_t)size});
    else
        memory_broker_answer(bus, ticket, NULL);
    unlock(broker);
    return err;
}

static enum err memory_holder(struct bus *base, struct str subject, char stream[BUS_STREAM_BYTES],
                              struct err_note *note)
{
    (void)note;
    struct memory_bus_broker *broker = lock(base);
    bool held = str_equal(subject, str_from(broker->held_subject));
    snprintf(stream, BUS_STREAM_BYTES, "%s", held ? "HELD" : "");
    unlock(broker);
    return ERR_OK;
}

/* What comes too late finds no call any more. */
static enum err memory_answer(struct bus *base, struct str ack, struct str body)
{
    struct memory_bus_broker *broker = lock(base);
    struct memory_call **place = &broker->calls;
    while (*place != NULL && !str_equal(ack, str_from((*place)->ack)))
        place = &(*place)->next;
    struct memory_call *call = *place;
    if (call != NULL) {
        *place = call->next;
        memory_broker_notify(call->asker, (struct notice){.kind = NOTICE_CALLED, .cookie = call->cookie},
                             body);
        memory_free(call);
    }
    unlock(broker);
    return ERR_OK;
}

static enum err memory_call(struct bus *base, uint32_t shard, struct str body, int64_t timeout_us,
                            uint64_t cookie, struct err_note *note)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    if (body.size > MEMORY_BROKER_MESSAGE_BYTES)
        return err_note(note, ERR_LIMIT, "the message is larger than the NATS server takes");
    struct memory_bus_broker *broker = lock(base);
    struct memory_bus *owner = shard < LIMITS_SHARDS_MAX ? broker->owners[shard] : NULL;
    struct notice asked = {.kind = NOTICE_CONTROL, .shard = shard};
    if (owner == NULL) {
        memory_broker_notify(
            bus, (struct notice){.kind = NOTICE_CALLED, .cookie = cookie, .error = ERR_UNAVAILABLE}, STR(""));
    } else {
        struct memory_call *call = memory_new(1, sizeof *call);
        *call = (struct memory_call){.next = broker->calls,
                                     .asker = bus,
                                     .cookie = cookie,
                                     .until_us = clock_monotonic_us() + timeout_us};
        snprintf(call->ack, sizeof call->ack, "c%" PRIu64, ++broker->sequence);
        memcpy(asked.ack, call->ack, sizeof asked.ack);
        broker->calls = call;
        memory_broker_notify(owner, asked, body);
    }
    unlock(broker);
    return ERR_OK;
}

static void memory_ack(struct bus *base, struct str ack)
{
    struct memory_bus_broker *broker = lock(base);
    for (struct stored **place = &broker->first; *place != NULL; place = &(*place)->next)
        if (str_equal(ack, str_from((*place)->ack))) {
            memory_broker_remove(broker, place);
            break;
        }
    unlock(broker);
}

/* To another one at once, and then, there being no clock here, not before the next redelivery. */
static void memory_give_back(struct bus *base, struct str ack, int64_t delay_us)
{
    (void)delay_us;
    struct memory_bus_broker *broker = lock(base);
    for (struct stored *stored = broker->first; stored != NULL; stored = stored->next)
        if (stored->spurned == 0 && str_equal(ack, str_from(stored->ack))) {
            stored->out = false;
            stored->spurned = ((struct memory_bus *)base)->number;
        }
    unlock(broker);
}

static void memory_flush(struct bus *base)
{
    (void)base;
}

static enum err memory_probe(struct bus *base, struct err_note *note)
{
    (void)base;
    (void)note;
    return ERR_OK;
}

static uint32_t memory_in_flight(struct bus *base)
{
    struct memory_bus_broker *broker = lock(base);
    uint32_t count = ((struct memory_bus *)base)->in_flight;
    unlock(broker);
    return count;
}

/* Answers what the bus still awaits, as closing the real one does. */
static void drop_notices(struct memory_bus *bus)
{
    struct memory_bus_broker *broker = bus->broker;
    struct notice **place = &broker->notices;
    while (*place != NULL) {
        struct notice notice = **place;
        if (notice.to != bus) {
            place = &(*place)->next;
            continue;
        }
        memory_broker_forget(broker, place);
        memory_free(notice.answer);
        memory_free(notice.text);
        struct bus_delivery closed = {
            .source = BUS_SOURCE_CALLED, .cookie = notice.cookie, .error = ERR_TIMEOUT, .delivery_count = 1};
        struct bus_published unknown = {
            .cookie = notice.cookie, .error = ERR_CLOSED, .cause = STR("the engine stops")};
        if (notice.kind == NOTICE_PUBLISHED)
            bus->callbacks.published(bus->callbacks.context, &unknown);
        if (notice.kind == NOTICE_CALLED)
            (void)bus->callbacks.deliver(bus->callbacks.context, &closed);
    }
}

static void memory_close(struct bus *base)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    struct memory_bus_broker *broker = lock(base);
    for (uint32_t shard = 0; shard < LIMITS_SHARDS_MAX; shard++)
        if (broker->owners[shard] == bus)
            broker->owners[shard] = NULL;
    for (struct memory_bus **place = &broker->buses; *place != NULL; place = &(*place)->next)
        if (*place == bus) {
            *place = bus->next;
            break;
        }
    memory_broker_end_calls(broker, bus, INT64_MAX, ERR_TIMEOUT);
    drop_notices(bus);
    unlock(broker);
    memory_free(bus);
}

static const struct bus_ops ops = {
    .participants = memory_participants,
    .listen = memory_listen,
    .unlisten = memory_unlisten,
    .listen_in = memory_listen_in,
    .unlisten_in = memory_unlisten_in,
    .publish = memory_publish,
    .look = memory_look,
    .take_back = memory_take_back,
    .request = memory_request,
    .holder = memory_holder,
    .answer = memory_answer,
    .call = memory_call,
    .ack = memory_ack,
    .give_back = memory_give_back,
    .flush = memory_flush,
    .probe = memory_probe,
    .in_flight = memory_in_flight,
    .close = memory_close,
};

struct bus *memory_bus_open(struct memory_bus_broker *broker, const struct bus_callbacks *callbacks)
{
    struct memory_bus *bus = memory_new(1, sizeof *bus);
    bus->base.ops = &ops;
    bus->broker = broker;
    bus->callbacks = *callbacks;
    pthread_mutex_lock(&broker->mutex);
    bus->number = ++broker->bus_count;
    bus->next = broker->buses;
    broker->buses = bus;
    unlock(broker);
    bus->callbacks.connected(bus->callbacks.context, true);
    return &bus->base;
}
