/* What a failure of PostgreSQL means for the caller, by its SQLSTATE. Any thread. */
#pragma once
#include <libpq-fe.h>
#include <stdbool.h>
#include "engine/base/err.h"

/* For a statement the server refused: its transaction is certainly not committed. Never ERR_OK. The note gets
 * the server's message and detail. */
enum err pq_error_of(const PGresult *result, struct err_note *note) __attribute__((warn_unused_result));
/* A table, a column or a function is not there that this program's schema has. */
bool pq_error_is_schema(const PGresult *result);
/* Somebody else held a lock for too long, or for ever: the same may work a moment later. */
bool pq_error_is_lock(const PGresult *result);
/* The server is about to close, or has closed, the connection. */
bool pq_error_ends_session(const PGresult *result);
