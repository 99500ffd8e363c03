/*
 *  server/store/repair.c - a damaged folder becomes one that holds what is sound, and says so
 *
 *  In this order: the mark in the metadata, durable; the damaged files out of the way; then one
 * flip of the manifest.  An interruption at any place leaves a folder whose recovery comes here
 * again. What is sound is never more than it was: the manifest's base, snapshots and spans only
 * shrink.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/recovery.h"
#include "server/store/state.h"
#include "server/store/strays.h"

static int sync_names (struct store *self, struct fault *fault)
{
    int rc = self->disk->ops->sync_names (self->disk);
    return rc == 0 ? 0 : fault_final (fault, "the folder", "sync", rc);
}

/*  A mark that is there already gets no weaker. */
static int mark (struct store *self, enum zab_trust trust, zxid_t suspect, bool members_lost,
                 struct fault *fault)
{
    struct store_meta meta = self->meta_file.meta;
    zxid_t before = meta.trust == ZAB_SUSPECT ? meta.suspect : 0;
    meta.trust = trust > meta.trust ? trust : meta.trust;
    meta.suspect = meta.trust != ZAB_SUSPECT ? 0 : suspect > before ? suspect : before;
    /*  The log's own entries about the members are lost: it has to ask for them, as at first. */
    meta.bootstrapped = meta.bootstrapped && !members_lost;
    if (COHORT_MUTATED (mark_forgotten)) {
        return 0;
    }
    int rc = meta_write (&self->meta_file, &meta, fault);
    return rc == 0 ? sync_names (self, fault) : rc;
}

