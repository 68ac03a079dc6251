/* The servers of the harness and of `sagad dev`: they answer, keep their data and port over every kind of
 * end, and leave nothing. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "tests/harness/harness.h"

HARNESS_SHARED(HARNESS_POSTGRES | HARNESS_NATS)

static struct err_note note;

static bool postgres_is_up(void *url)
{
    PGconn *connection = PQconnectdb(url);
    bool up = PQstatus(connection) == CONNECTION_OK;
    PQfinish(connection);
    return up;
}

Test(harness, each_database_is_fresh)
{
    char first[SERVERS_URL_SIZE];
    char second[SERVERS_URL_SIZE];
    harness_database(first);
    harness_database(second);
    (void)harness_query(first, "create table only_here (x int)");
    cr_assert_str_eq(harness_query(first, "select count(*) from pg_class where relname = 'only_here'"), "1");
    cr_assert_str_eq(harness_query(second, "select count(*) from pg_class where relname = 'only_here'"), "0");
}

Test(harness, shared_nats_is_on_loopback)
{
    cr_assert_eq(strncmp(harness_nats_url(), "nats://127.0.0.1:", 17), 0);
}

Test(harness, postgres_keeps_data_and_port_over_kill_and_stop)
{
    struct harness harness;
    harness_start(&harness, HARNESS_POSTGRES);
    char url[SERVERS_URL_SIZE];
    (void)snprintf(url, sizeof url, "%s", harness.postgres.url);
    (void)harness_query(url, "create table t as select 42 as x");
    process_kill(&harness.postgres.process);
    cr_assert(!postgres_is_up(url));
    harness_restart_postgres(&harness);
    cr_assert_str_eq(harness.postgres.url, url);
    cr_assert_str_eq(harness_query(url, "select x from t"), "42");
    harness_stop_postgres(&harness);
    cr_assert(!postgres_is_up(url));
    harness_restart_postgres(&harness);
    cr_assert_str_eq(harness_query(url, "select x from t"), "42");
    cr_assert_str_eq(harness_query(url, "show fsync"), "on");
    harness_stop(&harness);
    struct stat about;
    cr_assert_neq(stat(harness.dir, &about), 0);
}

Test(harness, postgres_takes_settings_and_offers_a_socket)
{
    static const char *const settings[] = {"wal_level=logical", "max_wal_size=100MB", NULL};
    struct harness harness;
    char url[SERVERS_URL_SIZE];
    harness_init(&harness, HARNESS_POSTGRES);
    harness.postgres.settings = settings;
    harness.postgres.unsafe = true;
    harness_run(&harness);
    servers_postgres_url(&harness.postgres, "postgres", true, url);
    cr_assert_not_null(strstr(url, "%2Fsocket"));
    cr_assert_str_eq(harness_query(url, "show wal_level"), "logical");
    cr_assert_str_eq(harness_query(url, "show fsync"), "off");
    cr_assert_str_eq(harness_query(url, "select coalesce(host(inet_server_addr()), 'socket')"), "socket");
    harness_stop(&harness);
}

Test(harness, a_frozen_postgres_does_not_answer_until_thawed)
{
    struct harness harness;
    char url[SERVERS_URL_SIZE + 32];
    harness_start(&harness, HARNESS_POSTGRES);
    (void)snprintf(url, sizeof url, "%s?connect_timeout=2", harness.postgres.url);
    process_freeze(&harness.postgres.process);
    cr_assert(!postgres_is_up(url));
    process_thaw(&harness.postgres.process);
    cr_assert(harness_await(postgres_is_up, url, 10000));
    harness_stop(&harness);
}

Test(harness, a_second_owner_waits_for_the_first_one_to_go_down)
{
    struct harness harness;
    struct servers_postgres second;
    harness_start(&harness, HARNESS_POSTGRES);
    cr_assert_eq(servers_init_postgres(&second, harness.postgres.dir, &note), ERR_OK);
    kill(harness.postgres.process.pid, SIGINT);
    cr_assert_eq(servers_start_postgres(&second, &note), ERR_OK, "%s", note.text);
    cr_assert_eq(second.port, harness.postgres.port);
    cr_assert(process_wait(&harness.postgres.process, 10000, NULL));
    cr_assert_eq(servers_stop_postgres(&second, &note), ERR_OK);
    harness_stop(&harness);
}

Test(harness, nats_keeps_its_streams_over_kill)
{
    struct harness harness;
    char url[SERVERS_URL_SIZE];
    harness_start(&harness, HARNESS_NATS);
    (void)snprintf(url, sizeof url, "%s", harness.nats.url);
    process_kill(&harness.nats.process);
    harness_restart_nats(&harness);
    cr_assert_str_eq(harness.nats.url, url);
    process_freeze(&harness.nats.process);
    process_thaw(&harness.nats.process);
    harness_stop_nats(&harness);
    cr_assert(!process_running(&harness.nats.process, NULL));
    harness_stop(&harness);
}

Test(harness, a_taken_port_is_an_error_when_it_was_asked_for)
{
    struct harness first;
    struct servers_nats second;
    char dir[PROCESS_PATH_SIZE];
    harness_start(&first, HARNESS_NATS);
    cr_assert_lt(snprintf(dir, sizeof dir, "%s/two", first.dir), (int)sizeof dir);
    cr_assert_eq(servers_init_nats(&second, dir, &note), ERR_OK);
    second.port = first.nats.port;
    cr_assert_eq(servers_start_nats(&second, &note), ERR_UNAVAILABLE, "%s", note.text);
    cr_assert_not_null(strstr(note.text, "address already in use"), "%s", note.text);
    cr_assert_eq(second.process.pid, 0);
    harness_stop(&first);
}

/* As root only: a plain user's own folders are open to that user. */
Test(harness, a_folder_that_user_postgres_cannot_enter_is_named)
{
    struct harness harness;
    struct servers_postgres server;
    char dir[PROCESS_PATH_SIZE];
    harness_init(&harness, 0);
    cr_assert_lt(snprintf(dir, sizeof dir, "%s/closed", harness.dir), (int)sizeof dir);
    cr_assert_eq(mkdir(dir, 0700), 0);
    cr_assert_lt(snprintf(dir, sizeof dir, "%s/closed/data", harness.dir), (int)sizeof dir);
    cr_assert_eq(servers_init_postgres(&server, dir, &note), ERR_OK);
    enum err err = servers_start_postgres(&server, &note);
    if (geteuid() == 0) {
        cr_assert_eq(err, ERR_INVALID);
        cr_assert_not_null(strstr(note.text, "/closed: choose a data folder outside of it"), "%s", note.text);
    } else {
        cr_assert_eq(err, ERR_OK, "%s", note.text);
        cr_assert_eq(servers_stop_postgres(&server, &note), ERR_OK);
    }
    harness_stop(&harness);
}

