/* What a server decodes from a client: any bytes. It is what protobuf-c makes of them. */

#include <string.h>

#include "client/base/arena.h"
#include "client/src/wire.h"
#include "server/node/wire_client.h"
#include "tests/fuzz/fuzz.h"

/* Fields of later versions are not looked at, and protobuf-c does not write them as they came. The
 * schema has no message that holds itself, so that the depth is bounded. */
static void forget_unknown (ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    message->n_unknown_fields = 0;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        uint8_t *base = (uint8_t *) message;
        void *value, *quantifier = base + field->quantifier_offset;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        memcpy (&value, base + field->offset, sizeof (value));
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count;
            memcpy (&count, quantifier, sizeof (count));
            for (size_t j = 0; j < count; j++) {
                forget_unknown (((ProtobufCMessage **) value)[j]);
            }
            continue;
        }
        /* The members of a oneof share one place; a number says which of them it is. */
        uint32_t which = field->id;
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
            memcpy (&which, quantifier, sizeof (which));
        }
        if (which == field->id && value != NULL) {
            forget_unknown (value);
        }
    }
}

/* Packs it again. */
static void pack (struct buf *out, const Cohort__Wire__ClientFrame *frame)
{
    size_t size = cohort__wire__client_frame__get_packed_size (frame);
    uint8_t *at = buf_extend (out, size);
    COHORT_ASSERT (at != NULL);
    COHORT_ASSERT (cohort__wire__client_frame__pack (frame, at) == size);
}

typedef const Cohort__Wire__ClientFrame *decode_fn (struct arena *arena, const uint8_t *data,
                                                    size_t size);

/* Decodes and packs; false: it is refused. */
static bool again (struct buf *out, decode_fn *decode, const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init (&arena, 1024, 0);
    const Cohort__Wire__ClientFrame *frame = decode (&arena, data, size);
    if (frame != NULL) {
        forget_unknown ((ProtobufCMessage *) (uintptr_t) frame);
        pack (out, frame);
    }
    arena_deinit (&arena);
    return frame != NULL;
}

static void assert_same (const struct buf *first, const struct buf *second)
{
    COHORT_ASSERT (second->size == first->size);
    COHORT_ASSERT (first->size == 0 || memcmp (first->data, second->data, first->size) == 0);
}

static void assert_read (const struct wire_client_read *read, const Cohort__Wire__Request *request)
{
    COHORT_ASSERT (request->op_case == (read->exists ? COHORT__WIRE__REQUEST__OP_EXISTS
                                                     : COHORT__WIRE__REQUEST__OP_GET));
    const Cohort__Wire__Read *op = read->exists ? request->exists : request->get;
    COHORT_ASSERT (request->xid == read->xid && request->number == 0 && request->ack_to == 0);
    COHORT_ASSERT (!request->linearizable && (op->watch != 0) == read->watch);
    COHORT_ASSERT (op->path.len == read->path_size);
    COHORT_ASSERT (read->path_size == 0 ||
                   memcmp (op->path.data, read->path, read->path_size) == 0);
}

/* What is taken from its front as reads is a frame of these reads, and of nothing else. */
static void check_reads (const uint8_t *data, size_t size)
{
    struct reader in;
    struct wire_client_read read;
    struct arena arena;
    size_t count = 0;
    reader_init (&in, data, size);
    while (wire_client_read_next (&in, &read)) {
        count++;
    }
    if (count == 0) {
        return;
    }
    arena_init (&arena, 1024, 0);
    size_t taken = size - reader_left (&in);
    const Cohort__Wire__ClientFrame *frame = wire_client_decode_general (&arena, data, taken);
    COHORT_ASSERT (frame != NULL && frame->n_requests == count);
    COHORT_ASSERT (frame->hello == NULL && frame->rearm == NULL && frame->heartbeat == NULL);
    reader_init (&in, data, taken);
    for (size_t i = 0; i < count; i++) {
        COHORT_ASSERT (wire_client_read_next (&in, &read));
        assert_read (&read, frame->requests[i]);
    }
    COHORT_ASSERT (reader_done (&in));
    arena_deinit (&arena);
}

static void one (const uint8_t *data, size_t size)
{
    struct buf first = {0}, second = {0};
    check_reads (data, size);
    bool good = again (&first, wire_client_decode, data, size);
    COHORT_ASSERT (again (&second, wire_client_decode_general, data, size) == good);
    assert_same (&first, &second);
    if (good) {
        /* What was packed is the same frame, and packing it gives nothing else. */
        buf_clear (&second);
        COHORT_ASSERT (again (&second, wire_client_decode, first.data, first.size));
        assert_same (&first, &second);
    }
    buf_deinit (&first);
    buf_deinit (&second);
}

