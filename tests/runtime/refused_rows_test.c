/* What is decided on the state of a saga whose rows the database then refuses rests on nothing: it is decided
 * anew, and no dead letter or answer of it is left. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

static bool refuses_poison(void *context, const struct store_batch *batch)
{
    (void)context;
    for (uint32_t i = 0; i < batch->record_count; i++)
        if (strstr(batch->records[i].data.data, "poison") != NULL)
            return true;
    return false;
}

static void open_bed(struct bed *bed)
{
    bed_open(bed, 1);
    bed->world.hooks.refuses = refuses_poison;
}

static bool is_in_journal(struct bed *bed, struct id id, const char *text)
{
    struct store_saga row;
    struct store_record *records = NULL;
    uint32_t count = 0;
    bool found = false;
    struct err_note note = {""};
    cr_assert(store_load(bed->store, id, &bed->arena, &row, &records, &count, &note) == ERR_OK);
    for (uint32_t i = 0; i < count; i++)
        found = found || strstr(records[i].data.data, text) != NULL;
    return found;
}

/* Two answers to one command, in one batch. */
static void put_aside_beside_poison(bool poison_first)
{
    struct bed bed;
    open_bed(&bed);
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    if (poison_first)
        bed_reply(&bed, &command, "ok", "\"poison\"");
    bed_reply(&bed, &command, "fine", "1");
    if (!poison_first)
        bed_reply(&bed, &command, "ok", "\"poison\"");
    bed_settle(&bed);
    cr_assert(is_in_journal(&bed, start->answer.id, "is none of ok"), "the step says why it waits");
    cr_assert(eq(u32, bed_dead_letters(&bed, "\"fine\" is none of"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, "the database refused"), 1));
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 2), "both were acknowledged");
    bed_reply(&bed, &command, "ok", "1");
    bed_settle(&bed);
    bed_take(&bed, "shop.charge");
    bed_close(&bed);
}

Test(refused_rows, an_answer_put_aside_stays_with_its_step)
{
    put_aside_beside_poison(true);
    put_aside_beside_poison(false);
}

static void send_signal(struct bed *bed, struct id id, const char *signal_id)
{
    char text[ID_TEXT_SIZE + 1];
    struct bus_message message = {.subject = STR("saga.signal.money.came"), .body = STR("{}")};
    id_format(id, text);
    bus_header_add(&message, STR("Saga-Id"), arena_copy(&bed->arena, str_from(text)));
    bus_header_add(&message, STR("Saga-Signal-Id"), str_from(signal_id));
    memory_bus_send(bed->world.broker, &message);
}

