/* Exact decimal arithmetic on up to DECIMAL_DIGITS significant digits, for money and other numbers that
 * people write.
 *
 * A value is ± digits × 10^exponent, without leading or trailing zeros. Results are exact or an error, but
 * for a division that does not end: that one is rounded. No memory, no state; any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/str.h"

enum {
    DECIMAL_DIGITS = 60, /* holds any product of two 64-bit integers and of two amounts of 30 digits */
    DECIMAL_EXPONENT_MAX = 1000, /* of ten, for the first digit: far beyond doubles, and sums stay small */
    DECIMAL_ROUNDED_DIGITS = 17, /* of a quotient that does not end: as many as a double shows */
};

struct decimal {
    bool negative;
    uint8_t count;                  /* of digits; 0 for zero */
    int32_t exponent;               /* of the last digit */
    uint8_t digits[DECIMAL_DIGITS]; /* 0 … 9, first digit first */
};

/* `text` is a JSON number. ERR_LIMIT: more significant digits, or a larger or smaller number, than fits. */
enum err decimal_parse(struct str text, struct decimal *value) __attribute__((warn_unused_result));
struct decimal decimal_from_i64(int64_t value);
/* Plain digits where that takes at most DECIMAL_DIGITS of them, else as 1.5e80. */
struct str decimal_text(struct arena *arena, const struct decimal *value);
/* Exact; ERR_LIMIT when the result does not fit. */
enum err decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *sum)
    __attribute__((warn_unused_result));
/* ERR_LIMIT as above. */
enum err decimal_multiply(const struct decimal *a, const struct decimal *b, struct decimal *product)
    __attribute__((warn_unused_result));
/* Exact when the quotient ends within DECIMAL_DIGITS digits, else rounded half to even to
 * DECIMAL_ROUNDED_DIGITS. ERR_INVALID: b is zero. ERR_LIMIT: does not fit. */
enum err decimal_divide(const struct decimal *a, const struct decimal *b, struct decimal *quotient)
    __attribute__((warn_unused_result));
struct decimal decimal_negate(const struct decimal *value);
enum decimal_rounding { DECIMAL_FLOOR, DECIMAL_CEIL, DECIMAL_ROUND /* halves away from zero */ };
/* The whole number below, above, or nearest. ERR_LIMIT when it does not fit. */
enum err decimal_round(const struct decimal *value, enum decimal_rounding rounding, struct decimal *whole)
    __attribute__((warn_unused_result));
/* Without its fraction; false when that does not fit. */
bool decimal_truncate(const struct decimal *value, int64_t *number);
