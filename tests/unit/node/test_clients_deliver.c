/* What goes out: frames, bounds, clients that are cut off; and what comes in broken. */

#include "tests/unit/node/clients_world.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "server/tree/result.h"

static void one_frame_for_a_turn (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    size_t frames = peer->frames;
    for (int i = 0; i < 200; i++) {
        ask_create (peer, "/a-", "", COHORT_SEQUENTIAL);
    }
    ask_heartbeat (peer, 1);
    peer_send (peer);
    world_commit (world, SIZE_MAX);
    clients_confirmed (world->servers[0].clients, peer->session, 1, 1);
    world_run (world);
    assert_int_equal (peer->frames, frames + 1);
    assert_int_equal (peer->settled, tree_zxid (world->servers[0].tree));
    /* Nothing to say: no frame. */
    struct peer *other = peer_attached (world, 0);
    ask_create (other, "/b", "", 0);
    peer_do (other);
    assert_int_equal (peer->frames, frames + 1);
    world_free (&world);
}

static void large_replies_come_in_frames_of_their_own (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create_bytes (peer, "/a", 1 << 20);
    peer_do (peer);
    expect_prefix (peer, "reply 1 OK");
    size_t frames = peer->frames;
    /* Far more than may wait for one client: evaluated as it goes out. */
    for (int i = 0; i < 100; i++) {
        ask_get (peer, "/a", false);
    }
    peer_do (peer);
    for (int i = 0; i < 100; i++) {
        char text[64];
        snprintf (text, sizeof text, "reply %d OK data=1048576 bytes v=0", i + 2);
        expect (peer, text);
    }
    assert_int_equal (peer->frames, frames + 100);
    assert_true (peer->largest < (1 << 20) + 1000);
    world_free (&world);
}

/* Reads of a client that takes nothing wait, and cost no memory for their answers. */
static void reads_wait_for_a_full_pipe (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    ask_create_bytes (peer, "/a", 1 << 20);
    peer_do (peer);
    expect_prefix (peer, "reply 1 OK");
    peer->full = true;
    for (int i = 0; i < 50; i++) {
        ask_get (peer, "/a", false);
    }
    ask_set (peer, "/a", "new", -1);
    ask_get (peer, "/a", false);
    peer_do (peer);
    world_advance (world, 50);
    expect (peer, NULL);
    assert_true (clients_deadline (world->servers[0].clients) <= world->now_ms + 2);
    peer->full = false;
    world_advance (world, 2);
    assert_true (clients_deadline (world->servers[0].clients) == INT64_MAX);
    for (int i = 0; i < 50; i++) {
        char text[64];
        snprintf (text, sizeof text, "reply %d OK data=1048576 bytes v=0", i + 2);
        expect (peer, text);
    }
    expect (peer, "reply 52 OK n=2 v=1");
    expect (peer, "reply 53 OK data=new v=1");
    world_free (&world);
}

static void cuts_off_who_takes_nothing (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.output_bytes = 1 << 20});
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    ask_create_bytes (writer, "/a", 1000);
    peer_do (writer);
    peer->full = true;
    /* Events are what a client cannot be made to wait with. */
    size_t most = 0;
    for (int round = 0; round < 400 && !peer->dropped; round++) {
        for (int i = 0; i < 50; i++) {
            char path[64];
            snprintf (path, sizeof path, "/%d/%d", round, i);
            ask_exists (peer, path, true);
        }
        peer_send (peer);
        const char *paths[51] = {NULL};
        static char names[51][64];
        for (int i = 0; i < 50; i++) {
            snprintf (names[i], sizeof names[i], i == 0 ? "/%d" : "/%d/%d", round, i);
            paths[i] = names[i];
        }
        writer->ack_to = writer->number;
        ask_multi (writer, paths);
        peer_do (writer);
        most = (size_t) round;
    }
    /* It reads nothing and asks on: in the end it is the queue or the output that is full; this one
     * has just stopped being answered. */
    assert_true (most > 100);
    assert_false (peer->dropped);
    world_advance (world, 9000);
    assert_false (peer->dropped);
    world_advance (world, 2000);
    assert_true (peer->dropped);
    assert_non_null (strstr (world->servers[0].log, "stalled"));
    assert_int_equal (clients_connections (world->servers[0].clients), 1);

    /* Its session is alive and goes on. */
    expect_note (world, 0, NULL);
    peer_connect (peer, 0);
    peer_hello (peer);
    world_run (world);
    expect_prefix (peer, "welcome attach=2");
    world_free (&world);
}

