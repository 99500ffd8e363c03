/* Two links and a network between them that loses, delays and repeats what the test says. */

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "client/base/prng.h"
#include "tests/unit/node/link_pair.h"

/* ---- The handshake --------------------------------------------------------------------------- */

static void test_comes_up (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    run (&pair, 3);
    assert_string_equal (pair.trace, "b up; a up; ");
    assert_int_equal (pair.a.link.peer_store_id, 102);
    assert_int_equal (pair.b.link.peer_store_id, 101);
    send_data (&pair.a, 0);
    send_data (&pair.a, 0);
    send_data (&pair.b, 0);
    forget_trace (&pair);
    run (&pair, 1);
    assert_string_equal (pair.trace, "b got 1; b got 2; a got 1; ");
    /* Nothing is repeated on a link that is up. */
    run (&pair, 1000);
    assert_int_equal (pair.a.link.mine, 10);
    assert_int_equal (pair.b.link.mine, 20);
    assert_string_equal (pair.trace, "b got 1; b got 2; a got 1; ");
    pair_deinit (&pair);
}

/* Whatever frames of the handshake are lost, HELLO is repeated until both are up. */
static void test_hello_lost (void **state)
{
    (void) state;
    for (unsigned mask = 0; mask < 256; mask++) {
        struct pair pair;
        pair_init (&pair);
        unsigned frames = 0;
        for (int i = 0; i < 1500 && !(pair.a.link.up && pair.b.link.up); i++) {
            pair.now_ms++;
            act (&pair, &pair.a, true);
            act (&pair, &pair.b, true);
            while (pair.a.wire_count + pair.b.wire_count > 0) {
                struct end *from = pair.a.wire_count > 0 ? &pair.a : &pair.b;
                if (frames < 8 && (mask >> frames & 1) != 0) {
                    lose (from, 1);
                } else {
                    deliver (&pair, from, 1);
                }
                frames++;
            }
        }
        assert_true (pair.a.link.up && pair.b.link.up);
        pair_deinit (&pair);
    }
}

static void test_hello_backs_off (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    unsigned hellos = 0;
    for (int i = 0; i < 2000; i++) {
        pair.now_ms++;
        act (&pair, &pair.a, true);
        hellos += (unsigned) pair.a.wire_count;
        lose (&pair.a, WIRE_MAX);
    }
    assert_in_range (hellos, 2000 / LINK_HELLO_MAX_MS, 2000 / LINK_HELLO_MAX_MS + 6);
    pair_deinit (&pair);
}

static void test_connect_backs_off (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    int64_t last_ms = 0;
    int64_t gap_ms = 0;
    unsigned attempts = 0;
    for (int i = 0; i < 10000; i++) {
        pair.now_ms++;
        link_time (&pair.a.link, pair.now_ms);
        if (link_take_connect (&pair.a.link)) {
            link_disconnected (&pair.a.link);
            gap_ms = pair.now_ms - last_ms;
            last_ms = pair.now_ms;
            attempts++;
            if (attempts == 2) {
                assert_int_equal (gap_ms, LINK_BACKOFF_MIN_MS);
            }
        }
    }
    assert_int_equal (gap_ms, LINK_BACKOFF_MAX_MS);
    assert_in_range (attempts, 12, 20);
    /* A peer that greets lives: no reason to wait on. */
    struct peer_frame hello;
    act (&pair, &pair.b, true);
    assert_int_equal (pair.b.wire_count, 1);
    hello = pair.b.wire[0];
    pair.now_ms += LINK_BACKOFF_MIN_MS;
    link_time (&pair.a.link, pair.now_ms);
    receive (&pair, &pair.a, &hello);
    assert_true (link_deadline (&pair.a.link) <= pair.now_ms);
    pair_deinit (&pair);
}

static void test_connection_that_never_comes (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    link_time (&pair.a.link, pair.now_ms);
    assert_true (link_take_connect (&pair.a.link));
    pair.now_ms = link_deadline (&pair.a.link);
    assert_int_equal (pair.now_ms, 1000 + LINK_CONNECT_MAX_MS);
    link_time (&pair.a.link, pair.now_ms);
    assert_false (link_take_connect (&pair.a.link));
    pair.now_ms = link_deadline (&pair.a.link);
    link_time (&pair.a.link, pair.now_ms);
    assert_true (link_take_connect (&pair.a.link));
    pair_deinit (&pair);
}

