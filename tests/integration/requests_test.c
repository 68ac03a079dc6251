/* `via: request` over real servers: a desk that knows nothing of sagas acts and fails, answers days late, is
 * restarted, or has a stream that speaks before it does. */
#include <criterion/criterion.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "tests/harness/rights.h"
#include "tests/integration/world.h"

#define TRIP(timeout, attempts, more)                                                                        \
    "saga: trip\nversion: 1\n"                                                                               \
    "defaults: { timeout: " timeout ", retry: { max_attempts: " attempts ", initial: 20ms },"                \
    " compensate: { retry: { max_attempts: 4, initial: 20ms } } }\n"                                         \
    "steps:\n"                                                                                               \
    "  - { id: seat, command: desk.book, via: request, with: { n: \"${ $input.n }\" }, " more                \
    "compensate: desk.cancel }\n"                                                                            \
    "  - { id: mark, command: desk.mark, via: request, compensate: none }\n"

/* What the desk does with each kind of request, and what it has seen; under the mutex. */
struct desk {
    pthread_mutex_t mutex;
    natsConnection *connection;
    natsSubscription *subscription;
    const char *code; /* of its answers to desk.book; NULL: none */
    const char *raw;  /* a header's name with more lines before it; NULL: none */
    const char *body;
    bool holds; /* desk.book is answered later, by answer_held */
    char held[512];
    uint32_t booked, cancelled;
};

static void publish(struct desk *desk, const char *reply, const char *code, const char *raw, const char *body)
{
    natsMsg *answer = NULL;
    cr_assert_eq(natsMsg_Create(&answer, reply, NULL, body, (int)strlen(body)), NATS_OK);
    if (code != NULL)
        natsMsgHeader_Set(answer, "Nats-Service-Error-Code", code);
    if (raw != NULL)
        natsMsgHeader_Set(answer, raw, "1"); /* nats.c writes names as they are */
    cr_assert_eq(natsConnection_PublishMsg(desk->connection, answer), NATS_OK);
    natsMsg_Destroy(answer);
}

static void on_request(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *context)
{
    struct desk *desk = context;
    bool book = strcmp(natsMsg_GetSubject(message), "desk.book") == 0;
    (void)connection;
    (void)subscription;
    pthread_mutex_lock(&desk->mutex);
    desk->booked += book;
    desk->cancelled += strcmp(natsMsg_GetSubject(message), "desk.cancel") == 0;
    if (book && desk->holds)
        snprintf(desk->held, sizeof desk->held, "%s", natsMsg_GetReply(message));
    else
        publish(desk, natsMsg_GetReply(message), book ? desk->code : NULL, book ? desk->raw : NULL,
                book ? desk->body : "{}");
    pthread_mutex_unlock(&desk->mutex);
    natsMsg_Destroy(message);
}

static void desk_open(struct desk *desk, struct world *world)
{
    char url[SERVERS_URL_SIZE];
    *desk = (struct desk){.body = "{}"};
    rights_url(&world->harness.nats, "desk", url);
    pthread_mutex_init(&desk->mutex, NULL);
    cr_assert_eq(natsConnection_ConnectTo(&desk->connection, url), NATS_OK);
}

static void desk_serve(struct desk *desk)
{
    cr_assert_eq(natsConnection_Subscribe(&desk->subscription, desk->connection, "desk.*", on_request, desk),
                 NATS_OK);
    cr_assert_eq(natsConnection_Flush(desk->connection), NATS_OK);
}

static void desk_close(struct desk *desk)
{
    natsSubscription_Destroy(desk->subscription);
    natsConnection_Destroy(desk->connection);
}

static bool has_held(void *context)
{
    struct desk *desk = context;
    pthread_mutex_lock(&desk->mutex);
    bool held = desk->held[0] != '\0';
    pthread_mutex_unlock(&desk->mutex);
    return held;
}

static bool has_cancelled_twice(void *context)
{
    struct desk *desk = context;
    pthread_mutex_lock(&desk->mutex);
    bool cancelled = desk->cancelled == 2;
    pthread_mutex_unlock(&desk->mutex);
    return cancelled;
}

static int put(struct world *world, const char *yaml)
{
    struct client_answer answer = client_send(world->engines[0].port, &world->arena, "PUT",
                                              "/v1/definitions/trip/1", "application/yaml", str_from(yaml));
    if (answer.status >= 400)
        cr_log_info("%.*s", STR_ARG(answer.body));
    return answer.status;
}

static struct str start(struct world *world)
{
    struct client_answer answer =
        world_post(world, 0, "/v1/sagas", STR("{\"definition\":\"trip\",\"input\":{\"n\":1}}"));
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    return json_get_str(answer.json, STR("id"));
}

