/* Loops, clocks, streams, encryption and limits, through the public functions; what only the inside
 * can set is set there. */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/src/handle.h"
#include "tests/unit/client/clock_world.h"
#include "tests/unit/unit.h"

static void test_threadless_loop (void **state)
{
    (void) state;
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000};
    world_begin (&world, COHORT_DRIVER_NONE, &options);
    assert_true (cohort_loop_fd (world.loop) >= 0);
    assert_in_range (cohort_loop_timeout (world.loop), 1, 3000);
    assert_in_range (cohort_timeout (world.client), 1, 3000);
    assert_int_equal (cohort_loop_process (world.loop, 0), 0);
    /* Nothing to do: not readable. Something submitted: readable, until it is done. */
    struct pollfd item = {.fd = cohort_loop_fd (world.loop), .events = POLLIN};
    while (poll (&item, 1, 0) == 1) {
        cohort_loop_process (world.loop, 0);
    }
    assert_int_equal (cohort_sync_async (world.client, NULL, NULL), 0);
    assert_int_equal (poll (&item, 1, 0), 1);
    assert_int_equal (cohort_loop_timeout (world.loop), 0);
    uint64_t requests = fake_count (world.fake, FAKE_REQUESTS);
    assert_int_equal (cohort_loop_process (world.loop, 0), 0);
    assert_true (fake_await (world.fake, FAKE_REQUESTS, requests + 1));
    world_end (&world);
    cohort_loop_t *threaded = cohort_loop_new (NULL);
    assert_int_equal (cohort_loop_process (threaded, 0), COHORT_ESTATE);
    assert_int_equal (cohort_loop_fd (threaded), COHORT_ESTATE);
    assert_int_equal (cohort_loop_timeout (threaded), -1);
    cohort_t *client =
        cohort_new ("tcp://127.0.0.1:1",
                    &(cohort_options_t){.size = sizeof (cohort_options_t), .loop = threaded});
    assert_int_equal (cohort_loop_destroy (&threaded), COHORT_ESTATE);
    assert_non_null (threaded);
    cohort_destroy (&client);
    assert_int_equal (cohort_loop_destroy (&threaded), 0);
    assert_null (threaded);
}

/* ---- Streams --------------------------------------------------------------------------------- */

struct seen {
    atomic_int batches, ended, results;
    char text[4096];
};

static void note (struct seen *seen, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

static void note (struct seen *seen, const char *format, ...)
{
    size_t used = strlen (seen->text);
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (seen->text + used, sizeof (seen->text) - used, format, arguments);
    va_end (arguments);
}

static void on_batch (cohort_stream_t *self, const cohort_batch_t *batch, void *arg)
{
    struct seen *seen = arg;
    (void) self;
    if (batch == NULL) {
        atomic_fetch_add (&seen->ended, 1);
        return;
    }
    note (seen, "%s", batch->snapshot ? "S" : "T");
    for (size_t i = 0; i < batch->count; i++) {
        note (seen, " %s=%.*s", batch->changes[i].path, (int) batch->changes[i].size,
              batch->changes[i].size > 0 ? (const char *) batch->changes[i].data : "");
    }
    note (seen, "\n");
    atomic_fetch_add (&seen->batches, 1);
}

static void on_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct seen *seen = arg;
    (void) self;
    (void) result;
    atomic_fetch_add (&seen->results, 1);
}

static void run_until (cohort_t *client, const atomic_int *flag, int value)
{
    for (int i = 0; atomic_load (flag) < value; i++) {
        assert_true (i < 1000);
        assert_true (cohort_run (client, 100) >= 0);
    }
}

static void set_blocking (cohort_t *client, const char *path, const char *data)
{
    assert_int_equal (cohort_set (client, path, data, strlen (data), -1, NULL), 0);
}

