/* Discovery: a new epoch, higher than any that a quorum has accepted, promised by a quorum.
 *
 * Only a strictly higher epoch is a promise. Zab.tla acknowledges an equal one too, which is safe
 * there because it tears down both ends of a link in one step; we acknowledge it uncounted.
 * The leader persists acceptedEpoch before LEADERINFO, the follower before ACKEPOCH, so that no
 * promise is ever forgotten (ZOOKEEPER-1291, 1282). May include: client/base, server/core. */

#include "client/base/mutation.h"
#include "server/core/state.h"

#include <string.h>

/* ---- The follower ------------------------------------------------------------------------ */

/* FollowerSendFOLLOWERINFO. */
void follower_begin (struct zab *self)
{
    COHORT_ASSERT (role_is_learner (self));
    const struct peer *leader = peer_find (self, self->follow.leader);
    COHORT_ASSERT (leader != NULL);
    self->follow.phase = FOLLOW_INFO;
    self->follow.session = ++self->session;
    self->follow.heard_ms = self->now_ms;
    send_message (self, leader,
                  (struct zab_message){.type = ZAB_FOLLOWERINFO,
                                       .epoch = COHORT_MUTATED (promise_unsaid)
                                                    ? self->current_durable
                                                    : self->accepted_durable});
}

/* FollowerProcessLEADERINFO. */
void follower_process_leaderinfo (struct zab *self, struct peer *peer,
                                  const struct zab_message *message)
{
    struct follow *follow = &self->follow;
    if (follow->phase != FOLLOW_INFO || message->epoch == 0 || message->epoch > ZXID_EPOCH_MAX) {
        peer_reset (self, peer, "unexpected LEADERINFO");
        return;
    }
    if (message->epoch < self->accepted_epoch) {
        role_look (self, "the leader's epoch is too low", peer->id);
        return;
    }
    follow->phase = FOLLOW_EPOCH;
    follow->epoch = message->epoch;
    bool promises = message->epoch > self->accepted_epoch;
    follow->counts =
        (promises || COHORT_MUTATED (promise_repeated)) && self->trust_durable != ZAB_DAMAGED;
    if (promises) {
        persist_epochs (self, message->epoch, self->current_epoch);
    }
    follower_on_epochs_durable (self);
}

/* The promise is on disk: ACKEPOCH tells where this log stands. */
void follower_on_epochs_durable (struct zab *self)
{
    struct follow *follow = &self->follow;
    if (!role_is_learner (self) || follow->phase != FOLLOW_EPOCH ||
        (self->accepted_durable != follow->epoch && !COHORT_MUTATED (promise_early))) {
        return;
    }
    const struct peer *leader = peer_find (self, follow->leader);
    COHORT_ASSERT (leader != NULL);
    follow->phase = FOLLOW_READY;
    size_t count = history_points (&self->log, self->points, ZAB_EPOCHS_MAX);
    send_message (self, leader,
                  (struct zab_message){.type = ZAB_ACKEPOCH,
                                       .epoch = COHORT_MUTATED (epoch_of_promise)
                                                    ? self->accepted_durable
                                                    : self->current_durable,
                                       .zxid = self->durable,
                                       .counts = follow->counts,
                                       .points = self->points,
                                       .points_count = count});
}

/* ---- The leader -------------------------------------------------------------------------- */

/* Whether the epoch that has been chosen can still get its quorum of promises. A voter that has
 * accepted it, or a higher one, from somebody else cannot promise it any more. */
static bool epoch_possible (const struct zab *self)
{
    struct id_set ids = self->lead.promises;
    id_set_add (&ids, self->id);
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (!peer->reset && peer_votes (self, peer) &&
            (peer->learner.phase < LEARNER_INFO ||
             peer->learner.accepted_epoch < self->lead.epoch)) {
            id_set_add (&ids, peer->id);
        }
    }
    return config_set_quorum (&self->configs, &ids);
}

