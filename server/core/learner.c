/* Synchronization, the learner's side.
 *
 * The order that matters: history durable, then currentEpoch durable, then ACK (e, 0), and no
 * acknowledgement of any entry of epoch e before that (ZOOKEEPER-3911, 4646, 4643, 4785, 4685).
 * History before epoch is safe even if a crash leaves it partial: the learner then holds a prefix
 * of the new history, and nothing outside of that was committed below e. Epoch before history is
 * not: a short log would win elections. May include: client/base, server/core. */

#include "server/core/state.h"

/* Two histories for one number, or a truncation of what is committed: never to be repaired. */
static void halt_diverged (struct zab *self, zxid_t zxid)
{
    if (zxid <= self->committed) {
        zab_halt (self, ZAB_HALT_DIVERGED, "the leader lacks what is committed here");
    } else {
        zab_halt (self, ZAB_HALT_CORRUPT, "two histories for one zxid");
    }
}

/* The leader looks for the highest point that both logs have. */
void follower_process_try (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    if (self->follow.phase != FOLLOW_READY) {
        peer_reset (self, peer, "unexpected TRY");
        return;
    }
    struct zab_point mine;
    if (message->point.zxid < self->committed ||
        !history_floor (&self->log, message->point.zxid, &mine)) {
        halt_diverged (self, message->point.zxid);
        return;
    }
    if (mine.zxid == message->point.zxid && mine.chain != message->point.chain) {
        halt_diverged (self, mine.zxid);
        return;
    }
    send_message (self, peer, (struct zab_message){.type = ZAB_TRY_ANSWER, .point = mine});
}

/* The first DIFF of a sync says where both logs agree; the rest of ours goes. */
static bool truncate_to (struct zab *self, struct peer *peer, struct zab_point point)
{
    struct zab_point mine;
    if (point.zxid < self->committed || !history_floor (&self->log, point.zxid, &mine)) {
        halt_diverged (self, point.zxid);
        return false;
    }
    if (mine.zxid != point.zxid) {
        peer_reset (self, peer, "DIFF after a point that is not in the log");
        return false;
    }
    if (mine.chain != point.chain) {
        halt_diverged (self, point.zxid);
        return false;
    }
    if (point.zxid < self->log.last.zxid && !COHORT_MUTATED (tail_kept)) {
        zab_note (self, "truncates", peer->id);
        persist_truncate (self, point.zxid);
    }
    return true;
}

void follower_process_diff (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    struct follow *follow = &self->follow;
    if (follow->phase == FOLLOW_READY) {
        if (!truncate_to (self, peer, message->point)) {
            return;
        }
        follow->phase = FOLLOW_DIFF;
        follow->reported = self->log.last.zxid;
        if (COHORT_MUTATED (epoch_before_history)) {
            persist_history (self, follow->epoch);
        }
    } else if (follow->phase != FOLLOW_DIFF || message->point.zxid != self->log.last.zxid ||
               message->point.chain != self->log.last.chain) {
        peer_reset (self, peer, "unexpected DIFF");
        return;
    }
    follower_append (self, peer, message);
}

void follower_process_snap (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    if (self->follow.phase == FOLLOW_DIFF) {
        /* What has come may still be on its way to the disk; a snapshot replaces a log that is at
         * rest. */
        role_look (self, "the leader's log begins behind this one now", peer->id);
        return;
    }
    if (self->follow.phase != FOLLOW_READY) {
        peer_reset (self, peer, "unexpected SNAP");
        return;
    }
    self->follow.phase = FOLLOW_SNAP;
    self->follow.snapshot = message->point.zxid;
}

/* A snapshot replaces the log only while this server waits for just that one, so that one which
 * was asked for earlier, perhaps in the name of another leader, cannot undo what was acknowledged
 * since. SNAP means that nothing of this log that is committed is above follow.snapshot. */
void follower_on_snapshot (struct zab *self, const struct zab_event *event)
{
    struct follow *follow = &self->follow;
    if (!role_is_learner (self) || follow->leader != event->peer || follow->phase != FOLLOW_SNAP ||
        event->point.zxid < follow->snapshot) {
        return;
    }
    if (event->point.zxid < self->committed) {
        zab_halt (self, ZAB_HALT_DIVERGED, "a snapshot older than what is committed here");
        return;
    }
    follow->phase = FOLLOW_INSTALL;
    persist_install (self, event->point);
}

