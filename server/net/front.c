/*
 * server/net/front.c - the sockets that clients connect to
 */
#include "server/net/front.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "server/net/endpoint.h"
#include "server/net/monitor.h"
#include "server/net/zap.h"
#include "server/node/identity_text.h"

enum {
    SOCKETS_MAX = 8,
    ENDPOINT_SIZE = 128,
    ROUTING_ID_MAX = 255,
    ORIGIN_MAX = 2 * (2 + IDENTITY_CURVE_SIZE),
    FRAMES_A_TURN = 512,
    BYTES_A_TURN = 256 << 10,          /* and one frame more: what is served in a few ms */
    FRAMES_QUEUED = 2000,              /* of one connection, in ZeroMQ's queues */
    FRAME_SIZE_MAX = 32 * 1024 * 1024, /* above any frame that a client may send */
    HANDSHAKE_MS = 5000,
    BACKLOG = 4096,
    INPROC_PROBE_MS = 10, /* between two turns of probing inproc connections, and as long as */
    INPROC_REST_MS = 500, /* when nothing stirs: every probe wakes a client */
    INPROC_PROBES_A_TURN = 64
};

/* After DISCONNECTED a probe can still succeed; it is repeated after so many ms. */
static const int probe_delays_ms[] = {0, 1, 5, 20};
enum { PROBES = sizeof probe_delays_ms / sizeof *probe_delays_ms };

struct socket {
    void *router;
    struct monitor monitor;
    char endpoint[ENDPOINT_SIZE];
    bool inproc;
    bool tcp;
    bool ready; /* its descriptor was readable, or not everything was read */
    bool sent;  /* since it was last read to its end */
};

struct connection {
    struct map_node by_route; /* (socket, routing id) -> connection */
    struct map_node by_number;
    struct list_node on_list; /* of all inproc ones, or of its descriptor's bucket */
    struct list_node on_probes;
    struct socket *socket;
    uint64_t number;
    int fd;
    bool probing;
    unsigned probes;   /* made since DISCONNECTED */
    uint64_t complete; /* it is dead, and when so many were received its last was; 0: it may live */
    int64_t probe_ms;
    size_t origin_size;
    uint8_t origin[ORIGIN_MAX]; /* identities */
    size_t route_size;
    uint8_t route[ROUTING_ID_MAX];
};

enum { FD_BUCKETS = 4096 };

struct front {
    struct front_handler handler;
    struct logger logger;
    uint64_t hash_seed;
    void *zap; /* NULL: no client has a key */
    bool zap_ready;
    size_t sockets_count;
    struct socket sockets[SOCKETS_MAX];
    uint64_t last_number;
    uint64_t received; /* frames, of all */
    uint64_t received_bytes;
    struct map routes;
    struct map numbers;
    struct list fds[FD_BUCKETS]; /* connections by descriptor, modulo */
    struct list inprocs;
    struct list probes;
    int64_t now_ms;
    int64_t inproc_probe_ms;  /* when the next turn of probing is due, */
    int64_t inproc_probed_ms; /* when the last was, */
    int64_t inproc_rest_ms;   /* how long the next rest is, */
    size_t inproc_left;       /* and how many are to be probed before it */
};

struct route_key {
    const struct socket *socket;
    const uint8_t *route;
    size_t size;
};

static uint64_t route_hash (const struct front *self, const struct route_key *key)
{
    return hash64 (key->route, key->size,
                   self->hash_seed + (uint64_t) (key->socket - self->sockets));
}

static bool route_equal (const struct map_node *node, const void *key_arg)
{
    const struct route_key *key = key_arg;
    const struct connection *connection = container_of (node, struct connection, by_route);
    return connection->socket == key->socket && connection->route_size == key->size &&
           memcmp (connection->route, key->route, key->size) == 0;
}

static bool number_equal (const struct map_node *node, const void *key)
{
    return container_of (node, struct connection, by_number)->number == *(const uint64_t *) key;
}

static struct connection *find_number (const struct front *self, uint64_t number)
{
    struct map_node *node = map_find (&self->numbers, number, number_equal, &number);
    return node ? container_of (node, struct connection, by_number) : NULL;
}

/* ---- Connections ------------------------------------------------------------------------- */

