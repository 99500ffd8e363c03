/* What goes wrong in a soak: connections, and clients. */

#include "tests/cluster/soak_links.h"

#include <stdio.h>

/* ---- Connections ----------------------------------------------------------------------------- */

static bool touches (const struct soak_fault *fault, size_t from, size_t to)
{
    return to != SOAK_CLIENTS && (from == fault->server || to == fault->server);
}

void soak_links_partition (const struct soak *self, const struct soak_fault *fault, size_t from,
                           size_t to, struct soak_link *link)
{
    (void) self;
    if (touches (fault, from, to)) {
        link->tcp.stall[TCP_PROXY_FORTH] = link->tcp.stall[TCP_PROXY_BACK] = true;
    }
}

/* Nothing gets from the server to the other, on whichever connection. */
void soak_links_one_way (const struct soak *self, const struct soak_fault *fault, size_t from,
                         size_t to, struct soak_link *link)
{
    (void) self;
    if (from == fault->server && to == fault->other) {
        link->tcp.stall[TCP_PROXY_FORTH] = true;
    } else if (from == fault->other && to == fault->server) {
        link->tcp.stall[TCP_PROXY_BACK] = true;
    }
}

/* The server hears everybody and is heard by nobody; or the other way round. */
void soak_links_mute (const struct soak *self, const struct soak_fault *fault, size_t from,
                      size_t to, struct soak_link *link)
{
    (void) self;
    size_t mute = fault->draw % 2;
    if (to != SOAK_CLIENTS && from == fault->server) {
        link->tcp.stall[mute] = true;
    } else if (to == fault->server) {
        link->tcp.stall[!mute] = true;
    }
}

void soak_links_half_open (const struct soak *self, const struct soak_fault *fault, size_t from,
                           size_t to, struct soak_link *link)
{
    (void) self;
    if (from == fault->server && to == fault->other) {
        link->tcp.lose[fault->draw % 2] = true;
    }
}

void soak_links_delay (const struct soak *self, const struct soak_fault *fault, size_t from,
                       size_t to, struct soak_link *link)
{
    (void) self;
    if (touches (fault, from, to)) {
        link->tcp.delay_ms[TCP_PROXY_FORTH] = 5 + (uint32_t) (fault->draw % 300);
        link->tcp.delay_ms[TCP_PROXY_BACK] = 5 + (uint32_t) (fault->draw / 300 % 300);
    }
}

void soak_links_throttle (const struct soak *self, const struct soak_fault *fault, size_t from,
                          size_t to, struct soak_link *link)
{
    (void) self;
    if (touches (fault, from, to)) {
        uint32_t rate = 2000 + (uint32_t) (fault->draw % 50000);
        link->tcp.rate[TCP_PROXY_FORTH] = link->tcp.rate[TCP_PROXY_BACK] = rate;
    }
}

/* Some packets of a server's are lost, doubled, or overtake each other: TCP has to put that right.
 */
void soak_links_rough (const struct soak *self, const struct soak_fault *fault, size_t from,
                       size_t to, struct soak_link *link)
{
    (void) self;
    if (from == fault->server || to == fault->server) {
        link->lose = (uint32_t) (fault->draw % 200);
        link->duplicate = (uint32_t) (fault->draw / 200 % 200);
        link->jitter_ms = (uint32_t) (fault->draw / 40000 % 60);
    }
}

/* By the kernel, for all that a server sends: as netem does it; and where that is not in the
 * kernel, or now and then, what does not fit into a bucket is late or lost. */
void soak_begin_shape (struct soak *self, struct soak_fault *fault)
{
    char netem[128];
    unsigned delay_ms = (unsigned) (fault->draw % 100);
    (void) snprintf (netem, sizeof netem,
                     "netem delay %ums %ums loss %u%% duplicate %u%% reorder %u%%", 1 + delay_ms,
                     delay_ms / 2, (unsigned) (fault->draw / 100 % 20),
                     (unsigned) (fault->draw / 2000 % 10), (unsigned) (fault->draw / 20000 % 30));
    bool by_netem =
        fault->draw / 600000 % 4 != 0 && packet_net_shape (self->net, fault->server + 1, netem);
    bool by_tbf = !by_netem && packet_net_shape (self->net, fault->server + 1,
                                                 "tbf rate 400kbit burst 4kb latency 300ms");
    soak_tell (self, "tc: %s", by_netem ? netem : by_tbf ? "tbf" : "not on this machine");
}

