/* Events from outside and timers that an operator moves, over whole engines. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

static const char paid[] = "saga: paid\n"
                           "version: 1\n"
                           "steps:\n"
                           "  - { id: reserve, command: shop.reserve, compensate: shop.release }\n"
                           "  - await:\n"
                           "      id: money\n"
                           "      event: money.came\n"
                           "      timeout: 1h\n"
                           "      schema: { type: object, required: [amount] }\n"
                           "  - id: ship\n"
                           "    command: shop.ship\n"
                           "    with: { amount: \"${ $event.amount }\" }\n"
                           "    compensate: none\n";

static const struct json *json_of(struct bed *bed, const char *text)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    cr_assert(json_parse(&bed->arena, str_from(text), 1000, &value, &note) == ERR_OK, "%s", note.text);
    return value;
}

static struct id begun(struct bed *bed, const char *key)
{
    bed_define(bed, paid);
    struct bed_call *call = bed_start_of(bed, 0, "paid", key, "{}");
    bed_settle(bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    return call->answer.id;
}

static struct bed_call *say(struct bed *bed, uint32_t host, struct id id, const char *signal_id,
                            const char *name, const char *body)
{
    struct bed_call *call = bed_event(bed, host, id,
                                      &(struct core_event){.kind = CORE_EVENT_SIGNAL,
                                                           .signal = str_from(name),
                                                           .signal_id = str_from(signal_id),
                                                           .body = json_of(bed, body)});
    bed_settle(bed);
    cr_assert(eq(u32, call->count, 1));
    return call;
}

static void expect_amount(struct bed *bed, const char *body)
{
    struct bus_message ship = bed_take(bed, "shop.ship");
    cr_assert(str_equal(ship.body, str_from(body)), "%.*s", STR_ARG(ship.body));
    bed_reply(bed, &ship, "ok", "1");
    bed_settle(bed);
}

Test(signals, the_first_counts_and_each_id_once)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = begun(&bed, "");
    struct bed_call *early = say(&bed, 0, id, "one", "money.came", "{\"amount\":5}");
    struct bed_call *again = say(&bed, 0, id, "one", "money.came", "{\"amount\":6}");
    struct bed_call *other = say(&bed, 0, id, "two", "money.came", "{\"amount\":7}");
    cr_assert(early->answer.error == ERR_OK && early->answer.created);
    cr_assert(again->answer.error == ERR_OK && !again->answer.created);
    cr_assert(other->answer.error == ERR_CONFLICT, "one await takes one");
    bed_answer(&bed, "shop.reserve", "ok", "1");
    expect_amount(&bed, "{\"amount\":5}");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(signals, a_refusal_says_whose_mistake_it_is)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = begun(&bed, "");
    cr_assert(say(&bed, 0, id, "", "money.went", "{}")->answer.error == ERR_INVALID);
    cr_assert(say(&bed, 0, id, "", "money.came", "{}")->answer.error == ERR_INVALID);
    cr_assert(say(&bed, 0, (struct id){{0}}, "", "money.came", "{}")->answer.error == ERR_NOT_FOUND);
    bed_verb(&bed, 0, id, CORE_EVENT_TERMINATE);
    bed_settle(&bed);
    cr_assert(say(&bed, 0, id, "", "money.came", "{\"amount\":1}")->answer.error == ERR_CONFLICT);
    bed_close(&bed);
}

static void send_signal(struct bed *bed, const char *subject, const char *name, const char *value,
                        const char *key, const char *body)
{
    struct bus_message message = {.subject = str_from(subject), .body = str_from(body)};
    bus_header_add(&message, str_from(name), str_from(value));
    bus_header_add(&message, STR("Saga-Start-Key"), str_from(key));
    bus_header_add(&message, STR("Saga-Signal-Id"), STR("m1"));
    memory_bus_send(bed->world.broker, &message);
    bed_settle(bed);
}

Test(signals, come_by_message_too)
{
    struct bed bed;
    char text[ID_TEXT_SIZE + 1];
    bed_open(&bed, 1);
    struct id id = begun(&bed, "k");
    id_format(id, text);
    send_signal(&bed, "saga.signal.money.came", "Saga-Definition", "paid", "k", "{\"amount\":5}");
    send_signal(&bed, "saga.signal.money.came", "Saga-Id", text, "", "{\"amount\":6}");
    bed_answer(&bed, "shop.reserve", "ok", "1");
    expect_amount(&bed, "{\"amount\":5}");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0), "the second bears the same id");
    bed_close(&bed);
}

/* One publisher sends both, in this order: the event is looked up before the start is stored. */
Test(signals, come_right_behind_the_start)
{
    struct bed bed;
    struct bus_message start = {.subject = STR("saga.start.paid"), .body = STR("{}")};
    bed_open(&bed, 1);
    bed_define(&bed, paid);
    bus_header_add(&start, STR("Saga-Start-Key"), STR("k"));
    memory_bus_send(bed.world.broker, &start);
    send_signal(&bed, "saga.signal.money.came", "Saga-Definition", "paid", "k", "{\"amount\":5}");
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    bed_answer(&bed, "shop.reserve", "ok", "1");
    expect_amount(&bed, "{\"amount\":5}");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0));
    bed_close(&bed);
}

