/* The session machine: beginning, requests, moving. */

#include <stdio.h>
#include <string.h>

#include "tests/unit/client/rig.h"

#define ONE   "tcp://a:1"
#define THREE "tcp://a:1,tcp://b:2,tcp://c:3"

static struct session_view view_of (struct rig *rig)
{
    struct session_view view;
    session_view (rig->session, &view);
    return view;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void test_creation (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_expect (&rig, "connect 1 tcp://a:1\n");
    rig_up (&rig, 1);
    rig_expect (&rig, "1> hello create attach 1 next 1\n");
    rig_welcome (&rig, 1, 1);
    rig_expect (&rig, "1> beat 1\nconnected\n");
    assert_int_equal (view_of (&rig).id, 55);
    assert_string_equal (view_of (&rig).endpoint, "tcp://a:1");
    rig_end (&rig);
}

static void test_queued_before_connection (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_submit (&rig, WIRE_CREATE, "/a", "x");
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_up (&rig, 1);
    rig_forget (&rig);
    rig_welcome (&rig, 1, 1);
    rig_expect (&rig, "1> beat 1 | create /a #1 n1 ack 0 | get /a #2\nconnected\n");
    rig_reply (&rig, 1, 1, 0);
    rig_reply (&rig, 1, 2, 0);
    rig_expect (&rig, "result #1 OK\nresult #2 OK\n");
    assert_int_equal (view_of (&rig).zxid, 100);
    rig_end (&rig);
}

static void test_no_answer_then_next (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, THREE);
    rig_forget (&rig);
    rig_wait (&rig, 199);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    assert_non_null (strstr (rig.trace, "drop 1\nconnect 2 tcp://"));
    assert_string_not_equal (rig.endpoint[1], rig.endpoint[2]);
    rig_end (&rig);
}

static void test_backoff (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, THREE);
    /* The first round goes without a pause; then pauses of at most 10, 20, 40 ... 1,000 ms. */
    rig_down (&rig, 1);
    rig_down (&rig, 2);
    assert_int_equal (rig.last_link, 3);
    rig_down (&rig, 3);
    int64_t longest = 10;
    for (int round = 0; round < 9; round++) {
        uint32_t before = rig.last_link;
        int64_t due = session_deadline (rig.session) - rig.now;
        assert_true (due > longest / 2 && due <= longest);
        rig_wait (&rig, due);
        assert_int_equal (rig.last_link, before + 1);
        rig_down (&rig, before + 1);
        rig_down (&rig, before + 2);
        rig_down (&rig, before + 3);
        longest = longest * 2 < 1000 ? longest * 2 : 1000;
    }
    rig_end (&rig);
}

static void test_lost_welcome (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_up (&rig, 1);
    rig_down (&rig, 1);
    rig_wait (&rig, 20);
    rig_forget (&rig);
    rig_up (&rig, 2);
    rig_expect (&rig, "2> hello create attach 2 next 1\n");
    /* The session exists since the first attempt. The server says that this is its first attach:
     * one with a number of its own follows before the session is used. */
    rig_welcome (&rig, 2, 1);
    rig_expect (&rig, "connect 3 tcp://a:1\n");
    rig_up (&rig, 3);
    rig_expect (&rig, "3> hello session 55 attach 3 next 1\n");
    rig_welcome (&rig, 3, 3);
    rig_expect (&rig, "drop 2\n3> rearm from 0\n3> beat 1\nconnected\n");
    rig_end (&rig);
}

/* Where nobody answers a greeting each is given more time, round by round; not so one that says
 * that it cannot take the session: another one may, and nothing is begun that leaving would end. */
static void test_held_is_left_in_time (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, THREE);
    for (uint32_t link = 1; link <= 3; link++) {
        assert_int_equal (rig.last_link, link);
        rig_up (&rig, link);
        rig_wait (&rig, 200);
    }
    rig_wait (&rig, session_deadline (rig.session) - rig.now);
    assert_int_equal (rig.last_link, 4);
    rig_up (&rig, 4);
    rig_wait (&rig, 399);
    assert_int_equal (rig.last_link, 4);
    rig_wait (&rig, 1);
    for (uint32_t link = 5; link <= 6; link++) {
        assert_int_equal (rig.last_link, link);
        rig_up (&rig, link);
        rig_hold (&rig, link, "no quorum");
        rig_wait (&rig, 199);
        assert_int_equal (rig.last_link, link);
        rig_wait (&rig, 1);
    }
    /* It counts as no silence. */
    rig_wait (&rig, session_deadline (rig.session) - rig.now);
    assert_int_equal (rig.last_link, 7);
    rig_up (&rig, 7);
    rig_wait (&rig, 399);
    assert_int_equal (rig.last_link, 7);
    rig_wait (&rig, 1);
    assert_int_equal (rig.last_link, 8);
    rig_end (&rig);
}

