/* Brings a database up to date: numbered migrations, each in a transaction of its own, under a lock so that
 * two programs take turns. Called by `sagad migrate`. Never changes a database of another history, and never
 * waits long for a table that engines use. */
#include "engine/store/postgres.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/ops/log.h"
#include "engine/ops/process.h"
#include "engine/store/pq_schema.h"

/* The rest of the transaction in which the migration itself ran. */
static enum err finish(struct pq_session *session, const struct pq_query_migration *migration,
                       uint32_t shards, struct err_note *note)
{
    struct pq_wire_params row;
    struct pq_wire_params size;
    char checksum[PQ_SCHEMA_CHECKSUM_SIZE];
    pq_schema_checksum(migration, checksum);
    struct str texts[] = {str_from(migration->name), str_from(checksum)};
    pq_wire_init(&row, &session->scratch);
    pq_wire_put(&row, PQ_WIRE_INT4, &migration->number);
    pq_wire_put(&row, PQ_WIRE_TEXT, &texts[0]);
    pq_wire_put(&row, PQ_WIRE_TEXT, &texts[1]);
    pq_wire_put(&row, PQ_WIRE_INT4, &migration->serves);
    pq_wire_init(&size, &session->scratch);
    pq_wire_put(&size, PQ_WIRE_INT4, &shards);
    struct pq_call calls[] = {{.query = PQ_QUERY_ID_MIGRATION_NOTE, .params = &row},
                              {.query = PQ_QUERY_ID_MAKE_SHARDS, .params = &size},
                              {.query = PQ_QUERY_ID_COMMIT_NOW}};
    enum err error = pq_session_run(session, calls, 3, PQ_SESSION_LOSS_UNKNOWN, note);
    pq_session_clear(calls, 3);
    return error;
}

/* The migration itself, in the transaction that is open. ERR_TIMEOUT: a table is in use; nothing was done. */
static enum err apply(struct pq_session *session, const struct pq_query_migration *migration,
                      struct err_note *note)
{
    struct pq_wire_params patience;
    struct err_note back = {""};
    struct str text = arena_printf(&session->scratch, "%d", LIMITS_STORE_MIGRATE_LOCK_MS);
    pq_wire_init(&patience, &session->scratch);
    pq_wire_put(&patience, PQ_WIRE_TEXT, &text);
    enum err error = pq_session_do(session, PQ_QUERY_ID_MIGRATION_PATIENCE, &patience, note);
    if (error == ERR_OK)
        error = pq_session_script(session, migration->sql, note);
    if (error == ERR_TIMEOUT && pq_session_do(session, PQ_QUERY_ID_ROLLBACK, NULL, &back) != ERR_OK)
        return err_note(note, ERR_UNAVAILABLE, "%s", back.text);
    return error;
}

/* Under the lock: one migration, if one is missing. */
static enum err step(struct pq_session *session, uint32_t shards, bool *did, struct err_note *note)
{
    uint32_t known_count = 0;
    uint32_t count = 0;
    const struct pq_query_migration *known = pq_query_migrations(&known_count);
    struct pq_call begin[] = {{.query = PQ_QUERY_ID_BEGIN_NOW},
                              {.query = PQ_QUERY_ID_MIGRATION_LOCK},
                              {.query = PQ_QUERY_ID_MIGRATION_TABLE}};
    *did = false;
    enum err error = pq_session_run(session, begin, 3, PQ_SESSION_LOSS_HARMLESS, note);
    pq_session_clear(begin, 3);
    if (error == ERR_OK)
        error = pq_schema_applied(session, &count, note);
    if (error != ERR_OK)
        return error;
    if (count == known_count)
        return pq_session_do(session, PQ_QUERY_ID_COMMIT_NOW, NULL, note);
    error = apply(session, &known[count], note);
    if (error != ERR_OK)
        return error;
    *did = true;
    return finish(session, &known[count], shards, note);
}

/* A table that is in use is asked for again and again, each time briefly: everybody who comes after us waits
 * behind us, running engines too. */
static enum err step_patiently(struct pq_session *session, uint32_t shards, bool *did, struct err_note *note)
{
    enum err error = ERR_TIMEOUT;
    for (int tries = 1; error == ERR_TIMEOUT && tries <= LIMITS_STORE_MIGRATE_TRIES; tries++) {
        arena_reset(&session->scratch);
        error = step(session, shards, did, note);
        if (error != ERR_TIMEOUT)
            return error;
        log_warn("migration_waits", "try=%d of=%d why=%s", tries, LIMITS_STORE_MIGRATE_TRIES, note->text);
        process_pause(LIMITS_STORE_MIGRATE_PAUSE_MS);
    }
    return err_note(
        note, error,
        "a table was in use for all of %d tries (a long transaction, a dump?); nothing of this migration "
        "was done, running engines go on: run `sagad migrate` again later",
        LIMITS_STORE_MIGRATE_TRIES);
}

enum err postgres_migrate(const char *conninfo, uint32_t shards, uint32_t *applied, struct err_note *note)
{
    struct pq_session session;
    bool did = true;
    check(shards >= 1 && shards <= LIMITS_SHARDS_MAX);
    *applied = 0;
    enum err error = pq_session_open_bare(&session, conninfo, note);
    if (error != ERR_OK)
        return error;
    while (error == ERR_OK && did) {
        error = step_patiently(&session, shards, &did, note);
        *applied += error == ERR_OK && did;
    }
    pq_session_close(&session);
    return error;
}
