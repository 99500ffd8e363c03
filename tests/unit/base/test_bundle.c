/* Unit tests of base/bundle.h. */

#include "client/base/bundle.h"

#include "client/base/alloc.h"
#include "tests/unit/unit.h"

static void test_golden_bytes (void **state)
{
    (void) state;
    struct bundle bundle = {.letters = 0};
    bundle_put (&bundle, 1, "ab", 2);
    bundle_put (&bundle, 0x04030201, NULL, 0);
    static const uint8_t expected[] = {0, 1, 0, 0, 0, 2, 0, 0, 0, 'a', 'b', 1, 2, 3, 4, 0, 0, 0, 0};
    assert_int_equal (bundle.letters, 2);
    assert_int_equal (bundle.buf.size, sizeof expected);
    assert_memory_equal (bundle.buf.data, expected, sizeof expected);

    struct reader reader;
    struct letter letter;
    size_t letters;
    assert_true (bundle_marked (expected, sizeof expected));
    assert_true (bundle_open (&reader, expected, sizeof expected, &letters));
    assert_int_equal (letters, 2);
    assert_true (bundle_next (&reader, &letter));
    assert_int_equal (letter.channel, 1);
    assert_int_equal (letter.size, 2);
    assert_memory_equal (letter.data, "ab", 2);
    assert_true (bundle_next (&reader, &letter));
    assert_int_equal (letter.channel, 0x04030201);
    assert_int_equal (letter.size, 0);
    assert_non_null (letter.data);
    assert_false (bundle_next (&reader, &letter));

    bundle_clear (&bundle);
    assert_int_equal (bundle.letters, 0);
    bundle_put (&bundle, 7, "x", 1);
    uint8_t head[BUNDLE_OVERHEAD];
    bundle_head (head, 7, 1);
    assert_int_equal (bundle.buf.size, BUNDLE_OVERHEAD + 1);
    assert_memory_equal (bundle.buf.data, head, BUNDLE_OVERHEAD);
    bundle_deinit (&bundle);
}

/* Each is a heap block of its own, so that AddressSanitizer would see a byte read beyond it. */
static bool opens (const uint8_t *data, size_t size)
{
    struct reader reader;
    size_t letters;
    uint8_t *copy = mem_alloc (size + 1);
    assert_non_null (copy);
    uint8_t *block = mem_realloc (copy, size > 0 ? size : 1);
    memcpy (block, data, size);
    bool good = bundle_open (&reader, block, size, &letters);
    mem_free (block);
    return good;
}

static void test_unsound (void **state)
{
    (void) state;
    struct bundle bundle = {.letters = 0};
    bundle_put (&bundle, 1, "abc", 3);
    bundle_put (&bundle, 2, "", 0);
    bundle_put (&bundle, 3, "d", 1);
    size_t sizes[] = {BUNDLE_OVERHEAD + 3, BUNDLE_OVERHEAD + 3 + 8, bundle.buf.size};
    for (size_t size = 0; size <= bundle.buf.size; size++) {
        bool whole = size == sizes[0] || size == sizes[1] || size == sizes[2];
        assert_int_equal (opens (bundle.buf.data, size), whole);
    }
    bundle.buf.data[1] = 0; /* the channel of messages that are no bundle */
    assert_false (opens (bundle.buf.data, bundle.buf.size));
    bundle.buf.data[1] = 1;
    bundle.buf.data[8] = 0xff; /* a size beyond everything */
    assert_false (opens (bundle.buf.data, bundle.buf.size));
    bundle.buf.data[8] = 0;
    bundle.buf.data[0] = 1; /* no mark */
    assert_false (opens (bundle.buf.data, bundle.buf.size));
    bundle_deinit (&bundle);
}

static void test_limits (void **state)
{
    (void) state;
    struct bundle bundle = {.letters = 0};
    static uint8_t large[BUNDLE_BYTES];
    for (uint32_t i = 1; i <= BUNDLE_LETTERS_MAX; i++) {
        assert_false (bundle_full (&bundle));
        bundle_put (&bundle, i, NULL, 0);
    }
    assert_true (bundle_full (&bundle));
    assert_true (opens (bundle.buf.data, bundle.buf.size));
    buf_u32 (&bundle.buf, 1); /* one letter more */
    buf_u32 (&bundle.buf, 0);
    assert_false (opens (bundle.buf.data, bundle.buf.size));
    bundle_clear (&bundle);
    bundle_put (&bundle, 1, "x", 1);
    assert_false (bundle_full (&bundle));
    bundle_put (&bundle, 1, large, sizeof large);
    assert_true (bundle_full (&bundle));
    bundle_deinit (&bundle);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_golden_bytes),
        cmocka_unit_test (test_unsound),
        cmocka_unit_test (test_limits),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
