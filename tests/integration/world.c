/* Real servers, engines and participants around a test, and the client that writes down what it was told. */
#include "tests/integration/world.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include "engine/base/clock.h"
#include "tests/integration/checker.h"

static const char *const participants[] = {"inn", "taxi", "tour"};
enum { PARTICIPANTS = 3, COMMAND_MS = 60000 };

static void must(enum err error, const struct err_note *note)
{
    cr_assert_eq(error, ERR_OK, "%s: %s", err_text(error), note->text);
}

static char *join(char path[PROCESS_PATH_SIZE], const char *dir, const char *name)
{
    cr_assert_lt(snprintf(path, PROCESS_PATH_SIZE, "%s/%s", dir, name), PROCESS_PATH_SIZE);
    return path;
}

/* --- the world and its end ---------------------------------------------------------------------------- */

static void copy_definitions(struct world *world)
{
    struct err_note note = {""};
    char log[PROCESS_PATH_SIZE];
    const char *copy[] = {"cp", "-r", SAGA_SOURCE_DIR "/tests/integration/definitions", world->definitions,
                          NULL};
    join(world->definitions, world->harness.dir, "definitions");
    must(process_run(copy, NULL, join(log, world->harness.dir, "cp.log"), COMMAND_MS, &note), &note);
}

static void migrate(struct world *world)
{
    struct err_note note = {""};
    char log[PROCESS_PATH_SIZE];
    const char *argv[] = {SAGA_BINARY_DIR "/engine/sagad/sagad",
                          "migrate",
                          "--database",
                          world->database,
                          "--shards",
                          "4",
                          NULL};
    must(process_run(argv, NULL, join(log, world->harness.dir, "migrate.log"), COMMAND_MS, &note), &note);
}

void world_shop_start(struct world *world)
{
    char line[32];
    const char *argv[] = {SAGA_BINARY_DIR "/tests/integration/integration_shop",
                          world->harness.nats.url,
                          world->harness.dir,
                          participants[0],
                          participants[1],
                          participants[2],
                          NULL};
    harness_launch(&world->shop, world->harness.dir, "shop", argv, NULL);
    cr_assert(harness_await_line(&world->shop, "ready", line, sizeof line, WORLD_PATIENCE_MS),
              "the shop does not open: %s", world->shop.process.log);
}

void world_open(struct world *world)
{
    *world = (struct world){.lease = "2s", .number = 1};
    arena_init(&world->arena, 0);
    facts_init(&world->facts, &world->arena);
    harness_init(&world->harness, HARNESS_POSTGRES | HARNESS_NATS);
    for (uint32_t i = 0; i < WORLD_ENGINES; i++)
        snprintf(world->engines[i].name, sizeof world->engines[i].name, "engine%u", i);
    rights_use(&world->harness.nats, join(world->rights_file, world->harness.dir, "nats.conf"));
    world_rights(world, &world->rights);
    harness_run(&world->harness);
    servers_postgres_url(&world->harness.postgres, "postgres", false, world->database);
    (void)harness_query(world->database, "create database saga");
    servers_postgres_url(&world->harness.postgres, "saga", false, world->database);
    copy_definitions(world);
    migrate(world);
}

void world_close(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_ENGINES; i++)
        process_kill(&world->engines[i].program.process);
    process_kill(&world->shop.process);
    harness_stop(&world->harness);
    arena_fini(&world->arena);
}

/* --- engines ------------------------------------------------------------------------------------------- */

static void show_file(const char *path)
{
    char text[6000];
    process_log_tail(path, text, sizeof text);
    fprintf(stderr, "--- %s\n%s\n", path, text);
}

/* The port it listens on, from its log behind `from`; 0: not told yet. */
static uint16_t told_port(const char *path, long from)
{
    char line[1024];
    unsigned port = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    (void)fseek(file, from, SEEK_SET);
    while (port == 0 && fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, "event=serving http=http://127.0.0.1:");
        if (at != NULL && strchr(line, '\n') != NULL)
            (void)sscanf(at, "event=serving http=http://127.0.0.1:%5u", &port);
    }
    (void)fclose(file);
    return (uint16_t)port;
}

static long size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (long)status.st_size : 0;
}

/* Its user at NATS, whose inbox bears the name. */
static const char *instance_of(const struct world *world, const struct world_engine *engine)
{
    for (size_t i = 0; world->arguments != NULL && world->arguments[i] != NULL; i++)
        if (strcmp(world->arguments[i], "--instance") == 0)
            return world->arguments[i + 1];
    return engine->name;
}

