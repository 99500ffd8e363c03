/* Results of writes, as sessions keep them and snapshots hold them, decoded from any bytes. There
 * is one way to write a result. */

#include <string.h>

#include "server/tree/result.h"
#include "tests/fuzz/fuzz.h"

static void one (const uint8_t *data, size_t size)
{
    struct result result;
    if (!result_decode (&result, data, size)) {
        return;
    }
    struct buf out = {0};
    struct reader ops = result.ops;
    result_encode (&out, result.code, result.zxid, result.count);
    for (uint32_t i = 0; i < result.count; i++) {
        struct result_op op;
        COHORT_ASSERT (result_op_decode (&op, &ops));
        result_op_encode (&out, &op);
    }
    COHORT_ASSERT (reader_done (&ops));
    COHORT_ASSERT (out.size == size);
    COHORT_ASSERT (memcmp (out.data, data, size) == 0);
    buf_deinit (&out);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    static const struct result_op ops[] = {
        {.code = 0, .has_path = true, .path = "/a", .path_size = 2, .has_stat = true},
        {.code = -101},
        {.code = 0, .has_stat = true, .stat = {.czxid = 1, .version = 2}},
        {.code = -125, .has_quota = true, .quota = {TREE_QUOTA_COUNT_HARD, "/a", 2, 10, 11}},
    };
    struct buf out = {0};
    result_encode (&out, 0, 7, 1);
    result_op_encode (&out, &ops[0]);
    add (arg, "create", out.data, out.size);
    buf_clear (&out);
    result_encode (&out, -101, 8, 3);
    for (size_t i = 0; i < 3; i++) {
        result_op_encode (&out, &ops[i]);
    }
    add (arg, "multi", out.data, out.size);
    buf_clear (&out);
    result_encode (&out, 0, 9, 0);
    add (arg, "empty", out.data, out.size);
    buf_clear (&out);
    result_encode (&out, -125, 10, 1);
    result_op_encode (&out, &ops[3]);
    add (arg, "quota", out.data, out.size);
    buf_deinit (&out);
}

const struct fuzz_target fuzz_target = {
    .name = "result",
    .size_max = 2048,
    .memory_base = 1024,
    .memory_factor = 8,
    .one = one,
    .seeds = seeds,
};
