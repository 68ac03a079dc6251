/* struct str: slices, numbers, UTF-8, edit distance. */
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/rng.h"
#include "tests/base/expect.h"

Test(str, compares_and_cuts)
{
    cr_assert(str_equal(STR("a"), str_from("a")) && !str_equal(STR("a"), STR("ab")));
    cr_assert(str_equal(str_from(NULL), STR("")));
    cr_assert(str_compare(STR("a"), STR("ab")) < 0 && str_compare(STR("b"), STR("ab")) > 0);
    cr_assert(str_compare(STR("\xff"), STR("a")) > 0 && str_compare(STR(""), str_from(NULL)) == 0);
    cr_assert(str_starts(STR("order.yaml"), STR("order")) && !str_starts(STR("or"), STR("order")));
    cr_assert(str_ends(STR("order.yaml"), STR(".yaml")) && !str_ends(STR("yaml"), STR(".yaml")));
    cr_assert(str_find(STR("a:b:c"), ':') == 1 && str_find(STR("abc"), ':') == 3);
    cr_assert(str_find(str_from(NULL), ':') == 0);
    EXPECT_TEXT(str_slice(STR("abcdef"), 2, 4), "cd");
    EXPECT_TEXT(str_slice(STR("abcdef"), 4, 99), "ef");
    EXPECT_TEXT(str_slice(STR("abcdef"), 5, 2), "");
    EXPECT_TEXT(str_slice(STR("abcdef"), SIZE_MAX, SIZE_MAX), "");
    EXPECT_TEXT(str_trim(STR(" \t\r\n a b \n")), "a b");
    EXPECT_TEXT(str_trim(STR(" \t ")), "");
}

Test(str, reads_integers_to_the_last_bit)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1.0", false, 0},
        {"1a", false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t value = 42;
        cr_assert(str_to_i64(str_from(rows[i].text), &value) == rows[i].good, "%s", rows[i].text);
        cr_assert(value == (rows[i].good ? rows[i].value : 42), "%s", rows[i].text);
    }
}

Test(str, hash_is_fnv_1a_for_ever)
{
    /* Published test vectors of FNV-1a, 64 bits: shards are chosen by this, so it must never change. */
    cr_assert(str_hash(STR("")) == UINT64_C(0xcbf29ce484222325));
    cr_assert(str_hash(STR("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    cr_assert(str_hash(STR("foobar")) == UINT64_C(0x85944171f73967e8));
}

static size_t encode(uint32_t code, char *to)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 + code / 64);
        to[1] = (char)(0x80 + code % 64);
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 + code / 4096);
        to[1] = (char)(0x80 + code / 64 % 64);
        to[2] = (char)(0x80 + code % 64);
        return 3;
    }
    to[0] = (char)(0xf0 + code / 262144);
    to[1] = (char)(0x80 + code / 4096 % 64);
    to[2] = (char)(0x80 + code / 64 % 64);
    to[3] = (char)(0x80 + code % 64);
    return 4;
}

Test(buf, writes_text_into_xml)
{
    struct arena arena;
    struct buf buf;
    arena_init(&arena, 0);
    buf_init(&buf, &arena);
    buf_xml(&buf, STR("a<b> & \"c\"\t\r\n\x01\x1f\xc3\xa9"));
    EXPECT_TEXT(buf_str(&buf), "a&lt;b&gt; &amp; &quot;c&quot;\t\r\n??\xc3\xa9");
    arena_fini(&arena);
}

Test(utf8, takes_every_character_and_no_surrogate)
{
    char text[20] = "12345678";
    for (uint32_t code = 0; code < 0x110800; code++) {
        size_t size = encode(code, text + 8);
        bool surrogate = code >= 0xd800 && code < 0xe000;
        bool good = !surrogate && code < 0x110000;
        cr_assert(str_is_utf8((struct str){text, 8 + size}) == good, "U+%04X", code);
        cr_assert(str_utf8_size((struct str){text, 8 + size}) == (good ? 8 + size : 8));
        if (size > 1)
            cr_assert(str_utf8_size((struct str){text, 8 + size - 1}) == 8, "U+%04X cut", code);
    }
}

