/*
 * server/net/peers.c - the sockets between servers
 */
#include "server/net/peers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "server/core/config.h"
#include "server/net/monitor.h"
#ifdef COHORT_FAILPOINTS
#include "server/failpoints/failpoints.h"
#endif

enum {
    PEERS_MAX = 2 * CONFIG_MEMBERS_MAX,
    ENDPOINT_SIZE = 128,
    FRAMES_A_TURN = 512,
    HANDSHAKE_MS = 500,
    FRAME_SIZE_MAX = 64 * 1024 * 1024, /* above any frame that a server sends */
    DISCARD_SIZE = 256
};

struct peer {
    uint32_t id;
    char endpoint[ENDPOINT_SIZE];
    void *dealer; /* NULL: none */
    struct monitor monitor;
    bool connected; /* the handshake is done */
    bool failed;    /* the connection could not even be begun: to be reported */
    bool ready;     /* the dealer's descriptor was readable */
};

struct peers {
    void *context;
    struct peers_handler handler;
    struct logger logger;
    void (*watch) (void *arg, int fd, bool *ready);
    void *watch_arg;
    void *router;
    bool ready; /* the router's descriptor was readable, or not everything was read */
    bool malformed_told;
    size_t count;
    struct peer peers[PEERS_MAX];
};

static struct peer *find (struct peers *self, uint32_t id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->peers[i].id == id) {
            return &self->peers[i];
        }
    }
    return NULL;
}

static int set_option (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof value);
}

/* ready: where to note it; NULL: no longer. */
static void watch (struct peers *self, void *socket, bool *ready)
{
    int fd;
    size_t size = sizeof fd;
    if (socket && zmq_getsockopt (socket, ZMQ_FD, &fd, &size) == 0) {
        self->watch (self->watch_arg, fd, ready);
    }
}

/* ---- Outgoing ---------------------------------------------------------------------------- */

static void disconnect (struct peers *self, struct peer *peer)
{
    if (peer->dealer) {
        watch (self, peer->monitor.pair, NULL);
        watch (self, peer->dealer, NULL);
        monitor_close (&peer->monitor);
        (void) zmq_close (peer->dealer);
        peer->dealer = NULL;
    }
    peer->connected = false;
    peer->failed = false;
}

