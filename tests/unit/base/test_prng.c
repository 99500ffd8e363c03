/* Unit tests of base/prng.h. */

#include "client/base/prng.h"

#include "tests/unit/unit.h"

/* xoshiro256** from the state 1, 2, 3, 4: the values of its authors' code. A change would make all
 * recorded seeds worthless. */
static void test_golden_values (void **state)
{
    (void) state;
    struct prng prng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {UINT64_C (11520), UINT64_C (0), UINT64_C (1509978240),
                                        UINT64_C (1215971899390074240),
                                        UINT64_C (1216172134540287360)};
    for (int i = 0; i < 5; i++) {
        assert_true (prng_u64 (&prng) == expected[i]);
    }
    /* splitmix64 from 0, as published. */
    prng_seed (&prng, 0);
    assert_true (prng.state[0] == UINT64_C (0xe220a8397b1dcdaf));
    assert_true (prng.state[1] == UINT64_C (0x6e789e6aa1b965f4));
}

static void test_seeds_differ (void **state)
{
    (void) state;
    struct prng a, b, c;
    prng_seed (&a, 7);
    prng_seed (&b, 7);
    prng_seed (&c, 8);
    int equal = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t value = prng_u64 (&a);
        assert_true (value == prng_u64 (&b));
        equal += value == prng_u64 (&c);
    }
    assert_int_equal (equal, 0);
}

static void test_below (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 9);
    for (int i = 0; i < 100; i++) {
        assert_true (prng_below (&prng, 1) == 0);
        assert_true (prng_below (&prng, UINT64_MAX) < UINT64_MAX);
        assert_in_range (prng_between (&prng, 5, 7), 5, 7);
        assert_true (prng_between (&prng, 6, 6) == 6);
        prng_between (&prng, 0, UINT64_MAX);
    }
    /* Each of ten values comes a tenth of the time, within five standard deviations. */
    int counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        counts[prng_below (&prng, 10)]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range (counts[i], 10000 - 475, 10000 + 475);
    }
    /* With three quarters of the range as bound, plain modulo would give the lower third half of
     * all results. */
    int low = 0;
    uint64_t bound = UINT64_C (3) << 62;
    for (int i = 0; i < 30000; i++) {
        low += prng_below (&prng, bound) < bound / 3;
    }
    assert_in_range (low, 10000 - 410, 10000 + 410);
}

static void test_chance (void **state)
{
    (void) state;
    struct prng prng;
    prng_seed (&prng, 10);
    int hits = 0;
    for (int i = 0; i < 10000; i++) {
        assert_false (prng_chance (&prng, 0, 5));
        assert_true (prng_chance (&prng, 5, 5));
        hits += prng_chance (&prng, 1, 4);
    }
    assert_in_range (hits, 2500 - 220, 2500 + 220);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_golden_values),
        cmocka_unit_test (test_seeds_differ),
        cmocka_unit_test (test_below),
        cmocka_unit_test (test_chance),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
