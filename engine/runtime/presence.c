#include "engine/runtime/presence.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/ops/log.h"
#include "engine/ops/process.h"
#include "engine/runtime/engine_parts.h"

enum { LOOK_MS = 100 }; /* at a predecessor that may be dying: nobody notices this much at a start */

static const char *or_text(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

void presence_init(struct presence *presence, struct engine *engine)
{
    const struct engine_options *options = &engine->options;
    uint64_t number = options->seed == 0 ? rng_entropy() : rng_mix(options->seed, 1);
    snprintf(presence->incarnation, sizeof presence->incarnation, "%016" PRIx64, number);
    if (options->incarnation != NULL)
        snprintf(presence->incarnation, sizeof presence->incarnation, "%s", options->incarnation);
    presence->self = (struct store_instance){.name = str_from(options->instance),
                                             .incarnation = str_from(presence->incarnation),
                                             .address = str_from(or_text(options->address, "?")),
                                             .version = str_from(or_text(options->version, "?"))};
    check(pthread_mutex_init(&presence->lock, NULL) == 0);
}

void presence_fini(struct presence *presence)
{
    pthread_mutex_destroy(&presence->lock);
}

static int64_t turned_for_us(const struct engine *engine)
{
    return engine_clock_us(engine) - atomic_load(&engine->presence.bus_turned_us);
}

static enum err enter(struct engine *engine, struct store *store, struct store_standing *standing,
                      struct err_note *note)
{
    struct presence *presence = &engine->presence;
    int64_t bus_us = atomic_load(&engine->bus_connected) ? turned_for_us(engine) : -1;
    enum err error = store_enter(store, &presence->self, engine->options.lease_us, bus_us, standing, note);
    if (error == ERR_OK)
        atomic_store(&presence->peers, standing->peers);
    return error;
}

/* A predecessor that was killed has no session in a moment; one whose machine died, or that is stopped, has
 * one until its lease is over; one that lives beats before that, which ends the wait. */
enum err presence_enter(struct engine *engine, struct store *store, struct err_note *note)
{
    struct store_standing standing;
    int64_t until_us = engine_clock_us(engine) + engine->options.lease_us;
    enum err error = enter(engine, store, &standing, note);
    int64_t beat_us = standing.beat_us;
    while (error == ERR_CONFLICT && standing.beat_us == beat_us && !engine->options.by_hand &&
           engine_clock_us(engine) < until_us) {
        process_pause(LOOK_MS);
        error = enter(engine, store, &standing, note);
    }
    return error;
}

static void oust(struct engine *engine, const struct err_note *note)
{
    struct presence *presence = &engine->presence;
    pthread_mutex_lock(&presence->lock);
    if (!atomic_load(&presence->ousted)) {
        presence->why = *note;
        log_error("ousted", "instance=%s why=%s", engine->options.instance, note->text);
    }
    atomic_store(&presence->ousted, true);
    pthread_mutex_unlock(&presence->lock);
}

enum err presence_beat(struct engine *engine, struct store *store, struct err_note *note)
{
    struct store_standing standing;
    if (engine_ousted(engine, note))
        return ERR_CONFLICT;
    enum err error = enter(engine, store, &standing, note);
    if (error == ERR_CONFLICT)
        oust(engine, note);
    return error;
}

bool engine_ousted(struct engine *engine, struct err_note *note)
{
    struct presence *presence = &engine->presence;
    bool ousted = atomic_load(&presence->ousted);
    if (ousted) {
        pthread_mutex_lock(&presence->lock);
        *note = presence->why;
        pthread_mutex_unlock(&presence->lock);
    }
    return ousted;
}

void presence_leave(struct engine *engine, struct store *store)
{
    struct err_note note = {""};
    if (store_leave(store, &engine->presence.self, &note) != ERR_OK)
        log_warn("name_not_left", "instance=%s why=%s", engine->options.instance, note.text);
}

void presence_bus_turns(struct engine *engine)
{
    atomic_store(&engine->presence.bus_turned_us, engine_clock_us(engine));
}

bool presence_cut_off(struct engine *engine)
{
    return !atomic_load(&engine->bus_connected) && turned_for_us(engine) >= engine->options.lease_us &&
           atomic_load(&engine->presence.peers) > 0;
}

bool presence_may_claim(struct engine *engine)
{
    return atomic_load(&engine->bus_connected) || atomic_load(&engine->presence.peers) == 0;
}
