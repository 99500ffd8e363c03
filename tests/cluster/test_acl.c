/* Real processes: who a session is goes with it to other servers, through changes of the leader and
 * restarts of all; what it may not see is not shown by reads, watches and streams; an ensemble that
 * was founded without administrators gets some; and with CURVE the client's key is who it is.
 *
 * usage: test-cluster-acl COHORTD [cmocka's name filter] */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "cohort/acl.h"
#include "cohort/client.h"
#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 60000, KEY_SIZE = 41, TEXT_SIZE = 4096 };

static const char *cohortd;
static struct ensemble ensemble;
static bool finished;

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    finished = false;
    return 0;
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* key: the secret one of the client, with `public`; NULL: without CURVE. */
static cohort_t *client_with (const char *server_key, const char *public, const char *secret)
{
    cohort_options_t options = {.size = sizeof (options),
                                .timeout_ms = LIMIT_MS,
                                .time_limit_ms = LIMIT_MS,
                                .server_key = server_key,
                                .public_key = public,
                                .secret_key = secret};
    cohort_t *client = cohort_new (ensemble.list, &options);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, LIMIT_MS), COHORT_OK);
    return client;
}

static cohort_t *client_new (void)
{
    return client_with (NULL, NULL, NULL);
}

static void set_acl (cohort_t *client, const char *path, const char *text)
{
    cohort_acl_t *acl = cohort_acl_parse (text);
    assert_non_null (acl);
    assert_int_equal (cohort_set_acl (client, path, acl, COHORT_ANY_VERSION, NULL), COHORT_OK);
    cohort_acl_destroy (&acl);
}

static void create (cohort_t *client, const char *path, const char *data, const char *text)
{
    cohort_acl_t *acl = cohort_acl_parse (text);
    assert_non_null (acl);
    assert_int_equal (cohort_create (client, path, data, strlen (data), 0, acl, NULL, NULL),
                      COHORT_OK);
    cohort_acl_destroy (&acl);
}

static int get (cohort_t *client, const char *path)
{
    void *data = NULL;
    size_t size;
    int rc = cohort_get (client, path, &data, &size, NULL);
    cohort_free (data);
    return rc;
}

/* "world:anyone ip:127.0.0.1" */
static void expect_identities (cohort_t *client, const char *expected)
{
    char text[TEXT_SIZE] = "";
    cohort_identities_t *identities = NULL;
    assert_int_equal (cohort_whoami (client, &identities), COHORT_OK);
    for (size_t i = 0; i < identities->count; i++) {
        size_t used = strlen (text);
        snprintf (text + used, sizeof (text) - used, "%s%s:%s", i > 0 ? " " : "",
                  identities->items[i].scheme, identities->items[i].id);
    }
    cohort_identities_destroy (&identities);
    assert_string_equal (text, expected);
}

/* ---- What a stream shows --------------------------------------------------------------------- */

/* "/p /p/secret! ..." of the last snapshot, and of each change since. */
struct shown {
    char text[TEXT_SIZE];
};

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct shown *shown = arg;
    (void) stream;
    if (batch == NULL) {
        return;
    }
    if (batch->snapshot && batch->first) {
        shown->text[0] = '\0';
    }
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        size_t used = strlen (shown->text);
        assert_false (change->hidden && change->size > 0);
        snprintf (shown->text + used, sizeof (shown->text) - used, " %s%s%.*s", change->path,
                  change->hidden ? "!" : "=", (int) change->size,
                  change->size > 0 ? (const char *) change->data : "");
    }
}

static void await_shown (cohort_t *client, const struct shown *shown, const char *expected)
{
    int64_t end = test_now_ms () + LIMIT_MS;
    while (strcmp (shown->text, expected) != 0 && test_now_ms () < end) {
        (void) cohort_run (client, 100);
    }
    assert_string_equal (shown->text, expected);
}

/* ---- Without CURVE --------------------------------------------------------------------------- */

static void configure (size_t index, const char *line)
{
    FILE *file = fopen (ensemble.servers[index].config, "a");
    assert_non_null (file);
    assert_true (fprintf (file, "%s\n", line) > 0);
    assert_int_equal (fclose (file), 0);
}

