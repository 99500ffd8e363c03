/* The simulated network between clients and servers.
 *
 * It gives what TCP gives: in order, until the connection ends, and what a partition holds back
 * comes later, as does what was lost and is sent again; but the end may come between any two
 * frames, and be noticed late on one side, or never. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "server/node/identity_text.h"
#include "server/node/wire_client.h"
#include "tests/simulation/network.h"
#include "tests/simulation/rogues.h"

enum {
    BLOCKED_MS = 20,
    CONNECT_MS = 250,
    LATE_MS_MAX = 500,
    HELLO_BLOCK = 4096,
    ROGUE_FRAMES = 16,
    ROUNDS_MAX = 5
};

static bool number_equal (const struct map_node *node, const void *key)
{
    return map_entry (node, struct sim_connection, node)->number == *(const uint64_t *) key;
}

struct sim_connection *network_connection (struct world *self, uint64_t number)
{
    struct map_node *node = map_find (&self->connections, number, number_equal, &number);
    return node ? map_entry (node, struct sim_connection, node) : NULL;
}

static void leave_client (struct sim_connection *connection)
{
    if (connection->open_at_client) {
        connection->open_at_client = false;
        list_remove (&connection->in_client);
    }
}

static void forget_if_over (struct world *self, struct sim_connection *connection)
{
    if (!connection->open_at_client && !connection->open_at_server) {
        map_remove (&self->connections, &connection->node);
        free (connection);
    }
}

static struct sim_connection *find_link (const struct sim_client *client, uint32_t link)
{
    for (struct list_node *node = list_first (&client->links); node;
         node = list_next (&client->links, node)) {
        struct sim_connection *connection = list_entry (node, struct sim_connection, in_client);
        if (connection->link == link) {
            return connection;
        }
    }
    return NULL;
}

/* A number for each frame of a client's connections, the same whatever others do. */
static int64_t latency (const struct world *self, const struct sim_connection *connection,
                        uint64_t nth)
{
    return network_latency (self, (uint32_t) world_node_of_client (connection->client),
                            connection->ordinal, nth);
}

/* Which of a connection's frames it is, for whatever is drawn for it. */
static uint64_t nth_of (uint32_t place, bool to_client)
{
    return 2 * (uint64_t) place + to_client;
}

static bool strikes (struct world *self, enum fault_kind kind,
                     const struct sim_connection *connection, uint64_t nth, uint64_t *dice)
{
    return plan_strikes (self, kind, (uint32_t) world_node_of_client (connection->client),
                         (uint32_t) connection->ordinal, nth, dice);
}

/* A frame is on its way, behind those before it. */
static void fly (struct world *self, struct sim_connection *connection, bool to_client,
                 const uint8_t *data, size_t size)
{
    uint32_t place = to_client ? connection->to_client_sent++ : connection->to_server_sent++;
    int64_t *newest_ms = to_client ? &connection->to_client_ms : &connection->to_server_ms;
    uint64_t nth = nth_of (place, to_client), dice;
    int64_t at_ms = self->schedule.now_ms + latency (self, connection, nth);
    if (strikes (self, FAULT_LATE, connection, nth, &dice)) {
        at_ms += 1 + (int64_t) (dice % LATE_MS_MAX);
    }
    at_ms = at_ms < *newest_ms ? *newest_ms : at_ms;
    *newest_ms = at_ms;
    schedule_add (&self->schedule,
                  (struct sim_event){.at_ms = at_ms,
                                     .type = to_client ? SIM_FRAME_TO_CLIENT : SIM_FRAME_TO_SERVER,
                                     .a = place,
                                     .number = connection->number,
                                     .data = network_copy (data, size),
                                     .size = size});
}

/* ---- A client's side ------------------------------------------------------------------------- */

static void open_connection (struct world *self, struct sim_connection wanted, struct list *links)
{
    struct sim_connection *connection = calloc (1, sizeof *connection);
    COHORT_ASSERT (connection != NULL);
    COHORT_ASSERT (wanted.server < self->servers_count);

    *connection = wanted;
    connection->number = ++self->last_number;
    connection->opened_ms = self->schedule.now_ms;
    connection->open_at_client = true;
    connection->node.hash = connection->number;
    map_insert (&self->connections, &connection->node);
    list_push_back (links, &connection->in_client);
    schedule_add (&self->schedule, (struct sim_event){.at_ms = self->schedule.now_ms + 1 +
                                                               latency (self, connection, 0),
                                                      .type = SIM_CLIENT_OPENED,
                                                      .number = connection->number});
}

