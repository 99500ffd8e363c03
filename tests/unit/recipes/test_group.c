/* Groups: who is in, who comes and goes, by seniority. */

#include "cohort/group.h"

#include "tests/unit/recipes/fixture.h"

#define GROUP "/g/members"

static const char *const names[] = {"",       "added", "changed",  "removed", "synced",
                                    "joined", "lost",  "conflict", "error"};

static cohort_group_t *doomed;
static cohort_group_kind_t doom_at;

static void on_event (cohort_group_t *self, const cohort_group_event_t *event, void *arg)
{
    fake_in_handler ();
    assert_string_equal (event->path, GROUP);
    trace ("%s %s", (const char *) arg, names[event->kind]);
    if (event->member != NULL) {
        trace (" %s=%s", event->member->name, (const char *) event->member->data);
    }
    if (event->rc != 0) {
        trace (" %d", event->rc);
    }
    trace ("; ");
    if (doomed == self && event->kind == doom_at) {
        cohort_group_destroy (&doomed);
    }
}

static cohort_group_t *group (cohort_t *client, const char *name, const char *member)
{
    cohort_group_t *self = cohort_group_new (client, GROUP, member, "0", member == NULL ? 0 : 1);
    assert_non_null (self);
    cohort_group_set_handler (self, on_event, (void *) name);
    return self;
}

static void leave (cohort_group_t **self, cohort_t *client)
{
    cohort_group_destroy (self);
    fake_settle (client);
    assert_int_equal (fake_streams (client), 0);
}

static int start (void **state)
{
    (void) fake_start (state);
    doomed = NULL;
    return 0;
}

static void members_come_change_and_go (void **state)
{
    (void) state;
    cohort_t *first = fake_client (), *second = fake_client (), *third = fake_client ();
    cohort_group_t *a = group (first, "a", "zoe"), *looks = group (third, "l", NULL);
    assert_int_equal (cohort_group_wait (a, -1), 0);
    assert_int_equal (cohort_group_wait (looks, -1), 0);
    fake_settle (first);
    assert_int_equal (cohort_group_count (looks), 1);
    trace_text[0] = 0;
    cohort_group_t *b = group (second, "b", "adam");
    fake_settle (second);
    fake_settle (third);
    fake_settle (first);
    assert_trace ("b added zoe=0; b synced; b added adam=0; b joined; l added adam=0; "
                  "a added adam=0; ");
    /* The eldest is first, whatever its name is. */
    assert_string_equal (cohort_group_at (looks, 0)->name, "zoe");
    assert_string_equal (cohort_group_at (looks, 1)->name, "adam");
    assert_null (cohort_group_at (looks, 2));
    assert_int_equal (cohort_group_get (looks, "adam")->token.czxid, cohort_group_token (b).czxid);
    assert_int_equal (cohort_group_get (looks, "adam")->session, cohort_session_id (second));
    assert_null (cohort_group_get (looks, "eve"));
    assert_int_equal (cohort_group_valid (b, 10), 1);
    assert_int_equal (cohort_group_valid (looks, 10), 0);
    assert_int_equal (cohort_group_update (b, "1", 1), 0);
    assert_int_equal (cohort_group_update (looks, "1", 1), COHORT_ESTATE);
    fake_settle (second);
    fake_settle (third);
    assert_trace ("b changed adam=1; l changed adam=1; ");
    leave (&a, first);
    fake_settle (third);
    assert_trace ("l removed zoe=0; ");
    assert_string_equal (cohort_group_at (looks, 0)->name, "adam");
    assert_int_equal (cohort_group_stale_ms (looks), 0);
    leave (&b, second);
    leave (&looks, third);
}

static void what_is_no_member_does_not_count (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/g", "", 0);
    fake_create (GROUP, "", 0);
    fake_create (GROUP "/folder", "", 0);
    fake_create (GROUP "/folder/deep", "", 7);
    fake_create (GROUP "/x", "", 7);
    cohort_group_t *self = group (client, "l", NULL);
    fake_settle (client);
    assert_trace ("l added x=; l synced; ");
    assert_int_equal (cohort_group_count (self), 1);
    fake_begin ();
    fake_delete (GROUP "/x");
    fake_create (GROUP "/x", "anew", 0); /* persistent: none any more */
    fake_commit ();
    fake_settle (client);
    assert_trace ("l removed x=; ");
    assert_int_equal (cohort_group_count (self), 0);
    leave (&self, client);
}

