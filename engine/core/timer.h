/* What is due when. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The earliest timer, INT64_MAX when there is none, and whose it is: CORE_NO_STEP for the saga's own
 * deadline, and for a transition that was cut. Sends that are held have no timer: what lifts the hold sends
 * them. */
int64_t timer_next(const struct core_saga *saga, uint16_t *step);
/* An operator moves a timer; one that is due now fires with the next timer event. */
void timer_move(struct work *work);
/* Lets the earliest timer act when its time has come. */
void timer_fire(struct work *work);
