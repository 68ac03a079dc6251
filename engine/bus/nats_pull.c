/* The consumer: pulling by hand, delivering, acknowledging.
 *
 * Happy path: listen makes the consumer and asks for NATS_PULL_WINDOW messages; each one that comes is handed
 * to the owner; when half are left the other half is asked for again. A request that ends unfilled (408) says
 * how much of it was left. Any other refusal rests the pull and wakes the keeper, which finds out whether the
 * consumer is gone, taken over or fine. Silence without heartbeats, and a new connection, start it anew. */
#include "engine/bus/nats_parts.h"
#include "engine/bus/stranger.h"
#include "engine/bus/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"

enum { IDENTITY_BYTES = 96 }; /* a stream's name (a dozen bytes) and two numbers of 20 digits */

/* With pull_mutex held: asks until the window is full. */
static void ask(struct nats_bus *bus, struct nats_pull *pull, int64_t now_us)
{
    if (pull->lost || pull->rest_us > now_us || pull->asked > NATS_PULL_WINDOW / 2)
        return;
    char subject[NATS_NAME_BYTES];
    char reply[NATS_LINE_INBOX_BYTES + 16];
    char request[128];
    int32_t batch = NATS_PULL_WINDOW - pull->asked;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", pull->stream, pull->consumer);
    snprintf(reply, sizeof reply, "%s.r.%" PRIu32, nats_line_inbox(bus->consumer), pull->slot);
    snprintf(request, sizeof request,
             "{\"batch\":%" PRId32 ",\"expires\":%d000000,\"idle_heartbeat\":%d000000}", batch,
             NATS_PULL_EXPIRES_MS, NATS_PULL_HEARTBEAT_MS);
    if (nats_line_send_text(bus->consumer, subject, reply, request) != ERR_OK)
        return; /* not connected: `up` asks again */
    pull->asked += batch;
    pull->heard_us = now_us;
    nats_line_flush(bus->consumer);
}

void nats_pull_restart(struct nats_bus *bus, uint32_t slot)
{
    pthread_mutex_lock(&bus->pull_mutex);
    struct nats_pull *pull = bus->pulls[slot];
    if (pull != NULL) {
        pull->asked = 0;
        pull->rest_us = 0;
        pull->lost = false;
        ask(bus, pull, clock_monotonic_us());
    }
    pthread_mutex_unlock(&bus->pull_mutex);
}

