/* Stretches in which nothing goes wrong: a lull in the first phase of half of the worlds, and the
 * phases behind it. A core that is calm has to answer everybody, and to end sessions, in time. */

#include <stdio.h>

#include "client/base/prng.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

enum {
    LULL_MS_MIN = 4000,
    LULL_MS_MAX = 7000,
    SAFETY_MS_MIN = 3 * LULL_MS_MIN,
    /* Peace: until what was sent, and noticed, late before it is over. */
    LATE_MS = 2500,
    /* Until all follow a leader: servers that may have to start and to be healed; in a lull; and if
     * one leader is killed in it, or told to end. */
    PEACE_MS = 15000, /* more than until a snapshot that found no room is tried again */
    LULL_LED_MS = 3000,
    AWAY_LED_MS = 800,
    STOPPED_LED_MS = 900,  /* or stands still, which is noticed by its silence */
    STEADY_MS = 10000,     /* of a connection: then its client is as impatient as ever */
    SERVED_MS = 1500,      /* until a client is served, besides its session's timeout; */
    LULL_SERVED_MS = 2000, /* in a lull, whatever its timeout is, but for who is deceived */
    REAPED_MS = 1000       /* until the next step of what a dead session leaves */
};

struct sim_lull calm_draw (const struct world *self)
{
    struct prng prng;
    int64_t begin_ms = self->schedule.now_ms, safety_ms = self->options.safety_ms;
    prng_seed (&prng, world_draw (self, SIM_DRAW_LULL, 0, 0, 0));
    if (safety_ms < SAFETY_MS_MIN || prng_chance (&prng, 1, 2)) {
        return (struct sim_lull){INT64_MAX, INT64_MAX};
    }
    int64_t length_ms = (int64_t) prng_between (&prng, LULL_MS_MIN, LULL_MS_MAX);
    int64_t from_ms = begin_ms + (int64_t) prng_between (&prng, (uint64_t) safety_ms / 4,
                                                         (uint64_t) (safety_ms - length_ms));
    return (struct sim_lull){from_ms, from_ms + length_ms};
}

void calm_begin (struct world *self)
{
    world_tell (self, "nothing goes wrong for a while");
    self->lull = true;
    self->away = 0;
    fault_disks_disarm (self);
}

void calm_end (struct world *self)
{
    for (size_t i = 0; i < self->clients_count; i++) {
        record_served (self, &self->clients[i], false);
    }
    record_calm (self, false);
    self->peace = (struct sim_peace){.since_ms = 0};
    if (self->lull) {
        self->lull = false;
        world_tell (self, "things go wrong again");
    }
}

/* ---- Looking --------------------------------------------------------------------------------- */

static bool is_core (const struct world *self, size_t server)
{
    uint32_t core = self->lull ? ~self->away : self->core;
    return ((core >> server) & 1) != 0;
}

/* Whether the server is well, and follows this leader (0: none known yet), or leads. */
static bool is_well (const struct sim_server *server, uint32_t *leader)
{
    int64_t now_ms = server->world->schedule.now_ms;
    if (!server->up || server->paused || server->full || server->apart_until_ms > now_ms ||
        server->slow_until_ms > now_ms) {
        return false;
    }
    const struct zab_status *status = check_status (server);
    if (!status->activated || status->full || status->trust != ZAB_WHOLE ||
        (*leader != 0 && status->leader != *leader)) {
        return false;
    }
    *leader = status->leader;
    return true;
}

/* What is wrong, or was found to be, is set right in its own time. Then all is as before. */
static bool are_right (const struct world *self)
{
    for (size_t i = 0; i < self->servers_count && self->wrong != 0; i++) {
        const struct sim_server *server = &self->servers[i];
        struct node_status status;
        if (!server->up) {
            continue; /* what it will make of its disk is seen then */
        }
        node_status (server->node, &status);
        if (server_is_wrong (server) || status.state != NODE_STATE_SOUND) {
            return false;
        }
    }
    return true;
}

static bool is_calm (const struct world *self)
{
    uint32_t leader = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        if (is_core (self, i) && !is_well (&self->servers[i], &leader)) {
            return false;
        }
    }
    return are_right (self) && leader != 0 && is_core (self, leader - 1);
}

