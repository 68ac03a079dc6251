/* The language of scenarios: files that hold, files that fail with exactly the text beside them, files with
 * mistakes shown where they stand, and the manual's snippets. */
#include <string.h>
#include <unistd.h>
#include "engine/base/rng.h"
#include "engine/model/scenario.h"
#include "tests/definition/support.h"

#define FOLDER SAGA_SOURCE_DIR "/tests/model/scenarios/"
#define DEFINITIONS SAGA_SOURCE_DIR "/definitions/"

static const struct scenario_file *read_file(struct arena *arena, const char *name, struct diag_list *diags)
{
    struct str text = support_read(arena, arena_printf(arena, FOLDER "%s", name).data);
    diag_init(diags, arena, str_from(name), text);
    cr_assert_eq(chdir(FOLDER), 0); /* paths in messages are then the same everywhere */
    return scenario_read(arena, text, ".", diags);
}

static struct str run_all(struct arena *arena, const struct scenario_file *file, struct coverage *coverage)
{
    struct buf out;
    buf_init(&out, arena);
    for (uint32_t i = 0; i < file->count; i++) {
        struct scenario_result result;
        scenario_run(file, i, arena, coverage, &result);
        if (result.passed)
            continue;
        buf_printf(&out, "%.*s, line %u\n", STR_ARG(result.name), result.line);
        for (uint32_t k = 0; k < result.failure_count; k++)
            buf_printf(&out, "%.*s\n", STR_ARG(result.failures[k]));
        cr_expect(str_starts(result.timeline, STR("00:00:00.000  ")), "no timeline: %s",
                  result.timeline.data);
    }
    return buf_str(&out);
}

static const struct scenario_file *must_read(struct arena *arena, const char *name)
{
    struct diag_list diags;
    const struct scenario_file *file = read_file(arena, name, &diags);
    cr_assert(file != NULL, "%s", support_render(arena, &diags).data);
    return file;
}

Test(scenario, holds_what_is_true)
{
    struct arena arena;
    struct coverage coverage;
    struct buf covered;
    arena_init(&arena, 0);
    const struct scenario_file *file = must_read(&arena, "good.test.yaml");
    coverage_init(&coverage, file->plan, &arena);
    cr_expect_str_eq(run_all(&arena, file, &coverage).data, "");
    buf_init(&covered, &arena);
    coverage_render(&coverage, &covered);
    cr_expect_str_eq(
        buf_str(&covered).data,
        "steps 9 of 9, compensations 5 of 6, branches 7 of 7; not covered: the compensation of wrap "
        "(line 27)");
    arena_fini(&arena);
}

Test(scenario, tells_what_is_not)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct scenario_file *file = must_read(&arena, "failing.test.yaml");
    support_expect_text("failing.test.yaml", support_read(&arena, FOLDER "failing.txt"),
                        run_all(&arena, file, NULL));
    arena_fini(&arena);
}

Test(scenario, shows_mistakes_where_they_stand)
{
    static const char *const names[] = {"bad-keys",       "bad-names",    "bad-replies",
                                        "bad-definition", "bad-mistakes", "bad-root"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct arena arena;
        struct diag_list diags;
        arena_init(&arena, 0);
        const char *name = arena_printf(&arena, "%s.test.yaml", names[i]).data;
        cr_expect(read_file(&arena, name, &diags) == NULL, "%s is read", name);
        support_expect_text(name, support_read(&arena, arena_printf(&arena, FOLDER "%s.txt", names[i]).data),
                            support_render(&arena, &diags));
        arena_fini(&arena);
    }
}

Test(scenario, is_the_same_each_time)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct scenario_file *file = must_read(&arena, "good.test.yaml");
    for (uint32_t i = 0; i < file->count; i++) {
        struct scenario_result once, again;
        scenario_run(file, i, &arena, NULL, &once);
        scenario_run(file, i, &arena, NULL, &again);
        cr_expect_str_eq(once.timeline.data, again.timeline.data);
    }
    arena_fini(&arena);
}

/* ---- noise ---- */

/* A byte put for another: mostly one of its own kind, so that much of it is still a file. */
static char other(char c, struct rng *rng)
{
    static const char bytes[] = " :-{}[],/\"'\n#|>~";
    if (c >= '0' && c <= '9')
        return (char)('0' + rng_below(rng, 10));
    if (c >= 'a' && c <= 'z' && rng_below(rng, 4) > 0)
        return (char)('a' + rng_below(rng, 26));
    return bytes[rng_below(rng, sizeof bytes - 1)];
}

