#include "tests/support/effort.h"

#include <time.h>

enum { WORDS = 8192, ROUNDS = 40, TRIES = 3 };

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Multiplies and scattered reads, as parsers and hash tables do; the longest try, since the machine may have
 * been as slow as that all the time. */
static int64_t unit_us(void)
{
    static uint32_t words[WORDS];
    static volatile uint32_t sink;
    int64_t longest_us = 1;
    for (int try = 0; try < TRIES; try++) {
        int64_t begin_us = cpu_us();
        uint32_t value = 1;
        for (uint32_t i = 0; i < WORDS * ROUNDS; i++) {
            value = (value ^ words[value % WORDS]) * UINT32_C(2654435761) + i;
            words[i % WORDS] = value >> 7;
        }
        sink = value;
        int64_t took_us = cpu_us() - begin_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
    }
    (void)sink;
    return longest_us;
}

struct effort effort_begin(void)
{
    struct effort effort = {.unit_us = unit_us()};
    effort.begin_us = cpu_us();
    return effort;
}

int64_t effort_us(struct effort effort)
{
    int64_t spent_us = cpu_us() - effort.begin_us;
    int64_t after_us = unit_us();
    int64_t unit = after_us > effort.unit_us ? after_us : effort.unit_us;
    return spent_us * EFFORT_UNIT_US / unit;
}
