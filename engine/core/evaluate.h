/* What expressions see of a saga. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* The value of a program (NULL: an empty object) as seen from a frame, in scratch, small enough to be sent
 * and stored. NULL on a fault: code and message say which, in scratch. What it cost is charged to the event.
 */
const struct json *evaluate(struct work *work, uint16_t frame, const struct expr *program, struct str *code,
                            struct str *message);
/* The same for one of several that share units of work, which are lowered: EXPRESSION_BUDGET when they are
 * used up. */
const struct json *evaluate_within(struct work *work, uint16_t frame, const struct expr *program,
                                   uint64_t *units, struct str *code, struct str *message);
/* The same as a step's compensation sees it, which knows the step's own output even when it came late. */
const struct json *evaluate_undo(struct work *work, uint16_t step, const struct expr *program,
                                 struct str *code, struct str *message);
