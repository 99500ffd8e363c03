/* The simulated network between servers.
 *
 * It is worse than TCP: frames of an open connection can be lost, doubled, late, and overtaken, for
 * the link layer must cope with all of it. The end of a connection is noticed by each side for
 * itself, at once, late, or never. */

#include "tests/simulation/network.h"

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"

enum { NOTICE_MS_MAX = 5, KNOCK_MS = 250 };

uint8_t *network_copy (const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc (size ? size : 1);
    COHORT_ASSERT (bytes != NULL);
    memcpy (bytes, data, size);
    return bytes;
}

static bool is_apart (const struct world *self, uint32_t from, uint32_t to)
{
    return self->blocked[from][to] != 0 ||
           self->schedule.now_ms < self->servers[from].apart_until_ms ||
           self->schedule.now_ms < self->servers[to].apart_until_ms;
}

int64_t network_latency (const struct world *self, uint32_t a, uint64_t b, uint64_t nth)
{
    uint64_t dice = world_draw (self, SIM_DRAW_LATENCY, a, b, nth);
    return (int64_t) (dice % (uint64_t) (self->conditions.latency_ms_max + 1));
}

bool network_notice (struct world *self, uint32_t a, uint32_t b, uint64_t nth, int64_t *at_ms)
{
    uint64_t dice;
    if (plan_strikes (self, FAULT_NO_NOTICE, a, b, nth, &dice)) {
        return false;
    }
    *at_ms = self->schedule.now_ms + 1 +
             (int64_t) (world_draw (self, SIM_DRAW_NOTICE, a, b, nth) % NOTICE_MS_MAX);
    if (plan_strikes (self, FAULT_LATE_NOTICE, a, b, nth, &dice)) {
        *at_ms += (int64_t) (dice % (uint64_t) self->conditions.notice_ms_max);
    }
    return true;
}

/* ---- What a node asks for -------------------------------------------------------------------- */

static void peer_connect (void *arg, uint32_t peer);
static void peer_close (void *arg, uint32_t peer);
static bool peer_send (void *arg, uint32_t peer, const uint8_t *data, size_t size);

struct node_transport network_transport (struct world *self, struct sim_server *server)
{
    COHORT_ASSERT (server->world == self);
    return (struct node_transport){
        .arg = server,
        .peer_connect = peer_connect,
        .peer_close = peer_close,
        .peer_send = peer_send,
        .client_send = network_client_send,
        .client_drop = network_client_drop,
        .client_origin = network_client_origin,
    };
}

static void peer_connect (void *arg, uint32_t peer)
{
    struct sim_server *server = arg;
    struct world *self = server->world;
    uint32_t from = server->id - 1, to = peer - 1;
    struct sim_pipe *pipe = &self->pipes[from][to];

    *pipe = (struct sim_pipe){.number = ++self->last_number};
    world_tell_detail (self, "%u -> %u connects", from + 1, to + 1);
    int64_t takes_ms = 1 + network_latency (self, from, to, self->ways[from][to].frames);
    schedule_add (&self->schedule, (struct sim_event){.at_ms = self->schedule.now_ms + takes_ms,
                                                      .type = SIM_PEER_OPENED,
                                                      .a = from,
                                                      .b = to,
                                                      .number = pipe->number});
}

static void peer_close (void *arg, uint32_t peer)
{
    struct sim_server *server = arg;
    world_tell_detail (server->world, "%u -> %u closes its connection", server->id, peer);
    server->world->pipes[server->id - 1][peer - 1] = (struct sim_pipe){0};
}

bool network_is_full (const struct world *self, uint32_t flying)
{
    return self->conditions.pipe_frames != 0 && flying >= self->conditions.pipe_frames;
}

static void deliver (struct world *self, uint32_t from, uint32_t to, int64_t at_ms,
                     const uint8_t *data, size_t size)
{
    self->ways[from][to].flying++;
    schedule_add (&self->schedule, (struct sim_event){.at_ms = at_ms,
                                                      .type = SIM_PEER_FRAME,
                                                      .a = from,
                                                      .b = to,
                                                      .data = network_copy (data, size),
                                                      .size = size});
}

