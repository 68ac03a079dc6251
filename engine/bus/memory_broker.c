/* The broker in memory: streams as one list, consumers, what is out, what is to be noticed. Called by
 * memory_bus.c and by tests. Holds one lock, and never while a callback runs. */
#include "engine/bus/memory_broker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/bus/subject.h"

struct memory_bus_broker *memory_bus_new(void)
{
    struct memory_bus_broker *broker = memory_new(1, sizeof *broker);
    pthread_mutex_init(&broker->mutex, NULL);
    broker->last = &broker->first;
    broker->last_notice = &broker->notices;
    map_init(&broker->ids);
    broker->life = 1;
    broker->bytes_max = MEMORY_BROKER_MESSAGE_BYTES;
    return broker;
}

static void forget_ids(struct memory_bus_broker *broker)
{
    map_fini(&broker->ids);
    map_init(&broker->ids);
    for (uint32_t i = 0; i < MEMORY_BROKER_IDS_MAX; i++) {
        memory_free(broker->ring[i]);
        broker->ring[i] = NULL;
    }
}

void memory_bus_free(struct memory_bus_broker *broker)
{
    memory_bus_wipe(broker);
    check(broker->buses == NULL);
    while (broker->participants != NULL) {
        struct memory_participant *participant = broker->participants;
        broker->participants = participant->next;
        memory_free(participant);
    }
    map_fini(&broker->ids);
    pthread_mutex_destroy(&broker->mutex);
    memory_free(broker);
}

/* The shard of saga.reply.<shard>.…; LIMITS_SHARDS_MAX when it is another subject. */
static uint32_t reply_shard(struct str subject)
{
    struct str prefix = STR("saga.reply.");
    struct str rest = str_slice(subject, prefix.size, subject.size);
    size_t dot = str_find(rest, '.');
    uint32_t shard = LIMITS_SHARDS_MAX;
    if (str_starts(subject, prefix) && dot < rest.size)
        (void)subject_number(str_slice(rest, 0, dot), LIMITS_SHARDS_MAX - 1, &shard);
    return shard;
}

static bool is_in(struct str subject)
{
    return str_starts(subject, STR("saga.start.")) || str_starts(subject, STR("saga.child.")) ||
           str_starts(subject, STR("saga.signal."));
}

bool memory_broker_takes(struct str subject)
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
    stored->message.garbled = message->garbled;
    stored->message.status = message->status;
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

/* The sequence of the first message with this id; 0: there was none, and this one's is remembered. */
static uint64_t remember(struct memory_bus_broker *broker, struct str id, uint64_t sequence)
{
    if (id.size == 0)
        return 0;
    const struct memory_id *known = map_get(&broker->ids, id);
    if (known != NULL)
        return known->sequence;
    struct memory_id **place = &broker->ring[broker->id_count++ % MEMORY_BROKER_IDS_MAX];
    if (*place != NULL)
        (void)map_remove(&broker->ids, (struct str){(*place)->text, (*place)->size});
    memory_free(*place);
    *place = memory_new(1, sizeof **place + id.size);
    (*place)->size = id.size;
    (*place)->sequence = sequence;
    memcpy((*place)->text, id.data, id.size);
    (void)map_set(&broker->ids, (struct str){(*place)->text, id.size}, *place);
    return 0;
}

bool memory_broker_is_full(const struct memory_bus_broker *broker, struct str subject, struct str id)
{
    uint64_t count = 0;
    if (broker->subject_most == 0 || !str_starts(subject, STR("saga.cmd.")) ||
        (id.size > 0 && map_get(&broker->ids, id) != NULL))
        return false;
    for (const struct stored *stored = broker->first; stored != NULL; stored = stored->next)
        count += str_equal(stored->message.subject, subject);
    return count >= broker->subject_most;
}

static uint64_t append(struct memory_bus_broker *broker, struct stored *stored)
{
    stored->sequence = ++broker->sequence;
    snprintf(stored->ack, sizeof stored->ack, "m%" PRIu64, stored->sequence);
    *broker->last = stored;
    broker->last = &stored->next;
    return stored->sequence;
}

