/* A host's end of the store: every call is an action, and the hooks' faults come in here. Part of
 * world_parts.h; the engines call it as their store. Never decides which fault: the hooks do. */
#include "engine/sim/world_parts.h"

#include "engine/base/memory.h"

struct world_store {
    struct store base; /* first */
    struct store *inner;
    struct world_host *host;
};

static struct world_store *mine(struct store *store)
{
    return (struct world_store *)store;
}

static enum err reach(struct store *store, struct err_note *note)
{
    struct world_host *host = mine(store)->host;
    if (!world_act(host))
        return err_note(note, ERR_UNAVAILABLE, "the host is dead");
    if (host->world->store_down)
        return err_note(note, ERR_UNAVAILABLE, "the database is away");
    return ERR_OK;
}

/* Calls that only pass on: reach, then the same of the twin. */
#define PASS(name, parameters, arguments)                                                                    \
    static enum err name parameters                                                                          \
    {                                                                                                        \
        enum err error = reach(store, note);                                                                 \
        store = mine(store)->inner;                                                                          \
        return error == ERR_OK ? store->ops->name arguments : error;                                         \
    }

PASS(reconnect, (struct store * store, struct err_note *note), (store, note))
PASS(now, (struct store * store, int64_t *now_us, struct err_note *note), (store, now_us, note))
PASS(shard_count, (struct store * store, uint32_t *count, struct err_note *note), (store, count, note))
PASS(enter,
     (struct store * store, const struct store_instance *instance, int64_t lease_us, int64_t bus_us,
      struct store_standing *standing, struct err_note *note),
     (store, instance, lease_us, bus_us, standing, note))
PASS(leave, (struct store * store, const struct store_instance *instance, struct err_note *note),
     (store, instance, note))
PASS(engine_key, (struct store * store, struct arena *arena, struct str *key, struct err_note *note),
     (store, arena, key, note))
PASS(claim,
     (struct store * store, struct str instance, int64_t lease_us, uint32_t most, struct arena *arena,
      struct store_shard **shards, uint32_t *count, struct err_note *note),
     (store, instance, lease_us, most, arena, shards, count, note))
PASS(renew,
     (struct store * store, struct str instance, int64_t lease_us, const struct store_shard *shards,
      uint32_t count, bool *kept, struct store_shard *found, int64_t *now_us, struct err_note *note),
     (store, instance, lease_us, shards, count, kept, found, now_us, note))
PASS(release, (struct store * store, const struct store_shard *shards, uint32_t count, struct err_note *note),
     (store, shards, count, note))
PASS(committed,
     (struct store * store, const struct store_batch *batch, bool *committed, struct err_note *note),
     (store, batch, committed, note))
PASS(open_sagas,
     (struct store * store, uint32_t shard, struct arena *arena, struct store_open_saga **sagas,
      uint32_t *count, struct err_note *note),
     (store, shard, arena, sagas, count, note))
PASS(unpublished,
     (struct store * store, uint32_t shard, int64_t after_lsn, uint32_t most, struct arena *arena,
      struct store_record **records, uint32_t *count, struct err_note *note),
     (store, shard, after_lsn, most, arena, records, count, note))
PASS(load_many,
     (struct store * store, const struct id *ids, uint32_t id_count, struct arena *arena,
      struct store_saga **sagas, uint32_t *saga_count, struct store_record **records, uint32_t *record_count,
      struct err_note *note),
     (store, ids, id_count, arena, sagas, saga_count, records, record_count, note))
PASS(find_keys,
     (struct store * store, const struct str *definitions, const struct str *keys, uint32_t count,
      struct arena *arena, struct store_keyed **found, uint32_t *found_count, struct err_note *note),
     (store, definitions, keys, count, arena, found, found_count, note))
PASS(glance,
     (struct store * store, const struct id *ids, uint32_t id_count, struct arena *arena,
      struct store_glance **found, uint32_t *count, struct err_note *note),
     (store, ids, id_count, arena, found, count, note))
PASS(list,
     (struct store * store, const struct store_filter *filter, struct arena *arena, struct store_saga **sagas,
      uint32_t *count, struct err_note *note),
     (store, filter, arena, sagas, count, note))
PASS(dead_letters,
     (struct store * store, struct str saga, int64_t before_number, uint32_t limit, struct arena *arena,
      struct store_dead_letter **letters, uint32_t *count, struct err_note *note),
     (store, saga, before_number, limit, arena, letters, count, note))
PASS(forget_dead,
     (struct store * store, int64_t before_us, uint32_t most, uint32_t *gone, struct err_note *note),
     (store, before_us, most, gone, note))
