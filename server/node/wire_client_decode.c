/* wire_client_decode.c: frames of clients are read: see wire_client.h.
 *
 * Nearly all are single operations and nothing else: they are read where they lie, field by field,
 * into the structs that protobuf-c would make of them.  Whatever is not expected makes the request,
 * or the frame, one for protobuf-c.  The tests read everything both ways. */

#include "client/base/assert.h"
#include "client/base/fields.h"
#include "client/proto/client_fields.h"
#include "server/node/wire_client.h"

/* ---- protobuf-c with an arena ------------------------------------------------------------ */

/* A message of two bytes costs a hundred in memory, and who sends it may be a stranger: what a
 * frame may cost is bounded. */
struct pool {
    struct arena *arena;
    size_t bytes_max;
};

static void *pool_alloc (void *arg, size_t size)
{
    const struct pool *pool = arg;
    size_t used = arena_used (pool->arena);
    if (used > pool->bytes_max || size > pool->bytes_max - used) {
        return NULL;
    }
    return arena_alloc (pool->arena, size);
}

static void pool_free (void *arg, void *memory)
{
    (void) arg;
    (void) memory;
}

static struct pool pool_of (struct arena *arena, size_t size)
{
    return (struct pool){arena, arena_used (arena) + 2 * size + WIRE_CLIENT_FRAME_COST};
}

const Cohort__Wire__ClientFrame *wire_client_decode_general (struct arena *arena,
                                                             const uint8_t *data, size_t size)
{
    struct pool pool = pool_of (arena, size);
    ProtobufCAllocator allocator = {pool_alloc, pool_free, &pool};
    return cohort__wire__client_frame__unpack (&allocator, size, data);
}

/* ---- Single operations ------------------------------------------------------------------- */

/* protobuf-c has NULL for no bytes; and pointers to non-const although nobody writes there. */
static ProtobufCBinaryData bytes_in (const struct field *field)
{
    return (ProtobufCBinaryData){field->size,
                                 field->size > 0 ? (uint8_t *) (uintptr_t) field->data : NULL};
}

/* Each reads one operation; false: there is something in it that is not expected. */

static bool read_read (Cohort__Wire__Read *op, struct reader *in)
{
    struct field field;
    *op = (Cohort__Wire__Read) COHORT__WIRE__READ__INIT;
    while (field_next (in, &field)) {
        switch (field_kind (&field)) {
        case FIELD_AS_BYTES (OP_PATH):
            op->path = bytes_in (&field);
            break;
        case FIELD_AS_NUMBER (READ_WATCH):
            op->watch = field.value != 0;
            break;
        default:
            return false;
        }
    }
    return !in->failed;
}

static bool read_set (Cohort__Wire__Set *op, struct reader *in)
{
    struct field field;
    *op = (Cohort__Wire__Set) COHORT__WIRE__SET__INIT;
    while (field_next (in, &field)) {
        switch (field_kind (&field)) {
        case FIELD_AS_BYTES (OP_PATH):
            op->path = bytes_in (&field);
            break;
        case FIELD_AS_BYTES (OP_DATA):
            op->data = bytes_in (&field);
            break;
        case FIELD_AS_NUMBER (SET_VERSION):
            op->version = field_unzigzag32 (field.value);
            break;
        default:
            return false;
        }
    }
    return !in->failed;
}

static bool read_delete (Cohort__Wire__Delete *op, struct reader *in)
{
    struct field field;
    *op = (Cohort__Wire__Delete) COHORT__WIRE__DELETE__INIT;
    while (field_next (in, &field)) {
        switch (field_kind (&field)) {
        case FIELD_AS_BYTES (OP_PATH):
            op->path = bytes_in (&field);
            break;
        case FIELD_AS_NUMBER (DELETE_VERSION):
            op->version = field_unzigzag32 (field.value);
            break;
        default:
            return false;
        }
    }
    return !in->failed;
}

