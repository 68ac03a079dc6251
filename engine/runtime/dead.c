#include "engine/runtime/dead.h"

#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/engine_parts.h"
#include "engine/store/store_dead.h"

static const int64_t told_every_us = 60 * DURATION_SECOND_US;
static const int64_t forget_every_us = 60 * DURATION_SECOND_US;
enum { FORGET_MOST = 1000 }; /* in one go: some milliseconds */
enum { PROBES = 8, UNIT_BYTES = 4096 };
static const int64_t thousandths = 1000, full = LIMITS_DEAD_BURST * INT64_C(1000);

static void refill(struct runner_dead_class *class, int64_t now_us)
{
    int64_t more = (now_us - class->at_us) * LIMITS_DEAD_RATE / (DURATION_SECOND_US / thousandths);
    if (more <= 0)
        return;
    class->left = more > full - class->left ? full : class->left + more;
    class->at_us = now_us;
}

/* Its own, or one that is as good as unused; when there is none, another's, which has a flood then. */
static struct runner_dead_class *class_of(struct runner_dead *dead, uint64_t hash, int64_t now_us)
{
    struct runner_dead_class *unused = NULL;
    for (uint64_t i = 0; i < PROBES; i++) {
        struct runner_dead_class *class = &dead->classes[(hash + i) % RUNNER_DEAD_CLASSES];
        if (class->hash == hash)
            return class;
        refill(class, now_us);
        if (unused == NULL && (class->hash == 0 || class->left == full))
            unused = class;
    }
    if (unused == NULL)
        return &dead->classes[hash % RUNNER_DEAD_CLASSES];
    *unused = (struct runner_dead_class){.hash = hash, .left = full, .at_us = now_us};
    return unused;
}

bool dead_may_store(struct runner *runner, const struct bus_delivery *delivery, struct str reason)
{
    struct store_dead_letter letter = {.subject = delivery->message.subject, .reason = reason};
    int64_t now_us = engine_clock_us(runner->engine);
    uint64_t hash = str_hash(store_dead_class(&letter, &runner->batch.arena)) | 1;
    struct runner_dead_class *class = class_of(&runner->dead, hash, now_us);
    int64_t price = (1 + (int64_t)(delivery->message.body.size / UNIT_BYTES)) * thousandths;
    refill(class, now_us);
    if (class->left >= price) {
        class->left -= price;
        return true;
    }
    runner->dead.unstored++;
    metrics_add(METRICS_DEAD_LETTERS_DROPPED, 1, STR("rate"), METRICS_NO_LABEL);
    return false;
}

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
    if (dead->untold + dead->unstored == 0 || now_us < dead->tell_at_us)
        return;
    if (dead->untold > 0)
        log_warn("dead_letters_dropped", "count=%lld why=%s", (long long)dead->untold,
                 "there are more than dead_letters or dead_letters_mib allows; the oldest of the most "
                 "frequent kind went");
    if (dead->unstored > 0)
        log_warn("dead_letters_not_stored", "count=%lld why=%s", (long long)dead->unstored,
                 "too many of one kind came at once; those that are stored show what is wrong");
    dead->untold = dead->unstored = 0;
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
