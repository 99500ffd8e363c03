/* Locks at the edges: sessions, znodes and requests that are lost, and objects that are withdrawn
 * or destroyed at every step. */

#include "tests/unit/recipes/contenders.h"

/* ---- What is lost ---------------------------------------------------------------------------- */

static void scenario_15_etcd_19597_a_waiter_hears_of_the_end_of_its_session (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_expire (b.client, false, true);
    assert_int_equal (cohort_lock_wait (b.lock, -1), COHORT_ESESSIONEXPIRED);
    assert_trace ("A granted; B waits; B failed -112; ");
    assert_true (cohort_lock_valid (a.lock, 0));
    /* It may come again, in a new session. */
    acquire (b.lock);
    assert_int_equal (fake_renewals (), 1);
    fake_settle (b.client);
    release (a.lock);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("B waits; B granted; ");
    leave (&a, 1);
    leave (&b, 1);
}

static void a_waiter_whose_znode_is_deleted_hears_of_it (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_delete (PATH "/exclusive-0000000001");
    assert_int_equal (cohort_lock_wait (b.lock, -1), COHORT_ENONODE);
    assert_trace ("A granted; B waits; B failed -101; ");
    leave (&a, 1);
    leave (&b, 1);
}

static void a_holder_whose_znode_is_deleted_is_revoked (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE),
                            enters ("B", COHORT_LOCK_EXCLUSIVE)};
    fake_begin ();
    fake_delete (PATH "/exclusive-0000000000");
    /* One of the same name is another's. */
    fake_create (PATH "/exclusive-0000000000", "", 77);
    fake_commit ();
    fake_settle (c[0].client);
    assert_trace ("A granted; B waits; A revoked -101; ");
    assert_int_equal (cohort_lock_release (c[0].lock), COHORT_ESTATE);
    fake_settle (c[1].client);
    assert_trace ("");
    fake_delete (PATH "/exclusive-0000000000");
    fake_settle (c[1].client);
    assert_trace ("B granted; ");
    leave (c, 2);
}

static void a_holder_hears_of_the_end_of_its_session (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    fake_expire (a.client, false, false);
    assert_false (cohort_lock_valid (a.lock, 0));
    assert_int_equal (cohort_lock_acquire (a.lock, COHORT_LOCK_EXCLUSIVE), COHORT_ESESSIONEXPIRED);
    /* Somebody else renews it: the lock is not the new session's. */
    assert_int_equal (cohort_renew (a.client), 0);
    assert_false (cohort_lock_valid (a.lock, 0));
    assert_int_equal (cohort_lock_acquire (a.lock, COHORT_LOCK_EXCLUSIVE), COHORT_ESESSIONEXPIRED);
    fake_settle (a.client);
    assert_trace ("A granted; A revoked -112; ");
    leave (&a, 1);
}

/* 3: the old session is being closed while a new one begins. */
static void scenario_3_6_curator_498_696_a_new_session_does_not_hold_the_old_place (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    uint64_t old = cohort_session_id (a.client);
    fake_expire (a.client, false, false);
    fake_settle (a.client);
    assert_trace ("A granted; A revoked -112; ");
    acquire (a.lock);
    fake_settle (a.client);
    assert_trace ("A waits; ");
    assert_false (cohort_lock_held (a.lock));
    fake_reap (old);
    fake_settle (a.client);
    assert_trace ("A granted; ");
    assert_int_equal (fake_stat (cohort_lock_node (a.lock))->ephemeral_owner,
                      cohort_session_id (a.client));
    leave (&a, 1);
}

/* The old znode of one who dropped and came back with the same session. */
static void scenario_4_curator_202_a_release_while_suspended_is_carried_out (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_suspend (a.client);
    release (a.lock);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("A granted; B waits; ");
    fake_resume (a.client, false);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("B granted; ");
    leave (&a, 1);
    leave (&b, 1);
}

