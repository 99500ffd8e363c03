/* Invariants 8, 11 to 14 and 24: what is on which disk. */

#include <inttypes.h>

#include "tests/simulation/invariants.h"

/* ---- What is lost ---------------------------------------------------------------------------- */

/* Whether a disk may have lost this entry: it was harmed, and its server knows that it does not
 * know what it had. */
static bool may_be_lost (const struct sight *sight, zxid_t zxid)
{
    return sight->harmed && (sight->emptied || sight->trust == ZAB_DAMAGED ||
                             (sight->trust == ZAB_SUSPECT && zxid <= sight->suspect));
}

/* The mark of a log that has lost something goes only by a request. */
static bool mark_holds (const struct ghost_server *server, const struct sight *sight,
                        struct objection *objection)
{
    bool whole = false;
    for (size_t i = 0; i < ring_count (&server->pending); i++) {
        const struct ghost_persist *persist = ring_at (&server->pending, i);
        whole |= persist->whole;
    }
    return whole || sight->trust > server->trust ||
           (sight->trust == server->trust && sight->suspect >= server->suspect) ||
           object (objection, "server %u takes its log for %s, and it was %s", sight->server,
                   sight->trust == ZAB_WHOLE ? "whole" : "suspect",
                   server->trust == ZAB_SUSPECT ? "suspect" : "damaged");
}

/* A log that has been whole is not taken for damaged again but for damage that was found since. */
static bool mark_has_cause (const struct ghost_server *server, const struct sight *sight,
                            struct objection *objection)
{
    return sight->trust == ZAB_WHOLE || server->trust != ZAB_WHOLE || sight->found ||
           object (objection, "server %u takes its log for %s, and it was whole", sight->server,
                   zab_trust_name (sight->trust));
}

/* ---- What is committed ----------------------------------------------------------------------- */

/* What was never written may be withdrawn. */
static bool withdraws_little (const struct ghost_server *server, const struct sight *sight,
                              struct objection *objection)
{
    zxid_t durable = shadow_last (&server->durable).zxid;
    return (sight->end >= durable && sight->end <= shadow_last (&server->log).zxid) ||
           object (objection,
                   "server %u withdraws what is behind %#" PRIx64 ", and %#" PRIx64 " is durable",
                   sight->server, sight->end, durable);
}

/* 8. What is committed and durable somewhere is not taken from there: not by a truncation, not by a
 * snapshot, not by a crash. */
bool check_committed_durability (const struct ghost *ghost, const struct sight *sight,
                                 struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    if (sight->kind == SIGHT_WITHDRAWN) {
        return withdraws_little (server, sight, objection);
    }
    if (server->kept == 0) {
        return true;
    }
    if (sight->kind == SIGHT_UPDATE) {
        const struct zab_persist *persist = &sight->update->persist;
        return !persist->truncate || persist->truncate_to >= server->kept ||
               object (objection,
                       "server %u truncates to %#" PRIx64 ", and %#" PRIx64 " is committed",
                       sight->server, persist->truncate_to, server->kept);
    }
    if (sight->kind == SIGHT_BASE) {
        bool sound = shadow_covers (&ghost->committed, sight->base);
        return (sound && (!sight->replaced || sight->base.zxid >= server->kept)) ||
               object (objection,
                       "server %u has a snapshot at %#" PRIx64 " in place of its log, and %#" PRIx64
                       " is committed",
                       sight->server, sight->base.zxid, server->kept);
    }
    const struct zab_point *kept = shadow_find (&ghost->committed, server->kept);
    return kept == NULL || shadow_covers (sight->log, *kept) || may_be_lost (sight, server->kept) ||
           object (objection, "server %u starts without %#" PRIx64 ", which is committed",
                   sight->server, server->kept);
}

/* 11. What is committed is at that moment on the disks of a quorum of each configuration. Chains
 * make it enough to look at the last of it. */
bool check_quorum_durability (const struct ghost *ghost, const struct sight *sight,
                              struct objection *objection)
{
    zxid_t committed = sight->status->committed;
    if (committed <= shadow_last (&ghost->committed).zxid) {
        return true;
    }
    const struct zab_point *point = shadow_find (&ghost->servers[sight->server].log, committed);
    return (point != NULL && ghost_quorum_holds (ghost, *point)) ||
           object (objection, "server %u commits %#" PRIx64 ", which no quorum has on its disks",
                   sight->server, committed);
}

/* ---- What a disk holds ----------------------------------------------------------------------- */

