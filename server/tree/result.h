/*
 * server/tree/result.h - the result of a numbered request, as bytes
 *
 * Kept in the session's replicated result table until the client acknowledges it, so that a
 * request that is sent again gets its first answer.  PURE.
 *
 *      i32 code   u64 zxid   u32 count
 *      count times: i32 code, u8 has (1: path, 2: stat, 4: value, 16: quota; 8: existed), [path],
 *          [stat], [i64 value], [u8 kind, path, i64 limit, i64 value: the quota]
 *
 * A single operation has count 1 and the same code twice.
 */
#ifndef SERVER_TREE_RESULT_H
#define SERVER_TREE_RESULT_H

#include <stdbool.h>

#include "client/base/buf.h"
#include "cohort/types.h"

enum { RESULT_STAT_SIZE = 85 }; /* bytes of an encoded stat */

/* Limits of a quota: those that warn, and those that refuse. */
enum tree_quota_kind {
    TREE_QUOTA_COUNT,
    TREE_QUOTA_BYTES,
    TREE_QUOTA_COUNT_HARD,
    TREE_QUOTA_BYTES_HARD,
    TREE_QUOTA_KINDS
};

/* A limit of a quota, and what stands against it. */
struct tree_quota {
    enum tree_quota_kind kind;
    const char *path; /* of the znode that has it; not ended with 0 */
    uint32_t path_size;
    int64_t limit, value;
};

struct result_op {
    int32_t code;
    bool has_path;
    const char *path; /* not ended with 0 */
    uint32_t path_size;
    bool has_stat;
    cohort_stat_t stat;
    bool has_value;
    int64_t value; /* ADD: the sum; DELETE_TREE: znodes removed; HAND_OVER: ephemerals */
    bool existed;  /* CREATE if absent: it was there */
    bool has_quota;
    struct tree_quota quota; /* EQUOTA: which one */
};

struct result {
    int32_t code;
    uint64_t zxid;
    uint32_t count;
    struct reader ops; /* read each with result_op_decode */
};

void result_encode (struct buf *out, int32_t code, uint64_t zxid, uint32_t count);
void result_op_encode (struct buf *out, const struct result_op *op);
void result_stat_encode (struct buf *out, const cohort_stat_t *stat);

/* false: malformed, in an operation too, or bytes are left over.  Borrows from data. */
bool result_decode (struct result *result, const uint8_t *data, size_t size);
bool result_op_decode (struct result_op *op, struct reader *ops);

#endif
