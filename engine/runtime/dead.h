/* How many dead letters are kept: within bounds by shard, of which the store lets the oldest of the largest
 * class go (store_dead.h), and for so long; and how many of a class are stored at once, so that one sender's
 * flood takes no more of the database than LIMITS_DEAD_RATE of it. Counted and told, because what went cannot
 * be looked at any more. */
#pragma once
#include "engine/runtime/runner.h"

/* Whether one more of its kind is stored. False: it is counted, and its message is done with. */
bool dead_may_store(struct runner *runner, const struct bus_delivery *delivery, struct str reason);
/* The bounds of a batch. */
void dead_bound(struct runner *runner, struct store_batch *batch);
/* After a commit: counts what went, and tells so now and then. */
void dead_count(struct runner *runner);
/* Drops what is too old, once in a while, by the owner of shard 0. */
void dead_forget(struct runner *runner);
