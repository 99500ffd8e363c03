/* The invariants that can be checked inside one server; after every step, so each costs little.
 * May include: client/base, server/core. */

#include "server/core/state.h"

/* Always currentEpoch <= acceptedEpoch, and memory is never behind the disk. */
static void check_history (const struct zab *self)
{
    COHORT_ASSERT (self->current_epoch <= self->accepted_epoch);
    COHORT_ASSERT (self->current_durable <= self->accepted_durable);
    COHORT_ASSERT (self->current_durable <= self->current_epoch);
    COHORT_ASSERT (self->accepted_durable <= self->accepted_epoch);
    COHORT_ASSERT (self->trust == self->trust_durable || self->trust == ZAB_WHOLE);
    COHORT_ASSERT (self->request_durable <= self->request_number);
    COHORT_ASSERT (self->log.base.zxid <= self->delivered);
    COHORT_ASSERT (self->delivered <= self->durable);
    COHORT_ASSERT (self->delivered <= self->committed);
    COHORT_ASSERT (self->committed <= self->log.last.zxid);
    COHORT_ASSERT (self->durable <= self->log.last.zxid);
    COHORT_ASSERT (zxid_epoch (self->log.last.zxid) <= self->accepted_epoch);
    if (persist_drained (self)) {
        COHORT_ASSERT (self->durable == self->log.last.zxid);
        COHORT_ASSERT (self->accepted_durable == self->accepted_epoch);
        COHORT_ASSERT (self->current_durable == self->current_epoch);
        COHORT_ASSERT (self->trust_durable == self->trust);
        COHORT_ASSERT (self->install_number == 0);
    }
}

static void check_looking (const struct zab *self)
{
    COHORT_ASSERT (self->lead.phase == LEAD_NONE);
    COHORT_ASSERT (self->follow.phase == FOLLOW_NONE);
    if (self->voting) {
        COHORT_ASSERT (!self->leaving);
        COHORT_ASSERT (persist_drained (self));
    }
}

static void check_learner (const struct zab *self)
{
    const struct follow *follow = &self->follow;
    COHORT_ASSERT (self->lead.phase == LEAD_NONE);
    COHORT_ASSERT (follow->phase >= FOLLOW_INFO);
    COHORT_ASSERT (peer_find (self, follow->leader) != NULL);
    COHORT_ASSERT ((follow->phase == FOLLOW_INSTALL) == (self->install_number != 0));
    if (follow->phase >= FOLLOW_EPOCH) {
        COHORT_ASSERT (follow->epoch == self->accepted_epoch);
    }
    if (follow->phase >= FOLLOW_READY) {
        COHORT_ASSERT (follow->epoch == self->accepted_durable);
    }
    if (follow->phase >= FOLLOW_SYNCED) {
        COHORT_ASSERT (follow->epoch == self->current_durable);
        COHORT_ASSERT (self->trust_durable == ZAB_WHOLE);
        COHORT_ASSERT (follow->history <= self->durable);
        COHORT_ASSERT (follow->acked <= self->durable);
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        COHORT_ASSERT (self->peers[i]->learner.phase == LEARNER_NONE);
    }
}

static void check_leader (const struct zab *self)
{
    const struct lead *lead = &self->lead;
    COHORT_ASSERT (self->follow.phase == FOLLOW_NONE);
    COHORT_ASSERT (lead->phase >= LEAD_DISCOVERY);
    COHORT_ASSERT ((lead->phase == LEAD_DISCOVERY) == (lead->epoch == 0));
    COHORT_ASSERT (self->install_number == 0);
    COHORT_ASSERT (self->trust_durable != ZAB_DAMAGED);
    COHORT_ASSERT (lead->covered.count <= lead->promises.count);
    if (lead->phase >= LEAD_EPOCH) {
        COHORT_ASSERT (lead->epoch == self->accepted_epoch);
    }
    if (lead->phase >= LEAD_SYNC) {
        COHORT_ASSERT (lead->epoch == self->current_epoch);
        COHORT_ASSERT (self->trust == ZAB_WHOLE);
        COHORT_ASSERT (self->accepted_durable == lead->epoch);
    } else {
        COHORT_ASSERT (self->current_epoch < self->accepted_epoch || lead->epoch == 0);
    }
    if (lead->phase >= LEAD_BROADCAST) {
        COHORT_ASSERT (self->current_durable == lead->epoch);
        COHORT_ASSERT (self->committed >= lead->history);
        COHORT_ASSERT (lead->round <= self->round_begun);
    } else {
        COHORT_ASSERT (lead->round == 0);
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        const struct learner *learner = &self->peers[i]->learner;
        COHORT_ASSERT (learner->acked <= learner->sent || learner->phase == LEARNER_NONE);
        COHORT_ASSERT (learner->sent <= self->log.last.zxid);
        COHORT_ASSERT (learner->flight_count <= self->sync_window);
        if (learner->phase >= LEARNER_READY) {
            COHORT_ASSERT (lead->phase >= LEAD_EPOCH);
        }
        if (learner->phase > LEARNER_READY) {
            COHORT_ASSERT (lead->phase >= LEAD_SYNC);
        }
        if (learner->phase >= LEARNER_FORWARD) {
            COHORT_ASSERT (learner->sent == self->log.last.zxid);
        }
        if (learner->phase < LEARNER_SYNCED) {
            COHORT_ASSERT (learner->acked == 0);
            COHORT_ASSERT (!learner->uptodate);
        }
    }
}

void zab_check (const struct zab *self)
{
    check_history (self);
    for (size_t i = 1; i < self->peers_count; i++) {
        COHORT_ASSERT (self->peers[i - 1]->id < self->peers[i]->id);
    }
    switch (self->role) {
    case ZAB_LOOKING:
        check_looking (self);
        break;
    case ZAB_FOLLOWING:
    case ZAB_OBSERVING:
        check_learner (self);
        break;
    case ZAB_LEADING:
        check_leader (self);
        break;
    case ZAB_HALTED:
        COHORT_ASSERT (self->halt != ZAB_RUNNING);
        break;
    }
    COHORT_ASSERT ((self->role == ZAB_HALTED) == (self->halt != ZAB_RUNNING));
}
