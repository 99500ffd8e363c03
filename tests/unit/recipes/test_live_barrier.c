/* Gates and barriers with the real client and a real server in this process. */

#include <string.h>

#include "tests/unit/recipes/live.h"

#define PARTIES 5
#define ROUNDS  6

static cohort_t *clients[PARTIES];
static cohort_barrier_t *barriers[PARTIES];
static int entered, left;

static void count_events (cohort_barrier_t *self, const cohort_barrier_event_t *event, void *arg)
{
    (void) self;
    (void) arg;
    /* Nobody enters before all have come, nobody has left before all leave. */
    entered += event->kind == COHORT_BARRIER_ENTERED;
    left += event->kind == COHORT_BARRIER_LEFT;
}

static void run_all (void)
{
    for (int i = 0; i < PARTIES; i++) {
        assert_true (cohort_run (clients[i], 1) >= 0);
    }
}

static void await (const int *counter, int value)
{
    for (int ms = 0; *counter != value; ms++) {
        assert_true (ms < LIVE_LIMIT_MS);
        run_all ();
    }
}

/* Everything that the party has asked for is done, and others had their time. */
static void party_settles (int index)
{
    assert_int_equal (cohort_sync (clients[index]), 0);
    run_all ();
    run_all ();
}

static void rounds_through_a_crash (void **state)
{
    (void) state;
    for (int i = 0; i < PARTIES; i++) {
        clients[i] = live_client ();
    }
    for (int round = 0; round < ROUNDS; round++) {
        entered = 0;
        left = 0;
        for (int i = 0; i < PARTIES; i++) {
            assert_int_equal (entered, 0);
            barriers[i] = cohort_barrier_new (clients[i], "/game/start", PARTIES, (uint64_t) round);
            cohort_barrier_set_handler (barriers[i], count_events, NULL);
            assert_int_equal (cohort_barrier_enter (barriers[i]), 0);
            party_settles (i);
        }
        if (round % 3 == 1) {
            assert_int_equal (cohort_server_crash (live_server), 0);
            assert_int_equal (cohort_server_start (live_server), 0);
        }
        await (&entered, PARTIES);
        for (int n = 0; n < PARTIES; n++) {
            int i = (n * 3 + round) % PARTIES;
            assert_int_equal (left, 0);
            assert_int_equal (cohort_barrier_leave (barriers[i]), 0);
            party_settles (i);
        }
        await (&left, PARTIES);
        for (int i = 0; i < PARTIES; i++) {
            assert_int_equal (cohort_barrier_wait (barriers[i], 0), 0);
            cohort_barrier_destroy (&barriers[i]);
        }
    }
    for (int i = 0; i < PARTIES; i++) {
        assert_int_equal (cohort_sync (clients[i]), 0);
        (void) cohort_dispatch (clients[i], 0);
        cohort_destroy (&clients[i]);
    }
}