/* A server that says why it cannot take the session has answered: it is that which the application
 * is to know when the time is over, whatever is tried next. */
static void test_held_before_it_is_welcome (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_up (&rig, 1);
    rig_hold (&rig, 1, "disk full");
    assert_string_equal (view_of (&rig).reason, "held by tcp://a:1: disk full");
    rig_forget (&rig);
    while (rig.last_link == 1) {
        rig_wait (&rig, 10);
    }
    assert_string_equal (view_of (&rig).reason, "held by tcp://a:1: disk full");
    rig_up (&rig, 2);
    rig_hold (&rig, 2, "disk full");
    rig_hold (&rig, 2, ""); /* not any more; and yet it says nothing */
    rig_wait (&rig, 2000);
    assert_non_null (strstr (view_of (&rig).reason, "did not answer"));
    rig_end (&rig);
}

static void test_creation_expired (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_up (&rig, 1);
    rig_refuse (&rig, 1, COHORT_ESESSIONEXPIRED, "");
    rig_wait (&rig, 20);
    rig_forget (&rig);
    rig_up (&rig, 2);
    /* A new creation, not the end of a session that nobody had used. */
    rig_expect (&rig, "2> hello create attach 1 next 1\n");
    rig_end (&rig);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void test_lost_reply_resent (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_CREATE, "/a", "x");
    rig_submit (&rig, WIRE_SET, "/a", "y");
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_reply (&rig, 1, 1, 0);
    rig_forget (&rig);
    for (int i = 0; i < 5; i++) {
        rig_wait (&rig, 200);
        rig_zxid (&rig, 1, 100);
    }
    rig_forget (&rig);
    /* A connection that had stood for a while: the next attempt begins at once. */
    rig_down (&rig, 1);
    rig_expect (&rig, "drop 1\nconnect 2 tcp://a:1\nsuspended\n");
    rig_submit (&rig, WIRE_DELETE, "/b", NULL);
    rig_up (&rig, 2);
    rig_expect (&rig, "2> hello session 55 attach 2 next 2 seen 100\n");
    rig.last_number = 2;
    rig_welcome (&rig, 2, 2);
    rig_expect (&rig, "2> rearm from 100\n"
                      "2> beat 5 | set /a #2 n2 ack 1 | get /a #3 | delete /b #4 n3 ack 1\n"
                      "connected\n");
    rig_reply (&rig, 2, 2, 0);
    rig_reply (&rig, 2, 2, 0); /* a duplicate */
    rig_reply (&rig, 2, 3, COHORT_ENONODE);
    rig_reply (&rig, 2, 4, COHORT_ENONODE);
    rig_expect (&rig, "result #2 OK\nresult #3 ENONODE\nresult #4 ENONODE\n");
    rig_end (&rig);
}

static void test_reply_out_of_turn (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "x");
    rig_submit (&rig, WIRE_SET, "/a", "y");
    rig_forget (&rig);
    rig_reply (&rig, 1, 2, 0);
    rig_expect (&rig, "drop 1\nsuspended\n");
    assert_non_null (strstr (view_of (&rig).reason, "out of turn"));
    rig_end (&rig);
}

static void test_window (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig.window = 2;
    rig_up (&rig, 1);
    rig_welcome (&rig, 1, 1);
    rig_forget (&rig);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_submit (&rig, WIRE_SET, "/a", "2");
    rig_submit (&rig, WIRE_SET, "/a", "3");
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_expect (&rig, "1> | set /a #1 n1 ack 0\n1> | set /a #2 n2 ack 0\n");
    rig_reply (&rig, 1, 1, 0);
    rig_expect (&rig, "1> | set /a #3 n3 ack 1 | get /a #4\nresult #1 OK\n");
    rig_end (&rig);
}

static void test_credit (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig.credit = 200;
    rig_up (&rig, 1);
    rig_welcome (&rig, 1, 1);
    rig_forget (&rig);
    static char large[400];
    memset (large, 'x', sizeof (large) - 1);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_submit (&rig, WIRE_SET, "/a", large);
    rig_submit (&rig, WIRE_SET, "/a", "3");
    rig_expect (&rig, "1> | set /a #1 n1 ack 0\n");
    /* More than the whole credit: alone. */
    rig_reply (&rig, 1, 1, 0);
    rig_expect (&rig, "1> | set /a #2 n2 ack 1\nresult #1 OK\n");
    rig_reply (&rig, 1, 2, 0);
    rig_expect (&rig, "1> | set /a #3 n3 ack 2\nresult #2 OK\n");
    rig_end (&rig);
}

