/* F7: a failover that lost the last commits. What is stored is only ever added to or overwritten whole (texts
 * lie in the arena for ever), so the state at a moment is the counts and shallow copies of the rows. */
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/memory.h"
#include "engine/store/memory_world.h"

struct kept_saga {
    struct store_saga row;
    uint32_t record_count;
};
struct memory_store_moment {
    struct memory_shard *shards; /* their records are the world's, up to the count */
    struct kept_saga *sagas;
    uint32_t saga_count;
    struct store_dead_letter *dead;
    uint32_t dead_count;
    struct store_definition *definitions;
    uint32_t definition_count;
};

static void *copy(const void *items, uint32_t count, size_t size)
{
    void *out = memory_new((size_t)count + 1, size);
    if (count > 0)
        memcpy(out, items, count * size);
    return out;
}

void memory_world_drop_moment(struct memory_store_world *world)
{
    if (world->moment == NULL)
        return;
    memory_free(world->moment->shards);
    memory_free(world->moment->sagas);
    memory_free(world->moment->dead);
    memory_free(world->moment->definitions);
    memory_free(world->moment);
    world->moment = NULL;
}

void memory_store_keep(struct memory_store_world *world)
{
    pthread_mutex_lock(&world->lock);
    memory_world_drop_moment(world);
    struct memory_store_moment *moment = memory_new(1, sizeof *moment);
    *moment = (struct memory_store_moment){
        .shards = copy(world->shards, world->shard_count, sizeof *world->shards),
        .sagas = memory_new((size_t)world->saga_count + 1, sizeof *moment->sagas),
        .saga_count = world->saga_count,
        .dead = copy(world->dead, world->dead_count, sizeof *world->dead),
        .dead_count = world->dead_count,
        .definitions = copy(world->definitions, world->definition_count, sizeof *world->definitions),
        .definition_count = world->definition_count,
    };
    for (uint32_t i = 0; i < world->saga_count; i++)
        moment->sagas[i] =
            (struct kept_saga){.row = world->sagas[i]->row, .record_count = world->sagas[i]->record_count};
    world->moment = moment;
    memory_world_leave(world);
}

static void forget_saga(struct memory_store_world *world, struct memory_saga *saga)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    map_remove(&world->by_id, (struct str){(const char *)saga->row.id.bytes, sizeof saga->row.id.bytes});
    if (saga->row.key.size > 0)
        map_remove(&world->by_key, memory_world_key(&scratch, saga->row.definition, saga->row.key));
    memory_free(saga->records);
    arena_fini(&scratch);
}

static void restore_shards(struct memory_store_world *world, const struct memory_store_moment *moment)
{
    for (uint32_t i = 0; i < world->shard_count; i++) {
        struct memory_shard *now = &world->shards[i];
        const struct memory_shard *then = &moment->shards[i];
        now->marks = then->marks;
        now->owner = then->owner;
        now->lease_until_us = then->lease_until_us;
        now->record_count = then->record_count;
    }
}

void memory_store_go_back(struct memory_store_world *world)
{
    pthread_mutex_lock(&world->lock);
    const struct memory_store_moment *moment = world->moment;
    check(moment != NULL);
    restore_shards(world, moment);
    for (uint32_t i = moment->saga_count; i < world->saga_count; i++)
        forget_saga(world, world->sagas[i]);
    for (uint32_t i = 0; i < moment->saga_count; i++) {
        world->sagas[i]->row = moment->sagas[i].row;
        world->sagas[i]->record_count = moment->sagas[i].record_count;
    }
    world->saga_count = moment->saga_count;
    for (uint32_t i = 0; i < world->dead_count; i++)
        if (world->dead[i].message.size > 0)
            map_remove(&world->by_message, world->dead[i].message);
    world->dead_count = moment->dead_count;
    for (uint32_t i = 0; i < moment->dead_count; i++) {
        world->dead[i] = moment->dead[i];
        if (world->dead[i].message.size > 0)
            map_set(&world->by_message, world->dead[i].message, world);
    }
    world->definition_count = moment->definition_count;
    if (moment->definition_count > 0)
        memcpy(world->definitions, moment->definitions,
               moment->definition_count * sizeof *world->definitions);
    world->breaks++;
    memory_world_leave(world);
}
