/* Decimal arithmetic, against texts worked out by hand and, at random, against 128-bit integers. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/rng.h"
#include "engine/expr/decimal.h"

enum { RANDOM_ROUNDS = 20000 };

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(decimal, .init = set_up, .fini = tear_down);

static struct decimal parse(const char *text)
{
    struct decimal value;
    cr_assert_eq(decimal_parse(str_from(text), &value), ERR_OK, "%s", text);
    return value;
}

static const char *calculate(const char *left, char sign, const char *right)
{
    struct decimal a = parse(left), b = parse(right), minus_b = decimal_negate(&b), result;
    enum err err = ERR_OK;
    switch (sign) {
    case '+':
        err = decimal_add(&a, &b, &result);
        break;
    case '-':
        err = decimal_add(&a, &minus_b, &result);
        break;
    case '*':
        err = decimal_multiply(&a, &b, &result);
        break;
    default:
        err = decimal_divide(&a, &b, &result);
        break;
    }
    return err == ERR_OK ? decimal_text(&arena, &result).data : err_text(err);
}

#define EXPECT(left, sign, right, text)                                                                      \
    cr_expect_str_eq(calculate(left, sign, right), text, "%s %c %s", left, sign, right)

Test(decimal, texts)
{
    static const char *const pairs[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"0.000", "0"},
        {"10", "10"},
        {"1.50", "1.5"},
        {"-1.5", "-1.5"},
        {"1e3", "1000"},
        {"1E+3", "1000"},
        {"12e-3", "0.012"},
        {"0.00e5", "0"},
        {"1e59", NULL},
        {"1e60", "1e60"},
        {"1e-60", NULL},
        {"1.5e-61", "1.5e-61"},
        {"123456789e55", "1.23456789e63"},
        {"100", "100"},
        {"0.1e1", "1"},
        {"1e-2", "0.01"},
        {"1000.0001", "1000.0001"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct decimal value = parse(pairs[i][0]);
        struct str text = decimal_text(&arena, &value);
        if (pairs[i][1])
            cr_expect_str_eq(text.data, pairs[i][1], "%s", pairs[i][0]);
        else
            cr_expect_leq(text.size, (size_t)DECIMAL_DIGITS + 2, "%s", text.data);
    }
}

Test(decimal, too_large_or_too_precise)
{
    struct decimal value;
    static const char *const texts[] = {"1e1001",
                                        "1e-1001",
                                        "1e99999999999999999999",
                                        "1e-99999999999999999999",
                                        "12e1000",
                                        "1234567890123456789012345678901234567890123456789012345678901",
                                        "0.1234567890123456789012345678901234567890123456789012345678901"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_expect_eq(decimal_parse(str_from(texts[i]), &value), ERR_LIMIT, "%s", texts[i]);
    cr_expect_eq(decimal_parse(STR("1e1000"), &value), ERR_OK);
    cr_expect_eq(decimal_parse(STR("0e99999999999999999999"), &value), ERR_OK);
    struct buf zeros;
    buf_init(&zeros, &arena);
    buf_puts(&zeros, "1.");
    for (int i = 0; i < 500; i++)
        buf_char(&zeros, '0');
    cr_expect_eq(decimal_parse(buf_str(&zeros), &value), ERR_OK, "zeros at the end are no digits");
    cr_expect_str_eq(decimal_text(&arena, &value).data, "1");
}

Test(decimal, sums)
{
    EXPECT("0.1", '+', "0.2", "0.3");
    EXPECT("1", '+', "-1", "0");
    EXPECT("-1", '+', "0.4", "-0.6");
    EXPECT("0.4", '+', "-1", "-0.6");
    EXPECT("999", '+', "1", "1000");
    EXPECT("1000", '-', "0.001", "999.999");
    EXPECT("0", '+', "5", "5");
    EXPECT("5", '+', "0", "5");
    EXPECT("9223372036854775807", '+', "1", "9223372036854775808");
    EXPECT("1e59", '+', "1", "100000000000000000000000000000000000000000000000000000000001");
    EXPECT("1e60", '+', "1", "over a limit");
    EXPECT("1e60", '-', "1", "999999999999999999999999999999999999999999999999999999999999");
    EXPECT("1e1000", '+', "1e-1000", "over a limit");
    EXPECT("9e1000", '+', "9e1000", "over a limit");
    EXPECT("1e1000", '-', "1e1000", "0");
}

Test(decimal, products)
{
    EXPECT("1.1", '*', "1.1", "1.21");
    EXPECT("-2", '*', "3", "-6");
    EXPECT("-2", '*', "-3", "6");
    EXPECT("0", '*', "-3", "0");
    EXPECT("19.99", '*', "3", "59.97");
    EXPECT("9223372036854775807", '*', "9223372036854775807", "85070591730234615847396907784232501249");
    EXPECT("1e600", '*', "1e600", "over a limit");
    EXPECT("1234567890123456789012345678901", '*', "1000000000000000000000000000001", "over a limit");
    EXPECT("999999999999999999999999999999", '*', "999999999999999999999999999999",
           "999999999999999999999999999998000000000000000000000000000001");
}

Test(decimal, quotients)
{
    EXPECT("1", '/', "4", "0.25");
    EXPECT("10", '/', "5", "2");
    EXPECT("-7", '/', "2", "-3.5");
    EXPECT("0", '/', "7", "0");
    EXPECT("1", '/', "0", "invalid");
    EXPECT("1", '/', "3", "0.33333333333333333");
    EXPECT("2", '/', "3", "0.66666666666666667");
    EXPECT("-2", '/', "3", "-0.66666666666666667");
    EXPECT("1e20", '/', "3", "33333333333333333000");
    EXPECT("59.97", '/', "3", "19.99");
    EXPECT("0.7", '/', "0.1", "7");
    EXPECT("1", '/', "1024", "0.0009765625");
    EXPECT("1", '/', "999999999999999999999999999999999999999999999999999999999999",
           "0.000000000000000000000000000000000000000000000000000000000001");
    EXPECT("999999999999999999", '/', "7", "142857142857142857");
    EXPECT("1e1000", '/', "1e-1000", "over a limit");
    EXPECT("123456789012345678", '/', "1000", "123456789012345.678");
}

/* Ending quotients of 17 digits and more stay exact, so only quotients that never end are rounded. */
Test(decimal, rounding_carries)
{
    EXPECT("1", '/', "7", "0.14285714285714286");
    EXPECT("299999999999999999998", '/', "3", "100000000000000000000");
    EXPECT("-299999999999999999998", '/', "3", "-100000000000000000000");
}

