/* ensemble_core.c: events to the core, updates from it, leadership. See ensemble_state.h. */

#include "server/node/ensemble_state.h"

#include <inttypes.h>

#include "client/base/assert.h"
#include "cohort/error.h"

const struct zab_status *ensemble_zab (const struct ensemble *self)
{
    return zab_status (self->zab);
}

bool ensemble_leads (const struct ensemble *self)
{
    const struct zab_status *status = self->zab != NULL ? ensemble_zab (self) : NULL;
    return status != NULL && status->role == ZAB_LEADING && status->activated;
}

bool ensemble_starved (const struct ensemble *self)
{
    return self->zab != NULL && ensemble_zab (self)->starved;
}

/* ---- Leadership ------------------------------------------------------------------------------ */

/* What is proposed and not decided may be lost with the leadership. */
static void forget_proposals (struct ensemble *self)
{
    proposals_clear (&self->proposals);
    for (size_t i = 0; i < self->peers_count; i++) {
        self->peers[i].proposed = 0;
    }
}

static void lose_leader (struct ensemble *self)
{
    self->up = false;
    if (self->now_ms > self->up_since_ms) {
        self->down_since_ms = self->now_ms; /* else nobody was served meanwhile */
    }
    forget_proposals (self);
    ensemble_forget_syncs (self);
    links_forget_forwards (self->links, self->up_leader);
    self->resubmit_ms = INT64_MAX;
    tracker_unlead (self->tracker);
    digests_end (&self->digests);
    logger_write (&self->logger, LOG_INFO, "leader-lost", "leader=%" PRIu32 " epoch=%" PRIu32,
                  self->up_leader, self->up_epoch);
    self->host.leader (self->host.arg, false);
}

static void gain_leader (struct ensemble *self, const struct zab_status *status)
{
    self->up = true;
    self->up_since_ms = self->now_ms;
    self->up_leader = status->leader;
    self->up_epoch = status->current_epoch;
    logger_write (&self->logger, LOG_INFO, "leader-elected",
                  "leader=%" PRIu32 " epoch=%" PRIu32 " role=%s zxid=%" PRIx64, status->leader,
                  status->current_epoch, zab_role_name (status->role), status->last);
    if (status->role == ZAB_LEADING) {
        self->history = status->last;
        tracker_lead (self->tracker);
        if (status->last == 0) {
            ensemble_propose_cluster (self);
        }
    }
    if (self->held == HELD_NO_QUORUM) {
        self->held = HELD_NOT;
        self->host.held (self->host.arg, NULL);
    }
    self->host.leader (self->host.arg, true);
}

static void look_at_status (struct ensemble *self)
{
    const struct zab_status *status = ensemble_zab (self);
    if (self->trust != status->trust) {
        COHORT_ASSERT (status->trust == ZAB_WHOLE);
        logger_write (&self->logger, LOG_INFO, "log-whole", "zxid=%" PRIx64 " was=%s",
                      status->durable, zab_trust_name (self->trust));
        self->trust = status->trust;
    }
    bool same = status->activated && status->leader == self->up_leader &&
                status->current_epoch == self->up_epoch;
    if (self->up && !same) {
        lose_leader (self);
    }
    if (!self->up && status->activated) {
        gain_leader (self, status);
    }
    if (status->role != ZAB_LEADING) {
        snapshots_end (self->snapshots, 0);
    }
}

/* ---- Updates --------------------------------------------------------------------------------- */

static void take_persist (struct ensemble *self, const struct zab_persist *persist)
{
    if (persist->number == 0) {
        return;
    }
    if (persist->install) {
        self->install_number = persist->number;
        return;
    }
    if (persist->truncate) {
        logger_write (&self->logger, LOG_INFO, "log-truncated",
                      "zxid=%" PRIx64 " reason=\"what is behind it the leader does not have\"",
                      persist->truncate_to);
        ranges_clear (&self->ranges);
    }
    store_persist (self->store, persist);
}

static void halt (struct ensemble *self, enum zab_halt halt, const char *note)
{
    static const int codes[] = {[ZAB_RUNNING] = 0,
                                [ZAB_HALT_DIVERGED] = COHORT_ECORRUPT,
                                [ZAB_HALT_CORRUPT] = COHORT_ECORRUPT,
                                [ZAB_HALT_EXHAUSTED] = COHORT_ELIMIT,
                                [ZAB_HALT_MEMORY] = COHORT_ENOMEM};
    ensemble_fail (self, codes[halt], note != NULL ? note : "the core has halted");
}

