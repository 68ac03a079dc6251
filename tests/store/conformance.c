/* What both stores do alike: batches, fences, leases, marks, definitions. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/store/world.h"

HARNESS_SHARED(HARNESS_POSTGRES)

WORLD_TEST(batch, stores_a_saga_and_its_journal)
{
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct store_saga *row = world_start(world, 2, "order-17");
    row->reason_code = STR("CARD_EXPIRED");
    row->search = STR("{\"customer\":\"c1\"}");
    row->paused = true;
    struct store_saga expected = *row;
    world_ok(world, world_commit(world));
    world_ok(world,
             store_load(world->store, expected.id, &world->arena, &saga, &records, &count, &world->note));
    cr_assert(id_equal(saga.id, expected.id));
    cr_assert_eq(saga.shard, 2);
    world_str(saga.definition, "order");
    cr_assert_eq(saga.version, 3);
    world_str(saga.hash, "abc");
    world_str(saga.status, "running");
    cr_assert(saga.paused);
    cr_assert_eq(saga.seq, 1);
    world_str(saga.waiting, "waiting for reply to charge");
    world_str(saga.reason_code, "CARD_EXPIRED");
    world_str(saga.key, "order-17");
    cr_assert_eq(saga.started_us, expected.started_us);
    cr_assert_eq(saga.updated_us, expected.updated_us);
    cr_assert_eq(saga.ended_us, 0);
    cr_assert_eq(saga.wake_us, expected.wake_us);
    cr_assert(!saga.created);
    cr_assert_eq(count, 1);
    cr_assert_eq(records[0].seq, 1);
    cr_assert_eq(records[0].shard, 2);
    cr_assert_eq(records[0].at_us, expected.updated_us);
    world_str(records[0].kind, "start");
    world_str(records[0].step, "");
    cr_assert_eq(records[0].attempt, 0);
}

WORLD_TEST(batch, overwrites_the_row_and_appends_to_the_journal)
{
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct store_saga row = *world_start(world, 0, "");
    world_ok(world, world_commit(world));
    struct store_saga *next = world_go_on(world, &row, "{\"n\":2}");
    next->status = STR("completed");
    next->waiting = STR("");
    next->wake_us = 0;
    next->ended_us = world->now_us;
    int64_t ended_us = world->now_us;
    world_ok(world, world_commit(world));
    world_ok(world, store_load(world->store, row.id, &world->arena, &saga, &records, &count, &world->note));
    cr_assert_eq(saga.seq, 2);
    world_str(saga.status, "completed");
    world_str(saga.waiting, "");
    world_str(saga.key, "");
    cr_assert_eq(saga.wake_us, 0);
    cr_assert_eq(saga.ended_us, ended_us);
    cr_assert_eq(saga.started_us, row.started_us);
    cr_assert_eq(count, 2);
    cr_assert_eq(records[1].seq, 2);
    world_str(records[1].step, "charge");
    cr_assert_eq(records[1].attempt, 2);
    cr_assert_gt(records[1].lsn, records[0].lsn);
}

WORLD_TEST(batch, keeps_the_text_of_data_byte_for_byte)
{
    static const char *const texts[] = {"{\"total\" :19.90,\n \"id\":9007199254740993123456789}",
                                        "{\"e\":1E+02,\"f\":-0.0}", "{\"text\":\"\\u00e9 \xc3\xa9\"}",
                                        "  [1.0]  "};
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct store_saga row = *world_start(world, 1, "");
    world_ok(world, world_commit(world));
    for (size_t i = 0; i < 4; i++) {
        row = *world_go_on(world, &row, texts[i]);
        world_ok(world, world_commit(world));
    }
    world_ok(world, store_load(world->store, row.id, &world->arena, &saga, &records, &count, &world->note));
    cr_assert_eq(count, 5);
    for (size_t i = 0; i < 4; i++)
        world_str(records[i + 1].data, texts[i]);
}

WORLD_TEST(batch, with_nothing_but_marks_is_stored)
{
    int64_t last_lsn = world->marks[1].last_lsn;
    world_ok(world, world_commit(world));
    struct store_batch batch = world_batch(world);
    bool committed = true;
    world_ok(world, store_committed(world->store, &batch, &committed, &world->note));
    cr_assert(!committed);
    world->marks[1].last_lsn = last_lsn + 1;
    batch.shards = &world->marks[1];
    batch.shard_count = 1;
    world_ok(world, store_committed(world->store, &batch, &committed, &world->note));
    cr_assert(committed);
}

WORLD_TEST(batch, written_twice_is_a_conflict_and_changes_nothing)
{
    struct store_saga row = *world_start(world, 0, "");
    struct store_batch batch = world_batch(world);
    world_ok(world, store_append(world->store, &batch, &world->arena, world->rejected, &world->rejected_count,
                                 &world->note));
    enum err error = store_append(world->store, &batch, &world->arena, world->rejected,
                                  &world->rejected_count, &world->note);
    cr_assert_eq(error, ERR_CONFLICT, "%s", world_why(world, error));
    cr_assert_eq(world->rejected_count, 0);
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    world_ok(world, store_load(world->store, row.id, &world->arena, &saga, &records, &count, &world->note));
    cr_assert_eq(count, 1);
}

WORLD_TEST(fence, of_an_older_epoch_refuses_all_of_the_batch)
{
    struct store_shard *taken = NULL;
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct store *other = world_handle(world);
    world_ok(world, store_release(world->store, &world->marks[3], 1, &world->note));
    world_ok(world, store_claim(other, STR("two"), 60000000, 1, &world->arena, &taken, &count, &world->note));
    cr_assert_eq(count, 1);
    cr_assert_eq(taken[0].shard, 3);
    cr_assert_gt(taken[0].epoch, world->marks[3].epoch);

    struct store_saga *here = world_start(world, 0, "mine");
    struct store_saga *lost = world_start(world, 3, "not mine");
    world_dead(world, "belongs to nothing");
    struct id ids[] = {here->id, lost->id};
    enum err error = world_commit(world);
    cr_assert_eq(error, ERR_FENCED, "%s", world_why(world, error));
    for (int i = 0; i < 2; i++) {
        error = store_load(world->store, ids[i], &world->arena, &saga, &records, &count, &world->note);
        cr_assert_eq(error, ERR_NOT_FOUND, "%s", world_why(world, error));
    }
    struct store_dead_letter *letters = NULL;
    world_ok(world, store_dead_letters(other, STR(""), 0, 10, &world->arena, &letters, &count, &world->note));
    cr_assert_eq(count, 0);
    struct store_batch batch = world_batch(world);
    bool committed = true;
    cr_assert_eq(store_committed(world->store, &batch, &committed, &world->note), ERR_FENCED);
    store_close(other);
}

WORLD_TEST(fence, comes_before_refused_data)
{
    struct store_shard *taken = NULL;
    uint32_t count = 0;
    struct store *other = world_handle(world);
    struct store_saga row = *world_start(world, 3, "");
    world_ok(world, world_commit(world));
    world_ok(world, store_release(world->store, &world->marks[3], 1, &world->note));
    world_ok(world, store_claim(other, STR("two"), 60000000, 1, &world->arena, &taken, &count, &world->note));
    row.seq = 0; /* its row is not older, which alone would be refused data */
    world_go_on(world, &row, "{}");
    enum err error = world_commit(world);
    cr_assert_eq(error, ERR_FENCED, "%s", world_why(world, error));
    cr_assert_eq(world->rejected_count, 0);
    store_close(other);
}