Test(decimal, truncation)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t number;
    } cases[] = {{"0", true, 0},
                 {"1.9", true, 1},
                 {"-1.9", true, -1},
                 {"0.5", true, 0},
                 {"1e3", true, 1000},
                 {"9223372036854775807.9", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"1e19", false, 0},
                 {"1e300", false, 0},
                 {"1e-300", true, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct decimal value = parse(cases[i].text);
        int64_t number = 0;
        cr_expect_eq(decimal_truncate(&value, &number), cases[i].fits, "%s", cases[i].text);
        cr_expect_eq(number, cases[i].number, "%s", cases[i].text);
    }
}

/* __int128 as text, for an oracle that shares no code with the module. */
static const char *wide_text(__int128 value)
{
    static char text[64];
    size_t at = sizeof(text) - 1;
    bool negative = value < 0;
    unsigned __int128 rest = negative ? -(unsigned __int128)value : (unsigned __int128)value;
    do {
        text[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (negative)
        text[--at] = '-';
    return text + at;
}

static int64_t any_number(struct rng *rng)
{
    return (int64_t)rng_next(rng) >> rng_below(rng, 60);
}

Test(decimal, agrees_with_integers)
{
    struct rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        int64_t a = any_number(&rng), b = any_number(&rng);
        struct decimal x = decimal_from_i64(a), y = decimal_from_i64(b), sum, product, quotient;
        cr_assert_eq(decimal_add(&x, &y, &sum), ERR_OK);
        cr_assert_str_eq(decimal_text(&arena, &sum).data, wide_text((__int128)a + b));
        cr_assert_eq(decimal_multiply(&x, &y, &product), ERR_OK);
        cr_assert_str_eq(decimal_text(&arena, &product).data, wide_text((__int128)a * b));
        if (b == 0)
            continue;
        cr_assert_eq(decimal_divide(&product, &y, &quotient), ERR_OK);
        cr_assert_str_eq(decimal_text(&arena, &quotient).data, wide_text(a));
    }
}
