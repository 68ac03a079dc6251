/* Lifecycle events: which one a transition makes. The same for a batch and for sending again from the
 * journal, so that an event, like a command, is lost only if PostgreSQL loses it: at least once, in order of
 * a saga's seq, known by its ce-id. */
#pragma once
#include "engine/core/core.h"

/* "started", "compensating", "parked", "resumed" (from a park), "completed", "compensated", "terminated"; the
 * empty str: none. */
struct str lifecycle_of_start(void);
struct str lifecycle_of_status(enum core_status status);
