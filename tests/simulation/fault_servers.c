/* What goes wrong with whole servers: processes that die or stand still, clocks. */

#include <inttypes.h>

#include "tests/simulation/world.h"
#include "tests/support/tree_rot.h"

enum { APART_MS = 200 };

static bool is_meant (struct world *self, const struct sim_fault *fault, size_t server,
                      const struct sim_server *leader)
{
    return fault->a == SIM_LEADER ? leader == &self->servers[server] : (fault->a >> server) & 1;
}

static void crash (struct world *self, struct sim_server *server, const struct sim_fault *fault)
{
    server_crash (self, server, fault->kind == FAULT_POWER_CUT);
    server_start_after (self, server, fault->length_ms);
}

/* Whose connections a leader has seen end only he knows, and the next one does not hear it of him
 * while he stands still. */
static void keep_endings (struct world *self, const struct sim_server *leader)
{
    record_forgot (self, leader->id);
    record_heard (self, leader->id); /* what comes later */
}

static void pause (struct world *self, struct sim_server *server, const struct sim_fault *fault)
{
    world_tell (self, "server %u: %s for %" PRId64 " ms", server->id,
                fault->kind == FAULT_SLEEP ? "sleeps" : "paused", fault->length_ms);
    server->paused = true;
    server->paused_from_ms = self->schedule.now_ms;
    server->paused_until_ms = self->schedule.now_ms + fault->length_ms;
    if (fault->b != 0) {
        server->apart_until_ms = server->paused_until_ms + APART_MS;
    }
    if (fault->kind == FAULT_SLEEP) {
        clock_stop (&server->clock, self->schedule.now_ms, true);
    }
}

/* In a lull nobody goes without whom the others could not elect anybody: what has lost something,
 * or is new, does not count before a leader has made it whole. */
static bool is_spared (const struct world *self, size_t server)
{
    size_t left = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct zab_status *status = check_status (&self->servers[i]);
        left += i != server && ((self->away >> i) & 1) == 0 && !world_observes (self, i) &&
                self->servers[i].up && status->activated && status->trust == ZAB_WHOLE;
    }
    return self->lull && left <= self->options.servers / 2;
}

static bool strike_servers (struct world *self, const struct sim_fault *fault)
{
    const struct sim_server *leader = server_leader (self);
    bool any = false;
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        if (!server->up || server->paused || !is_meant (self, fault, i, leader) ||
            is_spared (self, i)) {
            continue;
        }
        any = true;
        if (self->lull) {
            self->away |= UINT32_C (1) << i;
            self->peace = (struct sim_peace){.since_ms = 0};
        }
        if (self->lull && fault->kind == FAULT_PAUSE && server == leader) {
            keep_endings (self, server);
        }
        if (fault->kind == FAULT_LEAVE) {
            server_leave (self, server, fault->length_ms);
        } else if (fault->kind == FAULT_PAUSE || fault->kind == FAULT_SLEEP) {
            pause (self, server, fault);
        } else {
            crash (self, server, fault);
        }
    }
    return any;
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

static bool step_date (struct world *self, const struct sim_fault *fault)
{
    if (fault->a >= self->servers_count) {
        return false;
    }
    int64_t ms = (int64_t) fault->value;
    world_tell (self, "server %u: its date jumps by %" PRId64 " ms", fault->a + 1, ms);
    clock_step_wall (&self->servers[fault->a].clock, ms);
    return true;
}

/* The timers that were scheduled by the old rate may come too early, which does no harm, or too
 * late: so whoever has one looks again now. */
static bool set_rate (struct world *self, const struct sim_fault *fault)
{
    int32_t ppm = (int32_t) (int64_t) fault->value;
    size_t client = fault->a - SIM_SERVERS_MAX;
    if (fault->a < self->servers_count) {
        struct sim_server *server = &self->servers[fault->a];
        world_tell (self, "server %u: its clock is off by %" PRId32 " ppm", server->id, ppm);
        clock_set_rate (&server->clock, self->schedule.now_ms, ppm);
        server->timer_ms = 0;
        if (server_begin (self, server)) {
            server_end (self, server);
        }
        return true;
    }
    if (fault->a >= SIM_SERVERS_MAX && client < self->clients_count) {
        world_tell (self, "client %zu: its clock is off by %" PRId32 " ppm", client, ppm);
        clock_set_rate (&self->clients[client].clock, self->schedule.now_ms, ppm);
        self->clients[client].timer_ms = 0;
        if (self->clients[client].up && !self->clients[client].paused) {
            client_drive (self, &self->clients[client]);
        }
        return true;
    }
    return false;
}

/* ---- States ---------------------------------------------------------------------------------- */

/* One that no client sees, so that what they are told until it is noticed can be judged. */
static bool go_wrong (struct world *self, const struct sim_fault *fault)
{
    struct sim_server *server = &self->servers[fault->a];
    if (fault->a >= self->servers_count || !server->up || !server->founded ||
        !atlas_allows_wrong (self, fault->a) || tree_limits (node_tree (server->node)) == NULL ||
        !tree_diverge ((struct tree *) (uintptr_t) node_tree (server->node),
                       (uint32_t) fault->value)) {
        return false;
    }
    world_tell (self, "server %u: its state goes wrong", server->id);
    self->wrong |= UINT32_C (1) << fault->a;
    return true;
}

/* ---- Folders --------------------------------------------------------------------------------- */

void fault_servers_empty (struct world *self, struct sim_server *server, uint64_t disk_seed,
                          int64_t away_ms)
{
    if (server->up) {
        server_crash (self, server, false);
        server_start_after (self, server, away_ms);
    }
    world_tell (self, "server %u: has lost its folder", server->id);
    crash_disk_destroy (&server->disk);
    server->disk = crash_disk_new (disk_seed);
    fault_disks_watch (server);
    crash_disk_keep_versions (server->disk);
    server->emptied = true;
    server->stale_meta = server->misled = server->condemned = server->old_manifest = false;
    fault_manifest_forget (server);
    server->harmed[0] = '\0';
    self->harmed |= UINT32_C (1) << (server->id - 1);
}

/* What somebody does who takes an old folder for the cause of all evil. */
static bool empty_folder (struct world *self, const struct sim_fault *fault)
{
    struct sim_server *server = &self->servers[fault->a];
    if (fault->a >= self->servers_count || !atlas_allows_emptying (server)) {
        return false;
    }
    fault_servers_empty (self, server, fault->value, fault->length_ms);
    if (fault->value % 3 == 0) {
        /* And the power is cut while it makes a new one. */
        crash_disk_stop_at (server->disk, fault->b);
        server->point_cuts = true;
        server->point_down_ms = fault->length_ms;
    }
    return true;
}

bool fault_servers_begin (struct world *self, const struct sim_fault *fault)
{
    switch (fault->kind) {
    case FAULT_CLOCK_STEP:
        return step_date (self, fault);
    case FAULT_CLOCK_RATE:
        return set_rate (self, fault);
    case FAULT_DIVERGENCE:
        return go_wrong (self, fault);
    case FAULT_EMPTIED:
        return empty_folder (self, fault);
    default:
        return strike_servers (self, fault);
    }
}
