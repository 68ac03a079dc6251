/* Fences are exact, and dead letters are bounded, in both stores. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "engine/store/store_dead.h"
#include "tests/store/world.h"

WORLD_TEST(exact, a_batch_that_skips_a_mark_is_refused)
{
    world_start(world, 0, "");
    world->marks[0].before_lsn += 3; /* as after a failover: the engine has seen more than there is */
    world->marks[0].last_lsn += 3;
    enum err error = world_commit(world);
    cr_assert_eq(error, ERR_CONFLICT, "%s", world_why(world, error));
    cr_assert_not_null(strstr(world->note.text, "lost commits"), "%s", world->note.text);
    world->marks[0].before_lsn = 0;
    world_ok(world, world_commit(world));
    world_start(world, 0, "");
    world->marks[0].before_lsn--; /* and the other way round */
    error = world_commit(world);
    cr_assert_eq(error, ERR_CONFLICT, "%s", world_why(world, error));
    cr_assert_null(strstr(world->note.text, "lost commits"), "%s", world->note.text);
}

WORLD_TEST(exact, an_epoch_that_the_database_has_not_given_yet_is_a_loss)
{
    bool committed = true;
    world_start(world, 1, "");
    world->marks[1].epoch++;
    struct store_batch batch = world_batch(world);
    cr_assert_eq(store_append(world->store, &batch, &world->arena, world->rejected, &world->rejected_count,
                              &world->note),
                 ERR_CONFLICT);
    cr_assert_eq(store_committed(world->store, &batch, &committed, &world->note), ERR_CONFLICT);
    world->marks[1].epoch--;
    world->marks[1].before_lsn++;
    cr_assert_eq(store_committed(world->store, &batch, &committed, &world->note), ERR_CONFLICT);
    world->marks[1].before_lsn--;
    world_ok(world, store_committed(world->store, &batch, &committed, &world->note));
    cr_assert(!committed);
}

WORLD_TEST(exact, the_owner_counts_besides_the_epoch)
{
    struct store_batch batch;
    world_start(world, 1, "");
    batch = world_batch(world);
    batch.owner = STR("two");
    cr_assert_eq(store_append(world->store, &batch, &world->arena, world->rejected, &world->rejected_count,
                              &world->note),
                 ERR_FENCED);
    batch.owner = STR("one");
    world_ok(world, store_append(world->store, &batch, &world->arena, world->rejected, &world->rejected_count,
                                 &world->note));
}

/* Its neighbours are stored, and its journal has no gap. */
WORLD_TEST(exact, a_saga_of_another_seq_is_refused_alone)
{
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct store_saga ahead = *world_start(world, 0, ""), fine = *world_start(world, 0, "");
    struct store_saga behind = *world_start(world, 2, "");
    world_ok(world, world_commit(world));
    behind = *world_go_on(world, &behind, "{}");
    world_ok(world, world_commit(world));
    ahead.seq++; /* a record that the database has lost */
    behind.seq--;
    struct id ids[] = {ahead.id, behind.id};
    world_go_on(world, &ahead, "{}");
    world_go_on(world, &fine, "{}");
    world_go_on(world, &behind, "{}");
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 2);
    for (int i = 0; i < 2; i++) {
        cr_assert(id_equal(world->rejected[i].id, ids[i]));
        world_ok(world,
                 store_load(world->store, ids[i], &world->arena, &saga, &records, &count, &world->note));
        cr_assert_eq(count, saga.seq);
        cr_assert_eq(records[count - 1].seq, saga.seq);
    }
    world_ok(world, store_load(world->store, fine.id, &world->arena, &saga, &records, &count, &world->note));
    cr_assert_eq(count, 2);
}

