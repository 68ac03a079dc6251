/* One connection in pipeline mode: a set of statements, one round trip, and what their failure means. Called
 * by all postgres_*.c. Never blocks beyond its bounds, and after a lost answer never says that nothing was
 * stored. */
#include "engine/store/pq_session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mask.h"
#include "engine/base/memory.h"
#include "engine/store/pq_error.h"
#include "engine/store/pq_schema.h"

/* The oldest server with all that is used here. */
static const int oldest_server = 140000;
enum { BINARY = 1, SPARE_READS = 8 };

static int64_t deadline_of(const struct pq_session *session)
{
    return clock_monotonic_us() + (int64_t)session->answer_ms * 1000;
}

static struct str first_line(const char *text)
{
    struct str line = str_trim(str_from(text));
    return str_slice(line, 0, str_find(line, '\n'));
}

/* Closes the connection, whose server process may still be at work. */
static enum err lose(struct pq_session *session, enum pq_session_loss loss, const char *why,
                     struct err_note *note)
{
    struct str said = first_line(PQerrorMessage(session->conn));
    enum err error = loss == PQ_SESSION_LOSS_UNKNOWN ? ERR_UNKNOWN_OUTCOME : ERR_UNAVAILABLE;
    error = err_note(note, error, "connection to PostgreSQL lost (%s): %.*s", why,
                     STR_ARG(said.size > 0 ? said : STR("no answer in time")));
    PQfinish(session->conn);
    session->conn = NULL;
    session->orphan = session->backend != 0;
    return error;
}

