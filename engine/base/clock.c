#include "engine/base/clock.h"
#include <time.h>
#include "engine/base/check.h"

static int64_t read_us(clockid_t clock)
{
    struct timespec time;
    check(clock_gettime(clock, &time) == 0);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_real_us(void)
{
    return read_us(CLOCK_REALTIME);
}