/* At which step does the session end? Each of them, and with every order of what is queued. */
static void the_session_may_end_at_every_step (void **state)
{
    for (int steps = 0; steps < 12; steps++) {
        for (int how = 0; how < 8; how++) {
            fake_start (state);
            struct contender a = {.client = fake_client ()};
            struct contender b = {.client = fake_client ()};
            a.lock = lock_of (a.client, "A");
            b.lock = lock_of (b.client, "B");
            if (how & 4) {
                acquire (a.lock);
                fake_settle (a.client);
            }
            trace_text[0] = 0;
            acquire (b.lock);
            for (int i = 0; i < steps; i++) {
                fake_flush (b.client);
                cohort_dispatch (b.client, 1);
            }
            bool granted = strstr (trace_text, "granted") != NULL;
            trace_text[0] = 0;
            fake_expire (b.client, how & 1, how & 2);
            fake_settle (b.client);
            /* What was queued before comes first, but no grant of a session that has ended. */
            const char *waits = strncmp (trace_text, "B waits; ", 9) == 0 ? "B waits; " : "";
            char expected[64];
            snprintf (expected, sizeof (expected), "%sB %s -112; ", waits,
                      granted ? "revoked" : "failed");
            assert_trace (expected);
            fake_reap (cohort_session_id (b.client));
            fake_settle (a.client);
            acquire (b.lock);
            fake_settle (b.client);
            if (how & 4) {
                release (a.lock);
                fake_settle (a.client);
                fake_settle (b.client);
                assert_trace ("B waits; B granted; ");
            } else {
                assert_trace ("B granted; ");
            }
            leave (&a, 1);
            leave (&b, 1);
        }
    }
}

/* A request is refused at each step. */
static void every_request_may_be_refused (void **state)
{
    for (int steps = 0; steps < 12; steps++) {
        fake_start (state);
        struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
        struct contender b = {.client = fake_client ()};
        b.lock = lock_of (b.client, "B");
        acquire (b.lock);
        for (int i = 0; i < steps; i++) {
            cohort_dispatch (b.client, 1);
            fake_flush (b.client);
        }
        fake_fail_request (b.client, COHORT_ENOAUTH);
        fake_settle (b.client);
        release (a.lock);
        fake_settle (a.client);
        fake_settle (b.client);
        trace_text[0] = 0;
        leave (&a, 1);
        leave (&b, 1);
        assert_null (fake_data (PATH "/exclusive-0000000001"));
    }
}

static void a_stream_that_ends_ends_the_place (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    struct contender b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    fake_end_streams (b.client, COHORT_ELIMIT);
    fake_settle (b.client);
    assert_trace ("A granted; B waits; B failed -214; ");
    assert_null (fake_data (PATH "/exclusive-0000000001"));
    acquire (b.lock);
    fake_fail_stream (b.client);
    fake_settle (b.client);
    assert_trace ("B failed -10; ");
    assert_null (fake_data (PATH "/exclusive-0000000002"));
    leave (&a, 1);
    leave (&b, 1);
}

/* ---- Withdrawn and destroyed ----------------------------------------------------------------- */

/* At which step is it withdrawn, or destroyed? Nothing stays in the line, and no event comes. */
static void it_may_be_withdrawn_at_every_step (void **state)
{
    for (int steps = 0; steps < 12; steps++) {
        for (int how = 0; how < 4; how++) {
            fake_start (state);
            struct contender a = {.client = fake_client ()};
            a.lock = lock_of (a.client, "A");
            if (how & 1) {
                acquire (a.lock);
                fake_settle (a.client);
            }
            struct contender b = {.client = fake_client ()};
            b.lock = lock_of (b.client, "B");
            acquire (b.lock);
            for (int i = 0; i < steps; i++) {
                fake_flush (b.client);
                cohort_dispatch (b.client, 1);
            }
            trace_text[0] = 0;
            if (how & 2) {
                cohort_lock_destroy (&b.lock);
            } else {
                release (b.lock);
            }
            fake_settle (b.client);
            assert_trace ("");
            assert_null (fake_data (PATH "/exclusive-0000000000") == NULL
                             ? NULL
                             : fake_data (PATH "/exclusive-0000000001"));
            assert_int_equal (fake_streams (b.client), 0);
            leave (&a, 1);
            cohort_lock_destroy (&b.lock);
            assert_null (fake_data (PATH "/exclusive-0000000000"));
        }
    }
}

