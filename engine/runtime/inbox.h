/* A runner's inbox: many threads put, one takes everything that arrived while its last commit was in flight.
 *
 * Bounded in items and bytes; a put that finds no room is refused and the sender pushes back (HTTP 429, no
 * acknowledgement to NATS). Requests of people are refused at three quarters, so that replies, which free
 * memory, always get through first. An item is one arena: everything it needs is copied in. It has an origin,
 * which is said when it is made and never changes (a caller, or a delivery of the bus), and a task, which it
 * has whole or not at all: what comes by message is read into a task apart, which the item is given when all
 * of it was understood. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/bus/envelope.h"
#include "engine/runtime/engine.h"

enum inbox_origin {
    INBOX_CALLER,   /* somebody in this process, told by `call` */
    INBOX_DELIVERY, /* the bus: answered (CONTROL) or acknowledged (REPLY, IN) at `delivery.ack` */
};
enum inbox_kind {
    INBOX_UNREAD, /* a delivery whose meaning nobody has looked for, or which is a participant's answer */
    INBOX_START,
    INBOX_CHILD,
    INBOX_VERB,
    INBOX_WATCH,
    INBOX_DEAD, /* a delivery found to be of no use: it becomes a dead letter */
};
/* What an item wants done. */
struct inbox_task {
    enum inbox_kind kind;
    struct id id;                /* VERB, WATCH, CHILD; START: chosen by the sender when has_id */
    bool has_id;                 /* START; else as it likes */
    struct engine_start start;   /* START, its plan never NULL; CHILD: see child_prepare */
    struct envelope_child child; /* CHILD: what its parent wants of it */
    struct str child_refusal;    /* CHILD: why its input does not fit; "" : it does */
    struct core_event verb;      /* VERB */
    int64_t timeout_us;          /* WATCH */
    struct str reason;           /* DEAD */
};
struct inbox_item {
    struct inbox_item *next;
    struct arena arena; /* holds the item itself and all it points to */
    enum inbox_origin origin;
    int64_t queued_us; /* monotonic */
    size_t bytes;
    uint32_t shard;
    struct bus_delivery
        delivery;            /* of origin DELIVERY; its ack is emptied once there is nothing to say to it */
    struct str nonce;        /* of a CONTROL request, for the proof of its answer; "": it bears none */
    struct engine_call call; /* of origin CALLER; done == NULL: nobody waits, or who did was told */
    struct inbox_task task;
    uint32_t tries; /* shards tried for a start that may go to any */
    bool alone;     /* refused by the database along with others: to be tried in a batch of its own */
    bool cleared;   /* an ANSWER that looks like a stream's acknowledgement, and is none */
    bool given_up;  /* an ANSWER that none is: the request has reached nobody, for the whole of its attempt */
    uint64_t finished_in; /* number of the batch that has it among the finished ones; 0: none yet */
};
struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct inbox_item *first, *last;
    uint32_t count;
    size_t bytes;
    uint32_t count_max;
    size_t bytes_max;
    bool woken; /* something else than an item happened: an acknowledged publish, a stop */
    bool closed;
};

void inbox_init(struct inbox *inbox, uint32_t count_max, size_t bytes_max);
/* Frees what is left in it. */
void inbox_fini(struct inbox *inbox);
struct inbox_item *inbox_item_new(enum inbox_origin origin, enum inbox_kind kind, size_t expected_bytes);
void inbox_item_free(struct inbox_item *item);
/* Whether nobody waits for an answer to it and the broker (or nobody) keeps it: what it leads to must be
 * stored, as a dead letter if need be. */
bool inbox_item_is_message(const struct inbox_item *item);
/* How long a message that nothing can be done with is left to the broker: 0.1 s, twice as long with each
 * delivery, 10 s at most. */
int64_t inbox_item_back_off_us(const struct inbox_item *item);
/* Takes the item. False: no room or closed, the item is still the caller's. `urgent`: may use the last
 * quarter. */
bool inbox_put(struct inbox *inbox, struct inbox_item *item, bool urgent);
/* Wakes the runner without an item. Any thread. */
void inbox_wake(struct inbox *inbox);
/* Waits until something is there, somebody wakes it or the monotonic time is reached; then takes up to `most`
 * items of at most `bytes_most` bytes (at least one) in order. NULL: none. most 0: waits for a wake only,
 * whatever is there. */
struct inbox_item *inbox_take(struct inbox *inbox, uint32_t most, size_t bytes_most,
                              int64_t until_monotonic_us);
/* No more puts. */
void inbox_close(struct inbox *inbox);
/* Depth, and when the oldest item was put (0: empty). */
void inbox_look(struct inbox *inbox, uint32_t *count, int64_t *oldest_us);
