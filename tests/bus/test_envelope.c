/* What messages say: commands out, replies, answers and starts in, each mistake with its exact sentence. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/bus/envelope.h"
#include "engine/bus/envelope_text.h"

#define SAGA "01900000-0000-7000-8000-000000000003"

static struct arena arena;

static void start(void)
{
    arena_init(&arena, 0);
}

static void stop(void)
{
    arena_fini(&arena);
}

TestSuite(envelope, .init = start, .fini = stop);

static struct id saga_id(void)
{
    struct id id;
    cr_assert(id_parse(STR(SAGA), &id));
    return id;
}

static const struct plan_action charge = {.participant = {"payments", 8},
                                          .action = {"charge", 6},
                                          .command = {"payments.charge", 15},
                                          .via = PLAN_VIA_STREAM,
                                          .timeout_us = 5000001};
static const struct plan_action bill = {.participant = {"billing", 7},
                                        .action = {"v2.charge", 9},
                                        .command = {"billing.v2.charge", 17},
                                        .via = PLAN_VIA_REQUEST,
                                        .timeout_us = 1000000};

static struct envelope_command command_of(const struct plan_action *action)
{
    return (struct envelope_command){.saga = saga_id(),
                                     .shard = 3,
                                     .definition = STR("order"),
                                     .step = STR("charge"),
                                     .kind = CORE_DO,
                                     .attempt = 2,
                                     .action = action,
                                     .body = STR("{\"amount\":19.90}")};
}

/* A message as text: subject, headers, body, a line each. */
static struct str shown(const struct bus_message *message)
{
    struct buf out;
    buf_init(&out, &arena);
    buf_put(&out, message->subject);
    for (uint32_t i = 0; i < message->header_count; i++)
        buf_printf(&out, "\n%.*s: %.*s", STR_ARG(message->headers[i].name),
                   STR_ARG(message->headers[i].value));
    buf_printf(&out, "\n%.*s", STR_ARG(message->body));
    return buf_str(&out);
}

Test(envelope, a_command_names_everything)
{
    struct envelope_command command = command_of(&charge);
    command.correlation = STR("web-7");
    command.traceparent = STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    struct bus_message message;
    struct str id;
    envelope_command(&command, &arena, &message, &id);
    cr_assert_str_eq(id.data, SAGA "/charge/do/2");
    cr_assert_str_eq(shown(&message).data,
                     "saga.cmd.payments.charge\n"
                     "Saga-Command: " SAGA "/charge/do/2\n"
                     "Saga-Key: " SAGA "/charge\n"
                     "Saga-Kind: do\n"
                     "Saga-Attempt: 2\n"
                     "Saga-Reply-To: saga.reply.3.payments\n"
                     "Saga-Timeout-Ms: 5001\n"
                     "Saga-Definition: order\n"
                     "Saga-Correlation-Id: web-7\n"
                     "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n"
                     "{\"amount\":19.90}");
}

Test(envelope, a_request_goes_to_the_command_itself)
{
    struct envelope_command command = command_of(&bill);
    struct bus_message message;
    struct str id;
    envelope_command(&command, &arena, &message, &id);
    cr_assert(str_equal(message.subject, STR("billing.v2.charge")));
    cr_assert_eq(bus_header(&message, STR("Saga-Reply-To")).size, 0,
                 "the answer goes to the request's inbox");
    cr_assert(str_equal(bus_header(&message, STR("Saga-Correlation-Id")), STR(SAGA)));
}

Test(envelope, key_is_the_same_over_attempts_and_kinds)
{
    struct envelope_command command = command_of(&charge);
    struct bus_message first, second;
    struct str first_id, second_id;
    envelope_command(&command, &arena, &first, &first_id);
    command.kind = CORE_UNDO;
    command.attempt = 1;
    envelope_command(&command, &arena, &second, &second_id);
    cr_assert(str_equal(bus_header(&first, STR("Saga-Key")), bus_header(&second, STR("Saga-Key"))));
    cr_assert_str_eq(second_id.data, SAGA "/charge/undo/1");
}

