/* A simulated world: making it, letting time pass, ending it. */

#include "tests/simulation/rogues.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"

enum { ENDPOINT_SIZE = 16, PUT_OFF_MS = 200 };

static const int64_t WALL_MS = INT64_C (1700000000000); /* the date when it begins */

uint64_t world_draw (const struct world *self, int what, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t words[] = {self->options.seed, (uint64_t) what, a, b, c};
    return hash64 (words, sizeof words, 0);
}

size_t world_node_of_client (size_t client)
{
    return SIM_SERVERS_MAX + client;
}

static void draw_conditions (struct world *self)
{
    struct sim_conditions *conditions = &self->conditions;
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_CONDITIONS, 0, 0, 0));
    conditions->latency_ms_max = 1 + (int64_t) prng_below (&prng, 10);
    conditions->delay_ms_max =
        1 + (int64_t) prng_below (&prng, prng_chance (&prng, 1, 4) ? 2000 : 300);
    conditions->disk_ms_max = 1 + (int64_t) prng_below (&prng, 20);
    conditions->slow_ms_max =
        1 + (int64_t) prng_below (&prng, prng_chance (&prng, 1, 8) ? 15000 : 3000);
    conditions->notice_ms_max = 1 + (int64_t) prng_below (&prng, 2000);
    conditions->segment_bytes = UINT64_C (1) << (14 + prng_below (&prng, 6));
    conditions->cache_bytes = UINT64_C (1) << (12 + prng_below (&prng, 12));
    conditions->snapshot_bytes = UINT64_C (1) << (13 + prng_below (&prng, 7));
    /* Streams take many steps to begin, and some are too late for the ring. */
    conditions->effects_bytes = UINT64_C (1) << (11 + prng_below (&prng, 8));
    conditions->walk_nodes = 1 + (uint32_t) prng_below (&prng, 16);
    conditions->walk_window = 2000 + (uint32_t) prng_below (&prng, 20000);
    conditions->snapshot_slice = UINT32_C (1) << (7 + prng_below (&prng, 10));
    conditions->sync_chunk_bytes = UINT32_C (1) << (8 + prng_below (&prng, 13));
    conditions->counter_max = prng_chance (&prng, 1, 4) ? 200 + prng_below (&prng, 2000) : 0;
    conditions->window = prng_chance (&prng, 1, 3) ? 1 + (uint32_t) prng_below (&prng, 20) : 0;
    conditions->pipe_frames = prng_chance (&prng, 1, 3) ? 1 + (uint32_t) prng_below (&prng, 8) : 0;
    conditions->connect_ms = 100 + (int64_t) prng_below (&prng, 900);
    conditions->flushes = UINT64_C (1) << prng_below (&prng, 6);
    /* Many clients follow all there is: at one znode a turn they would take longer for it than a
     * world lasts. */
    uint32_t clients = (uint32_t) self->options.clients;
    if (clients > 8 && conditions->walk_nodes * conditions->flushes < clients * 2) {
        conditions->walk_nodes = clients * 2;
    }
    /* What a client is told at once goes in many frames then. */
    conditions->turn_work =
        1 + (uint32_t) prng_below (&prng, prng_chance (&prng, 1, 4) ? 20 : 2000);
    conditions->writes_under_way =
        prng_chance (&prng, 1, 2) ? 1 + (uint32_t) prng_below (&prng, 30) : 0;
    /* What is told of one transaction comes in fragments, each in a frame of its own, and some of
     * them only when there is room again. */
    conditions->frame_bytes =
        prng_chance (&prng, 1, 3) ? 100 + (uint32_t) prng_below (&prng, 2000) : 0;
}

/* Of what servers keep for others: in half of the worlds so little that who is careless comes to
 * it. That is more than clients of the library ever need, but for what waits for them when they do
 * not take it. */
static void draw_bounds (struct world *self)
{
    struct sim_conditions *conditions = &self->conditions;
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_BOUNDS, 0, 0, 0));
    if (prng_chance (&prng, 1, 2)) {
        conditions->watches_max = 100 + (uint32_t) prng_below (&prng, 1000);
        conditions->pending_bytes_max = UINT64_C (1) << (17 + prng_below (&prng, 5));
        conditions->queue_bytes_max = UINT64_C (1) << (15 + prng_below (&prng, 6));
        conditions->output_low = UINT64_C (1) << (12 + prng_below (&prng, 5));
        conditions->output_bytes_max = UINT64_C (1) << (15 + prng_below (&prng, 4));
        conditions->link_window = UINT64_C (1) << (12 + prng_below (&prng, 8));
    }
}

const char *world_address (size_t client, char address[WORLD_ADDRESS_SIZE])
{
    (void) snprintf (address, WORLD_ADDRESS_SIZE, "10.0.0.%zu", client + 1);
    return address;
}

/* Half of the ensembles are founded with an administrator, some get one when their servers start
 * again, and some never do. */
