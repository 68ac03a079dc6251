/* The floor: what the broker and the database alone cost for sagas of three steps. A null engine: no YAML, no
 * JSON, no state machine. It pulls replies, writes one transaction for whatever arrived (a journal row and a
 * saga row each, binary arrays, pipeline), publishes the next commands, acknowledges. Streams, subjects,
 * headers and participants are those of the real engine, so that the ratio of the two says what the engine
 * itself costs.
 *
 * usage: bench_floor NATS_URL POSTGRES_URL SAGAS IN_FLIGHT PAYLOAD_BYTES
 * prints: sagas_per_s steps_per_s p50_ms p95_ms p99_ms */
#include <inttypes.h>
#include <libpq-fe.h>
#include <nats/nats.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <endian.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "tests/bench/queries.h"

enum { STEPS = 3, BATCH = 512, PULL = 512, OID_INT4 = 23, OID_INT8 = 20 };

struct reply {
    int64_t saga;
    int32_t step;
    char ack[160];
};
struct floor {
    natsConnection *nats;
    natsSubscription *replies, *puback;
    char inbox[64];
    char puback_subject[80];
    PGconn *pg;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct reply *queue;
    uint32_t queued, room;
    int64_t pulled; /* asked for and not come yet */
    int64_t run; /* makes command ids differ from those of an earlier run, which the broker still remembers */
    int64_t sagas, in_flight, started, ended;
    int64_t *begun_us, *took_us;
    char *payload;
};
/* What one batch writes and sends. */
struct transitions {
    int64_t saga[BATCH];
    int32_t seq[BATCH];
    uint32_t count;
};

static void must(natsStatus status, const char *what)
{
    if (status == NATS_OK)
        return;
    fprintf(stderr, "floor: %s: %s\n", what, natsStatus_GetText(status));
    exit(1);
}

static void pull(struct floor *floor, int64_t count)
{
    char body[96];
    snprintf(body, sizeof body, "{\"batch\":%" PRId64 ",\"expires\":60000000000}", count);
    must(natsConnection_PublishRequestString(floor->nats, "$JS.API.CONSUMER.MSG.NEXT.SAGA_REPLY.floor",
                                             floor->inbox, body),
         "pull");
    floor->pulled += count;
}

static void on_reply(natsConnection *nats, natsSubscription *subscription, natsMsg *message, void *context)
{
    (void)nats, (void)subscription;
    struct floor *floor = context;
    const char *command = NULL;
    if (natsMsgHeader_Get(message, "Saga-Command", &command) == NATS_OK) {
        pthread_mutex_lock(&floor->lock);
        if (floor->queued == floor->room) {
            floor->room = floor->room == 0 ? 1024 : floor->room * 2;
            floor->queue = memory_resize(floor->queue, floor->room, sizeof *floor->queue);
        }
        struct reply *reply = &floor->queue[floor->queued++];
        reply->saga = strtoll(strchr(command, '-') + 1, NULL, 10);
        reply->step = (int32_t)strtol(strchr(command, '/') + 2, NULL, 10);
        snprintf(reply->ack, sizeof reply->ack, "%s", natsMsg_GetReply(message));
        floor->pulled--;
        pthread_cond_signal(&floor->wake);
        pthread_mutex_unlock(&floor->lock);
    }
    natsMsg_Destroy(message);
}

/* Acknowledgements of publishes are read and counted by the engine; here they are only received. */
static void on_puback(natsConnection *nats, natsSubscription *subscription, natsMsg *message, void *context)
{
    (void)nats, (void)subscription, (void)context;
    natsMsg_Destroy(message);
}

static void make_stream(jsCtx *js, const char *name, const char *subject)
{
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = name;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Retention = js_WorkQueuePolicy;
    config.Discard = js_DiscardNew;
    jsErrCode code = 0;
    natsStatus status = js_AddStream(NULL, js, &config, NULL, &code);
    if (status != NATS_OK && code != JSStreamNameExistErr)
        must(status, name);
}

static void make_consumer(jsCtx *js, const char *stream, const char *name, const char *filter)
{
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = name;
    config.FilterSubject = filter;
    config.AckPolicy = js_AckExplicit;
    config.MaxAckPending = 20000;
    jsErrCode code = 0;
    must(js_AddConsumer(NULL, js, stream, &config, NULL, &code), name);
}

static void connect_nats(struct floor *floor, const char *url)
{
    natsOptions *options = NULL;
    jsCtx *js = NULL;
    must(natsOptions_Create(&options), "options");
    must(natsOptions_SetURL(options, url), "url");
    must(natsConnection_Connect(&floor->nats, options), "connect");
    natsOptions_Destroy(options);
    must(natsConnection_JetStream(&js, floor->nats, NULL), "jetstream");
    make_stream(js, "SAGA_CMD", "saga.cmd.>");
    make_stream(js, "SAGA_REPLY", "saga.reply.>");
    make_consumer(js, "SAGA_CMD", "floor", "saga.cmd.floor.>");
    make_consumer(js, "SAGA_REPLY", "floor", "saga.reply.4000.>");
    jsCtx_Destroy(js);
    snprintf(floor->inbox, sizeof floor->inbox, "_INBOX.floor.replies");
    must(natsConnection_Subscribe(&floor->replies, floor->nats, floor->inbox, on_reply, floor), "subscribe");
    must(natsConnection_Subscribe(&floor->puback, floor->nats, "_INBOX.floor.puback.*", on_puback, floor),
         "subscribe");
}

