/* The flow: moves every block on as far as it goes, starts the compensations that may start, and ends scopes
 * and the saga. Handlers decide what an event means for a step; what follows for everything around it is
 * decided here, once, after them. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* Until nothing moves any more. Called once at the end of every event that was used. */
void flow_run(struct work *work);
/* What stands in this sequence has failed, and nothing can go on behind it: its branch fails, or the scope or
 * the saga around it goes back. `step` may be CORE_NO_STEP. */
void flow_fail(struct work *work, uint16_t frame, uint16_t step, struct str code, struct str message);
