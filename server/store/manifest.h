/*
 *  server/store/manifest.h - which snapshots and which pieces of the log count
 *
 *  Changed by one rename: before it the old state holds, after it the new one.  What the old one
 *  names must exist, and what the new one names must be durable, until the names are synced.
 *  A change is made on a copy, which becomes the state when it is durable.
 */
#ifndef SERVER_STORE_MANIFEST_H
#define SERVER_STORE_MANIFEST_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

/*  `to` is uninitialized; false: out of memory. */
bool manifest_copy (struct manifest *to, const struct manifest *from);
void manifest_deinit (struct manifest *self);

/*  Appends an open span that begins at the head of the segment; false: out of memory, or full. */
bool manifest_add_span (struct manifest *self, uint32_t segment);
bool manifest_has_segment (const struct manifest *self, uint32_t segment);
/*  Drops the first `count` spans. */
void manifest_drop_spans (struct manifest *self, size_t count);

/*  Adds a snapshot, in order; false: there are too many. */
bool manifest_add_snapshot (struct manifest *self, const struct snapshot_entry *entry);
/*  Drops the snapshots with a zxid below. */
void manifest_drop_snapshots (struct manifest *self, zxid_t below);

/*  -ENOENT as *found = false.  COHORT_ECORRUPT, COHORT_ECONFIG, COHORT_ESYSTEM, COHORT_ENOMEM.
 *  self must be deinitialized in any case. */
int manifest_read (struct manifest *self, struct disk *disk, struct file_ids *ids, bool *found,
                   struct fault *fault);

/*  Writes it under the number after the one it has, syncs, renames, syncs the names.
 *  COHORT_EDISKFULL: nothing has changed; else final. */
int manifest_write (struct manifest *self, struct disk *disk, const struct file_ids *ids,
                    struct fault *fault);

/*  Makes the file whose space manifest_write may use on a full disk, if it is not there.  Want of
 *  space is no error. */
int manifest_reserve (struct disk *disk, struct fault *fault);

/*  Gives that space up for something as small and as urgent; *used: there was some. */
int manifest_use_reserve (struct disk *disk, bool *used, struct fault *fault);

#endif
