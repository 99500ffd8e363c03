/* Pseudo-random numbers: xoshiro256** (Blackman and Vigna), state in the caller. The same seed
 * gives the same numbers on every machine. Not for secrets. May include: base, libc. */

#ifndef COHORT_BASE_PRNG_H
#define COHORT_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state[4];
};

/* Any seed is a good one, 0 included. */
void prng_seed (struct prng *prng, uint64_t seed);
/* Any of the 2^64 values. */
uint64_t prng_u64 (struct prng *prng);
/* One of 0 ... bound - 1, all equally likely; bound is at least 1. */
uint64_t prng_below (struct prng *prng, uint64_t bound);
/* One of min ... max, both included, all equally likely; min <= max. */
uint64_t prng_between (struct prng *prng, uint64_t min, uint64_t max);
/* True in `numerator` of `denominator` cases; denominator is at least 1. */
bool prng_chance (struct prng *prng, uint64_t numerator, uint64_t denominator);

#endif
