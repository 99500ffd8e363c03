/* Cells: what is written, what is refused, and what is heard of it. */

#include "cohort/cell.h"

#include "tests/unit/recipes/fixture.h"

static void on_event (cohort_cell_t *self, const cohort_cell_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    cohort_cell_value_t value;
    switch (event->kind) {
    case COHORT_CELL_CHANGED:
        assert_int_equal (cohort_cell_get (self, &value), 0);
        assert_int_equal (value.mzxid, event->value.mzxid);
        trace ("changed %s; ", (const char *) event->value.data);
        break;
    case COHORT_CELL_REMOVED:
        assert_int_equal (cohort_cell_get (self, &value), COHORT_ENONODE);
        trace ("removed; ");
        break;
    case COHORT_CELL_SYNCED:
        trace ("synced; ");
        break;
    case COHORT_CELL_LOST:
        trace ("lost; ");
        break;
    case COHORT_CELL_ERROR:
        trace ("error %d; ", event->rc);
        break;
    }
}

static void on_result (cohort_cell_t *self, const cohort_cell_result_t *result, void *arg)
{
    fake_in_handler ();
    (void) self;
    trace ("%s %d", (const char *) arg, result->rc);
    if (result->rc == 0 && result->sum != 0) {
        trace (" = %lld", (long long) result->sum);
    }
    trace ("; ");
}

static cohort_cell_t *cell_at (cohort_t *client, const char *path)
{
    cohort_cell_t *self = cohort_cell_new (client, path);
    assert_non_null (self);
    cohort_cell_set_handler (self, on_event, NULL);
    return self;
}

static int set_async (cohort_cell_t *self, const char *data)
{
    return cohort_cell_set_async (self, data, strlen (data), on_result, (void *) data);
}

static int add_async (cohort_cell_t *self, int64_t delta)
{
    return cohort_cell_add_async (self, delta, INT64_MIN, INT64_MAX, on_result, "add");
}

