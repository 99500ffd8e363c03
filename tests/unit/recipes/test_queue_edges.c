/* Queues at the edges: sessions that end, time that is over, objects that are destroyed, and znodes
 * that are no items, at every step. */

#include "tests/unit/recipes/queue_fixture.h"

/* More than any operation has. */
#define STEPS 14

/* In whatever order: one of them may have been claimed before. */
static void take_both (cohort_queue_t *self)
{
    cohort_item_t *item = NULL;
    int seen = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal (cohort_queue_take (self, -1, &item), 0);
        seen += *(const char *) cohort_item_data (item, NULL);
        assert_int_equal (cohort_item_ack (&item, -1), 0);
    }
    assert_int_equal (seen, 'a' + 'b');
    take_all (self, "");
}

/* ---- Every step ------------------------------------------------------------------------------ */

static void the_session_ends_while_items_are_claimed (void **state)
{
    (void) state;
    for (int step = 0; step < STEPS; step++) {
        for (int applied = 0; applied < 2; applied++) {
            (void) fake_start (NULL);
            cohort_t *client = fake_client ();
            fill ();
            cohort_queue_t *self = queue_with (client, 2, 0);
            flush_steps (client, step);
            fake_expire (client, applied != 0, true);
            take_all (self, "ab");
            assert_int_equal (fake_renewals (), 1);
            cohort_queue_destroy (&self);
            fake_settle (client);
            assert_int_equal (fake_count ("/q/waiting/"), 0);
        }
    }
}

static void destroyed_while_items_are_claimed (void **state)
{
    (void) state;
    for (int step = 0; step < STEPS; step++) {
        (void) fake_start (NULL);
        cohort_t *client = fake_client ();
        fill ();
        cohort_queue_t *self = queue_with (client, 3, 0);
        flush_steps (client, step);
        cohort_queue_destroy (&self);
        fake_settle (client);
        assert_int_equal (fake_count ("/q/items/"), 2);
        assert_int_equal (fake_count ("/q/waiting/"), 0);
        assert_int_equal (fake_streams (client), 0);
    }
}

/* What is claimed while the time runs out is not kept. */
static void a_take_whose_time_is_over_leaves_nothing (void **state)
{
    (void) state;
    for (int step = 0; step < STEPS; step++) {
        (void) fake_start (NULL);
        cohort_t *client = fake_client ();
        if (step % 2 == 0) {
            fill ();
        }
        cohort_queue_t *self = queue_with (client, 0, 0);
        fake_hold (client, true);
        cohort_item_t *item = NULL;
        assert_int_equal (cohort_queue_take (self, 0, &item), COHORT_ETIMEDOUT);
        fake_hold (client, false);
        fake_settle (client);
        fake_suspend (client);
        assert_int_equal (cohort_queue_take (self, 1, &item), COHORT_ETIMEDOUT);
        fake_resume (client, false);
        flush_steps (client, step);
        fake_settle (client);
        assert_int_equal (fake_count ("/q/items/"), step % 2 == 0 ? 2 : 0);
        assert_int_equal (fake_count ("/q/waiting/"), 0);
        cohort_queue_destroy (&self);
        fake_settle (client);
    }
}

static void a_put_whose_session_ends_can_be_repeated (void **state)
{
    (void) state;
    for (int step = 0; step < 8; step++) {
        for (int applied = 0; applied < 2; applied++) {
            (void) fake_start (NULL);
            cohort_t *client = fake_client ();
            cohort_queue_t *self = queue_with (client, 0, 0);
            cohort_put_options_t options = {
                .size = sizeof (options), .id = "x", .delay_ms = step % 2};
            assert_int_equal (
                cohort_queue_put_async (self, "a", 1, &options, on_result, (void *) "put"), 0);
            flush_steps (client, step);
            fake_expire (client, applied != 0, true);
            fake_settle (client);
            assert_int_equal (cohort_queue_put (self, "a", 1, &options, -1, NULL), 0);
            char due[128], path[96];
            if (fake_first_child ("/q/delayed", path, sizeof (path))) {
                snprintf (due, sizeof (due), "%s/due", path);
                fake_delete (due);
            }
            take_all (self, "a");
            cohort_queue_destroy (&self);
            fake_settle (client);
        }
    }
}

