/* How much work something took, told so that a busy or slow machine does not change the answer.
 *
 * Processor time alone does not do: a neighbour on the same core, a throttled or a stolen one makes the same
 * instructions take twice as long. So a loop of known work is timed before and after, and the time is told in
 * units of it: what it would have been where the loop takes EFFORT_UNIT_US. For bounds that catch a wrong
 * order of growth, not for benchmarks. Of this process, all threads. */
#pragma once
#include <stdint.h>

enum { EFFORT_UNIT_US = 3000 /* unoptimized and sanitized, 2.5 GHz */ };
struct effort {
    int64_t unit_us;
    int64_t begin_us;
};

struct effort effort_begin(void);
/* Microseconds since effort_begin, on the machine of EFFORT_UNIT_US. */
int64_t effort_us(struct effort effort);
