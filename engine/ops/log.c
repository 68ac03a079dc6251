/* A line is built on the stack and leaves in one write, so that lines of several threads never mix and no
 * lock is needed. Each conversion of the format is cut out and printed by snprintf; only then its text is
 * quoted as the line's format wants it. */
#include "engine/ops/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/str.h"
#include "engine/base/visible.h"

enum { CONVERSION_SIZE = 16, END_SIZE = 2 /* "}" and the line end always have room */ };

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static atomic_int level_least = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_LOGFMT;
static int log_fd = STDERR_FILENO;

struct line {
    char text[LIMITS_LOG_LINE_BYTES];
    size_t size;
};

void log_init(enum log_level level, enum log_format format, int fd)
{
    log_format = format;
    log_fd = fd;
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_least, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_least, memory_order_relaxed);
}

static bool put(struct line *line, const char *text, size_t size)
{
    if (size > sizeof line->text - END_SIZE - line->size) {
        return false;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
    return true;
}

static bool put_text(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/* Harmless text but for quotes and backslashes; false when it was cut. */
static bool put_piece(struct line *line, struct str piece, size_t room)
{
    for (size_t i = 0; i < piece.size; i++) {
        bool starts = ((unsigned char)piece.data[i] & 0xc0) != 0x80; /* a character: four bytes at most */
        if (starts && line->size + VISIBLE_ESCAPE_SIZE >= room) {
            return false;
        }
        if (piece.data[i] == '"' || piece.data[i] == '\\') {
            (void)put_text(line, "\\");
        }
        (void)put(line, piece.data + i, 1);
    }
    return true;
}

/* Escapes as in a JSON string; a logfmt reader understands the same. What is cut is cut before an escape, not
 * within. */
static void put_quoted(struct line *line, struct str text)
{
    size_t room = sizeof line->text - END_SIZE;
    (void)put_text(line, "\"");
    for (size_t at = 0; at < text.size;) {
        char escape[VISIBLE_ESCAPE_SIZE];
        size_t size = visible_next(text, at, escape);
        if (escape[0] == '\0' && !put_piece(line, str_slice(text, at, at + size), room)) {
            break;
        }
        if (escape[0] != '\0' && line->size + VISIBLE_ESCAPE_SIZE >= room) {
            break;
        }
        (void)put_text(line, escape);
        at += size;
    }
    (void)put_text(line, "\"");
}

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=') {
            return false;
        }
    }
    return text.size > 0;
}

static void put_field(struct line *line, struct str key, struct str value, bool number)
{
    size_t before = line->size;
    bool json = log_format == LOG_FORMAT_JSON;
    bool whole = put_text(line, before == 0 ? (json ? "{" : "") : (json ? "," : " "));
    whole = whole && put_text(line, json ? "\"" : "") && put(line, key.data, key.size) &&
            put_text(line, json ? "\":" : "=");
    if (whole && (number || (!json && is_plain(value)))) {
        whole = put(line, value.data, value.size);
    } else if (whole) {
        whole = line->size + 16 < sizeof line->text;
        if (whole) {
            put_quoted(line, value);
        }
    }
    line->size = whole ? line->size : before; /* a field that has no room is left out whole */
}

/* One conversion, from its '%' on; answers behind it. */
static const char *conversion_end(const char *format)
{
    const char *end = format + 1;
    end += strspn(end, "0123456789.*");
    end += strspn(end, "hlzj");
    check(*end != '\0' && strchr("sduxfgcpi", *end) != NULL);
    return end + 1;
}

static intmax_t next_signed(const char *length, va_list *arguments)
{
    switch (length[0]) {
    case 'l':
        return length[1] == 'l' ? va_arg(*arguments, long long) : va_arg(*arguments, long);
    case 'z':
        return va_arg(*arguments, ssize_t);
    case 'j':
        return va_arg(*arguments, intmax_t);
    }
    return va_arg(*arguments, int);
}

