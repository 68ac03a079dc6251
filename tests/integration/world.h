/* The product over real servers: a private PostgreSQL and nats-server, `sagad serve` once or twice, the
 * shop's participants (shop.c) and a client that writes down what it was told.
 *
 * Happy path: world_open, world_serve, world_start …, world_await_rest, world_judge, world_close. What cannot
 * be done on this side ends the test. The client's notes are kept in world->facts; world_judge reads the
 * other sources into them and asks the checker. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "tests/harness/harness.h"
#include "tests/harness/rights.h"
#include "tests/integration/client.h"
#include "tests/integration/facts.h"

enum { WORLD_ENGINES = 3, WORLD_PATIENCE_MS = 30000, WORLD_HOWS = 6 };

struct world_engine {
    struct harness_program program;
    char name[16];    /* the instance: the same after a restart, so it takes its shards back at once */
    uint16_t port;    /* of its last start */
    const char *nats; /* where it finds NATS; NULL: the server itself */
};
struct world {
    struct harness harness;
    char rights_file[PROCESS_PATH_SIZE]; /* what nats-server is configured with: deploy/nats.conf for our
                                            names */
    struct rights rights;                /* what is taken away of it */
    struct harness_program shop;
    struct world_engine engines[WORLD_ENGINES];
    char database[SERVERS_URL_SIZE];
    char definitions[PROCESS_PATH_SIZE]; /* a copy, which a test may change */
    const char *lease;                   /* "2s" unless set before world_serve */
    const char *const *arguments;        /* more for sagad serve, ended by NULL; may be NULL */
    struct arena arena;
    struct facts facts;
    uint32_t number; /* of the next saga: in its input and key */
};

/* How the steps a, b, c, … and their compensations go: names of shop.h, NULL for "ok". */
enum { WORLD_STEPS = 8 };
struct world_plan {
    const char *definition;
    const char *how[WORLD_STEPS];
    const char *undo[WORLD_STEPS];
    const char *more; /* further members of the input, ",…"; NULL: none */
};

/* Writes the rights anew; for nats-server after rights_reload. */
void world_rights(struct world *world, const struct rights *rights);
/* Servers, the schema and the definitions; the first engine that is ready brings the shop. */
void world_open(struct world *world);
void world_close(struct world *world);

/* Starts an engine, again after it ended, and waits until it is ready. failpoint "name:count" or NULL; with
 * one it may die at once, and false is no failure of the test. */
bool world_serve(struct world *world, uint32_t engine, const char *failpoint);
/* Starts an engine that must end by itself, without ever serving: its exit code. */
int world_serve_in_vain(struct world *world, uint32_t engine);
/* Waits until a line of its log holds this. */
void world_await_log(struct world *world, uint32_t engine, const char *text);
/* Waits until it died by itself. */
bool world_await_death(struct world *world, uint32_t engine, int timeout_ms);
/* SIGTERM; its exit must be in order, and no sanitizer may have complained. */
void world_stop(struct world *world, uint32_t engine);
/* SIGKILL. */
void world_kill(struct world *world, uint32_t engine);
void world_shop_start(struct world *world);

struct client_answer world_get(struct world *world, uint32_t engine, const char *target);
struct client_answer world_post(struct world *world, uint32_t engine, const char *target, struct str body);
/* The input for a plan, as JSON text. */
struct str world_input(struct world *world, const struct world_plan *plan, uint32_t number);
/* POST /v1/sagas with a key of its own, noted in the facts. The answer's id is "" when there was none. */
struct str world_start(struct world *world, uint32_t engine, const struct world_plan *plan);
/* Any start; key "" : none. */
struct client_answer world_start_with(struct world *world, uint32_t engine, const char *definition,
                                      struct str key, struct str input);
/* An operator's verb, noted. `more`: further members of the body, ",…", or "". */
struct client_answer world_verb(struct world *world, uint32_t engine, struct str id, const char *verb,
                                const char *more);

/* Moves the timer of a step (its path): due "now", or how long from now. Noted as the verb `move`. */
struct client_answer world_move(struct world *world, uint32_t engine, struct str id, struct str step,
                                const char *due);
/* An event by business key, whose body is {"word":"<id>"}; noted. By NATS there is no answer: false when the
 * broker did not say that it has it. */
struct client_answer world_signal_key(struct world *world, uint32_t engine, const struct facts_signal *signal,
                                      const char *event);
bool world_signal_nats(struct world *world, const struct facts_signal *signal, const char *event);

/* The event guest.said with this id, noted. */
struct client_answer world_signal(struct world *world, uint32_t engine, struct str id, const char *signal,
                                  const char *body);

/* The saga's status as PostgreSQL has it. */
struct str world_status(struct world *world, struct str id);
/* Waits until the saga's status is this; ends the test otherwise. */
void world_await_status(struct world *world, struct str id, const char *status);
/* Waits until every saga has ended or is parked, and no command, reply or start is under way any more. */
void world_await_rest(struct world *world, int timeout_ms);
/* Waits until a query, whose answer is "t" or not, says so. */
void world_await_query(struct world *world, const char *sql, int timeout_ms);
/* Waits until readyz gives this status. */
void world_await_ready(struct world *world, uint32_t engine, int status);
/* Waits until such lines (what, and kind unless NULL) of all participants' logs are this many. */
void world_await_lines(struct world *world, const char *what, const char *kind, uint32_t count);

/* Whether every saga has ended or is parked now, and nothing is under way: not even a command that comes
 * again, because its acknowledgement was lost; its answer would set a saga going that is parked in doubt. */
bool world_at_rest(struct world *world);
/* Whether no reply is under way, and no participant works: what still waits, waits for its timer, for
 * somebody, or for a message that whoever took it has died of. */
bool world_is_idle(struct world *world);

/* Publishes to JetStream and waits for its acknowledgement; headers are name and value in turn, ended by
 * NULL. */
void world_publish(struct world *world, const char *subject, const char *const *headers, struct str body);
/* Messages of a stream that nobody has acknowledged yet. */
uint64_t world_stream_count(struct world *world, const char *stream);
/* What the broker says of a stream and its consumers, on stderr. */
void world_stream_show(struct world *world, const char *stream);
void world_stream_delete(struct world *world, const char *stream);

/* Stops the engines that run, reads all sources and asks the checker, sagactl replay and sagactl doctor:
 * nothing may be wrong. */
void world_judge(struct world *world);
/* sagactl with these arguments, ended by NULL; its exit code; its output is shown when that is not 0. */
int world_sagactl(struct world *world, const char *const *arguments);
