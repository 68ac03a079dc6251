/* From what came in to decisions: each inbox item and each due timer becomes an event for the core, its
 * record a row of the batch. */
#pragma once
#include "engine/runtime/runner.h"

/* Steps all items (a list, taken) and due timers into runner->batch. When
 * sagas cannot be loaded, callers are told and messages are tried again in a moment. */
void intake_items(struct runner *runner, struct inbox_item *items);
void intake_timers(struct runner *runner);
