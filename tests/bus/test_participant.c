/* The whole way over a real nats-server: the engine's bus publishes commands, participants in C answer. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "tests/bus/bed.h"
#include "tests/support/participant.h"

#define SAGA "01900000-0000-7000-8000-000000000002"

static struct err_note note;

/* What a handler saw last, and what it should do. */
struct script {
    atomic_uint calls;
    uint32_t later; /* so many commands are refused for now */
    char shown[512];
    uint64_t last_delivery_count;
};

static enum participant_outcome follow(void *context, struct participant *participant,
                                       const struct participant_command *command)
{
    struct script *script = context;
    snprintf(script->shown, sizeof script->shown, "%.*s|%.*s|%.*s|%.*s|%" PRIu32 "|%.*s",
             STR_ARG(command->id), STR_ARG(command->key), STR_ARG(command->kind), STR_ARG(command->action),
             command->attempt, STR_ARG(command->body));
    script->last_delivery_count = command->delivery_count;
    if (atomic_fetch_add(&script->calls, 1) < script->later)
        return PARTICIPANT_LATER;
    if (str_equal(command->action, STR("reject")))
        cr_assert_eq(participant_reject(participant, command, STR("NO_FUNDS"), STR("empty")), ERR_OK);
    else if (str_equal(command->action, STR("retry")))
        cr_assert_eq(participant_retry(participant, command, 250), ERR_OK);
    else if (str_equal(command->action, STR("pending")))
        cr_assert_eq(participant_pending(participant, command), ERR_OK);
    else
        cr_assert_eq(participant_ok(participant, command, command->body), ERR_OK);
    return PARTICIPANT_DONE;
}

static struct bed_witness *open_engine(struct bed *bed)
{
    const struct bus_participant names[] = {{.name = STR("payments")}};
    bed_start(bed, true);
    struct bed_witness *engine = bed_open(bed);
    cr_assert_eq(bus_participants(engine->bus, names, 1, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_listen(engine->bus, 2, 1, &note), ERR_OK, "%s", note.text);
    return engine;
}

static struct participant *open_payments(struct bed *bed, struct script *script, uint32_t threads)
{
    struct participant *payments = NULL;
    struct participant_options options = {.url = bed->harness.nats.url,
                                          .name = "payments",
                                          .window = 8,
                                          .threads = threads,
                                          .handle = follow,
                                          .context = script};
    cr_assert_eq(participant_open(&options, &payments, &note), ERR_OK, "%s", note.text);
    return payments;
}

static void command(struct bed_witness *engine, const char *action, uint32_t number)
{
    char subject[64], id[128], attempt[16];
    snprintf(subject, sizeof subject, "saga.cmd.payments.%s", action);
    snprintf(id, sizeof id, SAGA "/s%" PRIu32 "/do/1", number);
    snprintf(attempt, sizeof attempt, "%d", 1);
    struct bus_message message = bed_message(subject, "{\"amount\":19.90}");
    bus_header_add(&message, STR("Saga-Command"), str_from(id));
    bus_header_add(&message, STR("Saga-Key"), STR(SAGA "/s"));
    bus_header_add(&message, STR("Saga-Kind"), STR("do"));
    bus_header_add(&message, STR("Saga-Attempt"), str_from(attempt));
    bus_header_add(&message, STR("Saga-Reply-To"), STR("saga.reply.2.payments"));
    cr_assert_eq(bus_publish(engine->bus, &message, str_from(id), number, &note), ERR_OK, "%s", note.text);
}

Test(participant, answers_a_command, .timeout = 60)
{
    struct bed bed;
    struct script script = {.later = 0};
    struct bed_witness *engine = open_engine(&bed);
    struct participant *payments = open_payments(&bed, &script, 0);
    command(engine, "charge", 1);
    bed_await_seen(engine, 1);
    cr_assert_str_eq(script.shown, SAGA "/s1/do/1|" SAGA "/s|do|charge|1|{\"amount\":19.90}");
    cr_assert_str_eq(engine->seen[0].body, "{\"amount\":19.90}");
    cr_assert_str_eq(engine->seen[0].command, SAGA "/s1/do/1");
    cr_assert_str_eq(engine->seen[0].subject, "saga.reply.2.payments");
    cr_assert_eq(participant_count(payments), 1);
    participant_close(payments);
    bed_stop(&bed);
}

Test(participant, says_each_status, .timeout = 60)
{
    static const char *const actions[] = {"reject", "retry", "pending", "charge"};
    static const char *const statuses[] = {"rejected", "retry", "pending", ""};
    struct bed bed;
    struct script script = {.later = 0};
    struct bed_witness *engine = open_engine(&bed);
    struct participant *payments = open_payments(&bed, &script, 0);
    for (uint32_t i = 0; i < 4; i++) {
        command(engine, actions[i], i);
        bed_await_seen(engine, i + 1);
        cr_assert_str_eq(engine->seen[i].status, statuses[i]);
    }
    participant_close(payments);
    bed_stop(&bed);
}

Test(participant, gets_what_it_put_off_again, .timeout = 60)
{
    struct bed bed;
    struct script script = {.later = 1};
    struct bed_witness *engine = open_engine(&bed);
    struct participant *payments = open_payments(&bed, &script, 2);
    command(engine, "charge", 1);
    bed_await_seen(engine, 1);
    cr_assert_eq(script.calls, 2);
    cr_assert_eq(script.last_delivery_count, 2);
    participant_close(payments);
    bed_stop(&bed);
}

Test(participant, may_come_before_the_consumer, .timeout = 60)
{
    struct bed bed;
    struct script script = {.later = 0};
    bed_start(&bed, true);
    struct participant *payments = open_payments(&bed, &script, 0);
    const struct bus_participant names[] = {{.name = STR("payments")}};
    struct bed_witness *engine = bed_open(&bed);
    cr_assert_eq(bus_participants(engine->bus, names, 1, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(bus_listen(engine->bus, 2, 1, &note), ERR_OK, "%s", note.text);
    command(engine, "charge", 1);
    bed_await_seen(engine, 1);
    participant_close(payments);
    bed_stop(&bed);
}

Test(participant, many_commands_on_several_threads, .timeout = 60)
{
    enum { MANY = 500 };
    struct bed bed;
    struct script script = {.later = 0};
    struct bed_witness *engine = open_engine(&bed);
    struct participant *payments = open_payments(&bed, &script, 4);
    for (uint32_t i = 0; i < MANY; i++)
        command(engine, "charge", i);
    bed_await_seen(engine, MANY);
    bed_await_published(engine, MANY);
    cr_assert_eq(engine->stored_count, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        bed_ack(engine, i);
    bed_await_acknowledged(&bed, 2, 0);
    cr_assert_eq(engine->seen_count, MANY, "each once");
    participant_close(payments);
    bed_stop(&bed);
}
