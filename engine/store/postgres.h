/* The store on PostgreSQL through libpq: pipeline mode, binary arrays, one transaction a batch. SQL lives in
 * the .sql files beside it. */
#pragma once
#include "engine/store/store.h"

/* Opens one connection. `conninfo` as libpq takes it, copied. ERR_UNAVAILABLE when the server does not
 * answer; ERR_SCHEMA when the schema is missing or of a version that does not fit this program (the note says
 * what to do, `sagad migrate` for one). */
enum err postgres_open(const char *conninfo, struct store **store, struct err_note *note);
/* The same as a session of this engine, which lives while it has one (store_enter). */
enum err postgres_open_as(const char *conninfo, const struct store_instance *instance, struct store **store,
                          struct err_note *note);
/* Applies the numbered migrations that are missing, under an advisory lock, each in its own transaction; a
 * fresh database gets `shards` shards. applied: how many were. A table in use is waited for in short tries
 * (ERR_TIMEOUT in the end), so that running engines go on. ERR_SCHEMA: the database has others than these,
 * which do not serve this program. */
enum err postgres_migrate(const char *conninfo, uint32_t shards, uint32_t *applied, struct err_note *note);
