/* The simulated network.
 *
 * Between servers it is worse than TCP: frames of an open connection can be lost, doubled, and
 * overtaken, for the link layer must cope with all of it. To clients it is what TCP gives: in
 * order, until the connection ends; but its end may be noticed late on one side, or never. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "tests/simulation/world.h"

enum { CLIENTS_SIDE = SIM_SERVERS_MAX };

static uint8_t *copy (const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc (size ? size : 1);
    COHORT_ASSERT (bytes != NULL);
    memcpy (bytes, data, size);
    return bytes;
}

static int64_t latency (struct world *self)
{
    return (int64_t) prng_below (&self->prng, (uint64_t) self->rates.latency_ms_max + 1);
}

static int64_t notice (struct world *self)
{
    return 1 + (int64_t) prng_below (&self->prng, (uint64_t) self->rates.notice_ms_max + 1);
}

static bool happens (struct world *self, uint32_t rate)
{
    return self->faults && prng_chance (&self->prng, rate, 1000000);
}

/* ---- Between servers ------------------------------------------------------------------------- */

static void peer_connect (void *arg, uint32_t peer);
static void peer_close (void *arg, uint32_t peer);
static bool peer_send (void *arg, uint32_t peer, const uint8_t *data, size_t size);
static bool client_send (void *arg, uint64_t connection, const uint8_t *data, size_t size);
static void client_drop (void *arg, uint64_t connection);

struct node_transport network_transport (struct world *self, struct sim_server *server)
{
    COHORT_ASSERT (server->world == self);
    return (struct node_transport){server,    peer_connect, peer_close,
                                   peer_send, client_send,  client_drop};
}

static void peer_connect (void *arg, uint32_t peer)
{
    struct sim_server *server = arg;
    struct world *self = server->world;
    uint32_t from = server->id - 1, to = peer - 1;
    struct sim_pipe *pipe = &self->pipes[from][to];

    *pipe = (struct sim_pipe){.number = ++self->last_number};
    bool reachable = self->servers[to].up && !self->blocked[from][to] && !self->blocked[to][from];
    schedule_add (&self->schedule, (struct sim_event){
                                       .at_ms = self->schedule.now_ms + 1 + latency (self),
                                       .type = reachable ? SIM_PEER_OPENED : SIM_PEER_CLOSED,
                                       .a = from,
                                       .b = to,
                                       .number = pipe->number,
                                   });
}

static void peer_close (void *arg, uint32_t peer)
{
    struct sim_server *server = arg;
    server->world->pipes[server->id - 1][peer - 1] = (struct sim_pipe){0};
}

static void deliver (struct world *self, uint32_t from, uint32_t to, int64_t at_ms,
                     const uint8_t *data, size_t size)
{
    schedule_add (&self->schedule, (struct sim_event){
                                       .at_ms = at_ms,
                                       .type = SIM_PEER_FRAME,
                                       .a = from,
                                       .b = to,
                                       .data = copy (data, size),
                                       .size = size,
                                   });
}

static bool peer_send (void *arg, uint32_t peer, const uint8_t *data, size_t size)
{
    struct sim_server *server = arg;
    struct world *self = server->world;
    uint32_t from = server->id - 1, to = peer - 1;
    struct sim_pipe *pipe = &self->pipes[from][to];

    if (!pipe->open) {
        return false;
    }
    self->frames++;
    if (self->blocked[from][to] || happens (self, self->rates.lose)) {
        return true;
    }
    int64_t at_ms = self->schedule.now_ms + latency (self);
    if (happens (self, self->rates.delay)) {
        at_ms += (int64_t) prng_below (&self->prng, (uint64_t) self->rates.delay_ms_max + 1);
    } else {
        at_ms = at_ms < pipe->last_ms ? pipe->last_ms : at_ms;
        pipe->last_ms = at_ms;
    }
    deliver (self, from, to, at_ms, data, size);
    if (happens (self, self->rates.duplicate)) {
        deliver (self, from, to, at_ms + latency (self), data, size);
    }
    return true;
}

void network_server_down (struct world *self, struct sim_server *server)
{
    uint32_t dead = server->id - 1;
    for (uint32_t i = 0; i < self->servers_count; i++) {
        self->pipes[dead][i] = (struct sim_pipe){0};
        struct sim_pipe *pipe = &self->pipes[i][dead];
        /* The kernel of the dead process closes its connections: the others notice, late or never
         * (then the link's own timers must). */
        if (pipe->number && !happens (self, self->rates.notice_lost)) {
            schedule_add (&self->schedule, (struct sim_event){
                                               .at_ms = self->schedule.now_ms + notice (self),
                                               .type = SIM_PEER_CLOSED,
                                               .a = i,
                                               .b = dead,
                                               .number = pipe->number,
                                           });
        }
    }
    for (struct map_node *node = map_first (&self->connections); node;
         node = map_next (&self->connections, node)) {
        struct sim_connection *connection = map_entry (node, struct sim_connection, node);
        if (connection->server == dead && connection->open_at_server) {
            connection->open_at_server = false;
            schedule_add (&self->schedule, (struct sim_event){
                                               .at_ms = self->schedule.now_ms + notice (self),
                                               .type = SIM_CLIENT_CLOSED,
                                               .number = connection->number,
                                           });
        }
    }
}

