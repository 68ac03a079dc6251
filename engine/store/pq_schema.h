/* Which migrations a database has, compared with those of this program.
 *
 * A program works on a database that has all its migrations, and beside newer ones as long as each of them
 * says that it serves this program (migrations/README.md). So a new version is rolled out under running
 * engines: migrate first, then replace them one by one. */
#pragma once
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/store/pq_session.h"

enum { PQ_SCHEMA_CHECKSUM_SIZE = 65 };

/* SHA-256 of a migration's text, in hex. */
void pq_schema_checksum(const struct pq_query_migration *migration, char text[PQ_SCHEMA_CHECKSUM_SIZE]);
/* How many of this program's migrations are applied. ERR_SCHEMA when the database has others: newer ones that
 * do not serve this program, or one with another text. */
enum err pq_schema_applied(struct pq_session *session, uint32_t *applied, struct err_note *note)
    __attribute__((warn_unused_result));
/* ERR_SCHEMA unless all are applied, and no others that do not serve this program. */
enum err pq_schema_check(struct pq_session *session, struct err_note *note)
    __attribute__((warn_unused_result));
/* The same for a connection that was checked before, out of the answer to `schema`. */
enum err pq_schema_still(const PGresult *schema, struct arena *scratch, struct err_note *note)
    __attribute__((warn_unused_result));
