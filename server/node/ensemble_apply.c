/* ensemble_apply.c: committed entries to the tree, and snapshots that replace it. See
 * ensemble_state.h. */

#include "server/node/ensemble_state.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/node/bootstrap.h"

/* A turn shall not take longer than 2 ms, and does other things too: what an entry costs, in units
 * of 2 to 4 us. */
enum {
    SLICE_COST = 300,
    SLICE_ENTRIES = 128,
    SLICE_BYTES = 256 << 10,
    COST_BYTES = 1024,
    COST_EFFECTS = 2,
    COST_TOLD = 4 /* watches and streams that are told */
};

/* An operation may cross a limit, and the next one go back below it, as often as clients like. */
enum { QUOTA_LINES = 20, QUOTA_LINES_MS = 10000 };

static int cost_of (const struct zab_entry *entry, const struct tree_outcome *outcome)
{
    return 1 + (int) (entry->size / COST_BYTES) + (int) (outcome->effects / COST_EFFECTS);
}

/* Once for each time that an operation exceeds such a limit, but for so many in a row; those of the
 * log before this start were told by the process that applied them then. */
static void warn_of_quotas (struct ensemble *self, const struct tree_outcome *outcome)
{
    for (uint32_t i = 0; i < outcome->crossed_count; i++) {
        const struct tree_quota *quota = &outcome->crossed[i];
        uint64_t missed;
        bool told =
            log_limit_admits (&self->crossings, self->now_ms, QUOTA_LINES, QUOTA_LINES_MS, &missed);
        if (missed > 0) {
            logger_write (&self->logger, LOG_WARNING, "quotas-exceeded", "more=%" PRIu64, missed);
        }
        if (!told) {
            continue;
        }
        logger_write (&self->logger, LOG_WARNING, "quota-exceeded",
                      "path=\"%.*s\" limit=%s max=%" PRId64 " value=%" PRId64,
                      (int) quota->path_size, quota->path, tree_quota_name (quota->kind),
                      quota->limit, quota->value);
    }
}

/* Whoever leads next has nothing to replace any more: who is named from now on stays.  What an
 * earlier start has replaced does not count. */
static void note_admins (struct ensemble *self, zxid_t zxid, const struct tree_outcome *outcome)
{
    if (outcome->kind == ENTRY_REPLACE_ADMINS && zxid > self->found) {
        logger_write (&self->logger, LOG_WARNING, "admins-replaced",
                      "reason=\"the leader's configuration has replaceAdmins=yes\"");
        self->replace_admins &= !ensemble_has_configured_admins (self);
    }
}

/* Returns what that has cost. */
static int after_apply (struct ensemble *self, const struct zab_entry *entry,
                        const struct tree_outcome *outcome)
{
    self->applied = (struct zab_point){entry->zxid, entry->chain};
    if (digests_wants (&self->digests, entry->zxid)) {
        ensemble_note_digest (self);
    }
    self->config_due |= outcome->config_changed;
    if (outcome->kind == ENTRY_MEMBER_STORE) {
        for (size_t i = 0; i < self->peers_count; i++) {
            self->peers[i].proposed = 0; /* decided; looked at again */
        }
    }
    warn_of_quotas (self, outcome);
    note_admins (self, entry->zxid, outcome);
    self->lapsing &= outcome->kind != ENTRY_LAPSE;
    tracker_applied (self->tracker, entry->zxid, outcome);
    uint32_t told = self->host.applied (self->host.arg, entry->zxid, outcome);
    return (int) (told / COST_TOLD);
}

static void apply_slice (struct ensemble *self)
{
    struct zab_entry entries[SLICE_ENTRIES];
    if (COHORT_MUTATED (applied_when_led) && !self->up) {
        return;
    }
    for (int left = COHORT_MUTATED (applied_at_once) ? INT_MAX : SLICE_COST;
         left > 0 && self->applied.zxid < self->deliver;) {
        size_t count = store_read (self->store, self->applied.zxid, self->deliver, SLICE_BYTES,
                                   entries, SLICE_ENTRIES);
        if (count == 0) {
            const char *text = NULL;
            int code = store_failure (self->store, &text);
            ensemble_fail (self, code != 0 ? code : COHORT_ECORRUPT,
                           "committed entries cannot be read");
            return;
        }
        for (size_t i = 0; i < count && left > 0; i++) {
            struct tree_outcome outcome;
            if (!tree_apply (self->tree, entries[i].zxid, entries[i].stamp_ms, entries[i].data,
                             entries[i].size, &outcome)) {
                ensemble_fail (self, COHORT_EUNSUPPORTED,
                               "an entry of the log is malformed, or of a later version");
                return;
            }
            ensemble_look_for_damage (self);
            if (self->failure != 0) {
                return; /* the outcome is told to nobody */
            }
            left -= cost_of (&entries[i], &outcome);
            left -= after_apply (self, &entries[i], &outcome);
        }
    }
}

static void tell_config (struct ensemble *self)
{
    const struct config_set *configs = tree_configs (self->tree);
    char differs[160];
    self->config_due = false;
    if (configs == NULL) {
        return;
    }
    if (!bootstrap_same_members (&self->configured, &configs->configs[0], differs,
                                 sizeof differs)) {
        logger_write (&self->logger, LOG_ERROR, "members-differ", "reason=\"%s\"", differs);
    }
    ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_CONFIG, .configs = configs});
}

