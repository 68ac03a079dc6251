/* The calendar: seconds and fields, formats and parsing, all in UTC. Called by expr_times.c. Pure; never asks
 * for the time or for a zone. */
#include "engine/expr/expr_date.h"

#include <string.h>

#include "engine/base/check.h"

enum { DAY_S = 86400, EPOCH_DAYS = 719528 /* from the first of January of the year 0 to that of 1970 */ };
#define PART_MAX INT64_C(1000000000)

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
enum { SHORT_NAME = 3 };

/* ---- the calendar ---- */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    check(month >= 0 && month < 12);
    return lengths[month] + (month == 1 && is_leap(year));
}

/* Days from the begin of the year 0 to that of `year`, which is not negative. */
static int64_t days_before_year(int64_t year)
{
    return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool expr_date_from_seconds(int64_t seconds, struct expr_date *date)
{
    int64_t day = floor_divide(seconds, DAY_S) + EPOCH_DAYS;
    int64_t rest = seconds - floor_divide(seconds, DAY_S) * DAY_S;
    if (day < 0 || day >= days_before_year(10000))
        return false;
    int64_t year = day / 366; /* at or before it, by at most seven */
    while (days_before_year(year + 1) <= day)
        year++;
    int64_t left = day - days_before_year(year), month = 0;
    *date = (struct expr_date){.year = year, .year_day = left, .week_day = (day + 6) % 7};
    for (; left >= days_of_month(year, month); month++)
        left -= days_of_month(year, month);
    date->month = month;
    date->day = left + 1;
    date->hour = rest / 3600;
    date->minute = rest / 60 % 60;
    date->second = rest % 60;
    return true;
}

static bool in_range(int64_t part)
{
    return part > -PART_MAX && part < PART_MAX;
}

bool expr_date_to_seconds(const struct expr_date *date, int64_t *seconds)
{
    if (!in_range(date->year) || !in_range(date->month) || !in_range(date->day) || !in_range(date->hour) ||
        !in_range(date->minute) || !in_range(date->second))
        return false;
    int64_t year = date->year + floor_divide(date->month, 12);
    int64_t month = date->month - floor_divide(date->month, 12) * 12;
    if (year < 0 || year > 9999)
        return false;
    int64_t day = days_before_year(year) - EPOCH_DAYS + date->day - 1;
    for (int64_t i = 0; i < month; i++)
        day += days_of_month(year, i);
    struct expr_date normal;
    *seconds = day * DAY_S + date->hour * 3600 + date->minute * 60 + date->second;
    return expr_date_from_seconds(*seconds, &normal);
}

/* The week of the year that begins with week day `first` (0 Sunday, 1 Monday). */
static int64_t week_of_year(const struct expr_date *date, int64_t first)
{
    return (date->year_day + 7 - (date->week_day + 7 - first) % 7) / 7;
}

/* ISO 8601: the week of which the Thursday is in the year. */
static int64_t iso_week(const struct expr_date *date, int64_t *year)
{
    int64_t thursday = date->year_day - (date->week_day + 6) % 7 + 3;
    *year = date->year;
    if (thursday < 0) {
        (*year)--;
        thursday += *year >= 0 && is_leap(*year) ? 366 : 365;
    } else if (thursday >= (is_leap(*year) ? 366 : 365)) {
        thursday -= is_leap(*year) ? 366 : 365;
        (*year)++;
    }
    return thursday / 7 + 1;
}

/* ---- writing ---- */

/* A letter that is short for others. */
static const char *meaning_of(char letter)
{
    switch (letter) {
    case 'T':
    case 'X':
        return "%H:%M:%S";
    case 'D':
    case 'x':
        return "%m/%d/%y";
    case 'F':
        return "%Y-%m-%d";
    case 'R':
        return "%H:%M";
    case 'c':
        return "%a %b %e %H:%M:%S %Y";
    case 'r':
        return "%I:%M:%S %p";
    default:
        return NULL;
    }
}

static int64_t hour_of_twelve(int64_t hour)
{
    return hour % 12 == 0 ? 12 : hour % 12;
}

/* Letters that are a number of so many digits; false: it is none. */
static bool put_number(const struct expr_date *date, char letter, struct buf *out)
{
    int64_t iso_year = 0, seconds = 0;
    int64_t iso = iso_week(date, &iso_year);
    (void)expr_date_to_seconds(date, &seconds);
    const struct {
        char letter;
        bool zeros; /* before it, else blanks */
        int width;
        int64_t value;
    } numbers[] = {
        {'Y', true, 4, date->year},
        {'C', true, 2, date->year / 100},
        {'y', true, 2, date->year % 100},
        {'G', true, 4, iso_year},
        {'g', true, 2, (iso_year + 100) % 100},
        {'m', true, 2, date->month + 1},
        {'d', true, 2, date->day},
        {'e', false, 2, date->day},
        {'j', true, 3, date->year_day + 1},
        {'H', true, 2, date->hour},
        {'k', false, 2, date->hour},
        {'I', true, 2, hour_of_twelve(date->hour)},
        {'l', false, 2, hour_of_twelve(date->hour)},
        {'M', true, 2, date->minute},
        {'S', true, 2, date->second},
        {'s', false, 1, seconds},
        {'u', false, 1, date->week_day == 0 ? 7 : date->week_day},
        {'w', false, 1, date->week_day},
        {'U', true, 2, week_of_year(date, 0)},
        {'W', true, 2, week_of_year(date, 1)},
        {'V', true, 2, iso},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i].letter != letter)
            continue;
        if (numbers[i].zeros)
            buf_printf(out, "%0*lld", numbers[i].width, (long long)numbers[i].value);
        else
            buf_printf(out, "%*lld", numbers[i].width, (long long)numbers[i].value);
        return true;
    }
    return false;
}

