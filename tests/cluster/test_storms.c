/* Real processes: much at once. Frames of nearly a megabyte, whose connections end in the middle; a
 * thousand ephemerals of one session, and leaders that die as they come and as they go; a program
 * that stands still with a lock in its hand, until somebody else has it.
 *
 * usage: test-cluster-storms COHORTD [cmocka's name filter] */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/base/prng.h"
#include "cohort/client.h"
#include "cohort/lock.h"
#include "tests/cluster/ensemble.h"
#include "tests/support/tcp_proxy.h"
#include "tests/unit/unit.h"

enum { START_MS = 60000, LIMIT_MS = 60000, PATH_SIZE = 64 };

static const char *cohortd;
static struct ensemble ensemble;
static struct tcp_proxy *proxy;
static bool finished;

static int set_up_with (const char *settings)
{
    finished = false;
    ensemble_init_with (&ensemble,
                        &(struct ensemble_options){
                            .cohortd = cohortd, .count = 3, .settings = settings, .proxy = proxy});
    if (proxy != NULL) {
        tcp_proxy_start (proxy);
    }
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    return 0;
}

static int set_up (void **state)
{
    (void) state;
    return set_up_with ("");
}

static int set_up_proxy (void **state)
{
    (void) state;
    proxy = tcp_proxy_new ();
    return set_up_with ("snapshotBytes=8000000\n");
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    tcp_proxy_destroy (&proxy);
    return 0;
}

static cohort_t *client_of (const char *servers)
{
    cohort_t *client = cohort_new (servers, NULL);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, START_MS), 0);
    return client;
}

static void make (cohort_t *client, const char *path)
{
    assert_int_equal (cohort_create (client, path, NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
}

/* By a client that is gone before other processes are made. */
static void make_once (const char *path)
{
    cohort_t *client = client_of (ensemble.list);
    make (client, path);
    cohort_destroy (&client);
}

static void kill_leader (void)
{
    size_t leader = ensemble_wait_leader (&ensemble, 1, START_MS);
    ensemble_signal (&ensemble, leader, SIGKILL);
    ensemble_start (&ensemble, leader);
}

/* ---- Large frames ---------------------------------------------------------------------------- */

enum { LARGE_COUNT = 60, LARGE_WINDOW = 6, LARGE_SIZE = 900000, CUT_BYTES = 1500000, CUT_MS = 40 };

static uint8_t large[LARGE_SIZE];
static size_t asked, answered;

static void fill_large (size_t number)
{
    struct prng prng;
    prng_seed (&prng, number + 1);
    for (size_t i = 0; i + sizeof (uint64_t) <= sizeof large; i += sizeof (uint64_t)) {
        uint64_t word = prng_u64 (&prng);
        memcpy (large + i, &word, sizeof word);
    }
}

static void on_large (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) arg;
    assert_int_equal (result->rc, 0); /* created exactly once */
    answered++;
}

static void ask_for_more (cohort_t *client)
{
    while (asked < LARGE_COUNT && asked - answered < LARGE_WINDOW) {
        char path[PATH_SIZE];
        (void) snprintf (path, sizeof path, "/large/n%zu", asked);
        fill_large (asked++);
        assert_int_equal (cohort_create_async (client, path, large, sizeof large, COHORT_PERSISTENT,
                                               NULL, on_large, NULL),
                          0);
    }
}

/* Between servers, or one of the clients'. */
static void cut_somewhere (struct prng *prng)
{
    size_t from = prng_below (prng, 3), to = (from + 1 + prng_below (prng, 2)) % 3;
    const struct ensemble_server *server = &ensemble.servers[from];
    tcp_proxy_cut (proxy, prng_chance (prng, 1, 3) ? server->client_link : server->peer_links[to],
                   (uint32_t) prng_below (prng, CUT_BYTES));
}

static void write_large (cohort_t *client, struct prng *prng, size_t until)
{
    int64_t limit = test_now_ms () + LIMIT_MS, cut_ms = 0;
    while (answered < until) {
        assert_true (test_now_ms () < limit);
        ask_for_more (client);
        (void) cohort_run (client, CUT_MS);
        if (test_now_ms () >= cut_ms) {
            cut_somewhere (prng);
            cut_ms = test_now_ms () + CUT_MS;
        }
    }
}

static void verify_large (size_t server)
{
    cohort_t *client = client_of (ensemble.servers[server].clients);
    assert_int_equal (cohort_sync (client), 0);
    for (size_t i = 0; i < LARGE_COUNT; i++) {
        char path[PATH_SIZE];
        void *data;
        size_t size;
        (void) snprintf (path, sizeof path, "/large/n%zu", i);
        assert_int_equal (cohort_get (client, path, &data, &size, NULL), 0);
        fill_large (i);
        assert_int_equal (size, sizeof large);
        assert_memory_equal (data, large, size);
        cohort_free (data);
    }
    cohort_destroy (&client);
}

/* Requests, proposals, and the snapshot for a server that was emptied: none of them gets through
 * the first time. Connections are cut no more often than that something gets through at all. */
static void test_large_frames_are_cut (void **state)
{
    struct prng prng;
    (void) state;
    prng_seed (&prng, 1);
    asked = answered = 0;
    cohort_t *client = client_of (ensemble.proxied);
    make (client, "/large");
    write_large (client, &prng, LARGE_COUNT / 3);
    kill_leader ();
    write_large (client, &prng, LARGE_COUNT * 2 / 3);
    size_t emptied = (ensemble_wait_leader (&ensemble, 1, START_MS) + 1) % 3;
    ensemble_signal (&ensemble, emptied, SIGKILL);
    ensemble_shell ("rm -rf '%s'", ensemble.servers[emptied].data);
    ensemble_start (&ensemble, emptied);
    write_large (client, &prng, LARGE_COUNT);
    ensemble_wait_whole (&ensemble, START_MS);
    for (size_t i = 0; i < 3; i++) {
        verify_large (i);
    }
    ensemble_wait_equal (&ensemble, START_MS);
    struct tcp_proxy_counts counts;
    tcp_proxy_counts (proxy, &counts);
    printf ("  %llu connections were cut\n", (unsigned long long) counts.resets);
    assert_true (counts.resets > 0);
    cohort_destroy (&client);
    finished = true;
}

/* ---- A thousand ephemerals ------------------------------------------------------------------- */

enum { CROWD = 1000, CROWD_TIMEOUT_MS = 30000, CROWD_GRACE_MS = 200 };

static void on_member (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    *(size_t *) arg += result->rc == 0;
}

/* In a process of its own, which says when it has all of them, and then waits to be killed. */
static void hold_crowd (const char *folder, int ready)
{
    cohort_options_t options = {.size = sizeof options,
                                .timeout_ms = CROWD_TIMEOUT_MS,
                                .disconnect_grace_ms = CROWD_GRACE_MS};
    cohort_t *client = cohort_new (ensemble.list, &options);
    size_t members = 0;
    for (size_t i = 0; i < CROWD; i++) {
        char path[PATH_SIZE];
        (void) snprintf (path, sizeof path, "%s/m%zu", folder, i);
        if (client == NULL || cohort_create_async (client, path, NULL, 0, COHORT_EPHEMERAL, NULL,
                                                   on_member, &members) != 0) {
            _exit (1);
        }
    }
    while (members < CROWD) {
        (void) cohort_run (client, START_MS);
    }
    if (write (ready, "r", 1) != 1) {
        _exit (1);
    }
    for (;;) {
        (void) cohort_run (client, START_MS);
    }
}

/* Its end of the pipe: what can be read there. */
static pid_t start_crowd (const char *folder, int *ready)
{
    int ends[2];
    assert_int_equal (pipe (ends), 0);
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        hold_crowd (folder, ends[1]);
    }
    (void) close (ends[1]);
    *ready = ends[0];
    return pid;
}

