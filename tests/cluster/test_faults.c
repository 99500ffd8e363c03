/* Real processes on disks that fail, are slow, forget, and are damaged or emptied: a server that
 * has lost its disk ends and says so, the others go on, and nothing acknowledged is lost.
 *
 * usage: test-cluster-faults COHORTD LIBRARY [cmocka's name filter] */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cohort/client.h"
#include "tests/cluster/ensemble.h"
#include "tests/cluster/load.h"
#include "tests/cluster/log_copy.h"
#include "tests/support/bad_disk.h"
#include "tests/unit/unit.h"

enum { EXIT_DISK_FAILED = 4 }; /* of cohortd */
enum { START_MS = 60000, LOAD_MS = 120000, END_MS = 60000, SESSIONS = 4, WINDOW = 32 };

static const char *cohortd, *library;
static struct ensemble ensemble;
static struct load load;
static struct bad_disk *disks[3];
static size_t leader;
static bool finished;

static int set_up (void **state)
{
    (void) state;
    finished = false;
    ensemble_init_with (&ensemble, &(struct ensemble_options){.cohortd = cohortd,
                                                              .count = 3,
                                                              .settings = "snapshotBytes=1000000\n",
                                                              .preload = library});
    for (size_t i = 0; i < 3; i++) {
        disks[i] = bad_disk_new (ensemble.servers[i].disk);
        assert_non_null (disks[i]);
        disks[i]->journal = 1;
    }
    ensemble_start_all (&ensemble);
    leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    for (size_t i = 0; i < 3; i++) {
        bad_disk_free (&disks[i]);
    }
    return 0;
}

/* Some is written before what the test does. */
static void begin_load (size_t total)
{
    load_init (&load, ensemble.list, SESSIONS, WINDOW, total / SESSIONS);
    load_until (&load, total / 4, LOAD_MS);
}

/* All servers run, and each has everything; their logs are whole. */
static void verify_all (void)
{
    load_until (&load, load.total * SESSIONS, LOAD_MS);
    load_verify_all (&load, &ensemble);
    finished = true;
}

/* Whether its log says what was being done; a write is one of records or one that reserves space,
 * whichever was first. */
static bool names_call (size_t server, enum bad_disk_call call)
{
    switch (call) {
    case BAD_DISK_WRITE:
        return ensemble_log_has (&ensemble, server, ": write: ") ||
               ensemble_log_has (&ensemble, server, ": reserve: ");
    case BAD_DISK_SYNC:
        return ensemble_log_has (&ensemble, server, "sync");
    default:
        return ensemble_log_has (&ensemble, server, "rename");
    }
}

/* It ends by itself, with a status of its own, and its log says which call has failed, and what to
 * do; the others have gone on; it comes back. */
static void lose_disk (size_t server, enum bad_disk_call call)
{
    begin_load (20000);
    disks[server]->calls[call].error = EIO;
    load_until (&load, 10000, LOAD_MS);
    int status = ensemble_wait_end (&ensemble, server, END_MS);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), EXIT_DISK_FAILED);
    assert_true (ensemble_log_has (&ensemble, server, "EIO"));
    assert_true (ensemble_log_has (&ensemble, server, "look at the disk"));
    assert_true (names_call (server, call));
    assert_int_equal (disks[server]->calls[call].failed, 1); /* it did not try again */
    load_until (&load, 15000, LOAD_MS);
    bad_disk_heal (disks[server]);
    ensemble_start (&ensemble, server);
    verify_all ();
}

static void test_follower_sync_fails (void **state)
{
    (void) state;
    lose_disk ((leader + 1) % 3, BAD_DISK_SYNC);
}

static void test_leader_sync_fails (void **state)
{
    (void) state;
    lose_disk (leader, BAD_DISK_SYNC);
}

static void test_leader_write_fails (void **state)
{
    (void) state;
    lose_disk (leader, BAD_DISK_WRITE);
}

/* The manifest is renamed when a snapshot has been written. */
static void test_follower_rename_fails (void **state)
{
    (void) state;
    lose_disk ((leader + 1) % 3, BAD_DISK_RENAME);
}

