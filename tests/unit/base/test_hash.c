/* Unit tests of base/hash.h. */

#include "client/base/hash.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

/* Hashes are on disk and on the wire: these values must never change. The first is published with
 * XXH3; the others were computed by libxxhash 0.8.1. */
static void test_hash64_golden_values (void **state)
{
    (void) state;
    assert_true (hash64 (NULL, 0, 0) == UINT64_C (0x2d06800538d394c2));
    assert_true (hash64 ("", 0, 0) == UINT64_C (0x2d06800538d394c2));
    assert_true (hash64 ("/", 1, 0) == UINT64_C (0x474292953285562e));
    assert_true (hash64 ("cohort", 6, 0) == UINT64_C (0xc3a39885f0419a90));
    assert_true (hash64 ("/lobby/server-0000000001", 24, 0) == UINT64_C (0xae1e6df603314e03));
    assert_true (hash64 ("cohort", 6, 42) == UINT64_C (0xb34860089e7929c2));
    uint8_t bytes[1000];
    for (int i = 0; i < 1000; i++) {
        bytes[i] = (uint8_t) (i * 7);
    }
    assert_true (hash64 (bytes, 1000, 0) == UINT64_C (0x10ad30264426c830));
    assert_true (hash64 (bytes, 200, 3) == UINT64_C (0x8e0b1ec4414bf70c));
}

static void test_hash64_depends_on_all (void **state)
{
    (void) state;
    uint8_t bytes[300];
    memset (bytes, 'x', sizeof (bytes));
    for (size_t size = 1; size <= sizeof (bytes); size++) {
        uint64_t hash = hash64 (bytes, size, 1);
        assert_true (hash != hash64 (bytes, size, 2));
        assert_true (hash != hash64 (bytes, size - 1, 1));
        for (size_t i = 0; i < size; i++) {
            bytes[i] ^= 1;
            assert_true (hash != hash64 (bytes, size, 1));
            bytes[i] ^= 1;
        }
    }
}

/* By what this processor has, and by what all have. */
static void test_hash64_agrees (void **state)
{
    (void) state;
    enum { SIZE = 70000 };
    uint8_t *bytes = mem_alloc (SIZE);
    struct prng prng;
    assert_non_null (bytes);
    prng_seed (&prng, 1);
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t) prng_below (&prng, 256);
    }
    for (size_t size = 0; size < SIZE; size += 1 + size / 50) {
        size_t from = size % 64 < SIZE - size ? size % 64 : 0;
        assert_true (hash64 (bytes + from, size, size) ==
                     hash64_portable (bytes + from, size, size));
    }
    mem_free (bytes);
}

/* The definition, bit by bit. */
static uint32_t crc32c_slow (uint32_t crc, const uint8_t *data, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
        }
    }
    return ~crc;
}

static void test_crc32c_golden_values (void **state)
{
    (void) state;
    uint8_t bytes[32];
    assert_int_equal (crc32c (0, NULL, 0), 0);
    assert_int_equal (crc32c (0, "123456789", 9), 0xe3069283);
    /* RFC 3720, B.4. */
    memset (bytes, 0, 32);
    assert_int_equal (crc32c (0, bytes, 32), 0x8a9136aa);
    memset (bytes, 0xff, 32);
    assert_int_equal (crc32c (0, bytes, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal (crc32c (0, bytes, 32), 0x46dd794e);
}

/* Three ways, all sizes, all alignments, and joined from two parts. */
static void test_crc32c_agrees (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 11);
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof (bytes); i++) {
        bytes[i] = (uint8_t) prng_u64 (&prng);
    }
    for (size_t offset = 0; offset < 9; offset++) {
        for (size_t size = 0; size < sizeof (bytes) - offset; size++) {
            const uint8_t *data = bytes + offset;
            uint32_t start = (uint32_t) prng_u64 (&prng);
            uint32_t expected = crc32c_slow (start, data, size);
            assert_int_equal (crc32c (start, data, size), expected);
            assert_int_equal (crc32c_portable (start, data, size), expected);
            size_t cut = prng_below (&prng, size + 1);
            uint32_t part = crc32c (start, data, cut);
            assert_int_equal (crc32c (part, data + cut, size - cut), expected);
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_hash64_golden_values), cmocka_unit_test (test_hash64_depends_on_all),
        cmocka_unit_test (test_hash64_agrees),        cmocka_unit_test (test_crc32c_golden_values),
        cmocka_unit_test (test_crc32c_agrees),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
