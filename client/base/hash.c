/* XXH3 through libxxhash's header. This is the only file that includes it: everything is inlined
 * here, so that nothing links against libxxhash and all modules share one copy.
 * May include: base, libc, xxhash. */

#include "client/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64 (const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed (data != NULL ? data : "", size, seed);
}
