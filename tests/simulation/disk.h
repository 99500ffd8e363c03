/* The disk of a simulated server: forgets at a crash what was not synced, or part of it. */

#ifndef TESTS_SIMULATION_DISK_H
#define TESTS_SIMULATION_DISK_H

#include "server/store/disk.h"

struct disk *sim_disk_new (uint64_t seed);
void sim_disk_free (struct disk *disk);

/* A disk for store_open to take over: its destroy leaves this one as it is. */
struct disk *sim_disk_handle (struct disk *disk);

/* Power fails: each write since the last sync of its file survives, or not, or in part. */
void sim_disk_crash (struct disk *disk);

#endif