static void a_release_that_cannot_be_sent_changes_nothing (void **state)
{
    (void) state;
    struct contender a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    fake_fail_call (a.client, COHORT_ELIMIT);
    assert_int_equal (cohort_lock_release (a.lock), COHORT_ELIMIT);
    assert_true (cohort_lock_valid (a.lock, 0));
    release (a.lock);
    assert_trace ("A granted; ");
    leave (&a, 1);
}

static void an_acquisition_that_is_sent_in_part_is_undone (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/locks", "", 0);
    cohort_lock_t *lock = lock_of (client, "A");
    for (int calls = 1; calls < 3; calls++) {
        fake_fail_later_call (client, calls, COHORT_ELIMIT);
        assert_int_equal (cohort_lock_acquire (lock, COHORT_LOCK_EXCLUSIVE), COHORT_ELIMIT);
        fake_settle (client);
        assert_trace ("");
        char path[64];
        snprintf (path, sizeof (path), PATH "/exclusive-%010d", calls - 1);
        assert_null (fake_data (path));
    }
    acquire (lock);
    fake_settle (client);
    assert_trace ("A granted; ");
    cohort_lock_destroy (&lock);
}

/* ---- Inside handlers ------------------------------------------------------------------------- */

static cohort_lock_t *doomed_lock;
static cohort_t *doomed_client;
static cohort_lock_kind_t doomed_at;

static void destroy_all (cohort_lock_t *self, const cohort_lock_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    if (event->kind == doomed_at) {
        cohort_lock_destroy (&doomed_lock);
        /* While it looks who is ahead an answer is on its way, which somebody has to take. */
        if (event->kind != COHORT_LOCK_WAITING) {
            cohort_destroy (&doomed_client);
        }
    }
}

static void it_may_be_destroyed_in_its_handler (void **state)
{
    for (int kind = COHORT_LOCK_GRANTED; kind <= COHORT_LOCK_FAILED; kind++) {
        fake_start (state);
        doomed_at = (cohort_lock_kind_t) kind;
        struct contender a = {.client = fake_client ()};
        a.lock = lock_of (a.client, "A");
        if (kind == COHORT_LOCK_WAITING || kind == COHORT_LOCK_FAILED) {
            acquire (a.lock);
            fake_settle (a.client);
        }
        doomed_client = fake_client ();
        doomed_lock = cohort_lock_new (doomed_client, PATH, NULL, 0);
        cohort_lock_set_handler (doomed_lock, destroy_all, NULL);
        acquire (doomed_lock);
        if (kind == COHORT_LOCK_REVOKED || kind == COHORT_LOCK_FAILED) {
            fake_settle (doomed_client);
            fake_expire (doomed_client, false, true);
            fake_settle (doomed_client);
        } else {
            assert_int_equal (cohort_lock_wait (doomed_lock, -1), COHORT_ECLOSING);
        }
        assert_null (doomed_lock);
        if (doomed_client != NULL) {
            fake_settle (doomed_client);
            cohort_destroy (&doomed_client);
        }
        trace_text[0] = 0;
        leave (&a, 1);
    }
}

static void again_at_once (cohort_lock_t *self, const cohort_lock_event_t *event, void *arg)
{
    fake_in_handler ();
    int *turns = arg;
    if (event->kind == COHORT_LOCK_GRANTED && --*turns > 0) {
        cohort_lock_release (self);
        acquire (self);
    } else if (event->kind == COHORT_LOCK_REVOKED || event->kind == COHORT_LOCK_FAILED) {
        acquire (self);
        assert_int_equal (cohort_lock_wait (self, 10), COHORT_EDEADLK);
        assert_int_equal (cohort_lock_try (self, COHORT_LOCK_EXCLUSIVE, 10), COHORT_EDEADLK);
    }
}

