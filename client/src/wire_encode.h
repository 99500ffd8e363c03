/* What the encoders share: wire_encode.c makes frames, wire_request.c the plain requests in them,
 * wire_encode_write.c and wire_encode_read.c all others. Messages are built in the caller's scratch
 * arena and borrow strings and data. May include: wire, generated protobuf code, base. */

#ifndef COHORT_CLIENT_WIRE_ENCODE_H
#define COHORT_CLIENT_WIRE_ENCODE_H

#include <stddef.h>

#include "client.pb-c.h"
#include "client/src/wire.h"

/* Bytes, and a text (NULL: empty), as fields that are packed. */
ProtobufCBinaryData wire_bytes (const void *data, size_t size);
ProtobufCBinaryData wire_text (const char *text);

/* A message of the type in the scratch arena, set to its initial value; NULL without memory. */
#define WIRE_NEW(scratch, type, initial)                                                           \
    ((type *) arena_dup ((scratch), &(type) initial, sizeof (type)))

/* Each sets the operation of `message`, the first for what wire_is_write is true of. NULL without
 * memory: the union's members are all pointers, so whichever was set tells whether it sufficed. */
const void *wire_fill_write (Cohort__Wire__Request *message, struct arena *scratch,
                             const struct wire_request *request);
const void *wire_fill_read (Cohort__Wire__Request *message, struct arena *scratch,
                            const struct wire_request *request);

/* Whether the request is a single operation with nothing special about it. */
bool wire_request_plain (const struct wire_request *request);
/* Appends such a request, as a field of this number; false: no memory. */
bool wire_put_request (struct buf *out, uint32_t number, const struct wire_request *request);

/* Scheme, user and credential of an operation, also where no request carries them. */
void wire_fill_add_auth (Cohort__Wire__AddAuth *add, const struct wire_op *op);

#endif
