/* The test's own connection to NATS: made anew for each call, because servers come and go. */
#include "tests/integration/world.h"

#include <criterion/criterion.h>
#include <nats/nats.h>
#include <stdio.h>

struct line {
    natsConnection *connection;
    jsCtx *js;
};

static bool line_open(struct line *line, struct world *world)
{
    char url[SERVERS_URL_SIZE];
    rights_url(&world->harness.nats, "operator", url);
    *line = (struct line){0};
    return natsConnection_ConnectTo(&line->connection, url) == NATS_OK &&
           natsConnection_JetStream(&line->js, line->connection, NULL) == NATS_OK;
}

static void line_close(struct line *line)
{
    jsCtx_Destroy(line->js);
    natsConnection_Destroy(line->connection);
}

/* A liar's answer in another's name must come as far as the engine, so the shop's rights are wider than the
 * file's. */
void world_rights(struct world *world, const struct rights *rights)
{
    static const char *const engines[] = {"engine0", "engine1", "engine2", NULL};
    static const char *const shop[] = {"inn", "taxi", "tour", NULL};
    static const char *const services[] = {"desk", NULL};
    struct rights all = *rights;
    all.engines = engines;
    all.participants = shop;
    all.services = services;
    all.more = "saga.reply.>";
    rights_write(&world->harness.nats, &all);
}

static natsStatus publish(struct world *world, const char *subject, const char *const *headers,
                          struct str body)
{
    struct line line;
    natsMsg *message = NULL;
    natsStatus status = NATS_NO_SERVER;
    if (line_open(&line, world)) {
        natsMsg_Create(&message, subject, NULL, body.data, (int)body.size);
        for (; *headers != NULL; headers += 2)
            natsMsgHeader_Set(message, headers[0], headers[1]);
        status = js_PublishMsg(NULL, line.js, message, NULL, NULL);
        natsMsg_Destroy(message);
    }
    line_close(&line);
    return status;
}

void world_publish(struct world *world, const char *subject, const char *const *headers, struct str body)
{
    natsStatus status = publish(world, subject, headers, body);
    cr_assert_eq(status, NATS_OK, "%s was not stored: %s", subject, natsStatus_GetText(status));
}

bool world_signal_nats(struct world *world, const struct facts_signal *signal, const char *event)
{
    struct arena *arena = &world->arena;
    const char *const headers[] = {"Saga-Definition",
                                   signal->definition.data,
                                   "Saga-Start-Key",
                                   signal->key.data,
                                   "Saga-Signal-Id",
                                   signal->id.data,
                                   NULL};
    struct facts_signal *noted = facts_add_signal(&world->facts);
    *noted = *signal;
    noted->status = 0;
    return publish(world, arena_printf(arena, "saga.signal.%s", event).data, headers,
                   arena_printf(arena, "{\"word\":\"%.*s\"}", STR_ARG(signal->id))) == NATS_OK;
}

uint64_t world_stream_count(struct world *world, const char *stream)
{
    struct line line;
    jsStreamInfo *info = NULL;
    uint64_t count = UINT64_MAX; /* not known */
    if (line_open(&line, world) && js_GetStreamInfo(&info, line.js, stream, NULL, NULL) == NATS_OK)
        count = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    line_close(&line);
    return count;
}

static void show_answer(struct line *line, const char *subject)
{
    natsMsg *answer = NULL;
    natsStatus status = natsConnection_RequestString(&answer, line->connection, subject, "", 2000);
    fprintf(stderr, "%s: %s %.*s\n", subject, natsStatus_GetText(status),
            answer ? natsMsg_GetDataLength(answer) : 0, answer ? natsMsg_GetData(answer) : "");
    natsMsg_Destroy(answer);
}

void world_stream_show(struct world *world, const char *stream)
{
    struct line line;
    char subject[128];
    if (line_open(&line, world)) {
        (void)snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", stream);
        show_answer(&line, subject);
        (void)snprintf(subject, sizeof subject, "$JS.API.CONSUMER.LIST.%s", stream);
        show_answer(&line, subject);
    }
    line_close(&line);
}

void world_stream_delete(struct world *world, const char *stream)
{
    struct line line;
    cr_assert(line_open(&line, world), "no connection to NATS");
    natsStatus status = js_DeleteStream(line.js, stream, NULL, NULL);
    cr_assert_eq(status, NATS_OK, "%s was not deleted: %s", stream, natsStatus_GetText(status));
    line_close(&line);
}
