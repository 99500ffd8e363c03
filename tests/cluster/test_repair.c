/* Real processes: two of three voters have damaged logs, so that nobody can heal them, and an
 * operator with `cohortd inspect` and `cohortd repair` brings the ensemble back. Whatever was
 * acknowledged and is left anywhere is there again.
 *
 * usage: test-repair COHORTD [cmocka's name filter] */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/cluster/ensemble.h"
#include "tests/cluster/load.h"
#include "tests/unit/unit.h"

enum { EXIT_DAMAGED = 5 }; /* of cohortd */
enum {
    START_MS = 60000,
    LOAD_MS = 60000,
    STOP_MS = 20000,
    SESSIONS = 4,
    WINDOW = 16,
    WRITES = 2000
};

static const char *cohortd;
static struct ensemble ensemble;
static struct load load;
static bool finished;
static char output[16384];

static int set_up (void **state)
{
    (void) state;
    finished = false;
    ensemble_init (&ensemble, cohortd, 3, "");
    return 0;
}

static int set_up_one (void **state)
{
    (void) state;
    finished = false;
    ensemble_init (&ensemble, cohortd, 1, "");
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

static void start (void)
{
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, ensemble.count - 1, START_MS);
    load_init (&load, ensemble.list, SESSIONS, WINDOW, WRITES / SESSIONS);
}

static void stop_all (void)
{
    for (size_t i = 0; i < ensemble.count; i++) {
        if (ensemble.servers[i].pid != 0) {
            ensemble_stop (&ensemble, i, STOP_MS);
        }
    }
}

/* The sessions of before may have ended meanwhile. */
static void write_more (void)
{
    cohort_t *client = cohort_new (ensemble.list, NULL);
    assert_non_null (client);
    assert_int_equal (cohort_create (client, "/more", NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL),
                      0);
    cohort_destroy (&client);
}

