/* The attempt's clock: it runs from the delivery of its command, a command that is not wanted any more is
 * taken back, and what has reached nobody is known not to have happened. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

enum { MANY = 40 };

static struct id started(struct bed *bed, const char *definition)
{
    struct bed_call *call = bed_start_of(bed, 0, definition, "", "{\"what\":\"tea\"}");
    bed_settle(bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    return call->answer.id;
}

static uint32_t attempt_of(const struct bus_message *command)
{
    int64_t attempt = 0;
    cr_assert(str_to_i64(bus_header(command, STR("Saga-Attempt")), &attempt));
    return (uint32_t)attempt;
}

Test(delivery, time_runs_from_the_delivery)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "order");
    bed_advance(&bed, 100 * DURATION_SECOND_US);
    cr_assert(eq(u32, bed.published_commands, 1), "the participant is away: nothing is tried again");
    int64_t seq = bed_row(&bed, id).seq;
    cr_assert(seq == 1, "waiting writes nothing");
    struct bus_message first = bed_take(&bed, "shop.reserve");
    bed_advance(&bed, 1900000);
    cr_assert(eq(u32, bed.published_commands, 1), "2 s from now on");
    bed_advance(&bed, 1700000);
    struct bus_message second = bed_take(&bed, "shop.reserve");
    cr_assert(eq(u32, attempt_of(&second), 2), "silence ends the attempt as ever");
    bed_reply(&bed, &first, "ok", "1");
    bed_settle(&bed);
    bed_answer(&bed, "shop.charge", "ok", "1");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(delivery, a_participant_that_is_silent_costs_no_record_more)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "order");
    bed_take(&bed, "shop.reserve");
    bed_advance(&bed, 2100000);
    cr_assert(bed_row(&bed, id).seq == 2, "start, and the time-out");
    bed_close(&bed);
}

Test(delivery, who_comes_back_finds_each_command_once)
{
    struct bed bed;
    struct bus_message command;
    bed_open(&bed, 1);
    for (uint32_t i = 0; i < MANY; i++)
        started(&bed, "order");
    bed_advance(&bed, 40 * DURATION_SECOND_US);
    uint32_t found = 0;
    while (memory_bus_take_command(bed.world.broker, STR("shop"), &bed.arena, &command)) {
        cr_assert(eq(u32, attempt_of(&command), 1));
        bed_reply(&bed, &command, "ok", "1");
        found++;
    }
    cr_assert(eq(u32, found, MANY));
    bed_settle(&bed);
    while (memory_bus_take_command(bed.world.broker, STR("shop"), &bed.arena, &command)) {
        cr_assert(str_equal(command.subject, STR("saga.cmd.shop.charge")), "no compensation, no repetition");
        bed_reply(&bed, &command, "ok", "1");
    }
    bed_settle(&bed);
    cr_assert(eq(u32, bed.published_commands, 2 * MANY));
    bed_close(&bed);
}

Test(delivery, a_superseded_command_is_taken_back)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "order");
    struct bus_message first = bed_take(&bed, "shop.reserve");
    bed_advance(&bed, 3200000);
    cr_assert(eq(u32, bed.published_commands, 2), "the second attempt waits for the participant");
    bed_reply(&bed, &first, "ok", "1");
    bed_advance(&bed, 500000);
    struct bus_message next = bed_take(&bed, "shop.charge");
    cr_assert(not(bed_has_command(&bed)), "reserve's second attempt is gone");
    bed_reply(&bed, &next, "ok", "1");
    bed_settle(&bed);
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(delivery, what_a_terminated_saga_had_sent_is_taken_back)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "order");
    bed_verb(&bed, 0, id, CORE_EVENT_TERMINATE);
    bed_advance(&bed, 500000);
    cr_assert(not(bed_has_command(&bed)));
    bed_close(&bed);
}

Test(delivery, a_cancel_does_not_wait_for_who_is_away)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "order");
    bed_answer(&bed, "shop.reserve", "ok", "1");
    bed_verb(&bed, 0, id, CORE_EVENT_CANCEL);
    bed_advance(&bed, 1000000);
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    cr_assert(not(bed_has_command(&bed)), "no refund: the charge has reached nobody");
    bed_close(&bed);
}

Test(delivery, a_cancel_waits_for_who_has_taken_the_command)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct id id = started(&bed, "order");
    struct bus_message command = bed_take(&bed, "shop.reserve");
    bed_verb(&bed, 0, id, CORE_EVENT_CANCEL);
    bed_advance(&bed, 1000000);
    bed_expect(&bed, id, "compensating");
    bed_reply(&bed, &command, "ok", "1");
    bed_settle(&bed);
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}

static const char bounded[] =
    "saga: bounded\n"
    "version: 1\n"
    "defaults: { timeout: 2s, start_within: 30s, retry: { max_attempts: 2, initial: "
    "1s, jitter: none } }\n"
    "steps:\n"
    "  - { id: reserve, command: shop.reserve, compensate: shop.release }\n"
    "  - { id: charge, command: shop.charge, compensate: shop.refund }\n";

Test(delivery, what_nobody_took_in_time_did_not_happen)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, bounded);
    struct id id = started(&bed, "bounded");
    bed_answer(&bed, "shop.reserve", "ok", "1");
    bed_advance(&bed, 28 * DURATION_SECOND_US);
    bed_expect(&bed, id, "running");
    bed_advance(&bed, 4 * DURATION_SECOND_US);
    struct store_saga row = bed_row(&bed, id);
    cr_assert(str_equal(row.reason_code, STR("UNDELIVERED")));
    bed_answer(&bed, "shop.release", "ok", "1");
    bed_expect(&bed, id, "compensated");
    cr_assert(not(bed_has_command(&bed)), "neither the charge nor a refund");
    bed_close(&bed);
}

Test(delivery, what_was_sent_twice_proves_nothing)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, bounded);
    bed.next_publish = WORLD_ANSWER_LOST;
    struct id id = started(&bed, "bounded");
    bed_advance(&bed, 33 * DURATION_SECOND_US);
    bed_expect(&bed, id, "running");
    bed_advance(&bed, 5 * DURATION_SECOND_US);
    struct bus_message second = bed_take(&bed, "shop.reserve");
    cr_assert(eq(u32, attempt_of(&second), 2), "it counts as unanswered");
    cr_assert(not(bed_has_command(&bed)), "and is taken back all the same");
    bed_close(&bed);
}

Test(delivery, an_outage_of_the_broker_undoes_nothing)
{
    struct bed bed;
    struct id ids[MANY];
    bed_open(&bed, 1);
    for (uint32_t i = 0; i < MANY; i++) {
        if (i == MANY / 2)
            bed.world.bus_down = true;
        ids[i] = started(&bed, "order");
    }
    bed_advance(&bed, 90 * DURATION_SECOND_US);
    bed.world.bus_down = false;
    bed_advance(&bed, 10 * DURATION_SECOND_US); /* the repair begins with a few, and rarely */
    for (uint32_t i = 0; i < MANY; i++)
        bed_answer(&bed, "shop.reserve", "ok", "1");
    for (uint32_t i = 0; i < MANY; i++)
        bed_answer(&bed, "shop.charge", "ok", "1");
    for (uint32_t i = 0; i < MANY; i++)
        bed_expect(&bed, ids[i], "completed");
    cr_assert(not(bed_has_command(&bed)));
    bed_close(&bed);
}