static void launch(struct world *world, struct world_engine *engine, const char *failpoint)
{
    char variable[80];
    char user[48], password[48];
    const char *argv[32] = {SAGA_BINARY_DIR "/engine/sagad/sagad",
                            "serve",
                            "--database",
                            world->database,
                            "--nats",
                            engine->nats == NULL ? world->harness.nats.url : engine->nats,
                            "--http-address",
                            "127.0.0.1:0",
                            "--definitions",
                            world->definitions,
                            "--instance",
                            engine->name,
                            "--lease",
                            world->lease};
    size_t count = 14;
    for (size_t i = 0; world->arguments != NULL && world->arguments[i] != NULL; i++)
        argv[count++] = world->arguments[i];
    snprintf(variable, sizeof variable, "SAGAD_FAILPOINT=%s", failpoint == NULL ? "" : failpoint);
    snprintf(user, sizeof user, "SAGAD_NATS_USER=%s", instance_of(world, engine));
    snprintf(password, sizeof password, "SAGAD_NATS_PASSWORD=%s", instance_of(world, engine));
    const char *environment[] = {variable, user, password, NULL};
    harness_launch(&engine->program, world->harness.dir, engine->name, argv, environment);
}

/* Ready, or on guard behind another engine that has all shards. */
static bool serves(struct world *world, uint32_t index)
{
    struct client_answer answer = world_get(world, index, "/readyz");
    return answer.status == 200 ||
           (answer.status == 503 && strstr(answer.body.data, "another instance holds them all") != NULL);
}

bool world_serve(struct world *world, uint32_t index, const char *failpoint)
{
    struct world_engine *engine = &world->engines[index];
    char log[PROCESS_PATH_SIZE];
    char file[32];
    int64_t until_us = clock_monotonic_us() + (int64_t)WORLD_PATIENCE_MS * 1000;
    snprintf(file, sizeof file, "%s.err", engine->name);
    long from = size_of(join(log, world->harness.dir, file));
    launch(world, engine, failpoint);
    for (engine->port = 0; engine->port == 0; process_pause(5)) {
        bool running = process_running(&engine->program.process, NULL);
        engine->port = told_port(log, from);
        if (!running && failpoint != NULL)
            return false;
        if (!running || clock_monotonic_us() > until_us) {
            show_file(log);
            cr_assert_fail("%s does not serve", engine->name);
        }
    }
    while (!serves(world, index)) {
        if (!process_running(&engine->program.process, NULL) && failpoint != NULL)
            return false;
        cr_assert(clock_monotonic_us() < until_us, "%s is not ready", engine->name);
        process_pause(20);
    }
    if (!process_running(&world->shop.process, NULL))
        world_shop_start(world); /* not before its consumers exist */
    return true;
}

int world_serve_in_vain(struct world *world, uint32_t index)
{
    struct process *process = &world->engines[index].program.process;
    int status = 0;
    launch(world, &world->engines[index], NULL);
    bool ended = process_wait(process, WORLD_PATIENCE_MS, &status);
    if (!ended || !WIFEXITED(status))
        show_file(process->log);
    cr_assert(ended && WIFEXITED(status), "%s does not end", world->engines[index].name);
    return WEXITSTATUS(status);
}

bool world_await_death(struct world *world, uint32_t engine, int timeout_ms)
{
    return process_wait(&world->engines[engine].program.process, timeout_ms, NULL);
}

