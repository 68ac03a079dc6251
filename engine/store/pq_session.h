/* One connection to PostgreSQL in pipeline mode, and how its failures are told apart.
 *
 * Happy path: pq_session_open, then pq_session_run for each set of statements, which travel together in one
 * round trip. Without `begin` among them they are one transaction. The socket never blocks: answers are
 * waited for with poll, up to LIMITS_STORE_ANSWER_MS. Failure modes: the server refuses a statement (nothing
 * is committed, the session stays); the connection is lost or silent (it is closed; after statements that
 * commit the outcome is unknown). pq_session_reconnect ends the lost connection's backend first, so that
 * whatever it was doing is over before anybody asks about it. One thread at a time. The session owns its
 * connection; results belong to the calls until pq_session_clear. */
#pragma once
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/store/pq_query.h"
#include "engine/store/pq_wire.h"

enum { PQ_SESSION_NAME_SIZE = 64 }; /* what PostgreSQL keeps of an application_name, and a NUL */
struct pq_session {
    PGconn *conn; /* NULL: broken */
    char *conninfo;
    char name[PQ_SESSION_NAME_SIZE]; /* application_name; "": as the user says, or "sagad" */
    int answer_ms;                   /* how long to wait for the server, and its own limits (0: none) */
    int statement_ms;
    int lock_ms;
    struct arena scratch; /* parameters of one run; the caller resets it */
    int32_t backend;      /* process of the server, of this connection or of the one lost */
    int64_t backend_start_us;
    bool orphan;  /* that process may still be at work for a connection that was lost */
    bool foreign; /* connected, but the schema is not this program's: nothing is prepared */
};
struct pq_call {
    enum pq_query query;
    const struct pq_wire_params *params; /* NULL: none */
    PGresult *result;                    /* out */
};
/* What it means when the answer is lost. */
enum pq_session_loss { PQ_SESSION_LOSS_HARMLESS, PQ_SESSION_LOSS_UNKNOWN };

/* Connects and prepares all statements. `name` becomes the application_name, whatever the user says; "" :
 * none. ERR_UNAVAILABLE; ERR_SCHEMA when the schema is not this program's.
 */
enum err pq_session_open(struct pq_session *session, const char *conninfo, const char *name,
                         struct err_note *note) __attribute__((warn_unused_result));
/* The same for a connection that migrates: no schema is asked for, nothing is prepared, limits are long. */
enum err pq_session_open_bare(struct pq_session *session, const char *conninfo, struct err_note *note)
    __attribute__((warn_unused_result));
void pq_session_close(struct pq_session *session);
/* Nothing when the connection stands. After ERR_SCHEMA it stands for what is planned anew for each call
 * (release), until the next reconnect, which looks again. */
enum err pq_session_reconnect(struct pq_session *session, struct err_note *note)
    __attribute__((warn_unused_result));
/* Sends all, waits for all. On ERR_OK each call has its result; else none has. loss decides between
 * ERR_UNAVAILABLE and ERR_UNKNOWN_OUTCOME when the connection is lost after everything was sent. Other
 * errors: pq_error.h. */
enum err pq_session_run(struct pq_session *session, struct pq_call *calls, uint32_t count,
                        enum pq_session_loss loss, struct err_note *note) __attribute__((warn_unused_result));
void pq_session_clear(struct pq_call *calls, uint32_t count);
/* Several statements in one text, outside pipeline mode: for migrations. Blocks. ERR_TIMEOUT: others held a
 * table's lock for too long. */
enum err pq_session_script(struct pq_session *session, const char *sql, struct err_note *note)
    __attribute__((warn_unused_result));
/* One statement whose rows do not matter. Errors as pq_session_run. */
enum err pq_session_do(struct pq_session *session, enum pq_query query, const struct pq_wire_params *params,
                       struct err_note *note) __attribute__((warn_unused_result));
