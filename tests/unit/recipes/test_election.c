/* Elections: candidates and observers, when nothing, or everything, goes wrong around them. */

#include "cohort/election.h"

#include "tests/unit/recipes/fixture.h"

#define PATH "/elections/a"

static void on_event (cohort_election_t *self, const cohort_election_event_t *event, void *arg)
{
    fake_in_handler ();
    const char *name = arg;
    assert_string_equal (event->path, PATH);
    switch (event->kind) {
    case COHORT_ELECTION_ELECTED:
        assert_int_equal (event->token.czxid, fake_stat (cohort_election_node (self))->czxid);
        trace ("%s elected; ", name);
        break;
    case COHORT_ELECTION_REVOKED:
        assert_int_equal (cohort_election_token (self).czxid, 0);
        trace ("%s revoked %d; ", name, event->rc);
        break;
    case COHORT_ELECTION_FAILED:
        trace ("%s failed %d; ", name, event->rc);
        break;
    case COHORT_ELECTION_PROCLAIMED:
        trace ("%s proclaimed %d; ", name, event->rc);
        break;
    case COHORT_ELECTION_LEADER:
        if (event->leader == NULL) {
            trace ("%s sees nobody; ", name);
        } else {
            assert_int_equal (event->leader->token.czxid, fake_stat (event->leader->node)->czxid);
            assert_int_not_equal (event->leader->pid, 0);
            trace ("%s sees %s; ", name, (const char *) event->leader->data);
        }
        break;
    case COHORT_ELECTION_BLIND:
        trace ("%s blind %d; ", name, event->rc);
        break;
    }
}

struct process {
    cohort_t *client;
    cohort_election_t *election;
};

static struct process process (const char *name, int flags)
{
    struct process self = {.client = fake_client ()};
    self.election = cohort_election_new (self.client, PATH, flags);
    assert_non_null (self.election);
    cohort_election_set_handler (self.election, on_event, (void *) name);
    return self;
}

static struct process candidate (const char *name, int flags)
{
    struct process self = process (name, flags);
    assert_int_equal (cohort_election_campaign (self.election, name, strlen (name)), 0);
    fake_settle (self.client);
    return self;
}

static struct process observer (void)
{
    struct process self = process ("O", 0);
    assert_int_equal (cohort_election_observe (self.election), 0);
    fake_settle (self.client);
    return self;
}

static void leave (struct process *self)
{
    cohort_election_destroy (&self->election);
    fake_settle (self->client);
    assert_int_equal (fake_streams (self->client), 0);
    assert_trace ("");
}

/* ---- Candidates ------------------------------------------------------------------------------ */

static void the_first_one_leads (void **state)
{
    (void) state;
    struct process a = candidate ("A", 0), b = candidate ("B", 0);
    assert_trace ("A elected; ");
    assert_int_equal (cohort_election_wait (a.election, 0), 0);
    assert_int_equal (cohort_election_campaign (a.election, "x", 1), COHORT_ESTATE);
    assert_true (cohort_election_valid (a.election, 0));
    assert_false (cohort_election_valid (b.election, 0));
    uint64_t epoch = cohort_election_token (a.election).czxid;
    assert_int_equal (cohort_election_resign (a.election), 0);
    assert_false (cohort_election_valid (a.election, 0));
    assert_int_equal (cohort_election_resign (a.election), COHORT_ESTATE);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("B elected; ");
    assert_true (cohort_election_token (b.election).czxid > epoch);
    assert_int_equal (cohort_election_wait (a.election, 0), COHORT_ESTATE);
    leave (&a);
    leave (&b);
}

