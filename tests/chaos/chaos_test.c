/* Random faults under running sagas, from a seed, judged by the same checker: three engines on one database,
 * a fault every few seconds, then everything heals and must come to rest.
 *
 * SAGA_CHAOS_SEED (1), SAGA_CHAOS_SECONDS (20); SAGA_CHAOS_WIPE=1 lets the broker lose its data too, which
 * the rules about lost messages then allow for. What is drawn depends on the seed alone; what it hits does
 * not. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/clock.h"
#include "engine/ops/process.h"
#include "tests/integration/mixture.h"

enum { HEAL_MS = 90000, LONGEST_OUTAGE_MS = 1500, FROZEN_MS = 3500, PAUSE_MS = 20, GAP_MS = 1500 };

/* X(NAME, what happens) */
#define FAULTS(X)                                                                                            \
    X(KILL_ENGINE, "an engine is killed")                                                                    \
    X(STOP_ENGINE, "an engine stops in order")                                                               \
    X(FREEZE_ENGINE, "an engine is frozen beyond its lease")                                                 \
    X(KILL_POSTGRES, "PostgreSQL is killed")                                                                 \
    X(STOP_POSTGRES, "PostgreSQL stops in order")                                                            \
    X(FREEZE_POSTGRES, "PostgreSQL is frozen")                                                               \
    X(KILL_NATS, "NATS is killed")                                                                           \
    X(STOP_NATS, "NATS stops in order")                                                                      \
    X(FREEZE_NATS, "NATS is frozen")                                                                         \
    X(KILL_SHOP, "the participants are killed")                                                              \
    X(WIPE, "a stream is deleted")
enum fault {
#define X(name, text) FAULT_##name,
    FAULTS(X)
#undef X
        FAULT_COUNT
};
static const char *const fault_texts[] = {
#define X(name, text) text,
    FAULTS(X)
#undef X
};

struct chaos {
    struct world world;
    struct rng
        faults; /* apart from the plans, whose number depends on the machine: a seed names its faults */
    struct rng plans;
    bool wipe;
};

static int64_t number_from(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t number = otherwise;
    if (text != NULL)
        cr_assert(str_to_i64(str_from(text), &number), "%s is no number", name);
    return number;
}

/* Some engine that runs; clients go to the next when one does not answer. */
static uint32_t any_engine(struct chaos *chaos)
{
    uint32_t from = (uint32_t)rng_below(&chaos->plans, WORLD_ENGINES);
    for (uint32_t i = 0; i < WORLD_ENGINES; i++) {
        uint32_t engine = (from + i) % WORLD_ENGINES;
        if (process_running(&chaos->world.engines[engine].program.process, NULL))
            return engine;
    }
    return from;
}

/* Starts for so long; while a server is frozen or away the answers are slow or none. */
static void go_on(struct chaos *chaos, int64_t milliseconds)
{
    int64_t until_us = clock_monotonic_us() + milliseconds * 1000;
    do {
        struct world_plan plan = mixture_draw(&chaos->plans);
        (void)world_start(&chaos->world, any_engine(chaos), &plan);
        process_pause(PAUSE_MS);
    } while (clock_monotonic_us() < until_us);
}

static void outage(struct chaos *chaos)
{
    process_pause((int)rng_below(&chaos->faults, LONGEST_OUTAGE_MS));
}

static void freeze_engine(struct chaos *chaos, uint32_t engine)
{
    struct process *process = &chaos->world.engines[engine].program.process;
    process_freeze(process);
    process_pause(FROZEN_MS);
    process_thaw(process);
}

static void freeze_server(struct chaos *chaos, struct process *process)
{
    process_freeze(process);
    outage(chaos);
    process_thaw(process);
}

static void wipe(struct chaos *chaos)
{
    static const char *const streams[] = {"SAGA_CMD", "SAGA_REPLY", "SAGA_EVENT", "SAGA_IN"};
    world_stream_delete(&chaos->world, streams[rng_below(&chaos->faults, 4)]);
}

