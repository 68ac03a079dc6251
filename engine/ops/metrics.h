/* Counters, gauges and histograms, all from one table (metrics.def), shown in Prometheus's text format.
 *
 * One set for the process. Label values come from definitions and routes, so their number is bounded: beyond
 * LIMITS_METRICS_SERIES label sets of a metric the first label becomes "other", beyond LIMITS_METRICS_OTHER
 * more of these all labels do; nothing is lost from the sums. Any thread; a known label set costs one hash
 * lookup and one atomic addition, without a lock. */
#pragma once
#include <stdint.h>
#include "engine/base/buf.h"
#include "engine/base/str.h"

enum metrics_id {
#define X(kind, NAME, name, unit, first, second, doc) METRICS_##NAME,
#include "engine/ops/metrics.def"
#undef X
};

#define METRICS_NO_LABEL ((struct str){0})

/* Counters. Labels as the table names them; METRICS_NO_LABEL for one it does not have. Copies. */
void metrics_add(enum metrics_id id, uint64_t more, struct str first, struct str second);
/* Gauges. */
void metrics_set(enum metrics_id id, int64_t value, struct str first);
/* Histograms: a span in microseconds where the table says TIME, else a number. Negative spans count as 0. */
void metrics_observe(enum metrics_id id, int64_t value);
/* What a counter or gauge stands at; 0 when this label set was never counted. */
int64_t metrics_value(enum metrics_id id, struct str first, struct str second);
/* All of it, as text/plain; version=0.0.4. */
void metrics_write(struct buf *out);
