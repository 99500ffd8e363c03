/* XXH3 of what is long, where the processor has AVX2: the same values, three times as fast.
 * Compiled for such processors, and asked for by hash.c alone. May include: hash, libc, xxhash. */

#include "client/base/hash_avx2.h"

#if HASH_AVX2
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64_avx2 (const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed (data, size, seed);
}
#endif
