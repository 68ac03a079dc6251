/* F7: the database comes back without its newest commits while the engine lives. Nobody promises that nothing
 * is lost; what is lost is said, journals have no gap, and everything else goes on. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

static struct bus_message answered(struct bed *bed, const char *action)
{
    struct bus_message command = bed_take(bed, action);
    bed_reply(bed, &command, "ok", "1");
    bed_settle(bed);
    return command;
}

/* The failover, and time for the engine to meet the database again. */
static void go_back(struct bed *bed)
{
    struct err_note note = {""};
    memory_store_go_back(bed->world.store);
    cr_assert(store_reconnect(bed->store, &note) == ERR_OK);
}

static void meet_again(struct bed *bed)
{
    bed_advance(bed, 4 * DURATION_SECOND_US);
    bed_advance(bed, DURATION_SECOND_US);
}

static struct str reason_of(struct bed *bed, struct id id)
{
    return bed_row(bed, id).reason_code;
}

static void expect_lost(struct bed *bed, struct id id, int64_t seq)
{
    bed_expect(bed, id, "parked");
    cr_assert(str_equal(reason_of(bed, id), STR("HISTORY_LOST")));
    cr_assert(eq(i64, bed_row(bed, id).seq, seq), "the journal goes on behind what is left of it");
}

static uint32_t commands_left(struct bed *bed)
{
    struct bus_message command;
    uint32_t count = 0;
    while (memory_bus_take_command(bed->world.broker, STR("shop"), &bed->arena, &command))
        count++;
    return count;
}

static void answer_all(struct bed *bed, uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        struct bus_message command;
        while (memory_bus_take_command(bed->world.broker, STR("shop"), &bed->arena, &command))
            bed_reply(bed, &command, "ok", "1");
        bed_advance(bed, DURATION_SECOND_US);
    }
}

/* Of a command that an earlier owner sent: it counts as delivered once it is seen that nothing waits, then
 * its time begins. */
static void time_out(struct bed *bed)
{
    for (int i = 0; i < 5; i++)
        bed_advance(bed, DURATION_SECOND_US);
}

Test(failover, parks_what_has_lost_its_past_and_says_so)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct bed_call *further = bed_start(&bed, 0, "further", "{\"what\":1}");
    struct bed_call *ended = bed_start(&bed, 0, "ended", "{\"what\":2}");
    bed_settle(&bed);
    struct bus_message first = bed_take(&bed, "shop.reserve"), second = bed_take(&bed, "shop.reserve");
    struct bed_call *still = bed_start(&bed, 0, "still", "{\"what\":3}");
    bed_settle(&bed);
    struct bus_message third = bed_take(&bed, "shop.reserve");
    memory_store_keep(bed.world.store);
    bed_reply(&bed, &first, "ok", "1");
    bed_settle(&bed);
    struct bus_message lost = bed_take(&bed, "shop.charge"); /* sent by a record that will be gone */
    bed_reply(&bed, &second, "ok", "2");
    bed_settle(&bed);
    answered(&bed, "shop.charge");
    bed_expect(&bed, ended->answer.id, "completed");
    struct bed_call *vanished = bed_start(&bed, 0, "vanished", "{\"what\":4}");
    bed_settle(&bed);
    bed_take(&bed, "shop.reserve");
    cr_assert(vanished->answer.created);

    go_back(&bed);
    meet_again(&bed);
    expect_lost(&bed, further->answer.id, 2);
    expect_lost(&bed, ended->answer.id, 2);
    bed_expect(&bed, still->answer.id, "running");
    commands_left(&bed); /* of the one that goes on, perhaps */

    bed_reply(&bed, &lost, "ok", "1");
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "part of what the database lost"), 1));
    struct bed_call *anew = bed_start(&bed, 0, "vanished", "{\"what\":4}");
    bed_settle(&bed);
    cr_assert(anew->answer.created, "nobody knows it any more");
    bed_reply(&bed, &third, "ok", "3");
    answer_all(&bed, 4);
    bed_expect(&bed, still->answer.id, "completed");
    bed_expect(&bed, anew->answer.id, "completed");

    struct bed_call *cancel = bed_verb(&bed, 0, further->answer.id, CORE_EVENT_CANCEL);
    time_out(&bed);
    cr_assert(cancel->answer.error == ERR_OK, "%s", cancel->message);
    answered(&bed, "shop.release"); /* whether it was reserved nobody knows */
    bed_expect(&bed, further->answer.id, "compensated");
    bed_verb(&bed, 0, ended->answer.id, CORE_EVENT_RETRY);
    time_out(&bed);
    answered(&bed, "shop.reserve");
    answered(&bed, "shop.charge");
    bed_expect(&bed, ended->answer.id, "completed");
    bed_close(&bed);
}