static void open_world(struct world *world, struct desk *desk, const char *yaml)
{
    world_open(world);
    (void)world_serve(world, 0, NULL);
    desk_open(desk, world);
    cr_assert_eq(put(world, yaml), 201);
}

/* Journals replay as they were decided, and nothing waits for nothing. */
static void close_world(struct world *world, struct desk *desk)
{
    world_stop(world, 0);
    const char *replay[] = {"replay", "--all", "--database", world->database, NULL};
    const char *doctor[] = {"doctor", "--database", world->database, NULL};
    cr_expect_eq(world_sagactl(world, replay), 0);
    cr_expect_eq(world_sagactl(world, doctor), 0);
    desk_close(desk);
    world_close(world);
}

static struct str text_of(struct world *world, struct str id)
{
    struct str target = arena_printf(&world->arena, "/v1/sagas/%.*s", STR_ARG(id));
    return world_get(world, 0, target.data).body;
}

static bool has(struct str text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

Test(requests, an_error_may_come_after_the_effect, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("2s", "2", ""));
    desk.code = "500";
    desk_serve(&desk);
    struct str id = start(&world);
    world_await_status(&world, id, "compensated");
    cr_expect_eq(desk.booked, 2);
    cr_expect_eq(desk.cancelled, 1, "in doubt, so undone");
    cr_expect(has(text_of(&world, id), "\"code\":\"500\""));
    close_world(&world, &desk);
}

/* Whatever a plain service says but a no or a success leaves open what it did: undone, as if done. */
Test(requests, whatever_is_no_clear_answer_is_undone, .timeout = 240)
{
    static const struct {
        const char *code, *raw, *body, *reason;
    } rows[] = {
        {"500", NULL, "{}", "\"code\":\"500\""},
        {"501", NULL, "", "\"code\":\"501\""},
        {"502", NULL, "oops", "\"code\":\"502\""},
        {"503", NULL, "{}", "\"code\":\"503\""},
        {"504", NULL, "{}", "\"code\":\"504\""},
        {"599", NULL, "{}", "\"code\":\"599\""},
        {"600", NULL, "{}", "REPLY_UNUSABLE"},
        {"five hundred", NULL, "{}", "REPLY_UNUSABLE"},
        {NULL, "Desk: x\r\nNats-Service-Error-Code 500\r\nLast", "{}", "REPLY_UNUSABLE"},
        {NULL, "Desk: x\r\nNats-Service-Error: oops\r\nLast", "{}", "REPLY_UNUSABLE"},
        {NULL, "Desk: x\r\nSaga-Status: perhaps\r\nLast", "{}", "REPLY_UNUSABLE"},
        {NULL, NULL, "{\"seat\":", "REPLY_UNUSABLE"},
        {NULL, NULL, "", "REPLY_UNUSABLE"}, /* the schema wants an object */
    };
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("20s", "1", "output: { schema: { type: object } }, "));
    desk_serve(&desk);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pthread_mutex_lock(&desk.mutex);
        desk.code = rows[i].code;
        desk.raw = rows[i].raw;
        desk.body = rows[i].body;
        pthread_mutex_unlock(&desk.mutex);
        struct str id = start(&world);
        world_await_status(&world, id, "compensated");
        struct str text = text_of(&world, id);
        cr_expect(has(text, rows[i].reason), "row %u: %.*s", i, STR_ARG(text));
        cr_expect_eq(desk.cancelled, i + 1, "row %u: in doubt, so undone", i);
    }
    close_world(&world, &desk);
}

Test(requests, an_error_is_asked_about, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("20s", "2", "on_timeout: verify, verify: desk.find, "));
    desk.code = "500";
    desk_serve(&desk);
    struct str id = start(&world);
    world_await_status(&world, id, "completed");
    cr_expect_eq(desk.booked, 2);
    cr_expect_eq(desk.cancelled, 0, "desk.find says that it is there");
    close_world(&world, &desk);
}

Test(requests, an_error_at_the_pivot_waits_for_a_human, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk,
               "saga: trip\nversion: 1\ndefaults: { retry: { max_attempts: 2, initial: 20ms } }\nsteps:\n"
               "  - { id: seat, command: desk.book, via: request, pivot: true, compensate: none }\n");
    desk.code = "504";
    desk_serve(&desk);
    struct str id = start(&world);
    world_await_status(&world, id, "parked");
    cr_expect(has(text_of(&world, id), "IN_DOUBT"));
    cr_expect(has(text_of(&world, id), "it was answered 504"));
    close_world(&world, &desk);
}

Test(requests, a_service_that_is_restarted_undoes_nothing, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("20s", "1", ""));
    struct str id = start(&world);
    world_await_query(&world, "select count(*) > 0 from saga where status = 'running'", WORLD_PATIENCE_MS);
    desk_serve(&desk); /* long after the server has said that nobody is there */
    world_await_status(&world, id, "completed");
    cr_expect_eq(desk.booked, 1);
    close_world(&world, &desk);
}

