/* ensemble.c: life, turns, looking. See ensemble.h and ensemble_state.h. */

#include "server/node/ensemble.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/node/bootstrap.h"
#include "server/node/clients.h"
#include "server/node/ensemble_state.h"
#include "server/node/error_text.h"
#include "server/node/recovery.h"

/* ---- Life ------------------------------------------------------------------------------------ */

struct ensemble *ensemble_new (const struct ensemble_options *options)
{
    COHORT_ASSERT (entry_limits_valid (&options->limits));
    struct ensemble *self = mem_calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->id = options->id;
    self->configured = *options->configured;
    self->addresses = options->addresses;
    self->store = options->store;
    self->folder = options->folder != NULL ? options->folder : "memory";
    self->links = options->links;
    self->host = options->host;
    self->logger = options->logger;
    self->seed = options->seed;
    self->peer_timeout_ms =
        options->peer_timeout_ms > 0 ? options->peer_timeout_ms : ENSEMBLE_PEER_TIMEOUT_MS;
    self->limits = options->limits;
    self->admins = options->admins;
    self->admins_size = options->admins_size;
    self->replace_admins = options->replace_admins;
    self->observer = options->observer;
    self->tree_options = options->tree;
    self->early = options->early;
    self->now_ms = self->down_since_ms = options->now_ms;
    self->leave_ms = self->resubmit_ms = INT64_MAX;
    for (size_t i = 0; i < self->configured.count; i++) {
        if (self->configured.members[i].id != self->id) {
            self->peers[self->peers_count++].id = self->configured.members[i].id;
        }
    }
    proposals_init (&self->proposals);
    ranges_init (&self->ranges, self->store);
    self->sync_chunk_bytes = options->sync_chunk_bytes;
    self->counter_max = options->counter_max;
    ensemble_snapshots_init (self, options->snapshot_bytes, options->snapshot_slice);
    self->witness = self->stands = true;
    if (!ensemble_tracker_init (self) || self->snapshots == NULL || self->backups == NULL ||
        !digests_init (&self->digests)) {
        ensemble_destroy (&self);
        return NULL;
    }
    return self;
}

void ensemble_destroy (struct ensemble **self_p)
{
    struct ensemble *self = *self_p;
    if (self == NULL) {
        return;
    }
    checkpoint_deinit (&self->checkpoint);
    install_deinit (&self->install);
    rebuild_deinit (&self->rebuild);
    digests_deinit (&self->digests);
    retired_deinit (&self->retired);
    snapshots_destroy (&self->snapshots);
    backups_destroy (&self->backups);
    ranges_deinit (&self->ranges);
    tracker_destroy (&self->tracker);
    proposals_deinit (&self->proposals);
    zab_destroy (&self->zab);
    tree_destroy (&self->tree);
    mem_free (self);
    *self_p = NULL;
}

void ensemble_fail (struct ensemble *self, int code, const char *text)
{
    COHORT_ASSERT (code != 0);
    if (self->failure == 0) {
        self->failure = code;
        snprintf (self->text, sizeof self->text, "%s", text);
        logger_write (&self->logger, LOG_ERROR, "server-failed", "code=%s reason=\"%s\"",
                      error_name (code), self->text);
    }
}

struct ensemble_peer *ensemble_find (struct ensemble *self, uint32_t id)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        if (self->peers[i].id == id) {
            return &self->peers[i];
        }
    }
    return NULL;
}

const struct config *ensemble_config (const struct ensemble *self)
{
    const struct config_set *configs = self->tree != NULL ? tree_configs (self->tree) : NULL;
    return configs != NULL ? &configs->configs[0] : NULL;
}

int ensemble_recover (struct ensemble *self, char *error, size_t error_size)
{
    COHORT_ASSERT (self->tree == NULL);
    int code = recovery_tree (self->store, &self->tree_options, self->early, &self->logger,
                              &self->tree, &self->applied, error, error_size);
    if (code != 0) {
        return code;
    }
    const struct config *config = ensemble_config (self);
    if (config != NULL && !bootstrap_same_members (&self->configured, config, error, error_size)) {
        return COHORT_ECONFIG;
    }
    self->deliver = self->applied.zxid;
    self->witness = !store_meta (self->store)->heir || COHORT_MUTATED (unproven_witness);
    ensemble_note_digest (self);
    logger_write (&self->logger, LOG_INFO, "recovered",
                  "zxid=%" PRIx64 " log=%" PRIx64 " nodes=%" PRIu64, self->applied.zxid,
                  store_last (self->store), tree_node_count (self->tree));
    return 0;
}