/* Acknowledged, or returned, and the answer is lost with the session: it is gone or comes again. */
static void a_release_whose_session_ends (void **state)
{
    (void) state;
    for (int step = 0; step < 6; step++) {
        for (int mode = 0; mode < 6; mode++) {
            (void) fake_start (NULL);
            cohort_t *client = fake_client ();
            fill ();
            cohort_queue_t *self = queue_with (client, 0, 0);
            cohort_item_t *item = NULL;
            assert_int_equal (cohort_queue_take (self, -1, &item), 0);
            fake_settle (client);
            trace_text[0] = 0;
            int rc = mode / 2 == 0 ? cohort_item_ack_async (&item, on_result, (void *) "done")
                                   : cohort_item_return_async (&item, mode / 2 - 1, on_result,
                                                               (void *) "done");
            assert_int_equal (rc, 0);
            flush_steps (client, step);
            fake_expire (client, mode % 2 != 0, true);
            fake_settle (client);
            bool done = strstr (trace_text, "done 0; ") != NULL;
            assert_true (done || strstr (trace_text, "done -112; ") != NULL ||
                         (mode / 2 == 2 && strstr (trace_text, "done -211; ") != NULL));
            char due[128], path[96];
            bool delayed = fake_first_child ("/q/delayed", path, sizeof (path));
            if (delayed) {
                snprintf (due, sizeof (due), "%s/due", path);
                fake_delete (due);
            }
            /* Nothing is lost, and what was acknowledged does not come again. */
            bool there = fake_data ("/q/items/0000-0000000000") != NULL || delayed;
            assert_true (mode / 2 == 0 ? !(done && there) : there);
            take_all (self, delayed ? "ba" : there ? "ab" : "b");
            cohort_queue_destroy (&self);
            fake_settle (client);
        }
    }
}

/* ---- Fencing --------------------------------------------------------------------------------- */

static void who_lost_its_mark_is_fenced (void **state)
{
    (void) state;
    cohort_t *slow = fake_client (), *fast = fake_client ();
    fill ();
    cohort_queue_t *mine = queue_with (slow, 0, 0), *yours = queue_with (fast, 0, 0);
    cohort_item_t *late = NULL, *other = NULL;
    /* The same item, again and again; each time the one that had it comes too late. */
    for (int mode = 0; mode < 3; mode++) {
        assert_int_equal (cohort_queue_take (mine, -1, &late), 0);
        fake_delete ("/q/items/0000-0000000000/taken");
        assert_int_equal (cohort_queue_take (yours, -1, &other), 0);
        assert_string_equal (cohort_item_path (late), cohort_item_path (other));
        int rc = mode == 0 ? cohort_item_ack (&late, -1) : cohort_item_return (&late, mode - 1, -1);
        assert_int_equal (rc, COHORT_EFENCED);
        assert_null (late);
        assert_non_null (fake_data ("/q/items/0000-0000000000/taken"));
        assert_int_equal (cohort_item_return (&other, 0, -1), 0);
    }
    assert_int_equal (fake_count ("/q/delayed/"), 0);
    /* Done by the other. */
    assert_int_equal (cohort_queue_take (mine, -1, &late), 0);
    fake_delete ("/q/items/0000-0000000000/taken");
    assert_int_equal (cohort_queue_take (yours, -1, &other), 0);
    assert_int_equal (cohort_item_ack (&other, -1), 0);
    assert_int_equal (cohort_item_ack (&late, -1), COHORT_EFENCED);
    assert_int_equal (items (), 1);
    cohort_queue_destroy (&mine);
    cohort_queue_destroy (&yours);
    fake_settle (slow);
    fake_settle (fast);
}

