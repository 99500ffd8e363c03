/* What a client decodes from a server: any bytes. It is what protobuf-c makes of them, and
 * everything that it points to is there. */

#include <string.h>

#include "client/src/wire.h"
#include "server/node/wire_client.h"
#include "server/tree/entry.h"
#include "server/tree/result.h"
#include "tests/fuzz/fuzz.h"

/* ---- Everything in a frame, as bytes --------------------------------------------------------- */

static void dump_string (struct buf *out, const char *string)
{
    buf_u8 (out, string != NULL);
    if (string != NULL) {
        buf_string (out, string);
    }
}

static void dump_stat (struct buf *out, const cohort_stat_t *stat)
{
    buf_u8 (out, stat != NULL);
    if (stat != NULL) {
        result_stat_encode (out, stat);
    }
}

static void dump_reply (struct buf *out, const struct wire_reply *reply)
{
    COHORT_ASSERT (reply->xid > 0);
    COHORT_ASSERT (reply->code <= 0);
    COHORT_ASSERT (reply->path != NULL);
    buf_u64 (out, reply->xid);
    buf_u64 (out, reply->number);
    buf_u64 (out, reply->more->expected);
    buf_u64 (out, reply->zxid);
    buf_i32 (out, reply->code);
    dump_string (out, reply->path);
    buf_blob (out, reply->data, reply->size);
    dump_stat (out, reply->stat);
    for (size_t i = 0; i < reply->more->children.count; i++) {
        dump_string (out, reply->more->children.items[i]);
    }
    for (size_t i = 0; i < reply->more->listed_count; i++) {
        dump_string (out, reply->more->listed[i].name);
        buf_blob (out, reply->more->listed[i].data, reply->more->listed[i].size);
        dump_stat (out, &reply->more->listed[i].stat);
    }
    dump_string (out, reply->more->next);
    dump_string (out, reply->more->detail);
    dump_string (out, reply->more->quota_path);
    buf_u64 (out, (uint64_t) reply->value);
    buf_u8 (out, reply->existed);
    for (size_t i = 0; i < reply->more->ops_count; i++) {
        COHORT_ASSERT (reply->more->ops[i].rc <= 0);
        buf_i32 (out, reply->more->ops[i].rc);
        dump_string (out, reply->more->ops[i].path);
        dump_stat (out, &reply->more->ops[i].stat);
    }
}

static void dump_event (struct buf *out, const struct wire_event *event)
{
    COHORT_ASSERT (event->path[0] == '/');
    COHORT_ASSERT (event->kind >= WIRE_WATCH_DATA);
    COHORT_ASSERT (event->kind <= WIRE_WATCH_CHILDREN);
    buf_u32 (out, (uint32_t) event->type);
    buf_u32 (out, (uint32_t) event->kind);
    dump_string (out, event->path);
    buf_u64 (out, event->zxid);
}

static void dump_batch (struct buf *out, const struct wire_batch *batch)
{
    COHORT_ASSERT (batch->stream_id > 0);
    COHORT_ASSERT (batch->batch.changes == batch->changes);
    buf_u64 (out, batch->stream_id);
    buf_u64 (out, batch->batch.zxid);
    buf_u8 (out, (uint8_t) (batch->batch.snapshot | batch->batch.first << 1));
    buf_u8 (out, (uint8_t) batch->batch.more);
    for (size_t i = 0; i < batch->batch.count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        COHORT_ASSERT (change->path[0] == '/');
        buf_u32 (out, (uint32_t) change->kind);
        dump_string (out, change->path);
        buf_blob (out, change->data, change->size);
        dump_stat (out, &change->stat);
    }
}

