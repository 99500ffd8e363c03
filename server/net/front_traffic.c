/* front_traffic.c: messages: see front.h and front_state.h. */

#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "server/net/front_state.h"

enum {
    FRAMES_A_TURN = 512,
    BYTES_A_TURN = 256 << 10, /* and one message more: what is served in a few ms */
    RETRY_MS = 10             /* between two attempts at a full pipe */
};

/* ---- Connections ------------------------------------------------------------------------- */

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

static bool is_it (const struct map_node *node, const void *key)
{
    /* The hash is the whole key, and it was compared. */
    (void) node;
    (void) key;
    return true;
}

struct connection *connection_find (const struct front *self, uint64_t id)
{
    struct map_node *node = map_find (&self->ids, id, is_it, NULL);
    return node ? container_of (node, struct connection, by_id) : NULL;
}

static struct connection *connection_new (struct front *self, const struct route_key *key, int fd)
{
    struct connection *connection = mem_calloc (1, sizeof *connection);
    if (!connection) {
        return NULL;
    }
    connection->socket = &self->sockets[key->socket - self->sockets];
    connection->id = ++self->last_id;
    connection->fd = fd;
    connection->route_size = key->size;
    memcpy (connection->route, key->route, key->size);
    list_init (&connection->channels);
    connection->by_route.hash = route_hash (self, key);
    map_insert (&self->routes, &connection->by_route);
    connection->by_id.hash = connection->id;
    map_insert (&self->ids, &connection->by_id);
    list_push_back (fd >= 0 ? &self->fds[fd % FD_BUCKETS] : &self->inprocs, &connection->on_list);
    return connection;
}

/* ---- Channels ---------------------------------------------------------------------------- */

struct channel_key {
    const struct connection *connection;
    uint32_t key;
};

static uint64_t channel_hash (const struct front *self, const struct channel_key *key)
{
    return hash64 (&key->key, sizeof key->key, self->hash_seed + key->connection->id);
}

static bool channel_equal (const struct map_node *node, const void *key_arg)
{
    const struct channel_key *key = key_arg;
    const struct channel *channel = container_of (node, struct channel, by_key);
    return channel->connection == key->connection && channel->key == key->key;
}

static struct channel *channel_find (const struct front *self, const struct connection *connection,
                                     uint32_t key_number)
{
    struct channel_key key = {connection, key_number};
    struct map_node *node = map_find (&self->keys, channel_hash (self, &key), channel_equal, &key);
    return node ? container_of (node, struct channel, by_key) : NULL;
}

static struct channel *channel_of (const struct front *self, uint64_t number)
{
    struct map_node *node = map_find (&self->numbers, number, is_it, NULL);
    return node ? container_of (node, struct channel, by_number) : NULL;
}

/* NULL: out of memory, or the connection has too many; that is said once. */
static struct channel *channel_new (struct front *self, struct connection *connection,
                                    uint32_t key_number)
{
    struct channel_key key = {connection, key_number};
    bool many = connection->channels_count == BUNDLE_CHANNELS_MAX;
    struct channel *channel = many ? NULL : mem_calloc (1, sizeof *channel);
    if (!channel) {
        if (!connection->overdone) {
            connection->overdone = true;
            logger_write (&self->logger, LOG_ERROR, "connection-refused", "reason=\"%s\"",
                          many ? "more than 65536 sessions on one connection" : "out of memory");
        }
        return NULL;
    }
    channel->connection = connection;
    channel->key = key_number;
    channel->number = ++self->last_number;
    channel->by_number.hash = channel->number;
    map_insert (&self->numbers, &channel->by_number);
    channel->by_key.hash = channel_hash (self, &key);
    map_insert (&self->keys, &channel->by_key);
    list_push_back (&connection->channels, &channel->in_connection);
    connection->channels_count++;
    return channel;
}

static void channel_forget (struct front *self, struct channel *channel)
{
    map_remove (&self->numbers, &channel->by_number);
    map_remove (&self->keys, &channel->by_key);
    list_remove (&channel->in_connection);
    channel->connection->channels_count--;
    mem_free (channel);
}

static void channel_closed (struct front *self, struct channel *channel)
{
    uint64_t number = channel->number;
    channel_forget (self, channel);
    self->handler.closed (self->handler.arg, number);
}

static void close_channels (struct front *self, struct connection *connection)
{
    struct list_node *node;
    while ((node = list_first (&connection->channels)) != NULL) {
        channel_closed (self, list_entry (node, struct channel, in_connection));
    }
}