static void test_gap (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_submit (&rig, WIRE_SET, "/a", "2");
    rig_submit (&rig, WIRE_SET, "/a", "3");
    rig_forget (&rig);
    /* The server has lost the first two writes: it says so for each later one. */
    rig_gap (&rig, 1, 3, 2, 1);
    rig_expect (&rig, "1> | set /a #1 n1 ack 0 | get /a #2 | set /a #3 n2 ack 0 | set /a #4 n3 "
                      "ack 0\n");
    rig_gap (&rig, 1, 4, 3, 1);
    rig_expect (&rig, "");
    rig_reply (&rig, 1, 1, 0);
    rig_reply (&rig, 1, 2, 0);
    rig_reply (&rig, 1, 3, 0);
    rig_reply (&rig, 1, 4, 0);
    rig_expect (&rig, "result #1 OK\nresult #2 OK\nresult #3 OK\nresult #4 OK\n");
    rig_end (&rig);
}

static void test_gap_without_end (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    for (int i = 0; i < REQUESTS_GAPS_MAX; i++) {
        rig_forget (&rig);
        rig_gap (&rig, 1, 1, 1, 1);
        rig_expect (&rig, "1> | set /a #1 n1 ack 0\n");
    }
    rig_gap (&rig, 1, 1, 1, 1);
    rig_expect (&rig, "drop 1\nsuspended\n");
    rig_end (&rig);
}

static void test_gap_of_the_past (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_reply (&rig, 1, 1, 0);
    rig_submit (&rig, WIRE_SET, "/a", "2");
    rig_forget (&rig);
    rig_gap (&rig, 1, 2, 2, 1);
    rig_expect (&rig, "drop 1\nsuspended\n");
    rig_end (&rig);
}

static void test_batches_are_bounded (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    for (int i = 0; i < 2500; i++) {
        rig_submit (&rig, WIRE_GET, "/a", NULL);
    }
    rig_up (&rig, 1);
    rig_forget (&rig);
    rig_welcome (&rig, 1, 1);
    rig_expect (&rig, "1> beat 1 | 1000 requests from #1\n"
                      "1> | 1000 requests from #1001\n"
                      "1> | 500 requests from #2001\n"
                      "connected\n");
    rig_end (&rig);
}

/* ---- Servers --------------------------------------------------------------------------------- */

static void test_move_at_once (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, THREE);
    rig_wait (&rig, 250);
    rig_forget (&rig);
    rig_down (&rig, 1);
    char expected[512];
    snprintf (expected, sizeof (expected), "drop 1\nconnect 2 %s\nsuspended\n", rig.endpoint[2]);
    rig_expect (&rig, expected);
    assert_string_not_equal (rig.endpoint[1], rig.endpoint[2]);
    rig_end (&rig);
}

/* Disks that are slower than the limit: the greeting is not begun anew for ever in the same time.
 * Servers that cannot be reached are another matter. */
static void test_slow_greetings (void **state)
{
    (void) state;
    static struct rig rig;
    static const int64_t limits[] = {200, 200, 400, 400, 800, 800};
    rig_begin (&rig, "tcp://a:1,tcp://b:1");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        uint32_t link = rig.last_link;
        rig_up (&rig, link);
        rig_forget (&rig);
        rig_wait (&rig, limits[i] - 1);
        assert_null (strstr (rig.trace, "drop"));
        rig_wait (&rig, 1);
        assert_non_null (strstr (rig.trace, "drop"));
        while (rig.last_link == link) {
            rig_wait (&rig, 1); /* the pause between rounds */
        }
    }
    rig_end (&rig);
}

static void test_silence (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, THREE);
    rig_wait (&rig, 599);
    assert_null (strstr (rig.trace, "connect"));
    rig_forget (&rig);
    rig_wait (&rig, 1);
    assert_non_null (strstr (rig.trace, "connect 2"));
    assert_non_null (strstr (rig.trace, "suspended\n"));
    assert_null (strstr (rig.trace, "drop"));
    rig_forget (&rig);
    /* The old server speaks again before anything was said to another one. */
    rig_confirm (&rig, 1, 2);
    rig_expect (&rig, "drop 2\nconnected\n");
    rig_end (&rig);
}

