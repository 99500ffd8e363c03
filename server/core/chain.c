/* The chain of hashes: what makes equal ends mean equal histories. May include: client/base. */

#include "client/base/bytes.h"
#include "client/base/hash.h"
#include "server/core/zab.h"

uint64_t zab_chain (uint64_t previous, zxid_t zxid, int64_t stamp_ms, const void *data, size_t size)
{
    uint8_t head[24];
    bytes_put_u64 (head, previous);
    bytes_put_u64 (head + 8, zxid);
    bytes_put_u64 (head + 16, (uint64_t) stamp_ms);
    return hash64 (data, size, hash64 (head, sizeof head, 0));
}
