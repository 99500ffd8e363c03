/* Results as bytes. */

#include "tests/unit/tree/fixture.h"

static const cohort_stat_t stat_all = {
    .czxid = 1,
    .mzxid = 2,
    .pzxid = 3,
    .ctime_ms = -4,
    .mtime_ms = 5,
    .version = -6,
    .cversion = 7,
    .aversion = 8,
    .data_size = 9,
    .ephemeral_owner = 10,
    .ozxid = 11,
    .child_count = 12,
};

static void build (struct buf *out)
{
    result_encode (out, COHORT_EQUOTA, 99, 3);
    struct result_op op = {.code = 0,
                           .has_path = true,
                           .path = "/a/b",
                           .path_size = 4,
                           .has_stat = true,
                           .stat = stat_all};
    result_op_encode (out, &op);
    op = (struct result_op){.code = COHORT_EROLLEDBACK};
    result_op_encode (out, &op);
    op = (struct result_op){.code = 1, .has_stat = true, .stat = stat_all};
    result_op_encode (out, &op);
}

static void test_there_and_back (void **state)
{
    (void) state;
    struct buf out = {0};
    build (&out);
    struct result result;
    assert_true (result_decode (&result, out.data, out.size));
    assert_int_equal (result.code, COHORT_EQUOTA);
    assert_int_equal (result.zxid, 99);
    assert_int_equal (result.count, 3);
    struct result_op op;
    assert_true (result_op_decode (&op, &result.ops));
    assert_int_equal (op.code, 0);
    assert_true (op.has_path);
    assert_int_equal (op.path_size, 4);
    assert_memory_equal (op.path, "/a/b", 4);
    assert_true (op.has_stat);
    assert_int_equal (op.stat.czxid, 1);
    assert_int_equal (op.stat.mzxid, 2);
    assert_int_equal (op.stat.pzxid, 3);
    assert_int_equal (op.stat.ctime_ms, -4);
    assert_int_equal (op.stat.mtime_ms, 5);
    assert_int_equal (op.stat.version, -6);
    assert_int_equal (op.stat.cversion, 7);
    assert_int_equal (op.stat.aversion, 8);
    assert_int_equal (op.stat.data_size, 9);
    assert_int_equal (op.stat.ephemeral_owner, 10);
    assert_int_equal (op.stat.ozxid, 11);
    assert_int_equal (op.stat.child_count, 12);
    assert_true (result_op_decode (&op, &result.ops));
    assert_int_equal (op.code, COHORT_EROLLEDBACK);
    assert_false (op.has_path);
    assert_false (op.has_stat);
    assert_true (result_op_decode (&op, &result.ops));
    assert_false (op.has_path);
    assert_true (op.has_stat);
    assert_true (reader_done (&result.ops));
    assert_false (result_op_decode (&op, &result.ops));
    buf_deinit (&out);
}

static void test_damaged (void **state)
{
    (void) state;
    struct buf out = {0};
    build (&out);
    struct result result;
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *cut = mem_dup (out.data, size);
        assert_non_null (cut);
        assert_false (result_decode (&result, cut, size));
        mem_free (cut);
    }
    out.data[20] = 4; /* what the first operation has */
    assert_false (result_decode (&result, out.data, out.size));
    out.data[20] = 3;
    assert_true (result_decode (&result, out.data, out.size));
    out.data[12] = 4; /* the count */
    assert_false (result_decode (&result, out.data, out.size));
    out.data[15] = 0xff;
    assert_false (result_decode (&result, out.data, out.size));
    buf_deinit (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_there_and_back),
        cmocka_unit_test (test_damaged),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