static bool is_late (const struct world *self, const struct sim_connection *connection)
{
    int64_t in_time_ms = self->schedule.now_ms + self->conditions.latency_ms_max;
    return connection->to_server_ms > in_time_ms || connection->to_client_ms > in_time_ms;
}

/* Whether nothing is between the client and the server that it is attached to. */
static bool is_served (const struct world *self, const struct sim_client *client)
{
    struct session_view view;
    unsigned attached = 0;
    size_t node = world_node_of_client ((size_t) (client - self->clients));
    if (!client->up || client->paused || client->closing || client->adopting || client->lost) {
        return false;
    }
    session_view (client->session, &view);
    if (view.state != COHORT_CONNECTED || sscanf (view.endpoint, "tcp://s%u", &attached) != 1 ||
        !is_core (self, attached - 1) || self->blocked[node][attached - 1] != 0 ||
        self->blocked[attached - 1][node] != 0) {
        return false;
    }
    for (struct list_node *at = list_first (&client->links); at != NULL;
         at = list_next (&client->links, at)) {
        const struct sim_connection *connection = list_entry (at, struct sim_connection, in_client);
        if (connection->server == attached - 1 && connection->open_at_server && !connection->cut &&
            !connection->dropped && !is_late (self, connection)) {
            return true;
        }
    }
    return false;
}

/* ---- Peace ----------------------------------------------------------------------------------- */

/* Whether a quorum could lead and follow: a log that has lost something has no vote until it is
 * healed, and that takes a leader. */
static bool has_whole_quorum (const struct world *self)
{
    size_t whole = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct sim_server *server = &self->servers[i];
        whole += is_core (self, i) && !world_observes (self, i) && server->up &&
                 check_status (server)->trust == ZAB_WHOLE;
    }
    return whole > self->options.servers / 2;
}

/* Whether nothing is amiss with any server of the core, whoever it follows. */
static bool is_peaceful (const struct world *self)
{
    int64_t now_ms = self->schedule.now_ms;
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct sim_server *server = &self->servers[i];
        if (is_core (self, i) &&
            (!server->up || server->paused || server->full || server->leaving ||
             server->apart_until_ms > now_ms || server->slow_until_ms > now_ms)) {
            return false;
        }
    }
    return are_right (self) && has_whole_quorum (self);
}

/* Whether it has a connection that has ended, and only silence tells. Likewise one whose server
 * stands still, if it is new: who was not answered by the server before is more patient for a
 * while, for it may be the network that is slow. So is who waits to be greeted there. */
static bool is_deceived (const struct world *self, const struct sim_client *client,
                         int64_t *patient_ms)
{
    for (struct list_node *at = list_first (&client->links); at != NULL;
         at = list_next (&client->links, at)) {
        const struct sim_connection *connection = list_entry (at, struct sim_connection, in_client);
        bool is_new = self->schedule.now_ms - connection->opened_ms < STEADY_MS;
        if (connection->cut || connection->silent ||
            (is_new && self->servers[connection->server].paused)) {
            *patient_ms = connection->to_client_taken == 0 ? connection->patient_ms : 0;
            return true;
        }
    }
    return false;
}

/* For how long a client that is well is not served. */
static int64_t unserved_ms (const struct world *self, struct sim_client *client)
{
    struct sim_peace *peace = &client->peace;
    int64_t now_ms = self->schedule.now_ms;
    bool well =
        client->up && !client->paused && !client->closing && !client->adopting && !client->lost;
    if (!well || peace->since_ms < self->peace.led_ms || is_served (self, client)) {
        *peace = (struct sim_peace){.since_ms = now_ms};
    }
    int64_t patient_ms = 0;
    if (is_deceived (self, client, &patient_ms)) {
        peace->deceived = true;
        peace->patient_ms = patient_ms > peace->patient_ms ? patient_ms : peace->patient_ms;
    }
    return now_ms - peace->since_ms;
}

/* How long it takes to find that each of those who are not of the core does not answer: who has no
 * session gives each as long as it gives any server. */
static int64_t outsiders_ms (const struct world *self)
{
    int64_t ms = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        ms += is_core (self, i) ? 0 : self->conditions.connect_ms;
    }
    return ms;
}

