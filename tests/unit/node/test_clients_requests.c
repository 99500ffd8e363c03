/* Requests: their order, what is refused where it comes in, and bounds. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"

static void answers_in_order (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "one", 0);
    ask_get (peer, "/a", false);
    ask_set (peer, "/a", "two", 0);
    ask_get (peer, "/a", false);
    ask_create (peer, "/a/s-", "", COHORT_SEQUENTIAL | COHORT_EPHEMERAL);
    ask_create (peer, "/a/t", "", 0);
    ask_children (peer, "/a", false);
    ask_delete (peer, "/a/t", -1);
    ask_exists (peer, "/a/t", false);
    ask_multi (peer, (const char *[]){"/m", "/m/1", "/m/2", NULL});
    ask_multi (peer, (const char *[]){"/n", "/m", NULL});
    ask_exists (peer, "/n", false);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, "reply 2 OK data=one v=0");
    expect (peer, "reply 3 OK n=2 v=1");
    expect (peer, "reply 4 OK data=two v=1");
    expect (peer, "reply 5 OK n=3 path=/a/s-0000000000 v=0 owner=1");
    expect (peer, "reply 6 OK n=4 path=/a/t v=0");
    expect (peer, "reply 7 OK v=1 children=s-0000000000,t");
    expect (peer, "reply 8 OK n=5");
    expect (peer, "reply 9 ENONODE");
    expect (peer, "reply 10 OK n=6 [OK /m v=0] [OK /m/1 v=0] [OK /m/2 v=0] [OK  v=1]");
    expect (peer, "reply 11 ENODEEXISTS n=7 [EROLLEDBACK ] [ENODEEXISTS ] [EROLLEDBACK ]");
    expect (peer, "reply 12 ENONODE");
    expect (peer, NULL);
    world_free (&world);
}

static void children_come_in_pages (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "", 0);
    ask_create (peer, "/a/r-1", "one", 0);
    ask_create (peer, "/a/r-2", "two", COHORT_EPHEMERAL);
    ask_create (peer, "/a/w-1", "three", 0);
    ask_list (peer, "/a", "", "")->limit = 2;
    ask_list (peer, "/a", "", "r-2");
    ask_list (peer, "/a", "r-", "")->with_data = true;
    ask_list (peer, "/a", "", "")->descending = true;
    Cohort__Wire__List *list = ask_list (peer, "/a", "", "");
    list->filter = COHORT__WIRE__CHILD_FILTER__CHILDREN_EPHEMERAL;
    list->with_stat = true;
    ask_list (peer, "/a", "", "")->filter = (Cohort__Wire__ChildFilter) 3;
    ask_list (peer, "/none", "", "");
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, "reply 2 OK n=2 path=/a/r-1 v=0");
    expect (peer, "reply 3 OK n=3 path=/a/r-2 v=0 owner=1");
    expect (peer, "reply 4 OK n=4 path=/a/w-1 v=0");
    expect (peer, "reply 5 OK v=0 children=r-1,r-2 next=r-2");
    expect (peer, "reply 6 OK v=0 children=w-1");
    expect (peer, "reply 7 OK v=0 (r-1 data=one) (r-2 data=two)");
    expect (peer, "reply 8 OK v=0 children=w-1,r-2,r-1");
    expect (peer, "reply 9 OK v=0 (r-2 v=0 owner=1)");
    expect (peer, "reply 10 EUNSUPPORTED");
    expect (peer, "reply 11 ENONODE");
    expect (peer, NULL);
    world_free (&world);
}

/* However many there are, and however large: an answer is bounded, and all of them come. */
static void a_page_is_bounded (void **state)
{
    (void) state;
    enum { COUNT = 3, SIZE = 300 << 10 };
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    char *large = malloc (SIZE + 1);
    assert_non_null (large);
    memset (large, 'x', SIZE);
    large[SIZE] = '\0';
    static const char *const paths[COUNT] = {"/d/a", "/d/b", "/d/c"};
    ask_create (peer, "/d", "", 0);
    peer_do (peer);
    for (int i = 0; i < COUNT; i++) {
        ask_create (peer, paths[i], large, 0);
        peer_do (peer);
    }
    forget_lines (peer);
    static const char *const after[] = {"", "a", "b", "c"};
    for (size_t i = 0; i < 4; i++) {
        peer->listed = 0;
        ask_list (peer, "/d", "", after[i])->with_data = true;
        peer_do (peer);
        assert_int_equal (peer->listed, i < COUNT ? 1 : 0);
        forget_lines (peer);
    }
    free (large);
    world_free (&world);
}

