/* Invariants 1 to 7, 9, 10, 21 and 25 to 27: who leads, proposes, commits and applies what. */

#include <inttypes.h>
#include <string.h>

#include "tests/simulation/invariants.h"

/* ---- Leading --------------------------------------------------------------------------------- */

static bool votes (const struct config_set *configs, uint32_t server)
{
    for (size_t i = 0; i < configs->count; i++) {
        const struct config_member *member = config_find (&configs->configs[i], server);
        if (member != NULL && member->role == CONFIG_VOTER) {
            return true;
        }
    }
    return configs->count == 0;
}

/* 1. At most one server is ever established as the leader of an epoch: not just at one time. It has
 * a vote. */
bool check_leadership (const struct ghost *ghost, const struct sight *sight,
                       struct objection *objection)
{
    if (!sight_leads (sight)) {
        return true;
    }
    const struct ghost_epoch *epoch = ghost_epoch (ghost, sight->status->current_epoch);
    uint32_t others = epoch != NULL ? epoch->leaders & ~(UINT32_C (1) << sight->server) : 0;
    if (others != 0) {
        return object (objection, "server %u leads epoch %u, which another has led (mask %#x)",
                       sight->server, epoch->epoch, others);
    }
    return votes (&ghost->configs, sight->server) ||
           object (objection, "server %u leads, and has no vote", sight->server);
}

/* 6. Before its first broadcast of an epoch, a leader has every entry of earlier epochs that anyone
 * has applied. */
bool check_primary_integrity (const struct ghost *ghost, const struct sight *sight,
                              struct objection *objection)
{
    size_t count;
    const struct zab_entry *first = sight_proposes (sight, &count);
    const struct ghost_server *leader = &ghost->servers[sight->server];
    if (first == NULL) {
        return true;
    }
    const struct ghost_epoch *own = ghost_epoch (ghost, zxid_epoch (first->zxid));
    if (own != NULL && own->broadcast.count > 0) {
        return true;
    }
    for (size_t i = 0; i < ghost->epochs_count; i++) {
        const struct ghost_epoch *epoch = &ghost->epochs[i];
        if (epoch->epoch < zxid_epoch (first->zxid) && epoch->applied.zxid != 0 &&
            !shadow_covers (&leader->log, epoch->applied)) {
            return object (objection,
                           "server %u proposes %#" PRIx64 " and lacks %#" PRIx64
                           ", which was applied",
                           sight->server, first->zxid, epoch->applied.zxid);
        }
    }
    return true;
}

/* 7. An established leader has everything that was committed in earlier epochs. (It may learn late
 * that it was established, when a later leader has committed more.) */
bool check_commit_completeness (const struct ghost *ghost, const struct sight *sight,
                                struct objection *objection)
{
    if (!sight_leads (sight)) {
        return true;
    }
    uint32_t number = sight->status->current_epoch;
    const struct ghost_epoch *epoch = ghost_epoch (ghost, number);
    if (epoch != NULL && (epoch->leaders & UINT32_C (1) << sight->server) != 0) {
        return true; /* it was there, then; what is committed since is its own */
    }
    const struct zab_point *last = shadow_floor (&ghost->committed, zxid_make (number, 0));
    if (last != NULL && !shadow_covers (&ghost->servers[sight->server].log, *last)) {
        return object (objection,
                       "server %u leads epoch %u and lacks %#" PRIx64 ", which is committed",
                       sight->server, number, last->zxid);
    }
    return true;
}

/* 26. Once an epoch is established nothing of earlier epochs is committed that it did not begin
 * with: nobody could know of it, and whoever leads next might lack it. */
