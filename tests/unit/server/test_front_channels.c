/* The clients' sockets: sessions that share a connection. */

#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/bundle.h"
#include "tests/support/witness.h"
#include "tests/unit/server/front_rig.h"

static void *client;

static void begin (const char *endpoint)
{
    open_front (endpoint);
    client = dealer (context, front_endpoint (front, 0));
}

static void end (void)
{
    assert_int_equal (zmq_close (client), 0);
}

static void put (struct bundle *bundle, uint32_t channel, const char *text)
{
    bundle_put (bundle, channel, text, strlen (text));
}

static void send_bundle (struct bundle *bundle)
{
    assert_int_equal (zmq_send (client, bundle->buf.data, bundle->buf.size, 0), bundle->buf.size);
    bundle_deinit (bundle);
}

static void send_letter (uint32_t channel, const char *text)
{
    struct bundle bundle = {.letters = 0};
    put (&bundle, channel, text);
    send_bundle (&bundle);
}

/* The number that the front has given a channel of the client. */
static uint64_t number_of (uint32_t channel)
{
    send_letter (channel, "hello");
    turn_until (&seen.frames, seen.frames + 1);
    return seen.last_frame;
}

/* The next message to the client that is no probe. */
static size_t receive (void *bytes, size_t size)
{
    int got;
    while ((got = zmq_recv (client, bytes, size, 0)) == 0) {
    }
    assert_in_range (got, 1, size);
    return (size_t) got;
}

static bool send_to (uint64_t number, const char *text)
{
    return front_send (front, number, (const uint8_t *) text, strlen (text));
}

static void test_channels_are_connections_of_their_own_on (const char *endpoint)
{
    begin (endpoint);
    struct bundle bundle = {.letters = 0};
    put (&bundle, 5, "a");
    put (&bundle, 9, "b");
    put (&bundle, 5, "c");
    send_bundle (&bundle);
    turn_until (&seen.frames, 3);
    assert_memory_equal (seen.last, "c", 1);
    uint64_t five = number_of (5), nine = number_of (9);
    assert_true (five != nine);

    /* The answers of a turn are one message; what does not fit its kind is another. */
    assert_int_equal (zmq_send (client, "bare", 4, 0), 4);
    turn_until (&seen.frames, 6);
    assert_memory_equal (seen.last, "bare", 4);
    uint64_t bare = seen.last_frame;
    assert_true (bare != five && bare != nine);
    assert_true (send_to (nine, "to nine"));
    assert_true (send_to (five, "to five"));
    assert_true (send_to (five, ""));
    assert_true (send_to (bare, "to all"));
    front_flush (front);
    char bytes[64];
    assert_int_equal (receive (bytes, sizeof bytes), 6);
    assert_memory_equal (bytes, "to all", 6);
    put (&bundle, 9, "to nine");
    put (&bundle, 5, "to five");
    put (&bundle, 5, "");
    assert_int_equal (receive (bytes, sizeof bytes), bundle.buf.size);
    assert_memory_equal (bytes, bundle.buf.data, bundle.buf.size);
    bundle_deinit (&bundle);

    /* The end of the connection is the end of each. */
    end ();
    turn_until (&seen.closed, 3);
    assert_true (send_to (five, "lost"));
    assert_true (send_to (nine, "lost"));
    front_flush (front);
}

static void test_channels_are_connections_of_their_own (void **state)
{
    (void) state;
    test_channels_are_connections_of_their_own_on ("tcp://127.0.0.1:*");
    front_destroy (&front);
    test_channels_are_connections_of_their_own_on ("inproc://front");
}

