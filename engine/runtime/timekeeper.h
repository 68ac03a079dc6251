/* The time a runner goes by: the database's, told between two readings by this machine's monotonic clock. A
 * clock that jumps is not followed at once, because an hour that did not pass would end every attempt under
 * way:
 *
 *   up to a second ahead      followed at once
 *   up to a second behind     our time loses a thousandth, until the database's has caught up
 *   further ahead             once it has lasted 30 s: our time gains an eighth, until it has caught up
 *   further behind            once it has lasted 30 s: our time goes back (TIMEKEEPER_BACK), and what was to
 *                             happen some time after a moment that has not come yet must be counted anew
 *
 * All times in microseconds. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What a shift must exceed to be told from the hiccups of a network and of clocks that are kept in step. */
static const int64_t timekeeper_jump_us = 1000000;

struct timekeeper {
    int64_t offset_us;  /* our time minus the monotonic clock */
    int64_t floor_us;   /* our time is not before this */
    int64_t read_us;    /* monotonic: last reading */
    int64_t ahead_us;   /* of the database's clock before ours, when last read; negative: behind */
    int64_t strange_us; /* monotonic: since when it is a jump away; 0: it is not */
    bool follows;       /* it has been so for long enough, and we go after it */
};
enum timekeeper_news {
    TIMEKEEPER_SAME,
    TIMEKEEPER_JUMPED,   /* it is a jump away from now on; ahead_us says how far */
    TIMEKEEPER_RETURNED, /* it is not any more, by itself */
    TIMEKEEPER_FOLLOWS,  /* it is believed, and ahead: we gain on it from now on */
    TIMEKEEPER_CAUGHT,   /* and have caught up with it */
    TIMEKEEPER_BACK,     /* it was believed, and behind: our time has gone back */
};

void timekeeper_init(struct timekeeper *keeper, int64_t monotonic_us, int64_t database_us);
/* A reading: at most what the database's clock showed at this monotonic moment. */
enum timekeeper_news timekeeper_read(struct timekeeper *keeper, int64_t monotonic_us, int64_t database_us);
int64_t timekeeper_now(const struct timekeeper *keeper, int64_t monotonic_us);
/* The monotonic moment at which our time will be this. */
int64_t timekeeper_when(const struct timekeeper *keeper, int64_t time_us);