/* R2: nobody leaves with a report of a sanitizer or a failed check. */
static void read_log_of_engine(struct world *world, uint32_t index)
{
    static const char *const bad[] = {"AddressSanitizer", "LeakSanitizer", "runtime error:", "check failed"};
    char line[4096];
    FILE *file = fopen(world->engines[index].program.process.log, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
            if (strstr(line, bad[i]) != NULL) {
                show_file(world->engines[index].program.process.log);
                cr_assert_fail("%s: %s", world->engines[index].name, line);
            }
    if (file != NULL)
        (void)fclose(file);
}

void world_stop(struct world *world, uint32_t index)
{
    struct process *process = &world->engines[index].program.process;
    int status = 0;
    if (!process_running(process, NULL))
        return;
    kill(process->pid, SIGTERM);
    bool ended = process_wait(process, WORLD_PATIENCE_MS, &status);
    if (!ended || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        show_file(process->log);
    cr_assert(ended, "%s does not end", world->engines[index].name);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s ended with %d", world->engines[index].name,
              status);
    read_log_of_engine(world, index);
}

void world_kill(struct world *world, uint32_t engine)
{
    process_kill(&world->engines[engine].program.process);
}

/* --- the client ---------------------------------------------------------------------------------------- */

struct client_answer world_get(struct world *world, uint32_t engine, const char *target)
{
    return client_get(world->engines[engine].port, &world->arena, target);
}

struct client_answer world_post(struct world *world, uint32_t engine, const char *target, struct str body)
{
    return client_post(world->engines[engine].port, &world->arena, target, body);
}

static void put_hows(struct buf *out, const char *member, const char *const hows[WORLD_STEPS])
{
    buf_printf(out, ",\"%s\":{", member);
    for (int i = 0; i < WORLD_STEPS; i++)
        buf_printf(out, "%s\"%c\":\"%s\"", i > 0 ? "," : "", 'a' + i, hows[i] == NULL ? "ok" : hows[i]);
    buf_char(out, '}');
}

struct str world_input(struct world *world, const struct world_plan *plan, uint32_t number)
{
    struct buf out;
    buf_init(&out, &world->arena);
    buf_printf(&out, "{\"n\":%u", number);
    put_hows(&out, "how", plan->how);
    put_hows(&out, "undo", plan->undo);
    buf_printf(&out, "%s}", plan->more == NULL ? "" : plan->more);
    return buf_str(&out);
}

struct client_answer world_start_with(struct world *world, uint32_t engine, const char *definition,
                                      struct str key, struct str input)
{
    struct buf body;
    buf_init(&body, &world->arena);
    buf_printf(&body, "{\"definition\":\"%s\",", definition);
    if (key.size > 0)
        buf_printf(&body, "\"key\":\"%.*s\",", STR_ARG(key));
    buf_printf(&body, "\"input\":%.*s}", STR_ARG(input));
    struct client_answer answer = world_post(world, engine, "/v1/sagas", buf_str(&body));
    *facts_add_start(&world->facts) =
        (struct facts_start){.definition = arena_copy(&world->arena, str_from(definition)),
                             .key = key,
                             .input = input,
                             .status = answer.status,
                             .id = json_get_str(answer.json, STR("id"))};
    return answer;
}

struct str world_start(struct world *world, uint32_t engine, const struct world_plan *plan)
{
    uint32_t number = world->number++;
    struct str key = arena_printf(&world->arena, "key-%u", number);
    struct client_answer answer =
        world_start_with(world, engine, plan->definition, key, world_input(world, plan, number));
    return json_get_str(answer.json, STR("id"));
}

static struct client_answer operate(struct world *world, uint32_t engine, struct str id, const char *verb,
                                    const char *route, const char *more)
{
    struct arena *arena = &world->arena;
    struct str reason = arena_printf(arena, "reason %u of %s", world->facts.verb_count + 1, verb);
    struct str target = arena_printf(arena, "/v1/sagas/%.*s/%s", STR_ARG(id), route);
    struct str body =
        arena_printf(arena, "{\"actor\":\"olga\",\"reason\":\"%.*s\"%s}", STR_ARG(reason), more);
    struct client_answer answer = world_post(world, engine, target.data, body);
    *facts_add_verb(&world->facts) = (struct facts_verb){.id = id,
                                                         .verb = arena_copy(arena, str_from(verb)),
                                                         .actor = STR("olga"),
                                                         .reason = reason,
                                                         .status = answer.status};
    return answer;
}

struct client_answer world_verb(struct world *world, uint32_t engine, struct str id, const char *verb,
                                const char *more)
{
    return operate(world, engine, id, verb, verb, more);
}

struct client_answer world_move(struct world *world, uint32_t engine, struct str id, struct str step,
                                const char *due)
{
    struct str more = arena_printf(&world->arena, ",\"step\":\"%.*s\",\"due\":\"%s\"", STR_ARG(step), due);
    return operate(world, engine, id, "move", "timers", more.data);
}

struct client_answer world_signal_key(struct world *world, uint32_t engine, const struct facts_signal *signal,
                                      const char *event)
{
    struct str text = arena_printf(&world->arena,
                                   "{\"event\":\"%s\",\"definition\":\"%.*s\",\"key\":\"%.*s\",\"id\":\"%.*"
                                   "s\",\"body\":{\"word\":\"%.*s\"}}",
                                   event, STR_ARG(signal->definition), STR_ARG(signal->key),
                                   STR_ARG(signal->id), STR_ARG(signal->id));
    struct client_answer answer = world_post(world, engine, "/v1/signals", text);
    struct facts_signal *noted = facts_add_signal(&world->facts);
    *noted = *signal;
    noted->status = answer.status;
    return answer;
}

struct client_answer world_signal(struct world *world, uint32_t engine, struct str id, const char *signal,
                                  const char *body)
{
    struct arena *arena = &world->arena;
    struct str target = arena_printf(arena, "/v1/sagas/%.*s/signals", STR_ARG(id));
    struct str text =
        arena_printf(arena, "{\"event\":\"guest.said\",\"body\":%s,\"id\":\"%s\"}", body, signal);
    struct client_answer answer = world_post(world, engine, target.data, text);
    *facts_add_signal(&world->facts) =
        (struct facts_signal){.saga = id, .id = arena_copy(arena, str_from(signal)), .status = answer.status};
    return answer;
}

/* --- waiting ------------------------------------------------------------------------------------------- */

struct asked {
    PGconn *connection;
    const char *sql;
};

/* The server may be down for a while: then the answer is no. */
static bool is_true(void *context)
{
    struct asked *asked = context;
    if (PQstatus(asked->connection) != CONNECTION_OK)
        PQreset(asked->connection);
    PGresult *result = PQexec(asked->connection, asked->sql);
    bool yes = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
               PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return yes;
}

static bool query_comes_true(struct world *world, const char *sql, int timeout_ms)
{
    struct asked asked = {PQconnectdb(world->database), sql};
    bool yes = harness_await(is_true, &asked, timeout_ms);
    PQfinish(asked.connection);
    return yes;
}

static void show_engines(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_ENGINES; i++)
        if (world->engines[i].program.process.log[0] != '\0')
            show_file(world->engines[i].program.process.log);
}