/* What it goes on writing no start would find: it must not say that it is durable. */
static void test_folder_removed (void **state)
{
    const char *folder = ensemble.servers[leader].data;
    char path[2 * ENSEMBLE_TEXT];
    (void) state;
    begin_load (20000);
    DIR *directory = opendir (folder);
    assert_non_null (directory);
    for (const struct dirent *entry; (entry = readdir (directory)) != NULL;) {
        (void) snprintf (path, sizeof path, "%s/%s", folder, entry->d_name);
        (void) unlink (path); /* but for . and .. */
    }
    (void) closedir (directory);
    load_until (&load, 10000, LOAD_MS);
    int status = ensemble_wait_end (&ensemble, leader, END_MS);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), EXIT_DISK_FAILED);
    load_until (&load, 15000, LOAD_MS);
    ensemble_start (&ensemble, leader); /* emptied: it counts again when it has everything */
    verify_all ();
}

/* Likewise if the folder is moved away, though all files are in it: a start would find none there,
 * or another. It is whole where it is now. */
static void test_folder_moved (void **state)
{
    const char *folder = ensemble.servers[leader].data;
    (void) state;
    begin_load (20000);
    ensemble_shell ("mv '%s' '%s-moved' && mkdir -m 700 '%s'", folder, folder, folder);
    load_until (&load, 10000, LOAD_MS);
    int status = ensemble_wait_end (&ensemble, leader, END_MS);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), EXIT_DISK_FAILED);
    assert_true (ensemble_log_has (&ensemble, leader, "moved with it"));
    load_until (&load, 15000, LOAD_MS);
    ensemble_shell ("rmdir '%s' && mv '%s-moved' '%s'", folder, folder, folder);
    ensemble_start (&ensemble, leader);
    verify_all ();
}

/* With `ulimit -f` the server hears of it, and says so, in place of a signal that ends it. */
static void test_file_size_limited (void **state)
{
    struct rlimit usual, limited;
    size_t follower = (leader + 1) % 3;
    (void) state;
    ensemble_signal (&ensemble, follower, SIGKILL);
    disks[follower]->journal = 0; /* a file that may not grow either */
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &usual), 0);
    limited = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = usual.rlim_max};
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &limited), 0);
    ensemble_start (&ensemble, follower);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &usual), 0);
    begin_load (20000);
    load_until (&load, 15000, LOAD_MS);
    int status = ensemble_wait_end (&ensemble, follower, END_MS);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), EXIT_DISK_FAILED);
    assert_true (ensemble_log_has (&ensemble, follower, "EFBIG; see ulimit -f"));
    ensemble_start (&ensemble, follower);
    verify_all ();
}

/* Of a server of an ensemble that goes on: with too few it says so and does not start; with just
 * enough it follows. */
static void test_few_descriptors (void **state)
{
    char script[ENSEMBLE_TEXT];
    size_t server = (leader + 1) % 3;
    (void) state;
    begin_load (8000);
    ensemble_signal (&ensemble, server, SIGKILL);
    disks[server]->journal = 0; /* it takes some itself */
    (void) snprintf (script, sizeof script, "%s/cohortd", ensemble.folder);
    ensemble.cohortd = script;
    for (unsigned few = 22; few <= 64; few += 14) {
        ensemble_shell ("printf '#!/bin/sh\nulimit -n %u\nexec %s \"$@\"\n' >'%s' && chmod +x '%s'",
                        few, cohortd, script, script);
        ensemble_start (&ensemble, server);
        if (few < 64) {
            int status = ensemble_wait_end (&ensemble, server, END_MS);
            assert_true (WIFEXITED (status));
            assert_int_equal (WEXITSTATUS (status), 1);
            assert_true (ensemble_life_has (&ensemble, server, "ulimit -n"));
        }
    }
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    load_until (&load, 6000, LOAD_MS);
    verify_all ();
    ensemble.cohortd = cohortd;
}

/* The leader's disk takes nothing any more: no byte, not even where a file has it already, and no
 * rename. It leads no longer, and cannot follow either, for it could keep no promise; it says why,
 * may be read, and is back by itself as soon as there is space. */
