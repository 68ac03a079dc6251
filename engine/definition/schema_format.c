/* Each `format` is read from left to right by a small reader that never goes back further than one token.
 * Called by the checker of schemas through schema_formats.def. Time is linear in the text. */
#include "engine/definition/schema_format.h"

#include "engine/base/check.h"
#include "engine/definition/word.h"

struct reader {
    struct str text;
    size_t at;
};

static char peek(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : '\0';
}

static bool is_end(const struct reader *reader)
{
    return reader->at == reader->text.size;
}

static bool take(struct reader *reader, char c)
{
    bool there = !is_end(reader) && peek(reader) == c;
    reader->at += there;
    return there;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_one_of(char c, const char *set)
{
    for (; *set; set++) {
        if (c == *set)
            return true;
    }
    return false;
}

/* ---- dates and times ---- */

static bool take_number(struct reader *reader, int digits, int *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit(peek(reader)))
            return false;
        *number = *number * 10 + (peek(reader) - '0');
        reader->at++;
    }
    return true;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct reader *reader)
{
    int year, month, day;
    if (!take_number(reader, 4, &year) || !take(reader, '-') || !take_number(reader, 2, &month) ||
        !take(reader, '-') || !take_number(reader, 2, &day))
        return false;
    return month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month);
}

/* In minutes east of UTC. */
static bool take_offset(struct reader *reader, int *offset)
{
    int hours, minutes;
    *offset = 0;
    if (take(reader, 'Z') || take(reader, 'z'))
        return true;
    bool west = peek(reader) == '-';
    if (!take(reader, '+') && !take(reader, '-'))
        return false;
    if (!take_number(reader, 2, &hours) || !take(reader, ':') || !take_number(reader, 2, &minutes))
        return false;
    *offset = (hours * 60 + minutes) * (west ? -1 : 1);
    return hours <= 23 && minutes <= 59;
}

static bool take_fraction(struct reader *reader)
{
    if (!take(reader, '.'))
        return true;
    size_t begin = reader->at;
    while (is_digit(peek(reader)))
        reader->at++;
    return reader->at > begin;
}

static bool take_time(struct reader *reader)
{
    enum { DAY_MINUTES = 24 * 60 };
    int hour, minute, second, offset;
    if (!take_number(reader, 2, &hour) || !take(reader, ':') || !take_number(reader, 2, &minute) ||
        !take(reader, ':') || !take_number(reader, 2, &second) || !take_fraction(reader) ||
        !take_offset(reader, &offset))
        return false;
    if (hour > 23 || minute > 59)
        return false;
    int utc = (hour * 60 + minute - offset + DAY_MINUTES) % DAY_MINUTES;
    return second <= 59 || (second == 60 && utc == DAY_MINUTES - 1); /* a leap second ends a day of UTC */
}

static bool is_date(struct reader *reader)
{
    return take_date(reader);
}

static bool is_time(struct reader *reader)
{
    return take_time(reader);
}

static bool is_date_time(struct reader *reader)
{
    return take_date(reader) && (take(reader, 'T') || take(reader, 't')) && take_time(reader);
}

/* Numbers with their units, in the order of `units` and without a gap in it, as RFC 3339 has durations. 0
 * when there are none, -1 for a mistake. */
static int take_units(struct reader *reader, const char *units)
{
    int count = 0;
    const char *next = NULL;
    while (is_digit(peek(reader))) {
        while (is_digit(peek(reader)))
            reader->at++;
        const char *unit = next ? next : units;
        while (!next && *unit && *unit != peek(reader))
            unit++;
        if (!*unit || !take(reader, *unit))
            return -1;
        next = unit + 1;
        count++;
    }
    return count;
}

static bool is_duration(struct reader *reader)
{
    if (!take(reader, 'P'))
        return false;
    size_t begin = reader->at;
    int dates = take_units(reader, "YMD");
    if (dates < 0) { /* weeks stand alone */
        reader->at = begin;
        return take_units(reader, "W") == 1;
    }
    if (!take(reader, 'T'))
        return dates > 0;
    return take_units(reader, "HMS") > 0;
}

