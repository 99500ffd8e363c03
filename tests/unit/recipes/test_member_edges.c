/* Registration: conflicts, and members that are destroyed at every moment there is. */

#include "cohort/member.h"

#include "tests/unit/recipes/fixture.h"

#define STRANGER 77

/* What the handler does besides tracing, once. */
struct plan {
    cohort_member_kind_t at; /* 0: nothing */
    cohort_member_t **member;
    cohort_t **client; /* destroyed as well, unless NULL */
};

static struct plan plan;

static const char *const names[] = {"", "registered", "updated", "conflict", "lost", "error"};

static void on_event (cohort_member_t *self, const cohort_member_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    trace ("%s; ", names[event->kind]);
    /* A handler may not wait. */
    if (event->kind != COHORT_MEMBER_REGISTERED) {
        int rc = cohort_member_wait (self, 10);
        assert_true (rc != 0 || event->kind == COHORT_MEMBER_UPDATED);
    }
    if (plan.at != 0 && plan.at == event->kind) {
        plan.at = 0;
        cohort_member_destroy (plan.member);
        if (plan.client != NULL) {
            cohort_destroy (plan.client);
        }
    }
}

static cohort_member_t *member_with (cohort_t *client, int policy)
{
    cohort_member_t *member = cohort_member_new (client, "/a", "one", 3, policy);
    assert_non_null (member);
    cohort_member_set_handler (member, on_event, NULL);
    return member;
}

static cohort_member_t *member (cohort_t *client)
{
    return member_with (client, COHORT_MEMBER_WAIT);
}

static int start (void **state)
{
    (void) fake_start (state);
    plan = (struct plan){.at = 0};
    return 0;
}

/* ---- Conflicts ------------------------------------------------------------------------------- */

