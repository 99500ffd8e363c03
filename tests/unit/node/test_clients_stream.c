/* Streams: live, resumed, reset, in fragments, and slow. Their snapshots: test_clients_walk.c. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <string.h>

static void begin_with_a_snapshot (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/g", "root", 0);
    ask_create (peer, "/g/b", "2", 0);
    ask_create (peer, "/g/a", "1", 0);
    ask_create (peer, "/other", "", 0);
    ask_stream (peer, 1, "/g", 0);
    ask_stream (peer, 2, "/absent", 0);
    peer_do (peer);
    for (int i = 0; i < 4; i++) {
        expect_prefix (peer, "reply");
    }
    expect (peer, "reply 5 OK");
    expect (peer, "reply 6 OK");
    expect (peer, "batch 1 snapshot first */g=root */g/a=1 */g/b=2");
    expect (peer, "batch 2 snapshot first");

    ask_set (peer, "/g/a", "3", -1);
    ask_create (peer, "/absent", "now", 0);
    ask_create (peer, "/other/x", "", 0);
    ask_multi (peer, (const char *[]){"/g/c", "/other/y", "/absent/z", NULL});
    ask_delete (peer, "/g/b", -1);
    ask_stream_close (peer, 1);
    ask_set (peer, "/g", "", -1);
    peer_do (peer);
    expect (peer, "batch 1 first ~/g/a=3");
    expect (peer, "reply 7 OK n=5 v=1");
    expect (peer, "batch 2 first +/absent=now");
    expect (peer, "reply 8 OK n=6 path=/absent v=0");
    expect (peer, "reply 9 OK n=7 path=/other/x v=0");
    expect (peer, "batch 1 first +/g/c ~/g/c=set");
    expect (peer, "batch 2 first +/absent/z");
    expect_prefix (peer, "reply 10 OK n=8");
    expect (peer, "batch 1 first -/g/b");
    expect (peer, "reply 11 OK n=9");
    expect (peer, "reply 12 OK");
    expect (peer, "reply 13 OK n=10 v=1");
    expect (peer, NULL);
    world_free (&world);
}

static void follow_what_other_sessions_do (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *first = peer_attached (world, 0);
    struct peer *second = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_stream (first, 1, "/", 0);
    peer_do (first);
    ask_stream (second, 1, "/s", 0);
    peer_do (second);
    forget_lines (first);
    forget_lines (second);
    ask_create (writer, "/s", "", 0);
    ask_create (writer, "/s/e", "", COHORT_EPHEMERAL);
    ask_close (writer);
    peer_do (writer);
    expect (first, "batch 1 first +/s");
    expect (first, "batch 1 first +/s/e");
    expect (first, "batch 1 first -/s/e");
    expect (second, "batch 1 first +/s");
    expect (second, "batch 1 first +/s/e");
    expect (second, "batch 1 first -/s/e");
    world_free (&world);
}

static void resume_behind_a_zxid (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.servers = 2});
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (writer, "/g", "", 0);
    peer_do (writer);
    ask_stream (peer, 1, "/g", 0);
    peer_do (peer);
    forget_lines (peer);
    uint64_t seen = peer->batched;
    peer_disconnect (peer, true);
    ask_create (writer, "/g/a", "1", 0);
    ask_create (writer, "/x", "1", 0);
    ask_multi (writer, (const char *[]){"/g/b", "/g/c", NULL});
    peer_do (writer);
    peer_connect (peer, 1);
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome");
    ask_rearm (peer, seen, false);
    ask_rearm_stream (peer, 1, "/g", seen);
    peer_do (peer);
    expect (peer, "batch 1 first +/g/a=1");
    expect (peer, "batch 1 first +/g/b +/g/c ~/g/b=set");
    ask_delete (writer, "/g/a", -1);
    peer_do (writer);
    expect (peer, "batch 1 first -/g/a");
    expect (peer, NULL);

    /* On the same connection, from an older zxid, and from the present. */
    ask_stream (peer, 1, "/g", seen);
    ask_stream (peer, 2, "/g", tree_zxid (world->servers[1].tree));
    peer_do (peer);
    expect_prefix (peer, "reply");
    expect (peer, "batch 1 first +/g/a=1");
    expect (peer, "batch 1 first +/g/b +/g/c ~/g/b=set");
    expect (peer, "batch 1 first -/g/a");
    expect_prefix (peer, "reply");
    expect (peer, NULL);
    /* From a future that this ensemble does not have: all anew. */
    ask_stream (peer, 3, "/g/c", UINT64_MAX / 4);
    peer_do (peer);
    expect_prefix (peer, "reply");
    expect (peer, "batch 3 snapshot first more");
    expect (peer, "batch 3 snapshot */g/c");
    world_free (&world);
}

