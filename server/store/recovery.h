/*
 *  server/store/recovery.h - reading the log back
 */
#ifndef SERVER_STORE_RECOVERY_H
#define SERVER_STORE_RECOVERY_H

#include "server/store/cache.h"
#include "server/store/log.h"

struct log_recovery {
    /*  in */
    struct log *log; /*  manifest and ids are there; current, next, last ... are filled in */
    struct cache *cache;
    zxid_t watched; /*  tell its position in the stream of records */
    /*  out */
    uint64_t watched_position;
    zxid_t commit;
    /*  meanwhile */
    bool begun; /*  a record was seen */
    struct zab_point last;
    zxid_t durable;       /*  the highest watermark */
    uint64_t entries_end; /*  behind the last entry in the segment being read */
    uint64_t garbage_end; /*  behind the log's end: the last byte that is not zero, plus 1 */
};

/*  Reads all segments into the cache, finds the end, tells a torn tail from damage.  What follows
 *  the end is zeroed, and what is not known to be durable is written again, and synced, before it
 *  returns: a cache of the system may show bytes that never reached the disk.
 *  COHORT_ECORRUPT, COHORT_ECONFIG, COHORT_ESYSTEM, COHORT_ENOMEM. */
int recover_log (struct log_recovery *self, struct fault *fault);

#endif