Test(envelope, what_callers_gave_cannot_add_headers)
{
    struct envelope_command command = command_of(&charge);
    char long_text[400];
    memset(long_text, 'x', sizeof long_text);
    command.correlation = STR("a\r\nSaga-Kind: undo\x7f\xff");
    command.traceparent = (struct str){long_text, sizeof long_text};
    struct bus_message message;
    struct str id;
    envelope_command(&command, &arena, &message, &id);
    cr_assert(str_equal(bus_header(&message, STR("Saga-Correlation-Id")), STR("a  Saga-Kind: undo ?")));
    cr_assert_eq(bus_header(&message, STR("traceparent")).size, 200);
    cr_assert_eq(bus_check(&message, id, NULL), ERR_OK);
}

Test(envelope, command_ids_are_read_as_written)
{
    static const enum core_kind kinds[] = {CORE_DO, CORE_VERIFY, CORE_UNDO};
    for (size_t i = 0; i < 3; i++) {
        struct str text = envelope_command_id(&arena, saga_id(), STR("parcels/0/book"), kinds[i], 17);
        struct id saga;
        struct str step;
        enum core_kind kind;
        uint32_t attempt;
        cr_assert(envelope_command_parse(text, &saga, &step, &kind, &attempt), "%s", text.data);
        cr_assert(id_equal(saga, saga_id()));
        cr_assert(str_equal(step, STR("parcels/0/book")));
        cr_assert_eq(kind, kinds[i]);
        cr_assert_eq(attempt, 17);
    }
}

Test(envelope, what_is_no_command_id_is_refused)
{
    static const char *const texts[] = {"",
                                        "/",
                                        "////",
                                        SAGA,
                                        SAGA "/charge",
                                        SAGA "/charge/do",
                                        SAGA "/charge/do/",
                                        SAGA "/charge/do/0",
                                        SAGA "/charge/do/01",
                                        SAGA "/charge/do/+1",
                                        SAGA "/charge/do/1 ",
                                        SAGA "/charge/do/1000001",
                                        SAGA "/charge/do/99999999999999999999",
                                        SAGA "/charge/DO/1",
                                        SAGA "//do/1",
                                        SAGA "/do/1",
                                        SAGA "x/charge/do/1",
                                        "x" SAGA "/charge/do/1",
                                        SAGA "/char\xffge/do/1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct id saga;
        struct str step;
        enum core_kind kind;
        uint32_t attempt;
        cr_assert_not(envelope_command_parse(str_from(texts[i]), &saga, &step, &kind, &attempt), "%s",
                      texts[i]);
    }
}

/* A reply as a table row: headers as "Name: value" lines. */
static struct bus_message reply_of(const char *subject, const char *headers, const char *body)
{
    struct bus_message message = {.subject = str_from(subject), .body = str_from(body)};
    struct str rest = str_from(headers);
    while (rest.size > 0) {
        struct str line = str_slice(rest, 0, str_find(rest, '\n'));
        size_t colon = str_find(line, ':');
        bus_header_add(&message, str_slice(line, 0, colon), str_slice(line, colon + 2, line.size));
        rest = str_slice(rest, line.size + 1, rest.size);
    }
    return message;
}

#define SUBJECT "saga.reply.3.payments"
#define COMMAND "Saga-Command: " SAGA "/charge/do/2\n"