static bool peer_send (void *arg, uint32_t peer, const uint8_t *data, size_t size)
{
    struct sim_server *server = arg;
    struct world *self = server->world;
    uint32_t from = server->id - 1, to = peer - 1;
    struct sim_pipe *pipe = &self->pipes[from][to];
    uint64_t dice;

    if (!pipe->open || network_is_full (self, self->ways[from][to].flying)) {
        return false;
    }
    self->frames++;
    uint64_t nth = self->ways[from][to].frames++;
    if (crash_disk_stopped (server->disk) || is_apart (self, from, to) ||
        plan_strikes (self, FAULT_LOSS, from, to, nth, &dice)) {
        return true;
    }
    int64_t latency_ms = network_latency (self, from, to, nth);
    int64_t at_ms = self->schedule.now_ms + latency_ms;
    if (plan_strikes (self, FAULT_DELAY, from, to, nth, &dice)) {
        at_ms += (int64_t) (dice % (uint64_t) self->conditions.delay_ms_max);
    }
    if (plan_strikes (self, FAULT_REORDERING, from, to, nth, &dice)) {
        at_ms += (int64_t) (dice % (uint64_t) self->conditions.delay_ms_max);
    } else {
        at_ms = at_ms < pipe->last_ms ? pipe->last_ms : at_ms;
        pipe->last_ms = at_ms;
    }
    deliver (self, from, to, at_ms, data, size);
    if (plan_strikes (self, FAULT_DUPLICATION, from, to, nth, &dice)) {
        deliver (self, from, to, at_ms + (int64_t) (dice % 50), data, size);
    }
    return true;
}

/* A connection has ended, and its owner notices; else it is for the link's own timers. */
static void end_pipe (struct world *self, uint32_t from, uint32_t to)
{
    const struct sim_pipe *pipe = &self->pipes[from][to];
    int64_t at_ms;
    if (pipe->number && network_notice (self, from, to, self->ways[from][to].ends++, &at_ms)) {
        schedule_add (&self->schedule, (struct sim_event){.at_ms = at_ms,
                                                          .type = SIM_PEER_CLOSED,
                                                          .a = from,
                                                          .b = to,
                                                          .number = pipe->number});
    }
}

void network_break (struct world *self, uint32_t a, uint32_t b)
{
    end_pipe (self, a, b);
    end_pipe (self, b, a);
}

void network_server_down (struct world *self, struct sim_server *server)
{
    uint32_t dead = server->id - 1;
    for (uint32_t i = 0; i < self->servers_count; i++) {
        self->pipes[dead][i] = (struct sim_pipe){0};
        end_pipe (self, i, dead);
    }
    network_clients_server_down (self, server);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* Somebody knocks. In a partition it is not heard, and the knocking goes on until it is given up;
 * where nobody is it is refused. */
static void knock (struct world *self, struct sim_event *event, struct sim_server *server)
{
    if (is_apart (self, event->a, event->b) || is_apart (self, event->b, event->a)) {
        struct sim_event again = *event;
        again.at_ms = self->schedule.now_ms + KNOCK_MS;
        schedule_add (&self->schedule, again);
        return;
    }
    if (!server_begin (self, server)) {
        return;
    }
    bool up = self->servers[event->b].up;
    world_tell_detail (self, "%u -> %u %s", server->id, event->b + 1,
                       up ? "is connected" : "is refused");
    if (up) {
        self->pipes[event->a][event->b].open = true;
        node_peer_connected (server->node, event->b + 1);
    } else {
        self->pipes[event->a][event->b] = (struct sim_pipe){0};
        node_peer_disconnected (server->node, event->b + 1);
    }
    server_end (self, server);
}

static void peer_event (struct world *self, struct sim_event *event)
{
    struct sim_server *server = &self->servers[event->type == SIM_PEER_FRAME ? event->b : event->a];
    struct sim_pipe *pipe = &self->pipes[event->a][event->b];

    if (event->type != SIM_PEER_FRAME && pipe->number != event->number) {
        return; /* of a connection that was given up meanwhile */
    }
    if (event->type == SIM_PEER_OPENED) {
        knock (self, event, server);
        return;
    }
    if (event->type == SIM_PEER_FRAME) {
        self->ways[event->a][event->b].flying--;
    }
    if (!server_begin (self, server)) {
        return;
    }
    if (event->type == SIM_PEER_CLOSED) {
        *pipe = (struct sim_pipe){0};
        node_peer_disconnected (server->node, event->b + 1);
    } else {
        server->heard_ms[event->a] = self->schedule.now_ms;
        trace_frame (self, server, event->data, event->size);
        node_peer_frame (server->node, event->data, event->size);
    }
    server_end (self, server);
}

void network_event (struct world *self, struct sim_event *event)
{
    if (event->type == SIM_PEER_OPENED || event->type == SIM_PEER_CLOSED ||
        event->type == SIM_PEER_FRAME) {
        peer_event (self, event);
    } else {
        network_clients_event (self, event);
    }
}
