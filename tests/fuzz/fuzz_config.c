/* The configuration file. Any bytes give settings or mistakes; settings written out and read again are the
 * same. */
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/ops/config.h"

/* Config reads files by path: a file in memory has one. */
static bool read_config(struct config *config, struct arena *arena, struct str text, struct buf *mistakes)
{
    char path[64];
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    check(file >= 0 && write(file, text.data, text.size) == (ssize_t)text.size);
    check(snprintf(path, sizeof path, "/proc/self/fd/%d", file) > 0);
    config_init(config);
    bool fine = config_read_file(config, arena, path, mistakes);
    check(close(file) == 0);
    return fine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct config config, again;
    struct buf mistakes, printed, printed_again;
    arena_init(&arena, 0);
    buf_init(&mistakes, &arena);
    buf_init(&printed, &arena);
    buf_init(&printed_again, &arena);
    bool fine = read_config(&config, &arena, (struct str){(const char *)data, size}, &mistakes);
    check(fine == (mistakes.size == 0));
    check(str_is_utf8(buf_str(&mistakes)));
    if (fine) {
        config_print(&config, &printed);
        bool readable = read_config(&again, &arena, buf_str(&printed), &mistakes);
        if (!readable)
            fprintf(stderr, "%.*s\n%.*s", STR_ARG(buf_str(&printed)), STR_ARG(buf_str(&mistakes)));
        check(readable);
        config_print(&again, &printed_again);
        check(str_equal(buf_str(&printed), buf_str(&printed_again)));
        fine = config_finish(&config, &arena, &mistakes);
        check(fine == (mistakes.size == 0));
    }
    arena_fini(&arena);
    return 0;
}
