/* Versions over two instances: what one of them is told, the other does a moment later, and sagas stay with
 * the version they began with, through the death of the engine that ran them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/integration/world.h"

static const struct world_plan calm = {"calm", {NULL}, {NULL}};
static const struct world_plan slow = {"calm", {NULL, "slow", NULL}, {NULL}};

static void put_second(struct world *world)
{
    char text[16384];
    const char *path = arena_printf(&world->arena, "%s/calm.yaml", world->definitions).data;
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    char *version = strstr(text, "version: 1");
    cr_assert_not_null(version);
    version[strlen("version: ")] = '2';
    struct client_answer answer = client_send(world->engines[0].port, &world->arena, "PUT",
                                              "/v1/definitions/calm/2", "application/yaml", str_from(text));
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
}

struct wanted {
    struct world *world;
    int64_t version;
};

static int64_t version_of(struct world *world, struct str id)
{
    int64_t version = 0;
    const char *target = arena_printf(&world->arena, "/v1/sagas/%.*s", STR_ARG(id)).data;
    struct client_answer answer = world_get(world, 0, target);
    cr_assert(json_get_i64(answer.json, STR("version"), &version), "%.*s", STR_ARG(answer.body));
    return version;
}

/* The second instance is asked by starts alone, which read nothing from the database when they know a
 * version. */
static bool starts_with(void *context)
{
    struct wanted *wanted = context;
    struct str id = world_start(wanted->world, 1, &calm);
    cr_assert_neq(id.size, 0);
    return version_of(wanted->world, id) == wanted->version;
}

static void await_version(struct world *world, int64_t version)
{
    struct wanted wanted = {world, version};
    cr_assert(harness_await(starts_with, &wanted, WORLD_PATIENCE_MS),
              "the other instance never takes version %d", (int)version);
}

Test(versions, are_the_same_on_every_instance, .timeout = 300)
{
    struct world world;
    world_open(&world);
    (void)world_serve(&world, 0, NULL);
    (void)world_serve(&world, 1, NULL);
    struct str older = world_start(&world, 0, &slow);
    cr_expect_eq(version_of(&world, older), 1);
    put_second(&world);
    struct str newer = world_start(&world, 0, &slow);
    cr_expect_eq(version_of(&world, newer), 2, "at once where it was stored");
    await_version(&world, 2);
    struct client_answer off = world_post(&world, 0, "/v1/definitions/calm/2/disable", (struct str){0});
    cr_expect_eq(off.status, 200, "%.*s", STR_ARG(off.body));
    world_kill(&world, 0);
    (void)world_serve(&world, 0, NULL);
    cr_expect_eq(version_of(&world, world_start(&world, 0, &calm)), 1,
                 "disabled for good, not for a process");
    await_version(&world, 1);
    world_await_status(&world, older, "completed");
    world_await_status(&world, newer, "completed");
    cr_expect_eq(version_of(&world, older), 1);
    cr_expect_eq(version_of(&world, newer), 2, "pinned, though disabled since");
    world_await_rest(&world, WORLD_PATIENCE_MS);
    world_judge(&world);
    world_close(&world);
}
