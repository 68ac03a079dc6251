/* What the programs say without any server: help, wrong usage, what is not there. */
#include <criterion/criterion.h>
#include <sys/stat.h>
#include "tests/programs/stand.h"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand);
    unsetenv("SAGAD_URL");
    unsetenv("SAGAD_DATABASE");
}

static void close_stand(void)
{
    stand_close(&stand);
}

TestSuite(usage, .init = open_stand, .fini = close_stand);

/* A call that is refused: its exit code, and parts of what it says on stderr; nothing on stdout. */
struct refusal {
    const char *line;
    int code;
    const char *says[3];
};

static void expect(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct refusal *refusal = &refusals[i];
        struct stand_result result = stand_run(&stand, "%s", refusal->line);
        cr_expect_eq(result.code, refusal->code, "%s: exit %d: %.*s", refusal->line, result.code,
                     STR_ARG(result.err));
        cr_expect_eq(result.out.size, 0, "%s: stdout: %.*s", refusal->line, STR_ARG(result.out));
        for (size_t k = 0; k < 3 && refusal->says[k] != NULL; k++)
            cr_expect(stand_has(result.err, refusal->says[k]), "%s: lacks \"%s\": %.*s", refusal->line,
                      refusal->says[k], STR_ARG(result.err));
    }
}

Test(usage, sagad_refuses_what_it_does_not_understand)
{
    static const struct refusal refusals[] = {
        {"sagad migrte", 2, {"there is no command \"migrte\": did you mean \"migrate\"?"}},
        {"sagad dance", 2, {"there is no command \"dance\"; see sagad --help"}},
        {"sagad --databse x", 2, {"no option --databse: did you mean --database?"}},
        {"sagad dev --http-adress x", 2, {"did you mean --http-address?"}},
        {"sagad dev --dta x", 2, {"did you mean --data?"}},
        {"sagad migrate --data x", 2, {"sagad migrate: there is no option --data"}},
        {"sagad settings --database x", 2, {"sagad settings: there is no option --database"}},
        {"sagad migrate --shards", 2, {"--shards needs a value"}},
        {"sagad dev extra", 2, {"\"extra\" is not expected here"}},
        {"sagad dev --database postgresql:///x", 2, {"--database has no use here", "sagad serve"}},
        {"sagad dev --nats=nats://127.0.0.1:1", 2, {"--nats has no use here"}},
    };
    expect(refusals, sizeof refusals / sizeof refusals[0]);
}

Test(usage, sagad_refuses_wrong_settings)
{
    static const struct refusal refusals[] = {
        {"sagad --http-address 0.0.0.0:8080", 3, {"http_address", "is not a loopback address", "proxy"}},
        {"sagad serve --lease=1", 3, {"--lease", "a duration from 1s to 10m"}},
        {"sagad migrate --shards 0", 3, {"--shards takes a whole number from 1 to 4096, not \"0\""}},
        {"sagad migrate --shards=x", 3, {"not \"x\""}},
        {"sagad --config /no/such/file", 3, {"/no/such/file", "No such file"}},
        {"sagad migrate --database postgresql://127.0.0.1:1/x", 1, {"no connection to PostgreSQL"}},
    };
    expect(refusals, sizeof refusals / sizeof refusals[0]);
}

Test(usage, sagad_shows_all_mistakes_of_a_configuration_file)
{
    stand_write(&stand, "wrong.yaml", STR("lease: 1\ndatabse: x\n"));
    struct stand_result result = stand_run(&stand, "sagad --config %s/wrong.yaml", stand.dir);
    cr_expect_eq(result.code, 3);
    cr_expect(stand_has(result.err, "wrong.yaml:1:"), "%.*s", STR_ARG(result.err));
    cr_expect(stand_has(result.err, "did you mean \"database\"?"), "%.*s", STR_ARG(result.err));
}

Test(usage, sagad_settings_are_a_file_it_takes)
{
    struct stand_result settings = stand_run(&stand, "sagad settings");
    cr_assert_eq(settings.code, 0);
    cr_expect(stand_has(settings.out, "http_address"));
    stand_write(&stand, "sagad.yaml", settings.out);
    struct stand_result result = stand_run(
        &stand, "sagad migrate --config %s/sagad.yaml --database postgresql://127.0.0.1:1/x", stand.dir);
    cr_expect_eq(result.code, 1, "%.*s", STR_ARG(result.err));
}