bool check_beginnings (const struct ghost *ghost, const struct sight *sight,
                       struct objection *objection)
{
    const struct shadow *log = &ghost->servers[sight->server].log;
    zxid_t known = shadow_last (&ghost->committed).zxid, committed = sight->status->committed;
    for (size_t i = ghost->epochs_count; committed > known && i-- > 0;) {
        const struct ghost_epoch *epoch = &ghost->epochs[i];
        if (epoch->epoch <= zxid_epoch (known)) {
            break;
        }
        zxid_t begin = zxid_make (epoch->epoch, 0);
        const struct zab_point *last = shadow_floor (log, committed < begin ? committed : begin);
        if (epoch->leaders != 0 && last != NULL && last->zxid > epoch->begun.zxid) {
            return object (objection,
                           "server %u commits %#" PRIx64 ", and epoch %u began behind %#" PRIx64,
                           sight->server, last->zxid, epoch->epoch, epoch->begun.zxid);
        }
    }
    return true;
}

/* ---- Committing ------------------------------------------------------------------------------ */

/* 3, for what a core regards as committed: nothing else than what everybody else does, and what is
 * new stands on top of all of it. */
static bool commits_in_order (const struct ghost *ghost, const struct sight *sight,
                              struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    zxid_t committed = sight->status->committed;
    struct zab_point last = shadow_last (&ghost->committed);
    if (committed == server->status.committed) {
        return true;
    }
    /* What is withdrawn from a full disk may be committed elsewhere: it is learnt again. */
    if (sight->update->withdrawn && committed == sight->status->last &&
        committed >= server->applied) {
        return true;
    }
    if (committed < server->status.committed) {
        return object (objection, "server %u takes its commit back, from %#" PRIx64 " to %#" PRIx64,
                       sight->server, server->status.committed, committed);
    }
    const struct zab_point *here = shadow_find (&server->log, committed);
    struct zab_point point = here != NULL ? *here : server->log.base;
    if (point.zxid != committed) {
        return object (objection, "server %u commits %#" PRIx64 ", which is not in its log",
                       sight->server, committed);
    }
    if (committed <= last.zxid) {
        return shadow_covers (&ghost->committed, point) ||
               object (objection, "server %u commits %#" PRIx64 " with another history than others",
                       sight->server, committed);
    }
    return (shadow_covers (&server->log, last) && server->log.base.zxid <= last.zxid) ||
           object (objection,
                   "server %u commits %#" PRIx64 " on top of something else than %#" PRIx64,
                   sight->server, committed, last.zxid);
}

/* 3, for what is proposed: no zxid is given out twice, and none once the counter has come to its
 * end: the next one would be of the next epoch, or one of this again. */
static bool proposes_in_order (const struct ghost *ghost, const struct sight *sight,
                               struct objection *objection)
{
    size_t count;
    const struct zab_entry *proposed = sight_proposes (sight, &count);
    if (proposed == NULL) {
        return true;
    }
    const struct ghost_epoch *epoch = ghost_epoch (ghost, zxid_epoch (proposed->zxid));
    zxid_t last = epoch != NULL ? shadow_last (&epoch->broadcast).zxid : 0;
    if (sight->counter_max > 0 && zxid_counter (last) >= sight->counter_max) {
        return object (objection,
                       "server %u proposes %#" PRIx64 " behind %#" PRIx64
                       ", with which the counter has ended",
                       sight->server, proposed->zxid, last);
    }
    return proposed->zxid > last ||
           object (objection,
                   "server %u proposes %#" PRIx64 ", and %#" PRIx64 " was proposed before",
                   sight->server, proposed->zxid, last);
}

/* 9. A synchronized follower has nothing in its log, committed or not, that its leader does not
 * have: entries come from nobody else. */