static void reset_when_the_history_is_gone (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.effects_bytes = 16 << 10});
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (writer, "/g", "", 0);
    peer_do (writer);
    ask_stream (peer, 1, "/g", 0);
    peer_do (peer);
    uint64_t seen = peer->batched;
    peer_disconnect (peer, true);
    for (int i = 0; i < 20; i++) {
        ask_set_bytes (writer, "/g", 4000);
    }
    ask_set (writer, "/g", "last", -1);
    peer_do (writer);
    assert_true (tree_effects_floor (world->servers[0].tree) > seen);
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (world);
    forget_lines (peer);
    ask_rearm (peer, seen, false);
    ask_rearm_stream (peer, 1, "/g", seen);
    peer_do (peer);
    expect (peer, "batch 1 snapshot first more");
    expect (peer, "batch 1 snapshot */g=last");
    expect (peer, NULL);
    world_free (&world);
}

/* One transaction that is larger than a fragment. */
static void large_transactions_come_in_fragments (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_stream (peer, 1, "/", 0);
    peer_do (peer);
    forget_lines (peer);
    uint64_t before = tree_zxid (world->servers[0].tree);
    static char paths[300][3001];
    static const char *list[301];
    for (size_t i = 0; i < 300; i++) {
        memset (paths[i], 'x', sizeof paths[i] - 1);
        snprintf (paths[i], 10, "/%08zu", i);
        paths[i][9] = 'y';
        list[i] = paths[i];
    }
    ask_multi (writer, list);
    peer_do (writer);
    expect_prefix (peer, "batch 1 first more +/00000000y");
    expect_prefix (peer, "batch 1 more +/");
    expect_prefix (peer, "batch 1 more +/");
    expect_prefix (peer, "batch 1 +/");
    expect (peer, NULL);
    assert_int_equal (peer->batched, before + 1);

    /* The same out of the ring. */
    ask_stream (peer, 2, "/", before);
    peer_do (peer);
    expect_prefix (peer, "reply 2 OK");
    expect_prefix (peer, "batch 2 first more +/00000000y");
    expect_prefix (peer, "batch 2 more +/");
    expect_prefix (peer, "batch 2 more +/");
    expect_prefix (peer, "batch 2 +/");
    expect (peer, NULL);
    world_free (&world);
}

/* A client that does not take what is sent stops being live, and costs others nothing; when it
 * comes back in time it has missed nothing, else it gets a snapshot. */
static void slow (uint64_t effects_bytes, bool reset)
{
    struct world *world = world_new (&(struct world_options){.effects_bytes = effects_bytes});
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (writer, "/g", "", 0);
    ask_create (writer, "/w", "", 0);
    peer_do (writer);
    ask_stream (peer, 1, "/g", 0);
    ask_exists (peer, "/w", true);
    peer_do (peer);
    forget_lines (peer);
    peer->full = true;
    for (int i = 0; i < 40; i++) {
        ask_set_bytes (writer, "/g", 50000);
        peer_do (writer);
    }
    ask_set (writer, "/w", "", -1);
    ask_set (writer, "/g", "last", -1);
    peer_do (writer);
    expect (peer, NULL);
    ask_get (peer, "/g", false);
    peer_send (peer);
    peer->full = false;
    world_advance (world, 100);
    size_t changes = 0;
    const char *line;
    while ((line = next_line (peer)) != NULL &&
           strcmp (line, "batch 1 first ~/g=50000 bytes") == 0) {
        changes++;
    }
    assert_non_null (line);
    if (reset) {
        assert_in_range (changes, 5, 39);
        assert_string_equal (line, "batch 1 snapshot first more");
        /* From here on nothing waits for the stream. */
        expect (peer, "event CHANGED /w (exists)");
        expect (peer, "reply 3 OK data=last v=41");
        expect (peer, "batch 1 snapshot */g=last");
    } else {
        assert_int_equal (changes, 40);
        assert_string_equal (line, "batch 1 first ~/g=last");
        expect (peer, "event CHANGED /w (exists)");
        expect (peer, "reply 3 OK data=last v=41");
    }
    expect (peer, NULL);
    world_free (&world);
}

