/* Versions of a definition side by side: a pair that shows every finding, read both ways, and that a
 * definition does the same as itself. */
#include "engine/model/diff.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/definition/definition.h"

#define FOLDER SAGA_SOURCE_DIR "/tests/model/diff"
#define EXAMPLES SAGA_SOURCE_DIR "/definitions/examples"

static const char *const kinds[] = {
#define X(name, text, severity, audience, meaning) text,
#include "engine/model/diff_findings.def"
#undef X
};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static struct arena arena;
static bool seen[KIND_COUNT];

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(diff, .init = set_up, .fini = tear_down);

static const struct plan *load(const char *path)
{
    struct diag_list diags = {0};
    struct err_note note = {""};
    struct buf report;
    const struct plan *plan = NULL;
    cr_assert_neq(definition_load_file(&arena, path, &diags, &plan, &note), ERR_IO, "%s", note.text);
    buf_init(&report, &arena);
    diag_render(&diags, &report);
    cr_assert_not_null(plan, "%.*s", STR_ARG(buf_str(&report)));
    return plan;
}

static struct str told(const struct plan *older, const struct plan *newer)
{
    struct diff diff;
    struct buf out;
    buf_init(&out, &arena);
    diff_plans(older, newer, &arena, &diff);
    for (uint32_t i = 0; i < diff.count; i++) {
        const struct diff_finding *finding = &diff.items[i];
        seen[finding->kind] = true;
        buf_printf(&out, "%s %s %.*s: %.*s\n", diff_severity_text(diff_kind_severity(finding->kind)),
                   diff_kind_text(finding->kind), STR_ARG(finding->place), STR_ARG(finding->detail));
    }
    return buf_str(&out);
}

static void expect_golden(const char *name, struct str text)
{
    char expected[32768];
    const char *path = arena_printf(&arena, FOLDER "/%s", name).data;
    FILE *file = getenv("SAGA_GOLDEN_UPDATE") == NULL ? NULL : fopen(path, "wb");
    if (file != NULL) {
        fwrite(text.data, 1, text.size, file);
        fclose(file);
    }
    file = fopen(path, "rb");
    cr_assert_not_null(file, "%s is missing", path);
    size_t size = fread(expected, 1, sizeof expected, file);
    fclose(file);
    cr_expect(str_equal((struct str){expected, size}, text), "%s is not what is found now:\n%.*s", name,
              STR_ARG(text));
}

Test(diff, finds_everything_there_is_to_find)
{
    const struct plan *older = load(FOLDER "/older.yaml"), *newer = load(FOLDER "/newer.yaml");
    expect_golden("forward.expected", told(older, newer));
    expect_golden("backward.expected", told(newer, older));
    for (size_t i = 0; i < KIND_COUNT; i++)
        cr_expect(seen[i], "no pair shows the finding %s", kinds[i]);
}

Test(diff, a_definition_does_the_same_as_itself)
{
    unsigned count = 0;
    DIR *open = opendir(EXAMPLES);
    cr_assert_not_null(open);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        struct str name = str_from(entry->d_name);
        if (!str_ends(name, STR(".yaml")) || str_ends(name, STR(".test.yaml")))
            continue;
        const char *path = arena_printf(&arena, EXAMPLES "/%s", entry->d_name).data;
        struct str text = told(load(path), load(path));
        cr_expect(str_equal(text, STR("")), "%s: %.*s", entry->d_name, STR_ARG(text));
        count++;
    }
    closedir(open);
    cr_expect_geq(count, 4);
}

Test(diff, is_as_grave_as_its_gravest_finding)
{
    struct diff_finding findings[] = {{.kind = DIFF_FIELD_ADDED}, {.kind = DIFF_INPUT_UNKNOWN}};
    struct diff diff = {.items = findings, .count = 0};
    cr_expect_eq(diff_severity(&diff), DIFF_NOTICE);
    diff.count = 2;
    cr_expect_eq(diff_severity(&diff), DIFF_UNCLEAR);
    findings[0].kind = DIFF_FIELD_REMOVED;
    cr_expect_eq(diff_severity(&diff), DIFF_BREAKING);
}