/* All strings of two and three bytes: there are as many good ones as characters allow (overlong forms and
 * stray bytes would add to them). */
Test(utf8, takes_nothing_else)
{
    long good[4] = {0};
    char text[4];
    for (uint32_t number = 0; number < 1u << 24; number++) {
        text[0] = (char)(number >> 16);
        text[1] = (char)(number >> 8);
        text[2] = (char)number;
        good[3] += str_is_utf8((struct str){text, 3});
        if ((number & 0xff) == 0)
            good[2] += str_is_utf8((struct str){text, 2});
    }
    cr_assert(good[2] == 128 * 128 + 1920);
    cr_assert(good[3] == 128 * 128 * 128 + 2 * 128 * 1920 + (65536 - 2048 - 2048));
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    long four = 0;
    for (uint32_t number = 0xf000; number <= 0xffff; number++) {
        for (size_t i = 0; i < COUNT(edges) * COUNT(edges); i++) {
            text[0] = (char)(number >> 8);
            text[1] = (char)number;
            text[2] = (char)edges[i / COUNT(edges)];
            text[3] = (char)edges[i % COUNT(edges)];
            four += str_is_utf8((struct str){text, 4});
        }
    }
    cr_assert(four ==
              256 * 2 * 2); /* U+10000 … U+10FFFF: 256 pairs of first bytes, two edges for each other */
}

Test(utf8, finds_the_bad_byte_anywhere_in_a_long_text)
{
    char text[40];
    for (size_t bad = 0; bad < sizeof text; bad++) {
        memset(text, 'a', sizeof text);
        text[bad] = (char)0x80;
        cr_assert(str_utf8_size((struct str){text, sizeof text}) == bad);
    }
}

Test(distance, counts_typing_errors)
{
    cr_assert(str_distance(STR("timeout"), STR("timeout"), 2) == 0);
    cr_assert(str_distance(STR("timout"), STR("timeout"), 2) == 1);
    cr_assert(str_distance(STR("tiemout"), STR("timeout"), 2) == 1); /* two neighbours swapped */
    cr_assert(str_distance(STR("temeuot"), STR("timeout"), 5) == 2);
    cr_assert(str_distance(STR("kitten"), STR("sitting"), 9) == 3);
    cr_assert(str_distance(STR("kitten"), STR("sitting"), 1) == 2); /* cut */
    cr_assert(str_distance(STR(""), STR("abc"), 9) == 3);
    char longer[70];
    memset(longer, 'a', sizeof longer);
    cr_assert(str_distance((struct str){longer, 65}, (struct str){longer, 65}, 2) == 3);
    cr_assert(str_distance((struct str){longer, 64}, (struct str){longer, 64}, 2) == 0);
    cr_assert(str_distance((struct str){longer, 64}, (struct str){longer, 60}, 9) == 4);
}

Test(distance, is_the_same_both_ways)
{
    struct rng rng;
    rng_init(&rng, 11);
    for (int round = 0; round < 2000; round++) {
        char a[8], b[8];
        struct str first = {a, (size_t)rng_below(&rng, 8)};
        struct str second = {b, (size_t)rng_below(&rng, 8)};
        for (size_t i = 0; i < sizeof a; i++) {
            a[i] = (char)('a' + rng_below(&rng, 3));
            b[i] = (char)('a' + rng_below(&rng, 3));
        }
        size_t distance = str_distance(first, second, 20);
        size_t gap = first.size > second.size ? first.size - second.size : second.size - first.size;
        cr_assert(distance == str_distance(second, first, 20));
        cr_assert(distance >= gap && (distance == 0) == str_equal(first, second));
    }
}
