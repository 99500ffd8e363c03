/* The embedded server, as a test of an application uses it: no port, no disk, no sleeping. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cohort/client.h"
#include "cohort/server.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 20000 };

static cohort_server_t *server;

static int start (void **state)
{
    cohort_server_options_t options = {
        .size = sizeof options, .clients = "inproc://embedded", .manual_clock = 1};
    (void) state;
    server = cohort_server_new (&options);
    assert_non_null (server);
    assert_int_equal (cohort_server_start (server), 0);
    assert_int_equal (cohort_server_wait (server, LIMIT_MS), 0);
    return 0;
}

static int stop (void **state)
{
    (void) state;
    cohort_server_destroy (&server);
    return 0;
}

static cohort_t *connect_client (int timeout_ms, int grace_ms)
{
    cohort_options_t options = {.size = sizeof options,
                                .loop = cohort_server_loop (server),
                                .timeout_ms = timeout_ms,
                                .disconnect_grace_ms = grace_ms};
    cohort_t *client = cohort_new ("inproc://embedded", &options);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, LIMIT_MS), 0);
    return client;
}

static void create (cohort_t *client, const char *path, int mode)
{
    assert_int_equal (cohort_create (client, path, "x", 1, mode, NULL, NULL, NULL), 0);
}

static void test_requests (void **state)
{
    void *data;
    size_t size;
    cohort_stat_t stat;
    (void) state;
    cohort_t *client = connect_client (10000, 0);
    create (client, "/a", COHORT_PERSISTENT);
    assert_int_equal (cohort_set (client, "/a", "value", 5, 0, &stat), 0);
    assert_int_equal (stat.version, 1);
    assert_int_equal (cohort_set (client, "/a", "value", 5, 0, &stat), COHORT_EBADVERSION);
    assert_int_equal (cohort_get (client, "/a", &data, &size, &stat), 0);
    assert_int_equal (size, 5);
    assert_string_equal (data, "value");
    cohort_free (data);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_delete (client, "/a", 1), 0);
    assert_int_equal (cohort_exists (client, "/a", NULL), COHORT_ENONODE);
    cohort_destroy (&client);
}

/* More children than one answer takes: all of them, once each, in order. */
static void test_many_children (void **state)
{
    enum { COUNT = 12000, BATCH = 1000 };
    (void) state;
    cohort_t *client = connect_client (10000, 0);
    cohort_set_time_limit (client, LIMIT_MS);
    create (client, "/many", COHORT_PERSISTENT);
    for (int i = 0; i < COUNT; i += BATCH) {
        cohort_txn_t *txn = cohort_txn_new ();
        for (int k = 0; k < BATCH; k++) {
            assert_int_equal (cohort_txn_create (txn, "/many/n-", "x", 1, COHORT_SEQUENTIAL, NULL),
                              0);
        }
        assert_int_equal (cohort_multi (client, txn), 0);
        cohort_txn_destroy (&txn);
    }
    cohort_strings_t *names;
    cohort_stat_t stat;
    assert_int_equal (cohort_children (client, "/many", &names, &stat), 0);
    assert_int_equal (names->count, COUNT);
    assert_int_equal (stat.child_count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        char expected[32];
        snprintf (expected, sizeof expected, "n-%010zu", i);
        assert_string_equal (names->items[i], expected);
    }
    cohort_strings_destroy (&names);
    cohort_destroy (&client);
}

