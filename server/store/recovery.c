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
#include "cohort/error.h"
#include "server/store/state.h"

/* ---- What is in the folder --------------------------------------------------------------- */

struct names {
    char (*names)[NAME_SIZE]; /*  files of logs and snapshots, finished or not */
    size_t count, room;
    bool failed;
};

static void collect (void *arg, const char *name)
{
    struct names *self = arg;
    uint32_t segment;
    zxid_t zxid;
    uint64_t serial;
    if (!name_is_segment (name, &segment) && !name_is_snapshot (name, &zxid, &serial) &&
        strcmp (name, NAME_SNAPSHOT_NEW) != 0 && strcmp (name, NAME_MANIFEST_NEW) != 0) {
        return; /*  not ours, or looked at elsewhere */
    }
    if (self->count == self->room) {
        size_t room = self->room * 2 + 16;
        char (*names)[NAME_SIZE] = mem_realloc (self->names, room * sizeof *names);
        if (names == NULL) {
            self->failed = true;
            return;
        }
        self->names = names;
        self->room = room;
    }
    memcpy (self->names[self->count++], name, strlen (name) + 1);
}

static int list_names (struct store *self, struct names *names, struct fault *fault)
{
    int rc = self->disk->ops->list (self->disk, collect, names);
    if (rc != 0) {
        return fault_final (fault, "the folder", "list", rc);
    }
    return names->failed ? fault_memory (fault) : 0;
}

/*  Whether anything was ever kept here: a store that is being made has neither. */
static bool has_history (const struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp (names->names[i], NAME_SNAPSHOT_NEW) != 0 &&
            strcmp (names->names[i], NAME_MANIFEST_NEW) != 0) {
            return true;
        }
    }
    return false;
}

static bool is_listed (const struct manifest *manifest, const char *name)
{
    uint32_t segment;
    zxid_t zxid;
    uint64_t serial;
    if (name_is_segment (name, &segment)) {
        return manifest_has_segment (manifest, segment);
    }
    if (!name_is_snapshot (name, &zxid, &serial)) {
        return false;
    }
    for (size_t i = 0; i < manifest->snapshots_count; i++) {
        if (manifest->snapshots[i].serial == serial && manifest->snapshots[i].point.zxid == zxid) {
            return true;
        }
    }
    return false;
}

/*  What an interruption has left. */
static int remove_strays (struct store *self, const struct names *names, struct fault *fault)
{
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->names[i];
        if (!is_listed (&self->log.manifest, name)) {
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
           meta->accepted_epoch == 0 && meta->current_epoch == 0;
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
    bool any = manifest->snapshots_count > 0;
    while (manifest->snapshots_count > 0) {
        const struct snapshot_entry *entry = &manifest->snapshots[manifest->snapshots_count - 1];
        int rc = verify (self, entry, fault);
        if (rc == 0) {
            self->recovered.has_snapshot = true;
            self->recovered.snapshot = *entry;
            break;
        }
        if (rc != COHORT_ECORRUPT) {
            return rc;
        }
        manifest->snapshots_count--;
    }
    if (any && !self->recovered.has_snapshot) {
        char text[sizeof fault->text];
        memcpy (text, fault->text, sizeof text);
        return fault_set (fault, COHORT_ECORRUPT, "no snapshot is sound; %.180s", text);
    }
    zxid_t point = self->recovered.has_snapshot ? self->recovered.snapshot.point.zxid : 0;
    if (point < manifest->base.zxid) {
        return fault_set (fault, COHORT_ECORRUPT,
                          "%s: damaged: no snapshot reaches to where the log begins",
                          NAME_MANIFEST);
    }
    return 0;
}

/* ---- All of it --------------------------------------------------------------------------- */

/*  Reads what is there, or makes it. */
static int read_store (struct store *self, const struct store_options *options,
                       const struct names *names, struct fault *fault)
{
    enum meta_found found;
    int rc = meta_read (&self->meta_file, self->disk, &found, fault);
    if (rc != 0) {
        return rc;
    }
    struct file_ids ids;
    bool has_manifest;
    rc = manifest_read (&self->log.manifest, self->disk, &ids, &has_manifest, fault);
    if (rc != 0) {
        return rc;
    }
    if (found == META_VALID) {
        rc = check_server (self, options, fault);
        if (rc != 0) {
            return rc;
        }
    }
    if (!has_manifest && !has_history (names) &&
        (found == META_NONE || is_untouched (&self->meta_file.meta))) {
        return make_store (self, options, found == META_VALID, fault);
    }
    if (found == META_NONE) {
        return fault_set (
            fault, COHORT_ECORRUPT,
            "meta.0, meta.1: both copies are missing or damaged: what this server has "
            "promised is not known; empty the folder and let it join anew");
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
    if (rc != 0) {
        return rc;
    }
    struct manifest draft;
    if (!manifest_copy (&draft, &self->log.manifest)) {
        return fault_memory (fault);
    }
    draft.durable = self->log.durable;
    return log_flip (&self->log, &draft, fault);
}

static void hand_over (struct store *self, const struct log_recovery *log)
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
}

int recovery_run (struct store *self, const struct store_options *options, struct fault *fault)
{
    int rc = self->disk->ops->lock (self->disk);
    if (rc == -EBUSY) {
        return fault_set (fault, COHORT_EINUSE, "lock: another process uses this folder");
    }
    if (rc != 0) {
        return fault_final (fault, "lock", "create", rc);
    }
    struct names names = {.count = 0};
    struct log_recovery log = {.log = &self->log, .cache = &self->cache};
    rc = list_names (self, &names, fault);
    if (rc == 0) {
        rc = read_store (self, options, &names, fault);
    }
    if (rc == 0) {
        self->cache.ids = self->log.ids;
        log.watched = self->recovered.has_snapshot ? self->recovered.snapshot.point.zxid : 0;
        rc = recover_log (&log, fault);
    }
    if (rc == 0 && self->recovered.has_snapshot && log.last.zxid < log.watched) {
        rc = fault_set (fault, COHORT_ECORRUPT, "%s: the log ends before the snapshot",
                        NAME_MANIFEST);
    }
    if (rc == 0) {
        rc = settle (self, fault);
    }
    if (rc == 0) {
        rc = remove_strays (self, &names, fault);
    }
    if (rc == 0) {
        rc = manifest_reserve (self->disk, fault);
    }
    if (rc == 0) {
        hand_over (self, &log);
    }
    mem_free (names.names);
    return rc;
}
