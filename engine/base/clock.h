/* The two clocks of the machine, in microseconds. The core never reads them: it is given the time. Any
 * thread. */
#pragma once
#include <stdint.h>

/* Since some point in the past; never goes back: for timeouts and measured spans. */
int64_t clock_monotonic_us(void);
/* Since 1970, UTC; may be set by the administrator: for what is stored or shown. */
int64_t clock_real_us(void);
