/* Broadcast: proposals in one order, acknowledged when durable, committed by quorums.
 * May include: client/base, server/core. */

#include "server/core/state.h"

#include "client/base/alloc.h"
#include "client/base/mutation.h"

/* ---- The leader -------------------------------------------------------------------------- */

static bool reserve_entries (struct zab *self, size_t count)
{
    if (count <= self->entries_capacity) {
        return true;
    }
    size_t capacity = self->entries_capacity > 0 ? self->entries_capacity : 64;
    while (capacity < count) {
        capacity *= 2;
    }
    struct zab_entry *entries = mem_realloc (self->entries, capacity * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    self->entries = entries;
    self->entries_capacity = capacity;
    return true;
}

/* What of a moment is left behind a slow step of the stamps counts for the next one. */
static void stamp_advance (struct zab *self)
{
    int64_t stamp_ms = zab_stamp_ms (self, self->now_ms, self->wall_ms);
    bool slow = stamp_ms > self->wall_ms;
    self->stamped_ms =
        slow ? self->stamped_ms + (stamp_ms - self->stamp_ms) * ZAB_STAMP_SLOWNESS : self->now_ms;
    self->stamp_ms = stamp_ms;
}

/* LeaderProcessRequest and LeaderBroadcastPROPOSAL (Zab.tla); DSN 2011, section IV, phase 3:
 * only an activated leader proposes. The leader's own disk and the followers' work at the same
 * time; its own acknowledgement counts, as anybody's, when it is durable. */
void leader_propose (struct zab *self, const struct zab_proposal *proposals, size_t count)
{
    COHORT_ASSERT (self->role == ZAB_LEADING);
    COHORT_ASSERT (self->lead.phase == LEAD_BROADCAST);
    COHORT_ASSERT (count <= ZAB_PROPOSALS_MAX);
    if (count == 0) {
        return;
    }
    if (!reserve_entries (self, count)) {
        zab_halt (self, ZAB_HALT_MEMORY, "out of memory");
        return;
    }
    zxid_t after = self->log.last.zxid;
    stamp_advance (self);
    for (size_t i = 0; i < count; i++) {
        struct zab_entry *entry = &self->entries[i];
        zxid_t last = self->log.last.zxid;
        bool first = zxid_epoch (last) != self->lead.epoch;
        COHORT_ASSERT (first || zxid_counter (last) < ZXID_COUNTER_MAX);
        entry->zxid = first ? zxid_make (self->lead.epoch, 1) : last + 1;
        entry->stamp_ms = COHORT_MUTATED (stamp_of_clock) ? self->wall_ms : self->stamp_ms;
        entry->data = proposals[i].data;
        entry->size = proposals[i].size;
        entry->chain = zab_chain (self->log.last.chain, entry->zxid, entry->stamp_ms, entry->data,
                                  entry->size);
        if (!zab_append (self, entry)) {
            return;
        }
    }
    persist_entries (self, self->entries, count);
    for (size_t i = 0; i < self->peers_count; i++) {
        struct peer *peer = self->peers[i];
        /* All that were sent NEWLEADER, not only those who have acknowledged it. */
        if (peer->reset || peer->learner.phase < LEARNER_FORWARD ||
            (COHORT_MUTATED (proposal_to_synced) && peer->learner.phase < LEARNER_SYNCED)) {
            continue;
        }
        COHORT_ASSERT (peer->learner.sent == after);
        send_message (self, peer,
                      (struct zab_message){.type = ZAB_PROPOSAL,
                                           .entries_after = after,
                                           .entries_through = self->log.last.zxid});
        peer->learner.sent = self->log.last.zxid;
    }
    uint64_t counter = zxid_counter (self->log.last.zxid);
    bool ends = COHORT_MUTATED (counter_ends_early) ? counter > self->counter_max / 8
                                                    : counter >= self->counter_max;
    if (ends && !COHORT_MUTATED (counter_never_ends)) {
        zab_note (self, "the counter ends", self->id);
        leader_hand_over (self);
    }
}

/* LeaderProcessACK and LeaderProcessACKLD (Zab.tla). Cumulative. */
void leader_process_ack (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    struct learner *learner = &peer->learner;
    if (message->zxid == zxid_make (self->lead.epoch, 0)) {
        if (learner->phase != LEARNER_FORWARD) {
            peer_reset (self, peer, "unexpected ACK of NEWLEADER");
            return;
        }
        learner->phase = LEARNER_SYNCED;
        peer->trust = ZAB_WHOLE; /* only a whole log acknowledges an epoch */
        learner->acked = learner->joined;
        leader_progress (self, peer);
        zab_note (self, "acknowledges the epoch", peer->id);
    } else {
        if (learner->phase != LEARNER_SYNCED || message->zxid <= learner->acked ||
            message->zxid > learner->sent) {
            peer_reset (self, peer, "unexpected ACK");
            return;
        }
        learner->acked = message->zxid;
    }
    leader_commit (self);
}

/* Whether a quorum holds everything up to zxid durably, this server included or not: its own disk
 * is one vote, and no more. */
static bool held_by_quorum (const struct zab *self, zxid_t zxid)
{
    struct id_set ids = {.count = 0};
    if ((self->durable >= zxid && self->current_durable == self->lead.epoch) ||
        COHORT_MUTATED (own_ack_early)) {
        id_set_add (&ids, self->id);
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (!peer->reset && peer->learner.phase == LEARNER_SYNCED && peer->learner.acked >= zxid &&
            peer_counts (self, peer)) {
            id_set_add (&ids, peer->id);
        }
    }
    return config_set_quorum (&self->configs, &ids);
}

/* A quorum has acknowledged NEWLEADER: the initial history is committed (Zab.tla,
 * LeaderProcessACKLD). */
static void activate (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (lead->phase == LEAD_SYNC);
    if (self->current_durable != lead->epoch ||
        (!held_by_quorum (self, lead->history) && !COHORT_MUTATED (activated_alone))) {
        return;
    }
    COHORT_ASSERT (self->log.last.zxid == lead->history);
    COHORT_ASSERT (self->durable == lead->history);
    lead->phase = LEAD_BROADCAST;
    lead->quorum_ms = self->now_ms;
    self->discoveries_failed = 0;
    self->committed = lead->history;
    zab_note (self, "activated", self->id);
}

/* Commits entry k when k - 1 is committed and a quorum of every configuration holds k: since
 * acknowledgements are cumulative, that is the highest acknowledged zxid that a quorum holds. */
void leader_commit (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (self->role == ZAB_LEADING);
    if (lead->phase == LEAD_SYNC) {
        activate (self);
    }
    if (lead->phase < LEAD_BROADCAST) {
        return;
    }
    zxid_t best = self->committed;
    if (self->durable > best && held_by_quorum (self, self->durable)) {
        best = self->durable;
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (!peer->reset && peer->learner.acked > best &&
            held_by_quorum (self, peer->learner.acked)) {
            best = peer->learner.acked;
        }
    }
    COHORT_ASSERT (best <= self->log.last.zxid);
    COHORT_ASSERT (best == self->committed || zxid_epoch (best) == lead->epoch);
    self->committed = best;
    leader_count_rounds (self);
}

/* Whether the disks of this server and of the learner are a quorum. */
static bool is_quorum_with (const struct zab *self, const struct peer *peer)
{
    struct id_set ids = {.count = 0};
    id_set_add (&ids, self->id);
    id_set_add (&ids, peer->id);
    return (peer_counts (self, peer) && config_set_quorum (&self->configs, &ids)) ||
           COHORT_MUTATED (two_are_a_quorum);
}

/* A learner that is a quorum with this server commits by itself what is on both disks, and so hears
 * of this one's instead: half a round trip earlier than the other's acknowledgement could tell. It
 * is the rule of leader_commit, applied where the learner's disk is. What it was told stays true.
 */
void leader_flush_commits (struct zab *self)
{
    if (self->role != ZAB_LEADING || self->lead.phase < LEAD_BROADCAST) {
        return;
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        struct peer *peer = self->peers[i];
        struct learner *learner = &peer->learner;
        if (peer->reset ||
            (learner->phase != LEARNER_SYNCED &&
             !(COHORT_MUTATED (commit_too_early) && learner->phase == LEARNER_FORWARD))) {
            continue;
        }
        bool quorum = is_quorum_with (self, peer);
        zxid_t news = quorum && self->durable > self->committed ? self->durable : self->committed;
        if (learner->uptodate && news <= learner->told) {
            continue;
        }
        send_message (self, peer,
                      (struct zab_message){.type = learner->uptodate ? ZAB_COMMIT : ZAB_UPTODATE,
                                           .zxid = self->committed,
                                           .counts = quorum});
        learner->uptodate = true;
        learner->told = news;
    }
}

/* ---- The follower ------------------------------------------------------------------------ */

/* Whether the entries of a message continue the log; *skip: how many of them it has already. */
static bool entries_follow (struct zab *self, struct peer *peer, const struct zab_message *message,
                            size_t *skip)
{
    struct zab_point last = self->log.last;
    *skip = 0;
    for (size_t i = 0; i < message->entries_count; i++) {
        const struct zab_entry *entry = &message->entries[i];
        if (entry->zxid <= self->log.last.zxid) {
            /* Zab.tla drops redundant proposals (its Issue 2); one number with another hash from
             * one leader is the proof that something is corrupt. */
            if (!history_agrees (&self->log, (struct zab_point){entry->zxid, entry->chain})) {
                zab_halt (self, ZAB_HALT_CORRUPT, "two entries for one zxid");
                return false;
            }
            *skip = i + 1;
            continue;
        }
        if (!zxid_follows (entry->zxid, last.zxid) && !COHORT_MUTATED (gaps_ignored)) {
            peer_reset (self, peer, "gap in the entries");
            return false;
        }
        if (zxid_epoch (entry->zxid) > self->follow.epoch) {
            peer_reset (self, peer, "an entry of a later epoch");
            return false;
        }
        if (entry->chain !=
            zab_chain (last.chain, entry->zxid, entry->stamp_ms, entry->data, entry->size)) {
            /* Damaged on the way, or in the leader's memory: not proven to be ours. */
            peer_reset (self, peer, "damaged entry");
            return false;
        }
        last = (struct zab_point){entry->zxid, entry->chain};
    }
    return true;
}

bool follower_append (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    size_t skip;
    if (!entries_follow (self, peer, message, &skip)) {
        return false;
    }
    for (size_t i = skip; i < message->entries_count; i++) {
        if (!zab_append (self, &message->entries[i])) {
            return false;
        }
    }
    if (message->entries_count > skip) {
        persist_entries (self, message->entries + skip, message->entries_count - skip);
    }
    return true;
}

/* FollowerProcessPROPOSAL. ZooKeeper's Follower only warns of a gap; a gap resets the link. */
void follower_process_proposal (struct zab *self, struct peer *peer,
                                const struct zab_message *message)
{
    if (self->follow.phase < FOLLOW_NEWLEADER) {
        peer_reset (self, peer, "unexpected PROPOSAL");
        return;
    }
    follower_append (self, peer, message);
}

bool follower_commit (struct zab *self, struct peer *peer, zxid_t zxid)
{
    if (zxid <= self->committed) {
        return true;
    }
    if (!history_has (&self->log, zxid)) {
        peer_reset (self, peer, "a commit beyond the log");
        return false;
    }
    self->committed = zxid;
    return true;
}

/* Only from UPTODATE on, so only of this epoch: this server had promised no later one when its disk
 * had the entry, nor had the leader, and whoever may lead after them hears one of the two. */
void follower_commit_held (struct zab *self)
{
    const struct follow *follow = &self->follow;
    if (follow->phase != FOLLOW_BROADCAST) {
        return;
    }
    zxid_t held = follow->held < self->durable && !COHORT_MUTATED (commits_alone) ? follow->held
                                                                                  : self->durable;
    struct peer *leader = peer_find (self, follow->leader);
    COHORT_ASSERT (leader != NULL);
    follower_commit (self, leader, held);
}

/* UPTODATE and COMMIT. */
void follower_take_commit (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    struct follow *follow = &self->follow;
    COHORT_ASSERT (follow->phase == FOLLOW_BROADCAST);
    if (message->counts && message->durable > follow->held) {
        follow->held = message->durable;
    }
    if (follower_commit (self, peer, message->zxid)) {
        follower_commit_held (self);
    }
}

/* FollowerProcessCOMMIT. */
void follower_process_commit (struct zab *self, struct peer *peer,
                              const struct zab_message *message)
{
    if (self->follow.phase != FOLLOW_BROADCAST) {
        peer_reset (self, peer, "unexpected COMMIT");
        return;
    }
    follower_take_commit (self, peer, message);
}
