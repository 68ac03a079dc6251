/* A tree as text, for machines and for people. Called wherever JSON leaves; part of json.h. Deterministic:
 * the same tree gives the same bytes, and numbers keep their text. */
#include "engine/base/json.h"
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/json_scan.h"
#include "engine/base/limits.h"

static void write_escape(struct buf *buf, unsigned char c)
{
    static const char short_forms[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";
    char letter = c < sizeof short_forms ? short_forms[c] : (char)c;
    if (letter)
        buf_put(buf, (struct str){(const char[]){'\\', letter}, 2});
    else
        buf_put(buf, (struct str){(const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6});
}

void json_write_string(struct buf *buf, struct str text)
{
    const char *at = text.size ? text.data : "";
    const char *end = at + text.size;
    const char *special = json_scan_plain(at, end);
    if (special == end) {
        char *to = buf_reserve(buf, text.size + 2);
        to[0] = '"';
        memcpy(to + 1, at, text.size);
        to[text.size + 1] = '"';
        buf->size += text.size + 2;
        return;
    }
    buf_char(buf, '"');
    while (special < end) {
        buf_put(buf, (struct str){at, (size_t)(special - at)});
        write_escape(buf, (unsigned char)*special);
        at = special + 1;
        special = json_scan_plain(at, end);
    }
    buf_put(buf, (struct str){at, (size_t)(end - at)});
    buf_char(buf, '"');
}

/* Compact text when indent is COMPACT, else lines indented by two spaces a level. */
enum { COMPACT = -1 };

static void write_line(struct buf *buf, int indent)
{
    if (indent == COMPACT)
        return;
    size_t size = 2 * (size_t)indent + 1;
    char *to = buf_reserve(buf, size);
    memset(to, ' ', size);
    to[0] = '\n';
    buf->size += size;
}

static void write_value(struct buf *buf, const struct json *value, int indent, unsigned depth);

static void write_array(struct buf *buf, const struct json *array, int indent, unsigned depth)
{
    int inner = indent == COMPACT ? COMPACT : indent + 1;
    buf_char(buf, '[');
    for (uint32_t i = 0; i < array->count; i++) {
        if (i)
            buf_char(buf, ',');
        write_line(buf, inner);
        write_value(buf, array->items[i], inner, depth + 1);
    }
    if (array->count)
        write_line(buf, indent);
    buf_char(buf, ']');
}

static void write_object(struct buf *buf, const struct json *object, int indent, unsigned depth)
{
    int inner = indent == COMPACT ? COMPACT : indent + 1;
    buf_char(buf, '{');
    for (uint32_t i = 0; i < object->count; i++) {
        if (i)
            buf_char(buf, ',');
        write_line(buf, inner);
        json_write_string(buf, object->members[i].key);
        buf_put(buf, indent == COMPACT ? STR(":") : STR(": "));
        write_value(buf, object->members[i].value, inner, depth + 1);
    }
    if (object->count)
        write_line(buf, indent);
    buf_char(buf, '}');
}

static void write_value(struct buf *buf, const struct json *value, int indent, unsigned depth)
{
    check(depth < LIMITS_JSON_BUILT_DEPTH);
    switch (value->kind) {
    case JSON_NULL:
        buf_put(buf, STR("null"));
        return;
    case JSON_BOOL:
        buf_put(buf, value->boolean ? STR("true") : STR("false"));
        return;
    case JSON_NUMBER:
        buf_put(buf, value->text);
        return;
    case JSON_STRING:
        json_write_string(buf, value->text);
        return;
    case JSON_ARRAY:
        write_array(buf, value, indent, depth);
        return;
    case JSON_OBJECT:
        write_object(buf, value, indent, depth);
        return;
    }
    check_never("a JSON value of no kind");
}

void json_write(struct buf *buf, const struct json *value)
{
    write_value(buf, value, COMPACT, 0);
}

void json_write_pretty(struct buf *buf, const struct json *value, unsigned indent)
{
    write_value(buf, value, (int)indent, 0);
}

struct str json_text(struct arena *arena, const struct json *value)
{
    struct buf buf;
    buf_init(&buf, arena);
    json_write(&buf, value);
    return buf_str(&buf);
}