/* ---- Clients --------------------------------------------------------------------------------- */

static bool number_equal (const struct map_node *node, const void *key)
{
    return map_entry (node, struct sim_connection, node)->number == *(const uint64_t *) key;
}

struct sim_connection *network_connection (struct world *self, uint64_t number)
{
    struct map_node *node =
        map_find (&self->connections, hash64 (&number, sizeof number, 0), number_equal, &number);
    return node ? map_entry (node, struct sim_connection, node) : NULL;
}

static void forget_if_over (struct world *self, struct sim_connection *connection)
{
    if (!connection->open_at_client && !connection->open_at_server) {
        map_remove (&self->connections, &connection->node);
        free (connection);
    }
}

static struct sim_connection *find_link (struct world *self, const struct sim_client *client,
                                         uint32_t link)
{
    uint32_t index = (uint32_t) (client - self->clients);
    for (struct map_node *node = map_first (&self->connections); node;
         node = map_next (&self->connections, node)) {
        struct sim_connection *connection = map_entry (node, struct sim_connection, node);
        if (connection->client == index && connection->link == link &&
            connection->client_incarnation == client->incarnation && connection->open_at_client) {
            return connection;
        }
    }
    return NULL;
}

void network_connect (struct world *self, struct sim_client *client, uint32_t link,
                      const char *endpoint)
{
    uint32_t server = (uint32_t) (endpoint[strlen ("tcp://s")] - '1');
    COHORT_ASSERT (server < self->servers_count);
    bool reachable = self->servers[server].up && !self->blocked[CLIENTS_SIDE][server];
    struct sim_connection *connection = calloc (1, sizeof *connection);
    COHORT_ASSERT (connection != NULL);

    *connection = (struct sim_connection){
        .number = ++self->last_number,
        .client = (uint32_t) (client - self->clients),
        .client_incarnation = client->incarnation,
        .link = link,
        .server = server,
        .server_incarnation = self->servers[server].incarnation,
        .open_at_client = true,
        .open_at_server = reachable,
    };
    connection->node.hash = hash64 (&connection->number, sizeof connection->number, 0);
    map_insert (&self->connections, &connection->node);
    schedule_add (&self->schedule, (struct sim_event){
                                       .at_ms = self->schedule.now_ms + 1 + latency (self),
                                       .type = reachable ? SIM_CLIENT_OPENED : SIM_CLIENT_CLOSED,
                                       .number = connection->number,
                                   });
}

void network_send (struct world *self, struct sim_client *client, uint32_t link,
                   const uint8_t *data, size_t size)
{
    struct sim_connection *connection = find_link (self, client, link);
    if (!connection) {
        return;
    }
    schedule_add (&self->schedule, (struct sim_event){
                                       .at_ms = self->schedule.now_ms + latency (self),
                                       .type = SIM_FRAME_TO_SERVER,
                                       .a = connection->to_server_sent++,
                                       .number = connection->number,
                                       .data = copy (data, size),
                                       .size = size,
                                   });
}

static void end_at_client (struct world *self, struct sim_connection *connection)
{
    connection->open_at_client = false;
    /* What was sent before arrives before the end. */
    schedule_add (&self->schedule,
                  (struct sim_event){.at_ms = self->schedule.now_ms + notice (self),
                                     .type = SIM_CONNECTION_GONE,
                                     .a = connection->to_server_sent++,
                                     .number = connection->number});
}

void network_disconnect (struct world *self, struct sim_client *client, uint32_t link)
{
    struct sim_connection *connection = find_link (self, client, link);
    if (connection) {
        end_at_client (self, connection);
    }
}

void network_client_down (struct world *self, struct sim_client *client)
{
    uint32_t index = (uint32_t) (client - self->clients);
    for (struct map_node *node = map_first (&self->connections); node;
         node = map_next (&self->connections, node)) {
        struct sim_connection *connection = map_entry (node, struct sim_connection, node);
        if (connection->client == index && connection->open_at_client) {
            end_at_client (self, connection);
        }
    }
}