static bool read_create (Cohort__Wire__Create *op, struct reader *in)
{
    struct field field;
    *op = (Cohort__Wire__Create) COHORT__WIRE__CREATE__INIT;
    while (field_next (in, &field)) {
        switch (field_kind (&field)) {
        case FIELD_AS_BYTES (OP_PATH):
            op->path = bytes_in (&field);
            break;
        case FIELD_AS_BYTES (OP_DATA):
            op->data = bytes_in (&field);
            break;
        case FIELD_AS_NUMBER (CREATE_MODE):
            op->mode = (uint32_t) field.value;
            break;
        case FIELD_AS_NUMBER (CREATE_IF_ABSENT):
            op->if_absent = field.value != 0;
            break;
        case FIELD_AS_NUMBER (CREATE_TTL_MS):
            op->ttl_ms = field.value;
            break;
        default:
            return false;
        }
    }
    return !in->failed;
}

/* A request and its operation, in one allocation. */
struct plain {
    Cohort__Wire__Request request;
    union {
        Cohort__Wire__Read read;
        Cohort__Wire__Set set;
        Cohort__Wire__Delete delete;
        Cohort__Wire__Create create;
    } op;
};

static bool read_op (struct plain *plain, const struct field *field)
{
    Cohort__Wire__Request *request = &plain->request;
    struct reader in;
    if (request->op_case != COHORT__WIRE__REQUEST__OP__NOT_SET) {
        return false; /* of two the last counts, or both are merged */
    }
    reader_init (&in, field->data, field->size);
    request->op_case = (Cohort__Wire__Request__OpCase) field->number;
    switch (field->number) {
    case REQUEST_CREATE:
        request->create = &plain->op.create;
        return read_create (&plain->op.create, &in);
    case REQUEST_DELETE:
        request->delete_ = &plain->op.delete;
        return read_delete (&plain->op.delete, &in);
    case REQUEST_SET:
        request->set = &plain->op.set;
        return read_set (&plain->op.set, &in);
    case REQUEST_EXISTS:
        request->exists = &plain->op.read;
        return read_read (&plain->op.read, &in);
    case REQUEST_GET:
        request->get = &plain->op.read;
        return read_read (&plain->op.read, &in);
    default:
        COHORT_ASSERT (field->number == REQUEST_COUNT);
        request->count = &plain->op.read;
        return read_read (&plain->op.read, &in);
    }
}

static bool read_plain (struct plain *plain, const uint8_t *data, size_t size)
{
    struct reader in;
    struct field field;
    plain->request = (Cohort__Wire__Request) COHORT__WIRE__REQUEST__INIT;
    reader_init (&in, data, size);
    plain->request.xid = field_next_number (&in, REQUEST_XID);
    plain->request.number = field_next_number (&in, REQUEST_NUMBER);
    plain->request.ack_to = field_next_number (&in, REQUEST_ACK_TO);
    while (field_next (&in, &field)) {
        switch (field_kind (&field)) {
        case FIELD_AS_NUMBER (REQUEST_XID):
            plain->request.xid = field.value;
            break;
        case FIELD_AS_NUMBER (REQUEST_NUMBER):
            plain->request.number = field.value;
            break;
        case FIELD_AS_NUMBER (REQUEST_ACK_TO):
            plain->request.ack_to = field.value;
            break;
        case FIELD_AS_NUMBER (REQUEST_LINEARIZABLE):
            plain->request.linearizable = field.value != 0;
            break;
        case FIELD_AS_BYTES (REQUEST_CREATE):
        case FIELD_AS_BYTES (REQUEST_DELETE):
        case FIELD_AS_BYTES (REQUEST_SET):
        case FIELD_AS_BYTES (REQUEST_EXISTS):
        case FIELD_AS_BYTES (REQUEST_GET):
        case FIELD_AS_BYTES (REQUEST_COUNT):
            if (!read_op (plain, &field)) {
                return false;
            }
            break;
        default:
            return false;
        }
    }
    return !in.failed;
}

