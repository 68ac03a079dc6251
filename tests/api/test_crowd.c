/* One user's load is not everybody's: what waits for the store, uploads that never end and connections that
 * are not used keep neither probes nor small starts from being served. No clock decides: the store stands
 * still until the test lets it go. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "tests/api/stage.h"

static struct stage stage;

static const char *const order =
    "saga: order\nversion: 1\nsteps:\n  - { id: a, command: shop.silent, timeout: 1h, compensate: none }\n";

static void open_stage(void)
{
    stage_open(&stage);
    stage_define(&stage, "/v1/definitions/order/1", order);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(crowd, .init = open_stage, .fini = close_stage);

static void expect_served(void)
{
    cr_assert_eq(stage_call(&stage, "GET", "/healthz", NULL).status, 200);
    cr_assert_eq(stage_call(&stage, "GET", "/readyz", NULL).status, 200);
    cr_assert_eq(stage_call(&stage, "GET", "/metrics", NULL).status, 200);
    struct wire_answer started =
        stage_call(&stage, "POST", "/v1/sagas", "{\"definition\":\"order\",\"input\":{}}");
    cr_assert_eq(started.status, 201, "%.*s", STR_ARG(started.body));
}

/* More reads than are taken at once and may wait; those over it are told so at once, the others in their
 * turn. */
Test(crowd, reads_that_wait_keep_nobody_else_waiting)
{
    enum { MORE = 8, READS = LIMITS_HTTP_WAITING_READS + 4 + MORE };
    static int clients[READS];
    unsigned refused = 0, served = 0;
    stage_hold_lists(&stage, true);
    for (int i = 0; i < READS; i++) {
        clients[i] = wire_connect(stage.port);
        wire_send(clients[i], STR("GET /v1/sagas HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    while (stage_metric(&stage, "sagad_http_requests_total{route=\"/v1/sagas\",status=\"503\"}") < MORE)
        continue; /* each look is a request of its own, and is served */
    expect_served();
    stage_hold_lists(&stage, false);
    for (int i = 0; i < READS; i++) {
        struct wire_answer answer = wire_receive(clients[i], &stage.arena, false);
        served += answer.status == 200;
        if (answer.status == 503) {
            wire_expect_page(&answer, 503, "busy", "a read too many");
            cr_assert(wire_header(&answer, "Retry-After").size > 0);
            refused++;
        }
        close(clients[i]);
    }
    cr_assert(refused == MORE && served == READS - MORE, "%u refused, %u served", refused, served);
}

/* A start that names what is not known asks the store: by a worker. */
Test(crowd, starts_of_unknown_definitions_keep_nobody_else_waiting)
{
    enum { TYPOS = 16 };
    int clients[TYPOS];
    stage_hold_lists(&stage, true); /* definitions, too */
    for (int i = 0; i < TYPOS; i++) {
        clients[i] = wire_connect(stage.port);
        wire_send(clients[i], STR("POST /v1/sagas HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                  "application/json\r\nContent-Length: 33\r\n\r\n"
                                  "{\"definition\":\"ordre\",\"input\":{}}"));
    }
    expect_served();
    stage_hold_lists(&stage, false);
    for (int i = 0; i < TYPOS; i++) {
        struct wire_answer answer = wire_receive(clients[i], &stage.arena, false);
        wire_expect_page(&answer, 404, "unknown-definition", "a name mistyped");
        cr_assert(str_equal(json_get_str(answer.json, STR("hint")), STR("did you mean \"order\"?")), "%.*s",
                  STR_ARG(answer.body));
        close(clients[i]);
    }
}

/* A service that stops answers those that wait for a worker, too. */
Test(crowd, a_stop_answers_who_waits)
{
    enum { READS = 12 };
    int clients[READS];
    stage_hold_lists(&stage, true);
    for (int i = 0; i < READS; i++) {
        clients[i] = wire_connect(stage.port);
        wire_send(clients[i], STR("GET /v1/sagas HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    stage_await_held(&stage, 4);
    stage_release_and_stop(&stage);
    for (int i = 0; i < READS; i++) {
        struct wire_answer answer = wire_receive(clients[i], &stage.arena, false);
        cr_assert(answer.status == 200 || answer.status == 503 || answer.closed, "%d", answer.status);
        close(clients[i]);
    }
}

/* Bodies that never end: what all of them hold is bounded, and small requests are served beside them. */
Test(crowd, unfinished_uploads_are_bounded)
{
    enum { PIECE = 262144, UPLOADS = 2 * STAGE_HELD_BYTES / PIECE };
    static int clients[UPLOADS];
    static char piece[PIECE];
    unsigned refused = 0;
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = ' ';
    for (int i = 0; i < UPLOADS; i++) {
        clients[i] = wire_connect(stage.port);
        wire_send(clients[i], STR("POST /v1/sagas HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                  "application/json\r\nContent-Length: 270000\r\n\r\n"));
        wire_send(clients[i], (struct str){piece, sizeof piece});
    }
    while (stage_metric(&stage, "sagad_http_requests_total{route=\"/v1/sagas\",status=\"503\"}") == 0)
        continue;
    expect_served();
    for (int i = 0; i < UPLOADS; i++) {
        struct wire_answer answer;
        if (wire_has_answer(clients[i])) {
            answer = wire_receive(clients[i], &stage.arena, false);
            wire_expect_page(&answer, 503, "busy", "an upload too many");
            refused++;
        }
        close(clients[i]);
    }
    cr_assert_gt(refused, 0);
}

/* Connections that nobody uses make room for those that are, the one that waited longest first. */
Test(connections, gives_the_place_of_idle_connections_to_new_ones)
{
    enum { IDLE = 64 };
    struct err_note note = {""};
    struct api_options options = {.address = "127.0.0.1:0", .threads = 2, .connections_max = 32};
    int idle[IDLE];
    char byte;
    struct arena arena;
    struct api *api = NULL;
    arena_init(&arena, 0);
    cr_assert_eq(api_open(&options, &api, &note), ERR_OK, "%s", note.text);
    uint16_t port = api_port(api);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = wire_connect(port);
        struct wire_answer answer = wire_call(port, &arena, "GET", "/healthz", NULL, STR(""));
        cr_assert_eq(answer.status, 200, "after %d connections", i);
    }
    cr_assert_eq(recv(idle[0], &byte, 1, 0), 0, "the oldest is still open");
    for (int i = 0; i < IDLE; i++)
        close(idle[i]);
    api_close(api);
    arena_fini(&arena);
}
