/* The servers of a simulated world. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "tests/simulation/world.h"

enum {
    TURNS_ON_MAX = 10000,
    ERROR_SIZE = 512,
    RETRY_MS = 300,
    STALL_MS = 300,
    LEAVE_MS_MAX = 1500,
    STANDS_MS = 1000 /* judges have patience with what takes less */
};

static int64_t local_ms (const struct world *self, const struct sim_server *server)
{
    return clock_local_ms (&server->clock, self->schedule.now_ms);
}

static int64_t wall_ms (const struct world *self, const struct sim_server *server)
{
    return clock_wall_ms (&server->clock, self->schedule.now_ms);
}

/* It has decided to end a session; the entry may have to wait, for room on the disk. */
static void note_ending (struct sim_server *server, const char *details)
{
    struct sim_ending *ending = &server->endings[server->endings_count % SIM_ENDINGS_MAX];
    COHORT_ASSERT (sscanf (details, "session=%" SCNx64 " attach=%" SCNu64, &ending->session,
                           &ending->attach_no) == 2);
    server->endings_count++;
}

static void log_line (void *arg, enum log_level level, const char *event, const char *details)
{
    struct sim_server *server = arg;
    (void) level;
    if (strcmp (event, "session-expired") == 0) {
        note_ending (server, details);
    }
    world_tell (server->world, "server %u: %s %s", server->id, event, details);
}

/* ---- Life and death -------------------------------------------------------------------------- */

void server_start_after (struct world *self, struct sim_server *server, int64_t ms)
{
    schedule_add (&self->schedule, (struct sim_event){.at_ms = self->schedule.now_ms + ms,
                                                      .type = SIM_SERVER_START,
                                                      .a = server->id - 1,
                                                      .b = server->incarnation});
}

/* What is left of a process: its node and store go, and what was open. */
static void bury (struct world *self, struct sim_server *server, bool power_cut)
{
    bool ran = server->up;
    server->up = server->leaving = server->memory_rots = false;
    server->apart_until_ms = 0;
    if (server->node != NULL) {
        node_destroy (&server->node);
    }
    if (server->store != NULL) {
        check_stopped (self, server);
        atlas_closing (server);
        store_close (&server->store);
    }
    server_resume (self, server);
    if (ran) {
        record_forgot (self, server->id);
        network_server_down (self, server);
    }
    if (crash_disk_failed (server->disk)) {
        crash_disk_fail_at (server->disk, 0, 0); /* the process that has met it is no more */
    }
    if (power_cut) {
        crash_disk_power_cut (server->disk);
    } else if (crash_disk_stopped (server->disk)) {
        crash_disk_resume (server->disk);
    }
    fault_rot_dead (self, server);
}

void server_crash (struct world *self, struct sim_server *server, bool power_cut)
{
    COHORT_ASSERT (server->up);
    world_tell (self, "server %u: %s", server->id, power_cut ? "power cut" : "killed");
    bury (self, server, power_cut);
}

void server_leave (struct world *self, struct sim_server *server, int64_t ms)
{
    if (server->leaving || !server_begin (self, server)) {
        return;
    }
    world_tell (self, "server %u: is told to end", server->id);
    server->leaving = true;
    server->leaving_from_ms = self->schedule.now_ms;
    server->leave_ms = ms;
    node_leave (server->node);
    server_end (self, server);
}

/* Whether the process that was told to end has ended, which it has to do in time. */
static bool has_left (struct world *self, struct sim_server *server)
{
    if (!server->leaving) {
        return false;
    }
    if (node_left (server->node)) {
        world_tell (self, "server %u: ends, as it was told", server->id);
        bury (self, server, false);
        server_start_after (self, server, server->leave_ms);
        return true;
    }
    if (self->schedule.now_ms - server->leaving_from_ms > LEAVE_MS_MAX) {
        world_fail (self, "server %u was told to end, and has not for %d ms", server->id,
                    LEAVE_MS_MAX);
    }
    return false;
}

/* Two at once: what one was about to get from the other is left half done, and nobody else may know
 * of it. */
static void take_leader (struct world *self, const struct sim_server *with)
{
    struct sim_server *leader = NULL;
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        const struct zab_status *status = check_status (server);
        if (server != with && server->up && !server->paused && status->role == ZAB_LEADING &&
            (leader == NULL || status->accepted_epoch > check_status (leader)->accepted_epoch)) {
            leader = server;
        }
    }
    if (leader != NULL) {
        server_crash (self, leader, with->point_cuts);
        server_start_after (self, leader, with->point_down_ms);
    }
}

