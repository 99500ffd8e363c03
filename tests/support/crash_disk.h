/*
 *  tests/support/crash_disk.h - a disk that forgets what was not synced
 *
 *  One crash_disk stands for the hardware and lives across crashes; crash_disk_open gives what a
 *  store is opened on, one at a time.  All is decided by the seed: same calls, same disk.
 *
 *  Model
 *  - What is written is seen by reads at once and is durable when a sync of the file has succeeded.
 *    Until then a power cut keeps, drops, or keeps an older version of each 512-byte sector, each
 *    for itself.  A sector is never torn.  A file's size may stay behind, too.
 *  - Names created, renamed and unlinked are durable when sync_names has succeeded.  Until then a
 *    power cut keeps or drops each of these operations.  Syncing a file does not make its name
 *    durable.
 *  - After a failed sync the data still reads as written; whether it is durable is open, and
 *    further syncs will not make it so: only writing again does.
 *
 *  "Operations" below are those that change something: create, write, sync, truncate, rename,
 *  unlink, sync_names.  One thread.
 */
#ifndef TESTS_SUPPORT_CRASH_DISK_H
#define TESTS_SUPPORT_CRASH_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "server/store/disk.h"

struct crash_disk;

/*  An empty disk; never NULL (it asserts). */
struct crash_disk *crash_disk_new (uint64_t seed);
/*  What was opened on it must have been destroyed. */
void crash_disk_destroy (struct crash_disk **self_p);

/*  For a store.  Its destroy is the end of the process, not of the power: what was not synced
 *  stays in the system's cache.  The one before must have been destroyed. */
struct disk *crash_disk_open (struct crash_disk *self);

/*  The power is cut and comes back.  Nothing may be open. */
void crash_disk_power_cut (struct crash_disk *self);

/* ---- Faults ------------------------------------------------------------------------------ */

/*  Operations since the beginning. */
uint64_t crash_disk_operations (const struct crash_disk *self);

/*  The n-th operation from now on (1: the next) is begun, and nothing works any more: all calls
 *  give -EIO until crash_disk_power_cut.  0: never. */
void crash_disk_stop_at (struct crash_disk *self, uint64_t n);
/*  Likewise, but the n-th operation is done whole before nothing works any more. */
void crash_disk_stop_after (struct crash_disk *self, uint64_t n);
bool crash_disk_stopped (const struct crash_disk *self);
/*  What is counted until the disk stops: everything, as at the beginning; what changes names; or
 * what is done to files whose names begin so. */
void crash_disk_count_all (struct crash_disk *self);
void crash_disk_count_names (struct crash_disk *self);
void crash_disk_count_files (struct crash_disk *self, const char *prefix);

/*  Works again, with all that was written: only the process had ended.  Nothing may be open. */
void crash_disk_resume (struct crash_disk *self);

/*  The n-th operation from now on fails once with this error (-EIO, -ENOSPC), having been done in
 *  part.  0: never. */
void crash_disk_fail_at (struct crash_disk *self, uint64_t n, int error);
bool crash_disk_failed (const struct crash_disk *self);
/*  The n-th read from now on fails once with -EIO.  0: never. */
void crash_disk_fail_read_at (struct crash_disk *self, uint64_t n);
/*  While it is spared, reads are not counted, none fails, and what is harmed reads as it was: for a
 *  checker's own. */
void crash_disk_spare (struct crash_disk *self, bool spared);
/*  How many operations and reads have failed like this since the beginning. */
uint64_t crash_disk_failures (const struct crash_disk *self);

/*  Whenever something that was set above comes about it is told; NULL: nobody. */
enum crash_strike { CRASH_STOPPED, CRASH_FAILED, CRASH_READ_FAILED };
typedef void crash_strike_fn (void *arg, enum crash_strike what);
void crash_disk_tell_strikes (struct crash_disk *self, crash_strike_fn *fn, void *arg);

/*  Space for the data of all files together: beyond it, -ENOSPC.  UINT64_MAX at the beginning. */
void crash_disk_set_space (struct crash_disk *self, uint64_t bytes);
/*  Whatever is written goes elsewhere first and is then exchanged: so each write, new name and
 * rename takes space for a moment, also where the file has it already. */