static bool client_send (void *arg, uint64_t number, const uint8_t *data, size_t size)
{
    struct world *self = ((struct sim_server *) arg)->world;
    struct sim_connection *connection = network_connection (self, number);
    if (!connection || !connection->open_at_server) {
        return true; /* lost with its connection */
    }
    schedule_add (&self->schedule, (struct sim_event){
                                       .at_ms = self->schedule.now_ms + latency (self),
                                       .type = SIM_FRAME_TO_CLIENT,
                                       .a = connection->to_client_sent++,
                                       .number = number,
                                       .data = copy (data, size),
                                       .size = size,
                                   });
    return true;
}

static void client_drop (void *arg, uint64_t number)
{
    /* The server forgets it; the TCP connection itself stands until the client ends it. */
    (void) arg;
    (void) number;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void peer_event (struct world *self, struct sim_event *event)
{
    struct sim_server *server = &self->servers[event->type == SIM_PEER_FRAME ? event->b : event->a];
    struct sim_pipe *pipe = &self->pipes[event->a][event->b];

    if (event->type != SIM_PEER_FRAME && pipe->number != event->number) {
        return; /* of a connection that was given up meanwhile */
    }
    if (!server_begin (self, server)) {
        return;
    }
    switch (event->type) {
    case SIM_PEER_OPENED:
        pipe->open = true;
        node_peer_connected (server->node, event->b + 1);
        break;
    case SIM_PEER_CLOSED:
        *pipe = (struct sim_pipe){0};
        node_peer_disconnected (server->node, event->b + 1);
        break;
    default:
        node_peer_frame (server->node, event->data, event->size);
        break;
    }
    server_end (self, server);
}

/* Whether what is in the event has to wait: for what was sent before it, or for the end of a
 * partition. Then it is scheduled again. */
static bool must_wait (struct world *self, struct sim_event *event,
                       struct sim_connection *connection)
{
    bool to_client = event->type == SIM_FRAME_TO_CLIENT;
    uint32_t *taken = to_client ? &connection->to_client_taken : &connection->to_server_taken;
    size_t from = to_client ? connection->server : CLIENTS_SIDE;
    size_t to = to_client ? CLIENTS_SIDE : connection->server;

    if (event->a == *taken && !self->blocked[from][to]) {
        (*taken)++;
        return false;
    }
    struct sim_event later = *event;
    later.at_ms = self->schedule.now_ms + 1;
    event->data = NULL;
    schedule_add (&self->schedule, later);
    return true;
}

static void connection_event (struct world *self, struct sim_event *event,
                              struct sim_connection *connection)
{
    struct sim_client *client = &self->clients[connection->client];
    bool client_lives = client->up && client->incarnation == connection->client_incarnation &&
                        connection->open_at_client;
    int64_t now_ms = client_now_ms (self, client);

    switch (event->type) {
    case SIM_CLIENT_OPENED:
        if (client_lives) {
            session_link_up (client->session, connection->link, now_ms);
            client_drive (self, client);
        }
        break;
    case SIM_CLIENT_CLOSED:
        if (client_lives) {
            connection->open_at_client = false;
            session_link_down (client->session, connection->link, COHORT_ECONNECT, now_ms);
            client_drive (self, client);
        }
        connection->open_at_client = false;
        break;
    default:
        if (client_lives && !must_wait (self, event, connection)) {
            session_frame (client->session, connection->link, event->data, event->size, now_ms);
            client_drive (self, client);
        }
        break;
    }
}

static void connection_server_event (struct world *self, struct sim_event *event,
                                     struct sim_connection *connection)
{
    struct sim_server *server = &self->servers[connection->server];
    if (!connection->open_at_server || connection->server_incarnation != server->incarnation ||
        must_wait (self, event, connection) || !server_begin (self, server)) {
        return;
    }
    if (event->type == SIM_CONNECTION_GONE) {
        connection->open_at_server = false;
        node_client_closed (server->node, connection->number);
    } else {
        node_client_frame (server->node, connection->number, event->data, event->size);
    }
    server_end (self, server);
}

void network_event (struct world *self, struct sim_event *event)
{
    if (event->type == SIM_PEER_OPENED || event->type == SIM_PEER_CLOSED ||
        event->type == SIM_PEER_FRAME) {
        peer_event (self, event);
        return;
    }
    struct sim_connection *connection = network_connection (self, event->number);
    if (!connection) {
        return;
    }
    if (event->type == SIM_FRAME_TO_SERVER || event->type == SIM_CONNECTION_GONE) {
        connection_server_event (self, event, connection);
    } else {
        connection_event (self, event, connection);
    }
    connection = network_connection (self, event->number);
    if (connection) {
        forget_if_over (self, connection);
    }
}
