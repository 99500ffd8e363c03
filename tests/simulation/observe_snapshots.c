/* Looks at how far the logs of servers grow until a snapshot shortens them. */

#include <inttypes.h>
#include <stdio.h>

#include "server/node/checkpoint.h"
#include "server/store/format.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

enum {
    OVERDUE_MS = 3000
}; /* until it is written, in slices, by a disk that does other things, too */

static uint64_t larger (uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* So long may the log become until a snapshot is due; of a server that has nothing to do. */
static uint64_t due_bytes (const struct sim_server *server, bool idle)
{
    struct store_snapshot_info newest = {.size = 0};
    uint64_t least = server->world->conditions.snapshot_bytes;
    (void) store_snapshot_newest (server->store, &newest);
    if (idle) {
        least = least < CHECKPOINT_CALM_BYTES ? least : CHECKPOINT_CALM_BYTES;
        return larger (least, newest.size / CHECKPOINT_CALM_PART);
    }
    return larger (least, newest.size);
}

/* The newest snapshot's zxid; 0: there is none. */
static zxid_t newest (const struct sim_server *server)
{
    struct store_snapshot_info info;
    return store_snapshot_newest (server->store, &info) ? info.point.zxid : 0;
}

/* Whether something that just this server cannot help keeps it from writing one: its disk; or its
 * state, of which nobody may make another; or that there is one of all that it has applied. */
static bool is_kept_from_it (const struct sim_server *server)
{
    struct node_status status;
    node_status (server->node, &status);
    return server->full || status.zab.full || status.state != NODE_STATE_SOUND ||
           !status.zab.activated || server->slow_until_ms > server->world->schedule.now_ms ||
           newest (server) == status.applied;
}

/* Whether there are as many as a manifest names: while a learner takes the oldest of them none of
 * those behind it goes, and another one finds no place. */
static bool has_no_place (const struct sim_server *server)
{
    const char *name;
    size_t count = 0;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        zxid_t zxid;
        uint64_t serial;
        count += name_is_snapshot (name, &zxid, &serial);
    }
    return count >= MANIFEST_SNAPSHOTS_MAX;
}

void check_snapshots_anew (struct sim_server *server)
{
    server->overdue_from_ms = server->world->schedule.now_ms;
    server->snapshot = 0;
    server->snapshot_failures = crash_disk_failures (server->disk);
}

void check_snapshots_resumed (struct sim_server *server)
{
    int64_t now_ms = server->world->schedule.now_ms;
    if (server->overdue_from_ms < now_ms) {
        server->overdue_from_ms = now_ms;
    }
}

void check_snapshots_of (struct world *world, struct sim_server *server)
{
    int64_t now_ms = world->schedule.now_ms;
    uint64_t failures = crash_disk_failures (server->disk);
    uint64_t due = due_bytes (server, false), bytes = store_log_bytes (server->store);
    bool has_room = !server->full && !check_status (server)->full;
    bool overdue = bytes > due + due / CHECKPOINT_PATIENCE;
    if (failures != server->snapshot_failures || !has_room || (overdue && has_no_place (server))) {
        /* One that could not be written is tried again some time later. */
        server->overdue_from_ms = now_ms + CHECKPOINT_RETRY_MS;
    } else if (server->overdue_from_ms <= now_ms &&
               (!overdue || newest (server) != server->snapshot || is_kept_from_it (server))) {
        server->overdue_from_ms = now_ms;
    }
    server->snapshot = newest (server);
    server->snapshot_failures = failures;
    observe (world, &(struct sight){.kind = SIGHT_GROWS,
                                    .server = server->id,
                                    .log_bytes = bytes,
                                    .newest = newest (server),
                                    .entry_bytes = RECORD_HEADER_SIZE,
                                    .end = store_last (server->store),
                                    .overdue_ms = now_ms - server->overdue_from_ms,
                                    .overdue_ms_max = OVERDUE_MS});
}

bool snapshots_restless (const struct sim_server *server, char *text, size_t size)
{
    uint64_t bytes = store_log_bytes (server->store), due = due_bytes (server, true);
    if (bytes <= due) {
        return false;
    }
    (void) snprintf (text, size,
                     "server %u has still to write a snapshot: %" PRIu64
                     " bytes of log, and %" PRIu64 " make one due",
                     server->id, bytes, due);
    return true;
}
