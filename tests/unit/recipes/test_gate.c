/* Gates: who waits, and what lets through. */

#include "cohort/barrier.h"

#include "tests/unit/recipes/fixture.h"

static void on_event (cohort_gate_t *self, const cohort_gate_event_t *event, void *arg)
{
    fake_in_handler ();
    static const char *const names[] = {"", "opened", "closed", "lost", "error"};
    (void) self;
    (void) arg;
    trace ("%s", names[event->kind]);
    if (event->kind == COHORT_GATE_ERROR) {
        trace (" %d", event->rc);
    }
    trace ("; ");
}

static cohort_gate_t *gate (cohort_t *client)
{
    cohort_gate_t *self = cohort_gate_new (client, "/g/gate");
    assert_non_null (self);
    cohort_gate_set_handler (self, on_event, NULL);
    return self;
}

static void closes_and_opens (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_gate_t *self = gate (client);
    assert_int_equal (cohort_gate_is_open (self), COHORT_ESTATE);
    assert_int_equal (cohort_gate_wait (self, -1), 0);
    assert_trace ("opened; ");
    assert_int_equal (cohort_gate_close (self), 0);
    fake_settle (client);
    assert_int_equal (cohort_gate_is_open (self), 0);
    assert_int_equal (cohort_gate_close (self), 0);
    assert_int_equal (cohort_gate_wait (self, 1), COHORT_ETIMEDOUT);
    assert_trace ("closed; ");
    assert_int_equal (cohort_gate_open (self), 0);
    assert_int_equal (cohort_gate_wait (self, -1), 0);
    assert_int_equal (cohort_gate_open (self), 0);
    assert_int_equal (cohort_gate_wait (self, -1), 0);
    assert_trace ("opened; ");
    assert_int_equal (cohort_gate_is_open (self), 1);
    assert_null (cohort_gate_new (NULL, "/g"));
    assert_null (cohort_gate_new (client, NULL));
    assert_null (cohort_gate_new (client, "g"));
    cohort_gate_destroy (&self);
    cohort_gate_destroy (&self);
}

static void a_gate_that_is_closed_again_at_once_lets_through (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/g", "", 0);
    fake_create ("/g/gate", "", 0);
    for (int mode = 0; mode < 2; mode++) {
        cohort_gate_t *self = gate (client);
        fake_settle (client);
        assert_int_equal (cohort_gate_wait (self, 1), COHORT_ETIMEDOUT);
        assert_trace ("closed; ");
        /* Both come to the client while it waits: the sync is answered only later. */
        fake_hold (client, true);
        assert_int_equal (cohort_gate_wait (self, 1), COHORT_ETIMEDOUT);
        fake_hold (client, false);
        if (mode == 1) {
            fake_suspend (client);
        }
        fake_delete ("/g/gate");
        fake_create ("/g/gate", "", 0);
        if (mode == 1) {
            fake_resume (client, true);
        }
        fake_settle (client);
        assert_trace ("opened; closed; ");
        assert_int_equal (cohort_gate_wait (self, 1), COHORT_ETIMEDOUT);
        cohort_gate_destroy (&self);
    }
}

static cohort_timer_t *timer;

/* Comes back from a loss of the connection when the call that dispatches is waiting already: every
 * other time with a new snapshot. */
static void resume_later (cohort_t *client, void *arg)
{
    int *times = arg;
    if ((*times)++ % 2 == 0) {
        cohort_timer_set (timer, fake_now_ms);
    } else {
        fake_resume (client, *times % 4 == 0);
    }
}

/* It was open before the call, and is closed again since; only the news of that comes while it
 * waits: as two changes, and as one snapshot. */
static void what_is_heard_late_lets_nobody_through (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/g", "", 0);
    fake_create ("/g/gate", "", 0);
    cohort_gate_t *self = gate (client);
    int times = 0;
    timer = cohort_timer_new (client, resume_later, &times);
    fake_settle (client);
    trace_text[0] = 0;
    for (int mode = 0; mode < 2; mode++) {
        fake_suspend (client);
        fake_delete ("/g/gate");
        fake_create ("/g/gate", "", 0);
        cohort_timer_set (timer, fake_now_ms);
        assert_int_equal (cohort_gate_wait (self, 20), COHORT_ETIMEDOUT);
        fake_settle (client);
        assert_trace ("opened; closed; ");
    }
    cohort_timer_destroy (&timer);
    cohort_gate_destroy (&self);
}

static cohort_gate_t *waiting;

static void reopen (cohort_gate_t *self, const cohort_gate_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    if (event->kind == COHORT_GATE_LOST) {
        trace ("lost; ");
    } else if (event->kind == COHORT_GATE_CLOSED) {
        assert_int_equal (cohort_gate_wait (waiting, 1), COHORT_EDEADLK);
        fake_delete ("/g/gate");
        fake_create ("/g/gate", "", 0);
        cohort_gate_set_handler (waiting, on_event, NULL);
    }
}

