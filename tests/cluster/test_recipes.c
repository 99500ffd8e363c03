/* The recipes in chaos (tests/unit/recipes/chaos.h), on three real servers: processes whose leader
 * is killed every few seconds, and started again; or whose connections carry one way only. After
 * each time everything is granted again.
 *
 * usage: test-cluster-recipes COHORTD [SECONDS [SEED [kills or ways]]]: one of the two, as programs
 * and judges are those of one run */

#include <signal.h>

#include "tests/cluster/ensemble.h"
#include "tests/support/tcp_proxy.h"
#include "tests/unit/recipes/chaos.h"

enum { START_MS = 60000, KILLS_MIN = 3 };

static const char *cohortd;
static struct ensemble ensemble;
static uint64_t seed = 1;
static int seconds = 5;
static struct tcp_proxy *proxy;
static bool finished;

static int set_up (void **state)
{
    (void) state;
    finished = false;
    proxy = tcp_proxy_new ();
    ensemble_init_with (
        &ensemble,
        &(struct ensemble_options){.cohortd = cohortd, .count = 3, .settings = "", .proxy = proxy});
    tcp_proxy_start (proxy);
    ensemble_start_all (&ensemble);
    (void) ensemble_wait_leader (&ensemble, 2, START_MS);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    ensemble_deinit (&ensemble, !finished);
    tcp_proxy_destroy (&proxy);
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

/* Of the connections that this server makes, and of those of the others to it, one way stands
 * still: what it says, or what it hears. */
static void stall_peers (size_t server, bool says, bool stall)
{
    for (size_t other = 0; other < ensemble.count; other++) {
        struct tcp_proxy_fault out = {.stall = {stall && says, stall && !says}};
        struct tcp_proxy_fault in = {.stall = {stall && !says, stall && says}};
        if (other != server) {
            tcp_proxy_set (proxy, ensemble.servers[server].peer_links[other], &out);
            tcp_proxy_set (proxy, ensemble.servers[other].peer_links[server], &in);
        }
    }
}

static void stall_clients (size_t server, bool says, bool stall)
{
    struct tcp_proxy_fault fault = {.stall = {stall && !says, stall && says}};
    tcp_proxy_set (proxy, ensemble.servers[server].client_link, &fault);
}

/* The leader, or any server, is not heard or does not hear: by the others, its clients, or both. */
static void cut_one_way (struct prng *prng)
{
    size_t leader = ensemble_wait_leader (&ensemble, 2, START_MS);
    size_t server = prng_chance (prng, 1, 2) ? leader : prng_below (prng, 3);
    bool says = prng_chance (prng, 1, 2);
    uint64_t whom = 1 + prng_below (prng, 3);
    if (whom & 1) {
        stall_peers (server, says, true);
    }
    if (whom & 2) {
        stall_clients (server, says, true);
    }
    chaos_pause_ms (prng_below (prng, 3000));
    chaos_await_grants ();
    stall_peers (server, says, false);
    stall_clients (server, says, false);
    chaos_pause_ms (prng_below (prng, 1000));
    chaos_await_grants ();
}

static void run_recipes (void (*fault) (struct prng *prng))
{
    const struct chaos chaos = {.servers = ensemble.proxied,
                                .fault = fault,
                                .seconds = seconds,
                                .faults_min = KILLS_MIN,
                                .seed = seed};
    const struct chaos_set *const sets[] = {&chaos_grants, &chaos_shares, &chaos_views, NULL};
    chaos_run (&chaos, sets);
    ensemble_wait_equal (&ensemble, START_MS);
    finished = true;
}

static void test_recipes_while_ways_are_cut (void **state)
{
    (void) state;
    run_recipes (cut_one_way);
}

static void test_recipes_while_leaders_are_killed (void **state)
{
    (void) state;
    run_recipes (kill_leader);
}

int main (int argc, char **argv)
{
    const struct CMUnitTest kills[] = {
        cmocka_unit_test_setup_teardown (test_recipes_while_leaders_are_killed, set_up, tear_down)};
    const struct CMUnitTest ways[] = {
        cmocka_unit_test_setup_teardown (test_recipes_while_ways_are_cut, set_up, tear_down)};
    const char *what = argc > 4 ? argv[4] : "kills";
    bool cuts = strcmp (what, "ways") == 0;
    cohortd = argc > 1 ? argv[1] : NULL;
    seconds = argc > 2 ? (int) strtol (argv[2], NULL, 10) : seconds;
    seed = argc > 3 ? strtoull (argv[3], NULL, 10) : seed;
    if (argc < 2 || argc > 5 || seconds < 1 || (!cuts && strcmp (what, "kills") != 0)) {
        fprintf (stderr, "usage: test-cluster-recipes COHORTD [SECONDS [SEED [kills or ways]]]\n");
        return 2;
    }
    return cuts ? cmocka_run_group_tests (ways, NULL, NULL)
                : cmocka_run_group_tests (kills, NULL, NULL);
}