static void await_ready (int ready)
{
    char byte;
    struct pollfd fd = {.fd = ready, .events = POLLIN};
    assert_int_equal (poll (&fd, 1, LIMIT_MS), 1);
    assert_int_equal (read (ready, &byte, 1), 1);
    (void) close (ready);
}

static void end_process (pid_t pid)
{
    assert_int_equal (kill (pid, SIGKILL), 0);
    assert_int_equal (waitpid (pid, NULL, 0), pid);
}

static size_t count_in (cohort_t *client, const char *folder)
{
    cohort_strings_t *names = NULL;
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_children (client, folder, &names, NULL), 0);
    size_t count = names->count;
    cohort_strings_destroy (&names);
    return count;
}

static void await_count (cohort_t *client, const char *folder, size_t from, size_t to)
{
    int64_t limit = test_now_ms () + LIMIT_MS;
    for (size_t count; (count = count_in (client, folder)) < from || count > to;) {
        assert_true (test_now_ms () < limit);
    }
}

/* Of each server, asked directly: all of one session, none of the other. */
static void verify_crowds (size_t going, size_t staying)
{
    for (size_t i = 0; i < 3; i++) {
        cohort_t *client = client_of (ensemble.servers[i].clients);
        assert_int_equal (count_in (client, "/going"), going);
        assert_int_equal (count_in (client, "/staying"), staying);
        cohort_destroy (&client);
    }
}

