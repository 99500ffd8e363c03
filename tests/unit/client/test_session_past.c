/* The session machine: what a process does with the session of the one before it. */

#include <string.h>

#include "tests/unit/client/rig.h"

#define ONE   "tcp://a:1"
#define THREE "tcp://a:1,tcp://b:2,tcp://c:3"

/* The second incarnation of session 55, timeout 900 ms, grace 600. */
static const struct session_identity past = {
    .cluster_id = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7},
    .id = 55,
    .password = {9},
    .incarnation = 2,
    .timeout_ms = 900,
    .grace_ms = 600,
};

#define FIRST_ATTACH ((UINT64_C (2) << 32) + 1)

static void begin (struct rig *rig, bool close_past)
{
    rig_begin_past (rig, ONE, &past, close_past);
    rig->grace_ms = past.grace_ms;
    rig_up (rig, 1);
    rig_expect (rig, "connect 1 tcp://a:1\n"
                     "1> hello session 55 attach 8589934593 next 1 incarnation 2 password 9\n");
}

static void test_goes_on (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, false);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_welcome (&rig, 1, FIRST_ATTACH);
    rig_expect (&rig, "1> rearm from 0\n1> beat 1 | set /a #1 n1 ack 0\nconnected\n");
    /* It is in the file already. */
    struct session_identity identity;
    assert_false (session_take_identity (rig.session, &identity));
    rig_end (&rig);
}

/* The process before may count on the session for its shorter limit from the welcome on. */
static void test_counts_on_it_later (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, false);
    rig_welcome (&rig, 1, FIRST_ATTACH);
    uint64_t beat = 1;
    for (int64_t ms = 0; ms < 600; ms += 100) {
        rig_confirm (&rig, 1, beat);
        assert_int_equal (session_valid_ms (rig.session, rig.now), 0);
        rig_wait (&rig, 100);
        beat = 1 + (uint64_t) (ms + 100) / 200;
    }
    rig_confirm (&rig, 1, beat);
    assert_in_range (session_valid_ms (rig.session, rig.now), 1, 600);
    rig_end (&rig);
}

/* So who ends before that leaves the session to its limits, and who ends later closes it. */
static void test_ends_early (void **state)
{
    (void) state;
    static struct rig rig;
    for (int late = 0; late <= 1; late++) {
        begin (&rig, false);
        rig_welcome (&rig, 1, FIRST_ATTACH);
        rig_wait (&rig, 599 + late);
        rig_forget (&rig);
        session_close (rig.session, true, rig.now);
        rig_drain (&rig);
        assert_true ((strstr (rig.trace, "close") != NULL) == (late == 1));
        assert_true (session_closed (rig.session) == (late == 0));
        rig_end (&rig);
    }
}

/* Whoever waits for the first connection does not dispatch meanwhile: it gets it nevertheless. */
static void test_goes_on_although_muted (void **state)
{
    (void) state;
    static struct rig rig;
    for (int closes = 0; closes <= 1; closes++) {
        rig_begin_past (&rig, ONE, &past, closes == 1);
        rig.grace_ms = past.grace_ms;
        rig_forget (&rig);
        session_mute (rig.session, true);
        rig_down (&rig, 1);
        rig_wait (&rig, 100);
        rig_up (&rig, rig.last_link);
        assert_true (rig.attach[rig.last_link] != 0);
        rig_welcome (&rig, rig.last_link, rig.attach[rig.last_link]);
        assert_non_null (
            strstr (rig.trace, closes == 1 ? "> rearm from 0\n" : "> rearm from 0\nconnected\n"));
        rig_end (&rig);
    }
}

static void test_has_ended (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, false);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_refuse (&rig, 1, COHORT_ESESSIONEXPIRED, "");
    rig_expect (&rig, "drop 1\nconnect 2 tcp://a:1\n");
    rig_up (&rig, 2);
    rig_expect (&rig, "2> hello create attach 1 next 1\n");
    rig_welcome (&rig, 2, 1);
    rig_expect (&rig, "2> beat 1 | set /a #1 n1 ack 0\nconnected\n");
    struct session_identity identity;
    assert_true (session_take_identity (rig.session, &identity));
    assert_int_equal (identity.incarnation, 1);
    assert_int_equal (identity.password[0], 2);
    rig_end (&rig);
}

static struct session_view view_of (const struct rig *rig)
{
    struct session_view view;
    session_view (rig->session, &view);
    return view;
}