/* Reads between writes see just the writes before them, however much is applied at once. */
static void a_read_sees_the_writes_before_it_only (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    char text[64];
    ask_create (peer, "/a", "0", 0);
    for (int i = 1; i <= 100; i++) {
        snprintf (text, sizeof text, "%d", i);
        ask_set (peer, "/a", text, -1);
        ask_get (peer, "/a", false);
    }
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    for (int i = 1; i <= 100; i++) {
        snprintf (text, sizeof text, "reply %d OK n=%d v=%d", 2 * i, i + 1, i);
        expect (peer, text);
        snprintf (text, sizeof text, "reply %d OK data=%d v=%d", 2 * i + 1, i, i);
        expect (peer, text);
    }
    expect (peer, NULL);
    world_free (&world);
}

static void a_write_does_not_overtake_a_sync (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "0", 0);
    ask_sync (peer);
    ask_get (peer, "/a", false);
    ask_set (peer, "/a", "1", -1);
    ask_set (peer, "/a", "2", -1);
    ask_get (peer, "/a", false);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, NULL);
    expect_note (world, 0, "sync 1");

    /* Lost with the leader, and asked for again. */
    world_lose_leader (world);
    world_new_leader (world);
    expect_note (world, 0, "sync 2");
    assert_int_equal (world->waiting_count, 0);
    clients_synced (clients, 1, 1); /* late, of the old one */
    world_run (world);
    expect (peer, NULL);
    /* The point is ahead of this server. */
    clients_synced (clients, 2, tree_zxid (world->servers[0].tree) + 1);
    world_run (world);
    expect (peer, NULL);
    struct peer *other = peer_attached (world, 0);
    expect (other, NULL);
    world_run (world);
    expect (peer, "reply 2 OK");
    expect (peer, "reply 3 OK data=0 v=0");
    expect (peer, "reply 4 OK n=2 v=1");
    expect (peer, "reply 5 OK n=3 v=2");
    expect (peer, "reply 6 OK data=2 v=2");
    expect (peer, NULL);
    clients_synced (clients, 2, 1);
    clients_synced (clients, 99, 1);
    world_free (&world);
}

/* However many ask in a turn, it is one question; and the answer to a later one will do. */
static void syncs_of_a_turn_are_one_question (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    struct peer *leaver = peer_attached (world, 0);
    for (int i = 0; i < 3; i++) {
        ask_sync (peer);
        ask_sync (other);
    }
    ask_sync (leaver);
    peer_send (leaver);
    peer_send (other);
    peer_do (peer);
    expect_note (world, 0, "sync 1");
    expect_note (world, 0, NULL);
    ask_sync (peer);
    peer_do (peer);
    expect_note (world, 0, "sync 2");
    expect_note (world, 0, NULL);
    peer_disconnect (leaver, true);
    clients_synced (clients, 1, 1);
    world_run (world);
    for (int i = 1; i <= 3; i++) {
        char line[32];
        snprintf (line, sizeof line, "reply %d OK", i);
        expect (peer, line);
        expect (other, line);
    }
    expect (peer, NULL);
    ask_sync (other);
    peer_do (other);
    forget_notes (world, 0);
    clients_synced (clients, 3, 1);
    world_run (world);
    expect (peer, "reply 4 OK");
    expect (other, "reply 4 OK");
    /* Who asks while there is nobody to ask is heard with the next leader. */
    world_lose_leader (world);
    ask_sync (peer);
    peer_do (peer);
    expect_note (world, 0, NULL);
    world_new_leader (world);
    expect_note (world, 0, "sync 5");
    world_free (&world);
}

/* A read between two writes, which are on their way when the server takes itself for one without a
 * quorum: what comes first is that both are committed. The read shows the first and not the second.
 */
