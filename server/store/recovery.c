/*
 *  server/store/recovery.c - opening a folder: an empty one is made a store, a store is read back
 */
#include "server/store/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/error.h"
#include "server/store/beside.h"
#include "server/store/state.h"
#include "server/store/strays.h"

/* ---- What is in the folder --------------------------------------------------------------- */

/*  Snapshots that are not sound, of which there was a better one. */
static int keep_unsound (struct store *self, struct fault *fault)
{
    struct recovered *recovered = &self->recovered;
    int rc = 0;
    for (size_t i = 0; i < recovered->unsound_count && rc == 0; i++) {
        char name[NAME_SIZE];
        name_snapshot (name, recovered->unsound[i].point.zxid, recovered->unsound[i].serial);
        aside_note (&self->aside, "%s is not sound, an older snapshot is", name);
        rc = aside_move (&self->aside, self->disk, name, fault);
    }
    return rc;
}

/*  What the manifest does not name may go only if nothing in it was ever acknowledged. */
static int check_strays (struct store *self, const struct listing *listing, struct fault *fault)
{
    const struct manifest *manifest = &self->log.manifest;
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->names[i];
        uint32_t number;
        struct stray stray;
        if (!name_is_segment (name, &number) || stray_is_listed (manifest, name)) {
            continue;
        }
        int rc = stray_segment (self->disk, &self->log.ids, manifest, number, &stray, fault);
        if (rc == 0 && stray.acknowledged) {
            char text[STRAY_TEXT_SIZE];
            stray_text (text, stray.last);
            rc = fault_set (fault, COHORT_ECORRUPT, "%s: damaged: %s", name, text);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/*  What an interruption has left. */
static int remove_strays (struct store *self, const struct listing *listing, struct fault *fault)
{
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->names[i];
        if (!stray_is_listed (&self->log.manifest, name)) {
            int rc = self->disk->ops->unlink (self->disk, name);
            if (rc != 0 && rc != -ENOENT) {
                return fault_final (fault, name, "unlink", rc);
            }
        }
    }
    return 0;
}

/* ---- Identity ---------------------------------------------------------------------------- */

static bool is_untouched (const struct store_meta *meta)
{
    return all_zero (meta->cluster_id, sizeof meta->cluster_id) && !meta->bootstrapped &&
           meta->accepted_epoch == 0 && meta->current_epoch == 0 && meta->trust == ZAB_WHOLE;
}

static void take_ids (struct store *self)
{
    const struct store_meta *meta = &self->meta_file.meta;
    self->log.ids = (struct file_ids){.server_id = meta->server_id, .store_id = meta->store_id};
    memcpy (self->log.ids.cluster_id, meta->cluster_id, sizeof meta->cluster_id);
}

static int check_server (const struct store *self, const struct store_options *options,
                         struct fault *fault)
{
    uint32_t found = self->meta_file.meta.server_id;
    if (found == options->server_id) {
        return 0;
    }
    return fault_set (fault, COHORT_ECONFIG,
                      "meta.0: this is the folder of server %" PRIu32 ", not of server %" PRIu32,
                      found, options->server_id);
}

/*  An empty folder, or one in which this was interrupted: first the metadata, then a manifest;
 *  only with the manifest is it a store. */
static int make_store (struct store *self, const struct store_options *options, bool has_meta,
                       struct fault *fault)
{
    struct store_meta meta = {
        .server_id = options->server_id,
        .store_id = options->store_id,
    };
    int rc = meta_write (&self->meta_file, has_meta ? &self->meta_file.meta : &meta, fault);
    if (rc != 0) {
        return rc;
    }
    rc = self->disk->ops->sync_names (self->disk);
    if (rc != 0) {
        return fault_final (fault, "the folder", "sync", rc);
    }
    take_ids (self);
    struct manifest draft = {.next_segment = 1, .next_serial = 1};
    return log_flip (&self->log, &draft, fault);
}

/* ---- Snapshots --------------------------------------------------------------------------- */

static int verify (struct store *self, const struct snapshot_entry *entry, struct fault *fault)
{
    char name[NAME_SIZE];
    name_snapshot (name, entry->point.zxid, entry->serial);
    struct snapshot_reader reader;
    int rc = snapshot_open (&reader, self->disk, &self->log.ids, name, entry, fault);
    bool finished = false;
    while (rc == 0 && !finished) {
        rc = snapshot_verify (&reader, UINT64_MAX, false, &finished, fault);
    }
    snapshot_close (&reader);
    return rc;
}

/*  Finds the newest sound one; newer ones are struck off the manifest: the log goes back to the
 *  oldest of them. */
static int find_snapshot (struct store *self, struct fault *fault)
{
    struct manifest *manifest = &self->log.manifest;
    struct recovered *recovered = &self->recovered;
    struct fault found;
    while (manifest->snapshots_count > 0 && !recovered->has_snapshot) {
        const struct snapshot_entry *entry = &manifest->snapshots[manifest->snapshots_count - 1];
        int rc = COHORT_MUTATED (found_unverified) ? 0 : verify (self, entry, &found);
        if (rc == 0) {
            recovered->has_snapshot = true;
            recovered->snapshot = *entry;
        } else if (rc != COHORT_ECORRUPT) {
            *fault = found;
            return rc;
        } else {
            recovered->unsound[recovered->unsound_count++] = *entry;
            manifest->snapshots_count--;
        }
    }
    zxid_t point = recovered->has_snapshot ? recovered->snapshot.point.zxid : 0;
    if (point >= manifest->base.zxid) {
        return 0;
    }
    return recovered->unsound_count > 0
               ? fault_set (fault, COHORT_ECORRUPT, "no snapshot is sound; %.240s", found.text)
               : fault_set (fault, COHORT_ECORRUPT,
                            "%s: damaged: no snapshot reaches to where the log begins",
                            NAME_MANIFEST);
}

/* ---- All of it --------------------------------------------------------------------------- */

/*  Reads what is there, or makes it.  damage: with COHORT_ECORRUPT. */
static int read_store (struct store *self, const struct store_options *options,
                       const struct listing *listing, enum recovery_damage *damage,
                       struct fault *fault)
{
    enum meta_found found;
    int rc = meta_read (&self->meta_file, self->disk, &found, fault);
    if (rc != 0) {
        return rc;
    }
    if (found == META_VALID) {
        rc = check_server (self, options, fault);
        if (rc != 0) {
            return rc;
        }
    }
    *damage = found == META_VALID ? RECOVERY_HISTORY : RECOVERY_METADATA;
    if (found == META_VALID && self->meta_file.meta.condemned) {
        return fault_set (fault, COHORT_ECORRUPT,
                          "meta.0: what log and snapshots make is not what the other servers have");
    }
    struct file_ids ids;
    bool has_manifest;
    rc = manifest_read (&self->log.manifest, self->disk, &ids, &has_manifest, fault);
    if (rc != 0) {
        return rc;
    }
    if (!has_manifest && !listing->history &&
        (found == META_NONE || is_untouched (&self->meta_file.meta))) {
        return make_store (self, options, found == META_VALID, fault);
    }
    if (found == META_NONE) {
        return fault_set (fault, COHORT_ECORRUPT,
                          "meta.0, meta.1: both copies are missing or damaged: what this server "
                          "has promised is not known");
    }
    if (!has_manifest) {
        return fault_set (fault, COHORT_ECORRUPT, "%s: missing", NAME_MANIFEST);
    }
    take_ids (self);
    if (!ids_match (&self->log.ids, &ids)) {
        return fault_set (fault, COHORT_ECONFIG,
                          "%s: belongs to another server, store or cluster than meta.0",
                          NAME_MANIFEST);
    }
    return find_snapshot (self, fault);
}

/*  Everything is written again, and synced, before anybody relies on it: the system's cache may
 *  show what never reached the disk. */
static int settle (struct store *self, struct fault *fault)
{
    int rc = meta_write (&self->meta_file, &self->meta_file.meta, fault);
    if (rc != 0 || COHORT_MUTATED (manifest_unsettled)) {
        return rc;
    }
    struct manifest draft;
    if (!manifest_copy (&draft, &self->log.manifest)) {
        return fault_memory (fault);
    }
    draft.durable = self->log.durable;
    return log_flip (&self->log, &draft, fault);
}

static void hand_over (struct store *self, struct log_recovery *log)
{
    struct recovered *recovered = &self->recovered;
    const struct manifest *manifest = &self->log.manifest;
    recovered->committed = log->commit < log->last.zxid ? log->commit : log->last.zxid;
    if (recovered->has_snapshot && recovered->snapshot.point.zxid > recovered->committed) {
        recovered->committed = recovered->snapshot.point.zxid;
    }
    self->meta = self->meta_file.meta;
    self->base_stamp_ms = manifest->base_stamp_ms;
    self->snapshots_count = manifest->snapshots_count;
    memcpy (self->snapshots, manifest->snapshots, sizeof manifest->snapshots);
    self->snapshot_position = log->watched_position;
    self->past = log->past;
    log->past = NULL;
    self->chained = log->chained;
}

/* ---- The log ----------------------------------------------------------------------------- */

struct log_reading {
    struct log_recovery *log;
    struct fault fault;
    int code;
};

static void read_log (void *arg)
{
    struct log_reading *self = arg;
    self->code = recover_log (self->log, &self->fault);
}

/*  If it cannot be read now, who reads it later says so. */
static void hand_out_snapshot (struct store *self, const struct store_options *options)
{
    struct store_reader *reader;
    struct store_snapshot_info info;
    if (snapshots_reader (self, &self->log.ids, &self->recovered.snapshot, &reader, &info) == 0) {
        options->meanwhile (options->meanwhile_arg, reader, &info);
        store_reader_destroy (&reader);
    }
}

/*  The log, while the newest snapshot is loaded, where there are threads and somebody who does. */
static int read_log_meanwhile (struct store *self, const struct store_options *options,
                               struct log_recovery *log, struct fault *fault)
{
    struct log_reading reading = {.log = log};
    struct beside *beside = NULL;
    if (options->meanwhile != NULL && options->reads_ahead && self->recovered.has_snapshot) {
        beside = beside_new (read_log, &reading);
    }
    if (beside != NULL) {
        hand_out_snapshot (self, options);
        beside_join (&beside);
    } else {
        read_log (&reading);
    }
    if (reading.code != 0) {
        *fault = reading.fault;
    }
    return reading.code;
}

/*  Everything is found and sound; or nothing has changed. */
static int attempt (struct store *self, const struct store_options *options,
                    const struct listing *listing, struct log_recovery *log,
                    enum recovery_damage *damage, struct fault *fault)
{
    int rc = read_store (self, options, listing, damage, fault);
    if (rc != 0) {
        return rc;
    }
    *damage = RECOVERY_STRAYS;
    rc = check_strays (self, listing, fault);
    if (rc != 0) {
        return rc;
    }
    *damage = RECOVERY_LOG;
    self->cache.ids = self->log.ids;
    log->watched = self->recovered.has_snapshot ? self->recovered.snapshot.point.zxid : 0;
    rc = read_log_meanwhile (self, options, log, fault);
    if (rc == 0 && log->last.zxid < log->watched) {
        log->damage.last = log->last;
        rc = fault_set (fault, COHORT_ECORRUPT, "%s: the log ends before the snapshot",
                        NAME_MANIFEST);
    }
    return rc;
}

/*  As before the attempt. */
static void forget (struct store *self)
{
    meta_close (&self->meta_file);
    segment_close (&self->log.current, self->disk);
    segment_close (&self->log.next, self->disk);
    manifest_deinit (&self->log.manifest);
    cache_reset (&self->cache, (struct zab_point){0}, 0);
    memset (&self->recovered, 0, sizeof self->recovered);
}

/*  Half of a backup is no state, and an empty folder that was to be one is not to begin anew. */
static int check_restored (const struct listing *listing, const struct store_options *options,
                           struct fault *fault)
{
    if (!listing->restoring || options->restoring) {
        return 0;
    }
    return fault_set (fault, COHORT_ECONFIG,
                      NAME_RESTORING
                      ": cohort snapshot restore did not get to its end here: remove "
                      "what it has made, and restore again");
}

/*  One after the other, what does not fit is set aside; each time there is less of it. */
static int read_and_repair (struct store *self, const struct store_options *options,
                            struct log_recovery *log, struct fault *fault)
{
    enum { REPAIRS_MAX = 8 };
    for (int i = 0;; i++) {
        struct listing listing = {.names = NULL};
        enum recovery_damage damage = RECOVERY_METADATA;
        int rc = listing_read (&listing, self->disk, fault);
        if (rc == 0) {
            self->aside.number = listing.aside;
            rc = check_restored (&listing, options, fault);
        }
        if (rc == 0) {
            rc = attempt (self, options, &listing, log, &damage, fault);
        }
        if (rc == COHORT_ECORRUPT && options->repair && i < REPAIRS_MAX) {
            struct fault found = *fault;
            rc = repair_run (self, options, &listing, damage, &log->damage, found.text, fault);
            listing_deinit (&listing);
            forget (self);
            if (rc == 0) {
                continue;
            }
            return rc;
        }
        if (rc == 0) {
            rc = keep_unsound (self, fault);
        }
        if (rc == 0) {
            rc = COHORT_MUTATED (found_unsettled) ? 0 : settle (self, fault);
        }
        if (rc == 0) {
            rc = remove_strays (self, &listing, fault);
        }
        listing_deinit (&listing);
        return rc;
    }
}

int recovery_run (struct store *self, const struct store_options *options, struct fault *fault)
{
    int rc = self->disk->ops->lock (self->disk);
    if (rc == -EBUSY) {
        return fault_set (fault, COHORT_EINUSE, "lock: another process uses this folder");
    }
    if (rc != 0) {
        return fault_disk (fault, "lock", "create", rc);
    }
    struct log_recovery log = {.log = &self->log, .cache = &self->cache};
    rc = read_and_repair (self, options, &log, fault);
    if (rc == COHORT_ECORRUPT && !options->repair) {
        struct fault found = *fault;
        rc = fault_set (fault, COHORT_ECORRUPT,
                        "%.300s; nothing was changed: put the file back from a copy, or see "
                        "what cohortd repair can do",
                        found.text);
    }
    if (rc == 0) {
        rc = manifest_reserve (self->disk, fault);
    }
    if (rc == 0) {
        hand_over (self, &log);
    }
    zab_past_destroy (&log.past);
    return rc;
}
