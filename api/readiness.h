/* Whether the service is ready, looked at by one thread and told from memory.
 *
 * A look costs a commit and a publish and may take seconds when a server hangs; whoever asks is answered at
 * once with what was seen last. The thread looks every second while somebody asks, and more rarely when
 * nobody does. readiness_ask: any thread. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/err.h"

struct engine;
struct readers;

struct readiness {
    struct engine *engine;   /* borrowed */
    struct readers *readers; /* borrowed */
    pthread_mutex_t lock;
    pthread_cond_t turn; /* to stop, to look sooner, or that a first look is over */
    pthread_t thread;
    bool stopping;
    bool seen;        /* once at least */
    int64_t began_us; /* monotonic: of the look under way; 0: none */
    int64_t asked_us; /* monotonic: when somebody asked last */
    enum err error;
    struct err_note note;
};

/* Waits for the first look, a moment at most. */
void readiness_init(struct readiness *readiness, struct engine *engine, struct readers *readers);
void readiness_fini(struct readiness *readiness);
/* ERR_OK: ready. Else the note says what is missing. */
enum err readiness_ask(struct readiness *readiness, struct err_note *note);
