/* Numbers are compared exactly, whatever their size, and in time that depends on their text alone. */
#include <stdio.h>
#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "tests/base/expect.h"

static int sign_of(int number)
{
    return (number > 0) - (number < 0);
}

static void expect_order(const char *a, const char *b, int expected)
{
    cr_assert(sign_of(json_number_compare(str_from(a), str_from(b))) == expected, "%s and %s", a, b);
    cr_assert(sign_of(json_number_compare(str_from(b), str_from(a))) == -expected, "%s and %s", b, a);
}

Test(json_number, compares_exactly)
{
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"1", "1.0", 0},
        {"1", "10e-1", 0},
        {"1", "0.1e1", 0},
        {"100", "1e2", 0},
        {"100", "1E+02", 0},
        {"0", "-0", 0},
        {"0", "0.000e99999999999999999999", 0},
        {"-0.0", "0e-5", 0},
        {"1.10", "1.1", 0},
        {"12.34e-2", "0.1234", 0},
        {"0.001", "1e-3", 0},
        {"2", "1", 1},
        {"10", "9", 1},
        {"-10", "-9", -1},
        {"-1", "1", -1},
        {"-1", "0", -1},
        {"1e-400", "0", 1},
        {"1e-400", "-1e400", 1},
        {"1e400", "1e399", 1},
        {"-1e400", "-1e399", -1},
        {"1e-399", "1e-400", 1},
        {"1.5", "1.49999999999999999999999999999", 1},
        {"9007199254740993", "9007199254740992", 1},
        {"18446744073709551617", "18446744073709551616", 1},
        {"0.1", "0.10000000000000000555", -1},
        {"123456789012345678901234567890", "123456789012345678901234567890.0", 0},
        {"19.90", "19.899999999999999", 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        expect_order(rows[i].a, rows[i].b, rows[i].order);
}

Test(json_number, exponents_may_be_of_any_size)
{
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"1e9999999999", "9e9999999998", 1},
        {"1e99999999999999999999", "1e99999999999999999998", 1},
        {"1e-99999999999999999999", "1e-99999999999999999998", -1},
        {"0.1e100000000000000000000000000000", "1e99999999999999999999999999999", 0},
        {"10e-100000000000000000000000000000", "1e-99999999999999999999999999999", 0},
        {"0.01e100000000000000000000000000000", "1e99999999999999999999999999999", -1},
        {"1e99999999999999999999999999999", "1e-99999999999999999999999999999", 1},
        {"1e00000000000000000000000000000000000000000002", "100", 0},
        {"1e-00000000000000000000000000000000000000000000", "1", 0},
        {"1e18446744073709551616", "1", 1},
        {"1e-18446744073709551616", "1", -1},
        {"1e9223372036854775807", "10e9223372036854775807", -1},
        {"1e9223372036854775808", "10e9223372036854775807", 0},
        {"-1e99999999999999999999", "1e-99999999999999999999", -1},
        {"5e20000000000000000000", "5e10000000000000000000", 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        expect_order(rows[i].a, rows[i].b, rows[i].order);
}

enum { TEXT_SIZE = 40 };

/* A number small enough for 128 bits, as text in one of its many forms and as integer times 10^12. Narrow
 * ones are often equal to each other. */
static __int128 random_number(struct rng *rng, bool narrow, char text[TEXT_SIZE])
{
    int64_t whole = (int64_t)rng_below(rng, narrow ? 12 : 10000);
    int places = (int)rng_below(rng, narrow ? 2 : 5);
    static const int64_t powers[] = {1, 10, 100, 1000, 10000};
    int64_t fraction = (int64_t)rng_below(rng, (uint64_t)powers[places]);
    int exponent = narrow ? (int)rng_below(rng, 3) - 1 : (int)rng_below(rng, 17) - 8;
    bool negative = rng_below(rng, 2);
    int size = snprintf(text, TEXT_SIZE, "%s%lld", negative ? "-" : "", (long long)whole);
    if (places)
        size += snprintf(text + size, TEXT_SIZE - (size_t)size, ".%0*lld", places, (long long)fraction);
    if (exponent || rng_below(rng, 2))
        snprintf(text + size, TEXT_SIZE - (size_t)size, "%c%s%d", rng_below(rng, 2) ? 'e' : 'E',
                 exponent >= 0 && rng_below(rng, 2) ? "+" : "", exponent);
    __int128 value = (__int128)whole * powers[places] + fraction;
    for (int i = 0; i < 12 + exponent - places; i++)
        value *= 10;
    return negative ? -value : value;
}

Test(json_number, agrees_with_whole_number_arithmetic)
{
    struct rng rng;
    int equal = 0;
    rng_init(&rng, 17);
    for (int i = 0; i < 200000; i++) {
        char a[TEXT_SIZE], b[TEXT_SIZE];
        __int128 left = random_number(&rng, i % 2, a);
        __int128 right = random_number(&rng, i % 2, b);
        expect_order(a, b, (left > right) - (left < right));
        equal += left == right;
    }
    cr_assert(equal > 500, "the draw is too wide: only %d equal pairs", equal);
}

Test(json_number, compares_numbers_of_a_hundred_thousand_digits)
{
    enum { DIGITS = 100000 };
    static char a[DIGITS + 8], b[DIGITS + 8];
    memset(a, '7', DIGITS);
    memset(b, '7', DIGITS);
    expect_order(a, b, 0);
    b[DIGITS - 1] = '8';
    expect_order(a, b, -1);
    memcpy(b, "0.", 2);
    memset(b + 2, '0', DIGITS - 3);
    b[DIGITS - 1] = '1'; /* 10^-99998 */
    expect_order(b, "1e-99998", 0);
    memcpy(a, "1e", 2);
    expect_order(a, b, 1);
}