static void dump_head (struct buf *out, const struct wire_frame *frame)
{
    if (frame->welcome != NULL) {
        const struct wire_welcome *welcome = frame->welcome;
        COHORT_ASSERT (welcome->session_id > 0);
        COHORT_ASSERT (welcome->timeout_ms > 0);
        COHORT_ASSERT (welcome->attach_no > 0);
        buf_u32 (out, welcome->version);
        buf_append (out, welcome->cluster_id, sizeof (welcome->cluster_id));
        buf_u64 (out, welcome->session_id);
        buf_u64 (out, welcome->last_number);
        buf_u64 (out, welcome->attach_no);
        buf_u64 (out, welcome->credit_bytes);
        buf_u32 (out, welcome->window);
    }
    if (frame->refused != NULL) {
        buf_i32 (out, frame->refused->code);
        dump_string (out, frame->refused->text);
        dump_string (out, frame->refused->redirect);
    }
    if (frame->backup != NULL) {
        const struct wire_backup *backup = frame->backup;
        COHORT_ASSERT (backup->code <= 0);
        COHORT_ASSERT (backup->data_size <= backup->size);
        buf_u64 (out, backup->size);
        buf_u64 (out, backup->zxid);
        buf_u64 (out, backup->offset);
        buf_u64 (out, backup->sum);
        buf_i32 (out, backup->code);
        buf_blob (out, backup->data, backup->data_size);
        dump_string (out, backup->text);
    }
    dump_string (out, frame->held);
    buf_u64 (out, frame->zxid);
    buf_u64 (out, frame->confirmed);
}

static void dump_frame (struct buf *out, const struct wire_frame *frame)
{
    dump_head (out, frame);
    for (size_t i = 0; i < frame->item_count; i++) {
        const struct wire_item *item = &frame->items[i];
        buf_u8 (out, (uint8_t) item->kind);
        switch (item->kind) {
        case WIRE_ITEM_REPLY:
            dump_reply (out, item->u.reply);
            break;
        case WIRE_ITEM_EVENT:
            dump_event (out, item->u.event);
            break;
        case WIRE_ITEM_BATCH:
            dump_batch (out, item->u.batch);
            break;
        }
    }
}

typedef int decode_fn (const void *data, size_t size, struct wire_frame **frame);

static int decode (struct buf *out, decode_fn *fn, const uint8_t *data, size_t size)
{
    struct wire_frame *frame = NULL;
    int rc = fn (data, size, &frame);
    COHORT_ASSERT (rc == COHORT_OK || rc == COHORT_EPROTOCOL);
    COHORT_ASSERT ((rc == COHORT_OK) == (frame != NULL));
    if (frame != NULL) {
        dump_frame (out, frame);
    }
    wire_frame_release (frame);
    return rc;
}

static void one (const uint8_t *data, size_t size)
{
    struct buf first = {0}, second = {0};
    int rc = decode (&first, wire_decode, data, size);
    COHORT_ASSERT (decode (&second, wire_decode_general, data, size) == rc);
    COHORT_ASSERT (first.size == second.size);
    COHORT_ASSERT (first.size == 0 || memcmp (first.data, second.data, first.size) == 0);
    buf_deinit (&first);
    buf_deinit (&second);
}

/* ---- Seeds: what servers write --------------------------------------------------------------- */

/* Replies to single operations, and nothing else. */
static void put_replies (struct buf *out)
{
    static const cohort_stat_t stat = {.czxid = 1, .version = -4, .mode = 1, .ttl_ms = 5};
    struct wire_client_reply reply = {.xid = 1, .zxid = 5};
    struct wire_mark mark = wire_client_reply_begin (out, &reply, 4);
    wire_client_reply_stat (out, &stat);
    wire_client_reply_data (out, (const uint8_t *) "data", 4);
    wire_client_item_end (out, mark);
    wire_client_reply_znode (out, 200000, 6, &stat, (const uint8_t *) "data", 4);
    struct buf result = {0};
    struct reader ops;
    struct result_op op = {
        .has_path = true, .path = "/a", .path_size = 2, .has_value = true, .value = -7};
    result_op_encode (&result, &op);
    reader_init (&ops, result.data, result.size);
    reply = (struct wire_client_reply){.xid = 300, .number = 1, .code = COHORT_ENONODE};
    mark = wire_client_reply_begin (out, &reply, 300);
    COHORT_ASSERT (wire_client_reply_result (out, &ops, 1, false));
    wire_client_item_end (out, mark);
    wire_client_seen (out, 7, 3);
    buf_deinit (&result);
}

