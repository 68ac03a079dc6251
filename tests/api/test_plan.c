/* GET /v1/sagas/{id}/compensation-plan with the engine behind it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "tests/api/stage.h"

static struct stage stage;

static const char *const trip =
    "saga: trip\n"
    "version: 1\n"
    "steps:\n"
    "  - { id: note, command: shop.ok, compensate: none }\n"
    "  - id: seat\n"
    "    command: shop.ok\n"
    "    with: { price: 19.90 }\n"
    "    compensate: { command: shop.free, with: { price: \"${ $steps.seat.output.price // null }\" } }\n"
    "  - parallel:\n"
    "      branches:\n"
    "        car: [{ id: car, command: shop.ok, compensate: shop.ok }]\n"
    "        room: [{ id: room, command: shop.ok, compensate: shop.ok }]\n"
    "  - { id: ask, command: shop.silent, timeout: 1h, compensate: shop.ok }\n";
static const char *const point = "saga: point\n"
                                 "version: 1\n"
                                 "steps:\n"
                                 "  - { id: hold, command: shop.ok, compensate: shop.ok }\n"
                                 "  - { id: pay, command: shop.ok, pivot: true }\n"
                                 "  - { id: ask, command: shop.silent, timeout: 1h }\n";

static void open_stage(void)
{
    stage_open(&stage);
    stage_define(&stage, "/v1/definitions/trip/1", trip);
    stage_define(&stage, "/v1/definitions/point/1", point);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(plan, .init = open_stage, .fini = close_stage);

static struct wire_answer on_saga(const char *method, struct str id, const char *below, const char *body)
{
    char target[160];
    snprintf(target, sizeof target, "/v1/sagas/%.*s%s", STR_ARG(id), below);
    return stage_call(&stage, method, target, body);
}

/* A saga that waits for the answer to `ask`. */
static struct str start_until_ask(const char *definition)
{
    enum { PATIENCE_US = 10000000 };
    char body[64];
    snprintf(body, sizeof body, "{\"definition\":\"%s\",\"input\":{}}", definition);
    struct wire_answer answer = stage_call(&stage, "POST", "/v1/sagas", body);
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    struct str id = json_get_str(answer.json, STR("id"));
    int64_t begin_us = clock_monotonic_us();
    do {
        cr_assert(clock_monotonic_us() - begin_us < PATIENCE_US, "%.*s", STR_ARG(answer.body));
        answer = on_saga("GET", id, "", NULL);
    } while (!str_starts(json_get_str(answer.json, STR("waiting")), STR("waiting for reply to ask")));
    return id;
}

static void expect_member(const struct json *plan, const char *name, const char *expected)
{
    const struct json *value = json_get(plan, str_from(name));
    cr_assert_not_null(value, "%s is missing", name);
    cr_expect_str_eq(json_text(&stage.arena, value).data, expected, "%s: %s", name,
                     json_text(&stage.arena, value).data);
}

Test(plan, tells_what_a_cancel_would_send)
{
    struct str id = start_until_ask("trip");
    struct wire_answer plan = on_saga("GET", id, "/compensation-plan", NULL);
    cr_assert_eq(plan.status, 200, "%.*s", STR_ARG(plan.body));
    expect_member(plan.json, "possible", "true");
    expect_member(plan.json, "refused", "null");
    expect_member(plan.json, "ends", "\"compensated\"");
    expect_member(plan.json, "status", "\"running\"");
    expect_member(plan.json, "direction", "\"forward\"");
    const struct json *waits = json_get(plan.json, STR("waits"));
    cr_assert_eq(waits->count, 1);
    expect_member(waits->items[0], "step", "\"ask\"");
    expect_member(waits->items[0], "kind", "\"do\"");
    expect_member(plan.json, "commands",
                  "[{\"round\":1,\"step\":\"ask\",\"kind\":\"undo\",\"attempt\":1,\"to\":\"shop.ok\","
                  "\"body\":{},\"child\":"
                  "null,\"if_done\":true},"
                  "{\"round\":2,\"step\":\"room\",\"kind\":\"undo\",\"attempt\":1,\"to\":\"shop.ok\","
                  "\"body\":{},\"child\":"
                  "null,\"if_done\":false},"
                  "{\"round\":2,\"step\":\"car\",\"kind\":\"undo\",\"attempt\":1,\"to\":\"shop.ok\",\"body\":"
                  "{},\"child\":"
                  "null,\"if_done\":false},"
                  "{\"round\":3,\"step\":\"seat\",\"kind\":\"undo\",\"attempt\":1,\"to\":\"shop.free\","
                  "\"body\":{\"price\":"
                  "19.90},\"child\":null,\"if_done\":false}]");
    expect_member(
        plan.json, "kept",
        "[{\"step\":\"note\",\"state\":\"done\",\"code\":\"\",\"reason\":\"it has no compensation\"}]");
    expect_member(plan.json, "stuck", "[]");
    struct wire_answer after = on_saga("GET", id, "", NULL);
    expect_member(after.json, "status", "\"running\"");
    int64_t seq = 0, based_on = 0;
    cr_assert(json_get_i64(after.json, STR("seq"), &seq) && json_get_i64(plan.json, STR("seq"), &based_on));
    cr_expect_eq(seq, based_on, "looking ahead has changed the saga");
}

Test(plan, tells_why_there_is_none)
{
    struct str id = start_until_ask("point");
    struct wire_answer plan = on_saga("GET", id, "/compensation-plan", NULL);
    cr_assert_eq(plan.status, 200, "%.*s", STR_ARG(plan.body));
    expect_member(plan.json, "possible", "false");
    cr_expect(strstr(plan.body.data, "there is no way back") != NULL, "%.*s", STR_ARG(plan.body));
    expect_member(plan.json, "commands", "[]");
    cr_expect_eq(json_get(plan.json, STR("kept"))->count, 2, "%.*s", STR_ARG(plan.body));
    struct wire_answer refused = on_saga("POST", id, "/cancel", "{\"actor\":\"ann\"}");
    cr_expect_eq(refused.status, 409, "a cancel is refused as foretold");
}

Test(plan, knows_no_saga_that_is_not_there)
{
    struct wire_answer none =
        on_saga("GET", STR("01a1fe2a-b70a-73fa-b9ad-b3862380400f"), "/compensation-plan", NULL);
    wire_expect_page(&none, 404, "unknown-saga", "no such saga");
    struct wire_answer bad = on_saga("GET", STR("seven"), "/compensation-plan", NULL);
    wire_expect_page(&bad, 404, "unknown-saga", "no id at all");
}
