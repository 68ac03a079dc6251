/* Raw bytes to the service itself, over a connection: the library's parser, the page that stands in for its
 * own, the guard and the handlers together, with an engine on the in-memory twins behind them. Whatever
 * comes, nothing goes back but whole answers with one head each, what is refused is problem+json, and the
 * service goes on. An input that ends in the middle of a request is answered when the time for one is over:
 * its connection is set aside meanwhile, and its answers are checked some inputs later, or at the end. */
#include "tests/fuzz/fuzz.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "api/api.h"
#include "engine/base/check.h"
#include "engine/base/memory.h"
#include "engine/bus/memory_bus.h"
#include "engine/ops/log.h"
#include "engine/store/memory_store.h"

enum {
    ANSWERS_BYTES = 1048576,
    ANSWER_MS = 20000, /* none takes longer; else it hangs */
    AT_ONCE_MS = 20,   /* what is not answered by then is set aside */
    ASIDE_MAX = 64
};

/* One that is answered later. */
struct aside {
    int fd;
    struct str input;
    struct str begun; /* of its answers */
};

static struct memory_store_world *world;
static struct memory_bus_broker *broker;
static struct engine *engine;
static struct api *api;
static struct aside asides[ASIDE_MAX];
static uint32_t aside_first, aside_count;
static char answers[ANSWERS_BYTES];

static enum err open_store(void *context, struct store **store, struct err_note *note)
{
    (void)context;
    (void)note;
    *store = memory_store_open(world);
    return ERR_OK;
}

static enum err open_bus(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                         struct err_note *note)
{
    (void)context;
    (void)note;
    *bus = memory_bus_open(broker, callbacks);
    return ERR_OK;
}

static void open_service(void)
{
    struct err_note note;
    struct engine_options options = {.instance = "fuzz",
                                     .open_store = open_store,
                                     .open_bus = open_bus,
                                     .runners = 1,
                                     .lease_us = 600000000};
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, STDERR_FILENO);
    world = memory_store_new(4);
    broker = memory_bus_new();
    check(engine_open(&options, &engine, &note) == ERR_OK);
    /* The library does not see every end of a stream: what it keeps open, also for the rest of a body, is
     * closed soon. */
    struct api_options serving = {
        .address = "127.0.0.1:0", .engine = engine, .threads = 2, .request_ms = 1000, .idle_ms = 1000};
    check(api_open(&serving, &api, &note) == ERR_OK);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct linger reset = {.l_onoff =
                               1}; /* no port waits for its last packets: thousands a second are used */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* libFuzzer's clock interrupts every few seconds, and nothing begins poll again by itself. */
static bool wait_readable(int fd, int most_ms)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        ready = poll(&readable, 1, most_ms);
    } while (ready < 0 && errno == EINTR);
    return ready == 1;
}

static int send_request(struct str request)
{
    /* Ends the connection, unless the input left it in the middle of something. */
    static const char last[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    int fd = connect_to(api_port(api));
    (void)!send(fd, request.data, request.size, MSG_NOSIGNAL); /* it may have closed already */
    (void)!send(fd, last, sizeof last - 1, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    return fd;
}

/* What comes back, behind the first *size bytes, until the service closes, or for most_ms nothing comes:
 * false then. */
static bool read_answers(int fd, int most_ms, size_t *size)
{
    while (wait_readable(fd, most_ms)) {
        ssize_t part = recv(fd, answers + *size, ANSWERS_BYTES - *size, 0);
        if (part <= 0) {
            close(fd);
            return true;
        }
        *size += (size_t)part;
        check(*size < ANSWERS_BYTES);
    }
    return false;
}

static struct str line_of(struct str head, const char *name)
{
    const char *found = memmem(head.data, head.size, name, strlen(name));
    if (!found)
        return STR("");
    struct str rest = str_slice(head, (size_t)(found - head.data) + strlen(name), head.size);
    return str_slice(rest, 0, str_find(rest, '\r'));
}

static void check_page(struct str head, struct str body)
{
    struct arena arena;
    arena_init(&arena, 0);
    check(str_equal(line_of(head, "\nContent-Type: "), STR("application/problem+json")));
    struct str type = json_get_str(fuzz_is_json(&arena, body), STR("type"));
    check(str_starts(type, STR("urn:sagad:problem:")));
    arena_fini(&arena);
}

/* One answer; what follows it. An answer to HEAD has no body: then the next bytes are another head, or the
 * end. */
static struct str take_answer(struct str rest)
{
    check(str_starts(rest, STR("HTTP/1.1 ")));
    const char *end = memmem(rest.data, rest.size, "\r\n\r\n", 4);
    check(end != NULL);
    struct str head = str_slice(rest, 0, (size_t)(end - rest.data) + 4);
    int64_t length = 0;
    struct str status = str_slice(rest, 9, 12);
    rest = str_slice(rest, head.size, rest.size);
    if (str_equal(status, STR("100")))
        return rest;
    check(str_to_i64(line_of(head, "\nContent-Length: "), &length) || str_equal(status, STR("304")));
    bool bodiless = rest.size == 0 || str_starts(rest, STR("HTTP/1.1 "));
    if (bodiless)
        return rest;
    check((size_t)length <= rest.size);
    if (status.data[0] >= '4')
        check_page(head, str_slice(rest, 0, (size_t)length));
    return str_slice(rest, (size_t)length, rest.size);
}

static void check_answers(size_t size)
{
    struct str rest = {answers, size};
    while (rest.size > 0)
        rest = take_answer(rest);
}

static struct str kept(struct str text)
{
    char *copy = memory_new(1, text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return (struct str){copy, text.size};
}

/* The input at hand when this fails is another one: the right one is kept until the check is through. */
static void check_oldest(void)
{
    static const char path[] = SAGA_BINARY_DIR "/fuzz-late-headers";
    struct aside *oldest = &asides[aside_first];
    size_t size = oldest->begun.size;
    FILE *file = fopen(path, "we");
    check(file != NULL && fwrite(oldest->input.data, 1, oldest->input.size, file) == oldest->input.size);
    check(fclose(file) == 0);
    memcpy(answers, oldest->begun.data, size);
    check(read_answers(oldest->fd, ANSWER_MS, &size));
    check_answers(size);
    check(unlink(path) == 0);
    memory_free((char *)oldest->input.data);
    memory_free((char *)oldest->begun.data);
    aside_first = (aside_first + 1) % ASIDE_MAX;
    aside_count--;
}

static void check_all(void)
{
    while (aside_count > 0)
        check_oldest();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    size_t came = 0;
    if (!api) {
        open_service();
        check(atexit(check_all) == 0);
    }
    if (aside_count == ASIDE_MAX)
        check_oldest();
    int fd = send_request(input);
    if (read_answers(fd, AT_ONCE_MS, &came))
        check_answers(came);
    else
        asides[(aside_first + aside_count++) % ASIDE_MAX] =
            (struct aside){fd, kept(input), kept((struct str){answers, came})};
    return 0;
}
