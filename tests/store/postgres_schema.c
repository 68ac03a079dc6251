/* Migrations: once, together, and never over a database that is not ours. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/store/pq_query.h"
#include "engine/store/pq_schema.h"
#include "tests/store/world.h"

#define OLD_SAGA "018bcfe5-6800-7000-8000-000000000000"

struct migrator {
    pthread_t thread;
    const char *url;
    uint32_t applied;
    enum err error;
    struct err_note note;
};

static void *migrate(void *context)
{
    struct migrator *migrator = context;
    migrator->error = postgres_migrate(migrator->url, 8, &migrator->applied, &migrator->note);
    return NULL;
}

static enum err try_open(const char *url, struct err_note *note)
{
    struct store *store = NULL;
    enum err error = postgres_open(url, &store, note);
    store_close(store);
    return error;
}

Test(schema, is_made_once)
{
    char url[SERVERS_URL_SIZE];
    uint32_t applied = 0;
    struct err_note note;
    harness_database(url);
    cr_assert_eq(postgres_migrate(url, 8, &applied, &note), ERR_OK, "%s", note.text);
    cr_assert_gt(applied, 0);
    cr_assert_eq(postgres_migrate(url, 64, &applied, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(applied, 0);
    cr_assert_str_eq(harness_query(url, "select count(*) from shard"), "8", "the number of shards is fixed");
    cr_assert_eq(try_open(url, &note), ERR_OK, "%s", note.text);
}

Test(schema, has_a_key_of_its_own_for_its_engines)
{
    char urls[2][SERVERS_URL_SIZE], keys[2][128];
    uint32_t applied = 0;
    struct err_note note;
    struct arena arena;
    struct store *store = NULL;
    struct str key = {0};
    for (int i = 0; i < 2; i++) {
        harness_database(urls[i]);
        cr_assert_eq(postgres_migrate(urls[i], 8, &applied, &note), ERR_OK, "%s", note.text);
        snprintf(keys[i], sizeof keys[i], "%s", harness_query(urls[i], "select key from engine_key"));
        cr_assert_eq(postgres_migrate(urls[i], 8, &applied, &note), ERR_OK, "%s", note.text);
        cr_assert_str_eq(harness_query(urls[i], "select key from engine_key"), keys[i], "it stays");
    }
    cr_assert_str_neq(keys[0], keys[1]);
    cr_assert_str_eq(harness_query(urls[0], "select has_table_privilege('public', 'engine_key', 'select')"),
                     "f");
    (void)harness_query(urls[0], "delete from engine_key");
    arena_init(&arena, 0);
    cr_assert_eq(postgres_open(urls[0], &store, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(store_engine_key(store, &arena, &key, &note), ERR_NOT_FOUND);
    cr_assert(strstr(note.text, "engine_key is empty") != NULL, "%s", note.text);
    store_close(store);
    arena_fini(&arena);
}

Test(schema, made_by_several_at_once_is_made_once)
{
    char url[SERVERS_URL_SIZE];
    struct migrator migrators[4];
    uint32_t known = 0;
    uint32_t total = 0;
    harness_database(url);
    for (int i = 0; i < 4; i++) {
        migrators[i] = (struct migrator){.url = url};
        cr_assert_eq(pthread_create(&migrators[i].thread, NULL, migrate, &migrators[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(migrators[i].thread, NULL);
        cr_assert_eq(migrators[i].error, ERR_OK, "%s", migrators[i].note.text);
        total += migrators[i].applied;
    }
    known = (uint32_t)strtoul(harness_query(url, "select count(*) from migration"), NULL, 10);
    cr_assert_eq(total, known);
    cr_assert_str_eq(harness_query(url, "select count(*) from shard"), "8");
}

/* What a program with the first migration alone has left behind: its shards, a saga under way, a dead letter.
 */
static void make_first(const char *url)
{
    uint32_t count = 0;
    const struct pq_query_migration *first = pq_query_migrations(&count);
    char checksum[PQ_SCHEMA_CHECKSUM_SIZE];
    char sql[2048];
    cr_assert_gt(count, 1);
    pq_schema_checksum(first, checksum);
    (void)harness_query(url, first->sql);
    snprintf(sql, sizeof sql,
             "create table migration (number integer not null primary key, name text not null, checksum text "
             "not null, applied_at timestamptz not null default clock_timestamp());"
             "insert into migration (number, name, checksum) values (%d, '%s', '%s');"
             "insert into shard (id) select generate_series(0, 3);"
             "insert into saga (id, shard, version, seq, started_at, updated_at, paused, definition, hash, "
             "status, waiting, reason_code, key, search) values ('" OLD_SAGA "', 0, 3, 1, now(), now(), "
             "false, 'order', 'abc', 'running', 'waiting', '', 'order-17', '{}');"
             "insert into saga_journal (saga_id, seq, at, lsn, shard, attempt, kind, data) values "
             "('" OLD_SAGA "', 1, now(), 1, 0, 0, 'start', '{\"event\":{},\"changes\":[]}');"
             "insert into dead_letter (at, shard, reason, subject, saga, command, headers, body) values "
             "(now(), 0, 'old', 'saga.reply.0.x', '', '', '{}', '');"
             "update shard set last_lsn = 1 where id = 0",
             first->number, first->name, checksum);
    (void)harness_query(url, sql);
}

