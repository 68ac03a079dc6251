/* After the commit: what the batch promised. Never before: "persist, then act". */
#pragma once
#include "engine/runtime/runner.h"

/* Publishes commands, acknowledges messages, answers callers, publishes events, frees items and forgets ended
 * sagas. */
void act_on_batch(struct runner *runner);
/* The batch was not committed. Sagas fall back to what the database holds. Items of shards marked lost:
 * callers are told, messages stay unacknowledged and come to the next owner; the others are tried again. */
void act_on_failure(struct runner *runner, enum err error, const char *why);
/* Hands one command or event to the broker, taking a slot of the outbox. again: from the journal, so that
 * another may have sent it. */
void act_send(struct runner *runner, const struct batch_send *send, bool again);
/* Tells an item's caller, wherever the item came from; a caller is told once. */
void act_tell(struct runner *runner, struct inbox_item *item, const struct engine_answer *answer);
/* Tells the item's caller, acknowledges its message and frees it. */
void act_answer(struct runner *runner, struct inbox_item *item, const struct engine_answer *answer);
/* The item was of no effect here, and is to be answered all the same: a start, signal or child command is
 * given back to the broker, a reply is left to the shard's next owner. */
void act_leave(struct runner *runner, struct inbox_item *item);
/* Answers watches whose saga has ended or is parked, or whose time is up. */
void act_on_watches(struct runner *runner, struct resident_entry *entry);
void act_on_late_watches(struct runner *runner);
/* Tells who waits for a saga that the database does not know, and forgets it. */
void act_on_vanished(struct runner *runner, struct resident_entry *entry);
