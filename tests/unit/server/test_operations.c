/* The operations of the client library that go beyond ZooKeeper's first ones, on an embedded
 * server. */

#include <stdio.h>
#include <string.h>

#include "cohort/client.h"
#include "cohort/server.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 20000, SESSION_MS = 1000000 };

static cohort_server_t *server;
static cohort_t *client;

static int start (void **state)
{
    cohort_server_options_t options = {
        .size = sizeof options, .clients = "inproc://operations", .manual_clock = 1};
    (void) state;
    server = cohort_server_new (&options);
    assert_non_null (server);
    assert_int_equal (cohort_server_start (server), 0);
    assert_int_equal (cohort_server_wait (server, LIMIT_MS), 0);
    cohort_options_t client_options = {.size = sizeof client_options,
                                       .loop = cohort_server_loop (server),
                                       .timeout_ms = SESSION_MS};
    client = cohort_new ("inproc://operations", &client_options);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, LIMIT_MS), 0);
    return 0;
}

static int stop (void **state)
{
    (void) state;
    cohort_destroy (&client);
    cohort_server_destroy (&server);
    return 0;
}

static void expect_error (const char *expected)
{
    char text[256];
    (void) cohort_errmsg (client, text, sizeof text);
    assert_string_equal (text, expected);
}

static void create (const char *path, int mode)
{
    assert_int_equal (cohort_create (client, path, "x", 1, mode, NULL, NULL, NULL), 0);
}

static void on_event (cohort_t *self, const cohort_event_t *event, void *arg)
{
    (void) self;
    *(int *) arg = event->type;
}

/* Time passes, and the znode goes. */
static void await_deletion (const char *path, int64_t advance_ms)
{
    int type = 0;
    assert_int_equal (cohort_exists_async (client, path, on_event, &type, NULL, NULL), 0);
    assert_int_equal (cohort_exists (client, path, NULL), 0);
    assert_int_equal (cohort_server_advance_ms (server, advance_ms), 0);
    while (type == 0) {
        assert_true (cohort_run (client, LIMIT_MS) > 0);
    }
    assert_int_equal (type, COHORT_EVENT_DELETED);
}

static void test_time_to_live (void **state)
{
    (void) state;
    cohort_create_options_t options = {.size = sizeof options, .ttl_ms = 60000};
    cohort_stat_t stat;
    char *path = NULL;
    assert_int_equal (cohort_create_with (client, "/ttl", "x", 1, &options, &path, &stat, NULL), 0);
    assert_string_equal (path, "/ttl");
    assert_int_equal (stat.ttl_ms, 60000);
    cohort_free (path);
    await_deletion ("/ttl", 60000);
}

static void test_container (void **state)
{
    (void) state;
    cohort_create_options_t options = {.size = sizeof options, .mode = COHORT_CONTAINER};
    cohort_stat_t stat;
    assert_int_equal (cohort_create_with (client, "/c", NULL, 0, &options, NULL, &stat, NULL), 0);
    assert_int_equal (stat.mode, COHORT_CONTAINER);
    create ("/c/child", COHORT_PERSISTENT);
    assert_int_equal (cohort_delete (client, "/c/child", -1), 0);
    await_deletion ("/c", 2000);
    options.ttl_ms = 5;
    assert_int_equal (cohort_create_with (client, "/both", NULL, 0, &options, NULL, NULL, NULL),
                      COHORT_EINVAL);
    expect_error ("create: only a persistent znode can have a time to live");
}

static void test_create_if_absent (void **state)
{
    (void) state;
    cohort_create_options_t options = {.size = sizeof options, .if_absent = 1};
    for (int i = 0; i < 2; i++) {
        int existed = -1;
        char *path = NULL;
        assert_int_equal (
            cohort_create_with (client, "/once", "x", 1, &options, &path, NULL, &existed), 0);
        assert_int_equal (existed, i);
        assert_string_equal (path, "/once");
        cohort_free (path);
    }
    options.mode = COHORT_SEQUENTIAL;
    assert_int_equal (cohort_create_with (client, "/n-", NULL, 0, &options, NULL, NULL, NULL),
                      COHORT_EINVAL);
}

