/* Saga ids: UUIDv7 that carry their shard in the low bits, so that a reply, an HTTP call or a row finds its
 * owner by itself.
 *
 * Layout (RFC 9562): 48 bits unix milliseconds, version 7, 12 random bits, variant 10, 50 random bits, 12
 * bits of shard. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/rng.h"
#include "engine/base/str.h"

enum { ID_TEXT_SIZE = 36 };

struct id {
    uint8_t bytes[16];
};

/* time_us: microseconds since 1970; shard below LIMITS_SHARDS_MAX. */
struct id id_make(int64_t time_us, uint32_t shard, struct rng *rng);
/* The id of what belongs to `of` under this name (a child saga): the same for the same arguments, on a shard
 * below `shards` (at least 1) that they choose. */
struct id id_derive(struct id of, struct str name, uint32_t generation, uint32_t shards);
uint32_t id_shard(struct id id);
bool id_equal(struct id a, struct id b);
int id_compare(struct id a, struct id b);
uint64_t id_hash(struct id id);
/* Lower-case text with hyphens; `text` gets ID_TEXT_SIZE bytes and a NUL. */
void id_format(struct id id, char text[ID_TEXT_SIZE + 1]);
/* Accepts exactly what id_format writes (upper case too). False when it is not a UUID. */
bool id_parse(struct str text, struct id *id);
