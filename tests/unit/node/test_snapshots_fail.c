/* Snapshots on their way from a leader to a learner, when files are damaged or gone, disks full,
 * and several want one. */

#include "tests/unit/node/sending.h"

#include "cohort/error.h"

/* The file of the leader's newest snapshot rots, once before it is opened and once behind what has
 * been sent: no learner gets anything of the damaged blocks, and a new one is written, of the very
 * same state. */
static void test_leaders_file_damaged (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    checkpoint_want (&sending.checkpoint);
    for (int i = 0; i < 200; i++) {
        sending_leader_turn ();
    }
    zxid_t zxid = sending.leader.applied.zxid;
    assert_true (
        crash_disk_flip (sending.leader.disk, server_snapshot_name (&sending.leader), 10, 1));
    snapshots_offer (sending.snapshots, 2);
    sending_run_to (1 << 20);
    assert_true (
        crash_disk_flip (sending.leader.disk, server_snapshot_name (&sending.leader), 3 << 20, 1));
    assert_true (sending_run (1000));
    assert_int_equal (sending.leader_resets + sending.learner_resets, 0);
    assert_int_equal (sending.install.offer.point.zxid, zxid);
    assert_int_equal (checkpoint_done (&sending.checkpoint), 3);
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* There is no room for the new one, for a while: it is written when there is. */
static void test_leaders_file_damaged_on_a_full_disk (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    checkpoint_want (&sending.checkpoint);
    for (int i = 0; i < 200; i++) {
        sending_leader_turn ();
    }
    assert_true (
        crash_disk_flip (sending.leader.disk, server_snapshot_name (&sending.leader), 10, 1));
    crash_disk_set_space (sending.leader.disk, crash_disk_used (sending.leader.disk) + 1000);
    snapshots_offer (sending.snapshots, 2);
    assert_false (sending_run (200));
    int code;
    assert_true (checkpoint_failures (&sending.checkpoint, &code) > 0);
    crash_disk_set_space (sending.leader.disk, UINT64_MAX);
    sending.now_ms += CHECKPOINT_RETRY_MS;
    assert_true (sending_run (1000));
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* One has failed, which is tried again after a while. But the newest is of a state that was wrong:
 * a start would begin with it, so another is written at once. */
static void test_wrong_one_is_replaced_at_once (void **state)
{
    int code;
    (void) state;
    sending_write (&sending.leader, 50, 100);
    uint64_t done = checkpoint_done (&sending.checkpoint);
    crash_disk_set_space (sending.leader.disk, crash_disk_used (sending.leader.disk));
    checkpoint_want (&sending.checkpoint);
    for (int i = 0; i < 200; i++) {
        sending_leader_turn ();
    }
    assert_int_equal (checkpoint_failures (&sending.checkpoint, &code), 1);
    crash_disk_set_space (sending.leader.disk, UINT64_MAX);
    checkpoint_damaged (&sending.checkpoint);
    for (int i = 0; i < 200; i++) {
        sending_leader_turn ();
    }
    assert_int_equal (checkpoint_done (&sending.checkpoint), done + 1);
}

/* Newer snapshots are written, and older ones removed: not the one that is being sent. */
static void take_snapshot (void)
{
    uint64_t done = checkpoint_done (&sending.checkpoint);
    checkpoint_want (&sending.checkpoint);
    for (int i = 0; i < 200 && checkpoint_done (&sending.checkpoint) == done; i++) {
        sending_leader_turn ();
    }
    assert_int_equal (checkpoint_done (&sending.checkpoint), done + 1);
}

/* The log does not grow any more, and the older of two snapshots keeps it: no space would ever come
 * back by itself. */
static void test_due_on_a_full_disk (void **state)
{
    (void) state;
    sending_write (&sending.leader, 50, 100);
    take_snapshot ();
    sending_write (&sending.leader, 50, 100);
    take_snapshot ();
    uint64_t done = checkpoint_done (&sending.checkpoint);
    for (int i = 0; i < 200; i++) {
        sending_leader_turn ();
    }
    assert_int_equal (checkpoint_done (&sending.checkpoint), done); /* there is space */
    crash_disk_set_space (sending.leader.disk, crash_disk_used (sending.leader.disk) + 50000);
    for (int i = 0; i < 1000 && store_space (sending.leader.store) == 0; i++) {
        sending_write (&sending.leader, 1, 1000);
    }
    assert_true (store_space (sending.leader.store) != 0);
    for (int i = 0; i < 200; i++) {
        sending_leader_turn ();
    }
    assert_int_equal (checkpoint_done (&sending.checkpoint), done + 1);
}

static void test_purged_meanwhile (void **state)
{
    (void) state;
    struct zab_point base;
    int64_t stamp_ms = 0;
    sending_write (&sending.leader, 500, 8000);
    uint64_t digest = tree_digest (sending.leader.tree);
    snapshots_offer (sending.snapshots, 2);
    sending_run_to (1 << 20);
    zxid_t zxid = sending.install.offer.point.zxid;
    for (int i = 0; i < 4; i++) {
        sending_write (&sending.leader, 10, 100);
        checkpoint_want (&sending.checkpoint);
        for (int k = 0; k < 200; k++) {
            sending_leader_turn ();
        }
        (void) store_compacted (sending.leader.store, &base, &stamp_ms);
        assert_true (base.zxid <= zxid);
        server_work (&sending.leader);
    }
    assert_int_equal (server_snapshot_files (&sending.leader), 5);
    assert_true (sending_run (500));
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), digest);
    snapshots_end (sending.snapshots, 2);
    assert_true (store_compacted (sending.leader.store, &base, &stamp_ms));
    assert_true (base.zxid > zxid);
    server_work (&sending.leader);
    assert_int_equal (server_snapshot_files (&sending.leader), 2);
}

