/* The end of some worlds: most servers have lost their folders, and nobody can know any more what
 * was acknowledged. What is left must stand still, for people to restore it from a backup; above
 * all those who are new are no ensemble, however many they are. */

#include "client/base/assert.h"
#include "client/base/prng.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/world.h"

enum {
    NOTICE_MS = 2500, /* until a leader has given up whom nobody follows any more */
    STILL_MS = 3500,  /* so that clients have to be told, too */
    STEP_MS = 50,
    AWAY_MS_MAX = 1000
};

/* A majority of the voters, but not all: those would be right to begin anew. */
static uint32_t draw_ruined (const struct world *self, struct prng *prng)
{
    size_t voters = self->options.servers, left = 1 + prng_below (prng, (voters - 1) / 2);
    uint32_t ruined = ((UINT32_C (1) << self->servers_count) - 1) & ~self->observers;
    while (world_count (ruined) > voters - left) {
        ruined &= ~(UINT32_C (1) << prng_below (prng, self->servers_count));
    }
    COHORT_ASSERT (2 * world_count (ruined) > voters);
    return ruined;
}

static void strike (struct world *self, uint32_t ruined, struct prng *prng)
{
    bool alone = prng_chance (prng, 1, 2); /* whoever has something left is not there */
    for (size_t i = 0; i < self->servers_count; i++) {
        struct sim_server *server = &self->servers[i];
        if (((ruined >> i) & 1) != 0) {
            int64_t away_ms = 1 + (int64_t) prng_below (prng, AWAY_MS_MAX);
            fault_servers_empty (self, server, prng_u64 (prng), away_ms);
        } else if (alone && server->up) {
            server->retired = true;
            server_crash (self, server, prng_chance (prng, 1, 2));
        }
    }
}

/* Everybody waits for a write, and is to be told why. */
static void ask_for_writes (struct world *self)
{
    for (size_t i = 0; i < self->clients_count; i++) {
        self->clients[i].fresh_due = true;
        self->clients[i].fresh_sent = false;
    }
}

static void check_still (struct world *self)
{
    for (size_t i = 0; i < self->servers_count; i++) {
        const struct sim_server *server = &self->servers[i];
        if (server->up && check_status (server)->activated) {
            world_fail (self, "server %u serves, and most have lost their folders", server->id);
        }
    }
}

void phase_ruin (struct world *self)
{
    struct prng prng;
    prng_seed (&prng, world_draw (self, SIM_DRAW_RUIN, 0, 0, 0));
    if (self->options.servers < 3 || self->wrong != 0 || !prng_chance (&prng, 1, 4)) {
        return;
    }
    world_tell (self, "most servers lose their folders");
    strike (self, draw_ruined (self, &prng), &prng);
    ask_for_writes (self);
    world_run (self, NOTICE_MS);
    for (int64_t ms = 0; ms < STILL_MS; ms += STEP_MS) {
        world_run (self, STEP_MS);
        check_still (self);
    }
}