static void test_pages_of_children (void **state)
{
    (void) state;
    cohort_t *client = connect_client (10000, 0);
    create (client, "/pages", COHORT_PERSISTENT);
    for (int i = 0; i < 10; i++) {
        create (client, "/pages/n-", COHORT_SEQUENTIAL);
    }
    cohort_page_t *page;
    cohort_stat_t stat;
    cohort_list_options_t options = {.size = sizeof options,
                                     .flags = COHORT_LIST_STAT | COHORT_LIST_DATA |
                                              COHORT_LIST_DESCENDING,
                                     .limit = 2,
                                     .prefix = "n-",
                                     .after = "n-0000000007"};
    assert_int_equal (cohort_list (client, "/pages", &options, &page, NULL), 0);
    assert_int_equal (page->count, 2);
    assert_string_equal (page->children[0].name, "n-0000000006");
    assert_string_equal (page->children[1].name, "n-0000000005");
    assert_int_equal (page->children[1].size, 1);
    assert_memory_equal (page->children[1].data, "x", 1);
    assert_int_equal (page->children[1].stat.data_size, 1);
    assert_string_equal (page->next, "n-0000000005");
    cohort_page_destroy (&page);
    options = (cohort_list_options_t){.size = sizeof options, .after = "n-0000000008"};
    assert_int_equal (cohort_list (client, "/pages", &options, &page, &stat), 0);
    assert_int_equal (page->count, 1);
    assert_string_equal (page->children[0].name, "n-0000000009");
    assert_null (page->next);
    assert_int_equal (stat.child_count, 10);
    cohort_page_destroy (&page);
    options.limit = -1;
    assert_int_equal (cohort_list (client, "/pages", &options, &page, NULL), COHORT_EINVAL);
    options = (cohort_list_options_t){.size = 3};
    assert_int_equal (cohort_list (client, "/pages", &options, &page, NULL), COHORT_EINVAL);
    cohort_destroy (&client);
}

/* Time stands still, so that nothing but a wake-up gets an answer through: none may be lost. */
static void test_no_wake_up_is_lost (void **state)
{
    (void) state;
    for (int round = 0; round < 50; round++) {
        cohort_t *client = connect_client (10000, 0);
        cohort_set_time_limit (client, LIMIT_MS);
        for (int i = 0; i < 100; i++) {
            assert_int_equal (cohort_set (client, "/", "x", 1, COHORT_ANY_VERSION, NULL), 0);
        }
        cohort_destroy (&client);
    }
}

/* Hours pass in a moment, and a session that heartbeats lives through them. */
static void test_a_living_session_outlives_any_time (void **state)
{
    (void) state;
    cohort_t *client = connect_client (1000, 1000);
    create (client, "/mine", COHORT_EPHEMERAL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal (cohort_server_advance_ms (server, 500), 0);
        assert_int_equal (cohort_state (client), COHORT_CONNECTED);
        assert_true (cohort_valid_ms (client) > 0);
        assert_true (cohort_valid_ms (client) <= 1000);
    }
    assert_int_equal (cohort_exists (client, "/mine", NULL), 0);
    cohort_destroy (&client);
}

/* What a crash of the client's process looks like: its ephemerals live for the grace exactly. */
static void test_an_abandoned_session_expires (void **state)
{
    (void) state;
    cohort_t *watcher = connect_client (60000, 60000);
    cohort_t *client = connect_client (30000, 2000);
    create (client, "/mine", COHORT_EPHEMERAL);
    cohort_abandon (&client);
    assert_int_equal (cohort_server_advance_ms (server, 1900), 0);
    assert_int_equal (cohort_exists (watcher, "/mine", NULL), 0);
    assert_int_equal (cohort_server_advance_ms (server, 300), 0);
    assert_int_equal (cohort_exists (watcher, "/mine", NULL), COHORT_ENONODE);
    cohort_destroy (&watcher);
}

static void test_a_closed_session_takes_its_ephemerals_at_once (void **state)
{
    (void) state;
    cohort_t *watcher = connect_client (60000, 60000);
    cohort_t *client = connect_client (30000, 30000);
    create (client, "/mine", COHORT_EPHEMERAL);
    cohort_destroy (&client);
    assert_int_equal (cohort_exists (watcher, "/mine", NULL), COHORT_ENONODE);
    cohort_destroy (&watcher);
}

static void on_done (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    assert_int_equal (result->rc, 0);
    *(bool *) arg = true;
}

