/* The fields a body may have: one table a body, all mistakes at once. */
#pragma once
#include <stdbool.h>
#include "api/request.h"

enum fields_type {
    FIELDS_ANY,    /* any JSON, nested at most LIMITS_PAYLOAD_DEPTH deep */
    FIELDS_TEXT,   /* a string of 1 to `most` bytes, without control characters but line feed and tab */
    FIELDS_KEY,    /* a string of 1 to `most` bytes, without any control character */
    FIELDS_CODE,   /* an error code: a string of 1 to `most` visible ASCII characters */
    FIELDS_NUMBER, /* an integer of 1 to `most` */
    FIELDS_OBJECT,
    FIELDS_FLAG,    /* true or false */
    FIELDS_SECONDS, /* a duration ("30s") or a number of seconds, 0 to `most` seconds */
};
struct fields_row {
    struct str name;
    enum fields_type type;
    bool required;
    int64_t most;
};

/* False: answered with 400, unknown fields named with what they may have meant. */
bool fields_check(struct request *request, const struct json *object, const struct fields_row *rows,
                  uint32_t count);
/* The time a FIELDS_SECONDS field means; 0 for NULL. */
int64_t fields_span_us(const struct json *value);
/* "/" + name, escaped as RFC 6901 says. */
struct str fields_pointer(struct arena *arena, struct str name);
