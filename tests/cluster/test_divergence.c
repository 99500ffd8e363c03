/* A real server whose state goes wrong, by a failpoint: it is quarantined, says so, hands out no
 * backup, and comes back with what its log makes; if that is wrong, too, its folder is condemned,
 * and all of it comes from the others.
 *
 * usage: test-cluster-divergence COHORTD-FAILPOINTS COHORT */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cohort/client.h"
#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

enum { EXIT_DAMAGED = 5 }; /* of cohortd */
enum { START_MS = 60000, HEAL_MS = 60000, TRIES = 10, WRONG = 0 };

static const char *cohortd, *cohort;
static struct ensemble ensemble;
static bool finished;

static int set_up (void **state)
{
    (void) state;
    finished = false;
    /* A round of comparisons takes a fifth of it: that long, at least, it stays in quarantine. */
    ensemble_init (&ensemble, cohortd, 3, "peerTimeout=2500\n");
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

/* ---- What servers and commands say ----------------------------------------------------------- */

/* How often its log has a text. */
static size_t times_logged (const char *text)
{
    char line[2048];
    size_t count = 0;
    FILE *file = fopen (ensemble.servers[WRONG].log, "r");
    assert_non_null (file);
    while (fgets (line, sizeof line, file)) {
        count += strstr (line, text) != NULL;
    }
    assert_int_equal (fclose (file), 0);
    return count;
}

static char said[8192];

/* Runs `cohort`, of the wrong server or of all: its status; what it says is in `said`. */
static int run (const char *servers, const char *command)
{
    char line[3 * ENSEMBLE_TEXT];
    (void) snprintf (line, sizeof line, "'%s' --servers '%s' --timeout 5000 %s 2>&1", cohort,
                     servers, command);
    FILE *output = popen (line, "r");
    assert_non_null (output);
    said[fread (said, 1, sizeof said - 1, output)] = '\0';
    int status = pclose (output);
    assert_true (WIFEXITED (status));
    return WEXITSTATUS (status);
}

/* With something wrong in it from its next entry on. */
static void start_wrong (const char *failpoints)
{
    assert_int_equal (setenv ("COHORT_FAILPOINTS", failpoints, 1), 0);
    ensemble_start (&ensemble, WRONG);
    assert_int_equal (unsetenv ("COHORT_FAILPOINTS"), 0);
}

static void write_flip (void)
{
    cohort_t *client = cohort_new (ensemble.list, NULL);
    assert_non_null (client);
    int rc = cohort_create (client, "/flip", "data", 4, 0, NULL, NULL, NULL);
    assert_true (rc == 0 || rc == COHORT_ENODEEXISTS);
    cohort_destroy (&client);
}

static void expect_right (void)
{
    assert_int_equal (run (ensemble.servers[WRONG].clients, "get /flip"), 0);
    assert_string_equal (said, "data");
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* What it hands out meanwhile. false: it was released before it could be asked. */
static bool refuses_backups (size_t released)
{
    char command[2 * ENSEMBLE_TEXT];
    (void) snprintf (command, sizeof command, "snapshot save '%s/backup'", ensemble.folder);
    if (run (ensemble.servers[WRONG].clients, command) == 0) {
        assert_int_equal (times_logged (" state-proven "), released + 1);
        return false;
    }
    assert_non_null (strstr (said, "quarantined: at zxid"));
    assert_non_null (strstr (said, "ask another server"));
    return true;
}

/* From when it is wrong until it is proven right again: whether it was seen in between. */
static bool watch_quarantine (size_t released)
{
    bool seen = false;
    int64_t limit_ms = test_now_ms () + HEAL_MS;
    while (times_logged (" state-proven ") == released) {
        assert_true (test_now_ms () < limit_ms);
        if (!seen && run (ensemble.list, "status") >= 0 && strstr (said, " quarantined")) {
            seen = refuses_backups (released);
        }
    }
    assert_int_equal (times_logged (" state-quarantined "), released + 1);
    assert_int_equal (times_logged (" state-rebuilt "), released + 1);
    return seen;
}

static void test_state_goes_wrong (void **state)
{
    (void) state;
    start_wrong ("state.apply=flip@1");
    ensemble_start (&ensemble, 1);
    ensemble_start (&ensemble, 2);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    write_flip ();
    /* A machine that is busy may look too late: then it happens once more. */
    size_t released = 0;
    while (!watch_quarantine (released)) {
        assert_true (++released < TRIES);
        ensemble_signal (&ensemble, WRONG, SIGKILL);
        start_wrong ("state.apply=flip@1");
        write_flip ();
    }
    expect_right ();
    assert_true (times_logged (" states-differ ") > 0);
    (void) run (ensemble.list, "status");
    assert_null (strstr (said, "quarantined"));

    /* What its disk makes is wrong as well. */
    ensemble_signal (&ensemble, WRONG, SIGKILL);
    start_wrong ("state.apply=flip");
    int status = ensemble_wait_end (&ensemble, WRONG, HEAL_MS);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), EXIT_DAMAGED);
    assert_true (times_logged ("it could not be made anew from this server's disk") > 0);
    assert_true (times_logged ("start it again, all of it then comes from the others") > 0);
    write_flip ();
    ensemble_start (&ensemble, WRONG);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    ensemble_wait_whole (&ensemble, START_MS);
    assert_true (times_logged (" store-damaged ") > 0);
    assert_true (times_logged (" log-whole ") > 0);
    expect_right ();
    finished = true;
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_state_goes_wrong, set_up, tear_down),
    };
    if (argc != 3) {
        fprintf (stderr, "usage: test-cluster-divergence COHORTD-FAILPOINTS COHORT\n");
        return 2;
    }
    cohortd = argv[1];
    cohort = argv[2];
    return cmocka_run_group_tests (tests, NULL, NULL);
}
