/* The public functions against a small ensemble, over every transport and with both drivers. */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "cohort/client.h"
#include "tests/support/witness.h"
#include "tests/unit/client/fake.h"
#include "tests/unit/unit.h"

/* What each test runs with. */
struct setup {
    const char *transport;
    int driver;
    void *context;
    struct fake *fake;
    cohort_loop_t *loop;
    cohort_t *client;
    int64_t began_ms;
};

/* Where the sockets of ipc are: libzmq leaves them behind. */
static char folder[] = "/tmp/cohort-client-XXXXXX";

static int make_folder (void **state)
{
    (void) state;
    return mkdtemp (folder) != NULL ? 0 : -1;
}

static int remove_folder (void **state)
{
    char command[64];
    (void) state;
    snprintf (command, sizeof (command), "rm -rf '%s'", folder);
    return system (command);
}

static cohort_t *connect_with (struct setup *setup, int timeout_ms)
{
    cohort_options_t options = {
        .size = sizeof (options), .loop = setup->loop, .timeout_ms = timeout_ms};
    char text[256];
    cohort_t *client = cohort_new (fake_servers (setup->fake), &options);
    assert_non_null (client);
    int rc = cohort_wait (client, 10000);
    cohort_errmsg (client, text, sizeof (text));
    if (rc != 0) {
        fail_msg ("%s: %s", cohort_error_name (rc), text);
    }
    return client;
}

static void begin (struct setup *setup, int servers, const char *transport, int driver)
{
    static atomic_int serial;
    *setup = (struct setup){.transport = transport, .driver = driver};
    setup->context = zmq_ctx_new ();
    char names[2][64];
    const char *endpoints[2] = {names[0], names[1]};
    for (int i = 0; i < servers; i++) {
        int number = atomic_fetch_add (&serial, 1);
        if (strcmp (transport, "tcp") == 0) {
            snprintf (names[i], sizeof (names[i]), "tcp://127.0.0.1:*");
        } else if (strcmp (transport, "ipc") == 0) {
            snprintf (names[i], sizeof (names[i]), "ipc://%s/%d", folder, number);
        } else {
            snprintf (names[i], sizeof (names[i]), "inproc://server-%d", number);
        }
    }
    setup->fake = fake_new (setup->context, endpoints, servers);
    cohort_loop_options_t options = {
        .size = sizeof (options), .driver = driver, .zmq_context = setup->context};
    setup->loop = cohort_loop_new (&options);
    assert_non_null (setup->loop);
    setup->began_ms = witness_now_ms ();
    setup->client = connect_with (setup, 10000);
}

static void end (struct setup *setup)
{
    cohort_destroy (&setup->client);
    assert_null (setup->client);
    assert_int_equal (cohort_loop_destroy (&setup->loop), 0);
    fake_destroy (&setup->fake);
    zmq_ctx_term (setup->context);
}

/* Runs callbacks until the flag is set. */
static void run_until (cohort_t *client, const atomic_int *flag, int value)
{
    int64_t until = witness_now_ms () + 10000;
    while (atomic_load (flag) < value) {
        assert_true (witness_now_ms () < until);
        assert_true (cohort_run (client, 100) >= 0);
    }
}

/* ---- The operations, over everything --------------------------------------------------------- */

