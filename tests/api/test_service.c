/* Every endpoint with the engine behind it: what is answered, and that it is what the engine holds. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "engine/base/id.h"
#include "tests/api/stage.h"

static struct stage stage;

static const char *const order = "saga: order\n"
                                 "version: 1\n"
                                 "description: Sells.\n"
                                 "input:\n"
                                 "  schema:\n"
                                 "    type: object\n"
                                 "    required: [quantity]\n"
                                 "    properties:\n"
                                 "      quantity: { type: integer, minimum: 1 }\n"
                                 "      price: { type: number }\n"
                                 "      customer: { type: string }\n"
                                 "search:\n"
                                 "  customer: ${ $input.customer // null }\n"
                                 "steps:\n"
                                 "  - id: sell\n"
                                 "    command: shop.ok\n"
                                 "    with: { price: \"${ $input.price // 0 }\" }\n"
                                 "    compensate: none\n"
                                 "output:\n"
                                 "  price: ${ $steps.sell.output.price }\n";
static const char *const silent = "saga: silent\n"
                                  "version: 1\n"
                                  "steps:\n"
                                  "  - id: ask\n"
                                  "    command: shop.silent\n"
                                  "    timeout: 1h\n"
                                  "    compensate: shop.ok\n";
static const char *const parking = "saga: parking\n"
                                   "version: 1\n"
                                   "steps:\n"
                                   "  - id: ask\n"
                                   "    command: shop.reject\n"
                                   "    errors: { NO: park }\n"
                                   "    compensate: none\n";

static void open_stage(void)
{
    stage_open(&stage);
    stage_define(&stage, "/v1/definitions/order/1", order);
    stage_define(&stage, "/v1/definitions/silent/1", silent);
    stage_define(&stage, "/v1/definitions/parking/1", parking);
}

static void close_stage(void)
{
    stage_close(&stage);
}

#define EXPECT(answer, wanted)                                                                               \
    cr_assert_eq((answer).status, (wanted), "%.*s%.*s", STR_ARG((answer).head), STR_ARG((answer).body))

static struct str text_of(const struct wire_answer *answer, const char *member)
{
    return json_get_str(answer->json, str_from(member));
}

static struct wire_answer start(const char *body)
{
    return stage_call(&stage, "POST", "/v1/sagas", body);
}

static struct wire_answer on_saga(const char *method, struct str id, const char *below, const char *body)
{
    char target[160];
    snprintf(target, sizeof target, "/v1/sagas/%.*s%s", STR_ARG(id), below);
    return stage_call(&stage, method, target, body);
}

TestSuite(service, .init = open_stage, .fini = close_stage);

Test(service, starts_and_shows_a_saga)
{
    struct wire_answer answer = start("{\"definition\":\"order\",\"input\":{\"quantity\":2}}");
    EXPECT(answer, 201);
    struct str id = text_of(&answer, "id");
    char location[64];
    snprintf(location, sizeof location, "/v1/sagas/%.*s", STR_ARG(id));
    cr_assert(str_equal(wire_header(&answer, "Location"), str_from(location)));
    cr_assert(str_equal(text_of(&answer, "definition"), STR("order")));
    answer = stage_await(&stage, id, "completed");
    cr_assert(str_equal(text_of(&answer, "id"), id));
    cr_assert_eq(json_get(answer.json, STR("steps"))->count, 1);
}

Test(service, waits_for_the_end_and_keeps_numbers)
{
    struct wire_answer answer = start("{\"definition\":\"order\",\"version\":1,\"wait\":\"20s\","
                                      "\"input\":{\"quantity\":9007199254740993,\"price\":19.90}}");
    EXPECT(answer, 201);
    cr_assert(str_equal(text_of(&answer, "status"), STR("completed")), "%.*s", STR_ARG(answer.body));
    const struct json *price = json_get(json_get(answer.json, STR("output")), STR("price"));
    cr_assert(price && str_equal(price->text, STR("19.90")), "%.*s", STR_ARG(answer.body));
    const struct json *quantity = json_get(json_get(answer.json, STR("input")), STR("quantity"));
    cr_assert(quantity && str_equal(quantity->text, STR("9007199254740993")));
}

Test(service, stops_waiting_in_time)
{
    int64_t begun_us = clock_monotonic_us();
    struct wire_answer answer = start("{\"definition\":\"silent\",\"input\":{},\"wait\":\"300ms\"}");
    EXPECT(answer, 201);
    cr_assert(str_equal(text_of(&answer, "status"), STR("running")), "%.*s", STR_ARG(answer.body));
    cr_assert(clock_monotonic_us() - begun_us >= 300000);
}

Test(service, keeps_one_saga_for_a_key)
{
    struct wire_answer first = start("{\"definition\":\"order\",\"key\":\"k 1\",\"input\":{\"quantity\":1}}");
    EXPECT(first, 201);
    struct wire_answer again = start("{\"key\":\"k 1\",\"input\":{\"quantity\":1},\"definition\":\"order\"}");
    EXPECT(again, 200);
    cr_assert(str_equal(text_of(&first, "id"), text_of(&again, "id")));
    struct wire_answer other = start("{\"definition\":\"order\",\"key\":\"k 1\",\"input\":{\"quantity\":2}}");
    wire_expect_page(&other, 409, "key-conflict", "another input");
    struct wire_answer list = stage_call(&stage, "GET", "/v1/sagas?key=k+1", NULL);
    EXPECT(list, 200);
    cr_assert_eq(json_get(list.json, STR("items"))->count, 1);
}

Test(service, points_at_what_is_wrong_with_an_input)
{
    struct wire_answer answer = start("{\"definition\":\"order\",\"input\":{\"quantity\":0,\"customer\":7}}");
    wire_expect_page(&answer, 422, "invalid-input", "two mistakes");
    const struct json *errors = json_get(answer.json, STR("errors"));
    cr_assert(errors && errors->count == 2, "%.*s", STR_ARG(answer.body));
    bool quantity = false;
    bool customer = false;
    for (uint32_t i = 0; i < errors->count; i++) {
        struct str pointer = json_get_str(errors->items[i], STR("pointer"));
        quantity = quantity || str_equal(pointer, STR("/input/quantity"));
        customer = customer || str_equal(pointer, STR("/input/customer"));
    }
    cr_assert(quantity && customer, "%.*s", STR_ARG(answer.body));
}

Test(service, does_not_know_what_is_not_there)
{
    struct wire_answer answer = start("{\"definition\":\"nothing\",\"input\":{}}");
    wire_expect_page(&answer, 404, "unknown-definition", "name");
    answer = start("{\"definition\":\"ordre\",\"input\":{}}");
    wire_expect_page(&answer, 404, "unknown-definition", "nearly a name");
    cr_assert(str_equal(text_of(&answer, "hint"), STR("did you mean \"order\"?")));
    answer = start("{\"definition\":\"order\",\"version\":7,\"input\":{}}");
    wire_expect_page(&answer, 404, "unknown-definition", "version");
    struct str id = STR("01890a5d-ac96-774b-bcce-b302099a8000");
    static const char *const below[] = {"", "/history"};
    for (int i = 0; i < 2; i++) {
        answer = on_saga("GET", id, below[i], NULL);
        wire_expect_page(&answer, 404, "unknown-saga", below[i]);
    }
    answer = on_saga("POST", id, "/cancel", "{\"actor\":\"me\"}");
    wire_expect_page(&answer, 404, "unknown-saga", "verb");
    answer = stage_call(&stage, "GET", "/v1/definitions/nothing", NULL);
    wire_expect_page(&answer, 404, "unknown-definition", "versions");
    answer = stage_call(&stage, "GET", "/v1/definitions/order/2", NULL);
    wire_expect_page(&answer, 404, "unknown-definition", "one version");
    answer = stage_call(&stage, "GET", "/v1/definitions/order/one", NULL);
    wire_expect_page(&answer, 404, "unknown-definition", "no version");
}

/* Pages by cursor give every saga once, newest first. */
Test(service, lists_by_pages)
{
    char seen[7][40];
    for (int i = 0; i < 7; i++) {
        struct wire_answer answer = start("{\"definition\":\"order\",\"input\":{\"quantity\":1}}");
        EXPECT(answer, 201);
        snprintf(seen[i], sizeof seen[i], "%.*s", STR_ARG(text_of(&answer, "id")));
    }
    char target[160] = "/v1/sagas?definition=order&limit=3";
    int found = 0;
    for (int page = 0; page < 3; page++) {
        struct wire_answer answer = stage_call(&stage, "GET", target, NULL);
        EXPECT(answer, 200);
        const struct json *items = json_get(answer.json, STR("items"));
        cr_assert_eq(items->count, page < 2 ? 3 : 1);
        for (uint32_t i = 0; i < items->count; i++)
            for (int k = 0; k < 7; k++)
                found += str_equal(json_get_str(items->items[i], STR("id")), str_from(seen[k]));
        struct str next = text_of(&answer, "next");
        cr_assert_eq(next.size > 0, page < 2);
        snprintf(target, sizeof target, "/v1/sagas?definition=order&limit=3&cursor=%.*s", STR_ARG(next));
    }
    cr_assert_eq(found, 7);
}

