#include "engine/base/id.h"
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { SHARD_BITS = 12 };
_Static_assert(LIMITS_SHARDS_MAX == 1 << SHARD_BITS, "the shard fills the low bits of an id");

static void put_u64(uint8_t *bytes, uint64_t number)
{
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (uint8_t)number;
        number >>= 8;
    }
}

static uint64_t get_u64(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

struct id id_make(int64_t time_us, uint32_t shard, struct rng *rng)
{
    check(time_us >= 0 && shard < LIMITS_SHARDS_MAX);
    uint64_t milliseconds = (uint64_t)time_us / 1000;
    uint64_t high = milliseconds << 16 | UINT64_C(0x7000) | (rng_next(rng) & 0xfff);
    uint64_t random = rng_next(rng) & ((UINT64_C(1) << 50) - 1);
    uint64_t low = UINT64_C(2) << 62 | random << SHARD_BITS | shard;
    struct id id;
    put_u64(id.bytes, high);
    put_u64(id.bytes + 8, low);
    return id;
}

struct id id_derive(struct id of, struct str name, uint32_t generation, uint32_t shards)
{
    check(shards > 0 && shards <= LIMITS_SHARDS_MAX);
    uint64_t seed = rng_mix(rng_mix(get_u64(of.bytes), get_u64(of.bytes + 8)), generation);
    for (size_t i = 0; i < name.size; i++)
        seed = rng_mix(seed, (unsigned char)name.data[i]);
    struct rng rng;
    rng_init(&rng, seed);
    int64_t time_us = (int64_t)(get_u64(of.bytes) >> 16) * 1000;
    uint32_t shard = (uint32_t)rng_below(&rng, shards);
    return id_make(time_us, shard, &rng);
}

uint32_t id_shard(struct id id)
{
    return (uint32_t)(get_u64(id.bytes + 8) & (LIMITS_SHARDS_MAX - 1));
}

bool id_equal(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

int id_compare(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

uint64_t id_hash(struct id id)
{
    return rng_mix(get_u64(id.bytes), get_u64(id.bytes + 8));
}

static bool hyphen_at(size_t position)
{
    return position == 8 || position == 13 || position == 18 || position == 23;
}

void id_format(struct id id, char text[ID_TEXT_SIZE + 1])
{
    size_t position = 0;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        if (hyphen_at(position))
            text[position++] = '-';
        text[position++] = "0123456789abcdef"[id.bytes[i] >> 4];
        text[position++] = "0123456789abcdef"[id.bytes[i] & 15];
    }
    text[position] = '\0';
}

/* -1 when it is no hexadecimal digit. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool id_parse(struct str text, struct id *id)
{
    if (text.size != ID_TEXT_SIZE)
        return false;
    struct id parsed;
    size_t position = 0;
    for (size_t i = 0; i < sizeof parsed.bytes; i++) {
        if (hyphen_at(position) && text.data[position++] != '-')
            return false;
        int high = digit(text.data[position]);
        int low = digit(text.data[position + 1]);
        if (high < 0 || low < 0)
            return false;
        parsed.bytes[i] = (uint8_t)(high << 4 | low);
        position += 2;
    }
    *id = parsed;
    return true;
}
