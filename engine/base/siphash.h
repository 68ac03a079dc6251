/* SipHash-2-4: a keyed hash of short texts. Who does not know the key cannot make the number for a text, so
 * it proves that a text came from us; 64 bits, so each guess is right once in 18 quintillion. Not a hash for
 * files: see sha256.h. */
#pragma once
#include <stdint.h>
#include "engine/base/str.h"

struct siphash_key {
    uint64_t words[2]; /* secret, from rng_entropy */
};
uint64_t siphash(const struct siphash_key *key, struct str text);
