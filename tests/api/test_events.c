/* Events, timers and child sagas over HTTP, with the engine behind it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/api/stage.h"

static struct stage stage;

static const char *const silent = "saga: silent\n"
                                  "version: 1\n"
                                  "steps:\n"
                                  "  - id: ask\n"
                                  "    command: shop.silent\n"
                                  "    timeout: 1h\n"
                                  "    compensate: shop.ok\n";
static const char *const waiting = "saga: waiting\n"
                                   "version: 1\n"
                                   "key: ${ $input.name }\n"
                                   "timeout: 10h\n"
                                   "steps:\n"
                                   "  - await:\n"
                                   "      id: paid\n"
                                   "      event: money.came\n"
                                   "      timeout: 1h\n"
                                   "      schema: { type: object, required: [amount] }\n"
                                   "  - saga: { id: sub, name: silent }\n";

static const char *const told =
    "saga: told\n"
    "version: 1\n"
    "steps:\n"
    "  - await: { id: word, event: a.word, timeout: 1h, on_timeout: continue }\n"
    "output: { came: \"${ $steps.word.came }\", what: \"${ $event // null }\" }\n";

static void open_stage(void)
{
    stage_open(&stage);
    stage_define(&stage, "/v1/definitions/silent/1", silent);
    stage_define(&stage, "/v1/definitions/waiting/1", waiting);
    stage_define(&stage, "/v1/definitions/told/1", told);
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

static struct wire_answer on_saga(const char *method, struct str id, const char *below, const char *body)
{
    char target[160];
    snprintf(target, sizeof target, "/v1/sagas/%.*s%s", STR_ARG(id), below);
    return stage_call(&stage, method, target, body);
}

TestSuite(events, .init = open_stage, .fini = close_stage);

static struct str begin_waiting(const char *name)
{
    char body[120];
    snprintf(body, sizeof body, "{\"definition\":\"waiting\",\"input\":{\"name\":\"%s\"}}", name);
    struct wire_answer answer = stage_call(&stage, "POST", "/v1/sagas", body);
    EXPECT(answer, 201);
    return text_of(&answer, "id");
}

Test(events, takes_an_event_once)
{
    struct str id = begin_waiting("a");
    static const char *const said = "{\"event\":\"money.came\",\"body\":{\"amount\":19.90},\"id\":\"s1\"}";
    struct wire_answer first = on_saga("POST", id, "/signals", said);
    EXPECT(first, 201);
    cr_assert(str_equal(text_of(&first, "id"), id));
    struct wire_answer again = on_saga("POST", id, "/signals", said);
    EXPECT(again, 200);
    struct wire_answer history = on_saga("GET", id, "/history", NULL);
    EXPECT(history, 200);
    cr_assert(strstr(history.body.data, "19.90") != NULL, "%.*s", STR_ARG(history.body));
}

static void expect_told(const char *signal, const char *output)
{
    struct wire_answer begun =
        stage_call(&stage, "POST", "/v1/sagas", "{\"definition\":\"told\",\"input\":{}}");
    EXPECT(begun, 201);
    struct str id = text_of(&begun, "id");
    struct wire_answer answer = on_saga("POST", id, "/signals", signal);
    EXPECT(answer, 201);
    answer = on_saga("GET", id, "", NULL);
    EXPECT(answer, 200);
    cr_assert(strstr(answer.body.data, output) != NULL, "%.*s", STR_ARG(answer.body));
}

Test(events, tell_that_they_came_whatever_they_bring)
{
    expect_told("{\"event\":\"a.word\"}", "\"output\":{\"came\":true,\"what\":{}}");
    expect_told("{\"event\":\"a.word\",\"body\":null}", "\"output\":{\"came\":true,\"what\":null}");
}

Test(events, refuses_events_that_nobody_can_take)
{
    struct str id = begin_waiting("b");
    struct wire_answer answer = on_saga("POST", id, "/signals", "{\"event\":\"money.went\"}");
    wire_expect_page(&answer, 422, "invalid-signal", "no such await");
    answer = on_saga("POST", id, "/signals", "{\"event\":\"money.came\",\"body\":{}}");
    wire_expect_page(&answer, 422, "invalid-signal", "the schema");
    answer = on_saga("POST", id, "/signals", "{\"event\":\"money.came\",\"boddy\":{}}");
    wire_expect_page(&answer, 400, "unknown-field", "a typing mistake");
    answer = on_saga("POST", id, "/signals", "{}");
    wire_expect_page(&answer, 400, "invalid-field", "without an event");
    answer = on_saga("POST", STR("01a1fe2a-b70a-73fa-b9ad-b38623804000"), "/signals",
                     "{\"event\":\"money.came\",\"body\":{\"amount\":1}}");
    wire_expect_page(&answer, 404, "unknown-saga", "nobody");
    answer = on_saga("POST", id, "/terminate", "{\"actor\":\"ann\",\"reason\":\"test\"}");
    EXPECT(answer, 200);
    answer = on_saga("POST", id, "/signals", "{\"event\":\"money.came\",\"body\":{\"amount\":1}}");
    wire_expect_page(&answer, 409, "signal-refused", "too late");
}

Test(events, finds_the_saga_of_an_event_by_its_key)
{
    struct str id = begin_waiting("order 7");
    struct wire_answer answer =
        stage_call(&stage, "POST", "/v1/signals",
                   "{\"event\":\"money.came\",\"body\":{\"amount\":1},\"definition\":\"waiting\","
                   "\"key\":\"order 7\"}");
    EXPECT(answer, 201);
    cr_assert(str_equal(text_of(&answer, "id"), id));
    answer = stage_call(&stage, "POST", "/v1/signals",
                        "{\"event\":\"money.came\",\"definition\":\"waiting\",\"key\":\"order 8\"}");
    wire_expect_page(&answer, 404, "unknown-saga", "no such key");
    answer = stage_call(&stage, "POST", "/v1/signals", "{\"event\":\"money.came\",\"key\":\"order 8\"}");
    wire_expect_page(&answer, 400, "invalid-field", "without a definition");
}

static const struct json *timer_of(const struct wire_answer *answer, const char *kind)
{
    const struct json *items = json_get(answer->json, STR("items"));
    for (uint32_t i = 0; items && i < items->count; i++)
        if (str_equal(json_get_str(items->items[i], STR("kind")), str_from(kind)))
            return items->items[i];
    return NULL;
}

Test(events, shows_and_moves_timers)
{
    struct str id = begin_waiting("c");
    struct wire_answer answer = on_saga("GET", id, "/timers", NULL);
    EXPECT(answer, 200);
    const struct json *await = timer_of(&answer, "await");
    cr_assert(await && str_equal(json_get_str(await, STR("event")), STR("money.came")), "%.*s",
              STR_ARG(answer.body));
    cr_assert(timer_of(&answer, "deadline") != NULL);
    answer = on_saga("POST", id, "/timers",
                     "{\"actor\":\"ann\",\"step\":\"paid\",\"due\":\"2090-01-01T00:00:00Z\"}");
    EXPECT(answer, 200);
    answer = on_saga("POST", id, "/timers", "{\"actor\":\"ann\",\"deadline\":true,\"due\":\"now\"}");
    wire_expect_page(&answer, 400, "invalid-field", "moving the deadline needs a `reason`");
    answer =
        on_saga("POST", id, "/timers",
                "{\"actor\":\"ann\",\"reason\":\"x\",\"step\":\"paid\",\"deadline\":true,\"due\":\"now\"}");
    wire_expect_page(&answer, 400, "invalid-field", "either `step` or `deadline`");
    answer = on_saga("POST", id, "/timers", "{\"actor\":\"ann\",\"deadline\":1,\"due\":\"now\"}");
    wire_expect_page(&answer, 400, "invalid-field", "must be true or false");
    answer = on_saga("POST", id, "/timers",
                     "{\"actor\":\"ann\",\"reason\":\"slow\",\"deadline\":true,\"due\":\"20h\"}");
    EXPECT(answer, 200);
    answer = on_saga("GET", id, "/timers", NULL);
    await = timer_of(&answer, "await");
    cr_assert(await && str_equal(json_get_str(await, STR("due")), STR("2090-01-01T00:00:00.000000Z")), "%.*s",
              STR_ARG(answer.body));
    answer = on_saga("POST", id, "/timers", "{\"actor\":\"ann\",\"step\":\"sub\",\"due\":\"now\"}");
    wire_expect_page(&answer, 409, "verb-refused", "it has no timer");
    answer = on_saga("POST", id, "/timers", "{\"actor\":\"ann\",\"step\":\"paid\",\"due\":\"soon\"}");
    wire_expect_page(&answer, 400, "invalid-field", "no time");
    answer = on_saga("POST", id, "/timers", "{\"actor\":\"ann\",\"due\":\"now\"}");
    EXPECT(answer, 200);
    struct wire_answer ended = stage_await(&stage, id, "compensated");
    cr_expect(str_equal(json_get_str(json_get(ended.json, STR("reason")), STR("code")), STR("TIMEOUT")),
              "the await's time is over, not the saga's: %.*s", STR_ARG(ended.body));
    answer = on_saga("GET", id, "/timers", NULL);
    cr_assert(json_get(answer.json, STR("items"))->count == 0, "%.*s", STR_ARG(answer.body));
}

Test(events, links_children_and_parents)
{
    struct str id = begin_waiting("d");
    char target[160];
    struct wire_answer answer =
        on_saga("POST", id, "/signals", "{\"event\":\"money.came\",\"body\":{\"amount\":1}}");
    EXPECT(answer, 201);
    snprintf(target, sizeof target, "/v1/sagas?parent=%.*s", STR_ARG(id));
    const struct json *items = NULL;
    for (int i = 0; i < 1000 && (items == NULL || items->count == 0); i++) {
        answer = stage_call(&stage, "GET", target, NULL);
        EXPECT(answer, 200);
        items = json_get(answer.json, STR("items"));
    }
    cr_assert(items && items->count == 1, "%.*s", STR_ARG(answer.body));
    struct str child = json_get_str(items->items[0], STR("id"));
    cr_assert(str_equal(json_get_str(items->items[0], STR("parent")), id), "%.*s", STR_ARG(answer.body));
    answer = on_saga("GET", id, "", NULL);
    const struct json *steps = json_get(answer.json, STR("steps"));
    cr_assert(steps && str_equal(json_get_str(steps->items[steps->count - 1], STR("child")), child), "%.*s",
              STR_ARG(answer.body));
    answer = on_saga("GET", child, "", NULL);
    cr_assert(str_equal(json_get_str(json_get(answer.json, STR("parent")), STR("id")), id), "%.*s",
              STR_ARG(answer.body));
    answer = stage_call(&stage, "GET", "/v1/sagas?parent=x", NULL);
    wire_expect_page(&answer, 400, "invalid-parameter", "no id");
}
