/* sagactl history: the journal of one saga over HTTP, page by page; watch reads it too. */
#pragma once
#include <stdint.h>
#include "engine/base/json.h"
#include "engine/sagactl/invocation.h"

int history_run(struct invocation *invocation);
/* The page of records behind *seq of the saga named first among the arguments; *seq moves to the last of
 * them, *more says whether there are others. NULL after a sentence, *code is then the exit code. */
const struct json *history_page(struct invocation *invocation, int64_t *seq, bool *more, int *code);