/* Waits for the socket; false after the deadline. */
static bool wait_socket(PGconn *conn, short events, int64_t deadline_us)
{
    for (;;) {
        struct pollfd descriptor = {.fd = PQsocket(conn), .events = events};
        int64_t left_ms = (deadline_us - clock_monotonic_us() + 999) / 1000;
        int ready = poll(&descriptor, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

/* A server that went away while nothing was asked of it is noticed before anything is sent, so that the
 * outcome is certain. */
static bool alive(PGconn *conn)
{
    for (int i = 0; i < SPARE_READS && PQstatus(conn) == CONNECTION_OK; i++) {
        struct pollfd descriptor = {.fd = PQsocket(conn), .events = POLLIN};
        if (poll(&descriptor, 1, 0) <= 0)
            return true;
        if (!PQconsumeInput(conn))
            return false;
    }
    return PQstatus(conn) == CONNECTION_OK;
}

static bool queue_call(PGconn *conn, const struct pq_call *call)
{
    static const struct pq_wire_params none = {.count = 0};
    const struct pq_wire_params *params = call->params ? call->params : &none;
    if (pq_query_when(call->query) == PQ_QUERY_PREPARED)
        return PQsendQueryPrepared(conn, pq_query_name(call->query), params->count, params->values,
                                   params->lengths, params->formats, BINARY);
    return PQsendQueryParams(conn, pq_query_text(call->query), params->count, NULL, params->values,
                             params->lengths, params->formats, BINARY);
}

/* Reads while it writes: a server that is blocked on sending its answers would never take the rest. */
static bool flush(PGconn *conn, int64_t deadline_us)
{
    for (;;) {
        int left = PQflush(conn);
        if (left <= 0)
            return left == 0;
        if (!wait_socket(conn, POLLIN | POLLOUT, deadline_us) || !PQconsumeInput(conn))
            return false;
    }
}

/* The next result; false when the connection is lost or silent. *result is NULL between two statements. */
static bool next_result(PGconn *conn, int64_t deadline_us, PGresult **result)
{
    *result = NULL;
    while (PQisBusy(conn))
        if (!wait_socket(conn, POLLIN, deadline_us) || !PQconsumeInput(conn))
            return false;
    *result = PQgetResult(conn);
    return true;
}

static bool failed(const PGresult *result)
{
    return PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK;
}

/* False when the statement's answer is missing: an error that libpq made up itself has no SQLSTATE. */
static bool collect(PGconn *conn, int64_t deadline_us, struct pq_call *call)
{
    PGresult *end = NULL;
    if (!next_result(conn, deadline_us, &call->result) || call->result == NULL)
        return false;
    if (PQresultStatus(call->result) == PGRES_FATAL_ERROR &&
        !PQresultErrorField(call->result, PG_DIAG_SQLSTATE))
        return false;
    if (pq_error_ends_session(call->result))
        return true;
    bool whole = next_result(conn, deadline_us, &end) && end == NULL;
    PQclear(end);
    return whole;
}

/* The answer to Sync: only then is the transaction's end known. An error before it is a commit that failed.
 */
static bool collect_sync(PGconn *conn, int64_t deadline_us, PGresult **refused)
{
    for (;;) {
        PGresult *result = NULL;
        if (!next_result(conn, deadline_us, &result))
            return false;
        if (result == NULL && PQstatus(conn) != CONNECTION_OK)
            return false;
        ExecStatusType status = PQresultStatus(result);
        if (result != NULL && status == PGRES_FATAL_ERROR && *refused == NULL &&
            PQresultErrorField(result, PG_DIAG_SQLSTATE) && !pq_error_ends_session(result)) {
            *refused = result;
            continue;
        }
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC)
            return true;
        if (result != NULL)
            return false;
    }
}

/* After an error between `begin` and its end the session is still inside. */
static void leave_transaction(struct pq_session *session)
{
    struct pq_call call = {.query = PQ_QUERY_ID_ROLLBACK};
    PGresult *refused = NULL;
    struct err_note note;
    int64_t deadline_us = deadline_of(session);
    if (PQtransactionStatus(session->conn) == PQTRANS_IDLE)
        return;
    bool left = queue_call(session->conn, &call) && PQpipelineSync(session->conn) &&
                flush(session->conn, deadline_us) && collect(session->conn, deadline_us, &call) &&
                collect_sync(session->conn, deadline_us, &refused);
    PQclear(call.result);
    PQclear(refused);
    if (!left && lose(session, PQ_SESSION_LOSS_HARMLESS, "rollback", &note) != ERR_OK)
        return;
}

static enum err verdict(struct pq_session *session, struct pq_call *calls, uint32_t count,
                        PGresult *commit_refused, struct err_note *note)
{
    const PGresult *refused = commit_refused;
    for (uint32_t i = count; i-- > 0;)
        if (failed(calls[i].result))
            refused = calls[i].result;
    if (!refused)
        return ERR_OK;
    enum err error = pq_error_of(refused, note);
    if (pq_error_is_schema(refused) && !session->foreign) {
        if (lose(session, PQ_SESSION_LOSS_HARMLESS, "the schema changed", NULL) == ERR_OK)
            return ERR_OK;
        return error;
    }
    leave_transaction(session);
    return error;
}

static enum err run(struct pq_session *session, struct pq_call *calls, uint32_t count,
                    enum pq_session_loss loss, struct err_note *note)
{
    PGconn *conn = session->conn;
    int64_t deadline_us = deadline_of(session);
    if (!alive(conn))
        return lose(session, PQ_SESSION_LOSS_HARMLESS, "while idle", note);
    for (uint32_t i = 0; i < count; i++)
        if (!queue_call(conn, &calls[i]))
            return lose(session, PQ_SESSION_LOSS_HARMLESS, "before sending", note);
    if (!PQpipelineSync(conn) || !flush(conn, deadline_us))
        return lose(session, loss, "while sending", note);
    for (uint32_t i = 0; i < count; i++) {
        if (!collect(conn, deadline_us, &calls[i]))
            return lose(session, loss, "while waiting", note);
        if (pq_error_ends_session(calls[i].result)) {
            /* It ended instead of finishing this statement, so nothing was committed. */
            enum err error = pq_error_of(calls[i].result, note);
            enum err lost = lose(session, PQ_SESSION_LOSS_HARMLESS, "ended by the server", NULL);
            return error == ERR_OK ? lost : ERR_UNAVAILABLE;
        }
    }
    PGresult *commit_refused = NULL;
    if (!collect_sync(conn, deadline_us, &commit_refused)) {
        PQclear(commit_refused);
        return lose(session, loss, "while committing", note);
    }
    enum err error = verdict(session, calls, count, commit_refused, note);
    PQclear(commit_refused);
    return error;
}

enum err pq_session_run(struct pq_session *session, struct pq_call *calls, uint32_t count,
                        enum pq_session_loss loss, struct err_note *note)
{
    check(count > 0);
    if (!session->conn)
        return err_note(note, ERR_UNAVAILABLE, "not connected to PostgreSQL");
    enum err error = run(session, calls, count, loss, note);
    if (error != ERR_OK)
        pq_session_clear(calls, count);
    return error;
}

void pq_session_clear(struct pq_call *calls, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        PQclear(calls[i].result);
        calls[i].result = NULL;
    }
}

enum err pq_session_do(struct pq_session *session, enum pq_query query, const struct pq_wire_params *params,
                       struct err_note *note)
{
    struct pq_call call = {.query = query, .params = params};
    enum err error = pq_session_run(session, &call, 1, PQ_SESSION_LOSS_HARMLESS, note);
    pq_session_clear(&call, 1);
    return error;
}

enum err pq_session_script(struct pq_session *session, const char *sql, struct err_note *note)
{
    if (!PQexitPipelineMode(session->conn) || PQsetnonblocking(session->conn, 0) != 0)
        return lose(session, PQ_SESSION_LOSS_HARMLESS, "leaving pipeline mode", note);
    PGresult *result = PQexec(session->conn, sql);
    enum err error = failed(result) ? pq_error_of(result, note) : ERR_OK;
    if (error != ERR_OK && pq_error_is_lock(result))
        error = ERR_TIMEOUT;
    PQclear(result);
    if (PQsetnonblocking(session->conn, 1) != 0 || !PQenterPipelineMode(session->conn))
        return lose(session, PQ_SESSION_LOSS_HARMLESS, "pipeline mode", note);
    return error;
}

/* libpq quotes what it could not read of a connection string, and takes the end of a password with an @ for
 * the host. */
static void say_unconnected(const char *conninfo, const char *said, char *out, size_t room)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &why);
    PQfreemem(why);
    const char *password = "", *host = "";
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (option->val && strcmp(option->keyword, "password") == 0)
            password = option->val;
        else if (option->val && strcmp(option->keyword, "host") == 0)
            host = option->val;
    }
    char shown[sizeof((struct err_note *)NULL)->text];
    mask_word(said, password, shown, sizeof shown);
    if (!options || strchr(host, '@'))
        mask_quoted(shown, out, room);
    else
        snprintf(out, room, "%s", shown);
    PQconninfoFree(options);
}

