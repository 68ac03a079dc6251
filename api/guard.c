/* What is refused before a handler sees it: targets, headers, framing, origins. Called by api.c for each
 * request. Never lets through what two programs could read in two ways. */
#include "api/guard.h"
#include "api/literal.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "engine/base/buf.h"

static bool refuse(struct guard_fault *fault, enum page_kind kind, struct str detail)
{
    fault->kind = kind;
    fault->detail = detail;
    return false;
}

static bool same_word(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (!isalnum(c) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.size > 0;
}

static bool has_control(struct str text, bool tab_allowed)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == 0x7f || (c < 0x20 && !(c == '\t' && tab_allowed)))
            return true;
    }
    return false;
}

/* Targets */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int lower = tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Percent-decodes; in a query `+` is a space. */
static bool decode(struct arena *arena, struct str raw, bool query, struct str *text,
                   struct guard_fault *fault)
{
    char *out = arena_alloc(arena, raw.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < raw.size; i++) {
        char c = raw.data[i];
        if (c == '%') {
            if (raw.size - i < 3 || hex(raw.data[i + 1]) < 0 || hex(raw.data[i + 2]) < 0)
                return refuse(fault, PAGE_MALFORMED_TARGET,
                              STR("a % in the URL is not followed by two hexadecimal digits"));
            c = (char)(hex(raw.data[i + 1]) * 16 + hex(raw.data[i + 2]));
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        out[size++] = c;
    }
    *text = (struct str){out, size};
    if (has_control(*text, false))
        return refuse(fault, PAGE_MALFORMED_TARGET,
                      STR("the URL holds a control character (NUL, CR and LF are among them)"));
    if (!str_is_utf8(*text))
        return refuse(fault, PAGE_MALFORMED_TARGET, STR("the URL is not UTF-8"));
    return true;
}

static bool read_segment(struct arena *arena, struct str raw, struct guard_target *target,
                         struct guard_fault *fault)
{
    if (target->segment_count == GUARD_SEGMENTS_MAX)
        return refuse(fault, PAGE_NO_SUCH_ENDPOINT, STR("no path has so many segments"));
    struct str segment;
    if (!decode(arena, raw, false, &segment, fault))
        return false;
    if (str_equal(segment, STR(".")) || str_equal(segment, STR("..")))
        return refuse(fault, PAGE_MALFORMED_TARGET, STR("the path holds \".\" or \"..\""));
    if (str_find(segment, '/') < segment.size || str_find(segment, '\\') < segment.size)
        return refuse(fault, PAGE_MALFORMED_TARGET,
                      STR("a segment of the path holds a slash or a backslash"));
    target->segments[target->segment_count++] = segment;
    return true;
}

static bool read_path(struct arena *arena, struct str raw, struct guard_target *target,
                      struct guard_fault *fault)
{
    struct buf path;
    buf_init(&path, arena);
    size_t begin = 1;
    while (begin < raw.size || (begin == raw.size && raw.size > 1)) {
        size_t size = str_find(str_slice(raw, begin, raw.size), '/');
        if (!read_segment(arena, str_slice(raw, begin, begin + size), target, fault))
            return false;
        buf_char(&path, '/');
        buf_put(&path, target->segments[target->segment_count - 1]);
        begin += size + 1;
    }
    target->path = target->segment_count ? buf_str(&path) : STR("/");
    return true;
}

static bool read_param(struct arena *arena, struct str raw, struct guard_target *target,
                       struct guard_fault *fault)
{
    if (raw.size == 0)
        return true;
    if (target->param_count == GUARD_PARAMS_MAX)
        return refuse(fault, PAGE_INVALID_PARAMETER, STR("the query has more than 32 parameters"));
    struct guard_param *param = &target->params[target->param_count];
    size_t equals = str_find(raw, '=');
    if (!decode(arena, str_slice(raw, 0, equals), true, &param->name, fault) ||
        !decode(arena, str_slice(raw, equals + 1, raw.size), true, &param->value, fault))
        return false;
    for (uint32_t i = 0; i < target->param_count; i++)
        if (str_equal(target->params[i].name, param->name))
            return refuse(fault, PAGE_INVALID_PARAMETER,
                          arena_printf(arena, "the parameter \"%.*s\" stands twice", STR_ARG(param->name)));
    target->param_count++;
    return true;
}

static bool read_query(struct arena *arena, struct str raw, struct guard_target *target,
                       struct guard_fault *fault)
{
    for (size_t begin = 0; begin < raw.size;) {
        size_t size = str_find(str_slice(raw, begin, raw.size), '&');
        if (!read_param(arena, str_slice(raw, begin, begin + size), target, fault))
            return false;
        begin += size + 1;
    }
    return true;
}

bool guard_target(struct arena *arena, struct str raw, struct guard_target *target, struct guard_fault *fault)
{
    memset(target, 0, sizeof *target);
    if (raw.size > GUARD_TARGET_BYTES)
        return refuse(fault, PAGE_TARGET_TOO_LONG,
                      arena_printf(arena, "the URL is longer than %d bytes", GUARD_TARGET_BYTES));
    if (raw.size == 0 || raw.data[0] != '/')
        return refuse(fault, PAGE_MALFORMED_TARGET, STR("the request's target does not begin with a slash"));
    for (size_t i = 0; i < raw.size; i++)
        if ((unsigned char)raw.data[i] <= 0x20 || (unsigned char)raw.data[i] >= 0x7f || raw.data[i] == '#')
            return refuse(fault, PAGE_MALFORMED_TARGET,
                          STR("the URL holds a byte that must be percent-encoded"));
    size_t mark = str_find(raw, '?');
    return read_path(arena, str_slice(raw, 0, mark), target, fault) &&
           read_query(arena, str_slice(raw, mark + 1, raw.size), target, fault);
}

/* Headers */

static uint32_t count_header(const struct guard_request *request, struct str name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->header_count; i++)
        count += same_word(request->headers[i].name, name);
    return count;
}

