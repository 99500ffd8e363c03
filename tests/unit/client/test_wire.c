/* client.proto to and from plain structs: golden bytes, every message, malformed frames. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.pb-c.h"
#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "client/src/wire.h"
#include "tests/unit/client/ended.h"
#include "tests/unit/unit.h"

static struct arena scratch;
static struct buf out;

static int begin (void **state)
{
    (void) state;
    arena_init (&scratch, 4096, 0);
    buf_init (&out);
    return 0;
}

static int finish (void **state)
{
    (void) state;
    arena_deinit (&scratch);
    buf_deinit (&out);
    return 0;
}

/* ---- To the server --------------------------------------------------------------------------- */

static void test_golden_request (void **state)
{
    (void) state;
    struct wire_request set = {
        .xid = 5,
        .number = 3,
        .ack_to = 2,
        .op = {.kind = WIRE_SET, .path = "/a", .data = "xy", .size = 2, .version = -1}};
    const struct wire_request *requests[] = {&set};
    struct wire_words words = {.heartbeat = 9, .requests = requests, .request_count = 1};
    assert_int_equal (wire_put_words (&out, &scratch, &words), 0);
    static const uint8_t golden[] = {
        0x12, 0x02, 0x08, 0x09,             /* heartbeat { seq 9 } */
        0x22, 0x12,                         /* requests */
        0x08, 0x05, 0x10, 0x03, 0x18, 0x02, /* xid 5, number 3, ack_to 2 */
        0x32, 0x0a,                         /* set */
        0x0a, 0x02, '/',  'a',              /* path */
        0x12, 0x02, 'x',  'y',              /* data */
        0x18, 0x01,                         /* version -1, zigzag */
    };
    assert_int_equal (out.size, sizeof (golden));
    assert_memory_equal (out.data, golden, sizeof (golden));
    finish (NULL);
    begin (NULL);
}

static Cohort__Wire__ClientFrame *unpack (void)
{
    Cohort__Wire__ClientFrame *frame =
        cohort__wire__client_frame__unpack (ended_allocator (), out.size, out.data);
    assert_non_null (frame);
    return frame;
}

/* A plain request, written straight into the bytes, is what protobuf-c writes. */
static void test_plain_requests (void **state)
{
    (void) state;
    static const int32_t versions[] = {-1, 0, 1, 63, 64, INT32_MAX, INT32_MIN};
    static const enum wire_kind kinds[] = {WIRE_CREATE, WIRE_DELETE, WIRE_SET,
                                           WIRE_EXISTS, WIRE_GET,    WIRE_COUNT};
    struct prng prng;
    prng_seed (&prng, 7);
    for (int round = 0; round < 2000; round++) {
        static uint8_t data[20000];
        char path[300];
        size_t length = 1 + prng_below (&prng, sizeof (path) - 2);
        memset (path, 'p', length);
        path[0] = '/';
        path[length] = '\0';
        enum wire_kind kind = kinds[prng_below (&prng, 6)];
        bool write = wire_is_write (kind);
        struct wire_request request = {
            .xid = 1 + (prng_u64 (&prng) >> prng_below (&prng, 64)) / 2,
            .number = write ? 1 + prng_below (&prng, 1000) : 0,
            .ack_to = write ? prng_below (&prng, 1000) : 0,
            .op = {.kind = kind, .path = path, .version = versions[prng_below (&prng, 7)]}};
        /* Reads and deletes have no data, and writes no watch, whatever the struct holds. */
        request.op.data = data;
        request.op.size = prng_below (&prng, sizeof (data)) >> prng_below (&prng, 16);
        request.op.mode = (uint32_t) prng_below (&prng, 5);
        request.op.if_absent = prng_below (&prng, 2) != 0;
        request.op.ttl_ms = prng_below (&prng, 2) * 1000;
        request.op.watch = prng_below (&prng, 2) != 0;
        request.op.linearizable = !write && prng_below (&prng, 2) != 0;
        const struct wire_request *requests[] = {&request, &request};
        struct wire_words words = {.requests = requests, .request_count = 2};
        buf_clear (&out);
        assert_int_equal (wire_put_words (&out, &scratch, &words), 0);
        Cohort__Wire__ClientFrame *frame = unpack ();
        assert_int_equal (frame->n_requests, 2);
        assert_int_equal (frame->requests[1]->xid, request.xid);
        uint8_t *packed = malloc (out.size);
        assert_int_equal (cohort__wire__client_frame__get_packed_size (frame), out.size);
        assert_int_equal (cohort__wire__client_frame__pack (frame, packed), out.size);
        assert_memory_equal (packed, out.data, out.size);
        free (packed);
        cohort__wire__client_frame__free_unpacked (frame, ended_allocator ());
    }
}

