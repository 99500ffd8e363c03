/* What a stream tells, by whatever door it was opened, of a znode that may not be read: a Rearm,
 * which is never refused, a list that changes, and the number of a snapshot's pieces.
 * ("batch 1 first" and nothing else is a reset.) */

#include "tests/unit/node/clients_cast.h"

#include <string.h>

enum { NO_SNAPSHOT = 1, SHALLOW = 4, LATEST = 64 };

/* What is hidden, with something open below, and what is not there, look alike; and no client is
 * sent away for it, for it would come back for ever. */
static void a_rearm_opens_nothing (void **state)
{
    (void) state;
    static const char *const tops[] = {"/h/g", "/h/none"};
    for (size_t i = 0; i < 8; i++) {
        const char *top = tops[i % 2];
        bool bare = i / 2 % 2 == 1, behind = i / 4 == 1;
        struct world *world =
            world_new (&(struct world_options){.admins = "ip:" ROOT, .walk_nodes = 1});
        struct peer *root = peer_from (world, ROOT, NULL);
        ask_create_with (root, "/h", "secret", of_root);
        ask_create_with (root, "/h/g", "secret", of_root);
        ask_create (root, "/h/g/open", "shown", 0);
        ask_create (root, "/h/g/open/x", "shown", 0);
        quietly (root);
        uint64_t from = tree_zxid (world->servers[0].tree);
        ask_set (root, "/h/g/open", "more", -1);
        quietly (root);
        struct peer *peer = peer_from (world, "10.0.0.1", NULL);
        peer->mad = true;
        ask_rearm (peer, 0, false);
        ask_rearm_stream (peer, 1, top, behind ? from : 0);
        peer->frame.rearm->streams[0]->flags = bare ? NO_SNAPSHOT : 0;
        peer_do (peer);
        if (bare && behind) {
            expect (peer, "batch 1 first");
        } else if (!bare) {
            expect (peer, behind ? "batch 1 snapshot first more" : "batch 1 snapshot first");
        }
        if (!bare && behind) {
            expect (peer, "batch 1 snapshot");
        }
        expect (peer, NULL);
        ask_set (root, "/h/g/open", "y", -1);
        ask_create (root, "/h/g/open/y", "", 0);
        ask_create (root, "/h/g/new", "", 0);
        ask_delete (root, "/h/g/open/x", -1);
        ask_create_with (root, "/h/none", "secret", of_root);
        ask_create (root, "/h/none/open", "", 0);
        ask_delete (root, "/h/none/open", -1);
        ask_delete (root, "/h/none", -1);
        quietly (root);
        expect (peer, NULL);
        assert_false (peer->dropped);
        /* It was not for nothing: what becomes readable comes. */
        ask_create (root, "/h/none", "", 0);
        ask_set_acl (root, "/h/g", open_list);
        quietly (root);
        const char *line = next_line (peer);
        assert_non_null (line);
        assert_non_null (strstr (line, i % 2 == 1 ? "+/h/none"
                                       : bare     ? "batch 1 first"
                                                  : "snapshot"));
        world_free (&world);
    }
}

/* A stream that was opened with every right, and whose top is hidden then, and shown again. */
static void a_top_that_is_hidden (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.admins = "ip:" ROOT});
    struct peer *root = peer_from (world, ROOT, NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (root, "/p", "", 0);
    quietly (root);
    ask_stream (peer, 1, "/p", 0);
    ask_stream (peer, 2, "/p", 0);
    peer->requests[1]->stream_open->flags = NO_SNAPSHOT | SHALLOW;
    quietly (peer);
    ask_set_acl (root, "/p", of_root);
    quietly (root);
    expect (peer, "batch 1 snapshot first more");
    expect (peer, "batch 2 first");
    expect (peer, "batch 1 snapshot");
    ask_create (root, "/p/open", "", 0);
    ask_set (root, "/p", "x", -1);
    quietly (root);
    expect (peer, NULL);
    ask_set_acl (root, "/p", open_list);
    ask_create (root, "/p/more", "", 0);
    quietly (root);
    expect (peer, "batch 1 snapshot first more");
    expect (peer, "batch 2 first");
    expect (peer, "batch 2 first +/p/more");
    expect (peer, "batch 1 snapshot */p=x */p/more */p/open");
    expect (peer, NULL);
    world_free (&world);
}