int ensemble_start (struct ensemble *self, int64_t now_ms, char *error, size_t error_size)
{
    COHORT_ASSERT (self->zab == NULL);
    COHORT_ASSERT (self->tree != NULL);
    const struct store_meta *meta = store_meta (self->store);
    struct zab_options options = {.id = self->id,
                                  .store_id = meta->store_id,
                                  .seed = self->seed,
                                  .configs = {.count = 1, .configs = {meta->config}},
                                  .peer_timeout_ms = self->peer_timeout_ms,
                                  .sync_chunk_bytes = self->sync_chunk_bytes,
                                  .counter_max = self->counter_max};
    const struct config_set *configs = tree_configs (self->tree);
    if (configs != NULL) {
        options.configs = *configs;
    }
    self->now_ms = self->down_since_ms = now_ms;
    self->zab = zab_new (&options);
    if (self->zab == NULL) {
        snprintf (error, error_size, "the members of the ensemble are not sound");
        return COHORT_ECONFIG;
    }
    int code = recovery_core (self->store, self->zab, error, error_size);
    if (code != 0) {
        return code;
    }
    self->found = store_last (self->store);
    self->trust = meta->trust;
    if (meta->trust != ZAB_WHOLE) {
        zab_recover_trust (self->zab, meta->trust, meta->suspect);
        logger_write (
            &self->logger, LOG_WARNING, "log-not-whole", "state=%s zxid=%" PRIx64 " reason=\"%s\"",
            zab_trust_name (meta->trust), store_last (self->store),
            meta->trust == ZAB_DAMAGED ? "no vote until the leader has brought back what is lost"
                                       : "its vote depends on what the others have");
    }
    zxid_t committed = store_committed (self->store);
    committed = committed > self->applied.zxid ? committed : self->applied.zxid;
    const struct zab_update *update =
        zab_start (self->zab, meta->accepted_epoch, meta->current_epoch, committed, now_ms);
    ensemble_update (self, update);
    if (self->full) {
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_SPACE, .full = true});
    }
    for (size_t i = 0; i < self->peers_count; i++) {
        uint32_t peer = self->peers[i].id;
        if (links_is_up (self->links, peer)) {
            ensemble_link_up (self, peer, links_store_id (self->links, peer));
        }
    }
    return 0;
}

bool ensemble_started (const struct ensemble *self)
{
    return self->zab != NULL;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

void ensemble_time (struct ensemble *self, int64_t now_ms, int64_t wall_ms)
{
    COHORT_ASSERT (now_ms >= self->now_ms);
    self->now_ms = now_ms;
    self->wall_ms = wall_ms;
    tracker_time (self->tracker, now_ms);
}

static void take_completions (struct ensemble *self)
{
    const char *text = NULL;
    int code = store_failure (self->store, &text);
    if (code != 0) {
        ensemble_fail (self, code, text != NULL ? text : "the store has failed");
        return;
    }
    uint64_t completed = store_completed (self->store);
    if (completed > self->completed) {
        self->completed = completed;
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_DURABLE, .persisted = completed});
    }
    links_hold (self->links, store_backlog (self->store) > ENSEMBLE_BACKLOG_BYTES);
}

/* A full disk, and its end, once each: to the people, and to the core, which decides who leads. */
static void look_at_space (struct ensemble *self)
{
    bool full = store_space (self->store) != 0;
    if (full == self->full) {
        return;
    }
    self->full = full;
    if (full) {
        logger_write (&self->logger, LOG_WARNING, "disk-full",
                      "folder=\"%s\" free=%" PRIu64
                      " reason=\"no writes here until there is space; it is looked for again and "
                      "again\"",
                      self->folder, store_space_left (self->store));
    } else {
        logger_write (&self->logger, LOG_INFO, "disk-has-room", "folder=\"%s\"", self->folder);
    }
    if (self->zab != NULL) {
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_SPACE, .full = full});
    }
}

bool ensemble_is_lost (const struct ensemble *self)
{
    int64_t patience = (int64_t) ENSEMBLE_HELD_TIMEOUTS * self->peer_timeout_ms;
    return !self->up && self->now_ms - self->down_since_ms >= patience;
}

