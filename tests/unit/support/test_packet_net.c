/* The network of the test's own: bytes pass between hosts; each rule does what it says, in its own
 * direction alone. Where such a network may not be made, that is said, and nothing is tested. */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/packet_net.h"
#include "tests/unit/unit.h"

enum {
    SKIPPED = 77,
    AWAIT_MS = 20000,
    QUIET_MS = 100,
    PORT = 5000,
    MANY = 100 /* fit into every buffer on the way */
};

static struct packet_net *net;
static pid_t echo;
static int near; /* a socket of datagrams; the other host sends back whatever comes */

static void echo_for_ever (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons (PORT)};
    char bytes[256];
    int fd = socket (AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind (fd, (struct sockaddr *) &address, sizeof address) != 0) {
        _exit (1);
    }
    for (;;) {
        socklen_t size = sizeof address;
        ssize_t got = recvfrom (fd, bytes, sizeof bytes, 0, (struct sockaddr *) &address, &size);
        if (got > 0) {
            (void) sendto (fd, bytes, (size_t) got, 0, (struct sockaddr *) &address, size);
        }
    }
}

static void put (uint32_t number)
{
    assert_int_equal (send (near, &number, sizeof number, 0), sizeof number);
}

/* false: nothing comes. */
static bool get (uint32_t *number, int limit_ms)
{
    struct pollfd waiting = {.fd = near, .events = POLLIN};
    if (poll (&waiting, 1, limit_ms) != 1) {
        return false;
    }
    return recv (near, number, sizeof *number, 0) == (ssize_t) sizeof *number;
}

static void set (size_t from, struct packet_rule rule)
{
    packet_net_set (net, from, !from, &rule);
}

static int set_up (void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons (PORT)};
    char text[PACKET_NET_ADDRESS_SIZE];
    uint32_t number;
    (void) state;
    set (0, (struct packet_rule){.cut = false});
    set (1, (struct packet_rule){.cut = false});
    echo = fork ();
    assert_true (echo >= 0);
    if (echo == 0) {
        if (packet_net_enter (net, 1)) {
            echo_for_ever ();
        }
        _exit (1);
    }
    assert_int_equal (inet_pton (AF_INET, packet_net_address (net, 1, text), &address.sin_addr), 1);
    near = socket (AF_INET, SOCK_DGRAM, 0);
    assert_true (near >= 0);
    assert_int_equal (connect (near, (struct sockaddr *) &address, sizeof address), 0);
    /* Until it listens: nobody does, an error says. */
    do {
        number = 0;
        (void) send (near, &number, sizeof number, 0);
    } while (!get (&number, QUIET_MS));
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    (void) close (near);
    assert_int_equal (kill (echo, SIGKILL), 0);
    assert_int_equal (waitpid (echo, NULL, 0), echo);
    return 0;
}

/* Sends so many, takes what comes back: how many different ones, how often one came after a later
 * one; ends when the network carries nothing any more. */
static size_t exchange_many (size_t *backwards, size_t *twice)
{
    bool seen[MANY] = {false};
    size_t different = 0;
    uint32_t number, before = 0;
    *backwards = *twice = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        put (i);
    }
    while (get (&number, 1000)) {
        assert_true (number < MANY);
        *backwards += number < before;
        *twice += seen[number];
        different += !seen[number];
        seen[number] = true;
        before = number;
    }
    return different;
}

static void test_all_pass_in_order (void **state)
{
    size_t backwards, twice;
    (void) state;
    assert_int_equal (exchange_many (&backwards, &twice), MANY);
    assert_int_equal (backwards, 0);
    assert_int_equal (twice, 0);
}

static void test_one_way (void **state)
{
    struct packet_net_counts before, after;
    uint32_t number;
    (void) state;
    for (size_t from = 0; from < 2; from++) {
        set (from, (struct packet_rule){.cut = true});
        packet_net_counts (net, &before);
        put (1);
        assert_false (get (&number, QUIET_MS));
        packet_net_counts (net, &after);
        assert_int_equal (after.lost - before.lost, 1);
        /* The other direction has carried it, if it got so far. */
        assert_int_equal (after.carried - before.carried, from);
        set (from, (struct packet_rule){.cut = false});
    }
    put (2);
    assert_true (get (&number, AWAIT_MS));
    assert_int_equal (number, 2);
}

static void test_some_are_lost (void **state)
{
    size_t backwards, twice;
    (void) state;
    set (0, (struct packet_rule){.lose = 300});
    size_t arrived = exchange_many (&backwards, &twice);
    assert_in_range (arrived, 1, MANY - 1);
    assert_int_equal (twice, 0);
}

static void test_some_come_twice (void **state)
{
    size_t backwards, twice;
    (void) state;
    set (1, (struct packet_rule){.duplicate = 300});
    assert_int_equal (exchange_many (&backwards, &twice), MANY);
    assert_true (twice > 0);
}

static void test_late_and_out_of_order (void **state)
{
    struct timespec before, after;
    size_t backwards, twice;
    uint32_t number;
    (void) state;
    set (0, (struct packet_rule){.delay_ms = 40});
    set (1, (struct packet_rule){.delay_ms = 30});
    assert_int_equal (clock_gettime (CLOCK_MONOTONIC, &before), 0);
    put (1);
    assert_true (get (&number, AWAIT_MS));
    assert_int_equal (clock_gettime (CLOCK_MONOTONIC, &after), 0);
    assert_true (
        (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 69);
    set (1, (struct packet_rule){.jitter_ms = 50});
    assert_int_equal (exchange_many (&backwards, &twice), MANY);
    assert_true (backwards > 0);
}

/* As far as the kernel can: without netem, by a bucket that is too small. */
static void test_kernel_shapes (void **state)
{
    static const char *const ways[] = {"netem loss 30%", "tbf rate 8kbit burst 1600 limit 800"};
    size_t backwards, twice, shaped = 0;
    (void) state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (!packet_net_shape (net, 0, ways[i])) {
            printf ("  not here: tc qdisc ... %s\n", ways[i]);
            continue;
        }
        shaped++;
        assert_in_range (exchange_many (&backwards, &twice), 1, MANY - 1);
        assert_true (packet_net_shape (net, 0, NULL));
    }
    assert_false (packet_net_shape (net, 0, "no-such-discipline"));
    assert_int_equal (exchange_many (&backwards, &twice), MANY);
    if (shaped == 0) {
        skip ();
    }
}

int main (void)
{
#define NET_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        NET_TEST (test_all_pass_in_order),     NET_TEST (test_one_way),
        NET_TEST (test_some_are_lost),         NET_TEST (test_some_come_twice),
        NET_TEST (test_late_and_out_of_order), NET_TEST (test_kernel_shapes),
    };
    char why[256];
    net = packet_net_new (2, 1, why, sizeof why);
    if (net == NULL) {
        printf ("skipped: %s\n", why);
        return SKIPPED;
    }
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    packet_net_destroy (&net);
    return failed;
}