static void use_all (struct setup *setup)
{
    cohort_t *client = setup->client;
    cohort_stat_t stat;
    char *created = NULL;
    assert_int_equal (cohort_create (client, "/a", "one", 3, 0, NULL, &created, &stat), 0);
    assert_string_equal (created, "/a");
    cohort_free (created);
    assert_int_equal (cohort_create (client, "/a", NULL, 0, 0, NULL, NULL, NULL),
                      COHORT_ENODEEXISTS);
    char text[256];
    cohort_errmsg (client, text, sizeof (text));
    assert_string_equal (text, "create /a: the znode exists already");
    assert_int_equal (
        cohort_create (client, "/a/", NULL, 0, COHORT_SEQUENTIAL, NULL, &created, NULL), 0);
    assert_string_equal (created, "/a/0000000000");
    cohort_free (created);
    assert_int_equal (cohort_set (client, "/a", "two", 3, 0, &stat), 0);
    assert_int_equal (cohort_set (client, "/a", "two", 3, 0, &stat), COHORT_EBADVERSION);
    void *data = NULL;
    size_t size = 0;
    assert_int_equal (cohort_get (client, "/a", &data, &size, &stat), 0);
    assert_int_equal (size, 3);
    assert_string_equal (data, "two");
    assert_int_equal (stat.version, 1);
    cohort_free (data);
    assert_int_equal (cohort_exists (client, "/b", &stat), COHORT_ENONODE);
    cohort_strings_t *children = NULL;
    assert_int_equal (cohort_children (client, "/a", &children, NULL), 0);
    assert_int_equal (children->count, 1);
    assert_string_equal (children->items[0], "0000000000");
    cohort_strings_destroy (&children);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_delete (client, "/a/0000000000", -1), 0);
    assert_true (cohort_last_zxid (client) > 0);
    assert_true (cohort_session_id (client) > 0);
    /* Counted from a heartbeat of this session, the timeout less a tenth. */
    int64_t valid_ms = cohort_valid_ms (client), age_ms = witness_now_ms () - setup->began_ms;
    assert_in_range (valid_ms, age_ms < 8999 ? 8999 - age_ms : 0, 9000);
    cohort_server (client, text, sizeof (text));
    assert_string_equal (text, fake_endpoint (setup->fake, 0));
}

static const char *const transports[] = {"tcp", "ipc", "inproc"};

static void test_operations (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
            struct setup setup;
            begin (&setup, 1, transports[i], driver);
            use_all (&setup);
            end (&setup);
        }
    }
}

static void test_multi (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup, 1, "tcp", COHORT_DRIVER_THREAD);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_create (txn, "/m", "x", 1, 0, NULL), 0);
    assert_int_equal (cohort_txn_create (txn, "/n", "y", 1, 0, NULL), 0);
    assert_int_equal (cohort_multi (setup.client, txn), 0);
    assert_string_equal (cohort_txn_result (txn, 1)->path, "/n");
    assert_null (cohort_txn_result (txn, 2));
    cohort_txn_destroy (&txn);
    txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_set (txn, "/m", "z", 1, -1), 0);
    assert_int_equal (cohort_txn_check (txn, "/none", 0), 0);
    assert_int_equal (cohort_multi (setup.client, txn), COHORT_ENONODE);
    assert_int_equal (cohort_txn_result (txn, 0)->rc, COHORT_EROLLEDBACK);
    assert_int_equal (cohort_txn_result (txn, 1)->rc, COHORT_ENONODE);
    assert_int_equal (cohort_txn_set (txn, "m", "z", 1, -1), COHORT_EPATH);
    assert_int_equal (cohort_multi (setup.client, txn), COHORT_EPATH);
    cohort_txn_destroy (&txn);
    end (&setup);
}

static void test_versions (void **state)
{
    (void) state;
    struct setup setup;
    char text[256];
    begin (&setup, 1, "tcp", COHORT_DRIVER_THREAD);
    assert_int_equal (cohort_delete (setup.client, "/m", -2), COHORT_EINVAL);
    cohort_errmsg (setup.client, text, sizeof text);
    assert_string_equal (text, "delete: version -2 is none: give a znode's version, 0 or more, or "
                               "COHORT_ANY_VERSION (-1)");
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_delete (txn, "/m", -7), COHORT_EINVAL);
    assert_int_equal (cohort_multi (setup.client, txn), COHORT_EINVAL);
    cohort_errmsg (setup.client, text, sizeof text);
    assert_non_null (strstr (text, "operation 0: version -7 is none: give a znode's version"));
    cohort_txn_destroy (&txn);
    end (&setup);
}

/* ---- Callbacks ------------------------------------------------------------------------------- */

