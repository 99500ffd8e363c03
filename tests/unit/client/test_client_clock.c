/* The clock of a loop, and what depends on when it is looked at: heartbeats, their watchdog, time
 * limits, settling. */

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "tests/unit/client/clock_world.h"

static void test_clock (void **state)
{
    (void) state;
    for (int driver = COHORT_DRIVER_THREAD; driver <= COHORT_DRIVER_NONE; driver++) {
        struct world world;
        cohort_options_t options = {.timeout_ms = 9000};
        world_begin (&world, driver, &options);
        assert_int_equal (cohort_valid_ms (world.client), 8100);
        world_advance (&world, 2999);
        assert_int_equal (cohort_sync (world.client), 0);
        assert_int_equal (fake_count (world.fake, FAKE_BEATS), 1);
        assert_int_equal (cohort_valid_ms (world.client), 5101);
        world_advance (&world, 1);
        assert_true (fake_await (world.fake, FAKE_BEATS, 2));
        assert_int_equal (cohort_sync (world.client), 0);
        assert_int_equal (cohort_valid_ms (world.client), 8100);
        /* Cut off and late: first suspended, then lost, by the clock alone. */
        fake_stop (world.fake, 0);
        int64_t step = 100;
        while (cohort_state (world.client) == COHORT_CONNECTED) {
            world_advance (&world, 0);
        }
        int64_t before = world_now ();
        while (cohort_state (world.client) == COHORT_SUSPENDED) {
            assert_true (world_now () - before <= 9900);
            world_advance (&world, step);
        }
        assert_int_equal (cohort_state (world.client), COHORT_LOST);
        assert_in_range (world_now () - before, 9800, 9900);
        assert_int_equal (cohort_valid_ms (world.client), 0);
        world_end (&world);
    }
}

static void note_result (cohort_t *self, const cohort_result_t *result, void *arg)
{
    (void) self;
    assert_int_equal (result->rc, 0);
    *(bool *) arg = true;
}

/* A server that says nothing any more is left for another, and what was asked of it goes along. */
static void test_silent_server (void **state)
{
    (void) state;
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000};
    bool done = false;
    char endpoint[256];
    world_begin_with (&world, 2, COHORT_DRIVER_THREAD, &options);
    cohort_server (world.client, endpoint, sizeof (endpoint));
    int mine = strcmp (endpoint, fake_endpoint (world.fake, 0)) == 0 ? 0 : 1;
    fake_mute (world.fake, mine, true);
    assert_int_equal (cohort_create_async (world.client, "/s", "1", 1, 0, NULL, note_result, &done),
                      0);
    world_advance (&world, 5999);
    assert_int_equal (cohort_state (world.client), COHORT_CONNECTED);
    world_advance (&world, 1);
    while (!done) {
        assert_true (cohort_run (world.client, 10000) > 0);
    }
    cohort_server (world.client, endpoint, sizeof (endpoint));
    assert_string_equal (endpoint, fake_endpoint (world.fake, 1 - mine));
    world_end (&world);
}

static void test_watchdog (void **state)
{
    (void) state;
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000, .watchdog_ms = 4000};
    world_begin (&world, COHORT_DRIVER_THREAD, &options);
    cohort_dispatch (world.client, 0);
    assert_int_equal (cohort_timeout (world.client), 4000);
    world_advance (&world, 3000);
    world_await_beats (&world, 2);
    assert_int_equal (cohort_timeout (world.client), 1000);
    /* The application has not dispatched for 4 s: no more heartbeats. */
    world_advance (&world, 1000);
    world_advance (&world, 2000);
    assert_int_equal (cohort_sync (world.client), 0);
    assert_int_equal (fake_count (world.fake, FAKE_BEATS), 2);
    /* It lives again, and so does the session. */
    cohort_dispatch (world.client, 0);
    assert_true (fake_await (world.fake, FAKE_BEATS, 3));
    world_end (&world);
}

/* Whoever runs the loop may be stopped between any two of its looks at the clock. Wherever that is:
 * a heartbeat that is due by then is not sent when the application has not dispatched for too long
 * by then. */
static void test_watchdog_after_any_pause (void **state)
{
    (void) state;
    for (int n = 1;; n++) {
        struct world world;
        cohort_options_t options = {.timeout_ms = 9000, .watchdog_ms = 4000};
        world_begin (&world, COHORT_DRIVER_NONE, &options);
        cohort_dispatch (world.client, 0);
        world_advance (&world, 3000);
        world_await_beats (&world, 2);
        world_advance (&world, 999);
        world_jump_before_look (n, 2001);
        assert_int_equal (cohort_sync (world.client), 0);
        bool came = world_jump_end ();
        assert_int_equal (cohort_sync (world.client), 0);
        assert_int_equal (fake_count (world.fake, FAKE_BEATS), 2);
        world_end (&world);
        if (!came) {
            assert_true (n > 3);
            return;
        }
    }
}

