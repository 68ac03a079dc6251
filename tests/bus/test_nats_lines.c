/* Lines to NATS and what hangs on them: encryption, masked addresses, streams that come back as they were, a
 * shard that two engines believe to own. Real servers. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/mask.h"
#include "engine/bus/nats_bus.h"
#include "engine/bus/nats_faults.h"
#include "tests/bus/bed.h"

static struct bed bed;
static struct err_note note;

/* --- texts ---------------------------------------------------------------------------------------------- */

Test(nats_lines, secrets_of_addresses_do_not_show, .timeout = 120)
{
    static const char *const rows[][2] = {
        {"nothing here", "nothing here"},
        {"nats://n1:4222", "nats://n1:4222"},
        {"nats://user:pass@n1:4222", "nats://user:***@n1:4222"},
        {"nats://token@n1", "nats://***@n1"},
        {"at tls://u:p/a@s@host, nats://v:q@h2 and so on", "at tls://u:***@host, nats://v:***@h2 and so on"},
        {"postgresql://sagad@db/x", "postgresql://sagad@db/x"},
        {"postgresql://sagad:secret@db/x", "postgresql://sagad:***@db/x"},
        {"nats://:p@h", "nats://:***@h"},
        {"://", "://"},
        {"a://@", "a://@"},
    };
    char shown[256], cut[12];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mask_urls(rows[i][0], shown, sizeof shown);
        cr_expect_str_eq(shown, rows[i][1]);
    }
    mask_server("user:pass@host", strlen("user:pass@host"), shown, sizeof shown);
    cr_expect_str_eq(shown, "user:***@host");
    mask_urls("nats://user:pass@host", cut, sizeof cut);
    cr_expect_str_eq(cut, "nats://user");
}

Test(nats_lines, a_right_is_named_as_permissions_name_it, .timeout = 120)
{
    static const char *const rows[][2] = {
        {"$JS.ACK.SAGA_REPLY.shard-3.1.5.5.1669.0", "$JS.ACK.SAGA_REPLY.>"},
        {"$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.inventory", "$JS.API.CONSUMER.MSG.NEXT.SAGA_CMD.>"},
        {"$JS.API.CONSUMER.INFO.SAGA_CMD.inventory", "$JS.API.CONSUMER.INFO.SAGA_CMD.>"},
        {"$JS.API.STREAM.INFO.SAGA_CMD", "$JS.API.STREAM.INFO.SAGA_CMD"},
        {"saga.cmd.inventory.reserve", "saga.cmd.inventory.>"},
        {"saga.reply.0.inventory", "saga.reply.>"},
        {"saga.ctl.3", "saga.ctl.>"},
        {"saga.probe", "saga.probe"},
        {"_INBOX_saga.e1.0123.hello", "_INBOX_saga.e1.>"},
        {"billing.charge", "billing.charge"},
        {"", ""},
    };
    char right[NATS_FAULTS_SUBJECT_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        nats_faults_right(rows[i][0], right);
        cr_expect_str_eq(right, rows[i][1]);
    }
}

