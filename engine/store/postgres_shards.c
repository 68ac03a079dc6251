/* Shards and their leases, the clock, the engines' key, the probe. Called through the table of postgres.c by
 * runners. Times are the database's: never computed from ours. */
#include "engine/store/postgres_ops.h"
#include "engine/store/pq_schema.h"

static const struct pq_wire_column shard_columns[] = {
    {PQ_WIRE_INT4, offsetof(struct store_shard, shard)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, epoch)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, last_lsn)},
    {PQ_WIRE_INT8, offsetof(struct store_shard, published_lsn)},
};
static const struct pq_wire_column int4_column[] = {{PQ_WIRE_INT4, 0}};
static const struct pq_wire_column bytes_column[] = {{PQ_WIRE_BYTES, 0}};
static const struct pq_wire_column time_column[] = {{PQ_WIRE_TIME, 0}};

enum err postgres_now(struct store *store, int64_t *now_us, struct err_note *note)
{
    struct pq_wire_params params;
    uint32_t count = 0;
    void *rows = NULL;
    postgres_params(store, &params);
    enum err error = postgres_rows(store, PQ_QUERY_ID_NOW, &params, POSTGRES_COLUMNS(time_column),
                                   sizeof *now_us, params.arena, &rows, &count, note);
    if (error == ERR_OK)
        *now_us = *(const int64_t *)rows;
    return error;
}

enum err postgres_shard_count(struct store *store, uint32_t *count, struct err_note *note)
{
    struct pq_wire_params params;
    uint32_t row_count = 0;
    void *rows = NULL;
    postgres_params(store, &params);
    enum err error = postgres_rows(store, PQ_QUERY_ID_SHARD_COUNT, &params, POSTGRES_COLUMNS(int4_column),
                                   sizeof *count, params.arena, &rows, &row_count, note);
    if (error == ERR_OK)
        *count = *(const uint32_t *)rows;
    return error;
}

enum err postgres_engine_key(struct store *store, struct arena *arena, struct str *key, struct err_note *note)
{
    struct pq_wire_params params;
    uint32_t row_count = 0;
    void *rows = NULL;
    postgres_params(store, &params);
    enum err error = postgres_rows(store, PQ_QUERY_ID_ENGINE_KEY, &params, POSTGRES_COLUMNS(bytes_column),
                                   sizeof *key, arena, &rows, &row_count, note);
    if (error == ERR_OK && row_count == 0)
        return err_note(note, ERR_NOT_FOUND,
                        "table engine_key is empty: engines cannot know each other without its row; "
                        "migrations/0004_engine_key.sql ends with the statement that makes it");
    if (error == ERR_OK)
        *key = *(const struct str *)rows;
    return error;
}

enum err postgres_claim(struct store *store, struct str instance, int64_t lease_us, uint32_t most,
                        struct arena *arena, struct store_shard **shards, uint32_t *count,
                        struct err_note *note)
{
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &instance);
    pq_wire_put(&params, PQ_WIRE_INT8, &lease_us);
    pq_wire_put(&params, PQ_WIRE_INT4, &most);
    enum err error = postgres_rows(store, PQ_QUERY_ID_CLAIM, &params, POSTGRES_COLUMNS(shard_columns),
                                   sizeof **shards, arena, &rows, count, note);
    *shards = rows;
    return error;
}

static void put_held(struct pq_wire_params *params, const struct store_shard *shards, uint32_t count)
{
    const void **rows = pq_wire_rows(params->arena, shards, sizeof *shards, count);
    pq_wire_put_columns(params, shard_columns, 2, rows, count); /* id and epoch */
}

static void find_kept(const PGresult *result, struct arena *arena, const struct store_shard *shards,
                      uint32_t count, bool *kept)
{
    uint32_t row_count = 0;
    const uint32_t *held =
        pq_wire_get_rows(result, POSTGRES_COLUMNS(int4_column), sizeof *held, arena, &row_count);
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = false;
        for (uint32_t k = 0; k < row_count; k++)
            kept[i] = kept[i] || held[k] == shards[i].shard;
    }
}

static void find_marks(const PGresult *result, struct arena *arena, const struct store_shard *shards,
                       uint32_t count, struct store_shard *found)
{
    uint32_t row_count = 0;
    const struct store_shard *rows =
        pq_wire_get_rows(result, POSTGRES_COLUMNS(shard_columns), sizeof *rows, arena, &row_count);
    for (uint32_t i = 0; i < count; i++) {
        found[i] = (struct store_shard){.shard = shards[i].shard};
        for (uint32_t k = 0; k < row_count; k++)
            if (rows[k].shard == shards[i].shard)
                found[i] = rows[k];
    }
}

enum err postgres_renew(struct store *store, struct str instance, int64_t lease_us,
                        const struct store_shard *shards, uint32_t count, bool *kept,
                        struct store_shard *found, int64_t *now_us, struct err_note *note)
{
    struct pq_wire_params params, marks;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &instance);
    pq_wire_put(&params, PQ_WIRE_INT8, &lease_us);
    put_held(&params, shards, count);
    const void **rows = pq_wire_rows(params.arena, shards, sizeof *shards, count);
    pq_wire_init(&marks, params.arena);
    pq_wire_put_columns(&marks, shard_columns, 1, rows, count);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_RENEW, .params = &params},
                              {.query = PQ_QUERY_ID_MARKS, .params = &marks},
                              {.query = PQ_QUERY_ID_NOW},
                              {.query = PQ_QUERY_ID_SCHEMA}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 4, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    find_kept(calls[0].result, params.arena, shards, count, kept);
    find_marks(calls[1].result, params.arena, shards, count, found);
    pq_wire_get(calls[2].result, 0, POSTGRES_COLUMNS(time_column), params.arena, now_us);
    error = pq_schema_still(calls[3].result, params.arena, note);
    pq_session_clear(calls, 4);
    return error;
}

enum err postgres_release(struct store *store, const struct store_shard *shards, uint32_t count,
                          struct err_note *note)
{
    struct pq_wire_params params;
    postgres_params(store, &params);
    put_held(&params, shards, count);
    return pq_session_do(&postgres_of(store)->session, PQ_QUERY_ID_RELEASE, &params, note);
}

enum err postgres_probe(struct store *store, struct err_note *note)
{
    return pq_session_do(&postgres_of(store)->session, PQ_QUERY_ID_PROBE, NULL, note);
}