/* ---- Ends of a link -------------------------------------------------------------------------- */

static void test_gap (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    send_data (&pair.a, 0);
    send_data (&pair.a, 0);
    send_data (&pair.a, 0);
    deliver (&pair, &pair.a, 1);
    lose (&pair.a, 1);
    deliver (&pair, &pair.a, 1);
    assert_string_equal (pair.trace, "b got 1; b down; ");
    assert_int_equal (pair.b.link.mine, 21);
    run (&pair, 3);
    assert_string_equal (pair.trace, "b got 1; b down; a down; b up; a up; ");
    /* Each has raised its number once. */
    assert_int_equal (pair.a.link.mine, 11);
    assert_int_equal (pair.b.link.mine, 21);
    pair_deinit (&pair);
}

/* The frame that is missing was the last before silence: the answer to a HELLO shows it. */
static void test_gap_before_hello (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    act (&pair, &pair.a, true);
    act (&pair, &pair.b, true);
    deliver (&pair, &pair.a, 1); /* b knows a */
    lose (&pair.b, 1);
    act (&pair, &pair.b, true);
    deliver (&pair, &pair.b, 1); /* a is up, b not yet */
    assert_string_equal (pair.trace, "a up; ");
    act (&pair, &pair.a, true);
    lose (&pair.a, WIRE_MAX); /* a's acknowledgement */
    send_data (&pair.a, 0);
    lose (&pair.a, WIRE_MAX); /* and what it has to say */
    run (&pair, 300);
    assert_string_equal (pair.trace, "a up; a down; b up; a up; ");
    pair_deinit (&pair);
}

static void test_connection_ends (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    send_data (&pair.a, 0);
    send_data (&pair.b, 0);
    link_disconnected (&pair.a.link);
    take_events (&pair, &pair.a);
    assert_string_equal (pair.trace, "a down; ");
    assert_int_equal (pair.a.link.mine, 11);
    /* What a sent before still arrives at b, and what b sent to the old a does not. */
    run (&pair, 20);
    assert_string_equal (pair.trace, "a down; b got 1; b down; a up; b up; ");
    assert_int_equal (pair.a.link.mine, 11);
    assert_int_equal (pair.b.link.mine, 21);
    pair_deinit (&pair);
}

static void test_reset (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    link_reset (&pair.a.link, "a test");
    link_reset (&pair.a.link, "again"); /* once */
    take_events (&pair, &pair.a);
    assert_int_equal (pair.a.link.mine, 11);
    run (&pair, 20);
    assert_string_equal (pair.trace, "a down; b down; a up; b up; ");
    pair_deinit (&pair);
}

/* Up and down before anybody asked: nobody hears of it. */
static void test_unseen_up (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    act (&pair, &pair.a, true);
    act (&pair, &pair.b, true);
    struct peer_frame hello = pair.a.wire[0];
    assert_false (link_receive (&pair.b.link, &hello, 0));
    act (&pair, &pair.b, true);
    lose (&pair.b, 1);
    struct peer_frame ack = pair.b.wire[0];
    assert_true (ack.has_hello_ack);
    assert_false (link_receive (&pair.a.link, &ack, 0));
    assert_true (pair.a.link.up);
    link_reset (&pair.a.link, "a test");
    take_events (&pair, &pair.a);
    assert_string_equal (pair.trace, "");
    pair_deinit (&pair);
}

/* A process that starts again has a higher number. */
static void test_peer_restarts (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    send_data (&pair.b, 0);
    struct peer_frame late = pair.b.wire[0];
    lose (&pair.b, 1);
    link_deinit (&pair.b.link);
    end_init (&pair.b, 2, 1, 1000, pair.now_ms);
    run (&pair, 30);
    assert_string_equal (pair.trace, "a down; b up; a up; ");
    assert_int_equal (pair.a.link.mine, 11);
    /* What the old process had sent comes late: dropped, without an answer. */
    forget_trace (&pair);
    receive (&pair, &pair.a, &late);
    act (&pair, &pair.a, true);
    assert_int_equal (pair.a.wire_count, 0);
    assert_string_equal (pair.trace, "");
    assert_true (pair.a.link.up);
    pair_deinit (&pair);
}