/* What arrives first is not the next renewal but a batch on top of what was lost. */
Test(failover, is_noticed_by_the_batch_that_comes_first)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    struct bus_message reserve = bed_take(&bed, "shop.reserve");
    memory_store_keep(bed.world.store);
    bed_reply(&bed, &reserve, "ok", "1");
    bed_settle(&bed);
    struct bus_message charge = bed_take(&bed, "shop.charge");
    go_back(&bed);
    bed_reply(&bed, &charge, "ok", "1");
    bed_settle(&bed);
    bed_advance(&bed, DURATION_SECOND_US);
    expect_lost(&bed, start->answer.id, 2);
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    cr_assert(eq(u32, bed_dead_letters(&bed, "part of what the database lost"), 1));
    bed_close(&bed);
}

/* The mark went back, too: what the broker has confirmed may not be in the journal any more, and what the
 * journal has may not have been sent. */
Test(failover, sends_again_what_stands_above_the_mark)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.world.bus_down = true;
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    memory_store_keep(bed.world.store);
    bed.world.bus_down = false;
    bed_advance(&bed, DURATION_SECOND_US);
    bed_take(&bed, "shop.reserve");
    bed_advance(&bed, 500000);
    bed_start(&bed, 0, "", "{\"what\":2}"); /* moves the mark */
    bed_settle(&bed);
    bed_take(&bed, "shop.reserve");
    memory_bus_wipe(bed.world.broker);
    go_back(&bed);
    bed_advance(&bed, 400000);
    bed_start(&bed, 0, "", "{\"what\":3}"); /* makes it notice */
    bed_settle(&bed);
    bed_advance(&bed, 500000);
    bed_expect(&bed, start->answer.id, "running");
    cr_assert(ge(u32, commands_left(&bed), 1));
    bed_close(&bed);
}

Test(failover, puts_back_the_definitions_it_knows)
{
    struct bed bed;
    struct err_note note;
    struct store_definition *definitions = NULL;
    uint32_t count = 0;
    bed_open(&bed, 1);
    memory_store_keep(bed.world.store);
    bed_define(&bed, "saga: later\nversion: 1\nsteps:\n  - { id: a, command: shop.a, compensate: none }\n");
    struct bed_call *start = bed_start_of(&bed, 0, "later", "", "{}");
    bed_settle(&bed);
    bed_take(&bed, "shop.a");
    cr_assert(start->answer.error == ERR_OK);
    go_back(&bed);
    meet_again(&bed);
    cr_assert(store_definitions(bed.store, STR(""), &bed.arena, &definitions, &count, &note) == ERR_OK);
    cr_assert(eq(u32, count, 2));
    bed_close(&bed);
}

/* Sagas stand at different places when it happens; the engines are driven on, and no journal may have a gap:
 * bed_row folds it. */
Test(failover, leaves_no_gap_wherever_each_saga_stood)
{
    for (uint32_t lost_answers = 0; lost_answers < 6; lost_answers++) {
        struct bed bed;
        struct bed_call *starts[8];
        bed_open(&bed, 2);
        for (uint32_t i = 0; i < 8; i++) {
            starts[i] = bed_start(&bed, i % 2, "", "{\"what\":1}");
            bed_settle(&bed);
        }
        for (uint32_t i = 0; i < lost_answers; i++) {
            struct bus_message command;
            if (i == lost_answers / 2)
                memory_store_keep(bed.world.store);
            if (memory_bus_take_command(bed.world.broker, STR("shop"), &bed.arena, &command))
                bed_reply(&bed, &command, "ok", "1");
            bed_settle(&bed);
        }
        if (lost_answers == 0)
            memory_store_keep(bed.world.store);
        go_back(&bed);
        answer_all(&bed, 60);
        for (uint32_t i = 0; i < 8; i++) {
            struct store_saga row = bed_row(&bed, starts[i]->answer.id);
            cr_assert(str_equal(row.status, STR("completed")) ||
                          str_equal(row.reason_code, STR("HISTORY_LOST")),
                      "%u answers lost: saga %u is %.*s", lost_answers, i, STR_ARG(row.status));
        }
        bed_close(&bed);
    }
}
