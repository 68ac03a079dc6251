/* Threads for work that may block or take long: reading the store, checking a large input, compiling a
 * definition, foreseeing a cancel.
 *
 * The library's threads only read requests and write answers, so that /healthz, /readyz and small starts are
 * served whatever the rest waits for. A request that needs more is suspended and queued by its kind; each
 * kind has threads and a bounded queue of its own, so that plans, the most expensive, cannot take what reads
 * need. A full queue is answered at once, with 503. workers_submit is called on the library's threads; steps
 * run on the workers', one request on one thread at a time. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct request;

enum workers_kind {
    WORKERS_WRITE, /* starts that need the store or are large, definitions, signals by key */
    WORKERS_READ,  /* pages of sagas, records, dead letters */
    WORKERS_PLAN,  /* what a cancel would do: up to a second of one core */
};
enum { WORKERS_KIND_COUNT = 3, WORKERS_THREADS_MAX = 4 };

struct workers_queue {
    const struct workers_row *row;
    struct request *first, *last; /* linked by request->queued */
    uint32_t waiting;
    bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t threads[WORKERS_THREADS_MAX];
};
struct workers {
    struct workers_queue queues[WORKERS_KIND_COUNT];
};

void workers_init(struct workers *workers);
/* Does what is queued, with a refusal when the service stops, and ends the threads; workers_submit gives
 * false from then on. */
void workers_close(struct workers *workers);
/* When the library's threads have ended, too. */
void workers_fini(struct workers *workers);
/* Suspends the request and lets `step` run on a worker: it answers the request or begins a call, as a handler
 * does. False, and nothing is done, when the queue is full or closed. */
bool workers_submit(struct request *request, enum workers_kind kind, void (*step)(struct request *request));
