/* The engine in one process: shards' runners over a store and a bus. For api and programs.
 *
 * Happy path: engine_open claims shards, recovers what is outstanding and starts the runners; requests go in
 * by engine_start and engine_verb and are answered after the commit; engine_close drains. Contract: persist,
 * then act. Threads: any, unless said otherwise. Answers are called on a runner's thread and must be short:
 * copy, wake somebody. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/json.h"
#include "engine/bus/bus.h"
#include "engine/core/core.h"
#include "engine/definition/definition.h"
#include "engine/runtime/registry.h"
#include "engine/store/store.h"

struct engine;
struct engine_options {
    const char *instance;    /* the name; one engine has it at a time */
    const char *incarnation; /* of the sessions that open_store makes (store.h); NULL: they are nobody's, so
                                that another engine may take the name at any time */
    const char *address;     /* for people: where it runs; NULL: not told */
    const char *version;     /* likewise */
    void *context; /* for the two functions below: real servers in production, in-memory twins in tests */
    enum err (*open_store)(void *context, struct store **store, struct err_note *note);
    enum err (*open_bus)(void *context, const struct bus_callbacks *callbacks, struct bus **bus,
                         struct err_note *note);
    uint32_t runners;    /* threads; 0 counts as 1 */
    uint32_t shards_max; /* 0: all that are free */
    int64_t lease_us;
    uint32_t batch_events;    /* 0: the default, LIMITS_BATCH_EVENTS */
    uint32_t inbox_events;    /* 0: LIMITS_INBOX_EVENTS */
    uint32_t resident_max;    /* 0: LIMITS_RESIDENT_SAGAS */
    size_t definitions_bytes; /* memory of all plans; 0: LIMITS_DEFINITIONS_BYTES */
    uint32_t forwards_max;    /* 0: LIMITS_FORWARDS */
    uint64_t backlog_max; /* commands a participant may have waiting for new sagas to be started; 0: any */
    int64_t drain_us;
    int64_t dead_letters; /* kept at most; 0: LIMITS_DEAD_LETTERS */
    int64_t dead_bytes;   /* of them, likewise; 0: LIMITS_DEAD_BYTES */
    int64_t dead_keep_us; /* for so long; 0: for ever */
    bool events;          /* publish lifecycle events */
    /* For tests and the simulator, which drive real runners on one thread and in virtual time. */
    uint64_t seed;                      /* of ids and jitter; 0: from the kernel */
    int64_t (*clock_us)(void *context); /* monotonic; NULL: the machine's */
    bool by_hand;                       /* no threads: nothing happens but in engine_turn */
};

/* ERR_CONFLICT: another engine of this name lives; the note says where. */
enum err engine_open(const struct engine_options *options, struct engine **engine, struct err_note *note);
/* Stops taking requests, finishes what is in the inboxes, waits for outstanding publishes up to drain_us,
 * gives the shards back. */
void engine_close(struct engine *engine);
/* With by_hand only: one turn of each runner's loop and of the router's, without waiting. Gives the time of
 * clock_us until when there is nothing to do unless something arrives. */
int64_t engine_turn(struct engine *engine);
/* Another engine has this one's name by now, as the note says: this one does nothing any more, and is to be
 * closed. */
bool engine_ousted(struct engine *engine, struct err_note *note);
struct registry *engine_registry(struct engine *engine);
/* A new handle for reading; the caller closes it. Errors as store.h has them. */
enum err engine_open_store(struct engine *engine, struct store **store, struct err_note *note);
/* Real commit and real publish, and at least one runner at work; the note says what is missing. Blocks up to
 * a few seconds. ERR_CLOSED: it stops; ERR_SCHEMA: the database is not for this program; ERR_UNAVAILABLE,
 * ERR_TIMEOUT: something is away. */
enum err engine_ready(struct engine *engine, struct store *store, struct err_note *note);
/* Participants whose commands wait because the broker keeps no more of them, at most `most`; how many. Does
 * not make the engine unready: all others go on. Names live as long as the engine. */
struct engine_full {
    struct str name;
    uint64_t held;
};
uint32_t engine_full(struct engine *engine, struct engine_full *list, uint32_t most);
/* Whether the broker lets services be asked as the plan wants to. ERR_CONFLICT: a stream holds the subject of
 * a `via: request` command and would answer in its service's place; the note is for the author. Other errors:
 * the broker cannot be asked. Blocks. */
enum err engine_inspect(struct engine *engine, const struct plan *plan, struct err_note *note);
/* The same for a plan that is here already: the log says so. */
void engine_warn_of_held(struct engine *engine, const struct plan *plan);
/* After registry changes: makes the consumers of new participants. Of more than LIMITS_PARTICIPANTS the rest
 * is left out, which is logged: no plan may keep the others from theirs. ERR_LIMIT then; else errors as
 * bus_participants. */
enum err engine_announce(struct engine *engine, const struct plan *plan, struct err_note *note);

struct engine_answer {
    enum err error; /* OK; CONFLICT (verb refused, or key used with another input); INVALID (a signal that no
                       await of the definition can take); NOT_FOUND; UNAVAILABLE; UNKNOWN_OUTCOME; FULL */
    struct str message;      /* a sentence when error is not OK */
    struct id id;            /* the saga's, also of the existing one for a repeated key */
    int32_t version;         /* start: of the definition that the saga has; 0: not told (an older engine) */
    bool created;            /* start: false for a repeated key with the same input; signal: for a known id */
    enum core_status status; /* after the commit */
    int64_t seq;
};
struct engine_call {
    void *context;
    void (*done)(void *context,
                 const struct engine_answer *answer); /* exactly once, if the submitting call gave ERR_OK */
};
struct engine_start {
    const struct plan *plan;
    const struct json *input;
    struct str key; /* from definition_start */
    const struct json *search;
    struct str correlation;
    struct str traceparent;
};
/* Copies everything. ERR_FULL: the inbox is full, try later. ERR_UNAVAILABLE: no owner for the shard. */
enum err engine_start(struct engine *engine, const struct engine_start *start, struct engine_call call,
                      struct err_note *note);
/* An operator's verb: event kind CANCEL … FORCE, MOVE with step, status, body, due_us (passed: now), actor,
 * reason; or a SIGNAL with signal, signal_id, body. at_us is set by the runner. ERR_NOT_FOUND: no saga
 * can have this id; ERR_FULL and ERR_UNAVAILABLE as engine_start. */
enum err engine_verb(struct engine *engine, struct id id, const struct core_event *verb,
                     struct engine_call call, struct err_note *note);
/* Calls when the saga has ended or is parked, at the latest after timeout_us (then with the status it has).
 * Errors as engine_verb. */
enum err engine_watch(struct engine *engine, struct id id, int64_t timeout_us, struct engine_call call,
                      struct err_note *note);

struct engine_figures {
    uint32_t shards_owned;
    uint32_t inbox_depth;
    uint32_t resident;
    uint32_t publishes_in_flight;
    int64_t oldest_wait_us; /* of what stands in the inboxes */
    bool bus_connected;
    bool store_connected;
};
void engine_figures(struct engine *engine, struct engine_figures *figures);
