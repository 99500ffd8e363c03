/* Snapshots on their way from a leader to a learner: whole, resumed, replaced, refused. */

#include "tests/unit/node/sending.h"

/* There is none yet: it is taken first. */
static void test_whole (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (500));
    assert_true (sending.progress > 10);
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
    assert_int_equal (sending.leader_resets + sending.learner_resets, 0);
    assert_int_equal (snapshots_count (sending.snapshots), 1); /* pinned */
    snapshots_end (sending.snapshots, 2);
    assert_int_equal (snapshots_count (sending.snapshots), 0);
}

static void test_pinned_not_for_ever (void **state)
{
    (void) state;
    sending_write (&sending.leader, 5, 100);
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (100));
    sending_leader_turn ();
    sending.now_ms += SNAPSHOTS_PINNED_MS + 1;
    sending_leader_turn ();
    assert_int_equal (snapshots_count (sending.snapshots), 0);
    sending_finish ();
}

/* While it goes on the leader does too; the learner gets the state of the snapshot. */
static void test_writes_meanwhile (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    snapshots_offer (sending.snapshots, 2);
    sending_leader_turn (); /* asks for one; the next turn begins it */
    uint64_t digest = tree_digest (sending.leader.tree);
    for (int i = 0; i < 500 && sending.install.state != INSTALL_WHOLE; i++) {
        sending_run (1);
        sending_write (&sending.leader, 3, 100);
    }
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), digest);
}