static void test_all_requests (void **state)
{
    (void) state;
    static const struct wire_op ops[] = {
        {.kind = WIRE_CREATE, .path = "/c", .data = "d", .size = 1, .mode = 3},
        {.kind = WIRE_DELETE, .path = "/d", .version = 4},
        {.kind = WIRE_SET, .path = "/s", .version = 5},
        {.kind = WIRE_CHECK, .path = "/k", .version = 6},
        {.kind = WIRE_CHECK_CZXID, .path = "/z", .zxid = 7},
        {.kind = WIRE_CHECK_OWNER, .path = "/o", .session = 8, .zxid = 9},
    };
    struct wire_request all[] = {
        {.number = 1, .op = ops[0]},
        {.number = 2, .op = ops[1]},
        {.number = 3, .op = {.kind = WIRE_MULTI}, .ops = ops, .ops_count = 6},
        {.number = 4, .op = {.kind = WIRE_CLOSE}},
        {.op = {.kind = WIRE_EXISTS, .path = "/e", .watch = true}},
        {.op = {.kind = WIRE_GET, .path = "/g"}},
        {.op = {.kind = WIRE_CHILDREN, .path = "/h"}},
        {.op = {.kind = WIRE_SYNC}},
        {.op = {.kind = WIRE_STREAM_OPEN, .path = "/t", .stream_id = 10, .zxid = 11}},
        {.op = {.kind = WIRE_STREAM_CLOSE, .stream_id = 12}},
    };
    const struct wire_request *requests[10];
    for (size_t i = 0; i < 10; i++) {
        all[i].xid = i + 1;
        requests[i] = &all[i];
    }
    struct wire_taken taken[] = {{13, 14}, {15, UINT64_MAX}};
    struct wire_words words = {
        .requests = requests, .request_count = 10, .taken = taken, .taken_count = 2};
    assert_int_equal (wire_put_words (&out, &scratch, &words), 0);
    Cohort__Wire__ClientFrame *frame = unpack ();
    assert_null (frame->heartbeat);
    assert_int_equal (frame->n_taken, 2);
    assert_int_equal (frame->taken[0]->stream_id, 13);
    assert_int_equal (frame->taken[1]->bytes, UINT64_MAX);
    assert_int_equal (frame->n_requests, 10);
    assert_int_equal (frame->requests[0]->create->mode, 3);
    assert_int_equal (frame->requests[1]->delete_->version, 4);
    Cohort__Wire__Multi *multi = frame->requests[2]->multi;
    assert_int_equal (multi->n_ops, 6);
    assert_string_equal (ended (multi->ops[0]->create->path), "/c");
    assert_int_equal (multi->ops[1]->delete_->version, 4);
    assert_int_equal (multi->ops[2]->set->version, 5);
    assert_int_equal (multi->ops[3]->check->version, 6);
    assert_int_equal (multi->ops[4]->check->czxid, 7);
    assert_int_equal (multi->ops[5]->check->owner->session, 8);
    assert_int_equal (multi->ops[5]->check->owner->ozxid, 9);
    assert_int_equal (frame->requests[3]->op_case, COHORT__WIRE__REQUEST__OP_CLOSE);
    assert_true (frame->requests[4]->exists->watch);
    assert_string_equal (ended (frame->requests[5]->get->path), "/g");
    assert_string_equal (ended (frame->requests[6]->children->path), "/h");
    assert_int_equal (frame->requests[7]->op_case, COHORT__WIRE__REQUEST__OP_SYNC);
    assert_int_equal (frame->requests[8]->stream_open->stream_id, 10);
    assert_int_equal (frame->requests[8]->stream_open->from_zxid, 11);
    assert_int_equal (frame->requests[9]->stream_close->stream_id, 12);
    cohort__wire__client_frame__free_unpacked (frame, ended_allocator ());
}

