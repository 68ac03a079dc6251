/* A runner: one thread, one store connection, some shards; the single writer of their sagas.
 *
 * The loop: take what arrived, load the sagas it concerns, decide (intake.c, decide.c), store all of it in
 * one transaction, then act (act.c): publish commands, acknowledge replies, answer callers, publish events.
 * One event alone is committed at once; while a commit is in flight the next batch gathers. Failure modes:
 * the database is away: the batch is kept and tried again, after asking whether it was committed after all; a
 * shard is fenced: all that memory holds of it is dropped, its callers are told; the bus is away: commands
 * wait in the journal above the mark and are sent again (recovery.c). */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/runtime/asking.h"
#include "engine/runtime/batch.h"
#include "engine/runtime/delivery.h"
#include "engine/runtime/engine.h"
#include "engine/runtime/inbox.h"
#include "engine/runtime/outbox.h"
#include "engine/runtime/refusal.h"
#include "engine/runtime/resident.h"
#include "engine/runtime/timekeeper.h"
#include "engine/runtime/trail.h"

enum { RUNNER_NUMBER_BITS = 40 }; /* of a cookie's number; the runner's index stands above */
struct runner_shard {
    bool owned;
    bool lost;                /* another owner has it, as a failed commit told; dropped once its batch is */
    bool listening;           /* to its replies; false while the broker could not be asked */
    struct store_shard store; /* epoch and marks as of the last commit */
    int64_t next_lsn;         /* of the batch in hand */
    struct outbox outbox;
    int64_t resent_us;     /* monotonic: when the last repair began */
    uint32_t resend_tries; /* repairs in a row that the broker refused some of */
    int64_t claimed_us;    /* monotonic */
    bool watched, careful; /* suspect.c: its claim is noted; its messages are taken one by one */
    int64_t known_lsn; /* the highest this runner has seen in the database, whoever owned it then: kept when
                          it is dropped */
};
/* Sagas whose past the database has lost, to be decided before anything else (mend.h). */
struct runner_mend {
    struct trail_mark *lost;
    uint32_t count;
    bool definitions; /* may have been lost, too: this process knows them */
    int64_t at_us;    /* monotonic: not before */
};
/* How much of one class of dead letters may still be stored. */
struct runner_dead_class {
    uint64_t hash; /* of the class; 0: free */
    int64_t left;  /* in thousandths of a letter */
    int64_t at_us; /* monotonic: as of then */
};
enum { RUNNER_DEAD_CLASSES = 1024 }; /* a power of two: some kinds of wrong of each of many senders */
/* Dead letters that went to make room, or because they were too old, or too many at once (dead.h). */
struct runner_dead {
    int64_t gone; /* of the last batch */
    int64_t untold, unstored;
    int64_t tell_at_us;   /* monotonic: not before */
    int64_t forget_at_us; /* likewise */
    struct runner_dead_class classes[RUNNER_DEAD_CLASSES];
};
struct runner_answer {
    bool back; /* of a command asked back: cookie is its flight's number */
    uint64_t cookie;
    enum err error;
    bool refused, subject_full;
    uint64_t sequence;
    int64_t at_us; /* monotonic */
};
/* A batch on its way into the database. While it is open, because nobody knows how the commit went or the
 * database is away, nothing else is begun. */