WORLD_TEST(exact, renewal_tells_the_marks_as_they_are)
{
    struct store_shard found[WORLD_SHARDS];
    bool kept[WORLD_SHARDS];
    int64_t now_us = 0;
    world_start(world, 2, "");
    world->marks[2].published_lsn = 1;
    world_ok(world, world_commit(world));
    world_ok(world, store_renew(world->store, STR("one"), 60000000, world->marks, WORLD_SHARDS, kept, found,
                                &now_us, &world->note));
    for (uint32_t i = 0; i < WORLD_SHARDS; i++)
        cr_assert(kept[i] && found[i].shard == i && found[i].epoch == world->marks[i].epoch &&
                  found[i].last_lsn == world->marks[i].last_lsn &&
                  found[i].published_lsn == world->marks[i].published_lsn);
}

static enum err bury(struct world *world, int64_t letters, int64_t bytes, int64_t *gone)
{
    struct store_batch batch = world_batch(world);
    batch.dead_letters_most = letters;
    batch.dead_bytes_most = bytes;
    batch.dead_gone = gone;
    enum err error = store_append(world->store, &batch, &world->arena, world->rejected,
                                  &world->rejected_count, &world->note);
    world_forget(world);
    for (uint32_t i = 0; i < WORLD_SHARDS; i++)
        world->marks[i].before_lsn = world->marks[i].last_lsn;
    return error;
}

static uint32_t left(struct world *world, const char *subject, struct store_dead_letter **letters)
{
    struct store_dead_letter *all = NULL;
    uint32_t count = 0, found = 0;
    world_ok(world,
             store_dead_letters(world->store, STR(""), 0, 1000, &world->arena, &all, &count, &world->note));
    *letters = all;
    for (uint32_t i = 0; i < count; i++)
        if (str_equal(all[i].subject, str_from(subject)))
            (*letters)[found++] = all[i];
    return found;
}

static void flood(struct world *world, uint32_t count, uint32_t shard, const char *subject, const char *body)
{
    for (uint32_t i = 0; i < count; i++) {
        struct store_dead_letter *letter = world_dead(world, "no step \"x\" was commanded");
        letter->shard = shard;
        letter->subject = str_from(subject);
        letter->body = arena_printf(&world->arena, "%s%u", body, world->dead_count);
    }
}

WORLD_TEST(dead, whoever_floods_pushes_out_his_own)
{
    struct store_dead_letter *letters = NULL;
    int64_t gone = 0;
    flood(world, 3, 0, "saga.reply.0.payments", "old ");
    world_ok(world, bury(world, 10, 0, &gone));
    cr_assert_eq(gone, 0);
    for (int batch = 0; batch < 4; batch++) {
        flood(world, 20, 0, "saga.reply.0.loud", "x");
        world_ok(world, bury(world, 10, 0, &gone));
        cr_assert_eq(gone, batch == 0 ? 13 : 20);
    }
    cr_assert_eq(left(world, "saga.reply.0.payments", &letters), 3);
    cr_assert_eq(left(world, "saga.reply.0.loud", &letters), 7);
    world_str(letters[0].body, "x20"); /* the newest stay */
    world_str(letters[6].body, "x14");
    flood(world, 20, 1, "saga.reply.1.loud", "x");
    world_ok(world, bury(world, 10, 0, &gone));
    cr_assert_eq(gone, 10, "each shard has its own room");
    cr_assert_eq(left(world, "saga.reply.0.payments", &letters), 3);
}

WORLD_TEST(dead, bytes_are_bounded_too)
{
    struct store_dead_letter *letters = NULL;
    int64_t gone = 0;
    static char large[4001];
    memset(large, 'y', sizeof large - 1);
    flood(world, 5, 0, "saga.reply.0.payments", "small");
    flood(world, 10, 0, "saga.reply.0.loud", large);
    world_ok(world, bury(world, 0, 20000, &gone));
    cr_assert_eq(gone, 6);
    cr_assert_eq(left(world, "saga.reply.0.payments", &letters), 5);
    cr_assert_eq(left(world, "saga.reply.0.loud", &letters), 4);
    flood(world, 1, 0, "saga.reply.0.payments", "small");
    world_ok(world, bury(world, 0, 20000, &gone));
    cr_assert_eq(gone, 0);
}

