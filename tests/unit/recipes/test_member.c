/* Registration: what a member does when nothing, or everything, goes wrong around it. */

#include "cohort/member.h"

#include "tests/unit/recipes/fixture.h"

#define STRANGER 77

static void on_event (cohort_member_t *self, const cohort_member_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) arg;
    assert_string_equal (event->path, cohort_member_path (self));
    switch (event->kind) {
    case COHORT_MEMBER_REGISTERED:
        assert_int_equal (event->token.czxid, fake_stat (event->path)->czxid);
        assert_int_equal (event->token.czxid, cohort_member_token (self).czxid);
        trace ("registered; ");
        break;
    case COHORT_MEMBER_UPDATED:
        trace ("updated %s; ", fake_data (event->path));
        break;
    case COHORT_MEMBER_CONFLICT:
        assert_int_equal (event->rc, COHORT_ENODEEXISTS);
        trace ("conflict %d; ", (int) event->owner);
        break;
    case COHORT_MEMBER_LOST:
        assert_int_equal (cohort_member_token (self).czxid, 0);
        trace ("lost %d; ", event->rc);
        break;
    case COHORT_MEMBER_ERROR:
        trace ("error %d; ", event->rc);
        break;
    }
}

static cohort_member_t *member_at (cohort_t *client, const char *path, const char *data, int policy)
{
    cohort_member_t *member = cohort_member_new (client, path, data, strlen (data), policy);
    assert_non_null (member);
    cohort_member_set_handler (member, on_event, NULL);
    return member;
}

static cohort_member_t *member (cohort_t *client)
{
    return member_at (client, "/a", "one", COHORT_MEMBER_WAIT);
}

static void update (cohort_member_t *self, const char *data)
{
    assert_int_equal (cohort_member_update (self, data, strlen (data)), 0);
}

/* ---- Registration ---------------------------------------------------------------------------- */

static void registers_in_one_write (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_valid (self, 0), 0);
    assert_int_equal (cohort_member_pending (self), 1);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    assert_int_equal (fake_writes (), 1);
    assert_string_equal (fake_data ("/a"), "one");
    assert_int_equal (fake_stat ("/a")->ephemeral_owner, cohort_session_id (client));
    assert_int_equal (cohort_member_pending (self), 0);
    fake_settle (client);
    assert_trace ("");
    cohort_member_destroy (&self);
    assert_null (self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
    assert_trace ("");
}

static void waits_for_the_connection (void **state)
{
    (void) state;
    cohort_t *client = fake_client_connecting ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, 1), COHORT_ETIMEDOUT);
    update (self, "two");
    fake_resume (client, false);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; updated two; ");
    cohort_member_destroy (&self);
}

static void makes_missing_parents (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member_at (client, "/s/g/u", "x", COHORT_MEMBER_WAIT);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_string_equal (fake_data ("/s/g/u"), "x");
    assert_int_equal (fake_stat ("/s/g")->ephemeral_owner, 0);
    assert_int_equal (fake_stat ("/s")->ephemeral_owner, 0);
    assert_string_equal (fake_data ("/s"), "");
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
    fake_settle (client);
    /* Parents stay. */
    assert_non_null (fake_data ("/s/g"));
}