uint64_t memory_broker_store(struct memory_bus_broker *broker, const struct bus_message *message,
                             struct str id)
{
    uint64_t known = remember(broker, id, broker->sequence + 1);
    if (known > 0)
        return known;
    if (str_starts(message->subject, STR("saga.event."))) /* nobody takes events from here */
        return ++broker->sequence;
    return append(broker, copy_message(message, id));
}

struct memory_participant *memory_broker_participant(struct memory_bus_broker *broker, struct str name)
{
    struct memory_participant *participant = broker->participants;
    while (participant != NULL && !str_equal(name, (struct str){participant->name, participant->size}))
        participant = participant->next;
    if (participant != NULL)
        return participant;
    participant = memory_new(1, sizeof *participant + name.size);
    participant->size = name.size;
    memcpy(participant->name, name.data, name.size);
    participant->next = broker->participants;
    broker->participants = participant;
    return participant;
}

/* Streams begin with saga.: what stands under another subject is a request. */
void memory_broker_ask(struct memory_bus_broker *broker, const struct bus_message *message, struct str reply)
{
    (void)append(broker, copy_message(message, reply));
}

void memory_broker_answer(struct memory_bus *to, struct str ticket, const struct bus_message *message)
{
    struct bus_message answer = {.subject = ticket};
    if (message != NULL)
        answer = *message;
    answer.subject = ticket;
    memory_broker_notify(to,
                         (struct notice){.kind = NOTICE_ANSWER,
                                         .error = message == NULL ? ERR_UNAVAILABLE : ERR_OK,
                                         .answer = copy_message(&answer, STR(""))},
                         STR(""));
}

void memory_broker_remove(struct memory_bus_broker *broker, struct stored **place)
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

void memory_broker_notify(struct memory_bus *to, struct notice notice, struct str body)
{
    struct memory_bus_broker *broker = to->broker;
    struct notice *kept = memory_new(1, sizeof *kept);
    *kept = notice;
    kept->to = to;
    kept->next = NULL;
    kept->size = body.size;
    if (body.size > 0) {
        kept->text = memory_new(body.size, 1);
        memcpy(kept->text, body.data, body.size);
    }
    *broker->last_notice = kept;
    broker->last_notice = &kept->next;
}

void memory_broker_forget(struct memory_bus_broker *broker, struct notice **place)
{
    struct notice *notice = *place;
    *place = notice->next;
    if (broker->last_notice == &notice->next)
        broker->last_notice = place;
    memory_free(notice);
}

void memory_broker_end_calls(struct memory_bus_broker *broker, const struct memory_bus *asker, int64_t now_us,
                             enum err error)
{
    for (struct memory_call **place = &broker->calls; *place != NULL;) {
        struct memory_call *call = *place;
        if ((asker != NULL && call->asker != asker) || call->until_us > now_us) {
            place = &call->next;
            continue;
        }
        *place = call->next;
        memory_broker_notify(call->asker,
                             (struct notice){.kind = NOTICE_CALLED, .cookie = call->cookie, .error = error},
                             STR(""));
        memory_free(call);
    }
}

void memory_broker_take_back(struct memory_bus_broker *broker, uint32_t shard)
{
    for (struct stored *stored = broker->first; stored != NULL; stored = stored->next) {
        uint32_t of = reply_shard(stored->message.subject);
        if (!stored->out || (shard != LIMITS_SHARDS_MAX && of != shard))
            continue;
        stored->out = false;
        stored->spurned = 0;
        if (of < LIMITS_SHARDS_MAX)
            broker->unacked[of]--;
    }
}

static bool is_command_of(struct str subject, struct str participant)
{
    struct str prefix = STR("saga.cmd.");
    return str_starts(subject, prefix) && subject.size > prefix.size + participant.size &&
           str_equal(str_slice(subject, prefix.size, prefix.size + participant.size), participant) &&
           subject.data[prefix.size + participant.size] == '.';
}

static struct bus_sight sight_of(const struct memory_bus_broker *broker, const struct notice *notice)
{
    const struct memory_participant *participant = notice->participant;
    struct bus_sight sight = {.participant = {participant->name, participant->size},
                              .delivered = participant->delivered,
                              .life = broker->life,
                              .made = broker->life,
                              .cookie = notice->cookie};
    for (const struct stored *stored = broker->first; stored != NULL; stored = stored->next)
        sight.pending += is_command_of(stored->message.subject, sight.participant);
    return sight;
}