/* A HELLO of an earlier incarnation comes behind the new one's. */
static void test_stale_hello (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    act (&pair, &pair.b, true);
    struct peer_frame old = pair.b.wire[0];
    lose (&pair.b, 1);
    link_deinit (&pair.b.link);
    end_init (&pair.b, 2, 1, 1000, pair.now_ms);
    run (&pair, 3);
    assert_true (pair.a.link.up && pair.b.link.up);
    forget_trace (&pair);
    receive (&pair, &pair.a, &old);
    act (&pair, &pair.a, true);
    assert_int_equal (pair.a.wire_count, 0);
    assert_int_equal (pair.a.link.mine, 10);
    assert_true (pair.a.link.up);
    pair_deinit (&pair);
}

/* The clock of a machine moved back: its new process has a lower number. Once the old connection
 * is known to be dead that does not matter. */
static void test_lower_incarnation (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    link_deinit (&pair.b.link);
    end_init (&pair.b, 2, 1, 5, pair.now_ms);
    run (&pair, 50);
    assert_string_equal (pair.trace, "");
    assert_false (pair.b.link.up);
    link_disconnected (&pair.a.link);
    run (&pair, 300);
    assert_string_equal (pair.trace, "a down; a up; b up; ");
    pair_deinit (&pair);
}

static void test_repeated_frames (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    send_data (&pair.a, 0);
    send_data (&pair.a, 0);
    struct peer_frame first = pair.a.wire[0];
    deliver (&pair, &pair.a, 2);
    receive (&pair, &pair.b, &first);
    assert_string_equal (pair.trace, "b got 1; b got 2; ");
    assert_true (pair.b.link.up);
    pair_deinit (&pair);
}

