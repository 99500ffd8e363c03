/* The operations of the client library that go beyond ZooKeeper's first ones, on an embedded
 * server. */

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
    cohort_txn_destroy (&txn);
    txn = cohort_txn_new ();
    assert_int_equal (cohort_txn_check_absent (txn, "/twice"), 0);
    assert_int_equal (cohort_txn_create_with (txn, "/once", "y", 1, &options), 0);
    assert_int_equal (cohort_multi (client, txn), 0);
    assert_int_equal (cohort_txn_result (txn, 1)->existed, 1);
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
                  "delete");
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

int main (void)
{
#define OPERATION_TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
    const struct CMUnitTest tests[] = {
        OPERATION_TEST (test_time_to_live),
        OPERATION_TEST (test_container),
        OPERATION_TEST (test_create_if_absent),
        OPERATION_TEST (test_check_absent),
        OPERATION_TEST (test_counter),
        OPERATION_TEST (test_delete_tree),
        OPERATION_TEST (test_asynchronous_forms),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