static void draw_admins (struct world *self)
{
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_ADMINS, 0, 0, 0));
    uint64_t dice = prng_below (&prng, 8);
    int64_t later_ms = 1 + (int64_t) prng_below (&prng, (uint64_t) self->options.safety_ms + 1);
    self->admin = prng_below (&prng, self->options.clients);
    self->admins_from_ms = dice < 4 ? 0 : dice < 6 ? later_ms : INT64_MAX;
    (void) snprintf (self->admins, sizeof self->admins, "ip:");
    (void) world_address (self->admin, self->admins + strlen (self->admins));
}

/* In a quarter of the worlds the administrators have lost what they know, and are replaced. */
static void draw_replaced (struct world *self)
{
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_REPLACED, 0, 0, 0));
    bool ever = prng_chance (&prng, 1, 4);
    self->replaced_from_ms =
        1 + (int64_t) prng_below (&prng, (uint64_t) self->options.safety_ms + 1);
    self->replaced_from_ms = ever ? self->replaced_from_ms : INT64_MAX;
    (void) snprintf (self->replacing, sizeof self->replacing, "ip:");
    (void) world_address (prng_below (&prng, self->options.clients),
                          self->replacing + strlen (self->replacing));
}

bool world_replaces_admins (const struct world *self)
{
    return self->schedule.now_ms >= self->replaced_from_ms;
}

const char *world_admins (const struct world *self)
{
    if (world_replaces_admins (self)) {
        return self->replacing;
    }
    return self->schedule.now_ms >= self->admins_from_ms ? self->admins : NULL;
}

bool world_observes (const struct world *self, size_t server)
{
    return ((self->observers >> server) & 1) != 0;
}

size_t world_count (uint32_t servers)
{
    size_t count = 0;
    for (; servers != 0; servers &= servers - 1) {
        count++;
    }
    return count;
}

/* In a quarter of the worlds there is an observer, or there are two; any of the servers may be. */
static void draw_observers (struct world *self)
{
    size_t room = SIM_SERVERS_MAX - self->options.servers, count = self->options.observers;
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_OBSERVERS, 0, 0, 0));
    size_t drawn = prng_chance (&prng, 1, 4) ? 1 + prng_chance (&prng, 1, 4) : 0;
    count = count != SIM_OBSERVERS_DRAWN ? count : drawn;
    count = count < room ? count : room;
    self->servers_count = self->options.servers + count;
    self->observers = 0;
    while (world_count (self->observers) < count) {
        self->observers |= UINT32_C (1) << prng_below (&prng, self->servers_count);
    }
}

static void make_servers (struct world *self)
{
    char list[SIM_SERVERS_MAX * ENDPOINT_SIZE] = "";
    char text[128];

    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        size_t used = strlen (list);
        (void) snprintf (list + used, sizeof list - used, "%stcp://s%zu:1", i ? "," : "", i + 1);
        server->world = self;
        server->id = (uint32_t) i + 1;
        server->disk = crash_disk_new (world_draw (self, SIM_DRAW_DISK, i, 0, 0));
        fault_disks_watch (server);
        if (atlas_is_weak (self, (uint32_t) i)) {
            crash_disk_keep_versions (server->disk);
        }
        clock_init (&server->clock, self->schedule.now_ms, (int64_t) (i + 1) * 1000000,
                    WALL_MS + (int64_t) i * 7);
    }
    COHORT_ASSERT (hosts_parse (&self->hosts, list, text, sizeof text) == 0);
    for (size_t i = 0; i < self->servers_count; i++) {
        server_start (self, &self->servers[i]);
    }
}

static void make_clients (struct world *self)
{
    self->clients_count = self->options.clients;
    for (size_t i = 0; i < self->clients_count; i++) {
        struct sim_client *client = &self->clients[i];
        map_init (&client->mirror);
        prng_seed (&client->prng, world_draw (self, SIM_DRAW_CLIENT, i, 0, 0));
        clock_init (&client->clock, self->schedule.now_ms, (int64_t) (i + 1) * 1000000, WALL_MS);
        client_start (self, client);
    }
}

struct world *world_new (const struct sim_options *options)
{
    struct world *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);

    self->options = *options;
    self->trace = trace_new ();
    self->working = true;
    schedule_init (&self->schedule);
    map_init (&self->connections);
    self->checker = checker_new ();
    self->rogues = rogues_new ();
    self->recorder = recorder_new (options->history);
    draw_conditions (self);
    draw_bounds (self);
    draw_admins (self);
    draw_replaced (self);
    draw_observers (self);
    atlas_draw (self);
    self->lull_due = calm_draw (self);
    plan_make (self);
    make_servers (self);
    make_clients (self);
    return self;
}

static void free_connection (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct sim_connection, node));
}

void world_free (struct world *self)
{
    rogues_free (self);
    for (size_t i = 0; i < self->clients_count; i++) {
        if (self->clients[i].up) {
            client_kill (self, &self->clients[i]);
        }
        map_deinit (&self->clients[i].mirror);
    }
    for (size_t i = 0; i < self->servers_count; i++) {
        if (self->servers[i].up) {
            server_crash (self, &self->servers[i], false);
        }
        crash_disk_destroy (&self->servers[i].disk);
        fault_manifest_forget (&self->servers[i]);
    }
    map_drain (&self->connections, free_connection, NULL);
    map_deinit (&self->connections);
    schedule_deinit (&self->schedule);
    plan_deinit (&self->plan);
    hosts_deinit (&self->hosts);
    checker_free (self->checker);
    trace_free (self->trace);
    recorder_free (self->recorder);
    free (self);
}

