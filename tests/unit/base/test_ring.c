/* Unit tests of base/ring.h. */

#include "client/base/ring.h"

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

static void test_empty (void **state)
{
    (void) state;
    struct ring ring;
    ring_init (&ring, sizeof (int), 10);
    assert_true (ring_empty (&ring));
    assert_false (ring_full (&ring));
    assert_null (ring_front (&ring));
    assert_null (ring_back (&ring));
    ring_clear (&ring);
    ring_deinit (&ring);
}

static void test_maximum (void **state)
{
    (void) state;
    for (size_t max = 1; max < 40; max++) {
        struct ring ring;
        ring_init (&ring, sizeof (size_t), max);
        for (size_t i = 0; i < max; i++) {
            assert_false (ring_full (&ring));
            assert_true (ring_push (&ring, &i));
        }
        assert_true (ring_full (&ring));
        assert_false (ring_push (&ring, &max));
        assert_int_equal (ring_count (&ring), max);
        ring_pop (&ring);
        assert_true (ring_push (&ring, &max));
        for (size_t i = 0; i < max; i++) {
            assert_int_equal (*(size_t *) ring_at (&ring, i), i + 1);
        }
        ring_clear (&ring);
        assert_true (ring_empty (&ring));
        ring_deinit (&ring);
        /* It can be used again. */
        assert_true (ring_push (&ring, &max));
        ring_deinit (&ring);
    }
}

/* Against two indexes into an endless sequence, with an element size that is no power of two. */
static void test_against_model (void **state)
{
    (void) state;
    struct element {
        uint8_t bytes[3];
    };
    struct prng prng;
    prng_seed (&prng, 12);
    struct ring ring;
    ring_init (&ring, sizeof (struct element), 1000);
    uint32_t sequence[1000];
    size_t count = 0;
    uint32_t next = 0;
    for (int round = 0; round < 100000; round++) {
        uint64_t bias = (uint64_t) round / 10000 % 2 == 0 ? 6 : 2;
        if (prng_below (&prng, 8) < bias) {
            struct element element = {
                {(uint8_t) next, (uint8_t) (next >> 8), (uint8_t) (next >> 16)}};
            assert_int_equal (ring_push (&ring, &element), count < 1000);
            if (count < 1000) {
                sequence[count++] = next++;
            }
        } else if (count > 0) {
            ring_pop (&ring);
            count--;
            for (size_t i = 0; i < count; i++) {
                sequence[i] = sequence[i + 1];
            }
        }
        assert_int_equal (ring_count (&ring), count);
        if (count > 0) {
            size_t i = prng_below (&prng, count);
            struct element *element = ring_at (&ring, i);
            assert_int_equal (element->bytes[0] | element->bytes[1] << 8 | element->bytes[2] << 16,
                              sequence[i] & 0xffffff);
            assert_ptr_equal (ring_front (&ring), ring_at (&ring, 0));
            assert_ptr_equal (ring_back (&ring), ring_at (&ring, count - 1));
        }
    }
    ring_deinit (&ring);
}

static void test_out_of_memory (void **state)
{
    (void) state;
    uint64_t n;
    for (n = 1;; n++) {
        struct ring ring;
        ring_init (&ring, sizeof (int), 100);
        mem_fail_at (n);
        int failures = 0, expected = 0;
        for (int i = 0; i < 100; i++) {
            failures += !ring_push (&ring, &i);
        }
        bool failed = mem_fail_clear ();
        assert_int_equal (failures, failed);
        /* The one that failed changed nothing. */
        assert_int_equal (ring_count (&ring), 100 - failures);
        for (size_t i = 0; i < ring_count (&ring); i++) {
            int value = *(int *) ring_at (&ring, i);
            if (value != expected) {
                expected++;
            }
            assert_int_equal (value, expected++);
        }
        ring_deinit (&ring);
        if (!failed) {
            break;
        }
    }
    assert_true (n > 3);

    /* A capacity whose bytes cannot be counted. */
    struct ring ring;
    static uint8_t elem[1];
    ring_init (&ring, SIZE_MAX / 4, 100);
    assert_false (ring_push (&ring, elem));
    assert_true (ring_empty (&ring));
    ring_deinit (&ring);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_empty),
        cmocka_unit_test (test_maximum),
        cmocka_unit_test (test_against_model),
        cmocka_unit_test (test_out_of_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