static const struct {
    const char *headers, *body;
    enum core_reply_status status;
    const char *code, *text;
    int64_t retry_after_us;
    const char *json; /* NULL: none */
} good[] = {
    {COMMAND, "", CORE_REPLY_OK, "", "", 0, NULL},
    {COMMAND, "null", CORE_REPLY_OK, "", "", 0, "null"},
    {COMMAND, " {\"paid\": 19.90} ", CORE_REPLY_OK, "", "", 0, "{\"paid\":19.90}"},
    {COMMAND "Saga-Status: ok\n", "[9007199254740993]", CORE_REPLY_OK, "", "", 0, "[9007199254740993]"},
    {COMMAND "saga-status: rejected\nSAGA-ERROR-CODE: NO_FUNDS\nSaga-Error-Message: card is empty", "",
     CORE_REPLY_REJECTED, "NO_FUNDS", "card is empty", 0, NULL},
    {COMMAND "Saga-Status: retry\nSaga-Retry-After-Ms: 1500", "", CORE_REPLY_RETRY, "", "", 1500000, NULL},
    {COMMAND "Saga-Status: pending\nX-Unknown: yes", "", CORE_REPLY_PENDING, "", "", 0, NULL},
    {COMMAND "Saga-Status: rejected\nSaga-Error-Message: a\xff\tb", "", CORE_REPLY_REJECTED, "", "a? b", 0,
     NULL},
    {COMMAND "Saga-Status: OK\nSaga-Error-Code: two words\nSaga-Retry-After-Ms: soon", "{}", CORE_REPLY_OK,
     "", "", 0, "{}"},
    {COMMAND "Saga-Status:  Rejected \nSaga-Error-Code: NO", "oops", CORE_REPLY_REJECTED, "NO", "", 0, NULL},
    {COMMAND "Saga-Status: rejected\nSaga-Error-Code: two words", "", CORE_REPLY_REJECTED, "INVALID_CODE",
     "Saga-Error-Code \"two words\" is not a code of at most 64 visible ASCII characters", 0, NULL},
    {COMMAND "Saga-Status: rejected\nSaga-Error-Message: no\nSaga-Error-Code: "
             "01234567890123456789012345678901234567890123456789012345678901234",
     "", CORE_REPLY_REJECTED, "INVALID_CODE",
     "no; Saga-Error-Code \"01234567890123456789012345678901234567890123456789012345678901234\" is not a "
     "code of at "
     "most 64 visible ASCII characters",
     0, NULL},
    {COMMAND "Saga-Status: rejected\nSaga-Retry-After-Ms: soon\nSaga-Error-Code: \xc3\xa4",
     "{\"a\":1,\"a\":2}", CORE_REPLY_REJECTED, "INVALID_CODE",
     "Saga-Error-Code \"\xc3\xa4\" is not a code of at most 64 visible ASCII characters", 0, NULL},
    {COMMAND "Saga-Status: retry\nSaga-Retry-After-Ms: soon", "oops", CORE_REPLY_RETRY, "",
     "Saga-Retry-After-Ms \"soon\" is not a number of milliseconds", 0, NULL},
    {COMMAND "Saga-Status: retry\nSaga-Error-Message: busy\nSaga-Retry-After-Ms: -1", "", CORE_REPLY_RETRY,
     "", "busy; Saga-Retry-After-Ms \"-1\" is not a number of milliseconds", 0, NULL},
    {COMMAND "Saga-Status: retry\nSaga-Retry-After-Ms: 9223372036854775807", "", CORE_REPLY_RETRY, "", "",
     INT64_C(86400000000) * LIMITS_DURATION_DAYS, NULL},
    {COMMAND "Saga-Status: PENDING", "oops", CORE_REPLY_PENDING, "", "", 0, NULL},
    {COMMAND "Nats-Service-Error-Code: 422\nNats-Service-Error: no such card", "oops", CORE_REPLY_REJECTED,
     "422", "no such card", 0, NULL},
    {COMMAND "Nats-Service-Error-Code: 500\nNats-Service-Error: oops", "oops", CORE_REPLY_UNCLEAR, "500",
     "oops", 0, NULL},
};

Test(envelope, good_replies_become_events)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct bus_message message = reply_of(SUBJECT, good[i].headers, good[i].body);
        struct core_event event;
        struct id saga;
        bool known;
        struct str reason = STR("");
        cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason), "%zu: %s", i,
                  reason.data);
        cr_assert(known && id_equal(saga, saga_id()));
        cr_assert_eq(event.kind, CORE_EVENT_REPLY);
        cr_assert(str_equal(event.step, STR("charge")) && str_equal(event.participant, STR("payments")));
        cr_assert(event.command_kind == CORE_DO && event.attempt == 2);
        cr_assert_eq(event.status, good[i].status, "%zu", i);
        cr_assert(str_equal(event.error_code, str_from(good[i].code)), "%zu", i);
        cr_assert(str_equal(event.error_message, str_from(good[i].text)), "%zu", i);
        cr_assert_eq(event.retry_after_us, good[i].retry_after_us, "%zu", i);
        if (good[i].json == NULL)
            cr_assert_null(event.body, "%zu", i);
        else
            cr_assert(str_equal(json_text(&arena, event.body), str_from(good[i].json)), "%zu", i);
    }
}

