#include "engine/runtime/commit.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/ops/failpoint.h"
#include "engine/ops/log.h"
#include "engine/runtime/act.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/loader.h"
#include "engine/runtime/meter.h"

static const int64_t reconnect_pause_us = 100000;
static const int64_t patience_us = 3000000; /* then people are told that the database is away */

static struct store_shard *shard_rows(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    struct store_shard *rows = arena_array(&batch->arena, batch->shard_count, sizeof *rows);
    for (uint32_t i = 0; i < batch->shard_count; i++) {
        struct runner_shard *shard = runner_shard(runner, batch->shards[i]);
        if (shard->next_lsn == shard->store.last_lsn)
            shard->next_lsn++; /* every batch raises it, so that it tells whether the batch was committed */
        rows[i] = shard->store;
        rows[i].last_lsn = shard->next_lsn;
        rows[i].published_lsn = outbox_mark(&shard->outbox);
    }
    return rows;
}

static struct store_batch rows_of(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    struct store_saga *sagas = arena_array(&batch->arena, batch->saga_count, sizeof *sagas);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->saga_count; i++) {
        if (!batch->sagas[i].changed)
            continue;
        loader_row(batch->sagas[i].entry->saga, &batch->arena, &sagas[count]);
        sagas[count++].created = batch->sagas[i].created;
    }
    return (struct store_batch){.shards = shard_rows(runner),
                                .shard_count = batch->shard_count,
                                .sagas = sagas,
                                .saga_count = count,
                                .records = batch->records,
                                .record_count = batch->record_count,
                                .dead = batch->dead,
                                .dead_count = batch->dead_count};
}

/* Records of different sagas come in the order they were decided; the store wants those of one saga together.
 */
static void group_records(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    uint32_t *starts = arena_array(&batch->arena, batch->saga_count + 1, sizeof *starts);
    struct store_record *grouped = arena_array(&batch->arena, batch->record_count, sizeof *grouped);
    for (uint32_t i = 0; i < batch->record_count; i++)
        starts[resident_find(&runner->resident, batch->records[i].id)->batch_index + 1]++;
    for (uint32_t i = 0; i < batch->saga_count; i++)
        starts[i + 1] += starts[i];
    for (uint32_t i = 0; i < batch->record_count; i++)
        grouped[starts[resident_find(&runner->resident, batch->records[i].id)->batch_index]++] =
            batch->records[i];
    batch->records = grouped;
}

/* The batch is kept, but nobody is kept waiting for the end of an outage: whether it was stored will show. */
static void tell_callers(struct runner *runner)
{
    for (uint32_t i = 0; i < runner->batch.done_count; i++) {
        struct batch_done *done = &runner->batch.done[i];
        struct engine_answer away = {
            .error = ERR_UNKNOWN_OUTCOME,
            .id = done->answer.id,
            .message = STR("PostgreSQL is away; whether this was stored will show when it is back")};
        if (done->item->call.done != NULL)
            done->item->call.done(done->item->call.context, &away);
        done->item->call.done = NULL;
    }
}

static bool wait_for_database(struct runner *runner)
{
    struct err_note note = {""};
    int64_t until_us = clock_monotonic_us() + patience_us;
    atomic_store(&runner->store_connected, false);
    while (store_reconnect(runner->store, &note) != ERR_OK) {
        if (atomic_load(&runner->stop))
            return false;
        if (clock_monotonic_us() > until_us)
            tell_callers(runner);
        log_warn("database_away", "why=%s", note.text);
        inbox_take(&runner->inbox, 0, 0, clock_monotonic_us() + reconnect_pause_us);
    }
    atomic_store(&runner->store_connected, true);
    return true;
}

