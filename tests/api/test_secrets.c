/* What an input, a reply or an event carries is in nobody's log: the number of a card is planted wherever a
 * value can be at fault, and then looked for in every refusal, reason, error of a step, dead letter's reason,
 * metric and line of the log. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/ops/log.h"
#include "tests/api/stage.h"

#define CARD "4111-1111-1111-1111"
#define DIGITS "4111111111111111"

static struct stage stage;
static FILE *log_file;

static const char *const faulty =
    "saga: faulty\n"
    "version: 1\n"
    "input: { schema: { type: object, properties: { kind: { type: string }, card: {}, number: { maximum: 9 "
    "},\n"
    "  small: { maxLength: 3, pattern: '^x', enum: [a], const: a, format: date } } } }\n"
    "steps:\n"
    "  - switch:\n"
    "      - when: $input.kind == \"number\"\n"
    "        steps: [{ id: a, command: shop.ok, with: { n: '${ $input.card | tonumber }' }, compensate: none "
    "}]\n"
    "      - when: $input.kind == \"json\"\n"
    "        steps: [{ id: b, command: shop.ok, with: { n: '${ $input.card | fromjson }' }, compensate: none "
    "}]\n"
    "      - when: $input.kind == \"field\"\n"
    "        steps: [{ id: c, command: shop.ok, with: { n: '${ 7 as $n | $n[$input.card] }' }, compensate: "
    "none }]\n"
    "      - when: $input.kind == \"regex\"\n"
    "        steps: [{ id: d, command: shop.ok, with: { n: '${ \"x\" | test(\"(\" + $input.card) }' }, "
    "compensate: none }]\n"
    "      - when: $input.kind == \"add\"\n"
    "        steps: [{ id: e, command: shop.ok, with: { n: '${ $input.card - 1 }' }, compensate: none }]\n"
    "      - when: $input.kind == \"time\"\n"
    "        steps: [{ wait: { id: f, until: '${ $input.card }' } }]\n"
    "      - when: $input.kind == \"list\"\n"
    "        steps: [{ foreach: { id: g, in: '${ $input.card }', as: x, max_items: 3, steps: [\n"
    "          { id: h, command: shop.ok, compensate: none }] } }]\n"
    "      - when: $input.kind == \"await\"\n"
    "        steps: [{ await: { id: w, event: paid, timeout: 1h, schema: { type: object,\n"
    "          properties: { card: { maxLength: 3 }, number: { maximum: 9 } } } } }]\n"
    "      - when: $input.kind == \"reply\"\n"
    "        steps: [{ id: r, command: shop.ok, timeout: 1h, with: { n: '${ $input.card }' }, compensate: "
    "none,\n"
    "          output: { schema: { type: object, properties: { n: { maxLength: 3 } } } } }]\n"
    "      - else: []\n";
static const char *const keyed = "saga: keyed\nversion: 1\nkey: ${ $input.card }\nsteps:\n"
                                 "  - { id: ask, command: shop.silent, timeout: 1h, compensate: none }\n";

static void open_stage(void)
{
    log_file = tmpfile();
    cr_assert(log_file);
    log_init(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT, fileno(log_file));
    stage_open(&stage);
    stage_define(&stage, "/v1/definitions/faulty/1", faulty);
    stage_define(&stage, "/v1/definitions/keyed/1", keyed);
}

static void close_stage(void)
{
    stage_close(&stage);
    fclose(log_file);
}

TestSuite(secrets, .init = open_stage, .fini = close_stage);

static void expect_silent(struct str text, const char *where)
{
    static const char *const parts[] = {CARD, DIGITS, "4111", "1111"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        cr_expect(text.size == 0 || !memmem(text.data, text.size, parts[i], strlen(parts[i])),
                  "%s tells %s: %.*s", where, parts[i], STR_ARG(text));
}

static void expect_silent_log(void)
{
    static char text[1 << 20];
    cr_assert_eq(fseek(log_file, 0, SEEK_SET), 0);
    size_t size = fread(text, 1, sizeof text, log_file);
    cr_assert_lt(size, sizeof text);
    expect_silent((struct str){text, size}, "the log");
    expect_silent(stage_call(&stage, "GET", "/metrics", NULL).body, "a metric");
    struct wire_answer letters = stage_call(&stage, "GET", "/v1/dead-letters", NULL);
    const struct json *items = json_get(letters.json, STR("items"));
    for (uint32_t i = 0; i < items->count; i++)
        expect_silent(json_get_str(items->items[i], STR("reason")), "a dead letter's reason");
}

/* Reason, park and the errors of the steps: what events and lists tell, too. */
static void expect_silent_saga(const struct json *saga)
{
    const struct json *steps = json_get(saga, STR("steps"));
    expect_silent(json_text(&stage.arena, json_get(saga, STR("reason"))), "a reason");
    expect_silent(json_text(&stage.arena, json_get(saga, STR("park"))), "a park");
    for (uint32_t i = 0; i < steps->count; i++)
        expect_silent(json_text(&stage.arena, json_get(steps->items[i], STR("error"))), "a step's error");
}

