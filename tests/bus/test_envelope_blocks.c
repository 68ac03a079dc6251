/* What the messages of blocks say: commands to child sagas and their replies, and signals; each mistake with
 * its exact sentence. */
#include <criterion/criterion.h>
#include "engine/bus/envelope.h"

#define SAGA "01900000-0000-7000-8000-000000000003"
#define CHILD "01900000-0000-7000-8000-00000000000b"

static struct arena arena;

static void start(void)
{
    arena_init(&arena, 0);
}

static void stop(void)
{
    arena_fini(&arena);
}

TestSuite(envelope_blocks, .init = start, .fini = stop);

static struct id saga_id(void)
{
    struct id id;
    cr_assert(id_parse(STR(SAGA), &id));
    return id;
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

static struct envelope_child child_of(enum core_kind kind)
{
    struct envelope_child child = {.parent = saga_id(),
                                   .parent_definition = STR("order"),
                                   .step = STR("bill[2]"),
                                   .kind = kind,
                                   .attempt = 3,
                                   .depth = 2,
                                   .definition = STR("invoicing"),
                                   .version = 2,
                                   .correlation = STR("web-7"),
                                   .traceparent = STR("00-4b-00-01"),
                                   .body = STR("{\"total\":19.90}")};
    cr_assert(id_parse(STR(CHILD), &child.child));
    return child;
}

Test(envelope_blocks, a_child_command_names_everything)
{
    struct envelope_child child = child_of(CORE_DO);
    struct bus_message message;
    struct str id;
    envelope_child(&child, &arena, &message, &id);
    cr_assert_str_eq(id.data, SAGA "/bill[2]/do/3");
    cr_assert_str_eq(shown(&message).data, "saga.child.invoicing\n"
                                           "Saga-Command: " SAGA "/bill[2]/do/3\n"
                                           "Saga-Key: " SAGA "/bill[2]\n"
                                           "Saga-Kind: do\n"
                                           "Saga-Attempt: 3\n"
                                           "Saga-Reply-To: saga.reply.3.sagad\n"
                                           "Saga-Child: " CHILD "\n"
                                           "Saga-Depth: 2\n"
                                           "Saga-Version: 2\n"
                                           "Saga-Definition: order\n"
                                           "Saga-Correlation-Id: web-7\n"
                                           "traceparent: 00-4b-00-01\n"
                                           "{\"total\":19.90}");
    cr_assert_eq(bus_check(&message, id, NULL), ERR_OK);
}

Test(envelope_blocks, a_child_command_of_the_newest_version_names_none)
{
    struct envelope_child child = child_of(CORE_UNDO);
    child.version = 0;
    child.correlation = STR("");
    child.traceparent = STR("");
    struct bus_message message;
    struct str id;
    envelope_child(&child, &arena, &message, &id);
    cr_assert_eq(bus_header(&message, STR("Saga-Version")).size, 0);
    cr_assert_eq(bus_header(&message, STR("traceparent")).size, 0);
    cr_assert(str_equal(bus_header(&message, STR("Saga-Kind")), STR("undo")));
    cr_assert(str_equal(bus_header(&message, STR("Saga-Correlation-Id")), STR(SAGA)),
              "a child belongs to what its parent belongs to");
}

Test(envelope_blocks, a_child_command_is_read_as_written)
{
    static const enum core_kind kinds[] = {CORE_DO, CORE_UNDO};
    for (size_t i = 0; i < 2; i++) {
        struct envelope_child child = child_of(kinds[i]), read;
        struct bus_message message;
        struct str id, reason = {0};
        envelope_child(&child, &arena, &message, &id);
        cr_assert(envelope_child_read(&message, &arena, &read, &reason), "%s", reason.data);
        cr_assert(id_equal(read.parent, child.parent) && id_equal(read.child, child.child));
        cr_assert(str_equal(read.step, child.step) && read.kind == kinds[i] && read.attempt == 3);
        cr_assert(str_equal(read.definition, child.definition) && read.version == 2);
        cr_assert(str_equal(read.correlation, child.correlation));
        cr_assert(str_equal(read.traceparent, child.traceparent));
        cr_assert(str_equal(json_text(&arena, read.input), child.body));
    }
    struct bus_message start_of = {.subject = STR("saga.start.order"), .body = STR("{}")};
    struct envelope_start start;
    struct envelope_child read;
    struct str reason = {0};
    bus_header_add(&start_of, STR("Saga-Kind"), STR("do"));
    cr_assert(envelope_start(&start_of, &arena, &start, &reason),
              "a participant may start sagas with the headers it was given");
    bus_header_add(&start_of, STR("Saga-Child"), STR(SAGA));
    cr_assert_not(envelope_start(&start_of, &arena, &start, &reason), "but command no child");
    cr_assert_not(envelope_child_read(&start_of, &arena, &read, &reason));
}

/* The message of a child command, with one header changed ("" : left out). */
static bool read_changed(const char *subject, const char *header, const char *value, const char *body,
                         struct str *reason)
{
    struct envelope_child child = child_of(CORE_DO), read;
    struct bus_message message, changed;
    struct str id;
    envelope_child(&child, &arena, &message, &id);
    changed = (struct bus_message){.subject = str_from(subject), .body = str_from(body)};
    for (uint32_t i = 0; i < message.header_count; i++)
        bus_header_add(&changed, message.headers[i].name,
                       str_equal(message.headers[i].name, str_from(header)) ? str_from(value)
                                                                            : message.headers[i].value);
    return envelope_child_read(&changed, &arena, &read, reason);
}

Test(envelope_blocks, each_mistake_in_a_child_command_is_named)
{
    static const struct {
        const char *subject, *header, *value, *body, *reason;
    } cases[] = {
        {"saga.child.a.b", "", "", "", "the subject \"saga.child.a.b\" is not saga.child.<definition>"},
        {"saga.child.a", "Saga-Command", "x/y/do/1", "",
         "Saga-Command \"x/y/do/1\" is not <saga>/<step>/<do|undo>/<attempt>"},
        {"saga.child.a", "Saga-Command", "", "",
         "Saga-Command \"\" is not <saga>/<step>/<do|undo>/<attempt>"},
        {"saga.child.a", "Saga-Command", SAGA "/bill/verify/1", "",
         "a child saga is started or undone: Saga-Kind verify means nothing to it"},
        {"saga.child.a", "Saga-Kind", "undo", "", "Saga-Kind \"undo\" is not that of Saga-Command, do"},
        {"saga.child.a", "Saga-Kind", "", "", "Saga-Kind \"\" is not that of Saga-Command, do"},
        {"saga.child.a", "Saga-Child", "7", "", "Saga-Child \"7\" is not the id of a saga"},
        {"saga.child.a", "Saga-Depth", "0", "", "Saga-Depth \"0\" is not the number of sagas above this one"},
        {"saga.child.a", "Saga-Version", "two", "", "Saga-Version \"two\" is not a version"},
        {"saga.child.a", "", "", "{", "the body is not JSON: 1:2: expected a key in quotes, found the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str reason = {0};
        cr_assert_not(read_changed(cases[i].subject, cases[i].header, cases[i].value, cases[i].body, &reason),
                      "%zu", i);
        cr_assert_str_eq(arena_copy(&arena, reason).data, cases[i].reason);
    }
}

Test(envelope_blocks, a_childs_reply_is_any_participants_reply)
{
    struct envelope_child_reply reply = {.parent = saga_id(),
                                         .step = STR("bill[2]"),
                                         .kind = CORE_DO,
                                         .attempt = 3,
                                         .status = CORE_REPLY_OK,
                                         .body = STR("{\"number\":\"R-1\"}")};
    struct bus_message message;
    struct core_event event;
    struct id saga;
    struct str id, reason = {0};
    bool known = false;
    cr_assert(id_parse(STR(CHILD), &reply.child));
    envelope_child_reply(&reply, &arena, &message, &id);
    cr_assert_str_eq(id.data, SAGA "/bill[2]/do/3/ok");
    cr_assert_str_eq(shown(&message).data, "saga.reply.3.sagad\n"
                                           "Saga-Command: " SAGA "/bill[2]/do/3\n"
                                           "Saga-Status: ok\n"
                                           "Saga-Child: " CHILD "\n"
                                           "{\"number\":\"R-1\"}");
    cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason), "%s", reason.data);
    cr_assert(id_equal(saga, reply.parent) && str_equal(event.step, reply.step) && event.attempt == 3);
    cr_assert(str_equal(event.participant, STR("sagad")) && event.status == CORE_REPLY_OK);
    cr_assert(str_equal(json_text(&arena, event.body), reply.body));
}

