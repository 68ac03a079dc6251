/* Diagnostics as text and as JSON: the exact bytes. */
#include <stdio.h>
#include "engine/base/diag.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "tests/base/expect.h"

static struct arena arena;
static struct diag_list list;

static void begin(void)
{
    arena_init(&arena, 0);
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(diag, .init = begin, .fini = end);

static void open_file(const char *source)
{
    diag_init(&list, &arena, STR("order.yaml"), str_from(source));
}

static void add(uint32_t line, uint32_t column, uint32_t size, const char *message)
{
    diag_add(&list,
             (struct diag){.place = {line, column, size}, .code = STR("code"), .message = str_from(message)});
}

static struct str render(void)
{
    struct buf buf;
    buf_init(&buf, &arena);
    diag_render(&list, &buf);
    return buf_str(&buf);
}

Test(diag, shows_the_line_a_caret_and_a_hint)
{
    open_file("saga: order\nsteps:\n      timout: 5s\n");
    struct diag diag = {.place = {3, 7, 6},
                        .code = STR("unknown-key"),
                        .message = STR("unknown key \"timout\" in a step"),
                        .hint = STR("did you mean \"timeout\"?")};
    diag_add(&list, diag);
    EXPECT_TEXT(render(), "order.yaml:3:7: error: unknown key \"timout\" in a step\n"
                          "    3 |       timout: 5s\n"
                          "      |       ^~~~~~\n"
                          "   hint: did you mean \"timeout\"?\n");
}

Test(diag, sorts_by_place_keeps_the_order_of_equals_and_counts)
{
    open_file("a: 1\nb: 2\n");
    add(2, 4, 1, "third");
    add(1, 4, 1, "second");
    diag_add(&list, (struct diag){.place = {2, 4, 1}, .message = STR("fourth"), .warning = true});
    add(0, 0, 0, "first");
    diag_sort(&list);
    cr_assert(list.error_count == 3 && list.count == 4 && list.left_out == 0);
    EXPECT_TEXT(render(), "order.yaml: error: first\n"
                          "order.yaml:1:4: error: second\n"
                          "    1 | a: 1\n"
                          "      |    ^\n"
                          "order.yaml:2:4: error: third\n"
                          "    2 | b: 2\n"
                          "      |    ^\n"
                          "order.yaml:2:4: warning: fourth\n"
                          "    2 | b: 2\n"
                          "      |    ^\n"
                          "3 errors, 1 warning\n");
}

Test(diag, is_silent_when_there_is_nothing)
{
    open_file("a: 1\n");
    EXPECT_TEXT(render(), "");
}

Test(diag, keeps_tabs_so_that_the_caret_stands_below)
{
    open_file("\ta:\tb c\r\n");
    add(1, 5, 1, "tab");
    EXPECT_TEXT(render(), "order.yaml:1:5: error: tab\n"
                          "    1 | \ta:\tb c\n"
                          "      | \t  \t^\n");
}

Test(diag, counts_characters_not_bytes)
{
    open_file("n\xc3\xa4me: \xe2\x82\xac\xf0\x9f\x98\x80x");
    add(1, 8, 7, "wide");
    EXPECT_TEXT(render(), "order.yaml:1:8: error: wide\n"
                          "    1 | n\xc3\xa4me: \xe2\x82\xac\xf0\x9f\x98\x80x\n"
                          "      |       ^~\n");
}

Test(diag, places_past_the_text_are_shown_at_its_end)
{
    open_file("ab\ncd");
    add(1, 3, 1, "behind the line");
    add(1, 99, 9, "far behind");
    add(2, 1, 99, "longer than the line");
    add(9, 1, 1, "no such line");
    EXPECT_TEXT(render(), "order.yaml:1:3: error: behind the line\n"
                          "    1 | ab\n"
                          "      |   ^\n"
                          "order.yaml:1:99: error: far behind\n"
                          "    1 | ab\n"
                          "      |   ^\n"
                          "order.yaml:2:1: error: longer than the line\n"
                          "    2 | cd\n"
                          "      | ^~\n"
                          "order.yaml:9:1: error: no such line\n"
                          "    9 | \n"
                          "      | ^\n"
                          "4 errors\n");
}

/* A line of `size` characters 0123456789… */
static const char *long_line(size_t size)
{
    char *line = arena_alloc(&arena, size + 1);
    for (size_t i = 0; i < size; i++)
        line[i] = (char)('0' + i % 10);
    return line;
}

Test(diag, cuts_long_lines_around_the_caret)
{
    open_file(long_line(300));
    add(1, 151, 3, "middle");
    const char *digits = long_line(100);
    EXPECT_TEXT(render(), arena_printf(&arena,
                                       "order.yaml:1:151: error: middle\n"
                                       "    1 | ...%s...\n"
                                       "      |    %50s^~~\n",
                                       digits, "")
                              .data);
    open_file(long_line(300));
    add(1, 3, 200, "begin");
    char waves[99] = "";
    memset(waves, '~', 97);
    EXPECT_TEXT(render(), arena_printf(&arena,
                                       "order.yaml:1:3: error: begin\n"
                                       "    1 | %s...\n"
                                       "      |   ^%s\n",
                                       digits, waves)
                              .data);
    open_file(long_line(300));
    add(1, 301, 1, "end");
    EXPECT_TEXT(render(), arena_printf(&arena,
                                       "order.yaml:1:301: error: end\n"
                                       "    1 | ...%s\n"
                                       "      |    %50s^\n",
                                       long_line(50), "")
                              .data);
    open_file(long_line(100)); /* fits just so */
    add(1, 100, 1, "fits");
    EXPECT_TEXT(render(), arena_printf(&arena,
                                       "order.yaml:1:100: error: fits\n"
                                       "    1 | %s\n"
                                       "      | %99s^\n",
                                       digits, "")
                              .data);
}

Test(diag, cuts_between_characters)
{
    char *line = arena_alloc(&arena, 401);
    for (size_t i = 0; i < 400; i += 2)
        memcpy(line + i, "\xc3\xa9", 2);
    open_file(line);
    add(1, 201, 2, "middle");
    struct str shown = render();
    cr_assert(str_is_utf8(shown));
    EXPECT_TEXT(shown, arena_printf(&arena,
                                    "order.yaml:1:201: error: middle\n"
                                    "    1 | ...%.200s...\n"
                                    "      |    %50s^\n",
                                    line, "")
                           .data);
}

Test(diag, lets_no_file_steer_the_terminal)
{
    open_file("a: \x1b[31m\x7f \xc2\x9b \xff\xc3");
    add(1, 4, 1, "escape \x1b]0;x\x07 and\nnew line");
    EXPECT_TEXT(render(), "order.yaml:1:4: error: escape ?]0;x? and?new line\n"
                          "    1 | a: ?[31m? ? ??\n"
                          "      |    ^\n");
}

Test(diag, keeps_errors_rather_than_warnings_when_there_are_too_many)
{
    open_file("a\n");
    for (int i = 0; i < LIMITS_ERRORS_COUNT; i++)
        diag_add(&list, (struct diag){.message = STR("warning"), .warning = true});
    add(0, 0, 0, "the error");
    diag_add(&list, (struct diag){.message = STR("one more warning"), .warning = true});
    cr_assert(list.count == LIMITS_ERRORS_COUNT && list.left_out == 2 && list.error_count == 1);
    EXPECT_TEXT(list.items[LIMITS_ERRORS_COUNT - 1].message, "the error");
    cr_assert(str_ends(render(), STR("order.yaml: error: the error\n1 error, 65 warnings (2 not shown)\n")));
    for (int i = 0; i < 100; i++)
        add(0, 0, 0, "error");
    cr_assert(list.count == LIMITS_ERRORS_COUNT && list.left_out == 102 && list.error_count == 101);
    cr_assert(str_ends(render(), STR("101 errors, 65 warnings (102 not shown)\n")));
}

Test(diag, copies_what_it_is_told)
{
    char message[] = "soon gone";
    open_file("a\n");
    add(0, 0, 0, message);
    memset(message, '#', sizeof message - 1);
    EXPECT_TEXT(render(), "order.yaml: error: soon gone\n");
}

Test(diag, writes_json_for_tools)
{
    struct buf buf;
    open_file("a: 1\n");
    add(1, 4, 1, "say \"two\"\xff");
    diag_add(&list,
             (struct diag){.code = STR("old"), .message = STR("m"), .hint = STR("h"), .warning = true});
    buf_init(&buf, &arena);
    diag_render_json(&list, &buf);
    EXPECT_TEXT(
        buf_str(&buf),
        "[{\"file\":\"order.yaml\",\"line\":1,\"column\":4,\"code\":\"code\",\"message\":\"say "
        "\\\"two\\\"?\","
        "\"hint\":\"\",\"severity\":\"error\"},"
        "{\"file\":\"order.yaml\",\"line\":0,\"column\":0,\"code\":\"old\",\"message\":\"m\",\"hint\":\"h\","
        "\"severity\":\"warning\"}]");
    const struct json *value;
    cr_assert(json_parse(&arena, buf_str(&buf), SIZE_MAX, &value, NULL) == ERR_OK && value->count == 2);
    open_file("");
    buf_init(&buf, &arena);
    diag_render_json(&list, &buf);
    EXPECT_TEXT(buf_str(&buf), "[]");
}