static void put_items (struct buf *out)
{
    static const cohort_stat_t stat = {.czxid = 1, .mzxid = 2, .pzxid = 3, .version = 4};
    struct wire_client_reply reply = {.xid = 1, .zxid = 5};
    struct wire_mark mark = wire_client_reply_begin (out, &reply, 100);
    wire_client_reply_data (out, (const uint8_t *) "data", 4);
    wire_client_reply_stat (out, &stat);
    wire_client_reply_name (out, "child", 5);
    wire_client_item_end (out, mark);

    mark = wire_client_reply_begin (out, &reply, 100);
    wire_client_reply_child (out, "child", 5, &stat, (const uint8_t *) "data", 4, false);
    wire_client_reply_child (out, "secret", 6, &stat, NULL, 4, true);
    wire_client_reply_next (out, "child", 5);
    wire_client_item_end (out, mark);

    struct buf result = {0};
    struct result_op op = {.has_path = true,
                           .path = "/a",
                           .path_size = 2,
                           .has_stat = true,
                           .stat = stat,
                           .has_value = true,
                           .value = -7,
                           .existed = true};
    result_op_encode (&result, &op);
    reply = (struct wire_client_reply){.xid = 2, .number = 1, .code = COHORT_EGAP, .expected = 3};
    mark = wire_client_reply_begin (out, &reply, 200);
    struct reader ops;
    reader_init (&ops, result.data, result.size);
    COHORT_ASSERT (wire_client_reply_result (out, &ops, 1, true));
    wire_client_item_end (out, mark);
    buf_deinit (&result);

    reply = (struct wire_client_reply){.xid = 3, .zxid = 5};
    mark = wire_client_reply_begin (out, &reply, 0);
    wire_client_reply_acl (out, 31, "digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    wire_client_reply_acl (out, 1, "world", "anyone");
    wire_client_item_end (out, mark);

    wire_client_event (out, WATCH_DATA, COHORT_EVENT_CHANGED, "/a", 2, 6);
    struct wire_client_batch batch = {.stream = 9, .zxid = 7, .snapshot = true, .first = true};
    mark = wire_client_batch_begin (out, &batch);
    struct effect effect = {.kind = EFFECT_CREATED,
                            .path = "/a",
                            .path_size = 2,
                            .data = (const uint8_t *) "x",
                            .data_size = 1,
                            .stat = stat};
    wire_client_change (out, &effect, WIRE_WHOLE);
    effect.kind = EFFECT_ACL;
    wire_client_change (out, &effect, WIRE_HIDDEN);
    effect.kind = EFFECT_DELETED;
    wire_client_change (out, &effect, WIRE_STAT);
    wire_client_found (out, &(struct tree_node){.path = "/c", .stat = stat}, WIRE_HIDDEN);
    wire_client_batch_end (out, mark, true, 4096);
    wire_client_seen (out, 7, 3);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    static const uint8_t cluster[WIRE_CLIENT_ID_SIZE] = "a cluster's id..";
    static const struct entry_limits limits = {.window = 8, .data_size_max = 9};
    struct wire_client_welcome welcome = {.cluster_id = cluster,
                                          .session = 1,
                                          .timeout_ms = 10000,
                                          .grace_ms = 1000,
                                          .attach_no = 1,
                                          .credit_bytes = 65536,
                                          .limits = &limits};
    struct buf out = {0};
    wire_client_welcome (&out, &welcome);
    wire_client_held (&out, "no quorum");
    add (arg, "welcome", out.data, out.size);
    buf_clear (&out);
    wire_client_refused (&out, COHORT_ESESSIONEXPIRED, "the session has expired");
    add (arg, "refused", out.data, out.size);
    buf_clear (&out);
    const struct backup_part piece = {10, 7, 4, (const uint8_t *) "piece", 5, 0, 0, NULL};
    wire_client_backup (&out, &piece);
    add (arg, "backup", out.data, out.size);
    buf_clear (&out);
    const struct backup_part end = {.code = COHORT_EDISKFULL, .text = "the disk is full"};
    wire_client_backup (&out, &end);
    add (arg, "backup-end", out.data, out.size);
    buf_clear (&out);
    put_replies (&out);
    add (arg, "replies", out.data, out.size);
    buf_clear (&out);
    put_items (&out);
    COHORT_ASSERT (!out.failed);
    add (arg, "items", out.data, out.size);
    buf_deinit (&out);
}

const struct fuzz_target fuzz_target = {
    .name = "client-reply",
    .size_max = 4096,
    .memory_base = 64 << 10,
    .memory_factor = 400,
    .one = one,
    .seeds = seeds,
};
