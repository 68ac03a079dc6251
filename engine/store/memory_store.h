/* The store's in-memory twin, for simulation and tests: same behaviour, faults on request. One world, many
 * handles; a lock makes it thread safe. */
#pragma once
#include "engine/store/store.h"

struct memory_store_world;

/* What the next append_once does. LOST: committed, but the answer is ERR_UNKNOWN_OUTCOME (F1). REFUSED: not
 * committed, ERR_UNAVAILABLE (F2). DROPPED: not committed, ERR_UNKNOWN_OUTCOME (F3). */
enum memory_store_fault { MEMORY_STORE_FINE, MEMORY_STORE_LOST, MEMORY_STORE_REFUSED, MEMORY_STORE_DROPPED };

struct memory_store_world *memory_store_new(uint32_t shards);
void memory_store_free(struct memory_store_world *world);
/* The clock of this world: leases and now come from it. It starts at 1,000,000,000,000,000 µs and moves only
 * by this. */
void memory_store_clock(struct memory_store_world *world, int64_t now_us);
void memory_store_fail(struct memory_store_world *world, enum memory_store_fault fault);
/* F7, a failover that loses the last commits: keep remembers this moment, go_back returns to it (as often as
 * wanted) and breaks all connections. */
void memory_store_keep(struct memory_store_world *world);
void memory_store_go_back(struct memory_store_world *world);
struct store *memory_store_open(struct memory_store_world *world);
/* The same as a session of this engine, which lives while it has one (store_enter). */
struct store *memory_store_open_as(struct memory_store_world *world, const struct store_instance *instance);