static void test_hello_and_rearm (void **state)
{
    (void) state;
    struct wire_hello hello = {.cluster_known = true,
                               .session_id = 2,
                               .timeout_ms = 3,
                               .grace_ms = 4,
                               .attach_no = 5,
                               .incarnation = 6,
                               .last_zxid = 7,
                               .next_number = 8};
    hello.cluster_id[0] = 1;
    assert_int_equal (wire_put_hello (&out, &scratch, &hello), 0);
    Cohort__Wire__ClientFrame *frame = unpack ();
    assert_int_equal (frame->hello->magic, 0x43485254);
    assert_int_equal (frame->hello->cluster_id.data[0], 1);
    assert_int_equal (frame->hello->session_id, 2);
    assert_int_equal (frame->hello->next_number, 8);
    cohort__wire__client_frame__free_unpacked (frame, ended_allocator ());
    buf_clear (&out);
    struct wire_watch watches[] = {{WIRE_WATCH_DATA, "/a"}, {WIRE_WATCH_CHILDREN, "/b"}};
    struct wire_stream streams[] = {{3, 4, "/c", WIRE_STREAM_SHALLOW}};
    struct wire_rearm rearm = {9, watches, 2, streams, 1, true};
    assert_int_equal (wire_put_rearm (&out, &scratch, &rearm), 0);
    frame = unpack ();
    assert_int_equal (frame->rearm->last_zxid, 9);
    assert_int_equal (frame->rearm->watches[1]->kind, 3);
    assert_string_equal (ended (frame->rearm->streams[0]->path), "/c");
    assert_int_equal (frame->rearm->streams[0]->flags, 4);
    assert_true (frame->rearm->more);
    cohort__wire__client_frame__free_unpacked (frame, ended_allocator ());
}

static void test_size_is_enough (void **state)
{
    (void) state;
    struct wire_op ops[] = {
        {.kind = WIRE_CHECK_OWNER, .path = "/o", .session = UINT64_MAX, .zxid = UINT64_MAX},
        {.kind = WIRE_CREATE,
         .path = "/c",
         .data = "d",
         .size = 1,
         .mode = 7,
         .if_absent = true,
         .ttl_ms = UINT64_MAX},
        {.kind = WIRE_DELETE_TREE, .path = "/d", .version = INT32_MIN, .limit = UINT32_MAX},
        {.kind = WIRE_ADD,
         .path = "/a",
         .delta = INT64_MIN,
         .floor = INT64_MIN,
         .ceiling = INT64_MAX}};
    struct wire_request multi = {.xid = UINT64_MAX,
                                 .number = UINT64_MAX,
                                 .ack_to = UINT64_MAX,
                                 .op = {.kind = WIRE_MULTI},
                                 .ops = ops,
                                 .ops_count = 4};
    const struct wire_request *requests[] = {&multi};
    struct wire_words words = {.requests = requests, .request_count = 1};
    assert_int_equal (wire_put_words (&out, &scratch, &words), 0);
    assert_true (out.size <= wire_request_size (&multi));
}

static void test_encode_out_of_memory (void **state)
{
    (void) state;
    struct wire_op ops[] = {{.kind = WIRE_CHECK_OWNER, .path = "/o"},
                            {.kind = WIRE_DELETE, .path = "/o"}};
    struct wire_request multi = {
        .xid = 1, .number = 1, .op = {.kind = WIRE_MULTI}, .ops = ops, .ops_count = 2};
    const struct wire_request *requests[] = {&multi};
    struct wire_taken taken[] = {{1, 2}};
    struct wire_words words = {1, taken, 1, requests, 1, true};
    struct wire_watch watches[] = {{WIRE_WATCH_DATA, "/a"}};
    struct wire_rearm rearm = {9, watches, 1, NULL, 0, false};
    for (uint64_t n = 1;; n++) {
        finish (NULL);
        arena_init (&scratch, 16, 0);
        mem_fail_at (n);
        int rc = wire_put_words (&out, &scratch, &words);
        size_t size = out.size;
        rc = rc == 0 ? wire_put_rearm (&out, &scratch, &rearm) : rc;
        if (!mem_fail_clear ()) {
            assert_int_equal (rc, 0);
            break;
        }
        assert_int_equal (rc, COHORT_ENOMEM);
        assert_int_equal (out.size, size);
    }
}

