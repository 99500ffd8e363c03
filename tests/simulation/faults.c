/* What goes wrong in a simulated world, and when it stops to. */

#include "tests/simulation/world.h"

static uint32_t rate (struct world *self, uint32_t max)
{
    /* As often as not a kind of fault does not happen at all: so the others are seen alone. */
    return prng_chance (&self->prng, 1, 2) ? 0 : (uint32_t) prng_below (&self->prng, max);
}

void faults_draw (struct world *self)
{
    struct sim_rates *rates = &self->rates;
    rates->lose = rate (self, 20000);
    rates->duplicate = rate (self, 20000);
    rates->delay = rate (self, 50000);
    rates->latency_ms_max = 1 + (int64_t) prng_below (&self->prng, 10);
    rates->delay_ms_max = 1 + (int64_t) prng_below (&self->prng, 300);
    rates->disk_ms_max = 1 + (int64_t) prng_below (&self->prng, 20);
    rates->notice_ms_max = 1 + (int64_t) prng_below (&self->prng, 200);
    rates->notice_lost = rate (self, 300000);
    rates->fault_ms = 200 + (int64_t) prng_below (&self->prng, 4000);
}

static void schedule_fault (struct world *self)
{
    int64_t in_ms = (int64_t) prng_below (&self->prng, (uint64_t) self->rates.fault_ms * 2);
    schedule_add (&self->schedule, (struct sim_event){.at_ms = self->schedule.now_ms + 1 + in_ms,
                                                      .type = SIM_FAULT});
}

void faults_begin (struct world *self)
{
    self->faults = true;
    schedule_fault (self);
}

/* ---- Kinds ----------------------------------------------------------------------------------- */

static struct sim_server *some_server (struct world *self)
{
    return &self->servers[prng_below (&self->prng, self->servers_count)];
}

static int64_t some_while (struct world *self, int64_t max_ms)
{
    return self->schedule.now_ms + 1 + (int64_t) prng_below (&self->prng, (uint64_t) max_ms);
}

static void crash (struct world *self)
{
    struct sim_server *server = some_server (self);
    if (server->up) {
        self->crashes++;
        server_crash (self, server, prng_chance (&self->prng, 1, 2));
        schedule_add (&self->schedule, (struct sim_event){.at_ms = some_while (self, 3000),
                                                          .type = SIM_SERVER_START,
                                                          .a = server->id - 1});
    }
}

static void pause (struct world *self)
{
    struct sim_server *server = some_server (self);
    if (server->up && !server->paused) {
        self->pauses++;
        server->paused = true;
        server->paused_until_ms = some_while (self, 2500);
        world_tell (self, "server %u: paused", server->id);
    }
}

/* A partition is a set of directed pairs; `number` is the mask of the servers of one side, and
 * above it whether it blocks one way only, and whether clients are on that side. */
enum { ONE_WAY = 1 << 16, WITH_CLIENTS = 1 << 17 };

static void apply_partition (struct world *self, uint64_t mask, int change)
{
    size_t sides = SIM_SERVERS_MAX + 1;
    for (size_t i = 0; i < sides; i++) {
        for (size_t j = 0; j < sides; j++) {
            bool i_inside = i < SIM_SERVERS_MAX ? (mask >> i) & 1 : (mask & WITH_CLIENTS) != 0;
            bool j_inside = j < SIM_SERVERS_MAX ? (mask >> j) & 1 : (mask & WITH_CLIENTS) != 0;
            if ((i_inside && !j_inside) || (j_inside && !i_inside && !(mask & ONE_WAY))) {
                self->blocked[i][j] = (uint32_t) ((int) self->blocked[i][j] + change);
            }
        }
    }
}

static void partition (struct world *self)
{
    uint64_t mask = prng_below (&self->prng, UINT64_C (1) << self->servers_count);
    if (prng_chance (&self->prng, 1, 3)) {
        mask |= ONE_WAY;
    }
    if (prng_chance (&self->prng, 1, 2)) {
        mask |= WITH_CLIENTS;
    }
    self->partitions++;
    world_tell (self, "partition %#llx", (unsigned long long) mask);
    apply_partition (self, mask, 1);
    schedule_add (
        &self->schedule,
        (struct sim_event){.at_ms = some_while (self, 4000), .type = SIM_HEAL, .number = mask});
}

static void kill_client (struct world *self)
{
    struct sim_client *client = &self->clients[prng_below (&self->prng, self->clients_count)];
    if (client->up) {
        client_kill (self, client);
        client_start (self, client);
    }
}

void faults_event (struct world *self, struct sim_event *event)
{
    if (event->type == SIM_HEAL) {
        world_tell (self, "healed %#llx", (unsigned long long) event->number);
        apply_partition (self, event->number, -1);
        return;
    }
    if (!self->faults) {
        return;
    }
    uint64_t dice = prng_below (&self->prng, 10);
    if (dice < 4) {
        crash (self);
    } else if (dice < 7) {
        partition (self);
    } else if (dice < 9) {
        pause (self);
    } else {
        kill_client (self);
    }
    schedule_fault (self);
}

void faults_end (struct world *self)
{
    self->faults = false;
    self->rates.notice_lost = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        if (!server->up) {
            schedule_add (&self->schedule, (struct sim_event){.at_ms = self->schedule.now_ms + 1,
                                                              .type = SIM_SERVER_START,
                                                              .a = server->id - 1});
        }
    }
}