static void tell_published(struct memory_bus *bus, const struct notice *notice)
{
    struct bus_published published = {.cookie = notice->cookie,
                                      .error = notice->error,
                                      .refused = notice->error != ERR_OK,
                                      .subject_full = notice->error == ERR_FULL,
                                      .sequence = notice->sequence};
    if (notice->error != ERR_OK)
        published.cause = notice->error == ERR_FULL ? STR("maximum messages per subject exceeded")
                                                    : STR("no stream takes it");
    bus->callbacks.published(bus->callbacks.context, &published);
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
    char subject[32];
    struct bus_delivery delivery = {.delivery_count = 1,
                                    .source = BUS_SOURCE_ANSWER,
                                    .cookie = notice.cookie,
                                    .error = notice.error,
                                    .message.body = {notice.text, notice.size}};
    if (notice.kind == NOTICE_CONTROL) {
        snprintf(subject, sizeof subject, "saga.ctl.%" PRIu32, notice.shard);
        delivery.source = BUS_SOURCE_CONTROL;
        delivery.shard = notice.shard;
        delivery.ack = str_from(notice.ack);
        delivery.message.subject = str_from(subject);
    } else if (notice.kind == NOTICE_CALLED) {
        delivery.source = BUS_SOURCE_CALLED;
    } else if (notice.kind == NOTICE_ANSWER) {
        delivery.identity = notice.answer->message.subject;
        delivery.message = notice.answer->message;
    }
    memory_broker_forget(broker, place);
    bus->in_flight -= notice.kind == NOTICE_PUBLISHED;
    struct bus_sight sight = {0};
    if (notice.kind == NOTICE_SIGHT)
        sight = sight_of(broker, &notice);
    pthread_mutex_unlock(&broker->mutex);
    bool took = true;
    if (notice.kind == NOTICE_PUBLISHED)
        tell_published(bus, &notice);
    else if (notice.kind == NOTICE_SIGHT)
        bus->callbacks.seen(bus->callbacks.context, &sight);
    else if (notice.kind == NOTICE_TAKEN_BACK)
        bus->callbacks.taken_back(bus->callbacks.context, notice.cookie, notice.error);
    else
        took = bus->callbacks.deliver(bus->callbacks.context, &delivery);
    memory_free(notice.text);
    notice.text = NULL;
    pthread_mutex_lock(&broker->mutex);
    if (!took && notice.kind == NOTICE_ANSWER) {
        notice.round = broker->round;
        memory_broker_notify(bus, notice, STR(""));
    } else {
        memory_free(notice.answer);
    }
    return true;
}

static struct memory_bus *receiver(struct memory_bus_broker *broker, const struct stored *stored)
{
    uint32_t shard = reply_shard(stored->message.subject);
    if (shard < LIMITS_SHARDS_MAX)
        return broker->unacked[shard] < MEMORY_BROKER_UNACKED_MAX ? broker->owners[shard] : NULL;
    if (!is_in(stored->message.subject))
        return NULL;
    struct memory_bus *found = NULL;
    for (struct memory_bus *bus = broker->buses; bus != NULL; bus = bus->next)
        if (bus->listens_in && (found == NULL || found->number == stored->spurned))
            found = bus;
    return found;
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
                                    .identity = str_from(stored->ack),
                                    .delivery_count = ++stored->delivery_count,
                                    .message = stored->message};
    pthread_mutex_unlock(&broker->mutex);
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
    memory_broker_end_calls(broker, NULL, clock_monotonic_us(), ERR_TIMEOUT);
    while (count < most && (tell_notice(broker) || tell_message(broker)))
        count++;
    pthread_mutex_unlock(&broker->mutex);
    return count;
}

void memory_bus_redeliver(struct memory_bus_broker *broker)
{
    pthread_mutex_lock(&broker->mutex);
    memory_broker_take_back(broker, LIMITS_SHARDS_MAX);
    pthread_mutex_unlock(&broker->mutex);
}

static void copy_out(const struct bus_message *from, struct arena *arena, struct bus_message *to)
{
    to->subject = arena_copy(arena, from->subject);
    to->body = arena_copy(arena, from->body);
    to->garbled = from->garbled;
    to->status = from->status;
    to->header_count = from->header_count;
    for (uint32_t i = 0; i < from->header_count; i++)
        to->headers[i] = (struct bus_header){arena_copy(arena, from->headers[i].name),
                                             arena_copy(arena, from->headers[i].value)};
}

