/* The tracker's arithmetic: what a new leader does, what is confirmed by which round, and many
 * sessions at once. */

#include "tests/unit/node/tracker_world.h"

#include <stdio.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"

/* ---- Leadership ------------------------------------------------------------------------------ */

static void test_new_leader (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1); /* does not lead */
    world_run (world, 10000);
    assert_int_equal (world->proposed_count, 0);
    assert_int_equal (tracker_deadline (world->tracker), INT64_MAX);
    tracker_lead (world->tracker);
    tracker_heartbeat (world->tracker, 1, 7, 1, 2);
    world_run (world, 10000); /* its initial history is not applied: nothing expires */
    assert_int_equal (world->proposed_count, 0);
    assert_int_equal (world->confirms_count, 0);
    tracker_ready (world->tracker);
    world_run (world, 4000);
    assert_int_equal (world->proposed_count, 0); /* taken over in the first of these turns */
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    tracker_unlead (world->tracker);
    assert_int_equal (tracker_count (world->tracker), 0);
    world_run (world, 5000);
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

/* A leader that stood still takes its own absence for nobody else's, and shows first that it still
 * leads. */
static void test_stall (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_lead (world);
    world_run (world, 1000);
    world->now_ms += 60000;
    tracker_time (world->tracker, world->now_ms);
    while (tracker_turn (world->tracker)) {
    }
    assert_int_equal (world->proposed_count, 0);
    assert_true (tracker_wants_round (world->tracker));
    /* The round does not succeed for a while. */
    tracker_rounds (world->tracker, ++world->begun, world->confirmed);
    for (int i = 0; i < 5000; i++) {
        world->now_ms++;
        tracker_time (world->tracker, world->now_ms);
        assert_false (tracker_turn (world->tracker));
    }
    assert_int_equal (world->proposed_count, 0);
    world->confirmed = world->begun;
    tracker_rounds (world->tracker, world->begun, world->confirmed);
    while (tracker_turn (world->tracker)) {
    }
    assert_int_equal (world->proposed_count, 1);
    world_free (world);
}

static void test_no_stall_at_deadlines (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 40000, 40000);
    world_lead (world);
    /* Called at its own deadlines only, it sees no stall: the session expires in time. */
    int64_t begun_ms = world->now_ms;
    unsigned calls = 0;
    while (world->proposed_count == 0) {
        int64_t deadline = tracker_deadline (world->tracker);
        assert_true (deadline > world->now_ms);
        world->now_ms = deadline;
        tracker_time (world->tracker, world->now_ms);
        world_turn (world);
        calls++;
        assert_true (calls < 2000);
    }
    assert_int_equal (world->now_ms - begun_ms, 40000);
    world_free (world);
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void test_confirmation (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_lead (world);
    world->begun = world->confirmed = 5;
    tracker_rounds (world->tracker, 5, 5);
    tracker_rounds (world->tracker, 6, 5); /* a round begins before the heartbeat comes */
    tracker_heartbeat (world->tracker, 1, 7, 1, 40);
    tracker_rounds (world->tracker, 6, 6);
    assert_int_equal (world->confirms_count, 0);
    tracker_time (world->tracker, world->now_ms += 10);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 7, 6);
    assert_false (tracker_wants_round (world->tracker)); /* one at a time */
    tracker_heartbeat (world->tracker, 1, 7, 1, 41);
    assert_int_equal (world->confirms_count, 0);
    tracker_rounds (world->tracker, 7, 7);
    assert_int_equal (world->confirms_count, 1);
    assert_int_equal (world->confirms[0].seq, 40);
    assert_int_equal (world->confirms[0].server, 1);
    /* Heartbeats alone begin rounds at most every 10 ms. */
    assert_false (tracker_wants_round (world->tracker));
    assert_int_equal (tracker_deadline (world->tracker), world->now_ms + 10);
    tracker_time (world->tracker, world->now_ms += 10);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 8, 8);
    assert_int_equal (world->confirms_count, 2);
    assert_int_equal (world->confirms[1].seq, 41);
    world_free (world);
}