static void test_nothing_is_taken (void **state)
{
    struct bad_disk *disk = disks[leader];
    const char *endpoint = ensemble.servers[leader].clients;
    cohort_options_t options = {.size = sizeof options, .timeout_ms = 60000};
    char text[256];
    cohort_t *client = cohort_new (endpoint, &options);
    (void) state;
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, START_MS), 0);
    begin_load (8000);
    disk->copies = 1;
    disk->calls[BAD_DISK_WRITE].error = disk->calls[BAD_DISK_RENAME].error = ENOSPC;
    load_until (&load, 6000, LOAD_MS);
    assert_true (ensemble_wait_leader (&ensemble, 1, START_MS) != leader);

    ensemble_await_log (&ensemble, leader, "no quorum here: disk full", END_MS);
    assert_int_equal (cohort_exists (client, "/", NULL), 0);
    cohort_set_time_limit (client, 500);
    assert_int_equal (cohort_create (client, "/late", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      COHORT_ETIMEDOUT);
    cohort_errmsg (client, text, sizeof text);
    printf ("  %s\n", text);
    assert_non_null (strstr (text, "disk full"));
    assert_int_equal (ensemble_reap (&ensemble, leader), -1);

    bad_disk_heal (disk);
    cohort_set_time_limit (client, START_MS);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_exists (client, "/late", NULL), 0);
    cohort_destroy (&client);
    ensemble_await_log (&ensemble, leader, "disk-has-room", END_MS);
    verify_all ();
    assert_int_equal (ensemble_reap (&ensemble, leader), -1);
}

/* Whatever comes of its log: first nobody reads the pipe that it is written to, and then that has
 * no other end any more. What the server has to say is lost, and counted; its clients are served.
 */
static void test_log_that_nobody_reads (void **state)
{
    static char junk[4096];
    char path[ENSEMBLE_TEXT], log[ENSEMBLE_TEXT], text[65536];
    size_t server = (leader + 1) % 3, other = (leader + 2) % 3;
    struct ensemble_server *talker = &ensemble.servers[server];
    (void) state;
    (void) snprintf (path, sizeof path, "%s/pipe", ensemble.folder);
    (void) snprintf (log, sizeof log, "%s", talker->log);
    assert_int_equal (mkfifo (path, 0600), 0);
    int end = open (path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true (end >= 0);
    while (write (end, junk, sizeof junk) > 0) {
    }
    assert_int_equal (errno, EAGAIN);
    begin_load (8000);
    ensemble_signal (&ensemble, server, SIGKILL);
    (void) snprintf (talker->log, sizeof talker->log, "%s", path);
    ensemble_start (&ensemble, server);
    (void) snprintf (talker->log, sizeof talker->log, "%s", log);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);

    ssize_t size = 1;
    while (size > 0) {
        size = read (end, text, sizeof text);
    }
    ensemble_signal (&ensemble, other, SIGKILL); /* it has something to say */
    struct pollfd words = {.fd = end, .events = POLLIN};
    assert_int_equal (poll (&words, 1, END_MS), 1);
    size = read (end, text, sizeof text - 1);
    assert_true (size > 0);
    text[size] = '\0';
    assert_non_null (strstr (text, "log-dropped lines="));
    load_until (&load, 4000, LOAD_MS);

    assert_int_equal (close (end), 0);
    ensemble_start (&ensemble, other);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    assert_int_equal (ensemble_reap (&ensemble, server), -1);
    verify_all ();
    assert_int_equal (ensemble_reap (&ensemble, server), -1);
}

/* What one disk takes so long to sync is durable on two others. */
static void test_slow_disks (void **state)
{
    (void) state;
    begin_load (8000);
    disks[(leader + 1) % 3]->calls[BAD_DISK_SYNC].delay_ms = 1000;
    load_until (&load, 4000, LOAD_MS);
    bad_disk_heal (disks[(leader + 1) % 3]);
    disks[leader]->calls[BAD_DISK_SYNC].delay_ms = 200;
    load_until (&load, 6000, LOAD_MS);
    bad_disk_heal (disks[leader]);
    verify_all ();
}

static void ended_as_if_killed (int end)
{
    assert_true (WIFEXITED (end));
    assert_int_equal (WEXITSTATUS (end), 1);
}

/* As somebody does who does not want to wait. */
static void ask_again_and_again (size_t server)
{
    int end = -1;
    while ((end = ensemble_reap (&ensemble, server)) == -1) {
        ensemble_signal (&ensemble, server, SIGINT);
        (void) poll (NULL, 0, 50);
    }
    ended_as_if_killed (end);
}