Test(envelope_blocks, a_childs_refusal_carries_its_reason)
{
    struct envelope_child_reply reply = {.parent = saga_id(),
                                         .step = STR("bill"),
                                         .kind = CORE_UNDO,
                                         .attempt = 1,
                                         .status = CORE_REPLY_REJECTED,
                                         .error_code = STR("CHILD_TERMINATED"),
                                         .error_message = STR("by ann:\r\nenough")};
    struct bus_message message;
    struct core_event event;
    struct id saga;
    struct str id, reason = {0};
    bool known = false;
    envelope_child_reply(&reply, &arena, &message, &id);
    cr_assert_eq(bus_check(&message, id, NULL), ERR_OK);
    cr_assert(envelope_reply(&message, &arena, &event, &saga, &known, &reason), "%s", reason.data);
    cr_assert(event.command_kind == CORE_UNDO && event.status == CORE_REPLY_REJECTED);
    cr_assert(str_equal(event.error_code, reply.error_code));
    cr_assert(str_equal(event.error_message, STR("by ann:  enough")));
}

static bool read_signal(const char *subject, const char *const *headers, const char *body,
                        struct envelope_signal *signal, struct str *reason)
{
    struct bus_delivery delivery = {.source = BUS_SOURCE_IN,
                                    .identity = STR("SAGA_IN/7/1"),
                                    .message = {.subject = str_from(subject), .body = str_from(body)}};
    for (; *headers != NULL; headers += 2)
        bus_header_add(&delivery.message, str_from(headers[0]), str_from(headers[1]));
    return envelope_signal(&delivery, &arena, signal, reason);
}