WORLD_TEST(lease, gives_each_shard_to_one_instance)
{
    struct store_shard *shards = NULL;
    uint32_t count = 1;
    struct store *other = world_handle(world);
    world_ok(world, store_claim(other, STR("two"), 60000000, WORLD_SHARDS, &world->arena, &shards, &count,
                                &world->note));
    cr_assert_eq(count, 0);
    world_ok(world, store_release(world->store, world->marks, 2, &world->note));
    world_ok(world,
             store_claim(other, STR("two"), 60000000, 1, &world->arena, &shards, &count, &world->note));
    cr_assert_eq(count, 1);
    cr_assert_eq(shards[0].epoch, world->marks[shards[0].shard].epoch + 1);
    world_ok(world, store_claim(other, STR("two"), 60000000, WORLD_SHARDS, &world->arena, &shards, &count,
                                &world->note));
    cr_assert_eq(count, 2, "its own one again, and the other free one");
    store_close(other);
}

WORLD_TEST(lease, that_ends_later_than_any_may_is_over)
{
    struct store_shard *shards = NULL;
    uint32_t count = 1;
    struct store *other = world_handle(world);
    const int64_t minute_us = 60000000;
    world_ok(world, store_claim(world->store, STR("one"), 10 * minute_us, WORLD_SHARDS, &world->arena,
                                &shards, &count, &world->note));
    world_ok(world, store_claim(other, STR("two"), minute_us, WORLD_SHARDS, &world->arena, &shards, &count,
                                &world->note));
    cr_assert_eq(count, 0, "ten minutes are a lease");
    world_ok(world, store_claim(world->store, STR("one"), 60 * minute_us, WORLD_SHARDS, &world->arena,
                                &shards, &count, &world->note));
    cr_assert_eq(count, WORLD_SHARDS);
    world_ok(world, store_claim(other, STR("two"), minute_us, WORLD_SHARDS, &world->arena, &shards, &count,
                                &world->note));
    cr_assert_eq(count, WORLD_SHARDS, "an hour was given by a clock that was ahead");
    store_close(other);
}

