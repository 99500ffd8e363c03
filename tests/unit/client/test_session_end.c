/* The session machine: for how long a session is surely alive, and how it ends. */

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "tests/unit/client/rig.h"

#define ONE   "tcp://a:1"
#define THREE "tcp://a:1,tcp://b:2,tcp://c:3"

static struct session_view view_of (struct rig *rig)
{
    struct session_view view;
    session_view (rig->session, &view);
    return view;
}

/* ---- Validity -------------------------------------------------------------------------------- */

static void test_valid_ms (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_up (&rig, 1);
    rig_welcome (&rig, 1, 1);
    /* Nothing is sure before the first confirmation. */
    assert_int_equal (session_valid_ms (rig.session, rig.now), 0);
    int64_t sent = rig.now;
    rig_jump (&rig, 120);
    rig_confirm (&rig, 1, 1);
    /* 900 less the margin of a tenth, counted from the sending. */
    assert_int_equal (session_valid_ms (rig.session, sent), 810);
    assert_int_equal (session_valid_ms (rig.session, rig.now), 690);
    assert_int_equal (session_valid_ms (rig.session, sent + 809), 1);
    assert_int_equal (session_valid_ms (rig.session, sent + 810), 0);
    assert_int_equal (session_valid_ms (rig.session, sent + 5000), 0);
    /* It goes on while the session is suspended. */
    rig_down (&rig, 1);
    assert_int_equal (session_valid_ms (rig.session, rig.now), 690);
    rig_end (&rig);
}

static void test_valid_ms_short_grace (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig.grace_ms = 100;
    rig_up (&rig, 1);
    rig_welcome (&rig, 1, 1);
    rig_confirm (&rig, 1, 1);
    /* The least margin, of a limit that is much less than the timeout. */
    assert_int_equal (session_valid_ms (rig.session, rig.now), 50);
    /* The heartbeats follow the shorter limit. */
    rig_forget (&rig);
    rig_wait (&rig, 32);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> beat 2\n");
    rig_end (&rig);
}

static void test_confirmed_never_sent (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_confirm (&rig, 1, 2);
    rig_expect (&rig, "drop 1\nsuspended\n");
    assert_int_equal (session_valid_ms (rig.session, rig.now), 0);
    rig_end (&rig);
}

/* A heartbeat that nobody confirms is repeated, less and less often. */
static void test_not_confirmed (void **state)
{
    (void) state;
    static const int64_t pauses[] = {300, 600, 1200, 2400, 4800, 9600};
    static struct rig rig;
    char line[32];
    rig_begin (&rig, ONE);
    rig.timeout_ms = rig.grace_ms = 60000;
    rig_up (&rig, 1);
    rig_welcome (&rig, 1, 1);
    rig_forget (&rig);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        rig_wait (&rig, pauses[i] - 1);
        rig_expect (&rig, "");
        rig_wait (&rig, 1);
        snprintf (line, sizeof line, "1> beat %zu\n", i + 2);
        rig_expect (&rig, line);
    }
    /* And then as always. */
    rig_wait (&rig, 9999);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> beat 8\n");
    rig_end (&rig);
}

static void test_confirmed_at_last (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig.timeout_ms = rig.grace_ms = 60000;
    rig_up (&rig, 1);
    rig_welcome (&rig, 1, 1);
    rig_wait (&rig, 500);
    rig_forget (&rig);
    /* The second one, 200 ms after it was sent: the next goes as always, and twice as long may pass
     * until it is missed. */
    rig_confirm (&rig, 1, 2);
    assert_int_equal (session_valid_ms (rig.session, rig.now), 60000 - 6000 - 200);
    rig_wait (&rig, 9799);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> beat 3\n");
    rig_wait (&rig, 399);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> beat 4\n");
    rig_end (&rig);
}

static void test_muted (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    session_mute (rig.session, true);
    rig_wait (&rig, 599);
    rig_expect (&rig, "");
    session_mute (rig.session, false);
    rig_jump (&rig, 0);
    rig_expect (&rig, "1> beat 2\n");
    rig_end (&rig);
}

/* To attach would renew the session, whichever server is taken for silent. */
static void test_muted_attaches_nowhere (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, THREE);
    session_mute (rig.session, true);
    rig_wait (&rig, 599);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "suspended\n");
    rig_wait (&rig, 389);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "drop 1\nlost\n");
    rig_end (&rig);
}

