/* Configuration with the real client and a real server in this process. */

#include <string.h>

#include "tests/unit/recipes/live.h"

struct heard {
    int calls;
    size_t count; /* of the last call */
};

static void on_changes (cohort_config_t *self, const cohort_config_changes_t *changes, void *arg)
{
    struct heard *heard = arg;
    (void) self;
    heard->calls++;
    heard->count = changes->count;
}

static uint64_t read_of (cohort_config_t *self, const char *key)
{
    cohort_config_value_t value = {0};
    int rc = cohort_config_get (self, key, &value);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
    return value.mzxid;
}

/* Both keys, if they are as they were read. */
static int write_both (cohort_config_t *self, const char *text, const uint64_t read[2],
                       const char *refused)
{
    cohort_config_update_t *update = cohort_config_update_new (self);
    size_t size = strlen (text);
    (void) cohort_config_update_set (update, "db/pool", text, size, read[0]);
    (void) cohort_config_update_set (update, "limit", text, size, read[1]);
    int rc = cohort_config_commit (update, LIVE_LIMIT_MS);
    const char *key = cohort_config_update_key (update);
    assert_string_equal (key == NULL ? "" : key, refused);
    cohort_config_update_destroy (&update);
    return rc;
}

static void updates_are_whole_and_conditional (void **state)
{
    (void) state;
    cohort_t *a = live_client (), *b = live_client ();
    cohort_config_t *writer = cohort_config_new (a, "/x/config");
    cohort_config_t *reader = cohort_config_new (b, "/x/config");
    struct heard heard = {0};
    assert_int_equal (cohort_config_expect_integer (reader, "limit", 0, 99), 0);
    assert_int_equal (cohort_config_watch_prefix (reader, "", on_changes, &heard), 0);
    assert_int_equal (cohort_config_wait (writer, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_config_wait (reader, LIVE_LIMIT_MS), 0);
    assert_int_equal (heard.calls, 1);
    assert_int_equal (write_both (writer, "7", (uint64_t[2]){0}, ""), 0);
    live_until (b, heard.calls == 2);
    assert_int_equal (heard.count, 3); /* with "db" */
    int64_t limit = -1;
    assert_int_equal (cohort_config_integer (reader, "limit", &limit), 0);
    assert_int_equal (limit, 7);

    uint64_t read[2] = {read_of (writer, "db/pool"), read_of (writer, "limit")};
    assert_int_equal (cohort_set (b, "/x/config/limit", "many", 4, COHORT_ANY_VERSION, NULL), 0);
    assert_int_equal (write_both (writer, "8", read, "limit"), COHORT_EBADVERSION);
    live_until (a, read_of (writer, "limit") != read[1]);
    assert_int_equal (write_both (writer, "8", read, "limit"), COHORT_EBADVERSION);
    live_until (b, cohort_config_integer (reader, "limit", &limit) == COHORT_ECONFIG);
    assert_int_equal (limit, 7);
    read[1] = read_of (writer, "limit");
    assert_int_equal (write_both (writer, "9", read, ""), 0);
    live_until (b, cohort_config_integer (reader, "limit", &limit) == 0);
    assert_int_equal (limit, 9);
    assert_int_equal (heard.count, 2);
    /* Told of what is there, and only now. */
    struct heard later = {0};
    assert_int_equal (cohort_config_watch (reader, "limit", on_changes, &later), 0);
    assert_int_equal (later.calls, 0);
    live_until (b, later.calls == 1);
    assert_int_equal (later.count, 1);
    cohort_config_destroy (&writer);
    cohort_config_destroy (&reader);
    cohort_destroy (&a);
    cohort_destroy (&b);
}

static void a_malformed_key_is_named (void **state)
{
    (void) state;
    cohort_t *client = live_client ();
    cohort_config_t *config = cohort_config_new (client, "/config");
    assert_int_equal (cohort_config_wait (config, LIVE_LIMIT_MS), 0);
    cohort_config_update_t *update = cohort_config_update_new (config);
    assert_int_equal (cohort_config_update_set (update, "a", "1", 1, 0), 0);
    assert_int_equal (cohort_config_update_set (update, "b//c", "1", 1, 0), COHORT_EPATH);
    assert_int_equal (cohort_config_commit (update, LIVE_LIMIT_MS), COHORT_EPATH);
    assert_string_equal (cohort_config_update_key (update), "b//c");
    cohort_config_update_destroy (&update);
    cohort_config_destroy (&config);
    cohort_destroy (&client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, live_start, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (updates_are_whole_and_conditional),
        TEST (a_malformed_key_is_named),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