_Static_assert((int) COHORT__WIRE__REQUEST__OP_CREATE == (int) REQUEST_CREATE &&
                   (int) COHORT__WIRE__REQUEST__OP_DELETE == (int) REQUEST_DELETE &&
                   (int) COHORT__WIRE__REQUEST__OP_SET == (int) REQUEST_SET &&
                   (int) COHORT__WIRE__REQUEST__OP_EXISTS == (int) REQUEST_EXISTS &&
                   (int) COHORT__WIRE__REQUEST__OP_GET == (int) REQUEST_GET &&
                   (int) COHORT__WIRE__REQUEST__OP_COUNT == (int) REQUEST_COUNT,
               "an operation is told by the number of its field");

/* ---- Frames of requests alone ------------------------------------------------------------ */

static bool scan_requests (const uint8_t *data, size_t size, size_t *count)
{
    struct reader in;
    struct field field;
    *count = 0;
    reader_init (&in, data, size);
    while (field_next (&in, &field)) {
        if (field_kind (&field) != FIELD_AS_BYTES (CLIENT_FRAME_REQUESTS)) {
            return false;
        }
        ++*count;
    }
    return !in.failed;
}

static Cohort__Wire__Request *read_request (struct pool *pool, const uint8_t *data, size_t size)
{
    struct plain *plain = pool_alloc (pool, sizeof *plain);
    if (plain == NULL) {
        return NULL;
    }
    if (read_plain (plain, data, size)) {
        return &plain->request;
    }
    ProtobufCAllocator allocator = {pool_alloc, pool_free, pool};
    return cohort__wire__request__unpack (&allocator, size, data);
}

static const Cohort__Wire__ClientFrame *read_requests (struct arena *arena, const uint8_t *data,
                                                       size_t size, size_t count)
{
    struct pool pool = pool_of (arena, size);
    struct reader in;
    struct field field;
    Cohort__Wire__ClientFrame *frame = pool_alloc (&pool, sizeof *frame);
    Cohort__Wire__Request **requests = pool_alloc (&pool, count * sizeof (Cohort__Wire__Request *));
    if (frame == NULL || requests == NULL) {
        return NULL;
    }
    *frame = (Cohort__Wire__ClientFrame) COHORT__WIRE__CLIENT_FRAME__INIT;
    frame->requests = requests;
    reader_init (&in, data, size);
    while (field_next (&in, &field)) {
        Cohort__Wire__Request *request = read_request (&pool, field.data, field.size);
        if (request == NULL) {
            return NULL;
        }
        requests[frame->n_requests++] = request;
    }
    COHORT_ASSERT (frame->n_requests == count);
    return frame;
}

const Cohort__Wire__ClientFrame *wire_client_decode (struct arena *arena, const uint8_t *data,
                                                     size_t size)
{
    size_t count = 0;
    if (size > WIRE_CLIENT_FRAME_MAX) {
        return NULL;
    }
    return scan_requests (data, size, &count) ? read_requests (arena, data, size, count)
                                              : wire_client_decode_general (arena, data, size);
}

/* ---- Reads, one by one ------------------------------------------------------------------- */

static bool read_of_znode (struct wire_client_read *read, const uint8_t *data, size_t size)
{
    struct reader in;
    reader_init (&in, data, size);
    read->path = (const char *) field_next_bytes (&in, OP_PATH, &read->path_size);
    read->watch = field_next_number (&in, READ_WATCH) != 0;
    return read->path != NULL && read->path_size <= ENTRY_PATH_MAX && reader_done (&in);
}

bool wire_client_read_next (struct reader *in, struct wire_client_read *read)
{
    struct reader rest = *in, request;
    size_t size;
    const uint8_t *data = field_next_bytes (&rest, CLIENT_FRAME_REQUESTS, &size);
    if (data == NULL) {
        return false;
    }
    reader_init (&request, data, size);
    read->xid = field_next_number (&request, REQUEST_XID);
    data = field_next_bytes (&request, REQUEST_GET, &size);
    read->exists = data == NULL;
    if (data == NULL) {
        data = field_next_bytes (&request, REQUEST_EXISTS, &size);
    }
    if (data == NULL || !reader_done (&request) || read->xid == 0 ||
        !read_of_znode (read, data, size)) {
        return false;
    }
    *in = rest;
    return true;
}
