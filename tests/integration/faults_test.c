/* Servers that die, freeze and forget in the middle of sagas. After each fault everything accepted ends
 * right, the service says when it is not ready, and the checker holds. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/ops/process.h"
#include "tests/integration/world.h"

enum { SAGAS = 20, REST_MS = 40000, TAKEOVER_MS = 8000 };

/* Every step takes half a second, so that the fault finds them all on their way. */
static const struct world_plan slow_plans[] = {
    {"calm", {"pending", "pending", "pending"}, {NULL}},
    {"calm", {"pending", "pending", "reject"}, {"pending", NULL, NULL}},
};
static const char *const slow_ends[] = {"completed", "compensated"};

static void start_some(struct world *world)
{
    for (uint32_t i = 0; i < SAGAS; i++)
        (void)world_start(world, i % 2 == 1 && world->engines[1].port != 0, &slow_plans[i % 2]);
    world_await_lines(world, "effect", "do", SAGAS / 2); /* in the middle now */
}

static void expect_slow_ends(struct world *world)
{
    for (uint32_t i = 0; i < world->facts.start_count; i++) {
        const struct facts_start *start = &world->facts.starts[i];
        if (start->status != 201)
            continue;
        struct str status = world_status(world, start->id);
        cr_expect(str_equal(status, str_from(slow_ends[i % 2])), "%.*s is %.*s instead of %s",
                  STR_ARG(start->id), STR_ARG(status), slow_ends[i % 2]);
    }
}

static void end(struct world *world)
{
    world_await_rest(world, REST_MS);
    world_judge(world);
    world_close(world);
}

static void end_as_wanted(struct world *world)
{
    world_await_rest(world, REST_MS);
    expect_slow_ends(world);
    world_judge(world);
    world_close(world);
}

static bool log_has(struct world *world, uint32_t engine, const char *text)
{
    char line[4096];
    bool found = false;
    FILE *file = fopen(world->engines[engine].program.process.log, "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, text) != NULL;
    if (file != NULL)
        (void)fclose(file);
    return found;
}

static void await_owner(struct world *world, uint32_t engine)
{
    struct str sql = arena_printf(
        &world->arena, "select count(*) = 4 from shard where owner like 'engine%u%%' and lease_until > now()",
        engine);
    world_await_query(world, sql.data, TAKEOVER_MS);
}

/* --- PostgreSQL ------------------------------------------------------------------------------------------
 */

Test(faults, postgres_restarts_in_order)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    start_some(&world);
    harness_stop_postgres(&world.harness);
    world_await_ready(&world, 0, 503);
    harness_restart_postgres(&world.harness);
    world_await_ready(&world, 0, 200);
    end_as_wanted(&world);
}

Test(faults, postgres_is_killed)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    for (int i = 0; i < 3; i++) {
        start_some(&world);
        process_kill(&world.harness.postgres.process);
        if (i == 1)
            world_await_ready(&world, 0, 503);
        harness_restart_postgres(&world.harness);
        world_await_ready(&world, 0, 200);
    }
    end_as_wanted(&world);
}

/* Nobody is told 201 for what is not stored, and nobody waits for ever. */
Test(faults, starts_while_postgres_is_away)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    process_kill(&world.harness.postgres.process);
    struct client_answer answer =
        world_start_with(&world, 0, "calm", STR("while-away"), world_input(&world, &slow_plans[0], 1));
    cr_expect_eq(answer.status, 503, "%d %.*s", answer.status, STR_ARG(answer.body));
    cr_expect_not_null(strcasestr(answer.head.data, "Retry-After:"));
    harness_restart_postgres(&world.harness);
    world_await_ready(&world, 0, 200);
    answer = world_start_with(&world, 0, "calm", STR("while-away"), world_input(&world, &slow_plans[0], 1));
    cr_expect(answer.status == 201 || answer.status == 200, "%d %.*s", answer.status, STR_ARG(answer.body));
    end(&world);
}

/* --- NATS ------------------------------------------------------------------------------------------------
 */

Test(faults, nats_is_killed)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    for (int i = 0; i < 3; i++) {
        start_some(&world);
        process_kill(&world.harness.nats.process);
        if (i == 1)
            world_await_ready(&world, 0, 503);
        harness_restart_nats(&world.harness);
        world_await_ready(&world, 0, 200);
    }
    end_as_wanted(&world);
}

/* A start is accepted: PostgreSQL is all it needs. The commands go out when the broker is back. */
Test(faults, starts_while_nats_is_away)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    process_kill(&world.harness.nats.process);
    struct str id = world_start(&world, 0, &slow_plans[0]);
    cr_expect_gt(id.size, 0);
    harness_restart_nats(&world.harness);
    end_as_wanted(&world);
}

static void brisk_some(struct world *world)
{
    static const struct world_plan plans[] = {
        {"brisk", {"pending", "slow", "pending"}, {NULL}},
        {"brisk", {"pending", "pending", "reject"}, {"slow", "pending", NULL}},
    };
    for (uint32_t i = 0; i < SAGAS; i++)
        (void)world_start(world, 0, &plans[i % 2]);
    world_await_lines(world, "effect", "do", SAGAS / 2);
}

