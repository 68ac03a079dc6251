#include "engine/base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"

enum { FIRST_ROOM = 64 };

void buf_init(struct buf *buf, struct arena *arena)
{
    *buf = (struct buf){.arena = arena};
}

void buf_grow(struct buf *buf, size_t more)
{
    check(more < SIZE_MAX / 4 && buf->size < SIZE_MAX / 4);
    size_t room = buf->room ? buf->room * 2 : FIRST_ROOM;
    if (room < buf->size + more + 1)
        room = buf->size + more + 1;
    buf->data = arena_resize(buf->arena, buf->data, buf->room, room);
    buf->room = room;
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, str_from(text));
}

void buf_u64(struct buf *buf, uint64_t value)
{
    char digits[STR_I64_SIZE];
    buf_put(buf, str_of_u64(digits, value));
}

void buf_i64(struct buf *buf, int64_t value)
{
    char digits[STR_I64_SIZE];
    buf_put(buf, str_of_i64(digits, value));
}

void buf_xml(struct buf *buf, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '&')
            buf_puts(buf, "&amp;");
        else if (c == '<')
            buf_puts(buf, "&lt;");
        else if (c == '>')
            buf_puts(buf, "&gt;");
        else if (c == '"')
            buf_puts(buf, "&quot;");
        else if ((unsigned char)c < ' ' && c != '\t' && c != '\n' && c != '\r')
            buf_char(buf, '?');
        else
            buf_char(buf, c);
    }
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    buf_reserve(buf, 1);
    int size = vsnprintf(buf->data + buf->size, buf->room - buf->size, format, values);
    va_end(values);
    check(size >= 0);
    if ((size_t)size >= buf->room - buf->size)
        vsnprintf(buf_reserve(buf, (size_t)size), (size_t)size + 1, format, again);
    va_end(again);
    buf->size += (size_t)size;
}

struct str buf_str(struct buf *buf)
{
    *buf_reserve(buf, 0) = '\0';
    return (struct str){buf->data, buf->size};
}
