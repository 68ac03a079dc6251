/* good/NAME.yaml must give the plan in good/NAME.txt, from the file as from its bundle. */
#include <unistd.h>

#include "tests/definition/plan_dump.h"
#include "tests/definition/support.h"

static struct str dump(struct arena *arena, const struct plan *plan)
{
    struct buf out;
    buf_init(&out, arena);
    plan_dump(plan, &out);
    return buf_str(&out);
}

Test(good, every_file_gives_its_plan)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct support_files files;
    support_list(&arena, "good", ".yaml", &files);
    cr_expect(files.count > 0);
    for (int i = 0; i < files.count; i++) {
        struct str name = files.names[i];
        struct diag_list diags;
        const char *path = arena_printf(&arena, SUPPORT_FOLDER "good/%.*s", STR_ARG(name)).data;
        const struct plan *plan =
            support_load(&arena, name.data, support_read(&arena, path), SUPPORT_FOLDER "good", &diags);
        cr_expect(plan != NULL, "%s", support_render(&arena, &diags).data);
        if (!plan)
            continue;
        struct str stem = str_slice(name, 0, name.size - 5);
        const char *expected = arena_printf(&arena, SUPPORT_FOLDER "good/%.*s.txt", STR_ARG(stem)).data;
        support_expect_text(name.data, support_read(&arena, expected), dump(&arena, plan));
        diag_init(&diags, &arena, STR("bundle"), STR(""));
        const struct plan *again = definition_load_bundle(&arena, plan->bundle, &diags);
        cr_expect(again != NULL, "the bundle of %s does not load", name.data);
        if (again)
            support_expect_text("from the bundle", dump(&arena, plan), dump(&arena, again));
    }
    arena_fini(&arena);
}

Test(good, a_plan_does_not_borrow_the_text)
{
    struct arena arena;
    arena_init(&arena, 0);
    char text[] = "saga: a\nversion: 1\nsteps: [{ id: x, command: p.q, compensate: none }]\n";
    struct diag_list diags;
    const struct plan *plan = support_load_text(&arena, (struct str){text, sizeof text - 1}, &diags);
    cr_assert(plan != NULL);
    memset(text, '#', sizeof text);
    cr_expect(str_equal(plan->name, STR("a")));
    cr_expect(plan_find(plan, STR("x")) == &plan->nodes[1]);
    cr_expect(plan_find(plan, STR("y")) == NULL);
    cr_expect(plan_find(plan, STR("")) == NULL);
    arena_fini(&arena);
}

Test(good, nodes_and_awaits_are_found)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    struct str text =
        STR("saga: a\nversion: 1\nsteps:\n- parallel: { branches: { x: [wait: { id: w, for: 1s }] } }\n"
            "- await: { id: one, event: e, timeout: 1d }\n"
            "- await: { id: two, event: e, timeout: 1d }\n- fail: { code: X }\n");
    const struct plan *plan = support_load_text(&arena, text, &diags);
    cr_assert(plan != NULL, "%s", support_render(&arena, &diags).data);
    cr_expect(plan_find(plan, STR("x")) == NULL, "the name of a branch is no id");
    cr_expect(plan_find(plan, STR("parallel:1")) == &plan->nodes[1]);
    cr_expect(plan_find(plan, STR("w")) == &plan->nodes[3]);
    cr_expect(plan_find(plan, STR("fail:1")) == &plan->nodes[6]);
    cr_expect(plan_find_await(plan, STR("e")) == &plan->nodes[4]);
    cr_expect(plan_find_await(plan, STR("x")) == NULL);
    arena_fini(&arena);
}

Test(good, a_missing_file_is_an_operating_error)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    const struct plan *plan;
    struct err_note note;
    cr_expect(definition_load_file(&arena, "/nowhere/a.yaml", &diags, &plan, &note) == ERR_IO);
    cr_expect(plan == NULL);
    cr_expect_str_eq(note.text, "cannot read /nowhere/a.yaml: No such file or directory");
    arena_fini(&arena);
}

/* Its schemas are looked for beside it, wherever the process stands. */
Test(good, a_file_in_the_current_folder)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    const struct plan *plan;
    struct err_note note = {.text = ""};
    cr_assert_eq(chdir(SUPPORT_FOLDER "good"), 0);
    cr_assert_eq(definition_load_file(&arena, "files.yaml", &diags, &plan, &note), ERR_OK, "%s", note.text);
    cr_expect(plan != NULL, "%s", support_render(&arena, &diags).data);
    arena_fini(&arena);
}

Test(good, crlf_line_ends)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    struct str text =
        STR("saga: a\r\nversion: 1\r\nsteps:\r\n  - id: x\r\n    command: p.q\r\n    compensate: none\r\n");
    cr_expect(support_load_text(&arena, text, &diags) != NULL, "%s", support_render(&arena, &diags).data);
    arena_fini(&arena);
}