/* A session that was taken up has the timeout that its first process asked for. */
static int64_t served_ms_max (const struct world *self, const struct sim_client *client)
{
    uint32_t asked_ms = client->timeout_ms, had_ms = client->identity.timeout_ms;
    int64_t outsiders = outsiders_ms (self), timeout_ms = asked_ms > had_ms ? asked_ms : had_ms;
    return self->lull && !client->peace.deceived
               ? LULL_SERVED_MS
               : (outsiders > timeout_ms ? outsiders : timeout_ms) + client->peace.patient_ms +
                     SERVED_MS;
}

static void look_at_clients (struct world *self)
{
    for (size_t i = 0; i < self->clients_count; i++) {
        struct sim_client *client = &self->clients[i];
        int64_t ms = unserved_ms (self, client); /* and whether it is deceived */
        observe (self, &(struct sight){.kind = SIGHT_PEACE,
                                       .client = i,
                                       .led = true,
                                       .unserved_ms = ms,
                                       .unserved_ms_max = served_ms_max (self, client)});
    }
}

/* What a dead session has left goes step by step. */
static void look_at_dead (struct world *self, struct sim_server *server)
{
    struct tree_session dead = {.id = 0};
    int64_t now_ms = self->schedule.now_ms;
    (void) tree_session_dead (node_tree (server->node), &dead);
    if (dead.id == 0 || dead.id != server->dead || dead.ephemerals != server->dead_has ||
        server->dead_from_ms < self->peace.led_ms) {
        server->dead = dead.id;
        server->dead_has = dead.ephemerals;
        server->dead_from_ms = now_ms;
    }
    observe (self, &(struct sight){.kind = SIGHT_PEACE,
                                   .server = server->id,
                                   .led = true,
                                   .dead = dead.id,
                                   .dead_ms = now_ms - server->dead_from_ms,
                                   .dead_ms_max = REAPED_MS});
}

/* How long it may take until all follow one leader. */
static int64_t led_ms_max (const struct world *self)
{
    bool stopped = false;
    for (size_t i = 0; i < self->servers_count; i++) {
        stopped |= ((self->away >> i) & 1) != 0 && self->servers[i].paused;
    }
    return !self->lull       ? PEACE_MS
           : self->away == 0 ? LULL_LED_MS
           : stopped         ? STOPPED_LED_MS
                             : AWAY_LED_MS;
}

/* What peace has to bring, and what it must not take. */
static void look_at_peace (struct world *self, bool calm)
{
    struct sim_peace *peace = &self->peace;
    int64_t now_ms = self->schedule.now_ms;
    if (!is_peaceful (self)) {
        *peace = (struct sim_peace){.since_ms = 0};
        return;
    }
    if (peace->since_ms == 0) {
        peace->since_ms = now_ms;
    }
    bool lost = peace->led && !calm;
    if (lost && (now_ms - peace->since_ms <= LATE_MS || check_counter_ended (self))) {
        *peace =
            (struct sim_peace){.since_ms = now_ms}; /* late frames and notices; a counter's end */
    }
    observe (self, &(struct sight){.kind = SIGHT_PEACE,
                                   .led = calm,
                                   .was_led = peace->led,
                                   .peace_ms = now_ms - peace->since_ms,
                                   .peace_ms_max = led_ms_max (self)});
    peace->led_ms = !calm ? 0 : peace->led ? peace->led_ms : now_ms;
    peace->led = calm;
    for (size_t i = 0; i < self->servers_count && calm; i++) {
        if (is_core (self, i)) {
            look_at_dead (self, &self->servers[i]);
        }
    }
    if (calm) {
        look_at_clients (self);
    }
}

void calm_look (struct world *self)
{
    bool calm = is_calm (self);
    look_at_peace (self, calm);
    for (size_t i = 0; i < self->clients_count; i++) {
        if (!calm || !is_served (self, &self->clients[i])) {
            record_served (self, &self->clients[i], false);
        }
    }
    record_calm (self, calm);
    for (size_t i = 0; i < self->clients_count && calm; i++) {
        if (is_served (self, &self->clients[i])) {
            record_served (self, &self->clients[i], true);
        }
    }
}