static void test_check_absent (void **state)
{
    (void) state;
    create ("/once", COHORT_PERSISTENT);
    cohort_create_options_t options = {.size = sizeof options, .if_absent = 1};
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_check_absent (txn, "/once"), 0);
    assert_int_equal (cohort_multi (client, txn), COHORT_ENODEEXISTS);
    expect_error ("operation 1 of 1, check_absent /once: the znode exists already");
    cohort_txn_destroy (&txn);
    txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_check_absent (txn, "/twice"), 0);
    assert_int_equal (cohort_txn_create_with (txn, "/once", "y", 1, &options), 0);
    assert_int_equal (cohort_multi (client, txn), 0);
    assert_int_equal (cohort_txn_result (txn, 1)->existed, 1);
    cohort_txn_destroy (&txn);
}

static void test_delete_if_present (void **state)
{
    (void) state;
    int existed = -1;
    create ("/once", COHORT_PERSISTENT);
    create ("/once/below", COHORT_PERSISTENT);
    assert_int_equal (cohort_delete_if_present (client, "/once", COHORT_ANY_VERSION, &existed),
                      COHORT_ENOTEMPTY);
    assert_int_equal (existed, -1);
    assert_int_equal (cohort_delete (client, "/once/below", COHORT_ANY_VERSION), 0);
    for (int i = 1; i >= 0; i--) {
        assert_int_equal (cohort_delete_if_present (client, "/once", 0, &existed), 0);
        assert_int_equal (existed, i);
    }
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_delete_if_present (txn, "/once", 3), 0);
    assert_int_equal (cohort_txn_create (txn, "/once", "y", 1, 0, NULL), 0);
    assert_int_equal (cohort_multi (client, txn), 0);
    assert_int_equal (cohort_txn_result (txn, 0)->existed, 0);
    assert_int_equal (cohort_multi (client, txn), COHORT_EBADVERSION);
    expect_error ("operation 1 of 2, delete /once: the version does not match");
    cohort_txn_destroy (&txn);
}

static void test_counter (void **state)
{
    (void) state;
    int64_t sum = 0;
    cohort_stat_t stat;
    assert_int_equal (cohort_create (client, "/n", NULL, 0, 0, NULL, NULL, NULL), 0);
    assert_int_equal (cohort_add (client, "/n", -3, INT64_MIN, INT64_MAX, &sum, &stat), 0);
    assert_int_equal (sum, -3);
    assert_int_equal (stat.version, 1);
    assert_int_equal (cohort_add (client, "/n", 10, 0, 7, &sum, NULL), 0);
    assert_int_equal (sum, 7);
    assert_int_equal (cohort_add (client, "/n", 1, 0, 7, &sum, NULL), COHORT_EBOUNDS);
    assert_int_equal (cohort_add (client, "/n", 1, 7, 0, &sum, NULL), COHORT_EINVAL);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_add (txn, "/n", INT64_MIN, INT64_MIN, INT64_MAX), 0);
    assert_int_equal (cohort_txn_add (txn, "/n", -7, INT64_MIN, INT64_MAX), 0);
    assert_int_equal (cohort_multi (client, txn), 0);
    assert_true (cohort_txn_result (txn, 1)->value == INT64_MIN);
    cohort_txn_destroy (&txn);
    assert_int_equal (cohort_set (client, "/n", "seven", 5, -1, NULL), 0);
    assert_int_equal (cohort_add (client, "/n", 1, INT64_MIN, INT64_MAX, &sum, NULL),
                      COHORT_ENOTNUMBER);
}

static void test_delete_tree (void **state)
{
    (void) state;
    int64_t deleted = 0;
    create ("/tree", COHORT_PERSISTENT);
    create ("/tree/a", COHORT_PERSISTENT);
    create ("/tree/a/b", COHORT_EPHEMERAL);
    assert_int_equal (cohort_delete_tree (client, "/tree", 2, -1, &deleted), COHORT_ETOOBIG);
    assert_int_equal (deleted, 3);
    expect_error ("delete_tree /tree: it has 3 znodes, more than one transaction is to "
                  "delete (limit 2)");
    assert_int_equal (cohort_delete_tree (client, "/tree", 0, 1, NULL), COHORT_EBADVERSION);
    assert_int_equal (cohort_delete_tree (client, "/tree", 3, 0, &deleted), 0);
    assert_int_equal (deleted, 3);
    assert_int_equal (cohort_exists (client, "/tree", NULL), COHORT_ENONODE);
}

