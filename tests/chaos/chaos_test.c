/* Random faults under running sagas, from a seed, judged by the same checker: three engines on one database,
 * a fault every few seconds, while clients, somebody with events and an operator go on; then everything heals
 * and must come to rest as planned.
 *
 * SAGA_CHAOS_SEED (1), SAGA_CHAOS_SECONDS (12); SAGA_CHAOS_WIPE=1 lets the broker lose its data too, which
 * the rules about lost messages then allow for. What is drawn depends on the seed alone; what it hits does
 * not. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/base/clock.h"
#include "engine/ops/process.h"
#include "tests/chaos/courses.h"
#include "tests/chaos/outside.h"
#include "tests/integration/mixture.h"

enum {
    HEAL_MS = 90000,
    LONGEST_OUTAGE_MS = 1500,
    FROZEN_MS = 3500,
    PAUSE_MS = 20,
    SETTLE_MS = 250,
    GAP_MS = 1500,
    COURSES_PERCENT = 50
};

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
    struct outside outside;
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

static struct facts_start *last_start(struct chaos *chaos)
{
    return &chaos->world.facts.starts[chaos->world.facts.start_count - 1];
}

static void start_course(struct chaos *chaos)
{
    struct world *world = &chaos->world;
    uint32_t number = world->number++;
    struct courses_plan plan = courses_draw(&chaos->plans, &world->arena, number);
    struct str key = arena_printf(&world->arena, "key-%u", number);
    (void)world_start_with(world, any_engine(chaos), plan.definition, key, plan.input);
    last_start(chaos)->end = str_from(plan.end);
    outside_expect(&chaos->outside, &plan);
}

static void start_mixed(struct chaos *chaos)
{
    struct world_plan plan = mixture_draw(&chaos->plans);
    (void)world_start(&chaos->world, any_engine(chaos), &plan);
}

/* Starts and speaks for so long; while a server is frozen or away the answers are slow or none. */
static void go_on(struct chaos *chaos, int64_t milliseconds)
{
    int64_t until_us = clock_monotonic_us() + milliseconds * 1000;
    do {
        if (rng_below(&chaos->plans, 100) < COURSES_PERCENT)
            start_course(chaos);
        else
            start_mixed(chaos);
        outside_speak(&chaos->outside, any_engine(chaos));
        process_pause(PAUSE_MS);
    } while (clock_monotonic_us() < until_us);
}

static int outage_ms(struct chaos *chaos)
{
    return (int)rng_below(&chaos->faults, LONGEST_OUTAGE_MS);
}

static void outage(struct chaos *chaos)
{
    go_on(chaos, outage_ms(chaos));
}

struct thaw {
    struct process *process;
    int after_ms;
};

static void *thaw_later(void *context)
{
    struct thaw *thaw = context;
    process_pause(thaw->after_ms);
    process_thaw(thaw->process);
    return NULL;
}

/* Whoever asks it meanwhile waits, so somebody else must wake it up. */
static void freeze(struct chaos *chaos, struct process *process, int milliseconds)
{
    struct thaw thaw = {process, milliseconds};
    pthread_t thread;
    process_freeze(process);
    cr_assert_eq(pthread_create(&thread, NULL, thaw_later, &thaw), 0);
    go_on(chaos, milliseconds);
    pthread_join(thread, NULL);
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
        freeze(chaos, &world->engines[engine].program.process, FROZEN_MS);
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
        freeze(chaos, &harness->postgres.process, outage_ms(chaos));
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
        freeze(chaos, &harness->nats.process, outage_ms(chaos));
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
        for (; !is_accepted(status) && clock_monotonic_us() < until_us; process_pause(PAUSE_MS)) {
            status =
                world_start_with(world, any_engine(chaos), lost.definition.data, lost.key, lost.input).status;
            last_start(chaos)->end = lost.end;
        }
        cr_assert(is_accepted(status), "a repeated start is still answered with %d", status);
    }
}

static void show_restless(struct chaos *chaos)
{
    static const char sql[] =
        "select string_agg(concat_ws(' ', id, definition, parent, status, waiting, wake_at - now()), E'\\n') "
        "from (select * from saga where ended_at is null and status <> 'parked' limit 20) as these";
    static const char *const streams[] = {"SAGA_CMD", "SAGA_REPLY", "SAGA_IN"};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        world_stream_show(&chaos->world, streams[i]);
    fprintf(stderr, "not at rest:\n%s\n", harness_query(chaos->world.database, sql));
}

static void settle(struct chaos *chaos)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)HEAL_MS * 1000;
    while (!world_at_rest(&chaos->world) && clock_monotonic_us() < until_us) {
        outside_settle(&chaos->outside, any_engine(chaos));
        process_pause(SETTLE_MS);
    }
    if (!world_at_rest(&chaos->world))
        show_restless(chaos);
    world_await_rest(&chaos->world, SETTLE_MS);
}

static unsigned count_children(struct chaos *chaos)
{
    const char *sums =
        harness_query(chaos->world.database, "select count(*) from saga where parent is not null");
    int64_t count = 0;
    cr_assert(str_to_i64(str_from(sums), &count));
    return (unsigned)count;
}

static void report(struct chaos *chaos)
{
    const struct outside *outside = &chaos->outside;
    static const char by_status[] = "select string_agg(status || ' ' || count, ', ') from "
                                    "(select status, count(*) from saga group by status) as sums";
    const char *sums = harness_query(chaos->world.database, by_status);
    printf("%u starts: %s\n", chaos->world.facts.start_count, sums);
    printf("%u children; %u of %u events answered, %u timers moved, %u cancelled, %u skipped\n",
           count_children(chaos), outside->said, outside->signal_count, outside->moved, outside->cancelled,
           outside->skipped);
}

Test(chaos, everything_ends_right)
{
    struct chaos chaos = {.wipe = number_from("SAGA_CHAOS_WIPE", 0) != 0};
    int64_t seconds = number_from("SAGA_CHAOS_SECONDS", 12);
    uint64_t seed = (uint64_t)number_from("SAGA_CHAOS_SEED", 1);
    rng_init(&chaos.faults, seed);
    rng_init(&chaos.plans, rng_mix(seed, 1));
    world_open(&chaos.world);
    outside_init(&chaos.outside, &chaos.world, &chaos.plans);
    for (uint32_t i = 0; i < WORLD_ENGINES; i++)
        (void)world_serve(&chaos.world, i, NULL);
    int64_t until_us = clock_monotonic_us() + seconds * 1000000;
    unsigned faults = 0;
    for (; clock_monotonic_us() < until_us; faults++) {
        go_on(&chaos, GAP_MS);
        inject(&chaos, (enum fault)rng_below(&chaos.faults, chaos.wipe ? FAULT_COUNT : FAULT_WIPE));
    }
    start_again(&chaos);
    settle(&chaos);
    report(&chaos);
    cr_expect_gt(faults, 0);
    world_judge(&chaos.world);
    world_close(&chaos.world);
}
