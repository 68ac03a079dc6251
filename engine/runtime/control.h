/* The messages of saga.ctl.<shard>: a start or a verb as JSON, and its answer. Pure. */
#pragma once
#include "engine/runtime/inbox.h"

/* {"op":"start","definition","version","key","input","search","correlation","traceparent","id"?} or
 * {"op":"verb","id","verb","step","status","body",…}, with "from", the identity of the message that it came
 * from, when that is not "". */
struct str control_write(const struct inbox_task *task, struct str from, struct arena *arena);
/* That identity; "": there is none. */
struct str control_from(struct str text, struct arena *arena);
/* Into a task START, VERB or CHILD, which is written only when all of the text was understood; borrows from
 * arena, where the text is parsed. ERR_INVALID: malformed, ERR_NOT_FOUND: a start of a definition that is not
 * known here; the reason is a sentence then. */
enum err control_read(struct str text, struct registry *registry, struct arena *arena,
                      struct inbox_task *task, struct str *reason);
struct str control_write_answer(const struct engine_answer *answer, struct arena *arena);
bool control_read_answer(struct str text, struct arena *arena, struct engine_answer *answer);
