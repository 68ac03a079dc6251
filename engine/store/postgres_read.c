/* What a runner reads: open sagas of a shard, rows above the mark, whole sagas by id, keys. Called through
 * the table of postgres.c, several statements of one answer in one snapshot. Never reads a table without an
 * index. */
#include "engine/store/postgres_ops.h"

static const struct pq_wire_column id_column[] = {{PQ_WIRE_ID, 0}};
static const struct pq_wire_column text_column[] = {{PQ_WIRE_TEXT, 0}};

enum err postgres_open_sagas(struct store *store, uint32_t shard, struct arena *arena,
                             struct store_open_saga **sagas, uint32_t *count, struct err_note *note)
{
    static const struct pq_wire_column columns[] = {
        {PQ_WIRE_ID, offsetof(struct store_open_saga, id)},
        {PQ_WIRE_TIME_OR_NULL, offsetof(struct store_open_saga, wake_us)},
        {PQ_WIRE_TIME, offsetof(struct store_open_saga, updated_us)}};
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_INT4, &shard);
    enum err error = postgres_rows(store, PQ_QUERY_ID_OPEN_SAGAS, &params, POSTGRES_COLUMNS(columns),
                                   sizeof **sagas, arena, &rows, count, note);
    *sagas = rows;
    return error;
}

enum err postgres_unpublished(struct store *store, uint32_t shard, int64_t after_lsn, uint32_t most,
                              struct arena *arena, struct store_record **records, uint32_t *count,
                              struct err_note *note)
{
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_INT4, &shard);
    pq_wire_put(&params, PQ_WIRE_INT8, &after_lsn);
    pq_wire_put(&params, PQ_WIRE_INT4, &most);
    enum err error =
        postgres_rows(store, PQ_QUERY_ID_UNPUBLISHED, &params, POSTGRES_COLUMNS(postgres_record_columns),
                      sizeof **records, arena, &rows, count, note);
    *records = rows;
    return error;
}

/* Both tables under one snapshot, so that the row and its journal belong together. */
enum err postgres_load_many(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                            struct store_saga **sagas, uint32_t *saga_count, struct store_record **records,
                            uint32_t *record_count, struct err_note *note)
{
    struct pq_wire_params params;
    postgres_params(store, &params);
    const void **rows = pq_wire_rows(params.arena, ids, sizeof *ids, id_count);
    pq_wire_put_columns(&params, id_column, 1, rows, id_count);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_BEGIN_SNAPSHOT},
                              {.query = PQ_QUERY_ID_LOAD_SAGAS, .params = &params},
                              {.query = PQ_QUERY_ID_LOAD_RECORDS, .params = &params},
                              {.query = PQ_QUERY_ID_COMMIT}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 4, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    *sagas = pq_wire_get_rows(calls[1].result, POSTGRES_COLUMNS(postgres_saga_columns), sizeof **sagas, arena,
                              saga_count);
    *records = pq_wire_get_rows(calls[2].result, POSTGRES_COLUMNS(postgres_record_columns), sizeof **records,
                                arena, record_count);
    pq_session_clear(calls, 4);
    return ERR_OK;
}

enum err postgres_glance(struct store *store, const struct id *ids, uint32_t id_count, struct arena *arena,
                         struct store_glance **found, uint32_t *count, struct err_note *note)
{
    static const struct pq_wire_column columns[] = {{PQ_WIRE_ID, offsetof(struct store_glance, id)},
                                                    {PQ_WIRE_INT8, offsetof(struct store_glance, seq)},
                                                    {PQ_WIRE_BOOL, offsetof(struct store_glance, ended)},
                                                    {PQ_WIRE_TEXT, offsetof(struct store_glance, status)}};
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put_columns(&params, id_column, 1, pq_wire_rows(params.arena, ids, sizeof *ids, id_count),
                        id_count);
    enum err error = postgres_rows(store, PQ_QUERY_ID_GLANCE, &params, POSTGRES_COLUMNS(columns),
                                   sizeof **found, arena, &rows, count, note);
    *found = rows;
    return error;
}

enum err postgres_find_keys(struct store *store, const struct str *definitions, const struct str *keys,
                            uint32_t count, struct arena *arena, struct store_keyed **found,
                            uint32_t *found_count, struct err_note *note)
{
    static const struct pq_wire_column columns[] = {{PQ_WIRE_ID, offsetof(struct store_keyed, id)},
                                                    {PQ_WIRE_TEXT, offsetof(struct store_keyed, definition)},
                                                    {PQ_WIRE_TEXT, offsetof(struct store_keyed, key)},
                                                    {PQ_WIRE_TEXT, offsetof(struct store_keyed, status)},
                                                    {PQ_WIRE_INT8, offsetof(struct store_keyed, seq)},
                                                    {PQ_WIRE_INT4, offsetof(struct store_keyed, version)},
                                                    {PQ_WIRE_JSON, offsetof(struct store_keyed, start_data)}};
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put_columns(&params, text_column, 1,
                        pq_wire_rows(params.arena, definitions, sizeof *definitions, count), count);
    pq_wire_put_columns(&params, text_column, 1, pq_wire_rows(params.arena, keys, sizeof *keys, count),
                        count);
    enum err error = postgres_rows(store, PQ_QUERY_ID_FIND_KEYS, &params, POSTGRES_COLUMNS(columns),
                                   sizeof **found, arena, &rows, found_count, note);
    *found = rows;
    return error;
}
