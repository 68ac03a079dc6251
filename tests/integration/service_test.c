/* What clients, authors and operators do with a running service, over real servers. */
#include <criterion/criterion.h>
#include <nats/nats.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/limits.h"
#include "tests/integration/world.h"

static const struct world_plan well = {"calm", {NULL}, {NULL}};
static const struct world_plan parks_back = {"brisk", {NULL, NULL, "reject"}, {NULL, "stubborn", NULL}};
static const struct world_plan parks_forward = {"pivot", {NULL, NULL, "stubborn"}, {NULL}};

static void open_and_serve(struct world *world)
{
    world_open(world);
    (void)world_serve(world, 0, NULL);
}

static void end(struct world *world)
{
    world_await_rest(world, WORLD_PATIENCE_MS);
    world_judge(world);
    world_close(world);
}

static struct str field(struct client_answer answer, const char *name)
{
    return json_get_str(answer.json, str_from(name));
}

#define EXPECT_STATUS(answer, wanted)                                                                        \
    do {                                                                                                     \
        struct client_answer got = (answer);                                                                 \
        cr_expect_eq(got.status, wanted, "%d instead of %d: %.*s", got.status, wanted, STR_ARG(got.body));   \
    } while (0)

/* --- starting ------------------------------------------------------------------------------------------ */

Test(service, a_key_starts_one_saga)
{
    struct world world;
    open_and_serve(&world);
    struct str input = world_input(&world, &well, 1);
    struct client_answer first = world_start_with(&world, 0, "calm", STR("order-1"), input);
    struct client_answer again = world_start_with(&world, 0, "calm", STR("order-1"), input);
    struct client_answer other =
        world_start_with(&world, 0, "calm", STR("order-1"), world_input(&world, &well, 2));
    struct client_answer elsewhere = world_start_with(&world, 0, "brisk", STR("order-1"), input);
    EXPECT_STATUS(first, 201);
    EXPECT_STATUS(again, 200);
    cr_expect(str_equal(field(first, "id"), field(again, "id")));
    EXPECT_STATUS(other, 409);
    EXPECT_STATUS(elsewhere, 201);
    world_await_status(&world, field(first, "id"), "completed");
    EXPECT_STATUS(world_start_with(&world, 0, "calm", STR("order-1"), input), 200);
    end(&world);
}

Test(service, a_start_may_wait_for_the_end)
{
    struct world world;
    open_and_serve(&world);
    struct str input = world_input(&world, &well, 1);
    struct str body = arena_printf(&world.arena, "{\"definition\":\"calm\",\"wait\":\"20s\",\"input\":%.*s}",
                                   STR_ARG(input));
    struct client_answer answer = world_post(&world, 0, "/v1/sagas", body);
    *facts_add_start(&world.facts) = (struct facts_start){
        .definition = STR("calm"), .input = input, .status = answer.status, .id = field(answer, "id")};
    EXPECT_STATUS(answer, 201);
    struct str ref = arena_printf(&world.arena, "%.*s/c", STR_ARG(field(answer, "id")));
    cr_expect(str_equal(field(answer, "status"), STR("completed")), "%.*s", STR_ARG(answer.body));
    cr_expect(str_equal(json_get_str(json_get(answer.json, STR("output")), STR("ref")), ref));
    end(&world);
}

Test(service, a_message_starts_a_saga)
{
    static const char *const keyed[] = {"Saga-Start-Key", "by-nats", NULL};
    static const char *const plain[] = {NULL};
    struct world world;
    open_and_serve(&world);
    struct str input = world_input(&world, &well, 1);
    for (int i = 0; i < 2; i++)
        world_publish(&world, "saga.start.calm", keyed, input);
    world_publish(&world, "saga.start.calm", plain, input);
    world_publish(&world, "saga.start.nothing", plain, input);
    for (int i = 0; i < 2; i++)
        *facts_add_start(&world.facts) = (struct facts_start){.definition = STR("calm"),
                                                              .key = i == 0 ? STR("by-nats") : STR(""),
                                                              .input = input,
                                                              .by_nats = true};
    world_await_query(&world, "select count(*) = 2 from saga where status = 'completed'", WORLD_PATIENCE_MS);
    world_await_query(&world, "select count(*) = 1 from dead_letter where subject = 'saga.start.nothing'",
                      WORLD_PATIENCE_MS);
    end(&world);
}