/* A session that moves away leaves its connection to the others. */
static void test_one_channel_ends (void **state)
{
    (void) state;
    begin ("tcp://127.0.0.1:*");
    uint64_t one = number_of (1), two = number_of (2);
    struct bundle bundle = {.letters = 0};
    put (&bundle, 1, "last");
    put (&bundle, 1, "");
    put (&bundle, 3, ""); /* which has never begun */
    put (&bundle, 2, "goes on");
    send_bundle (&bundle);
    turn_until (&seen.frames, 4);
    assert_int_equal (seen.closed, 1);
    assert_int_equal (seen.last_closed, one);
    assert_int_equal (seen.frames_at_close, 3);
    assert_int_equal (seen.last_frame, two);
    assert_true (send_to (one, "lost"));
    /* The client does not use a number twice; if it did, it would not be who it was. */
    assert_true (number_of (1) > two);
    assert_int_equal (number_of (2), two);
    end ();
    turn_until (&seen.closed, 3);
}

static void test_dropped_channel_comes_as_new (void **state)
{
    (void) state;
    begin ("tcp://127.0.0.1:*");
    uint64_t one = number_of (1), two = number_of (2);
    assert_true (send_to (one, "refused"));
    front_drop (front, one);
    front_flush (front); /* what was said before is said all the same */
    char bytes[64];
    assert_int_equal (receive (bytes, sizeof bytes), BUNDLE_OVERHEAD + 7);
    assert_true (number_of (1) > two);
    assert_int_equal (number_of (2), two);
    end ();
    turn_until (&seen.closed, 2);
}

/* What nobody can read ends all that may have been in it, and costs no others. */
static void test_malformed_bundle (void **state)
{
    static const char bad[] = {0, 1, 0, 0, 0, 9, 0, 0, 0, 'x'};
    (void) state;
    begin ("tcp://127.0.0.1:*");
    void *other = dealer (context, front_endpoint (front, 0));
    assert_int_equal (zmq_send (other, "other", 5, 0), 5);
    turn_until (&seen.frames, 1);
    uint64_t one = number_of (1), two = number_of (2);
    assert_int_equal (zmq_send (client, bad, sizeof bad, 0), sizeof bad);
    turn_until (&seen.closed, 2);
    assert_int_equal (seen.frames, 3);
    assert_true (send_to (one, "lost"));
    assert_true (number_of (1) > two);
    end ();
    turn_until (&seen.closed, 3);
    assert_int_equal (zmq_close (other), 0);
    turn_until (&seen.closed, 4);
}

/* Whoever sends little must not make the server keep much. */
static void test_channels_are_bounded (void **state)
{
    (void) state;
    begin ("inproc://front");
    for (uint32_t channel = 1; channel <= BUNDLE_CHANNELS_MAX + BUNDLE_LETTERS_MAX;) {
        struct bundle bundle = {.letters = 0};
        for (; !bundle_full (&bundle); channel++) {
            put (&bundle, channel, "x");
        }
        send_bundle (&bundle);
        (void) turn (witness_now_ms ());
    }
    turn_until (&seen.frames, BUNDLE_CHANNELS_MAX);
    while (turn (witness_now_ms ())) {
    }
    assert_int_equal (seen.frames, BUNDLE_CHANNELS_MAX);
    send_letter (1, ""); /* makes room for another */
    turn_until (&seen.closed, 1);
    assert_int_equal (number_of (BUNDLE_CHANNELS_MAX + 1), BUNDLE_CHANNELS_MAX + 1);
    end ();
    turn_until (&seen.closed, BUNDLE_CHANNELS_MAX + 1);
}

/* A flood of letters is a flood: a turn ends with the message that makes it enough. */
static void test_a_turn_is_bounded_in_letters (void **state)
{
    (void) state;
    enum { BUNDLES = 20 };
    begin ("inproc://front");
    for (int i = 0; i < BUNDLES; i++) {
        struct bundle bundle = {.letters = 0};
        while (!bundle_full (&bundle)) {
            put (&bundle, 1, "x");
        }
        send_bundle (&bundle);
    }
    while (seen.frames < BUNDLES * BUNDLE_LETTERS_MAX) {
        uint64_t before = seen.frames;
        assert_true (turn (witness_now_ms ()));
        assert_in_range (seen.frames - before, 1, BUNDLE_LETTERS_MAX);
    }
    end ();
}

/* A process that reads nothing costs a bounded number of bytes, whatever its sessions are sent, and
 * nobody else. */
