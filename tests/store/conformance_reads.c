/* What both stores do alike when they are read: loading, keys, lists, dead letters, doctor. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/store/world.h"

WORLD_TEST(load, of_several_orders_by_id_and_leaves_out_the_unknown)
{
    struct store_saga *sagas = NULL;
    struct store_record *records = NULL;
    uint32_t saga_count = 0;
    uint32_t record_count = 0;
    struct store_saga first = *world_start(world, 0, "");
    struct store_saga second = *world_start(world, 1, "");
    world_start(world, 1, "");
    world_ok(world, world_commit(world));
    world_go_on(world, &first, "{}");
    world_ok(world, world_commit(world));
    struct id ids[] = {second.id, id_make(1, 0, &world->rng), first.id};
    world_ok(world, store_load_many(world->store, ids, 3, &world->arena, &sagas, &saga_count, &records,
                                    &record_count, &world->note));
    cr_assert_eq(saga_count, 2);
    cr_assert(id_equal(sagas[0].id, first.id) && id_equal(sagas[1].id, second.id));
    cr_assert_eq(record_count, 3);
    cr_assert(id_equal(records[0].id, first.id) && id_equal(records[1].id, first.id));
    cr_assert(id_equal(records[2].id, second.id));
    cr_assert_eq(records[1].seq, 2);
}

WORLD_TEST(load, of_an_unknown_saga_says_so)
{
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    enum err error = store_load(world->store, id_make(1, 0, &world->rng), &world->arena, &saga, &records,
                                &count, &world->note);
    cr_assert_eq(error, ERR_NOT_FOUND, "%s", world_why(world, error));
}

WORLD_TEST(load, of_open_sagas_leaves_out_ended_ones_and_other_shards)
{
    struct store_open_saga *open = NULL;
    uint32_t count = 0;
    struct store_saga *row = world_start(world, 2, "");
    struct id id = row->id;
    int64_t wake_us = row->wake_us;
    world_start(world, 2, "")->ended_us = world->now_us;
    world_start(world, 1, "");
    world_ok(world, world_commit(world));
    world_ok(world, store_open_sagas(world->store, 2, &world->arena, &open, &count, &world->note));
    cr_assert_eq(count, 1);
    cr_assert(id_equal(open[0].id, id));
    cr_assert_eq(open[0].wake_us, wake_us);
}

WORLD_TEST(keys, find_their_sagas_with_what_they_were_started_with)
{
    struct store_keyed *found = NULL;
    uint32_t count = 0;
    struct id id = world_start(world, 0, "a")->id;
    world_start(world, 0, "b");
    world_ok(world, world_commit(world));
    struct str definitions[] = {STR("order"), STR("refund"), STR("order")};
    struct str keys[] = {STR("a"), STR("a"), STR("c")};
    world_ok(world, store_find_keys(world->store, definitions, keys, 3, &world->arena, &found, &count,
                                    &world->note));
    cr_assert_eq(count, 1);
    cr_assert(id_equal(found[0].id, id));
    world_str(found[0].definition, "order");
    world_str(found[0].key, "a");
    world_str(found[0].status, "running");
    world_str(found[0].start_data, "{\"event\":{\"input\":{\"total\":19.90}},\"changes\":[]}");
}

static const char *const statuses[] = {"running",     "completed",  "parked",
                                       "compensated", "terminated", "compensating"};

/* Thirty sagas: statuses in turn, two definitions, and attributes. */
static void fill(struct world *world)
{
    for (uint32_t i = 0; i < 30; i++) {
        struct str key = arena_printf(&world->arena, "key-%u", i);
        struct store_saga *row = world_start(world, i % WORLD_SHARDS, key.data);
        row->status = str_from(statuses[i % 6]);
        row->ended_us = i % 6 == 1 || i % 6 == 3 || i % 6 == 4 ? world->now_us : 0;
        row->definition = i % 5 == 0 ? STR("refund") : STR("order");
        row->search = arena_printf(
            &world->arena, "{\"customer\":\"c%u\",\"total\":%u.50,\"vip\":%s,\"name\":\"\\\"q\\\" \\u00e9\"}",
            i % 3, i % 4, i % 2 ? "true" : "false");
    }
    world_ok(world, world_commit(world));
}