static void what_cannot_be_is_refused (void **state)
{
    (void) state;
    struct process a = process ("A", 0);
    assert_null (cohort_election_new (NULL, PATH, 0));
    assert_null (cohort_election_new (a.client, NULL, 0));
    assert_null (cohort_election_new (a.client, PATH, 2));
    assert_int_equal (cohort_election_campaign (a.election, NULL, 1), COHORT_EINVAL);
    assert_int_equal (cohort_election_proclaim (a.election, "x", 1), COHORT_ESTATE);
    cohort_txn_t *txn = cohort_txn_new ();
    assert_int_equal (cohort_election_guard (a.election, txn), COHORT_ESTATE);
    cohort_txn_destroy (&txn);
    fake_fail_request (a.client, COHORT_ENOAUTH);
    assert_int_equal (cohort_election_campaign (a.election, "x", 1), 0);
    assert_int_equal (cohort_election_wait (a.election, -1), COHORT_ENOAUTH);
    assert_trace ("A failed -102; ");
    leave (&a);
}

static void a_wait_that_ends_in_time_resigns (void **state)
{
    (void) state;
    struct process a = candidate ("A", 0), b = candidate ("B", COHORT_ELECTION_AGAIN);
    assert_int_equal (cohort_election_wait (b.election, 1), COHORT_ETIMEDOUT);
    fake_settle (b.client);
    assert_null (fake_data (PATH "/exclusive-0000000001"));
    assert_trace ("A elected; ");
    leave (&a);
    leave (&b);
}

static void who_leads_proclaims (void **state)
{
    (void) state;
    struct process a = candidate ("A", 0), o = observer ();
    assert_trace ("A elected; O sees A; ");
    assert_int_equal (cohort_election_proclaim (a.election, "A1", 2), 0);
    assert_int_equal (cohort_election_proclaim (a.election, "A2", 2), 0);
    assert_int_equal (cohort_election_proclaim (a.election, "A3", 2), 0);
    assert_int_equal (fake_requests (a.client), 1);
    fake_settle (a.client);
    fake_settle (o.client);
    assert_trace ("A proclaimed 0; O sees A1; O sees A3; ");
    fake_fail_request (a.client, COHORT_EQUOTA);
    assert_int_equal (cohort_election_proclaim (a.election, "A4", 2), 0);
    fake_settle (a.client);
    assert_trace ("A proclaimed -125; ");
    fake_fail_call (a.client, COHORT_ETOOBIG);
    assert_int_equal (cohort_election_proclaim (a.election, "A5", 2), COHORT_ETOOBIG);
    assert_true (cohort_election_valid (a.election, 0));
    leave (&a);
    fake_settle (o.client);
    assert_trace ("O sees nobody; ");
    leave (&o);
}

static void who_is_lost_campaigns_again (void **state)
{
    (void) state;
    struct process a = candidate ("A", COHORT_ELECTION_AGAIN), b = candidate ("B", 0);
    assert_trace ("A elected; ");
    fake_expire (a.client, false, true);
    fake_settle (a.client);
    fake_settle (b.client);
    assert_trace ("A revoked -112; B elected; ");
    fake_delete (cohort_election_node (b.election));
    fake_settle (b.client);
    fake_settle (a.client);
    assert_trace ("B revoked -101; A elected; ");
    assert_int_equal (cohort_election_wait (b.election, 0), COHORT_ENONODE);
    /* A session that is refused is not renewed again and again. */
    fake_refuse_session (a.client);
    fake_expire (a.client, false, true);
    fake_settle (a.client);
    assert_trace ("A revoked -112; A failed -112; A failed -112; ");
    leave (&a);
    leave (&b);
}

static void resigns_in_its_handler (cohort_election_t *self, const cohort_election_event_t *event,
                                    void *arg)
{
    fake_in_handler ();
    on_event (self, event, arg);
    if (event->kind == COHORT_ELECTION_REVOKED) {
        assert_int_equal (cohort_election_resign (self), 0);
    }
}

/* Two ends in succession, and it still competes; but not once it was told to stop. */
static void scenario_8_curator_518_lost_twice_it_still_competes (void **state)
{
    (void) state;
    struct process a = candidate ("A", COHORT_ELECTION_AGAIN), b = candidate ("B", 0);
    fake_delete (PATH "/exclusive-0000000000");
    fake_expire (a.client, false, true);
    fake_settle (a.client);
    fake_expire (a.client, false, true);
    fake_settle (a.client);
    fake_settle (b.client);
    trace_text[0] = 0;
    assert_int_equal (cohort_election_resign (b.election), 0);
    fake_settle (b.client);
    fake_settle (a.client);
    assert_trace ("A elected; ");
    cohort_election_set_handler (a.election, resigns_in_its_handler, (void *) "A");
    fake_expire (a.client, false, true);
    fake_settle (a.client);
    assert_trace ("A revoked -112; ");
    assert_null (cohort_election_node (a.election));
    leave (&a);
    leave (&b);
}

