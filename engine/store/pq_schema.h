/* Which migrations a database has, compared with those of this program. */
#pragma once
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/store/pq_session.h"

enum { PQ_SCHEMA_CHECKSUM_SIZE = 65 };

/* SHA-256 of a migration's text, in hex. */
void pq_schema_checksum(const struct pq_query_migration *migration, char text[PQ_SCHEMA_CHECKSUM_SIZE]);
/* How many of this program's migrations are applied. ERR_INVALID when the database has others: newer ones, or
 * one with another text. */
enum err pq_schema_applied(struct pq_session *session, uint32_t *applied, struct err_note *note)
    __attribute__((warn_unused_result));
/* ERR_INVALID unless all are applied, and no others. */
enum err pq_schema_check(struct pq_session *session, struct err_note *note)
    __attribute__((warn_unused_result));