bool memory_bus_take_command(struct memory_bus_broker *broker, struct str participant, struct arena *arena,
                             struct bus_message *message)
{
    bool found = false;
    pthread_mutex_lock(&broker->mutex);
    for (struct stored **place = &broker->first; *place != NULL && !found; place = &(*place)->next)
        if (is_command_of((*place)->message.subject, participant)) {
            memory_broker_participant(broker, participant)->delivered = (*place)->sequence;
            copy_out(&(*place)->message, arena, message);
            memory_broker_remove(broker, place);
            found = true;
            break;
        }
    pthread_mutex_unlock(&broker->mutex);
    return found;
}

void memory_bus_serve(struct memory_bus_broker *broker, bool serves)
{
    pthread_mutex_lock(&broker->mutex);
    broker->serves = serves;
    pthread_mutex_unlock(&broker->mutex);
}

void memory_bus_hold(struct memory_bus_broker *broker, struct str subject)
{
    pthread_mutex_lock(&broker->mutex);
    snprintf(broker->held_subject, sizeof broker->held_subject, "%.*s", STR_ARG(subject));
    pthread_mutex_unlock(&broker->mutex);
}

bool memory_bus_take_request(struct memory_bus_broker *broker, struct arena *arena,
                             struct bus_message *message, struct str *reply)
{
    bool found = false;
    pthread_mutex_lock(&broker->mutex);
    for (struct stored **place = &broker->first; *place != NULL && !found; place = &(*place)->next)
        if (!str_starts((*place)->message.subject, STR("saga."))) {
            copy_out(&(*place)->message, arena, message);
            *reply = message->headers[0].value; /* see memory_broker_ask */
            memory_broker_remove(broker, place);
            found = true;
            break;
        }
    pthread_mutex_unlock(&broker->mutex);
    return found;
}

void memory_bus_answer(struct memory_bus_broker *broker, struct str reply, const struct bus_message *message)
{
    int64_t number = 0;
    size_t dot = str_find(reply, '.');
    check(str_to_i64(str_slice(reply, 0, dot), &number));
    pthread_mutex_lock(&broker->mutex);
    for (struct memory_bus *bus = broker->buses; bus != NULL; bus = bus->next)
        if (bus->number == (uint64_t)number)
            memory_broker_answer(bus, str_slice(reply, dot + 1, reply.size), message);
    pthread_mutex_unlock(&broker->mutex);
}

void memory_bus_send(struct memory_bus_broker *broker, const struct bus_message *message)
{
    pthread_mutex_lock(&broker->mutex);
    (void)memory_broker_store(broker, message, STR(""));
    pthread_mutex_unlock(&broker->mutex);
}

bool memory_bus_holds(struct memory_bus_broker *broker, struct str command)
{
    bool found = false;
    pthread_mutex_lock(&broker->mutex);
    for (const struct stored *stored = broker->first; stored != NULL && !found; stored = stored->next)
        found = str_starts(stored->message.subject, STR("saga.cmd.")) &&
                str_equal(bus_header(&stored->message, STR("Saga-Command")), command);
    pthread_mutex_unlock(&broker->mutex);
    return found;
}

void memory_bus_bound(struct memory_bus_broker *broker, size_t bytes)
{
    pthread_mutex_lock(&broker->mutex);
    broker->bytes_max = bytes;
    pthread_mutex_unlock(&broker->mutex);
}

void memory_bus_share(struct memory_bus_broker *broker, uint64_t most)
{
    pthread_mutex_lock(&broker->mutex);
    broker->subject_most = most;
    pthread_mutex_unlock(&broker->mutex);
}

uint64_t memory_bus_waste(struct memory_bus_broker *broker)
{
    pthread_mutex_lock(&broker->mutex);
    uint64_t sequence = ++broker->sequence;
    pthread_mutex_unlock(&broker->mutex);
    return sequence;
}

void memory_bus_wipe(struct memory_bus_broker *broker)
{
    pthread_mutex_lock(&broker->mutex);
    while (broker->first != NULL)
        memory_broker_remove(broker, &broker->first);
    forget_ids(broker);
    broker->life++;
    pthread_mutex_unlock(&broker->mutex);
}