/* What changes between the heartbeat and the end of its round counts. */
static void test_not_confirmed (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 1, 4000, 4000);
    world_add (world, 2, 4000, 50);
    world_add (world, 3, 4000, 4000);
    world_add (world, 4, 4000, 4000);
    world_lead (world);
    tracker_rounds (world->tracker, 1, 1);
    for (uint64_t id = 1; id <= 4; id++) {
        tracker_heartbeat (world->tracker, 1, id, 1, 9);
    }
    tracker_heartbeat (world->tracker, 1, 99, 1, 9); /* nobody */
    world_attach (world, 1, 2, 1);                   /* attached anew */
    tracker_disconnected (world->tracker, 1, 2, 1);
    for (int i = 0; i < 60; i++) {
        tracker_time (world->tracker, ++world->now_ms);
        while (tracker_turn (world->tracker)) {
        }
    }
    assert_int_equal (world->proposed_count, 1); /* a CLOSE of 2 is undecided */
    world_session (world, 3)->incarnation = 2;   /* another process: the numbers begin anew */
    world_attach (world, 3, 1, 1);
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->confirms_count, 1);
    assert_int_equal (world->confirms[0].session, 4);
    world_free (world);
}

static void test_sync (void **state)
{
    (void) state;
    struct world *world = world_new ();
    tracker_sync (world->tracker, 2, 11, 100); /* does not lead */
    world_lead (world);
    tracker_rounds (world->tracker, 1, 1);
    assert_false (tracker_wants_round (world->tracker));
    tracker_sync (world->tracker, 2, 12, 101);
    assert_true (tracker_wants_round (world->tracker)); /* at once */
    tracker_rounds (world->tracker, 2, 1);
    tracker_sync (world->tracker, 3, 13, 102);
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->synced_count, 1);
    assert_int_equal (world->synced[0].server, 2);
    assert_int_equal (world->synced[0].token, 12);
    assert_int_equal (world->synced[0].zxid, 101);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 3, 3);
    assert_int_equal (world->synced_count, 2);
    assert_int_equal (world->synced[1].zxid, 102);
    /* Lost with leadership. */
    tracker_sync (world->tracker, 3, 14, 103);
    tracker_unlead (world->tracker);
    tracker_lead (world->tracker);
    tracker_rounds (world->tracker, 9, 9);
    assert_int_equal (world->synced_count, 2);
    world_free (world);
}

/* A read point is lost neither among heartbeats nor among others: at most two of a server wait. */
static void test_sync_among_many (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_lead (world);
    tracker_rounds (world->tracker, 1, 1);
    for (uint64_t i = 0; i < TRACKER_WAITING_MAX; i++) {
        tracker_heartbeat (world->tracker, 1, 1000 + i, 1, 1);
    }
    mem_fail_at (1);
    tracker_sync (world->tracker, 2, 1, 100);
    assert_false (mem_fail_clear ()); /* needs no memory */
    tracker_sync (world->tracker, 2, 2, 101);
    tracker_sync (world->tracker, 3, 1, 101);
    tracker_rounds (world->tracker, 2, 1);
    for (uint64_t token = 3; token < 5000; token++) {
        tracker_sync (world->tracker, 2, token, 100 + token);
    }
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->synced_count, 2);
    assert_int_equal (world->synced[0].token, 2);
    assert_int_equal (world->synced[0].zxid, 101);
    assert_int_equal (world->synced[1].server, 3);
    /* Rounds that the core begins on its own, beyond the one under way: none is left out. */
    tracker_rounds (world->tracker, 3, 2);
    tracker_sync (world->tracker, 2, 5000, 200);
    tracker_rounds (world->tracker, 4, 2);
    tracker_sync (world->tracker, 2, 5001, 201);
    tracker_rounds (world->tracker, 4, 4);
    assert_int_equal (world->synced_count, 3);
    assert_int_equal (world->synced[2].token, 4999);
    assert_true (tracker_wants_round (world->tracker));
    tracker_rounds (world->tracker, 5, 5);
    assert_int_equal (world->synced_count, 4);
    assert_int_equal (world->synced[3].token, 5001);
    assert_int_equal (world->synced[3].zxid, 201);
    world_free (world);
}

