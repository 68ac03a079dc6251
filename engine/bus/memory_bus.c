#include "engine/bus/memory_bus.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

enum {
    IDS_MAX = 65536,         /* ids remembered: the oldest are forgotten, as a server's window does */
    UNACKED_MAX = 512,       /* of one shard: max_ack_pending of the real consumer */
    MESSAGE_BYTES = 1048576, /* NATS's default max_payload */
    ACK_BYTES = 24,
};

/* A message in one block of memory, its texts behind it. */
struct stored {
    struct stored *next;
    struct bus_message message;
    char ack[ACK_BYTES];
    bool out; /* delivered and not acknowledged */
    uint64_t delivery_count;
    uint64_t round; /* the memory_bus_deliver that last offered it: once each */
};
struct memory_id {
    size_t size;
    char text[];
};
/* Anything that is not in a stream and waits for memory_bus_deliver. */
struct notice {
    struct notice *next;
    struct memory_bus *to;
    enum { NOTICE_PUBLISHED, NOTICE_ANSWER, NOTICE_CONTROL } kind;
    uint64_t cookie;
    enum err error;
    struct memory_call *call;
    uint64_t round;
};
/* A bus_call under way, on its caller's stack; in the broker's list until it returns. */
struct memory_call {
    struct memory_call *next;
    char ack[ACK_BYTES];
    uint32_t shard;
    struct str body;
    struct arena *arena;
    struct str answer;
    bool answered;
};
struct memory_bus {
    struct bus base; /* first */
    struct memory_bus *next;
    struct memory_bus_broker *broker;
    struct bus_callbacks callbacks;
    bool listens_in;
    uint32_t in_flight;
};
struct memory_bus_broker {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    struct memory_bus *buses;
    struct memory_bus *owners[LIMITS_SHARDS_MAX]; /* who listens; NULL: nobody */
    uint32_t unacked[LIMITS_SHARDS_MAX];
    struct stored *first;
    struct stored **last;
    struct notice *notices;
    struct notice **last_notice;
    struct memory_call *calls;
    struct map ids;
    struct memory_id *ring[IDS_MAX];
    uint64_t id_count;
    uint64_t sequence;
    uint64_t round;
};

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

struct memory_bus_broker *memory_bus_new(void)
{
    struct memory_bus_broker *broker = memory_new(1, sizeof *broker);
    pthread_mutex_init(&broker->mutex, NULL);
    pthread_cond_init(&broker->answered, NULL);
    broker->last = &broker->first;
    broker->last_notice = &broker->notices;
    map_init(&broker->ids);
    return broker;
}

static void forget_ids(struct memory_bus_broker *broker)
{
    map_fini(&broker->ids);
    map_init(&broker->ids);
    for (uint32_t i = 0; i < IDS_MAX; i++) {
        memory_free(broker->ring[i]);
        broker->ring[i] = NULL;
    }
}

void memory_bus_free(struct memory_bus_broker *broker)
{
    memory_bus_wipe(broker);
    check(broker->buses == NULL);
    map_fini(&broker->ids);
    pthread_cond_destroy(&broker->answered);
    pthread_mutex_destroy(&broker->mutex);
    memory_free(broker);
}

/* The shard of saga.reply.<shard>.…; LIMITS_SHARDS_MAX when it is another subject. */
static uint32_t reply_shard(struct str subject)
{
    struct str prefix = STR("saga.reply.");
    int64_t shard;
    if (!str_starts(subject, prefix))
        return LIMITS_SHARDS_MAX;
    struct str rest = str_slice(subject, prefix.size, subject.size);
    if (!str_to_i64(str_slice(rest, 0, str_find(rest, '.')), &shard) || shard < 0 ||
        shard >= LIMITS_SHARDS_MAX)
        return LIMITS_SHARDS_MAX;
    return (uint32_t)shard;
}

