/* A participant whose share of the broker is full: its commands wait, everybody else's go on, and nobody is
 * asked thousands of times. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"
#include "engine/runtime/engine_parts.h"
#include "tests/runtime/bed.h"

enum { SHARE = 5, MANY = 40 };

static const char two[] = "saga: two\nversion: 1\ndefaults: { timeout: 2s, start_within: 60s }\nsteps:\n"
                          "  - { id: bake, command: bakery.bake, compensate: none }\n";

static struct id started(struct bed *bed, const char *definition)
{
    struct bed_call *call = bed_start_of(bed, 0, definition, "", "{\"what\":\"tea\"}");
    bed_settle(bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    return call->answer.id;
}

/* So many sagas of "two" wait for the bakery, which takes nothing, and SHARE of their commands are in the
 * broker. */
static void fill(struct bed *bed, struct id *ids)
{
    bed_open(bed, 1);
    bed_define(bed, two);
    memory_bus_share(bed->world.broker, SHARE);
    for (uint32_t i = 0; i < MANY; i++)
        ids[i] = started(bed, "two");
}

static bool bake(struct bed *bed)
{
    struct bus_message command;
    if (!memory_bus_take_command(bed->world.broker, STR("bakery"), &bed->arena, &command))
        return false;
    bed_reply(bed, &command, "ok", "1");
    bed_settle(bed);
    return true;
}

/* Takes what there is, and what follows, until nothing comes for a while. */
static uint32_t bake_all(struct bed *bed)
{
    uint32_t count = 0;
    for (uint32_t quiet = 0; quiet < 20; quiet++) {
        while (bake(bed)) {
            count++;
            quiet = 0;
        }
        bed_advance(bed, DURATION_SECOND_US / 4);
    }
    return count;
}

static uint64_t held(struct bed *bed)
{
    struct engine_full full[4];
    uint64_t sum = 0;
    uint32_t count = engine_full(bed->world.hosts[0].engine, full, 4);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(str_equal(full[i].name, STR("bakery")));
        sum += full[i].held;
    }
    return sum;
}

Test(refusal, others_go_on_and_who_is_full_goes_on_once_there_is_room)
{
    struct bed bed;
    struct id ids[MANY];
    fill(&bed, ids);
    cr_assert(held(&bed) == MANY - SHARE);
    for (uint32_t i = 0; i < MANY; i++) {
        struct id other = started(&bed, "order");
        bed_answer(&bed, "shop.reserve", "ok", "1");
        bed_answer(&bed, "shop.charge", "ok", "1");
        bed_expect(&bed, other, "completed");
    }
    cr_assert(eq(u32, bake_all(&bed), MANY), "each command once");
    for (uint32_t i = 0; i < MANY; i++)
        bed_expect(&bed, ids[i], "completed");
    cr_assert(held(&bed) == 0);
    bed_close(&bed);
}

Test(refusal, tries_are_few)
{
    struct bed bed;
    struct id ids[MANY];
    fill(&bed, ids);
    uint32_t before = bed.published_commands;
    cr_assert(before <= SHARE + 10, "what comes to a full subject is not even tried: %u", before);
    bed_advance(&bed, 40 * DURATION_SECOND_US);
    cr_assert(bed.published_commands - before <= 20, "%u tries in 40 s", bed.published_commands - before);
    cr_assert(bed.published_commands > before, "it is tried");
    bed_close(&bed);
}

Test(refusal, what_found_no_room_in_time_did_not_happen)
{
    struct bed bed;
    struct id ids[MANY];
    fill(&bed, ids);
    bed_advance(&bed, 61 * DURATION_SECOND_US);
    for (uint32_t i = SHARE; i < MANY; i++) {
        bed_expect(&bed, ids[i], "compensated");
        cr_assert(str_equal(bed_row(&bed, ids[i]).reason_code, STR("UNDELIVERED")));
    }
    cr_assert(held(&bed) == 0);
    cr_assert(bake_all(&bed) <= SHARE, "none of theirs was sent");
    bed_close(&bed);
}

Test(refusal, a_cancel_lets_go_what_waits)
{
    struct bed bed;
    struct id ids[MANY];
    fill(&bed, ids);
    for (uint32_t i = 0; i < MANY; i++)
        bed_verb(&bed, 0, ids[i], CORE_EVENT_CANCEL);
    bed_advance(&bed, 2 * DURATION_SECOND_US);
    for (uint32_t i = 0; i < MANY; i++)
        bed_expect(&bed, ids[i], "compensated");
    cr_assert(held(&bed) == 0);
    bed_close(&bed);
}

Test(refusal, the_next_owner_sends_what_was_held)
{
    struct bed bed;
    struct id ids[MANY];
    struct err_note note = {""};
    fill(&bed, ids);
    world_die_in(&bed.world, 0, 1);
    bed_advance(&bed, 20 * DURATION_SECOND_US);
    world_bury(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK, "%s", note.text);
    bed_settle(&bed);
    bake_all(&bed);
    for (uint32_t i = 0; i < MANY; i++)
        bed_expect(&bed, ids[i], "completed");
    bed_close(&bed);
}

/* An earlier owner may have sent it: its time runs, as that of any command without an answer. */
Test(refusal, the_next_owner_does_not_wait_for_ever_either)
{
    struct bed bed;
    struct id ids[MANY];
    struct err_note note = {""};
    fill(&bed, ids);
    world_die_in(&bed.world, 0, 1);
    bed_advance(&bed, 20 * DURATION_SECOND_US);
    world_bury(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK, "%s", note.text);
    bed_advance(&bed, 10 * DURATION_SECOND_US);
    for (uint32_t i = 0; i < MANY; i++)
        cr_assert(bed_row(&bed, ids[i]).seq == 1, "nothing has happened");
    bed_advance(&bed, 60 * DURATION_SECOND_US);
    for (uint32_t i = SHARE; i < MANY; i++)
        cr_assert(bed_row(&bed, ids[i]).seq > 1, "the attempt is over");
    bed_close(&bed);
}

Test(refusal, an_outage_in_between_loses_nothing)
{
    struct bed bed;
    struct id ids[MANY];
    fill(&bed, ids);
    bed.next_publish = WORLD_ANSWER_LOST; /* of the next try, or of what is new */
    struct id other = started(&bed, "order");
    bed.world.bus_down = true;
    bed_advance(&bed, 10 * DURATION_SECOND_US);
    bed.world.bus_down = false;
    bed_advance(&bed, 10 * DURATION_SECOND_US);
    bed_answer(&bed, "shop.reserve", "ok", "1");
    bed_answer(&bed, "shop.charge", "ok", "1");
    bed_expect(&bed, other, "completed");
    cr_assert(eq(u32, bake_all(&bed), MANY));
    for (uint32_t i = 0; i < MANY; i++)
        bed_expect(&bed, ids[i], "completed");
    bed_close(&bed);
}
