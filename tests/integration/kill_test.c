/* kill -9 of sagad at each named failpoint between receive, step, commit, publish and acknowledgement:
 * whatever was accepted ends as it must, without waiting for any attempt's time limit, and the checker holds.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include "engine/base/clock.h"
#include "engine/ops/process.h"
#include "tests/integration/world.h"

enum { STARTS_MAX = 200, RECOVERY_MS = 12000 }; /* below the 20 s of an attempt of `calm` */

static const struct kind {
    struct world_plan plan;
    const char *end;
} kinds[] = {
    {{"calm", {NULL}, {NULL}}, "completed"},
    {{"calm", {NULL, NULL, "reject"}, {NULL}}, "compensated"},
    {{"calm", {NULL, "retry", NULL}, {NULL}}, "completed"},
    {{"calm", {NULL, "twice", "reject"}, {"retry", "twice", NULL}}, "compensated"},
    {{"calm", {NULL, NULL, "reject"}, {NULL, "reject", NULL}}, "parked"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const struct kind *kind_of(uint32_t number)
{
    return &kinds[number % KINDS];
}

/* A start that was not answered is made again with its key, as a client should. */
static void start(struct world *world, uint32_t number)
{
    const struct world_plan *plan = &kind_of(number)->plan;
    struct str key = arena_printf(&world->arena, "key-%u", number);
    (void)world_start_with(world, 0, plan->definition, key, world_input(world, plan, number));
}

static void start_again(struct world *world)
{
    uint32_t count = world->facts.start_count;
    for (uint32_t i = 0; i < count; i++) {
        struct facts_start lost = world->facts.starts[i];
        if (lost.status == 201 || lost.status == 200)
            continue;
        struct client_answer answer = world_start_with(world, 0, "calm", lost.key, lost.input);
        cr_assert(answer.status == 201 || answer.status == 200, "repeated start: %d %.*s", answer.status,
                  STR_ARG(answer.body));
    }
}

/* Starts sagas until the engine dies of it. */
static void start_until_death(struct world *world, const char *failpoint)
{
    for (int i = 0; i < STARTS_MAX; i++) {
        if (!process_running(&world->engines[0].program.process, NULL))
            return;
        start(world, world->number++);
    }
    cr_assert(world_await_death(world, 0, WORLD_PATIENCE_MS), "never killed at %s", failpoint);
}

static void expect_ends(struct world *world)
{
    for (uint32_t number = 1; number < world->number; number++) {
        struct str sql = arena_printf(&world->arena, "select status from saga where key = 'key-%u'", number);
        const char *status = harness_query(world->database, sql.data);
        cr_expect_str_eq(status, kind_of(number)->end, "saga %u is %s instead of %s", number, status,
                         kind_of(number)->end);
    }
}

/* A kill at each count in turn; the sagas of one go on through the kills of the next. */
static void kill_at(const char *name)
{
    static const unsigned counts[] = {1, 2, 3, 5, 9};
    struct world world;
    char failpoint[64];
#ifndef SAGA_FAILPOINTS
    cr_skip("built without failpoints");
#endif
    world_open(&world);
    (void)world_serve(&world, 0, NULL);
    world_stop(&world, 0);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        snprintf(failpoint, sizeof failpoint, "%s:%u", name, counts[i]);
        if (world_serve(&world, 0, failpoint))
            start_until_death(&world, failpoint);
    }
    world_serve(&world, 0, NULL);
    start_again(&world);
    world_await_rest(&world, RECOVERY_MS);
    expect_ends(&world);
    world_judge(&world);
    world_close(&world);
}

Test(kill, received)
{
    kill_at("received");
}

Test(kill, stepped)
{
    kill_at("stepped");
}

Test(kill, before_commit)
{
    kill_at("before_commit");
}

Test(kill, after_commit)
{
    kill_at("after_commit");
}

Test(kill, before_publish)
{
    kill_at("before_publish");
}

Test(kill, after_publish)
{
    kill_at("after_publish");
}

Test(kill, before_ack)
{
    kill_at("before_ack");
}

Test(kill, after_ack)
{
    kill_at("after_ack");
}

/* The first commit after a restart comes within three seconds. */
Test(kill, first_commit_after_a_restart)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    for (int i = 0; i < 200; i++)
        start(&world, world.number++);
    world_kill(&world, 0);
    const char *before = harness_query(world.database, "select coalesce(sum(last_lsn), 0) from shard");
    struct str sql = arena_printf(&world.arena, "select sum(last_lsn) > %s from shard", before);
    int64_t began_us = clock_monotonic_us();
    world_serve(&world, 0, NULL);
    world_await_query(&world, sql.data, 3000);
    int64_t took_us = clock_monotonic_us() - began_us;
    cr_expect_lt(took_us, 3000000, "the first commit came after %lld us", (long long)took_us);
    start_again(&world);
    world_await_rest(&world, RECOVERY_MS);
    expect_ends(&world);
    world_judge(&world);
    world_close(&world);
}
