/* Plain structs to ClientFrame: the frames, and what stands in them beside the operations.
 *
 * The messages of protobuf-c are trees of pointers; they are built in the caller's scratch arena,
 * borrow all strings and data, and are packed into the buffer. Fields of a message that follow one
 * another are one message: so a frame is made in parts, request by request.
 * May include: wire_encode, base, libc. */

#include "client/src/wire_encode.h"

#include <string.h>

#include "client/base/assert.h"

/* Bytes that a request, and each operation in it, takes beyond its path and data. The credit counts
 * with these, on both sides and each with a measure of its own: ours must not be the smaller one,
 * or the server would refuse what we think it has room for. */
#define REQUEST_OVERHEAD 64
#define OP_OVERHEAD      64

_Static_assert((int) WIRE_WATCH_CHILDREN == (int) COHORT__WIRE__WATCH_KIND__WATCH_CHILDREN,
               "the numbers of watch kinds are those of the wire");

bool wire_is_write (enum wire_kind kind)
{
    return kind <= WIRE_CLOSE;
}

/* An item of an access control list may be longer in bytes than as text: an address. */
#define ACL_FACTOR 3

static size_t size_of (size_t path_size, size_t data_size, size_t acl_size)
{
    return OP_OVERHEAD + data_size + path_size + ACL_FACTOR * acl_size;
}

static size_t op_size (const struct wire_op *op)
{
    return size_of (op->path != NULL ? strlen (op->path) : 0, op->size,
                    op->acl != NULL ? strlen (op->acl) + 1 : 0);
}

size_t wire_plain_size (size_t path_size, size_t data_size, size_t acl_size)
{
    return REQUEST_OVERHEAD + size_of (path_size, data_size, acl_size);
}

size_t wire_request_size (const struct wire_request *request)
{
    size_t size = REQUEST_OVERHEAD + op_size (&request->op);
    for (size_t i = 0; i < request->ops_count; i++) {
        size += op_size (&request->ops[i]);
    }
    return size;
}

/* protobuf-c wants pointers to non-const although packing only reads. */
ProtobufCBinaryData wire_bytes (const void *data, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *) data};
}

ProtobufCBinaryData wire_text (const char *text)
{
    return wire_bytes (text, text != NULL ? strlen (text) : 0);
}

static int pack_frame (struct buf *out, const Cohort__Wire__ClientFrame *frame)
{
    size_t size = cohort__wire__client_frame__get_packed_size (frame);
    size_t before = out->size;
    uint8_t *at = buf_extend (out, size);
    if (at == NULL) {
        buf_truncate (out, before);
        return COHORT_ENOMEM;
    }
    size_t packed = cohort__wire__client_frame__pack (frame, at);
    COHORT_ASSERT (packed == size);
    return COHORT_OK;
}

int wire_put_hello (struct buf *out, struct arena *scratch, const struct wire_hello *hello)
{
    (void) scratch;
    COHORT_ASSERT (hello->attach_no > 0);
    COHORT_ASSERT (hello->incarnation > 0);
    Cohort__Wire__Hello message = COHORT__WIRE__HELLO__INIT;
    message.magic = WIRE_MAGIC;
    message.version_min = WIRE_VERSION_MIN;
    message.version_max = WIRE_VERSION_MAX;
    message.cluster_id = wire_bytes (hello->cluster_id, hello->cluster_known ? WIRE_ID_SIZE : 0);
    message.session_id = hello->session_id;
    message.nonce = wire_bytes (hello->nonce, WIRE_ID_SIZE);
    message.password = wire_bytes (hello->password, WIRE_ID_SIZE);
    message.timeout_ms = hello->timeout_ms;
    message.grace_ms = hello->grace_ms;
    message.attach_no = hello->attach_no;
    message.incarnation = hello->incarnation;
    message.last_zxid = hello->last_zxid;
    message.next_number = hello->next_number;
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.hello = &message;
    return pack_frame (out, &frame);
}

int wire_put_rearm (struct buf *out, struct arena *scratch, const struct wire_rearm *rearm)
{
    Cohort__Wire__Rearm message = COHORT__WIRE__REARM__INIT;
    message.last_zxid = rearm->last_zxid;
    message.more = rearm->more;
    message.n_watches = rearm->watch_count;
    message.n_streams = rearm->stream_count;
    message.watches = arena_calloc (scratch, rearm->watch_count, sizeof (*message.watches));
    message.streams = arena_calloc (scratch, rearm->stream_count, sizeof (*message.streams));
    if (message.watches == NULL || message.streams == NULL) {
        return COHORT_ENOMEM;
    }
    for (size_t i = 0; i < rearm->watch_count; i++) {
        Cohort__Wire__Watch *watch =
            WIRE_NEW (scratch, Cohort__Wire__Watch, COHORT__WIRE__WATCH__INIT);
        if (watch == NULL) {
            return COHORT_ENOMEM;
        }
        watch->kind = (Cohort__Wire__WatchKind) rearm->watches[i].kind;
        watch->path = wire_text (rearm->watches[i].path);
        message.watches[i] = watch;
    }
    for (size_t i = 0; i < rearm->stream_count; i++) {
        Cohort__Wire__StreamOpen *stream =
            WIRE_NEW (scratch, Cohort__Wire__StreamOpen, COHORT__WIRE__STREAM_OPEN__INIT);
        if (stream == NULL) {
            return COHORT_ENOMEM;
        }
        stream->stream_id = rearm->streams[i].id;
        stream->path = wire_text (rearm->streams[i].path);
        stream->from_zxid = rearm->streams[i].from_zxid;
        stream->flags = rearm->streams[i].flags;
        message.streams[i] = stream;
    }
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.rearm = &message;
    return pack_frame (out, &frame);
}

