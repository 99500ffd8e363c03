/* Synchronization, the leader's side: brings a learner's log in line with everything in the
 * leader's own, committed or not, durable or still being written. What is known to be committed
 * decides what is applied, never what is truncated: comparing with that would take an acknowledged
 * entry from a learner that returns (docs/zab.md, section 4).
 *
 * TRY until both know the highest point that both logs have; then DIFFs, each of a bounded size,
 * a bounded number in flight. When what is left fits one, it is sent, and in the same step the
 * learner joins the forwarding set and gets NEWLEADER: nothing can fall in between. A learner
 * whose agreement is older than this log gets a snapshot, and then what has come since.
 * May include: client/base, server/core. */

#include "client/base/mutation.h"
#include "server/core/state.h"

#include <string.h>

static void send_snapshot (struct zab *self, struct peer *peer)
{
    struct learner *learner = &peer->learner;
    learner->phase = LEARNER_SNAP;
    COHORT_ASSERT (self->update.snapshots_count < ZAB_PEERS_MAX);
    for (size_t i = 0; i < self->update.snapshots_count; i++) {
        COHORT_ASSERT (self->snapshots[i] != peer->id);
    }
    self->snapshots[self->update.snapshots_count++] = peer->id;
    zab_note (self, "needs a snapshot", peer->id);
    /* The snapshot has to reach at least to where this log begins: an older one, left over from an
     * earlier attempt, might lack what the learner has acknowledged since. */
    send_message (self, peer, (struct zab_message){.type = ZAB_SNAP, .point = self->log.base});
}

static void send_diff (struct zab *self, struct peer *peer, zxid_t through)
{
    struct learner *learner = &peer->learner;
    struct zab_point point;
    bool found = history_floor (&self->log, learner->sent, &point);
    COHORT_ASSERT (found);
    COHORT_ASSERT (point.zxid == learner->sent);
    send_message (self, peer,
                  (struct zab_message){.type = ZAB_DIFF,
                                       .point = point,
                                       .entries_after = learner->sent,
                                       .entries_through = through});
    learner->sent = through;
    learner->diff_begun = true;
}

/* LeaderSyncFollower: as much as the window allows. */
static void send_diffs (struct zab *self, struct peer *peer)
{
    struct learner *learner = &peer->learner;
    COHORT_ASSERT (learner->phase == LEARNER_DIFF);
    if (learner->sent < self->log.base.zxid) {
        send_snapshot (self, peer); /* the log was compacted meanwhile */
        return;
    }
    while (history_bytes_after (&self->log, learner->sent) > self->sync_chunk_bytes) {
        if (learner->flight_count == self->sync_window) {
            return;
        }
        zxid_t end = history_chunk_end (&self->log, learner->sent, self->sync_chunk_bytes);
        if (end == self->log.last.zxid) {
            break; /* one entry, larger than a chunk */
        }
        send_diff (self, peer, end);
        learner->flight[learner->flight_count++] = end;
    }
    /* Zab.tla: LeaderSyncFollower ends, and NEWLEADER follows, in one action. */
    if (!learner->diff_begun ||
        (learner->sent != self->log.last.zxid && !COHORT_MUTATED (last_diff_left_out))) {
        send_diff (self, peer, self->log.last.zxid);
    }
    learner->phase = LEARNER_FORWARD;
    learner->joined = self->log.last.zxid;
    send_message (self, peer, (struct zab_message){.type = ZAB_NEWLEADER});
}

static void begin_diffs (struct zab *self, struct peer *peer, zxid_t agreed)
{
    struct learner *learner = &peer->learner;
    learner->phase = LEARNER_DIFF;
    learner->sent = agreed;
    learner->diff_begun = false;
    learner->flight_count = 0;
    send_diffs (self, peer);
}

/* The next step towards agreement, given what the learner has last told of its log. */
static void agree (struct zab *self, struct peer *peer, const struct zab_point *points,
                   size_t count)
{
    struct learner *learner = &peer->learner;
    struct zab_point point;
    enum history_agreement agreement = history_agree (&self->log, points, count, &point);
    if (COHORT_MUTATED (snapshot_left_out) && agreement == HISTORY_AGREE_NONE) {
        point = self->log.base;
        agreement = HISTORY_AGREE_FOUND;
    }
    if (COHORT_MUTATED (truncated_to_committed) && agreement == HISTORY_AGREE_FOUND &&
        point.zxid > self->committed) {
        (void) history_floor (&self->log, self->committed, &point);
    }
    switch (agreement) {
    case HISTORY_AGREE_FOUND:
        begin_diffs (self, peer, point.zxid);
        break;
    case HISTORY_AGREE_TRY:
        learner->phase = LEARNER_AGREE;
        learner->tried = point;
        send_message (self, peer, (struct zab_message){.type = ZAB_TRY, .point = point});
        break;
    case HISTORY_AGREE_NONE:
        send_snapshot (self, peer);
        break;
    }
}

void leader_sync_begin (struct zab *self, struct peer *peer)
{
    COHORT_ASSERT (self->lead.phase >= LEAD_SYNC);
    COHORT_ASSERT (peer->learner.phase == LEARNER_READY);
    peer->learner.progress_ms = self->now_ms;
    agree (self, peer, peer->learner.points, peer->learner.points_count);
}

void leader_process_try_answer (struct zab *self, struct peer *peer,
                                const struct zab_message *message)
{
    struct learner *learner = &peer->learner;
    struct zab_point tried = learner->tried;
    if (learner->phase != LEARNER_AGREE || message->point.zxid > tried.zxid) {
        peer_reset (self, peer, "unexpected TRY_ANSWER");
        return;
    }
    if (message->point.zxid == tried.zxid) {
        if (message->point.chain != tried.chain) {
            peer_reset (self, peer, "TRY_ANSWER with another hash");
            return;
        }
        /* tried may have been compacted away meanwhile: then this leads to a snapshot. */
    }
    leader_progress (self, peer);
    agree (self, peer, &message->point, 1);
}

void leader_process_sync_point (struct zab *self, struct peer *peer,
                                const struct zab_message *message)
{
    struct learner *learner = &peer->learner;
    leader_progress (self, peer);
    switch (learner->phase) {
    case LEARNER_SNAP:
        if (COHORT_MUTATED (newleader_before_diff)) {
            begin_diffs (self, peer, self->log.last.zxid);
        } else if (history_agrees (&self->log, message->point)) {
            begin_diffs (self, peer, message->point.zxid);
        } else if (message->point.zxid < self->log.base.zxid) {
            send_snapshot (self, peer); /* the log has moved on beyond that snapshot */
        } else {
            peer_reset (self, peer, "SYNC_POINT is not in the log");
        }
        break;
    case LEARNER_DIFF: {
        size_t done = 0;
        while (done < learner->flight_count && learner->flight[done] <= message->point.zxid) {
            done++;
        }
        learner->flight_count -= done;
        memmove (learner->flight, learner->flight + done,
                 learner->flight_count * sizeof learner->flight[0]);
        send_diffs (self, peer);
        break;
    }
    case LEARNER_FORWARD:
    case LEARNER_SYNCED:
        break; /* confirms DIFFs that were in flight when it joined */
    default:
        peer_reset (self, peer, "unexpected SYNC_POINT");
        break;
    }
}
