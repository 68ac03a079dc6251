#include "engine/base/memory.h"
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void exhausted(size_t count, size_t size)
{
    fprintf(stderr, "out of memory: %zu times %zu bytes\n", count, size);
    abort();
}

void *memory_new(size_t count, size_t size)
{
    void *data = count && size ? calloc(count, size) : calloc(1, 1);
    if (!data)
        exhausted(count, size);
    return data;
}

void *memory_resize(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        exhausted(count, size);
    void *data = realloc(old, bytes ? bytes : 1);
    if (!data)
        exhausted(count, size);
    return data;
}

void memory_free(void *old)
{
    free(old);
}
