/* The one place where a batch becomes durable, and where it is found out whether it did. Called by the
 * runner's turn, and by mend.c. Never tries again before the database was asked, and never acts on a batch of
 * which that is not known. */
#include "engine/runtime/commit.h"

#include "engine/base/check.h"
#include "engine/ops/failpoint.h"
#include "engine/ops/log.h"
#include "engine/runtime/act.h"
#include "engine/runtime/dead.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/loader.h"
#include "engine/runtime/meter.h"

static const int64_t reconnect_pause_us = 100000;
enum { WHOLE_TRIES = 2 }; /* of a batch as it is: one may have met the end of a connection */
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
        rows[i].before_lsn = shard->store.last_lsn;
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
        sagas[count].created = batch->sagas[i].created;
        sagas[count++].before_seq = batch->sagas[i].before_seq;
    }
    struct store_batch rows = {.owner = str_from(runner->name),
                               .shards = shard_rows(runner),
                               .shard_count = batch->shard_count,
                               .sagas = sagas,
                               .saga_count = count,
                               .records = batch->records,
                               .record_count = batch->record_count,
                               .dead = batch->dead,
                               .dead_count = batch->dead_count};
    dead_bound(runner, &rows);
    return rows;
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
        struct inbox_item *item = runner->batch.done[i].item;
        struct engine_answer away = {
            .error = ERR_UNKNOWN_OUTCOME,
            .id = runner->batch.done[i].answer.id,
            .message = STR("PostgreSQL is away; whether this was stored will show when it is back")};
        act_tell(runner, item, &away);
    }
}

static void hold(struct runner *runner, enum err error, const struct err_note *note)
{
    struct runner_commit *commit = &runner->commit;
    int64_t now_us = engine_clock_us(runner->engine);
    log_warn("commit_failed", "outcome=%s tries=%u why=%s", error == ERR_UNAVAILABLE ? "none" : "unknown",
             commit->tries, note->text);
    atomic_store(&runner->store_connected, false);
    commit->try_at_us = now_us + (commit->tries == 1 ? 0 : reconnect_pause_us);
    if (now_us - commit->began_us > patience_us)
        tell_callers(runner);
}

static void mark_rejected(struct runner *runner)
{
    const struct store_rejected *rejected = runner->commit.rejected;
    for (uint32_t i = 0; i < runner->commit.rejected_count; i++) {
        struct resident_entry *entry = resident_find(&runner->resident, rejected[i].id);
        char text[ID_TEXT_SIZE + 1];
        id_format(rejected[i].id, text);
        log_error("saga_refused_by_database", "saga=%s why=%.*s", text, STR_ARG(rejected[i].reason));
        check(entry != NULL && entry->batch == runner->batch.number);
        runner->batch.sagas[entry->batch_index].rejected = true;
        runner->batch.sagas[entry->batch_index].reason = rejected[i].reason;
    }
}

static void accept(struct runner *runner, const struct store_batch *rows)
{
    for (uint32_t i = 0; i < rows->shard_count; i++) {
        struct runner_shard *shard = runner_shard(runner, rows->shards[i].shard);
        shard->store = rows->shards[i];
        shard->known_lsn = shard->store.last_lsn;
    }
}

/* What would be lost, should the database forget this batch. */
static void remember(struct runner *runner)
{
    for (uint32_t i = 0; i < runner->batch.saga_count; i++) {
        const struct batch_saga *row = &runner->batch.sagas[i];
        if (!row->changed || row->rejected)
            continue;
        const struct core_saga *saga = row->entry->saga;
        trail_add(&runner->trail,
                  &(struct trail_mark){.id = saga->id,
                                       .lsn = runner_shard(runner, id_shard(saga->id))->store.last_lsn,
                                       .seq = saga->seq,
                                       .status = saga->status});
    }
}

static bool still_held(struct runner *runner, const struct runner_shard *shard)
{
    struct err_note note = {""};
    struct store_shard found;
    bool kept = false;
    int64_t now_us = 0;
    enum err error = store_renew(runner->store, str_from(runner->name), runner->engine->options.lease_us,
                                 &shard->store, 1, &kept, &found, &now_us, &note);
    return error == ERR_OK && kept;
}

/* Nothing of the batch counts. When it was fenced, the shards still held go on with what they were asked;
 * after any other failure memory knows too little of its shards, and they are claimed anew. */
