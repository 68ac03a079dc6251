/* Times in UTC for the date functions: seconds since 1970, and the parts people read. The proleptic Gregorian
 * calendar, years 0 to 9999, no leap seconds, no zones but an offset that a text names. Pure; any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/buf.h"
#include "engine/base/str.h"

struct expr_date {
    int64_t year;
    int64_t month; /* 0 … 11 */
    int64_t day;   /* 1 … 31 */
    int64_t hour, minute, second;
    int64_t week_day; /* 0: Sunday */
    int64_t year_day; /* 0: the first of January */
};

/* False when the year is not 0 to 9999. */
bool expr_date_from_seconds(int64_t seconds, struct expr_date *date);
/* From year to second; what is over its range counts on (month 12 is the next January). False when the year
 * is then not 0 to 9999, or a part is beyond a billion. */
bool expr_date_to_seconds(const struct expr_date *date, int64_t *seconds);
/* As strftime in the C locale. False, with what is wrong, for a letter it does not know. */
bool expr_date_format(const struct expr_date *date, struct str format, struct buf *out, const char **problem);
/* As strptime: reads all of the text; an offset (%z) is taken off. False, with what is wrong, when it does
 * not fit the format or names a day that is not there. */
bool expr_date_parse(struct str text, struct str format, struct expr_date *date, const char **problem);
