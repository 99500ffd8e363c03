/* How a run goes: first safety, while things go wrong; then liveness, when a core is well and the
 * rest is gone; then the rest comes back. */

#include <inttypes.h>
#include <stdio.h>

#include "client/base/prng.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/rogues.h"
#include "tests/simulation/world.h"

enum { TEXT_SIZE = 200, STEP_MS = 10, REST_MS = 1500, IDLE_MS = 500 };

static void run_until (struct world *self, int64_t at_ms)
{
    if (at_ms > self->schedule.now_ms) {
        world_run (self, at_ms - self->schedule.now_ms);
    }
}

static void run_calmly_until (struct world *self, int64_t at_ms)
{
    calm_begin (self);
    while (self->schedule.now_ms < at_ms) {
        world_run (self, STEP_MS);
        calm_look (self);
    }
    calm_end (self);
}

void phase_safety (struct world *self)
{
    int64_t end_ms = self->schedule.now_ms + self->options.safety_ms;
    const struct sim_lull *lull = &self->lull_due;
    faults_begin (self);
    if (lull->from_ms < lull->until_ms) {
        run_until (self, lull->from_ms);
        run_calmly_until (self, lull->until_ms);
    }
    run_until (self, end_ms);
    self->working = false;
    faults_end (self);
}

/* ---- Rest ------------------------------------------------------------------------------------ */

static bool is_core (const struct world *self, size_t server)
{
    return (self->core >> server) & 1;
}

/* Whether its vote does not count, because the members' list has the store that it had before. */
static bool is_unlisted (const struct sim_server *server)
{
    const struct config_set *configs = tree_configs (node_tree (server->node));
    const struct config_member *member =
        configs != NULL ? config_set_find (configs, server->id) : NULL;
    return member != NULL && member->role == CONFIG_VOTER &&
           member->store_id != store_meta (server->store)->store_id;
}

/* Why a server is not at rest; false: it is. */
static bool server_restless (const struct sim_server *server, struct node_status *status,
                             char *text)
{
    struct tree_session dead;
    if (!server->up || server->paused) {
        (void) snprintf (text, TEXT_SIZE, "server %u does not run", server->id);
        return true;
    }
    if (server->turns_on > 0) {
        (void) snprintf (text, TEXT_SIZE, "server %u has more to do", server->id);
        return true;
    }
    node_status (server->node, status);
    if (status->state != NODE_STATE_SOUND) {
        (void) snprintf (text, TEXT_SIZE, "server %u: %s", server->id, status->state_reason);
        return true;
    }
    if (store_meta (server->store)->trust != ZAB_WHOLE) {
        (void) snprintf (text, TEXT_SIZE, "server %u is not healed: its log is %s", server->id,
                         zab_trust_name (store_meta (server->store)->trust));
        return true;
    }
    if (status->zab.full) {
        (void) snprintf (text, TEXT_SIZE, "server %u takes its disk for a full one", server->id);
        return true;
    }
    if (!status->zab.activated) {
        (void) snprintf (text, TEXT_SIZE, "server %u is %s, without a quorum", server->id,
                         zab_role_name (status->zab.role));
        return true;
    }
    if (status->applied != status->zab.committed) {
        (void) snprintf (text, TEXT_SIZE, "server %u has not applied all that is committed",
                         server->id);
        return true;
    }
    if (is_unlisted (server)) {
        (void) snprintf (text, TEXT_SIZE, "server %u has a new store, and is not listed with it",
                         server->id);
        return true;
    }
    if (snapshots_restless (server, text, TEXT_SIZE)) {
        return true;
    }
    if (tree_session_dead (node_tree (server->node), &dead)) {
        (void) snprintf (text, TEXT_SIZE, "server %u has still to reap session %" PRIu64,
                         server->id, dead.id);
        return true;
    }
    return false;
}

