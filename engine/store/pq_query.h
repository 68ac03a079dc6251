/* The statements of the .sql files by name, and the numbered migrations: all SQL of the program, embedded
 * when it is built. Constant after the first call; any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/str.h"

enum pq_query_when { PQ_QUERY_PREPARED, PQ_QUERY_PLANNED };
enum pq_query {
#define X(name, text, when) PQ_QUERY_ID_##name,
#include "engine/store/pq_query.def"
#undef X
    PQ_QUERY_COUNT
};

struct pq_query_migration {
    int32_t number;
    const char *name; /* of the file, without .sql */
    const char *sql;
    int32_t serves; /* the oldest program, by the number of its last migration, that works beside this one */
};

/* Its name, NUL-terminated; it is the name of the prepared statement too. */
const char *pq_query_name(enum pq_query query);
/* Its SQL, NUL-terminated, borrowed for ever. */
const char *pq_query_text(enum pq_query query);
enum pq_query_when pq_query_when(enum pq_query query);
/* The migrations in rising number. */
const struct pq_query_migration *pq_query_migrations(uint32_t *count);
