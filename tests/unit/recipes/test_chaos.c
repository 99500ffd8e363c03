/* The recipes in chaos (chaos.h), on three servers in this process: leaders die, connections are
 * cut, answers are lost, events held back, disks stall, clocks jump, sessions expire.
 *
 * usage: test-recipes-chaos [SECONDS [SEED [cmocka's name filter]]]. The seed decides the faults;
 * threads and sockets are as they are. */

#include "cohort/test.h"
#include "tests/unit/recipes/chaos.h"

static cohort_test_t *test;
static uint64_t seed = 1;
static int seconds = 3;

static void kill_leader (struct prng *prng)
{
    int leader = cohort_test_kill_leader (test);
    assert_in_range (leader, 0, 2);
    chaos_pause_ms (prng_below (prng, 300));
    assert_int_equal (cohort_test_start (test, (size_t) leader), 0);
}

static void stall_disk (struct prng *prng)
{
    size_t server = (size_t) prng_below (prng, 3);
    assert_int_equal (cohort_test_stall_disk (test, server, 1), 0);
    chaos_pause_ms (prng_below (prng, 100));
    assert_int_equal (cohort_test_stall_disk (test, server, 0), 0);
}

static void hold_events (struct prng *prng, cohort_t *client)
{
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_EVENTS), 0);
    chaos_pause_ms (prng_below (prng, 100));
    assert_int_equal (cohort_fault_hold (client, COHORT_HOLD_NOTHING), 0);
}

static void isolate (struct prng *prng, cohort_t *client)
{
    cohort_fault_isolate (client, 1);
    chaos_pause_ms (prng_below (prng, 400));
    cohort_fault_isolate (client, 0);
}

static void expire (size_t number)
{
    chaos_expires (number);
    int rc = cohort_test_expire (test, chaos_client (number));
    assert_true (rc == 0 || rc == COHORT_ESTATE); /* it was ending already */
}

static void one_fault (struct prng *prng)
{
    size_t number = (size_t) prng_below (prng, chaos_programs ());
    cohort_t *client = chaos_client (number);
    switch (prng_below (prng, 8)) {
    case 0:
        kill_leader (prng);
        break;
    case 1:
        assert_int_equal (cohort_fault_drop_replies (client, 1 + (int) prng_below (prng, 3)), 0);
        break;
    case 2:
        hold_events (prng, client);
        break;
    case 3:
        isolate (prng, client);
        break;
    case 4:
        expire (number);
        break;
    case 5:
        stall_disk (prng);
        break;
    case 6:
        assert_int_equal (cohort_test_step_clock (test, (size_t) prng_below (prng, 3),
                                                  (int64_t) prng_below (prng, 2000) - 1000),
                          0);
        break;
    default:
        cohort_fault_cut (client);
        break;
    }
    chaos_pause_ms (prng_below (prng, 60));
}

static void run_set (const struct chaos_set *set)
{
    cohort_test_options_t options = {.size = sizeof options, .servers = 3};
    test = cohort_test_new (&options);
    assert_non_null (test);
    const struct chaos chaos = {.servers = cohort_test_endpoints (test),
                                .fault = one_fault,
                                .seconds = seconds,
                                .faults_min = 1,
                                .seed = seed};
    const struct chaos_set *const sets[] = {set, NULL};
    chaos_run (&chaos, sets);
    cohort_test_destroy (&test);
}

static void grants (void **state)
{
    (void) state;
    run_set (&chaos_grants);
}

static void shares (void **state)
{
    (void) state;
    run_set (&chaos_shares);
}

static void views (void **state)
{
    (void) state;
    run_set (&chaos_views);
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (grants), cmocka_unit_test (shares),
                                       cmocka_unit_test (views)};
    seconds = argc > 1 ? (int) strtol (argv[1], NULL, 10) : seconds;
    seed = argc > 2 ? strtoull (argv[2], NULL, 10) : seed;
    if (seconds < 1 || argc > 4) {
        fprintf (stderr, "usage: test-recipes-chaos [SECONDS [SEED [NAME*]]]\n");
        return 2;
    }
    if (argc > 3) {
        cmocka_set_test_filter (argv[3]);
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
