#include "tests/model/drawing.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { TEXTS_MAX = 2000, CHAR_TENTHS = 73, ASCENT = 10, DESCENT = 3 };

struct area {
    int left, right, top, bottom;
    struct str text;
};

static unsigned shown_characters(struct str text)
{
    unsigned count = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '&')
            i += str_find(str_slice(text, i, text.size), ';');
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

/* Where each text of a drawing is, from its own attributes and the font's width. */
static unsigned find_texts(struct str svg, struct area *areas)
{
    unsigned count = 0;
    const char *at = svg.data;
    while ((at = strstr(at, "<text class=\"")) != NULL && count < TEXTS_MAX) {
        char class[32];
        int x = 0, y = 0, begin = 0;
        cr_assert_eq(sscanf(at, "<text class=\"%31[a-z]\" x=\"%d\" y=\"%d\">%n", class, &x, &y, &begin), 3);
        at += begin;
        struct str text = {at, strcspn(at, "<")};
        int width = (int)shown_characters(text) * CHAR_TENTHS / 10;
        bool middle = strcmp(class, "title") != 0 && strcmp(class, "detail") != 0;
        int left = middle ? x - width / 2 : x;
        areas[count++] = (struct area){left, left + width, y - ASCENT, y + DESCENT, text};
    }
    return count;
}

void drawing_expect_readable(const char *name, struct str svg)
{
    static struct area areas[TEXTS_MAX];
    int width = 0, height = 0;
    unsigned count = find_texts(svg, areas);
    cr_assert_gt(count, 3, "%s has no texts", name);
    cr_assert_eq(sscanf(strstr(svg.data, " width="), " width=\"%d\" height=\"%d\"", &width, &height), 2);
    for (unsigned i = 0; i < count; i++) {
        cr_expect(areas[i].left >= 0 && areas[i].right <= width && areas[i].bottom <= height,
                  "%s: \"%.*s\" stands out", name, STR_ARG(areas[i].text));
        for (unsigned j = 0; j < i; j++)
            cr_expect(areas[i].left >= areas[j].right || areas[j].left >= areas[i].right ||
                          areas[i].top >= areas[j].bottom || areas[j].top >= areas[i].bottom,
                      "%s: \"%.*s\" and \"%.*s\" overlap", name, STR_ARG(areas[i].text),
                      STR_ARG(areas[j].text));
    }
}