/* The entries of a request continue the log without a gap, and time does not go back in it. */
static bool contiguous (const struct ghost_server *server, const struct sight *sight,
                        struct objection *objection)
{
    const struct zab_persist *persist = &sight->update->persist;
    zxid_t before = shadow_last (&server->log).zxid;
    if (persist->truncate && persist->truncate_to < before) {
        before = persist->truncate_to;
    }
    int64_t stamp_ms = persist->truncate ? 0 : server->stamp_ms;
    for (size_t i = 0; i < persist->entries_count; i++) {
        if (!zxid_follows (persist->entries[i].zxid, before)) {
            return object (objection, "server %u logs %#" PRIx64 " after %#" PRIx64, sight->server,
                           persist->entries[i].zxid, before);
        }
        if (persist->entries[i].stamp_ms < stamp_ms) {
            return object (objection, "server %u logs %#" PRIx64 ", %" PRId64 " ms before the last",
                           sight->server, persist->entries[i].zxid,
                           stamp_ms - persist->entries[i].stamp_ms);
        }
        before = persist->entries[i].zxid;
        stamp_ms = persist->entries[i].stamp_ms;
    }
    return true;
}

/* Epochs only grow, and the current one is never ahead of what was accepted. */
static bool epochs_grow (const struct ghost_server *server, const struct sight *sight,
                         uint32_t accepted, uint32_t current, struct objection *objection)
{
    return (current <= accepted && accepted >= server->accepted_epoch &&
            current >= server->current_epoch) ||
           object (objection, "server %u: epochs (accepted, current) (%u, %u) after (%u, %u)",
                   sight->server, accepted, current, server->accepted_epoch, server->current_epoch);
}

/* Whether the log that was read back is what a crash may have left: all that was durable, and of
 * what was asked for after that the first so many steps. The last point tells, for it stands for
 * all before it. */