static void test_full_pipe (void **state)
{
    static uint8_t half[BUNDLE_BYTES / 2], large[4 * BUNDLE_BYTES];
    (void) state;
    begin ("tcp://127.0.0.1:*");
    void *other = dealer (context, front_endpoint (front, 0));
    assert_int_equal (zmq_send (other, "other", 5, 0), 5);
    turn_until (&seen.frames, 1);
    uint64_t others = seen.last_frame, one = number_of (1), two = number_of (2);
    size_t taken = 0;
    while (front_send (front, taken % 2 == 0 ? one : two, half, sizeof half)) {
        assert_true (++taken < 10000);
    }
    assert_false (front_send (front, one, large, sizeof large));
    assert_false (front_send (front, two, half, 1));
    assert_true (front_deadline (front) < INT64_MAX);
    assert_true (send_to (others, "x"));
    char byte;
    int size;
    while ((size = zmq_recv (other, &byte, 1, 0)) == 0) {
    }
    assert_int_equal (size, 1);
    /* Once it reads again, all that was taken comes. */
    uint8_t *bytes = mem_alloc (2 * BUNDLE_BYTES);
    size_t came = 0;
    int64_t limit = witness_now_ms () + LIMIT_MS;
    while (came < taken) {
        struct reader reader;
        struct letter letter;
        size_t letters;
        assert_true (witness_now_ms () < limit);
        (void) turn (witness_now_ms ());
        front_flush (front);
        size = zmq_recv (client, bytes, 2 * BUNDLE_BYTES, ZMQ_DONTWAIT);
        if (size > 0) {
            assert_true (bundle_open (&reader, bytes, (size_t) size, &letters));
            for (; bundle_next (&reader, &letter); came++) {
                assert_int_equal (letter.channel, came % 2 == 0 ? 1 : 2);
                assert_int_equal (letter.size, sizeof half);
            }
        }
    }
    mem_free (bytes);
    end ();
    turn_until (&seen.closed, 2);
    assert_int_equal (zmq_close (other), 0);
}

static void test_large_frame (void **state)
{
    enum { SIZE = 3 * BUNDLE_BYTES };
    (void) state;
    begin ("tcp://127.0.0.1:*");
    uint64_t one = number_of (1), two = number_of (2);
    uint8_t *bytes = mem_calloc (1, SIZE + BUNDLE_OVERHEAD);
    bytes[SIZE - 1] = 'z';
    assert_true (send_to (one, "small")); /* goes first: frames of a channel keep their order */
    assert_true (front_send (front, one, bytes, SIZE));
    assert_true (send_to (two, "small"));
    front_flush (front);
    assert_int_equal (receive (bytes, SIZE + BUNDLE_OVERHEAD), BUNDLE_OVERHEAD + 5);
    assert_int_equal (receive (bytes, SIZE + BUNDLE_OVERHEAD), BUNDLE_OVERHEAD + SIZE);
    struct reader reader;
    struct letter letter;
    size_t letters;
    assert_true (bundle_open (&reader, bytes, SIZE + BUNDLE_OVERHEAD, &letters));
    assert_true (bundle_next (&reader, &letter));
    assert_int_equal (letter.channel, 1);
    assert_int_equal (letter.size, SIZE);
    assert_int_equal (letter.data[SIZE - 1], 'z');
    assert_int_equal (receive (bytes, SIZE + BUNDLE_OVERHEAD), BUNDLE_OVERHEAD + 5);
    mem_free (bytes);
    end ();
    turn_until (&seen.closed, 2);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST (test_channels_are_connections_of_their_own),
        FRONT_TEST (test_one_channel_ends),
        FRONT_TEST (test_dropped_channel_comes_as_new),
        FRONT_TEST (test_malformed_bundle),
        FRONT_TEST (test_channels_are_bounded),
        FRONT_TEST (test_a_turn_is_bounded_in_letters),
        FRONT_TEST (test_full_pipe),
        FRONT_TEST (test_large_frame),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
