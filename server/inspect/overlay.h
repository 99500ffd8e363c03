/* server/inspect/overlay.h - a disk over a disk: what is done to it stays in memory
 *
 * So that it can be seen what a store would do with a folder, by letting it do it: the disk below
 * is read and nothing else. One thread. May include: base, disk.h, format.h.
 */
#ifndef SERVER_INSPECT_OVERLAY_H
#define SERVER_INSPECT_OVERLAY_H

#include "server/store/disk.h"

/* The overlay's files are those of `below`, which is borrowed and must not change meanwhile. lock
 * is always granted: who has a lock has it below. 0 or -errno. */
int overlay_new (struct disk *below, struct disk **disk);

#endif
