/* What the parts of the service share: one struct api, made by server.c. Inside api/ only. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "api/connections.h"
#include "api/listener.h"
#include "api/readers.h"
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

    pthread_mutex_t ready_lock;
    bool ready_looking;
    int64_t ready_began_us; /* monotonic: when the look under way, or the last one, began */
    int64_t ready_until_us; /* monotonic: what was seen last is good until then */
    enum err ready_error;
    struct err_note ready_note;
};
