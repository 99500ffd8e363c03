/* Sessions that come, go, move and are killed. */

#include <inttypes.h>

#include "tests/simulation/world.h"

enum {
    LAST_MOMENT_MS = 120,
    TAKE_GUESSES = 8 /* a value of SESSION_TAKE; below it there are bits */
};

/* Client a, or mostly the administrator, for the end of what client b has, which may be its own. */
static bool kill_session (struct world *self, const struct sim_fault *fault)
{
    struct session_view view;
    size_t killer = fault->value % 4 != 0 ? self->admin : fault->a;
    struct sim_client *client = &self->clients[killer], *victim = &self->clients[fault->b];
    if (!victim->up || !client->up || client->closing || client->paused || client->adopting ||
        client->lost) {
        return false;
    }
    session_view (victim->session, &view);
    if (view.id == 0) {
        return false;
    }
    world_tell (self, "client %zu: kills session %" PRIx64 ", of client %u", killer, view.id,
                fault->b);
    workload_kill (self, client, view.id);
    client_drive (self, client);
    return true;
}

/* Takes come of themselves at any time, or (value, bit 1) when the session is about to end because
 * its process has: the end is proposed, and the next process is on its way. Who guesses the
 * password comes at any time. */
static int64_t take_ms (const struct world *self, const struct sim_fault *fault)
{
    const struct sim_client *owner = &self->clients[fault->b];
    int64_t last_ms =
        (int64_t) owner->grace_ms - LAST_MOMENT_MS + fault->length_ms % (2 * LAST_MOMENT_MS);
    return (fault->value & 2) != 0 && last_ms > 0 ? last_ms : fault->length_ms;
}

/* Likewise who stands still for as long as its session bears it. */
static int64_t pause_ms (const struct sim_client *client, const struct sim_fault *fault)
{
    int64_t last_ms =
        (int64_t) client->timeout_ms - LAST_MOMENT_MS + fault->length_ms % (2 * LAST_MOMENT_MS);
    return fault->value != 0 ? last_ms : fault->length_ms;
}

/* From a copy of its file one more process goes on with it, as it thinks: only one of the two can.
 */
static bool take_session (struct world *self, struct sim_client *client,
                          const struct sim_fault *fault)
{
    struct sim_client *owner = &self->clients[fault->b];
    struct sim_client *third = &self->clients[(fault->a + 1) % self->clients_count];
    bool closes = (fault->value & 1) != 0, copied = (fault->value & 4) != 0 && !closes;
    bool guesses = fault->value >= TAKE_GUESSES;
    if (guesses) {
        return client_take (self, client, owner, (struct sim_take){.guesses = true});
    }
    if (!client_take (self, client, owner, (struct sim_take){closes, copied, false})) {
        return false;
    }
    if (copied && third != owner && third != client && third->up && !third->closing &&
        !third->paused) {
        third->next_start_ms = client->next_start_ms + 1 + (int64_t) (fault->length_ms % 50);
        (void) client_take (self, third, owner, (struct sim_take){.closes = false});
    }
    return true;
}

bool fault_clients_begin (struct world *self, const struct sim_fault *fault)
{
    if (fault->a >= self->clients_count || fault->b >= self->clients_count) {
        return false;
    }
    struct sim_client *client = &self->clients[fault->a];
    if (!client->up || client->closing || client->paused) {
        return false;
    }
    client->next_start_ms = fault->length_ms;
    switch (fault->kind) {
    case FAULT_CLIENT_KILL:
        if (fault->value != 0) {
            world_tell (self, "client %u: vanishes", fault->a);
            network_client_vanishes (client);
        }
        client_kill (self, client);
        break;
    case FAULT_CLIENT_CLOSE:
        client_close (self, client);
        break;
    case FAULT_CLIENT_MOVE:
        world_tell (self, "client %u: loses its connections", fault->a);
        network_client_down (self, client, true);
        break;
    case FAULT_SESSION_KILL:
        return kill_session (self, fault);
    case FAULT_SESSION_TAKE:
        client->next_start_ms = take_ms (self, fault);
        return take_session (self, client, fault);
    default:
        world_tell (self, "client %u: paused for %" PRId64 " ms", fault->a,
                    pause_ms (client, fault));
        client->paused = true;
        client->paused_until_ms = self->schedule.now_ms + pause_ms (client, fault);
        break;
    }
    return true;
}