static void on_up(void *context)
{
    struct nats_bus *bus = context;
    pthread_mutex_lock(&bus->pull_mutex);
    for (uint32_t i = 0; i < bus->listed_count; i++) {
        struct nats_pull *pull = bus->pulls[bus->listed[i]];
        pull->asked = 0;
        pull->rest_us = 0;
        ask(bus, pull, clock_monotonic_us());
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    nats_bus_state(bus, "consumer", &bus->consumer_up, true, "");
    nats_keeper_kick(bus);
}

static void on_down(void *context, const char *why)
{
    struct nats_bus *bus = context;
    nats_bus_state(bus, "consumer", &bus->consumer_up, false, why);
}

static void on_tick(void *context, int64_t now_us)
{
    struct nats_bus *bus = context;
    bool silent = false;
    pthread_mutex_lock(&bus->pull_mutex);
    for (uint32_t i = 0; i < bus->listed_count; i++) {
        struct nats_pull *pull = bus->pulls[bus->listed[i]];
        if (pull->asked > 0 && now_us - pull->heard_us > NATS_PULL_SILENCE_US) {
            pull->asked = 0;
            pull->deaf = true;
            /* Until the keeper has looked whose the consumer is: who slept may not be the owner any more. */
            pull->rest_us = now_us + NATS_PULL_SILENCE_US;
            silent = true;
        }
        ask(bus, pull, now_us);
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    if (silent)
        nats_keeper_kick(bus);
}

static void on_status(struct nats_bus *bus, uint32_t slot, int status, const struct bus_message *message)
{
    int64_t now_us = clock_monotonic_us();
    bool trouble = status != 100 && status != 404 && status != 408;
    pthread_mutex_lock(&bus->pull_mutex);
    struct nats_pull *pull = bus->pulls[slot];
    if (pull != NULL) {
        pull->heard_us = now_us;
        pull->deaf = false;
        int64_t left = pull->asked;
        if (status == 408)
            (void)str_to_i64(bus_header(message, STR("Nats-Pending-Messages")), &left);
        if (status != 100)
            pull->asked -= (int32_t)(left < 0 || left > pull->asked ? pull->asked : left);
        if (trouble) /* until the keeper has looked; should it find nothing, this bounds the wait */
            pull->rest_us = now_us + NATS_PULL_SILENCE_US;
        ask(bus, pull, now_us);
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    if (trouble)
        nats_keeper_kick(bus);
}

/* Counts the message against what was asked for; false when nobody listens here any more. */
static bool count_message(struct nats_bus *bus, uint32_t slot)
{
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&bus->pull_mutex);
    struct nats_pull *pull = bus->pulls[slot];
    bool wanted = pull != NULL && !pull->lost;
    if (wanted) {
        pull->heard_us = now_us;
        pull->deaf = false;
        pull->asked -= pull->asked > 0;
        ask(bus, pull, now_us);
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    return wanted;
}

/* The time tells messages of a stream from those of one made anew, which counts from 1 again. */
static struct str identity_of(char room[IDENTITY_BYTES], const struct subject_ack *ack)
{
    const struct str parts[] = {ack->stream, STR("/"), ack->sequence, STR("/"), ack->time};
    size_t size = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].size > IDENTITY_BYTES - size)
            return STR("");
        memcpy(room + size, parts[i].data, parts[i].size);
        size += parts[i].size;
    }
    return (struct str){room, size};
}

/* Twice as long with each delivery: thousands that find no room would otherwise come ten times a second. */
static int64_t pause_us(uint64_t deliveries)
{
    uint64_t doublings = deliveries > 1 ? deliveries - 1 : 0;
    doublings = doublings < NATS_NAK_DOUBLINGS ? doublings : NATS_NAK_DOUBLINGS;
    return NATS_NAK_DELAY_MS * INT64_C(1000) << doublings;
}

static void deliver(struct nats_bus *bus, struct bus_delivery *delivery)
{
    uint32_t shard = 0;
    struct subject_ack ack;
    enum subject_origin origin =
        subject_ack(delivery->ack, &ack) ? subject_origin(&ack, &shard) : SUBJECT_OF_OTHERS;
    if (origin == SUBJECT_OF_OTHERS) {
        stranger_refuse(STRANGER_STREAM, delivery->message.subject);
        return; /* to acknowledge it would take it from whoever it was meant for */
    }
    bool in = origin == SUBJECT_OF_IN;
    delivery->source = in ? BUS_SOURCE_IN : BUS_SOURCE_REPLY;
    delivery->shard = shard;
    char identity[IDENTITY_BYTES];
    delivery->delivery_count = ack.deliveries;
    delivery->identity = identity_of(identity, &ack);
    bool wanted = count_message(bus, in ? NATS_IN_SLOT : shard);
    if (wanted && bus->callbacks.deliver(bus->callbacks.context, delivery))
        return;
    /* A reply of a shard we left waits for its next owner; everything else comes again soon. */
    if (wanted || in)
        nats_pull_give_back(&bus->base, delivery->ack, pause_us(delivery->delivery_count));
}

