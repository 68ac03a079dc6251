/* How an operator resolves what is stuck. The step may be named or left out: then it is the one that is
 * stuck. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* A fresh budget and an attempt at once; a step between two attempts goes at once on its present budget;
 * without a step, a saga parked by its deadline goes on. */
void resolve_retry(struct work *work);
/* The step is let go: forward it is waived, a compensation is given up. */
void resolve_skip(struct work *work);
/* As if the participant had answered ok or rejected. */
void resolve_force(struct work *work);
/* What an operator can do about an open saga as it is, in words, for a refusal; in the work's scratch arena.
 */
struct str resolve_possible(const struct work *work);