/* ---- The end of connections -------------------------------------------------------------- */

void connection_forget (struct front *self, struct connection *connection)
{
    struct list_node *node;
    while ((node = list_first (&connection->channels)) != NULL) {
        channel_forget (self, list_entry (node, struct channel, in_connection));
    }
    map_remove (&self->routes, &connection->by_route);
    map_remove (&self->ids, &connection->by_id);
    list_remove (&connection->on_list);
    if (connection->probing) {
        list_remove (&connection->on_probes);
    }
    if (list_linked (&connection->on_unsent)) {
        list_remove (&connection->on_unsent);
    }
    bundle_deinit (&connection->out);
    mem_free (connection);
}

void connection_closed (struct front *self, struct connection *connection)
{
    close_channels (self, connection);
    connection_forget (self, connection);
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

/* Anybody can send what is none of ours as often as he likes: so many a second are told of one by
 * one, the others as a number once that second is over. */
static void malformed (struct front *self, const struct socket *socket, zmq_msg_t *message,
                       const char *reason)
{
    uint64_t missed;
    bool told =
        log_limit_admits (&self->malformed, self->now_ms, MALFORMED_TOLD, MALFORMED_MS, &missed);
    if (missed > 0) {
        logger_write (&self->logger, LOG_WARNING, "frames-malformed", "from=client more=%llu",
                      (unsigned long long) missed);
    }
    if (told) {
        const char *address = socket->tcp ? zmq_msg_gets (message, "Peer-Address") : NULL;
        logger_write (&self->logger, LOG_WARNING, "frame-malformed",
                      "from=client address=%s endpoint=%s reason=\"%s\"",
                      address != NULL ? address : "-", socket->endpoint, reason);
    }
}

/* A frame of one of the connection's channels.  An empty one ends it: the rest of its input, unlike
 * that of a connection, is certainly here. */
static void receive_frame (struct front *self, struct connection *connection, uint32_t key,
                           const uint8_t *data, size_t size)
{
    struct channel *channel = channel_find (self, connection, key);
    self->received_frames++;
    if (size == 0) {
        if (channel && key != BUNDLE_BARE) {
            channel_closed (self, channel);
        }
        return;
    }
    channel = channel ? channel : channel_new (self, connection, key);
    if (channel) {
        self->handler.frame (self->handler.arg, channel->number, data, size);
    }
}

/* No client of ours sends what is no sound bundle. What was in it nobody knows: all of its channels
 * end, and whatever comes later on them comes as new. */
static void receive_body (struct front *self, struct connection *connection, zmq_msg_t *body)
{
    const uint8_t *data = zmq_msg_data (body);
    size_t size = zmq_msg_size (body);
    struct reader reader;
    struct letter letter;
    size_t letters;
    if (!bundle_marked (data, size)) {
        receive_frame (self, connection, BUNDLE_BARE, data, size);
    } else if (bundle_open (&reader, data, size, &letters)) {
        while (bundle_next (&reader, &letter)) {
            receive_frame (self, connection, letter.channel, letter.data, letter.size);
        }
    } else {
        malformed (self, connection->socket, body, "not a bundle of frames");
        close_channels (self, connection);
    }
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
        connection_closed (self, connection);
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
    receive_body (self, connection, body);
}

/* The next message of a socket: routing id and one part.  false: nothing waits. */
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
            malformed (self, socket, &body, "more than one part");
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

/* A send may take notice of what has come, and nothing tells of that again: so who has sent reads,
 * too, before he sleeps. */
struct drained front_drain (struct front *self, struct socket *socket)
{
    struct drained drained = {.messages = 0};
    uint64_t bytes_max = self->received_bytes + BYTES_A_TURN;
    uint64_t frames_max = self->received_frames + FRAMES_A_TURN;
    socket->ready = socket->sent = false;
    while (drained.messages < FRAMES_A_TURN && self->received_frames < frames_max &&
           self->received_bytes < bytes_max && !drained.empty) {
        drained.empty = !receive_next (self, socket);
        drained.messages += !drained.empty;
    }
    self->received += drained.messages;
    socket->ready |= !drained.empty;
    return drained;
}

/* ---- Sending ----------------------------------------------------------------------------- */

/* Memory goes from connection to connection: most have nothing to send most of the time. */
static void take_spare (struct front *self, struct connection *connection)
{
    if (connection->out.buf.capacity == 0 && self->spares_count > 0) {
        connection->out = self->spares[--self->spares_count];
    }
}

static void give_spare (struct front *self, struct connection *connection)
{
    bundle_clear (&connection->out);
    if (self->spares_count < SPARES_MAX) {
        self->spares[self->spares_count++] = connection->out;
        connection->out = (struct bundle){.letters = 0};
    } else {
        bundle_deinit (&connection->out);
    }
    list_remove (&connection->on_unsent);
}

void front_free_spares (struct front *self)
{
    while (self->spares_count > 0) {
        bundle_deinit (&self->spares[--self->spares_count]);
    }
}

/* Begins a message to the connection.  0: its body can follow; or EAGAIN, EHOSTUNREACH. */
static int address (struct connection *connection)
{
    connection->socket->sent = true;
    return zmq_send (connection->socket->router, connection->route, connection->route_size,
                     ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0
               ? zmq_errno ()
               : 0;
}

/* false: the pipe is full.  To a dead connection: sent, and lost. */
static bool send_body (struct front *self, struct connection *connection, const uint8_t *data,
                       size_t size)
{
    int rc = address (connection);
    if (rc == 0) {
        /* Behind an accepted routing id the body is accepted too, or lost with its connection. */
        (void) zmq_send (connection->socket->router, data, size, ZMQ_DONTWAIT);
        return true;
    }
    if (rc == EHOSTUNREACH) {
        connection_suspect (self, connection);
    }
    return rc == EHOSTUNREACH;
}

/* Sends what waits; false: it still does. */
static bool flush (struct front *self, struct connection *connection)
{
    if (connection->out.letters == 0) {
        return true;
    }
    if (!send_body (self, connection, connection->out.buf.data, connection->out.buf.size)) {
        connection->retry_ms = self->now_ms + RETRY_MS;
        return false;
    }
    connection->retry_ms = 0;
    give_spare (self, connection);
    return true;
}

/* A frame that fills a message by itself: not copied twice. */
static bool send_large (struct front *self, const struct channel *channel, const uint8_t *data,
                        size_t size)
{
    struct connection *connection = channel->connection;
    zmq_msg_t message;
    if (!flush (self, connection) || zmq_msg_init_size (&message, BUNDLE_OVERHEAD + size) != 0) {
        return false;
    }
    uint8_t *body = zmq_msg_data (&message);
    bundle_head (body, channel->key, size);
    memcpy (body + BUNDLE_OVERHEAD, data, size);
    int rc = address (connection);
    if (rc != 0 || zmq_msg_send (&message, connection->socket->router, ZMQ_DONTWAIT) < 0) {
        (void) zmq_msg_close (&message);
    }
    if (rc == EHOSTUNREACH) {
        connection_suspect (self, connection);
    }
    return rc != EAGAIN;
}

bool front_send (struct front *self, uint64_t number, const uint8_t *data, size_t size)
{
    struct channel *channel = channel_of (self, number);
    if (!channel) {
        return true;
    }
    struct connection *connection = channel->connection;
    if (channel->key == BUNDLE_BARE) {
        return send_body (self, connection, data, size);
    }
    if (size >= BUNDLE_BYTES) {
        return send_large (self, channel, data, size);
    }
    if (bundle_full (&connection->out) &&
        (connection->retry_ms > self->now_ms || !flush (self, connection))) {
        return false;
    }
    take_spare (self, connection);
    if (!buf_reserve (&connection->out.buf, BUNDLE_OVERHEAD + size)) {
        connection->out.buf.failed = false; /* what it has is whole */
        return false;
    }
    bundle_put (&connection->out, channel->key, data, size);
    if (!list_linked (&connection->on_unsent)) {
        list_push_back (&self->unsent, &connection->on_unsent);
    }
    return true;
}

void front_flush (struct front *self)
{
    struct list_node *node = list_first (&self->unsent);
    while (node) {
        struct list_node *next = list_next (&self->unsent, node);
        (void) flush (self, list_entry (node, struct connection, on_unsent));
        node = next;
    }
}

/* ---- What the node asks ------------------------------------------------------------------ */

void front_origin (const struct front *self, uint64_t number, struct buf *identities)
{
    const struct channel *channel = channel_of (self, number);
    if (channel) {
        const struct connection *connection = channel->connection;
        buf_append (identities, connection->origin, connection->origin_size);
    }
}

void front_drop (struct front *self, uint64_t number)
{
    struct channel *channel = channel_of (self, number);
    if (channel) {
        channel_forget (self, channel);
    }
}