static void test_muted_moves_when_it_speaks_again (void **state)
{
    (void) state;
    static struct rig rig;
    char expected[512];
    rig_connected (&rig, THREE);
    session_mute (rig.session, true);
    rig_down (&rig, 1);
    rig_expect (&rig, "drop 1\nsuspended\n");
    rig_wait (&rig, 500);
    rig_expect (&rig, "");
    session_mute (rig.session, false);
    rig_jump (&rig, 0);
    snprintf (expected, sizeof (expected), "connect 2 %s\n", rig.endpoint[2]);
    rig_expect (&rig, expected);
    /* On its way there it falls silent again: before the greeting, and before the connection. */
    session_mute (rig.session, true);
    rig_up (&rig, 2);
    rig_expect (&rig, "drop 2\n");
    session_mute (rig.session, false);
    rig_jump (&rig, 0);
    snprintf (expected, sizeof (expected), "connect 3 %s\n", rig.endpoint[3]);
    rig_expect (&rig, expected);
    session_mute (rig.session, true);
    rig_wait (&rig, 1);
    rig_expect (&rig, "drop 3\n");
    session_mute (rig.session, false);
    rig_jump (&rig, 0);
    rig_up (&rig, 4);
    rig_forget (&rig);
    /* What was said before counts. */
    session_mute (rig.session, true);
    rig_welcome (&rig, 4, 2);
    rig_expect (&rig, "4> rearm from 0\nconnected\n");
    rig_end (&rig);
}

/* Nothing is renewed by a session that has not begun. */
static void test_muted_begins (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    session_mute (rig.session, true);
    rig_up (&rig, 1);
    rig_forget (&rig);
    rig_welcome (&rig, 1, 1);
    rig_expect (&rig, "connected\n");
    rig_end (&rig);
}

/* Whoever ends it lives, and its ephemerals are to go at once. */
static void test_muted_ends (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    session_mute (rig.session, true);
    rig_down (&rig, 1);
    rig_wait (&rig, 100);
    rig_forget (&rig);
    session_close (rig.session, true, rig.now);
    rig_drain (&rig);
    rig_expect (&rig, "connect 2 " ONE "\n");
    rig_up (&rig, 2);
    rig_forget (&rig);
    rig_welcome (&rig, 2, 2);
    rig_expect (&rig, "2> rearm from 0\n2> | close #1 n1 ack 0\nconnected\n");
    rig_end (&rig);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void test_expired_by_server (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit_watch (&rig, WIRE_GET, "/a");
    rig_reply (&rig, 1, 1, 0);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    struct cohort_stream *stream = rig_stream (&rig, 1, "/s");
    rig_forget (&rig);
    rig_refuse (&rig, 1, COHORT_ESESSIONEXPIRED, "");
    rig_expect (&rig, "drop 1\n"
                      "lost\n"
                      "result #2 ESESSIONEXPIRED\n"
                      "result #3 ESESSIONEXPIRED\n"
                      "result #4 ESESSIONEXPIRED\n"
                      "stream 1 ended\n"
                      "watch LOST /a at 0\n");
    assert_int_equal (view_of (&rig).rc, COHORT_ESESSIONEXPIRED);
    assert_int_equal (session_deadline (rig.session), INT64_MAX);
    /* LOST is for ever: requests are refused, and nothing connects. */
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_expect (&rig, "result #0 ESESSIONEXPIRED\n");
    rig_jump (&rig, 100000);
    rig_expect (&rig, "");
    stream_release (stream);
    rig_end (&rig);
}

static void test_expired_locally (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_wait (&rig, 300);
    rig_confirm (&rig, 1, 2); /* sent now */
    int64_t sent = rig.now;
    rig_jump (&rig, 50);
    rig_down (&rig, 1);
    rig_forget (&rig);
    while (rig.now < sent + 900 + 90 - 1) {
        rig_jump (&rig, 1);
        if (!rig.up[rig.last_link]) {
            rig_down (&rig, rig.last_link);
        }
    }
    assert_null (strstr (rig.trace, "lost"));
    rig_forget (&rig);
    rig_jump (&rig, 1);
    assert_non_null (strstr (rig.trace, "lost\nresult #1 ESESSIONEXPIRED\n"));
    rig_end (&rig);
}

static void test_held_long_then_cut (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    for (int i = 0; i < 20; i++) {
        rig_wait (&rig, 200);
        rig_hold (&rig, 1, "no quorum");
    }
    assert_int_equal (view_of (&rig).state, COHORT_CONNECTED);
    assert_int_equal (session_valid_ms (rig.session, rig.now), 0);
    /* Without a quorum nobody could expire the session: it gets its time to find a server. */
    rig_down (&rig, 1);
    rig_jump (&rig, 500);
    assert_int_equal (view_of (&rig).state, COHORT_SUSPENDED);
    rig_jump (&rig, 490);
    assert_int_equal (view_of (&rig).state, COHORT_LOST);
    rig_end (&rig);
}

static void test_wrong_cluster (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_wait (&rig, 300);
    rig_down (&rig, 1);
    rig_wait (&rig, 10);
    rig_up (&rig, 2);
    rig_forget (&rig);
    rig.cluster = 8;
    rig_welcome (&rig, 2, 2);
    rig_expect (&rig, "drop 2\nlost\n");
    assert_int_equal (view_of (&rig).rc, COHORT_ECLUSTER);
    rig_end (&rig);
}

static void test_refused_for_good (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, THREE);
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    for (uint32_t link = 1; link <= 3; link++) {
        assert_int_equal (view_of (&rig).state, COHORT_CONNECTING);
        rig_up (&rig, link);
        rig_forget (&rig);
        rig_refuse (&rig, link, COHORT_EVERSION, "");
    }
    rig_expect (&rig, "drop 3\nlost\nresult #1 EVERSION\n");
    rig_end (&rig);
}

