/* What a leader does besides: pings, quorum rounds, noticing that it should not lead any more,
 * handing over. May include: client/base, server/core. */

#include "server/core/state.h"

void leader_begin (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (zab_votes (self));
    COHORT_ASSERT (persist_drained (self));
    lead->phase = LEAD_DISCOVERY;
    lead->ping_ms = self->now_ms + self->peer_timeout_ms / ZAB_PINGS;
    lead->quorum_ms = self->now_ms;
    lead->progress_ms = self->now_ms;
    lead->stall_ms = ZAB_NEVER;
    /* After some failures the epochs are used up slowly: there are 2^23 of them for ever. */
    lead->epoch_ms = self->now_ms;
    if (self->discoveries_failed >= ZAB_DISCOVERIES_FREE &&
        self->epoch_chosen_ms + ZAB_EPOCH_MS > self->now_ms) {
        lead->epoch_ms = self->epoch_chosen_ms + ZAB_EPOCH_MS;
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        struct learner *learner = &self->peers[i]->learner;
        learner->heard_ms = learner->progress_ms = self->now_ms;
    }
    leader_discover (self);
}

void leader_step_down (struct zab *self, const char *note, uint32_t peer)
{
    COHORT_ASSERT (self->role == ZAB_LEADING);
    if (self->lead.phase < LEAD_BROADCAST && self->lead.epoch != 0) {
        self->discoveries_failed++;
    }
    role_look (self, note, peer);
}

void leader_heard (struct zab *self, struct peer *peer)
{
    peer->learner.heard_ms = self->now_ms;
}

void leader_progress (struct zab *self, struct peer *peer)
{
    peer->learner.progress_ms = self->now_ms;
    self->lead.progress_ms = self->now_ms;
}

/* ---- Rounds ------------------------------------------------------------------------------ */

static void send_pings (struct zab *self)
{
    self->lead.ping_ms = self->now_ms + self->peer_timeout_ms / ZAB_PINGS;
    for (size_t i = 0; i < self->peers_count; i++) {
        struct peer *peer = self->peers[i];
        struct learner *learner = &peer->learner;
        if (peer->reset || learner->phase < LEARNER_INFO) {
            continue;
        }
        struct zab_message message = {
            .type = ZAB_PING, .nonce = self->round_begun, .starved = leader_starved (self)};
        if (learner->uptodate) {
            message.zxid = self->committed;
            learner->told = learner->told > message.zxid ? learner->told : message.zxid;
        }
        send_message (self, peer, message);
    }
}

/* Read index (docs/zab.md, section 7): a quorum that answers a ping which was sent after the
 * round began had accepted no later epoch when it answered. Numbers are never used twice, not
 * even in another term of this leader, so a late answer confirms nothing but its own round. */
void leader_begin_round (struct zab *self)
{
    COHORT_ASSERT (self->role == ZAB_LEADING);
    self->round_begun++;
    send_pings (self);
    leader_count_rounds (self);
}

static bool round_answered (const struct zab *self, uint64_t round)
{
    struct id_set ids = {.count = 0};
    id_set_add (&ids, self->id);
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (!peer->reset && peer->learner.phase == LEARNER_SYNCED &&
            peer->learner.round + COHORT_MUTATED (round_before) >= round &&
            peer_counts (self, peer)) {
            id_set_add (&ids, peer->id);
        }
    }
    return config_set_quorum (&self->configs, &ids);
}

void leader_count_rounds (struct zab *self)
{
    struct lead *lead = &self->lead;
    if (lead->phase < LEAD_BROADCAST) {
        return;
    }
    if (self->round_begun > lead->round && round_answered (self, self->round_begun)) {
        lead->round = self->round_begun;
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        uint64_t round = self->peers[i]->learner.round;
        if (round > lead->round && round_answered (self, round)) {
            lead->round = round;
        }
    }
    if (lead->stall_ms != ZAB_NEVER && lead->round >= lead->stall_round) {
        lead->stall_ms = ZAB_NEVER;
        zab_note (self, "leads on after a stall", self->id);
    }
}

void leader_process_pong (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    struct learner *learner = &peer->learner;
    if (message->nonce > self->round_begun) {
        peer_reset (self, peer, "PONG without a PING");
        return;
    }
    /* Not counted: alive, and no more. It may also have overtaken ACK (e, 0). */
    if ((message->counts || COHORT_MUTATED (uncounted_answers)) &&
        message->nonce > learner->round) {
        learner->round = COHORT_MUTATED (round_of_latest) ? self->round_begun : message->nonce;
        leader_count_rounds (self);
    }
}

