/* Fast leader election: who should lead. It picks a candidate and no more; discovery checks all
 * that safety needs again (docs/zab.md, section 2; ZooKeeper's FastLeaderElection.lookForLeader).
 *
 * Votes are ordered by (currentEpoch, last durable zxid, room on the disk, id). A server votes only
 * when its store has drained: its vote speaks of the disk, never of memory (ZOOKEEPER-2845). What
 * waits for room on a full disk is withdrawn first.
 *
 * What the loss of a leader costs (kill -9, three servers A, B and the leader; B wins):
 *
 *     both hear LINK_DOWN and vote for themselves                       0
 *     A gets B's better vote; all whom it reaches agree: FOLLOWING,
 *       its vote and FOLLOWERINFO go out together                     1/2 round trip
 *     B gets both: LEADING, a quorum; acceptedEpoch                     1 round trip  + 1 fsync
 *     A gets LEADERINFO; acceptedEpoch                              1 1/2             + 1 fsync
 *     B gets ACKEPOCH: DIFF, NEWLEADER; currentEpoch meanwhile          2
 *     A gets them; currentEpoch (the DIFF is empty)                 2 1/2             + 1 fsync
 *     B gets ACK (e, 0): activated                                      3 round trips, 3 fsyncs
 *
 * and no timer; plus what the two disks had in flight. A server behind learns of it half a round
 * trip later (UPTODATE).
 *
 * May include: client/base, server/core. */

#include "server/core/state.h"

#include <string.h>

int election_compare (uint32_t epoch_a, zxid_t zxid_a, uint32_t id_a, uint32_t epoch_b,
                      zxid_t zxid_b, uint32_t id_b)
{
    if (epoch_a != epoch_b && !COHORT_MUTATED (zxid_alone)) {
        return epoch_a < epoch_b ? -1 : 1;
    }
    if (zxid_a != zxid_b) {
        return zxid_a < zxid_b ? -1 : 1;
    }
    return id_a < id_b ? -1 : id_a > id_b;
}

/* currentEpoch says that the log holds what that epoch began with. If the end of the log is lost,
 * that may be, too; but whoever has an entry of an epoch has what that epoch began with. */
uint32_t election_epoch (enum zab_trust trust, uint32_t current_epoch, zxid_t last)
{
    COHORT_ASSERT (trust != ZAB_DAMAGED);
    bool lost = trust == ZAB_SUSPECT && zxid_epoch (last) < current_epoch;
    return lost ? zxid_epoch (last) : current_epoch;
}

/* Whether it makes sense to vote for, or to follow, this server. Someone behind a link that is
 * down may be dead; and following it is impossible anyway. */
static bool eligible (const struct zab *self, uint32_t id)
{
    if (id == self->id) {
        return zab_votes (self) && !self->leaving && !self->abstains;
    }
    const struct peer *peer = peer_find (self, id);
    return peer != NULL && peer_votes (self, peer) && !peer->leaving;
}

/* Whether this server, which is eligible, has room for entries. */
static bool has_room (const struct zab *self, uint32_t id)
{
    if (id == self->id) {
        return !self->full;
    }
    const struct peer *peer = peer_find (self, id);
    return peer != NULL && !peer->full;
}

/* Of two with the same history it is better that one with room leads. */
static bool is_better (const struct zab *self, const struct vote *vote)
{
    const struct vote *mine = &self->vote;
    int order = election_compare (vote->epoch, vote->zxid, 0, mine->epoch, mine->zxid, 0);
    bool room = has_room (self, vote->leader), my_room = has_room (self, mine->leader);
    if (order == 0 && room != my_room) {
        return room;
    }
    return order > 0 || (order == 0 && vote->leader > mine->leader);
}

/* Our vote for ourselves, or for nobody if we cannot be elected: then it is just a question. */
static void vote_initially (struct zab *self)
{
    COHORT_ASSERT (persist_drained (self));
    COHORT_ASSERT (self->durable == self->log.last.zxid);
    memset (&self->vote, 0, sizeof self->vote);
    if (eligible (self, self->id)) {
        self->vote.leader = self->id;
        self->vote.epoch =
            election_epoch (self->trust_durable, self->current_durable, self->durable);
        self->vote.zxid = COHORT_MUTATED (vote_from_memory) ? self->log.last.zxid : self->durable;
    }
    self->votes_owed = true;
    self->settled_ms = ZAB_NEVER;
}

