/* A recorded saga through the core once more: each stored event is stepped, and what the core decides must be
 * what was stored, byte for byte but for the messages of faults; in the end the row must be what the state
 * gives. Reads nothing but its arguments and writes nothing. For `sagactl replay` and the simulator, which
 * hold S25 by it. */
#pragma once
#include "engine/core/core.h"
#include "engine/store/store.h"

/* The first one. Texts in scratch, or borrowed from the rows. */
struct retrace_difference {
    int64_t seq;
    struct str what; /* "another decision" */
    struct str stored;
    struct str computed;
};
struct retrace {
    const struct plan *plan;
    const struct store_saga *row; /* id and projection, as stored */
    const struct store_record *records;
    uint32_t count;
    int64_t until; /* the last seq to be stepped, the row is not compared then; 0: all */
    void *context;
    /* After each record that was the same; may be NULL. */
    void (*told)(void *context, const struct core_saga *saga, const struct core_record *record);
};

/* True when all is the same. The state lives in `arena`. */
bool retrace_saga(const struct retrace *retrace, struct arena *arena, struct arena *scratch,
                  struct retrace_difference *difference);
