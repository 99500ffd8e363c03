/* The session machine: servers that are stopped, and those that only seem to be. */

#include <string.h>

#include "tests/unit/client/rig.h"

#define THREE "tcp://a:1,tcp://b:1,tcp://c:1"

/* A session of 27 s, with a beat each 9 s; servers are asked after 100 ms, and answer within 200.
 */
static void begin (struct rig *rig, const char *servers, uint32_t silence_ms)
{
    rig_begin (rig, servers);
    rig->timeout_ms = rig->grace_ms = 27000;
    rig->silence_ms = silence_ms;
    rig_up (rig, 1);
    rig_welcome (rig, 1, 1);
    rig_confirm (rig, 1, 1);
    rig_forget (rig);
}

static bool said (struct rig *rig, const char *what)
{
    bool found = strstr (rig->trace, what) != NULL;
    rig_forget (rig);
    return found;
}

static void answer (struct rig *rig, uint32_t link)
{
    rig_bytes (rig, link, "", 0);
}

static void test_stopped (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, THREE, 300);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_forget (&rig);
    rig_wait (&rig, 99);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> ask\n");
    rig_wait (&rig, 199);
    rig_expect (&rig, "");
    /* Another server is looked for; the session is not suspended for that. */
    rig_wait (&rig, 1);
    assert_true (said (&rig, "connect 2"));
    struct session_view view;
    session_view (rig.session, &view);
    assert_int_equal (view.state, COHORT_CONNECTED);
    assert_string_equal (strstr (view.reason, " "), " does not answer");
    rig_up (&rig, 2);
    rig_forget (&rig);
    rig_welcome (&rig, 2, 2);
    rig_expect (&rig, "2> rearm from 0\n2> beat 2 | set /a #1 n1 ack 0\ndrop 1\n");
    rig_end (&rig);
}

/* Whoever asks for nothing notices it by his next heartbeat. */
static void test_stopped_while_idle (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, THREE, 300);
    rig_wait (&rig, 8999);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> beat 2\n");
    rig_wait (&rig, 299);
    rig_expect (&rig, "1> ask\n");
    rig_wait (&rig, 1);
    assert_true (said (&rig, "connect 2"));
    rig_end (&rig);
}

/* A write that waits for a slow disk is no silence: the server answers, and is asked less and less
 * often. */
static void test_slow (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, THREE, 300);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_forget (&rig);
    static const int64_t pauses[] = {100, 200, 400, 800, 1200};
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        rig_wait (&rig, pauses[i] - 1);
        rig_expect (&rig, "");
        rig_wait (&rig, 1);
        assert_true (said (&rig, "1> ask"));
        rig_wait (&rig, 150);
        answer (&rig, 1);
        assert_false (said (&rig, "connect"));
    }
    rig_reply (&rig, 1, 1, 0);
    rig_forget (&rig);
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_forget (&rig);
    rig_wait (&rig, 100);
    rig_expect (&rig, "1> ask\n");
    rig_end (&rig);
}

/* The last of the answers counts: what still waits is asked about. */
static void test_stopped_between_answers (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, THREE, 300);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_submit (&rig, WIRE_SET, "/a", "2");
    rig_wait (&rig, 90);
    rig_reply (&rig, 1, 1, 0);
    rig_forget (&rig);
    rig_wait (&rig, 99);
    rig_expect (&rig, "");
    rig_wait (&rig, 1);
    rig_expect (&rig, "1> ask\n");
    rig_wait (&rig, 200);
    assert_true (said (&rig, "connect 2"));
    /* It was only slow, and nothing was said to another: this one will do. */
    answer (&rig, 1);
    rig_expect (&rig, "drop 2\n");
    rig_end (&rig);
}

/* This process has stood still: the server has its time again, but not for ever. */
static void test_paused_here (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, THREE, 300);
    rig_submit (&rig, WIRE_SET, "/a", "1");
    rig_forget (&rig);
    rig_jump (&rig, 2000);
    rig_expect (&rig, "1> ask\n");
    rig_jump (&rig, 2000);
    rig_expect (&rig, "");
    answer (&rig, 1);
    rig_reply (&rig, 1, 1, 0);
    rig_confirm (&rig, 1, 1);
    rig_forget (&rig);
    rig_submit (&rig, WIRE_SET, "/a", "2");
    rig_wait (&rig, 100);
    assert_true (said (&rig, "1> ask"));
    for (int i = 0; i < 3; i++) {
        rig_jump (&rig, 280);
        assert_false (said (&rig, "connect"));
    }
    rig_jump (&rig, 280);
    assert_true (said (&rig, "connect"));
    rig_end (&rig);
}

/* After an alarm the client is more patient: it may be the network. */
static void test_patience (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, THREE, 300);
    static const int64_t patience[] = {300, 600, 1200, 2400, 4800};
    uint32_t link = 1;
    for (size_t i = 0; i < sizeof patience / sizeof patience[0]; i++) {
        rig_submit (&rig, WIRE_GET, "/a", NULL);
        rig_forget (&rig);
        rig_wait (&rig, patience[i] - 1);
        assert_false (said (&rig, "connect"));
        rig_wait (&rig, 1);
        assert_true (said (&rig, "connect"));
        link++;
        rig_up (&rig, link);
        rig_welcome (&rig, link, link);
        rig_confirm (&rig, link, link);
    }
    /* On a server that has answered for a while that is forgotten. */
    for (int i = 0; i < 11; i++) {
        rig_wait (&rig, 1000);
        answer (&rig, link);
    }
    for (uint64_t xid = 1; xid <= sizeof patience / sizeof patience[0]; xid++) {
        rig_reply (&rig, link, xid, 0);
    }
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_forget (&rig);
    rig_wait (&rig, 300);
    assert_true (said (&rig, "connect"));
    rig_end (&rig);
}

/* Servers that do not know the question are not asked, nor is the only one there is. */
static void test_not_asked (void **state)
{
    (void) state;
    static struct rig rig;
    begin (&rig, THREE, 0);
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_wait (&rig, 17999);
    assert_null (strstr (rig.trace, "ask"));
    assert_false (said (&rig, "connect"));
    rig_end (&rig);
    begin (&rig, "tcp://a:1", 300);
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_wait (&rig, 17999);
    assert_null (strstr (rig.trace, "ask"));
    assert_false (said (&rig, "connect"));
    rig_end (&rig);
    /* The session's own limit is the longest, whatever the server names. */
    begin (&rig, THREE, 60000);
    rig_submit (&rig, WIRE_GET, "/a", NULL);
    rig_wait (&rig, 17999);
    assert_true (said (&rig, "ask"));
    rig_wait (&rig, 1);
    assert_true (said (&rig, "connect 2"));
    rig_end (&rig);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_stopped),     cmocka_unit_test (test_stopped_while_idle),
        cmocka_unit_test (test_slow),        cmocka_unit_test (test_stopped_between_answers),
        cmocka_unit_test (test_paused_here), cmocka_unit_test (test_patience),
        cmocka_unit_test (test_not_asked),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
