/* The recipes in chaos (tests/unit/recipes/chaos.h), on three real servers: processes whose leader
 * is killed every few seconds, and started again. After each time everything is granted again.
 *
 * usage: test-cluster-recipes COHORTD [SECONDS [SEED]] */

#include <signal.h>

#include "tests/cluster/ensemble.h"
#include "tests/unit/recipes/chaos.h"

enum { START_MS = 60000, KILLS_MIN = 3 };

static const char *cohortd;
static struct ensemble ensemble;
static uint64_t seed = 1;
static int seconds = 5;
static bool finished;

static int set_up (void **state)
{
    (void) state;
    ensemble_init (&ensemble, cohortd, 3, "");
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    return 0;
}

/* The other two go on without it, and the three with it. */
static void kill_leader (struct prng *prng)
{
    size_t leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    ensemble_signal (&ensemble, leader, SIGKILL);
    chaos_pause_ms (prng_below (prng, 500));
    chaos_await_grants ();
    ensemble_start (&ensemble, leader);
    chaos_pause_ms (prng_below (prng, 1500));
    chaos_await_grants ();
}

static void test_recipes_while_leaders_are_killed (void **state)
{
    (void) state;
    const struct chaos chaos = {.servers = ensemble.list,
                                .fault = kill_leader,
                                .seconds = seconds,
                                .faults_min = KILLS_MIN,
                                .seed = seed};
    const struct chaos_set *const sets[] = {&chaos_grants, &chaos_shares, &chaos_views, NULL};
    chaos_run (&chaos, sets);
    ensemble_wait_equal (&ensemble, START_MS);
    finished = true;
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_recipes_while_leaders_are_killed, set_up, tear_down)};
    cohortd = argc > 1 ? argv[1] : NULL;
    seconds = argc > 2 ? (int) strtol (argv[2], NULL, 10) : seconds;
    seed = argc > 3 ? strtoull (argv[3], NULL, 10) : seed;
    if (argc < 2 || argc > 4 || seconds < 1) {
        fprintf (stderr, "usage: test-cluster-recipes COHORTD [SECONDS [SEED]]\n");
        return 2;
    }
    return cmocka_run_group_tests (tests, NULL, NULL);
}