/* libpq's blocking connect, bounded per address by connect_timeout. What stands before dbname the user may
 * override; what stands behind it not. */
static enum err connect_server(struct pq_session *session, struct err_note *note)
{
    bool named = session->name[0] != '\0';
    const char *const keys[] = {"fallback_application_name",
                                "connect_timeout",
                                "target_session_attrs",
                                "keepalives_idle",
                                "keepalives_interval",
                                "keepalives_count",
                                "tcp_user_timeout",
                                "dbname",
                                "client_encoding",
                                named ? "application_name" : NULL,
                                NULL};
    const char *const values[] = {"sagad",           "3",    "read-write",  "5", "2", "3", "15000",
                                  session->conninfo, "UTF8", session->name, NULL};
    PGconn *conn = PQconnectdbParams(keys, values, 1);
    check(conn);
    if (PQstatus(conn) != CONNECTION_OK) {
        struct str said = first_line(PQerrorMessage(conn));
        char line[sizeof note->text], shown[sizeof note->text];
        snprintf(line, sizeof line, "%.*s", STR_ARG(said));
        say_unconnected(session->conninfo, line, shown, sizeof shown);
        enum err error = err_note(note, ERR_UNAVAILABLE, "no connection to PostgreSQL: %.400s", shown);
        PQfinish(conn);
        return error;
    }
    if (PQserverVersion(conn) < oldest_server) {
        PQfinish(conn);
        return err_note(note, ERR_INVALID, "PostgreSQL 14 or later is needed");
    }
    session->conn = conn;
    return ERR_OK;
}

static void put_number(struct pq_wire_params *params, int number)
{
    struct str text = arena_printf(params->arena, "%d", number);
    pq_wire_put(params, PQ_WIRE_TEXT, &text);
}