Test(envelope_blocks, a_signal_names_its_saga_by_id_or_by_key)
{
    static const char *const by_id[] = {"Saga-Id", SAGA, "Saga-Definition", "order", NULL};
    static const char *const by_key[] = {"Saga-Definition", "order", "Saga-Start-Key", "o-7", NULL};
    struct envelope_signal signal;
    struct str reason = {0};
    cr_assert(read_signal("saga.signal.delivery.signed", by_id, "{\"by\":\"ann\"}", &signal, &reason), "%s",
              reason.data);
    cr_assert(str_equal(signal.event, STR("delivery.signed")));
    cr_assert(signal.has_saga && id_equal(signal.saga, saga_id()) && signal.key.size == 0);
    cr_assert(str_equal(json_text(&arena, signal.body), STR("{\"by\":\"ann\"}")));
    cr_assert(read_signal("saga.signal.paid", by_key, "", &signal, &reason), "%s", reason.data);
    cr_assert(!signal.has_saga && str_equal(signal.definition, STR("order")));
    cr_assert(str_equal(signal.key, STR("o-7")));
    cr_assert(signal.body == NULL, "the saga decides what stands for none");
}

Test(envelope_blocks, a_signal_always_has_an_id)
{
    static const char *const both[] = {"Saga-Id",   SAGA, "Saga-Signal-Id", "mine", "Nats-Msg-Id",
                                       "carrier's", NULL};
    static const char *const carried[] = {"Saga-Id", SAGA, "Nats-Msg-Id", "carrier's", NULL};
    static const char *const none[] = {"Saga-Id", SAGA, NULL};
    struct envelope_signal signal;
    struct str reason = {0};
    cr_assert(read_signal("saga.signal.paid", both, "", &signal, &reason), "%s", reason.data);
    cr_assert(str_equal(signal.id, STR("mine")));
    cr_assert(read_signal("saga.signal.paid", carried, "", &signal, &reason), "%s", reason.data);
    cr_assert(str_equal(signal.id, STR("carrier's")));
    cr_assert(read_signal("saga.signal.paid", none, "", &signal, &reason), "%s", reason.data);
    cr_assert(str_equal(signal.id, STR("SAGA_IN/7/1")), "delivered twice it is still one signal");
}