Test(secrets, refusals_tell_no_value)
{
    static const char *const bodies[] = {
        "{\"definition\":\"faulty\",\"input\":{\"number\":" DIGITS "}}",
        "{\"definition\":\"faulty\",\"input\":{\"small\":\"" CARD "\"}}",
        "{\"definition\":\"faulty\",\"input\":\"" CARD "\"}",
        "{\"definition\":\"faulty\",\"input\":" DIGITS "}",
        "{\"definition\":\"faulty\",\"input\":{\"a\":\"" CARD "\" x}}",
        "{\"definition\":\"faulty\",\"input\":{\"" CARD "\":1,\"" CARD "\":2}}",
        "{\"definition\":\"faulty\",\"input\":{},\"wait\":\"" CARD "\"}",
        "{\"definition\":\"faulty\",\"input\":{},\"version\":" DIGITS "}",
        "{\"definition\":\"keyed\",\"input\":{\"card\":[\"" CARD "\"]}}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct wire_answer answer = stage_call(&stage, "POST", "/v1/sagas", bodies[i]);
        cr_expect(answer.status >= 400 && answer.status < 500, "%zu: %.*s", i, STR_ARG(answer.body));
        expect_silent(answer.body, bodies[i]);
    }
    struct wire_answer answer = stage_call(&stage, "POST", "/v1/sagas",
                                           "{\"definition\":\"keyed\",\"input\":{\"card\":\"" CARD "\"}}");
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    answer = stage_call(&stage, "POST", "/v1/sagas",
                        "{\"definition\":\"keyed\",\"input\":{\"card\":\"" CARD "\",\"n\":1}}");
    cr_assert_eq(answer.status, 409, "%.*s", STR_ARG(answer.body));
    expect_silent(answer.body, "a key used twice");
    answer = stage_call(&stage, "POST", "/v1/signals",
                        "{\"definition\":\"keyed\",\"key\":\"" CARD "-x\",\"event\":\"paid\",\"body\":{}}");
    cr_assert_eq(answer.status, 404, "%.*s", STR_ARG(answer.body));
    expect_silent(answer.body, "an unknown key");
    expect_silent_log();
}

Test(secrets, faults_tell_no_value)
{
    static const char *const kinds[] = {"number", "json", "field", "regex", "add", "time", "list"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char body[160];
        snprintf(body, sizeof body,
                 "{\"definition\":\"faulty\",\"wait\":30,\"input\":{\"kind\":\"%s\",\"card\":\"" CARD "\"}}",
                 kinds[i]);
        struct wire_answer answer = stage_call(&stage, "POST", "/v1/sagas", body);
        cr_assert_eq(answer.status, 201, "%s: %.*s", kinds[i], STR_ARG(answer.body));
        cr_assert(str_equal(json_get_str(answer.json, STR("status")), STR("compensated")), "%s: %.*s",
                  kinds[i], STR_ARG(answer.body));
        expect_silent_saga(answer.json);
    }
    expect_silent_log();
}

Test(secrets, events_and_replies_tell_no_value)
{
    struct wire_answer started =
        stage_call(&stage, "POST", "/v1/sagas", "{\"definition\":\"faulty\",\"input\":{\"kind\":\"await\"}}");
    struct str id = json_get_str(started.json, STR("id"));
    char target[128];
    snprintf(target, sizeof target, "/v1/sagas/%.*s/signals", STR_ARG(id));
    struct wire_answer refused =
        stage_call(&stage, "POST", target,
                   "{\"event\":\"paid\",\"body\":{\"card\":\"" CARD "\",\"number\":" DIGITS "}}");
    cr_assert(refused.status == 409 || refused.status == 422, "%.*s", STR_ARG(refused.body));
    expect_silent(refused.body, "a signal");
    started = stage_call(&stage, "POST", "/v1/sagas",
                         "{\"definition\":\"faulty\",\"input\":{\"kind\":\"reply\",\"card\":\"" CARD "\"}}");
    cr_assert_eq(started.status, 201, "%.*s", STR_ARG(started.body));
    const struct json *items = NULL;
    for (int tries = 0; tries < 2000 && (!items || items->count == 0); tries++)
        items = json_get(stage_call(&stage, "GET", "/v1/dead-letters", NULL).json, STR("items"));
    cr_assert(items && items->count == 1, "the reply that breaks its schema is no dead letter");
    expect_silent(json_get_str(items->items[0], STR("reason")), "a reply's reason");
    expect_silent_log();
}
