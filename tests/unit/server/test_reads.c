/* Reads of the client library beyond get, exists and children, on an embedded server; and watches
 * that are taken back. */

#include <stdio.h>
#include <string.h>

#include "cohort/client.h"
#include "cohort/server.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 20000, SESSION_MS = 1000000 };

static cohort_server_t *server;
static cohort_t *client, *inside; /* the same ensemble, and below /game of it */

static cohort_t *connect_to (const char *servers)
{
    cohort_options_t options = {
        .size = sizeof options, .loop = cohort_server_loop (server), .timeout_ms = SESSION_MS};
    cohort_t *handle = cohort_new (servers, &options);
    assert_non_null (handle);
    assert_int_equal (cohort_wait (handle, LIMIT_MS), 0);
    return handle;
}

static int start (void **state)
{
    cohort_server_options_t options = {
        .size = sizeof options, .clients = "inproc://reads", .manual_clock = 1};
    (void) state;
    server = cohort_server_new (&options);
    assert_non_null (server);
    assert_int_equal (cohort_server_start (server), 0);
    assert_int_equal (cohort_server_wait (server, LIMIT_MS), 0);
    client = connect_to ("inproc://reads");
    inside = connect_to ("inproc://reads;/game");
    return 0;
}

static int stop (void **state)
{
    (void) state;
    cohort_destroy (&inside);
    cohort_destroy (&client);
    cohort_server_destroy (&server);
    return 0;
}

static void expect_error (cohort_t *handle, const char *expected)
{
    char text[256];
    (void) cohort_errmsg (handle, text, sizeof text);
    assert_string_equal (text, expected);
}

static void create (cohort_t *handle, const char *path, int mode)
{
    assert_int_equal (cohort_create (handle, path, "x", 1, mode, NULL, NULL, NULL), 0);
}

static const cohort_read_options_t current = {sizeof current, COHORT_READ_LINEARIZABLE};

static void test_linearizable (void **state)
{
    (void) state;
    cohort_stat_t stat;
    void *data;
    size_t size;
    cohort_strings_t *children;
    create (client, "/a", 0);
    create (client, "/a/b", 0);
    assert_int_equal (cohort_exists_with (client, "/a", &current, &stat), 0);
    assert_int_equal (stat.child_count, 1);
    assert_int_equal (cohort_exists_with (client, "/none", &current, NULL), COHORT_ENONODE);
    assert_int_equal (cohort_get_with (client, "/a", &current, &data, &size, NULL), 0);
    assert_int_equal (size, 1);
    cohort_free (data);
    assert_int_equal (cohort_children_with (client, "/a", &current, &children, &stat), 0);
    assert_int_equal (children->count, 1);
    assert_string_equal (children->items[0], "b");
    cohort_strings_destroy (&children);
    cohort_list_options_t list = {.size = sizeof list, .flags = COHORT_LIST_LINEARIZABLE};
    cohort_page_t *page;
    assert_int_equal (cohort_list (client, "/a", &list, &page, NULL), 0);
    assert_int_equal (page->count, 1);
    cohort_page_destroy (&page);
    cohort_read_options_t wrong = {sizeof wrong, 2};
    assert_int_equal (cohort_get_with (client, "/a", &wrong, &data, &size, NULL), COHORT_EINVAL);
    expect_error (client, "get: flags are 2: COHORT_READ_...");
    wrong.size = 1;
    assert_int_equal (cohort_exists_with (client, "/a", &wrong, NULL), COHORT_EINVAL);
}

static void test_count (void **state)
{
    (void) state;
    int64_t count;
    create (client, "/n", 0);
    create (client, "/n/1", 0);
    create (client, "/n/1/2", 0);
    assert_int_equal (cohort_count (client, "/n", NULL, &count, NULL), 0);
    assert_int_equal (count, 2);
    assert_int_equal (cohort_count (client, "/n/1/2", &current, &count, NULL), 0);
    assert_int_equal (count, 0);
    assert_int_equal (cohort_count (client, "/none", NULL, &count, NULL), COHORT_ENONODE);
    expect_error (client, "count /none: the znode does not exist");
}

