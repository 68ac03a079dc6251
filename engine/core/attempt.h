/* Attempts of one command: sending it, the pause before the next one, and what it means that there is no next
 * one. The same for do, verify and undo. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* Sends what a step in a waiting state waits to send; nothing while sends are held. An await and a wait,
 * which send nothing, begin. When its body cannot be computed or its budget is over, decides what follows. */
void attempt_go(struct work *work, uint16_t step);
/* attempt_go when the step waits and its time has come. */
void attempt_go_if_due(struct work *work, uint16_t step);
/* A child saga has not ended yet, which is no failure and leaves nothing in doubt: it is asked again. */
void attempt_poke(struct work *work, uint16_t step);
/* The step's present command failed for now, code (may be empty) and message say how: the next attempt is
 * planned, or the budget is over and what follows is decided. */
void attempt_again(struct work *work, uint16_t step, int64_t retry_after_us, struct str code,
                   struct str message);
