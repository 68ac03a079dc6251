/* inventory, payments and shipping as processes: what they answer, what they keep, and how they misbehave
 * when told. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "tests/participants/stand.h"

#define BEHAVE(...)                                                                                          \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }

static struct stand stand;
static struct stand_reply reply;

static const char charge[] = "{\"order\":\"o\",\"amount\":19.90,\"card\":\"4000-0001\"}";

static const char *payments_net(void)
{
    return stand_query(&stand,
                       "select count(*) filter (where not refunded) || ' of ' || count(*) from payment");
}

static void must_reply(const char *status, const char *code, const char *body)
{
    cr_assert_str_eq(reply.status, status, "%s %s", reply.code, reply.message);
    cr_assert_str_eq(reply.code, code);
    cr_assert_str_eq(reply.body, body);
}

Test(participants, inventory_reserves_and_releases)
{
    stand_start(&stand, "inventory");
    stand_ask(&stand, "reserve", "do", "k", 1, "{\"order\":\"o\",\"sku\":\"book\",\"quantity\":3}", &reply);
    must_reply("ok", "", "{\"reservation\" : \"res-1\", \"left\" : 999997}");
    stand_ask(&stand, "status", "verify", "k", 1, "{}", &reply);
    must_reply("ok", "", "{\"reservation\" : \"res-1\", \"left\" : 999997}");
    stand_ask(&stand, "release", "undo", "k", 1, "{\"order\":\"o\",\"reservation\":null}", &reply);
    must_reply("ok", "", "{\"released\" : \"res-1\"}");
    cr_assert_str_eq(stand_query(&stand, "select kept from stock where sku = 'book'"), "1000000");
    stand_ask(&stand, "status", "verify", "k", 2, "{}", &reply);
    must_reply("rejected", "NOT_DONE", "");
    stand_ask(&stand, "reserve", "do", "k2", 1, "{\"order\":\"o\",\"sku\":\"sold-out\",\"quantity\":1}",
              &reply);
    must_reply("rejected", "SOLD_OUT", "");
    stand_ask(&stand, "reserve", "do", "k3", 1, "{\"order\":\"o\",\"sku\":\"book\",\"quantity\":\"3\"}",
              &reply);
    must_reply("rejected", "BAD_INPUT", "");
    stand_stop(&stand);
}

Test(participants, payments_keep_the_text_of_amounts)
{
    stand_start(&stand, "payments");
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_ask(&stand, "charge", "do", "big", 1, "{\"order\":\"o\",\"amount\":90071992547409931.0100}",
              &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-2\", \"amount\" : 90071992547409931.0100}");
    stand_ask(&stand, "refund", "undo", "k", 1, "{\"order\":\"o\",\"payment\":\"pay-1\"}", &reply);
    must_reply("ok", "", "{\"refunded\" : \"pay-1\", \"amount\" : 19.90}");
    stand_ask(&stand, "charge", "do", "k3", 1, "{\"order\":\"o\",\"amount\":1,\"card\":\"4000-DECLINED\"}",
              &reply);
    must_reply("rejected", "CARD_DECLINED", "");
    stand_ask(&stand, "charge", "do", "k4", 1, "{\"order\":\"o\",\"amount\":-1}", &reply);
    must_reply("rejected", "BAD_INPUT", "");
    stand_ask(&stand, "charge", "do", "k5", 1, "{\"order\":\"o\",\"amount\":1e200000}",
              &reply); /* no number PostgreSQL can hold */
    must_reply("rejected", "BAD_INPUT", "");
    cr_assert_str_eq(payments_net(), "1 of 2");
    stand_stop(&stand);
}

