/* The tracker's arithmetic: what expires when. */

#include "tests/unit/node/tracker_world.h"

static void test_silence (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_lead (world);
    world_run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].kind, ENTRY_CLOSE);
    assert_int_equal (world->proposed[0].u.close.session, 7);
    assert_int_equal (world->proposed[0].u.close.attach_no, 1);
    assert_int_equal (world->proposed[0].u.close.incarnation, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_EXPIRED);
    /* Once, until it is decided. */
    world_run (world, 10000);
    assert_int_equal (world->proposed_count, 1);
    /* It did nothing: the session has its whole time again. */
    world_close (world, 0, false);
    world_run (world, 3999);
    assert_int_equal (world->proposed_count, 1);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 2);
    world_close (world, 1, true);
    world_run (world, 10000);
    assert_int_equal (world->proposed_count, 2);
    assert_int_equal (tracker_count (world->tracker), 0);
    world_free (world);
}

static void test_heartbeats_keep (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_lead (world);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        world_run (world, 1300);
        tracker_heartbeat (world->tracker, 1, 7, 1, seq);
    }
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* Of another attach, or by way of another server than its own, they keep nothing. */
static void test_foreign_heartbeats (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_add (world, 8, 4000, 4000);
    world_lead (world);
    for (int i = 0; i < 5; i++) {
        world_run (world, 800);
        tracker_heartbeat (world->tracker, 1, 7, 2, 1);
        tracker_heartbeat (world->tracker, 2, 8, 1, 1);
    }
    assert_int_equal (world->proposed_count, 2);
    assert_int_equal (world->confirms_count, 0);
    world_free (world);
}

static void test_grace (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    world_run (world, 50);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    tracker_disconnected (world->tracker, 1, 7, 1);
    world_run (world, 60);
    tracker_disconnected (world->tracker, 1, 7, 1); /* repeated: counts from the first */
    tracker_heartbeat (world->tracker, 1, 7, 1, 2); /* was on its way: the connection is dead */
    world_run (world, 39);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
    world_free (world);
}

static void test_attach_ends_grace (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    tracker_disconnected (world->tracker, 1, 7, 1);
    world_run (world, 99);
    world_attach (world, 7, 2, 3);
    world_run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.attach_no, 2);
    world_free (world);
}

/* The report of an attach that this server has not applied yet counts from its receipt. */
static void test_report_before_attach (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    world_run (world, 10);
    tracker_disconnected (world->tracker, 3, 7, 2);
    world_run (world, 60);
    world_attach (world, 7, 2, 3);
    world_run (world, 39);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* A leader may apply an attach long after others have, and after its end was reported: as soon as
 * it has proposed it, what comes by the one before is confirmed no more, and so nobody counts on
 * more than the grace behind that report. */
static void test_report_long_before_attach (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 700);
    world_lead (world);
    tracker_attaching (world->tracker, 7, world->applied + 1);
    world_run (world, 10);
    tracker_disconnected (world->tracker, 3, 7, 2);
    world_run (world, 500);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    world_run (world, 50);
    assert_int_equal (world->confirms_count, 0);
    world_attach (world, 7, 2, 3);
    world_run (world, 149);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
    world_free (world);
}

/* Its client went from server to server, and away: each reports the end of its own attach when it
 * applies that, the last one perhaps first. */
static void test_report_of_older_attach (void **state)
{
    (void) state;
    for (int applied = 0; applied < 2; applied++) {
        struct world *world = world_new ();
        world_add (world, 7, 4000, 100);
        world_lead (world);
        tracker_disconnected (world->tracker, 3, 7, 3);
        world_run (world, 10);
        if (applied != 0) {
            world_attach (world, 7, 2, 2);
        }
        tracker_disconnected (world->tracker, 2, 7, 2);
        if (applied == 0) {
            world_attach (world, 7, 2, 2);
        }
        world_attach (world, 7, 3, 3);
        world_run (world, 89);
        assert_int_equal (world->proposed_count, 0);
        world_run (world, 1);
        assert_int_equal (world->proposed_count, 1);
        assert_int_equal (world->proposed[0].u.close.attach_no, 3);
        assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
        world_free (world);
    }
}