static void finish (struct zab *self, uint32_t leader)
{
    COHORT_ASSERT (leader != 0);
    const struct config_member *member = config_set_find (&self->configs, self->id);
    self->votes_owed = true;
    if (leader == self->id) {
        zab_note (self, "elected", self->id);
        role_become (self, ZAB_LEADING, leader);
    } else if (member == NULL || member->role == CONFIG_OBSERVER) {
        zab_note (self, "observes", leader);
        role_become (self, ZAB_OBSERVING, leader);
    } else {
        zab_note (self, "follows", leader);
        role_become (self, ZAB_FOLLOWING, leader);
    }
}

static zxid_t config_version (const struct zab *self)
{
    return self->configs.configs[self->configs.count - 1].version;
}

static bool knows_later (const struct zab *self, const struct peer *peer)
{
    return peer->vote.config_version > config_version (self);
}

/* A voter whose store the configuration does not list: it was emptied. A later configuration may
 * list it, and who has that counts on its vote: it is given to those who have a later one, and is
 * worth what they know. It does not stand itself. */
static bool may_count_elsewhere (const struct zab *self)
{
    const struct config_member *member = config_set_find (&self->configs, self->id);
    return !zab_counts (self) && member != NULL && member->role == CONFIG_VOTER &&
           self->trust_durable != ZAB_DAMAGED;
}

/* Whether this leader may be followed. One that a quorum has promised to, and whose configuration
 * is later than ours, may do without counting in ours: its store may have been listed since; and
 * how should we learn of it from anybody else? */
static bool may_follow (const struct zab *self, const struct peer *leader)
{
    if (leader->reset || leader->leaving) {
        return false;
    }
    return eligible (self, leader->id) || (leader->vote.established && knows_later (self, leader));
}

/* A leader for a latecomer: it says LEADING itself, and a quorum names it, this server included,
 * which is about to follow it; or it says that a quorum has promised, for those who do not reach
 * each other; or ours may be the very promise that it lacks. Of several the one with the highest
 * epoch. */
static const struct peer *established_leader (const struct zab *self)
{
    const struct peer *best = NULL;
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *leader = self->peers[i];
        if (!leader->vote.received || leader->vote.role != ZAB_LEADING ||
            !may_follow (self, leader)) {
            continue;
        }
        struct id_set ids = {.count = 0};
        id_set_add (&ids, leader->id);
        if (zab_votes (self)) {
            id_set_add (&ids, self->id);
        }
        for (size_t k = 0; k < self->peers_count; k++) {
            const struct peer *peer = self->peers[k];
            if (!peer->reset && peer_votes (self, peer) && peer->vote.received &&
                peer->vote.role == ZAB_FOLLOWING && peer->vote.leader == leader->id) {
                id_set_add (&ids, peer->id);
            }
        }
        bool awaits_us = may_count_elsewhere (self) && knows_later (self, leader);
        if ((leader->vote.established || awaits_us || config_set_quorum (&self->configs, &ids)) &&
            (best == NULL || leader->vote.epoch > best->vote.epoch)) {
            best = leader;
        }
    }
    return best;
}

/* Adopts the best vote of this round. */
static void adopt (struct zab *self)
{
    bool elsewhere = !zab_votes (self);
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        const struct vote *vote = &peer->vote;
        if (peer->reset || !vote->received || vote->role != ZAB_LOOKING ||
            vote->round != self->round || vote->leader == self->id ||
            id_set_has (&self->barred, vote->leader) || !peer_votes (self, peer) ||
            !eligible (self, vote->leader) || (elsewhere && !knows_later (self, peer))) {
            continue;
        }
        if (self->vote.leader == 0 || is_better (self, vote)) {
            self->vote.leader = vote->leader;
            self->vote.epoch = vote->epoch;
            self->vote.zxid = vote->zxid;
            self->votes_owed = true;
            self->settled_ms = ZAB_NEVER;
        }
    }
}

