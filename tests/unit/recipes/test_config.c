/* Configuration: callbacks per key and transaction, typed keys that keep their last good value,
 * results of updates, and objects that end inside their own handlers. */

#include "tests/unit/recipes/configs.h"

/* ---- Callbacks ------------------------------------------------------------------------------- */

static void callbacks_hear_once_a_transaction (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    assert_int_equal (cohort_config_watch (self, "limit", on_changes, "limit"), 0);
    assert_int_equal (cohort_config_watch_prefix (self, "db/", on_changes, "db"), 0);
    assert_int_equal (cohort_config_watch (self, "none", on_changes, "none"), 0);
    assert_int_equal (cohort_config_wait (self, -1), 0);
    fake_settle (client);
    assert_trace ("limit whole: limit is 5; db whole: db/host is a db/pool is 8; none whole:; "
                  "synced; ");
    fake_fragment (client, 1); /* however it arrives */
    fake_begin ();
    fake_set (CONFIG "/db/host", "b");
    fake_delete (CONFIG "/db/pool");
    fake_create (CONFIG "/db/port", "99", 0);
    fake_set (CONFIG "/limit", "6");
    fake_set (CONFIG, "of no key");
    fake_commit ();
    fake_settle (client);
    assert_trace ("limit: limit was 5 is 6; "
                  "db: db/host was a is b db/pool was 8 db/port is 99; ");
    fake_set (CONFIG "/limit", "7");
    fake_settle (client);
    assert_trace ("limit: limit was 6 is 7; ");
    fake_set (CONFIG, "nothing of it");
    fake_settle (client);
    assert_trace ("");
    end (&self, client);
}

static void a_later_callback_hears_of_what_is_there (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    assert_int_equal (cohort_config_wait (self, -1), 0);
    fake_settle (client);
    trace_text[0] = 0;
    watch_more = true;
    assert_int_equal (cohort_config_watch_prefix (self, "", on_changes, "all"), 0);
    assert_trace (""); /* only when it is dispatched */
    fake_settle (client);
    assert_trace ("all whole: db is  db/host is a db/pool is 8 limit is 5; "
                  "more whole: limit is 5; ");
    fake_set (CONFIG "/limit", "6");
    fake_settle (client);
    assert_trace ("all: limit was 5 is 6; more: limit was 5 is 6; ");
    /* What could not be asked for is not half there. */
    fake_fail_call (client, COHORT_ELIMIT);
    assert_int_equal (cohort_config_watch (self, "db", on_changes, "db"), COHORT_ELIMIT);
    fake_set (CONFIG "/db", "x");
    fake_settle (client);
    assert_trace ("all: db was  is x; ");
    /* Destroyed before it was told. */
    assert_int_equal (cohort_config_watch (self, "db", on_changes, "db"), 0);
    end (&self, client);
    assert_trace ("");
}

static void a_new_session_tells_the_differences (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    assert_int_equal (cohort_config_stale_ms (self), -1);
    assert_int_equal (cohort_config_watch_prefix (self, "", on_changes, "all"), 0);
    fake_settle (client);
    trace_text[0] = 0;
    assert_int_equal (cohort_config_stale_ms (self), 0);
    fake_suspend (client);
    assert_true (cohort_config_stale_ms (self) > 0);
    fake_set (CONFIG "/limit", "6");
    int64_t limit = 0;
    assert_int_equal (cohort_config_expect_integer (self, "limit", 0, 9), 0);
    assert_int_equal (cohort_config_integer (self, "limit", &limit), 0);
    assert_int_equal (limit, 5);
    assert_int_equal (cohort_config_wait (self, 0), COHORT_ETIMEDOUT);
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("all: limit was 5 is 6; synced; ");
    fake_expire (client, false, true);
    fake_delete (CONFIG "/db/pool");
    /* Set while there is no session. */
    assert_int_equal (cohort_config_watch (self, "limit", on_changes, "limit"), 0);
    assert_int_equal (cohort_config_wait (self, -1), 0);
    fake_settle (client);
    assert_trace ("lost -112; limit whole: limit is 6; all: db/pool was 8; synced; ");
    end (&self, client);
}

