/* JSON that keeps number text: strict RFC 8259, UTF-8, no duplicate keys, no U+0000, bounded depth and size.
 *
 * A tree is immutable once made and may be shared by any number of parents in the same or a longer-lived
 * arena. 19.90 stays 19.90: a number is its text. No other thread may use the arena while a tree is being
 * made; reading is free for all. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_member;
struct json {
    enum json_kind kind;
    bool boolean;
    uint32_t count;              /* of items or members */
    struct str text;             /* number: its text; string: decoded bytes */
    const struct json **items;   /* array */
    struct json_member *members; /* object, in the order of the text */
};
struct json_member {
    struct str key;
    const struct json *value;
};

/* Reads one value that fills all of `text` (white space around it allowed). `size_max` in bytes; depth is
 * bounded by LIMITS_JSON_DEPTH. On ERR_INVALID or ERR_LIMIT the note says what is wrong as "line:column: …"
 * (columns in bytes, from 1). Strings are decoded; U+0000 and lone surrogates are refused. Copies: `text` may
 * go away. */
enum err json_parse(struct arena *arena, struct str text, size_t size_max, const struct json **value,
                    struct err_note *note) __attribute__((warn_unused_result));

/* Compact text, members in the order they have. Deterministic: the same tree gives the same bytes. */
void json_write(struct buf *buf, const struct json *value);
/* Indented by two spaces a level, for people. */
void json_write_pretty(struct buf *buf, const struct json *value, unsigned indent);
/* One JSON string literal, quotes included. */
void json_write_string(struct buf *buf, struct str text);
struct str json_text(struct arena *arena, const struct json *value);

/* The member's value, or NULL: when there is none, or `object` is NULL or no object. */
const struct json *json_get(const struct json *object, struct str key);
/* The member's string, or the empty str when it is not there or not a string. */
struct str json_get_str(const struct json *object, struct str key);
/* An integer number without fraction or exponent that fits; false leaves *value alone. */
bool json_to_i64(const struct json *value, int64_t *number);
bool json_get_i64(const struct json *object, struct str key, int64_t *number);
/* Deep equality as JSON Schema means it: numbers by value (1.0 equals 1, exactly, any size), objects without
 * regard to order. */
bool json_equal(const struct json *a, const struct json *b);
/* Exact comparison of two JSON numbers by value, any size: negative, zero, positive. */
int json_number_compare(struct str a, struct str b);
/* One text for all texts of a value: 7 for 7.0 and 70e-1, 0 for -0, 1e400 for 10e399. Plain where it has at
 * most JSON_NUMBER_PLAIN digits before the point and no more zeros behind it than that before others. "" :
 * its exponent is beyond any number that means something. */
enum { JSON_NUMBER_PLAIN = 30 };
struct str json_number_canonical(struct arena *arena, struct str text);
/* A deep copy into another arena. NULL gives NULL. */
const struct json *json_copy(struct arena *arena, const struct json *value);

/* "line:column" of a note that json_parse wrote: where, without what stands there. */
struct str json_place(const char *message);
/* Levels of arrays and objects: 0 for a scalar, 1 for [] and {}. A tree deeper than LIMITS_JSON_DEPTH can be
 * written but not read back: who builds trees from a user's expression refuses those. */
unsigned json_depth(const struct json *value);
/* Whether an array or object is nested in `most` others, or more; then *place is the JSON Pointer of the
 * first. */
bool json_deeper(struct arena *arena, const struct json *value, unsigned most, struct str *place);
/* "/" + key, escaped as RFC 6901 says. */
void json_write_pointer(struct buf *out, struct str key);

extern const struct json json_null, json_true, json_false;
const struct json *json_new_string(struct arena *arena, struct str text); /* borrows text */
const struct json *json_new_number(struct arena *arena,
                                   struct str text); /* borrows; text must be a JSON number */
const struct json *json_new_i64(struct arena *arena, int64_t number);
const struct json *json_new_bool(bool value);
/* Borrow the arrays. Keys must be unique: the caller's duty. */
const struct json *json_new_array(struct arena *arena, const struct json **items, uint32_t count);
const struct json *json_new_object(struct arena *arena, struct json_member *members, uint32_t count);