static Cohort__Wire__Request *request_of (struct arena *scratch, const struct wire_request *request)
{
    Cohort__Wire__Request *message =
        WIRE_NEW (scratch, Cohort__Wire__Request, COHORT__WIRE__REQUEST__INIT);
    if (message == NULL) {
        return NULL;
    }
    message->xid = request->xid;
    message->number = request->number;
    message->ack_to = request->ack_to;
    const void *op = wire_is_write (request->op.kind) ? wire_fill_write (message, scratch, request)
                                                      : wire_fill_read (message, scratch, request);
    return op != NULL ? message : NULL;
}

static int taken_of (struct arena *scratch, Cohort__Wire__ClientFrame *frame,
                     const struct wire_words *words)
{
    frame->n_taken = words->taken_count;
    frame->taken = arena_calloc (scratch, words->taken_count, sizeof (*frame->taken));
    for (size_t i = 0; frame->taken != NULL && i < words->taken_count; i++) {
        Cohort__Wire__StreamTaken *taken =
            WIRE_NEW (scratch, Cohort__Wire__StreamTaken, COHORT__WIRE__STREAM_TAKEN__INIT);
        if (taken == NULL) {
            return COHORT_ENOMEM;
        }
        taken->stream_id = words->taken[i].stream_id;
        taken->bytes = words->taken[i].bytes;
        frame->taken[i] = taken;
    }
    return frame->taken != NULL ? COHORT_OK : COHORT_ENOMEM;
}

int wire_put_backup (struct buf *out, uint64_t received, const struct wire_op *auth)
{
    Cohort__Wire__AddAuth add = COHORT__WIRE__ADD_AUTH__INIT, *adds[] = {&add};
    Cohort__Wire__BackupQuery query = COHORT__WIRE__BACKUP_QUERY__INIT;
    query.received = received;
    if (auth != NULL) {
        wire_fill_add_auth (&add, auth);
        query.n_auth = 1;
        query.auth = adds;
    }
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.backup = &query;
    return pack_frame (out, &frame);
}

/* The number of ClientFrame.requests in client.proto. */
enum { FRAME_REQUESTS = 4 };

static int put_request (struct buf *out, struct arena *scratch, const struct wire_request *request)
{
    if (wire_request_plain (request)) {
        return wire_put_request (out, FRAME_REQUESTS, request) ? COHORT_OK : COHORT_ENOMEM;
    }
    Cohort__Wire__Request *message = request_of (scratch, request);
    if (message == NULL) {
        return COHORT_ENOMEM;
    }
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.n_requests = 1;
    frame.requests = &message;
    return pack_frame (out, &frame);
}

static int put_heartbeat (struct buf *out, uint64_t seq)
{
    Cohort__Wire__Heartbeat beat = COHORT__WIRE__HEARTBEAT__INIT;
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    beat.seq = seq;
    frame.heartbeat = &beat;
    return pack_frame (out, &frame);
}

/* What is said behind the requests. */
static int put_rest (struct buf *out, struct arena *scratch, const struct wire_words *words)
{
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.ask = words->ask;
    int rc = taken_of (scratch, &frame, words);
    return rc == COHORT_OK ? pack_frame (out, &frame) : rc;
}

int wire_put_words (struct buf *out, struct arena *scratch, const struct wire_words *words)
{
    COHORT_ASSERT (words->heartbeat > 0 || words->ask || words->taken_count > 0 ||
                   words->request_count > 0);
    size_t before = out->size;
    int rc = words->heartbeat > 0 ? put_heartbeat (out, words->heartbeat) : COHORT_OK;
    for (size_t i = 0; rc == COHORT_OK && i < words->request_count; i++) {
        const struct wire_request *request = words->requests[i];
        COHORT_ASSERT (request->xid > 0);
        COHORT_ASSERT ((request->number > 0) == wire_is_write (request->op.kind));
        rc = put_request (out, scratch, request);
    }
    if (rc == COHORT_OK && (words->ask || words->taken_count > 0)) {
        rc = put_rest (out, scratch, words);
    }
    if (rc != COHORT_OK) {
        buf_truncate (out, before);
    }
    return rc;
}
