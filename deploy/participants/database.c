#include "deploy/participants/database.h"

#include <string.h>
#include "engine/base/arena.h"
#include "engine/base/mask.h"

/* Any number: programs that bring the same database up to date take turns. */
#define MAKE_LOCK "SELECT pg_advisory_xact_lock(7251)"

static const char duplicate_database[] = "42P04", unique_violation[] = "23505";

/* libpq quotes what it cannot read of a connection string, and takes for the host what an "@" in a password
 * leaves of it. */
static enum err unreachable(const PGconn *connection, struct err_note *note)
{
    char masked[sizeof note->text], shown[sizeof note->text];
    const char *password = PQpass(connection), *host = PQhost(connection);
    mask_word(PQerrorMessage(connection), password != NULL ? password : "", masked, sizeof masked);
    if (host == NULL || host[0] == '\0' || strchr(host, '@') != NULL)
        mask_quoted(masked, shown, sizeof shown);
    else
        memcpy(shown, masked, sizeof shown);
    return err_note(note, ERR_UNAVAILABLE, "cannot reach the database: %s", shown);
}

static enum err connect_to(const char *server, const char *name, PGconn **connection, struct err_note *note)
{
    /* The first dbname is taken apart as a connection string, the second replaces the name in it. */
    const char *const keys[] = {"dbname", "options", "connect_timeout", "dbname", NULL};
    const char *const values[] = {server, "-c client_min_messages=warning", "5", name, NULL};
    *connection = PQconnectdbParams(keys, values, 1);
    if (PQstatus(*connection) == CONNECTION_OK)
        return ERR_OK;
    enum err error = unreachable(*connection, note);
    PQfinish(*connection);
    *connection = NULL;
    return error;
}

static enum err refused(const PGresult *result, const PGconn *connection, struct err_note *note)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool bad_value = state != NULL && strncmp(state, "22", 2) == 0;
    return err_note(note, bad_value ? ERR_INVALID : ERR_UNAVAILABLE, "%s",
                    text != NULL ? text : PQerrorMessage(connection));
}

static enum err run(PGconn *connection, const char *sql, struct err_note *note)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    enum err error =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ERR_OK : refused(result, connection, note);
    PQclear(result);
    return error;
}

static enum err create(const char *server, const char *name, struct err_note *note)
{
    PGconn *connection = NULL;
    struct arena arena;
    enum err error = connect_to(server, NULL, &connection, note);
    if (error != ERR_OK)
        return error;
    arena_init(&arena, 0);
    PGresult *result = PQexec(connection, arena_printf(&arena, "CREATE DATABASE \"%s\"", name).data);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool there =
        PQresultStatus(result) == PGRES_COMMAND_OK ||
        (state != NULL && (strcmp(state, duplicate_database) == 0 || strcmp(state, unique_violation) == 0));
    if (!there)
        error = refused(result, connection, note);
    PQclear(result);
    PQfinish(connection);
    arena_fini(&arena);
    return error;
}

static enum err fill(PGconn *connection, const struct actions_schema *schema, struct err_note *note)
{
    struct arena arena;
    arena_init(&arena, 0);
    enum err error = run(connection, "BEGIN; " MAKE_LOCK, note);
    for (int i = 0; error == ERR_OK && schema->pieces[i].size > 0; i++)
        error = run(connection, arena_copy(&arena, schema->pieces[i]).data, note);
    if (error == ERR_OK)
        error = run(connection, "COMMIT", note);
    arena_fini(&arena);
    return error;
}

enum err database_make(const char *server, const struct actions_schema *schema, struct err_note *note)
{
    PGconn *connection = NULL;
    struct err_note missing = {""};
    enum err error = connect_to(server, schema->participant, &connection, &missing);
    if (error != ERR_OK) { /* most likely because it is not there yet */
        error = create(server, schema->participant, note);
        if (error == ERR_OK)
            error = connect_to(server, schema->participant, &connection, note);
    }
    if (error != ERR_OK)
        return error;
    error = fill(connection, schema, note);
    PQfinish(connection);
    return error;
}

enum err database_open(struct database *database, const char *server, const char *name, struct err_note *note)
{
    *database = (struct database){.server = server, .name = name};
    return connect_to(server, name, &database->connection, note);
}

void database_close(struct database *database)
{
    PQfinish(database->connection);
    database->connection = NULL;
}

enum err database_heal(struct database *database, struct err_note *note)
{
    if (database->connection != NULL && PQstatus(database->connection) == CONNECTION_OK) {
        if (PQtransactionStatus(database->connection) == PQTRANS_IDLE ||
            run(database->connection, "ROLLBACK", note) == ERR_OK)
            return ERR_OK;
    }
    database_close(database);
    return connect_to(database->server, database->name, &database->connection, note);
}

enum err database_query(struct database *database, const char *sql, int count, const char *const *values,
                        PGresult **result, struct err_note *note)
{
    *result = PQexecParams(database->connection, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return ERR_OK;
    enum err error = refused(*result, database->connection, note);
    PQclear(*result);
    *result = NULL;
    return error;
}