static const struct {
    const char *subject, *headers, *body;
    bool known;
    const char *reason;
} bad[] = {
    {SUBJECT, "", "{}", false, "the reply has no Saga-Command header"},
    {SUBJECT, "Saga-Command: nonsense", "", false,
     "Saga-Command \"nonsense\" is not <saga>/<step>/<do|undo|verify>/<attempt>"},
    {SUBJECT, "Saga-Command: " SAGA "/charge/redo/1", "", true,
     "Saga-Command \"" SAGA "/charge/redo/1\" is not <saga>/<step>/<do|undo|verify>/<attempt>"},
    {"saga.reply.3", COMMAND, "", true,
     "the subject \"saga.reply.3\" is not saga.reply.<shard>.<participant>"},
    {"saga.reply.3.a.b", COMMAND, "", true,
     "the subject \"saga.reply.3.a.b\" is not saga.reply.<shard>.<participant>"},
};

Test(envelope, bad_replies_get_a_precise_reason)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bus_message message = reply_of(bad[i].subject, bad[i].headers, bad[i].body);
        struct core_event event;
        struct id saga;
        bool known;
        struct str reason = STR("");
        cr_assert_not(envelope_reply(&message, &arena, &event, &saga, &known, &reason), "%zu", i);
        cr_assert_eq(known, bad[i].known, "%zu", i);
        cr_assert_str_eq(arena_copy(&arena, reason).data, bad[i].reason);
    }
}

static const struct {
    const char *headers, *body;
    const char *reason;
} useless[] = {
    {COMMAND "Saga-Status: fine\xff\x01", "",
     "Saga-Status \"fine? \" is none of ok, rejected, retry, pending"},
    {COMMAND "Saga-Status: unclear", "", "Saga-Status \"unclear\" is none of ok, rejected, retry, pending"},
    {COMMAND "Saga-Status: unusable", "", "Saga-Status \"unusable\" is none of ok, rejected, retry, pending"},
    {COMMAND "Nats-Service-Error-Code: 302", "", "Nats-Service-Error-Code \"302\" is neither 4xx nor 5xx"},
    {COMMAND "Nats-Service-Error: oops", "", "Nats-Service-Error-Code \"\" is neither 4xx nor 5xx"},
    {COMMAND, "paid", NULL},
    {COMMAND, "{\"a\":1,\"a\":2}", NULL},
    {COMMAND, "\"\\u0000\"", NULL},
    {COMMAND, "\"\xff\"", "the body is not JSON: 1:2: not UTF-8: byte 0xff"},
};

static void expect_useless(const struct core_event *event, const char *reason)
{
    cr_assert_eq(event->status, CORE_REPLY_UNUSABLE);
    cr_assert(str_equal(event->error_code, STR("REPLY_UNUSABLE")));
    cr_assert_null(event->body);
    cr_assert_eq(event->retry_after_us, 0);
    if (reason != NULL)
        cr_assert_str_eq(arena_copy(&arena, event->error_message).data, reason);
    else /* the JSON reader's own words, with the place */
        cr_assert(str_starts(event->error_message, STR("the body is not JSON: 1:")));
}

Test(envelope, the_command_is_told_of_replies_that_cannot_be_used)
{
    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        struct bus_message message = reply_of(SUBJECT, useless[i].headers, useless[i].body);
        struct core_event event;
        struct id saga;
        bool known;
        struct str reason = STR("");
        cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason), "%zu", i);
        cr_assert(known && event.attempt == 2 && str_equal(event.step, STR("charge")));
        expect_useless(&event, useless[i].reason);
    }
}

Test(envelope, the_body_of_an_undo_is_not_looked_at)
{
    struct bus_message message = reply_of(SUBJECT, "Saga-Command: " SAGA "/charge/undo/1", "oops");
    struct core_event event;
    struct id saga;
    bool known;
    struct str reason = STR("");
    cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason));
    cr_assert_eq(event.status, CORE_REPLY_OK);
    cr_assert_null(event.body);
}

Test(envelope, a_body_over_the_limit_is_refused_before_it_is_read)
{
    struct bus_message message = reply_of(SUBJECT, COMMAND, "");
    message.body = (struct str){arena_alloc(&arena, LIMITS_PAYLOAD_BYTES + 1), LIMITS_PAYLOAD_BYTES + 1};
    struct core_event event;
    struct id saga;
    bool known;
    struct str reason;
    cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason));
    expect_useless(&event, "the body has 262145 bytes, the limit is 262144");
}

