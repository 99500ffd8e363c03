/* Looks at the servers of a simulated world, for the invariants: makes sights out of what their
 * stores, cores and trees say, and ends the run when one does not hold. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "server/store/state.h"
#include "server/tree/entry.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

enum {
    ALARM_MS = 3000,
    READ_ENTRIES = 512,
    READ_BYTES = 4 << 20,
    LEADS_MS_MAX = 1500,  /* three times as long as a leader waits for its followers */
    APPLIES_MS_MAX = 1000 /* until the next step of what waits for nobody */
};

/* What was seen of a server last: most turns change none of it. */
struct view {
    zxid_t base;
    zxid_t given; /* the base that it started with, or that was installed since */
    uint64_t completed;
    zxid_t applied;
    uint64_t living;
    bool looked; /* in this incarnation */
};

struct sim_checker {
    struct ghost ghost;
    struct view views[SIM_SERVERS_MAX];
};

struct sim_checker *checker_new (void)
{
    struct sim_checker *self = calloc (1, sizeof *self);
    COHORT_ASSERT (self != NULL);
    ghost_init (&self->ghost);
    return self;
}

void checker_free (struct sim_checker *self)
{
    ghost_deinit (&self->ghost);
    free (self);
}

void observe (struct world *world, const struct sight *sight)
{
    struct objection objection;
    const struct invariant *broken = invariants_see (&world->checker->ghost, sight, &objection);
    if (broken != NULL) {
        world_fail (world, "invariant %u, %s: %s", broken->number, broken->name, objection.text);
    }
}

/* ---- Stores ---------------------------------------------------------------------------------- */

/* The log as recovery has found it. */
static void read_log (struct sim_server *server, struct shadow *log)
{
    struct zab_entry entries[READ_ENTRIES];
    int64_t stamp_ms;
    store_base (server->store, &log->base, &stamp_ms);
    zxid_t last = store_last (server->store);
    for (zxid_t at = log->base.zxid; at < last; at = shadow_last (log).zxid) {
        size_t count = store_read (server->store, at, last, READ_BYTES, entries, READ_ENTRIES);
        if (count == 0) {
            world_fail (server->world, "server %u cannot read its log behind %#" PRIx64, server->id,
                        at);
        }
        for (size_t i = 0; i < count; i++) {
            shadow_append (log, (struct zab_point){entries[i].zxid, entries[i].chain});
        }
    }
}

/* How much of the log its own records say to be committed. */
static zxid_t read_recorded (const struct sim_server *server)
{
    zxid_t recorded = server->store->log.commit, last = store_last (server->store);
    return recorded < last ? recorded : last;
}

/* The newest snapshot's zxid; 0: there is none. */
static zxid_t read_newest (const struct sim_server *server)
{
    struct store_snapshot_info info;
    return store_snapshot_newest (server->store, &info) ? info.point.zxid : 0;
}

void check_started (struct world *world, struct sim_server *server)
{
    struct view *view = &world->checker->views[server->id - 1];
    const struct store_meta *meta = store_meta (server->store);
    struct shadow log = {.count = 0};
    crash_disk_spare (server->disk, true);
    read_log (server, &log);
    crash_disk_spare (server->disk, false);
    *view = (struct view){.base = log.base.zxid, .given = log.base.zxid};
    struct sight sight = {.kind = SIGHT_STARTED,
                          .server = server->id,
                          .log = &log,
                          .accepted_epoch = meta->accepted_epoch,
                          .current_epoch = meta->current_epoch,
                          .store_id = meta->store_id,
                          .trust = meta->trust,
                          .suspect = meta->suspect,
                          .committed = store_committed (server->store),
                          .recorded = read_recorded (server),
                          .newest = read_newest (server),
                          .harmed = ((world->harmed >> (server->id - 1)) & 1) != 0,
                          .found = server->found,
                          .emptied = server->started_empty,
                          .older = server->started_old,
                          .heir = meta->heir};
    check_found_durable (server, &sight);
    observe (world, &sight);
    shadow_deinit (&log);
}

