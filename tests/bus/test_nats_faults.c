/* What NATS does to us: dies, freezes, forgets streams and consumers, carries garbage. Each fault is injected
 * into a real server; the bus must answer each publish once and go on by itself. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "engine/bus/nats_bus.h"
#include "engine/bus/nats_parts.h"
#include "tests/bus/bed.h"

static struct err_note note;
static struct bed bed;

static struct bed_witness *open_listening(uint32_t shard)
{
    struct bed_witness *witness = bed_open(&bed);
    cr_assert_eq(bus_listen(witness->bus, shard, 1, &note), ERR_OK, "%s", note.text);
    return witness;
}

static bool is_stopped(void *context)
{
    char path[64];
    char line[256] = "";
    const struct process *process = context;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process->pid);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    cr_assert_not_null(fgets(line, sizeof line, file));
    fclose(file);
    return strstr(line, ") T ") != NULL;
}

/* SIGSTOP takes effect when the server's threads next run: waits for that. */
static void freeze(void)
{
    process_freeze(&bed.harness.nats.process);
    cr_assert(bed_await(&bed, is_stopped, &bed.harness.nats.process, BED_PATIENCE_MS));
}

/* Publishes replies to shard 1 until one is refused, at most `most`; how many were taken. */
static uint32_t publish_some(struct bed_witness *engine, const char *prefix, uint32_t most)
{
    for (uint32_t i = 0; i < most; i++) {
        char id[64];
        snprintf(id, sizeof id, "%s-%" PRIu32, prefix, i);
        struct bus_message message = bed_message("saga.reply.1.payments", "{}");
        enum err err = bus_publish(engine->bus, &message, str_from(id), i, &note);
        if (err != ERR_OK) {
            cr_assert(err == ERR_UNAVAILABLE || err == ERR_FULL, "%s", note.text);
            return i;
        }
    }
    return most;
}

/* A publish that is repeated with the same id until it is stored, as the outbox does. */
struct persistent {
    struct bed_witness *engine;
    const char *subject;
    const char *id;
    uint32_t stored_before;
    bool under_way;
    uint32_t published_before;
};

static bool is_stored(void *context)
{
    struct persistent *persistent = context;
    struct bed_witness *engine = persistent->engine;
    pthread_mutex_lock(&engine->mutex);
    bool stored = engine->stored_count > persistent->stored_before;
    bool answered = engine->published_count > persistent->published_before;
    if (answered)
        persistent->published_before = engine->published_count;
    pthread_mutex_unlock(&engine->mutex);
    if (stored || (persistent->under_way && !answered))
        return stored;
    struct bus_message message = bed_message(persistent->subject, "\"again\"");
    persistent->under_way = bus_publish(engine->bus, &message, str_from(persistent->id), 1, NULL) == ERR_OK;
    bus_flush(engine->bus);
    return false;
}

static void publish_to(struct bed_witness *engine, const char *subject, const char *id)
{
    struct persistent persistent = {
        engine, subject, id, engine->stored_count, false, engine->published_count};
    cr_assert(bed_await(&bed, is_stored, &persistent, BED_PATIENCE_MS), "%s was never stored", id);
}

static void publish_until_stored(struct bed_witness *engine, const char *id)
{
    publish_to(engine, "saga.reply.1.payments", id);
}

static natsConnection *connect_beside(void)
{
    natsConnection *connection = NULL;
    cr_assert_eq(natsConnection_ConnectTo(&connection, bed.harness.nats.url), NATS_OK);
    return connection;
}

static void check_each_once(const struct bed_witness *engine, uint32_t count)
{
    static bool answered[BED_SEEN_MAX];
    memset(answered, 0, sizeof answered);
    cr_assert_eq(engine->published_count, count);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_lt(engine->published_cookies[i], count);
        cr_assert_not(answered[engine->published_cookies[i]], "cookie %u was answered twice", i);
        answered[engine->published_cookies[i]] = true;
    }
}

