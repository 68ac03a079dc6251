/* What every bus does, case by case (conformance.def); run over NATS and over the twin. Never asks which one
 * it is. */
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
    cr_assert_eq(bus_request(engine->bus, &message, STR("saga.17.proof"), &note), ERR_OK, "%s", note.text);
    bus_flush(engine->bus);
    bed_await_seen(engine, 1);
    cr_assert_eq(engine->seen[0].source, BUS_SOURCE_ANSWER);
    cr_assert_eq(engine->seen[0].error, ERR_UNAVAILABLE);
    cr_assert_str_eq(engine->seen[0].identity, "saga.17.proof");
    char longest[BUS_TICKET_BYTES + 2];
    memset(longest, 't', sizeof longest);
    cr_assert_eq(bus_request(engine->bus, &message, (struct str){longest, BUS_TICKET_BYTES + 1}, &note),
                 ERR_LIMIT);
    cr_assert_eq(bus_request(engine->bus, &message, STR(""), &note), ERR_LIMIT);
    cr_assert_eq(bus_request(engine->bus, &message, (struct str){longest, BUS_TICKET_BYTES}, &note), ERR_OK);
    bus_flush(engine->bus);
    bed_await_seen(engine, 2);
    cr_assert_eq(strlen(engine->seen[1].identity), BUS_TICKET_BYTES - 1); /* as much as the witness keeps */
}

static void call(struct bed_witness *asker, uint32_t shard, const char *body, int64_t timeout_us,
                 uint64_t cookie)
{
    enum err err = bus_call(asker->bus, shard, str_from(body), timeout_us, cookie, &note);
    cr_assert_eq(err, ERR_OK, "%s", note.text);
    bus_flush(asker->bus);
}

static void expect_end(const struct bed_witness *asker, uint32_t index, uint64_t cookie, enum err error,
                       const char *body)
{
    const struct bed_seen *seen = &asker->seen[index];
    cr_assert_eq(seen->source, BUS_SOURCE_CALLED);
    cr_assert_eq(seen->cookie, cookie);
    cr_assert_eq(seen->error, error, "%s", err_text(seen->error));
    cr_assert_str_eq(seen->body, body);
}

static void answer(struct bed_witness *owner, uint32_t index, const char *body)
{
    cr_assert_eq(owner->seen[index].source, BUS_SOURCE_CONTROL);
    cr_assert_eq(bus_answer(owner->bus, str_from(owner->seen[index].ack), str_from(body)), ERR_OK);
}

void conformance_control_is_asked_and_answered(struct bed *bed)
{
    struct bed_witness *asker = bed_open(bed);
    struct bed_witness *owner = open_listening(bed, 9);
    call(asker, 9, "cancel it", 10000000, 71);
    bed_await_seen(owner, 1);
    cr_assert_eq(owner->seen[0].shard, 9);
    cr_assert_str_eq(owner->seen[0].subject, "saga.ctl.9");
    cr_assert_str_eq(owner->seen[0].body, "cancel it");
    answer(owner, 0, "done");
    bed_await_seen(asker, 1);
    expect_end(asker, 0, 71, ERR_OK, "done");
}

void conformance_control_without_an_owner_is_unavailable(struct bed *bed)
{
    enum { CALLS_MAX = 20 };
    struct bed_witness *asker = open_listening(bed, 8);
    call(asker, 9, "x", 60000000, 1);
    bed_await_seen(asker, 1);
    expect_end(asker, 0, 1, ERR_UNAVAILABLE, "");
    bus_unlisten(asker->bus, 8);
    /* The broker may hear of that after the next call, which then meets silence. */
    uint32_t calls = 1;
    do {
        call(asker, 8, "x", 300000, ++calls);
        bed_await_seen(asker, calls);
    } while (asker->seen[calls - 1].error == ERR_TIMEOUT && calls < CALLS_MAX);
    expect_end(asker, calls - 1, calls, ERR_UNAVAILABLE, "");
}

/* One that says nothing keeps nobody else waiting: its time runs out behind the others' answers. */
void conformance_calls_wait_side_by_side(struct bed *bed)
{
    enum { SILENT = 20 };
    struct bed_witness *asker = bed_open(bed);
    struct bed_witness *silent = open_listening(bed, 4);
    struct bed_witness *owner = open_listening(bed, 9);
    for (uint64_t i = 0; i < SILENT; i++)
        call(asker, 4, "anybody?", 60000000, 100 + i);
    call(asker, 9, "go on", 60000000, 7);
    bed_await_seen(silent, SILENT);
    bed_await_seen(owner, 1);
    answer(owner, 0, "went on");
    bed_await_seen(asker, 1);
    expect_end(asker, 0, 7, ERR_OK, "went on");
    answer(silent, SILENT - 1, "sorry");
    bed_await_seen(asker, 2);
    expect_end(asker, 1, 100 + SILENT - 1, ERR_OK, "sorry");
}

void conformance_a_call_that_nobody_answers_times_out_once(struct bed *bed)
{
    struct bed_witness *asker = bed_open(bed);
    struct bed_witness *owner = open_listening(bed, 9);
    call(asker, 9, "x", 300000, 5);
    bed_await_seen(owner, 1);
    bed_await_seen(asker, 1);
    expect_end(asker, 0, 5, ERR_TIMEOUT, "");
    answer(owner, 0, "too late");
    call(asker, 9, "y", 60000000, 6);
    bed_await_seen(owner, 2);
    answer(owner, 1, "in time");
    bed_await_seen(asker, 2);
    expect_end(asker, 1, 6, ERR_OK, "in time");
    cr_assert_eq(asker->seen_count, 2);
}

