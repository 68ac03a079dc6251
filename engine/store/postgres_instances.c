/* The name of this engine in the database, taken, kept and given up. Called through the table of postgres.c
 * by presence.c. Never takes a name whose session lives. */
#include "engine/store/postgres_ops.h"

/* A row of `enter_look`. */
struct look {
    bool mine;
    int64_t beat_us;
    int64_t silent_us;
    uint32_t peers;
    struct str since;
    struct str address;
};
static const struct pq_wire_column look_columns[] = {
    {PQ_WIRE_BOOL, offsetof(struct look, mine)},      {PQ_WIRE_TIME, offsetof(struct look, beat_us)},
    {PQ_WIRE_INT8, offsetof(struct look, silent_us)}, {PQ_WIRE_INT4, offsetof(struct look, peers)},
    {PQ_WIRE_TEXT, offsetof(struct look, since)},     {PQ_WIRE_TEXT, offsetof(struct look, address)},
};

static void put_identity(struct pq_wire_params *params, const struct store_instance *instance)
{
    pq_wire_put(params, PQ_WIRE_TEXT, &instance->name);
    pq_wire_put(params, PQ_WIRE_TEXT, &instance->incarnation);
}

static enum err judge(const struct look *look, const struct store_instance *instance, struct err_note *note)
{
    if (look->mine)
        return ERR_OK;
    return err_note(note, ERR_CONFLICT,
                    "another engine runs under the name \"%.*s\": at %.*s, since %.*s, heard %.1f s ago",
                    STR_ARG(instance->name), STR_ARG(look->address), STR_ARG(look->since),
                    (double)look->silent_us / 1e6);
}

enum err postgres_enter(struct store *store, const struct store_instance *instance, int64_t lease_us,
                        int64_t bus_us, struct store_standing *standing, struct err_note *note)
{
    struct pq_wire_params enter, identity, look;
    postgres_params(store, &enter);
    put_identity(&enter, instance);
    pq_wire_put(&enter, PQ_WIRE_TEXT, &instance->address);
    pq_wire_put(&enter, PQ_WIRE_TEXT, &instance->version);
    pq_wire_put(&enter, PQ_WIRE_INT8, &lease_us);
    pq_wire_put(&enter, PQ_WIRE_INT8, &bus_us);
    pq_wire_init(&identity, enter.arena);
    put_identity(&identity, instance);
    pq_wire_init(&look, enter.arena);
    put_identity(&look, instance);
    pq_wire_put(&look, PQ_WIRE_INT8, &lease_us);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_ENTER, .params = &enter},
                              {.query = PQ_QUERY_ID_ENTER_SHARDS, .params = &identity},
                              {.query = PQ_QUERY_ID_ENTER_TIDY},
                              {.query = PQ_QUERY_ID_ENTER_LOOK, .params = &look}};
    enum { CALLS = sizeof calls / sizeof calls[0] };
    enum err error =
        pq_session_run(&postgres_of(store)->session, calls, CALLS, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    struct look row = {0};
    bool found = PQntuples(calls[CALLS - 1].result) > 0;
    if (found)
        pq_wire_get(calls[CALLS - 1].result, 0, POSTGRES_COLUMNS(look_columns), enter.arena, &row);
    pq_session_clear(calls, CALLS);
    if (!found)
        return err_note(note, ERR_UNAVAILABLE, "the engine that had the name has just left; try again");
    *standing = (struct store_standing){.beat_us = row.beat_us, .peers = row.peers};
    return judge(&row, instance, note);
}

enum err postgres_leave(struct store *store, const struct store_instance *instance, struct err_note *note)
{
    struct pq_wire_params params;
    postgres_params(store, &params);
    put_identity(&params, instance);
    return pq_session_do(&postgres_of(store)->session, PQ_QUERY_ID_LEAVE, &params, note);
}
