#include "api/readiness.h"
#include "api/connections.h"
#include "api/readers.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/runtime/engine.h"

enum {
    FIRST_MS = 1000, /* a start waits so long for its first look, so that a probe right behind it is told the
                        truth */
    PAUSE_MS = 1000, /* between two looks while somebody asks */
    QUIET_PAUSE_MS = 10000, /* and while nobody does: what is told to the next one is not older */
    DRAGS_US = 3000000,     /* longer, and a server hangs: as bad as one that fails */
};
#define QUIET_US (INT64_C(30) * DURATION_SECOND_US) /* probes come every ten seconds or so */

struct looking {
    struct engine *engine;
    enum err error;
    struct err_note note;
};

/* What is away may be NATS, so the handle is only called broken when the store says so itself. */
static enum err look(struct store *store, void *context, struct err_note *note)
{
    struct looking *looking = context;
    int64_t now_us = 0;
    looking->error = engine_ready(looking->engine, store, &looking->note);
    return looking->error == ERR_OK ? ERR_OK : store_now(store, &now_us, note);
}

/* Under the lock, which it leaves while it looks. */
static void look_once(struct readiness *readiness)
{
    struct err_note note = {""};
    struct looking looking = {.engine = readiness->engine};
    readiness->began_us = clock_monotonic_us();
    pthread_mutex_unlock(&readiness->lock);
    enum err error = readers_run(readiness->readers, look, &looking, &note);
    pthread_mutex_lock(&readiness->lock);
    readiness->error = looking.error != ERR_OK ? looking.error : error;
    readiness->note = looking.error != ERR_OK ? looking.note : note;
    readiness->began_us = 0;
    readiness->seen = true;
    pthread_cond_broadcast(&readiness->turn);
}

static void *run(void *context)
{
    struct readiness *readiness = context;
    pthread_mutex_lock(&readiness->lock);
    while (!readiness->stopping) {
        look_once(readiness);
        bool quiet = clock_monotonic_us() - readiness->asked_us > QUIET_US;
        struct timespec until = connections_after_ms(quiet ? QUIET_PAUSE_MS : PAUSE_MS);
        int late = 0;
        while (!readiness->stopping && !late &&
               !(quiet && clock_monotonic_us() - readiness->asked_us <= QUIET_US))
            late = pthread_cond_clockwait(&readiness->turn, &readiness->lock, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&readiness->lock);
    return NULL;
}

void readiness_init(struct readiness *readiness, struct engine *engine, struct readers *readers)
{
    *readiness = (struct readiness){.engine = engine, .readers = readers, .asked_us = clock_monotonic_us()};
    check(pthread_mutex_init(&readiness->lock, NULL) == 0);
    check(pthread_cond_init(&readiness->turn, NULL) == 0);
    if (!engine) /* the service alone, as tests of malformed requests have it */
        return;
    check(pthread_create(&readiness->thread, NULL, run, readiness) == 0);
    struct timespec until = connections_after_ms(FIRST_MS);
    int late = 0;
    pthread_mutex_lock(&readiness->lock);
    while (!readiness->seen && !late)
        late = pthread_cond_clockwait(&readiness->turn, &readiness->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&readiness->lock);
}

void readiness_fini(struct readiness *readiness)
{
    pthread_mutex_lock(&readiness->lock);
    readiness->stopping = true;
    pthread_cond_broadcast(&readiness->turn);
    pthread_mutex_unlock(&readiness->lock);
    if (readiness->engine)
        pthread_join(readiness->thread, NULL);
    pthread_cond_destroy(&readiness->turn);
    pthread_mutex_destroy(&readiness->lock);
}

enum err readiness_ask(struct readiness *readiness, struct err_note *note)
{
    pthread_mutex_lock(&readiness->lock);
    int64_t now_us = clock_monotonic_us();
    enum err error = readiness->error;
    if (now_us - readiness->asked_us > QUIET_US)
        pthread_cond_broadcast(&readiness->turn);
    readiness->asked_us = now_us;
    *note = readiness->note;
    if (readiness->began_us && now_us - readiness->began_us > DRAGS_US)
        error = err_note(note, ERR_UNAVAILABLE, "a commit or a publish has been under way for seconds");
    else if (!readiness->seen)
        error = err_note(note, ERR_UNAVAILABLE, "nobody has looked yet");
    pthread_mutex_unlock(&readiness->lock);
    return error;
}
