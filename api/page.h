/* Error pages after RFC 9457: one table of kinds (pages.def), one writer.
 *
 * {"type": "urn:sagad:problem:unknown-field", "title": …, "status": 400, "detail": …, "instance": path,
 *  "hint": …, "errors": [{"pointer", "detail"}], …}
 * Members without a value are left out. A page borrows its texts. Any thread. */
#pragma once
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/str.h"

enum page_kind {
#define X(name, slug, status, title) PAGE_##name,
#include "api/pages.def"
#undef X
};
struct page_error {
    struct str pointer; /* JSON Pointer into the body of the request */
    struct str detail;
};
struct page {
    enum page_kind kind;
    struct str detail;
    struct str hint;     /* "" : none */
    struct str instance; /* the path of the request; "" : not told */
    const struct page_error *errors;
    uint32_t error_count;
    struct str extra; /* more members as JSON text, "\"name\":value,…"; "" : none */
};

unsigned page_status(enum page_kind kind);
struct str page_slug(enum page_kind kind);
/* Appends the page's JSON text. */
void page_write(struct buf *out, const struct page *page);
