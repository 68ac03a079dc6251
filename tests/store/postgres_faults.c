/* Commits whose answer is lost, backends that are killed, a server that restarts: what the store says must be
 * true. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "engine/store/postgres_ops.h"
#include "tests/store/world.h"

/* Another client: holds the lock that a batch or its commit waits for. */
struct blocker {
    PGconn *conn;
};

static void blocker_do(struct blocker *blocker, const char *sql)
{
    PGresult *result = PQexec(blocker->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql,
              PQresultErrorMessage(result));
    PQclear(result);
}

static void blocker_open(struct blocker *blocker, const char *url, const char *sql)
{
    blocker->conn = PQconnectdb(url);
    cr_assert_eq(PQstatus(blocker->conn), CONNECTION_OK);
    blocker_do(blocker, "begin");
    blocker_do(blocker, sql);
}

static void blocker_close(struct blocker *blocker)
{
    blocker_do(blocker, "rollback");
    PQfinish(blocker->conn);
}

/* Commits of the journal wait for advisory lock 1 from now on. */
static void block_commits(struct world *world, struct blocker *blocker)
{
    (void)harness_query(
        world->url,
        "create function wait_for_one() returns trigger language plpgsql as $$ begin "
        "perform pg_advisory_xact_lock_shared(1); return null; end $$; "
        "create constraint trigger wait_for_one after insert on saga_journal deferrable initially deferred "
        "for each row execute function wait_for_one()");
    blocker_open(blocker, world->url, "select pg_advisory_xact_lock(1)");
}

struct attempt {
    struct world *world;
    struct store_batch batch;
    pthread_t thread;
    enum err error;
};

static void *attempt_run(void *context)
{
    struct attempt *attempt = context;
    struct world *world = attempt->world;
    attempt->error = store_append(world->store, &attempt->batch, &world->arena, world->rejected,
                                  &world->rejected_count, &world->note);
    return NULL;
}

static bool is_waiting(void *url)
{
    return *harness_query(
               url, "select pid from pg_stat_activity where application_name = 'sagad' and wait_event_type = "
                    "'Lock' and datname = current_database()") != '\0';
}

/* The batch is under way in a thread, and waits for a lock. */
static void attempt_start(struct attempt *attempt, struct world *world)
{
    *attempt = (struct attempt){.world = world, .batch = world_batch(world)};
    cr_assert_eq(pthread_create(&attempt->thread, NULL, attempt_run, attempt), 0);
    cr_assert(harness_await(is_waiting, world->url, 5000));
}

static enum err attempt_end(struct attempt *attempt)
{
    pthread_join(attempt->thread, NULL);
    return attempt->error;
}

static void end_waiting_backend(struct world *world)
{
    (void)harness_query(
        world->url, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = "
                    "'sagad' and wait_event_type = 'Lock' and datname = current_database()");
}

static void cut(struct world *world)
{
    shutdown(PQsocket(postgres_of(world->store)->session.conn), SHUT_RDWR);
}

static bool committed(struct world *world, const struct store_batch *batch)
{
    bool yes = false;
    world_ok(world, store_reconnect(world->store, &world->note));
    world_ok(world, store_committed(world->store, batch, &yes, &world->note));
    return yes;
}

static const char *journal_rows(struct world *world)
{
    return harness_query(world->url, "select count(*) from saga_journal");
}

static bool has_journal(void *world)
{
    return *journal_rows(world) != '0';
}

Test(fault, killed_inside_the_batch_is_certainly_not_committed)
{
    static struct world world;
    struct blocker blocker;
    struct attempt attempt;
    world_open(&world, WORLD_POSTGRES);
    struct store_saga row = *world_start(&world, 0, "");
    world_ok(&world, world_commit(&world));
    blocker_open(&blocker, world.url, "select from saga for update");
    world_go_on(&world, &row, "{}");
    attempt_start(&attempt, &world);
    end_waiting_backend(&world);
    cr_assert_eq(attempt_end(&attempt), ERR_UNAVAILABLE, "%s", world_why(&world, attempt.error));
    cr_assert(!committed(&world, &attempt.batch));
    blocker_close(&blocker);
    world_ok(&world, world_commit(&world));
    cr_assert_str_eq(journal_rows(&world), "2");
    world_close(&world);
}

Test(fault, killed_while_committing_is_unknown_and_turns_out_not_committed)
{
    static struct world world;
    struct blocker blocker;
    struct attempt attempt;
    world_open(&world, WORLD_POSTGRES);
    block_commits(&world, &blocker);
    world_start(&world, 0, "");
    attempt_start(&attempt, &world);
    end_waiting_backend(&world);
    cr_assert_eq(attempt_end(&attempt), ERR_UNKNOWN_OUTCOME, "%s", world_why(&world, attempt.error));
    cr_assert(!committed(&world, &attempt.batch));
    blocker_close(&blocker);
    world_ok(&world, world_commit(&world));
    cr_assert_str_eq(journal_rows(&world), "1");
    world_close(&world);
}

Test(fault, cut_while_committing_is_unknown_and_turns_out_committed)
{
    static struct world world;
    struct blocker blocker;
    struct attempt attempt;
    world_open(&world, WORLD_POSTGRES);
    block_commits(&world, &blocker);
    world_start(&world, 0, "");
    attempt_start(&attempt, &world);
    cut(&world);
    cr_assert_eq(attempt_end(&attempt), ERR_UNKNOWN_OUTCOME, "%s", world_why(&world, attempt.error));
    blocker_close(&blocker);
    cr_assert(harness_await(has_journal, &world, 5000));
    cr_assert(committed(&world, &attempt.batch));
    world_close(&world);
}

