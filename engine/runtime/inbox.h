/* A runner's inbox: many threads put, one takes everything that arrived while its last commit was in flight.
 *
 * Bounded in items and bytes; a put that finds no room is refused and the sender pushes back (HTTP 429, no
 * acknowledgement to NATS). Requests of people are refused at three quarters, so that replies, which free
 * memory, always get through first. An item is one arena: everything it needs is copied in. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/bus/envelope.h"
#include "engine/runtime/engine.h"

struct runner_asked;
enum inbox_kind { INBOX_MESSAGE, INBOX_START, INBOX_CHILD, INBOX_VERB, INBOX_WATCH };
struct inbox_item {
    struct inbox_item *next;
    struct arena arena; /* holds the item itself and all it points to */
    enum inbox_kind kind;
    int64_t queued_us; /* monotonic */
    size_t bytes;
    uint32_t shard;
    struct bus_delivery delivery; /* MESSAGE */
    struct engine_start start;    /* START; CHILD: see child_prepare */
    struct envelope_child child;  /* CHILD: what its parent wants of it */
    struct str child_refusal;     /* CHILD: why its input does not fit; "" : it does */
    struct id id;                 /* VERB, WATCH, CHILD; START: chosen by the sender when has_id */
    bool has_id;
    struct core_event verb;  /* VERB */
    int64_t timeout_us;      /* WATCH */
    struct engine_call call; /* START, VERB, WATCH; done == NULL: nobody waits */
    struct str control_ack;  /* came over saga.ctl: where the answer goes; "" : not */
    struct str message_ack;  /* came over SAGA_IN: acknowledge after commit */
    struct str dead_reason;  /* MESSAGE: found to be of no use already, and why; "" : not */
    bool alone; /* refused by the database along with others: to be tried in a batch of its own */
    struct runner_asked *asked; /* MESSAGE with an answer: what it answers; freed with the item */
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
struct inbox_item *inbox_item_new(enum inbox_kind kind, size_t expected_bytes);
void inbox_item_free(struct inbox_item *item);
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