static void on_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    (void) self;
    assert_int_equal (result->rc, 0);
    *(int64_t *) arg = result->value + (result->existed ? 1000 : 0);
}

static void test_asynchronous_forms (void **state)
{
    (void) state;
    cohort_create_options_t options = {.size = sizeof options, .if_absent = 1};
    int64_t results[4] = {-1, -1, -1, -1};
    assert_int_equal (
        cohort_create_with_async (client, "/a", NULL, 0, &options, on_result, &results[0]), 0);
    assert_int_equal (
        cohort_create_with_async (client, "/a", NULL, 0, &options, on_result, &results[1]), 0);
    assert_int_equal (
        cohort_add_async (client, "/a", 5, INT64_MIN, INT64_MAX, on_result, &results[2]), 0);
    assert_int_equal (cohort_delete_tree_async (client, "/a", 0, -1, on_result, &results[3]), 0);
    while (results[3] == -1) {
        assert_true (cohort_run (client, LIMIT_MS) > 0);
    }
    assert_int_equal (results[0], 0);
    assert_int_equal (results[1], 1000);
    assert_int_equal (results[2], 5);
    assert_int_equal (results[3], 1);
}

/* ---- Watches that stay ----------------------------------------------------------------------- */

/* What a watch has told: "created /a 2" and so on, in one line each. */
struct told {
    char text[2048];
    int events;
    cohort_stream_t *to_close; /* by the first event */
};

static void on_told (cohort_t *self, const cohort_event_t *event, void *arg)
{
    struct told *told = arg;
    const char *type = event->type == COHORT_EVENT_CREATED    ? "created"
                       : event->type == COHORT_EVENT_DELETED  ? "deleted"
                       : event->type == COHORT_EVENT_CHANGED  ? "changed"
                       : event->type == COHORT_EVENT_CHILDREN ? "children"
                       : event->type == COHORT_EVENT_RESET    ? "reset"
                                                              : "lost";
    size_t used = strlen (told->text);
    (void) self;
    snprintf (told->text + used, sizeof told->text - used, "%s %s\n", type, event->path);
    told->events++;
    if (told->to_close != NULL) {
        cohort_stream_destroy (&told->to_close);
    }
}

static void await_events (const struct told *told, int count)
{
    while (told->events < count) {
        assert_true (cohort_run (client, LIMIT_MS) > 0);
    }
    assert_int_equal (told->events, count);
}

/* Some changes of a small tree. */
static void change_things (void)
{
    create ("/w", COHORT_PERSISTENT);
    create ("/w/a", COHORT_PERSISTENT);
    create ("/w/a/b", COHORT_PERSISTENT);
    assert_int_equal (cohort_set (client, "/w/a", "y", 1, -1, NULL), 0);
    assert_int_equal (cohort_set (client, "/w", "y", 1, -1, NULL), 0);
    create ("/wide", COHORT_PERSISTENT);
    assert_int_equal (cohort_delete_tree (client, "/w", 0, -1, NULL), 0);
}

static void test_persistent_watch (void **state)
{
    (void) state;
    struct told told = {.events = 0};
    cohort_stream_t *watch =
        cohort_watch_new (client, "/w", COHORT_WATCH_PERSISTENT, on_told, &told);
    assert_non_null (watch);
    change_things ();
    await_events (&told, 5);
    assert_string_equal (told.text, "created /w\n"
                                    "children /w\n"
                                    "changed /w\n"
                                    "children /w\n"
                                    "deleted /w\n");
    /* It stays. */
    create ("/w", COHORT_PERSISTENT);
    await_events (&told, 6);
    cohort_stream_destroy (&watch);
}

static void test_recursive_watch (void **state)
{
    (void) state;
    struct told told = {.events = 0};
    cohort_stream_t *watch =
        cohort_watch_new (client, "/w", COHORT_WATCH_RECURSIVE, on_told, &told);
    change_things ();
    await_events (&told, 8);
    assert_string_equal (told.text, "created /w\n"
                                    "created /w/a\n"
                                    "created /w/a/b\n"
                                    "changed /w/a\n"
                                    "changed /w\n"
                                    "deleted /w/a/b\n"
                                    "deleted /w/a\n"
                                    "deleted /w\n");
    cohort_stream_destroy (&watch);
}