static void waits_for_a_stranger_to_leave (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/a", "stranger's", STRANGER);
    cohort_member_t *self = member (client);
    fake_settle (client);
    assert_trace ("conflict; ");
    assert_int_equal (cohort_member_wait (self, 0), COHORT_ETIMEDOUT);
    fake_set ("/a", "still");
    fake_settle (client);
    assert_trace ("");
    fake_delete ("/a");
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void a_stranger_that_leaves_while_it_is_looked_at (void **state)
{
    (void) state;
    for (int order = FAKE_AS_IT_HAPPENED; order <= FAKE_BATCHES_FIRST; order++) {
        cohort_t *client = fake_client ();
        fake_set_order (client, (enum fake_order) order);
        fake_create ("/a", "stranger's", STRANGER);
        cohort_member_t *self = member (client);
        fake_flush (client);         /* the creation fails */
        cohort_dispatch (client, 0); /* so the znode is to be looked at */
        fake_flush (client);         /* which finds the stranger's, */
        fake_delete ("/a");          /* and then it goes */
        fake_settle (client);
        /* Whoever knows already that it went reports no conflict. */
        assert_trace (order == FAKE_BATCHES_FIRST ? "registered; " : "conflict; registered; ");
        cohort_member_destroy (&self);
        fake_settle (client);
    }
}

static void a_stranger_that_left_before_it_was_looked_at (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/a", "stranger's", STRANGER);
    cohort_member_t *self = member (client);
    fake_flush (client);
    fake_delete ("/a");
    fake_settle (client);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void a_persistent_znode_is_a_stranger_with_children (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/a", "", 0);
    cohort_member_t *self = member (client);
    fake_create ("/a/child", "", 0);
    fake_settle (client);
    fake_delete ("/a/child");
    fake_settle (client);
    assert_trace ("conflict; ");
    fake_delete ("/a");
    fake_settle (client);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void gives_up_until_it_is_told_to_retry (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/a", "stranger's", STRANGER);
    cohort_member_t *self = member_with (client, COHORT_MEMBER_GIVE_UP);
    assert_int_equal (cohort_member_wait (self, -1), COHORT_ENODEEXISTS);
    assert_trace ("conflict; ");
    fake_delete ("/a");
    fake_settle (client);
    assert_trace ("");
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void a_znode_of_this_session_is_adopted (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/a", "old", cohort_session_id (client));
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    assert_string_equal (fake_data ("/a"), "one");
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
}

static void a_successor_of_the_same_session (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *first = member (client);
    assert_int_equal (cohort_member_wait (first, -1), 0);
    cohort_member_destroy (&first);
    /* The withdrawal comes before this creation. */
    cohort_member_t *second = member (client);
    assert_int_equal (cohort_member_wait (second, -1), 0);
    fake_settle (client);
    assert_trace ("registered; registered; ");
    cohort_member_destroy (&second);
}

static void errors_end_the_attempt (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_fail_request (client, COHORT_ENOAUTH);
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), COHORT_ENOAUTH);
    assert_trace ("error; ");
    /* Of an examination too. */
    fake_create ("/a", "stranger's", STRANGER);
    assert_int_equal (cohort_member_retry (self), 0);
    fake_flush (client);
    cohort_dispatch (client, 0);
    fake_fail_request (client, COHORT_ENOAUTH);
    assert_int_equal (cohort_member_wait (self, -1), COHORT_ENOAUTH);
    assert_trace ("error; ");
    fake_delete ("/a");
    assert_int_equal (cohort_member_update (self, "two", 3), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; updated; ");
    cohort_member_destroy (&self);
}

static void the_root_that_is_not_there (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    for (int i = 0; i < 2; i++) {
        fake_fail_request (client, COHORT_ENONODE);
        cohort_member_t *self = member (client);
        assert_int_equal (cohort_member_wait (self, -1), COHORT_ENONODE);
        cohort_member_destroy (&self);
    }
    assert_trace ("error; error; ");
}

static void no_stream_for_the_new_session (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_fail_stream (client);
    fake_expire (client, false, true);
    fake_settle (client);
    assert_trace ("registered; lost; error; ");
    fake_fail_stream (client);
    assert_int_equal (cohort_member_retry (self), COHORT_ENOMEM);
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void a_stream_that_is_refused (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_end_streams (client, COHORT_ELIMIT);
    fake_settle (client);
    assert_trace ("registered; error; ");
    assert_int_equal (cohort_member_wait (self, -1), COHORT_ELIMIT);
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_int_equal (fake_renewals (), 0);
    cohort_member_destroy (&self);
}

static void a_call_that_fails_inside_a_callback (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    fake_flush (client);
    assert_int_equal (cohort_member_update (self, "two", 3), 0);
    fake_fail_call (client, COHORT_ENOMEM);
    assert_int_equal (cohort_member_wait (self, -1), COHORT_ENOMEM);
    assert_trace ("registered; error; ");
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("updated; ");
    fake_delete ("/a");
    fake_fail_call (client, COHORT_ENOMEM);
    fake_settle (client);
    assert_trace ("lost; error; ");
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void a_session_that_ends_between_two_callbacks (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_delete ("/a");
    fake_fail_call (client, COHORT_ESESSIONEXPIRED);
    fake_settle (client);
    assert_trace ("registered; lost; registered; ");
    /* And between two calls of the application. */
    fake_fail_call (client, COHORT_ESESSIONEXPIRED);
    assert_int_equal (cohort_member_update (self, "two", 3), 0);
    fake_expire (client, false, false);
    fake_settle (client);
    assert_trace ("lost; registered; updated; ");
    cohort_member_destroy (&self);
}

static void a_replacement_that_is_refused (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_expire (client, false, false);
    for (int i = 0; i < 2; i++) {
        cohort_dispatch (client, 0);
        fake_flush (client);
    }
    cohort_dispatch (client, 0);
    fake_fail_request (client, COHORT_EQUOTA);
    fake_settle (client);
    assert_trace ("registered; lost; error; ");
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

/* ---- Destruction ----------------------------------------------------------------------------- */

/* Whether the client's session lives and owns the znode. */
static bool owns (cohort_t *client, const char *path)
{
    const cohort_stat_t *stat = fake_stat (path);
    return cohort_state (client) == COHORT_CONNECTED && stat != NULL &&
           stat->ephemeral_owner == cohort_session_id (client);
}

static void destroyed_after_each_callback (void **state)
{
    (void) state;
    /* The life of a member: registration with its parents, an update, a new session, a deletion,
     * a conflict. It is cut off after `steps` callbacks; no znode of its own may remain. */
    for (int steps = 0; steps < 24; steps++) {
        cohort_t *client = fake_client ();
        cohort_member_t *self = cohort_member_new (client, "/s/u", "x", 1, COHORT_MEMBER_WAIT);
        bool expired = false, deleted = false;
        for (int i = 0; i < steps; i++) {
            fake_flush (client);
            cohort_dispatch (client, 1);
            if (i == 8) {
                assert_int_equal (cohort_member_update (self, "y", 1), 0);
            } else if (i > 10 && !expired) {
                expired = true;
                fake_expire (client, true, false);
            } else if (i > 18 && !deleted && fake_data ("/s/u") != NULL) {
                deleted = true;
                fake_delete ("/s/u");
                fake_create ("/s/u", "stranger's", STRANGER);
            }
        }
        cohort_member_destroy (&self);
        fake_settle (client);
        assert_false (owns (client, "/s/u"));
        fake_reset ();
    }
}

static void destroyed_while_its_creation_is_on_its_way (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
    assert_int_equal (fake_writes (), 2);
    /* A creation that fails leaves nothing to undo. */
    fake_create ("/a", "stranger's", STRANGER);
    self = member (client);
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_string_equal (fake_data ("/a"), "stranger's");
    assert_trace ("");
}

static void destroyed_while_it_replaces_its_old_znode (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_expire (client, false, false);
    for (int i = 0; i < 3; i++) {
        cohort_dispatch (client, 0);
        fake_flush (client);
    }
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
}

/* A session has ended and another has begun; an answer comes from the new one before the end of the
 * old one is told. So two creations are on their way in one session. */
static void destroyed_after_creations_in_two_lives (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    fake_settle (client);
    fake_set_order (client, FAKE_ANSWERS_FIRST);
    fake_expire (client, false, true);
    assert_int_equal (cohort_renew (client), 0);
    assert_int_equal (cohort_member_update (self, "two", 3), 0);
    fake_flush (client);
    assert_int_equal (cohort_dispatch (client, 1), 1); /* the update: it is not there */
    assert_trace ("registered; lost; ");
    assert_int_equal (fake_requests (client), 1);
    fake_hold (client, true);
    (void) cohort_dispatch (client, 0); /* the old session's stream */
    assert_int_equal (fake_requests (client), 2);
    fake_hold (client, false);
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
    /* And if it lives on, one is left. */
    trace_text[0] = 0;
    self = member (client);
    fake_settle (client);
    fake_expire (client, false, true);
    assert_int_equal (cohort_renew (client), 0);
    assert_int_equal (cohort_member_update (self, "two", 3), 0);
    fake_settle (client);
    assert_string_equal (fake_data ("/a"), "two");
    assert_int_equal (cohort_member_token (self).czxid, fake_stat ("/a")->czxid);
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
}

static void destroyed_while_suspended (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_suspend (client);
    cohort_member_destroy (&self);
    assert_non_null (fake_data ("/a"));
    fake_resume (client, false);
    fake_settle (client);
    assert_null (fake_data ("/a"));
}

static void never_withdraws_what_is_anothers (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_delete ("/a");
    fake_create ("/a", "stranger's", STRANGER);
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_string_equal (fake_data ("/a"), "stranger's");
}

/* Brings a member to the event `kind`; whatever it is, the handler destroys member and client. */
static void provoke (cohort_t *client, cohort_member_t *self, cohort_member_kind_t kind, int rc)
{
    if (kind == COHORT_MEMBER_CONFLICT) {
        fake_create ("/a", "stranger's", STRANGER);
    } else if (kind == COHORT_MEMBER_ERROR) {
        fake_fail_request (client, COHORT_ENOAUTH);
    }
    fake_flush (client);
    if (kind == COHORT_MEMBER_UPDATED) {
        assert_int_equal (cohort_member_update (self, "two", 3), 0);
    }
    if (kind == COHORT_MEMBER_LOST) {
        while (fake_callbacks (client) > 0) {
            cohort_dispatch (client, 0);
        }
        if (rc == COHORT_ESESSIONEXPIRED) {
            fake_expire (client, false, false);
        } else {
            fake_delete ("/a");
        }
    }
}

static void destroyed_in_its_own_handler (void **state)
{
    (void) state;
    static const int kinds[] = {COHORT_MEMBER_REGISTERED, COHORT_MEMBER_UPDATED,
                                COHORT_MEMBER_CONFLICT,   COHORT_MEMBER_LOST,
                                COHORT_MEMBER_LOST,       COHORT_MEMBER_ERROR};
    for (int with_client = 0; with_client < 2; with_client++) {
        for (size_t i = 0; i < sizeof (kinds) / sizeof (kinds[0]); i++) {
            cohort_t *client = fake_client ();
            cohort_t *used = client;
            cohort_member_t *self = member (client);
            cohort_member_kind_t kind = (cohort_member_kind_t) kinds[i];
            plan = (struct plan){kind, &self, with_client ? &client : NULL};
            provoke (used, self, kind, i == 3 ? COHORT_ESESSIONEXPIRED : COHORT_ENONODE);
            for (int n = 0; *plan.member != NULL; n++) {
                assert_true (n < 100);
                fake_flush (used);
                cohort_dispatch (used, 1);
            }
            assert_int_equal (plan.at, 0);
            if (!with_client) {
                fake_settle (client);
                assert_false (owns (client, "/a"));
            }
            fake_reset ();
        }
    }
}

static void destroyed_while_it_is_waited_for (void **state)
{
    (void) state;
    for (int with_client = 0; with_client < 2; with_client++) {
        cohort_t *client = fake_client ();
        cohort_member_t *self = member (client);
        plan = (struct plan){COHORT_MEMBER_REGISTERED, &self, with_client ? &client : NULL};
        assert_int_equal (cohort_member_wait (self, -1), COHORT_ECLOSING);
        assert_null (self);
        if (!with_client) {
            fake_settle (client);
        }
    }
}

static cohort_member_t *other;

static void destroy_other (cohort_member_t *self, const cohort_member_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    if (event->kind == COHORT_MEMBER_REGISTERED && other != NULL) {
        cohort_member_destroy (&other);
    }
}

static void destroyed_in_the_handler_of_another (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = cohort_member_new (client, "/b", "", 0, COHORT_MEMBER_WAIT);
    other = member (client);
    cohort_member_set_handler (self, destroy_other, NULL);
    fake_settle (client);
    assert_null (other);
    assert_null (fake_data ("/a"));
    assert_trace ("");
    cohort_member_destroy (&self);
    cohort_member_destroy (&self);
}

/* ---- Hand-overs ------------------------------------------------------------------------------ */

static void a_hand_over_between_others_is_nothing_to_a_member (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    fake_settle (client);
    fake_hand_over (STRANGER, STRANGER + 1);
    fake_settle (client);
    assert_trace ("registered; ");
    assert_true (cohort_member_valid (self, 0));
    cohort_member_destroy (&self);
}

/* To whom it is given it is a stranger's; and what it is given is its own. */
static void a_hand_over_takes_and_gives_the_znode (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    fake_settle (client);
    fake_hand_over (cohort_session_id (client), STRANGER);
    fake_settle (client);
    assert_trace ("registered; lost; conflict; ");
    assert_false (cohort_member_valid (self, 0));
    fake_hand_over (STRANGER, STRANGER + 1);
    fake_settle (client);
    assert_trace ("");
    fake_hand_over (STRANGER + 1, cohort_session_id (client));
    fake_settle (client);
    assert_trace ("registered; ");
    assert_int_equal (cohort_member_token (self).ozxid, fake_stat ("/a")->ozxid);
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
}

static void handed_over_at_every_step (void **state)
{
    for (int order = FAKE_AS_IT_HAPPENED; order <= FAKE_BATCHES_FIRST; order++) {
        for (int steps = 0; steps < 6; steps++) {
            start (state);
            cohort_t *client = fake_client ();
            fake_set_order (client, (enum fake_order) order);
            cohort_member_t *self = member (client);
            for (int i = 0; i < steps; i++) {
                if (!fake_flush_one (client)) {
                    cohort_dispatch (client, 1);
                }
            }
            bool created = fake_data ("/a") != NULL;
            fake_hand_over (cohort_session_id (client), STRANGER);
            fake_settle (client);
            assert_true (cohort_member_valid (self, 0) != created);
            cohort_member_destroy (&self);
            fake_settle (client);
            assert_true ((fake_data ("/a") != NULL) == created);
        }
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (waits_for_a_stranger_to_leave),
        TEST (a_stranger_that_leaves_while_it_is_looked_at),
        TEST (a_stranger_that_left_before_it_was_looked_at),
        TEST (a_persistent_znode_is_a_stranger_with_children),
        TEST (gives_up_until_it_is_told_to_retry),
        TEST (a_znode_of_this_session_is_adopted),
        TEST (a_successor_of_the_same_session),
        TEST (errors_end_the_attempt),
        TEST (the_root_that_is_not_there),
        TEST (no_stream_for_the_new_session),
        TEST (a_stream_that_is_refused),
        TEST (a_call_that_fails_inside_a_callback),
        TEST (a_session_that_ends_between_two_callbacks),
        TEST (a_replacement_that_is_refused),
        TEST (destroyed_after_each_callback),
        TEST (destroyed_while_its_creation_is_on_its_way),
        TEST (destroyed_while_it_replaces_its_old_znode),
        TEST (destroyed_after_creations_in_two_lives),
        TEST (destroyed_while_suspended),
        TEST (never_withdraws_what_is_anothers),
        TEST (destroyed_in_its_own_handler),
        TEST (destroyed_while_it_is_waited_for),
        TEST (destroyed_in_the_handler_of_another),
        TEST (a_hand_over_between_others_is_nothing_to_a_member),
        TEST (a_hand_over_takes_and_gives_the_znode),
        TEST (handed_over_at_every_step),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