/* Of what happened meanwhile each znode is told once, in an order in which it can be applied. */
static void behind_the_latest_will_do (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (writer, "/g", "0", 0);
    ask_create (writer, "/g/old", "0", 0);
    ask_create (writer, "/g/again", "0", 0);
    ask_create (writer, "/w", "0", 0);
    peer_do (writer);
    ask_stream (peer, 1, "/g", 0);
    peer->requests[peer->frame.n_requests - 1]->stream_open->flags = 64;
    peer_do (peer);
    forget_lines (peer);
    /* While it keeps up it misses nothing. */
    ask_set (writer, "/g", "1", -1);
    ask_set (writer, "/g", "2", -1);
    peer_do (writer);
    expect (peer, "batch 1 first ~/g=1");
    expect (peer, "batch 1 first ~/g=2");
    peer->full = true;
    for (int i = 0; i < 40; i++) {
        ask_set_bytes (writer, "/g", 50000);
        peer_do (writer);
    }
    ask_set (writer, "/w", "1", -1);
    ask_create (writer, "/g/new", "1", 0);
    ask_create (writer, "/g/new/child", "1", COHORT_EPHEMERAL);
    ask_hand_over (writer, peer);
    ask_set (writer, "/g/new", "2", -1);
    ask_create (writer, "/g/brief", "1", 0);
    ask_delete (writer, "/g/brief", -1);
    ask_delete (writer, "/g/old", -1);
    ask_delete (writer, "/g/again", -1);
    ask_create (writer, "/g/again", "1", 0);
    ask_set (writer, "/g", "last", -1);
    peer_do (writer);
    expect (peer, NULL);
    ask_get (peer, "/g", false);
    peer_send (peer);
    peer->full = false;
    world_advance (world, 100);
    size_t changes = 0;
    const char *line;
    while ((line = next_line (peer)) != NULL &&
           strcmp (line, "batch 1 first ~/g=50000 bytes") == 0) {
        changes++;
    }
    /* What had been sent already, and one batch for all the rest. */
    assert_in_range (changes, 1, 39);
    assert_string_equal (line,
                         "batch 1 first ~/g=last +/g/new=2 +/g/new/child=1 owner=2>1 -/g/brief "
                         "-/g/old +/g/again=1");
    expect (peer, "reply 2 OK data=last v=43");
    ask_set (writer, "/g", "live", -1);
    peer_do (writer);
    expect (peer, "batch 1 first ~/g=live");
    expect (peer, NULL);
    world_free (&world);
}

/* One change for all that a session owned, to every stream; none where it owned nothing. */
static void owners_are_told_once (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_stream (peer, 1, "/elsewhere", 0);
    peer->requests[peer->frame.n_requests - 1]->stream_open->flags = 7;
    peer_do (peer);
    ask_get (peer, "/", true);
    peer_do (peer);
    forget_lines (peer);
    ask_hand_over (writer, peer);
    peer_do (writer);
    expect (writer, "reply 1 OK n=1");
    expect (peer, NULL);
    ask_create (writer, "/a", "", COHORT_EPHEMERAL);
    ask_create (writer, "/b", "", COHORT_EPHEMERAL);
    ask_hand_over (writer, peer);
    ask_hand_over (writer, peer)->session = 77;
    ask_hand_over (writer, peer)->token.len--;
    ask_get (writer, "/a", false);
    peer_do (writer);
    expect (peer, "batch 1 first owner=2>1");
    expect (peer, NULL);
    expect_prefix (writer, "reply 2 OK n=2 path=/a");
    expect_prefix (writer, "reply 3 OK n=3 path=/b");
    expect_prefix (writer, "reply 4 OK n=4");
    expect_prefix (writer, "reply 5 ENOAUTH n=5");
    expect_prefix (writer, "reply 6 EINVAL n=6");
    expect (writer, "reply 7 OK v=0 owner=1");
    world_free (&world);
}

/* What a transaction costs for those who follow is said, so that a turn does not take on too much.
 */
