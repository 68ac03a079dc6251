/* Exact decimal arithmetic on digit arrays. Called by the operators and functions on numbers. Pure, no
 * memory; a result is exact or an error, never rounded in silence. */
#include "engine/expr/decimal.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/check.h"

/* Room for an exact sum of numbers whose digits just do not overlap, and for a product. */
enum { WIDE_DIGITS = 2 * DECIMAL_DIGITS + 2 };

struct wide {
    int32_t exponent;
    size_t count;
    uint8_t digits[WIDE_DIGITS];
};

/* Cuts zeros on both ends off; ERR_LIMIT when what is left does not fit. */
static enum err narrow(const struct wide *wide, bool negative, struct decimal *value)
{
    size_t begin = 0;
    size_t end = wide->count;
    while (begin < end && wide->digits[begin] == 0)
        begin++;
    while (end > begin && wide->digits[end - 1] == 0)
        end--;
    *value = (struct decimal){0};
    if (begin == end)
        return ERR_OK;
    int64_t exponent = wide->exponent + (int64_t)(wide->count - end);
    int64_t first = exponent + (int64_t)(end - begin) - 1;
    if (end - begin > DECIMAL_DIGITS || first > DECIMAL_EXPONENT_MAX || exponent < -DECIMAL_EXPONENT_MAX)
        return ERR_LIMIT;
    value->negative = negative;
    value->count = (uint8_t)(end - begin);
    value->exponent = (int32_t)exponent;
    memcpy(value->digits, wide->digits + begin, end - begin);
    return ERR_OK;
}

/* The exponent behind `e`, cut to a size that is out of range anyway, so that it cannot overflow. */
static int32_t read_exponent(struct str text)
{
    enum { FAR = 1000000 };
    bool negative = text.size > 0 && text.data[0] == '-';
    int32_t value = 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= '0' && text.data[i] <= '9' && value < FAR)
            value = value * 10 + (text.data[i] - '0');
    return negative ? -value : value;
}

enum err decimal_parse(struct str text, struct decimal *value)
{
    struct wide wide = {0};
    bool negative = str_starts(text, STR("-"));
    bool fraction = false;
    size_t i = negative ? 1 : 0;
    for (; i < text.size && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
        if (text.data[i] == '.') {
            fraction = true;
            continue;
        }
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        check(digit <= 9);
        if (wide.count > 0 || digit != 0) {
            if (wide.count == WIDE_DIGITS && digit != 0)
                return ERR_LIMIT;
            if (wide.count == WIDE_DIGITS)
                wide.exponent++; /* a zero that has no room yet: only its place counts */
            else
                wide.digits[wide.count++] = digit;
        }
        if (fraction)
            wide.exponent--;
    }
    if (i < text.size)
        wide.exponent += read_exponent(str_slice(text, i + 1, text.size));
    return narrow(&wide, negative, value);
}

struct decimal decimal_from_i64(int64_t value)
{
    char text[32];
    struct decimal result;
    int size = snprintf(text, sizeof(text), "%lld", (long long)value);
    check(decimal_parse((struct str){text, (size_t)size}, &result) == ERR_OK);
    return result;
}

static void put_digits(struct buf *out, const struct decimal *value, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        buf_char(out, (char)('0' + value->digits[i]));
}

static void put_zeros(struct buf *out, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        buf_char(out, '0');
}

static void put_scientific(struct buf *out, const struct decimal *value)
{
    put_digits(out, value, 0, 1);
    if (value->count > 1)
        buf_char(out, '.');
    put_digits(out, value, 1, value->count);
    buf_printf(out, "e%d", value->exponent + value->count - 1);
}

struct str decimal_text(struct arena *arena, const struct decimal *value)
{
    struct buf out;
    buf_init(&out, arena);
    int32_t whole =
        value->exponent + value->count; /* digits before the point; not positive: zeros after it */
    if (value->negative)
        buf_char(&out, '-');
    if (value->count == 0) {
        buf_char(&out, '0');
    } else if (whole > DECIMAL_DIGITS || -value->exponent > DECIMAL_DIGITS) {
        put_scientific(&out, value);
    } else if (value->exponent >= 0) {
        put_digits(&out, value, 0, value->count);
        put_zeros(&out, value->exponent);
    } else if (whole > 0) {
        put_digits(&out, value, 0, (size_t)whole);
        buf_char(&out, '.');
        put_digits(&out, value, (size_t)whole, value->count);
    } else {
        buf_puts(&out, "0.");
        put_zeros(&out, -whole);
        put_digits(&out, value, 0, value->count);
    }
    return buf_str(&out);
}

