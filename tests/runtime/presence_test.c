/* Engines among others, in virtual time: two never have one name, and an engine that cannot reach its bus
 * leaves its shards to one that can. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/duration.h"
#include "engine/store/memory_world.h"
#include "tests/runtime/bed.h"

static const int64_t lease_us = 10 * DURATION_SECOND_US;

/* An hour is longer than any outage here. */
static const char patient[] = "saga: patient\n"
                              "version: 1\n"
                              "defaults: { timeout: 1h }\n"
                              "steps:\n"
                              "  - { id: reserve, command: shop.reserve, compensate: none }\n"
                              "  - { id: charge, command: shop.charge, compensate: none }\n";

static void name_alike(struct bed *bed)
{
    snprintf(bed->world.hosts[1].name, sizeof bed->world.hosts[1].name, "%s", bed->world.hosts[0].name);
}

/* Each time that any shard is claimed raises it. */
static int64_t claims(const struct bed *bed)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < bed->world.shard_count; i++)
        sum += bed->world.store->shards[i].marks.epoch;
    return sum;
}

static uint32_t owned(struct bed *bed, uint32_t host)
{
    struct engine_figures figures;
    engine_figures(bed->world.hosts[host].engine, &figures);
    return figures.shards_owned;
}

static void boot(struct bed *bed, uint32_t host)
{
    struct err_note note = {""};
    cr_assert(world_boot(&bed->world, host, &note) == ERR_OK, "%s", note.text);
}

static void finish(struct bed *bed, struct id id)
{
    bed_answer(bed, "shop.reserve", "ok", "{}");
    bed_answer(bed, "shop.charge", "ok", "{}");
    bed_expect(bed, id, "completed");
}

/* --- one name, one engine ------------------------------------------------------------------------------ */

Test(presence, a_second_engine_of_a_name_does_not_start_and_disturbs_nobody)
{
    struct bed bed;
    struct err_note note = {""};
    bed_open(&bed, 1);
    name_alike(&bed);
    int64_t before = claims(&bed);
    for (int i = 0; i < 3; i++) {
        cr_assert(world_boot(&bed.world, 1, &note) == ERR_CONFLICT);
        cr_assert(strstr(note.text, "\"host0\"") != NULL, "%s", note.text);
        bed_advance(&bed, 2 * DURATION_SECOND_US);
    }
    cr_assert(eq(i64, claims(&bed), before));
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    finish(&bed, start->answer.id);
    bed_close(&bed);
}

Test(presence, one_that_slept_through_its_lease_is_ousted_and_fights_for_nothing)
{
    struct bed bed;
    struct err_note why = {""};
    bed_open(&bed, 1);
    name_alike(&bed);
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    world_advance(&bed.world, lease_us + 1);
    boot(&bed, 1);
    cr_assert(eq(u32, owned(&bed, 1), 2));
    int64_t before = claims(&bed);
    struct bed_call *watch = bed_watch(&bed, 0, start->answer.id, 60 * DURATION_SECOND_US);
    world_turn(&bed.world, 0);
    cr_assert(engine_ousted(bed.world.hosts[0].engine, &why));
    cr_assert(strstr(why.text, "\"host0\"") != NULL, "%s", why.text);
    cr_assert(not(engine_ousted(bed.world.hosts[1].engine, &why)));
    cr_assert(eq(u32, owned(&bed, 0), 0));
    for (int i = 0; i < 40; i++) {
        world_advance(&bed.world, DURATION_SECOND_US);
        world_turn(&bed.world, 0);
    }
    cr_assert(eq(i64, claims(&bed), before), "it claims nothing, whatever runs out");
    cr_assert(watch->count == 1 && watch->answer.error == ERR_UNAVAILABLE, "its callers were told");
    bed_close(&bed);
}

Test(presence, an_engine_that_was_killed_is_back_at_once_with_its_shards)
{
    struct bed bed;
    bed_open(&bed, 1);
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    boot(&bed, 1); /* on guard: gets nothing of it */
    world_die_in(&bed.world, 0, 1);
    world_advance(&bed.world, lease_us / 2);
    world_turn(&bed.world, 0);
    cr_assert(not(world_is_up(&bed.world, 0)));
    world_bury(&bed.world, 0);
    boot(&bed, 0);
    cr_assert(eq(u32, owned(&bed, 0), 2));
    bed_settle(&bed);
    finish(&bed, start->answer.id);
    bed_close(&bed);
}

/* --- cut off from the bus ------------------------------------------------------------------------------- */

Test(presence, one_cut_off_from_its_bus_leaves_its_shards_to_one_that_is_not)
{
    struct bed bed;
    bed_open(&bed, 2);
    bed_define(&bed, patient);
    struct bed_call *start = bed_start_of(&bed, 0, "patient", "", "{}");
    bed_advance(&bed, lease_us + DURATION_SECOND_US); /* the other's bus has worked for long */
    struct bus_message command = bed_take(&bed, "shop.reserve");
    world_cut(&bed.world, 0, true);
    bed_advance(&bed, lease_us - 2 * DURATION_SECOND_US);
    cr_assert(eq(u32, owned(&bed, 0), 2), "a moment is no reason");
    bed_advance(&bed, 6 * DURATION_SECOND_US);
    cr_assert(eq(u32, owned(&bed, 0), 0));
    cr_assert(eq(u32, owned(&bed, 1), 2));
    bed_reply(&bed, &command, "ok", "{}");
    bed_settle(&bed);
    bed_answer(&bed, "shop.charge", "ok", "{}");
    bed_expect(&bed, start->answer.id, "completed");
    bed_close(&bed);
}

Test(presence, one_cut_off_claims_nothing_until_its_bus_is_back)
{
    struct bed bed;
    bed_open(&bed, 2);
    boot(&bed, 2);
    bed_advance(&bed, lease_us + DURATION_SECOND_US);
    world_cut(&bed.world, 1, true);
    world_cut(&bed.world, 0, true);
    bed_advance(&bed, lease_us + 5 * DURATION_SECOND_US);
    cr_assert(eq(u32, owned(&bed, 2), 2), "the only one whose bus works");
    world_stop(&bed.world, 2);
    bed_advance(&bed, 2 * DURATION_SECOND_US);
    cr_assert(eq(u32, owned(&bed, 0) + owned(&bed, 1), 2), "somebody has them: nobody is better");
    bed_close(&bed);
}

Test(presence, nothing_moves_where_nobodys_bus_works)
{
    struct bed bed;
    bed_open(&bed, 2);
    bed_advance(&bed, lease_us + DURATION_SECOND_US);
    cr_assert(eq(u32, owned(&bed, 0), 2));
    world_cut(&bed.world, 0, true);
    world_cut(&bed.world, 1, true);
    struct bed_call *start = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_advance(&bed, 5 * lease_us);
    cr_assert(eq(u32, owned(&bed, 0), 2));
    cr_assert(start->count == 1 && start->answer.error == ERR_OK, "PostgreSQL is all that a start needs");
    world_cut(&bed.world, 1, false); /* a moment earlier than the other's */
    bed_advance(&bed, lease_us / 2);
    world_cut(&bed.world, 0, false);
    bed_advance(&bed, 3 * lease_us);
    cr_assert(eq(u32, owned(&bed, 0), 2), "whose bus is back first, is no reason either");
    bed_close(&bed);
}