/* A single server says it for all: it says what the log says. Nothing was ever sent. */
static void test_wrong_password (void **state)
{
    (void) state;
    static struct rig rig;
    for (int closes = 0; closes <= 1; closes++) {
        rig_begin_past (&rig, THREE, &past, closes == 1);
        rig_submit (&rig, WIRE_SET, "/a", "1");
        rig_down (&rig, 1);
        rig_up (&rig, 2);
        rig_forget (&rig);
        rig_refuse (&rig, 2, COHORT_EAUTHFAILED, "");
        rig_expect (&rig, "drop 2\nlost\nresult #1 EAUTHFAILED\n");
        assert_int_equal (view_of (&rig).rc, COHORT_EAUTHFAILED);
        rig_submit (&rig, WIRE_SET, "/a", "2");
        rig_expect (&rig, "result #0 EAUTHFAILED\n");
        rig_end (&rig);
    }
}

/* A server that takes no such key says nothing of the others. */
static void test_wrong_key (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin_past (&rig, THREE, &past, false);
    for (uint32_t link = 1; link <= 3; link++) {
        assert_int_equal (view_of (&rig).state, COHORT_CONNECTING);
        session_link_down (rig.session, link, COHORT_EAUTHFAILED, rig.now);
        rig_drain (&rig);
    }
    assert_int_equal (view_of (&rig).state, COHORT_LOST);
    assert_int_equal (view_of (&rig).rc, COHORT_EAUTHFAILED);
    rig_end (&rig);
}

static void test_taken_by_another (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, false);
    rig_refuse (&rig, 1, COHORT_ESESSIONMOVED, "");
    assert_int_equal (view_of (&rig).state, COHORT_LOST);
    assert_int_equal (view_of (&rig).rc, COHORT_ESESSIONMOVED);
    rig_end (&rig);
}

/* It is closed when nobody can count on it any more, and the application's requests are for the
 * session that follows. */
static void test_closes_first (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, true);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_welcome (&rig, 1, FIRST_ATTACH);
    rig_expect (&rig, "1> rearm from 0\n1> beat 1\n");
    rig_confirm (&rig, 1, 1);
    rig_wait (&rig, 599);
    rig_confirm (&rig, 1, 3);
    assert_null (strstr (rig.trace, "close"));
    assert_null (strstr (rig.trace, "connected"));
    rig_forget (&rig);
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> beat 4 | close #2 n1 ack 0\n");
    rig_reply (&rig, 1, 2, 0);
    rig_expect (&rig, "drop 1\nconnect 2 tcp://a:1\n");
    rig_up (&rig, 2);
    rig_expect (&rig, "2> hello create attach 1 next 1\n");
    rig_welcome (&rig, 2, 1);
    rig_expect (&rig, "2> beat 1 | set /a #1 n1 ack 0\nconnected\n");
    rig_confirm (&rig, 2, 1);
    assert_true (session_valid_ms (rig.session, rig.now) > 0);
    rig_end (&rig);
}

/* The answer is lost with the connection: it is asked for again, or the session has ended. */
static void test_close_is_repeated (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, true);
    rig_welcome (&rig, 1, FIRST_ATTACH);
    rig_confirm (&rig, 1, 1);
    rig_wait (&rig, 600);
    assert_non_null (strstr (rig.trace, "close #1 n1"));
    rig_down (&rig, 1);
    rig_wait (&rig, 20);
    rig_forget (&rig);
    rig_up (&rig, 2);
    rig_expect (&rig, "2> hello session 55 attach 8589934594 next 1 incarnation 2 password 9\n");
    rig_welcome (&rig, 2, FIRST_ATTACH + 1);
    rig_expect (&rig, "2> rearm from 0\n2> beat 5 | close #2 n1 ack 0\n");
    rig_down (&rig, 2);
    rig_wait (&rig, 40);
    rig_up (&rig, 3);
    rig_forget (&rig);
    rig_refuse (&rig, 3, COHORT_ESESSIONEXPIRED, "");
    rig_expect (&rig, "drop 3\nconnect 4 tcp://a:1\n");
    rig_end (&rig);
}

/* What cannot be kept is not used. */
static void test_not_kept (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_up (&rig, 1);
    rig_welcome (&rig, 1, 1);
    rig_forget (&rig);
    session_fail (rig.session, COHORT_ESYSTEM, "the state file /x: no room");
    rig_drain (&rig);
    rig_expect (&rig, "drop 1\nlost\n");
    struct session_view view = view_of (&rig);
    assert_int_equal (view.rc, COHORT_ESYSTEM);
    assert_string_equal (view.reason, "the state file /x: no room");
    rig_end (&rig);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_goes_on),
        cmocka_unit_test (test_counts_on_it_later),
        cmocka_unit_test (test_goes_on_although_muted),
        cmocka_unit_test (test_has_ended),
        cmocka_unit_test (test_wrong_password),
        cmocka_unit_test (test_wrong_key),
        cmocka_unit_test (test_taken_by_another),
        cmocka_unit_test (test_closes_first),
        cmocka_unit_test (test_close_is_repeated),
        cmocka_unit_test (test_not_kept),
        cmocka_unit_test (test_ends_early),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
