/* Runs of bytes: compare, find, cut, numbers, UTF-8, edit distance. Called everywhere. Never owns or changes
 * what it looks at. */
#include "engine/base/str.h"
#include <string.h>
#include <strings.h>

bool str_equal_nocase(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

int str_compare(struct str a, struct str b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool str_starts(struct str text, struct str prefix)
{
    return text.size >= prefix.size && str_equal(str_slice(text, 0, prefix.size), prefix);
}

bool str_ends(struct str text, struct str suffix)
{
    return text.size >= suffix.size && str_equal(str_slice(text, text.size - suffix.size, text.size), suffix);
}

size_t str_find(struct str text, char c)
{
    const char *found = text.size ? memchr(text.data, c, text.size) : NULL;
    return found ? (size_t)(found - text.data) : text.size;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str str_trim(struct str text)
{
    while (text.size && is_space(text.data[text.size - 1]))
        text.size--;
    while (text.size && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

bool str_to_i64(struct str text, int64_t *value)
{
    size_t i = text.size && text.data[0] == '-';
    int64_t sign = i ? -1 : 1;
    int64_t sum = 0;
    if (i == text.size)
        return false;
    for (; i < text.size; i++) {
        char c = text.data[i];
        /* Summed towards the sign, so that the smallest number fits. */
        if (c < '0' || c > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, sign * (c - '0'), &sum))
            return false;
    }
    *value = sum;
    return true;
}

struct str str_of_u64(char room[STR_I64_SIZE], uint64_t value)
{
    size_t begin = STR_I64_SIZE;
    do {
        room[--begin] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return (struct str){room + begin, STR_I64_SIZE - begin};
}

struct str str_of_i64(char room[STR_I64_SIZE], int64_t value)
{
    if (value >= 0)
        return str_of_u64(room, (uint64_t)value);
    struct str digits = str_of_u64(room, 0 - (uint64_t)value);
    char *sign = room + (STR_I64_SIZE - digits.size - 1);
    *sign = '-';
    return (struct str){sign, digits.size + 1};
}

uint64_t str_hash(struct str text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (uint8_t)text.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Bytes of the character at `bytes`, of which `size` (at least 1) are there; 0 when it is none. The bounds of
 * the second byte refuse overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629, section 4). */
static size_t utf8_character(const uint8_t *bytes, size_t size)
{
    uint8_t first = bytes[0];
    if (first < 0x80)
        return 1;
    size_t wanted = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || size < wanted)
        return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < wanted; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    return wanted;
}

bool str_has_control(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned char next = i + 1 < text.size ? (unsigned char)text.data[i + 1] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f))
            return true;
    }
    return false;
}

size_t str_utf8_size(struct str text)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    size_t i = 0;
    while (i < text.size) {
        uint64_t eight;
        /* Most text is ASCII: eight bytes at a time. */
        while (text.size - i >= sizeof eight) {
            memcpy(&eight, bytes + i, sizeof eight);
            if (eight & UINT64_C(0x8080808080808080))
                break;
            i += sizeof eight;
        }
        if (i == text.size)
            break;
        size_t size = utf8_character(bytes + i, text.size - i);
        if (!size)
            return i;
        i += size;
    }
    return i;
}

bool str_is_utf8(struct str text)
{
    return str_utf8_size(text) == text.size;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t str_distance(struct str a, struct str b, size_t most)
{
    enum { LONGEST = 64 };
    if (a.size > LONGEST || b.size > LONGEST)
        return most + 1;
    /* rows[i % 3][j]: the distance of the first i bytes of a to the first j of b. */
    size_t rows[3][LONGEST + 1] = {{0}};
    for (size_t j = 0; j <= b.size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            bool same = a.data[i - 1] == b.data[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return least(rows[a.size % 3][b.size], most + 1);
}