PASS(definition_put, (struct store * store, const struct store_definition *definition, struct err_note *note),
     (store, definition, note))
PASS(definition_get,
     (struct store * store, struct str name, int32_t version, struct arena *arena,
      struct store_definition *definition, struct err_note *note),
     (store, name, version, arena, definition, note))
PASS(definition_delete, (struct store * store, struct str name, int32_t version, struct err_note *note),
     (store, name, version, note))
PASS(definitions,
     (struct store * store, struct str name, struct arena *arena, struct store_definition **definitions,
      uint32_t *count, struct err_note *note),
     (store, name, arena, definitions, count, note))
PASS(suspect,
     (struct store * store, struct str message, struct str hand, uint32_t *hands, struct err_note *note),
     (store, message, hand, hands, note))
PASS(suspect_clear, (struct store * store, struct str message, struct err_note *note), (store, message, note))
PASS(doctor,
     (struct store * store, struct arena *arena, struct store_stuck **stuck, uint32_t *count,
      struct err_note *note),
     (store, arena, stuck, count, note))
PASS(probe, (struct store * store, struct err_note *note), (store, note))

static bool refuses(const struct world_host *host, const struct store_batch *batch)
{
    const struct world_hooks *hooks = &host->world->hooks;
    return hooks->refuses != NULL && hooks->refuses(hooks->context, batch);
}

static enum err append_try(struct store *store, const struct store_batch *batch, struct err_note *note)
{
    enum err error = reach(store, note);
    if (error == ERR_OK && refuses(mine(store)->host, batch))
        error = err_note(note, ERR_BAD_DATA, "a value was refused, as asked for");
    struct store *inner = mine(store)->inner;
    return error == ERR_OK ? inner->ops->append_try(inner, batch, note) : error;
}

/* Asked over a handle that no fault has broken. */
static bool is_stored(struct world_host *host, const struct store_batch *batch)
{
    struct err_note note;
    bool committed = false;
    struct store *look = world_observe(host->world);
    enum err error = store_committed(look, batch, &committed, &note);
    store_close(look);
    return error == ERR_OK && committed;
}

static enum err append_once(struct store *store, const struct store_batch *batch, struct err_note *note)
{
    struct world_host *host = mine(store)->host;
    const struct world_hooks *hooks = &host->world->hooks;
    enum err error = reach(store, note);
    if (error != ERR_OK)
        return error;
    if (refuses(host, batch))
        return err_note(note, ERR_BAD_DATA, "a value was refused, as asked for");
    enum memory_store_fault fault =
        hooks->append != NULL ? hooks->append(hooks->context, host, batch) : MEMORY_STORE_FINE;
    memory_store_fail(host->world->store, fault);
    struct store *inner = mine(store)->inner;
    error = inner->ops->append_once(inner, batch, note);
    memory_store_fail(host->world->store, MEMORY_STORE_FINE);
    if (hooks->stored != NULL && (error == ERR_OK || (fault == MEMORY_STORE_LOST && is_stored(host, batch))))
        hooks->stored(hooks->context, host, batch);
    return error;
}

static void close_store(struct store *store)
{
    store_close(mine(store)->inner);
    memory_free(store);
}

static const struct store_ops ops = {
    .reconnect = reconnect,
    .now = now,
    .shard_count = shard_count,
    .enter = enter,
    .leave = leave,
    .engine_key = engine_key,
    .claim = claim,
    .renew = renew,
    .release = release,
    .append_once = append_once,
    .append_try = append_try,
    .committed = committed,
    .open_sagas = open_sagas,
    .unpublished = unpublished,
    .load_many = load_many,
    .find_keys = find_keys,
    .glance = glance,
    .list = list,
    .dead_letters = dead_letters,
    .suspect = suspect,
    .suspect_clear = suspect_clear,
    .forget_dead = forget_dead,
    .definition_put = definition_put,
    .definition_delete = definition_delete,
    .definition_get = definition_get,
    .definitions = definitions,
    .doctor = doctor,
    .probe = probe,
    .close = close_store,
};

enum err world_open_store(void *context, struct store **store, struct err_note *note)
{
    struct world_host *host = context;
    if (!world_act(host) || host->world->store_down)
        return err_note(note, ERR_UNAVAILABLE, "the database is away");
    struct world_store *opened = memory_new(1, sizeof *opened);
    struct store_instance instance = {.incarnation = str_from(host->incarnation)};
    *opened = (struct world_store){
        .base = {.ops = &ops}, .inner = memory_store_open_as(host->world->store, &instance), .host = host};
    *store = &opened->base;
    return ERR_OK;
}
