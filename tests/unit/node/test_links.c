/* Two servers' links with queues between them: what is put in comes out once, in order, or the link
 * goes down; nothing of an earlier link comes out of a later one. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "server/node/links.h"

enum { FRAMES_MAX = 4096, ENTRY_DATA = 100 };

struct frame {
    uint8_t *data;
    size_t size;
};

struct world;

struct end {
    struct world *world;
    uint32_t id;
    struct links *links;
    bool connected;
    bool answer_due;                 /* of peer_connect */
    bool full;                       /* the pipe takes nothing */
    struct frame frames[FRAMES_MAX]; /* sent, not delivered */
    size_t frames_count;

    bool up; /* as the sink was told */
    unsigned ups, downs, errors;
    uint64_t put;      /* the number of the last message put in on this link, and before */
    uint64_t first;    /* of the first put in since it is up */
    uint64_t expected; /* the next to come out; 0: whatever the first is */
    uint64_t got;
    uint64_t urgent_got;
};

struct world {
    int64_t now_ms;
    struct end ends[3]; /* 1, 2 */
    struct prng prng;
};

static struct world world;

static struct end *other (const struct end *end)
{
    return &world.ends[3 - end->id];
}

/* ---- The transport --------------------------------------------------------------------------- */

static void drop_frames (struct end *end)
{
    for (size_t i = 0; i < end->frames_count; i++) {
        mem_free (end->frames[i].data);
    }
    end->frames_count = 0;
}

static void peer_connect (void *arg, uint32_t peer)
{
    struct end *end = arg;
    (void) peer;
    drop_frames (end);
    end->connected = false;
    end->answer_due = true;
}

static void peer_close (void *arg, uint32_t peer)
{
    (void) arg;
    (void) peer;
}

static bool peer_send (void *arg, uint32_t peer, const uint8_t *data, size_t size)
{
    struct end *end = arg;
    (void) peer;
    if (!end->connected || end->full || end->frames_count == FRAMES_MAX) {
        return false;
    }
    end->frames[end->frames_count++] = (struct frame){mem_dup (data, size), size};
    return true;
}

/* ---- The sink -------------------------------------------------------------------------------- */

static void on_up (void *arg, uint32_t peer, uint64_t store_id)
{
    struct end *end = arg;
    assert_int_equal (peer, 3 - end->id);
    assert_int_equal (store_id, 100 + peer);
    assert_false (end->up);
    end->up = true;
    end->ups++;
    end->first = end->put + 1;
    end->expected = 0;
}

static void on_down (void *arg, uint32_t peer)
{
    struct end *end = arg;
    (void) peer;
    assert_true (end->up);
    end->up = false;
    end->downs++;
}

/* Messages carry their number as zxid, entries theirs. */
static void on_frame (void *arg, uint32_t peer, const struct peer_frame *frame)
{
    struct end *end = arg;
    assert_true (end->up);
    assert_int_equal (peer, 3 - end->id);
    for (size_t i = 0; i < frame->messages_count; i++) {
        const struct zab_message *message = &frame->messages[i];
        if (message->type == ZAB_VOTE) {
            end->urgent_got++;
            continue;
        }
        assert_int_equal (message->type, ZAB_TRY);
        /* Never what was put in before the sender's link was up; then without a gap. */
        assert_true (message->zxid >= other (end)->first || !other (end)->up);
        if (end->expected != 0) {
            assert_int_equal (message->zxid, end->expected);
        }
        end->expected = message->zxid + 1;
        end->got = message->zxid;
    }
}

static bool on_read (void *arg, zxid_t after, zxid_t through, size_t max_bytes,
                     struct outbox_range *range)
{
    (void) arg;
    (void) after;
    (void) through;
    (void) max_bytes;
    (void) range;
    return false;
}

static void on_log (void *arg, enum log_level level, const char *event, const char *details)
{
    struct end *end = arg;
    (void) event;
    (void) details;
    end->errors += level == LOG_ERROR;
}

/* ---- The world ------------------------------------------------------------------------------- */

