/* A TCP proxy that can be cut, so that one program loses a server that others keep. Never closes what it
 * holds while cut. */
#include "tests/harness/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"

enum { PAIRS_MAX = 64, CHUNK_BYTES = 65536 };

/* Bytes read from `from` and not yet written to the other end. */
struct way {
    size_t begin, end;
    char bytes[CHUNK_BYTES];
};
struct pair {
    int ends[2]; /* the client's, the server's */
    struct way ways[2];
    bool doomed; /* lived through a cut */
};
struct proxy {
    int listener;
    uint16_t port, target;
    int wake;
    pthread_t thread;
    atomic_bool cut, stop;
    struct pair *pairs[PAIRS_MAX];
    uint32_t count;
};

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void drop(struct proxy *proxy, uint32_t index)
{
    struct pair *pair = proxy->pairs[index];
    for (int i = 0; i < 2; i++)
        if (pair->ends[i] >= 0)
            close(pair->ends[i]);
    memory_free(pair);
    proxy->pairs[index] = proxy->pairs[--proxy->count];
}

static void take_client(struct proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return;
    struct sockaddr_in address = loopback(proxy->target);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(server >= 0 && proxy->count < PAIRS_MAX);
    if (connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        close(server);
        close(client);
        return;
    }
    check(fcntl(server, F_SETFL, O_NONBLOCK) == 0);
    struct pair *pair = memory_new(1, sizeof *pair);
    pair->ends[0] = client;
    pair->ends[1] = server;
    pair->doomed = atomic_load(&proxy->cut);
    proxy->pairs[proxy->count++] = pair;
}

/* From ends[side] to the other. False: the connection is over. */
static bool copy(struct pair *pair, int side)
{
    struct way *way = &pair->ways[side];
    if (way->begin == way->end) {
        ssize_t got = recv(pair->ends[side], way->bytes, sizeof way->bytes, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        way->begin = 0;
        way->end = got > 0 ? (size_t)got : 0;
    }
    if (way->begin == way->end)
        return true;
    ssize_t sent = send(pair->ends[1 - side], way->bytes + way->begin, way->end - way->begin, MSG_NOSIGNAL);
    way->begin += sent > 0 ? (size_t)sent : 0;
    return sent >= 0 || errno == EAGAIN || errno == EINTR;
}

static short wish(const struct pair *pair, int side)
{
    const struct way *in = &pair->ways[side], *out = &pair->ways[1 - side];
    return (short)((in->begin == in->end ? POLLIN : 0) | (out->begin < out->end ? POLLOUT : 0));
}

static void wait_for_bytes(struct proxy *proxy)
{
    struct pollfd fds[2 + 2 * PAIRS_MAX] = {{.fd = proxy->wake, .events = POLLIN},
                                            {.fd = proxy->listener, .events = POLLIN}};
    nfds_t count = 2;
    bool cut = atomic_load(&proxy->cut);
    for (uint32_t i = 0; i < proxy->count && !cut; i++)
        for (int side = 0; side < 2; side++)
            fds[count++] =
                (struct pollfd){.fd = proxy->pairs[i]->ends[side], .events = wish(proxy->pairs[i], side)};
    (void)poll(fds, count, -1);
    uint64_t woken;
    if ((fds[0].revents & POLLIN) != 0)
        (void)!read(proxy->wake, &woken, sizeof woken);
    if ((fds[1].revents & POLLIN) != 0)
        take_client(proxy);
}

static void *run(void *context)
{
    struct proxy *proxy = context;
    while (!atomic_load(&proxy->stop)) {
        bool cut = atomic_load(&proxy->cut);
        for (uint32_t i = 0; i < proxy->count;) {
            struct pair *pair = proxy->pairs[i];
            pair->doomed = pair->doomed || cut;
            bool over = !cut && (pair->doomed || !copy(pair, 0) || !copy(pair, 1));
            if (over)
                drop(proxy, i);
            else
                i++;
        }
        wait_for_bytes(proxy);
    }
    while (proxy->count > 0)
        drop(proxy, 0);
    return NULL;
}

struct proxy *proxy_open(uint16_t port)
{
    struct proxy *proxy = memory_new(1, sizeof *proxy);
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    proxy->target = port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    proxy->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(proxy->listener >= 0 && proxy->wake >= 0);
    check(bind(proxy->listener, (struct sockaddr *)&address, size) == 0 && listen(proxy->listener, 64) == 0);
    check(getsockname(proxy->listener, (struct sockaddr *)&address, &size) == 0);
    proxy->port = ntohs(address.sin_port);
    check(pthread_create(&proxy->thread, NULL, run, proxy) == 0);
    return proxy;
}

static void wake(struct proxy *proxy)
{
    uint64_t one = 1;
    (void)!write(proxy->wake, &one, sizeof one);
}

void proxy_close(struct proxy *proxy)
{
    atomic_store(&proxy->stop, true);
    wake(proxy);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    close(proxy->wake);
    memory_free(proxy);
}

uint16_t proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

void proxy_cut(struct proxy *proxy, bool cut)
{
    atomic_store(&proxy->cut, cut);
    wake(proxy);
}
