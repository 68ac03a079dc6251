/* Durations, RFC 3339, clocks. libc's calendar is the oracle for dates. */
#include <stdio.h>
#include <time.h>
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/rng.h"
#include "tests/base/expect.h"

#define SECOND DURATION_SECOND_US

Test(duration, reads_one_number_and_one_unit)
{
    static const struct {
        const char *text;
        int64_t duration_us; /* 0: refused */
    } rows[] = {
        {"1ms", 1000},
        {"250ms", 250000},
        {"5s", 5 * SECOND},
        {"10m", 600 * SECOND},
        {"2h", 7200 * SECOND},
        {"14d", 14 * 86400 * SECOND},
        {"005s", 5 * SECOND},
        {"3650d", 3650 * 86400 * SECOND},
        {"315360000s", 3650 * 86400 * SECOND},
        {"3651d", 0},
        {"315360001s", 0},
        {"315360000001ms", 0},
        {"9223372036854775807d", 0},
        {"9223372036854775808ms", 0},
        {"99999999999999999999999s", 0},
        {"0s", 0},
        {"0ms", 0},
        {"", 0},
        {"5", 0},
        {"s", 0},
        {"-5s", 0},
        {"+5s", 0},
        {"1.5s", 0},
        {"1h30m", 0},
        {"5 s", 0},
        {" 5s", 0},
        {"5S", 0},
        {"5us", 0},
        {"5w", 0},
        {"PT5S", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t duration = -7;
        bool good = duration_parse(str_from(rows[i].text), &duration);
        cr_assert(good == (rows[i].duration_us != 0), "%s", rows[i].text);
        cr_assert(duration == (good ? rows[i].duration_us : -7), "%s", rows[i].text);
    }
}

Test(duration, text_is_the_shortest_exact_form)
{
    static const struct {
        int64_t duration_us;
        const char *text;
    } rows[] = {
        {250000, "250ms"},
        {90 * SECOND, "90s"},
        {120 * SECOND, "2m"},
        {3600 * SECOND, "1h"},
        {86400 * SECOND, "1d"},
        {36 * 3600 * SECOND, "36h"},
        {1, "1ms"}, /* rounded up: a timer shown as 0s would seem due */
        {1001, "2ms"},
        {999001, "1s"},
        {0, "0s"},
        {-1500000, "-1500ms"},
        {INT64_MAX, "9223372036854776ms"},
        {INT64_MIN, "-9223372036854776ms"},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < COUNT(rows); i++)
        EXPECT_TEXT(duration_text(&arena, rows[i].duration_us), rows[i].text);
    arena_fini(&arena);
}

Test(duration, text_and_back)
{
    struct arena arena;
    struct rng rng;
    arena_init(&arena, 0);
    rng_init(&rng, 6);
    static const int64_t units[] = {1000, SECOND, 60 * SECOND, 3600 * SECOND, 86400 * SECOND};
    for (int i = 0; i < 20000; i++) {
        int64_t unit = units[rng_below(&rng, COUNT(units))];
        int64_t most = 3650 * 86400 * SECOND / unit;
        int64_t duration = (1 + (int64_t)rng_below(&rng, (uint64_t)most)) * unit;
        int64_t back;
        cr_assert(duration_parse(duration_text(&arena, duration), &back) && back == duration);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

Test(time, reads_rfc_3339)
{
    static const struct {
        const char *text;
        int64_t time_us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2000-02-29T00:00:00Z", 951782400 * SECOND},
        {"2024-02-29T12:00:00.5Z", 1709208000 * SECOND + 500000},
        {"2026-11-21T12:04:10.000123Z", 1795262650 * SECOND + 123},
        {"2026-11-21T14:04:10.000123+02:00", 1795262650 * SECOND + 123},
        {"2026-11-21T02:34:10.000123-09:30", 1795262650 * SECOND + 123},
        {"2026-11-21T12:04:10.000123-00:00", 1795262650 * SECOND + 123},
        {"2026-11-21T12:04:10.0001239999999999999999Z", 1795262650 * SECOND + 123},
        {"1990-12-31T23:59:60Z", 662688000 * SECOND},
        {"1990-12-31T15:59:60-08:00", 662688000 * SECOND},
        {"1991-01-01T00:29:60.25+00:30", 662688000 * SECOND + 250000},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200) * SECOND},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799) * SECOND + 999999},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t time;
        cr_assert(duration_time_parse(str_from(rows[i].text), &time), "%s", rows[i].text);
        cr_assert(time == rows[i].time_us, "%s gave %lld", rows[i].text, (long long)time);
    }
}