/* Whether the crash point that waited on the disk has been reached: then the process is no more. */
static bool at_crash_point (struct world *self, struct sim_server *server)
{
    if (!crash_disk_stopped (server->disk)) {
        return false;
    }
    world_tell (self, "server %u: %s at its crash point%s", server->id,
                server->point_cuts ? "power cut" : "killed", server->up ? "" : ", while starting");
    bury (self, server, server->point_cuts);
    server_start_after (self, server, server->point_down_ms);
    if (server->point_takes_leader && !self->plan.over) {
        take_leader (self, server);
    }
    if (server->point_relapse != 0 && !self->plan.over) {
        crash_disk_stop_at (server->disk, server->point_relapse);
        server->point_cuts = true;
        server->point_relapse = 0;
    }
    return true;
}

/* Whether this end of the process is what a fault of its disk leads to: of this turn, or of the one
 * before, for what was read while frames were made up is looked at in the next. */
static bool is_excused (struct sim_server *server, int rc)
{
    bool was_wrong = ((server->world->wrong >> (server->id - 1)) & 1) != 0;
    if (rc == COHORT_ECORRUPT && was_wrong && server->store != NULL &&
        store_meta (server->store)->condemned) {
        return true; /* all that it had made what is wrong */
    }
    return crash_disk_failures (server->disk) > server->failures ||
           (rc == COHORT_EDISKFULL && server->full) ||
           (rc == COHORT_ECORRUPT && server->memory_rots) ||
           (rc == COHORT_ECORRUPT && atlas_excuses (server));
}

/* The process ends by itself, with an error; who runs it starts it again. */
static void give_up (struct world *self, struct sim_server *server, int rc, const char *text)
{
    if (at_crash_point (self, server)) {
        return;
    }
    if (!is_excused (server, rc)) {
        world_fail (self, "server %u gives up: %s", server->id, text);
    }
    world_tell (self, "server %u: ends: %s", server->id, text);
    bury (self, server, false);
    server_start_after (self, server, RETRY_MS);
}

static int open_store (struct world *self, struct sim_server *server, char *error)
{
    struct store_options options = {
        .disk = crash_disk_open (server->disk),
        .server_id = server->id,
        .store_id = world_draw (self, SIM_DRAW_STORE, server->id, server->incarnation, 0) | 1,
        .segment_bytes = self->conditions.segment_bytes,
        .cache_bytes = self->conditions.cache_bytes,
        .repair = self->servers_count > 1,
    };
    atlas_opening (server);
    int rc = store_open (&options, &server->store, error, ERROR_SIZE);
    crash_disk_spare (server->disk, false);
    if (rc != 0) {
        atlas_not_opened (server);
        return rc;
    }
    atlas_opened (server);
    server->unseen = crash_disk_stopped (server->disk);
    if (server->unseen) {
        return COHORT_ESYSTEM; /* killed behind the last operation: it reads nothing any more */
    }
    check_started (self, server);
    return 0;
}

static int start_node (struct world *self, struct sim_server *server, char *error)
{
    struct node_member members[SIM_SERVERS_MAX];
    uint64_t cluster[2] = {self->options.seed, server->id};

    memset (members, 0, sizeof members);
    for (size_t i = 0; i < self->servers_count; i++) {
        members[i].id = (uint32_t) i + 1;
        members[i].role = world_observes (self, i) ? CONFIG_OBSERVER : CONFIG_VOTER;
    }
    struct node_options options = {
        .id = server->id,
        .members = members,
        .members_count = self->servers_count,
        .store = server->store,
        .transport = network_transport (self, server),
        .logger = {log_line, server, LOG_INFO},
        .seed = world_draw (self, SIM_DRAW_NODE, server->id, server->incarnation, 0),
        .snapshot_bytes = self->conditions.snapshot_bytes,
        .effects_bytes = self->conditions.effects_bytes,
        .walk_nodes = self->conditions.walk_nodes,
        .snapshot_slice = self->conditions.snapshot_slice,
        .sync_chunk_bytes = self->conditions.sync_chunk_bytes,
        .counter_max = self->conditions.counter_max,
        .walk_window = self->conditions.walk_window,
        .frame_bytes = self->conditions.frame_bytes,
        .turn_work = self->conditions.turn_work,
        .writes_under_way = self->conditions.writes_under_way,
        .watches_max = self->conditions.watches_max,
        .pending_bytes_max = self->conditions.pending_bytes_max,
        .queue_bytes_max = self->conditions.queue_bytes_max,
        .output_bytes_max = self->conditions.output_bytes_max,
        .output_low = self->conditions.output_low,
        .link_window = self->conditions.link_window,
        .limits = {.data_size_max = SIM_DATA_SIZE_MAX, .window = self->conditions.window},
        .admins = world_admins (self),
        .replace_admins = world_replaces_admins (self),
        .observer = check_observer (server),
    };
    memcpy (options.cluster_id, cluster, sizeof options.cluster_id);
    server->node = node_new (&options, error, ERROR_SIZE);
    if (server->node == NULL) {
        return COHORT_ENOMEM;
    }
    return node_start (server->node, local_ms (self, server), wall_ms (self, server), error,
                       ERROR_SIZE);
}

