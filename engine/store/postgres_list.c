/* What people ask: lists of sagas, dead letters, definitions, suspects. Called through the table of
 * postgres.c, on readers' connections. Each list has a bound and a place to go on from; never touches
 * payloads that were not asked for. */
#include "engine/store/postgres_ops.h"

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/store/store_filter.h"

/* Attributes are compared as texts, so "42" finds the string and the number: one path expression, which the
 * index over `search` answers. */
static struct str search_path(const struct store_filter *filter, struct arena *arena)
{
    struct buf path;
    buf_init(&path, arena);
    for (uint32_t i = 0; i < filter->search_count; i++) {
        struct str value = filter->search_values[i];
        buf_puts(&path, i > 0 ? " && ($." : "($.");
        json_write_string(&path, filter->search_names[i]);
        buf_puts(&path, " == ");
        json_write_string(&path, value);
        if (store_filter_is_literal(value, arena)) {
            buf_puts(&path, " || $.");
            json_write_string(&path, filter->search_names[i]);
            buf_puts(&path, " == ");
            buf_put(&path, value);
        }
        buf_char(&path, ')');
    }
    return buf_str(&path);
}

#define RIGHT_BEHIND(flag, id)                                                                               \
    (offsetof(struct store_filter, id) == offsetof(struct store_filter, flag) + sizeof(bool))
_Static_assert(RIGHT_BEHIND(has_cursor, cursor) && RIGHT_BEHIND(has_parent, parent),
               "as PQ_WIRE_ID_OR_NULL wants it");

static void put_filter(struct pq_wire_params *params, const struct store_filter *filter)
{
    struct id floor = store_filter_floor(filter->since_us);
    pq_wire_put(params, PQ_WIRE_TEXT, &filter->status);
    pq_wire_put(params, PQ_WIRE_TEXT, &filter->definition);
    pq_wire_put(params, PQ_WIRE_TEXT, &filter->key);
    pq_wire_put(params, PQ_WIRE_TIME_OR_NULL, &filter->since_us);
    pq_wire_put(params, PQ_WIRE_ID, &floor);
    pq_wire_put(params, PQ_WIRE_ID_OR_NULL, &filter->has_cursor);
    struct str path = search_path(filter, params->arena);
    pq_wire_put(params, PQ_WIRE_TEXT_OR_NULL, &path);
    pq_wire_put(params, PQ_WIRE_INT4, &filter->limit);
    pq_wire_put(params, PQ_WIRE_ID_OR_NULL, &filter->has_parent);
}

enum err postgres_list(struct store *store, const struct store_filter *filter, struct arena *arena,
                       struct store_saga **sagas, uint32_t *count, struct err_note *note)
{
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    put_filter(&params, filter);
    enum err error = postgres_rows(store, PQ_QUERY_ID_LIST, &params, POSTGRES_COLUMNS(postgres_saga_columns),
                                   sizeof **sagas, arena, &rows, count, note);
    *sagas = rows;
    return error;
}

enum err postgres_dead_letters(struct store *store, struct str saga, int64_t before_number, uint32_t limit,
                               struct arena *arena, struct store_dead_letter **letters, uint32_t *count,
                               struct err_note *note)
{
    static const struct pq_wire_column columns[] = {
        {PQ_WIRE_INT8, offsetof(struct store_dead_letter, number)},
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
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_INT8, &before_number);
    pq_wire_put(&params, PQ_WIRE_INT4, &limit);
    bool all = saga.size == 0; /* two statements: neither may read the whole table */
    if (!all)
        pq_wire_put(&params, PQ_WIRE_TEXT, &saga);
    enum err error =
        postgres_rows(store, all ? PQ_QUERY_ID_DEAD_LETTERS : PQ_QUERY_ID_LETTERS_OF_SAGA, &params,
                      POSTGRES_COLUMNS(columns), sizeof **letters, arena, &rows, count, note);
    *letters = rows;
    return error;
}

enum err postgres_forget_dead(struct store *store, int64_t before_us, uint32_t most, uint32_t *gone,
                              struct err_note *note)
{
    static const struct pq_wire_column column[] = {{PQ_WIRE_INT8, 0}};
    struct pq_wire_params params;
    uint32_t count = 0;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TIME, &before_us);
    pq_wire_put(&params, PQ_WIRE_INT4, &most);
    enum err error = postgres_rows(store, PQ_QUERY_ID_FORGET_DEAD, &params, POSTGRES_COLUMNS(column),
                                   sizeof(int64_t), params.arena, &rows, &count, note);
    *gone = error == ERR_OK ? (uint32_t) * (const int64_t *)rows : 0;
    return error;
}

static const struct pq_wire_column definition_columns[] = {
    {PQ_WIRE_TEXT, offsetof(struct store_definition, name)},
    {PQ_WIRE_INT4, offsetof(struct store_definition, version)},
    {PQ_WIRE_TEXT, offsetof(struct store_definition, hash)},
    {PQ_WIRE_TEXT, offsetof(struct store_definition, bundle)},
    {PQ_WIRE_BOOL, offsetof(struct store_definition, enabled)},
    {PQ_WIRE_TIME, offsetof(struct store_definition, created_us)},
};

