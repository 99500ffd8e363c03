/* Fields in protobuf's wire format: what is rare. May include: fields, libc. */

#include "client/base/fields.h"

uint64_t field_take_long (struct reader *in, unsigned size_max)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * size_max && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            /* Of the tenth byte there is room for one bit. */
            in->failed |= shift == 63 && byte > 1;
            return value;
        }
    }
    in->failed = true;
    return 0;
}
