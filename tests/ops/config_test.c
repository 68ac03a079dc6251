/* Settings: the later source wins, all mistakes at once with their places, secrets stay hidden, the manual is
 * a valid file. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/arena.h"
#include "engine/ops/config.h"
#include "engine/ops/log.h"

static struct arena arena;
static struct buf mistakes;
static struct config config;
static char path[] = "/tmp/saga-config-XXXXXX";

static void setup(void)
{
    arena_init(&arena, 0);
    buf_init(&mistakes, &arena);
    config_init(&config);
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
    arena_fini(&arena);
}

TestSuite(config, .init = setup, .fini = teardown);

static bool read_file(const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
    return config_read_file(&config, &arena, path, &mistakes);
}

/* The mistakes with the file's name cut off. */
static const char *said(void)
{
    static char text[8192];
    size_t size = 0;
    const char *all = buf_str(&mistakes).data;
    while (*all != '\0' && size < sizeof text - 1) {
        if (strncmp(all, path, strlen(path)) == 0) {
            all += strlen(path);
        }
        text[size++] = *all++;
    }
    text[size] = '\0';
    return text;
}

static void expect_said(const char *part)
{
    cr_expect_not_null(strstr(said(), part), "no \"%s\" in\n%s", part, said());
}

Test(config, defaults_are_complete)
{
    cr_assert_str_eq(config.database, "postgresql:///sagad");
    cr_assert_eq(config.runners, 1);
    cr_assert_eq(config.lease_us, 10000000);
    cr_assert_eq(config.drain_timeout_us, 20000000);
    cr_assert_eq(config.log_level, LOG_LEVEL_INFO);
    cr_assert_eq(config.log_format, LOG_FORMAT_LOGFMT);
    cr_assert_eq(config.batch_events, LIMITS_BATCH_EVENTS);
    cr_assert(config.events);
    cr_assert(config_finish(&config, &arena, &mistakes), "%s", said());
    char host[256] = "";
    cr_assert_eq(gethostname(host, sizeof host - 1), 0);
    cr_assert_eq(strncmp(config.instance, host, strlen(host)), 0);
}

Test(config, the_later_source_wins)
{
    char *environment[] = {(char *)"HOME=/",
                           (char *)"SAGAD_RUNNERS=3",
                           (char *)"SAGAD_LOG_LEVEL=debug",
                           (char *)"SAGAD_PORT_8080_TCP=tcp://10.0.0.1",
                           (char *)"SAGAD_FAILPOINT=x",
                           NULL};
    cr_assert(read_file("runners: 2\nlease: 5s\nevents: false\n# a remark\nlog_format: \"json\"\n"), "%s",
              said());
    cr_assert(config_read_environment(&config, &arena, environment, &mistakes), "%s", said());
    cr_assert(config_set(&config, &arena, "lease", "7s", "--lease", &mistakes), "%s", said());
    cr_assert_eq(config.runners, 3);
    cr_assert_eq(config.lease_us, 7000000);
    cr_assert(!config.events);
    cr_assert_eq(config.log_level, LOG_LEVEL_DEBUG);
    cr_assert_eq(config.log_format, LOG_FORMAT_JSON);
}

Test(config, addresses_may_be_a_list)
{
    cr_assert(read_file("nats:\n  - nats://a:4222\n  - nats://b:4222\n"), "%s", said());
    cr_assert_str_eq(config.nats, "nats://a:4222,nats://b:4222");
    cr_assert(config_finish(&config, &arena, &mistakes), "%s", said());
}

Test(config, an_empty_file_sets_nothing)
{
    cr_assert(read_file(""));
    cr_assert(read_file("# only a remark\n"));
    cr_assert(read_file("---\n...\n") == false);
    expect_said(":2:1: error: the file must be a mapping of settings");
}

Test(config, all_mistakes_are_shown_with_their_places)
{
    cr_assert(!read_file(
        "runers: 2\nlease: 5\nrunners: 1000\nevents: yes\nlog_level: loud\n"
        "shards_max: -1\nlease: 6s\ndatabase: [a]\ninstance: {a: [b, {c: d}]}\nruners2: [x, [y]]\n"));
    expect_said(":1:1: error: unknown setting \"runers\"");
    expect_said("hint: did you mean \"runners\"?");
    expect_said(":2:8: error: lease must be a duration from 1s to 10m, like 10s, not \"5\"");
    expect_said(":3:10: error: runners must be a whole number from 1 to 64, not \"1000\"");
    expect_said(":4:9: error: events must be true or false, not \"yes\"");
    expect_said(":5:12: error: log_level must be one of debug|info|warn|error, not \"loud\"");
    expect_said(":6:13: error: shards_max must be a whole number from 0 to 4096, not \"-1\"");
    expect_said(":7:1: error: lease is set twice");
    expect_said(":8:11: error: database must be a plain value");
    expect_said(":9:11: error: instance must be a plain value");
    expect_said(":10:1: error: unknown setting \"runers2\"");
}

/* Whatever is wrong with a line, its value may be a password. */
Test(config, no_mistake_quotes_a_value)
{
    static const char *const files[] = {
        "nats_pasword: hunter2\n",
        "nats_password: \"hunter2\n",
        "nats_password: [hunter2]\n",
        "nats_password: |\n  hunter2\n bad\n",
        "nats_password: x\nnats_password: hunter2\n",
        "databse: postgresql://u:hunter2@h/db\n",
        "nats:\n  - nats://u:hunter2@h:4222\n  - {a: b}\n",
        "nats_token:\thunter2: x\n",
        "hunter2\n",
        "- nats_password: hunter2\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        cr_expect(!read_file(files[i]), "%s is taken", files[i]);
        cr_expect(strstr(buf_str(&mistakes).data, "hunter2") == NULL, "%s: %s", files[i],
                  buf_str(&mistakes).data);
    }
}