static int cas (cohort_cell_t *self, uint64_t *mzxid, const char *data)
{
    return cohort_cell_cas (self, *mzxid, data, strlen (data), -1, mzxid);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void follows_the_value (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    cohort_cell_value_t value;
    assert_int_equal (cohort_cell_get (self, &value), COHORT_ESTATE);
    assert_int_equal (cohort_cell_stale_ms (self), -1);
    fake_set_valid_ms (client, 1);
    fake_create ("/other", "", 0);
    assert_int_equal (cohort_cell_wait (self, -1), 0);
    assert_int_equal (cohort_cell_get (self, &value), COHORT_ENONODE);
    assert_int_equal (cohort_cell_stale_ms (self), 0);
    fake_create ("/c", "1", 0);
    fake_set ("/c", "2");
    fake_create ("/c/child", "is not the cell", 0);
    fake_delete ("/c/child");
    fake_delete ("/c");
    fake_settle (client);
    assert_trace ("synced; changed 1; changed 2; removed; ");
    fake_create ("/c", "3", 0);
    fake_settle (client);
    assert_int_equal (cohort_cell_get (self, &value), 0);
    assert_int_equal (value.size, 1);
    assert_int_equal (value.mzxid, fake_stat ("/c")->mzxid);
    assert_int_equal (fake_writes (), 0);
    assert_string_equal (cohort_cell_path (self), "/c");
    cohort_cell_destroy (&self);
    assert_null (self);
}

static void a_value_recreated_while_away_is_one_change (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/c", "same", 0);
    cohort_cell_t *self = cell_at (client, "/c");
    assert_int_equal (cohort_cell_wait (self, -1), 0);
    assert_trace ("changed same; synced; ");
    fake_suspend (client);
    assert_int_equal (cohort_cell_stale_ms (self) > 0, 1);
    fake_delete ("/c");
    fake_create ("/c", "same", 0);
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("changed same; synced; ");
    cohort_cell_destroy (&self);
}

static void reads_numbers (void **state)
{
    (void) state;
    const struct {
        const char *text;
        int rc;
        int64_t number;
    } cases[] = {{"", 0, 0},
                 {"0", 0, 0},
                 {"-7", 0, -7},
                 {"007", 0, 7},
                 {"9223372036854775807", 0, INT64_MAX},
                 {"-9223372036854775808", 0, INT64_MIN},
                 {"9223372036854775808", COHORT_ENOTNUMBER, 0},
                 {"-9223372036854775809", COHORT_ENOTNUMBER, 0},
                 {"-", COHORT_ENOTNUMBER, 0},
                 {"+1", COHORT_ENOTNUMBER, 0},
                 {" 1", COHORT_ENOTNUMBER, 0},
                 {"1\n", COHORT_ENOTNUMBER, 0},
                 {"eleven", COHORT_ENOTNUMBER, 0}};
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    int64_t number;
    assert_int_equal (cohort_cell_number (self, &number), COHORT_ESTATE);
    fake_create ("/c", "", 0);
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        fake_set ("/c", cases[i].text);
        fake_settle (client);
        number = 0;
        assert_int_equal (cohort_cell_number (self, &number), cases[i].rc);
        assert_true (number == cases[i].number);
    }
    cohort_cell_destroy (&self);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void adds_in_one_round_trip (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/game/season/tickets");
    int64_t sum = 0;
    /* The first one makes what is missing. */
    assert_int_equal (cohort_cell_add (self, 5, 0, 9, -1, &sum), 0);
    assert_int_equal (sum, 5);
    size_t before = fake_writes ();
    assert_int_equal (cohort_cell_add (self, -2, 0, 9, -1, &sum), 0);
    assert_int_equal (sum, 3);
    assert_int_equal (fake_writes () - before, 1);
    assert_int_equal (cohort_cell_add (self, -4, 0, 9, -1, &sum), COHORT_EBOUNDS);
    assert_int_equal (cohort_cell_add (self, 7, 0, 9, -1, &sum), COHORT_EBOUNDS);
    assert_int_equal (cohort_cell_add (self, 1, 2, 1, -1, &sum), COHORT_EINVAL);
    assert_int_equal (sum, 3);
    assert_string_equal (fake_data ("/game/season/tickets"), "3");
    assert_int_equal (cohort_cell_number (self, &sum), 0);
    assert_int_equal (sum, 3);
    fake_set ("/game/season/tickets", "many");
    assert_int_equal (cohort_cell_add (self, 1, 0, 9, -1, NULL), COHORT_ENOTNUMBER);
    cohort_cell_destroy (&self);
}

static void a_sum_out_of_bounds_creates_nothing (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/a/b");
    assert_int_equal (cohort_cell_add (self, -1, 0, 9, -1, NULL), COHORT_EBOUNDS);
    assert_null (fake_data ("/a"));
    cohort_cell_destroy (&self);
}

static void sets_and_compares (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/a/b");
    uint64_t mzxid = 0, first;
    assert_int_equal (cas (self, &mzxid, "one"), 0);
    first = mzxid;
    assert_int_equal (mzxid, fake_stat ("/a/b")->mzxid);
    assert_int_equal (cas (self, &mzxid, "two"), 0);
    assert_int_equal (mzxid, fake_stat ("/a/b")->mzxid);
    /* The copy shows that this value is gone: no round trip. */
    size_t before = fake_writes ();
    assert_int_equal (cas (self, &first, "three"), COHORT_EBADVERSION);
    assert_int_equal (fake_writes (), before);
    /* There is a value. */
    first = 0;
    assert_int_equal (cas (self, &first, "three"), COHORT_EBADVERSION);
    assert_int_equal (cohort_cell_set (self, "four", 4, -1, &mzxid), 0);
    assert_int_equal (mzxid, fake_stat ("/a/b")->mzxid);
    assert_string_equal (fake_data ("/a/b"), "four");
    assert_int_equal (cohort_cell_set (self, NULL, 1, -1, NULL), COHORT_EINVAL);
    cohort_cell_destroy (&self);
}

static void set_makes_what_is_missing (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/a/b");
    assert_int_equal (cohort_cell_set (self, "x", 1, -1, NULL), 0);
    assert_string_equal (fake_data ("/a/b"), "x");
    assert_int_equal (fake_stat ("/a/b")->ephemeral_owner, 0);
    cohort_cell_destroy (&self);
}

/* Versions begin again: a recreated znode has the same one. */
static void a_recreated_value_is_another (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    uint64_t mzxid = 0;
    assert_int_equal (cas (self, &mzxid, "one"), 0);
    assert_int_equal (cohort_cell_cas_async (self, mzxid, "two", 3, on_result, "two"), 0);
    fake_delete ("/c");
    fake_create ("/c", "one", 0);
    trace_text[0] = 0;
    fake_settle (client);
    assert_trace ("removed; changed one; two -103; ");
    mzxid = fake_stat ("/c")->mzxid;
    assert_int_equal (cohort_cell_cas_async (self, mzxid, "two", 3, on_result, "two"), 0);
    fake_delete ("/c");
    fake_settle (client);
    assert_trace ("removed; two -103; ");
    cohort_cell_destroy (&self);
}

/* Its caller has it from elsewhere, and the copy is behind. */
static void a_value_that_the_copy_does_not_have_yet_is_read (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    fake_create ("/c", "one", 0);
    uint64_t mzxid = fake_stat ("/c")->mzxid;
    assert_int_equal (cohort_cell_cas_async (self, mzxid, "two", 3, on_result, "two"), 0);
    assert_int_equal (cohort_cell_cas_async (self, mzxid + 9, "no", 2, on_result, "no"), 0);
    fake_settle (client);
    assert_trace ("changed one; synced; no -103; changed two; two 0; ");
    fake_delete ("/c");
    mzxid = fake_zxid () + 5;
    assert_int_equal (cohort_cell_cas_async (self, mzxid, "no", 2, on_result, "no"), 0);
    fake_settle (client);
    assert_trace ("removed; no -103; ");
    cohort_cell_destroy (&self);
}

static void concurrent_writers_lose_nothing (void **state)
{
    (void) state;
    cohort_t *clients[] = {fake_client (), fake_client ()};
    cohort_cell_t *cells[] = {cohort_cell_new (clients[0], "/c"),
                              cohort_cell_new (clients[1], "/c")};
    int64_t sum = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal (cohort_cell_add_async (cells[i % 2], 1, INT64_MIN, INT64_MAX, NULL, NULL),
                          0);
        if (i % 3 == 0) {
            fake_flush (clients[i % 2]);
        }
    }
    fake_settle (clients[0]);
    fake_settle (clients[1]);
    fake_settle (clients[0]);
    assert_int_equal (cohort_cell_number (cells[0], &sum), 0);
    assert_int_equal (sum, 20);
    uint64_t mine = fake_stat ("/c")->mzxid, yours = mine;
    assert_int_equal (cas (cells[0], &mine, "1"), 0);
    assert_int_equal (cas (cells[1], &yours, "2"), COHORT_EBADVERSION);
    cohort_cell_destroy (&cells[0]);
    cohort_cell_destroy (&cells[1]);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void errors_are_reported (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    assert_null (cohort_cell_new (NULL, "/c"));
    assert_null (cohort_cell_new (client, NULL));
    assert_null (cohort_cell_new (client, "c"));
    fake_fail_call (client, COHORT_ETOOBIG);
    assert_int_equal (set_async (self, "x"), COHORT_ETOOBIG);
    fake_settle (client);
    fake_fail_request (client, COHORT_ENOAUTH);
    assert_int_equal (set_async (self, "x"), 0);
    fake_settle (client);
    assert_trace ("synced; x -102; ");
    /* At the second step. */
    assert_int_equal (add_async (self, 1), 0);
    fake_flush (client);
    fake_fail_call (client, COHORT_ELIMIT);
    fake_settle (client);
    assert_trace ("add -214; ");
    fake_create ("/c", "", 0);
    uint64_t mzxid = fake_stat ("/c")->mzxid;
    assert_int_equal (cohort_cell_cas_async (self, mzxid, "y", 1, on_result, "y"), 0);
    fake_flush (client);
    fake_fail_call (client, COHORT_ELIMIT);
    fake_settle (client);
    assert_trace ("changed ; y -214; ");
    cohort_cell_destroy (&self);
}

static void a_time_out_leaves_the_write_behind (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    assert_int_equal (cohort_cell_wait (self, -1), 0);
    fake_suspend (client);
    assert_int_equal (cohort_cell_add (self, 1, 0, 9, 1, NULL), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_cell_set (self, "1", 1, 0, NULL), COHORT_ETIMEDOUT);
    uint64_t mzxid = 5;
    assert_int_equal (cohort_cell_cas (self, mzxid, "x", 1, 1, NULL), COHORT_ETIMEDOUT);
    fake_resume (client, false);
    fake_settle (client);
    assert_string_equal (fake_data ("/c"), "1");
    cohort_cell_destroy (&self);
}

static void the_end_of_the_session_leaves_the_outcome_open (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    assert_int_equal (cohort_cell_wait (self, -1), 0);
    assert_int_equal (set_async (self, "x"), 0);
    fake_create ("/c", "", 0);
    fake_settle (client);
    trace_text[0] = 0;
    assert_int_equal (add_async (self, 1), 0);
    fake_set ("/c", "4");
    fake_expire (client, true, true);
    fake_settle (client);
    /* It took effect: the cell shows it. */
    assert_trace ("changed 4; changed 5; add -112; lost; synced; ");
    assert_int_equal (fake_renewals (), 1);
    int64_t sum;
    assert_int_equal (cohort_cell_add (self, 1, 0, 9, -1, &sum), 0);
    assert_int_equal (sum, 6);
    cohort_cell_destroy (&self);
}

static void a_write_after_the_end_begins_a_session (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_cell_t *self = cell_at (client, "/c");
    assert_int_equal (cohort_cell_wait (self, -1), 0);
    fake_expire (client, false, true);
    fake_fail_call (client, COHORT_ESESSIONEXPIRED);
    assert_int_equal (set_async (self, "x"), 0);
    fake_settle (client);
    assert_string_equal (fake_data ("/c"), "x");
    assert_int_equal (fake_renewals (), 1);
    fake_expire (client, false, true);
    fake_fail_call (client, COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_cell_cas_async (self, 99, "y", 1, on_result, "y"), 0);
    fake_settle (client);
    assert_int_equal (fake_renewals (), 2);
    fake_refuse_session (client);
    fake_expire (client, false, true);
    trace_text[0] = 0;
    fake_settle (client);
    fake_settle (client);
    assert_trace ("lost; lost; error -112; ");
    assert_int_equal (cohort_cell_wait (self, 1), COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_cell_retry (self), 0);
    assert_int_equal (cohort_cell_wait (self, -1), 0);
    cohort_cell_destroy (&self);
}

/* ---- Destruction ----------------------------------------------------------------------------- */

static cohort_cell_t *doomed;

static void destroy_in_result (cohort_cell_t *self, const cohort_cell_result_t *result, void *arg)
{
    fake_in_handler ();
    (void) arg;
    assert_ptr_equal (self, doomed);
    assert_int_equal (result->rc, 0);
    assert_int_equal (cohort_cell_add (self, 1, 0, 9, 1, NULL), COHORT_EDEADLK);
    assert_int_equal (cohort_cell_wait (self, 1), 0);
    cohort_cell_destroy (&doomed);
}

static void destroy_in_event (cohort_cell_t *self, const cohort_cell_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) event;
    (void) arg;
    cohort_cell_destroy (&doomed);
}