/* The end of the present attach and that of one to come are both remembered, and a repetition of
 * the one changes nothing of the other. */
static void test_reports_of_two_attaches (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    tracker_disconnected (world->tracker, 1, 7, 1);
    world_run (world, 20);
    tracker_disconnected (world->tracker, 3, 7, 2);
    world_run (world, 20);
    tracker_disconnected (world->tracker, 1, 7, 1);
    world_attach (world, 7, 1, 1); /* it is in the log twice: still the same one */
    world_attach (world, 7, 2, 3);
    world_run (world, 79);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.attach_no, 2);
    world_free (world);
}

/* An attach that is in the log twice has not come back to life. */
static void test_attach_repeated (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    tracker_disconnected (world->tracker, 1, 7, 1);
    world_run (world, 20);
    tracker_disconnected (world->tracker, 3, 7, 2);
    world_attach (world, 7, 1, 1);
    world_run (world, 79);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_DISCONNECTED);
    world_free (world);
}

/* The grace of a session that has just moved is the short one. */
static void test_grace_after_move (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    world_run (world, 10);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    world_attach (world, 7, 2, 3);
    tracker_disconnected (world->tracker, 3, 7, 2);
    world_run (world, 99);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* Another process has taken the session, and other servers have applied that: its time begins
 * there.  The one before may not be told anything later, whoever leads and however slow. */
static void test_no_confirmation_behind_attach (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_lead (world);
    world_run (world, 10);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1); /* before: it may count on it */
    tracker_attaching (world->tracker, 7, world->applied + 1);
    tracker_heartbeat (world->tracker, 1, 7, 1, 2);
    world_run (world, 20);
    assert_int_equal (world->confirms_count, 1);
    assert_int_equal (world->confirms[0].seq, 1);
    /* It comes to nothing: what arrives then is confirmed again. */
    tracker_applied (
        world->tracker, ++world->applied,
        &(struct tree_outcome){.kind = ENTRY_ATTACH, .session = 7, .code = COHORT_ESESSIONMOVED});
    tracker_heartbeat (world->tracker, 1, 7, 1, 3);
    world_run (world, 20);
    assert_int_equal (world->confirms_count, 2);
    assert_int_equal (world->confirms[1].seq, 3);
    world_free (world);
}

/* The same number at another server is another connection (numbers begin anew with each
 * incarnation). */
static void test_report_of_other_server (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    tracker_disconnected (world->tracker, 2, 7, 1);
    world_run (world, 3000);
    assert_int_equal (world->proposed_count, 0);
    world_free (world);
}

static void test_report_of_unknown (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 100);
    world_lead (world);
    tracker_disconnected (world->tracker, 1, 5, 1); /* has ended: ids ascend */
    assert_int_equal (tracker_count (world->tracker), 1);
    tracker_disconnected (world->tracker, 1, 9, 1); /* will come */
    assert_int_equal (tracker_count (world->tracker), 2);
    world_run (world, 10);
    world_add (world, 9, 4000, 100);
    tracker_applied (world->tracker, ++world->applied,
                     &(struct tree_outcome){.kind = ENTRY_CREATE_SESSION, .session = 9});
    world_run (world, 89);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.session, 9);
    world_free (world);
}

static void test_touch (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_lead (world);
    world_run (world, 3990);
    tracker_touch (world->tracker, 7);
    world_run (world, 3999);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_silence),
        cmocka_unit_test (test_heartbeats_keep),
        cmocka_unit_test (test_foreign_heartbeats),
        cmocka_unit_test (test_grace),
        cmocka_unit_test (test_attach_ends_grace),
        cmocka_unit_test (test_report_before_attach),
        cmocka_unit_test (test_report_long_before_attach),
        cmocka_unit_test (test_report_of_older_attach),
        cmocka_unit_test (test_reports_of_two_attaches),
        cmocka_unit_test (test_attach_repeated),
        cmocka_unit_test (test_grace_after_move),
        cmocka_unit_test (test_no_confirmation_behind_attach),
        cmocka_unit_test (test_report_of_other_server),
        cmocka_unit_test (test_report_of_unknown),
        cmocka_unit_test (test_touch),
    };
    return cmocka_run_group_tests_name ("tracker", tests, NULL, NULL);
}