static struct connection *connection_new (struct front *self, const struct route_key *key, int fd)
{
    struct connection *connection = mem_calloc (1, sizeof *connection);
    if (!connection) {
        return NULL;
    }
    connection->socket = &self->sockets[key->socket - self->sockets];
    connection->number = ++self->last_number;
    connection->fd = fd;
    connection->route_size = key->size;
    memcpy (connection->route, key->route, key->size);
    connection->by_route.hash = route_hash (self, key);
    map_insert (&self->routes, &connection->by_route);
    connection->by_number.hash = connection->number;
    map_insert (&self->numbers, &connection->by_number);
    list_push_back (fd >= 0 ? &self->fds[fd % FD_BUCKETS] : &self->inprocs, &connection->on_list);
    return connection;
}

static void connection_forget (struct front *self, struct connection *connection)
{
    map_remove (&self->routes, &connection->by_route);
    map_remove (&self->numbers, &connection->by_number);
    list_remove (&connection->on_list);
    if (connection->probing) {
        list_remove (&connection->on_probes);
    }
    mem_free (connection);
}

static void connection_suspect (struct front *self, struct connection *connection)
{
    if (!connection->probing) {
        connection->probing = true;
        list_push_back (&self->probes, &connection->on_probes);
    }
    connection->probes = 0;
    connection->probe_ms = self->now_ms;
}

/* ---- Receiving --------------------------------------------------------------------------- */

/* The descriptor a message came by; -1: inproc. */
static int message_fd (zmq_msg_t *message)
{
    return zmq_msg_get (message, ZMQ_SRCFD);
}

/* What libzmq knows of the sender.  Only what it has found out itself: a peer can make properties
 * up, but not those that libzmq sets before it. */
static void take_origin (const struct front *self, struct connection *connection,
                         zmq_msg_t *message)
{
    struct buf identities = {0};
    bool tcp = connection->socket->tcp;
    identity_put_origin (&identities, tcp ? zmq_msg_gets (message, "Peer-Address") : NULL,
                         self->zap != NULL ? zmq_msg_gets (message, "User-Id") : NULL);
    if (!identities.failed && identities.size > 0 && identities.size <= ORIGIN_MAX) {
        memcpy (connection->origin, identities.data, identities.size);
        connection->origin_size = identities.size;
    }
    buf_deinit (&identities);
}

static void receive (struct front *self, struct socket *socket, const uint8_t *route,
                     size_t route_size, zmq_msg_t *body)
{
    struct route_key key = {socket, route, route_size};
    int fd = message_fd (body);
    struct map_node *node = map_find (&self->routes, route_hash (self, &key), route_equal, &key);
    struct connection *connection = node ? container_of (node, struct connection, by_route) : NULL;

    if (connection && connection->fd != fd) {
        /* A routing id of the client's own choice came back on a new connection: the old one must
         * be gone, for ZeroMQ refuses a second one of the same id. */
        uint64_t number = connection->number;
        connection_forget (self, connection);
        self->handler.closed (self->handler.arg, number);
        connection = NULL;
    }
    if (!connection) {
        connection = connection_new (self, &key, fd);
        if (connection) {
            take_origin (self, connection, body);
        }
    }
    if (!connection) {
        logger_write (&self->logger, LOG_ERROR, "connection-refused", "reason=\"out of memory\"");
        return;
    }
    if (zmq_msg_size (body) > 0) {
        self->handler.frame (self->handler.arg, connection->number, zmq_msg_data (body),
                             zmq_msg_size (body));
    }
}

/* The next frame of a socket: routing id and one part.  false: nothing waits. */
static bool receive_next (struct front *self, struct socket *socket)
{
    uint8_t route[ROUTING_ID_MAX];
    zmq_msg_t body;
    int route_size = zmq_recv (socket->router, route, sizeof route, ZMQ_DONTWAIT);
    if (route_size < 0) {
        return false;
    }
    COHORT_ASSERT (route_size <= (int) sizeof route);
    COHORT_ASSERT (zmq_msg_init (&body) == 0);
    if (zmq_msg_recv (&body, socket->router, 0) >= 0) {
        if (zmq_msg_more (&body)) {
            logger_write (&self->logger, LOG_WARNING, "frame-malformed",
                          "from=client reason=\"more than one part\"");
            while (zmq_msg_more (&body) && zmq_msg_recv (&body, socket->router, 0) >= 0) {
            }
        } else {
            self->received_bytes += zmq_msg_size (&body);
            receive (self, socket, route, (size_t) route_size, &body);
        }
    }
    (void) zmq_msg_close (&body);
    return true;
}

