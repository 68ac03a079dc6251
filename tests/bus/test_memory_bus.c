/* The in-memory twin: the conformance suite, and what only a test can do to it. */
#include <criterion/criterion.h>
#include "tests/bus/conformance.h"

#define X(name)                                                                                              \
    Test(memory_bus, name, .timeout = 60)                                                                    \
    {                                                                                                        \
        struct bed bed;                                                                                      \
        bed_start(&bed, false);                                                                              \
        conformance_##name(&bed);                                                                            \
        bed_stop(&bed);                                                                                      \
    }
#include "tests/bus/conformance.def"
#undef X

static struct err_note note;

Test(memory_bus, a_participant_takes_its_oldest_command)
{
    struct bed bed;
    bed_start(&bed, false);
    struct bed_witness *engine = bed_open(&bed);
    static const char *const subjects[] = {"saga.cmd.payments.charge", "saga.cmd.payments-2.charge",
                                           "saga.cmd.payments.refund"};
    for (uint64_t i = 0; i < 3; i++) {
        struct bus_message message = bed_message(subjects[i], "{}");
        bus_header_add(&message, STR("Saga-Kind"), STR("do"));
        cr_assert_eq(bus_publish(engine->bus, &message, str_from(subjects[i]), i, &note), ERR_OK);
    }
    struct bus_message taken;
    cr_assert(memory_bus_take_command(bed.broker, STR("payments"), &bed.arena, &taken));
    cr_assert_str_eq(taken.subject.data, "saga.cmd.payments.charge");
    cr_assert(str_equal(bus_header(&taken, STR("saga-kind")), STR("do")));
    cr_assert(memory_bus_take_command(bed.broker, STR("payments"), &bed.arena, &taken));
    cr_assert_str_eq(taken.subject.data, "saga.cmd.payments.refund");
    cr_assert_not(memory_bus_take_command(bed.broker, STR("payments"), &bed.arena, &taken));
    bed_stop(&bed);
}

Test(memory_bus, what_is_sent_comes_until_acknowledged)
{
    struct bed bed;
    bed_start(&bed, false);
    struct bed_witness *engine = bed_open(&bed);
    struct bus_message message = bed_message("saga.reply.1.payments", "1");
    cr_assert_eq(bus_listen(engine->bus, 1, 1, &note), ERR_OK);
    memory_bus_send(bed.broker, &message);
    cr_assert_eq(memory_bus_deliver(bed.broker, 10), 1);
    cr_assert_eq(memory_bus_deliver(bed.broker, 10), 0);
    memory_bus_redeliver(bed.broker);
    cr_assert_eq(memory_bus_deliver(bed.broker, 10), 1);
    cr_assert_eq(engine->seen[1].delivery_count, 2);
    bed_ack(engine, 0);
    memory_bus_redeliver(bed.broker);
    cr_assert_eq(memory_bus_deliver(bed.broker, 10), 0);
    bed_stop(&bed);
}

Test(memory_bus, a_wipe_loses_messages_and_ids)
{
    struct bed bed;
    bed_start(&bed, false);
    struct bed_witness *engine = bed_open(&bed);
    cr_assert_eq(bus_listen(engine->bus, 1, 1, &note), ERR_OK);
    bed_reply(engine, 1, "one", "1", 1);
    memory_bus_wipe(bed.broker);
    bed_await_published(engine, 1);
    cr_assert_eq(engine->seen_count, 0);
    bed_reply(engine, 1, "one", "1", 2);
    bed_await_seen(engine, 1);
    bed_stop(&bed);
}

Test(memory_bus, delivery_stops_where_it_is_told)
{
    struct bed bed;
    bed_start(&bed, false);
    struct bed_witness *engine = bed_open(&bed);
    cr_assert_eq(bus_listen(engine->bus, 1, 1, &note), ERR_OK);
    for (uint64_t i = 0; i < 600; i++) {
        struct bus_message message = bed_message("saga.reply.1.payments", "1");
        memory_bus_send(bed.broker, &message);
    }
    cr_assert_eq(memory_bus_deliver(bed.broker, 7), 7);
    cr_assert_eq(memory_bus_deliver(bed.broker, 1000), 505, "512 unacknowledged are the most, as on NATS");
    bed_ack(engine, 0);
    cr_assert_eq(memory_bus_deliver(bed.broker, 1000), 1);
    bed_stop(&bed);
}

Test(memory_bus, closing_answers_what_is_under_way)
{
    struct bed bed;
    bed_start(&bed, false);
    struct bed_witness *engine = bed_open(&bed);
    bed_reply(engine, 1, "one", "1", 9);
    bed_close(engine);
    cr_assert_eq(engine->published_count, 1);
    cr_assert_eq(engine->published_errors[0], ERR_CLOSED);
    bed_stop(&bed);
}
