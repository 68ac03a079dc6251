/* The engine's place in front of one participant, for a rehearsal: commands are published as the engine would, the replies
 * to them pulled. Called by sagactl conformance only; never by an engine, and it takes no message that an engine waits for. */
#include "engine/bus/rehearsal.h"

#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "engine/bus/envelope.h"
#include "engine/bus/nats_bus.h"
#include "engine/bus/nats_message.h"
#include "engine/bus/nats_options.h"

enum {
    WAIT_MS = 5000,        /* for an answer of the broker */
    LOOK_MS = 20,          /* between two looks at a command that is not acknowledged */
    ATTEMPT_US = 30000000, /* Saga-Timeout-Ms */
};

struct rehearsal {
    struct rehearsal_options options;
    natsConnection *connection;
    jsCtx *js;
    natsSubscription *replies;
    char reply_to[BUS_SUBJECT_BYTES];
    uint64_t sent[REHEARSAL_COMMANDS_MAX]; /* sequences in SAGA_CMD */
    uint32_t sent_count;
    uint32_t number; /* of the next message */
};

static enum err explain(natsStatus status, const char *what, struct err_note *note)
{
    char why[256];
    if (status == NATS_OK)
        return ERR_OK;
    nats_options_why(status, why, sizeof why);
    return err_note(note, status == NATS_TIMEOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, "cannot %s: %s", what, why);
}

static bool drop(void *context, const struct bus_delivery *delivery)
{
    (void)context; /* no shard is listened to, nothing can come */
    (void)delivery;
    return false;
}

static void ignore_published(void *context, const struct bus_published *published)
{
    (void)context;
    (void)published;
}

static void ignore_sight(void *context, const struct bus_sight *sight)
{
    (void)context;
    (void)sight;
}

static void ignore_taken_back(void *context, uint64_t cookie, enum err error)
{
    (void)context;
    (void)cookie;
    (void)error;
}

static void ignore_connected(void *context, bool connected)
{
    (void)context;
    (void)connected;
}

/* The engine's own hands make what is missing, so that it is as an engine makes it. */
static enum err make_missing(const struct rehearsal_options *options, const char *name, struct err_note *note)
{
    struct bus *bus = NULL;
    struct nats_bus_options own = {.url = options->url,
                                   .user = options->user,
                                   .password = options->password,
                                   .token = options->token,
                                   .credentials_file = options->credentials_file,
                                   .instance = name};
    struct bus_callbacks callbacks = {.deliver = drop,
                                      .published = ignore_published,
                                      .seen = ignore_sight,
                                      .taken_back = ignore_taken_back,
                                      .connected = ignore_connected};
    struct bus_participant participant = {.name = str_from(options->participant)};
    enum err err = bus_check_participant(participant.name, note);
    if (err == ERR_OK)
        err = nats_bus_open(&own, &callbacks, &bus, note);
    if (err != ERR_OK)
        return err;
    err = bus_participants(bus, &participant, 1, note);
    bus_close(bus);
    return err;
}

static enum err connect_as(struct rehearsal *rehearsal, const char *name, struct err_note *note)
{
    char inbox[64];
    natsOptions *made = NULL;
    snprintf(inbox, sizeof inbox, "_INBOX_saga.%s", name);
    struct nats_options options = {.url = rehearsal->options.url,
                                   .user = rehearsal->options.user,
                                   .password = rehearsal->options.password,
                                   .token = rehearsal->options.token,
                                   .credentials_file = rehearsal->options.credentials_file,
                                   .name = name,
                                   .inbox = inbox};
    natsStatus status = natsOptions_Create(&made);
    if (status == NATS_OK)
        status = nats_options_set(&options, made);
    if (status == NATS_OK)
        status = natsConnection_Connect(&rehearsal->connection, made);
    natsOptions_Destroy(made);
    if (status == NATS_OK)
        status = natsConnection_JetStream(&rehearsal->js, rehearsal->connection, NULL);
    if (status == NATS_OK)
        status =
            natsConnection_SubscribeSync(&rehearsal->replies, rehearsal->connection, rehearsal->reply_to);
    if (status == NATS_OK)
        status = natsConnection_FlushTimeout(rehearsal->connection, WAIT_MS);
    return explain(status, "connect to NATS", note);
}

enum err rehearsal_open(const struct rehearsal_options *options, struct rehearsal **opened,
                        struct err_note *note)
{
    char name[40];
    snprintf(name, sizeof name, "conformance-%016" PRIx64, rng_entropy());
    enum err err = make_missing(options, name, note);
    if (err != ERR_OK)
        return err;
    struct rehearsal *rehearsal = memory_new(1, sizeof *rehearsal);
    rehearsal->options = *options;
    snprintf(rehearsal->reply_to, sizeof rehearsal->reply_to, "saga.reply.%s.%s", name, options->participant);
    err = connect_as(rehearsal, name, note);
    if (err != ERR_OK) {
        rehearsal_close(rehearsal);
        return err;
    }
    *opened = rehearsal;
    return ERR_OK;
}

static void write(struct rehearsal *rehearsal, const struct rehearsal_command *command, struct arena *arena,
                  struct bus_message *message)
{
    struct str id;
    struct plan_action action = {.participant = str_from(rehearsal->options.participant),
                                 .action = command->action,
                                 .timeout_us = ATTEMPT_US};
    struct envelope_command written = {.saga = command->saga,
                                       .definition = STR("conformance"),
                                       .step = command->step,
                                       .kind = command->kind,
                                       .attempt = command->attempt,
                                       .action = &action,
                                       .body = command->body};
    envelope_command(&written, arena, message, &id);
    for (uint32_t i = 0; i < message->header_count; i++)
        if (str_equal(message->headers[i].name, STR("Saga-Reply-To")))
            message->headers[i].value = str_from(rehearsal->reply_to);
    if (command->bare)
        message->header_count = 0;
}