static uint32_t listed(struct world *world, struct store_filter filter, struct store_saga **sagas)
{
    uint32_t count = 0;
    filter.limit = filter.limit ? filter.limit : 100;
    world_ok(world, store_list(world->store, &filter, &world->arena, sagas, &count, &world->note));
    for (uint32_t i = 1; i < count; i++)
        cr_assert_lt(id_compare((*sagas)[i].id, (*sagas)[i - 1].id), 0, "newest first");
    return count;
}

WORLD_TEST(list, filters_by_every_field)
{
    struct store_saga *sagas = NULL;
    fill(world);
    cr_assert_eq(listed(world, (struct store_filter){0}, &sagas), 30);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(listed(world, (struct store_filter){.status = str_from(statuses[i])}, &sagas), 5);
    cr_assert_eq(listed(world, (struct store_filter){.definition = STR("refund")}, &sagas), 6);
    cr_assert_eq(listed(world, (struct store_filter){.key = STR("key-7")}, &sagas), 1);
    world_str(sagas[0].key, "key-7");
    cr_assert_eq(
        listed(world, (struct store_filter){.key = STR("key-7"), .definition = STR("refund")}, &sagas), 0);
    cr_assert_eq(listed(world, (struct store_filter){.since_us = world->now_us - 9000}, &sagas), 10);
    cr_assert_eq(
        listed(world, (struct store_filter){.status = STR("running"), .definition = STR("refund")}, &sagas),
        1);
}

static uint32_t found_by(struct world *world, const char *name, const char *value)
{
    struct store_saga *sagas = NULL;
    struct str names[] = {str_from(name)};
    struct str values[] = {str_from(value)};
    return listed(world,
                  (struct store_filter){.search_names = names, .search_values = values, .search_count = 1},
                  &sagas);
}

WORLD_TEST(list, filters_by_attributes_as_texts)
{
    struct store_saga *sagas = NULL;
    struct str names[] = {STR("customer"), STR("vip")};
    struct str values[] = {STR("c1"), STR("true")};
    fill(world);
    cr_assert_eq(found_by(world, "customer", "c1"), 10);
    cr_assert_eq(found_by(world, "total", "2.50"), 7);
    cr_assert_eq(found_by(world, "total", "2.5"), 7, "numbers by value");
    cr_assert_eq(found_by(world, "total", "x"), 0);
    cr_assert_eq(found_by(world, "vip", "false"), 15);
    cr_assert_eq(found_by(world, "name", "\"q\" \xc3\xa9"), 30);
    cr_assert_eq(found_by(world, "a\"b", "1) || (1 == 1"), 0, "no way out of the quotes");
    cr_assert_eq(found_by(world, "absent", "null"), 0);
    cr_assert_eq(
        listed(world,
               (struct store_filter){.search_names = names, .search_values = values, .search_count = 2},
               &sagas),
        5);
}

WORLD_TEST(list, walks_by_cursor_without_gap_or_double)
{
    struct store_saga *sagas = NULL;
    struct store_filter filter = {.limit = 7};
    uint32_t total = 0;
    fill(world);
    for (;;) {
        uint32_t count = listed(world, filter, &sagas);
        total += count;
        if (count == 0)
            break;
        cr_assert(!filter.has_cursor || id_compare(sagas[0].id, filter.cursor) < 0);
        filter.has_cursor = true;
        filter.cursor = sagas[count - 1].id;
    }
    cr_assert_eq(total, 30);
}

