/*
 * server/backup/load.h - a backup as a state
 */
#ifndef SERVER_BACKUP_LOAD_H
#define SERVER_BACKUP_LOAD_H

#include "server/backup/backup.h"
#include "server/store/format.h"
#include "server/store/snapshot.h"
#include "server/tree/tree.h"

/* A backup that was verified, and the state in it. */
struct backup {
    struct snapshot_head head;
    struct snapshot_entry entry;
    struct tree *tree;
};

/* As backup_check. */
int backup_load (const char *file, struct backup *backup, char *error, size_t error_size);

/* Head and entry as the head and the end of the file say, which alone are looked at. */
int backup_ends (struct disk *disk, const char *file, struct backup *backup, char *error,
                 size_t error_size);

/* Verifies a snapshot that was just opened, and gives its state.  COHORT_ECORRUPT, COHORT_ESYSTEM,
 * COHORT_ENOMEM. */
int backup_read (struct snapshot_reader *reader, struct tree **tree, struct fault *fault);

/* What is in the tree. */
void backup_describe (const struct tree *tree, struct backup_info *info);

#endif
