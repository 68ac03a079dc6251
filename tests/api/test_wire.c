/* Requests that are malformed, or that two programs could read in two ways, against a running service. They
 * never reach the engine, so there is none. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "api/api.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "tests/api/wire.h"

static struct api *api;
static uint16_t port;
static struct arena arena;

static void open_with(uint32_t request_ms, uint32_t idle_ms)
{
    struct err_note note = {""};
    struct api_options options = {
        .address = "127.0.0.1:0", .threads = 2, .request_ms = request_ms, .idle_ms = idle_ms};
    arena_init(&arena, 0);
    cr_assert_eq(api_open(&options, &api, &note), ERR_OK, "%s", note.text);
    port = api_port(api);
}

static void open_service(void)
{
    open_with(0, 0);
}

static void close_service(void)
{
    api_close(api);
    arena_fini(&arena);
}

struct row {
    const char *what;
    struct str bytes;
    int status;
    const char *slug;
};
#define ROW(what, bytes, status, slug)                                                                       \
    {                                                                                                        \
        what, {bytes, sizeof(bytes) - 1}, status, slug                                                       \
    }
#define JSON_HEAD "Host: x\r\nContent-Type: application/json\r\n"

static const struct row rows[] = {
    ROW("Transfer-Encoding with Content-Length",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400, "malformed-request"),
    ROW("two different Content-Lengths",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400,
        "malformed-request"),
    ROW("two equal Content-Lengths",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400,
        "malformed-request"),
    ROW("two Transfer-Encodings",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400, "malformed-request"),
    ROW("an unknown coding",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501,
        "unknown-coding"),
    ROW("a bare line feed after the request line", "GET /healthz HTTP/1.1\nHost: x\r\n\r\n", 400,
        "malformed-request"),
    ROW("a bare line feed after a header", "GET /healthz HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400,
        "malformed-request"),
    ROW("a bare line feed after the last header", "GET /healthz HTTP/1.1\r\nHost: x\n\r\n", 400,
        "malformed-request"),
    ROW("a bare line feed at the end", "GET /healthz HTTP/1.1\r\nHost: x\r\n\n", 400, "malformed-request"),
    ROW("bare line feeds only", "GET /healthz HTTP/1.1\nHost: x\n\n", 400, "malformed-request"),
    ROW("a folded header", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400,
        "malformed-request"),
    ROW("NUL in a header", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 400, "malformed-request"),
    ROW("NUL in the target", "GET /heal\0thz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-request"),
    ROW("a space before the colon", "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", 400, "malformed-request"),
    ROW("an empty header name", "GET /healthz HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400, "malformed-request"),
    ROW("a control byte in a header", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\001c\r\n\r\n", 400,
        "malformed-request"),
    ROW("a header that is not UTF-8", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: \xff\r\n\r\n", 400,
        "malformed-request"),
    ROW("two spaces in the request line", "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        "malformed-request"),
    ROW("a space in the target", "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("another version", "GET /healthz HTTP/1.7\r\nHost: x\r\n\r\n", 505, "unknown-version"),
    ROW("no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400, "malformed-request"),
    ROW("two Hosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "malformed-request"),
    ROW("a Host that is none", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed-request"),
    ROW("a domain as Host", "GET /healthz HTTP/1.1\r\nHost: sagas.example.com\r\n\r\n", 421, "misdirected"),
    ROW("an address with a domain behind it", "GET /healthz HTTP/1.1\r\nHost: [::1].example.com\r\n\r\n", 400,
        "malformed-request"),
    ROW("brackets with a name", "GET /healthz HTTP/1.1\r\nHost: [x]\r\n\r\n", 400, "malformed-request"),
    ROW("brackets that stay open", "GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "malformed-request"),
    ROW("a user in Host", "GET /healthz HTTP/1.1\r\nHost: localhost@example.com\r\n\r\n", 400,
        "malformed-request"),
    ROW("a port that is none", "GET /healthz HTTP/1.1\r\nHost: localhost:80.example.com\r\n\r\n", 400,
        "malformed-request"),
    ROW("a port too high", "GET /healthz HTTP/1.1\r\nHost: localhost:65536\r\n\r\n", 400,
        "malformed-request"),
    ROW("two ports", "GET /healthz HTTP/1.1\r\nHost: localhost:80:80\r\n\r\n", 400, "malformed-request"),
    ROW("an address that goes on", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1.1\r\n\r\n", 421, "misdirected"),
    ROW("a user before this machine's address",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: http://127.0.0.1:80@evil.com\r\n\r\n", 403,
        "foreign-origin"),
    ROW("a domain that begins as this machine",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost.evil.com\r\n\r\n", 403,
        "foreign-origin"),
    ROW("an origin with a path", "GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost/x\r\n\r\n",
        403, "foreign-origin"),
    ROW("no origin to tell", "GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: null\r\n\r\n", 403,
        "foreign-origin"),
    ROW("an image of another site", "GET /healthz HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        403, "foreign-origin"),
    ROW("another site's page", "GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: https://example.com\r\n\r\n", 403,
        "foreign-origin"),
    ROW("%00 in the path", "GET /v1/sagas/a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("%0d%0a in the path", "GET /v1/sagas/a%0d%0ab HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("%0a in the query", "GET /v1/sagas?key=a%0ab HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("..", "GET /v1/../healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("%2e%2e", "GET /v1/%2e%2E/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("a slash in a segment", "GET /v1/sagas%2fx HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("a broken escape", "GET /v1/sagas/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("an escape cut off", "GET /v1/sagas/%2 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("a path that is not UTF-8", "GET /v1/sagas/%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("raw UTF-8", "GET /v1/sagas/\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("an asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("an absolute target", "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-target"),
    ROW("a parameter twice", "GET /v1/sagas?key=a&key=b HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        "invalid-parameter"),
    ROW("an unknown parameter", "GET /v1/sagas?statu=running HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        "unknown-parameter"),
    ROW("a parameter where none is", "GET /healthz?x HTTP/1.1\r\nHost: x\r\n\r\n", 400, "unknown-parameter"),
    ROW("a limit that is none", "GET /v1/sagas?limit=many HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        "invalid-parameter"),
    ROW("a limit too high", "GET /v1/sagas?limit=501 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid-parameter"),
    ROW("a status that is none", "GET /v1/sagas?status=done HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        "invalid-parameter"),
    ROW("a since that is none", "GET /v1/sagas?since=yesterday HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        "invalid-parameter"),
    ROW("a cursor that is none", "GET /v1/sagas?cursor=17 HTTP/1.1\r\nHost: x\r\n\r\n", 400,
        "invalid-parameter"),
    ROW("nothing there", "GET /v2/sagas HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no-such-endpoint"),
    ROW("a slash too many", "GET /v1/sagas/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no-such-endpoint"),
    ROW("too deep", "GET /1/2/3/4/5/6/7/8/9 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no-such-endpoint"),
    ROW("an id that is none", "GET /v1/sagas/17 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "unknown-saga"),
    ROW("another method", "DELETE /v1/sagas HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method-not-allowed"),
    ROW("a method of its own", "BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method-not-allowed"),
    ROW("a method in lower case", "get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method-not-allowed"),
    ROW("a GET with a body", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400,
        "malformed-request"),
    ROW("a body without its type", "POST /v1/sagas HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415,
        "unsupported-type"),
    ROW("a form",
        "POST /v1/sagas HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 3\r\n\r\na=b",
        415, "unsupported-type"),
    ROW("a compressed body",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415,
        "unsupported-type"),
    ROW("an expectation", "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n", 417,
        "expectation-failed"),
    ROW("too long a body told", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 99999999\r\n\r\n",
        413, "too-large"),
    ROW("no body", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "\r\n", 400, "malformed-body"),
    ROW("a body that is no JSON", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 2\r\n\r\n{]", 400,
        "malformed-body"),
    ROW("a body that is no object", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 2\r\n\r\n[]",
        400, "malformed-body"),
    ROW("a body that is not UTF-8",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 11\r\n\r\n{\"key\":\"\xc3\"}", 400,
        "malformed-body"),
    ROW("a key twice in the body",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 17\r\n\r\n{\"key\":1,\"key\":2}", 400,
        "malformed-body"),
    ROW("U+0000 in the body",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 16\r\n\r\n{\"key\":\"\\u0000\"}", 400,
        "malformed-body"),
};

Test(wire, refuses_malformed_requests, .init = open_service, .fini = close_service)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_answer answer = wire_exchange(port, &arena, rows[i].bytes);
        wire_expect_page(&answer, rows[i].status, rows[i].slug, rows[i].what);
    }
}

/* After a doubt about where a request ends nothing more is read from its connection. */
Test(wire, closes_after_doubtful_framing, .init = open_service, .fini = close_service)
{
    int fd = wire_connect(port);
    wire_send(fd, STR("POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 4\r\nTransfer-Encoding: "
                      "chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    struct wire_answer first = wire_receive(fd, &arena, false);
    wire_expect_page(&first, 400, "malformed-request", "the first");
    struct wire_answer second = wire_receive(fd, &arena, false);
    cr_assert(second.closed && second.status == 0, "%.*s", STR_ARG(second.head));
    close(fd);
}

Test(wire, serves_what_is_well_formed, .init = open_service, .fini = close_service)
{
    static const struct row good[] = {
        ROW("plain", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""),
        ROW("no space after the colon", "GET /healthz HTTP/1.1\r\nHost:x\r\n\r\n", 200, ""),
        ROW("spaces and tabs around a value", "GET /healthz HTTP/1.1\r\nHost: \t x\r\nA: b \r\n\r\n", 200,
            ""),
        ROW("an empty header", "GET /healthz HTTP/1.1\r\nHost: x\r\nA:\r\nB: \r\n\r\n", 200, ""),
        ROW("an address as Host", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", 200, ""),
        ROW("an IPv6 address as Host", "GET /healthz HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200, ""),
        ROW("a page of this machine",
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n\r\n", 200, ""),
        ROW("a page of this machine that has another name",
            "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://[::1]:3000\r\nSec-Fetch-Site: "
            "cross-site\r\n\r\n",
            200, ""),
        ROW("a page of the service's own",
            "GET /healthz HTTP/1.1\r\nHost: LOCALHOST:8080\r\nSec-Fetch-Site: same-origin\r\n\r\n", 200, ""),
        ROW("a name of this machine", "GET /healthz HTTP/1.1\r\nHost: sagas.localhost:8080\r\n\r\n", 200, ""),
        ROW("HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", 200, ""),
        ROW("an escaped path", "GET /%68ealthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""),
        ROW("an empty query", "GET /healthz? HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""),
        ROW("a cookie", "GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: a=b; c=\"d\"\r\nB: c\r\n\r\n", 200, ""),
        ROW("an empty line before", "\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""),
        ROW("HEAD", "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""),
        ROW("the index", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""),
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct wire_answer answer = wire_exchange(port, &arena, good[i].bytes);
        cr_assert_eq(answer.status, good[i].status, "%s: %.*s%.*s", good[i].what, STR_ARG(answer.head),
                     STR_ARG(answer.body));
    }
}

/* One byte a packet, and several requests in one packet: the layout check must not depend on how bytes
 * arrive. */
Test(wire, reads_requests_however_they_arrive, .init = open_service, .fini = close_service)
{
    struct str request =
        STR("GET /healthz HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\nCookie: a=b\r\nX: y\r\n\r\n");
    int fd = wire_connect(port);
    for (size_t i = 0; i < request.size; i++)
        wire_send(fd, str_slice(request, i, i + 1));
    cr_assert_eq(wire_receive(fd, &arena, false).status, 200);
    for (int i = 0; i < 20; i++) {
        wire_send(fd, request);
        struct wire_answer answer = wire_receive(fd, &arena, false);
        cr_assert_eq(answer.status, 200, "%.*s%.*s", STR_ARG(answer.head), STR_ARG(answer.body));
    }
    close(fd);
    struct buf many;
    buf_init(&many, &arena);
    for (int i = 0; i < 30; i++)
        buf_put(&many, request);
    buf_puts(&many, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    fd = wire_connect(port);
    wire_send(fd, buf_str(&many));
    char part[65536];
    size_t good = 0;
    size_t seen = 0;
    char text[65536];
    for (ssize_t size; (size = recv(fd, part, sizeof part, 0)) > 0; seen += (size_t)size)
        memcpy(text + seen, part, (size_t)size);
    for (size_t i = 0; i + 12 <= seen; i++)
        good += memcmp(text + i, "HTTP/1.1 200", 12) == 0;
    cr_assert_eq(good, 31);
    close(fd);
}

Test(wire, bounds_headers_and_targets, .init = open_service, .fini = close_service)
{
    struct buf text;
    buf_init(&text, &arena);
    buf_puts(&text, "GET /healthz HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 64; i++)
        buf_printf(&text, "A%d: b\r\n", i);
    buf_puts(&text, "\r\n");
    struct wire_answer answer = wire_exchange(port, &arena, buf_str(&text));
    wire_expect_page(&answer, 431, "headers-too-large", "65 header lines");

    buf_init(&text, &arena);
    buf_puts(&text, "GET /healthz HTTP/1.1\r\nHost: x\r\nA: ");
    for (int i = 0; i < 17000; i++)
        buf_char(&text, 'a');
    buf_puts(&text, "\r\n\r\n");
    answer = wire_exchange(port, &arena, buf_str(&text));
    wire_expect_page(&answer, 431, "headers-too-large", "17,000 bytes of header");

    buf_init(&text, &arena);
    buf_puts(&text, "GET /");
    for (int i = 0; i < 9000; i++)
        buf_char(&text, 'a');
    buf_puts(&text, " HTTP/1.1\r\nHost: x\r\n\r\n");
    answer = wire_exchange(port, &arena, buf_str(&text));
    wire_expect_page(&answer, 414, "target-too-long", "9,000 bytes of target");
}

/* Without a length a body shows its size only while it comes. */
Test(wire, bounds_chunked_bodies, .init = open_service, .fini = close_service)
{
    struct buf text;
    buf_init(&text, &arena);
    buf_puts(&text, "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 300; i++) {
        buf_puts(&text, "400\r\n");
        for (int k = 0; k < 1024; k++)
            buf_char(&text, ' ');
        buf_puts(&text, "\r\n");
    }
    buf_puts(&text, "0\r\n\r\n");
    struct wire_answer answer = wire_exchange(port, &arena, buf_str(&text));
    wire_expect_page(&answer, 413, "too-large", "300 KiB in chunks");
    answer = wire_exchange(port, &arena,
                           STR("POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD
                               "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"));
    wire_expect_page(&answer, 400, "invalid-field", "an empty object in two chunks");
}

Test(wire, names_allowed_methods, .init = open_service, .fini = close_service)
{
    struct wire_answer answer = wire_call(port, &arena, "DELETE", "/v1/sagas", NULL, STR(""));
    cr_assert(str_equal(wire_header(&answer, "Allow"), STR("POST, GET, HEAD")), "%.*s", STR_ARG(answer.head));
    answer = wire_call(port, &arena, "GET", "/v1/sagas/x/cancel", NULL, STR(""));
    wire_expect_page(&answer, 405, "method-not-allowed", "GET of a verb");
    cr_assert(str_equal(wire_header(&answer, "Allow"), STR("POST")));
}

Test(wire, names_wrong_fields_and_what_they_may_have_meant, .init = open_service, .fini = close_service)
{
    struct wire_answer answer =
        wire_call(port, &arena, "POST", "/v1/sagas", "application/json; charset=utf-8",
                  STR("{\"definiton\":\"x\",\"input\":{},\"wait\":\"2m\",\"a/b\":1}"));
    wire_expect_page(&answer, 400, "unknown-field", "three mistakes");
    const struct json *errors = json_get(answer.json, STR("errors"));
    cr_assert(errors && errors->kind == JSON_ARRAY && errors->count == 4, "%.*s", STR_ARG(answer.body));
    static const char *const pointers[] = {"/definiton", "/wait", "/a~1b", "/definition"};
    for (uint32_t i = 0; i < 4; i++)
        cr_assert(str_equal(json_get_str(errors->items[i], STR("pointer")), str_from(pointers[i])), "%.*s",
                  STR_ARG(answer.body));
    cr_assert(str_equal(json_get_str(answer.json, STR("hint")), STR("did you mean \"definition\"?")), "%.*s",
              STR_ARG(answer.body));
    cr_assert(str_equal(json_get_str(answer.json, STR("instance")), STR("/v1/sagas")));
}

/* What the library would refuse by a page of its own, which is HTML, or whose head comes twice: one page of
 * ours, and the connection ends. */
static const struct row library_rows[] = {
    ROW("no version", "GET /healthz\r\n\r\n", 400, "malformed-request"),
    ROW("HTTP in lower case", "GET /healthz http/1.1\r\nHost: x\r\n\r\n", 400, "malformed-request"),
    ROW("HTTP/2", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505, "unknown-version"),
    ROW("HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "unknown-version"),
    ROW("HTTP/0.9", "GET /healthz HTTP/0.9\r\nHost: x\r\n\r\n", 505, "unknown-version"),
    ROW("no colon", "GET /healthz HTTP/1.1\r\nHost x\r\n\r\n", 400, "malformed-request"),
    ROW("a length in hexadecimal", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 0x2\r\n\r\n{}",
        400, "malformed-request"),
    ROW("a negative length", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: -1\r\n\r\n{}", 400,
        "malformed-request"),
    ROW("a signed length", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: +2\r\n\r\n{}", 400,
        "malformed-request"),
    ROW("an empty length", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length:\r\n\r\n{}", 400,
        "malformed-request"),
    ROW("two lengths in a line", "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 2, 2\r\n\r\n{}",
        400, "malformed-request"),
    ROW("a length of 23 digits",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 99999999999999999999999\r\n\r\n{}", 413,
        "too-large"),
    ROW("a chunk size that is none",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        400, "malformed-request"),
    ROW("a negative chunk",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        400, "malformed-request"),
    ROW("a chunk size of 18 digits",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n",
        413, "too-large"),
    ROW("a chunk that goes on",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n",
        400, "malformed-request"),
    ROW("a trailer without a colon",
        "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAb\r\n\r\n",
        400, "malformed-request"),
};

static void expect_end(int fd, const char *what)
{
    struct wire_answer answer = wire_receive(fd, &arena, false);
    cr_assert(answer.closed && answer.status == 0, "%s: %.*s", what, STR_ARG(answer.head));
    close(fd);
}

Test(wire, answers_what_the_library_cannot_read, .init = open_service, .fini = close_service)
{
    for (size_t i = 0; i < sizeof library_rows / sizeof library_rows[0]; i++) {
        const struct row *row = &library_rows[i];
        int fd = wire_connect(port);
        wire_send(fd, row->bytes);
        struct wire_answer answer = wire_receive(fd, &arena, false);
        wire_expect_page(&answer, row->status, row->slug, row->what);
        cr_assert(str_equal(wire_header(&answer, "Connection"), STR("close")), "%s", row->what);
        expect_end(fd, row->what);
    }
}

/* More than the library's buffer of one connection holds. */
Test(wire, answers_what_is_longer_than_the_library_reads, .init = open_service, .fini = close_service)
{
    static const struct row long_rows[] = {
        ROW("a chunk's extension",
            "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2;", 400,
            "malformed-request"),
        ROW("a trailer",
            "POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: ",
            431, "headers-too-large"),
        ROW("a header", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: ", 431, "headers-too-large"),
        ROW("a target", "GET /", 414, "target-too-long"),
    };
    for (size_t i = 0; i < sizeof long_rows / sizeof long_rows[0]; i++) {
        const struct row *row = &long_rows[i];
        char *filling = arena_alloc(
            &arena, 40000); /* read in one go, so that nothing of it is left when the page goes out */
        memset(filling, 'a', 40000);
        int fd = wire_connect(port);
        wire_send(fd, row->bytes);
        wire_send(fd, (struct str){filling, 40000});
        struct wire_answer answer = wire_receive(fd, &arena, false);
        wire_expect_page(&answer, row->status, row->slug, row->what);
        expect_end(fd, row->what);
    }
}

/* Whatever is sent behind it: nothing is read that could be a request of somebody else's. */
Test(wire, reads_nothing_behind_a_body_in_chunks, .init = open_service, .fini = close_service)
{
    int fd = wire_connect(port);
    wire_send(fd, STR("POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"
                      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    struct wire_answer answer = wire_receive(fd, &arena, false);
    wire_expect_page(&answer, 400, "invalid-field", "an empty object");
    expect_end(fd, "a body in chunks");
}

/* Nothing at all that could be answered: only a method, or another protocol. */
Test(wire, closes_on_what_is_no_request, .init = open_service, .fini = close_service)
{
    static const struct str bad[] = {
        {"GET\r\n\r\n", 7},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd = wire_connect(port);
        wire_send(fd, bad[i]);
        expect_end(fd, "no request");
    }
}

static struct str nested_body(const char *before, unsigned depth, const char *behind)
{
    struct buf out;
    buf_init(&out, &arena);
    buf_puts(&out, before);
    for (unsigned i = 0; i < depth; i++)
        buf_puts(&out, i % 2 ? "{\"a/b\":" : "[1,");
    buf_puts(&out, "0");
    for (unsigned i = depth; i-- > 0;)
        buf_puts(&out, i % 2 ? "}" : "]");
    buf_puts(&out, behind);
    return buf_str(&out);
}

/* What the journal could not give back is a fault of the body, told with its place, not of the saga's state.
 */
Test(wire, refuses_what_is_nested_too_deep, .init = open_service, .fini = close_service)
{
    static const struct {
        const char *target, *before, *behind, *pointer;
    } ways[] = {
        {"/v1/sagas", "{\"definition\":\"x\",\"input\":", "}", "/input/1/a~1b/1"},
        {"/v1/signals", "{\"definition\":\"x\",\"key\":\"k\",\"event\":\"e\",\"body\":", "}",
         "/body/1/a~1b/1"},
        {"/v1/sagas/01890a5d-ac96-774b-bcce-b302099a8057/signals", "{\"event\":\"e\",\"body\":", "}",
         "/body/1/a~1b/1"},
        {"/v1/sagas/01890a5d-ac96-774b-bcce-b302099a8057/force",
         "{\"actor\":\"a\",\"reason\":\"r\",\"result\":\"ok\",\"output\":", "}", "/output/1/a~1b/1"},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct wire_answer answer =
            wire_call(port, &arena, "POST", ways[i].target, "application/json",
                      nested_body(ways[i].before, LIMITS_PAYLOAD_DEPTH + 1, ways[i].behind));
        wire_expect_page(&answer, 400, "invalid-field", ways[i].target);
        const struct json *errors = json_get(answer.json, STR("errors"));
        cr_assert(errors && errors->count == 1, "%.*s", STR_ARG(answer.body));
        struct str pointer = json_get_str(errors->items[0], STR("pointer"));
        cr_assert(str_starts(pointer, str_from(ways[i].pointer)), "%.*s", STR_ARG(answer.body));
        cr_assert(str_ends(pointer, STR("/a~1b")), "%.*s",
                  STR_ARG(answer.body)); /* 60 steps below the field */
    }
    struct wire_answer answer =
        wire_call(port, &arena, "POST", "/v1/sagas", "application/json",
                  nested_body("{\"definition\":\"x\",\"input\":", 2 * LIMITS_JSON_DEPTH, "}"));
    wire_expect_page(&answer, 400, "malformed-body", "deeper than any JSON");
}

Test(wire, tells_clients_that_ask_to_go_on, .init = open_service, .fini = close_service)
{
    int fd = wire_connect(port);
    wire_send(
        fd, STR("POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    cr_assert_eq(wire_receive(fd, &arena, false).status, 100);
    wire_send(fd, STR("{}"));
    struct wire_answer answer = wire_receive(fd, &arena, false);
    wire_expect_page(&answer, 400, "invalid-field", "an empty object");
    close(fd);
    fd = wire_connect(port); /* refused before the body is sent */
    wire_send(fd, STR("POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD
                      "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"));
    answer = wire_receive(fd, &arena, false);
    wire_expect_page(&answer, 413, "too-large", "told too long");
    close(fd);
}

/* The deadline is for the whole request: a byte now and then does not move it. */
Test(wire, cuts_requests_that_drip, .fini = close_service)
{
    open_with(600, 0);
    int fd = wire_connect(port);
    wire_send(fd, STR("POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 1000\r\n\r\n"));
    int64_t begun_us = clock_monotonic_us();
    char byte = 0;
    ssize_t size = -1;
    struct timeval pace = {.tv_usec = 50000};
    cr_assert(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pace, sizeof pace) == 0);
    while (size < 0 && clock_monotonic_us() - begun_us < 10000000) {
        wire_send(fd, STR(" "));
        size = recv(fd, &byte, 1, MSG_PEEK);
    }
    cr_assert(clock_monotonic_us() - begun_us < 5000000, "not cut within 5 s");
    struct wire_answer answer = wire_receive(fd, &arena, false);
    wire_expect_page(&answer, 408, "request-timeout", "a body that drips");
    close(fd);
}

Test(wire, cuts_connections_that_say_nothing, .fini = close_service)
{
    open_with(0, 400);
    int fd = wire_connect(port);
    wire_send(fd, STR("GET /heal"));
    struct wire_answer answer = wire_receive(fd, &arena, false);
    cr_assert(answer.closed && answer.status == 0);
    close(fd);
}

/* A client that leaves in the middle costs nothing and harms nobody. */
Test(wire, survives_clients_that_leave, .init = open_service, .fini = close_service)
{
    for (int i = 0; i < 200; i++) {
        int fd = wire_connect(port);
        wire_send(fd, STR("POST /v1/sagas HTTP/1.1\r\n" JSON_HEAD "Content-Length: 1000\r\n\r\n{"));
        close(fd);
    }
    cr_assert_eq(wire_call(port, &arena, "GET", "/healthz", NULL, STR("")).status, 200);
}

Test(wire, listens_on_loopback_only)
{
    static const char *const refused[] = {
        "0.0.0.0:0",   "[::]:0", "192.0.2.1:80", "example.com:80",  "127.0.0.1",
        "127.0.0.1:x", ":8080",  "[::1:8080",    "127.0.0.1:65536", ""};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct err_note note = {""};
        struct api *none = NULL;
        struct api_options options = {.address = refused[i]};
        cr_assert_eq(api_open(&options, &none, &note), ERR_INVALID, "%s", refused[i]);
        cr_assert(strstr(note.text, "HTTP address"), "%s", note.text);
    }
}

Test(wire, says_when_the_port_is_taken, .init = open_service, .fini = close_service)
{
    struct err_note note = {""};
    struct api *second = NULL;
    struct api_options options = {.address = api_url(api) + sizeof "http://" - 1};
    cr_assert_eq(api_open(&options, &second, &note), ERR_UNAVAILABLE);
    cr_assert(strstr(note.text, "Address already in use"), "%s", note.text);
}