/* One after the other, as an operator does. */
static void restart_with (const char *line)
{
    for (size_t i = 0; i < 3; i++) {
        configure (i, line);
        ensemble_stop (&ensemble, i, LIMIT_MS);
        ensemble_start (&ensemble, i);
        (void) ensemble_wait_leader (&ensemble, 2, LIMIT_MS);
    }
}

static void await_get (cohort_t *client, const char *path)
{
    int64_t end = test_now_ms () + LIMIT_MS;
    while (get (client, path) != COHORT_OK && test_now_ms () < end) {
        (void) cohort_run (client, 20);
    }
    assert_int_equal (get (client, path), COHORT_OK);
}

static void test_ensemble (void **state)
{
    (void) state;
    char anna[COHORT_ACL_ID_MAX + 1], root[COHORT_ACL_ID_MAX + 1], line[TEXT_SIZE];
    assert_int_equal (cohort_acl_digest ("digest", "anna", "secret", anna, sizeof (anna)), 0);
    assert_int_equal (cohort_acl_digest ("digest-sha1", "root", "12345", root, sizeof (root)), 0);
    ensemble_init (&ensemble, cohortd, 3, "");
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 2, LIMIT_MS);

    cohort_t *owner = client_new (), *other = client_new (), *admin = client_new ();
    struct shown shown = {""};
    assert_int_equal (cohort_add_auth (owner, "digest", "anna", "secret"), COHORT_OK);
    snprintf (line, sizeof (line), "world:anyone ip:127.0.0.1 digest:%s", anna);
    expect_identities (owner, line);
    create (owner, "/p", "", "world:anyone:cdrwa");
    create (owner, "/p/secret", "1", "auth::cdrwa");
    create (owner, "/p/secret/deep", "2", "auth::cdrwa");
    assert_int_equal (get (owner, "/p/secret"), COHORT_OK);
    /* What another has written is to be asked for first. */
    assert_int_equal (cohort_sync (other), COHORT_OK);
    assert_int_equal (get (other, "/p/secret"), COHORT_ENOAUTH);
    assert_int_equal (get (other, "/p/secret/deep"), COHORT_ENOAUTH);
    assert_int_equal (get (other, "/p/secret/none"), COHORT_ENOAUTH);
    cohort_stream_t *stream = cohort_stream_new (other, "/p", on_batch, &shown);
    assert_non_null (stream);
    await_shown (other, &shown, " /p= /p/secret!");

    /* It was founded without administrators; each server is restarted with one. */
    assert_int_equal (cohort_add_auth (admin, "digest-sha1", "root", "12345"), COHORT_OK);
    assert_int_equal (get (admin, "/p/secret"), COHORT_ENOAUTH);
    snprintf (line, sizeof (line), "admin=digest:%s", root);
    restart_with (line);
    /* The sessions are who they were, wherever they are now. */
    snprintf (line, sizeof (line), "world:anyone ip:127.0.0.1 digest:%s", anna);
    expect_identities (owner, line);
    assert_int_equal (get (owner, "/p/secret"), COHORT_OK);
    assert_int_equal (get (other, "/p/secret"), COHORT_ENOAUTH);
    await_get (admin, "/p/secret");
    cohort_acl_t *admins = NULL;
    assert_int_equal (cohort_get_admins (admin, &admins), COHORT_OK);
    assert_int_equal (cohort_acl_count (admins), 1);
    cohort_acl_destroy (&admins);
    assert_int_equal (cohort_get_admins (other, &admins), COHORT_ENOAUTH);

    /* And so is the stream what it was. */
    assert_int_equal (cohort_set (admin, "/p/secret", "3", 1, COHORT_ANY_VERSION, NULL), 0);
    assert_int_equal (cohort_set (admin, "/p/secret/deep", "4", 1, COHORT_ANY_VERSION, NULL), 0);
    set_acl (admin, "/p/secret", "world:anyone:r");
    await_shown (other, &shown, " /p= /p/secret=3 /p/secret/deep!");
    int existed = 0;
    assert_int_equal (cohort_session_kill (other, cohort_session_id (owner), &existed),
                      COHORT_ENOAUTH);
    assert_int_equal (cohort_session_kill (admin, cohort_session_id (owner), &existed), 0);
    assert_true (existed);

    /* All passwords are lost: whoever may write the servers' configuration names somebody. */
    char heir[COHORT_ACL_ID_MAX + 1];
    assert_int_equal (cohort_acl_digest ("digest-sha1", "heir", "54321", heir, sizeof (heir)), 0);
    assert_int_equal (cohort_add_auth (other, "digest-sha1", "heir", "54321"), COHORT_OK);
    assert_int_equal (cohort_get_admins (other, &admins), COHORT_ENOAUTH);
    snprintf (line, sizeof (line), "admin=digest:%s\nreplaceAdmins=yes", heir);
    restart_with (line);
    await_get (other, "/p/secret/deep");
    assert_int_equal (cohort_get_admins (other, &admins), COHORT_OK);
    assert_int_equal (cohort_acl_count (admins), 2);
    cohort_acl_destroy (&admins);
    cohort_stream_destroy (&stream);
    cohort_destroy (&owner);
    cohort_destroy (&other);
    cohort_destroy (&admin);
    finished = true;
}

