/* Deadlines of whole connections, looked after by a thread of its own. Told by api.c of each phase. Never
 * touches a request: it cuts the connection. */
#include "api/connections.h"
#include <microhttpd.h>
#include <sys/socket.h>
#include "api/literal.h"
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

enum { TICK_MS = 250 };

struct timespec connections_after_ms(int64_t ms)
{
    int64_t until_us = clock_monotonic_us() + ms * 1000;
    return (struct timespec){.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
}

static void tell_moved(struct connections *connections)
{
    if (connections->settling)
        pthread_cond_signal(&connections->moved);
}

/* What still arrives is read and dropped for a while, because closing with unread bytes resets the
 * connection, which can take the page away from the client again. */
static void drain(int socket)
{
    enum { DRAINS_MAX = 64 };
    char dropped[16384];
    for (int i = 0; i < DRAINS_MAX; i++)
        if (recv(socket, dropped, sizeof dropped, MSG_DONTWAIT) <= 0)
            return;
}

/* The service writes nothing while a request arrives, so the page cannot end up inside another one. */
static void send_page(int socket, const struct page *page)
{
    struct arena arena;
    struct buf body;
    arena_init(&arena, 0);
    buf_init(&body, &arena);
    page_write(&body, page);
    unsigned status = page_status(page->kind);
    struct str text = arena_printf(
        &arena,
        "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%.*s",
        status, MHD_get_reason_phrase_for(status), body.size, STR_ARG(buf_str(&body)));
    (void)send(socket, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL); /* gone is as good as told */
    arena_fini(&arena);
}

static void cut(struct connections_item *item, const struct page *page)
{
    if (page)
        send_page(item->socket, page);
    shutdown(item->socket, SHUT_RDWR);
    item->cut = true;
}

static void cut_when_late(struct connections_item *item)
{
    static const struct page late = {
        .kind = PAGE_REQUEST_TIMEOUT,
        .detail = LITERAL("the whole request must arrive in time, whatever its pace"),
    };
    cut(item, item->phase == CONNECTIONS_REQUEST ? &late : NULL);
}

void connections_refuse(struct connections_item *item, const struct page *page)
{
    pthread_mutex_lock(&item->owner->lock);
    if (!item->cut) {
        send_page(item->socket, page);
        shutdown(item->socket, SHUT_WR);
        drain(item->socket);
        item->cut = true;
    }
    tell_moved(item->owner);
    pthread_mutex_unlock(&item->owner->lock);
}

static void cut_late(struct connections *connections)
{
    int64_t now_us = clock_monotonic_us();
    for (struct connections_item *item = connections->first; item; item = item->next)
        if (!item->cut && item->until_us && item->until_us <= now_us)
            cut_when_late(item);
}

static void *watch(void *context)
{
    struct connections *connections = context;
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        cut_late(connections);
        struct timespec until = connections_after_ms(TICK_MS);
        (void)pthread_cond_clockwait(&connections->stop, &connections->lock, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

void connections_init(struct connections *connections, uint32_t most, int64_t request_ms, int64_t idle_ms)
{
    *connections = (struct connections){
        .most = most,
        .bounds_us = {[CONNECTIONS_IDLE] = idle_ms * 1000,
                      [CONNECTIONS_REQUEST] = request_ms * 1000,
                      [CONNECTIONS_WORK] = 0,
                      [CONNECTIONS_ANSWER] = idle_ms * 1000},
    };
    check(pthread_mutex_init(&connections->lock, NULL) == 0);
    check(pthread_cond_init(&connections->stop, NULL) == 0);
    check(pthread_cond_init(&connections->moved, NULL) == 0);
    check(pthread_create(&connections->thread, NULL, watch, connections) == 0);
}

void connections_fini(struct connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    check(connections->first == NULL);
    connections->stopping = true;
    pthread_cond_signal(&connections->stop);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->thread, NULL);
    pthread_cond_destroy(&connections->moved);
    pthread_cond_destroy(&connections->stop);
    pthread_mutex_destroy(&connections->lock);
}

static bool is_busy(const struct connections *connections)
{
    for (const struct connections_item *item = connections->first; item; item = item->next)
        if (!item->cut && (item->phase == CONNECTIONS_WORK || item->phase == CONNECTIONS_ANSWER))
            return true;
    return false;
}

void connections_settle(struct connections *connections, int64_t bound_ms)
{
    struct timespec until = connections_after_ms(bound_ms);
    int late = 0;
    pthread_mutex_lock(&connections->lock);
    connections->settling = true;
    while (is_busy(connections) && !late)
        late = pthread_cond_clockwait(&connections->moved, &connections->lock, CLOCK_MONOTONIC, &until);
    connections->settling = false;
    pthread_mutex_unlock(&connections->lock);
}

static void enter(struct connections *connections, struct connections_item *item,
                  enum connections_phase phase)
{
    int64_t bound_us = connections->bounds_us[phase];
    item->phase = phase;
    item->until_us = bound_us ? clock_monotonic_us() + bound_us : 0;
}

/* The one that has been idle longest makes room: browsers and pools open another when they need one. */
static void shed(struct connections *connections)
{
    struct connections_item *oldest = NULL;
    for (struct connections_item *item = connections->first; item; item = item->next)
        if (!item->cut && item->phase == CONNECTIONS_IDLE && (!oldest || item->until_us < oldest->until_us))
            oldest = item;
    if (oldest)
        cut(oldest, NULL);
}

struct connections_item *connections_add(struct connections *connections, int socket)
{
    struct connections_item *item = memory_new(1, sizeof *item);
    item->owner = connections;
    item->socket = socket;
    enter(connections, item, CONNECTIONS_IDLE);
    pthread_mutex_lock(&connections->lock);
    if (++connections->count >
        connections->most - connections->most / 8) /* each thread of the library has its part of them */
        shed(connections);
    item->next = connections->first;
    if (item->next)
        item->next->previous = item;
    connections->first = item;
    pthread_mutex_unlock(&connections->lock);
    return item;
}

void connections_remove(struct connections *connections, struct connections_item *item)
{
    pthread_mutex_lock(&connections->lock);
    if (item->previous)
        item->previous->next = item->next;
    else
        connections->first = item->next;
    if (item->next)
        item->next->previous = item->previous;
    connections->count--;
    tell_moved(connections);
    pthread_mutex_unlock(&connections->lock);
    memory_free(item);
}

bool connections_enter(struct connections *connections, struct connections_item *item,
                       enum connections_phase phase)
{
    pthread_mutex_lock(&connections->lock);
    bool cut_already = item->cut;
    if (!cut_already)
        enter(connections, item, phase);
    tell_moved(connections);
    pthread_mutex_unlock(&connections->lock);
    return !cut_already;
}
