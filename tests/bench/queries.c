#include "tests/bench/queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES_BYTES = 65536 };
static char text[QUERIES_BYTES];

void queries_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (file != NULL)
        fclose(file);
    if (size == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
}

const char *queries_get(const char *name)
{
    static char found[8][QUERIES_BYTES];
    static unsigned next;
    char mark[64];
    snprintf(mark, sizeof mark, "-- name: %s\n", name);
    const char *begin = strstr(text, mark);
    if (begin == NULL || next == sizeof found / sizeof found[0]) {
        fprintf(stderr, "there is no query %s\n", name);
        exit(1);
    }
    begin += strlen(mark);
    const char *end = strstr(begin, "-- name:");
    size_t size = end == NULL ? strlen(begin) : (size_t)(end - begin);
    memcpy(found[next], begin, size);
    return found[next++];
}