Test(config, what_is_no_mapping_is_refused)
{
    cr_assert(!read_file("- a\n- b\n"));
    expect_said(":1:1: error: the file must be a mapping of settings");
    cr_assert(!read_file("runners: 2\n---\nrunners: 3\n"));
    expect_said("the file must hold one document");
    cr_assert(!read_file("runners: [\n"));
    expect_said("error: no YAML: ");
    cr_assert(!read_file("a: &x 1\nrunners: *x\n"));
    expect_said("runners must be a plain value");
    cr_assert(!read_file("? [a, b]\n: 1\nrunners: 2\n"));
    expect_said("a setting's name must be a plain word");
    cr_assert_eq(config.runners, 2);
}

Test(config, a_file_that_is_missing_or_too_long_is_a_mistake)
{
    static char big[LIMITS_CONFIG_BYTES + 2];
    memset(big, '#', sizeof big - 1);
    cr_assert(!read_file(big));
    expect_said("is longer than 64 KiB");
    unlink(path);
    cr_assert(!config_read_file(&config, &arena, path, &mistakes));
    expect_said(": cannot be read: No such file or directory");
}

Test(config, near_misses_in_the_environment_are_mistakes)
{
    char *environment[] = {(char *)"SAGAD_RUNERS=2", (char *)"SAGAD_LEASE=never", NULL};
    cr_assert(!config_read_environment(&config, &arena, environment, &mistakes));
    cr_assert_str_eq(said(),
                     "SAGAD_RUNERS: unknown setting \"runers\": did you mean \"runners\"?\n"
                     "SAGAD_LEASE: lease must be a duration from 1s to 10m, like 10s, not \"never\"\n");
}

Test(config, only_loopback_is_offered)
{
    static const char *const good[] = {"127.0.0.1:8080", "127.1.2.3:0", "localhost:80", "[::1]:8080"};
    static const char *const bad[] = {
        "0.0.0.0:8080", "10.0.0.1:80",      ":8080",     "8080",          "",
        "127.0.0.1",    "127.0.0.1:70000",  "[::]:8080", "example.org:1", "127.evil.org:80",
        "127.0.0.1:x",  "127.0.0.1.2:8080", "::1:8080"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        config.http_address = good[i];
        cr_expect(config_finish(&config, &arena, &mistakes), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.http_address = bad[i];
        cr_expect(!config_finish(&config, &arena, &mistakes), "%s", bad[i]);
    }
    expect_said("http_address: \"0.0.0.0:8080\" is not a loopback address with a port, like 127.0.0.1:8080. "
                "The API has no "
                "authentication yet, so it is not offered to other machines: put a proxy that authenticates "
                "in front of it\n");
}

Test(config, credentials_go_together)
{
    config.nats_user = "u";
    cr_assert(!config_finish(&config, &arena, &mistakes));
    expect_said("nats_user: nats_user and nats_password go together");
    config.nats_password = "p";
    cr_assert(config_finish(&config, &arena, &mistakes));
    config.nats_token = "t";
    cr_assert(!config_finish(&config, &arena, &mistakes));
    expect_said("nats: give one of nats_user, nats_creds_file and nats_token, not several");
}

Test(config, addresses_and_sizes_must_fit)
{
    config.nats = "nats://a:1,http://b";
    config.batch_events = 100;
    config.inbox_events = 50;
    cr_assert(!config_finish(&config, &arena, &mistakes));
    cr_assert_str_eq(
        said(),
        "nats: \"http://b\" is no NATS address, like nats://127.0.0.1:4222\n"
        "batch_events: batch_events must not be more than inbox_events: a batch is taken from the inbox\n");
}

Test(config, the_manual_is_a_file_of_the_defaults)
{
    struct buf manual;
    struct buf before;
    struct buf after;
    buf_init(&manual, &arena);
    buf_init(&before, &arena);
    buf_init(&after, &arena);
    config_help(&manual);
    config_print(&config, &before);
    cr_assert(read_file(buf_str(&manual).data), "%s", said());
    config_print(&config, &after);
    cr_assert_str_eq(buf_str(&before).data, buf_str(&after).data);
    cr_assert_not_null(strstr(buf_str(&manual).data,
                              "# Threads that run sagas, each with a database connection of its own.\n"
                              "# whole number from 1 to 64; environment SAGAD_RUNNERS\nrunners: 1\n"));
}

Test(config, secrets_are_not_shown)
{
    struct buf out;
    buf_init(&out, &arena);
    cr_assert(read_file("nats_user: u\nnats_password: hunter2\ndatabase: postgresql://x:hunter2@h/d\n"), "%s",
              said());
    config_print(&config, &out);
    cr_assert_null(strstr(buf_str(&out).data, "hunter2"));
    cr_assert_not_null(strstr(buf_str(&out).data, "nats_password: \"(hidden)\"\n"));
    cr_assert_not_null(strstr(buf_str(&out).data, "nats_token: \"\"\n"));
    cr_assert_not_null(strstr(buf_str(&out).data, "nats_user: \"u\"\n"));
}
