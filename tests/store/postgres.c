/* What only PostgreSQL can show: the view for people, updates that touch no index, statements prepared again.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/store/world.h"

HARNESS_SHARED(HARNESS_POSTGRES)

static const char *query_saga(struct world *world, const char *format, struct id id)
{
    char text[ID_TEXT_SIZE + 1];
    char sql[512];
    id_format(id, text);
    snprintf(sql, sizeof sql, format, text);
    return harness_query(world->url, sql);
}

Test(view, shows_one_row_per_step)
{
    static struct world world;
    world_open(&world, WORLD_POSTGRES);
    struct store_saga row = *world_start(&world, 0, "");
    struct id id = row.id;
    world.records[0].data =
        STR("{\"event\":{},\"changes\":[{\"change\":\"open\",\"step\":\"charge\",\"node\":1,\"frame\":0},"
            "{\"change\":\"send\",\"step\":\"charge\",\"kind\":\"do\",\"attempt\":1,\"due\":5}]}");
    world_ok(&world, world_commit(&world));
    row = *world_go_on(
        &world, &row,
        "{\"event\":{},\"changes\":[{\"change\":\"fault\",\"step\":\"charge\",\"code\":\"BUSY\","
        "\"message\":\"try later\"},{\"change\":\"step\",\"step\":\"charge\",\"state\":\"waiting\"}]}");
    world_ok(&world, world_commit(&world));
    row = *world_go_on(&world, &row,
                       "{\"event\":{},\"changes\":[{\"change\":\"send\",\"step\":\"charge\",\"kind\":\"do\","
                       "\"attempt\":2,\"due\":9}]}");
    world_ok(&world, world_commit(&world));
    cr_assert_str_eq(
        query_saga(&world,
                   "select concat_ws(' ', step, state, attempts, undo_attempts, error_code, error_message, "
                   "opened_at < sent_at) from saga_step where saga_id = '%s'",
                   id),
        "charge sent 2 0 BUSY try later t");
    row = *world_go_on(
        &world, &row,
        "{\"event\":{},\"changes\":[{\"change\":\"step\",\"step\":\"charge\",\"state\":\"done\"},"
        "{\"change\":\"open\",\"step\":\"ship\",\"node\":2,\"frame\":0},"
        "{\"change\":\"send\",\"step\":\"charge\",\"kind\":\"undo\",\"attempt\":1,\"due\":9}]}");
    world_ok(&world, world_commit(&world));
    cr_assert_str_eq(
        query_saga(&world,
                   "select string_agg(step || ' ' || state || ' ' || undo_attempts, ', ' order by opened_at) "
                   "from saga_step where saga_id = '%s'",
                   id),
        "charge undoing 1, ship waiting 0");
    world_close(&world);
}

/* Blocks write changes that are no step's (frame, block, keep, take, move), and paths with an item's index.
 */
Test(view, shows_the_steps_of_blocks)
{
    static struct world world;
    world_open(&world, WORLD_POSTGRES);
    struct store_saga row = *world_start(&world, 0, "");
    struct id id = row.id;
    world.records[0].data =
        STR("{\"event\":{},\"changes\":[{\"change\":\"frame\",\"frame\":1,\"node\":1,\"parent\":0,"
            "\"index\":0,\"body\":[1,2]},"
            "{\"change\":\"open\",\"step\":\"book[0]\",\"node\":3,\"frame\":2},"
            "{\"change\":\"open\",\"step\":\"book[1]\",\"node\":3,\"frame\":3},"
            "{\"change\":\"open\",\"step\":\"signed\",\"node\":4,\"frame\":0},"
            "{\"change\":\"step\",\"step\":\"signed\",\"state\":\"awaiting\",\"due\":9},"
            "{\"change\":\"open\",\"step\":\"cooling\",\"node\":5,\"frame\":0},"
            "{\"change\":\"step\",\"step\":\"cooling\",\"state\":\"sleeping\",\"due\":9},"
            "{\"change\":\"send\",\"step\":\"book[1]\",\"kind\":\"do\",\"attempt\":1,\"due\":5}]}");
    world_ok(&world, world_commit(&world));
    static const char all[] = "select string_agg(step || ' ' || state, ', ' order by step) from saga_step "
                              "where saga_id = '%s'";
    cr_assert_str_eq(query_saga(&world, all, id),
                     "book[0] waiting, book[1] sent, cooling sleeping, signed awaiting");
    row = *world_go_on(
        &world, &row,
        "{\"event\":{},\"changes\":[{\"change\":\"keep\"},"
        "{\"change\":\"take\",\"step\":\"signed\",\"index\":0},"
        "{\"change\":\"step\",\"step\":\"signed\",\"state\":\"done\"},"
        "{\"change\":\"move\",\"step\":\"cooling\",\"due\":7},"
        "{\"change\":\"block\",\"frame\":1,\"state\":\"failed\",\"step\":\"book[1]\",\"code\":\"FULL\","
        "\"message\":\"no room\"}]}");
    world_ok(&world, world_commit(&world));
    cr_assert_str_eq(query_saga(&world, all, id),
                     "book[0] waiting, book[1] sent, cooling sleeping, signed done");
    cr_assert_str_eq(query_saga(&world,
                                "select concat_ws(' ', attempts, coalesce(error_code, '-'), sent_at is null) "
                                "from saga_step where saga_id = '%s' and step = 'book[1]'",
                                id),
                     "1 - f", "what a block fails of is said by the step itself");
    world_close(&world);
}

