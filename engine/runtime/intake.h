/* From what came in to decisions: each inbox item and each due timer becomes an event for the core, its
 * record a row of the batch. */
#pragma once
#include "engine/runtime/runner.h"

/* Steps all items (a list, taken) and due timers into runner->batch. ERR_UNAVAILABLE: sagas could not be
 * loaded; the items that needed it were answered or left unacknowledged, to come again. */
void intake_items(struct runner *runner, struct inbox_item *items);
void intake_timers(struct runner *runner);
