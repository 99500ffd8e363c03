/* Real processes: a client is killed and started again with its state file, and the session, with
 * its ephemerals, is still its own; or it closes the one before first. What cannot be a session's
 * file opens nothing. And a program that hangs loses its session, however many servers there are.
 *
 * usage: test-cluster-sessions COHORTD [cmocka's name filter] */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/base/hash.h"
#include "cohort/client.h"
#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

enum { START_MS = 60000, PLAYERS = 50, LINE_SIZE = 128, FILE_SIZE = 4096, CHECK_SIZE = 23 };

static const char *cohortd, *self;
static struct ensemble ensemble;
static bool finished;
static char state_file[ENSEMBLE_TEXT];

/* ---- The process that is killed ---------------------------------------------------------------
 */

/* Holds PLAYERS ephemerals, says which session is theirs, and lives until it is killed. */
static int hold (const char *servers, const char *file, bool close_predecessor, int timeout_ms)
{
    cohort_options_t options = {.size = sizeof (options),
                                .state_file = file,
                                .timeout_ms = timeout_ms,
                                .close_predecessor = close_predecessor};
    cohort_t *client = cohort_new (servers, &options);
    if (client == NULL || cohort_wait (client, START_MS) != COHORT_OK) {
        return 1;
    }
    for (int i = 0; i < PLAYERS; i++) {
        char path[64];
        snprintf (path, sizeof (path), "/players/p%d", i);
        int rc = cohort_create (client, path, "", 0, COHORT_EPHEMERAL, NULL, NULL, NULL);
        if (rc != COHORT_OK && rc != COHORT_ENODEEXISTS) {
            return 2;
        }
    }
    printf ("%016" PRIx64 "\n", cohort_session_id (client));
    fflush (stdout);
    for (;;) {
        pause ();
    }
}

struct holder {
    pid_t pid;
    uint64_t session;
};

static struct holder start (const char *how, int timeout_ms)
{
    int out[2];
    char limit[16], line[LINE_SIZE] = "";
    assert_int_equal (pipe (out), 0);
    snprintf (limit, sizeof (limit), "%d", timeout_ms);
    struct holder holder = {.pid = fork ()};
    assert_true (holder.pid >= 0);
    if (holder.pid == 0) {
        dup2 (out[1], STDOUT_FILENO);
        execl (self, self, how, ensemble.list, state_file, limit, (char *) NULL);
        _exit (127);
    }
    close (out[1]);
    FILE *stream = fdopen (out[0], "r");
    assert_non_null (stream);
    assert_non_null (fgets (line, sizeof (line), stream));
    fclose (stream);
    holder.session = strtoull (line, NULL, 16);
    return holder;
}

static void kill_it (const struct holder *holder)
{
    int status;
    assert_int_equal (kill (holder->pid, SIGKILL), 0);
    assert_int_equal (waitpid (holder->pid, &status, 0), holder->pid);
    assert_true (WIFSIGNALED (status));
}

/* ---- The others -------------------------------------------------------------------------------
 */

static int set_up_servers (size_t count)
{
    finished = false;
    ensemble_init (&ensemble, cohortd, count, "");
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 0, START_MS);
    snprintf (state_file, sizeof (state_file), "%s/session", ensemble.folder);
    return 0;
}

static int set_up (void **state)
{
    (void) state;
    return set_up_servers (1);
}

static int set_up_three (void **state)
{
    (void) state;
    return set_up_servers (3);
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

static cohort_t *observer (void)
{
    cohort_t *client = cohort_new (ensemble.list, NULL);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, START_MS), COHORT_OK);
    int rc = cohort_create (client, "/players", "", 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    assert_true (rc == COHORT_OK || rc == COHORT_ENODEEXISTS);
    return client;
}

