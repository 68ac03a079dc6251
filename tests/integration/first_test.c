#include <criterion/criterion.h>
#include "tests/integration/world.h"

Test(first, three_steps_complete)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, NULL);
    struct str id = world_start(&world, 0, &(struct world_plan){.definition = "calm"});
    world_await_status(&world, id, "completed");
    world_judge(&world);
    world_close(&world);
}

Test(first, killed_after_the_commit)
{
    struct world world;
    world_open(&world);
    world_serve(&world, 0, "after_commit:2");
    struct str id =
        world_start(&world, 0, &(struct world_plan){.definition = "calm", .how = {NULL, NULL, "reject"}});
    world_await_death(&world, 0, WORLD_PATIENCE_MS);
    world_serve(&world, 0, NULL);
    world_await_status(&world, id, "compensated");
    world_judge(&world);
    world_close(&world);
}
