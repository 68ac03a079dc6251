/* Files torn and mended at random: nothing crashes, nothing runs long, errors and plans exclude each other,
 * and a plan's bundle gives the same plan again. The last text tried is kept beside the build, to be looked
 * at after a crash. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "tests/definition/support.h"
#include "tests/support/effort.h"

enum { SECONDS_DEFAULT = 3, CORPUS_MAX = 2 * SUPPORT_FILES_MAX, SLOW_US = 1000000, TEXT_MAX = 65536 };
#define LAST_TEXT SAGA_BINARY_DIR "/definition-fuzz-last.yaml"

struct corpus {
    struct str texts[CORPUS_MAX];
    size_t count;
    size_t good_count; /* the first ones */
};

static void add_folder(struct arena *arena, const char *folder, struct corpus *corpus)
{
    struct support_files files;
    support_list(arena, folder, ".yaml", &files);
    for (int i = 0; i < files.count; i++) {
        const char *path =
            arena_printf(arena, SUPPORT_FOLDER "%s/%.*s", folder, STR_ARG(files.names[i])).data;
        struct str text = support_read(arena, path);
        if (text.size > 0 && text.size < TEXT_MAX)
            corpus->texts[corpus->count++] = text;
    }
}

/* What breaks readers: brackets, quotes, escapes, marks of YAML, expressions, words of the language. */
static const char *const pieces[] = {
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    "? ",
    "&a",
    "*a",
    "!!str ",
    "<<",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "\\u0000",
    "\\ud800",
    "${",
    "$${",
    "}",
    "\t",
    "\n---",
    "\n...",
    "%YAML 1.2",
    "#",
    ", ",
    "null",
    "~",
    "1e999",
    "0x1f",
    "\r",
    "\n",
    "\xc2",
    "\xef\xbb\xbf",
    "\xe2\x80\xa8",
    "\x01",
    "compensate: none",
    "pivot: true",
    "$steps.",
    ".output",
    " // null",
    "unlimited",
    "max_attempts: ",
    "- id: x\n",
    "  ",
    "    ",
    "with: ",
    "schema: ",
    "-",
    "9999999999999999999",
    "- switch: ",
    "- when: ",
    "- else: ",
    "foreach: ",
    "parallel: { branches: { a: ",
    "- scope: { id: x, on_failure: continue, steps: ",
    "- await: { id: e, event: x, timeout: 1d }\n",
    "- wait: ",
    "- saga: ",
    "- fail: ",
    "$event",
    "$index",
    "$parcel",
    "max_items: 1000",
};

static struct str mutate(struct arena *arena, const struct corpus *corpus, struct rng *rng)
{
    /* Half of all texts are a good file with one change: they get furthest. */
    bool gentle = rng_below(rng, 2) == 0;
    struct str text = corpus->texts[rng_below(rng, gentle ? corpus->good_count : corpus->count)];
    uint64_t changes = gentle ? 1 : 1 + rng_below(rng, 4);
    while (changes-- > 0) {
        struct buf out;
        buf_init(&out, arena);
        size_t at = rng_below(rng, text.size + 1);
        size_t skipped = rng_below(rng, 4) == 0 ? rng_below(rng, 40) : 0;
        buf_put(&out, str_slice(text, 0, at));
        switch (rng_below(rng, 4)) {
        case 0:
            buf_puts(&out, pieces[rng_below(rng, sizeof pieces / sizeof pieces[0])]);
            break;
        case 1:
            buf_char(&out, (char)rng_below(rng, 256));
            break;
        case 2: { /* a stretch of another file */
            struct str other = corpus->texts[rng_below(rng, corpus->count)];
            size_t begin = rng_below(rng, other.size + 1);
            buf_put(&out, str_slice(other, begin, begin + rng_below(rng, 200)));
            break;
        }
        default: /* only cut */
            skipped = 1 + rng_below(rng, 20);
            break;
        }
        buf_put(&out, str_slice(text, at + skipped, text.size));
        text = buf_str(&out);
    }
    return text;
}

static void keep_text(struct str text)
{
    int file = open(LAST_TEXT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert(file >= 0);
    cr_assert_eq(write(file, text.data, text.size), (ssize_t)text.size);
    close(file);
}

/* True when it loaded. */
static bool load_text(struct arena *arena, struct str text)
{
    struct diag_list diags;
    const struct plan *plan = support_load(arena, "fuzz.yaml", text, SUPPORT_FOLDER "good", &diags);
    cr_assert_eq(plan == NULL, diags.error_count > 0, "errors and a plan, or neither: see " LAST_TEXT);
    (void)support_render(arena, &diags);
    if (plan) {
        struct diag_list again;
        diag_init(&again, arena, STR("bundle"), STR(""));
        const struct plan *same = definition_load_bundle(arena, plan->bundle, &again);
        cr_assert(same && strcmp(same->hash, plan->hash) == 0,
                  "the bundle gives another plan: see " LAST_TEXT);
    }
    return plan != NULL;
}

/* What seems slow is done once more and measured with care: most texts take a millisecond. */
static bool try_text(struct arena *arena, struct str text)
{
    clock_t begin = clock();
    bool loaded = load_text(arena, text);
    if (clock() - begin < SLOW_US * (CLOCKS_PER_SEC / 1000000))
        return loaded;
    struct effort effort = effort_begin();
    (void)load_text(arena, text);
    cr_assert(effort_us(effort) < SLOW_US, "too slow: see " LAST_TEXT);
    return loaded;
}

Test(fuzz, torn_files)
{
    struct arena files;
    struct corpus corpus = {.count = 0};
    arena_init(&files, 0);
    add_folder(&files, "good", &corpus);
    corpus.good_count = corpus.count;
    add_folder(&files, "bad", &corpus);
    int64_t seconds;
    if (!str_to_i64(str_from(getenv("SAGA_FUZZ_SECONDS")), &seconds))
        seconds = SECONDS_DEFAULT;
    int64_t end = clock_monotonic_us() + seconds * 1000000;
    uint64_t loaded = 0;
    uint64_t round = 0;
    for (; clock_monotonic_us() < end; round++) {
        struct arena arena;
        struct rng rng;
        arena_init(&arena, 0);
        rng_init(&rng, round);
        struct str text = mutate(&arena, &corpus, &rng);
        keep_text(text);
        loaded += try_text(&arena, text);
        arena_fini(&arena);
    }
    fprintf(stderr, "fuzz: %llu texts, %llu loaded\n", (unsigned long long)round, (unsigned long long)loaded);
    cr_expect(round > 100);
    cr_expect(loaded > 0,
              "nothing loads any more: the mutations are too coarse to test anything behind the reader");
    arena_fini(&files);
}