bool ensemble_apply (struct ensemble *self)
{
    apply_slice (self);
    if (self->config_due && self->failure == 0) {
        tell_config (self);
    }
    if (tracker_leading (self->tracker) && self->applied.zxid >= self->history) {
        tracker_ready (self->tracker);
    }
    return self->applied.zxid < self->deliver && self->failure == 0;
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static void send_part (void *arg, uint32_t peer, const struct peer_snapshot *part,
                       const uint8_t *chunk, size_t size)
{
    links_snapshot (((struct ensemble *) arg)->links, peer, part, chunk, size);
}

static void send_answer (void *arg, uint32_t peer, const struct peer_snapshot *part)
{
    links_snapshot (((struct ensemble *) arg)->links, peer, part, NULL, 0);
}

static void note_progress (void *arg, uint32_t peer)
{
    ensemble_step (arg, (struct zab_event){.type = ZAB_EVENT_PROGRESS, .peer = peer});
}

static void reset_link (void *arg, uint32_t peer, const char *why)
{
    links_reset (((struct ensemble *) arg)->links, peer, why);
}

static bool send_backup (void *arg, uint64_t connection, const struct backup_part *part)
{
    const struct ensemble *self = arg;
    return self->host.backup (self->host.arg, connection, part);
}

void ensemble_snapshots_init (struct ensemble *self, uint64_t snapshot_bytes, uint32_t slice_bytes)
{
    struct snapshots_host sender = {self, send_part, note_progress, reset_link};
    struct install_host receiver = {self, send_answer, reset_link};
    checkpoint_init (&self->checkpoint, self->store, snapshot_bytes, slice_bytes, &self->logger);
    retired_init (&self->retired);
    install_init (&self->install, self->store, &self->retired, &self->tree_options, &receiver,
                  &self->logger);
    rebuild_init (&self->rebuild, self->store, &self->retired, &self->tree_options, &self->logger);
    self->snapshots = snapshots_new (self->store, &self->checkpoint, &sender, &self->logger,
                                     self->seed ^ 0x736e6170);
    self->backups = backups_new (self->store, &self->checkpoint,
                                 &(struct backups_host){self, send_backup}, &self->logger);
}

void ensemble_backup (struct ensemble *self, uint64_t connection, uint64_t received)
{
    zxid_t applied = self->zab != NULL ? self->applied.zxid : 0;
    backups_query (self->backups, connection, received, applied, self->now_ms);
}

void ensemble_backup_closed (struct ensemble *self, uint64_t connection)
{
    backups_closed (self->backups, connection);
}

void ensemble_snapshot_part (struct ensemble *self, uint32_t peer, const struct peer_snapshot *part,
                             struct peer_bytes chunk)
{
    if (part->kind == PEER_PROGRESS || part->kind == PEER_REFUSED) {
        snapshots_message (self->snapshots, peer, part);
    } else if (install_message (&self->install, peer, part, chunk,
                                ensemble_zab (self)->committed)) {
        checkpoint_abort (&self->checkpoint);
    }
}

/* The snapshot is whole: the core decides whether it may replace the log. */
static void ask_core (struct ensemble *self)
{
    const struct peer_snapshot *offer = &self->install.offer;
    self->install_number = 0;
    ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_SNAPSHOT,
                                            .peer = self->install.peer,
                                            .point = offer->point,
                                            .stamp_ms = offer->stamp_ms});
    if (self->install_number != 0) {
        install_begin (&self->install);
    } else {
        install_discard (&self->install);
    }
}

/* The log begins behind the snapshot now; so must the state, at once. */
static void finish_install (struct ensemble *self)
{
    struct zab_point point;
    int64_t stamp_ms = 0;
    struct tree *tree = install_take (&self->install, &point, &stamp_ms);
    COHORT_ASSERT (point.zxid >= self->applied.zxid);
    checkpoint_abort (&self->checkpoint);
    ranges_clear (&self->ranges);
    struct tree *old = self->tree;
    self->tree = tree;
    self->applied = point;
    self->witness = self->witness && COHORT_MUTATED (witness_kept);
    self->remade = false;
    checkpoint_prove (&self->checkpoint, 0);
    rebuild_abort (&self->rebuild);
    digests_forget (&self->digests);
    ensemble_note_digest (self);
    self->host.tree (self->host.arg, tree);
    retired_add (&self->retired, &old);
    logger_write (&self->logger, LOG_INFO, "snapshot-installed", "zxid=%" PRIx64, point.zxid);
    ensemble_step (self, (struct zab_event){
                             .type = ZAB_EVENT_INSTALLED, .point = point, .stamp_ms = stamp_ms});
    /* What it proposes comes behind that state, by its time, too. */
    COHORT_ASSERT (zab_stamp_ms (self->zab, self->now_ms, 0) >= stamp_ms);
    tell_config (self);
    self->compact_due = true;
}

/* The disk is full, or does not give back what was written: the server stays what it was, and tries
 * again. What the core has asked the store for is nothing now, in its turn. */
static void forget_install (struct ensemble *self)
{
    struct zab_persist nothing = {.number = self->install_number};
    install_give_up (&self->install);
    store_persist (self->store, &nothing);
    ensemble_step (self, (struct zab_event){.type = ZAB_EVENT_NOT_INSTALLED});
}

/* A snapshot that is whole waits until the core does; or until this server has caught up in another
 * way, which ends all that is left of a transfer. */
bool ensemble_install_turn (struct ensemble *self)
{
    struct install *install = &self->install;
    const struct zab_status *status = ensemble_zab (self);
    bool more = false;
    if (install->state < INSTALL_RUNNING && install->state != INSTALL_NONE && status->activated) {
        install_give_up (install);
    } else {
        more = install_turn (install, self->now_ms);
    }
    if (install->state == INSTALL_WHOLE && status->snapshot_from == install->peer) {
        ask_core (self);
    }
    if (install->state == INSTALL_DONE) {
        finish_install (self);
    } else if (install->state == INSTALL_FAILED) {
        forget_install (self);
    }
    return more;
}