static void held_read_does_not_see_the_write_behind_it (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    world->held = true;
    ask_create (peer, "/a", "1", 0);
    ask_get (peer, "/a", false);
    ask_set (peer, "/a", "2", -1);
    peer_do (peer);
    assert_int_equal (world->waiting_count, 2);
    clients_held (world->servers[0].clients, CLIENTS_NO_QUORUM);
    world->held = false;
    world_run (world);
    clients_held (world->servers[0].clients, NULL);
    world_run (world);
    expect (peer, "held \"no quorum\"");
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    expect (peer, "reply 2 OK data=1 v=0");
    expect (peer, "reply 3 OK n=2 v=1");
    expect (peer, "held \"\"");
    world_free (&world);
}

static void refuses_under_the_number (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.data_size_max = 100});
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "relative", "", 0);
    ask_create (peer, "/a", "", 8);
    ask_create_bytes (peer, "/a", 101);
    ask_create_bytes (peer, "/a", 100);
    ask_set (peer, "/a//b", "", -1);
    ask_delete (peer, "/", -1);
    Cohort__Wire__Request *later = ask_raw (peer, true);
    later->op_case = COHORT__WIRE__REQUEST__OP__NOT_SET;
    ask_multi (peer, (const char *[]){"/ok", "//", NULL});
    Cohort__Wire__SetAcl acl = COHORT__WIRE__SET_ACL__INIT;
    Cohort__Wire__Request *nowhere = ask_raw (peer, true);
    nowhere->op_case = COHORT__WIRE__REQUEST__OP_SET_ACL;
    nowhere->set_acl = &acl;
    Cohort__Wire__Request *unknown = ask_raw (peer, false);
    unknown->op_case = COHORT__WIRE__REQUEST__OP__NOT_SET;
    ask_get (peer, "nowhere", false);
    ask_stream (peer, 0, "/", 0);
    ask_stream (peer, 1, "//", 0);
    ask_create (peer, "/b", "", 0);
    peer_do (peer);
    expect (peer, "reply 1 EPATH n=1");
    expect (peer, "reply 2 EINVAL n=2");
    expect (peer, "reply 3 ETOOBIG n=3 (data has 101 bytes, the limit is 100 (dataSizeMax of the "
                  "ensemble))");
    expect (peer, "reply 4 OK n=4 path=/a v=0");
    expect (peer, "reply 5 EPATH n=5");
    expect_prefix (peer, "reply 6 E");
    expect (peer, "reply 7 EUNSUPPORTED n=7");
    expect (peer, "reply 8 EPATH n=8");
    expect (peer, "reply 9 EPATH n=9");
    expect (peer, "reply 10 EUNSUPPORTED");
    expect (peer, "reply 11 EPATH");
    expect (peer, "reply 12 EINVAL");
    expect (peer, "reply 13 EPATH");
    expect (peer, "reply 14 OK n=10 path=/b v=0");

    /* Numbers that make no sense end the connection. */
    ask_get (peer, "/", false);
    peer->requests[0]->number = 5;
    peer_do (peer);
    expect (peer, "refused EPROTOCOL: a request with the wrong numbers");
    assert_true (peer->dropped);
    world_free (&world);
}

/* Cut at the first NUL, these would be paths of another znode. */
static void refuses_a_nul_in_a_path (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "/a", "kept", 0);
    peer_do (peer);
    expect (peer, "reply 1 OK n=1 path=/a v=0");
    ask_create (peer, "/b?c", "", 0);
    ask_set (peer, "/a?", "lost", -1);
    ask_delete (peer, "/a?b", -1);
    ask_multi (peer, (const char *[]){"/d?", NULL});
    ask_get (peer, "/a?", true);
    ask_exists (peer, "/?a", true);
    ask_children (peer, "/a?/b", true);
    ask_stream (peer, 1, "/a?", 0);
    ask_get (peer, "/a", false);
    ask_exists (peer, "/b", false);
    Cohort__Wire__Request **requests = peer->requests;
    ProtobufCBinaryData *paths[] = {
        &requests[0]->create->path,   &requests[1]->set->path,
        &requests[2]->delete_->path,  &requests[3]->multi->ops[0]->create->path,
        &requests[4]->get->path,      &requests[5]->exists->path,
        &requests[6]->children->path, &requests[7]->stream_open->path,
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        *(char *) memchr (paths[i]->data, '?', paths[i]->len) = '\0';
    }
    peer_do (peer);
    expect (peer, "reply 2 EPATH n=2");
    expect (peer, "reply 3 EPATH n=3");
    expect (peer, "reply 4 EPATH n=4");
    expect (peer, "reply 5 EPATH n=5");
    expect (peer, "reply 6 EPATH");
    expect (peer, "reply 7 EPATH");
    expect (peer, "reply 8 EPATH");
    expect (peer, "reply 9 EPATH");
    expect (peer, "reply 10 OK data=kept v=0");
    expect (peer, "reply 11 ENONODE");
    expect (peer, NULL);
    world_free (&world);
}

