/*
 *  server/store/strays.h - segments and snapshots that the manifest does not name
 *
 *  Most are what an interruption has left, and of no use.  But if the manifest is an older one (put
 *  back from a copy, or the disk has lost the rename of the newer), they hold what this server has
 *  acknowledged.
 *
 *  A segment is named before anything is written to it, and its number is never used again.  So one
 *  below the manifest's next number has been given up by it or by one before it; and one from there
 *  on that is not empty has been named by a later one.  Where the log was truncated, or a snapshot
 *  has taken its place, a mark is the first that the segment gets in which it goes on: so that is
 *  never empty, and a snapshot beyond the end of a log that is sound has not taken its place.
 *
 *  May include: base, format.h, disk.h, fault.h, scan.h.
 */
#ifndef SERVER_STORE_STRAYS_H
#define SERVER_STORE_STRAYS_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

/*  Whether the manifest names the segment or snapshot; false for all other files. */
bool stray_is_listed (const struct manifest *manifest, const char *name);

struct stray {
    bool acknowledged; /*  something in it may have been */
    zxid_t last;       /*  the most recent entry that it tells of; 0: none */
};

/*  Of an unlisted segment, which is read if it has to be.  COHORT_ESYSTEM, COHORT_ENOMEM. */
int stray_segment (struct disk *disk, const struct file_ids *ids, const struct manifest *manifest,
                   uint32_t number, struct stray *stray, struct fault *fault);

/*  "entries up to 4.17 that no manifest names: ...", as people are told. */
enum { STRAY_TEXT_SIZE = 160 };
void stray_text (char text[STRAY_TEXT_SIZE], zxid_t last);

/*  An unlisted snapshot with more in it than is left. */
bool stray_is_newer (const struct manifest *manifest, const char *name, zxid_t last);

#endif
