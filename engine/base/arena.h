/* Bump allocation with one lifetime for all: freed together, never one by one.
 *
 * Lifetimes: plan (immutable after load), saga (while resident), batch (reset after each batch), request.
 * When malloc fails the process aborts: a crash is safe here (everything accepted is in PostgreSQL),
 * half-handled exhaustion is not. What users can make large is bounded before it reaches an arena, by
 * limits.h. An arena belongs to one thread at a time. */
#pragma once
#include <stddef.h>
#include "engine/base/str.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* newest first */
    char *next;
    char *end;
    size_t used;       /* bytes handed out since the last reset */
    size_t chunk_size; /* bytes of the next chunk; grows to 64 KiB */
};

/* Ready for use; takes no memory until the first allocation. `first_size` is the first chunk's size, in bytes
 * (0: 4 KiB). */
void arena_init(struct arena *arena, size_t first_size);
/* Gives everything back. The arena may be used again after arena_init. */
void arena_fini(struct arena *arena);
/* Forgets all allocations, keeps the largest chunk for the next round. */
void arena_reset(struct arena *arena);
/* `size` bytes, aligned for any type, zeroed. Never NULL; size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull, malloc));
/* count * size with an overflow check, zeroed. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull, malloc));
/* A copy, NUL-terminated behind its size, so that data may be handed to C interfaces when it holds no NUL. */
struct str arena_copy(struct arena *arena, struct str text);
struct str arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
