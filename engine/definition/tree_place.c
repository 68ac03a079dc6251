/* From a position in a scalar's text back to the file, so that carets stand under what is meant. Part of
 * tree.h; called by who reports a mistake inside a scalar. Never guesses: what cannot be placed is told at
 * the scalar's begin. */
#include "engine/definition/tree.h"

/* Bytes of a code point in UTF-8, from the hexadecimal digits of an escape. */
static size_t utf8_size_of(struct str digits)
{
    uint32_t code = 0;
    for (size_t i = 0; i < digits.size; i++) {
        char c = digits.data[i];
        code = code * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* The escape at the begin of `text`: its bytes in the source, and in the decoded text. */
static size_t escape_size(struct str text, size_t *decoded)
{
    char kind = text.size > 1 ? text.data[1] : 0;
    size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    *decoded = digits ? utf8_size_of(str_slice(text, 2, 2 + digits)) : 1;
    if (kind == 'N' || kind == '_') /* U+0085, U+00A0 */
        *decoded = 2;
    if (kind == 'L' || kind == 'P') /* U+2028, U+2029 */
        *decoded = 3;
    return 2 + digits;
}

/* Bytes of the source that make the first `wanted` bytes of the decoded text; `most` when its line does not
 * hold so many. */
static size_t source_size(struct str source, char style, size_t wanted, size_t most)
{
    size_t at = 0;
    for (size_t made = 0; made < wanted;) {
        if (at >= source.size || source.data[at] == '\n')
            return most;
        size_t decoded = 1;
        if (style == '"' && source.data[at] == '\\')
            at += escape_size(str_slice(source, at, source.size), &decoded);
        else
            at += style == '\'' && source.data[at] == '\'' ? 2 : 1;
        made += decoded;
    }
    return at;
}

struct diag_place tree_place(const struct tree *scalar, struct str source, struct diag_place place)
{
    struct diag_place inside = scalar->inside;
    if (scalar->style == '|') {
        if (place.line > inside.line)
            place.column += inside.column - 1;
        return place;
    }
    struct str rest = str_slice(source, scalar->inside_at, source.size);
    if (place.line != inside.line)
        return inside;
    size_t offset = place.column - inside.column;
    size_t begin = source_size(rest, scalar->style, offset, SIZE_MAX);
    if (begin == SIZE_MAX)
        return inside;
    size_t end = source_size(rest, scalar->style, offset + place.size, begin);
    return (struct diag_place){inside.line, inside.column + (uint32_t)begin, (uint32_t)(end - begin)};
}
