/* Store handles for reading: as many as threads read at once, opened when needed, reconnected when broken.
 *
 * While the store is away, reads fail at once for a second after each failed attempt, so that the service's
 * threads stay free for what needs no store. Any thread. */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include "engine/base/err.h"
#include "engine/store/store.h"

struct engine;

enum { READERS_MAX = 64 }; /* at least the threads of the service, so that none ever waits for a handle */
struct readers {
    struct engine *engine; /* borrowed; its stores are opened */
    pthread_mutex_t lock;
    struct store *idle[READERS_MAX];
    uint32_t idle_count;
    int64_t away_until_us; /* monotonic */
};

void readers_init(struct readers *readers, struct engine *engine);
/* All handles must be back. */
void readers_fini(struct readers *readers);
/* Calls read with a handle; when the connection turns out to be broken, once more with a new one. `read` must
 * therefore be repeatable. ERR_UNAVAILABLE when there is no store, else what read gave. */
enum err readers_run(struct readers *readers,
                     enum err (*read)(struct store *store, void *context, struct err_note *note),
                     void *context, struct err_note *note);
