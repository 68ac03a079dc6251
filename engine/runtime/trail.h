/* What a runner has lately stored: the newest seq of each saga and the lsn it came with. Only for one thing:
 * to tell, when the database has come back without its newest commits, which sagas have lost their past
 * (mend.h). A ring; the oldest go. */
#pragma once
#include <stdint.h>
#include "engine/base/id.h"
#include "engine/core/core.h"

struct trail_mark {
    struct id id;
    int64_t lsn; /* of the batch; 0: taken */
    int64_t seq;
    enum core_status status;
};
struct trail {
    struct trail_mark *marks;
    uint32_t room; /* a power of two, grows up to LIMITS_TRAIL */
    uint64_t next;
};

void trail_init(struct trail *trail);
void trail_fini(struct trail *trail);
void trail_add(struct trail *trail, const struct trail_mark *mark);
/* Takes out the marks of this shard above lsn, each saga once with its newest, into an array for memory_free.
 * `whole`: none may have fallen out of the ring. */
struct trail_mark *trail_take(struct trail *trail, uint32_t shard, int64_t lsn, uint32_t *count, bool *whole);
