/* What became of a command on its way to its participant. Who says so has looked at the broker; the core only
 * draws the consequences. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The attempt was delivered only now, so that its time begins now. Nothing when it would not end later. */
void delivery_late(struct work *work);
/* The attempt has reached nobody and is not on its way any more. A do is rejected by the engine with the
 * event's code, to which the rules of `errors` apply; an earlier attempt that went unanswered leaves the step
 * as unknown as it was. A question that nobody took leaves the step in doubt, a compensation is stuck. */
void delivery_none(struct work *work);
