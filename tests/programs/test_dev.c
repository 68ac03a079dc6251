/* `sagad dev` as a user has it: it starts, is killed, loses its servers, is told to reload, ends. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/programs/stand.h"

enum { CHILDREN_MAX = 16 };

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand);
}

static void close_stand(void)
{
    stand_close(&stand);
}

TestSuite(dev, .init = open_stand, .fini = close_stand, .timeout = 240);

/* The direct children of the process whose command begins so; their number. */
static int children(int pid, const char *command, int found[CHILDREN_MAX])
{
    char path[64], line[512] = "";
    int count = 0, child = 0, used = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    (void)!fgets(line, sizeof line, file);
    fclose(file);
    for (const char *at = line; sscanf(at, "%d%n", &child, &used) == 1 && count < CHILDREN_MAX; at += used) {
        char comm[64] = "";
        snprintf(path, sizeof path, "/proc/%d/comm", child);
        FILE *name = fopen(path, "r");
        if (name == NULL)
            continue;
        if (fgets(comm, sizeof comm, name) != NULL && strncmp(comm, command, strlen(command)) == 0)
            found[count++] = child;
        fclose(name);
    }
    return count;
}

static int only_child(const char *command)
{
    int found[CHILDREN_MAX];
    int count = children(stand.dev.process.pid, command, found);
    cr_assert_eq(count, 1, "%d children are %s", count, command);
    return found[0];
}

static bool is_dead(void *context)
{
    return !stand_lives(*(int *)context);
}

struct other {
    const char *command;
    int than;
};

static bool has_other(void *context)
{
    const struct other *other = context;
    int found[CHILDREN_MAX];
    return children(stand.dev.process.pid, other->command, found) == 1 && found[0] != other->than;
}

static bool is_ready(void *context)
{
    (void)context;
    struct stand_result result = stand_run(&stand, "sagactl start plain --wait 0s");
    return result.code != 3;
}

static struct str start_one(const char *key)
{
    struct stand_result result = stand_run(&stand, "sagactl start plain --key %s", key);
    cr_assert_eq(result.code, 0, "%.*s", STR_ARG(result.err));
    return str_trim(result.out);
}

Test(dev, says_where_it_is_and_leaves_nothing_behind)
{
    stand_dev(&stand);
    int postgres = only_child("postgres"), nats = only_child("nats-server");
    struct str ready = stand_read(&stand, stand.dev.stdout_path);
    cr_expect_eq(str_find(ready, '\n'), ready.size - 1, "one line only: %.*s", STR_ARG(ready));
    cr_expect_str_eq(harness_query(stand.postgres, "select 1"), "1");
    const char *env = arena_printf(&stand.arena,
                                   "export SAGAD_URL='%s'\nexport SAGAD_NATS='%s'\nexport "
                                   "SAGAD_DATABASE='%s'\n",
                                   stand.url, stand.nats, stand.postgres)
                          .data;
    cr_expect(str_equal(stand_read(&stand, "data/env"), str_from(env)), "data/env says otherwise");
    struct stat about;
    cr_assert_eq(stat(arena_printf(&stand.arena, "%s/data/env", stand.dir).data, &about), 0);
    cr_expect_eq(about.st_mode & 0777, 0600, "data/env is for its owner: %o", about.st_mode & 0777);
    cr_expect_eq(stand_dev_stop(&stand), 0);
    cr_expect_not(stand_lives(postgres));
    cr_expect_not(stand_lives(nats));
}

Test(dev, survives_kill_9_with_its_data)
{
    stand_dev(&stand);
    int postgres = only_child("postgres"), nats = only_child("nats-server");
    struct str id = start_one("k1");
    kill(stand.dev.process.pid, SIGKILL);
    cr_assert(process_wait(&stand.dev.process, STAND_PATIENCE_MS, NULL));
    cr_expect(harness_await(is_dead, &postgres, STAND_PATIENCE_MS), "PostgreSQL outlives sagad");
    cr_expect(harness_await(is_dead, &nats, STAND_PATIENCE_MS), "nats-server outlives sagad");
    stand_dev(&stand);
    struct stand_result get = stand_run(&stand, "sagactl get %.*s", STR_ARG(id));
    cr_expect_eq(get.code, 0, "%.*s", STR_ARG(get.err));
    struct stand_result again = stand_run(&stand, "sagactl start plain --key k1");
    cr_expect_eq(again.code, 5, "%.*s", STR_ARG(again.err));
    cr_expect(str_equal(str_trim(again.out), id), "the key is forgotten: %.*s", STR_ARG(again.out));
}

Test(dev, starts_a_killed_server_again)
{
    static const char *const commands[] = {"postgres", "nats-server"};
    stand_dev(&stand);
    for (size_t i = 0; i < 2; i++) {
        struct other other = {commands[i], only_child(commands[i])};
        kill(other.than, SIGKILL);
        cr_expect(harness_await(has_other, &other, STAND_PATIENCE_MS), "no new %s", commands[i]);
        cr_expect(harness_await(is_ready, NULL, STAND_PATIENCE_MS), "no start after %s was killed",
                  commands[i]);
    }
}