static void test_watch_ends_in_its_handler (void **state)
{
    (void) state;
    struct told told = {.events = 0}, other = {.events = 0};
    told.to_close = cohort_watch_new (client, "/w", COHORT_WATCH_RECURSIVE, on_told, &told);
    cohort_stream_t *watch =
        cohort_watch_new (client, "/w", COHORT_WATCH_RECURSIVE, on_told, &other);
    create ("/w", COHORT_PERSISTENT);
    create ("/w/a", COHORT_PERSISTENT);
    /* Both in one transaction: the first event ends the watch before the second. */
    assert_int_equal (cohort_delete_tree (client, "/w", 0, -1, NULL), 0);
    await_events (&other, 4);
    assert_int_equal (told.events, 1);
    cohort_stream_destroy (&watch);
}

static void test_watch_arguments (void **state)
{
    (void) state;
    struct told told = {.events = 0};
    assert_null (cohort_watch_new (client, "w", COHORT_WATCH_PERSISTENT, on_told, &told));
    assert_null (cohort_watch_new (client, "/w", (cohort_watch_mode_t) 7, on_told, &told));
    expect_error ("watch: mode is 7");
    assert_null (cohort_watch_new (client, "/w", COHORT_WATCH_PERSISTENT, NULL, &told));
}

/* ---- Streams with options -------------------------------------------------------------------- */

struct batches {
    char text[1024];
    int count;
    uint64_t zxid;
};

static void on_batch (cohort_stream_t *self, const cohort_batch_t *batch, void *arg)
{
    struct batches *batches = arg;
    (void) self;
    assert_non_null (batch);
    size_t used = strlen (batches->text);
    used +=
        (size_t) snprintf (batches->text + used, sizeof batches->text - used, "%s%s",
                           batch->snapshot ? "snapshot" : "batch", batch->reset ? " reset" : "");
    for (size_t i = 0; i < batch->count; i++) {
        const cohort_change_t *change = &batch->changes[i];
        used += (size_t) snprintf (batches->text + used, sizeof batches->text - used, " %s=%.*s/%d",
                                   change->path, (int) change->size,
                                   change->data != NULL ? (const char *) change->data : "",
                                   change->stat.data_size);
    }
    snprintf (batches->text + used, sizeof batches->text - used, "\n");
    batches->count++;
    batches->zxid = batch->zxid;
}

static void await_batches (const struct batches *batches, int count)
{
    while (batches->count < count) {
        assert_true (cohort_run (client, LIMIT_MS) > 0);
    }
}

static void test_stream_without_data (void **state)
{
    (void) state;
    struct batches batches = {.count = 0};
    create ("/s", COHORT_PERSISTENT);
    cohort_stream_options_t options = {.size = sizeof options, .flags = COHORT_STREAM_NO_DATA};
    cohort_stream_t *stream = cohort_stream_new_with (client, "/s", &options, on_batch, &batches);
    assert_non_null (stream);
    await_batches (&batches, 1);
    create ("/s/a", COHORT_PERSISTENT);
    await_batches (&batches, 2);
    assert_string_equal (batches.text, "snapshot /s=/1\nbatch /s/a=/1\n");
    cohort_stream_destroy (&stream);
}

/* What came after a zxid that was seen by an earlier stream, and nothing twice. */
static void test_stream_from_a_zxid (void **state)
{
    (void) state;
    struct batches first = {.count = 0}, second = {.count = 0}, third = {.count = 0};
    create ("/s", COHORT_PERSISTENT);
    cohort_stream_t *stream = cohort_stream_new (client, "/s", on_batch, &first);
    await_batches (&first, 1);
    cohort_stream_destroy (&stream);
    create ("/s/a", COHORT_PERSISTENT);
    create ("/s/b", COHORT_PERSISTENT);
    cohort_stream_options_t options = {.size = sizeof options, .from_zxid = first.zxid};
    stream = cohort_stream_new_with (client, "/s", &options, on_batch, &second);
    await_batches (&second, 2);
    assert_string_equal (second.text, "batch /s/a=x/1\nbatch /s/b=x/1\n");
    cohort_stream_destroy (&stream);
    /* Of a history that never was: reset, and on from here. */
    options.from_zxid = UINT64_C (1) << 60;
    options.flags = COHORT_STREAM_NO_SNAPSHOT;
    stream = cohort_stream_new_with (client, "/s", &options, on_batch, &third);
    await_batches (&third, 1);
    create ("/s/c", COHORT_PERSISTENT);
    await_batches (&third, 2);
    assert_string_equal (third.text, "batch reset\nbatch /s/c=x/1\n");
    cohort_stream_destroy (&stream);
}

