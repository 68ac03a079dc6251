/* Names of engines and their sessions in the memory store, with leases on the world's clock. Called through
 * the table of memory_store.c. Must say what postgres_instances.c says; the conformance suite compares. */
#include <string.h>
#include "engine/base/memory.h"
#include "engine/store/memory_world.h"

static const int64_t day_us = INT64_C(86400000000);

static struct memory_instance *find(struct memory_store_world *world, struct str name)
{
    for (uint32_t i = 0; i < world->instance_count; i++)
        if (str_equal(world->instances[i].row.name, name))
            return &world->instances[i];
    return NULL;
}

static bool is_other(const struct memory_instance *entry, const struct store_instance *instance)
{
    return !str_equal(entry->row.incarnation, instance->incarnation);
}

static bool has_session(const struct memory_store_world *world, struct str incarnation)
{
    for (const struct memory_store *handle = world->handles; handle != NULL; handle = handle->next)
        if (!handle->broken && str_equal(handle->incarnation, incarnation))
            return true;
    return false;
}

static bool lives(const struct memory_store_world *world, const struct memory_instance *entry)
{
    return entry->lease_until_us > world->now_us && has_session(world, entry->row.incarnation);
}

/* What was held in the name before. */
static void free_shards(struct memory_store_world *world, const struct store_instance *instance)
{
    struct arena *arena = &world->arena;
    struct str name = arena_printf(arena, "%.*s#", STR_ARG(instance->name));
    struct str own = arena_printf(arena, "/%.*s", STR_ARG(instance->incarnation));
    for (uint32_t i = 0; i < world->shard_count; i++)
        if (str_starts(world->shards[i].owner, name) && !str_ends(world->shards[i].owner, own))
            world->shards[i].owner = STR("");
}

static struct memory_instance *take_name(struct memory_store_world *world,
                                         const struct store_instance *instance)
{
    struct memory_instance *entry = find(world, instance->name);
    if (entry == NULL) {
        world->instances = memory_world_grow(world->instances, world->instance_count, &world->instance_room,
                                             sizeof *world->instances);
        entry = &world->instances[world->instance_count++];
    }
    struct arena *arena = &world->arena;
    *entry = (struct memory_instance){.row = {.name = arena_copy(arena, instance->name),
                                              .incarnation = arena_copy(arena, instance->incarnation),
                                              .address = arena_copy(arena, instance->address),
                                              .version = arena_copy(arena, instance->version)}};
    free_shards(world, instance);
    return entry;
}

static void tidy(struct memory_store_world *world)
{
    for (uint32_t i = 0; i < world->instance_count;)
        if (world->instances[i].lease_until_us < world->now_us - day_us)
            world->instances[i] = world->instances[--world->instance_count];
        else
            i++;
}

static uint32_t count_peers(const struct memory_store_world *world, const struct store_instance *instance,
                            int64_t lease_us)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->instance_count; i++) {
        const struct memory_instance *peer = &world->instances[i];
        count += !str_equal(peer->row.name, instance->name) && peer->lease_until_us > world->now_us &&
                 peer->bus_works && peer->bus_since_us <= world->now_us - lease_us;
    }
    return count;
}

enum err memory_world_instance_enter(struct store *store, const struct store_instance *instance,
                                     int64_t lease_us, int64_t bus_us, struct store_standing *standing,
                                     struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    struct memory_instance *entry = find(world, instance->name);
    if (entry != NULL && is_other(entry, instance) && lives(world, entry)) {
        error = err_note(note, ERR_CONFLICT, "another engine runs under the name \"%.*s\": at %.*s",
                         STR_ARG(instance->name), STR_ARG(entry->row.address));
    } else {
        if (entry == NULL || is_other(entry, instance))
            entry = take_name(world, instance);
        entry->beat_us = world->now_us;
        entry->lease_until_us = world->now_us + lease_us;
        entry->bus_works = bus_us >= 0;
        entry->bus_since_us = world->now_us - bus_us;
    }
    standing->beat_us = entry->beat_us;
    standing->peers = count_peers(world, instance, lease_us);
    tidy(world);
    memory_world_leave(world);
    return error;
}

enum err memory_world_instance_leave(struct store *store, const struct store_instance *instance,
                                     struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    struct memory_instance *entry = find(world, instance->name);
    if (entry != NULL && !is_other(entry, instance))
        *entry = world->instances[--world->instance_count];
    memory_world_leave(world);
    return ERR_OK;
}
