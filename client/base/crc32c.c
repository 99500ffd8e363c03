/* CRC-32C: eight table look-ups for eight bytes, or the processor's own instruction where there is
 * one. May include: base, libc, the compiler's intrinsics. */

#include <string.h>

#include "client/base/bytes.h"
#include "client/base/hash.h"

#if defined(__x86_64__)
#define CRC32C_X86 1
#include <nmmintrin.h>
#else
#define CRC32C_X86 0
#endif

/* A CRC is linear: the entry of a byte is the sum (xor) of the entries of its bits. So a table is
 * given by eight numbers, and the compiler works out the other 248. */
#define BIT(i, k, entry) ((((i) >> (k)) & 1) != 0 ? (uint32_t) (entry) : 0)
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                           \
    (BIT (i, 0, a) ^ BIT (i, 1, b) ^ BIT (i, 2, c) ^ BIT (i, 3, d) ^ BIT (i, 4, e) ^               \
     BIT (i, 5, f) ^ BIT (i, 6, g) ^ BIT (i, 7, h))
#define ENTRIES_4(i, ...)                                                                          \
    ENTRY (i, __VA_ARGS__), ENTRY ((i) + 1, __VA_ARGS__), ENTRY ((i) + 2, __VA_ARGS__),            \
        ENTRY ((i) + 3, __VA_ARGS__)
#define ENTRIES_16(i, ...)                                                                         \
    ENTRIES_4 (i, __VA_ARGS__), ENTRIES_4 ((i) + 4, __VA_ARGS__),                                  \
        ENTRIES_4 ((i) + 8, __VA_ARGS__), ENTRIES_4 ((i) + 12, __VA_ARGS__)
#define ENTRIES_64(i, ...)                                                                         \
    ENTRIES_16 (i, __VA_ARGS__), ENTRIES_16 ((i) + 16, __VA_ARGS__),                               \
        ENTRIES_16 ((i) + 32, __VA_ARGS__), ENTRIES_16 ((i) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        ENTRIES_64 (0, __VA_ARGS__), ENTRIES_64 (64, __VA_ARGS__), ENTRIES_64 (128, __VA_ARGS__),  \
            ENTRIES_64 (192, __VA_ARGS__)                                                          \
    }

/* tables[k][i]: the effect of byte i on the checksum after k more bytes. */
static const uint32_t tables[8][256] = {
    TABLE (0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
           0x82f63b78),
    TABLE (0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
           0xfbc3faf9),
    TABLE (0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
           0x8b277743),
    TABLE (0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
           0x52a0c93f),
    TABLE (0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
           0x6ea2d55c),
    TABLE (0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
           0x1c08b7d6),
    TABLE (0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
           0xf56e0ef4),
    TABLE (0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
           0x34019664),
};

static uint32_t step_byte (uint32_t state, uint8_t byte)
{
    return tables[0][(state ^ byte) & 0xff] ^ state >> 8;
}

uint32_t crc32c_portable (uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t state = ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        uint32_t low = state ^ bytes_get_u32 (at);
        uint32_t high = bytes_get_u32 (at + 4);
        state = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
                tables[4][low >> 24] ^ tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^
                tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
    }
    for (; size > 0; at++, size--) {
        state = step_byte (state, *at);
    }
    return ~state;
}

#if CRC32C_X86
__attribute__ ((target ("sse4.2"))) static uint32_t crc32c_sse42 (uint32_t crc, const void *data,
                                                                  size_t size)
{
    const uint8_t *at = data;
    uint64_t state = (uint32_t) ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        state = _mm_crc32_u64 (state, bytes_get_u64 (at));
    }
    uint32_t narrow = (uint32_t) state;
    for (; size > 0; at++, size--) {
        narrow = _mm_crc32_u8 (narrow, *at);
    }
    return ~narrow;
}
#endif

uint32_t crc32c (uint32_t crc, const void *data, size_t size)
{
#if CRC32C_X86
    if (__builtin_cpu_supports ("sse4.2")) {
        return crc32c_sse42 (crc, data, size);
    }
#endif
    return crc32c_portable (crc, data, size);
}
