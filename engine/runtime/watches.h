/* Whoever waits for sagas that other instances own: all of them are looked at together, however many wait.
 * The router's; one thread. */
#pragma once
#include "engine/runtime/engine.h"
#include "engine/store/store.h"

enum { WATCHES_EVERY_US = 200000 }; /* soon enough for people, and one query a look */
struct watches_entry;
struct watches {
    struct watches_entry *first;
    uint32_t count;
    int64_t look_at_us; /* monotonic: not before */
};

/* until_us: monotonic. */
void watches_add(struct watches *watches, struct id id, int64_t until_us, struct engine_call call);
/* Looks, when it is time, and tells those whose wait is over; `stopping`: all of them. */
void watches_look(struct watches *watches, struct store *store, int64_t now_us, bool stopping);