/* In the order that zab.h demands. */
void ensemble_update (struct ensemble *self, const struct zab_update *update)
{
    if (self->observer.update != NULL) {
        self->observer.update (self->observer.arg, update, ensemble_zab (self));
    }
    if (update->note != NULL) {
        logger_write (&self->logger, LOG_INFO, "zab", "peer=%" PRIu32 " note=\"%s\"",
                      update->note_peer, update->note);
    }
    if (update->halt != ZAB_RUNNING) {
        halt (self, update->halt, update->note);
        return;
    }
    for (size_t i = 0; i < update->resets_count; i++) {
        links_reset (self->links, update->resets[i],
                     update->note != NULL ? update->note : "asked for by the core");
    }
    take_persist (self, &update->persist);
    for (size_t i = 0; i < update->messages_count; i++) {
        links_message (self->links, &update->messages[i]);
    }
    COHORT_ASSERT (update->deliver >= self->deliver);
    self->deliver = update->deliver;
    for (size_t i = 0; i < update->snapshots_count; i++) {
        snapshots_offer (self->snapshots, update->snapshots[i]);
    }
    if (update->status_changed) {
        look_at_status (self);
    }
    tracker_rounds (self->tracker, ensemble_zab (self)->round_begun, update->round);
}

void ensemble_step (struct ensemble *self, struct zab_event event)
{
    if (self->failure != 0) {
        return;
    }
    event.now_ms = self->now_ms;
    event.wall_ms = self->wall_ms;
    ensemble_update (self, zab_step (self->zab, &event));
}

/* ---- Links ----------------------------------------------------------------------------------- */

void ensemble_link_up (struct ensemble *self, uint32_t id, uint64_t store_id)
{
    struct ensemble_peer *peer = ensemble_find (self, id);
    if (self->zab == NULL || peer == NULL || peer->told) {
        return;
    }
    peer->told = true;
    peer->acked_epoch = 0;
    ensemble_step (self,
                   (struct zab_event){.type = ZAB_EVENT_LINK_UP, .peer = id, .store_id = store_id});
}

void ensemble_link_down (struct ensemble *self, uint32_t id)
{
    struct ensemble_peer *peer = ensemble_find (self, id);
    if (peer == NULL || !peer->told) {
        return;
    }
    peer->told = false;
    peer->acked_epoch = 0;
    snapshots_end (self->snapshots, id);
    proposals_forget (&self->proposals, id); /* it makes them again, to whoever leads then */
    ensemble_forget_questions (self, id);
    ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_LINK_DOWN, .peer = id});
}

static void take_message (struct ensemble *self, struct ensemble_peer *peer,
                          const struct zab_message *message)
{
    ensemble_step (
        self, (struct zab_event){.type = ZAB_EVENT_MESSAGE, .peer = peer->id, .message = message});
    if (message->type == ZAB_ACK && message->epoch == ensemble_zab (self)->current_epoch &&
        message->zxid == zxid_make (message->epoch, 0)) {
        /* It has caught up: nothing is sent to it but what everybody gets. */
        peer->acked_epoch = message->epoch;
        snapshots_end (self->snapshots, peer->id);
        self->compact_due = true;
    }
}

void ensemble_frame (struct ensemble *self, uint32_t id, const struct peer_frame *frame)
{
    struct ensemble_peer *peer = ensemble_find (self, id);
    if (self->zab == NULL || peer == NULL || !peer->told) {
        return; /* it will hear from us when the core runs */
    }
    for (size_t i = 0; i < frame->messages_count; i++) {
        if (self->failure != 0 || !links_is_up (self->links, id)) {
            return;
        }
        take_message (self, peer, &frame->messages[i]);
    }
    if (self->failure == 0 && links_is_up (self->links, id)) {
        ensemble_requests (self, id, frame);
        ensemble_take_digests (self, id, frame);
    }
    size_t chunks = 0;
    for (size_t i = 0; i < frame->snapshots_count; i++) {
        if (self->failure != 0 || !links_is_up (self->links, id)) {
            return;
        }
        const struct peer_snapshot *part = &frame->snapshots[i];
        struct peer_bytes none = {NULL, 0};
        bool chunk = part->kind == PEER_CHUNK && chunks++ == 0;
        ensemble_snapshot_part (self, id, part, chunk ? frame->chunk : none);
    }
}

bool ensemble_read (struct ensemble *self, zxid_t after, zxid_t through, size_t max_bytes,
                    struct outbox_range *range)
{
    return ranges_read (&self->ranges, after, through, max_bytes, range);
}
