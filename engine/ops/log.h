/* One line on stderr for each thing that happened: logfmt, or JSON. Never payloads, never secrets: ids,
 * names, counts, reasons.
 *
 *     log_info("batch_committed", "shard=%u events=%zu error=\"%s\"" …) is wrong, quotes are put where
 * needed: log_info("batch_committed", "shard=%u events=%zu error=%s", shard, count, note.text);
 *
 * The format is a run of `key=%…` separated by one space each; the compiler checks the arguments.
 * Conversions: %s %.*s %d %u %x %f %g %c with l, ll, z, j, h and a precision; no other text, no width, no
 * flags. Any thread; a line is one write, cut at LIMITS_LOG_LINE_BYTES. */
#pragma once
#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* Before other threads start. Without it: info, logfmt, stderr. fd is borrowed. */
void log_init(enum log_level level, enum log_format format, int fd);
/* Any time, any thread. */
void log_set_level(enum log_level level);
/* For work that is only worth doing when the line is written. */
bool log_enabled(enum log_level level);
/* event: a stable word for searching, "shard_lost". */
void log_write(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, (event), __VA_ARGS__)
#define log_info(event, ...) log_write(LOG_LEVEL_INFO, (event), __VA_ARGS__)
#define log_warn(event, ...) log_write(LOG_LEVEL_WARN, (event), __VA_ARGS__)
#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, (event), __VA_ARGS__)