static void refuses_no_path_at_all (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create (peer, "", "", 0);
    ask_create (peer, "", "", COHORT_SEQUENTIAL);
    ask_set (peer, "", "", -1);
    ask_delete (peer, "", -1);
    ask_multi (peer, (const char *[]){"", NULL});
    ask_get (peer, "", true);
    ask_exists (peer, "", true);
    ask_children (peer, "", true);
    ask_stream (peer, 1, "", 0);
    peer_do (peer);
    expect (peer, "reply 1 EPATH n=1");
    expect (peer, "reply 2 EPATH n=2");
    expect (peer, "reply 3 EPATH n=3");
    expect (peer, "reply 4 EPATH n=4");
    expect (peer, "reply 5 EPATH n=5");
    expect (peer, "reply 6 EPATH");
    expect (peer, "reply 7 EPATH");
    expect (peer, "reply 8 EPATH");
    expect (peer, "reply 9 EPATH");
    expect (peer, NULL);
    world_free (&world);
}

static void bounds_what_is_in_flight (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.window = 4});
    struct peer *peer = peer_attached (world, 0);
    world->held = true;
    for (int i = 0; i < 6; i++) {
        ask_create (peer, "/a-", "", COHORT_SEQUENTIAL);
    }
    peer_send (peer);
    /* The fifth write meets a full table of results at apply, before that the window here. */
    world->held = false;
    world_run (world);
    for (int i = 1; i <= 4; i++) {
        char text[64];
        snprintf (text, sizeof text, "reply %d OK n=%d path=/a-000000000%d v=0", i, i, i - 1);
        expect (peer, text);
    }
    expect (peer, "reply 5 EWINDOW n=5");
    expect (peer, NULL);
    /* With an acknowledgement it goes. */
    peer->number = peer->xid = peer->ack_to = 4;
    ask_create (peer, "/a-", "", COHORT_SEQUENTIAL);
    ask_create (peer, "/a-", "", COHORT_SEQUENTIAL);
    peer_do (peer);
    expect (peer, "reply 5 OK n=5 path=/a-0000000004 v=0");
    expect (peer, "reply 6 OK n=6 path=/a-0000000005 v=0");

    /* A client that knows no window at all is cut off. */
    world->held = true;
    for (int i = 0; i < 10; i++) {
        ask_create (peer, "/b-", "", COHORT_SEQUENTIAL);
    }
    peer_send (peer);
    expect (peer, "refused ELIMIT: the window does not count for this client");
    world->held = false;
    world_run (world);
    world_free (&world);
}

static void bounds_the_bytes_in_flight (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.pending_bytes = 1 << 20});
    struct peer *peer = peer_attached (world, 0);
    assert_int_equal (peer->credit, 64 << 10);
    ask_create (peer, "/a", "", 0);
    peer_do (peer);
    expect_prefix (peer, "reply 1 OK");
    peer->ack_to = 1;
    ask_set_bytes (peer, "/a", 40 << 10);
    ask_set_bytes (peer, "/a", 20 << 10);
    ask_set_bytes (peer, "/a", 20 << 10);
    ask_set_bytes (peer, "/a", 100);
    peer_do (peer);
    expect (peer, "reply 2 OK n=2 v=1");
    expect (peer, "reply 3 OK n=3 v=2");
    expect (peer, "reply 4 ELIMIT n=4");
    expect (peer, "reply 5 OK n=5 v=3");
    /* One that is larger than the credit goes alone. */
    ask_set_bytes (peer, "/a", 200 << 10);
    peer_do (peer);
    expect (peer, "reply 6 OK n=6 v=4");

    /* Reads are bounded too. */
    world->held = true;
    ask_set (peer, "/a", "", -1);
    peer_send (peer);
    char path[3000];
    memset (path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    for (int i = 0; i < 100 && !peer->dropped; i++) {
        for (int k = 0; k < 100; k++) {
            ask_get (peer, path, false);
        }
        peer_send (peer);
    }
    expect (peer, "refused ELIMIT: too many requests wait");
    assert_true (peer->dropped);
    world->held = false;
    world_run (world);
    world_free (&world);
}

