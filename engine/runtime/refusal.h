/* Commands that the broker has no room for while it has room for others: one participant's trouble, which is
 * to be nobody else's.
 *
 * The stream keeps so many commands of each subject, saga.cmd.<participant>.<action>, and refuses further
 * ones of it alone (bus.h, subject_full). Such a command is held (outbox.h) and stands in the queue of its
 * subject, and so does what is to be sent to that subject while its queue is not empty; the shard goes on.
 * Each queue is tried by itself: one command at first, ever more rarely while it is refused, ever more at a
 * time while it is taken; a command is read again from the journal for that. What is not wanted any more
 * leaves the queue with its flight (delivery.h). Failure modes: too many are held, then the refusal counts
 * like any failed publish (recovery.c); another owner takes over, then all of it lies above the mark.
 *
 * One thread: the runner's. Times are of the engine's monotonic clock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/heap.h"
#include "engine/base/map.h"
#include "engine/bus/bus.h"
#include "engine/runtime/batch.h"
#include "engine/runtime/outbox.h"

struct runner;
struct runner_answer;
struct delivery_flight;
struct refusal {
    struct refusal_queue *queue;
    struct refusal *before, *after; /* in the queue, in the order of coming */
    struct delivery_flight *flight;
    struct outbox *outbox;
    struct heap_item held; /* by lsn */
    int64_t since_us;
    bool out; /* being tried */
};
/* Of one subject. Made at the first refusal, lives as long as the runner. */
struct refusal_queue {
    struct refusal_queue *next; /* all of the runner's */
    struct runner *runner;
    struct backlog_participant *participant;
    struct str command; /* "payments.charge"; its bytes follow the struct */
    struct refusal *first, *last;
    uint32_t count, out_count;
    uint32_t window;     /* tried at a time */
    bool taken, refused; /* of those being tried, some were */
    uint32_t tries;      /* in a row of which nothing was taken */
    int64_t try_us;      /* not before */
};
struct refusals {
    struct map queues; /* by command */
    struct refusal_queue *all;
    uint32_t count; /* in all queues */
    int64_t try_us; /* the earliest; INT64_MAX: nothing is to be tried */
};

void refusal_init(struct refusals *refusals);
/* All flights must be gone. */
void refusal_fini(struct refusals *refusals);
/* Before a command is handed to the broker: true when it waits behind others of its subject instead. flight:
 * NULL when it has none. */
bool refusal_waits(struct runner *runner, const struct batch_send *send, struct delivery_flight *flight);
/* The broker's answer to the slot's publish. True when there is nothing to be repaired: it was held, or tried
 * again, or nobody wants it. */
bool refusal_answered(struct runner *runner, const struct outbox_slot *slot,
                      const struct runner_answer *answer);
/* The command is not to be sent any more; nothing when it is not held. */
void refusal_end(struct delivery_flight *flight);
/* Tries what is due. */
void refusal_turn(struct runner *runner);