static bool is_in(struct str subject)
{
    return str_starts(subject, STR("saga.start.")) || str_starts(subject, STR("saga.signal."));
}

static bool is_taken(struct str subject)
{
    return is_in(subject) || str_starts(subject, STR("saga.cmd.")) ||
           str_starts(subject, STR("saga.reply.")) || str_starts(subject, STR("saga.event."));
}

static char *put(char *room, struct str from, struct str *to)
{
    if (from.size > 0)
        memcpy(room, from.data, from.size);
    *to = (struct str){room, from.size};
    return room + from.size + 1; /* the block is zeroed: each text ends in NUL */
}

static struct stored *copy_message(const struct bus_message *message, struct str id)
{
    size_t size = sizeof(struct stored) + message->subject.size + message->body.size + id.size + 16;
    for (uint32_t i = 0; i < message->header_count; i++)
        size += message->headers[i].name.size + message->headers[i].value.size + 2;
    struct stored *stored = memory_new(1, size);
    char *room = (char *)(stored + 1);
    room = put(room, message->subject, &stored->message.subject);
    room = put(room, message->body, &stored->message.body);
    if (id.size > 0) {
        struct bus_header *first = &stored->message.headers[stored->message.header_count++];
        first->name = STR("Nats-Msg-Id");
        room = put(room, id, &first->value);
    }
    for (uint32_t i = 0; i < message->header_count && stored->message.header_count < BUS_HEADERS_MAX; i++) {
        struct bus_header *header = &stored->message.headers[stored->message.header_count++];
        room = put(room, message->headers[i].name, &header->name);
        room = put(room, message->headers[i].value, &header->value);
    }
    return stored;
}

/* False when the id is known. */
static bool remember(struct memory_bus_broker *broker, struct str id)
{
    if (id.size == 0)
        return true;
    if (map_get(&broker->ids, id) != NULL)
        return false;
    struct memory_id **place = &broker->ring[broker->id_count++ % IDS_MAX];
    if (*place != NULL)
        (void)map_remove(&broker->ids, (struct str){(*place)->text, (*place)->size});
    memory_free(*place);
    *place = memory_new(1, sizeof **place + id.size);
    (*place)->size = id.size;
    memcpy((*place)->text, id.data, id.size);
    (void)map_set(&broker->ids, (struct str){(*place)->text, id.size}, *place);
    return true;
}

static void store(struct memory_bus_broker *broker, const struct bus_message *message, struct str id)
{
    /* Nobody takes events from here. */
    if (!remember(broker, id) || str_starts(message->subject, STR("saga.event.")))
        return;
    struct stored *stored = copy_message(message, id);
    snprintf(stored->ack, sizeof stored->ack, "m%" PRIu64, ++broker->sequence);
    *broker->last = stored;
    broker->last = &stored->next;
}

static void unlink_stored(struct memory_bus_broker *broker, struct stored **place)
{
    struct stored *stored = *place;
    uint32_t shard = reply_shard(stored->message.subject);
    if (stored->out && shard < LIMITS_SHARDS_MAX)
        broker->unacked[shard]--;
    *place = stored->next;
    if (broker->last == &stored->next)
        broker->last = place;
    memory_free(stored);
}

static void notify(struct memory_bus *to, struct notice notice)
{
    struct memory_bus_broker *broker = to->broker;
    struct notice *kept = memory_new(1, sizeof *kept);
    *kept = notice;
    kept->to = to;
    kept->next = NULL;
    *broker->last_notice = kept;
    broker->last_notice = &kept->next;
}

static void unlink_notice(struct memory_bus_broker *broker, struct notice **place)
{
    struct notice *notice = *place;
    *place = notice->next;
    if (broker->last_notice == &notice->next)
        broker->last_notice = place;
    memory_free(notice);
}

