/* Timers of the application: when they call, where, and when not. */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "client/base/alloc.h"
#include "tests/unit/client/clock_world.h"

struct alarm {
    struct world *world;
    cohort_timer_t *timer;
    int calls;
    int64_t again_ms; /* it sets itself anew, so long from then on; 0: not */
    bool destroys, destroys_client;
    pthread_t thread; /* of the last call */
};

static void on_alarm (cohort_t *client, void *arg)
{
    struct alarm *alarm = arg;
    alarm->calls++;
    alarm->thread = pthread_self ();
    assert_ptr_equal (client, alarm->world->client);
    if (alarm->again_ms > 0) {
        cohort_timer_set (alarm->timer, cohort_now_ms (client) + alarm->again_ms);
    }
    if (alarm->destroys) {
        cohort_timer_destroy (&alarm->timer);
        assert_null (alarm->timer);
    }
    if (alarm->destroys_client) {
        cohort_destroy (&alarm->world->client);
    }
}

static void begin (struct world *world, int driver)
{
    cohort_options_t options = {.timeout_ms = 60000};
    world_begin (world, driver, &options);
    assert_int_equal (cohort_now_ms (world->client), world_now ());
    while (cohort_dispatch (world->client, 0) > 0) {
    }
}

static struct alarm alarm_of (struct world *world)
{
    return (struct alarm){.world = world};
}

static void make (struct alarm *alarm)
{
    alarm->timer = cohort_timer_new (alarm->world->client, on_alarm, alarm);
    assert_non_null (alarm->timer);
}

static void set (struct alarm *alarm, int64_t in_ms)
{
    cohort_timer_set (alarm->timer, world_now () + in_ms);
}

static bool is_readable (cohort_t *client)
{
    struct pollfd item = {.fd = cohort_fd (client), .events = POLLIN};
    return poll (&item, 1, 0) == 1;
}

static const int drivers[] = {COHORT_DRIVER_THREAD, COHORT_DRIVER_NONE};

/* ---- When ------------------------------------------------------------------------------------ */

static void test_moment (void **state)
{
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin (&world, drivers[i]);
        struct alarm alarm = alarm_of (&world);
        make (&alarm);
        world_advance (&world, 100);
        assert_int_equal (cohort_dispatch (world.client, 0), 0); /* it is not set */
        set (&alarm, 50);
        world_advance (&world, 49);
        assert_int_equal (cohort_dispatch (world.client, 0), 0);
        world_advance (&world, 1);
        assert_int_equal (alarm.calls, 0); /* nowhere but in a dispatch */
        assert_true (is_readable (world.client));
        assert_int_equal (cohort_dispatch (world.client, 0), 1);
        assert_int_equal (alarm.calls, 1);
        assert_true (pthread_equal (alarm.thread, pthread_self ()));
        world_advance (&world, 1000);
        assert_int_equal (cohort_dispatch (world.client, 0), 0); /* once */
        /* What has passed comes at once. */
        cohort_timer_set (alarm.timer, COHORT_TIMER_NOW);
        world_advance (&world, 0);
        assert_int_equal (cohort_dispatch (world.client, 0), 1);
        cohort_timer_set (alarm.timer, -1);
        assert_int_equal (cohort_run (world.client, 10000), 1);
        assert_int_equal (alarm.calls, 3);
        cohort_timer_destroy (&alarm.timer);
        world_end (&world);
    }
}

static void test_deadlines_of_a_foreign_loop (void **state)
{
    (void) state;
    struct world world;
    begin (&world, COHORT_DRIVER_NONE);
    struct alarm alarm = alarm_of (&world);
    make (&alarm);
    while (is_readable (world.client)) {
        (void) cohort_dispatch (world.client, 0);
    }
    assert_true (cohort_timeout (world.client) > 100);
    set (&alarm, 70);
    /* Somebody must look, and then knows when. */
    assert_int_equal (cohort_timeout (world.client), 0);
    assert_true (is_readable (world.client));
    (void) cohort_dispatch (world.client, 0);
    assert_int_equal (cohort_timeout (world.client), 70);
    world_jump (69);
    assert_int_equal (cohort_timeout (world.client), 1);
    world_jump (1);
    assert_int_equal (cohort_timeout (world.client), 0);
    assert_int_equal (cohort_dispatch (world.client, 0), 1);
    assert_true (cohort_timeout (world.client) > 100);
    cohort_timer_destroy (&alarm.timer);
    world_end (&world);
}

