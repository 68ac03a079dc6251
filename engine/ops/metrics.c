/* Series of a metric live in a fixed table, found by hash, made once and never removed, so that a known one
 * is found without a lock: a slot is published by its `state`. Making one takes the lock. Tables are made
 * when a metric is first used. */
#include "engine/ops/metrics.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };
enum unit { NONE, TIME };
enum {
    SLOTS = 1024, /* a power of two, three times the series there can be, so that probes stay short */
    BUCKETS = 14,
    SLOT_EMPTY = 0,
    SLOT_READY = 1
};

struct description {
    enum kind kind;
    enum unit unit;
    const char *name;
    const char *first;
    const char *second;
    const char *doc;
};
static const struct description descriptions[] = {
#define X(kind, NAME, name, unit, first, second, doc) {kind, unit, name, first, second, doc},
#include "engine/ops/metrics.def"
#undef X
};
enum { METRIC_COUNT = sizeof descriptions / sizeof descriptions[0] };

/* Upper bounds of buckets: from 100 µs, a local commit, to 30 s, a wait that makes people call; and batch
 * sizes by doubling. */
static const int64_t time_bounds[BUCKETS] = {100,   250,   500,    1000,   2500,    5000,    10000,
                                             25000, 50000, 100000, 250000, 1000000, 5000000, 30000000};
static const int64_t count_bounds[BUCKETS] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};

struct series {
    atomic_int state;
    char first[LIMITS_METRICS_LABEL_BYTES];
    char second[LIMITS_METRICS_LABEL_BYTES];
    atomic_int_fast64_t value;
};
struct table {
    struct series series[SLOTS];
    unsigned count; /* under the lock */
};
struct histogram {
    atomic_uint_fast64_t buckets[BUCKETS + 1]; /* the last: above all bounds */
    atomic_int_fast64_t sum;
};

static struct table tables[METRIC_COUNT];
static struct histogram histograms[METRIC_COUNT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct str cut(struct str label)
{
    return str_slice(label, 0, LIMITS_METRICS_LABEL_BYTES - 1);
}

static bool is_label(const char label[LIMITS_METRICS_LABEL_BYTES], struct str text)
{
    return strlen(label) == text.size && memcmp(label, text.data == NULL ? "" : text.data, text.size) == 0;
}

/* The series, or the empty slot where it belongs. */
static struct series *find(struct table *table, struct str first, struct str second)
{
    uint64_t at = str_hash(first) ^ (str_hash(second) * 31);
    for (size_t i = 0; i < SLOTS; i++) {
        struct series *series = &table->series[(at + i) & (SLOTS - 1)];
        if (atomic_load_explicit(&series->state, memory_order_acquire) == SLOT_EMPTY ||
            (is_label(series->first, first) && is_label(series->second, second))) {
            return series;
        }
    }
    check(false); /* the bounds of make() keep most slots empty */
    return NULL;
}

static bool is_made(const struct series *series)
{
    return atomic_load_explicit(&series->state, memory_order_acquire) == SLOT_READY;
}

static void copy_label(char to[LIMITS_METRICS_LABEL_BYTES], struct str label)
{
    memcpy(to, label.data == NULL ? "" : label.data, label.size);
    to[label.size] = '\0';
}

/* Under the lock: the series, made when there is room for it, else the one that takes what has no room. */
static struct series *make(struct table *table, struct str first, struct str second)
{
    _Static_assert(LIMITS_METRICS_SERIES + LIMITS_METRICS_OTHER + 1 < SLOTS / 2, "probes stay short");
    struct series *series = find(table, first, second);
    if (!is_made(series) && table->count >= LIMITS_METRICS_SERIES) {
        first = STR("other");
        series = find(table, first, second);
    }
    if (!is_made(series) && table->count >= LIMITS_METRICS_SERIES + LIMITS_METRICS_OTHER) {
        second = second.size > 0 ? STR("other") : second;
        series = find(table, first, second);
    }
    if (!is_made(series)) {
        copy_label(series->first, first);
        copy_label(series->second, second);
        table->count++;
        atomic_store_explicit(&series->state, SLOT_READY, memory_order_release);
    }
    return series;
}

static struct series *series_of(enum metrics_id id, struct str first, struct str second)
{
    struct series *series = find(&tables[id], first, second);
    if (!is_made(series)) {
        pthread_mutex_lock(&lock);
        series = make(&tables[id], first, second);
        pthread_mutex_unlock(&lock);
    }
    return series;
}

void metrics_add(enum metrics_id id, uint64_t more, struct str first, struct str second)
{
    check(descriptions[id].kind == COUNTER);
    struct series *series = series_of(id, cut(first), cut(second));
    atomic_fetch_add_explicit(&series->value, (int64_t)more, memory_order_relaxed);
}

void metrics_set(enum metrics_id id, int64_t value, struct str first)
{
    check(descriptions[id].kind == GAUGE);
    struct series *series = series_of(id, cut(first), METRICS_NO_LABEL);
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

static const int64_t *bounds_of(enum metrics_id id)
{
    return descriptions[id].unit == TIME ? time_bounds : count_bounds;
}

void metrics_observe(enum metrics_id id, int64_t value)
{
    check(descriptions[id].kind == HISTOGRAM);
    const int64_t *bounds = bounds_of(id);
    size_t bucket = 0;
    value = value < 0 ? 0 : value;
    while (bucket < BUCKETS && value > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&histograms[id].buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histograms[id].sum, value, memory_order_relaxed);
}

int64_t metrics_value(enum metrics_id id, struct str first, struct str second)
{
    struct series *series = find(&tables[id], cut(first), cut(second));
    return is_made(series) ? atomic_load_explicit(&series->value, memory_order_relaxed) : 0;
}

static void write_value(struct buf *out, enum unit unit, int64_t value)
{
    if (unit == TIME) {
        const char *sign = value < 0 ? "-" : "";
        uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        buf_printf(out, "%s%" PRIu64 ".%06" PRIu64, sign, size / 1000000, size % 1000000);
    } else {
        buf_i64(out, value);
    }
}

static void write_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"') {
            buf_char(out, '\\');
        }
        if (*value == '\n') {
            buf_puts(out, "\\n");
        } else {
            buf_char(out, *value);
        }
    }
    buf_char(out, '"');
}