/* Marks as undelivered what is out and matches the shard (LIMITS_SHARDS_MAX: everything). */
static void take_back(struct memory_bus_broker *broker, uint32_t shard)
{
    for (struct stored *stored = broker->first; stored != NULL; stored = stored->next) {
        uint32_t of = reply_shard(stored->message.subject);
        if (!stored->out || (shard != LIMITS_SHARDS_MAX && of != shard))
            continue;
        stored->out = false;
        if (of < LIMITS_SHARDS_MAX)
            broker->unacked[of]--;
    }
}

static enum err memory_participants(struct bus *base, const struct str *names, uint32_t count,
                                    struct err_note *note)
{
    (void)base;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++)
        err = bus_check_participant(names[i], note);
    return err;
}

static enum err memory_listen(struct bus *base, uint32_t shard, struct err_note *note)
{
    if (shard >= LIMITS_SHARDS_MAX)
        return err_note(note, ERR_INVALID, "there is no shard %" PRIu32, shard);
    struct memory_bus_broker *broker = lock(base);
    broker->owners[shard] = (struct memory_bus *)base;
    take_back(broker, shard);
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

static enum err check_message(const struct bus_message *message, struct str id, struct err_note *note)
{
    enum err err = bus_check(message, id, note);
    if (err == ERR_OK && message->body.size > MESSAGE_BYTES)
        err = err_note(note, ERR_LIMIT, "the message is larger than the NATS server takes");
    return err;
}

static enum err memory_publish(struct bus *base, const struct bus_message *message, struct str id,
                               uint64_t cookie, struct err_note *note)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    enum err err = check_message(message, id, note);
    if (err != ERR_OK)
        return err;
    struct memory_bus_broker *broker = lock(base);
    if (bus->in_flight == BUS_IN_FLIGHT_MAX) {
        err = err_note(note, ERR_FULL, "%d publishes are unanswered", BUS_IN_FLIGHT_MAX);
    } else {
        bool taken = is_taken(message->subject);
        if (taken)
            store(broker, message, id);
        bus->in_flight++;
        notify(bus, (struct notice){.kind = NOTICE_PUBLISHED,
                                    .cookie = cookie,
                                    .error = taken ? ERR_OK : ERR_UNAVAILABLE});
    }
    unlock(broker);
    return err;
}

static enum err memory_event(struct bus *base, const struct bus_message *message, struct str id)
{
    enum err err = check_message(message, id, NULL);
    if (err != ERR_OK)
        return err;
    struct memory_bus_broker *broker = lock(base);
    store(broker, message, id);
    unlock(broker);
    return ERR_OK;
}

/* There are no services in memory: every request finds nobody. */
static enum err memory_request(struct bus *base, const struct bus_message *message, int64_t timeout_us,
                               uint64_t cookie, struct err_note *note)
{
    (void)timeout_us;
    enum err err = check_message(message, STR(""), note);
    if (err != ERR_OK)
        return err;
    struct memory_bus_broker *broker = lock(base);
    notify((struct memory_bus *)base,
           (struct notice){.kind = NOTICE_ANSWER, .cookie = cookie, .error = ERR_UNAVAILABLE});
    unlock(broker);
    return ERR_OK;
}

static enum err memory_answer(struct bus *base, struct str ack, struct str body)
{
    struct memory_bus_broker *broker = lock(base);
    for (struct memory_call *call = broker->calls; call != NULL; call = call->next) {
        if (call->answered || !str_equal(ack, str_from(call->ack)))
            continue;
        call->answer = arena_copy(call->arena, body);
        call->answered = true;
        pthread_cond_broadcast(&broker->answered);
    }
    unlock(broker);
    return ERR_OK;
}

static void end_call(struct memory_bus_broker *broker, struct memory_call *call)
{
    for (struct memory_call **place = &broker->calls; *place != NULL; place = &(*place)->next)
        if (*place == call) {
            *place = call->next;
            break;
        }
    struct notice **place = &broker->notices;
    while (*place != NULL)
        if ((*place)->call == call)
            unlink_notice(broker, place);
        else
            place = &(*place)->next;
}

