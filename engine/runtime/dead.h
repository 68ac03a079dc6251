/* How many dead letters are kept: within bounds by shard, of which the store lets the oldest of the largest
 * class go (store_dead.h), and for so long. Counted and told, because what went cannot be looked at any more.
 */
#pragma once
#include "engine/runtime/runner.h"

/* The bounds of a batch. */
void dead_bound(struct runner *runner, struct store_batch *batch);
/* After a commit: counts what went, and tells so now and then. */
void dead_count(struct runner *runner);
/* Drops what is too old, once in a while, by the owner of shard 0. */
void dead_forget(struct runner *runner);
