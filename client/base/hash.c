/* XXH3 through libxxhash's header: everything is inlined here, so that nothing links against
 * libxxhash and all modules share one copy. What is long goes to another copy where the processor
 * has what that needs (hash_avx2.c); nobody else includes the header.
 * May include: base, libc, xxhash. */

#include "client/base/hash.h"

#include "client/base/hash_avx2.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Shorter ones are through before it has been asked. */
enum { LONG_SIZE = 1024 };

uint64_t hash64_portable (const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed (data != NULL ? data : "", size, seed);
}

uint64_t hash64 (const void *data, size_t size, uint64_t seed)
{
#if HASH_AVX2
    if (size >= LONG_SIZE && __builtin_cpu_supports ("avx2")) {
        return hash64_avx2 (data, size, seed);
    }
#endif
    return XXH3_64bits_withSeed (data != NULL ? data : "", size, seed);
}
