/* A participant with the rights of deploy/nats.conf that pulls its commands into the engine's subjects: the
 * engine counts it, buries what its streams hold of it, and goes on; no saga notices. */
#include <criterion/criterion.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/ops/process.h"
#include "tests/integration/world.h"

enum { SAGAS = 8, SHARDS = 4, REST_MS = 120000 };

static const struct world_plan well = {"calm", {NULL}, {NULL}};

/* Looks again until it is so. */
#define AWAIT(condition, what)                                                                               \
    do {                                                                                                     \
        int64_t until_us = clock_monotonic_us() + (int64_t)WORLD_PATIENCE_MS * 1000;                         \
        while (!(condition)) {                                                                               \
            cr_assert(clock_monotonic_us() < until_us, "%s", what);                                          \
            process_pause(20);                                                                               \
        }                                                                                                    \
    } while (0)

static uint64_t refused(struct world *world, const char *kind)
{
    unsigned long long count = 0;
    char line[64];
    snprintf(line, sizeof line, "sagad_strangers_total{kind=\"%s\"} ", kind);
    struct client_answer answer = world_get(world, 0, "/metrics");
    const char *at = strstr(answer.body.data, line);
    return at != NULL && sscanf(at + strlen(line), "%llu", &count) == 1 ? count : 0;
}

/* As the participant inn, whose own right it is to ask for its commands. */
static void pull_into(natsConnection *inn, const char *subject)
{
    cr_assert_eq(natsConnection_PublishRequestString(inn, "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.inn", subject,
                                                     "{\"batch\":1,\"no_wait\":true}"),
                 NATS_OK);
    cr_assert_eq(natsConnection_Flush(inn), NATS_OK);
}

Test(strangers, a_participants_commands_reach_nobody_but_itself, .timeout = 300)
{
    struct world world;
    natsConnection *inn = NULL;
    char url[SERVERS_URL_SIZE], subject[32];
    world_open(&world);
    (void)world_serve(&world, 0, NULL);
    process_kill(&world.shop.process); /* so that its commands wait */
    for (int i = 0; i < SAGAS; i++)
        (void)world_start(&world, 0, &well);
    AWAIT(world_stream_count(&world, "SAGA_CMD") >= SAGAS, "the commands are not there");
    rights_url(&world.harness.nats, "inn", url);
    cr_assert_eq(natsConnection_ConnectTo(&inn, url), NATS_OK);
    for (int shard = 0; shard < SHARDS; shard++) {
        snprintf(subject, sizeof subject, "saga.ctl.%d", shard);
        pull_into(inn, subject);
    }
    pull_into(inn, "saga.start.calm");
    pull_into(inn, "saga.child.calm");
    pull_into(inn, "saga.reply.0.inn");
    cr_assert_eq(natsConnection_PublishString(inn, "saga.reply.4000.inn", "{}"), NATS_OK);
    AWAIT(refused(&world, "subject") == SHARDS, "not counted");
    world_await_query(
        &world,
        "select count(*) = 2 from dead_letter where subject = 'saga.cmd.inn.book' and reason like "
        "'%is none of saga.start.<definition>, saga.child.<definition>, saga.signal.<event>'",
        WORLD_PATIENCE_MS);
    world_await_query(
        &world,
        "select count(*) = 1 from dead_letter where subject = 'saga.cmd.inn.book' and reason like "
        "'%is not saga.reply.<shard>.<participant>'",
        WORLD_PATIENCE_MS);
    AWAIT(world_stream_count(&world, "SAGA_IN") == 0, "they come again for ever");
    AWAIT(world_stream_count(&world, "SAGA_REPLY") == 0, "they stay for ever");
    cr_expect_eq(world_stream_count(&world, "SAGA_CMD"), SAGAS, "nobody else acknowledged a command");
    world_await_log(&world, 0, "event=stranger_refused kind=subject");
    world_await_ready(&world, 0, 200);
    natsConnection_Destroy(inn);
    world_shop_start(&world);
    world_await_rest(&world, REST_MS);
    world_judge(&world);
    world_close(&world);
}