static void test_leaders_die_over_ephemerals (void **state)
{
    int going_ready, staying_ready;
    (void) state;
    make_once ("/going");
    make_once ("/staying");
    pid_t going = start_crowd ("/going", &going_ready);
    pid_t staying = start_crowd ("/staying", &staying_ready);
    cohort_t *client = client_of (ensemble.list);
    await_count (client, "/going", 1, CROWD);
    kill_leader ();
    await_ready (going_ready);
    await_ready (staying_ready);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    verify_crowds (CROWD, CROWD);

    end_process (going);
    await_count (client, "/going", 0, CROWD - 1);
    kill_leader ();
    await_count (client, "/going", 0, 0);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    verify_crowds (0, CROWD);
    ensemble_wait_equal (&ensemble, START_MS);
    end_process (staying);
    cohort_destroy (&client);
    finished = true;
}

/* ---- Fencing --------------------------------------------------------------------------------- */

enum { HOLDER_TIMEOUT_MS = 1000 };

static cohort_lock_t *acquire (cohort_t *client)
{
    cohort_lock_t *lock = cohort_lock_new (client, "/lock", NULL, 0);
    if (lock == NULL || cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE) != 0 ||
        cohort_lock_wait (lock, LIMIT_MS) != 0) {
        cohort_lock_destroy (&lock);
    }
    return lock;
}

/* A write that counts only while the lock whose token this is has not gone to somebody else. */
static int write_as (cohort_t *client, cohort_token_t token, const char *node, const char *text)
{
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = txn != NULL ? cohort_txn_check_czxid (txn, node, token.czxid) : COHORT_ENOMEM;
    if (rc == 0) {
        rc = cohort_txn_set (txn, "/account", text, strlen (text), COHORT_ANY_VERSION);
    }
    if (rc == 0) {
        rc = cohort_multi (client, txn);
    }
    cohort_txn_destroy (&txn);
    return rc;
}

/* Holds the lock, writes, and is stopped; when it goes on it writes at once, as one that does not
 * know how late it is: first with its session, then with a new one and the old token. Exits with 0
 * if it is refused both times. */
static void hold_lock (int ready, int go_on)
{
    char byte, node[PATH_SIZE * 2];
    cohort_options_t options = {.size = sizeof options, .timeout_ms = HOLDER_TIMEOUT_MS};
    cohort_t *client = cohort_new (ensemble.list, &options);
    cohort_lock_t *lock = client != NULL ? acquire (client) : NULL;
    if (lock == NULL) {
        _exit (2);
    }
    cohort_token_t token = cohort_lock_token (lock);
    (void) snprintf (node, sizeof node, "%s", cohort_lock_node (lock));
    if (write_as (client, token, node, "first") != 0 || write (ready, "r", 1) != 1 ||
        read (go_on, &byte, 1) != 1) {
        _exit (3);
    }
    if (cohort_lock_valid (lock, 0) != 0 || write_as (client, token, node, "late") == 0) {
        _exit (4);
    }
    cohort_t *other = cohort_new (ensemble.list, NULL);
    if (other == NULL || write_as (other, token, node, "later") == 0) {
        _exit (5);
    }
    _exit (0);
}

/* Whoever led when it was granted is dead, too, before it goes on. */
static void test_who_stood_still_is_fenced (void **state)
{
    int ready[2], go_on[2], status;
    void *data;
    size_t size;
    (void) state;
    assert_int_equal (pipe (ready), 0);
    assert_int_equal (pipe (go_on), 0);
    make_once ("/account");
    pid_t holder = fork ();
    assert_true (holder >= 0);
    if (holder == 0) {
        hold_lock (ready[1], go_on[0]);
    }
    cohort_t *client = client_of (ensemble.list);
    await_ready (ready[0]);
    assert_int_equal (kill (holder, SIGSTOP), 0);
    kill_leader ();
    cohort_lock_t *lock = acquire (client);
    assert_non_null (lock);
    assert_int_equal (
        write_as (client, cohort_lock_token (lock), cohort_lock_node (lock), "second"), 0);
    assert_int_equal (write (go_on[1], "g", 1), 1);
    assert_int_equal (kill (holder, SIGCONT), 0);
    assert_int_equal (waitpid (holder, &status, 0), holder);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0);
    assert_int_equal (cohort_get (client, "/account", &data, &size, NULL), 0);
    assert_int_equal (size, strlen ("second"));
    assert_memory_equal (data, "second", size);
    cohort_free (data);
    cohort_lock_destroy (&lock);
    cohort_destroy (&client);
    finished = true;
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_large_frames_are_cut, set_up_proxy, tear_down),
        cmocka_unit_test_setup_teardown (test_leaders_die_over_ephemerals, set_up, tear_down),
        cmocka_unit_test_setup_teardown (test_who_stood_still_is_fenced, set_up, tear_down),
    };
    if (argc < 2) {
        fprintf (stderr, "usage: test-cluster-storms COHORTD [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
