/* F7 on a real PostgreSQL: an asynchronous standby takes over that has not seen the last commits. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/api/real.h"

/* Copies or renames in the server's folder. */
static void bring(const char *program, const char *flag, const char *from, const char *to)
{
    char paths[2][PROCESS_PATH_SIZE + 16], log[PROCESS_PATH_SIZE + 16];
    struct err_note note = {""};
    snprintf(paths[0], sizeof paths[0], "%s/%s", real_harness.postgres.dir, from);
    snprintf(paths[1], sizeof paths[1], "%s/%s", real_harness.postgres.dir, to);
    snprintf(log, sizeof log, "%s/bring.log", real_harness.dir);
    const char *const argv[] = {program, flag, paths[0], paths[1], NULL};
    enum err error = process_run(argv, NULL, log, REAL_PATIENCE_US / 1000, &note);
    cr_assert_eq(error, ERR_OK, "%s: %s", program, note.text);
}

static bool is_parked(void *key)
{
    char sql[256];
    snprintf(sql, sizeof sql, "select status || reason_code from saga where key = '%s'", (const char *)key);
    return strcmp(harness_query(real_harness.postgres.url, sql), "parkedHISTORY_LOST") == 0;
}

/* F7: an asynchronous standby takes over that has not seen the last commits, and the engine lives on. */
Test(failover, that_lost_commits_is_noticed_and_named, .init = real_open, .fini = real_close, .timeout = 180)
{
    char keys[4][32], targets[4][96];
    struct wire_answer answer = real_call("PUT", "/v1/definitions/one/1", real_definition);
    cr_assert_eq(answer.status, 201, "%.*s", STR_ARG(answer.body));
    for (int i = 0; i < 4; i++) {
        snprintf(keys[i], sizeof keys[i], "before-%d", i);
        answer = real_start(keys[i], 201);
        snprintf(targets[i], sizeof targets[i], "/v1/sagas/%.*s",
                 STR_ARG(json_get_str(answer.json, STR("id"))));
    }
    harness_stop_postgres(&real_harness);
    bring("cp", "-a", "data", "standby");
    harness_restart_postgres(&real_harness);
    (void)real_await("GET", "/readyz", NULL, 200);
    for (int i = 0; i < 2; i++) { /* these go further */
        char target[128];
        snprintf(target, sizeof target, "%s/pause", targets[i]);
        (void)real_await("POST", target, "{\"actor\":\"ann\",\"reason\":\"wait\"}", 200);
    }
    for (int i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof key, "after-%d", i);
        (void)real_start(key, 201);
    }
    process_kill(&real_harness.postgres.process);
    bring("mv", "-T", "data", "lost");
    bring("mv", "-T", "standby", "data");
    harness_restart_postgres(&real_harness);
    for (int i = 0; i < 2; i++)
        cr_assert(harness_await(is_parked, keys[i], REAL_PATIENCE_US / 1000), "%s", keys[i]);
    (void)real_await("GET", "/readyz", NULL, 200);
    cr_assert(!is_parked(keys[2]) && !is_parked(keys[3]), "nothing of these was lost");
    answer = real_call("GET", "/metrics", NULL);
    cr_assert_not_null(strstr(answer.body.data, "sagad_history_lost_total{outcome=\"vanished\"} 3"));
    cr_assert_not_null(strstr(answer.body.data, "sagad_history_lost_total{outcome=\"parked\"} 2"));
    (void)real_start("after-0", 201); /* its start is gone: it begins anew */
    char target[128];
    snprintf(target, sizeof target, "%s/cancel", targets[0]);
    (void)real_await("POST", target, "{\"actor\":\"ann\",\"reason\":\"start anew\"}", 200);
    cr_assert_str_eq(
        harness_query(real_harness.postgres.url,
                      "select count(*) from saga where seq <> (select count(*) from saga_journal "
                      "where saga_id = saga.id) or seq <> (select max(seq) from saga_journal where "
                      "saga_id = saga.id)"),
        "0", "no journal has a gap");
}
