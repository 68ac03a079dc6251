/* The one place where a batch becomes durable. */
#pragma once
#include "engine/runtime/runner.h"

/* Stores the batch and acts on it. When the database is away or its answer was lost, the commit stays open:
 * commit_try finds out how it went. When a shard of the batch was lost, nothing is acted on. An empty batch
 * only answers what needed no storing. */
void commit_batch(struct runner *runner);
/* One more try of an open commit, which asks first whether the batch was stored after all. Blocks no longer
 * than one try to reach the database. */
void commit_try(struct runner *runner);
/* Ends an open commit whose outcome will not be found out here any more. */
void commit_give_up(struct runner *runner);
/* Writes the marks of all shards and gives the shards back: the end of a drain. */
void commit_marks(struct runner *runner);
