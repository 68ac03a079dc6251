/* What of a shard's journal has been given to the broker, and up to where it has confirmed it: the mark of
 * DESIGN.md (Data).
 *
 * Each command handed to the bus takes a slot, in lsn order. The mark is the lsn below the first slot that is
 * not confirmed. When one fails, the shard is `behind`: no new command is handed out until what lies above
 * the mark was sent again from the journal. The same happens after a takeover, so that there is one way of
 * repair, not two.
 *
 * A command that the broker has no room for while it has room for others (refusal.h) is held: it leaves its
 * slot, and the mark stays below it until it is let go. Its further tries take slots that bear no mark and
 * put nothing behind. A repair leaves it alone. One thread: the runner's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/heap.h"

struct delivery_flight;
struct outbox_slot {
    int64_t lsn;
    struct delivery_flight *flight; /* of a command; NULL: of anything else */
    int64_t taken_us;               /* monotonic: when it was handed out, for the publish latency */
    bool confirmed;
    bool again; /* a try of what is held */
};
struct outbox {
    struct outbox_slot *slots; /* a ring */
    uint32_t room;             /* a power of two */
    uint64_t first;            /* number of the oldest slot */
    uint64_t next;             /* number of the next one */
    uint32_t open_count;       /* slots the broker has not answered */
    uint32_t refused_count;    /* those it did not confirm, since the last repair began */
    struct heap held;          /* by lsn */
    int64_t sent_lsn;          /* everything up to here was handed out or needs no sending */
    bool behind;               /* a publish failed, or the shard was just taken over */
};
enum { OUTBOX_NUMBER_BITS = 48, OUTBOX_EPOCH_SHIFT = 32 };
/* Of a message without a slot (batch.h, loose). No slot's number is 0: it begins with an epoch, from 1. */
enum { OUTBOX_NO_NUMBER = 0 };

/* Everything up to mark is confirmed; all above must be sent again. epoch: of the shard's claim; numbers
 * begin with it, so that an answer to what an earlier owner in this process sent is told from the new ones.
 */
void outbox_init(struct outbox *outbox, int64_t mark, int64_t epoch);
void outbox_fini(struct outbox *outbox);
/* A slot for a command of this lsn; its number goes into the publish's cookie. */
uint64_t outbox_take(struct outbox *outbox, int64_t lsn, int64_t now_us, struct delivery_flight *flight);
/* A slot for one more try of what is held. */
uint64_t outbox_take_again(struct outbox *outbox, int64_t now_us, struct delivery_flight *flight);
/* The slot of this number; zero when it was given up since. */
struct outbox_slot outbox_look(const struct outbox *outbox, uint64_t number);
/* Holds a command of this lsn, until outbox_let_go; its slot, if it has one, is to be answered as confirmed.
 * False: LIMITS_HELD_COMMANDS are held already. `held` must stay where it is. */
bool outbox_hold(struct outbox *outbox, struct heap_item *held, int64_t lsn);
void outbox_let_go(struct outbox *outbox, struct heap_item *held);
/* The broker's answer for a slot: what was taken for it. Numbers of slots given up since are ignored and give
 * one that was taken at 0. */
struct outbox_slot outbox_answer(struct outbox *outbox, uint64_t number, bool confirmed);
/* All rows up to lsn have been handed out (or hold no commands). */
void outbox_sent(struct outbox *outbox, int64_t lsn);
int64_t outbox_mark(const struct outbox *outbox);
/* True when the repair may begin: behind, and no answer outstanding. Gives up the slots. */
bool outbox_restart(struct outbox *outbox);
