/* The guard by itself: what it makes of targets, and that no bytes at all can harm it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "api/guard.h"
#include "api/request.h"
#include "api/route.h"
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

Test(guard, decodes_paths_and_queries, .init = set_up, .fini = tear_down)
{
    struct guard_target target;
    struct guard_fault fault;
    cr_assert(guard_target(&arena, STR("/v1/sagas/%C3%A4%20b?key=a+b%2B&search.x=%26%3d&&flag&c=a..b"),
                           &target, &fault));
    cr_assert_eq(target.segment_count, 3);
    cr_assert(str_equal(target.segments[2], STR("ä b")));
    cr_assert(str_equal(target.path, STR("/v1/sagas/ä b")));
    static const char *const params[][2] = {{"key", "a b+"}, {"search.x", "&="}, {"flag", ""}, {"c", "a..b"}};
    cr_assert_eq(target.param_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert(str_equal(target.params[i].name, str_from(params[i][0])));
        cr_assert(str_equal(target.params[i].value, str_from(params[i][1])));
    }
}

Test(guard, tells_roots_and_empty_segments_apart, .init = set_up, .fini = tear_down)
{
    struct guard_target target;
    struct guard_fault fault;
    struct str allow;
    cr_assert(guard_target(&arena, STR("/"), &target, &fault));
    cr_assert_eq(target.segment_count, 0);
    cr_assert_not_null(route_find(STR("HEAD"), &target, &arena, &allow));
    static const char *const others[] = {"//", "/v1/sagas/", "/v1//sagas", "/v1/sagas//cancel"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert(guard_target(&arena, str_from(others[i]), &target, &fault), "%s", others[i]);
        cr_assert_null(route_find(STR("POST"), &target, &arena, &allow), "%s", others[i]);
        cr_assert_eq(allow.size, 0, "%s", others[i]);
    }
}

/* Bytes that matter to the guard come more often than others. */
static char pick(struct rng *rng)
{
    static const char special[] = "/%?&=+.#\\ \t\r\n:;,0\0"
                                  "2e2E0dA\x7f\xc3\xa4\xff[]";
    uint64_t which = rng_below(rng, 3);
    if (which == 0)
        return special[rng_below(rng, sizeof special)];
    return which == 1 ? (char)('a' + rng_below(rng, 26)) : (char)rng_below(rng, 256);
}