struct seen {
    atomic_int results, watches, batches, lost, states;
    int rc;
    char order[256];
    cohort_t *client; /* for callbacks that destroy */
    cohort_stream_t *stream;
    char text[1024];
};

/* One letter for each callback, in their order. */
static void note (struct seen *seen, char letter)
{
    size_t size = strlen (seen->order);
    assert_true (size + 1 < sizeof (seen->order));
    seen->order[size] = letter;
    seen->order[size + 1] = '\0';
}

static void on_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct seen *seen = arg;
    (void) self;
    seen->rc = result->rc;
    note (seen, 'r');
    atomic_fetch_add (&seen->results, 1);
}

static void on_watch (cohort_t *self, const cohort_event_t *event, void *arg)
{
    struct seen *seen = arg;
    (void) self;
    note (seen, event->type == COHORT_EVENT_WATCH_LOST ? 'L' : 'w');
    snprintf (seen->text, sizeof (seen->text), "%s", event->path);
    atomic_fetch_add (&seen->watches, 1);
}

static void on_state (cohort_t *self, cohort_state_t state, void *arg)
{
    struct seen *seen = arg;
    (void) self;
    static const char letters[] = {'-', 'c', 's', '!'};
    note (seen, letters[state]);
    atomic_fetch_add (&seen->states, 1);
    if (state == COHORT_LOST) {
        atomic_fetch_add (&seen->lost, 1);
    }
}

static void test_watches (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        struct seen seen = {0};
        begin (&setup, 1, "tcp", driver);
        cohort_t *client = setup.client;
        assert_int_equal (cohort_create (client, "/w", "0", 1, 0, NULL, NULL, NULL), 0);
        assert_int_equal (cohort_get_async (client, "/w", on_watch, &seen, on_result, &seen), 0);
        run_until (client, &seen.results, 1);
        assert_int_equal (cohort_set (client, "/w", "1", 1, -1, NULL), 0);
        run_until (client, &seen.watches, 1);
        assert_int_equal (cohort_set (client, "/w", "2", 1, -1, NULL), 0);
        assert_int_equal (cohort_get_async (client, "/w", on_watch, &seen, on_result, &seen), 0);
        run_until (client, &seen.results, 2);
        /* One shot: the second change had no watch. */
        assert_string_equal (seen.order, "rwr");
        assert_string_equal (seen.text, "/w");
        end (&setup);
    }
}

static void on_result_blocking (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct seen *seen = arg;
    (void) result;
    seen->rc = cohort_sync (self);
    assert_int_equal (cohort_wait (self, 10), COHORT_EDEADLK);
    assert_int_equal (cohort_run (self, 10), COHORT_EDEADLK);
    assert_int_equal (cohort_dispatch (self, 0), 0);
    atomic_fetch_add (&seen->results, 1);
}

static void test_blocking_in_callback (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        struct seen seen = {0};
        begin (&setup, 1, "tcp", driver);
        assert_int_equal (cohort_sync_async (setup.client, on_result_blocking, &seen), 0);
        run_until (setup.client, &seen.results, 1);
        assert_int_equal (seen.rc, COHORT_EDEADLK);
        end (&setup);
    }
}

static void on_result_destroy (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct seen *seen = arg;
    if (seen->client != NULL) {
        assert_ptr_equal (self, seen->client);
        cohort_destroy (&seen->client);
    } else {
        /* Behind the end: what it asks for is refused. */
        assert_true (result->rc == COHORT_OK || result->rc == COHORT_ECLOSING);
        assert_int_equal (cohort_sync_async (self, on_result, arg), COHORT_ECLOSING);
        assert_int_equal (cohort_sync (self), COHORT_EDEADLK);
    }
    seen->rc = result->rc;
    atomic_fetch_add (&seen->results, 1);
}

