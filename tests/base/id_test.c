/* Ids, the generator, hashes. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include "engine/base/id.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/base/hmac.h"
#include "engine/base/sha256.h"
#include "tests/base/expect.h"

Test(id, has_the_layout_of_uuid_version_7)
{
    struct rng rng;
    rng_init(&rng, 1);
    /* The example time of RFC 9562, A.6: 2022-02-22 19:22:22 UTC, 0x017F22E279B0 milliseconds. */
    struct id id = id_make(INT64_C(1645557742000) * 1000 + 999, 0xabc, &rng);
    char text[ID_TEXT_SIZE + 1];
    id_format(id, text);
    cr_assert(strncmp(text, "017f22e2-79b0-7", 15) == 0, "%s", text);
    cr_assert(strchr("89ab", text[19]), "%s", text);
    cr_assert(strcmp(text + 33, "abc") == 0, "%s", text);
    for (size_t i = 0; i < ID_TEXT_SIZE; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        cr_assert(hyphen ? text[i] == '-'
                         : isxdigit((unsigned char)text[i]) && !isupper((unsigned char)text[i]));
    }
}

Test(id, carries_its_shard_sorts_by_time_and_comes_back_from_its_text)
{
    struct rng rng;
    struct id before = {{0}};
    rng_init(&rng, 2);
    for (uint32_t shard = 0; shard < LIMITS_SHARDS_MAX; shard++) {
        struct id id = id_make((int64_t)shard * 1000, shard, &rng);
        char text[ID_TEXT_SIZE + 1];
        struct id parsed;
        cr_assert(id_shard(id) == shard);
        cr_assert(shard == 0 || id_compare(before, id) < 0);
        id_format(id, text);
        cr_assert(id_parse(str_from(text), &parsed) && id_equal(id, parsed));
        for (char *c = text; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        cr_assert(id_parse(str_from(text), &parsed) && id_equal(id, parsed));
        cr_assert(id_hash(id) == id_hash(parsed) && id_hash(id) != id_hash(before));
        before = id;
    }
}

Test(id, of_what_belongs_to_another_is_found_again)
{
    enum { SHARDS = 7, NAMES = 700 };
    struct rng rng;
    rng_init(&rng, 3);
    struct id of = id_make(INT64_C(1645557742000) * 1000, 5, &rng), other = id_make(0, 5, &rng), ids[NAMES];
    uint32_t per_shard[SHARDS] = {0};
    for (uint32_t i = 0; i < NAMES; i++) {
        char name[16], text[ID_TEXT_SIZE + 1], of_text[ID_TEXT_SIZE + 1];
        struct id again;
        snprintf(name, sizeof name, "bill[%u]", i);
        ids[i] = id_derive(of, str_from(name), 1, SHARDS);
        cr_assert(id_equal(ids[i], id_derive(of, str_from(name), 1, SHARDS)));
        cr_assert(!id_equal(ids[i], id_derive(of, str_from(name), 2, SHARDS)));
        cr_assert(!id_equal(ids[i], id_derive(other, str_from(name), 1, SHARDS)));
        cr_assert(id_shard(ids[i]) < SHARDS);
        per_shard[id_shard(ids[i])]++;
        id_format(ids[i], text);
        id_format(of, of_text);
        cr_assert(id_parse(str_from(text), &again) && strncmp(text, of_text, 15) == 0, "%s", text);
        for (uint32_t k = 0; k < i; k++)
            cr_assert(!id_equal(ids[i], ids[k]), "%u and %u", i, k);
    }
    for (uint32_t i = 0; i < SHARDS; i++)
        cr_assert(per_shard[i] > NAMES / SHARDS / 2 && per_shard[i] < NAMES / SHARDS * 2);
    cr_assert(id_shard(id_derive(of, STR("bill"), 1, 1)) == 0);
}

Test(id, random_bits_all_vary)
{
    struct rng rng;
    uint8_t ones[16] = {0}, zeros[16] = {0};
    rng_init(&rng, 9);
    for (int i = 0; i < 1000; i++) {
        struct id id = id_make(0, 0, &rng);
        for (size_t j = 0; j < 16; j++) {
            ones[j] |= id.bytes[j];
            zeros[j] |= (uint8_t)~id.bytes[j];
        }
    }
    static const uint8_t random[16] = {0,    0,    0,    0,    0,    0,    0x0f, 0xff,
                                       0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0};
    for (size_t j = 0; j < 16; j++)
        cr_assert((ones[j] & zeros[j]) == random[j], "byte %zu", j);
}

Test(id, refuses_what_is_no_uuid)
{
    static const char *const rows[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b07cc398c4dc0c0c07398f0000",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2_79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c0 398f",
    };
    struct id id = {{7}};
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert(!id_parse(str_from(rows[i]), &id) && id.bytes[0] == 7, "%s", rows[i]);
}

Test(id, refuses_a_shard_out_of_range, .signal = SIGABRT)
{
    struct rng rng;
    rng_init(&rng, 2);
    id_make(0, LIMITS_SHARDS_MAX, &rng);
}

Test(rng, gives_the_published_numbers)
{
    struct rng rng;
    rng_init(&rng, 1234567); /* the vector most implementations of splitmix64 publish */
    static const uint64_t expected[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                        UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                        UINT64_C(16408922859458223821)};
    for (size_t i = 0; i < COUNT(expected); i++)
        cr_assert(rng_next(&rng) == expected[i]);
}

Test(rng, below_is_in_range_and_even)
{
    struct rng rng;
    int seen[7] = {0};
    rng_init(&rng, 4);
    for (int i = 0; i < 70000; i++)
        seen[rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        cr_assert(seen[i] > 9500 && seen[i] < 10500, "%d came %d times", i, seen[i]);
    cr_assert(rng_below(&rng, 1) == 0);
    /* Three quarters of the range: taken modulo this without refusals, half of all results were in the first
     * third. */
    uint64_t third = UINT64_C(1) << 62;
    int first = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t number = rng_below(&rng, 3 * third);
        cr_assert(number < 3 * third);
        first += number < third;
    }
    cr_assert(first > 9500 && first < 10500, "%d of 30000", first);
}

Test(rng, mix_depends_on_both_and_on_their_order)
{
    cr_assert(rng_mix(1, 2) == rng_mix(1, 2));
    cr_assert(rng_mix(1, 2) != rng_mix(2, 1) && rng_mix(1, 2) != rng_mix(1, 3) && rng_mix(0, 0) != 0);
    cr_assert(rng_entropy() != rng_entropy());
}

/* RFC 4231, cases 1 and 2: a shorter key is filled up with zeros. */
Test(hmac, gives_the_published_codes)
{
    unsigned char key[HMAC_KEY_BYTES] = {0};
    char code[HMAC_TEXT_SIZE + 1];
    for (int i = 0; i < 20; i++)
        key[i] = 0x0b;
    hmac_hex(key, (struct str[]){STR("Hi There")}, 1, code);
    cr_assert_str_eq(code, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    unsigned char other[HMAC_KEY_BYTES] = "Jefe";
    struct str parts[] = {STR("what do ya want "), {0}, STR("for nothing?")};
    hmac_hex(other, parts, 3, code);
    cr_assert_str_eq(code, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    cr_assert(
        hmac_equal(str_from(code), STR("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")));
    cr_assert_not(
        hmac_equal(str_from(code), STR("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3842")));
    cr_assert_not(hmac_equal(str_from(code), STR("")));
    cr_assert(hmac_equal((struct str){0}, STR("")));
}

Test(sha256, gives_the_published_digests)
{
    char text[SHA256_TEXT_SIZE + 1];
    sha256_hex((struct str){0}, text);
    EXPECT_TEXT(str_from(text), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex(STR("abc"), text);
    EXPECT_TEXT(str_from(text), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