struct str guard_header(const struct guard_request *request, struct str name)
{
    for (uint32_t i = 0; i < request->header_count; i++)
        if (same_word(request->headers[i].name, name))
            return request->headers[i].value;
    return (struct str){NULL, 0};
}

static bool check_line(const struct guard_request *request, struct guard_fault *fault)
{
    if (!is_token(request->method))
        return refuse(fault, PAGE_MALFORMED_REQUEST, STR("the method is not a token"));
    if (str_equal(request->version, STR("HTTP/1.1")) || str_equal(request->version, STR("HTTP/1.0")))
        return true;
    if (str_starts(request->version, STR("HTTP/")))
        return refuse(fault, PAGE_UNKNOWN_VERSION, STR("this service speaks HTTP/1.1 and HTTP/1.0"));
    return refuse(fault, PAGE_MALFORMED_REQUEST, STR("the request line does not end with a version of HTTP"));
}

static bool check_headers(struct arena *arena, const struct guard_request *request, struct guard_fault *fault)
{
    if (request->header_count > GUARD_HEADERS_MAX || request->header_bytes > GUARD_HEADER_BYTES)
        return refuse(fault, PAGE_HEADERS_TOO_LARGE,
                      arena_printf(arena, "at most %d header lines and %d bytes of header are taken",
                                   GUARD_HEADERS_MAX, GUARD_HEADER_BYTES));
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct guard_header *header = &request->headers[i];
        if (!is_token(header->name))
            return refuse(fault, PAGE_MALFORMED_REQUEST, STR("the name of a header is not a token"));
        if (has_control(header->value, true) || !str_is_utf8(header->value))
            return refuse(fault, PAGE_MALFORMED_REQUEST,
                          arena_printf(arena, "the header %.*s holds a control character or is not UTF-8",
                                       STR_ARG(header->name)));
    }
    return true;
}

static bool check_once(struct arena *arena, const struct guard_request *request, struct guard_fault *fault)
{
    static const struct str singles[] = {
        LITERAL("Content-Length"), LITERAL("Transfer-Encoding"), LITERAL("Host"),
        LITERAL("Content-Type"),   LITERAL("Content-Encoding"),  LITERAL("Expect"),
        LITERAL("Origin"),         LITERAL("Sec-Fetch-Site"),    LITERAL("traceparent")};
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
        if (count_header(request, singles[i]) > 1)
            return refuse(fault, PAGE_MALFORMED_REQUEST,
                          arena_printf(arena, "the header %.*s stands twice", STR_ARG(singles[i])));
    return true;
}