static void expect_paths (cohort_t *handle, const cohort_ephemerals_options_t *options,
                          const char *expected)
{
    cohort_strings_t *paths;
    char text[256] = "";
    assert_int_equal (cohort_ephemerals (handle, options, &paths), 0);
    for (size_t i = 0; i < paths->count; i++) {
        size_t used = strlen (text);
        (void) snprintf (text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                         paths->items[i]);
    }
    assert_string_equal (text, expected);
    cohort_strings_destroy (&paths);
}

static void on_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    (void) self;
    *(int *) arg = result->rc == 0 ? (int) result->children->count + 1 : result->rc;
}

static void await (cohort_t *handle, const int *value)
{
    while (*value == 0) {
        assert_true (cohort_run (handle, LIMIT_MS) > 0);
    }
}

static void test_ephemerals (void **state)
{
    (void) state;
    create (client, "/game", 0);
    create (client, "/z", COHORT_EPHEMERAL);
    create (client, "/game/y", COHORT_EPHEMERAL);
    create (client, "/game/x", COHORT_EPHEMERAL);
    create (inside, "/gamer", COHORT_EPHEMERAL);
    expect_paths (client, NULL, "/game/x /game/y /z");
    cohort_ephemerals_options_t options = {.size = sizeof options, .prefix = "/game/"};
    expect_paths (client, &options, "/game/x /game/y");
    expect_paths (inside, NULL, "/gamer");
    expect_paths (inside, &options, "");
    options.flags = COHORT_READ_LINEARIZABLE;
    expect_paths (client, &options, "/game/x /game/y");
    options = (cohort_ephemerals_options_t){.size = sizeof options, .limit = 2};
    int count = 0;
    assert_int_equal (cohort_ephemerals_async (client, &options, on_result, &count), 0);
    await (client, &count);
    assert_int_equal (count - 1, 2);
    cohort_strings_t *paths;
    options.session = cohort_session_id (inside);
    assert_int_equal (cohort_ephemerals (client, &options, &paths), COHORT_ENOAUTH);
    options.session = 4711; /* nor does one learn which sessions there are */
    assert_int_equal (cohort_ephemerals (client, &options, &paths), COHORT_ENOAUTH);
    options.prefix = "game";
    assert_int_equal (cohort_ephemerals (client, &options, &paths), COHORT_EPATH);
    expect_error (client, "ephemerals: prefix \"game\": it begins with '/'");
}

static void test_whoami (void **state)
{
    (void) state;
    cohort_identities_t *identities;
    assert_int_equal (cohort_whoami (client, &identities), 0);
    assert_true (identities->count > 0);
    assert_true (strlen (identities->items[0].scheme) > 0);
    cohort_identities_destroy (&identities);
    assert_null (identities);
}

static void test_multi_read (void **state)
{
    (void) state;
    create (client, "/m", 0);
    create (client, "/m/1", 0);
    create (client, "/m/2", 0);
    cohort_reads_t *reads = cohort_reads_new ();
    assert_non_null (reads);
    assert_int_equal (cohort_reads_get (reads, "/m"), 0);
    assert_int_equal (cohort_reads_children (reads, "/m"), 0);
    assert_int_equal (cohort_reads_count (reads, "/m"), 0);
    assert_int_equal (cohort_reads_exists (reads, "/none"), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal (cohort_multi_read (client, reads, i == 0 ? NULL : &current), 0);
        const cohort_read_result_t *result = cohort_reads_result (reads, 0);
        assert_int_equal (result->rc, 0);
        assert_int_equal (result->size, 1);
        assert_memory_equal (result->data, "x", 1);
        assert_int_equal (result->stat.child_count, 2);
        result = cohort_reads_result (reads, 1);
        assert_int_equal (result->children->count, 2);
        assert_string_equal (result->children->items[1], "2");
        assert_null (result->next);
        assert_int_equal (cohort_reads_result (reads, 2)->count, 2);
        assert_int_equal (cohort_reads_result (reads, 3)->rc, COHORT_ENONODE);
        assert_null (cohort_reads_result (reads, 4));
    }
    assert_int_equal (cohort_reads_get (reads, "m"), COHORT_EPATH);
    assert_int_equal (cohort_multi_read (client, reads, NULL), COHORT_EPATH);
    cohort_reads_destroy (&reads);
    reads = cohort_reads_new ();
    for (int i = 0; i < 1025; i++) {
        assert_int_equal (cohort_reads_exists (reads, "/m"), 0);
    }
    assert_int_equal (cohort_multi_read (client, reads, NULL), COHORT_ETOOBIG);
    expect_error (client, "multi_read: a limit on size is exceeded: 1025 reads at once; the limit "
                          "is 1024");
    cohort_reads_destroy (&reads);
}