/* Hidden znodes make no pieces. */
static void pieces_count_nothing (void **state)
{
    (void) state;
    struct world *world =
        world_new (&(struct world_options){.admins = "ip:" ROOT, .walk_nodes = 1});
    struct peer *root = peer_from (world, ROOT, NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (root, "/p", "", 0);
    ask_create_with (root, "/p/h", "secret", of_root);
    ask_create_with (root, "/p/h/1", "secret", of_root);
    ask_create_with (root, "/p/h/2", "secret", of_root);
    ask_create_with (root, "/p/h/3", "secret", of_root);
    ask_create (root, "/p/z", "", 0);
    quietly (root);
    ask_stream (peer, 1, "/p", 0);
    peer_do (peer);
    expect (peer, "reply 1 OK");
    expect (peer, "batch 1 snapshot first more */p");
    expect (peer, "batch 1 snapshot more */p/h!");
    expect_prefix (peer, "batch 1 snapshot");
    const char *line = next_line (peer);
    assert_true (line == NULL || strcmp (line, "batch 1 snapshot") == 0);
    expect (peer, NULL);
    world_free (&world);
}

/* The administrator, and a second one; NULL: none. */
static void ask_admins (struct peer *peer, const char *second)
{
    const struct item admins[] = {
        {ALL, "ip", ROOT}, {ALL, second != NULL ? "ip" : NULL, second}, {0}};
    ask_set_admins (peer, admins);
}

/* Who is administrator no more is shown nothing more of what he saw as one, at once; and who has
 * become one sees the rest. */
static void an_administrator_no_more (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.admins = "ip:" ROOT});
    struct peer *root = peer_from (world, ROOT, NULL);
    struct peer *peer = peer_from (world, "10.0.0.1", NULL);
    struct peer *other = peer_from (world, "10.0.0.2", NULL);
    ask_create_with (root, "/h", "secret", of_root);
    ask_create_with (root, "/h/a", "secret", of_root);
    quietly (root);
    ask_stream (other, 3, "/zookeeper/quota", 0);
    quietly (other);
    peer->mad = true; /* Rearm comes behind the welcome only in a real client */
    ask_rearm (peer, 0, false);
    ask_rearm_stream (peer, 1, "/h", 0);
    ask_rearm_stream (peer, 2, "/h", 0);
    peer->frame.rearm->streams[1]->flags = NO_SNAPSHOT;
    peer_do (peer);
    expect (peer, "batch 1 snapshot first");
    expect (peer, NULL);
    ask_admins (root, "10.0.0.1");
    quietly (root);
    expect (peer, "batch 1 snapshot first more");
    expect (peer, "batch 2 first");
    expect (peer, "batch 1 snapshot */h=secret */h/a=secret");
    expect (peer, NULL);
    ask_set (root, "/h/a", "news", -1);
    quietly (root);
    expect (peer, "batch 1 first ~/h/a=news");
    expect (peer, "batch 2 first ~/h/a=news");
    ask_admins (root, NULL);
    quietly (root);
    expect (peer, "batch 1 snapshot first more");
    expect (peer, "batch 2 first");
    expect (peer, "batch 1 snapshot");
    ask_set (root, "/h/a", "more", -1);
    ask_delete (root, "/h/a", -1);
    quietly (root);
    expect (peer, NULL);
    expect (other, NULL); /* nothing has changed for it */
    world_free (&world);
}

/* Behind an old zxid: what could be read then, and cannot be read now, is not told late. */
static void what_was_readable_then (void **state)
{
    (void) state;
    for (uint32_t flags = 0; flags <= LATEST; flags += LATEST) {
        struct world *world = world_new (&(struct world_options){.admins = "ip:" ROOT});
        struct peer *root = peer_from (world, ROOT, NULL);
        struct peer *peer = peer_from (world, "10.0.0.1", NULL);
        ask_create (root, "/p", "", 0);
        quietly (root);
        uint64_t from = tree_zxid (world->servers[0].tree);
        ask_create (root, "/p/a", "then", 0);
        ask_set (root, "/p/a", "later", -1);
        ask_create (root, "/p/b", "open", 0);
        ask_set_acl (root, "/p/a", of_root);
        quietly (root);
        ask_stream (peer, 1, "/p", from);
        peer->requests[0]->stream_open->flags = flags;
        peer_do (peer);
        expect (peer, "reply 1 OK");
        size_t told = 0;
        for (const char *line; (line = next_line (peer)) != NULL; told++) {
            assert_null (strstr (line, "then"));
            assert_null (strstr (line, "later"));
        }
        assert_true (told > 0);
        world_free (&world);
    }
}

/* The same of the top itself: who was shown nothing has nothing to go on from. */
static void a_top_that_was_hidden (void **state)
{
    (void) state;
    static const uint32_t flags[] = {0, LATEST, NO_SNAPSHOT};
    for (size_t i = 0; i < 6; i++) {
        bool parent = i >= 3;
        struct world *world = world_new (&(struct world_options){.admins = "ip:" ROOT});
        struct peer *root = peer_from (world, ROOT, NULL);
        struct peer *peer = peer_from (world, "10.0.0.1", NULL);
        ask_create_with (root, "/p", "secret", of_root);
        quietly (root);
        uint64_t from = tree_zxid (world->servers[0].tree);
        ask_set (root, "/p", "1", -1);
        if (parent) {
            ask_create (root, "/p/a", "", 0);
        }
        ask_set_acl (root, "/p", open_list);
        quietly (root);
        peer->mad = true;
        ask_rearm (peer, 0, false);
        ask_rearm_stream (peer, 1, "/p", from);
        peer->frame.rearm->streams[0]->flags = flags[i % 3];
        peer_do (peer);
        if (parent && flags[i % 3] != LATEST) {
            expect (peer, "batch 1 first +/p/a");
        }
        if (flags[i % 3] == NO_SNAPSHOT) {
            expect (peer, "batch 1 first");
        } else {
            expect (peer, "batch 1 snapshot first more");
            expect (peer, parent ? "batch 1 snapshot */p=1 */p/a" : "batch 1 snapshot */p=1");
        }
        expect (peer, NULL);
        world_free (&world);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_rearm_opens_nothing),  cmocka_unit_test (a_top_that_is_hidden),
        cmocka_unit_test (pieces_count_nothing),   cmocka_unit_test (an_administrator_no_more),
        cmocka_unit_test (what_was_readable_then), cmocka_unit_test (a_top_that_was_hidden),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