Test(harness, servers_die_with_their_owner)
{
    int pipes[2];
    struct process server = {.name = "nats-server"};
    cr_assert_eq(pipe(pipes), 0);
    pid_t owner = fork();
    if (owner == 0) {
        struct harness harness;
        harness_start(&harness, HARNESS_NATS);
        (void)!write(pipes[1], &harness.nats.process.pid, sizeof(pid_t));
        (void)!write(pipes[1], harness.dir, sizeof harness.dir);
        kill(getpid(), SIGKILL);
    }
    char dir[PROCESS_PATH_SIZE];
    cr_assert_eq(read(pipes[0], &server.pid, sizeof(pid_t)), (ssize_t)sizeof(pid_t));
    cr_assert_eq(read(pipes[0], dir, sizeof dir), (ssize_t)sizeof dir);
    cr_assert_eq(waitpid(owner, NULL, 0), owner);
    int64_t until_us = clock_monotonic_us() + 5000000;
    while (kill(server.pid, 0) == 0 && clock_monotonic_us() < until_us) {
        process_pause(10);
    }
    cr_assert_neq(kill(server.pid, 0), 0);
    cr_assert_eq(process_remove_tree(dir, &note), ERR_OK);
}

Test(harness, a_program_is_launched_heard_and_ended)
{
    static const char *const argv[] = {"sh", "-c", "echo noise; echo ready $HARNESS_WORD; exec sleep 60",
                                       NULL};
    static const char *const env[] = {"HARNESS_WORD=hello", NULL};
    struct harness harness;
    struct harness_program program;
    char line[100];
    harness_init(&harness, 0);
    harness_launch(&program, harness.dir, "talker", argv, env);
    cr_assert(harness_await_line(&program, "ready ", line, sizeof line, 10000));
    cr_assert_str_eq(line, "ready hello");
    cr_assert(!harness_await_line(&program, "never", line, sizeof line, 30));
    cr_assert_eq(process_stop(&program.process, SIGTERM, 5000, &note), ERR_OK);
    cr_assert(!harness_await_line(&program, "never", line, sizeof line, 60000));
    harness_stop(&harness);
}

Test(harness, a_program_that_ignores_sigterm_is_killed)
{
    static const char *const argv[] = {"sh", "-c",
                                       "trap '' TERM; echo ready; while :; do read x </dev/zero; done", NULL};
    struct harness harness;
    struct harness_program program;
    char line[100];
    harness_init(&harness, 0);
    harness_launch(&program, harness.dir, "stubborn", argv, NULL);
    cr_assert(harness_await_line(&program, "ready", line, sizeof line, 10000));
    cr_assert_eq(process_stop(&program.process, SIGTERM, 100, &note), ERR_TIMEOUT);
    cr_assert_eq(program.process.pid, 0);
    harness_stop(&harness);
}

Test(harness, failures_tell_what_the_program_said)
{
    static const char *const failing[] = {"sh", "-c", "echo first; echo the reason >&2; exit 3", NULL};
    static const char *const missing[] = {"no-such-program-anywhere", NULL};
    struct harness harness;
    char log[PROCESS_PATH_SIZE + 8];
    harness_init(&harness, 0);
    (void)snprintf(log, sizeof log, "%s/log", harness.dir);
    cr_assert_eq(process_run(failing, NULL, log, 10000, &note), ERR_IO);
    cr_assert_not_null(strstr(note.text, "first|the reason"), "%s", note.text);
    cr_assert_eq(process_run(missing, NULL, log, 10000, &note), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(note.text, "no-such-program-anywhere"));
    harness_stop(&harness);
}
