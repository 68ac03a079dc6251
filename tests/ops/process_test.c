/* Children: found, started, heard, ended. Servers are in tests/harness. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/ops/process.h"

static struct err_note note;
static char dir[] = "/tmp/saga-process-XXXXXX";
static char log_path[PROCESS_PATH_SIZE];

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(log_path, sizeof log_path, "%s/log", dir);
}

static void teardown(void)
{
    cr_assert_eq(process_remove_tree(dir, &note), ERR_OK);
    struct stat about;
    cr_assert_neq(stat(dir, &about), 0);
}

TestSuite(process, .init = setup, .fini = teardown);

Test(process, programs_are_found)
{
    char path[PROCESS_PATH_SIZE];
    cr_assert(process_find("sh", path) && path[0] == '/');
    cr_assert(process_find("/bin/sh", path));
    cr_assert(!process_find("/bin", path));
    cr_assert(!process_find("no-such-program", path));
    cr_assert(process_find("initdb", path));
    cr_assert(unsetenv("PATH") == 0 && process_find("sh", path));
}

Test(process, output_and_errors_go_to_their_files)
{
    static const char *const argv[] = {"sh", "-c", "echo out; echo err >&2", NULL};
    struct process process = {.name = "talker"};
    char out[PROCESS_PATH_SIZE + 8];
    char tail[64];
    int status = -1;
    (void)snprintf(out, sizeof out, "%s/out", dir);
    (void)snprintf(process.log, sizeof process.log, "%s", log_path);
    struct process_options options = {.stdout_log = out};
    cr_assert_eq(process_start(&process, argv, &options, &note), ERR_OK);
    cr_assert(process_wait(&process, 10000, &status));
    cr_assert_eq(status, 0);
    process_log_tail(out, tail, sizeof tail);
    cr_assert_str_eq(tail, "out");
    process_log_tail(log_path, tail, sizeof tail);
    cr_assert_str_eq(tail, "err");
}

Test(process, the_tail_of_a_log_is_whole_lines)
{
    char tail[16];
    FILE *file = fopen(log_path, "w");
    cr_assert_not_null(file);
    cr_assert_gt(fprintf(file, "the first line is long\nsecond\nthird\n"), 0);
    cr_assert_eq(fclose(file), 0);
    process_log_tail(log_path, tail, sizeof tail);
    cr_assert_str_eq(tail, "second|third");
    process_log_tail("/nowhere/at/all", tail, sizeof tail);
    cr_assert_str_eq(tail, "");
}

Test(process, a_run_that_takes_too_long_is_ended)
{
    static const char *const argv[] = {"sh", "-c", "read x </dev/zero", NULL};
    cr_assert_eq(process_run(argv, NULL, log_path, 50, &note), ERR_TIMEOUT);
}

Test(process, a_failure_tells_status_and_reason)
{
    static const char *const argv[] = {"sh", "-c", "echo the reason; exit 3", NULL};
    cr_assert_eq(process_run(argv, NULL, log_path, 10000, &note), ERR_IO);
    cr_assert_str_eq(note.text, "sh failed with status 3: the reason");
}

Test(process, an_unknown_user_is_an_error)
{
    static const char *const argv[] = {"true", NULL};
    struct process_options options = {.user = "nobody-of-that-name"};
    struct process process = {.name = "true"};
    cr_assert_eq(process_start(&process, argv, &options, &note), ERR_NOT_FOUND);
    cr_assert_str_eq(note.text, "no user nobody-of-that-name on this machine");
}

Test(process, stop_and_kill_of_nothing_are_fine)
{
    struct process process = {.name = "nothing"};
    cr_assert_eq(process_stop(&process, SIGTERM, 10, &note), ERR_OK);
    process_kill(&process);
    process_freeze(&process);
    process_thaw(&process);
    cr_assert(!process_running(&process, NULL));
}