/* A sync that does not come back keeps no server from its end: neither the one that meets it as it
 * ends, nor one that has been waiting for it. What was acknowledged is there. */
static void test_end_on_a_disk_that_hangs (void **state)
{
    enum { HANGS_MS = 600000, LATE_MS = 8000 };
    static const int signals[] = {SIGTERM, SIGINT};
    (void) state;
    begin_load (8000);
    for (size_t round = 0; round < 2; round++) {
        size_t server = round == 0 ? (leader + 1) % 3 : leader;
        disks[server]->calls[BAD_DISK_SYNC].delay_ms = HANGS_MS;
        load_until (&load, 3000 + round * 2000, LOAD_MS);
        int64_t asked_ms = test_now_ms ();
        ensemble_signal (&ensemble, server, signals[round]);
        if (round == 1) {
            ensemble_await_log (&ensemble, server, " stopping ", END_MS);
            ask_again_and_again (server);
            assert_true (test_now_ms () - asked_ms < LATE_MS);
        } else {
            ended_as_if_killed (ensemble_wait_end (&ensemble, server, END_MS));
            assert_true (test_now_ms () - asked_ms >= LATE_MS);
        }
        assert_true (ensemble_life_has (&ensemble, server, " ended-as-if-killed "));
        bad_disk_heal (disks[server]);
        ensemble_start (&ensemble, server);
        leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    }
    verify_all ();
}

/* What waits for space keeps nobody either: it was acknowledged to nobody. */
static void test_end_on_a_full_disk (void **state)
{
    (void) state;
    begin_load (8000);
    for (size_t round = 0; round < 2; round++) {
        size_t server = round == 0 ? leader : (leader + 1) % 3;
        disks[server]->copies = 1;
        disks[server]->calls[BAD_DISK_WRITE].error = ENOSPC;
        disks[server]->calls[BAD_DISK_RENAME].error = ENOSPC;
        load_until (&load, 4000 + round * 2000, LOAD_MS);
        ensemble_await_log (&ensemble, server, "disk-full", END_MS);
        ensemble_stop (&ensemble, server, 8000);
        assert_false (ensemble_life_has (&ensemble, server, "ended-as-if-killed"));
        bad_disk_heal (disks[server]);
        ensemble_start (&ensemble, server);
        leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    }
    verify_all ();
}

static void test_power_cuts (void **state)
{
    struct prng prng;
    size_t lost = 0;
    (void) state;
    prng_seed (&prng, 1);
    for (size_t i = 0; i < 3; i++) {
        disks[i]->calls[BAD_DISK_SYNC].delay_ms = 20; /* so that there is something to lose */
    }
    begin_load (8000);
    for (size_t round = 1; round <= 3; round++) {
        for (size_t i = 0; i < 3; i++) {
            ensemble_signal (&ensemble, i, SIGKILL);
        }
        for (size_t i = 0; i < 3; i++) {
            size_t bytes = bad_disk_forget (ensemble.servers[i].disk, &prng, NULL);
            printf ("  server %zu has lost %zu bytes\n", i + 1, bytes);
            lost += bytes;
        }
        ensemble_start_all (&ensemble);
        load_until (&load, 2000 + round * 1500, LOAD_MS);
    }
    assert_true (lost > 0);
    for (size_t i = 0; i < 3; i++) {
        bad_disk_heal (disks[i]);
    }
    verify_all ();
}

/* Each of the files, at several places. */
static void test_damage_is_healed (void **state)
{
    struct prng prng;
    char what[128];
    (void) state;
    prng_seed (&prng, 1);
    begin_load (20000);
    for (size_t round = 1; round <= 12; round++) {
        size_t server = prng_below (&prng, 3);
        ensemble_signal (&ensemble, server, SIGKILL);
        assert_true (ensemble_damage (&ensemble, server, prng_u64 (&prng), what, sizeof what));
        printf ("  server %zu: %s\n", server + 1, what);
        ensemble_keep_manifest (&ensemble, server);
        ensemble_start (&ensemble, server);
        load_until (&load, 5000 + round * 1000, LOAD_MS);
        ensemble_wait_whole (&ensemble, START_MS);
    }
    verify_all ();
}

