/*
 * server/backup/load.c - a backup as a state
 */
#include "server/backup/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "cohort/error.h"

enum { PIECE = 64 << 10 };

static int refuse (char *error, size_t error_size, const char *file, int code, const char *what)
{
    (void) snprintf (error, error_size, "%s: %s", file, what);
    return code;
}

int backup_ends (struct disk *disk, const char *file, struct backup *backup, char *error,
                 size_t error_size)
{
    uint8_t head[SNAPSHOT_HEAD_SIZE], end[SNAPSHOT_TRAILER_SIZE];
    struct disk_file *open = NULL;
    uint64_t size = 0;
    size_t done = 0, end_done = 0;
    int rc = disk->ops->open (disk, file, false, &open);
    if (rc != 0) {
        return refuse (error, error_size, file, rc == -ENOENT ? COHORT_ENONODE : COHORT_ESYSTEM,
                       strerror (-rc));
    }
    rc = disk->ops->size (open, &size);
    if (rc == 0) {
        rc = disk->ops->read (open, 0, head, sizeof head, &done);
    }
    if (rc == 0 && size >= sizeof head + sizeof end) {
        rc = disk->ops->read (open, size - sizeof end, end, sizeof end, &end_done);
    }
    disk->ops->close (open);
    if (rc != 0) {
        return refuse (error, error_size, file, COHORT_ESYSTEM, strerror (-rc));
    }
    enum format_verdict verdict = snapshot_head_decode (head, done, &backup->head);
    if (done < sizeof head || verdict == FORMAT_DAMAGED) {
        return refuse (error, error_size, file, COHORT_ECORRUPT,
                       "not a snapshot, or its head is damaged: use another copy");
    }
    if (verdict == FORMAT_VERSION_UNKNOWN) {
        return refuse (error, error_size, file, COHORT_ECONFIG,
                       "written by another version of Cohort: use that one");
    }
    struct snapshot_trailer trailer;
    if (end_done < sizeof end || !snapshot_trailer_decode (end, &trailer)) {
        return refuse (error, error_size, file, COHORT_ECORRUPT,
                       "its end is missing or damaged: use another copy");
    }
    backup->entry = (struct snapshot_entry){.point = backup->head.point,
                                            .stamp_ms = backup->head.stamp_ms,
                                            .size = trailer.size,
                                            .file_size = size,
                                            .digest = trailer.digest,
                                            .serial = trailer.serial};
    return 0;
}

/* Feeds the content, block by block. */
static int feed (struct snapshot_reader *reader, struct tree_loader *loader, struct fault *fault)
{
    static const char wrong[] = "its content is no state of this version: use another copy";
    uint8_t *piece = mem_alloc (PIECE);
    if (piece == NULL) {
        return fault_memory (fault);
    }
    int rc = 0;
    size_t done = 1;
    for (uint64_t offset = 0; rc == 0 && done > 0; offset += done) {
        rc = snapshot_read (reader, offset, piece, PIECE, &done, fault);
        if (rc == 0 && done > 0 && !tree_loader_feed (loader, piece, done)) {
            rc = fault_set (fault, COHORT_ECORRUPT, "%s", wrong);
        }
    }
    mem_free (piece);
    return rc;
}

int backup_read (struct snapshot_reader *reader, struct tree **tree_p, struct fault *fault)
{
    bool finished = false;
    int rc = snapshot_verify (reader, UINT64_MAX, true, &finished, fault);
    if (rc != 0) {
        return rc;
    }
    struct tree_loader *loader = tree_loader_new (NULL);
    if (loader == NULL) {
        return fault_memory (fault);
    }
    rc = feed (reader, loader, fault);
    if (rc != 0) {
        tree_loader_destroy (&loader);
        return rc;
    }
    struct tree *tree = tree_loader_finish (&loader);
    if (tree == NULL || tree_zxid (tree) != reader->entry.point.zxid ||
        tree_cluster_id (tree) == NULL) {
        tree_destroy (&tree);
        return fault_set (fault, COHORT_ECORRUPT,
                          "its content is not the state that it says: use another copy");
    }
    *tree_p = tree;
    return 0;
}