WORLD_TEST(list, of_child_sagas_is_by_their_parent)
{
    struct store_saga *sagas = NULL, loaded;
    struct store_record *records = NULL;
    uint32_t count = 0;
    struct id parent = world_start(world, 0, "")->id;
    struct id other = world_start(world, 1, "")->id;
    for (uint32_t i = 0; i < 5; i++) {
        struct store_saga *child = world_start(world, i % WORLD_SHARDS, "");
        child->has_parent = true;
        child->parent = i < 3 ? parent : other;
        child->definition = i == 0 ? STR("refund") : STR("order");
    }
    struct store_saga first = world->sagas[2];
    world_ok(world, world_commit(world));
    struct store_filter filter = {.has_parent = true, .parent = parent};
    cr_assert_eq(listed(world, filter, &sagas), 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert(sagas[i].has_parent && id_equal(sagas[i].parent, parent));
    filter.definition = STR("order");
    cr_assert_eq(listed(world, filter, &sagas), 2);
    cr_assert_eq(listed(world, (struct store_filter){.has_parent = true, .parent = first.id}, &sagas), 0);
    cr_assert_eq(listed(world, (struct store_filter){0}, &sagas), 7);
    cr_assert(!sagas[6].has_parent);
    world_go_on(world, &first, "{}")->has_parent = false;
    world_ok(world, world_commit(world));
    world_ok(world,
             store_load(world->store, first.id, &world->arena, &loaded, &records, &count, &world->note));
    cr_assert(loaded.has_parent && id_equal(loaded.parent, parent), "the first batch says it for good");
}

WORLD_TEST(list, of_dead_letters_has_one_of_each_message)
{
    struct store_dead_letter *letters = NULL;
    uint32_t count = 0;
    world_dead(world, "first")->message = STR("SAGA_REPLY/7/1700");
    world_dead(world, "came twice into one batch")->message = STR("SAGA_REPLY/7/1700");
    world_dead(world, "the next message")->message = STR("SAGA_REPLY/8/1700");
    world_dead(world, "nobody can tell");
    world_dead(world, "nobody can tell");
    world_ok(world, world_commit(world));
    world_dead(world, "came again after a crash")->message = STR("SAGA_REPLY/7/1700");
    world_dead(world, "of a stream made anew")->message = STR("SAGA_REPLY/7/1800");
    struct store_saga row = *world_start(world, 0, "");
    world_ok(world, world_commit(world));
    world_ok(world, store_dead_letters(world->store, STR(""), 0, 100, &world->arena, &letters, &count,
                                       &world->note));
    cr_assert_eq(count, 5);
    world_str(letters[0].reason, "of a stream made anew");
    world_str(letters[0].message, "SAGA_REPLY/7/1800");
    world_str(letters[1].reason, "nobody can tell");
    world_str(letters[1].message, "");
    world_str(letters[3].reason, "the next message");
    world_str(letters[4].reason, "first");
    struct store_record *records = NULL;
    world_ok(world, store_load(world->store, row.id, &world->arena, &row, &records, &count, &world->note));
}

WORLD_TEST(list, of_dead_letters_is_newest_first)
{
    struct store_dead_letter *letters = NULL;
    uint32_t count = 0;
    for (int i = 0; i < 5; i++)
        world_dead(world, i == 4 ? "newest" : "older")->shard = 3;
    world_ok(world, world_commit(world));
    world_ok(world,
             store_dead_letters(world->store, STR(""), 0, 2, &world->arena, &letters, &count, &world->note));
    cr_assert_eq(count, 2);
    world_str(letters[0].reason, "newest");
    cr_assert_eq(letters[0].shard, 3);
    cr_assert_gt(letters[0].number, letters[1].number);
    world_ok(world, store_dead_letters(world->store, STR(""), letters[1].number, 100, &world->arena, &letters,
                                       &count, &world->note));
    cr_assert_eq(count, 3);
}

WORLD_TEST(doctor, finds_who_waits_for_nothing)
{
    struct store_stuck *stuck = NULL;
    uint32_t count = 0;
    const int64_t far_us = 4000000000000000;
    world_start(world, 0, "")->wake_us = far_us;
    world_start(world, 0, "")->wake_us = 0;
    struct id forgotten = world->sagas[1].id;
    world_start(world, 0, "")->wake_us = 0;
    world->sagas[2].ended_us = world->now_us;
    world_start(world, 0, "")->wake_us = 0;
    world->sagas[3].paused = true;
    world_start(world, 0, "")->wake_us = 0;
    world->sagas[4].status = STR("parked");
    world->sagas[4].reason_code = STR("UNDO_FAILED");
    world_start(world, 0, "")->wake_us = 0;
    world->sagas[5].status = STR("parked");
    struct id nameless = world->sagas[5].id;
    world_ok(world, world_commit(world));
    world_ok(world, store_doctor(world->store, &world->arena, &stuck, &count, &world->note));
    cr_assert_eq(count, 2);
    cr_assert(id_equal(stuck[0].id, forgotten));
    world_str(stuck[0].status, "running");
    world_str(stuck[0].problem, "not ended, and neither a timer, a command nor a human will move it");
    cr_assert(id_equal(stuck[1].id, nameless));
    world_str(stuck[1].problem, "parked without a reason");
    world_ok(world, store_release(world->store, world->marks, WORLD_SHARDS, &world->note));
    world_ok(world, store_doctor(world->store, &world->arena, &stuck, &count, &world->note));
    cr_assert_eq(count, 3);
    world_str(stuck[0].problem, "no engine owns its shard: its timer will not fire");
}

WORLD_TEST(doctor, finds_timers_nobody_acts_on_and_journals_with_a_gap)
{
    struct store_stuck *stuck = NULL;
    uint32_t count = 0;
    int64_t now_us = 0;
    world_ok(world, store_now(world->store, &now_us, &world->note));
    world_start(world, 0, "")->wake_us = now_us - 400000000;
    world_start(world, 0, "")->wake_us = now_us - 100000000; /* late, but not for long */
    struct store_saga gap = *world_start(world, 2, "");
    world_ok(world, world_commit(world));
    world_go_on(world, &gap, "{}");
    world->sagas[0].wake_us = now_us + 1000000000;
    world->sagas[0].seq = 5; /* as after a failover, with fences that only ask for older */
    world->records[0].seq = 5;
    world_ok(world, world_commit(world));
    world_ok(world, store_doctor(world->store, &world->arena, &stuck, &count, &world->note));
    cr_assert_eq(count, 2);
    cr_assert(str_starts(stuck[0].problem, STR("its timer is overdue")));
    cr_assert(id_equal(stuck[1].id, gap.id));
    cr_assert(str_starts(stuck[1].problem, STR("its journal cannot be read")));
}

WORLD_TEST(glance, tells_how_far_sagas_are)
{
    struct store_glance *found = NULL;
    uint32_t count = 0;
    struct store_saga one = *world_start(world, 0, "");
    struct store_saga two = *world_start(world, 1, "");
    world_ok(world, world_commit(world));
    struct store_saga *next = world_go_on(world, &two, "{}");
    next->status = STR("completed");
    next->ended_us = world->now_us;
    world_ok(world, world_commit(world));
    struct id ids[] = {one.id, two.id, id_make(1, 0, &world->rng), two.id};
    world_ok(world, store_glance(world->store, ids, 4, &world->arena, &found, &count, &world->note));
    cr_assert_eq(count, 2);
    for (uint32_t i = 0; i < count; i++) {
        bool second = id_equal(found[i].id, two.id);
        cr_assert(second || id_equal(found[i].id, one.id));
        cr_assert_eq(found[i].seq, second ? 2 : 1);
        cr_assert_eq(found[i].ended, second);
        world_str(found[i].status, second ? "completed" : "running");
    }
    world_ok(world, store_glance(world->store, ids, 0, &world->arena, &found, &count, &world->note));
    cr_assert_eq(count, 0);
}
