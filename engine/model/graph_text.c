/* Texts in drawings: as wide as they are on a screen, and nothing in them that a format would obey. Part of
 * graph_parts.h; called by each format. Never shows a control character. */
#include "engine/model/graph_parts.h"

/* The code point at *at, which is moved behind it. The text is UTF-8. */
static uint32_t next_point(struct str text, size_t *at)
{
    unsigned char first = (unsigned char)text.data[*at];
    unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t point = more == 0 ? first : first & (0x3fU >> more);
    *at += 1;
    for (; more > 0 && *at < text.size; more--, *at += 1)
        point = point << 6 | ((unsigned char)text.data[*at] & 0x3fU);
    return point;
}

/* Two columns for East Asian scripts and pictures, none for marks that combine. */
static unsigned point_columns(uint32_t point)
{
    if ((point >= 0x300 && point < 0x370) || (point >= 0x200b && point < 0x2010) || point == 0xfeff)
        return 0;
    bool wide = (point >= 0x1100 && point < 0x1160) || (point >= 0x2e80 && point < 0xa4d0) ||
                (point >= 0xac00 && point < 0xd7a4) || (point >= 0xf900 && point < 0xfb00) ||
                (point >= 0xff00 && point < 0xff61) || point >= 0x1f300;
    return wide ? 2 : 1;
}

unsigned graph_columns(struct str text)
{
    unsigned columns = 0;
    for (size_t at = 0; at < text.size;)
        columns += point_columns(next_point(text, &at));
    return columns;
}

struct str graph_cut(struct arena *arena, struct str text, unsigned columns)
{
    unsigned width = 0;
    size_t end = 0; /* of what fits beside the dots */
    for (size_t at = 0; at < text.size;) {
        width += point_columns(next_point(text, &at));
        end = width < columns ? at : end;
    }
    if (width <= columns)
        return text;
    return arena_printf(arena, "%.*s…", STR_ARG(str_slice(text, 0, end)));
}

struct str graph_plain(struct arena *arena, struct str text)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool after_blank = i > 0 && (unsigned char)text.data[i - 1] <= ' ';
        if (c > ' ' && c != 0x7f)
            buf_char(&out, (char)c);
        else if (!after_blank)
            buf_char(&out, ' ');
    }
    return str_trim(buf_str(&out));
}