/* Everything under way is gone with the folder; attempts and questions must make it good. */
Test(faults, nats_forgets_everything)
{
    struct world world;
    struct err_note note;
    world_open(&world);
    world_serve(&world, 0, NULL);
    world.facts.lossless = false;
    brisk_some(&world);
    process_kill(&world.harness.nats.process);
    struct str folder = arena_printf(&world.arena, "%s/jetstream", world.harness.nats.dir);
    cr_assert_eq(access(folder.data, R_OK), 0, "no data at %s", folder.data);
    cr_assert_eq(process_remove_tree(folder.data, &note), ERR_OK, "%s", note.text);
    harness_restart_nats(&world.harness);
    world_await_ready(&world, 0, 200);
    brisk_some(&world);
    end(&world);
}

Test(faults, streams_are_deleted_under_way)
{
    static const char *const streams[] = {"SAGA_CMD", "SAGA_REPLY", "SAGA_EVENT", "SAGA_IN"};
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    world.facts.lossless = false;
    brisk_some(&world);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        world_stream_delete(&world, streams[i]);
    end(&world);
}

/* --- several engines -------------------------------------------------------------------------------------
 */

Test(faults, the_second_engine_takes_over)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    world_serve(&world, 1, NULL);
    start_some(&world);
    world_kill(&world, 0);
    await_owner(&world, 1);
    start_some(&world);
    for (uint32_t i = 0; i < SAGAS; i++)
        (void)world_start(&world, 1, &slow_plans[i % 2]);
    world_await_rest(&world, REST_MS);
    world_judge(&world);
    world_close(&world);
}

/* One engine owns the shards, both are asked: starts and verbs find their way. */
Test(faults, two_engines_serve_side_by_side)
{
    struct world world;
    const char *const half[] = {"--shards-max", "2", NULL};
    world_open(&world);
    world.arguments = half;
    world_serve(&world, 0, NULL);
    world_serve(&world, 1, NULL);
    world_await_query(&world,
                      "select count(*) = 2 from (select owner from shard where lease_until > now() group by "
                      "owner having count(*) = 2) as owners",
                      TAKEOVER_MS);
    start_some(&world);
    end_as_wanted(&world);
}

/* Longer than its lease: when it wakes up it stores nothing more (M1). Whether it hears of its loss from the
 * fence, which refuses what it wanted to store, or before that from the renewal of its lease, is a race of
 * two of its threads; both make it drop its shards. */
Test(faults, a_frozen_engine_comes_back)
{
    static const struct world_plan pausing = {"wait", {NULL}, {NULL}};
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    world_serve(&world, 1, NULL);
    for (uint32_t i = 0; i < SAGAS; i++)
        (void)world_start(&world, 0, &pausing);
    world_await_query(&world, "select count(*) > 0 from saga where waiting like 'waiting at b %'",
                      TAKEOVER_MS); /* it has nothing to do until the pause is over */
    process_freeze(&world.engines[0].program.process);
    await_owner(&world, 1);
    for (uint32_t i = 0; i < SAGAS; i++)
        (void)world_start(&world, 1, &slow_plans[0]);
    world_await_query(&world, "select count(*) = 0 from saga where waiting like 'waiting at b %'",
                      TAKEOVER_MS); /* so that it finds pauses that are over */
    process_thaw(&world.engines[0].program.process);
    world_await_rest(&world, REST_MS);
    cr_expect(log_has(&world, 0, "event=shard_dropped"), "it goes on as owner");
    world_judge(&world);
    world_close(&world);
}

/* --- the end in order ------------------------------------------------------------------------------------
 */

static int by_command(const void *left, const void *right)
{
    const struct facts_line *const *a = left, *const *b = right;
    return str_compare((*a)->command, (*b)->command);
}

/* In the calm case nothing is sent twice: the marks say what the broker has. */
static void expect_each_command_once(struct world *world)
{
    struct facts *facts = &world->facts;
    const struct facts_line **received = arena_array(&world->arena, facts->line_count, sizeof *received);
    uint32_t count = 0;
    for (uint32_t i = 0; i < facts->line_count; i++)
        if (str_equal(facts->lines[i].what, STR("recv")))
            received[count++] = &facts->lines[i];
    qsort(received, count, sizeof *received, by_command);
    for (uint32_t i = 1; i < count; i++)
        cr_expect(!str_equal(received[i - 1]->command, received[i]->command), "%.*s was sent twice",
                  STR_ARG(received[i]->command));
}

Test(faults, a_stop_in_order_sends_nothing_twice)
{
    struct world world;
    world_open(&world);
    for (int i = 0; i < 3; i++) {
        world_serve(&world, 0, NULL);
        start_some(&world);
        world_stop(&world, 0);
    }
    world_serve(&world, 0, NULL);
    world_await_rest(&world, REST_MS);
    expect_slow_ends(&world);
    world_judge(&world);
    expect_each_command_once(&world);
    world_close(&world);
}

/* --- participants ----------------------------------------------------------------------------------------
 */

Test(faults, participants_are_killed)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    world.facts.lossless = false; /* what they were about to say */
    for (int i = 0; i < 3; i++) {
        brisk_some(&world);
        process_kill(&world.shop.process);
        world_shop_start(&world);
    }
    end(&world);
}
