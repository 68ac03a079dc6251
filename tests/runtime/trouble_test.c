/* Publishes that the broker refuses: what the log, the figures and readiness say of them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/engine_parts.h"
#include "tests/runtime/bed.h"

static struct trouble trouble;
static FILE *log_file;

static void open_all(void)
{
    log_file = tmpfile();
    cr_assert(log_file != NULL);
    log_init(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, fileno(log_file));
    trouble_init(&trouble);
}

static void close_all(void)
{
    trouble_fini(&trouble);
    (void)fclose(log_file);
}

TestSuite(trouble, .init = open_all, .fini = close_all);

static void fail_at(int64_t now_us)
{
    trouble_published(&trouble,
                      &(struct bus_published){
                          .error = ERR_FULL, .refused = true, .cause = STR("maximum messages exceeded")},
                      now_us);
}

static uint32_t lines_with(const char *part)
{
    char line[1024];
    uint32_t count = 0;
    rewind(log_file);
    while (fgets(line, sizeof line, log_file) != NULL)
        count += strstr(line, "event=publish_failed") != NULL && strstr(line, part) != NULL;
    return count;
}

static enum err look(int64_t now_us, struct err_note *note)
{
    *note = (struct err_note){""};
    return trouble_look(&trouble, now_us, note);
}

Test(trouble, readiness_names_the_cause_until_the_broker_takes_something)
{
    struct err_note note;
    cr_assert(look(1, &note) == ERR_OK);
    fail_at(1);
    cr_assert(look(1, &note) == ERR_UNAVAILABLE);
    cr_assert(strstr(note.text, "maximum messages exceeded") != NULL, "%s", note.text);
    trouble_published(&trouble, &(struct bus_published){.error = ERR_OK}, 2);
    cr_assert(look(2, &note) == ERR_OK);
}

Test(trouble, some_failures_say_nothing_of_the_broker)
{
    struct err_note note;
    trouble_published(&trouble, &(struct bus_published){.error = ERR_LIMIT, .cause = STR("too large")}, 1);
    trouble_published(&trouble, &(struct bus_published){.error = ERR_FULL, .subject_full = true}, 1);
    cr_assert(look(1, &note) == ERR_OK, "%s", note.text);
}

/* A message that nobody keeps is not sent again, so that no success would end it. */
Test(trouble, an_engine_without_work_is_ready_again)
{
    struct err_note note;
    fail_at(1);
    cr_assert(look(20 * DURATION_SECOND_US, &note) == ERR_UNAVAILABLE);
    cr_assert(look(40 * DURATION_SECOND_US, &note) == ERR_OK);
}

Test(trouble, the_log_is_limited_for_each_cause_and_counts_what_it_leaves_out)
{
    for (int i = 0; i < 1000; i++)
        fail_at(1 + i);
    cr_assert(eq(u32, lines_with("result=full count=1 "), 1));
    cr_assert(eq(u32, lines_with(""), 1));
    fail_at(11 * DURATION_SECOND_US);
    cr_assert(eq(u32, lines_with("result=full count=1000 "), 1), "those in between");
    trouble_published(&trouble, &(struct bus_published){.error = ERR_TIMEOUT, .cause = STR("no answer")},
                      13 * DURATION_SECOND_US);
    cr_assert(eq(u32, lines_with("result=timeout"), 1), "another cause is news");
    cr_assert(eq(u32, lines_with(""), 3));
}

Test(trouble, the_figures_count_by_class)
{
    static const struct {
        struct bus_published answer;
        const char *class;
    } answers[] = {{{.error = ERR_OK}, "ok"},
                   {{.error = ERR_TIMEOUT}, "timeout"},
                   {{.error = ERR_FULL}, "full"},
                   {{.error = ERR_LIMIT}, "too_large"},
                   {{.error = ERR_NOT_FOUND}, "no_stream"},
                   {{.error = ERR_UNAVAILABLE, .refused = true}, "refused"},
                   {{.error = ERR_UNAVAILABLE}, "failed"}};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        int64_t before = metrics_value(METRICS_PUBLISHES, str_from(answers[i].class), METRICS_NO_LABEL);
        trouble_published(&trouble, &answers[i].answer, 1);
        int64_t after = metrics_value(METRICS_PUBLISHES, str_from(answers[i].class), METRICS_NO_LABEL);
        cr_assert(eq(i64, after, before + 1), "%s", answers[i].class);
    }
}

static enum world_fate confirm_nothing(void *context, struct world_host *host,
                                       const struct bus_message *message)
{
    (void)context, (void)host, (void)message;
    return WORLD_ANSWER_LOST;
}

Test(trouble, an_engine_whose_commands_are_not_taken_is_not_ready)
{
    struct bed bed;
    struct err_note note = {""};
    bed_open(&bed, 1);
    struct engine *engine = bed.world.hosts[0].engine;
    cr_assert(engine_ready(engine, bed.store, &note) == ERR_OK, "%s", note.text);
    bed.world.hooks.publish = confirm_nothing;
    bed_start(&bed, 0, "", "{\"what\":1}");
    bed_advance(&bed, 300000);
    cr_assert(engine_ready(engine, bed.store, &note) == ERR_UNAVAILABLE);
    cr_assert(strstr(note.text, "NATS does not take commands") != NULL, "%s", note.text);
    bed.world.hooks.publish = NULL;
    bed_advance(&bed, 7 * DURATION_SECOND_US);
    cr_assert(engine_ready(engine, bed.store, &note) == ERR_OK, "%s", note.text);
    bed_close(&bed);
}