/* A bound that was lowered, and letters in many classes, the same number in each: fair all the same. */
WORLD_TEST(dead, a_lower_bound_is_reached_evenly)
{
    struct store_dead_letter *letters = NULL;
    int64_t gone = 0;
    for (int who = 0; who < 4; who++)
        flood(world, 40, 0,
              (const char *[]){"saga.reply.0.a", "saga.reply.0.b", "saga.reply.0.c", "saga.start.x"}[who],
              "x");
    world_ok(world, bury(world, 0, 0, &gone));
    cr_assert_eq(gone, 0);
    for (int i = 0; i < 20; i++) {
        flood(world, 1, 0, "saga.start.x", "y");
        world_ok(world, bury(world, 20, 0, &gone));
    }
    uint32_t count = left(world, "saga.reply.0.a", &letters);
    cr_assert(count >= 3 && count <= 7, "%u", count);
    cr_assert_eq(left(world, "saga.reply.0.a", &letters) + left(world, "saga.reply.0.b", &letters) +
                     left(world, "saga.reply.0.c", &letters) + left(world, "saga.start.x", &letters),
                 20);
}

WORLD_TEST(dead, the_same_message_twice_counts_once)
{
    struct store_dead_letter *letters = NULL;
    int64_t gone = 0;
    for (int i = 0; i < 3; i++) {
        flood(world, 1, 0, "saga.reply.0.a", "x");
        world->dead[0].message = STR("SAGA_REPLY/7/1700");
        world_ok(world, bury(world, 1, 0, &gone));
        cr_assert_eq(gone, 0);
    }
    cr_assert_eq(left(world, "saga.reply.0.a", &letters), 1);
}

WORLD_TEST(dead, too_old_letters_go)
{
    struct store_dead_letter *letters = NULL;
    uint32_t gone = 0;
    int64_t all_gone = 0, now_us = world->now_us;
    flood(world, 5, 0, "saga.reply.0.a", "x");
    for (int i = 0; i < 3; i++)
        world->dead[i].at_us = now_us - 1000000;
    world_ok(world, bury(world, 100, 0, &all_gone));
    world_ok(world, store_forget_dead(world->store, now_us - 2000000, 100, &gone, &world->note));
    cr_assert_eq(gone, 0);
    world_ok(world, store_forget_dead(world->store, now_us - 500000, 2, &gone, &world->note));
    cr_assert_eq(gone, 2);
    world_ok(world, store_forget_dead(world->store, now_us - 500000, 2, &gone, &world->note));
    cr_assert_eq(gone, 1);
    cr_assert_eq(left(world, "saga.reply.0.a", &letters), 2);
    flood(world, 3, 0, "saga.reply.0.a", "z");
    world_ok(world, bury(world, 4, 0, &all_gone));
    cr_assert_eq(all_gone, 1, "what went is not counted any more");
}

static void expect_class(const char *subject, const char *reason, const char *expected)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct store_dead_letter letter = {.subject = str_from(subject), .reason = str_from(reason)};
    world_str(store_dead_class(&letter, &arena), expected);
    arena_fini(&arena);
}

Test(dead, classes_tell_the_sender_and_the_kind)
{
    expect_class("saga.reply.12.payments", "no step \"charge\" was commanded",
                 "payments: no step  was commanded");
    expect_class("saga.reply.3.payments", "do attempt 17 of a was never sent",
                 "payments: do attempt  of a was never sent");
    expect_class("saga.start.any.thing", "there is no definition \"x\"",
                 "saga.start: there is no definition ");
    expect_class("saga.reply.foo", "what", "saga.reply: what");
    expect_class("", "", ": ");
    expect_class("saga.reply.1.\xc3\xa4\x01", "\xc3\xa4\n", "???: ");
    expect_class("saga.reply.1.a",
                 "a sentence that is very much longer than anybody would want to have a class be called",
                 "a: a sentence that is very much longer than anybody would want t");
}
