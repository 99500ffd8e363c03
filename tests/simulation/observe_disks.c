/* Looks at servers with full disks, at those with disks that hang, and at those without a quorum,
 * for the invariants about them and about what their clients are told. */

#include <inttypes.h>
#include <stdio.h>

#include "client/src/wire.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

enum {
    PATIENCE_MS = 5000,
    HANGS_MS = 2000,       /* four times peer_timeout: */
    HANGS_MORE_MS = 1500,  /* what was under way may be committed besides; */
    HANGS_TIMES = 4,       /* or so many times what a quorum takes, */
    HANGS_MS_MOST = 30000, /* that at most */
    LOST_MS_MAX = 3000,    /* likewise, besides what comes late to a client */
    READS_MS_MAX = 2500    /* likewise: reads are answered for that long */
};

void check_disks_anew (struct world *world, struct sim_server *server)
{
    server->leads_full_from_ms = server->keeps_full_from_ms = server->untold_from_ms =
        server->hangs_from_ms = server->applied_ms = server->lost_from_ms = server->shown_from_ms =
            world->schedule.now_ms;
}

void check_debts_anew (struct sim_server *server)
{
    const struct zab_status *status = check_status (server);
    debts_init (&server->debts, status->last, status->committed);
}

/* For so long its disk may hang. */
static int64_t hangs_ms_max (const struct sim_server *server)
{
    int64_t ms = HANGS_TIMES * debts_took_ms (&server->debts);
    ms = ms > HANGS_MS ? ms : HANGS_MS;
    return HANGS_MORE_MS + (ms < HANGS_MS_MOST ? ms : HANGS_MS_MOST);
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

/* Whether a client waits for this server, reaches it, and does not know why. */
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
    debts_look (&server->debts, status->last, status->durable, status->committed,
                world->schedule.now_ms);
    bool hangs = server_disk_stands (server) && status->activated && !status->full &&
                 status->committed > status->durable;
    observe (world, &(struct sight){.kind = SIGHT_HANGS,
                                    .server = server->id,
                                    .hangs_ms = held_for (hangs, &server->hangs_from_ms,
                                                          world->schedule.now_ms),
                                    .hangs_ms_max = hangs_ms_max (server)});
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

/* Each client for itself: one that is told may go, and another one come. */
static void look_at_lost (struct world *world, struct sim_server *server)
{
    int64_t now_ms = world->schedule.now_ms, lost_ms = 0;
    if (check_status (server)->activated) {
        server->lost_from_ms = now_ms;
        return;
    }
    for (size_t i = 0; i < world->clients_count; i++) {
        int64_t *from_ms = &server->lost_untold_from_ms[i];
        *from_ms = *from_ms > server->lost_from_ms ? *from_ms : server->lost_from_ms;
        int64_t ms = held_for (is_untold (world, server, i), from_ms, now_ms);
        lost_ms = ms > lost_ms ? ms : lost_ms;
    }
    observe (world, &(struct sight){.kind = SIGHT_LOST,
                                    .server = server->id,
                                    .lost_ms = lost_ms,
                                    .lost_ms_max = LOST_MS_MAX + world->conditions.latency_ms_max +
                                                   world->conditions.delay_ms_max});
}

/* A read that shows a znode, or says of it that it may be read. */
static bool answers_read (const uint8_t *data, size_t size)
{
    struct wire_frame *frame = NULL;
    bool answers = false;
    if (size == 0 || wire_decode (data, size, &frame) != 0) {
        return false;
    }
    for (size_t i = 0; i < frame->item_count; i++) {
        const struct wire_item *item = &frame->items[i];
        answers |= item->kind == WIRE_ITEM_REPLY && item->u.reply->number == 0 &&
                   item->u.reply->stat != NULL;
    }
    wire_frame_release (frame);
    return answers;
}

/* What waits in a full pipe may have been answered in time; and what a write waited for may have
 * come before there was a quorum again: what is read behind it is of now. */
void check_reads_held (struct world *world, const struct sim_server *server, const uint8_t *data,
                       size_t size)
{
    int64_t lost_ms = world->schedule.now_ms - server->shown_from_ms;
    const struct zab_status *status = check_status (server);
    if (lost_ms > READS_MS_MAX && world->conditions.pipe_frames == 0 && !status->activated &&
        !status->full && tree_zxid (node_tree (server->node)) == server->shown &&
        answers_read (data, size)) {
        world_fail (world,
                    "server %u answers a read, and has been without a quorum for %" PRId64 " ms",
                    server->id, lost_ms);
    }
}

void check_disks (struct world *world, struct sim_server *server)
{
    zxid_t zxid = tree_zxid (node_tree (server->node));
    if (check_status (server)->activated || zxid != server->shown) {
        server->shown = zxid;
        server->shown_from_ms = world->schedule.now_ms;
    }
    look_at_hanging (world, server);
    look_at_full (world, server);
    look_at_lost (world, server);
}
