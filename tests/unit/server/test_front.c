/* The clients' sockets: connections are numbered, and their end is proven before it is told. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/support/again.h"
#include "tests/support/witness.h"
#include "tests/unit/server/front_rig.h"

enum { KILLED_FRAMES = 500 }; /* of the process that is killed */

/* libzmq takes ports modulo 65536. */
static void test_endpoints_are_looked_at (void **state)
{
    static const char *const bad[] = {"tcp://127.0.0.1:70000",
                                      "tcp://127.0.0.1:65536",
                                      "tcp://127.0.0.1:",
                                      "tcp://127.0.0.1",
                                      "tcp://:0",
                                      "tcp://127.0.0.1:-1",
                                      "127.0.0.1:0",
                                      "udp://127.0.0.1:0",
                                      "inproc://",
                                      "tcp://127.0.0.1:0x1",
                                      "tcp://127.0.0.1:0000000"};
    char error[256];
    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct front_options options = {.context = context, .endpoints = bad[i]};
        error[0] = '\0';
        assert_int_equal (front_new (&options, &front, error, sizeof error), -EINVAL);
        assert_null (front);
        assert_memory_equal (error, "clients: ", 9);
        assert_non_null (strstr (error, bad[i]));
    }
    open_front ("tcp://127.0.0.1:*,tcp://127.0.0.1:0,inproc://a");
}

static void test_echo_on (const char *endpoints)
{
    char answer[16];
    open_front (endpoints);
    void *client = dealer (context, front_endpoint (front, 0));

    assert_int_equal (zmq_send (client, "hello", 5, 0), 5);
    turn_until (&seen.frames, 1);
    assert_int_equal (seen.last_size, 5);
    assert_memory_equal (seen.last, "hello", 5);
    assert_true (front_send (front, seen.last_frame, (const uint8_t *) "answer", 6));
    int size;
    while ((size = zmq_recv (client, answer, sizeof answer, 0)) == 0) {
        /* a probe: clients ignore empty frames */
    }
    assert_int_equal (size, 6);
    assert_memory_equal (answer, "answer", 6);

    uint64_t connection = seen.last_frame;
    assert_int_equal (zmq_close (client), 0);
    turn_until (&seen.closed, 1);
    assert_int_equal (seen.last_closed, connection);
    assert_true (front_send (front, connection, (const uint8_t *) "late", 4)); /* lost */
}

static void test_tcp (void **state)
{
    (void) state;
    test_echo_on ("tcp://127.0.0.1:*");
}

static void test_ipc (void **state)
{
    char endpoint[64];
    (void) state;
    (void) snprintf (endpoint, sizeof endpoint, "ipc:///tmp/cohort-front-%d", (int) getpid ());
    test_echo_on (endpoint);
}

/* libzmq leaves the socket's file behind. */
static int tear_down_ipc (void **state)
{
    char path[64];
    (void) snprintf (path, sizeof path, "/tmp/cohort-front-%d", (int) getpid ());
    return tear_down (state) | unlink (path);
}

static void test_inproc (void **state)
{
    (void) state;
    test_echo_on ("inproc://front");
}

/* Numbers are never used twice, descriptors are at once. */
static void test_many_reconnects (void **state)
{
    (void) state;
    open_front ("tcp://127.0.0.1:*");
    uint64_t last = 0;
    for (uint64_t i = 1; i <= 200; i++) {
        void *client = dealer (context, front_endpoint (front, 0));
        assert_int_equal (zmq_send (client, "x", 1, 0), 1);
        turn_until (&seen.frames, i);
        assert_true (seen.last_frame > last);
        last = seen.last_frame;
        assert_int_equal (zmq_close (client), 0);
    }
    turn_until (&seen.closed, 200);
}

/* Of a process of its own: sends its frames and, when the last one is answered, which proves that
 * all of them have left, a byte to the pipe; then it waits to be killed. */
static int be_client (const char *endpoint, int pipe_end)
{
    char reply;
    void *own = zmq_ctx_new ();
    void *client = zmq_socket (own, ZMQ_DEALER);
    if (zmq_connect (client, endpoint) != 0) {
        return 1;
    }
    for (int i = 0; i < KILLED_FRAMES; i++) {
        (void) zmq_send (client, "frame", 5, 0);
    }
    if (zmq_recv (client, &reply, 1, 0) != 1 || write (pipe_end, "r", 1) != 1) {
        return 1;
    }
    for (;;) {
        (void) pause ();
    }
}

