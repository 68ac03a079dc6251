/* Regular expressions in linear time: a bounded subset, compiled to a small machine whose states all run side
 * by side.
 *
 * The subset, on Unicode characters: literals, `.` (any but a line feed), classes [a-z] [^a-z], * + ? {m}
 * {m,} {m,n} (and their lazy forms, which match the same texts), | ( ) (?: ), ^ and $ (the begin and end of
 * the text), \d \D \w \W \s \S (ASCII), and the escapes \t \n \r \f \v \uXXXX and \ before a punctuation
 * mark. There are no back references and no look-around, so that the time is text × pattern, whatever both
 * are. A match may begin anywhere. Ownership: a regex lives in the arena it was compiled in, is immutable,
 * and may be used by any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

struct regex;

/* ERR_INVALID (not in the subset) or ERR_LIMIT (longer than LIMITS_REGEX_BYTES, more than
 * LIMITS_REGEX_STATES); the note says what and, in bytes from 1, where. */
enum err regex_compile(struct arena *arena, struct str pattern, bool ignore_case, const struct regex **regex,
                       struct err_note *note) __attribute__((warn_unused_result));
/* Looks for a match in `text` (UTF-8). *work is lowered by the states visited; when it would pass zero,
 * ERR_LIMIT. */
enum err regex_test(const struct regex *regex, struct str text, uint64_t *work, bool *matches)
    __attribute__((warn_unused_result));