static void two_of_one_transaction_have_an_order (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/g", "", 0);
    fake_create (GROUP, "", 0);
    fake_create (GROUP "/z", "", 7);
    fake_begin ();
    fake_create (GROUP "/y", "", 7);
    fake_create (GROUP "/a", "", 7);
    fake_create (GROUP "/m", "", 7);
    fake_commit ();
    cohort_group_t *self = group (client, "l", NULL);
    fake_settle (client);
    const char *const order[] = {"z", "a", "m", "y"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal (cohort_group_at (self, i)->name, order[i]);
    }
    assert_null (cohort_group_at (self, 4));
    leave (&self, client);
}

static void it_joins_again_when_its_session_ends (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_group_t *self = group (client, "a", "me");
    assert_int_equal (cohort_group_wait (self, -1), 0);
    fake_settle (client);
    trace_text[0] = 0;
    fake_expire (client, false, true);
    assert_int_equal (cohort_group_wait (self, -1), 0);
    fake_settle (client);
    assert_non_null (strstr (trace_text, "a lost -112; "));
    assert_non_null (strstr (trace_text, "a joined; "));
    assert_int_equal (cohort_group_count (self), 1);
    fake_suspend (client);
    assert_true (cohort_group_stale_ms (self) > 0);
    assert_int_equal (cohort_group_count (self), 1);
    assert_int_equal (cohort_group_wait (self, 0), COHORT_ETIMEDOUT);
    fake_resume (client, true);
    assert_int_equal (cohort_group_wait (self, -1), 0);
    leave (&self, client);
}

static void a_name_that_is_taken_is_waited_for (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    fake_create ("/g", "", 0);
    fake_create (GROUP, "", 0);
    fake_create (GROUP "/me", "other", 7);
    cohort_group_t *self = group (client, "a", "me");
    fake_settle (client);
    assert_trace ("a added me=other; a synced; a conflict -110; ");
    fake_delete (GROUP "/me");
    assert_int_equal (cohort_group_wait (self, -1), 0);
    fake_settle (client);
    assert_trace ("a removed me=other; a added me=0; a joined; ");
    leave (&self, client);
}

static void a_refusal_is_reported_and_tried_again (void **state)
{
    (void) state;
    cohort_t *client = fake_client ();
    cohort_group_t *self = group (client, "a", "me");
    fake_fail_request (client, COHORT_ENOAUTH);
    fake_settle (client);
    assert_non_null (strstr (trace_text, "a error -102; "));
    assert_int_equal (cohort_group_wait (self, -1), COHORT_ENOAUTH);
    assert_int_equal (cohort_group_retry (self), 0);
    assert_int_equal (cohort_group_wait (self, -1), 0);
    leave (&self, client);
    fake_fail_stream (client);
    assert_null (cohort_group_new (client, GROUP, NULL, NULL, 0));
    assert_null (cohort_group_new (client, GROUP, "a/b", NULL, 0));
    assert_null (cohort_group_new (client, GROUP, "", NULL, 0));
    assert_null (cohort_group_new (client, GROUP "/", "a", NULL, 0));
    assert_null (cohort_group_new (client, GROUP, "a", NULL, 1));
    assert_null (cohort_group_new (NULL, GROUP, "a", NULL, 0));
}

static void destroyed_inside_its_handlers (void **state)
{
    (void) state;
    for (int kind = COHORT_GROUP_ADDED; kind <= COHORT_GROUP_CONFLICT; kind++) {
        (void) start (NULL);
        cohort_t *client = fake_client ();
        fake_create ("/g", "", 0);
        fake_create (GROUP, "", 0);
        fake_create (GROUP "/x", "", 7);
        if (kind == COHORT_GROUP_CONFLICT) {
            fake_create (GROUP "/me", "", 7);
        }
        doom_at = (cohort_group_kind_t) kind;
        doomed = group (client, "a", "me");
        fake_settle (client);
        fake_set (GROUP "/x", "1");
        fake_settle (client);
        fake_delete (GROUP "/x");
        fake_settle (client);
        if (doomed != NULL) {
            fake_expire (client, false, true);
        }
        fake_settle (client);
        assert_null (doomed);
        assert_int_equal (fake_streams (client), 0);
    }
    cohort_t *client = fake_client ();
    doom_at = COHORT_GROUP_SYNCED;
    doomed = group (client, "a", "me");
    assert_int_equal (cohort_group_wait (doomed, -1), COHORT_ECLOSING);
    fake_settle (client);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (members_come_change_and_go),           TEST (what_is_no_member_does_not_count),
        TEST (two_of_one_transaction_have_an_order), TEST (it_joins_again_when_its_session_ends),
        TEST (a_name_that_is_taken_is_waited_for),   TEST (a_refusal_is_reported_and_tried_again),
        TEST (destroyed_inside_its_handlers),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
