/* Messages that may have ended the owners of their shard, by a fault of ours that nobody knows yet.
 *
 * Each claim of a shard is noted in the database, and the note goes when its owner has lived for a while, or
 * gives it back. A shard whose owners ended too soon several times in turn is worked on with care: each of
 * its messages is taken in a batch of its own, so that it takes no other with it, and the database remembers
 * in whose hands it was; in so many different ones, none of which finished it, it becomes a dead letter. How
 * often the broker has delivered a message says nothing: each owner of a shard makes its consumer anew, and
 * whoever has no room gives back what comes, again and again. A message that another engine took and passed
 * on as a request goes by the same identity; it is refused for good then, and the dead letter is that
 * engine's. For the runner's thread. */
#pragma once
#include "engine/runtime/runner.h"

/* The shard was claimed. */
void suspect_claimed(struct runner *runner, uint32_t shard);
/* With each renewal: shards that have been owned for long enough accuse nobody. leaving: all are given back,
 * on purpose. */
void suspect_settle(struct runner *runner, bool leaving);
/* Takes those that must be alone out of a list of items, to be tried next, and gives the others. */
struct inbox_item *suspect_part(struct runner *runner, struct inbox_item *items);
/* Before such an item is looked at: notes that it is in hand, and makes a dead letter of one that was in too
 * many. False: the database could not be asked. */
bool suspect_take(struct runner *runner, struct inbox_item *item, struct err_note *note);
/* What was in hand is stored, whatever it led to. */
void suspect_over(struct runner *runner);