static bool client_restless (const struct world *self, const struct sim_client *client,
                             const struct tree *tree, char *text)
{
    size_t number = (size_t) (client - self->clients);
    struct session_view view;
    if (!client->up || client->closing) {
        (void) snprintf (text, TEXT_SIZE, "client %zu %s", number,
                         client->up ? "has not closed its session" : "has not started again");
        return true;
    }
    if (client->outstanding > 0 || client->fresh_due) {
        session_view (client->session, &view);
        (void) snprintf (text, TEXT_SIZE, "client %zu (state %d, at '%s') waits for %zu answers%s",
                         number, (int) view.state, view.endpoint, client->outstanding,
                         client->fresh_due ? ", and for its fresh write" : "");
        return true;
    }
    session_view (client->session, &view);
    if (view.zxid < tree_zxid (tree)) {
        (void) snprintf (text, TEXT_SIZE, "client %zu has heard of no more than %#" PRIx64, number,
                         view.zxid);
        return true;
    }
    return false;
}

static bool mirrors_differ (const struct world *self, const struct tree *tree, char *text)
{
    for (size_t i = 0; i < self->clients_count; i++) {
        if (!mirror_equal (&self->clients[i], tree)) {
            (void) snprintf (text, TEXT_SIZE, "client %zu's mirror is not the tree", i);
            return true;
        }
    }
    return false;
}

/* Why the core is not at rest; false: it is. */
static bool restless (const struct world *self, char *text)
{
    const struct sim_server *first = NULL;
    struct node_status one = {0}, other;
    for (size_t i = 0; i < self->servers_count; i++) {
        if (!is_core (self, i)) {
            continue;
        }
        if (server_restless (&self->servers[i], &other, text)) {
            return true;
        }
        if (first == NULL) {
            first = &self->servers[i];
            one = other;
        } else if (one.applied != other.applied || one.digest != other.digest) {
            (void) snprintf (text, TEXT_SIZE,
                             "server %u is at %#" PRIx64 " with digest %016" PRIx64
                             ", server %zu at %#" PRIx64 " with %016" PRIx64,
                             first->id, one.applied, one.digest, i + 1, other.applied,
                             other.digest);
            return true;
        }
    }
    const struct tree *tree = node_tree (first->node);
    if (one.applied < check_committed (self)) {
        /* A server that hears the core and is not heard may be the first to commit. */
        (void) snprintf (text, TEXT_SIZE, "server %u has not applied all that is committed",
                         first->id);
        return true;
    }
    for (size_t i = 0; i < self->clients_count; i++) {
        if (client_restless (self, &self->clients[i], tree, text)) {
            return true;
        }
    }
    uint64_t rogue = rogues_alive (self, tree);
    if (rogue != 0) {
        (void) snprintf (text, TEXT_SIZE, "session %" PRIu64 " of a rogue lives on", rogue);
        return true;
    }
    /* What takes long to tell comes last. */
    return record_restless (self, text, TEXT_SIZE) || mirrors_differ (self, tree, text);
}

/* Each client writes once more. Only then is it certain that the core takes writes. */
static void ask_for_fresh_writes (struct world *self)
{
    for (size_t i = 0; i < self->clients_count; i++) {
        self->clients[i].fresh_due = true;
        self->clients[i].fresh_sent = false;
    }
}

/* Whether the servers of the core differ in their states, and in nothing else, and cannot tell who
 * is wrong. */
static bool are_at_odds (const struct world *self)
{
    struct node_status first, status;
    const struct sim_server *any = NULL;
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct sim_server *server = &self->servers[i];
        if (!is_core (self, i)) {
            continue;
        }
        if (!server->up) {
            return false;
        }
        node_status (server->node, &status);
        if (any == NULL) {
            any = server;
            first = status;
        }
        if (status.state != NODE_STATE_CONTESTED || status.applied != first.applied ||
            status.applied != status.zab.committed) {
            return false;
        }
    }
    return any != NULL && !servers_can_tell (self);
}

/* Those who are wrong would fill the others with what they have: people restore all from a backup
 * then (docs/zab.md, section 14), and that is another ensemble. */
static bool are_beyond_help (const struct world *self)
{
    size_t right = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        right += !world_observes (self, i) && self->servers[i].up &&
                 !server_is_wrong (&self->servers[i]);
    }
    return right < self->options.servers - self->options.servers / 2;
}