static void items_of_an_ended_session_are_refused_at_once (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fill ();
    cohort_queue_t *self = queue_with (client, 0, 0);
    cohort_item_t *item = NULL, *second = NULL, *third = NULL;
    assert_int_equal (cohort_queue_take (self, -1, &item), 0);
    assert_int_equal (cohort_queue_take (self, -1, &second), 0);
    fake_expire (client, false, true);
    assert_false (cohort_item_valid (item, 0));
    assert_int_equal (cohort_renew (client), 0);
    /* The queue has not heard of it yet. */
    size_t before = fake_writes ();
    assert_false (cohort_item_valid (item, 0));
    assert_int_equal (cohort_item_ack_async (&item, NULL, NULL), COHORT_EFENCED);
    fake_settle (client);
    assert_trace ("lost; ");
    assert_false (cohort_item_valid (second, 0));
    assert_int_equal (cohort_item_return (&second, 0, -1), COHORT_EFENCED);
    assert_int_equal (fake_writes (), before);
    assert_int_equal (cohort_queue_take (self, -1, &third), 0);
    assert_int_equal (cohort_item_attempt (third), 2);
    /* A destroyed queue has returned it. */
    cohort_queue_destroy (&self);
    fake_settle (client);
    assert_int_equal (fake_count ("/q/items/"), 2);
    assert_int_equal (cohort_item_valid (third, 0), 0);
    assert_int_equal (cohort_item_ack (&third, -1), COHORT_EFENCED);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void arguments_are_checked (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_options_t options = {.size = sizeof (options)};
    assert_null (cohort_queue_new (NULL, "/q", NULL));
    assert_null (cohort_queue_new (client, NULL, NULL));
    assert_null (cohort_queue_new (client, "q", NULL));
    options.max_inflight = -1;
    assert_null (cohort_queue_new (client, "/q", &options));
    options.max_inflight = COHORT_QUEUE_INFLIGHT_MAX + 1;
    assert_null (cohort_queue_new (client, "/q", &options));
    options = (cohort_queue_options_t){.size = sizeof (options), .remember_ms = -1};
    assert_null (cohort_queue_new (client, "/q", &options));
    options = (cohort_queue_options_t){.size = 1};
    assert_null (cohort_queue_new (client, "/q", &options));
    cohort_queue_t *self = cohort_queue_new (client, "/q", NULL);
    const cohort_put_options_t bad[] = {
        {.size = 1},
        {.size = sizeof (bad[0]), .id = ""},
        {.size = sizeof (bad[0]), .id = "a/b"},
        {.size = sizeof (bad[0]), .id = "a\nb"},
        {.size = sizeof (bad[0]), .priority = -1},
        {.size = sizeof (bad[0]), .priority = COHORT_QUEUE_PRIORITY_MAX + 1},
        {.size = sizeof (bad[0]), .delay_ms = -1},
        {.size = sizeof (bad[0]), .delay_ms = INT64_MAX},
    };
    for (size_t i = 0; i < sizeof (bad) / sizeof (bad[0]); i++) {
        assert_int_equal (cohort_queue_put (self, "x", 1, &bad[i], -1, NULL), COHORT_EINVAL);
    }
    assert_int_equal (cohort_queue_put (self, NULL, 1, NULL, -1, NULL), COHORT_EINVAL);
    assert_int_equal (fake_writes (), 0);
    /* What cannot be returned so is for others at once. */
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_queue_put (self, "x", 1, NULL, -1, NULL), 0);
    assert_int_equal (cohort_queue_take (self, -1, &item), 0);
    assert_int_equal (cohort_item_return (&item, INT64_MAX, -1), COHORT_EINVAL);
    assert_null (item);
    assert_int_equal (cohort_queue_take (self, -1, &item), 0);
    assert_int_equal (cohort_item_ack (&item, -1), 0);
    cohort_queue_destroy (&self);
    cohort_queue_destroy (&self);
}

static void what_is_no_item_is_left_alone (void **state)
{
    (void) state;
    const char *const contents[] = {
        "", "1", "2 0 \nx", "1 0", "1  \nx", "1 x \ny", "1 0x\n", "\n1 0 \n", "1 9999999999 \nx"};
    cohort_t *client = fake_client ();
    fill ();
    fake_create ("/q/items/notes", "not an item", 0);
    fake_create ("/q/items/0000-00000000", "too short", 0);
    fake_create ("/q/items/0000-0000000000x", "1 0 \nno number", 0);
    fake_create ("/q/delayed", "", 0);
    fake_create ("/q/delayed/notes", "not an item", 0);
    for (size_t i = 0; i < sizeof (contents) / sizeof (contents[0]); i++) {
        trace_text[0] = 0;
        fake_set ("/q/items/0000-0000000000", contents[i]);
        cohort_queue_t *self = queue_with (client, 2, 0);
        cohort_item_t *item = NULL;
        assert_int_equal (cohort_queue_take (self, -1, &item), 0);
        assert_string_equal (cohort_item_path (item), "/q/items/0000-0000000001");
        assert_int_equal (cohort_item_return (&item, 0, -1), 0);
        cohort_queue_destroy (&self);
        assert_trace ("bad /q/items/0000-0000000000; ready; ");
        fake_settle (client);
        fake_delete ("/q/items/0000-0000000000/taken");
    }
}

static void a_refusal_stops_until_it_is_tried_again (void **state)
{
    (void) state;
    for (int step = 0; step < STEPS; step++) {
        (void) fake_start (NULL);
        cohort_t *client = fake_client ();
        if (step % 2 == 0) {
            fill ();
        }
        cohort_queue_t *self = queue_with (client, 3, 0);
        flush_steps (client, step);
        fake_fail_request (client, COHORT_ENOAUTH);
        fake_settle (client);
        fake_fail_request (client, 0);
        /* Perhaps it was a list of what is due, which is looked at again. */
        if (strstr (trace_text, "error -102; ") != NULL) {
            cohort_item_t *item = NULL;
            if (cohort_queue_ready (self) == 0) {
                assert_int_equal (cohort_queue_take (self, 1, &item), COHORT_ENOAUTH);
            }
            assert_int_equal (cohort_queue_retry (self), 0);
        }
        fake_settle (client);
        assert_int_equal (cohort_queue_retry (self), 0);
        if (step % 2 != 0) {
            fill ();
        }
        take_both (self);
        cohort_queue_destroy (&self);
        fake_settle (client);
    }
}