/* ---- Limits ------------------------------------------------------------------------------ */

static void on_batch (cohort_stream_t *self, const cohort_batch_t *batch, void *arg)
{
    if (batch == NULL) {
        *(int *) arg = cohort_stream_error (self);
    }
}

/* Each is refused at the door, with a text that names the limit and what came. */
static void test_limits (void **state)
{
    enum { DATA_MAX = 1 << 20, OPERATIONS_MAX = 1024, STREAMS_MAX = 1024 };
    (void) state;
    static char data[DATA_MAX + 1];
    assert_int_equal (cohort_create (client, "/l", data, DATA_MAX, 0, NULL, NULL, NULL), 0);
    assert_int_equal (cohort_set (client, "/l", data, DATA_MAX + 1, -1, NULL), COHORT_ETOOBIG);
    expect_error (client, "set: data has 1048577 bytes, the limit is 1048576 (dataSizeMax of the "
                          "ensemble)");
    static char path[4098];
    memset (path, 'p', sizeof path - 1);
    path[0] = '/';
    assert_int_equal (cohort_exists (client, path, NULL), COHORT_ETOOBIG);
    path[4096] = '\0';
    assert_int_equal (cohort_exists (client, path, NULL), COHORT_ENONODE);
    assert_int_equal (cohort_exists (inside, path, NULL), COHORT_ETOOBIG);
    expect_error (inside, "exists: path and chroot have more than 4096 bytes");
    cohort_txn_t *txn = cohort_txn_new ();
    for (int i = 0; i < OPERATIONS_MAX; i++) {
        assert_int_equal (cohort_txn_check (txn, "/l", 0), 0);
    }
    assert_int_equal (cohort_multi (client, txn), 0);
    assert_int_equal (cohort_txn_check (txn, "/l", 0), COHORT_ETOOBIG);
    assert_int_equal (cohort_multi (client, txn), COHORT_ETOOBIG);
    expect_error (client, "multi: operation 1024: a transaction has at most 1024 operations");
    cohort_txn_destroy (&txn);
    txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_check (txn, "/l", 0), 0);
    assert_int_equal (cohort_txn_set (txn, "/l", data, DATA_MAX + 1, -1), 0);
    assert_int_equal (cohort_multi (client, txn), COHORT_ETOOBIG);
    expect_error (client, "set: data has 1048577 bytes, the limit is 1048576 (dataSizeMax of the "
                          "ensemble)");
    cohort_txn_destroy (&txn);
    /* All of it together, with paths and the like. */
    txn = cohort_txn_new ();
    for (int i = 0; i < 32; i++) {
        assert_int_equal (cohort_txn_set (txn, "/l", data, DATA_MAX, -1), 0);
    }
    assert_int_equal (cohort_multi (client, txn), COHORT_ETOOBIG);
    char text[256];
    cohort_errmsg (client, text, sizeof text);
    assert_non_null (strstr (text, " bytes as a whole, the limit is 33554432"));
    cohort_txn_destroy (&txn);
    static cohort_stream_t *streams[STREAMS_MAX + 1];
    cohort_stream_options_t options = {.size = sizeof options,
                                       .flags = COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_LATEST};
    int refused = 0;
    for (size_t i = 0; i <= STREAMS_MAX; i++) {
        streams[i] = cohort_stream_new_with (client, "/l", &options, on_batch, &refused);
        assert_non_null (streams[i]);
    }
    await (client, &refused);
    assert_int_equal (refused, COHORT_ELIMIT);
    assert_int_equal (cohort_stream_error (streams[STREAMS_MAX]), COHORT_ELIMIT);
    assert_int_equal (cohort_stream_error (streams[STREAMS_MAX - 1]), 0);
    /* One that goes makes room for another. */
    cohort_stream_destroy (&streams[0]);
    cohort_stream_destroy (&streams[STREAMS_MAX]);
    streams[0] = cohort_stream_new_with (client, "/l", &options, on_batch, &refused);
    assert_int_equal (cohort_sync (client), 0);
    assert_int_equal (cohort_stream_error (streams[0]), 0);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        cohort_stream_destroy (&streams[i]);
    }
}