/* Whom no server has greeted in time, one after the other, takes them for slow: with each round it
 * waits twice as long. */
static int64_t patience_of (const struct world *self, const struct sim_client *client)
{
    size_t rounds = client->unanswered / self->hosts.count;
    rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
    return rounds > 0 ? self->conditions.connect_ms << rounds : 0;
}

void network_connect (struct world *self, struct sim_client *client, uint32_t link,
                      const char *endpoint)
{
    struct sim_connection wanted = {
        .ordinal = ++client->connections,
        .client = (uint32_t) (client - self->clients),
        .client_incarnation = client->incarnation,
        .link = link,
        .server = (uint32_t) (endpoint[strlen ("tcp://s")] - '1'),
        .patient_ms = patience_of (self, client),
    };
    open_connection (self, wanted, &client->links);
}

uint64_t network_rogue_connect (struct world *self, uint32_t rogue, uint32_t server,
                                struct list *links, uint64_t nth)
{
    struct sim_connection wanted = {
        .ordinal = nth, .client = SIM_CLIENTS_MAX + rogue, .server = server, .rogue = true};
    open_connection (self, wanted, links);
    return self->last_number;
}

/* The first frame says who it is. */
static void note_hello (struct world *self, struct sim_connection *connection, const uint8_t *data,
                        size_t size)
{
    struct arena arena;
    arena_init (&arena, HELLO_BLOCK, 0);
    const Cohort__Wire__ClientFrame *frame = wire_client_decode (&arena, data, size);
    if (frame != NULL && frame->hello != NULL) {
        record_hello (self, connection, frame->hello->session_id, frame->hello->attach_no);
    }
    arena_deinit (&arena);
}

void network_send (struct world *self, struct sim_connection *connection, const uint8_t *data,
                   size_t size)
{
    if (connection->cut) {
        return;
    }
    if (connection->to_server_sent == 0 && !connection->rogue) {
        note_hello (self, connection, data, size);
    }
    fly (self, connection, false, data, size);
}

/* The server will notice that a connection has ended, behind what was sent before; or never. */
static void tell_server (struct world *self, struct sim_connection *connection)
{
    int64_t at_ms;
    if (!connection->cut && network_notice (self, connection->server,
                                            (uint32_t) world_node_of_client (connection->client),
                                            connection->ordinal, &at_ms)) {
        schedule_add (&self->schedule, (struct sim_event){.at_ms = at_ms,
                                                          .type = SIM_CONNECTION_GONE,
                                                          .a = connection->to_server_sent++,
                                                          .number = connection->number});
    }
}

static void tell_client (struct world *self, struct sim_connection *connection)
{
    int64_t at_ms;
    bool told = network_notice (self, (uint32_t) world_node_of_client (connection->client),
                                connection->server, connection->ordinal, &at_ms);
    connection->silent = !told || at_ms - self->schedule.now_ms > self->conditions.latency_ms_max;
    if (told) {
        schedule_add (&self->schedule, (struct sim_event){.at_ms = at_ms,
                                                          .type = SIM_CLIENT_CLOSED,
                                                          .number = connection->number});
    }
}

static void lose (struct world *self, struct sim_connection *connection)
{
    if (!connection->cut) {
        tell_server (self, connection);
        tell_client (self, connection);
        connection->cut = true;
    }
}

/* With a frame that has others behind it the connection may end: nothing of those gets through, in
 * either direction. */
static void tear_behind (struct world *self, struct sim_connection *connection, uint32_t place,
                         bool to_client)
{
    uint32_t sent = to_client ? connection->to_client_sent : connection->to_server_sent;
    uint64_t dice;
    if (sent > place + 1 && !connection->cut &&
        strikes (self, FAULT_TEAR, connection, nth_of (place, to_client), &dice)) {
        lose (self, connection);
        connection->torn = true;
    }
}

