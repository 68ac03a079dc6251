/* The tables against the jq program: what shall be the same is, and what shall differ really does. One jq
 * process takes many programs, because starting one costs 20 ms. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "table.h"

enum { PROGRAMS_A_PROCESS = 60, ANSWER_BYTES_MAX = 1 << 20 };

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(expr_jq, .init = set_up, .fini = tear_down);

/* A script that gives one line for each case: [value] or ["fault", text] for what is no single value. */
static struct str make_script(const struct table *table, size_t begin, size_t end)
{
    struct buf script;
    buf_init(&script, &arena);
    for (size_t i = begin; i < end; i++) {
        const struct table_case *entry = &table->cases[i];
        buf_puts(&script, i > begin ? ",\n" : "");
        buf_puts(&script, "([");
        json_write_string(&script, entry->input);
        buf_puts(&script, " | fromjson | . as $input | try [(");
        buf_put(&script, entry->program);
        buf_puts(&script, ")] catch [\"fault\", .] | if length == 1 then . else [\"fault\", .] end] | .[0])");
    }
    return buf_str(&script);
}

/* What jq prints for the script, from a file, as a list of lines. */
static struct str run_jq(struct str script)
{
    char path[] = "/tmp/expr_jq_XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, script.data, script.size), (ssize_t)script.size);
    close(file);
    struct str command = arena_printf(&arena, "jq -n -c -f %s", path);
    FILE *pipe = popen(command.data, "r");
    cr_assert_not_null(pipe);
    char *answer = arena_alloc(&arena, ANSWER_BYTES_MAX);
    size_t size = fread(answer, 1, ANSWER_BYTES_MAX, pipe);
    int status = pclose(pipe);
    unlink(path);
    cr_assert_eq(status, 0, "jq refused a program of the table");
    return (struct str){answer, size};
}

/* Equal, or numbers that are the same double: jq knows no others, and rounds quotients in binary. */
static bool same_value(const struct json *a, const struct json *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == JSON_NUMBER)
        return json_equal(a, b) || strtod(a->text.data, NULL) == strtod(b->text.data, NULL);
    if (a->kind != JSON_ARRAY && a->kind != JSON_OBJECT)
        return json_equal(a, b);
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const struct json *left = a->kind == JSON_ARRAY ? a->items[i] : a->members[i].value;
        const struct json *right = a->kind == JSON_ARRAY ? b->items[i] : json_get(b, a->members[i].key);
        same = right && same_value(left, right);
    }
    return same;
}

/* Calls `judge` with jq's answer to each case: an array of the value, or of "fault" and a text. */
static void ask_jq(const struct table *table,
                   void (*judge)(const struct table_case *entry, const struct json *answer))
{
    for (size_t begin = 0; begin < table->count; begin += PROGRAMS_A_PROCESS) {
        size_t end = begin + PROGRAMS_A_PROCESS < table->count ? begin + PROGRAMS_A_PROCESS : table->count;
        struct str lines = run_jq(make_script(table, begin, end));
        for (size_t i = begin; i < end; i++) {
            size_t size = str_find(lines, '\n');
            const struct json *answer = NULL;
            struct err_note note;
            cr_assert_eq(json_parse(&arena, str_slice(lines, 0, size), ANSWER_BYTES_MAX, &answer, &note),
                         ERR_OK, "line %u: %s", table->cases[i].line, note.text);
            lines = str_slice(lines, size + 1, lines.size);
            judge(&table->cases[i], answer);
        }
    }
}

static const struct json *our_value(const struct table_case *entry)
{
    const struct json *value = NULL;
    (void)table_answer(&arena, entry->program, entry->input, &value);
    return value;
}

static void expect_same(const struct table_case *entry, const struct json *answer)
{
    const struct json *value = our_value(entry);
    cr_expect(value && answer->count == 1 && same_value(value, answer->items[0]),
              "same.table:%u: %.*s: jq says %.*s", entry->line, STR_ARG(entry->program),
              STR_ARG(json_text(&arena, answer)));
}

Test(expr_jq, same, .timeout = 60)
{
    ask_jq(table_read(&arena, "same.table"), expect_same);
}

/* Both refuse: the value that jq has no answer for either. */
static void expect_fault(const struct table_case *entry, const struct json *answer)
{
    cr_expect(answer->count == 2 && !our_value(entry), "errors.table:%u: %.*s: jq says %.*s", entry->line,
              STR_ARG(entry->program), STR_ARG(json_text(&arena, answer)));
}

Test(expr_jq, faults_are_faults_in_jq_too, .timeout = 60)
{
    struct table *table = table_read(&arena, "errors.table");
    ask_jq(table, expect_fault);
}

/* As text, since most differences are of precision: jq's doubles print otherwise. */
static void expect_different(const struct table_case *entry, const struct json *answer)
{
    const struct json *value = our_value(entry);
    bool same = value && answer->count == 1 &&
                str_equal(json_text(&arena, value), json_text(&arena, answer->items[0]));
    cr_expect(value && !same, "different.table:%u: %.*s is the same in jq", entry->line,
              STR_ARG(entry->program));
}

Test(expr_jq, different, .timeout = 60)
{
    ask_jq(table_read(&arena, "different.table"), expect_different);
}

/* ---- what the hints lead to ---- */

static const struct {
    const char *word, *jq, *ours;
} hints[] = {
#define X(name, hint, jq, ours) {name, jq, ours},
#include "engine/expr/refused.def"
#undef X
};
/* Empty, equal and mixed values of every kind. */
static const char *const hint_inputs[] = {"{}",
                                          "{\"a\":1}",
                                          "{\"b\":1,\"a\":{\"b\":2}}",
                                          "{\"b\":null,\"c\":[]}",
                                          "[]",
                                          "[1,1]",
                                          "[2,null,\"a\",[1],{\"a\":1},false,2]",
                                          "\"\"",
                                          "\"abcab\"",
                                          "\"aé\"",
                                          "3"};
enum { HINT_INPUTS = sizeof(hint_inputs) / sizeof(hint_inputs[0]), HINTS_MIN = 10 };
static uint32_t hints_tried;

/* Where jq gives a value, the program the hint leads to gives the same. */
static void judge_hint(const struct table_case *entry, const struct json *answer)
{
    const struct json *value = NULL;
    if (answer->count == 2)
        return;
    struct str ours = table_answer(&arena, entry->expected, entry->input, &value);
    hints_tried++;
    cr_expect(value && same_value(value, answer->items[0]), "%.*s on %.*s: the hint's %.*s gives %.*s",
              STR_ARG(entry->program), STR_ARG(entry->input), STR_ARG(entry->expected), STR_ARG(ours));
}

Test(expr_jq, hints_lead_to_what_was_meant)
{
    struct table *table = arena_new(&arena, struct table);
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        for (size_t j = 0; hints[i].jq[0] != '\0' && j < HINT_INPUTS; j++)
            table->cases[table->count++] =
                (struct table_case){.line = (unsigned)i,
                                    .program = arena_printf(&arena, "$input | %s", hints[i].jq),
                                    .input = str_from(hint_inputs[j]),
                                    .expected = arena_printf(&arena, "$input | %s", hints[i].ours)};
    ask_jq(table, judge_hint);
    cr_expect_geq(hints_tried, HINTS_MIN * 3);
}
