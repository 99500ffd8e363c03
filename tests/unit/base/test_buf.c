/* Unit tests of base/buf.h and base/bytes.h. */

#include "client/base/buf.h"

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

static void test_golden_bytes (void **state)
{
    (void) state;
    struct buf buf;
    buf_init (&buf);
    buf_u8 (&buf, 0x01);
    buf_u16 (&buf, 0x0302);
    buf_u32 (&buf, 0x07060504);
    buf_u64 (&buf, UINT64_C (0x0f0e0d0c0b0a0908));
    buf_i32 (&buf, -2);
    buf_i64 (&buf, -3);
    buf_blob (&buf, "\x00\xff", 2);
    buf_string (&buf, "ab");
    buf_string (&buf, "");
    buf_append (&buf, "z", 1);
    static const uint8_t expected[] = {
        1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13, 14, 15,
        0xfe, 0xff, 0xff, 0xff, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0,  0,
        0,    0,    0xff, 2,    0,    0,    0,    'a',  'b',  0,    0,    0,    0,  'z'};
    assert_false (buf.failed);
    assert_int_equal (buf.size, sizeof (expected));
    assert_memory_equal (buf.data, expected, sizeof (expected));

    struct reader reader;
    reader_init (&reader, buf.data, buf.size);
    size_t size;
    assert_int_equal (reader_left (&reader), sizeof (expected));
    assert_int_equal (reader_u8 (&reader), 0x01);
    assert_int_equal (reader_u16 (&reader), 0x0302);
    assert_int_equal (reader_u32 (&reader), 0x07060504);
    assert_true (reader_u64 (&reader) == UINT64_C (0x0f0e0d0c0b0a0908));
    assert_int_equal (reader_i32 (&reader), -2);
    assert_int_equal (reader_i64 (&reader), -3);
    assert_memory_equal (reader_blob (&reader, &size), "\x00\xff", 2);
    assert_int_equal (size, 2);
    assert_memory_equal (reader_blob (&reader, &size), "ab", 2);
    assert_int_equal (size, 2);
    /* An empty blob is not a failure. */
    assert_non_null (reader_blob (&reader, &size));
    assert_int_equal (size, 0);
    assert_false (reader_done (&reader));
    assert_memory_equal (reader_bytes (&reader, 1), "z", 1);
    assert_true (reader_done (&reader));
    buf_deinit (&buf);
}

/* Every prefix of a valid record must fail, and none may be read beyond its end: each is a heap
 * block of its own, so that AddressSanitizer would see it. */
static void test_truncated (void **state)
{
    (void) state;
    struct buf buf;
    buf_init (&buf);
    buf_u16 (&buf, 1);
    buf_blob (&buf, "hello", 5);
    buf_u64 (&buf, 2);
    for (size_t cut = 0; cut <= buf.size; cut++) {
        uint8_t *part = mem_dup (buf.data, cut);
        assert_non_null (part);
        struct reader reader;
        size_t size = 99;
        reader_init (&reader, part, cut);
        assert_int_equal (reader_u16 (&reader), cut >= 2 ? 1 : 0);
        const uint8_t *blob = reader_blob (&reader, &size);
        assert_int_equal (size, blob != NULL ? 5 : 0);
        assert_int_equal (blob != NULL, cut >= 11);
        assert_int_equal (reader_u64 (&reader), cut == buf.size ? 2 : 0);
        assert_int_equal (reader_done (&reader), cut == buf.size);
        assert_int_equal (reader.failed, cut < buf.size);
        if (reader.failed) {
            /* It sticks, even for what would fit. */
            assert_int_equal (reader_left (&reader), 0);
            assert_int_equal (reader_u8 (&reader), 0);
            assert_null (reader_bytes (&reader, 0));
        }
        mem_free (part);
    }
    buf_deinit (&buf);
}

static void test_hostile_length (void **state)
{
    (void) state;
    static const uint8_t input[] = {0xff, 0xff, 0xff, 0xff, 'x'};
    struct reader reader;
    size_t size;
    reader_init (&reader, input, sizeof (input));
    assert_null (reader_blob (&reader, &size));
    assert_int_equal (size, 0);
    assert_true (reader.failed);

    reader_init (&reader, input, sizeof (input));
    assert_null (reader_bytes (&reader, SIZE_MAX));
    assert_true (reader.failed);

    reader_init (&reader, NULL, 0);
    assert_true (reader_done (&reader));
    reader_init (&reader, NULL, 1);
    assert_true (reader.failed);
    assert_int_equal (reader_u8 (&reader), 0);
}

static void test_patch_truncate_detach (void **state)
{
    (void) state;
    struct buf buf;
    buf_init (&buf);
    buf_u8 (&buf, 9);
    buf_u32 (&buf, 0);
    buf_append (&buf, "abc", 3);
    buf_append (&buf, NULL, 0);
    buf_patch_u32 (&buf, 1, 0x01020304);
    assert_memory_equal (buf.data,
                         "\x09\x04\x03\x02\x01"
                         "abc",
                         8);
    buf_truncate (&buf, 5);
    buf_patch_u32 (&buf, 1, 5);
    assert_int_equal (buf.size, 5);

    size_t size = 0;
    uint8_t *data = buf_detach (&buf, &size);
    assert_int_equal (size, 5);
    assert_memory_equal (data, "\x09\x05\x00\x00\x00", 5);
    mem_free (data);
    assert_null (buf.data);
    assert_null (buf_detach (&buf, NULL));
    buf_deinit (&buf);
}

