/*
 *  tests/unit/store/built.h - a store worth damaging, on a crash_disk
 *
 *  Two snapshots, a log of several segments before, between and behind them, a truncation; then a
 *  batch of 25 entries, and some more.
 */
#ifndef TESTS_UNIT_STORE_BUILT_H
#define TESTS_UNIT_STORE_BUILT_H

#include "tests/support/crash_disk.h"
#include "tests/unit/store/history.h"

enum { BUILT_EPOCH = 4, BUILT_STORE = 99, BUILT_SERVER = 2 };

struct built {
    struct crash_disk *disk;
    struct store_options options;
    struct history *history; /*  of all that was not truncated, from the very beginning */
    uint64_t digest;
    struct zab_point base;
    zxid_t last, watermark; /*  the log is known to be durable up to here */
};

/*  marked: the end of the log is covered by watermarks, but for the manifest's; else its last batch
 *  is, though acknowledged, by none. */
void built_make (struct built *self, bool marked);
void built_free (struct built *self);

/*  Lets the worker do all it has. */
void built_work (struct store *store);

/*  Does something to each file of a copy of the disk, at offsets `step` apart, and calls check.
 *  damage gives false where there is nothing to damage. */
typedef bool built_damage_fn (struct crash_disk *disk, const char *name, uint64_t offset,
                              uint64_t n);
typedef void built_check_fn (const struct built *self, struct crash_disk *disk, const char *name,
                             uint64_t offset);
void built_damage_all (const struct built *self, built_damage_fn *damage, uint64_t step,
                       built_check_fn *check);

/*  A flipped bit, a sector of zeros, one that cannot be read, a file that ends there. */
bool built_flip (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n);
bool built_zero (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n);
bool built_set_bad (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n);
bool built_cut (struct crash_disk *disk, const char *name, uint64_t offset, uint64_t n);

/*  The same files on a disk in memory, which goes on when memory ends. */
struct disk *built_in_memory (struct crash_disk *disk);

void built_remove (struct crash_disk *disk, const char *name);

/*  For crash_disk_misread_at: the first sector that is read has a wrong byte, this once. */
struct built_garble {
    const struct crash_disk *disk;
    bool happened;
};
bool built_garble (void *arg, const char *name, uint64_t offset, size_t size, uint64_t *at,
                   uint8_t sector[CRASH_SECTOR_SIZE]);

#endif
