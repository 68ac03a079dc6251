/* The messages of saga.ctl.<shard>: a start or a verb as JSON, and its answer. Pure. */
#pragma once
#include "engine/runtime/inbox.h"

/* {"op":"start","definition","version","key","input","search","correlation","traceparent","id"?} or
 * {"op":"verb","id","verb","step","status","body",…} */
struct str control_write(const struct inbox_item *item, struct arena *arena);
/* Into an item of kind START or VERB; false with a reason when it is malformed or names a definition that is
 * not known here. */
bool control_read(struct str text, struct registry *registry, struct inbox_item *item, struct str *reason);
struct str control_write_answer(const struct engine_answer *answer, struct arena *arena);
bool control_read_answer(struct str text, struct arena *arena, struct engine_answer *answer);