/* a's own connection swallows everything, without an error: a fresh one is made after a while. */
static void test_half_dead (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    link_reset (&pair.b.link, "silence"); /* b notices first, and can still speak */
    bool fresh = false;
    for (int i = 0; i < 3 * LINK_GREETING_MAX_MS && !(pair.a.link.up && pair.b.link.up); i++) {
        pair.now_ms++;
        link_time (&pair.a.link, pair.now_ms);
        if (link_take_connect (&pair.a.link)) {
            link_connected (&pair.a.link);
            fresh = true;
        }
        act (&pair, &pair.a, true);
        act (&pair, &pair.b, true);
        deliver (&pair, &pair.b, WIRE_MAX);
        if (fresh) {
            deliver (&pair, &pair.a, WIRE_MAX);
        } else {
            lose (&pair.a, WIRE_MAX);
        }
    }
    assert_true (fresh);
    assert_true (pair.a.link.up && pair.b.link.up);
    pair_deinit (&pair);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void test_other_cluster (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    pair.a.identity.has_cluster = pair.b.identity.has_cluster = true;
    pair.a.identity.cluster_id[0] = 1;
    pair.b.identity.cluster_id[0] = 2;
    run (&pair, 1000);
    assert_false (pair.a.link.up || pair.b.link.up);
    assert_int_equal (pair.a.refusals, 1);
    assert_int_equal (pair.b.refusals, 1);
    /* One of them is emptied: it may come in. */
    pair.b.identity.has_cluster = false;
    memset (pair.b.identity.cluster_id, 0, PEER_CLUSTER_SIZE);
    run (&pair, 300);
    assert_true (pair.a.link.up && pair.b.link.up);
    pair_deinit (&pair);
}

/* Who is refused is not silent: nothing else is wrong. */
static void test_refused_speaks (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    pair.a.identity.has_cluster = pair.b.identity.has_cluster = true;
    pair.a.identity.cluster_id[0] = 1;
    run (&pair, 60000);
    assert_string_equal (pair.a.told, "peer-refused; ");
    assert_string_equal (pair.b.told, "peer-refused; ");
    pair_deinit (&pair);
}

static void test_other_version (void **state)
{
    (void) state;
    struct pair pair;
    pair_init (&pair);
    for (int i = 0; i < 500; i++) {
        pair.now_ms++;
        act (&pair, &pair.a, true);
        for (size_t k = 0; k < pair.a.wire_count; k++) {
            pair.a.wire[k].hello.version_min = PEER_VERSION_MAX + 1;
            pair.a.wire[k].hello.version_max = PEER_VERSION_MAX + 2;
        }
        deliver (&pair, &pair.a, WIRE_MAX);
    }
    assert_int_equal (pair.b.refusals, 1);
    for (int i = 0; i < 500; i++) {
        pair.now_ms++;
        act (&pair, &pair.a, true);
        for (size_t k = 0; k < pair.a.wire_count; k++) {
            pair.a.wire[k].hello.magic++;
        }
        deliver (&pair, &pair.a, WIRE_MAX);
    }
    assert_int_equal (pair.b.refusals, 2);
    pair_deinit (&pair);
}

/* ---- Flow ------------------------------------------------------------------------------------ */

static void test_credit (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    assert_int_equal (link_credit (&pair.a.link, 4), LINK_WINDOW_BYTES);
    assert_int_equal (link_credit (&pair.a.link, 1), LINK_WINDOW_BYTES / 4);
    send_data (&pair.a, LINK_WINDOW_BYTES / 4);
    send_data (&pair.a, 0); /* costs nothing */
    assert_int_equal (link_credit (&pair.a.link, 1), 0);
    assert_int_equal (link_credit (&pair.a.link, 2), LINK_WINDOW_BYTES / 4);
    send_data (&pair.a, LINK_WINDOW_BYTES);
    assert_int_equal (link_credit (&pair.a.link, 4), 0);
    /* The receiver owes an answer, which gives it all back. */
    deliver (&pair, &pair.a, 3);
    assert_true (link_ack_due (&pair.b.link));
    send_data (&pair.b, 0);
    assert_false (link_ack_due (&pair.b.link));
    deliver (&pair, &pair.b, 1);
    assert_int_equal (link_credit (&pair.a.link, 4), LINK_WINDOW_BYTES);
    pair_deinit (&pair);
}

/* However small they are, of frames that nobody acknowledges there are only so many. */
static void test_flights (void **state)
{
    (void) state;
    struct pair pair;
    struct peer_header header;
    bring_up (&pair);
    for (int i = 0; i < LINK_FLIGHT_MAX; i++) {
        assert_true (link_credit (&pair.a.link, 1) > 0);
        link_stamp (&pair.a.link, &header, 1);
    }
    assert_int_equal (link_credit (&pair.a.link, 4), 0);
    pair_deinit (&pair);
}

static void test_hold (void **state)
{
    (void) state;
    struct pair pair;
    bring_up (&pair);
    link_hold (&pair.b.link, true);
    send_data (&pair.a, LINK_WINDOW_BYTES);
    deliver (&pair, &pair.a, 1);
    assert_false (link_ack_due (&pair.b.link));
    send_data (&pair.b, 0);
    deliver (&pair, &pair.b, 1);
    assert_int_equal (link_credit (&pair.a.link, 4), 0);
    run (&pair, 2 * LINK_PROBE_MS * LINK_PROBES_MAX); /* it answers, but acknowledges nothing */
    assert_true (pair.a.link.up);
    assert_int_equal (link_credit (&pair.a.link, 4), 0);
    link_hold (&pair.b.link, false);
    assert_true (link_ack_due (&pair.b.link));
    send_data (&pair.b, 0);
    deliver (&pair, &pair.b, 1);
    assert_int_equal (link_credit (&pair.a.link, 4), LINK_WINDOW_BYTES);
    /* A new pair begins with a whole window. */
    send_data (&pair.a, LINK_WINDOW_BYTES);
    link_reset (&pair.a.link, "a test");
    run (&pair, 20);
    assert_int_equal (link_credit (&pair.a.link, 4), LINK_WINDOW_BYTES);
    pair_deinit (&pair);
}

/* ---- Anything -------------------------------------------------------------------------------- */

/* What each end has been given since its link came up is a prefix of what the other sent since its
 * own came up: checked with a network that loses, repeats and breaks at random. */

static void random_faults (struct pair *pair, struct prng *prng)
{
    struct end *end = prng_chance (prng, 1, 2) ? &pair->a : &pair->b;
    switch (prng_below (prng, 6)) {
    case 0:
        link_disconnected (&end->link);
        lose (end, prng_below (prng, 4));
        break;
    case 1:
        lose (end, 1);
        break;
    case 2:
        link_reset (&end->link, "a test");
        break;
    case 3:
        if (end->wire_count > 0 && end->wire_count < WIRE_MAX) {
            /* Again, behind all others. */
            end->wire[end->wire_count] = end->wire[0];
            end->wire_count++;
        }
        break;
    default:
        break;
    }
    take_events (pair, end);
}

static void check_trace (const struct pair *pair, const char *name)
{
    bool up = false;
    unsigned long long expected = 0;
    char copy[TRACE_MAX];
    memcpy (copy, pair->trace, pair->trace_size + 1);
    char *rest = copy;
    while (*rest != 0) {
        char *end = strstr (rest, "; ");
        assert_non_null (end);
        *end = 0;
        if (rest[0] == name[0]) {
            unsigned long long number;
            if (strcmp (rest + 2, "up") == 0) {
                assert_false (up);
                up = true;
                expected = 0;
            } else if (strcmp (rest + 2, "down") == 0) {
                assert_true (up);
                up = false;
            } else if (sscanf (rest + 2, "got %llu", &number) == 1) {
                assert_true (up);
                assert_true (expected == 0 || number == expected);
                expected = number + 1;
            }
        }
        rest = end + 2;
    }
}

static void test_random (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct prng prng;
        struct pair pair;
        prng_seed (&prng, seed);
        pair_init (&pair);
        for (int i = 0; i < 400; i++) {
            pair.now_ms++;
            act (&pair, &pair.a, true);
            act (&pair, &pair.b, true);
            struct end *sender = prng_chance (&prng, 1, 2) ? &pair.a : &pair.b;
            if (sender->link.up && pair.trace_size < TRACE_MAX - 600) {
                send_data (sender, 0);
            }
            if (prng_chance (&prng, 1, 12)) {
                random_faults (&pair, &prng);
            }
            if (pair.trace_size < TRACE_MAX - 600) {
                deliver (&pair, &pair.a, prng_below (&prng, 4));
                deliver (&pair, &pair.b, prng_below (&prng, 4));
            } else {
                lose (&pair.a, 2);
                lose (&pair.b, 2);
            }
        }
        check_trace (&pair, "a");
        check_trace (&pair, "b");
        forget_trace (&pair);
        pair.a.wire_count = pair.b.wire_count = 0; /* loses whatever was under way */
        run (&pair, 1);
        if (pair.a.link.up && pair.b.link.up) {
            send_data (&pair.a, 0); /* what is missing shows */
            send_data (&pair.b, 0);
        }
        run (&pair, 2500);
        if (!pair.a.link.up || !pair.b.link.up) {
            fail_msg ("seed %llu: not up", (unsigned long long) seed);
        }
        pair_deinit (&pair);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_comes_up),
        cmocka_unit_test (test_hello_lost),
        cmocka_unit_test (test_hello_backs_off),
        cmocka_unit_test (test_connect_backs_off),
        cmocka_unit_test (test_connection_that_never_comes),
        cmocka_unit_test (test_gap),
        cmocka_unit_test (test_gap_before_hello),
        cmocka_unit_test (test_connection_ends),
        cmocka_unit_test (test_reset),
        cmocka_unit_test (test_unseen_up),
        cmocka_unit_test (test_peer_restarts),
        cmocka_unit_test (test_stale_hello),
        cmocka_unit_test (test_lower_incarnation),
        cmocka_unit_test (test_repeated_frames),
        cmocka_unit_test (test_half_dead),
        cmocka_unit_test (test_other_cluster),
        cmocka_unit_test (test_refused_speaks),
        cmocka_unit_test (test_other_version),
        cmocka_unit_test (test_credit),
        cmocka_unit_test (test_flights),
        cmocka_unit_test (test_hold),
        cmocka_unit_test (test_random),
    };
    return cmocka_run_group_tests_name ("link", tests, NULL, NULL);
}