WORLD_TEST(lease, that_expires_is_taken_over_with_the_marks)
{
    struct store_shard *mine = NULL;
    struct store_shard *theirs = NULL;
    uint32_t count = 0;
    struct store_shard found[WORLD_SHARDS];
    bool kept[WORLD_SHARDS];
    int64_t now_us = 0;
    struct store *other = world_handle(world);
    world->marks[2].last_lsn = 70;
    world->marks[2].published_lsn = 65;
    world_ok(world, world_commit(world));
    world_ok(world, store_claim(world->store, STR("one"), 100000, WORLD_SHARDS, &world->arena, &mine, &count,
                                &world->note));
    cr_assert_eq(count, WORLD_SHARDS);
    world_pass(world, 100000);
    world_ok(world, store_claim(other, STR("two"), 60000000, WORLD_SHARDS, &world->arena, &theirs, &count,
                                &world->note));
    cr_assert_eq(count, WORLD_SHARDS);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(theirs[i].epoch, 3);
        cr_assert_eq(theirs[i].published_lsn, theirs[i].shard == 2 ? 65 : 0);
        cr_assert_eq(theirs[i].last_lsn, theirs[i].shard == 2 ? 71 : 1);
    }
    world_ok(world, store_renew(world->store, STR("one"), 100000, mine, WORLD_SHARDS, kept, found, &now_us,
                                &world->note));
    for (uint32_t i = 0; i < WORLD_SHARDS; i++)
        cr_assert(!kept[i]);
    store_close(other);
}

WORLD_TEST(lease, renewed_in_time_stays)
{
    struct store_shard *mine = NULL;
    struct store_shard *theirs = NULL;
    uint32_t count = 0;
    struct store_shard found[WORLD_SHARDS];
    bool kept[WORLD_SHARDS] = {false};
    int64_t before_us = 0;
    int64_t now_us = 0;
    struct store *other = world_handle(world);
    world_ok(world, store_now(world->store, &before_us, &world->note));
    world_ok(world, store_claim(world->store, STR("one"), 200000, WORLD_SHARDS, &world->arena, &mine, &count,
                                &world->note));
    world_ok(world,
             store_renew(world->store, STR("one"), 60000000, mine, 3, kept, found, &now_us, &world->note));
    cr_assert(kept[0] && kept[1] && kept[2]);
    cr_assert_geq(now_us, before_us);
    world_pass(world, 200000);
    world_ok(world, store_claim(other, STR("two"), 60000000, WORLD_SHARDS, &world->arena, &theirs, &count,
                                &world->note));
    cr_assert_eq(count, 1, "only the one that was not renewed");
    cr_assert_eq(theirs[0].shard, mine[3].shard);
    world_ok(world, store_renew(world->store, STR("one"), 60000000, mine, WORLD_SHARDS, kept, found, &now_us,
                                &world->note));
    cr_assert(kept[0] && kept[1] && kept[2] && !kept[3]);
    store_close(other);
}

WORLD_TEST(lease, of_another_epoch_is_not_released)
{
    struct store_shard *shards = NULL;
    uint32_t count = 0;
    struct store_shard old = world->marks[0];
    struct store *other = world_handle(world);
    old.epoch--;
    world_ok(world, store_release(world->store, &old, 1, &world->note));
    world_ok(world, store_claim(other, STR("two"), 60000000, WORLD_SHARDS, &world->arena, &shards, &count,
                                &world->note));
    cr_assert_eq(count, 0);
    store_close(other);
}

