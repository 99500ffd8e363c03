/* Updates of a configuration: all or nothing, and which key is to blame. */

#include "tests/unit/recipes/configs.h"

static void an_update_is_one_transaction (void **state)
{
    (void) state;
    cohort_t *client = fake_client (), *other = fake_client ();
    cohort_config_t *self = config (client), *looks = config (other);
    assert_int_equal (cohort_config_watch_prefix (looks, "", on_changes, "all"), 0);
    fake_settle (client);
    fake_settle (other);
    trace_text[0] = 0;
    size_t writes = fake_writes ();
    cohort_config_update_t *update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_set (update, "limit", "6", 1, read_of (self, "limit")),
                      0);
    assert_int_equal (cohort_config_update_set (update, "a/b/c", "new", 3, 0), 0);
    assert_int_equal (cohort_config_update_set (update, "db/host", "h", 1, COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_update_set (update, "x", "y", 1, COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_update_delete (update, "db/pool", read_of (self, "db/pool")),
                      0);
    assert_int_equal (cohort_config_update_check (update, "db", read_of (self, "db")), 0);
    assert_int_equal (cohort_config_update_check (update, "gone", 0), 0);
    assert_int_equal (cohort_config_commit (update, -1), 0);
    assert_null (cohort_config_update_key (update));
    assert_int_equal (fake_writes (), writes + 1);
    /* It is in the copy already. */
    assert_int_equal (read_of (self, "limit"), fake_zxid ());
    assert_int_equal (cohort_config_commit (update, -1), COHORT_ESTATE);
    cohort_config_update_destroy (&update);
    assert_null (update);
    fake_settle (other);
    assert_trace ("all: a is  a/b is  a/b/c is new db/host was a is h db/pool was 8 "
                  "limit was 5 is 6 x is y; ");
    end (&self, client);
    end (&looks, other);
}

/* What an update creates itself is no hindrance to it: conditions are about what was there before.
 */
static void keys_are_set_in_any_order (void **state)
{
    (void) state;
    const uint64_t absent[] = {0, COHORT_CONFIG_ANY};
    for (int below = 0; below < 2; below++) {
        for (int above = 0; above < 2; above++) {
            (void) start (NULL);
            cohort_t *client = fake_client ();
            cohort_config_t *self = config (client);
            fake_settle (client);
            cohort_config_update_t *update = cohort_config_update_new (self);
            assert_int_equal (cohort_config_update_set (update, "n/a/b", "1", 1, absent[below]), 0);
            assert_int_equal (cohort_config_update_set (update, "n/a", "2", 1, absent[above]), 0);
            assert_int_equal (cohort_config_update_check (update, "n", 0), 0);
            assert_int_equal (cohort_config_update_set (update, "n", "3", 1, absent[above]), 0);
            assert_int_equal (cohort_config_update_set (update, "n/z", "4", 1, absent[below]), 0);
            assert_int_equal (cohort_config_commit (update, -1), 0);
            cohort_config_update_destroy (&update);
            assert_string_equal (fake_data (CONFIG "/n/a/b"), "1");
            assert_string_equal (fake_data (CONFIG "/n/a"), "2");
            assert_string_equal (fake_data (CONFIG "/n"), "3");
            assert_string_equal (fake_data (CONFIG "/n/z"), "4");
            /* But what somebody else has created is. */
            update = cohort_config_update_new (self);
            assert_int_equal (cohort_config_update_set (update, "m/a", "1", 1, 0), 0);
            assert_int_equal (cohort_config_update_set (update, "m", "2", 1, 0), 0);
            fake_create (CONFIG "/m", "mine", 0);
            assert_int_equal (cohort_config_commit (update, -1), COHORT_EBADVERSION);
            assert_string_equal (cohort_config_update_key (update), "m");
            cohort_config_update_destroy (&update);
            assert_string_equal (fake_data (CONFIG "/m"), "mine");
            assert_null (fake_data (CONFIG "/m/a"));
            end (&self, client);
        }
    }
}

/* Changes `spoiled` behind the update's back, and expects to hear its name. */
static void assert_refused (const char *spoiled, void (*spoil) (void), bool seen)
{
    (void) start (NULL);
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    fake_settle (client);
    uint64_t limit = read_of (self, "limit"), host = read_of (self, "db/host");
    uint64_t pool = read_of (self, "db/pool");
    if (seen) {
        spoil ();
        fake_settle (client);
    }
    cohort_config_update_t *update = cohort_config_update_new (self);
    (void) cohort_config_update_set (update, "u", "1", 1, COHORT_CONFIG_ANY);
    (void) cohort_config_update_set (update, "limit", "6", 1, limit);
    (void) cohort_config_update_set (update, "n/m", "6", 1, 0);
    (void) cohort_config_update_check (update, "absent", 0);
    (void) cohort_config_update_delete (update, "db/host", host);
    (void) cohort_config_update_check (update, "db/pool", pool);
    if (!seen) {
        spoil ();
    }
    assert_int_equal (cohort_config_commit (update, -1), COHORT_EBADVERSION);
    assert_string_equal (cohort_config_update_key (update), spoiled);
    assert_null (fake_data (CONFIG "/u"));
    cohort_config_update_destroy (&update);
    end (&self, client);
}

static void spoil_set (void)
{
    fake_set (CONFIG "/limit", "7");
}

static void spoil_same (void)
{
    /* As it was, with the same version: another one all the same. */
    fake_delete (CONFIG "/limit");
    fake_create (CONFIG "/limit", "5", 0);
}

static void spoil_delete (void)
{
    fake_delete (CONFIG "/db/host");
}

static void spoil_create (void)
{
    fake_create (CONFIG "/n", "", 0);
    fake_create (CONFIG "/n/m", "", 0);
}

static void spoil_absent (void)
{
    fake_create (CONFIG "/absent", "", 0);
}

static void spoil_checked (void)
{
    fake_set (CONFIG "/db/pool", "8");
}

static void another_value_refuses_all_and_is_named (void **state)
{
    (void) state;
    for (int seen = 0; seen < 2; seen++) {
        assert_refused ("limit", spoil_set, seen != 0);
        assert_refused ("limit", spoil_same, seen != 0);
        assert_refused ("db/host", spoil_delete, seen != 0);
        assert_refused ("n/m", spoil_create, seen != 0);
        assert_refused ("absent", spoil_absent, seen != 0);
        assert_refused ("db/pool", spoil_checked, seen != 0);
    }
}

static void other_errors_name_their_key_too (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    fake_settle (client);
    cohort_config_update_t *update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_set (update, "x", NULL, 0, COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_update_delete (update, "db", COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_commit (update, -1), COHORT_ENOTEMPTY);
    assert_string_equal (cohort_config_update_key (update), "db");
    cohort_config_update_destroy (&update);
    update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_delete (update, "none", COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_commit (update, -1), COHORT_ENONODE);
    assert_string_equal (cohort_config_update_key (update), "none");
    cohort_config_update_destroy (&update);
    /* Nothing to do; malformed. */
    update = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_check (update, "db", read_of (self, "db")), 0);
    assert_int_equal (cohort_config_commit (update, -1), COHORT_EINVAL);
    assert_int_equal (cohort_config_update_set (update, "/db", "", 0, 0), COHORT_EINVAL);
    assert_int_equal (cohort_config_update_set (update, "x", NULL, 1, 0), COHORT_EINVAL);
    assert_int_equal (cohort_config_update_delete (update, "x", COHORT_CONFIG_ANY), 0);
    assert_int_equal (cohort_config_commit (update, -1), COHORT_EINVAL);
    cohort_config_update_destroy (&update);
    assert_null (cohort_config_update_new (NULL));
    end (&self, client);
}

static cohort_config_update_t *given_up;

static void give_up (cohort_config_t *self, const cohort_config_changes_t *changes, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) changes;
    (void) arg;
    cohort_config_update_destroy (&given_up);
}

/* Before it waits, the blocking call dispatches what was waiting for that. */
static void an_update_that_a_handler_destroys_is_not_committed (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_config_t *self = config (client);
    fake_settle (client);
    given_up = cohort_config_update_new (self);
    assert_int_equal (cohort_config_update_set (given_up, "x", "1", 1, 0), 0);
    assert_int_equal (cohort_config_watch (self, "limit", give_up, NULL), 0);
    assert_int_equal (cohort_config_commit (given_up, -1), COHORT_ECLOSING);
    assert_null (given_up);
    assert_null (fake_data (CONFIG "/x"));
    end (&self, client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (an_update_is_one_transaction),
        TEST (keys_are_set_in_any_order),
        TEST (another_value_refuses_all_and_is_named),
        TEST (other_errors_name_their_key_too),
        TEST (an_update_that_a_handler_destroys_is_not_committed),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
