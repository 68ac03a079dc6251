#include "api/workers.h"
#include <microhttpd.h>
#include <stdatomic.h>
#include <string.h>
#include "api/calls.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

struct workers_row {
    uint32_t threads; /* each with a handle of the store, opened when first needed */
    uint32_t waiting_max;
};
static const struct workers_row rows[WORKERS_KIND_COUNT] = {
    [WORKERS_WRITE] = {2, LIMITS_HTTP_WAITING_WRITES},
    [WORKERS_READ] = {WORKERS_THREADS_MAX, LIMITS_HTTP_WAITING_READS},
    [WORKERS_PLAN] = {1, LIMITS_HTTP_WAITING_PLANS}, /* the rest of the machine is for sagas */
};

static struct request *take(struct workers_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->stopping)
        pthread_cond_wait(&queue->more, &queue->lock);
    struct request *request = queue->first;
    if (request) {
        queue->first = request->queued;
        queue->last = queue->first ? queue->last : NULL;
        queue->waiting--;
    }
    pthread_mutex_unlock(&queue->lock);
    return request;
}

/* After `step` the request may only be touched by who resumes it. */
static void work(struct request *request)
{
    request->stage = REQUEST_WORK;
    bool begins =
        request->step == request->route->serve; /* what goes on was stored, and is told to the end */
    if (begins && atomic_load(&request->api->stopping))
        request_refuse(request, PAGE_UNAVAILABLE, "the service is stopping");
    else
        request->step(request);
    if (request->ticket)
        calls_worked(request);
    else
        MHD_resume_connection(request->connection);
}

static void *run(void *context)
{
    struct request *request;
    while ((request = take(context)))
        work(request);
    return NULL;
}

void workers_init(struct workers *workers)
{
    memset(workers, 0, sizeof *workers);
    for (int kind = 0; kind < WORKERS_KIND_COUNT; kind++) {
        struct workers_queue *queue = &workers->queues[kind];
        queue->row = &rows[kind];
        check(pthread_mutex_init(&queue->lock, NULL) == 0);
        check(pthread_cond_init(&queue->more, NULL) == 0);
        for (uint32_t i = 0; i < queue->row->threads; i++)
            check(pthread_create(&queue->threads[i], NULL, run, queue) == 0);
    }
}

void workers_close(struct workers *workers)
{
    for (int kind = 0; kind < WORKERS_KIND_COUNT; kind++) {
        struct workers_queue *queue = &workers->queues[kind];
        pthread_mutex_lock(&queue->lock);
        queue->stopping = true;
        pthread_cond_broadcast(&queue->more);
        pthread_mutex_unlock(&queue->lock);
        for (uint32_t i = 0; i < queue->row->threads; i++)
            pthread_join(queue->threads[i], NULL);
    }
}

void workers_fini(struct workers *workers)
{
    for (int kind = 0; kind < WORKERS_KIND_COUNT; kind++) {
        pthread_cond_destroy(&workers->queues[kind].more);
        pthread_mutex_destroy(&workers->queues[kind].lock);
    }
}

bool workers_submit(struct request *request, enum workers_kind kind, void (*step)(struct request *request))
{
    struct workers_queue *queue = &request->api->workers.queues[kind];
    pthread_mutex_lock(&queue->lock);
    bool fits = queue->waiting < queue->row->waiting_max && !queue->stopping;
    if (fits) {
        request->stage = REQUEST_SUSPENDED;
        request->on_worker = true;
        request->step = step;
        request->queued = NULL;
        MHD_suspend_connection(request->connection); /* before a worker can resume it */
        if (queue->last)
            queue->last->queued = request;
        else
            queue->first = request;
        queue->last = request;
        queue->waiting++;
        pthread_cond_signal(&queue->more);
    }
    pthread_mutex_unlock(&queue->lock);
    return fits;
}