/* Who looks for a leader in vain knows of none, full or not; with a leader, or before it has looked
 * for long, what is here may be read.  So it may where only the full disk is in the way: it takes
 * neither promise nor history. */
static enum ensemble_held why_held (const struct ensemble *self)
{
    bool lost = ensemble_is_lost (self);
    struct zab_status status;
    ensemble_status (self, &status);
    if (lost && self->full && (status.leader != 0 || status.settling)) {
        return HELD_STUCK;
    }
    if (lost && !COHORT_MUTATED (quorumless_untold)) {
        return HELD_NO_QUORUM;
    }
    if (!self->up && self->install.state >= INSTALL_RECEIVING) {
        return HELD_BEHIND;
    }
    return self->full ? HELD_FULL : status.starved ? HELD_STARVED : HELD_NOT;
}

/* A server that looks for a leader has a vote when its disk has caught up, and a full one never
 * does; so what waits there is given up.  Others have it, or nobody was told of it. */
static void withdraw (struct ensemble *self)
{
    const struct zab_status *status = ensemble_zab (self);
    struct zab_point last;
    if (store_withdrawn (self->store, &last)) {
        COHORT_ASSERT (status->role == ZAB_LOOKING);
        ranges_clear (&self->ranges);
        logger_write (&self->logger, LOG_INFO, "writes-withdrawn", "zxid=%" PRIx64, last.zxid);
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_WITHDRAWN, .point = last});
    } else if (self->full && status->role == ZAB_LOOKING && store_backlog (self->store) > 0 &&
               self->install.state < INSTALL_RUNNING) {
        store_withdraw (self->store);
    }
}

static bool was_told (const struct ensemble *self, const struct zab_silent *silent)
{
    for (size_t i = 0; i < self->silent_count; i++) {
        if (self->silent[i].id == silent->id && self->silent[i].why == silent->why) {
            return true;
        }
    }
    return false;
}

/* Whom an election lacks: all servers may be there, and too few of them have a vote. Each reason is
 * told once, however often connections come and go. */
static void tell_silent (struct ensemble *self)
{
    static const char *const texts[] = {
        [ZAB_UNLINKED] = "there is no connection to it",
        [ZAB_EMPTIED] = "its data folder was emptied, or is new: it has no vote until a majority "
                        "without it has taken it in",
        [ZAB_UNHEALED] = "its log is damaged: it has no vote until a leader has healed it"};
    struct zab_silent list[CONFIG_MEMBERS_MAX];
    size_t count = self->zab != NULL ? zab_silent (self->zab, list) : 0;
    for (size_t i = 0; i < count; i++) {
        if (self->silent_count == ENSEMBLE_SILENT_MAX || was_told (self, &list[i])) {
            continue;
        }
        self->silent[self->silent_count++] = list[i];
        logger_write (&self->logger, LOG_WARNING, "voter-silent",
                      "server=%" PRIu32 " reason=\"%s\"", list[i].id, texts[list[i].why]);
    }
}

/* Why clients wait. */
static void tell_held (struct ensemble *self)
{
    enum ensemble_held held = why_held (self);
    if (held == HELD_NO_QUORUM) {
        tell_silent (self);
    } else {
        self->silent_count = 0;
    }
    if (held == self->held) {
        return;
    }
    char was[sizeof self->held_text];
    memcpy (was, self->held_text, sizeof was);
    self->held = held;
    switch (held) {
    case HELD_NOT:
        self->held_text[0] = '\0';
        break;
    case HELD_NO_QUORUM:
        snprintf (self->held_text, sizeof self->held_text, "%s", CLIENTS_NO_QUORUM);
        break;
    case HELD_BEHIND:
        snprintf (self->held_text, sizeof self->held_text, "%s", CLIENTS_BEHIND);
        break;
    case HELD_FULL:
    case HELD_STUCK:
        snprintf (self->held_text, sizeof self->held_text,
                  "%sdisk full: server %" PRIu32 ", %" PRIu64 " KiB free in %.120s",
                  held == HELD_STUCK ? CLIENTS_NO_QUORUM " here: " : "", self->id,
                  store_space_left (self->store) / 1024, self->folder);
        break;
    case HELD_STARVED:
        snprintf (self->held_text, sizeof self->held_text,
                  "disk full: too many of the other servers have no space (see cohort status)");
        break;
    }
    logger_write (&self->logger, held != HELD_NOT ? LOG_WARNING : LOG_INFO,
                  held != HELD_NOT ? "writes-held" : "writes-go-on", "reason=\"%s\"",
                  held != HELD_NOT ? self->held_text : was);
    if (!COHORT_MUTATED (full_untold)) {
        self->host.held (self->host.arg, held != HELD_NOT ? self->held_text : NULL);
    }
}