bool check_history_consistency (const struct ghost *ghost, const struct sight *sight,
                                struct objection *objection)
{
    const struct zab_status *status = sight->status;
    const struct ghost_server *server = &ghost->servers[sight->server];
    if (status->role != ZAB_FOLLOWING || !status->activated || status->leader > GHOST_ID_MAX) {
        return true;
    }
    const struct ghost_server *leader = &ghost->servers[status->leader];
    struct zab_point last = shadow_last (&server->log);
    if (!leader->up || leader->status.role != ZAB_LEADING || !leader->status.activated ||
        leader->status.current_epoch != status->current_epoch) {
        return true;
    }
    return shadow_covers (&leader->log, last) ||
           object (objection, "server %u has %#" PRIx64 ", which its leader %u lacks",
                   sight->server, last.zxid, status->leader);
}

/* 21. A round of a leader is confirmed only when a quorum has answered it, or a later one, as its
 * synchronized followers. */
bool check_rounds (const struct ghost *ghost, const struct sight *sight,
                   struct objection *objection)
{
    uint64_t round = sight->update->round;
    uint32_t epoch = sight->status->current_epoch;
    if (!sight_leads (sight) || round <= ghost->servers[sight->server].confirmed ||
        ghost->configs.count == 0) {
        return true;
    }
    return ghost_quorum_answered (ghost, sight->server, epoch, round) ||
           object (objection,
                   "server %u counts round %" PRIu64
                   " of epoch %u as confirmed, which no quorum has answered",
                   sight->server, round, epoch);
}

/* 25. An epoch is promised once: not to another leader, nor again to the same, nor by whom it was
 * offered to others. */
bool check_promises (const struct ghost *ghost, const struct sight *sight,
                     struct objection *objection)
{
    uint32_t epoch = sight->status->accepted_epoch;
    for (size_t i = 0; i < sight->update->messages_count; i++) {
        const struct zab_message *message = &sight->update->messages[i];
        if (message->type == ZAB_ACKEPOCH && message->counts &&
            epoch <= ghost->servers[sight->server].promised) {
            return object (objection, "server %u promises epoch %u to %u, and has promised %u",
                           sight->server, epoch, message->peer,
                           ghost->servers[sight->server].promised);
        }
    }
    return true;
}

/* 27. An epoch begins when a quorum has promised it to its leader; and it was promised, not
 * accepted from somebody else before. */
bool check_begun_epochs (const struct ghost *ghost, const struct sight *sight,
                         struct objection *objection)
{
    const struct zab_persist *persist = &sight->update->persist;
    uint32_t before = ghost->servers[sight->server].status.current_epoch;
    if (sight->status->role != ZAB_LEADING || !persist->epochs ||
        persist->current_epoch <= before || ghost->configs.count == 0) {
        return true;
    }
    return ghost_quorum_promised (ghost, sight->server, persist->current_epoch) ||
           object (objection, "server %u begins epoch %u, which no quorum has promised to it",
                   sight->server, persist->current_epoch);
}

/* 10. No core ever finds that a peer broke the protocol: links lose nothing in the middle, so
 * what was not expected was sent by mistake. */
bool check_actions (const struct ghost *ghost, const struct sight *sight,
                    struct objection *objection)
{
    static const char *const excused[] = {"no progress", "too many links"};
    const struct zab_update *update = sight->update;
    (void) ghost;
    if (update->halt != ZAB_RUNNING) {
        return object (objection, "server %u halts: %s", sight->server,
                       update->note != NULL ? update->note : "no reason given");
    }
    if (update->resets_count == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof excused / sizeof excused[0]; i++) {
        if (update->note != NULL && strcmp (update->note, excused[i]) == 0) {
            return true;
        }
    }
    return object (objection, "server %u resets its link to %u: %s", sight->server,
                   update->resets[0], update->note != NULL ? update->note : "no reason given");
}

/* ---- Applying -------------------------------------------------------------------------------- */

/* Of the entries that this turn has applied, and that are still in the log: the first, and how many
 * there are. */
static const struct zab_point *newly_applied (const struct ghost *ghost, const struct sight *sight,
                                              size_t *count)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    const struct zab_point *last = shadow_floor (&server->log, sight->applied);
    const struct zab_point *before = shadow_floor (&server->log, server->applied);
    const struct zab_point *first = before != NULL ? before + 1 : server->log.points;
    *count = last != NULL && last >= first ? (size_t) (last - first) + 1 : 0;
    return first;
}

