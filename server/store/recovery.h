/*
 *  server/store/recovery.h - reading the log back
 */
#ifndef SERVER_STORE_RECOVERY_H
#define SERVER_STORE_RECOVERY_H

#include "server/store/cache.h"
#include "server/store/listing.h"
#include "server/store/log.h"

/*  Where a damaged log ceases to be sound. */
struct log_damage {
    size_t spans;          /*  so many of the manifest hold sound entries */
    uint64_t end;          /*  of those of the last of them */
    struct zab_point last; /*  the last sound entry, or the base */
    zxid_t suspect; /*  not 0: entries up to here, at the end of the log, cannot be read, and */
                    /*  nothing says that they were durable; all else is there            */
};

struct log_recovery {
    /*  in */
    struct log *log; /*  manifest and ids are there; current, next, last ... are filled in */
    struct cache *cache;
    zxid_t watched; /*  tell its position in the stream of records */
    /*  out */
    uint64_t watched_position;
    zxid_t commit;
    struct zab_past *past;    /*  for a core, whatever is returned: to be destroyed, or taken; */
                              /*  NULL: the chain of hashes is broken                          */
    zxid_t chained;           /*  the last entry that is what its chain says */
    struct log_damage damage; /*  COHORT_ECORRUPT */
    /*  meanwhile */
    bool begun; /*  a record was seen */
    struct zab_point last;
    zxid_t durable;       /*  the highest watermark */
    size_t span;          /*  being read */
    uint64_t entries_end; /*  behind the last entry in it */
    zxid_t unreadable; /*  not 0: the log ends at an entry that cannot be read; the last such one */
    uint64_t garbage_end; /*  behind the log's end: the last byte that is not zero, plus 1 */
};

/*  Reads all segments once, into the cache and for a core, finds the end, tells a torn tail from
 * damage.  What follows the end is zeroed, and what is not known to be durable is written again,
 * and synced, before it returns: a cache of the system may show bytes that never reached the disk.
 *  COHORT_ECORRUPT (nothing has changed), COHORT_ECONFIG, COHORT_ESYSTEM, COHORT_ENOMEM. */
int recover_log (struct log_recovery *self, struct fault *fault);

/*  Writes [start, end) of a segment again as it is, zeros from there up to stop; syncs. */
int recover_rewrite (struct segment *segment, struct disk *disk, uint64_t start, uint64_t end,
                     uint64_t stop, struct fault *fault);

/* ---- repair.c ---------------------------------------------------------------------------- */

struct store;
struct store_options;

/*  What recovery could not make sense of. */
enum recovery_damage {
    RECOVERY_STRAYS = 1, /*  the manifest is an older one: see strays.h */
    RECOVERY_LOG,        /*  see log_damage */
    RECOVERY_HISTORY,    /*  manifest, or all snapshots: nothing can be used */
    RECOVERY_METADATA    /*  nor is it known what was promised */
};

/*  Marks the store, sets aside what is damaged, and leaves a folder that recovers with what is
 * sound. why: what was found.  COHORT_EDISKFULL: no room for copies; else as recover_log. */
int repair_run (struct store *self, const struct store_options *options,
                const struct listing *listing, enum recovery_damage damage,
                const struct log_damage *log, const char *why, struct fault *fault);

#endif
