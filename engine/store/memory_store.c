/* The in-memory twin: the world, its clock, its shards, and the faults that a test asks for. Used by tests
 * and the simulator, never by the service. What it does differently from PostgreSQL is a bug of one of them.
 * */
#include "engine/store/memory_store.h"

#include <stdlib.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/store/memory_world.h"

static const int64_t first_us = 1000000000000000;

static struct memory_store *handle_of(struct store *store)
{
    return (struct memory_store *)store;
}

enum err memory_world_enter(struct store *store, struct memory_store_world **world, struct err_note *note)
{
    struct memory_store *handle = handle_of(store);
    *world = handle->world;
    pthread_mutex_lock(&handle->world->lock);
    if (!handle->broken && handle->breaks == handle->world->breaks)
        return ERR_OK;
    memory_world_leave(handle->world);
    return err_note(note, ERR_UNAVAILABLE, "the connection is broken");
}

void memory_world_leave(struct memory_store_world *world)
{
    pthread_mutex_unlock(&world->lock);
}

struct memory_saga *memory_world_find(const struct memory_store_world *world, const struct id *id)
{
    return map_get(&world->by_id, (struct str){(const char *)id->bytes, sizeof id->bytes});
}

struct str memory_world_key(struct arena *arena, struct str definition, struct str key)
{
    return arena_printf(arena, "%.*s/%.*s", STR_ARG(definition), STR_ARG(key));
}

void *memory_world_grow(void *items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 8;
    return memory_resize(items, *room, size);
}

void memory_world_copy_saga(struct arena *arena, const struct store_saga *from, struct store_saga *to)
{
    *to = *from;
    to->definition = arena_copy(arena, from->definition);
    to->hash = arena_copy(arena, from->hash);
    to->status = arena_copy(arena, from->status);
    to->waiting = arena_copy(arena, from->waiting);
    to->reason_code = arena_copy(arena, from->reason_code);
    to->key = arena_copy(arena, from->key);
    to->search = from->search.size > 0 ? arena_copy(arena, from->search) : STR("{}");
    to->created = false;
}

void memory_world_copy_record(struct arena *arena, const struct store_record *from, struct store_record *to)
{
    *to = *from;
    to->kind = arena_copy(arena, from->kind);
    to->step = arena_copy(arena, from->step);
    to->data = arena_copy(arena, from->data);
}

struct memory_store_world *memory_store_new(uint32_t shards)
{
    check(shards >= 1 && shards <= LIMITS_SHARDS_MAX);
    struct memory_store_world *world = memory_new(1, sizeof *world);
    pthread_mutex_init(&world->lock, NULL);
    arena_init(&world->arena, 0);
    map_init(&world->by_id);
    map_init(&world->by_key);
    map_init(&world->by_message);
    world->now_us = first_us;
    world->shard_count = shards;
    world->shards = memory_new(shards, sizeof *world->shards);
    for (uint32_t i = 0; i < shards; i++)
        world->shards[i].marks.shard = i;
    return world;
}

void memory_store_free(struct memory_store_world *world)
{
    for (struct memory_store *handle = world->handles; handle != NULL; handle = handle->next)
        handle->world = NULL;
    memory_world_drop_moment(world);
    for (uint32_t i = 0; i < world->shard_count; i++)
        memory_free(world->shards[i].records);
    for (uint32_t i = 0; i < world->saga_count; i++)
        memory_free(world->sagas[i]->records);
    memory_free(world->shards);
    memory_free(world->sagas);
    memory_free(world->dead);
    memory_free(world->definitions);
    memory_free(world->suspects);
    memory_free(world->instances);
    map_fini(&world->by_id);
    map_fini(&world->by_key);
    map_fini(&world->by_message);
    arena_fini(&world->arena);
    pthread_mutex_destroy(&world->lock);
    memory_free(world);
}

void memory_store_clock(struct memory_store_world *world, int64_t now_us)
{
    pthread_mutex_lock(&world->lock);
    world->now_us = now_us;
    memory_world_leave(world);
}

