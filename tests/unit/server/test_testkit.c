/* cohort/test.h and cohort/fault.h, as the test of an application uses them. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cohort/client.h"
#include "cohort/test.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 30000, SHORT_MS = 300, HOUR_MS = 3600000 };

static cohort_test_t *test;

static void begin (size_t servers, int manual_clock)
{
    cohort_test_options_t options = {
        .size = sizeof options, .servers = servers, .manual_clock = manual_clock};
    test = cohort_test_new (&options);
    assert_non_null (test);
    assert_int_equal (cohort_test_servers (test), servers);
}

static int end (void **state)
{
    (void) state;
    cohort_test_destroy (&test);
    return 0;
}

static cohort_t *join (const char *endpoints, int timeout_ms)
{
    cohort_options_t options = {
        .size = sizeof options, .loop = cohort_test_loop (test), .timeout_ms = timeout_ms};
    cohort_t *client = cohort_new (endpoints, &options);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, LIMIT_MS), 0);
    cohort_set_time_limit (client, LIMIT_MS);
    return client;
}

static cohort_t *join_all (void)
{
    return join (cohort_test_endpoints (test), 20000);
}

static int create (cohort_t *client, const char *path, int mode)
{
    return cohort_create (client, path, "x", 1, mode, NULL, NULL, NULL);
}

static size_t count_children (cohort_t *client, const char *path)
{
    cohort_strings_t *names;
    assert_int_equal (cohort_children (client, path, &names, NULL), 0);
    size_t count = names->count;
    cohort_strings_destroy (&names);
    return count;
}

/* ---- Servers --------------------------------------------------------------------------------- */

static void test_kill_leader (void **state)
{
    (void) state;
    begin (3, 0);
    cohort_t *client = join_all ();
    assert_int_equal (create (client, "/a", COHORT_PERSISTENT), 0);
    int first = cohort_test_kill_leader (test);
    assert_in_range (first, 0, 2);
    assert_int_equal (cohort_test_kill (test, (size_t) first), COHORT_ESTATE);
    assert_string_equal (cohort_test_errmsg (test) + strlen ("server 0 "), "does not run");
    assert_int_equal (create (client, "/b", COHORT_PERSISTENT), 0);
    int second = cohort_test_leader (test, LIMIT_MS);
    assert_true (second >= 0 && second != first);
    assert_int_equal (cohort_test_start (test, (size_t) first), 0);
    /* What it missed it has: with another one gone nothing goes on without it. */
    assert_int_equal (cohort_test_kill_leader (test), second);
    cohort_t *other = join (cohort_test_endpoint (test, (size_t) first), 20000);
    assert_int_equal (cohort_sync (other), 0);
    assert_int_equal (cohort_exists (other, "/a", NULL), 0);
    assert_int_equal (cohort_exists (other, "/b", NULL), 0);
    cohort_destroy (&other);
    cohort_destroy (&client);
}

static void test_stalled_disk (void **state)
{
    (void) state;
    begin (1, 0);
    cohort_t *client = join_all ();
    assert_int_equal (cohort_test_stall_disk (test, 0, 1), 0);
    cohort_set_time_limit (client, SHORT_MS);
    assert_int_equal (create (client, "/late", COHORT_PERSISTENT), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_exists (client, "/zookeeper", NULL), COHORT_ETIMEDOUT);
    cohort_set_time_limit (client, LIMIT_MS);
    assert_int_equal (cohort_test_stall_disk (test, 0, 0), 0);
    assert_int_equal (cohort_exists (client, "/late", NULL), 0);
    cohort_destroy (&client);
}

