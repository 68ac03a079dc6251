/* A participant in C: takes commands, calls a handler, replies, acknowledges. Never acknowledges before the
 * reply has left. */
#include "tests/support/participant.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "engine/bus/nats_line.h"
#include "engine/bus/nats_message.h"

enum {
    EXPIRES_MS = 30000,
    HEARTBEAT_MS = 1000,
    SILENCE_US = 2500000, /* two heartbeats missed: no consumer yet, or no more; nobody says so */
    REST_US = 100000,     /* after a refusal; also how soon a new consumer is found */
    FLUSH_COUNT = 64,     /* replies that may wait while more commands are at hand */
    SUBJECT_BYTES = 512,
};

struct participant {
    struct participant_options options;
    struct arena arena;
    struct nats_line *line;
    uint64_t instance; /* in reply ids */
    atomic_uint_fast64_t reply_count;
    atomic_uint_fast64_t handled_count;
    atomic_bool closing;
    pthread_mutex_t mutex; /* all below */
    pthread_cond_t queued;
    uint32_t asked; /* commands asked for and not come yet */
    uint32_t taken; /* come and not handled yet */
    int64_t heard_us;
    int64_t rest_us;
    natsMsg **queue; /* a ring of PARTICIPANT_WINDOW_MAX, for our own threads */
    uint32_t queue_first;
    uint32_t queue_count;
    uint32_t unflushed; /* the delivery thread only */
    pthread_t threads[PARTICIPANT_THREADS_MAX];
};

/* With the mutex held: keeps the window full, asking when half of it is free. */
static void ask(struct participant *participant)
{
    int64_t now_us = clock_monotonic_us();
    uint32_t window = participant->options.window;
    uint32_t busy = participant->asked + participant->taken;
    if (busy > window / 2 || participant->rest_us > now_us || atomic_load(&participant->closing))
        return;
    char subject[SUBJECT_BYTES];
    char reply[NATS_LINE_INBOX_BYTES + 8];
    char request[128];
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.%s", participant->options.name);
    snprintf(reply, sizeof reply, "%s.pull", nats_line_inbox(participant->line));
    snprintf(request, sizeof request,
             "{\"batch\":%" PRIu32 ",\"expires\":%d000000,\"idle_heartbeat\":%d000000}", window - busy,
             EXPIRES_MS, HEARTBEAT_MS);
    if (nats_line_send_text(participant->line, subject, reply, request) != ERR_OK)
        return;
    participant->asked += window - busy;
    participant->heard_us = now_us;
    nats_line_flush(participant->line);
}

static void on_up(void *context)
{
    struct participant *participant = context;
    pthread_mutex_lock(&participant->mutex);
    participant->asked = 0;
    participant->rest_us = 0;
    ask(participant);
    pthread_mutex_unlock(&participant->mutex);
}

static void on_down(void *context, const char *why)
{
    (void)context; /* `up` starts anew */
    (void)why;
}

static void on_tick(void *context, int64_t now_us)
{
    struct participant *participant = context;
    pthread_mutex_lock(&participant->mutex);
    if (participant->asked > 0 && now_us - participant->heard_us > SILENCE_US)
        participant->asked = 0;
    ask(participant);
    pthread_mutex_unlock(&participant->mutex);
}

/* 100: heartbeat. 408: the request ended, so much of it was left. Else (409 consumer deleted, 503 there is
 * none): everything asked for is gone; ask again after a rest. */
static void on_status(struct participant *participant, int status, const struct bus_message *message)
{
    int64_t left = INT64_MAX;
    pthread_mutex_lock(&participant->mutex);
    participant->heard_us = clock_monotonic_us();
    if (status == 408)
        (void)str_to_i64(bus_header(message, STR("Nats-Pending-Messages")), &left);
    if (status != 100)
        participant->asked -= left > participant->asked ? participant->asked : (uint32_t)left;
    if (status != 100 && status != 404 && status != 408)
        participant->rest_us = participant->heard_us + REST_US;
    ask(participant);
    pthread_mutex_unlock(&participant->mutex);
}

/* "$JS.ACK.<stream>.<consumer>.<count>.…", with a domain and an account in front from 11 tokens on. */
static uint64_t delivery_count(const char *ack)
{
    unsigned dots = 0;
    for (const char *c = ack; *c != '\0'; c++)
        dots += *c == '.';
    const char *at = ack;
    for (unsigned skip = dots >= 10 ? 6 : 4; skip > 0 && *at != '\0'; at++)
        skip -= *at == '.';
    int64_t count = 0;
    struct str rest = str_from(at);
    return str_to_i64(str_slice(rest, 0, str_find(rest, '.')), &count) && count > 0 ? (uint64_t)count : 1;
}

static struct str action_of(struct str subject)
{
    struct str rest = str_slice(subject, sizeof "saga.cmd." - 1, subject.size);
    return str_slice(rest, str_find(rest, '.') + 1, rest.size);
}