/* The server crashes and comes back: the session, its ephemeral and a write in flight survive. */
static void test_crash_and_restart (void **state)
{
    bool done = false;
    (void) state;
    cohort_t *client = connect_client (60000, 60000);
    create (client, "/before", COHORT_EPHEMERAL);
    uint64_t session = cohort_session_id (client);
    assert_int_equal (cohort_server_crash (server), 0);
    assert_int_equal (cohort_create_async (client, "/meanwhile", NULL, 0, COHORT_PERSISTENT, NULL,
                                           on_done, &done),
                      0);
    assert_int_equal (cohort_server_start (server), 0);
    assert_int_equal (cohort_server_wait (server, LIMIT_MS), 0);
    /* The client notices by its connection's end or by silence, on the clock that this test moves.
     */
    int seconds = 0;
    while (!done) {
        assert_true (seconds++ < 60);
        assert_int_equal (cohort_server_advance_ms (server, 1000), 0);
        (void) cohort_dispatch (client, 0);
    }
    assert_int_equal (cohort_exists (client, "/meanwhile", NULL), 0);
    assert_int_equal (cohort_session_id (client), session);
    assert_int_equal (cohort_exists (client, "/before", NULL), 0);
    cohort_destroy (&client);
}

static void test_starting_twice (void **state)
{
    (void) state;
    assert_int_equal (cohort_server_start (server), COHORT_ESTATE);
    assert_null (cohort_server_endpoint (server, 1));
    assert_string_equal (cohort_server_endpoint (server, 0), "inproc://embedded");
    assert_int_equal (cohort_server_stop (server), 0);
    assert_int_equal (cohort_server_stop (server), 0);
    assert_int_equal (cohort_server_advance_ms (server, 1), COHORT_ESTATE);
}

/* Against the contract, and yet nobody hangs: a test that fails ends so. */
static void test_a_client_is_left (void **state)
{
    (void) state;
    cohort_t *client = connect_client (10000, 10000);
    cohort_server_destroy (&server);
    assert_null (server);
    assert_int_equal (cohort_set_async (client, "/", "x", 1, -1, NULL, NULL), 0);
    cohort_abandon (&client);
}

/* ---- Without the manual clock ---------------------------------------------------------------- */

static void assert_refused (cohort_server_options_t *options, int code, const char *part)
{
    const char *text = "";
    assert_null (cohort_server_new (options));
    assert_int_equal (cohort_server_new_error (&text), code);
    if (!strstr (text, part)) {
        fail_msg ("'%s' is not in '%s'", part, text);
    }
}

static void test_options_are_checked (void **state)
{
    cohort_server_member_t twice[2] = {{.id = 1, .address = "tcp://127.0.0.1:1"},
                                       {.id = 1, .address = "tcp://127.0.0.1:2"}};
    cohort_server_options_t options = {.size = 1, .clients = "inproc://x"};
    (void) state;
    assert_refused (&options, COHORT_EINVAL, "size");
    options.size = sizeof options;
    options.clients = NULL;
    assert_refused (&options, COHORT_EINVAL, "clients");
    options.clients = "foo://";
    assert_refused (&options, COHORT_EINVAL, "clients: foo:// is not tcp://HOST:PORT");
    options.clients = "inproc://x,tcp://127.0.0.1:70000";
    assert_refused (&options, COHORT_EINVAL,
                    "clients: tcp://127.0.0.1:70000 is not tcp://HOST:PORT");
    options.clients = "inproc://x,";
    assert_refused (&options, COHORT_EINVAL, "clients: inproc://x, names an empty endpoint");
    options.clients = "inproc://x";
    options.members = twice;
    options.members_count = 2;
    assert_refused (&options, COHORT_EINVAL, "same id");
    options.members_count = 1;
    options.id = 7;
    assert_refused (&options, COHORT_EINVAL, "own id");
    options.members = NULL;
    options.members_count = 0;
    options.snapshot_compression = 10;
    assert_refused (&options, COHORT_EINVAL, "snapshot_compression 10");
}

