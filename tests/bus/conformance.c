#include "tests/bus/conformance.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct err_note note;

static struct bed_witness *open_listening(struct bed *bed, uint32_t shard)
{
    struct bed_witness *witness = bed_open(bed);
    cr_assert_eq(bus_listen(witness->bus, shard, 1, &note), ERR_OK, "%s", note.text);
    return witness;
}

void conformance_a_message_is_published_delivered_and_acknowledged(struct bed *bed)
{
    struct bed_witness *engine = open_listening(bed, 3);
    bed_reply(engine, 3, "saga/charge/do/1", "{\"paid\":19.90}", 77);
    cr_assert_eq(bus_in_flight(engine->bus), 1);
    bed_await_published(engine, 1);
    cr_assert_eq(engine->published_cookies[0], 77);
    cr_assert_eq(engine->published_errors[0], ERR_OK);
    cr_assert_eq(bus_in_flight(engine->bus), 0);
    bed_await_seen(engine, 1);
    const struct bed_seen *seen = &engine->seen[0];
    cr_assert_eq(seen->source, BUS_SOURCE_REPLY);
    cr_assert_eq(seen->shard, 3);
    cr_assert_eq(seen->delivery_count, 1);
    cr_assert_str_eq(seen->subject, "saga.reply.3.payments");
    cr_assert_str_eq(seen->body, "{\"paid\":19.90}");
    cr_assert_str_eq(seen->command, "saga/charge/do/1");
    bed_ack(engine, 0);
    bed_settle(engine, 3);
}

void conformance_headers_and_bytes_arrive_as_sent(struct bed *bed)
{
    struct bed_witness *engine = open_listening(bed, 0);
    static const char bytes[] = "{\"a\":\"\\u00e9 \xc3\xa9\",\r\n\t\"b\":[\0]}";
    struct bus_message message = {.subject = STR("saga.reply.0.payments"), .body = {bytes, sizeof bytes - 1}};
    bus_header_add(&message, STR("Saga-Command"), STR("a: b, c;d=\"e\" \xc3\xa9"));
    bus_header_add(&message, STR("Saga-Status"), STR("rejected"));
    bus_header_add(&message, STR("Saga-Error-Message"), STR(""));
    bus_header_add(&message, STR("X-Other"), STR("1"));
    cr_assert_eq(bus_publish(engine->bus, &message, STR("id-1"), 1, &note), ERR_OK, "%s", note.text);
    bed_await_seen(engine, 1);
    cr_assert_str_eq(engine->seen[0].command, "a: b, c;d=\"e\" \xc3\xa9");
    cr_assert_str_eq(engine->seen[0].status, "rejected");
    cr_assert_eq(engine->seen[0].header_count, 4, "the three with a value, and the id");
    cr_assert_eq(engine->seen[0].body_size, sizeof bytes - 1);
}

void conformance_the_same_id_is_one_message(struct bed *bed)
{
    struct bed_witness *engine = open_listening(bed, 1);
    bed_reply(engine, 1, "one", "1", 1);
    bed_reply(engine, 1, "one", "1", 2);
    bed_await_published(engine, 2);
    cr_assert_eq(engine->stored_count, 2, "known already counts as stored");
    bed_await_seen(engine, 1);
    bed_ack(engine, 0);
    bed_settle(engine, 1);
    cr_assert_eq(engine->seen_count, 1);
}

void conformance_what_was_refused_comes_again(struct bed *bed)
{
    struct bed_witness *engine = open_listening(bed, 1);
    engine->refuse = 2;
    bed_reply(engine, 1, "one", "1", 1);
    bed_await_seen(engine, 1);
    cr_assert_eq(engine->refused_count, 2);
    cr_assert_eq(engine->seen[0].delivery_count, 3);
}

void conformance_what_was_not_acknowledged_comes_to_the_next_owner(struct bed *bed)
{
    struct bed_witness *first = open_listening(bed, 5);
    bed_reply(first, 5, "one", "1", 1);
    bed_reply(first, 5, "two", "2", 2);
    bed_await_seen(first, 2);
    bed_ack(first, 0);
    bed_settle(first, 5);
    bed_await_acknowledged(bed, 5, 1);
    struct bed_witness *second = open_listening(bed, 5);
    bed_await_seen(second, 1);
    cr_assert_str_eq(second->seen[0].body, "2");
    bed_settle(second, 5);
    bed_reply(first, 5, "three", "3", 3);
    bed_await_seen(second, 2);
    cr_assert_str_eq(second->seen[1].body, "3", "the first owner gets no more");
    cr_assert_eq(first->seen_count, 2);
}

void conformance_a_message_keeps_its_identity(struct bed *bed)
{
    struct bed_witness *first = open_listening(bed, 5);
    bed_reply(first, 5, "one", "1", 1);
    bed_reply(first, 5, "two", "1", 2);
    bed_await_seen(first, 2);
    cr_assert_str_neq(first->seen[0].identity, "");
    cr_assert_str_neq(first->seen[0].identity, first->seen[1].identity, "not what it says, but which it is");
    struct bed_witness *second = open_listening(bed, 5);
    bed_await_seen(second, 2);
    cr_assert_str_eq(second->seen[0].identity, first->seen[0].identity);
    cr_assert_str_eq(second->seen[1].identity, first->seen[1].identity);
}