void world_await_query(struct world *world, const char *sql, int timeout_ms)
{
    bool yes = query_comes_true(world, sql, timeout_ms);
    if (!yes)
        show_engines(world);
    cr_assert(yes, "never true: %s", sql);
}

void world_await_status(struct world *world, struct str id, const char *status)
{
    struct str sql =
        arena_printf(&world->arena, "select status = '%s' from saga where id = '%.*s'", status, STR_ARG(id));
    cr_assert_gt(id.size, 0, "no saga was started that could be %s", status);
    if (query_comes_true(world, sql.data, WORLD_PATIENCE_MS))
        return;
    struct str history = arena_printf(&world->arena, "/v1/sagas/%.*s/history", STR_ARG(id));
    struct client_answer answer = world_get(world, 0, history.data);
    show_engines(world);
    cr_assert_fail("saga %.*s is %.*s instead of %s: %.*s", STR_ARG(id), STR_ARG(world_status(world, id)),
                   status, STR_ARG(answer.body));
}

/* Commands that the shop, since it was last started, has taken and not finished. */
static long shop_busy(struct world *world, const char *participant)
{
    char path[PROCESS_PATH_SIZE];
    char file[32];
    char line[8192];
    long busy = 0;
    snprintf(file, sizeof file, "%s.log", participant);
    FILE *log = fopen(join(path, world->harness.dir, file), "re");
    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        if (strstr(line, "\"what\":\"born\"") != NULL)
            busy = 0;
        busy += strstr(line, "\"what\":\"recv\"") != NULL;
        busy -= strstr(line, "\"what\":\"over\"") != NULL;
    }
    if (log != NULL)
        (void)fclose(log);
    return busy;
}

static const char at_rest[] = "select count(*) = 0 from saga where ended_at is null and status <> 'parked'";

/* In this order: what a participant says late opens a saga again. */
static bool is_quiet(void *context)
{
    struct world *world = context;
    for (size_t i = 0; i < PARTICIPANTS; i++)
        if (shop_busy(world, participants[i]) != 0)
            return false;
    if (world_stream_count(world, "SAGA_REPLY") != 0 || world_stream_count(world, "SAGA_IN") != 0)
        return false;
    return query_comes_true(world, at_rest, 0);
}

bool world_at_rest(struct world *world)
{
    return query_comes_true(world, at_rest, 0) && world_stream_count(world, "SAGA_CMD") == 0 &&
           is_quiet(world);
}

bool world_is_idle(struct world *world)
{
    for (size_t i = 0; i < PARTICIPANTS; i++)
        if (shop_busy(world, participants[i]) != 0)
            return false;
    return world_stream_count(world, "SAGA_REPLY") == 0;
}

