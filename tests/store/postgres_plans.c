/* Every statement of the hot path finds its rows by its index, whatever the server knows about the tables:
 * nothing (the day they are new), what was true when they were empty, or the truth. A generic plan is made
 * once a session and kept. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include "engine/store/pq_query.h"
#include "tests/store/world.h"

enum { PLAN_BYTES = 65536 };

struct told {
    char text[PLAN_BYTES];
    size_t size;
};

static void note(void *context, const char *message)
{
    struct told *told = context;
    size_t size = strlen(message);
    if (told->size + size < PLAN_BYTES) {
        memcpy(told->text + told->size, message, size + 1);
        told->size += size;
    }
}

static void run(PGconn *conn, const char *sql, struct told *told)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql,
              PQresultErrorMessage(result));
    for (int i = 0; told != NULL && i < PQntuples(result); i++) {
        note(told, PQgetvalue(result, i, 0));
        note(told, "\n");
    }
    PQclear(result);
}

/* A session as the store's: the same settings, the same statements. */
static PGconn *session(const char *url)
{
    PGconn *conn = PQconnectdb(url);
    cr_assert_eq(PQstatus(conn), CONNECTION_OK);
    const char *const limits[] = {"10000", "3000"};
    PGresult *result = PQexecParams(conn, pq_query_text(PQ_QUERY_ID_SESSION), 2, NULL, limits, NULL, NULL, 0);
    cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQresultErrorMessage(result));
    PQclear(result);
    run(conn, "set plan_cache_mode = force_generic_plan", NULL);
    return conn;
}

static const struct expected {
    enum pq_query query;
    int parameters;
    const char *index;
    const char *condition;
} expected[] = {
    {PQ_QUERY_ID_LOAD_SAGAS, 1, "saga_pkey", "Index Cond: (id = ANY"},
    {PQ_QUERY_ID_LOAD_RECORDS, 1, "saga_journal_pkey", "Index Cond: (saga_id = ANY"},
    {PQ_QUERY_ID_OPEN_SAGAS, 1, "saga_open", "Index Cond: (shard ="},
    {PQ_QUERY_ID_UNPUBLISHED, 3, "saga_journal_outbox", "Index Cond: ((shard = $1) AND (lsn > $2))"},
    {PQ_QUERY_ID_FIND_KEYS, 2, "saga_key", "Index Cond: (key = wanted.key)"},
    {PQ_QUERY_ID_FIND_KEYS, 2, "saga_journal_pkey", "Index Cond: ((saga_id = one.id) AND (seq = 1))"},
    {PQ_QUERY_ID_LETTERS_OF_SAGA, 3, "dead_letter_saga", "Index Cond: (saga ="},
    {PQ_QUERY_ID_DEAD_LETTERS, 2, "dead_letter_pkey", "Index Cond: (number <"},
};

static void check_plan(PGconn *conn, const struct expected *wanted, const char *when)
{
    static struct told told;
    char sql[256];
    const char *name = pq_query_name(wanted->query);
    PGresult *result = PQprepare(conn, name, pq_query_text(wanted->query), 0, NULL);
    cr_assert_eq(PQresultStatus(result), PGRES_COMMAND_OK, "%s", PQresultErrorMessage(result));
    PQclear(result);
    snprintf(sql, sizeof sql, "explain execute %s(%.*s)", name, wanted->parameters * 6 - 2,
             "null, null, null");
    told = (struct told){.size = 0};
    run(conn, sql, &told);
    cr_expect(strstr(told.text, wanted->index) && strstr(told.text, wanted->condition) &&
                  !strstr(told.text, "Seq Scan on saga") && !strstr(told.text, "Seq Scan on dead"),
              "%s, %s:\n%s", name, when, told.text);
    snprintf(sql, sizeof sql, "deallocate %s", name);
    run(conn, sql, NULL);
}