Test(usage, sagactl_refuses_what_it_does_not_understand)
{
    static const struct refusal refusals[] = {
        {"sagactl watchh", 2, {"did you mean \"watch\"?"}},
        {"sagactl tango", 2, {"there is no command \"tango\"; see sagactl --help"}},
        {"sagactl start order --inpt x", 2, {"sagactl start", "did you mean --input?"}},
        {"sagactl list --frobnicate", 2, {"there is no option --frobnicate"}},
        {"sagactl list -x", 2, {"two dashes"}},
        {"sagactl list --limit", 2, {"--limit needs a value"}},
        {"sagactl list --json=1", 2, {"--json takes no value"}},
        {"sagactl list extra", 2, {"usage: sagactl list"}},
        {"sagactl list --search x", 2, {"NAME=VALUE"}},
        {"sagactl get", 2, {"usage: sagactl get ID"}},
        {"sagactl get 7", 2, {"\"7\" is no saga id"}},
        {"sagactl history 7", 2, {"\"7\" is no saga id"}},
        {"sagactl signal", 2, {"usage: sagactl signal [ID] EVENT"}},
        {"sagactl signal paid", 2, {"usage: sagactl signal [ID] EVENT"}},
        {"sagactl signal 7 paid", 2, {"\"7\" is no saga id"}},
        {"sagactl signal paid --key k", 2, {"by ID, or by --definition NAME and --key KEY"}},
        {"sagactl signal paid --key k --definition d --body {", 2, {"--body is not JSON"}},
        {"sagactl timers", 2, {"usage: sagactl timers ID"}},
        {"sagactl timer 01a1fe2a-b70a-73fa-b9ad-b3862380400f",
         2,
         {"one of --fire, --at TIME and --in DURATION"}},
        {"sagactl timer 01a1fe2a-b70a-73fa-b9ad-b3862380400f a --fire --in 5s",
         2,
         {"one of --fire, --at TIME and --in DURATION"}},
        {"sagactl watch 7", 2, {"\"7\" is no saga id"}},
        {"sagactl cancel 7", 2, {"\"7\" is no saga id"}},
        {"sagactl watch 01a1fe2a-b70a-73fa-b9ad-b3862380400f --timeout x", 2, {"a duration like 30s"}},
        {"sagactl terminate 01a1fe2a-b70a-73fa-b9ad-b3862380400f", 2, {"--reason is needed"}},
        {"sagactl skip 01a1fe2a-b70a-73fa-b9ad-b3862380400f", 2, {"--reason is needed"}},
        {"sagactl force 01a1fe2a-b70a-73fa-b9ad-b3862380400f --reason r", 2, {"--result is needed"}},
        {"sagactl start order --version x", 2, {"--version takes a whole number"}},
        {"sagactl start order --input {", 2, {"--input is not JSON"}},
        {"sagactl start order --input @/no/such/file", 2, {"cannot read /no/such/file"}},
        {"sagactl replay", 2, {"say which sagas"}},
        {"sagactl replay --file /dev/null", 1, {"/dev/null is empty: there is no saga to replay"}},
        {"sagactl replay --all --until 0", 2, {"--until takes a number from 1"}},
        {"sagactl doctor extra", 2, {"usage: sagactl doctor"}},
    };
    expect(refusals, sizeof refusals / sizeof refusals[0]);
}

static size_t lines(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n';
    return count;
}

Test(usage, a_service_that_is_not_there_is_said_in_one_line)
{
    static const char *const calls[] = {"list",
                                        "start order",
                                        "definitions",
                                        "dead-letters",
                                        "get 01a1fe2a-b70a-73fa-b9ad-b3862380400f",
                                        "watch 01a1fe2a-b70a-73fa-b9ad-b3862380400f",
                                        "cancel 01a1fe2a-b70a-73fa-b9ad-b3862380400f"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct stand_result result = stand_run(&stand, "sagactl %s --url http://127.0.0.1:1", calls[i]);
        cr_expect_eq(result.code, 3, "%s", calls[i]);
        cr_expect_eq(lines(result.err), 1, "%.*s", STR_ARG(result.err));
        cr_expect(stand_has(result.err, "no answer from http://127.0.0.1:1"));
        cr_expect(stand_has(result.err, "is sagad running there?"));
    }
    struct stand_result doctor = stand_run(&stand, "sagactl doctor --database postgresql://127.0.0.1:1/x");
    cr_expect_eq(doctor.code, 3);
    cr_expect_eq(lines(doctor.err), 1, "%.*s", STR_ARG(doctor.err));
}

Test(usage, every_page_of_help_tells_the_exit_codes)
{
    static const char *const commands[] = {
#define X(name, function, arguments, options, sentence, json) name,
#include "engine/sagactl/commands.def"
#undef X
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct stand_result result = stand_run(&stand, "sagactl %s --help", commands[i]);
        cr_expect_eq(result.code, 0, "%s", commands[i]);
        cr_expect(stand_has(result.out, "usage: sagactl "), "%s", commands[i]);
        cr_expect(stand_has(result.out, "Exit codes:"), "%s", commands[i]);
        cr_expect(stand_has(result.out, "With --json: "), "%s", commands[i]);
        struct stand_result all = stand_run(&stand, "sagactl --help");
        cr_expect(stand_has(all.out, commands[i]), "%s", commands[i]);
    }
    struct stand_result sagad = stand_run(&stand, "sagad dev --help");
    cr_expect(stand_has(sagad.out, "sagad migrate") && stand_has(sagad.out, "Exit codes:"));
    cr_expect_eq(stand_run(&stand, "sagactl").code, 2);
    cr_expect(stand_has(stand_run(&stand, "sagad --version").out, "sagad "));
    cr_expect(stand_has(stand_run(&stand, "sagactl version").out, "sagactl "));
}