/* Writes a number to the beginning of a path; returns the index of the NUL behind it. */
static size_t name_number (char *path, int number)
{
    return (size_t) snprintf (path, 16, "/%08d", number);
}

static void cuts_off_who_has_too_many_events (void **state)
{
    (void) state;
    struct world *world = world_new (&(struct world_options){.output_bytes = 600 << 10});
    struct peer *peer = peer_attached (world, 0);
    struct peer *writer = peer_attached (world, 0);
    char path[3000];
    memset (path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    for (int i = 0; i < 300; i++) {
        path[name_number (path, i)] = 'x';
        ask_exists (peer, path, true);
    }
    peer_do (peer);
    peer->full = true;
    for (int i = 0; i < 300; i++) {
        path[name_number (path, i)] = 'x';
        ask_create (writer, path, "", 0);
    }
    peer_do (writer);
    assert_true (peer->dropped);
    assert_non_null (strstr (world->servers[0].log, "too slow"));
    world_free (&world);
}

/* ---- Broken frames --------------------------------------------------------------------------- */

static void a_corrupt_frame_ends_its_connection_only (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    struct peer *peer = peer_attached (world, 0);
    struct peer *other = peer_attached (world, 0);
    struct peer *stranger = peer_new (world, 0);
    size_t logged = world->servers[0].logged;
    peer_send_bytes (peer, "\x0a\xff\xff\xff", 4);
    expect (peer, "refused EPROTOCOL: a frame could not be understood");
    assert_true (peer->dropped);
    assert_int_equal (world->servers[0].logged, logged + 1);
    peer_send_bytes (stranger, "\x0a\xff\xff\xff", 4);
    expect (stranger, "refused EPROTOCOL: a frame could not be understood");
    assert_int_equal (world->servers[0].logged, logged + 2);
    /* Not a death that was proven. */
    expect_note (world, 0, NULL);
    peer_send_bytes (other, "", 0);
    ask_get (other, "/", false);
    peer_do (other);
    expect_prefix (other, "reply 1 OK");
    world_free (&world);
}

static void be_refused (struct world *world, int times)
{
    for (int i = 0; i < times; i++) {
        struct peer *stranger = peer_new (world, 0);
        peer_send_bytes (stranger, "\x0a\xff\xff\xff", 4);
        expect (stranger, "refused EPROTOCOL: a frame could not be understood");
    }
}

/* Ten a second are told of one by one; how many more there were is told with the next one. */
static void strangers_fill_no_log (void **state)
{
    (void) state;
    struct world *world = world_new (NULL);
    world_advance (world, 1000);
    size_t logged = world->servers[0].logged;
    be_refused (world, 16);
    assert_int_equal (world->servers[0].logged, logged + 10);
    world_advance (world, 1000);
    be_refused (world, 2);
    assert_int_equal (world->servers[0].logged, logged + 10 + 1 + 2);
    world_free (&world);
}

static size_t make_frame (struct peer *peer, struct prng *prng, uint8_t *bytes, size_t max)
{
    switch (prng_below (prng, 8)) {
    case 0:
        ask_create (peer, "/fuzz", "data", (uint32_t) prng_below (prng, 5));
        break;
    case 1:
        ask_multi (peer, (const char *[]){"/x", "/y", "/z", NULL});
        break;
    case 2:
        ask_stream (peer, 1, "/", prng_below (prng, 3));
        break;
    case 3:
        ask_rearm (peer, 1, prng_chance (prng, 1, 2));
        ask_rearm_watch (peer, WATCH_DATA, "/x");
        ask_rearm_stream (peer, 2, "/x", 1);
        break;
    case 4:
        ask_status (peer);
        ask_heartbeat (peer, 5);
        break;
    default:
        ask_get (peer, "/x", true);
        ask_set (peer, "/x", "y", -1);
        ask_children (peer, "/", true);
        ask_sync (peer);
        break;
    }
    peer->frame.requests = peer->requests;
    size_t size = cohort__wire__client_frame__get_packed_size (&peer->frame);
    assert_true (size <= max);
    cohort__wire__client_frame__pack (&peer->frame, bytes);
    cohort__wire__client_frame__init (&peer->frame);
    arena_reset (&peer->arena);
    return size;
}

static void mutate (struct prng *prng, uint8_t *bytes, size_t *size)
{
    for (uint64_t n = prng_below (prng, 4); n > 0 && *size > 0; n--) {
        size_t at = (size_t) prng_below (prng, *size);
        switch (prng_below (prng, 4)) {
        case 0:
            bytes[at] = (uint8_t) prng_u64 (prng);
            break;
        case 1:
            bytes[at] ^= (uint8_t) (1u << prng_below (prng, 8));
            break;
        case 2:
            *size = at;
            break;
        default:
            memmove (bytes + at, bytes + at + 1, *size - at - 1);
            (*size)--;
            break;
        }
    }
}

static void survives_mutated_frames (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct prng prng;
        uint8_t bytes[4096];
        prng_seed (&prng, seed);
        struct world *world = world_new (NULL);
        struct peer *witness = peer_attached (world, 0);
        struct peer *peer = peer_attached (world, 0);
        peer->mad = true;
        for (int i = 0; i < 40; i++) {
            size_t size = make_frame (peer, &prng, bytes, sizeof bytes);
            mutate (&prng, bytes, &size);
            peer_send_bytes (peer, bytes, size);
            if (prng_chance (&prng, 1, 3)) {
                world_run (world);
            }
            if (peer->dropped) {
                peer_connect (peer, 0);
                peer_hello (peer);
                world_run (world);
                peer->number = 0;
                if (peer->dropped) {
                    break; /* a mutated request has closed its session */
                }
            }
        }
        ask_get (witness, "/", false);
        peer_do (witness);
        expect_prefix (witness, "reply 1 OK");
        forget_lines (peer);
        world_free (&world);
    }
}

