/* This engine among others: its name, which only one engine has at a time, and whether it is the one that
 * should hold shards.
 *
 * At start the name is taken in the database; each renewal of leases takes it again, which is the beat by
 * which others see that this engine lives. When somebody else has it by then, because this process slept
 * through its lease, this engine is ousted: it drops what it holds and ends, so that two never take turns.
 * An engine whose bus has been away for a lease can neither send a command nor hear a reply: it is cut off.
 * It gives its shards to another engine whose bus works, if there is one, and claims none until its own works
 * again; where nobody's works, nothing moves. Threads: as said at each. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/store/store.h"

enum { PRESENCE_INCARNATION_SIZE = 17 }; /* 16 hex digits and a NUL */

struct engine;
struct presence {
    struct store_instance self; /* borrows from the engine's options, and: */
    char incarnation[PRESENCE_INCARNATION_SIZE];
    atomic_uint peers;             /* others that could take over, as of the last beat */
    _Atomic int64_t bus_turned_us; /* monotonic: when the bus last came or went */
    atomic_bool ousted;
    pthread_mutex_t lock;
    struct err_note why; /* ousted */
};

/* Makes an incarnation where the options name none. */
void presence_init(struct presence *presence, struct engine *engine);
void presence_fini(struct presence *presence);
/* Takes the name. While another engine that has it says nothing, it is waited for (unless driven by hand): it
 * lives and says something, or its lease runs out. ERR_CONFLICT: it lives. */
enum err presence_enter(struct engine *engine, struct store *store, struct err_note *note);
/* At each renewal, by any runner. ERR_CONFLICT: ousted, now or before. */
enum err presence_beat(struct engine *engine, struct store *store, struct err_note *note);
/* At the end: the name is free at once. */
void presence_leave(struct engine *engine, struct store *store);
/* The bus comes or goes: before bus_connected says so. Any thread. */
void presence_bus_turns(struct engine *engine);
/* Shards held should go to an engine that can do something with them. Any thread. */
bool presence_cut_off(struct engine *engine);
bool presence_may_claim(struct engine *engine);
