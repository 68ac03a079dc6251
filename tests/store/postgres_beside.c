/* A new version's migration beside running engines: the program before it goes on, one that it does not serve
 * gives its shards up, and nobody waits for a migration that waits for a table. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "engine/store/pq_query.h"
#include "engine/store/pq_schema.h"
#include "tests/store/world.h"

#define SAGA "018bcfe5-6800-7000-8000-000000000000"

static uint32_t known(void)
{
    uint32_t count = 0;
    pq_query_migrations(&count);
    return count;
}

/* A later program's migration, as its migrating writes it down. */
static void note_later(const char *url, uint32_t ahead, const char *serves)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "insert into migration (number, name, checksum, serves) values (%u, '%04u_later', 'x', %s)",
             known() + ahead, known() + ahead, serves);
    (void)harness_query(url, sql);
}

static enum err renew(struct world *world)
{
    bool kept[WORLD_SHARDS];
    struct store_shard found[WORLD_SHARDS];
    int64_t now_us = 0;
    return store_renew(world->store, STR("one"), 60000000, world->marks, WORLD_SHARDS, kept, found, &now_us,
                       &world->note);
}

static const char *owned(const struct world *world)
{
    return harness_query(world->url, "select count(*) from shard where owner is not null");
}

static void each_statement(const char *text, void (*use)(PGconn *conn, const char *name, const char *sql),
                           PGconn *conn)
{
    static const char marker[] = "-- name: ";
    char name[64], sql[4096];
    int count = 0;
    for (const char *block = strstr(text, marker); block != NULL; count++) {
        const char *body = strchr(block, '\n');
        const char *next = strstr(body, marker);
        size_t size = next != NULL ? (size_t)(next - body) : strlen(body);
        cr_assert_lt(size, sizeof sql);
        snprintf(sql, sizeof sql, "%.*s", (int)size, body);
        snprintf(name, sizeof name, "%.*s", (int)(body - block - (ptrdiff_t)sizeof marker + 1),
                 block + sizeof marker - 1);
        use(conn, name, sql);
        block = next;
    }
    cr_assert_gt(count, 20, "the file was read");
}

static void prepare(PGconn *conn, const char *name, const char *sql)
{
    PGresult *result = PQprepare(conn, name, sql, 0, NULL);
    cr_expect_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s: %s", name, PQresultErrorMessage(result));
    PQclear(result);
}