/* The digit of `value` that stands for 10^power; 0 outside of its digits. */
static int digit_at(const struct decimal *value, int32_t power)
{
    int32_t from_end = power - value->exponent;
    if (from_end < 0 || from_end >= value->count)
        return 0;
    return value->digits[value->count - 1 - from_end];
}

static int32_t top(const struct decimal *value)
{
    return value->exponent + value->count;
}

/* By absolute value. */
static int compare_size(const struct decimal *a, const struct decimal *b)
{
    if (a->count == 0 || b->count == 0)
        return (a->count > 0) - (b->count > 0);
    if (top(a) != top(b))
        return top(a) > top(b) ? 1 : -1;
    int32_t low = a->exponent < b->exponent ? a->exponent : b->exponent;
    for (int32_t power = top(a) - 1; power >= low; power--) {
        int difference = digit_at(a, power) - digit_at(b, power);
        if (difference != 0)
            return difference;
    }
    return 0;
}

/* large + small or large - small, both taken as positive, large not smaller than small. */
static enum err combine(const struct decimal *large, const struct decimal *small, bool subtract,
                        struct wide *wide)
{
    int32_t low = large->exponent < small->exponent ? large->exponent : small->exponent;
    int32_t high = top(large) > top(small) ? top(large) : top(small);
    if (high - low + 1 > WIDE_DIGITS)
        return ERR_LIMIT; /* first and last digit are too far apart for any result of DECIMAL_DIGITS digits */
    int carry = 0;
    wide->exponent = low;
    wide->count = (size_t)(high - low) + 1;
    for (size_t i = wide->count; i > 0; i--) {
        int32_t power = low + (int32_t)(wide->count - i);
        int digit = digit_at(large, power) + (subtract ? -1 : 1) * digit_at(small, power) + carry;
        carry = digit > 9 ? 1 : digit < 0 ? -1 : 0;
        wide->digits[i - 1] = (uint8_t)(digit - 10 * carry);
    }
    check(carry == 0);
    return ERR_OK;
}

enum err decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *sum)
{
    bool a_larger = compare_size(a, b) >= 0;
    const struct decimal *large = a_larger ? a : b;
    const struct decimal *small = a_larger ? b : a;
    struct wide wide = {0};
    if (small->count == 0) {
        *sum = *large;
        return ERR_OK;
    }
    enum err err = combine(large, small, a->negative != b->negative, &wide);
    return err == ERR_OK ? narrow(&wide, large->negative, sum) : err;
}

enum err decimal_multiply(const struct decimal *a, const struct decimal *b, struct decimal *product)
{
    struct wide wide = {.exponent = a->exponent + b->exponent, .count = (size_t)a->count + b->count};
    check(wide.count <= WIDE_DIGITS);
    for (size_t i = a->count; i > 0; i--) {
        int carry = 0;
        for (size_t j = b->count; j > 0; j--) {
            int digit = wide.digits[i + j - 1] + a->digits[i - 1] * b->digits[j - 1] + carry;
            wide.digits[i + j - 1] = (uint8_t)(digit % 10);
            carry = digit / 10;
        }
        wide.digits[i - 1] = (uint8_t)carry;
    }
    return narrow(&wide, a->negative != b->negative, product);
}

/* Rounds to DECIMAL_ROUNDED_DIGITS, half to even; `more`: digits that are not all zero follow what is there.
 */
static void round_wide(struct wide *wide, bool more)
{
    size_t begin = 0;
    while (begin < wide->count && wide->digits[begin] == 0)
        begin++;
    size_t end = begin + DECIMAL_ROUNDED_DIGITS;
    if (end >= wide->count)
        return;
    bool rest = more;
    for (size_t i = end + 1; i < wide->count; i++)
        rest = rest || wide->digits[i] != 0;
    bool odd = wide->digits[end - 1] % 2 == 1;
    bool up = wide->digits[end] > 5 || (wide->digits[end] == 5 && (rest || odd));
    wide->exponent += (int32_t)(wide->count - end);
    wide->count = end;
    for (size_t i = end; up && i > 0; i--) {
        up = wide->digits[i - 1] == 9;
        wide->digits[i - 1] = up ? 0 : (uint8_t)(wide->digits[i - 1] + 1);
    }
    check(!up); /* a leading zero takes the last carry, see divide */
}

