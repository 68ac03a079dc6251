/* Dead letters of the in-memory store, with the bounds that migrations/0007_fences.sql keeps: the oldest of
 * the largest class of a shard go first. */
#include "engine/store/memory_world.h"
#include "engine/store/store_dead.h"

static int64_t bytes_of(const struct store_dead_letter *letter)
{
    return (int64_t)(letter->body.size + letter->headers.size + letter->reason.size);
}

static void forget(struct memory_store_world *world, uint32_t index)
{
    if (world->dead[index].message.size > 0)
        map_remove(&world->by_message, world->dead[index].message);
    for (uint32_t i = index + 1; i < world->dead_count; i++)
        world->dead[i - 1] = world->dead[i];
    world->dead_count--;
}

struct total {
    int64_t letters, bytes;
};

/* Of a shard; of one class of it, unless that is empty. */
static struct total total_of(const struct memory_store_world *world, uint32_t shard, struct str class,
                             struct arena *scratch)
{
    struct total total = {0};
    for (uint32_t i = 0; i < world->dead_count; i++) {
        const struct store_dead_letter *letter = &world->dead[i];
        if (letter->shard != shard ||
            (class.size > 0 && !str_equal(class, store_dead_class(letter, scratch))))
            continue;
        total.letters++;
        total.bytes += bytes_of(letter);
    }
    return total;
}

/* Index of the oldest letter of the shard's largest class. */
static uint32_t victim(const struct memory_store_world *world, uint32_t shard, bool by_bytes,
                       struct arena *scratch)
{
    uint32_t found = world->dead_count;
    int64_t most = -1;
    for (uint32_t i = 0; i < world->dead_count; i++) {
        if (world->dead[i].shard != shard)
            continue;
        struct total total = total_of(world, shard, store_dead_class(&world->dead[i], scratch), scratch);
        int64_t size = by_bytes ? total.bytes : total.letters;
        found = size > most ? i : found; /* the first of a class is its oldest */
        most = size > most ? size : most;
    }
    return found;
}

static int64_t make_room(struct memory_store_world *world, uint32_t shard, const struct store_batch *batch)
{
    struct arena scratch;
    int64_t gone = 0;
    arena_init(&scratch, 0);
    for (;; gone++) {
        struct total total = total_of(world, shard, (struct str){0}, &scratch);
        bool many = batch->dead_letters_most > 0 && total.letters > batch->dead_letters_most;
        bool large = batch->dead_bytes_most > 0 && total.bytes > batch->dead_bytes_most;
        if (!many && !large)
            break;
        forget(world, victim(world, shard, !many, &scratch));
        arena_reset(&scratch);
    }
    arena_fini(&scratch);
    return gone;
}

static void put(struct memory_store_world *world, const struct store_dead_letter *dead)
{
    if (dead->message.size > 0 && map_get(&world->by_message, dead->message) != NULL)
        return;
    world->dead = memory_world_grow(world->dead, world->dead_count, &world->dead_room, sizeof *world->dead);
    struct store_dead_letter *row = &world->dead[world->dead_count++];
    *row = (struct store_dead_letter){.number = ++world->dead_number,
                                      .at_us = dead->at_us,
                                      .shard = dead->shard,
                                      .reason = arena_copy(&world->arena, dead->reason),
                                      .subject = arena_copy(&world->arena, dead->subject),
                                      .saga = arena_copy(&world->arena, dead->saga),
                                      .command = arena_copy(&world->arena, dead->command),
                                      .headers = arena_copy(&world->arena, dead->headers),
                                      .body = arena_copy(&world->arena, dead->body),
                                      .message = arena_copy(&world->arena, dead->message)};
    if (row->message.size > 0)
        map_set(&world->by_message, row->message, world);
}

void memory_world_bury(struct memory_store_world *world, const struct store_batch *batch)
{
    int64_t gone = 0;
    for (uint32_t i = 0; i < batch->dead_count; i++)
        put(world, &batch->dead[i]);
    for (uint32_t i = 0; i < batch->dead_count; i++)
        gone += make_room(world, batch->dead[i].shard, batch);
    if (batch->dead_gone != NULL)
        *batch->dead_gone = gone;
}

enum err memory_world_forget_dead(struct store *store, int64_t before_us, uint32_t most, uint32_t *gone,
                                  struct err_note *note)
{
    struct memory_store_world *world = NULL;
    enum err error = memory_world_enter(store, &world, note);
    if (error != ERR_OK)
        return error;
    for (*gone = 0; *gone < most && world->dead_count > 0 && world->dead[0].at_us < before_us; (*gone)++)
        forget(world, 0);
    memory_world_leave(world);
    return ERR_OK;
}