/* A callback that hangs is an application that hangs; one that waits in cohort_run is none. */
static void hang (cohort_t *self, const cohort_result_t *result, void *arg)
{
    struct world *world = arg;
    assert_int_equal (result->rc, 0);
    assert_ptr_equal (self, world->client);
    world_advance (world, 1500);
    assert_true (fake_await (world->fake, FAKE_BEATS, 2));
    world_advance (world, 3000);
    /* What is sent after it overtakes no heartbeat. */
    uint64_t requests = fake_count (world->fake, FAKE_REQUESTS);
    assert_int_equal (cohort_sync_async (self, NULL, NULL), 0);
    assert_true (fake_await (world->fake, FAKE_REQUESTS, requests + 1));
    assert_int_equal (fake_count (world->fake, FAKE_BEATS), 2);
}

static void *run_once (void *arg)
{
    struct world *world = arg;
    world->ran = cohort_run (world->client, -1);
    return NULL;
}

static void test_watchdog_and_callbacks (void **state)
{
    (void) state;
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000, .watchdog_ms = 2000};
    world_begin (&world, COHORT_DRIVER_THREAD, &options);
    cohort_dispatch (world.client, 0);
    world_advance (&world, 1500);
    assert_int_equal (cohort_sync_async (world.client, hang, &world), 0);
    assert_int_equal (cohort_run (world.client, 10000), 1);
    world_await_beats (&world, 3);
    /* Hung again, until somebody waits for events: from then on it lives. */
    world_advance (&world, 3000);
    assert_int_equal (cohort_sync (world.client), 0);
    assert_int_equal (fake_count (world.fake, FAKE_BEATS), 3);
    pthread_t runner;
    assert_int_equal (pthread_create (&runner, NULL, run_once, &world), 0);
    world_await_beats (&world, 4);
    for (uint64_t beats = 5; beats < 10; beats++) {
        world_advance (&world, 3000);
        world_await_beats (&world, beats);
    }
    bool done = false;
    assert_int_equal (cohort_sync_async (world.client, note_result, &done), 0);
    assert_int_equal (pthread_join (runner, NULL), 0);
    assert_int_equal (world.ran, 1);
    assert_true (done);
    world_end (&world);
}

/* ---- Settling -------------------------------------------------------------------------------- */

struct mover {
    struct world *world;
    cohort_state_t state;
};

static void *settle_as_is (void *arg)
{
    struct mover *mover = arg;
    assert_int_equal (cohort_loop_settle (mover->world->loop, 10000), 0);
    return NULL;
}

static void *settle_later (void *arg)
{
    struct mover *mover = arg;
    world_advance (mover->world, 6000);
    mover->state = cohort_state (mover->world->client);
    return NULL;
}

static uint64_t settles_wanted (struct world *world)
{
    struct exchange *exchange = &world->loop->exchange;
    exchange_lock (exchange);
    uint64_t wanted = exchange->settle_wanted;
    exchange_unlock (exchange);
    return wanted;
}

/* The clock is moved just after the loop has looked at it, and the loop then asked to settle. */
static void settle_after_look (int look)
{
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000};
    world_begin (&world, COHORT_DRIVER_THREAD, &options);
    fake_mute (world.fake, 0, true);
    world_advance (&world, 0);
    uint64_t wanted = settles_wanted (&world);
    struct mover mover = {.world = &world};
    pthread_t first, second;
    world_stop_after_look (look);
    assert_int_equal (pthread_create (&first, NULL, settle_as_is, &mover), 0);
    world_await_stop ();
    assert_int_equal (pthread_create (&second, NULL, settle_later, &mover), 0);
    while (settles_wanted (&world) != wanted + 2) {
        sched_yield ();
    }
    world_go ();
    assert_int_equal (pthread_join (first, NULL), 0);
    assert_int_equal (pthread_join (second, NULL), 0);
    assert_int_equal (mover.state, COHORT_SUSPENDED);
    world_end (&world);
}

/* It must look once more, whichever look that was of those it takes to settle. */
static void test_settle_looks_again (void **state)
{
    (void) state;
    for (int look = 1; look <= 3; look++) {
        settle_after_look (look);
    }
}

/* A heartbeat that the link did not take in time is not sent after the time. */
static void test_watchdog_over_stuck_link (void **state)
{
    (void) state;
    struct world world;
    cohort_options_t options = {.timeout_ms = 9000, .watchdog_ms = 4000};
    world_begin (&world, COHORT_DRIVER_NONE, &options);
    cohort_dispatch (world.client, 0);
    struct channel *channel = world.client->channels[0];
    struct buf frame = {0};
    assert_non_null (channel);
    assert_true (
        session_next_frame (world.client->session, channel->link, &frame, world_now () + 3000));
    connection_put (channel->connection, (uint32_t) channel->node.hash, &frame, false, false,
                    world_now ());
    buf_deinit (&frame);
    channel->connection->stuck = true;
    world_advance (&world, 4000);
    connection_mark (channel->connection);
    world_advance (&world, 100);
    /* It holds up no others. */
    assert_int_equal (channel->kept.letters, 1);
    assert_false (channel->connection->stuck);
    assert_int_equal (fake_count (world.fake, FAKE_BEATS), 1);
    cohort_dispatch (world.client, 0);
    world_advance (&world, 0);
    world_await_beats (&world, 2);
    world_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_clock),
        cmocka_unit_test (test_silent_server),
        cmocka_unit_test (test_watchdog),
        cmocka_unit_test (test_watchdog_after_any_pause),
        cmocka_unit_test (test_watchdog_and_callbacks),
        cmocka_unit_test (test_watchdog_over_stuck_link),
        cmocka_unit_test (test_settle_looks_again),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