static void what_is_told_is_counted (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *writer = peer_attached (world, 0), *peer = peer_attached (world, 0);
    ask_create (writer, "/a", "", 0);
    ask_create (writer, "/b", "", COHORT_EPHEMERAL);
    peer_do (writer);
    assert_int_equal (world->servers[0].told, 0);
    for (uint64_t id = 1; id <= 6; id++) {
        ask_stream (peer, id, id <= 4 ? "/a" : "/elsewhere", 0);
    }
    ask_get (peer, "/a", true);
    peer_do (peer);
    ask_set (writer, "/a", "x", -1);
    peer_do (writer);
    assert_int_equal (world->servers[0].told, 5); /* four streams and a watch */
    ask_set (writer, "/b", "x", -1);
    peer_do (writer);
    assert_int_equal (world->servers[0].told, 0);
    ask_hand_over (writer, peer);
    peer_do (writer);
    assert_int_equal (world->servers[0].told, 6); /* every stream, wherever */
    world_free (&world);
}

static void slow_ones_catch_up (void **state)
{
    (void) state;
    slow (0, false);
}

static void too_slow_ones_are_reset (void **state)
{
    (void) state;
    slow (128 << 10, true);
}

static void tell_how_far_they_are (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (writer, "/g", "", 0);
    peer_do (writer);
    ask_stream (peer, 1, "/g", 0);
    peer_do (peer);
    forget_lines (peer);
    for (int i = 0; i < 999; i++) {
        ask_delete (writer, "/none", -1);
    }
    peer_do (writer);
    clients_confirmed (world->servers[0].clients, peer->session, 1, 1);
    world_run (world);
    expect (peer, "confirmed 1");
    writer->ack_to = writer->number;
    ask_delete (writer, "/none", -1);
    peer_do (writer);
    clients_confirmed (world->servers[0].clients, peer->session, 1, 2);
    world_run (world);
    expect (peer, "batch 1");
    expect (peer, "confirmed 2");
    assert_int_equal (peer->batched, tree_zxid (world->servers[0].tree));
    world_free (&world);
}

/* Who asks for that is told with each heartbeat, unless there is nothing to tell. */
static void tell_at_once_how_far_they_are (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (writer, "/g", "", 0);
    peer_do (writer);
    ask_stream (peer, 1, "/g", 0);
    peer->requests[0]->stream_open->flags = COHORT__WIRE__STREAM_FLAG__STREAM_PROGRESS;
    peer_do (peer);
    forget_lines (peer);
    clients_confirmed (world->servers[0].clients, peer->session, 1, 1);
    world_run (world);
    expect (peer, "confirmed 1");
    ask_delete (writer, "/none", -1);
    peer_do (writer);
    clients_confirmed (world->servers[0].clients, peer->session, 1, 2);
    world_run (world);
    expect (peer, "batch 1");
    expect (peer, "confirmed 2");
    assert_int_equal (peer->batched, tree_zxid (world->servers[0].tree));
    clients_confirmed (world->servers[0].clients, peer->session, 1, 3);
    world_run (world);
    expect (peer, "confirmed 3");
    world_free (&world);
}

static void are_limited_in_number (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    for (uint64_t i = 1; i <= 1025; i++) {
        ask_stream (peer, i, "/none", 0);
    }
    ask_stream (peer, 1, "/none", 0);
    peer_do (peer);
    for (int i = 1; i <= 1024; i++) {
        expect_prefix (peer, "reply");
    }
    expect (peer,
            "reply 1025 ELIMIT (a client has at most 1024 streams and persistent watches at a "
            "time)");
    expect (peer, "reply 1026 OK");
    for (int i = 1; i <= 1024; i++) {
        expect_prefix (peer, "batch");
    }
    expect (peer, NULL);
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (begin_with_a_snapshot),
        cmocka_unit_test (follow_what_other_sessions_do),
        cmocka_unit_test (resume_behind_a_zxid),
        cmocka_unit_test (reset_when_the_history_is_gone),
        cmocka_unit_test (large_transactions_come_in_fragments),
        cmocka_unit_test (slow_ones_catch_up),
        cmocka_unit_test (behind_the_latest_will_do),
        cmocka_unit_test (owners_are_told_once),
        cmocka_unit_test (what_is_told_is_counted),
        cmocka_unit_test (too_slow_ones_are_reset),
        cmocka_unit_test (tell_how_far_they_are),
        cmocka_unit_test (tell_at_once_how_far_they_are),
        cmocka_unit_test (are_limited_in_number),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
