/* hash64 for processors with AVX2. May include: libc. */

#ifndef COHORT_BASE_HASH_AVX2_H
#define COHORT_BASE_HASH_AVX2_H

#include <stddef.h>
#include <stdint.h>

/* Whether it is there: the build says so, for hash_avx2.c is compiled with an option of its own. */
#if !defined(HASH_AVX2)
#define HASH_AVX2 0
#endif

#if HASH_AVX2
/* The value of hash64; the processor must have AVX2. */
uint64_t hash64_avx2 (const void *data, size_t size, uint64_t seed);
#endif

#endif
