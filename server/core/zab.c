/* Zab: life, and the frame of a step. May include: client/base, server/core. */

#include "server/core/zab.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/mutation.h"
#include "server/core/state.h"

/* ---- Life -------------------------------------------------------------------------------- */

static bool options_valid (const struct zab_options *options)
{
    if (options->id == 0 || options->id > INT32_MAX || options->peer_timeout_ms < 0 ||
        options->settle_ms < 0 || options->sync_window > ZAB_WINDOW_MAX ||
        options->counter_max > ZXID_COUNTER_MAX - ZAB_PROPOSALS_MAX) {
        return false;
    }
    if (options->configs.count < 1 || options->configs.count > 2) {
        return false;
    }
    for (size_t i = 0; i < options->configs.count; i++) {
        if (!config_valid (&options->configs.configs[i])) {
            return false;
        }
    }
    return true;
}

static void take_options (struct zab *self, const struct zab_options *options)
{
    self->id = options->id;
    self->store_id = options->store_id;
    self->peer_timeout_ms =
        options->peer_timeout_ms > 0 ? options->peer_timeout_ms : ZAB_PEER_TIMEOUT_MS;
    self->settle_ms = options->settle_ms > 0 ? options->settle_ms : ZAB_SETTLE_MS;
    self->sync_chunk_bytes =
        options->sync_chunk_bytes > 0 ? options->sync_chunk_bytes : ZAB_SYNC_CHUNK_BYTES;
    self->sync_window = options->sync_window > 0 ? options->sync_window : ZAB_SYNC_WINDOW;
    self->counter_max =
        options->counter_max > 0 ? options->counter_max : ZXID_COUNTER_MAX - ZAB_PROPOSALS_MAX;
    self->configs = options->configs;
    prng_seed (&self->prng, options->seed);
}

struct zab *zab_new (const struct zab_options *options)
{
    if (!options_valid (options)) {
        return NULL;
    }
    struct zab *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    history_begin (&self->log);
    ring_init (&self->requests, sizeof (struct request), ZAB_REQUESTS_MAX);
    take_options (self, options);
    self->role = ZAB_LOOKING;
    self->settled_ms = self->resend_ms = self->stuck_ms = ZAB_NEVER;
    self->lead.stall_ms = ZAB_NEVER;
    self->storage = mem_calloc (ZAB_PEERS_MAX, sizeof *self->storage);
    self->messages = mem_calloc (ZAB_MESSAGES_MAX, sizeof *self->messages);
    /* The ring always has room for one, so that a step can register its request (persist_flush). */
    struct request none = {0};
    bool ok = ring_push (&self->requests, &none);
    ring_clear (&self->requests);
    if (self->storage == NULL || self->messages == NULL || !ok) {
        zab_destroy (&self);
        return NULL;
    }
    for (size_t i = 0; i < ZAB_PEERS_MAX; i++) {
        self->spare[self->spare_count++] = &self->storage[ZAB_PEERS_MAX - 1 - i];
    }
    self->update.messages = self->messages;
    self->update.resets = self->resets;
    self->update.snapshots = self->snapshots;
    return self;
}

void zab_destroy (struct zab **self_p)
{
    struct zab *self = *self_p;
    if (self == NULL) {
        return;
    }
    history_deinit (&self->log);
    ring_deinit (&self->requests);
    mem_free (self->storage);
    mem_free (self->messages);
    mem_free (self->entries);
    mem_free (self);
    *self_p = NULL;
}

/* An entry's, which is there, or that of a state. */
static void see_stamp (struct zab *self, int64_t stamp_ms)
{
    if (self->stamp_ms < stamp_ms) {
        self->stamp_ms = stamp_ms;
        self->stamped_ms = self->now_ms;
    }
}

void zab_recover_trust (struct zab *self, enum zab_trust trust, zxid_t suspect)
{
    COHORT_ASSERT (!self->started);
    COHORT_ASSERT (trust >= ZAB_WHOLE && trust <= ZAB_DAMAGED);
    self->trust = self->trust_durable = trust;
    self->suspect = suspect;
}

/* ---- Small things that every file needs -------------------------------------------------- */

void zab_halt (struct zab *self, enum zab_halt halt, const char *note)
{
    COHORT_ASSERT (halt != ZAB_RUNNING);
    if (self->role == ZAB_HALTED) {
        return;
    }
    self->halt = halt;
    role_become (self, ZAB_HALTED, 0);
    zab_note (self, note, self->id);
}