#define TEN "xxxxxxxxxx"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "x"

Test(envelope_blocks, each_mistake_in_a_signal_is_named)
{
    static const struct {
        const char *subject;
        const char *headers[7];
        const char *body;
        const char *reason;
    } cases[] = {
        {"saga.signal.", {"Saga-Id", SAGA}, "", "the subject \"saga.signal.\" is not saga.signal.<event>"},
        {"saga.start.x", {"Saga-Id", SAGA}, "", "the subject \"saga.start.x\" is not saga.signal.<event>"},
        {"saga.signal.paid",
         {NULL},
         "",
         "the signal names no saga: give Saga-Id, or Saga-Definition and Saga-Start-Key"},
        {"saga.signal.paid",
         {"Saga-Definition", "order"},
         "",
         "the signal names no saga: give Saga-Id, or Saga-Definition and Saga-Start-Key"},
        {"saga.signal.paid",
         {"Saga-Id", SAGA, "Saga-Start-Key", "o-7"},
         "",
         "the signal names its saga twice, by Saga-Id and by Saga-Start-Key: leave one out"},
        {"saga.signal.paid", {"Saga-Id", "o-7"}, "", "Saga-Id \"o-7\" is not the id of a saga"},
        {"saga.signal.paid",
         {"Saga-Start-Key", "o-7"},
         "",
         "the signal has Saga-Start-Key without Saga-Definition, which says whose key it is"},
        {"saga.signal.paid",
         {"Saga-Start-Key", "o-7", "Saga-Definition", "o\xff"},
         "",
         "Saga-Definition \"o?\" is not the name of a definition"},
        {"saga.signal.paid",
         {"Saga-Start-Key", LONG, "Saga-Definition", "order"},
         "",
         "Saga-Start-Key has 201 bytes, the limit is 200"},
        {"saga.signal.paid",
         {"Saga-Id", SAGA, "Saga-Signal-Id", LONG},
         "",
         "Saga-Signal-Id is not UTF-8 of at most 200 bytes without control characters"},
        {"saga.signal.paid",
         {"Saga-Id", SAGA, "Saga-Signal-Id", "a\tb"},
         "",
         "Saga-Signal-Id is not UTF-8 of at most 200 bytes without control characters"},
        {"saga.signal.paid",
         {"Saga-Id", SAGA, "Nats-Msg-Id", "\xff"},
         "",
         "Nats-Msg-Id is not UTF-8 of at most 200 bytes without control characters"},
        {"saga.signal.paid",
         {"Saga-Id", SAGA},
         "{",
         "the body is not JSON: 1:2: expected a key in quotes, found the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct envelope_signal signal;
        struct str reason = {0};
        cr_assert_not(read_signal(cases[i].subject, cases[i].headers, cases[i].body, &signal, &reason), "%zu",
                      i);
        cr_assert_str_eq(arena_copy(&arena, reason).data, cases[i].reason);
    }
}