static void it_may_be_released_and_acquired_in_its_handler (void **state)
{
    (void) state;
    int turns = 5;
    cohort_t *client = fake_client ();
    cohort_lock_t *lock = cohort_lock_new (client, PATH, NULL, 0);
    cohort_lock_set_handler (lock, again_at_once, &turns);
    acquire (lock);
    fake_settle (client);
    assert_int_equal (turns, 0);
    assert_true (cohort_lock_valid (lock, 0));
    fake_expire (client, false, true);
    fake_settle (client);
    assert_true (cohort_lock_valid (lock, 0));
    fake_delete (cohort_lock_node (lock));
    fake_settle (client);
    assert_true (cohort_lock_valid (lock, 0));
    cohort_lock_destroy (&lock);
}

/* ---- Hand-overs ------------------------------------------------------------------------------ */

static void a_hand_over_between_others_is_nothing_to_a_lock (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE),
                            enters ("B", COHORT_LOCK_EXCLUSIVE)};
    fake_hand_over (77, 78);
    settle (c, 2);
    assert_trace ("A granted; B waits; ");
    assert_true (cohort_lock_valid (c[0].lock, 0));
    release (c[0].lock);
    settle (c, 2);
    assert_trace ("B granted; ");
    leave (c, 2);
}

/* Its znode stays, and holds up who is behind it, until its new owner lets it go. */
static void whose_session_is_handed_over_holds_nothing_any_more (void **state)
{
    (void) state;
    struct contender c[] = {enters ("A", COHORT_LOCK_EXCLUSIVE),
                            enters ("B", COHORT_LOCK_EXCLUSIVE),
                            enters ("C", COHORT_LOCK_EXCLUSIVE)};
    const char *nodes[] = {PATH "/exclusive-0000000000", PATH "/exclusive-0000000001"};
    for (int i = 0; i < 2; i++) {
        fake_hand_over (cohort_session_id (c[i].client), 77);
        settle (c, 3);
        assert_false (cohort_lock_held (c[i].lock));
        assert_int_equal (fake_stat (nodes[i])->ephemeral_owner, 77);
    }
    assert_trace ("A granted; B waits; C waits; A revoked -101; B failed -101; ");
    fake_delete (nodes[0]);
    settle (c, 3);
    assert_trace ("");
    fake_delete (nodes[1]);
    settle (c, 3);
    assert_trace ("C granted; ");
    leave (c, 3);
}

/* Before the client has heard that its znode was created, too. */
static void the_session_may_be_handed_over_at_every_step (void **state)
{
    for (int steps = 0; steps < 12; steps++) {
        fake_start (state);
        struct contender a = {.client = fake_client ()};
        a.lock = lock_of (a.client, "A");
        acquire (a.lock);
        for (int i = 0; i < steps; i++) {
            if (!fake_flush_one (a.client)) {
                cohort_dispatch (a.client, 1);
            }
        }
        bool created = fake_count (PATH "/") > 0;
        fake_hand_over (cohort_session_id (a.client), 77);
        fake_settle (a.client);
        assert_true (cohort_lock_held (a.lock) != created);
        assert_int_equal (fake_count (PATH "/"), 1);
        trace_text[0] = 0;
        leave (&a, 1);
        assert_int_equal (fake_count (PATH "/"), created ? 1 : 0);
    }
}

/* ---- A grant that is heard late -------------------------------------------------------------- */

/* A has released, and B, who waits behind it, has been told, but has not looked yet. */
static void a_grant_is_under_way (struct contender *a, struct contender *b)
{
    *a = enters ("A", COHORT_LOCK_EXCLUSIVE);
    *b = enters ("B", COHORT_LOCK_EXCLUSIVE);
    release (a->lock);
    fake_settle (a->client);
    fake_flush (b->client);
    assert_true (fake_callbacks (b->client) > 0);
    assert_trace ("A granted; B waits; ");
}

static void a_grant_heard_while_cut_off_waits_for_the_ensemble (void **state)
{
    for (int lost = 0; lost < 2; lost++) {
        struct contender a, b;
        fake_start (state);
        a_grant_is_under_way (&a, &b);
        fake_suspend (b.client);
        fake_settle (b.client);
        assert_trace ("");
        assert_false (cohort_lock_held (b.lock));
        if (lost) {
            fake_expire (b.client, false, true);
        } else {
            fake_resume (b.client, false);
        }
        fake_settle (b.client);
        assert_trace (lost ? "B failed -112; " : "B granted; ");
        leave (&a, 1);
        leave (&b, 1);
    }
}

