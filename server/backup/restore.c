/*
 * server/backup/restore.c - a new ensemble from a backup
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "cohort/error.h"
#include "server/backup/load.h"
#include "server/store/store.h"

enum { SLICE = 64 << 10, PATH_SIZE = 4096, MYID_SIZE = 16 };

struct restoring {
    const struct backup_restore *options;
    struct tree *tree;
    struct zab_point point; /* of the tree */
    uint32_t epoch;
    struct config config;
    char *error;
    size_t error_size;
};

static int fail (struct restoring *self, int code, const char *thing, const char *what)
{
    (void) snprintf (self->error, self->error_size, "%s: %s", thing, what);
    return code;
}

/* ---- The new state ----------------------------------------------------------------------- */

static zxid_t next_zxid (const struct restoring *self)
{
    return zxid_epoch (self->point.zxid) == self->epoch ? self->point.zxid + 1
                                                        : zxid_make (self->epoch, 1);
}

static bool apply (struct restoring *self, const struct entry *entry)
{
    struct buf bytes;
    struct tree_outcome outcome;
    zxid_t zxid = next_zxid (self);
    int64_t stamp_ms = tree_stamp_ms (self->tree);
    buf_init (&bytes);
    entry_encode (&bytes, entry);
    bool ok =
        !bytes.failed && tree_apply (self->tree, zxid, stamp_ms, bytes.data, bytes.size, &outcome);
    if (ok) {
        self->point.chain = zab_chain (self->point.chain, zxid, stamp_ms, bytes.data, bytes.size);
        self->point.zxid = zxid;
    }
    buf_deinit (&bytes);
    return ok;
}

/* Ends every session, and with it its ephemerals. */
static bool close_sessions (struct restoring *self)
{
    struct tree_session session;
    while (tree_session_dead (self->tree, &session) ||
           tree_session_next (self->tree, 0, &session)) {
        struct entry entry = {.kind = ENTRY_CLOSE,
                              .u.close = {.session = session.id, .reason = ENTRY_KILLED}};
        if (session.dead) {
            entry = (struct entry){.kind = ENTRY_REAP, .u.reap = {.session = session.id}};
        }
        if (!apply (self, &entry)) {
            return false;
        }
    }
    return true;
}

static uint64_t store_id_of (const struct backup_restore *options, uint32_t id)
{
    return hash64 (options->cluster_id, sizeof options->cluster_id, id) | 1;
}

static void found_anew (struct restoring *self)
{
    const struct backup_restore *options = self->options;
    zxid_t zxid = next_zxid (self);
    int64_t stamp_ms = tree_stamp_ms (self->tree);
    self->config = (struct config){.version = zxid, .count = options->members_count};
    for (size_t i = 0; i < options->members_count; i++) {
        self->config.members[i] = (struct config_member){
            .id = options->members[i].id,
            .role = options->members[i].observer ? CONFIG_OBSERVER : CONFIG_VOTER,
            .store_id = store_id_of (options, options->members[i].id)};
    }
    tree_refound (self->tree, zxid, options->cluster_id, &self->config);
    self->point.chain = zab_chain (self->point.chain, zxid, stamp_ms, options->cluster_id,
                                   sizeof options->cluster_id);
    self->point.zxid = zxid;
}

/* ---- Folders ----------------------------------------------------------------------------- */

/* Whether the folder's myid, if there is one, names this server; *there: whether there is. */
static bool is_own_myid (const char *folder, uint32_t id, bool *there)
{
    char path[PATH_SIZE], text[MYID_SIZE] = "";
    uint32_t found = 0;
    if ((size_t) snprintf (path, sizeof path, "%s/myid", folder) >= sizeof path) {
        return false;
    }
    FILE *file = fopen (path, "r");
    *there = file != NULL;
    if (file == NULL) {
        return errno == ENOENT;
    }
    bool ok = fgets (text, sizeof text, file) != NULL && sscanf (text, "%" SCNu32, &found) == 1;
    (void) fclose (file);
    return ok && found == id;
}

static int disk_failed (struct restoring *self, const char *folder, int rc)
{
    return fail (self, rc == -ENOSPC ? COHORT_EDISKFULL : COHORT_ESYSTEM, folder, strerror (-rc));
}

/* Until all folders are made none of them is taken for what it is not, an empty one least of all:
 * wherever this ends before, no server starts there. */