static void handle(struct participant *participant, natsMsg *msg)
{
    struct bus_message message;
    const char *ack = natsMsg_GetReply(msg);
    (void)nats_message_read(msg, &message);
    int64_t attempt = 0;
    (void)str_to_i64(bus_header(&message, STR("Saga-Attempt")), &attempt);
    struct participant_command command = {.id = bus_header(&message, STR("Saga-Command")),
                                          .key = bus_header(&message, STR("Saga-Key")),
                                          .kind = bus_header(&message, STR("Saga-Kind")),
                                          .action = action_of(message.subject),
                                          .reply_to = bus_header(&message, STR("Saga-Reply-To")),
                                          .attempt = (uint32_t)attempt,
                                          .delivery_count = delivery_count(ack),
                                          .body = message.body,
                                          .message = &message};
    enum participant_outcome outcome =
        participant->options.handle(participant->options.context, participant, &command);
    /* Not sent when the connection is lost: then the command comes again. */
    if (outcome == PARTICIPANT_DONE)
        (void)!nats_line_send_text(participant->line, ack, NULL, "+ACK");
    else if (outcome == PARTICIPANT_LATER)
        (void)!nats_line_send_text(participant->line, ack, NULL, "-NAK {\"delay\": 100000000}");
    atomic_fetch_add(&participant->handled_count, 1);
    natsMsg_Destroy(msg);
    pthread_mutex_lock(&participant->mutex);
    participant->taken--;
    ask(participant);
    pthread_mutex_unlock(&participant->mutex);
}

static void handle_here(struct participant *participant, natsMsg *msg)
{
    handle(participant, msg);
    if (++participant->unflushed < FLUSH_COUNT && nats_line_waiting(participant->line) > 0)
        return;
    participant->unflushed = 0;
    nats_line_flush(participant->line);
}

/* False when the ring is full, which the window forbids: more came than was asked for. */
static bool enqueue(struct participant *participant, natsMsg *msg)
{
    pthread_mutex_lock(&participant->mutex);
    bool room = participant->queue_count < PARTICIPANT_WINDOW_MAX;
    if (room) {
        uint32_t at = (participant->queue_first + participant->queue_count++) % PARTICIPANT_WINDOW_MAX;
        participant->queue[at] = msg;
        pthread_cond_signal(&participant->queued);
    }
    pthread_mutex_unlock(&participant->mutex);
    return room;
}

static natsMsg *dequeue(struct participant *participant)
{
    natsMsg *msg = NULL;
    pthread_mutex_lock(&participant->mutex);
    while (participant->queue_count == 0 && !atomic_load(&participant->closing))
        pthread_cond_wait(&participant->queued, &participant->mutex);
    if (!atomic_load(&participant->closing)) {
        msg = participant->queue[participant->queue_first];
        participant->queue_first = (participant->queue_first + 1) % PARTICIPANT_WINDOW_MAX;
        participant->queue_count--;
    }
    pthread_mutex_unlock(&participant->mutex);
    return msg;
}

static void *work(void *argument)
{
    struct participant *participant = argument;
    for (natsMsg *msg = dequeue(participant); msg != NULL; msg = dequeue(participant)) {
        handle(participant, msg);
        nats_line_flush(participant->line);
    }
    nats_ReleaseThreadMemory();
    return NULL;
}

static void on_message(void *context, natsMsg *msg)
{
    struct participant *participant = context;
    struct bus_message message;
    int status = nats_message_read(msg, &message);
    if (!str_starts(message.subject, STR("saga.cmd.")) || natsMsg_GetReply(msg) == NULL) {
        if (status != 0)
            on_status(participant, status, &message);
        natsMsg_Destroy(msg);
        return;
    }
    pthread_mutex_lock(&participant->mutex);
    participant->asked -= participant->asked > 0;
    participant->taken++;
    participant->heard_us = clock_monotonic_us();
    pthread_mutex_unlock(&participant->mutex);
    if (participant->options.threads == 0)
        handle_here(participant, msg);
    else if (!enqueue(participant, msg))
        natsMsg_Destroy(msg);
}

static const char *keep_text(struct participant *participant, const char *text)
{
    return text != NULL ? arena_copy(&participant->arena, str_from(text)).data : NULL;
}