Test(service, payloads_have_limits)
{
    struct world world;
    struct buf input;
    open_and_serve(&world);
    buf_init(&input, &world.arena);
    buf_puts(&input, "{\"n\":1,\"how\":{\"a\":\"ok\",\"b\":\"ok\",\"c\":\"ok\"},\"undo\":{\"a\":\"ok\",\"b\":"
                     "\"ok\",\"c\":\"ok\"},\"filler\":\"");
    while (input.size < LIMITS_PAYLOAD_BYTES - 100)
        buf_char(&input, 'x');
    buf_puts(&input, "\"}");
    struct client_answer large = world_start_with(&world, 0, "calm", STR("large"), buf_str(&input));
    EXPECT_STATUS(large, 201);
    world_await_status(&world, field(large, "id"), "completed");
    struct buf larger;
    buf_init(&larger, &world.arena);
    buf_put(&larger, str_slice(buf_str(&input), 0, input.size - 2));
    while (larger.size < LIMITS_PAYLOAD_BYTES + 10)
        buf_char(&larger, 'x');
    buf_puts(&larger, "\"}");
    EXPECT_STATUS(world_start_with(&world, 0, "calm", STR("larger"), buf_str(&larger)), 413);
    end(&world);
}

/* --- definitions --------------------------------------------------------------------------------------- */