static void compact (struct ensemble *self)
{
    struct zab_event event = {.type = ZAB_EVENT_COMPACTED};
    if (self->state == NODE_STATE_QUARANTINED || COHORT_MUTATED (never_purges)) {
        return; /* what it may be made of stays */
    }
    self->compact_due = false;
    checkpoint_keep (&self->checkpoint);
    if (store_compacted (self->store, &event.point, &event.stamp_ms)) {
        ranges_clear (&self->ranges);
        ensemble_step (self, event);
    }
}

/* A learner waits for a snapshot, and this server does for a quorum: perhaps for just that one. */
static bool is_waited_for (const struct ensemble *self)
{
    bool has_state = self->state != NODE_STATE_QUARANTINED || self->rebuild.phase == REBUILD_NONE;
    return has_state && ensemble_is_lost (self) && snapshots_count (self->snapshots) > 0;
}

/* While states differ nothing takes the place of what the right one can be made of; but without a
 * leader nothing is ever proven. What was proven last is kept all the same. */
bool ensemble_takes_snapshots (const struct ensemble *self)
{
    return self->install.state == INSTALL_NONE &&
           (self->state == NODE_STATE_SOUND || is_waited_for (self));
}

static bool take_snapshots (struct ensemble *self)
{
    bool busy = checkpoint_busy (&self->checkpoint);
    bool more = false;
    if (ensemble_takes_snapshots (self)) {
        more = checkpoint_turn (&self->checkpoint, self->tree, self->applied, self->now_ms);
    }
    snapshots_turn (self->snapshots, self->applied.zxid, self->now_ms);
    backups_turn (self->backups, self->applied.zxid, self->now_ms);
    self->compact_due |= busy && !checkpoint_busy (&self->checkpoint);
    return more;
}

void ensemble_look_for_damage (struct ensemble *self)
{
    const struct tree_damage *damage = tree_damage (self->tree);
    char text[sizeof self->text];
    if (damage == NULL || self->failure != 0) {
        return;
    }
    logger_write (&self->logger, LOG_ERROR, "state-damaged",
                  "zxid=%" PRIx64 " what=\"%s\" path=\"%s\" session=%" PRIx64
                  " expected=%016" PRIx64 " found=%016" PRIx64,
                  damage->zxid, tree_damage_name (damage->kind), damage->path, damage->session,
                  damage->expected, damage->found);
    snprintf (
        text, sizeof text,
        "%s has changed in memory by itself (at zxid %" PRIx64 ", path \"%s\"): start this "
        "server again, its state is then made anew from its disk; if this happens again, test "
        "the machine's memory",
        tree_damage_name (damage->kind), damage->zxid, damage->path);
    ensemble_fail (self, COHORT_ECORRUPT, text);
}

/* Turns are frequent enough while there is a leader to hear from; without, nobody is shown much.
 * Where they are frequent there is much else to do, and a slice is small. */
static void scrub (struct ensemble *self)
{
    int64_t since = self->now_ms - self->scrubbed_ms;
    if (since < ENSEMBLE_SCRUB_MS) {
        return;
    }
    self->scrubbed_ms = self->now_ms;
    uint64_t elapsed = since < ENSEMBLE_SCRUB_MS_MAX ? (uint64_t) since : ENSEMBLE_SCRUB_MS_MAX;
    uint64_t share = tree_node_count (self->tree) * elapsed / ENSEMBLE_SCRUB_ROUND_MS;
    uint64_t least = ENSEMBLE_SCRUB_OBJECTS * elapsed / ENSEMBLE_SCRUB_MS;
    (void) tree_scrub (self->tree, (size_t) (share > least ? share : least), ENSEMBLE_SCRUB_BYTES);
}