void zab_note (struct zab *self, const char *note, uint32_t peer)
{
    self->update.note = note;
    self->update.note_peer = peer;
}

bool zab_counts (const struct zab *self)
{
    return config_set_counts (&self->configs, self->id, self->store_id);
}

bool zab_votes (const struct zab *self)
{
    return zab_counts (self) &&
           (self->trust_durable != ZAB_DAMAGED || COHORT_MUTATED (damaged_votes));
}

bool zab_append (struct zab *self, const struct zab_entry *entry)
{
    if (!history_append (&self->log, (struct zab_point){entry->zxid, entry->chain}, entry->size)) {
        zab_halt (self, ZAB_HALT_MEMORY, "out of memory");
        return false;
    }
    see_stamp (self, entry->stamp_ms);
    return true;
}

/* ---- Messages ---------------------------------------------------------------------------- */

/* To a leader, from one of its learners. */
static void receive_as_leader (struct zab *self, struct peer *peer,
                               const struct zab_message *message)
{
    if (self->role != ZAB_LEADING || peer->learner.phase == LEARNER_NONE ||
        peer->learner.session != message->session) {
        return; /* of an attempt that has ended */
    }
    leader_heard (self, peer);
    if (message->full) {
        peer->learner.progress_ms = self->now_ms; /* it waits for room; no new attempt helps it */
    }
    switch (message->type) {
    case ZAB_ACKEPOCH:
        leader_process_ackepoch (self, peer, message);
        break;
    case ZAB_TRY_ANSWER:
        leader_process_try_answer (self, peer, message);
        break;
    case ZAB_SYNC_POINT:
        leader_process_sync_point (self, peer, message);
        break;
    case ZAB_ACK:
        leader_process_ack (self, peer, message);
        break;
    default:
        leader_process_pong (self, peer, message);
        break;
    }
}

/* To a learner, from its leader. */
static void receive_as_learner (struct zab *self, struct peer *peer,
                                const struct zab_message *message)
{
    struct follow *follow = &self->follow;
    if (!role_is_learner (self) || follow->leader != peer->id ||
        follow->session != message->session) {
        return;
    }
    follow->heard_ms = self->now_ms;
    if (message->type != ZAB_LEADERINFO && message->type != ZAB_PING &&
        message->epoch != follow->epoch) {
        peer_reset (self, peer, "a message of another epoch");
        return;
    }
    switch (message->type) {
    case ZAB_LEADERINFO:
        follower_process_leaderinfo (self, peer, message);
        break;
    case ZAB_TRY:
        follower_process_try (self, peer, message);
        break;
    case ZAB_DIFF:
        follower_process_diff (self, peer, message);
        break;
    case ZAB_SNAP:
        follower_process_snap (self, peer, message);
        break;
    case ZAB_NEWLEADER:
        follower_process_newleader (self, peer, message);
        break;
    case ZAB_UPTODATE:
        follower_process_uptodate (self, peer, message);
        break;
    case ZAB_PROPOSAL:
        follower_process_proposal (self, peer, message);
        break;
    case ZAB_COMMIT:
        follower_process_commit (self, peer, message);
        break;
    default:
        follower_process_ping (self, peer, message);
        break;
    }
}

static void receive (struct zab *self, const struct zab_message *message)
{
    struct peer *peer = peer_find (self, message->peer);
    if (peer == NULL) {
        return; /* the link is being reset */
    }
    if (peer->full != message->full) {
        peer->full = message->full;
        election_on_space (self, peer->id);
    }
    switch (message->type) {
    case ZAB_VOTE:
        election_process_vote (self, peer, message);
        break;
    case ZAB_LEAVING:
        election_process_leaving (self, peer);
        break;
    case ZAB_FOLLOWERINFO:
        leader_process_followerinfo (self, peer, message);
        break;
    case ZAB_ACKEPOCH:
    case ZAB_TRY_ANSWER:
    case ZAB_SYNC_POINT:
    case ZAB_ACK:
    case ZAB_PONG:
        receive_as_leader (self, peer, message);
        break;
    case ZAB_LEADERINFO:
    case ZAB_TRY:
    case ZAB_DIFF:
    case ZAB_SNAP:
    case ZAB_NEWLEADER:
    case ZAB_UPTODATE:
    case ZAB_PROPOSAL:
    case ZAB_COMMIT:
    case ZAB_PING:
        receive_as_learner (self, peer, message);
        break;
    default:
        peer_reset (self, peer, "a message of no known type");
        break;
    }
}