/* RECONNECT_IVL -1 and IMMEDIATE 1: one connection, and no frame that outlives it. */
static int open_dealer (struct peers *self, struct peer *peer)
{
    peer->dealer = zmq_socket (self->context, ZMQ_DEALER);
    if (!peer->dealer) {
        return -zmq_errno ();
    }
    watch (self, peer->dealer, &peer->ready);
    if (set_option (peer->dealer, ZMQ_RECONNECT_IVL, -1) ||
        set_option (peer->dealer, ZMQ_IMMEDIATE, 1) || set_option (peer->dealer, ZMQ_LINGER, 0) ||
        set_option (peer->dealer, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS)) {
        return -zmq_errno ();
    }
    int rc =
        monitor_open (&peer->monitor, self->context, peer->dealer,
                      ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                          ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                          ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    if (rc != 0) {
        return rc;
    }
    watch (self, peer->monitor.pair, &peer->monitor.ready);
    return zmq_connect (peer->dealer, peer->endpoint) == 0 ? 0 : -zmq_errno ();
}

void peers_connect (struct peers *self, uint32_t id)
{
    struct peer *peer = find (self, id);
    COHORT_ASSERT (peer != NULL);
    disconnect (self, peer);
    int rc = open_dealer (self, peer);
    if (rc != 0) {
        logger_write (&self->logger, LOG_WARNING, "peer-connect-failed",
                      "peer=%u endpoint=%s reason=\"%s\"", id, peer->endpoint, zmq_strerror (-rc));
        disconnect (self, peer);
        peer->failed = true;
    }
}

void peers_close (struct peers *self, uint32_t id)
{
    struct peer *peer = find (self, id);
    if (peer) {
        disconnect (self, peer);
    }
}

bool peers_send (struct peers *self, uint32_t id, const uint8_t *data, size_t size)
{
    struct peer *peer = find (self, id);
    if (!peer || !peer->connected) {
        return false;
    }
#ifdef COHORT_FAILPOINTS
    if (failpoint_drops (FAIL_LINK_SEND)) {
        return true;
    }
#endif
    return zmq_send (peer->dealer, data, size, ZMQ_DONTWAIT) >= 0;
}

/* Lets ZeroMQ work, so that the descriptor rests again.  A dealer receives nothing, and what a full
 * pipe has refused is tried again by the clock: so it need not be looked at behind every send. */
static void look_at_dealer (struct peer *peer)
{
    int events;
    size_t size = sizeof events;
    peer->ready = false;
    (void) zmq_getsockopt (peer->dealer, ZMQ_EVENTS, &events, &size);
}

/* What happened to an outgoing connection; handlers may connect anew. */
static bool turn_peer (struct peers *self, struct peer *peer)
{
    struct monitor_event event;
    bool any = peer->failed;
    bool lost = peer->failed;

    peer->failed = false;
    if (peer->dealer && peer->ready) {
        look_at_dealer (peer);
    }
    bool stirred = peer->dealer && peer->monitor.ready;
    peer->monitor.ready = false;
    while (stirred && !lost && peer->dealer && monitor_next (&peer->monitor, &event)) {
        any = true;
        if (event.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            peer->connected = true;
            self->handler.connected (self->handler.arg, peer->id);
        } else {
            lost = true;
        }
    }
    if (lost) {
        disconnect (self, peer);
        self->handler.disconnected (self->handler.arg, peer->id);
    }
    return any;
}

/* ---- Incoming ---------------------------------------------------------------------------- */

/* No server of ours sends that, and who does may do it again and again: it is told of once. */
static void tell_malformed (struct peers *self, zmq_msg_t *message)
{
    if (!self->malformed_told) {
        const char *address = zmq_msg_gets (message, "Peer-Address");
        self->malformed_told = true;
        logger_write (&self->logger, LOG_WARNING, "frame-malformed",
                      "from=peer address=%s reason=\"more than one part\"",
                      address != NULL ? address : "-");
    }
}

/* Routing id and one part; the frame itself says who sent it. */
static bool receive_next (struct peers *self)
{
    uint8_t route[DISCARD_SIZE];
    zmq_msg_t body;

    if (zmq_recv (self->router, route, sizeof route, ZMQ_DONTWAIT) < 0) {
        return false;
    }
    COHORT_ASSERT (zmq_msg_init (&body) == 0);
    if (zmq_msg_recv (&body, self->router, 0) >= 0) {
        if (zmq_msg_more (&body)) {
            tell_malformed (self, &body);
            while (zmq_msg_more (&body) && zmq_msg_recv (&body, self->router, 0) >= 0) {
            }
        } else {
            self->handler.frame (self->handler.arg, zmq_msg_data (&body), zmq_msg_size (&body));
        }
    }
    (void) zmq_msg_close (&body);
    return true;
}

bool peers_turn (struct peers *self)
{
    bool any = false;

    for (size_t i = 0; i < FRAMES_A_TURN && self->ready; i++) {
        self->ready = receive_next (self);
        any |= self->ready;
    }
    for (size_t i = 0; i < self->count; i++) {
        any |= turn_peer (self, &self->peers[i]);
    }
    return any;
}

/* ---- Life -------------------------------------------------------------------------------- */

int peers_add (struct peers *self, uint32_t id, const char *endpoint)
{
    if (self->count == PEERS_MAX || strlen (endpoint) >= ENDPOINT_SIZE) {
        return -EINVAL;
    }
    struct peer *peer = &self->peers[self->count++];
    memset (peer, 0, sizeof *peer);
    peer->id = id;
    memcpy (peer->endpoint, endpoint, strlen (endpoint) + 1);
    return 0;
}

static int bind_router (struct peers *self, const char *endpoint)
{
    int64_t frame_size_max = FRAME_SIZE_MAX;

    self->router = zmq_socket (self->context, ZMQ_ROUTER);
    if (!self->router) {
        return -zmq_errno ();
    }
    if (set_option (self->router, ZMQ_LINGER, 0) ||
        set_option (self->router, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) ||
        zmq_setsockopt (self->router, ZMQ_MAXMSGSIZE, &frame_size_max, sizeof frame_size_max) ||
        zmq_bind (self->router, endpoint) != 0) {
        return -zmq_errno ();
    }
    watch (self, self->router, &self->ready);
    return 0;
}

int peers_new (const struct peers_options *options, struct peers **peers, char *error,
               size_t error_size)
{
    struct peers *self = mem_calloc (1, sizeof *self);
    if (!self) {
        (void) snprintf (error, error_size, "out of memory");
        return -ENOMEM;
    }
    self->context = options->context;
    self->handler = options->handler;
    self->logger = options->logger;
    self->watch = options->watch;
    self->watch_arg = options->watch_arg;
    int rc = bind_router (self, options->endpoint);
    if (rc != 0) {
        (void) snprintf (error, error_size, "cannot listen for other servers on %s: %s",
                         options->endpoint, zmq_strerror (-rc));
        peers_destroy (&self);
        return rc;
    }
    *peers = self;
    return 0;
}

/* A server that is started anew in this process binds the same endpoint. */
static void unbind (struct peers *self)
{
    char endpoint[ENDPOINT_SIZE];
    size_t size = sizeof endpoint;
    struct monitor monitor;
    if (zmq_getsockopt (self->router, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0 && size > 1 &&
        monitor_open (&monitor, self->context, self->router, ZMQ_EVENT_CLOSED) == 0) {
        monitor_unbind (&monitor, endpoint);
        monitor_close (&monitor);
    }
}

void peers_destroy (struct peers **self_p)
{
    struct peers *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        disconnect (self, &self->peers[i]);
    }
    if (self->router) {
        watch (self, self->router, NULL);
        unbind (self);
        (void) zmq_close (self->router);
    }
    mem_free (self);
    *self_p = NULL;
}
