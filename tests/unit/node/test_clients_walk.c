/* Snapshots of streams: walked in slices while the tree changes, bounded in every way, exact. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "client/src/fold.h"
#include "tests/support/heap.h"

/* As in client_state.h. */
enum {
    SLICE_NODES = 128,
    SLICE_BYTES = 32 << 10,
    TURN_SLICES = 4,
    TURN_BYTES = 128 << 10,
    WINDOW_MAX = 1 << 20
};

enum { NODE_BYTES_MAX = 300 }; /* of one of `fill`, on the wire */

/* So many znodes below /g, of little data. */
static void fill (struct world *world, struct peer *writer, size_t count)
{
    enum { MULTI = 100 };
    static char names[MULTI][32];
    static const char *paths[MULTI + 1];
    ask_create (writer, "/g", "", 0);
    peer_do (writer);
    for (size_t made = 0; made < count; made += MULTI) {
        size_t n = count - made < MULTI ? count - made : MULTI;
        for (size_t i = 0; i < n; i++) {
            snprintf (names[i], sizeof names[i], "/g/%07zu", made + i);
            paths[i] = names[i];
        }
        paths[n] = NULL;
        writer->ack_to = writer->number;
        ask_multi (writer, paths);
        peer_do (writer);
    }
    forget_lines (writer);
    assert_int_equal (tree_node_count (world->servers[0].tree), count + 5);
}

/* One turn; its share of the snapshot that this peer is sent must be bounded. */
static bool turn (struct world *world, struct peer *peer)
{
    size_t pieces = peer->walk.pieces, nodes = peer->walk.nodes, bytes = peer->walk.bytes;
    bool more = clients_flush (world->servers[0].clients);
    assert_in_range (peer->walk.pieces - pieces, 0, TURN_SLICES);
    assert_in_range (peer->walk.nodes - nodes, 0, TURN_SLICES * SLICE_NODES);
    assert_in_range (peer->walk.bytes - bytes, 0, TURN_BYTES + SLICE_BYTES + (1 << 20));
    return more;
}

/* ---- Bounds -----------------------------------------------------------------------------------
 */

/* However large the subtree is, a turn does its share, and no more than fits the window is sent
 * before it is confirmed. */
static void a_turn_does_its_share (void **state)
{
    (void) state;
    enum { COUNT = 20000 };
    struct world *world = world_new (NULL);
    struct peer *writer = peer_attached (world, 0);
    struct peer *peer = peer_attached (world, 0);
    fill (world, writer, COUNT);
    peer->walk.id = 1;
    ask_stream (peer, 1, "/g", 0);
    peer_send (peer);
    size_t turns = 0;
    while (turn (world, peer)) {
        turns++;
    }
    assert_in_range (turns, WINDOW_MAX / (TURN_SLICES * SLICE_NODES * NODE_BYTES_MAX), COUNT);
    assert_in_range (peer->walk.bytes, WINDOW_MAX, WINDOW_MAX + SLICE_BYTES + NODE_BYTES_MAX);
    assert_int_equal (peer->walk.wholes, 0);
    for (int i = 0; i < 3; i++) {
        assert_false (turn (world, peer)); /* and nothing turns in circles meanwhile */
    }
    while (peer->taken_count > 0) {
        peer_confirm (peer);
        size_t before = peer->walk.bytes;
        while (turn (world, peer)) {
        }
        assert_in_range (peer->walk.bytes - before, 0, WINDOW_MAX + SLICE_BYTES + NODE_BYTES_MAX);
    }
    assert_int_equal (peer->walk.wholes, 1);
    assert_int_equal (peer->walk.firsts, 1);
    assert_int_equal (peer->walk.nodes, COUNT + 1);
    assert_int_equal (peer->walk.nodes_max, SLICE_NODES);
    assert_in_range (peer->walk.bytes_max, 1000, SLICE_BYTES);
    world_free (&world);
}

/* Znodes of much data end a slice by their bytes. */
static void large_znodes_come_alone (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *writer = peer_attached (world, 0);
    struct peer *peer = peer_attached (world, 0);
    fill (world, writer, 5);
    for (int i = 0; i < 5; i++) {
        char path[32];
        snprintf (path, sizeof path, "/g/%07d", i);
        ask_set_bytes (writer, path, i == 3 ? 1 << 20 : 20000);
        peer_do (writer);
    }
    peer->walk.id = 1;
    ask_stream (peer, 1, "/g", 0);
    peer_send (peer);
    while (turn (world, peer)) {
    }
    world_run (world);
    assert_int_equal (peer->walk.nodes, 6);
    assert_int_equal (peer->walk.pieces, 3); /* /g 0 1, 2 3, 4 */
    assert_in_range (peer->walk.bytes_max, 1 << 20, (1 << 20) + SLICE_BYTES);
    world_free (&world);
}

