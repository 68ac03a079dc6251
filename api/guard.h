/* What is refused before anything else looks at a request: targets and headers that two programs could read
 * in two ways, and what a browser on this machine could be made to send.
 *
 * libmicrohttpd takes a body framed twice, a bare line feed, %00, `..` and control bytes; these checks stand
 * between it and the handlers. What the library itself cannot read (a line without a colon, a length that is
 * no number, a broken chunk, HTTP/2 or HTTP/0.9, more header than its buffer) it refuses before anybody is
 * asked, with a page of ours (overlay.h), or by closing when not even a method came. Pure functions on
 * text: no I/O, any thread; results borrow from the arena or the given text. On refusal `fault` holds the
 * page to answer with. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "api/page.h"
#include "engine/base/arena.h"
#include "engine/base/str.h"

enum {
    GUARD_SEGMENTS_MAX = 8, /* the longest route has four */
    GUARD_PARAMS_MAX = 32,  /* list filters: five of their own and 16 search attributes */
    GUARD_HEADERS_MAX = 64, /* a browser sends about 20 */
    GUARD_TARGET_BYTES = 8192,
    GUARD_HEADER_BYTES = 16384,
};
struct guard_param {
    struct str name;
    struct str value;
};
struct guard_target {
    struct str path;                         /* decoded, for messages */
    struct str segments[GUARD_SEGMENTS_MAX]; /* decoded; "/" has none; an empty one stays empty */
    uint32_t segment_count;
    struct guard_param params[GUARD_PARAMS_MAX];
    uint32_t param_count;
};
struct guard_header {
    struct str name;
    struct str value;
};
struct guard_fault {
    enum page_kind kind;
    struct str detail;
};
struct guard_request {
    struct str method;
    struct str target; /* as it was sent */
    struct str version;
    const struct guard_header *headers;
    uint32_t header_count;
    uint64_t header_bytes; /* of the whole header as sent, from the method to the empty line */
};
/* What the framing headers mean. */
struct guard_framing {
    bool chunked;
    bool has_length;
    uint64_t length;
};

bool guard_target(struct arena *arena, struct str raw, struct guard_target *target,
                  struct guard_fault *fault);
/* Method, version, header lines, framing, Host, Origin and Sec-Fetch-Site. */
bool guard_request(struct arena *arena, const struct guard_request *request, struct guard_framing *framing,
                   struct guard_fault *fault);
/* Whether the texts stand in one piece of memory as a header that was sent with CRLF at every line, without
 * folded lines and NUL bytes, would leave them: each part begins where the last one and its separator end.
 * The parser replaces separators by NUL in place, so this is how a bare line feed is found after the fact. */
bool guard_layout(const struct guard_request *request, struct guard_fault *fault);
/* The header's value, "" when there is none. Names compare without regard to case. */
struct str guard_header(const struct guard_request *request, struct str name);
