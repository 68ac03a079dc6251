/* The database's clock jumps: what takes seconds takes seconds, whatever it shows. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"
#include "tests/runtime/bed.h"

static const int64_t second_us = DURATION_SECOND_US, hour_us = 3600 * DURATION_SECOND_US;

/* One step that waits ten seconds for its answer and has one attempt; a saga has a minute. */
static const char brisk[] =
    "saga: brisk\nversion: 1\ntimeout: 1m\n"
    "steps:\n"
    "  - { id: reserve, command: shop.reserve, compensate: none, timeout: 10s, retry: { max_attempts: 1 } }\n"
    "  - { id: charge, command: shop.charge, compensate: none, timeout: 10s, retry: { max_attempts: 1 } }\n";

/* Its engine dies with its next action; another may be booted in its place. */
static void kill_first(struct bed *bed)
{
    world_die_in(&bed->world, 0, 1);
    bed_start(bed, 0, "deadly", "{\"what\":1}");
    bed_settle(bed);
    cr_assert(not(world_is_up(&bed->world, 0)));
    world_bury(&bed->world, 0);
}

static struct bus_message first; /* command of the saga begun last */

static struct id begun(struct bed *bed, const char *key)
{
    struct bed_call *call = bed_start_of(bed, 0, "brisk", key, "{}");
    bed_settle(bed);
    cr_assert(eq(u32, call->count, 1));
    first = bed_take(bed, "shop.reserve"); /* its time begins */
    return call->answer.id;
}

/* Its two steps, one after the other; seconds pass between them. */
static void serve(struct bed *bed, uint32_t seconds)
{
    bed_reply(bed, &first, "ok", "1");
    bed_settle(bed);
    bed_advance(bed, seconds * second_us);
    bed_answer(bed, "shop.charge", "ok", "1");
}

Test(clock, a_jump_of_six_seconds_changes_nothing)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, brisk);
    struct id before = begun(&bed, "before");
    bed_jump(&bed, hour_us);
    bed_advance(&bed, 4 * second_us);
    struct id during = begun(&bed, "during");
    bed_expect(&bed, before, "running");
    bed_jump(&bed, -hour_us);
    bed_advance(&bed, 4 * second_us);
    bed_expect(&bed, before, "running");
    bed_advance(&bed, 3 * second_us);
    bed_expect(&bed, before, "compensated");
    bed_expect(&bed, during, "running");
    bed_advance(&bed, 4 * second_us);
    bed_expect(&bed, during, "compensated");
    bed_close(&bed);
}

/* The engine was begun while the clock was ahead, and goes back with it: nothing hangs for an hour. */
Test(clock, what_was_begun_ahead_is_counted_anew_when_time_goes_back)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, brisk);
    struct id early = begun(&bed, "early");
    bed_jump(&bed, -hour_us);
    serve(&bed, 9);
    bed_expect(&bed, early, "completed");
    struct id late = begun(&bed, "late");
    serve(&bed, 9);
    bed_expect(&bed, late, "completed");
    bed_advance(&bed, 11 * second_us);
    struct id held = begun(&bed, "held");
    bed_advance(&bed, 9 * second_us); /* believed meanwhile */
    struct store_saga row = bed_row(&bed, held);
    cr_assert(le(i64, row.updated_us, world_now_us(&bed.world)), "its last record is not in the future");
    bed_expect(&bed, held, "running");
    for (int i = 0; i < 12; i++)
        bed_advance(&bed, second_us);
    bed_expect(&bed, held, "compensated");
    row = bed_row(&bed, held);
    cr_assert(le(i64, row.updated_us, world_now_us(&bed.world)));
    bed_close(&bed);
}

/* Another engine takes over by a clock that is right. */
Test(clock, a_new_owner_counts_anew)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, brisk);
    struct id sent = begun(&bed, "sent"), waiting = begun(&bed, "waiting");
    bed_reply(&bed, &first, "ok", "1");
    bed_settle(&bed);
    (void)bed_take(&bed, "shop.charge");
    struct err_note note = {""};
    kill_first(&bed);
    bed_jump(&bed, -hour_us);
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK, "%s", note.text);
    bed_advance(&bed, 5 * second_us);
    cr_assert(le(i64, bed_row(&bed, waiting).updated_us, world_now_us(&bed.world)));
    cr_assert(le(i64, bed_row(&bed, sent).updated_us, world_now_us(&bed.world)));
    for (int i = 0; i < 30; i++)
        bed_advance(&bed, second_us);
    bed_expect(&bed, waiting, "compensated");
    bed_expect(&bed, sent, "compensated");
    bed_close(&bed);
}

/* Whoever waits for the end of a saga waits by no calendar. */
Test(clock, callers_wait_no_longer)
{
    struct bed bed;
    bed_open(&bed, 1);
    bed_define(&bed, brisk);
    struct id id = begun(&bed, "watched");
    bed_jump(&bed, -hour_us);
    struct bed_call *watch = bed_watch(&bed, 0, id, 5 * second_us);
    bed_advance(&bed, 6 * second_us);
    cr_assert(eq(u32, watch->count, 1));
    bed_close(&bed);
}

/* Its owner died while the clock was ahead: the lease would have lasted for an hour. */
Test(clock, a_lease_of_a_time_to_come_is_over)
{
    struct bed bed;
    bed_open_sharing(&bed, 2, 0);
    bed_define(&bed, brisk);
    struct id id = begun(&bed, "left");
    kill_first(&bed);
    bed_jump(&bed, -hour_us);
    for (int i = 0; i < 40; i++)
        bed_advance(&bed, second_us);
    bed_expect(&bed, id, "compensated");
    bed_close(&bed);
}
