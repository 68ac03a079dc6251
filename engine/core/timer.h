/* What is due when. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The earliest timer, INT64_MAX when there is none, and whose it is: CORE_NO_STEP for the saga's own
 * deadline, and for a transition that was cut. Sends that are held have no timer: what lifts the hold sends
 * them. `holds` (NULL: none) leaves out steps whose command is out. */
int64_t timer_next(const struct core_saga *saga, bool (*holds)(const void *context, uint16_t step),
                   const void *context, uint16_t *step);
/* An operator moves a timer; one that is due now fires with the next timer event. */
void timer_move(struct work *work);
/* The saga is paused; since_us: its deadline and awaits stand still from then on, 0: they go on. */
void timer_hold(struct work *work, int64_t since_us);
/* It goes on, and what stood still has as much time left as it had then. */
void timer_release(struct work *work);
/* Lets the earliest timer, or the one that the event names, act when its time has come. */
void timer_fire(struct work *work);