static int mark_folder (struct restoring *self, const char *folder, uint32_t id)
{
    static const char text[] =
        "cohort snapshot restore is at work here, or did not get to its end\n";
    (void) id;
    struct disk *disk;
    struct disk_file *file;
    int rc = posix_disk_new (folder, &disk);
    if (rc != 0) {
        return disk_failed (self, folder, rc);
    }
    rc = disk->ops->open (disk, NAME_RESTORING, true, &file);
    if (rc == 0) {
        rc = disk->ops->write (file, 0, text, sizeof text - 1);
        rc = rc == 0 ? disk->ops->sync (file) : rc;
        disk->ops->close (file);
    }
    rc = rc == 0 ? disk->ops->sync_names (disk) : rc;
    disk->ops->destroy (disk);
    return rc == 0 ? 0 : disk_failed (self, folder, rc);
}

static int unmark_folder (struct restoring *self, const char *folder, uint32_t id)
{
    (void) id;
    struct disk *disk;
    int rc = posix_disk_new (folder, &disk);
    if (rc != 0) {
        return disk_failed (self, folder, rc);
    }
    rc = disk->ops->sync_names (disk); /* of its myid, too */
    rc = rc == 0 ? disk->ops->unlink (disk, NAME_RESTORING) : rc;
    rc = rc == 0 ? disk->ops->sync_names (disk) : rc;
    disk->ops->destroy (disk);
    return rc == 0 ? 0 : disk_failed (self, folder, rc);
}

static int check_folder (struct restoring *self, const char *folder, uint32_t id)
{
    bool there = false, empty = true, unfinished = false;
    DIR *directory = opendir (folder);
    if (directory == NULL) {
        return errno == ENOENT ? 0 : fail (self, COHORT_ESYSTEM, folder, strerror (errno));
    }
    for (const struct dirent *entry; (entry = readdir (directory)) != NULL;) {
        empty = empty && (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0 ||
                          strcmp (entry->d_name, "myid") == 0);
        unfinished = unfinished || strcmp (entry->d_name, NAME_RESTORING) == 0;
    }
    (void) closedir (directory);
    if (unfinished) {
        return fail (self, COHORT_ENOTEMPTY, folder,
                     "an earlier restore did not get to its end here: remove what it has made, or "
                     "name a new folder");
    }
    if (!empty) {
        return fail (self, COHORT_ENOTEMPTY, folder,
                     "not empty: name a new folder, or move what is in it away");
    }
    return is_own_myid (folder, id, &there)
               ? 0
               : fail (self, COHORT_ECONFIG, folder, "its myid names another server");
}

static int write_myid (struct restoring *self, const char *folder, uint32_t id)
{
    char path[PATH_SIZE];
    bool there = false;
    if (is_own_myid (folder, id, &there) && there) {
        return 0;
    }
    (void) snprintf (path, sizeof path, "%s/myid", folder);
    FILE *file = fopen (path, "w");
    if (file == NULL) {
        return fail (self, COHORT_ESYSTEM, path, strerror (errno));
    }
    bool ok =
        fprintf (file, "%" PRIu32 "\n", id) > 0 && fflush (file) == 0 && fsync (fileno (file)) == 0;
    ok = fclose (file) == 0 && ok;
    return ok ? 0 : fail (self, COHORT_ESYSTEM, path, strerror (errno));
}

/* Lets the store do what waits; its failure, if there is one. */
static int work (struct restoring *self, struct store *store, const char *folder)
{
    const char *text = "it has failed";
    while (store_work (store)) {
    }
    int rc = store_failure (store, &text);
    if (rc == 0 && store_space (store) != 0) {
        rc = COHORT_EDISKFULL;
        text = "the disk is full";
    }
    return rc == 0 ? 0 : fail (self, rc, folder, text);
}

static int write_image (struct restoring *self, struct store *store, struct store_writer *writer,
                        const char *folder)
{
    struct buf slice;
    struct tree_snapshot *snapshot = tree_snapshot_begin (self->tree);
    int rc = snapshot != NULL ? 0 : fail (self, COHORT_ENOMEM, folder, "out of memory");
    buf_init (&slice);
    for (bool more = rc == 0; more && rc == 0;) {
        buf_clear (&slice);
        more = tree_snapshot_next (snapshot, &slice, SLICE);
        if (slice.failed) {
            rc = fail (self, COHORT_ENOMEM, folder, "out of memory");
        } else {
            store_writer_append (writer, slice.data, slice.size);
            rc = work (self, store, folder);
        }
    }
    tree_snapshot_end (&snapshot);
    buf_deinit (&slice);
    return rc;
}

