/* Hosts with an engine each over one store and one broker in memory, in virtual time. Called by the simulator
 * and the tests of runtime. Nothing moves but by its calls: no thread, no real clock. */
#include "engine/sim/world.h"

#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "engine/sim/world_parts.h"

static const int64_t epoch_us = 1000000000000000; /* as the in-memory store begins */

bool world_act(struct world_host *host)
{
    if (host->actions_left > 0 && --host->actions_left == 0)
        host->dead = true;
    host->actions++;
    return !host->dead;
}

static int64_t clock_of(void *context)
{
    const struct world_host *host = context;
    return host->world->clock_us + host->skew_us;
}

int64_t world_now_us(const struct world *world)
{
    return epoch_us + world->clock_us + world->ahead_us;
}

void world_open(struct world *world, uint64_t seed, uint32_t shards)
{
    *world = (struct world){.seed = seed, .shard_count = shards, .late_us = DURATION_SECOND_US};
    world->store = memory_store_new(shards);
    world->broker = memory_bus_new();
    world->options = (struct engine_options){
        .lease_us = 10 * DURATION_SECOND_US, .drain_us = DURATION_SECOND_US, .events = true};
    for (uint32_t i = 0; i < WORLD_HOSTS_MAX; i++) {
        struct world_host *host = &world->hosts[i];
        *host = (struct world_host){.world = world, .index = i, .skew_us = (i + 1) * 7777777};
        snprintf(host->name, sizeof host->name, "host%u", i);
        host->forced = memory_new(WORLD_FORCED_MAX, sizeof *host->forced);
        host->notices = memory_new(WORLD_FORCED_MAX, sizeof *host->notices);
        host->calls = memory_new(WORLD_CALLS_MAX, sizeof *host->calls);
    }
}

void world_close(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_HOSTS_MAX; i++) {
        if (world->hosts[i].engine != NULL)
            world_stop(world, i);
        memory_free(world->hosts[i].forced);
        memory_free(world->hosts[i].notices);
        memory_free(world->hosts[i].calls);
    }
    while (world->late != NULL) {
        struct world_late *late = world->late;
        world->late = late->next;
        arena_fini(&late->arena);
        memory_free(late);
    }
    memory_bus_free(world->broker);
    memory_store_free(world->store);
}

enum err world_boot(struct world *world, uint32_t index, struct err_note *note)
{
    struct world_host *host = &world->hosts[index];
    struct engine_options options = world->options;
    check(host->engine == NULL);
    host->dead = false;
    host->actions_left = 0;
    host->forced_count = host->notice_count = host->call_count = 0;
    host->cut = host->frozen = false;
    options.instance = host->name;
    snprintf(host->incarnation, sizeof host->incarnation, "%08x%08x", index, ++host->boots);
    options.incarnation = host->incarnation;
    options.context = host;
    options.open_store = world_open_store;
    options.open_bus = world_open_bus;
    options.clock_us = clock_of;
    options.by_hand = true;
    options.seed = rng_mix(world->seed, ++host->actions);
    return engine_open(&options, &host->engine, note);
}

void world_stop(struct world *world, uint32_t index)
{
    struct world_host *host = &world->hosts[index];
    host->turning = true; /* nobody may call it any more */
    engine_close(host->engine);
    host->turning = false;
    host->engine = NULL;
}

void world_die_in(struct world *world, uint32_t index, uint32_t actions)
{
    world->hosts[index].actions_left = actions;
}

void world_bury(struct world *world, uint32_t index)
{
    check(world->hosts[index].dead);
    if (world->hosts[index].engine != NULL)
        world_stop(world, index);
    world->hosts[index].dead = false;
}

void world_cut(struct world *world, uint32_t index, bool cut)
{
    struct world_host *host = &world->hosts[index];
    struct err_note note = {""};
    host->cut = cut;
    if (host->engine == NULL)
        return;
    if (cut)
        bus_unlisten_in(host->inner);
    else
        check(bus_listen_in(host->inner, &note) == ERR_OK);
    host->callbacks.connected(host->callbacks.context, !cut);
}

bool world_is_up(const struct world *world, uint32_t index)
{
    return world->hosts[index].engine != NULL && !world->hosts[index].dead;
}

int64_t world_turn(struct world *world, uint32_t index)
{
    struct world_host *host = &world->hosts[index];
    if (!world_is_up(world, index) || host->frozen)
        return INT64_MAX;
    host->turning = true;
    int64_t next_us = engine_turn(host->engine) - host->skew_us;
    host->turning = false;
    return next_us;
}

static uint32_t tell_notices(struct world_host *host, uint32_t most)
{
    uint32_t told = 0;
    while (told < most && host->notice_count > 0 && !host->dead) {
        struct world_notice notice = host->notices[0];
        host->notice_count--;
        memmove(host->notices, host->notices + 1, host->notice_count * sizeof *host->notices);
        struct bus_published published = {
            .cookie = notice.cookie, .error = notice.error, .sequence = notice.sequence};
        if (notice.error != ERR_OK)
            published.cause = STR("the answer came too late, as asked for");
        host->callbacks.published(host->callbacks.context, &published);
        told++;
    }
    return told;
}

static void send_late(struct world *world)
{
    struct world_late **at = &world->late;
    while (*at != NULL) {
        struct world_late *late = *at;
        if (late->due_us > world->clock_us) {
            at = &late->next;
            continue;
        }
        *at = late->next;
        memory_bus_send(world->broker, &late->message);
        arena_fini(&late->arena);
        memory_free(late);
    }
}

uint32_t world_deliver(struct world *world, uint32_t most)
{
    uint32_t told = 0;
    for (uint32_t i = 0; i < WORLD_HOSTS_MAX; i++)
        if (world_is_up(world, i))
            world_end_calls(&world->hosts[i]);
    if (world->bus_down)
        return 0;
    send_late(world);
    for (uint32_t i = 0; i < WORLD_HOSTS_MAX; i++)
        if (world->hosts[i].engine != NULL)
            told += tell_notices(&world->hosts[i], most);
    return told + memory_bus_deliver(world->broker, most);
}

void world_advance(struct world *world, int64_t span_us)
{
    check(span_us >= 0);
    world->clock_us += span_us;
    memory_store_clock(world->store, world_now_us(world));
}

struct store *world_observe(struct world *world)
{
    return memory_store_open(world->store);
}