void crash_disk_copy_on_write (struct crash_disk *self, bool copies);
uint64_t crash_disk_used (const struct crash_disk *self);
/*  Bytes of space that was taken without being written. */
uint64_t crash_disk_allocated (const struct crash_disk *self);

/*  Changes the byte on the disk, and in the cache.  false: no such file, or it is shorter. */
bool crash_disk_flip (struct crash_disk *self, const char *name, uint64_t offset, uint8_t mask);
/*  Zeros the sector that holds the offset. */
bool crash_disk_zero_sector (struct crash_disk *self, const char *name, uint64_t offset);
/*  Size of a file; false: there is none. */
bool crash_disk_size (const struct crash_disk *self, const char *name, uint64_t *size);
/*  The i-th name (in the order of their creation), or NULL; valid until something changes. */
const char *crash_disk_name (const struct crash_disk *self, size_t i);

/* ---- Harm (crash_harm.c): damage that is remembered, sector by sector ----------------------- */

enum { CRASH_SECTOR_SIZE = 512 };

/*  From now on the disk knows when each sector was written, and what was in it before. */
void crash_disk_keep_versions (struct crash_disk *self);
/*  The time of what is written from now on. */
void crash_disk_set_time (struct crash_disk *self, int64_t now_ms);

/*  What the sector at an offset holds, or (earlier) held before it was written last; behind the
 *  file's end, zeros.  false: no such file, or it ends before. */
bool crash_disk_sector (const struct crash_disk *self, const char *name, uint64_t offset,
                        bool earlier, uint8_t sector[CRASH_SECTOR_SIZE]);
/*  All that a file holds, until something changes.  NULL: no such file, or it is empty. */
const uint8_t *crash_disk_bytes (const struct crash_disk *self, const char *name, uint64_t *size);
/*  When the sector at an offset was written last. */
int64_t crash_disk_written (const struct crash_disk *self, const char *name, uint64_t offset);
/*  Whether a power cut would leave it as it is, name and all. */
bool crash_disk_durable (const struct crash_disk *self, const char *name, uint64_t offset);

/*  Likewise of just these bytes, whatever becomes of others in their sectors. */
bool crash_disk_keeps (const struct crash_disk *self, const char *name, uint64_t offset,
                       uint64_t size);

/*  On the disk and in the cache the sector, or what of it is in the file, becomes something else,
 * and is harmed until all of it is written.  false: it is that already, or there is none. */
bool crash_disk_harm (struct crash_disk *self, const char *name, uint64_t offset,
                      const uint8_t sector[CRASH_SECTOR_SIZE]);
/*  Likewise it stays what it is, but whoever reads any of it gets -EIO. */
bool crash_disk_set_bad (struct crash_disk *self, const char *name, uint64_t offset);
/*  All of the file becomes these bytes, durably: somebody has copied them there.  false: there is
 * no such file, or its name, or another, is not durable.  Nothing may be open. */
bool crash_disk_put_back (struct crash_disk *self, const char *name, const uint8_t *data,
                          size_t size);
/*  How many sectors of a file are harmed. */
size_t crash_disk_harmed (const struct crash_disk *self, const char *name);

/*  The n-th read from now on, of the file in its cached name, may give something else for one of
 * its sectors (*at, where it begins): the function says what, or false.  It counts as a failure. 0:
 *  never. */
typedef bool crash_misread_fn (void *arg, const char *name, uint64_t offset, size_t size,
                               uint64_t *at, uint8_t sector[CRASH_SECTOR_SIZE]);
void crash_disk_misread_at (struct crash_disk *self, uint64_t n, crash_misread_fn *fn, void *arg);

/*  A copy of the disk as it is: durable and cached, without faults.  Nothing may be open. */
struct crash_disk *crash_disk_copy (const struct crash_disk *self, uint64_t seed);

/*  From now on every open file, every write and every sync is told (for traces); NULL: nobody. */
typedef void crash_disk_trace_fn (void *arg, const char *operation, const char *name,
                                  uint64_t offset, uint64_t size);
void crash_disk_trace (struct crash_disk *self, crash_disk_trace_fn *fn, void *arg);

#endif