/* What the store has done since it was looked at last. */
static void look_at_store (struct world *world, struct sim_server *server)
{
    if (server->logged != store_last (server->store)) {
        server->logged = store_last (server->store);
        server->logged_ms = world->schedule.now_ms;
    }
    struct view *view = &world->checker->views[server->id - 1];
    struct sight sight = {.kind = SIGHT_BASE, .server = server->id};
    int64_t stamp_ms;
    store_base (server->store, &sight.base, &stamp_ms);
    if (sight.base.zxid != view->base) {
        view->base = sight.base.zxid;
        sight.replaced = world->checker->ghost.servers[server->id].installing &&
                         store_last (server->store) == sight.base.zxid;
        view->given = sight.replaced ? view->base : view->given;
        observe (world, &sight);
    }
    uint64_t completed = store_completed (server->store);
    if (completed != view->completed) {
        view->completed = completed;
        struct sight durable = {
            .kind = SIGHT_DURABLE, .server = server->id, .completed = completed};
        check_made_durable (server, &world->checker->ghost.servers[server->id], &durable);
        observe (world, &durable);
    }
}

bool check_has_purged (const struct sim_server *server, zxid_t base)
{
    return base > server->world->checker->views[server->id - 1].given;
}

zxid_t check_had_durable (const struct sim_server *server)
{
    return shadow_last (&server->world->checker->ghost.servers[server->id].durable).zxid;
}

/* What its store has called durable counts, also if nobody has heard of it any more. */
void check_stopped (struct world *world, struct sim_server *server)
{
    look_at_store (world, server);
    observe (world, &(struct sight){.kind = SIGHT_STOPPED,
                                    .server = server->id,
                                    .heir = store_meta (server->store)->heir});
}

/* ---- Cores ----------------------------------------------------------------------------------- */

/* Whether it had decided that before it stood still last: when it led, and the session was silent.
 */
static bool was_decided (const struct sim_server *server, const struct entry_close *close)
{
    size_t forgotten =
        server->endings_count > SIM_ENDINGS_MAX ? server->endings_count - SIM_ENDINGS_MAX : 0;
    for (size_t i = forgotten; i < server->endings_stall; i++) {
        const struct sim_ending *ending = &server->endings[i % SIM_ENDINGS_MAX];
        if (ending->session == close->session && ending->attach_no == close->attach_no) {
            return true;
        }
    }
    return false;
}

/* Who has stood still ends no session before it knows again that it leads: by a round that has
 * begun since. */
static void check_expiry (struct sim_server *server, const struct zab_update *update,
                          const struct zab_status *status)
{
    const struct zab_persist *persist = &update->persist;
    if (status->role != ZAB_LEADING) {
        server->endings_count = server->endings_stall = 0;
    }
    if (status->role != ZAB_LEADING || update->round > server->stall_round) {
        server->stall_round = 0;
    }
    for (size_t i = 0; i < persist->entries_count && server->stall_round > 0; i++) {
        struct entry entry;
        if (entry_decode (&entry, persist->entries[i].data, persist->entries[i].size) &&
            entry.kind == ENTRY_CLOSE && entry.u.close.reason != ENTRY_KILLED &&
            !was_decided (server, &entry.u.close)) {
            world_fail (server->world,
                        "server %u ends session %" PRIu64
                        " behind a stall, and no round has shown that it leads",
                        server->id, entry.u.close.session);
        }
    }
}

/* What is committed from then on is committed by its members. */
static void look_at_members (struct world *world, struct sim_server *server)
{
    const struct config_set *configs = tree_configs (node_tree (server->node));
    const struct config_set *known = &world->checker->ghost.configs;
    if (configs != NULL && known->count > 0 &&
        configs->configs[configs->count - 1].version > known->configs[known->count - 1].version) {
        observe (world,
                 &(struct sight){.kind = SIGHT_CONFIG, .server = server->id, .configs = configs});
    }
}