Test(beside, each_statement_of_the_program_before_is_understood)
{
    static struct world world;
    static char text[65536];
    world_open(&world, WORLD_POSTGRES);
    FILE *file = fopen(SAGA_SOURCE_DIR "/tests/store/before.sql", "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    PGconn *conn = PQconnectdb(world.url);
    each_statement(text, prepare, conn);
    PQfinish(conn);
    world_close(&world);
}

Test(beside, a_batch_of_the_program_before_is_stored_and_read_by_this_one)
{
    static struct world world;
    struct store_saga saga;
    struct store_record *records = NULL;
    struct id id;
    uint32_t count = 0;
    world_open(&world, WORLD_POSTGRES);
    (void)harness_query(
        world.url,
        "select saga_append('{0}', '{1}', '{5}', '{0}', '{" SAGA "}', '{0}', '{3}', '{1}', '{2026-01-01}', "
        "'{2026-01-01}', '{null}', '{null}', '{f}', '{order}', '{abc}', '{running}', '{waiting}', '{\"\"}', "
        "'{key-7}', array['{}']::jsonb[], '{null}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', "
        "'{" SAGA "}', '{1}', '{2026-01-01}', '{5}', '{0}', '{0}', '{start}', '{null}', "
        "array['{\"changes\":[]}']::json[], '{2026-01-01}', '{0}', '{odd}', '{saga.reply.0.x}', '{\"\"}', "
        "'{\"\"}', "
        "array['{}']::json[], '{\"\"}', '{SAGA_REPLY/7}')");
    cr_assert(id_parse(STR(SAGA), &id));
    world_ok(&world, store_load(world.store, id, &world.arena, &saga, &records, &count, &world.note));
    cr_assert(saga.seq == 1 && count == 1);
    world.marks[0].last_lsn = world.marks[0].before_lsn = 5;
    world_go_on(&world, &saga, "{}");
    world_ok(&world, world_commit(&world));
    world_close(&world);
}

Test(beside, what_serves_this_program_changes_nothing_for_it)
{
    static struct world world;
    uint32_t applied = 1;
    char serves[16];
    world_open(&world, WORLD_POSTGRES);
    note_later(world.url, 1, "null"); /* it says nothing: one version ahead is fine */
    world_ok(&world, renew(&world));
    snprintf(serves, sizeof serves, "%u", known());
    note_later(world.url, 2, serves);
    world_ok(&world, renew(&world));
    store_close(world.store);
    world.store = world_handle(&world);
    cr_assert_eq(postgres_migrate(world.url, WORLD_SHARDS, &applied, &world.note), ERR_OK, "%s",
                 world.note.text);
    cr_assert_eq(applied, 0, "the older program's migrate has nothing to do");
    world_start(&world, 0, "");
    world_ok(&world, world_commit(&world));
    world_close(&world);
}

Test(beside, what_is_more_than_one_ahead_is_refused)
{
    static struct world world;
    world_open(&world, WORLD_POSTGRES);
    note_later(world.url, 1, "null");
    note_later(world.url, 2, "null");
    cr_assert_eq(renew(&world), ERR_SCHEMA);
    cr_assert_not_null(strstr(world.note.text, "start a newer sagad"), "%s", world.note.text);
    world_close(&world);
}

Test(beside, a_program_that_is_not_served_any_more_can_still_release_its_shards)
{
    static struct world world;
    char serves[16];
    world_open(&world, WORLD_POSTGRES);
    snprintf(serves, sizeof serves, "%u", known() + 1);
    note_later(world.url, 1, serves);
    cr_assert_eq(renew(&world), ERR_SCHEMA);
    cr_assert_not_null(strstr(world.note.text, "_later"), "%s", world.note.text);
    cr_assert_str_eq(owned(&world), "4");
    world_ok(&world, store_release(world.store, world.marks, 2, &world.note));
    cr_assert_str_eq(owned(&world), "2");
    (void)harness_query(world.url, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where "
                                   "application_name = 'sagad' and datname = current_database()");
    cr_assert_eq(renew(&world), ERR_UNAVAILABLE);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(store_reconnect(world.store, &world.note), ERR_SCHEMA, "looks again each time");
    world_ok(&world, store_release(world.store, world.marks, WORLD_SHARDS, &world.note));
    cr_assert_str_eq(owned(&world), "0");
    (void)harness_query(world.url,
                        "delete from migration where number > (select count(*) - 1 from migration)");
    world_ok(&world, store_reconnect(world.store, &world.note));
    world_close(&world);
}

/* A batch meets the new schema before the next renewal does. */
Test(beside, a_function_that_is_gone_makes_the_program_look_at_the_schema)
{
    static struct world world;
    char serves[16];
    world_open(&world, WORLD_POSTGRES);
    snprintf(serves, sizeof serves, "%u", known() + 1);
    note_later(world.url, 1, serves);
    (void)harness_query(
        world.url, "do $$ declare each record; begin for each in select oid::regprocedure::text as name from "
                   "pg_proc where proname like 'saga\\_append%' loop execute 'drop function ' || each.name; "
                   "end loop; end $$");
    world_start(&world, 0, "");
    cr_assert_eq(world_commit(&world), ERR_UNAVAILABLE, "%s", world.note.text);
    cr_assert_eq(store_reconnect(world.store, &world.note), ERR_SCHEMA);
    world_close(&world);
}

static void make_first(const char *url)
{
    uint32_t count = 0;
    const struct pq_query_migration *first = pq_query_migrations(&count);
    char checksum[PQ_SCHEMA_CHECKSUM_SIZE];
    char sql[512];
    pq_schema_checksum(first, checksum);
    (void)harness_query(url, first->sql);
    snprintf(sql, sizeof sql,
             "create table migration (number integer not null primary key, name text not null, checksum text "
             "not null, "
             "applied_at timestamptz not null default clock_timestamp()); "
             "insert into migration (number, name, checksum) values (1, '%s', '%s')",
             first->name, checksum);
    (void)harness_query(url, sql);
}

struct migrator {
    pthread_t thread;
    const char *url;
    enum err error;
    uint32_t applied;
    struct err_note note;
};

static void *migrate(void *context)
{
    struct migrator *migrator = context;
    migrator->error = postgres_migrate(migrator->url, WORLD_SHARDS, &migrator->applied, &migrator->note);
    return NULL;
}

static bool waits(void *url)
{
    return *harness_query(
               url, "select pid from pg_locks where not granted and relation = 'saga'::regclass") != '\0';
}

static bool gave_way(void *url)
{
    return !waits(url);
}

Test(beside, a_migration_that_waits_for_a_table_gives_way_and_comes_back)
{
    char url[SERVERS_URL_SIZE];
    struct migrator migrator = {.url = url};
    harness_database(url);
    make_first(url); /* the second one alters saga */
    PGconn *dump = PQconnectdb(url);
    PQclear(PQexec(dump, "begin"));
    PQclear(PQexec(dump, "lock table saga in access share mode"));
    cr_assert_eq(pthread_create(&migrator.thread, NULL, migrate, &migrator), 0);
    cr_assert(harness_await(waits, url, 10000));
    cr_assert(harness_await(gave_way, url, 10000), "others get at the table, though the dump still has it");
    cr_assert_eq(PQtransactionStatus(dump), PQTRANS_INTRANS);
    cr_assert(harness_await(waits, url, 10000), "and tries again");
    PQfinish(dump);
    pthread_join(migrator.thread, NULL);
    cr_assert_eq(migrator.error, ERR_OK, "%s", migrator.note.text);
    cr_assert_eq(migrator.applied, known() - 1);
}