void memory_store_fail(struct memory_store_world *world, enum memory_store_fault fault)
{
    pthread_mutex_lock(&world->lock);
    world->fault = fault;
    memory_world_leave(world);
}

static enum err reconnect(struct store *store, struct err_note *note)
{
    struct memory_store *handle = handle_of(store);
    (void)note;
    pthread_mutex_lock(&handle->world->lock);
    handle->broken = false;
    handle->breaks = handle->world->breaks;
    memory_world_leave(handle->world);
    return ERR_OK;
}

static enum err now(struct store *store, int64_t *now_us, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *now_us = world->now_us;
    memory_world_leave(world);
    return ERR_OK;
}

static enum err shard_count(struct store *store, uint32_t *count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *count = world->shard_count;
    memory_world_leave(world);
    return ERR_OK;
}

/* No secret, but as good as one to twins that share a world. */
static enum err engine_key(struct store *store, struct arena *arena, struct str *key, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    memory_world_leave(world);
    *key = arena_copy(arena, STR("in memory, everybody is an engine"));
    key->size = STORE_KEY_BYTES;
    return ERR_OK;
}

static bool free_for(const struct memory_store_world *world, const struct memory_shard *shard,
                     struct str instance, bool own)
{
    if (own)
        return str_equal(shard->owner, instance);
    return shard->owner.size == 0 || (!str_equal(shard->owner, instance) &&
                                      (shard->lease_until_us <= world->now_us ||
                                       shard->lease_until_us > world->now_us + STORE_LEASE_LONGEST_US));
}

static enum err claim(struct store *store, struct str instance, int64_t lease_us, uint32_t most,
                      struct arena *arena, struct store_shard **shards, uint32_t *count,
                      struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *shards = arena_array(arena, world->shard_count, sizeof **shards);
    *count = 0;
    bool *taken = arena_array(arena, world->shard_count, sizeof *taken);
    for (int own = 1; own >= 0; own--)
        for (uint32_t i = 0; i < world->shard_count && *count < most; i++) {
            struct memory_shard *shard = &world->shards[i];
            if (taken[i] || !free_for(world, shard, instance, own))
                continue;
            taken[i] = true;
            shard->owner = arena_copy(&world->arena, instance);
            shard->lease_until_us = world->now_us + lease_us;
            shard->marks.epoch++;
            (*shards)[(*count)++] = shard->marks;
        }
    memory_world_leave(world);
    return ERR_OK;
}

static bool holds(const struct memory_store_world *world, const struct store_shard *shard)
{
    return shard->shard < world->shard_count && world->shards[shard->shard].marks.epoch == shard->epoch;
}

static enum err renew(struct store *store, struct str instance, int64_t lease_us,
                      const struct store_shard *shards, uint32_t count, bool *kept, struct store_shard *found,
                      int64_t *now_us, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = holds(world, &shards[i]) && str_equal(world->shards[shards[i].shard].owner, instance);
        found[i] = shards[i].shard < world->shard_count ? world->shards[shards[i].shard].marks
                                                        : (struct store_shard){.shard = shards[i].shard};
        if (kept[i])
            world->shards[shards[i].shard].lease_until_us = world->now_us + lease_us;
    }
    *now_us = world->now_us;
    memory_world_leave(world);
    return ERR_OK;
}

static enum err release(struct store *store, const struct store_shard *shards, uint32_t count,
                        struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    for (uint32_t i = 0; i < count; i++)
        if (holds(world, &shards[i]))
            world->shards[shards[i].shard].owner = STR("");
    memory_world_leave(world);
    return ERR_OK;
}

static int compare_definitions(const void *a, const void *b)
{
    const struct store_definition *left = a;
    const struct store_definition *right = b;
    int order = str_compare(left->name, right->name);
    return order != 0 ? order : (left->version > right->version) - (left->version < right->version);
}

