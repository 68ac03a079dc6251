/* malloc for what lives as long as the process: pools, tables, threads' state. With arena.c the only place
 * that calls malloc. Aborts when there is no memory (see arena.h for why). Any thread. */
#pragma once
#include <stddef.h>

/* Zeroed. Never NULL. */
void *memory_new(size_t count, size_t size) __attribute__((returns_nonnull, malloc));
/* As realloc, new part not zeroed; count * size is checked. Never NULL. */
void *memory_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
/* NULL is allowed. */
void memory_free(void *old);
