/* A network of the test's own, which loses, delays, doubles and reorders packets.
 *
 * Each host is a network namespace with one TUN device, and a thread of the test carries every IP
 * packet from one to another: so what happens to them takes neither veth nor netem, which not every
 * kernel has. Where it has something for that, tc may be had, too. Host 0 is the process itself,
 * with all threads it makes from then on. Everything vanishes with the process.
 *
 * It takes root or user namespaces, and /dev/net/tun. The owner's calls are those of one thread;
 * what goes wrong once it stands ends the program. May include: libc, Linux, pthread, client/base.
 */

#ifndef COHORT_TESTS_SUPPORT_PACKET_NET_H
#define COHORT_TESTS_SUPPORT_PACKET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKET_NET_HOSTS_MAX = 16, PACKET_NET_ADDRESS_SIZE = 16 };

/* Of packets from one host to another. All zero: nothing is wrong. */
struct packet_rule {
    bool cut;                     /* none arrives */
    uint32_t lose;                /* so many of a thousand do not arrive, */
    uint32_t duplicate;           /* and so many arrive twice */
    uint32_t delay_ms, jitter_ms; /* each is late by delay to delay + jitter: so they overtake each
                                     other */
};

struct packet_net;

/* NULL: it may not, or cannot, be made here; why says so. To be called before there are threads. */
struct packet_net *packet_net_new (size_t hosts, uint64_t seed, char *why, size_t size);
void packet_net_destroy (struct packet_net **self_p);

const char *packet_net_address (const struct packet_net *self, size_t host,
                                char address[PACKET_NET_ADDRESS_SIZE]);

/* For a process that was forked, before it executes another: from now on it is on that host. false:
 * errno. */
bool packet_net_enter (const struct packet_net *self, size_t host);

void packet_net_set (struct packet_net *self, size_t from, size_t to,
                     const struct packet_rule *rule);

/* What the kernel does besides to all that a host sends: `tc qdisc replace dev ... root WHAT`;
 * NULL: nothing any more. false: there is no tc here, or no such discipline in this kernel. */
bool packet_net_shape (const struct packet_net *self, size_t host, const char *what);

struct packet_net_counts {
    uint64_t carried, lost, duplicated, overtaken;
};
void packet_net_counts (struct packet_net *self, struct packet_net_counts *counts);

#endif