static void on_count (cohort_t *self, const cohort_result_t *result, void *arg)
{
    (void) self;
    assert_int_equal (result->rc, 0);
    ++*(int *) arg;
}

/* Those of an ensemble that was founded with others. */
static void test_settings (void **state)
{
    enum { PATH_MAX_SIZE = 256, WRITES = 500 };
    cohort_server_options_t options = {.size = sizeof options,
                                       .clients = "inproc://narrow",
                                       .manual_clock = 1,
                                       .path_size_max = PATH_MAX_SIZE,
                                       .write_window = 2};
    int done = 0;
    (void) state;
    server = cohort_server_new (&options);
    assert_non_null (server);
    assert_int_equal (cohort_server_start (server), 0);
    assert_int_equal (cohort_server_wait (server, LIMIT_MS), 0);
    client = connect_to ("inproc://narrow");
    char path[PATH_MAX_SIZE + 2];
    memset (path, 'p', sizeof path - 1);
    path[0] = '/';
    path[PATH_MAX_SIZE + 1] = '\0';
    assert_int_equal (cohort_create (client, path, "", 0, 0, NULL, NULL, NULL), COHORT_ETOOBIG);
    expect_error (client,
                  "create: path and chroot have 257 bytes, the limit is 256 (pathSizeMax of "
                  "the ensemble)");
    path[PATH_MAX_SIZE] = '\0';
    assert_int_equal (cohort_create (client, path, "", 0, 0, NULL, NULL, NULL), 0);
    /* More than may be in flight waits. */
    for (int i = 0; i < WRITES; i++) {
        assert_int_equal (cohort_set_async (client, path, "x", 1, -1, on_count, &done), 0);
    }
    while (done < WRITES) {
        assert_true (cohort_run (client, LIMIT_MS) > 0);
    }
    cohort_destroy (&client);
    cohort_server_destroy (&server);
}

/* One that asks for much at once is slowed, not refused nor cut off; and others are served. */
static void test_flood (void **state)
{
    enum { FLOOD = 100000 };
    (void) state;
    int sets = 0, gets = 0;
    create (client, "/flood", 0);
    create (client, "/game", 0);
    create (inside, "/steady", 0);
    for (int i = 0; i < FLOOD; i++) {
        assert_int_equal (cohort_set_async (client, "/flood", "x", 1, -1, on_count, &sets), 0);
        assert_int_equal (cohort_get_async (client, "/flood", NULL, NULL, on_count, &gets), 0);
    }
    int steady = 0;
    while (steady < 10) {
        assert_int_equal (cohort_set (inside, "/steady", "x", 1, -1, NULL), 0);
        steady++;
    }
    while (sets < FLOOD || gets < FLOOD) {
        assert_true (cohort_run (client, LIMIT_MS) > 0);
    }
    cohort_stat_t stat;
    assert_int_equal (cohort_exists (client, "/flood", &stat), 0);
    assert_int_equal (stat.version, FLOOD); /* each of them, once */
    assert_int_equal (cohort_state (client), COHORT_CONNECTED);
}

/* ---- Watches ----------------------------------------------------------------------------- */

static void on_event (cohort_t *self, const cohort_event_t *event, void *arg)
{
    (void) self;
    assert_int_equal (*(int *) arg, 0); /* once */
    *(int *) arg = (int) event->type;
}

static void other_handler (cohort_t *self, const cohort_event_t *event, void *arg)
{
    on_event (self, event, arg);
}

static void watch (const char *path, cohort_watch_fn *fn, int *type)
{
    assert_int_equal (cohort_get_async (client, path, fn, type, NULL, NULL), 0);
}