WORLD_TEST(marks, tell_what_must_be_sent_again)
{
    struct store_record *records = NULL;
    uint32_t count = 0;
    int64_t first = world->marks[1].last_lsn + 1;
    for (int i = 0; i < 5; i++)
        world_start(world, 1, "");
    world_start(world, 2, "");
    world->marks[1].published_lsn = first + 1;
    world_ok(world, world_commit(world));
    world_ok(world, store_unpublished(world->store, 1, first + 1, 100, &world->arena, &records, &count,
                                      &world->note));
    cr_assert_eq(count, 3);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(records[i].lsn, first + 2 + i);
        cr_assert_eq(records[i].shard, 1);
    }
    world_ok(world, store_unpublished(world->store, 1, 0, 2, &world->arena, &records, &count, &world->note));
    cr_assert_eq(count, 2);
    cr_assert_eq(records[0].lsn, first);
    world_ok(world, store_unpublished(world->store, 3, 0, 2, &world->arena, &records, &count, &world->note));
    cr_assert_eq(count, 0);
}

WORLD_TEST(marks, never_go_back)
{
    struct store_shard *shards = NULL;
    uint32_t count = 0;
    world->marks[0].published_lsn = 9;
    world_ok(world, world_commit(world));
    world->marks[0].published_lsn = 4;
    world_ok(world, world_commit(world));
    world_ok(world, store_claim(world->store, STR("one"), 60000000, WORLD_SHARDS, &world->arena, &shards,
                                &count, &world->note));
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(shards[i].published_lsn, shards[i].shard == 0 ? 9 : 0);
}

WORLD_TEST(definition, is_written_once)
{
    struct store_definition *rows = NULL;
    uint32_t count = 0;
    struct store_definition row = {.name = STR("order"),
                                   .version = 2,
                                   .hash = STR("h2"),
                                   .bundle = STR("saga: order\n"),
                                   .enabled = true,
                                   .created_us = 1700000000000000};
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    row.version = 1;
    row.hash = STR("h1");
    row.enabled = false;
    row.created_us = 0;
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    row.hash = STR("other");
    cr_assert_eq(store_definition_put(world->store, &row, &world->note), ERR_CONFLICT);
    world_ok(world, store_definitions(world->store, STR(""), &world->arena, &rows, &count, &world->note));
    cr_assert_eq(count, 2);
    cr_assert_eq(rows[0].version, 1);
    world_str(rows[0].hash, "h1");
    cr_assert(!rows[0].enabled);
    cr_assert_gt(rows[0].created_us, 0, "a time left out is the database's");
    cr_assert_eq(rows[1].version, 2);
    cr_assert_eq(rows[1].created_us, 1700000000000000);
    cr_assert_eq(rows[1].bundle.size, 0, "the list has no texts");
    cr_assert(rows[1].enabled);
    struct store_definition got;
    world_ok(world, store_definition_get(world->store, row.name, 2, &world->arena, &got, &world->note));
    world_str(got.bundle, "saga: order\n");
    world_str(got.hash, "h2");
    cr_assert_eq(store_definition_get(world->store, row.name, 9, &world->arena, &got, &world->note),
                 ERR_NOT_FOUND);
    world_ok(world,
             store_definitions(world->store, STR("refund"), &world->arena, &rows, &count, &world->note));
    cr_assert_eq(count, 0);
}

static enum err delete_version(struct world *world, int32_t version)
{
    return store_definition_delete(world->store, STR("order"), version, &world->note);
}

