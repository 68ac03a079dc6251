/* The barrier against the three anomalies, one after the other and at the same moment. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/harness/harness.h"

HARNESS_SHARED(HARNESS_POSTGRES)

enum { PATIENCE_MS = 10000 };

static char url[SERVERS_URL_SIZE];

static PGconn *connect_db(void)
{
    PGconn *connection = PQconnectdb(url);
    cr_assert_eq(PQstatus(connection), CONNECTION_OK, "%s", PQerrorMessage(connection));
    return connection;
}

static void install(void)
{
    static char sql[65536];
    FILE *file = fopen(SAGA_SOURCE_DIR "/deploy/participants/barrier.sql", "re");
    cr_assert_not_null(file);
    size_t size = fread(sql, 1, sizeof sql - 1, file);
    cr_assert(feof(file), "the file is larger than this test expects");
    sql[size] = '\0';
    (void)fclose(file);
    harness_database(url);
    (void)harness_query(url, sql);
    (void)harness_query(url, sql); /* running it again changes nothing */
    (void)harness_query(url, "create table effect (key text, what text)");
}

/* The columns of the first row, joined by "|"; "ERROR: …" when it fails. Good until the next call. */
static const char *ask(PGconn *connection, const char *sql)
{
    static char text[2048];
    PGresult *result = PQexec(connection, sql);
    size_t used = 0;
    text[0] = '\0';
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        (void)snprintf(text, sizeof text, "ERROR: %s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    for (int i = 0; PQntuples(result) > 0 && i < PQnfields(result); i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "|" : "",
                                 PQgetvalue(result, 0, i));
    PQclear(result);
    return text;
}

/* One command in one transaction, as the head of barrier.sql tells authors to do it; what is replied, as
 * "status|code|body". */
static const char *command(PGconn *connection, const char *key, const char *kind, int attempt,
                           const char *status, const char *body)
{
    static char text[2048];
    char sql[512];
    (void)ask(connection, "BEGIN");
    (void)snprintf(sql, sizeof sql,
                   "SELECT verdict, status, code, body FROM saga_barrier_enter('%s', '%s', %d)", key, kind,
                   attempt);
    const char *entered = ask(connection, sql);
    if (strncmp(entered, "go|", 3) != 0) {
        cr_assert_eq(strncmp(entered, "answer|", 7), 0, "%s", entered);
        (void)snprintf(text, sizeof text, "%s", entered + 7);
        (void)ask(connection, "COMMIT");
        return text;
    }
    if (strcmp(status, "ok") == 0) {
        (void)snprintf(sql, sizeof sql, "INSERT INTO effect VALUES ('%s', '%s')", key, kind);
        (void)ask(connection, sql);
    }
    const char *code = strcmp(status, "ok") == 0 ? "" : "NO";
    (void)snprintf(sql, sizeof sql,
                   "SELECT saga_barrier_leave('%s', '%s', '%s', nullif('%s', ''), null, '%s')", key, kind,
                   status, code, body);
    cr_assert_str_eq(ask(connection, sql), "");
    (void)ask(connection, "COMMIT");
    (void)snprintf(text, sizeof text, "%s|%s|%s", status, code, body);
    return text;
}

static const char *effects(const char *key)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql,
                   "select coalesce(string_agg(what, ',' order by what), '') from effect where key = '%s'",
                   key);
    return harness_query(url, sql);
}

Test(barrier, the_same_command_twice_gets_the_first_answer_and_has_no_effect)
{
    install();
    PGconn *db = connect_db();
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{\"amount\":19.90}"), "ok||{\"amount\":19.90}");
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{\"amount\":0}"), "ok||{\"amount\":19.90}");
    cr_assert_str_eq(command(db, "k", "do", 7, "ok", "{\"amount\":0}"), "ok||{\"amount\":19.90}");
    cr_assert_str_eq(effects("k"), "do");
    cr_assert_str_eq(command(db, "k", "undo", 1, "ok", "{}"), "ok||{}");
    cr_assert_str_eq(command(db, "k", "undo", 2, "ok", "[]"), "ok||{}");
    cr_assert_str_eq(effects("k"), "do,undo");
    PQfinish(db);
}

Test(barrier, undo_before_do_has_no_effect_and_refuses_the_do)
{
    install();
    PGconn *db = connect_db();
    cr_assert_str_eq(command(db, "k", "undo", 1, "ok", "{}"), "ok||");
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{}"), "rejected|UNDONE|");
    cr_assert_str_eq(command(db, "k", "do", 9, "ok", "{}"), "rejected|UNDONE|");
    cr_assert_str_eq(command(db, "k", "undo", 2, "ok", "{}"), "ok||");
    cr_assert_str_eq(effects("k"), "");
    PQfinish(db);
}

Test(barrier, do_after_undo_is_refused)
{
    install();
    PGconn *db = connect_db();
    (void)command(db, "k", "do", 1, "ok", "{}");
    (void)command(db, "k", "undo", 1, "ok", "{}");
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{}"), "rejected|UNDONE|");
    cr_assert_str_eq(command(db, "k", "do", 2, "ok", "{}"), "rejected|UNDONE|");
    cr_assert_str_eq(effects("k"), "do,undo");
    PQfinish(db);
}