enum err postgres_definition_put(struct store *store, const struct store_definition *definition,
                                 struct err_note *note)
{
    static const struct pq_wire_column hash_column[] = {{PQ_WIRE_TEXT, 0}};
    struct pq_wire_params row;
    struct pq_wire_params key;
    struct str stored = {"", 0};
    postgres_params(store, &row);
    for (size_t i = 0; i < sizeof definition_columns / sizeof *definition_columns; i++)
        pq_wire_put(&row, definition_columns[i].type,
                    (const char *)definition + definition_columns[i].offset);
    pq_wire_init(&key, row.arena);
    pq_wire_put(&key, PQ_WIRE_TEXT, &definition->name);
    pq_wire_put(&key, PQ_WIRE_INT4, &definition->version);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_DEFINITION_PUT, .params = &row},
                              {.query = PQ_QUERY_ID_DEFINITION_HASH, .params = &key}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 2, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    check(PQntuples(calls[1].result) == 1);
    pq_wire_get(calls[1].result, 0, POSTGRES_COLUMNS(hash_column), row.arena, &stored);
    pq_session_clear(calls, 2);
    if (!str_equal(stored, definition->hash))
        return err_note(
            note, ERR_CONFLICT, "%.*s version %d is stored with another content (hash %.*s, not %.*s)",
            STR_ARG(definition->name), definition->version, STR_ARG(stored), STR_ARG(definition->hash));
    return ERR_OK;
}

enum err postgres_definition_enable(struct store *store, struct str name, int32_t version, bool enabled,
                                    struct err_note *note)
{
    struct pq_wire_params params;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &name);
    pq_wire_put(&params, PQ_WIRE_INT4, &version);
    pq_wire_put(&params, PQ_WIRE_BOOL, &enabled);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_DEFINITION_ENABLE, .params = &params}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    bool found = PQntuples(calls[0].result) == 1;
    pq_session_clear(calls, 1);
    return found ? ERR_OK
                 : err_note(note, ERR_NOT_FOUND, "there is no definition %.*s version %d", STR_ARG(name),
                            version);
}

enum err postgres_definition_delete(struct store *store, struct str name, int32_t version,
                                    struct err_note *note)
{
    static const struct pq_wire_column outcome_column[] = {{PQ_WIRE_TEXT, 0}};
    struct pq_wire_params params;
    struct str outcome = {0};
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &name);
    pq_wire_put(&params, PQ_WIRE_INT4, &version);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_DEFINITION_DELETE, .params = &params}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    check(PQntuples(calls[0].result) == 1);
    pq_wire_get(calls[0].result, 0, POSTGRES_COLUMNS(outcome_column), params.arena, &outcome);
    pq_session_clear(calls, 1);
    return store_deleted(name, version, outcome, note);
}

enum err postgres_definition_get(struct store *store, struct str name, int32_t version, struct arena *arena,
                                 struct store_definition *definition, struct err_note *note)
{
    struct pq_wire_params params;
    void *rows = NULL;
    uint32_t count = 0;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &name);
    pq_wire_put(&params, PQ_WIRE_INT4, &version);
    enum err error =
        postgres_rows(store, PQ_QUERY_ID_DEFINITION_GET, &params, POSTGRES_COLUMNS(definition_columns),
                      sizeof *definition, arena, &rows, &count, note);
    if (error == ERR_OK && count == 0)
        return store_deleted(name, version, STR("missing"), note);
    if (error == ERR_OK)
        *definition = *(const struct store_definition *)rows;
    return error;
}

enum err postgres_definitions(struct store *store, struct str name, struct arena *arena,
                              struct store_definition **definitions, uint32_t *count, struct err_note *note)
{
    struct pq_wire_params params;
    void *rows = NULL;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &name);
    enum err error =
        postgres_rows(store, PQ_QUERY_ID_DEFINITIONS, &params, POSTGRES_COLUMNS(definition_columns),
                      sizeof **definitions, arena, &rows, count, note);
    *definitions = rows;
    return error;
}

enum err postgres_suspect(struct store *store, struct str message, struct str hand, uint32_t *hands,
                          struct err_note *note)
{
    static const struct pq_wire_column count_column[] = {{PQ_WIRE_INT4, 0}};
    struct pq_wire_params params;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &message);
    pq_wire_put(&params, PQ_WIRE_TEXT, &hand);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_SUSPECT, .params = &params}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    check(PQntuples(calls[0].result) == 1);
    pq_wire_get(calls[0].result, 0, POSTGRES_COLUMNS(count_column), params.arena, hands);
    pq_session_clear(calls, 1);
    return ERR_OK;
}

enum err postgres_suspect_clear(struct store *store, struct str message, struct err_note *note)
{
    struct pq_wire_params params;
    postgres_params(store, &params);
    pq_wire_put(&params, PQ_WIRE_TEXT, &message);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_SUSPECT_CLEAR, .params = &params}};
    enum err error = pq_session_run(&postgres_of(store)->session, calls, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error == ERR_OK)
        pq_session_clear(calls, 1);
    return error;
}
