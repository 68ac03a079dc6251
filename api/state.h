/* What the parts of the service share: one struct api, made by api.c. Inside api/ only. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "api/connections.h"
#include "api/listener.h"
#include "api/readers.h"
#include "api/readiness.h"
#include "api/workers.h"
#include "engine/runtime/engine.h"

struct MHD_Daemon;
struct request;

struct api {
    struct engine *engine; /* borrowed */
    struct readers readers;
    struct connections connections;
    struct MHD_Daemon *daemon;
    int socket; /* listens */
    uint16_t port;
    char url[LISTENER_URL_SIZE];
    struct arena arena; /* what is made once: openapi as JSON */
    struct str openapi_json;

    atomic_bool stopping; /* new requests are refused */
    pthread_mutex_t lock;
    pthread_cond_t idle;       /* signalled when a request is no longer suspended */
    struct request *suspended; /* first of those that wait for the engine */
    bool closing;              /* nothing is suspended any more */

    struct readiness readiness;
    struct workers workers;
    size_t held_max;
    atomic_size_t held; /* bytes of bodies that arrive, of work on them, and of answers on their way */
};