static enum err memory_call(struct bus *base, uint32_t shard, struct str body, int64_t timeout_us,
                            struct arena *arena, struct str *answer, struct err_note *note)
{
    int64_t end_us = clock_real_us() + timeout_us;
    struct timespec end = {.tv_sec = end_us / 1000000, .tv_nsec = (end_us % 1000000) * 1000};
    struct memory_bus_broker *broker = lock(base);
    struct memory_bus *owner = shard < LIMITS_SHARDS_MAX ? broker->owners[shard] : NULL;
    struct memory_call call = {.next = broker->calls, .shard = shard, .body = body, .arena = arena};
    enum err err = ERR_OK;
    if (owner == NULL) {
        err = err_note(note, ERR_UNAVAILABLE, "nobody serves shard %" PRIu32, shard);
    } else {
        snprintf(call.ack, sizeof call.ack, "c%" PRIu64, ++broker->sequence);
        broker->calls = &call;
        notify(owner, (struct notice){.kind = NOTICE_CONTROL, .call = &call});
        int waited = 0;
        while (!call.answered && waited != ETIMEDOUT)
            waited = pthread_cond_timedwait(&broker->answered, &broker->mutex, &end);
        end_call(broker, &call);
        if (call.answered)
            *answer = call.answer;
        else
            err = err_note(note, ERR_TIMEOUT, "the owner of shard %" PRIu32 " did not answer in time", shard);
    }
    unlock(broker);
    return err;
}

