/* A growing text in an arena: for building JSON, SQL values, messages and reports. One thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "engine/base/arena.h"
#include "engine/base/str.h"

struct buf {
    struct arena *arena; /* borrowed; must outlive the text */
    char *data;
    size_t size;
    size_t room;
};

void buf_init(struct buf *buf, struct arena *arena);
static inline void buf_put(struct buf *buf, struct str text);
void buf_puts(struct buf *buf, const char *text);
static inline void buf_char(struct buf *buf, char c);
/* In decimal. */
void buf_i64(struct buf *buf, int64_t value);
void buf_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text as content or attribute of XML 1.0, which has no control characters but tab and line ends: '?'
 * instead. */
void buf_xml(struct buf *buf, struct str text);
/* Room for `more` bytes behind the text, for a caller that writes them itself and then adds them to size. */
static inline char *buf_reserve(struct buf *buf, size_t more);
/* The text so far, NUL-terminated behind its size; valid until the next put. */
struct str buf_str(struct buf *buf);

/* The way of buf_reserve when the room is used up; not for other callers. */
void buf_grow(struct buf *buf, size_t more);

static inline char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->room - buf->size <= more) /* one byte stays for the NUL */
        buf_grow(buf, more);
    return buf->data + buf->size;
}

static inline void buf_put(struct buf *buf, struct str text)
{
    if (!text.size)
        return;
    memcpy(buf_reserve(buf, text.size), text.data, text.size);
    buf->size += text.size;
}

static inline void buf_char(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->size++;
}