Test(envelope, texts_are_cut_at_a_character)
{
    cr_assert(str_equal(envelope_cut(STR("a\xc3\xa9z"), 2), STR("a")));
    cr_assert(str_equal(envelope_cut(STR("a\xc3\xa9z"), 3), STR("a\xc3\xa9")));
    cr_assert(str_equal(envelope_cut(STR("\xf0\x9f\x98\x80"), 3), STR("")));
    cr_assert(str_equal(envelope_clean(&arena, STR("a\xc3\xa9z"), 2), STR("a")));
    cr_assert(str_equal(envelope_clean(&arena, STR("\xf0\x9f\x98\x80\xf0\x9f\x98\x80"), 7),
                        STR("\xf0\x9f\x98\x80")));
    cr_assert(str_equal(envelope_clean(&arena, STR("\xed\xa0\x80|\xc0\xaf"), 100), STR("???|??")));
    char text[1003];
    memset(text, 'x', sizeof text);
    memcpy(text + 999, "\xc3\xa9", 2);
    struct bus_message message = reply_of(SUBJECT, COMMAND "Saga-Status: rejected", "");
    bus_header_add(&message, STR("Saga-Error-Message"), (struct str){text, sizeof text});
    struct core_event event;
    struct id saga;
    bool known;
    struct str reason;
    cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason));
    cr_assert_eq(event.error_message.size, 999);
}

static struct core_event answer_of(const char *headers, const char *body, enum err error)
{
    struct core_event event;
    struct ticket asked = {.saga = saga_id(),
                           .step = STR("charge"),
                           .kind = CORE_DO,
                           .attempt = 2,
                           .command = STR("billing.v2.charge")};
    struct bus_delivery delivery = {.source = BUS_SOURCE_ANSWER, .error = error};
    delivery.message = reply_of("_INBOX.x", headers, body);
    envelope_answer(&delivery, &asked, &arena, &event);
    return event;
}

static const struct {
    const char *headers, *body;
    enum err error;
    enum core_reply_status status;
    const char *code, *text;
} answers[] = {
    {"", "{\"paid\":1}", ERR_OK, CORE_REPLY_OK, "", ""},
    {"", "", ERR_UNAVAILABLE, CORE_REPLY_UNSENT, "NO_RESPONDERS", "no service listens to billing.v2.charge"},
    {"", "", ERR_CLOSED, CORE_REPLY_UNSENT, "UNSENT", "NATS could not be reached"},
    {"", "", ERR_LIMIT, CORE_REPLY_UNSENT, "UNSENT", "the request is larger than the NATS server takes"},
    {"Nats-Service-Error-Code: 404\nNats-Service-Error: no such card", "not json", ERR_OK,
     CORE_REPLY_REJECTED, "404", "no such card"},
    {"Nats-Service-Error-Code: 500\nNats-Service-Error: oops", "", ERR_OK, CORE_REPLY_UNCLEAR, "500", "oops"},
    {"Nats-Service-Error-Code: 503\nSaga-Error-Code: BUSY\nSaga-Error-Message: later", "", ERR_OK,
     CORE_REPLY_UNCLEAR, "BUSY", "later"},
    {"Nats-Service-Error-Code: 504", "", ERR_OK, CORE_REPLY_UNCLEAR, "504", ""},
    {"Nats-Service-Error-Code: 500\nSaga-Status: Retry\nSaga-Error-Code: BUSY", "", ERR_OK, CORE_REPLY_RETRY,
     "BUSY", ""},
    {"Nats-Service-Error-Code: 500\nSaga-Status: rejected\nSaga-Error-Code: NO", "", ERR_OK,
     CORE_REPLY_REJECTED, "NO", ""},
    {"Saga-Command: " SAGA "/charge/do/2\nSaga-Status: pending", "", ERR_OK, CORE_REPLY_PENDING, "", ""},
};

Test(envelope, answers_of_services_become_events)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct core_event event = answer_of(answers[i].headers, answers[i].body, answers[i].error);
        cr_assert(event.attempt == 2 && event.command_kind == CORE_DO &&
                  str_equal(event.step, STR("charge")));
        cr_assert(str_equal(event.participant, STR("billing")));
        cr_assert_eq(event.status, answers[i].status, "%zu", i);
        cr_assert(str_equal(event.error_code, str_from(answers[i].code)), "%zu", i);
        cr_assert(str_equal(event.error_message, str_from(answers[i].text)), "%zu", i);
    }
}