static void end_at_client (struct world *self, struct sim_connection *connection)
{
    leave_client (connection);
    tell_server (self, connection);
    forget_if_over (self, connection);
}

void network_rogue_disconnect (struct world *self, struct sim_connection *connection)
{
    end_at_client (self, connection);
}

void network_disconnect (struct world *self, struct sim_client *client, uint32_t link)
{
    struct sim_connection *connection = find_link (client, link);
    if (connection) {
        client->unanswered += connection->to_server_sent > 0 && connection->to_client_taken == 0;
        end_at_client (self, connection);
    }
}

void network_client_down (struct world *self, struct sim_client *client, bool lost)
{
    struct list_node *next;
    for (struct list_node *node = list_first (&client->links); node; node = next) {
        struct sim_connection *connection = list_entry (node, struct sim_connection, in_client);
        next = list_next (&client->links, node);
        if (!lost) {
            end_at_client (self, connection);
        } else {
            lose (self, connection);
        }
    }
}

void network_client_vanishes (struct sim_client *client)
{
    for (struct list_node *node = list_first (&client->links); node;
         node = list_next (&client->links, node)) {
        list_entry (node, struct sim_connection, in_client)->cut = true;
    }
}

/* ---- A server's side ------------------------------------------------------------------------- */

bool network_client_send (void *arg, uint64_t number, const uint8_t *data, size_t size)
{
    const struct sim_server *server = arg;
    struct world *self = server->world;
    struct sim_connection *connection = network_connection (self, number);
    if (!connection || !connection->open_at_server || connection->cut ||
        crash_disk_stopped (server->disk)) {
        return true; /* lost with its connection, or the process has just died */
    }
    uint32_t flying = connection->to_client_sent - connection->to_client_taken;
    if (network_is_full (self, flying) || (connection->rogue && flying >= ROGUE_FRAMES)) {
        return false;
    }
    check_reads_held (self, server, data, size);
    fly (self, connection, true, data, size);
    return true;
}

void network_client_drop (void *arg, uint64_t number)
{
    /* The server forgets it; the TCP connection itself stands until the client ends it. */
    const struct sim_server *server = arg;
    struct sim_connection *connection = network_connection (server->world, number);
    if (connection != NULL) {
        connection->dropped = true;
    }
}

/* Each client has an address of its own. */
void network_client_origin (void *arg, uint64_t number, struct buf *identities)
{
    char address[WORLD_ADDRESS_SIZE];
    const struct sim_server *server = arg;
    const struct sim_connection *connection = network_connection (server->world, number);
    if (connection != NULL) {
        identity_put_origin (identities, world_address (connection->client, address), NULL);
    }
}

void network_clients_server_down (struct world *self, struct sim_server *server)
{
    for (struct map_node *node = map_first (&self->connections); node;
         node = map_next (&self->connections, node)) {
        struct sim_connection *connection = map_entry (node, struct sim_connection, node);
        if (connection->server == server->id - 1 && connection->open_at_server) {
            connection->open_at_server = false;
            tell_client (self, connection);
        }
    }
}

/* ---- Events ---------------------------------------------------------------------------------- */

static bool is_blocked (const struct world *self, const struct sim_connection *connection,
                        bool to_client)
{
    size_t client = world_node_of_client (connection->client), server = connection->server;
    if (connection->rogue) {
        return false;
    }
    return to_client ? self->blocked[server][client] : self->blocked[client][server];
}

static void later (struct world *self, struct sim_event *event, int64_t ms)
{
    struct sim_event again = *event;
    again.at_ms = self->schedule.now_ms + ms;
    event->data = NULL;
    schedule_add (&self->schedule, again);
}

/* Whether what is in the event has to wait: for what was sent before it, or for the end of a
 * partition. Then it is scheduled again. */
static bool must_wait (struct world *self, struct sim_event *event,
                       struct sim_connection *connection)
{
    bool to_client = event->type == SIM_FRAME_TO_CLIENT;
    uint32_t *taken = to_client ? &connection->to_client_taken : &connection->to_server_taken;
    bool blocked = is_blocked (self, connection, to_client);
    if (event->a == *taken && !blocked) {
        (*taken)++;
        return false;
    }
    later (self, event, blocked ? BLOCKED_MS : 1);
    return true;
}