/* ---- From the server ------------------------------------------------------------------------- */

static uint8_t *pack (const Cohort__Wire__ServerFrame *frame, size_t *size)
{
    *size = cohort__wire__server_frame__get_packed_size (frame);
    uint8_t *bytes = malloc (*size + 1);
    cohort__wire__server_frame__pack (frame, bytes);
    return bytes;
}

/* One frame with everything in it. */
static uint8_t *full_frame (size_t *size)
{
    static uint8_t cluster[16] = {1, 2};
    static char *children[] = {"x", "y"};
    Cohort__Wire__Welcome welcome = COHORT__WIRE__WELCOME__INIT;
    welcome.version = 1;
    welcome.cluster_id = (ProtobufCBinaryData){16, cluster};
    welcome.session_id = 2;
    welcome.timeout_ms = 3;
    welcome.grace_ms = 4;
    welcome.last_number = 5;
    welcome.window = 6;
    welcome.attach_no = 7;
    welcome.credit_bytes = 8;
    Cohort__Wire__Refused refused = COHORT__WIRE__REFUSED__INIT;
    refused.code = -9;
    refused.text = "text";
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    stat.czxid = 10;
    stat.ctime_ms = 11;
    stat.version = -12;
    stat.child_count = 13;
    Cohort__Wire__OpResult result = COHORT__WIRE__OP_RESULT__INIT;
    Cohort__Wire__OpResult *results[] = {&result};
    result.code = -14;
    result.path = "/r";
    result.stat = &stat;
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    reply.xid = 15;
    reply.number = 16;
    reply.zxid = 17;
    reply.path = "/p";
    reply.data = (ProtobufCBinaryData){3, (uint8_t *) (uintptr_t) "abc"};
    reply.stat = &stat;
    reply.children = children;
    reply.n_children = 2;
    reply.results = results;
    reply.n_results = 1;
    Cohort__Wire__WatchEvent event = COHORT__WIRE__WATCH_EVENT__INIT;
    event.type = 3;
    event.path = "/e";
    event.zxid = 18;
    event.kind = COHORT__WIRE__WATCH_KIND__WATCH_DATA;
    Cohort__Wire__Change change = COHORT__WIRE__CHANGE__INIT;
    Cohort__Wire__Change *changes[] = {&change};
    change.kind = 1;
    change.path = "/c";
    change.stat = &stat;
    Cohort__Wire__StreamBatch batch = COHORT__WIRE__STREAM_BATCH__INIT;
    batch.stream_id = 19;
    batch.zxid = 20;
    batch.snapshot = batch.first = batch.more = 1;
    batch.changes = changes;
    batch.n_changes = 1;
    Cohort__Wire__Item items[4] = {COHORT__WIRE__ITEM__INIT, COHORT__WIRE__ITEM__INIT,
                                   COHORT__WIRE__ITEM__INIT, COHORT__WIRE__ITEM__INIT};
    Cohort__Wire__Item *list[] = {&items[0], &items[1], &items[2], &items[3]};
    items[0].item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    items[0].reply = &reply;
    /* items[1]: of a kind that this version does not know */
    items[2].item_case = COHORT__WIRE__ITEM__ITEM_EVENT;
    items[2].event = &event;
    items[3].item_case = COHORT__WIRE__ITEM__ITEM_BATCH;
    items[3].batch = &batch;
    Cohort__Wire__Held held = COHORT__WIRE__HELD__INIT;
    held.reason = "held";
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.welcome = &welcome;
    frame.refused = &refused;
    frame.items = list;
    frame.n_items = 4;
    frame.held = &held;
    frame.zxid = 21;
    frame.confirmed = 22;
    return pack (&frame, size);
}