static void test_emptied_folder (void **state)
{
    size_t server = (leader + 1) % 3;
    (void) state;
    begin_load (20000);
    ensemble_signal (&ensemble, server, SIGKILL);
    ensemble_shell ("rm -rf '%s'", ensemble.servers[server].data);
    load_until (&load, 8000, LOAD_MS);
    ensemble_start (&ensemble, server);
    verify_all ();
}

/* A copy of a folder is put back, which docs/storage.md warns of: while the others stay, which have
 * everything, its server gets what it lacks as if it had been away since. */
static void test_old_copy_of_a_folder (void **state)
{
    char copy[2 * ENSEMBLE_TEXT];
    size_t acked = 5000;
    (void) state;
    begin_load (20000);
    (void) snprintf (copy, sizeof copy, "%s/copy", ensemble.folder);
    for (size_t round = 0; round < 2; round++) {
        size_t server = (leader + 1 + round) % 3;
        ensemble_stop (&ensemble, server, END_MS);
        ensemble_shell ("cp -a '%s' '%s'", ensemble.servers[server].data, copy);
        load_until (&load, acked += 2000, LOAD_MS);
        ensemble_start (&ensemble, server);
        leader = ensemble_wait_leader (&ensemble, 2, START_MS);
        load_until (&load, acked += 2000, LOAD_MS);
        ensemble_signal (&ensemble, server, SIGKILL);
        ensemble_shell ("rm -rf '%s' && mv '%s' '%s'", ensemble.servers[server].data, copy,
                        ensemble.servers[server].data);
        load_until (&load, acked += 2000, LOAD_MS);
        ensemble_start (&ensemble, server);
        load_until (&load, acked += 1000, LOAD_MS);
        ensemble_wait_whole (&ensemble, START_MS);
    }
    load_until (&load, 20000, LOAD_MS);
    verify_all ();
}

/* The servers' logs, read while they run: all that was acknowledged is there, and one that differs
 * is found. */
static void test_logs_are_read (void **state)
{
    struct log_copy copy;
    struct objection objection;
    uint64_t last[3], before = 0;
    (void) state;
    log_copy_init (&copy);
    begin_load (8000);
    assert_true (
        log_copy_read (&copy, ensemble.servers[leader].data, 0, &last[leader], &objection));
    before = log_copy_zxid (&copy);
    assert_true (before > 0);
    load_until (&load, 8000, LOAD_MS);
    for (size_t i = 0; i < 3; i++) {
        assert_true (log_copy_read (&copy, ensemble.servers[i].data, 0, &last[i], &objection));
    }
    assert_true (log_copy_zxid (&copy) > before);
    assert_true (copy.count > load.acked / 2); /* what the logs say is committed lags behind */
    copy.entries[copy.count / 2].data[0] ^= 1;
    assert_false (log_copy_read (&copy, ensemble.servers[0].data, 0, &last[0], &objection));
    assert_non_null (strstr (objection.text, ensemble.servers[0].data));
    log_copy_deinit (&copy);
    verify_all ();
}

int main (int argc, char **argv)
{
#define FAULT_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FAULT_TEST (test_follower_sync_fails),
        FAULT_TEST (test_leader_sync_fails),
        FAULT_TEST (test_leader_write_fails),
        FAULT_TEST (test_folder_removed),
        FAULT_TEST (test_folder_moved),
        FAULT_TEST (test_file_size_limited),
        FAULT_TEST (test_follower_rename_fails),
        FAULT_TEST (test_few_descriptors),
        FAULT_TEST (test_nothing_is_taken),
        FAULT_TEST (test_log_that_nobody_reads),
        FAULT_TEST (test_slow_disks),
        FAULT_TEST (test_end_on_a_disk_that_hangs),
        FAULT_TEST (test_end_on_a_full_disk),
        FAULT_TEST (test_power_cuts),
        FAULT_TEST (test_damage_is_healed),
        FAULT_TEST (test_emptied_folder),
        FAULT_TEST (test_old_copy_of_a_folder),
        FAULT_TEST (test_logs_are_read),
    };
    if (argc < 3) {
        fprintf (stderr, "usage: test-cluster-faults COHORTD LIBRARY [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    library = argv[2];
    if (argc > 3) {
        cmocka_set_test_filter (argv[3]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