/* One learner dies in the middle, one never answers: neither holds up the third, and their end
 * frees what was kept for them. */
static void test_several (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    for (uint32_t peer = 2; peer <= 4; peer++) {
        snapshots_offer (sending.snapshots, peer);
    }
    sending_run_to (1 << 20);
    assert_int_equal (snapshots_count (sending.snapshots), 3);
    assert_int_equal (sending.others, 2); /* offers */
    snapshots_end (sending.snapshots, 3);
    assert_true (sending_run (500));
    sending_finish ();
    snapshots_end (sending.snapshots, 4);
    snapshots_end (sending.snapshots, 2);
    assert_int_equal (snapshots_count (sending.snapshots), 0);
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* The leader sends a window, and no more, until the learner has dealt with it. */
static void test_window (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    snapshots_offer (sending.snapshots, 2);
    while (sending.install.state != INSTALL_RECEIVING) {
        sending_run (1);
    }
    sending_deliver_up ();
    for (int i = 0; i < 200; i++) {
        sending_leader_turn ();
    }
    size_t sent = 0;
    for (size_t i = 0; i < sending.down_count; i++) {
        sent += sending.down[i].size;
    }
    assert_in_range (sent, SNAPSHOTS_WINDOW - 2 * SNAPSHOTS_CHUNK, SNAPSHOTS_WINDOW);
    /* And the learner takes no more than it has room for, whatever is sent. */
    struct peer_snapshot part = {.kind = PEER_CHUNK, .transfer = sending.install.offer.transfer};
    struct peer_bytes bytes = {sending.down[0].chunk, sending.down[0].size};
    for (int i = 0; i < 100 && sending.learner_resets == 0; i++) {
        part.offset = sending.install.arrived;
        install_message (&sending.install, 1, &part, bytes, 0);
        assert_true (sending.install.arrived <= INSTALL_AHEAD_MAX);
    }
    assert_int_equal (sending.learner_resets, 1);
    assert_int_equal (sending.install.state, INSTALL_NONE);
}

/* No space for what comes, or for its end: nothing has changed, and after a while it is tried
 * again. */
static void test_disk_full (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    for (int end = 0; end < 2; end++) {
        snapshots_offer (sending.snapshots, 2);
        zxid_t last = store_last (sending.learner.store);
        sending_run_to (end ? 3 << 20 : 1 << 20);
        if (!end) {
            crash_disk_set_space (sending.learner.disk,
                                  crash_disk_used (sending.learner.disk) + 1000);
            assert_false (sending_run (100));
            assert_int_equal (sending.learner_resets, 1);
        } else {
            assert_true (sending_run (500));
            server_work (&sending.learner);
            crash_disk_set_space (sending.learner.disk,
                                  crash_disk_used (sending.learner.disk) + 10);
            install_begin (&sending.install);
            for (int i = 0; i < 10 && sending.install.state == INSTALL_RUNNING; i++) {
                sending_learner_turn ();
            }
            assert_int_equal (sending.install.state, INSTALL_FAILED);
            assert_int_equal (sending.install.code, COHORT_EDISKFULL);
            install_give_up (&sending.install);
        }
        assert_int_equal (sending.install.state, INSTALL_NONE);
        assert_int_equal (store_last (sending.learner.store), last);
        server_work (&sending.learner);
        assert_int_equal (server_snapshot_files (&sending.learner), 0);
        sending_lose_all ();
        crash_disk_set_space (sending.learner.disk, UINT64_MAX);
        sending_offer_again ();
        sending_deliver_down (1);
        sending_learner_turn ();
        assert_int_equal (sending.install.state, INSTALL_WAITING);
        assert_in_range (install_deadline (&sending.install), sending.now_ms + 1,
                         sending.now_ms + INSTALL_RETRY_MS);
        sending.now_ms = install_deadline (&sending.install);
        sending_learner_turn ();
        assert_int_equal (sending.install.state, INSTALL_RECEIVING);
        install_give_up (&sending.install);
        snapshots_end (sending.snapshots, 2);
        sending_lose_all ();
    }
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (500));
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* It is whole when the link breaks, before the core has heard that one is to come: it is kept for
 * the same leader, and nothing is sent twice. */
static void test_kept_whole (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (500));
    snapshots_end (sending.snapshots, 2);
    sending_lose_all ();
    sending_offer_again ();
    uint64_t stored = sending.down[0].part.stored;
    sending_deliver_down (1);
    assert_int_equal (sending.install.state, INSTALL_WHOLE);
    assert_int_equal (sending.up_count, 1);
    assert_int_equal (sending.up[0].part.kind, PEER_PROGRESS);
    assert_int_equal (sending.up[0].part.offset, stored);
    sending_deliver_up ();
    for (int i = 0; i < 5; i++) {
        sending_leader_turn ();
    }
    assert_int_equal (sending.down_count, 0);
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

int main (void)
{
#define SENDING_TEST(name) cmocka_unit_test_setup_teardown (name, sending_set_up, sending_tear_down)
    const struct CMUnitTest tests[] = {
        SENDING_TEST (test_leaders_file_damaged),
        SENDING_TEST (test_leaders_file_damaged_on_a_full_disk),
        SENDING_TEST (test_wrong_one_is_replaced_at_once),
        SENDING_TEST (test_due_on_a_full_disk),
        SENDING_TEST (test_purged_meanwhile),
        SENDING_TEST (test_several),
        SENDING_TEST (test_window),
        SENDING_TEST (test_disk_full),
        SENDING_TEST (test_kept_whole),
    };
    return cmocka_run_group_tests_name ("snapshots_fail", tests, NULL, NULL);
}
