/* The time a runner goes by, told from readings of two clocks. */
#include "engine/runtime/timekeeper.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include "engine/base/duration.h"

static const int64_t second_us = DURATION_SECOND_US, hour_us = 3600 * DURATION_SECOND_US;
enum { EPOCH_S = 1000000000 };

struct clocks {
    struct timekeeper keeper;
    int64_t monotonic_us;
    int64_t ahead_us; /* of the database's clock before where it began */
    int64_t last_us;  /* what we showed last */
};

static void begin(struct clocks *clocks)
{
    *clocks = (struct clocks){.monotonic_us = 5000};
    timekeeper_init(&clocks->keeper, clocks->monotonic_us, EPOCH_S * second_us);
    clocks->last_us = timekeeper_now(&clocks->keeper, clocks->monotonic_us);
}

static int64_t true_us(const struct clocks *clocks)
{
    return EPOCH_S * second_us + clocks->monotonic_us - 5000;
}

static int64_t shown_us(const struct clocks *clocks)
{
    return timekeeper_now(&clocks->keeper, clocks->monotonic_us);
}

/* Three seconds pass, then a reading. */
static enum timekeeper_news pass(struct clocks *clocks)
{
    clocks->monotonic_us += 3 * second_us;
    int64_t database_us = true_us(clocks) + clocks->ahead_us;
    int64_t before_us = shown_us(clocks);
    enum timekeeper_news news = timekeeper_read(&clocks->keeper, clocks->monotonic_us, database_us);
    if (news != TIMEKEEPER_BACK) {
        cr_assert(ge(i64, shown_us(clocks), before_us), "time does not go back");
        cr_assert(ge(i64, before_us, clocks->last_us));
    }
    clocks->last_us = shown_us(clocks);
    return news;
}

/* Readings until the news; how many. */
static uint32_t until(struct clocks *clocks, enum timekeeper_news wanted)
{
    for (uint32_t count = 1; count < 100000; count++) {
        enum timekeeper_news news = pass(clocks);
        if (news == wanted)
            return count;
        cr_assert(news == TIMEKEEPER_SAME, "%d came", (int)news);
    }
    cr_assert(not(true), "it never came");
    return 0;
}

Test(timekeeper, follows_what_is_near)
{
    struct clocks clocks;
    begin(&clocks);
    cr_assert(pass(&clocks) == TIMEKEEPER_SAME);
    cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks)));
    clocks.ahead_us = second_us;
    cr_assert(pass(&clocks) == TIMEKEEPER_SAME);
    cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks) + second_us), "ahead: at once");
    clocks.ahead_us = second_us / 2;
    for (int i = 0; i < 200; i++)
        cr_assert(pass(&clocks) == TIMEKEEPER_SAME);
    cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks) + second_us / 2), "behind: little by little");
}

Test(timekeeper, passes_over_a_jump_that_does_not_last)
{
    const int64_t jumps[] = {hour_us, -hour_us, 2 * second_us, -2 * second_us};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct clocks clocks;
        begin(&clocks);
        clocks.ahead_us = jumps[i];
        cr_assert(pass(&clocks) == TIMEKEEPER_JUMPED);
        cr_assert(eq(i64, clocks.keeper.ahead_us, jumps[i]));
        cr_assert(pass(&clocks) == TIMEKEEPER_SAME);
        cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks)), "as if nothing were");
        clocks.ahead_us = 0;
        cr_assert(pass(&clocks) == TIMEKEEPER_RETURNED);
        cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks)));
        cr_assert(pass(&clocks) == TIMEKEEPER_SAME);
    }
}

Test(timekeeper, follows_slowly_what_stays_ahead)
{
    struct clocks clocks;
    begin(&clocks);
    clocks.ahead_us = 60 * second_us;
    cr_assert(pass(&clocks) == TIMEKEEPER_JUMPED);
    cr_assert(eq(u32, until(&clocks, TIMEKEEPER_FOLLOWS), 10), "after 30 s");
    uint32_t readings = until(&clocks, TIMEKEEPER_CAUGHT);
    cr_assert(ge(u32, readings, 59 * 8 / 3), "no attempt ends more than an eighth early: %u", readings);
    cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks) + 60 * second_us));
}

Test(timekeeper, gains_little_when_it_could_not_be_read_for_long)
{
    struct clocks clocks;
    begin(&clocks);
    clocks.ahead_us = hour_us;
    cr_assert(pass(&clocks) == TIMEKEEPER_JUMPED);
    until(&clocks, TIMEKEEPER_FOLLOWS);
    int64_t gained_us = shown_us(&clocks) - true_us(&clocks);
    clocks.monotonic_us += hour_us;
    cr_assert(pass(&clocks) == TIMEKEEPER_SAME);
    cr_assert(le(i64, shown_us(&clocks) - true_us(&clocks) - gained_us, second_us));
}

Test(timekeeper, goes_back_to_what_stays_behind)
{
    struct clocks clocks;
    begin(&clocks);
    clocks.ahead_us = -hour_us;
    cr_assert(pass(&clocks) == TIMEKEEPER_JUMPED);
    cr_assert(eq(u32, until(&clocks, TIMEKEEPER_BACK), 10));
    cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks) - hour_us));
    cr_assert(pass(&clocks) == TIMEKEEPER_SAME);
    cr_assert(eq(i64, timekeeper_when(&clocks.keeper, shown_us(&clocks)), clocks.monotonic_us));
}

Test(timekeeper, believes_no_clock_that_leaps_to_and_fro)
{
    struct clocks clocks;
    begin(&clocks);
    for (int i = 0; i < 100; i++) {
        clocks.ahead_us = i % 2 == 0 ? hour_us : -hour_us;
        cr_assert(pass(&clocks) == TIMEKEEPER_JUMPED);
        cr_assert(eq(i64, shown_us(&clocks), true_us(&clocks)));
    }
}