Test(participants, shipping_does_not_go_nowhere)
{
    stand_start(&stand, "shipping");
    stand_ask(&stand, "ship", "do", "k", 1, "{\"order\":\"o\",\"address\":\"12 Elm Street\"}", &reply);
    must_reply("ok", "", "{\"tracking\" : \"trk-1\"}");
    stand_ask(&stand, "ship", "do", "k2", 1, "{\"order\":\"o\",\"address\":\"nowhere\"}", &reply);
    must_reply("rejected", "UNDELIVERABLE", "");
    cr_assert_str_eq(reply.message, "no carrier goes to nowhere");
    stand_ask(&stand, "void", "undo", "k", 1, "{\"order\":\"o\",\"tracking\":\"trk-1\"}", &reply);
    must_reply("ok", "", "{\"voided\" : \"trk-1\"}");
    cr_assert_str_eq(stand_query(&stand, "select count(*) from shipment where not voided"), "0");
    stand_stop(&stand);
}

Test(participants, the_three_anomalies_over_the_wire)
{
    stand_start(&stand, "payments");
    stand_ask(&stand, "charge", "do", "twice", 1, charge, &reply);
    stand_ask(&stand, "charge", "do", "twice", 1, charge, &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    cr_assert_str_eq(payments_net(), "1 of 1");

    stand_ask(&stand, "refund", "undo", "early", 1, "{\"order\":\"o\",\"payment\":null}", &reply);
    must_reply("ok", "", "");
    stand_ask(&stand, "charge", "do", "early", 1, charge, &reply);
    must_reply("rejected", "UNDONE", "");
    cr_assert_str_eq(payments_net(), "1 of 1");

    stand_ask(&stand, "refund", "undo", "twice", 1, "{\"order\":\"o\",\"payment\":null}", &reply);
    must_reply("ok", "", "{\"refunded\" : \"pay-1\", \"amount\" : 19.90}");
    stand_ask(&stand, "charge", "do", "twice", 2, charge, &reply);
    must_reply("rejected", "UNDONE", "");
    stand_ask(&stand, "refund", "undo", "twice", 2, "{\"order\":\"o\",\"payment\":null}", &reply);
    must_reply("ok", "", "{\"refunded\" : \"pay-1\", \"amount\" : 19.90}");
    cr_assert_str_eq(payments_net(), "0 of 1");
    stand_stop(&stand);
}

Test(participants, what_is_no_command_is_refused_or_dropped)
{
    stand_start(&stand, "payments");
    stand_ask(&stand, "steal", "do", "k", 1, charge, &reply);
    must_reply("rejected", "UNKNOWN_ACTION", "");
    stand_ask(&stand, "refund", "do", "k", 1, charge, &reply);
    must_reply("rejected", "WRONG_KIND", "");
    stand_ask(&stand, "charge", "do", "k", 1, "this is not JSON", &reply);
    must_reply("rejected", "BAD_INPUT", "");
    stand_send_raw(&stand, "saga.cmd.payments.charge", "", "do", "k", charge);
    stand_send_raw(&stand, "saga.cmd.payments.charge", "c", "do", "", charge);
    stand_ask(&stand, "charge", "do", "after", 1, charge,
              &reply); /* one worker: the others are over, without a reply */
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

Test(participants, told_to_reject_and_then_not)
{
    stand_start(&stand, "payments");
    stand_behave(&stand, BEHAVE("--do", "reject", "--action", "charge", "--order", "o", "--code",
                                "FRAUD_SUSPECTED", "--message", "ask the\nbank"));
    stand_ask(&stand, "charge", "do", "other", 1, "{\"order\":\"p\",\"amount\":1}", &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 1}");
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply);
    must_reply("rejected", "FRAUD_SUSPECTED", "");
    cr_assert_str_eq(reply.message, "ask the bank");
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply); /* the same attempt: it stands */
    must_reply("rejected", "FRAUD_SUSPECTED", "");
    stand_ask(&stand, "charge", "do", "k", 2, charge, &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-2\", \"amount\" : 19.90}");
    stand_behave(&stand, BEHAVE("--do", "reject", "--action", "refund"));
    stand_ask(&stand, "refund", "undo", "k", 1, "{}", &reply);
    must_reply("rejected", "TOLD_TO_REJECT", "");
    cr_assert_str_eq(payments_net(), "2 of 2");
    stand_ask(&stand, "refund", "undo", "k", 2, "{}", &reply); /* an undo can be asked for again */
    must_reply("ok", "", "{\"refunded\" : \"pay-2\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

Test(participants, told_to_say_retry_several_times)
{
    stand_start(&stand, "payments");
    stand_behave(&stand,
                 BEHAVE("--do", "retry", "--times", "2", "--delay", "1500ms", "--code", "RATE_LIMITED"));
    for (int attempt = 1; attempt <= 2; attempt++) {
        stand_ask(&stand, "charge", "do", "k", attempt, charge, &reply);
        must_reply("retry", "RATE_LIMITED", "");
        cr_assert_str_eq(reply.retry_after, "1500");
    }
    cr_assert_str_eq(payments_net(), "0 of 0");
    stand_ask(&stand, "charge", "do", "k", 3, charge, &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

Test(participants, told_to_be_slow_or_pending)
{
    stand_start(&stand, "payments");
    stand_behave(&stand, BEHAVE("--do", "slow", "--delay", "400ms"));
    int64_t since_us = clock_monotonic_us();
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply);
    cr_assert_geq(clock_monotonic_us() - since_us, 400000);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_behave(&stand, BEHAVE("--do", "pending", "--delay", "400ms"));
    since_us = clock_monotonic_us();
    stand_ask(&stand, "charge", "do", "k2", 1, charge, &reply);
    must_reply("pending", "", "");
    stand_receive(&stand, &reply);
    cr_assert_geq(clock_monotonic_us() - since_us, 400000);
    must_reply("ok", "", "{\"payment\" : \"pay-2\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

Test(participants, told_to_reply_twice_or_never)
{
    stand_start(&stand, "payments");
    stand_behave(&stand, BEHAVE("--do", "twice"));
    stand_behave(&stand, BEHAVE("--do", "silent"));
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply);
    stand_receive(&stand, &reply);
    cr_assert_str_eq(reply.command, "k/do/1");
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_send(&stand, "charge", "do", "silence", 1, charge);
    stand_ask(&stand, "status", "verify", "silence", 1, "{}", &reply); /* the next reply is to this one */
    must_reply("ok", "", "{\"payment\" : \"pay-2\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

Test(participants, told_to_die_before_its_effect)
{
    stand_start(&stand, "payments");
    stand_behave(&stand, BEHAVE("--do", "die-before"));
    stand_send(&stand, "charge", "do", "k", 1, charge);
    cr_assert_eq(stand_await_death(&stand), 70);
    cr_assert_str_eq(payments_net(), "0 of 0");
    stand_launch(&stand);
    stand_receive(&stand, &reply); /* the broker hands the same command out again */
    cr_assert_str_eq(reply.command, "k/do/1");
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

Test(participants, told_to_die_after_its_effect)
{
    stand_start(&stand, "payments");
    stand_behave(&stand, BEHAVE("--do", "die-after", "--times", "2"));
    stand_send(&stand, "charge", "do", "k", 1, charge);
    for (int death = 1; death <= 2; death++) {
        cr_assert_eq(stand_await_death(&stand), 70);
        cr_assert_str_eq(payments_net(), "1 of 1");
        stand_launch(&stand);
    }
    stand_receive(&stand, &reply);
    cr_assert_str_eq(reply.command, "k/do/1");
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    cr_assert_str_eq(payments_net(), "1 of 1");
    stand_stop(&stand);
}

Test(participants, rules_can_be_cleared)
{
    stand_start(&stand, "payments");
    stand_behave(&stand, BEHAVE("--do", "die-before", "--times", "100"));
    stand_behave(&stand, BEHAVE("--clear"));
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

Test(participants, a_database_that_dies_means_retry)
{
    stand_start(&stand, "payments");
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply);
    process_kill(&stand.harness.postgres.process);
    stand_ask(&stand, "charge", "do", "k2", 1, charge, &reply);
    cr_assert_str_eq(reply.status, "retry");
    cr_assert_str_eq(reply.code, "DATABASE");
    harness_restart_postgres(&stand.harness);
    stand_ask(&stand, "charge", "do", "k2", 2, charge, &reply);
    cr_assert_str_eq(reply.status, "ok");
    stand_ask(&stand, "charge", "do", "k", 2, charge, &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    cr_assert_str_eq(payments_net(), "2 of 2");
    stand_stop(&stand);
}

static bool reconnected(void *context)
{
    return natsConnection_Status(((const struct stand *)context)->connection) == NATS_CONN_STATUS_CONNECTED;
}

Test(participants, a_broker_that_restarts_is_found_again)
{
    stand_start(&stand, "payments");
    stand_ask(&stand, "charge", "do", "k", 1, charge, &reply);
    harness_stop_nats(&stand.harness);
    harness_restart_nats(&stand.harness);
    cr_assert(harness_await(reconnected, &stand, STAND_PATIENCE_MS));
    stand_ask(&stand, "charge", "do", "k", 2, charge, &reply);
    must_reply("ok", "", "{\"payment\" : \"pay-1\", \"amount\" : 19.90}");
    stand_stop(&stand);
}

static int exit_status(const char *const *arguments)
{
    struct err_note note;
    const char *argv[8] = {SAGA_BINARY_DIR "/deploy/participants/participant"};
    for (int i = 0; arguments[i] != NULL && i < 6; i++)
        argv[1 + i] = arguments[i];
    struct process process = {.name = "participant", .log = "/dev/null"};
    int status = 0;
    cr_assert_eq(process_start(&process, argv, NULL, &note), ERR_OK, "%s", note.text);
    cr_assert(process_wait(&process, STAND_PATIENCE_MS, &status));
    return status >> 8;
}

Test(participants, wrong_calls_are_told_apart)
{
    cr_assert_eq(exit_status(BEHAVE("--help")), 0);
    cr_assert_eq(exit_status(BEHAVE("accounting")), 2);
    cr_assert_eq(exit_status(BEHAVE("payments", "--workers", "0")), 2);
    cr_assert_eq(exit_status(BEHAVE("payments", "--colour", "blue")), 2);
    cr_assert_eq(exit_status(BEHAVE("behave", "payments", "--do", "dance")), 2);
    cr_assert_eq(exit_status(BEHAVE("behave", "payments", "--do", "slow", "--delay", "soon")), 2);
    cr_assert_eq(exit_status(BEHAVE("behave", "payments", "--clear", "--database", "host=/nowhere")), 1);
}

/* What it says when it is called in vain. */
static void call_in_vain(const char *const *arguments, char *said, size_t size)
{
    struct err_note note;
    char log[] = "/tmp/saga-participant-XXXXXX";
    int file = mkstemp(log), status = 0;
    cr_assert_geq(file, 0);
    close(file);
    struct process process = {.name = "participant"};
    snprintf(process.log, sizeof process.log, "%s", log);
    const char *argv[8] = {SAGA_BINARY_DIR "/deploy/participants/participant"};
    for (int i = 0; arguments[i] != NULL && i < 6; i++)
        argv[1 + i] = arguments[i];
    cr_assert_eq(process_start(&process, argv, NULL, &note), ERR_OK, "%s", note.text);
    cr_assert(process_wait(&process, STAND_PATIENCE_MS, &status));
    cr_assert_eq(status >> 8, 1);
    process_log_tail(log, said, size);
    cr_assert_eq(unlink(log), 0);
}

Test(participants, addresses_come_by_the_environment_and_passwords_are_not_told)
{
    char said[2000];
    cr_assert_eq(setenv("SAGAD_DATABASE", "host=/nowhere password=hush", 1), 0);
    call_in_vain(BEHAVE("behave", "payments", "--clear"), said, sizeof said);
    cr_assert_not_null(strstr(said, "/nowhere"), "%s", said);
    cr_assert_null(strstr(said, "command line"), "%s", said);
    call_in_vain(
        BEHAVE("behave", "payments", "--clear", "--database", "host=/nowhere password=hush more-hush"), said,
        sizeof said);
    cr_assert_null(strstr(said, "hush"), "%s", said);
    cr_assert_not_null(strstr(said, "use SAGAD_DATABASE"), "%s", said);
}

/* The broker's URL bears a password. */
Test(participants, the_command_line_shows_no_password)
{
    char path[64], shown[4096], url[SERVERS_URL_SIZE];
    stand_start(&stand, "payments");
    rights_url(&stand.harness.nats, stand.name, url);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)stand.program.process.pid);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    size_t size = fread(shown, 1, sizeof shown, file);
    cr_assert_eq(fclose(file), 0);
    cr_assert(size > 0 && memmem(shown, size, "--nats", 6) != NULL);
    cr_assert_null(memmem(shown, size, url, strlen(url)), "%s", url);
    stand_stop(&stand);
}

/* Of any name, any action: what it has no answer for is answered {}, and the barrier stands before all of it.
 */
Test(participants, a_stand_in_answers_everything_and_can_be_told_to_misbehave)
{
    stand_start_in(&stand, "air-freight", "book={\"number\":\"it's 7\"}");
    stand_ask(&stand, "book", "do", "k", 1, "{\"order\":\"o\"}", &reply);
    must_reply("ok", "", "{\"number\":\"it's 7\"}");
    stand_ask(&stand, "status", "verify", "k", 1, "{}", &reply);
    must_reply("ok", "", "{\"number\":\"it's 7\"}");
    stand_ask(&stand, "cancel", "undo", "k", 1, "{}", &reply);
    must_reply("ok", "", "{}");
    stand_ask(&stand, "book", "do", "k", 2, "{\"order\":\"o\"}", &reply);
    must_reply("rejected", "UNDONE", "");
    stand_behave(&stand, BEHAVE("--do", "reject", "--action", "load", "--order", "o", "--code", "FULL"));
    stand_ask(&stand, "load", "do", "l", 1, "{\"order\":\"o\"}", &reply);
    must_reply("rejected", "FULL", "");
    stand_ask(&stand, "load", "do", "m", 1, "{\"order\":\"o\"}", &reply);
    must_reply("ok", "", "{}");
    stand_stop(&stand);
}

/* sagactl in the engine's place: with --json its report is told when it fails. */
static void must_conform(const char *name, const char *act, const char *undo, const char *body,
                         const char *refused)
{
    static const char sagactl[] = SAGA_BINARY_DIR "/engine/sagactl/sagactl";
    char url[SERVERS_URL_SIZE], log[PROCESS_PATH_SIZE + 32], tail[4000];
    struct err_note note = {""};
    stand_start(&stand, name);
    rights_url(&stand.harness.nats, "operator", url);
    (void)snprintf(log, sizeof log, "%s/conformance.log", stand.harness.dir);
    const char *const argv[] = {sagactl, "conformance", name,     "--do",      act,   "--undo",
                                undo,    "--verify",    "status", "--body",    body,  "--refused",
                                refused, "--nats",      url,      "--timeout", "20s", NULL};
    enum err error = process_run(argv, NULL, log, 10 * STAND_PATIENCE_MS, &note);
    process_log_tail(log, tail, sizeof tail);
    cr_assert_eq(error, ERR_OK, "%s\n%s", note.text, tail);
    cr_assert_not_null(strstr(tail, ": 17 held, 0 failed, 0 skipped"), "%s", tail);
    stand_stop(&stand);
}

Test(participants, payments_keeps_the_contract)
{
    must_conform("payments", "charge", "refund", charge,
                 "{\"order\":\"o\",\"amount\":1,\"card\":\"4000-DECLINED\"}");
}

Test(participants, inventory_keeps_the_contract)
{
    must_conform("inventory", "reserve", "release", "{\"order\":\"o\",\"sku\":\"book\",\"quantity\":3}",
                 "{\"order\":\"o\",\"sku\":\"sold-out\",\"quantity\":1}");
}

Test(participants, shipping_keeps_the_contract)
{
    must_conform("shipping", "ship", "void", "{\"order\":\"o\",\"address\":\"12 Elm Street\"}",
                 "{\"order\":\"o\",\"address\":\"nowhere\"}");
}
