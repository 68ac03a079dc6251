/* A participant that pulls its commands into subjects of the engine: nats-server hands them over, whatever
 * the participant may publish. Real servers. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include "engine/bus/nats_parts.h"
#include "engine/ops/metrics.h"
#include "tests/bus/bed.h"

enum { COMMANDS = 8 };

static struct bed bed;
static struct err_note note;
static natsConnection *beside;
static jsCtx *js;

static void connect_beside(void)
{
    cr_assert_eq(natsConnection_ConnectTo(&beside, bed.harness.nats.url), NATS_OK);
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
}

static void disconnect(void)
{
    jsCtx_Destroy(js);
    natsConnection_Destroy(beside);
}

/* An engine with commands of its participant in the stream. */
static struct bed_witness *open_with_commands(void)
{
    const struct bus_participant names[] = {{.name = STR("payments")}};
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    cr_assert_eq(bus_listen(engine->bus, 1, 1, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_listen_in(engine->bus, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_participants(engine->bus, names, 1, &note), ERR_OK, "%s", note.text);
    for (uint64_t i = 0; i < COMMANDS; i++) {
        struct bus_message command = bed_message("saga.cmd.payments.charge", "{\"op\":\"verb\"}");
        char id[16];
        snprintf(id, sizeof id, "c%" PRIu64, i);
        bus_header_add(&command, STR("Saga-Command"), str_from(id));
        cr_assert_eq(bus_publish(engine->bus, &command, str_from(id), i, &note), ERR_OK);
    }
    bed_await_published(engine, COMMANDS);
    connect_beside();
    return engine;
}

static void pull_into(const char *subject, int count)
{
    char request[64];
    snprintf(request, sizeof request, "{\"batch\":%d,\"no_wait\":true}", count);
    cr_assert_eq(natsConnection_PublishRequestString(beside, "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.payments",
                                                     subject, request),
                 NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
}

static uint64_t messages_in(const char *stream)
{
    jsStreamInfo *info = NULL;
    cr_assert_eq(js_GetStreamInfo(&info, js, stream, NULL, NULL), NATS_OK);
    uint64_t count = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return count;
}

static int64_t strangers(const char *kind)
{
    return metrics_value(METRICS_STRANGERS, str_from(kind), METRICS_NO_LABEL);
}

struct counted {
    const char *kind;
    int64_t count;
};

static bool was_counted(void *context)
{
    const struct counted *counted = context;
    return strangers(counted->kind) >= counted->count;
}

static void expect_counted(const char *kind, int64_t count)
{
    struct counted counted = {kind, count};
    cr_assert(bed_await(&bed, was_counted, &counted, BED_PATIENCE_MS), "%s was not counted", kind);
    cr_assert_eq(strangers(kind), count);
}

Test(strangers, a_command_pulled_into_a_control_subject_is_refused, .timeout = 60)
{
    struct bed_witness *engine = open_with_commands();
    pull_into("saga.ctl.1", 2);
    expect_counted("subject", 2);
    bed_settle(engine, 1);
    cr_assert_eq(engine->seen_count, 0);
    cr_assert_eq(messages_in("SAGA_CMD"), COMMANDS, "nobody's command was acknowledged");
    disconnect();
    bed_stop(&bed);
}

/* The answer would be a start, sent by the engine itself. */
Test(strangers, a_request_that_wants_its_answer_elsewhere_is_refused, .timeout = 60)
{
    struct bed_witness *engine = open_with_commands();
    static const char *const places[] = {"saga.start.order", "_INBOX.somebody", "saga.cmd.payments.charge"};
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(natsConnection_PublishRequestString(beside, "saga.ctl.1", places[i], "{}"), NATS_OK);
    cr_assert_eq(natsConnection_PublishString(beside, "saga.ctl.1", "{}"), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    expect_counted("subject", 4);
    bed_settle(engine, 1);
    cr_assert_eq(engine->seen_count, 0);
    disconnect();
    bed_stop(&bed);
}

Test(strangers, a_command_pulled_into_an_engines_inbox_is_refused, .timeout = 60)
{
    struct bed_witness *engine = open_with_commands();
    const struct nats_bus *bus = (const struct nats_bus *)engine->bus;
    char inbox[256];
    static const char *const consumer_ends[] = {"r.1", "r.0", "x"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(inbox, sizeof inbox, "%s.%s", nats_line_inbox(bus->consumer), consumer_ends[i]);
        pull_into(inbox, 1);
    }
    expect_counted("stream", 3);
    static const char *const publisher_ends[] = {"p.0", "q.0"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(inbox, sizeof inbox, "%s.%s", nats_line_inbox(bus->publisher), publisher_ends[i]);
        pull_into(inbox, 1);
    }
    bed_settle(engine, 1);
    cr_assert_eq(engine->seen_count, 0);
    cr_assert_eq(messages_in("SAGA_CMD"), COMMANDS, "nobody's command was acknowledged");
    disconnect();
    bed_stop(&bed);
}

static bool is_empty(void *context)
{
    return messages_in(context) == 0;
}

/* The stream of starts takes them, under their own subject. They come to the engine, which gets rid of them;
 * before, each stayed for ever, and a few thousand of them stopped all starts. */
Test(strangers, a_command_pulled_into_the_stream_of_starts_is_handed_over_as_what_it_is, .timeout = 60)
{
    struct bed_witness *engine = open_with_commands();
    pull_into("saga.start.order", 3);
    bed_await_seen(engine, 3);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(engine->seen[i].source, BUS_SOURCE_IN);
        cr_assert_str_eq(engine->seen[i].subject, "saga.cmd.payments.charge");
        cr_assert(str_starts(str_from(engine->seen[i].ack), STR("$JS.ACK.SAGA_IN.engine.")));
        bed_ack(engine, i);
    }
    cr_assert(bed_await(&bed, is_empty, "SAGA_IN", BED_PATIENCE_MS));
    cr_assert_eq(messages_in("SAGA_CMD"), COMMANDS, "nobody's command was acknowledged");
    disconnect();
    bed_stop(&bed);
}

/* The keeper's rounds, one after the other. */
static bool is_empty_soon(void *context)
{
    nats_keeper_kick((struct nats_bus *)bed.witnesses[0].bus);
    return messages_in(context) == 0;
}

/* No shard's consumer takes them there. Each subject has one that stands for all of it. */
Test(strangers, what_is_no_reply_does_not_stay_in_the_stream_of_replies, .timeout = 60)
{
    struct bed_witness *engine = open_with_commands();
    pull_into("saga.reply.1.payments", 2);
    pull_into("saga.reply.1.sagad", 2);
    cr_assert_eq(natsConnection_PublishString(beside, "saga.reply.x.payments", "1"), NATS_OK);
    cr_assert_eq(natsConnection_PublishString(beside, "saga.reply.1", "1"), NATS_OK);
    cr_assert_eq(natsConnection_PublishString(beside, "saga.reply.4000.payments", "1"), NATS_OK);
    cr_assert_eq(natsConnection_PublishString(beside, "saga.reply.*.payments", "1"), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    cr_assert(bed_await(&bed, is_empty_soon, "SAGA_REPLY", 2 * BED_PATIENCE_MS));
    cr_assert_geq(engine->seen_count, 4);
    for (uint32_t i = 0; i < engine->seen_count; i++) {
        cr_assert_eq(engine->seen[i].source, BUS_SOURCE_REPLY);
        cr_assert_eq(engine->seen[i].shard, 1);
        cr_assert_str_eq(engine->seen[i].ack, "");
        cr_assert(str_starts(str_from(engine->seen[i].identity), STR("SAGA_REPLY/")));
        cr_assert_str_neq(engine->seen[i].subject, "saga.reply.1.payments");
    }
    cr_assert_eq(messages_in("SAGA_CMD"), COMMANDS, "nobody's command was acknowledged");
    disconnect();
    bed_stop(&bed);
}

/* It had its replies by a subscription of its own; they are nobody's dead letters. */
Test(strangers, what_a_rehearsal_left_behind_is_removed_without_a_word, .timeout = 60)
{
    struct bed_witness *engine = open_with_commands();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(js_Publish(NULL, js, "saga.reply.conformance-0a.payments", "1", 1, NULL, NULL), NATS_OK);
    cr_assert(bed_await(&bed, is_empty_soon, "SAGA_REPLY", 2 * BED_PATIENCE_MS));
    cr_assert_eq(engine->seen_count, 0);
    disconnect();
    bed_stop(&bed);
}

/* Made by the version before, and since then in the care of an operator. */
Test(strangers, a_stream_of_an_older_version_takes_commands_to_children_too, .timeout = 60)
{
    const char *subjects[] = {"saga.start.>", "saga.signal.>"};
    jsStreamConfig config;
    jsStreamInfo *info = NULL;
    bed_start(&bed, true);
    connect_beside();
    jsStreamConfig_Init(&config);
    config.Name = "SAGA_IN";
    config.Description = "ours";
    config.Subjects = subjects;
    config.SubjectsLen = 2;
    config.Retention = js_WorkQueuePolicy;
    config.MaxMsgs = 777;
    cr_assert_eq(js_AddStream(NULL, js, &config, NULL, NULL), NATS_OK);
    cr_assert_eq(natsConnection_PublishString(beside, "saga.start.old", "{}"), NATS_OK);
    struct bed_witness *engine = bed_open(&bed);
    cr_assert_eq(js_GetStreamInfo(&info, js, "SAGA_IN", NULL, NULL), NATS_OK);
    cr_assert_eq(info->Config->SubjectsLen, 3);
    cr_assert_eq(info->Config->MaxMsgs, 777);
    cr_assert_str_eq(info->Config->Description, "ours");
    jsStreamInfo_Destroy(info);
    cr_assert_eq(bus_listen_in(engine->bus, &note), ERR_OK, "%s", note.text);
    struct bus_message command = bed_message("saga.child.billing", "{}");
    cr_assert_eq(bus_publish(engine->bus, &command, STR("k"), 1, &note), ERR_OK);
    bed_await_seen(engine, 2);
    cr_assert_str_eq(engine->seen[0].subject, "saga.start.old");
    cr_assert_str_eq(engine->seen[1].subject, "saga.child.billing");
    disconnect();
    bed_stop(&bed);
}
