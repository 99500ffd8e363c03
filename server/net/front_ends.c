/* front_ends.c: how connections end: see front.h and front_state.h. */

#include <zmq.h>

#include "server/net/front_state.h"

enum {
    MESSAGES_QUEUED = 2000, /* of one connection, in ZeroMQ's queues */
    INPROC_REST_MS = 500,   /* when nothing stirs: every probe wakes a client */
    INPROC_PROBES_A_TURN = 64
};

/* After DISCONNECTED a probe can still succeed; it is repeated after so many ms. */
static const int probe_delays_ms[] = {0, 1, 5, 20};
enum { PROBES = sizeof probe_delays_ms / sizeof *probe_delays_ms };

void connection_suspect (struct front *self, struct connection *connection)
{
    if (!connection->probing) {
        connection->probing = true;
        list_push_back (&self->probes, &connection->on_probes);
    }
    connection->probes = 0;
    connection->probe_ms = self->now_ms;
}

/* ---- Disconnects ------------------------------------------------------------------------- */

bool front_read_monitor (struct front *self, struct socket *socket)
{
    struct monitor_event event;
    bool any = false;

    if (!socket->monitor.ready) {
        return false;
    }
    socket->monitor.ready = false;
    while (monitor_next (&socket->monitor, &event)) {
        any = true;
        if (event.event != ZMQ_EVENT_DISCONNECTED || event.value < 0) {
            continue;
        }
        struct list *bucket = &self->fds[event.value % FD_BUCKETS];
        struct list_node *node;
        for (node = list_first (bucket); node; node = list_next (bucket, node)) {
            struct connection *connection = list_entry (node, struct connection, on_list);
            if (connection->fd == event.value && connection->socket == socket) {
                connection_suspect (self, connection);
            }
        }
    }
    return any;
}

/* Sends an empty frame.  0: there is somebody, EAGAIN: cannot tell, EHOSTUNREACH: nobody. */
static int probe (struct connection *connection)
{
    void *router = connection->socket->router;
    int events;
    size_t size = sizeof events;
    connection->socket->sent = true;
    (void) zmq_getsockopt (router, ZMQ_EVENTS, &events, &size);
    if (zmq_send (router, connection->route, connection->route_size, ZMQ_DONTWAIT | ZMQ_SNDMORE) <
        0) {
        return zmq_errno ();
    }
    return zmq_send (router, "", 0, ZMQ_DONTWAIT) < 0 ? zmq_errno () : 0;
}

/* Its last frames may still wait behind the proof, and others' between them. Others may send
 * without end; but ZeroMQ takes from all connections in turn, so that after enough frames this
 * one's are out. false: not yet; it is looked at again in a later turn. */
static bool connection_dead (struct front *self, struct connection *connection)
{
    uint64_t id = connection->id;
    if (connection->complete == 0) {
        connection->complete =
            self->received + MESSAGES_QUEUED * (uint64_t) map_count (&self->routes);
    }
    bool empty = front_drain (self, connection->socket).empty;
    connection = connection_find (self, id); /* its routing id may have come back meanwhile */
    if (connection && !empty && self->received < connection->complete) {
        connection_suspect (self, connection);
        connection->probe_ms = self->now_ms + 1;
        return false;
    }
    if (connection) {
        connection_closed (self, connection);
    }
    return true;
}

static void probe_again (struct front *self, struct connection *connection, int outcome)
{
    if (connection->probes + 1 < PROBES) {
        connection->probes++;
    } else if (outcome == 0) {
        connection->probing = false; /* alive: the descriptor was used by another before */
        list_remove (&connection->on_probes);
        return;
    }
    connection->probe_ms = self->now_ms + probe_delays_ms[connection->probes];
}

bool front_probe_due (struct front *self)
{
    bool any = false;
    struct list_node *node = list_first (&self->probes);
    size_t left = map_count (&self->routes); /* a handler may change the list: bound the walk */

    while (node && left-- > 0) {
        struct connection *connection = list_entry (node, struct connection, on_probes);
        struct list_node *next = list_next (&self->probes, node);
        if (connection->probe_ms <= self->now_ms) {
            int outcome = probe (connection);
            any = true;
            if (outcome == EHOSTUNREACH) {
                if (!connection_dead (self, connection)) {
                    return true; /* enough for one turn */
                }
                next = list_first (&self->probes);
            } else {
                probe_again (self, connection, outcome);
            }
        }
        node = next;
    }
    return any;
}

/* The end of an inproc connection stirs its socket, and then all of them are probed.  ZeroMQ may
 * take notice of it by itself, so that nothing is seen to stir: then the next rest's end shows it.
 */
void front_look_at_inprocs (struct front *self)
{
    bool any = false;
    for (size_t i = 0; i < self->sockets_count && !any; i++) {
        any = self->sockets[i].inproc && self->sockets[i].ready;
    }
    if (any && !list_empty (&self->inprocs)) {
        int64_t soon_ms = self->inproc_probed_ms + INPROC_PROBE_MS;
        soon_ms = soon_ms > self->now_ms ? soon_ms : self->now_ms;
        self->inproc_probe_ms = soon_ms < self->inproc_probe_ms ? soon_ms : self->inproc_probe_ms;
        self->inproc_left = map_count (&self->routes);
        self->inproc_rest_ms = INPROC_PROBE_MS;
    }
}

/* When to go on: soon, until all were probed; then after a rest, the longer the less happens. */
static void plan_inprocs (struct front *self)
{
    bool rests = self->inproc_left <= INPROC_PROBES_A_TURN;
    self->inproc_probed_ms = self->now_ms;
    self->inproc_probe_ms = self->now_ms + (rests ? self->inproc_rest_ms : INPROC_PROBE_MS);
    self->inproc_left =
        rests ? map_count (&self->routes) : self->inproc_left - INPROC_PROBES_A_TURN;
    if (rests) {
        int64_t next_ms = self->inproc_rest_ms * 2;
        self->inproc_rest_ms = next_ms < INPROC_REST_MS ? next_ms : INPROC_REST_MS;
    }
}

bool front_probe_inprocs (struct front *self)
{
    if (list_empty (&self->inprocs) || self->now_ms < self->inproc_probe_ms) {
        return false;
    }
    plan_inprocs (self);
    for (size_t i = 0; i < INPROC_PROBES_A_TURN && !list_empty (&self->inprocs); i++) {
        struct connection *connection =
            list_entry (list_first (&self->inprocs), struct connection, on_list);
        list_remove (&connection->on_list);
        list_push_back (&self->inprocs, &connection->on_list);
        if (!connection->probing && probe (connection) == EHOSTUNREACH &&
            !connection_dead (self, connection)) {
            return true;
        }
        if (i + 1 >= map_count (&self->routes)) {
            break;
        }
    }
    return true; /* sockets that were sent on must be read before sleeping */
}
