/* The store on PostgreSQL through libpq: pipeline mode, binary arrays, one transaction a batch. SQL lives in
 * the .sql files beside it. */
#pragma once
#include "engine/store/store.h"

/* Opens one connection. `conninfo` as libpq takes it, copied. ERR_UNAVAILABLE when the server does not
 * answer; ERR_INVALID when the schema is missing or of another version (the note says to run `sagad
 * migrate`). */
enum err postgres_open(const char *conninfo, struct store **store, struct err_note *note);
/* Applies the numbered migrations that are missing, under an advisory lock, each in its own transaction; a
 * fresh database gets `shards` shards. applied: how many were. A database that has other migrations than
 * these is refused. */
enum err postgres_migrate(const char *conninfo, uint32_t shards, uint32_t *applied, struct err_note *note);
