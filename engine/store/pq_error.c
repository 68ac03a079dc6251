#include "engine/store/pq_error.h"

#include <string.h>

/* The first match decides. A class is two characters, a state five (appendix A of PostgreSQL's manual). SG
 * are ours, raised by the functions of migrations/. What is not here is ERR_UNAVAILABLE: locks, time-outs, a
 * full disk, a standby, a server that shuts down, missing rights. All of these pass or are a human's to mend,
 * and nothing was written. */
static const struct {
    const char *prefix;
    enum err error;
} meanings[] = {
    {"SG000", ERR_CLOSED}, /* undone on purpose */
    {"SG001", ERR_FENCED}, {"SG002", ERR_CONFLICT}, {"SG003", ERR_BAD_DATA},
    {"22", ERR_BAD_DATA}, /* data exception: invalid JSON, invalid UTF-8, out of range */
    {"23", ERR_BAD_DATA}, /* integrity: a key used twice, a record written twice */
    {"54", ERR_BAD_DATA}, /* a program limit: a value too large for an index or a message */
};

static const char *const schema_states[] = {"42883", "42P01",
                                            "42703"};        /* undefined function, table, column */
static const char *const lock_states[] = {"55P03", "40P01"}; /* lock not available, deadlock */

static const char *field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text ? text : "";
}

/* About data PostgreSQL quotes the data: the row in the detail, and of a value that cannot be read (class 22)
 * the value in quotes or behind a colon. Notes go into logs and dead letters, so of these only the sentence
 * and the constraint's name stay. */
static enum err refuse_data(const PGresult *result, const char *state, const char *message,
                            struct err_note *note)
{
    const char *constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    int kept = (int)strlen(message);
    if (strncmp(state, "22", 2) == 0)
        kept = (int)strcspn(message, ":\"");
    return err_note(note, ERR_BAD_DATA, "PostgreSQL %s: %.*s%s%s%s", state, kept, message,
                    kept == 0 ? "a value is refused" : "", *constraint ? ", constraint " : "", constraint);
}

enum err pq_error_of(const PGresult *result, struct err_note *note)
{
    const char *state = field(result, PG_DIAG_SQLSTATE);
    const char *message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = field(result, PG_DIAG_MESSAGE_DETAIL);
    enum err error = ERR_UNAVAILABLE;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strncmp(state, meanings[i].prefix, strlen(meanings[i].prefix)) == 0) {
            error = meanings[i].error;
            break;
        }
    if (*message == '\0')
        message = PQresultErrorMessage(result);
    if (error == ERR_BAD_DATA)
        return refuse_data(result, state, message, note);
    return err_note(note, error, "PostgreSQL %s: %s%s%s", *state ? state : "(no state)", message,
                    *detail ? ": " : "", detail);
}

static bool is_one_of(const PGresult *result, const char *const *states, size_t count)
{
    const char *state = field(result, PG_DIAG_SQLSTATE);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || strcmp(state, states[i]) == 0;
    return found;
}

bool pq_error_is_schema(const PGresult *result)
{
    return is_one_of(result, schema_states, sizeof schema_states / sizeof *schema_states);
}

bool pq_error_is_lock(const PGresult *result)
{
    return is_one_of(result, lock_states, sizeof lock_states / sizeof *lock_states);
}

bool pq_error_ends_session(const PGresult *result)
{
    /* Not localised, unlike PG_DIAG_SEVERITY. */
    const char *severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}
