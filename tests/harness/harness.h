/* Private servers and processes for tests: real PostgreSQL, real nats-server, in a temporary folder, on
 * loopback.
 *
 * A harness cannot fail halfway: what does not work stops the test process with a sentence on stderr.
 * Everything started dies with the process that started it, so a crashed test leaves no server behind; its
 * folder is removed at harness_stop, or when the runner ends. A new PostgreSQL is a copy of the cluster in
 * $SAGA_HARNESS_TEMPLATE/data where that is set, which saves the seconds of initdb.
 *
 * Own servers, for tests that kill or freeze them:
 *     struct harness harness;
 *     harness_start(&harness, HARNESS_POSTGRES | HARNESS_NATS);
 *     … harness.postgres.url, harness.nats.url, harness_kill(&harness.postgres.process),
 * harness_restart_postgres(…) … harness_stop(&harness); Servers shared by all tests of a program, which is
 * faster: HARNESS_SHARED(HARNESS_POSTGRES) once in one of its files, then in a test `harness_database(url)`
 * for a fresh empty database, `harness_nats_url()` for the one nats-server. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "engine/ops/process.h"
#include "engine/ops/servers.h"

enum { HARNESS_POSTGRES = 1, HARNESS_NATS = 2 };

struct harness {
    char dir[PROCESS_PATH_SIZE];
    struct servers_postgres postgres;
    struct servers_nats nats;
};

/* Makes the folder and starts what is asked for. Between harness_init and harness_run the servers' fields may
 * be set (settings, unsafe, config, port); harness_start is both at once. */
void harness_init(struct harness *harness, unsigned which);
void harness_run(struct harness *harness);
void harness_start(struct harness *harness, unsigned which);
/* Kills what still runs and removes the folder. */
void harness_stop(struct harness *harness);

/* Orderly stop, and start on the same data and port. */
void harness_stop_postgres(struct harness *harness);
void harness_stop_nats(struct harness *harness);
void harness_restart_postgres(struct harness *harness);
void harness_restart_nats(struct harness *harness);

/* Runs in the parent of all tests: servers every test of this program finds, until this process exits. */
void harness_share(unsigned which);
/* A new empty database in the shared server, with TCP or socket address in url. */
void harness_database(char url[SERVERS_URL_SIZE]);
const char *harness_nats_url(void);

#define HARNESS_SHARED(which)                                                                                \
    ReportHook(PRE_ALL)(struct criterion_test_set * tests)                                                   \
    {                                                                                                        \
        (void)tests;                                                                                         \
        harness_share(which);                                                                                \
    }

/* The first column of the first row as text, "" when there is no row; ends the test when the statement fails.
 * Static memory, good until the next call. */
const char *harness_query(const char *url, const char *sql);

/* A program under test, its stdout and stderr in files of `dir`. Dies with us. extra_env: "NAME=value" …,
 * ended by NULL, or NULL. */
struct harness_program {
    struct process process;
    char stdout_path[PROCESS_PATH_SIZE];
};
void harness_launch(struct harness_program *program, const char *dir, const char *name,
                    const char *const *argv, const char *const *extra_env);
/* Waits for a line of its stdout that begins with `prefix`; the line, without its end, in `line`. False after
 * timeout_ms, or when the program ended without it. */
bool harness_await_line(struct harness_program *program, const char *prefix, char *line, size_t size,
                        int timeout_ms);

/* Asks until done(context) is true; false after timeout_ms. For conditions that send no signal. */
bool harness_await(bool (*done)(void *context), void *context, int timeout_ms);