void follower_process_ping (struct zab *self, struct peer *peer, const struct zab_message *message)
{
    struct follow *follow = &self->follow;
    if (follow->phase == FOLLOW_BROADCAST && !follower_commit (self, peer, message->zxid)) {
        return;
    }
    follow->starved = message->starved;
    /* From ACK (e, 0) on both epochs are e; a higher one would have ended FOLLOWING. */
    send_message (self, peer,
                  (struct zab_message){.type = ZAB_PONG,
                                       .nonce = message->nonce,
                                       .counts = follow->phase >= FOLLOW_SYNCED});
}

/* ---- Stepping down ----------------------------------------------------------------------- */

/* The latest time since when a quorum has been heard: the best of those that each learner, taken
 * as the slowest, allows. Learners that are still synchronizing count: nobody else could lead
 * them better, and one that stands still is thrown out by itself. */
static void update_quorum_heard (struct zab *self)
{
    struct lead *lead = &self->lead;
    struct id_set alone = {.count = 0};
    id_set_add (&alone, self->id);
    if (config_set_quorum (&self->configs, &alone)) {
        lead->quorum_ms = self->now_ms;
        return;
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct learner *slowest = &self->peers[i]->learner;
        if (self->peers[i]->reset || slowest->phase < LEARNER_INFO ||
            slowest->heard_ms <= lead->quorum_ms) {
            continue;
        }
        struct id_set ids = alone;
        for (size_t k = 0; k < self->peers_count; k++) {
            const struct peer *peer = self->peers[k];
            if (!peer->reset && peer->learner.phase >= LEARNER_INFO &&
                peer->learner.heard_ms >= slowest->heard_ms && peer_counts (self, peer)) {
                id_set_add (&ids, peer->id);
            }
        }
        if (config_set_quorum (&self->configs, &ids)) {
            lead->quorum_ms = slowest->heard_ms;
        }
    }
}

/* Learners whose turn it is and who do nothing; sync is limited by lack of progress, never by
 * total time. */
static void reset_idle_learners (struct zab *self)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        struct peer *peer = self->peers[i];
        const struct learner *learner = &peer->learner;
        bool snap = learner->phase == LEARNER_SNAP;
        bool ours = learner->phase <= LEARNER_INFO || learner->phase == LEARNER_READY ||
                    learner->phase == LEARNER_SYNCED;
        int64_t limit =
            persist_patience_ms (self, snap ? ZAB_SNAP_TIMEOUTS : ZAB_PROGRESS_TIMEOUTS);
        if (!peer->reset && !ours && self->now_ms - learner->progress_ms >= limit) {
            peer_reset (self, peer, "no progress");
        }
    }
}

static bool snapshot_under_way (const struct zab *self)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        if (self->peers[i]->learner.phase == LEARNER_SNAP) {
            return true;
        }
    }
    return false;
}

/* Why this server should not lead any more; NULL: it should. */
static const char *reason_to_step_down (const struct zab *self)
{
    const struct lead *lead = &self->lead;
    int64_t now = self->now_ms;
    if (now >= lead->stall_ms) {
        return "no quorum after a stall";
    }
    if (now - lead->quorum_ms >= self->peer_timeout_ms && !COHORT_MUTATED (leads_without_quorum)) {
        return "no quorum is heard";
    }
    int64_t limit = persist_patience_ms (self, ZAB_PROGRESS_TIMEOUTS);
    int64_t patience =
        snapshot_under_way (self) ? self->peer_timeout_ms * ZAB_SNAP_TIMEOUTS : limit;
    if (lead->phase < LEAD_BROADCAST && now - lead->progress_ms >= patience) {
        return "no progress";
    }
    /* A disk that hangs: others can commit without it, but its clients wait for ever.  One that is
     * full is another matter: as long as nobody with room can lead, nobody can do better; but if it
     * does not even take an epoch, there will be none. */
    if (self->full && lead->phase < LEAD_BROADCAST && persist_hangs (self, self->peer_timeout_ms)) {
        return "the disk is full: no room for an epoch";
    }
    if (!self->full && persist_hangs (self, limit)) {
        struct id_set alone = {.count = 0};
        id_set_add (&alone, self->id);
        if (!config_set_quorum (&self->configs, &alone)) {
            return "the store hangs";
        }
    }
    return NULL;
}

/* This server has not run for longer than the others wait for it (SIGSTOP, a suspended machine):
 * they may have elected another. What it hears now may be old; only a round that begins now shows
 * that it still leads (etcd #15247). */
void leader_on_stall (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (self->role == ZAB_LEADING);
    for (size_t i = 0; i < self->peers_count; i++) {
        struct learner *learner = &self->peers[i]->learner;
        learner->heard_ms = learner->progress_ms = self->now_ms;
    }
    lead->quorum_ms = lead->progress_ms = self->now_ms;
    if (lead->phase >= LEAD_BROADCAST) {
        zab_note (self, "has stalled", self->id);
        lead->stall_ms = self->now_ms + self->peer_timeout_ms;
        lead->stall_round = self->round_begun + 1;
        leader_begin_round (self);
    }
}