static struct str spoil(struct arena *arena, struct str text, struct rng *rng)
{
    enum { CHANGES_MAX = 3, PART = 30 };
    struct buf out;
    buf_init(&out, arena);
    for (uint64_t left = 1 + rng_below(rng, CHANGES_MAX); left > 0; left--) {
        size_t at = (size_t)rng_below(rng, text.size), size = (size_t)rng_below(rng, PART);
        uint64_t way = rng_below(rng, 8);
        out.size = 0;
        buf_put(&out, str_slice(text, 0, at));
        if (way == 0) /* a part twice */
            buf_put(&out, str_slice(text, at, at + size));
        else if (way > 1)
            buf_char(&out, other(text.data[at], rng));
        buf_put(&out, str_slice(text, way == 1 ? at + size : at + (way > 1), text.size));
        text = arena_copy(arena, buf_str(&out));
    }
    return text;
}

Test(scenario, survives_noise, .timeout = 120)
{
    enum { SEEDS = 600 };
    unsigned loaded = 0;
    cr_assert_eq(chdir(FOLDER), 0);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct arena arena;
        struct rng rng;
        struct diag_list diags;
        arena_init(&arena, 0);
        rng_init(&rng, seed);
        struct str text = spoil(&arena, support_read(&arena, FOLDER "good.test.yaml"), &rng);
        diag_init(&diags, &arena, STR("noise"), text);
        const struct scenario_file *file = scenario_read(&arena, text, ".", &diags);
        cr_expect((file == NULL) == (diags.error_count > 0), "seed %u", (unsigned)seed);
        for (uint32_t i = 0; file && i < file->count; i++) {
            struct scenario_result result;
            scenario_run(file, i, &arena, NULL, &result);
        }
        loaded += file != NULL;
        arena_fini(&arena);
    }
    cr_expect(loaded > SEEDS / 20, "only %u of %d were files", loaded, SEEDS);
}

/* ---- the keys ---- */

static const char *const keys[] = {
#define X(table, name, text, need, form, meaning) text,
#include "engine/model/scenario_keys.def"
#undef X
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

Test(scenario, has_every_key_in_a_scenario_that_holds)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, FOLDER "good.test.yaml");
    for (int i = 0; i < KEY_COUNT; i++)
        cr_expect(strstr(text.data, arena_printf(&arena, "%s:", keys[i]).data) != NULL,
                  "no scenario in good.test.yaml uses `%s`", keys[i]);
    arena_fini(&arena);
}

/* ---- the manual ---- */

static void try_snippet(struct arena *arena, struct str block, int line)
{
    struct diag_list diags;
    diag_init(&diags, arena, arena_printf(arena, "README.md, block in line %d", line), block);
    const struct scenario_file *file = scenario_read(arena, block, DEFINITIONS "examples", &diags);
    cr_assert(file != NULL, "%s", support_render(arena, &diags).data);
    cr_expect_str_eq(run_all(arena, file, NULL).data, "", "block in line %d", line);
}

/* The section "Testing a saga": each ```yml block is a whole file of scenarios beside the examples. */
Test(scenario, every_snippet_of_the_manual_holds)
{
    struct arena arena;
    struct buf block;
    int begin = 0, blocks = 0;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, DEFINITIONS "README.md");
    for (int line = 1; text.size > 0; line++) {
        struct str row = str_slice(text, 0, str_find(text, '\n'));
        text = str_slice(text, row.size + 1, text.size);
        if (begin > 0 && str_starts(row, STR("```"))) {
            try_snippet(&arena, buf_str(&block), begin);
            begin = 0;
            blocks++;
        } else if (begin > 0) {
            buf_printf(&block, "%.*s\n", STR_ARG(row));
        } else if (str_equal(row, STR("```yml"))) {
            begin = line;
            buf_init(&block, &arena);
        }
    }
    cr_expect(blocks >= 3, "only %d blocks found", blocks);
    arena_fini(&arena);
}

Test(scenario, every_key_is_in_the_manual)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, DEFINITIONS "README.md");
    const char *section = strstr(text.data, "\n## Testing a saga\n");
    cr_assert(section != NULL);
    for (int i = 0; i < KEY_COUNT; i++)
        cr_expect(strstr(section, arena_printf(&arena, "`%s`", keys[i]).data) != NULL,
                  "\"Testing a saga\" does not name `%s`", keys[i]);
    arena_fini(&arena);
}