static void copy_definition(struct arena *arena, const struct store_definition *from,
                            struct store_definition *to)
{
    *to = *from;
    to->name = arena_copy(arena, from->name);
    to->hash = arena_copy(arena, from->hash);
    to->bundle = arena_copy(arena, from->bundle);
}

static enum err put(struct memory_store_world *world, const struct store_definition *definition,
                    struct err_note *note)
{
    for (uint32_t i = 0; i < world->definition_count; i++) {
        const struct store_definition *old = &world->definitions[i];
        if (compare_definitions(old, definition) != 0)
            continue;
        if (str_equal(old->hash, definition->hash))
            return ERR_OK;
        return err_note(note, ERR_CONFLICT, "%.*s version %d is stored with another content",
                        STR_ARG(old->name), old->version);
    }
    world->definitions = memory_world_grow(world->definitions, world->definition_count,
                                           &world->definition_room, sizeof *world->definitions);
    struct store_definition *row = &world->definitions[world->definition_count++];
    copy_definition(&world->arena, definition, row);
    row->created_us = row->created_us ? row->created_us : world->now_us;
    qsort(world->definitions, world->definition_count, sizeof *world->definitions, compare_definitions);
    return ERR_OK;
}

static enum err definition_put(struct store *store, const struct store_definition *definition,
                               struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    error = put(world, definition, note);
    memory_world_leave(world);
    return error;
}

static enum err definition_enable(struct store *store, struct str name, int32_t version, bool enabled,
                                  struct err_note *note)
{
    struct memory_store_world *world = NULL;
    struct store_definition key = {.name = name, .version = version};
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    error = ERR_NOT_FOUND;
    for (uint32_t i = 0; i < world->definition_count; i++) {
        if (compare_definitions(&world->definitions[i], &key) != 0)
            continue;
        if (world->definitions[i].enabled && !enabled)
            world->definitions[i].disabled_us = world->now_us;
        world->definitions[i].enabled = enabled;
        error = ERR_OK;
    }
    memory_world_leave(world);
    return error == ERR_OK
               ? ERR_OK
               : err_note(note, error, "there is no definition %.*s version %d", STR_ARG(name), version);
}

static struct store_definition *find_definition(struct memory_store_world *world, struct str name,
                                                int32_t version)
{
    struct store_definition key = {.name = name, .version = version};
    for (uint32_t i = 0; i < world->definition_count; i++)
        if (compare_definitions(&world->definitions[i], &key) == 0)
            return &world->definitions[i];
    return NULL;
}

static struct str delete_definition(struct memory_store_world *world, struct str name, int32_t version)
{
    struct store_definition *row = find_definition(world, name, version);
    if (row == NULL)
        return STR("missing");
    if (row->enabled)
        return STR("enabled");
    if (row->disabled_us > world->now_us - 60 * (int64_t)1000000)
        return STR("fresh");
    size_t cursor = 0;
    for (const struct memory_saga *saga = map_next(&world->by_id, &cursor); saga != NULL;
         saga = map_next(&world->by_id, &cursor))
        if (saga->row.version == version && str_equal(saga->row.definition, name))
            return STR("used");
    uint32_t at = (uint32_t)(row - world->definitions);
    memmove(row, row + 1, (world->definition_count - at - 1) * sizeof *row);
    world->definition_count--;
    return STR("deleted");
}

static enum err definition_delete(struct store *store, struct str name, int32_t version,
                                  struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    struct str outcome = delete_definition(world, name, version);
    memory_world_leave(world);
    return store_deleted(name, version, outcome, note);
}

static enum err definition_get(struct store *store, struct str name, int32_t version, struct arena *arena,
                               struct store_definition *definition, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    const struct store_definition *row = find_definition(world, name, version);
    if (row != NULL)
        copy_definition(arena, row, definition);
    memory_world_leave(world);
    return row != NULL ? ERR_OK : store_deleted(name, version, STR("missing"), note);
}

