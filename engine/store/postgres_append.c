/* A batch in one round trip: arrays for fences, journal, sagas and dead letters, one transaction. Called by
 * store_append.c, which bisects what is refused. Never runs a batch again by itself: whether it was stored is
 * asked by the caller. */
#include "engine/store/postgres_ops.h"

#include "engine/base/check.h"
#include "engine/store/store_dead.h"

/* The parameters of saga_append, group by group, in its order. */
static const struct pq_wire_column shard_columns[] = {
    {PQ_WIRE_INT4, offsetof(struct store_shard, shard)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, epoch)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, before_lsn)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, last_lsn)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, published_lsn)},
};
static const struct pq_wire_column mark_columns[] = {
    {PQ_WIRE_INT4, offsetof(struct store_shard, shard)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, epoch)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, last_lsn)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, published_lsn)},
};
static const struct pq_wire_column update_columns[] = {
    {PQ_WIRE_ID, offsetof(struct store_saga, id)},
    {PQ_WIRE_INT8, offsetof(struct store_saga, before_seq)},
    {PQ_WIRE_INT8, offsetof(struct store_saga, seq)},
    {PQ_WIRE_TIME, offsetof(struct store_saga, updated_us)},
    {PQ_WIRE_TIME_OR_NULL, offsetof(struct store_saga, ended_us)},
    {PQ_WIRE_TIME_OR_NULL, offsetof(struct store_saga, wake_us)},
    {PQ_WIRE_BOOL, offsetof(struct store_saga, paused)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, status)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, waiting)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, reason_code)},
};
static const struct pq_wire_column dead_columns[] = {
    {PQ_WIRE_TIME, offsetof(struct store_dead_letter, at_us)},
    {PQ_WIRE_INT4, offsetof(struct store_dead_letter, shard)},
    {PQ_WIRE_TEXT, offsetof(struct store_dead_letter, reason)},
    {PQ_WIRE_TEXT, offsetof(struct store_dead_letter, subject)},
    {PQ_WIRE_TEXT, offsetof(struct store_dead_letter, saga)},
    {PQ_WIRE_TEXT, offsetof(struct store_dead_letter, command)},
    {PQ_WIRE_JSON, offsetof(struct store_dead_letter, headers)},
    {PQ_WIRE_BYTES, offsetof(struct store_dead_letter, body)},
    {PQ_WIRE_TEXT_OR_NULL, offsetof(struct store_dead_letter, message)},
};

static const struct pq_wire_column class_column[] = {{PQ_WIRE_TEXT, 0}};
static const struct pq_wire_column gone_column[] = {{PQ_WIRE_INT8, 0}};

static void put_shards(struct pq_wire_params *params, const struct store_batch *batch)
{
    const void **rows = pq_wire_rows(params->arena, batch->shards, sizeof *batch->shards, batch->shard_count);
    pq_wire_put_columns(params, POSTGRES_COLUMNS(shard_columns), rows, batch->shard_count);
}

static void put_sagas(struct pq_wire_params *params, const struct store_batch *batch)
{
    const void **fresh = arena_array(params->arena, batch->saga_count, sizeof *fresh);
    const void **known = arena_array(params->arena, batch->saga_count, sizeof *known);
    uint32_t fresh_count = 0;
    uint32_t known_count = 0;
    for (uint32_t i = 0; i < batch->saga_count; i++) {
        if (batch->sagas[i].created)
            fresh[fresh_count++] = &batch->sagas[i];
        else
            known[known_count++] = &batch->sagas[i];
    }
    pq_wire_put_columns(params, postgres_saga_columns, POSTGRES_SAGA_COLUMNS, fresh, fresh_count);
    pq_wire_put_columns(params, POSTGRES_COLUMNS(update_columns), known, known_count);
}