static struct str noise(struct rng *rng, size_t most)
{
    size_t size = rng_below(rng, most + 1);
    char *text = arena_alloc(&arena, size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = pick(rng);
    return (struct str){text, size};
}

static bool is_clean(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return str_is_utf8(text);
}

static void fuzz_target(struct rng *rng)
{
    struct guard_target target;
    struct guard_fault fault = {0};
    struct str raw = noise(rng, 60);
    if (rng_below(rng, 4)) /* most begin well, else nothing further would be reached */
        raw = arena_printf(&arena, "/%.*s", STR_ARG(raw));
    if (!guard_target(&arena, raw, &target, &fault)) {
        cr_assert(fault.detail.size > 0 && page_status(fault.kind) >= 400);
        return;
    }
    for (uint32_t i = 0; i < target.segment_count; i++) {
        cr_assert(is_clean(target.segments[i]));
        cr_assert(!str_equal(target.segments[i], STR("..")) && !str_equal(target.segments[i], STR(".")));
        cr_assert(str_find(target.segments[i], '/') == target.segments[i].size);
    }
    for (uint32_t i = 0; i < target.param_count; i++)
        cr_assert(is_clean(target.params[i].name) && is_clean(target.params[i].value));
    struct str allow;
    const struct route *route = route_find(STR("GET"), &target, &arena, &allow);
    if (route)
        (void)route_check_params(route, &target, &arena, &fault);
}

static void fuzz_headers(struct rng *rng)
{
    static const char *const names[] = {
        "Content-Length", "transfer-encoding", "Host", "Origin", "Expect", "A"};
    static const char *const values[] = {"5", "chunked", "x", "http://localhost", "100-continue",
                                         "[", "",        ":1"};
    struct guard_header headers[6];
    struct guard_framing framing;
    struct guard_fault fault = {0};
    struct guard_request request = {.method = rng_below(rng, 4) ? STR("POST") : noise(rng, 6),
                                    .version = rng_below(rng, 4) ? STR("HTTP/1.1") : noise(rng, 9),
                                    .headers = headers,
                                    .header_count = (uint32_t)rng_below(rng, 7)};
    for (uint32_t i = 0; i < request.header_count; i++) {
        headers[i].name = rng_below(rng, 8) ? str_from(names[rng_below(rng, 6)]) : noise(rng, 8);
        headers[i].value = rng_below(rng, 4) ? str_from(values[rng_below(rng, 8)]) : noise(rng, 12);
    }
    if (guard_request(&arena, &request, &framing, &fault))
        cr_assert(!(framing.chunked && framing.has_length));
    else
        cr_assert(fault.detail.size > 0 && page_status(fault.kind) >= 400);
}

Test(guard, survives_noise, .init = set_up, .fini = tear_down)
{
    struct rng rng;
    uint64_t seed = rng_entropy();
    rng_init(&rng, seed);
    cr_log_info("seed %llu", (unsigned long long)seed);
    int64_t until_us = clock_monotonic_us() + 2000000;
    uint64_t rounds = 0;
    for (; clock_monotonic_us() < until_us; rounds++) {
        fuzz_target(&rng);
        fuzz_headers(&rng);
        arena_reset(&arena);
    }
    cr_assert(rounds > 1000);
}

/* The parser's buffer as it looks after reading `text`: separators are NUL. Cut into request parts by hand.
 */
static bool layout_of(const char *line_end, const char *fold)
{
    char text[256];
    int size = snprintf(text, sizeof text, "GET /x HTTP/1.1%sHost: a%sB:%sc%s%s", line_end, line_end, fold,
                        line_end, line_end);
    struct guard_header headers[2] = {{{strstr(text, "Host"), 4}, {strstr(text, "a"), 1}},
                                      {{strstr(text, "B"), 1}, {strstr(text, "c"), 1}}};
    struct guard_request request = {.method = {text, 3},
                                    .target = {text + 4, 2},
                                    .version = {text + 7, 8},
                                    .headers = headers,
                                    .header_count = 2,
                                    .header_bytes = (uint64_t)size};
    struct guard_fault fault;
    return guard_layout(&request, &fault);
}

Test(guard, sees_how_lines_ended)
{
    cr_assert(layout_of("\r\n", " "));
    cr_assert(layout_of("\r\n", ""));
    cr_assert(layout_of("\r\n", "\t \t"));
    cr_assert_not(layout_of("\n", " "));
    cr_assert_not(layout_of("\r\r\n", " "));
    cr_assert_not(layout_of("\r\n", "\r\n "));
}

Test(guard, writes_pages_that_are_json, .init = set_up, .fini = tear_down)
{
    struct page_error errors[] = {{STR("/a\"b"), STR("line\nend")}, {STR(""), STR("x")}};
    struct page page = {.kind = PAGE_INVALID_INPUT,
                        .detail = STR("a \"quoted\" \x01 word"),
                        .instance = STR("/v1/sagas"),
                        .errors = errors,
                        .error_count = 2,
                        .extra = STR("\"more\":[1]")};
    struct buf out;
    const struct json *value = NULL;
    struct err_note note = {""};
    buf_init(&out, &arena);
    page_write(&out, &page);
    cr_assert_eq(json_parse(&arena, buf_str(&out), SIZE_MAX, &value, &note), ERR_OK, "%s", note.text);
    cr_assert(str_equal(json_get_str(value, STR("type")), STR("urn:sagad:problem:invalid-input")));
    cr_assert(str_equal(json_get_str(value, STR("detail")), page.detail));
    cr_assert_eq(json_get(value, STR("errors"))->count, 2);
    cr_assert_eq(json_get(value, STR("more"))->count, 1);
}

static struct str header_of(const struct request *request, struct str name)
{
    for (uint32_t i = 0; i < request->answer_header_count; i++)
        if (str_equal(request->answer_headers[i].name, name))
            return request->answer_headers[i].value;
    return STR("");
}

/* What may be tried again says so; what may have happened is not called failed. */
Test(guard, tells_clients_what_an_error_means, .init = set_up, .fini = tear_down)
{
    static const struct {
        enum err error;
        unsigned status;
        const char *slug;
    } rows[] = {
        {ERR_FULL, 429, "overloaded"},    {ERR_UNAVAILABLE, 503, "unavailable"},
        {ERR_FENCED, 503, "unavailable"}, {ERR_TIMEOUT, 503, "unavailable"},
        {ERR_CLOSED, 503, "unavailable"}, {ERR_UNKNOWN_OUTCOME, 503, "unknown-outcome"},
        {ERR_INVALID, 500, "internal"},   {ERR_IO, 500, "internal"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct request request = {.target = {.path = STR("/x")}};
        struct err_note note = {"a reason"};
        const struct json *page = NULL;
        arena_init(&request.arena, 0);
        request_refuse_err(&request, rows[i].error, &note);
        cr_assert_eq(request.status, rows[i].status);
        cr_assert_eq(header_of(&request, STR("Retry-After")).size > 0, rows[i].status != 500);
        cr_assert_eq(json_parse(&arena, request.text, SIZE_MAX, &page, NULL), ERR_OK);
        cr_assert(str_ends(json_get_str(page, STR("type")), str_from(rows[i].slug)));
        cr_assert(str_equal(json_get_str(page, STR("detail")), STR("a reason")));
        arena_fini(&request.arena);
    }
}
