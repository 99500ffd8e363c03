/*
 * server/keep_disk.h - a disk that outlives its store
 *
 * Passes every call on to another disk, but destroy, which leaves that one as it is: an embedded
 * server that keeps its data in memory can crash and start again.
 */
#ifndef SERVER_KEEP_DISK_H
#define SERVER_KEEP_DISK_H

#include "server/store/disk.h"

/* NULL: out of memory. */
struct disk *keep_disk_new (struct disk *inner);

#endif
