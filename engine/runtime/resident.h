/* The sagas a runner knows: a small entry for each that has not ended (its timer), and the saga itself for
 * those used lately.
 *
 * What is dropped from memory is loaded again from its journal; nothing lives only here. One thread: the
 * runner's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/heap.h"
#include "engine/base/map.h"
#include "engine/core/core.h"
#include "engine/runtime/engine.h"

/* Somebody waits for the saga's end. */
struct resident_watch {
    struct resident_watch *next;
    struct heap_item deadline;
    struct resident_entry *entry;
    struct engine_call call;
};
struct resident_entry {
    struct id id;
    struct heap_item timer; /* the core's next wake-up, database clock */
    struct core_saga *saga; /* NULL: not in memory */
    struct arena arena;     /* of the saga, when it is there */
    bool broken;            /* its journal could not be folded when it was last tried */
    bool named;             /* in the log, as one of these two */
    bool unplanned;         /* its definition is not loaded here: left alone for a program that has it */
    struct resident_watch *watches;
    struct delivery_flight *flights;      /* its outstanding commands: delivery.h */
    struct resident_entry *newer, *older; /* by use; only while the saga is in memory */
    uint64_t
        batch; /* number of the batch that touched it last: it must not be dropped before that one ends */
    uint32_t batch_index; /* its row in that batch */
    size_t weight;        /* bytes of its arena when it was last weighed */
};
struct resident {
    struct map entries; /* key: the id's 16 bytes, inside the entry */
    struct heap timers;
    struct heap watches;
    struct resident_entry *newest, *oldest;
    uint32_t loaded_count;
    size_t loaded_bytes;
};

void resident_init(struct resident *resident);
void resident_fini(struct resident *resident);
struct resident_entry *resident_find(struct resident *resident, struct id id);
/* Finds or makes the entry, without a saga. */
struct resident_entry *resident_enter(struct resident *resident, struct id id);
/* Gives the entry an empty saga in its own arena, ready for core_step or core_fold. */
struct core_saga *resident_place(struct resident *resident, struct resident_entry *entry,
                                 const struct plan *plan);
/* Marks it as used now. */
void resident_touch(struct resident *resident, struct resident_entry *entry);
/* Counts what it takes now; after whatever makes it larger. */
void resident_weigh(struct resident *resident, struct resident_entry *entry);
/* Sets or clears the timer from the saga's next wake-up. */
void resident_time(struct resident *resident, struct resident_entry *entry);
/* Drops the saga from memory, keeps entry, timer and watches. */
void resident_unload(struct resident *resident, struct resident_entry *entry);
/* Memory is ahead of the database: drops the saga and has it looked at again at due_us, when its true timer
 * is set. */
void resident_fall_back(struct resident *resident, struct resident_entry *entry, int64_t due_us);
/* Forgets all of it. Watches must have been answered. */
void resident_forget(struct resident *resident, struct resident_entry *entry);
/* Drops the longest unused until at most `most` are loaded, of at most LIMITS_RESIDENT_BYTES; those of batch
 * `current` stay. */
void resident_shrink(struct resident *resident, uint32_t most, uint64_t current);
void resident_watch(struct resident *resident, struct resident_entry *entry, int64_t deadline_us,
                    struct engine_call call);
void resident_unwatch(struct resident *resident, struct resident_watch *watch);