/* ---- names ---- */

static bool is_uuid(struct reader *reader)
{
    enum { UUID_BYTES = 36 };
    for (int i = 0; i < UUID_BYTES; i++) {
        char c = peek(reader);
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !is_hex(c))
            return false;
        reader->at++;
    }
    return true;
}

static bool is_atom(char c)
{
    return is_letter(c) || is_digit(c) || (c != '\0' && is_one_of(c, "!#$%&'*+-/=?^_`{|}~"));
}

static bool take_quoted(struct reader *reader)
{
    if (!take(reader, '"'))
        return false;
    while (!is_end(reader) && peek(reader) != '"') {
        (void)take(reader, '\\');
        if (peek(reader) < ' ' || peek(reader) > '~')
            return false;
        reader->at++;
    }
    return take(reader, '"');
}

static bool take_dotted_atoms(struct reader *reader)
{
    do {
        size_t begin = reader->at;
        while (is_atom(peek(reader)))
            reader->at++;
        if (reader->at == begin)
            return false;
    } while (take(reader, '.'));
    return true;
}

static bool take_label(struct reader *reader)
{
    enum { LABEL_BYTES = 63 };
    size_t begin = reader->at;
    while (is_letter(peek(reader)) || is_digit(peek(reader)) || peek(reader) == '-')
        reader->at++;
    size_t size = reader->at - begin;
    return size > 0 && size <= LABEL_BYTES && reader->text.data[begin] != '-' &&
           reader->text.data[reader->at - 1] != '-';
}

/* ---- addresses ---- */

static bool take_word(struct reader *reader, const char *word)
{
    bool there = str_starts(str_slice(reader->text, reader->at, reader->text.size), str_from(word));
    reader->at += there ? str_from(word).size : 0;
    return there;
}

static bool take_ipv4(struct reader *reader)
{
    for (int i = 0; i < 4; i++) {
        int number = 0;
        size_t begin = reader->at;
        if (i && !take(reader, '.'))
            return false;
        begin += i > 0;
        while (is_digit(peek(reader)) && reader->at < begin + 3)
            number = number * 10 + (reader->text.data[reader->at++] - '0');
        size_t size = reader->at - begin;
        if (size == 0 || number > 255 || (size > 1 && reader->text.data[begin] == '0'))
            return false;
    }
    return !is_digit(peek(reader));
}

/* Eight groups of up to four digits; `::` once for groups of 0; the last two may be written as IPv4. */
static bool take_ipv6(struct reader *reader)
{
    enum { GROUPS = 8 };
    bool gap = take_word(reader, "::");
    bool more = !gap; /* a group must follow */
    int groups = 0;
    while (groups < GROUPS && is_hex(peek(reader))) {
        struct reader four = *reader;
        if (take_ipv4(&four)) {
            *reader = four;
            groups += 2;
            more = false;
            break;
        }
        for (int i = 0; i < 4 && is_hex(peek(reader)); i++)
            reader->at++;
        groups++;
        bool gap_here = take_word(reader, "::");
        if (gap && gap_here)
            return false;
        gap |= gap_here;
        more = !gap_here && take(reader, ':');
        if (!more && !gap_here)
            break;
    }
    return !more && (gap ? groups < GROUPS : groups == GROUPS);
}

static bool is_ipv4(struct reader *reader)
{
    return take_ipv4(reader);
}

static bool is_ipv6(struct reader *reader)
{
    return take_ipv6(reader);
}