/* A leader's disk that stalls costs nothing, if the two others are a quorum. */
static void test_stalled_disk_of_leader (void **state)
{
    (void) state;
    begin (3, 0);
    cohort_t *client = join_all ();
    size_t leader = (size_t) cohort_test_leader (test, LIMIT_MS);
    assert_int_equal (cohort_test_stall_disk (test, leader, 1), 0);
    assert_int_equal (create (client, "/a", COHORT_PERSISTENT), 0);
    /* Two stalled ones are too many; and a crash loses what was not durable there. */
    assert_int_equal (cohort_test_stall_disk (test, (leader + 1) % 3, 1), 0);
    cohort_set_time_limit (client, SHORT_MS);
    assert_int_equal (create (client, "/b", COHORT_PERSISTENT), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_test_kill (test, leader), 0);
    assert_int_equal (cohort_test_stall_disk (test, (leader + 1) % 3, 0), 0);
    assert_int_equal (cohort_test_start (test, leader), 0);
    cohort_set_time_limit (client, LIMIT_MS);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_exists (client, "/a", NULL), 0);
    /* Never withdrawn, and asked for again by the client until it was done once. */
    assert_int_equal (cohort_exists (client, "/b", NULL), 0);
    cohort_destroy (&client);
}

static int64_t ctime_of_new (cohort_t *client, const char *path)
{
    cohort_stat_t stat;
    assert_int_equal (cohort_create (client, path, NULL, 0, COHORT_PERSISTENT, NULL, NULL, &stat),
                      0);
    return stat.ctime_ms;
}

static void test_clocks (void **state)
{
    (void) state;
    begin (1, 1);
    cohort_t *client = join_all ();
    int64_t first = ctime_of_new (client, "/a");
    assert_int_equal (cohort_test_step_clock (test, 0, HOUR_MS), 0);
    int64_t second = ctime_of_new (client, "/b");
    assert_true (second >= first + HOUR_MS);
    assert_int_equal (cohort_state (client), COHORT_CONNECTED);
    /* Dates do not go back, and nobody loses a session. */
    assert_int_equal (cohort_test_step_clock (test, 0, -2 * HOUR_MS), 0);
    assert_true (ctime_of_new (client, "/c") >= second);
    assert_int_equal (cohort_test_advance_ms (test, 60000), 0);
    assert_int_equal (cohort_state (client), COHORT_CONNECTED);
    assert_int_equal (cohort_test_step_clock (test, 1, 0), COHORT_EINVAL);
    cohort_destroy (&client);
}

