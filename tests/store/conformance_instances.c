/* Who runs under which name, as both stores see it: two of one name never live side by side. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/store/world.h"

enum { LEASE_US = 60000000, SHORT_US = 300000, WORKS_US = 90000000 };

#define INSTANCE(named, started, at)                                                                         \
    (const struct store_instance)                                                                            \
    {                                                                                                        \
        .name = STR(named), .incarnation = STR(started), .address = STR(at), .version = STR("1")             \
    }
#define FIRST INSTANCE("alpha", "00000000000000a1", "here")
#define SECOND INSTANCE("alpha", "00000000000000a2", "there")
#define OTHER INSTANCE("beta", "00000000000000b1", "elsewhere")

static enum err enter(struct world *world, struct store *store, const struct store_instance *instance,
                      int64_t lease_us, struct store_standing *standing)
{
    return store_enter(store, instance, lease_us, WORKS_US, standing, &world->note);
}

static void must_enter(struct world *world, struct store *store, const struct store_instance *instance)
{
    struct store_standing standing;
    world_ok(world, enter(world, store, instance, LEASE_US, &standing));
    cr_assert_gt(standing.beat_us, 0);
}

WORLD_TEST(instance, a_second_one_of_a_living_name_is_refused_and_told_of_the_first)
{
    struct store *mine = world_handle_as(world, &FIRST);
    struct store *its = world_handle_as(world, &SECOND);
    struct store_standing before, after;
    world_ok(world, enter(world, mine, &FIRST, LEASE_US, &before));
    cr_assert_eq(enter(world, its, &SECOND, LEASE_US, &after), ERR_CONFLICT);
    cr_assert(strstr(world->note.text, "\"alpha\": at here") != NULL, "%s", world->note.text);
    cr_assert_eq(after.beat_us, before.beat_us, "its asking is no beat of the other");
    world_pass(world, 1000);
    must_enter(world, mine, &FIRST);
    cr_assert_eq(enter(world, its, &SECOND, LEASE_US, &after), ERR_CONFLICT);
    cr_assert_gt(after.beat_us, before.beat_us);
    must_enter(world, its, &OTHER);
    store_close(its);
    store_close(mine);
}

WORLD_TEST(instance, one_that_was_killed_is_followed_at_once)
{
    struct store *mine = world_handle_as(world, &FIRST);
    struct store *its = world_handle_as(world, &SECOND);
    struct store_standing standing;
    must_enter(world, mine, &FIRST);
    store_close(mine);
    enum err error = ERR_CONFLICT; /* the server's process ends a moment after its client */
    for (int i = 0; i < 200 && error == ERR_CONFLICT; i++) {
        world_pass(world, 1000);
        error = enter(world, its, &SECOND, LEASE_US, &standing);
    }
    world_ok(world, error);
    store_close(its);
}

WORLD_TEST(instance, one_that_falls_silent_is_followed_after_its_lease_and_stays_out)
{
    struct store *mine = world_handle_as(world, &FIRST);
    struct store *its = world_handle_as(world, &SECOND);
    struct store_standing standing;
    world_ok(world, enter(world, mine, &FIRST, SHORT_US, &standing));
    world_pass(world, SHORT_US);
    must_enter(world, its, &SECOND);
    cr_assert_eq(enter(world, mine, &FIRST, LEASE_US, &standing), ERR_CONFLICT);
    store_close(its);
    store_close(mine);
}

WORLD_TEST(instance, one_that_left_is_followed_at_once_and_leaves_only_its_own_row)
{
    struct store *mine = world_handle_as(world, &FIRST);
    struct store *its = world_handle_as(world, &SECOND);
    struct store_standing standing;
    must_enter(world, mine, &FIRST);
    world_ok(world, store_leave(its, &SECOND, &world->note));
    cr_assert_eq(enter(world, its, &SECOND, LEASE_US, &standing), ERR_CONFLICT);
    world_ok(world, store_leave(mine, &FIRST, &world->note));
    must_enter(world, its, &SECOND);
    store_close(its);
    store_close(mine);
}

static uint32_t claim(struct world *world, struct store *store, const char *owner, uint32_t most)
{
    struct store_shard *shards = NULL;
    uint32_t count = 0;
    world_ok(world, store_claim(store, str_from(owner), LEASE_US, most, &world->arena, &shards, &count,
                                &world->note));
    return count;
}

WORLD_TEST(instance, takes_back_what_was_held_under_its_name_and_nothing_else)
{
    struct store *mine = world_handle_as(world, &FIRST);
    struct store *its = world_handle_as(world, &SECOND);
    struct store_standing standing;
    world_ok(world, store_release(world->store, world->marks, WORLD_SHARDS, &world->note));
    must_enter(world, mine, &FIRST);
    cr_assert_eq(claim(world, mine, "alpha#0/00000000000000a1", 1), 1);
    cr_assert_eq(claim(world, mine, "alpha#1", 1), 1); /* as a version before this wrote it */
    cr_assert_eq(claim(world, mine, "alphabet#0/00000000000000c1", 1), 1);
    must_enter(world, mine, &FIRST);
    cr_assert_eq(claim(world, its, "beta#0/00000000000000b1", 4), 1, "saying that it lives frees nothing");
    world_ok(world, store_leave(mine, &FIRST, &world->note));
    world_ok(world, enter(world, its, &SECOND, LEASE_US, &standing));
    cr_assert_eq(claim(world, its, "alpha#0/00000000000000a2", 4), 2);
    store_close(its);
    store_close(mine);
}

WORLD_TEST(instance, counts_the_others_that_could_take_over)
{
    struct store *store = world_handle(world);
    struct store_standing standing;
    must_enter(world, store, &FIRST);
    world_ok(world, store_enter(store, &OTHER, LEASE_US, -1, &standing, &world->note));
    cr_assert_eq(standing.peers, 1);
    world_ok(world, enter(world, store, &FIRST, LEASE_US, &standing));
    cr_assert_eq(standing.peers, 0, "its bus does not work");
    world_ok(world, store_enter(store, &OTHER, LEASE_US, 1000000, &standing, &world->note));
    world_ok(world, enter(world, store, &FIRST, LEASE_US, &standing));
    cr_assert_eq(standing.peers, 0, "its bus has not worked for long");
    world_ok(world, store_enter(store, &OTHER, SHORT_US, WORKS_US, &standing, &world->note));
    world_ok(world, enter(world, store, &FIRST, LEASE_US, &standing));
    cr_assert_eq(standing.peers, 1);
    world_pass(world, SHORT_US);
    world_ok(world, enter(world, store, &FIRST, LEASE_US, &standing));
    cr_assert_eq(standing.peers, 0, "it has fallen silent");
    store_close(store);
}
