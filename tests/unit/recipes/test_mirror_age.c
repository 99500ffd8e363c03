/* How old a live copy is: what it says of itself, and that it tells when it is current again. */

#include "tests/unit/recipes/mirrors.h"

static void tells_its_age (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_now_ms = 1000;
    cohort_mirror_t *self = synced (client);
    fake_now_ms = 5000;
    assert_int_equal (cohort_mirror_stale_ms (self), 0);
    fake_suspend (client);
    assert_int_equal (cohort_mirror_stale_ms (self), 1);
    fake_now_ms = 5700;
    assert_int_equal (cohort_mirror_stale_ms (self), 700);
    assert_int_equal (cohort_mirror_wait (self, 1), COHORT_ETIMEDOUT);
    /* There is a connection, and what was missed is still to come. */
    fake_resume (client, false);
    assert_int_equal (cohort_mirror_stale_ms (self), 700);
    fake_settle (client);
    assert_trace ("synced; ");
    assert_int_equal (cohort_mirror_stale_ms (self), 0);
    /* Nobody asked meanwhile: counted from the last batch. */
    fake_set ("/s/a", "one");
    fake_now_ms = 6000;
    fake_settle (client);
    fake_now_ms = 7000;
    fake_suspend (client);
    fake_now_ms = 8000;
    assert_int_equal (cohort_mirror_stale_ms (self), 2000);
    cohort_mirror_destroy (&self);
    fake_resume (client, false);
    fake_settle (client);
}

/* Whoever finds the copy out of date is told, once, when it is no more. */
static void tells_when_it_is_current_again (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    /* A batch is dispatched when the connection has just broken, and again, and it is asked for. */
    fake_set ("/s/a", "2");
    fake_suspend (client);
    fake_settle (client);
    assert_trace ("change /s/a=2 (/s/a=1); batch 1; ");
    fake_set ("/s/a", "3");
    fake_resume (client, false);
    fake_suspend (client);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    fake_settle (client);
    assert_trace ("change /s/a=3 (/s/a=2); batch 1; ");
    fake_set ("/s/a", "4");
    fake_resume (client, false);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    assert_int_equal (cohort_mirror_wait (self, 0), 0);
    assert_trace ("change /s/a=4 (/s/a=3); batch 1; synced; ");
    assert_int_equal (cohort_mirror_stale_ms (self), 0);
    assert_int_equal (fake_requests (client), 0);
    /* The answer comes when the connection has broken once more. */
    fake_suspend (client);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    fake_resume (client, false);
    fake_flush (client);
    fake_suspend (client);
    fake_settle (client);
    assert_trace ("");
    fake_resume (client, false);
    fake_settle (client);
    assert_trace ("synced; ");
    cohort_mirror_destroy (&self);
}

/* A new snapshot is an answer too, whichever comes first. */
static void tells_once_what_a_snapshot_tells_too (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_suspend (client);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("batch 0; synced; ");
    /* And so is a new session. */
    fake_suspend (client);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    fake_expire (client, false, true);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    assert_int_equal (cohort_dispatch (client, 1),
                      1); /* what was asked failed, the stream has not */
    assert_true (cohort_mirror_stale_ms (self) > 0);
    fake_settle (client);
    assert_trace ("lost -112; batch 0; synced; ");
    assert_int_equal (cohort_mirror_stale_ms (self), 0);
    cohort_mirror_destroy (&self);
}

/* There is no memory to ask: the next look does. */
static void asks_again_whether_it_is_current (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_mirror_t *self = synced (client);
    fake_suspend (client);
    fake_fail_call (client, COHORT_ENOMEM);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    assert_int_equal (fake_requests (client), 0);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    assert_int_equal (fake_requests (client), 1);
    fake_resume (client, false);
    fake_settle (client);
    assert_trace ("synced; ");
    /* Destroyed while it asks, and inside the handler. */
    fake_suspend (client);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    cohort_mirror_destroy (&self);
    fake_resume (client, false);
    fake_settle (client);
    self = mirror_of (client, "/s");
    assert_int_equal (cohort_mirror_wait (self, -1), 0);
    trace_text[0] = 0;
    plan = (struct plan){.at = COHORT_MIRROR_SYNCED, .mirror = &self};
    fake_suspend (client);
    assert_true (cohort_mirror_stale_ms (self) > 0);
    fake_resume (client, false);
    fake_settle (client);
    assert_trace ("synced; ");
    assert_null (self);
}

/* A snapshot that is announced, and takes a while: the copy stays, and is out of date. */
static void is_reset_in_two_steps (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_now_ms = 1000;
    cohort_mirror_t *self = synced (client);
    cohort_batch_t announced = {.snapshot = 1, .first = 1, .more = 1, .zxid = 100};
    fake_batch (client, &announced);
    fake_now_ms = 3000;
    cohort_dispatch (client, 0);
    assert_trace ("");
    assert_int_equal (cohort_mirror_count (self), 3);
    assert_int_equal (cohort_mirror_stale_ms (self), 2000);
    assert_int_equal (cohort_mirror_wait (self, 0), COHORT_ETIMEDOUT);
    cohort_change_t changes[] = {
        {.kind = COHORT_CHANGE_CREATED, .path = "/s", .data = "", .stat.czxid = 1},
        {.kind = COHORT_CHANGE_CREATED, .path = "/s/a", .data = "7", .size = 1, .stat.czxid = 99}};
    cohort_batch_t whole = {.snapshot = 1, .first = 1, .zxid = 200, .changes = changes, .count = 2};
    fake_batch (client, &whole);
    cohort_dispatch (client, 0);
    assert_int_equal (cohort_mirror_count (self), 2);
    assert_int_equal (cohort_mirror_zxid (self), 200);
    assert_int_equal (cohort_mirror_stale_ms (self), 0);
    cohort_mirror_destroy (&self);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (tells_its_age),
        TEST (tells_when_it_is_current_again),
        TEST (tells_once_what_a_snapshot_tells_too),
        TEST (asks_again_whether_it_is_current),
        TEST (is_reset_in_two_steps),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
