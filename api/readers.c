#include "api/readers.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/runtime/engine.h"

void readers_init(struct readers *readers, struct engine *engine)
{
    *readers = (struct readers){.engine = engine};
    check(pthread_mutex_init(&readers->lock, NULL) == 0);
}

void readers_fini(struct readers *readers)
{
    for (uint32_t i = 0; i < readers->idle_count; i++)
        store_close(readers->idle[i]);
    pthread_mutex_destroy(&readers->lock);
}

/* An idle handle, or NULL; away tells that none should be opened now. */
static struct store *take(struct readers *readers, bool *away)
{
    pthread_mutex_lock(&readers->lock);
    *away = clock_monotonic_us() < readers->away_until_us;
    struct store *store = readers->idle_count && !*away ? readers->idle[--readers->idle_count] : NULL;
    pthread_mutex_unlock(&readers->lock);
    return store;
}

static void give(struct readers *readers, struct store *store)
{
    pthread_mutex_lock(&readers->lock);
    bool kept = readers->idle_count < READERS_MAX;
    if (kept)
        readers->idle[readers->idle_count++] = store;
    pthread_mutex_unlock(&readers->lock);
    if (!kept)
        store_close(store);
}

static void mark_away(struct readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    readers->away_until_us = clock_monotonic_us() + DURATION_SECOND_US;
    pthread_mutex_unlock(&readers->lock);
}

static bool is_broken(enum err error)
{
    return error == ERR_UNAVAILABLE || error == ERR_CLOSED || error == ERR_IO || error == ERR_TIMEOUT ||
           error == ERR_UNKNOWN_OUTCOME;
}

enum err readers_run(struct readers *readers,
                     enum err (*read)(struct store *store, void *context, struct err_note *note),
                     void *context, struct err_note *note)
{
    bool away = false;
    struct store *store = take(readers, &away);
    if (away)
        return err_note(note, ERR_UNAVAILABLE, "the database did not answer a moment ago");
    enum err error = store ? ERR_OK : engine_open_store(readers->engine, &store, note);
    if (error != ERR_OK) {
        mark_away(readers);
        return error;
    }
    error = read(store, context, note);
    if (is_broken(error)) {
        enum err connected = store_reconnect(store, note);
        if (connected == ERR_OK)
            error = read(store, context, note);
        if (is_broken(error))
            mark_away(readers);
    }
    give(readers, store);
    return error;
}
