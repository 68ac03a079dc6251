#include "engine/bus/envelope_text.h"

#include <string.h>

struct str envelope_cut(struct str text, size_t most)
{
    if (text.size <= most)
        return text;
    size_t end = most;
    while (end > 0 && ((unsigned char)text.data[end] & 0xc0) == 0x80)
        end--;
    return str_slice(text, 0, end);
}

/* Bytes of the UTF-8 character that begins at `at`; 0 when none does. */
static size_t character_size(struct str text, size_t at)
{
    for (size_t size = 1; size <= 4 && at + size <= text.size; size++)
        if (str_is_utf8(str_slice(text, at, at + size)))
            return size;
    return 0;
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_clean(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (is_control(text.data[i]))
            return false;
    return str_is_utf8(text);
}

struct str envelope_clean(struct arena *arena, struct str text, size_t most)
{
    /* A few bytes more, so that the cut meets a whole character. */
    struct str rough = str_slice(text, 0, most + 4);
    if (is_clean(rough) || is_clean(envelope_cut(rough, most)))
        return envelope_cut(rough, most);
    char *bytes = arena_alloc(arena, rough.size);
    memcpy(bytes, rough.data, rough.size);
    for (size_t at = 0; at < rough.size;) {
        size_t size = character_size(rough, at);
        if (size == 0)
            bytes[at] = '?';
        else if (is_control(rough.data[at]))
            bytes[at] = ' ';
        at += size > 0 ? size : 1;
    }
    return envelope_cut((struct str){bytes, rough.size}, most);
}
