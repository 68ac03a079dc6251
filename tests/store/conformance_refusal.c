/* What both stores do alike when they refuse data, or lose an answer. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/store/world.h"

static bool stored(struct world *world, struct id id)
{
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    enum err error = store_load(world->store, id, &world->arena, &saga, &records, &count, &world->note);
    cr_assert(error == ERR_OK || error == ERR_NOT_FOUND, "%s", world_why(world, error));
    return error == ERR_OK;
}

/* 64 sagas, the one at `bad` spoilt by `spoil`: it alone is rejected, and leaves nothing. */
static void poison(struct world *world, uint32_t bad, void (*spoil)(struct world *world, uint32_t at))
{
    struct id ids[64];
    for (uint32_t i = 0; i < 64; i++)
        ids[i] = world_start(world, i % WORLD_SHARDS, "")->id;
    world_dead(world, "belongs to nothing");
    spoil(world, bad);
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 1);
    cr_assert(id_equal(world->rejected[0].id, ids[bad]));
    cr_assert_gt(world->rejected[0].reason.size, 0);
    for (uint32_t i = 0; i < 64; i++)
        cr_assert_eq(stored(world, ids[i]), i != bad, "saga %u", i);
    struct store_dead_letter *letters = NULL;
    uint32_t count = 0;
    world_ok(world,
             store_dead_letters(world->store, STR(""), 0, 10, &world->arena, &letters, &count, &world->note));
    cr_assert_eq(count, 1);
    world_str(letters[0].body, "{}");
}

static void no_json(struct world *world, uint32_t at)
{
    world->records[at].data = STR("{\"half\":");
}

static void no_utf8(struct world *world, uint32_t at)
{
    world->records[at].data = STR("{\"text\":\"\xff\xfe\"}");
}

static void nul_in_text(struct world *world, uint32_t at)
{
    world->sagas[at].waiting = STR("waiting\0for");
}

static void bad_search(struct world *world, uint32_t at)
{
    world->sagas[at].search = STR("{customer}");
}

static void no_row(struct world *world, uint32_t at)
{
    world->sagas[at].created = false;
}

WORLD_TEST(refusal, of_invalid_json_hits_one_saga)
{
    poison(world, 17, no_json);
}

WORLD_TEST(refusal, of_invalid_utf8_hits_one_saga)
{
    poison(world, 0, no_utf8);
}

WORLD_TEST(refusal, of_a_nul_hits_one_saga)
{
    poison(world, 63, nul_in_text);
}

WORLD_TEST(refusal, of_invalid_attributes_hits_one_saga)
{
    poison(world, 31, bad_search);
}

WORLD_TEST(refusal, of_a_saga_without_row_hits_it_alone)
{
    poison(world, 32, no_row);
}

WORLD_TEST(refusal, takes_all_records_of_the_saga)
{
    struct store_saga *row = world_start(world, 0, "");
    world->records[0].data = STR("{\"fine\":1}");
    struct store_record *second = &world->records[world->record_count++];
    *second = world->records[0];
    second->seq = 2;
    second->lsn = ++world->marks[0].last_lsn;
    second->data = STR("no");
    row->seq = 2;
    struct id bad = row->id;
    struct id good = world_start(world, 0, "")->id;
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 1);
    cr_assert(!stored(world, bad));
    cr_assert(stored(world, good));
}

/* Its reason rests on rows that are not there. */
WORLD_TEST(refusal, of_a_saga_takes_its_dead_letters_with_it)
{
    struct id bad = world_start(world, 0, "")->id, good = world_start(world, 0, "")->id;
    no_json(world, 0);
    world_dead(world, "of the good one")->with = &good;
    world_dead(world, "of the bad one")->with = &bad;
    world_dead(world, "of none");
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 1);
    struct store_dead_letter *letters = NULL;
    uint32_t count = 0;
    world_ok(world,
             store_dead_letters(world->store, STR(""), 0, 10, &world->arena, &letters, &count, &world->note));
    cr_assert_eq(count, 2);
    world_str(letters[0].reason, "of none");
    world_str(letters[1].reason, "of the good one");
}

WORLD_TEST(refusal, of_every_saga_still_moves_the_marks)
{
    for (uint32_t i = 0; i < 8; i++)
        world_start(world, 1, "");
    for (uint32_t i = 0; i < 8; i++)
        no_json(world, i);
    int64_t rows = world->marks[1].last_lsn;
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 8);
    struct store_shard *shards = NULL;
    uint32_t count = 0;
    world_ok(world, store_claim(world->store, STR("one"), 60000000, WORLD_SHARDS, &world->arena, &shards,
                                &count, &world->note));
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(shards[i].last_lsn, shards[i].shard == 1 ? rows + 1 : 1);
}

