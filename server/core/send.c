/* The one place that sends, and so the one place where the durability table of docs/zab.md, section
 * 1 stands: what must be on this server's disk before which message. A rule that is broken here is
 * a bug of the core, so it is asserted. May include: client/base, server/core. */

#include "server/core/state.h"

/* What this server says of its log and epochs must be what its disk would say after a crash. */
static void check_drained (const struct zab *self)
{
    COHORT_ASSERT (persist_drained (self));
    COHORT_ASSERT (self->update.persist.number == 0 || !self->update.persist.truncate);
    COHORT_ASSERT (self->durable == self->log.last.zxid);
}

static void check_vote (const struct zab *self, const struct zab_message *message)
{
    COHORT_ASSERT (message->role == self->role);
    if (message->role != ZAB_LOOKING) {
        COHORT_ASSERT (message->epoch <= self->accepted_durable);
        COHORT_ASSERT (message->zxid <= self->durable);
        return;
    }
    COHORT_ASSERT (!self->leaving);
    if (message->leader == 0) {
        return; /* it says nothing of this server but that it is LOOKING */
    }
    COHORT_ASSERT (self->voting);
    COHORT_ASSERT (self->trust_durable != ZAB_DAMAGED);
    check_drained (self);
    if (message->leader == self->id) {
        COHORT_ASSERT (zab_votes (self)); /* for another it may count where we cannot know it */
        COHORT_ASSERT (message->epoch ==
                       election_epoch (self->trust_durable, self->current_durable, self->durable));
        COHORT_ASSERT (message->zxid == self->durable);
    }
}

/* What a learner sends to its leader. */
static void check_learner (const struct zab *self, const struct peer *peer,
                           const struct zab_message *message)
{
    const struct follow *follow = &self->follow;
    COHORT_ASSERT (role_is_learner (self));
    COHORT_ASSERT (peer->id == follow->leader);
    switch (message->type) {
    case ZAB_FOLLOWERINFO:
        check_drained (self);
        COHORT_ASSERT (message->epoch == self->accepted_durable);
        break;
    case ZAB_ACKEPOCH:
        /* acceptedEpoch = e, then ACKEPOCH; and it speaks of the durable log. */
        check_drained (self);
        COHORT_ASSERT (self->accepted_durable == follow->epoch);
        COHORT_ASSERT (message->epoch == self->current_durable);
        COHORT_ASSERT (message->zxid == self->durable);
        COHORT_ASSERT (!message->counts || self->trust_durable != ZAB_DAMAGED);
        break;
    case ZAB_TRY_ANSWER:
    case ZAB_SYNC_POINT:
        COHORT_ASSERT (message->point.zxid <= self->durable);
        COHORT_ASSERT (history_agrees (&self->log, message->point));
        break;
    case ZAB_ACK:
        /* History, then currentEpoch = e, then ACK (e, 0); each entry, then its ACK. */
        COHORT_ASSERT (self->accepted_durable == follow->epoch);
        COHORT_ASSERT (self->current_durable == follow->epoch);
        COHORT_ASSERT (self->trust_durable == ZAB_WHOLE);
        COHORT_ASSERT (follow->phase >= FOLLOW_SYNCED);
        COHORT_ASSERT (self->request_durable >= follow->newleader);
        COHORT_ASSERT (follow->history <= self->durable);
        COHORT_ASSERT (message->zxid <= self->durable ||
                       message->zxid == zxid_make (follow->epoch, 0));
        break;
    case ZAB_PONG:
        if (message->counts) {
            COHORT_ASSERT (follow->phase >= FOLLOW_SYNCED);
            COHORT_ASSERT (self->accepted_epoch == follow->epoch);
            COHORT_ASSERT (self->current_durable == follow->epoch);
        }
        break;
    default:
        COHORT_ASSERT (false);
    }
}

