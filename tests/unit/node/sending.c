/* sending.c: see sending.h. */

#include "tests/unit/node/sending.h"

#include <string.h>

#include "client/base/alloc.h"

struct sending sending;

void sending_write (struct server *server, unsigned count, size_t size)
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
        sending.others++;
        return;
    }
    push (sending.down, &sending.down_count, part, chunk, size);
}

static void learner_sends (void *arg, uint32_t peer, const struct peer_snapshot *part)
{
    (void) arg;
    assert_int_equal (peer, 1);
    push (sending.up, &sending.up_count, part, NULL, 0);
}

static void on_progress (void *arg, uint32_t peer)
{
    (void) arg;
    (void) peer;
    sending.progress++;
}

static void leader_resets (void *arg, uint32_t peer, const char *why)
{
    (void) arg;
    (void) peer;
    (void) why;
    sending.leader_resets++;
}

static void learner_resets (void *arg, uint32_t peer, const char *why)
{
    (void) arg;
    (void) peer;
    (void) why;
    sending.learner_resets++;
}

void sending_lose_all (void)
{
    for (size_t i = 0; i < sending.down_count; i++) {
        mem_free (sending.down[i].chunk);
    }
    sending.down_count = sending.up_count = 0;
}

int sending_set_up (void **state)
{
    (void) state;
    struct logger logger = {NULL, NULL, LOG_ERROR};
    memset (&sending, 0, sizeof sending);
    sending.now_ms = 1000;
    server_init (&sending.leader, 1);
    server_init (&sending.learner, 2);
    checkpoint_init (&sending.checkpoint, sending.leader.store, 0, 0, &logger);
    struct snapshots_host sender = {NULL, leader_sends, on_progress, leader_resets};
    sending.snapshots =
        snapshots_new (sending.leader.store, &sending.checkpoint, &sender, &logger, 1);
    struct install_host receiver = {NULL, learner_sends, learner_resets};
    install_init (&sending.install, sending.learner.store, &sending.retired,
                  &(struct tree_options){0}, &receiver, &logger);
    return 0;
}

int sending_tear_down (void **state)
{
    (void) state;
    sending_lose_all ();
    snapshots_destroy (&sending.snapshots);
    checkpoint_deinit (&sending.checkpoint);
    install_deinit (&sending.install);
    retired_deinit (&sending.retired);
    server_deinit (&sending.leader);
    server_deinit (&sending.learner);
    return 0;
}

void sending_leader_turn (void)
{
    checkpoint_turn (&sending.checkpoint, sending.leader.tree, sending.leader.applied,
                     sending.now_ms);
    snapshots_turn (sending.snapshots, sending.leader.applied.zxid, sending.now_ms);
    server_work (&sending.leader);
}

void sending_learner_turn (void)
{
    install_turn (&sending.install, sending.now_ms);
    server_work (&sending.learner);
    install_turn (&sending.install, sending.now_ms);
}

void sending_deliver_down (size_t count)
{
    for (size_t i = 0; i < count && sending.down_count > 0; i++) {
        struct part part = sending.down[0];
        sending.down_count--;
        memmove (sending.down, sending.down + 1, sending.down_count * sizeof part);
        install_message (&sending.install, 1, &part.part,
                         (struct peer_bytes){part.chunk, part.size}, sending.oldest);
        mem_free (part.chunk);
    }
}

void sending_deliver_up (void)
{
    for (size_t i = 0; i < sending.up_count; i++) {
        snapshots_message (sending.snapshots, 2, &sending.up[i].part);
    }
    sending.up_count = 0;
}

bool sending_run (int turns)
{
    for (int i = 0; i < turns && sending.install.state != INSTALL_WHOLE; i++) {
        sending.now_ms++;
        sending_leader_turn ();
        sending_deliver_down (QUEUE_MAX);
        sending_learner_turn ();
        sending_deliver_up ();
    }
    return sending.install.state == INSTALL_WHOLE;
}

void sending_finish (void)
{
    struct zab_point point;
    int64_t stamp_ms;
    assert_int_equal (sending.install.state, INSTALL_WHOLE);
    install_begin (&sending.install);
    for (int i = 0; i < 10 && sending.install.state == INSTALL_RUNNING; i++) {
        sending_learner_turn ();
    }
    assert_int_equal (sending.install.state, INSTALL_DONE);
    struct tree *tree = install_take (&sending.install, &point, &stamp_ms);
    tree_destroy (&sending.learner.tree);
    sending.learner.tree = tree;
    assert_int_equal (tree_zxid (tree), point.zxid);
    assert_int_equal (store_last (sending.learner.store), point.zxid);
    assert_int_equal (sending.install.state, INSTALL_NONE);
}

void sending_offer_again (void)
{
    snapshots_offer (sending.snapshots, 2);
    for (int i = 0; i < 10 && sending.down_count == 0; i++) {
        sending_leader_turn ();
    }
    assert_true (sending.down_count > 0);
    assert_int_equal (sending.down[sending.down_count - 1].part.kind, PEER_OFFER);
}

void sending_run_to (uint64_t bytes)
{
    while (sending.install.received < bytes) {
        assert_false (sending_run (1));
    }
}
