/* Total deadlines of connections, which libmicrohttpd has not: it only counts silence, so one byte a second
 * keeps a connection for ever.
 *
 * Each connection is in one of four phases, each with its own bound; a thread that wakes four times a second
 * cuts what is late. A request that does not arrive in time is answered with 408; in the other phases the
 * connection is just closed. While a request is worked on there is no bound here: the work has its own.
 * connections_add, _phase and _remove come from the service's threads. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "api/page.h"

enum connections_phase {
    CONNECTIONS_IDLE,    /* until the next request line is complete */
    CONNECTIONS_REQUEST, /* until header and body are complete */
    CONNECTIONS_WORK,    /* no bound */
    CONNECTIONS_ANSWER,  /* until the client has taken the answer */
};
enum { CONNECTIONS_PHASE_COUNT = 4 };

struct connections;
struct connections_item {
    struct connections *owner;
    struct connections_item *previous, *next;
    int socket; /* borrowed */
    enum connections_phase phase;
    int64_t until_us; /* monotonic; 0: no bound */
    bool cut;
};
struct connections {
    uint32_t count, most;
    int64_t bounds_us[CONNECTIONS_PHASE_COUNT];
    pthread_mutex_t lock;
    pthread_cond_t stop;
    pthread_cond_t moved; /* signalled while somebody settles */
    bool settling;
    bool stopping;
    struct connections_item *first;
    pthread_t thread;
};

/* most: connections there may be; shortly below that each new one takes the place of the one that has been
 * idle longest. request_ms: for a whole request to arrive, from its request line on. idle_ms: for the next
 * one to begin. */
void connections_init(struct connections *connections, uint32_t most, int64_t request_ms, int64_t idle_ms);
/* When no connection is left. */
void connections_fini(struct connections *connections);
struct connections_item *connections_add(struct connections *connections, int socket);
void connections_remove(struct connections *connections, struct connections_item *item);
/* Answers what could not be read as a request, and ends the connection: nothing behind it can be trusted.
 * From the service's threads. */
void connections_refuse(struct connections_item *item, const struct page *page);
/* Waits until no request is worked on or answered, at most bound_ms. */
void connections_settle(struct connections *connections, int64_t bound_ms);
/* False: it was cut, do not answer. */
bool connections_enter(struct connections *connections, struct connections_item *item,
                       enum connections_phase phase);
/* Now and so much, on the monotonic clock, for bounded waiting on conditions. */
struct timespec connections_after_ms(int64_t ms);
