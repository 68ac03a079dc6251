/* Publishes that fail, and why: for the log, the metrics and readiness.
 *
 * A refusal that lasts is told once per LOG_PAUSE and cause; the engine is not ready while the newest answer
 * of the broker was a failure. A message that is too large is the fault of its step, not of the broker, and
 * says nothing about readiness. Any thread; a success costs one atomic read while all is well. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/bus/bus.h"

struct trouble {
    pthread_mutex_t mutex;
    atomic_bool present; /* the newest answer was a failure */
    char cause[256];     /* the newest one's; the rest under the mutex, too */
    int64_t last_us;     /* when it came */
    uint64_t count;      /* failures since the last success */
    uint64_t told_count; /* of these, told in the log's last line */
    int64_t told_us;     /* 0: not told yet */
    char told[256];      /* the cause told last */
};

void trouble_init(struct trouble *trouble);
void trouble_fini(struct trouble *trouble);
/* The broker's answer to a publish, or our own. now_us: monotonic. */
void trouble_published(struct trouble *trouble, const struct bus_published *published, int64_t now_us);
/* ERR_UNAVAILABLE with the cause while publishes fail: the newest answer was a failure, and not long ago. */
enum err trouble_look(struct trouble *trouble, int64_t now_us, struct err_note *note);