static void errors_of_the_mirror_are_told (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    fake_settle (client);
    trace_text[0] = 0;
    fake_end_streams (client, COHORT_ELIMIT);
    fake_settle (client);
    assert_trace ("error -214; ");
    assert_int_equal (cohort_config_wait (self, -1), COHORT_ELIMIT);
    assert_int_equal (cohort_config_retry (self), 0);
    assert_int_equal (cohort_config_wait (self, -1), 0);
    end (&self, client);
    fake_fail_stream (client);
    assert_null (cohort_config_new (client, CONFIG));
    assert_null (cohort_config_new (client, CONFIG "/"));
    assert_null (cohort_config_new (client, "/"));
    assert_null (cohort_config_new (client, "app"));
    assert_null (cohort_config_new (client, NULL));
    assert_null (cohort_config_new (NULL, CONFIG));
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void bad_data_is_not_missing_data (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    int64_t pool = -1;
    cohort_config_value_t value;
    assert_int_equal (cohort_config_expect_integer (self, "db/pool", 1, 64), 0);
    assert_int_equal (cohort_config_expect_integer (self, "db/pool", 1, 64), COHORT_ESTATE);
    assert_int_equal (cohort_config_integer (self, "db/pool", &pool), COHORT_ESTATE);
    assert_int_equal (cohort_config_get (self, "db/pool", &value), COHORT_ESTATE);
    fake_settle (client);
    assert_int_equal (cohort_config_integer (self, "db/pool", &pool), 0);
    assert_int_equal (pool, 8);
    assert_trace ("synced; ");
    fake_begin ();
    fake_set (CONFIG "/db/pool", "many");
    fake_set (CONFIG "/db/host", "b");
    fake_commit ();
    fake_settle (client);
    assert_trace ("bad db/pool=many is not an integer from 1 to 64 -217; ");
    pool = -1;
    assert_int_equal (cohort_config_integer (self, "db/pool", &pool), COHORT_ECONFIG);
    assert_int_equal (pool, 8);
    assert_int_equal (cohort_config_get (self, "db/pool", &value), 0);
    assert_string_equal (value.data, "many");
    assert_int_equal (value.mzxid, fake_zxid ());
    assert_int_equal (cohort_config_get (self, "db/host", &value), 0);
    assert_string_equal (value.data, "b");
    /* Another change does not tell it again. */
    fake_set (CONFIG "/limit", "1");
    fake_settle (client);
    assert_trace ("");
    /* Deleted: its last good value is forgotten, and the caller's default stays. */
    fake_delete (CONFIG "/db/pool");
    fake_settle (client);
    pool = 3;
    assert_int_equal (cohort_config_integer (self, "db/pool", &pool), COHORT_ENONODE);
    assert_int_equal (cohort_config_get (self, "db/pool", &value), COHORT_ENONODE);
    fake_create (CONFIG "/db/pool", "65", 0);
    fake_settle (client);
    assert_int_equal (cohort_config_integer (self, "db/pool", &pool), COHORT_ECONFIG);
    assert_int_equal (pool, 3);
    fake_set (CONFIG "/db/pool", "64");
    fake_settle (client);
    assert_trace ("bad db/pool=65 is not an integer from 1 to 64 -217; ");
    assert_int_equal (cohort_config_integer (self, "db/pool", &pool), 0);
    assert_int_equal (pool, 64);
    end (&self, client);
}

static void integers_are_decimal_and_within_bounds (void **state)
{
    (void) state;
    static const struct {
        const char *data;
        int rc;
        int64_t number;
    } cases[] = {
        {"0", 0, 0},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775806", 0, INT64_MAX - 1},
        {"9223372036854775807", COHORT_ECONFIG, 0},
        {"9223372036854775808", COHORT_ECONFIG, 0},
        {"-9223372036854775809", COHORT_ECONFIG, 0},
        {"", COHORT_ECONFIG, 0},
        {"-", COHORT_ECONFIG, 0},
        {"5 ", COHORT_ECONFIG, 0},
        {"0x5", COHORT_ECONFIG, 0},
        {"+5", COHORT_ECONFIG, 0},
    };
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    assert_int_equal (cohort_config_expect_integer (self, "limit", INT64_MIN, INT64_MAX - 1), 0);
    assert_int_equal (cohort_config_expect_integer (self, "x", 2, 1), COHORT_EINVAL);
    fake_settle (client);
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        fake_set (CONFIG "/limit", "17"); /* the last good one */
        fake_settle (client);
        fake_set (CONFIG "/limit", cases[i].data);
        fake_settle (client);
        int64_t number = -1;
        assert_int_equal (cohort_config_integer (self, "limit", &number), cases[i].rc);
        assert_int_equal (number, cases[i].rc == 0 ? cases[i].number : 17);
    }
    end (&self, client);
}