static enum err end_orphan(struct pq_session *session, struct err_note *note)
{
    static const struct pq_wire_column ended_column[] = {{PQ_WIRE_BOOL, 0}};
    struct pq_wire_params params;
    const int64_t wait_ms = LIMITS_STORE_CONNECT_MS;
    bool ended = true;
    if (!session->orphan)
        return ERR_OK;
    pq_wire_init(&params, &session->scratch);
    pq_wire_put(&params, PQ_WIRE_INT4, &session->backend);
    pq_wire_put(&params, PQ_WIRE_TIME, &session->backend_start_us);
    pq_wire_put(&params, PQ_WIRE_INT8, &wait_ms);
    struct pq_call call = {.query = PQ_QUERY_ID_END_BACKEND, .params = &params};
    enum err error = pq_session_run(session, &call, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    if (PQntuples(call.result) > 0)
        pq_wire_get(call.result, 0, ended_column, 1, &session->scratch, &ended);
    pq_session_clear(&call, 1);
    if (!ended)
        return err_note(note, ERR_UNAVAILABLE, "the lost connection's transaction is still at work");
    session->orphan = false;
    return ERR_OK;
}

static enum err know_backend(struct pq_session *session, struct err_note *note)
{
    static const struct pq_wire_column start_column[] = {{PQ_WIRE_TIME, 0}};
    struct pq_call call = {.query = PQ_QUERY_ID_BACKEND};
    enum err error = pq_session_run(session, &call, 1, PQ_SESSION_LOSS_HARMLESS, note);
    if (error != ERR_OK)
        return error;
    session->backend = PQbackendPID(session->conn);
    pq_wire_get(call.result, 0, start_column, 1, &session->scratch, &session->backend_start_us);
    pq_session_clear(&call, 1);
    return ERR_OK;
}

static enum err prepare_all(struct pq_session *session, struct err_note *note)
{
    struct pq_call calls[PQ_QUERY_COUNT] = {0};
    uint32_t count = 0;
    int64_t deadline_us = deadline_of(session);
    PGresult *refused = NULL;
    for (enum pq_query query = 0; query < PQ_QUERY_COUNT; query++) {
        if (pq_query_when(query) != PQ_QUERY_PREPARED)
            continue;
        calls[count++].query = query;
        if (!PQsendPrepare(session->conn, pq_query_name(query), pq_query_text(query), 0, NULL))
            return lose(session, PQ_SESSION_LOSS_HARMLESS, "preparing", note);
    }
    bool whole = PQpipelineSync(session->conn) && flush(session->conn, deadline_us);
    for (uint32_t i = 0; whole && i < count; i++)
        whole = collect(session->conn, deadline_us, &calls[i]) && !pq_error_ends_session(calls[i].result);
    whole = whole && collect_sync(session->conn, deadline_us, &refused);
    enum err error = whole ? verdict(session, calls, count, refused, note)
                           : lose(session, PQ_SESSION_LOSS_HARMLESS, "preparing", note);
    PQclear(refused);
    pq_session_clear(calls, count);
    return error;
}

static enum err set_limits(struct pq_session *session, struct err_note *note)
{
    struct pq_wire_params params;
    if (PQsetnonblocking(session->conn, 1) != 0 || !PQenterPipelineMode(session->conn))
        return lose(session, PQ_SESSION_LOSS_HARMLESS, "pipeline mode", note);
    arena_reset(&session->scratch);
    pq_wire_init(&params, &session->scratch);
    put_number(&params, session->statement_ms);
    put_number(&params, session->lock_ms);
    return pq_session_do(session, PQ_QUERY_ID_SESSION, &params, note);
}

static enum err set_up(struct pq_session *session, struct err_note *note)
{
    enum err error = set_limits(session, note);
    if (error == ERR_OK)
        error = end_orphan(session, note);
    if (error == ERR_OK)
        error = know_backend(session, note);
    if (error == ERR_OK)
        error = pq_schema_check(session, note);
    if (error == ERR_OK)
        error = prepare_all(session, note);
    return error;
}

static void init(struct pq_session *session, const char *conninfo, const char *name)
{
    *session = (struct pq_session){.conninfo = memory_new(strlen(conninfo) + 1, 1),
                                   .answer_ms = LIMITS_STORE_ANSWER_MS,
                                   .statement_ms = LIMITS_STORE_STATEMENT_MS,
                                   .lock_ms = LIMITS_STORE_LOCK_MS};
    snprintf(session->name, sizeof session->name, "%s", name);
    memcpy(session->conninfo, conninfo, strlen(conninfo));
    arena_init(&session->scratch, 0);
}

enum err pq_session_reconnect(struct pq_session *session, struct err_note *note)
{
    if (session->conn && !session->foreign && alive(session->conn))
        return ERR_OK;
    if (session->conn && lose(session, PQ_SESSION_LOSS_HARMLESS, "while idle", note) == ERR_OK)
        return ERR_OK;
    enum err error = connect_server(session, note);
    if (error == ERR_OK)
        error = set_up(session, note);
    session->foreign = error == ERR_SCHEMA;
    if (error != ERR_OK && !session->foreign && session->conn) {
        PQfinish(session->conn);
        session->conn = NULL;
    }
    return error;
}

enum err pq_session_open(struct pq_session *session, const char *conninfo, const char *name,
                         struct err_note *note)
{
    init(session, conninfo, name);
    enum err error = pq_session_reconnect(session, note);
    if (error != ERR_OK)
        pq_session_close(session);
    return error;
}

enum err pq_session_open_bare(struct pq_session *session, const char *conninfo, struct err_note *note)
{
    init(session, conninfo, "");
    session->answer_ms = LIMITS_STORE_MIGRATE_MS;
    session->lock_ms = LIMITS_STORE_MIGRATE_MS;
    session->statement_ms = 0;
    enum err error = connect_server(session, note);
    if (error == ERR_OK)
        error = set_limits(session, note);
    if (error != ERR_OK)
        pq_session_close(session);
    return error;
}

void pq_session_close(struct pq_session *session)
{
    PQfinish(session->conn);
    session->conn = NULL;
    arena_fini(&session->scratch);
    memory_free(session->conninfo);
    session->conninfo = NULL;
}
