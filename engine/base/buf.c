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

static void grow(struct buf *buf, size_t more)
{
    check(more < SIZE_MAX / 4 && buf->size < SIZE_MAX / 4);
    size_t room = buf->room ? buf->room * 2 : FIRST_ROOM;
    if (room < buf->size + more + 1)
        room = buf->size + more + 1;
    buf->data = arena_resize(buf->arena, buf->data, buf->room, room);
    buf->room = room;
}

char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->room - buf->size <= more) /* one byte stays for the NUL */
        grow(buf, more);
    return buf->data + buf->size;
}

void buf_put(struct buf *buf, struct str text)
{
    if (!text.size)
        return;
    memcpy(buf_reserve(buf, text.size), text.data, text.size);
    buf->size += text.size;
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, str_from(text));
}

void buf_char(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->size++;
}

void buf_i64(struct buf *buf, int64_t value)
{
    char digits[20];
    size_t begin = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--begin] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--begin] = '-';
    buf_put(buf, (struct str){digits + begin, sizeof digits - begin});
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