static void parents_made_by_somebody_else_meanwhile (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member_at (client, "/s/g/u", "x", COHORT_MEMBER_WAIT);
    fake_flush (client);
    fake_create ("/s", "", 0);
    fake_create ("/s/g", "", 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void a_path_without_a_root_fails (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    assert_null (cohort_member_new (client, "a", "", 0, COHORT_MEMBER_WAIT));
    assert_null (cohort_member_new (client, NULL, "", 0, COHORT_MEMBER_WAIT));
    assert_null (cohort_member_new (NULL, "/a", "", 0, COHORT_MEMBER_WAIT));
    assert_null (cohort_member_new (client, "/a", NULL, 1, COHORT_MEMBER_WAIT));
    assert_null (cohort_member_new (client, "/a", "", 0, 2));
    assert_null (cohort_member_new (client, "/a", "", 0, -1));
    fake_fail_call (client, COHORT_ETOOBIG);
    assert_null (cohort_member_new (client, "/a", "", 0, COHORT_MEMBER_WAIT));
    assert_int_equal (fake_streams (client), 0);
}

static void valid_asks_the_session (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_set_valid_ms (client, 100);
    assert_int_equal (cohort_member_valid (self, 99), 1);
    assert_int_equal (cohort_member_valid (self, 100), 0);
    assert_int_equal (cohort_member_valid (self, -5), 1);
    fake_set_valid_ms (client, 0);
    assert_int_equal (cohort_member_valid (self, 0), 0);
    assert_int_equal (cohort_member_valid (self, -5), 0);
    cohort_member_destroy (&self);
}

/* ---- Updates --------------------------------------------------------------------------------- */

static void updates_are_merged (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; ");
    update (self, "two");
    assert_int_equal (fake_requests (client), 1);
    update (self, "three");
    update (self, "four");
    assert_int_equal (fake_requests (client), 1);
    assert_int_equal (cohort_member_pending (self), 1);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_string_equal (fake_data ("/a"), "four");
    assert_trace ("updated four; ");
    assert_int_equal (fake_writes (), 3);
    cohort_member_destroy (&self);
}

static void an_update_during_registration_follows_it (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    fake_flush (client);
    update (self, "two");
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; updated two; ");
    cohort_member_destroy (&self);
}

static void a_refused_update_keeps_the_registration (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_fail_request (client, COHORT_EQUOTA);
    update (self, "two");
    assert_int_equal (cohort_member_wait (self, -1), COHORT_EQUOTA);
    assert_trace ("registered; error -125; ");
    assert_int_equal (cohort_member_valid (self, 0), 1);
    fake_settle (client);
    assert_int_equal (fake_requests (client), 0);
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("updated two; ");
    /* Nothing to try again. */
    assert_int_equal (cohort_member_retry (self), 0);
    assert_int_equal (fake_requests (client), 0);
    cohort_member_destroy (&self);
}

static void an_update_that_cannot_be_sent_changes_nothing (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_fail_call (client, COHORT_ETOOBIG);
    assert_int_equal (cohort_member_update (self, "two", 3), COHORT_ETOOBIG);
    assert_int_equal (cohort_member_update (self, NULL, 3), COHORT_EINVAL);
    assert_int_equal (cohort_member_pending (self), 0);
    fake_delete ("/a");
    fake_settle (client);
    assert_string_equal (fake_data ("/a"), "one");
    cohort_member_destroy (&self);
}

/* ---- Healing --------------------------------------------------------------------------------- */

static void a_deleted_znode_is_restored (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    update (self, "two");
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; updated two; ");
    fake_delete ("/a");
    fake_settle (client);
    assert_trace ("lost -101; registered; ");
    assert_string_equal (fake_data ("/a"), "two");
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_null (fake_data ("/a"));
}

static void deleted_with_its_parents (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member_at (client, "/s/u", "x", COHORT_MEMBER_WAIT);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_begin ();
    fake_delete ("/s/u");
    fake_delete ("/s");
    fake_commit ();
    fake_settle (client);
    assert_trace ("registered; lost -101; registered; ");
    cohort_member_destroy (&self);
}

static void an_update_on_its_way_to_a_vanished_znode (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_delete ("/a");
    fake_create ("/a", "stranger's", STRANGER);
    update (self, "two");
    fake_settle (client);
    /* The update did not touch the stranger's znode. */
    assert_string_equal (fake_data ("/a"), "stranger's");
    assert_trace ("registered; lost -101; conflict 77; ");
    fake_delete ("/a");
    fake_settle (client);
    assert_trace ("registered; updated two; ");
    cohort_member_destroy (&self);
}

static void the_same_with_the_answer_before_the_batches (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_set_order (client, FAKE_ANSWERS_FIRST);
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_delete ("/a");
    update (self, "two");
    fake_settle (client);
    assert_string_equal (fake_data ("/a"), "two");
    assert_trace ("registered; lost -101; registered; updated two; ");
    cohort_member_destroy (&self);
}

static void deleted_before_the_answer_to_its_creation (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_set_order (client, FAKE_BATCHES_FIRST);
    cohort_member_t *self = member (client);
    fake_flush (client);
    fake_delete ("/a");
    fake_settle (client);
    assert_trace ("registered; ");
    cohort_member_destroy (&self);
}

static void replaced_in_one_transaction (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_begin ();
    fake_delete ("/a");
    fake_create ("/a", "stranger's", STRANGER);
    fake_commit ();
    fake_settle (client);
    assert_trace ("registered; lost -101; conflict 77; ");
    fake_begin ();
    fake_delete ("/a");
    fake_create ("/a", "another's", STRANGER + 1);
    fake_commit ();
    fake_settle (client);
    assert_trace ("conflict 78; ");
    cohort_member_destroy (&self);
    fake_settle (client);
    assert_string_equal (fake_data ("/a"), "another's");
}

static void a_reconnect_is_no_event (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    uint64_t czxid = cohort_member_token (self).czxid;
    fake_suspend (client);
    update (self, "two");
    fake_settle (client);
    assert_trace ("registered; ");
    fake_resume (client, true);
    fake_settle (client);
    assert_trace ("updated two; ");
    assert_int_equal (fake_stat ("/a")->czxid, czxid);
    cohort_member_destroy (&self);
}

static void deleted_while_suspended (void **state)
{
    (void) state;
    for (int resnapshot = 0; resnapshot < 2; resnapshot++) {
        cohort_t *client = fake_client ();
        cohort_member_t *self = member (client);
        assert_int_equal (cohort_member_wait (self, -1), 0);
        fake_suspend (client);
        fake_delete ("/a");
        fake_resume (client, resnapshot != 0);
        fake_settle (client);
        assert_trace ("registered; lost -101; registered; ");
        cohort_member_destroy (&self);
        fake_settle (client);
    }
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static void registers_anew_in_a_new_session (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_suspend (client);
    update (self, "two");
    fake_expire (client, false, true);
    assert_int_equal (cohort_member_valid (self, 0), 0);
    fake_settle (client);
    /* CURATOR-146, -181: the new data is registered. */
    assert_trace ("registered; lost -112; registered; updated two; ");
    assert_int_equal (fake_stat ("/a")->ephemeral_owner, cohort_session_id (client));
    assert_int_equal (fake_renewals (), 1);
    cohort_member_destroy (&self);
}

static void its_own_old_znode_is_replaced_without_a_gap (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    uint64_t old_session = cohort_session_id (client);
    uint64_t old_czxid = cohort_member_token (self).czxid;
    fake_expire (client, false, false);
    fake_settle (client);
    assert_trace ("registered; lost -112; registered; ");
    assert_true (fake_stat ("/a")->czxid > old_czxid);
    assert_int_equal (fake_stat ("/a")->ephemeral_owner, cohort_session_id (client));
    /* What the ensemble clears away of the old session is not ours any more. */
    fake_reap (old_session);
    fake_settle (client);
    assert_trace ("");
    assert_string_equal (fake_data ("/a"), "one");
    cohort_member_destroy (&self);
}

static void reaped_while_it_is_being_replaced (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    uint64_t old_session = cohort_session_id (client);
    fake_expire (client, false, false);
    cohort_dispatch (client, 0); /* renews; the creation is on its way */
    fake_flush (client);
    cohort_dispatch (client, 0); /* NODEEXISTS: examine */
    fake_flush (client);
    cohort_dispatch (client, 0); /* of our old session: replace */
    assert_int_equal (fake_requests (client), 1);
    fake_reap (old_session);
    fake_settle (client);
    assert_trace ("registered; lost -112; registered; ");
    cohort_member_destroy (&self);
}

static void a_creation_of_unknown_outcome (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    /* The creation takes effect, the client never hears of it. */
    fake_expire (client, true, false);
    assert_non_null (fake_data ("/a"));
    fake_settle (client);
    assert_trace ("registered; ");
    assert_int_equal (fake_stat ("/a")->ephemeral_owner, cohort_session_id (client));
    cohort_member_destroy (&self);
}

static void renewed_by_somebody_else_first (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_expire (client, false, false);
    assert_int_equal (cohort_renew (client), 0);
    /* The client speaks for a session that this registration does not belong to. */
    assert_int_equal (cohort_member_valid (self, 0), 0);
    fake_settle (client);
    assert_trace ("registered; lost -112; registered; ");
    assert_int_equal (fake_renewals (), 1);
    cohort_member_destroy (&self);
}

static void a_refused_session_is_not_renewed_for_ever (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *self = member (client);
    assert_int_equal (cohort_member_wait (self, -1), 0);
    fake_refuse_session (client);
    fake_expire (client, false, true);
    fake_settle (client);
    assert_trace ("registered; lost -112; error -112; ");
    assert_int_equal (fake_renewals (), 1);
    assert_int_equal (cohort_member_wait (self, 1), COHORT_ESESSIONEXPIRED);
    /* Unless it is asked for. */
    fake_refuse_session (client);
    assert_int_equal (cohort_member_retry (self), 0);
    fake_settle (client);
    assert_trace ("error -112; ");
    update (self, "two");
    assert_int_equal (cohort_member_wait (self, -1), 0);
    assert_trace ("registered; updated two; ");
    cohort_member_destroy (&self);
}

static void several_members_renew_once (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_member_t *a = member_at (client, "/a", "a", COHORT_MEMBER_WAIT);
    cohort_member_t *b = member_at (client, "/b", "b", COHORT_MEMBER_WAIT);
    fake_settle (client);
    fake_expire (client, false, false);
    fake_settle (client);
    assert_trace ("registered; registered; lost -112; lost -112; registered; registered; ");
    assert_int_equal (fake_renewals (), 1);
    cohort_member_destroy (&a);
    cohort_member_destroy (&b);
    fake_settle (client);
    assert_null (fake_data ("/a"));
    assert_null (fake_data ("/b"));
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (registers_in_one_write),
        TEST (waits_for_the_connection),
        TEST (makes_missing_parents),
        TEST (parents_made_by_somebody_else_meanwhile),
        TEST (a_path_without_a_root_fails),
        TEST (valid_asks_the_session),
        TEST (updates_are_merged),
        TEST (an_update_during_registration_follows_it),
        TEST (a_refused_update_keeps_the_registration),
        TEST (an_update_that_cannot_be_sent_changes_nothing),
        TEST (a_deleted_znode_is_restored),
        TEST (deleted_with_its_parents),
        TEST (an_update_on_its_way_to_a_vanished_znode),
        TEST (the_same_with_the_answer_before_the_batches),
        TEST (deleted_before_the_answer_to_its_creation),
        TEST (replaced_in_one_transaction),
        TEST (a_reconnect_is_no_event),
        TEST (deleted_while_suspended),
        TEST (registers_anew_in_a_new_session),
        TEST (its_own_old_znode_is_replaced_without_a_gap),
        TEST (reaped_while_it_is_being_replaced),
        TEST (a_creation_of_unknown_outcome),
        TEST (renewed_by_somebody_else_first),
        TEST (a_refused_session_is_not_renewed_for_ever),
        TEST (several_members_renew_once),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