static void write_series(struct buf *out, const struct description *metric, struct series *series)
{
    buf_puts(out, metric->name);
    if (metric->first[0] != '\0') {
        buf_char(out, '{');
        write_label(out, metric->first, series->first);
        if (metric->second[0] != '\0') {
            buf_char(out, ',');
            write_label(out, metric->second, series->second);
        }
        buf_char(out, '}');
    }
    buf_char(out, ' ');
    write_value(out, metric->unit, atomic_load_explicit(&series->value, memory_order_relaxed));
    buf_char(out, '\n');
}

/* Buckets are cumulative, and +Inf is the count: all from one reading, so that the text never contradicts
 * itself. */
static void write_histogram(struct buf *out, enum metrics_id id)
{
    const struct description *metric = &descriptions[id];
    uint64_t sum = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        sum += atomic_load_explicit(&histograms[id].buckets[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{le=\"", metric->name);
        if (i < BUCKETS) {
            write_value(out, metric->unit, bounds_of(id)[i]);
        } else {
            buf_puts(out, "+Inf");
        }
        buf_printf(out, "\"} %" PRIu64 "\n", sum);
    }
    buf_printf(out, "%s_sum ", metric->name);
    write_value(out, metric->unit, atomic_load_explicit(&histograms[id].sum, memory_order_relaxed));
    buf_printf(out, "\n%s_count %" PRIu64 "\n", metric->name, sum);
}

void metrics_write(struct buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    for (size_t id = 0; id < METRIC_COUNT; id++) {
        const struct description *metric = &descriptions[id];
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->doc, metric->name,
                   kinds[metric->kind]);
        if (metric->kind == HISTOGRAM) {
            write_histogram(out, (enum metrics_id)id);
            continue;
        }
        for (size_t i = 0; i < SLOTS; i++) {
            if (is_made(&tables[id].series[i])) {
                write_series(out, metric, &tables[id].series[i]);
            }
        }
    }
}
