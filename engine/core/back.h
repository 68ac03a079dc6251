/* Going back: a scope or the saga turns, who is undone next, and when it is over. Internal to the core.
 *
 * What is undone goes in reverse: a compensation starts when nothing that came later in its sequence, or in a
 * sequence around it, is under way, stuck or still to be undone. Branches and items know nothing of each
 * other: they are undone side by side, as many at once as went forward at once. */
#pragma once
#include "engine/core/work.h"

/* The saga turns back, and why (step may be CORE_NO_STEP). A park is lifted; what is not decided is settled:
 * an outstanding command is still waited for, anything else is verified, in doubt or rejected now. */
void back_begin(struct work *work, uint16_t step, struct str code, struct str message);
/* Settles what is not decided within the frame. */
void back_settle_within(struct work *work, uint16_t frame);
/* The step's do will not be tried again. */
void back_settle(struct work *work, uint16_t step);
/* Starts every compensation that may start, closes scopes that are undone. True when something moved. */
bool back_go(struct work *work);
/* Nothing is under way, stuck or to be undone any more. */
bool back_is_over(const struct work *work);
void back_undone(struct work *work, uint16_t step);
void back_waived(struct work *work, uint16_t step);
/* A human decides about a compensation. */
void back_stuck(struct work *work, uint16_t step, struct str code, struct str message);
/* A success nobody counted on any more: the step joins what is to be undone, an ended saga goes back once
 * more. */
void back_late_success(struct work *work, uint16_t step);
/* The parent wants this child undone, which may have ended. */
void back_undo(struct work *work);
