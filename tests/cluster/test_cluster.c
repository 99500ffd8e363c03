/* Real processes: servers are killed and stopped under load, and nothing acknowledged is lost.
 *
 * usage: test-cluster COHORTD [cmocka's name filter] */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cohort/client.h"
#include "tests/cluster/ensemble.h"
#include "tests/cluster/load.h"
#include "tests/cluster/recipes.h"
#include "tests/support/witness.h"
#include "tests/unit/unit.h"

enum { START_MS = 20000, LOAD_MS = 60000, STOP_MS = 10000, SESSIONS = 8, WINDOW = 64, CROWD = 600 };

static const char *cohortd;
static struct ensemble ensemble;
static struct load load;
static struct witness *witness;
static bool finished;

static int set_up (void **state)
{
    (void) state;
    finished = false;
    ensemble_init (&ensemble, cohortd, 3, "");
    witness = witness_new ();
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    witness_destroy (&witness);
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

/* From one moment to another no more may have passed than the bound, but for what the machine, busy
 * with other things, made everybody wait meanwhile. */
static void assert_in_time (const char *what, int64_t from_ms, int64_t to_ms, int bound_ms)
{
    int took_ms = (int) (to_ms - from_ms);
    int still_ms = (int) witness_still_ms (witness, from_ms, to_ms);
    printf ("  %s: %d ms, while the machine stood still for %d ms\n", what, took_ms, still_ms);
    assert_in_range (took_ms, 0, bound_ms + still_ms);
}

static size_t start_with (size_t sessions, size_t window, size_t total)
{
    ensemble_start_all (&ensemble);
    size_t leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    load_init (&load, ensemble.list, sessions, window, total / sessions);
    return leader;
}

static size_t start (size_t total)
{
    return start_with (SESSIONS, WINDOW, total);
}

/* All servers run again: each of them has everything. */
static void verify_all (void)
{
    load_verify_all (&load, &ensemble);
    finished = true;
}

static void test_leader_killed (void **state)
{
    (void) state;
    size_t leader = start (60000);
    load_until (&load, 20000, LOAD_MS);
    ensemble_signal (&ensemble, leader, SIGKILL);
    load_until (&load, 60000, LOAD_MS);
    /* Noticed by its closed connections: a timer would have taken longer than this. */
    assert_in_time ("longest time without an acknowledged write", load.longest_from_ms,
                    load.longest_to_ms, 450);
    ensemble_start (&ensemble, leader);
    verify_all ();
}

/* Whoever held something has it still, and nobody else has: while leaders die. */
static void test_recipes_while_leaders_are_killed (void **state)
{
    (void) state;
    ensemble_start_all (&ensemble);
    size_t leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    recipes_init (ensemble.list);
    recipes_until_progress (5, LOAD_MS);
    for (int i = 0; i < 3; i++) {
        ensemble_signal (&ensemble, leader, SIGKILL);
        recipes_until_progress (5, LOAD_MS);
        ensemble_start (&ensemble, leader);
        leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    }
    recipes_deinit ();
    finished = true;
}

static void test_leader_stopped (void **state)
{
    (void) state;
    size_t leader = start (40000);
    load_until (&load, 10000, LOAD_MS);
    ensemble_signal (&ensemble, leader, SIGSTOP);
    /* Clients of the stopped server move, too: nobody else asks for what is theirs. */
    load_until (&load, 40000, LOAD_MS);
    ensemble_signal (&ensemble, leader, SIGCONT);
    verify_all ();
}

static void test_follower_killed_and_stopped (void **state)
{
    (void) state;
    size_t leader = start (60000);
    size_t killed = (leader + 1) % 3;
    load_until (&load, 10000, LOAD_MS);
    ensemble_signal (&ensemble, killed, SIGKILL);
    load_until (&load, 30000, LOAD_MS);
    ensemble_start (&ensemble, killed);
    /* Who comes back follows; unless the machine stood still, and the leader with it. */
    size_t leads = ensemble_wait_leader (&ensemble, 2, START_MS);
    assert_true (leads == leader || ensemble_log_has (&ensemble, leader, "has stalled"));
    size_t stopped = (leads + 1) % 3 == killed ? (leads + 2) % 3 : (leads + 1) % 3;
    ensemble_signal (&ensemble, stopped, SIGSTOP);
    load_until (&load, 60000, LOAD_MS);
    ensemble_signal (&ensemble, stopped, SIGCONT);
    verify_all ();
}

/* All sessions of one loop share a connection to each server, and move at once. */
static void test_a_crowd_moves (void **state)
{
    (void) state;
    size_t leader = start_with (CROWD, 8, 60000);
    load_until (&load, 15000, LOAD_MS);
    ensemble_signal (&ensemble, leader, SIGKILL);
    load_until (&load, 30000, LOAD_MS);
    ensemble_start (&ensemble, leader);
    leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    ensemble_signal (&ensemble, leader, SIGSTOP);
    load_until (&load, 45000, LOAD_MS);
    ensemble_signal (&ensemble, leader, SIGCONT);
    leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    ensemble_signal (&ensemble, (leader + 1) % 3, SIGKILL);
    load_until (&load, 60000, LOAD_MS);
    ensemble_start (&ensemble, (leader + 1) % 3);
    verify_all ();
}

static void test_all_killed (void **state)
{
    (void) state;
    (void) start (30000);
    load_until (&load, 15000, LOAD_MS);
    for (size_t i = 0; i < ensemble.count; i++) {
        ensemble_signal (&ensemble, i, SIGKILL);
    }
    ensemble_start_all (&ensemble);
    load_until (&load, 30000, LOAD_MS);
    verify_all ();
}

/* Two of them have all that was acknowledged, whichever begin; the third comes later. */
static void test_restarts_in_all_orders (void **state)
{
    static const size_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void) state;
    (void) start (30000);
    load_until (&load, 3000, LOAD_MS);
    for (size_t round = 0; round < 6; round++) {
        const size_t *order = orders[round];
        for (size_t i = 0; i < ensemble.count; i++) {
            ensemble_signal (&ensemble, i, SIGKILL);
        }
        ensemble_start (&ensemble, order[0]);
        ensemble_wait_answer (&ensemble, order[0], START_MS);
        ensemble_start (&ensemble, order[1]);
        (void) ensemble_wait_leader (&ensemble, 1, START_MS);
        load_until (&load, 3000 + round * 4000 + 2000, LOAD_MS);
        ensemble_start (&ensemble, order[2]);
        load_until (&load, 3000 + round * 4000 + 4000, LOAD_MS);
        (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    }
    load_until (&load, 30000, LOAD_MS);
    verify_all ();
}

static void test_rolling_restart (void **state)
{
    (void) state;
    (void) start (30000);
    for (size_t i = 0; i < ensemble.count; i++) {
        load_until (&load, 8000 * (i + 1), LOAD_MS);
        ensemble_stop (&ensemble, i, STOP_MS);
        ensemble_start (&ensemble, i);
        (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    }
    load_until (&load, 30000, LOAD_MS);
    printf ("  longest time without an acknowledged write: %d ms\n",
            (int) (load.longest_to_ms - load.longest_from_ms));
    verify_all ();
}

/* ---- Ephemerals ------------------------------------------------------------------------------ */

enum { GRACE_MS = 200 };

/* A process that holds an ephemeral, until it is killed. */
static pid_t hold_ephemeral (void)
{
    int ready[2];
    char byte;
    assert_int_equal (pipe (ready), 0);
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        cohort_options_t options = {
            .size = sizeof options, .timeout_ms = 30000, .disconnect_grace_ms = GRACE_MS};
        cohort_t *client = cohort_new (ensemble.list, &options);
        if (!client ||
            cohort_create (client, "/held", NULL, 0, COHORT_EPHEMERAL, NULL, NULL, NULL) != 0 ||
            write (ready[1], "r", 1) != 1) {
            _exit (1);
        }
        for (;;) {
            (void) pause ();
        }
    }
    assert_int_equal (read (ready[0], &byte, 1), 1);
    (void) close (ready[0]);
    (void) close (ready[1]);
    return pid;
}

static int64_t vanished_ms;

static void on_event (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    (void) arg;
    assert_int_equal (event->type, COHORT_EVENT_DELETED);
    assert_string_equal (event->path, "/held");
    vanished_ms = test_now_ms ();
}

static void on_seen (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    *(int *) arg = result->rc == 0 ? 1 : result->rc;
}

static void test_killed_client_vanishes_within_grace (void **state)
{
    (void) state;
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    for (int round = 0; round < 3; round++) {
        int seen = 0;
        pid_t holder = hold_ephemeral ();
        cohort_t *client = cohort_new (ensemble.list, NULL);
        assert_non_null (client);
        assert_int_equal (cohort_sync (client), 0);
        vanished_ms = 0;
        assert_int_equal (cohort_exists_async (client, "/held", on_event, NULL, on_seen, &seen), 0);
        while (seen == 0) {
            (void) cohort_run (client, START_MS);
        }
        assert_int_equal (seen, 1);
        int64_t killed_ms = test_now_ms ();
        assert_int_equal (kill (holder, SIGKILL), 0);
        while (vanished_ms == 0) {
            assert_true (cohort_run (client, START_MS) > 0);
        }
        assert_true (vanished_ms - killed_ms >= GRACE_MS - 5);
        assert_in_time ("vanished", killed_ms, vanished_ms, GRACE_MS + 50);
        assert_int_equal (waitpid (holder, NULL, 0), holder);
        cohort_destroy (&client);
    }
    finished = true;
}

/* ---- Bad input ------------------------------------------------------------------------------- */

static void test_clear_errors_at_start (void **state)
{
    char output[4096], config[ENSEMBLE_TEXT], other[3 * ENSEMBLE_TEXT];
    (void) state;
    (void) start (1000);
    load_until (&load, 1000, LOAD_MS);

    /* The folder is in use. */
    assert_int_equal (ensemble_run (&ensemble, ensemble.servers[0].config, output, sizeof output),
                      1);
    assert_non_null (strstr (output, ensemble.servers[0].data));
    assert_non_null (strstr (output, "another process uses this folder"));

    /* The folder of another server. */
    ensemble_stop (&ensemble, 0, STOP_MS);
    (void) snprintf (config, sizeof config, "%s/other.cfg", ensemble.folder);
    (void) snprintf (other, sizeof other, "sed 's/^id=1/id=2/' '%s' > '%s'",
                     ensemble.servers[0].config, config);
    assert_int_equal (system (other), 0);
    assert_int_equal (ensemble_run (&ensemble, config, output, sizeof output), 1);
    assert_non_null (strstr (output, "server 1"));

    ensemble_start (&ensemble, 0);
    verify_all ();
}

int main (int argc, char **argv)
{
#define CLUSTER_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST (test_leader_killed),
        CLUSTER_TEST (test_recipes_while_leaders_are_killed),
        CLUSTER_TEST (test_leader_stopped),
        CLUSTER_TEST (test_follower_killed_and_stopped),
        CLUSTER_TEST (test_a_crowd_moves),
        CLUSTER_TEST (test_all_killed),
        CLUSTER_TEST (test_restarts_in_all_orders),
        CLUSTER_TEST (test_rolling_restart),
        CLUSTER_TEST (test_killed_client_vanishes_within_grace),
        CLUSTER_TEST (test_clear_errors_at_start),
    };
    if (argc < 2) {
        fprintf (stderr, "usage: test-cluster COHORTD [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
