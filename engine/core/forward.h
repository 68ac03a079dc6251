/* How a step's do is decided. Each of these says what happened to the step; what the blocks around it do
 * about it is the flow's (flow.h), which runs after it. In a branch that is halted a decided step only makes
 * room for compensations. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* It happened: the event's body is the output. */
void forward_done(struct work *work, uint16_t step);
/* It is gone on without: its output is null. */
void forward_waived(struct work *work, uint16_t step);
/* It failed and nothing happened: what is around it fails, or it parks when there is no way back. */
void forward_rejected(struct work *work, uint16_t step, struct str code, struct str message);
/* A human decides. */
void forward_stuck(struct work *work, uint16_t step, struct str code, struct str message);
/* No attempt is left. When one went unanswered, nobody knows whether it happened: `on_timeout` decides. When
 * each was answered `retry`, a `verify` is asked all the same, if there is one. */
void forward_exhausted(struct work *work, uint16_t step, struct str code, struct str message);
/* A verify says that it did not happen. */
void forward_verified(struct work *work, uint16_t step);
/* It failed, and what it did is there, to be undone: a child saga that has everything but its output. */
void forward_kept(struct work *work, uint16_t step, struct str code, struct str message);
/* Nobody can tell whether it happened. code, message: of the last attempt. */
void forward_in_doubt(struct work *work, uint16_t step, struct str code, struct str message);