void conformance_an_acknowledged_message_does_not_come_again(struct bed *bed)
{
    struct bed_witness *engine = open_listening(bed, 2);
    bed_reply(engine, 2, "one", "1", 1);
    bed_await_seen(engine, 1);
    bed_ack(engine, 0);
    bed_await_acknowledged(bed, 2, 0);
    cr_assert_eq(bus_listen(engine->bus, 2, 1, &note), ERR_OK, "%s", note.text);
    bed_settle(engine, 2);
    cr_assert_eq(engine->seen_count, 1);
}

void conformance_each_shard_gets_its_own_replies(struct bed *bed)
{
    struct bed_witness *first = open_listening(bed, 1);
    struct bed_witness *second = open_listening(bed, 11);
    bed_reply(first, 11, "to-eleven", "11", 1);
    bed_reply(first, 1, "to-one", "1", 2);
    bed_await_seen(first, 1);
    bed_await_seen(second, 1);
    cr_assert_str_eq(first->seen[0].body, "1");
    cr_assert_str_eq(second->seen[0].body, "11");
    cr_assert_eq(second->seen[0].shard, 11);
}

void conformance_after_unlisten_replies_wait(struct bed *bed)
{
    struct bed_witness *engine = open_listening(bed, 4);
    cr_assert_eq(bus_listen(engine->bus, 6, 1, &note), ERR_OK);
    bus_unlisten(engine->bus, 4);
    bed_reply(engine, 4, "one", "1", 1);
    bed_await_published(engine, 1);
    bed_settle(engine, 6);
    cr_assert_eq(engine->seen_count, 0);
    cr_assert_eq(bus_listen(engine->bus, 4, 1, &note), ERR_OK);
    bed_await_seen(engine, 1);
    cr_assert_str_eq(engine->seen[0].body, "1");
}

void conformance_starts_and_signals_arrive(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    cr_assert_eq(bus_listen_in(engine->bus, &note), ERR_OK, "%s", note.text);
    struct bus_message start = bed_message("saga.start.order", "{}");
    struct bus_message signal = bed_message("saga.signal.delivery.signed", "{}");
    cr_assert_eq(bus_publish(engine->bus, &start, STR("s1"), 1, &note), ERR_OK);
    bed_await_seen(engine, 1);
    cr_assert_eq(bus_publish(engine->bus, &signal, STR("s2"), 2, &note), ERR_OK);
    bed_await_seen(engine, 2);
    cr_assert_eq(engine->seen[0].source, BUS_SOURCE_IN);
    cr_assert_str_eq(engine->seen[0].subject, "saga.start.order");
    cr_assert_str_eq(engine->seen[1].subject, "saga.signal.delivery.signed");
    bed_ack(engine, 0);
    bed_ack(engine, 1);
    bus_unlisten_in(engine->bus);
}

/* Also shows that pulls go on: more than two windows, acknowledged as they come. */
void conformance_many_messages_arrive_once_each(struct bed *bed)
{
    enum { MANY = 1500 };
    struct bed_witness *engine = open_listening(bed, 7);
    static bool got[MANY];
    uint32_t acknowledged = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        char id[24];
        snprintf(id, sizeof id, "%" PRIu32, i);
        bed_reply(engine, 7, id, id, i);
        if (i % 100 == 99) {
            bed_await_seen(engine, i + 1);
            while (acknowledged < engine->seen_count)
                bed_ack(engine, acknowledged++);
        }
    }
    bed_await_published(engine, MANY);
    cr_assert_eq(engine->stored_count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        unsigned number = 0;
        cr_assert_eq(sscanf(engine->seen[i].body, "%u", &number), 1);
        cr_assert(!got[number], "%u came twice", number);
        got[number] = true;
    }
    bed_settle(engine, 7);
}

void conformance_a_request_without_responders_is_unavailable(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    struct bus_message message = bed_message("billing.charge", "{}");
    const uint64_t cookie = UINT64_C(3) << BUS_COOKIE_SHARD_BIT | 17;
    cr_assert_eq(bus_request(engine->bus, &message, 5000000, cookie, &note), ERR_OK, "%s", note.text);
    bed_await_seen(engine, 1);
    cr_assert_eq(engine->seen[0].source, BUS_SOURCE_ANSWER);
    cr_assert_eq(engine->seen[0].error, ERR_UNAVAILABLE);
    cr_assert_eq(engine->seen[0].cookie, cookie);
    cr_assert_eq(engine->seen[0].shard, 3);
}

/* A thread that answers the first control request its bus is given. */
struct owner {
    struct bed_witness *witness;
    bool answered;
};

static bool has_seen(void *context)
{
    struct bed_witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    bool some = witness->seen_count > 0;
    pthread_mutex_unlock(&witness->mutex);
    return some;
}