/* A killed process: all that it got into the kernel is read before its end is told. */
static void test_killed_process (void **state)
{
    (void) state;
    open_front ("tcp://127.0.0.1:*");
    int ready[2];
    assert_int_equal (pipe (ready), 0);
    char pipe_end[AGAIN_NUMBER_SIZE];
    const char *const arguments[] = {front_endpoint (front, 0), again_number (pipe_end, ready[1]),
                                     NULL};
    pid_t child = again_start ("client", arguments);
    assert_true (child > 0);
    turn_until (&seen.frames, KILLED_FRAMES);
    assert_true (front_send (front, seen.last_frame, (const uint8_t *) "r", 1));
    char byte;
    (void) turn (witness_now_ms ());
    assert_int_equal (read (ready[0], &byte, 1), 1);
    struct witness *witness = witness_new ();
    int64_t killed_ms = witness_now_ms ();
    assert_int_equal (kill (child, SIGKILL), 0);
    turn_until (&seen.closed, 1);
    assert_int_equal (seen.frames_at_close, KILLED_FRAMES);
    int64_t told_ms = witness_now_ms ();
    assert_in_range (told_ms - killed_ms, 0, 1000 + witness_still_ms (witness, killed_ms, told_ms));
    witness_destroy (&witness);
    assert_int_equal (waitpid (child, NULL, 0), child);
    (void) close (ready[0]);
    (void) close (ready[1]);
}

static void test_dropped_comes_as_new (void **state)
{
    (void) state;
    open_front ("tcp://127.0.0.1:*");
    void *client = dealer (context, front_endpoint (front, 0));
    assert_int_equal (zmq_send (client, "a", 1, 0), 1);
    turn_until (&seen.frames, 1);
    uint64_t first = seen.last_frame;
    front_drop (front, first);
    assert_int_equal (zmq_send (client, "b", 1, 0), 1);
    turn_until (&seen.frames, 2);
    assert_true (seen.last_frame > first);
    assert_int_equal (zmq_close (client), 0);
    turn_until (&seen.closed, 1);
    assert_int_equal (seen.last_closed, seen.last_frame);
}

/* A client that reads nothing costs a bounded number of frames, and says so. */
static void test_full_pipe (void **state)
{
    static uint8_t big[65536];
    (void) state;
    open_front ("tcp://127.0.0.1:*");
    void *client = dealer (context, front_endpoint (front, 0));
    assert_int_equal (zmq_send (client, "a", 1, 0), 1);
    turn_until (&seen.frames, 1);
    size_t taken = 0;
    while (front_send (front, seen.last_frame, big, sizeof big)) {
        assert_true (++taken < 10000);
    }
    assert_int_equal (zmq_close (client), 0);
    turn_until (&seen.closed, 1); /* and its end is seen all the same */
}

static void test_multipart_and_empty_frames_are_ignored (void **state)
{
    (void) state;
    open_front ("tcp://127.0.0.1:*");
    void *client = dealer (context, front_endpoint (front, 0));
    assert_int_equal (zmq_send (client, "a", 1, ZMQ_SNDMORE), 1);
    assert_int_equal (zmq_send (client, "b", 1, 0), 1);
    assert_int_equal (zmq_send (client, "", 0, 0), 0);
    assert_int_equal (zmq_send (client, "c", 1, 0), 1);
    turn_until (&seen.frames, 1);
    assert_memory_equal (seen.last, "c", 1);
    assert_int_equal (zmq_close (client), 0);
}

/* The log says who sends what nobody can read, but not each time. */
static void test_malformed_frames_fill_no_log (void **state)
{
    enum { FRAMES = 200, TOLD = 10 };
    int64_t now_ms = witness_now_ms ();
    (void) state;
    open_front ("tcp://127.0.0.1:*");
    void *client = dealer (context, front_endpoint (front, 0));
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal (zmq_send (client, "a", 1, ZMQ_SNDMORE), 1);
        assert_int_equal (zmq_send (client, "b", 1, 0), 1);
    }
    assert_int_equal (zmq_send (client, "c", 1, 0), 1);
    while (seen.frames < 1) {
        (void) turn (now_ms);
    }
    assert_int_equal (seen.lines, TOLD);
    assert_non_null (strstr (seen.last_line, "frame-malformed from=client address=127.0.0.1 "));

    assert_int_equal (zmq_send (client, "a", 1, ZMQ_SNDMORE), 1);
    assert_int_equal (zmq_send (client, "b", 1, 0), 1);
    while (seen.lines < TOLD + 1) {
        (void) turn (now_ms + 1000);
    }
    assert_int_equal (seen.lines, TOLD + 2); /* how many more there were, and this one */
    assert_int_equal (zmq_close (client), 0);
}

/* The endpoint is free again the moment its front is gone, whatever is still connected. */
static void test_reopened (void **state)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:*", "inproc://front"};
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        char endpoint[64];
        open_front (endpoints[i]);
        (void) snprintf (endpoint, sizeof endpoint, "%s", front_endpoint (front, 0));
        void *client = dealer (context, endpoint);
        assert_int_equal (zmq_send (client, "a", 1, 0), 1);
        turn_until (&seen.frames, 1);
        for (int round = 0; round < 50; round++) {
            front_destroy (&front);
            open_front (endpoint);
        }
        front_destroy (&front);
        assert_int_equal (zmq_close (client), 0);
    }
}