/* What came in by one call of drain. */
struct drained {
    size_t frames;
    bool empty; /* nothing waits any more */
};

/* One turn's share.  A send may take notice of what has come, and nothing tells of that again: so
 * who has sent reads, too, before he sleeps. */
static struct drained drain (struct front *self, struct socket *socket)
{
    struct drained drained = {.frames = 0};
    uint64_t bytes_max = self->received_bytes + BYTES_A_TURN;
    socket->ready = socket->sent = false;
    while (drained.frames < FRAMES_A_TURN && self->received_bytes < bytes_max && !drained.empty) {
        drained.empty = !receive_next (self, socket);
        drained.frames += !drained.empty;
    }
    self->received += drained.frames;
    socket->ready |= !drained.empty;
    return drained;
}

/* ---- Disconnects ------------------------------------------------------------------------- */

static bool read_monitor (struct front *self, struct socket *socket)
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
    uint64_t number = connection->number;
    if (connection->complete == 0) {
        connection->complete =
            self->received + FRAMES_QUEUED * (uint64_t) map_count (&self->numbers);
    }
    bool empty = drain (self, connection->socket).empty;
    connection = find_number (self, number); /* a frame's handler may have dropped it */
    if (connection && !empty && self->received < connection->complete) {
        connection_suspect (self, connection);
        connection->probe_ms = self->now_ms + 1;
        return false;
    }
    if (connection) {
        connection_forget (self, connection);
        self->handler.closed (self->handler.arg, number);
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

static bool probe_due (struct front *self)
{
    bool any = false;
    struct list_node *node = list_first (&self->probes);
    size_t left = map_count (&self->numbers); /* a handler may change the list: bound the walk */

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
static void look_at_inprocs (struct front *self)
{
    bool any = false;
    for (size_t i = 0; i < self->sockets_count && !any; i++) {
        any = self->sockets[i].inproc && self->sockets[i].ready;
    }
    if (any && !list_empty (&self->inprocs)) {
        int64_t soon_ms = self->inproc_probed_ms + INPROC_PROBE_MS;
        soon_ms = soon_ms > self->now_ms ? soon_ms : self->now_ms;
        self->inproc_probe_ms = soon_ms < self->inproc_probe_ms ? soon_ms : self->inproc_probe_ms;
        self->inproc_left = map_count (&self->numbers);
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
        rests ? map_count (&self->numbers) : self->inproc_left - INPROC_PROBES_A_TURN;
    if (rests) {
        int64_t next_ms = self->inproc_rest_ms * 2;
        self->inproc_rest_ms = next_ms < INPROC_REST_MS ? next_ms : INPROC_REST_MS;
    }
}

static bool probe_inprocs (struct front *self)
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
        if (i + 1 >= map_count (&self->numbers)) {
            break;
        }
    }
    return true; /* sockets that were sent on must be read before sleeping */
}

/* ---- Interface --------------------------------------------------------------------------- */

bool front_turn (struct front *self, int64_t now_ms)
{
    bool any = false;

    self->now_ms = now_ms;
    look_at_inprocs (self);
    if (self->zap_ready) {
        any |= self->zap_ready = zap_turn (self->zap);
    }
    /* The ROUTERs before their monitors: what a client sent is then read before its end. */
    for (size_t i = 0; i < self->sockets_count; i++) {
        struct socket *socket = &self->sockets[i];
        if (socket->ready || socket->sent || socket->monitor.ready) {
            any |= drain (self, socket).frames > 0;
        }
    }
    for (size_t i = 0; i < self->sockets_count; i++) {
        any |= read_monitor (self, &self->sockets[i]);
    }
    any |= probe_due (self);
    any |= probe_inprocs (self);
    return any;
}

bool front_due (const struct front *self)
{
    for (size_t i = 0; i < self->sockets_count; i++) {
        if (self->sockets[i].ready || self->sockets[i].sent) {
            return true;
        }
    }
    return self->zap_ready;
}

int64_t front_deadline (const struct front *self)
{
    int64_t deadline = list_empty (&self->inprocs) ? INT64_MAX : self->inproc_probe_ms;
    for (struct list_node *node = list_first (&self->probes); node;
         node = list_next (&self->probes, node)) {
        int64_t due = list_entry (node, struct connection, on_probes)->probe_ms;
        deadline = due < deadline ? due : deadline;
    }
    return deadline;
}

bool front_send (struct front *self, uint64_t number, const uint8_t *data, size_t size)
{
    struct connection *connection = find_number (self, number);
    if (!connection) {
        return true;
    }
    void *router = connection->socket->router;
    connection->socket->sent = true;
    if (zmq_send (router, connection->route, connection->route_size, ZMQ_DONTWAIT | ZMQ_SNDMORE) <
        0) {
        if (zmq_errno () != EHOSTUNREACH) {
            return false;
        }
        connection_suspect (self, connection);
        return true;
    }
    /* Behind an accepted routing id the body is accepted too, or lost with its connection. */
    (void) zmq_send (router, data, size, ZMQ_DONTWAIT);
    return true;
}

void front_origin (const struct front *self, uint64_t number, struct buf *identities)
{
    const struct connection *connection = find_number (self, number);
    if (connection) {
        buf_append (identities, connection->origin, connection->origin_size);
    }
}

void front_drop (struct front *self, uint64_t number)
{
    struct connection *connection = find_number (self, number);
    if (connection) {
        connection_forget (self, connection);
    }
}

const char *front_endpoint (const struct front *self, size_t index)
{
    return index < self->sockets_count ? self->sockets[index].endpoint : NULL;
}

typedef void descriptor_fn (void *arg, int fd, bool *ready);

static void socket_descriptor (void *socket, bool *ready, descriptor_fn *fn, void *arg)
{
    int fd;
    size_t size = sizeof fd;
    COHORT_ASSERT (zmq_getsockopt (socket, ZMQ_FD, &fd, &size) == 0);
    fn (arg, fd, ready);
}

void front_descriptors (struct front *self, descriptor_fn *fn, void *arg)
{
    if (self->zap != NULL) {
        socket_descriptor (self->zap, &self->zap_ready, fn, arg);
    }
    for (size_t i = 0; i < self->sockets_count; i++) {
        struct socket *socket = &self->sockets[i];
        socket_descriptor (socket->router, &socket->ready, fn, arg);
        if (socket->monitor.pair) {
            socket_descriptor (socket->monitor.pair, &socket->monitor.ready, fn, arg);
        }
    }
}

/* ---- Opening ----------------------------------------------------------------------------- */

static int set_option (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof value);
}

