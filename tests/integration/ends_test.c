/* Every way in which a step or a compensation may go, on real servers: each saga ends as the definition says,
 * and the checker agrees. All run side by side. */
#include <criterion/criterion.h>
#include "tests/integration/world.h"

struct wanted {
    struct world_plan plan;
    const char *end;
};

static const struct wanted wanted[] = {
    {{"brisk", {NULL, NULL, NULL}, {NULL}}, "completed"},
    /* the first step */
    {{"brisk", {"reject", NULL, NULL}, {NULL}}, "compensated"},
    {{"brisk", {"retry", NULL, NULL}, {NULL}}, "completed"},
    {{"brisk", {"slow", NULL, NULL}, {NULL}}, "completed"},
    {{"brisk", {"mute", NULL, NULL}, {NULL}}, "compensated"},
    {{"brisk", {"lost", NULL, NULL}, {NULL}}, "compensated"},
    /* the second, which is asked when it is silent */
    {{"brisk", {NULL, "reject", NULL}, {NULL}}, "compensated"},
    {{"brisk", {NULL, "retry", NULL}, {NULL}}, "completed"},
    {{"brisk", {NULL, "slow", NULL}, {NULL}}, "completed"},
    {{"brisk", {NULL, "mute", NULL}, {NULL}}, "compensated"},
    {{"brisk", {NULL, "lost", NULL}, {NULL}}, "completed"},
    {{"brisk", {NULL, "late", NULL}, {NULL}}, "compensated"},
    /* the third */
    {{"brisk", {NULL, NULL, "reject"}, {NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "retry"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "slow"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "die_before"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "die_after"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "twice"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "pending"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "garbage"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "ok_reject"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "reject_ok"}, {NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "foreign"}, {NULL}}, "completed"},
    {{"brisk", {NULL, NULL, "mute"}, {NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "lost"}, {NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "late"}, {NULL}}, "compensated"},
    /* the way back */
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "retry", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "slow", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "die_before", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "die_after", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "twice", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "pending", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {"garbage", "garbage", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "ok_reject", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "foreign", NULL}}, "compensated"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "stubborn", NULL}}, "parked"},
    {{"brisk", {NULL, NULL, "reject"}, {NULL, "reject", NULL}}, "parked"},
    {{"brisk", {NULL, NULL, "reject"}, {"mute", NULL, NULL}}, "parked"},
    {{"brisk", {NULL, NULL, "reject"}, {"lost", NULL, NULL}}, "parked"},
    {{"brisk", {"reject_ok", NULL, NULL}, {"slow", NULL, NULL}}, "compensated"},
    {{"brisk", {"lost", NULL, NULL}, {"reject", NULL, NULL}}, "parked"},
    /* behind a pivot there is no way back */
    {{"pivot", {NULL, NULL, NULL}, {NULL}}, "completed"},
    {{"pivot", {NULL, "reject", NULL}, {NULL}}, "compensated"},
    {{"pivot", {NULL, "mute", NULL}, {NULL}}, "parked"},
    {{"pivot", {NULL, NULL, "reject"}, {NULL}}, "parked"},
    {{"pivot", {NULL, NULL, "lost"}, {NULL}}, "parked"},
    {{"pivot", {NULL, NULL, "die_after"}, {NULL}}, "completed"},
};
enum { WANTED = sizeof wanted / sizeof wanted[0] };

Test(ends, each_failure_ends_as_it_must)
{
    struct world world;
    struct str ids[WANTED];
    world_open(&world);
    world_serve(&world, 0, NULL);
    for (size_t i = 0; i < WANTED; i++)
        ids[i] = world_start(&world, 0, &wanted[i].plan);
    world_await_rest(&world, WORLD_PATIENCE_MS);
    for (size_t i = 0; i < WANTED; i++) {
        struct str status = world_status(&world, ids[i]);
        cr_expect(str_equal(status, str_from(wanted[i].end)), "%s %.*s is %.*s instead of %s",
                  wanted[i].plan.definition, STR_ARG(world.facts.starts[i].input), STR_ARG(status),
                  wanted[i].end);
    }
    world_judge(&world);
    world_close(&world);
}
