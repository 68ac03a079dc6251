/* Who owns the shards, over real servers and several engines: two of one name, one that is cut off from NATS
 * while others are not, and one that is frozen while requests for its shards come to others. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "engine/base/clock.h"
#include "engine/base/rng.h"
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

/* --- frozen, and asked by others -------------------------------------------------------------------------
 */

enum { SHARDS = 4, ASKERS = 8, REQUESTS = 400, SIDE_BY_SIDE_US = 60000000 };

struct request {
    char key[32];
    uint32_t shard;
    struct str input;
    struct client_answer answer;
};
struct asker {
    struct world *world;
    struct request *requests; /* of all askers: this one makes each ASKERS-th, from its number on */
    uint32_t number;
    struct arena arena;
    pthread_t thread;
};

static void *ask(void *context)
{
    struct asker *asker = context;
    for (uint32_t i = asker->number; i < REQUESTS; i += ASKERS) {
        struct request *request = &asker->requests[i];
        struct str body =
            arena_printf(&asker->arena, "{\"definition\":\"calm\",\"key\":\"%s\",\"input\":%.*s}",
                         request->key, STR_ARG(request->input));
        request->answer =
            client_post(asker->world->engines[1 + i / ASKERS % 2].port, &asker->arena, "/v1/sagas", body);
    }
    return NULL;
}

static void serve_with(struct world *world, uint32_t engine, const char *shards_max)
{
    const char *const arguments[] = {"--shards-max", shards_max, NULL};
    world->arguments = arguments;
    world_serve(world, engine, NULL);
    world->arguments = NULL;
}

static void owned_by_engine0(struct world *world, bool owned[SHARDS])
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct str sql =
            arena_printf(&world->arena, "select owner like 'engine0#%%' from shard where id = %u", i);
        owned[i] = *harness_query(world->database, sql.data) == 't';
    }
}

static void prepare(struct world *world, struct request *requests)
{
    static const struct world_plan brief = {"calm", {NULL}, {NULL}};
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct request *request = &requests[i];
        snprintf(request->key, sizeof request->key, "side-%u", i);
        request->shard =
            (uint32_t)(rng_mix(str_hash(STR("calm")), str_hash(str_from(request->key))) % SHARDS);
        request->input = world_input(world, &brief, world->number++);
    }
}

static void expect_answer(const struct request *request, bool frozen)
{
    const struct client_answer *answer = &request->answer;
    if (!frozen) {
        cr_expect_eq(answer->status, 201, "%s: %d %.*s", request->key, answer->status, STR_ARG(answer->body));
        return;
    }
    cr_expect_eq(answer->status, 503, "%s: %d %.*s", request->key, answer->status, STR_ARG(answer->body));
    cr_expect(answer->status == 503 && strcasestr(answer->head.data, "Retry-After:") != NULL);
    cr_expect(answer->status == 503 && strstr(answer->body.data, "does not answer") != NULL, "%.*s",
              STR_ARG(answer->body));
}

static void note_start(struct world *world, const struct request *request)
{
    struct str id = json_get_str(request->answer.json, STR("id"));
    *facts_add_start(&world->facts) =
        (struct facts_start){.definition = STR("calm"),
                             .key = arena_copy(&world->arena, str_from(request->key)),
                             .input = request->input,
                             .status = request->answer.status,
                             .id = arena_copy(&world->arena, request->answer.status == 201 ? id : STR(""))};
}

Test(forward, a_frozen_owner_keeps_nobody_else_waiting)
{
    static struct request requests[REQUESTS];
    static struct asker askers[ASKERS];
    struct world world;
    bool frozen[SHARDS];
    world_open(&world);
    world.lease = "10m"; /* nobody takes over: that is another matter */
    serve_with(&world, 0, "2");
    serve_with(&world, 1, "1");
    serve_with(&world, 2, "1");
    owned_by_engine0(&world, frozen);
    prepare(&world, requests);
    process_freeze(&world.engines[0].program.process);
    int64_t began_us = clock_monotonic_us();
    for (uint32_t i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.world = &world, .requests = requests, .number = i};
        arena_init(&askers[i].arena, 0);
        cr_assert_eq(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (uint32_t i = 0; i < ASKERS; i++)
        pthread_join(askers[i].thread, NULL);
    int64_t took_us = clock_monotonic_us() - began_us;
    process_thaw(&world.engines[0].program.process);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        expect_answer(&requests[i], frozen[requests[i].shard]);
        note_start(&world, &requests[i]);
        refused += frozen[requests[i].shard];
    }
    cr_expect(refused > REQUESTS / 4 && refused < REQUESTS * 3 / 4);
    cr_expect_lt(took_us, SIDE_BY_SIDE_US, "%u refusals one after the other would take %u s", refused,
                 refused * 2);
    for (uint32_t i = 0; i < ASKERS; i++)
        arena_fini(&askers[i].arena);
    for (uint32_t i = 0; i < REQUESTS; i++) { /* it is heard again, by both */
        if (!frozen[requests[i].shard])
            continue;
        struct client_answer again;
        do
            again = world_start_with(&world, 1 + i % 2, "calm", str_from(requests[i].key), requests[i].input);
        while (again.status == 503);
        cr_expect(again.status == 201 || again.status == 200, "%d %.*s", again.status, STR_ARG(again.body));
    }
    end(&world);
}
