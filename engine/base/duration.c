/* Durations and RFC 3339 times, both ways, in microseconds. Called by definitions, API and tools. Never
 * overflows: what is too long is an error. */
#include "engine/base/duration.h"
#include <stddef.h>
#include <string.h>
#include "engine/base/limits.h"

#define DAY_US (86400 * DURATION_SECOND_US)

/* From the longest: duration_text takes the first that divides. */
static const struct unit {
    struct str name;
    int64_t size_us;
} UNITS[] = {
    {{"d", 1}, DAY_US},
    {{"h", 1}, 3600 * DURATION_SECOND_US},
    {{"m", 1}, 60 * DURATION_SECOND_US},
    {{"s", 1}, DURATION_SECOND_US},
    {{"ms", 2}, DURATION_SECOND_US / 1000},
};
enum { UNIT_COUNT = sizeof UNITS / sizeof *UNITS };

bool duration_parse(struct str text, int64_t *duration_us)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    int64_t number;
    if (!str_to_i64(str_slice(text, 0, digits), &number))
        return false;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (!str_equal(str_slice(text, digits, text.size), UNITS[i].name))
            continue;
        if (number < 1 || number > LIMITS_DURATION_DAYS * DAY_US / UNITS[i].size_us)
            return false;
        *duration_us = number * UNITS[i].size_us;
        return true;
    }
    return false;
}

struct str duration_text(struct arena *arena, int64_t duration_us)
{
    const char *sign = duration_us < 0 ? "-" : "";
    uint64_t size = duration_us < 0 ? 0 - (uint64_t)duration_us : (uint64_t)duration_us;
    uint64_t milliseconds = size / 1000 + (size % 1000 != 0);
    for (size_t i = 0; milliseconds && i < UNIT_COUNT; i++) {
        uint64_t unit = (uint64_t)UNITS[i].size_us / 1000;
        if (milliseconds % unit == 0)
            return arena_printf(arena, "%s%llu%s", sign, (unsigned long long)(milliseconds / unit),
                                UNITS[i].name.data);
    }
    return STR("0s");
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1 January of year 0 to 1 January of `year` (0 or more): the leap years before it counted. */
static int64_t days_before_year(int64_t year)
{
    return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

/* Takes `count` digits at *at. */
static bool take_number(struct str text, size_t *at, size_t count, int *number)
{
    int sum = 0;
    if (text.size - *at < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        char c = text.data[*at + i];
        if (c < '0' || c > '9')
            return false;
        sum = sum * 10 + (c - '0');
    }
    *at += count;
    *number = sum;
    return true;
}

static bool take_char(struct str text, size_t *at, const char *any_of)
{
    if (*at >= text.size || !text.data[*at] || !strchr(any_of, text.data[*at]))
        return false;
    (*at)++;
    return true;
}

static bool take_date(struct str text, size_t *at, int64_t *days)
{
    int year, month, day;
    if (!take_number(text, at, 4, &year) || !take_char(text, at, "-") || !take_number(text, at, 2, &month) ||
        !take_char(text, at, "-") || !take_number(text, at, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return false;
    *days = days_before_year(year) - days_before_year(1970) + day - 1;
    for (int i = 1; i < month; i++)
        *days += month_days(year, i);
    return true;
}

/* An optional fraction of a second; digits past the sixth are dropped. */
static bool take_fraction(struct str text, size_t *at, int *microseconds)
{
    *microseconds = 0;
    if (!take_char(text, at, "."))
        return true;
    size_t begin = *at;
    int digit;
    int weight = 100000;
    while (take_number(text, at, 1, &digit)) {
        *microseconds += digit * weight;
        weight /= 10;
    }
    return *at > begin;
}

static bool take_zone(struct str text, size_t *at, int *minutes)
{
    *minutes = 0;
    if (take_char(text, at, "Zz"))
        return true;
    int sign = *at < text.size && text.data[*at] == '-' ? -1 : 1;
    int hour, minute;
    if (!take_char(text, at, "+-") || !take_number(text, at, 2, &hour) || !take_char(text, at, ":") ||
        !take_number(text, at, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

bool duration_time_parse(struct str text, int64_t *time_us)
{
    size_t at = 0;
    int64_t days;
    int hour, minute, second, microseconds, zone;
    if (!take_date(text, &at, &days) || !take_char(text, &at, "Tt") || !take_number(text, &at, 2, &hour) ||
        !take_char(text, &at, ":") || !take_number(text, &at, 2, &minute) || !take_char(text, &at, ":") ||
        !take_number(text, &at, 2, &second) || !take_fraction(text, &at, &microseconds) ||
        !take_zone(text, &at, &zone) || at != text.size)
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t utc_minutes = days * 1440 + hour * 60 + minute - zone;
    /* A leap second exists only at the end of a UTC day; it counts as the second after it. */
    if (second == 60 && (utc_minutes % 1440 + 1440) % 1440 != 1439)
        return false;
    *time_us = (utc_minutes * 60 + second) * DURATION_SECOND_US + microseconds;
    return true;
}

enum { TIME_TEXT_SIZE = 40 }; /* the longest has 30 characters, with year -290308 */

/* At least so many digits, with zeros before, and what follows the number. */
static char *put_number(char *to, int64_t number, size_t digits, char behind)
{
    char room[STR_I64_SIZE];
    struct str text = str_of_i64(room, number);
    for (; digits > text.size; digits--)
        *to++ = '0';
    memcpy(to, text.data, text.size);
    to[text.size] = behind;
    return to + text.size + 1;
}

struct str duration_time_text(struct arena *arena, int64_t time_us)
{
    int64_t days = time_us / DAY_US - (time_us % DAY_US < 0);
    int64_t rest = time_us % DAY_US + (time_us % DAY_US < 0 ? DAY_US : 0);
    /* Moved by whole cycles of 400 years (146097 days) to where days_before_year holds. */
    int64_t cycles = 1000;
    int64_t left = days + days_before_year(1970) + cycles * 146097;
    int64_t year = left / 366; /* not past the right one */
    while (left >= days_before_year(year + 1)) {
        int64_t missing = (left - days_before_year(year + 1)) / 366;
        year += missing > 1 ? missing : 1;
    }
    left -= days_before_year(year);
    int month = 1;
    while (left >= month_days(year, month))
        left -= month_days(year, month++);
    int64_t seconds = rest / DURATION_SECOND_US;
    char room[TIME_TEXT_SIZE];
    char *to = room;
    if (year < cycles * 400)
        *to++ = '-';
    int64_t shown = year < cycles * 400 ? cycles * 400 - year : year - cycles * 400;
    to = put_number(to, shown, year < cycles * 400 ? 3 : 4, '-');
    to = put_number(to, month, 2, '-');
    to = put_number(to, left + 1, 2, 'T');
    to = put_number(to, seconds / 3600, 2, ':');
    to = put_number(to, seconds / 60 % 60, 2, ':');
    to = put_number(to, seconds % 60, 2, '.');
    to = put_number(to, rest % DURATION_SECOND_US, 6, 'Z');
    return arena_copy(arena, (struct str){room, (size_t)(to - room)});
}