/* Frozen first, so that all of them are under way when it dies. */
Test(nats_faults, publishes_to_a_killed_server_are_answered_once_each, .timeout = 60)
{
    enum { UNDER_WAY = 1000 };
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    bed_await_connected(engine, true);
    freeze();
    cr_assert_eq(publish_some(engine, "dead", UNDER_WAY), UNDER_WAY);
    process_kill(&bed.harness.nats.process);
    bed_await_published(engine, UNDER_WAY);
    bed_await_connected(engine, false);
    check_each_once(engine, UNDER_WAY);
    for (uint32_t i = 0; i < UNDER_WAY; i++)
        cr_assert_eq(engine->published_errors[i], ERR_UNAVAILABLE, "by the loss, not by their deadline");
    cr_assert_eq(bus_in_flight(engine->bus), 0);
    cr_assert_eq(publish_some(engine, "later", 1), 0, "not connected");
    bed_stop(&bed);
}

Test(nats_faults, goes_on_by_itself_after_kill_and_restart, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    bed_reply(engine, 1, "before", "\"before\"", 1);
    bed_await_seen(engine, 1);
    bed_ack(engine, 0);
    bed_await_acknowledged(&bed, 1, 0);
    for (int round = 0; round < 3; round++) {
        uint32_t seen = engine->seen_count;
        char id[16];
        snprintf(id, sizeof id, "round-%d", round);
        process_kill(&bed.harness.nats.process);
        bed_await_connected(engine, false);
        harness_restart_nats(&bed.harness);
        int64_t back_us = clock_monotonic_us();
        publish_until_stored(engine, id);
        cr_assert_lt(clock_monotonic_us() - back_us, 5000000, "first publish within 5 s (L4)");
        bed_await_seen(engine, seen + 1);
        bed_ack(engine, seen);
        bed_await_acknowledged(&bed, 1, 0);
    }
    bed_stop(&bed);
}

Test(nats_faults, a_frozen_server_is_noticed_and_its_publishes_are_answered, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    freeze();
    uint32_t taken = publish_some(engine, "frozen", 50);
    cr_assert_eq(taken, 50);
    bus_flush(engine->bus);
    bed_await_published(engine, taken);
    bed_await_connected(engine, false);
    check_each_once(engine, taken);
    cr_assert_eq(engine->stored_count, 0);
    cr_assert_eq(bus_probe(engine->bus, &note), ERR_UNAVAILABLE);
    process_thaw(&bed.harness.nats.process);
    bed_await_connected(engine, true);
    publish_until_stored(engine, "frozen-0");
    uint32_t again = publish_some(engine, "frozen", 50);
    cr_assert_eq(again, 50);
    bed_await_seen(engine, 50);
    bed_settle(engine, 1);
    cr_assert_eq(engine->seen_count, 50,
                 "what arrived after all and what was repeated are the same messages");
    bed_stop(&bed);
}

Test(nats_faults, publishes_are_bounded_while_the_server_says_nothing, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    process_freeze(&bed.harness.nats.process);
    uint32_t taken = publish_some(engine, "many", BUS_IN_FLIGHT_MAX + 1);
    cr_assert_eq(taken, BUS_IN_FLIGHT_MAX);
    cr_assert_str_eq(note.text, "8192 publishes are unanswered");
    bed_await_published(engine, taken);
    cr_assert_eq(bus_in_flight(engine->bus), 0);
    bed_stop(&bed);
}

Test(nats_faults, closing_answers_what_is_under_way, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    freeze();
    uint32_t taken = publish_some(engine, "closing", 10);
    bed_close(engine);
    cr_assert_eq(taken, 10);
    check_each_once(engine, 10);
    process_thaw(&bed.harness.nats.process);
    bed_stop(&bed);
}

static bool is_well(void *context)
{
    const struct bed_witness *engine = context;
    return bus_probe(engine->bus, &note) == ERR_OK;
}

