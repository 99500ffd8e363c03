/* Failpoints of real ensembles: a server's links end it in the middle of what it says, or are slow;
 * and its disk fails where names are concerned. Nothing acknowledged is lost.
 *
 * usage: test-cluster-failpoints COHORTD-FAILPOINTS [cmocka's name filter] */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/cluster/ensemble.h"
#include "tests/cluster/load.h"
#include "tests/unit/unit.h"

enum { EXIT_CANNOT_START = 1, EXIT_DISK_FAILED = 4, EXIT_AT_POINT = 137 }; /* of cohortd */
enum { START_MS = 60000, LOAD_MS = 120000, SESSIONS = 4, WINDOW = 32 };
enum { WRITES_MAX = 200000, STEP = 500 };

static const char *cohortd;
static struct ensemble ensemble;
static struct load load;
static bool finished;

static int set_up (void **state)
{
    (void) state;
    finished = false;
    ensemble_init (&ensemble, cohortd, 3, "snapshotBytes=100000\n");
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

static void begin_load (void)
{
    load_init (&load, ensemble.list, SESSIONS, WINDOW, WRITES_MAX / SESSIONS);
    load_until (&load, 1000, LOAD_MS);
}

static void verify_all (void)
{
    load.total = 0; /* each has so many, and no more is asked for */
    for (size_t i = 0; i < SESSIONS; i++) {
        size_t sent = load.sessions[i].sent;
        load.total = sent > load.total ? sent : load.total;
    }
    load_until (&load, load.total * SESSIONS, LOAD_MS);
    load_verify_all (&load, &ensemble);
    finished = true;
}

/* Killed, and started again with these points; the others go on. */
static void start_with (size_t server, const char *points)
{
    ensemble_signal (&ensemble, server, SIGKILL);
    assert_int_equal (setenv ("COHORT_FAILPOINTS", points, 1), 0);
    ensemble_start (&ensemble, server);
    assert_int_equal (unsetenv ("COHORT_FAILPOINTS"), 0);
}

/* It is written until it has ended. */
static int end_of (size_t server)
{
    int end;
    while ((end = ensemble_reap (&ensemble, server)) == -1) {
        assert_true (load.acked + 2 * STEP < WRITES_MAX);
        load_until (&load, load.acked + STEP, LOAD_MS);
    }
    assert_true (WIFEXITED (end));
    load_until (&load, load.acked + STEP, LOAD_MS);
    return WEXITSTATUS (end);
}

/* At its first frame, while it looks for a leader, and later while it follows or leads. */
static void test_link_exits (void **state)
{
    static const char *const points[] = {"link.send=exit", "link.send=exit@4", "link.send=exit@20",
                                         "link.send=exit@90", "link.send=exit@400"};
    (void) state;
    begin_load ();
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        size_t server = ensemble_wait_leader (&ensemble, 2, START_MS);
        server = i % 2 == 0 ? server : (server + 1) % 3;
        start_with (server, points[i]);
        assert_int_equal (end_of (server), EXIT_AT_POINT);
        ensemble_start (&ensemble, server);
    }
    verify_all ();
}

/* Of one server; then of all. */
static void test_link_is_slow (void **state)
{
    (void) state;
    begin_load ();
    start_with (0, "link.send=delay:5");
    load_until (&load, 3000, LOAD_MS);
    for (size_t i = 0; i < 3; i++) {
        (void) ensemble_wait_leader (&ensemble, 2, START_MS);
        start_with (i, "link.send=delay:2");
    }
    load_until (&load, 6000, LOAD_MS);
    for (size_t i = 0; i < 3; i++) {
        (void) ensemble_wait_leader (&ensemble, 2, START_MS);
        start_with (i, "");
    }
    verify_all ();
}

/* A call that concerns names fails, or is the last, at its n-th time. As it starts a server makes a
 * few of them; then it may say that it cannot start. */
static void at_names (const char *point, const char *action, int status)
{
    static const unsigned times[] = {1, 2, 5};
    char points[64];
    begin_load ();
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        size_t server = ensemble_wait_leader (&ensemble, 2, START_MS);
        server = (server + i) % 3;
        (void) snprintf (points, sizeof points, "%s=%s@%u", point, action, times[i]);
        start_with (server, points);
        int end = end_of (server);
        bool started = ensemble_life_has (&ensemble, server, " listening clients=");
        printf ("  %s: status %d%s\n", points, end, started ? "" : ", at the start");
        assert_int_equal (end, started || status == EXIT_AT_POINT ? status : EXIT_CANNOT_START);
        assert_true (status == EXIT_AT_POINT || ensemble_life_has (&ensemble, server, "EIO"));
        ensemble_start (&ensemble, server);
    }
    verify_all ();
}

static void test_unlink_fails (void **state)
{
    (void) state;
    at_names ("store.unlink", "eio", EXIT_DISK_FAILED);
}

static void test_unlink_exits (void **state)
{
    (void) state;
    at_names ("store.unlink", "exit", EXIT_AT_POINT);
}

static void test_names_fail (void **state)
{
    (void) state;
    at_names ("store.names", "eio", EXIT_DISK_FAILED);
}

static void test_names_exit (void **state)
{
    (void) state;
    at_names ("store.names", "exit", EXIT_AT_POINT);
}

static void test_names_are_slow (void **state)
{
    (void) state;
    begin_load ();
    start_with (0, "store.names=delay:300;store.unlink=delay:100");
    load_until (&load, 8000, LOAD_MS);
    verify_all ();
}

int main (int argc, char **argv)
{
#define POINT_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        POINT_TEST (test_link_exits),     POINT_TEST (test_link_is_slow),
        POINT_TEST (test_unlink_fails),   POINT_TEST (test_unlink_exits),
        POINT_TEST (test_names_fail),     POINT_TEST (test_names_exit),
        POINT_TEST (test_names_are_slow),
    };
    if (argc < 2) {
        fprintf (stderr, "usage: test-cluster-failpoints COHORTD-FAILPOINTS [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