static void put_dead(struct pq_wire_params *params, const struct store_batch *batch)
{
    const void **dead = pq_wire_rows(params->arena, batch->dead, sizeof *batch->dead, batch->dead_count);
    const void **classes = arena_array(params->arena, batch->dead_count, sizeof *classes);
    for (uint32_t i = 0; i < batch->dead_count; i++) {
        struct str *class = arena_new(params->arena, struct str);
        *class = store_dead_class(&batch->dead[i], params->arena);
        classes[i] = class;
    }
    pq_wire_put_columns(params, POSTGRES_COLUMNS(dead_columns), dead, batch->dead_count);
    pq_wire_put_columns(params, POSTGRES_COLUMNS(class_column), classes, batch->dead_count);
    pq_wire_put(params, PQ_WIRE_INT8, &batch->dead_letters_most);
    pq_wire_put(params, PQ_WIRE_INT8, &batch->dead_bytes_most);
}

static void put_batch(struct pq_wire_params *params, const struct store_batch *batch)
{
    pq_wire_put(params, PQ_WIRE_TEXT, &batch->owner);
    put_shards(params, batch);
    put_sagas(params, batch);
    const void **records =
        pq_wire_rows(params->arena, batch->records, sizeof *batch->records, batch->record_count);
    pq_wire_put_columns(params, postgres_record_columns, POSTGRES_RECORD_COLUMNS, records,
                        batch->record_count);
    put_dead(params, batch);
}

enum err postgres_append_once(struct store *store, const struct store_batch *batch, struct err_note *note)
{
    struct pq_wire_params params;
    int64_t gone = 0;
    postgres_params(store, &params);
    put_batch(&params, batch);
    struct pq_call call = {.query = PQ_QUERY_ID_APPEND, .params = &params};
    enum err error = pq_session_run(&postgres_of(store)->session, &call, 1, PQ_SESSION_LOSS_UNKNOWN, note);
    if (error == ERR_OK)
        pq_wire_get(call.result, 0, POSTGRES_COLUMNS(gone_column), params.arena, &gone);
    if (batch->dead_gone)
        *batch->dead_gone = gone;
    pq_session_clear(&call, 1);
    return error;
}

enum err postgres_append_try(struct store *store, const struct store_batch *batch, struct err_note *note)
{
    struct pq_wire_params params;
    postgres_params(store, &params);
    put_batch(&params, batch);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_APPEND, .params = &params},
                              {.query = PQ_QUERY_ID_GIVE_UP}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 2, PQ_SESSION_LOSS_HARMLESS, note);
    check(error != ERR_OK); /* give_up always fails */
    return error == ERR_CLOSED ? ERR_OK : error;
}

static enum err compare_marks(const struct store_batch *batch, const struct store_shard *now, uint32_t count,
                              bool *committed, struct err_note *note)
{
    *committed = batch->shard_count > 0;
    for (uint32_t i = 0; i < batch->shard_count; i++) {
        const struct store_shard *mine = &batch->shards[i];
        const struct store_shard *found = NULL;
        for (uint32_t k = 0; k < count; k++)
            if (now[k].shard == mine->shard)
                found = &now[k];
        if (found && (found->epoch < mine->epoch ||
                      (found->epoch == mine->epoch && found->last_lsn < mine->before_lsn)))
            return err_note(note, ERR_CONFLICT, "the database has lost commits of shard %u", mine->shard);
        if (!found || found->epoch != mine->epoch)
            return err_note(note, ERR_FENCED, "another engine owns shard %u", mine->shard);
        *committed = *committed && found->last_lsn >= mine->last_lsn;
    }
    return ERR_OK;
}

enum err postgres_committed(struct store *store, const struct store_batch *batch, bool *committed,
                            struct err_note *note)
{
    struct pq_wire_params params;
    postgres_params(store, &params);
    const void **rows = pq_wire_rows(params.arena, batch->shards, sizeof *batch->shards, batch->shard_count);
    pq_wire_put_columns(&params, shard_columns, 1, rows, batch->shard_count);
    void *found = NULL;
    uint32_t count = 0;
    enum err error = postgres_rows(store, PQ_QUERY_ID_MARKS, &params, POSTGRES_COLUMNS(mark_columns),
                                   sizeof(struct store_shard), params.arena, &found, &count, note);
    return error == ERR_OK ? compare_marks(batch, found, count, committed, note) : error;
}