static void test_stream_with_chroot (void **state)
{
    (void) state;
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    char servers[256];
    snprintf (servers, sizeof (servers), "%s/game", fake_servers (fake));
    cohort_t *root = cohort_new (fake_servers (fake), NULL);
    cohort_t *client = cohort_new (servers, NULL);
    struct seen seen = {0};
    assert_int_equal (cohort_create (root, "/game", "g", 1, 0, NULL, NULL, NULL), 0);
    assert_int_equal (cohort_create (root, "/games", "no", 2, 0, NULL, NULL, NULL), 0);
    cohort_stream_t *stream = cohort_stream_new (client, "/", on_batch, &seen);
    assert_non_null (stream);
    run_until (client, &seen.batches, 1);
    assert_int_equal (cohort_create (client, "/a", "1", 1, 0, NULL, NULL, NULL), 0);
    set_blocking (client, "/a", "2");
    set_blocking (root, "/games", "never seen");
    run_until (client, &seen.batches, 3);
    /* Across a server's death, without a gap and without a repetition. */
    fake_stop (fake, 0);
    fake_start (fake, 0);
    set_blocking (root, "/game/a", "3");
    set_blocking (client, "/a", "4");
    run_until (client, &seen.batches, 5);
    assert_string_equal (seen.text, "S /=g\nT /a=1\nT /a=2\nT /a=3\nT /a=4\n");
    char *created = NULL;
    assert_int_equal (cohort_create (client, "/q", "", 0, COHORT_SEQUENTIAL, NULL, &created, NULL),
                      0);
    assert_string_equal (created, "/q0000000000");
    cohort_free (created);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_create (txn, "/m", "x", 1, 0, NULL), 0);
    assert_int_equal (cohort_multi (client, txn), 0);
    assert_string_equal (cohort_txn_result (txn, 0)->path, "/m");
    assert_int_equal (cohort_exists (root, "/game/m", NULL), 0);
    cohort_txn_destroy (&txn);
    fake_expire (fake);
    run_until (client, &seen.ended, 1);
    int batches = seen.batches;
    cohort_stream_destroy (&stream);
    assert_null (stream);
    assert_int_equal (cohort_renew (client), 0);
    assert_int_equal (cohort_wait (client, 10000), 0);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (seen.batches, batches);
    assert_null (cohort_stream_new (client, "game", on_batch, &seen));
    assert_null (cohort_stream_new (client, "/game", NULL, &seen));
    cohort_destroy (&client);
    cohort_destroy (&root);
    fake_destroy (&fake);
}

struct watched {
    char text[256];
    atomic_int events;
};

static void on_watched (cohort_t *self, const cohort_event_t *event, void *arg)
{
    struct watched *watched = arg;
    size_t used = strlen (watched->text);
    (void) self;
    snprintf (watched->text + used, sizeof (watched->text) - used, "%d%s\n", event->type,
              event->path);
    atomic_fetch_add (&watched->events, 1);
}

/* A watch that stays: across a server's death, below a chroot, until its session ends. */
static void test_watch_with_chroot (void **state)
{
    (void) state;
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    char servers[256];
    snprintf (servers, sizeof (servers), "%s/game", fake_servers (fake));
    cohort_t *root = cohort_new (fake_servers (fake), NULL);
    cohort_t *client = cohort_new (servers, NULL);
    struct watched watched = {.events = 0};
    assert_int_equal (cohort_create (root, "/game", "g", 1, 0, NULL, NULL, NULL), 0);
    cohort_stream_t *watch =
        cohort_watch_new (client, "/", COHORT_WATCH_RECURSIVE, on_watched, &watched);
    assert_non_null (watch);
    assert_int_equal (cohort_create (client, "/a", "1", 1, 0, NULL, NULL, NULL), 0);
    run_until (client, &watched.events, 1);
    fake_stop (fake, 0);
    fake_start (fake, 0);
    set_blocking (root, "/game/a", "3");
    set_blocking (root, "/game", "4");
    run_until (client, &watched.events, 3);
    fake_expire (fake);
    run_until (client, &watched.events, 4);
    assert_string_equal (watched.text, "1/a\n3/a\n3/\n-1/\n");
    assert_int_equal (cohort_stream_error (watch), COHORT_ESESSIONEXPIRED);
    cohort_stream_destroy (&watch);
    cohort_destroy (&client);
    cohort_destroy (&root);
    fake_destroy (&fake);
}

/* What comes of one large snapshot. */
struct parts {
    int firsts, wholes, calls, ended;
    size_t znodes;
    uint64_t zxid;
    cohort_stream_t **stream; /* to be destroyed in the first call; or NULL */
    cohort_t **client;
};

