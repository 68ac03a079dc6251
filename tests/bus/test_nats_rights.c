/* What the users of deploy/nats.conf may do, asked of a real server: a participant its own work and nothing
 * else, a service answers, a starter starts. Every verb of the JetStream API and every class of subject is
 * tried. */
#include <criterion/criterion.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include "engine/bus/nats_bus.h"
#include "tests/bus/bed.h"
#include "tests/harness/rights.h"

enum { WAIT_MS = 5000 };

static const char *const engines[] = {"test-0", NULL};
static const char *const participants[] = {"inventory", "payments", NULL};
static const char *const services[] = {"billing", NULL};
static const char *const starters[] = {"web", NULL};
static struct bed bed;
static struct bed_witness *engine;
static struct err_note note;
static char path[PROCESS_PATH_SIZE + 16];

/* With streams, consumers and a message of each kind, so that what were allowed would find something. */
static void setup(void)
{
    const struct bus_participant names[] = {{.name = STR("inventory")}, {.name = STR("payments")}};
    memset(&bed, 0, sizeof bed);
    bed.real = true;
    arena_init(&bed.arena, 0);
    harness_init(&bed.harness, HARNESS_NATS);
    snprintf(path, sizeof path, "%s/nats.conf", bed.harness.dir);
    rights_use(&bed.harness.nats, path);
    rights_write(&bed.harness.nats, &(struct rights){.engines = engines,
                                                     .participants = participants,
                                                     .services = services,
                                                     .starters = starters});
    harness_run(&bed.harness);
    rights_url(&bed.harness.nats, "test-0", bed.harness.nats.url);
    engine = bed_open(&bed);
    cr_assert_eq(bus_participants(engine->bus, names, 2, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_listen(engine->bus, 0, 1, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_listen_in(engine->bus, &note), ERR_OK, "%s", note.text);
    for (uint32_t i = 0; i < 2; i++) {
        struct bus_message command =
            bed_message(i == 0 ? "saga.cmd.inventory.go" : "saga.cmd.payments.go", "{}");
        cr_assert_eq(bus_publish(engine->bus, &command, i == 0 ? STR("one") : STR("two"), i, &note), ERR_OK);
    }
    bed_await_published(engine, 2);
    cr_assert_eq(engine->stored_count, 2);
}

static void teardown(void)
{
    bed_stop(&bed);
}

TestSuite(nats_rights, .init = setup, .fini = teardown, .timeout = 120);

static natsConnection *log_in(const char *user)
{
    char url[SERVERS_URL_SIZE], inbox[64];
    natsConnection *connection = NULL;
    natsOptions *options = NULL;
    rights_url(&bed.harness.nats, user, url);
    snprintf(inbox, sizeof inbox, "_INBOX_%s", user);
    cr_assert_eq(natsOptions_Create(&options), NATS_OK);
    cr_assert_eq(natsOptions_SetURL(options, url), NATS_OK);
    cr_assert_eq(natsOptions_SetCustomInboxPrefix(options, inbox), NATS_OK);
    cr_assert_eq(natsConnection_Connect(&connection, options), NATS_OK);
    natsOptions_Destroy(options);
    return connection;
}

/* A refusal comes before the answer to the flush; each subject is tried once, so that it cannot be an earlier
 * one's. */
static bool was_refused(natsConnection *connection, const char *what, const char *subject)
{
    const char *said = NULL;
    char wanted[256];
    cr_assert_eq(natsConnection_FlushTimeout(connection, WAIT_MS), NATS_OK, "%s", subject);
    snprintf(wanted, sizeof wanted, "Permissions Violation for %s to \"%s\"", what, subject);
    return natsConnection_GetLastError(connection, &said) == NATS_NOT_PERMITTED && strcmp(said, wanted) == 0;
}

static bool may_publish(natsConnection *connection, const char *subject, const char *body)
{
    cr_assert_eq(natsConnection_PublishString(connection, subject, body), NATS_OK);
    return !was_refused(connection, "Publish", subject);
}

static bool may_subscribe(natsConnection *connection, const char *subject)
{
    natsSubscription *subscription = NULL;
    cr_assert_eq(natsConnection_SubscribeSync(&subscription, connection, subject), NATS_OK);
    bool may = !was_refused(connection, "Subscription", subject);
    natsSubscription_Destroy(subscription);
    return may;
}

/* Every verb of the API that names a stream, with what may stand behind the stream. */
static void refuse_api(natsConnection *connection)
{
    static const char *const streams[] = {"SAGA_CMD",   "SAGA_REPLY", "SAGA_IN",
                                          "SAGA_EVENT", "SAGA_PROBE", "OTHER"};
    static const char *const verbs[] = {"STREAM.CREATE",      "STREAM.UPDATE",          "STREAM.INFO",
                                        "STREAM.DELETE",      "STREAM.PURGE",           "STREAM.SNAPSHOT",
                                        "STREAM.RESTORE",     "STREAM.MSG.GET",         "STREAM.MSG.DELETE",
                                        "STREAM.PEER.REMOVE", "STREAM.LEADER.STEPDOWN", "CONSUMER.CREATE",
                                        "CONSUMER.NAMES",     "CONSUMER.LIST",          "DIRECT.GET"};
    static const char *const behind[] = {
        "CONSUMER.CREATE",   "CONSUMER.DURABLE.CREATE",  "CONSUMER.INFO",  "CONSUMER.DELETE",
        "CONSUMER.MSG.NEXT", "CONSUMER.LEADER.STEPDOWN", "CONSUMER.PAUSE", "DIRECT.GET"};
    static const char *const consumers[] = {"inventory", "payments", "shard-0", "engine", "mine"};
    char subject[160];
    for (size_t s = 0; s < sizeof streams / sizeof streams[0]; s++) {
        for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++) {
            snprintf(subject, sizeof subject, "$JS.API.%s.%s", verbs[v], streams[s]);
            cr_expect_not(may_publish(connection, subject, "{}"), "%s", subject);
        }
        for (size_t v = 0; v < sizeof behind / sizeof behind[0]; v++)
            for (size_t c = 0; c < sizeof consumers / sizeof consumers[0]; c++) {
                bool own = s == 0 && c == 0 && (v == 2 || v == 4); /* INFO and MSG.NEXT of its own */
                snprintf(subject, sizeof subject, "$JS.API.%s.%s.%s", behind[v], streams[s], consumers[c]);
                cr_expect_eq(may_publish(connection, subject, own ? "{" : "{}"), own, "%s", subject);
            }
        snprintf(subject, sizeof subject, "$JS.API.CONSUMER.CREATE.%s.mine.saga.cmd.inventory.>", streams[s]);
        cr_expect_not(may_publish(connection, subject, "{}"), "%s", subject);
    }
}

static void refuse_acks(natsConnection *connection)
{
    static const char *const answers[] = {"+ACK", "-NAK", "+WPI", "+TERM", "+NXT", ""};
    static const char *const consumers[] = {"SAGA_CMD.payments", "SAGA_REPLY.shard-0", "SAGA_IN.engine",
                                            "SAGA_EVENT.inventory"};
    char subject[160];
    for (size_t c = 0; c < sizeof consumers / sizeof consumers[0]; c++)
        for (size_t a = 0; a < sizeof answers / sizeof answers[0]; a++) {
            snprintf(subject, sizeof subject, "$JS.ACK.%s.1.1.1.1.%zu", consumers[c], a);
            cr_expect_not(may_publish(connection, subject, answers[a]), "%s", subject);
        }
}

Test(nats_rights, a_participant_can_do_nothing_but_its_own_work)
{
    static const char *const refused[] = {"saga.cmd.inventory.go",
                                          "saga.cmd.payments.go",
                                          "saga.reply.0.payments",
                                          "saga.reply.0.sagad",
                                          "saga.reply.0",
                                          "saga.reply.0.inventory.x",
                                          "saga.start.order",
                                          "saga.signal.paid",
                                          "saga.child.order",
                                          "saga.event.order.started",
                                          "saga.ctl.0",
                                          "saga.probe",
                                          "saga.other",
                                          "$SYS.REQ.SERVER.PING",
                                          "$SYS.REQ.ACCOUNT.SAGA.CONNZ",
                                          "$JS.API.INFO",
                                          "$JS.API.STREAM.NAMES",
                                          "$JS.API.STREAM.LIST",
                                          "$JS.API.META.LEADER.STEPDOWN",
                                          "$JS.API.SERVER.REMOVE",
                                          "$JS.API.ACCOUNT.PURGE.SAGA",
                                          "$JS.FC.SAGA_CMD.x",
                                          "$JS.EVENT.ADVISORY.API",
                                          "$JS.SNAPSHOT.ACK.x",
                                          "$SRV.PING",
                                          "billing.charge",
                                          "_INBOX.x",
                                          "_INBOX_payments.x",
                                          "_INBOX_saga.test-0.x",
                                          "_INBOX_saga.x",
                                          "_INBOX_web.x"};
    static const char *const unheard[] = {">",
                                          "*",
                                          "*.>",
                                          "saga.>",
                                          "saga.cmd.>",
                                          "saga.cmd.inventory.>",
                                          "saga.reply.>",
                                          "saga.start.>",
                                          "saga.ctl.*",
                                          "saga.ctl.0",
                                          "saga.event.>",
                                          "saga.child.>",
                                          "$JS.>",
                                          "$JS.API.>",
                                          "$JS.ACK.>",
                                          "$JS.EVENT.>",
                                          "$SYS.>",
                                          "_INBOX.>",
                                          "_INBOX_payments.>",
                                          "_INBOX_saga.>",
                                          "_INBOX_saga.test-0.>",
                                          "_INBOX_web.>",
                                          "billing.>"};
    static const char *const allowed[] = {"saga.reply.0.inventory", "saga.reply.7.inventory",
                                          "_INBOX_inventory.x", "$JS.ACK.SAGA_CMD.inventory.1.9.9.9.0"};
    natsConnection *connection = log_in("inventory");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        cr_expect_not(may_publish(connection, refused[i], "{}"), "%s", refused[i]);
    for (size_t i = 0; i < sizeof unheard / sizeof unheard[0]; i++)
        cr_expect_not(may_subscribe(connection, unheard[i]), "%s", unheard[i]);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        cr_expect(may_publish(connection, allowed[i], "{}"), "%s", allowed[i]);
    cr_expect(may_subscribe(connection, "_INBOX_inventory.>"));
    refuse_api(connection);
    refuse_acks(connection);
    natsConnection_Destroy(connection);
}

Test(nats_rights, a_participant_takes_and_answers_its_own_command)
{
    natsConnection *connection = log_in("inventory");
    natsMsg *command = NULL;
    cr_assert_eq(natsConnection_RequestString(&command, connection,
                                              "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.inventory", "1", WAIT_MS),
                 NATS_OK);
    cr_assert_str_eq(natsMsg_GetSubject(command), "saga.cmd.inventory.go");
    cr_assert(may_publish(connection, "saga.reply.0.inventory", "{\"fine\":1}"));
    bed_await_seen(engine, 1);
    cr_assert_str_eq(engine->seen[0].body, "{\"fine\":1}");
    cr_assert(may_publish(connection, natsMsg_GetReply(command), "+ACK"));
    natsMsg_Destroy(command);
    natsConnection_Destroy(connection);
}

Test(nats_rights, a_starter_starts_and_tells_and_no_more)
{
    static const char *const refused[] = {"saga.cmd.inventory.go",
                                          "saga.reply.0.inventory",
                                          "saga.child.order",
                                          "saga.ctl.0",
                                          "saga.event.order.started",
                                          "$JS.API.STREAM.INFO.SAGA_IN",
                                          "$JS.ACK.SAGA_IN.engine.1.1.1.1.0",
                                          "_INBOX_saga.test-0.x"};
    natsConnection *connection = log_in("web");
    natsMsg *stored = NULL;
    cr_assert_eq(natsConnection_RequestString(&stored, connection, "saga.start.order", "{}", WAIT_MS),
                 NATS_OK);
    cr_assert_not_null(strstr(natsMsg_GetData(stored), "\"SAGA_IN\""), "%s", natsMsg_GetData(stored));
    natsMsg_Destroy(stored);
    cr_expect(may_publish(connection, "saga.signal.paid", "{}"));
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        cr_expect_not(may_publish(connection, refused[i], "{}"), "%s", refused[i]);
    cr_expect_not(may_subscribe(connection, "saga.>"));
    natsConnection_Destroy(connection);
}

static void answer(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                   void *closure)
{
    (void)subscription;
    (void)closure;
    natsConnection_PublishString(connection, natsMsg_GetReply(message), "{\"done\":1}");
    natsMsg_Destroy(message);
}

Test(nats_rights, a_service_answers_what_it_is_asked_and_no_more)
{
    natsConnection *connection = log_in("billing");
    natsSubscription *subscription = NULL;
    cr_assert_eq(natsConnection_Subscribe(&subscription, connection, "billing.>", answer, NULL), NATS_OK);
    cr_assert_eq(natsConnection_FlushTimeout(connection, WAIT_MS), NATS_OK);
    struct bus_message request = bed_message("billing.charge", "{}");
    cr_assert_eq(bus_request(engine->bus, &request, STR("s.7"), &note), ERR_OK, "%s", note.text);
    bus_flush(engine->bus);
    bed_await_seen(engine, 1);
    cr_assert_eq(engine->seen[0].error, ERR_OK);
    cr_assert_str_eq(engine->seen[0].body, "{\"done\":1}");
    cr_expect_not(may_publish(connection, "saga.reply.0.billing", "{}"));
    cr_expect_not(may_publish(connection, "_INBOX_saga.test-0.x", "{}"));
    cr_expect_not(may_subscribe(connection, "saga.>"));
    natsSubscription_Destroy(subscription);
    natsConnection_Destroy(connection);
}