static cohort_server_t *start_at (const char *clients, const char *folder, int *rc)
{
    cohort_server_options_t options = {
        .size = sizeof options, .clients = clients, .data_dir = folder};
    cohort_server_t *self = cohort_server_new (&options);
    assert_non_null (self);
    *rc = cohort_server_start (self);
    return self;
}

static void assert_errmsg (cohort_server_t *self, const char *part)
{
    if (!strstr (cohort_server_errmsg (self), part)) {
        fail_msg ("'%s' is not in '%s'", part, cohort_server_errmsg (self));
    }
}

static char folder[32];

static int make_folder (void **state)
{
    (void) state;
    (void) snprintf (folder, sizeof folder, "/tmp/cohort-embedded-XXXXXX");
    return mkdtemp (folder) ? 0 : -1;
}

static int remove_folder (void **state)
{
    char command[64];
    (void) state;
    (void) snprintf (command, sizeof command, "rm -rf %s", folder);
    return system (command);
}

static void test_what_is_in_use_is_named (void **state)
{
    int rc;
    (void) state;
    cohort_server_t *first = start_at ("tcp://127.0.0.1:0", folder, &rc);
    assert_int_equal (rc, 0);
    assert_int_equal (cohort_server_wait (first, LIMIT_MS), 0);

    cohort_server_t *second = start_at ("tcp://127.0.0.1:0", folder, &rc);
    assert_int_equal (rc, COHORT_EINUSE);
    assert_errmsg (second, folder);
    cohort_server_destroy (&second);

    second = start_at (cohort_server_endpoint (first, 0), NULL, &rc);
    assert_int_equal (rc, COHORT_EINUSE);
    assert_errmsg (second, cohort_server_endpoint (first, 0));
    cohort_server_destroy (&second);

    second = start_at ("tcp://127.0.0.1:0", "/proc/none/at/all", &rc);
    assert_int_equal (rc, COHORT_ESYSTEM);
    assert_errmsg (second, "/proc/none/at/all");
    cohort_server_destroy (&second);

    cohort_server_destroy (&first);
}

/* What was acknowledged is there after a crash, on a disk. */
static void test_recovery_from_disk (void **state)
{
    char path[32];
    int rc;
    (void) state;
    for (int round = 0; round < 3; round++) {
        cohort_server_t *self = start_at ("tcp://127.0.0.1:0", folder, &rc);
        assert_int_equal (rc, 0);
        cohort_t *client = cohort_new (cohort_server_endpoint (self, 0), NULL);
        for (int i = 0; i < round; i++) {
            (void) snprintf (path, sizeof path, "/round%d", i);
            assert_int_equal (cohort_exists (client, path, NULL), 0);
        }
        (void) snprintf (path, sizeof path, "/round%d", round);
        create (client, path, COHORT_PERSISTENT);
        cohort_abandon (&client);
        assert_int_equal (cohort_server_crash (self), 0);
        cohort_server_destroy (&self);
    }
}

int main (void)
{
#define EMBEDDED_TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
#define FOLDER_TEST(name)   cmocka_unit_test_setup_teardown (name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        EMBEDDED_TEST (test_requests),
        EMBEDDED_TEST (test_many_children),
        EMBEDDED_TEST (test_pages_of_children),
        EMBEDDED_TEST (test_no_wake_up_is_lost),
        EMBEDDED_TEST (test_a_living_session_outlives_any_time),
        EMBEDDED_TEST (test_an_abandoned_session_expires),
        EMBEDDED_TEST (test_a_closed_session_takes_its_ephemerals_at_once),
        EMBEDDED_TEST (test_crash_and_restart),
        EMBEDDED_TEST (test_starting_twice),
        EMBEDDED_TEST (test_a_client_is_left),
        cmocka_unit_test (test_options_are_checked),
        FOLDER_TEST (test_what_is_in_use_is_named),
        FOLDER_TEST (test_recovery_from_disk),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
