/* A client on a loop whose clock the test moves. */

#include "tests/unit/client/clock_world.h"

#include <sched.h>
#include <stdatomic.h>

static atomic_int_least64_t now_ms = 1000000;
static atomic_int jump_at, stop_at; /* looks that are left until then, 0: none is awaited */
static atomic_int_least64_t jump_ms;
static atomic_bool stopped;

/* Whether this look is the one that is counted down to. */
static bool is_due (atomic_int *left)
{
    return atomic_load (left) > 0 && atomic_fetch_sub (left, 1) == 1;
}

static int64_t look (void *arg)
{
    (void) arg;
    if (is_due (&jump_at)) {
        world_jump (atomic_load (&jump_ms));
    }
    int64_t seen = world_now ();
    if (is_due (&stop_at)) {
        while (atomic_load (&stopped)) {
            sched_yield ();
        }
    }
    return seen;
}

void world_begin (struct world *world, int driver, const cohort_options_t *given)
{
    world_begin_with (world, 1, driver, given);
}

void world_begin_with (struct world *world, int servers, int driver, const cohort_options_t *given)
{
    *world = (struct world){0};
    const char *endpoints[2] = {"tcp://127.0.0.1:*", "tcp://127.0.0.1:*"};
    assert_in_range (servers, 1, 2);
    world->fake = fake_new (NULL, endpoints, servers);
    cohort_loop_options_t loop_options = {
        .size = sizeof (loop_options), .driver = driver, .clock = look};
    world->loop = cohort_loop_new (&loop_options);
    cohort_options_t options = *given;
    options.size = sizeof (options);
    options.loop = world->loop;
    world->client = cohort_new (fake_servers (world->fake), &options);
    assert_int_equal (cohort_wait (world->client, 10000), 0);
    /* The first heartbeat follows the welcome at once. */
    assert_int_equal (cohort_sync (world->client), 0);
    world_await_beats (world, 1);
}

void world_end (struct world *world)
{
    cohort_destroy (&world->client);
    assert_int_equal (cohort_loop_destroy (&world->loop), 0);
    fake_destroy (&world->fake);
}

int64_t world_now (void)
{
    return atomic_load (&now_ms);
}

void world_jump (int64_t ms)
{
    atomic_fetch_add (&now_ms, ms);
}

void world_advance (struct world *world, int64_t ms)
{
    world_jump (ms);
    assert_int_equal (cohort_loop_settle (world->loop, 10000), 0);
}

void world_await_beats (struct world *world, uint64_t count)
{
    assert_true (fake_await (world->fake, FAKE_BEATS, count));
    assert_int_equal (cohort_sync (world->client), 0);
}

void world_jump_before_look (int count, int64_t ms)
{
    atomic_store (&jump_ms, ms);
    atomic_store (&jump_at, count);
}

bool world_jump_end (void)
{
    return atomic_exchange (&jump_at, 0) == 0;
}

void world_stop_after_look (int count)
{
    atomic_store (&stopped, true);
    atomic_store (&stop_at, count);
}

void world_await_stop (void)
{
    while (atomic_load (&stop_at) > 0) {
        sched_yield ();
    }
}

void world_go (void)
{
    atomic_store (&stopped, false);
}
