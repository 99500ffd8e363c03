/* Snapshots on their way from a leader to a learner: both ends over stores in memory. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"
#include "server/node/install.h"
#include "server/node/snapshots.h"
#include "tests/unit/node/stored_server.h"

enum { QUEUE_MAX = 64 };

struct part {
    struct peer_snapshot part;
    uint8_t *chunk;
    size_t size;
};

struct world {
    struct server leader, learner;
    struct checkpoint checkpoint;
    struct snapshots *snapshots;
    struct install install;
    struct retired retired;
    struct part down[QUEUE_MAX]; /* leader to learner */
    size_t down_count;
    struct part up[QUEUE_MAX];
    size_t up_count;
    unsigned progress, leader_resets, learner_resets, others;
    zxid_t oldest; /* what the learner takes */
    int64_t now_ms;
};

static struct world world;

static void write_some (struct server *server, unsigned count, size_t size)
{
    server_create (server, count, size, COHORT_PERSISTENT);
}

/* ---- Between them ---------------------------------------------------------------------------- */

static void push (struct part *queue, size_t *count, const struct peer_snapshot *part,
                  const uint8_t *chunk, size_t size)
{
    assert_true (*count < QUEUE_MAX);
    queue[(*count)++] = (struct part){*part, size > 0 ? mem_dup (chunk, size) : NULL, size};
}

static void leader_sends (void *arg, uint32_t peer, const struct peer_snapshot *part,
                          const uint8_t *chunk, size_t size)
{
    (void) arg;
    if (peer != 2) { /* one that never hears of it */
        world.others++;
        return;
    }
    push (world.down, &world.down_count, part, chunk, size);
}

static void learner_sends (void *arg, uint32_t peer, const struct peer_snapshot *part)
{
    (void) arg;
    assert_int_equal (peer, 1);
    push (world.up, &world.up_count, part, NULL, 0);
}

static void on_progress (void *arg, uint32_t peer)
{
    (void) arg;
    (void) peer;
    world.progress++;
}

static void leader_resets (void *arg, uint32_t peer, const char *why)
{
    (void) arg;
    (void) peer;
    (void) why;
    world.leader_resets++;
}

static void learner_resets (void *arg, uint32_t peer, const char *why)
{
    (void) arg;
    (void) peer;
    (void) why;
    world.learner_resets++;
}

static void lose_all (void)
{
    for (size_t i = 0; i < world.down_count; i++) {
        mem_free (world.down[i].chunk);
    }
    world.down_count = world.up_count = 0;
}

static int setup (void **state)
{
    (void) state;
    struct logger logger = {NULL, NULL, LOG_ERROR};
    memset (&world, 0, sizeof world);
    world.now_ms = 1000;
    server_init (&world.leader, 1);
    server_init (&world.learner, 2);
    checkpoint_init (&world.checkpoint, world.leader.store, 0, 0, &logger);
    struct snapshots_host sender = {NULL, leader_sends, on_progress, leader_resets};
    world.snapshots = snapshots_new (world.leader.store, &world.checkpoint, &sender, &logger, 1);
    struct install_host receiver = {NULL, learner_sends, learner_resets};
    install_init (&world.install, world.learner.store, &world.retired, &(struct tree_options){0},
                  &receiver, &logger);
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    lose_all ();
    snapshots_destroy (&world.snapshots);
    checkpoint_deinit (&world.checkpoint);
    install_deinit (&world.install);
    retired_deinit (&world.retired);
    server_deinit (&world.leader);
    server_deinit (&world.learner);
    return 0;
}

static void leader_turn (void)
{
    checkpoint_turn (&world.checkpoint, world.leader.tree, world.leader.applied, world.now_ms);
    snapshots_turn (world.snapshots, world.leader.applied.zxid, world.now_ms);
    server_work (&world.leader);
}

static void learner_turn (void)
{
    install_turn (&world.install, world.now_ms);
    server_work (&world.learner);
    install_turn (&world.install, world.now_ms);
}

