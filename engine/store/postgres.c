#include "engine/store/postgres.h"

#include <stdio.h>
#include "engine/base/memory.h"
#include "engine/store/postgres_ops.h"

const struct pq_wire_column postgres_saga_columns[POSTGRES_SAGA_COLUMNS] = {
    {PQ_WIRE_ID, offsetof(struct store_saga, id)},
    {PQ_WIRE_INT4, offsetof(struct store_saga, shard)},
    {PQ_WIRE_INT4, offsetof(struct store_saga, version)},
    {PQ_WIRE_INT8, offsetof(struct store_saga, seq)},
    {PQ_WIRE_TIME, offsetof(struct store_saga, started_us)},
    {PQ_WIRE_TIME, offsetof(struct store_saga, updated_us)},
    {PQ_WIRE_TIME_OR_NULL, offsetof(struct store_saga, ended_us)},
    {PQ_WIRE_TIME_OR_NULL, offsetof(struct store_saga, wake_us)},
    {PQ_WIRE_BOOL, offsetof(struct store_saga, paused)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, definition)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, hash)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, status)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, waiting)},
    {PQ_WIRE_TEXT, offsetof(struct store_saga, reason_code)},
    {PQ_WIRE_TEXT_OR_NULL, offsetof(struct store_saga, key)},
    {PQ_WIRE_JSONB, offsetof(struct store_saga, search)},
    {PQ_WIRE_ID_OR_NULL, offsetof(struct store_saga, has_parent)},
};
_Static_assert(offsetof(struct store_saga, parent) == offsetof(struct store_saga, has_parent) + sizeof(bool),
               "as PQ_WIRE_ID_OR_NULL wants it");
const struct pq_wire_column postgres_record_columns[POSTGRES_RECORD_COLUMNS] = {
    {PQ_WIRE_ID, offsetof(struct store_record, id)},
    {PQ_WIRE_INT8, offsetof(struct store_record, seq)},
    {PQ_WIRE_TIME, offsetof(struct store_record, at_us)},
    {PQ_WIRE_INT8, offsetof(struct store_record, lsn)},
    {PQ_WIRE_INT4, offsetof(struct store_record, shard)},
    {PQ_WIRE_INT4, offsetof(struct store_record, attempt)},
    {PQ_WIRE_TEXT, offsetof(struct store_record, kind)},
    {PQ_WIRE_TEXT_OR_NULL, offsetof(struct store_record, step)},
    {PQ_WIRE_JSON, offsetof(struct store_record, data)},
};

static enum err reconnect(struct store *store, struct err_note *note)
{
    return pq_session_reconnect(&postgres_of(store)->session, note);
}

static void close_store(struct store *store)
{
    pq_session_close(&postgres_of(store)->session);
    memory_free(store);
}

static const struct store_ops ops = {
    .reconnect = reconnect,
    .now = postgres_now,
    .shard_count = postgres_shard_count,
    .enter = postgres_enter,
    .leave = postgres_leave,
    .engine_key = postgres_engine_key,
    .claim = postgres_claim,
    .renew = postgres_renew,
    .release = postgres_release,
    .append_once = postgres_append_once,
    .append_try = postgres_append_try,
    .committed = postgres_committed,
    .open_sagas = postgres_open_sagas,
    .unpublished = postgres_unpublished,
    .load_many = postgres_load_many,
    .find_keys = postgres_find_keys,
    .glance = postgres_glance,
    .list = postgres_list,
    .dead_letters = postgres_dead_letters,
    .suspect = postgres_suspect,
    .suspect_clear = postgres_suspect_clear,
    .forget_dead = postgres_forget_dead,
    .definition_put = postgres_definition_put,
    .definition_enable = postgres_definition_enable,
    .definition_delete = postgres_definition_delete,
    .definition_get = postgres_definition_get,
    .definitions = postgres_definitions,
    .doctor = postgres_doctor,
    .probe = postgres_probe,
    .close = close_store,
};

/* As `enter` looks for it. PostgreSQL keeps 63 bytes. */
static void name_session(const struct store_instance *instance, char name[PQ_SESSION_NAME_SIZE])
{
    name[0] = '\0';
    if (instance != NULL)
        snprintf(name, PQ_SESSION_NAME_SIZE, "sagad %.*s %.*s", STR_ARG(instance->incarnation),
                 STR_ARG(instance->name));
}

enum err postgres_open(const char *conninfo, struct store **store, struct err_note *note)
{
    return postgres_open_as(conninfo, NULL, store, note);
}

enum err postgres_open_as(const char *conninfo, const struct store_instance *instance, struct store **store,
                          struct err_note *note)
{
    struct postgres *postgres = memory_new(1, sizeof *postgres);
    postgres->store.ops = &ops;
    char name[PQ_SESSION_NAME_SIZE];
    name_session(instance, name);
    enum err error = pq_session_open(&postgres->session, conninfo, name, note);
    if (error != ERR_OK) {
        memory_free(postgres);
        return error;
    }
    *store = &postgres->store;
    return ERR_OK;
}

void postgres_params(struct store *store, struct pq_wire_params *params)
{
    struct arena *scratch = &postgres_of(store)->session.scratch;
    arena_reset(scratch);
    pq_wire_init(params, scratch);
}

enum err postgres_rows(struct store *store, enum pq_query query, const struct pq_wire_params *params,
                       const struct pq_wire_column *columns, size_t column_count, size_t stride,
                       struct arena *arena, void **rows, uint32_t *count, struct err_note *note)
{
    struct pq_call call = {.query = query, .params = params};
    enum err error = pq_session_run(&postgres_of(store)->session, &call, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    *rows = pq_wire_get_rows(call.result, columns, column_count, stride, arena, count);
    pq_session_clear(&call, 1);
    return ERR_OK;
}