/* People can: they empty the folder of who is wrong, as the documentation says. */
static void help_who_are_at_odds (struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        if (is_core (self, i) && server_is_wrong (server)) {
            uint64_t seed = world_draw (self, SIM_DRAW_STORE, server->id, server->incarnation, 1);
            fault_servers_empty (self, server, seed, STEP_MS);
        }
    }
}

/* false: nobody can help them. */
static bool come_to_rest (struct world *self, const char *phase)
{
    int64_t begin_ms = self->schedule.now_ms;
    char why[TEXT_SIZE] = "";
    bool helped = false;

    while (restless (self, why)) {
        if (self->schedule.now_ms - begin_ms >= self->options.liveness_ms) {
            world_tell (self, "%s: not at rest", phase);
            check_rest (self, self->schedule.now_ms - begin_ms, why);
        }
        if (!helped && self->schedule.now_ms - begin_ms >= self->options.liveness_ms / 2 &&
            are_at_odds (self)) {
            if (are_beyond_help (self)) {
                world_tell (self, "%s: most servers are wrong, and none can tell", phase);
                calm_end (self);
                return false;
            }
            helped = true;
            help_who_are_at_odds (self);
        }
        world_run (self, STEP_MS);
        calm_look (self);
    }
    calm_end (self);
    check_rest (self, self->schedule.now_ms - begin_ms, NULL);
    world_tell (self, "%s: at rest after %" PRId64 " ms", phase, self->schedule.now_ms - begin_ms);
    return true;
}

/* Nothing happens, and nothing goes wrong: then nobody changes its leader, and what a disk has to
 * know of itself is written down once there has been nothing to do. */
static void stay_at_rest (struct world *self)
{
    int64_t until_ms = self->schedule.now_ms + REST_MS;
    while (self->schedule.now_ms < until_ms) {
        world_run (self, STEP_MS);
        calm_look (self);
    }
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        bool harmed = ((self->harmed >> i) & 1) != 0;
        if (server->up && !harmed && self->schedule.now_ms - server->logged_ms > IDLE_MS) {
            check_folder_of (self, server);
        }
    }
    calm_end (self);
}

/* ---- The core, and the rest ------------------------------------------------------------------ */

/* An ensemble is founded by all its voters: until it is, none of them may stay away. */
static bool is_founded (const struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        if (!self->servers[i].founded && !world_observes (self, i)) {
            return false;
        }
    }
    return true;
}

/* A log that has lost something takes a quorum of others, who never have, to be healed. */
static void draw_core (struct world *self, struct prng *prng)
{
    size_t count = self->servers_count, quorum = self->options.servers / 2 + 1;
    size_t size = prng_chance (prng, 1, 2) ? quorum : (size_t) prng_between (prng, quorum, count);

    self->core = (UINT32_C (1) << count) - 1;
    /* A state that went wrong, or what was made of it, takes a quorum of others to be found. */
    while (is_founded (self) && self->wrong == 0 && world_count (self->core) > size) {
        uint32_t rest = self->core & ~(UINT32_C (1) << prng_below (prng, self->servers_count));
        if (world_count (rest & ~self->harmed & ~self->observers) >= quorum) {
            self->core = rest;
        }
    }
}

/* How somebody who does not belong to the core is gone. */
enum absence {
    DEAD,
    CUT_OFF, /* from the core, and from clients or not */
    MUTE,    /* it hears the core, and is not heard */
    DEAF,    /* it is heard by the core, and does not hear it */
    REMOTE,  /* one of the core reaches it, and nobody else does */
    ABSENCES
};

static void cut_off (struct world *self, size_t server, enum absence absence, bool from_clients)
{
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        bool client = i >= SIM_SERVERS_MAX;
        if (client ? from_clients : is_core (self, i)) {
            self->blocked[server][i] += absence == CUT_OFF || absence == MUTE;
            self->blocked[i][server] += absence == CUT_OFF || absence == DEAF;
        }
    }
}

/* One that is not of the core may have the best log, and be known to one of the core alone: then
 * they are to elect somebody else. */
static void make_remote (struct world *self, size_t server, struct prng *prng)
{
    size_t friend = prng_below (prng, self->servers_count);
    while (!is_core (self, friend)) {
        friend = (friend + 1) % self->servers_count;
    }
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        self->blocked[server][i] += i != friend;
        self->blocked[i][server] += i != friend;
    }
}