static bool may_be_left (const struct ghost_server *server, const struct shadow *log)
{
    struct zab_point last = shadow_last (log), point = shadow_last (&server->durable);
    if (last.zxid == point.zxid && last.chain == point.chain) {
        return true;
    }
    if (server->installing && log->count == 0) {
        return true; /* a snapshot, which is of what is committed, and nothing behind it */
    }
    for (size_t i = 0; i < ring_count (&server->pending); i++) {
        const struct ghost_persist *persist = ring_at (&server->pending, i);
        const struct zab_point *cut = shadow_floor (&server->durable, persist->truncate_to);
        if (persist->truncate && last.zxid == persist->truncate_to &&
            last.chain == (cut != NULL ? cut->chain : server->durable.base.chain)) {
            return true;
        }
        for (size_t k = 0; k < persist->points_count; k++) {
            if (last.zxid == persist->points[k].zxid && last.chain == persist->points[k].chain) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the log that was read back is the beginning of the one that there was, and the rest may
 * be lost. */
static bool is_lost_end (const struct ghost_server *server, const struct sight *sight)
{
    struct zab_point last = shadow_last (sight->log), all = shadow_last (&server->durable);
    bool beginning = last.zxid == 0 || shadow_covers (&server->durable, last) ||
                     shadow_covers (&server->log, last);
    return beginning && may_be_lost (sight, all.zxid);
}

/* With an older manifest it is what there was before the end of it was cut off, and who knows that
 * he knows nothing may well have that again. */
static bool is_older_end (const struct sight *sight)
{
    return sight->older && sight->harmed && sight->trust == ZAB_DAMAGED;
}

/* Whether its disk may have begun to cut off a part of its log. */
static bool may_be_cut (const struct ghost_server *server)
{
    bool cut = false;
    for (size_t i = 0; i < ring_count (&server->pending); i++) {
        const struct ghost_persist *persist = ring_at (&server->pending, i);
        cut |= persist->truncate;
    }
    return cut;
}

/* What the log stands on is committed, whoever has put it there; and it tells how far it is itself,
 * as its records have said. Those of them that were cut off, or harmed, say nothing any more. So
 * does a snapshot, as long as it is there: one that could not be read is given up, and what it
 * alone has said with it. */
static bool knows_committed (const struct ghost *ghost, const struct sight *sight,
                             struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    if (!shadow_covers (&ghost->committed, sight->log->base)) {
        return object (objection,
                       "server %u starts with a log behind %#" PRIx64 ", which is not committed",
                       sight->server, sight->log->base.zxid);
    }
    if (sight->committed > shadow_last (&ghost->committed).zxid) {
        return object (objection, "server %u takes %#" PRIx64 " for committed, and it is not",
                       sight->server, sight->committed);
    }
    if (sight->committed < sight->newest) {
        return object (objection,
                       "server %u knows that its log is committed up to %#" PRIx64
                       ", and has a snapshot at %#" PRIx64,
                       sight->server, sight->committed, sight->newest);
    }
    return sight->harmed || may_be_cut (server) || sight->committed >= server->recorded ||
           object (objection,
                   "server %u knows that its log is committed up to %#" PRIx64
                   ", and its disk had said up to %#" PRIx64,
                   sight->server, sight->committed, server->recorded);
}

/* What counts as durable is what a power cut would leave, whether there is ever one or not. */
static bool outlives_power (const struct sight *sight, struct objection *objection)
{
    if (sight->copy_fleeting) {
        return object (objection, "a power cut would take metadata that server %u calls durable",
                       sight->server);
    }
    return sight->fleeting == 0 ||
           object (objection, "a power cut would take %#" PRIx64 ", which server %u calls durable",
                   sight->fleeting, sight->server);
}

/* Whose state is that of another server knows it until it is proven. */
static bool knows_its_state (const struct ghost_server *server, const struct sight *sight,
                             struct objection *objection)
{
    return !server->heir || sight->heir || sight->harmed || sight->found ||
           sight->store_id != server->store_id ||
           object (objection, "server %u took over another's state, and does not know it any more",
                   sight->server);
}

/* 12. The current epoch is not above the accepted one, both only grow, the log has no gap; what is
 * called durable is, and is there after a crash, and how much of it is committed. */
bool check_durable_image (const struct ghost *ghost, const struct sight *sight,
                          struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    if (sight->kind == SIGHT_UPDATE) {
        const struct zab_persist *persist = &sight->update->persist;
        return contiguous (server, sight, objection) &&
               (!persist->epochs || epochs_grow (server, sight, persist->accepted_epoch,
                                                 persist->current_epoch, objection));
    }
    if (sight->kind == SIGHT_DURABLE) {
        return outlives_power (sight, objection);
    }
    if (!outlives_power (sight, objection) || !knows_committed (ghost, sight, objection)) {
        return false;
    }
    if (server->id == 0) {
        return true;
    }
    if (sight->harmed && sight->store_id != server->store_id) {
        /* Its metadata are lost: it is another server, which has promised nothing. */
        return ((sight->trust == ZAB_DAMAGED || sight->emptied) && sight->accepted_epoch == 0) ||
               object (objection, "server %u has lost its metadata, and does not say so",
                       sight->server);
    }
    struct zab_point last = shadow_last (sight->log);
    return epochs_grow (server, sight, sight->accepted_epoch, sight->current_epoch, objection) &&
           knows_its_state (server, sight, objection) && mark_holds (server, sight, objection) &&
           mark_has_cause (server, sight, objection) &&
           (may_be_left (server, sight->log) || is_lost_end (server, sight) ||
            is_older_end (sight) ||
            object (objection,
                    "server %u reads a log back that ends at %#" PRIx64 "; %#" PRIx64
                    " was durable",
                    sight->server, last.zxid, shadow_last (&server->durable).zxid));
}

/* ---- What a server says and does ------------------------------------------------------------- */

static bool acknowledges (const struct ghost_server *server, const struct zab_message *message)
{
    if (message->epoch != server->current_epoch || message->epoch != server->accepted_epoch) {
        return false;
    }
    /* (e, 0) acknowledges the epoch itself. */
    return zxid_counter (message->zxid) == 0 || message->zxid <= server->durable.base.zxid ||
           shadow_find (&server->durable, message->zxid) != NULL;
}

/* Whether it says nothing better of its log than its disk does; worse it may be, for a moment. */
static bool trusted (const struct ghost_server *server, const struct zab_message *message)
{
    return message->trust > server->trust ||
           (message->trust == server->trust &&
            (message->trust != ZAB_SUSPECT || message->suspect == server->suspect));
}

/* Whether its disk has all of these. */
static bool has_points (const struct ghost_server *server, const struct zab_message *message)
{
    for (size_t i = 0; i < message->points_count; i++) {
        if (!shadow_covers (&server->durable, message->points[i])) {
            return false;
        }
    }
    return true;
}

static bool justified (const struct ghost_server *server, const struct sight *sight,
                       const struct zab_message *message)
{
    zxid_t last = shadow_last (&server->durable).zxid;
    if (message->durable > last) {
        return false;
    }
    switch (message->type) {
    case ZAB_VOTE: /* for anyone, if it has a vote; for itself, by its own history */
        return trusted (server, message) &&
               (message->role != ZAB_LOOKING || message->leader == 0 ||
                server->trust != ZAB_DAMAGED) &&
               (message->role != ZAB_LOOKING || message->leader != sight->server ||
                (message->epoch == ghost_vote_epoch (server) && message->zxid == last));
    case ZAB_FOLLOWERINFO:
        return trusted (server, message) && message->epoch == server->accepted_epoch;
    case ZAB_LEADERINFO:
        return message->epoch == server->accepted_epoch;
    case ZAB_ACKEPOCH:
        return message->epoch == server->current_epoch && message->zxid == last &&
               sight->status->accepted_epoch == server->accepted_epoch &&
               trusted (server, message) && !(message->counts && server->trust == ZAB_DAMAGED) &&
               has_points (server, message);
    case ZAB_TRY_ANSWER:
    case ZAB_SYNC_POINT:
        return shadow_covers (&server->durable, message->point);
    case ZAB_ACK:
        return server->trust == ZAB_WHOLE && acknowledges (server, message);
    case ZAB_PING:
    case ZAB_COMMIT:
    case ZAB_UPTODATE:
        return message->zxid <= sight->status->committed;
    default:
        return true;
    }
}

/* 13. What a message says of its sender's epochs and log is true of its disk when it is sent; and
 * what it says of commits is what its sender knows. */
bool check_justified_messages (const struct ghost *ghost, const struct sight *sight,
                               struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    for (size_t i = 0; i < sight->update->messages_count; i++) {
        const struct zab_message *message = &sight->update->messages[i];
        if (!justified (server, sight, message)) {
            return object (objection,
                           "server %u sends %s (epoch %u, zxid %#" PRIx64
                           "), and its disk has (%u, %u) and %#" PRIx64,
                           sight->server, zab_message_name (message->type), message->epoch,
                           message->zxid, server->accepted_epoch, server->current_epoch,
                           shadow_last (&server->durable).zxid);
        }
    }
    return true;
}

/* 14. A server applies nothing that is not durable in its own log. */
bool check_applied_durable (const struct ghost *ghost, const struct sight *sight,
                            struct objection *objection)
{
    zxid_t durable = shadow_last (&ghost->servers[sight->server].durable).zxid;
    zxid_t applied = sight->kind == SIGHT_UPDATE ? sight->update->deliver : sight->applied;
    return applied <= durable ||
           object (objection, "server %u applies %#" PRIx64 ", its disk ends at %#" PRIx64,
                   sight->server, applied, durable);
}

/* 24. The folder of a server that has been idle says that all of its log is durable, so that
 * nothing of it will ever be taken for torn; every snapshot has the log behind it; and the log
 * reaches back to an older one than the newest, which may rot. */
bool check_folder (const struct ghost *ghost, const struct sight *sight,
                   struct objection *objection)
{
    (void) ghost;
    if (sight->marked < sight->end) {
        return object (objection,
                       "server %u is idle, and its log says to be durable up to %#" PRIx64
                       "; it ends at %#" PRIx64,
                       sight->server, sight->marked, sight->end);
    }
    if (sight->alone) {
        return object (objection,
                       "server %u has dropped its log up to %#" PRIx64 ", and keeps one snapshot",
                       sight->server, sight->base.zxid);
    }
    return sight->snapshot == 0 || sight->snapshot >= sight->base.zxid ||
           object (objection,
                   "server %u keeps a snapshot at %#" PRIx64
                   ", and its log begins behind %#" PRIx64,
                   sight->server, sight->snapshot, sight->base.zxid);
}

/* How many entries of the server's log stand behind its newest snapshot. */
static uint64_t entries_to_shorten (const struct ghost *ghost, const struct sight *sight)
{
    const struct shadow *log = &ghost->servers[sight->server].log;
    const struct zab_point *last = shadow_floor (log, sight->end);
    const struct zab_point *before = shadow_floor (log, sight->newest);
    const struct zab_point *first = before != NULL ? before + 1 : log->points;
    return last != NULL && last >= first ? (uint64_t) (last - first) + 1 : 0;
}

/* 31. Whose log has grown by more than makes a snapshot due writes one, soon; and what nobody needs
 * of those before goes. How much it has grown the server says itself, and no less than it has. */
bool check_snapshots (const struct ghost *ghost, const struct sight *sight,
                      struct objection *objection)
{
    if (sight->kind == SIGHT_FOLDER) {
        return sight->snapshots <= sight->snapshots_max ||
               object (objection, "server %u is idle, and keeps %zu snapshots; %zu are enough",
                       sight->server, sight->snapshots, sight->snapshots_max);
    }
    uint64_t entries = entries_to_shorten (ghost, sight);
    if (sight->log_bytes < entries * sight->entry_bytes) {
        return object (objection,
                       "server %u takes its log for %" PRIu64 " bytes, and has %" PRIu64
                       " entries behind its snapshot",
                       sight->server, sight->log_bytes, entries);
    }
    return sight->overdue_ms <= sight->overdue_ms_max ||
           object (objection,
                   "the log of server %u has grown to %" PRIu64
                   " bytes, and no snapshot was written for %" PRId64 " ms",
                   sight->server, sight->log_bytes, sight->overdue_ms);
}