static void test_moved (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    /* On a link that is in use it says that this session attached elsewhere: it attaches again. */
    rig_refuse (&rig, 1, COHORT_ESESSIONMOVED, "");
    rig_wait (&rig, 10);
    rig_expect (&rig, "drop 1\nsuspended\nconnect 2 tcp://a:1\n");
    rig_up (&rig, 2);
    rig_refuse (&rig, 2, COHORT_ESESSIONMOVED, "");
    assert_int_equal (view_of (&rig).state, COHORT_LOST);
    assert_int_equal (view_of (&rig).rc, COHORT_ESESSIONMOVED);
    rig_end (&rig);
}

static void test_forgetful_server (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_reply (&rig, 1, 1, 0);
    rig_down (&rig, 1);
    rig_wait (&rig, 10);
    rig_up (&rig, 2);
    rig_forget (&rig);
    rig.last_number = 0;
    rig_welcome (&rig, 2, 2);
    rig_wait (&rig, 50);
    rig_expect (&rig, "drop 2\nconnect 3 tcp://a:1\n");
    rig_up (&rig, 3);
    rig.last_number = 2;
    rig_welcome (&rig, 3, 3);
    assert_int_equal (view_of (&rig).rc, COHORT_ESESSIONMOVED);
    rig_end (&rig);
}

static void test_renew (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    struct session_random random = {{9}, {9}, 9};
    assert_int_equal (session_renew (rig.session, &random, rig.now), COHORT_ESTATE);
    rig_refuse (&rig, 1, COHORT_ESESSIONEXPIRED, "");
    rig_forget (&rig);
    assert_int_equal (session_renew (rig.session, &random, rig.now), 0);
    rig_drain (&rig);
    rig_expect (&rig, "connect 2 tcp://a:1\nconnecting\n");
    rig_submit (&rig, WIRE_SET, "/b", "1");
    rig_up (&rig, 2);
    rig_expect (&rig, "2> hello create attach 1 next 1\n");
    rig_welcome (&rig, 2, 1);
    rig_expect (&rig, "2> beat 1 | set /b #2 n1 ack 0\nconnected\n");
    rig_end (&rig);
}

static void submit_proof (struct rig *rig, const char *user)
{
    struct proof *proof = proof_new ("digest", user, "0123456789abcdef0123456789abcdef", 32);
    assert_non_null (proof);
    struct request *request = request_new_proof (proof);
    assert_non_null (request);
    proof_release (proof);
    session_submit (rig->session, request, rig->now);
    rig_drain (rig);
}

/* The new session is who the old one was, before anything else; what was refused is not repeated,
 * nor what was said twice. Without memory nothing has changed. */