static void test_resumed (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    snapshots_offer (sending.snapshots, 2);
    sending_run_to (1 << 20);
    uint64_t received = sending.install.received;
    snapshots_end (sending.snapshots, 2); /* the link is down */
    sending_lose_all ();
    snapshots_offer (sending.snapshots, 2);
    sending_run (2);
    assert_true (sending.install.received >= received); /* nothing is sent twice */
    assert_true (sending_run (500));
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* The link breaks when all is here, and nobody has looked at it yet. */
static void test_resumed_at_the_end (void **state)
{
    (void) state;
    /* More than a turn puts in order. */
    server_create (&sending.leader, 4 * INSTALL_OBJECTS, 10, COHORT_EPHEMERAL);
    snapshots_offer (sending.snapshots, 2);
    for (int i = 0; i < 500 && sending.install.state != INSTALL_SETTLING; i++) {
        sending.now_ms++;
        sending_leader_turn ();
        sending_deliver_down (QUEUE_MAX);
        install_turn (&sending.install, sending.now_ms);
        server_work (&sending.learner);
        sending_deliver_up ();
    }
    assert_int_equal (sending.install.state, INSTALL_SETTLING);
    uint64_t received = sending.install.received;
    snapshots_end (sending.snapshots, 2);
    sending_lose_all ();
    sending_offer_again ();
    sending_deliver_down (1);
    assert_int_equal (sending.up_count, 1);
    assert_int_equal (sending.up[0].part.kind, PEER_PROGRESS);
    assert_int_equal (sending.up[0].part.offset, received);
    assert_true (sending_run (500));
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* Another snapshot is offered: what had come of the first is of no use. */
static void test_another (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    snapshots_offer (sending.snapshots, 2);
    sending_run_to (1 << 20);
    snapshots_end (sending.snapshots, 2);
    sending_lose_all ();
    sending_write (&sending.leader, 10, 100);
    checkpoint_want (&sending.checkpoint);
    for (int i = 0; i < 100; i++) {
        sending_leader_turn ();
    }
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (500));
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* What is older than what is committed here is refused; a newer one is taken. */
static void test_too_old (void **state)
{
    (void) state;
    sending_write (&sending.leader, 100, 1000);
    checkpoint_want (&sending.checkpoint);
    for (int i = 0; i < 100; i++) {
        sending_leader_turn ();
    }
    sending_write (&sending.leader, 100, 1000);
    sending.oldest = sending.leader.applied.zxid - 5;
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (500));
    assert_true (sending.install.offer.point.zxid >= sending.oldest);
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

/* The core does not want it: a later attempt gets another, from the beginning. */
static void test_discarded (void **state)
{
    (void) state;
    sending_write (&sending.leader, 100, 1000);
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (500));
    install_discard (&sending.install);
    assert_int_equal (sending.install.state, INSTALL_NONE);
    sending_deliver_up ();
    assert_true (sending_run (500)); /* asked for again */
    sending_finish ();
}

static void test_damaged (void **state)
{
    (void) state;
    sending_write (&sending.leader, 500, 8000);
    snapshots_offer (sending.snapshots, 2);
    sending_run_to (1 << 20);
    while (sending.down_count == 0 || sending.down[0].size == 0) {
        sending_leader_turn ();
        if (sending.down_count == 0) {
            sending_learner_turn ();
            sending_deliver_up ();
        }
    }
    for (size_t i = 100; i < sending.down[0].size; i += 1000) {
        sending.down[0].chunk[i] ^= 0x55;
    }
    sending_run (500);
    assert_int_equal (sending.learner_resets, 1);
    assert_int_equal (sending.install.state, INSTALL_NONE);
    struct zab_point base;
    int64_t stamp_ms;
    store_base (sending.learner.store, &base, &stamp_ms);
    assert_int_equal (base.zxid, 0); /* nothing was replaced */
    sending_lose_all ();
    snapshots_offer (sending.snapshots, 2);
    assert_true (sending_run (500));
    sending_finish ();
    assert_int_equal (tree_digest (sending.learner.tree), tree_digest (sending.leader.tree));
}

static void test_wrong_chunks (void **state)
{
    (void) state;
    sending_write (&sending.leader, 100, 8000);
    snapshots_offer (sending.snapshots, 2);
    while (sending.install.state != INSTALL_RECEIVING) {
        sending_run (1);
    }
    uint64_t received = sending.install.received;
    uint8_t chunk[10] = {0};
    struct peer_bytes bytes = {chunk, sizeof chunk};
    struct peer_snapshot part = {.kind = PEER_CHUNK, .transfer = 99, .offset = received};
    install_message (&sending.install, 1, &part, bytes, 0); /* of another transfer */
    part.transfer = sending.install.offer.transfer;
    part.offset = received + 1; /* of another place */
    install_message (&sending.install, 1, &part, bytes, 0);
    part.offset = received;
    install_message (&sending.install, 3, &part, bytes, 0); /* of another server */
    assert_int_equal (sending.install.received, received);
    assert_int_equal (sending.learner_resets, 0);
    bytes.size = 0;
    install_message (&sending.install, 1, &part, bytes, 0);
    assert_int_equal (sending.learner_resets, 1);
    assert_int_equal (sending.install.state, INSTALL_NONE);
    /* And what a learner must not say. */
    sending_lose_all ();
    sending_offer_again ();
    part = sending.down[sending.down_count - 1].part;
    part.kind = PEER_PROGRESS;
    part.offset = part.stored + 1;
    snapshots_message (sending.snapshots, 2, &part);
    assert_int_equal (sending.leader_resets, 1);
}

/* The learner's own snapshot is still being finished: it waits. */
static void test_writer_busy (void **state)
{
    (void) state;
    struct store_writer *writer = NULL;
    sending_write (&sending.leader, 100, 1000);
    assert_int_equal (
        store_writer_new (sending.learner.store, sending.learner.applied, 1000, &writer), 0);
    snapshots_offer (sending.snapshots, 2);
    assert_false (sending_run (20));
    assert_int_equal (sending.install.state, INSTALL_WAITING);
    store_writer_destroy (&writer);
    assert_true (sending_run (500));
    sending_finish ();
}

int main (void)
{
#define SENDING_TEST(name) cmocka_unit_test_setup_teardown (name, sending_set_up, sending_tear_down)
    const struct CMUnitTest tests[] = {
        SENDING_TEST (test_whole),
        SENDING_TEST (test_pinned_not_for_ever),
        SENDING_TEST (test_writes_meanwhile),
        SENDING_TEST (test_resumed),
        SENDING_TEST (test_resumed_at_the_end),
        SENDING_TEST (test_another),
        SENDING_TEST (test_too_old),
        SENDING_TEST (test_discarded),
        SENDING_TEST (test_damaged),
        SENDING_TEST (test_wrong_chunks),
        SENDING_TEST (test_writer_busy),
    };
    return cmocka_run_group_tests_name ("snapshots", tests, NULL, NULL);
}
