#include "engine/store/pq_schema.h"

#include "engine/base/sha256.h"

struct applied {
    int32_t number;
    struct str name;
    struct str checksum;
};
static const struct pq_wire_column applied_columns[] = {{PQ_WIRE_INT4, offsetof(struct applied, number)},
                                                        {PQ_WIRE_TEXT, offsetof(struct applied, name)},
                                                        {PQ_WIRE_TEXT, offsetof(struct applied, checksum)}};

void pq_schema_checksum(const struct pq_query_migration *migration, char text[PQ_SCHEMA_CHECKSUM_SIZE])
{
    sha256_hex(str_from(migration->sql), text);
}

static enum err compare(const struct applied *rows, uint32_t count, struct err_note *note)
{
    uint32_t known_count = 0;
    const struct pq_query_migration *known = pq_query_migrations(&known_count);
    char checksum[PQ_SCHEMA_CHECKSUM_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        if (i >= known_count)
            return err_note(note, ERR_INVALID,
                            "the database is newer than this program: it has migration %d, %.*s",
                            rows[i].number, STR_ARG(rows[i].name));
        pq_schema_checksum(&known[i], checksum);
        if (rows[i].number != known[i].number || !str_equal(rows[i].checksum, str_from(checksum)))
            return err_note(note, ERR_INVALID,
                            "the database has another migration %d (%.*s) than this program's %d (%s)",
                            rows[i].number, STR_ARG(rows[i].name), known[i].number, known[i].name);
    }
    return ERR_OK;
}

static enum err has_table(struct pq_session *session, bool *exists, struct err_note *note)
{
    static const struct pq_wire_column column = {PQ_WIRE_BOOL, 0};
    struct pq_call call = {.query = PQ_QUERY_ID_MIGRATION_EXISTS};
    enum err error = pq_session_run(session, &call, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    pq_wire_get(call.result, 0, &column, 1, &session->scratch, exists);
    pq_session_clear(&call, 1);
    return ERR_OK;
}

enum err pq_schema_applied(struct pq_session *session, uint32_t *applied, struct err_note *note)
{
    bool exists = false;
    struct pq_call call = {.query = PQ_QUERY_ID_MIGRATIONS};
    *applied = 0;
    enum err error = has_table(session, &exists, note);
    if (error != ERR_OK || !exists)
        return error;
    error = pq_session_run(session, &call, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    const struct applied *rows =
        pq_wire_get_rows(call.result, applied_columns, 3, sizeof *rows, &session->scratch, applied);
    pq_session_clear(&call, 1);
    return compare(rows, *applied, note);
}

enum err pq_schema_check(struct pq_session *session, struct err_note *note)
{
    uint32_t known = 0;
    uint32_t applied = 0;
    pq_query_migrations(&known);
    enum err error = pq_schema_applied(session, &applied, note);
    if (error == ERR_OK && applied < known)
        return err_note(note, ERR_INVALID, "the database has %u of %u migrations: run `sagad migrate`",
                        applied, known);
    return error;
}
