/* One batch of a runner: what was decided, to be stored in one transaction, and what is done after the commit
 * and not before.
 *
 * Filled by intake.c through these functions, stored by commit.c, carried out by act.c. Everything is in the
 * batch's arena, reset when it ends. Each deed belongs to the saga it came from (or to none): when the
 * database refuses one saga's rows, its deeds are dropped and its callers told. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/bus/envelope.h"
#include "engine/runtime/inbox.h"
#include "engine/runtime/resident.h"
#include "engine/store/store.h"

struct runner;

struct batch_saga {
    struct resident_entry *entry;
    bool created;
    bool changed;        /* has records in this batch */
    int64_t before_seq;  /* then: the seq before the first of them */
    bool rejected;       /* by the database */
    struct str reason;   /* why, then */
    uint32_t item_count; /* items whose effect depends on it, watches not counted */
    bool timed;          /* so does what its own timer led to */
};
/* What the figures count once it is stored. */
struct batch_move {
    uint32_t saga;
    const struct plan *plan;
    const struct core_record *record;
    enum core_status before, after;
};
#define BATCH_NO_SAGA UINT32_MAX
/* A message to hand to the broker: a command, or a lifecycle event. In the order of their lsn within a shard.
 */
struct batch_send {
    uint32_t saga;
    uint32_t shard;
    int64_t lsn;
    struct str id;
    struct bus_message *message;
    bool proven;                 /* one engine to another: it leaves with a proof */
    struct bus_message *instead; /* what goes when the server does not take as much; NULL: nothing */
    bool loose;                  /* takes no slot and is never sent again: who misses it asks anew */
    bool request;                /* a command with via: request */
    int64_t timeout_us;
    int64_t due_us; /* when its attempt ends, on the database's clock */
    struct id saga_id;
    struct str step;
    uint16_t index;          /* of the step */
    int64_t start_within_us; /* of a command of the stream */
    enum core_kind kind;
    uint32_t attempt;
    const struct plan_action *action; /* NULL: no command of an action */
};
/* An item to finish: acknowledge its message, answer its caller, free it. */
struct batch_done {
    uint32_t saga;
    struct inbox_item *item;
    struct engine_answer answer;
};
struct batch {
    struct arena arena;
    uint64_t number;
    int64_t now_us;
    size_t bytes;       /* of its rows, */
    size_t heavy_bytes; /* and of these, of sagas that have much in store */
    uint64_t steps;     /* evaluation steps it took */
    uint32_t event_count;
    struct batch_saga *sagas;
    uint32_t saga_count, saga_room;
    struct store_record *records;
    uint32_t record_count, record_room;
    struct batch_move *moves;
    uint32_t move_count, move_room;
    struct store_dead_letter *dead;
    uint32_t dead_count, dead_room;
    struct batch_send *sends;
    uint32_t send_count, send_room;
    struct batch_done *done;
    uint32_t done_count, done_room;
    uint32_t *shards; /* touched */
    uint32_t shard_count, shard_room;
};

void batch_init(struct batch *batch);
void batch_fini(struct batch *batch);
/* Empties it for the next round, stamped with the database's time. */
void batch_begin(struct batch *batch, int64_t now_us);
/* Room for one more element in an array of the batch; the array is moved when it is full. */
void *batch_grow(struct batch *batch, void *array, uint32_t count, uint32_t *room, size_t size);
/* The saga's row in this batch, made when it has none yet. */
uint32_t batch_touch(struct batch *batch, struct resident_entry *entry);
void batch_shard(struct batch *batch, uint32_t shard);
/* An item is finished with this batch, whatever it led to, and once. saga: BATCH_NO_SAGA or the row its
 * effect depends on. */
void batch_finish(struct batch *batch, struct inbox_item *item, uint32_t saga,
                  const struct engine_answer *answer);
/* A message that nobody can use: stored with its reason in this batch, acknowledged after the commit. row:
 * BATCH_NO_SAGA or the row its reason rests on; refused with it. */
void batch_dead_letter(struct batch *batch, uint32_t row, uint32_t shard, const struct bus_delivery *delivery,
                       struct str saga, struct str reason);
bool batch_empty(const struct batch *batch);
/* Nothing more is to be decided in it: what is left waits for the next. */
bool batch_full(const struct batch *batch);
/* True when no more of sagas that have much in store may be added; others still may. */
bool batch_heavy_full(const struct batch *batch);