/* ---- Other events ------------------------------------------------------------------------ */

int64_t zab_patience_ms (int64_t peer_timeout_ms)
{
    return peer_timeout_ms - peer_timeout_ms / (2 * ZAB_PINGS);
}

static int64_t patience_end_ms (const struct zab *self)
{
    return self->follow.heard_ms + zab_patience_ms (self->peer_timeout_ms);
}

static void on_tick (struct zab *self)
{
    if (self->role == ZAB_LOOKING) {
        election_on_tick (self);
    } else if (self->role == ZAB_LEADING) {
        leader_on_tick (self);
    } else if (self->now_ms >= patience_end_ms (self) && !COHORT_MUTATED (silence_unnoticed)) {
        role_look (self, "the leader is silent", self->follow.leader);
    }
}

/* This server has not run for a while, so its timers say nothing of the others, nor of its store.
 */
static void on_stall (struct zab *self)
{
    self->stored_ms = self->now_ms;
    if (self->role == ZAB_LEADING) {
        leader_on_stall (self);
    } else if (role_is_learner (self)) {
        self->follow.heard_ms = self->now_ms;
    }
}

static void after_durable (struct zab *self)
{
    if (self->role == ZAB_LOOKING && persist_drained (self)) {
        election_on_drained (self);
    } else if (self->role == ZAB_LEADING) {
        leader_discover (self);
        if (self->role == ZAB_LEADING) {
            leader_commit (self);
        }
    } else if (role_is_learner (self)) {
        follower_on_epochs_durable (self);
        follower_acknowledge (self);
        follower_commit_held (self);
    }
}

static void on_installed (struct zab *self, const struct zab_event *event)
{
    COHORT_ASSERT (self->install_number != 0);
    COHORT_ASSERT (event->point.zxid == self->install_point.zxid);
    COHORT_ASSERT (event->point.chain == self->install_point.chain);
    persist_installed (self);
    if (!COHORT_MUTATED (installed_stamp)) {
        see_stamp (self, event->stamp_ms);
    }
    if (self->role == ZAB_LOOKING) {
        election_on_drained (self);
    } else {
        follower_on_installed (self);
    }
}

/* The log is as it was, and so is what was acknowledged of it. If this server still follows, it
 * begins anew, with this leader or another. */
static void on_not_installed (struct zab *self)
{
    COHORT_ASSERT (self->install_number != 0);
    persist_not_installed (self);
    if (role_is_learner (self)) {
        COHORT_ASSERT (self->follow.phase == FOLLOW_INSTALL);
        role_look (self, "the snapshot could not be installed", self->follow.leader);
    }
}

static void on_compacted (struct zab *self, const struct zab_event *event)
{
    if (event->point.zxid <= self->log.base.zxid) {
        return;
    }
    COHORT_ASSERT (event->point.zxid <= self->delivered);
    COHORT_ASSERT (history_agrees (&self->log, event->point));
    history_drop (&self->log, event->point.zxid);
}

static void on_progress (struct zab *self, uint32_t id)
{
    struct peer *peer = peer_find (self, id);
    if (peer != NULL && self->role == ZAB_LEADING && peer->learner.phase == LEARNER_SNAP) {
        leader_heard (self, peer);
        leader_progress (self, peer);
    }
}

static void on_config (struct zab *self, const struct config_set *configs)
{
    COHORT_ASSERT (configs->count == 1 || configs->count == 2);
    self->configs = *configs;
    if (self->role == ZAB_LOOKING) {
        election_anew (self);
    } else if (self->role == ZAB_LEADING && !zab_counts (self)) {
        leader_step_down (self, "not a voter any more", self->id);
    } else if (self->role == ZAB_LEADING) {
        leader_discover (self);
        if (self->role == ZAB_LEADING) {
            leader_commit (self);
        }
    }
}

/* Whoever elects, or follows, shall know: the votes of a leader and its pings say it, and the
 * answers to those. */
static void on_space (struct zab *self, bool full)
{
    if (self->full != full) {
        self->full = full;
        self->votes_owed = true;
        zab_note (self, full ? "the disk is full" : "the disk has room again", self->id);
        election_on_space (self, self->id);
    }
}