static void on_message(void *context, natsMsg *message)
{
    struct nats_bus *bus = context;
    struct bus_delivery delivery;
    delivery.error = ERR_OK;
    delivery.delivery_count = 1;
    delivery.identity = STR("");
    delivery.ack = str_from(natsMsg_GetReply(message));
    int status = nats_message_read(message, &delivery.message);
    struct str inbox = str_from(nats_line_inbox(bus->consumer));
    struct str rest = str_slice(delivery.message.subject, inbox.size, SIZE_MAX);
    uint32_t slot;
    if (!str_starts(delivery.message.subject, inbox))
        deliver(bus, &delivery);
    else if (str_starts(rest, STR(".r.")) &&
             subject_number(str_slice(rest, 3, rest.size), NATS_IN_SLOT, &slot))
        on_status(bus, slot, status, &delivery.message);
    natsMsg_Destroy(message);
}

static void on_complaint(void *context, enum nats_line_complaint complaint, const char *text)
{
    struct nats_bus *bus = context;
    nats_faults_add(&bus->faults, "consumer", complaint, text);
}

const struct nats_line_callbacks nats_pull_callbacks = {
    .up = on_up, .down = on_down, .message = on_message, .tick = on_tick, .complain = on_complaint};

static void answer_delivery(struct bus *base, struct str ack, const char *answer)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char subject[BUS_SUBJECT_BYTES + 1];
    if (ack.size == 0 || ack.size >= sizeof subject)
        return;
    memcpy(subject, ack.data, ack.size);
    subject[ack.size] = '\0';
    /* Lost when not connected: the message comes again and is recognized as a duplicate. */
    (void)!nats_line_send_text(bus->consumer, subject, NULL, answer);
}

/* For the keeper, which looks whether acknowledgements arrive. */
static void count_ack(struct nats_bus *bus, struct str ack)
{
    struct str prefix = STR("$JS.ACK.SAGA_REPLY.shard-");
    struct str rest = str_slice(ack, prefix.size, ack.size);
    uint32_t slot = NATS_IN_SLOT;
    if (str_starts(ack, prefix) &&
        !subject_number(str_slice(rest, 0, str_find(rest, '.')), LIMITS_SHARDS_MAX - 1, &slot))
        return;
    atomic_fetch_add_explicit(&bus->acks[slot], 1, memory_order_relaxed);
}

void nats_pull_ack(struct bus *base, struct str ack)
{
    count_ack((struct nats_bus *)base, ack);
    answer_delivery(base, ack, "+ACK");
}

void nats_pull_give_back(struct bus *base, struct str ack, int64_t delay_us)
{
    char answer[64];
    snprintf(answer, sizeof answer, "-NAK {\"delay\": %" PRId64 "000}", delay_us);
    answer_delivery(base, ack, answer);
}

/* Puts a new pull into the table and takes the old one out, if any. */
static void enlist(struct nats_bus *bus, struct nats_pull *pull)
{
    pthread_mutex_lock(&bus->pull_mutex);
    if (bus->pulls[pull->slot] == NULL)
        bus->listed[bus->listed_count++] = pull->slot;
    memory_free(bus->pulls[pull->slot]);
    bus->pulls[pull->slot] = pull;
    ask(bus, pull, clock_monotonic_us());
    pthread_mutex_unlock(&bus->pull_mutex);
}

/* Its control subscription, for the caller to end. */
static natsSubscription *delist(struct nats_bus *bus, uint32_t slot)
{
    natsSubscription *control = NULL;
    pthread_mutex_lock(&bus->pull_mutex);
    if (bus->pulls[slot] != NULL) {
        control = bus->pulls[slot]->control;
        memory_free(bus->pulls[slot]);
        bus->pulls[slot] = NULL;
        for (uint32_t i = 0; i < bus->listed_count; i++)
            if (bus->listed[i] == slot)
                bus->listed[i--] = bus->listed[--bus->listed_count];
    }
    pthread_mutex_unlock(&bus->pull_mutex);
    return control;
}

