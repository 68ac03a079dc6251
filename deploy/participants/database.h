/* A participant's own database: made when missing, reached again when lost. Owned by one thread each.
 *
 * Every function that talks to the server leaves a sentence in the note before it returns anything but
 * ERR_OK. */
#pragma once
#include <libpq-fe.h>
#include "deploy/participants/actions.h"
#include "engine/base/err.h"

struct database {
    PGconn *connection;
    const char *server; /* borrowed: a libpq connection string or URL of any database of the server */
    const char *name;   /* borrowed: the database's own */
};

/* Makes the database when it is not there, and brings its tables and functions up to date. Safe while others
 * do the same. */
enum err database_make(const char *server, const struct actions_schema *schema, struct err_note *note)
    __attribute__((warn_unused_result));
enum err database_open(struct database *database, const char *server, const char *name, struct err_note *note)
    __attribute__((warn_unused_result));
void database_close(struct database *database);
/* Connects anew when the connection is broken, and ends a transaction that was left open. */
enum err database_heal(struct database *database, struct err_note *note) __attribute__((warn_unused_result));
/* One statement with text parameters. NULL after a failure; else to be given to PQclear. ERR_INVALID tells
 * that the server refused the values, ERR_UNAVAILABLE anything else. */
enum err database_query(struct database *database, const char *sql, int count, const char *const *values,
                        PGresult **result, struct err_note *note) __attribute__((warn_unused_result));