/* A password on the command line works, is warned of, and stands in nothing that is printed. */
Test(usage, secrets_are_not_printed)
{
    static const char *const calls[] = {
        "sagad migrate --database postgresql://u:hunter2@127.0.0.1:1/db",
        "sagad migrate --database=postgresql://u:hunter2@127.0.0.1:1/db",
        "sagad migrate --database 'host=127.0.0.1 port=1 password=hunter2'",
        "sagad migrate --database 'host=127.0.0.1 port=1 password hunter2'",
        "sagad migrate --database postgresql://u:x@hunter2@127.0.0.1:1/db",
        "sagad migrate --database postgresql://u:hunter2@127.0.0.1:port/db",
        "sagactl doctor --database postgresql://u:hunter2@127.0.0.1:1/db",
        "sagactl doctor --database 'password=hunter2 port'",
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct stand_result result = stand_run(&stand, "%s", calls[i]);
        cr_expect_neq(result.code, 0, "%s", calls[i]);
        cr_expect_not(stand_has(result.err, "hunter2"), "%s: %.*s", calls[i], STR_ARG(result.err));
        cr_expect_not(stand_has(result.out, "hunter2"), "%s: %.*s", calls[i], STR_ARG(result.out));
        cr_expect(stand_has(result.err, "command line") || stand_has(result.err, "secret_on_command_line"),
                  "%s: %.*s", calls[i], STR_ARG(result.err));
    }
}

Test(usage, secret_files_that_are_open_are_warned_of)
{
    stand_write(&stand, "open.yaml", STR("database: postgresql://u:hunter2@127.0.0.1:1/db\n"));
    const char *path = arena_printf(&stand.arena, "%s/open.yaml", stand.dir).data;
    cr_assert_eq(chmod(path, 0644), 0);
    struct stand_result open = stand_run(&stand, "sagad migrate --config %s", path);
    cr_expect(stand_has(open.err, "event=secret_file_open") && stand_has(open.err, "open.yaml"), "%.*s",
              STR_ARG(open.err));
    cr_expect_not(stand_has(open.err, "hunter2"), "%.*s", STR_ARG(open.err));
    cr_assert_eq(chmod(path, 0640), 0);
    cr_expect_not(stand_has(stand_run(&stand, "sagad migrate --config %s", path).err, "secret_file_open"));
}

Test(usage, validate_shows_places_and_tells_by_its_exit_code)
{
    const char *good = SAGA_SOURCE_DIR "/definitions/examples/order.yaml";
    stand_write(&stand, "bad.yaml", STR("saga: bad\nversion: 1\nstepss: []\n"));
    struct stand_result fine = stand_run(&stand, "sagactl validate %s", good);
    cr_expect_eq(fine.code, 0, "%.*s", STR_ARG(fine.err));
    cr_expect(stand_has(fine.out, "order version 1"), "%.*s", STR_ARG(fine.out));
    struct stand_result bad = stand_run(&stand, "sagactl validate %s %s/bad.yaml", good, stand.dir);
    cr_expect_eq(bad.code, 1);
    cr_expect(stand_has(bad.out, "bad.yaml:3:1: error:"), "%.*s", STR_ARG(bad.out));
    struct stand_result json = stand_run(&stand, "sagactl validate --json %s/bad.yaml", stand.dir);
    const struct json *diags = stand_json(&stand, json);
    cr_assert_not_null(diags, "%.*s", STR_ARG(json.out));
    cr_assert_eq(diags->kind, JSON_ARRAY);
    cr_assert_gt(diags->count, 0);
    cr_expect(json_get(diags->items[0], STR("line")) != NULL);
    struct stand_result two = stand_run(&stand, "sagactl validate --json %s %s/bad.yaml", good, stand.dir);
    cr_expect_not_null(stand_json(&stand, two), "%.*s", STR_ARG(two.out));
    stand_write(&stand, "tight.yaml",
                STR("saga: tight\nversion: 1\ntimeout: 1s\nsteps:\n"
                    "- { id: a, command: shop.ok, timeout: 2s, compensate: none }\n"));
    struct stand_result tight = stand_run(&stand, "sagactl validate %s/tight.yaml", stand.dir);
    cr_expect_eq(tight.code, 0, "a warning refuses nothing");
    cr_expect(stand_has(tight.out, "tight.yaml:3:10: warning:"), "%.*s", STR_ARG(tight.out));
    cr_expect_eq(stand_run(&stand, "sagactl validate /no/such/file").code, 1);
}