struct runner_commit {
    bool open;
    uint32_t tries;
    struct store_batch rows;
    struct store_rejected *rejected; /* by the last try */
    uint32_t rejected_count;
    int64_t began_us; /* monotonic */
    int64_t try_at_us;
};
/* Items of a batch that came to nothing, to be taken before anything newer: at most one batch's worth. */
struct runner_again {
    struct inbox_item *first, *last;
    int64_t at_us; /* monotonic: not before */
};
enum { RUNNER_NAME_SIZE = LIMITS_INSTANCE_BYTES + 32 };
struct runner {
    struct engine *engine;
    uint32_t index;
    char name[RUNNER_NAME_SIZE]; /* owner in table shard: <instance>#<index>/<incarnation> */
    pthread_t thread;
    struct store *store;
    struct inbox inbox;
    struct resident resident;
    struct batch batch;
    struct runner_commit commit;
    struct runner_again again;
    char suspect[512];   /* identity of the message that suspect.c has in hand; "" : none */
    uint32_t batch_most; /* items, and timers, of one batch: halved while the database takes none so large */
    uint32_t batches_fine; /* stored in turn since */
    uint32_t width;        /* times batch_most: items taken at once, of which few lead to anything stored */
    bool apart;            /* the batch at hand, or the last one, is of one item that must be alone */
    bool timers_first;     /* the last batch was full before it came to them */
    struct trail trail;
    struct runner_mend mend;
    struct runner_dead dead;
    struct rng rng;
    struct runner_shard *shards; /* by number; shard_count of the engine */
    uint32_t owned_count;
    uint32_t shards_most;
    struct timekeeper time;
    bool count_anew;     /* time has gone back: sagas whose last record has yet to come are looked for */
    int64_t renew_at_us; /* monotonic */
    struct delivery delivery;
    struct refusals refusals;
    uint32_t sights; /* of participants, that were made use of: engine_parts.h */
    struct asking asking;
    pthread_mutex_t answers_lock; /* the broker's confirmations, put by the bus's threads */
    struct runner_answer *answers, *answers_taken;
    uint32_t answer_count, answer_room, taken_room;
    atomic_bool stop;
    atomic_bool starved; /* waits for the broker's answers: too many publishes outstanding */
    atomic_uint resident_figure;
    atomic_bool store_connected;
};

/* Makes a runner without shards, to be closed after an error too. Errors as store.h has them. */
enum err runner_open(struct runner *runner, struct engine *engine, uint32_t index, struct err_note *note);
/* Claims first shards before it returns, so that the engine is ready when it is open. Errors as store_now:
 * shards that cannot be claimed now are claimed later. */
enum err runner_start(struct runner *runner, struct err_note *note);
/* One turn of the loop. wait: may sleep until there is something to do. Gives the monotonic time until when
 * there is nothing to do unless something arrives. For the runner's own thread, or whoever drives by hand. */
int64_t runner_turn(struct runner *runner, bool wait);
/* Drains and ends the thread; who is still waiting is told. The bus must be open. */
void runner_stop(struct runner *runner);
/* The bus must be closed or never have been opened, so that no callback comes any more. */
void runner_close(struct runner *runner);
/* The bus's word on a publish; any thread. */
void runner_published(struct runner *runner, const struct bus_published *published);
/* The bus's word on a command asked back under runner_cookie; any thread. */
void runner_taken_back(struct runner *runner, uint64_t number, enum err error);
/* Tells the runners of an engine apart in a cookie; number is below 2^40. */
uint64_t runner_cookie(const struct runner *runner, uint64_t number);
int64_t runner_now_us(const struct runner *runner);
struct runner_shard *runner_shard(struct runner *runner, uint32_t shard);
/* Takes an item whose batch came to nothing, to be tried once more. */
void runner_try_again(struct runner *runner, struct inbox_item *item);
/* The database was migrated to what this program does not understand: gives all shards back at once and says
 * why. */
void runner_refuse_schema(struct runner *runner, const char *why);
void runner_append(struct runner_again *list, struct inbox_item *item);
/* The next ones, in order: waits until some are there or the monotonic time is reached. */
struct inbox_item *runner_items(struct runner *runner, bool wait, int64_t until_us);
/* After a batch. Somebody's flood of what is of no use must not keep the others waiting for its turn: as long
 * as few of the items lead to anything that is stored, more of them are taken at once. */
void runner_widen(struct runner *runner);
/* Sleeps, whatever is in the inbox, unless driven by hand. */
void runner_rest(struct runner *runner, bool wait, int64_t until_us);
/* Takes items that a batch had no room for, to be taken before anything else. */
void runner_take_back(struct runner *runner, const struct runner_again *items);
/* The database takes no batch as large as this one: the next ones are half as large. */
void runner_halve(struct runner *runner);
/* It took one. */
void runner_recover(struct runner *runner);
/* Drops all that memory holds of a shard: it was lost, or is given back. Callers that wait are told `why`. */
void runner_drop_shard(struct runner *runner, uint32_t shard, const char *why);
