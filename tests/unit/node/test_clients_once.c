/* Requests: each write takes effect once, whatever is lost, late or sent again. */

#include "tests/unit/node/clients_world.h"

#include "client/base/alloc.h"

static void writes_survive_the_leader (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    world->held = true;
    ask_create (peer, "/a", "", 0);
    ask_set (peer, "/a", "1", -1);
    ask_set (peer, "/a", "2", -1);
    peer_do (peer);
    /* The first two were committed, the third went with the leader. */
    world_commit (world, 2);
    world_lose_leader (world);
    ask_set (peer, "/a", "3", -1);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, "reply 2 OK n=2 v=1");
    expect (peer, NULL);
    world_new_leader (world);
    assert_int_equal (world->waiting_count, 2);
    /* Again, before anything was applied: everything comes twice. */
    clients_leader (world->servers[0].clients, true);
    assert_int_equal (world->waiting_count, 4);
    world->held = false;
    world_run (world);
    expect (peer, "reply 3 OK n=3 v=2");
    expect (peer, "reply 4 OK n=4 v=3");
    expect (peer, NULL);
    ask_get (peer, "/a", false);
    peer_do (peer);
    expect (peer, "reply 5 OK data=3 v=3");
    world_free (&world);
}

/* The replies are lost; the session goes on at another server and asks again. */
static void resent_writes_get_their_first_result (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/q-", "", COHORT_SEQUENTIAL);
    ask_set (peer, "/none", "", -1);
    peer_do (peer);
    forget_lines (peer);
    world->held = true;
    ask_create (peer, "/q-", "", COHORT_SEQUENTIAL);
    peer_send (peer);

    peer_disconnect (peer, false);
    peer_connect (peer, 1);
    peer_hello (peer);
    /* What the first server submitted is committed before the attach, and it counts. */
    world->held = false;
    world_run (world);
    expect (peer, "welcome attach=2 last=3 timeout=10000");
    peer->number = 0;
    peer->xid = 0;
    size_t log_count = world->log_count;
    ask_create (peer, "/q-", "", COHORT_SEQUENTIAL);
    ask_set (peer, "/none", "", -1);
    ask_create (peer, "/q-", "", COHORT_SEQUENTIAL);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/q-0000000000 v=0");
    expect (peer, "reply 2 ENONODE n=2");
    expect (peer, "reply 3 OK n=3 path=/q-0000000001 v=0");
    assert_int_equal (world->log_count, log_count);

    /* Acknowledged results are gone once a write that says so is applied. */
    peer->ack_to = 3;
    ask_create (peer, "/q-", "", COHORT_SEQUENTIAL);
    peer_do (peer);
    expect (peer, "reply 4 OK n=4 path=/q-0000000002 v=0");
    peer->number = 0;
    ask_create (peer, "/q-", "", COHORT_SEQUENTIAL);
    peer_do (peer);
    expect (peer, "reply 5 EDUPLICATE n=1");
    world_free (&world);
}

/* The answer to a write that was sent again waits for room in the pipe. What stands behind is not
 * applied meanwhile: a read between two writes would see the second. */
static void writes_wait_behind_an_answer_without_room (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create_bytes (peer, "/large", 600000);
    ask_create (peer, "/a", "0", 0);
    peer_do (peer);
    forget_lines (peer);

    peer->full = true;
    ask_get (peer, "/large", false);
    peer_send (peer);
    peer->number--;
    ask_create (peer, "/a", "0", 0);
    ask_set (peer, "/a", "1", -1);
    ask_get (peer, "/a", false);
    ask_set (peer, "/a", "2", -1);
    peer_do (peer);
    peer->full = false;
    world_flush (world);
    world_run (world);
    expect_prefix (peer, "reply 3 OK data=");
    expect (peer, "reply 4 OK n=2 path=/a v=0");
    expect (peer, "reply 5 OK n=3 v=1");
    expect (peer, "reply 6 OK data=1 v=1");
    expect (peer, "reply 7 OK n=4 v=2");
    world_free (&world);
}

/* Nothing is committed from now on. The session asks for /a, not sent yet, and for another server,
 * whose connection is returned. */
static struct peer *move_while_held (struct world *world, struct peer *peer)
{
    world->held = true;
    struct peer *moved = peer_clone (peer, 1);
    peer_hello (moved);
    ask_create (peer, "/a", "", 0);
    return moved;
}