static void test_first_sequence (void **state)
{
    static const char *const expected[] = {"n9999999998", "n9999999999", "n10000000000"};
    cohort_test_options_t options = {
        .size = sizeof options, .servers = 3, .first_sequence = 9999999998};
    (void) state;
    test = cohort_test_new (&options);
    assert_non_null (test);
    cohort_t *client = join_all ();
    assert_int_equal (create (client, "/q", COHORT_PERSISTENT), 0);
    for (size_t i = 0; i < 3; i++) {
        char *path = NULL;
        if (i == 1) {
            assert_in_range (cohort_test_kill_leader (test), 0, 2);
        }
        assert_int_equal (
            cohort_create (client, "/q/n", NULL, 0, COHORT_SEQUENTIAL, NULL, &path, NULL), 0);
        assert_string_equal (path + strlen ("/q/"), expected[i]);
        cohort_free (path);
    }
    cohort_destroy (&client);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

struct seen {
    cohort_state_t last;
    int states, events;
};

static void on_state (cohort_t *client, cohort_state_t state, void *arg)
{
    struct seen *seen = arg;
    (void) client;
    seen->last = state;
    seen->states++;
}

static void test_expire (void **state)
{
    struct seen seen = {0};
    (void) state;
    begin (3, 0);
    cohort_t *client = join_all (), *other = join_all ();
    assert_int_equal (create (client, "/e", COHORT_EPHEMERAL), 0);
    cohort_set_state_handler (client, on_state, &seen);
    assert_int_equal (cohort_test_expire (test, client), 0);
    while (seen.last != COHORT_LOST) {
        assert_true (cohort_run (client, LIMIT_MS) >= 0);
    }
    assert_int_equal (cohort_exists (client, "/e", NULL), COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_sync (other), 0);
    assert_int_equal (cohort_exists (other, "/e", NULL), COHORT_ENONODE);
    assert_int_equal (cohort_state (other), COHORT_CONNECTED);
    assert_int_equal (cohort_test_expire (test, client), COHORT_ESTATE);
    /* Who has none, and there was one that could be expired before. */
    assert_int_equal (cohort_test_expire (test, other), 0);
    cohort_t *none = cohort_new ("ipc://@cohort-test-nobody", NULL);
    assert_non_null (none);
    assert_int_equal (cohort_test_expire (test, none), COHORT_ESTATE);
    assert_string_equal (cohort_test_errmsg (test), "the client has no session yet");
    cohort_destroy (&none);
    cohort_destroy (&other);
    cohort_destroy (&client);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void test_dropped_reply (void **state)
{
    (void) state;
    begin (3, 0);
    cohort_t *client = join_all ();
    assert_int_equal (create (client, "/q", COHORT_PERSISTENT), 0);
    for (int i = 1; i <= 3; i++) {
        char *path = NULL, wanted[32];
        assert_int_equal (cohort_fault_drop_replies (client, i), 0);
        assert_int_equal (
            cohort_create (client, "/q/n-", NULL, 0, COHORT_SEQUENTIAL, NULL, &path, NULL), 0);
        (void) snprintf (wanted, sizeof wanted, "/q/n-%010d", i - 1);
        assert_string_equal (path, wanted);
        cohort_free (path);
        assert_int_equal (cohort_fault_drop_replies (client, 0), 0);
        assert_int_equal (count_children (client, "/q"), i);
    }
    /* Its version says that it happened once. */
    assert_int_equal (cohort_fault_drop_replies (client, 1), 0);
    assert_int_equal (cohort_set (client, "/q", "y", 1, 0, NULL), 0);
    assert_int_equal (cohort_fault_drop_replies (client, -1), COHORT_EINVAL);
    cohort_destroy (&client);
}

static void on_watch (cohort_t *client, const cohort_event_t *event, void *arg)
{
    struct seen *seen = arg;
    (void) client;
    (void) event;
    seen->events++;
}

static void dispatch_all (cohort_t *client)
{
    while (cohort_dispatch (client, 64) > 0) {
    }
}

static void test_held_events (void **state)
{
    struct seen seen = {0};
    (void) state;
    begin (1, 1);
    cohort_t *client = join_all (), *other = join_all ();
    assert_int_equal (create (other, "/a", COHORT_PERSISTENT), 0);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_exists_async (client, "/a", on_watch, &seen, NULL, NULL), 0);
    assert_int_equal (cohort_test_advance_ms (test, 1), 0);
    dispatch_all (client);
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_EVENTS), 0);
    assert_int_equal (cohort_sync (client), 0); /* an answer passes */
    assert_int_equal (cohort_set (other, "/a", "y", 1, COHORT_ANY_VERSION, NULL), 0);
    assert_int_equal (cohort_test_advance_ms (test, 20), 0);
    dispatch_all (client);
    assert_int_equal (seen.events, 0);
    /* What is behind an event does not overtake it. */
    cohort_set_time_limit (client, SHORT_MS);
    assert_int_equal (cohort_exists (client, "/a", NULL), COHORT_ETIMEDOUT);
    assert_int_equal (seen.events, 0);
    cohort_set_time_limit (client, LIMIT_MS);
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_NOTHING), 0);
    assert_int_equal (cohort_test_advance_ms (test, 1), 0);
    dispatch_all (client);
    assert_int_equal (seen.events, 1);
    assert_int_equal (cohort_fault_hold (client, 3), COHORT_EINVAL);
    cohort_destroy (&other);
    cohort_destroy (&client);
}

/* Longer than the session's timeout: its event comes with the next connection. */
static void test_held_too_long (void **state)
{
    struct seen seen = {0};
    (void) state;
    begin (1, 0);
    cohort_t *client = join (cohort_test_endpoints (test), 20000), *other = join_all ();
    assert_int_equal (create (other, "/a", COHORT_PERSISTENT), 0);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_exists_async (client, "/a", on_watch, &seen, NULL, NULL), 0);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_ALL), 0);
    assert_int_equal (cohort_set (other, "/a", "y", 1, COHORT_ANY_VERSION, NULL), 0);
    cohort_fault_cut (client); /* what was held is lost */
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_NOTHING), 0);
    while (seen.events == 0) {
        assert_true (cohort_run (client, LIMIT_MS) >= 0);
    }
    cohort_destroy (&other);
    cohort_destroy (&client);
}