static void write_definition(struct world *world, const char *name, const char *text)
{
    struct str path = arena_printf(&world->arena, "%s/%s", world->definitions, name);
    FILE *file = fopen(path.data, "we");
    cr_assert_not_null(file);
    (void)fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

#define ONE_STEP(name, version)                                                                              \
    "saga: " name "\nversion: " version "\nsteps:\n  - { id: a, command: inn.book, compensate: none }\n"

static void await_definition(struct world *world, const char *name, int version)
{
    struct str sql =
        arena_printf(&world->arena, "select count(*) = 1 from definition where name = '%s' and version = %d",
                     name, version);
    world_await_query(world, sql.data, WORLD_PATIENCE_MS);
}

Test(service, definitions_come_by_folder_and_by_http)
{
    struct world world;
    open_and_serve(&world);
    write_definition(&world, "added.yaml", ONE_STEP("added", "1"));
    write_definition(&world, "broken.yaml", "saga: Broken\nsteps: 3\n");
    kill(world.engines[0].program.process.pid, SIGHUP);
    await_definition(&world, "added", 1);
    EXPECT_STATUS(world_get(&world, 0, "/v1/definitions/added/1"), 200);
    EXPECT_STATUS(world_get(&world, 0, "/v1/definitions/calm/1"), 200);
    struct client_answer put =
        client_send(world.engines[0].port, &world.arena, "PUT", "/v1/definitions/put/1", "application/yaml",
                    STR(ONE_STEP("put", "1")));
    EXPECT_STATUS(put, 201);
    put = client_send(world.engines[0].port, &world.arena, "PUT", "/v1/definitions/put/1", "application/yaml",
                      STR(ONE_STEP("put", "1")));
    EXPECT_STATUS(put, 200);
    put = client_send(world.engines[0].port, &world.arena, "PUT", "/v1/definitions/put/1", "application/yaml",
                      STR(ONE_STEP("put", "1") "description: another\n"));
    EXPECT_STATUS(put, 409);
    put = client_send(world.engines[0].port, &world.arena, "PUT", "/v1/definitions/bad/1", "application/yaml",
                      STR("saga: bad\nversion: 1\nsteps: 3\n"));
    EXPECT_STATUS(put, 422);
    world_stop(&world, 0);
    (void)world_serve(&world, 0, NULL); /* what came by HTTP is there after a restart */
    EXPECT_STATUS(world_get(&world, 0, "/v1/definitions/put/1"), 200);
    end(&world);
}

/* --- plain NATS services ------------------------------------------------------------------------------- */

/* Three items side by side; the second's how and the tour's may differ. */
static struct str start_items(struct world *world, const char *second, const char *tour)
{
    uint32_t number = world->number++;
    struct str key = arena_printf(&world->arena, "key-%u", number);
    struct str input = arena_printf(
        &world->arena,
        "{\"n\":%u,\"how\":{\"a\":\"ok\",\"c\":%s},\"undo\":{\"a\":\"ok\",\"b\":\"ok\",\"c\":\"ok\"},"
        "\"items\":[{\"b\":\"ok\"},{\"b\":%s},{\"b\":\"ok\"}]}",
        number, tour, second);
    return field(world_start_with(world, 0, "asked-items", key, input), "id");
}

/* desk.book: the how of the command decides; desk.cancel: ok. */
static void on_desk(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                    void *context)
{
    natsMsg *answer = NULL;
    bool refuse = strstr(natsMsg_GetData(message), "\"reject\"") != NULL &&
                  strcmp(natsMsg_GetSubject(message), "desk.book") == 0;
    int *busy = context;
    bool later = !refuse && strstr(natsMsg_GetData(message), "\"retry\"") != NULL && (*busy)-- > 0;
    struct str body = STR("{}");
    const char *key = NULL;
    char text[128];
    if (natsMsgHeader_Get(message, "Saga-Key", &key) == NATS_OK) {
        (void)snprintf(text, sizeof text, "{\"ref\":\"%s\"}", key);
        body = str_from(text);
    }
    natsMsg_Create(&answer, natsMsg_GetReply(message), NULL, body.data, (int)body.size);
    if (refuse || later) {
        natsMsgHeader_Set(answer, "Nats-Service-Error-Code", refuse ? "404" : "503");
        natsMsgHeader_Set(answer, "Nats-Service-Error", refuse ? "no such taxi" : "busy");
    }
    natsConnection_PublishMsg(connection, answer);
    natsMsg_Destroy(answer);
    natsMsg_Destroy(message);
    (void)subscription;
}

Test(service, a_plain_service_is_a_participant)
{
    struct world world;
    natsConnection *connection = NULL;
    natsSubscription *subscription = NULL;
    char url[SERVERS_URL_SIZE];
    int busy = 2;
    open_and_serve(&world);
    struct str nobody = world_start(&world, 0, &(struct world_plan){"asked", {NULL}, {NULL}});
    world_await_status(&world, nobody, "compensated"); /* no responders, four times */
    rights_url(&world.harness.nats, "desk", url);
    cr_assert_eq(natsConnection_ConnectTo(&connection, url), NATS_OK);
    cr_assert_eq(natsConnection_Subscribe(&subscription, connection, "desk.*", on_desk, &busy), NATS_OK);
    cr_assert_eq(natsConnection_Flush(connection), NATS_OK);
    struct str fine = world_start(&world, 0, &(struct world_plan){"asked", {NULL}, {NULL}});
    struct str refused = world_start(&world, 0, &(struct world_plan){"asked", {NULL, "reject"}, {NULL}});
    struct str retried = world_start(&world, 0, &(struct world_plan){"asked", {NULL, "retry"}, {NULL}});
    struct str undone = world_start(&world, 0, &(struct world_plan){"asked", {NULL, NULL, "reject"}, {NULL}});
    struct str items = start_items(&world, "\"ok\"", "\"ok\"");
    struct str items_refused = start_items(&world, "\"reject\"", "\"ok\"");
    struct str items_undone = start_items(&world, "\"ok\"", "\"reject\"");
    world_await_status(&world, items, "completed");
    world_await_status(&world, items_refused, "compensated");
    world_await_status(&world, items_undone, "compensated");
    world_await_status(&world, fine, "completed");
    world_await_status(&world, refused, "compensated");
    world_await_status(&world, retried, "completed");
    world_await_status(&world, undone, "compensated");
    natsSubscription_Destroy(subscription);
    natsConnection_Destroy(connection);
    end(&world);
}

/* --- operators ----------------------------------------------------------------------------------------- */

Test(service, operators_settle_what_is_parked)
{
    struct world world;
    open_and_serve(&world);
    struct str retried = world_start(&world, 0, &parks_back);
    struct str skipped = world_start(&world, 0, &parks_back);
    struct str forced = world_start(&world, 0, &parks_back);
    struct str retried_forward = world_start(&world, 0, &parks_forward);
    struct str skipped_forward = world_start(&world, 0, &parks_forward);
    struct str forced_forward = world_start(&world, 0, &parks_forward);
    const struct str parked[] = {retried, skipped, forced, retried_forward, skipped_forward, forced_forward};
    for (size_t i = 0; i < sizeof parked / sizeof parked[0]; i++)
        world_await_status(&world, parked[i], "parked");
    EXPECT_STATUS(world_verb(&world, 0, retried, "retry", ""), 200);
    EXPECT_STATUS(world_verb(&world, 0, skipped, "skip", ",\"step\":\"b\""), 200);
    EXPECT_STATUS(world_verb(&world, 0, forced, "force", ",\"step\":\"b\",\"result\":\"ok\""), 200);
    EXPECT_STATUS(world_verb(&world, 0, retried_forward, "retry", ",\"step\":\"c\""), 200);
    EXPECT_STATUS(world_verb(&world, 0, skipped_forward, "skip", ""), 200);
    EXPECT_STATUS(world_verb(&world, 0, forced_forward, "force",
                             ",\"step\":\"c\",\"result\":\"ok\",\"output\":{\"ref\":\"by hand\"}"),
                  200);
    world_await_status(&world, retried, "compensated");
    world_await_status(&world, skipped, "compensated");
    world_await_status(&world, forced, "compensated");
    world_await_status(&world, retried_forward, "completed");
    world_await_status(&world, skipped_forward, "completed");
    world_await_status(&world, forced_forward, "completed");
    end(&world);
}

Test(service, operators_stop_what_runs)
{
    static const struct world_plan silent = {"brisk", {NULL, NULL, "mute"}, {NULL}};
    static const struct world_plan slow = {"calm", {"pending", NULL, NULL}, {NULL}};
    struct world world;
    open_and_serve(&world);
    struct str cancelled = world_start(&world, 0, &silent);
    struct str terminated = world_start(&world, 0, &silent);
    struct str paused = world_start(&world, 0, &slow);
    EXPECT_STATUS(world_verb(&world, 0, cancelled, "cancel", ""), 200);
    EXPECT_STATUS(world_verb(&world, 0, terminated, "terminate", ""), 200);
    EXPECT_STATUS(world_verb(&world, 0, paused, "pause", ""), 200);
    struct str done = arena_printf(
        &world.arena, "select state = 'done' from saga_step where saga_id = '%.*s' and step = 'a'",
        STR_ARG(paused));
    world_await_query(&world, done.data,
                      WORLD_PATIENCE_MS); /* the reply is recorded, nothing else goes out */
    world_await_status(&world, cancelled, "compensated");
    struct str held =
        arena_printf(&world.arena,
                     "select count(*) = 0 from saga_journal where saga_id = '%.*s' and data::text like "
                     "'%%taxi.book%%'",
                     STR_ARG(paused));
    cr_expect_str_eq(harness_query(world.database, held.data), "t");
    EXPECT_STATUS(world_verb(&world, 0, paused, "resume", ""), 200);
    world_await_status(&world, paused, "completed");
    world_await_status(&world, terminated, "terminated");
    end(&world);
}

Test(service, operators_are_refused_what_makes_no_sense)
{
    struct world world;
    open_and_serve(&world);
    struct str ended = world_start(&world, 0, &well);
    world_await_status(&world, ended, "completed");
    EXPECT_STATUS(world_verb(&world, 0, ended, "cancel", ""), 409);
    EXPECT_STATUS(world_verb(&world, 0, ended, "retry", ""), 409);
    EXPECT_STATUS(world_verb(&world, 0, ended, "skip", ""), 409);
    EXPECT_STATUS(world_verb(&world, 0, ended, "terminate", ""), 409);
    EXPECT_STATUS(world_verb(&world, 0, STR("01a1fe30-5cb0-746b-bed6-97a5ac64d003"), "cancel", ""), 404);
    EXPECT_STATUS(world_verb(&world, 0, ended, "force", ""), 400);
    EXPECT_STATUS(world_verb(&world, 0, ended, "cancel", ",\"colour\":\"red\""), 400);
    end(&world);
}

/* --- dead letters ----------------------------------------------------------------------------------------
 */

/* What cannot be used is kept with its reason, and disturbs nobody. */
Test(service, garbage_is_kept_with_its_reason)
{
    static const char *const nameless[] = {"Nats-Msg-Id", "nameless", NULL};
    static const char *const shapeless[] = {"Saga-Command", "no/such", NULL};
    static const char *const stranger[] = {"Saga-Command", "01a1fe30-5cb0-746b-bed6-97a5ac648003/a/do/1",
                                           NULL};
    struct world world;
    open_and_serve(&world);
    world_publish(&world, "saga.reply.0.inn", nameless, STR("{}"));
    world_publish(&world, "saga.reply.1.inn", shapeless, STR("{}"));
    world_publish(&world, "saga.reply.2.inn", stranger, STR("{}"));
    world_publish(&world, "saga.reply.3.inn", stranger, STR("\x01\xff\xfe"));
    struct str id = world_start(&world, 0, &well);
    world_await_status(&world, id, "completed");
    world_await_query(&world, "select count(*) = 4 and bool_and(reason <> '') from dead_letter",
                      WORLD_PATIENCE_MS);
    struct client_answer letters = world_get(&world, 0, "/v1/dead-letters");
    EXPECT_STATUS(letters, 200);
    const struct json *items = json_get(letters.json, STR("items"));
    cr_assert(items != NULL && items->count == 4, "%.*s", STR_ARG(letters.body));
    cr_expect_not_null(strstr(letters.body.data, "the reply has no Saga-Command header"));
    end(&world);
}