/* An old server's copy of a write is applied after the attach to a new one. */
static void late_copies_do_no_harm (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_attached (world, 0);
    struct peer *moved = move_while_held (world, peer);
    ask_sync (moved);
    peer_send (peer);
    /* The attach comes first in the log, then the old copy; then what the new server has. */
    world_commit (world, 1);
    world_flush (world);
    expect (moved, "welcome attach=2 last=0 timeout=10000");
    moved->xid = 0;
    moved->frame.n_requests = 0;
    ask_create (moved, "/a", "", 0);
    ask_set (moved, "/a", "1", -1);
    peer_send (moved);
    assert_int_equal (world->waiting_count, 3);
    world->held = false;
    world_run (world);
    expect (moved, "reply 1 OK n=1 path=/a v=0");
    expect (moved, "reply 2 OK n=2 v=1");
    expect (moved, NULL);
    /* Nothing came to the old connection but the refusal. */
    expect (peer, "refused ESESSIONMOVED: the session has attached anew");
    expect (peer, NULL);
    world_free (&world);
}

static void an_old_copy_overtakes_a_write_that_waits (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_attached (world, 0);
    struct peer *moved = move_while_held (world, peer);
    peer_send (peer);
    world_commit (world, 1);
    world_flush (world);
    expect (moved, "welcome attach=2 last=0 timeout=10000");
    ask_sync (moved);
    ask_create (moved, "/a", "", 0);
    peer_send (moved);
    /* Behind the sync, so it is not submitted; the old copy is applied. */
    assert_int_equal (world->waiting_count, 1);
    world->held = false;
    world_run (world);
    expect (moved, NULL);
    clients_synced (world->servers[1].clients, 1, 1);
    world_run (world);
    expect (moved, "reply 1 OK");
    expect (moved, "reply 2 OK n=1 path=/a v=0");
    world_free (&world);
}

static void a_gap_is_answered_and_filled (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    peer->number++;
    ask_create (peer, "/c", "", 0);
    ask_get (peer, "/a", false);
    ask_create (peer, "/d", "", 0);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, "reply 2 EGAP n=3 expected=2");
    /* What came behind it is stale: its client sends it again. */
    expect (peer, "reply 3 OK v=0");
    expect (peer, "reply 4 EGAP n=4 expected=2");
    expect (peer, NULL);
    /* What was on its way meanwhile. */
    ask_create (peer, "/e", "", 0);
    peer_do (peer);
    expect (peer, "reply 5 EGAP n=5 expected=2");
    peer->number = 1;
    peer->xid = 1;
    ask_create (peer, "/b", "", 0);
    ask_create (peer, "/c", "", 0);
    peer_do (peer);
    expect (peer, "reply 2 OK n=2 path=/b v=0");
    expect (peer, "reply 3 OK n=3 path=/c v=0");
    expect (peer, NULL);

    /* Stale requests that are still held up do not take with them what was sent again. */
    ask_sync (peer);
    peer->number = 4;
    ask_create (peer, "/e", "", 0);
    peer->number = 3;
    ask_create (peer, "/d", "", 0);
    ask_create (peer, "/e", "", 0);
    peer_do (peer);
    expect (peer, NULL);
    clients_synced (world->servers[0].clients, 1, 1);
    world_run (world);
    expect (peer, "reply 4 OK");
    expect (peer, "reply 5 EGAP n=5 expected=4");
    expect (peer, "reply 6 OK n=4 path=/d v=0");
    expect (peer, "reply 7 OK n=5 path=/e v=0");
    world_free (&world);
}

/* A write is lost between this server and the leader although nobody noticed. */
static void what_was_lost_on_the_way_is_sent_again (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    world->held = true;
    ask_create (peer, "/a", "", 0);
    ask_create (peer, "/b", "", 0);
    ask_create (peer, "/c", "", 0);
    peer_send (peer);
    mem_free (world->waiting[0].data);
    world->waiting_count--;
    memmove (world->waiting, world->waiting + 1, 2 * sizeof *world->waiting);
    world->held = false;
    world_run (world);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, "reply 2 OK n=2 path=/b v=0");
    expect (peer, "reply 3 OK n=3 path=/c v=0");
    expect (peer, NULL);
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (writes_survive_the_leader),
        cmocka_unit_test (resent_writes_get_their_first_result),
        cmocka_unit_test (writes_wait_behind_an_answer_without_room),
        cmocka_unit_test (late_copies_do_no_harm),
        cmocka_unit_test (an_old_copy_overtakes_a_write_that_waits),
        cmocka_unit_test (a_gap_is_answered_and_filled),
        cmocka_unit_test (what_was_lost_on_the_way_is_sent_again),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