static void test_decode (void **state)
{
    (void) state;
    size_t size;
    uint8_t *bytes = full_frame (&size);
    struct wire_frame *frame = NULL;
    assert_int_equal (wire_decode (bytes, size, &frame), 0);
    /* Nothing of it is borrowed from the input. */
    memset (bytes, 0xee, size);
    free (bytes);
    assert_int_equal (frame->welcome->session_id, 2);
    assert_int_equal (frame->welcome->cluster_id[1], 2);
    assert_int_equal (frame->welcome->credit_bytes, 8);
    assert_int_equal (frame->refused->code, -9);
    assert_string_equal (frame->held, "held");
    assert_int_equal (frame->zxid, 21);
    assert_int_equal (frame->confirmed, 22);
    assert_int_equal (frame->item_count, 3);
    const struct wire_reply *reply = frame->items[0].u.reply;
    assert_int_equal (reply->xid, 15);
    assert_string_equal (reply->path, "/p");
    assert_memory_equal (reply->data, "abc", 3);
    assert_int_equal (reply->stat->version, -12);
    assert_int_equal (reply->more->children.count, 2);
    assert_string_equal (reply->more->children.items[1], "y");
    assert_int_equal (reply->more->ops[0].rc, -14);
    assert_string_equal (reply->more->ops[0].path, "/r");
    assert_int_equal (reply->more->ops[0].stat.child_count, 13);
    assert_int_equal (frame->items[1].u.event->type, COHORT_EVENT_CHANGED);
    const struct wire_batch *batch = frame->items[2].u.batch;
    assert_int_equal (batch->stream_id, 19);
    assert_true (batch->batch.snapshot && batch->batch.first && batch->batch.more);
    assert_int_equal (batch->batch.changes[0].stat.czxid, 10);
    wire_frame_retain (frame);
    wire_frame_release (frame);
    assert_int_equal (frame->zxid, 21);
    wire_frame_release (frame);
    wire_frame_release (NULL);
}

static void test_decode_nothing (void **state)
{
    (void) state;
    struct wire_frame *frame = NULL;
    assert_int_equal (wire_decode (NULL, 0, &frame), 0);
    assert_null (frame->welcome);
    assert_null (frame->held);
    assert_int_equal (frame->item_count, 0);
    wire_frame_release (frame);
}

static void test_decode_out_of_memory (void **state)
{
    (void) state;
    size_t size;
    uint8_t *bytes = full_frame (&size);
    for (uint64_t n = 1;; n++) {
        struct wire_frame *frame = NULL;
        mem_fail_at (n);
        int rc = wire_decode (bytes, size, &frame);
        if (!mem_fail_clear ()) {
            assert_int_equal (rc, 0);
            wire_frame_release (frame);
            break;
        }
        assert_int_equal (rc, COHORT_ENOMEM);
        assert_null (frame);
    }
    free (bytes);
}

/* Replies to single operations are read where they lie, in a copy of the frame. */
static void test_plain_replies (void **state)
{
    (void) state;
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    Cohort__Wire__Reply get = COHORT__WIRE__REPLY__INIT, create = COHORT__WIRE__REPLY__INIT;
    Cohort__Wire__Item items[2] = {COHORT__WIRE__ITEM__INIT, COHORT__WIRE__ITEM__INIT};
    Cohort__Wire__Item *list[] = {&items[0], &items[1]};
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    stat.version = -3;
    stat.ttl_ms = 1000;
    get.xid = 300;
    get.zxid = 7;
    get.data = (ProtobufCBinaryData){3, (uint8_t *) "abc"};
    get.stat = &stat;
    create.xid = 301;
    create.number = 2;
    create.code = COHORT_ENODEEXISTS;
    create.path = "/made";
    create.value = -5;
    create.existed = true;
    items[0].item_case = items[1].item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    items[0].reply = &get;
    items[1].reply = &create;
    frame.items = list;
    frame.n_items = 2;
    frame.zxid = 9;
    size_t size;
    uint8_t *bytes = pack (&frame, &size);
    for (uint64_t n = 1;; n++) {
        struct wire_frame *decoded = NULL;
        mem_fail_at (n);
        int rc = wire_decode (bytes, size, &decoded);
        if (mem_fail_clear ()) {
            assert_int_equal (rc, COHORT_ENOMEM);
            continue;
        }
        assert_int_equal (rc, 0);
        memset (bytes, 0xee, size);
        free (bytes);
        assert_int_equal (decoded->zxid, 9);
        assert_int_equal (decoded->item_count, 2);
        const struct wire_reply *reply = decoded->items[0].u.reply;
        assert_int_equal (reply->xid, 300);
        assert_int_equal (reply->zxid, 7);
        assert_memory_equal (reply->data, "abc", 3);
        assert_int_equal (reply->stat->version, -3);
        assert_int_equal (reply->stat->ttl_ms, 1000);
        reply = decoded->items[1].u.reply;
        assert_int_equal (reply->code, COHORT_ENODEEXISTS);
        assert_string_equal (reply->path, "/made");
        assert_string_equal (reply->more->detail, "");
        assert_int_equal (reply->value, -5);
        assert_true (reply->existed);
        assert_null (reply->stat);
        wire_frame_release (decoded);
        break;
    }
}

