/* Requests straight into the bytes: those of single operations, which are nearly all that a client
 * ever sends. The bytes are those that protobuf-c would make, and the tests compare them.
 * May include: wire_encode, client_fields, base, libc. */

#include <string.h>

#include "client/base/assert.h"
#include "client/base/fields.h"
#include "client/proto/client_fields.h"
#include "client/src/wire_encode.h"

/* The field of an operation in its request; 0: it is left to protobuf-c. */
static uint32_t field_of (const struct wire_op *op)
{
    switch (op->kind) {
    case WIRE_CREATE:
        return op->acl == NULL ? REQUEST_CREATE : 0;
    case WIRE_DELETE:
        return op->if_present ? 0 : REQUEST_DELETE;
    case WIRE_SET:
        return REQUEST_SET;
    case WIRE_EXISTS:
        return REQUEST_EXISTS;
    case WIRE_GET:
        return REQUEST_GET;
    case WIRE_COUNT:
        return REQUEST_COUNT;
    default:
        return 0;
    }
}

/* What of an operation is neither path nor data: its numbers, as bytes. */
struct numbers {
    uint8_t bytes[4 * FIELD_NUMBER_MAX];
    size_t size;
};

static void put_numbers (struct numbers *numbers, const struct wire_op *op)
{
    uint8_t *at = numbers->bytes;
    switch (op->kind) {
    case WIRE_CREATE:
        at = field_put_number (at, CREATE_MODE, op->mode);
        at = field_put_number (at, CREATE_IF_ABSENT, op->if_absent);
        at = field_put_number (at, CREATE_TTL_MS, op->ttl_ms);
        break;
    case WIRE_DELETE:
        at = field_put_number (at, DELETE_VERSION, field_zigzag (op->version));
        break;
    case WIRE_SET:
        at = field_put_number (at, SET_VERSION, field_zigzag (op->version));
        break;
    default:
        at = field_put_number (at, READ_WATCH, op->watch);
        break;
    }
    numbers->size = (size_t) (at - numbers->bytes);
    COHORT_ASSERT (numbers->size <= sizeof (numbers->bytes));
}

/* Whatever else says it has data has none in the message. */
static size_t data_size (const struct wire_op *op)
{
    return op->kind == WIRE_CREATE || op->kind == WIRE_SET ? op->size : 0;
}

static size_t text_size (size_t size)
{
    return size > 0 ? 1 + field_varint_size (size) + size : 0;
}

static uint8_t *put_text (uint8_t *at, uint32_t number, const void *data, size_t size)
{
    return size > 0 ? field_put_bytes (at, number, data, size) : at;
}

/* What of a request stands before its operation, whose number is `field`: fields are in the order
 * of their numbers. */
static size_t put_head (uint8_t head[4 * FIELD_NUMBER_MAX], const struct wire_request *request,
                        uint32_t field)
{
    uint8_t *at = field_put_number (head, REQUEST_XID, request->xid);
    at = field_put_number (at, REQUEST_NUMBER, request->number);
    at = field_put_number (at, REQUEST_ACK_TO, request->ack_to);
    if (field > REQUEST_LINEARIZABLE) {
        at = field_put_number (at, REQUEST_LINEARIZABLE, request->op.linearizable);
    }
    return (size_t) (at - head);
}

bool wire_request_plain (const struct wire_request *request)
{
    return field_of (&request->op) != 0;
}

/* Where the lengths of the request and of its operation surely take one byte each, what stands
 * between them need not be known before it is written. */
enum { SHORT_MAX = 127, SHORT_OVERHEAD = 3 * FIELD_NUMBER_MAX + 2 * FIELD_TAG_MAX + 4 };

static bool put_short_read (struct buf *out, uint32_t number, const struct wire_request *request,
                            size_t path_size)
{
    const struct wire_op *op = &request->op;
    uint32_t field = field_of (op);
    uint8_t *begin = buf_extend (out, path_size + SHORT_OVERHEAD);
    if (begin == NULL) {
        return false;
    }
    bool behind = op->linearizable && field < REQUEST_LINEARIZABLE;
    uint8_t *head = field_put_tag (begin, number, FIELD_BYTES) + 1;
    uint8_t *at = field_put_number (head, REQUEST_XID, request->xid);
    at = field_put_number (at, REQUEST_LINEARIZABLE, op->linearizable && !behind);
    uint8_t *body = field_put_tag (at, field, FIELD_BYTES) + 1;
    at = put_text (body, OP_PATH, op->path, path_size);
    at = field_put_number (at, READ_WATCH, op->watch);
    body[-1] = (uint8_t) (at - body);
    at = field_put_number (at, REQUEST_LINEARIZABLE, behind);
    head[-1] = (uint8_t) (at - head);
    COHORT_ASSERT (at - head <= SHORT_MAX);
    COHORT_ASSERT (at <= out->data + out->size);
    buf_truncate (out, (size_t) (at - out->data));
    return true;
}

bool wire_put_request (struct buf *out, uint32_t number, const struct wire_request *request)
{
    const struct wire_op *op = &request->op;
    uint32_t field = field_of (op);
    uint8_t head[4 * FIELD_NUMBER_MAX], tail[FIELD_NUMBER_MAX];
    struct numbers numbers;
    COHORT_ASSERT (field != 0);
    size_t path_size = strlen (op->path);
    bool reads = op->kind == WIRE_GET || op->kind == WIRE_EXISTS || op->kind == WIRE_COUNT;
    if (reads && path_size + SHORT_OVERHEAD <= SHORT_MAX) {
        return put_short_read (out, number, request, path_size);
    }
    size_t head_size = put_head (head, request, field);
    put_numbers (&numbers, op);
    size_t body = text_size (path_size) + text_size (data_size (op)) + numbers.size;
    bool linearizable = op->linearizable && field < REQUEST_LINEARIZABLE;
    uint8_t *tail_end = field_put_number (tail, REQUEST_LINEARIZABLE, linearizable);
    size_t tail_size = (size_t) (tail_end - tail);
    size_t size = head_size + 1 + (field > 15) + field_varint_size (body) + body + tail_size;
    uint8_t *at = buf_extend (out, 1 + field_varint_size (size) + size);
    if (at == NULL) {
        return false;
    }
    at = field_put_varint (field_put_tag (at, number, FIELD_BYTES), size);
    memcpy (at, head, head_size);
    at = field_put_varint (field_put_tag (at + head_size, field, FIELD_BYTES), body);
    at = put_text (at, OP_PATH, op->path, path_size);
    at = put_text (at, OP_DATA, op->data, data_size (op));
    memcpy (at, numbers.bytes, numbers.size);
    memcpy (at + numbers.size, tail, tail_size);
    COHORT_ASSERT (at + numbers.size + tail_size == out->data + out->size);
    return true;
}
