/* The one place where a batch becomes durable. */
#pragma once
#include "engine/runtime/runner.h"

/* Stores the batch and acts on it; when the database is away, waits for it and finds out whether the batch
 * was committed after all. When a shard of the batch was lost, nothing is acted on. An empty batch only
 * answers what needed no storing. */
void commit_batch(struct runner *runner);
/* Writes the marks of all shards and gives the shards back: the end of a drain. */
void commit_marks(struct runner *runner);
