/* Looks at servers with full disks, and at those with disks that hang, for the invariants about
 * them. */

#include <stdio.h>

#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

enum {
    PATIENCE_MS = 5000,
    HANGS_MS_MAX = 3500 /* four times peer_timeout, and what was under way may be committed */
};

void check_disks_anew (struct world *world, struct sim_server *server)
{
    server->leads_full_from_ms = server->keeps_full_from_ms = server->untold_from_ms =
        server->hangs_from_ms = server->applied_ms = world->schedule.now_ms;
}

/* Whether this one follows the leader, has all of its log, and room for more. */
static bool could_lead (const struct sim_server *server, uint32_t leader,
                        const struct zab_status *led)
{
    struct node_status status;
    if (!server->up || server->paused || server->id == leader) {
        return false;
    }
    node_status (server->node, &status);
    return status.zab.role == ZAB_FOLLOWING && status.zab.leader == leader &&
           status.zab.activated && !status.zab.full && status.zab.trust == ZAB_WHOLE &&
           status.state == NODE_STATE_SOUND && status.zab.durable == led->last;
}

static bool leads_in_vain (const struct world *world, const struct sim_server *server,
                           const struct zab_status *status)
{
    bool any = false;
    if (status->role != ZAB_LEADING || !status->activated || !status->full) {
        return false;
    }
    for (size_t i = 0; i < world->servers_count; i++) {
        any |= could_lead (&world->servers[i], server->id, status) &&
               world->blocked[i][server->id - 1] == 0 && world->blocked[server->id - 1][i] == 0;
    }
    return any;
}

/* Whether a client waits for this server, reaches it, and knows nothing of the disk. */
static bool is_untold (const struct world *world, const struct sim_server *server, size_t i)
{
    const struct sim_client *client = &world->clients[i];
    size_t node = world_node_of_client (i);
    struct session_view view;
    unsigned attached = 0;
    if (!client->up || client->paused || client->closing || client->outstanding == 0 ||
        world->blocked[node][server->id - 1] != 0 || world->blocked[server->id - 1][node] != 0) {
        return false;
    }
    session_view (client->session, &view);
    return view.state == COHORT_CONNECTED && sscanf (view.endpoint, "tcp://s%u", &attached) == 1 &&
           attached == server->id && !view.held;
}

static int64_t held_for (bool holds, int64_t *from_ms, int64_t now_ms)
{
    *from_ms = holds ? *from_ms : now_ms;
    return now_ms - *from_ms;
}

static void look_at_hanging (struct world *world, struct sim_server *server)
{
    const struct zab_status *status = check_status (server);
    bool hangs = server_disk_stands (server) && status->activated && !status->full &&
                 status->committed > status->durable;
    observe (world, &(struct sight){.kind = SIGHT_HANGS,
                                    .server = server->id,
                                    .hangs_ms = held_for (hangs, &server->hangs_from_ms,
                                                          world->schedule.now_ms),
                                    .hangs_ms_max = HANGS_MS_MAX});
}

static void look_at_full (struct world *world, struct sim_server *server)
{
    const struct zab_status *status = check_status (server);
    int64_t now_ms = world->schedule.now_ms;
    bool untold = false;
    /* The store finds it when its disk is through with what it does. */
    bool has_room = !server->full && !server_disk_stands (server);
    if (!status->full) {
        server->leads_full_from_ms = server->keeps_full_from_ms = server->untold_from_ms = now_ms;
        return;
    }
    for (size_t i = 0; i < world->clients_count; i++) {
        untold |= is_untold (world, server, i);
    }
    observe (world, &(struct sight){
                        .kind = SIGHT_SPACE,
                        .server = server->id,
                        .leads_full_ms = held_for (leads_in_vain (world, server, status),
                                                   &server->leads_full_from_ms, now_ms),
                        .keeps_full_ms = held_for (has_room, &server->keeps_full_from_ms, now_ms),
                        .untold_ms = held_for (untold, &server->untold_from_ms, now_ms),
                        .space_ms_max = PATIENCE_MS,
                    });
}

void check_disks (struct world *world, struct sim_server *server)
{
    look_at_hanging (world, server);
    look_at_full (world, server);
}