Test(envelope, answers_that_say_nothing)
{
    struct core_event event = answer_of("Nats-Service-Error-Code: 302", "", ERR_OK);
    expect_useless(&event, "Nats-Service-Error-Code \"302\" is neither 4xx nor 5xx");
    event = answer_of("Saga-Command: " SAGA "/charge/do/1", "", ERR_OK);
    expect_useless(&event, "the answer to " SAGA "/charge/do/2 bears Saga-Command \"" SAGA "/charge/do/1\"");
    event = answer_of("", "oops", ERR_OK);
    expect_useless(&event, NULL);
}

/* What is lost of a head may be what says no: it is no success, and starts and signals nothing. */
Test(envelope, a_head_that_cannot_be_read_whole_says_nothing)
{
    struct bus_message message =
        reply_of("saga.reply.3.payments", "Saga-Command: " SAGA "/charge/do/2", "{}");
    struct core_event event;
    struct id saga;
    bool known;
    struct str reason;
    struct envelope_start start;
    message.garbled = true;
    cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason));
    expect_useless(&event, "its headers cannot be read whole, and what counts may be among what is lost");
    message.garbled = false;
    message.status = 500;
    cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason));
    expect_useless(&event, "its head bears the status 500, which is a NATS server's word and no answer");
    struct bus_delivery wish = {.message = reply_of("saga.start.order", "", "{}")};
    cr_assert(envelope_start(&wish.message, &arena, &start, &reason));
    wish.message.garbled = true;
    cr_assert_not(envelope_start(&wish.message, &arena, &start, &reason));
    struct envelope_signal signal;
    wish.message = reply_of("saga.signal.paid", "Saga-Id: " SAGA, "{}");
    cr_assert(envelope_signal(&wish, &arena, &signal, &reason));
    wish.message.garbled = true;
    cr_assert_not(envelope_signal(&wish, &arena, &signal, &reason));
}

Test(envelope, a_ticket_is_read_by_who_wrote_it_and_whole)
{
    const struct siphash_key key = {{7, 11}}, other = {{7, 12}};
    struct ticket wrote = {.saga = saga_id(),
                           .step = STR("book[3][0]"),
                           .kind = CORE_UNDO,
                           .attempt = 12,
                           .command = STR("Air.v2.seats")};
    struct ticket read;
    struct str text = ticket_write(&wrote, &key, &arena);
    cr_assert(str_starts(text, STR(SAGA ".book[3][0].undo.12.")) && str_ends(text, STR(".Air.v2.seats")));
    cr_assert(ticket_read(text, &key, &read));
    cr_assert(id_equal(read.saga, wrote.saga) && str_equal(read.step, wrote.step) &&
              read.kind == wrote.kind && read.attempt == wrote.attempt &&
              str_equal(read.command, wrote.command));
    cr_assert(str_equal(ticket_participant(&read), STR("Air")));
    uint32_t shard = 77;
    cr_assert(ticket_shard(text, &shard) && shard == id_shard(wrote.saga));
    cr_assert_not(ticket_read(text, &other, &read));
    for (size_t i = 0; i < text.size; i++) { /* no byte may be another, nor be missing at the end */
        char *bent = arena_copy(&arena, text).data ? (char *)arena_alloc(&arena, text.size) : NULL;
        memcpy(bent, text.data, text.size);
        bent[i] = (char)(bent[i] ^ 1);
        cr_assert_not(ticket_read((struct str){bent, text.size}, &key, &read), "byte %zu", i);
        cr_assert_not(ticket_read(str_slice(text, 0, i), &key, &read), "%zu bytes", i);
    }
    cr_assert_not(ticket_shard(STR("nonsense.charge"), &shard));
}