/* A clock that nobody moves: the system's. */
static void test_real_clock (void **state)
{
    (void) state;
    const char *endpoint = "tcp://127.0.0.1:*";
    struct fake *fake = fake_new (NULL, &endpoint, 1);
    for (size_t i = 0; i < 2; i++) {
        cohort_loop_options_t loop = {.size = sizeof (loop), .driver = drivers[i]};
        struct world world = {.loop = cohort_loop_new (&loop)};
        cohort_options_t options = {.size = sizeof (options), .loop = world.loop};
        world.client = cohort_new (fake_servers (fake), &options);
        assert_non_null (world.client);
        struct alarm alarm = alarm_of (&world);
        make (&alarm);
        int64_t begun_ms = cohort_now_ms (world.client);
        cohort_timer_set (alarm.timer, begun_ms + 30);
        while (alarm.calls == 0) {
            assert_true (cohort_run (world.client, -1) > 0);
        }
        assert_true (cohort_now_ms (world.client) >= begun_ms + 30);
        cohort_timer_destroy (&alarm.timer);
        cohort_destroy (&world.client);
        assert_int_equal (cohort_loop_destroy (&world.loop), 0);
    }
    fake_destroy (&fake);
}

/* A session that has ended is no reason: its handle goes on. */
static void test_behind_the_session (void **state)
{
    (void) state;
    struct world world;
    begin (&world, COHORT_DRIVER_THREAD);
    struct alarm alarm = alarm_of (&world);
    make (&alarm);
    fake_expire (world.fake);
    assert_int_equal (cohort_sync (world.client), COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_state (world.client), COHORT_LOST);
    set (&alarm, 20);
    world_advance (&world, 20);
    (void) cohort_dispatch (world.client, 0);
    assert_int_equal (alarm.calls, 1);
    cohort_timer_destroy (&alarm.timer);
    world_end (&world);
}

/* ---- Several, and set anew ------------------------------------------------------------------- */

static void test_several (void **state)
{
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin (&world, drivers[i]);
        struct alarm alarms[20];
        for (int n = 0; n < 20; n++) {
            alarms[n] = alarm_of (&world);
            make (&alarms[n]);
            set (&alarms[n], 10 * (20 - n));
        }
        for (int n = 19; n >= 0; n--) {
            world_advance (&world, 9);
            assert_int_equal (cohort_dispatch (world.client, 0), 0);
            world_advance (&world, 1);
            assert_int_equal (cohort_dispatch (world.client, 0), 1);
            assert_int_equal (alarms[n].calls, 1);
        }
        for (int n = 0; n < 20; n++) {
            cohort_timer_destroy (&alarms[n].timer);
        }
        world_end (&world);
    }
}

static void test_set_anew (void **state)
{
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin (&world, drivers[i]);
        struct alarm alarm = alarm_of (&world);
        make (&alarm);
        set (&alarm, 50);
        set (&alarm, 100); /* later */
        world_advance (&world, 50);
        assert_int_equal (cohort_dispatch (world.client, 0), 0);
        set (&alarm, 10); /* earlier */
        world_advance (&world, 10);
        assert_int_equal (cohort_dispatch (world.client, 0), 1);
        assert_int_equal (alarm.calls, 1);
        /* Its call was due: not any more. */
        set (&alarm, 10);
        world_advance (&world, 10);
        cohort_timer_set (alarm.timer, COHORT_TIMER_NEVER);
        (void) cohort_dispatch (world.client, 0);
        assert_int_equal (alarm.calls, 1);
        set (&alarm, 10);
        world_advance (&world, 10);
        set (&alarm, 10);
        (void) cohort_dispatch (world.client, 0);
        assert_int_equal (alarm.calls, 1);
        world_advance (&world, 10);
        (void) cohort_dispatch (world.client, 0);
        assert_int_equal (alarm.calls, 2);
        /* Due twice before anybody dispatches. */
        set (&alarm, 10);
        world_advance (&world, 10);
        set (&alarm, 10);
        world_advance (&world, 10);
        (void) cohort_dispatch (world.client, 0);
        assert_int_equal (alarm.calls, 3);
        cohort_timer_destroy (&alarm.timer);
        world_end (&world);
    }
}

static void test_sets_itself (void **state)
{
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin (&world, drivers[i]);
        struct alarm alarm = alarm_of (&world);
        make (&alarm);
        alarm.again_ms = 5;
        set (&alarm, 5);
        for (int n = 1; n <= 10; n++) {
            world_advance (&world, 5);
            assert_int_equal (cohort_dispatch (world.client, 0), 1);
            assert_int_equal (alarm.calls, n);
        }
        cohort_timer_destroy (&alarm.timer);
        world_end (&world);
    }
}

/* ---- Destroyed ------------------------------------------------------------------------------- */