static void test_renew_proves (void **state)
{
    (void) state;
    static struct rig rig;
    struct session_random random = {{9}, {9}, 9};
    rig_connected (&rig, ONE);
    submit_proof (&rig, "alice");
    submit_proof (&rig, "bob");
    submit_proof (&rig, "alice");
    submit_proof (&rig, "carol");
    rig_submit (&rig, WIRE_SET, "/a", "1");
    for (uint64_t xid = 1; xid <= 5; xid++) {
        rig_reply (&rig, 1, xid, xid == 2 ? COHORT_ELIMIT : 0);
    }
    rig_refuse (&rig, 1, COHORT_ESESSIONEXPIRED, "");
    rig_forget (&rig);
    int rc = COHORT_ENOMEM;
    for (uint64_t n = 1; rc != 0; n++) {
        mem_fail_at (n);
        rc = session_renew (rig.session, &random, rig.now);
        mem_fail_clear ();
        assert_true (rc == 0 || (rc == COHORT_ENOMEM && n < 10));
    }
    rig_drain (&rig);
    rig_expect (&rig, "connect 2 tcp://a:1\nconnecting\n");
    rig_submit (&rig, WIRE_SET, "/b", "1");
    rig_up (&rig, 2);
    rig_expect (&rig, "2> hello create attach 1 next 1\n");
    rig_welcome (&rig, 2, 1);
    rig_expect (&rig, "2> beat 1 | auth alice #6 n1 ack 0 | auth carol #7 n2 ack 0"
                      " | set /b #8 n3 ack 0\nconnected\n");
    for (uint64_t xid = 6; xid <= 8; xid++) {
        rig_reply (&rig, 2, xid, 0);
    }
    rig_expect (&rig, "result #8 OK\n");
    rig_end (&rig);
}

static void test_close (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_forget (&rig);
    session_close (rig.session, true, rig.now);
    rig_drain (&rig);
    rig_expect (&rig, "1> | close #2 n2 ack 0\n");
    assert_false (session_closed (rig.session));
    rig_reply (&rig, 1, 1, 0);
    rig_reply (&rig, 1, 2, 0);
    rig_expect (&rig, "result #1 OK\ndrop 1\n");
    assert_true (session_closed (rig.session));
    rig_end (&rig);
}

static void test_abandon (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_forget (&rig);
    session_close (rig.session, false, rig.now);
    rig_drain (&rig);
    rig_expect (&rig, "drop 1\nresult #1 ECLOSING\n");
    assert_true (session_closed (rig.session));
    rig_end (&rig);
}

static void test_close_loses_watches (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit_watch (&rig, WIRE_GET, "/a");
    rig_reply (&rig, 1, 1, 0);
    rig_submit_watch (&rig, WIRE_GET, "/b");
    rig_forget (&rig);
    session_close (rig.session, true, rig.now);
    rig_drain (&rig);
    assert_non_null (strstr (rig.trace, " /a at 0\n"));
    rig_forget (&rig);
    /* Set by an answer that came behind the end. */
    rig_reply (&rig, 1, 2, 0);
    assert_non_null (strstr (rig.trace, "result #2 OK\nwatch "));
    assert_non_null (strstr (rig.trace, " /b at 0\n"));
    rig_end (&rig);
}

static void test_close_unconnected (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_forget (&rig);
    session_close (rig.session, true, rig.now);
    rig_drain (&rig);
    rig_expect (&rig, "drop 1\n");
    assert_true (session_closed (rig.session));
    rig_end (&rig);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_valid_ms),
        cmocka_unit_test (test_valid_ms_short_grace),
        cmocka_unit_test (test_confirmed_never_sent),
        cmocka_unit_test (test_not_confirmed),
        cmocka_unit_test (test_confirmed_at_last),
        cmocka_unit_test (test_muted),
        cmocka_unit_test (test_muted_attaches_nowhere),
        cmocka_unit_test (test_muted_moves_when_it_speaks_again),
        cmocka_unit_test (test_muted_begins),
        cmocka_unit_test (test_muted_ends),
        cmocka_unit_test (test_expired_by_server),
        cmocka_unit_test (test_expired_locally),
        cmocka_unit_test (test_held_long_then_cut),
        cmocka_unit_test (test_wrong_cluster),
        cmocka_unit_test (test_refused_for_good),
        cmocka_unit_test (test_moved),
        cmocka_unit_test (test_forgetful_server),
        cmocka_unit_test (test_renew),
        cmocka_unit_test (test_renew_proves),
        cmocka_unit_test (test_close),
        cmocka_unit_test (test_close_loses_watches),
        cmocka_unit_test (test_abandon),
        cmocka_unit_test (test_close_unconnected),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
