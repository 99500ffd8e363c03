/* One-shot watches, and what a client hears of them after a reconnect. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <string.h>

static void fire_once_and_before_the_reply (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    ask_get (peer, "/a", true);
    ask_exists (peer, "/b", true);
    ask_children (peer, "/a", true);
    ask_get (peer, "/none", true);
    peer_do (peer);
    forget_lines (peer);
    peer->xid = 10;
    ask_set (peer, "/a", "1", -1);
    ask_set (peer, "/a", "2", -1);
    ask_create (peer, "/b", "", 0);
    ask_create (peer, "/a/x", "", 0);
    ask_create (peer, "/a/y", "", 0);
    ask_create (peer, "/none", "", 0);
    ask_set (peer, "/none", "", -1);
    peer_do (peer);
    expect (peer, "event CHANGED /a (data)");
    expect (peer, "reply 11 OK n=2 v=1");
    expect (peer, "reply 12 OK n=3 v=2");
    expect (peer, "event CREATED /b (exists)");
    expect (peer, "reply 13 OK n=4 path=/b v=0");
    expect (peer, "event CHILDREN /a (children)");
    expect (peer, "reply 14 OK n=5 path=/a/x v=0");
    expect (peer, "reply 15 OK n=6 path=/a/y v=0");
    /* A get of what is not there sets nothing. */
    expect (peer, "reply 16 OK n=7 path=/none v=0");
    expect (peer, "reply 17 OK n=8 v=1");
    expect (peer, NULL);
    world_free (&world);
}

static void fire_by_deletion (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    ask_get (peer, "/a", true);
    ask_get (peer, "/a", true);
    ask_exists (peer, "/a", true);
    ask_children (peer, "/a", true);
    peer_do (peer);
    forget_lines (peer);
    ask_delete (other, "/a", -1);
    peer_do (other);
    expect (other, "reply 1 OK n=1");
    size_t lines = 0;
    bool kinds[3] = {false, false, false};
    for (const char *line; (line = next_line (peer)) != NULL; lines++) {
        kinds[0] |= strcmp (line, "event DELETED /a (data)") == 0;
        kinds[1] |= strcmp (line, "event DELETED /a (exists)") == 0;
        kinds[2] |= strcmp (line, "event DELETED /a (children)") == 0;
    }
    assert_int_equal (lines, 3);
    assert_true (kinds[0] && kinds[1] && kinds[2]);
    world_free (&world);
}

/* An event comes before any read that shows the change, of its own client. */
static void an_event_comes_before_what_shows_it (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_exists (peer, "/a", true);
    peer_do (peer);
    forget_lines (peer);
    ask_create (writer, "/a", "1", 0);
    ask_get (peer, "/a", false);
    peer_send (writer);
    world_commit (world, 1);
    peer_send (peer);
    world_run (world);
    expect (peer, "event CREATED /a (exists)");
    expect (peer, "reply 2 OK data=1 v=0");
    world_free (&world);
}

static void end_with_their_connection (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_exists (peer, "/a", true);
    peer_do (peer);
    forget_lines (peer);
    peer_disconnect (peer, true);
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome");
    ask_create (peer, "/a", "", 0);
    peer_do (peer);
    expect_prefix (peer, "reply 2 OK");
    expect (peer, NULL);
    world_free (&world);
}

/* What was missed fires at once, what was not is set again; no zxid goes out before all is told. */
static void rearm (size_t server, uint64_t effects_bytes)
{
    struct world_options options = {.servers = 2, .effects_bytes = effects_bytes};
    struct world *world = world_new (&options);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    ask_create (peer, "/b", "", 0);
    ask_create (peer, "/c", "", 0);
    peer_do (peer);
    uint64_t seen = peer->replied;
    forget_lines (peer);
    peer_disconnect (peer, true);
    ask_set (writer, "/a", "1", -1);
    ask_create (writer, "/c/x", "", 0);
    ask_create (writer, "/d", "", 0);
    if (effects_bytes != 0) {
        /* Pushes the above out of the ring. */
        for (int i = 0; i < 20; i++) {
            ask_create_bytes (writer, i == 0 ? "/big" : "/big/none/none", 10);
            ask_set_bytes (writer, "/big", effects_bytes / 4);
        }
    }
    peer_do (writer);
    if (effects_bytes != 0) {
        assert_true (tree_effects_floor (world->servers[server].tree) > seen);
    }
    peer_connect (peer, server);
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome attach=2");
    assert_int_equal (peer->settled, 0);
    ask_rearm (peer, seen, true);
    ask_rearm_watch (peer, WATCH_DATA, "/a");
    ask_rearm_watch (peer, WATCH_DATA, "/b");
    peer_do (peer);
    expect (peer, NULL); /* an earlier one may come with the next frame */
    clients_confirmed (world->servers[server].clients, peer->session, 2, 1);
    world_run (world);
    expect (peer, NULL);
    assert_int_equal (peer->settled, 0);
    ask_rearm (peer, seen, false);
    ask_rearm_watch (peer, WATCH_CHILDREN, "/c");
    ask_rearm_watch (peer, WATCH_EXISTS, "/d");
    ask_rearm_watch (peer, WATCH_EXISTS, "/e");
    peer_do (peer);
    expect (peer, "event CHANGED /a (data)");
    expect (peer, "event CHILDREN /c (children)");
    expect (peer, "event CREATED /d (exists)");
    if (effects_bytes != 0) {
        /* It may have been there in between. */
        expect (peer, "event DELETED /e (exists)");
    }
    expect (peer, "confirmed 1");
    assert_int_equal (peer->settled, tree_zxid (world->servers[server].tree));
    forget_lines (writer);
    ask_set (writer, "/a", "2", -1);
    ask_set (writer, "/b", "2", -1);
    peer_do (writer);
    expect (peer, "event CHANGED /b (data)");
    expect (peer, NULL);
    ask_delete (writer, "/b", -1);
    peer_do (writer);
    expect (peer, NULL);
    world_free (&world);
}