static uint32_t count_of(const char *query)
{
    char target[200];
    snprintf(target, sizeof target, "/v1/sagas?%s", query);
    struct wire_answer answer = stage_call(&stage, "GET", target, NULL);
    EXPECT(answer, 200);
    return json_get(answer.json, STR("items"))->count;
}

Test(service, filters)
{
    struct wire_answer answer = start(
        "{\"definition\":\"order\",\"wait\":20,\"input\":{\"quantity\":1,\"customer\":\"\xc3\x84nn e\"}}");
    EXPECT(answer, 201);
    answer = start("{\"definition\":\"silent\",\"input\":{}}");
    EXPECT(answer, 201);
    cr_assert_eq(count_of("limit=10"), 2);
    cr_assert_eq(count_of("search.customer=%C3%84nn%20e"), 1);
    cr_assert_eq(count_of("search.customer=Bob"), 0);
    cr_assert_eq(count_of("search.customer=%C3%84nn%20e&search.city=x"), 0);
    cr_assert_eq(count_of("status=completed"), 1);
    cr_assert_eq(count_of("status=running&definition=silent"), 1);
    cr_assert_eq(count_of("status=parked"), 0);
    cr_assert_eq(count_of("since=1h"), 2);
    cr_assert_eq(count_of("since=2020-01-01T00:00:00Z"), 2);
    cr_assert_eq(count_of("since=2020-01-01T00:00:00+01:00"), 2);
    cr_assert_eq(count_of("since=2999-01-01T00:00:00%2B01:00"), 0);
}

