/* Requests for shards of other engines, in virtual time: host 0 owns one shard, host 1 the other, host 2 none
 * and passes on. An owner that is frozen or dead harms nobody but those who want something of it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/forward.h"
#include "tests/runtime/bed.h"

enum { ASKER = 2 };

static void open_three(struct bed *bed)
{
    bed_open_sharing(bed, 3, 1);
    for (uint32_t i = 0; i < 2; i++)
        cr_assert(engine_owner(bed->world.hosts[i].engine, i) != NULL);
}

/* A key whose saga lives on this shard. */
static struct bed_call *start_on(struct bed *bed, uint32_t shard)
{
    static uint32_t number;
    char key[32];
    do
        snprintf(key, sizeof key, "key-%u", ++number);
    while (engine_shard_of_key(bed->world.hosts[ASKER].engine, STR("order"), str_from(key)) != shard);
    return bed_start(bed, ASKER, key, "{\"what\":1}");
}

static void expect_done(const struct bed_call *call)
{
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%u: %s", call->count, call->message);
}

static void expect_refused(const struct bed_call *call, enum err error, const char *part)
{
    cr_assert(eq(u32, call->count, 1));
    cr_assert(call->answer.error == error && strstr(call->message, part) != NULL, "%s: %s",
              err_text(call->answer.error), call->message);
}

Test(forward, a_frozen_owner_keeps_nobody_else_waiting)
{
    struct bed bed;
    struct bed_call *stuck[10], *fine[10];
    open_three(&bed);
    bed.world.hosts[0].frozen = true;
    for (int i = 0; i < 10; i++) {
        stuck[i] = start_on(&bed, 0);
        fine[i] = start_on(&bed, 1);
    }
    bed_settle(&bed); /* no time passes */
    for (int i = 0; i < 10; i++) {
        expect_done(fine[i]);
        cr_assert(eq(u32, stuck[i]->count, 0));
    }
    bed_advance(&bed, FORWARD_TIMEOUT_US - 200000);
    cr_assert(eq(u32, stuck[0]->count, 0));
    bed_advance(&bed, 300000);
    for (int i = 0; i < 10; i++)
        expect_refused(stuck[i], ERR_UNKNOWN_OUTCOME,
                       "the owner of shard 0 does not answer; whether this was");
    bed_close(&bed);
}

Test(forward, a_frozen_owner_is_tried_by_one_and_refused_to_all_others_until_it_is_heard)
{
    struct bed bed;
    open_three(&bed);
    bed.world.hosts[0].frozen = true;
    for (int i = 0; i < 3; i++)
        start_on(&bed, 0);
    bed_advance(&bed, FORWARD_TIMEOUT_US + 100000);
    struct bed_call *trial = start_on(&bed, 0);
    struct bed_call *refused = start_on(&bed, 0);
    struct bed_call *verb =
        bed_verb(&bed, ASKER, id_derive((struct id){{0}}, STR("x"), 0, 1), CORE_EVENT_CANCEL);
    struct bed_call *fine = start_on(&bed, 1);
    bed_settle(&bed);
    cr_assert(eq(u32, trial->count, 0));
    expect_refused(refused, ERR_UNAVAILABLE, "the owner of shard 0 does not answer");
    expect_refused(verb, ERR_UNAVAILABLE, "the owner of shard 0 does not answer");
    expect_done(fine);
    bed.world.hosts[0].frozen = false;
    bed_settle(&bed);
    expect_done(trial);
    struct bed_call *back[8];
    for (int i = 0; i < 8; i++)
        back[i] = start_on(&bed, 0);
    bed_settle(&bed);
    for (int i = 0; i < 8; i++)
        expect_done(back[i]);
    bed_close(&bed);
}

Test(forward, a_frozen_owner_takes_only_its_part_of_the_room)
{
    struct bed bed;
    open_three(&bed);
    bed.world.hosts[0].frozen = true;
    struct bed_call *last = NULL;
    for (int i = 0; i < BED_FORWARDS; i++)
        last = start_on(&bed, 0);
    bed_settle(&bed);
    cr_assert(eq(u32, last->count, 0));
    struct bed_call *over = start_on(&bed, 0);
    struct bed_call *fine = start_on(&bed, 1);
    bed_settle(&bed);
    expect_refused(over, ERR_UNAVAILABLE, "the owner of shard 0 does not answer");
    expect_done(fine);
    bed_advance(&bed, FORWARD_TIMEOUT_US + 100000);
    bed_close(&bed);
}

Test(forward, a_start_that_may_go_anywhere_goes_where_somebody_answers)
{
    struct bed bed;
    struct bed_call *calls[8];
    open_three(&bed);
    world_stop(&bed.world, 0);
    world_advance(&bed.world, 1);
    struct bed_call *keyed = start_on(&bed, 0);
    for (int i = 0; i < 8; i++)
        calls[i] = bed_start(&bed, ASKER, "", "{\"what\":1}");
    for (int round = 0; round < 8; round++) { /* nobody takes the free shard meanwhile */
        router_turn(bed.world.hosts[ASKER].engine->router, false);
        world_deliver(&bed.world, 1000);
        runner_turn(&bed.world.hosts[1].engine->runners[0], false);
        world_deliver(&bed.world, 1000);
    }
    expect_refused(keyed, ERR_UNAVAILABLE, "no engine serves shard 0");
    for (int i = 0; i < 8; i++)
        expect_done(calls[i]);
    bed_close(&bed);
}

Test(forward, an_asker_that_is_cut_off_says_so_at_once)
{
    struct bed bed;
    open_three(&bed);
    world_cut(&bed.world, ASKER, true);
    struct bed_call *call = start_on(&bed, 0);
    bed_settle(&bed);
    expect_refused(call, ERR_UNAVAILABLE, "the broker is away");
    bed_close(&bed);
}