/* Who finishes at once may err, as another's vote is about to change; two such servers could chase
 * each other without end, and without time passing. So every attempt that comes to nothing makes
 * the next one more patient. */
static int64_t settle_ms (struct zab *self)
{
    unsigned doublings = self->futile > 0 ? self->futile - 1 : 0;
    if (doublings > ZAB_FUTILE_MAX) {
        doublings = ZAB_FUTILE_MAX;
    }
    return self->settle_ms << doublings;
}

/* Looks at all votes again and finishes if they allow it. */
static void evaluate (struct zab *self)
{
    COHORT_ASSERT (self->role == ZAB_LOOKING);
    if (!self->voting) {
        return;
    }
    const struct peer *leader = established_leader (self);
    if (leader != NULL) {
        self->round = leader->vote.round;
        finish (self, leader->id);
        return;
    }
    if (zab_votes (self) || may_count_elsewhere (self)) {
        adopt (self);
    }
    if (self->vote.leader == 0 || !zab_votes (self)) {
        return; /* nobody to elect, or others elect */
    }
    struct id_set ids = {.count = 0};
    bool all = true, leads = false;
    id_set_add (&ids, self->id);
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (peer->reset || peer->leaving || !peer_votes (self, peer)) {
            continue;
        }
        const struct vote *vote = &peer->vote;
        if (vote->received && vote->round == self->round && vote->leader == self->vote.leader) {
            id_set_add (&ids, peer->id);
            leads |= vote->role == ZAB_LEADING;
        } else {
            all = false;
        }
    }
    if (!config_set_quorum (&self->configs, &ids)) {
        self->settled_ms = ZAB_NEVER;
        return;
    }
    /* Who leads was less patient: it has its votes, and now waits for us. */
    if (leads || (all && self->futile == 0) || self->now_ms >= self->settled_ms) {
        finish (self, self->vote.leader);
    } else if (self->settled_ms == ZAB_NEVER) {
        self->settled_ms = self->now_ms + settle_ms (self);
    }
}

/* Votes in the round of whoever is ahead, anew. */
static void join_round (struct zab *self)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct vote *vote = &self->peers[i]->vote;
        if (vote->received && vote->role == ZAB_LOOKING && vote->round > self->round) {
            self->round = vote->round;
        }
    }
    vote_initially (self);
}

static void new_round (struct zab *self)
{
    self->round++;
    join_round (self);
}

/* now + after, and up to a half more. */
static int64_t later (struct zab *self, int64_t after_ms)
{
    return self->now_ms + after_ms +
           (int64_t) prng_below (&self->prng, (uint64_t) after_ms / 2 + 1);
}

/* A quorum votes in this round, and nobody gets one. If the candidate stands for itself, then some
 * of those who would have to follow it cannot reach it (links fail one by one, too): vote without
 * it, and without whoever comes next and fares no better, until there is nobody left to try. */
static void bar_candidate (struct zab *self)
{
    self->stuck_ms = later (self, ZAB_STUCK_MS);
    if (self->settled_ms != ZAB_NEVER) {
        return; /* somebody has one, and all that is waited for are better votes */
    }
    const struct peer *candidate = peer_find (self, self->vote.leader);
    if (candidate == NULL || !zab_votes (self) || !candidate->vote.received ||
        candidate->vote.round != self->round || candidate->vote.leader != candidate->id) {
        id_set_clear (&self->barred);
        return;
    }
    struct id_set ids = {.count = 0};
    id_set_add (&ids, self->id);
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (!peer->reset && peer_votes (self, peer) && peer->vote.received &&
            peer->vote.role == ZAB_LOOKING && peer->vote.round == self->round) {
            id_set_add (&ids, peer->id);
        }
    }
    if (config_set_quorum (&self->configs, &ids) && !COHORT_MUTATED (never_barred)) {
        id_set_add (&self->barred, candidate->id);
        zab_note (self, "nobody gets a quorum: votes without", candidate->id);
        new_round (self);
    }
}

