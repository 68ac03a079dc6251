/* A saga under test and its twin: after each event the record is written, read back and folded into the twin,
 * and the two must be alike; what holds of every saga at rest is checked too. Events and records live in an
 * arena that is reset after each step, so that anything the core forgot to copy is found. Ends the test on a
 * difference. */
#pragma once
#include "engine/base/buf.h"
#include "engine/core/core.h"

struct twin {
    const struct plan *plan;
    struct arena live_arena;
    struct arena twin_arena;
    struct arena batch; /* of one step: the event's parts may be made in it */
    struct core_saga live;
    struct core_saga twin;
    struct core_update update; /* of the last step, until the next */
    struct core_record read;   /* the record as read back */
};

/* 2026-01-01T00:00:00Z */
extern const int64_t twin_epoch_us;

void twin_init(struct twin *twin, const struct plan *plan);
void twin_fini(struct twin *twin);
/* Puts a twin into the state of another; what is immutable is shared, so `from` must outlive it. */
void twin_copy(struct twin *to, const struct twin *from);
/* Forgets the last step's update and what was made in `batch`. */
void twin_clear(struct twin *twin);
enum core_verdict twin_step(struct twin *twin, const struct core_event *event);
/* The first field in which two sagas differ, NULL when there is none. */
const char *twin_difference(const struct core_saga *a, const struct core_saga *b);
/* What is wrong with a saga at rest, NULL when nothing is (L2 of PROMISES.md, and what its status
 * promises). */
const char *twin_problem(const struct core_saga *saga);
