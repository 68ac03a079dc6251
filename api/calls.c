#include "api/calls.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include "api/state.h"
#include "engine/base/check.h"
#include "engine/base/memory.h"

struct calls_ticket {
    atomic_uint holders; /* the request and the engine */
    enum calls_kind kind;
    pthread_mutex_t lock;
    struct request *request; /* NULL: answered */
    bool worked;             /* no worker is at the request any more, so that it may be resumed */
};

static void release(struct calls_ticket *ticket)
{
    if (atomic_fetch_sub(&ticket->holders, 1) > 1)
        return;
    pthread_mutex_destroy(&ticket->lock);
    memory_free(ticket);
}

/* The first answer wins and resumes the request, which lives until calls_end. */
static void resolve(struct calls_ticket *ticket, const struct engine_answer *answer)
{
    pthread_mutex_lock(&ticket->lock);
    struct request *request = ticket->request;
    ticket->request = NULL;
    if (request) {
        request->answer = *answer;
        snprintf(request->answer_note.text, sizeof request->answer_note.text, "%.*s",
                 STR_ARG(answer->message));
        request->answer.message = str_from(request->answer_note.text);
        if (ticket->worked)
            MHD_resume_connection(request->connection);
    }
    pthread_mutex_unlock(&ticket->lock);
}

void calls_worked(struct request *request)
{
    struct calls_ticket *ticket = request->ticket;
    atomic_fetch_add(&ticket->holders, 1); /* resumed, the request may let go of it at once */
    pthread_mutex_lock(&ticket->lock);
    ticket->worked = true;
    if (!ticket->request) /* answered while the worker was still at it */
        MHD_resume_connection(request->connection);
    pthread_mutex_unlock(&ticket->lock);
    release(ticket);
}

static void finish(void *context, const struct engine_answer *answer)
{
    resolve(context, answer);
    release(context);
}

static void resolve_watch(struct calls_ticket *ticket)
{
    if (ticket->kind == CALLS_WATCH)
        resolve(ticket,
                &(struct engine_answer){.error = ERR_TIMEOUT, .message = STR("the service is stopping")});
}

static void resolve_work(struct calls_ticket *ticket)
{
    resolve(ticket,
            &(struct engine_answer){
                .error = ERR_UNKNOWN_OUTCOME,
                .message = STR("the service is stopping and cannot tell any more whether it was done")});
}

struct engine_call calls_begin(struct request *request, enum calls_kind kind,
                               void (*go_on)(struct request *request))
{
    struct calls_ticket *ticket = memory_new(1, sizeof *ticket);
    check(pthread_mutex_init(&ticket->lock, NULL) == 0);
    atomic_init(&ticket->holders, 2);
    ticket->kind = kind;
    ticket->request = request;
    ticket->worked = !request->on_worker;
    request->ticket = ticket;
    request->go_on = go_on;
    request->stage = REQUEST_SUSPENDED;
    struct api *api = request->api;
    if (!request->on_worker) /* else it is */
        MHD_suspend_connection(request->connection);
    pthread_mutex_lock(&api->lock);
    request->previous = NULL;
    request->next = api->suspended;
    if (request->next)
        request->next->previous = request;
    api->suspended = request;
    if (api->closing) {
        resolve_watch(ticket);
        resolve_work(ticket);
    }
    pthread_mutex_unlock(&api->lock);
    return (struct engine_call){.context = ticket, .done = finish};
}

void calls_fail(struct engine_call call, enum err error, const struct err_note *note)
{
    call.done(call.context, &(struct engine_answer){.error = error, .message = str_from(note->text)});
}

void calls_end(struct request *request)
{
    struct api *api = request->api;
    struct calls_ticket *ticket = request->ticket;
    pthread_mutex_lock(&api->lock);
    if (request->previous)
        request->previous->next = request->next;
    else
        api->suspended = request->next;
    if (request->next)
        request->next->previous = request->previous;
    request->ticket = NULL;
    pthread_cond_broadcast(&api->idle);
    pthread_mutex_unlock(&api->lock);
    release(ticket);
}

/* Under the lock: with it no request can leave the list. */
static void resolve_all(struct api *api, void (*one)(struct calls_ticket *ticket))
{
    for (struct request *request = api->suspended; request; request = request->next)
        one(request->ticket);
}

void calls_close(struct api *api)
{
    struct timespec until = connections_after_ms(CALLS_CLOSE_MS);
    pthread_mutex_lock(&api->lock);
    api->closing = true;
    resolve_all(api, resolve_watch);
    int late = 0;
    while (api->suspended && !late)
        late = pthread_cond_clockwait(&api->idle, &api->lock, CLOCK_MONOTONIC, &until);
    resolve_all(api, resolve_work);
    while (api->suspended)
        pthread_cond_wait(&api->idle, &api->lock);
    pthread_mutex_unlock(&api->lock);
}