/* Becomes a voter as soon as the store has drained. */
static void begin_voting (struct zab *self)
{
    COHORT_ASSERT (self->role == ZAB_LOOKING);
    if (self->voting || self->leaving || !self->started ||
        (!persist_drained (self) && !COHORT_MUTATED (vote_from_memory))) {
        return;
    }
    self->voting = true;
    join_round (self);
    self->resend_after_ms = ZAB_RESEND_MS;
    self->resend_ms = later (self, self->resend_after_ms);
    self->stuck_ms = later (self, ZAB_STUCK_MS);
    evaluate (self);
}

void election_start (struct zab *self)
{
    /* Whoever followed or led when this server last heard of it may have stopped: ask again. */
    for (size_t i = 0; i < self->peers_count; i++) {
        if (self->peers[i]->vote.role != ZAB_LOOKING) {
            self->peers[i]->vote.received = false;
        }
    }
    /* Whoever follows or leads this server hears at once that it does not any more, even if it has
     * no vote yet. */
    self->round++;
    self->votes_owed = true;
    begin_voting (self);
}

void election_on_drained (struct zab *self)
{
    COHORT_ASSERT (persist_drained (self));
    if (self->role == ZAB_LOOKING) {
        begin_voting (self);
    }
}

/* Whoever is LOOKING behind the new link, or leads without a quorum, hears at once how it is. */
void election_on_link_up (struct zab *self, struct peer *peer)
{
    (void) self;
    peer->owed = true;
}

void election_on_link_down (struct zab *self, uint32_t id)
{
    COHORT_ASSERT (self->role == ZAB_LOOKING);
    if (!self->voting) {
        return;
    }
    if (self->vote.leader == id) {
        new_round (self);
    }
    evaluate (self);
}

void election_anew (struct zab *self)
{
    COHORT_ASSERT (self->role == ZAB_LOOKING);
    if (self->voting) {
        new_round (self);
        evaluate (self);
    }
}

/* Within a round votes change only for better ones, and what was better may be no more: so those
 * who voted by what has changed vote anew. */
void election_on_space (struct zab *self, uint32_t id)
{
    if (self->role == ZAB_LOOKING && self->voting && (id == self->id || self->vote.leader == id)) {
        new_round (self);
        evaluate (self);
    }
}

/* Somebody is LOOKING and tells us, who have a leader. */
static void answer_with_leader (struct zab *self, struct peer *peer)
{
    peer->owed = true;
    if (!role_is_learner (self) || self->follow.leader != peer->id) {
        return;
    }
    /* Our own leader. It may just not have finished the election that we have finished: then it
     * still votes for itself, in our round. Once it leads it never votes in that round again, so
     * such a vote may also have been overtaken by what it sent as a leader. */
    const struct vote *vote = &peer->vote;
    bool waits = vote->round <= self->round &&
                 (vote->leader == peer->id || self->follow.phase > FOLLOW_INFO);
    if (!waits) {
        role_look (self, "the leader is looking", peer->id);
    }
}

/* A configuration is named by the entry that made it, and who has it has applied that entry: so it
 * is committed, and where it stands in this log, so is all that comes before it. It may be that
 * nobody else can tell: the one who could has a damaged log, and will not lead; and without what
 * the entry says there may be no quorum. */
static void learn_commit (struct zab *self, const struct peer *peer, zxid_t version)
{
    if (version > self->committed && version <= self->durable &&
        history_has (&self->log, version)) {
        zab_note (self, "knows what is committed", peer->id);
        self->committed = version;
    }
}

