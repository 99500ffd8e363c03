/* Queues: what is called, and destroyed, inside their handlers, and what goes on without them. */

#include "tests/unit/recipes/queue_fixture.h"

static cohort_queue_t *doomed;

static void take_inside (cohort_queue_t *self, const cohort_queue_event_t *event, void *arg)
{
    fake_in_handler ();
    cohort_item_t *item = NULL;
    (void) arg;
    if (event->kind != COHORT_QUEUE_READY) {
        return;
    }
    assert_int_equal (cohort_queue_take (self, 0, &item), 0);
    assert_int_equal (cohort_item_ack (&item, 1), COHORT_EDEADLK);
    assert_non_null (item);
    assert_int_equal (cohort_queue_put (self, "x", 1, NULL, 1, NULL), COHORT_EDEADLK);
    assert_int_equal (cohort_item_ack_async (&item, on_result, (void *) "ack"), 0);
    assert_int_equal (cohort_queue_take (self, 0, &item), COHORT_ETIMEDOUT);
    assert_int_equal (cohort_queue_take (self, 1, &item), COHORT_EDEADLK);
}

static void items_are_taken_inside_handlers (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fill ();
    cohort_queue_t *self = queue_with (client, 1, 0);
    cohort_queue_set_handler (self, take_inside, NULL);
    fake_settle (client);
    assert_trace ("ack 0; ack 0; ");
    assert_int_equal (fake_count ("/q/items/"), 0);
    cohort_queue_destroy (&self);
    fake_settle (client);
}

static cohort_item_t *mine;

static void ack_mine (cohort_queue_t *self, const cohort_queue_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    if (event->kind == COHORT_QUEUE_READY && mine != NULL) {
        assert_int_equal (cohort_item_ack_async (&mine, on_result, (void *) "ack"), 0);
    }
}

/* Before it waits, the blocking call dispatches what was waiting for that. */
static void an_item_is_acknowledged_by_a_handler_and_once_more (void **state)
{
    (void) state;
    for (int returned = 0; returned < 2; returned++) {
        (void) fake_start (NULL);
        cohort_t *client = fake_client ();
        fill ();
        cohort_queue_t *self = queue_with (client, 2, 0);
        fake_settle (client);
        assert_int_equal (cohort_queue_take (self, -1, &mine), 0);
        cohort_item_t *other = NULL;
        assert_int_equal (cohort_queue_take (self, -1, &other), 0);
        assert_int_equal (cohort_item_return (&other, 0, -1), 0);
        cohort_queue_set_handler (self, ack_mine, NULL);
        trace_text[0] = 0;
        fake_flush (client);
        while (fake_callbacks (client) > 0 && cohort_queue_ready (self) == 0 && mine != NULL) {
            assert_int_equal (returned == 0 ? cohort_item_ack (&mine, -1)
                                            : cohort_item_return (&mine, 0, -1),
                              COHORT_EFENCED);
        }
        assert_null (mine);
        fake_settle (client);
        assert_trace ("ack 0; ");
        cohort_queue_destroy (&self);
        fake_settle (client);
    }
}

static void destroy_inside (cohort_queue_t *self, const cohort_queue_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    trace ("%d; ", event->kind);
    cohort_queue_destroy (&doomed);
}

static void destroy_in_result (cohort_queue_t *self, const cohort_queue_result_t *result, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    assert_int_equal (result->rc, 0);
    cohort_queue_destroy (&doomed);
}

static void destroyed_inside_its_handlers (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_item_t *item = NULL;
    fill ();
    doomed = queue_with (client, 2, 0);
    cohort_queue_set_handler (doomed, destroy_inside, NULL);
    assert_int_equal (cohort_queue_take (doomed, -1, &item), COHORT_ECLOSING);
    assert_null (doomed);
    fake_settle (client);
    assert_int_equal (fake_count ("/q/items/"), 2);
    doomed = queue_with (client, 0, 0);
    assert_int_equal (cohort_queue_put_async (doomed, "c", 1, NULL, destroy_in_result, NULL), 0);
    fake_settle (client);
    assert_null (doomed);
    doomed = queue_with (client, 1, 0);
    fake_settle (client);
    cohort_queue_set_handler (doomed, destroy_inside, NULL);
    fake_expire (client, false, true);
    fake_settle (client);
    assert_null (doomed);
    fake_set ("/q/items/0000-0000000000", "no item");
    doomed = queue_with (client, 1, 0);
    cohort_queue_set_handler (doomed, destroy_inside, NULL);
    fake_settle (client);
    assert_null (doomed);
    doomed = queue_with (client, 1, 0);
    cohort_queue_set_handler (doomed, destroy_inside, NULL);
    fake_fail_request (client, COHORT_ENOAUTH);
    fake_flush (client);
    fake_fail_request (client, COHORT_ENOAUTH);
    fake_settle (client);
    cohort_queue_destroy (&doomed);
    fake_settle (client);
    trace_text[0] = 0;
    /* While it waits for an answer. */
    doomed = queue_with (client, 0, 0);
    cohort_queue_set_handler (doomed, destroy_inside, NULL);
    fake_expire (client, false, true);
    assert_int_equal (cohort_queue_put (doomed, "d", 1, NULL, -1, NULL), COHORT_ECLOSING);
    assert_null (doomed);
    fake_settle (client);
}

static void writes_go_on_without_their_queue (void **state)
{
    (void) state;
    for (int step = 0; step < 8; step++) {
        (void) fake_start (NULL);
        cohort_t *client = fake_client ();
        cohort_queue_t *self = queue_with (client, 0, 0);
        cohort_put_options_t options = {.size = sizeof (options), .delay_ms = 9, .id = "x"};
        assert_int_equal (
            cohort_queue_put_async (self, "a", 1, &options, on_result, (void *) "put"), 0);
        flush_steps (client, step);
        (void) cohort_dispatch (client, step % 2);
        trace_text[0] = 0;
        cohort_queue_destroy (&self);
        fake_settle (client);
        assert_trace ("");
        char path[96];
        assert_true (fake_first_child ("/q/delayed", path, sizeof (path)));
        assert_non_null (fake_data ("/q/ids/x"));
    }
}

static void a_put_whose_time_is_over_stays_queued (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue_with (client, 0, 0);
    fake_suspend (client);
    assert_int_equal (cohort_queue_put (self, "a", 1, NULL, 1, NULL), COHORT_ETIMEDOUT);
    fake_resume (client, false);
    take_all (self, "a");
    cohort_queue_destroy (&self);
    fake_settle (client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (items_are_taken_inside_handlers),
        TEST (an_item_is_acknowledged_by_a_handler_and_once_more),
        TEST (destroyed_inside_its_handlers),
        TEST (writes_go_on_without_their_queue),
        TEST (a_put_whose_time_is_over_stays_queued),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