WORLD_TEST(refusal, of_a_key_used_before_names_the_second_saga)
{
    struct id first = world_start(world, 0, "order-1")->id;
    world_ok(world, world_commit(world));
    struct store_saga *other_definition = world_start(world, 1, "order-1");
    other_definition->definition = STR("refund");
    struct id allowed = other_definition->id;
    struct id second = world_start(world, 1, "order-1")->id;
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 1);
    cr_assert(id_equal(world->rejected[0].id, second));
    cr_assert(stored(world, first) && stored(world, allowed) && !stored(world, second));
}

WORLD_TEST(refusal, of_a_key_used_twice_in_one_batch_keeps_the_first)
{
    struct id first = world_start(world, 0, "order-2")->id;
    struct id second = world_start(world, 0, "order-2")->id;
    struct id third = world_start(world, 0, "")->id;
    struct id fourth = world_start(world, 0, "")->id;
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 1);
    cr_assert(id_equal(world->rejected[0].id, second));
    cr_assert(stored(world, first) && !stored(world, second) && stored(world, third) &&
              stored(world, fourth));
}

WORLD_TEST(refusal, bares_a_dead_letter)
{
    struct store_dead_letter *letters = NULL;
    uint32_t count = 0;
    struct id id = world_start(world, 0, "")->id;
    world_dead(world, "first");
    struct store_dead_letter *bad = world_dead(world, "second");
    bad->subject = STR("saga.reply.\xff");
    bad->body = STR("\x00\x01\xff");
    bad->message = STR("SAGA_REPLY/7/1700");
    struct store_dead_letter *good = world_dead(world, "third");
    good->body = STR("\x00\x01\xff");
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 0);
    cr_assert(stored(world, id));
    world_ok(world,
             store_dead_letters(world->store, STR(""), 0, 10, &world->arena, &letters, &count, &world->note));
    cr_assert_eq(count, 3);
    world_str(letters[0].reason, "third");
    cr_assert(str_equal(letters[0].body, STR("\x00\x01\xff")));
    world_str(letters[1].reason, "second");
    world_str(letters[1].subject, "(not text)");
    world_str(letters[1].headers, "{}");
    world_str(letters[1].message, "SAGA_REPLY/7/1700");
    cr_assert_eq(letters[1].body.size, 0);
    world_str(letters[2].headers, "{\"Saga-Status\":\"ok\"}");
}

WORLD_TEST(refusal, of_512_sagas_ends)
{
    for (uint32_t i = 0; i < 512; i++) {
        struct store_saga *row = world_start(world, 0, "");
        row->created = i % 2 == 0;
    }
    world_ok(world, world_commit(world));
    cr_assert_eq(world->rejected_count, 256);
}

/* The faults of the twin; on PostgreSQL the same is done with real means in postgres_faults.c. */
static void lose_answer(enum memory_store_fault fault, enum err expected, bool expected_committed)
{
    static struct world world;
    bool committed = false;
    int64_t now_us = 0;
    world_open(&world, WORLD_MEMORY);
    struct id id = world_start(&world, 0, "")->id;
    struct store_batch batch = world_batch(&world);
    memory_store_fail(world.memory, fault);
    enum err error =
        store_append(world.store, &batch, &world.arena, world.rejected, &world.rejected_count, &world.note);
    cr_assert_eq(error, expected, "%s", world_why(&world, error));
    if (expected == ERR_UNKNOWN_OUTCOME)
        cr_assert_eq(store_now(world.store, &now_us, &world.note), ERR_UNAVAILABLE);
    world_ok(&world, store_reconnect(world.store, &world.note));
    world_ok(&world, store_committed(world.store, &batch, &committed, &world.note));
    cr_assert_eq(committed, expected_committed);
    cr_assert_eq(stored(&world, id), expected_committed);
    world_close(&world);
}

Test(memory, loses_the_answer_of_a_commit)
{
    lose_answer(MEMORY_STORE_LOST, ERR_UNKNOWN_OUTCOME, true);
}

Test(memory, drops_the_connection_before_a_commit)
{
    lose_answer(MEMORY_STORE_DROPPED, ERR_UNKNOWN_OUTCOME, false);
}

Test(memory, refuses_a_commit)
{
    lose_answer(MEMORY_STORE_REFUSED, ERR_UNAVAILABLE, false);
}