static void test_port_in_use (void **state)
{
    char error[256] = "";
    struct front *second = NULL;
    (void) state;
    open_front ("tcp://127.0.0.1:*");
    struct front_options options = {.context = context,
                                    .endpoints = front_endpoint (front, 0),
                                    .handler = {&seen, on_frame, on_closed}};
    assert_int_equal (front_new (&options, &second, error, sizeof error), -EADDRINUSE);
    assert_null (second);
    assert_non_null (strstr (error, front_endpoint (front, 0)));
    assert_non_null (strstr (error, "another program has the port"));
}

/* A turn takes what can be served in a moment: large frames are many requests. */
static void test_a_turn_is_bounded_in_bytes (void **state)
{
    (void) state;
    enum { FRAMES = 64, A_TURN_MAX = 8 };
    static uint8_t big[65536] = "a frame";
    open_front ("inproc://front");
    void *client = dealer (context, "inproc://front");
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal (zmq_send (client, big, sizeof big, 0), sizeof big);
    }
    while (seen.frames < FRAMES) {
        uint64_t before = seen.frames;
        assert_true (turn (witness_now_ms ()));
        assert_in_range (seen.frames - before, 1, A_TURN_MAX);
    }
    assert_int_equal (zmq_close (client), 0);
}

/* One connection ends while another sends without end: the proof that the first one's input is
 * complete must not keep the core thread for itself. */
static void test_death_under_a_flood (void **state)
{
    (void) state;
    enum { FLOOD = 300000, FRAMES_MAX = 4096 };
    open_front ("inproc://front");
    void *victim = dealer (context, "inproc://front");
    void *flooder = zmq_socket (context, ZMQ_DEALER);
    int zero = 0;
    assert_int_equal (zmq_setsockopt (flooder, ZMQ_SNDHWM, &zero, sizeof zero), 0);
    assert_int_equal (zmq_setsockopt (flooder, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal (zmq_connect (flooder, "inproc://front"), 0);
    assert_int_equal (zmq_send (victim, "v", 1, 0), 1);
    turn_until (&seen.frames, 1);
    uint64_t number = seen.last_frame;
    for (int i = 0; i < 300; i++) {
        assert_int_equal (zmq_send (victim, "v", 1, 0), 1);
    }
    assert_int_equal (zmq_close (victim), 0);
    seen.flooder = flooder;
    seen.flood = FLOOD;
    assert_int_equal (zmq_send (flooder, "x", 1, 0), 1);
    int64_t limit = witness_now_ms () + LIMIT_MS;
    while (seen.closed == 0) {
        uint64_t before = seen.frames;
        assert_true (witness_now_ms () < limit);
        (void) turn (witness_now_ms ());
        assert_in_range (seen.frames - before, 0, FRAMES_MAX);
    }
    assert_int_equal (seen.last_closed, number);
    assert_true (seen.frames_at_close >= 301);
    seen.flood = 0;
    assert_int_equal (zmq_close (flooder), 0);
}

/* A client that says nothing is woken now and then, not all the time; and when it goes that is seen
 * all the same, in a turn without any time in between. */
static void test_inproc_at_rest (void **state)
{
    (void) state;
    enum { SECONDS = 10, PROBES_MAX = 40 };
    open_front ("inproc://front");
    void *client = dealer (context, "inproc://front");
    int64_t now_ms = 1000;
    char frame[16];
    size_t probes = 0;
    assert_int_equal (zmq_send (client, "hello", 5, 0), 5);
    while (seen.frames < 1) {
        (void) turn (now_ms);
    }
    for (int64_t end_ms = now_ms + SECONDS * 1000; now_ms < end_ms; now_ms++) {
        (void) turn (now_ms);
        while (zmq_recv (client, frame, sizeof frame, ZMQ_DONTWAIT) == 0) {
            probes++;
        }
    }
    print_message ("%zu probes in %d s\n", probes, SECONDS);
    assert_in_range (probes, SECONDS, PROBES_MAX);
    assert_int_equal (zmq_disconnect (client, "inproc://front"), 0);
    for (int turns = 0; turns < 3 && seen.closed == 0; turns++) {
        (void) turn (now_ms + 10);
    }
    assert_int_equal (seen.closed, 1);
    assert_int_equal (zmq_close (client), 0);
}

int main (int argc, char **argv)
{
    if (argc == 3 && strcmp (argv[0], "client") == 0) {
        return be_client (argv[1], (int) strtol (argv[2], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        FRONT_TEST (test_endpoints_are_looked_at),
        FRONT_TEST (test_tcp),
        cmocka_unit_test_setup_teardown (test_ipc, set_up, tear_down_ipc),
        FRONT_TEST (test_inproc),
        FRONT_TEST (test_many_reconnects),
        FRONT_TEST (test_killed_process),
        FRONT_TEST (test_dropped_comes_as_new),
        FRONT_TEST (test_full_pipe),
        FRONT_TEST (test_multipart_and_empty_frames_are_ignored),
        FRONT_TEST (test_malformed_frames_fill_no_log),
        FRONT_TEST (test_reopened),
        FRONT_TEST (test_port_in_use),
        FRONT_TEST (test_inproc_at_rest),
        FRONT_TEST (test_a_turn_is_bounded_in_bytes),
        FRONT_TEST (test_death_under_a_flood),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
