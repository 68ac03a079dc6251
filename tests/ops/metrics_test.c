/* Metrics: sums that are right under threads, a bounded number of series, text that Prometheus reads. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/ops/metrics.h"

static struct arena arena;

static const char *written(void)
{
    struct buf out;
    buf_init(&out, &arena);
    metrics_write(&out);
    return buf_str(&out).data;
}

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(metrics, .init = setup, .fini = teardown);

static void expect_line(const char *line)
{
    const char *text = written();
    const char *found = strstr(text, line);
    cr_assert_not_null(found, "no \"%s\" in\n%s", line, text);
    cr_assert(found == text || found[-1] == '\n');
}

Test(metrics, counters_have_labels)
{
    metrics_add(METRICS_SAGAS_ENDED, 2, STR("order"), STR("completed"));
    metrics_add(METRICS_SAGAS_ENDED, 3, STR("order"), STR("completed"));
    metrics_add(METRICS_SAGAS_ENDED, 1, STR("or\"der\\\n"), STR("compensated"));
    cr_assert_eq(metrics_value(METRICS_SAGAS_ENDED, STR("order"), STR("completed")), 5);
    cr_assert_eq(metrics_value(METRICS_SAGAS_ENDED, STR("order"), STR("never")), 0);
    expect_line("sagad_sagas_ended_total{definition=\"order\",outcome=\"completed\"} 5\n");
    expect_line("sagad_sagas_ended_total{definition=\"or\\\"der\\\\\\n\",outcome=\"compensated\"} 1\n");
    expect_line("# TYPE sagad_sagas_ended_total counter\n");
    expect_line("# HELP sagad_sagas_started_total Sagas accepted.\n");
}

Test(metrics, gauges_are_set)
{
    metrics_set(METRICS_INBOX_EVENTS, 7, METRICS_NO_LABEL);
    metrics_set(METRICS_INBOX_EVENTS, 3, METRICS_NO_LABEL);
    metrics_set(METRICS_OLDEST_WAIT, 1500000, METRICS_NO_LABEL);
    expect_line("sagad_inbox_events 3\n");
    expect_line("sagad_oldest_wait_seconds 1.500000\n");
}

Test(metrics, histograms_are_cumulative)
{
    metrics_observe(METRICS_COMMIT_TIME, 100);
    metrics_observe(METRICS_COMMIT_TIME, 101);
    metrics_observe(METRICS_COMMIT_TIME, 90000000);
    metrics_observe(METRICS_COMMIT_TIME, -5);
    metrics_observe(METRICS_BATCH_EVENTS, 512);
    expect_line("sagad_commit_seconds_bucket{le=\"0.000100\"} 2\n");
    expect_line("sagad_commit_seconds_bucket{le=\"0.000250\"} 3\n");
    expect_line("sagad_commit_seconds_bucket{le=\"30.000000\"} 3\n");
    expect_line("sagad_commit_seconds_bucket{le=\"+Inf\"} 4\n");
    expect_line("sagad_commit_seconds_sum 90.000201\n");
    expect_line("sagad_commit_seconds_count 4\n");
    expect_line("sagad_batch_events_bucket{le=\"256\"} 0\n");
    expect_line("sagad_batch_events_bucket{le=\"512\"} 1\n");
    expect_line("sagad_batch_events_sum 512\n");
}

/* The sum over all series of a metric. */
static long sum_of(const char *name)
{
    long sum = 0;
    const char *text = written();
    for (const char *line = strstr(text, name); line != NULL; line = strstr(line + 1, name)) {
        const char *value = strstr(line, "} ");
        if (line[-1] == '\n' && value != NULL) {
            long number;
            cr_assert_eq(sscanf(value + 2, "%ld", &number), 1);
            sum += number;
        }
    }
    return sum;
}

Test(metrics, the_number_of_series_is_bounded_and_nothing_is_lost)
{
    enum { NAMES = 3 * LIMITS_METRICS_SERIES };
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        int size = snprintf(name, sizeof name, "saga-%d", i);
        metrics_add(METRICS_SAGAS_ENDED, 1, (struct str){name, (size_t)size}, STR("completed"));
    }
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        int size = snprintf(name, sizeof name, "outcome-%d", i);
        metrics_add(METRICS_SAGAS_ENDED, 1, STR("order"), (struct str){name, (size_t)size});
    }
    size_t lines = 0;
    for (const char *at = strstr(written(), "\nsagad_sagas_ended_total{"); at != NULL;
         at = strstr(at + 1, "\nsagad_sagas_ended_total{")) {
        lines++;
    }
    cr_assert_leq(lines, LIMITS_METRICS_SERIES + LIMITS_METRICS_OTHER + 1);
    cr_assert_eq(metrics_value(METRICS_SAGAS_ENDED, STR("other"), STR("completed")),
                 NAMES - LIMITS_METRICS_SERIES);
    cr_assert_gt(metrics_value(METRICS_SAGAS_ENDED, STR("other"), STR("other")), 0);
    cr_assert_eq(sum_of("sagad_sagas_ended_total{"), 2 * NAMES);
}

Test(metrics, long_labels_are_cut_to_the_same_series)
{
    static char name[200];
    memset(name, 'x', sizeof name);
    metrics_add(METRICS_SAGAS_STARTED, 1, (struct str){name, 200}, METRICS_NO_LABEL);
    metrics_add(METRICS_SAGAS_STARTED, 1, (struct str){name, 190}, METRICS_NO_LABEL);
    cr_assert_eq(metrics_value(METRICS_SAGAS_STARTED, (struct str){name, 100}, METRICS_NO_LABEL), 2);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        int size = snprintf(name, sizeof name, "%d", i % 50);
        metrics_add(METRICS_STEPS, 1, (struct str){name, (size_t)size}, STR("succeeded"));
        metrics_observe(METRICS_PUBLISH_TIME, i);
    }
    return NULL;
}

Test(metrics, threads_lose_nothing)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    cr_assert_eq(sum_of("sagad_steps_total{"), THREADS * ROUNDS);
    cr_assert_eq(metrics_value(METRICS_STEPS, STR("7"), STR("succeeded")), THREADS * ROUNDS / 50);
    expect_line("sagad_publish_seconds_count 20000\n");
}