static void pg_must(PGconn *pg, bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "floor: %s: %s\n", what, PQerrorMessage(pg));
    exit(1);
}

static void prepare(PGconn *pg, const char *name, const char *sql)
{
    PGresult *result = PQprepare(pg, name, sql, 0, NULL);
    pg_must(pg, PQresultStatus(result) == PGRES_COMMAND_OK, name);
    PQclear(result);
}

static void connect_postgres(struct floor *floor, const char *url)
{
    floor->pg = PQconnectdb(url);
    pg_must(floor->pg, PQstatus(floor->pg) == CONNECTION_OK, "connect");
    PGresult *result = PQexec(floor->pg, queries_get("make"));
    pg_must(floor->pg, PQresultStatus(result) == PGRES_COMMAND_OK, "make tables");
    PQclear(result);
    prepare(floor->pg, "journal", queries_get("journal"));
    prepare(floor->pg, "begin", queries_get("begin"));
    prepare(floor->pg, "update", queries_get("update"));
    pg_must(floor->pg, PQenterPipelineMode(floor->pg) == 1, "pipeline");
}

/* PostgreSQL's binary form of a one-dimensional array of integers. */
static struct str encode(struct arena *arena, uint32_t oid, const void *values, uint32_t count, uint32_t size)
{
    uint32_t head[5] = {htobe32(1), 0, htobe32(oid), htobe32(count), htobe32(1)};
    char *out = arena_alloc(arena, sizeof head + (size_t)count * (4 + size));
    char *at = out + sizeof head;
    uint32_t wire_size = htobe32(size);
    memcpy(out, head, sizeof head);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t wide = size == 8 ? htobe64((uint64_t)((const int64_t *)values)[i]) : 0;
        uint32_t narrow = size == 4 ? htobe32((uint32_t)((const int32_t *)values)[i]) : 0;
        memcpy(at, &wire_size, 4);
        memcpy(at + 4, size == 8 ? (void *)&wide : (void *)&narrow, size);
        at += 4 + size;
    }
    return (struct str){out, (size_t)(at - out)};
}

static void send_statement(struct floor *floor, const char *name, const struct str *arrays, int count,
                           const char *text)
{
    const char *values[3] = {0};
    int sizes[3] = {0}, formats[3] = {1, 1, 0};
    for (int i = 0; i < count; i++) {
        values[i] = arrays[i].data;
        sizes[i] = (int)arrays[i].size;
    }
    if (text != NULL)
        values[count] = text;
    pg_must(floor->pg,
            PQsendQueryPrepared(floor->pg, name, count + (text != NULL), values, sizes, formats, 1) == 1,
            name);
}

static void finish_pipeline(struct floor *floor)
{
    pg_must(floor->pg, PQpipelineSync(floor->pg) == 1, "sync");
    for (;;) {
        PGresult *result = PQgetResult(floor->pg);
        if (result == NULL)
            continue;
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC)
            return;
        pg_must(floor->pg, status == PGRES_COMMAND_OK, "statement");
    }
}

static void commit(struct floor *floor, struct arena *arena, const struct transitions *all,
                   const struct transitions *begun, const struct transitions *moved)
{
    struct str both[2] = {encode(arena, OID_INT8, all->saga, all->count, 8),
                          encode(arena, OID_INT4, all->seq, all->count, 4)};
    send_statement(floor, "journal", both, 2, floor->payload);
    if (begun->count > 0) {
        struct str ids[1] = {encode(arena, OID_INT8, begun->saga, begun->count, 8)};
        send_statement(floor, "begin", ids, 1, NULL);
    }
    if (moved->count > 0) {
        struct str rows[2] = {encode(arena, OID_INT8, moved->saga, moved->count, 8),
                              encode(arena, OID_INT4, moved->seq, moved->count, 4)};
        send_statement(floor, "update", rows, 2, NULL);
    }
    finish_pipeline(floor);
}

static void send_command(struct floor *floor, int64_t saga, int32_t step)
{
    natsMsg *message = NULL;
    char id[64], reply[64];
    snprintf(id, sizeof id, "%" PRId64 "-%" PRId64 "/s%d/do/1", floor->run, saga, step);
    snprintf(reply, sizeof reply, "_INBOX.floor.puback.%" PRId64, saga);
    must(natsMsg_Create(&message, "saga.cmd.floor.work", reply, floor->payload, (int)strlen(floor->payload)),
         "message");
    must(natsMsgHeader_Set(message, "Nats-Msg-Id", id), "header");
    must(natsMsgHeader_Set(message, "Saga-Command", id), "header");
    must(natsMsgHeader_Set(message, "Saga-Key", id), "header");
    must(natsMsgHeader_Set(message, "Saga-Kind", "do"), "header");
    must(natsMsgHeader_Set(message, "Saga-Attempt", "1"), "header");
    must(natsMsgHeader_Set(message, "Saga-Reply-To", "saga.reply.4000.floor"), "header");
    must(natsConnection_PublishMsg(floor->nats, message), "publish");
    natsMsg_Destroy(message);
}