Test(barrier, keys_do_not_touch_each_other)
{
    install();
    PGconn *db = connect_db();
    (void)command(db, "a", "undo", 1, "ok", "{}");
    cr_assert_str_eq(command(db, "b", "do", 1, "ok", "{}"), "ok||{}");
    cr_assert_str_eq(effects("b"), "do");
    PQfinish(db);
}

Test(barrier, an_undo_is_told_what_the_do_answered)
{
    install();
    PGconn *db = connect_db();
    (void)command(db, "k", "do", 1, "ok", "{\"id\":90071992547409931,\"amount\":19.90}");
    cr_assert_str_eq(ask(db, "SELECT verdict, body FROM saga_barrier_enter('k', 'undo', 1)"),
                     "go|{\"id\":90071992547409931,\"amount\":19.90}");
    PQfinish(db);
}

Test(barrier, a_rolled_back_command_leaves_no_trace)
{
    install();
    PGconn *db = connect_db();
    (void)ask(db, "BEGIN");
    cr_assert_str_eq(ask(db, "SELECT verdict FROM saga_barrier_enter('k', 'do', 1)"), "go");
    (void)ask(db, "ROLLBACK");
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{}"), "ok||{}");
    (void)ask(db, "BEGIN");
    cr_assert_str_eq(ask(db, "SELECT verdict FROM saga_barrier_enter('k', 'undo', 1)"), "go");
    (void)ask(db, "ROLLBACK");
    cr_assert_str_eq(command(db, "k", "undo", 1, "ok", "{}"), "ok||{}");
    PQfinish(db);
}

Test(barrier, a_rejection_stands_until_a_later_attempt)
{
    install();
    PGconn *db = connect_db();
    cr_assert_str_eq(command(db, "k", "do", 2, "rejected", "null"), "rejected|NO|null");
    cr_assert_str_eq(command(db, "k", "do", 2, "ok", "{}"), "rejected|NO|null");
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{}"),
                     "rejected|NO|null"); /* delayed: decided already */
    cr_assert_str_eq(effects("k"), "");
    cr_assert_str_eq(command(db, "k", "do", 3, "ok", "{}"), "ok||{}");
    cr_assert_str_eq(effects("k"), "do");
    PQfinish(db);
}

Test(barrier, a_rejected_do_has_nothing_to_undo_and_stays_so)
{
    install();
    PGconn *db = connect_db();
    (void)command(db, "k", "do", 1, "rejected", "null");
    cr_assert_str_eq(command(db, "k", "undo", 1, "ok", "{}"), "ok||");
    cr_assert_str_eq(command(db, "k", "do", 2, "ok", "{}"), "rejected|UNDONE|");
    cr_assert_str_eq(effects("k"), "");
    PQfinish(db);
}

Test(barrier, verify_tells_what_happened)
{
    install();
    PGconn *db = connect_db();
    static const char verify[] = "SELECT status, code, body FROM saga_barrier_verify('k')";
    (void)command(db, "k", "do", 1, "ok", "{\"amount\":19.90}");
    cr_assert_str_eq(ask(db, verify), "ok||{\"amount\":19.90}");
    cr_assert_str_eq(ask(db, verify), "ok||{\"amount\":19.90}");
    (void)command(db, "k", "undo", 1, "ok", "{}");
    cr_assert_str_eq(ask(db, verify), "rejected|NOT_DONE|");
    PQfinish(db);
}

Test(barrier, a_no_of_verify_stays_true)
{
    install();
    PGconn *db = connect_db();
    cr_assert_str_eq(ask(db, "SELECT status, code FROM saga_barrier_verify('k')"), "rejected|NOT_DONE");
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{}"), "rejected|UNDONE|");
    cr_assert_str_eq(effects("k"), "");
    (void)command(db, "r", "do", 1, "rejected", "null");
    cr_assert_str_eq(ask(db, "SELECT status, code FROM saga_barrier_verify('r')"), "rejected|NOT_DONE");
    cr_assert_str_eq(command(db, "r", "do", 2, "ok", "{}"), "rejected|UNDONE|");
    PQfinish(db);
}

Test(barrier, a_no_of_verify_may_be_left_open)
{
    install();
    PGconn *db = connect_db();
    cr_assert_str_eq(ask(db, "SELECT status, code FROM saga_barrier_verify('k', false)"),
                     "rejected|NOT_DONE");
    cr_assert_str_eq(command(db, "k", "do", 1, "ok", "{}"), "ok||{}");
    cr_assert_str_eq(ask(db, "SELECT status FROM saga_barrier_verify('k', false)"), "ok");
    PQfinish(db);
}