/* Letters that are a text; false: it is none. */
static bool put_word(const struct expr_date *date, char letter, struct buf *out)
{
    switch (letter) {
    case 'a':
        buf_printf(out, "%.3s", days[date->week_day]);
        return true;
    case 'A':
        buf_puts(out, days[date->week_day]);
        return true;
    case 'b':
    case 'h':
        buf_printf(out, "%.3s", months[date->month]);
        return true;
    case 'B':
        buf_puts(out, months[date->month]);
        return true;
    case 'p':
        buf_puts(out, date->hour < 12 ? "AM" : "PM");
        return true;
    case 'Z':
        buf_puts(out, "UTC");
        return true;
    case 'z':
        buf_puts(out, "+0000");
        return true;
    case 'n':
        buf_char(out, '\n');
        return true;
    case 't':
        buf_char(out, '\t');
        return true;
    case '%':
        buf_char(out, '%');
        return true;
    default:
        return false;
    }
}

bool expr_date_format(const struct expr_date *date, struct str format, struct buf *out, const char **problem)
{
    for (size_t i = 0; i < format.size; i++) {
        if (format.data[i] != '%') {
            buf_char(out, format.data[i]);
            continue;
        }
        char letter = ++i < format.size ? format.data[i] : '\0';
        const char *longer = letter == '\0' ? NULL : meaning_of(letter);
        if (longer ? expr_date_format(date, str_from(longer), out, problem)
                   : put_word(date, letter, out) || put_number(date, letter, out))
            continue;
        *problem = "a % that no letter of strftime follows; a percent sign is %%";
        return false;
    }
    return true;
}

/* ---- reading ---- */

struct reader {
    struct str text;
    size_t at;
    struct expr_date date;
    bool has_day;             /* a day of the month was read */
    bool has_year_day;        /* a day of the year was */
    bool afternoon, has_half; /* of %p */
    int64_t offset_s;         /* of the zone, east of UTC */
    const char *problem;
};

static bool fail(struct reader *reader, const char *problem)
{
    if (!reader->problem)
        reader->problem = problem;
    return false;
}

static char peek(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reader *reader)
{
    while (is_blank(peek(reader)))
        reader->at++;
}

/* Up to so many digits that make a number from `least` to `most`. */
static bool read_number(struct reader *reader, int digits, int64_t least, int64_t most, int64_t *number)
{
    int64_t value = 0;
    int read = 0;
    skip_blanks(reader);
    for (; read < digits && peek(reader) >= '0' && peek(reader) <= '9'; read++)
        value = value * 10 + (reader->text.data[reader->at++] - '0');
    if (read == 0 || value < least || value > most)
        return fail(reader, "the text does not fit the format");
    *number = value;
    return true;
}

static bool equal_but_for_case(struct str text, struct str word)
{
    bool equal = text.size == word.size;
    for (size_t i = 0; equal && i < word.size; i++)
        equal = (text.data[i] | 0x20) == (word.data[i] | 0x20);
    return equal;
}

/* One of the names, whole or its first three letters. */
static bool read_name(struct reader *reader, const char *const *names, int64_t count, int64_t *which)
{
    for (int64_t i = 0; i < count; i++) {
        struct str name = str_from(names[i]);
        struct str rest = str_slice(reader->text, reader->at, reader->text.size);
        bool whole = equal_but_for_case(str_slice(rest, 0, name.size), name);
        if (!whole && !equal_but_for_case(str_slice(rest, 0, SHORT_NAME), str_slice(name, 0, SHORT_NAME)))
            continue;
        reader->at += whole ? name.size : SHORT_NAME;
        *which = i;
        return true;
    }
    return fail(reader, "the text does not fit the format");
}

static bool accept(struct reader *reader, const char *word)
{
    struct str wanted = str_from(word);
    struct str rest = str_slice(reader->text, reader->at, reader->text.size);
    if (!equal_but_for_case(str_slice(rest, 0, wanted.size), wanted))
        return false;
    reader->at += wanted.size;
    return true;
}