static void test_destroy_in_callback (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        struct seen seen = {0};
        begin (&setup, 1, "tcp", driver);
        seen.client = connect_with (&setup, 10000);
        assert_int_equal (cohort_sync_async (seen.client, on_result_destroy, &seen), 0);
        assert_int_equal (cohort_sync_async (seen.client, on_result_destroy, &seen), 0);
        cohort_t *client = seen.client;
        int64_t until = witness_now_ms () + 10000;
        while (seen.client != NULL && witness_now_ms () < until) {
            cohort_run (client, 100);
        }
        assert_null (seen.client);
        assert_int_equal (seen.results, 2);
        if (driver == COHORT_DRIVER_NONE) {
            /* The loop ends the session when it is driven again. */
            assert_int_equal (cohort_loop_settle (setup.loop, 10000), 0);
        }
        end (&setup);
    }
}

static void test_destroy_in_callback_own_loop (void **state)
{
    (void) state;
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    struct seen seen = {0};
    seen.client = cohort_new (fake_servers (fake), NULL);
    assert_int_equal (cohort_wait (seen.client, 10000), 0);
    assert_int_equal (cohort_sync_async (seen.client, on_result_destroy, &seen), 0);
    cohort_t *client = seen.client;
    while (seen.client != NULL) {
        cohort_run (client, 100);
    }
    assert_true (fake_await (fake, FAKE_CLOSED, 1));
    fake_destroy (&fake);
}

/* Each callback runs once: with the answer that has come, or without. */
static void test_destroy_tells_the_rest (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        struct seen answered = {0}, unanswered = {0}, watched = {0};
        begin (&setup, 1, "tcp", driver);
        cohort_t *client = connect_with (&setup, 10000);
        assert_int_equal (
            cohort_exists_async (client, "/t", on_watch, &watched, on_result, &answered), 0);
        /* Its answer is behind that of the other, which nobody dispatches. */
        assert_int_equal (cohort_sync (client), 0);
        fake_mute (setup.fake, 0, true);
        assert_int_equal (cohort_set_async (client, "/t", "1", 1, -1, on_result, &unanswered), 0);
        assert_int_equal (cohort_sync_async (client, on_result, &unanswered), 0);
        cohort_destroy_within (&client, 0);
        assert_int_equal (answered.results, 1);
        assert_int_equal (answered.rc, COHORT_ENONODE);
        assert_int_equal (unanswered.results, 2);
        assert_int_equal (unanswered.rc, COHORT_ECLOSING);
        assert_int_equal (watched.watches, 1);
        fake_mute (setup.fake, 0, false);
        end (&setup);
    }
}

/* The same when a callback destroys the handle: before the dispatch returns. */
static void test_destroy_in_callback_tells_the_rest (void **state)
{
    (void) state;
    struct setup setup;
    struct seen seen = {0}, unanswered = {0};
    begin (&setup, 1, "tcp", COHORT_DRIVER_THREAD);
    seen.client = connect_with (&setup, 10000);
    cohort_t *client = seen.client;
    assert_int_equal (cohort_sync_async (client, on_result_destroy, &seen), 0);
    assert_int_equal (cohort_sync (client), 0);
    fake_mute (setup.fake, 0, true);
    assert_int_equal (cohort_set_async (client, "/t", "1", 1, -1, on_result, &unanswered), 0);
    assert_true (cohort_dispatch (client, 0) > 0);
    assert_int_equal (seen.results, 1);
    assert_int_equal (unanswered.results, 1);
    assert_int_equal (unanswered.rc, COHORT_ECLOSING);
    fake_mute (setup.fake, 0, false);
    end (&setup);
}

