/* Every mistake: bad/NAME.yaml must give exactly the text in bad/NAME.txt and be refused, warn/NAME.yaml the
 * text in warn/NAME.txt and load; each diagnostic of the table must be in one of them. */
#include <string.h>

#include "engine/definition/problem.h"
#include "tests/definition/support.h"

static void load_one(struct arena *arena, const char *folder, struct str name, struct diag_list *diags)
{
    const char *path = arena_printf(arena, SUPPORT_FOLDER "%s/%.*s", folder, STR_ARG(name)).data;
    struct str text = support_read(arena, path);
    bool warns = strcmp(folder, "warn") == 0;
    const struct plan *plan;
    if (str_ends(name, STR(".json"))) {
        diag_init(diags, arena, name, STR(""));
        plan = definition_load_bundle(arena, text, diags);
    } else {
        plan = support_load(arena, name.data, text, SUPPORT_FOLDER "bad", diags);
    }
    cr_expect_eq(plan != NULL, warns, "%s/%s", folder, name.data);
    cr_expect_eq(diags->error_count > 0, !warns, "%s/%s", folder, name.data);
    cr_expect(diags->count > 0, "%s/%s says nothing", folder, name.data);
}

static const struct {
    const char *folder;
    const char *suffix;
} kinds[] = {{"bad", ".yaml"}, {"bad", ".json"}, {"warn", ".yaml"}};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

Test(bad, every_file_gives_its_text)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct support_files files;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        support_list(&arena, kinds[kind].folder, kinds[kind].suffix, &files);
        cr_expect(files.count > 0);
        for (int i = 0; i < files.count; i++) {
            struct diag_list diags;
            load_one(&arena, kinds[kind].folder, files.names[i], &diags);
            struct str stem = str_slice(files.names[i], 0, files.names[i].size - 5);
            const char *expected =
                arena_printf(&arena, SUPPORT_FOLDER "%s/%.*s.txt", kinds[kind].folder, STR_ARG(stem)).data;
            support_expect_text(files.names[i].data, support_read(&arena, expected),
                                support_render(&arena, &diags));
        }
    }
    arena_fini(&arena);
}

Test(bad, every_diagnostic_has_an_example)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct support_files files;
    bool shown[PROBLEM_COUNT] = {false};
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        support_list(&arena, kinds[kind].folder, kinds[kind].suffix, &files);
        for (int i = 0; i < files.count; i++) {
            struct diag_list diags;
            load_one(&arena, kinds[kind].folder, files.names[i], &diags);
            for (int code = 0; code < PROBLEM_COUNT; code++)
                shown[code] |= support_has_code(&diags, problem_code((enum problem)code).data);
        }
    }
    for (int code = 0; code < PROBLEM_COUNT; code++)
        cr_expect(shown[code], "no file in bad/ or warn/ shows %s", problem_code((enum problem)code).data);
    arena_fini(&arena);
}