void soak_end_shape (struct soak *self, struct soak_fault *fault)
{
    (void) packet_net_shape (self->net, fault->server + 1, NULL); /* another may have ended it */
}

void soak_links_refuse (const struct soak *self, const struct soak_fault *fault, size_t from,
                        size_t to, struct soak_link *link)
{
    (void) self;
    link->tcp.refuse |= touches (fault, from, to);
}

/* In the middle of whatever is on its way. */
void soak_begin_cut (struct soak *self, struct soak_fault *fault)
{
    const struct ensemble_server *server = &self->ensemble.servers[fault->server];
    uint32_t after = (uint32_t) (fault->draw % 3000);
    tcp_proxy_cut (self->proxy, server->peer_links[fault->other], after);
    if (fault->draw / 3000 % 2 == 0) {
        tcp_proxy_cut (self->proxy, self->ensemble.servers[fault->other].peer_links[fault->server],
                       after / 2);
    }
}

/* ---- Clients --------------------------------------------------------------------------------- */

void soak_links_client_stall (const struct soak *self, const struct soak_fault *fault, size_t from,
                              size_t to, struct soak_link *link)
{
    (void) self;
    if (to == SOAK_CLIENTS && from == fault->server) {
        uint64_t ways = fault->draw % 3;
        link->tcp.stall[TCP_PROXY_FORTH] = ways != 0;
        link->tcp.stall[TCP_PROXY_BACK] = ways != 1;
    }
}

void soak_links_client_half_open (const struct soak *self, const struct soak_fault *fault,
                                  size_t from, size_t to, struct soak_link *link)
{
    (void) self;
    if (to == SOAK_CLIENTS && from == fault->server) {
        link->tcp.lose[fault->draw % 2] = true;
    }
}

void soak_links_client_slow (const struct soak *self, const struct soak_fault *fault, size_t from,
                             size_t to, struct soak_link *link)
{
    (void) self;
    if (to == SOAK_CLIENTS && from == fault->server) {
        link->tcp.delay_ms[TCP_PROXY_FORTH] = (uint32_t) (fault->draw % 200);
        link->tcp.rate[TCP_PROXY_BACK] = 1000 + (uint32_t) (fault->draw % 20000);
    }
}

void soak_begin_client_cut (struct soak *self, struct soak_fault *fault)
{
    tcp_proxy_cut (self->proxy, self->ensemble.servers[fault->server].client_link,
                   (uint32_t) (fault->draw % 2000));
}

void soak_begin_client_kill (struct soak *self, struct soak_fault *fault)
{
    soak_replace_client (self, fault->draw % self->options.clients, false);
}

/* One that has no threads of its own gets no turn: it does what a stopped process does, nothing.
 * What it believed of its session when it stopped it goes on believing. */
static struct observed *stopped (struct soak *self, const struct soak_fault *fault)
{
    size_t index = fault->draw % (self->options.clients / 2) * 2 + 1;
    return &self->workers[index].observed;
}

void soak_begin_client_stop (struct soak *self, struct soak_fault *fault)
{
    stopped (self, fault)->stopped++;
}

void soak_end_client_stop (struct soak *self, struct soak_fault *fault)
{
    struct observed *observed = stopped (self, fault);
    observed->stopped -= observed->stopped > 0; /* another may have taken its place */
}

bool soak_may_stop_client (struct soak *self, const struct soak_fault *fault)
{
    (void) fault;
    return self->options.clients > 1;
}

void soak_begin_client_close (struct soak *self, struct soak_fault *fault)
{
    soak_replace_client (self, fault->draw % self->options.clients, true);
}