int backup_load (const char *file, struct backup *backup, char *error, size_t error_size)
{
    *backup = (struct backup){.tree = NULL};
    struct disk *disk;
    if (posix_disk_file (file, &disk) != 0) {
        return refuse (error, error_size, file, COHORT_ENOMEM, "out of memory");
    }
    int rc = backup_ends (disk, file, backup, error, error_size);
    if (rc == 0) {
        struct snapshot_reader reader;
        struct fault fault = {.code = 0};
        rc = snapshot_open (&reader, disk, &backup->head.ids, "snapshot", &backup->entry, &fault);
        if (rc == 0) {
            rc = backup_read (&reader, &backup->tree, &fault);
            snapshot_close (&reader);
        }
        if (rc != 0) {
            (void) refuse (error, error_size, file, rc, fault.text);
        }
    }
    disk->ops->destroy (disk);
    return rc;
}

/* Everything but the state itself; the end of the content has the counts. */
static int verify (struct snapshot_reader *reader, const struct backup *backup,
                   struct backup_info *info, struct fault *fault)
{
    bool finished = false;
    uint8_t bytes[TREE_IMAGE_END];
    size_t done = 0;
    struct tree_image_end end;
    int rc = snapshot_verify (reader, UINT64_MAX, true, &finished, fault);
    if (rc == 0 && backup->entry.size >= sizeof bytes) {
        rc = snapshot_read (reader, backup->entry.size - sizeof bytes, bytes, sizeof bytes, &done,
                            fault);
    }
    if (rc == 0 && (done < sizeof bytes || !tree_image_end_read (bytes, &end))) {
        rc = fault_set (fault, COHORT_ECORRUPT, "its content is no state: use another copy");
    }
    if (rc == 0) {
        *info = (struct backup_info){.server_id = backup->head.ids.server_id,
                                     .zxid = backup->entry.point.zxid,
                                     .time_ms = backup->entry.stamp_ms,
                                     .znodes = end.znodes,
                                     .sessions = end.sessions,
                                     .ephemerals = BACKUP_UNKNOWN,
                                     .size = backup->entry.size,
                                     .file_size = backup->entry.file_size,
                                     .digest = end.digest};
        memcpy (info->cluster_id, backup->head.ids.cluster_id, sizeof info->cluster_id);
    }
    return rc;
}

int backup_verify (const char *file, struct backup_info *info, char *error, size_t error_size)
{
    struct backup backup = {.tree = NULL};
    struct disk *disk;
    if (posix_disk_file (file, &disk) != 0) {
        return refuse (error, error_size, file, COHORT_ENOMEM, "out of memory");
    }
    int rc = backup_ends (disk, file, &backup, error, error_size);
    if (rc == 0) {
        struct snapshot_reader reader;
        struct fault fault = {.code = 0};
        rc = snapshot_open (&reader, disk, &backup.head.ids, "snapshot", &backup.entry, &fault);
        if (rc == 0) {
            rc = verify (&reader, &backup, info, &fault);
            snapshot_close (&reader);
        }
        if (rc != 0) {
            (void) refuse (error, error_size, file, rc, fault.text);
        }
    }
    disk->ops->destroy (disk);
    return rc;
}

void backup_describe (const struct tree *tree, struct backup_info *info)
{
    struct tree_session session = {.id = 0};
    memcpy (info->cluster_id, tree_cluster_id (tree), sizeof info->cluster_id);
    info->zxid = tree_zxid (tree);
    info->time_ms = tree_stamp_ms (tree);
    info->znodes = tree_node_count (tree);
    info->sessions = tree_session_count (tree);
    info->ephemerals = 0;
    info->digest = tree_digest (tree);
    while (tree_session_next (tree, session.id, &session)) {
        info->ephemerals += session.ephemerals;
    }
}

int backup_check (const char *file, struct backup_info *info, char *error, size_t error_size)
{
    struct backup backup;
    int rc = backup_load (file, &backup, error, error_size);
    if (rc == 0) {
        *info = (struct backup_info){.server_id = backup.head.ids.server_id,
                                     .size = backup.entry.size,
                                     .file_size = backup.entry.file_size};
        backup_describe (backup.tree, info);
        tree_destroy (&backup.tree);
    }
    return rc;
}