void world_await_rest(struct world *world, int timeout_ms)
{
    world_await_query(world, at_rest, timeout_ms);
    bool quiet = harness_await(is_quiet, world, timeout_ms);
    if (!quiet) {
        world_stream_show(world, "SAGA_REPLY");
        world_stream_show(world, "SAGA_IN");
        show_engines(world);
    }
    cr_assert(quiet, "not quiet: %ld, %ld, %ld commands, %llu replies", shop_busy(world, participants[0]),
              shop_busy(world, participants[1]), shop_busy(world, participants[2]),
              (unsigned long long)world_stream_count(world, "SAGA_REPLY"));
}

void world_await_ready(struct world *world, uint32_t engine, int status)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)WORLD_PATIENCE_MS * 1000;
    int found = 0;
    while ((found = world_get(world, engine, "/readyz").status) != status) {
        if (clock_monotonic_us() > until_us)
            show_engines(world);
        cr_assert(clock_monotonic_us() < until_us, "readyz is %d instead of %d", found, status);
        process_pause(20);
    }
}

static void read_logs(struct world *world, struct facts *facts)
{
    char path[PROCESS_PATH_SIZE];
    char file[32];
    for (size_t i = 0; i < PARTICIPANTS; i++) {
        snprintf(file, sizeof file, "%s.log", participants[i]);
        facts_read_log(facts, join(path, world->harness.dir, file), participants[i]);
    }
}

struct counted {
    struct world *world;
    const char *what;
    const char *kind;
    uint32_t wanted;
};

static bool are_so_many(void *context)
{
    struct counted *counted = context;
    struct arena arena;
    struct facts facts;
    uint32_t found = 0;
    arena_init(&arena, 0);
    facts_init(&facts, &arena);
    read_logs(counted->world, &facts);
    for (uint32_t i = 0; i < facts.line_count; i++)
        found += str_equal(facts.lines[i].what, str_from(counted->what)) &&
                 (counted->kind == NULL || str_equal(facts.lines[i].kind, str_from(counted->kind)));
    arena_fini(&arena);
    return found >= counted->wanted;
}

void world_await_lines(struct world *world, const char *what, const char *kind, uint32_t count)
{
    struct counted counted = {world, what, kind, count};
    bool yes = harness_await(are_so_many, &counted, WORLD_PATIENCE_MS);
    if (!yes)
        show_engines(world);
    cr_assert(yes, "there are no %u lines %s in the participants' logs", count, what);
}

/* --- judging ------------------------------------------------------------------------------------------- */

int world_sagactl(struct world *world, const char *const *arguments)
{
    struct err_note note = {""};
    const char *argv[16] = {SAGA_BINARY_DIR "/engine/sagactl/sagactl"};
    char log[PROCESS_PATH_SIZE];
    size_t count = 1;
    for (; *arguments != NULL; arguments++)
        argv[count++] = *arguments;
    join(log, world->harness.dir, "sagactl.log");
    if (process_run(argv, NULL, log, COMMAND_MS, &note) == ERR_OK)
        return 0;
    show_file(log);
    return 1;
}

static void replay_and_doctor(struct world *world)
{
    const char *replay[] = {"replay", "--all", "--database", world->database, NULL};
    const char *doctor[] = {"doctor", "--database", world->database, NULL};
    cr_assert_eq(world_sagactl(world, replay), 0, "S25: sagactl replay --all finds a difference");
    cr_assert_eq(world_sagactl(world, doctor), 0, "L2: sagactl doctor finds sagas that wait for nothing");
}

/* Its last acknowledgements leave with it, and nothing is said behind the engines' back. */
static void stop_shop(struct world *world)
{
    struct err_note note = {""};
    must(process_stop(&world->shop.process, SIGTERM, WORLD_PATIENCE_MS, &note), &note);
}

void world_judge(struct world *world)
{
    struct buf report;
    stop_shop(world);
    for (uint32_t i = 0; i < WORLD_ENGINES; i++) {
        world->facts.drained |= process_running(&world->engines[i].program.process, NULL);
        world_stop(world, i);
    }
    read_logs(world, &world->facts);
    facts_read_database(&world->facts, world->database);
    buf_init(&report, &world->arena);
    uint32_t problems = checker_run(&world->facts, &report);
    if (problems > 0)
        show_engines(world);
    cr_assert_eq(problems, 0, "the checker found %u problems:\n%.*s", problems, STR_ARG(buf_str(&report)));
    replay_and_doctor(world);
}
