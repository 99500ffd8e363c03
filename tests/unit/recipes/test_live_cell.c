/* Cells with the real client and a real server in this process. */

#include <string.h>

#include "tests/unit/recipes/live.h"

#define CLIENTS   4
#define ADDITIONS 50

static int done;

static void count_results (cohort_cell_t *self, const cohort_cell_result_t *result, void *arg)
{
    (void) self;
    (void) arg;
    assert_int_equal (result->rc, 0);
    done++;
}

static void every_addition_counts_once_through_a_crash (void **state)
{
    (void) state;
    cohort_t *clients[CLIENTS];
    cohort_cell_t *cells[CLIENTS];
    done = 0;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = live_client ();
        cells[i] = cohort_cell_new (clients[i], "/game/visits");
        assert_int_equal (cohort_cell_wait (cells[i], LIVE_LIMIT_MS), 0);
    }
    for (int n = 0; n < ADDITIONS; n++) {
        for (int i = 0; i < CLIENTS; i++) {
            assert_int_equal (
                cohort_cell_add_async (cells[i], 1, 0, INT64_MAX, count_results, NULL), 0);
        }
        if (n == ADDITIONS / 2) {
            assert_int_equal (cohort_server_crash (live_server), 0);
            assert_int_equal (cohort_server_start (live_server), 0);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        live_until (clients[i], done >= ADDITIONS * (i + 1));
    }
    int64_t sum = 0;
    live_until (clients[0], cohort_cell_number (cells[0], &sum) == 0 && sum == CLIENTS * ADDITIONS);
    for (int i = 0; i < CLIENTS; i++) {
        cohort_cell_destroy (&cells[i]);
        cohort_destroy (&clients[i]);
    }
}

static void only_one_of_two_takes_the_last_ticket (void **state)
{
    (void) state;
    cohort_t *a = live_client (), *b = live_client ();
    cohort_cell_t *mine = cohort_cell_new (a, "/tickets"), *yours = cohort_cell_new (b, "/tickets");
    int64_t left = -1;
    assert_int_equal (cohort_cell_add (mine, 1, 0, 1, LIVE_LIMIT_MS, &left), 0);
    assert_int_equal (cohort_cell_add (yours, 1, 0, 1, LIVE_LIMIT_MS, &left), COHORT_EBOUNDS);
    assert_int_equal (cohort_cell_add (yours, -1, 0, 1, LIVE_LIMIT_MS, &left), 0);
    assert_int_equal (left, 0);
    assert_int_equal (cohort_cell_add (mine, -1, 0, 1, LIVE_LIMIT_MS, &left), COHORT_EBOUNDS);
    cohort_cell_destroy (&mine);
    cohort_cell_destroy (&yours);
    cohort_destroy (&a);
    cohort_destroy (&b);
}

/* Every version is 0: only the mzxid tells the values apart. */
static void compares_the_value_that_is_meant (void **state)
{
    (void) state;
    cohort_t *client = live_client ();
    cohort_cell_t *cell = cohort_cell_new (client, "/a/b/c");
    uint64_t first, second;
    assert_int_equal (cohort_cell_cas (cell, 0, "x", 1, LIVE_LIMIT_MS, &first), 0);
    assert_int_equal (cohort_delete (client, "/a/b/c", 0), 0);
    assert_int_equal (cohort_cell_cas (cell, first, "y", 1, LIVE_LIMIT_MS, NULL),
                      COHORT_EBADVERSION);
    assert_int_equal (cohort_cell_cas (cell, 0, "x", 1, LIVE_LIMIT_MS, &second), 0);
    assert_true (second > first);
    assert_int_equal (cohort_cell_cas (cell, first, "y", 1, LIVE_LIMIT_MS, NULL),
                      COHORT_EBADVERSION);
    assert_int_equal (cohort_cell_cas (cell, second, "y", 1, LIVE_LIMIT_MS, NULL), 0);
    cohort_cell_value_t value;
    live_until (client, cohort_cell_get (cell, &value) == 0 && strcmp (value.data, "y") == 0);
    assert_int_equal (cohort_cell_cas (cell, 0, "z", 1, LIVE_LIMIT_MS, NULL), COHORT_EBADVERSION);
    assert_int_equal (cohort_cell_set (cell, "w", 1, LIVE_LIMIT_MS, &first), 0);
    assert_int_equal (cohort_cell_cas (cell, first, "v", 1, LIVE_LIMIT_MS, NULL), 0);
    cohort_cell_destroy (&cell);
    cohort_destroy (&client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, live_start, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (every_addition_counts_once_through_a_crash),
        TEST (only_one_of_two_takes_the_last_ticket),
        TEST (compares_the_value_that_is_meant),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