Test(nats_faults, a_wiped_stream_is_made_again, .timeout = 60)
{
    static const char *const streams[] = {"SAGA_REPLY", "SAGA_CMD", "SAGA_EVENT", "SAGA_IN", "SAGA_PROBE"};
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    cr_assert_eq(bus_listen_in(engine->bus, &note), ERR_OK);
    natsConnection *beside = connect_beside();
    jsCtx *js = NULL;
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(js_DeleteStream(js, streams[i], NULL, NULL), NATS_OK);
    publish_until_stored(engine, "after-the-wipe");
    bed_await_seen(engine, 1);
    cr_assert_str_eq(engine->seen[0].body, "\"again\"");
    bed_ack(engine, 0);
    publish_to(engine, "saga.start.order", "s1"); /* each stream comes back by itself */
    bed_await_seen(engine, 2);
    cr_assert_eq(engine->seen[1].source, BUS_SOURCE_IN);
    cr_assert(bed_await(&bed, is_well, engine, BED_PATIENCE_MS), "%s", note.text);
    jsCtx_Destroy(js);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

static bool has_consumer(void *context)
{
    jsConsumerInfo *info = NULL;
    bool found = js_GetConsumerInfo(&info, context, "SAGA_CMD", "payments", NULL, NULL) == NATS_OK;
    jsConsumerInfo_Destroy(info);
    return found;
}

Test(nats_faults, deleted_consumers_are_made_again, .timeout = 60)
{
    const struct bus_participant names[] = {{.name = STR("payments")}};
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    cr_assert_eq(bus_participants(engine->bus, names, 1, &note), ERR_OK);
    natsConnection *beside = connect_beside();
    jsCtx *js = NULL;
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_CMD", "payments", NULL, NULL), NATS_OK);
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_REPLY", "shard-1", NULL, NULL), NATS_OK);
    bed_reply(engine, 1, "one", "1", 1);
    bed_await_seen(engine, 1);
    cr_assert(bed_await(&bed, has_consumer, js, BED_PATIENCE_MS), "the participant's consumer stays away");
    jsCtx_Destroy(js);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

static bool was_delivered_again(void *context)
{
    struct bed_witness *engine = context;
    pthread_mutex_lock(&engine->mutex);
    bool again = engine->seen_count >= 2;
    pthread_mutex_unlock(&engine->mutex);
    return again;
}

/* A server that forgot what it delivered, played by one that waits an hour for the acknowledgement. */
Test(nats_faults, what_is_not_delivered_again_is_noticed, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    natsConnection *beside = connect_beside();
    jsCtx *js = NULL;
    jsConsumerInfo *info = NULL;
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
    cr_assert_eq(js_GetConsumerInfo(&info, js, "SAGA_REPLY", "shard-1", NULL, NULL), NATS_OK);
    info->Config->AckWait = INT64_C(3600) * 1000000000;
    cr_assert_eq(js_UpdateConsumer(NULL, js, "SAGA_REPLY", info->Config, NULL, NULL), NATS_OK);
    jsConsumerInfo_Destroy(info);
    bed_reply(engine, 1, "one", "1", 1);
    cr_assert(bed_await(&bed, was_delivered_again, engine, 2 * BED_PATIENCE_MS), "it is forgotten");
    cr_assert_str_eq(engine->seen[1].body, "1");
    bed_ack(engine, 1);
    bed_await_acknowledged(&bed, 1, 0);
    jsCtx_Destroy(js);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

/* A service of another language, seen from NATS: answers as the request's body says. */
static void serve(natsConnection *connection, natsSubscription *subscription, natsMsg *request, void *closure)
{
    (void)subscription;
    (void)closure;
    natsMsg *answer = NULL;
    bool broken = strncmp(natsMsg_GetData(request), "broken", 6) == 0;
    if (strncmp(natsMsg_GetData(request), "silent", 6) != 0 &&
        natsMsg_Create(&answer, natsMsg_GetReply(request), NULL, "{\"done\":1}", 10) == NATS_OK) {
        if (broken)
            natsMsgHeader_Set(answer, "Nats-Service-Error-Code", "503");
        natsConnection_PublishMsg(connection, answer);
    }
    natsMsg_Destroy(answer);
    natsMsg_Destroy(request);
}

Test(nats_faults, requests_are_answered_late_twice_or_never, .timeout = 60)
{
    static const char *const bodies[] = {"silent", "fine", "broken"};
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    natsConnection *beside = connect_beside();
    natsSubscription *service = NULL, *other = NULL;
    cr_assert_eq(natsConnection_Subscribe(&service, beside, "billing.charge", serve, NULL), NATS_OK);
    cr_assert_eq(natsConnection_Subscribe(&other, beside, "billing.*", serve, NULL), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    engine->refuse = 2;
    for (uint32_t i = 0; i < 3; i++) {
        char ticket[16];
        snprintf(ticket, sizeof ticket, "s.%" PRIu32, i);
        struct bus_message message = bed_message("billing.charge", bodies[i]);
        cr_assert_eq(bus_request(engine->bus, &message, str_from(ticket), &note), ERR_OK, "%s", note.text);
        bus_flush(engine->bus);
        bed_await_seen(engine, 2 * i); /* both services answer, but for the silent one */
    }
    cr_assert_eq(engine->refused_count, 2, "an answer that finds no room is offered again");
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(engine->seen[i].error, ERR_OK);
        cr_assert_str_eq(engine->seen[i].identity, i < 2 ? "s.1" : "s.2");
        cr_assert_str_eq(engine->seen[i].body, "{\"done\":1}");
        cr_assert_str_eq(engine->seen[i].status, i < 2 ? "" : "503");
    }
    natsSubscription_Destroy(other);
    natsSubscription_Destroy(service);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

Test(nats_faults, an_answer_finds_its_bus_after_the_connection_was_made_anew, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    natsConnection *beside = connect_beside();
    natsSubscription *service = NULL;
    natsMsg *request = NULL;
    char reply[512];
    cr_assert_eq(natsConnection_SubscribeSync(&service, beside, "billing.charge"), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    struct bus_message message = bed_message("billing.charge", "slow");
    cr_assert_eq(bus_request(engine->bus, &message, STR("s.7"), &note), ERR_OK);
    bus_flush(engine->bus);
    cr_assert_eq(natsSubscription_NextMsg(&request, service, BED_PATIENCE_MS), NATS_OK);
    snprintf(reply, sizeof reply, "%s", natsMsg_GetReply(request));
    natsMsg_Destroy(request);
    natsSubscription_Destroy(service);
    natsConnection_Destroy(beside);
    process_kill(&bed.harness.nats.process);
    bed_await_connected(engine, false);
    harness_restart_nats(&bed.harness);
    bed_await_connected(engine, true);
    beside = connect_beside();
    cr_assert_eq(natsConnection_PublishString(beside, reply, "late"), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    bed_await_seen(engine, 1);
    cr_assert_str_eq(engine->seen[0].identity, "s.7");
    cr_assert_str_eq(engine->seen[0].body, "late");
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

/* Who is asked something learns the inbox; that must not be enough to confirm what the broker has not stored.
 */
Test(nats_faults, a_service_cannot_confirm_a_publish, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    natsConnection *beside = connect_beside();
    natsSubscription *service = NULL;
    natsMsg *request = NULL;
    cr_assert_eq(natsConnection_SubscribeSync(&service, beside, "billing.charge"), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    struct bus_message message = bed_message("billing.charge", "what is your inbox");
    cr_assert_eq(bus_request(engine->bus, &message, STR("s.1"), &note), ERR_OK);
    bus_flush(engine->bus);
    cr_assert_eq(natsSubscription_NextMsg(&request, service, BED_PATIENCE_MS), NATS_OK);
    struct str inbox = str_from(natsMsg_GetReply(request));
    inbox.size -= strlen(".q.s.1");
    struct bus_message unheard = bed_message("nobody.stores.this", "x");
    cr_assert_eq(bus_publish(engine->bus, &unheard, STR("id"), 1, &note), ERR_OK); /* its slot is 0 */
    for (int i = 0; i < 64; i++) {
        char guess[512];
        snprintf(guess, sizeof guess, "%.*s.p.%x", STR_ARG(inbox), i);
        cr_assert_eq(natsConnection_PublishString(beside, guess, "{\"stream\":\"SAGA_CMD\",\"seq\":7}"),
                     NATS_OK);
    }
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    bus_flush(engine->bus);
    bed_await_published(engine, 1);
    cr_assert_neq(engine->published_errors[0], ERR_OK, "nothing was stored, and so the broker has said");
    natsMsg_Destroy(request);
    natsSubscription_Destroy(service);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

static bool sees_one_pending(void *context)
{
    struct nats_bus *bus = context;
    nats_keeper_kick(bus);
    pthread_mutex_lock(&bus->pull_mutex);
    bool seen = bus->pulls[1]->pending == 1;
    pthread_mutex_unlock(&bus->pull_mutex);
    return seen;
}

static bool is_unwell(void *context)
{
    nats_keeper_kick(context);
    return nats_keeper_well(context, &note) != ERR_OK;
}

static bool arrives_again(void *context)
{
    return !is_unwell(context);
}

/* One that is refused shows as a refusal; one that is lost on the way shows nowhere but here. */
Test(nats_faults, acknowledgements_that_do_not_arrive_are_noticed, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    struct nats_bus *bus = (struct nats_bus *)engine->bus;
    bed_reply(engine, 1, "one", "1", 1);
    bed_await_seen(engine, 1);
    cr_assert(bed_await(&bed, sees_one_pending, bus, BED_PATIENCE_MS));
    cr_assert_eq(nats_keeper_well(bus, &note), ERR_OK, "who has not acknowledged is not in trouble");
    atomic_fetch_add(&bus->acks[1], 1); /* sent, and lost */
    cr_assert(bed_await(&bed, is_unwell, bus, 2 * BED_PATIENCE_MS));
    cr_assert_not_null(strstr(note.text, "acknowledgements of shard-1 do not arrive: 1"), "%s", note.text);
    bed_ack(engine, 0);
    cr_assert(bed_await(&bed, arrives_again, bus, BED_PATIENCE_MS), "%s", note.text);
    bed_stop(&bed);
}

Test(nats_faults, messages_that_are_not_ours_are_ignored, .timeout = 60)
{
    bed_start(&bed, true);
    struct bed_witness *engine = open_listening(1);
    natsConnection *beside = connect_beside();
    cr_assert_eq(natsConnection_PublishString(beside, "saga.ctl.1", "nobody waits for an answer"), NATS_OK);
    cr_assert_eq(natsConnection_PublishString(beside, "_INBOX_saga.test-0.x.p.0", "{}"), NATS_OK);
    cr_assert_eq(natsConnection_Flush(beside), NATS_OK);
    bed_settle(engine, 1);
    cr_assert_eq(engine->seen_count, 0);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}

static void ignore_published(void *context, const struct bus_published *published)
{
    (void)context;
    (void)published;
}

static bool ignore_delivery(void *context, const struct bus_delivery *delivery)
{
    (void)context;
    (void)delivery;
    return true;
}

static void ignore_connected(void *context, bool connected)
{
    (void)context;
    (void)connected;
}

static enum err try_open(const char *url)
{
    struct bus *bus = NULL;
    struct bus_callbacks callbacks = {
        .deliver = ignore_delivery, .published = ignore_published, .connected = ignore_connected};
    struct nats_bus_options options = {.url = url, .instance = "try"};
    enum err err = nats_bus_open(&options, &callbacks, &bus, &note);
    bus_close(bus);
    return err;
}

Test(nats_faults, opening_without_a_server_says_where, .timeout = 60)
{
    char url[64];
    char expected[128];
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", servers_free_port());
    snprintf(expected, sizeof expected, "NATS does not answer at %s: ", url);
    cr_assert_eq(try_open(url), ERR_UNAVAILABLE);
    cr_assert_eq(strncmp(note.text, expected, strlen(expected)), 0, "%s", note.text);
}

Test(nats_faults, a_stream_of_that_name_for_something_else_is_a_conflict, .timeout = 60)
{
    bed_start(&bed, true);
    natsConnection *beside = connect_beside();
    jsCtx *js = NULL;
    jsStreamConfig config;
    const char *subjects[] = {"saga.cmd.>"};
    jsStreamConfig_Init(&config);
    config.Name = "SAGA_CMD";
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
    cr_assert_eq(js_AddStream(NULL, js, &config, NULL, NULL), NATS_OK);
    cr_assert_eq(try_open(bed.harness.nats.url), ERR_CONFLICT);
    cr_assert_str_eq(note.text, "stream SAGA_CMD exists with other subjects or retention than ours");
    jsCtx_Destroy(js);
    natsConnection_Destroy(beside);
    bed_stop(&bed);
}
