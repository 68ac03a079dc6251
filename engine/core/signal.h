/* Events from outside and the awaits that take them. Internal to the core. */
#pragma once
#include "engine/core/work.h"

void signal_take(struct work *work);
/* The step awaits: it takes the first signal that is kept for it, or waits for one. */
void signal_await(struct work *work, uint16_t step);
