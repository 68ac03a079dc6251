#include "engine/base/siphash.h"

/* As in "SipHash: a fast short-input PRF" by Aumasson and Bernstein: two rounds for each word, four at the
 * end. */
struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void turn(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    turn(s);
    turn(s);
    s->v0 ^= word;
}

/* Up to eight bytes, the first one lowest, whatever the machine's own order. */
static uint64_t word_at(struct str text, size_t at)
{
    uint64_t word = 0;
    for (size_t i = 0; i < 8 && at + i < text.size; i++)
        word |= (uint64_t)(unsigned char)text.data[at + i] << (8 * i);
    return word;
}

uint64_t siphash(const struct siphash_key *key, struct str text)
{
    struct state s = {
        key->words[0] ^ UINT64_C(0x736f6d6570736575), key->words[1] ^ UINT64_C(0x646f72616e646f6d),
        key->words[0] ^ UINT64_C(0x6c7967656e657261), key->words[1] ^ UINT64_C(0x7465646279746573)};
    size_t whole = text.size - text.size % 8;
    for (size_t at = 0; at < whole; at += 8)
        take(&s, word_at(text, at));
    take(&s, word_at(text, whole) | (uint64_t)text.size << 56);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        turn(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