Test(delivery, a_cancel_before_anything_left_is_settled_at_once)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed.world.bus_down = true;
    struct id id = started(&bed, "order");
    bed_verb(&bed, 0, id, CORE_EVENT_CANCEL);
    bed_advance(&bed, 1000000);
    bed_expect(&bed, id, "compensated");
    bed.world.bus_down = false;
    bed_advance(&bed, 1000000);
    cr_assert(not(bed_has_command(&bed)), "it is not sent afterwards");
    bed_close(&bed);
}

Test(delivery, the_next_owner_waits_as_well)
{
    struct bed bed;
    struct err_note note = {""};
    bed_open(&bed, 1);
    struct id id = started(&bed, "order");
    bed_advance(&bed, 10 * DURATION_SECOND_US);
    world_die_in(&bed.world, 0, 1);
    bed_advance(&bed, 20 * DURATION_SECOND_US);
    world_bury(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK, "%s", note.text);
    bed_advance(&bed, 30 * DURATION_SECOND_US);
    struct bus_message command = bed_take(&bed, "shop.reserve");
    cr_assert(eq(u32, attempt_of(&command), 1));
    cr_assert(not(bed_has_command(&bed)));
    bed_reply(&bed, &command, "ok", "1");
    bed_settle(&bed);
    bed_answer(&bed, "shop.charge", "ok", "1");
    bed_expect(&bed, id, "completed");
    bed_close(&bed);
}

