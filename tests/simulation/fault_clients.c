/* Sessions that come, go, move and are killed. */

#include <inttypes.h>

#include "tests/simulation/world.h"

bool fault_clients_begin (struct world *self, const struct sim_fault *fault)
{
    if (fault->a >= self->clients_count) {
        return false;
    }
    struct sim_client *client = &self->clients[fault->a];
    if (!client->up || client->closing || client->paused) {
        return false;
    }
    client->next_start_ms = fault->length_ms;
    switch (fault->kind) {
    case FAULT_CLIENT_KILL:
        client_kill (self, client);
        break;
    case FAULT_CLIENT_CLOSE:
        client_close (self, client);
        break;
    case FAULT_CLIENT_MOVE:
        world_tell (self, "client %u: loses its connections", fault->a);
        network_client_down (self, client, true);
        break;
    default:
        world_tell (self, "client %u: paused for %" PRId64 " ms", fault->a, fault->length_ms);
        client->paused = true;
        client->paused_until_ms = self->schedule.now_ms + fault->length_ms;
        break;
    }
    return true;
}
