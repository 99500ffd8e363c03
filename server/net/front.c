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
#include "server/net/endpoint.h"
#include "server/net/front_state.h"
#include "server/net/zap.h"

enum {
    FRAME_SIZE_MAX = 33 * 1024 * 1024, /* above any message that a client may send */
    HANDSHAKE_MS = 5000,
    BACKLOG = 4096,
    UNSENT_MS = 10 /* a full pipe is tried again */
};

/* ---- Interface --------------------------------------------------------------------------- */

bool front_turn (struct front *self, int64_t now_ms)
{
    bool any = false;

    self->now_ms = now_ms;
    front_look_at_inprocs (self);
    if (self->zap_ready) {
        any |= self->zap_ready = zap_turn (self->zap);
    }
    /* The ROUTERs before their monitors: what a client sent is then read before its end. */
    for (size_t i = 0; i < self->sockets_count; i++) {
        struct socket *socket = &self->sockets[i];
        if (socket->ready || socket->sent || socket->monitor.ready) {
            any |= front_drain (self, socket).messages > 0;
        }
    }
    for (size_t i = 0; i < self->sockets_count; i++) {
        any |= front_read_monitor (self, &self->sockets[i]);
    }
    any |= front_probe_due (self);
    any |= front_probe_inprocs (self);
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
    if (!list_empty (&self->unsent) && self->now_ms + UNSENT_MS < deadline) {
        deadline = self->now_ms + UNSENT_MS;
    }
    return deadline;
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
    map_init (&self->ids);
    map_init (&self->numbers);
    map_init (&self->keys);
    list_init (&self->inprocs);
    list_init (&self->probes);
    list_init (&self->unsent);
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
    front_free_spares (self);
    map_deinit (&self->routes);
    map_deinit (&self->ids);
    map_deinit (&self->numbers);
    map_deinit (&self->keys);
    mem_free (self);
    *self_p = NULL;
}
