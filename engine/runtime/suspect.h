/* Messages that come again and again after their shard changed hands: one of them may be what ended its
 * owner, by a fault of ours that nobody knows yet. Each is taken in a batch of its own, so that it takes no
 * other with it, and the database remembers in whose hands it was; in so many different ones, none of which
 * finished it, it becomes a dead letter. An outage alone accuses nobody: it leaves a shard its owner, or
 * makes no owner end with that one message in hand. For the runner's thread. */
#pragma once
#include "engine/runtime/runner.h"

/* Takes those that must be alone out of a list of items, to be tried next, and gives the others. */
struct inbox_item *suspect_part(struct runner *runner, struct inbox_item *items);
/* Before such an item is looked at: notes that it is in hand, and makes a dead letter of one that was in too
 * many. False: the database could not be asked. */
bool suspect_take(struct runner *runner, struct inbox_item *item, struct err_note *note);
/* What was in hand is stored, whatever it led to. */
void suspect_over(struct runner *runner);
