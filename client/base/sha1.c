/* SHA-1 as FIPS 180-4 has it, whose names are used: section 4.1.1 for the functions, 6.1 for the
 * computation. May include: base, libc. */

#include "client/base/sha1.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/secret.h"

enum { BLOCK_SIZE = 64, LENGTH_SIZE = 8, ROUNDS = 80 };

static uint32_t get_u32 (const uint8_t *at)
{
    return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
}

static void put_u32 (uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t) (value >> 24);
    at[1] = (uint8_t) (value >> 16);
    at[2] = (uint8_t) (value >> 8);
    at[3] = (uint8_t) value;
}

static uint32_t rotate (uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

/* f and K of round t, added. */
static uint32_t round_value (unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20) {
        return ((b & c) ^ (~b & d)) + 0x5a827999;
    }
    if (t < 40) {
        return (b ^ c ^ d) + 0x6ed9eba1;
    }
    if (t < 60) {
        return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
    }
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void compress (uint32_t H[5], const uint8_t *block)
{
    uint32_t W[ROUNDS];
    for (unsigned t = 0; t < 16; t++) {
        W[t] = get_u32 (block + (size_t) 4 * t);
    }
    for (unsigned t = 16; t < ROUNDS; t++) {
        W[t] = rotate (W[t - 3] ^ W[t - 8] ^ W[t - 14] ^ W[t - 16], 1);
    }
    uint32_t a = H[0], b = H[1], c = H[2], d = H[3], e = H[4];
    for (unsigned t = 0; t < ROUNDS; t++) {
        uint32_t T = rotate (a, 5) + round_value (t, b, c, d) + e + W[t];
        e = d;
        d = c;
        c = rotate (b, 30);
        b = a;
        a = T;
    }
    H[0] += a;
    H[1] += b;
    H[2] += c;
    H[3] += d;
    H[4] += e;
    secret_wipe (W, sizeof (W));
}

void sha1 (const void *data, size_t size, uint8_t hash[SHA1_SIZE])
{
    COHORT_ASSERT (data != NULL || size == 0);
    uint32_t H[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    const uint8_t *at = data;
    size_t left = size;
    for (; left >= BLOCK_SIZE; left -= BLOCK_SIZE) {
        compress (H, at);
        at += BLOCK_SIZE;
    }
    /* The rest, a bit that is set, zeroes, and the number of bits: in one block or in two. */
    uint8_t tail[2 * BLOCK_SIZE] = {0};
    if (left > 0) {
        memcpy (tail, at, left);
    }
    tail[left] = 0x80;
    size_t tail_size = left + 1 + LENGTH_SIZE <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;
    put_u32 (tail + tail_size - 8, (uint32_t) ((uint64_t) size >> 29));
    put_u32 (tail + tail_size - 4, (uint32_t) (size << 3));
    for (size_t i = 0; i < tail_size; i += BLOCK_SIZE) {
        compress (H, tail + i);
    }
    secret_wipe (tail, sizeof (tail));
    for (unsigned i = 0; i < 5; i++) {
        put_u32 (hash + (size_t) 4 * i, H[i]);
    }
}
