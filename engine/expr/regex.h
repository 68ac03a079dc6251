/* Regular expressions in linear time: a bounded subset, compiled to a small machine whose states all run side
 * by side.
 *
 * The subset, on Unicode characters: literals, `.` (any but a line feed), classes [a-z] [^a-z], * + ? {m}
 * {m,} {m,n} and their lazy forms, | ( ) (?: ) (?<name> ), ^ and $ (the begin and end of the text), \d \D \w
 * \W \s \S (ASCII), and the escapes \t \n \r \f \v \uXXXX and \ before a punctuation mark. There are no back
 * references and no look-around, so that the time is text × pattern, whatever both are. A match may begin
 * anywhere. Ownership: a regex lives in the arena it was compiled in, is immutable, and may be used by any
 * thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

struct regex;
enum {
    REGEX_IGNORE_CASE = 1, /* of ASCII letters */
    REGEX_CAPTURES = 2,    /* for regex_find: groups are kept, at most LIMITS_REGEX_GROUPS */
};

/* options: of the enum above, or 0. ERR_INVALID (not in the subset) or ERR_LIMIT (longer than
 * LIMITS_REGEX_BYTES, more than LIMITS_REGEX_STATES, too many groups); the note says what and, in bytes from
 * 1, where. */
enum err regex_compile(struct arena *arena, struct str pattern, unsigned options, const struct regex **regex,
                       struct err_note *note) __attribute__((warn_unused_result));
/* The groups of a pattern compiled with REGEX_CAPTURES, in the order of their "(". */
uint32_t regex_group_count(const struct regex *regex);
/* "" : it has no name. */
struct str regex_group_name(const struct regex *regex, uint32_t group);
/* Looks for a match in `text` (UTF-8). *work is lowered by the states visited; when it would pass zero,
 * ERR_LIMIT. */
enum err regex_test(const struct regex *regex, struct str text, uint64_t *work, bool *matches)
    __attribute__((warn_unused_result));
/* Bytes of the text: [0] of the whole match, [1 + g] of group g; begin == REGEX_NOWHERE: it took no part. */
#define REGEX_NOWHERE UINT32_MAX
struct regex_part {
    uint32_t begin, end;
};
/* Bytes of scratch memory that regex_find needs. */
size_t regex_scratch_size(const struct regex *regex);
/* The first match that begins at `from` or behind it (a byte, begin of a character), by the order that jq
 * has: leftmost, then what | and the repetitions try first. `regex` was compiled with REGEX_CAPTURES; `parts`
 * has room for one more than its groups. `scratch`: aligned for any type. *work and ERR_LIMIT as in
 * regex_test. */
enum err regex_find(const struct regex *regex, struct str text, size_t from, void *scratch, uint64_t *work,
                    bool *found, struct regex_part *parts) __attribute__((warn_unused_result));
