/* What only a real server can show of participants' consumers and of refused publishes. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/memory.h"
#include "tests/bus/bed.h"

static struct bed bed;
static struct err_note note;
static natsConnection *beside;
static jsCtx *js;

static struct bed_witness *start(void)
{
    bed_start(&bed, true);
    natsOptions *options = NULL;
    cr_assert_eq(natsOptions_Create(&options), NATS_OK);
    cr_assert_eq(natsOptions_SetURL(options, bed.harness.nats.url), NATS_OK);
    cr_assert_eq(natsConnection_Connect(&beside, options), NATS_OK);
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
    natsOptions_Destroy(options);
    return bed_open(&bed);
}

static void stop(void)
{
    jsCtx_Destroy(js);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

static void announce(struct bed_witness *engine, int64_t work_s)
{
    const struct bus_participant participants[] = {{.name = STR("payments"), .work_us = work_s * 1000000}};
    cr_assert_eq(bus_participants(engine->bus, participants, 1, &note), ERR_OK, "%s", note.text);
}

static int64_t ack_wait_s(void)
{
    jsConsumerInfo *info = NULL;
    cr_assert_eq(js_GetConsumerInfo(&info, js, "SAGA_CMD", "payments", NULL, NULL), NATS_OK);
    int64_t wait_s = info->Config->AckWait / 1000000000;
    jsConsumerInfo_Destroy(info);
    return wait_s;
}

Test(nats_backlog, ack_wait_follows_the_longest_attempt, .timeout = 60)
{
    struct bed_witness *engine = start();
    announce(engine, 0);
    cr_assert_eq(ack_wait_s(), BUS_ACK_WAIT_LEAST_S);
    announce(engine, 75);
    cr_assert_eq(ack_wait_s(), 75 + BUS_ACK_WAIT_MARGIN_S, "a consumer that exists is given the longer one");
    announce(engine, 10);
    cr_assert_eq(ack_wait_s(), 75 + BUS_ACK_WAIT_MARGIN_S, "another definition asks for less");
    struct bed_witness *other = bed_open(&bed);
    announce(other, 10);
    cr_assert_eq(ack_wait_s(), 75 + BUS_ACK_WAIT_MARGIN_S, "another engine knows less");
    announce(engine, INT64_C(86400) * 3650);
    cr_assert_eq(ack_wait_s(), BUS_ACK_WAIT_MOST_S);
    stop();
}

static void limit_commands(int64_t messages, int32_t bytes)
{
    jsStreamInfo *info = NULL;
    cr_assert_eq(js_GetStreamInfo(&info, js, "SAGA_CMD", NULL, NULL), NATS_OK);
    info->Config->MaxMsgs = messages;
    info->Config->MaxMsgSize = bytes;
    cr_assert_eq(js_UpdateStream(NULL, js, info->Config, NULL, NULL), NATS_OK);
    jsStreamInfo_Destroy(info);
}

static void publish(struct bed_witness *engine, const char *id, const char *body)
{
    struct bus_message message = bed_message("saga.cmd.payments.charge", body);
    uint32_t before = engine->published_count;
    cr_assert_eq(bus_publish(engine->bus, &message, str_from(id), before, &note), ERR_OK, "%s", note.text);
    bed_await_published(engine, before + 1);
}

Test(nats_backlog, a_refused_publish_says_why, .timeout = 60)
{
    struct bed_witness *engine = start();
    limit_commands(1, 200);
    publish(engine, "one", "{}");
    cr_assert_eq(engine->published_errors[0], ERR_OK);
    publish(engine, "two", "{}");
    cr_assert_eq(engine->published_errors[1], ERR_FULL);
    cr_assert_str_eq(engine->cause, "maximum messages exceeded");
    char large[301];
    memset(large, '7', sizeof large);
    large[300] = '\0';
    publish(engine, "three", large);
    cr_assert_eq(engine->published_errors[2], ERR_LIMIT);
    cr_assert_str_eq(engine->cause, "message size exceeds maximum allowed");
    stop();
}

/* What nats.c does not know of a stream: the server's own words. */
static bool says(const char *verb, const char *request, const char *part)
{
    char subject[64];
    natsMsg *answer = NULL;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.%s.SAGA_CMD", verb);
    cr_assert_eq(natsConnection_RequestString(&answer, beside, subject, request, 5000), NATS_OK);
    bool found =
        memmem(natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer), part, strlen(part)) != NULL;
    natsMsg_Destroy(answer);
    return found;
}

#define CONFIG                                                                                               \
    "{\"name\":\"SAGA_CMD\",\"subjects\":[\"saga.cmd.>\"],\"retention\":\"workqueue\",\"discard\":\"new\","  \
    "\"storage\":\"file\",\"duplicate_window\":120000000000"

