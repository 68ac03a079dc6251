/* Private PostgreSQL and nats-server for a test, in a folder of its own. Ends only what it has started. */
#include "tests/harness/harness.h"
#include <libpq-fe.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/base/clock.h"

/* Names of the environment variables through which the tests of a program find what their parent started. */
#define ENV_POSTGRES "SAGA_HARNESS_POSTGRES"
#define ENV_NATS "SAGA_HARNESS_NATS"
/* A folder in which harness_template made a cluster; not set when a suite is run by hand. */
#define ENV_TEMPLATE "SAGA_HARNESS_TEMPLATE"

enum { COPY_MS = 60000, LOOK_MS = 10 };

static struct harness shared;
static pid_t shared_owner;

static void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("harness: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputs("\n", stderr);
    va_end(arguments);
    abort();
}

static void must(enum err err, const struct err_note *note)
{
    if (err != ERR_OK) {
        give_up("%s: %s", err_text(err), note->text);
    }
}

static void join(char path[PROCESS_PATH_SIZE], const char *dir, const char *name)
{
    if (snprintf(path, PROCESS_PATH_SIZE, "%s/%s", dir, name) >= PROCESS_PATH_SIZE) {
        give_up("the path %s/%s is too long", dir, name);
    }
}

/* One folder per user, below it one per harness: short, because a unix socket's path has 107 bytes. */
static void make_folder(char dir[PROCESS_PATH_SIZE])
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, PROCESS_PATH_SIZE, "%s/saga-XXXXXX",
                   base != NULL && strlen(base) < 50 ? base : "/tmp");
    if (mkdtemp(dir) == NULL || chmod(dir, 0755) != 0) {
        give_up("cannot make the folder %s", dir);
    }
}

/* A cluster that tests/run made is copied: initdb takes eight times as long. */
static void copy_template(const struct servers_postgres *server)
{
    struct err_note note;
    char from[PROCESS_PATH_SIZE], to[PROCESS_PATH_SIZE];
    const char *template = getenv(ENV_TEMPLATE);
    join(to, server->dir, "data");
    if (template == NULL) {
        return;
    }
    join(from, template, "data");
    if (mkdir(server->dir, 0755) != 0 || chmod(server->dir, 0755) != 0) { /* whatever the umask */
        give_up("cannot make the folder %s", server->dir);
    }
    const char *argv[] = {"cp", "-a", from, to, NULL};
    must(process_run(argv, NULL, server->process.log, COPY_MS, &note), &note);
}

void harness_init(struct harness *harness, unsigned which)
{
    struct err_note note;
    char path[PROCESS_PATH_SIZE];
    *harness = (struct harness){0};
    make_folder(harness->dir);
    if ((which & HARNESS_POSTGRES) != 0) {
        join(path, harness->dir, "postgres");
        must(servers_init_postgres(&harness->postgres, path, &note), &note);
        copy_template(&harness->postgres);
    }
    if ((which & HARNESS_NATS) != 0) {
        join(path, harness->dir, "nats");
        must(servers_init_nats(&harness->nats, path, &note), &note);
    }
}

void harness_restart_postgres(struct harness *harness)
{
    struct err_note note;
    must(servers_start_postgres(&harness->postgres, &note), &note);
}

void harness_restart_nats(struct harness *harness)
{
    struct err_note note;
    must(servers_start_nats(&harness->nats, &note), &note);
}

void harness_run(struct harness *harness)
{
    if (harness->postgres.dir[0] != '\0') {
        harness_restart_postgres(harness);
    }
    if (harness->nats.dir[0] != '\0') {
        harness_restart_nats(harness);
    }
}

void harness_start(struct harness *harness, unsigned which)
{
    harness_init(harness, which);
    harness_run(harness);
}

void harness_stop_postgres(struct harness *harness)
{
    struct err_note note;
    must(servers_stop_postgres(&harness->postgres, &note), &note);
}

void harness_stop_nats(struct harness *harness)
{
    struct err_note note;
    must(servers_stop_nats(&harness->nats, &note), &note);
}

void harness_stop(struct harness *harness)
{
    struct err_note note;
    process_kill(&harness->postgres.process);
    process_kill(&harness->nats.process);
    must(process_remove_tree(harness->dir, &note), &note);
}

/* A test forked from the runner inherits the exit handlers, but not the servers. */
static void unshare(void)
{
    if (getpid() == shared_owner) {
        harness_stop(&shared);
    }
}

