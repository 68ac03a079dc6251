/* Lines of the log: machine-readable whatever the values hold, one write each. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/ops/log.h"

static int ends[2];
static char text[1 << 20];

static void open_log(enum log_level level, enum log_format format)
{
    cr_assert_eq(pipe(ends), 0);
    cr_assert_gt(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
    log_init(level, format, ends[1]);
}

/* All lines so far, each without its time, which must be there. */
static const char *lines(void)
{
    static char out[1 << 20];
    size_t size = 0;
    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    text[got < 0 ? 0 : got] = '\0';
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        char *rest = strchr(line, 'Z');
        cr_assert(strncmp(line, "time=20", 7) == 0 || strncmp(line, "{\"time\":\"20", 11) == 0, "%s", line);
        cr_assert_not_null(rest);
        size_t length = strcspn(rest, "\n") + 1;
        memcpy(out + size, rest + 1, length - 1);
        size += length - 1;
    }
    out[size] = '\0';
    return out;
}

Test(log, a_line_is_logfmt)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    log_info("batch_committed", "shard=%u events=%zu lsn=%ld took=%.3f", 7U, (size_t)12, -3L, 0.25);
    cr_assert_str_eq(lines(), " level=info event=batch_committed shard=7 events=12 lsn=-3 took=0.250\n");
}

Test(log, values_are_quoted_where_needed)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    const char *volatile missing = NULL; /* volatile: as at run time, the compiler does not see it */
    log_warn("odd", "a=%s b=%s c=%s d=%s e=%s", "two words", "", "x=y", "say \"no\"\n\x01", missing);
    cr_assert_str_eq(
        lines(),
        " level=warn event=odd a=\"two words\" b=\"\" c=\"x=y\" d=\"say \\\"no\\\"\\n\\u0001\" e=\"\"\n");
}

Test(log, a_string_may_have_a_size)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    log_info("sized", "name=%.*s next=%d", 3, "abcdef", 5);
    cr_assert_str_eq(lines(), " level=info event=sized name=abc next=5\n");
}

Test(log, json_is_json)
{
    struct arena arena;
    const struct json *value;
    int64_t number;
    open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_debug("odd", "text=%s count=%d big=%llu", "\"\\\n\t\x7f \xc3\xa9", -5, 18446744073709551615ULL);
    (void)lines();
    arena_init(&arena, 0);
    cr_assert_eq(json_parse(&arena, str_from(text), sizeof text, &value, NULL), ERR_OK, "%s", text);
    cr_assert(str_equal(json_get_str(value, STR("text")), STR("\"\\\n\t\x7f \xc3\xa9")));
    cr_assert(str_equal(json_get_str(value, STR("level")), STR("debug")));
    cr_assert(json_get_i64(value, STR("count"), &number) && number == -5);
    cr_assert(str_equal(json_get(value, STR("big"))->text, STR("18446744073709551615")));
    arena_fini(&arena);
}

Test(log, bytes_that_are_no_utf8_do_not_break_json)
{
    struct arena arena;
    const struct json *value;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info("odd", "text=%s", "\xff\xfe");
    (void)lines();
    arena_init(&arena, 0);
    cr_assert_eq(json_parse(&arena, str_from(text), sizeof text, &value, NULL), ERR_OK, "%s", text);
    arena_fini(&arena);
}

/* A message from outside forges neither a line nor a field, and tells the terminal nothing. */
Test(log, a_value_stays_in_its_place)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    log_info("refused", "why=%s",
             "no\n level=error event=fake \xc2\x9b"
             "2J\xe2\x80\xae\xe2\x80\xa8");
    cr_assert_str_eq(
        lines(), " level=info event=refused why=\"no\\n level=error event=fake \\u009b2J\\u202e\\u2028\"\n");
}

Test(log, lower_levels_are_left_out)
{
    open_log(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    log_info("quiet", "a=%d", 1);
    log_error("loud", "a=%d", 2);
    cr_assert(!log_enabled(LOG_LEVEL_INFO));
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("now", "a=%d", 3);
    cr_assert_str_eq(lines(), " level=error event=loud a=2\n level=debug event=now a=3\n");
}

Test(log, a_long_line_is_cut_and_stays_whole)
{
    static char huge[3 * LIMITS_LOG_LINE_BYTES];
    struct arena arena;
    const struct json *value;
    memset(huge, '\n', sizeof huge - 1);
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_info("long", "a=%s b=%s c=%d", huge, huge, 1);
    (void)lines();
    arena_init(&arena, 0);
    cr_assert_leq(strlen(text), LIMITS_LOG_LINE_BYTES);
    cr_assert_geq(strlen(text), LIMITS_LOG_LINE_BYTES - 64);
    cr_assert_eq(json_parse(&arena, str_from(text), sizeof text, &value, NULL), ERR_OK, "%s", text);
    arena_fini(&arena);
}

Test(log, errno_survives)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    close(ends[0]);
    close(ends[1]);
    errno = ENOSPC;
    log_error("gone", "a=%d", 1);
    cr_assert_eq(errno, ENOSPC);
}

static void *chatter(void *argument)
{
    (void)argument;
    for (int i = 0; i < 500; i++) {
        log_info("chatter", "text=%s i=%d", "the quick brown fox jumps over the lazy dog", i);
    }
    return NULL;
}

Test(log, threads_do_not_mix_lines)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    size_t count = 0;
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, chatter, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    (void)lines();
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1, count++) {
        cr_assert_not_null(
            strstr(line, "level=info event=chatter text=\"the quick brown fox jumps over the lazy dog\" i="));
    }
    cr_assert_eq(count, THREADS * 500);
}
