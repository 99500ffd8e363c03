/* The servers of a simulated world. */

#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/simulation/world.h"

enum { FLUSHES_MAX = 10000, ERROR_SIZE = 512 };

static int64_t local_ms (const struct world *self, const struct sim_server *server)
{
    return clock_local_ms (&server->clock, self->schedule.now_ms);
}

static int64_t wall_ms (const struct world *self, const struct sim_server *server)
{
    return clock_wall_ms (&server->clock, self->schedule.now_ms);
}

static void log_line (void *arg, enum log_level level, const char *event, const char *details)
{
    struct sim_server *server = arg;
    (void) level;
    world_tell (server->world, "server %u: %s %s", server->id, event, details);
}

static void open_store (struct world *self, struct sim_server *server)
{
    char error[ERROR_SIZE] = "";
    struct store_options options = {
        .disk = crash_disk_open (server->disk),
        .server_id = server->id,
        .store_id = world_draw (self, SIM_DRAW_STORE, server->id, server->incarnation) | 1,
        .segment_bytes = UINT64_C (1) << 18,
    };
    if (store_open (&options, &server->store, error, sizeof error) != 0) {
        world_fail (self, "server %u cannot open its store: %s", server->id, error);
    }
    check_started (self, server);
}

void server_start (struct world *self, struct sim_server *server)
{
    char error[ERROR_SIZE] = "";
    struct node_member members[SIM_SERVERS_MAX];
    uint64_t cluster[2] = {self->options.seed, server->id};

    COHORT_ASSERT (!server->up);
    memset (members, 0, sizeof members);
    for (size_t i = 0; i < self->servers_count; i++) {
        members[i].id = (uint32_t) i + 1;
        members[i].role = CONFIG_VOTER;
    }
    open_store (self, server);
    struct node_options options = {
        .id = server->id,
        .members = members,
        .members_count = self->servers_count,
        .store = server->store,
        .transport = network_transport (self, server),
        .logger = {log_line, server, LOG_INFO},
        .seed = world_draw (self, SIM_DRAW_NODE, server->id, server->incarnation),
        .snapshot_bytes = UINT64_C (1) << 18,
        .effects_bytes = UINT64_C (1) << 20,
        .observer = check_observer (server),
    };
    memcpy (options.cluster_id, cluster, sizeof options.cluster_id);
    server->node = node_new (&options, error, sizeof error);
    if (!server->node || node_start (server->node, local_ms (self, server), wall_ms (self, server),
                                     error, sizeof error) != 0) {
        world_fail (self, "server %u does not start: %s", server->id, error);
    }
    server->up = true;
    server->incarnation++;
    server->disk_busy = false;
    server->timer_ms = 0;
    server->paused = false;
    world_tell (self, "server %u: started", server->id);
    if (server_begin (self, server)) {
        server_end (self, server);
    }
}

void server_crash (struct world *self, struct sim_server *server, bool power_cut)
{
    COHORT_ASSERT (server->up);
    world_tell (self, "server %u: %s", server->id, power_cut ? "power cut" : "killed");
    server->up = false;
    network_server_down (self, server);
    node_destroy (&server->node);
    check_stopped (self, server);
    store_close (&server->store);
    if (power_cut) {
        crash_disk_power_cut (server->disk);
    }
}

bool server_begin (struct world *self, struct sim_server *server)
{
    if (!server->up || server->paused) {
        return false;
    }
    node_time (server->node, local_ms (self, server), wall_ms (self, server));
    return true;
}

/* After each turn the disk gets its turn, too; when it finds nothing to do it rests until the next
 * one, or until the time that it names itself. */
static void schedule_disk (struct world *self, struct sim_server *server)
{
    int due = server->disk_idle ? store_work_due (server->store) : 0;
    server->disk_idle = false;
    if (server->disk_busy || due < 0) {
        return;
    }
    server->disk_busy = true;
    int64_t takes = (int64_t) prng_below (&self->prng, (uint64_t) self->rates.disk_ms_max + 1);
    schedule_add (&self->schedule, (struct sim_event){.at_ms = self->schedule.now_ms + due + takes,
                                                      .type = SIM_SERVER_DISK,
                                                      .a = server->id - 1,
                                                      .b = server->incarnation});
}

static void schedule_timer (struct world *self, struct sim_server *server)
{
    int64_t due = node_deadline (server->node);
    due = due != INT64_MAX ? clock_when_ms (&server->clock, due) : INT64_MAX;
    if (due == INT64_MAX || (server->timer_ms > self->schedule.now_ms && server->timer_ms <= due)) {
        return;
    }
    /* A deadline in the past that a flush did not clear is looked at again a moment later, so that
     * time moves on. */
    due = due <= self->schedule.now_ms ? self->schedule.now_ms + 1 : due;
    server->timer_ms = due;
    schedule_add (&self->schedule, (struct sim_event){.at_ms = due,
                                                      .type = SIM_SERVER_TIMER,
                                                      .a = server->id - 1,
                                                      .b = server->incarnation});
}

void server_end (struct world *self, struct sim_server *server)
{
    const char *text = "";
    size_t flushes = 0;

    while (node_flush (server->node)) {
        if (++flushes == FLUSHES_MAX) {
            world_fail (self, "server %u never comes to rest", server->id);
        }
    }
    if (node_failure (server->node, &text) != 0) {
        world_fail (self, "server %u gives up: %s", server->id, text);
    }
    check_server (self, server);
    schedule_disk (self, server);
    schedule_timer (self, server);
}

void server_event (struct world *self, struct sim_event *event)
{
    struct sim_server *server = &self->servers[event->a];

    if (event->type == SIM_SERVER_START) {
        if (!server->up) {
            server_start (self, server);
        }
        return;
    }
    if (!server->up || server->incarnation != event->b) {
        return;
    }
    if (event->type == SIM_SERVER_DISK) {
        server->disk_busy = false;
        server->disk_idle = !store_work (server->store);
    } else if (server->timer_ms == event->at_ms) {
        server->timer_ms = 0;
    }
    if (server_begin (self, server)) {
        server_end (self, server);
    }
}
