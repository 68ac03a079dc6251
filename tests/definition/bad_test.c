/* Every mistake: bad/NAME.yaml must give exactly the text in bad/NAME.txt, and each diagnostic of the table
 * must be in one of them. */
#include "engine/definition/problem.h"
#include "tests/definition/support.h"

static void load_bad(struct arena *arena, struct str name, struct diag_list *diags)
{
    const char *path = arena_printf(arena, SUPPORT_FOLDER "bad/%.*s", STR_ARG(name)).data;
    struct str text = support_read(arena, path);
    const struct plan *plan;
    if (str_ends(name, STR(".json"))) {
        diag_init(diags, arena, name, STR(""));
        plan = definition_load_bundle(arena, text, diags);
    } else {
        plan = support_load(arena, name.data, text, SUPPORT_FOLDER "bad", diags);
    }
    cr_expect(plan == NULL, "%s loads", name.data);
    cr_expect(diags->error_count > 0, "%s has no error", name.data);
}

static void list_bad(struct arena *arena, struct support_files *files)
{
    struct support_files bundles;
    support_list(arena, "bad", ".yaml", files);
    support_list(arena, "bad", ".json", &bundles);
    for (int i = 0; i < bundles.count; i++)
        files->names[files->count++] = bundles.names[i];
}

Test(bad, every_file_gives_its_text)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct support_files files;
    list_bad(&arena, &files);
    for (int i = 0; i < files.count; i++) {
        struct diag_list diags;
        load_bad(&arena, files.names[i], &diags);
        struct str stem = str_slice(files.names[i], 0, files.names[i].size - 5);
        const char *expected = arena_printf(&arena, SUPPORT_FOLDER "bad/%.*s.txt", STR_ARG(stem)).data;
        support_expect_text(files.names[i].data, support_read(&arena, expected),
                            support_render(&arena, &diags));
    }
    arena_fini(&arena);
}

Test(bad, every_diagnostic_has_an_example)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct support_files files;
    bool shown[PROBLEM_COUNT] = {false};
    list_bad(&arena, &files);
    for (int i = 0; i < files.count; i++) {
        struct diag_list diags;
        load_bad(&arena, files.names[i], &diags);
        for (int code = 0; code < PROBLEM_COUNT; code++)
            shown[code] |= support_has_code(&diags, problem_code((enum problem)code).data);
    }
    for (int code = 0; code < PROBLEM_COUNT; code++)
        cr_expect(shown[code], "no file in bad/ shows %s", problem_code((enum problem)code).data);
    arena_fini(&arena);
}
