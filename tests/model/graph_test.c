/* Graphs: golden files of every format, texts that a format would obey, and that no two texts of a drawing
 * overlap. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/definition/definition.h"
#include "tests/model/drawing.h"

#define FOLDER SAGA_SOURCE_DIR "/tests/model/graph"
#define EXAMPLES SAGA_SOURCE_DIR "/definitions/examples"

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(graph, .init = set_up, .fini = tear_down);

static struct str read_file(const char *path)
{
    struct buf out;
    char chunk[4096];
    size_t size = 0;
    FILE *file = fopen(path, "rb");
    buf_init(&out, &arena);
    while (file != NULL && (size = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_put(&out, (struct str){chunk, size});
    if (file != NULL)
        fclose(file);
    return buf_str(&out);
}

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

static struct str drawn(const struct plan *plan, const struct json *saga, enum graph_format format)
{
    struct buf out;
    buf_init(&out, &arena);
    graph_write(&out, plan, saga, format);
    return buf_str(&out);
}

static void expect_golden(const char *name, struct str text)
{
    const char *path = arena_printf(&arena, FOLDER "/%s", name).data;
    FILE *file = getenv("SAGA_GOLDEN_UPDATE") == NULL ? NULL : fopen(path, "wb");
    if (file != NULL) {
        fwrite(text.data, 1, text.size, file);
        fclose(file);
    }
    cr_expect(str_equal(read_file(path), text), "%s is not what is drawn now:\n%.*s", name, STR_ARG(text));
}

static void expect_all_formats(const char *name, const struct plan *plan, const struct json *saga)
{
    static const char *const formats[] = {"mermaid", "dot", "svg"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        enum graph_format format = GRAPH_DOT;
        cr_assert(graph_format_parse(str_from(formats[i]), &format));
        struct str text = drawn(plan, saga, format);
        cr_expect(str_equal(text, drawn(plan, saga, format)), "drawn twice, %s differs", formats[i]);
        expect_golden(arena_printf(&arena, "%s.%s", name, formats[i]).data, text);
    }
}

Test(graph, shows_every_construct)
{
    expect_all_formats("nested", load(FOLDER "/nested.yaml"), NULL);
}

Test(graph, shows_how_far_a_saga_has_come)
{
    const struct json *view = NULL;
    struct err_note note = {""};
    struct str text = read_file(FOLDER "/saga.view.json");
    cr_assert_eq(json_parse(&arena, text, SIZE_MAX, &view, &note), ERR_OK, "%s", note.text);
    expect_all_formats("saga", load(FOLDER "/saga.yaml"), view);
}

Test(graph, knows_three_formats)
{
    enum graph_format format = GRAPH_SVG;
    cr_expect_not(graph_format_parse(STR("png"), &format));
    cr_expect_eq(format, GRAPH_SVG);
}

static bool has(struct str text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* Texts that mean something to a format come out as themselves. */
Test(graph, obeys_no_text)
{
    struct diag_list diags;
    struct str yaml = STR("saga: odd\nversion: 1\nsteps:\n"
                          "  - switch:\n"
                          "      - when: '\"</text><script>\" + $input.x == \"a\\\\b --> n1 %% end\\\"#;\"'\n"
                          "        steps: [ { id: end, command: a.subgraph, compensate: none } ]\n"
                          "      - else: []\n"
                          "  - { id: class, command: a.b, compensate: none }\n");
    diag_init(&diags, &arena, STR("odd.yaml"), yaml);
    const struct plan *plan = definition_load(&arena, yaml, NULL, &diags);
    cr_assert_not_null(plan);
    struct str svg = drawn(plan, NULL, GRAPH_SVG);
    cr_expect(!has(svg, "<script>"));
    cr_expect(has(svg, "&lt;/text&gt;&lt;script&gt;"), "%.*s", STR_ARG(svg));
    struct str dot = drawn(plan, NULL, GRAPH_DOT);
    cr_expect(has(dot, "label=\"\\\"</text><script>\\\" + $input.x == \\\"a\\\\\\\\b"), "%.*s", STR_ARG(dot));
    struct str mermaid = drawn(plan, NULL, GRAPH_MERMAID);
    cr_expect(has(mermaid, "|\"#34;#60;/text#62;#60;script#62;#34; +"), "%.*s", STR_ARG(mermaid));
}

static unsigned expect_folder_readable(const char *folder)
{
    unsigned count = 0;
    DIR *open = opendir(folder);
    cr_assert_not_null(open);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        struct str name = str_from(entry->d_name);
        if (!str_ends(name, STR(".yaml")) || str_ends(name, STR(".test.yaml")))
            continue;
        const struct plan *plan = load(arena_printf(&arena, "%s/%s", folder, entry->d_name).data);
        drawing_expect_readable(entry->d_name, drawn(plan, NULL, GRAPH_SVG));
        count++;
    }
    closedir(open);
    return count;
}

Test(graph, no_two_texts_of_a_drawing_overlap)
{
    cr_expect_geq(expect_folder_readable(FOLDER), 2);
    cr_expect_geq(expect_folder_readable(EXAMPLES), 4);
}
