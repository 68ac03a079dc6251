/* Migrations: once, together, and never over a database that is not ours. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "tests/store/world.h"

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

Test(schema, missing_is_told_with_its_cure)
{
    char url[SERVERS_URL_SIZE];
    struct err_note note;
    harness_database(url);
    cr_assert_eq(try_open(url, &note), ERR_INVALID);
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
    cr_assert_eq(try_open(url, &note), ERR_INVALID);
    cr_assert_not_null(strstr(note.text, "newer"), "%s", note.text);
    cr_assert_not_null(strstr(note.text, "9999_future"), "%s", note.text);
    cr_assert_eq(postgres_migrate(url, 8, &applied, &note), ERR_INVALID);
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
    cr_assert_eq(try_open(url, &note), ERR_INVALID);
    cr_assert_eq(postgres_migrate(url, 8, &applied, &note), ERR_INVALID);
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
