/* What the store kept loads again without a disk, and gives the same plan. */
#include "engine/base/limits.h"
#include "tests/definition/support.h"

#define HEADER "saga: a\nversion: 1\n"
#define STEPS "steps: [{ id: x, command: a.b, compensate: none }]\n"

/* Files in memory: each is a copy of `text`. */
struct many {
    struct str text;
    int reads;
};

static enum err read_many(void *context, struct str path, struct arena *arena, struct str *text,
                          struct err_note *note)
{
    struct many *many = context;
    (void)path, (void)arena, (void)note;
    many->reads++;
    *text = many->text;
    return ERR_OK;
}

static const struct plan *load_many(struct arena *arena, struct many *many, int files,
                                    struct diag_list *diags)
{
    struct definition_files source = {.context = many, .read = read_many};
    struct buf text;
    buf_init(&text, arena);
    buf_puts(&text, HEADER "steps:\n");
    for (int i = 0; i < files; i++)
        buf_printf(&text, "  - { id: s%d, command: a.b, compensate: none, output: { schema: f%d.json } }\n",
                   i, files - i);
    diag_init(diags, arena, STR("many.yaml"), STR(""));
    return definition_load(arena, buf_str(&text), &source, diags);
}

Test(bundle, files_stand_in_order_of_their_path)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct many many = {.text = STR("{}\n")};
    struct diag_list diags;
    const struct plan *plan = load_many(&arena, &many, 3, &diags);
    cr_assert(plan != NULL);
    struct err_note note;
    const struct json *bundle;
    cr_assert(json_parse(&arena, plan->bundle, LIMITS_BUNDLE_BYTES, &bundle, &note) == ERR_OK, "%s",
              note.text);
    support_expect_text("files", STR("{\"f1.json\":\"{}\\n\",\"f2.json\":\"{}\\n\",\"f3.json\":\"{}\\n\"}"),
                        json_text(&arena, json_get(bundle, STR("files"))));
    arena_fini(&arena);
}

Test(bundle, bounds_of_files)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct many many = {.text = STR("{}")};
    struct diag_list diags;
    cr_expect(load_many(&arena, &many, LIMITS_SCHEMA_FILES, &diags) != NULL);
    cr_expect(load_many(&arena, &many, LIMITS_SCHEMA_FILES + 1, &diags) == NULL);
    cr_expect(support_has_code(&diags, "too-large"));
    char *large = arena_alloc(&arena, LIMITS_DEFINITION_BYTES / 2);
    memset(large, ' ', LIMITS_DEFINITION_BYTES / 2);
    memcpy(large, "{}", 2);
    many.text = (struct str){large, LIMITS_DEFINITION_BYTES / 2};
    const struct plan *plan = load_many(&arena, &many, 2, &diags);
    cr_assert(plan != NULL);
    cr_expect(plan->bundle.size < LIMITS_BUNDLE_BYTES);
    cr_expect(load_many(&arena, &many, 3, &diags) == NULL);
    cr_expect(support_has_code(&diags, "too-large"));
    arena_fini(&arena);
}

/* All line ends: what escaping makes largest. */
Test(bundle, the_largest_definition_fits)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct buf text;
    buf_init(&text, &arena);
    buf_puts(&text, HEADER "input: { schema: f.json }\n" STEPS);
    while (text.size < LIMITS_DEFINITION_BYTES)
        buf_char(&text, '\n');
    char *lines = arena_alloc(&arena, LIMITS_DEFINITION_BYTES);
    memset(lines, '\n', LIMITS_DEFINITION_BYTES);
    memcpy(lines, "{}", 2);
    struct many many = {.text = {lines, LIMITS_DEFINITION_BYTES}};
    struct definition_files files = {.context = &many, .read = read_many};
    struct diag_list diags;
    diag_init(&diags, &arena, STR("large.yaml"), STR(""));
    const struct plan *plan = definition_load(&arena, buf_str(&text), &files, &diags);
    cr_assert(plan != NULL, "%s", support_render(&arena, &diags).data);
    diag_init(&diags, &arena, STR("bundle"), STR(""));
    const struct plan *again = definition_load_bundle(&arena, plan->bundle, &diags);
    cr_assert(again != NULL, "%s", support_render(&arena, &diags).data);
    cr_expect_str_eq(again->hash, plan->hash);
    arena_fini(&arena);
}

Test(bundle, a_file_is_read_once)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct many many = {.text = STR("{}")};
    struct definition_files files = {.context = &many, .read = read_many};
    struct diag_list diags;
    diag_init(&diags, &arena, STR("twice.yaml"), STR(""));
    struct str text =
        STR(HEADER "input: { schema: f.json }\nsteps:\n"
                   "  - { id: x, command: a.b, compensate: none, output: { schema: f.json } }\n");
    cr_expect(definition_load(&arena, text, &files, &diags) != NULL);
    cr_expect_eq(many.reads, 1);
    arena_fini(&arena);
}

Test(bundle, without_files)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    struct str text = STR(HEADER "input: { schema: f.json }\n" STEPS);
    cr_expect(support_load_text(&arena, text, &diags) == NULL);
    support_expect_text("no files",
                        STR("test.yaml:3:18: error: schema file \"f.json\": there are no files beside "
                            "this definition\n    3 | input: { schema: f.json }\n      |             "
                            "     ^~~~~~\n   hint: write the schema itself here\n"),
                        support_render(&arena, &diags));
    diag_init(&diags, &arena, STR("bundle"), STR(""));
    struct str bundle =
        STR("{\"yaml\": \"saga: a\\nversion: 1\\ninput: { schema: f.json }\\nsteps: []\\n\"}");
    cr_expect(definition_load_bundle(&arena, bundle, &diags) == NULL);
    cr_expect(support_has_code(&diags, "schema-file") && support_has_code(&diags, "no-steps"));
    arena_fini(&arena);
}

Test(bundle, another_byte_is_another_hash)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct diag_list diags;
    const struct plan *one = support_load_text(&arena, STR(HEADER STEPS), &diags);
    const struct plan *two = support_load_text(&arena, STR(HEADER STEPS "# comment\n"), &diags);
    cr_assert(one && two);
    cr_expect_str_neq(one->hash, two->hash);
    cr_expect_eq(strlen(one->hash), 64);
    arena_fini(&arena);
}