static void add_requests (fuzz_seed_fn *add, void *arg)
{
    static const struct wire_op parts[] = {
        {.kind = WIRE_CHECK, .path = "/a", .version = 3},
        {.kind = WIRE_CHECK_CZXID, .path = "/a", .zxid = 5},
        {.kind = WIRE_CHECK_OWNER, .path = "/a", .zxid = 5, .session = 7},
        {.kind = WIRE_DELETE, .path = "/a/b", .version = -1},
        {.kind = WIRE_CHECK_ABSENT, .path = "/c"},
        {.kind = WIRE_ADD, .path = "/n", .delta = -1, .floor = INT64_MIN, .ceiling = 9},
        {.kind = WIRE_DELETE_TREE, .path = "/d", .version = -1, .limit = 7},
        {.kind = WIRE_CREATE, .path = "/t", .if_absent = true, .ttl_ms = 1000},
        {.kind = WIRE_SET_ACL, .path = "/a", .version = 2, .acl = "world:anyone:r"},
    };
    static const struct wire_request requests[] = {
        {.xid = 1, .number = 1, .op = {.kind = WIRE_CREATE, .path = "/a", .data = "x", .size = 1}},
        {.xid = 2, .number = 2, .ack_to = 1, .op = {.kind = WIRE_SET, .path = "/a", .data = "y"}},
        {.xid = 3, .number = 3, .op = {.kind = WIRE_MULTI}, .ops = parts, .ops_count = 9},
        {.xid = 4, .op = {.kind = WIRE_GET, .path = "/a", .watch = true}},
        {.xid = 5, .op = {.kind = WIRE_CHILDREN, .path = "/"}},
        {.xid = 6,
         .op = {.kind = WIRE_STREAM_OPEN, .path = "/a", .stream_id = 9, .zxid = 1, .flags = 7}},
        {.xid = 7, .op = {.kind = WIRE_STREAM_CLOSE, .stream_id = 9}},
        {.xid = 8, .op = {.kind = WIRE_SYNC}},
        {.xid = 9, .number = 4, .op = {.kind = WIRE_DELETE_TREE, .path = "/d", .version = -1}},
        {.xid = 10, .number = 5, .op = {.kind = WIRE_ADD, .path = "/n", .delta = 3}},
        {.xid = 11, .number = 6, .op = {.kind = WIRE_CLOSE}},
        {.xid = 12,
         .number = 7,
         .op = {.kind = WIRE_CREATE, .path = "/l", .acl = "auth::cdrwa\nip:10.0.0.0/8:r"}},
        {.xid = 13,
         .number = 8,
         .op = {.kind = WIRE_ADD_AUTH,
                .scheme = "digest-sha1",
                .user = "anna",
                .data = "secret",
                .size = 6}},
        {.xid = 14,
         .number = 9,
         .op = {.kind = WIRE_SET_ACL, .path = "/l", .inherited = true, .version = -1}},
        {.xid = 15, .number = 10, .op = {.kind = WIRE_SET_ADMINS, .acl = "ip:::1:cdrwa"}},
        {.xid = 16, .op = {.kind = WIRE_GET_ACL, .path = "/l", .inherited = true}},
        {.xid = 17, .op = {.kind = WIRE_GET_ADMINS}},
    };
    static const struct wire_request reads[] = {
        {.xid = 18, .op = {.kind = WIRE_GET, .path = "/a"}},
        {.xid = 300000, .op = {.kind = WIRE_EXISTS, .path = "/a/b", .watch = true}},
        {.xid = 300001, .op = {.kind = WIRE_GET, .path = "/a", .linearizable = true}},
    };
    enum { COUNT = sizeof (requests) / sizeof (requests[0]) };
    const struct wire_request *all[COUNT];
    struct arena scratch;
    struct buf out = {0};
    arena_init (&scratch, 4096, 0);
    for (size_t i = 0; i < COUNT; i++) {
        all[i] = &requests[i];
    }
    static const struct wire_taken taken[] = {{9, 70000}, {10, 1}};
    struct wire_words words = {12, taken, 2, all, COUNT, true};
    COHORT_ASSERT (wire_put_words (&out, &scratch, &words) == 0);
    add (arg, "requests", out.data, out.size);
    words = (struct wire_words){.requests = all, .request_count = COUNT};
    buf_clear (&out);
    COHORT_ASSERT (wire_put_words (&out, &scratch, &words) == 0);
    add (arg, "requests-alone", out.data, out.size);
    const struct wire_request *each[] = {&reads[0], &reads[1], &reads[2]};
    words = (struct wire_words){.requests = each, .request_count = 3};
    buf_clear (&out);
    COHORT_ASSERT (wire_put_words (&out, &scratch, &words) == 0);
    add (arg, "reads", out.data, out.size);
    arena_deinit (&scratch);
    buf_deinit (&out);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    static const struct wire_hello hello = {.session_id = 1, .attach_no = 2, .incarnation = 1};
    static const struct wire_watch watch = {WIRE_WATCH_DATA, "/a"};
    static const struct wire_stream stream = {9, 4, "/a", WIRE_STREAM_NO_SNAPSHOT};
    static const struct wire_rearm rearm = {
        .watches = &watch, .watch_count = 1, .streams = &stream, .stream_count = 1};
    struct arena scratch;
    struct buf out = {0};
    arena_init (&scratch, 4096, 0);
    COHORT_ASSERT (wire_put_hello (&out, &scratch, &hello) == 0);
    add (arg, "hello", out.data, out.size);
    buf_clear (&out);
    COHORT_ASSERT (wire_put_rearm (&out, &scratch, &rearm) == 0);
    add (arg, "rearm", out.data, out.size);
    buf_clear (&out);
    COHORT_ASSERT (wire_put_backup (&out, 4096, NULL) == 0);
    add (arg, "backup", out.data, out.size);
    buf_clear (&out);
    struct wire_op auth = {.scheme = "digest-sha1", .user = "anna", .data = "secret", .size = 6};
    COHORT_ASSERT (wire_put_backup (&out, 0, &auth) == 0);
    add (arg, "backup-auth", out.data, out.size);
    arena_deinit (&scratch);
    buf_deinit (&out);
    add_requests (add, arg);
}

const struct fuzz_target fuzz_target = {
    .name = "client-request",
    .size_max = 4096,
    .memory_base = 256 << 10,
    .memory_factor = 400,
    .one = one,
    .seeds = seeds,
};