/* Each is answered when its own point is applied, in whatever order the points came. */
static void syncs_wait_for_their_own_points (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct clients *clients = world->servers[0].clients;
    struct peer *writer = peer_attached (world, 0);
    struct peer *peers[4];
    static const uint64_t ahead[] = {2, 1, 3, 2};
    for (size_t i = 0; i < 4; i++) {
        peers[i] = peer_attached (world, 0);
        ask_sync (peers[i]);
        peer_do (peers[i]);
    }
    zxid_t zxid = tree_zxid (world->servers[0].tree);
    for (size_t i = 0; i < 4; i++) {
        clients_synced (clients, i + 1, zxid + ahead[i]);
    }
    for (uint64_t step = 1; step <= 3; step++) {
        ask_delete (writer, "/none", -1);
        peer_do (writer);
        assert_true (tree_zxid (world->servers[0].tree) == zxid + step);
        for (size_t i = 0; i < 4; i++) {
            expect (peers[i], ahead[i] == step ? "reply 1 OK" : NULL);
        }
    }
    world_free (&world);
}

/* The sync whose request found no room any more is nobody's: its answer must not look for the
 * client. */
static void a_sync_without_room_is_forgotten (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.pending_bytes = 64});
    struct peer *peer = peer_attached (world, 0);
    forget_notes (world, 0);
    for (int i = 0; i < 16; i++) {
        ask_sync (peer);
    }
    peer_do (peer);
    expect (peer, "refused ELIMIT: too many requests wait");
    for (uint64_t token = 1; token <= 16; token++) {
        clients_synced (world->servers[0].clients, token, tree_zxid (world->servers[0].tree));
    }
    world_run (world);
    world_free (&world);
}

/* What costs two bytes to send must not cost a hundred to read: not even of a stranger. */
static void a_frame_of_nothing_costs_little (void **state)
{
    (void) state;
    enum { SIZE = 8 << 20, ALLOWED = 64 << 20 };
    static const uint8_t parts[][2] = {
        {0x22, 0}, /* a request without anything in it */
        {0x78, 0}, /* a field of a later version */
    };
    struct arena arena;
    arena_init (&arena, 64 << 10, 1 << 20);
    uint8_t *frame = mem_alloc (SIZE);
    assert_non_null (frame);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t at = 0; at < SIZE; at += 2) {
            memcpy (frame + at, parts[i], 2);
        }
        arena_reset (&arena);
        assert_null (wire_client_decode (&arena, frame, SIZE));
        assert_true (arena_used (&arena) <= ALLOWED);
        /* So many as a client may send in one are read. */
        arena_reset (&arena);
        assert_non_null (wire_client_decode (&arena, frame, 32 << 10));
    }
    mem_free (frame);
    arena_deinit (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (answers_in_order),
        cmocka_unit_test (children_come_in_pages),
        cmocka_unit_test (a_page_is_bounded),
        cmocka_unit_test (a_read_sees_the_writes_before_it_only),
        cmocka_unit_test (a_write_does_not_overtake_a_sync),
        cmocka_unit_test (syncs_of_a_turn_are_one_question),
        cmocka_unit_test (held_read_does_not_see_the_write_behind_it),
        cmocka_unit_test (refuses_under_the_number),
        cmocka_unit_test (refuses_a_nul_in_a_path),
        cmocka_unit_test (refuses_no_path_at_all),
        cmocka_unit_test (bounds_what_is_in_flight),
        cmocka_unit_test (bounds_the_bytes_in_flight),
        cmocka_unit_test (syncs_wait_for_their_own_points),
        cmocka_unit_test (a_sync_without_room_is_forgotten),
        cmocka_unit_test (a_frame_of_nothing_costs_little),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
