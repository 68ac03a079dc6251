#include "engine/base/rng.h"
#include <errno.h>
#include <sys/random.h>
#include "engine/base/check.h"

enum { ENTROPY_TRIES = 100 }; /* a signal may interrupt each; a hundred in a row is a bug */

static uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void rng_init(struct rng *rng, uint64_t seed)
{
    rng->state = seed;
}

uint64_t rng_entropy(void)
{
    uint64_t seed = 0;
    for (int i = 0; i < ENTROPY_TRIES; i++) {
        ssize_t got = getrandom(&seed, sizeof seed, 0);
        if (got == (ssize_t)sizeof seed)
            return seed;
        check(got < 0 && errno == EINTR);
    }
    check_never("getrandom was interrupted every time");
}

uint64_t rng_next(struct rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    return scramble(rng->state);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    check(bound > 0);
    /* The lowest 2^64 mod bound numbers would make small results likelier: drawn again. Each draw passes with
     * more than one half, so this ends. */
    uint64_t refused = (0 - bound) % bound;
    uint64_t number = rng_next(rng);
    while (number < refused)
        number = rng_next(rng);
    return number % bound;
}

uint64_t rng_mix(uint64_t a, uint64_t b)
{
    return scramble(scramble(a + UINT64_C(0x9e3779b97f4a7c15)) ^ (b + UINT64_C(0x632be59bd9b4e019)));
}
