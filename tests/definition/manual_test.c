/* The manual names every key of a block and every diagnostic, word for word as the tables have it; and the
 * manual and the examples say nothing that does not load: each ```yaml block of definitions/README.md is
 * a whole file or a list of steps, be it with a file's name behind the word or not; each ```yaml-wrong block
 * must be refused with the code named behind the word. Scenarios (`NAME.test.yaml`) are run by tests/manual,
 * as all commands of the page are. */
#include <stdio.h>
#include <string.h>

#include "engine/definition/keys.h"
#include "engine/model/against.h"
#include "tests/definition/support.h"

#define DEFINITIONS SAGA_SOURCE_DIR "/definitions/"
#define EXAMPLES DEFINITIONS "examples"

static struct str as_file(struct arena *arena, struct str block)
{
    if (str_starts(block, STR("saga:")) || !str_starts(block, STR("- ")))
        return block;
    struct buf out;
    buf_init(&out, arena);
    buf_puts(&out, "saga: from-the-manual\nversion: 1\nsteps:\n");
    buf_put(&out, block);
    return buf_str(&out);
}

static void try_block(struct arena *arena, struct str info, struct str block, int line)
{
    struct diag_list diags;
    const char *name = arena_printf(arena, "README.md, block in line %d", line).data;
    const struct plan *plan = support_load(arena, name, as_file(arena, block), EXAMPLES, &diags);
    if (str_equal(info, STR("yaml")) || str_starts(info, STR("yaml "))) {
        cr_expect(plan != NULL, "%s", support_render(arena, &diags).data);
        return;
    }
    const char *code = arena_copy(arena, str_trim(str_slice(info, sizeof "yaml-wrong" - 1, info.size))).data;
    cr_expect(plan == NULL && support_has_code(&diags, code), "%s: %s expected\n%s", name, code,
              support_render(arena, &diags).data);
}

Test(manual, every_block_loads)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, DEFINITIONS "README.md");
    struct str info = {0};
    struct buf block;
    bool inside = false;
    int blocks = 0;
    int begin = 0;
    for (int line = 1; text.size > 0; line++) {
        struct str row = str_slice(text, 0, str_find(text, '\n'));
        text = str_slice(text, row.size + 1, text.size);
        if (!inside && str_starts(row, STR("```"))) {
            inside = true;
            info = str_trim(str_slice(row, 3, row.size));
            begin = line;
            buf_init(&block, &arena);
        } else if (inside && str_starts(row, STR("```"))) {
            inside = false;
            if (str_starts(info, STR("yaml")) && !str_ends(info, STR(".test.yaml"))) {
                try_block(&arena, info, buf_str(&block), begin);
                blocks++;
            }
        } else if (inside) {
            buf_put(&block, row);
            buf_char(&block, '\n');
        }
    }
    cr_expect(blocks >= 10, "only %d blocks found", blocks);
    arena_fini(&arena);
}

Test(manual, every_example_loads)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct support_files files;
    support_list(&arena, "../../definitions/examples", ".yaml", &files);
    cr_expect(files.count >= 4);
    for (int i = 0; i < files.count; i++) {
        if (str_ends(files.names[i], STR(".test.yaml")))
            continue;
        struct diag_list diags;
        const struct plan *plan;
        struct err_note note = {.text = ""};
        const char *path = arena_printf(&arena, EXAMPLES "/%.*s", STR_ARG(files.names[i])).data;
        cr_assert(definition_load_file(&arena, path, &diags, &plan, &note) == ERR_OK, "%s", note.text);
        cr_expect(plan != NULL, "%s", support_render(&arena, &diags).data);
        cr_expect_eq(diags.count, 0, "%s", support_render(&arena, &diags).data);
    }
    arena_fini(&arena);
}

static void expect_named(struct str text, const char *what, const char *word)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "`%s`", word);
    cr_expect(strstr(text.data, quoted) != NULL, "README.md does not name the %s %s", what, word);
}

Test(manual, every_keyword_and_format_is_named)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, DEFINITIONS "README.md");
    static const char *const keywords[] = {
#define X(name, word, compile, check, meaning) word,
#include "engine/definition/keywords.def"
#undef X
    };
    static const char *const formats[] = {
#define X(name, word, function, meaning) word,
#include "engine/definition/schema_formats.def"
#undef X
    };
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        expect_named(text, "keyword", keywords[i]);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        expect_named(text, "format", formats[i]);
    arena_fini(&arena);
}

static void expect_row(struct str text, const char *first, const char *second, const char *meaning,
                       const char *end)
{
    char row[1024];
    int size = snprintf(row, sizeof row, "\n| `%s` | %s%s%s |\n", first, second, meaning, end);
    cr_assert(size > 0 && (size_t)size < sizeof row);
    cr_expect(strstr(text.data, row) != NULL, "README.md has not the row%s", row);
}

Test(manual, every_key_of_a_block_is_documented)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, DEFINITIONS "README.md");
    static const struct {
        enum keys_table table;
        const char *key;
        const char *meaning;
        bool required;
    } rows[] = {
#define X(table, name, key, need, form, of, meaning) {KEYS_TABLE_##table, key, meaning, KEYS_##need},
#include "engine/definition/keys.def"
#undef X
    };
    int shown = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].table < KEYS_TABLE_SWITCH || strcmp(rows[i].key, "*") == 0)
            continue;
        bool alone = rows[i].table == KEYS_TABLE_ELSE; /* the one key of a case that may be left out */
        expect_row(text, rows[i].key, "", rows[i].meaning, rows[i].required && !alone ? " Mandatory." : "");
        shown++;
    }
    cr_expect(shown > 30, "only %d keys of blocks", shown);
    arena_fini(&arena);
}

Test(manual, every_finding_of_a_comparison_is_documented)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, DEFINITIONS "README.md");
#define BREAKING "breaking, "
#define UNCLEAR "unclear, "
#define NOTICE "notice, "
#define NOBODY "nobody: "
#define STARTS "starts: "
#define PARTICIPANTS "participants: "
#define SIGNALS "signals: "
#define READERS "readers: "
#define OPERATORS "operators: "
#define X(name, text_of, severity, audience, meaning)                                                        \
    expect_row(text, text_of, severity audience, meaning, "");
#include "engine/model/diff_findings.def"
#undef X
#define X(name, text_of, meaning) expect_row(text, text_of, "", meaning, "");
    AGAINST_OUTCOMES(X)
#undef X
    arena_fini(&arena);
}

Test(manual, every_diagnostic_is_documented)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str text = support_read(&arena, DEFINITIONS "README.md");
#define ERROR ""
#define WARNING "Warning: "
#define X(name, severity, code, meaning) expect_row(text, code, severity, meaning, "");
#include "engine/definition/diagnostics.def"
#undef X
    arena_fini(&arena);
}
