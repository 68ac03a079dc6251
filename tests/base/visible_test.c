/* What a terminal or a reader of lines would obey is shown, whatever language the rest is in. */
#include <criterion/criterion.h>
#include "engine/base/visible.h"

static struct arena arena;

static void open_arena(void)
{
    arena_init(&arena, 0);
}

static void close_arena(void)
{
    arena_fini(&arena);
}

TestSuite(visible, .init = open_arena, .fini = close_arena);

struct row {
    struct str text;
    const char *shown;
};
#define ROW(text, shown)                                                                                     \
    {                                                                                                        \
        {text, sizeof(text) - 1}, shown                                                                      \
    }

Test(visible, shows_what_would_be_obeyed)
{
    static const struct row rows[] = {
        ROW("plain text", "plain text"),
        ROW("", ""),
        ROW("gr\xc3\xbc\xc3\x9f dich \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
            "gr\xc3\xbc\xc3\x9f dich \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"),
        ROW("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ROW("a\0b", "a\\u0000b"),
        ROW("\x1b[2Jgone\x7f", "\\u001b[2Jgone\\u007f"),
        ROW("\xc2\x9b"
            "2J",
            "\\u009b2J"),                                  /* C1: the same command in one character */
        ROW("\xc2\x85", "\\u0085"),                        /* next line */
        ROW("\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"), /* ends of line and paragraph */
        ROW("pay \xe2\x80\xae"
            "001\xe2\x80\xac EUR",
            "pay \\u202e001\\u202c EUR"), /* direction */
        ROW("\xe2\x81\xa6x\xe2\x81\xa9", "\\u2066x\\u2069"),
        ROW("\xef\xbb\xbf\xe2\x80\x8b", "\\ufeff\\u200b"), /* not drawn */
        ROW("\xf3\xa0\x81\x81", "\\udb40\\udc41"),         /* a tag */
        ROW("a\xff"
            "b\xc3",
            "a\\ufffdb\\ufffd"),                      /* no UTF-8 */
        ROW("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"), /* a surrogate */
        ROW("c:\\new", "c:\\new"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str shown = visible_text(&arena, rows[i].text);
        cr_assert(str_equal(shown, str_from(rows[i].shown)), "row %zu: %.*s", i, STR_ARG(shown));
        cr_assert(str_equal(visible_text(&arena, shown), shown), "row %zu: shown twice it is another text",
                  i);
    }
}

Test(visible, keeps_lines_where_they_are_meant)
{
    struct buf out;
    buf_init(&out, &arena);
    visible_put_lines(&out, STR("{\n\"a\":\"\xe2\x80\xae\"\n}\n"));
    cr_assert(str_equal(buf_str(&out), STR("{\n\"a\":\"\\u202e\"\n}\n")), "%.*s", STR_ARG(buf_str(&out)));
}