static void test_failure_sticks (void **state)
{
    (void) state;
    struct buf buf;
    buf_init (&buf);
    buf_u32 (&buf, 1);
    assert_false (buf_reserve (&buf, SIZE_MAX));
    assert_true (buf.failed);
    buf_u32 (&buf, 2);
    buf_append (&buf, "x", 1);
    assert_null (buf_extend (&buf, 0));
    buf_patch_u32 (&buf, 0, 3);
    assert_int_equal (buf.size, 4);
    assert_int_equal (buf.data[0], 1);
    buf_clear (&buf);
    assert_false (buf.failed);
    assert_int_equal (buf.size, 0);
    buf_u8 (&buf, 7);
    assert_int_equal (buf.size, 1);
#if SIZE_MAX > UINT32_MAX
    /* Only the length is looked at: a blob above 4 GiB has no encoding. */
    buf_blob (&buf, "x", (size_t) UINT32_MAX + 1);
    assert_true (buf.failed);
    assert_int_equal (buf.size, 1);
#endif
    buf_deinit (&buf);
}

static bool write_much (struct buf *buf)
{
    for (uint32_t i = 0; i < 1000; i++) {
        buf_u32 (buf, i);
        buf_string (buf, "some text");
    }
    return !buf->failed;
}

static void test_out_of_memory (void **state)
{
    (void) state;
    uint64_t n;
    for (n = 1;; n++) {
        struct buf buf;
        buf_init (&buf);
        mem_fail_at (n);
        bool written = write_much (&buf);
        bool failed = mem_fail_clear ();
        assert_int_equal (written, !failed);
        /* What is there stays readable. */
        struct reader reader;
        reader_init (&reader, buf.data, buf.size);
        for (uint32_t i = 0; reader_left (&reader) >= 17; i++) {
            size_t size;
            assert_int_equal (reader_u32 (&reader), i);
            assert_non_null (reader_blob (&reader, &size));
            assert_int_equal (size, 9);
        }
        buf_deinit (&buf);
        if (!failed) {
            break;
        }
    }
    assert_true (n > 3);
}

/* Random records written and read back, against a list of what was written. */
static void test_round_trips (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 2);
    struct buf buf;
    buf_init (&buf);
    for (int round = 0; round < 300; round++) {
        uint64_t kinds[64], values[64];
        int count = (int) prng_below (&prng, 64);
        buf_clear (&buf);
        for (int i = 0; i < count; i++) {
            kinds[i] = prng_below (&prng, 5);
            values[i] = prng_u64 (&prng) >> prng_below (&prng, 64);
            switch (kinds[i]) {
            case 0:
                buf_u8 (&buf, (uint8_t) values[i]);
                break;
            case 1:
                buf_u16 (&buf, (uint16_t) values[i]);
                break;
            case 2:
                buf_u32 (&buf, (uint32_t) values[i]);
                break;
            case 3:
                buf_u64 (&buf, values[i]);
                break;
            default:
                buf_blob (&buf, &values[i], values[i] % 9);
                break;
            }
        }
        struct reader reader;
        reader_init (&reader, buf.data, buf.size);
        for (int i = 0; i < count; i++) {
            size_t size;
            switch (kinds[i]) {
            case 0:
                assert_true (reader_u8 (&reader) == (uint8_t) values[i]);
                break;
            case 1:
                assert_true (reader_u16 (&reader) == (uint16_t) values[i]);
                break;
            case 2:
                assert_true (reader_u32 (&reader) == (uint32_t) values[i]);
                break;
            case 3:
                assert_true (reader_u64 (&reader) == values[i]);
                break;
            default:
                assert_memory_equal (reader_blob (&reader, &size), &values[i], values[i] % 9);
                assert_true (size == values[i] % 9);
                break;
            }
        }
        assert_true (reader_done (&reader));
    }
    buf_deinit (&buf);
}

/* A pointer tells success from failure, also where nothing is asked for. */
static void test_extend_by_nothing (void **state)
{
    (void) state;
    struct buf buf;
    buf_init (&buf);
    assert_non_null (buf_extend (&buf, 0));
    assert_false (buf.failed);
    assert_int_equal (buf.size, 0);
    buf_append (&buf, NULL, 0);
    assert_non_null (buf_extend (&buf, buf.capacity));
    assert_non_null (buf_extend (&buf, 0));
    assert_int_equal (buf.size, buf.capacity);
    buf_deinit (&buf);
    mem_fail_at (1);
    assert_null (buf_extend (&buf, 0));
    assert_true (mem_fail_clear ());
    assert_true (buf.failed);
    buf_deinit (&buf);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_golden_bytes),   cmocka_unit_test (test_truncated),
        cmocka_unit_test (test_hostile_length), cmocka_unit_test (test_patch_truncate_detach),
        cmocka_unit_test (test_failure_sticks), cmocka_unit_test (test_out_of_memory),
        cmocka_unit_test (test_round_trips),    cmocka_unit_test (test_extend_by_nothing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