static void lose(struct runner *runner, enum err error, const struct err_note *note)
{
    const struct store_batch *rows = &runner->commit.rows;
    log_warn("batch_not_committed", "error=%s why=%s", err_text(error), note->text);
    for (uint32_t i = 0; i < rows->shard_count; i++) {
        struct runner_shard *shard = runner_shard(runner, rows->shards[i].shard);
        shard->lost = error != ERR_FENCED || !still_held(runner, shard);
        shard->next_lsn = shard->store.last_lsn;
    }
    act_on_failure(runner, error == ERR_FENCED ? ERR_UNAVAILABLE : error,
                   "the engine lost the shard before it could store this; try again");
    if (error == ERR_SCHEMA)
        runner_refuse_schema(runner, note->text);
    for (uint32_t i = 0; i < rows->shard_count; i++)
        if (runner_shard(runner, rows->shards[i].shard)->lost)
            runner_drop_shard(runner, rows->shards[i].shard,
                              error == ERR_FENCED ? "another engine owns the shard"
                                                  : "a batch of it could not be stored");
    runner->renew_at_us = 0; /* to claim what is free, and to compare the others' marks */
}

/* The database is there and has not taken the batch, twice: it may be too much for it, now at least. */
static bool too_large(const struct runner *runner)
{
    const struct batch *batch = &runner->batch;
    return runner->commit.tries > WHOLE_TRIES && (batch->done_count > 1 || batch->saga_count > 1);
}

/* Known not to be stored: what it came from is decided anew, in smaller batches. */
static void take_apart(struct runner *runner)
{
    const struct store_batch *rows = &runner->commit.rows;
    runner->commit.open = false;
    runner_halve(runner);
    log_warn("batch_taken_apart", "records=%u next_most=%u", rows->record_count, runner->batch_most);
    for (uint32_t i = 0; i < rows->shard_count; i++) {
        struct runner_shard *shard = runner_shard(runner, rows->shards[i].shard);
        shard->next_lsn = shard->store.last_lsn;
    }
    act_on_failure(runner, ERR_UNAVAILABLE, "the database did not take it; try again");
}

void commit_try(struct runner *runner)
{
    struct runner_commit *commit = &runner->commit;
    struct err_note note = {""};
    bool committed = false;
    enum err error = ERR_OK;
    check(commit->open);
    if (commit->tries++ > 0) {
        error = store_reconnect(runner->store, &note);
        if (error == ERR_OK)
            error = store_committed(runner->store, &commit->rows, &committed, &note);
    }
    if (error == ERR_OK && !committed && too_large(runner)) {
        take_apart(runner);
        return;
    }
    if (error == ERR_OK && !committed)
        error = store_append(runner->store, &commit->rows, &runner->batch.arena, commit->rejected,
                             &commit->rejected_count, &note);
    meter_commit(error, commit->rejected_count > 0);
    if (error == ERR_UNAVAILABLE || error == ERR_UNKNOWN_OUTCOME) {
        hold(runner, error, &note);
        return;
    }
    failpoint("after_commit");
    commit->open = false;
    atomic_store(&runner->store_connected, true);
    if (error != ERR_OK) {
        lose(runner, error, &note);
        return;
    }
    meter_batch(runner->batch.record_count, engine_clock_us(runner->engine) - commit->began_us);
    accept(runner, &commit->rows);
    runner_recover(runner);
    mark_rejected(runner);
    remember(runner);
    dead_count(runner);
    act_on_batch(runner);
}

void commit_give_up(struct runner *runner)
{
    struct err_note note = {"the engine stops while the database is away"};
    runner->commit.open = false;
    lose(runner, ERR_UNKNOWN_OUTCOME, &note);
}

void commit_batch(struct runner *runner)
{
    struct batch *batch = &runner->batch;
    if (batch_empty(batch)) {
        dead_count(runner);
        act_on_batch(runner);
        return;
    }
    group_records(runner);
    runner->commit = (struct runner_commit){
        .open = true,
        .rows = rows_of(runner),
        .rejected = arena_array(&batch->arena, batch->saga_count, sizeof *runner->commit.rejected),
        .began_us = engine_clock_us(runner->engine),
    };
    failpoint("before_commit");
    commit_try(runner);
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
