/*
 * server/net/front.h - the sockets that clients connect to
 *
 * One ROUTER for each endpoint.  A connection is a client process's, and the sessions of a process
 * may share it, each as a channel (client/base/bundle.h).  Towards the node each channel is a
 * connection of its own: a number, given at its first frame and never used again.  It ends when the
 * client says so, or with the connection that carries it.
 *
 * That a connection has ended is reported when it is proven, not when it is suspected: the
 * monitor's DISCONNECTED is a hint, EHOSTUNREACH for its routing id is the proof, and only after
 * the ROUTER was drained behind that is its input complete.  (inproc has no monitor events:
 * such connections are probed in turn.)
 */
#ifndef SERVER_NET_FRONT_H
#define SERVER_NET_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/node/logger.h"

struct front;

struct front_handler {
    void *arg;
    void (*frame) (void *arg, uint64_t connection, const uint8_t *data, size_t size);
    void (*closed) (void *arg, uint64_t connection);
};

struct front_options {
    void *context;          /* ZeroMQ's; borrowed */
    const char *endpoints;  /* separated by commas */
    const char *secret_key; /* CURVE, Z85; NULL: none */
    struct front_handler handler;
    struct logger logger;
    uint64_t hash_seed; /* random and secret: clients may choose their routing ids */
};

/* Binds.  0, or -errno with a text that names the endpoint. */
int front_new (const struct front_options *options, struct front **front, char *error,
               size_t error_size);
void front_destroy (struct front **self_p);

/* The endpoint as it was bound, with its real port; NULL: no such index. */
const char *front_endpoint (const struct front *self, size_t index);

/* One turn at now_ms: receives (a bounded number of frames) and reads the monitors of the sockets
 * that are said to be ready (front_descriptors), probes.  true: something was done, or there may be
 * more. */
bool front_turn (struct front *self, int64_t now_ms);

/* Whether a turn is due at once: something may have come behind what was sent, without its
 * descriptor saying so. */
bool front_due (const struct front *self);

/* When the next probe is due; INT64_MAX: none. */
int64_t front_deadline (const struct front *self);

/* Takes a frame; it leaves with front_flush, in one message with the others of its connection, or
 * earlier if that is large enough.  false: the connection's pipe is full, nothing was taken.  To a
 * dead one: taken, and lost. */
bool front_send (struct front *self, uint64_t connection, const uint8_t *data, size_t size);

/* Sends what was taken: at the end of a turn. */
void front_flush (struct front *self);

/* Appends whom the connection shows its client to be (server/tree/identity.h): its address (tcp),
 * its public key (CURVE).  Of an unknown connection nothing. */
void front_origin (const struct front *self, uint64_t connection, struct buf *identities);

/* Forgets the connection: whatever it sends later comes as a new one. */
void front_drop (struct front *self, uint64_t connection);

/* Calls fn with each descriptor to wait on, and with where to note that it was readable: a turn
 * looks at what is noted.  It is readable until that turn. */
void front_descriptors (struct front *self, void (*fn) (void *arg, int fd, bool *ready), void *arg);

#endif