WORLD_TEST(definition, is_deleted_when_nothing_needs_it)
{
    struct store_definition *rows = NULL;
    uint32_t count = 0;
    struct store_definition row = {.name = STR("order"),
                                   .version = 7,
                                   .hash = STR("h7"),
                                   .bundle = STR("saga: order\n"),
                                   .created_us = 1600000000000000};
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    struct store_saga *saga = world_start(world, 0, "");
    saga->version = 8;
    row.version = 8;
    row.hash = STR("h8");
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    world_ok(world, world_commit(world));
    row.version = 9;
    row.hash = STR("h9");
    row.enabled = true;
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    cr_assert_eq(delete_version(world, 6), ERR_NOT_FOUND);
    cr_assert_eq(delete_version(world, 8), ERR_CONFLICT);
    world_str(str_from(world->note.text), "order version 8 was used by sagas, which need it to be read");
    cr_assert_eq(delete_version(world, 9), ERR_CONFLICT);
    world_str(str_from(world->note.text), "order version 9 is enabled: disable it first");
    world_ok(world, store_definition_enable(world->store, row.name, 9, false, &world->note));
    cr_assert_eq(delete_version(world, 9), ERR_CONFLICT, "not every engine may know yet");
    world_ok(world, delete_version(world, 7));
    cr_assert_eq(delete_version(world, 7), ERR_NOT_FOUND);
    world_ok(world,
             store_definitions(world->store, STR("order"), &world->arena, &rows, &count, &world->note));
    cr_assert_eq(count, 2);
}

WORLD_TEST(definition, is_enabled_and_disabled)
{
    struct store_definition *rows = NULL;
    uint32_t count = 0;
    struct store_definition row = {.name = STR("order"),
                                   .version = 2,
                                   .hash = STR("h2"),
                                   .bundle = STR("saga: order\n"),
                                   .enabled = true};
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    row.version = 3;
    row.hash = STR("h3");
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    world_ok(world, store_definition_enable(world->store, row.name, 3, false, &world->note));
    world_ok(world, store_definition_put(world->store, &row, &world->note));
    world_ok(world, store_definitions(world->store, STR(""), &world->arena, &rows, &count, &world->note));
    cr_assert_eq(count, 2);
    cr_assert(rows[0].enabled);
    cr_assert(!rows[1].enabled, "storing it once more does not enable it again");
    world_ok(world, store_definition_enable(world->store, row.name, 3, true, &world->note));
    world_ok(world, store_definitions(world->store, STR(""), &world->arena, &rows, &count, &world->note));
    cr_assert(rows[1].enabled);
    cr_assert_eq(store_definition_enable(world->store, row.name, 4, true, &world->note), ERR_NOT_FOUND);
    world_str(str_from(world->note.text), "there is no definition order version 4");
}

WORLD_TEST(engine_key, is_the_same_whenever_it_is_asked_for)
{
    struct str first = {0}, second = {0};
    world_ok(world, store_engine_key(world->store, &world->arena, &first, &world->note));
    cr_assert_eq(first.size, STORE_KEY_BYTES);
    world_ok(world, store_reconnect(world->store, &world->note));
    world_ok(world, store_engine_key(world->store, &world->arena, &second, &world->note));
    cr_assert(str_equal(first, second));
}

WORLD_TEST(health, is_answered)
{
    uint32_t count = 0;
    int64_t now_us = 0;
    world_ok(world, store_probe(world->store, &world->note));
    world_ok(world, store_shard_count(world->store, &count, &world->note));
    cr_assert_eq(count, WORLD_SHARDS);
    world_ok(world, store_now(world->store, &now_us, &world->note));
    cr_assert_gt(now_us, INT64_C(900000000000000));
    world_ok(world, store_reconnect(world->store, &world->note));
}

WORLD_TEST(suspect, is_counted_by_hands_until_it_is_dealt_with)
{
    uint32_t hands = 0;
    world_ok(world, store_suspect(world->store, STR("m1"), STR("one epoch 1"), &hands, &world->note));
    cr_assert_eq(hands, 1);
    world_ok(world, store_suspect(world->store, STR("m1"), STR("one epoch 1"), &hands, &world->note));
    cr_assert_eq(hands, 1, "the same hand");
    world_ok(world, store_suspect(world->store, STR("m1"), STR("two epoch 2"), &hands, &world->note));
    cr_assert_eq(hands, 2);
    world_ok(world, store_suspect(world->store, STR("m2"), STR("two epoch 2"), &hands, &world->note));
    cr_assert_eq(hands, 1, "another message");
    world_ok(world, store_suspect_clear(world->store, STR("m1"), &world->note));
    world_ok(world, store_suspect(world->store, STR("m1"), STR("three epoch 3"), &hands, &world->note));
    cr_assert_eq(hands, 1);
    world_ok(world, store_suspect(world->store, STR("m2"), STR("three epoch 3"), &hands, &world->note));
    cr_assert_eq(hands, 2);
}