static void test_stream_arguments (void **state)
{
    (void) state;
    struct batches batches = {.count = 0};
    cohort_stream_options_t options = {.size = sizeof options, .flags = COHORT_STREAM_SHALLOW};
    assert_null (cohort_stream_new_with (client, "/s", &options, on_batch, &batches));
    options = (cohort_stream_options_t){.size = 3};
    assert_null (cohort_stream_new_with (client, "/s", &options, on_batch, &batches));
}

static void expect_quota (cohort_t *self, const char *path, const char *expected)
{
    char text[256];
    assert_int_equal (cohort_create (self, path, "x", 1, 0, NULL, NULL, NULL), COHORT_EQUOTA);
    cohort_errmsg (self, text, sizeof text);
    assert_string_equal (text, expected);
}

/* Which quota stands against a create is said in the handle's own paths. */
static void test_quota_below_a_chroot (void **state)
{
    (void) state;
    static const char *const places[] = {"/top",
                                         "/top/game",
                                         "/top/game/a",
                                         "/zookeeper/quota/top",
                                         "/zookeeper/quota/top/game",
                                         "/zookeeper/quota/top/game/a",
                                         "/zookeeper/quota/top/game/a/zookeeper_limits",
                                         "/zookeeper/quota/top/game/zookeeper_limits",
                                         "/zookeeper/quota/top/zookeeper_limits"};
    cohort_options_t options = {
        .size = sizeof options, .loop = cohort_server_loop (server), .timeout_ms = SESSION_MS};
    cohort_t *below = cohort_new ("inproc://operations;/top/game", &options);
    assert_non_null (below);
    assert_int_equal (cohort_wait (below, LIMIT_MS), 0);
    for (size_t i = 0; i < 9; i++) {
        const char *data = i == 6   ? "countHardLimit=1"
                           : i == 7 ? "countHardLimit=2"
                           : i == 8 ? "countHardLimit=4"
                                    : "";
        assert_int_equal (
            cohort_create (client, places[i], data, strlen (data), 0, NULL, NULL, NULL), 0);
    }
    expect_quota (below, "/a/b",
                  "create /a/b: a quota is exceeded: / would have 3 znodes, itself counted; its "
                  "countHardLimit is 2");
    assert_int_equal (cohort_delete (client, places[7], -1), 0);
    expect_quota (below, "/a/b",
                  "create /a/b: a quota is exceeded: /a would have 2 znodes, itself counted; its "
                  "countHardLimit is 1");
    assert_int_equal (cohort_create (below, "/c", "", 0, 0, NULL, NULL, NULL), 0);
    expect_quota (below, "/d",
                  "create /d: a quota is exceeded: a znode above the chroot would have 5 znodes, "
                  "itself counted; its countHardLimit is 4");
    assert_int_equal (cohort_delete_tree (client, "/zookeeper/quota/top", 0, -1, NULL), 0);
    assert_int_equal (cohort_delete_tree (client, "/top", 0, -1, NULL), 0);
    cohort_destroy (&below);
}

int main (void)
{
#define OPERATION_TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
    const struct CMUnitTest tests[] = {
        OPERATION_TEST (test_quota_below_a_chroot),
        OPERATION_TEST (test_time_to_live),
        OPERATION_TEST (test_container),
        OPERATION_TEST (test_create_if_absent),
        OPERATION_TEST (test_check_absent),
        OPERATION_TEST (test_delete_if_present),
        OPERATION_TEST (test_counter),
        OPERATION_TEST (test_delete_tree),
        OPERATION_TEST (test_asynchronous_forms),
        OPERATION_TEST (test_persistent_watch),
        OPERATION_TEST (test_recursive_watch),
        OPERATION_TEST (test_watch_ends_in_its_handler),
        OPERATION_TEST (test_watch_arguments),
        OPERATION_TEST (test_stream_without_data),
        OPERATION_TEST (test_stream_from_a_zxid),
        OPERATION_TEST (test_stream_arguments),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