/* Everybody has everything that was acknowledged, and more can be written. */
static void verify_all (void)
{
    ensemble_start_all (&ensemble);
    load_verify_all (&load, &ensemble);
    write_more ();
    ensemble_wait_equal (&ensemble, START_MS);
    finished = true;
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* Its exit status must be this; what it prints is in `output`. */
static void run (int status, const char *command, const char *folder, const char *options)
{
    char line[4 * ENSEMBLE_TEXT];
    int size =
        snprintf (line, sizeof line, "'%s' %s '%s' %s 2>&1", cohortd, command, folder, options);
    assert_true (size > 0 && (size_t) size < sizeof line);
    FILE *pipe = popen (line, "r");
    assert_non_null (pipe);
    size_t got = fread (output, 1, sizeof output - 1, pipe);
    output[got] = '\0';
    int end = pclose (pipe);
    if (!WIFEXITED (end) || WEXITSTATUS (end) != status) {
        fail_msg ("%s: status %d, not %d: %s", line, WEXITSTATUS (end), status, output);
    }
}

static void run_on (size_t index, int status, const char *command, const char *options)
{
    run (status, command, ensemble.servers[index].data, options);
}

static void expect (const char *text)
{
    if (strstr (output, text) == NULL) {
        fail_msg ("'%s' is not in: %s", text, output);
    }
}

/* "--from A --from B more": the folders of the other servers. */
static void run_with_others (size_t index, int status, const char *more)
{
    char options[3 * ENSEMBLE_TEXT] = "";
    for (size_t i = 0; i < ensemble.count; i++) {
        size_t used = strlen (options);
        if (i != index) {
            (void) snprintf (options + used, sizeof options - used, "--from '%s' ",
                             ensemble.servers[i].data);
        }
    }
    size_t used = strlen (options);
    (void) snprintf (options + used, sizeof options - used, "%s", more);
    run_on (index, status, "repair", options);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* A byte of the first segment, at so many percent of what is written in it. */
static void damage (size_t index, int percent)
{
    static uint8_t bytes[8 << 20];
    char path[2 * ENSEMBLE_TEXT];
    (void) snprintf (path, sizeof path, "%s/log.1", ensemble.servers[index].data);
    FILE *file = fopen (path, "r+b");
    assert_non_null (file);
    size_t size = fread (bytes, 1, sizeof bytes, file), begin = 4096;
    assert_true (size > begin);
    while (size > begin && bytes[size - 1] == 0) {
        size--;
    }
    size_t at = begin + (size - begin) * (size_t) percent / 100;
    assert_int_equal (fseek (file, (long) at, SEEK_SET), 0);
    assert_int_equal (fputc (bytes[at] ^ 0xff, file), bytes[at] ^ 0xff);
    assert_int_equal (fclose (file), 0);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* One is whole; the others have been started since, wait without a vote, and nobody can be elected.
 * All voters together decide. */
static void test_all_voters_decide (void **state)
{
    (void) state;
    start ();
    load_until (&load, WRITES, LOAD_MS);
    run_on (0, 2, "inspect", "");
    expect ("`lock`");
    stop_all ();
    run_on (0, 0, "inspect", "");
    expect ("Sound.");
    damage (0, 40);
    damage (1, 70);
    run_on (0, 1, "inspect", "");
    expect ("FIRST DAMAGE\n  log.1, offset ");
    run_on (1, 1, "inspect", "-o json");
    expect ("\"first_damage\": {");

    ensemble_start_all (&ensemble);
    ensemble_await_log (&ensemble, 0, "store-damaged", START_MS);
    ensemble_await_log (&ensemble, 1, "store-damaged", START_MS);
    ensemble_await_log (&ensemble, 2, "voter-silent server=1 reason=\"its log is damaged",
                        START_MS);
    ensemble_await_log (&ensemble, 2, "voter-silent server=2 reason=\"its log is damaged",
                        START_MS);
    for (size_t i = 0; i < 3; i++) {
        ensemble_signal (&ensemble, i, SIGKILL);
    }
    for (size_t i = 0; i < 2; i++) {
        run_on (i, 1, "inspect", "");
        expect ("marked damaged, and not healed yet");
        run_on (i, 1, "repair", "");
        expect ("--give-up-unreadable-writes --apply");
        expect ("Nothing was changed");
        run_on (i, 0, "repair", "--give-up-unreadable-writes --apply");
    }
    run_on (2, 0, "repair", "");
    expect ("Nothing to repair");
    verify_all ();
}

/* The whole one has missed most of it: what was acknowledged since is on the damaged ones alone,
 * each of which has lost something else. Entry by entry they complete each other. */
static void test_damaged_ones_complete_each_other (void **state)
{
    (void) state;
    start ();
    load_until (&load, WRITES / 8, LOAD_MS);
    ensemble_signal (&ensemble, 2, SIGKILL);
    load_until (&load, WRITES, LOAD_MS);
    ensemble_stop (&ensemble, 0, STOP_MS);
    ensemble_signal (&ensemble, 1, SIGKILL);
    damage (0, 60);
    damage (1, 80);
    run_with_others (0, 0, "--give-up-unreadable-writes --apply");
    expect ("entries elsewhere, and brought back");
    run_with_others (1, 0, "--give-up-unreadable-writes --apply");
    expect ("entries elsewhere, and brought back");
    run_on (0, 1, "inspect", "");
    expect ("log is     suspect");
    verify_all ();
    run_on (0, 2, "inspect", ""); /* it runs */
}

/* The third is gone for good, so that not all voters can ever agree. */
static void test_one_is_gone (void **state)
{
    char decision[128], command[2 * ENSEMBLE_TEXT];
    (void) state;
    start ();
    load_until (&load, WRITES, LOAD_MS);
    stop_all ();
    damage (0, 50);
    damage (1, 75);
    (void) snprintf (command, sizeof command, "rm -rf '%s'", ensemble.servers[2].data);
    assert_int_equal (system (command), 0);
    char from[2 * ENSEMBLE_TEXT];
    for (size_t i = 0; i < 2; i++) {
        (void) snprintf (from, sizeof from, "--from '%s'", ensemble.servers[1 - i].data);
        run_on (i, 1, "repair", from);
        const char *named = strstr (output, "--discard-acknowledged-writes-after");
        assert_non_null (named);
        size_t size = strcspn (named, "\n");
        assert_true (size < sizeof decision);
        memcpy (decision, named, size);
        decision[size] = '\0';
        size_t used = strlen (from);
        (void) snprintf (from + used, sizeof from - used, " %s", decision);
        run_on (i, 0, "repair", from);
        expect ("whole: it counts");
        run_on (i, 0, "inspect", "");
    }
    verify_all ();
}

/* ---- Metadata -------------------------------------------------------------------------------- */

/* One copy rots, the other is not there. */
static void lose_metadata (size_t index)
{
    char path[2 * ENSEMBLE_TEXT];
    (void) snprintf (path, sizeof path, "%s/meta.0", ensemble.servers[index].data);
    FILE *file = fopen (path, "r+b");
    assert_non_null (file);
    assert_int_equal (fseek (file, 70, SEEK_SET), 0);
    assert_int_equal (fputc (0x55, file), 0x55);
    assert_int_equal (fclose (file), 0);
    path[strlen (path) - 1] = '1';
    assert_int_equal (remove (path), 0);
}

/* What is printed is done: each line that begins with the command. */
static void follow_advice (size_t index, const char *decision)
{
    run_on (index, 1, "repair", "");
    expect ("--make-up-lost-metadata --apply");
    run_on (index, 0, "repair", "--make-up-lost-metadata --apply");
    expect ("damaged: no vote");
    run_on (index, 2, "repair", "--make-up-lost-metadata --apply --nonsense");
    run_on (index, 1, "repair", "--make-up-lost-metadata --apply");
    expect ("the metadata are not lost");
    run_on (index, 1, "repair", "");
    expect (decision);
}

/* All three have lost them: nobody knows what was promised, and everything is there. */
static void test_metadata_of_all (void **state)
{
    (void) state;
    start ();
    load_until (&load, WRITES, LOAD_MS);
    stop_all ();
    for (size_t i = 0; i < 3; i++) {
        lose_metadata (i);
        follow_advice (i, "--give-up-unreadable-writes --apply");
        run_on (i, 0, "repair", "--give-up-unreadable-writes --apply");
    }
    verify_all ();
}

/* One of three: no repair is needed; and who repairs it all the same does no harm. */
static void test_metadata_of_one (void **state)
{
    (void) state;
    start ();
    load_until (&load, WRITES / 2, LOAD_MS);
    ensemble_signal (&ensemble, 0, SIGKILL);
    lose_metadata (0);
    load_until (&load, WRITES, LOAD_MS);
    run_on (0, 1, "repair", "");
    expect ("joins as an emptied server");
    run_on (0, 0, "repair", "--make-up-lost-metadata --apply");
    ensemble_start (&ensemble, 0);
    ensemble_wait_whole (&ensemble, START_MS);
    ensemble_signal (&ensemble, 1, SIGKILL);
    lose_metadata (1);
    ensemble_start (&ensemble, 1);
    ensemble_wait_whole (&ensemble, START_MS);
    stop_all ();
    verify_all ();
}

/* What the last output says that could be decided. */
static void named_decision (char decision[128])
{
    const char *named = strstr (output, "--discard-acknowledged-writes-after");
    assert_non_null (named);
    (void) snprintf (decision, 128, "%.*s", (int) strcspn (named, "\n"), named);
}

/* The only server there is. */
static void test_metadata_of_the_only_one (void **state)
{
    char decision[128] = "";
    (void) state;
    start ();
    load_until (&load, WRITES, LOAD_MS);
    stop_all ();
    lose_metadata (0);
    ensemble_start (&ensemble, 0);
    assert_int_equal (WEXITSTATUS (ensemble_wait_end (&ensemble, 0, STOP_MS)), EXIT_DAMAGED);
    assert_true (
        ensemble_log_has (&ensemble, 0, "meta.0, meta.1: both copies are missing or damaged"));
    assert_true (ensemble_log_has (&ensemble, 0, "cohortd repair"));
    follow_advice (0, "--discard-acknowledged-writes-after");
    named_decision (decision);
    run_on (0, 0, "repair", decision);
    run_on (0, 0, "inspect", "");
    verify_all ();
}

/* ---- A forgotten configuration --------------------------------------------------------------- */

/* One was emptied, and counts again by an entry that all have, and that is the last in their logs:
 * so after a power cut no log says that it is committed. The one that led has lost its end; the
 * others wait for it, and for a store that does not exist any more. */
static void test_forgotten_configuration (void **state)
{
    char decision[128] = "", from[4 * ENSEMBLE_TEXT], command[2 * ENSEMBLE_TEXT];
    (void) state;
    start ();
    load_until (&load, WRITES, LOAD_MS);
    size_t leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    size_t emptied = (leader + 1) % 3, third = (leader + 2) % 3;
    load_end (&load);
    ensemble_signal (&ensemble, emptied, SIGKILL);
    (void) snprintf (command, sizeof command, "rm -rf '%s'", ensemble.servers[emptied].data);
    assert_int_equal (system (command), 0);
    ensemble_start (&ensemble, emptied);
    ensemble_await_log (&ensemble, leader, " member-store ", START_MS);
    ensemble_wait_whole (&ensemble, START_MS);
    ensemble_wait_equal (&ensemble, START_MS);
    for (size_t i = 0; i < 3; i++) {
        ensemble_signal (&ensemble, i, SIGKILL);
    }
    damage (leader, 50);

    ensemble_start_all (&ensemble);
    ensemble_await_log (&ensemble, leader, "store-damaged", START_MS);
    ensemble_await_log (&ensemble, emptied, "reason=\"no quorum\"", START_MS);
    ensemble_await_log (&ensemble, third, "reason=\"no quorum\"", START_MS);
    assert_true (ensemble_following (&ensemble, START_MS) == SIZE_MAX);
    stop_all ();
    run_with_others (leader, 1, "");
    named_decision (decision);
    (void) snprintf (from, sizeof from, "%s", decision);
    run_with_others (leader, 0, from);
    expect ("whole: it counts");
    verify_all ();
}

/* Two of three have lost everything, so that no vote but one counts: nobody leads, and each says
 * why. Here the folders come back as they were. */
static void test_majority_is_emptied (void **state)
{
    char text[64];
    (void) state;
    start ();
    load_until (&load, WRITES, LOAD_MS);
    stop_all ();
    for (size_t i = 1; i < 3; i++) {
        ensemble_shell ("mv '%s' '%s-away'", ensemble.servers[i].data, ensemble.servers[i].data);
    }
    ensemble_start_all (&ensemble);
    for (size_t i = 0; i < 3; i++) {
        for (unsigned emptied = 2; emptied <= 3; emptied++) {
            (void) snprintf (text, sizeof text,
                             "voter-silent server=%u reason=\"its data folder was emptied",
                             emptied);
            ensemble_await_log (&ensemble, i, text, START_MS);
        }
        assert_false (ensemble_log_has (&ensemble, i, "voter-silent server=1 "));
    }
    assert_true (ensemble_following (&ensemble, START_MS) == SIZE_MAX);
    stop_all ();
    for (size_t i = 1; i < 3; i++) {
        ensemble_shell ("rm -rf '%s' && mv '%s-away' '%s'", ensemble.servers[i].data,
                        ensemble.servers[i].data, ensemble.servers[i].data);
    }
    verify_all ();
}

int main (int argc, char **argv)
{
#define REPAIR_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        REPAIR_TEST (test_all_voters_decide),
        REPAIR_TEST (test_damaged_ones_complete_each_other),
        REPAIR_TEST (test_one_is_gone),
        REPAIR_TEST (test_forgotten_configuration),
        REPAIR_TEST (test_majority_is_emptied),
        REPAIR_TEST (test_metadata_of_all),
        REPAIR_TEST (test_metadata_of_one),
        cmocka_unit_test_setup_teardown (test_metadata_of_the_only_one, set_up_one, tear_down),
    };
    if (argc < 2) {
        fprintf (stderr, "usage: test-repair COHORTD [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
