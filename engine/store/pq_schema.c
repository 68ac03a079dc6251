#include "engine/store/pq_schema.h"

#include "engine/base/sha256.h"

struct applied {
    int32_t number;
    struct str name;
    struct str checksum;
    int32_t serves;
};
enum { APPLIED_COLUMNS = 4 };
static const struct pq_wire_column applied_columns[APPLIED_COLUMNS] = {
    {PQ_WIRE_INT4, offsetof(struct applied, number)},
    {PQ_WIRE_TEXT, offsetof(struct applied, name)},
    {PQ_WIRE_TEXT, offsetof(struct applied, checksum)},
    {PQ_WIRE_INT4, offsetof(struct applied, serves)}};

void pq_schema_checksum(const struct pq_query_migration *migration, char text[PQ_SCHEMA_CHECKSUM_SIZE])
{
    sha256_hex(str_from(migration->sql), text);
}

static uint32_t known_count(void)
{
    uint32_t count = 0;
    pq_query_migrations(&count);
    return count;
}

/* One that this program has not. */
static enum err check_newer(const struct applied *row, struct err_note *note)
{
    if (row->serves <= (int32_t)known_count())
        return ERR_OK;
    return err_note(
        note, ERR_SCHEMA,
        "the database is newer than this program, which knows %u migrations: it has migration %d, "
        "%.*s, made for programs that know %d or more; start a newer sagad instead",
        known_count(), row->number, STR_ARG(row->name), row->serves);
}

static enum err check_known(const struct applied *row, const struct pq_query_migration *known,
                            struct err_note *note)
{
    char checksum[PQ_SCHEMA_CHECKSUM_SIZE];
    pq_schema_checksum(known, checksum);
    if (row->number == known->number && str_equal(row->checksum, str_from(checksum)))
        return ERR_OK;
    return err_note(note, ERR_SCHEMA,
                    "the database has another migration %d (%.*s) than this program's %d (%s): it belongs to "
                    "another program, or --database names the wrong one",
                    row->number, STR_ARG(row->name), known->number, known->name);
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
    uint32_t count = 0;
    struct pq_call call = {.query = PQ_QUERY_ID_MIGRATIONS};
    *applied = 0;
    enum err error = has_table(session, &exists, note);
    if (error != ERR_OK || !exists)
        return error;
    error = pq_session_run(session, &call, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    const struct applied *rows = pq_wire_get_rows(call.result, applied_columns, APPLIED_COLUMNS, sizeof *rows,
                                                  &session->scratch, &count);
    pq_session_clear(&call, 1);
    const struct pq_query_migration *known = pq_query_migrations(applied);
    *applied = count < *applied ? count : *applied;
    for (uint32_t i = 0; i < count && error == ERR_OK; i++)
        error = i < *applied ? check_known(&rows[i], &known[i], note) : check_newer(&rows[i], note);
    return error;
}

static enum err too_old(uint32_t applied, struct err_note *note)
{
    return err_note(note, ERR_SCHEMA,
                    "the database has %u of this program's %u migrations: run `sagad migrate`", applied,
                    known_count());
}

enum err pq_schema_check(struct pq_session *session, struct err_note *note)
{
    uint32_t applied = 0;
    enum err error = pq_schema_applied(session, &applied, note);
    return error == ERR_OK && applied < known_count() ? too_old(applied, note) : error;
}

enum err pq_schema_still(const PGresult *schema, struct arena *scratch, struct err_note *note)
{
    uint32_t count = 0;
    const struct applied *newest =
        pq_wire_get_rows(schema, applied_columns, APPLIED_COLUMNS, sizeof *newest, scratch, &count);
    uint32_t number = count == 0 ? 0 : (uint32_t)newest->number;
    if (number < known_count())
        return too_old(number, note);
    return number == known_count() ? ERR_OK : check_newer(newest, note);
}