/* Without ending the old backend the batch would be told "not committed", and be committed afterwards. */
Test(fault, cut_while_committing_cannot_be_committed_after_the_question)
{
    static struct world world;
    struct blocker blocker;
    struct attempt attempt;
    world_open(&world, WORLD_POSTGRES);
    block_commits(&world, &blocker);
    world_start(&world, 0, "");
    attempt_start(&attempt, &world);
    cut(&world);
    cr_assert_eq(attempt_end(&attempt), ERR_UNKNOWN_OUTCOME, "%s", world_why(&world, attempt.error));
    cr_assert(!committed(&world, &attempt.batch));
    cr_assert(!is_waiting(world.url), "its backend is gone");
    blocker_close(&blocker);
    world_ok(&world, world_commit(&world));
    cr_assert_str_eq(journal_rows(&world), "1");
    world_close(&world);
}

Test(fault, commit_refused_at_the_end_is_certainly_not_committed)
{
    static struct world world;
    world_open(&world, WORLD_POSTGRES);
    (void)harness_query(
        world.url,
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception using "
        "errcode = '40001', message = 'not now'; end $$; create constraint trigger refuse after "
        "insert on saga_journal deferrable initially deferred for each row execute function refuse()");
    world_start(&world, 0, "");
    struct store_batch batch = world_batch(&world);
    enum err error =
        store_append(world.store, &batch, &world.arena, world.rejected, &world.rejected_count, &world.note);
    cr_assert_eq(error, ERR_UNAVAILABLE, "%s", world_why(&world, error));
    cr_assert_not_null(strstr(world.note.text, "not now"));
    cr_assert(!committed(&world, &batch));
    (void)harness_query(world.url, "drop trigger refuse on saga_journal");
    world_ok(&world, world_commit(&world));
    world_close(&world);
}

Test(fault, lock_held_by_others_ends_in_bounded_time)
{
    static struct world world;
    struct blocker blocker;
    world_open(&world, WORLD_POSTGRES);
    struct store_saga row = *world_start(&world, 0, "");
    world_ok(&world, world_commit(&world));
    blocker_open(&blocker, world.url, "select from saga for update");
    world_go_on(&world, &row, "{}");
    struct store_batch batch = world_batch(&world);
    enum err error =
        store_append(world.store, &batch, &world.arena, world.rejected, &world.rejected_count, &world.note);
    cr_assert_eq(error, ERR_UNAVAILABLE, "%s", world_why(&world, error));
    blocker_close(&blocker);
    world_ok(&world, world_commit(&world));
    world_close(&world);
}

/* F10 at its worst: a server that does not answer at all. Nobody waits for ever, and nothing is said before
 * it is certain. */
Test(fault, silent_server_is_unknown_until_its_process_is_gone)
{
    static struct world world;
    world_open(&world, WORLD_POSTGRES);
    pid_t backend = (pid_t)postgres_of(world.store)->session.backend;
    postgres_of(world.store)->session.answer_ms = 200;
    world_start(&world, 0, "");
    struct store_batch batch = world_batch(&world);
    cr_assert_eq(kill(backend, SIGSTOP), 0);
    enum err error =
        store_append(world.store, &batch, &world.arena, world.rejected, &world.rejected_count, &world.note);
    cr_assert_eq(error, ERR_UNKNOWN_OUTCOME, "%s", world_why(&world, error));
    postgres_of(world.store)->session.answer_ms = 10000;
    error = store_reconnect(world.store, &world.note);
    cr_assert_eq(error, ERR_UNAVAILABLE, "%s", world_why(&world, error));
    cr_assert_not_null(strstr(world.note.text, "still at work"), "%s", world.note.text);
    cr_assert_eq(kill(backend, SIGCONT), 0);
    bool yes = committed(&world, &batch);
    cr_assert_eq(yes, *journal_rows(&world) == '1');
    world_close(&world);
}

/* F6: the server goes away while nothing is asked of it, by kill -9, and comes back. */
Test(fault, server_killed_and_restarted_keeps_what_was_committed)
{
    static struct world world;
    static struct harness harness;
    int64_t now_us = 0;
    bool yes = false;
    harness_start(&harness, HARNESS_POSTGRES);
    world_open_at(&world, harness.postgres.url);
    struct id id = world_start(&world, 0, "")->id;
    struct store_batch batch = world_batch(&world);
    world_ok(&world, store_append(world.store, &batch, &world.arena, world.rejected, &world.rejected_count,
                                  &world.note));
    process_kill(&harness.postgres.process);
    world_start(&world, 0, "");
    cr_assert_eq(world_commit(&world), ERR_UNAVAILABLE, "%s", world.note.text);
    cr_assert_eq(store_reconnect(world.store, &world.note), ERR_UNAVAILABLE);
    cr_assert_eq(store_now(world.store, &now_us, &world.note), ERR_UNAVAILABLE);
    harness_restart_postgres(&harness);
    world_ok(&world, store_reconnect(world.store, &world.note));
    batch.shards = world.marks;
    world.marks[0].last_lsn = 2;
    for (int i = 1; i < WORLD_SHARDS; i++)
        world.marks[i].last_lsn = 1;
    world_ok(&world, store_committed(world.store, &batch, &yes, &world.note));
    cr_assert(yes);
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    world_ok(&world, store_load(world.store, id, &world.arena, &saga, &records, &count, &world.note));
    world_close(&world);
    harness_stop(&harness);
}
