/* After the database has come back without its newest commits (an asynchronous failover, a restored backup)
 * while this engine lived: what memory held of the shard is dropped, and each saga that had gone further is
 * looked at anew. One whose journal is there but shorter is parked with HISTORY_LOST, in a batch like any
 * other; one that is gone, or that the journal has ended, is named in the log. Nothing else of the runner's
 * shards is decided, and nothing sent again, before that is done. */
#pragma once
#include <stdbool.h>
#include "engine/runtime/runner.h"

/* The shard is at found_lsn in the database, behind what this runner has stored or seen: takes up what was
 * lost. */
void mend_begin(struct runner *runner, uint32_t shard, int64_t found_lsn);
/* The shard as the database has it, against what memory holds; what does not agree is dropped. After a
 * failover that lost commits it is behind, and the lease may be ours all the same: then it is claimed anew,
 * which folds it anew and sends again. */
void mend_compare(struct runner *runner, const struct store_shard *held, bool kept,
                  const struct store_shard *found);
bool mend_is_open(const struct runner *runner);
/* A turn of the runner while it is: decides about some of the sagas in a batch of their own. wait: may sleep
 * while the database cannot be asked. */
void mend_turn(struct runner *runner, bool wait);
