/* Inside of the in-memory store: its tables. Whoever uses them holds the world's lock (memory_world_enter).
 * Errors as store.h has them. */
#pragma once
#include <pthread.h>
#include "engine/base/arena.h"
#include "engine/base/map.h"
#include "engine/store/memory_store.h"

struct memory_saga {
    struct store_saga row;
    struct store_record *records; /* in seq order */
    uint32_t record_count;
    uint32_t record_room;
};
struct memory_shard {
    struct store_shard marks;
    struct str owner; /* "": free */
    int64_t lease_until_us;
    struct store_record *records; /* in the order they were written */
    uint32_t record_count;
    uint32_t record_room;
};
struct memory_instance {
    struct store_instance row;
    int64_t beat_us;
    int64_t lease_until_us;
    bool bus_works;
    int64_t bus_since_us; /* while it works */
};
/* One hand that a message was in. */
struct memory_suspect {
    struct str message;
    struct str hand;
};
struct memory_store;
struct memory_store_moment; /* memory_failover.c */
struct memory_store_world {
    pthread_mutex_t lock;
    struct arena arena; /* everything stored */
    int64_t now_us;
    enum memory_store_fault fault;
    struct memory_shard *shards;
    uint32_t shard_count;
    struct memory_saga **sagas; /* in the order they were made */
    uint32_t saga_count;
    uint32_t saga_room;
    struct map by_id;
    struct map by_key;     /* memory_world_key */
    struct map by_message; /* of dead letters: whether there is one */
    struct store_dead_letter *dead;
    uint32_t dead_count;
    uint32_t dead_room;
    int64_t dead_number;                  /* of the newest */
    struct store_definition *definitions; /* by name, then version */
    uint32_t definition_count;
    uint32_t definition_room;
    struct memory_store_moment *moment; /* NULL: none kept */
    uint32_t breaks;                    /* times that all connections were broken */
    struct memory_instance *instances;
    uint32_t instance_count;
    uint32_t instance_room;
    struct memory_suspect *suspects;
    uint32_t suspect_count;
    uint32_t suspect_room;
    struct memory_store *handles; /* open ones */
};
struct memory_store {
    struct store store;               /* first */
    struct memory_store_world *world; /* NULL: freed before the handle */
    struct memory_store *next;
    struct str incarnation; /* whose session it is; "" : nobody's */
    uint32_t breaks;        /* of the world, when it was connected */
    bool broken;            /* as a connection is after an answer was lost, until reconnect */
};

/* Locks; ERR_UNAVAILABLE, not locked, when the handle is broken. */
enum err memory_world_enter(struct store *store, struct memory_store_world **world, struct err_note *note)
    __attribute__((warn_unused_result));
void memory_world_leave(struct memory_store_world *world);
struct memory_saga *memory_world_find(const struct memory_store_world *world, const struct id *id);
/* What a business key is unique by. */
struct str memory_world_key(struct arena *arena, struct str definition, struct str key);
/* Room for one more element of `size` bytes. */
void *memory_world_grow(void *items, uint32_t count, uint32_t *room, size_t size);
void memory_world_copy_saga(struct arena *arena, const struct store_saga *from, struct store_saga *to);
void memory_world_copy_record(struct arena *arena, const struct store_record *from, struct store_record *to);

/* memory_instances.c */
enum err memory_world_instance_enter(struct store *store, const struct store_instance *instance,
                                     int64_t lease_us, int64_t bus_us, struct store_standing *standing,
                                     struct err_note *note);
enum err memory_world_instance_leave(struct store *store, const struct store_instance *instance,
                                     struct err_note *note);
/* memory_failover.c */
void memory_world_drop_moment(struct memory_store_world *world);
/* memory_append.c */
enum err memory_world_append_once(struct store *store, const struct store_batch *batch,
                                  struct err_note *note);
enum err memory_world_append_try(struct store *store, const struct store_batch *batch, struct err_note *note);
enum err memory_world_committed(struct store *store, const struct store_batch *batch, bool *committed,
                                struct err_note *note);
/* memory_dead.c */
void memory_world_bury(struct memory_store_world *world, const struct store_batch *batch);
enum err memory_world_forget_dead(struct store *store, int64_t before_us, uint32_t most, uint32_t *gone,
                                  struct err_note *note);
/* memory_read.c */
enum err memory_world_open_sagas(struct store *store, uint32_t shard, struct arena *arena,
                                 struct store_open_saga **sagas, uint32_t *count, struct err_note *note);
enum err memory_world_unpublished(struct store *store, uint32_t shard, int64_t after_lsn, uint32_t most,
                                  struct arena *arena, struct store_record **records, uint32_t *count,
                                  struct err_note *note);
enum err memory_world_load_many(struct store *store, const struct id *ids, uint32_t id_count,
                                struct arena *arena, struct store_saga **sagas, uint32_t *saga_count,
                                struct store_record **records, uint32_t *record_count, struct err_note *note);
enum err memory_world_find_keys(struct store *store, const struct str *definitions, const struct str *keys,
                                uint32_t count, struct arena *arena, struct store_keyed **found,
                                uint32_t *found_count, struct err_note *note);
enum err memory_world_glance(struct store *store, const struct id *ids, uint32_t id_count,
                             struct arena *arena, struct store_glance **found, uint32_t *count,
                             struct err_note *note);
enum err memory_world_list(struct store *store, const struct store_filter *filter, struct arena *arena,
                           struct store_saga **sagas, uint32_t *count, struct err_note *note);
enum err memory_world_dead_letters(struct store *store, struct str saga, int64_t before_number,
                                   uint32_t limit, struct arena *arena, struct store_dead_letter **letters,
                                   uint32_t *count, struct err_note *note);
enum err memory_world_doctor(struct store *store, struct arena *arena, struct store_stuck **stuck,
                             uint32_t *count, struct err_note *note);