/* With admin_mutex held. A vanished stream is made again on the way. */
static enum err make_consumer(struct nats_bus *bus, const struct nats_pull *pull, bool anew,
                              struct err_note *note)
{
    char filter[NATS_NAME_BYTES];
    struct nats_consumer consumer;
    nats_admin_pull(pull, filter, &consumer);
    enum err err = anew ? nats_admin_remove(bus, pull->stream, pull->consumer, note) : ERR_OK;
    if (err == ERR_OK)
        err = nats_admin_make(bus, &consumer, note);
    if (err == ERR_NOT_FOUND && nats_admin_streams(bus, note) == ERR_OK)
        err = nats_admin_make(bus, &consumer, note);
    return err;
}

/* A later owner that listens is left alone: whoever calls has been told of a claim that is over, or the
 * database has lost later ones, and then that owner will learn it and stop. */
static enum err refuse_stale(struct nats_bus *bus, const struct nats_pull *pull, struct err_note *note)
{
    char filter[NATS_NAME_BYTES];
    struct nats_consumer consumer;
    struct nats_consumer_look look;
    nats_admin_pull(pull, filter, &consumer);
    enum err err = nats_admin_look(bus, &consumer, &look, note);
    if (err == ERR_OK && look.exists && look.epoch > pull->epoch && look.waiting)
        err = err_note(note, ERR_CONFLICT,
                       "shard %" PRIu32 " has a later owner (epoch %" PRIu64 " after %" PRIu64 ")",
                       pull->slot, look.epoch, pull->epoch);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct nats_pull *make_pull(struct nats_bus *bus, uint32_t shard, int64_t epoch)
{
    struct nats_pull *pull = memory_new(1, sizeof *pull);
    pull->slot = shard;
    pull->epoch = (uint64_t)epoch;
    snprintf(pull->stream, sizeof pull->stream, "SAGA_REPLY");
    snprintf(pull->consumer, sizeof pull->consumer, "shard-%" PRIu32, shard);
    snprintf(pull->mark, sizeof pull->mark, "%" PRIu64 " %.40s %08" PRIx32, pull->epoch, bus->options.name,
             (uint32_t)rng_entropy());
    return pull;
}

enum err nats_pull_listen(struct bus *base, uint32_t shard, int64_t epoch, struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    if (shard >= LIMITS_SHARDS_MAX)
        return err_note(note, ERR_INVALID, "there is no shard %" PRIu32, shard);
    nats_pull_unlisten(base, shard);
    struct nats_pull *pull = make_pull(bus, shard, epoch);
    pthread_mutex_lock(&bus->admin_mutex);
    enum err err = refuse_stale(bus, pull, note);
    if (err == ERR_OK)
        err = make_consumer(bus, pull, true, note);
    if (err == ERR_OK) {
        enlist(bus, pull); /* first, so that a new admin line subscribes it, too */
        err = nats_control_serve(bus, shard, note);
    } else {
        memory_free(pull);
    }
    pthread_mutex_unlock(&bus->admin_mutex);
    if (err != ERR_OK)
        nats_pull_unlisten(base, shard);
    return err;
}

void nats_pull_unlisten(struct bus *base, uint32_t shard)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    if (shard < LIMITS_SHARDS_MAX)
        natsSubscription_Destroy(delist(bus, shard));
}

enum err nats_pull_listen_in(struct bus *base, struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    struct nats_pull *pull = memory_new(1, sizeof *pull);
    pull->slot = NATS_IN_SLOT;
    snprintf(pull->stream, sizeof pull->stream, "SAGA_IN");
    snprintf(pull->consumer, sizeof pull->consumer, "engine");
    pthread_mutex_lock(&bus->admin_mutex);
    enum err err = make_consumer(bus, pull, false, note);
    if (err == ERR_OK)
        enlist(bus, pull);
    else
        memory_free(pull);
    pthread_mutex_unlock(&bus->admin_mutex);
    return err;
}

void nats_pull_unlisten_in(struct bus *base)
{
    (void)delist((struct nats_bus *)base, NATS_IN_SLOT);
}

void nats_pull_free_all(struct nats_bus *bus)
{
    while (bus->listed_count > 0)
        natsSubscription_Destroy(delist(bus, bus->listed[0]));
}
