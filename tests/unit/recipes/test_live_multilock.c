/* Several locks at once with the real client and a real server in this process: opposite orders,
 * through crashes, are no deadlock, and what is done under the locks is done once. */

#include "tests/unit/recipes/live.h"

#define TRADERS 4
#define ROUNDS  12

static cohort_t *clients[TRADERS];
static cohort_multilock_t *locks[TRADERS];
static int64_t expected[3];
static const char *const paths[] = {"/accounts/a", "/accounts/b", "/accounts/c"};
static const char *const lines[] = {"/locks/a", "/locks/b", "/locks/c"};

static cohort_multilock_t *locks_of (int trader, int one, int other)
{
    cohort_multilock_part_t parts[] = {{lines[one], COHORT_LOCK_EXCLUSIVE},
                                       {lines[other], COHORT_LOCK_EXCLUSIVE}};
    cohort_multilock_t *self = cohort_multilock_new (clients[trader], parts, 2, NULL, 0);
    assert_non_null (self);
    assert_int_equal (cohort_multilock_acquire (self), 0);
    return self;
}

static void transfer (int trader, int one, int other)
{
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_multilock_guard (locks[trader], txn), 0);
    cohort_txn_add (txn, paths[one], -1, INT64_MIN, INT64_MAX);
    cohort_txn_add (txn, paths[other], 1, INT64_MIN, INT64_MAX);
    assert_int_equal (cohort_multi (clients[trader], txn), 0);
    cohort_txn_destroy (&txn);
    expected[one]--;
    expected[other]++;
}

/* Whoever holds both does its work; all have their turn. */
static void serve (int round)
{
    int served = 0, one[TRADERS], other[TRADERS];
    for (int i = 0; i < TRADERS; i++) {
        one[i] = (i + round) % 3;
        other[i] = (i + round + 1 + i % 2) % 3;
        locks[i] = locks_of (i, one[i], other[i]);
    }
    if (round % 5 == 2) {
        assert_int_equal (cohort_server_crash (live_server), 0);
        assert_int_equal (cohort_server_start (live_server), 0);
    }
    for (int ms = 0; served < TRADERS; ms++) {
        int holders[3] = {0};
        assert_true (ms < LIVE_LIMIT_MS);
        for (int i = 0; i < TRADERS; i++) {
            assert_true (cohort_run (clients[i], 1) >= 0);
        }
        for (int i = 0; i < TRADERS; i++) {
            bool valid = locks[i] != NULL && cohort_multilock_valid (locks[i], 0);
            holders[one[i]] += valid;
            holders[other[i]] += valid;
        }
        for (int i = 0; i < 3; i++) {
            assert_true (holders[i] <= 1);
        }
        for (int i = 0; i < TRADERS; i++) {
            if (locks[i] != NULL && cohort_multilock_valid (locks[i], 0)) {
                transfer (i, one[i], other[i]);
                cohort_multilock_destroy (&locks[i]);
                served++;
            }
        }
    }
}

static void opposite_orders_through_crashes (void **state)
{
    (void) state;
    for (int i = 0; i < TRADERS; i++) {
        clients[i] = live_client ();
    }
    assert_int_equal (
        cohort_create (clients[0], "/accounts", "", 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (
            cohort_create (clients[0], paths[i], "", 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        serve (round);
    }
    for (int i = 0; i < 3; i++) {
        int64_t sum = 0;
        assert_int_equal (cohort_add (clients[0], paths[i], 0, INT64_MIN, INT64_MAX, &sum, NULL),
                          0);
        assert_int_equal (sum, expected[i]);
    }
    for (int i = 0; i < TRADERS; i++) {
        assert_int_equal (cohort_sync (clients[i]), 0);
        (void) cohort_dispatch (clients[i], 0);
        cohort_destroy (&clients[i]);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (opposite_orders_through_crashes, live_start, live_stop),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
