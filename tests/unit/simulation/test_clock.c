/* The clock of a simulated machine. */

#include "tests/simulation/clock.h"
#include "tests/unit/unit.h"

static void test_true_time (void **state)
{
    struct sim_clock clock;
    (void) state;
    clock_init (&clock, 10, 1000, 5000);
    assert_int_equal (clock_local_ms (&clock, 10), 1000);
    assert_int_equal (clock_local_ms (&clock, 25), 1015);
    assert_int_equal (clock_wall_ms (&clock, 25), 5015);
    assert_int_equal (clock_when_ms (&clock, 1015), 25);
    assert_int_equal (clock_when_ms (&clock, 900), 10);
    assert_int_equal (clock_when_ms (&clock, INT64_MAX), INT64_MAX);
}

/* The moment that is told is the first at which the clock shows as much: at any rate. */
static void test_rates (void **state)
{
    static const int32_t rates[] = {-CLOCK_PPM_MAX, -30000, -1, 1, 30000, CLOCK_PPM_MAX};
    (void) state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct sim_clock clock;
        clock_init (&clock, 0, 0, 0);
        clock_set_rate (&clock, 0, rates[i]);
        for (int64_t local_ms = 1; local_ms < 3000; local_ms++) {
            int64_t world_ms = clock_when_ms (&clock, local_ms);
            assert_true (clock_local_ms (&clock, world_ms) >= local_ms);
            assert_true (clock_local_ms (&clock, world_ms - 1) < local_ms);
        }
    }
}

static void test_never_back (void **state)
{
    struct sim_clock clock;
    int64_t last_ms = 0;
    (void) state;
    clock_init (&clock, 0, 0, 0);
    for (int64_t world_ms = 0; world_ms < 5000; world_ms++) {
        if (world_ms % 7 == 0) {
            clock_set_rate (&clock, world_ms, (int32_t) (world_ms % 11 - 5) * 20000);
        }
        assert_true (clock_local_ms (&clock, world_ms) >= last_ms);
        last_ms = clock_local_ms (&clock, world_ms);
    }
    assert_true (last_ms > 4000 && last_ms < 6000);
}

static void test_stands_still (void **state)
{
    struct sim_clock clock;
    (void) state;
    clock_init (&clock, 0, 100, 100);
    clock_stop (&clock, 50, true);
    assert_int_equal (clock_local_ms (&clock, 90), 150);
    assert_int_equal (clock_when_ms (&clock, 151), INT64_MAX);
    clock_stop (&clock, 90, false);
    assert_int_equal (clock_local_ms (&clock, 100), 160);
}

static void test_date_jumps (void **state)
{
    struct sim_clock clock;
    (void) state;
    clock_init (&clock, 0, 100, 5000);
    clock_step_wall (&clock, -4000);
    assert_int_equal (clock_wall_ms (&clock, 10), 1010);
    assert_int_equal (clock_local_ms (&clock, 10), 110);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_true_time),  cmocka_unit_test (test_rates),
        cmocka_unit_test (test_never_back), cmocka_unit_test (test_stands_still),
        cmocka_unit_test (test_date_jumps),
    };
    return cmocka_run_group_tests_name ("clock", tests, NULL, NULL);
}