enum err rehearsal_send(struct rehearsal *rehearsal, const struct rehearsal_command *command,
                        struct err_note *note)
{
    struct arena arena;
    struct bus_message message = {.header_count = 0};
    natsMsg *made = NULL;
    jsPubAck *ack = NULL;
    if (rehearsal->sent_count == REHEARSAL_COMMANDS_MAX)
        return err_note(note, ERR_FULL, "more than %d commands", REHEARSAL_COMMANDS_MAX);
    arena_init(&arena, 0);
    write(rehearsal, command, &arena, &message);
    struct str id = arena_printf(&arena, "%s/%" PRIu32, rehearsal->reply_to, ++rehearsal->number);
    enum err err = nats_message_make(&message, id, NULL, &made, note);
    if (err == ERR_OK)
        err = explain(js_PublishMsg(&ack, rehearsal->js, made, NULL, NULL), "send a command", note);
    if (err == ERR_OK)
        rehearsal->sent[rehearsal->sent_count++] = ack->Sequence;
    jsPubAck_Destroy(ack);
    natsMsg_Destroy(made);
    arena_fini(&arena);
    return err;
}

static void read(const struct bus_message *message, struct arena *arena, struct rehearsal_answer *answer)
{
    struct id saga;
    bool known = false;
    struct bus_message seen = *message;
    struct str token = str_slice(seen.subject, sizeof "saga.reply." - 1, seen.subject.size);
    struct str participant = str_slice(token, str_find(token, '.'), token.size);
    *answer =
        (struct rehearsal_answer){.command = arena_copy(arena, bus_header(&seen, STR("Saga-Command"))),
                                  .message_id = arena_copy(arena, bus_header(&seen, STR("Nats-Msg-Id"))),
                                  .body = arena_copy(arena, seen.body)};
    seen.subject = arena_join(arena, STR("saga.reply.0"), participant);
    for (uint32_t i = 0; i < seen.header_count; i++)
        seen.headers[i] = (struct bus_header){arena_copy(arena, seen.headers[i].name),
                                              arena_copy(arena, seen.headers[i].value)};
    seen.body = answer->body;
    if (!envelope_reply(&seen, arena, &answer->said, &saga, &known, &answer->why))
        return;
    answer->why = STR("");
}

/* nats.c looks for a status in what comes without a body to a subscription that is waited for, and takes its
 * header block apart for that: it must be asked for the headers then. */
static void read_lifted(natsMsg *msg, struct bus_message *message)
{
    const char **names = NULL;
    int count = 0;
    if (natsMsgHeader_Keys(msg, &names, &count) != NATS_OK)
        return;
    message->header_count = 0;
    message->garbled = false; /* it is, but by nats.c */
    for (int i = 0; i < count && i < BUS_HEADERS_MAX; i++) {
        const char *value = NULL;
        if (natsMsgHeader_Get(msg, names[i], &value) == NATS_OK)
            bus_header_add(message, str_from(names[i]), str_trim(str_from(value)));
    }
    memory_free(names);
}

enum err rehearsal_receive(struct rehearsal *rehearsal, int64_t timeout_ms, struct arena *arena,
                           struct rehearsal_answer *answer, struct err_note *note)
{
    natsMsg *made = NULL;
    struct bus_message message;
    natsStatus status = natsSubscription_NextMsg(&made, rehearsal->replies, timeout_ms > 0 ? timeout_ms : 1);
    if (status != NATS_OK)
        return explain(status, "receive a reply", note);
    (void)nats_message_read(made, &message);
    if (message.body.size == 0)
        read_lifted(made, &message);
    read(&message, arena, answer);
    natsMsg_Destroy(made);
    return ERR_OK;
}

/* A work queue forgets what was acknowledged. */
static bool is_gone(struct rehearsal *rehearsal, uint64_t sequence)
{
    natsMsg *message = NULL;
    natsStatus status = js_GetMsg(&message, rehearsal->js, "SAGA_CMD", sequence, NULL, NULL);
    natsMsg_Destroy(message);
    return status == NATS_NOT_FOUND;
}

bool rehearsal_settled(struct rehearsal *rehearsal, int64_t timeout_ms)
{
    int64_t end_us = clock_monotonic_us() + timeout_ms * 1000;
    if (rehearsal->sent_count == 0)
        return true;
    uint64_t sequence = rehearsal->sent[rehearsal->sent_count - 1];
    bool gone = is_gone(rehearsal, sequence);
    while (!gone && clock_monotonic_us() < end_us) {
        nats_Sleep(LOOK_MS);
        gone = is_gone(rehearsal, sequence);
    }
    return gone;
}

/* What cannot be removed now is removed by the participant's acknowledgement, or by an engine. */
static void sweep(struct rehearsal *rehearsal)
{
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = WAIT_MS;
    for (uint32_t i = 0; i < rehearsal->sent_count; i++)
        (void)js_DeleteMsg(rehearsal->js, "SAGA_CMD", rehearsal->sent[i], &options, NULL);
    options.Stream.Purge.Subject = rehearsal->reply_to;
    (void)js_PurgeStream(rehearsal->js, "SAGA_REPLY", &options, NULL);
}

void rehearsal_close(struct rehearsal *rehearsal)
{
    if (rehearsal == NULL)
        return;
    if (rehearsal->js != NULL)
        sweep(rehearsal);
    natsSubscription_Destroy(rehearsal->replies);
    jsCtx_Destroy(rehearsal->js);
    natsConnection_Destroy(rehearsal->connection);
    memory_free(rehearsal);
}