void conformance_a_call_that_is_too_large_is_refused_at_once(struct bed *bed)
{
    struct bed_witness *asker = open_listening(bed, 8);
    struct str big = {arena_alloc(&bed->arena, 2 << 20), 2 << 20};
    memset((char *)(uintptr_t)big.data, 'x', big.size);
    cr_assert_eq(bus_call(asker->bus, 8, big, 60000000, 1, &note), ERR_LIMIT, "%s", note.text);
    call(asker, 8, "small", 60000000, 2);
    bed_await_seen(asker, 1);
    cr_assert_eq(asker->seen[0].source, BUS_SOURCE_CONTROL, "it asks itself, and no other answer came");
}

/* Once for each time it is given back, and not at once. */
void conformance_what_is_given_back_comes_again(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    cr_assert_eq(bus_listen_in(engine->bus, &note), ERR_OK, "%s", note.text);
    struct bus_message message = bed_message("saga.start.order", "{}");
    cr_assert_eq(bus_publish(engine->bus, &message, STR("start-1"), 1, &note), ERR_OK);
    bus_flush(engine->bus);
    bed_await_seen(engine, 1);
    cr_assert_eq(engine->seen[0].delivery_count, 1);
    bus_give_back(engine->bus, str_from(engine->seen[0].ack), 200000);
    bus_flush(engine->bus);
    bed_await_seen(engine, 2);
    cr_assert_eq(engine->seen[1].delivery_count, 2);
    cr_assert_str_eq(engine->seen[1].identity, engine->seen[0].identity);
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
    cr_assert_eq(engine->published_errors[0], ERR_NOT_FOUND);
    cr_assert_str_eq(engine->cause, "no stream takes it");
}

static uint64_t publish_command(struct bed_witness *engine, const char *subject, const char *id)
{
    struct bus_message message = bed_message(subject, "{}");
    uint32_t before = engine->published_count;
    cr_assert_eq(bus_publish(engine->bus, &message, str_from(id), before, &note), ERR_OK, "%s", note.text);
    bed_await_published(engine, before + 1);
    cr_assert_eq(engine->published_errors[before], ERR_OK, "%s", engine->cause);
    return engine->published_sequences[before];
}

static struct bed_witness *open_with_participants(struct bed *bed)
{
    const struct bus_participant participants[] = {{.name = STR("payments")}, {.name = STR("pay")}};
    struct bed_witness *engine = bed_open(bed);
    cr_assert_eq(bus_participants(engine->bus, participants, 2, &note), ERR_OK, "%s", note.text);
    return engine;
}

void conformance_a_publish_tells_its_sequence(struct bed *bed)
{
    struct bed_witness *engine = open_with_participants(bed);
    uint64_t first = publish_command(engine, "saga.cmd.payments.charge", "one");
    uint64_t second = publish_command(engine, "saga.cmd.payments.charge", "two");
    cr_assert_gt(first, 0);
    cr_assert_gt(second, first);
    cr_assert_eq(publish_command(engine, "saga.cmd.payments.charge", "one"), first, "known already");
}

void conformance_how_far_a_participant_has_got_is_told(struct bed *bed)
{
    struct bed_witness *engine = open_with_participants(bed);
    uint64_t first = publish_command(engine, "saga.cmd.payments.charge", "one");
    uint64_t second = publish_command(engine, "saga.cmd.payments.refund", "two");
    struct bus_sight before = bed_look(engine, "payments");
    cr_assert_eq(before.error, ERR_OK);
    cr_assert_lt(before.delivered, first);
    cr_assert_eq(before.pending, 2);
    cr_assert_neq(before.life, 0);
    cr_assert_eq(bed_look(engine, "pay").pending, 0, "another's commands are not its own");
    bed_take(bed, "payments");
    struct bus_sight after = bed_look(engine, "payments");
    cr_assert_geq(after.delivered, first);
    cr_assert_lt(after.delivered, second);
    cr_assert_eq(after.pending, 1);
    cr_assert_eq(after.life, before.life);
}

void conformance_a_command_is_taken_back(struct bed *bed)
{
    struct bed_witness *engine = open_with_participants(bed);
    uint64_t first = publish_command(engine, "saga.cmd.payments.charge", "one");
    uint64_t second = publish_command(engine, "saga.cmd.payments.charge", "two");
    uint64_t third = publish_command(engine, "saga.cmd.payments.charge", "three");
    cr_assert_eq(bed_take_back(engine, first, 77), ERR_OK);
    cr_assert_eq(engine->back_cookie, 77);
    cr_assert_eq(bed_take_back(engine, first, 78), ERR_NOT_FOUND, "once only");
    struct bus_sight sight = bed_look(engine, "payments");
    cr_assert_lt(sight.delivered, first, "never delivered: that is proved now");
    cr_assert_eq(sight.pending, 2);
    bed_take(bed, "payments");
    cr_assert_eq(bed_take_back(engine, second, 79), ERR_NOT_FOUND, "it was taken and acknowledged");
    sight = bed_look(engine, "payments");
    cr_assert_geq(sight.delivered, second);
    cr_assert_lt(sight.delivered, third);
}

void conformance_participants_are_made_and_bad_names_refused(struct bed *bed)
{
    struct bed_witness *engine = bed_open(bed);
    const struct bus_participant good[] = {{.name = STR("payments")}, {.name = STR("inventory-2")}};
    const struct bus_participant bad[] = {{.name = STR("payments")}, {.name = STR("pay.ments")}};
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
