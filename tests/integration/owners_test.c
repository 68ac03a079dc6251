/* Who owns the shards, over real servers and several engines: two of one name, and one that is cut off from
 * NATS while others are not. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include "engine/ops/process.h"
#include "tests/harness/proxy.h"
#include "tests/integration/world.h"

enum { REST_MS = 40000, TAKEOVER_MS = 20000 };

static const struct world_plan plan = {"calm", {"pending", "pending", "pending"}, {NULL}};
static const char *const as_engine0[] = {"--instance", "engine0", NULL};

static void await_owner(struct world *world, const char *instance)
{
    struct str sql = arena_printf(
        &world->arena, "select count(*) = 4 from shard where owner like '%s#%%' and lease_until > now()",
        instance);
    world_await_query(world, sql.data, TAKEOVER_MS);
}

static int64_t claims(struct world *world)
{
    int64_t sum = 0;
    cr_assert(str_to_i64(str_from(harness_query(world->database, "select sum(epoch) from shard")), &sum));
    return sum;
}

static void end(struct world *world)
{
    world_await_rest(world, REST_MS);
    world_judge(world);
    world_close(world);
}

/* --- one name, one engine --------------------------------------------------------------------------------
 */

Test(names, a_second_engine_of_a_name_ends_with_the_reason_and_disturbs_nobody)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    int64_t before = claims(&world);
    (void)world_start(&world, 0, &plan);
    world.arguments = as_engine0;
    cr_expect_eq(world_serve_in_vain(&world, 1), 1);
    world_await_log(&world, 1, "another engine runs under the name \"engine0\": at host");
    cr_expect_eq(claims(&world), before, "a shard changed hands");
    end(&world);
}

Test(names, one_that_was_killed_is_followed_at_once)
{
    struct world world;
    world_open(&world);
    world.lease = "10m";
    world_serve(&world, 0, NULL);
    (void)world_start(&world, 0, &plan);
    world_kill(&world, 0);
    world_serve(&world, 0, NULL);
    world_await_ready(&world, 0, 200);
    await_owner(&world, "engine0");
    end(&world);
}

Test(names, one_that_slept_through_its_lease_is_followed_and_ends_when_it_wakes_up)
{
    struct world world;
    int status = 0;
    world_open(&world);
    world_serve(&world, 0, NULL);
    (void)world_start(&world, 0, &plan);
    struct process *sleeper = &world.engines[0].program.process;
    process_freeze(sleeper);
    world.arguments = as_engine0;
    world_serve(&world, 1, NULL); /* waits for the lease's end by itself */
    world_await_ready(&world, 1, 200);
    int64_t before = claims(&world);
    process_thaw(sleeper);
    cr_assert(process_wait(sleeper, WORLD_PATIENCE_MS, &status), "two engines of one name");
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    world_await_log(&world, 0, "event=ousted");
    world_await_log(&world, 0, "sagad: another engine runs under the name \"engine0\"");
    cr_expect_eq(claims(&world), before, "it took a shard back");
    end(&world);
}

/* --- cut off from NATS -----------------------------------------------------------------------------------
 */

Test(cut, an_owner_that_cannot_reach_nats_leaves_its_shards_to_one_that_can)
{
    struct world world;
    world_open(&world);
    struct proxy *proxy = proxy_open(world.harness.nats.port);
    world.engines[0].nats = arena_printf(&world.arena, "nats://127.0.0.1:%u", proxy_port(proxy)).data;
    world_serve(&world, 0, NULL);
    world_serve(&world, 1, NULL);
    world_await_query(&world,
                      "select count(*) = 2 from instance where bus_since < now() - interval '2 seconds'",
                      TAKEOVER_MS);
    for (int i = 0; i < 8; i++)
        (void)world_start(&world, 0, &plan);
    proxy_cut(proxy, true);
    await_owner(&world, "engine1");
    world_await_log(&world, 0, "why=\"NATS is out of reach here, and another engine reaches it\"");
    world_await_ready(&world, 1, 200);
    for (int i = 0; i < 8; i++)
        (void)world_start(&world, 1, &plan);
    world_await_rest(&world, REST_MS);
    proxy_cut(proxy, false);
    world_await_log(&world, 0, "event=bus_connected");
    await_owner(&world, "engine1"); /* what is owned stays where it is */
    end(&world);
    proxy_close(proxy);
}