Test(envelope, starts)
{
    struct envelope_start start_of;
    struct str reason = STR("");
    struct bus_message message = reply_of(
        "saga.start.order", "Saga-Version: 3\nSaga-Start-Key: o-1\nSaga-Correlation-Id: c\ntraceparent: t",
        "{\"sku\":\"a\"}");
    cr_assert(envelope_start(&message, &arena, &start_of, &reason), "%s", reason.data);
    cr_assert(str_equal(start_of.definition, STR("order")) && start_of.version == 3);
    cr_assert(str_equal(start_of.key, STR("o-1")) && str_equal(start_of.correlation, STR("c")));
    cr_assert(str_equal(start_of.traceparent, STR("t")));
    cr_assert(str_equal(json_text(&arena, start_of.input), STR("{\"sku\":\"a\"}")));
    message = reply_of("saga.start.order", "", "");
    cr_assert(envelope_start(&message, &arena, &start_of, &reason));
    cr_assert(start_of.version == 0 && start_of.key.size == 0 && start_of.input == &json_null);
}

static const struct {
    const char *subject, *headers, *body, *reason;
} bad_starts[] = {
    {"saga.start.", "", "", "the subject \"saga.start.\" is not saga.start.<definition>"},
    {"saga.start.a.b", "", "", "the subject \"saga.start.a.b\" is not saga.start.<definition>"},
    {"saga.signal.a", "", "", "the subject \"saga.signal.a\" is not saga.start.<definition>"},
    {"saga.start.a", "Saga-Version: 0", "", "Saga-Version \"0\" is not a version"},
    {"saga.start.a", "Saga-Version: 2147483648", "", "Saga-Version \"2147483648\" is not a version"},
    {"saga.start.a", "Saga-Start-Key: \xff", "", "Saga-Start-Key is not UTF-8 without control characters"},
    {"saga.start.a", "Saga-Start-Key: a\tb", "", "Saga-Start-Key is not UTF-8 without control characters"},
};

Test(envelope, bad_starts_get_a_precise_reason)
{
    for (size_t i = 0; i < sizeof bad_starts / sizeof bad_starts[0]; i++) {
        struct envelope_start start_of;
        struct str reason = STR("");
        struct bus_message message =
            reply_of(bad_starts[i].subject, bad_starts[i].headers, bad_starts[i].body);
        cr_assert_not(envelope_start(&message, &arena, &start_of, &reason), "%zu", i);
        cr_assert_str_eq(arena_copy(&arena, reason).data, bad_starts[i].reason);
    }
}

Test(envelope, an_event_is_a_cloud_event)
{
    const struct plan plan = {.name = STR("order"), .version = 3};
    const struct core_saga saga = {.plan = &plan,
                                   .id = saga_id(),
                                   .seq = 7,
                                   .status = CORE_PARKED,
                                   .key = STR("o\"1"),
                                   .updated_us = INT64_C(1700000000000001),
                                   .park_code = STR("COMPENSATION_FAILED"),
                                   .park_message = STR("release: no answer")};
    struct bus_message message;
    struct str id;
    envelope_event(&saga, STR("parked"), &arena, &message, &id);
    cr_assert_str_eq(id.data, SAGA "/7/parked");
    cr_assert_str_eq(shown(&message).data,
                     "saga.event.order.parked\n"
                     "ce-specversion: 1.0\n"
                     "ce-id: " SAGA "/7/parked\n"
                     "ce-source: /sagad/definitions/order\n"
                     "ce-type: saga.parked\n"
                     "ce-time: 2023-11-14T22:13:20.000001Z\n"
                     "ce-subject: " SAGA "\n"
                     "content-type: application/json\n"
                     "Saga-Correlation-Id: " SAGA "\n"
                     "{\"id\":\"" SAGA
                     "\",\"definition\":\"order\",\"version\":3,\"key\":\"o\\\"1\",\"status\":\"parked\","
                     "\"reason\":{\"code\":\"COMPENSATION_FAILED\",\"message\":\"release: no answer\"}}");
}

Test(envelope, headers_become_json_whatever_they_hold)
{
    struct bus_message message = reply_of("x", "A: 1\nB: \"q\"\\\nA: 2\nC\xff: \x80\nC\xfe: z", "");
    struct str text = envelope_headers_json(&message, &arena);
    cr_assert_str_eq(text.data, "{\"A\":[\"1\",\"2\"],\"B\":\"\\\"q\\\"\\\\\",\"C?\":[\"?\",\"z\"]}");
    const struct json *value;
    cr_assert_eq(json_parse(&arena, text, text.size, &value, NULL), ERR_OK);
    message.header_count = 0;
    cr_assert_str_eq(envelope_headers_json(&message, &arena).data, "{}");
}