Test(table, transitions_touch_no_index)
{
    static struct world world;
    world_open(&world, WORLD_POSTGRES);
    /* Room for all versions of a row on its page: whether the server prunes old ones in time depends on who
     * else looks. */
    (void)harness_query(world.url, "alter table saga set (fillfactor = 10)");
    for (int i = 0; i < 100; i++)
        world_start(&world, 0, "");
    static struct store_saga rows[100];
    memcpy(rows, world.sagas, sizeof rows);
    world_ok(&world, world_commit(&world));
    for (int turn = 0; turn < 5; turn++) {
        for (int i = 0; i < 100; i++)
            rows[i] = *world_go_on(&world, &rows[i], "{}");
        world_ok(&world, world_commit(&world));
    }
    store_close(world.store); /* the server's counters are complete when the session has ended */
    world.store = world_handle(&world);
    const char *all_hot =
        harness_query(world.url, "select n_tup_upd = 500 and n_tup_hot_upd = 500 from pg_stat_user_tables "
                                 "where relname = 'saga'");
    cr_assert_str_eq(all_hot, "t", "%s",
                     harness_query(world.url, "select n_tup_upd || ' updates, hot ' || n_tup_hot_upd from "
                                              "pg_stat_user_tables where relname = 'saga'"));
    world_close(&world);
}

Test(session, whose_backend_ended_is_used_again_after_reconnect)
{
    static struct world world;
    int64_t now_us = 0;
    world_open(&world, WORLD_POSTGRES);
    struct store *other = world_handle(&world);
    for (int i = 0; i < 3; i++) {
        (void)harness_query(world.url,
                            "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where "
                            "datname = current_database() and pid <> pg_backend_pid()");
        cr_assert_eq(store_now(world.store, &now_us, &world.note), ERR_UNAVAILABLE);
        cr_assert_eq(store_now(world.store, &now_us, &world.note), ERR_UNAVAILABLE, "broken until reconnect");
        world_ok(&world, store_reconnect(world.store, &world.note));
        world_ok(&world, store_now(world.store, &now_us, &world.note));
        world_start(&world, 0, "");
        world_ok(&world, world_commit(&world));
    }
    store_close(other);
    world_close(&world);
}

Test(session, never_acknowledges_what_is_not_durable)
{
    static struct world world;
    world_open(&world, WORLD_POSTGRES);
    (void)harness_query(world.url,
                        "do $$ begin execute format('alter database %I set synchronous_commit = off', "
                        "current_database()); end $$");
    store_close(world.store);
    world.store = world_handle(&world);
    cr_assert_str_eq(harness_query(world.url, "show synchronous_commit"), "off");
    /* The setting of the store's session, noted by a trigger that it fires. */
    (void)harness_query(
        world.url,
        "create table seen (setting text); create function note_setting() returns trigger language "
        "plpgsql as $f$ begin insert into seen values (current_setting('synchronous_commit')); "
        "return new; end $f$; create trigger note_setting before update on probe for each row "
        "execute function note_setting()");
    world_ok(&world, store_probe(world.store, &world.note));
    cr_assert_str_eq(harness_query(world.url, "select setting from seen"), "on");
    world_close(&world);
}