static void make (struct end *end, uint64_t incarnation)
{
    static const struct node_member members[2] = {{.id = 1, .role = CONFIG_VOTER},
                                                  {.id = 2, .role = CONFIG_VOTER}};
    struct links_options options = {
        .identity = {.id = end->id, .store_id = 100 + end->id, .role = CONFIG_VOTER},
        .members = members,
        .members_count = 2,
        .transport = {.arg = end,
                      .peer_connect = peer_connect,
                      .peer_close = peer_close,
                      .peer_send = peer_send},
        .logger = {on_log, end, LOG_ERROR},
        .sink = {end, on_up, on_down, on_frame, on_read},
        .incarnation = incarnation,
        .now_ms = world.now_ms};
    end->links = links_new (&options);
    assert_non_null (end->links);
}

static int setup (void **state)
{
    (void) state;
    memset (&world, 0, sizeof world);
    world.now_ms = 1000;
    for (uint32_t id = 1; id <= 2; id++) {
        world.ends[id].id = id;
        world.ends[id].world = &world;
        make (&world.ends[id], 10 * id);
    }
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    for (uint32_t id = 1; id <= 2; id++) {
        drop_frames (&world.ends[id]);
        links_destroy (&world.ends[id].links);
    }
    return 0;
}

static void connect_end (struct end *end)
{
    if (end->answer_due) {
        end->answer_due = false;
        end->connected = true;
        links_connected (end->links, 3 - end->id);
    }
}

static void deliver (struct end *from, size_t count)
{
    for (size_t i = 0; i < count && from->frames_count > 0; i++) {
        struct frame frame = from->frames[0];
        from->frames_count--;
        memmove (from->frames, from->frames + 1, from->frames_count * sizeof frame);
        links_frame (other (from)->links, frame.data, frame.size);
        mem_free (frame.data);
    }
}

static void break_connection (struct end *end)
{
    if (end->connected) {
        end->connected = false;
        links_disconnected (end->links, 3 - end->id);
    }
}

static void run (int ms)
{
    for (int i = 0; i < ms; i++) {
        world.now_ms++;
        for (uint32_t id = 1; id <= 2; id++) {
            struct end *end = &world.ends[id];
            connect_end (end);
            links_time (end->links, world.now_ms);
            links_flush (end->links);
        }
        deliver (&world.ends[1], FRAMES_MAX);
        deliver (&world.ends[2], FRAMES_MAX);
    }
}

static void put (struct end *end, enum zab_message_type type)
{
    struct zab_message message = {.type = type, .peer = 3 - end->id, .role = ZAB_LOOKING};
    if (type == ZAB_TRY) {
        message.zxid = ++end->put;
    }
    links_message (end->links, &message);
}

static void test_messages (void **state)
{
    (void) state;
    struct end *a = &world.ends[1];
    struct end *b = &world.ends[2];
    put (a, ZAB_TRY); /* not up: dropped */
    run (20);
    assert_true (a->up && b->up);
    assert_int_equal (b->got, 0);
    put (a, ZAB_TRY);
    put (a, ZAB_TRY);
    run (1);
    assert_int_equal (b->got, 3);
    assert_int_equal (links_store_id (a->links, 2), 102);
    assert_int_equal (links_store_id (a->links, 7), 0);
    assert_false (links_is_up (a->links, 7));
}

/* What waits when the link goes down is gone. */
static void test_nothing_survives (void **state)
{
    (void) state;
    struct end *a = &world.ends[1];
    struct end *b = &world.ends[2];
    run (20);
    for (int way = 0; way < 3; way++) {
        a->full = way == 1; /* then it is stuck behind the pipe */
        put (a, ZAB_TRY);
        put (a, ZAB_VOTE);
        links_forward (a->links, 2, (const uint8_t *) "x", 1);
        if (way == 1) {
            links_flush (a->links);
        }
        if (way == 2) {
            links_reset (a->links, 2, "a test");
        } else {
            break_connection (a);
        }
        a->full = false;
        uint64_t got = b->got;
        uint64_t urgent = b->urgent_got;
        run (50);
        assert_true (a->up && b->up);
        assert_int_equal (b->got, got);
        assert_int_equal (b->urgent_got, urgent);
        put (a, ZAB_TRY);
        run (1);
        assert_int_equal (b->got, a->put);
    }
}

