/* Real processes on full disks: some of the data folders are small file systems of memory, which
 * the test mounts and fills. Writes stop there and say why, somebody with room leads, reads go on,
 * and when there is space again everything does, without a restart; nothing acknowledged is lost.
 *
 * usage: test-cluster-full COHORTD [cmocka's name filter]
 * The exit status is 77 if nothing can be mounted: then nothing was tested. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/status_query.h"
#include "cohort/client.h"
#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

enum { START_MS = 60000, CHANGE_MS = 60000, QUERY_MS = 500, LIMIT_MS = 3000, POLL_MS = 10 };
enum { SERVERS = 3, DATA_SIZE = 100000, WRITES_MAX = 400, TEXT_SIZE = 256 };
enum { OVERWRITES = 1000 }; /* 100 MB */
enum { SKIPPED = 77 };

#define MOUNT_OPTIONS "size=32m,mode=700"

static const char *cohortd;
static struct ensemble ensemble;
static cohort_t *clients[SERVERS]; /* each of one server alone */
static cohort_t
    *readers[SERVERS]; /* likewise; what a session reads waits for what it has written */
static bool mounted[SERVERS];
static bool filled[SERVERS];
static size_t restarted[SERVERS]; /* so often while its disk was full */
static bool acked[WRITES_MAX];
static size_t writes;
static bool finished;
static bool skipped; /* one of the tests, at least */
static char data[DATA_SIZE];

/* Ends the test if the machine does not let it mount anything. */
static void mount_all (void)
{
    for (size_t i = 0; i < ensemble.count; i++) {
        const char *folder = ensemble.servers[i].data;
        assert_int_equal (mkdir (folder, 0700), 0);
        if (mount ("cohort-test", folder, "tmpfs", MS_NOSUID | MS_NODEV, MOUNT_OPTIONS) != 0) {
            printf ("  skipped: a file system cannot be mounted here: %s (it takes root)\n",
                    strerror (errno));
            finished = skipped = true;
            skip ();
        }
        mounted[i] = true;
        filled[i] = false;
    }
}

static int set_up (size_t count)
{
    finished = false;
    writes = 0;
    memset (acked, 0, sizeof acked);
    memset (mounted, 0, sizeof mounted);
    memset (restarted, 0, sizeof restarted);
    ensemble_init (&ensemble, cohortd, count, "");
    return 0;
}

static int set_up_three (void **state)
{
    (void) state;
    return set_up (SERVERS);
}

static int set_up_one (void **state)
{
    (void) state;
    return set_up (1);
}

