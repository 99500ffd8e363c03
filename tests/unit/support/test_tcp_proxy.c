/* The proxy: bytes pass; each fault does what it says, and ends when it is taken back. */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/tcp_proxy.h"
#include "tests/unit/unit.h"

enum { AWAIT_MS = 20000, QUIET_MS = 100 };

static struct tcp_proxy *proxy;
static size_t link_index;
static int listener, near, far; /* the ends of a connection through the proxy */
static uint16_t proxy_port;

static int64_t now_ms (void)
{
    struct timespec now;
    assert_int_equal (clock_gettime (CLOCK_MONOTONIC, &now), 0);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int connect_near (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons (proxy_port),
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_true (fd >= 0);
    assert_int_equal (connect (fd, (struct sockaddr *) &address, sizeof address), 0);
    return fd;
}

static int set_up (void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    (void) state;
    listener = socket (AF_INET, SOCK_STREAM, 0);
    assert_true (listener >= 0);
    assert_int_equal (bind (listener, (struct sockaddr *) &address, size), 0);
    assert_int_equal (listen (listener, 8), 0);
    assert_int_equal (getsockname (listener, (struct sockaddr *) &address, &size), 0);
    proxy = tcp_proxy_new ();
    link_index = tcp_proxy_link (proxy, ntohs (address.sin_port), &proxy_port);
    tcp_proxy_start (proxy);
    near = connect_near ();
    far = accept (listener, NULL, NULL);
    assert_true (far >= 0);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    (void) close (near);
    (void) close (far);
    (void) close (listener);
    tcp_proxy_destroy (&proxy);
    return 0;
}

static void put (int fd, const char *text)
{
    assert_int_equal (send (fd, text, strlen (text), MSG_NOSIGNAL), strlen (text));
}

static bool readable (int fd, int limit_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll (&waiting, 1, limit_ms) == 1;
}

static void assert_gets (int fd, const char *text)
{
    char got[64];
    size_t size = 0, wanted = strlen (text);
    while (size < wanted) {
        assert_true (readable (fd, AWAIT_MS));
        ssize_t n = recv (fd, got + size, wanted - size, 0);
        assert_true (n > 0);
        size += (size_t) n;
    }
    assert_memory_equal (got, text, wanted);
}

static void assert_reset (int fd)
{
    char byte;
    assert_true (readable (fd, AWAIT_MS));
    assert_int_equal (recv (fd, &byte, 1, 0), -1);
    assert_int_equal (errno, ECONNRESET);
}

static void test_bytes_pass (void **state)
{
    (void) state;
    struct tcp_proxy_counts counts;
    char byte;
    put (near, "hello");
    assert_gets (far, "hello");
    put (far, "you too");
    assert_gets (near, "you too");
    tcp_proxy_counts (proxy, &counts);
    assert_int_equal (counts.connections, 1);
    assert_int_equal (counts.bytes, 12);
    assert_int_equal (counts.resets, 0);
    (void) close (near);
    assert_true (readable (far, AWAIT_MS));
    assert_int_equal (recv (far, &byte, 1, 0), 0);
    near = connect_near ();
}

static void test_stall_goes_on_where_it_stopped (void **state)
{
    (void) state;
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.stall[TCP_PROXY_FORTH] = true});
    put (near, "later");
    assert_false (readable (far, QUIET_MS));
    put (far, "now");
    assert_gets (near, "now");
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.refuse = false});
    assert_gets (far, "later");
}

static void test_lost_bytes_end_in_a_reset (void **state)
{
    (void) state;
    struct tcp_proxy_counts counts = {.bytes_lost = 0};
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.lose[TCP_PROXY_BACK] = true});
    put (far, "never");
    while (counts.bytes_lost < 5) {
        tcp_proxy_counts (proxy, &counts);
    }
    assert_false (readable (near, QUIET_MS));
    put (near, "heard");
    assert_gets (far, "heard");
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.refuse = false});
    assert_reset (near);
    assert_reset (far);
}

static void test_delay (void **state)
{
    (void) state;
    int64_t before = now_ms ();
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.delay_ms[TCP_PROXY_FORTH] = 150});
    put (near, "slow");
    assert_gets (far, "slow");
    assert_true (now_ms () - before >= 149);
}

static void test_rate (void **state)
{
    (void) state;
    int64_t before = now_ms ();
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.rate[TCP_PROXY_FORTH] = 100});
    put (near, "0123456789012345678901234"); /* 25 bytes, of which 5 at once */
    assert_gets (far, "0123456789012345678901234");
    assert_true (now_ms () - before >= 190);
}

static void test_cut_in_the_middle (void **state)
{
    (void) state;
    tcp_proxy_cut (proxy, link_index, 3);
    put (near, "frame");
    assert_gets (far, "fra");
    assert_reset (far);
    assert_reset (near);
}

static void test_refuse (void **state)
{
    (void) state;
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.refuse = true});
    assert_reset (near);
    (void) close (near);
    near = connect_near ();
    assert_reset (near);
    tcp_proxy_set (proxy, link_index, &(struct tcp_proxy_fault){.refuse = false});
    (void) close (near);
    near = connect_near ();
    (void) close (far);
    far = accept (listener, NULL, NULL);
    put (near, "again");
    assert_gets (far, "again");
}

int main (void)
{
#define PROXY_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROXY_TEST (test_bytes_pass),
        PROXY_TEST (test_stall_goes_on_where_it_stopped),
        PROXY_TEST (test_lost_bytes_end_in_a_reset),
        PROXY_TEST (test_delay),
        PROXY_TEST (test_rate),
        PROXY_TEST (test_cut_in_the_middle),
        PROXY_TEST (test_refuse),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