static void on_part (cohort_stream_t *self, const cohort_batch_t *batch, void *arg)
{
    struct parts *parts = arg;
    if (batch == NULL) {
        assert_int_equal (cohort_stream_error (self), COHORT_ETOOBIG);
        parts->ended++;
        return;
    }
    assert_int_equal (cohort_stream_error (self), 0);
    assert_true (batch->snapshot);
    assert_true (parts->calls == 0 || parts->zxid == batch->zxid);
    for (size_t i = 0; i < batch->count; i++) {
        assert_int_equal (batch->changes[i].kind, COHORT_CHANGE_CREATED);
        assert_int_equal (strncmp (batch->changes[i].path, "/big", 4), 0);
    }
    parts->zxid = batch->zxid;
    parts->firsts += batch->first;
    parts->wholes += !batch->more;
    parts->znodes += batch->count;
    parts->calls++;
    if (parts->stream != NULL) {
        cohort_stream_destroy (parts->stream);
    }
    if (parts->client != NULL) {
        cohort_destroy (parts->client);
    }
}

/* Until there is a callback to run. */
static void await (cohort_t *client)
{
    struct pollfd waiting = {.fd = cohort_fd (client), .events = POLLIN};
    assert_true (poll (&waiting, 1, 10000) > 0);
}

/* Runs one callback at a time, until there are `calls` or `ended`. */
static void run_parts (cohort_t *client, struct parts *parts, int calls)
{
    while (parts->calls + parts->ended < calls) {
        int before = parts->calls + parts->ended;
        await (client);
        cohort_dispatch (client, 1);
        assert_in_range (parts->calls + parts->ended - before, 0, 1);
    }
}

static void test_large_snapshot (void **state)
{
    (void) state;
    enum { ZNODES = 400 };
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    cohort_t *client = cohort_new (fake_servers (fake), NULL);
    assert_int_equal (cohort_create (client, "/big", "", 0, 0, NULL, NULL, NULL), 0);
    for (int i = 1; i < ZNODES; i++) {
        char path[32];
        snprintf (path, sizeof (path), "/big/%d", i);
        assert_int_equal (cohort_create (client, path, "x", 1, 0, NULL, NULL, NULL), 0);
    }
    /* A callback for each part, and each counts as one. */
    struct parts parts = {0};
    cohort_stream_t *stream = cohort_stream_new (client, "/big", on_part, &parts);
    run_parts (client, &parts, 2);
    assert_int_equal (parts.firsts, 1);
    assert_int_equal (parts.wholes, 1);
    assert_int_equal (parts.znodes, ZNODES);
    cohort_stream_destroy (&stream);
    /* Closed in the midst of it: nothing more comes. */
    parts = (struct parts){.stream = &stream};
    stream = cohort_stream_new (client, "/big", on_part, &parts);
    run_parts (client, &parts, 1);
    assert_null (stream);
    assert_int_equal (cohort_sync (client), 0);
    while (cohort_dispatch (client, 0) > 0) {
    }
    assert_int_equal (parts.calls, 1);
    /* More than is allowed: the stream ends, and its session goes on. */
    cohort_options_t options = {.size = sizeof (options), .stream_bytes_max = 20000};
    cohort_t *small = cohort_new (fake_servers (fake), &options);
    parts = (struct parts){0};
    stream = cohort_stream_new (small, "/big", on_part, &parts);
    run_parts (small, &parts, 1);
    assert_int_equal (parts.ended, 1);
    assert_int_equal (cohort_sync (small), 0);
    cohort_stream_destroy (&stream);
    cohort_destroy (&small);
    /* The whole handle is destroyed in the midst of it. */
    parts = (struct parts){.stream = &stream, .client = &client};
    stream = cohort_stream_new (client, "/big", on_part, &parts);
    cohort_t *handle = client;
    while (parts.calls == 0) {
        await (handle);
        cohort_dispatch (handle, 0);
    }
    assert_null (client);
    assert_int_equal (parts.calls, 1);
    fake_destroy (&fake);
}

/* ---- Encryption ------------------------------------------------------------------------------ */