/* rest -= divisor as often as it goes, on digits aligned at their ends; gives how often (0 … 9). */
static uint8_t take_out(uint8_t *rest, const uint8_t *divisor, size_t size)
{
    uint8_t times = 0;
    while (memcmp(rest, divisor, size) >= 0) {
        int carry = 0;
        for (size_t i = size; i > 0; i--) {
            int digit = rest[i - 1] - divisor[i - 1] + carry;
            carry = digit < 0 ? -1 : 0;
            rest[i - 1] = (uint8_t)(digit - 10 * carry);
        }
        times++;
    }
    return times;
}

static bool all_zero(const uint8_t *digits, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (digits[i] != 0)
            return false;
    return true;
}

enum err decimal_divide(const struct decimal *a, const struct decimal *b, struct decimal *quotient)
{
    if (b->count == 0)
        return ERR_INVALID;
    /* Long division. The rest keeps one digit more than the divisor; the first quotient digit is a zero for a
     * carry. */
    uint8_t rest[DECIMAL_DIGITS + 1] = {0};
    uint8_t divisor[DECIMAL_DIGITS + 1] = {0};
    size_t size = (size_t)b->count + 1;
    struct wide wide = {.count = 1};
    memcpy(divisor + 1, b->digits, b->count);
    size_t taken = 0;
    size_t significant = 0; /* digits of the quotient from the first that is not zero: one too many tells that
                               it is not exact */
    while (taken < a->count || (!all_zero(rest, size) && significant <= DECIMAL_DIGITS)) {
        check(wide.count < WIDE_DIGITS); /* a leading zero, at most DECIMAL_DIGITS of the divisor, and the
                                            significant ones */
        memmove(rest, rest + 1, size - 1);
        rest[size - 1] = taken < a->count ? a->digits[taken] : 0;
        taken++;
        wide.digits[wide.count] = take_out(rest, divisor, size);
        significant += significant > 0 || wide.digits[wide.count] > 0;
        wide.count++;
    }
    wide.exponent = a->exponent - b->exponent - (int32_t)(taken - a->count);
    bool more = !all_zero(rest, size);
    if (!more && narrow(&wide, a->negative != b->negative, quotient) == ERR_OK)
        return ERR_OK;
    round_wide(&wide, more);
    return narrow(&wide, a->negative != b->negative, quotient);
}

struct decimal decimal_negate(const struct decimal *value)
{
    struct decimal result = *value;
    result.negative = value->count > 0 && !value->negative;
    return result;
}

bool decimal_truncate(const struct decimal *value, int64_t *number)
{
    int64_t result = 0;
    if (value->count > 0 && top(value) > 19)
        return false;
    for (int32_t power = top(value) - 1; value->count > 0 && power >= 0; power--) {
        if (__builtin_mul_overflow(result, 10, &result) ||
            __builtin_sub_overflow(result, digit_at(value, power), &result))
            return false;
    }
    if (!value->negative && result == INT64_MIN)
        return false;
    *number = value->negative ? result : -result;
    return true;
}

/* Whether the whole number next to the truncated one, away from zero, is meant. `first`: the first digit cut
 * off.
 */
static bool goes_further(const struct decimal *value, enum decimal_rounding rounding, uint8_t first)
{
    switch (rounding) {
    case DECIMAL_FLOOR:
        return value->negative;
    case DECIMAL_CEIL:
        return !value->negative;
    case DECIMAL_ROUND:
        return first >= 5;
    }
    check(false);
    return false;
}

enum err decimal_round(const struct decimal *value, enum decimal_rounding rounding, struct decimal *whole)
{
    struct wide kept = {0};
    *whole = *value;
    if (value->count == 0 || value->exponent >= 0)
        return ERR_OK;
    int32_t digits = value->count + value->exponent; /* before the point; not positive: zeros behind it */
    kept.count = digits > 0 ? (size_t)digits : 0;
    memcpy(kept.digits, value->digits, kept.count);
    uint8_t first = digits >= 0 ? value->digits[digits] : 0;
    struct decimal cut;
    enum err err = narrow(&kept, value->negative, &cut);
    *whole = cut;
    if (err != ERR_OK || !goes_further(value, rounding, first))
        return err;
    struct decimal one = decimal_from_i64(value->negative ? -1 : 1);
    return decimal_add(&cut, &one, whole);
}