static void test_unwatch (void **state)
{
    (void) state;
    int first = 0, second = 0, third = 0, child = 0, absent = 0;
    create (client, "/w", 0);
    watch ("/w", on_event, &first);
    watch ("/w", on_event, &second);
    watch ("/w", other_handler, &third);
    assert_int_equal (cohort_children_async (client, "/w", on_event, &child, NULL, NULL), 0);
    assert_int_equal (cohort_exists_async (client, "/w/no", on_event, &absent, NULL, NULL), 0);
    assert_int_equal (cohort_check_watch (client, "/w", COHORT_WATCHER_DATA, NULL, NULL), 0);
    assert_int_equal (cohort_check_watch (client, "/w", COHORT_WATCHER_ANY, on_event, &child), 0);
    assert_int_equal (cohort_check_watch (client, "/w", COHORT_WATCHER_DATA, on_event, &child),
                      COHORT_ENOWATCHER);
    expect_error (client, "unwatch /w: there is no such watch");
    /* One of several; the others, and the server's watch, stay. */
    assert_int_equal (cohort_unwatch (client, "/w", COHORT_WATCHER_DATA, on_event, &first), 0);
    await (client, &first);
    assert_int_equal (first, COHORT_EVENT_DATA_WATCH_REMOVED);
    assert_int_equal (cohort_unwatch (client, "/w", COHORT_WATCHER_DATA, on_event, &first),
                      COHORT_ENOWATCHER);
    assert_int_equal (cohort_set (client, "/w", "y", 1, -1, NULL), 0);
    await (client, &second);
    await (client, &third);
    assert_int_equal (second, COHORT_EVENT_CHANGED);
    assert_int_equal (third, COHORT_EVENT_CHANGED);
    assert_int_equal (cohort_unwatch (client, "/w", COHORT_WATCHER_DATA, NULL, NULL),
                      COHORT_ENOWATCHER);
    /* All of a kind, and what was set by exists. */
    assert_int_equal (cohort_unwatch (client, "/w", COHORT_WATCHER_CHILDREN, NULL, NULL), 0);
    assert_int_equal (cohort_unwatch (client, "/w/no", COHORT_WATCHER_DATA, NULL, NULL), 0);
    await (client, &child);
    await (client, &absent);
    assert_int_equal (child, COHORT_EVENT_CHILD_WATCH_REMOVED);
    assert_int_equal (absent, COHORT_EVENT_DATA_WATCH_REMOVED);
    create (client, "/w/no", 0);
    assert_int_equal (cohort_unwatch (client, "/w", (cohort_watcher_t) 4, NULL, NULL),
                      COHORT_EINVAL);
}

/* What is asked for behind it is not concerned. */
static void test_unwatch_in_order (void **state)
{
    (void) state;
    int before = 0, behind = 0;
    create (client, "/o", 0);
    watch ("/o", on_event, &before);
    assert_int_equal (
        cohort_unwatch_async (client, "/o", COHORT_WATCHER_ANY, NULL, NULL, NULL, NULL), 0);
    watch ("/o", on_event, &behind);
    assert_int_equal (cohort_set (client, "/o", "y", 1, -1, NULL), 0);
    await (client, &before);
    await (client, &behind);
    assert_int_equal (before, COHORT_EVENT_DATA_WATCH_REMOVED);
    assert_int_equal (behind, COHORT_EVENT_CHANGED);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_linearizable, start, stop),
        cmocka_unit_test_setup_teardown (test_count, start, stop),
        cmocka_unit_test_setup_teardown (test_ephemerals, start, stop),
        cmocka_unit_test_setup_teardown (test_whoami, start, stop),
        cmocka_unit_test_setup_teardown (test_multi_read, start, stop),
        cmocka_unit_test_setup_teardown (test_limits, start, stop),
        cmocka_unit_test (test_settings),
        cmocka_unit_test_setup_teardown (test_flood, start, stop),
        cmocka_unit_test_setup_teardown (test_unwatch, start, stop),
        cmocka_unit_test_setup_teardown (test_unwatch_in_order, start, stop),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