/* Z, +01:00, +0100, +01 */
static bool read_zone(struct reader *reader)
{
    int64_t hours = 0, minutes = 0;
    if (accept(reader, "Z"))
        return true;
    bool west = peek(reader) == '-';
    if (!west && peek(reader) != '+')
        return fail(reader, "the text does not fit the format");
    reader->at++;
    if (!read_number(reader, 2, 0, 23, &hours))
        return false;
    bool colon = accept(reader, ":");
    if ((colon || (peek(reader) >= '0' && peek(reader) <= '9')) && !read_number(reader, 2, 0, 59, &minutes))
        return false;
    reader->offset_s = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool read_short_year(struct reader *reader)
{
    int64_t year = 0;
    if (!read_number(reader, 2, 0, 99, &year))
        return false;
    reader->date.year = year < 69 ? 2000 + year : 1900 + year;
    return true;
}

static bool read_seconds(struct reader *reader)
{
    int64_t seconds = 0;
    if (!read_number(reader, 12, 0, INT64_C(253402300799), &seconds))
        return false;
    reader->has_day = expr_date_from_seconds(seconds, &reader->date);
    return reader->has_day;
}

static bool read_text(struct reader *reader, struct str format);

/* What one letter of the format stands for. */
static bool read_letter(struct reader *reader, char letter)
{
    struct expr_date *date = &reader->date;
    int64_t ignored = 0;
    const char *longer = meaning_of(letter);
    if (longer)
        return read_text(reader, str_from(longer));
    switch (letter) {
    case 'Y':
        return read_number(reader, 4, 0, 9999, &date->year);
    case 'y':
        return read_short_year(reader);
    case 'm': {
        bool fine = read_number(reader, 2, 1, 12, &date->month);
        date->month -= fine;
        return fine;
    }
    case 'd':
    case 'e':
        reader->has_day = true;
        return read_number(reader, 2, 1, 31, &date->day);
    case 'j': {
        bool fine = read_number(reader, 3, 1, 366, &date->year_day);
        date->year_day -= fine;
        reader->has_year_day = fine;
        return fine;
    }
    case 'H':
    case 'k':
        return read_number(reader, 2, 0, 23, &date->hour);
    case 'I':
    case 'l':
        return read_number(reader, 2, 1, 12, &date->hour);
    case 'M':
        return read_number(reader, 2, 0, 59, &date->minute);
    case 'S':
        return read_number(reader, 2, 0, 60, &date->second);
    case 's':
        return read_seconds(reader);
    case 'p':
        reader->has_half = true;
        reader->afternoon = accept(reader, "PM");
        return reader->afternoon || accept(reader, "AM") || fail(reader, "the text does not fit the format");
    case 'a':
    case 'A':
        return read_name(reader, days, 7, &ignored);
    case 'b':
    case 'B':
    case 'h':
        return read_name(reader, months, 12, &date->month);
    case 'u':
    case 'w':
        return read_number(reader, 1, 0, 7, &ignored);
    case 'z':
        return read_zone(reader);
    case 'Z':
        return accept(reader, "UTC") || accept(reader, "GMT") || accept(reader, "Z") ||
               fail(reader, "of the zones' names only UTC and GMT can be read");
    case 'n':
    case 't':
        skip_blanks(reader);
        return true;
    case '%':
        return accept(reader, "%") || fail(reader, "the text does not fit the format");
    default:
        return fail(reader, "a % that no letter of strptime follows; a percent sign is %%");
    }
}

static bool read_text(struct reader *reader, struct str format)
{
    for (size_t i = 0; i < format.size; i++) {
        if (is_blank(format.data[i])) {
            skip_blanks(reader);
        } else if (format.data[i] == '%') {
            if (!read_letter(reader, ++i < format.size ? format.data[i] : '\0'))
                return false;
        } else if (peek(reader) != format.data[i] || reader->at == reader->text.size) {
            return fail(reader, "the text does not fit the format");
        } else {
            reader->at++;
        }
    }
    return true;
}

/* The day of the year tells the month and its day where those were not told. */
static bool settle_day(struct reader *reader)
{
    struct expr_date *date = &reader->date;
    if (reader->has_year_day && !reader->has_day) {
        date->month = 0;
        date->day = date->year_day + 1;
        return date->day <= (is_leap(date->year) ? 366 : 365) || fail(reader, "the year has no such day");
    }
    return date->day <= days_of_month(date->year, date->month) || fail(reader, "the month has no such day");
}

bool expr_date_parse(struct str text, struct str format, struct expr_date *date, const char **problem)
{
    struct reader reader = {.text = text, .date = {.year = 1900, .day = 1}};
    int64_t seconds = 0;
    bool fine = read_text(&reader, format) && settle_day(&reader);
    if (fine && reader.at < text.size)
        fine = fail(&reader, "the text goes on behind the format");
    if (reader.has_half)
        reader.date.hour = reader.date.hour % 12 + (reader.afternoon ? 12 : 0);
    bool leap_second = reader.date.second == 60;
    fine = fine && expr_date_to_seconds(&reader.date, &seconds) &&
           expr_date_from_seconds(seconds - reader.offset_s - leap_second, date);
    if (fine && leap_second)
        date->second = 60;
    *problem = reader.problem ? reader.problem : "the time is not within the years 0 to 9999";
    return fine;
}