Test(service, tells_histories_in_words)
{
    struct wire_answer answer = start("{\"definition\":\"order\",\"wait\":20,\"input\":{\"quantity\":1}}");
    struct str id = text_of(&answer, "id");
    int64_t seq = 0;
    cr_assert(json_get_i64(answer.json, STR("seq"), &seq) && seq >= 2);
    answer = on_saga("GET", id, "/history", NULL);
    EXPECT(answer, 200);
    const struct json *items = json_get(answer.json, STR("items"));
    cr_assert_eq(items->count, seq);
    for (uint32_t i = 0; i < items->count; i++) {
        int64_t number = 0;
        cr_assert(json_get_i64(items->items[i], STR("seq"), &number) && number == (int64_t)i + 1);
        cr_assert(json_get(items->items[i], STR("narration"))->count > 0, "%.*s", STR_ARG(answer.body));
        cr_assert_not_null(json_get(json_get(items->items[i], STR("data")), STR("changes")));
    }
    cr_assert(str_equal(json_get_str(items->items[0], STR("kind")), STR("start")));
    answer = on_saga("GET", id, "/history?limit=1&after=1", NULL);
    items = json_get(answer.json, STR("items"));
    cr_assert_eq(items->count, 1);
    cr_assert(json_get_i64(items->items[0], STR("seq"), &seq) && seq == 2);
}

Test(service, answers_unchanged_sagas_briefly)
{
    struct wire_answer answer = start("{\"definition\":\"order\",\"wait\":20,\"input\":{\"quantity\":1}}");
    struct str id = text_of(&answer, "id");
    answer = on_saga("GET", id, "", NULL);
    struct str request =
        arena_printf(&stage.arena, "GET /v1/sagas/%.*s HTTP/1.1\r\nHost: x\r\nIf-None-Match: %.*s\r\n\r\n",
                     STR_ARG(id), STR_ARG(wire_header(&answer, "ETag")));
    int fd = wire_connect(stage.port);
    wire_send(fd, request);
    answer = wire_receive(fd, &stage.arena, true);
    EXPECT(answer, 304);
    close(fd);
}