static void deliver_down (size_t count)
{
    for (size_t i = 0; i < count && world.down_count > 0; i++) {
        struct part part = world.down[0];
        world.down_count--;
        memmove (world.down, world.down + 1, world.down_count * sizeof part);
        install_message (&world.install, 1, &part.part, (struct peer_bytes){part.chunk, part.size},
                         world.oldest);
        mem_free (part.chunk);
    }
}

static void deliver_up (void)
{
    for (size_t i = 0; i < world.up_count; i++) {
        snapshots_message (world.snapshots, 2, &world.up[i].part);
    }
    world.up_count = 0;
}

/* Until the learner has all of it; false: it does not come to that. */
static bool run (int turns)
{
    for (int i = 0; i < turns && world.install.state != INSTALL_WHOLE; i++) {
        world.now_ms++;
        leader_turn ();
        deliver_down (QUEUE_MAX);
        learner_turn ();
        deliver_up ();
    }
    return world.install.state == INSTALL_WHOLE;
}

static void finish (void)
{
    struct zab_point point;
    int64_t stamp_ms;
    assert_int_equal (world.install.state, INSTALL_WHOLE);
    install_begin (&world.install);
    for (int i = 0; i < 10 && world.install.state == INSTALL_RUNNING; i++) {
        learner_turn ();
    }
    assert_int_equal (world.install.state, INSTALL_DONE);
    struct tree *tree = install_take (&world.install, &point, &stamp_ms);
    tree_destroy (&world.learner.tree);
    world.learner.tree = tree;
    assert_int_equal (tree_zxid (tree), point.zxid);
    assert_int_equal (store_last (world.learner.store), point.zxid);
    assert_int_equal (world.install.state, INSTALL_NONE);
}

/* Until the leader has opened its snapshot, and offered it. */
static void offer_again (void)
{
    snapshots_offer (world.snapshots, 2);
    for (int i = 0; i < 10 && world.down_count == 0; i++) {
        leader_turn ();
    }
    assert_true (world.down_count > 0);
    assert_int_equal (world.down[world.down_count - 1].part.kind, PEER_OFFER);
}

/* As far as that many stored bytes. */
static void run_to (uint64_t bytes)
{
    while (world.install.received < bytes) {
        assert_false (run (1));
    }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* There is none yet: it is taken first. */
static void test_whole (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    snapshots_offer (world.snapshots, 2);
    assert_true (run (500));
    assert_true (world.progress > 10);
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
    assert_int_equal (world.leader_resets + world.learner_resets, 0);
    assert_int_equal (snapshots_count (world.snapshots), 1); /* pinned */
    snapshots_end (world.snapshots, 2);
    assert_int_equal (snapshots_count (world.snapshots), 0);
}

static void test_pinned_not_for_ever (void **state)
{
    (void) state;
    write_some (&world.leader, 5, 100);
    snapshots_offer (world.snapshots, 2);
    assert_true (run (100));
    leader_turn ();
    world.now_ms += SNAPSHOTS_PINNED_MS + 1;
    leader_turn ();
    assert_int_equal (snapshots_count (world.snapshots), 0);
    finish ();
}

/* While it goes on the leader does too; the learner gets the state of the snapshot. */
static void test_writes_meanwhile (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    snapshots_offer (world.snapshots, 2);
    leader_turn (); /* asks for one; the next turn begins it */
    uint64_t digest = tree_digest (world.leader.tree);
    for (int i = 0; i < 500 && world.install.state != INSTALL_WHOLE; i++) {
        run (1);
        write_some (&world.leader, 3, 100);
    }
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), digest);
}