Test(schema, with_data_is_brought_up_to_date)
{
    static struct world world;
    struct store_saga saga, *sagas = NULL;
    struct store_record *records = NULL;
    struct store_dead_letter *letters = NULL;
    uint32_t count = 0;
    char url[SERVERS_URL_SIZE];
    harness_database(url);
    make_first(url);
    cr_assert_eq(try_open(url, &world.note), ERR_SCHEMA);
    cr_assert_not_null(strstr(world.note.text, "sagad migrate"), "%s", world.note.text);
    world_open_at(&world, url);
    struct id id;
    cr_assert(id_parse(STR(OLD_SAGA), &id));
    world_ok(&world, store_load(world.store, id, &world.arena, &saga, &records, &count, &world.note));
    cr_assert(!saga.has_parent && saga.seq == 1 && count == 1);
    world_go_on(&world, &saga, "{}");
    world_dead(&world, "new")->message = STR("SAGA_REPLY/7/1700");
    struct store_saga *child = world_start(&world, 1, "");
    child->has_parent = true;
    child->parent = id;
    world_ok(&world, world_commit(&world));
    struct store_filter filter = {.has_parent = true, .parent = id, .limit = 10};
    world_ok(&world, store_list(world.store, &filter, &world.arena, &sagas, &count, &world.note));
    cr_assert_eq(count, 1);
    world_ok(&world,
             store_dead_letters(world.store, STR(""), 0, 10, &world.arena, &letters, &count, &world.note));
    cr_assert_eq(count, 2);
    world_str(letters[1].reason, "old");
    world_str(letters[1].message, "");
    cr_assert_str_eq(harness_query(url, "select count(*) from pg_proc where proname = 'saga_append'"), "1");
    world_close(&world);
}

Test(schema, missing_is_told_with_its_cure)
{
    char url[SERVERS_URL_SIZE];
    struct err_note note;
    harness_database(url);
    cr_assert_eq(try_open(url, &note), ERR_SCHEMA);
    cr_assert_not_null(strstr(note.text, "sagad migrate"), "%s", note.text);
}

Test(schema, newer_than_the_program_is_refused)
{
    char url[SERVERS_URL_SIZE];
    uint32_t applied = 0;
    struct err_note note;
    harness_database(url);
    cr_assert_eq(postgres_migrate(url, 8, &applied, &note), ERR_OK, "%s", note.text);
    (void)harness_query(url,
                        "insert into migration (number, name, checksum) values (9999, '9999_future', 'x')");
    cr_assert_eq(try_open(url, &note), ERR_SCHEMA);
    cr_assert_not_null(strstr(note.text, "newer"), "%s", note.text);
    cr_assert_not_null(strstr(note.text, "9999_future"), "%s", note.text);
    cr_assert_eq(postgres_migrate(url, 8, &applied, &note), ERR_SCHEMA);
    cr_assert_not_null(strstr(note.text, "newer"), "%s", note.text);
}

Test(schema, of_another_history_is_refused)
{
    char url[SERVERS_URL_SIZE];
    uint32_t applied = 0;
    struct err_note note;
    harness_database(url);
    cr_assert_eq(postgres_migrate(url, 8, &applied, &note), ERR_OK, "%s", note.text);
    (void)harness_query(url, "update migration set checksum = 'another' where number = 1");
    cr_assert_eq(try_open(url, &note), ERR_SCHEMA);
    cr_assert_eq(postgres_migrate(url, 8, &applied, &note), ERR_SCHEMA);
    cr_assert_not_null(strstr(note.text, "another migration 1"), "%s", note.text);
}

Test(schema, that_cannot_be_made_leaves_nothing)
{
    char url[SERVERS_URL_SIZE];
    uint32_t applied = 0;
    struct err_note note;
    harness_database(url);
    (void)harness_query(url, "create table dead_letter (x integer)");
    cr_assert_neq(postgres_migrate(url, 8, &applied, &note), ERR_OK);
    cr_assert_not_null(strstr(note.text, "dead_letter"), "%s", note.text);
    cr_assert_eq(applied, 0);
    cr_assert_str_eq(
        harness_query(url, "select count(*) from pg_class where relname in ('saga', 'migration')"), "0");
}

Test(schema, is_not_asked_for_where_nobody_answers)
{
    uint32_t applied = 0;
    struct err_note note;
    cr_assert_eq(try_open("host=127.0.0.1 port=1 user=nobody", &note), ERR_UNAVAILABLE);
    cr_assert_eq(postgres_migrate("host=127.0.0.1 port=1 user=nobody", 8, &applied, &note), ERR_UNAVAILABLE);
    cr_assert_eq(try_open("no conninfo", &note), ERR_UNAVAILABLE);
    cr_assert_gt(strlen(note.text), 0);
}
