#include "tests/api/wire.h"
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "engine/base/buf.h"

int wire_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval bound = {.tv_sec = 10};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0);
    cr_assert(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound) == 0);
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "cannot connect: %s",
              strerror(errno));
    return fd;
}

/* A server that has answered already may have closed: what it answered is read all the same. */
void wire_send(int fd, struct str bytes)
{
    for (size_t sent = 0; sent < bytes.size;) {
        ssize_t part = send(fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL);
        if (part <= 0)
            return;
        sent += (size_t)part;
    }
}

bool wire_has_answer(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return poll(&readable, 1, 0) == 1;
}

static size_t head_end(struct str text)
{
    for (size_t i = 0; i + 4 <= text.size; i++)
        if (memcmp(text.data + i, "\r\n\r\n", 4) == 0)
            return i + 4;
    return 0;
}

struct str wire_header(const struct wire_answer *answer, const char *name)
{
    size_t size = strlen(name);
    for (size_t begin = 0; begin < answer->head.size;) {
        struct str rest = str_slice(answer->head, begin, answer->head.size);
        struct str line = str_slice(rest, 0, str_find(rest, '\n'));
        if (line.size > size && line.data[size] == ':' && strncasecmp(line.data, name, size) == 0)
            return str_trim(str_slice(line, size + 1, line.size));
        begin += line.size + 1;
    }
    return STR("");
}

static bool is_whole(struct wire_answer *answer, struct str text, bool head_only)
{
    size_t end = head_end(text);
    int64_t length = 0;
    if (end == 0)
        return false;
    answer->head = str_slice(text, 0, end);
    struct str given = wire_header(answer, "Content-Length");
    if (!head_only && given.size)
        cr_assert(str_to_i64(given, &length));
    answer->body = str_slice(text, end, end + (size_t)length);
    return text.size >= end + (size_t)length;
}

static void read_status(struct wire_answer *answer)
{
    int64_t status = 0;
    if (str_starts(answer->head, STR("HTTP/1.1 ")) && str_to_i64(str_slice(answer->head, 9, 12), &status))
        answer->status = (int)status;
}

struct wire_answer wire_receive(int fd, struct arena *arena, bool head_only)
{
    struct wire_answer answer = {.closed = false};
    struct buf text;
    char part[65536];
    buf_init(&text, arena);
    while (!is_whole(&answer, buf_str(&text), head_only)) {
        ssize_t size = recv(fd, part, sizeof part, 0);
        if (size <= 0) {
            cr_assert(size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK), "no answer within 10 s");
            answer.closed = true;
            break;
        }
        buf_put(&text, (struct str){part, (size_t)size});
    }
    read_status(&answer);
    struct err_note note;
    if (str_find(wire_header(&answer, "Content-Type"), 'j') < wire_header(&answer, "Content-Type").size &&
        json_parse(arena, answer.body, SIZE_MAX, &answer.json, &note) != ERR_OK)
        answer.json = NULL;
    return answer;
}

struct wire_answer wire_exchange(uint16_t port, struct arena *arena, struct str bytes)
{
    int fd = wire_connect(port);
    wire_send(fd, bytes);
    struct wire_answer answer = wire_receive(fd, arena, str_starts(bytes, STR("HEAD ")));
    close(fd);
    return answer;
}

struct wire_answer wire_call(uint16_t port, struct arena *arena, const char *method, const char *target,
                             const char *type, struct str body)
{
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, target);
    if (type)
        buf_printf(&text, "Content-Type: %s\r\n", type);
    if (body.size)
        buf_printf(&text, "Content-Length: %zu\r\n", body.size);
    buf_puts(&text, "\r\n");
    buf_put(&text, body);
    return wire_exchange(port, arena, buf_str(&text));
}

void wire_expect_page(const struct wire_answer *answer, int status, const char *slug, const char *what)
{
    char type[128];
    int64_t told = 0;
    snprintf(type, sizeof type, "urn:sagad:problem:%s", slug);
    cr_assert_eq(answer->status, status, "%s: status %d, wanted %d: %.*s%.*s", what, answer->status, status,
                 STR_ARG(answer->head), STR_ARG(answer->body));
    cr_assert(str_equal(wire_header(answer, "Content-Type"), STR("application/problem+json")), "%s: %.*s",
              what, STR_ARG(answer->head));
    cr_assert(answer->json && answer->json->kind == JSON_OBJECT, "%s: %.*s", what, STR_ARG(answer->body));
    cr_assert(str_equal(json_get_str(answer->json, STR("type")), str_from(type)), "%s: not %s: %.*s", what,
              type, STR_ARG(answer->body));
    cr_assert(json_get_i64(answer->json, STR("status"), &told) && told == status, "%s", what);
    cr_assert(json_get_str(answer->json, STR("title")).size > 0 &&
                  json_get_str(answer->json, STR("detail")).size > 0,
              "%s: %.*s", what, STR_ARG(answer->body));
}
