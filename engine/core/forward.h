/* Going forward through blocks, and how a step's do is decided. Each of these says what happened to the step;
 * what the saga does about it depends on the direction: going back, a decided step only makes room for the
 * next compensation. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* Opens the next step of the root sequence, or completes the saga. */
void forward_next(struct work *work);
/* Goes on after a park that no step caused (the deadline): sends what is due or opens what comes next. */
void forward_resume(struct work *work);
/* It happened: the event's body is the output. */
void forward_done(struct work *work, uint16_t step);
/* It is gone on without: its output is null. */
void forward_waived(struct work *work, uint16_t step);
/* It failed and nothing happened: the saga goes back, or parks when there is no way back from this step. */
void forward_rejected(struct work *work, uint16_t step, struct str code, struct str message);
/* A human decides. */
void forward_stuck(struct work *work, uint16_t step, struct str code, struct str message);
/* No attempt is left. When one went unanswered, nobody knows whether it happened: `on_timeout` decides. */
void forward_exhausted(struct work *work, uint16_t step, struct str code, struct str message);
/* Nobody can tell whether it happened. */
void forward_in_doubt(struct work *work, uint16_t step, struct str message);