static void publish_to(struct bed_witness *engine, const char *subject, uint32_t number)
{
    char id[32];
    snprintf(id, sizeof id, "%s-%" PRIu32, subject + 9, number);
    struct bus_message message = bed_message(subject, "{}");
    uint32_t before = engine->published_count;
    cr_assert_eq(bus_publish(engine->bus, &message, str_from(id), before, &note), ERR_OK, "%s", note.text);
    bed_await_published(engine, before + 1);
}

Test(nats_backlog, who_is_full_is_refused_alone, .timeout = 60)
{
    enum { SHARE = 4 };
    struct bed_witness *engine = start();
    cr_assert(says("INFO", "", "\"max_msgs_per_subject\":100000,"));
    cr_assert(says("INFO", "", "\"discard_new_per_subject\":true"));
    announce(engine, 0);
    cr_assert(says("UPDATE", CONFIG ",\"max_msgs_per_subject\":4,\"discard_new_per_subject\":true}",
                   "\"max_msgs_per_subject\":4"));
    for (uint32_t i = 0; i < SHARE; i++)
        publish_to(engine, "saga.cmd.payments.charge", i);
    cr_assert_eq(engine->stored_count, SHARE);
    publish_to(engine, "saga.cmd.payments.charge", SHARE);
    cr_assert_eq(engine->published_errors[SHARE], ERR_FULL);
    cr_assert(engine->subject_full, "it is this subject alone");
    cr_assert_str_eq(engine->cause, "maximum messages per subject exceeded");
    publish_to(engine, "saga.cmd.payments.refund", 0);
    publish_to(engine, "saga.cmd.shipping.ship", 0);
    cr_assert_eq(engine->stored_count, SHARE + 2, "all others are taken");
    bed_take(&bed, "payments");
    publish_to(engine, "saga.cmd.payments.charge", SHARE);
    cr_assert_eq(engine->stored_count, SHARE + 3, "and so is it, once there is room");
    limit_commands(1, -1);
    publish_to(engine, "saga.cmd.shipping.ship", 1);
    cr_assert_eq(engine->published_errors[engine->published_count - 1], ERR_FULL);
    cr_assert_not(engine->subject_full, "the whole stream is full");
    stop();
}

static void stream_by(const char *config)
{
    bed_start(&bed, true);
    natsOptions *options = NULL;
    cr_assert_eq(natsOptions_Create(&options), NATS_OK);
    cr_assert_eq(natsOptions_SetURL(options, bed.harness.nats.url), NATS_OK);
    cr_assert_eq(natsConnection_Connect(&beside, options), NATS_OK);
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
    natsOptions_Destroy(options);
    cr_assert(says("CREATE", config, "\"created\""));
}

Test(nats_backlog, a_stream_that_exists_gets_shares_and_keeps_the_rest, .timeout = 60)
{
    stream_by(CONFIG ",\"description\":\"ours\",\"max_msgs\":5000}");
    bed_open(&bed);
    cr_assert(says("INFO", "", "\"max_msgs_per_subject\":500,"), "a tenth");
    cr_assert(says("INFO", "", "\"discard_new_per_subject\":true"));
    cr_assert(says("INFO", "", "\"max_msgs\":5000,"));
    cr_assert(says("INFO", "", "\"description\":\"ours\""));
    stop();
}

Test(nats_backlog, a_share_that_was_set_is_left, .timeout = 60)
{
    stream_by(CONFIG ",\"max_msgs_per_subject\":77,\"discard_new_per_subject\":true}");
    bed_open(&bed);
    cr_assert(says("INFO", "", "\"max_msgs_per_subject\":77,"));
    stop();
}

Test(nats_backlog, a_share_drops_no_command_that_is_there, .timeout = 60)
{
    stream_by(CONFIG ",\"max_msgs\":100}");
    for (uint32_t i = 0; i < 8; i++)
        cr_assert_eq(js_Publish(NULL, js, "saga.cmd.payments.charge", "{}", 2, NULL, NULL), NATS_OK);
    bed_open(&bed);
    cr_assert(says("INFO", "", "\"max_msgs_per_subject\":-1,"), "not while it holds more than half of one");
    cr_assert(says("INFO", "", "\"messages\":8,"));
    stop();
}