/* Servers write fields in one order, but readers of protobuf have to take any, and of a field that
 * comes twice the last. */
static void test_replies_in_any_order (void **state)
{
    (void) state;
    static const uint8_t bytes[] = {
        0x1a, 44,   0x0a, 42,                     /* an item, its reply */
        0x19, 7,    0,    0,    0,    0, 0, 0, 0, /* zxid before xid */
        0x08, 0x85, 0x80, 0x00,                   /* xid, with more bytes than it needs */
        0x10, 0x01, 0x10, 0x03,                   /* code, twice */
        0x32, 23,                                 /* the stat, with mzxid before czxid */
        0x11, 5,    0,    0,    0,    0, 0, 0, 0, /* */
        0x09, 4,    0,    0,    0,    0, 0, 0, 0, /* */
        0x58, 1,    0x58, 2,    0x30,             /* data_size, twice; version */
    };
    struct wire_frame *frame = NULL;
    assert_int_equal (wire_decode (bytes, sizeof (bytes), &frame), COHORT_EPROTOCOL);
    uint8_t whole[sizeof (bytes) + 1];
    memcpy (whole, bytes, sizeof (bytes));
    whole[sizeof (bytes)] = 6;
    whole[1] = 45;
    whole[3] = 43;
    whole[22] = 24;
    assert_int_equal (wire_decode (whole, sizeof (whole), &frame), 0);
    assert_int_equal (frame->item_count, 1);
    const struct wire_reply *reply = frame->items[0].u.reply;
    assert_int_equal (reply->xid, 5);
    assert_int_equal (reply->zxid, 7);
    assert_int_equal (reply->code, -2);
    assert_non_null (reply->stat);
    assert_int_equal (reply->stat->czxid, 4);
    assert_int_equal (reply->stat->mzxid, 5);
    assert_int_equal (reply->stat->data_size, 2);
    assert_int_equal (reply->stat->version, 3);
    wire_frame_release (frame);
}

/* Every prefix, and many frames with a byte changed: an error or a frame, never a crash. */
static void test_decode_damaged (void **state)
{
    (void) state;
    size_t size;
    uint8_t *bytes = full_frame (&size);
    struct prng prng;
    prng_seed (&prng, 1);
    for (size_t i = 0; i < size + 20000; i++) {
        size_t length = i < size ? i : size;
        uint8_t *copy = malloc (length + 1);
        memcpy (copy, bytes, length);
        for (int flips = 0; i >= size && flips < 3; flips++) {
            copy[prng_below (&prng, length)] = (uint8_t) prng_u64 (&prng);
        }
        struct wire_frame *frame = NULL;
        int rc = wire_decode (copy, length, &frame);
        assert_true (rc == 0 || rc == COHORT_EPROTOCOL);
        assert_true ((rc == 0) == (frame != NULL));
        wire_frame_release (frame);
        free (copy);
    }
    free (bytes);
}

static void refuse_item (Cohort__Wire__Item *item)
{
    Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
    frame.items = &item;
    frame.n_items = 1;
    size_t size;
    uint8_t *bytes = pack (&frame, &size);
    struct wire_frame *decoded = NULL;
    assert_int_equal (wire_decode (bytes, size, &decoded), COHORT_EPROTOCOL);
    free (bytes);
}

static void test_decode_nonsense (void **state)
{
    (void) state;
    Cohort__Wire__Item item = COHORT__WIRE__ITEM__INIT;
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_REPLY;
    item.reply = &reply;
    refuse_item (&item); /* xid 0 */
    reply.xid = 1;
    reply.code = 1;
    refuse_item (&item);
    Cohort__Wire__WatchEvent event = COHORT__WIRE__WATCH_EVENT__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_EVENT;
    item.event = &event;
    event.path = "/a";
    event.kind = COHORT__WIRE__WATCH_KIND__WATCH_DATA;
    refuse_item (&item); /* type 0 */
    event.type = 5;
    refuse_item (&item);
    event.type = 3;
    event.path = "a";
    refuse_item (&item);
    event.path = "/a";
    event.kind = COHORT__WIRE__WATCH_KIND__WATCH_NONE;
    refuse_item (&item);
    Cohort__Wire__StreamBatch batch = COHORT__WIRE__STREAM_BATCH__INIT;
    item.item_case = COHORT__WIRE__ITEM__ITEM_BATCH;
    item.batch = &batch;
    refuse_item (&item); /* stream 0 */
}

