/*
 * server/core/zxid.h - the number of a transaction
 *
 * 64 bits, the sign bit never set: 23 bits of epoch, 40 of counter.  (e, 0) names the epoch
 * itself (NEWLEADER), never a transaction; the first transaction of epoch e is (e, 1).  Zero is
 * "before everything".
 */
#ifndef SERVER_CORE_ZXID_H
#define SERVER_CORE_ZXID_H

#include <stdint.h>

typedef uint64_t zxid_t;

#define ZXID_COUNTER_BITS 40
#define ZXID_COUNTER_MAX  ((UINT64_C (1) << ZXID_COUNTER_BITS) - 1)
#define ZXID_EPOCH_MAX    ((UINT32_C (1) << 23) - 1)

static inline zxid_t zxid_make (uint32_t epoch, uint64_t counter)
{
    return ((uint64_t) epoch << ZXID_COUNTER_BITS) | (counter & ZXID_COUNTER_MAX);
}

static inline uint32_t zxid_epoch (zxid_t zxid)
{
    return (uint32_t) (zxid >> ZXID_COUNTER_BITS);
}

static inline uint64_t zxid_counter (zxid_t zxid)
{
    return zxid & ZXID_COUNTER_MAX;
}

/* Whether `next` may follow `zxid` in a log: the same epoch and the next counter, or the first
 * transaction of a later epoch. */
static inline int zxid_follows (zxid_t next, zxid_t zxid)
{
    return next == zxid + 1 ? zxid_counter (next) != 0
                            : zxid_epoch (next) > zxid_epoch (zxid) && zxid_counter (next) == 1;
}

#endif