/* And a ghost that is none. */
static void scenario_19_curator_1290_a_timed_enter_leaves_no_ghost (void **state)
{
    (void) state;
    cohort_t *a = live_client (), *b = live_client ();
    cohort_barrier_t *mine = cohort_barrier_new (a, "/b", 2, 1);
    cohort_barrier_t *yours = cohort_barrier_new (b, "/b", 2, 1);
    assert_int_equal (cohort_barrier_enter (mine), 0);
    assert_int_equal (cohort_barrier_wait (mine, 50), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_sync (a), 0);
    assert_int_equal (cohort_barrier_enter (yours), 0);
    assert_int_equal (cohort_barrier_wait (yours, 50), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_sync (b), 0);
    assert_int_equal (cohort_barrier_enter (mine), 0);
    assert_int_equal (cohort_barrier_enter (yours), 0);
    /* Either may be the one that finds all there. */
    live_until (a, cohort_barrier_inside (mine) == 1 || cohort_run (b, 1) < 0);
    assert_int_equal (cohort_barrier_wait (mine, 0), 0);
    assert_int_equal (cohort_barrier_wait (yours, LIVE_LIMIT_MS), 0);
    cohort_why_t *why = NULL;
    assert_int_equal (cohort_why (a, "/b/1", &why), 0);
    assert_int_equal (why->count, 2);
    assert_true (why->items[0].token.czxid < why->items[1].token.czxid);
    for (size_t i = 0; i < 2; i++) {
        assert_true (why->items[i].holds && why->items[i].since_ms > 0);
        assert_true (why->items[i].pid > 0);
    }
    cohort_why_destroy (&why);
    /* One leaves by dying. */
    assert_int_equal (cohort_sync (b), 0);
    (void) cohort_dispatch (b, 0);
    cohort_barrier_destroy (&yours);
    cohort_destroy (&b);
    assert_int_equal (cohort_barrier_leave (mine), 0);
    assert_int_equal (cohort_barrier_wait (mine, LIVE_LIMIT_MS), 0);
    cohort_barrier_destroy (&mine);
    assert_int_equal (cohort_sync (a), 0);
    (void) cohort_dispatch (a, 0);
    cohort_destroy (&a);
}

static void a_gate_holds_who_comes_after_it_was_closed (void **state)
{
    (void) state;
    cohort_t *a = live_client (), *b = live_client ();
    cohort_gate_t *keeper = cohort_gate_new (a, "/town/gate");
    cohort_gate_t *guest = cohort_gate_new (b, "/town/gate");
    assert_int_equal (cohort_gate_wait (guest, LIVE_LIMIT_MS), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (cohort_gate_close (keeper), 0);
        live_until (a, cohort_gate_is_open (keeper) == 0);
        cohort_why_t *why = NULL;
        assert_int_equal (cohort_why (b, "/town/gate", &why), 0);
        assert_int_equal (why->count, 1);
        assert_true (why->items[0].holds && why->items[0].pid > 0);
        cohort_why_destroy (&why);
        assert_int_equal (cohort_gate_wait (guest, 20), COHORT_ETIMEDOUT);
        assert_int_equal (cohort_gate_open (keeper), 0);
        assert_int_equal (cohort_gate_wait (guest, LIVE_LIMIT_MS), 0);
    }
    cohort_gate_destroy (&keeper);
    cohort_gate_destroy (&guest);
    assert_int_equal (cohort_sync (a), 0);
    (void) cohort_dispatch (a, 0);
    assert_int_equal (cohort_sync (b), 0);
    (void) cohort_dispatch (b, 0);
    cohort_destroy (&a);
    cohort_destroy (&b);
}

/* Which has nothing to do with memory, what entering it would say. */
static void a_path_that_is_none_has_no_barrier (void **state)
{
    static const char *const paths[] = {"/a//b", "/a/../b", "/a/", "/a/\xff"};
    char longest[5000];
    (void) state;
    cohort_t *client = live_client ();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_null (cohort_barrier_new (client, paths[i], 1, 1));
    }
    memset (longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = 0;
    assert_null (cohort_barrier_new (client, longest, 1, 1));
    /* One that is too long with the name of the party alone. */
    size_t length = sizeof longest - 1;
    cohort_barrier_t *barrier = NULL;
    while (barrier == NULL) {
        longest[--length] = 0;
        barrier = cohort_barrier_new (client, longest, 1, 1);
    }
    assert_int_equal (cohort_barrier_enter (barrier), COHORT_ETOOBIG);
    cohort_barrier_destroy (&barrier);
    cohort_destroy (&client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, live_start, live_stop)
    const struct CMUnitTest tests[] = {
        TEST (rounds_through_a_crash),
        TEST (scenario_19_curator_1290_a_timed_enter_leaves_no_ghost),
        TEST (a_gate_holds_who_comes_after_it_was_closed),
        TEST (a_path_that_is_none_has_no_barrier),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
