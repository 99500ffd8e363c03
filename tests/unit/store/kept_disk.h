/*
 *  tests/unit/store/kept_disk.h - passes everything on to a disk, which survives its destroy
 *
 *  So that one disk in memory can be opened by one store after another.
 */
#ifndef TESTS_UNIT_STORE_KEPT_DISK_H
#define TESTS_UNIT_STORE_KEPT_DISK_H

#include <stddef.h>

#include "server/store/disk.h"

/*  disk: borrowed. */
struct disk *kept_disk_new (struct disk *disk);

/*  How many names there are that begin so. */
size_t kept_disk_count (struct disk *self, const char *prefix);

#endif
