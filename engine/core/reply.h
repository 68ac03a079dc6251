/* Answers of participants. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The rules, first match wins:
 *   belongs to nothing (no such command, another participant)            dead
 *   a success after the step's first one, any second answer              duplicate
 *   a success while undecided, from any attempt                          decides
 *   a success when it was given up (in doubt, rejected, waived, undone)  is undone with the rest, or at once
 *   anything else from an attempt that is not the newest                 stale
 *   anything else to a step that is decided, or that timed out already   late; but a rejection still decides
 *                                                                        one that has timed out
 */
void reply_take(struct work *work);
/* What the step's `errors` say about the event's code. */
enum plan_on_error reply_rule(const struct work *work, uint16_t step);