static void memory_ack(struct bus *base, struct str ack)
{
    struct memory_bus_broker *broker = lock(base);
    for (struct stored **place = &broker->first; *place != NULL; place = &(*place)->next)
        if (str_equal(ack, str_from((*place)->ack))) {
            unlink_stored(broker, place);
            break;
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
        unlink_notice(broker, place);
        if (notice.kind == NOTICE_PUBLISHED)
            bus->callbacks.published(bus->callbacks.context, notice.cookie, ERR_CLOSED);
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
    .event = memory_event,
    .request = memory_request,
    .answer = memory_answer,
    .call = memory_call,
    .ack = memory_ack,
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
    bus->next = broker->buses;
    broker->buses = bus;
    unlock(broker);
    bus->callbacks.connected(bus->callbacks.context, true);
    return &bus->base;
}

/* Callbacks are called without the mutex: they may wait for a thread that is calling the bus. So each step
 * takes one thing out, hands it over, and looks again from the start. */
static bool tell_notice(struct memory_bus_broker *broker)
{
    struct notice **place = &broker->notices;
    while (*place != NULL && (*place)->round == broker->round)
        place = &(*place)->next;
    if (*place == NULL)
        return false;
    struct notice notice = **place;
    struct memory_bus *bus = notice.to;
    struct bus_delivery delivery = {.delivery_count = 1, .cookie = notice.cookie, .error = notice.error};
    if (notice.kind == NOTICE_CONTROL) {
        delivery.source = BUS_SOURCE_CONTROL;
        delivery.shard = notice.call->shard;
        delivery.ack = str_from(notice.call->ack);
        delivery.message.subject = STR("saga.ctl");
        delivery.message.body = notice.call->body;
    } else {
        delivery.source = BUS_SOURCE_ANSWER;
        delivery.shard = (uint32_t)(notice.cookie >> BUS_COOKIE_SHARD_BIT);
    }
    unlink_notice(broker, place);
    bus->in_flight -= notice.kind == NOTICE_PUBLISHED;
    unlock(broker);
    bool took = true;
    if (notice.kind == NOTICE_PUBLISHED)
        bus->callbacks.published(bus->callbacks.context, notice.cookie, notice.error);
    else
        took = bus->callbacks.deliver(bus->callbacks.context, &delivery);
    pthread_mutex_lock(&broker->mutex);
    if (!took && notice.kind == NOTICE_ANSWER) {
        notice.round = broker->round;
        notify(bus, notice);
    }
    return true;
}

static struct memory_bus *receiver(struct memory_bus_broker *broker, const struct stored *stored)
{
    uint32_t shard = reply_shard(stored->message.subject);
    if (shard < LIMITS_SHARDS_MAX)
        return broker->unacked[shard] < UNACKED_MAX ? broker->owners[shard] : NULL;
    if (!is_in(stored->message.subject))
        return NULL;
    struct memory_bus *bus = broker->buses;
    while (bus != NULL && !bus->listens_in)
        bus = bus->next;
    return bus;
}

static bool tell_message(struct memory_bus_broker *broker)
{
    struct stored *stored = broker->first;
    struct memory_bus *bus = NULL;
    for (; stored != NULL; stored = stored->next)
        if (!stored->out && stored->round != broker->round && (bus = receiver(broker, stored)) != NULL)
            break;
    if (stored == NULL)
        return false;
    uint32_t shard = reply_shard(stored->message.subject);
    stored->round = broker->round;
    stored->out = true;
    if (shard < LIMITS_SHARDS_MAX)
        broker->unacked[shard]++;
    struct bus_delivery delivery = {.source = shard < LIMITS_SHARDS_MAX ? BUS_SOURCE_REPLY : BUS_SOURCE_IN,
                                    .shard = shard < LIMITS_SHARDS_MAX ? shard : 0,
                                    .ack = str_from(stored->ack),
                                    .delivery_count = ++stored->delivery_count,
                                    .message = stored->message};
    unlock(broker);
    bool took = bus->callbacks.deliver(bus->callbacks.context, &delivery);
    pthread_mutex_lock(&broker->mutex);
    if (!took) {
        stored->out = false;
        if (shard < LIMITS_SHARDS_MAX)
            broker->unacked[shard]--;
    }
    return true;
}

uint32_t memory_bus_deliver(struct memory_bus_broker *broker, uint32_t most)
{
    uint32_t count = 0;
    pthread_mutex_lock(&broker->mutex);
    broker->round++;
    while (count < most && (tell_notice(broker) || tell_message(broker)))
        count++;
    unlock(broker);
    return count;
}

void memory_bus_redeliver(struct memory_bus_broker *broker)
{
    pthread_mutex_lock(&broker->mutex);
    take_back(broker, LIMITS_SHARDS_MAX);
    unlock(broker);
}

static void copy_out(const struct bus_message *from, struct arena *arena, struct bus_message *to)
{
    to->subject = arena_copy(arena, from->subject);
    to->body = arena_copy(arena, from->body);
    to->header_count = from->header_count;
    for (uint32_t i = 0; i < from->header_count; i++)
        to->headers[i] = (struct bus_header){arena_copy(arena, from->headers[i].name),
                                             arena_copy(arena, from->headers[i].value)};
}

bool memory_bus_take_command(struct memory_bus_broker *broker, struct str participant, struct arena *arena,
                             struct bus_message *message)
{
    bool found = false;
    struct str prefix = arena_printf(arena, "saga.cmd.%.*s.", STR_ARG(participant));
    pthread_mutex_lock(&broker->mutex);
    for (struct stored **place = &broker->first; *place != NULL && !found; place = &(*place)->next)
        if (str_starts((*place)->message.subject, prefix)) {
            copy_out(&(*place)->message, arena, message);
            unlink_stored(broker, place);
            found = true;
            break;
        }
    unlock(broker);
    return found;
}

void memory_bus_send(struct memory_bus_broker *broker, const struct bus_message *message)
{
    pthread_mutex_lock(&broker->mutex);
    store(broker, message, STR(""));
    unlock(broker);
}

void memory_bus_wipe(struct memory_bus_broker *broker)
{
    pthread_mutex_lock(&broker->mutex);
    while (broker->first != NULL)
        unlink_stored(broker, &broker->first);
    forget_ids(broker);
    unlock(broker);
}
