/* The main program of a target in the normal build: PROGRAM FOLDER DICTIONARY MILLISECONDS replays the files
 * of the folder, then tries mutations of them, seeded, so that the same build tries the same texts in the
 * same order. Prints "N passed, N failed" last: one for each file and one for the mutations. An input that
 * ends the process, or takes longer than LIMIT_SECONDS, is kept in a file whose name is printed: give it to
 * tests/fuzz/run --input. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "tests/fuzz/fuzz.h"

enum {
    FILES_MAX = 1024,
    WORDS_MAX = 512,
    LIMIT_SECONDS = 60,
    CHANGES_MAX = 5,
    TEXT_MAX = 1 << 16,
    SEED = 20261121
};

struct replay {
    struct arena arena; /* files and words */
    struct str names[FILES_MAX];
    struct str files[FILES_MAX];
    size_t file_count;
    struct str words[WORDS_MAX];
    size_t word_count;
};

/* For the handlers: what is being tried, by which program. */
static struct str trying;
static const char *program;
static size_t passed;

/* Calls only what may be called from a signal handler. */
static void keep_input(void)
{
    char path[512];
    char text[640];
    const char *name = strrchr(program, '/');
    int size = snprintf(path, sizeof path, SAGA_BINARY_DIR "/fuzz-failed-%s", name ? name + 1 : program);
    int file = size > 0 ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    bool kept = file >= 0 && write(file, trying.data, trying.size) == (ssize_t)trying.size;
    size = snprintf(text, sizeof text, "%s: the input is %s %s\n%zu passed, 1 failed\n", program,
                    kept ? "kept in" : "lost, not written to", path, passed);
    if (size > 0 && write(STDOUT_FILENO, text, (size_t)size) < 0)
        _exit(2);
}

static void on_signal(int number)
{
    static const char slow[] = "too slow\n";
    if (number == SIGALRM && write(STDERR_FILENO, slow, sizeof slow - 1) < 0)
        _exit(2);
    keep_input();
    _exit(1);
}

static void run(struct str text)
{
    trying = text;
    alarm(LIMIT_SECONDS);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)text.data, text.size);
    alarm(0);
}

static struct str read_file(struct arena *arena, const char *path)
{
    FILE *file = fopen(path, "re");
    char *data = arena_alloc(arena, TEXT_MAX);
    size_t size = file ? fread(data, 1, TEXT_MAX, file) : TEXT_MAX;
    if (size == TEXT_MAX || ferror(file)) {
        fprintf(stderr, "%s: cannot be read, or is too large\n", path);
        exit(2);
    }
    fclose(file);
    char *exact = arena_alloc(arena, size); /* so that a byte read beyond it is found */
    memcpy(exact, data, size);
    return (struct str){exact, size};
}

static int compare(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void read_folder(struct replay *replay, const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
        if (entry->d_name[0] != '.' && replay->file_count < FILES_MAX)
            replay->names[replay->file_count++] = arena_printf(&replay->arena, "%s/%s", path, entry->d_name);
    }
    if (folder)
        closedir(folder);
    qsort(replay->names, replay->file_count, sizeof replay->names[0], compare);
    for (size_t i = 0; i < replay->file_count; i++)
        replay->files[i] = read_file(&replay->arena, replay->names[i].data);
}

/* libFuzzer's format: a word in quotes a line, with \\ \" \xNN; lines that begin with # are comments. */
static void read_words(struct replay *replay, const char *path)
{
    struct str text = read_file(&replay->arena, path);
    while (text.size > 0 && replay->word_count < WORDS_MAX) {
        struct str line = fuzz_line(&text);
        if (line.size < 2 || line.data[0] != '"')
            continue;
        char *word = arena_alloc(&replay->arena, line.size);
        size_t size = 0;
        for (size_t i = 1; i + 1 < line.size; i++) {
            char c = line.data[i];
            if (c == '\\' && line.data[i + 1] == 'x' && i + 3 < line.size) {
                c = (char)strtol((char[]){line.data[i + 2], line.data[i + 3], '\0'}, NULL, 16);
                i += 3;
            } else if (c == '\\') {
                c = line.data[++i];
            }
            word[size++] = c;
        }
        replay->words[replay->word_count++] = (struct str){word, size};
    }
}

static struct str any_file(const struct replay *replay, struct rng *rng)
{
    return replay->files[rng_below(rng, replay->file_count)];
}

static void put_change(const struct replay *replay, struct rng *rng, struct buf *out)
{
    struct str other = any_file(replay, rng);
    size_t begin = rng_below(rng, other.size + 1);
    switch (rng_below(rng, 4)) {
    case 0:
        buf_char(out, (char)rng_below(rng, 256));
        break;
    case 1:
        buf_put(out, str_slice(other, begin, begin + rng_below(rng, 100)));
        break;
    case 2:
        if (replay->word_count > 0)
            buf_put(out, replay->words[rng_below(rng, replay->word_count)]);
        break;
    default: /* only what is cut */
        break;
    }
}

static struct str mutate(const struct replay *replay, struct rng *rng, struct arena *arena)
{
    struct str text = any_file(replay, rng);
    for (uint64_t changes = 1 + rng_below(rng, CHANGES_MAX); changes > 0; changes--) {
        struct buf out;
        buf_init(&out, arena);
        size_t at = rng_below(rng, text.size + 1);
        size_t cut = rng_below(rng, rng_below(rng, 4) == 0 ? 40 : 3);
        buf_put(&out, str_slice(text, 0, at));
        put_change(replay, rng, &out);
        buf_put(&out, str_slice(text, at + cut, text.size));
        text = buf_str(&out);
    }
    char *exact = arena_alloc(arena, text.size);
    memcpy(exact, text.data, text.size);
    return (struct str){exact, text.size};
}

static uint64_t try_mutations(const struct replay *replay, int64_t span_us)
{
    struct arena arena;
    struct rng rng;
    uint64_t count = 0;
    arena_init(&arena, 0);
    rng_init(&rng, SEED);
    for (int64_t until_us = clock_monotonic_us() + span_us; clock_monotonic_us() < until_us; count++) {
        run(mutate(replay, &rng, &arena));
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return count;
}

static void catch_ends(void)
{
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
#ifdef ARENA_ASAN
    __asan_set_death_callback(keep_input);
#else
    signal(SIGSEGV, on_signal);
#endif
}

int main(int count, char **arguments)
{
    static struct replay replay;
    if (count != 4) {
        fprintf(stderr, "usage: %s FOLDER DICTIONARY MILLISECONDS\n", arguments[0]);
        return 2;
    }
    program = arguments[0];
    arena_init(&replay.arena, 0);
    read_folder(&replay, arguments[1]);
    read_words(&replay, arguments[2]);
    catch_ends();
    for (; passed < replay.file_count; passed++)
        run(replay.files[passed]);
    uint64_t tried = replay.file_count ? try_mutations(&replay, strtoll(arguments[3], NULL, 10) * 1000) : 0;
    bool enough = tried > 0;
    printf("%s: %zu files, %llu mutations\n", program, passed, (unsigned long long)tried);
    printf("%zu passed, %d failed\n", passed + enough, enough ? 0 : 1);
    arena_fini(&replay.arena);
    return enough ? 0 : 1;
}