Test(delivery, the_next_owner_ends_the_time_of_what_was_delivered)
{
    struct bed bed;
    struct err_note note = {""};
    bed_open(&bed, 1);
    started(&bed, "order");
    bed_take(&bed, "shop.reserve");
    world_die_in(&bed.world, 0, 1);
    bed_advance(&bed, 20 * DURATION_SECOND_US);
    world_bury(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK, "%s", note.text);
    bed_advance(&bed, 6 * DURATION_SECOND_US);
    struct bus_message second = bed_take(&bed, "shop.reserve");
    cr_assert(eq(u32, attempt_of(&second), 2));
    bed_close(&bed);
}

Test(delivery, the_deadline_goes_on_while_a_command_waits)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, "saga: timed\nversion: 1\ntimeout: 20s\ndefaults: { timeout: 2s }\nsteps:\n"
                     "  - { id: reserve, command: shop.reserve, compensate: shop.release }\n");
    bed_settle(&bed);
    struct id id = started(&bed, "timed");
    bed_advance(&bed, 19 * DURATION_SECOND_US);
    bed_expect(&bed, id, "running");
    bed_advance(&bed, 3 * DURATION_SECOND_US);
    bed_expect(&bed, id, "compensated");
    cr_assert(not(bed_has_command(&bed)), "taken back, and nothing to undo");
    bed_close(&bed);
}

Test(delivery, a_command_that_can_never_be_sent_fails_its_step_at_once)
{
    struct bed bed;
    bed_open(&bed, 1);
    memory_bus_bound(bed.world.broker, 400);
    struct bed_call *call = bed_start(&bed, 0, "", "{\"what\":\"tea\"}");
    bed_settle(&bed);
    struct id id = call->answer.id;
    bed_take(&bed, "shop.reserve");
    char large[600];
    snprintf(large, sizeof large, "{\"what\":\"%0500d\"}", 7);
    call = bed_start(&bed, 0, "", large);
    bed_settle(&bed);
    struct store_saga row = bed_row(&bed, call->answer.id);
    cr_assert(str_equal(row.status, STR("compensated")));
    cr_assert(str_equal(row.reason_code, STR("UNSENDABLE")));
    bed_expect(&bed, id, "running");
    bed_advance(&bed, 500000);
    cr_assert(not(bed_has_command(&bed)), "nor is it tried again");
    bed_close(&bed);
}

Test(delivery, starts_are_bounded_by_what_their_participants_have_waiting)
{
    struct bed bed;
    bed_open(&bed, 0);
    struct err_note note = {""};
    bed.world.options.backlog_max = 10;
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK, "%s", note.text);
    bed_define(&bed, bounded);
    bed_define(&bed,
               "saga: other\nversion: 1\nsteps:\n  - { id: a, command: bakery.bake, compensate: none }\n");
    for (uint32_t i = 0; i < 12; i++)
        started(&bed, "bounded");
    bed_advance(&bed, 3 * DURATION_SECOND_US);
    struct bed_call *refused = bed_start_of(&bed, 0, "bounded", "", "{}");
    cr_assert(refused->count == 1 && refused->answer.error == ERR_FULL);
    cr_assert_str_eq(refused->message, "participant shop has not taken 12 commands that wait for it: nothing "
                                       "new is started for it until it does; try again later");
    started(&bed, "other");
    bed_take(&bed, "shop.reserve");
    bed_take(&bed, "shop.reserve");
    bed_take(&bed, "shop.reserve");
    bed_advance(&bed, 2 * DURATION_SECOND_US);
    started(&bed, "bounded");
    bed_close(&bed);
}
