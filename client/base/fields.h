/* The fields of a message in protobuf's wire format, one by one.
 *
 * For what is too frequent to be made into a tree of messages first: requests and replies. Whoever
 * reads with it takes what it knows well and leaves the rest to protobuf-c, which is the authority.
 * May include: buf, bytes, libc. */

#ifndef COHORT_BASE_FIELDS_H
#define COHORT_BASE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/base/buf.h"

enum field_type { FIELD_VARINT = 0, FIELD_FIXED64 = 1, FIELD_BYTES = 2 };

/* Bytes of a varint, of a tag, of a length; and of a field that is a number, with its tag. */
enum {
    VARINT_SIZE_MAX = 10,
    FIELD_TAG_MAX = 5,
    FIELD_LENGTH_MAX = 5,
    FIELD_NUMBER_MAX = FIELD_TAG_MAX + VARINT_SIZE_MAX
};

/* ---- Writing: at `at`, where there is room. Each returns the end of what it has written. --------
 */

static inline uint8_t *field_put_varint (uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t) (value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t) value;
    return at;
}

static inline size_t field_varint_size (uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) {
        size++;
    }
    return size;
}

static inline uint8_t *field_put_tag (uint8_t *at, uint32_t number, enum field_type type)
{
    return field_put_varint (at, (uint64_t) number << 3 | type);
}

/* Zero is not written, as in proto3. */
static inline uint8_t *field_put_number (uint8_t *at, uint32_t number, uint64_t value)
{
    return value != 0 ? field_put_varint (field_put_tag (at, number, FIELD_VARINT), value) : at;
}

static inline uint8_t *field_put_fixed (uint8_t *at, uint32_t number, uint64_t value)
{
    if (value != 0) {
        at = field_put_tag (at, number, FIELD_FIXED64);
        bytes_put_u64 (at, value);
        at += sizeof (value);
    }
    return at;
}

/* Also where it is empty: an element of a list, a message. data may be NULL if size is 0. */
static inline uint8_t *field_put_bytes (uint8_t *at, uint32_t number, const void *data, size_t size)
{
    at = field_put_varint (field_put_tag (at, number, FIELD_BYTES), size);
    if (size > 0) {
        memcpy (at, data, size);
    }
    return at + size;
}

/* sint32, sint64: small numbers of either sign are short. */
static inline uint64_t field_zigzag (int64_t value)
{
    return (uint64_t) value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct field {
    uint32_t number;
    enum field_type type;
    uint64_t value;      /* VARINT, FIXED64 */
    const uint8_t *data; /* BYTES: inside of what is read */
    size_t size;
};

/* A field's number and type in one: what is not of its type is not it. */
#define FIELD_AS_NUMBER(number) ((number) << 3 | FIELD_VARINT)
#define FIELD_AS_FIXED(number)  ((number) << 3 | FIELD_FIXED64)
#define FIELD_AS_BYTES(number)  ((number) << 3 | FIELD_BYTES)

static inline uint32_t field_kind (const struct field *field)
{
    return field->number << 3 | (uint32_t) field->type;
}

/* A varint of any size up to `size_max`: fields.c. */
uint64_t field_take_long (struct reader *in, unsigned size_max);

/* Tags have one byte as a rule, lengths and numbers one or two. */
static inline uint64_t field_take_varint (struct reader *in, unsigned size_max)
{
    const uint8_t *at = in->at;
    if (at < in->end && at[0] < 0x80) {
        in->at += 1;
        return at[0];
    }
    if (in->end - at >= 2 && at[1] < 0x80) {
        in->at += 2;
        return (uint64_t) (at[0] & 0x7f) | (uint64_t) at[1] << 7;
    }
    return field_take_long (in, size_max);
}

/* The next field; false: there is none, or, with in->failed, it is malformed or of a type that is
 * not in enum field_type. */
static inline bool field_next (struct reader *in, struct field *field)
{
    if (in->failed || in->at == in->end) {
        return false;
    }
    uint64_t tag = field_take_varint (in, FIELD_TAG_MAX);
    field->number = (uint32_t) (tag >> 3);
    field->type = (enum field_type) (tag & 7);
    field->value = 0;
    field->data = NULL;
    field->size = 0;
    switch (field->type) {
    case FIELD_VARINT:
        field->value = field_take_varint (in, VARINT_SIZE_MAX);
        break;
    case FIELD_FIXED64:
        field->value = reader_u64 (in);
        break;
    case FIELD_BYTES:
        field->size = (size_t) field_take_varint (in, FIELD_LENGTH_MAX);
        field->data = reader_bytes (in, field->size);
        break;
    default:
        in->failed = true;
        break;
    }
    in->failed |= field->number == 0 || tag > UINT32_MAX;
    return !in->failed;
}

/* What is expected next, if it is what comes next; else 0, and nothing is read. Writers put fields
 * in one order, so that whoever asks in that order seldom needs field_next, which reads what is
 * left. Only for fields whose tag has one byte. */

static inline uint64_t field_next_number (struct reader *in, uint32_t number)
{
    if (in->at == in->end || in->at[0] != FIELD_AS_NUMBER (number)) {
        return 0;
    }
    in->at++;
    return field_take_varint (in, VARINT_SIZE_MAX);
}

static inline uint64_t field_next_fixed (struct reader *in, uint32_t number)
{
    if (in->end - in->at < 9 || in->at[0] != FIELD_AS_FIXED (number)) {
        return 0;
    }
    uint64_t value = bytes_get_u64 (in->at + 1);
    in->at += 9;
    return value;
}

/* Likewise bytes, whose length has one byte or two; NULL if it is something else that comes next.
 */
static inline const uint8_t *field_next_bytes (struct reader *in, uint32_t number, size_t *size)
{
    const uint8_t *at = in->at;
    if (in->end - at < 3 || at[0] != FIELD_AS_BYTES (number) || (at[1] >= 0x80 && at[2] >= 0x80)) {
        return NULL;
    }
    bool longer = at[1] >= 0x80;
    *size = longer ? (size_t) (at[1] & 0x7f) | (size_t) at[2] << 7 : at[1];
    at += longer ? 3 : 2;
    if ((size_t) (in->end - at) < *size) {
        return NULL;
    }
    in->at = at + *size;
    return at;
}

static inline int64_t field_unzigzag (uint64_t value)
{
    return (int64_t) (value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

/* sint32, as protobuf reads it: of a longer number what fits. */
static inline int32_t field_unzigzag32 (uint64_t value)
{
    uint32_t low = (uint32_t) value;
    return (int32_t) (low >> 1 ^ ((low & 1) != 0 ? UINT32_MAX : 0));
}

#endif