static bool swallow (void *arg, size_t server, uint64_t connection, const uint8_t *data,
                     size_t size)
{
    (void) server;
    (void) connection;
    (void) data;
    *(size_t *) arg += size;
    return true;
}

static void ignore_drop (void *arg, size_t server, uint64_t connection)
{
    (void) arg;
    (void) server;
    (void) connection;
}

/* A snapshot costs no memory in proportion to the subtree: neither while it is sent nor while it is
 * not taken. */
static void memory_is_bounded (void **state)
{
    (void) state;
    enum { COUNT = 100000, PEERS = 20 };
    static size_t swallowed;
    static const struct world_hooks hooks = {swallow, ignore_drop, NULL, NULL};
    struct world *world = world_new (NULL);
    struct peer *writer = peer_attached (world, 0);
    struct peer *peers[PEERS];
    fill (world, writer, COUNT);
    for (size_t i = 0; i < PEERS; i++) {
        peers[i] = peer_attached (world, 0);
    }
    /* Pipes that take nothing: what waits for each is bounded. */
    heap_watch_begin ();
    for (size_t i = 0; i < PEERS; i++) {
        peers[i]->full = true;
        ask_stream (peers[i], 1, "/g", 0);
        peer_send (peers[i]);
    }
    world_flush (world);
    assert_true (heap_peak () < (int64_t) PEERS * (800 << 10));
    for (size_t i = 0; i < PEERS; i++) {
        peer_disconnect (peers[i], true);
    }
    assert_true (heap_in_use () < 64 << 10); /* but for segments that are kept */
    heap_watch_end ();

    /* Pipes that take everything, and clients that confirm nothing. */
    for (size_t i = 0; i < PEERS; i++) {
        peer_connect (peers[i], 0);
        peer_hello (peers[i]);
    }
    world_run (world);
    world->hooks = &hooks;
    world->hooks_arg = &swallowed;
    heap_watch_begin ();
    for (size_t i = 0; i < PEERS; i++) {
        ask_stream (peers[i], 1, "/g", 0);
        peer_send (peers[i]);
    }
    world_flush (world);
    assert_true (heap_peak () < (int64_t) PEERS * (64 << 10) + (1 << 20));
    heap_watch_end ();
    assert_in_range (swallowed, PEERS * (WINDOW_MAX / 2), PEERS * (WINDOW_MAX + 2 * SLICE_BYTES));
    world->hooks = NULL;
    world_free (&world);
}

/* ---- Others
 * ------------------------------------------------------------------------------------*/

/* Who takes nothing, or confirms nothing, delays no other stream and no reply; its own neither. */
static void a_slow_taker_delays_nobody (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *writer = peer_attached (world, 0);
    fill (world, writer, 20000);
    struct peer *slow[40];
    for (size_t i = 0; i < 40; i++) {
        slow[i] = peer_attached (world, 0);
        slow[i]->hoards = i % 2 == 0;
        slow[i]->full = i % 2 != 0;
        ask_stream (slow[i], 1, "/", 0);
        ask_stream (slow[i], 2, "/g/0000001", 0);
        peer_send (slow[i]);
    }
    struct peer *peer = peer_attached (world, 0);
    peer->walk.id = 1;
    ask_stream (peer, 1, "/g", 0);
    peer_do (peer);
    assert_int_equal (peer->walk.wholes, 1);
    for (size_t i = 0; i < 40; i += 2) {
        forget_lines (slow[i]);
        ask_get (slow[i], "/none", false);
        ask_set (slow[i], "/g", "", -1);
        ask_heartbeat (slow[i], 1);
        peer_send (slow[i]);
    }
    for (size_t i = 0; i < 40; i += 2) {
        clients_confirmed (world->servers[0].clients, slow[i]->session, 1, 1);
    }
    world_run (world);
    for (size_t i = 0; i < 40; i += 2) {
        bool got = false, set = false, beat = false, whole = false;
        const char *line;
        while ((line = next_line (slow[i])) != NULL) {
            got |= strcmp (line, "reply 3 ENONODE") == 0;
            set |= strncmp (line, "reply 4 OK", 10) == 0;
            beat |= strcmp (line, "confirmed 1") == 0;
            whole |= strncmp (line, "batch 1", 7) == 0 && strstr (line, " more") == NULL;
        }
        assert_true (got && set && beat);
        assert_false (whole);
    }
    world_free (&world);
}

