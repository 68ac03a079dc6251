/* Subjects are read whole or not at all. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include "engine/bus/subject.h"

Test(subject, a_control_subject_is_exact)
{
    static const char *const bad[] = {"",
                                      "saga.ctl",
                                      "saga.ctl.",
                                      "saga.ctl.x",
                                      "saga.ctl.-1",
                                      "saga.ctl.+1",
                                      "saga.ctl.1 ",
                                      "saga.ctl.01",
                                      "saga.ctl.1.",
                                      "saga.ctl.1.2",
                                      "saga.ctl.999999",
                                      "saga.cmd.inv.go",
                                      "saga.cmd.1",
                                      "Saga.ctl.1",
                                      "xsaga.ctl.1",
                                      "saga.ctl. 1",
                                      "saga.ctl.4294967297",
                                      "saga.ctl.1x"};
    uint32_t shard = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(subject_control(str_from(bad[i]), &shard), "%s", bad[i]);
    cr_assert(subject_control(STR("saga.ctl.0"), &shard) && shard == 0);
    cr_assert(subject_control(STR("saga.ctl.15"), &shard) && shard == 15);
}

Test(subject, a_reply_names_one_shard_and_one_participant)
{
    static const char *const bad[] = {
        "saga.reply.3",     "saga.reply.3.",      "saga.reply..a",   "saga.reply.3.a.b", "saga.reply.03.a",
        "saga.reply.x.a",   "saga.reply.99999.a", "saga.cmd.3.a",    "saga.reply.3a.a",  "saga.replyx.3.a",
        "saga.reply.3.a b", "saga.reply.3.\xff",  "saga.reply.-0.a", "saga.reply.a.3"};
    uint32_t shard;
    struct str participant;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(subject_reply(str_from(bad[i]), &shard, &participant), "%s", bad[i]);
    cr_assert(subject_reply(STR("saga.reply.3.payments"), &shard, &participant));
    cr_assert(shard == 3 && str_equal(participant, STR("payments")));
}

Test(subject, what_comes_in_asks_for_one_of_three_things)
{
    static const struct {
        const char *subject;
        enum subject_wish wish;
        const char *name;
    } rows[] = {{"saga.start.order", SUBJECT_START, "order"},
                {"saga.child.order", SUBJECT_CHILD, "order"},
                {"saga.signal.paid", SUBJECT_SIGNAL, "paid"},
                {"saga.signal.delivery.signed", SUBJECT_SIGNAL, "delivery.signed"},
                {"saga.start.", SUBJECT_NONE, ""},
                {"saga.start.a.b", SUBJECT_NONE, ""},
                {"saga.child.", SUBJECT_NONE, ""},
                {"saga.child.a.b", SUBJECT_NONE, ""},
                {"saga.signal.", SUBJECT_NONE, ""},
                {"saga.signal.\xff", SUBJECT_NONE, ""},
                {"saga.start", SUBJECT_NONE, ""},
                {"saga.cmd.inv.go", SUBJECT_NONE, ""},
                {"saga.reply.0.inv", SUBJECT_NONE, ""},
                {"", SUBJECT_NONE, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str name;
        cr_assert_eq(subject_in(str_from(rows[i].subject), &name), rows[i].wish, "%s", rows[i].subject);
        if (rows[i].wish != SUBJECT_NONE)
            cr_assert(str_equal(name, str_from(rows[i].name)), "%s", rows[i].subject);
    }
}

Test(subject, an_acknowledgement_tells_stream_consumer_and_message)
{
    static const char *const bad[] = {"",
                                      "$JS.ACK",
                                      "$JS.ACK.S.c.1.2.3.4",
                                      "$JS.ACK.S.c.1.2.3.4.5.",
                                      "$JS.ACK.S.c.1.2.3.4.5.6",
                                      "$JS.ACK.S.c.0.2.3.4.5",
                                      "$JS.ACK.S.c.1.0.3.4.5",
                                      "$JS.ACK.S.c.x.2.3.4.5",
                                      "$JS.ACK.S.c.1.x.3.4.5",
                                      "$JS.ACK.S.c.1.2.3.x.5",
                                      "$JS.ACK..c.1.2.3.4.5",
                                      "$JS.ACK.S..1.2.3.4.5",
                                      "$JS.NAK.S.c.1.2.3.4.5",
                                      "$XX.ACK.S.c.1.2.3.4.5",
                                      "_INBOX_saga.engine.token.r.3"};
    struct subject_ack ack;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(subject_ack(str_from(bad[i]), &ack), "%s", bad[i]);
    cr_assert(subject_ack(STR("$JS.ACK.SAGA_IN.engine.2.17.9.1796096062723339014.5"), &ack));
    cr_assert(str_equal(ack.stream, STR("SAGA_IN")) && str_equal(ack.consumer, STR("engine")));
    cr_assert(ack.deliveries == 2 && str_equal(ack.sequence, STR("17")));
    cr_assert(ack.time_ns == INT64_C(1796096062723339014));
    cr_assert(subject_ack(STR("$JS.ACK.hub.ACCOUNT.SAGA_REPLY.shard-3.1.4.4.1796096062723339014.0"), &ack));
    cr_assert(str_equal(ack.stream, STR("SAGA_REPLY")) && str_equal(ack.consumer, STR("shard-3")));
    cr_assert(
        subject_ack(STR("$JS.ACK._.ACCOUNT.SAGA_REPLY.shard-3.1.4.4.1796096062723339014.0.token"), &ack));
    cr_assert(str_equal(ack.sequence, STR("4")));
}