static int configure (void *router, const char *secret_key)
{
    int64_t frame_size_max = FRAME_SIZE_MAX;

    if (set_option (router, ZMQ_ROUTER_MANDATORY, 1) || set_option (router, ZMQ_LINGER, 0) ||
        set_option (router, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) ||
        set_option (router, ZMQ_BACKLOG, BACKLOG) ||
        zmq_setsockopt (router, ZMQ_MAXMSGSIZE, &frame_size_max, sizeof frame_size_max)) {
        return -1;
    }
    if (!secret_key) {
        return 0;
    }
    return set_option (router, ZMQ_CURVE_SERVER, 1) ||
                   zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, secret_key, strlen (secret_key))
               ? -1
               : 0;
}

/* Opens one socket and binds it; on failure closes it again. */
static int bind_endpoint (struct front *self, const struct front_options *options,
                          const char *endpoint)
{
    struct socket *socket = &self->sockets[self->sockets_count];
    size_t size = sizeof socket->endpoint;

    memset (socket, 0, sizeof *socket);
    socket->router = zmq_socket (options->context, ZMQ_ROUTER);
    if (!socket->router) {
        return -zmq_errno ();
    }
    socket->inproc = strncmp (endpoint, "inproc://", 9) == 0;
    socket->tcp = strncmp (endpoint, "tcp://", 6) == 0;
    int rc = configure (socket->router, options->secret_key) ? -zmq_errno () : 0;
    if (rc == 0 && !socket->inproc) {
        rc = monitor_open (&socket->monitor, options->context, socket->router,
                           ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED);
    }
    if (rc == 0 && zmq_bind (socket->router, endpoint) != 0) {
        rc = -zmq_errno ();
    }
    if (rc == 0 &&
        zmq_getsockopt (socket->router, ZMQ_LAST_ENDPOINT, socket->endpoint, &size) != 0) {
        rc = -zmq_errno ();
    }
    if (rc != 0) {
        monitor_close (&socket->monitor);
        (void) zmq_close (socket->router);
        return rc;
    }
    self->sockets_count++;
    return 0;
}