void server_start (struct world *self, struct sim_server *server)
{
    char error[ERROR_SIZE] = "";

    COHORT_ASSERT (!server->up);
    crash_disk_set_time (server->disk, self->schedule.now_ms);
    server->incarnation++;
    server->failures = server->failures_next = crash_disk_failures (server->disk);
    server->disk_busy = server->disk_idle = false;
    server->timer_ms = 0;
    server->turns_on = 0;
    server->stall_round = 0;
    int rc = open_store (self, server, error);
    rc = rc == 0 ? start_node (self, server, error) : rc;
    if (rc != 0 || crash_disk_stopped (server->disk)) {
        give_up (self, server, rc, error);
        return;
    }
    server->up = true;
    check_disks_anew (self, server);
    check_debts_anew (server);
    check_snapshots_anew (server);
    world_tell (self, "server %u: started", server->id);
    if (phase_reaches (self, server->id - 1)) {
        record_heard (self, server->id);
    }
    if (server_begin (self, server)) {
        server_end (self, server);
    }
}

/* A leader that was stopped for so long knows that it was, unless its clock had stopped, too. What
 * it hears first may be as old as that. */
static void resume_leader (struct world *self, struct sim_server *server)
{
    struct node_status status;
    int64_t now_ms = self->schedule.now_ms;
    node_status (server->node, &status);
    server->heard_from_ms = now_ms;
    check_disks_anew (self, server);
    check_snapshots_resumed (server);
    if (status.zab.role == ZAB_LEADING && status.zab.activated &&
        now_ms - server->paused_from_ms >= STALL_MS) {
        record_stall (self, status.zab.current_epoch, server->paused_from_ms);
        server->stall_round = server->clock.stopped ? 0 : status.zab.round_begun;
        server->endings_stall = server->endings_count;
    }
}

void server_resume (struct world *self, struct sim_server *server)
{
    if (server->paused && server->up) {
        resume_leader (self, server);
    }
    server->leaving_from_ms += server->paused ? self->schedule.now_ms - server->paused_from_ms : 0;
    server->paused = false;
    if (server->clock.stopped) {
        /* The date is kept by a clock that does not sleep. */
        clock_stop (&server->clock, self->schedule.now_ms, false);
        clock_step_wall (&server->clock, self->schedule.now_ms - server->paused_from_ms);
    }
    if (server_begin (self, server)) {
        server_end (self, server); /* what it had read before it stopped */
    }
}

struct sim_server *server_leader (struct world *self)
{
    struct sim_server *leader = NULL;
    uint32_t epoch = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        struct node_status status;
        if (!self->servers[i].up) {
            continue;
        }
        node_status (self->servers[i].node, &status);
        if (status.zab.role == ZAB_LEADING && status.zab.activated &&
            status.zab.current_epoch > epoch) {
            leader = &self->servers[i];
            epoch = status.zab.current_epoch;
        }
    }
    return leader;
}