static void on_update (void *arg, const struct zab_update *update, const struct zab_status *status)
{
    struct sim_server *server = arg;
    check_expiry (server, update, status);
    look_at_members (server->world, server);
    look_at_store (server->world, server);
    if (update->withdrawn) {
        observe (
            server->world,
            &(struct sight){.kind = SIGHT_WITHDRAWN, .server = server->id, .end = status->last});
    }
    observe (server->world, &(struct sight){.kind = SIGHT_UPDATE,
                                            .server = server->id,
                                            .update = update,
                                            .status = status,
                                            .counter_max = server->world->conditions.counter_max});
}

const struct zab_status *check_status (const struct sim_server *server)
{
    return &server->world->checker->ghost.servers[server->id].status;
}

zxid_t check_committed (const struct world *world)
{
    return shadow_last (&world->checker->ghost.committed).zxid;
}

bool check_counter_ended (const struct world *world)
{
    const struct ghost *ghost = &world->checker->ghost;
    uint64_t end = world->conditions.counter_max;
    for (size_t i = ghost->epochs_count; i-- > 0;) {
        const struct shadow *broadcast = &ghost->epochs[i].broadcast;
        if (broadcast->count > 0) {
            return end > 0 && zxid_counter (shadow_last (broadcast).zxid) >= end;
        }
    }
    return false;
}

struct zab_observer check_observer (struct sim_server *server)
{
    return (struct zab_observer){server, on_update};
}

/* ---- Trees ----------------------------------------------------------------------------------- */

struct ephemerals {
    const struct tree *tree;
    bool at_rest;
    struct sight_ephemeral *items;
    size_t count, capacity;
};

/* Its path outlives the walk, so it is copied. */
static bool add_ephemeral (void *arg, const struct tree_node *node)
{
    struct ephemerals *self = arg;
    struct tree_session session;
    if (node->stat.ephemeral_owner == 0) {
        return true;
    }
    /* One that is dead is still being reaped: a few hundred in one entry. At rest that is over. */
    bool lives = tree_session (self->tree, node->stat.ephemeral_owner, &session) &&
                 !(session.dead && self->at_rest);
    if (self->count == self->capacity) {
        self->capacity = self->capacity > 0 ? 2 * self->capacity : 64;
        self->items = realloc (self->items, self->capacity * sizeof *self->items);
        COHORT_ASSERT (self->items != NULL);
    }
    char *path = strdup (node->path);
    COHORT_ASSERT (path != NULL);
    self->items[self->count++] = (struct sight_ephemeral){path, node->stat.ephemeral_owner, lives};
    return true;
}

static void free_ephemerals (struct ephemerals *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free ((char *) self->items[i].path);
    }
    free (self->items);
}

/* A client has so many writes on their way at most, and some of the session machine's own. */
enum { RESULTS_MAX = 40 };

static uint64_t find_hoard (const struct tree *tree)
{
    struct tree_session session = {.id = 0};
    while (tree_session_next (tree, session.id, &session)) {
        size_t size;
        if (session.last_number > RESULTS_MAX &&
            tree_session_result (tree, session.id, session.last_number - RESULTS_MAX, &size) !=
                NULL) {
            return session.id;
        }
    }
    return 0;
}

/* The sessions that live, as one number: another one if any of them ends, or begins. For each no
 * more is kept than there may be. */
static uint64_t living_in (struct world *world, const struct sim_server *server)
{
    const struct tree *tree = node_tree (server->node);
    struct tree_session session = {.id = 0};
    struct bounds bounds = {.what = NULL};
    uint64_t living = 0;
    while (tree_session_next (tree, session.id, &session)) {
        check_results_of (tree, &session, &bounds);
        living += session.dead ? 0 : hash64 (&session.id, sizeof session.id, 0);
    }
    check_kept (world, server, &bounds);
    return living;
}