static void test_descriptor (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        struct seen seen = {0};
        begin (&setup, 1, "tcp", driver);
        cohort_t *client = setup.client;
        struct pollfd item = {.fd = cohort_fd (client), .events = POLLIN};
        assert_true (item.fd >= 0);
        assert_int_equal (cohort_fd (client), item.fd);
        assert_true (cohort_dispatch (client, 0) >= 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal (cohort_sync_async (client, on_result, &seen), 0);
        }
        int64_t until = witness_now_ms () + 10000;
        while (seen.results < 3) {
            assert_true (witness_now_ms () < until);
            assert_true (poll (&item, 1, 1000) >= 0);
            /* One at a time: what is left keeps the descriptor readable. */
            assert_true (cohort_dispatch (client, 1) <= 1);
        }
        assert_string_equal (seen.order, "rrr");
        end (&setup);
    }
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static void test_server_dies (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
            struct setup setup;
            begin (&setup, 2, transports[i], driver);
            char text[256];
            cohort_server (setup.client, text, sizeof (text));
            int mine = strcmp (text, fake_endpoint (setup.fake, 0)) == 0 ? 0 : 1;
            fake_stop (setup.fake, mine);
            assert_int_equal (cohort_create (setup.client, "/x", "1", 1, 0, NULL, NULL, NULL), 0);
            cohort_server (setup.client, text, sizeof (text));
            assert_string_equal (text, fake_endpoint (setup.fake, 1 - mine));
            /* And back, to a server that comes to life again. */
            fake_start (setup.fake, mine);
            fake_stop (setup.fake, 1 - mine);
            assert_int_equal (cohort_set (setup.client, "/x", "1", 1, -1, NULL), 0);
            end (&setup);
        }
    }
}

static void test_lost_reply (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup, 2, "tcp", COHORT_DRIVER_THREAD);
    /* Applied, its answer lost with the server; the other server gives the first result. */
    fake_swallow (setup.fake, 1);
    char *created = NULL;
    assert_int_equal (
        cohort_create (setup.client, "/q-", "1", 1, COHORT_SEQUENTIAL, NULL, &created, NULL), 0);
    assert_string_equal (created, "/q-0000000000");
    cohort_free (created);
    assert_int_equal (fake_count (setup.fake, FAKE_APPLIED), 1);
    end (&setup);
}

static void test_expired (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        struct seen seen = {0};
        begin (&setup, 1, "tcp", driver);
        cohort_t *client = setup.client;
        cohort_dispatch (client, 0);
        cohort_set_state_handler (client, on_state, &seen);
        assert_int_equal (cohort_exists_async (client, "/e", on_watch, &seen, on_result, &seen), 0);
        run_until (client, &seen.results, 1);
        uint64_t before = cohort_session_id (client);
        assert_int_equal (cohort_renew (client), COHORT_ESTATE);
        fake_expire (setup.fake);
        run_until (client, &seen.lost, 1);
        run_until (client, &seen.watches, 1);
        assert_string_equal (seen.order, "r!L");
        assert_int_equal (cohort_state (client), COHORT_LOST);
        assert_int_equal (cohort_valid_ms (client), 0);
        assert_int_equal (cohort_sync (client), COHORT_ESESSIONEXPIRED);
        assert_int_equal (cohort_wait (client, 1000), COHORT_ESESSIONEXPIRED);
        assert_int_equal (cohort_renew (client), 0);
        assert_int_equal (cohort_wait (client, 10000), 0);
        assert_int_equal (cohort_sync (client), 0);
        assert_true (cohort_session_id (client) != before);
        run_until (client, &seen.states, 3);
        assert_string_equal (seen.order, "r!L-c");
        end (&setup);
    }
}

/* What callbacks ask after another of them has renewed a session whose end is not told yet. */
static struct renewal {
    atomic_int told, before, after, answers;
    int rc_before, rc_after;
} renewal;

static void on_made_before (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) arg;
    assert_true (renewal.told);
    renewal.rc_before = result->rc;
    renewal.before++;
}

static void on_made_after (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) client;
    (void) arg;
    renewal.rc_after = result->rc;
    renewal.after++;
}

static void on_renewed_state (cohort_t *client, cohort_state_t state, void *arg)
{
    (void) arg;
    if (state == COHORT_LOST) {
        renewal.told++;
        assert_int_equal (cohort_create_async (client, "/after", "", 0, COHORT_EPHEMERAL, NULL,
                                               on_made_after, NULL),
                          0);
    }
}