/* ---- Lack of memory -------------------------------------------------------------------------- */

/* Whatever cannot be allocated in the clients' code: somebody is refused, nothing breaks. */
static void survives_failing_allocations (void **state)
{
    (void) state;
    for (uint64_t n = 1; n < 400; n++) {
        struct world *world = world_new (NULL);
        struct peer *witness = peer_attached (world, 0);
        struct peer *peer = peer_attached (world, 0);
        ask_create (peer, "/a", "", 0);
        peer_do (peer);
        world->held = true;
        struct peer *late = peer_new (world, 0);
        uint8_t bytes[4096];
        ask_get (peer, "/a", true);
        ask_stream (peer, 1, "/", 0);
        ask_sync (peer);
        ask_create (peer, "/b", "", 0);
        peer->frame.requests = peer->requests;
        size_t size = cohort__wire__client_frame__get_packed_size (&peer->frame);
        assert_true (size <= sizeof bytes);
        cohort__wire__client_frame__pack (&peer->frame, bytes);
        cohort__wire__client_frame__init (&peer->frame);
        /* The transport of the test allocates too: it takes nothing meanwhile. */
        peer->full = late->full = true;
        mem_fail_at (n);
        clients_frame (world->servers[0].clients, peer->connection, bytes, size);
        clients_flush (world->servers[0].clients);
        bool failed = mem_fail_clear ();
        peer->full = late->full = false;
        world->held = false;
        if (!peer->dropped) {
            world_advance (world, 10);
        }
        ask_get (witness, "/", false);
        peer_do (witness);
        expect_prefix (witness, "reply 1 OK");
        world_free (&world);
        if (!failed) {
            assert_true (n > 5);
            return;
        }
    }
    fail_msg ("the allocations do not end");
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void check_bytes (const struct buf *buf, const char *hex)
{
    char text[1024] = "";
    for (size_t i = 0; i < buf->size && 2 * i + 2 < sizeof text; i++) {
        snprintf (text + 2 * i, 3, "%02x", buf->data[i]);
    }
    assert_string_equal (text, hex);
}

static void golden_bytes (void **state)
{
    (void) state;
    struct buf out = {0};
    cohort_stat_t stat = {.czxid = 1, .mzxid = 2, .version = -1, .data_size = 3};
    struct wire_client_reply reply = {.xid = 300, .code = -101, .zxid = 5, .number = 7};
    struct wire_mark mark = wire_client_reply_begin (&out, &reply, 0);
    wire_client_reply_data (&out, (const uint8_t *) "abc", 3);
    wire_client_reply_stat (&out, &stat);
    wire_client_item_end (&out, mark);
    check_bytes (&out, "1a300a2e08ac0210c901190500000000000000"
                       "48072a036162633216090100000000000000110200000000000000"
                       "30015803");
    buf_clear (&out);
    wire_client_reply_znode (&out, 300, 5, &stat, (const uint8_t *) "abc", 3);
    check_bytes (&out, "1aac000aa90008ac02190500000000000000"
                       "3216090100000000000000110200000000000000"
                       "300158032a03616263");
    buf_clear (&out);
    wire_client_event (&out, WATCH_CHILDREN, COHORT_EVENT_CHILDREN, "/a", 2, 9);
    check_bytes (&out, "1a13121108041202"
                       "2f61"
                       "190900000000000000"
                       "2003");
    buf_clear (&out);
    struct wire_client_batch batch = {.stream = 1, .zxid = 2, .snapshot = true, .first = true};
    mark = wire_client_batch_begin (&out, &batch);
    struct effect effect = {.kind = EFFECT_DELETED, .path = "/a", .path_size = 2, .stat = stat};
    wire_client_change (&out, &effect, WIRE_WHOLE);
    wire_client_batch_end (&out, mark, true, 0);
    check_bytes (&out, "1a9f808080001a9980808000"
                       "0801"
                       "110200000000000000"
                       "18012001"
                       "3206"
                       "0802"
                       "12022f61"
                       "2801");
    buf_clear (&out);
    wire_client_seen (&out, 3, 200);
    check_bytes (&out, "21030000000000000028c801");
    buf_deinit (&out);
}

/* Lengths at which an encoding of a length grows by a byte. */
static void lengths_of_every_size (void **state)
{
    (void) state;
    struct buf out = {0};
    static uint8_t data[70000];
    for (size_t size = 0; size < sizeof data; size += size < 300 ? 1 : 8111) {
        cohort_stat_t stat = {.version = (int32_t) size};
        struct wire_client_reply reply = {.xid = 1, .zxid = 2};
        buf_clear (&out);
        /* Once announced too small, once right. */
        for (int i = 0; i < 2; i++) {
            struct wire_mark mark = wire_client_reply_begin (&out, &reply, i == 0 ? 0 : size);
            wire_client_reply_data (&out, data, size);
            wire_client_reply_stat (&out, &stat);
            wire_client_item_end (&out, mark);
        }
        wire_client_reply_znode (&out, 1, 2, &stat, data, size);
        Cohort__Wire__ServerFrame *frame =
            cohort__wire__server_frame__unpack (NULL, out.size, out.data);
        assert_non_null (frame);
        assert_int_equal (frame->n_items, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal (frame->items[i]->reply->data.len, size);
            assert_int_equal (frame->items[i]->reply->stat->version, size);
        }
        cohort__wire__server_frame__free_unpacked (frame, NULL);
    }
    buf_deinit (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (one_frame_for_a_turn),
        cmocka_unit_test (large_replies_come_in_frames_of_their_own),
        cmocka_unit_test (reads_wait_for_a_full_pipe),
        cmocka_unit_test (cuts_off_who_takes_nothing),
        cmocka_unit_test (cuts_off_who_has_too_many_events),
        cmocka_unit_test (a_corrupt_frame_ends_its_connection_only),
        cmocka_unit_test (strangers_fill_no_log),
        cmocka_unit_test (survives_mutated_frames),
        cmocka_unit_test (survives_failing_allocations),
        cmocka_unit_test (golden_bytes),
        cmocka_unit_test (lengths_of_every_size),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