static void test_silence_and_move (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, THREE);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_wait (&rig, 600);
    rig_up (&rig, 2);
    rig_forget (&rig);
    /* Too late: the other server has been greeted. The old link is kept until the new one has
     * been told everything, and what the old one says after that counts no more. */
    rig_zxid (&rig, 1, 101);
    rig_expect (&rig, "connected\n");
    rig_welcome (&rig, 2, 2);
    rig_expect (&rig, "2> rearm from 101\n2> beat 4 | set /a #1 n1 ack 0\ndrop 1\n");
    rig_reply (&rig, 1, 1, 0);
    rig_expect (&rig, "");
    rig_end (&rig);
}

static void test_held_without_quorum (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, THREE);
    rig_hold (&rig, 1, "disk full");
    rig_expect (&rig, "");
    assert_true (view_of (&rig).held);
    rig_hold (&rig, 1, "no quorum");
    assert_non_null (strstr (rig.trace, "connect 2"));
    assert_int_equal (view_of (&rig).state, COHORT_CONNECTED);
    rig_forget (&rig);
    rig_hold (&rig, 1, "");
    rig_expect (&rig, "drop 2\n");
    assert_false (view_of (&rig).held);
    rig_end (&rig);
}

/* A server that is about to take over another's state says so: the session is elsewhere, and was
 * connected all the time, before its server has to send it away. */
static void test_held_by_one_that_is_behind (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, THREE);
    rig_hold (&rig, 1, "no quorum here: this server takes over another server's state");
    assert_non_null (strstr (rig.trace, "connect 2"));
    rig_up (&rig, 2);
    rig_forget (&rig);
    rig_welcome (&rig, 2, 2);
    assert_null (strstr (rig.trace, "suspended"));
    assert_non_null (strstr (rig.trace, "drop 1"));
    assert_int_equal (view_of (&rig).state, COHORT_CONNECTED);
    rig_end (&rig);
}

static void test_redirect (void **state)
{
    (void) state;
    static struct rig rig;
    rig_begin (&rig, ONE);
    rig_up (&rig, 1);
    rig_forget (&rig);
    rig_refuse (&rig, 1, COHORT_ENOQUORUM, "tcp://z:9");
    rig_expect (&rig, "drop 1\nconnect 2 tcp://z:9\n");
    /* Nonsense is not followed. */
    rig_up (&rig, 2);
    rig_forget (&rig);
    rig_refuse (&rig, 2, COHORT_ENOQUORUM, "z:9");
    rig_wait (&rig, 100);
    rig_expect (&rig, "drop 2\nconnect 3 tcp://a:1\n");
    rig_end (&rig);
}

static void test_reset (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_wait (&rig, 300);
    rig_forget (&rig);
    rig_refuse (&rig, 1, COHORT_ESTATE, "");
    rig_wait (&rig, 10);
    rig_expect (&rig, "drop 1\nsuspended\nconnect 2 tcp://a:1\n");
    rig_end (&rig);
}

static void test_malformed (void **state)
{
    (void) state;
    static struct rig rig;
    rig_connected (&rig, ONE);
    rig_bytes (&rig, 1, "", 0); /* a probe */
    rig_expect (&rig, "");
    rig_bytes (&rig, 1, "\xff\xff\xff", 3);
    rig_expect (&rig, "drop 1\nsuspended\n");
    rig_wait (&rig, 10);
    rig_up (&rig, 2);
    rig_forget (&rig);
    rig_bytes (&rig, 2, "\xff", 1);
    rig_wait (&rig, 50);
    rig_expect (&rig, "drop 2\nconnect 3 tcp://a:1\n");
    rig_end (&rig);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_creation),
        cmocka_unit_test (test_queued_before_connection),
        cmocka_unit_test (test_no_answer_then_next),
        cmocka_unit_test (test_backoff),
        cmocka_unit_test (test_lost_welcome),
        cmocka_unit_test (test_held_before_it_is_welcome),
        cmocka_unit_test (test_held_is_left_in_time),
        cmocka_unit_test (test_creation_expired),
        cmocka_unit_test (test_lost_reply_resent),
        cmocka_unit_test (test_reply_out_of_turn),
        cmocka_unit_test (test_window),
        cmocka_unit_test (test_credit),
        cmocka_unit_test (test_gap),
        cmocka_unit_test (test_gap_without_end),
        cmocka_unit_test (test_gap_of_the_past),
        cmocka_unit_test (test_batches_are_bounded),
        cmocka_unit_test (test_move_at_once),
        cmocka_unit_test (test_slow_greetings),
        cmocka_unit_test (test_silence),
        cmocka_unit_test (test_silence_and_move),
        cmocka_unit_test (test_held_without_quorum),
        cmocka_unit_test (test_held_by_one_that_is_behind),
        cmocka_unit_test (test_redirect),
        cmocka_unit_test (test_reset),
        cmocka_unit_test (test_malformed),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