/* It has asked whether it holds, and holds nothing yet; the answer lies there for so long. */
static void is_answered_after (struct contender *self, int64_t ms)
{
    assert_trace ("");
    assert_int_equal (fake_requests (self->client), 1);
    fake_flush (self->client);
    fake_now_ms += ms;
    cohort_dispatch (self->client, 0);
}

/* The whole process was stopped, and nothing has told it yet that its session has ended. */
static void a_grant_heard_after_the_session_may_have_ended_asks_first (void **state)
{
    (void) state;
    struct contender a, b;
    a_grant_is_under_way (&a, &b);
    fake_set_valid_ms (b.client, 0);
    cohort_dispatch (b.client, 0);
    /* An answer that has lain there for long says nothing about now. */
    is_answered_after (&b, 101);
    is_answered_after (&b, 100);
    assert_trace ("B granted; ");
    leave (&a, 1);
    leave (&b, 1);
}

/* A grace shorter than the way to the servers: the session is never sure to be valid, and no answer
 * comes soon. */
static void whose_answers_are_always_late_holds_at_last (void **state)
{
    (void) state;
    struct contender a, b;
    a_grant_is_under_way (&a, &b);
    fake_set_valid_ms (b.client, 0);
    cohort_dispatch (b.client, 0);
    for (int questions = 0; questions < 3; questions++) {
        is_answered_after (&b, 400);
    }
    assert_trace ("B granted; ");
    leave (&a, 1);
    leave (&b, 1);
}

static void who_asks_whether_it_holds_may_leave (void **state)
{
    for (int how = 0; how < 4; how++) {
        struct contender a, b;
        fake_start (state);
        a_grant_is_under_way (&a, &b);
        fake_set_valid_ms (b.client, 0);
        cohort_dispatch (b.client, 0);
        assert_int_equal (fake_requests (b.client), 1);
        if (how == 0) {
            release (b.lock);
        } else if (how == 1) {
            cohort_lock_destroy (&b.lock);
        } else if (how == 2) {
            fake_delete (PATH "/exclusive-0000000001");
        } else {
            fake_fail_request (b.client, COHORT_ELIMIT);
        }
        fake_settle (b.client);
        assert_trace (how == 2 ? "B failed -101; " : how == 3 ? "B failed -214; " : "");
        leave (&a, 1);
        if (b.lock != NULL) {
            leave (&b, 1);
        }
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (scenario_15_etcd_19597_a_waiter_hears_of_the_end_of_its_session),
        TEST (a_waiter_whose_znode_is_deleted_hears_of_it),
        TEST (a_holder_whose_znode_is_deleted_is_revoked),
        TEST (a_holder_hears_of_the_end_of_its_session),
        TEST (scenario_3_6_curator_498_696_a_new_session_does_not_hold_the_old_place),
        TEST (scenario_4_curator_202_a_release_while_suspended_is_carried_out),
        TEST (the_session_may_end_at_every_step),
        TEST (every_request_may_be_refused),
        TEST (a_stream_that_ends_ends_the_place),
        TEST (it_may_be_withdrawn_at_every_step),
        TEST (a_release_that_cannot_be_sent_changes_nothing),
        TEST (an_acquisition_that_is_sent_in_part_is_undone),
        TEST (it_may_be_destroyed_in_its_handler),
        TEST (it_may_be_released_and_acquired_in_its_handler),
        TEST (a_hand_over_between_others_is_nothing_to_a_lock),
        TEST (whose_session_is_handed_over_holds_nothing_any_more),
        TEST (the_session_may_be_handed_over_at_every_step),
        TEST (a_grant_heard_while_cut_off_waits_for_the_ensemble),
        TEST (a_grant_heard_after_the_session_may_have_ended_asks_first),
        TEST (whose_answers_are_always_late_holds_at_last),
        TEST (who_asks_whether_it_holds_may_leave),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