Test(time, refuses_the_rest)
{
    static const char *const rows[] = {
        "",
        "2026-11-21",
        "2026-11-21T12:04:10", /* no zone */
        "2026-11-21 12:04:10Z",
        "2026-11-21T12:04Z",
        "2026-11-21T12:04:10.Z",
        "2026-11-21T12:04:10,5Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T12:60:00Z",
        "2026-11-21T12:04:61Z",
        "2026-11-21T12:04:60Z", /* a leap second in the middle of a day */
        "1990-12-31T23:59:60+01:00",
        "2026-11-21T12:04:10+24:00",
        "2026-11-21T12:04:10+01:60",
        "2026-11-21T12:04:10+0100",
        "2026-11-21T12:04:10+01",
        "2026-11-21T12:04:10Z ",
        " 2026-11-21T12:04:10Z",
        "2026-11-21T12:04:10ZZ",
        "2026-00-21T12:04:10Z",
        "2026-13-21T12:04:10Z",
        "2026-11-00T12:04:10Z",
        "2026-11-31T12:04:10Z",
        "2023-02-29T12:04:10Z",
        "1900-02-29T12:04:10Z",
        "2100-02-29T12:04:10Z",
        "26-11-21T12:04:10Z",
        "+2026-11-21T12:04:10Z",
        "2026-1-21T12:04:10Z",
        "2026-11-21T12:04:1",
        "20261121T120410Z",
    };
    int64_t time = 5;
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert(!duration_time_parse(str_from(rows[i]), &time) && time == 5, "%s", rows[i]);
    cr_assert(!duration_time_parse((struct str){"2026-11-21T12:04:10\0", 20}, &time));
}

static void compare_with_libc(struct arena *arena, int64_t time_us)
{
    time_t seconds = (time_t)(time_us / SECOND - (time_us % SECOND < 0));
    struct tm parts;
    char expected[64];
    cr_assert(gmtime_r(&seconds, &parts));
    size_t size = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(expected + size, sizeof expected - size, ".%06dZ", (int)(time_us - (int64_t)seconds * SECOND));
    struct str text = duration_time_text(arena, time_us);
    EXPECT_TEXT(text, expected);
    int64_t back;
    cr_assert(duration_time_parse(text, &back) && back == time_us, "%s", expected);
}

Test(time, text_agrees_with_libc_and_comes_back)
{
    struct arena arena;
    struct rng rng;
    arena_init(&arena, 0);
    rng_init(&rng, 8);
    int64_t first = INT64_C(-30610224000) * SECOND;  /* year 1000: strftime writes earlier ones shorter */
    uint64_t span = UINT64_C(284012524800) * SECOND; /* to the end of 9999 */
    for (int i = 0; i < 50000; i++) {
        compare_with_libc(&arena, first + (int64_t)rng_below(&rng, span));
        arena_reset(&arena);
    }
    for (int64_t day = -25567; day < 60000; day++) { /* each day of 1900 … 2134 */
        compare_with_libc(&arena, day * 86400 * SECOND);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

Test(time, text_of_any_number_is_defined)
{
    struct arena arena;
    arena_init(&arena, 0);
    EXPECT_TEXT(duration_time_text(&arena, INT64_MAX), "294247-01-10T04:00:54.775807Z");
    EXPECT_TEXT(duration_time_text(&arena, INT64_MIN), "-290308-12-21T19:59:05.224192Z");
    EXPECT_TEXT(duration_time_text(&arena, INT64_C(-62167219200) * SECOND), "0000-01-01T00:00:00.000000Z");
    arena_fini(&arena);
}

Test(clock, runs_forward_and_knows_the_year)
{
    int64_t before = clock_monotonic_us();
    int64_t real = clock_real_us();
    int64_t after = clock_monotonic_us();
    cr_assert(before > 0 && after >= before);
    cr_assert(real > 1577836800 * SECOND, "the machine's clock is before 2020");
    time_t seconds = time(NULL);
    cr_assert(real / SECOND <= (int64_t)seconds + 1 && real / SECOND >= (int64_t)seconds - 60);
}
