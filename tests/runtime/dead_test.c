/* Dead letters are kept within bounds, the newest, fairly; and not for ever. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"
#include "engine/base/limits.h"
#include "engine/bus/memory_broker.h"
#include "engine/ops/metrics.h"
#include "tests/runtime/bed.h"

/* A host with bounds of its own; the first one is stopped. */
static void open_bounded(struct bed *bed)
{
    struct err_note note = {""};
    bed_open(bed, 1);
    world_stop(&bed->world, 0);
    bed->world.options.dead_letters = 20; /* ten a shard */
    bed->world.options.dead_keep_us = 3600 * DURATION_SECOND_US;
    cr_assert(world_boot(&bed->world, 1, &note) == ERR_OK, "%s", note.text);
    bed_settle(bed);
}

static void send(struct bed *bed, const char *subject, uint32_t count)
{
    struct bus_message reply = {.subject = str_from(subject), .body = STR("{}")};
    for (uint32_t i = 0; i < count; i++)
        memory_bus_send(bed->world.broker, &reply);
    bed_settle(bed);
}

static uint32_t left_of(struct bed *bed, const char *subject)
{
    struct store_dead_letter *letters = NULL;
    struct err_note note;
    uint32_t count = 0, found = 0;
    cr_assert(store_dead_letters(bed->store, STR(""), 0, 1000, &bed->arena, &letters, &count, &note) ==
              ERR_OK);
    for (uint32_t i = 0; i < count; i++)
        found += str_equal(letters[i].subject, str_from(subject));
    return found;
}

Test(dead, a_flood_pushes_out_its_own)
{
    struct bed bed;
    open_bounded(&bed);
    send(&bed, "saga.reply.0.quiet", 2);
    for (int i = 0; i < 5; i++)
        send(&bed, "saga.reply.0.loud", 30);
    cr_assert(eq(u32, left_of(&bed, "saga.reply.0.quiet"), 2));
    cr_assert(eq(u32, left_of(&bed, "saga.reply.0.loud"), 8));
    bed_close(&bed);
}

/* The database is everybody's: a flood of one kind takes a burst of it, then little. */
Test(dead, a_flood_is_stored_as_far_as_it_tells_something)
{
    struct bed bed;
    bed_open(&bed, 1);
    int64_t before = metrics_value(METRICS_DEAD_LETTERS, METRICS_NO_LABEL, METRICS_NO_LABEL);
    send(&bed, "saga.reply.0.loud", LIMITS_DEAD_BURST + 500);
    int64_t stored = metrics_value(METRICS_DEAD_LETTERS, METRICS_NO_LABEL, METRICS_NO_LABEL) - before;
    cr_expect(eq(i64, stored, LIMITS_DEAD_BURST));
    cr_expect(eq(i64, metrics_value(METRICS_DEAD_LETTERS_DROPPED, STR("rate"), METRICS_NO_LABEL), 500));
    send(&bed, "saga.reply.0.quiet", 3);
    cr_expect(
        eq(i64, metrics_value(METRICS_DEAD_LETTERS, METRICS_NO_LABEL, METRICS_NO_LABEL) - before, stored + 3),
        "others' are stored");
    bed_advance(&bed, DURATION_SECOND_US);
    send(&bed, "saga.reply.0.loud", 2 * LIMITS_DEAD_RATE);
    cr_expect(eq(i64, metrics_value(METRICS_DEAD_LETTERS, METRICS_NO_LABEL, METRICS_NO_LABEL) - before,
                 stored + 3 + LIMITS_DEAD_RATE),
              "and so many each second");
    cr_expect(bed.world.broker->first == NULL, "none comes again");
    bed_close(&bed);
}

Test(dead, letters_go_when_they_are_too_old)
{
    struct bed bed;
    open_bounded(&bed);
    send(&bed, "saga.reply.0.quiet", 2);
    bed_advance(&bed, 1800 * DURATION_SECOND_US);
    send(&bed, "saga.reply.0.loud", 1);
    bed_advance(&bed, 1900 * DURATION_SECOND_US);
    cr_assert(eq(u32, left_of(&bed, "saga.reply.0.quiet"), 0));
    cr_assert(eq(u32, left_of(&bed, "saga.reply.0.loud"), 1));
    bed_close(&bed);
}