Test(service, obeys_operators)
{
    struct wire_answer answer = start("{\"definition\":\"silent\",\"input\":{}}");
    struct str id = text_of(&answer, "id");
    answer = on_saga("POST", id, "/pause", "{\"actor\":\"ann\",\"reason\":\"lunch\"}");
    EXPECT(answer, 200);
    answer = on_saga("GET", id, "", NULL);
    cr_assert(json_get(answer.json, STR("paused"))->boolean);
    answer = on_saga("POST", id, "/resume", "{\"actor\":\"ann\"}");
    EXPECT(answer, 200);
    answer = on_saga("POST", id, "/resume", "{\"actor\":\"ann\"}");
    wire_expect_page(&answer, 409, "verb-refused", "resume of what is not paused");
    answer = on_saga("POST", id, "/cancel", "{\"actor\":\"ann\",\"reason\":\"no more\"}");
    EXPECT(answer, 200);
    answer = stage_await(&stage, id, "compensating");
    answer = on_saga("GET", id, "/history", NULL);
    cr_assert(strstr(answer.body.data, "\"actor\":\"ann\"") && strstr(answer.body.data, "no more"));
    answer = start("{\"definition\":\"order\",\"wait\":20,\"input\":{\"quantity\":1}}");
    answer = on_saga("POST", text_of(&answer, "id"), "/cancel", "{\"actor\":\"ann\"}");
    wire_expect_page(&answer, 409, "verb-refused", "cancel after the end");
}

Test(service, obeys_operators_about_steps)
{
    struct wire_answer answer = start("{\"definition\":\"parking\",\"wait\":20,\"input\":{}}");
    cr_assert(str_equal(text_of(&answer, "status"), STR("parked")), "%.*s", STR_ARG(answer.body));
    struct str id = text_of(&answer, "id");
    answer = on_saga("POST", id, "/retry", "{\"actor\":\"bob\",\"step\":\"ask\"}");
    EXPECT(answer, 200);
    answer = stage_await(&stage, id, "parked");
    answer = on_saga("POST", id, "/force",
                     "{\"actor\":\"bob\",\"reason\":\"saw it\",\"result\":\"ok\",\"output\":{\"x\":1.50}}");
    EXPECT(answer, 200);
    answer = stage_await(&stage, id, "completed");
    cr_assert(strstr(answer.body.data, "1.50"));
    answer = start("{\"definition\":\"parking\",\"wait\":20,\"input\":{}}");
    answer =
        on_saga("POST", text_of(&answer, "id"), "/skip", "{\"actor\":\"bob\",\"reason\":\"not needed\"}");
    EXPECT(answer, 200);
    answer = start("{\"definition\":\"silent\",\"input\":{}}");
    answer =
        on_saga("POST", text_of(&answer, "id"), "/terminate", "{\"actor\":\"bob\",\"reason\":\"enough\"}");
    EXPECT(answer, 200);
    cr_assert(str_equal(text_of(&answer, "status"), STR("terminated")));
}

