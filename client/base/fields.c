/* Fields in protobuf's wire format: what is rare. May include: fields, libc. */

#include "client/base/fields.h"

uint64_t field_take_long (struct reader *in, unsigned size_max)
{
    const uint8_t *at = in->at, *end = in->end;
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
