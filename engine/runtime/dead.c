#include "engine/runtime/dead.h"

#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/engine_parts.h"

static const int64_t told_every_us = 60 * DURATION_SECOND_US;
static const int64_t forget_every_us = 60 * DURATION_SECOND_US;
enum { FORGET_MOST = 1000 }; /* in one go: some milliseconds */

void dead_bound(struct runner *runner, struct store_batch *batch)
{
    const struct engine_options *options = &runner->engine->options;
    int64_t shards = runner->engine->shard_count;
    batch->dead_letters_most = (options->dead_letters + shards - 1) / shards;
    batch->dead_bytes_most = (options->dead_bytes + shards - 1) / shards;
    batch->dead_gone = &runner->dead.gone;
}

void dead_count(struct runner *runner)
{
    struct runner_dead *dead = &runner->dead;
    int64_t now_us = engine_clock_us(runner->engine);
    if (dead->gone > 0)
        metrics_add(METRICS_DEAD_LETTERS_DROPPED, (uint64_t)dead->gone, STR("room"), METRICS_NO_LABEL);
    dead->untold += dead->gone;
    dead->gone = 0;
    if (dead->untold == 0 || now_us < dead->tell_at_us)
        return;
    log_warn("dead_letters_dropped", "count=%lld why=%s", (long long)dead->untold,
             "there are more than dead_letters or dead_letters_mib allows; the oldest of the most frequent "
             "kind went");
    dead->untold = 0;
    dead->tell_at_us = now_us + told_every_us;
}

void dead_forget(struct runner *runner)
{
    struct err_note note = {""};
    uint32_t gone = 0;
    int64_t now_us = engine_clock_us(runner->engine);
    int64_t keep_us = runner->engine->options.dead_keep_us;
    if (keep_us == 0 || now_us < runner->dead.forget_at_us || !runner->shards[0].owned)
        return;
    runner->dead.forget_at_us = now_us + forget_every_us;
    if (store_forget_dead(runner->store, runner_now_us(runner) - keep_us, FORGET_MOST, &gone, &note) !=
        ERR_OK) {
        log_warn("dead_letters_not_forgotten", "why=%s", note.text);
        return;
    }
    if (gone > 0)
        metrics_add(METRICS_DEAD_LETTERS_DROPPED, gone, STR("age"), METRICS_NO_LABEL);
    if (gone >= FORGET_MOST)
        runner->dead.forget_at_us = now_us + DURATION_SECOND_US;
}
