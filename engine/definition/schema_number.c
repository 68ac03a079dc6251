/* Numbers by their text: exact at any size. */
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

uint64_t schema_number_hash(struct str number)
{
    struct decimal decimal = decimal_of(number);
    int64_t begin = 0;
    int64_t end = (int64_t)(decimal.whole.size + decimal.fraction.size);
    int64_t point = (int64_t)decimal.whole.size + decimal.exponent;
    while (begin < end && digit_at(&decimal, begin) == '0')
        begin++;
    while (end > begin && digit_at(&decimal, end - 1) == '0')
        end--;
    if (begin == end)
        return 0;
    uint64_t hash = schema_hash_mix((uint64_t)(point - begin), 1);
    for (int64_t i = begin; i < end; i++)
        hash = schema_hash_mix(hash, (unsigned char)digit_at(&decimal, i));
    return hash;
}