static struct participant *make(const struct participant_options *options)
{
    struct participant *participant = memory_new(1, sizeof *participant);
    arena_init(&participant->arena, 0);
    participant->options = *options;
    participant->options.url = keep_text(participant, options->url);
    participant->options.user = keep_text(participant, options->user);
    participant->options.password = keep_text(participant, options->password);
    participant->options.token = keep_text(participant, options->token);
    participant->options.credentials_file = keep_text(participant, options->credentials_file);
    participant->options.name = keep_text(participant, options->name);
    if (options->window == 0)
        participant->options.window = PARTICIPANT_WINDOW_DEFAULT;
    check(participant->options.window <= PARTICIPANT_WINDOW_MAX);
    check(participant->options.threads <= PARTICIPANT_THREADS_MAX);
    participant->instance = rng_entropy();
    participant->queue = memory_new(PARTICIPANT_WINDOW_MAX, sizeof(natsMsg *));
    pthread_mutex_init(&participant->mutex, NULL);
    pthread_cond_init(&participant->queued, NULL);
    return participant;
}

static void discard(struct participant *participant)
{
    while (participant->queue_count > 0) {
        natsMsg_Destroy(participant->queue[participant->queue_first]);
        participant->queue_first = (participant->queue_first + 1) % PARTICIPANT_WINDOW_MAX;
        participant->queue_count--;
    }
    memory_free(participant->queue);
    pthread_cond_destroy(&participant->queued);
    pthread_mutex_destroy(&participant->mutex);
    arena_fini(&participant->arena);
    memory_free(participant);
}

enum err participant_open(const struct participant_options *options, struct participant **opened,
                          struct err_note *note)
{
    struct participant *participant = make(options);
    const struct participant_options *kept = &participant->options;
    struct nats_options line = {.url = kept->url,
                                .user = kept->user,
                                .password = kept->password,
                                .token = kept->token,
                                .credentials_file = kept->credentials_file,
                                .name = kept->name,
                                .inbox = arena_printf(&participant->arena, "_INBOX_%s", kept->name).data};
    struct nats_line_callbacks callbacks = {
        .context = participant, .up = on_up, .down = on_down, .message = on_message, .tick = on_tick};
    for (uint32_t i = 0; i < kept->threads; i++)
        check(pthread_create(&participant->threads[i], NULL, work, participant) == 0);
    enum err err = nats_line_open(&line, &callbacks, &participant->line, note);
    if (err != ERR_OK) {
        participant_close(participant);
        return err;
    }
    *opened = participant;
    return ERR_OK;
}

void participant_close(struct participant *participant)
{
    if (participant == NULL)
        return;
    pthread_mutex_lock(&participant->mutex);
    atomic_store(&participant->closing, true);
    pthread_cond_broadcast(&participant->queued);
    pthread_mutex_unlock(&participant->mutex);
    for (uint32_t i = 0; i < participant->options.threads; i++)
        pthread_join(participant->threads[i], NULL);
    nats_line_close(participant->line);
    discard(participant);
}

enum err participant_reply(struct participant *participant, const struct participant_command *command,
                           const struct participant_reply *reply)
{
    char id[256];
    char delay[24] = "";
    struct bus_message message = {.subject = command->reply_to, .body = reply->body};
    struct str reply_id = reply->id;
    if (reply_id.size == 0) {
        snprintf(id, sizeof id, "%016" PRIx64 "/%" PRIuFAST64, participant->instance,
                 atomic_fetch_add(&participant->reply_count, 1));
        reply_id = str_from(id);
    }
    if (reply->retry_after_ms > 0)
        snprintf(delay, sizeof delay, "%" PRId64, reply->retry_after_ms);
    bus_header_add(&message, STR("Saga-Command"), command->id);
    bus_header_add(&message, STR("Saga-Status"), reply->status);
    bus_header_add(&message, STR("Saga-Error-Code"), reply->error_code);
    bus_header_add(&message, STR("Saga-Error-Message"), reply->error_message);
    bus_header_add(&message, STR("Saga-Retry-After-Ms"), str_from(delay));
    natsMsg *made = NULL;
    enum err err = nats_message_make(&message, reply_id, NULL, &made, NULL);
    if (err != ERR_OK)
        return err;
    err = nats_line_send(participant->line, made, NULL);
    natsMsg_Destroy(made);
    return err;
}

enum err participant_ok(struct participant *participant, const struct participant_command *command,
                        struct str body)
{
    return participant_reply(participant, command, &(struct participant_reply){.body = body});
}

enum err participant_reject(struct participant *participant, const struct participant_command *command,
                            struct str code, struct str message)
{
    struct participant_reply reply = {
        .status = STR("rejected"), .error_code = code, .error_message = message};
    return participant_reply(participant, command, &reply);
}

enum err participant_retry(struct participant *participant, const struct participant_command *command,
                           int64_t retry_after_ms)
{
    struct participant_reply reply = {.status = STR("retry"), .retry_after_ms = retry_after_ms};
    return participant_reply(participant, command, &reply);
}

enum err participant_pending(struct participant *participant, const struct participant_command *command)
{
    return participant_reply(participant, command, &(struct participant_reply){.status = STR("pending")});
}

uint64_t participant_count(struct participant *participant)
{
    return atomic_load(&participant->handled_count);
}
