/* SHA-256 as FIPS 180-4 has it, whose names are used: section 4.1.2 for the functions, 6.2 for the
 * computation. May include: base, libc. */

#include "client/base/sha256.h"

#include <string.h>

#include "client/base/assert.h"

enum { BLOCK_SIZE = 64, LENGTH_SIZE = 8, ROUNDS = 64 };

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Big-endian, unlike everything else in this project. */
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
    return x >> n | x << (32 - n);
}

/* The message schedule. */
static void expand (const uint8_t *block, uint32_t W[ROUNDS])
{
    for (unsigned t = 0; t < 16; t++) {
        W[t] = get_u32 (block + (size_t) 4 * t);
    }
    for (unsigned t = 16; t < ROUNDS; t++) {
        uint32_t sigma0 = rotate (W[t - 15], 7) ^ rotate (W[t - 15], 18) ^ W[t - 15] >> 3;
        uint32_t sigma1 = rotate (W[t - 2], 17) ^ rotate (W[t - 2], 19) ^ W[t - 2] >> 10;
        W[t] = sigma1 + W[t - 7] + sigma0 + W[t - 16];
    }
}

static void compress (uint32_t H[8], const uint8_t *block)
{
    uint32_t W[ROUNDS];
    expand (block, W);
    uint32_t a = H[0], b = H[1], c = H[2], d = H[3], e = H[4], f = H[5], g = H[6], h = H[7];
    for (unsigned t = 0; t < ROUNDS; t++) {
        uint32_t Sigma1 = rotate (e, 6) ^ rotate (e, 11) ^ rotate (e, 25);
        uint32_t T1 = h + Sigma1 + ((e & f) ^ (~e & g)) + K[t] + W[t];
        uint32_t Sigma0 = rotate (a, 2) ^ rotate (a, 13) ^ rotate (a, 22);
        uint32_t T2 = Sigma0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + T1;
        d = c;
        c = b;
        b = a;
        a = T1 + T2;
    }
    H[0] += a;
    H[1] += b;
    H[2] += c;
    H[3] += d;
    H[4] += e;
    H[5] += f;
    H[6] += g;
    H[7] += h;
}

void sha256 (const void *data, size_t size, uint8_t hash[SHA256_SIZE])
{
    COHORT_ASSERT (data != NULL || size == 0);
    uint32_t H[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
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
    for (unsigned i = 0; i < 8; i++) {
        put_u32 (hash + (size_t) 4 * i, H[i]);
    }
}

bool secret_equal (const void *a, const void *b, size_t size)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference |= (uint8_t) (left[i] ^ right[i]);
    }
    return difference == 0;
}