static uint32_t take(struct floor *floor, struct reply *replies, bool wait)
{
    pthread_mutex_lock(&floor->lock);
    while (wait && floor->queued == 0)
        pthread_cond_wait(&floor->wake, &floor->lock);
    uint32_t count = floor->queued < BATCH / 2 ? floor->queued : BATCH / 2;
    memcpy(replies, floor->queue, count * sizeof *replies);
    memmove(floor->queue, floor->queue + count, (floor->queued - count) * sizeof *replies);
    floor->queued -= count;
    if (floor->pulled < PULL / 2)
        pull(floor, PULL);
    pthread_mutex_unlock(&floor->lock);
    return count;
}

static void add(struct transitions *list, int64_t saga, int32_t seq)
{
    check(list->count < BATCH);
    list->saga[list->count] = saga;
    list->seq[list->count++] = seq;
}

/* One loop of the null engine: at most BATCH / 2 replies and as many new sagas. */
static void turn(struct floor *floor, struct arena *arena)
{
    static struct reply replies[BATCH];
    static struct transitions all, begun, moved;
    all.count = begun.count = moved.count = 0;
    uint32_t count = take(
        floor, replies, floor->started - floor->ended >= floor->in_flight || floor->started == floor->sagas);
    for (uint32_t i = 0; i < count; i++) {
        add(&all, replies[i].saga, replies[i].step + 1);
        add(&moved, replies[i].saga, replies[i].step + 1);
    }
    int64_t finished = 0;
    for (uint32_t i = 0; i < count; i++)
        finished += replies[i].step == STEPS;
    while (begun.count < BATCH / 2 && floor->started < floor->sagas &&
           floor->started - floor->ended - finished < floor->in_flight) {
        floor->begun_us[floor->started] = clock_monotonic_us();
        add(&all, floor->started, 1);
        add(&begun, floor->started++, 1);
    }
    commit(floor, arena, &all, &begun, &moved);
    for (uint32_t i = 0; i < begun.count; i++)
        send_command(floor, begun.saga[i], 1);
    for (uint32_t i = 0; i < count; i++) {
        must(natsConnection_PublishString(floor->nats, replies[i].ack, "+ACK"), "ack");
        if (replies[i].step < STEPS) {
            send_command(floor, replies[i].saga, replies[i].step + 1);
            continue;
        }
        floor->took_us[floor->ended++] = clock_monotonic_us() - floor->begun_us[replies[i].saga];
    }
    must(natsConnection_Flush(floor->nats), "flush");
    arena_reset(arena);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(struct floor *floor, int64_t spent_us)
{
    double seconds = (double)spent_us / 1e6, sagas = (double)floor->sagas;
    qsort(floor->took_us, (size_t)floor->sagas, sizeof *floor->took_us, by_size);
    printf("sagas_per_s=%.1f steps_per_s=%.1f p50_ms=%.3f p95_ms=%.3f p99_ms=%.3f\n", sagas / seconds,
           sagas * STEPS / seconds, (double)floor->took_us[floor->sagas / 2] / 1e3,
           (double)floor->took_us[floor->sagas * 95 / 100] / 1e3,
           (double)floor->took_us[floor->sagas * 99 / 100] / 1e3);
}

int main(int argc, char **argv)
{
    struct floor floor = {0};
    struct arena arena;
    check(argc == 6);
    floor.run = clock_monotonic_us();
    floor.sagas = strtoll(argv[3], NULL, 10);
    floor.in_flight = strtoll(argv[4], NULL, 10);
    size_t payload = (size_t)strtoll(argv[5], NULL, 10);
    check(floor.sagas > 0 && floor.in_flight > 0);
    floor.begun_us = memory_new((size_t)floor.sagas, sizeof *floor.begun_us);
    floor.took_us = memory_new((size_t)floor.sagas, sizeof *floor.took_us);
    floor.payload = memory_new(payload + 16, 1);
    snprintf(floor.payload, payload + 16, "{\"p\":\"%0*d\"}", (int)payload, 0);
    pthread_mutex_init(&floor.lock, NULL);
    pthread_cond_init(&floor.wake, NULL);
    arena_init(&arena, 65536);
    queries_read(SAGA_SOURCE_DIR "/tests/bench/floor.sql");
    connect_postgres(&floor, argv[2]);
    connect_nats(&floor, argv[1]);
    pull(&floor, PULL);
    int64_t from_us = clock_monotonic_us();
    while (floor.ended < floor.sagas)
        turn(&floor, &arena);
    report(&floor, clock_monotonic_us() - from_us);
    natsConnection_Close(floor.nats);
    PQfinish(floor.pg);
    return 0;
}