static uintmax_t next_unsigned(const char *length, va_list *arguments)
{
    switch (length[0]) {
    case 'l':
        return length[1] == 'l' ? va_arg(*arguments, unsigned long long) : va_arg(*arguments, unsigned long);
    case 'z':
        return va_arg(*arguments, size_t);
    case 'j':
        return va_arg(*arguments, uintmax_t);
    }
    return va_arg(*arguments, unsigned);
}

/* %s and %.*s, without copying when it need not. */
static struct str next_string(const char *conversion, va_list *arguments)
{
    int most = -1;
    if (strncmp(conversion, "%.*", 3) == 0) {
        most = va_arg(*arguments, int);
    }
    const char *text = va_arg(*arguments, const char *);
    if (text == NULL) {
        return (struct str){0};
    }
    return most < 0 ? str_from(text) : (struct str){text, strnlen(text, (size_t)most)};
}

/* A number by its conversion, with the length modifiers brought to the widest type. */
static struct str next_number(const char *conversion, const char *end, va_list *arguments, char *text,
                              size_t room)
{
    const char *length = conversion + 1 + strspn(conversion + 1, "0123456789.");
    int size = 0;
    switch (end[-1]) {
    case 'd':
    case 'i':
        size = snprintf(text, room, "%jd", next_signed(length, arguments));
        break;
    case 'u':
        size = snprintf(text, room, "%ju", next_unsigned(length, arguments));
        break;
    case 'x':
        size = snprintf(text, room, "%jx", next_unsigned(length, arguments));
        break;
    case 'c':
        size = snprintf(text, room, "%c", va_arg(*arguments, int));
        break;
    case 'p':
        size = snprintf(text, room, "%p", va_arg(*arguments, void *));
        break;
    default: /* f and g, with their precision: a logged span */
        size = snprintf(text, room, conversion[1] == '.' && end[-1] == 'f' ? "%.*f" : "%.*g",
                        conversion[1] == '.' ? conversion[2] - '0' : 6, va_arg(*arguments, double));
    }
    return (struct str){text, size > 0 && (size_t)size < room ? (size_t)size : 0};
}

static void put_fields(struct line *line, const char *format, va_list *arguments)
{
    while (*format != '\0') {
        char number[64];
        format += *format == ' ';
        struct str key = {format, strcspn(format, "=")};
        const char *conversion = format + key.size + 1;
        check(key.size > 0 && format[key.size] == '=' && *conversion == '%');
        const char *end = conversion_end(conversion);
        if (end[-1] == 's') {
            put_field(line, key, next_string(conversion, arguments), false);
        } else {
            struct str value = next_number(conversion, end, arguments, number, sizeof number);
            put_field(line, key, value, strchr("dui", end[-1]) != NULL);
        }
        check(*end == '\0' || *end == ' ');
        format = end;
    }
}

/* "2026-11-21T12:04:10.000123Z": as duration_time_text, but without an arena. */
static void put_time(struct line *line)
{
    char text[64];
    struct tm parts;
    int64_t now_us = clock_real_us();
    time_t seconds = (time_t)(now_us / 1000000);
    check(gmtime_r(&seconds, &parts) != NULL);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + size, sizeof text - size, ".%06dZ", (int)(now_us % 1000000));
    put_field(line, STR("time"), str_from(text), false);
}

static void send_line(struct line *line)
{
    line->text[line->size++] = log_format == LOG_FORMAT_JSON ? '}' : '\n';
    if (log_format == LOG_FORMAT_JSON) {
        line->text[line->size++] = '\n';
    }
    ssize_t written;
    do {
        written = write(log_fd, line->text, line->size);
    } while (written < 0 && errno == EINTR);
    /* A log that cannot be written (disk full, reader gone) has nobody to be told to; work goes on without
     * it. */
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    struct line line;
    va_list arguments;
    if (!log_enabled(level)) {
        return;
    }
    int error = errno; /* callers log what failed and look at errno afterwards */
    line.size = 0;
    put_time(&line);
    put_field(&line, STR("level"), str_from(level_names[level]), false);
    put_field(&line, STR("event"), str_from(event), false);
    va_start(arguments, format);
    put_fields(&line, format, &arguments);
    va_end(arguments);
    send_line(&line);
    errno = error;
}