static void on_withdrawn (struct zab *self, struct zab_point point)
{
    COHORT_ASSERT (self->role == ZAB_LOOKING);
    zab_note (self, "gives up what waited for room", self->id);
    persist_withdrawn (self, point);
    self->update.withdrawn = true;
    election_on_drained (self);
}

/* Its log, and all that it says of it, is as good as before; only what it would say as a leader is
 * not. */
static void on_stand (struct zab *self, bool stands)
{
    if (self->abstains == !stands) {
        return;
    }
    self->abstains = !stands;
    if (self->role == ZAB_LOOKING) {
        election_anew (self);
    } else if (self->role == ZAB_LEADING && self->abstains) {
        leader_hand_over (self);
    }
}

static void on_leave (struct zab *self)
{
    if (self->leaving) {
        return;
    }
    if (self->role == ZAB_LEADING) {
        self->leaving = true;
        leader_hand_over (self);
    } else {
        election_leave (self);
    }
}

/* ---- The frame of a step ----------------------------------------------------------------- */

static void begin (struct zab *self, int64_t now_ms, int64_t wall_ms)
{
    COHORT_ASSERT (now_ms >= self->now_ms);
    self->now_ms = now_ms;
    self->wall_ms = wall_ms;
    struct zab_update *update = &self->update;
    memset (&update->persist, 0, sizeof update->persist);
    update->messages_count = 0;
    update->resets_count = 0;
    update->snapshots_count = 0;
    update->withdrawn = false;
    update->status_changed = false;
    update->note = NULL;
    update->note_peer = 0;
}

static void update_status (struct zab *self)
{
    struct zab_status status = {
        .role = self->role,
        .leaving = self->leaving,
        .settling = self->role == ZAB_LOOKING && !persist_drained (self),
        .full = self->full,
        .accepted_epoch = self->accepted_epoch,
        .current_epoch = self->current_epoch,
        .trust = self->trust_durable,
        .last = self->log.last.zxid,
        .durable = self->durable,
        .committed = self->committed,
    };
    if (self->role == ZAB_LEADING) {
        status.leader = self->id;
        status.activated = self->lead.phase == LEAD_BROADCAST;
        status.round_begun = self->round_begun;
        status.starved = leader_starved (self);
    } else if (role_is_learner (self)) {
        status.leader = self->follow.leader;
        status.activated = self->follow.phase == FOLLOW_BROADCAST ||
                           (COHORT_MUTATED (served_early) && self->follow.phase == FOLLOW_SYNCED);
        status.snapshot_from = self->follow.phase == FOLLOW_SNAP ? self->follow.leader : 0;
        status.starved = self->follow.starved;
    }
    const struct zab_status *old = &self->status;
    self->update.status_changed =
        status.role != old->role || status.leader != old->leader ||
        status.activated != old->activated || status.leaving != old->leaving ||
        status.accepted_epoch != old->accepted_epoch ||
        status.current_epoch != old->current_epoch || status.trust != old->trust ||
        status.full != old->full || status.starved != old->starved;
    self->status = status;
}

static const struct zab_update *end (struct zab *self)
{
    struct zab_update *update = &self->update;
    if (self->role == ZAB_HALTED) {
        /* Whatever this step had begun is not done. */
        memset (&update->persist, 0, sizeof update->persist);
        update->messages_count = 0;
        update->resets_count = 0;
        update->snapshots_count = 0;
    } else {
        leader_flush_commits (self);
        persist_compare (self);
        leader_check_handover (self);
        follower_check_store (self);
        election_flush (self);
        persist_flush (self);
        peer_sweep (self);
        zxid_t deliver = self->committed < self->durable || COHORT_MUTATED (applied_from_memory)
                             ? self->committed
                             : self->durable;
        if (self->delivered < deliver) {
            self->delivered = deliver;
        }
    }
    update->deliver = self->delivered;
    update->round = self->role == ZAB_LEADING ? self->lead.round : 0;
    update->halt = self->halt;
    update_status (self);
    if (self->role != ZAB_HALTED) {
        zab_check (self);
    }
    return update;
}