static void test_full_pipe (void **state)
{
    (void) state;
    struct end *a = &world.ends[1];
    run (20);
    a->full = true;
    for (int i = 0; i < 100; i++) {
        put (a, ZAB_TRY);
        run (1);
    }
    assert_int_equal (world.ends[2].got, 0);
    assert_true (links_deadline (a->links) <= world.now_ms + 10);
    a->full = false;
    run (5);
    assert_int_equal (world.ends[2].got, 100);
    assert_int_equal (a->downs, 0);
}

static void test_corrupt_frame (void **state)
{
    (void) state;
    struct end *a = &world.ends[1];
    struct end *b = &world.ends[2];
    run (20);
    put (a, ZAB_TRY);
    links_flush (a->links);
    assert_int_equal (a->frames_count, 1);
    struct frame *frame = &a->frames[0];
    frame->data[frame->size - 1] ^= 0xff; /* behind the header */
    frame->size--;
    deliver (a, 1);
    assert_int_equal (b->downs, 1);
    assert_int_equal (b->errors, 1);
    run (50);
    assert_true (a->up && b->up);
    assert_int_equal (a->downs, 1);
}

/* An address that is configured wrong: said once. */
static void test_wrong_address (void **state)
{
    (void) state;
    struct peer_frame frame;
    struct buf bytes;
    struct arena arena;
    memset (&frame, 0, sizeof frame);
    buf_init (&bytes);
    arena_init (&arena, 4096, 0);
    frame.header = (struct peer_header){2, 7, 5, 0, 0, 0}; /* it looks for 7 here */
    assert_true (peer_frame_encode (&bytes, &arena, &frame));
    for (int i = 0; i < 5; i++) {
        links_frame (world.ends[1].links, bytes.data, bytes.size);
    }
    assert_int_equal (world.ends[1].errors, 1);
    buf_clear (&bytes);
    frame.header = (struct peer_header){9, 1, 5, 0, 0, 0}; /* nobody knows 9 */
    assert_true (peer_frame_encode (&bytes, &arena, &frame));
    for (int i = 0; i < 5; i++) {
        links_frame (world.ends[1].links, bytes.data, bytes.size);
    }
    assert_int_equal (world.ends[1].errors, 2);
    arena_deinit (&arena);
    buf_deinit (&bytes);
}

static void test_random (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        if (seed > 1) {
            teardown (NULL);
            setup (NULL);
        }
        prng_seed (&world.prng, seed);
        for (int i = 0; i < 600; i++) {
            struct end *end = &world.ends[1 + prng_below (&world.prng, 2)];
            switch (prng_below (&world.prng, 60)) {
            case 0:
                break_connection (end);
                break;
            case 1:
                links_reset (end->links, 3 - end->id, "a test");
                break;
            case 2:
                drop_frames (end);
                break;
            case 3:
                end->full = !end->full;
                break;
            case 4: { /* another process */
                drop_frames (end);
                links_destroy (&end->links);
                end->up = end->connected = false;
                make (end, 1000 + (uint64_t) i * 100);
                break_connection (other (end));
                break;
            }
            default:
                put (end, ZAB_TRY);
                break;
            }
            world.now_ms++;
            for (uint32_t id = 1; id <= 2; id++) {
                connect_end (&world.ends[id]);
                links_time (world.ends[id].links, world.now_ms);
                links_flush (world.ends[id].links);
                deliver (&world.ends[id], (size_t) prng_below (&world.prng, 3));
            }
        }
        world.ends[1].full = world.ends[2].full = false;
        run (20);
        put (&world.ends[1], ZAB_TRY);
        put (&world.ends[2], ZAB_TRY);
        run (3000);
        if (!world.ends[1].up || !world.ends[2].up) {
            fail_msg ("seed %llu: not up", (unsigned long long) seed);
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown (test_nothing_survives, setup, teardown),
        cmocka_unit_test_setup_teardown (test_full_pipe, setup, teardown),
        cmocka_unit_test_setup_teardown (test_corrupt_frame, setup, teardown),
        cmocka_unit_test_setup_teardown (test_wrong_address, setup, teardown),
        cmocka_unit_test_setup_teardown (test_random, setup, teardown),
    };
    return cmocka_run_group_tests_name ("links", tests, NULL, NULL);
}
