/* Events from outside and the awaits that take them. Internal to the core. */
#pragma once
#include "engine/core/work.h"

void signal_take(struct work *work);
/* The step awaits: it takes the first signal that is kept for it, or waits for one. */
void signal_await(struct work *work, uint16_t step);
/* Drops what is kept and no await can take any more: what moved last may have passed it. A cut transition
 * leaves it to the one that goes on. */
void signal_review(struct work *work);
