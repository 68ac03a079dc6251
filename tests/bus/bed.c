/* Opens buses of either kind over one broker, notes what they say, and waits for it with a bound. */
#include "tests/bus/bed.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/bus/nats_bus.h"

static void keep(char *room, size_t size, struct str text)
{
    snprintf(room, size, "%.*s", STR_ARG(text));
}

static void record(struct bed_seen *seen, const struct bus_delivery *delivery)
{
    const struct bus_message *message = &delivery->message;
    seen->source = delivery->source;
    seen->shard = delivery->shard;
    seen->cookie = delivery->cookie;
    seen->error = delivery->error;
    seen->delivery_count = delivery->delivery_count;
    keep(seen->ack, sizeof seen->ack, delivery->ack);
    keep(seen->identity, sizeof seen->identity, delivery->identity);
    seen->header_count = message->header_count;
    seen->garbled = message->garbled;
    seen->head_status = message->status;
    seen->body_size = message->body.size;
    keep(seen->subject, sizeof seen->subject, message->subject);
    keep(seen->body, sizeof seen->body, message->body);
    keep(seen->command, sizeof seen->command, bus_header(message, STR("saga-command")));
    struct str status = bus_header(message, STR("Saga-Status"));
    if (status.size == 0)
        status = bus_header(message, STR("Nats-Service-Error-Code"));
    keep(seen->status, sizeof seen->status, status);
}

static bool on_deliver(void *context, const struct bus_delivery *delivery)
{
    struct bed_witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    bool take = witness->refuse == 0 && witness->seen_count < BED_SEEN_MAX;
    if (take) {
        record(&witness->seen[witness->seen_count++], delivery);
    } else {
        witness->refuse -= witness->refuse > 0;
        witness->refused_count++;
    }
    pthread_mutex_unlock(&witness->mutex);
    return take;
}

static void on_published(void *context, const struct bus_published *published)
{
    struct bed_witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    if (witness->published_count < BED_SEEN_MAX) {
        witness->published_cookies[witness->published_count] = published->cookie;
        witness->published_errors[witness->published_count] = published->error;
        witness->published_sequences[witness->published_count] = published->sequence;
    }
    if (published->error != ERR_OK) {
        keep(witness->cause, sizeof witness->cause, published->cause);
        witness->subject_full = published->subject_full;
    }
    witness->published_count++;
    witness->stored_count += published->error == ERR_OK;
    pthread_mutex_unlock(&witness->mutex);
}

static void on_seen(void *context, const struct bus_sight *sight)
{
    struct bed_witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    witness->sight = *sight;
    witness->sight.participant = STR("");
    keep(witness->sight_of, sizeof witness->sight_of, sight->participant);
    witness->sight_count++;
    pthread_mutex_unlock(&witness->mutex);
}

static void on_taken_back(void *context, uint64_t cookie, enum err error)
{
    struct bed_witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    witness->back_cookie = cookie;
    witness->back_error = error;
    witness->back_count++;
    pthread_mutex_unlock(&witness->mutex);
}

static void on_connected(void *context, bool connected)
{
    struct bed_witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    witness->connected = connected;
    pthread_mutex_unlock(&witness->mutex);
}

void bed_start(struct bed *bed, bool real)
{
    memset(bed, 0, sizeof *bed);
    bed->real = real;
    arena_init(&bed->arena, 0);
    if (real)
        harness_start(&bed->harness, HARNESS_NATS);
    else
        bed->broker = memory_bus_new();
}

void bed_stop(struct bed *bed)
{
    for (uint32_t i = 0; i < bed->count; i++) {
        bed_close(&bed->witnesses[i]);
        memory_free(bed->witnesses[i].seen);
        pthread_mutex_destroy(&bed->witnesses[i].mutex);
    }
    if (bed->real)
        harness_stop(&bed->harness);
    else
        memory_bus_free(bed->broker);
    arena_fini(&bed->arena);
}