const struct zab_update *zab_start (struct zab *self, uint32_t accepted_epoch,
                                    uint32_t current_epoch, zxid_t committed, int64_t now_ms)
{
    COHORT_ASSERT (!self->started);
    COHORT_ASSERT (current_epoch <= accepted_epoch);
    COHORT_ASSERT (accepted_epoch <= ZXID_EPOCH_MAX);
    COHORT_ASSERT (zxid_epoch (self->log.last.zxid) <= accepted_epoch);
    self->accepted_epoch = self->accepted_durable = accepted_epoch;
    self->current_epoch = self->current_durable = current_epoch;
    self->durable = self->log.last.zxid;
    self->committed = self->delivered = self->log.base.zxid;
    if (committed > self->committed) {
        struct zab_point point;
        bool found = history_floor (&self->log, committed, &point);
        COHORT_ASSERT (found);
        self->committed = point.zxid;
    }
    self->now_ms = now_ms;
    self->stamped_ms = self->stored_ms = now_ms;
    self->stores_ms = self->stores_too_ms = self->peer_timeout_ms * ZAB_STORE_UNKNOWN;
    self->epoch_chosen_ms = now_ms;
    begin (self, now_ms, self->stamp_ms);
    self->started = true;
    election_start (self);
    const struct zab_update *update = end (self);
    self->update.status_changed = true;
    return update;
}

/* Whether this server has not run for so long that its timers are worth nothing. Who leads has
 * something to do with every ping; who follows may sleep until its leader is due, and only what it
 * sleeps beyond that, more than a thread that wakes late, is a stall. */
static bool has_stalled (const struct zab *self, int64_t now_ms)
{
    if (role_is_learner (self)) {
        return now_ms - zab_deadline (self) > self->peer_timeout_ms / ZAB_PINGS;
    }
    return now_ms - self->now_ms > self->peer_timeout_ms;
}

const struct zab_update *zab_step (struct zab *self, const struct zab_event *event)
{
    COHORT_ASSERT (self->started);
    bool stalled = has_stalled (self, event->now_ms);
    begin (self, event->now_ms, event->wall_ms);
    if (self->role == ZAB_HALTED) {
        return end (self);
    }
    if (stalled) {
        on_stall (self);
    }
    switch (event->type) {
    case ZAB_EVENT_TICK:
        on_tick (self);
        break;
    case ZAB_EVENT_LINK_UP:
        peer_link_up (self, event->peer, event->store_id);
        break;
    case ZAB_EVENT_LINK_DOWN:
        peer_link_down (self, event->peer);
        break;
    case ZAB_EVENT_MESSAGE:
        receive (self, event->message);
        break;
    case ZAB_EVENT_PROPOSE:
        leader_propose (self, event->proposals, event->proposals_count);
        break;
    case ZAB_EVENT_DURABLE:
        if (persist_durable (self, event->persisted)) {
            after_durable (self);
        }
        break;
    case ZAB_EVENT_SNAPSHOT:
        follower_on_snapshot (self, event);
        break;
    case ZAB_EVENT_INSTALLED:
        on_installed (self, event);
        break;
    case ZAB_EVENT_NOT_INSTALLED:
        on_not_installed (self);
        break;
    case ZAB_EVENT_PROGRESS:
        on_progress (self, event->peer);
        break;
    case ZAB_EVENT_COMPACTED:
        on_compacted (self, event);
        break;
    case ZAB_EVENT_ROUND:
        if (self->role == ZAB_LEADING) {
            leader_begin_round (self);
        }
        break;
    case ZAB_EVENT_CONFIG:
        on_config (self, event->configs);
        break;
    case ZAB_EVENT_SPACE:
        on_space (self, event->full);
        break;
    case ZAB_EVENT_WITHDRAWN:
        on_withdrawn (self, event->point);
        break;
    case ZAB_EVENT_STAND:
        on_stand (self, event->stands);
        break;
    case ZAB_EVENT_LEAVE:
        on_leave (self);
        break;
    }
    return end (self);
}

const struct zab_status *zab_status (const struct zab *self)
{
    return &self->status;
}

int64_t zab_stamp_ms (const struct zab *self, int64_t now_ms, int64_t wall_ms)
{
    int64_t slow_ms = self->stamp_ms + (now_ms - self->stamped_ms) / ZAB_STAMP_SLOWNESS;
    return wall_ms > slow_ms ? wall_ms : slow_ms;
}

int64_t zab_deadline (const struct zab *self)
{
    switch (self->role) {
    case ZAB_LOOKING:
        return election_deadline (self);
    case ZAB_LEADING:
        return leader_deadline (self);
    case ZAB_FOLLOWING:
    case ZAB_OBSERVING:
        return patience_end_ms (self);
    case ZAB_HALTED:
        break;
    }
    return ZAB_NEVER;
}