static cohort_stat_t player (cohort_t *client, int i)
{
    char path[64];
    cohort_stat_t stat;
    snprintf (path, sizeof (path), "/players/p%d", i);
    assert_int_equal (cohort_exists (client, path, &stat), COHORT_OK);
    return stat;
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

static void test_ephemerals_stay (void **state)
{
    (void) state;
    cohort_t *client = observer ();
    struct holder first = start ("goes-on", 60000);
    cohort_stat_t before[PLAYERS];
    for (int i = 0; i < PLAYERS; i++) {
        before[i] = player (client, i);
        assert_int_equal (before[i].ephemeral_owner, first.session);
    }
    kill_it (&first);
    struct holder second = start ("goes-on", 60000);
    assert_int_equal (second.session, first.session);
    for (int i = 0; i < PLAYERS; i++) {
        cohort_stat_t after = player (client, i);
        assert_int_equal (after.czxid, before[i].czxid);
        assert_int_equal (after.ephemeral_owner, first.session);
    }
    kill_it (&second);
    cohort_destroy (&client);
    finished = true;
}

static void test_closes_predecessor (void **state)
{
    (void) state;
    cohort_t *client = observer ();
    struct holder first = start ("closes", 600);
    cohort_stat_t before = player (client, 0);
    assert_int_equal (before.ephemeral_owner, first.session);
    kill_it (&first);
    struct holder second = start ("closes", 600);
    assert_true (second.session != first.session);
    cohort_stat_t after = player (client, 0);
    assert_true (after.czxid > before.czxid);
    assert_int_equal (after.ephemeral_owner, second.session);
    kill_it (&second);
    cohort_destroy (&client);
    finished = true;
}

/* Changes the file as somebody would who knows its format. */
static void forge (const char *key, char digit)
{
    char bytes[FILE_SIZE];
    FILE *file = fopen (state_file, "r+");
    assert_non_null (file);
    size_t size = fread (bytes, 1, sizeof (bytes) - 1, file);
    bytes[size] = '\0';
    char *at = strstr (bytes, key);
    assert_non_null (at);
    at += strlen (key);
    *at = *at == digit ? '0' : digit;
    size -= CHECK_SIZE;
    snprintf (bytes + size, CHECK_SIZE + 1, "check=%016" PRIx64 "\n", hash64 (bytes, size, 0));
    rewind (file);
    assert_int_equal (fwrite (bytes, 1, size + CHECK_SIZE, file), size + CHECK_SIZE);
    assert_int_equal (fclose (file), 0);
}

static void test_wrong_password (void **state)
{
    (void) state;
    cohort_t *client = observer ();
    struct holder first = start ("goes-on", 60000);
    forge ("password=", '7');
    cohort_options_t options = {.size = sizeof (options), .state_file = state_file};
    cohort_t *thief = cohort_new (ensemble.list, &options);
    assert_non_null (thief);
    assert_int_equal (cohort_wait (thief, START_MS), COHORT_EAUTHFAILED);
    assert_int_equal (cohort_state (thief), COHORT_LOST);
    cohort_destroy (&thief);
    /* Its owner has noticed nothing. */
    assert_int_equal (player (client, 0).ephemeral_owner, first.session);
    assert_int_equal (waitpid (first.pid, NULL, WNOHANG), 0);
    kill_it (&first);
    cohort_destroy (&client);
    finished = true;
}

static void test_damaged_file (void **state)
{
    (void) state;
    FILE *file = fopen (state_file, "w");
    assert_non_null (file);
    fputs ("# A session of Cohort's", file);
    fclose (file);
    cohort_options_t options = {.size = sizeof (options), .state_file = state_file};
    assert_null (cohort_new (ensemble.list, &options));
    const char *text;
    assert_int_equal (cohort_new_error (&text), COHORT_ECORRUPT);
    assert_non_null (strstr (text, state_file));
    finished = true;
}

static void note_gone (cohort_t *client, const cohort_event_t *event, void *arg)
{
    (void) client;
    *(bool *) arg = event->type == COHORT_EVENT_DELETED;
}

/* Its library goes on running, and may try every server. */
static void test_a_program_that_hangs (void **state)
{
    (void) state;
    cohort_t *client = observer ();
    cohort_options_t options = {.size = sizeof (options), .timeout_ms = 1200, .watchdog_ms = 300};
    cohort_t *hung = cohort_new (ensemble.list, &options);
    assert_non_null (hung);
    assert_int_equal (cohort_wait (hung, START_MS), COHORT_OK);
    assert_int_equal (
        cohort_create (hung, "/players/hung", "", 0, COHORT_EPHEMERAL, NULL, NULL, NULL),
        COHORT_OK);
    bool gone = false;
    assert_int_equal (cohort_sync (client), COHORT_OK);
    assert_int_equal (cohort_exists_async (client, "/players/hung", note_gone, &gone, NULL, NULL),
                      COHORT_OK);
    while (!gone) {
        assert_true (cohort_run (client, START_MS) > 0);
    }
    /* When it wakes up it hears so. */
    while (cohort_state (hung) != COHORT_LOST) {
        assert_true (cohort_run (hung, START_MS) > 0);
    }
    cohort_destroy (&hung);
    cohort_destroy (&client);
    finished = true;
}

int main (int argc, char **argv)
{
#define SESSIONS_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SESSIONS_TEST (test_ephemerals_stay),
        SESSIONS_TEST (test_closes_predecessor),
        SESSIONS_TEST (test_wrong_password),
        SESSIONS_TEST (test_damaged_file),
        cmocka_unit_test_setup_teardown (test_a_program_that_hangs, set_up_three, tear_down),
    };
    if (argc == 5) {
        return hold (argv[2], argv[3], strcmp (argv[1], "closes") == 0,
                     (int) strtol (argv[4], NULL, 10));
    }
    if (argc < 2) {
        fprintf (stderr, "usage: test-cluster-sessions COHORTD [NAME*]\n");
        return 2;
    }
    self = argv[0];
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