static void test_curve (void **state)
{
    (void) state;
    char public_key[41], secret_key[41], other_key[41], other_secret[41];
    assert_int_equal (zmq_curve_keypair (public_key, secret_key), 0);
    assert_int_equal (zmq_curve_keypair (other_key, other_secret), 0);
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new_secure (NULL, &endpoint, 1, secret_key);
    cohort_options_t options = {.size = sizeof (options), .server_key = public_key};
    cohort_t *anonymous = cohort_new (fake_servers (fake), &options);
    assert_int_equal (cohort_wait (anonymous, 10000), 0);
    options.public_key = other_key;
    options.secret_key = other_secret;
    cohort_t *named = cohort_new (fake_servers (fake), &options);
    assert_int_equal (cohort_wait (named, 10000), 0);
    assert_int_equal (cohort_sync (named), 0);
    options.server_key = other_key;
    cohort_t *wrong = cohort_new (fake_servers (fake), &options);
    assert_int_not_equal (cohort_wait (wrong, 50), 0);
    cohort_t *plain = cohort_new (fake_servers (fake), NULL);
    assert_int_not_equal (cohort_wait (plain, 50), 0);
    cohort_destroy (&plain);
    cohort_destroy (&wrong);
    cohort_destroy (&named);
    cohort_destroy (&anonymous);
    fake_destroy (&fake);
}

/* ---- Arguments ------------------------------------------------------------------------------- */

static void refuse_new (const char *servers, cohort_options_t options, const char *part)
{
    const char *text = NULL;
    options.size = options.size > 0 ? options.size : sizeof (options);
    assert_null (cohort_new (servers, &options));
    assert_true (cohort_new_error (&text) < 0);
    if (strstr (text, part) == NULL) {
        fail_msg ("\"%s\" does not say \"%s\"", text, part);
    }
}