static void bools_and_texts (void **state)
{
    (void) state;
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    assert_int_equal (cohort_config_expect_bool (self, "limit"), 0);
    assert_int_equal (cohort_config_expect_text (self, "db/host", 4), 0);
    fake_settle (client);
    assert_trace ("bad limit=5 is not true, yes, on, 1, false, no, off or 0 -217; synced; ");
    int flag = 7;
    assert_int_equal (cohort_config_bool (self, "limit", &flag), COHORT_ECONFIG);
    assert_int_equal (flag, 7);
    for (int i = 0; i < 8; i++) {
        fake_set (CONFIG "/limit", words[i]);
        fake_settle (client);
        assert_int_equal (cohort_config_bool (self, "limit", &flag), 0);
        assert_int_equal (flag, i % 2);
    }
    fake_set (CONFIG "/limit", "TRUE");
    fake_settle (client);
    assert_int_equal (cohort_config_bool (self, "limit", &flag), COHORT_ECONFIG);
    trace_text[0] = 0;
    const char *host = NULL;
    assert_int_equal (cohort_config_text (self, "db/host", &host), 0);
    assert_string_equal (host, "a");
    fake_set (CONFIG "/db/host", "");
    fake_settle (client);
    assert_int_equal (cohort_config_text (self, "db/host", &host), 0);
    assert_string_equal (host, "");
    fake_set (CONFIG "/db/host", "abcd");
    fake_settle (client);
    fake_set (CONFIG "/db/host", "abcde");
    fake_settle (client);
    assert_int_equal (cohort_config_text (self, "db/host", &host), COHORT_ECONFIG);
    assert_string_equal (host, "abcd");
    assert_trace ("bad db/host=abcde is not a text of at most 4 bytes, none of them 0 -217; ");
    /* Asked for as something else, or never expected. */
    assert_int_equal (cohort_config_bool (self, "db/host", &flag), COHORT_EINVAL);
    assert_int_equal (cohort_config_text (self, "db/pool", &host), COHORT_EINVAL);
    assert_int_equal (cohort_config_text (self, NULL, &host), COHORT_EINVAL);
    assert_int_equal (cohort_config_expect_bool (self, "/x"), COHORT_EINVAL);
    assert_int_equal (cohort_config_expect_bool (self, "x/"), COHORT_EINVAL);
    assert_int_equal (cohort_config_expect_bool (self, ""), COHORT_EINVAL);
    assert_int_equal (cohort_config_watch (self, "", on_changes, ""), COHORT_EINVAL);
    assert_int_equal (cohort_config_watch_prefix (self, NULL, on_changes, ""), COHORT_EINVAL);
    assert_int_equal (cohort_config_watch (self, "x", NULL, ""), COHORT_EINVAL);
    end (&self, client);
}

static void what_may_not_be_read_is_bad (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    assert_int_equal (cohort_config_expect_integer (self, "limit", 0, 9), 0);
    fake_settle (client);
    trace_text[0] = 0;
    cohort_change_t change = {.kind = COHORT_CHANGE_DATA,
                              .path = CONFIG "/limit",
                              .stat = *fake_stat (CONFIG "/limit"),
                              .hidden = 1};
    cohort_batch_t batch = {.zxid = fake_zxid () + 1, .first = 1, .count = 1, .changes = &change};
    fake_batch (client, &batch);
    fake_settle (client);
    int64_t limit = 0;
    assert_trace ("bad limit= is not an integer from 0 to 9 -102; ");
    assert_int_equal (cohort_config_integer (self, "limit", &limit), COHORT_ENOAUTH);
    assert_int_equal (limit, 5);
    end (&self, client);
}

/* ---- Updates and ends ------------------------------------------------------------------------ */

static void on_result (cohort_config_t *self, int rc, const cohort_config_update_t *update,
                       void *arg)
{
    fake_in_handler ();
    const char *key = cohort_config_update_key (update);
    (void) self;
    trace ("%s %d %s; ", (const char *) arg, rc, key == NULL ? "-" : key);
    doom (arg);
}