/* Without comments and folded lines, which nobody writes. */
static bool is_email(struct reader *reader)
{
    enum { LOCAL_BYTES = 64, DOMAIN_BYTES = 255 };
    bool local = peek(reader) == '"' ? take_quoted(reader) : take_dotted_atoms(reader);
    if (!local || reader->at > LOCAL_BYTES || !take(reader, '@'))
        return false;
    if (reader->text.size - reader->at > DOMAIN_BYTES)
        return false;
    if (take(reader, '[')) {
        bool six = take_word(reader, "IPv6:");
        return (six ? take_ipv6(reader) : take_ipv4(reader)) && take(reader, ']');
    }
    do {
        if (!take_label(reader))
            return false;
    } while (take(reader, '.'));
    return true;
}

/* Unreserved characters, sub-delimiters, what `more` holds, and escaped bytes. */
static bool take_uri_part(struct reader *reader, const char *more)
{
    for (; !is_end(reader); reader->at++) {
        char c = peek(reader);
        if (c == '%') {
            struct str hex = str_slice(reader->text, reader->at + 1, reader->at + 3);
            if (hex.size < 2 || !is_hex(hex.data[0]) || !is_hex(hex.data[1]))
                return false;
            reader->at += 2;
        } else if (!is_letter(c) && !is_digit(c) && !is_one_of(c, "-._~!$&'()*+,;=") && !is_one_of(c, more)) {
            break;
        }
    }
    return true;
}

/* An address in brackets: of IPv6, or of a later version. */
static bool take_bracketed(struct reader *reader)
{
    if (!take(reader, '['))
        return false;
    if (!take(reader, 'v') && !take(reader, 'V'))
        return take_ipv6(reader) && take(reader, ']');
    size_t begin = reader->at;
    while (is_hex(peek(reader)))
        reader->at++;
    if (reader->at == begin || !take(reader, '.'))
        return false;
    begin = reader->at;
    while (is_letter(peek(reader)) || is_digit(peek(reader)) || is_one_of(peek(reader), "-._~!$&'()*+,;=:"))
        reader->at++;
    return reader->at > begin && take(reader, ']');
}

static bool take_authority(struct reader *reader)
{
    struct reader user = *reader;
    if (take_uri_part(&user, ":") && take(&user, '@'))
        *reader = user;
    if (peek(reader) == '[' ? !take_bracketed(reader) : !take_uri_part(reader, ""))
        return false;
    if (take(reader, ':')) {
        while (is_digit(peek(reader)))
            reader->at++;
    }
    return is_end(reader) || is_one_of(peek(reader), "/?#");
}

static bool is_uri(struct reader *reader)
{
    if (!is_letter(peek(reader)))
        return false;
    while (is_letter(peek(reader)) || is_digit(peek(reader)) || is_one_of(peek(reader), "+-."))
        reader->at++;
    if (!take(reader, ':'))
        return false;
    if (str_starts(str_slice(reader->text, reader->at, reader->text.size), STR("//"))) {
        reader->at += 2;
        if (!take_authority(reader))
            return false;
    }
    if (!take_uri_part(reader, ":@/"))
        return false;
    if (take(reader, '?') && !take_uri_part(reader, ":@/?"))
        return false;
    return !take(reader, '#') || take_uri_part(reader, ":@/?");
}

/* ---- the table ---- */

static const struct {
    struct str name;
    const char *meaning;
    bool (*is)(struct reader *reader);
} formats[] = {
#define X(name, text, function, meaning) {WORD(text), meaning, function},
#include "engine/definition/schema_formats.def"
#undef X
};

struct str schema_format_name(enum schema_format format)
{
    check((unsigned)format < SCHEMA_FORMAT_COUNT);
    return formats[format].name;
}

const char *schema_format_meaning(enum schema_format format)
{
    check((unsigned)format < SCHEMA_FORMAT_COUNT);
    return formats[format].meaning;
}

bool schema_format_matches(enum schema_format format, struct str text)
{
    struct reader reader = {.text = text};
    check((unsigned)format < SCHEMA_FORMAT_COUNT);
    return formats[format].is(&reader) && is_end(&reader);
}