static void *answer_first(void *argument)
{
    struct owner *owner = argument;
    if (!bed_await(owner->witness->bed, has_seen, owner->witness, BED_PATIENCE_MS))
        return NULL;
    const struct bed_seen *seen = &owner->witness->seen[0];
    owner->answered = seen->source == BUS_SOURCE_CONTROL && seen->shard == 9 &&
                      strcmp(seen->body, "cancel it") == 0 &&
                      bus_answer(owner->witness->bus, str_from(seen->ack), STR("done")) == ERR_OK;
    return NULL;
}

void conformance_control_is_asked_and_answered(struct bed *bed)
{
    struct bed_witness *asker = bed_open(bed);
    struct owner owner = {.witness = open_listening(bed, 9)};
    struct str answer = {NULL, 0};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, answer_first, &owner), 0);
    enum err err = bus_call(asker->bus, 9, STR("cancel it"), 10000000, &bed->arena, &answer, &note);
    pthread_join(thread, NULL);
    cr_assert(owner.answered);
    cr_assert_eq(err, ERR_OK, "%s", note.text);
    cr_assert(str_equal(answer, STR("done")));
}

void conformance_control_without_an_owner_is_unavailable(struct bed *bed)
{
    struct bed_witness *asker = open_listening(bed, 8);
    struct str answer;
    cr_assert_eq(bus_call(asker->bus, 9, STR("x"), 5000000, &bed->arena, &answer, &note), ERR_UNAVAILABLE);
    bus_unlisten(asker->bus, 8);
    cr_assert_eq(bus_call(asker->bus, 8, STR("x"), 5000000, &bed->arena, &answer, &note), ERR_UNAVAILABLE);
}

static enum err try_header(struct bed_witness *engine, struct str name, struct str value)
{
    struct bus_message message = bed_message("saga.reply.0.payments", "{}");
    bus_header_add(&message, name, value);
    return bus_publish(engine->bus, &message, STR("id"), 1, &note);
}

void conformance_a_bad_message_is_refused_at_once(struct bed *bed)
{
    static const char *const subjects[] = {"",   "a b",  "saga.reply.*.x", "saga.>",      ".a",
                                           "a.", "a..b", "a\r\nPING",      "saga.cmd.\t", "a\x7f"};
    struct bed_witness *engine = bed_open(bed);
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        struct bus_message message = bed_message(subjects[i], "{}");
        cr_assert_eq(bus_publish(engine->bus, &message, STR("id"), 1, &note), ERR_INVALID, "\"%s\"",
                     subjects[i]);
    }
    cr_assert_eq(try_header(engine, STR("A"), STR("b\r\nSaga-Status: ok")), ERR_INVALID);
    cr_assert_eq(try_header(engine, STR("A"), STR("b\nc")), ERR_INVALID);
    cr_assert_eq(try_header(engine, STR("A"), STR("b\0c")), ERR_INVALID);
    cr_assert_eq(try_header(engine, STR("A: x\r\nB"), STR("c")), ERR_INVALID);
    cr_assert_eq(try_header(engine, STR("A B"), STR("c")), ERR_INVALID);
    struct str big = {arena_alloc(&bed->arena, 2 << 20), 2 << 20};
    struct bus_message large = {.subject = STR("saga.reply.0.payments"), .body = big};
    cr_assert_eq(bus_publish(engine->bus, &large, STR("id"), 1, &note), ERR_LIMIT);
    cr_assert_eq(bus_in_flight(engine->bus), 0);
    cr_assert_eq(engine->published_count, 0, "a refused publish is answered by its return value alone");
}

void conformance_a_publish_to_no_stream_is_answered_with_an_error(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    struct bus_message message = bed_message("elsewhere.entirely", "{}");
    cr_assert_eq(bus_publish(engine->bus, &message, STR("id"), 5, &note), ERR_OK);
    bed_await_published(engine, 1);
    cr_assert_eq(engine->published_cookies[0], 5);
    cr_assert_eq(engine->published_errors[0], ERR_UNAVAILABLE);
}

void conformance_participants_are_made_and_bad_names_refused(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    const struct str good[] = {STR("payments"), STR("inventory-2")};
    const struct str bad[] = {STR("payments"), STR("pay.ments")};
    cr_assert_eq(bus_participants(engine->bus, good, 2, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_participants(engine->bus, good, 2, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_participants(engine->bus, bad, 2, &note), ERR_INVALID);
    cr_assert_str_eq(note.text, "\"pay.ments\" is no name of a participant");
}

void conformance_events_are_taken(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    struct bus_message message = bed_message("saga.event.order.started", "{}");
    cr_assert_eq(bus_publish(engine->bus, &message, STR("e1"), 1, &note), ERR_OK, "%s", note.text);
    bed_await_published(engine, 1);
    cr_assert_eq(engine->stored_count, 1);
}

void conformance_the_probe_stores(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    cr_assert_eq(bus_probe(engine->bus, &note), ERR_OK, "%s", note.text);
}