/* A client's streams begin one after the other; one that is closed makes way. */
static void one_at_a_time (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.walk_nodes = 1, .walk_window = 100});
    struct peer *peer = peer_attached (world, 0);
    peer->hoards = true;
    fill (world, peer, 3);
    for (uint64_t i = 1; i <= 4; i++) {
        ask_stream (peer, i, i == 4 ? "/g/0000001" : "/g", 0);
    }
    peer_do (peer);
    const char *line;
    while ((line = next_line (peer)) != NULL) {
        assert_true (strncmp (line, "batch 1 ", 8) == 0 || strncmp (line, "reply", 5) == 0);
    }
    ask_stream_close (peer, 3);
    ask_stream_close (peer, 1);
    peer_do (peer);
    expect_prefix (peer, "reply");
    expect_prefix (peer, "reply");
    expect (peer, "batch 2 snapshot first more */g");
    while ((line = next_line (peer)) != NULL) {
        assert_true (strncmp (line, "batch 2 ", 8) == 0);
    }
    peer->hoards = false;
    ask_stream (peer, 2, "/absent", 0);
    peer_do (peer);
    expect_prefix (peer, "reply");
    expect (peer, "batch 4 snapshot first */g/0000001");
    expect (peer, "batch 2 snapshot first");
    expect (peer, NULL);
    world_free (&world);
}

static void what_is_confirmed_is_looked_at (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    fill (world, peer, 2000);
    ask_stream (peer, 1, "/g", 0);
    peer_send (peer);
    world_flush (world);
    peer->taken_count = 1;
    peer->taken[0].id = 7; /* there is none, or not any more */
    peer_confirm (peer);
    world_run (world);
    assert_false (peer->dropped);
    peer->taken_count = 1;
    peer->taken[0].id = 1;
    peer->taken[0].bytes = UINT64_MAX;
    forget_lines (peer);
    peer_confirm (peer);
    expect (peer, "refused EPROTOCOL: more of a stream was taken than sent");
    world_free (&world);
}

/* ---- Changes on the way
 * ------------------------------------------------------------------------*/

/* Only what the walk has passed is told, in the order of states; the rest it finds. */
static void changes_come_between (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.walk_nodes = 2, .walk_window = 30});
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_multi (writer, (const char *[]){"/a", "/a/a", "/a/c", "/b", "/b/a", NULL});
    peer_do (writer);
    peer->hoards = true;
    ask_stream (peer, 1, "/", 0);
    peer_do (peer);
    expect (peer, "reply 1 OK");
    expect (peer, "batch 1 snapshot first more */ */a=set");
    expect (peer, NULL);
    /* It has passed /a, so it must know of its children; of what is below /b it will hear. */
    peer->taken_count = 1;
    peer->taken[0].id = 1;
    peer->taken[0].bytes = 1;
    ask_create (writer, "/a/b", "new", 0);
    ask_set (writer, "/a/c", "ahead", -1);
    ask_set (writer, "/a", "passed", -1);
    ask_delete (writer, "/b/a", -1);
    ask_create (writer, "/c", "", 0);
    peer_do (writer);
    /* There was no room for it: it comes from the ring, before the walk goes on. */
    expect (peer, NULL);
    peer->hoards = false;
    peer->taken_count = 1;
    peer->taken[0].id = 1;
    peer->taken[0].bytes = 100;
    world_run (world);
    expect (peer, "batch 1 snapshot more +/a/b=new");
    expect (peer, "batch 1 snapshot more ~/a=passed");
    expect (peer, "batch 1 snapshot more +/c");
    expect (peer, "batch 1 snapshot more */a/a */a/b=new");
    expect (peer, "batch 1 snapshot more */a/c=ahead */b");
    expect (peer, "batch 1 snapshot more */c */zookeeper");
    peer->taken_count = 1;
    peer->taken[0].id = 1;
    peer->taken[0].bytes = 1000;
    peer_do (peer);
    expect_prefix (peer, "batch 1 snapshot */zookeeper/config=");
    forget_lines (peer); /* of what the configuration says */
    ask_delete (writer, "/a/a", -1);
    peer_do (writer);
    expect (peer, "batch 1 first -/a/a");
    world_free (&world);
}

