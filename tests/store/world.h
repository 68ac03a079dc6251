/* A store with handles to it, either implementation, and batches made of short calls. A world cannot fail
 * halfway: what does not work stops the test. */
#pragma once
#include "engine/store/memory_store.h"
#include "engine/store/postgres.h"
#include "engine/store/store.h"
#include "tests/harness/harness.h"

enum world_kind { WORLD_MEMORY, WORLD_POSTGRES };
enum { WORLD_SHARDS = 4, WORLD_ROWS = 1100 };

struct world {
    enum world_kind kind;
    struct store *store;
    struct memory_store_world *memory;
    char url[SERVERS_URL_SIZE];
    struct arena arena;
    struct err_note note;
    struct rng rng;
    int64_t now_us;
    struct store_shard marks[WORLD_SHARDS]; /* as claimed, moved on by world_commit */
    /* the batch being made */
    struct store_saga sagas[WORLD_ROWS];
    uint32_t saga_count;
    struct store_record records[WORLD_ROWS];
    uint32_t record_count;
    struct store_dead_letter dead[WORLD_ROWS];
    uint32_t dead_count;
    struct store_rejected rejected[WORLD_ROWS];
    uint32_t rejected_count;
};

/* A migrated store, all shards claimed by instance "one". On PostgreSQL in a new database of the shared
 * server. */
void world_open(struct world *world, enum world_kind kind);
void world_close(struct world *world);
/* The same, in an own server. */
void world_open_at(struct world *world, const char *url);
/* One more handle. */
struct store *world_handle(struct world *world);
/* One as a session of this engine. */
struct store *world_handle_as(struct world *world, const struct store_instance *instance);
/* The clock of leases: moved in memory; waited for on PostgreSQL. */
void world_pass(struct world *world, int64_t span_us);

/* A new saga in the batch with its first record; key may be "". The row may be changed before the commit. */
struct store_saga *world_start(struct world *world, uint32_t shard, const char *key);
/* Its next record, with `data`, in the batch. seq is the row's next. */
struct store_saga *world_go_on(struct world *world, struct store_saga *row, const char *data);
struct store_dead_letter *world_dead(struct world *world, const char *reason);
/* The batch as it stands, over all shards, with marks that rise. */
struct store_batch world_batch(struct world *world);
/* store_append of it; on success the marks are moved and the next batch begins. */
enum err world_commit(struct world *world);
/* Begins the next batch without committing. */
void world_forget(struct world *world);
/* The text of err and note for assertions. */
const char *world_why(const struct world *world, enum err error);

void world_str(struct str found, const char *expected);
#define world_ok(world, call)                                                                                \
    do {                                                                                                     \
        enum err world_error = (call);                                                                       \
        cr_assert_eq(world_error, ERR_OK, "%s", world_why(world, world_error));                              \
    } while (0)
/* Declares a test that runs over both. */
#define WORLD_TEST(suite, name)                                                                              \
    static void suite##_##name(struct world *world);                                                         \
    Test(suite, name##_in_memory)                                                                            \
    {                                                                                                        \
        static struct world world;                                                                           \
        world_open(&world, WORLD_MEMORY);                                                                    \
        suite##_##name(&world);                                                                              \
        world_close(&world);                                                                                 \
    }                                                                                                        \
    Test(suite, name##_in_postgres)                                                                          \
    {                                                                                                        \
        static struct world world;                                                                           \
        world_open(&world, WORLD_POSTGRES);                                                                  \
        suite##_##name(&world);                                                                              \
        world_close(&world);                                                                                 \
    }                                                                                                        \
    static void suite##_##name(struct world *world)
