/*
 * server/net/front_state.h - the inside of the clients' sockets, for front*.c only
 *
 *    front.c          opening, turns, what others ask
 *    front_traffic.c  messages: from connections to channels, and back
 *    front_ends.c     how connections end
 */
#ifndef SERVER_NET_FRONT_STATE_H
#define SERVER_NET_FRONT_STATE_H

#include "client/base/bundle.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "server/net/front.h"
#include "server/net/monitor.h"
#include "server/node/identity_text.h"
#include "server/node/log_limit.h"

enum {
    SOCKETS_MAX = 8,
    ENDPOINT_SIZE = 128,
    ROUTING_ID_MAX = 255,
    ORIGIN_MAX = 2 * (2 + IDENTITY_CURVE_SIZE),
    FD_BUCKETS = 4096,
    SPARES_MAX = 16,
    MALFORMED_TOLD = 10, /* in the log, one by one, in so many ms: */
    MALFORMED_MS = 1000,
    INPROC_PROBE_MS = 10 /* between two turns of probing inproc connections, and as long as */
};

struct socket {
    void *router;
    struct monitor monitor;
    char endpoint[ENDPOINT_SIZE];
    bool inproc;
    bool tcp;
    bool ready; /* its descriptor was readable, or not everything was read */
    bool sent;  /* since it was last read to its end */
};

/* One of a client's process, which its sessions may share. */
struct connection {
    struct map_node by_route; /* (socket, routing id) -> connection */
    struct map_node by_id;
    struct list_node on_list; /* of all inproc ones, or of its descriptor's bucket */
    struct list_node on_probes;
    struct list_node on_unsent;
    struct list channels;
    size_t channels_count;
    struct bundle out; /* what this turn has for it */
    int64_t retry_ms;  /* it took nothing: when it is tried again; 0: it does */
    struct socket *socket;
    uint64_t id;
    int fd;
    bool probing;
    bool overdone;     /* has been said to have too many channels */
    unsigned probes;   /* made since DISCONNECTED */
    uint64_t complete; /* it is dead, and when so many were received its last was; 0: it may live */
    int64_t probe_ms;
    size_t origin_size;
    uint8_t origin[ORIGIN_MAX]; /* identities */
    size_t route_size;
    uint8_t route[ROUTING_ID_MAX];
};

/* What the node takes for a connection: one client on one of those. */
struct channel {
    struct map_node by_number;
    struct map_node by_key; /* (connection, the client's number for it) */
    struct list_node in_connection;
    struct connection *connection;
    uint64_t number;
    uint32_t key;
};

struct front {
    struct front_handler handler;
    struct logger logger;
    struct log_limit malformed; /* what strangers send fills no log */
    uint64_t hash_seed;
    void *zap; /* NULL: no client has a key */
    bool zap_ready;
    size_t sockets_count;
    struct socket sockets[SOCKETS_MAX];
    uint64_t last_number;
    uint64_t last_id;
    uint64_t received; /* messages, of all */
    uint64_t received_frames;
    uint64_t received_bytes;
    struct map routes;
    struct map ids;
    struct map numbers;
    struct map keys;
    struct list fds[FD_BUCKETS]; /* connections by descriptor, modulo */
    struct list inprocs;
    struct list probes;
    struct list unsent;               /* connections with something in `out` */
    struct bundle spares[SPARES_MAX]; /* memory for that */
    size_t spares_count;
    int64_t now_ms;
    int64_t inproc_probe_ms;  /* when the next turn of probing is due, */
    int64_t inproc_probed_ms; /* when the last was, */
    int64_t inproc_rest_ms;   /* how long the next rest is, */
    size_t inproc_left;       /* and how many are to be probed before it */
};

/* ---- front_traffic.c --------------------------------------------------------------------- */

struct connection *connection_find (const struct front *self, uint64_t id);
/* With its channels, of which nobody is told. */
void connection_forget (struct front *self, struct connection *connection);
/* The same, and tells of each of them. */
void connection_closed (struct front *self, struct connection *connection);

/* What came in by one call of drain. */
struct drained {
    size_t messages;
    bool empty; /* nothing waits any more */
};

/* Receives one turn's share. */
struct drained front_drain (struct front *self, struct socket *socket);

/* Releases what is only kept for later. */
void front_free_spares (struct front *self);

/* ---- front_ends.c ------------------------------------------------------------------------ */

/* It may have ended: that will be found out. */
void connection_suspect (struct front *self, struct connection *connection);
bool front_read_monitor (struct front *self, struct socket *socket);
bool front_probe_due (struct front *self);
/* inproc has no monitor: all of them are probed after a socket was stirred, and now and then. */
void front_look_at_inprocs (struct front *self);
bool front_probe_inprocs (struct front *self);

#endif