/* A server that comes back may be another process, which uses the same tokens anew. */
static void test_server_down (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world_lead (world);
    tracker_rounds (world->tracker, 1, 1);
    tracker_sync (world->tracker, 2, 1, 100);
    tracker_sync (world->tracker, 3, 1, 100);
    tracker_heartbeat (world->tracker, 1, 7, 1, 5);
    tracker_rounds (world->tracker, 2, 1);
    tracker_server_down (world->tracker, 2);
    tracker_server_down (world->tracker, 1);
    tracker_sync (world->tracker, 2, 1, 200);
    tracker_rounds (world->tracker, 2, 2);
    assert_int_equal (world->confirms_count, 0);
    assert_int_equal (world->synced_count, 1);
    assert_int_equal (world->synced[0].server, 3);
    tracker_rounds (world->tracker, 3, 3);
    assert_int_equal (world->synced_count, 2);
    assert_int_equal (world->synced[1].server, 2);
    assert_int_equal (world->synced[1].zxid, 200);
    world_free (world);
}

/* A session that an administrator has killed ends when its client cannot count on it any more,
 * which is told nothing from then on; a new leader begins to count anew. */
static void test_killed (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 600);
    world_lead (world);
    world_run (world, 10);
    world_session (world, 7)->condemned = true;
    tracker_applied (world->tracker, ++world->applied,
                     &(struct tree_outcome){.kind = ENTRY_WRITE, .session = 3, .killed = 7});
    world_run (world, 300);
    tracker_heartbeat (world->tracker, 1, 7, 1, 1);
    tracker_touch (world->tracker, 7);
    world_run (world, 299);
    assert_int_equal (world->confirms_count, 0);
    assert_int_equal (world->proposed_count, 0);
    tracker_unlead (world->tracker);
    world_lead (world);
    world_run (world, 599);
    assert_int_equal (world->proposed_count, 0);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].u.close.reason, ENTRY_KILLED);
    world_close (world, 0, true);
    assert_int_equal (tracker_count (world->tracker), 0);
    world_free (world);
}

/* ---- REAP ------------------------------------------------------------------------------------ */

static void test_reap (void **state)
{
    (void) state;
    struct world *world = world_new ();
    world_add (world, 7, 4000, 4000);
    world->sessions[0].dead = true;
    world->sessions[0].ephemerals = 1200;
    world_lead (world);
    assert_int_equal (world->proposed_count, 1);
    assert_int_equal (world->proposed[0].kind, ENTRY_REAP);
    world_run (world, 100);
    assert_int_equal (world->proposed_count, 1); /* one at a time */
    struct tree_outcome outcome = {.kind = ENTRY_REAP, .session = 7};
    tracker_applied (world->tracker, ++world->applied, &outcome);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 2);
    outcome.session_gone = true;
    world->sessions_count = 0;
    tracker_applied (world->tracker, ++world->applied, &outcome);
    world_run (world, 1);
    assert_int_equal (world->proposed_count, 2);
    assert_int_equal (tracker_count (world->tracker), 0);
    world_free (world);
}

/* ---- Many ------------------------------------------------------------------------------------ */

static void test_many (void **state)
{
    (void) state;
    struct world *world = world_new ();
    for (uint64_t id = 1; id <= 50000; id++) {
        world_add (world, id, 2000 + (uint32_t) (id % 1000), 2000);
    }
    world_lead (world);
    assert_int_equal (tracker_count (world->tracker), 50000);
    /* Every second one goes silent. */
    for (int round = 0; round < 10; round++) {
        for (uint64_t id = 2; id <= 50000; id += 2) {
            tracker_touch (world->tracker, id);
        }
        world_run (world, 400);
    }
    assert_int_equal (world->proposed_count, 25000);
    for (size_t i = 0; i < world->proposed_count; i++) {
        uint64_t id = world->proposed[i].u.close.session;
        assert_int_equal (id % 2, 1);
        assert_int_equal (world->proposed_ms[i] - 1000, 2000 + id % 1000);
    }
    world_free (world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_killed),       cmocka_unit_test (test_new_leader),
        cmocka_unit_test (test_stall),        cmocka_unit_test (test_no_stall_at_deadlines),
        cmocka_unit_test (test_confirmation), cmocka_unit_test (test_not_confirmed),
        cmocka_unit_test (test_sync),         cmocka_unit_test (test_sync_among_many),
        cmocka_unit_test (test_server_down),  cmocka_unit_test (test_reap),
        cmocka_unit_test (test_many),
    };
    return cmocka_run_group_tests_name ("tracker_rounds", tests, NULL, NULL);
}