static void inject(struct chaos *chaos, enum fault fault)
{
    struct world *world = &chaos->world;
    struct harness *harness = &world->harness;
    uint32_t engine = (uint32_t)rng_below(&chaos->faults, WORLD_ENGINES);
    /* A reply on its way dies with its participant, or with the connection that it was written to. */
    world->facts.lossless &= fault != FAULT_KILL_NATS && fault != FAULT_STOP_NATS &&
                             fault != FAULT_KILL_SHOP && fault != FAULT_WIPE;
    printf("%s\n", fault_texts[fault]);
    (void)fflush(stdout);
    switch (fault) {
    case FAULT_KILL_ENGINE:
        world_kill(world, engine);
        (void)world_serve(world, engine, NULL);
        return;
    case FAULT_STOP_ENGINE:
        world_stop(world, engine);
        (void)world_serve(world, engine, NULL);
        return;
    case FAULT_FREEZE_ENGINE:
        freeze_engine(chaos, engine);
        return;
    case FAULT_KILL_POSTGRES:
        process_kill(&harness->postgres.process);
        outage(chaos);
        harness_restart_postgres(harness);
        return;
    case FAULT_STOP_POSTGRES:
        harness_stop_postgres(harness);
        outage(chaos);
        harness_restart_postgres(harness);
        return;
    case FAULT_FREEZE_POSTGRES:
        freeze_server(chaos, &harness->postgres.process);
        return;
    case FAULT_KILL_NATS:
        process_kill(&harness->nats.process);
        outage(chaos);
        harness_restart_nats(harness);
        return;
    case FAULT_STOP_NATS:
        harness_stop_nats(harness);
        outage(chaos);
        harness_restart_nats(harness);
        return;
    case FAULT_FREEZE_NATS:
        freeze_server(chaos, &harness->nats.process);
        return;
    case FAULT_KILL_SHOP:
        process_kill(&world->shop.process);
        outage(chaos);
        world_shop_start(world);
        return;
    case FAULT_WIPE:
        wipe(chaos);
        return;
    case FAULT_COUNT:
        return;
    }
}

static bool is_accepted(int status)
{
    return status == 200 || status == 201;
}

/* What was not answered is started again with its key, as clients should, until somebody takes it. */
static void start_again(struct chaos *chaos)
{
    struct world *world = &chaos->world;
    uint32_t count = world->facts.start_count;
    int64_t until_us = clock_monotonic_us() + (int64_t)HEAL_MS * 1000;
    for (uint32_t i = 0; i < count; i++) {
        struct facts_start lost = world->facts.starts[i];
        int status = lost.status;
        for (; !is_accepted(status) && clock_monotonic_us() < until_us; process_pause(PAUSE_MS))
            status =
                world_start_with(world, any_engine(chaos), lost.definition.data, lost.key, lost.input).status;
        cr_assert(is_accepted(status), "a repeated start is still answered with %d", status);
    }
}

static void report(struct chaos *chaos)
{
    static const char by_status[] = "select string_agg(status || ' ' || count, ', ') from "
                                    "(select status, count(*) from saga group by status) as sums";
    const char *sums = harness_query(chaos->world.database, by_status);
    printf("%u starts: %s\n", chaos->world.facts.start_count, sums);
}

Test(chaos, everything_ends_right)
{
    struct chaos chaos = {.wipe = number_from("SAGA_CHAOS_WIPE", 0) != 0};
    int64_t seconds = number_from("SAGA_CHAOS_SECONDS", 20);
    uint64_t seed = (uint64_t)number_from("SAGA_CHAOS_SEED", 1);
    rng_init(&chaos.faults, seed);
    rng_init(&chaos.plans, rng_mix(seed, 1));
    world_open(&chaos.world);
    for (uint32_t i = 0; i < WORLD_ENGINES; i++)
        (void)world_serve(&chaos.world, i, NULL);
    int64_t until_us = clock_monotonic_us() + seconds * 1000000;
    unsigned faults = 0;
    for (; clock_monotonic_us() < until_us; faults++) {
        go_on(&chaos, GAP_MS);
        inject(&chaos, (enum fault)rng_below(&chaos.faults, chaos.wipe ? FAULT_COUNT : FAULT_WIPE));
    }
    start_again(&chaos);
    world_await_rest(&chaos.world, HEAL_MS);
    report(&chaos);
    cr_expect_gt(faults, 0);
    world_judge(&chaos.world);
    world_close(&chaos.world);
}