static const struct config_set *configs_of (const struct sim_server *server,
                                            struct config_set *scratch)
{
    const struct config_set *configs = tree_configs (node_tree (server->node));
    const struct store_meta *meta = store_meta (server->store);
    if (configs != NULL || !meta->bootstrapped) {
        return configs;
    }
    *scratch = (struct config_set){.count = 1, .configs = {meta->config}};
    return scratch;
}

/* For how long it is wrong, and everybody could have known. */
static int64_t exposed_ms (const struct sim_server *server)
{
    const struct world *world = server->world;
    int64_t since_ms = server->wrong_ms > world->calm_ms ? server->wrong_ms : world->calm_ms;
    return world->schedule.now_ms - since_ms;
}

static void look_at_tree (struct world *world, struct sim_server *server, bool at_rest)
{
    struct view *view = &world->checker->views[server->id - 1];
    const struct tree *tree = node_tree (server->node);
    struct ephemerals ephemerals = {.tree = tree, .at_rest = at_rest};
    struct node_status status;
    struct config_set scratch;
    bool founded = world->checker->ghost.configs.count > 0;
    bool wrong = world->wrong != 0 && server_is_wrong (server);
    if (view->looked && founded && !wrong && view->applied == tree_zxid (tree) && !at_rest) {
        return;
    }
    uint64_t living = living_in (world, server);
    node_status (server->node, &status);
    if ((living != view->living || at_rest) && !server->memory_rots) {
        COHORT_ASSERT (tree_walk (tree, "/", 1, NULL, add_ephemeral, &ephemerals) == 0);
    }
    view->applied = status.applied;
    view->living = living;
    view->looked = true;
    observe (world, &(struct sight){.kind = SIGHT_TURN,
                                    .server = server->id,
                                    .status = &status.zab,
                                    .applied = status.applied,
                                    .digest = status.digest,
                                    .wrong = wrong,
                                    .exposed_ms = wrong && status.state != NODE_STATE_QUARANTINED
                                                      ? exposed_ms (server)
                                                      : 0,
                                    .exposed_ms_max = ALARM_MS,
                                    .configs = configs_of (server, &scratch),
                                    .hoard = at_rest ? find_hoard (tree) : 0,
                                    .ephemerals = ephemerals.items,
                                    .ephemerals_count = ephemerals.count});
    free_ephemerals (&ephemerals);
}

/* So many entries take up to 2 ms: nothing else of a server goes on meanwhile. */
enum { FLUSH_ENTRIES_MAX = 300 };

struct sim_flush check_flush_begins (const struct sim_server *server)
{
    const struct tree *tree = node_tree (server->node);
    return (struct sim_flush){tree, tree_zxid (tree)};
}

/* Another tree is that of a snapshot, which was loaded in steps of its own. */
void check_flush_ends (struct world *world, const struct sim_server *server,
                       const struct sim_flush *flush)
{
    const struct shadow *committed = &world->checker->ghost.committed;
    const struct tree *tree = node_tree (server->node);
    if (tree != flush->tree || tree_zxid (tree) == flush->applied) {
        return;
    }
    const struct zab_point *from = shadow_floor (committed, flush->applied);
    const struct zab_point *to = shadow_floor (committed, tree_zxid (tree));
    ptrdiff_t count = to != NULL ? to - (from != NULL ? from : committed->points) : 0;
    if (count > FLUSH_ENTRIES_MAX) {
        world_fail (world, "server %u applies %td entries in one go", server->id, count);
    }
}

/* The epoch of the newest leader, if it runs. */
static uint32_t led (const struct world *world)
{
    const struct ghost *ghost = &world->checker->ghost;
    uint32_t epoch = 0;
    for (size_t i = 0; i < world->servers_count; i++) {
        const struct ghost_server *server = &ghost->servers[i + 1];
        if (server->up && !world->servers[i].paused && server->status.role == ZAB_LEADING &&
            server->status.activated && server->status.current_epoch > epoch) {
            epoch = server->status.current_epoch;
        }
    }
    return epoch;
}

/* Whether as many can write as it takes: not who is to stay away, nor who has no space, nor whose
 * disk stands. */