/* ---- Observers ------------------------------------------------------------------------------- */

static void an_observer_sees_each_leader_and_none (void **state)
{
    (void) state;
    struct process o = observer ();
    assert_trace ("O sees nobody; ");
    assert_int_equal (cohort_election_observe (o.election), 0);
    struct process a = candidate ("A", 0), b = candidate ("B", 0);
    fake_settle (o.client);
    assert_trace ("A elected; O sees A; ");
    assert_int_equal (cohort_election_leader (o.election)->session, cohort_session_id (a.client));
    fake_now_ms = 7000;
    leave (&a);
    fake_settle (b.client);
    fake_settle (o.client);
    /* Its grant is recorded: from then on its time is known. */
    fake_settle (b.client);
    fake_settle (o.client);
    assert_non_null (strstr (trace_text, "B elected; O sees B; "));
    assert_int_equal (cohort_election_leader (o.election)->since_ms, 7000);
    trace_text[0] = 0;
    leave (&b);
    fake_settle (o.client);
    assert_trace ("O sees nobody; ");
    assert_null (cohort_election_leader (o.election));
    leave (&o);
}

/* The order in which events come says nothing: the lowest place does. */
static void scenario_etcd_18163_the_oldest_place_is_the_leader (void **state)
{
    (void) state;
    struct process a = candidate ("A", 0), b = candidate ("B", 0), c = candidate ("C", 0);
    struct process o = observer ();
    assert_trace ("A elected; O sees A; ");
    fake_suspend (o.client);
    cohort_election_destroy (&a.election);
    cohort_election_destroy (&b.election);
    fake_settle (b.client);
    fake_settle (a.client);
    fake_settle (c.client);
    struct process d = candidate ("D", 0);
    fake_settle (c.client);
    assert_trace ("C elected; ");
    fake_resume (o.client, true);
    fake_settle (o.client);
    assert_trace ("O sees C; ");
    leave (&c);
    fake_settle (d.client);
    fake_settle (o.client);
    assert_non_null (strstr (trace_text, "O sees D; "));
    trace_text[0] = 0;
    leave (&d);
    fake_settle (o.client);
    trace_text[0] = 0;
    leave (&o);
}

static void an_observer_goes_on_in_a_new_session (void **state)
{
    (void) state;
    struct process a = candidate ("A", 0), o = observer ();
    assert_trace ("A elected; O sees A; ");
    fake_expire (o.client, false, true);
    fake_settle (o.client);
    assert_trace ("");
    assert_int_equal (cohort_election_proclaim (a.election, "A1", 2), 0);
    fake_settle (a.client);
    fake_settle (o.client);
    assert_trace ("A proclaimed 0; O sees A1; ");
    leave (&a);
    fake_settle (o.client);
    assert_trace ("O sees nobody; ");
    fake_expire (o.client, false, true);
    fake_settle (o.client);
    struct process b = candidate ("B", 0);
    fake_settle (o.client);
    assert_trace ("B elected; O sees B; ");
    fake_end_streams (o.client, COHORT_ELIMIT);
    fake_settle (o.client);
    assert_trace ("O blind -214; ");
    assert_int_equal (cohort_election_observe (o.election), 0);
    fake_settle (o.client);
    leave (&b);
    fake_settle (o.client);
    assert_trace ("O sees nobody; ");
    leave (&o);
}

