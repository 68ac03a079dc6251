/* A seeded generator (splitmix64): the same seed gives the same numbers on every machine, for jitter that
 * replays. Not for secrets. */
#pragma once
#include <stdint.h>

struct rng {
    uint64_t state;
};

void rng_init(struct rng *rng, uint64_t seed);
/* A seed from the kernel: the only randomness that does not replay, so only for new ids and seeds. */
uint64_t rng_entropy(void);
uint64_t rng_next(struct rng *rng);
/* Uniform in 0 … bound-1 without bias; bound is at least 1. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* Mixes two numbers into a seed: for a generator per (saga, step, attempt). */
uint64_t rng_mix(uint64_t a, uint64_t b);
