/* Invariants 15 to 20, 22, 28 to 30: states, answers, sessions, coming to rest, full disks, what is
 * kept for others. */

#include <inttypes.h>

#include "tests/simulation/invariants.h"

/* 15. Equal applied zxid, equal state: whichever server, and whenever; but for faults that are made
 * to see them noticed (19). */
bool check_equal_states (const struct ghost *ghost, const struct sight *sight,
                         struct objection *objection)
{
    const struct ghost_digest *seen = ghost_digest (ghost, sight->applied);
    return sight->wrong || seen == NULL || seen->digest == sight->digest ||
           object (objection,
                   "server %u at %#" PRIx64 " has digest %016" PRIx64 ", server %u had %016" PRIx64,
                   sight->server, sight->applied, sight->digest, seen->server, seen->digest);
}

/* 16. What was acknowledged is committed; and whatever was committed is there in the end, at every
 * server of the core. That clients see a linearizable, or sequential, history is checked by
 * tests/history. */
bool check_acknowledged (const struct ghost *ghost, const struct sight *sight,
                         struct objection *objection)
{
    if (sight->kind == SIGHT_ANSWER) {
        return sight->zxid == 0 || shadow_find (&ghost->committed, sight->zxid) != NULL ||
               object (objection, "an answer is of %#" PRIx64 ", which is not committed",
                       sight->zxid);
    }
    zxid_t last = shadow_last (&ghost->committed).zxid;
    for (uint32_t id = 1; id <= GHOST_ID_MAX && sight->reached; id++) {
        const struct ghost_server *server = &ghost->servers[id];
        if (((sight->core >> id) & 1) && server->applied < last) {
            return object (objection,
                           "server %u is at rest at %#" PRIx64 ", and %#" PRIx64 " is committed",
                           id, server->applied, last);
        }
    }
    return true;
}

/* 17. An ephemeral exists only while its session lives, or goes with all others in steps that
 * follow one another; the names that sequential creates make are all different. */
bool check_ephemerals (const struct ghost *ghost, const struct sight *sight,
                       struct objection *objection)
{
    if (sight->kind == SIGHT_ANSWER) {
        return sight->name == NULL || !ghost_has_name (ghost, sight->name) ||
               object (objection, "%s is created again", sight->name);
    }
    if (sight->kind == SIGHT_PEACE) {
        return sight->dead_ms <= sight->dead_ms_max ||
               object (objection,
                       "at server %u nothing has gone of dead session %" PRIu64 " for %" PRId64
                       " ms, and nothing is amiss",
                       sight->server, sight->dead, sight->dead_ms);
    }
    for (size_t i = 0; i < sight->ephemerals_count; i++) {
        const struct sight_ephemeral *ephemeral = &sight->ephemerals[i];
        if (!ephemeral->owner_lives) {
            return object (objection, "at server %u %s outlives its session %#" PRIx64,
                           sight->server, ephemeral->path, ephemeral->owner);
        }
    }
    return true;
}

/* 22. Of each session no more results are kept than its client may still ask for. */
bool check_results (const struct ghost *ghost, const struct sight *sight,
                    struct objection *objection)
{
    (void) ghost;
    return sight->hoard == 0 || object (objection,
                                        "server %u keeps results of session %" PRIu64
                                        " that its client has acknowledged long ago",
                                        sight->server, sight->hoard);
}

/* 18. Once faults have ended, the cluster answers everything and converges within a bounded time.
 */
bool check_liveness (const struct ghost *ghost, const struct sight *sight,
                     struct objection *objection)
{
    (void) ghost;
    return (sight->reached && sight->after_ms <= sight->limit_ms) ||
           object (objection, "not at rest %" PRId64 " ms after the faults ended: %s",
                   sight->after_ms, sight->waits_for != NULL ? sight->waits_for : "too late");
}

/* 19. Nobody shows clients a state that the others could have found wrong. */
bool check_quarantine (const struct ghost *ghost, const struct sight *sight,
                       struct objection *objection)
{
    (void) ghost;
    return sight->exposed_ms <= sight->exposed_ms_max ||
           object (objection, "server %u shows a wrong state for %" PRId64 " ms", sight->server,
                   sight->exposed_ms);
}

/* 20. A leader that has no room, or whose quorum has none, proposes nothing; one with a full disk
 * gives way to a server that has room and all that it has; clients of a full one hear why their
 * writes wait; and once there is space it goes on by itself. (That it acknowledges nothing that did
 * not reach its disk is 13.) */
bool check_full_disks (const struct ghost *ghost, const struct sight *sight,
                       struct objection *objection)
{
    if (sight->kind == SIGHT_UPDATE) {
        size_t count;
        return sight_proposes (sight, &count) == NULL || !sight->status->starved ||
               !ghost->servers[sight->server].status.starved ||
               object (objection, "server %u proposes %zu entries, and there is no room for them",
                       sight->server, count);
    }
    if (sight->leads_full_ms > sight->space_ms_max) {
        return object (objection,
                       "server %u has led with a full disk for %" PRId64
                       " ms, although one with room could",
                       sight->server, sight->leads_full_ms);
    }
    if (sight->keeps_full_ms > sight->space_ms_max) {
        return object (objection,
                       "server %u has taken its disk for a full one for %" PRId64
                       " ms, and there is room",
                       sight->server, sight->keeps_full_ms);
    }
    return sight->untold_ms <= sight->space_ms_max ||
           object (objection,
                   "a client of server %u, whose disk is full, has waited for %" PRId64
                   " ms and does not know why",
                   sight->server, sight->untold_ms);
}

/* 28. Whose disk hangs, while others commit what it owes, leads and follows no more: its clients
 * would wait for it. */
bool check_hanging_disks (const struct ghost *ghost, const struct sight *sight,
                          struct objection *objection)
{
    (void) ghost;
    return sight->hangs_ms <= sight->hangs_ms_max ||
           object (objection,
                   "server %u has served for %" PRId64
                   " ms with a disk that hangs, and others do without it",
                   sight->server, sight->hangs_ms);
}

/* 29. Clients of a server without a quorum hear why they wait. */
bool check_told (const struct ghost *ghost, const struct sight *sight, struct objection *objection)
{
    (void) ghost;
    return sight->lost_ms <= sight->lost_ms_max ||
           object (objection,
                   "a client of server %u, which is without a quorum, has waited for %" PRId64
                   " ms and does not know why",
                   sight->server, sight->lost_ms);
}

/* 30. Whoever asks for more than his share, or takes nothing of what he is told, costs a server no
 * more than it has set aside: each queue has its bound. */
bool check_bounds (const struct ghost *ghost, const struct sight *sight,
                   struct objection *objection)
{
    (void) ghost;
    return sight->kept <= sight->kept_max ||
           object (objection,
                   "server %u has %" PRIu64 " %s for %" PRIu64 ", and at most %" PRIu64 " may be",
                   sight->server, sight->kept, sight->kept_what, sight->kept_for, sight->kept_max);
}