/* Where the ring has lost what comes next, the snapshot begins anew; and it comes to its end. */
static void begins_anew_behind_the_ring (void **state)
{
    (void) state;
    struct world *world = world_new (
        &(struct world_options){.walk_nodes = 2, .walk_window = 200, .effects_bytes = 16 << 10});
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    fill (world, writer, 50);
    peer->walk.id = 1;
    peer->hoards = true;
    ask_stream (peer, 1, "/g", 0);
    peer_do (peer);
    size_t found = peer->walk.nodes;
    assert_in_range (found, 1, 10);
    for (int i = 0; i < 20; i++) {
        ask_set_bytes (writer, "/g", 4000);
    }
    ask_create (writer, "/g/last", "", 0);
    peer_do (writer);
    assert_int_equal (peer->walk.pieces, found / 2);
    peer->hoards = false;
    peer->taken_count = 1;
    peer->taken[0].id = 1;
    peer->taken[0].bytes = 200;
    world_run (world);
    assert_int_equal (peer->walk.firsts, 2);
    assert_int_equal (peer->walk.wholes, 1);
    assert_int_equal (peer->walk.nodes, found + 52);
    world_free (&world);
}

/* ---- Random -----------------------------------------------------------------------------------
 */

enum { STATES = 1024, STATE_NODES = 16 };

/* The subtree at one zxid. */
struct state {
    zxid_t zxid;
    size_t count;
    struct {
        char path[16], data[8];
        size_t size;
        cohort_stat_t stat;
    } nodes[STATE_NODES];
};

struct receiver {
    struct world *world;
    struct state states[STATES]; /* the last ones */
    size_t states_count;
    struct fold *fold;
    zxid_t zxid;
    size_t wholes, changes;
};

static bool remember_node (void *arg, const struct tree_node *node)
{
    struct state *state = arg;
    assert_true (state->count < STATE_NODES);
    assert_true (node->data_size <= sizeof state->nodes[0].data);
    snprintf (state->nodes[state->count].path, sizeof state->nodes[0].path, "%s", node->path);
    memcpy (state->nodes[state->count].data, node->data, node->data_size);
    state->nodes[state->count].size = node->data_size;
    state->nodes[state->count++].stat = node->stat;
    return true;
}

static void remember (struct receiver *self)
{
    const struct tree *tree = self->world->servers[0].tree;
    struct state *state = &self->states[self->states_count++ % STATES];
    state->zxid = tree_zxid (tree);
    state->count = 0;
    int rc = tree_walk (tree, "/g", 2, NULL, remember_node, state);
    assert_true (rc == 0 || rc == COHORT_ENONODE);
}

static void compare (const struct state *state, const cohort_change_t *changes, size_t count)
{
    assert_int_equal (state->count, count);
    for (size_t n = 0; n < count; n++) {
        size_t i = 0;
        while (i < count && strcmp (changes[i].path, state->nodes[n].path) != 0) {
            i++;
        }
        assert_true (i < count);
        const cohort_stat_t *a = &changes[i].stat, *b = &state->nodes[n].stat;
        assert_int_equal (changes[i].size, state->nodes[n].size);
        assert_memory_equal (changes[i].data, state->nodes[n].data, state->nodes[n].size);
        assert_true (a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid);
        assert_true (a->version == b->version && a->cversion == b->cversion);
        assert_true (a->ephemeral_owner == b->ephemeral_owner && a->ozxid == b->ozxid);
        assert_true (a->ctime_ms == b->ctime_ms && a->mtime_ms == b->mtime_ms);
        assert_int_equal (a->child_count, b->child_count);
    }
}

static void stat_of (cohort_stat_t *to, const Cohort__Wire__Stat *from)
{
    *to = (cohort_stat_t){.czxid = from->czxid,
                          .mzxid = from->mzxid,
                          .pzxid = from->pzxid,
                          .ctime_ms = (int64_t) from->ctime_ms,
                          .mtime_ms = (int64_t) from->mtime_ms,
                          .version = from->version,
                          .cversion = from->cversion,
                          .data_size = (int32_t) from->data_size,
                          .ephemeral_owner = from->ephemeral_owner,
                          .ozxid = from->ozxid,
                          .child_count = from->child_count};
}

