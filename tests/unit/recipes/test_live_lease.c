/* Leases with the real client and a real server in this process; time moves when the test says so.
 */

#include "tests/unit/recipes/live.h"

#define DURATION 1000
#define LATER    (DURATION + DURATION / 8 + 1)
#define ROUNDS   12

static int64_t now_ms;

static int64_t test_clock (void *arg)
{
    (void) arg;
    return now_ms;
}

static cohort_lease_t *lease_of (cohort_t *client)
{
    cohort_lease_options_t options = {.size = sizeof (options), .clock = test_clock};
    cohort_lease_t *lease = cohort_lease_new (client, "/game/boss", DURATION, &options);
    assert_non_null (lease);
    return lease;
}

static void catch_up (cohort_t *client)
{
    assert_int_equal (cohort_sync (client), 0);
    (void) cohort_dispatch (client, 0);
}

/* The holder hangs: the next one has it when its time is over, and not before; and so on, through
 * crashes of the server. */
static void handed_on_by_time_alone (void **state)
{
    (void) state;
    cohort_t *clients[2] = {live_client (), live_client ()};
    cohort_lease_t *leases[2] = {lease_of (clients[0]), lease_of (clients[1])};
    uint64_t last = 0;
    assert_int_equal (cohort_lease_try (leases[0], LIVE_LIMIT_MS), 0);
    for (int round = 0; round < ROUNDS; round++) {
        cohort_lease_t *holder = leases[round % 2], *next = leases[1 - round % 2];
        cohort_t *waiting = clients[1 - round % 2];
        assert_true (cohort_lease_token (holder).czxid > last);
        last = cohort_lease_token (holder).czxid;
        assert_int_equal (cohort_lease_acquire (next), 0);
        live_until (waiting, cohort_lease_timeout (next) == LATER);
        if (round % 3 == 0) {
            now_ms += DURATION / 2;
            assert_int_equal (cohort_lease_renew (holder), 0);
            catch_up (clients[round % 2]);
            live_until (waiting, cohort_lease_timeout (next) == LATER);
        } else if (round % 3 == 1) {
            assert_int_equal (cohort_server_crash (live_server), 0);
            assert_int_equal (cohort_server_start (live_server), 0);
        }
        now_ms += LATER - 1;
        cohort_lease_tick (next);
        catch_up (waiting);
        assert_int_equal (cohort_lease_left_ms (holder), 0);
        assert_int_equal (cohort_lease_left_ms (next), 0);
        now_ms++;
        assert_int_equal (cohort_lease_wait (next, LIVE_LIMIT_MS), 0);
        assert_int_equal (cohort_lease_left_ms (holder), 0);
        /* The other hears of it when it goes on. */
        live_until (clients[round % 2], cohort_lease_token (holder).czxid == 0);
    }
    for (int i = 0; i < 2; i++) {
        cohort_lease_destroy (&leases[i]);
        catch_up (clients[i]);
        cohort_destroy (&clients[i]);
    }
}

static void a_late_write_is_refused (void **state)
{
    (void) state;
    cohort_t *one = live_client (), *other = live_client ();
    cohort_lease_t *first = lease_of (one), *second = lease_of (other);
    assert_int_equal (cohort_lease_try (first, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_lease_try (second, LIVE_LIMIT_MS), COHORT_EBUSY);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_lease_guard (first, txn), 0);
    assert_int_equal (cohort_txn_create (txn, "/saved", "x", 1, COHORT_PERSISTENT, NULL), 0);
    assert_int_equal (cohort_lease_acquire (second), 0);
    live_until (other, cohort_lease_timeout (second) == LATER);
    now_ms += LATER;
    assert_int_equal (cohort_lease_wait (second, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_multi (one, txn), COHORT_ENONODE);
    cohort_txn_destroy (&txn);
    cohort_lease_destroy (&first);
    cohort_lease_destroy (&second);
    catch_up (one);
    catch_up (other);
    cohort_destroy (&one);
    cohort_destroy (&other);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, live_start, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (handed_on_by_time_alone),
        TEST (a_late_write_is_refused),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