Test(signals, none_that_nobody_can_take_is_dropped)
{
    struct bed bed;
    char text[ID_TEXT_SIZE + 1];
    bed_open(&bed, 1);
    struct id id = begun(&bed, "k");
    id_format(id, text);
    send_signal(&bed, "saga.signal.money.came", "Saga-Definition", "paid", "another", "{\"amount\":5}");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0), "its start may be on its way");
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "no saga of paid has the key"), 1));
    send_signal(&bed, "saga.signal.money.came", "Saga-Id", "00000000-0000-7000-8000-000000000000", "", "1");
    cr_assert(eq(u32, bed_dead_letters(&bed, "there is no such saga"), 1));
    send_signal(&bed, "saga.signal.money.went", "Saga-Id", text, "", "{}");
    cr_assert(eq(u32, bed_dead_letters(&bed, "no await"), 1));
    send_signal(&bed, "saga.signal.money.came", "Saga-Id", text, "", "{}");
    cr_assert(eq(u32, bed_dead_letters(&bed, "schema"), 1));
    send_signal(&bed, "saga.signal.money.came", "Saga-Id", text, "", "{");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 5));
    bed_close(&bed);
}

static const char choosy[] = "saga: paid\n"
                             "version: 1\n"
                             "steps:\n"
                             "  - { id: reserve, command: shop.reserve, compensate: shop.release }\n"
                             "  - switch:\n"
                             "      - when: $steps.reserve.output.ask\n"
                             "        steps:\n"
                             "          - await: { id: word, event: money.came, timeout: 1h }\n"
                             "      - else: []\n"
                             "  - { id: ship, command: shop.ship, compensate: none }\n"
                             "  - await: { id: seen, event: money.seen, timeout: 1h }\n";

/* What was kept becomes a dead letter with the move that passes its await, and is one however often that is
 * decided. */
Test(signals, that_were_kept_in_vain_are_dead_letters)
{
    struct bed bed;
    char text[ID_TEXT_SIZE + 1];
    bed_open(&bed, 1);
    bed_define(&bed, choosy);
    struct bed_call *call = bed_start_of(&bed, 0, "paid", "k", "{}");
    bed_settle(&bed);
    struct id id = call->answer.id;
    id_format(id, text);
    send_signal(&bed, "saga.signal.money.came", "Saga-Id", text, "", "{\"amount\":5}");
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0), "it may be awaited yet");
    bed_answer(&bed, "shop.reserve", "ok", "{\"ask\":false}");
    bed_settle(&bed);
    cr_assert(
        eq(u32, bed_dead_letters(&bed, "it was kept, and no await of the saga can take it any more"), 1));
    cr_assert(say(&bed, 0, id, "", "money.came", "{}")->answer.error == ERR_CONFLICT);
    send_signal(&bed, "saga.signal.money.came", "Saga-Id", text, "", "{\"amount\":6}");
    cr_assert(eq(u32, bed_dead_letters(&bed, "can take \"money.came\" any more"), 1));
    bed_answer(&bed, "shop.ship", "ok", "1");
    cr_assert(say(&bed, 0, id, "", "money.seen", "{}")->answer.created, "the one that is waited for");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(signals, reach_a_saga_of_another_instance)
{
    struct bed bed;
    struct err_note note;
    char text[ID_TEXT_SIZE + 1];
    bed_open(&bed, 1);
    bed.world.options.shards_max = 1;
    world_stop(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK && world_boot(&bed.world, 1, &note) == ERR_OK);
    struct id id = begun(&bed, "");
    bed_answer(&bed, "shop.reserve", "ok", "1");
    cr_assert(say(&bed, 1, id, "", "money.came", "{}")->answer.error == ERR_INVALID);
    cr_assert(say(&bed, 0, id, "", "money.came", "{}")->answer.error == ERR_INVALID);
    id_format(id, text);
    for (int i = 0; i < 4; i++) /* whichever instance takes it from the stream */
        send_signal(&bed, "saga.signal.money.came", "Saga-Id", text, "", "{\"amount\":5}");
    expect_amount(&bed, "{\"amount\":5}");
    bed_expect(&bed, id, "completed");
    for (int i = 0; i < 4; i++) {
        struct bus_message unknown = {.subject = STR("saga.signal.money.came"),
                                      .body = STR("{\"amount\":5}")};
        bus_header_add(&unknown, STR("Saga-Id"), str_from(text));
        memory_bus_send(bed.world.broker, &unknown);
        bed_settle(&bed);
    }
    cr_assert(eq(u32, bed_dead_letters(&bed, "ended"), 4));
    bed_close(&bed);
}

static struct bed_call *move(struct bed *bed, uint32_t host, struct id id, const char *step, int64_t due_us)
{
    struct bed_call *call = bed_event(
        bed, host, id,
        &(struct core_event){
            .kind = CORE_EVENT_MOVE, .step = str_from(step), .due_us = due_us, .actor = STR("ann")});
    bed_settle(bed);
    cr_assert(eq(u32, call->count, 1));
    return call;
}

Test(timers, an_operator_moves_and_fires_them)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = begun(&bed, "");
    bed_answer(&bed, "shop.reserve", "ok", "1");
    int64_t later_us = world_now_us(&bed.world) + 7200 * DURATION_SECOND_US;
    cr_assert(move(&bed, 0, id, "money", later_us)->answer.error == ERR_OK);
    cr_assert(eq(i64, bed_row(&bed, id).wake_us, later_us));
    cr_assert(move(&bed, 0, id, "ship", later_us)->answer.error == ERR_CONFLICT, "it has no timer");
    cr_assert(move(&bed, 0, id, "", later_us)->answer.error == ERR_CONFLICT, "it has no deadline");
    cr_assert(move(&bed, 0, id, "money", 0)->answer.error == ERR_OK);
    bed_advance(&bed, 100000);
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}
