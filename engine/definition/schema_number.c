/* Numbers by their text, exact at any size: bounds and multiples. Part of schema_parts.h; called by compiler
 * and checker. Never goes through a double. */
#include "engine/definition/schema_parts.h"

/* whole.fraction times ten to the exponent, without the sign. */
struct decimal {
    struct str whole;
    struct str fraction;
    int64_t exponent;
};

enum { EXPONENT_MAX = 1000000000 }; /* far above any text's digits: what lies beyond behaves the same */

static struct decimal decimal_of(struct str number)
{
    struct decimal decimal = {0};
    size_t begin = number.size && number.data[0] == '-' ? 1 : 0;
    size_t e = begin;
    while (e < number.size && number.data[e] != 'e' && number.data[e] != 'E')
        e++;
    struct str mantissa = str_slice(number, begin, e);
    size_t point = str_find(mantissa, '.');
    decimal.whole = str_slice(mantissa, 0, point);
    decimal.fraction = str_slice(mantissa, point + 1, mantissa.size);
    bool negative = e + 1 < number.size && number.data[e + 1] == '-';
    for (size_t i = e + 1; i < number.size && decimal.exponent < EXPONENT_MAX; i++) {
        if (number.data[i] >= '0' && number.data[i] <= '9')
            decimal.exponent = decimal.exponent * 10 + (number.data[i] - '0');
    }
    if (negative)
        decimal.exponent = -decimal.exponent;
    return decimal;
}

static char digit_at(const struct decimal *decimal, int64_t index)
{
    size_t at = (size_t)index;
    return at < decimal->whole.size ? decimal->whole.data[at]
                                    : decimal->fraction.data[at - decimal->whole.size];
}

bool schema_is_integer(struct str number)
{
    struct decimal decimal = decimal_of(number);
    int64_t point = (int64_t)decimal.whole.size + decimal.exponent;
    int64_t size = (int64_t)(decimal.whole.size + decimal.fraction.size);
    for (int64_t i = point > 0 ? point : 0; i < size; i++) {
        if (digit_at(&decimal, i) != '0')
            return false;
    }
    return true;
}

/* The digits between the zeros at both ends, as an integer times ten to the exponent. */
struct digits {
    int64_t begin;
    int64_t end; /* begin: the number is 0 */
    int64_t exponent;
};

static struct digits digits_of(const struct decimal *decimal)
{
    struct digits digits = {.end = (int64_t)(decimal->whole.size + decimal->fraction.size)};
    while (digits.begin < digits.end && digit_at(decimal, digits.begin) == '0')
        digits.begin++;
    while (digits.end > digits.begin && digit_at(decimal, digits.end - 1) == '0')
        digits.end--;
    digits.exponent = (int64_t)decimal->whole.size + decimal->exponent - digits.end;
    return digits;
}

uint64_t schema_number_hash(struct str number)
{
    struct decimal decimal = decimal_of(number);
    struct digits digits = digits_of(&decimal);
    if (digits.begin == digits.end)
        return 0;
    uint64_t hash = schema_hash_mix((uint64_t)digits.exponent, 1);
    for (int64_t i = digits.begin; i < digits.end; i++)
        hash = schema_hash_mix(hash, (unsigned char)digit_at(&decimal, i));
    return hash;
}

/* What is left of digits × ten to the zeros, divided by `by`. by < 10^18, so that nothing overflows. */
static uint64_t rest_of(const struct decimal *decimal, struct digits digits, int64_t zeros, uint64_t by)
{
    uint64_t rest = 0;
    for (int64_t i = digits.begin; i < digits.end; i++)
        rest = (rest * 10 + (uint64_t)(digit_at(decimal, i) - '0')) % by;
    for (int64_t i = 0; i < zeros && rest; i++)
        rest = rest * 10 % by;
    return rest;
}

bool schema_read_divisor(struct str number, struct schema_divisor *divisor)
{
    enum { DIGITS_MAX = 18 };
    struct decimal decimal = decimal_of(number);
    struct digits digits = digits_of(&decimal);
    if (number.data[0] == '-' || digits.begin == digits.end || digits.end - digits.begin > DIGITS_MAX)
        return false;
    *divisor = (struct schema_divisor){.exponent = digits.exponent, .text = number};
    for (int64_t i = digits.begin; i < digits.end; i++)
        divisor->digits = divisor->digits * 10 + (uint64_t)(digit_at(&decimal, i) - '0');
    return true;
}

bool schema_is_multiple(struct str number, const struct schema_divisor *divisor)
{
    enum { ZEROS_MAX = 60 }; /* a number below 2^60 has fewer factors of 2 and 5: more zeros change nothing */
    struct decimal decimal = decimal_of(number);
    struct digits digits = digits_of(&decimal);
    int64_t zeros = digits.exponent - divisor->exponent;
    if (digits.begin == digits.end)
        return true;
    if (zeros < 0)
        return false; /* the last digit is not 0, so no power of ten divides it */
    return rest_of(&decimal, digits, zeros < ZEROS_MAX ? zeros : ZEROS_MAX, divisor->digits) == 0;
}
