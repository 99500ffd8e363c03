/* How long a quorum takes for what a server's own disk owes, as it is seen from outside. */

#include "tests/unit/unit.h"

#include "tests/simulation/debts.h"

static struct debts debts;

static int setup (void **state)
{
    (void) state;
    debts_init (&debts, 10, 10);
    return 0;
}

static void test_nothing_owed (void **state)
{
    (void) state;
    debts_look (&debts, 12, 10, 10, 100);
    debts_look (&debts, 12, 12, 10, 200); /* its own disk was first */
    debts_look (&debts, 12, 12, 12, 300);
    assert_int_equal (debts_took_ms (&debts), 0);
}

static void test_of_the_oldest (void **state)
{
    (void) state;
    debts_look (&debts, 12, 10, 10, 100);
    debts_look (&debts, 14, 10, 10, 150);
    debts_look (&debts, 14, 10, 12, 400);
    assert_int_equal (debts_took_ms (&debts), 300);
    debts_look (&debts, 14, 10, 14, 450); /* 300 again, for it came 50 later */
    assert_int_equal (debts_took_ms (&debts), 300);
    debts_look (&debts, 16, 14, 14, 500);
    debts_look (&debts, 16, 14, 16, 510);
    debts_look (&debts, 18, 16, 16, 520);
    debts_look (&debts, 18, 16, 18, 540); /* of the last two */
    assert_int_equal (debts_took_ms (&debts), 20);
}

/* What a learner is told of has long been committed. */
static void test_known_before (void **state)
{
    (void) state;
    debts_look (&debts, 10, 10, 20, 100);
    debts_look (&debts, 15, 10, 20, 200);
    debts_look (&debts, 18, 10, 21, 900);
    assert_int_equal (debts_took_ms (&debts), 0);
}

static void test_cut_off (void **state)
{
    (void) state;
    debts_look (&debts, 14, 10, 10, 100);
    debts_look (&debts, 10, 10, 10, 200);
    debts_look (&debts, 14, 10, 10, 300);
    debts_look (&debts, 14, 10, 14, 350);
    assert_int_equal (debts_took_ms (&debts), 50);
}

static void test_more_than_it_keeps (void **state)
{
    (void) state;
    for (unsigned i = 1; i <= 2 * DEBTS_MAX; i++) {
        debts_look (&debts, 10 + i, 10, 10, 100 + i);
    }
    debts_look (&debts, 10 + 2 * DEBTS_MAX, 10 + DEBTS_MAX, 10 + 2 * DEBTS_MAX, 1000);
    assert_int_equal (debts_took_ms (&debts), 900 - DEBTS_MAX); /* when the last of those came */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup (test_nothing_owed, setup),
        cmocka_unit_test_setup (test_of_the_oldest, setup),
        cmocka_unit_test_setup (test_known_before, setup),
        cmocka_unit_test_setup (test_cut_off, setup),
        cmocka_unit_test_setup (test_more_than_it_keeps, setup),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
