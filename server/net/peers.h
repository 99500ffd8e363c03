/*
 * server/net/peers.h - the sockets between servers
 *
 * One ROUTER that receives from all of them, and to each a DEALER that sends.  A DEALER lives for
 * one connection: it never reconnects by itself, and queues nothing while it is not connected.
 * When to try again is the link's affair (server/node/link.h).
 */
#ifndef SERVER_NET_PEERS_H
#define SERVER_NET_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/logger.h"

struct peers;

struct peers_handler {
    void *arg;
    void (*connected) (void *arg, uint32_t peer);
    void (*disconnected) (void *arg, uint32_t peer);
    void (*frame) (void *arg, const uint8_t *data, size_t size);
};

struct peers_options {
    void *context;        /* ZeroMQ's; borrowed */
    const char *endpoint; /* of this server */
    struct peers_handler handler;
    struct logger logger;

    /* Told of each descriptor to wait on before it is used, and of where to note that it was
     *  readable; and before it is closed, with NULL. */
    void (*watch) (void *arg, int fd, bool *ready);
    void *watch_arg;
};

/* Binds.  0, or -errno with a text that names the endpoint. */
int peers_new (const struct peers_options *options, struct peers **peers, char *error,
               size_t error_size);
void peers_destroy (struct peers **self_p);

/* Where a peer listens; before the first peers_connect to it. */
int peers_add (struct peers *self, uint32_t peer, const char *endpoint);

/* A fresh connection; the answer is connected or disconnected, in a later turn. */
void peers_connect (struct peers *self, uint32_t peer);
void peers_close (struct peers *self, uint32_t peer);

/* false: the pipe is full, or there is no connection; nothing was taken. */
bool peers_send (struct peers *self, uint32_t peer, const uint8_t *data, size_t size);

/* One turn: looks at the sockets that are said to be ready.  true: something was done, or there may
 * be more. */
bool peers_turn (struct peers *self);

#endif