Test(nats_backlog, what_the_server_never_takes_is_refused_at_once, .timeout = 60)
{
    struct bed_witness *engine = start();
    enum { SIZE = 1048577 }; /* max_payload is 1 MiB, headers included */
    char *large = memory_new(SIZE + 1, 1);
    memset(large, '7', SIZE);
    large[SIZE] = '\0';
    struct bus_message message = bed_message("saga.cmd.payments.charge", large);
    cr_assert_eq(bus_publish(engine->bus, &message, STR("one"), 1, &note), ERR_LIMIT);
    cr_assert_str_eq(note.text, "the message is larger than the NATS server takes");
    message.body.size = SIZE - 100;
    bus_header_add(&message, STR("Saga-Definition"), (struct str){large, 200});
    cr_assert_eq(bus_publish(engine->bus, &message, STR("two"), 2, &note), ERR_LIMIT, "headers count, too");
    publish(engine, "three", "{}");
    cr_assert_eq(engine->published_errors[0], ERR_OK, "and the connection lives");
    memory_free(large);
    stop();
}

struct anew {
    struct bed_witness *engine;
    uint64_t life;
};

/* Between the two there is no such consumer, or there is again. */
static bool is_anew(void *context)
{
    const struct anew *anew = context;
    struct bus_sight sight = bed_look(anew->engine, "payments");
    cr_assert(sight.error == ERR_OK || sight.error == ERR_NOT_FOUND);
    return sight.error == ERR_OK && sight.life != anew->life;
}

Test(nats_backlog, another_life_begins_where_count_may_be_lost, .timeout = 60)
{
    struct bed_witness *engine = start();
    announce(engine, 0);
    uint64_t first = bed_look(engine, "payments").life;
    cr_assert_eq(bed_look(engine, "payments").life, first);
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_CMD", "payments", NULL, NULL), NATS_OK);
    struct anew anew = {engine, first};
    cr_assert(harness_await(is_anew, &anew, BED_PATIENCE_MS), "the keeper makes it again");
    uint64_t second = bed_look(engine, "payments").life;
    cr_assert_neq(second, first);
    process_kill(&bed.harness.nats.process);
    bed_await_connected(engine, false);
    harness_restart_nats(&bed.harness);
    bed_await_connected(engine, true);
    cr_assert_neq(bed_look(engine, "payments").life, second);
    stop();
}

static atomic_int looks;

static void on_look(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                    void *unused)
{
    (void)connection;
    (void)subscription;
    (void)unused;
    atomic_fetch_add(&looks, 1);
    natsMsg_Destroy(message);
}

static bool has_looked(void *context)
{
    return atomic_load(&looks) >= *(int *)context;
}

/* A participant works on one command for a long time, says so, and asks for another meanwhile. */
Test(nats_backlog, the_keeper_leaves_who_is_at_work_alone, .timeout = 60)
{
    enum { LOOKS = 6 };
    struct bed_witness *engine = start();
    natsSubscription *subscription = NULL, *inbox = NULL;
    natsMsg *command = NULL, *again = NULL;
    announce(engine, 0);
    uint64_t life = bed_look(engine, "payments").life;
    publish(engine, "one", "{}");
    cr_assert_eq(natsConnection_RequestString(&command, beside, "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.payments",
                                              "1", BED_PATIENCE_MS),
                 NATS_OK);
    cr_assert_eq(natsConnection_SubscribeSync(&inbox, beside, "second.pull"), NATS_OK);
    cr_assert_eq(natsConnection_PublishRequestString(beside, "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.payments",
                                                     "second.pull", "{\"batch\":1,\"expires\":60000000000}"),
                 NATS_OK);
    cr_assert_eq(natsConnection_Subscribe(&subscription, beside, "$JS.API.CONSUMER.INFO.SAGA_CMD.payments",
                                          on_look, NULL),
                 NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    for (int i = 1; i <= LOOKS; i++) {
        cr_assert_eq(natsConnection_PublishString(beside, natsMsg_GetReply(command), "+WPI"), NATS_OK);
        cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
        uint32_t before = engine->published_count;
        struct bus_message nowhere = bed_message("nowhere", "{}"); /* a failure makes the keeper look now */
        cr_assert_eq(bus_publish(engine->bus, &nowhere, STR("x"), 0, &note), ERR_OK, "%s", note.text);
        bed_await_published(engine, before + 1);
        cr_assert(harness_await(has_looked, &i, BED_PATIENCE_MS), "the keeper does not look");
    }
    struct bus_sight sight = bed_look(engine, "payments");
    cr_assert_eq(sight.life, life, "the consumer was made anew under a participant at work");
    cr_assert_eq(sight.working, 1);
    cr_assert_eq(natsSubscription_NextMsg(&again, inbox, 1), NATS_TIMEOUT, "and it was not given out twice");
    natsSubscription_Destroy(subscription);
    natsSubscription_Destroy(inbox);
    natsMsg_Destroy(command);
    stop();
}
