/* A borrowed run of bytes with its size: text that need not end in NUL.
 *
 * A str owns nothing; it borrows from an arena, a literal or a message, and lives no longer than that. The
 * bytes are UTF-8 wherever the text came from outside, because every edge checks it. Any thread may call
 * these. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data; /* may be NULL only when size is 0 */
    size_t size;      /* bytes */
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).size, ((s).data ? (s).data : "")

/* The bytes of a C string, without its NUL; a NULL pointer gives the empty str. */
static inline struct str str_from(const char *text);
static inline bool str_equal(struct str a, struct str b);
/* Without regard to the case of ASCII letters. */
bool str_equal_nocase(struct str a, struct str b);
/* Byte order: negative, zero or positive, as memcmp; a prefix sorts first. */
int str_compare(struct str a, struct str b);
bool str_starts(struct str text, struct str prefix);
bool str_ends(struct str text, struct str suffix);
/* Position of the first byte c, or text.size when it is not there. */
size_t str_find(struct str text, char c);
/* The part from begin up to end; both are cut to the size. */
static inline struct str str_slice(struct str text, size_t begin, size_t end);
/* White space (space, tab, CR, LF) cut off on both ends. */
struct str str_trim(struct str text);
/* A decimal integer, all of the text: false when it is not one or does not fit. */
bool str_to_i64(struct str text, int64_t *value);
/* The number in decimal, without a NUL; the text lies in `room` and lives as long as that. */
enum { STR_I64_SIZE = 20 };
struct str str_of_i64(char room[STR_I64_SIZE], int64_t value);
struct str str_of_u64(char room[STR_I64_SIZE], uint64_t value);
/* FNV-1a, 64 bits: for hash tables and shard choice, not for secrets. Stable for ever: shard choice depends
 * on it. */
uint64_t str_hash(struct str text);
/* True when the bytes are strict UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool str_is_utf8(struct str text);
/* Whether a character of UTF-8 text is a control character: below U+0020, U+007F to U+009F. */
bool str_has_control(struct str text);
/* Bytes of the longest beginning that is strict UTF-8 and ends with a whole character. */
size_t str_utf8_size(struct str text);
/* Edit distance (insert, remove, replace, swap two neighbours), cut at `most` + 1: for "did you mean". Texts
 * over 64 bytes count as far apart. */
size_t str_distance(struct str a, struct str b, size_t most);

static inline struct str str_from(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline struct str str_slice(struct str text, size_t begin, size_t end)
{
    if (end > text.size)
        end = text.size;
    if (begin >= end)
        return (struct str){text.data, 0};
    return (struct str){text.data + begin, end - begin};
}
