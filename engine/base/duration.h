/* Durations as authors write them (250ms 5s 10m 2h 14d) and times as RFC 3339. All are microseconds, as
 * PostgreSQL's clock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/str.h"

#define DURATION_SECOND_US INT64_C(1000000)

/* One or more digits and one of ms s m h d; more than zero and at most LIMITS_DURATION_DAYS. False when it is
 * not one. */
bool duration_parse(struct str text, int64_t *duration_us);
/* The shortest form that is exact: "250ms", "90s", "14d"; what is no whole millisecond is rounded up. */
struct str duration_text(struct arena *arena, int64_t duration_us);
/* Microseconds since 1970 from RFC 3339 with a zone ("Z" or +hh:mm); up to six digits of fraction kept. */
bool duration_time_parse(struct str text, int64_t *time_us);
/* "2026-11-21T12:04:10.000123Z": always six digits, so that texts sort as times do. */
struct str duration_time_text(struct arena *arena, int64_t time_us);