static bool can_commit (const struct world *world)
{
    size_t able = 0;
    for (size_t i = 0; i < world->servers_count; i++) {
        const struct sim_server *server = &world->servers[i];
        able += phase_reaches (world, i) && !world_observes (world, i) && server->up &&
                !server->paused && !server_disk_stands (server) && !check_status (server)->full;
    }
    return able > world->options.servers / 2;
}

/* A leader that hears no quorum gives up; also one that was stopped, and goes on with what it had
 * been sent before. */
static void check_leads (struct world *world, struct sim_server *server)
{
    const struct zab_status *status = check_status (server);
    int64_t now_ms = world->schedule.now_ms;
    size_t heard = 0;
    if (status->role != ZAB_LEADING || !status->activated) {
        server->heard_from_ms = now_ms;
        return;
    }
    for (size_t i = 0; i < world->servers_count; i++) {
        heard += !world_observes (world, i) &&
                 (i + 1 == server->id || now_ms - server->heard_ms[i] <= LEADS_MS_MAX);
    }
    if (heard <= world->options.servers / 2 && now_ms - server->heard_from_ms > LEADS_MS_MAX) {
        world_fail (world, "server %u leads on without a quorum: it has heard %zu voters for %d ms",
                    server->id, heard - 1, LEADS_MS_MAX);
    }
}

/* What is known to be committed, and is on the disk, is applied: by one that has just started, and
 * follows nobody yet, likewise. */
static void check_applies (struct world *world, struct sim_server *server)
{
    const struct zab_status *status = check_status (server);
    zxid_t due = status->committed < status->durable ? status->committed : status->durable;
    zxid_t applied = tree_zxid (node_tree (server->node));
    int64_t now_ms = world->schedule.now_ms;
    if (applied >= due || applied != server->applied) {
        server->applied = applied;
        server->applied_ms = now_ms;
    }
    if (now_ms - server->applied_ms > APPLIES_MS_MAX) {
        world_fail (world,
                    "server %u has applied no more than %#" PRIx64 " for %d ms, and knows %#" PRIx64
                    " to be committed",
                    server->id, applied, APPLIES_MS_MAX, due);
    }
}

void check_server (struct world *world, struct sim_server *server)
{
    look_at_store (world, server);
    look_at_tree (world, server, false);
    check_applies (world, server);
    check_leads (world, server);
    check_disks (world, server);
    check_bounds_of (world, server);
    check_snapshots_of (world, server);
    record_led (world, led (world), can_commit (world));
    record_applied (world, server);
}

/* ---- Clients --------------------------------------------------------------------------------- */

void check_answer (struct world *world, zxid_t zxid, const char *name)
{
    observe (world, &(struct sight){.kind = SIGHT_ANSWER, .zxid = zxid, .name = name});
}

/* ---- At the end ------------------------------------------------------------------------------ */

void check_rest (struct world *world, int64_t after_ms, const char *waits_for)
{
    for (size_t i = 0; i < world->servers_count && waits_for == NULL; i++) {
        if ((world->core >> i) & 1) {
            look_at_tree (world, &world->servers[i], true);
        }
    }
    if (waits_for == NULL) {
        check_states (world);
    }
    observe (world, &(struct sight){.kind = SIGHT_REST,
                                    .reached = waits_for == NULL,
                                    .core = world->core << 1,
                                    .after_ms = after_ms,
                                    .limit_ms = world->options.liveness_ms,
                                    .waits_for = waits_for});
}

/* Of a state that is wrong people find that, too. */
void check_left_over (struct world *world)
{
    for (size_t i = 0; i < world->servers_count; i++) {
        struct sim_server *server = &world->servers[i];
        if (server->up) {
            check_rot_found (world, server);
            server_crash (world, server, true);
        }
        if ((((world->harmed | world->wrong) >> i) & 1) == 0) {
            check_left (world, server, &world->checker->ghost.servers[i + 1]);
        }
    }
}