Test(nats_lines, what_is_refused_is_kept_until_it_works, .timeout = 120)
{
    struct nats_faults faults;
    nats_faults_init(&faults);
    cr_assert_not(nats_faults_open(&faults, &note));
    nats_faults_add(&faults, "publisher", NATS_LINE_PUBLISH_DENIED,
                    "Permissions Violation for Publish to \"saga.cmd.inventory.reserve\"");
    cr_assert(nats_faults_open(&faults, &note));
    cr_expect_str_eq(note.text,
                     "NATS refuses the right to publish to saga.cmd.inventory.>: Permissions Violation for "
                     "Publish to \"saga.cmd.inventory.reserve\"");
    nats_faults_heal(&faults, "saga.cmd.payments.charge", false, INT64_MAX);
    nats_faults_heal(&faults, "saga.cmd.inventory.release", true, INT64_MAX);
    nats_faults_heal(&faults, "saga.cmd.inventory.release", false, 0); /* seen before it was refused */
    cr_assert(nats_faults_open(&faults, &note));
    nats_faults_heal(&faults, "saga.cmd.inventory.release", false, INT64_MAX);
    cr_assert_not(nats_faults_open(&faults, &note));
    nats_faults_add(&faults, "publisher", NATS_LINE_PUBLISH_DENIED,
                    "Permissions Violation for Publish to \"billing.a\"");
    nats_faults_age(&faults, 0);
    cr_assert(nats_faults_open(&faults, &note), "a service cannot be tried without harm");
    nats_faults_age(&faults, INT64_MAX);
    cr_assert_not(nats_faults_open(&faults, &note));
    for (int i = 0; i < 2 * NATS_FAULTS_MAX; i++) { /* more than are kept */
        char text[128];
        snprintf(text, sizeof text, "Permissions Violation for Publish to \"s%d.x\"", i);
        nats_faults_add(&faults, "publisher", NATS_LINE_PUBLISH_DENIED, text);
    }
    cr_assert(nats_faults_open(&faults, &note));
    nats_faults_fini(&faults);
}

/* --- encryption ----------------------------------------------------------------------------------------- */

static void make_certificate(const char *name, const char *subject, bool authority)
{
    char key[PROCESS_PATH_SIZE], request[PROCESS_PATH_SIZE], certificate[PROCESS_PATH_SIZE],
        ca[PROCESS_PATH_SIZE], ca_key[PROCESS_PATH_SIZE], log[PROCESS_PATH_SIZE];
    const char *dir = bed.harness.dir;
    snprintf(key, sizeof key, "%.200s/%s.key", dir, name);
    snprintf(request, sizeof request, "%.200s/%s.csr", dir, name);
    snprintf(certificate, sizeof certificate, "%.200s/%s.pem", dir, name);
    snprintf(ca, sizeof ca, "%.200s/ca.pem", dir);
    snprintf(ca_key, sizeof ca_key, "%.200s/ca.key", dir);
    snprintf(log, sizeof log, "%.200s/openssl.log", dir);
    const char *self[] = {
        "openssl", "req",     "-x509", "-newkey", "ec",        "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-keyout", key,     "-out",    certificate, "-subj",    subject,
        "-days",   "2",       NULL};
    const char *ask[] = {"openssl", "req",      "-newkey",
                         "ec",      "-pkeyopt", "ec_paramgen_curve:P-256",
                         "-nodes",  "-keyout",  key,
                         "-out",    request,    "-subj",
                         subject,   "-addext",  "subjectAltName=DNS:localhost",
                         NULL};
    const char *sign[] = {"openssl",
                          "x509",
                          "-req",
                          "-in",
                          request,
                          "-CA",
                          ca,
                          "-CAkey",
                          ca_key,
                          "-CAcreateserial",
                          "-copy_extensions",
                          "copy",
                          "-days",
                          "2",
                          "-out",
                          certificate,
                          NULL};
    cr_assert_eq(process_run(authority ? self : ask, NULL, log, 30000, &note), ERR_OK, "%s", note.text);
    if (!authority)
        cr_assert_eq(process_run(sign, NULL, log, 30000, &note), ERR_OK, "%s", note.text);
}

static bool take_nothing(void *context, const struct bus_delivery *delivery)
{
    (void)context;
    (void)delivery;
    return false;
}

static void hear_nothing(void *context, const struct bus_published *published)
{
    (void)context;
    (void)published;
}

static void mind_nothing(void *context, bool connected)
{
    (void)context;
    (void)connected;
}

static enum err try_open(const struct nats_bus_options *options)
{
    struct bus *bus = NULL;
    struct bus_callbacks callbacks = {
        .deliver = take_nothing, .published = hear_nothing, .connected = mind_nothing};
    enum err error = nats_bus_open(options, &callbacks, &bus, &note);
    if (error == ERR_OK)
        error = bus_probe(bus, &note);
    bus_close(bus);
    return error;
}