static int install (struct restoring *self, struct store *store, const char *folder)
{
    struct store_writer *writer = NULL;
    int rc = store_writer_new (store, self->point, tree_stamp_ms (self->tree), &writer);
    if (rc != 0) {
        return fail (self, rc, folder, cohort_error_text (rc));
    }
    rc = write_image (self, store, writer, folder);
    if (rc == 0) {
        store_writer_finish (writer, true);
        rc = work (self, store, folder);
    }
    if (rc == 0) {
        int state = store_writer_state (writer);
        rc = state == 1 ? 0 : state < 0 ? state : COHORT_ESYSTEM;
        if (rc != 0) {
            (void) fail (self, rc, folder, cohort_error_text (rc));
        }
    }
    store_writer_destroy (&writer);
    return rc == 0 ? work (self, store, folder) : rc;
}

static int set_meta (struct restoring *self, struct store *store, const struct store_meta *meta,
                     const char *folder)
{
    int rc = store_set_meta (store, meta);
    return rc == 0 ? 0 : fail (self, rc, folder, cohort_error_text (rc));
}

static int make_folder (struct restoring *self, const char *folder, uint32_t id)
{
    char text[256];
    struct store *store = NULL;
    struct store_options options = {
        .server_id = id, .store_id = store_id_of (self->options, id), .restoring = true};
    int rc = posix_disk_new (folder, &options.disk);
    if (rc != 0) {
        return disk_failed (self, folder, rc);
    }
    rc = store_open (&options, &store, text, sizeof text);
    if (rc != 0) {
        return fail (self, rc, folder, text);
    }
    struct store_meta meta = *store_meta (store);
    memcpy (meta.cluster_id, self->options->cluster_id, sizeof meta.cluster_id);
    meta.bootstrapped = true;
    meta.config = self->config;
    meta.accepted_epoch = meta.current_epoch = self->epoch;
    /* An interruption leaves a folder without a vote, and not one that outvotes the others with
     * nothing in it. */
    meta.trust = ZAB_DAMAGED;
    rc = set_meta (self, store, &meta, folder);
    if (rc == 0) {
        rc = install (self, store, folder);
    }
    if (rc == 0) {
        meta.trust = ZAB_WHOLE;
        rc = set_meta (self, store, &meta, folder);
    }
    store_close (&store);
    return rc == 0 ? write_myid (self, folder, id) : rc;
}

/* ---- All of it --------------------------------------------------------------------------- */

static int check_options (struct restoring *self)
{
    const struct backup_restore *options = self->options;
    size_t voters = 0;
    for (size_t i = 0; i < options->members_count; i++) {
        COHORT_ASSERT (i == 0 || options->members[i - 1].id < options->members[i].id);
        voters += !options->members[i].observer;
        if (options->members[i].folder != NULL) {
            int rc = check_folder (self, options->members[i].folder, options->members[i].id);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return voters > 0 ? 0 : fail (self, COHORT_ECONFIG, "members", "none of them is a voter");
}

static int make_state (struct restoring *self)
{
    uint64_t epoch = zxid_epoch (self->point.zxid) + (uint64_t) self->options->epochs_skipped + 1;
    if (epoch > ZXID_EPOCH_MAX / 2) {
        return fail (self, COHORT_ELIMIT, "epochs", "too few would be left: skip fewer");
    }
    self->epoch = (uint32_t) epoch;
    if (!close_sessions (self)) {
        return fail (self, COHORT_ENOMEM, self->options->file, "its sessions cannot be closed");
    }
    found_anew (self);
    return 0;
}

typedef int folder_fn (struct restoring *self, const char *folder, uint32_t id);

static int each_folder (struct restoring *self, folder_fn *fn)
{
    int rc = 0;
    for (size_t i = 0; i < self->options->members_count && rc == 0; i++) {
        if (self->options->members[i].folder != NULL) {
            rc = fn (self, self->options->members[i].folder, self->options->members[i].id);
        }
    }
    return rc;
}

int backup_restore (const struct backup_restore *options, struct backup_info *info, char *error,
                    size_t error_size)
{
    COHORT_ASSERT (options->members_count > 0 && options->members_count <= BACKUP_SERVERS_MAX);
    struct restoring self = {.options = options, .error = error, .error_size = error_size};
    struct backup backup;
    int rc = check_options (&self);
    if (rc == 0) {
        rc = backup_load (options->file, &backup, error, error_size);
    }
    if (rc != 0) {
        return rc;
    }
    self.tree = backup.tree;
    self.point = backup.head.point;
    rc = make_state (&self);
    rc = rc == 0 ? each_folder (&self, mark_folder) : rc;
    rc = rc == 0 ? each_folder (&self, make_folder) : rc;
    rc = rc == 0 ? each_folder (&self, unmark_folder) : rc;
    if (rc == 0) {
        *info = (struct backup_info){.size = backup.entry.size};
        backup_describe (self.tree, info);
    }
    tree_destroy (&self.tree);
    return rc;
}