static int tear_down (void **state)
{
    (void) state;
    for (size_t i = 0; i < SERVERS; i++) {
        cohort_destroy (&clients[i]);
        cohort_destroy (&readers[i]);
    }
    for (size_t i = 0; i < ensemble.count; i++) {
        if (ensemble.servers[i].pid != 0) {
            ensemble_signal (&ensemble, i, SIGKILL);
        }
        if (mounted[i]) {
            assert_int_equal (umount2 (ensemble.servers[i].data, MNT_DETACH), 0);
        }
    }
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

/* Servers, a client of each, and something to read; returns who leads. */
static size_t begin (void)
{
    mount_all ();
    ensemble_start_all (&ensemble);
    size_t leader = ensemble_wait_leader (&ensemble, ensemble.count - 1, START_MS);
    for (size_t i = 0; i < ensemble.count; i++) {
        cohort_options_t options = {.size = sizeof options, .timeout_ms = 60000};
        clients[i] = cohort_new (ensemble.servers[i].clients, &options);
        readers[i] = cohort_new (ensemble.servers[i].clients, &options);
        assert_true (clients[i] && readers[i]);
        assert_int_equal (cohort_wait (clients[i], START_MS), 0);
        assert_int_equal (cohort_wait (readers[i], START_MS), 0);
    }
    assert_int_equal (
        cohort_create (clients[0], "/w", "read me", 7, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
    for (size_t i = 0; i < ensemble.count; i++) {
        assert_int_equal (cohort_sync (readers[i]), 0);
    }
    return leader;
}

static void path_of (size_t number, char path[64])
{
    (void) snprintf (path, 64, "/w/n%zu", number);
}

/* Writes the next znode by this server; 0, or COHORT_ETIMEDOUT with its text. */
static int write_next (size_t server, int limit_ms, char text[TEXT_SIZE])
{
    char path[64];
    assert_true (writes < WRITES_MAX);
    path_of (writes, path);
    cohort_set_time_limit (clients[server], limit_ms);
    int64_t since = test_now_ms ();
    int rc = cohort_create (clients[server], path, data, sizeof data, COHORT_PERSISTENT, NULL, NULL,
                            NULL);
    cohort_errmsg (clients[server], text, TEXT_SIZE);
    if (rc == COHORT_ETIMEDOUT) {
        printf ("  after %lld ms: %s\n", (long long) (test_now_ms () - since), text);
    } else {
        assert_int_equal (rc, 0);
        acked[writes] = true;
    }
    writes++;
    return rc;
}

/* ---- Disks ----------------------------------------------------------------------------------- */

static void ballast_of (size_t server, char path[2 * ENSEMBLE_TEXT])
{
    (void) snprintf (path, 2 * ENSEMBLE_TEXT, "%s/ballast", ensemble.servers[server].data);
}

static void fill (size_t server)
{
    char path[2 * ENSEMBLE_TEXT];
    ballast_of (server, path);
    int fd = open (path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true (fd >= 0);
    ssize_t rc;
    do {
        rc = write (fd, data, 4096);
    } while (rc > 0);
    assert_true (rc == 0 || errno == ENOSPC);
    (void) close (fd);
    filled[server] = true;
}

static void empty (size_t server)
{
    char path[2 * ENSEMBLE_TEXT];
    ballast_of (server, path);
    assert_int_equal (unlink (path), 0);
    filled[server] = false;
}

/* How many servers say that their disk is full. */
static size_t count_full (void)
{
    static const struct security none;
    static struct ensemble_status status;
    size_t full = 0;
    assert_int_equal (status_query (&status, ensemble.list, &none, QUERY_MS), 0);
    for (size_t i = 0; i < status.addresses.count; i++) {
        full += status.servers[i].answered && strcmp (status.servers[i].disk, "full") == 0;
    }
    return full;
}

static void wait_full_between (size_t least, size_t most)
{
    int64_t limit = test_now_ms () + CHANGE_MS;
    for (size_t full = count_full (); full < least || full > most; full = count_full ()) {
        assert_true (test_now_ms () < limit);
        (void) poll (NULL, 0, POLL_MS);
    }
}

static void wait_full (size_t wanted)
{
    wait_full_between (wanted, wanted);
}

static size_t count_lines (size_t server, const char *text)
{
    char line[1024];
    size_t count = 0;
    FILE *file = fopen (ensemble.servers[server].log, "r");
    assert_non_null (file);
    while (fgets (line, sizeof line, file)) {
        count += strstr (line, text) != NULL;
    }
    (void) fclose (file);
    return count;
}

static void check_text (const char *text, size_t server)
{
    char name[32];
    (void) snprintf (name, sizeof name, "server %u", ensemble.servers[server].id);
    assert_non_null (strstr (text, "disk full"));
    assert_non_null (strstr (text, name));
    assert_non_null (strstr (text, ensemble.servers[server].data));
    assert_non_null (strstr (text, "KiB free"));
}

static void check_read (size_t server)
{
    void *found = NULL;
    size_t size = 0;
    assert_int_equal (cohort_get (readers[server], "/w", &found, &size, NULL), 0);
    assert_int_equal (size, 7);
    cohort_free (found);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* There is space again: no process has ended by itself, each has said once what was and once that
 * it is over, what waited is done, and each server has everything. */
static void recover (size_t least, size_t most)
{
    char text[TEXT_SIZE], path[64];
    for (size_t i = 0; i < ensemble.count; i++) {
        if (filled[i]) {
            empty (i);
        }
    }
    wait_full (0);
    assert_int_equal (write_next (0, CHANGE_MS, text), 0);
    size_t said = 0;
    for (size_t i = 0; i < ensemble.count; i++) {
        cohort_set_time_limit (clients[i], CHANGE_MS);
        assert_int_equal (cohort_sync (clients[i]), 0);
        for (size_t n = 0; n < writes; n++) {
            path_of (n, path);
            int rc = cohort_exists (clients[i], path, NULL);
            /* What was not acknowledged was not withdrawn either: the client still asks for it. */
            assert_true (rc == 0 || (!acked[n] && rc == COHORT_ENONODE));
        }
        assert_int_equal (ensemble_reap (&ensemble, i), -1);
        said += count_lines (i, " disk-full ") - restarted[i];
        assert_int_equal (count_lines (i, " disk-full "),
                          count_lines (i, " disk-has-room ") + restarted[i]);
    }
    assert_in_range (said, least, most);
    for (size_t i = 0; i < ensemble.count; i++) {
        check_read (i);
    }
    ensemble_wait_equal (&ensemble, CHANGE_MS);
    finished = true;
}

/* Writes by `server` until it says that this does not work any more, and why. */
static void write_until_full (size_t server, char text[TEXT_SIZE])
{
    while (write_next (server, LIMIT_MS, text) == 0 || strstr (text, "disk full") == NULL) {
    }
}

/* It is killed, and starts on a disk that is full: it says so, also to clients that come to it
 * then. That one comes is an entry, which finds no room, so it waits, or goes elsewhere. Those that
 * were there before may be back already: a small entry may still fit where a large one does not. */
static void restart (size_t server)
{
    char text[TEXT_SIZE];
    ensemble_signal (&ensemble, server, SIGKILL);
    restarted[server]++;
    ensemble_start (&ensemble, server);
    wait_full (1);
    assert_int_equal (ensemble_reap (&ensemble, server), -1);
    cohort_options_t options = {.size = sizeof options, .timeout_ms = 60000};
    cohort_t *late = cohort_new (ensemble.servers[server].clients, &options);
    assert_non_null (late);
    assert_int_equal (cohort_wait (late, LIMIT_MS), COHORT_ETIMEDOUT);
    cohort_errmsg (late, text, TEXT_SIZE);
    cohort_destroy (&late);
    printf ("  started again: %s\n", text);
    check_text (text, server);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* The leader's: another leads, writes go on there, and nothing but reads at the full one. */
static void test_leader_full (void **state)
{
    char text[TEXT_SIZE];
    (void) state;
    size_t leader = begin ();
    size_t other = (leader + 1) % SERVERS;
    fill (leader);
    while (count_full () == 0) {
        assert_int_equal (write_next (other, CHANGE_MS, text), 0);
    }
    assert_true (ensemble_wait_leader (&ensemble, 2, CHANGE_MS) != leader);
    for (int i = 0; i < 80; i++) { /* more than what the full one has still reserved */
        assert_int_equal (write_next (other, CHANGE_MS, text), 0);
    }
    assert_int_equal (write_next (leader, LIMIT_MS, text), COHORT_ETIMEDOUT);
    check_text (text, leader);
    check_read (leader);
    check_read (other);
    assert_true (ensemble_wait_leader (&ensemble, 2, CHANGE_MS) != leader);
    restart (leader);
    assert_int_equal (write_next (other, CHANGE_MS, text), 0);
    recover (1, 1);
}

/* Two of three: nobody can write, all can read, and all say why. */
static void test_two_full (void **state)
{
    char text[TEXT_SIZE];
    (void) state;
    size_t leader = begin ();
    size_t other = (leader + 1) % SERVERS, third = (leader + 2) % SERVERS;
    fill (leader);
    fill (other);
    write_until_full (third, text);
    wait_full (2);
    assert_int_equal (write_next (leader, LIMIT_MS, text), COHORT_ETIMEDOUT);
    check_text (text, leader);
    assert_int_equal (write_next (other, LIMIT_MS, text), COHORT_ETIMEDOUT);
    check_text (text, other);
    for (size_t i = 0; i < SERVERS; i++) {
        check_read (i);
    }
    recover (2, 2);
}

/* The leader need not come to feel it: when two others have said that they are full it writes
 * nothing any more, as nothing could be committed. */
static void test_all_full (void **state)
{
    char text[TEXT_SIZE];
    (void) state;
    size_t leader = begin ();
    for (size_t i = 0; i < SERVERS; i++) {
        fill (i);
    }
    write_until_full (leader, text);
    wait_full_between (SERVERS - 1, SERVERS);
    for (size_t i = 0; i < SERVERS; i++) {
        assert_int_equal (write_next (i, LIMIT_MS, text), COHORT_ETIMEDOUT);
        assert_non_null (strstr (text, "disk full"));
        if (count_lines (i, " disk-full ") > 0) {
            check_text (text, i);
        }
        check_read (i);
    }
    (void) ensemble_wait_leader (&ensemble, 2, CHANGE_MS);
    assert_int_equal (cohort_sync (readers[0]), 0); /* somebody leads, and a quorum hears it */
    recover (SERVERS - 1, SERVERS);
}

static void test_standalone_full (void **state)
{
    char text[TEXT_SIZE];
    (void) state;
    (void) begin ();
    fill (0);
    write_until_full (0, text);
    check_text (text, 0);
    wait_full (1);
    check_read (0);
    assert_int_equal (cohort_sync (readers[0]), 0);
    restart (0);
    recover (1, 1);
}

/* More is written than a small disk holds, and the state stays small: nothing has to be emptied by
 * hand. */
static void test_log_alone (void **state)
{
    (void) state;
    (void) begin ();
    cohort_set_time_limit (clients[0], CHANGE_MS);
    for (int i = 0; i < OVERWRITES; i++) {
        assert_int_equal (
            cohort_set (clients[0], "/w", data, sizeof data, COHORT_ANY_VERSION, NULL), 0);
    }
    assert_int_equal (ensemble_reap (&ensemble, 0), -1);
    finished = true;
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_standalone_full, set_up_one, tear_down),
        cmocka_unit_test_setup_teardown (test_log_alone, set_up_one, tear_down),
        cmocka_unit_test_setup_teardown (test_leader_full, set_up_three, tear_down),
        cmocka_unit_test_setup_teardown (test_two_full, set_up_three, tear_down),
        cmocka_unit_test_setup_teardown (test_all_full, set_up_three, tear_down),
    };
    if (argc < 2) {
        fprintf (stderr, "usage: test-cluster-full COHORTD [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    int failures = cmocka_run_group_tests (tests, NULL, NULL);
    return failures == 0 && skipped ? SKIPPED : failures;
}
