/* Exact comparison of decimal numbers by their text. A number is sign * 0.d1d2d3… * 10^magnitude with d1 not
 * 0: of two with the same sign the greater magnitude wins, else the digits decide. Exponents are never
 * expanded and may have any number of digits: only the difference of two magnitudes is ever computed, and it
 * is cut where it cannot matter any more. */
#include "engine/base/json.h"
#include "engine/base/buf.h"

/* Far more than any text has digits, so that a difference cut here is decided by its sign alone. */
#define DIFFERENCE_MAX INT64_C(100000000000000000)

struct number {
    int sign;            /* -1, 0, 1 */
    struct str digits;   /* from the first that is not 0; may hold the point */
    int64_t shift;       /* magnitude is shift plus the exponent */
    int exponent_sign;   /* -1 or 1 */
    struct str exponent; /* its digits without leading zeros */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str skip_zeros(struct str digits)
{
    while (digits.size && digits.data[0] == '0')
        digits = str_slice(digits, 1, digits.size);
    return digits;
}

static void read_exponent(struct number *number, struct str text)
{
    number->exponent_sign = text.size && text.data[0] == '-' ? -1 : 1;
    if (text.size && !is_digit(text.data[0]))
        text = str_slice(text, 1, text.size);
    number->exponent = skip_zeros(text);
}

static struct number decompose(struct str text)
{
    struct number number = {.sign = 1};
    if (text.size && text.data[0] == '-') {
        number.sign = -1;
        text = str_slice(text, 1, text.size);
    }
    size_t end = 0;
    while (end < text.size && text.data[end] != 'e' && text.data[end] != 'E')
        end++;
    read_exponent(&number, str_slice(text, end + 1, text.size));
    struct str mantissa = str_slice(text, 0, end);
    size_t point = str_find(mantissa, '.');
    size_t first = 0;
    while (first < end && (mantissa.data[first] == '0' || mantissa.data[first] == '.'))
        first++;
    if (first == end)
        return (struct number){0};
    number.digits = str_slice(mantissa, first, end);
    number.shift = first < point ? (int64_t)(point - first) : -(int64_t)(first - point - 1);
    return number;
}

/* The digit of the exponent with its sign, `place` places from the right; 0 where there is none. */
static int exponent_digit(const struct number *number, size_t place)
{
    if (place >= number->exponent.size)
        return 0;
    return number->exponent_sign * (number->exponent.data[number->exponent.size - 1 - place] - '0');
}

/* The sign of magnitude(a) - magnitude(b). Summed from the left; a sum past the cut keeps its sign whatever
 * digits follow, as each of them adds at most 18 to ten times the sum. */
static int compare_magnitudes(const struct number *a, const struct number *b)
{
    size_t places = a->exponent.size > b->exponent.size ? a->exponent.size : b->exponent.size;
    int64_t difference = 0;
    for (size_t place = places; place-- > 0;) {
        difference = difference * 10 + exponent_digit(a, place) - exponent_digit(b, place);
        if (difference > DIFFERENCE_MAX)
            return 1;
        if (difference < -DIFFERENCE_MAX)
            return -1;
    }
    difference += a->shift - b->shift;
    return (difference > 0) - (difference < 0);
}

/* Takes the next digit of a mantissa, 0 past its end. */
static int next_digit(struct str digits, size_t *at)
{
    if (*at < digits.size && digits.data[*at] == '.')
        (*at)++;
    return *at < digits.size ? digits.data[(*at)++] - '0' : 0;
}

static int compare_digits(struct str a, struct str b)
{
    size_t i = 0;
    size_t j = 0;
    while (i < a.size || j < b.size) {
        int difference = next_digit(a, &i) - next_digit(b, &j);
        if (difference)
            return difference > 0 ? 1 : -1;
    }
    return 0;
}

int json_number_compare(struct str a, struct str b)
{
    struct number left = decompose(a);
    struct number right = decompose(b);
    if (left.sign != right.sign)
        return left.sign > right.sign ? 1 : -1;
    if (left.sign == 0)
        return 0;
    int order = compare_magnitudes(&left, &right);
    if (!order)
        order = compare_digits(left.digits, right.digits);
    return order * left.sign;
}

/* Its digits without the point and the zeros at the end. */
static struct str only_digits(struct arena *arena, struct str digits)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < digits.size; i++)
        if (digits.data[i] != '.')
            buf_char(&out, digits.data[i]);
    while (out.size > 0 && out.data[out.size - 1] == '0')
        out.size--;
    return buf_str(&out);
}

static void put_zeros(struct buf *out, int64_t count)
{
    for (; count > 0; count--)
        buf_char(out, '0');
}

/* 0.d1d2d3… * 10^magnitude */
static void put_plain(struct buf *out, struct str digits, int64_t magnitude)
{
    int64_t size = (int64_t)digits.size;
    size_t whole = magnitude <= 0 ? 0 : magnitude < size ? (size_t)magnitude : digits.size;
    buf_put(out, whole > 0 ? str_slice(digits, 0, whole) : STR("0"));
    put_zeros(out, magnitude - size);
    if (whole == digits.size)
        return;
    buf_char(out, '.');
    put_zeros(out, -magnitude);
    buf_put(out, str_slice(digits, whole, digits.size));
}

static void put_scaled(struct buf *out, struct str digits, int64_t exponent)
{
    buf_put(out, str_slice(digits, 0, 1));
    if (digits.size > 1) {
        buf_char(out, '.');
        buf_put(out, str_slice(digits, 1, digits.size));
    }
    buf_char(out, 'e');
    buf_i64(out, exponent);
}

struct str json_number_canonical(struct arena *arena, struct str text)
{
    enum { EXPONENT_DIGITS = 15 }; /* its sum with a text's length fits 64 bits */
    struct number number = decompose(text);
    struct buf out;
    int64_t magnitude = 0;
    if (number.sign == 0)
        return STR("0");
    if (number.exponent.size > EXPONENT_DIGITS)
        return (struct str){0};
    for (size_t i = 0; i < number.exponent.size; i++)
        magnitude = magnitude * 10 + (number.exponent.data[i] - '0');
    magnitude = number.shift + number.exponent_sign * magnitude;
    struct str digits = only_digits(arena, number.digits);
    buf_init(&out, arena);
    if (number.sign < 0)
        buf_char(&out, '-');
    if (magnitude >= -JSON_NUMBER_PLAIN && magnitude <= JSON_NUMBER_PLAIN)
        put_plain(&out, digits, magnitude);
    else
        put_scaled(&out, digits, magnitude - 1);
    return buf_str(&out);
}
