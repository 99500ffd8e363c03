/* Waiting for znodes with the real client and a real server in this process. */

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/recipes/live.h"

#define LAST 120

static cohort_t *writer, *reader;

static int start (void **state)
{
    assert_int_equal (live_start (state), 0);
    writer = live_client ();
    reader = live_client ();
    return 0;
}

static int stop (void **state)
{
    cohort_destroy (&writer);
    cohort_destroy (&reader);
    return live_stop (state);
}

static void create (const char *path)
{
    assert_int_equal (cohort_create (writer, path, "", 0, COHORT_PERSISTENT, NULL, NULL, NULL), 0);
}

static void what_was_written_before_is_seen (void **state)
{
    (void) state;
    assert_int_equal (cohort_await_gone (reader, "/a", LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_await_exists (reader, "/a", 10), COHORT_ETIMEDOUT);
    for (int i = 0; i < 20; i++) {
        create ("/a");
        assert_int_equal (cohort_await_exists (reader, "/a", LIVE_LIMIT_MS), 0);
        assert_int_equal (cohort_delete (writer, "/a", COHORT_ANY_VERSION), 0);
        assert_int_equal (cohort_await_gone (reader, "/a", LIVE_LIMIT_MS), 0);
    }
}

static void what_is_written_later_is_seen (void **state)
{
    (void) state;
    int two = 2;
    cohort_await_t *exists = cohort_await_new (reader, "/a", 0, cohort_await_test_exists, NULL);
    cohort_await_t *children =
        cohort_await_new (reader, "/a", COHORT_AWAIT_CHILDREN, cohort_await_test_children, &two);
    assert_int_equal (cohort_await_wait (exists, 10), COHORT_ETIMEDOUT);
    create ("/a");
    create ("/a/b");
    assert_int_equal (cohort_await_wait (exists, LIVE_LIMIT_MS), 0);
    assert_int_equal (cohort_await_wait (children, 10), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_server_crash (live_server), 0);
    assert_int_equal (cohort_server_start (live_server), 0);
    create ("/a/c");
    assert_int_equal (cohort_await_wait (children, LIVE_LIMIT_MS), 0);
    const cohort_seen_t *seen = cohort_await_seen (children);
    assert_int_equal (seen->children->count, 2);
    assert_string_equal (seen->children->items[0], "b");
    assert_string_equal (seen->children->items[1], "c");
    cohort_await_destroy (&exists);
    cohort_await_destroy (&children);
}

static int last_seen;

/* A gap is what is missed. */
static int counts (const cohort_seen_t *seen, void *arg)
{
    (void) arg;
    int number = seen->exists && seen->size > 0 ? (int) strtol (seen->data, NULL, 10) : 0;
    assert_true (last_seen < 0 || number == last_seen + 1);
    last_seen = number;
    return number == LAST;
}

static void no_state_is_missed (void **state)
{
    (void) state;
    char text[16];
    last_seen = -1;
    create ("/a");
    cohort_await_t *await = cohort_await_new (reader, "/a", 0, counts, NULL);
    assert_int_equal (cohort_await_wait (await, 20), COHORT_ETIMEDOUT);
    for (int i = 1; i <= LAST; i++) {
        int size = snprintf (text, sizeof (text), "%d", i);
        assert_int_equal (cohort_set (writer, "/a", text, (size_t) size, COHORT_ANY_VERSION, NULL),
                          0);
        if (i % 40 == 10) {
            assert_int_equal (cohort_server_crash (live_server), 0);
            assert_int_equal (cohort_server_start (live_server), 0);
        }
        assert_true (cohort_run (reader, 0) >= 0);
    }
    assert_int_equal (cohort_await_wait (await, LIVE_LIMIT_MS), 0);
    assert_int_equal (last_seen, LAST);
    cohort_await_destroy (&await);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST (what_was_written_before_is_seen),
        TEST (what_is_written_later_is_seen),
        TEST (no_state_is_missed),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