static void test_decode_welcome_nonsense (void **state)
{
    (void) state;
    static uint8_t cluster[16];
    for (int i = 0; i < 5; i++) {
        Cohort__Wire__Welcome welcome = COHORT__WIRE__WELCOME__INIT;
        welcome.cluster_id = (ProtobufCBinaryData){i == 0 ? 15 : 16, cluster};
        welcome.session_id = i == 1 ? 0 : 1;
        welcome.timeout_ms = i == 2 ? 0 : 1;
        welcome.grace_ms = i == 3 ? 0xffffffff : 1;
        welcome.attach_no = i == 4 ? 0 : 1;
        Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
        frame.welcome = &welcome;
        size_t size;
        uint8_t *bytes = pack (&frame, &size);
        struct wire_frame *decoded = NULL;
        assert_int_equal (wire_decode (bytes, size, &decoded), COHORT_EPROTOCOL);
        free (bytes);
    }
}

static void test_backup (void **state)
{
    (void) state;
    assert_int_equal (wire_put_backup (&out, 300, NULL), 0);
    static const uint8_t golden[] = {0x3a, 0x03, 0x08, 0xac, 0x02}; /* backup { received 300 } */
    assert_int_equal (out.size, sizeof (golden));
    assert_memory_equal (out.data, golden, sizeof (golden));
    buf_clear (&out);
    struct wire_op auth = {.scheme = "s", .user = "u", .data = "c", .size = 1};
    assert_int_equal (wire_put_backup (&out, 0, &auth), 0);
    static const uint8_t proven[] = {0x3a, 0x0b, 0x12, 0x09, 0x0a, 0x01, 's',
                                     0x12, 0x01, 'u',  0x1a, 0x01, 'c'};
    assert_int_equal (out.size, sizeof (proven));
    assert_memory_equal (out.data, proven, sizeof (proven));
    for (int i = 0; i < 4; i++) {
        Cohort__Wire__BackupPart part = COHORT__WIRE__BACKUP_PART__INIT;
        part.size = i == 1 ? 8 : 9; /* the data does not fit */
        part.offset = i == 2 ? 10 : 4;
        part.data = (ProtobufCBinaryData){5, (uint8_t *) "piece"};
        part.code = i == 3 ? 1 : 0;
        part.zxid = 77;
        part.sum = 78;
        Cohort__Wire__ServerFrame frame = COHORT__WIRE__SERVER_FRAME__INIT;
        frame.backup = &part;
        size_t size;
        uint8_t *bytes = pack (&frame, &size);
        struct wire_frame *decoded = NULL;
        assert_int_equal (wire_decode (bytes, size, &decoded), i == 0 ? 0 : COHORT_EPROTOCOL);
        free (bytes);
        if (i == 0) {
            const struct wire_backup *backup = decoded->backup;
            assert_non_null (backup);
            assert_int_equal (backup->size, 9);
            assert_int_equal (backup->offset, 4);
            assert_int_equal (backup->data_size, 5);
            assert_memory_equal (backup->data, "piece", 5);
            assert_int_equal (backup->zxid, 77);
            assert_int_equal (backup->sum, 78);
            wire_frame_release (decoded);
        }
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST (test_golden_request),          TEST (test_all_requests),
        TEST (test_plain_requests),          TEST (test_plain_replies),
        TEST (test_hello_and_rearm),         TEST (test_size_is_enough),
        TEST (test_encode_out_of_memory),    TEST (test_decode),
        TEST (test_decode_nothing),          TEST (test_decode_out_of_memory),
        TEST (test_decode_damaged),          TEST (test_decode_nonsense),
        TEST (test_decode_welcome_nonsense), TEST (test_backup),
        TEST (test_replies_in_any_order),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