void election_process_vote (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    if (message->role < ZAB_LOOKING || message->role > ZAB_OBSERVING ||
        (message->role == ZAB_LEADING && message->leader != peer->id)) {
        peer_reset (self, peer, "impossible vote");
        return;
    }
    peer->trust = message->trust;
    peer->vote = (struct vote){.received = true,
                               .role = message->role,
                               .round = message->round,
                               .leader = message->leader,
                               .epoch = message->epoch,
                               .zxid = message->zxid,
                               .established = message->counts,
                               .config_version = message->config_version,
                               .session = message->session};
    /* Who is LOOKING follows nobody; unless this vote was sent before its last FOLLOWERINFO. */
    if (message->role == ZAB_LOOKING && message->session >= peer->learner.session) {
        peer_forget_learner (peer);
    }
    if (self->role == ZAB_LOOKING) {
        learn_commit (self, peer, message->config_version);
        if (self->voting && message->role == ZAB_LOOKING && peer_votes (self, peer)) {
            if (message->round > self->round) {
                self->round = message->round;
                vote_initially (self);
            } else if (message->round < self->round) {
                peer->owed = true;
            }
        }
        evaluate (self);
    } else if (message->role == ZAB_LOOKING) {
        answer_with_leader (self, peer);
    } else if (role_is_learner (self) && self->follow.leader == peer->id) {
        if (message->role != ZAB_LEADING) {
            role_look (self, "the leader follows another", peer->id);
        } else if (self->follow.phase >= FOLLOW_EPOCH && message->epoch > self->follow.epoch) {
            /* Whoever is a quorum alone needs no vote, nor time, to lead anew. */
            role_look (self, "the leader leads in a later epoch", peer->id);
        }
    } else if (self->role == ZAB_LEADING && message->role == ZAB_LEADING &&
               message->epoch > self->accepted_epoch && peer_counts (self, peer)) {
        leader_step_down (self, "another leads in a higher epoch", peer->id);
    }
}

void election_on_tick (struct zab *self)
{
    COHORT_ASSERT (self->role == ZAB_LOOKING);
    if (!self->voting) {
        return;
    }
    if (self->now_ms >= self->resend_ms) {
        self->votes_owed = true;
        self->resend_after_ms = 2 * self->resend_after_ms < ZAB_RESEND_MS_MAX
                                    ? 2 * self->resend_after_ms
                                    : ZAB_RESEND_MS_MAX;
        self->resend_ms = later (self, self->resend_after_ms);
    }
    if (self->now_ms >= self->stuck_ms) {
        bar_candidate (self);
    }
    evaluate (self);
}

int64_t election_deadline (const struct zab *self)
{
    COHORT_ASSERT (self->role == ZAB_LOOKING);
    if (!self->voting) {
        return ZAB_NEVER; /* waits for the store, or leaves */
    }
    int64_t deadline = self->settled_ms < self->resend_ms ? self->settled_ms : self->resend_ms;
    return deadline < self->stuck_ms ? deadline : self->stuck_ms;
}

void election_leave (struct zab *self)
{
    self->leaving = true;
    for (size_t i = 0; i < self->peers_count; i++) {
        if (!self->peers[i]->reset) {
            send_message (self, self->peers[i], (struct zab_message){.type = ZAB_LEAVING});
        }
    }
    if (self->role == ZAB_LOOKING) {
        zab_note (self, "leaves", self->id);
        self->voting = false;
    } else {
        role_look (self, "leaves", self->id);
    }
}

void election_process_leaving (struct zab *self, struct peer *peer)
{
    peer->leaving = true;
    peer->vote.received = false;
    peer_forget_learner (peer);
    if (role_is_learner (self) && self->follow.leader == peer->id) {
        role_look (self, "the leader leaves", peer->id);
    } else if (self->role == ZAB_LOOKING) {
        election_on_link_down (self, peer->id);
    }
}

void election_flush (struct zab *self)
{
    bool mute = self->role == ZAB_HALTED || (self->role == ZAB_LOOKING && self->leaving);
    for (size_t i = 0; i < self->peers_count; i++) {
        struct peer *peer = self->peers[i];
        bool owed = (peer->owed || self->votes_owed) && !peer->reset && !peer->leaving;
        peer->owed = false;
        if (!owed || mute) {
            continue;
        }
        struct zab_message message = {.type = ZAB_VOTE,
                                      .role = self->role,
                                      .round = self->round,
                                      .config_version = config_version (self)};
        if (self->role == ZAB_LOOKING) {
            message.leader = self->vote.leader;
            message.epoch = self->vote.epoch;
            message.zxid = self->vote.zxid;
        } else {
            message.leader = self->role == ZAB_LEADING ? self->id : self->follow.leader;
            message.epoch = self->accepted_durable;
            message.zxid = self->durable;
            message.counts = self->lead.phase >= LEAD_SYNC;
        }
        send_message (self, peer, message);
    }
    self->votes_owed = false;
}
