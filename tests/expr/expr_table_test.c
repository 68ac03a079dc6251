/* Every line of the tables, and every example of the authors' manual, gives what stands beside it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "engine/expr/expr_functions.h"
#include "table.h"

enum { MANUAL_EXAMPLES_MIN = 40, SAME_MIN = 300 };

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(expr_table, .init = set_up, .fini = tear_down);

static void run_table(const char *name, size_t at_least)
{
    struct table *table = table_read(&arena, name);
    cr_assert_geq(table->count, at_least);
    for (size_t i = 0; i < table->count; i++) {
        const struct table_case *entry = &table->cases[i];
        const struct json *value = NULL;
        struct str answer = table_answer(&arena, entry->program, entry->input, &value);
        cr_expect(str_equal(answer, entry->expected), "%s:%u: %.*s\n  expected %.*s\n  answer   %.*s", name,
                  entry->line, STR_ARG(entry->program), STR_ARG(entry->expected), STR_ARG(answer));
    }
}

Test(expr_table, what_is_as_in_jq)
{
    run_table("same.table", SAME_MIN);
}

Test(expr_table, what_differs_from_jq_on_purpose)
{
    run_table("different.table", 1);
}

Test(expr_table, what_jq_1_6_has_otherwise_or_not_at_all)
{
    run_table("beyond.table", 1);
}

Test(expr_table, faults_at_run_time)
{
    run_table("errors.table", 1);
}

Test(expr_table, mistakes_found_when_compiled)
{
    run_table("refused.table", 1);
}

/* ---- definitions/EXPRESSIONS.md: table rows | `program` | `input` | `result` | ---- */

static struct str manual_text;
static char manual_seen[EXPR_FUNCTIONS_COUNT];

/* The next `code` of a row, its \| made |; false when there is none left. */
static bool take_code(struct str *row, struct str *code)
{
    size_t begin = str_find(*row, '`');
    struct str rest = str_slice(*row, begin + 1, row->size);
    size_t end = str_find(rest, '`');
    if (begin == row->size || end == rest.size)
        return false;
    struct buf out;
    buf_init(&out, &arena);
    for (size_t i = 0; i < end; i++)
        if (!(rest.data[i] == '\\' && i + 1 < end && rest.data[i + 1] == '|'))
            buf_char(&out, rest.data[i]);
    *code = buf_str(&out);
    *row = str_slice(rest, end + 1, rest.size);
    return true;
}

/* Notes which functions an example shows, by the words in it. */
static void note_functions(struct str program)
{
    for (size_t i = 0; i < EXPR_FUNCTIONS_COUNT; i++) {
        struct str name = expr_functions[i].name;
        for (size_t at = 0; at + name.size <= program.size; at++) {
            char before = at > 0 ? program.data[at - 1] : ' ';
            char after = at + name.size < program.size ? program.data[at + name.size] : ' ';
            if (str_equal(str_slice(program, at, at + name.size), name) && strchr(" (|[", before) &&
                strchr(" (|)];,", after))
                manual_seen[i] = 1;
        }
    }
}

static bool run_row(struct str row)
{
    struct str program, input, expected;
    const struct json *value = NULL;
    if (!take_code(&row, &program) || !take_code(&row, &input) || !take_code(&row, &expected))
        return false;
    struct str answer = table_answer(&arena, program, input, &value);
    cr_expect(table_agrees(&arena, expected, answer),
              "EXPRESSIONS.md: %.*s\n  expected %.*s\n  answer   %.*s", STR_ARG(program), STR_ARG(expected),
              STR_ARG(answer));
    note_functions(program);
    return true;
}

Test(expr_table, examples_of_the_manual)
{
    size_t examples = 0;
    bool of_examples = false; /* inside a table of examples */
    manual_text = table_file(&arena, "definitions/EXPRESSIONS.md");
    for (struct str text = manual_text; text.size > 0;) {
        size_t end = str_find(text, '\n');
        struct str line = str_slice(text, 0, end);
        text = str_slice(text, end + 1, text.size);
        of_examples = line.size > 0 && (of_examples || str_starts(line, STR("| expression | `$input` |")));
        if (of_examples && str_starts(line, STR("| `")))
            examples += run_row(line);
    }
    cr_expect_geq(examples, MANUAL_EXAMPLES_MIN);
    for (size_t i = 0; i < EXPR_FUNCTIONS_COUNT; i++)
        cr_expect(manual_seen[i], "no example of %.*s in EXPRESSIONS.md", STR_ARG(expr_functions[i].name));
}

/* The manual says about each function what functions.def says. */
Test(expr_table, manual_has_every_sentence)
{
    manual_text = table_file(&arena, "definitions/EXPRESSIONS.md");
    for (size_t i = 0; i < EXPR_FUNCTIONS_COUNT; i++) {
        struct str doc = expr_functions[i].doc;
        cr_expect(memmem(manual_text.data, manual_text.size, doc.data, doc.size) != NULL,
                  "EXPRESSIONS.md lacks \"%.*s\"", STR_ARG(doc));
    }
}
