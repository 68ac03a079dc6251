#include "tests/integration/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "engine/base/limits.h"

enum { ANSWER_MAX_BYTES = 64 * 1024 * 1024, PATIENCE_S = 70, READ_BYTES = 4096 };

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, struct str bytes)
{
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes = str_slice(bytes, (size_t)sent, bytes.size);
    }
    return true;
}

static struct str read_all(int fd, struct arena *arena)
{
    struct buf all;
    buf_init(&all, arena);
    while (all.size < ANSWER_MAX_BYTES) {
        ssize_t got = recv(fd, buf_reserve(&all, READ_BYTES), READ_BYTES, 0);
        if (got < 0 && errno == EINTR) /* a socket with a time-out is not read again by itself */
            continue;
        if (got == 0)
            errno = 0;
        if (got <= 0)
            break;
        all.size += (size_t)got;
    }
    return buf_str(&all);
}

/* The value of a header of ours, which are written as libmicrohttpd writes them. */
static bool length_of(struct str head, int64_t *length)
{
    const char *at = strcasestr(head.data, "\r\nContent-Length:");
    if (at == NULL)
        return false;
    struct str rest = str_from(at + strlen("\r\nContent-Length:"));
    return str_to_i64(str_trim(str_slice(rest, 0, str_find(rest, '\r'))), length);
}

static struct client_answer parse(struct str all, struct arena *arena)
{
    struct client_answer answer = {0};
    struct err_note unread;
    int64_t length = 0;
    const char *end = all.size == 0 ? NULL : strstr(all.data, "\r\n\r\n");
    if (end == NULL || sscanf(all.data, "HTTP/1.%*1d %3d", &answer.status) != 1)
        return (struct client_answer){0};
    answer.head = arena_copy(arena, str_slice(all, 0, (size_t)(end - all.data)));
    answer.body = str_slice(all, (size_t)(end - all.data) + 4, all.size);
    if (!length_of(answer.head, &length) || (size_t)length != answer.body.size)
        return (struct client_answer){0};
    if (json_parse(arena, answer.body, ANSWER_MAX_BYTES, &answer.json, &unread) != ERR_OK)
        answer.json = NULL;
    return answer;
}

struct client_answer client_send(uint16_t port, struct arena *arena, const char *method, const char *target,
                                 const char *type, struct str body)
{
    struct client_answer answer = {0};
    int fd = connect_to(port);
    if (fd < 0) {
        answer.body = arena_printf(arena, "no connection: %s", strerror(errno));
        return answer;
    }
    struct buf request;
    buf_init(&request, arena);
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n", method, target,
               (unsigned)port);
    if (body.data != NULL)
        buf_printf(&request, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                   type == NULL ? "application/json" : type, body.size);
    buf_puts(&request, "\r\n");
    buf_put(&request, body);
    int64_t began_us = clock_monotonic_us();
    bool sent = send_all(fd, buf_str(&request));
    struct str all = sent ? read_all(fd, arena) : (struct str){0};
    int end = errno;
    if (sent)
        answer = parse(all, arena);
    if (answer.status == 0) /* says what a number cannot */
        answer.body = arena_printf(arena, "no answer: %zu bytes after %lld us, %s%.*s", all.size,
                                   (long long)(clock_monotonic_us() - began_us), strerror(end), STR_ARG(all));
    close(fd);
    return answer;
}

struct client_answer client_get(uint16_t port, struct arena *arena, const char *target)
{
    return client_send(port, arena, "GET", target, NULL, (struct str){0});
}

struct client_answer client_post(uint16_t port, struct arena *arena, const char *target, struct str json)
{
    return client_send(port, arena, "POST", target, NULL, json);
}
