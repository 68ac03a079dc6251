#include "engine/bus/nats_errors.h"

#include <pthread.h>
#include "engine/bus/nats_options.h"

enum { TEXT_BYTES = 256 }; /* nats.c cuts there */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct nats_errors *first;
static uintptr_t numbers;

void nats_errors_enroll(struct nats_errors *errors,
                        void (*said)(void *context, natsStatus status, const char *text), void *context)
{
    pthread_mutex_lock(&mutex);
    *errors = (struct nats_errors){.said = said, .context = context, .number = ++numbers, .next = first};
    first = errors;
    pthread_mutex_unlock(&mutex);
}

void nats_errors_strike_off(struct nats_errors *errors)
{
    pthread_mutex_lock(&mutex);
    for (struct nats_errors **place = &first; *place != NULL; place = &(*place)->next)
        if (*place == errors) {
            *place = errors->next;
            break;
        }
    pthread_mutex_unlock(&mutex);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure)
{
    (void)connection;
    (void)subscription;
    char text[TEXT_BYTES];
    nats_options_why(status, text, sizeof text);
    pthread_mutex_lock(&mutex);
    for (struct nats_errors *errors = first; errors != NULL; errors = errors->next)
        if (errors->number == (uintptr_t)closure)
            errors->said(errors->context, status, text);
    pthread_mutex_unlock(&mutex);
}

natsStatus nats_errors_set(const struct nats_errors *errors, natsOptions *options)
{
    return natsOptions_SetErrorHandler(options, on_error, (void *)errors->number);
}