static enum err append(struct runner *runner, const struct store_batch *rows, struct store_rejected *rejected,
                       uint32_t *rejected_count, struct err_note *note)
{
    for (;;) {
        bool committed = false;
        enum err error =
            store_append(runner->store, rows, &runner->batch.arena, rejected, rejected_count, note);
        if (error != ERR_UNAVAILABLE && error != ERR_UNKNOWN_OUTCOME)
            return error;
        log_warn("commit_failed", "outcome=%s why=%s", error == ERR_UNAVAILABLE ? "none" : "unknown",
                 note->text);
        do {
            if (!wait_for_database(runner))
                return error;
            error = store_committed(runner->store, rows, &committed, note);
        } while (error == ERR_UNAVAILABLE || error == ERR_UNKNOWN_OUTCOME);
        if (error != ERR_OK || committed)
            return error;
    }
}

static void mark_rejected(struct runner *runner, const struct store_rejected *rejected, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct resident_entry *entry = resident_find(&runner->resident, rejected[i].id);
        char text[ID_TEXT_SIZE + 1];
        id_format(rejected[i].id, text);
        log_error("saga_refused_by_database", "saga=%s why=%.*s", text, STR_ARG(rejected[i].reason));
        check(entry != NULL && entry->batch == runner->batch.number);
        runner->batch.sagas[entry->batch_index].rejected = true;
    }
}

static void accept(struct runner *runner, const struct store_batch *rows)
{
    for (uint32_t i = 0; i < rows->shard_count; i++)
        runner_shard(runner, rows->shards[i].shard)->store = rows->shards[i];
}

/* Another engine owns a shard of the batch: nothing of it counts. The shards still held are found out by
 * renewing. */
static void lose(struct runner *runner, const struct store_batch *rows, enum err error,
                 const struct err_note *note)
{
    struct err_note renewed = {""};
    log_warn("batch_not_committed", "error=%s why=%s", err_text(error), note->text);
    act_on_failure(runner, error == ERR_FENCED ? ERR_UNAVAILABLE : error,
                   "the engine lost the shard before it could store this; try again");
    for (uint32_t i = 0; i < rows->shard_count; i++) {
        struct runner_shard *shard = runner_shard(runner, rows->shards[i].shard);
        bool kept = false;
        int64_t now_us = 0;
        enum err asked = store_renew(runner->store, str_from(runner->name), runner->engine->options.lease_us,
                                     &shard->store, 1, &kept, &now_us, &renewed);
        shard->next_lsn = shard->store.last_lsn;
        if (asked != ERR_OK || !kept)
            runner_drop_shard(runner, rows->shards[i].shard, "another engine owns the shard");
    }
}

void commit_batch(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    if (batch_empty(batch)) {
        act_on_batch(runner);
        return;
    }
    struct err_note note = {""};
    uint32_t rejected_count = 0;
    struct store_rejected *rejected = arena_array(&batch->arena, batch->saga_count, sizeof *rejected);
    group_records(runner);
    struct store_batch rows = rows_of(runner);
    int64_t before_us = clock_monotonic_us();
    failpoint("before_commit");
    enum err error = append(runner, &rows, rejected, &rejected_count, &note);
    failpoint("after_commit");
    if (error != ERR_OK) {
        lose(runner, &rows, error, &note);
        return;
    }
    meter_batch(batch->record_count, clock_monotonic_us() - before_us);
    accept(runner, &rows);
    mark_rejected(runner, rejected, rejected_count);
    act_on_batch(runner);
}

void commit_marks(struct runner *runner)
{
    struct err_note note = {""};
    uint32_t rejected_count = 0;
    batch_begin(&runner->batch, runner_now_us(runner));
    for (uint32_t i = 0; i < runner->engine->shard_count; i++)
        if (runner->shards[i].owned)
            batch_shard(&runner->batch, i);
    if (runner->batch.shard_count == 0)
        return;
    struct store_batch rows = rows_of(runner);
    enum err error = store_append(runner->store, &rows, &runner->batch.arena, NULL, &rejected_count, &note);
    if (error == ERR_OK)
        error = store_release(runner->store, rows.shards, rows.shard_count, &note);
    if (error != ERR_OK)
        log_warn("shards_not_released", "why=%s", note.text);
}