void harness_share(unsigned which)
{
    harness_start(&shared, which);
    shared_owner = getpid();
    if (atexit(unshare) != 0) {
        give_up("no room for an exit handler");
    }
    if ((which & HARNESS_POSTGRES) != 0) {
        char url[SERVERS_URL_SIZE];
        servers_postgres_url(&shared.postgres, "", true, url);
        setenv(ENV_POSTGRES, url, 1);
    }
    if ((which & HARNESS_NATS) != 0) {
        setenv(ENV_NATS, shared.nats.url, 1);
    }
}

static const char *shared_url(const char *name)
{
    const char *url = getenv(name);
    if (url == NULL) {
        give_up("no shared server: HARNESS_SHARED is missing in this test program");
    }
    return url;
}

void harness_database(char url[SERVERS_URL_SIZE])
{
    static unsigned count;
    const char *server = shared_url(ENV_POSTGRES);
    char admin[SERVERS_URL_SIZE];
    char sql[100];
    char name[40];
    (void)snprintf(name, sizeof name, "test_%d_%u", (int)getpid(), ++count);
    (void)snprintf(sql, sizeof sql, "create database %s", name);
    if (snprintf(admin, sizeof admin, "%spostgres", server) >= (int)sizeof admin ||
        snprintf(url, SERVERS_URL_SIZE, "%s%s", server, name) >= SERVERS_URL_SIZE) {
        give_up("the address %s is too long", server);
    }
    (void)harness_query(admin, sql);
}

const char *harness_nats_url(void)
{
    return shared_url(ENV_NATS);
}

const char *harness_query(const char *url, const char *sql)
{
    static char text[16384];
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        give_up("%s: %s", sql, PQerrorMessage(connection));
    }
    const char *value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    if (snprintf(text, sizeof text, "%s", value) >= (int)sizeof text) {
        give_up("%s: the answer is longer than %zu bytes", sql, sizeof text);
    }
    PQclear(result);
    PQfinish(connection);
    return text;
}

/* Sets the variables for the child by setting them here; the tests of a program are processes of their own.
 */
static void export_all(const char *const *extra_env)
{
    for (; extra_env != NULL && *extra_env != NULL; extra_env++) {
        const char *value = strchr(*extra_env, '=');
        char name[128];
        if (value == NULL || (size_t)(value - *extra_env) >= sizeof name) {
            give_up("not NAME=value: %s", *extra_env);
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)(value - *extra_env), *extra_env);
        setenv(name, value + 1, 1);
    }
}

static void unexport_all(const char *const *extra_env)
{
    for (; extra_env != NULL && *extra_env != NULL; extra_env++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(*extra_env, "="), *extra_env);
        unsetenv(name);
    }
}

void harness_launch(struct harness_program *program, const char *dir, const char *name,
                    const char *const *argv, const char *const *extra_env)
{
    struct err_note note;
    char file[128];
    *program = (struct harness_program){.process = {.name = name}};
    (void)snprintf(file, sizeof file, "%s.out", name);
    join(program->stdout_path, dir, file);
    (void)snprintf(file, sizeof file, "%s.err", name);
    join(program->process.log, dir, file);
    (void)unlink(program->stdout_path);
    struct process_options options = {.stdout_log = program->stdout_path};
    export_all(extra_env);
    enum err err = process_start(&program->process, argv, &options, &note);
    unexport_all(extra_env);
    must(err, &note);
}

static bool find_line(const char *path, const char *prefix, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file != NULL && !found && fgets(line, (int)size, file) != NULL) {
        size_t end = strcspn(line, "\n");
        found = strncmp(line, prefix, strlen(prefix)) == 0 && line[end] == '\n';
        line[end] = '\0';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

bool harness_await_line(struct harness_program *program, const char *prefix, char *line, size_t size,
                        int timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    do {
        bool running = process_running(&program->process, NULL);
        if (find_line(program->stdout_path, prefix, line, size)) {
            return true;
        }
        if (!running) {
            return false;
        }
        process_pause(LOOK_MS);
    } while (clock_monotonic_us() < until_us);
    return false;
}

bool harness_await(bool (*done)(void *context), void *context, int timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    while (!done(context)) {
        if (clock_monotonic_us() >= until_us) {
            return false;
        }
        process_pause(LOOK_MS);
    }
    return true;
}
