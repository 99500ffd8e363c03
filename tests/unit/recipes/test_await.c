/* Waiting for a znode: what passes, when, and what is left. */

#include "cohort/await.h"

#include <stdlib.h>

#include "client/base/prng.h"
#include "tests/unit/recipes/fixture.h"

static cohort_t *client;
static cohort_await_t *waiting;
static int calls, last_rc;

static void on_end (cohort_await_t *self, int rc, const cohort_seen_t *seen, void *arg)
{
    fake_in_handler ();
    assert_ptr_equal (arg, &calls);
    assert_ptr_equal (self, waiting);
    assert_ptr_equal (seen, cohort_await_seen (self));
    assert_int_equal (rc == 0, seen != NULL);
    calls++;
    last_rc = rc;
    trace ("%d %s; ", rc, seen == NULL || seen->data == NULL ? "-" : (const char *) seen->data);
}

static void begin (const char *path, int flags, cohort_await_test_fn *test, void *arg)
{
    waiting = cohort_await_new (client, path, flags, test, arg);
    assert_non_null (waiting);
    cohort_await_set_handler (waiting, on_end, &calls);
}

/* It has ended, once, and nothing is left. */
static void finish (void)
{
    fake_settle (client);
    assert_int_equal (calls, 1);
    assert_int_equal (fake_streams (client), 0);
    assert_int_equal (cohort_await_wait (waiting, 0), last_rc);
    cohort_await_destroy (&waiting);
    cohort_await_destroy (&waiting);
    assert_int_equal (fake_requests (client), 0);
    assert_int_equal (fake_writes (), 0);
}

static int start (void **state)
{
    (void) fake_start (state);
    client = fake_client ();
    calls = 0;
    return 0;
}

static int is_ready (const cohort_seen_t *seen, void *arg)
{
    unsigned *states = arg;
    (*states)++;
    if (seen->exists && strcmp (seen->data, "bad") == 0) {
        return COHORT_ENOTNUMBER;
    }
    return seen->exists && strcmp (seen->data, "ready") == 0;
}

static void what_is_there_passes_in_one_round_trip (void **state)
{
    (void) state;
    fake_create ("/a", "x", 0);
    begin ("/a", 0, cohort_await_test_exists, NULL);
    assert_null (cohort_await_seen (waiting));
    fake_flush (client);
    fake_hold (client, true);
    cohort_dispatch (client, 0);
    assert_trace ("0 x; ");
    assert_int_equal (cohort_await_seen (waiting)->stat.czxid, fake_stat ("/a")->czxid);
    fake_hold (client, false);
    finish ();
    begin ("/b", 0, cohort_await_test_gone, NULL);
    calls = 0;
    finish ();
    assert_trace ("0 -; ");
}

static void until_it_is_there_and_until_it_is_gone (void **state)
{
    (void) state;
    begin ("/a", 0, cohort_await_test_exists, NULL);
    fake_settle (client);
    fake_create ("/other", "", 0);
    fake_settle (client);
    assert_int_equal (cohort_await_wait (waiting, 1), COHORT_ETIMEDOUT);
    assert_int_equal (calls, 0);
    fake_create ("/a", "now", 0);
    fake_delete ("/a"); /* at once: it was there */
    finish ();
    assert_trace ("0 now; ");
    fake_create ("/a", "", 0);
    begin ("/a", 0, cohort_await_test_gone, NULL);
    calls = 0;
    fake_settle (client);
    fake_set ("/a", "x");
    fake_settle (client);
    assert_int_equal (calls, 0);
    fake_delete ("/a");
    fake_create ("/a", "", 0); /* at once: it was gone */
    finish ();
}

static void each_state_of_the_data_is_tested_once (void **state)
{
    (void) state;
    unsigned states = 0;
    fake_create ("/a", "0", 0);
    begin ("/a", 0, is_ready, &states);
    fake_settle (client);
    assert_int_equal (states, 1);
    fake_set ("/a", "1");
    fake_set ("/a", "2");
    fake_delete ("/a");
    fake_create ("/a", "3", 0);
    fake_create ("/a/child", "ready", 0);
    fake_settle (client);
    assert_int_equal (states, 5);
    fake_set ("/a", "ready");
    fake_set ("/a", "4");
    finish ();
    assert_int_equal (states, 6);
    assert_trace ("0 ready; ");
    /* A test can end it. */
    fake_set ("/a", "bad");
    begin ("/a", 0, is_ready, &states);
    calls = 0;
    finish ();
    assert_trace ("-219 -; ");
    assert_int_equal (last_rc, COHORT_ENOTNUMBER);
}

/* What changes between the beginning and the first answer is not lost, in whatever order they come.
 */
