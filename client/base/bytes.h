/* Little-endian numbers in memory, by code and not by luck: wire and disk formats use nothing else.
 * Pointers need no alignment. Each is a single move: compilers make one of what reads byte by byte,
 * but not reliably of what writes so (gcc 12 does not where many numbers follow each other), so
 * that is said to little-endian machines in so many words. May include: libc only. */

#ifndef COHORT_BASE_BYTES_H
#define COHORT_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline void bytes_put_u16 (uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t) value;
    at[1] = (uint8_t) (value >> 8);
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

static inline void bytes_put_u32 (uint8_t *at, uint32_t value)
{
    memcpy (at, &value, sizeof value);
}

static inline void bytes_put_u64 (uint8_t *at, uint64_t value)
{
    memcpy (at, &value, sizeof value);
}

#else

static inline void bytes_put_u32 (uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t) value;
    at[1] = (uint8_t) (value >> 8);
    at[2] = (uint8_t) (value >> 16);
    at[3] = (uint8_t) (value >> 24);
}

static inline void bytes_put_u64 (uint8_t *at, uint64_t value)
{
    bytes_put_u32 (at, (uint32_t) value);
    bytes_put_u32 (at + 4, (uint32_t) (value >> 32));
}

#endif

static inline uint16_t bytes_get_u16 (const uint8_t *at)
{
    return (uint16_t) (at[0] | at[1] << 8);
}

static inline uint32_t bytes_get_u32 (const uint8_t *at)
{
    return (uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 |
           (uint32_t) at[3] << 24;
}

static inline uint64_t bytes_get_u64 (const uint8_t *at)
{
    return (uint64_t) bytes_get_u32 (at) | (uint64_t) bytes_get_u32 (at + 4) << 32;
}

#endif
