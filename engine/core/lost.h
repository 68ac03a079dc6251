/* The saga's past was lost with the database that held it: what the engine knew of it is more than the
 * journal says. What went out in that part, nobody knows any more, so everything stands still until a human
 * has decided. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* Parks with HISTORY_LOST and marks every undecided step as unknown. Left when it has ended, or waits for
 * that human already. */
void lost_mark(struct work *work);
/* It waits for that human: its timers stand still, nothing is sent, whatever is decided. */
bool lost_holds(const struct core_saga *saga);
