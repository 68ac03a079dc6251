/* Going back: who is undone next, and how it ends. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The saga turns back, and why (step may be CORE_NO_STEP). A park is lifted; what is not decided is settled:
 * an outstanding command is still waited for, anything else is verified, in doubt or rejected now. */
void back_begin(struct work *work, uint16_t step, struct str code, struct str message);
/* Starts the next compensation when nothing is undecided or parked; without one the saga has been
 * compensated. */
void back_next(struct work *work);
/* The step's do will not be tried again. */
void back_settle(struct work *work, uint16_t step);
void back_undone(struct work *work, uint16_t step);
void back_waived(struct work *work, uint16_t step);
/* A human decides about a compensation. */
void back_stuck(struct work *work, uint16_t step, struct str code, struct str message);
/* A success nobody counted on any more: the step joins what is to be undone, an ended saga goes back once
 * more. */
void back_late_success(struct work *work, uint16_t step);
