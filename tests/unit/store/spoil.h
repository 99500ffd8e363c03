/*
 * tests/unit/store/spoil.h - snapshots that are of no use although their checksums are right
 */
#ifndef TESTS_UNIT_STORE_SPOIL_H
#define TESTS_UNIT_STORE_SPOIL_H

#include "server/store/disk.h"

/* The newest snapshot on the disk, which no store has open: what its first block holds does not
 * unpack any more. */
void spoil_newest_snapshot (struct disk *disk);

/* Its file is damaged: it cannot even be opened. */
void damage_newest_snapshot (struct disk *disk);

#endif