/* The connection comes about, is refused, or, in a partition, is tried again until it is given up.
 */
static void connect_event (struct world *self, struct sim_event *event,
                           struct sim_connection *connection, struct sim_client *client)
{
    const struct sim_server *server = &self->servers[connection->server];
    int64_t now_ms = client_now_ms (self, client);
    if (connection->cut) {
        return;
    }
    if (is_blocked (self, connection, false) || is_blocked (self, connection, true)) {
        later (self, event, CONNECT_MS);
        return;
    }
    if (server->up) {
        connection->open_at_server = true;
        connection->server_incarnation = server->incarnation;
        session_link_up (client->session, connection->link, now_ms);
    } else {
        leave_client (connection);
        session_link_down (client->session, connection->link, COHORT_ECONNECT, now_ms);
    }
    client_drive (self, client);
}

/* Nothing keeps it from its server, but that this may be down. */
static void rogue_side_event (struct world *self, struct sim_event *event,
                              struct sim_connection *connection)
{
    const struct sim_server *server = &self->servers[connection->server];
    if (!connection->open_at_client) {
        return;
    }
    if (event->type == SIM_CLIENT_OPENED && server->up && !connection->cut) {
        connection->open_at_server = true;
        connection->server_incarnation = server->incarnation;
        rogue_opened (self, connection);
    } else if (event->type != SIM_FRAME_TO_CLIENT) {
        leave_client (connection);
        rogue_closed (self, connection);
    } else if (rogue_hears (self, connection) && !must_wait (self, event, connection) &&
               !connection->torn) {
        rogue_hear (self, connection, event->data, event->size);
    }
}

static void client_side_event (struct world *self, struct sim_event *event,
                               struct sim_connection *connection)
{
    struct sim_client *client = &self->clients[connection->client];
    if (!connection->open_at_client) {
        return;
    }
    COHORT_ASSERT (client->up && client->incarnation == connection->client_incarnation);
    if (event->type == SIM_CLIENT_OPENED) {
        connect_event (self, event, connection, client);
    } else if (event->type == SIM_CLIENT_CLOSED) {
        leave_client (connection);
        session_link_down (client->session, connection->link, COHORT_ECONNECT,
                           client_now_ms (self, client));
        client_drive (self, client);
    } else if (!must_wait (self, event, connection) && !connection->torn) {
        tear_behind (self, connection, event->a, true);
        session_frame (client->session, connection->link, event->data, event->size,
                       client_now_ms (self, client));
        client_drive (self, client);
        complaints_heard (self, client, event->number);
    }
}

static void server_side_event (struct world *self, struct sim_event *event,
                               struct sim_connection *connection)
{
    struct sim_server *server = &self->servers[connection->server];
    bool frame = event->type == SIM_FRAME_TO_SERVER;
    if (!connection->open_at_server || connection->server_incarnation != server->incarnation ||
        must_wait (self, event, connection) || (frame && connection->torn)) {
        return;
    }
    if (!server_begin (self, server)) {
        return;
    }
    if (event->type == SIM_CONNECTION_GONE) {
        connection->open_at_server = false;
        if (connection->recorded != 0 && !connection->dropped) {
            record_ended (self, connection);
        }
        node_client_closed (server->node, connection->number);
    } else {
        tear_behind (self, connection, event->a, false);
        node_client_frame (server->node, connection->number, event->data, event->size);
    }
    server_end (self, server);
}

void network_clients_event (struct world *self, struct sim_event *event)
{
    struct sim_connection *connection = network_connection (self, event->number);
    if (!connection) {
        return;
    }
    if (event->type == SIM_FRAME_TO_SERVER || event->type == SIM_CONNECTION_GONE) {
        server_side_event (self, event, connection);
    } else if (connection->rogue) {
        rogue_side_event (self, event, connection);
    } else {
        client_side_event (self, event, connection);
    }
    connection = network_connection (self, event->number);
    if (connection) {
        forget_if_over (self, connection);
    }
}
