/* Bump allocation with one lifetime for all: freed together, never one by one.
 *
 * Lifetimes: plan (immutable after load), saga (while resident), batch (reset after each batch), request.
 * When malloc fails the process aborts: a crash is safe here (everything accepted is in PostgreSQL),
 * half-handled exhaustion is not. What users can make large is bounded before it reaches an arena, by
 * limits.h. An arena belongs to one thread at a time. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "engine/base/str.h"

/* Under ASan what is not handed out is poisoned, and a gap follows each allocation: overruns and uses after a
 * reset are found as they are with malloc. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_SHOW(data, size) __asan_unpoison_memory_region((data), (size))
#define ARENA_HIDE(data, size) __asan_poison_memory_region((data), (size))
enum { ARENA_ALIGN = 16, ARENA_GAP = 16 };
#else
#define ARENA_SHOW(data, size) ((void)(data), (void)(size))
#define ARENA_HIDE(data, size) ((void)(data), (void)(size))
enum { ARENA_ALIGN = 16, ARENA_GAP = 0 };
#endif

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
static inline void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull, malloc));
/* A larger room for what arena_alloc or arena_resize gave with `old_size` (old may be NULL when that is 0):
 * in place when it was the arena's last, else a copy. The new part is not zeroed. new_size is at least
 * old_size. */
void *arena_resize(struct arena *arena, void *old, size_t old_size, size_t new_size)
    __attribute__((returns_nonnull));
/* count * size with an overflow check, zeroed. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull, malloc));
/* A copy, NUL-terminated behind its size, so that data may be handed to C interfaces when it holds no NUL. */
struct str arena_copy(struct arena *arena, struct str text);
/* The parts in a row, NUL-terminated behind their size: where arena_printf would be felt, once for each
 * message. */
struct str arena_join_parts(struct arena *arena, const struct str *parts, size_t count);
#define arena_join(arena, ...)                                                                               \
    arena_join_parts((arena), (const struct str[]){__VA_ARGS__},                                             \
                     sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))
struct str arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

/* The way of arena_alloc when the chunk is full; not for other callers. Not zeroed. */
void *arena_alloc_slow(struct arena *arena, size_t size) __attribute__((returns_nonnull));

/* Bytes an allocation of `size` takes in its chunk. */
static inline size_t arena_step(size_t size)
{
    size += size == 0;
    return ((size + (ARENA_ALIGN - 1)) & ~(size_t)(ARENA_ALIGN - 1)) + ARENA_GAP;
}

static inline void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rest = (size_t)((uintptr_t)arena->end - (uintptr_t)arena->next);
    size_t step = arena_step(size);
    char *data = arena->next;
    if (__builtin_expect(size <= rest && step <= rest, 1)) {
        arena->next += step;
        arena->used += step;
        ARENA_SHOW(data, size);
    } else {
        data = arena_alloc_slow(arena, size);
    }
    return memset(data, 0, size);
}