/* The last answer would have completed it, and a completed saga takes no event. */
Test(refused_rows, an_event_is_not_refused_for_an_end_that_did_not_come)
{
    static const char paid[] = "saga: paid\nversion: 1\nsteps:\n"
                               "  - await: { id: money, event: money.came, timeout: 1h }\n"
                               "  - { id: ship, command: shop.ship, compensate: none }\n"
                               "  - switch:\n"
                               "      - when: $steps.ship.output != \"poison\"\n"
                               "        steps:\n"
                               "          - await: { id: more, event: money.came, timeout: 1h }\n"
                               "      - else: []\n";
    struct bed bed;
    open_bed(&bed);
    bed_define(&bed, paid);
    struct bed_call *start = bed_start_of(&bed, 0, "paid", "", "{}");
    bed_settle(&bed);
    send_signal(&bed, start->answer.id, "one");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.ship");
    bed_reply(&bed, &command, "ok", "\"poison\"");
    send_signal(&bed, start->answer.id, "two");
    bed_settle(&bed);
    bed_expect(&bed, start->answer.id, "running");
    cr_assert(is_in_journal(&bed, start->answer.id, "\"two\""));
    cr_assert(eq(u32, bed_dead_letters(&bed, "the database refused"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 1));
    bed_close(&bed);
}

static bool refuses_timers(void *context, const struct store_batch *batch)
{
    const bool *well = context;
    for (uint32_t i = 0; i < batch->record_count && !*well; i++)
        if (str_equal(batch->records[i].kind, STR("timer")))
            return true;
    return false;
}

/* What a saga's own timer leads to is refused; the answer and the request that came with it are innocent. */
Test(refused_rows, a_message_is_not_blamed_for_a_timer)
{
    static const char both[] =
        "saga: both\nversion: 1\nsteps:\n"
        "  - parallel:\n      branches:\n"
        "        a: [ { id: one, command: shop.one, timeout: 2s, compensate: none } ]\n"
        "        b: [ { id: two, command: shop.two, timeout: 1h, compensate: none } ]\n";
    struct bed bed;
    bool well = false;
    bed_open(&bed, 1);
    bed_define(&bed, both);
    bed.world.hooks.refuses = refuses_timers;
    bed.world.hooks.context = &well;
    bed.world.hooks.append = NULL;
    bed.world.hooks.publish = NULL;
    bed.world.hooks.published = NULL;
    struct bed_call *start = bed_start_of(&bed, 0, "both", "", "{}");
    bed_settle(&bed);
    bed_take(&bed, "shop.one");
    struct bus_message two = bed_take(&bed, "shop.two");
    bed_advance(&bed, 1900000);
    bed_reply(&bed, &two, "ok", "\"innocent\"");
    world_deliver(&bed.world, 10);
    world_advance(&bed.world, 200000);
    bed_settle(&bed);
    cr_assert(is_in_journal(&bed, start->answer.id, "\"innocent\""));
    bed_advance(&bed, 60000000 - 200000); /* the timer is tried once a minute */
    struct bed_call *pause = bed_verb(&bed, 0, start->answer.id, CORE_EVENT_PAUSE);
    world_advance(&bed.world, 400000);
    bed_settle(&bed);
    cr_assert(pause->count == 1 && pause->answer.error == ERR_OK, "%s", pause->message);
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0));
    well = true;
    bed_verb(&bed, 0, start->answer.id, CORE_EVENT_RESUME);
    bed_advance(&bed, 61000000);
    bed_take(&bed, "shop.one");
    bed_close(&bed);
}

Test(refused_rows, a_key_is_not_taken_by_a_start_that_was_none)
{
    struct bed bed;
    open_bed(&bed);
    struct bus_message start = {.subject = STR("saga.start.order"), .body = STR("\"poison\"")};
    bus_header_add(&start, STR("Saga-Start-Key"), STR("k"));
    memory_bus_send(bed.world.broker, &start);
    start.body = STR("{\"what\":1}");
    memory_bus_send(bed.world.broker, &start);
    bed_settle(&bed);
    bed_take(&bed, "shop.reserve");
    cr_assert(eq(u32, bed_dead_letters(&bed, "the database refused"), 1));
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 1));
    bed_close(&bed);
}

/* A parent believes what it is told of its child, for good. */
Test(refused_rows, a_child_is_not_refused_for_a_key_that_nobody_has)
{
    static const char keyed[] = "saga: billing\nversion: 1\nkey: ${ $input.what }\nsteps:\n"
                                "  - { id: charge, command: shop.charge, compensate: shop.refund }\n";
    static const char sold[] = "saga: sold\nversion: 1\nsteps:\n"
                               "  - { id: reserve, command: shop.reserve, compensate: shop.release }\n"
                               "  - saga: { id: bill, name: billing, with: { what: tea } }\n";
    struct bed bed;
    open_bed(&bed);
    bed_define(&bed, keyed);
    bed_define(&bed, sold);
    struct bed_call *parent = bed_start_of(&bed, 0, "sold", "", "{}");
    bed_settle(&bed);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    bed_reply(&bed, &command, "ok", "1");
    world_deliver(&bed.world, 10);
    struct bus_message start = {.subject = STR("saga.start.billing"),
                                .body = STR("{\"what\":\"tea\",\"more\":\"poison\"}")};
    memory_bus_send(bed.world.broker, &start);
    bed_settle(&bed); /* the child's command comes right behind the start */
    bed_expect(&bed, parent->answer.id, "running");
    bed_take(&bed, "shop.charge");
    cr_assert(eq(u32, bed_dead_letters(&bed, "the database refused"), 1));
    bed_close(&bed);
}
