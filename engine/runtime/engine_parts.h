/* What the files of the runtime share of the engine's inside. Not for other layers. */
#pragma once
#include <stdatomic.h>
#include "engine/base/siphash.h"
#include "engine/runtime/backlog.h"
#include "engine/runtime/engine.h"
#include "engine/runtime/homing.h"
#include "engine/runtime/presence.h"
#include "engine/runtime/proof.h"
#include "engine/runtime/router.h"
#include "engine/runtime/runner.h"
#include "engine/runtime/trouble.h"

struct engine {
    struct engine_options options;
    struct presence presence;
    bool entered; /* has the name */
    struct proof_key key;
    struct registry *registry;
    struct bus *bus;
    struct siphash_key asking_key; /* of tickets (bus/ticket.h): the same for all engines of the database */
    struct router *router;
    struct homing *homing;
    struct runner *runners;
    uint32_t runner_count;
    uint32_t shard_count;
    _Atomic(struct runner *) *owners; /* by shard; NULL: not here */
    pthread_mutex_t listening; /* for beginning and ending to listen to a shard, which runners pass on */
    atomic_uint turn;          /* for spreading starts without a key */
    atomic_bool draining;
    atomic_bool bus_connected;
    struct trouble trouble;
    struct backlog backlog;
    atomic_uint sights;  /* answers that changed the backlog so far */
    atomic_bool running; /* all runners are there */
    pthread_mutex_t schema_lock;
    struct err_note schema_problem; /* "": the database's schema fits */
};

/* The monotonic clock all of this engine goes by. */
static inline int64_t engine_clock_us(const struct engine *engine)
{
    return engine->options.clock_us(engine->options.context);
}
/* The runner that owns the shard here, or NULL. */
struct runner *engine_owner(struct engine *engine, uint32_t shard);
/* Notes, for readiness, why the database's schema does not fit, or that it does (""). True when it fitted
 * until now. */
bool engine_refuse_schema(struct engine *engine, const char *why);
/* Where a saga with this key lives: the same on all instances, for ever. */
uint32_t engine_shard_of_key(const struct engine *engine, struct str definition, struct str key);
