/* A TCP proxy on loopback that does to connections what networks do: it closes them in the middle
 * of a frame, loses one direction without a word, delays, throttles and stops the flow.
 *
 * A link is a port that is listened on and a port that its connections are carried to. A thread
 * moves the bytes; its owner sets the fault of each link at any time. The owner's calls are those
 * of one thread. What goes wrong with the proxy itself ends the program. May include: libc, POSIX,
 * pthread. */

#ifndef COHORT_TESTS_SUPPORT_TCP_PROXY_H
#define COHORT_TESTS_SUPPORT_TCP_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TCP_PROXY_LINKS_MAX = 128, TCP_PROXY_FORTH = 0, TCP_PROXY_BACK = 1 };

/* For each direction: FORTH from who connects, BACK to it. All zero: nothing is wrong. */
struct tcp_proxy_fault {
    bool refuse;   /* connections are reset, those that are there and new ones */
    bool stall[2]; /* nothing moves; it goes on where it stopped: what a partition is to TCP */
    bool lose[2];  /* bytes vanish; a connection that has lost some is reset in the end */
    uint32_t delay_ms[2];
    uint32_t rate[2]; /* bytes a second; 0: any */
};

struct tcp_proxy;

struct tcp_proxy *tcp_proxy_new (void);
void tcp_proxy_destroy (struct tcp_proxy **self_p);

/* A new link to this port of 127.0.0.1; returns the port that it listens on. Before the start. */
size_t tcp_proxy_link (struct tcp_proxy *self, uint16_t target, uint16_t *port);
void tcp_proxy_start (struct tcp_proxy *self);

/* What is wrong with the link from now on; returns once it is so. */
void tcp_proxy_set (struct tcp_proxy *self, size_t link, const struct tcp_proxy_fault *fault);

/* Resets the connections that the link has now, each once it has carried so many more bytes. */
void tcp_proxy_cut (struct tcp_proxy *self, size_t link, uint32_t after_bytes);

/* What it has done so far. */
struct tcp_proxy_counts {
    uint64_t connections, resets, bytes, bytes_lost;
};
void tcp_proxy_counts (struct tcp_proxy *self, struct tcp_proxy_counts *counts);

#endif
