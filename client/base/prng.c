/* xoshiro256**, seeded by splitmix64 as its authors advise. May include: base, libc. */

#include "client/base/prng.h"

#include "client/base/assert.h"

static uint64_t splitmix64 (uint64_t *state)
{
    uint64_t z = *state += UINT64_C (0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t rotate_left (uint64_t value, int count)
{
    return value << count | value >> (64 - count);
}

void prng_seed (struct prng *prng, uint64_t seed)
{
    /* splitmix64 is a bijection of a counter: four words in a row are never all zero, which is the
     * one state that xoshiro must not have. */
    for (int i = 0; i < 4; i++) {
        prng->state[i] = splitmix64 (&seed);
    }
}

uint64_t prng_u64 (struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate_left (s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left (s[3], 45);
    return result;
}

uint64_t prng_below (struct prng *prng, uint64_t bound)
{
    COHORT_ASSERT (bound > 0);
    /* The lowest 2^64 mod bound values would make the small results more likely: draw again. */
    uint64_t reject = (UINT64_MAX - bound + 1) % bound;
    uint64_t value;
    do {
        value = prng_u64 (prng);
    } while (value < reject);
    return value % bound;
}

uint64_t prng_between (struct prng *prng, uint64_t min, uint64_t max)
{
    COHORT_ASSERT (min <= max);
    uint64_t bound = max - min + 1;
    return bound == 0 ? prng_u64 (prng) : min + prng_below (prng, bound);
}

bool prng_chance (struct prng *prng, uint64_t numerator, uint64_t denominator)
{
    return prng_below (prng, denominator) < numerator;
}
