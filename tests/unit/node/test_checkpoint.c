/* How fast a server writes a snapshot of its own state, over a store in memory. */

#include "tests/unit/unit.h"

#include <string.h>

#include "server/node/checkpoint.h"
#include "tests/unit/node/stored_server.h"

enum { LOG_LIMIT = 64 << 10, SLICE = 4 << 10 };

static struct world {
    struct server server;
    struct checkpoint checkpoint;
    int64_t now_ms;
} world;

/* One is due: the state is of 2 MiB, and the log longer. */
static int setup (void **state)
{
    (void) state;
    struct logger logger = {NULL, NULL, LOG_ERROR};
    memset (&world, 0, sizeof world);
    world.now_ms = 1000;
    server_init (&world.server, 1);
    checkpoint_init (&world.checkpoint, world.server.store, LOG_LIMIT, SLICE, &logger);
    server_create (&world.server, 512, 4096, 0);
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    checkpoint_deinit (&world.checkpoint);
    server_deinit (&world.server);
    return 0;
}

/* As the core does: again while there is more at once. */
static void turn (void)
{
    while (checkpoint_turn (&world.checkpoint, world.server.tree, world.server.applied,
                            world.now_ms)) {
        server_work (&world.server);
    }
    server_work (&world.server);
}

static void pass (int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        world.now_ms++;
        turn ();
    }
}

static bool is_written (void)
{
    return world.checkpoint.snapshot == NULL;
}

/* A part of the pace's own size may be ahead of it. */
static void assert_about (uint64_t bytes)
{
    assert_in_range (world.checkpoint.written, bytes, bytes + SLICE + 8192);
}

static void test_no_faster_than_needed (void **state)
{
    (void) state;
    turn ();
    assert_about (0);
    pass (10);
    assert_about (10 * CHECKPOINT_PACE);
    turn ();
    turn ();
    assert_about (10 * CHECKPOINT_PACE);
    pass (10);
    assert_about (20 * CHECKPOINT_PACE);
}

/* It is woken for that, and not before. */
static void test_deadline (void **state)
{
    (void) state;
    assert_int_equal (checkpoint_deadline (&world.checkpoint), INT64_MAX);
    turn ();
    for (unsigned turns = 0; !is_written (); turns++) {
        assert_in_range (turns, 0, 1000);
        uint64_t written = world.checkpoint.written;
        int64_t deadline = checkpoint_deadline (&world.checkpoint);
        assert_in_range (deadline, world.now_ms + 1, world.now_ms + 2);
        world.now_ms = deadline;
        turn ();
        assert_true (is_written () || world.checkpoint.written > written);
    }
    assert_int_equal (checkpoint_deadline (&world.checkpoint), INT64_MAX);
    assert_in_range (world.now_ms, 1000 + (2 << 20) / CHECKPOINT_PACE,
                     1000 + (3 << 20) / CHECKPOINT_PACE);
    turn ();
    assert_int_equal (checkpoint_done (&world.checkpoint), 1);
}

/* Else the log would grow beyond what a start is to apply. */
static void test_faster_while_the_log_grows (void **state)
{
    (void) state;
    turn ();
    uint64_t before = store_log_bytes (world.server.store);
    server_create (&world.server, 4, 50 << 10, 0);
    turn ();
    uint64_t grown = store_log_bytes (world.server.store) - before;
    assert_true (grown >= 200 << 10);
    assert_about (grown * CHECKPOINT_PACE_LOG);
    assert_in_range (checkpoint_deadline (&world.checkpoint), world.now_ms + 1, world.now_ms + 2);
    server_create (&world.server, 1, 50 << 10, 0);
    assert_true (checkpoint_deadline (&world.checkpoint) <= world.now_ms);
}

static void test_at_once_if_somebody_waits (void **state)
{
    (void) state;
    turn ();
    assert_false (is_written ());
    assert_false (checkpoint_ready (&world.checkpoint, 1, world.server.applied.zxid));
    assert_true (checkpoint_deadline (&world.checkpoint) <= world.now_ms);
    turn ();
    assert_true (is_written ());
}

static void test_at_once_if_it_was_asked_for (void **state)
{
    (void) state;
    checkpoint_want (&world.checkpoint);
    turn ();
    assert_true (is_written ());
}