/* The statements inside of the functions, as the server runs them. */
static void check_append(const char *url, const char *when)
{
    static struct told told;
    PGconn *conn = session(url);
    told = (struct told){.size = 0};
    run(conn, "load 'auto_explain'", NULL);
    PQsetNoticeProcessor(conn, note, &told);
    run(conn,
        "select set_config('auto_explain.log_min_duration', '0', false), "
        "set_config('auto_explain.log_nested_statements', "
        "'on', false), set_config('client_min_messages', 'log', false)",
        NULL);
    /* One saga that is there and one that is not: refused, after everything was planned. */
    run(conn,
        "do $$ begin perform saga_append_7('', '{0}', '{0}', (select array[last_lsn] from shard where id = "
        "0), "
        "(select array[last_lsn + 1] from shard where id = 0), '{0}', '{}', '{}', '{}', '{}', '{}', '{}', "
        "'{}', '{}', '{}', "
        "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', "
        "array['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002']::uuid[], "
        "'{1,1}', '{2,2}', "
        "'{2026-01-01,2026-01-01}', '{null,null}', '{null,null}', '{f,f}', '{running,running}', '{x,x}', "
        "'{\"\",\"\"}', "
        "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', "
        "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 0, 0); exception when sqlstate 'SG003' "
        "then null; end $$",
        NULL);
    const char *update = strstr(told.text, "update saga\n");
    cr_assert_not_null(update, "%s: %s", when, told.text);
    const char *end = strstr(update + 1, "Query Text");
    size_t size = end != NULL ? (size_t)(end - update) : strlen(update);
    char plan[8192];
    snprintf(plan, sizeof plan, "%.*s", (int)size, update);
    cr_expect(strstr(plan, "saga_pkey") && strstr(plan, "Index Cond: (id =") && strstr(plan, "Tid Scan") &&
                  !strstr(plan, "Seq Scan on saga"),
              "append, %s:\n%s", when, plan);
    PQfinish(conn);
}

static void check_all(const char *url, const char *when)
{
    PGconn *conn = session(url);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        check_plan(conn, &expected[i], when);
    PQfinish(conn);
    check_append(url, when);
}

Test(plans, find_rows_by_their_index_whatever_is_known)
{
    char url[SERVERS_URL_SIZE];
    struct err_note why;
    uint32_t applied = 0;
    harness_database(url);
    cr_assert_eq(postgres_migrate(url, 4, &applied, &why), ERR_OK, "%s", why.text);
    static const char *const quiet[] = {"saga", "saga_journal", "dead_letter"};
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "alter table %s set (autovacuum_enabled = off)", quiet[i]);
        (void)harness_query(url, sql);
    }
    check_all(url, "new and empty");
    (void)harness_query(url, "analyze");
    check_all(url, "known to be empty");
    (void)harness_query(
        url,
        "insert into saga (id, shard, version, seq, started_at, updated_at, ended_at, paused, definition, "
        "hash, status, "
        "waiting, reason_code, key, search) select (lpad(to_hex(i), 8, '0') || "
        "'-0000-7000-8000-000000000000')::uuid, "
        "i % 4, 1, 1, now(), now(), case when i % 50 = 0 then null else now() end, false, 'order', 'h', "
        "'completed', '', "
        "'', 'key-' || i, '{}' from generate_series(1, 20000) as i; "
        "insert into saga_journal (saga_id, seq, at, lsn, shard, attempt, kind, data) select id, n, now(), "
        "row_number() over (), shard, 0, 'start', '{}' from saga, generate_series(1, 3) as n; "
        "insert into dead_letter (at, shard, reason, subject, saga, command, headers, body) select now(), 0, "
        "'', '', '', "
        "'', '{}', '' from generate_series(1, 5000)");
    check_all(url, "full, and believed to be empty");
    (void)harness_query(url, "analyze");
    check_all(url, "full, and known");
    /* What is true of ten million: the same density, many more pages than there are. */
    (void)harness_query(
        url, "update pg_class set reltuples = reltuples * 500, relpages = relpages * 500 where relname in "
             "('saga', 'saga_journal', 'dead_letter')");
    check_all(url, "believed to be far larger");
    (void)harness_query(
        url, "update pg_class set reltuples = -1, relpages = 0 where relname in ('saga', 'saga_journal', "
             "'dead_letter'); delete from pg_statistic");
    check_all(url, "full, and nothing known");
}
