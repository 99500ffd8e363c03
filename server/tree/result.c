/*
 * server/tree/result.c - encoding and decoding of results
 *
 * PURE.  Results are read back from snapshots, so decoding trusts nothing.
 */
#include "server/tree/result.h"

#include "client/base/assert.h"

enum { HAS_PATH = 1, HAS_STAT = 2, HAS_VALUE = 4, EXISTED = 8, HAS_QUOTA = 16, ALL = 31 };

void result_stat_encode (struct buf *out, const cohort_stat_t *stat)
{
    uint8_t *at = buf_extend (out, RESULT_STAT_SIZE);
    if (at == NULL) {
        return;
    }
    bytes_put_u64 (at, stat->czxid);
    bytes_put_u64 (at + 8, stat->mzxid);
    bytes_put_u64 (at + 16, stat->pzxid);
    bytes_put_u64 (at + 24, (uint64_t) stat->ctime_ms);
    bytes_put_u64 (at + 32, (uint64_t) stat->mtime_ms);
    bytes_put_u32 (at + 40, (uint32_t) stat->version);
    bytes_put_u32 (at + 44, (uint32_t) stat->cversion);
    bytes_put_u32 (at + 48, (uint32_t) stat->aversion);
    bytes_put_u32 (at + 52, (uint32_t) stat->data_size);
    bytes_put_u64 (at + 56, stat->ephemeral_owner);
    bytes_put_u64 (at + 64, stat->ozxid);
    bytes_put_u32 (at + 72, stat->child_count);
    at[76] = (uint8_t) stat->mode;
    bytes_put_u64 (at + 77, (uint64_t) stat->ttl_ms);
}

static bool stat_decode (cohort_stat_t *stat, struct reader *in)
{
    const uint8_t *at = reader_bytes (in, RESULT_STAT_SIZE);
    if (at == NULL) {
        return false;
    }
    stat->czxid = bytes_get_u64 (at);
    stat->mzxid = bytes_get_u64 (at + 8);
    stat->pzxid = bytes_get_u64 (at + 16);
    stat->ctime_ms = (int64_t) bytes_get_u64 (at + 24);
    stat->mtime_ms = (int64_t) bytes_get_u64 (at + 32);
    stat->version = (int32_t) bytes_get_u32 (at + 40);
    stat->cversion = (int32_t) bytes_get_u32 (at + 44);
    stat->aversion = (int32_t) bytes_get_u32 (at + 48);
    stat->data_size = (int32_t) bytes_get_u32 (at + 52);
    stat->ephemeral_owner = bytes_get_u64 (at + 56);
    stat->ozxid = bytes_get_u64 (at + 64);
    stat->child_count = bytes_get_u32 (at + 72);
    stat->mode = at[76];
    stat->ttl_ms = (int64_t) bytes_get_u64 (at + 77);
    return true;
}

void result_encode (struct buf *out, int32_t code, uint64_t zxid, uint32_t count)
{
    buf_i32 (out, code);
    buf_u64 (out, zxid);
    buf_u32 (out, count);
}

void result_op_encode (struct buf *out, const struct result_op *op)
{
    COHORT_ASSERT (!op->has_path || op->path != NULL);
    buf_i32 (out, op->code);
    buf_u8 (out, (uint8_t) ((op->has_path ? HAS_PATH : 0) | (op->has_stat ? HAS_STAT : 0) |
                            (op->has_value ? HAS_VALUE : 0) | (op->existed ? EXISTED : 0) |
                            (op->has_quota ? HAS_QUOTA : 0)));
    if (op->has_path) {
        buf_blob (out, op->path, op->path_size);
    }
    if (op->has_stat) {
        result_stat_encode (out, &op->stat);
    }
    if (op->has_value) {
        buf_i64 (out, op->value);
    }
    if (op->has_quota) {
        buf_u8 (out, (uint8_t) op->quota.kind);
        buf_blob (out, op->quota.path, op->quota.path_size);
        buf_i64 (out, op->quota.limit);
        buf_i64 (out, op->quota.value);
    }
}

static bool quota_decode (struct tree_quota *quota, struct reader *in)
{
    size_t size;
    uint8_t kind = reader_u8 (in);
    quota->path = (const char *) reader_blob (in, &size);
    quota->path_size = (uint32_t) size;
    quota->limit = reader_i64 (in);
    quota->value = reader_i64 (in);
    quota->kind = (enum tree_quota_kind) kind;
    return !in->failed && kind < TREE_QUOTA_KINDS;
}

bool result_decode (struct result *result, const uint8_t *data, size_t size)
{
    struct reader in;
    reader_init (&in, data, size);
    *result = (struct result){0};
    result->code = reader_i32 (&in);
    result->zxid = reader_u64 (&in);
    result->count = reader_u32 (&in);
    if (in.failed) {
        return false;
    }
    result->ops = in;
    for (uint32_t i = 0; i < result->count; i++) {
        struct result_op op;
        if (!result_op_decode (&op, &in)) {
            return false;
        }
    }
    return reader_done (&in);
}

bool result_op_decode (struct result_op *op, struct reader *ops)
{
    *op = (struct result_op){0};
    op->code = reader_i32 (ops);
    uint8_t has = reader_u8 (ops);
    if (ops->failed || has > ALL) {
        return false;
    }
    op->has_path = (has & HAS_PATH) != 0;
    op->has_stat = (has & HAS_STAT) != 0;
    op->has_value = (has & HAS_VALUE) != 0;
    op->existed = (has & EXISTED) != 0;
    if (op->has_path) {
        size_t size;
        op->path = (const char *) reader_blob (ops, &size);
        op->path_size = (uint32_t) size;
    }
    if (op->has_stat && !stat_decode (&op->stat, ops)) {
        return false;
    }
    if (op->has_value) {
        op->value = reader_i64 (ops);
    }
    op->has_quota = (has & HAS_QUOTA) != 0;
    return !ops->failed && (!op->has_quota || quota_decode (&op->quota, ops));
}

_Static_assert(RESULT_STAT_SIZE == 5 * 8 + 4 * 4 + 2 * 8 + 4 + 1 + 8,
               "the fields of cohort_stat_t");
