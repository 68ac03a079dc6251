/* Error pages after RFC 9457: one table of kinds (problems.def), one writer.
 *
 * {"type": "urn:sagad:problem:unknown-field", "title": …, "status": 400, "detail": …, "instance": path,
 *  "hint": …, "errors": [{"pointer", "detail"}], …}
 * Members without a value are left out. A problem borrows its texts. Any thread. */
#pragma once
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/str.h"

enum problem_kind {
#define X(name, slug, status, title) PROBLEM_##name,
#include "api/problems.def"
#undef X
};
struct problem_error {
    struct str pointer; /* JSON Pointer into the body of the request */
    struct str detail;
};
struct problem {
    enum problem_kind kind;
    struct str detail;
    struct str hint;     /* "" : none */
    struct str instance; /* the path of the request; "" : not told */
    const struct problem_error *errors;
    uint32_t error_count;
    struct str extra; /* more members as JSON text, "\"name\":value,…"; "" : none */
};

unsigned problem_status(enum problem_kind kind);
struct str problem_slug(enum problem_kind kind);
/* Appends the page's JSON text. */
void problem_write(struct buf *out, const struct problem *problem);