Test(barrier, misuse_is_an_error)
{
    install();
    PGconn *db = connect_db();
    cr_assert_str_eq(ask(db, "SELECT saga_barrier_enter('k', 'verify', 1)"),
                     "ERROR: the barrier knows the kinds do and undo, not \"verify\"");
    cr_assert_str_eq(ask(db, "SELECT saga_barrier_leave('k', 'do', 'ok', null, null, null)"),
                     "ERROR: no command of kind do and key k is being worked on in this transaction");
    (void)command(db, "k", "do", 1, "ok", "{}");
    cr_assert_str_eq(ask(db, "SELECT saga_barrier_leave('k', 'do', 'ok', null, null, null)"),
                     "ERROR: no command of kind do and key k is being worked on in this transaction");
    PQfinish(db);
}

Test(barrier, old_rows_can_be_forgotten)
{
    install();
    PGconn *db = connect_db();
    (void)command(db, "old", "do", 1, "ok", "{}");
    (void)ask(db, "UPDATE saga_barrier SET at = at - interval '40 days'");
    (void)command(db, "new", "do", 1, "ok", "{}");
    cr_assert_str_eq(ask(db, "SELECT saga_barrier_forget('30 days')"), "1");
    cr_assert_str_eq(ask(db, "SELECT saga_key FROM saga_barrier"), "new");
    PQfinish(db);
}

/* --- at the same moment
 * ------------------------------------------------------------------------------------------------------------
 */

static bool somebody_waits(void *context)
{
    (void)context;
    return strcmp(harness_query(url,
                                "select count(*) from pg_stat_activity where datname = current_database() "
                                "and wait_event_type = 'Lock'"),
                  "1") == 0;
}

/* Sends a statement on a second connection and waits until it is held up by the first. */
static void send_and_wait(PGconn *second, const char *sql)
{
    cr_assert_eq(PQsendQuery(second, sql), 1);
    cr_assert(harness_await(somebody_waits, NULL, PATIENCE_MS), "the second command was not held up");
}

static const char *received(PGconn *second)
{
    static char text[512];
    PGresult *result = PQgetResult(second);
    const char *error = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    (void)snprintf(text, sizeof text, "%s|%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : error,
                   PQntuples(result) > 0 ? PQgetvalue(result, 0, 1) : "");
    PQclear(result);
    while ((result = PQgetResult(second)) != NULL)
        PQclear(result);
    return text;
}

/* A do is being worked on (`first`); `sql` comes meanwhile on `second`; then the do ends as told. */
static void while_a_do_works(PGconn **first, PGconn **second, const char *sql, const char *end)
{
    install();
    *first = connect_db();
    *second = connect_db();
    (void)ask(*first, "BEGIN");
    cr_assert_str_eq(ask(*first, "SELECT verdict FROM saga_barrier_enter('k', 'do', 1)"), "go");
    send_and_wait(*second, sql);
    if (strcmp(end, "COMMIT") == 0)
        cr_assert_str_eq(ask(*first, "SELECT saga_barrier_leave('k', 'do', 'ok', null, null, '{\"n\":1}')"),
                         "");
    (void)ask(*first, end);
}

static void check_while(const char *sql, const char *end, const char *answer)
{
    PGconn *first = NULL;
    PGconn *second = NULL;
    while_a_do_works(&first, &second, sql, end);
    cr_assert_str_eq(received(second), answer);
    PQfinish(first);
    PQfinish(second);
}

Test(barrier, a_second_do_waits_for_the_first_and_gets_its_answer)
{
    check_while("SELECT verdict, body FROM saga_barrier_enter('k', 'do', 1)", "COMMIT", "answer|{\"n\":1}");
}

Test(barrier, a_second_do_goes_when_the_first_rolled_back)
{
    check_while("SELECT verdict, body FROM saga_barrier_enter('k', 'do', 1)", "ROLLBACK", "go|");
}

Test(barrier, an_undo_waits_for_its_do_and_undoes_it)
{
    check_while("SELECT verdict, body FROM saga_barrier_enter('k', 'undo', 1)", "COMMIT", "go|{\"n\":1}");
}

Test(barrier, an_undo_waits_for_its_do_and_finds_nothing_when_that_rolled_back)
{
    check_while("SELECT verdict, status FROM saga_barrier_enter('k', 'undo', 1)", "ROLLBACK", "answer|ok");
}

Test(barrier, a_verify_waits_for_the_do)
{
    check_while("SELECT status, body FROM saga_barrier_verify('k')", "COMMIT", "ok|{\"n\":1}");
}

Test(barrier, a_do_waits_for_the_undo_and_is_refused)
{
    install();
    PGconn *first = connect_db();
    PGconn *second = connect_db();
    (void)ask(first, "BEGIN");
    cr_assert_str_eq(ask(first, "SELECT verdict FROM saga_barrier_enter('k', 'undo', 1)"), "answer");
    send_and_wait(second, "SELECT verdict, code FROM saga_barrier_enter('k', 'do', 1)");
    (void)ask(first, "COMMIT");
    cr_assert_str_eq(received(second), "answer|UNDONE");
    PQfinish(first);
    PQfinish(second);
}