/* 2. Whatever is applied was proposed by a leader. */
bool check_integrity (const struct ghost *ghost, const struct sight *sight,
                      struct objection *objection)
{
    size_t count;
    const struct zab_point *points = newly_applied (ghost, sight, &count);
    for (size_t i = 0; i < count; i++) {
        const struct ghost_epoch *epoch = ghost_epoch (ghost, zxid_epoch (points[i].zxid));
        if (epoch == NULL || !shadow_covers (&epoch->broadcast, points[i])) {
            return object (objection, "server %u applies %#" PRIx64 ", which nobody has proposed",
                           sight->server, points[i].zxid);
        }
    }
    return true;
}

/* 3, for what is applied: a prefix of the committed sequence. */
static bool applies_in_order (const struct ghost *ghost, const struct sight *sight,
                              struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    size_t count;
    const struct zab_point *points = newly_applied (ghost, sight, &count);
    for (size_t i = 0; i < count; i++) {
        if (!shadow_covers (&ghost->committed, points[i])) {
            return object (objection, "server %u applies %#" PRIx64 ", which is not committed",
                           sight->server, points[i].zxid);
        }
    }
    if (sight->applied != 0 && shadow_find (&server->log, sight->applied) == NULL &&
        server->log.base.zxid != sight->applied) {
        return object (objection, "server %u has applied %#" PRIx64 ", which is not in its log",
                       sight->server, sight->applied);
    }
    return true;
}

/* 3. All servers commit and apply prefixes of one sequence; no zxid has two contents. */
bool check_total_order (const struct ghost *ghost, const struct sight *sight,
                        struct objection *objection)
{
    if (sight->kind == SIGHT_UPDATE) {
        return proposes_in_order (ghost, sight, objection) &&
               commits_in_order (ghost, sight, objection);
    }
    return applies_in_order (ghost, sight, objection);
}

/* 4. For all entries a before b of one leader and epoch: who applies b has applied a before. It is
 * enough to look at b's predecessor, for that had to pass the same test. */
bool check_local_primary_order (const struct ghost *ghost, const struct sight *sight,
                                struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    size_t count;
    const struct zab_point *points = newly_applied (ghost, sight, &count);
    zxid_t before =
        server->applied > server->log.base.zxid ? server->applied : server->log.base.zxid;
    for (size_t i = 0; i < count; i++) {
        const struct ghost_epoch *epoch = ghost_epoch (ghost, zxid_epoch (points[i].zxid));
        const struct zab_point *a =
            epoch != NULL ? shadow_floor (&epoch->broadcast, points[i].zxid - 1) : NULL;
        if (a != NULL && a->zxid > before) {
            return object (objection,
                           "server %u applies %#" PRIx64 " and not %#" PRIx64 ", proposed before",
                           sight->server, points[i].zxid, a->zxid);
        }
        before = points[i].zxid;
    }
    return true;
}

/* 5. The zxids that a server applies increase. */
bool check_global_primary_order (const struct ghost *ghost, const struct sight *sight,
                                 struct objection *objection)
{
    const struct ghost_server *server = &ghost->servers[sight->server];
    size_t count;
    const struct zab_point *points = newly_applied (ghost, sight, &count);
    if (sight->applied < server->applied) {
        return object (objection, "server %u goes back from %#" PRIx64 " to %#" PRIx64,
                       sight->server, server->applied, sight->applied);
    }
    for (size_t i = 1; i < count; i++) {
        if (points[i].zxid <= points[i - 1].zxid) {
            return object (objection, "server %u applies %#" PRIx64 " after %#" PRIx64,
                           sight->server, points[i].zxid, points[i - 1].zxid);
        }
    }
    return true;
}