static void results_come_later (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    fake_settle (client);
    trace_text[0] = 0;
    /* Destroyed on its way. */
    cohort_config_update_t *update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_delete (update, "limit", COHORT_CONFIG_ANY), 0);
    fake_fail_call (client, COHORT_ELIMIT);
    assert_int_equal (cohort_config_commit_async (update, on_result, "a"), COHORT_ELIMIT);
    assert_int_equal (cohort_config_commit_async (update, on_result, "a"), 0);
    cohort_config_update_destroy (&update);
    update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_delete (update, "limit", read_of (self, "limit")), 0);
    assert_int_equal (cohort_config_commit_async (update, on_result, "b"), 0);
    cohort_config_update_destroy (&update);
    fake_settle (client);
    assert_trace ("a 0 -; b -103 limit; ");
    /* Nobody waits for it any more; in a new session; of a configuration that is destroyed. */
    fake_suspend (client);
    update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_set (update, "late", "1", 1, COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_commit (update, 0), COHORT_ETIMEDOUT);
    fake_resume (client, false);
    fake_settle (client);
    cohort_config_update_destroy (&update);
    assert_string_equal (fake_data (CONFIG "/late"), "1");
    fake_expire (client, false, true);
    update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_set (update, "later", "1", 1, COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_commit (update, -1), 0);
    cohort_config_update_destroy (&update);
    assert_string_equal (fake_data (CONFIG "/later"), "1");
    trace_text[0] = 0;
    update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_set (update, "last", "1", 1, COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_commit_async (update, on_result, "c"), 0);
    end (&self, client);
    cohort_config_update_destroy (&update);
    assert_string_equal (fake_data (CONFIG "/last"), "1");
    assert_trace ("");
}

static void destroyed_inside_whatever_runs (void **state)
{
    (void) state;
    static const char *const places[] = {"bad", "synced", "lost", "limit", "db", "commit"};
    for (size_t i = 0; i < sizeof (places) / sizeof (places[0]); i++) {
        (void) start (NULL);
        cohort_t *client = fake_client ();
        doom_at = places[i];
        doomed = config (client);
        cohort_config_t *self = doomed;
        assert_int_equal (cohort_config_expect_bool (self, "limit"), 0);
        assert_int_equal (cohort_config_expect_bool (self, "db/host"), 0);
        assert_int_equal (cohort_config_watch (self, "limit", on_changes, "limit"), 0);
        assert_int_equal (cohort_config_watch_prefix (self, "db/", on_changes, "db"), 0);
        int rc = cohort_config_wait (self, -1);
        assert_int_equal (rc, strcmp (doom_at, "lost") == 0 || strcmp (doom_at, "commit") == 0
                                  ? 0
                                  : COHORT_ECLOSING);
        if (doomed != NULL) {
            cohort_config_update_t *update = cohort_config_update_new (self);
            (void) cohort_config_update_set (update, "limit", "1", 1, COHORT_CONFIG_ANY);
            assert_int_equal (cohort_config_commit_async (update, on_result, "commit"), 0);
            fake_settle (client);
            cohort_config_update_destroy (&update);
        }
        if (doomed != NULL) {
            fake_expire (client, false, true);
            fake_settle (client);
        }
        fake_settle (client);
        assert_null (doomed);
        assert_int_equal (fake_streams (client), 0);
    }
}

static cohort_config_update_t *waited;

static void on_wait (cohort_config_t *self, const cohort_config_changes_t *changes, void *arg)
{
    fake_in_handler ();
    (void) changes;
    (void) arg;
    (void) self;
    assert_int_equal (cohort_config_commit (waited, -1), COHORT_EDEADLK);
    trace ("deadlock; ");
}

static void to_wait_inside_a_callback_is_refused (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    waited = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_set (waited, "limit", "9", 1, COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_watch (self, "limit", on_wait, NULL), 0);
    fake_settle (client);
    assert_trace ("deadlock; synced; ");
    assert_string_equal (fake_data (CONFIG "/limit"), "5");
    cohort_config_update_destroy (&waited);
    end (&self, client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (callbacks_hear_once_a_transaction),
        TEST (a_later_callback_hears_of_what_is_there),
        TEST (a_new_session_tells_the_differences),
        TEST (errors_of_the_mirror_are_told),
        TEST (bad_data_is_not_missing_data),
        TEST (integers_are_decimal_and_within_bounds),
        TEST (bools_and_texts),
        TEST (what_may_not_be_read_is_bad),
        TEST (results_come_later),
        TEST (destroyed_inside_whatever_runs),
        TEST (to_wait_inside_a_callback_is_refused),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
