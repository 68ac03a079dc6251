#include "engine/runtime/timekeeper.h"

#include "engine/base/check.h"

static const int64_t belief_us =
    30000000;      /* a failover or a mended clock lasts; a leap of a sick one does not */
enum { GAIN = 8 }; /* of the time that passes, one part: attempts end so much early at most */
enum {
    LOSS = 1000
}; /* likewise: more than clocks drift, too little for a slow network to be taken for one */

void timekeeper_init(struct timekeeper *keeper, int64_t monotonic_us, int64_t database_us)
{
    check(database_us > 0);
    *keeper = (struct timekeeper){.offset_us = database_us - monotonic_us, .read_us = monotonic_us};
}

int64_t timekeeper_now(const struct timekeeper *keeper, int64_t monotonic_us)
{
    int64_t now_us = monotonic_us + keeper->offset_us;
    return now_us > keeper->floor_us ? now_us : keeper->floor_us;
}

int64_t timekeeper_when(const struct timekeeper *keeper, int64_t time_us)
{
    return time_us - keeper->offset_us;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void settle(struct timekeeper *keeper)
{
    keeper->strange_us = 0;
    keeper->follows = false;
}

static enum timekeeper_news follow_near(struct timekeeper *keeper, int64_t monotonic_us)
{
    enum timekeeper_news news = keeper->follows          ? TIMEKEEPER_CAUGHT
                                : keeper->strange_us > 0 ? TIMEKEEPER_RETURNED
                                                         : TIMEKEEPER_SAME;
    int64_t lost_us = least(-keeper->ahead_us, (monotonic_us - keeper->read_us) / LOSS);
    keeper->floor_us = timekeeper_now(keeper, monotonic_us);
    keeper->offset_us += keeper->ahead_us > 0 ? keeper->ahead_us : -lost_us;
    settle(keeper);
    return news;
}

static enum timekeeper_news follow_far(struct timekeeper *keeper, int64_t monotonic_us)
{
    if (keeper->ahead_us < 0) {
        keeper->floor_us = 0;
        keeper->offset_us += keeper->ahead_us;
        settle(keeper);
        return TIMEKEEPER_BACK;
    }
    enum timekeeper_news news = keeper->follows ? TIMEKEEPER_SAME : TIMEKEEPER_FOLLOWS;
    int64_t gained_us = least((monotonic_us - keeper->read_us) / GAIN, timekeeper_jump_us);
    keeper->offset_us += least(gained_us, keeper->ahead_us);
    keeper->follows = true;
    return news;
}

enum timekeeper_news timekeeper_read(struct timekeeper *keeper, int64_t monotonic_us, int64_t database_us)
{
    check(monotonic_us >= keeper->read_us);
    int64_t before_us = keeper->ahead_us;
    keeper->ahead_us = database_us - (monotonic_us + keeper->offset_us);
    enum timekeeper_news news = TIMEKEEPER_SAME;
    if (keeper->ahead_us >= -timekeeper_jump_us && keeper->ahead_us <= timekeeper_jump_us) {
        news = follow_near(keeper, monotonic_us);
    } else if (keeper->strange_us == 0 || (before_us < 0) != (keeper->ahead_us < 0)) {
        keeper->strange_us = monotonic_us > 0 ? monotonic_us : 1;
        keeper->follows = false;
        news = TIMEKEEPER_JUMPED;
    } else if (monotonic_us - keeper->strange_us >= belief_us) {
        news = follow_far(keeper, monotonic_us);
    }
    keeper->read_us = monotonic_us;
    return news;
}
