/* What a saga can still await: how many awaits of an event may begin from where it stands. No saga is written
 * here. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The most awaits of this event that may begin yet, whatever participants answer and operators decide; those
 * that wait already, or are stuck, are not counted. Never grows while a saga goes on: at most LIMITS_SIGNALS.
 * Charged to the event. */
uint32_t awaited_yet(struct work *work, struct str event);
