/* After the commit: what the batch promised. Never before: "persist, then act". */
#pragma once
#include "engine/runtime/runner.h"

/* Publishes commands, acknowledges messages, answers callers, publishes events, frees items and forgets ended
 * sagas. */
void act_on_batch(struct runner *runner);
/* The batch was not committed: callers are told, messages stay unacknowledged, touched sagas are dropped from
 * memory. */
void act_on_failure(struct runner *runner, enum err error, const char *why);
/* Hands one command or event to the broker, taking a slot of the outbox. */
void act_send(struct runner *runner, const struct batch_send *send);
/* Answers an item's caller, wherever it came from, and frees it. */
void act_answer(struct runner *runner, struct inbox_item *item, const struct engine_answer *answer);
/* Answers watches whose saga has ended or is parked, or whose time is up. */
void act_on_watches(struct runner *runner, struct resident_entry *entry);
void act_on_late_watches(struct runner *runner);