/* It is not stored twice, whatever became of the first try. */
Test(forward, a_start_by_message_comes_again_and_is_stored_once)
{
    struct bed bed;
    open_three(&bed);
    bed.world.hosts[0].frozen = true;
    for (uint32_t i = 0; i < 8; i++) {
        char key[16];
        snprintf(key, sizeof key, "m-%u", i);
        struct bus_message start = {.subject = STR("saga.start.order"), .body = STR("{\"what\":1}")};
        bus_header_add(&start, STR("Saga-Start-Key"), str_from(key));
        memory_bus_send(bed.world.broker, &start);
    }
    bed_settle(&bed);
    bed_advance(&bed, FORWARD_TIMEOUT_US + 100000);
    bed.world.hosts[0].frozen = false;
    bed_settle(&bed);
    memory_bus_redeliver(bed.world.broker);
    bed_settle(&bed);
    struct store_filter filter = {.limit = 100};
    struct store_saga *sagas = NULL;
    uint32_t count = 0;
    struct err_note note;
    cr_assert(store_list(bed.store, &filter, &bed.arena, &sagas, &count, &note) == ERR_OK);
    cr_assert(eq(u32, count, 8));
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 0));
    bed_close(&bed);
}

Test(forward, what_comes_again_comes_less_and_less_often)
{
    struct inbox_item *item = inbox_item_new(INBOX_DELIVERY, INBOX_UNREAD, 0);
    item->delivery.delivery_count = 1;
    cr_assert(eq(i64, inbox_item_back_off_us(item), 100000));
    item->delivery.delivery_count = 4;
    cr_assert(eq(i64, inbox_item_back_off_us(item), 800000));
    item->delivery.delivery_count = 1000;
    cr_assert(eq(i64, inbox_item_back_off_us(item), 10000000));
    inbox_item_free(item);
}

/* Host 1 dies of it again and again, and never sees the message itself. */
Test(forward, a_message_that_ends_its_owners_becomes_a_dead_letter_when_another_passes_it_on)
{
    struct bed bed;
    struct err_note note = {""};
    struct bus_message poison = {.subject = STR("saga.start.order"), .body = STR("{\"what\":\"poison\"}")};
    char key[32];
    bed_open_sharing(&bed, 2, 1);
    for (uint32_t i = 0;
         i == 0 || engine_shard_of_key(bed.world.hosts[0].engine, STR("order"), str_from(key)) != 1; i++)
        snprintf(key, sizeof key, "key-%u", i);
    bus_header_add(&poison, STR("Saga-Start-Key"), str_from(key));
    bed.deadly = "poison";
    bus_unlisten_in(bed.world.hosts[1].inner);
    memory_bus_send(bed.world.broker, &poison);
    for (int life = 0; life < 20 && bed_dead_letters(&bed, "alone in hand") == 0; life++) {
        bed_settle(&bed);
        if (!world_is_up(&bed.world, 1)) {
            world_bury(&bed.world, 1);
            bed_advance(&bed, 15 * DURATION_SECOND_US);
            cr_assert(world_boot(&bed.world, 1, &note) == ERR_OK, "%s", note.text);
            bus_unlisten_in(bed.world.hosts[1].inner);
        }
        memory_bus_redeliver(bed.world.broker);
    }
    cr_assert(eq(u32, bed_dead_letters(&bed, "alone in hand"), 1));
    bed_advance(&bed, 15 * DURATION_SECOND_US);
    cr_assert(world_is_up(&bed.world, 1) && bed.published_commands == 0);
    cr_assert(eq(u32, bed_dead_letters(&bed, ""), 1));
    bed_close(&bed);
}

/* One look for all who wait, however many they are. */
Test(forward, many_who_wait_cost_one_question)
{
    enum { WATCHES = 40 };
    struct bed bed;
    struct bed_call *watches[WATCHES];
    open_three(&bed);
    struct bed_call *one = start_on(&bed, 0), *two = start_on(&bed, 1);
    bed_settle(&bed);
    for (int i = 0; i < WATCHES; i++)
        watches[i] =
            bed_watch(&bed, ASKER, i % 2 == 0 ? one->answer.id : two->answer.id, 60 * DURATION_SECOND_US);
    struct bed_call *none =
        bed_watch(&bed, ASKER, id_derive((struct id){{0}}, STR("x"), 0, 1), 60 * DURATION_SECOND_US);
    struct router *router = bed.world.hosts[ASKER].engine->router;
    uint64_t before = bed.world.hosts[ASKER].actions;
    router_turn(router, false);
    cr_assert(eq(u64, bed.world.hosts[ASKER].actions - before, 1));
    expect_refused(none, ERR_NOT_FOUND, "no saga");
    world_advance(&bed.world, 100000);
    router_turn(router, false);
    cr_assert(eq(u64, bed.world.hosts[ASKER].actions - before, 1), "not yet");
    bed_verb(&bed, ASKER, one->answer.id, CORE_EVENT_TERMINATE);
    bed_advance(&bed, 400000);
    for (int i = 0; i < WATCHES; i++) {
        cr_assert(eq(u32, watches[i]->count, i % 2 == 0));
        if (i % 2 == 0)
            cr_assert(watches[i]->answer.error == ERR_OK && watches[i]->answer.status == CORE_TERMINATED);
    }
    bed_advance(&bed, 60 * DURATION_SECOND_US);
    for (int i = 1; i < WATCHES; i += 2)
        cr_assert(eq(u32, watches[i]->count, 1));
    bed_close(&bed);
}