static void test_isolated (void **state)
{
    enum { TIMEOUT_MS = 4000 };
    struct seen seen = {0};
    (void) state;
    begin (1, 1);
    cohort_t *client = join (cohort_test_endpoints (test), TIMEOUT_MS), *other = join_all ();
    assert_int_equal (create (client, "/e", COHORT_EPHEMERAL), 0);
    cohort_set_state_handler (client, on_state, &seen);
    cohort_fault_isolate (client, 1);
    assert_int_equal (cohort_test_advance_ms (test, 100), 0);
    dispatch_all (client);
    assert_int_equal (seen.last, COHORT_SUSPENDED);
    /* Back in time: nothing has happened. */
    cohort_fault_isolate (client, 0);
    assert_int_equal (cohort_test_advance_ms (test, 1000), 0);
    dispatch_all (client);
    assert_int_equal (seen.last, COHORT_CONNECTED);
    assert_int_equal (cohort_exists (other, "/e", NULL), 0);
    /* For too long: LOST, and the ephemeral is gone. */
    cohort_fault_isolate (client, 1);
    assert_int_equal (cohort_test_advance_ms (test, 2 * TIMEOUT_MS), 0);
    dispatch_all (client);
    assert_int_equal (seen.last, COHORT_LOST);
    assert_int_equal (cohort_exists (other, "/e", NULL), COHORT_ENONODE);
    cohort_destroy (&other);
    cohort_destroy (&client);
}

/* ---- Options --------------------------------------------------------------------------------- */

static void test_bad_options (void **state)
{
    static const struct {
        cohort_test_options_t options;
        const char *text;
    } cases[] = {
        {{.size = 3}, "options: size is not sizeof (cohort_test_options_t)"},
        {{.size = sizeof (cohort_test_options_t), .servers = 8},
         "options: 8 servers; at most 7 are possible"},
        {{.size = sizeof (cohort_test_options_t), .servers = 3, .manual_clock = 1},
         "options: manual_clock goes with one server, not with 3"},
        {{.size = sizeof (cohort_test_options_t), .first_sequence = UINT64_MAX},
         "options: first_sequence is above 2^63-1"},
        {{.size = sizeof (cohort_test_options_t), .admins = "nobody"}, NULL},
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = NULL;
        assert_null (cohort_test_new (&cases[i].options));
        assert_true (cohort_test_new_error (&text) < 0);
        if (cases[i].text) {
            assert_string_equal (text, cases[i].text);
        }
    }
    begin (1, 0);
    assert_null (cohort_test_server (test, 1));
    assert_null (cohort_test_endpoint (test, 1));
    assert_int_equal (cohort_test_kill (test, 1), COHORT_EINVAL);
    assert_int_equal (cohort_test_start (test, 0), COHORT_ESTATE);
    assert_int_equal (cohort_test_advance_ms (test, 1), COHORT_ESTATE);
    assert_string_equal (cohort_test_errmsg (test),
                         "the clock does not move: the option manual_clock is not set");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown (test_kill_leader, end),
        cmocka_unit_test_teardown (test_stalled_disk, end),
        cmocka_unit_test_teardown (test_stalled_disk_of_leader, end),
        cmocka_unit_test_teardown (test_clocks, end),
        cmocka_unit_test_teardown (test_first_sequence, end),
        cmocka_unit_test_teardown (test_expire, end),
        cmocka_unit_test_teardown (test_dropped_reply, end),
        cmocka_unit_test_teardown (test_held_events, end),
        cmocka_unit_test_teardown (test_held_too_long, end),
        cmocka_unit_test_teardown (test_isolated, end),
        cmocka_unit_test_teardown (test_bad_options, end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