Test(requests, an_answer_after_all_is_over_is_undone, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("300ms", "1", ""));
    desk.holds = true;
    desk_serve(&desk);
    struct str id = start(&world);
    world_await_status(&world, id, "compensated");
    cr_assert(harness_await(has_held, &desk, WORLD_PATIENCE_MS));
    publish(&desk, desk.held, NULL, NULL, "{\"seat\":7}");
    cr_assert(harness_await(has_cancelled_twice, &desk, WORLD_PATIENCE_MS));
    world_await_status(&world, id, "compensated");
    close_world(&world, &desk);
}

/* The one that asked is gone, and another has its name: what was done is known all the same. */
Test(requests, an_answer_outlives_the_engine_that_asked, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("300ms", "1", ""));
    desk.holds = true;
    desk_serve(&desk);
    struct str id = start(&world);
    world_await_status(&world, id, "compensated");
    cr_assert(harness_await(has_held, &desk, WORLD_PATIENCE_MS));
    world_kill(&world, 0);
    (void)world_serve(&world, 0, NULL);
    publish(&desk, desk.held, NULL, NULL, "{\"seat\":7}");
    cr_assert(harness_await(has_cancelled_twice, &desk, WORLD_PATIENCE_MS));
    world_await_status(&world, id, "compensated");
    close_world(&world, &desk);
}

Test(requests, an_answer_of_no_use_is_said, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("2s", "1", "output: { schema: { type: object, required: [seat] } }, "));
    desk.body = "{\"secret\":\"4111-1111\"}";
    desk_serve(&desk);
    struct str id = start(&world);
    world_await_status(&world, id, "compensated");
    struct str text = text_of(&world, id);
    cr_expect(has(text, "REPLY_UNUSABLE") && has(text, "put aside as dead letter 1: "), "%.*s",
              STR_ARG(text));
    cr_expect(has(text, "\"dead_letters\":[{\"number\":1,"), "%.*s", STR_ARG(text));
    struct str target = arena_printf(&world.arena, "/v1/sagas/%.*s/history", STR_ARG(id));
    cr_expect(has(world_get(&world, 0, target.data).body, "put aside as dead letter 1: "));
    cr_expect(!has(text, "4111"), "values stay where they are");
    world_await_query(&world, "select count(*) = 1 from dead_letter where subject = 'desk.book'",
                      WORLD_PATIENCE_MS);
    close_world(&world, &desk);
}

/* Whatever it acknowledges is taken for the answer by who asks: the desk speaks after it. */
static void hold_subject(struct world *world, bool acknowledges)
{
    natsConnection *connection = NULL;
    jsCtx *js = NULL;
    jsStreamConfig config;
    const char *subjects[] = {"desk.book"};
    char url[SERVERS_URL_SIZE];
    rights_url(&world->harness.nats, "operator", url);
    jsStreamConfig_Init(&config);
    config.Name = "ORD";
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.NoAck = !acknowledges;
    cr_assert_eq(natsConnection_ConnectTo(&connection, url), NATS_OK);
    cr_assert_eq(natsConnection_JetStream(&js, connection, NULL), NATS_OK);
    cr_assert_eq(js_AddStream(NULL, js, &config, NULL, NULL), NATS_OK);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
}

Test(requests, the_acknowledgement_of_a_stream_is_no_answer, .timeout = 120)
{
    struct world world;
    struct desk desk;
    open_world(&world, &desk, TRIP("5s", "1", ""));
    desk.code = "422";
    desk_serve(&desk);
    hold_subject(&world, true); /* after the definition was accepted */
    struct str id = start(&world);
    world_await_status(&world, id, "compensated");
    cr_expect(has(text_of(&world, id), "\"code\":\"422\""), "it was the desk that was heard");
    cr_expect_eq(desk.cancelled, 0, "a no: nothing to undo");
    close_world(&world, &desk);
}

Test(requests, a_subject_that_a_stream_holds_is_refused, .timeout = 120)
{
    struct world world;
    world_open(&world);
    (void)world_serve(&world, 0, NULL);
    hold_subject(&world, true);
    cr_expect_eq(put(&world, TRIP("5s", "1", "")), 409);
    world_stop(&world, 0);
    world_close(&world);
}

Test(requests, a_stream_that_says_nothing_may_keep_requests, .timeout = 120)
{
    struct world world;
    struct desk desk;
    world_open(&world);
    (void)world_serve(&world, 0, NULL);
    desk_open(&desk, &world);
    hold_subject(&world, false);
    cr_assert_eq(put(&world, TRIP("5s", "1", "")), 201);
    desk_serve(&desk);
    world_await_status(&world, start(&world), "completed");
    cr_expect_eq(world_stream_count(&world, "ORD"), 1, "it has its copy");
    close_world(&world, &desk);
}
