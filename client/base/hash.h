/* Hashes and checksums; the same values on every machine. None of them is cryptographic.
 * May include: base, libc (and xxhash.h inside hash.c). */

#ifndef COHORT_BASE_HASH_H
#define COHORT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH3, 64 bits, of `size` bytes; data may be NULL if size is 0. What comes in pieces is hashed as
 * a chain: hash64 (piece, size, hash of the pieces before). That is not the hash of the whole. */
uint64_t hash64 (const void *data, size_t size, uint64_t seed);
/* The same by what every processor has; for the test that both agree. */
uint64_t hash64_portable (const void *data, size_t size, uint64_t seed);

/* CRC-32C (Castagnoli) of `size` bytes that follow those whose checksum is `crc`; 0 for none:
 * crc32c (crc32c (0, a, m), b, n) is the checksum of a and b joined. */
uint32_t crc32c (uint32_t crc, const void *data, size_t size);
/* The same by tables only; for the test that both agree. */
uint32_t crc32c_portable (uint32_t crc, const void *data, size_t size);

#endif
