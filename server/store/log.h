/*
 *  server/store/log.h - the log as the worker writes it
 *
 *  Records come as runs of bytes out of the cache's chunks, complete but for the fields that
 *  depend on the place; they are finished there and written from there, one write for a run that
 *  is contiguous on both sides.  log_sync makes all that was appended durable.
 *
 *  Segments.  `current` takes the records; `next`, made ahead of time and listed in the manifest,
 *  follows it.  A segment is synced and sealed before the next takes its first record: so only
 *  the last one can end in a torn record.
 */
#ifndef SERVER_STORE_LOG_H
#define SERVER_STORE_LOG_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"
#include "server/store/manifest.h"
#include "server/store/removal.h"
#include "server/store/segment.h"

struct log {
    struct disk *disk;
    struct file_ids ids;
    struct manifest manifest; /*  as on the disk, but for the ends of sealed segments */
    uint64_t segment_bytes;
    uint64_t reserve_bytes; /*  the step of reserving */
    struct segment current, next;
    struct removal removal;

    struct zab_point last; /*  the last entry written */
    zxid_t commit;         /*  the highest commit index written */
    zxid_t durable;        /*  entries up to here are durable */
    bool unmarked;         /*  ... and no record says so yet */
    bool unsynced;
    uint64_t
        written; /*  by this process; from 0 again if that would need space that is not there */

    uint64_t unsynced_bytes;
    uint64_t batch; /*  bytes of a sync, about, of late */

    /*  Finished and not yet handed to the disk, or handed in vain, for want of room. */
    const uint8_t *run;
    size_t run_size;
    uint64_t run_offset;
};

void log_init (struct log *self, struct disk *disk, uint64_t segment_bytes);
void log_deinit (struct log *self);

/*  Appends the records in [records + *done, records + size), which stay where they are until they
 *  are durable; *done says how far it came.  COHORT_EDISKFULL: sync what came through, and try the
 *  rest again later; else final. */
int log_append (struct log *self, uint8_t *records, size_t size, size_t *done, struct fault *fault);

/*  Makes all that was appended durable.  COHORT_EDISKFULL: not even what is reserved takes it (see
 *  segment_write); to be tried again, before anything else is done to the log; else final. */
int log_sync (struct log *self, struct fault *fault);

/*  The mark of the idle log: "durable through last".  Nothing may be unsynced.  COHORT_EDISKFULL:
 *  there is no room for it; else final. */
int log_mark (struct log *self, struct fault *fault);

/*  One step of preparing: next segment, or more space in the current one.  *did: there was
 *  something to do.  COHORT_EDISKFULL; else final. */
int log_prepare (struct log *self, bool *did, struct fault *fault);

/*  Whether log_prepare has something to do. */
enum log_need {
    LOG_NEEDS_NOTHING,
    LOG_NEEDS_LATER, /*  space for a burst: when there is nothing else to do, and only if there is
                      */
    LOG_NEEDS_SOON,
    LOG_NEEDS_NOW /*  the log may run into it */
};
enum log_need log_need (const struct log *self);

/*  Drops what follows the point (which ends at `end` in `segment`; or is the base, with its stamp:
 *  segment 0), in one flip of the manifest; appending continues in a new segment.
 *  COHORT_EDISKFULL: nothing has changed; else final.  Nothing may be unsynced. */
int log_truncate (struct log *self, struct zab_point to, uint32_t segment, uint64_t end,
                  int64_t stamp_ms, struct fault *fault);

/*  The snapshot takes the place of the whole log and of all other snapshots, in one flip. */
int log_install (struct log *self, const struct snapshot_entry *snapshot, struct fault *fault);

/*  The snapshot counts from now on. */
int log_add_snapshot (struct log *self, const struct snapshot_entry *snapshot, struct fault *fault);

/*  It does not count any more; the log behind the one before it is there. */
int log_drop_snapshot (struct log *self, uint64_t serial, struct fault *fault);

/*  The log begins behind `base`; segments and snapshots that end before it count no more, and go
 *  with the steps of `removal`: nobody may have them open.  COHORT_EDISKFULL: nothing has changed;
 *  else final. */
int log_purge (struct log *self, struct zab_point base, int64_t stamp_ms, struct fault *fault);

/*  Makes `draft` the manifest, if it can be written; draft is consumed in any case. */
int log_flip (struct log *self, struct manifest *draft, struct fault *fault);

#endif