static void destroyed_inside_its_handlers (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    doomed = cohort_cell_new (client, "/c");
    assert_int_equal (cohort_cell_wait (doomed, -1), 0);
    size_t before = fake_writes ();
    assert_int_equal (cohort_cell_set_async (doomed, "1", 1, destroy_in_result, NULL), 0);
    fake_settle (client);
    assert_null (doomed);
    /* The addition inside a handler was not sent; a set of what is missing takes two. */
    assert_int_equal (fake_writes () - before, 2);
    doomed = cohort_cell_new (client, "/c");
    cohort_cell_set_handler (doomed, destroy_in_event, NULL);
    assert_int_equal (cohort_cell_add (doomed, 1, 0, 9, -1, NULL), COHORT_ECLOSING);
    assert_null (doomed);
    /* While an answer is waited for. */
    doomed = cohort_cell_new (client, "/c");
    assert_int_equal (cohort_cell_wait (doomed, -1), 0);
    cohort_cell_set_handler (doomed, destroy_in_event, NULL);
    fake_hold (client, true);
    fake_set ("/c", "8");
    assert_int_equal (cohort_cell_add (doomed, 1, 0, 9, -1, NULL), COHORT_ECLOSING);
    fake_hold (client, false);
    fake_settle (client);
}

static void destroyed_with_writes_on_their_way (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    for (int flushed = 0; flushed < 6; flushed++) {
        cohort_cell_t *self = cell_at (client, "/a/c");
        assert_int_equal (set_async (self, "1"), 0);
        assert_int_equal (add_async (self, 1), 0);
        assert_int_equal (cohort_cell_cas_async (self, 7, "7", 1, on_result, "7"), 0);
        for (int i = 0; i < flushed; i++) {
            (void) fake_flush_one (client);
        }
        cohort_cell_destroy (&self);
        fake_settle (client);
        assert_trace ("");
    }
    cohort_cell_t *none = NULL;
    cohort_cell_destroy (&none);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (follows_the_value),
        TEST (a_value_recreated_while_away_is_one_change),
        TEST (reads_numbers),
        TEST (adds_in_one_round_trip),
        TEST (a_sum_out_of_bounds_creates_nothing),
        TEST (sets_and_compares),
        TEST (set_makes_what_is_missing),
        TEST (a_recreated_value_is_another),
        TEST (a_value_that_the_copy_does_not_have_yet_is_read),
        TEST (concurrent_writers_lose_nothing),
        TEST (errors_are_reported),
        TEST (a_time_out_leaves_the_write_behind),
        TEST (the_end_of_the_session_leaves_the_outcome_open),
        TEST (a_write_after_the_end_begins_a_session),
        TEST (destroyed_inside_its_handlers),
        TEST (destroyed_with_writes_on_their_way),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