static void what_opens_while_it_waits_is_seen (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/g", "", 0);
    waiting = gate (client);
    fake_settle (client);
    trace_text[0] = 0;
    cohort_gate_set_handler (waiting, reopen, NULL);
    /* It is closed while the call waits for its sync, and opened for a moment. */
    fake_hold (client, true);
    fake_create ("/g/gate", "", 0);
    fake_hold (client, false);
    fake_suspend (client);
    assert_int_equal (cohort_gate_wait (waiting, 1), COHORT_ETIMEDOUT);
    fake_resume (client, false);
    assert_int_equal (cohort_gate_wait (waiting, 1), COHORT_ETIMEDOUT);
    assert_trace ("opened; closed; ");
    cohort_gate_destroy (&waiting);
}

static void the_end_of_a_session_is_no_success (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/g", "", 0);
    fake_create ("/g/gate", "", 0);
    cohort_gate_t *self = gate (client);
    fake_settle (client);
    fake_delete ("/g/gate");
    fake_create ("/g/gate", "", 0);
    trace_text[0] = 0;
    /* In each way: before the call, and while the sync is on its way. */
    fake_expire (client, false, true);
    int rc = cohort_gate_wait (self, 1);
    assert_int_equal (rc, COHORT_ETIMEDOUT);
    assert_trace ("opened; closed; lost; ");
    fake_hold (client, true);
    assert_int_equal (cohort_gate_wait (self, 0), COHORT_ETIMEDOUT);
    fake_hold (client, false);
    fake_refuse_session (client);
    fake_expire (client, false, true);
    fake_settle (client);
    fake_settle (client);
    assert_true (cohort_gate_wait (self, 1) != 0);
    assert_int_equal (cohort_gate_retry (self), 0);
    fake_delete ("/g/gate");
    assert_int_equal (cohort_gate_wait (self, -1), 0);
    cohort_gate_destroy (&self);
}

static void refusals_are_reported (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_gate_t *self = gate (client);
    fake_settle (client);
    trace_text[0] = 0;
    fake_fail_call (client, COHORT_ELIMIT);
    assert_int_equal (cohort_gate_close (self), COHORT_ELIMIT);
    assert_int_equal (cohort_gate_close (self), 0);
    fake_fail_request (client, COHORT_ENOAUTH);
    fake_settle (client);
    assert_trace ("error -102; ");
    assert_int_equal (cohort_gate_wait (self, -1), COHORT_ENOAUTH);
    /* At its second step. */
    assert_int_equal (cohort_gate_close (self), 0);
    fake_flush (client);
    fake_fail_call (client, COHORT_ELIMIT);
    fake_settle (client);
    assert_trace ("error -214; ");
    assert_int_equal (cohort_gate_retry (self), 0);
    fake_fail_later_call (client, 0, COHORT_ELIMIT);
    assert_int_equal (cohort_gate_wait (self, -1), COHORT_ELIMIT);
    assert_int_equal (cohort_gate_wait (self, -1), 0);
    fake_end_streams (client, COHORT_ELIMIT);
    fake_settle (client);
    assert_int_equal (cohort_gate_wait (self, -1), COHORT_ELIMIT);
    cohort_gate_destroy (&self);
    fake_settle (client);
}

static void destroy_inside (cohort_gate_t *self, const cohort_gate_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) event;
    (void) arg;
    cohort_gate_destroy (&waiting);
}

static void destroyed_inside_its_handler (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    waiting = gate (client);
    cohort_gate_set_handler (waiting, destroy_inside, NULL);
    assert_int_equal (cohort_gate_wait (waiting, -1), COHORT_ECLOSING);
    waiting = gate (client);
    assert_int_equal (cohort_gate_close (waiting), 0);
    fake_flush (client);
    fake_fail_request (client, COHORT_ENOAUTH);
    cohort_gate_set_handler (waiting, destroy_inside, NULL);
    fake_settle (client);
    assert_null (waiting);
    fake_fail_request (client, 0);
    waiting = gate (client);
    assert_int_equal (cohort_gate_close (waiting), 0);
    cohort_gate_destroy (&waiting);
    fake_settle (client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (closes_and_opens),
        TEST (a_gate_that_is_closed_again_at_once_lets_through),
        TEST (what_is_heard_late_lets_nobody_through),
        TEST (what_opens_while_it_waits_is_seen),
        TEST (the_end_of_a_session_is_no_success),
        TEST (refusals_are_reported),
        TEST (destroyed_inside_its_handler),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