struct bed_witness *bed_open(struct bed *bed)
{
    cr_assert_lt(bed->count, (uint32_t)BED_BUSES_MAX);
    struct bed_witness *witness = &bed->witnesses[bed->count];
    char instance[16];
    snprintf(instance, sizeof instance, "test-%" PRIu32, bed->count++);
    witness->bed = bed;
    pthread_mutex_init(&witness->mutex, NULL);
    witness->seen = memory_new(BED_SEEN_MAX, sizeof *witness->seen);
    struct bus_callbacks callbacks = {.context = witness,
                                      .deliver = on_deliver,
                                      .published = on_published,
                                      .seen = on_seen,
                                      .taken_back = on_taken_back,
                                      .connected = on_connected,
                                      .shard_count = BED_SHARDS};
    struct nats_bus_options options = {.url = bed->harness.nats.url, .instance = instance};
    struct err_note note = {""};
    if (!bed->real)
        witness->bus = memory_bus_open(bed->broker, &callbacks);
    else
        cr_assert_eq(nats_bus_open(&options, &callbacks, &witness->bus, &note), ERR_OK, "%s", note.text);
    return witness;
}

void bed_close(struct bed_witness *witness)
{
    bus_close(witness->bus);
    witness->bus = NULL;
}

/* What is waited for: `*counter` to reach `count`, read under the witness's mutex. */
struct wait {
    struct bed_witness *witness;
    const uint32_t *counter;
    uint32_t count;
};

static bool is_reached(void *context)
{
    struct wait *wait = context;
    pthread_mutex_lock(&wait->witness->mutex);
    bool reached = *wait->counter >= wait->count;
    pthread_mutex_unlock(&wait->witness->mutex);
    return reached;
}

struct pumped {
    struct bed *bed;
    bool (*done)(void *context);
    void *context;
};

static bool pump(void *context)
{
    struct pumped *pumped = context;
    if (!pumped->bed->real)
        memory_bus_deliver(pumped->bed->broker, BED_SEEN_MAX);
    return pumped->done(pumped->context);
}

bool bed_await(struct bed *bed, bool (*done)(void *context), void *context, int timeout_ms)
{
    struct pumped pumped = {bed, done, context};
    return harness_await(pump, &pumped, timeout_ms);
}

static void await_counter(struct bed_witness *witness, const uint32_t *counter, uint32_t count,
                          const char *what)
{
    struct wait wait = {witness, counter, count};
    bus_flush(witness->bus);
    if (!bed_await(witness->bed, is_reached, &wait, BED_PATIENCE_MS))
        cr_assert_fail("only %" PRIu32 " of %" PRIu32 " %s", *counter, count, what);
}

void bed_await_seen(struct bed_witness *witness, uint32_t count)
{
    await_counter(witness, &witness->seen_count, count, "deliveries");
}

void bed_await_published(struct bed_witness *witness, uint32_t count)
{
    await_counter(witness, &witness->published_count, count, "publishes answered");
}

/* A real participant's requests, on a connection of its own. */
static void take_real(struct bed *bed, const char *participant)
{
    natsOptions *options = NULL;
    natsConnection *connection = NULL;
    natsMsg *command = NULL, *done = NULL;
    char subject[128];
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.%s", participant);
    cr_assert_eq(natsOptions_Create(&options), NATS_OK);
    cr_assert_eq(natsOptions_SetURL(options, bed->harness.nats.url), NATS_OK);
    cr_assert_eq(natsConnection_Connect(&connection, options), NATS_OK);
    cr_assert_eq(natsConnection_RequestString(&command, connection, subject, "1", BED_PATIENCE_MS), NATS_OK);
    cr_assert_eq(
        natsConnection_RequestString(&done, connection, natsMsg_GetReply(command), "+ACK", BED_PATIENCE_MS),
        NATS_OK);
    natsMsg_Destroy(command);
    natsMsg_Destroy(done);
    natsConnection_Destroy(connection);
    natsOptions_Destroy(options);
}

void bed_take(struct bed *bed, const char *participant)
{
    struct bus_message message;
    if (bed->real)
        take_real(bed, participant);
    else
        cr_assert(memory_bus_take_command(bed->broker, str_from(participant), &bed->arena, &message));
}