static bool read_length(struct str text, struct guard_framing *framing, struct guard_fault *fault)
{
    int64_t length = -1;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return refuse(fault, PAGE_MALFORMED_REQUEST, STR("Content-Length is not a number"));
    if (!str_to_i64(text, &length) || length < 0)
        return refuse(fault, PAGE_MALFORMED_REQUEST, STR("Content-Length is not a number of bytes"));
    framing->has_length = true;
    framing->length = (uint64_t)length;
    return true;
}

static bool check_framing(const struct guard_request *request, struct guard_framing *framing,
                          struct guard_fault *fault)
{
    bool has_length = count_header(request, STR("Content-Length")) > 0;
    bool has_coding = count_header(request, STR("Transfer-Encoding")) > 0;
    if (has_length && has_coding)
        return refuse(
            fault, PAGE_MALFORMED_REQUEST,
            STR("Transfer-Encoding and Content-Length stand together, so the body's end is in doubt"));
    if (has_length)
        return read_length(guard_header(request, STR("Content-Length")), framing, fault);
    if (!has_coding)
        return true;
    if (str_equal(request->version, STR("HTTP/1.0")))
        return refuse(fault, PAGE_MALFORMED_REQUEST, STR("HTTP/1.0 has no Transfer-Encoding"));
    if (!same_word(guard_header(request, STR("Transfer-Encoding")), STR("chunked")))
        return refuse(fault, PAGE_UNKNOWN_CODING, STR("the only Transfer-Encoding taken is chunked"));
    framing->chunked = true;
    return true;
}

/* Host and port as RFC 3986 has them, without user information. */
struct authority {
    struct str host; /* an IPv6 address without its brackets */
    bool six;
};

static bool is_address(struct str host, int family)
{
    unsigned char address[16];
    char text[64];
    if (host.size == 0 || host.size >= sizeof text)
        return false;
    memcpy(text, host.data, host.size);
    text[host.size] = '\0';
    return inet_pton(family, text, address) == 1;
}

/* Letters, digits, - and _ in labels of at least one. */
static bool is_name(struct str host)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool dot = c == '.' && i > 0 && host.data[i - 1] != '.';
        if (!dot && !isalnum((unsigned char)c) && c != '-' && c != '_')
            return false;
    }
    return host.size > 0;
}

/* "", or a colon and a number. */
static bool is_port(struct str text)
{
    int64_t port = -1;
    if (text.size == 0)
        return true;
    for (size_t i = 1; i < text.size; i++)
        if (!isdigit((unsigned char)text.data[i]))
            return false;
    return text.data[0] == ':' && str_to_i64(str_slice(text, 1, text.size), &port) && port <= UINT16_MAX;
}

/* All of the text must be understood: what is only looked at from the front can be continued by a stranger
 * ("[::1].example.com", "localhost:80@example.com"). */
static bool read_authority(struct str text, struct authority *authority)
{
    authority->six = str_starts(text, STR("["));
    size_t end = authority->six ? str_find(text, ']') : str_find(text, ':');
    if (authority->six && end == text.size)
        return false;
    authority->host = str_slice(text, authority->six, end);
    bool good = authority->six ? is_address(authority->host, AF_INET6) : is_name(authority->host);
    return good && is_port(str_slice(text, end + authority->six, text.size));
}

/* An address, or a name without a dot: names that a stranger's DNS cannot point here. */
static bool is_local_host(const struct authority *authority)
{
    struct str host = authority->host;
    size_t dot = str_find(host, '.');
    return authority->six || dot == host.size || is_address(host, AF_INET) ||
           (host.size > 10 && same_word(str_slice(host, host.size - 10, host.size), STR(".localhost")));
}