static void nothing_is_missed_at_the_beginning (void **state)
{
    (void) state;
    static const enum fake_order orders[] = {FAKE_AS_IT_HAPPENED, FAKE_ANSWERS_FIRST,
                                             FAKE_BATCHES_FIRST};
    for (size_t n = 0; n < 3; n++) {
        for (int at = 0; at < 5; at++) {
            unsigned states = 0;
            (void) start (NULL);
            fake_create ("/a", "0", 0);
            fake_set_order (client, orders[n]);
            begin ("/a", 0, is_ready, &states);
            for (int i = 0; i < at; i++) {
                (void) fake_flush_one (client);
            }
            fake_set ("/a", "ready");
            finish ();
            assert_trace ("0 ready; ");
        }
    }
}

static void fragments_are_one_state (void **state)
{
    (void) state;
    fake_create ("/a", "", 0);
    fake_fragment (client, 1);
    begin ("/a", 0, cohort_await_test_gone, NULL);
    fake_settle (client);
    fake_begin ();
    fake_delete ("/a");
    fake_create ("/a", "again", 0);
    fake_create ("/a/b", "", 0);
    fake_commit ();
    fake_settle (client);
    assert_int_equal (calls, 0); /* after no transaction it was gone */
    fake_begin ();
    fake_set ("/a", "1");
    fake_delete ("/a/b");
    fake_delete ("/a");
    fake_commit ();
    finish ();
}

static void children_are_counted (void **state)
{
    (void) state;
    int count = 2;
    begin ("/a", COHORT_AWAIT_CHILDREN, cohort_await_test_children, &count);
    fake_settle (client);
    fake_create ("/a", "", 0);
    fake_create ("/a/b", "", 0);
    fake_create ("/a/b/c", "", 0);
    fake_settle (client);
    assert_int_equal (calls, 0);
    fake_create ("/a/d", "", 0);
    fake_settle (client);
    assert_int_equal (calls, 1);
    const cohort_seen_t *seen = cohort_await_seen (waiting);
    assert_int_equal (seen->children->count, 2);
    assert_string_equal (seen->children->items[1], "d");
    assert_null (seen->data);
    finish ();
    count = 0;
    begin ("/a", COHORT_AWAIT_CHILDREN, cohort_await_test_children, &count);
    calls = 0;
    fake_settle (client);
    fake_delete ("/a/b/c");
    fake_delete ("/a/b");
    fake_settle (client);
    assert_int_equal (calls, 0);
    fake_delete ("/a/d");
    finish ();
    assert_int_equal (cohort_await_children (client, "/a", 0, -1), 0);
    assert_int_equal (cohort_await_children (client, "/none", 0, -1), 0);
    assert_int_equal (cohort_await_children (client, "/none", 1, 1), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_await_children (client, "/none", -1, 1), COHORT_EINVAL);
}

static void an_absence_is_made_up_for (void **state)
{
    (void) state;
    for (int reset = 0; reset < 2; reset++) {
        (void) start (NULL);
        unsigned states = 0;
        begin ("/a", 0, is_ready, &states);
        fake_settle (client);
        fake_suspend (client);
        fake_create ("/a", "ready", 0);
        assert_int_equal (cohort_await_wait (waiting, 1), COHORT_ETIMEDOUT);
        assert_int_equal (calls, 0);
        fake_resume (client, reset != 0);
        finish ();
        assert_trace ("0 ready; ");
    }
}

/* None of these is a success, and nothing is left. */
static void an_end_is_no_success (void **state)
{
    (void) state;
    begin ("/a", 0, cohort_await_test_exists, NULL);
    fake_settle (client);
    fake_expire (client, false, true);
    finish ();
    assert_int_equal (last_rc, COHORT_ESESSIONEXPIRED);
    /* The next one has a new session. */
    begin ("/a", 0, cohort_await_test_exists, NULL);
    calls = 0;
    fake_settle (client);
    fake_end_streams (client, COHORT_ENOAUTH);
    finish ();
    assert_int_equal (last_rc, COHORT_ENOAUTH);
    for (int skip = 0; skip < 2; skip++) {
        begin ("/a", 0, cohort_await_test_gone, NULL);
        calls = 0;
        (void) fake_flush_one (client); /* the stream */
        if (skip) {
            (void) fake_flush_one (client);
        }
        fake_fail_request (client, COHORT_ENOQUORUM);
        finish ();
        assert_int_equal (last_rc, COHORT_ENOQUORUM);
    }
    trace_text[0] = 0;
    assert_int_equal (cohort_await_exists (client, "/a", 1), COHORT_ETIMEDOUT);
    assert_int_equal (fake_streams (client), 0);
    fake_hold (client, true);
    assert_int_equal (cohort_await_gone (client, "/a", 0), COHORT_ETIMEDOUT);
    assert_int_equal (fake_streams (client), 0);
    fake_hold (client, false);
    fake_settle (client);
    assert_int_equal (cohort_await_gone (client, "/a", -1), 0);
}