/* What a leader sends to a learner. */
static void check_leader (const struct zab *self, const struct peer *peer,
                          const struct zab_message *message)
{
    const struct lead *lead = &self->lead;
    const struct learner *learner = &peer->learner;
    COHORT_ASSERT (self->role == ZAB_LEADING);
    COHORT_ASSERT (learner->phase >= LEARNER_INFO);
    if (message->type == ZAB_PING) {
        return;
    }
    /* acceptedEpoch = e, then LEADERINFO (e), and everything else follows that. */
    COHORT_ASSERT (lead->epoch != 0);
    COHORT_ASSERT (self->accepted_durable == lead->epoch);
    switch (message->type) {
    case ZAB_LEADERINFO:
        break;
    case ZAB_TRY:
    case ZAB_SNAP:
    case ZAB_NEWLEADER:
        COHORT_ASSERT (lead->phase >= LEAD_SYNC);
        COHORT_ASSERT (message->type != ZAB_NEWLEADER ||
                       (learner->diff_begun && learner->sent == self->log.last.zxid));
        break;
    case ZAB_DIFF:
    case ZAB_PROPOSAL:
        COHORT_ASSERT (lead->phase >= LEAD_SYNC);
        COHORT_ASSERT (message->entries_after == learner->sent);
        COHORT_ASSERT (message->entries_after <= message->entries_through);
        COHORT_ASSERT (history_has (&self->log, message->entries_after));
        COHORT_ASSERT (history_has (&self->log, message->entries_through));
        break;
    case ZAB_UPTODATE:
    case ZAB_COMMIT:
        COHORT_ASSERT (lead->phase >= LEAD_BROADCAST);
        COHORT_ASSERT (self->current_durable == lead->epoch);
        COHORT_ASSERT (learner->phase == LEARNER_SYNCED);
        COHORT_ASSERT (message->zxid <= self->committed);
        COHORT_ASSERT (message->zxid <= learner->sent);
        break;
    default:
        COHORT_ASSERT (false);
    }
}

void send_message (struct zab *self, const struct peer *peer, struct zab_message message)
{
    COHORT_ASSERT (!peer->reset);
    COHORT_ASSERT (self->role != ZAB_HALTED);
    message.peer = peer->id;
    message.full = self->full;
    if (message.type == ZAB_VOTE || message.type == ZAB_FOLLOWERINFO ||
        message.type == ZAB_ACKEPOCH) {
        message.trust = self->trust_durable;
        message.suspect = self->trust_durable == ZAB_SUSPECT ? self->suspect : 0;
    }
    switch (message.type) {
    case ZAB_VOTE:
        check_vote (self, &message);
        message.session = self->session;
        break;
    case ZAB_LEAVING:
        COHORT_ASSERT (self->leaving);
        break;
    case ZAB_FOLLOWERINFO:
    case ZAB_ACKEPOCH:
    case ZAB_TRY_ANSWER:
    case ZAB_SYNC_POINT:
    case ZAB_ACK:
    case ZAB_PONG:
        check_learner (self, peer, &message);
        message.session = self->follow.session;
        if (message.type != ZAB_FOLLOWERINFO && message.type != ZAB_ACKEPOCH) {
            message.epoch = self->follow.epoch;
        }
        break;
    default:
        check_leader (self, peer, &message);
        message.session = peer->learner.session;
        message.epoch = self->lead.epoch;
        break;
    }
    if (self->role == ZAB_LEADING) {
        message.durable = COHORT_MUTATED (held_early) ? self->log.last.zxid : self->durable;
    }
    struct zab_update *update = &self->update;
    COHORT_ASSERT (update->messages_count < ZAB_MESSAGES_MAX);
    self->messages[update->messages_count++] = message;
}

void send_withdraw (struct zab *self, uint32_t peer)
{
    struct zab_update *update = &self->update;
    size_t kept = 0;
    for (size_t i = 0; i < update->messages_count; i++) {
        if (self->messages[i].peer != peer) {
            self->messages[kept++] = self->messages[i];
        }
    }
    update->messages_count = kept;
    size_t snapshots = 0;
    for (size_t i = 0; i < update->snapshots_count; i++) {
        if (self->snapshots[i] != peer) {
            self->snapshots[snapshots++] = self->snapshots[i];
        }
    }
    update->snapshots_count = snapshots;
}
