/* A simulated world: making it, letting time pass, ending it. */

#include "tests/simulation/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"

enum { KEYS_MAX = 4096, ENDPOINT_SIZE = 16 };

void world_tell (struct world *self, const char *format, ...)
{
    if (self->verbose) {
        va_list args;
        va_start (args, format);
        printf ("[%8" PRId64 "] ", self->schedule.now_ms);
        vprintf (format, args);
        printf ("\n");
        va_end (args);
    }
}

void world_fail (struct world *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fflush (stdout);
    fprintf (stderr, "cohort-sim: seed %" PRIu64 " at %" PRId64 " ms: ", self->seed,
             self->schedule.now_ms);
    vfprintf (stderr, format, args);
    fprintf (stderr, "\n  again: cohort-sim --seed %" PRIu64 " --servers %zu --verbose\n",
             self->seed, self->servers_count);
    va_end (args);
    exit (EXIT_FAILURE);
}

struct world *world_new (uint64_t seed, size_t servers, size_t clients, bool verbose)
{
    char list[SIM_SERVERS_MAX * ENDPOINT_SIZE] = "";
    char text[128];
    struct world *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);

    self->seed = seed;
    self->verbose = verbose;
    prng_seed (&self->prng, seed);
    schedule_init (&self->schedule);
    map_init (&self->connections);
    self->checker = checker_new ();
    self->keys_capacity = KEYS_MAX;
    self->keys = calloc (KEYS_MAX, sizeof *self->keys);
    COHORT_ASSERT (self->keys != NULL);
    faults_draw (self);
    self->servers_count = servers;
    self->clients_count = clients;
    for (size_t i = 0; i < servers; i++) {
        size_t used = strlen (list);
        (void) snprintf (list + used, sizeof list - used, "%stcp://s%zu:1", i ? "," : "", i + 1);
        self->servers[i].world = self;
        self->servers[i].id = (uint32_t) i + 1;
        self->servers[i].disk = crash_disk_new (prng_u64 (&self->prng));
    }
    COHORT_ASSERT (hosts_parse (&self->hosts, list, text, sizeof text) == 0);
    for (size_t i = 0; i < servers; i++) {
        server_start (self, &self->servers[i]);
    }
    faults_begin (self);
    for (size_t i = 0; i < clients; i++) {
        map_init (&self->clients[i].mirror);
        client_start (self, &self->clients[i]);
    }
    return self;
}

static void free_connection (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct sim_connection, node));
}

void world_free (struct world *self)
{
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
    }
    map_drain (&self->connections, free_connection, NULL);
    map_deinit (&self->connections);
    schedule_deinit (&self->schedule);
    hosts_deinit (&self->hosts);
    checker_free (self->checker);
    free (self->keys);
    free (self);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static bool find_connection_server (struct world *self, uint64_t number, uint32_t *server)
{
    for (struct map_node *node = map_first (&self->connections); node;
         node = map_next (&self->connections, node)) {
        struct sim_connection *connection = map_entry (node, struct sim_connection, node);
        if (connection->number == number) {
            *server = connection->server;
            return true;
        }
    }
    return false;
}

/* The server that an event is an input of. */
static bool target (struct world *self, const struct sim_event *event, uint32_t *server)
{
    switch (event->type) {
    case SIM_SERVER_TIMER:
    case SIM_SERVER_DISK:
    case SIM_PEER_OPENED:
    case SIM_PEER_CLOSED:
        *server = event->a;
        return true;
    case SIM_PEER_FRAME:
        *server = event->b;
        return true;
    case SIM_FRAME_TO_SERVER:
    case SIM_CONNECTION_GONE:
        return find_connection_server (self, event->number, server);
    default:
        return false;
    }
}

/* What a paused server should get waits until it goes on. */
static bool put_off (struct world *self, struct sim_event *event)
{
    uint32_t index;
    bool any_paused = false;

    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        if (server->paused && (!server->up || server->paused_until_ms <= self->schedule.now_ms)) {
            server->paused = false;
        }
        any_paused |= server->paused;
    }
    if (!any_paused || !target (self, event, &index) || !self->servers[index].paused) {
        return false;
    }
    struct sim_event later = *event;
    later.at_ms = self->servers[index].paused_until_ms;
    if (later.type == SIM_SERVER_TIMER) {
        self->servers[index].timer_ms = later.at_ms;
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
        client_event (self, event);
        break;
    case SIM_FAULT:
    case SIM_HEAL:
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
}

/* Why the world is not at rest, into `text`; false: it is. */
static bool restless (const struct world *self, char *text, size_t size)
{
    zxid_t zxid = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        struct node_status status;
        if (!self->servers[i].up || self->servers[i].paused) {
            (void) snprintf (text, size, "server %zu does not run", i + 1);
            return true;
        }
        node_status (self->servers[i].node, &status);
        if (!status.zab.activated) {
            (void) snprintf (text, size, "server %zu is %s", i + 1,
                             zab_role_name (status.zab.role));
            return true;
        }
        if (i > 0 && status.applied != zxid) {
            (void) snprintf (text, size, "server 1 is at %#" PRIx64 ", server %zu at %#" PRIx64,
                             zxid, i + 1, status.applied);
            return true;
        }
        zxid = status.applied;
    }
    for (size_t i = 0; i < self->clients_count; i++) {
        if (self->clients[i].outstanding > 0) {
            struct session_view view;
            session_view (self->clients[i].session, &view);
            (void) snprintf (text, size, "client %zu (state %d, at %s) waits for %zu answers", i,
                             (int) view.state, view.endpoint, self->clients[i].outstanding);
            return true;
        }
    }
    for (size_t i = 0; i < self->clients_count; i++) {
        if (!mirror_equal (&self->clients[i], node_tree (self->servers[0].node))) {
            (void) snprintf (text, size, "client %zu's mirror is not the tree", i);
            return true;
        }
    }
    return false;
}

bool world_settle (struct world *self, int64_t limit_ms, char *why, size_t size)
{
    int64_t end_ms = self->schedule.now_ms + limit_ms;
    faults_end (self);
    while (self->schedule.now_ms < end_ms) {
        world_run (self, 10);
        if (!restless (self, why, size)) {
            return true;
        }
    }
    return false;
}