Test(dev, takes_a_relative_folder)
{
    struct harness_program program;
    char line[3 * SERVERS_URL_SIZE];
    struct str command = arena_printf(&stand.arena,
                                      "cd %s && exec %s/engine/sagad/sagad dev --data some/where "
                                      "--http-address 127.0.0.1:0",
                                      stand.dir, SAGA_BINARY_DIR);
    const char *argv[] = {"/bin/sh", "-c", command.data, NULL};
    harness_launch(&program, stand.dir, "relative", argv, NULL);
    cr_expect(harness_await_line(&program, "ready ", line, sizeof line, STAND_PATIENCE_MS), "%.*s",
              STR_ARG(stand_read(&stand, program.process.log)));
    kill(program.process.pid, SIGTERM);
    cr_expect(process_wait(&program.process, STAND_PATIENCE_MS, NULL));
    cr_expect_eq(access(arena_printf(&stand.arena, "%s/some/where/postgres", stand.dir).data, F_OK), 0);
}

struct said {
    const char *what;
    size_t times;
};

static bool is_said(void *context)
{
    const struct said *said = context;
    struct str log = stand_read(&stand, stand.dev.process.log);
    size_t times = 0;
    for (size_t i = 0; i + strlen(said->what) <= log.size; i++)
        times += strncmp(log.data + i, said->what, strlen(said->what)) == 0;
    return times >= said->times;
}

static const char good[] =
    "saga: good\nversion: 1\nsteps:\n  - id: a\n    command: nobody.a\n    compensate: none\n";

Test(dev, a_bad_file_leaves_what_was_loaded)
{
    struct err_note note = {""};
    const char *folder = arena_printf(&stand.arena, "%s/definitions", stand.dir).data;
    const char *make[] = {"/bin/mkdir", folder, NULL};
    cr_assert_eq(process_run(make, NULL, "/dev/null", STAND_PATIENCE_MS, &note), ERR_OK, "%s", note.text);
    stand_write(&stand, "definitions/good.yaml", STR(good));
    stand.definitions = folder;
    stand_dev(&stand);
    stand_write(&stand, "definitions/good.yaml", STR("saga: good\nversion: 1\nstepss: []\n"));
    stand_write(
        &stand, "definitions/more.yaml",
        STR("saga: more\nversion: 1\nsteps:\n  - id: a\n    command: nobody.a\n    compensate: none\n"));
    kill(stand.dev.process.pid, SIGHUP);
    struct said said = {"good=1 bad=1", 1};
    cr_assert(harness_await(is_said, &said, STAND_PATIENCE_MS), "%.*s",
              STR_ARG(stand_read(&stand, stand.dev.process.log)));
    struct said mistake = {"good.yaml:3:1: error:", 1};
    cr_expect(is_said(&mistake));
    struct stand_result list = stand_run(&stand, "sagactl definitions");
    cr_expect(stand_has(list.out, "good") && stand_has(list.out, "more"), "%.*s", STR_ARG(list.out));
    cr_expect_eq(stand_run(&stand, "sagactl start good").code, 0);
    cr_expect_eq(stand_run(&stand, "sagactl start more").code, 0);
}

static void expect_datagram(int fd, const char *expected)
{
    char text[200];
    ssize_t size = recv(fd, text, sizeof text - 1, 0); /* the socket has a time limit */
    text[size < 0 ? 0 : size] = '\0';
    cr_expect_str_eq(text, expected);
}

Test(dev, tells_systemd_how_it_stands)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 60};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", stand.dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    stand_dev(&stand);
    expect_datagram(fd, "READY=1");
    kill(stand.dev.process.pid, SIGHUP);
    char text[200];
    ssize_t size = recv(fd, text, sizeof text - 1, 0);
    text[size < 0 ? 0 : size] = '\0';
    cr_expect(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27) == 0, "%s", text);
    expect_datagram(fd, "READY=1");
    cr_expect_eq(stand_dev_stop(&stand), 0);
    expect_datagram(fd, "STOPPING=1");
    close(fd);
}

Test(dev, migrates_once_and_says_what_an_empty_database_needs)
{
    char fresh[SERVERS_URL_SIZE];
    stand_dev(&stand);
    (void)harness_query(stand.postgres, "create database fresh");
    const char *slash = strrchr(stand.postgres, '/');
    snprintf(fresh, sizeof fresh, "%.*s/fresh", (int)(slash - stand.postgres), stand.postgres);
    struct stand_result early =
        stand_run(&stand, "sagad --database %s --nats %s --http-address 127.0.0.1:0", fresh, stand.nats);
    cr_expect_eq(early.code, 1);
    cr_expect(stand_has(early.err, "run `sagad migrate`"), "%.*s", STR_ARG(early.err));
    struct stand_result doctor = stand_run(&stand, "sagactl doctor --database %s", fresh);
    cr_expect_eq(doctor.code, 3);
    cr_expect(stand_has(doctor.err, "run `sagad migrate`"), "%.*s", STR_ARG(doctor.err));
    struct stand_result first = stand_run(&stand, "sagad migrate --shards 3 --database %s", fresh);
    cr_expect_eq(first.code, 0);
    cr_expect(stand_has(first.out, "applied"), "%.*s", STR_ARG(first.out));
    cr_expect_str_eq(harness_query(fresh, "select count(*) from shard"), "3");
    struct stand_result second = stand_run(&stand, "sagad migrate --database %s", fresh);
    cr_expect_eq(second.code, 0);
    cr_expect(stand_has(second.out, "the schema is up to date"), "%.*s", STR_ARG(second.out));
}
