/* Leases with the real client and a real server in this process; time moves when the test says so.
 */

#include <poll.h>

#include "tests/unit/recipes/live.h"

#define DURATION 1000
#define LATER    (DURATION + DURATION / 8 + 1)
#define ROUNDS   12
#define STEP_MS  25

static void advance (int64_t ms)
{
    assert_int_equal (cohort_server_advance_ms (live_server, ms), 0);
}

static cohort_lease_t *lease_of (cohort_t *client)
{
    cohort_lease_t *lease = cohort_lease_new (client, "/game/boss", DURATION, NULL);
    assert_non_null (lease);
    return lease;
}

static void catch_up (cohort_t *client)
{
    assert_int_equal (cohort_sync (client), 0);
    (void) cohort_dispatch (client, 0);
}

/* Moves the clock until the one who waits has it; returns how far. */
static int64_t await_turn (cohort_t *client, cohort_lease_t *lease)
{
    int64_t passed_ms = 0;
    while (cohort_lease_left_ms (lease) == 0) {
        assert_true (passed_ms < 100 * DURATION);
        advance (STEP_MS);
        passed_ms += STEP_MS;
        catch_up (client);
    }
    return passed_ms;
}

/* A server that comes back is found after a pause, by the clock. */
static void restart (cohort_t *const clients[2])
{
    assert_int_equal (cohort_server_crash (live_server), 0);
    assert_int_equal (cohort_server_start (live_server), 0);
    for (int i = 0; i < 2; i++) {
        while (cohort_state (clients[i]) != COHORT_CONNECTED) {
            advance (1);
        }
    }
}

/* The holder hangs: the next one has it when its time is over, and not before; and so on, through
 * crashes of the server. Both count for themselves, in cohort_dispatch alone. */
static void handed_on_by_time_alone (void **state)
{
    (void) state;
    cohort_t *clients[2] = {live_client (), live_client ()};
    cohort_lease_t *leases[2] = {lease_of (clients[0]), lease_of (clients[1])};
    uint64_t last = 0;
    assert_int_equal (cohort_lease_try (leases[0], LIVE_LIMIT_MS), 0);
    for (int round = 0; round < ROUNDS; round++) {
        cohort_lease_t *holder = leases[round % 2], *next = leases[1 - round % 2];
        cohort_t *hangs = clients[round % 2], *waiting = clients[1 - round % 2];
        assert_true (cohort_lease_token (holder).czxid > last);
        last = cohort_lease_token (holder).czxid;
        if (round % 3 == 1) {
            restart (clients);
        }
        assert_int_equal (cohort_lease_acquire (next), 0);
        if (round % 3 == 0) {
            advance (DURATION / 2);
            assert_int_equal (cohort_lease_renew (holder), 0);
            catch_up (hangs);
        }
        assert_true (await_turn (waiting, next) >= LATER);
        assert_int_equal (cohort_lease_left_ms (holder), 0);
        /* The other hears of it when it goes on. */
        live_until (hangs, cohort_lease_token (holder).czxid == 0);
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
    assert_true (await_turn (other, second) >= LATER);
    assert_int_equal (cohort_multi (one, txn), COHORT_ENONODE);
    cohort_txn_destroy (&txn);
    cohort_lease_destroy (&first);
    cohort_lease_destroy (&second);
    catch_up (one);
    catch_up (other);
    cohort_destroy (&one);
    cohort_destroy (&other);
}

/* Nobody looks at anything but the descriptor: what is due makes it readable. */
static void the_descriptor_tells_when_it_is_over (void **state)
{
    (void) state;
    cohort_t *client = live_client ();
    cohort_lease_t *lease = lease_of (client);
    assert_int_equal (cohort_lease_try (lease, LIVE_LIMIT_MS), 0);
    advance (DURATION - 1);
    catch_up (client);
    assert_true (cohort_lease_token (lease).czxid != 0);
    advance (1);
    assert_true (cohort_lease_token (lease).czxid != 0); /* nowhere but in a dispatch */
    while (cohort_lease_token (lease).czxid != 0) {
        struct pollfd item = {.fd = cohort_fd (client), .events = POLLIN};
        assert_int_equal (poll (&item, 1, LIVE_LIMIT_MS), 1);
        (void) cohort_dispatch (client, 0);
    }
    cohort_lease_destroy (&lease);
    catch_up (client);
    cohort_destroy (&client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, live_start_manual, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (handed_on_by_time_alone),
        TEST (a_late_write_is_refused),
        TEST (the_descriptor_tells_when_it_is_over),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
