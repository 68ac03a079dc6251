/* Verbs of an operator that reach the sagas below one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "tests/api/stage.h"

static struct stage stage;

static void open_stage(void)
{
    stage_open(&stage);
    stage_define(&stage, "/v1/definitions/lower/1",
                 "saga: lower\nversion: 1\nsteps:\n"
                 "  - { await: { id: rest, event: rest.over, timeout: 1d, on_timeout: continue } }\n");
    stage_define(&stage, "/v1/definitions/middle/1",
                 "saga: middle\nversion: 1\nsteps:\n  - saga: { id: down, name: lower }\n");
    stage_define(&stage, "/v1/definitions/upper/1",
                 "saga: upper\nversion: 1\ntimeout: 1h\nsteps:\n"
                 "  - parallel:\n      branches:\n        a: [{ saga: { id: left, name: middle } }]\n"
                 "        b: [{ saga: { id: right, name: lower } }]\n");
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(family, .init = open_stage, .fini = close_stage);

#define EXPECT(answer, wanted)                                                                               \
    cr_assert_eq((answer).status, (wanted), "%.*s%.*s", STR_ARG((answer).head), STR_ARG((answer).body))

static struct wire_answer on_saga(const char *method, struct str id, const char *below, const char *body)
{
    char target[160];
    snprintf(target, sizeof target, "/v1/sagas/%.*s%s", STR_ARG(id), below);
    return stage_call(&stage, method, target, body);
}

static uint32_t count_sagas(const char *query)
{
    char target[160];
    snprintf(target, sizeof target, "/v1/sagas?%s", query);
    struct wire_answer answer = stage_call(&stage, "GET", target, NULL);
    EXPECT(answer, 200);
    return json_get(answer.json, STR("items"))->count;
}

/* upper, middle and two of lower: the last to begin is the one below middle. */
static struct str begin(void)
{
    struct wire_answer answer =
        stage_call(&stage, "POST", "/v1/sagas", "{\"definition\":\"upper\",\"input\":{}}");
    EXPECT(answer, 201);
    struct str id = json_get_str(answer.json, STR("id"));
    stage_await_count(&stage, "definition=lower", 2);
    return id;
}

static uint32_t paused(void)
{
    static const char *const names[] = {"upper", "middle", "lower"};
    uint32_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        char target[160];
        snprintf(target, sizeof target, "/v1/sagas?definition=%s", names[i]);
        struct wire_answer answer = stage_call(&stage, "GET", target, NULL);
        const struct json *items = json_get(answer.json, STR("items"));
        for (uint32_t k = 0; k < items->count; k++)
            count += json_get(items->items[k], STR("paused"))->boolean;
    }
    return count;
}

static const struct json *children(const struct wire_answer *answer, uint32_t count)
{
    const struct json *list = json_get(answer->json, STR("children"));
    cr_assert(list != NULL && list->count == count, "%.*s", STR_ARG(answer->body));
    cr_assert(!json_get(answer->json, STR("more"))->boolean, "%.*s", STR_ARG(answer->body));
    return list;
}

Test(family, pause_and_resume_reach_all_below)
{
    struct str id = begin();
    struct wire_answer answer = on_saga("POST", id, "/pause", "{\"actor\":\"ann\",\"hold_deadline\":true}");
    EXPECT(answer, 200);
    const struct json *list = children(&answer, 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_expect(json_get(list->items[i], STR("refused"))->kind == JSON_NULL, "%.*s", STR_ARG(answer.body));
    cr_expect(str_equal(json_get_str(list->items[2], STR("definition")), STR("lower")), "%.*s",
              STR_ARG(answer.body));
    cr_expect_eq(paused(), 4);
    answer = on_saga("GET", id, "/timers", NULL);
    cr_expect(strstr(answer.body.data, "\"kind\":\"deadline\"") != NULL &&
                  strstr(answer.body.data, "\"held\":true") != NULL,
              "%.*s", STR_ARG(answer.body));
    answer = on_saga("POST", id, "/pause", "{\"actor\":\"ann\"}");
    wire_expect_page(&answer, 409, "verb-refused", "all are paused already");
    answer = on_saga("POST", id, "/resume", "{\"actor\":\"ann\",\"keep_children\":true}");
    EXPECT(answer, 200);
    cr_expect_eq(paused(), 3);
    answer = on_saga("POST", id, "/resume", "{\"actor\":\"ann\"}");
    EXPECT(answer, 200);
    cr_expect(str_equal(json_get_str(answer.json, STR("refused")), STR("it is not paused")), "%.*s",
              STR_ARG(answer.body));
    (void)children(&answer, 3);
    cr_expect_eq(paused(), 0);
}

Test(family, terminate_reaches_all_below_unless_they_are_kept)
{
    struct str id = begin();
    struct wire_answer answer =
        on_saga("POST", id, "/terminate", "{\"actor\":\"ann\",\"reason\":\"x\",\"keep_children\":true}");
    EXPECT(answer, 200);
    cr_expect_eq(count_sagas("status=terminated"), 1);
    answer = on_saga("POST", id, "/terminate", "{\"actor\":\"ann\",\"reason\":\"all of it\"}");
    EXPECT(answer, 200);
    cr_expect(str_equal(json_get_str(answer.json, STR("refused")), STR("the saga has ended")), "%.*s",
              STR_ARG(answer.body));
    (void)children(&answer, 3);
    cr_expect_eq(count_sagas("status=terminated"), 4);
    answer = on_saga("POST", id, "/terminate", "{\"actor\":\"ann\",\"reason\":\"again\"}");
    wire_expect_page(&answer, 409, "verb-refused", "nothing is left");
    answer = on_saga("POST", STR("01a1febf-1602-7f7c-97f0-9223f6f4f00d"), "/pause", "{\"actor\":\"ann\"}");
    wire_expect_page(&answer, 404, "unknown-saga", "nobody");
    answer = on_saga("POST", id, "/cancel", "{\"actor\":\"ann\",\"keep_children\":true}");
    wire_expect_page(&answer, 400, "unknown-field", "a cancel undoes its children");
}