static int move_all (struct store *self, const struct listing *listing, bool snapshots,
                     struct fault *fault)
{
    for (size_t i = 0; i < listing->count; i++) {
        uint32_t segment;
        zxid_t zxid;
        uint64_t serial;
        if (name_is_segment (listing->names[i], &segment) ||
            (snapshots && name_is_snapshot (listing->names[i], &zxid, &serial))) {
            int rc = aside_move (&self->aside, self->disk, listing->names[i], fault);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

/* ---- Nothing is sound -------------------------------------------------------------------- */

/*  What was condemned, or another's, is gone. */
static int acquit (struct store *self, struct fault *fault)
{
    struct store_meta meta = self->meta_file.meta;
    meta.condemned = meta.heir = false;
    return meta_write (&self->meta_file, &meta, fault);
}

/*  An empty log, and no snapshot. */
static int start_over (struct store *self, const struct listing *listing, struct fault *fault)
{
    int rc = aside_move (&self->aside, self->disk, NAME_MANIFEST, fault);
    if (rc == 0) {
        rc = move_all (self, listing, true, fault);
    }
    if (rc == 0) {
        rc = sync_names (self, fault);
    }
    if (rc != 0) {
        return rc;
    }
    const struct store_meta *meta = &self->meta_file.meta;
    self->log.ids = (struct file_ids){.server_id = meta->server_id, .store_id = meta->store_id};
    memcpy (self->log.ids.cluster_id, meta->cluster_id, sizeof meta->cluster_id);
    struct manifest draft = {.next_segment = listing->segment, .next_serial = listing->serial};
    rc = log_flip (&self->log, &draft, fault);
    return rc == 0 && (meta->condemned || meta->heir) ? acquit (self, fault) : rc;
}

/*  What this server has promised is forgotten with its metadata; so it must be another, and the
 *  manifest goes first: it names the old one. */
static int forget_promises (struct store *self, const struct store_options *options,
                            struct fault *fault)
{
    static const char *const names[] = {NAME_MANIFEST, "meta.0", "meta.1"};
    meta_close (&self->meta_file);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = aside_move (&self->aside, self->disk, names[i], fault);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = sync_names (self, fault);
    if (rc != 0) {
        return rc;
    }
    self->meta_file.meta =
        (struct store_meta){.server_id = options->server_id, .store_id = options->store_id};
    aside_note (&self->aside, "this server has forgotten what it promised, and is a new one");
    return mark (self, ZAB_DAMAGED, 0, true, fault);
}

/* ---- A part is sound --------------------------------------------------------------------- */

/*  Snapshots that no manifest names, and that may be all that is left of what they hold. */
static int keep_newer (struct store *self, const struct listing *listing, zxid_t last,
                       struct fault *fault)
{
    int rc = 0;
    for (size_t i = 0; i < listing->count && rc == 0; i++) {
        if (stray_is_newer (&self->log.manifest, listing->names[i], last)) {
            rc = aside_move (&self->aside, self->disk, listing->names[i], fault);
        }
    }
    return rc;
}

/*  The log begins behind the snapshot. */
static int keep_snapshot (struct store *self, const struct listing *listing, struct fault *fault)
{
    const struct snapshot_entry *snapshot = &self->recovered.snapshot;
    int rc = move_all (self, listing, false, fault);
    if (rc == 0) {
        rc = sync_names (self, fault);
    }
    if (rc != 0) {
        return rc;
    }
    struct manifest draft;
    if (!manifest_copy (&draft, &self->log.manifest)) {
        return fault_memory (fault);
    }
    draft.spans_count = 0;
    draft.base = snapshot->point;
    draft.base_stamp_ms = snapshot->stamp_ms;
    draft.durable = snapshot->point.zxid;
    manifest_drop_snapshots (&draft, snapshot->point.zxid);
    return log_flip (&self->log, &draft, fault);
}

/*  The segment in which the sound part ends is copied, and used on; those behind it are moved. */
static int set_tail_aside (struct store *self, const struct log_damage *damage, struct fault *fault)
{
    const struct manifest *manifest = &self->log.manifest;
    char name[NAME_SIZE];
    int rc = 0;
    if (damage->spans > 0) {
        name_segment (name, manifest->spans[damage->spans - 1].segment);
        rc = aside_copy (&self->aside, self->disk, name, fault);
    }
    for (size_t i = damage->spans; i < manifest->spans_count && rc == 0; i++) {
        name_segment (name, manifest->spans[i].segment);
        rc = aside_move (&self->aside, self->disk, name, fault);
    }
    return rc == 0 ? sync_names (self, fault) : rc;
}

/*  The system's cache may show what never reached the disk; from now on it counts as durable. */
static int write_again (struct store *self, const struct span *span, struct fault *fault)
{
    struct log *log = &self->log;
    segment_close (&log->current, log->disk);
    int rc = segment_open (&log->current, log->disk, &log->ids, span->segment, fault);
    if (rc == 0) {
        rc = recover_rewrite (&log->current, log->disk, span->start, span->end, span->end, fault);
    }
    segment_close (&log->current, log->disk);
    return rc;
}

/*  The log ends where it ceases to be sound, and goes on in a new segment. */
static int cut (struct store *self, const struct listing *listing, const struct log_damage *damage,
                struct fault *fault)
{
    struct log *log = &self->log;
    int rc = set_tail_aside (self, damage, fault);
    if (rc != 0) {
        return rc;
    }
    struct manifest draft;
    if (!manifest_copy (&draft, &log->manifest)) {
        return fault_memory (fault);
    }
    draft.spans_count = damage->spans;
    draft.durable = damage->last.zxid;
    if (damage->spans > 0) {
        struct span *last = &draft.spans[damage->spans - 1];
        last->end = damage->end;
        last->last = damage->last.zxid;
        rc = write_again (self, last, fault);
        /*  An interrupted repair may have left a file that no manifest names. */
        uint32_t number =
            listing->segment > draft.next_segment ? listing->segment : draft.next_segment;
        draft.next_segment = number + 1;
        segment_close (&log->next, log->disk);
        if (rc == 0) {
            rc = segment_create (&log->next, log->disk, &log->ids, number, log->reserve_bytes,
                                 fault);
        }
        if (rc == 0 && !manifest_add_span (&draft, number)) {
            rc = fault_memory (fault);
        }
        segment_close (&log->next, log->disk);
    }
    if (rc != 0) {
        manifest_deinit (&draft);
        return rc;
    }
    return log_flip (log, &draft, fault);
}

static int repair_log (struct store *self, const struct listing *listing,
                       const struct log_damage *damage, struct fault *fault)
{
    const struct recovered *recovered = &self->recovered;
    bool behind_snapshot =
        recovered->has_snapshot && damage->last.zxid < recovered->snapshot.point.zxid;
    bool suspect = damage->suspect != 0 && !behind_snapshot;
    int rc = mark (self, suspect ? ZAB_SUSPECT : ZAB_DAMAGED, damage->suspect, false, fault);
    if (rc == 0) {
        zxid_t kept = behind_snapshot ? recovered->snapshot.point.zxid : damage->last.zxid;
        rc = keep_newer (self, listing, kept, fault);
    }
    if (rc != 0) {
        return rc;
    }
    return behind_snapshot ? keep_snapshot (self, listing, fault)
                           : cut (self, listing, damage, fault);
}

/* ---- The manifest is an older one -------------------------------------------------------- */

/*  What it does not name is out of the way; what it names is looked at again. */
static int set_strays_aside (struct store *self, const struct listing *listing, struct fault *fault)
{
    const struct manifest *manifest = &self->log.manifest;
    int rc = mark (self, ZAB_DAMAGED, 0, false, fault);
    if (rc == 0) {
        rc = keep_newer (self, listing, 0, fault);
    }
    for (size_t i = 0; i < listing->count && rc == 0; i++) {
        const char *name = listing->names[i];
        uint32_t number;
        struct stray stray;
        if (!name_is_segment (name, &number) || stray_is_listed (manifest, name)) {
            continue;
        }
        rc = stray_segment (self->disk, &self->log.ids, manifest, number, &stray, fault);
        if (rc == 0 && stray.acknowledged) {
            rc = aside_move (&self->aside, self->disk, name, fault);
        }
    }
    return rc == 0 ? sync_names (self, fault) : rc;
}

int repair_run (struct store *self, const struct store_options *options,
                const struct listing *listing, enum recovery_damage damage,
                const struct log_damage *log, const char *why, struct fault *fault)
{
    COHORT_ASSERT (options->repair);
    aside_note (&self->aside, "%s", why);
    if (damage == RECOVERY_STRAYS) {
        return set_strays_aside (self, listing, fault);
    }
    if (damage == RECOVERY_LOG) {
        return repair_log (self, listing, log, fault);
    }
    int rc = damage == RECOVERY_METADATA            ? forget_promises (self, options, fault)
             : COHORT_MUTATED (unreadable_is_empty) ? 0
                                                    : mark (self, ZAB_DAMAGED, 0, true, fault);
    return rc == 0 ? start_over (self, listing, fault) : rc;
}