static void receive (void *arg, const Cohort__Wire__StreamBatch *piece)
{
    struct receiver *self = arg;
    if (piece->first) {
        fold_free (self->fold);
        self->fold = fold_new ("/g", 1);
        self->zxid = 0;
    }
    assert_true (piece->zxid >= self->zxid);
    self->zxid = piece->zxid;
    for (size_t i = 0; i < piece->n_changes; i++) {
        const Cohort__Wire__Change *from = piece->changes[i];
        cohort_change_t change = {.kind = (cohort_change_kind_t) from->kind, .path = from->path};
        change.data = from->data.data;
        change.size = from->data.len;
        if (from->stat != NULL) {
            stat_of (&change.stat, from->stat);
        }
        assert_int_equal (fold_take (self->fold, &change, piece->zxid), 0);
        self->changes += from->kind != 4;
    }
    if (piece->more) {
        return;
    }
    cohort_change_t *changes;
    size_t count = fold_next (self->fold, &changes);
    size_t i = 0;
    while (i < STATES && self->states[i].zxid != piece->zxid) {
        i++;
    }
    assert_true (i < STATES);
    compare (&self->states[i], changes, count);
    self->wholes++;
}

static void random_write (struct prng *prng, struct peer *writer)
{
    static const char *const paths[] = {"/g",   "/g/a",   "/g/a/x", "/g/a/y", "/g/a/x/1",
                                        "/g/b", "/g/b/x", "/g/a-",  "/g/ab",  "/h",
                                        "/g/c", "/g/c/x", "/g/c/y", "/g/c/z", "/g/d"};
    const char *path = paths[prng_below (prng, 15)];
    switch (prng_below (prng, 5)) {
    case 0:
        ask_delete (writer, path, -1);
        break;
    case 1:
        ask_set (writer, path, "data", -1);
        break;
    case 2:
        ask_multi (writer, (const char *[]){path, paths[prng_below (prng, 15)], NULL});
        break;
    default:
        ask_create (writer, path, "new", prng_chance (prng, 1, 6) ? COHORT_EPHEMERAL : 0);
    }
    writer->ack_to = writer->number > 5 ? writer->number - 5 : 0;
}

static void run (uint64_t seed, size_t *changes, size_t *again)
{
    struct prng prng;
    prng_seed (&prng, seed);
    struct world *world =
        world_new (&(struct world_options){.walk_nodes = 1 + (uint32_t) prng_below (&prng, 3),
                                           .walk_window = 10 + (uint32_t) prng_below (&prng, 200),
                                           .effects_bytes = prng_chance (&prng, 1, 2) ? 0 : 1024});
    struct peer *writer = peer_attached (world, 0);
    struct peer *peer = peer_attached (world, 0);
    static struct receiver receiver;
    receiver = (struct receiver){.world = world};
    peer->walk.id = 1;
    peer->walk.take = receive;
    peer->walk.arg = &receiver;
    for (int i = 0; i < 30; i++) {
        random_write (&prng, writer);
    }
    peer_do (writer);
    remember (&receiver);
    for (int round = 0; round < 6; round++) {
        size_t wholes = receiver.wholes;
        ask_stream (peer, 1, "/g", 0);
        peer_send (peer);
        uint64_t writes = prng_below (&prng, 6);
        for (int i = 0; receiver.wholes == wholes; i++) {
            assert_true (i < 2000);
            world_flush (world);
            for (uint64_t n = prng_between (&prng, 0, i < 200 ? writes : 0); n > 0; n--) {
                random_write (&prng, writer);
            }
            if (writer->frame.n_requests > 0) {
                peer_send (writer);
            }
            world_commit (world, SIZE_MAX);
            remember (&receiver);
            peer->full = prng_chance (&prng, 1, 3);
            if (prng_chance (&prng, 1, 4)) {
                peer_confirm (peer);
            }
            world->now_ms += 3;
            clients_time (world->servers[0].clients, world->now_ms);
        }
        peer->full = false;
        forget_lines (peer);
        forget_lines (writer);
    }
    *changes += receiver.changes;
    *again += peer->walk.firsts - receiver.wholes;
    fold_free (receiver.fold);
    world_free (&world);
}

static void snapshots_are_exact (void **state)
{
    (void) state;
    size_t changes = 0, again = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        run (seed, &changes, &again);
    }
    /* Or it would have shown little. */
    assert_true (changes > 3000);
    assert_true (again > 100);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_turn_does_its_share), cmocka_unit_test (large_znodes_come_alone),
        cmocka_unit_test (memory_is_bounded),     cmocka_unit_test (a_slow_taker_delays_nobody),
        cmocka_unit_test (one_at_a_time),         cmocka_unit_test (what_is_confirmed_is_looked_at),
        cmocka_unit_test (changes_come_between),  cmocka_unit_test (begins_anew_behind_the_ring),
        cmocka_unit_test (snapshots_are_exact),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
