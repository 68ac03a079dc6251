/* What is to be sent, from a saga's state: commands, lifecycle events, and what a child saga tells its
 * parent. The same for a transition just decided and for one read back from the journal, so that what is sent
 * again is what was sent. Texts live in `arena` or with the saga. Pure: any thread. */
#pragma once
#include "engine/runtime/batch.h"

/* The command of a step, as the journal has it: its body is what was computed then. A command for a child
 * saga becomes a message for whoever owns the child's shard. */
struct batch_send sending_command(const struct core_saga *saga, uint16_t step, enum core_kind kind,
                                  uint32_t attempt, const struct json *body, int64_t lsn,
                                  struct arena *arena);
/* saga->status, seq and reason as they were then. */
struct batch_send sending_event(const struct core_saga *saga, struct str what, int64_t lsn,
                                struct arena *arena);

/* Whether a child saga's state is an answer to a do or undo of its parent, and which. False: not yet. */
bool sending_outcome(const struct core_saga *child, enum core_kind kind, struct envelope_child_reply *reply,
                     struct arena *arena);
/* Whether a child saga that has come to rest owes its parent a word: it has ended, or lacks its output. */
bool sending_is_due(const struct core_saga *child);
/* That answer, or a refusal, as a message. */
struct batch_send sending_reply(const struct envelope_child_reply *reply, int64_t lsn, struct arena *arena);
/* What a child saga that has ended owes its parent, to the newest command that it knows of. */
struct batch_send sending_end(const struct core_saga *child, int64_t lsn, struct arena *arena);