/* LeaderProcessFOLLOWERINFO (Zab.tla: LeaderProcessCEPOCH). */
void leader_process_followerinfo (struct zab *self, struct peer *peer,
                                  const struct zab_message *message)
{
    if (role_is_learner (self) || self->role == ZAB_HALTED || self->leaving) {
        peer->owed = true; /* not here: see whom this server follows */
        return;
    }
    if (peer->vote.received && peer->vote.role == ZAB_LOOKING &&
        peer->vote.session >= message->session) {
        return; /* overtaken by its vote: this attempt has ended already */
    }
    peer_forget_learner (peer);
    peer->trust = message->trust;
    struct learner *learner = &peer->learner;
    learner->phase = LEARNER_INFO;
    learner->session = message->session;
    learner->accepted_epoch = message->epoch;
    learner->heard_ms = learner->progress_ms = self->now_ms;
    if (self->role != ZAB_LEADING) {
        return; /* it has finished the election before us; remembered until we have */
    }
    self->lead.progress_ms = self->now_ms;
    if (peer_counts (self, peer) && learner->accepted_epoch > self->epoch_seen) {
        self->epoch_seen = learner->accepted_epoch;
    }
    if (self->lead.epoch != 0 && peer_counts (self, peer)) {
        if (learner->accepted_epoch > self->lead.epoch &&
            !COHORT_MUTATED (higher_promise_ignored)) {
            leader_step_down (self, "a voter has accepted a higher epoch", peer->id);
            return;
        }
        if (self->lead.phase == LEAD_EPOCH && !epoch_possible (self) &&
            !COHORT_MUTATED (taken_epoch_kept)) {
            leader_step_down (self, "the epoch is taken", peer->id);
            return;
        }
    }
    leader_discover (self);
}

/* A quorum wants to follow: choose an epoch above all that it has accepted. */
static void choose_epoch (struct zab *self)
{
    struct lead *lead = &self->lead;
    struct id_set ids = {.count = 0};
    /* Above whatever made it step down last time, too: that voter may come late again. */
    uint32_t epoch =
        self->epoch_seen > self->accepted_epoch ? self->epoch_seen : self->accepted_epoch;
    id_set_add (&ids, self->id);
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (peer->reset || peer->learner.phase < LEARNER_INFO || !peer_counts (self, peer)) {
            continue;
        }
        if (peer_votes (self, peer)) {
            id_set_add (&ids, peer->id);
        }
        if (peer->learner.accepted_epoch > epoch) {
            epoch = peer->learner.accepted_epoch;
        }
    }
    if (!config_set_quorum (&self->configs, &ids) || self->now_ms < lead->epoch_ms) {
        return;
    }
    if (epoch >= ZXID_EPOCH_MAX) {
        zab_halt (self, ZAB_HALT_EXHAUSTED, "no epoch left");
        return;
    }
    lead->phase = LEAD_EPOCH;
    lead->epoch = epoch + 1;
    self->epoch_chosen_ms = self->now_ms;
    id_set_clear (&lead->promises);
    id_set_clear (&lead->covered);
    zab_note (self, "chooses an epoch", self->id);
    persist_epochs (self, lead->epoch, self->current_epoch);
}

/* Whether nothing can have been committed, in any earlier epoch, that our log lacks. Whoever has
 * acknowledged an entry that we lack is not among the covered; so it is enough that there is no
 * quorum without them. With whole logs the covered are those who have promised, and a quorum of
 * them is asked for anyway; a suspect log covers nothing unless ours is at least as recent as its
 * lost end may have been. Where that does not decide, everybody must have promised, each with less
 * than we have: then what is lost cannot be had from anyone, and the rest is what there is. */
static bool history_is_complete (const struct zab *self)
{
    const struct lead *lead = &self->lead;
    return COHORT_MUTATED (suspect_unasked) || config_set_blocks (&self->configs, &lead->covered) ||
           config_set_all (&self->configs, &lead->promises);
}

/* Whether a voter is here that has accepted this epoch, or a higher one, from somebody else. Where
 * a quorum is not enough it may be just the one that is waited for; it can promise the next one. */
static bool somebody_cannot_promise (const struct zab *self)
{
    const struct lead *lead = &self->lead;
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (!peer->reset && peer_votes (self, peer) && peer->learner.phase >= LEARNER_INFO &&
            peer->learner.accepted_epoch >= lead->epoch &&
            !id_set_has (&lead->promises, peer->id)) {
            return true;
        }
    }
    return false;
}

/* A quorum has promised to follow no lower epoch, and none of it knows more than we do: our log
 * is the initial history. Its own currentEpoch goes to the disk while NEWLEADER is on its way;
 * the leader acknowledges its own NEWLEADER only when that is durable. */
static void establish (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (lead->phase == LEAD_EPOCH);
    COHORT_ASSERT (self->durable == self->log.last.zxid);
    lead->phase = LEAD_SYNC;
    lead->history = self->log.last.zxid;
    lead->progress_ms = self->now_ms;
    zab_note (self, "history fixed", self->id);
    persist_history (self, lead->epoch);
    for (size_t i = 0; i < self->peers_count; i++) {
        struct peer *peer = self->peers[i];
        if (!peer->reset && peer->learner.phase == LEARNER_READY) {
            leader_sync_begin (self, peer);
        }
    }
}