static bool is_loopback_origin(struct str origin)
{
    struct authority authority;
    size_t scheme = str_starts(origin, STR("http://")) ? 7 : str_starts(origin, STR("https://")) ? 8 : 0;
    if (!scheme || !read_authority(str_slice(origin, scheme, origin.size), &authority))
        return false;
    return authority.six
               ? str_equal(authority.host, STR("::1"))
               : same_word(authority.host, STR("localhost")) || str_equal(authority.host, STR("127.0.0.1"));
}

/* While there is no authentication, a page of another site, opened in a browser on this machine, must not
 * reach the service: neither directly (Origin) nor through a name that it points to 127.0.0.1 (Host). */
static bool check_host(const struct guard_request *request, struct guard_fault *fault)
{
    struct authority authority;
    bool has_host = count_header(request, STR("Host")) > 0;
    struct str host = guard_header(request, STR("Host"));
    if (!has_host && str_equal(request->version, STR("HTTP/1.0")))
        return true;
    if (!has_host || host.size == 0)
        return refuse(fault, PAGE_MALFORMED_REQUEST, STR("the header Host is missing or empty"));
    if (!read_authority(host, &authority))
        return refuse(fault, PAGE_MALFORMED_REQUEST,
                      STR("the header Host is not a host: a name or an address, an IPv6 one in brackets, and "
                          "a port behind a colon"));
    if (!is_local_host(&authority))
        return refuse(fault, PAGE_MISDIRECTED,
                      STR("the header Host names a domain; use the address, or localhost"));
    return true;
}

static bool check_origin(const struct guard_request *request, struct guard_fault *fault)
{
    bool has_origin = count_header(request, STR("Origin")) > 0;
    if (has_origin && !is_loopback_origin(guard_header(request, STR("Origin"))))
        return refuse(fault, PAGE_FOREIGN_ORIGIN,
                      STR("the header Origin names a site that is not on this machine"));
    /* A link or an image of another site has no Origin, but browsers say where it stands. A page of this
     * machine under another name is another site to them, too; its Origin told. */
    if (!has_origin && same_word(guard_header(request, STR("Sec-Fetch-Site")), STR("cross-site")))
        return refuse(fault, PAGE_FOREIGN_ORIGIN,
                      STR("the header Sec-Fetch-Site says that a page of another site sent this"));
    struct str expect = guard_header(request, STR("Expect"));
    if (expect.size && !same_word(expect, STR("100-continue")))
        return refuse(fault, PAGE_EXPECTATION_FAILED, STR("the only expectation met is 100-continue"));
    return true;
}

bool guard_request(struct arena *arena, const struct guard_request *request, struct guard_framing *framing,
                   struct guard_fault *fault)
{
    memset(framing, 0, sizeof *framing);
    return check_line(request, fault) && check_headers(arena, request, fault) &&
           check_once(arena, request, fault) && check_framing(request, framing, fault) &&
           check_host(request, fault) && check_origin(request, fault);
}

/* Layout */

/* Between a header's name and its value: the NUL that was the colon, then spaces and tabs. */
static bool follows_colon(const struct guard_header *header)
{
    const char *at = header->name.data + header->name.size;
    if (header->value.data <= at || header->value.data - at > GUARD_HEADER_BYTES)
        return false;
    for (at++; at < header->value.data; at++)
        if (*at != ' ' && *at != '\t')
            return false;
    return true;
}

bool guard_layout(const struct guard_request *request, struct guard_fault *fault)
{
    static const struct str detail =
        LITERAL("every line of the header must end with CR LF, must not be continued "
                "on the next, and must not hold NUL");
    const char *at = request->method.data + request->method.size + 1;
    if (request->target.data != at)
        return refuse(fault, PAGE_MALFORMED_REQUEST, detail);
    at += request->target.size + 1;
    if (request->version.data != at)
        return refuse(fault, PAGE_MALFORMED_REQUEST, detail);
    at += request->version.size + 2;
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct guard_header *header = &request->headers[i];
        if (header->name.data != at || !follows_colon(header))
            return refuse(fault, PAGE_MALFORMED_REQUEST, detail);
        at = header->value.data + header->value.size + 2;
    }
    if (at + 2 != request->method.data + request->header_bytes)
        return refuse(fault, PAGE_MALFORMED_REQUEST, detail);
    return true;
}
