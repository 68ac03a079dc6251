#include "engine/runtime/mend.h"

#include <inttypes.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/commit.h"
#include "engine/runtime/decide.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/recovery.h"

static const int64_t again_us = 100000; /* between tries while the database is away */
enum { SOME = 256 };                    /* sagas loaded and decided in one batch */

void mend_begin(struct runner *runner, uint32_t shard, int64_t found_lsn)
{
    struct runner_mend *mend = &runner->mend;
    uint32_t count = 0;
    bool whole = true;
    struct trail_mark *lost = trail_take(&runner->trail, shard, found_lsn, &count, &whole);
    log_error("history_lost", "shard=%u lsn_known=%lld lsn_found=%lld sagas=%u complete=%s", shard,
              (long long)runner->shards[shard].known_lsn, (long long)found_lsn, count, whole ? "yes" : "no");
    metrics_add(METRICS_HISTORY_LOST, 1, STR("shard"), METRICS_NO_LABEL);
    mend->lost = memory_resize(mend->lost, mend->count + count + 1, sizeof *mend->lost);
    memcpy(mend->lost + mend->count, lost, count * sizeof *lost);
    mend->count += count;
    mend->definitions = true;
    memory_free(lost);
    runner->shards[shard].known_lsn = found_lsn;
}

void mend_compare(struct runner *runner, const struct store_shard *held, bool kept,
                  const struct store_shard *found)
{
    bool behind = found->last_lsn < held->last_lsn || found->epoch < held->epoch;
    if (kept && found->last_lsn == held->last_lsn)
        return;
    if (behind && !kept) /* whoever has it now does not know what was lost */
        mend_begin(runner, held->shard, found->last_lsn);
    runner_drop_shard(runner, held->shard,
                      behind  ? "the database has lost its newest commits"
                      : !kept ? "another engine owns the shard"
                              : "the database holds more of the shard than memory does");
}

bool mend_is_open(const struct runner *runner)
{
    return runner->mend.count > 0 || runner->mend.definitions;
}

static void tell(const struct trail_mark *lost, int64_t seq_found, struct str outcome)
{
    char text[ID_TEXT_SIZE + 1];
    struct str status = core_status_text(lost->status);
    id_format(lost->id, text);
    log_error("saga_history_lost", "saga=%s outcome=%.*s seq_known=%lld seq_found=%lld status_known=%.*s",
              text, STR_ARG(outcome), (long long)lost->seq, (long long)seq_found, STR_ARG(status));
    metrics_add(METRICS_HISTORY_LOST, 1, outcome, METRICS_NO_LABEL);
}

/* What a human is told about it: in the journal, the park and every list. */
static struct str reason_of(struct runner *runner, const struct trail_mark *lost, int64_t seq_found)
{
    struct str status = core_status_text(lost->status);
    int64_t records = lost->seq - seq_found;
    return arena_printf(
        &runner->batch.arena,
        "the database lost %" PRId64 " record%s after record %" PRId64
        "; the saga was %.*s then. Retry goes on from here, cancel undoes, with what is outstanding in doubt",
        records, records == 1 ? "" : "s", seq_found, STR_ARG(status));
}

/* True when there is nothing left to do about it. */
static bool mend_saga(struct runner *runner, const struct trail_mark *lost)
{
    struct resident_entry *entry = resident_find(&runner->resident, lost->id);
    if (!runner->shards[id_shard(lost->id)].owned)
        tell(lost, 0, STR("not_owned"));
    else if (entry == NULL || (entry->saga == NULL && !entry->broken))
        tell(lost, 0, STR("vanished"));
    else if (entry->saga == NULL)
        tell(lost, 0, STR("unreadable"));
    else if (core_history_lost(entry->saga))
        tell(lost, entry->saga->seq - 1, STR("parked"));
    else if (core_ended(entry->saga))
        tell(lost, entry->saga->seq, STR("ended"));
    else if (entry->saga->seq < lost->seq) {
        struct core_event event = {.kind = CORE_EVENT_LOST,
                                   .actor = STR("engine"),
                                   .reason = reason_of(runner, lost, entry->saga->seq)};
        decide_event(runner, entry, &event, NULL);
        resident_time(&runner->resident, entry);
        return false; /* until it is seen to be stored */
    }
    return true;
}

/* False: the database could not be asked. */
static bool mend_some(struct runner *runner)
{
    struct runner_mend *mend = &runner->mend;
    uint32_t some = mend->count < SOME ? mend->count : SOME, kept = 0;
    struct id ids[SOME] = {0};
    uint32_t id_count = 0;
    struct err_note note = {""};
    for (uint32_t i = 0; i < some; i++)
        if (runner->shards[id_shard(mend->lost[i].id)].owned)
            ids[id_count++] = mend->lost[i].id;
    if (mend->definitions && registry_put_back(runner->engine->registry, runner->store, &note) != ERR_OK) {
        log_warn("history_not_mended", "why=%s", note.text);
        return false;
    }
    mend->definitions = false;
    if (recovery_load(runner, ids, id_count, &note) != ERR_OK) {
        log_warn("history_not_mended", "why=%s", note.text);
        return false;
    }
    for (uint32_t i = 0; i < some; i++)
        if (!mend_saga(runner, &mend->lost[i]))
            mend->lost[kept++] = mend->lost[i];
    memmove(mend->lost + kept, mend->lost + some, (mend->count - some) * sizeof *mend->lost);
    mend->count -= some - kept;
    return true;
}

void mend_turn(struct runner *runner, bool wait)
{
    if (engine_clock_us(runner->engine) < runner->mend.at_us) {
        inbox_take(&runner->inbox, 0, 0, wait ? runner->mend.at_us : 0);
        return;
    }
    batch_begin(&runner->batch, runner_now_us(runner));
    if (mend_some(runner)) {
        commit_batch(runner);
        return;
    }
    runner->mend.at_us = engine_clock_us(runner->engine) + again_us;
    runner->renew_at_us = 0; /* which connects again */
}
