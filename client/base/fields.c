/* Fields in protobuf's wire format: what is rare. May include: fields, libc. */

#include "client/base/fields.h"

/* A varint that ends within the eight bytes of `word`, `size` of which it takes: the seven bits of
 * each byte are moved together, by twos, by fours, by eights. */
static uint64_t join_sevens (uint64_t word, unsigned size)
{
    word &= UINT64_C (0x7f7f7f7f7f7f7f7f) >> (64 - 8 * size);
    word = (word & UINT64_C (0x007f007f007f007f)) | (word & UINT64_C (0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C (0x00003fff00003fff)) | (word & UINT64_C (0x3fff00003fff0000)) >> 2;
    return (word & UINT64_C (0x0fffffff)) | (word & UINT64_C (0x0fffffff00000000)) >> 4;
}

uint64_t field_take_long (struct reader *in, unsigned size_max)
{
    const uint8_t *at = in->at, *end = in->end;
    if (end - at >= 8 && size_max >= 8) {
        uint64_t word = bytes_get_u64 (at);
        uint64_t ends = ~word & UINT64_C (0x8080808080808080);
        if (ends != 0) {
            unsigned size = ((unsigned) __builtin_ctzll (ends) + 1) / 8;
            in->at += size;
            return join_sevens (word, size);
        }
    }
    uint64_t value = 0;
    end = (size_t) (end - at) > size_max ? at + size_max : end;
    for (unsigned shift = 0; at < end; shift += 7) {
        uint8_t byte = *at++;
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            /* Of the tenth byte there is room for one bit. */
            in->failed |= shift == 63 && byte > 1;
            in->at = at;
            return value;
        }
    }
    in->failed = true;
    return 0;
}