static enum err definitions(struct store *store, struct str name, struct arena *arena,
                            struct store_definition **rows, uint32_t *count, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *count = 0;
    *rows = arena_array(arena, world->definition_count, sizeof **rows);
    for (uint32_t i = 0; i < world->definition_count; i++) {
        if (name.size > 0 && !str_equal(name, world->definitions[i].name))
            continue;
        struct store_definition head = world->definitions[i];
        head.bundle = STR("");
        copy_definition(arena, &head, &(*rows)[(*count)++]);
    }
    memory_world_leave(world);
    return ERR_OK;
}

static enum err probe(struct store *store, struct err_note *note)
{
    int64_t now_us;
    return now(store, &now_us, note);
}

static void close_handle(struct store *store)
{
    struct memory_store *handle = handle_of(store);
    if (handle->world != NULL) {
        pthread_mutex_lock(&handle->world->lock);
        struct memory_store **at = &handle->world->handles;
        while (*at != handle)
            at = &(*at)->next;
        *at = handle->next;
        memory_world_leave(handle->world);
    }
    memory_free(handle);
}

static enum err suspect(struct store *store, struct str message, struct str hand, uint32_t *hands,
                        struct err_note *note)
{
    struct memory_store_world *world = NULL;
    bool known = false;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    *hands = 0;
    for (uint32_t i = 0; i < world->suspect_count; i++) {
        const struct memory_suspect *row = &world->suspects[i];
        bool same = str_equal(row->message, message);
        *hands += same;
        known = known || (same && str_equal(row->hand, hand));
    }
    if (!known) {
        world->suspects = memory_world_grow(world->suspects, world->suspect_count, &world->suspect_room,
                                            sizeof *world->suspects);
        world->suspects[world->suspect_count++] =
            (struct memory_suspect){arena_copy(&world->arena, message), arena_copy(&world->arena, hand)};
        ++*hands;
    }
    memory_world_leave(world);
    return ERR_OK;
}

static enum err suspect_clear(struct store *store, struct str message, struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < world->suspect_count; i++)
        if (!str_equal(world->suspects[i].message, message))
            world->suspects[kept++] = world->suspects[i];
    world->suspect_count = kept;
    memory_world_leave(world);
    return ERR_OK;
}

static const struct store_ops ops = {
    .reconnect = reconnect,
    .now = now,
    .shard_count = shard_count,
    .enter = memory_world_instance_enter,
    .leave = memory_world_instance_leave,
    .engine_key = engine_key,
    .claim = claim,
    .renew = renew,
    .release = release,
    .append_once = memory_world_append_once,
    .append_try = memory_world_append_try,
    .committed = memory_world_committed,
    .open_sagas = memory_world_open_sagas,
    .unpublished = memory_world_unpublished,
    .load_many = memory_world_load_many,
    .find_keys = memory_world_find_keys,
    .glance = memory_world_glance,
    .list = memory_world_list,
    .dead_letters = memory_world_dead_letters,
    .suspect = suspect,
    .suspect_clear = suspect_clear,
    .forget_dead = memory_world_forget_dead,
    .definition_put = definition_put,
    .definition_enable = definition_enable,
    .definition_delete = definition_delete,
    .definition_get = definition_get,
    .definitions = definitions,
    .doctor = memory_world_doctor,
    .probe = probe,
    .close = close_handle,
};

struct store *memory_store_open(struct memory_store_world *world)
{
    return memory_store_open_as(world, NULL);
}

struct store *memory_store_open_as(struct memory_store_world *world, const struct store_instance *instance)
{
    struct memory_store *handle = memory_new(1, sizeof *handle);
    handle->store.ops = &ops;
    handle->world = world;
    pthread_mutex_lock(&world->lock);
    if (instance != NULL)
        handle->incarnation = arena_copy(&world->arena, instance->incarnation);
    handle->breaks = world->breaks;
    handle->next = world->handles;
    world->handles = handle;
    memory_world_leave(world);
    return &handle->store;
}