/* ---- With CURVE ------------------------------------------------------------------------------ */

static void keygen (const char *path, char public[KEY_SIZE])
{
    int out[2], status;
    assert_int_equal (pipe (out), 0);
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        dup2 (out[1], STDOUT_FILENO);
        execl (cohortd, cohortd, "keygen", path, (char *) NULL);
        _exit (127);
    }
    close (out[1]);
    FILE *stream = fdopen (out[0], "r");
    assert_non_null (stream);
    assert_non_null (fgets (public, KEY_SIZE, stream));
    fclose (stream);
    assert_int_equal (waitpid (pid, &status, 0), pid);
    assert_int_equal (status, 0);
}

static void test_keys (void **state)
{
    (void) state;
    char server[KEY_SIZE], path[ENSEMBLE_TEXT], line[TEXT_SIZE];
    char anna[KEY_SIZE], anna_secret[KEY_SIZE], other[KEY_SIZE], other_secret[KEY_SIZE];
    assert_int_equal (zmq_curve_keypair (anna, anna_secret), 0);
    assert_int_equal (zmq_curve_keypair (other, other_secret), 0);
    ensemble_init (&ensemble, cohortd, 1, "");
    snprintf (path, sizeof (path), "%s/certificate", ensemble.folder);
    keygen (path, server);
    snprintf (line, sizeof (line), "certificate=%s\nadmin=curve:%s", path, anna);
    configure (0, line);
    ensemble_start (&ensemble, 0);

    cohort_t *admin = client_with (server, anna, anna_secret);
    cohort_t *stranger = client_with (server, other, other_secret);
    snprintf (line, sizeof (line), "world:anyone ip:127.0.0.1 curve:%s", other);
    expect_identities (stranger, line);
    snprintf (line, sizeof (line), "curve:%s:cdrwa", other);
    create (stranger, "/mine", "", line);
    create (stranger, "/ours", "", "auth::rwa");
    snprintf (line, sizeof (line), "curve:%s:cdrwa", anna);
    create (admin, "/theirs", "", line);
    assert_int_equal (get (admin, "/mine"), COHORT_OK);
    assert_int_equal (get (stranger, "/mine"), COHORT_OK);
    assert_int_equal (get (stranger, "/theirs"), COHORT_ENOAUTH);

    ensemble_signal (&ensemble, 0, SIGKILL);
    ensemble_start (&ensemble, 0);
    assert_int_equal (get (stranger, "/ours"), COHORT_OK);
    assert_int_equal (get (stranger, "/theirs"), COHORT_ENOAUTH);
    assert_int_equal (get (admin, "/ours"), COHORT_OK);
    cohort_destroy (&admin);
    cohort_destroy (&stranger);
    finished = true;
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown (test_ensemble, tear_down),
        cmocka_unit_test_teardown (test_keys, tear_down),
    };
    if (argc < 2) {
        fprintf (stderr, "usage: test-cluster-acl COHORTD [NAME*]\n");
        return 2;
    }
    cohortd = argv[1];
    if (argc > 2) {
        cmocka_set_test_filter (argv[2]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
