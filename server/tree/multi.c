/*
 * server/tree/multi.c - several operations as one
 *
 * PURE.  The operations are carried out one after the other, each on what the ones before it left;
 * when one fails, all that was done is undone.
 */
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/tree/change.h"
#include "server/tree/ops.h"

/* The result of a multi whose operation `failed` gave this. */
static void encode_failure (struct buf *out, zxid_t zxid, uint32_t count, uint32_t failed,
                            const struct result_op *result)
{
    int code = result->code;
    COHORT_ASSERT (code != 0);
    COHORT_ASSERT (failed < count);
    result_encode (out, code, zxid, count);
    for (uint32_t i = 0; i < count; i++) {
        struct result_op op = {.code = COHORT_EROLLEDBACK};
        if (i == failed) {
            op = (struct result_op){
                .code = code, .has_quota = result->has_quota, .quota = result->quota};
        }
        result_op_encode (out, &op);
    }
}

int multi_execute (struct tree *self, struct session *session, const struct entry_write *write,
                   struct buf *out)
{
    size_t begin = out->size;
    struct reader ops = write->ops;
    COHORT_ASSERT (write->multi);
    COHORT_ASSERT (write->count <= ENTRY_OPS_MAX);
    change_undo_begin (self);
    result_encode (out, 0, self->scalars.zxid, write->count);
    for (uint32_t i = 0; i < write->count; i++) {
        struct op op;
        bool decoded = op_decode (&op, &ops);
        COHORT_ASSERT (decoded);
        struct result_op result;
        int rc = op_execute (self, session, &op, &result);
        if (rc != 0) {
            if (!COHORT_MUTATED (multi_half_done)) {
                change_undo_all (self);
            } else {
                change_undo_discard (self);
            }
            buf_truncate (out, begin);
            encode_failure (out, self->scalars.zxid, write->count, i, &result);
            return rc;
        }
        result_op_encode (out, &result);
    }
    COHORT_ASSERT (reader_done (&ops));
    change_undo_discard (self);
    return 0;
}