void leader_discover (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (self->role == ZAB_LEADING);
    if (lead->phase == LEAD_DISCOVERY) {
        choose_epoch (self);
    }
    if (self->role != ZAB_LEADING || lead->epoch == 0 ||
        (self->accepted_durable != lead->epoch && !COHORT_MUTATED (leaderinfo_early))) {
        return;
    }
    if (lead->phase == LEAD_EPOCH && id_set_add (&lead->promises, self->id)) {
        self->votes_owed = true; /* LEADING, with its epoch: for whoever has missed the election */
        if (self->trust_durable == ZAB_WHOLE) {
            id_set_add (&lead->covered, self->id);
        }
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        struct peer *peer = self->peers[i];
        /* An observer, or an uncounted store, may have accepted more: it waits for a later one. */
        if (!peer->reset && peer->learner.phase == LEARNER_INFO &&
            peer->learner.accepted_epoch <= lead->epoch) {
            peer->learner.phase = LEARNER_EPOCH;
            peer->learner.progress_ms = self->now_ms;
            send_message (self, peer, (struct zab_message){.type = ZAB_LEADERINFO});
        }
    }
    if (lead->phase != LEAD_EPOCH || !config_set_quorum (&self->configs, &lead->promises)) {
        return;
    }
    if (history_is_complete (self)) {
        establish (self);
    } else if (somebody_cannot_promise (self)) {
        leader_step_down (self, "the epoch is taken", self->id);
    } else {
        zab_note (self, "waits: a lost entry may have been acknowledged", self->id);
    }
}

static bool points_sound (const struct zab_message *message)
{
    if (message->points_count < 1 || message->points_count > ZAB_EPOCHS_MAX) {
        return false;
    }
    for (size_t i = 1; i < message->points_count; i++) {
        if (message->points[i].zxid <= message->points[i - 1].zxid) {
            return false;
        }
    }
    return message->points[message->points_count - 1].zxid == message->zxid;
}

/* How our log compares with one that ends at zxid, in currentEpoch `epoch`. */
static int compare_log (const struct zab *self, uint32_t epoch, zxid_t zxid)
{
    zxid_t last = self->log.last.zxid;
    return election_compare (election_epoch (self->trust, self->current_epoch, last), last, 0,
                             epoch, zxid, 0);
}

/* A promise. Everything that its giver has ever acknowledged is in a history that is at most as
 * recent as its log, or as the lost end of its log may have been. */
static void take_promise (struct zab *self, const struct peer *peer,
                          const struct zab_message *message)
{
    struct lead *lead = &self->lead;
    zxid_t end = message->zxid;
    if (message->trust == ZAB_SUSPECT && message->suspect > end &&
        !COHORT_MUTATED (suspect_end_ignored)) {
        end = message->suspect;
    }
    id_set_add (&lead->promises, peer->id);
    if (compare_log (self, message->epoch, end) >= 0) {
        id_set_add (&lead->covered, peer->id);
    }
}

/* LeaderProcessACKEPOCH. The paper's leader takes over the best history of its quorum; like
 * ZooKeeper, ours gives way to whoever has a better one. */
void leader_process_ackepoch (struct zab *self, struct peer *peer,
                              const struct zab_message *message)
{
    struct learner *learner = &peer->learner;
    struct lead *lead = &self->lead;
    if (learner->phase != LEARNER_EPOCH || !points_sound (message)) {
        peer_reset (self, peer, "unexpected ACKEPOCH");
        return;
    }
    peer->trust = message->trust;
    learner->phase = LEARNER_READY;
    learner->points_count = message->points_count;
    memcpy (learner->points, message->points, message->points_count * sizeof *message->points);
    leader_progress (self, peer);
    if (lead->phase == LEAD_EPOCH) {
        bool counts = message->counts || COHORT_MUTATED (uncounted_promises);
        if (counts && peer_votes (self, peer)) { /* so its log is not damaged */
            uint32_t epoch = election_epoch (message->trust, message->epoch, message->zxid);
            if (compare_log (self, epoch, message->zxid) < 0 &&
                !COHORT_MUTATED (better_follower_ignored)) {
                leader_step_down (self, "a follower knows more", peer->id);
                return;
            }
            take_promise (self, peer, message);
        }
        leader_discover (self);
        return;
    }
    COHORT_ASSERT (lead->phase >= LEAD_SYNC);
    leader_sync_begin (self, peer);
}