/* Two that reach each other must not be a quorum, or they would be right to go on by themselves. */
static enum absence draw_absence (const struct world *self, struct prng *prng)
{
    bool two_are_none = self->options.servers / 2 >= 2;
    return (enum absence) prng_below (prng, two_are_none ? ABSENCES : REMOTE);
}

static void send_away (struct world *self, size_t index, struct prng *prng)
{
    static const char *const names[] = {"dead", "cut off", "mute", "deaf", "remote"};
    struct sim_server *server = &self->servers[index];
    enum absence absence = draw_absence (self, prng);
    bool power_cut = prng_chance (prng, 1, 2), from_clients = prng_chance (prng, 1, 2);

    world_tell (self, "server %u: %s%s", server->id, names[absence],
                absence != DEAD && absence != REMOTE && from_clients ? ", for clients too" : "");
    if (absence == REMOTE) {
        record_forgot (self, server->id);
        make_remote (self, index, prng);
        return;
    }
    if (absence != DEAD) {
        record_forgot (self, server->id);
        cut_off (self, index, absence, from_clients);
        return;
    }
    server->retired = true;
    if (server->up) {
        server_crash (self, server, power_cut);
    }
}

/* Whoever is down is started. */
static void start (struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        if (!server->up && !server->retired) {
            server_start_after (self, server, 1);
        }
    }
    for (size_t i = 0; i < self->clients_count; i++) {
        if (!self->clients[i].up) {
            client_start (self, &self->clients[i]);
        }
    }
}

/* In the first phase there is no core yet, and nobody is away for good. */
bool phase_reaches (const struct world *self, size_t server)
{
    return self->core == 0 || is_core (self, server);
}

static void tell_core (struct world *self, struct prng *prng)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        if (is_core (self, i)) {
            world_tell (self, "server %zu: of the core", i + 1);
        } else {
            send_away (self, i, prng);
        }
    }
}

void phase_liveness (struct world *self)
{
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_CORE, 0, 0, 0));
    draw_core (self, &prng);
    tell_core (self, &prng);
    start (self);
    ask_for_fresh_writes (self);
    come_to_rest (self, "liveness");
}

/* ---- All of them -------------------------------------------------------------------------------
 */

static bool reunite (struct world *self, const char *phase)
{
    self->core = (UINT32_C (1) << self->servers_count) - 1;
    fault_links_mend (self);
    for (size_t i = 0; i < self->servers_count; i++) {
        self->servers[i].retired = false;
        if (self->servers[i].up) {
            record_heard (self, self->servers[i].id);
        }
    }
    start (self);
    ask_for_fresh_writes (self);
    return come_to_rest (self, phase);
}

/* How many voters have something on their disks that is harmed, and perhaps do not know it yet. */
static size_t count_unhealed (const struct world *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        count += !world_observes (self, i) && atlas_has_harm (&self->servers[i]);
    }
    return count;
}

/* Who was healed is as good as who never had to be: without as many of those as a quorum can spare
 * it goes on. Whoever finds harm only then takes a quorum of others. */
static void leave_it_to_the_healed (struct world *self)
{
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_CORE, 1, 0, 0));
    size_t spare = (self->options.servers - 1) / 2, unhealed = count_unhealed (self);
    spare -= unhealed < spare ? unhealed : spare;
    size_t first = prng_below (&prng, self->servers_count);
    for (size_t i = 0; i < self->servers_count && spare > 0; i++) {
        size_t server = (first + i) % self->servers_count;
        if ((((self->harmed | self->observers) >> server) & 1) == 0) {
            self->core &= ~(UINT32_C (1) << server);
            spare--;
        }
    }
    tell_core (self, &prng);
    ask_for_fresh_writes (self);
    come_to_rest (self, "healed");
}

void phase_reunion (struct world *self)
{
    if (reunite (self, "reunion") && (self->harmed & ~self->observers) != 0) {
        leave_it_to_the_healed (self);
        reunite (self, "return");
    }
    stay_at_rest (self);
    come_to_rest (self, "end"); /* sessions may have ended meanwhile */
}