bool ensemble_flush (struct ensemble *self)
{
    if (self->zab == NULL) {
        look_at_space (self);
        tell_held (self);
        return false;
    }
    scrub (self);
    ensemble_look_for_damage (self); /* what frames have read was not sent yet */
    if (self->failure != 0) {
        return false;
    }
    take_completions (self);
    if (self->failure == 0) {
        look_at_space (self);
        withdraw (self);
    }
    if (self->failure == 0 && self->now_ms >= zab_deadline (self->zab)) {
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_TICK});
    }
    bool more = self->failure == 0 && ensemble_install_turn (self);
    if (self->failure != 0) {
        return false;
    }
    more |= ensemble_apply (self);
    if (self->failure != 0) {
        return false;
    }
    more |= ensemble_digests_turn (self);
    if (self->failure != 0) {
        return false;
    }
    ensemble_resubmit (self);
    more |= tracker_turn (self->tracker);
    more |= ensemble_propose (self);
    if (ensemble_leads (self) && tracker_wants_round (self->tracker)) {
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_ROUND});
    }
    more |= take_snapshots (self);
    more |= retired_turn (&self->retired);
    if (self->compact_due) {
        compact (self);
    }
    tell_held (self);
    ensemble_look_for_damage (self);
    return more && self->failure == 0;
}

bool ensemble_waiting (const struct ensemble *self)
{
    return (proposals_count (&self->proposals) > 0 && !ensemble_starved (self)) ||
           ensemble_sync_due (self);
}

void ensemble_flushed (struct ensemble *self)
{
    ranges_clear (&self->ranges);
}

int64_t ensemble_deadline (const struct ensemble *self)
{
    int64_t deadline = tracker_deadline (self->tracker);
    int64_t others[] = {
        install_deadline (&self->install),
        backups_deadline (self->backups),
        ensemble_takes_snapshots (self) ? checkpoint_deadline (&self->checkpoint) : INT64_MAX,
        self->resubmit_ms,
        ensemble_lapse_deadline (self),
        self->zab != NULL ? zab_deadline (self->zab) : INT64_MAX,
        self->up || self->held == HELD_NO_QUORUM
            ? INT64_MAX
            : self->down_since_ms + (int64_t) ENSEMBLE_HELD_TIMEOUTS * self->peer_timeout_ms,
        self->leave_ms < INT64_MAX ? self->leave_ms + self->peer_timeout_ms : INT64_MAX};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        deadline = others[i] < deadline ? others[i] : deadline;
    }
    return self->failure != 0 ? INT64_MAX : deadline;
}

/* ---- Ending and looking ---------------------------------------------------------------------- */

void ensemble_leave (struct ensemble *self)
{
    if (self->leave_ms != INT64_MAX) {
        return;
    }
    self->leave_ms = self->now_ms;
    if (self->zab != NULL) {
        ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_LEAVE});
    }
}

bool ensemble_left (const struct ensemble *self)
{
    if (self->leave_ms == INT64_MAX) {
        return false;
    }
    if (self->zab == NULL || self->failure != 0 ||
        self->now_ms - self->leave_ms >= self->peer_timeout_ms) {
        return true;
    }
    const struct zab_status *status = ensemble_zab (self);
    return status->leaving && status->role != ZAB_LEADING;
}

int ensemble_failure (const struct ensemble *self, const char **text)
{
    *text = self->text;
    return self->failure;
}

void ensemble_status (const struct ensemble *self, struct zab_status *status)
{
    if (self->zab != NULL) {
        *status = *zab_status (self->zab);
    } else {
        memset (status, 0, sizeof *status);
        status->role = ZAB_LOOKING;
        status->trust = store_meta (self->store)->trust;
    }
}

enum node_state ensemble_state (const struct ensemble *self, const char **reason)
{
    *reason = self->state_reason;
    return self->state;
}

void ensemble_bounds (const struct ensemble *self, struct bounds *bounds)
{
    proposals_bounds (&self->proposals, bounds);
    checkpoint_bounds (&self->checkpoint, bounds);
    install_bounds (&self->install, bounds);
    snapshots_bounds (self->snapshots, bounds);
    backups_bounds (self->backups, bounds);
}

struct tree *ensemble_tree (const struct ensemble *self)
{
    return self->tree;
}

int ensemble_patience_ms (const struct ensemble *self)
{
    return (int) zab_patience_ms (self->peer_timeout_ms);
}