const char *world_user (size_t user, char name[WORLD_USER_SIZE])
{
    (void) snprintf (name, WORLD_USER_SIZE, "u%zu", user);
    return name;
}

const char *world_user_id (const char *name, char id[DIGEST_ID_SIZE])
{
    digest_id_sha1 (name, strlen (name), WORLD_PASSWORD, strlen (WORLD_PASSWORD), id);
    return id;
}

uint64_t world_digest (const struct world *self)
{
    const struct tree *tree = node_tree (self->servers[0].node);
    uint64_t words[] = {self->options.seed,  tree_zxid (tree),
                        tree_digest (tree),  self->frames,
                        self->writes_acked,  self->reads,
                        self->sessions_lost, self->plan.happened.count,
                        self->batches,       self->schedule.next_order - self->plan.planned.count};
    return hash64 (words, sizeof words, 0);
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* Whom an event is an input of: a server, or a client; the other is NULL. */
static void find_target (struct world *self, const struct sim_event *event,
                         struct sim_server **server, struct sim_client **client)
{
    struct sim_connection *connection;
    *server = NULL;
    *client = NULL;
    switch (event->type) {
    case SIM_SERVER_TIMER:
    case SIM_SERVER_DISK:
    case SIM_PEER_OPENED:
    case SIM_PEER_CLOSED:
        *server = &self->servers[event->a];
        break;
    case SIM_PEER_FRAME:
        *server = &self->servers[event->b];
        break;
    case SIM_CLIENT_TIMER:
    case SIM_CLIENT_WORK:
        *client = &self->clients[event->a];
        break;
    case SIM_FRAME_TO_SERVER:
    case SIM_CONNECTION_GONE:
        connection = network_connection (self, event->number);
        *server = connection != NULL ? &self->servers[connection->server] : NULL;
        break;
    case SIM_CLIENT_OPENED:
    case SIM_CLIENT_CLOSED:
    case SIM_FRAME_TO_CLIENT:
        connection = network_connection (self, event->number);
        *client =
            connection != NULL && !connection->rogue ? &self->clients[connection->client] : NULL;
        break;
    default:
        break;
    }
}

/* Who is paused goes on when it is time. Whether anybody still is. */
static bool resume (struct world *self)
{
    bool any = false;
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        if (server->paused && server->paused_until_ms <= self->schedule.now_ms) {
            world_tell (self, "server %u: goes on", server->id);
            server_resume (self, server);
        }
        any |= server->paused;
    }
    for (size_t i = 0; i < self->clients_count; i++) {
        struct sim_client *client = &self->clients[i];
        client->paused &= client->paused_until_ms > self->schedule.now_ms;
        any |= client->paused;
    }
    return any;
}

/* What somebody who is paused should get waits until it goes on. */
static bool put_off (struct world *self, struct sim_event *event)
{
    struct sim_server *server;
    struct sim_client *client;
    if (!resume (self)) {
        return false;
    }
    find_target (self, event, &server, &client);
    bool waits = (server != NULL && server->paused) || (client != NULL && client->paused);
    if (!waits) {
        return false;
    }
    struct sim_event later = *event;
    int64_t until_ms = server != NULL ? server->paused_until_ms : client->paused_until_ms;
    int64_t again_ms = self->schedule.now_ms + PUT_OFF_MS; /* a pause may be cut short */
    later.at_ms = until_ms < again_ms ? until_ms : again_ms;
    if (later.type == SIM_SERVER_TIMER) {
        server->timer_ms = later.at_ms;
    } else if (later.type == SIM_CLIENT_TIMER) {
        client->timer_ms = later.at_ms;
    }
    event->data = NULL;
    schedule_add (&self->schedule, later);
    return true;
}

static void dispatch (struct world *self, struct sim_event *event)
{
    switch (event->type) {
    case SIM_SERVER_TIMER:
    case SIM_SERVER_DISK:
    case SIM_SERVER_START:
        server_event (self, event);
        break;
    case SIM_CLIENT_TIMER:
    case SIM_CLIENT_WORK:
    case SIM_CLIENT_START:
        client_event (self, event);
        break;
    case SIM_ROGUE_ACT:
        rogue_event (self, event);
        break;
    case SIM_FAULT_BEGIN:
    case SIM_FAULT_END:
        faults_event (self, event);
        break;
    default:
        network_event (self, event);
        break;
    }
}

static bool step (struct world *self)
{
    struct sim_event event;
    if (schedule_moment_over (&self->schedule)) {
        servers_turn (self);
    }
    if (!schedule_next (&self->schedule, &event)) {
        return false;
    }
    if (!put_off (self, &event)) {
        dispatch (self, &event);
    }
    free (event.data);
    return true;
}

void world_run (struct world *self, int64_t ms)
{
    int64_t end_ms = self->schedule.now_ms + ms;
    while (self->schedule.now_ms < end_ms && step (self)) {
    }
    servers_turn (self);
}