Test(nats_lines, any_encrypted_server_encrypts_all_and_the_authority_is_ours, .timeout = 120)
{
    char config[PROCESS_PATH_SIZE], ca[PROCESS_PATH_SIZE], cert[PROCESS_PATH_SIZE], key[PROCESS_PATH_SIZE],
        url[256];
    memset(&bed, 0, sizeof bed);
    harness_init(&bed.harness, HARNESS_NATS);
    const char *dir = bed.harness.dir;
    make_certificate("ca", "/CN=ours", true);
    make_certificate("server", "/CN=localhost", false);
    make_certificate("client", "/CN=sagad", false);
    snprintf(config, sizeof config, "%.200s/tls.conf", dir);
    snprintf(ca, sizeof ca, "%.200s/ca.pem", dir);
    snprintf(cert, sizeof cert, "%.200s/client.pem", dir);
    snprintf(key, sizeof key, "%.200s/client.key", dir);
    FILE *file = fopen(config, "w");
    cr_assert_not_null(file);
    fprintf(
        file,
        "tls { cert_file: \"%s/server.pem\", key_file: \"%s/server.key\", ca_file: \"%s\", verify: true }\n",
        dir, dir, ca);
    fclose(file);
    bed.harness.nats.config = config;
    harness_run(&bed.harness);
    unsigned port = bed.harness.nats.port;
    struct nats_bus_options options = {
        .url = url, .instance = "tls", .tls_ca = ca, .tls_cert = cert, .tls_key = key};
    snprintf(url, sizeof url, "tls://localhost:%u", port);
    cr_expect_eq(try_open(&options), ERR_OK, "%s", note.text);
    snprintf(url, sizeof url, "nats://localhost:%u", port); /* an authority alone encrypts */
    cr_expect_eq(try_open(&options), ERR_OK, "%s", note.text);
    options.tls_ca = NULL;
    snprintf(url, sizeof url, "nats://u:hidden@localhost:%u,tls://localhost:%u", port, port);
    cr_expect_eq(try_open(&options), ERR_UNAVAILABLE, "nobody vouches for the server");
    cr_expect_null(strstr(note.text, "hidden"), "%s", note.text);
    cr_expect_not_null(strstr(note.text, "nats://u:***@localhost"), "%s", note.text);
    options.tls_ca = ca;
    options.tls_cert = options.tls_key = NULL;
    snprintf(url, sizeof url, "tls://localhost:%u", port);
    cr_expect_eq(try_open(&options), ERR_UNAVAILABLE, "it wants our certificate");
    options.tls_ca = "/nowhere/ca.pem";
    cr_expect_eq(try_open(&options), ERR_UNAVAILABLE);
    cr_expect_not_null(strstr(note.text, "/nowhere/ca.pem"), "%s", note.text);
    harness_stop(&bed.harness);
}

Test(nats_lines, a_plain_server_is_refused_where_one_of_the_list_is_encrypted, .timeout = 120)
{
    char url[256];
    bed_start(&bed, true);
    unsigned port = bed.harness.nats.port;
    struct nats_bus_options options = {.url = url, .instance = "tls"};
    snprintf(url, sizeof url, "nats://127.0.0.1:%u,tls://127.0.0.1:%u", port, port);
    cr_expect_eq(try_open(&options), ERR_UNAVAILABLE, "it went in plain");
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", port);
    cr_expect_eq(try_open(&options), ERR_OK, "%s", note.text);
    bed_stop(&bed);
}

/* --- two who believe to own a shard --------------------------------------------------------------------- */

static jsCtx *js;
static natsConnection *beside;

static void connect_beside(void)
{
    cr_assert_eq(natsConnection_ConnectTo(&beside, bed.harness.nats.url), NATS_OK);
    cr_assert_eq(natsConnection_JetStream(&js, beside, NULL), NATS_OK);
}

