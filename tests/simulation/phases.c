/* How a run goes: first safety, while things go wrong, then liveness, when they no longer do. */

#include <inttypes.h>
#include <stdio.h>

#include "tests/simulation/world.h"

enum { TEXT_SIZE = 160, STEP_MS = 10 };

void phase_safety (struct world *self)
{
    faults_begin (self);
    world_run (self, self->options.safety_ms);
}

/* ---- Liveness -------------------------------------------------------------------------------- */

/* Why a server is not at rest; false: it is, and *zxid is what it has applied. */
static bool server_restless (const struct sim_server *server, zxid_t *zxid, char *text)
{
    struct node_status status;
    if (!server->up || server->paused) {
        (void) snprintf (text, TEXT_SIZE, "server %u does not run", server->id);
        return true;
    }
    node_status (server->node, &status);
    *zxid = status.applied;
    if (!status.zab.activated) {
        (void) snprintf (text, TEXT_SIZE, "server %u is %s", server->id,
                         zab_role_name (status.zab.role));
        return true;
    }
    return false;
}

static bool client_restless (const struct world *self, const struct sim_client *client, char *text)
{
    size_t number = (size_t) (client - self->clients);
    if (client->outstanding > 0) {
        struct session_view view;
        session_view (client->session, &view);
        (void) snprintf (text, TEXT_SIZE, "client %zu (state %d, at %s) waits for %zu answers",
                         number, (int) view.state, view.endpoint, client->outstanding);
        return true;
    }
    if (!mirror_equal (client, node_tree (self->servers[0].node))) {
        (void) snprintf (text, TEXT_SIZE, "client %zu's mirror is not the tree", number);
        return true;
    }
    return false;
}

/* Why the world is not at rest; false: it is. */
static bool restless (const struct world *self, char *text)
{
    zxid_t first = 0;
    for (size_t i = 0; i < self->servers_count; i++) {
        zxid_t zxid;
        if (server_restless (&self->servers[i], &zxid, text)) {
            return true;
        }
        if (i > 0 && zxid != first) {
            (void) snprintf (text, TEXT_SIZE,
                             "server 1 is at %#" PRIx64 ", server %zu at %#" PRIx64, first, i + 1,
                             zxid);
            return true;
        }
        first = zxid;
    }
    for (size_t i = 0; i < self->clients_count; i++) {
        if (client_restless (self, &self->clients[i], text)) {
            return true;
        }
    }
    return false;
}

void phase_liveness (struct world *self)
{
    int64_t begin_ms = self->schedule.now_ms;
    char why[TEXT_SIZE] = "";

    faults_end (self);
    while (restless (self, why)) {
        if (self->schedule.now_ms - begin_ms >= self->options.liveness_ms) {
            check_rest (self, self->schedule.now_ms - begin_ms, why);
        }
        world_run (self, STEP_MS);
    }
    check_rest (self, self->schedule.now_ms - begin_ms, NULL);
}
