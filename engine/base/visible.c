#include "engine/base/visible.h"
#include <stdio.h>
#include "engine/base/check.h"

struct range {
    uint32_t first, last;
};
/* Above ASCII. Joiners stay: words of some languages and many emoji are written with them. */
static const struct range hidden[] = {
    {0x80, 0x9f},        /* C1: U+009B begins a command to the terminal as ESC [ does */
    {0xad, 0xad},        /* soft hyphen: not drawn */
    {0x61c, 0x61c},      /* direction */
    {0x180e, 0x180e},    /* no width */
    {0x200b, 0x200b},    /* no width */
    {0x200e, 0x200f},    /* direction */
    {0x2028, 0x2029},    /* ends of line and paragraph */
    {0x202a, 0x202e},    /* direction */
    {0x2060, 0x206f},    /* no width, direction */
    {0xfeff, 0xfeff},    /* byte order mark: not drawn */
    {0xfff0, 0xfffb},    /* annotations */
    {0xe0000, 0xe0fff},  /* tags and selectors: not drawn */
    {0xf0000, 0x10ffff}, /* private use: drawn as the reader's font likes */
};

static bool is_hidden(uint32_t code)
{
    if (code < 0x80)
        return code < 0x20 || code == 0x7f;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (code >= hidden[i].first && code <= hidden[i].last)
            return true;
    return false;
}

/* The character at the beginning of the rest, and its bytes; U+FFFD of one byte where there is none. */
static size_t read_code(struct str rest, uint32_t *code)
{
    unsigned char first = (unsigned char)rest.data[0];
    size_t size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    *code = first;
    if (size == 1)
        return 1;
    struct str character = str_slice(rest, 0, size);
    if (character.size < size || !str_is_utf8(character)) {
        *code = 0xfffd;
        return 1;
    }
    *code = first & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++)
        *code = *code << 6 | ((unsigned char)rest.data[i] & 0x3f);
    return size;
}

static void write_escape(uint32_t code, char escape[VISIBLE_ESCAPE_SIZE])
{
    if (code == '\n' || code == '\t' || code == '\r')
        (void)snprintf(escape, VISIBLE_ESCAPE_SIZE, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
    else if (code > 0xffff)
        (void)snprintf(escape, VISIBLE_ESCAPE_SIZE, "\\u%04x\\u%04x", (0xd7c0 + (code >> 10)) & 0xffff,
                       (0xdc00 + (code & 0x3ff)) & 0xffff);
    else
        (void)snprintf(escape, VISIBLE_ESCAPE_SIZE, "\\u%04x", code & 0xffff);
}

size_t visible_next(struct str text, size_t at, char escape[VISIBLE_ESCAPE_SIZE])
{
    check(at < text.size);
    escape[0] = '\0';
    for (size_t end = at; end < text.size;) {
        uint32_t code = 0;
        size_t size = read_code(str_slice(text, end, text.size), &code);
        bool broken = code == 0xfffd && size == 1;
        if (!broken && !is_hidden(code)) {
            end += size;
            if (end == text.size)
                return end - at;
            continue;
        }
        if (end > at)
            return end - at;
        write_escape(code, escape);
        return size;
    }
    return 0; /* not reached: at < text.size */
}

static void put(struct buf *out, struct str text, bool lines)
{
    for (size_t at = 0; at < text.size;) {
        char escape[VISIBLE_ESCAPE_SIZE];
        size_t size = visible_next(text, at, escape);
        if (escape[0] == '\0' || (lines && text.data[at] == '\n'))
            buf_put(out, str_slice(text, at, at + size));
        else
            buf_puts(out, escape);
        at += size;
    }
}

void visible_put(struct buf *out, struct str text)
{
    put(out, text, false);
}

void visible_put_lines(struct buf *out, struct str text)
{
    put(out, text, true);
}

struct str visible_text(struct arena *arena, struct str text)
{
    char escape[VISIBLE_ESCAPE_SIZE];
    struct buf out;
    if (text.size == 0 || (visible_next(text, 0, escape) == text.size && escape[0] == '\0'))
        return text;
    buf_init(&out, arena);
    visible_put(&out, text);
    return buf_str(&out);
}
