/* Named queries of a .sql file ("-- name: x"), read at start; exits when something is missing. One thread. */
#pragma once

void queries_read(const char *path);
/* NUL-terminated, good for the process's life. */
const char *queries_get(const char *name);