static void on_answer_renew (cohort_t *client, const cohort_result_t *result, void *arg)
{
    (void) arg;
    assert_int_equal (result->rc, COHORT_ENONODE);
    assert_int_equal (cohort_renew (client), renewal.answers == 0 ? 0 : COHORT_ESTATE);
    assert_int_equal (cohort_create_async (client, "/before", "", 0, COHORT_EPHEMERAL, NULL,
                                           on_made_before, NULL),
                      0);
    renewal.answers++;
}

static void test_renewed_before_its_end_is_told (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        renewal = (struct renewal){0};
        begin (&setup, 1, "tcp", driver);
        cohort_t *client = setup.client;
        cohort_dispatch (client, 0);
        cohort_set_state_handler (client, on_renewed_state, NULL);
        for (int i = 0; i < 2; i++) {
            assert_int_equal (cohort_exists_async (client, "/e", NULL, NULL, on_answer_renew, NULL),
                              0);
        }
        assert_int_equal (cohort_sync (client), 0);
        fake_expire (setup.fake);
        assert_int_equal (cohort_sync (client), COHORT_ESESSIONEXPIRED);
        run_until (client, &renewal.after, 1);
        run_until (client, &renewal.before, 2);
        assert_int_equal (renewal.answers, 2);
        assert_int_equal (renewal.rc_before, COHORT_ESESSIONEXPIRED);
        assert_int_equal (renewal.rc_after, 0);
        assert_int_equal (cohort_exists (client, "/before", NULL), COHORT_ENONODE);
        assert_int_equal (cohort_exists (client, "/after", NULL), 0);
        end (&setup);
    }
}

static void test_time_limit (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        begin (&setup, 1, "tcp", driver);
        cohort_t *client = setup.client;
        char text[256];
        fake_hold (setup.fake, "no quorum");
        /* It knows why it waits as soon as the server has said so. */
        int limit_ms = 50, rc = COHORT_ETIMEDOUT;
        for (; rc == COHORT_ETIMEDOUT && limit_ms < 10000; limit_ms *= 2) {
            cohort_set_time_limit (client, limit_ms);
            rc = cohort_get (client, "/t", NULL, NULL, NULL);
        }
        assert_int_equal (rc, COHORT_ENOQUORUM);
        cohort_set_time_limit (client, 50);
        assert_int_equal (cohort_create (client, "/t", "1", 1, 0, NULL, NULL, NULL),
                          COHORT_ETIMEDOUT);
        cohort_errmsg (client, text, sizeof (text));
        assert_non_null (strstr (text, "no quorum"));
        assert_non_null (strstr (text, "stays queued"));
        assert_int_equal (cohort_get (client, "/t", NULL, NULL, NULL), COHORT_ENOQUORUM);
        fake_hold (setup.fake, "");
        cohort_set_time_limit (client, 10000);
        assert_int_equal (cohort_exists (client, "/t", NULL), 0);
        assert_int_equal (fake_count (setup.fake, FAKE_APPLIED), 1);
        end (&setup);
    }
}

static void test_nobody_there (void **state)
{
    (void) state;
    /* Port 1 of the loopback: nobody listens. */
    cohort_t *client = cohort_new ("tcp://127.0.0.1:1,ipc:///tmp/cohort-nobody", NULL);
    assert_non_null (client);
    char text[256];
    struct witness *witness = witness_new ();
    int64_t until = witness_now_ms () + 10000;
    do {
        assert_true (witness_now_ms () < until);
        assert_int_equal (cohort_wait (client, 100), COHORT_ETIMEDOUT);
        cohort_errmsg (client, text, sizeof (text));
    } while (strstr (text, "no server can be reached") == NULL);
    cohort_set_time_limit (client, 20);
    assert_int_equal (cohort_sync (client), COHORT_ETIMEDOUT);
    int64_t before = witness_now_ms ();
    cohort_destroy (&client);
    int64_t after = witness_now_ms ();
    assert_in_range (after - before, 0, 500 + witness_still_ms (witness, before, after));
    witness_destroy (&witness);
}