static void disconnect_beside(void)
{
    jsCtx_Destroy(js);
    natsConnection_Destroy(beside);
}

/* Whose mark the consumer of shard 1 bears. */
static bool is_marked(const char *mark)
{
    jsConsumerInfo *info = NULL;
    bool is = js_GetConsumerInfo(&info, js, "SAGA_REPLY", "shard-1", NULL, NULL) == NATS_OK &&
              strncmp(info->Config->Description, mark, strlen(mark)) == 0;
    jsConsumerInfo_Destroy(info);
    return is;
}

static bool is_the_laters(void *context)
{
    (void)context;
    return is_marked("7 sagad test-1 ");
}

Test(nats_lines, the_later_owner_keeps_it_whatever_the_earlier_one_does, .timeout = 120)
{
    bed_start(&bed, true);
    struct bed_witness *earlier = bed_open(&bed);
    struct bed_witness *later = bed_open(&bed);
    cr_assert_eq(bus_listen(earlier->bus, 1, 3, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_listen(later->bus, 1, 7, &note), ERR_OK, "%s", note.text);
    connect_beside();
    cr_assert(is_the_laters(NULL));
    cr_assert_eq(bus_listen(earlier->bus, 1, 3, &note), ERR_CONFLICT,
                 "it slept between claiming and listening");
    cr_assert_str_eq(note.text, "shard 1 has a later owner (epoch 7 after 3)");
    /* Even if the earlier one had been faster with a consumer that vanished. */
    jsConsumerConfig config;
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_REPLY", "shard-1", NULL, NULL), NATS_OK);
    jsConsumerConfig_Init(&config);
    config.Durable = "shard-1";
    config.Description = "3 sagad test-0 x";
    config.FilterSubject = "saga.reply.1.>";
    config.AckPolicy = js_AckExplicit;
    (void)js_AddConsumer(NULL, js, "SAGA_REPLY", &config, NULL, NULL);
    cr_assert(bed_await(&bed, is_the_laters, NULL, BED_PATIENCE_MS), "the later owner did not take it back");
    bed_reply(later, 1, "r1", "1", 1);
    bed_await_seen(later, 1);
    cr_assert_eq(earlier->seen_count, 0);
    disconnect_beside();
    bed_stop(&bed);
}

/* --- each for itself ------------------------------------------------------------------------------------ */

static bool has_payments(void *context)
{
    (void)context;
    jsConsumerInfo *info = NULL;
    bool has = js_GetConsumerInfo(&info, js, "SAGA_CMD", "payments", NULL, NULL) == NATS_OK;
    jsConsumerInfo_Destroy(info);
    return has;
}

/* A stream that stands in the way of one of ours, and a consumer that cannot be made, stop nothing else. */
Test(nats_lines, what_fails_with_one_does_not_stop_the_others, .timeout = 120)
{
    const struct bus_participant names[] = {{.name = STR("inventory")}, {.name = STR("payments")}};
    const char *subject = "saga.event.>";
    jsStreamConfig config;
    jsConsumerConfig other;
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    cr_assert_eq(bus_participants(engine->bus, names, 2, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_listen(engine->bus, 1, 1, &note), ERR_OK, "%s", note.text);
    connect_beside();
    cr_assert_eq(js_DeleteStream(js, "SAGA_EVENT", NULL, NULL), NATS_OK);
    jsStreamConfig_Init(&config);
    config.Name = "IN_THE_WAY"; /* no other stream may have the subjects now */
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    cr_assert_eq(js_AddStream(NULL, js, &config, NULL, NULL), NATS_OK);
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_CMD", "inventory", NULL, NULL), NATS_OK);
    jsConsumerConfig_Init(&other);
    other.Durable = "squatter"; /* filters of a work queue must not overlap */
    other.FilterSubject = "saga.cmd.inventory.>";
    other.AckPolicy = js_AckExplicit;
    (void)js_AddConsumer(NULL, js, "SAGA_CMD", &other, NULL, NULL);
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_CMD", "payments", NULL, NULL), NATS_OK);
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_REPLY", "shard-1", NULL, NULL), NATS_OK);
    bed_reply(engine, 1, "r1", "1", 1);
    bed_await_seen(engine, 1);
    cr_assert(bed_await(&bed, has_payments, NULL, BED_PATIENCE_MS), "payments waits for inventory");
    cr_assert_eq(bus_probe(engine->bus, &note), ERR_UNAVAILABLE);
    cr_assert_not_null(strstr(note.text, "SAGA_EVENT"), "%s", note.text);
    disconnect_beside();
    bed_stop(&bed);
}

/* --- thousands of participants -------------------------------------------------------------------------- */

enum { CROWD = 300, TURN_MOST = 128 };
static const char prefix[] = "$JS.API.CONSUMER.INFO.SAGA_CMD.crowd";

static void announce_crowd(struct bed_witness *engine)
{
    static struct bus_participant crowd[CROWD];
    for (int i = 0; i < CROWD; i++)
        crowd[i].name = arena_printf(&bed.arena, "crowd%d", i);
    cr_assert_eq(bus_participants(engine->bus, crowd, CROWD, &note), ERR_OK, "%s", note.text);
}

/* A definition may name any number of them, and commands wait for few. */
Test(nats_lines, a_round_looks_at_some_of_a_crowd_and_at_all_in_turn, .timeout = 120)
{
    static bool looked_at[CROWD];
    natsSubscription *calls = NULL;
    natsMsg *call = NULL;
    uint32_t looks = 0, most = 0, met = 0;
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    announce_crowd(engine);
    connect_beside();
    cr_assert_eq(natsConnection_SubscribeSync(&calls, beside, "$JS.API.>"), NATS_OK);
    while (met < CROWD && natsSubscription_NextMsg(&call, calls, BED_PATIENCE_MS) == NATS_OK) {
        const char *subject = natsMsg_GetSubject(call);
        if (strcmp(subject, "$JS.API.STREAM.INFO.SAGA_CMD") == 0) { /* a round begins */
            looks = 0;
        } else if (strncmp(subject, prefix, sizeof prefix - 1) == 0) {
            uint32_t number = (uint32_t)strtoul(subject + sizeof prefix - 1, NULL, 10);
            met += !looked_at[number];
            looked_at[number] = true;
            most = ++looks > most ? looks : most;
        }
        natsMsg_Destroy(call);
    }
    cr_expect_eq(met, CROWD, "%u of them were looked at", met);
    cr_expect(most <= TURN_MOST, "%u looks in one round", most);
    natsSubscription_Destroy(calls);
    disconnect_beside();
    bed_stop(&bed);
}

static bool has_last(void *context)
{
    (void)context;
    jsConsumerInfo *info = NULL;
    bool has = js_GetConsumerInfo(&info, js, "SAGA_CMD", "crowd299", NULL, NULL) == NATS_OK;
    jsConsumerInfo_Destroy(info);
    return has;
}

/* Whoever a command waits for is looked at first, wherever he stands. */
Test(nats_lines, whom_commands_wait_for_does_not_wait_for_his_turn, .timeout = 120)
{
    natsSubscription *calls = NULL;
    natsMsg *call = NULL;
    uint32_t others = 0;
    bool again = false;
    bed_start(&bed, true);
    struct bed_witness *engine = bed_open(&bed);
    announce_crowd(engine);
    connect_beside();
    cr_assert_eq(natsConnection_SubscribeSync(&calls, beside, "$JS.API.CONSUMER.>"), NATS_OK);
    cr_assert_eq(js_DeleteConsumer(js, "SAGA_CMD", "crowd299", NULL, NULL), NATS_OK);
    cr_assert_eq(bed_look(engine, "crowd299").error, ERR_NOT_FOUND);
    cr_assert(bed_await(&bed, has_last, NULL, BED_PATIENCE_MS), "it was not made again");
    while (!again && natsSubscription_NextMsg(&call, calls, BED_PATIENCE_MS) == NATS_OK) {
        const char *subject = natsMsg_GetSubject(call);
        others += strncmp(subject, prefix, sizeof prefix - 1) == 0 && strstr(subject, "crowd299") == NULL;
        again = strstr(subject, "CREATE.SAGA_CMD.crowd299") != NULL;
        natsMsg_Destroy(call);
    }
    cr_expect(again && others <= TURN_MOST + 2, "%u others came first", others); /* a round under way */
    natsSubscription_Destroy(calls);
    disconnect_beside();
    bed_stop(&bed);
}

/* --- acknowledgements that go nowhere ------------------------------------------------------------------- */

/* The server takes them and hands them to nobody: no error tells, only that nothing moves. */
Test(nats_lines, acknowledgements_that_do_not_arrive_are_named, .timeout = 120)
{
    char config[PROCESS_PATH_SIZE];
    memset(&bed, 0, sizeof bed);
    bed.real = true;
    arena_init(&bed.arena, 0);
    harness_init(&bed.harness, HARNESS_NATS);
    snprintf(config, sizeof config, "%.200s/mapped.conf", bed.harness.dir);
    FILE *file = fopen(config, "w");
    cr_assert_not_null(file);
    fputs("mappings = { \"$JS.ACK.SAGA_REPLY.*.*.*.*.*.*\": \"nowhere.$1.$2.$3.$4.$5.$6\" }\n", file);
    fclose(file);
    bed.harness.nats.config = config;
    harness_run(&bed.harness);
    struct bed_witness *engine = bed_open(&bed);
    cr_assert_eq(bus_listen(engine->bus, 1, 1, &note), ERR_OK, "%s", note.text);
    bed_reply(engine, 1, "r1", "1", 1);
    bed_await_seen(engine, 1);
    bed_ack(engine, 0);
    cr_assert_eq(bus_probe(engine->bus, &note), ERR_UNAVAILABLE);
    cr_assert_not_null(strstr(note.text, "$JS.ACK.SAGA_REPLY.shard-1."), "%s", note.text);
    bed_stop(&bed);
}

/* --- replicas ------------------------------------------------------------------------------------------- */

/* What the keeper asks the server for is told by the server's own report of API calls. */
Test(nats_lines, a_stream_that_vanished_is_made_with_the_replicas_wanted, .timeout = 120)
{
    struct bus_callbacks callbacks = {
        .deliver = take_nothing, .published = hear_nothing, .connected = mind_nothing};
    struct bus *bus = NULL;
    natsSubscription *reports = NULL;
    natsMsg *report = NULL;
    bool asked = false;
    bed_start(&bed, true);
    bed_close(bed_open(&bed)); /* makes them with one */
    struct nats_bus_options options = {.url = bed.harness.nats.url, .instance = "three", .replicas = 3};
    cr_assert_eq(nats_bus_open(&options, &callbacks, &bus, &note), ERR_OK, "what exists is left: %s",
                 note.text);
    connect_beside();
    cr_assert_eq(natsConnection_SubscribeSync(&reports, beside, "$JS.EVENT.ADVISORY.API"), NATS_OK);
    cr_assert_eq(js_DeleteStream(js, "SAGA_EVENT", NULL, NULL), NATS_OK);
    while (!asked && natsSubscription_NextMsg(&report, reports, BED_PATIENCE_MS) == NATS_OK) {
        const char *text = natsMsg_GetData(report);
        asked =
            strstr(text, "STREAM.CREATE.SAGA_EVENT") != NULL && strstr(text, "num_replicas\\\":3") != NULL;
        natsMsg_Destroy(report);
    }
    cr_assert(asked, "it came back with one, in silence");
    natsSubscription_Destroy(reports);
    disconnect_beside();
    bus_close(bus);
    bed_stop(&bed);
}
