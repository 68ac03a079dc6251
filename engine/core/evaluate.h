/* What expressions see of a saga. Internal to the core. */
#pragma once
#include "engine/core/core.h"

/* The value of a program (NULL: an empty object) as seen from a frame, in scratch, small enough to be sent
 * and stored. NULL on a fault: code and message say which, in scratch. */
const struct json *evaluate(const struct core_saga *saga, uint16_t frame, const struct expr *program,
                            struct arena *scratch, struct str *code, struct str *message);
/* The same as a step's compensation sees it, which knows the step's own output even when it came late. */
const struct json *evaluate_undo(const struct core_saga *saga, uint16_t step, const struct expr *program,
                                 struct arena *scratch, struct str *code, struct str *message);
