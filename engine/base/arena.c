/* Memory handed out from the front of chunks and freed together. Called everywhere; one of two files with
 * malloc. Never gives back one piece, and ends the process when there is no memory. */
#include "engine/base/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"

enum { FIRST_SIZE = 4096, CHUNK_SIZE_MAX = 65536 };

struct arena_chunk {
    _Alignas(ARENA_ALIGN) struct arena_chunk *older;
    size_t size; /* of the data behind this header */
};

static char *chunk_data(struct arena_chunk *chunk)
{
    return (char *)(chunk + 1);
}

static struct arena_chunk *chunk_new(size_t size)
{
    struct arena_chunk *chunk = memory_resize(NULL, 1, sizeof *chunk + size);
    *chunk = (struct arena_chunk){.size = size};
    ARENA_HIDE(chunk_data(chunk), size);
    return chunk;
}

static void chunk_free(struct arena_chunk *chunk)
{
    ARENA_SHOW(chunk_data(chunk), chunk->size);
    memory_free(chunk);
}

void arena_init(struct arena *arena, size_t first_size)
{
    size_t wanted = first_size ? first_size : FIRST_SIZE;
    *arena = (struct arena){.chunk_size = arena_step(wanted)};
}

void arena_fini(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        chunk_free(chunk);
        chunk = older;
    }
    *arena = (struct arena){.chunk_size = arena->chunk_size};
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = NULL;
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        struct arena_chunk *smaller = kept && kept->size >= chunk->size ? chunk : kept;
        kept = smaller == chunk ? kept : chunk;
        if (smaller)
            chunk_free(smaller);
        chunk = older;
    }
    *arena = (struct arena){.chunks = kept, .chunk_size = arena->chunk_size};
    if (kept) {
        kept->older = NULL;
        arena->next = chunk_data(kept);
        arena->end = arena->next + kept->size;
        ARENA_HIDE(arena->next, kept->size);
    }
}

static void chunk_add(struct arena *arena)
{
    struct arena_chunk *chunk = chunk_new(arena->chunk_size);
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    arena->next = chunk_data(chunk);
    arena->end = arena->next + chunk->size;
    if (arena->chunk_size < CHUNK_SIZE_MAX)
        arena->chunk_size = arena->chunk_size * 2 < CHUNK_SIZE_MAX ? arena->chunk_size * 2 : CHUNK_SIZE_MAX;
}

/* What is larger than a chunk gets one for itself, behind the newest, which goes on being filled. */
static char *large_alloc(struct arena *arena, size_t step)
{
    struct arena_chunk *chunk = chunk_new(step);
    if (arena->chunks) {
        chunk->older = arena->chunks->older;
        arena->chunks->older = chunk;
    } else {
        arena->chunks = chunk;
    }
    return chunk_data(chunk);
}

void *arena_alloc_slow(struct arena *arena, size_t size)
{
    check(arena->chunk_size > 0); /* arena_init was called */
    if (size > SIZE_MAX / 2)
        return memory_resize(NULL, size, SIZE_MAX); /* ends the process: no machine has this */
    size_t step = arena_step(size);
    char *data;
    if (step > arena->chunk_size) {
        data = large_alloc(arena, step);
    } else {
        chunk_add(arena);
        data = arena->next;
        arena->next += step;
    }
    arena->used += step;
    ARENA_SHOW(data, size);
    return data;
}

void *arena_resize(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    check(old_size <= new_size && new_size <= SIZE_MAX / 2);
    size_t more = arena_step(new_size) - arena_step(old_size);
    bool last = old && (char *)old + arena_step(old_size) == arena->next;
    if (last && more <= (size_t)(arena->end - arena->next)) {
        arena->next += more;
        arena->used += more;
        ARENA_SHOW(old, new_size);
        return old;
    }
    char *data = arena->next;
    if (arena_step(new_size) <= (size_t)((uintptr_t)arena->end - (uintptr_t)arena->next)) {
        arena->next += arena_step(new_size);
        arena->used += arena_step(new_size);
        ARENA_SHOW(data, new_size);
    } else {
        data = arena_alloc_slow(arena, new_size);
    }
    if (old_size)
        memcpy(data, old, old_size);
    return data;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return arena_alloc(arena, bytes);
}

struct str arena_copy(struct arena *arena, struct str text)
{
    char *data = arena_resize(arena, NULL, 0, text.size + 1);
    if (text.size)
        memcpy(data, text.data, text.size);
    data[text.size] = '\0';
    return (struct str){data, text.size};
}

struct str arena_join_parts(struct arena *arena, const struct str *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    char *data = arena_resize(arena, NULL, 0, size + 1);
    char *to = data;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size)
            memcpy(to, parts[i].data, parts[i].size);
        to += parts[i].size;
    }
    *to = '\0';
    return (struct str){data, size};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    char first[256];
    int size = vsnprintf(first, sizeof first, format, values);
    va_end(values);
    check(size >= 0);
    char *data = arena_resize(arena, NULL, 0, (size_t)size + 1);
    if ((size_t)size < sizeof first)
        memcpy(data, first, (size_t)size + 1);
    else
        vsnprintf(data, (size_t)size + 1, format, again);
    va_end(again);
    return (struct str){data, (size_t)size};
}