static void test_refused (void **state)
{
    (void) state;
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    fake_refuse (fake, COHORT_EVERSION);
    cohort_t *client = cohort_new (fake_servers (fake), NULL);
    assert_int_equal (cohort_wait (client, 10000), COHORT_EVERSION);
    cohort_destroy (&client);
    fake_destroy (&fake);
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct worker {
    cohort_t *client;
    struct fake *fake;
    int index;
    atomic_int results;
};

static void on_worker_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct worker *worker = arg;
    (void) self;
    assert_int_equal (result->rc, 0);
    atomic_fetch_add (&worker->results, 1);
}

static void *work (void *arg)
{
    struct worker *worker = arg;
    char path[32];
    snprintf (path, sizeof (path), "/t%d", worker->index);
    assert_int_equal (cohort_create (worker->client, path, "x", 1, 0, NULL, NULL, NULL), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal (cohort_set (worker->client, path, "y", 1, -1, NULL), 0);
        assert_int_equal (
            cohort_set_async (worker->client, path, "z", 1, -1, on_worker_result, worker), 0);
        assert_true (cohort_valid_ms (worker->client) >= 0);
    }
    assert_int_equal (cohort_get (worker->client, path, NULL, NULL, NULL), 0);
    return NULL;
}

static void test_threads (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct setup setup;
        begin (&setup, 2, "tcp", driver);
        pthread_t threads[4];
        struct worker workers[4];
        for (int i = 0; i < 4; i++) {
            workers[i] = (struct worker){.client = setup.client, .fake = setup.fake, .index = i};
            pthread_create (&threads[i], NULL, work, &workers[i]);
        }
        fake_stop (setup.fake, 0);
        fake_start (setup.fake, 0);
        fake_stop (setup.fake, 1);
        for (int i = 0; i < 4; i++) {
            run_until (setup.client, &workers[i].results, 100);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join (threads[i], NULL);
        }
        assert_int_equal (fake_count (setup.fake, FAKE_APPLIED), 4 + 4 * 200);
        end (&setup);
    }
}

static void *destroy_later (void *arg)
{
    struct worker *worker = arg;
    fake_await (worker->fake, FAKE_REQUESTS, 1);
    cohort_destroy (&worker->client);
    return NULL;
}

static void test_blocked_when_destroyed (void **state)
{
    (void) state;
    struct setup setup;
    begin (&setup, 1, "tcp", COHORT_DRIVER_THREAD);
    fake_hold (setup.fake, "no quorum");
    struct worker worker = {.client = connect_with (&setup, 10000), .fake = setup.fake};
    cohort_t *client = worker.client;
    (void) client;
    pthread_t thread;
    /* A blocked call returns when another thread abandons its handle: the contract forbids it, and
     * yet nobody shall hang. Here the waiter is the loop's own: a callback that never comes. */
    assert_int_equal (cohort_sync_async (worker.client, NULL, NULL), 0);
    fake_hold (setup.fake, "");
    pthread_create (&thread, NULL, destroy_later, &worker);
    pthread_join (thread, NULL);
    assert_null (worker.client);
    end (&setup);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_operations),
        cmocka_unit_test (test_multi),
        cmocka_unit_test (test_versions),
        cmocka_unit_test (test_watches),
        cmocka_unit_test (test_blocking_in_callback),
        cmocka_unit_test (test_destroy_in_callback),
        cmocka_unit_test (test_destroy_in_callback_own_loop),
        cmocka_unit_test (test_destroy_tells_the_rest),
        cmocka_unit_test (test_destroy_in_callback_tells_the_rest),
        cmocka_unit_test (test_descriptor),
        cmocka_unit_test (test_server_dies),
        cmocka_unit_test (test_lost_reply),
        cmocka_unit_test (test_expired),
        cmocka_unit_test (test_renewed_before_its_end_is_told),
        cmocka_unit_test (test_time_limit),
        cmocka_unit_test (test_nobody_there),
        cmocka_unit_test (test_refused),
        cmocka_unit_test (test_threads),
        cmocka_unit_test (test_blocked_when_destroyed),
    };
    return cmocka_run_group_tests (tests, make_folder, remove_folder);
}
