/*
 * server/backup/file.h - one file as a disk that is only read
 */
#ifndef SERVER_BACKUP_FILE_H
#define SERVER_BACKUP_FILE_H

#include "server/store/disk.h"

/* Whatever name is opened, it is this file.  NULL: out of memory. */
struct disk *file_disk_new (const char *path);

#endif
