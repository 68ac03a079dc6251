/* A thousand sagas with mixed outcomes, judged from the participants' own logs. */
#include <criterion/criterion.h>
#include "tests/integration/mixture.h"

enum { CROWD = 1000, REST_MS = 120000 };

static void start_range(struct world *world, struct rng *rng, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct world_plan plan = mixture_draw(rng);
        (void)world_start(world, 0, &plan);
    }
}

static unsigned count_of(struct world *world, const char *status)
{
    struct str sql = arena_printf(&world->arena, "select count(*) from saga where status = '%s'", status);
    int64_t count = 0;
    cr_assert(str_to_i64(str_from(harness_query(world->database, sql.data)), &count));
    return (unsigned)count;
}

/* M2: a run in which hardly anything went well, or badly, shows nothing. */
static void expect_a_mixture(struct world *world)
{
    unsigned completed = count_of(world, "completed");
    unsigned compensated = count_of(world, "compensated");
    unsigned parked = count_of(world, "parked");
    cr_expect_geq(completed, CROWD * 3 / 10, "only %u completed", completed);
    cr_expect_geq(compensated, CROWD * 2 / 10, "only %u compensated", compensated);
    cr_expect_geq(parked, CROWD / 200, "only %u parked", parked);
}

Test(crowd, a_thousand_sagas)
{
    struct world world;
    struct rng rng;
    rng_init(&rng, 1);
    world_open(&world);
    world_serve(&world, 0, NULL);
    start_range(&world, &rng, CROWD);
    world_await_rest(&world, REST_MS);
    expect_a_mixture(&world);
    world_judge(&world);
    world_close(&world);
}

Test(crowd, a_thousand_sagas_and_a_kill)
{
    struct world world;
    struct rng rng;
    rng_init(&rng, 2);
    world_open(&world);
    world_serve(&world, 0, NULL);
    start_range(&world, &rng, CROWD / 2);
    world_kill(&world, 0);
    world_serve(&world, 0, NULL);
    start_range(&world, &rng, CROWD / 2);
    world_await_rest(&world, REST_MS);
    expect_a_mixture(&world);
    world_judge(&world);
    world_close(&world);
}