static void what_cannot_be_is_refused (void **state)
{
    (void) state;
    assert_null (cohort_await_new (NULL, "/a", 0, cohort_await_test_gone, NULL));
    assert_null (cohort_await_new (client, NULL, 0, cohort_await_test_gone, NULL));
    assert_null (cohort_await_new (client, "/a", 0, NULL, NULL));
    assert_null (cohort_await_new (client, "/a", 2, cohort_await_test_gone, NULL));
    assert_null (cohort_await_new (client, "a", 0, cohort_await_test_gone, NULL));
    assert_int_equal (cohort_await_gone (client, "a", 1), COHORT_EPATH);
    for (int at = 0; at < 2; at++) {
        fake_fail_later_call (client, at, COHORT_ELIMIT);
        assert_int_equal (cohort_await_gone (client, "/a", 1), COHORT_ELIMIT);
        assert_int_equal (fake_streams (client), 0);
    }
    fake_settle (client);
}

static void destroy_inside (cohort_await_t *self, int rc, const cohort_seen_t *seen, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) rc;
    (void) seen;
    (void) arg;
    assert_int_equal (cohort_run (client, 1), COHORT_EDEADLK);
    cohort_await_destroy (&waiting);
}

static void destroyed_inside_its_handler (void **state)
{
    (void) state;
    for (int mode = 0; mode < 3; mode++) {
        (void) start (NULL);
        begin ("/a", 0, cohort_await_test_exists, NULL);
        cohort_await_set_handler (waiting, destroy_inside, NULL);
        if (mode == 0) {
            fake_create ("/a", "", 0);
        } else {
            fake_settle (client);
        }
        if (mode == 1) {
            fake_create ("/a", "", 0);
        } else if (mode == 2) {
            fake_expire (client, false, true);
        }
        assert_int_equal (cohort_await_wait (waiting, -1), COHORT_ECLOSING);
        assert_null (waiting);
        fake_settle (client);
        assert_int_equal (fake_streams (client), 0);
    }
}

/* ---- Random operations ----------------------------------------------------------------------- */

#define LAST 200

static int last_seen;

/* Each transaction that concerns the znode makes the next number; a gap is what is missed. */
static int counts (const cohort_seen_t *seen, void *arg)
{
    (void) arg;
    if (!seen->exists && last_seen < 0) {
        return 0;
    }
    int number = seen->exists ? (int) strtol (seen->data, NULL, 10) : last_seen + 1;
    assert_true (last_seen < 0 || number == last_seen + 1);
    last_seen = number;
    return number >= LAST;
}

static void change (struct prng *prng, int *number)
{
    char text[16];
    ++*number;
    snprintf (text, sizeof (text), "%d", *number);
    if (fake_data ("/a") == NULL) {
        fake_create ("/a", text, 0);
    } else if (*number < LAST && prng_chance (prng, 1, 4)) {
        fake_delete ("/a");
    } else {
        fake_set ("/a", text);
    }
}

static void no_state_is_missed (void **state)
{
    const char *fixed = getenv ("COHORT_SEED");
    uint64_t from = fixed == NULL ? 1 : strtoull (fixed, NULL, 10);
    for (uint64_t seed = from; seed <= (fixed == NULL ? 50 : from); seed++) {
        struct prng prng;
        int number = 0;
        (void) start (state);
        print_message ("seed %llu (COHORT_SEED)\n", (unsigned long long) seed);
        prng_seed (&prng, seed);
        fake_fragment (client, prng_below (&prng, 3));
        last_seen = -1;
        begin ("/a", 0, counts, NULL);
        while (number < LAST) {
            uint64_t what = prng_below (&prng, 20);
            if (what < 8) {
                change (&prng, &number);
            } else if (what < 12) {
                (void) fake_flush_one (client);
            } else if (what < 18) {
                (void) cohort_dispatch (client, 1);
            } else if (cohort_state (client) == COHORT_SUSPENDED) {
                fake_resume (client, false);
            } else {
                fake_suspend (client);
            }
        }
        if (cohort_state (client) == COHORT_SUSPENDED) {
            fake_resume (client, false);
        }
        finish ();
        assert_int_equal (last_seen, LAST);
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (what_is_there_passes_in_one_round_trip),
        TEST (until_it_is_there_and_until_it_is_gone),
        TEST (each_state_of_the_data_is_tested_once),
        TEST (nothing_is_missed_at_the_beginning),
        TEST (fragments_are_one_state),
        TEST (children_are_counted),
        TEST (an_absence_is_made_up_for),
        TEST (an_end_is_no_success),
        TEST (what_cannot_be_is_refused),
        TEST (destroyed_inside_its_handler),
        TEST (no_state_is_missed),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