Test(service, wants_to_know_who_and_why)
{
    struct str id = STR("01890a5d-ac96-774b-bcce-b302099a8000");
    static const char *const bad[][3] = {
        {"/cancel", "{}", "invalid-field"},
        {"/cancel", "{\"actor\":\"\"}", "invalid-field"},
        {"/cancel", "{\"actor\":7}", "invalid-field"},
        {"/cancel", "{\"actor\":\"a\",\"step\":\"x\"}", "unknown-field"},
        {"/terminate", "{\"actor\":\"a\"}", "invalid-field"},
        {"/skip", "{\"actor\":\"a\"}", "invalid-field"},
        {"/skip", "{\"actor\":\"a\",\"reason\":\"b\",\"result\":\"ok\"}", "unknown-field"},
        {"/force", "{\"actor\":\"a\",\"reason\":\"b\"}", "invalid-field"},
        {"/force", "{\"actor\":\"a\",\"result\":\"ok\"}", "invalid-field"},
        {"/force", "{\"actor\":\"a\",\"reason\":\"b\",\"result\":\"maybe\"}", "invalid-field"},
        {"/force", "{\"actor\":\"a\",\"reason\":\"b\",\"result\":\"ok\",\"error_code\":\"X\"}",
         "invalid-field"},
        {"/force", "{\"actor\":\"a\",\"reason\":\"b\",\"result\":\"rejected\",\"output\":1}",
         "invalid-field"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wire_answer answer = on_saga("POST", id, bad[i][0], bad[i][1]);
        wire_expect_page(&answer, 400, bad[i][2], bad[i][1]);
    }
}

Test(service, stores_definitions_once)
{
    struct wire_answer answer = stage_put(&stage, "/v1/definitions/order/1", order);
    EXPECT(answer, 200);
    answer = stage_put(&stage, "/v1/definitions/order/2", order);
    wire_expect_page(&answer, 422, "invalid-definition", "another version in the path");
    answer = stage_put(&stage, "/v1/definitions/other/1", order);
    wire_expect_page(&answer, 422, "invalid-definition", "another name in the path");
    struct str changed = arena_printf(&stage.arena, "%s# changed\n", order);
    answer = stage_put(&stage, "/v1/definitions/order/1", changed.data);
    wire_expect_page(&answer, 409, "version-conflict", "another content");
    answer = stage_put(&stage, "/v1/definitions/bad/1",
                       "saga: bad\nversion: 1\nsteps:\n  - { id: a, comand: shop.ok, compensate: none }\n");
    wire_expect_page(&answer, 422, "invalid-definition", "a mistake");
    const struct json *diagnostics = json_get(answer.json, STR("diagnostics"));
    int64_t line = 0;
    cr_assert(diagnostics && diagnostics->count > 0, "%.*s", STR_ARG(answer.body));
    cr_assert(json_get_i64(diagnostics->items[0], STR("line"), &line) && line == 4);
    cr_assert(strstr(text_of(&answer, "rendered").data, "bad.yaml:4:"), "%.*s", STR_ARG(answer.body));
    answer = stage_put(&stage, "/v1/definitions/tight/1",
                       "saga: tight\nversion: 1\ntimeout: 1s\nsteps:\n"
                       "  - { id: a, command: shop.ok, timeout: 2s, compensate: none }\n");
    EXPECT(answer, 201); /* a warning does not refuse, and is not lost */
    diagnostics = json_get(answer.json, STR("diagnostics"));
    cr_assert(diagnostics && diagnostics->count == 1, "%.*s", STR_ARG(answer.body));
    cr_assert(str_equal(json_get_str(diagnostics->items[0], STR("severity")), STR("warning")));
    cr_assert(str_equal(json_get_str(diagnostics->items[0], STR("code")), STR("deadline-tight")));
    answer = wire_call(stage.port, &stage.arena, "PUT", "/v1/definitions/bad/1", "image/png", STR("x"));
    wire_expect_page(&answer, 415, "unsupported-type", "a picture");
}

Test(service, stores_definitions_with_their_files)
{
    static const char *const bundle =
        "{\"yaml\":\"saga: filed\\nversion: 3\\ninput: { schema: schemas/in.json }\\nsteps:\\n  - { id: a, "
        "command: shop.ok, compensate: none "
        "}\\n\",\"files\":{\"schemas/in.json\":\"{\\\"type\\\":\\\"object\\\","
        "\\\"required\\\":[\\\"x\\\"]}\"}}";
    struct wire_answer answer = stage_call(&stage, "PUT", "/v1/definitions/filed/3", bundle);
    EXPECT(answer, 201);
    answer = start("{\"definition\":\"filed\",\"input\":{}}");
    wire_expect_page(&answer, 422, "invalid-input", "the file's schema holds");
    answer = stage_call(&stage, "GET", "/v1/definitions/filed/3", NULL);
    EXPECT(answer, 200);
    cr_assert_not_null(json_get(json_get(answer.json, STR("files")), STR("schemas/in.json")));
    answer = stage_call(&stage, "PUT", "/v1/definitions/filed/4",
                        "{\"yaml\":\"saga: filed\\nversion: 4\\ninput: { schema: schemas/no.json }\\n"
                        "steps:\\n  - { id: a, command: shop.ok, compensate: none }\\n\",\"files\":{}}");
    wire_expect_page(&answer, 422, "invalid-definition", "a file that is not in the bundle");
}

Test(service, shows_definitions)
{
    struct wire_answer answer = stage_call(&stage, "GET", "/v1/definitions", NULL);
    EXPECT(answer, 200);
    cr_assert_eq(json_get(answer.json, STR("items"))->count, 3);
    answer = stage_call(&stage, "GET", "/v1/definitions/order", NULL);
    cr_assert_eq(json_get(answer.json, STR("items"))->count, 1);
    answer = stage_call(&stage, "GET", "/v1/definitions/order/1", NULL);
    EXPECT(answer, 200);
    cr_assert(str_equal(text_of(&answer, "source"), str_from(order)));
    cr_assert_eq(text_of(&answer, "hash").size, 64);
    const struct json *step = json_get(answer.json, STR("steps"))->items[0];
    cr_assert(str_equal(json_get_str(json_get(step, STR("run")), STR("command")), STR("shop.ok")));
    cr_assert(str_equal(json_get(answer.json, STR("participants"))->items[0]->text, STR("shop")));
}

/* Of a saga just started, as its view says. */
static int64_t version_of(const struct wire_answer *started)
{
    int64_t version = 0;
    struct str target = arena_printf(&stage.arena, "/v1/sagas/%.*s", STR_ARG(text_of(started, "id")));
    struct wire_answer answer = stage_call(&stage, "GET", target.data, NULL);
    cr_assert(json_get_i64(answer.json, STR("version"), &version), "%.*s", STR_ARG(answer.body));
    return version;
}

Test(service, new_starts_take_the_newest_enabled_version)
{
    static const char *const any = "{\"definition\":\"silent\",\"input\":{}}";
    struct str second = arena_printf(&stage.arena, "saga: silent\nversion: 2\n%s", strstr(silent, "steps:"));
    struct wire_answer older = start(any);
    stage_define(&stage, "/v1/definitions/silent/2", second.data);
    struct wire_answer newer = start(any);
    cr_expect_eq(version_of(&newer), 2, "the newest");
    struct wire_answer answer = stage_call(&stage, "POST", "/v1/definitions/silent/2/disable", NULL);
    EXPECT(answer, 200);
    cr_expect(!json_get(answer.json, STR("enabled"))->boolean, "%.*s", STR_ARG(answer.body));
    answer = start(any);
    cr_expect_eq(version_of(&answer), 1, "the newest that is enabled");
    answer = start("{\"definition\":\"silent\",\"version\":2,\"input\":{}}");
    wire_expect_page(&answer, 409, "version-disabled", "named, but disabled");
    cr_expect_eq(version_of(&older), 1, "pinned");
    cr_expect_eq(version_of(&newer), 2, "pinned, though disabled since");
    stage_put(&stage, "/v1/definitions/silent/2", second.data);
    answer = stage_call(&stage, "POST", "/v1/definitions/silent/1/disable", NULL);
    EXPECT(answer, 200);
    answer = start(any);
    wire_expect_page(&answer, 404, "unknown-definition",
                     "none is enabled, and storing one again enables none");
    answer = stage_call(&stage, "POST", "/v1/definitions/silent/2/enable", NULL);
    EXPECT(answer, 200);
    answer = start(any);
    cr_expect_eq(version_of(&answer), 2, "enabled again");
    answer = stage_call(&stage, "POST", "/v1/definitions/silent/3/enable", NULL);
    wire_expect_page(&answer, 404, "unknown-definition", "a version that is not there");
}

static struct wire_answer await_letters(uint32_t count)
{
    struct wire_answer answer;
    int64_t until_us = clock_monotonic_us() + 10000000;
    do
        answer = stage_call(&stage, "GET", "/v1/dead-letters", NULL);
    while (json_get(answer.json, STR("items"))->count < count && clock_monotonic_us() < until_us);
    cr_assert_eq(json_get(answer.json, STR("items"))->count, count, "%.*s", STR_ARG(answer.body));
    return answer;
}

Test(service, shows_dead_letters)
{
    stage_send_garbage(&stage, "saga.reply.0.shop", "no JSON");
    (void)await_letters(1);
    stage_send_garbage(&stage, "saga.reply.1.shop", "\xff\x01");
    struct wire_answer answer = await_letters(2);
    const struct json *items = json_get(answer.json, STR("items"));
    cr_assert(json_get_str(items->items[0], STR("reason")).size > 0);
    cr_assert(str_equal(json_get_str(items->items[0], STR("body_hex")), STR("ff01")), "%.*s",
              STR_ARG(answer.body));
    cr_assert(str_equal(json_get_str(items->items[1], STR("body")), STR("no JSON")));
    answer = stage_call(&stage, "GET", "/v1/dead-letters?limit=1", NULL);
    int64_t next = 0;
    cr_assert(json_get_i64(answer.json, STR("next"), &next));
    struct str target = arena_printf(&stage.arena, "/v1/dead-letters?limit=1&before=%lld", (long long)next);
    answer = stage_call(&stage, "GET", target.data, NULL);
    items = json_get(answer.json, STR("items"));
    cr_assert(items->count == 1 && str_equal(json_get_str(items->items[0], STR("body")), STR("no JSON")));
    cr_assert_eq(json_get(answer.json, STR("next"))->kind, JSON_NULL);
}

Test(service, tells_about_itself)
{
    struct wire_answer answer = stage_call(&stage, "GET", "/readyz", NULL);
    EXPECT(answer, 200);
    answer = start("{\"definition\":\"order\",\"wait\":20,\"input\":{\"quantity\":1}}");
    EXPECT(answer, 201);
    answer = stage_call(&stage, "GET", "/metrics", NULL);
    EXPECT(answer, 200);
    static const char *const lines[] = {
        "\nsagad_sagas_started_total{definition=\"order\"} 1\n",
        "\nsagad_http_requests_total{route=\"/v1/sagas\",status=\"201\"} 1\n",
        "\n# TYPE sagad_commit_seconds histogram\n",
        "\nsagad_shards_owned 4\n",
        "\nsagad_nats_connected 1\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_assert(strstr(answer.body.data, lines[i]), "%s is not in %.*s", lines[i], STR_ARG(answer.body));
    answer = stage_call(&stage, "GET", "/", NULL);
    cr_assert(strstr(answer.body.data, "/v1/sagas/{id}/history"));
    answer = stage_call(&stage, "GET", "/openapi.json", NULL);
    cr_assert(str_equal(text_of(&answer, "openapi"), STR("3.1.0")));
}

static void *wait_long(void *context)
{
    struct wire_answer *answer = context;
    struct arena *arena = &stage.arena;
    *answer = wire_call(stage.port, arena, "POST", "/v1/sagas", "application/json",
                        STR("{\"definition\":\"silent\",\"input\":{},\"wait\":60}"));
    return NULL;
}

/* Who waits is told what is known when the service stops, and it stops at once. */
Test(service_end, answers_who_waits)
{
    stage_open(&stage);
    stage_define(&stage, "/v1/definitions/silent/1", silent);
    struct wire_answer waited = {0};
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, wait_long, &waited) == 0);
    struct arena arena; /* the stage's is the other thread's now */
    arena_init(&arena, 0);
    int64_t begun_us = clock_monotonic_us();
    uint32_t count = 0;
    while (count == 0 && clock_monotonic_us() - begun_us < 10000000) {
        struct wire_answer list = wire_call(stage.port, &arena, "GET", "/v1/sagas", NULL, STR(""));
        count = json_get(list.json, STR("items"))->count;
    }
    cr_assert_eq(count, 1);
    begun_us = clock_monotonic_us();
    api_close(stage.api);
    cr_assert(clock_monotonic_us() - begun_us < 4000000);
    pthread_join(thread, NULL);
    cr_assert_eq(waited.status, 201, "%.*s%.*s", STR_ARG(waited.head), STR_ARG(waited.body));
    cr_assert(str_equal(text_of(&waited, "status"), STR("running")));
    arena_fini(&arena);
    stage.api = NULL;
    stage_close(&stage);
}