static void an_observer_may_lose_its_session_or_end_at_every_step (void **state)
{
    for (int steps = 0; steps < 8; steps++) {
        for (int how = 0; how < 4; how++) {
            fake_start (state);
            struct process a = {.client = NULL};
            if (how & 1) {
                a = candidate ("A", 0);
            }
            struct process o = process ("O", 0);
            assert_int_equal (cohort_election_observe (o.election), 0);
            for (int i = 0; i < steps; i++) {
                fake_flush (o.client);
                cohort_dispatch (o.client, 1);
            }
            if (how & 2) {
                fake_expire (o.client, false, true);
                fake_settle (o.client);
                assert_non_null (strstr (trace_text, how & 1 ? "O sees A; " : "O sees nobody; "));
            }
            trace_text[0] = 0;
            leave (&o);
            if (how & 1) {
                leave (&a);
            }
        }
    }
}

/* ---- Inside handlers ------------------------------------------------------------------------- */

static struct process doomed;
static cohort_election_kind_t doomed_at;

static void destroy_it (cohort_election_t *self, const cohort_election_event_t *event, void *arg)
{
    fake_in_handler ();
    (void) self;
    (void) arg;
    if (event->kind == doomed_at) {
        cohort_election_destroy (&doomed.election);
    }
}

static void it_may_be_destroyed_in_its_handler (void **state)
{
    for (int kind = COHORT_ELECTION_ELECTED; kind <= COHORT_ELECTION_LEADER; kind++) {
        if (kind == COHORT_ELECTION_FAILED) {
            continue;
        }
        fake_start (state);
        doomed_at = (cohort_election_kind_t) kind;
        doomed = process ("X", COHORT_ELECTION_AGAIN);
        cohort_election_set_handler (doomed.election, destroy_it, NULL);
        assert_int_equal (cohort_election_observe (doomed.election), 0);
        assert_int_equal (cohort_election_campaign (doomed.election, "x", 1), 0);
        fake_settle (doomed.client);
        if (doomed.election != NULL) {
            assert_int_equal (cohort_election_proclaim (doomed.election, "y", 1), 0);
            fake_settle (doomed.client);
        }
        if (doomed.election != NULL) {
            fake_expire (doomed.client, false, true);
            fake_settle (doomed.client);
        }
        assert_null (doomed.election);
        assert_int_equal (fake_streams (doomed.client), 0);
        assert_int_equal (fake_count (PATH "/"), 0);
    }
}

/* ---- Hand-overs ------------------------------------------------------------------------------ */

static void a_hand_over_between_others_is_nothing_to_elections (void **state)
{
    (void) state;
    struct process a = candidate ("A", 0), o = observer ();
    assert_trace ("A elected; O sees A; ");
    fake_hand_over (77, 78);
    fake_settle (a.client);
    fake_settle (o.client);
    assert_trace ("");
    assert_true (cohort_election_valid (a.election, 0));
    assert_int_equal (cohort_election_proclaim (a.election, "a", 1), 0);
    fake_settle (a.client);
    fake_settle (o.client);
    assert_trace ("A proclaimed 0; O sees a; ");
    leave (&a);
    fake_settle (o.client);
    assert_trace ("O sees nobody; ");
    fake_hand_over (77, 78);
    cohort_dispatch (o.client, 0);
    assert_int_equal (fake_requests (o.client), 0);
    leave (&o);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fake_start, fake_stop)
    const struct CMUnitTest tests[] = {
        TEST (the_first_one_leads),
        TEST (what_cannot_be_is_refused),
        TEST (a_wait_that_ends_in_time_resigns),
        TEST (who_leads_proclaims),
        TEST (who_is_lost_campaigns_again),
        TEST (scenario_8_curator_518_lost_twice_it_still_competes),
        TEST (an_observer_sees_each_leader_and_none),
        TEST (scenario_etcd_18163_the_oldest_place_is_the_leader),
        TEST (an_observer_goes_on_in_a_new_session),
        TEST (an_observer_may_lose_its_session_or_end_at_every_step),
        TEST (it_may_be_destroyed_in_its_handler),
        TEST (a_hand_over_between_others_is_nothing_to_elections),
    };
#undef TEST
    return cmocka_run_group_tests (tests, NULL, NULL);
}