static bool is_bounded (void)
{
    struct bounds bounds = {.what = NULL};
    checkpoint_bounds (&world.checkpoint, &bounds);
    return bounds.what == NULL;
}

/* However large the state is, and however slow the disk: so much is in memory, and no more. */
static void test_bounded (void **state)
{
    (void) state;
    server_create (&world.server, 3 * CHECKPOINT_PENDING_MAX / 4096, 4096, 0);
    checkpoint_want (&world.checkpoint);
    while (checkpoint_turn (&world.checkpoint, world.server.tree, world.server.applied,
                            world.now_ms)) {
        assert_true (is_bounded ());
    }
    assert_true (is_bounded ());
    assert_false (is_written ()); /* there is more, and it waits: */
    assert_true (store_writer_pending (world.checkpoint.writer) > CHECKPOINT_PENDING_MAX);
    store_writer_append (world.checkpoint.writer, world.checkpoint.slice.data,
                         world.checkpoint.slice.size);
    static const uint8_t more[CHECKPOINT_BLOCK];
    store_writer_append (world.checkpoint.writer, more, sizeof more);
    store_writer_append (world.checkpoint.writer, more, sizeof more);
    assert_false (is_bounded ());
}

/* Nobody is disturbed, and who is killed then starts soon. */
static void test_at_once_in_the_calm (void **state)
{
    struct logger logger = {NULL, NULL, LOG_ERROR};
    (void) state;
    checkpoint_init (&world.checkpoint, world.server.store, 0, SLICE, &logger);
    server_create (&world.server, CHECKPOINT_CALM_BYTES / 4096, 4096, 0);
    turn ();
    assert_false (checkpoint_busy (&world.checkpoint)); /* that is not yet known */
    world.now_ms += CHECKPOINT_CALM_MS;
    turn ();
    assert_true (checkpoint_busy (&world.checkpoint) && is_written ());
}

/* While another server writes one; but not for ever: the log grows. */
static void test_in_turn (void **state)
{
    uint64_t limit = 4 << 20;
    struct logger logger = {NULL, NULL, LOG_ERROR};
    (void) state;
    checkpoint_init (&world.checkpoint, world.server.store, limit, SLICE, &logger);
    checkpoint_set_turn (&world.checkpoint, false);
    turn ();
    assert_false (checkpoint_due (&world.checkpoint)); /* the log has 2 MiB */
    server_create (&world.server, 600, 4096, 0);
    turn ();
    assert_true (checkpoint_due (&world.checkpoint));
    assert_false (checkpoint_at_it (&world.checkpoint));
    checkpoint_set_turn (&world.checkpoint, true);
    assert_true (checkpoint_at_it (&world.checkpoint));
    turn ();
    assert_true (checkpoint_busy (&world.checkpoint));
    checkpoint_set_turn (&world.checkpoint, false); /* it has begun */
    assert_true (checkpoint_at_it (&world.checkpoint));
}

static void test_not_in_turn_for_ever (void **state)
{
    uint64_t limit = 4 << 20;
    struct logger logger = {NULL, NULL, LOG_ERROR};
    (void) state;
    checkpoint_init (&world.checkpoint, world.server.store, limit, SLICE, &logger);
    checkpoint_set_turn (&world.checkpoint, false);
    while (store_log_bytes (world.server.store) + (16 << 10) <
           limit + limit / CHECKPOINT_PATIENCE) {
        server_create (&world.server, 1, 4096, 0);
        turn ();
        assert_false (checkpoint_busy (&world.checkpoint));
    }
    server_create (&world.server, 16, 4096, 0);
    turn ();
    assert_true (checkpoint_busy (&world.checkpoint));
}

static void test_not_in_turn_if_somebody_waits (void **state)
{
    (void) state;
    checkpoint_set_turn (&world.checkpoint, false);
    checkpoint_want (&world.checkpoint);
    turn ();
    assert_true (is_written ());
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_no_faster_than_needed, setup, teardown),
        cmocka_unit_test_setup_teardown (test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown (test_faster_while_the_log_grows, setup, teardown),
        cmocka_unit_test_setup_teardown (test_at_once_if_somebody_waits, setup, teardown),
        cmocka_unit_test_setup_teardown (test_at_once_if_it_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown (test_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown (test_at_once_in_the_calm, setup, teardown),
        cmocka_unit_test_setup_teardown (test_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown (test_not_in_turn_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown (test_not_in_turn_if_somebody_waits, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