static void calls_that_fail_are_reported (void **state)
{
    (void) state;
    for (int calls = 0; calls < STEPS; calls++) {
        (void) fake_start (NULL);
        cohort_t *client = fake_client ();
        fill ();
        fake_fail_later_call (client, calls, COHORT_ELIMIT);
        cohort_queue_options_t options = {.size = sizeof (options), .max_inflight = 3};
        cohort_queue_t *self = cohort_queue_new (client, "/q", &options);
        if (self == NULL) {
            assert_true (calls < 2);
            fake_settle (client);
            continue;
        }
        fake_settle (client);
        fake_fail_call (client, 0);
        assert_int_equal (cohort_queue_retry (self), 0);
        take_both (self);
        cohort_queue_destroy (&self);
        fake_settle (client);
    }
    (void) fake_start (NULL);
    cohort_t *client = fake_client ();
    fake_fail_stream (client);
    assert_null (cohort_queue_new (client, "/q", NULL));
    cohort_queue_t *self = queue_with (client, 1, 0);
    fake_settle (client);
    fake_end_streams (client, COHORT_ELIMIT);
    fake_settle (client);
    assert_trace ("error -214; ");
    assert_int_equal (cohort_queue_retry (self), 0);
    fill ();
    take_all (self, "ab");
    cohort_queue_destroy (&self);
    fake_settle (client);
}

/* What fails in a call of the application's is told by the next dispatch, not inside that call. */
static void a_call_that_fails_later_is_told_in_a_dispatch (void **state)
{
    (void) state;
    for (int how = 0; how < 4; how++) {
        (void) fake_start (NULL);
        cohort_t *client = fake_client ();
        cohort_queue_t *self = queue_with (client, 1, 0);
        fill ();
        fake_settle (client);
        trace_text[0] = 0;
        cohort_item_t *item = NULL;
        assert_int_equal (cohort_queue_take (self, -1, &item), 0);
        fake_fail_later_call (client, how == 2 ? 2 : 1, COHORT_ELIMIT);
        if (how % 2 == 0) {
            assert_int_equal (cohort_item_ack_async (&item, NULL, NULL), 0);
        } else {
            assert_int_equal (cohort_item_return_async (&item, 0, NULL, NULL), 0);
        }
        assert_trace ("");
        if (how == 3) {
            /* Nobody is told any more. */
            assert_int_equal (cohort_queue_retry (self), 0);
            fake_settle (client);
            assert_trace ("ready; ");
        } else {
            fake_settle (client);
            assert_trace ("error -214; ");
            assert_int_equal (cohort_queue_retry (self), 0);
        }
        if (how % 2 == 0) {
            take_all (self, "b");
        } else {
            take_both (self);
        }
        cohort_queue_destroy (&self);
        fake_settle (client);
    }
}

static void a_session_that_is_refused_is_not_renewed_again (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue_with (client, 1, 0);
    fake_settle (client);
    fake_expire (client, false, true);
    fake_refuse_session (client);
    fake_settle (client);
    fake_settle (client);
    assert_trace ("lost; lost; error -112; ");
    cohort_item_t *item = NULL;
    assert_int_equal (cohort_queue_take (self, 1, &item), COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_queue_retry (self), 0);
    fill ();
    take_all (self, "ab");
    cohort_queue_destroy (&self);
    fake_settle (client);
}

static void what_happened_is_not_known_any_more (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_queue_t *self = queue_with (client, 1, 0);
    fake_settle (client);
    fake_suspend (client);
    fill ();
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("ready; ");
    take_all (self, "ab");
    cohort_queue_destroy (&self);
    fake_settle (client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (the_session_ends_while_items_are_claimed),
        TEST (destroyed_while_items_are_claimed),
        TEST (a_take_whose_time_is_over_leaves_nothing),
        TEST (a_put_whose_session_ends_can_be_repeated),
        TEST (a_release_whose_session_ends),
        TEST (who_lost_its_mark_is_fenced),
        TEST (items_of_an_ended_session_are_refused_at_once),
        TEST (arguments_are_checked),
        TEST (what_is_no_item_is_left_alone),
        TEST (a_refusal_stops_until_it_is_tried_again),
        TEST (calls_that_fail_are_reported),
        TEST (a_call_that_fails_later_is_told_in_a_dispatch),
        TEST (a_session_that_is_refused_is_not_renewed_again),
        TEST (what_happened_is_not_known_any_more),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