bool server_disk_stands (const struct sim_server *server)
{
    return server->slow_until_ms > server->world->schedule.now_ms && server->slow_ms > STANDS_MS;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

bool server_begin (struct world *self, struct sim_server *server)
{
    if (!server->up || server->paused) {
        return false;
    }
    crash_disk_set_time (server->disk, self->schedule.now_ms);
    node_time (server->node, local_ms (self, server), wall_ms (self, server));
    return true;
}

/* After each turn the disk gets its turn, too; when it finds nothing to do it rests until the next
 * one, or until the time that it names itself. */
static void schedule_disk (struct world *self, struct sim_server *server)
{
    int due = server->disk_idle ? store_work_due (server->store) : 0;
    uint64_t dice;
    server->disk_idle = false;
    if (server->disk_busy || due < 0) {
        return;
    }
    server->disk_busy = true;
    uint64_t nth = server->disk_turns++;
    int64_t takes = (int64_t) (world_draw (self, SIM_DRAW_TURN, server->id, nth, 0) %
                               (uint64_t) (self->conditions.disk_ms_max + 1));
    if (plan_strikes (self, FAULT_SLOW_DISK, server->id - 1, 0, nth, &dice)) {
        takes += (int64_t) (dice % (uint64_t) self->conditions.slow_ms_max);
        server->slow_until_ms = self->schedule.now_ms + due + takes;
        server->slow_ms = takes;
    }
    schedule_add (&self->schedule, (struct sim_event){.at_ms = self->schedule.now_ms + due + takes,
                                                      .type = SIM_SERVER_DISK,
                                                      .a = server->id - 1,
                                                      .b = server->incarnation});
}

static void schedule_timer (struct world *self, struct sim_server *server, bool now)
{
    int64_t due = now ? INT64_MIN : node_deadline (server->node);
    due = now                ? self->schedule.now_ms
          : due != INT64_MAX ? clock_when_ms (&server->clock, due)
                             : INT64_MAX;
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
    if (!server->turn_due) {
        COHORT_ASSERT (self->due_count < SIM_SERVERS_MAX);
        server->turn_due = true;
        self->due[self->due_count++] = server;
    }
}

bool servers_can_tell (const struct world *self)
{
    size_t witnesses = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct sim_server *server = &self->servers[i];
        witnesses += server->up && !world_observes (self, i) && !store_meta (server->store)->heir &&
                     !server_is_wrong (server);
    }
    return witnesses > self->options.servers / 2;
}

/* Whether all servers run and follow one leader, and can tell who is wrong. */
static bool is_calm (const struct world *self)
{
    uint32_t leader = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct sim_server *server = &self->servers[i];
        struct node_status status;
        if (!server->up || server->paused) {
            return false;
        }
        node_status (server->node, &status);
        if (!status.zab.activated || (leader != 0 && leader != status.zab.leader)) {
            return false;
        }
        leader = status.zab.leader;
    }
    return servers_can_tell (self);
}

/* Since when servers could have compared their states undisturbed. */
static void note_calm (struct world *self)
{
    if (self->wrong != 0 && !is_calm (self)) {
        self->calm_ms = self->schedule.now_ms;
    }
}

static void turn (struct world *self, struct sim_server *server)
{
    const char *text = "";
    size_t flushes = 0;
    bool more = true;

    while (more && flushes++ < self->conditions.flushes) {
        struct sim_flush flush = check_flush_begins (server);
        more = node_flush (server->node);
        check_flush_ends (self, server, &flush);
    }
    /* It goes on when it has looked at its sockets. */
    server->turns_on = more ? server->turns_on + 1 : 0;
    if (server->turns_on == TURNS_ON_MAX) {
        world_fail (self, "server %u never comes to rest", server->id);
    }
    if (at_crash_point (self, server)) {
        return;
    }
    int rc = node_failure (server->node, &text);
    if (rc != 0) {
        record_last (self, server);
        give_up (self, server, rc, text);
        return;
    }
    if (crash_disk_failed (server->disk)) {
        world_fail (self, "server %u goes on, and an operation of its disk has failed", server->id);
    }
    /* What did no harm excuses nothing later. */
    server->failures = server->failures_next;
    server->failures_next = crash_disk_failures (server->disk);
    note_calm (self);
    wrongs_note (self, server);
    wrongs_look (self);
    server->founded |= store_meta (server->store)->bootstrapped;
    check_server (self, server);
    if (has_left (self, server) || fault_rot_look (self, server) ||
        fault_manifest_look (self, server)) {
        return;
    }
    schedule_disk (self, server);
    schedule_timer (self, server, more);
}

void servers_turn (struct world *self)
{
    for (size_t i = 0; i < self->due_count; i++) {
        struct sim_server *server = self->due[i];
        server->turn_due = false;
        if (server->up && !server->paused) {
            turn (self, server);
        }
    }
    self->due_count = 0;
}

static void start_event (struct world *self, struct sim_event *event, struct sim_server *server)
{
    if (!server->up && !server->retired && event->b == server->incarnation) {
        server_start (self, server);
    }
}

void server_event (struct world *self, struct sim_event *event)
{
    struct sim_server *server = &self->servers[event->a];

    if (event->type == SIM_SERVER_START) {
        start_event (self, event, server);
        return;
    }
    if (!server->up || server->incarnation != event->b) {
        return;
    }
    if (event->type == SIM_SERVER_DISK) {
        server->disk_busy = false;
        crash_disk_set_time (server->disk, self->schedule.now_ms);
        server->disk_idle = !store_work (server->store);
        if (at_crash_point (self, server)) {
            return; /* nobody hears of what became durable just before */
        }
    } else if (server->timer_ms == event->at_ms) {
        server->timer_ms = 0;
    }
    if (server_begin (self, server)) {
        server_end (self, server);
    }
}