void follower_on_installed (struct zab *self)
{
    struct follow *follow = &self->follow;
    if (!role_is_learner (self) || follow->phase != FOLLOW_INSTALL) {
        return; /* the leader was lost meanwhile */
    }
    const struct peer *leader = peer_find (self, follow->leader);
    COHORT_ASSERT (leader != NULL);
    follow->phase = FOLLOW_READY;
    follow->reported = self->log.last.zxid;
    send_message (self, leader,
                  (struct zab_message){.type = ZAB_SYNC_POINT, .point = self->log.last});
}

/* FollowerProcessNEWLEADER: (a) the history, (b) currentEpoch, each durable, then (c) ACK. The
 * store works through requests in their order, so (b) is durable only after (a). */
void follower_process_newleader (struct zab *self, struct peer *peer,
                                 const struct zab_message *message)
{
    struct follow *follow = &self->follow;
    (void) message;
    if (follow->phase != FOLLOW_DIFF) {
        peer_reset (self, peer, "unexpected NEWLEADER");
        return;
    }
    COHORT_ASSERT (self->accepted_durable == follow->epoch);
    follow->phase = FOLLOW_NEWLEADER;
    follow->history = self->log.last.zxid;
    if (self->current_epoch != follow->epoch ||
        (self->trust != ZAB_WHOLE && !COHORT_MUTATED (damaged_acks))) {
        persist_history (self, follow->epoch);
    }
    follow->newleader = self->request_number;
    follower_acknowledge (self);
}

/* FollowerProcessUPTODATE. */
void follower_process_uptodate (struct zab *self, struct peer *peer,
                                const struct zab_message *message)
{
    if (self->follow.phase != FOLLOW_SYNCED) {
        peer_reset (self, peer, "unexpected UPTODATE");
        return;
    }
    if (follower_commit (self, peer, message->zxid)) {
        self->follow.phase = FOLLOW_BROADCAST;
        zab_note (self, "synchronized", peer->id);
        follower_take_commit (self, peer, message);
    }
}

void follower_acknowledge (struct zab *self)
{
    struct follow *follow = &self->follow;
    if (!role_is_learner (self) || follow->phase < FOLLOW_DIFF) {
        return;
    }
    const struct peer *leader = peer_find (self, follow->leader);
    COHORT_ASSERT (leader != NULL);
    if (follow->phase == FOLLOW_DIFF && self->durable > follow->reported) {
        struct zab_point point;
        bool found = history_floor (&self->log, self->durable, &point);
        COHORT_ASSERT (found);
        follow->reported = point.zxid;
        send_message (self, leader, (struct zab_message){.type = ZAB_SYNC_POINT, .point = point});
    }
    if (follow->phase == FOLLOW_NEWLEADER &&
        (self->request_durable >= follow->newleader || COHORT_MUTATED (epoch_acked_early))) {
        follow->phase = FOLLOW_SYNCED;
        follow->acked = follow->history;
        send_message (self, leader,
                      (struct zab_message){.type = ZAB_ACK, .zxid = zxid_make (follow->epoch, 0)});
    }
    bool synced = follow->phase >= FOLLOW_SYNCED ||
                  (COHORT_MUTATED (entry_acked_first) && follow->phase == FOLLOW_NEWLEADER);
    if (synced && self->durable > follow->acked) {
        follow->acked = self->durable;
        send_message (self, leader, (struct zab_message){.type = ZAB_ACK, .zxid = self->durable});
    }
    if (COHORT_MUTATED (entry_acked_early) && follow->phase >= FOLLOW_SYNCED &&
        self->log.last.zxid > follow->acked) {
        follow->acked = self->log.last.zxid;
        send_message (self, leader, (struct zab_message){.type = ZAB_ACK, .zxid = follow->acked});
    }
}

/* Others have on their disks what this one owes, and its clients would wait for it; so they shall
 * look for another server. It comes back with its disk. */
void follower_check_store (struct zab *self)
{
    if (role_is_learner (self) && self->follow.phase == FOLLOW_BROADCAST && !self->full &&
        persist_lags (self) && !COHORT_MUTATED (hanging_follower_stays)) {
        role_look (self, "the store hangs", self->id);
    }
}