struct bus_sight bed_look(struct bed_witness *witness, const char *participant)
{
    uint32_t before = witness->sight_count;
    cr_assert_eq(bus_look(witness->bus, str_from(participant), before + 1), ERR_OK);
    await_counter(witness, &witness->sight_count, before + 1, "looks answered");
    cr_assert_str_eq(witness->sight_of, participant);
    cr_assert_eq(witness->sight.cookie, before + 1);
    return witness->sight;
}

enum err bed_take_back(struct bed_witness *witness, uint64_t sequence, uint64_t cookie)
{
    uint32_t before = witness->back_count;
    cr_assert_eq(bus_take_back(witness->bus, sequence, cookie), ERR_OK);
    await_counter(witness, &witness->back_count, before + 1, "commands taken back");
    return witness->back_error;
}

static bool is_connected(void *context)
{
    struct bed_witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    bool connected = witness->connected;
    pthread_mutex_unlock(&witness->mutex);
    return connected;
}

static bool is_not_connected(void *context)
{
    return !is_connected(context);
}

void bed_await_connected(struct bed_witness *witness, bool connected)
{
    cr_assert(bed_await(witness->bed, connected ? is_connected : is_not_connected, witness, BED_PATIENCE_MS),
              "the bus did not say that it is %sconnected", connected ? "" : "not ");
}

void bed_settle(struct bed_witness *witness, uint32_t shard)
{
    static uint64_t number;
    char id[32];
    snprintf(id, sizeof id, "settle-%" PRIu64, number++);
    uint32_t published = witness->published_count + 1;
    uint32_t before = witness->seen_count;
    bed_reply(witness, shard, id, "\"settle\"", 0);
    bed_await_published(witness, published);
    bed_await_seen(witness, before + 1);
    uint32_t last = witness->seen_count - 1;
    cr_assert_str_eq(witness->seen[last].body, "\"settle\"", "unexpected: %s", witness->seen[last].body);
    bed_ack(witness, last);
    pthread_mutex_lock(&witness->mutex);
    witness->seen_count--;
    pthread_mutex_unlock(&witness->mutex);
}

void bed_ack(struct bed_witness *witness, uint32_t index)
{
    cr_assert_lt(index, witness->seen_count);
    bus_ack(witness->bus, str_from(witness->seen[index].ack));
    bus_flush(witness->bus);
}

struct consumer {
    jsCtx *js;
    char name[32];
    int64_t left;
};

static bool is_worked_off(void *context)
{
    struct consumer *consumer = context;
    jsConsumerInfo *info = NULL;
    cr_assert_eq(js_GetConsumerInfo(&info, consumer->js, "SAGA_REPLY", consumer->name, NULL, NULL), NATS_OK);
    bool idle = info->NumAckPending == consumer->left && info->NumPending == 0;
    jsConsumerInfo_Destroy(info);
    return idle;
}

void bed_await_acknowledged(struct bed *bed, uint32_t shard, int64_t left)
{
    if (!bed->real)
        return;
    natsConnection *connection = NULL;
    struct consumer consumer = {.left = left};
    cr_assert_eq(natsConnection_ConnectTo(&connection, bed->harness.nats.url), NATS_OK);
    cr_assert_eq(natsConnection_JetStream(&consumer.js, connection, NULL), NATS_OK);
    snprintf(consumer.name, sizeof consumer.name, "shard-%" PRIu32, shard);
    cr_assert(bed_await(bed, is_worked_off, &consumer, BED_PATIENCE_MS), "unacknowledged messages stay");
    jsCtx_Destroy(consumer.js);
    natsConnection_Destroy(connection);
}

struct bus_message bed_message(const char *subject, const char *body)
{
    return (struct bus_message){.subject = str_from(subject), .body = str_from(body)};
}

void bed_reply(struct bed_witness *witness, uint32_t shard, const char *id, const char *body, uint64_t cookie)
{
    char subject[64];
    snprintf(subject, sizeof subject, "saga.reply.%" PRIu32 ".payments", shard);
    struct bus_message message = bed_message(subject, body);
    struct err_note note = {""};
    bus_header_add(&message, STR("Saga-Command"), str_from(id));
    cr_assert_eq(bus_publish(witness->bus, &message, str_from(id), cookie, &note), ERR_OK, "%s", note.text);
}
