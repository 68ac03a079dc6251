/* Starts with keys over HTTP: one saga, however often and whenever it is asked for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "tests/api/stage.h"

static struct stage stage;

static void open_stage(void)
{
    stage_open(&stage);
}

static void close_stage(void)
{
    stage_close(&stage);
}

TestSuite(keys, .init = open_stage, .fini = close_stage);

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

static struct wire_answer start_key(const char *version, const char *input)
{
    char body[160];
    snprintf(body, sizeof body, "{\"definition\":\"deployed\",%s\"input\":%s}", version, input);
    return start(body);
}

static void expect_same(const struct wire_answer *first, const struct wire_answer *again, int64_t version)
{
    int64_t seq = 0, told = 0;
    EXPECT((*again), 200);
    cr_expect(str_equal(text_of(first, "id"), text_of(again, "id")), "%.*s", STR_ARG(again->body));
    cr_expect(json_get_i64(again->json, STR("version"), &told) && told == version, "%.*s",
              STR_ARG(again->body));
    cr_expect(json_get_i64(again->json, STR("seq"), &seq) && seq > 0, "%.*s", STR_ARG(again->body));
    cr_expect(str_equal(text_of(again, "key"), STR("7")), "%.*s", STR_ARG(again->body));
}

/* Whoever is not sure that a start was heard asks again, also after a deploy: the saga is there. */
Test(keys, a_known_key_is_answered_before_anything_is_asked_of_the_definition)
{
    static const char *const first =
        "saga: deployed\nversion: 1\nkey: ${ $input.id }\nsteps:\n"
        "  - { id: sell, command: shop.silent, timeout: 1h, compensate: shop.ok }\n";
    static const char *const second =
        "saga: deployed\nversion: 2\nkey: ${ $input.id }\n"
        "input: { schema: { type: object, required: [customer] } }\n"
        "steps:\n  - { id: sell, command: shop.silent, timeout: 1h, compensate: shop.ok }\n";
    stage_define(&stage, "/v1/definitions/deployed/1", first);
    struct wire_answer began = start_key("", "{\"id\":7}");
    EXPECT(began, 201);
    struct wire_answer again = start_key("", "{\"id\":7}");
    expect_same(&began, &again, 1);
    stage_define(&stage, "/v1/definitions/deployed/2", second);
    again = start_key("", "{\"id\":7}");
    expect_same(&began, &again, 1); /* version 2 would refuse the input */
    again = start_key("\"version\":2,", "{\"id\":7}");
    expect_same(&began, &again, 1);
    again = start_key("\"version\":9,", "{\"id\":7}");
    expect_same(&began, &again, 1); /* there is no such version */
    again = start_key("\"wait\":\"10ms\",\"version\":9,", "{\"id\":7}");
    EXPECT(again, 200);
    cr_expect(str_equal(text_of(&began, "id"), text_of(&again, "id")));
    struct wire_answer other = start_key("\"version\":2,", "{\"id\":7,\"customer\":1}");
    wire_expect_page(&other, 409, "key-conflict", "another input");
    other = start_key("", "{\"id\":7,\"more\":1}");
    wire_expect_page(&other, 409, "key-conflict",
                     "another input, which the newest version does not take either");
    EXPECT(stage_call(&stage, "POST", "/v1/definitions/deployed/2/disable", NULL), 200);
    EXPECT(stage_call(&stage, "POST", "/v1/definitions/deployed/1/disable", NULL), 200);
    again = start_key("", "{\"id\":7.0}");
    expect_same(&began, &again, 1); /* none is enabled; 7.0 is 7 */
    again = start_key("\"key\":\"7\",", "{\"id\":7}");
    expect_same(&began, &again, 1);
    struct wire_answer none = start_key("", "{\"id\":8}");
    wire_expect_page(&none, 404, "unknown-definition", "no saga has this key");
}

Test(keys, keys_and_codes_hold_no_control_characters)
{
    struct wire_answer answer = start("{\"definition\":\"deployed\",\"key\":\"a\\nb\",\"input\":{}}");
    wire_expect_page(&answer, 400, "invalid-field", "a line feed");
    answer = start("{\"definition\":\"deployed\",\"key\":\"a\\u0085b\",\"input\":{}}");
    wire_expect_page(&answer, 400, "invalid-field", "a control character beyond ASCII");
    answer =
        stage_call(&stage, "POST", "/v1/sagas/01a1febf-1602-7f7c-97f0-9223f6f4f00d/force",
                   "{\"actor\":\"ann\",\"reason\":\"x\",\"result\":\"rejected\",\"error_code\":\"no code\"}");
    wire_expect_page(&answer, 400, "invalid-field", "no code");
    answer = stage_call(&stage, "POST", "/v1/sagas/01a1febf-1602-7f7c-97f0-9223f6f4f00d/signals",
                        "{\"event\":\"came\",\"id\":\"a\\tb\"}");
    wire_expect_page(&answer, 400, "invalid-field", "an id with a tab");
}