static void test_arguments (void **state)
{
    (void) state;
    const char *one = "tcp://127.0.0.1:1";
    refuse_new (NULL, (cohort_options_t){0}, "servers is NULL");
    refuse_new ("x", (cohort_options_t){0}, "servers, byte 0");
    refuse_new (one, (cohort_options_t){.size = 1}, "options.size is 1");
    refuse_new (one, (cohort_options_t){.size = 4096}, "options.size is 4096");
    refuse_new (one, (cohort_options_t){.timeout_ms = -1}, "options.timeout_ms is -1");
    refuse_new (one, (cohort_options_t){.time_limit_ms = -2}, "options.time_limit_ms is -2");
    refuse_new (one, (cohort_options_t){.watchdog_ms = -1}, "options.watchdog_ms is -1");
    refuse_new (one, (cohort_options_t){.server_key = "short"}, "options.server_key");
    refuse_new (one, (cohort_options_t){.public_key = "short"}, "options.public_key");
    cohort_t *client = cohort_new (one, NULL);
    char text[256];
    assert_int_equal (cohort_set (client, "a", "x", 1, -1, NULL), COHORT_EPATH);
    cohort_errmsg (client, text, sizeof (text));
    assert_string_equal (text, "set: path \"a\", byte 0: a path begins with '/'");
    assert_int_equal (cohort_set (client, "/a", NULL, 1, -1, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_set (client, "/a", "x", 1, -2, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_set (client, "/a", text, ((size_t) 65 << 20), -1, NULL),
                      COHORT_ETOOBIG);
    assert_int_equal (cohort_create (client, "/a", "x", 1, 8, NULL, NULL, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_create (client, "/a/", "x", 1, 0, NULL, NULL, NULL), COHORT_EPATH);
    assert_int_equal (cohort_get (NULL, "/a", NULL, NULL, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_multi (client, NULL), COHORT_EINVAL);
    assert_int_equal (cohort_state (client), COHORT_CONNECTING);
    cohort_abandon (&client);
    cohort_destroy (NULL);
    cohort_stream_destroy (NULL);
    cohort_txn_destroy (NULL);
    assert_int_equal (cohort_loop_destroy (NULL), 0);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void test_queue_limit (void **state)
{
    (void) state;
    cohort_t *client = cohort_new ("tcp://127.0.0.1:1", NULL);
    char *data = calloc (1, 60 << 20);
    for (int i = 0; i < 4; i++) {
        assert_int_equal (cohort_set_async (client, "/a", data, 60 << 20, -1, NULL, NULL), 0);
    }
    assert_int_equal (cohort_set_async (client, "/a", data, 60 << 20, -1, NULL, NULL),
                      COHORT_ELIMIT);
    assert_int_equal (cohort_set_async (client, "/a", data, 1 << 20, -1, NULL, NULL), 0);
    free (data);
    cohort_destroy (&client);
}

static void test_backlog (void **state)
{
    (void) state;
    struct world world;
    struct seen seen = {0};
    cohort_options_t options = {.timeout_ms = 9000};
    world_begin (&world, COHORT_DRIVER_NONE, &options);
    cohort_t *client = world.client;
    while (cohort_dispatch (client, 0) > 0) {
    }
    client->mailbox.backlog_max = 1000;
    for (int i = 0; i < 100; i++) {
        assert_int_equal (cohort_sync_async (client, on_result, &seen), 0);
        assert_int_equal (cohort_loop_process (world.loop, 0), 0);
    }
    assert_true (fake_await (world.fake, FAKE_REQUESTS, 100));
    /* The rest is left with the server until the application dispatches. */
    for (int i = 0; !client->paused; i++) {
        assert_true (i < 1000);
        assert_int_equal (cohort_loop_process (world.loop, 10), 0);
    }
    run_until (client, &seen.results, 100);
    /* The loop hears of the last dispatch when it is driven again. */
    assert_int_equal (cohort_loop_process (world.loop, 0), 0);
    assert_false (client->paused);
    world_end (&world);
}

/* States that nobody takes are not kept without end. */
static void test_flapping (void **state)
{
    (void) state;
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000};
    world_begin (&world, COHORT_DRIVER_NONE, &options);
    struct mailbox *mailbox = &world.client->mailbox;
    for (int i = 0; i < 1000; i++) {
        struct list events;
        list_init (&events);
        struct state_event *event = mem_calloc (1, sizeof (*event));
        event->event.kind = EVENT_STATE;
        event->state = i % 2 == 0 ? COHORT_SUSPENDED : COHORT_CONNECTED;
        list_push_back (&events, &event->event.node);
        struct session_view view;
        session_view (world.client->session, &view);
        mailbox_publish (mailbox, &events, 0, &view, 0);
    }
    assert_in_range (cohort_dispatch (world.client, 0), 1, MAILBOX_STATES_MAX + 1);
    world_end (&world);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void test_new_out_of_memory (void **state)
{
    (void) state;
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        cohort_t *client = cohort_new ("tcp://127.0.0.1:1,tcp://127.0.0.1:2/x", NULL);
        bool came = mem_fail_clear ();
        bool failed = client == NULL;
        if (failed) {
            assert_int_equal (cohort_new_error (NULL), COHORT_ENOMEM);
        }
        cohort_destroy (&client);
        if (!came || !failed) {
            /* From here on it is the loop's thread that allocates. */
            break;
        }
    }
}

static int use (cohort_t *client)
{
    cohort_txn_t *txn = cohort_txn_new ();
    void *data = NULL;
    size_t size = 0;
    cohort_strings_t *children = NULL;
    int rc = txn == NULL ? COHORT_ENOMEM : cohort_txn_set (txn, "/a", "x", 1, -1);
    rc = rc == 0 ? cohort_multi (client, txn) : rc;
    rc = rc == 0 ? cohort_get (client, "/a", &data, &size, NULL) : rc;
    rc = rc == 0 ? cohort_children (client, "/", &children, NULL) : rc;
    cohort_free (data);
    cohort_strings_destroy (&children);
    cohort_txn_destroy (&txn);
    return rc;
}

static void test_calls_out_of_memory (void **state)
{
    (void) state;
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000};
    world_begin (&world, COHORT_DRIVER_NONE, &options);
    assert_int_equal (cohort_create (world.client, "/a", "x", 1, 0, NULL, NULL, NULL), 0);
    for (uint64_t n = 1;; n++) {
        mem_fail_at (n);
        int rc = use (world.client);
        if (!mem_fail_clear ()) {
            assert_int_equal (rc, 0);
            break;
        }
        /* Either the call says so, or the session has got over it. */
        assert_true (rc == COHORT_ENOMEM || rc == 0);
        world_jump (1000);
        assert_int_equal (cohort_wait (world.client, 10000), 0);
    }
    world_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_threadless_loop),
        cmocka_unit_test (test_stream_with_chroot),
        cmocka_unit_test (test_watch_with_chroot),
        cmocka_unit_test (test_large_snapshot),
        cmocka_unit_test (test_curve),
        cmocka_unit_test (test_arguments),
        cmocka_unit_test (test_queue_limit),
        cmocka_unit_test (test_backlog),
        cmocka_unit_test (test_flapping),
        cmocka_unit_test (test_new_out_of_memory),
        cmocka_unit_test (test_calls_out_of_memory),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