static int bind_all (struct front *self, const struct front_options *options, char *error,
                     size_t error_size)
{
    const char *at = options->endpoints;

    while (*at) {
        char endpoint[ENDPOINT_SIZE];
        size_t size = strcspn (at, ",");
        if (size >= sizeof endpoint || self->sockets_count == SOCKETS_MAX) {
            (void) snprintf (error, error_size, "clients: %s: %s", at,
                             size >= sizeof endpoint ? "the endpoint is too long"
                                                     : "there are more than 8 endpoints");
            return -EINVAL;
        }
        if (!endpoint_is_sound (at, size)) {
            (void) snprintf (
                error, error_size,
                "clients: %.*s is not tcp://HOST:PORT (a port from 0 to 65535; 0: any), "
                "ipc://PATH or inproc://NAME",
                (int) size, at);
            return -EINVAL;
        }
        memcpy (endpoint, at, size);
        endpoint[size] = '\0';
        int rc = bind_endpoint (self, options, endpoint);
        if (rc != 0) {
            (void) snprintf (error, error_size, "clients: cannot listen on %s: %s%s", endpoint,
                             zmq_strerror (-rc),
                             rc == -EADDRINUSE ? " (another program has the port: stop it, or "
                                                 "choose another in clients=)"
                                               : "");
            return rc;
        }
        at += size + (at[size] == ',');
    }
    return 0;
}

int front_new (const struct front_options *options, struct front **front, char *error,
               size_t error_size)
{
    struct front *self = mem_calloc (1, sizeof *self);
    if (!self) {
        (void) snprintf (error, error_size, "out of memory");
        return -ENOMEM;
    }
    self->handler = options->handler;
    self->logger = options->logger;
    self->inproc_rest_ms = INPROC_PROBE_MS;
    self->hash_seed = options->hash_seed;
    map_init (&self->routes);
    map_init (&self->numbers);
    list_init (&self->inprocs);
    list_init (&self->probes);
    for (size_t i = 0; i < FD_BUCKETS; i++) {
        list_init (&self->fds[i]);
    }
    if (options->secret_key) {
        self->zap = zap_open (options->context);
        if (self->zap == NULL) {
            logger_write (&self->logger, LOG_WARNING, "keys-unknown",
                          "reason=\"the ZeroMQ context has another authenticator: access control "
                          "lists that name a curve key match no client of this server\"");
        }
    }
    int rc = bind_all (self, options, error, error_size);
    if (rc != 0) {
        front_destroy (&self);
        return rc;
    }
    *front = self;
    return 0;
}

static void forget_list (struct front *self, struct list *list)
{
    struct list_node *node;
    while ((node = list_first (list)) != NULL) {
        connection_forget (self, list_entry (node, struct connection, on_list));
    }
}

static void socket_close (struct socket *socket)
{
    if (socket->inproc) {
        (void) zmq_unbind (socket->router, socket->endpoint);
    } else {
        monitor_unbind (&socket->monitor, socket->endpoint);
    }
    monitor_close (&socket->monitor);
    (void) zmq_close (socket->router);
}

void front_destroy (struct front **self_p)
{
    struct front *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < FD_BUCKETS; i++) {
        forget_list (self, &self->fds[i]);
    }
    forget_list (self, &self->inprocs);
    for (size_t i = 0; i < self->sockets_count; i++) {
        socket_close (&self->sockets[i]);
    }
    zap_close (&self->zap);
    map_deinit (&self->routes);
    map_deinit (&self->numbers);
    mem_free (self);
    *self_p = NULL;
}
