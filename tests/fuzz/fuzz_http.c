/* HTTP requests as bytes, cut the way libmicrohttpd does it: at single spaces, at line feeds with or without
 * CR, at the first colon. Whatever they hold, the guard passes or refuses them with a page; what it passes is
 * safe to look at and was framed in one way only; bodies become objects or pages. */
#include "tests/fuzz/fuzz.h"
#include <string.h>
#include <strings.h>
#include "api/fields.h"
#include "api/request.h"
#include "api/route.h"
#include "engine/base/check.h"

struct cut {
    struct guard_request head;
    struct guard_header headers[GUARD_HEADERS_MAX + 1];
    bool bare; /* a line feed without CR, or a continued line */
    struct str body;
};

/* The line without its end; notes when it ended otherwise than by CR LF. */
static struct str take_line(struct str *rest, struct cut *cut)
{
    bool ended = str_find(*rest, '\n') < rest->size;
    struct str line = fuzz_line(rest);
    bool proper = ended && line.size > 0 && line.data[line.size - 1] == '\r';
    cut->bare = cut->bare || !proper;
    return proper ? str_slice(line, 0, line.size - 1) : line;
}

static struct str take_word(struct str *line)
{
    size_t end = str_find(*line, ' ');
    struct str word = str_slice(*line, 0, end);
    *line = str_slice(*line, end + 1, line->size);
    return word;
}

static struct guard_header cut_header(struct str line)
{
    size_t colon = str_find(line, ':');
    struct str value = {line.data + colon + 1, line.size - colon - 1};
    for (; value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'); value.size--)
        value.data++; /* an empty value begins where the line ends */
    return (struct guard_header){str_slice(line, 0, colon), value};
}

/* False: the library would have refused it itself. */
static bool cut_request(struct str text, struct cut *cut)
{
    struct str rest = text;
    struct str line = take_line(&rest, cut);
    cut->head.method = take_word(&line);
    cut->head.target = take_word(&line);
    cut->head.version = line;
    cut->head.headers = cut->headers;
    while (rest.size > 0) {
        line = take_line(&rest, cut);
        if (line.size == 0)
            break;
        if (str_find(line, ':') == line.size || cut->head.header_count > GUARD_HEADERS_MAX)
            return false;
        cut->headers[cut->head.header_count++] = cut_header(line);
    }
    cut->head.header_bytes = text.size - rest.size;
    cut->body = rest;
    return cut->head.method.size > 0 && cut->head.target.size > 0 && cut->head.version.size > 0;
}

static bool is_clean(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return str_is_utf8(text);
}

/* Reasons may have lines. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != '\n' && text.data[i] != '\t' && !is_clean(str_slice(text, i, i + 1)) &&
            (unsigned char)text.data[i] < 0x80)
            return false;
    return str_is_utf8(text);
}

static void check_page(struct arena *arena, const struct guard_fault *fault)
{
    struct buf out;
    struct page page = {.kind = fault->kind, .detail = fault->detail};
    buf_init(&out, arena);
    check(fault->detail.size > 0 && page_status(fault->kind) >= 400);
    page_write(&out, &page);
    (void)fuzz_is_json(arena, buf_str(&out));
}

static void check_target(const struct guard_target *target)
{
    check(target->segment_count <= GUARD_SEGMENTS_MAX && target->param_count <= GUARD_PARAMS_MAX);
    check(is_clean(target->path));
    for (uint32_t i = 0; i < target->segment_count; i++) {
        struct str segment = target->segments[i];
        check(is_clean(segment) && !str_equal(segment, STR(".")) && !str_equal(segment, STR("..")));
        check(str_find(segment, '/') == segment.size && str_find(segment, '\\') == segment.size);
    }
    for (uint32_t i = 0; i < target->param_count; i++)
        check(is_clean(target->params[i].name) && is_clean(target->params[i].value));
}

static unsigned count_headers(const struct request *request, const char *name)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < request->head.header_count; i++) {
        struct str found = request->head.headers[i].name;
        count += found.size == strlen(name) && strncasecmp(found.data, name, found.size) == 0;
    }
    return count;
}

/* Where the body ends is said at most once. */
static void check_framing(const struct request *request)
{
    unsigned lengths = count_headers(request, "Content-Length");
    unsigned codings = count_headers(request, "Transfer-Encoding");
    check(lengths + codings <= 1 && count_headers(request, "Host") <= 1);
    check(request->framing.has_length == (lengths == 1) && request->framing.chunked == (codings == 1));
}

/* A refusal is a page; a pass has no answer yet. */
static void check_answered(struct request *request, bool fine)
{
    check(fine == (request->status == 0));
    if (fine)
        return;
    check(request->status >= 400 && request->text.size > 0);
    (void)fuzz_is_json(&request->arena, request->text);
    request->status = 0;
}

static void check_body(struct request *request)
{
    const struct fields_row rows[] = {
        {STR("definition"), FIELDS_TEXT, true, 63}, {STR("version"), FIELDS_NUMBER, false, INT32_MAX},
        {STR("input"), FIELDS_ANY, false, 0},       {STR("search"), FIELDS_OBJECT, false, 0},
        {STR("reason"), FIELDS_TEXT, false, 1000},  {STR("wait"), FIELDS_SECONDS, false, 60}};
    check_answered(request, request_check_type(request));
    const struct json *object = request_body_object(request);
    check_answered(request, object != NULL);
    if (object == NULL)
        return;
    bool fine = fields_check(request, object, rows, sizeof rows / sizeof rows[0]);
    check_answered(request, fine);
    if (!fine)
        return;
    check(is_plain(json_get_str(object, STR("definition"))));
    int64_t span_us = fields_span_us(json_get(object, STR("wait")));
    check(span_us >= 0 && span_us <= INT64_C(60000000));
}

static void check_routed(struct request *request)
{
    struct guard_fault fault;
    struct str allow = {0};
    struct id id;
    int64_t number = 0;
    request->route = route_find(request->head.method, &request->target, &request->arena, &allow);
    if (request->route == NULL)
        return;
    if (!route_check_params(request->route, &request->target, &request->arena, &fault))
        check_page(&request->arena, &fault);
    bool fine = request_number(request, STR("limit"), 1, 200, 50, &number);
    check_answered(request, fine);
    check(!fine || (number >= 1 && number <= 200));
    if (request->target.segment_count > 2)
        check_answered(request, request_saga_id(request, &id));
    check_body(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cut cut = {.bare = false};
    struct request request = {.status = 0};
    struct guard_fault fault = {0};
    if (!cut_request((struct str){(const char *)data, size}, &cut))
        return 0;
    arena_init(&request.arena, 0);
    buf_init(&request.body, &request.arena);
    buf_put(&request.body, cut.body);
    request.head = cut.head;
    if (guard_layout(&cut.head, &fault))
        check(!cut.bare);
    else
        check_page(&request.arena, &fault);
    bool target = guard_target(&request.arena, cut.head.target, &request.target, &fault);
    if (target)
        check_target(&request.target);
    else
        check_page(&request.arena, &fault);
    if (!guard_request(&request.arena, &cut.head, &request.framing, &fault))
        check_page(&request.arena, &fault);
    else if (target) {
        check_framing(&request);
        check_routed(&request);
    }
    arena_fini(&request.arena);
    return 0;
}