static void test_resumed (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    snapshots_offer (world.snapshots, 2);
    run_to (1 << 20);
    uint64_t received = world.install.received;
    snapshots_end (world.snapshots, 2); /* the link is down */
    lose_all ();
    snapshots_offer (world.snapshots, 2);
    run (2);
    assert_true (world.install.received >= received); /* nothing is sent twice */
    assert_true (run (500));
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* The link breaks when all is here, and nobody has looked at it yet. */
static void test_resumed_at_the_end (void **state)
{
    (void) state;
    /* More than a turn puts in order. */
    server_create (&world.leader, 4 * INSTALL_OBJECTS, 10, COHORT_EPHEMERAL);
    snapshots_offer (world.snapshots, 2);
    for (int i = 0; i < 500 && world.install.state != INSTALL_SETTLING; i++) {
        world.now_ms++;
        leader_turn ();
        deliver_down (QUEUE_MAX);
        install_turn (&world.install, world.now_ms);
        server_work (&world.learner);
        deliver_up ();
    }
    assert_int_equal (world.install.state, INSTALL_SETTLING);
    uint64_t received = world.install.received;
    snapshots_end (world.snapshots, 2);
    lose_all ();
    offer_again ();
    deliver_down (1);
    assert_int_equal (world.up_count, 1);
    assert_int_equal (world.up[0].part.kind, PEER_PROGRESS);
    assert_int_equal (world.up[0].part.offset, received);
    assert_true (run (500));
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* Another snapshot is offered: what had come of the first is of no use. */
static void test_another (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    snapshots_offer (world.snapshots, 2);
    run_to (1 << 20);
    snapshots_end (world.snapshots, 2);
    lose_all ();
    write_some (&world.leader, 10, 100);
    checkpoint_want (&world.checkpoint);
    for (int i = 0; i < 100; i++) {
        leader_turn ();
    }
    snapshots_offer (world.snapshots, 2);
    assert_true (run (500));
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* What is older than what is committed here is refused; a newer one is taken. */
static void test_too_old (void **state)
{
    (void) state;
    write_some (&world.leader, 100, 1000);
    checkpoint_want (&world.checkpoint);
    for (int i = 0; i < 100; i++) {
        leader_turn ();
    }
    write_some (&world.leader, 100, 1000);
    world.oldest = world.leader.applied.zxid - 5;
    snapshots_offer (world.snapshots, 2);
    assert_true (run (500));
    assert_true (world.install.offer.point.zxid >= world.oldest);
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* The core does not want it: a later attempt gets another, from the beginning. */
static void test_discarded (void **state)
{
    (void) state;
    write_some (&world.leader, 100, 1000);
    snapshots_offer (world.snapshots, 2);
    assert_true (run (500));
    install_discard (&world.install);
    assert_int_equal (world.install.state, INSTALL_NONE);
    deliver_up ();
    assert_true (run (500)); /* asked for again */
    finish ();
}

static void test_damaged (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    snapshots_offer (world.snapshots, 2);
    run_to (1 << 20);
    while (world.down_count == 0 || world.down[0].size == 0) {
        leader_turn ();
        if (world.down_count == 0) {
            learner_turn ();
            deliver_up ();
        }
    }
    for (size_t i = 100; i < world.down[0].size; i += 1000) {
        world.down[0].chunk[i] ^= 0x55;
    }
    run (500);
    assert_int_equal (world.learner_resets, 1);
    assert_int_equal (world.install.state, INSTALL_NONE);
    struct zab_point base;
    int64_t stamp_ms;
    store_base (world.learner.store, &base, &stamp_ms);
    assert_int_equal (base.zxid, 0); /* nothing was replaced */
    lose_all ();
    snapshots_offer (world.snapshots, 2);
    assert_true (run (500));
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

static void test_wrong_chunks (void **state)
{
    (void) state;
    write_some (&world.leader, 100, 8000);
    snapshots_offer (world.snapshots, 2);
    while (world.install.state != INSTALL_RECEIVING) {
        run (1);
    }
    uint64_t received = world.install.received;
    uint8_t chunk[10] = {0};
    struct peer_bytes bytes = {chunk, sizeof chunk};
    struct peer_snapshot part = {.kind = PEER_CHUNK, .transfer = 99, .offset = received};
    install_message (&world.install, 1, &part, bytes, 0); /* of another transfer */
    part.transfer = world.install.offer.transfer;
    part.offset = received + 1; /* of another place */
    install_message (&world.install, 1, &part, bytes, 0);
    part.offset = received;
    install_message (&world.install, 3, &part, bytes, 0); /* of another server */
    assert_int_equal (world.install.received, received);
    assert_int_equal (world.learner_resets, 0);
    bytes.size = 0;
    install_message (&world.install, 1, &part, bytes, 0);
    assert_int_equal (world.learner_resets, 1);
    assert_int_equal (world.install.state, INSTALL_NONE);
    /* And what a learner must not say. */
    lose_all ();
    offer_again ();
    part = world.down[world.down_count - 1].part;
    part.kind = PEER_PROGRESS;
    part.offset = part.stored + 1;
    snapshots_message (world.snapshots, 2, &part);
    assert_int_equal (world.leader_resets, 1);
}

/* The learner's own snapshot is still being finished: it waits. */
static void test_writer_busy (void **state)
{
    (void) state;
    struct store_writer *writer = NULL;
    write_some (&world.leader, 100, 1000);
    assert_int_equal (store_writer_new (world.learner.store, world.learner.applied, 1000, &writer),
                      0);
    snapshots_offer (world.snapshots, 2);
    assert_false (run (20));
    assert_int_equal (world.install.state, INSTALL_WAITING);
    store_writer_destroy (&writer);
    assert_true (run (500));
    finish ();
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

/* The file of the leader's newest snapshot rots, once before it is opened and once behind what has
 * been sent: no learner gets anything of the damaged blocks, and a new one is written, of the very
 * same state. */
static void test_leaders_file_damaged (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    checkpoint_want (&world.checkpoint);
    for (int i = 0; i < 200; i++) {
        leader_turn ();
    }
    zxid_t zxid = world.leader.applied.zxid;
    assert_true (crash_disk_flip (world.leader.disk, server_snapshot_name (&world.leader), 10, 1));
    snapshots_offer (world.snapshots, 2);
    run_to (1 << 20);
    assert_true (
        crash_disk_flip (world.leader.disk, server_snapshot_name (&world.leader), 3 << 20, 1));
    assert_true (run (1000));
    assert_int_equal (world.leader_resets + world.learner_resets, 0);
    assert_int_equal (world.install.offer.point.zxid, zxid);
    assert_int_equal (checkpoint_done (&world.checkpoint), 3);
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* There is no room for the new one, for a while: it is written when there is. */
static void test_leaders_file_damaged_on_a_full_disk (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    checkpoint_want (&world.checkpoint);
    for (int i = 0; i < 200; i++) {
        leader_turn ();
    }
    assert_true (crash_disk_flip (world.leader.disk, server_snapshot_name (&world.leader), 10, 1));
    crash_disk_set_space (world.leader.disk, crash_disk_used (world.leader.disk) + 1000);
    snapshots_offer (world.snapshots, 2);
    assert_false (run (200));
    int code;
    assert_true (checkpoint_failures (&world.checkpoint, &code) > 0);
    crash_disk_set_space (world.leader.disk, UINT64_MAX);
    world.now_ms += CHECKPOINT_RETRY_MS;
    assert_true (run (1000));
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* One has failed, which is tried again after a while. But the newest is of a state that was wrong:
 * a start would begin with it, so another is written at once. */
static void test_wrong_one_is_replaced_at_once (void **state)
{
    int code;
    (void) state;
    write_some (&world.leader, 50, 100);
    uint64_t done = checkpoint_done (&world.checkpoint);
    crash_disk_set_space (world.leader.disk, crash_disk_used (world.leader.disk));
    checkpoint_want (&world.checkpoint);
    for (int i = 0; i < 200; i++) {
        leader_turn ();
    }
    assert_int_equal (checkpoint_failures (&world.checkpoint, &code), 1);
    crash_disk_set_space (world.leader.disk, UINT64_MAX);
    checkpoint_damaged (&world.checkpoint);
    for (int i = 0; i < 200; i++) {
        leader_turn ();
    }
    assert_int_equal (checkpoint_done (&world.checkpoint), done + 1);
}

/* Newer snapshots are written, and older ones removed: not the one that is being sent. */
static void take_snapshot (void)
{
    uint64_t done = checkpoint_done (&world.checkpoint);
    checkpoint_want (&world.checkpoint);
    for (int i = 0; i < 200 && checkpoint_done (&world.checkpoint) == done; i++) {
        leader_turn ();
    }
    assert_int_equal (checkpoint_done (&world.checkpoint), done + 1);
}

/* The log does not grow any more, and the older of two snapshots keeps it: no space would ever come
 * back by itself. */
static void test_due_on_a_full_disk (void **state)
{
    (void) state;
    write_some (&world.leader, 50, 100);
    take_snapshot ();
    write_some (&world.leader, 50, 100);
    take_snapshot ();
    uint64_t done = checkpoint_done (&world.checkpoint);
    for (int i = 0; i < 200; i++) {
        leader_turn ();
    }
    assert_int_equal (checkpoint_done (&world.checkpoint), done); /* there is space */
    crash_disk_set_space (world.leader.disk, crash_disk_used (world.leader.disk) + 50000);
    for (int i = 0; i < 1000 && store_space (world.leader.store) == 0; i++) {
        write_some (&world.leader, 1, 1000);
    }
    assert_true (store_space (world.leader.store) != 0);
    for (int i = 0; i < 200; i++) {
        leader_turn ();
    }
    assert_int_equal (checkpoint_done (&world.checkpoint), done + 1);
}

static void test_purged_meanwhile (void **state)
{
    (void) state;
    struct zab_point base;
    int64_t stamp_ms = 0;
    write_some (&world.leader, 500, 8000);
    uint64_t digest = tree_digest (world.leader.tree);
    snapshots_offer (world.snapshots, 2);
    run_to (1 << 20);
    zxid_t zxid = world.install.offer.point.zxid;
    for (int i = 0; i < 4; i++) {
        write_some (&world.leader, 10, 100);
        checkpoint_want (&world.checkpoint);
        for (int k = 0; k < 200; k++) {
            leader_turn ();
        }
        (void) store_compacted (world.leader.store, &base, &stamp_ms);
        assert_true (base.zxid <= zxid);
        server_work (&world.leader);
    }
    assert_int_equal (server_snapshot_files (&world.leader), 5);
    assert_true (run (500));
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), digest);
    snapshots_end (world.snapshots, 2);
    assert_true (store_compacted (world.leader.store, &base, &stamp_ms));
    assert_true (base.zxid > zxid);
    server_work (&world.leader);
    assert_int_equal (server_snapshot_files (&world.leader), 2);
}

/* One learner dies in the middle, one never answers: neither holds up the third, and their end
 * frees what was kept for them. */
static void test_several (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    for (uint32_t peer = 2; peer <= 4; peer++) {
        snapshots_offer (world.snapshots, peer);
    }
    run_to (1 << 20);
    assert_int_equal (snapshots_count (world.snapshots), 3);
    assert_int_equal (world.others, 2); /* offers */
    snapshots_end (world.snapshots, 3);
    assert_true (run (500));
    finish ();
    snapshots_end (world.snapshots, 4);
    snapshots_end (world.snapshots, 2);
    assert_int_equal (snapshots_count (world.snapshots), 0);
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* The leader sends a window, and no more, until the learner has dealt with it. */
static void test_window (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    snapshots_offer (world.snapshots, 2);
    while (world.install.state != INSTALL_RECEIVING) {
        run (1);
    }
    deliver_up ();
    for (int i = 0; i < 200; i++) {
        leader_turn ();
    }
    size_t sent = 0;
    for (size_t i = 0; i < world.down_count; i++) {
        sent += world.down[i].size;
    }
    assert_in_range (sent, SNAPSHOTS_WINDOW - 2 * SNAPSHOTS_CHUNK, SNAPSHOTS_WINDOW);
    /* And the learner takes no more than it has room for, whatever is sent. */
    struct peer_snapshot part = {.kind = PEER_CHUNK, .transfer = world.install.offer.transfer};
    struct peer_bytes bytes = {world.down[0].chunk, world.down[0].size};
    for (int i = 0; i < 100 && world.learner_resets == 0; i++) {
        part.offset = world.install.arrived;
        install_message (&world.install, 1, &part, bytes, 0);
        assert_true (world.install.arrived <= INSTALL_AHEAD_MAX);
    }
    assert_int_equal (world.learner_resets, 1);
    assert_int_equal (world.install.state, INSTALL_NONE);
}

/* No space for what comes, or for its end: nothing has changed, and after a while it is tried
 * again. */
static void test_disk_full (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    for (int end = 0; end < 2; end++) {
        snapshots_offer (world.snapshots, 2);
        zxid_t last = store_last (world.learner.store);
        run_to (end ? 3 << 20 : 1 << 20);
        if (!end) {
            crash_disk_set_space (world.learner.disk, crash_disk_used (world.learner.disk) + 1000);
            assert_false (run (100));
            assert_int_equal (world.learner_resets, 1);
        } else {
            assert_true (run (500));
            server_work (&world.learner);
            crash_disk_set_space (world.learner.disk, crash_disk_used (world.learner.disk) + 10);
            install_begin (&world.install);
            for (int i = 0; i < 10 && world.install.state == INSTALL_RUNNING; i++) {
                learner_turn ();
            }
            assert_int_equal (world.install.state, INSTALL_FAILED);
            assert_int_equal (world.install.code, COHORT_EDISKFULL);
            install_give_up (&world.install);
        }
        assert_int_equal (world.install.state, INSTALL_NONE);
        assert_int_equal (store_last (world.learner.store), last);
        server_work (&world.learner);
        assert_int_equal (server_snapshot_files (&world.learner), 0);
        lose_all ();
        crash_disk_set_space (world.learner.disk, UINT64_MAX);
        offer_again ();
        deliver_down (1);
        learner_turn ();
        assert_int_equal (world.install.state, INSTALL_WAITING);
        assert_in_range (install_deadline (&world.install), world.now_ms + 1,
                         world.now_ms + INSTALL_RETRY_MS);
        world.now_ms = install_deadline (&world.install);
        learner_turn ();
        assert_int_equal (world.install.state, INSTALL_RECEIVING);
        install_give_up (&world.install);
        snapshots_end (world.snapshots, 2);
        lose_all ();
    }
    snapshots_offer (world.snapshots, 2);
    assert_true (run (500));
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

/* It is whole when the link breaks, before the core has heard that one is to come: it is kept for
 * the same leader, and nothing is sent twice. */
static void test_kept_whole (void **state)
{
    (void) state;
    write_some (&world.leader, 500, 8000);
    snapshots_offer (world.snapshots, 2);
    assert_true (run (500));
    snapshots_end (world.snapshots, 2);
    lose_all ();
    offer_again ();
    uint64_t stored = world.down[0].part.stored;
    deliver_down (1);
    assert_int_equal (world.install.state, INSTALL_WHOLE);
    assert_int_equal (world.up_count, 1);
    assert_int_equal (world.up[0].part.kind, PEER_PROGRESS);
    assert_int_equal (world.up[0].part.offset, stored);
    deliver_up ();
    for (int i = 0; i < 5; i++) {
        leader_turn ();
    }
    assert_int_equal (world.down_count, 0);
    finish ();
    assert_int_equal (tree_digest (world.learner.tree), tree_digest (world.leader.tree));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_whole, setup, teardown),
        cmocka_unit_test_setup_teardown (test_pinned_not_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown (test_writes_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown (test_resumed, setup, teardown),
        cmocka_unit_test_setup_teardown (test_resumed_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown (test_another, setup, teardown),
        cmocka_unit_test_setup_teardown (test_too_old, setup, teardown),
        cmocka_unit_test_setup_teardown (test_discarded, setup, teardown),
        cmocka_unit_test_setup_teardown (test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown (test_wrong_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown (test_writer_busy, setup, teardown),
        cmocka_unit_test_setup_teardown (test_leaders_file_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown (test_leaders_file_damaged_on_a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown (test_wrong_one_is_replaced_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown (test_due_on_a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown (test_purged_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown (test_several, setup, teardown),
        cmocka_unit_test_setup_teardown (test_window, setup, teardown),
        cmocka_unit_test_setup_teardown (test_disk_full, setup, teardown),
        cmocka_unit_test_setup_teardown (test_kept_whole, setup, teardown),
    };
    return cmocka_run_group_tests_name ("snapshots", tests, NULL, NULL);
}