static void are_set_again_after_a_reconnect (void **state)
{
    (void) state;
    rearm (0, 0);
    rearm (1, 0);
}

static void are_compared_when_the_history_is_gone (void **state)
{
    (void) state;
    rearm (0, 16 << 10);
    rearm (1, 16 << 10);
}

/* In the order in which it happened, whatever the order in which the watches are set again; and
 * what happens meanwhile comes behind it. */
static void what_was_missed_is_told_in_order (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    ask_create (peer, "/b", "", 0);
    ask_create (peer, "/c", "", 0);
    ask_create (peer, "/d", "", 0);
    peer_do (peer);
    uint64_t seen = peer->replied;
    peer_disconnect (peer, true);
    ask_set (writer, "/c", "1", -1);
    ask_set (writer, "/b", "1", -1);
    ask_set (writer, "/a", "1", -1);
    peer_do (writer);
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (world);
    forget_lines (peer);
    ask_rearm (peer, seen, true);
    ask_rearm_watch (peer, WATCH_DATA, "/a");
    ask_rearm_watch (peer, WATCH_DATA, "/d");
    peer_do (peer);
    ask_set (writer, "/d", "1", -1);
    peer_do (writer);
    expect (peer, NULL);
    ask_rearm (peer, seen, false);
    ask_rearm_watch (peer, WATCH_DATA, "/b");
    ask_rearm_watch (peer, WATCH_DATA, "/c");
    peer_do (peer);
    expect (peer, "event CHANGED /c (data)");
    expect (peer, "event CHANGED /b (data)");
    expect (peer, "event CHANGED /a (data)");
    expect (peer, "event CHANGED /d (data)");
    expect (peer, NULL);
    world_free (&world);
}

/* A client that goes away in between takes them with it. */
static void what_was_missed_and_never_told_is_freed (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    peer_do (peer);
    peer_disconnect (peer, true);
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (world);
    ask_rearm (peer, 1, true);
    ask_rearm_watch (peer, WATCH_EXISTS, "/a");
    peer_do (peer);
    peer_disconnect (peer, true);
    world_run (world);
    world_free (&world);
}

static void malformed_ones_end_the_connection (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    for (int i = 0; i < 4; i++) {
        struct peer *peer = peer_attached (world, 0);
        ask_rearm (peer, 1, false);
        if (i < 2) {
            ask_rearm_watch (peer, i == 0 ? (enum watch_kind) 9 : WATCH_DATA, i == 0 ? "/" : "//");
            peer_do (peer);
            expect (peer, "refused EPROTOCOL: a malformed watch");
        } else {
            ask_rearm_stream (peer, i == 2 ? 0 : 1, i == 2 ? "/" : "//", 1);
            peer_do (peer);
            expect (peer, "refused EPROTOCOL: a malformed stream");
        }
    }
    world_free (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (fire_once_and_before_the_reply),
        cmocka_unit_test (fire_by_deletion),
        cmocka_unit_test (an_event_comes_before_what_shows_it),
        cmocka_unit_test (end_with_their_connection),
        cmocka_unit_test (are_set_again_after_a_reconnect),
        cmocka_unit_test (are_compared_when_the_history_is_gone),
        cmocka_unit_test (what_was_missed_is_told_in_order),
        cmocka_unit_test (what_was_missed_and_never_told_is_freed),
        cmocka_unit_test (malformed_ones_end_the_connection),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