void leader_on_tick (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (self->role == ZAB_LEADING);
    update_quorum_heard (self);
    const char *reason = reason_to_step_down (self);
    if (reason != NULL) {
        leader_step_down (self, reason, self->id);
        return;
    }
    if (lead->phase == LEAD_DISCOVERY && self->now_ms >= lead->epoch_ms) {
        leader_discover (self);
    }
    if (self->role == ZAB_LEADING && self->now_ms >= lead->ping_ms) {
        reset_idle_learners (self);
        send_pings (self);
    }
}

int64_t leader_deadline (const struct zab *self)
{
    const struct lead *lead = &self->lead;
    int64_t deadline = lead->ping_ms < lead->stall_ms ? lead->ping_ms : lead->stall_ms;
    if (lead->phase == LEAD_DISCOVERY && lead->epoch_ms > self->now_ms &&
        lead->epoch_ms < deadline) {
        deadline = lead->epoch_ms;
    }
    if (lead->phase == LEAD_HANDOVER && lead->handover_ms < deadline) {
        deadline = lead->handover_ms;
    }
    return deadline;
}

/* ---- Handing over ------------------------------------------------------------------------ */

/* No further proposals; those under way may commit, for a while. */
void leader_hand_over (struct zab *self)
{
    struct lead *lead = &self->lead;
    COHORT_ASSERT (self->role == ZAB_LEADING);
    if (lead->phase == LEAD_BROADCAST) {
        lead->phase = LEAD_HANDOVER;
        lead->handover_ms = self->now_ms + self->peer_timeout_ms;
    } else if (lead->phase < LEAD_BROADCAST && self->leaving) {
        election_leave (self);
    } else if (lead->phase < LEAD_BROADCAST && self->abstains) {
        leader_step_down (self, "does not stand any more", self->id);
    }
}

/* Somebody with room who has all that this server has up to there. */
static bool has_successor (const struct zab *self, zxid_t zxid)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct peer *peer = self->peers[i];
        if (!peer->reset && !peer->leaving && !peer->full && peer_votes (self, peer) &&
            peer->learner.phase == LEARNER_SYNCED && peer->learner.uptodate &&
            peer->learner.acked >= zxid) {
            return true;
        }
    }
    return false;
}

bool leader_starved (const struct zab *self)
{
    struct id_set able = {.count = 0}; /* all but those that say that they are full */
    for (size_t c = 0; c < self->configs.count; c++) {
        const struct config *config = &self->configs.configs[c];
        for (size_t i = 0; i < config->count; i++) {
            const struct peer *peer = peer_find (self, config->members[i].id);
            if (peer == NULL || !peer->full) {
                id_set_add (&able, config->members[i].id);
            }
        }
    }
    return self->full || !config_set_quorum (&self->configs, &able);
}

/* A full disk takes no proposals, so who leads with one does nobody a service; unless everybody's
 * is, for rounds need no room, and reads and sessions live on them. At the election one with room
 * and all of the log goes before this server, and nobody else does. */
static bool gives_way_full (const struct zab *self)
{
    return self->full && has_successor (self, self->log.last.zxid) &&
           !COHORT_MUTATED (full_leader_stays);
}

/* What a disk that hangs owes is committed, so there is a quorum without it; the others' clients
 * are served, those of this server wait, and whatever the leader alone begins does. It does not
 * vote before its disk has come back. */
static bool gives_way_hanging (const struct zab *self)
{
    return !self->full && persist_lags (self) && has_successor (self, self->committed) &&
           !COHORT_MUTATED (hanging_leader_stays);
}

static void check_store (struct zab *self)
{
    if (self->lead.phase == LEAD_BROADCAST && (gives_way_full (self) || gives_way_hanging (self))) {
        leader_hand_over (self);
    }
}

/* At the end of a step, behind the last COMMIT. A server that leaves says so and is out of the
 * election; one whose counter ends may well be elected again, in a new epoch. */
void leader_check_handover (struct zab *self)
{
    const struct lead *lead = &self->lead;
    check_store (self);
    if (self->role != ZAB_LEADING || lead->phase != LEAD_HANDOVER ||
        (self->committed != self->log.last.zxid && self->now_ms < lead->handover_ms)) {
        return;
    }
    if (self->leaving) {
        election_leave (self);
    } else {
        role_look (self,
                   self->full                 ? "the disk is full: hands over"
                   : gives_way_hanging (self) ? "the store hangs: hands over"
                                              : "hands over",
                   self->id);
    }
}