static void test_destroyed (void **state)
{
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin (&world, drivers[i]);
        struct alarm alarm = alarm_of (&world), other = alarm_of (&world);
        make (&alarm);
        cohort_timer_destroy (&alarm.timer); /* never set */
        cohort_timer_destroy (&alarm.timer);
        make (&alarm);
        set (&alarm, 10);
        cohort_timer_destroy (&alarm.timer); /* set */
        make (&alarm);
        make (&other);
        set (&alarm, 10);
        set (&other, 10);
        world_advance (&world, 10);
        cohort_timer_destroy (&alarm.timer); /* due */
        (void) cohort_dispatch (world.client, 0);
        assert_int_equal (alarm.calls, 0);
        assert_int_equal (other.calls, 1);
        /* Inside its call. */
        other.destroys = true;
        other.again_ms = 1;
        set (&other, 10);
        world_advance (&world, 10);
        assert_int_equal (cohort_dispatch (world.client, 0), 1);
        assert_null (other.timer);
        world_advance (&world, 10);
        assert_int_equal (cohort_dispatch (world.client, 0), 0);
        assert_int_equal (other.calls, 2);
        world_end (&world);
    }
}

/* With calls that are due, and with the client, inside the call. */
static void test_destroyed_with_the_client (void **state)
{
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin (&world, drivers[i]);
        struct alarm alarm = alarm_of (&world), other = alarm_of (&world);
        make (&alarm);
        make (&other);
        set (&alarm, 10);
        set (&other, 11);
        world_advance (&world, 20);
        if (i == 0) {
            cohort_timer_destroy (&alarm.timer);
            cohort_timer_destroy (&other.timer);
        } else {
            alarm.destroys = alarm.destroys_client = true;
            cohort_timer_destroy (&other.timer);
            (void) cohort_dispatch (world.client, 0);
            assert_null (world.client);
            assert_int_equal (alarm.calls, 1);
        }
        world_end (&world);
        assert_int_equal (other.calls, 0);
    }
}

static void *set_and_unset (void *arg)
{
    struct alarm *alarm = arg;
    for (int i = 0; i < 20000; i++) {
        cohort_timer_set (alarm->timer, i % 3 == 0 ? COHORT_TIMER_NEVER : COHORT_TIMER_NOW);
    }
    return NULL;
}

/* From another thread than the one that dispatches, and the one that drives. */
static void test_threads (void **state)
{
    (void) state;
    struct world world;
    begin (&world, COHORT_DRIVER_THREAD);
    struct alarm alarms[2] = {alarm_of (&world), alarm_of (&world)};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        make (&alarms[i]);
        assert_int_equal (pthread_create (&threads[i], NULL, set_and_unset, &alarms[i]), 0);
    }
    for (int i = 0; i < 2000; i++) {
        (void) cohort_dispatch (world.client, 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal (pthread_join (threads[i], NULL), 0);
        cohort_timer_set (alarms[i].timer, COHORT_TIMER_NOW);
    }
    int before = alarms[0].calls;
    while (alarms[0].calls == before) {
        assert_true (cohort_run (world.client, 10000) > 0);
    }
    cohort_timer_destroy (&alarms[0].timer);
    cohort_timer_destroy (&alarms[1].timer);
    world_end (&world);
}

static void test_bad_arguments (void **state)
{
    (void) state;
    struct world world;
    begin (&world, COHORT_DRIVER_NONE); /* nobody else allocates meanwhile */
    assert_null (cohort_timer_new (NULL, on_alarm, NULL));
    assert_null (cohort_timer_new (world.client, NULL, NULL));
    cohort_timer_set (NULL, 0);
    cohort_timer_destroy (NULL);
    for (uint64_t nth = 1;; nth++) {
        mem_fail_at (nth);
        cohort_timer_t *timer = cohort_timer_new (world.client, on_alarm, NULL);
        bool failed = mem_fail_clear ();
        assert_int_equal (timer == NULL, failed);
        cohort_timer_destroy (&timer);
        if (!failed) {
            break;
        }
    }
    world_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_moment),
        cmocka_unit_test (test_deadlines_of_a_foreign_loop),
        cmocka_unit_test (test_real_clock),
        cmocka_unit_test (test_behind_the_session),
        cmocka_unit_test (test_several),
        cmocka_unit_test (test_set_anew),
        cmocka_unit_test (test_sets_itself),
        cmocka_unit_test (test_destroyed),
        cmocka_unit_test (test_destroyed_with_the_client),
        cmocka_unit_test (test_threads),
        cmocka_unit_test (test_bad_arguments),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
