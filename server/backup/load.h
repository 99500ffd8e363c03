/*
 * server/backup/load.h - a backup as a state
 */
#ifndef SERVER_BACKUP_LOAD_H
#define SERVER_BACKUP_LOAD_H

#include "server/backup/backup.h"
#include "server/store/format.h"
#include "server/tree/tree.h"

/* A backup that was verified, and the state in it. */
struct backup {
    struct snapshot_head head;
    struct snapshot_entry entry;
    struct tree *tree;
};

/* As backup_check. */
int backup_load (const char *file, struct backup *backup, char *error, size_t error_size);

/* What is in the tree. */
void backup_describe (const struct tree *tree, struct backup_info *info);

#endif
